"""A network as an ONNX graph without weights, for viewers: learned tensors are inputs of it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from archspec.errors import SpecError
from archspec.trees import Tensor
from costmodel.analysis.analysis import Analysis
from costmodel.network.propagation import GroupCost, LayerCost, Part, RepeatFlow
from costmodel.render.onnx_operators import Draft, Numbers, OnnxOperator, Step, drawn
from costmodel.render.torch_layers import SizedLayer, Sizes
from costmodel.render.torch_module import Exporter, Instance, require_no_hole

if TYPE_CHECKING:
    import onnx

DOMAIN = "archcost"
"""The domain of the operators that ONNX itself has not: the kinds of the language, by name."""

OPSET = 23
"""The operators of ONNX that are meant."""


def _fields(site: SizedLayer) -> dict[str, object]:
    """Return the fields of a layer as attributes: numbers, texts and flat lists of numbers."""
    found: dict[str, object] = {}
    for name in type(site.layer).model_fields:
        value = site.get(name)
        value = int(value) if isinstance(value, bool) else value
        plain = isinstance(value, int | float | str) and value != ""
        if plain or (isinstance(value, list) and value and all(type(v) is int for v in value)):
            found[name] = value
    return found


class _Sites(Exporter):
    """A walk over a network in which every layer's sizes are numbers; it keeps these."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(analysis)
        self.sites: dict[str, SizedLayer] = {}

    def layer(self, into: Instance, layer: LayerCost) -> None:
        """Take down a layer's fields and shapes."""
        super().layer(into, layer)
        self.sites[layer.node.path] = self.site(layer)


class RepeatedRun(NamedTuple):
    """The place of a layer that runs several times.

    Attributes:
        name: what its name ends with.
        weights: what the names of its learned tensors end with.
        experts: how many there are of these.
    """

    name: str = ""
    weights: str = ""
    experts: tuple[int, ...] = ()


class _Graph:
    """The nodes, inputs and shapes so far."""

    def __init__(self, sites: Mapping[str, SizedLayer]) -> None:
        self.sites = sites
        self.names: dict[Tensor, str] = {}  # tensor → its name in the graph, in this iteration
        self.nodes: list[tuple[Step, str]] = []
        self.constants: dict[str, Numbers | float] = {}
        self.integers = set[str]()
        self.inputs: dict[str, Sizes] = {}
        self.shapes: dict[str, Sizes] = {}
        self.weights: dict[str, list[str]] = {}  # path of a layer → the names of what it learns

    def parts(self, parts: Iterable[Part], run: RepeatedRun) -> None:
        """Add some parts; what is in a repeat has the iteration's number behind its name."""
        for part in parts:
            if isinstance(part, LayerCost):
                self.layer(part, run)
            elif part.flow is None:
                self.parts(part.parts, run)
            else:
                self.repeat(part, part.flow, run)

    def repeat(self, group: GroupCost, flow: RepeatFlow, run: RepeatedRun) -> None:
        """Add every iteration of a repeat; of experts one, whose tensors have an axis for all."""
        names = [self.names.get(each.source, "") for each in flow.carried]
        if not flow.is_loop:
            self.parts(group.parts, run)
            names = [self.names[each.result] for each in flow.carried]
        elif flow.chosen_by is not None:
            (expert,), path = flow.carried, group.path + run.name
            self.names[expert.entry] = names[0]
            self.parts(group.parts, run._replace(experts=(*run.experts, int(group.copies))))
            entering, names = [self.names[flow.chosen_by], self.names[expert.result]], [path]
            mixture = Step(OnnxOperator("mixture", {}, DOMAIN), entering, names)
            self.nodes.append((mixture, path))
            self.shapes[path] = tuple(map(int, group.output))
        else:
            for i in range(int(group.runs)):
                self.names.update(zip((each.entry for each in flow.carried), names, strict=True))
                own = f"{run.weights}:{i}" if group.copies != 1 else run.weights
                inner = run._replace(name=f"{run.name}:{i}", weights=own)
                self.parts(group.parts, inner if group.runs != 1 else run)
                names = [self.names[each.result] for each in flow.carried]
        self.names.update(zip((each.output for each in flow.carried), names, strict=True))

    def layer(self, layer: LayerCost, run: RepeatedRun) -> None:
        """Add a layer: its operator, what it learns as inputs, and the shapes that leave it."""
        node, name = layer.node, layer.node.path + run.name
        learned = []
        for parameter in layer.cost.parameters:
            learned.append(f"{node.path}{run.weights}.{parameter.name}")
            shape = parameter.shape if parameter.copies == 1 and parameter.shape else None
            self.inputs[learned[-1]] = (*run.experts, *map(int, shape or (parameter.total,)))
        tied = self.weights.get(node.owner or "", [])[: len(layer.cost.tied)]
        self.weights[node.path] = [*tied, *learned]
        made = []
        for tensor, shape in zip(layer.made, layer.outputs, strict=True):
            self.names[tensor] = tensor.label.replace(node.path, name, 1)
            made.append(self.names[tensor])
            self.shapes[made[-1]] = tuple(map(int, shape))
        entering = [self.names[tensor] for tensor in layer.reads]
        draft = Draft(self.sites[node.path], entering, [*tied, *learned], made)
        is_stacked = bool(run.experts and draft.learned)  # its tensors have an axis for experts
        if is_stacked or not drawn(draft):
            own = OnnxOperator(node.kind, _fields(draft.site), DOMAIN)
            draft.steps = [Step(own, [*entering, *draft.learned], made)]
        for step in draft.steps:
            self.nodes.append((step, name if step.made == made else step.made[0]))
        self.inputs |= draft.buffers
        self.constants |= draft.constants
        self.integers.update(draft.integers)


def model(analysis: Analysis) -> "onnx.ModelProto":
    """Return the ONNX model of a network whose symbols all have values.

    Raises:
        SpecError: onnx is not installed, or of a layer only a shape is known.
    """
    require_no_hole(analysis)
    try:
        from onnx import checker, helper
    except ImportError:
        cause = "an ONNX graph needs onnx, which is not installed"
        raise SpecError(cause, hint="pip install 'archcost[onnx]'") from None
    found = _Sites(analysis)
    found.network()
    graph = _Graph(found.sites)
    for name, shape in analysis.propagation.inputs.items():
        graph.names[Tensor(name)] = name
        graph.inputs[name] = tuple(map(int, shape))
    graph.parts(analysis.propagation.parts, RepeatedRun())
    tensors = (*analysis.graph.sides, analysis.graph.output)
    left = dict.fromkeys(graph.names[tensor] for tensor in tensors)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    whole = _proto(graph, left, analysis.graph.title)
    made = helper.make_model(whole, opset_imports=opsets, producer_name="archcost")
    own = dict.fromkeys(step.operator.name for step, _ in graph.nodes if step.operator.domain)
    note = f"ONNX has no operator for {', '.join(own)}: nodes of the domain '{DOMAIN}'"
    made.doc_string = note if own else ""
    checker.check_model(made)
    return made


def _proto(graph: _Graph, left: Iterable[str], title: str) -> "onnx.GraphProto":
    """Return a graph as ONNX has it; inputs of which places are taken are integers."""
    from onnx import TensorProto, helper

    def described(name: str, shape: Sizes) -> "onnx.ValueInfoProto":
        kind = TensorProto.INT64 if name in graph.integers else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, shape)

    def stored(name: str, value: Numbers | float) -> "onnx.TensorProto":
        numbers = value if isinstance(value, tuple) else (value,)
        kind = TensorProto.FLOAT if isinstance(numbers[0], float) else TensorProto.INT64
        shape = [len(numbers)] if isinstance(value, tuple) else []
        return helper.make_tensor(name, kind, shape, numbers)

    nodes = [
        helper.make_node(op.name, entering, made, name, domain=op.domain, **op.attributes)
        for (op, entering, made), name in graph.nodes
    ]
    known = graph.inputs | graph.shapes
    return helper.make_graph(
        *(nodes, title),
        [described(name, shape) for name, shape in graph.inputs.items()],
        [described(name, known[name]) for name in left],
        [stored(name, value) for name, value in graph.constants.items()],
        value_info=[described(n, s) for n, s in graph.shapes.items() if n not in {*left}],
    )

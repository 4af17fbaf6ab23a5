"""A network as an ONNX graph without weights, for viewers: learned tensors are inputs of it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.errors import SpecError
from archspec.trees import Tensor
from costmodel.analysis.analysis import Analysis
from costmodel.network.propagation import GroupCost, LayerCost, Part, RepeatFlow
from costmodel.render.torch_layers import SizedLayer, Sizes
from costmodel.render.torch_module import Exporter, Instance, require_no_hole

if TYPE_CHECKING:
    import onnx

DOMAIN = "archcost"
"""The domain of the operators that ONNX itself has not: the kinds of the language, by name."""

OPSET = 17
"""The operators of ONNX that are meant."""

PLAIN = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softsign": "Softsign",
    "hardswish": "HardSwish",
    "identity": "Identity",
    "dropout": "Dropout",
    "abs": "Abs",
    "neg": "Neg",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "erf": "Erf",
    "sin": "Sin",
    "cos": "Cos",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "reciprocal": "Reciprocal",
    "sign": "Sign",
    "matmul": "MatMul",
    "where": "Where",
    "global_avgpool": "GlobalAveragePool",
    "global_maxpool": "GlobalMaxPool",
}
"""The kinds that are an operator of ONNX without attributes → its name."""


class OnnxOperator(NamedTuple):
    """An operator of ONNX with its attributes."""

    name: str
    attributes: Mapping[str, Any] = {}
    domain: str = ""


def _operator(site: SizedLayer) -> OnnxOperator:
    """Return the operator of a layer; where ONNX has none, one named as the kind."""
    kind, rank = site.layer.kind, len(site.inputs[0]) if site.inputs else 0
    if kind in PLAIN:
        return OnnxOperator(PLAIN[kind])
    if kind in ("add", "mul", "sub", "div") and len(site.inputs) == 2:
        return OnnxOperator(kind.capitalize())
    if kind == "concat":
        return OnnxOperator("Concat", {"axis": site.get("axis")})
    if kind == "softmax":
        return OnnxOperator("Softmax", {"axis": site.get("dim")})
    if kind == "permute":
        return OnnxOperator("Transpose", {"perm": [axis % rank for axis in site.get("dims")]})
    if kind.startswith("conv") and not kind.startswith("conv_t") and _is_even(site):
        return OnnxOperator("Conv", _windows(site, rank - 2) | {"group": site.get("groups")})
    if kind.startswith(("maxpool", "avgpool")):
        name = "MaxPool" if kind.startswith("max") else "AveragePool"
        attributes = _windows(site, rank - 2) | {"ceil_mode": int(site.get("ceil_mode"))}
        return OnnxOperator(name, attributes)
    return OnnxOperator(kind, _fields(site), DOMAIN)


def _is_even(site: SizedLayer) -> bool:
    padding = site.get("padding")
    sides = padding if isinstance(padding, list) else [padding]
    return all(isinstance(side, int) for side in sides) and site.get("padding_mode") == "zeros"


def _windows(site: SizedLayer, rank: int) -> dict[str, Any]:
    """Return the attributes of a layer with windows."""

    def per_axis(name: str) -> list[int]:
        value = site.get(name)
        return value if isinstance(value, list) else [value] * rank

    kernel = per_axis("kernel_size")
    stride = per_axis("stride") if site.get("stride") is not None else kernel
    found = {"kernel_shape": kernel, "strides": stride, "pads": per_axis("padding") * 2}
    if "dilation" in type(site.layer).model_fields:
        found["dilations"] = per_axis("dilation")
    return found


def _fields(site: SizedLayer) -> dict[str, Any]:
    """Return the fields of a layer as attributes: numbers, texts and flat lists of numbers."""
    found = {}
    for name in type(site.layer).model_fields:
        value = site.get(name)
        value = int(value) if isinstance(value, bool) else value
        plain = isinstance(value, int | float | str) and value != ""
        if plain or (isinstance(value, list) and value and all(type(v) is int for v in value)):
            found[name] = value
    return found


class _Operators(Exporter):
    """A walk over a network in which every layer's sizes are numbers; it finds the operators."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(analysis)
        self.operators: dict[str, OnnxOperator] = {}

    def layer(self, into: Instance, layer: LayerCost) -> None:
        """Take down a layer's operator."""
        super().layer(into, layer)
        self.operators[layer.node.path] = _operator(self.site(layer))


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

    def __init__(self, operators: Mapping[str, OnnxOperator]) -> None:
        self.operators = operators
        self.names: dict[Tensor, str] = {}  # tensor → its name in the graph, in this iteration
        self.nodes: list[tuple[OnnxOperator, list[str], list[str], str]] = []
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
        result = self.names.get(flow.source, "")
        if flow.entry is None:
            self.parts(group.parts, run)
            result = self.names[flow.result]
        elif flow.chosen_by is not None:
            self.names[flow.entry] = result
            self.parts(group.parts, run._replace(experts=(*run.experts, int(group.copies))))
            entering = [self.names[flow.chosen_by], self.names[flow.result]]
            result = group.path + run.name
            self.nodes.append((OnnxOperator("mixture", {}, DOMAIN), entering, [result], result))
            self.shapes[result] = tuple(map(int, group.output))
        else:
            for i in range(int(group.runs)):
                self.names[flow.entry] = result
                own = f"{run.weights}:{i}" if group.copies != 1 else run.weights
                inner = run._replace(name=f"{run.name}:{i}", weights=own)
                self.parts(group.parts, inner if group.runs != 1 else run)
                result = self.names[flow.result]
        self.names[Tensor(group.path)] = result

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
        operator = self.operators[node.path]
        self.nodes.append((operator, [*entering, *tied, *learned], made, name))


def model(analysis: Analysis) -> "onnx.ModelProto":
    """Return the ONNX model of a network whose symbols all have values.

    Raises:
        SpecError: onnx is not installed, or of a layer only a shape is known.
    """
    require_no_hole(analysis)
    try:
        from onnx import TensorProto, checker, helper
    except ImportError:
        cause = "an ONNX graph needs onnx, which is not installed"
        raise SpecError(cause, hint="pip install 'archcost[onnx]'") from None
    operators = _Operators(analysis)
    operators.network()
    graph = _Graph(operators.operators)
    for name, shape in analysis.propagation.inputs.items():
        graph.names[Tensor(name)] = name
        graph.inputs[name] = tuple(map(int, shape))
    graph.parts(analysis.propagation.parts, RepeatedRun())

    def described(name: str, shape: Sizes) -> "onnx.ValueInfoProto":
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node(op.name, entering, made, name, domain=op.domain, **op.attributes)
        for op, entering, made, name in graph.nodes
    ]
    tensors = (*analysis.graph.sides, analysis.graph.output)
    left = dict.fromkeys(graph.names[tensor] for tensor in tensors)
    known = graph.inputs | graph.shapes
    whole = helper.make_graph(
        *(nodes, analysis.graph.title),
        [described(name, shape) for name, shape in graph.inputs.items()],
        [described(name, known[name]) for name in left],
        value_info=[described(n, s) for n, s in graph.shapes.items() if n not in left],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    found = helper.make_model(whole, opset_imports=opsets, producer_name="archcost")
    checker.check_model(found)
    return found


def model_bytes(analysis: Analysis) -> bytes:
    """Return an analysed network as the bytes of an ONNX file."""
    return bytes(model(analysis).SerializeToString())

"""ONNX files: operators, attributes and the shapes of initializers become a network.

Weights are never read: of the numbers in a file only those that are shapes, axes, scales or bounds
are looked at, and none in an external file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.errors import SpecError
from archspec.importers.calls import Call, Module, Network, Size
from archspec.importers.onnx_layers import OPERATORS, is_filled_in
from archspec.importers.onnx_operator import Calls, Operator, UnknownOperatorError, field
from archspec.importers.onnx_patterns import Graph, layer_of
from archspec.importers.onnx_shapes import fold
from archspec.importers.onnx_sizes import Extent, extent
from archspec.importers.onnx_symbols import Symbols
from archspec.importers.onnx_values import REAL_TYPES, Value
from archspec.importers.source import Counts, Imported, Options
from archspec.importers.writing import write

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

PARTLY = "--partial marks it as missing and goes on"

EXTRA = "pip install 'archcost[onnx]'"


def open_model(source: str) -> "ModelProto":
    """Return a file's model, without what it keeps in other files.

    Args:
        source: its path.

    Raises:
        SpecError: there is no such file, or it is no ONNX model.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise SpecError(f"{source}: reading ONNX needs the package onnx", hint=EXTRA) from None
    try:
        model = onnx.load(source, load_external_data=False)
    except OSError as error:
        raise SpecError(f"{source}: {error.strerror or error}") from None
    except (DecodeError, ValueError, RuntimeError):
        raise SpecError(f"{source}: this is no ONNX model, or only a part of one") from None
    if not model.graph.node or not model.opset_import:
        raise SpecError(f"{source}: this is no ONNX model: it has no operators")
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    return model


def read(source: str, options: Options) -> Imported:
    """Return the spec of an ONNX file.

    Args:
        source: its path.
        options: what is said beside it.

    Raises:
        SpecError: it cannot be read, or holds what no kind expresses.
    """
    model = open_model(source)
    network = network_of(model, source, options)
    text, names = write(network)
    return Imported(text, partial(measure, model, network), names, network.notes)


def network_of(model: "ModelProto", source: str, options: Options) -> Network:
    """Return the network that a model is.

    Args:
        model: the model.
        source: its path.
        options: what is said beside it.

    Raises:
        SpecError: it holds what no kind expresses.
    """
    try:
        return _Reader(model, source, options).network()
    except SpecError as error:
        if str(error).startswith(source):
            raise
        raise SpecError(f"{source}: {error.cause}", hint=error.hint) from None


class _Reader:
    """Walks the nodes of a model and keeps what each of its tensors is."""

    def __init__(self, model: "ModelProto", source: str, options: Options) -> None:
        self.model, self.source, self.options = model, source, options
        self.values: dict[str, Value] = {}
        self.calls = Calls()
        self.opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
        self.uses = Counter(_used(model.graph))
        self.symbols = Symbols()
        self.failed: dict[str, SpecError] = {}
        self.met = Graph({}, self.values, self.uses)

    def network(self) -> Network:
        graph = self.model.graph
        self._store(graph.initializer)
        inputs = [i for i in graph.input if i.name not in self.values]
        sizes = self.symbols.of_inputs(inputs, self.options.inputs)
        real = {i.name: i.type.tensor_type.elem_type in REAL_TYPES for i in inputs}
        names = {name: _identifier(name, number) for number, name in enumerate(sizes)}
        for name, shape in sizes.items():
            self.values[name] = Value(shape, names[name], real=real[name])
        self._walk(graph)
        outputs = tuple(self._output(value.name) for value in graph.output)
        outputs = tuple(dict.fromkeys(outputs))
        producer = f", by {self.model.producer_name}" if self.model.producer_name else ""
        return Network(
            graph.name or Path(self.source).stem,
            f"{Path(self.source).name} (ONNX, opset {self.opset}{producer})",
            self.symbols.defaults,
            {names[name]: tuple(map(field, shape)) for name, shape in sizes.items()},
            _live(self.calls.made, outputs),
            outputs,
        )

    def _store(self, tensors: Iterable["TensorProto"]) -> None:
        for tensor in tensors:
            if any(size < 0 for size in tensor.dims):
                raise SpecError(f"initializer '{tensor.name}' has a negative extent")
            shape = tuple(map(extent, tensor.dims))
            real = tensor.data_type in REAL_TYPES
            self.values[tensor.name] = Value(shape, "", tensor, None, tensor.name, True, real)

    def _walk(self, graph: "GraphProto") -> None:
        for node in graph.node:
            if node.op_type == "Constant" or node.output[0] not in self.values:
                self._node(node)

    def _node(self, node: "NodeProto") -> None:
        """Translate a node; an error is kept until what it makes is used."""
        layer = layer_of(self.met, node) or node
        failed = next((self.failed[n] for n in layer.input if n in self.failed), None)
        made: Sequence[Value | None] = ()
        try:
            if failed is None:
                made = self._made(layer)
        except SpecError as error:
            failed = error
        for name, value in zip_longest(node.output, made):
            if name and value is not None:
                self.values[name] = value
            elif name:
                cause = f"{node.op_type} '{node.name}': no kind gives its output '{name}'"
                self.failed[name] = failed or SpecError(cause, hint=PARTLY)
            self.met.makers[name] = node

    def _made(self, node: "NodeProto") -> Sequence[Value | None]:
        inputs = [self._value(name, node) for name in node.input]
        op = Operator(node, inputs, self.opset, self.calls, modules_of(node), self.uses)
        try:
            return self._translated(op)
        except UnknownOperatorError as error:
            hint = error.hint or PARTLY
            raise SpecError(f"{op.where}: {error.cause}", hint=hint) from None
        except SpecError as error:
            raise SpecError(f"{op.where}: {error.cause}", hint=error.hint) from None
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            cause = f"{op.where}: its attributes or inputs are not those of its operator ({error})"
            raise SpecError(cause) from None

    def _translated(self, op: Operator) -> Sequence[Value | None]:
        if op.kind == "If":
            return self._branch(op)
        folded = fold(op)
        if folded is not None:
            return [folded]
        if op.kind in ("Loop", "Scan"):
            raise UnknownOperatorError("a loop over a graph of its own")
        if op.kind not in OPERATORS or op.node.domain not in ("", "ai.onnx", "com.microsoft"):
            raise UnknownOperatorError("no kind expresses this operator")
        return OPERATORS[op.kind](op)

    def _branch(self, op: Operator) -> Sequence[Value | None]:
        known = op.value(0).read()
        truth = None if known is None or known.item is None else known.item.field
        if truth is None:
            raise UnknownOperatorError("which branch runs depends on data")
        graph = op.attribute("then_branch" if truth else "else_branch")
        self._store(graph.initializer)
        self._walk(graph)
        for value in graph.output:
            if value.name in self.failed:
                raise self.failed[value.name]
        return [self.values.get(value.name) for value in graph.output]

    def _value(self, name: str, node: "NodeProto") -> Value | None:
        if not name:
            return None
        if name not in self.values:
            raise SpecError(f"{node.op_type} '{node.name}': nothing makes its input '{name}'")
        return self.values[name]

    def _output(self, name: str) -> str:
        if name in self.failed:
            raise self.failed[name]
        if name not in self.values:
            raise SpecError(f"nothing makes the output '{name}'")
        value = self.values[name]
        call = self.calls.tensor(value)
        if call.partition(".")[0] in self.calls.made:
            return call
        return self.calls.add("identity", [call], {}, value.shape)


def _identifier(name: str, number: int) -> str:
    plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
    return plain if plain[:1].isalpha() else f"input_{number}"


def _used(graph: "GraphProto") -> Iterator[str]:
    """The names that nodes take, once for each time, those of inner graphs too."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _used(attribute.g)
    yield from (value.name for value in graph.output)


def _live(made: Mapping[str, Call], outputs: Iterable[str]) -> tuple[Call, ...]:
    """The calls that an output depends on, in order."""
    wanted = {name.partition(".")[0] for name in outputs}
    for name, call in reversed(list(made.items())):
        if name in wanted:
            wanted |= {entering.partition(".")[0] for entering in call.inputs}
    return tuple(call for name, call in made.items() if name in wanted)


def modules_of(node: "NodeProto") -> tuple[Module, ...]:
    """Return the modules that an exporter of torch says a node stands in, outermost first.

    Args:
        node: the node: named as ``/layer1/layer1.0/conv2/Conv``, or with the exporter's metadata.
    """
    notes = {entry.key: entry.value for entry in node.metadata_props}
    if "pkg.torch.onnx.class_hierarchy" in notes and "pkg.torch.onnx.name_scopes" in notes:
        return _modules_of_notes(notes)
    if not node.name.startswith("/"):
        return ()
    path = ""
    found = [Module("", "")]
    for part in node.name.split("/")[1:-1]:
        inside = not path or part.startswith(f"{path}.")
        path = part if inside else f"{path}.{part}"
        found.append(Module(path, path.rpartition(".")[2]))
    return tuple(found)


def _modules_of_notes(notes: Mapping[str, str]) -> tuple[Module, ...]:
    from ast import literal_eval

    try:
        scopes = literal_eval(notes["pkg.torch.onnx.name_scopes"])
        classes = literal_eval(notes["pkg.torch.onnx.class_hierarchy"])
        rows = list(zip(scopes[:-1], classes[:-1], strict=True))
    except (ValueError, SyntaxError, TypeError):
        return ()
    return tuple(Module(str(scope), str(name).rpartition(".")[2]) for scope, name in rows)


WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "PRelu": (1,),
    "BatchNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "RMSNormalization": (1,),
    "LSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
    "Gather": (0,),
}
"""Operators → the inputs that are weights however small they are, and if a node holds them, too."""

NO_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (3, 4),
    "Upsample": (1,),
    "Resize": (1, 2),
}
"""Operators → the inputs that are state or scales, and no weights."""


def parameters(model: "ModelProto") -> int:
    """Return the elements of all learned tensors of a model, each tensor once.

    These are the initializers of floating-point types of more than one element, and those that
    stand where an operator has its weight; not the means and variances of batch norms. What an
    Identity makes of one is a tensor of its own: exporters store equal values once.

    Args:
        model: the model.
    """
    sizes = {t.name: prod(t.dims) for t in model.graph.initializer if t.data_type in REAL_TYPES}
    held = {name: size for name, size in sizes.items() if size > 1}
    for node in model.graph.node:
        if node.op_type == "Constant":
            sizes.update((node.output[0], prod(t.dims)) for t in _constants(node))
        if node.op_type == "Identity" and node.input[0] in sizes:
            sizes[node.output[0]] = size = sizes[node.input[0]]
            held |= {node.output[0]: size} if size > 1 else {}
        for place in WEIGHTS.get(node.op_type, ()):
            name = node.input[place] if place < len(node.input) else ""
            held |= {name: sizes[name]} if name in sizes else {}
    state = {
        node.input[place]
        for node in model.graph.node
        for place in NO_WEIGHTS.get(node.op_type, ())
        if place < len(node.input)
    }
    norms = (node for node in model.graph.node if node.op_type == "InstanceNormalization")
    state |= {name for node in norms for name in node.input[1:] if is_filled_in(name)}
    kept = (node for node in model.graph.node if node.op_type != "Identity")
    used = {name for node in kept for name in node.input}
    return sum(size for name, size in held.items() if name in used - state)


def _constants(node: "NodeProto") -> list["TensorProto"]:
    found = [a.t for a in node.attribute if a.name == "value"]
    return [tensor for tensor in found if tensor.data_type in REAL_TYPES]


def measure(model: "ModelProto", network: Network, values: Mapping[str, int]) -> Counts:
    """Return what a file says of itself: its learned elements, and the shapes that leave it.

    Args:
        model: the model.
        network: what was made of it.
        values: symbol → value.
    """
    return Counts(parameters(model), None, _output_shapes(model, network, values))


def _output_shapes(
    model: "ModelProto", network: Network, values: Mapping[str, int]
) -> tuple[tuple[int, ...], ...] | None:
    """The shapes of the outputs, by ONNX's own inference at these sizes; None where it fails."""
    from onnx import ModelProto, shape_inference

    copied = ModelProto()
    copied.CopyFrom(model)
    stored = {tensor.name for tensor in copied.graph.initializer}
    entering = [i for i in copied.graph.input if i.name not in stored]
    for value, sizes in zip(entering, network.inputs.values(), strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim, sizes, strict=True):
            dim.dim_value = _number(size, values)
    del copied.graph.value_info[:]
    for value in copied.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(copied, data_prop=True)
    shapes = [
        tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in inferred.graph.output
    ]
    unknown = any(
        not value.type.tensor_type.HasField("shape")
        or any(not dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)
        for value in inferred.graph.output
    )
    return None if unknown else tuple(shapes)


def _number(size: int | Size, values: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else values[size.text]


__all__ = ["Extent", "measure", "modules_of", "network_of", "open_model", "parameters", "read"]

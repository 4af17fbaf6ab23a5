"""ONNX files: operators, attributes and the shapes of initializers become a network.

Weights are never read: of the numbers in a file only those that are shapes, axes, scales or bounds
are looked at, and none in an external file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.errors import SpecError
from archspec.importers.calls import LayerCall, SourceNetwork
from archspec.importers.folding.writing import write
from archspec.importers.onnx import indexing as indexing
from archspec.importers.onnx import quantized as quantized
from archspec.importers.onnx.counts import has_initializers, measure
from archspec.importers.onnx.layers import OPERATORS
from archspec.importers.onnx.loops import UnrolledLoop, stacked
from archspec.importers.onnx.microsoft import DOMAIN
from archspec.importers.onnx.modules import modules_of
from archspec.importers.onnx.operator import Calls, OnnxNode, UnknownOperatorError, field
from archspec.importers.onnx.patterns import TensorIndex, layer_of
from archspec.importers.onnx.schemas import definition, shapes_of, stated_shape
from archspec.importers.onnx.shapes import fold
from archspec.importers.onnx.sizes import extent
from archspec.importers.onnx.symbols import GraphSymbols
from archspec.importers.onnx.values import MOST_REALS, REAL_TYPES, OnnxTensor, Shape
from archspec.importers.source import Imported, Options

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

PARTLY = "--partial marks it as missing, if the file says its shape, and imports the rest"

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
    if not all(isinstance(text, str) for text in _texts(model.graph)):
        raise SpecError(f"{source}: this is no ONNX model: a name in it is no text")
    if not all(node.output for node in model.graph.node):
        raise SpecError(f"{source}: this is no ONNX model: an operator makes nothing")
    _forget_weights(model.graph)
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    return model


def _texts(graph: "GraphProto") -> Iterator[object]:
    """Every name of a graph; those that are no text are bytes."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield from (value.name, *(dim.dim_param for dim in value.type.tensor_type.shape.dim))
    yield from (tensor.name for tensor in graph.initializer)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))
        for attribute in node.attribute:
            yield attribute.name
            yield from _texts(attribute.g) if attribute.HasField("g") else ()


def _forget_weights(graph: "GraphProto") -> None:
    """Drop the numbers of all large tensors of floating-point types: only shapes are looked at."""
    held = [a.t for node in graph.node for a in node.attribute if a.HasField("t")]
    for tensor in (*graph.initializer, *held):
        if tensor.data_type in REAL_TYPES and prod(tensor.dims) > MOST_REALS:
            for numbers in ("raw_data", "float_data", "double_data", "int32_data"):
                tensor.ClearField(numbers)


def read(source: str, options: Options) -> Imported:
    """Return the spec of an ONNX file.

    Raises:
        SpecError: it cannot be read, or holds what no kind expresses.
    """
    model = open_model(source)
    network = network_of(model, source, options)
    text, names = write(network)
    return Imported(text, partial(measure, model, network), names, network.notes)


def network_of(model: "ModelProto", source: str, options: Options) -> SourceNetwork:
    """Return the network that a model is.

    Raises:
        SpecError: it holds what no kind expresses.
    """
    try:
        return _Reader(model, source, options).network()
    except SpecError as error:
        if str(error).startswith(source):
            raise
        raise SpecError(f"{source}: {error.cause}", hint=error.hint) from None


class UnknownOperators(NamedTuple):
    """Operators that no kind expresses, one behind the other.

    Attributes:
        operators: their names.
        inputs: the tensors that enter them.
    """

    operators: list[str]
    inputs: list[OnnxTensor]

    def emitted(self, op: OnnxNode, shape: Shape) -> OnnxTensor:
        """Return what leaves it, as an entry that says what is missing."""
        sizes, names = tuple(map(field, shape or (extent(1),))), ", ".join(self.operators)
        return op.emit("missing", self.inputs, shape, operator=names, shape=sizes)


class _Reader:
    """Walks the nodes of a model and keeps what each of its tensors is."""

    def __init__(self, model: "ModelProto", source: str, options: Options) -> None:
        self.model, self.source, self.options = model, source, options
        self.values: dict[str, OnnxTensor] = {}
        self.calls = Calls()
        self.opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
        self.uses = Counter(_used(model.graph))
        self.symbols = GraphSymbols()
        self.failed: dict[str, SpecError] = {}
        self.lost: dict[str, UnknownOperators] = {}
        self.met = TensorIndex({}, self.values, self.uses)
        graph = model.graph
        self.stated = {v.name: v.type for v in (*graph.value_info, *graph.output)}
        self.learns_constants = not has_initializers(graph)

    def network(self) -> SourceNetwork:
        graph = self.model.graph
        self._store(graph.initializer)
        inputs = [i for i in graph.input if i.name not in self.values]
        sizes = self.symbols.of_inputs(inputs, self.options.inputs)
        real = {i.name: i.type.tensor_type.elem_type in REAL_TYPES for i in inputs}
        names = {name: _identifier(name, number) for number, name in enumerate(sizes)}
        for name, shape in sizes.items():
            self.values[name] = OnnxTensor(shape, names[name], real=real[name])
        self._walk(graph)
        outputs = tuple(self._output(value.name) for value in graph.output)
        outputs = tuple(dict.fromkeys(outputs))
        producer = f", by {self.model.producer_name}" if self.model.producer_name else ""
        return SourceNetwork(
            Path(self.source).stem,
            f"{Path(self.source).name} (ONNX, opset {self.opset}{producer})",
            self.symbols.defaults,
            {names[name]: tuple(map(field, shape)) for name, shape in sizes.items()},
            _live(self.calls.made, outputs),
            outputs,
            tuple(self.symbols.notes),
        )

    def _store(self, tensors: Iterable["TensorProto"]) -> None:
        for tensor in tensors:
            if any(size < 0 for size in tensor.dims):
                raise SpecError(f"initializer '{tensor.name}' has a negative extent")
            shape = tuple(map(extent, tensor.dims))
            real = tensor.data_type in REAL_TYPES
            self.values[tensor.name] = OnnxTensor(shape, "", tensor, None, tensor.name, True, real)

    def _walk(self, graph: "GraphProto") -> None:
        """Translate the nodes of a graph, in order."""
        for node in graph.node:
            is_new = node.op_type == "Constant" or not self.values.keys() & {*node.output}
            if node.output and is_new:
                self._node(node)

    def _node(self, node: "NodeProto") -> None:
        """Translate a node; an error is kept until what it makes is used."""
        layer = layer_of(self.met, node) or node
        self.failed |= self._made_by(layer)
        self.met.makers.update(dict.fromkeys(node.output, node))

    def _made_by(self, node: "NodeProto") -> dict[str, SpecError]:
        """Keep what a node makes; return an error for each tensor that it does not."""
        outputs = [name for name in node.output if name]
        error = next((self.failed[n] for n in node.input if n in self.failed), None)
        if error is None:
            cause = f"{node.op_type} '{node.name}': no kind gives all that leaves it"
            error = SpecError(cause, hint=PARTLY)
            try:
                made = zip(node.output, self._made(node), strict=False)
                self.values |= {name: value for name, value in made if name and value is not None}
            except SpecError as found:
                error = found
            if any(self.uses[name] and name not in self.values for name in outputs):
                self._define(node)
        if self.options.partial:
            self._mark(node)
        return dict.fromkeys((name for name in outputs if name not in self.values), error)

    def _define(self, node: "NodeProto") -> None:
        """Read the operators by which ONNX defines a node, if these have kinds."""
        inputs = [self.values.get(name) for name in node.input]
        found = definition(node, inputs, self.opset)
        if found is None:
            return
        kept = {name: self.values.pop(name) for name in node.output if name in self.values}
        opset, failed = self.opset, dict(self.failed)
        self.uses.update(name for inner in found.nodes for name in inner.input)
        self.opset = found.opset
        for inner in found.nodes:
            self.failed |= self._made_by(inner)
        self.opset, self.failed = opset, failed
        if any(self.uses[name] and name not in self.values for name in node.output if name):
            self.values |= kept

    def _mark(self, node: "NodeProto") -> None:
        """Mark what no kind gives as missing, where its shape is known; else with what follows."""
        lacking = [name for name in node.output if name and name not in self.values]
        if not lacking:
            return
        inputs = [self.values.get(name) for name in node.input]
        before = [self.lost[name] for name in node.input if name in self.lost]
        operators = [operator for hole in before for operator in hole.operators]
        entering = [value for hole in before for value in hole.inputs]
        entering += [v for v in inputs if v is not None and (v.call or v.learned)]
        hole = UnknownOperators([*dict.fromkeys([*operators, node.op_type])], entering)
        shapes = shapes_of(node, inputs, self.opset)
        op = OnnxNode(node, inputs, self.opset, self.calls, modules_of(node))
        for name in lacking:
            shape = shapes.get(name) or self._stated(name)
            if shape is None:
                self.lost[name] = hole
            else:
                self.values[name] = hole.emitted(op, shape)

    def _stated(self, name: str) -> Shape | None:
        """The shape that the file itself says of a tensor."""
        kind = self.stated.get(name)
        return None if kind is None else stated_shape(kind, self.symbols.extents)

    def _made(self, node: "NodeProto") -> Sequence[OnnxTensor | None]:
        inputs = [self._value(name, node) for name in node.input]
        op = OnnxNode(node, inputs, self.opset, self.calls, modules_of(node), self.uses)
        try:
            return self._translated(op)
        except SpecError as error:
            hint = error.hint or (PARTLY if isinstance(error, UnknownOperatorError) else None)
            raise SpecError(f"{op.where}: {error.cause}", hint=hint) from None
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            cause = f"{op.where}: its attributes or inputs are not those of its operator ({error})"
            raise SpecError(cause) from None

    def _translated(self, op: OnnxNode) -> Sequence[OnnxTensor | None]:
        if op.kind == "If":
            return self._branch(op)
        folded = fold(op)
        if folded is not None:
            learned = self.learns_constants and op.kind == "Constant"
            return [folded._replace(initial=True) if learned else folded]
        if op.kind in ("Loop", "Scan"):
            return self._unrolled(op)
        own = f"{op.node.domain}.{op.kind}"
        if op.node.domain not in ("", "ai.onnx", DOMAIN) or not {own, op.kind} & {*OPERATORS}:
            raise UnknownOperatorError("no kind expresses this operator")
        return OPERATORS[own if own in OPERATORS else op.kind](op)

    def _branch(self, op: OnnxNode) -> Sequence[OnnxTensor | None]:
        known = op.value(0).read()
        truth = None if known is None or known.item is None else known.item.field
        if truth is None:
            raise UnknownOperatorError("which branch runs depends on data")
        name = "then_branch" if truth else "else_branch"
        graph = op.attribute(name)
        if graph is None:
            raise SpecError(f"it has no {name}")
        self._store(graph.initializer)
        self._walk(graph)
        for value in graph.output:
            if value.name in self.failed:
                raise self.failed[value.name]
        return [self.values.get(value.name) for value in graph.output]

    def _unrolled(self, op: OnnxNode) -> Sequence[OnnxTensor | None]:
        """Translate the graph of a loop as often as it runs, where that is a number."""
        body = op.attribute("body")
        if body is None:
            raise SpecError("it has no body")
        loop = UnrolledLoop.of(op)
        self._store(body.initializer)
        states, gathered = list(loop.states), list[list[OnnxTensor]]()
        for iteration in range(loop.times):
            made = [name for node in body.node for name in node.output]
            for known in (self.values, self.failed, self.met.makers):
                for name in made:
                    known.pop(name, None)
            entering = (*loop.counters(iteration), *states, *loop.slices(op, iteration))
            names = [value.name for value in body.input]
            self.values |= dict(zip(names, entering, strict=True))
            self._walk(body)
            left = [self._inner(value.name) for value in body.output]
            left = left[loop.checks(left) :]
            states = left[: len(states)]
            gathered.append(left[len(states) :])
        return [*states, *(stacked(op, list(each)) for each in zip(*gathered, strict=True))]

    def _inner(self, name: str) -> OnnxTensor:
        if name in self.failed:
            raise self.failed[name]
        if name not in self.values:
            raise SpecError(f"nothing makes the output '{name}' of its body")
        return self.values[name]

    def _value(self, name: str, node: "NodeProto") -> OnnxTensor | None:
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
    """Yield the inputs of all nodes, those of inner graphs too, each as often as it is used."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _used(attribute.g)
    yield from (value.name for value in graph.output)


def _live(made: Mapping[str, LayerCall], outputs: Iterable[str]) -> tuple[LayerCall, ...]:
    """The calls that an output depends on, in order."""
    wanted = {name.partition(".")[0] for name in outputs}
    for name, call in reversed(list(made.items())):
        if name in wanted:
            wanted |= {entering.partition(".")[0] for entering in call.inputs}
    return tuple(call for name, call in made.items() if name in wanted)

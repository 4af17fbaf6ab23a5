"""A spec's graph as the plain calls that an importer gives: the ground truth of folding."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from sympy import sympify

from archspec import Graph, Group, Node, Repeat, build_graph, load
from archspec.equation import Equation
from archspec.fields import Condition, Expression, ShapeOf
from archspec.graph import Item
from archspec.importers.calls import LayerCall as Call
from archspec.importers.calls import Size
from archspec.importers.calls import SourceModule as Module
from archspec.importers.calls import SourceNetwork as Network
from archspec.trees import Measure, Name, Number, Tensor, Tree, Truth
from costmodel.algebra.translate import translate
from costmodel.network.assumptions import read_assumptions
from costmodel.network.propagation import propagate


class NotFlatError(Exception):
    """A spec that is no list of calls, as one with a mixture of experts."""


def flattened(spec: str) -> Network:
    """Return a spec's network at its defaults as calls, whose modules are the spec's blocks."""
    architecture = load(spec)
    values = architecture.header.defaults
    graph = build_graph(architecture, values)
    flat = _Flat(frozenset(architecture.blocks))
    nodes = tuple(flat.nodes(graph.items, (Module("", "Net"),), ""))
    outputs = [flat.here(tensor) for tensor in (*graph.sides, graph.output)]
    plain = graph._replace(items=nodes, output=outputs[-1], sides=tuple(outputs[:-1]))
    sizes = _Sizes(plain)
    calls = tuple(sizes.call(node, flat) for node in nodes)
    whole = build_graph(architecture)
    inputs = {given.name: tuple(map(_size, given.sizes)) for given in whole.inputs}
    used = {size.text for sizes in inputs.values() for size in sizes if isinstance(size, Size)}
    symbols = {name: int(values[name]) for name in values if name in used}
    left = tuple(tensor.label for tensor in outputs)
    return Network(graph.title, "the zoo", symbols, inputs, calls, left)


def _size(size: Expression) -> int | Size:
    """A symbol alone stays one; what else an input's shape depends on is a number."""
    if isinstance(size.tree, Name):
        return Size(size.tree.id)
    if isinstance(size.tree, Number):
        return int(size.tree.value)
    raise NotFlatError("a computed input")


def _number(size: Expression) -> Fraction:
    assert isinstance(size.tree, Number)
    return Fraction(size.tree.value)


class _Sizes:
    """The numbers of a network of nodes alone."""

    def __init__(self, graph: Graph) -> None:
        found = propagate(graph, read_assumptions((), graph.symbols, graph.values))
        self.shapes: dict[Tensor, Any] = {
            Tensor(given.name): [_number(size) for size in given.sizes] for given in graph.inputs
        }
        self.learned = {each.node.path for each in found.layers if each.cost.parameters}
        for layer in found.layers:
            shapes = layer.outputs
            for i, shape in enumerate(shapes):
                self.shapes[Tensor(layer.node.path, i if len(shapes) > 1 else None)] = shape

    def call(self, node: Node, flat: "_Flat") -> Call:
        """The call of a node, with numbers for fields."""
        fields = {}
        for name in node.layer.model_fields_set:
            value = getattr(node.layer, name)
            if name != "weight" and value is not None:
                fields[name] = self.field(value)
        inputs = tuple(tensor.label for tensor in node.inputs)
        weights = flat.weights.get(node.path, node.path)
        weights = weights if weights in self.learned else ""
        modules = (*flat.modules[node.path], Module(node.path, node.kind))
        return Call(node.path, node.kind, fields, inputs, modules, weights, node.trainable)

    def field(self, value: Any) -> Any:
        match value:
            case Condition(Truth(truth)):
                return truth
            case Expression(tree):
                number = self.number(tree)
                return int(number) if number.denominator == 1 else float(number)
            case ShapeOf():
                raise NotFlatError("like")
            case Equation():
                return str(value)
            case tuple():
                return tuple(map(self.field, value))
            case Mapping():
                return {name: self.field(each) for name, each in value.items()}
        return value

    def number(self, tree: Tree) -> Any:
        """The value of an expression whose leaves are sizes of tensors."""
        found = translate(tree, self.size)
        return Fraction(int(found.p), int(found.q))

    def size(self, leaf: Name | Measure) -> Any:
        assert isinstance(leaf, Measure), leaf
        return sympify(self.shapes[leaf.tensor][leaf.axis])


class _Flat:
    """The nodes of a graph whose repeats are run, each with what its entries are called."""

    def __init__(self, blocks: frozenset[str]) -> None:
        self.blocks = blocks
        self.names: dict[str, Tensor] = {}
        self.modules: dict[str, tuple[Module, ...]] = {}
        self.weights: dict[str, str] = {}

    def here(self, tensor: Tensor) -> Tensor:
        found = self.names.get(tensor.producer)
        if found is None:
            return tensor
        return found if tensor.output is None else found._replace(output=tensor.output)

    def nodes(
        self, items: Iterable[Item], modules: tuple[Module, ...], turn: str
    ) -> Iterator[Node]:
        for item in items:
            match item:
                case Node():
                    yield self.node(item, modules, turn)
                case Group():
                    if item.replaces:
                        raise NotFlatError("projects on change")
                    inner = (*modules, Module(item.path + turn, item.kind))
                    is_block = item.kind in self.blocks
                    yield from self.nodes(item.items, inner if is_block else modules, turn)
                case Repeat():
                    yield from self.turns(item, modules, turn)

    def turns(self, item: Repeat, modules: tuple[Module, ...], turn: str) -> Iterator[Node]:
        if item.kind != "repeat" or item.sides:
            raise NotFlatError(item.kind)
        ((source, entry, result, _),) = item.carried
        latest = self.here(source)
        assert isinstance(item.runs, Number)
        for i in range(int(item.runs.value)):
            self.names[entry.producer] = latest
            made = [*self.nodes(item.items, modules, f"{turn}@{i}")]
            if item.copies == Number(1):
                first = len(f"@{i}")
                self.weights |= {n.path: f"{n.path[:-first]}@0" for n in made}
            yield from made
            latest = self.here(result)
        self.names[item.path] = latest

    def node(self, node: Node, modules: tuple[Module, ...], turn: str) -> Node:
        path = node.path + turn
        inputs = tuple(map(self.here, node.inputs))
        if node.owner:
            owner = self.names.get(node.owner, Tensor(node.owner)).producer
            self.weights[path] = self.weights.get(owner, owner)
        changed = {
            name: self.moved(getattr(node.layer, name))
            for name in node.layer.model_fields_set
            if name != "weight"
        }
        self.names[node.path] = Tensor(path)
        self.modules[path] = modules
        return node._replace(
            path=path,
            inputs=inputs,
            layer=node.layer.model_copy(update=changed),
            tied=None,
            shares=None,
        )

    def moved(self, value: Any) -> Any:
        """A field, in which tensors have their new names."""
        if isinstance(value, Tensor):
            return self.here(value)
        if isinstance(value, Mapping):
            return {name: self.moved(each) for name, each in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.moved, value))
        return tuple(map(self.moved, value)) if isinstance(value, tuple) else value

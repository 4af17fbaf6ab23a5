"""Shapes and costs through a graph: each node's rules are applied where its inputs are known."""

from collections.abc import Mapping
from typing import NamedTuple

from sympy import Expr

from archspec.errors import SpecError
from archspec.fields import Expression
from archspec.graph import Graph, Node
from archspec.trees import Measure, Name, Tensor, Tree
from costmodel.algebra.conditions import Least
from costmodel.algebra.functions import exact
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate
from costmodel.cost import Cost
from costmodel.rules.base import (
    Requirement,
    Shape,
    Site,
    elements,
    find_cost_rule,
    find_shape_rule,
    show_shape,
)


class LayerCost(NamedTuple):
    """One layer with its shapes and its cost.

    Attributes:
        node: the layer in the graph.
        inputs: the shapes that enter.
        output: the shape that leaves.
        cost: what it costs.
    """

    node: Node
    inputs: tuple[Shape, ...]
    output: Shape
    cost: Cost

    @property
    def input_elements(self) -> Expr:
        """Elements of all inputs."""
        return sum(map(elements, self.inputs), exact(0))

    @property
    def output_elements(self) -> Expr:
        """Elements of the output."""
        return elements(self.output)


class Propagation(NamedTuple):
    """A graph whose every shape and cost is known.

    Attributes:
        inputs: name → shape of the network's inputs.
        layers: in the order of the graph.
        requirements: what the layers ask of the symbols, in the same order.
    """

    inputs: Mapping[str, Shape]
    layers: tuple[LayerCost, ...]
    requirements: tuple[Requirement, ...]


def propagate(graph: Graph) -> Propagation:
    """Apply the rules of every node, in order; linear in the number of nodes.

    Raises:
        SpecError: a rule is broken whatever the symbols are.
    """
    walk = _Walk(graph)
    inputs = {name: walk.input_shape(name, sizes) for name, sizes in graph.inputs.items()}
    layers = tuple(walk.visit(node) for node in graph.nodes)
    return Propagation(inputs, layers, tuple(walk.requirements))


class _Walk:
    """The shapes known so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes: dict[Tensor, Shape] = {}
        self.sources: dict[Tensor, tuple[Tensor, ...]] = {}
        self.requirements: list[Requirement] = []
        self.symbols = {name: symbol(name, spec.domain) for name, spec in graph.symbols.items()}
        self.least = least_values(graph)

    def lookup(self, leaf: Name | Measure) -> Expr:
        """The symbol of a name, or the extent of an axis of a tensor.

        Raises:
            ValueError: the tensor has no such axis.
        """
        if isinstance(leaf, Name):
            return self.symbols[leaf.id]
        shape = self.shapes[leaf.tensor]
        if not -len(shape) <= leaf.axis < len(shape):
            raise ValueError(f"the input {show_shape(shape)} has no axis {leaf.axis}")
        return shape[leaf.axis]

    def translate(self, tree: Tree) -> Expr:
        """A resolved tree as a sympy expression."""
        return translate(tree, self.lookup)

    def input_shape(self, name: str, sizes: tuple[Expression, ...]) -> Shape:
        """The shape of one of the network's inputs."""
        shape = tuple(self.translate(size.tree) for size in sizes)
        for size in shape:
            if size.is_Rational and not (size.is_Integer and size > 0):
                raise SpecError(
                    f"the size {size} of input '{name}' is no positive integer", entry="input"
                )
        self.shapes[Tensor(name)] = shape
        return shape

    def visit(self, node: Node) -> LayerCost:
        """One node, its inputs being known."""
        inputs = tuple(self.shapes[tensor] for tensor in node.inputs)
        site = Site(node, inputs, self.translate, self.least)
        kind = type(node.layer)
        try:
            output = find_shape_rule(kind)(node.layer, site)
            self.requirements += site.requirements
            cost = find_cost_rule(kind)(node.layer, site, output)
        except SpecError as error:
            raise on_the_way(error, trail(node, self.shapes, self.sources)) from None
        except LookupError as error:
            raise node.error(str(error)) from None
        self.shapes[Tensor(node.path)] = output
        self.sources[Tensor(node.path)] = node.inputs
        return LayerCost(node, inputs, output, cost)


def least_values(graph: Graph) -> Least:
    """The smallest value of every free symbol that has one."""
    return {
        symbol(name, spec.domain): spec.least
        for name, spec in graph.symbols.items()
        if spec.least is not None and name not in graph.fixed
    }


def on_the_way(error: SpecError, shapes: str) -> SpecError:
    """The same error with the shapes that led there."""
    hint = f"{error.hint}; {shapes}" if error.hint else shapes
    return SpecError(error.cause, hint=hint, origin=error.origin, entry=error.entry)


MAX_TRAIL = 6


def trail(
    node: Node, shapes: Mapping[Tensor, Shape], sources: Mapping[Tensor, tuple[Tensor, ...]]
) -> str:
    """The last shapes before a node: ``input [1, 3, 224, 224] → conv2d_1 [1, 96, 55, 55]``."""
    steps: list[str] = []
    tensor: Tensor | None = node.inputs[0]
    while tensor is not None and len(steps) < MAX_TRAIL:
        steps.append(f"{tensor.producer} {show_shape(shapes[tensor])}")
        before = sources.get(tensor, ())
        tensor = before[0] if before else None
    if tensor is not None:
        steps.append("…")
    return f"shapes on the way: {' → '.join(reversed(steps))}"

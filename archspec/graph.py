"""A network whose structure is decided: a tree of nodes, groups and repeats."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from archspec.arithmetic import Rational
from archspec.errors import Origin, SpecError
from archspec.fields import Expression
from archspec.header import Symbol
from archspec.layers import Layer, Torch
from archspec.precision import UNSAID, Precision
from archspec.trees import Tensor, Tree, Value


class Node(NamedTuple):
    """One layer of the graph.

    Attributes:
        name: unique among its siblings.
        path: unique in the graph; also the name of its output tensor.
        layer: the kind's fields, resolved.
        inputs: the tensors that enter.
        origin: where its kind stands in the spec.
        fields: where its fields stand.
        tied: the path of the node whose weight it shares, or None.
        shares: the path of the node all whose learnable tensors it has, or None.
        precision: what the entry, those around it and its kind say of the types of its numbers.
        torch: PyTorch's name of its kind, where the spec writes that.
        trainable: whether its parameters are trained.
    """

    name: str
    path: str
    layer: Layer
    inputs: tuple[Tensor, ...]
    origin: Origin
    fields: Mapping[str, Origin]
    tied: str | None = None
    precision: Precision = UNSAID
    torch: Torch | None = None
    shares: str | None = None
    trainable: bool = True

    @property
    def owner(self) -> str | None:
        """The path of the node that owns what it shares, or None."""
        return self.shares or self.tied

    @property
    def kind(self) -> str:
        """The usual name of its kind."""
        return self.layer.kind

    def error(self, cause: str, hint: str | None = None, field: str | None = None) -> SpecError:
        """An error that names this node, and the place of a field of it."""
        origin = self.fields.get(field or "", self.origin)
        return SpecError(cause, hint=hint, origin=origin, entry=self.path)


class Group(NamedTuple):
    """Items that belong together: a block, a residual, a row of a table.

    Attributes:
        name: unique among its siblings.
        path: unique in the graph.
        kind: the block's name, or the composite's.
        items: what it holds, in order.
        output: what leaves it, of several tensors the first.
        origin: where it stands in the spec.
        expects: of a network that is used, what enters each of its inputs.
        replaces: of a shortcut that is left out where two tensors are of one shape, these: what
            enters it, which then stands for what leaves it, and the other.
    """

    name: str
    path: str
    kind: str
    items: tuple["Item", ...]
    output: Tensor
    origin: Origin
    expects: tuple[tuple[Tensor, "Input"], ...] = ()
    replaces: tuple[Tensor, Tensor] | None = None

    def error(self, cause: str, hint: str | None = None, field: str | None = None) -> SpecError:  # noqa: ARG002
        """An error that names this group; it has no fields."""
        return SpecError(cause, hint=hint, origin=self.origin, entry=self.path)


class Carry(NamedTuple):
    """A tensor that goes through all iterations of a repeat.

    Attributes:
        source: what enters the first iteration.
        entry: what enters each iteration: the source, then the result of the iteration before.
        result: what leaves an iteration.
        output: what leaves the repeat.
    """

    source: Tensor
    entry: Tensor
    result: Tensor
    output: Tensor

    @property
    def is_kept(self) -> bool:
        """Return whether every iteration hands on what enters it."""
        return self.result == self.entry


class Repeat(NamedTuple):
    """A body that is run several times: one node with a body, not its copies.

    Attributes:
        name: unique among its siblings.
        path: unique in the graph; also the name of its output tensors.
        kind: ``repeat``, or ``moe``.
        runs: how often the body works.
        copies: how many copies of its weights there are.
        items: the body, in order.
        carried: the tensors that go through it, one or several.
        origin: where it stands in the spec.
        fields: where its fields stand.
        chosen_by: what decides which copies work, where not all do.
        sides: what leaves the network in every iteration, from side branches of the body.
    """

    name: str
    path: str
    kind: str
    runs: Tree
    copies: Tree
    items: tuple["Item", ...]
    carried: tuple[Carry, ...]
    origin: Origin
    fields: Mapping[str, Origin]
    chosen_by: Tensor | None = None
    sides: tuple[Tensor, ...] = ()

    def error(self, cause: str, hint: str | None = None, field: str | None = None) -> SpecError:
        """An error that names this repeat, and the place of a field of it."""
        origin = self.fields.get(field or "", self.origin)
        return SpecError(cause, hint=hint, origin=origin, entry=self.path)


Item = Node | Group | Repeat


class Input(NamedTuple):
    """One input of the network.

    Attributes:
        name: its tensor's name.
        sizes: its shape, in expressions over the free symbols.
        origins: where each size stands.
    """

    name: str
    sizes: tuple[Expression, ...]
    origins: tuple[Origin, ...]

    def error(self, cause: str, hint: str | None = None, field: str | None = None) -> SpecError:
        """An error that names this input; ``field`` is the number of an axis."""
        origin = self.origins[int(field or 0)]
        entry = "input" if self.name == "input" else f"input.{self.name}"
        return SpecError(cause, hint=hint, origin=origin, entry=entry)


class Graph(NamedTuple):
    """A network whose structure is decided.

    Attributes:
        name: the spec's name.
        variant: the variant's name, or None.
        source: where it is published.
        symbols: what it may depend on.
        values: every symbol's value: the default, or what was set.
        fixed: the symbols that were set; they stand for their numbers.
        inputs: what enters the network.
        items: in an order in which every input comes before its use.
        output: the last tensor.
        sides: what leaves the network before, from its side branches outside of repeats.
        precision: what the spec says of the types of all numbers.
        let: the spec's derived values by name, resolved.
    """

    name: str
    variant: str | None
    source: str | None
    symbols: Mapping[str, Symbol]
    values: Mapping[str, Rational]
    fixed: frozenset[str]
    inputs: tuple[Input, ...]
    items: tuple[Item, ...]
    output: Tensor
    sides: tuple[Tensor, ...] = ()
    precision: Precision = UNSAID
    let: Mapping[str, Value] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"<graph of {self.title}>"

    @property
    def title(self) -> str:
        """The spec's name, and the variant's: ``ResNet (resnet50)``."""
        return f"{self.name} ({self.variant})" if self.variant else self.name

    @property
    def nodes(self) -> Iterator[Node]:
        """Every layer once, in order."""
        return nodes_of(self.items)


def items_in(items: Iterable[Item]) -> Iterator[Item]:
    """Yield some items, and after each group and repeat all that is in it."""
    for item in items:
        yield item
        if not isinstance(item, Node):
            yield from items_in(item.items)


def nodes_of(items: Iterable[Item]) -> Iterator[Node]:
    """Yield every layer of some items once, in order."""
    return (item for item in items_in(items) if isinstance(item, Node))


def has_sides(items: Iterable[Item]) -> bool:
    """Return whether a repeat in some items, at any depth, has side branches in its body."""
    return any(isinstance(item, Repeat) and item.sides for item in items_in(items))


def item_output(item: Item) -> Tensor:
    """Return the tensor that an item makes, of a repeat or group with several the first.

    Of a layer with several outputs it is their common name.
    """
    if isinstance(item, Repeat):
        return item.carried[0].output
    return item.output if isinstance(item, Group) else Tensor(item.path)


def read_in(items: Iterable[Item]) -> Iterator[Tensor]:
    """Yield every tensor that some items take, those that they make themselves included."""
    for item in items_in(items):
        if isinstance(item, Node):
            yield from item.inputs
        elif isinstance(item, Repeat):
            yield from (each.source for each in item.carried)
            if item.chosen_by is not None:
                yield item.chosen_by


def made_in(items: Iterable[Item]) -> Iterator[str]:
    """Yield the names of all producers among some items, and of the inputs of repeats' bodies."""
    for item in items_in(items):
        yield item.path
        if isinstance(item, Repeat):
            yield item.carried[0].entry.producer

"""A spec that is being written: entries whose tensors still have the names of the source."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from archspec.importers.calls import NO_FIELDS, Field, LayerCall


class Named(NamedTuple):
    """A field that names the entry which a tensor leaves.

    Attributes:
        tensor: the tensor.
    """

    tensor: str


class Body(NamedTuple):
    """A list of entries.

    Attributes:
        items: the entries, in order.
        inputs: the tensors that enter; what the first entry takes.
        output: the tensor that leaves it.
    """

    items: tuple["Item", ...]
    inputs: tuple[str, ...]
    output: str


Bodies = Mapping[str, tuple[Body, ...]]

NO_BODIES: Bodies = MappingProxyType({})


class Item(NamedTuple):
    """One entry of the spec: a layer, a composite, or a module that may become a block.

    Attributes:
        kind: a kind, a composite, or the name of a block.
        inputs: the tensors that enter.
        outputs: the tensors that leave; those of a layer with several have a number each.
        fields: its fields, or the arguments of a block.
        bodies: the lists of entries in it, by field; a field may have several.
        runs: for each node of the graph that it expands to, in order, the calls that it stands
            for: one, or one for each iteration of a repeat.
        module: the class of the source that it is, where it is one; empty otherwise.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fields: Mapping[str, Field | Named] = NO_FIELDS
    bodies: Bodies = NO_BODIES
    runs: tuple[tuple[LayerCall, ...], ...] = ()
    module: str = ""

    @property
    def calls(self) -> Iterator[LayerCall]:
        """Every call that it stands for."""
        return (call for run in self.runs for call in run)

    @property
    def parts(self) -> Iterator[Body]:
        """Every list of entries in it."""
        return (body for bodies in self.bodies.values() for body in bodies)

    @property
    def trainable(self) -> bool:
        """Return true where something in it is trained, and where nothing is learned there."""
        learned = [call.trainable for call in self.calls if call.weights]
        return any(learned) or not learned


class Block(NamedTuple):
    """A kind of the spec's own.

    Attributes:
        parameters: name → default; None where it is required.
        body: what it stands for.
    """

    parameters: Mapping[str, Field | None]
    body: Body


class Draft(NamedTuple):
    """A network as entries.

    Attributes:
        body: the entries of the spec.
        blocks: its blocks by name, in the order in which a reader meets them.
        outputs: the tensors that leave it.
        notes: what differs from the source, though it computes the same.
    """

    body: Body
    blocks: Mapping[str, Block]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()


def unnumbered(tensor: str) -> str:
    """Return the call that a tensor leaves: ``chunk`` of ``chunk.1``, ``relu`` of ``relu``.

    Args:
        tensor: the tensor.
    """
    bearer, _, number = tensor.rpartition(".")
    return bearer if bearer and number.isdecimal() else tensor

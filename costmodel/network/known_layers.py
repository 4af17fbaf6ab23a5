"""Layers that are met again in other structures of one spec, where they need not be worked out."""

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

from sympy import Expr

from archspec.expansion import Expanded
from archspec.graph import Node
from archspec.known_blocks import KnownBlocks
from archspec.trees import Measure, Name
from costmodel.rules.base import Requirement, Shape
from costmodel.rules.cost import Parameter

Lookup = Callable[[Name | Measure], Expr]
"""The value of a symbol, or of an axis of a tensor."""

MOST = 16
"""The most layers that are kept of one path; the oldest makes room."""


class Worked(Protocol):
    """The costs of a layer, as far as it is found again by them."""

    @property
    def node(self) -> Node:
        """The layer."""

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """The shapes that enter."""


W = TypeVar("W", bound=Worked)


class KnownLayer(NamedTuple, Generic[W]):
    """A layer, and all that its costs hang on.

    Attributes:
        layer: its costs.
        requirements: what it requires, without the way to it.
        learned: what it learns, shared by another or not.
        read: the symbols and sizes of tensors that were read, each with its value.
    """

    layer: W
    requirements: tuple[Requirement, ...]
    learned: tuple[Parameter, ...]
    read: Mapping[Name | Measure, Expr]


class KnownLayers(Generic[W]):
    """The layers of some structures, found by path.

    They are those of one spec under the same least values of its symbols and the same tokens
    before; `begin` forgets the others.

    Attributes:
        blocks: the calls of the spec's blocks, expanded.
    """

    def __init__(self) -> None:
        self.blocks: KnownBlocks[Expanded] = KnownBlocks()
        self._about: object = None
        self._layers: dict[str, list[KnownLayer[W]]] = {}

    def begin(self, *about: object) -> None:
        """Keep only layers of the same least values and tokens before."""
        if about != self._about:
            self._about = about
            self._layers.clear()

    def find(self, node: Node, inputs: tuple[Shape, ...], lookup: Lookup) -> KnownLayer[W] | None:
        """Return a layer that was the same in all that its costs hang on, if one was met."""
        for known in self._layers.get(node.path, ()):
            same = known.layer.inputs == inputs and known.layer.node == node
            if same and all(lookup(leaf) == value for leaf, value in known.read.items()):
                return known
        return None

    def keep(self, known: KnownLayer[W]) -> None:
        """Keep a layer for other structures."""
        kept = self._layers.setdefault(known.layer.node.path, [])
        kept.insert(0, known)
        del kept[MOST:]

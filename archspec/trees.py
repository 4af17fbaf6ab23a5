"""The nodes of an expression: what the grammar builds, and what names become when resolved.

A tree from the grammar has names and indices. A resolved tree has neither: its leaves are numbers,
truth values, free symbols (`Name`) and sizes of tensors (`Measure`).
"""

from fractions import Fraction
from typing import NamedTuple


class Tensor(NamedTuple):
    """One edge of the graph: output number ``output`` of the node or input called ``producer``.

    Without a number it is all outputs of a node that has several.
    """

    producer: str
    output: int | None = 0


class Number(NamedTuple):
    """An exact literal."""

    value: int | Fraction


class Truth(NamedTuple):
    """``true`` or ``false``."""

    value: bool


class Name(NamedTuple):
    """A name, whatever it will mean; ``position`` counts the characters before it."""

    id: str
    position: int = 0


class Unary(NamedTuple):
    """``-x`` or ``not x``."""

    operator: str
    operand: "Tree"


class Binary(NamedTuple):
    """``+ - * / // % **``, a comparison, ``and`` or ``or``."""

    operator: str
    left: "Tree"
    right: "Tree"


class Index(NamedTuple):
    """``list[index]``, counted from 0, or from the end where negative."""

    items: "Tree"
    at: "Tree"


class Call(NamedTuple):
    """One of the language's functions."""

    function: str
    arguments: tuple["Tree", ...]


class Measure(NamedTuple):
    """The extent of one axis of a tensor; negative axes count from the last."""

    tensor: Tensor
    axis: int


class Whole(NamedTuple):
    """``in_shape`` itself, good only for indexing."""

    tensor: Tensor


Tree = Number | Truth | Name | Unary | Binary | Index | Call | Measure | Whole


class Items(NamedTuple):
    """A list of values."""

    values: tuple["Value", ...]


Value = Tree | Items
"""What a name stands for: a resolved tree, or a list of such."""

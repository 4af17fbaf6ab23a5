"""The nodes of an expression: what the grammar builds, and what names become when resolved.

A tree from the grammar has names and indices. A resolved tree has neither: its leaves are numbers,
truth values, free symbols (`Name`) and sizes of tensors (`Measure`).
"""

from fractions import Fraction
from typing import NamedTuple


class Tensor(NamedTuple):
    """One edge of the graph: what leaves the node or input called ``producer``.

    Where several tensors leave, ``output`` is the number of one, counted from 0.
    """

    producer: str
    output: int | None = None

    @property
    def label(self) -> str:
        """``conv2d_1``, or ``chunk_1.0``."""
        return self.producer if self.output is None else f"{self.producer}.{self.output}"


class Number(NamedTuple):
    """An exact literal; where a unit was written behind it, in base units."""

    value: int | Fraction
    unit: str = ""


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


class Part(NamedTuple):
    """``tensors.name``: one of several tensors; ``tensors.*`` is all of them."""

    of: "Tree"
    name: str


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


Tree = Number | Truth | Name | Unary | Binary | Index | Part | Call | Measure | Whole


class Items(NamedTuple):
    """A list of values."""

    values: tuple["Value", ...]


Value = Tree | Items
"""What a name stands for: a resolved tree, or a list of such."""

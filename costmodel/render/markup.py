"""A format's way to write what stands in a document: a text, code, a closed form, a shape."""

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.analysis.document import (
    NOTHING,
    TEXT,
    Cell,
    ClosedForm,
    Code,
    Column,
    Link,
    Row,
    Shapes,
    Table,
)
from costmodel.rules.base import show_shape

ADDRESS = "/:?=&#%+@,;~!"
"""The signs that stand in an address as they are, beside letters, digits and ``-._``."""


def as_address(text: str) -> str:
    """Return a text as a link's address; bytes of a file's name that are no text stay the same."""
    return quote(text, safe=ADDRESS, errors="surrogateescape")


Shape = tuple[Expr | Rational, ...]


class Markup(NamedTuple):
    """A format's functions for the cells of a document.

    Attributes:
        text: a text as it is, whatever signs are in it.
        code: a text that is typed.
        closed_form: a closed form with its names.
        shape: the shape of a tensor.
        between: what stands between two shapes.
        link: a text and the address that it leads to, where the format has links.
    """

    text: Callable[[str], str]
    code: Callable[[str], str]
    closed_form: Callable[[ClosedForm], str]
    shape: Callable[[Shape], str]
    between: str = ", "
    link: Callable[[str, str], str] | None = None

    def cell(self, cell: Cell, column: Column | None = None) -> str:
        """Return what is written for a value of a column, or beside a label."""
        kind = TEXT if column is None else column.kind
        match cell:
            case None:
                return self.text(NOTHING)
            case Shapes(shapes):
                return self.between.join(map(self.shape, shapes))
            case ClosedForm():
                return self.closed_form(cell)
            case Link() if self.link is not None:
                return self.link(self.text(cell), cell.address)
            case Code():
                return self.code(cell)
            case str():
                return self.text(cell)
        hidden = column is not None and column.hides_zero and not cell
        return self.text(NOTHING if hidden else kind.show(cell))

    def cells(self, table: Table, row: Row) -> list[str]:
        """Return the cells of a line of a table; one that is not there is empty."""
        return [self.cell(row.cells.get(column.name, ""), column) for column in table.shown]


def is_symbolic(shape: Shape) -> bool:
    """Return whether the sizes of a shape are closed forms."""
    return any(isinstance(size, Expr) for size in shape)


def in_plain(shape: Shape) -> str:
    """Return ``1×96×55×55``, or ``[n, 96, h//2]``."""
    if is_symbolic(shape):
        return show_shape(shape)
    return "×".join(map(str, shape))


def labelled(table: Table) -> Iterator[tuple[str, ClosedForm]]:
    """Return the names in a table's closed forms behind the label ``where``."""
    return ((("" if i else "where"), each) for i, each in enumerate(table.where))

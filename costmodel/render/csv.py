"""A document's table as comma-separated values: exact numbers in base units, not grouped."""

import csv
import re
from io import StringIO

from sympy import Expr

from archspec.errors import visible
from costmodel.algebra.printing import text
from costmodel.analysis.document import Cell, ClosedForm, Column, Document, Shapes
from costmodel.render.markup import Shape


def render(document: Document) -> str:
    """Return the document's table as CSV."""
    table = document.table()
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    for row in (*table.rows, *table.totals):
        writer.writerow([_plain(row.cells.get(c.name), c) for c in table.columns])
    return buffer.getvalue()


def _plain(cell: Cell, column: Column) -> str:
    """Return a text, a closed form, or a number in its base unit; nothing where there is none."""
    match cell:
        case None:
            return ""
        case Shapes(shapes):
            return " ".join(map(_shape, shapes))
        case ClosedForm(expression):
            return text(expression)
        case str():
            return escaped(cell)
    return column.kind.plain(cell)


def _shape(shape: Shape) -> str:
    sizes = (text(size) if isinstance(size, Expr) else str(size) for size in shape)
    return "x".join(f"({size})" if " " in size else size for size in sizes)


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[-+]?[0-9]+([./][0-9]+)?([eE][-+]?[0-9]+)?")


def escaped(shown: str) -> str:
    """Return a cell of text that no spreadsheet takes for a formula.

    One that begins as a formula does gets an apostrophe before it, which says text; a number with
    its sign is none. It stays one line (see `visible`).
    """
    text = visible(shown)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text

"""The part of a table for which a terminal has room: no line is wider, and no number is cut.

What gives way, in this order: room between columns, long heads (over two lines), long names and
sentences, and at last whole columns, in the order of ``Column.keep``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from costmodel.analysis.document import Column, Table
from costmodel.render.wrapping import wrapped

USUAL_GAP, NARROW_GAP = 3, 2
"""The spaces between two columns, and those where there is little room."""

SHORTEST = 18
"""The places that a column of texts keeps."""


class Fit(NamedTuple):
    """The columns of a table that are shown.

    Attributes:
        columns: their places in `Table.shown`.
        widths: the places of each.
        gap: the spaces between them.
        needed: the places that all columns of the table take.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    gap: int
    needed: int

    @property
    def width(self) -> int:
        """Return the places that the table takes, a space before it included."""
        return _width(self.widths, self.gap)


def _width(widths: Sequence[int], gap: int) -> int:
    return 1 + sum(widths) + gap * (len(widths) - 1)


def in_full(lines: Sequence[Sequence[str]], room: int) -> Fit:
    """Return all columns of a table, a little nearer to each other where they fit only so."""
    widths = tuple(max(map(cell_len, column)) for column in zip(*lines, strict=True))
    needed = _width(widths, USUAL_GAP)
    is_narrow = _width(widths, NARROW_GAP) <= room < needed
    gap = NARROW_GAP if is_narrow else USUAL_GAP
    return Fit(tuple(range(len(widths))), widths, gap, needed)


def fitted(table: Table, lines: Sequence[Sequence[str]], room: int) -> Fit:
    """Return the columns of a table that fit.

    Args:
        table: it.
        lines: the cells of its shown columns, the head first.
        room: the places that a line has.
    """
    whole = in_full(lines, room)
    if whole.width <= room:
        return whole
    columns = table.shown
    most = [max(map(cell_len, column)) for column in zip(*lines[1:], strict=True)]
    heads = [max(map(cell_len, column.title.split()), default=0) for column in columns]
    most = [max(pair) for pair in zip(most, heads, strict=True)]
    least = list(most)
    for i, column in enumerate(columns):
        if _is_text(table, column):
            least[i] = max(min(most[i], SHORTEST), heads[i])
    kept = list(range(len(columns)))
    while len(kept) > 1 and _width([least[i] for i in kept], NARROW_GAP) > room:
        kept.remove(min(kept[1:], key=lambda i: (columns[i].keep, -i)))
    spare = room - _width([least[i] for i in kept], NARROW_GAP)
    widths = []
    for i in kept:
        more = max(min(spare, most[i] - least[i]), 1 - least[i]) if spare > 0 or not i else 0
        widths.append(least[i] + more)
        spare -= more
    return Fit(tuple(kept), tuple(widths), NARROW_GAP, whole.needed)


def _is_text(table: Table, column: Column) -> bool:
    """Return whether the cells of a column are texts, which may become shorter."""
    cells = (row.cells.get(column.name, "") for row in table.rows)
    return not column.kind.is_right and all(isinstance(cell, str | None) for cell in cells)


def shortened(text: str, width: int) -> str:
    """Return a text in few places: a sentence over several lines, a name without its beginning.

    A name loses whole parts where one of those that are left is long enough: ``…layer4.2.conv3``.
    """
    if cell_len(text) <= width:
        return text
    words = text.split()
    if len(words) > 2 and max(map(cell_len, words)) <= width:
        return "\n".join(wrapped(text, width))
    name = text.lstrip()
    indent = " " * min(len(text) - len(name), width // 2)
    room = width - len(indent) - 1
    ends = [i for i in range(1, len(name)) if cell_len(name[i:]) <= room]
    parts = [i for i in ends if name[i - 1] in "/." and cell_len(name[i:]) >= room // 2]
    return f"{indent}…{name[min(parts or ends, default=len(name)) :]}"

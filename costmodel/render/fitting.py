"""The part of a table for which a terminal has room: no line is wider, and no number is cut.

What gives way, in this order: room between columns, long heads (over two lines), long names and
sentences, and at last whole columns, in the order of ``Column.keep``.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from costmodel.analysis.document import Column, Table
from costmodel.render.wrapping import wrapped

USUAL_GAP, NARROW_GAP = 3, 2
"""The spaces between two columns, and those where there is little room."""

SHORTEST, SHORTEST_PATH = 15, 26
"""The places that a column of texts keeps, and one of paths."""


class FittedColumns(NamedTuple):
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


def in_full(lines: Sequence[Sequence[str]], room: int) -> FittedColumns:
    """Return all columns of a table, a little nearer to each other where they fit only so."""
    widths = tuple(max(map(cell_len, column)) for column in zip(*lines, strict=True))
    needed = _width(widths, USUAL_GAP)
    is_narrow = _width(widths, NARROW_GAP) <= room < needed
    gap = NARROW_GAP if is_narrow else USUAL_GAP
    return FittedColumns(tuple(range(len(widths))), widths, gap, needed)


def fitted(table: Table, lines: Sequence[Sequence[str]], room: int) -> FittedColumns:
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
            has_paths = 2 * sum("/" in line[i] for line in lines) > len(lines)
            least[i] = max(min(most[i], SHORTEST_PATH if has_paths else SHORTEST), heads[i])
    kept = list(range(len(columns)))
    while len(kept) > 1 and _width([least[i] for i in kept], NARROW_GAP) > room:
        kept.remove(min(kept[1:], key=lambda i: (columns[i].keep, -i)))
    spare = room - _width([least[i] for i in kept], NARROW_GAP)
    widths = []
    for i in kept:
        more = max(min(spare, most[i] - least[i]), 1 - least[i]) if spare > 0 or not i else 0
        widths.append(least[i] + more)
        spare -= more
    return FittedColumns(tuple(kept), tuple(widths), NARROW_GAP, whole.needed)


def broken(table: Table, lines: Sequence[Sequence[str]], room: int) -> Iterator[Table]:
    """Yield a table in as many as have room for all of its columns; the first is in each.

    Args:
        table: it.
        lines: the cells of its shown columns, the head first.
        room: the places that a line has.
    """
    first, *others = range(len(table.shown))
    while others:
        ends = [i for i in range(1, len(others)) if not table.shown[others[i]].is_beside]
        for end in (len(others), *reversed(ends)):
            places = [first, *others[:end]]
            page = table._replace(columns=tuple(table.shown[i] for i in places))
            cells = [[line[i] for i in places] for line in lines]
            if len(fitted(page, cells, room).columns) == len(places):
                break
        yield page
        others = others[end:]


def _is_text(table: Table, column: Column) -> bool:
    """Return whether the cells of a column are texts, which may become shorter."""
    cells = (row.cells.get(column.name, "") for row in table.rows)
    return not column.kind.is_right and all(isinstance(cell, str | None) for cell in cells)


def shortened(texts: Sequence[str], width: int) -> list[str]:
    """Return the cells of a column in few places: sentences over lines, names cut from the left.

    A name keeps the end that no other one has, if need be without its middle: ``…layer4.2.conv3``,
    ``…row_3/…/conv2d_1``.
    """
    ends = Counter(end for text in {*texts} for end in _ends(text.strip()))
    return [_shortened(text, width, ends) for text in texts]


def _ends(name: str) -> list[str]:
    """Return a path and what is left of it without its first parts, the shortest last."""
    return [name[each.end() :] for each in re.finditer(r"^|(?<=\w)[/.](?=\w)", name)]


def _shortened(text: str, width: int, ends: Mapping[str, int]) -> str:
    words = text.split()
    if cell_len(text) > width >= max(map(cell_len, words)) and len(words) > 2:
        return "\n".join(wrapped(text, width))
    name = text.lstrip()
    indent = " " * min(len(text) - len(name), width // 2)
    room = width - len(indent)
    forms = (form for form in _forms(name, ends) if cell_len(form) <= room)
    return indent + next(forms, f"…{name[-room + 1 :]}" if room > 1 else "…")


def _forms(name: str, ends: Mapping[str, int]) -> Iterator[str]:
    """Yield a name, then shorter ones that tell it from others, then those without its middle."""
    yield name
    whole, *after = _ends(name)
    own = [end for end in after if ends[end] == 1]
    yield from (f"…{end}" for end in own)
    parts = (own[-1] if own else whole).split("/")
    cut = "…" * bool(own)
    for kept in range(len(parts) - 1, 1, -1):
        first, last = parts[: kept // 2], parts[len(parts) - (kept + 1) // 2 :]
        yield cut + "/".join([*first, "…", *last])

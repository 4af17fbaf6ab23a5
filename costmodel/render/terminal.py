"""A document for the terminal; piped, without colour, and closed forms on one line."""

import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from io import StringIO
from typing import Any, Literal, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from archspec.errors import visible
from costmodel.analysis.document import (
    SHARE,
    Bar,
    Block,
    Cell,
    ClosedForm,
    Document,
    Entries,
    Line,
    Row,
    Shapes,
    Table,
)
from costmodel.render.fitting import NARROW_GAP, FittedColumns, broken, fitted, in_full, shortened
from costmodel.render.markup import Markup, in_plain, labelled
from costmodel.render.wrapping import wrapped

MAX_WIDTH = 10_000
"""More columns than any table needs."""

MARKUP = Markup(str, str, ClosedForm.text, in_plain)

STYLES = {"good": "bold green", "bad": "bold red"}
"""Style of a document → the terminal's, where that has another name."""


def render(document: Document) -> str:
    """Return the document as it looks on this terminal."""
    shown = _drawn(lambda console: _draw(document, console))
    return re.sub(r"\n{3,}", "\n\n", shown).lstrip("\n")


def _draw(document: Document, console: Console) -> None:
    _heading(document, console)
    before: Block | None = None
    for block in document.shown():
        if _is_apart(block, before):
            console.print()
        _draw_block(block, console)
        before = block


def _is_apart(block: Block, before: Block | None) -> bool:
    """Return whether an empty line parts a block from the one before it, or from the title.

    A table that is no list brings its own empty lines.
    """
    match block:
        case Table():
            return block.listed
        case Line():
            return block.style == "bold" or isinstance(before, Entries)
    return not isinstance(before, Line) and not (isinstance(before, Table) and not before.listed)


def _draw_block(block: Block, console: Console) -> None:
    """Draw a part of a document."""
    match block:
        case Table() if block.listed:
            _draw_entries(list(_listed(block)), console)
        case Table():
            _draw_whole(block, console)
            _draw_entries(_names(block), console)
        case Entries():
            sign = "= " if block.are_equations else ""
            shown = (
                ListEntry(label, MARKUP.cell(cell), cell, sign) for label, cell in block.entries
            )
            _draw_entries(shown, console, 0 if block.are_equations else MIN_INDENT)
        case Line(text, style):
            _print(_styled(text, STYLES.get(style, style)), console)


def _heading(document: Document, console: Console) -> None:
    """Draw the title and the source."""
    if document.title:
        _print(_styled(document.title, "bold"), console)
    if document.source:
        _print(_styled(document.source, "dim"), console)


def _print(text: Text, console: Console) -> None:
    """Print a text; a terminal breaks it between words, and nothing else does."""
    if console.is_terminal:
        text.plain = "\n".join(wrapped(text.plain, console.width))
    console.print(text, soft_wrap=True)


class _Console(Console):
    """A console on which no text moves the cursor, breaks a line or turns the others around."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text without commands, as every cell and every line is drawn."""
        return super().render_str(visible(text), **options)


def _styled(text: str, style: str = "") -> Text:
    """Return a text in a style, with what a terminal would obey spelled out (see `visible`)."""
    return Text(visible(text), style=style)


_END = re.compile(r"(?: |\x1b\[[0-9;]*m)+$", re.MULTILINE)
"""The spaces at the end of a line, and the colours among them."""


def _drawn(draw: Callable[[Console], None]) -> str:
    """Return what is drawn on a console like this terminal; one that is none breaks no line."""
    buffer = StringIO()
    terminal = Console()
    console = _Console(
        file=buffer,
        width=terminal.width,
        height=terminal.height,  # without it a dumb terminal takes no width but its own
        color_system=terminal.color_system,  # type: ignore[arg-type]
        force_terminal=terminal.is_terminal,
        highlight=False,
        markup=False,
        emoji=False,
    )
    draw(console)
    return _END.sub(lambda end: end[0].replace(" ", ""), buffer.getvalue())


def _draw_whole(table: Table, console: Console) -> None:
    """Draw a table, of which a terminal shows all columns where none may be left out."""
    breaks = table.breaks and console.is_terminal
    for each in broken(table, _cells(table), console.width) if breaks else (table,):
        _draw_table(each, console)


def _draw_table(table: Table, console: Console) -> None:
    """Draw a table; on a terminal as much of it as fits, with the names of what is left out."""
    lines, width = _cells(table), console.width
    room = width - bool(table.bars) * (PIPED_BAR + NARROW_GAP)
    fit = fitted(table, lines, room) if console.is_terminal else in_full(lines, width)
    grid = _grid(table, lines, fit, _bars(table, fit, console))
    console.width = MAX_WIDTH  # either it fits, or there is no terminal
    console.print(grid)
    console.width = width
    if left_out := [c for i, c in enumerate(table.shown) if i not in fit.columns]:
        names = "; ".join(column.title or column.name for column in left_out)
        note = f"left out: {names} ({fit.needed} columns have room for all, as has | less -S)"
        _print(_styled(note, "dim"), console)
        console.print()


def _cells(table: Table) -> list[list[str]]:
    """Return the head, the rows and the total of a table as texts."""
    lines = [[column.title for column in table.shown]]
    for row in table.rows:
        first, *others = MARKUP.cells(table, row)
        lines.append(["  " * row.level + first, *others])
    lines += [MARKUP.cells(table, total) for total in table.totals]
    return [[visible(cell) for cell in line] for line in lines]


def _grid(table: Table, lines: list[list[str]], fit: FittedColumns, bars: list[Text]) -> Grid:
    """Return what fits of a table as the terminal draws it, with its bars and their head."""
    padding = (0, fit.gap - 1, 0, 0)
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, show_footer=bool(table.totals), padding=padding)
    shown = []
    for i, width in zip(fit.columns, fit.widths, strict=True):
        head, *cells = (line[i] for line in lines)
        shown.append([*map(Text, shortened(cells, width))])
        side: Literal["left", "right"] = "right" if table.shown[i].kind.is_right else "left"
        count = len(table.rows)
        total = Text("\n").join(shown[-1][count:])
        del shown[-1][count:]
        grid.add_column(Text("\n".join(wrapped(head, width))), total, justify=side, no_wrap=True)
    if bars:
        grid.add_column(bars[0], no_wrap=True)
    for row, *cells in zip(table.rows, *shown, *([bars[1:]] if bars else []), strict=True):
        grid.add_row(*cells, style=STYLES.get(row.style, row.style))
    return grid


LEAST_BAR, MAX_BAR, MAX_SHARE = 8, 60, 20
"""The fewest columns of the longest bar, the most, and the most where it is of a share."""

PIPED_BAR = 12
"""The fewest columns of the longest bar where there is no terminal."""

EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
"""The last sign of a bar, by how many eighths of it are filled."""


def _bars(table: Table, fit: FittedColumns, console: Console) -> list[Text]:
    """Return the head of the bars, then a bar or nothing for each row; none if there is no room.

    On a terminal they are of the shares in the last column where a table has none of its own.
    """
    of_shares = console.is_terminal and not table.bars
    bars = _shares(table, fit) if of_shares else [row.bar for row in table.rows]
    rest = console.width - fit.width - fit.gap
    room = min(rest, MAX_SHARE if of_shares else MAX_BAR)
    room = room if console.is_terminal else max(room, PIPED_BAR)
    if room < LEAST_BAR or not any(bars):
        return []
    head = table.bars if len(table.bars) <= rest else table.bars.replace("  ", "\n")
    leaves = zip(bars, table.are_leaves, strict=True)
    return [Text(head), *(_bar(bar, room) if bar and leaf else Text() for bar, leaf in leaves)]


def _shares(table: Table, fit: FittedColumns) -> list[Bar | None]:
    """Return a bar for each share in the last column; the longest is that of the largest."""
    column = table.shown[fit.columns[-1]]
    if column.kind is not SHARE:
        return []
    cells = [row.cells.get(column.name) for row in table.rows]
    parts = [part if isinstance(part, int | Fraction) else 0 for part in cells]
    most = max(part * leaf for part, leaf in zip(parts, table.are_leaves, strict=True))
    return [Bar(part, part, most) if part and most else None for part in parts]


def _bar(bar: Bar, width: int) -> Text:
    """Return a bar of at most some columns; one of too much is red."""
    unit = Fraction(bar.most) / width
    eighths = round(min(bar.own, bar.alive) / unit * 8)
    full = "█" * (eighths // 8) + EIGHTHS[eighths % 8]
    beside = "░" * (round(bar.alive / unit) - len(full))
    return Text(full + beside, "red" if bar.over else "cyan")


class ListEntry(NamedTuple):
    """A label and what it stands for, as a list draws it.

    Attributes:
        label: indented by the groups that it is in.
        shown: what it stands for.
        cell: the value of that; a closed form is broken at its terms where it is too wide.
        sign: what stands before it.
        style: the label's.
    """

    label: str
    shown: str
    cell: Cell = ""
    sign: str = ""
    style: str = "dim"


def _listed(table: Table) -> Iterator[ListEntry]:
    """Return every row with its cells indented below it, then the totals and the names."""
    for row in table.rows:
        yield from _lines(table, row)
    if table.total is not None:
        yield from _totals(table.total)
    for row in table.beside_total:
        yield from _lines(table, row)
    yield from _names(table)


def _names(table: Table) -> Iterator[ListEntry]:
    """Return the names in the closed forms of a table, with what they stand for."""
    for label, form in labelled(table):
        yield ListEntry(f"  {label}", form.text(), form)


def _lines(table: Table, row: Row) -> Iterator[ListEntry]:
    """Return the first two cells of a row beside each other, and the others of something below.

    Closed forms all stand below.
    """
    first, second, *others = table.columns
    indent, style = "  " * row.level, STYLES.get(row.style, "bold")
    cell = row.note or row.cells.get(second.name, "")
    if isinstance(cell, ClosedForm):
        others, cell = [second, *others], ""
    label = indent + MARKUP.cell(row.cells[first.name])
    yield ListEntry(label, MARKUP.cell(cell, second), cell, style=style)
    for column in others:
        cell = row.cells.get(column.name, "")
        if cell and not (isinstance(cell, ClosedForm) and cell.expression == 0):
            yield ListEntry(f"{indent}  {column.name}", MARKUP.cell(cell, column), cell)


def _totals(total: Row) -> Iterator[ListEntry]:
    """Return the totals, the largest of several with what these belong to."""
    label, *others = total.cells.items()
    yield ListEntry(str(label[1]), "", style="bold")
    for name, cell in others:
        yield ListEntry(f"  {name}", MARKUP.cell(cell), cell)
        for owner, part in cell.parts if isinstance(cell, ClosedForm) else ():
            yield ListEntry(f"    of {owner}", part.text(), part)


MIN_INDENT = 20
"""The least column at which the text beside a label begins."""

LONGEST_LABEL = 40
"""The most characters of a label that has something beside it."""


def _draw_entries(listed: Iterable[ListEntry], console: Console, least: int = MIN_INDENT) -> None:
    """Draw what belongs to labels in one column; a label too long for it has a line of its own."""
    listed = [e._replace(label=visible(e.label), shown=visible(e.shown)) for e in listed]
    lengths = (len(each.label) for each in listed if each.shown)
    most = min(LONGEST_LABEL, console.width // 3) if console.is_terminal else LONGEST_LABEL
    indent = max((n + 1 for n in lengths if n <= most), default=0)
    for each in listed:
        _draw_entry(each, max(indent, least), console)


def _draw_entry(entry: ListEntry, indent: int, console: Console) -> None:
    """Draw a label and its value, whose further lines stay in the value's column."""
    label, style, shown = entry.label, entry.style, entry.sign + entry.shown
    if not console.is_terminal:
        begin = (
            f"{label}\n{'':<{indent}}" if shown and len(label) >= indent else f"{label:<{indent}}"
        )
        console.file.write(f"{begin}{shown}\n")
        return
    if len(label) >= indent or not shown:
        console.print(Text(shortened([label], console.width)[0], style), soft_wrap=True)
        label = ""
    if shown:
        grid = Grid.grid()
        grid.add_column(width=indent, style=style)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label), Text(_fitted(entry.cell, shown, console.width - indent)))
        console.print(grid)


def _fitted(cell: Cell, shown: str, room: int) -> str:
    """Return what is shown on as many lines as it needs."""
    return "\n".join(wrapped(shown, room, is_form=isinstance(cell, ClosedForm | Shapes)))

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
    Bar,
    Block,
    Cell,
    ClosedForm,
    Document,
    Entries,
    Line,
    Row,
    Table,
)
from costmodel.render.markup import Markup, in_plain, labelled

MAX_WIDTH = 10_000
"""More columns than any table needs."""

NARROW = (0, 1, 0, 0)
"""The room around the cells of a table that fits a terminal only so."""

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
    for block in document.blocks():
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
            _print_whole(_grid(block, _room(block, console) if block.bars else 0), console)
        case Entries():
            sign = "= " if block.are_equations else ""
            shown = (
                ListEntry(label, MARKUP.cell(cell), cell, sign) for label, cell in block.entries
            )
            _draw_entries(shown, console, 0 if block.are_equations else MIN_INDENT)
        case Line(text, style):
            console.print(
                _styled(text, STYLES.get(style, style)), soft_wrap=not console.is_terminal
            )


def _heading(document: Document, console: Console) -> None:
    """Draw the title and the source."""
    if document.title:
        console.print(_styled(document.title, "bold"), soft_wrap=True)
    if document.source:
        console.print(_styled(document.source, "dim"))


class _Console(Console):
    """A console on which no text moves the cursor, breaks a line or turns the others around."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text without commands, as every cell and every line is drawn."""
        return super().render_str(visible(text), **options)


def _styled(text: str, style: str = "") -> Text:
    """Return a text in a style, with what a terminal would obey spelled out (see `visible`)."""
    return Text(visible(text), style=style)


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
    return "\n".join(line.rstrip() for line in buffer.getvalue().split("\n"))


def _grid(table: Table, room: int = 0) -> Grid:
    """Return a table as the terminal draws it, its bars in some columns of room."""
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, show_footer=table.total is not None)
    columns = table.shown
    totals = MARKUP.cells(table, table.total) if table.total else [""] * len(columns)
    for column, total in zip(columns, totals, strict=True):
        side: Literal["left", "right"] = "right" if column.kind.is_right else "left"
        grid.add_column(column.title, total, justify=side, no_wrap=True)
    if room:
        grid.add_column(table.bars, no_wrap=True)
    for row in table.rows:
        first, *others = MARKUP.cells(table, row)
        bar = [_bar(row.bar, room)] if room and row.bar else []
        style = STYLES.get(row.style, row.style)
        grid.add_row("  " * row.level + first, *others, *bar, style=style)
    return grid


def _room(table: Table, console: Console) -> int:
    """Return the columns that the longest bar takes beside the cells of a table."""
    rest = console.width - console.measure(_grid(table)).maximum
    return min(max(rest - 2, MIN_BAR), MAX_BAR)


MIN_BAR, MAX_BAR = 12, 60
"""The fewest and the most columns of the longest bar."""

EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
"""The last sign of a bar, by how many eighths of it are filled."""


def _bar(bar: Bar, width: int) -> Text:
    """Return a bar of at most some columns; one of too much is red."""
    unit = Fraction(bar.most, width)
    eighths = round(min(bar.own, bar.alive) / unit * 8)
    full = "█" * (eighths // 8) + EIGHTHS[eighths % 8]
    beside = "░" * (round(bar.alive / unit) - len(full))
    own, other = ("red", "red") if bar.over else ("blue", "cyan")
    return Text.assemble((full, own), (beside, other))


def _print_whole(grid: Grid, console: Console) -> None:
    """Draw a table of which no cell is cut: where the terminal is too narrow, it breaks lines.

    One that just does not fit has less room between its columns.
    """
    width, usual = console.width, grid.padding
    console.width = MAX_WIDTH
    if console.measure(grid).maximum > width + 1:  # the last sign is a space
        grid.padding = NARROW
        grid.padding = NARROW if console.measure(grid).maximum <= width + 1 else usual
    console.width = max(width, console.measure(grid).maximum)
    console.print(grid)
    console.width = width


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
    for label, form in labelled(table):
        yield ListEntry(f"  {label}", form.text())


def _lines(table: Table, row: Row) -> Iterator[ListEntry]:
    """Return the first two cells of a row beside each other, and the others of something below."""
    first, second, *others = table.columns
    indent, style = "  " * row.level, STYLES.get(row.style, "bold")
    head = row.note or MARKUP.cell(row.cells.get(second.name, ""), second)
    yield ListEntry(indent + MARKUP.cell(row.cells[first.name]), head, style=style)
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
    indent = max((n + 1 for n in lengths if n <= LONGEST_LABEL), default=0)
    for each in listed:
        _draw_entry(each, max(indent, least), console)


def _draw_entry(entry: ListEntry, indent: int, console: Console) -> None:
    """Draw a label and what it stands for, which stays in its column where a terminal breaks it."""
    label, style, shown = entry.label, entry.style, entry.sign + entry.shown
    if not console.is_terminal:
        begin = (
            f"{label}\n{'':<{indent}}" if shown and len(label) >= indent else f"{label:<{indent}}"
        )
        console.file.write(f"{begin}{shown}\n")
        return
    if len(label) >= indent or not shown:
        console.print(Text(label, style), soft_wrap=True)
        label = ""
    if shown:
        grid = Grid.grid()
        grid.add_column(width=indent, style=style)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label), Text(_fitted(entry.cell, shown, console.width - indent)))
        console.print(grid)


def _fitted(cell: Cell, shown: str, room: int) -> str:
    """Return what is shown, by its terms where there is no room for it on a line."""
    terms = cell.terms() if isinstance(cell, ClosedForm) and len(shown) > room else ()
    return "\n".join(terms) if len(terms) > 1 else shown

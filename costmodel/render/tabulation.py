"""A table of networks for the terminal, and in the markups of documents."""

import csv as values
from collections.abc import Callable, Iterable
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from costmodel.algebra.printing import Latex, PythonText, text
from costmodel.analysis.document import VERSION, plain_number
from costmodel.render import csv, latex, markdown, rst
from costmodel.render.json import dumped
from costmodel.render.terminal import drawn, entries, print_whole, styled
from costmodel.studies.tabulation import Column, Row, Tabulation, notes

Renderer = Callable[[Tabulation], str]


def _cells(table: Tabulation, show: Callable[[Column, Row], str]) -> list[list[str]]:
    return [[show(column, row) for column in table.columns] for row in table.rows]


def _plain(column: Column, row: Row) -> str:
    """A name, a grouped number, or a law."""
    law = row.laws.get(column.name)
    return column.text(row.values[column.name], grouped=True) if law is None else PythonText()(law)


def _is_right(table: Tabulation, column: Column) -> bool:
    """Whether a column's cells stand at its right: numbers do, laws do not."""
    return column.is_number and not (table.symbolic and column.metric)


def _terminal(table: Tabulation) -> str:
    return drawn(lambda console: _draw(table, console))


def _draw(table: Tabulation, console: Console) -> None:
    if table.choice.caption:
        console.print(styled(table.choice.caption, "bold"))
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        side = "right" if _is_right(table, column) else "left"
        shown.add_column(column.title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for cells in _cells(table, _plain):
        shown.add_row(*cells)
    print_whole(shown, console)
    entries(notes(table), console)


def _markdown(table: Tabulation) -> str:
    def cell(column: Column, row: Row) -> str:
        shown = _plain(column, row)
        return markdown.code(shown) if column.name in row.laws else markdown.escaped(shown)

    heads = [markdown.escaped(column.title) for column in table.columns]
    right = [_is_right(table, column) for column in table.columns]
    lines = [f"**{markdown.escaped(table.choice.caption)}**", ""] if table.choice.caption else []
    lines += _aligned([heads, *_cells(table, cell)], right)
    lines += ["", *markdown.listed(notes(table))]
    return "\n".join(lines) + "\n"


def _aligned(rows: list[list[str]], right: list[bool]) -> list[str]:
    """Rows of cells, the head first, as lines of Markdown whose columns stand below each other."""
    widths = _widths(rows, cell_len, least=4)
    dashes = [
        f"{'-' * (width - 1)}{':' if r else '-'}" for width, r in zip(widths, right, strict=True)
    ]
    return [
        markdown.line_of(_padded(cells, widths, right, cell_len))
        for cells in (rows[0], dashes, *rows[1:])
    ]


Measure = Callable[[str], int]
"""A text → how many places of a line it takes, as the reader of a table counts them."""


def _widths(rows: list[list[str]], measure: Measure, least: int) -> list[int]:
    return [max(least, *map(measure, column)) for column in zip(*rows, strict=True)]


def _padded(
    cells: Iterable[str], widths: list[int], right: list[bool], measure: Measure
) -> list[str]:
    return [
        " " * (width - measure(cell)) + cell if at_right else cell + " " * (width - measure(cell))
        for cell, width, at_right in zip(cells, widths, right, strict=True)
    ]


def _latex(table: Tabulation) -> str:
    def cell(column: Column, row: Row) -> str:
        law = row.laws.get(column.name)
        return latex.escaped(_plain(column, row)) if law is None else f"${Latex()(law)}$"

    caption = table.choice.caption
    align = "".join("r" if _is_right(table, column) else "l" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{latex.escaped(caption)}}}"] if caption else []),
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        latex.line_of([latex.escaped(column.title) for column in table.columns]),
        r"\midrule",
        *map(latex.line_of, _cells(table, cell)),
        r"\bottomrule",
        r"\end{tabular}",
        "",
        *(rf"{latex.escaped(label)}: {latex.escaped(note)}\par" for label, note in notes(table)),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _rst(table: Tabulation) -> str:
    """A grid table of reStructuredText, with its notes as a field list."""

    def cell(column: Column, row: Row) -> str:
        shown = _plain(column, row)
        return f"``{shown}``" if column.name in row.laws else rst.escaped(shown)

    heads = [rst.escaped(column.title) for column in table.columns]
    right = [_is_right(table, column) for column in table.columns]
    lines = rst.grid([heads, *_cells(table, cell)], right)
    if table.choice.caption:
        title = f".. table:: {rst.escaped(table.choice.caption)}"
        lines = [title, "", *(f"   {line}" for line in lines)]
    lines += ["", *(f":{rst.escaped(label)}: {rst.escaped(note)}" for label, note in notes(table))]
    return "\n".join(lines) + "\n"


def _csv(table: Tabulation) -> str:
    """Numbers as they are, not grouped; every line names the convention that it follows."""

    def cell(column: Column, row: Row) -> str:
        law = row.laws.get(column.name)
        shown = column.text(row.values[column.name], grouped=False) if law is None else text(law)
        return shown if column.is_number else csv.escaped(shown)

    buffer = StringIO()
    writer = values.writer(buffer, lineterminator="\n")
    heads = [c.name + (f" ({c.unit.name})" if c.unit else "") for c in table.columns]
    writer.writerow([*heads, "convention"])
    writer.writerows([*cells, table.said.convention] for cells in _cells(table, cell))
    return buffer.getvalue()


def _json(table: Tabulation) -> str:
    """Exact numbers in base units, whatever unit a table would show; a law beside its value."""

    def quantity(column: Column, row: Row) -> Any:
        value, law = row.values[column.name], row.laws.get(column.name)
        number = value if isinstance(value, str | None) else plain_number(value)
        return number if law is None else {"expr": text(law), "value": number}

    document = {
        "archcost": VERSION,
        "caption": table.choice.caption,
        "convention": table.said.convention,
        "networks": [{c.name: quantity(c, row) for c in table.columns} for row in table.rows],
        "notes": [{"label": label, "note": note} for label, note in notes(table)],
    }
    return dumped(document)


FORMATS: dict[str, Renderer] = {
    "table": _terminal,
    "markdown": _markdown,
    "latex": _latex,
    "rst": _rst,
    "csv": _csv,
    "json": _json,
}
"""Format → what renders it."""

"""A report as a Markdown table with its notes."""

import re
from collections.abc import Callable, Iterable
from itertools import chain, repeat

from archspec.errors import visible
from costmodel.algebra.naming import Naming
from costmodel.algebra.printing import PythonText
from costmodel.render.scenario import Note
from costmodel.render.table import notes
from costmodel.rules.base import show_shape
from costmodel.studies.report import NOTHING, Report, Row


def render(report: Report, facts: Iterable[Note] = ()) -> str:
    """The report as GitHub's Markdown, with further facts; numbers to the right, laws as code."""
    titles, naming = [escaped(m.title) for m in report.columns], report.naming(report.columns)
    lines = [f"**{escaped(report.title)}**", ""]
    lines.append(line_of(["layer", "output shape", *titles]))
    align = "---" if report.symbolic else "---:"
    lines.append(line_of(["---", "---", *[align] * len(titles)]))
    lines += [
        line_of([_label(report, row), _shape(report, row), *_counts(report, row, naming)])
        for row in report.rows
    ]
    printer = PythonText(naming.names)
    totals = [_cell(report, report.show_total(metric, printer)) for metric in report.columns]
    lines.append(line_of(["**total**", "", *(f"**{total}**" for total in totals)]))
    lines.append("")
    where = zip(chain(["where"], repeat("")), naming.definitions(), strict=False)
    lines += listed(((label, " = ".join(each)) for label, each in where), show=code)
    lines += listed((*facts, *notes(report)))
    return "\n".join(lines) + "\n"


def _label(report: Report, row: Row) -> str:
    """The name, a group's in bold, indented by a sign that Markdown keeps."""
    name = _OF_NAMES.sub(r"\\\g<0>", report.label(row).strip())
    return "&emsp;" * row.level + (f"**{name}**" if row.is_group else name)


def line_of(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def _counts(report: Report, row: Row, naming: Naming) -> list[str]:
    return [_cell(report, report.row_text(row, metric, naming)) for metric in report.columns]


def _cell(report: Report, shown: str) -> str:
    return code(shown) if report.symbolic and shown != NOTHING else shown


def _shape(report: Report, row: Row) -> str:
    if report.symbolic:
        return ", ".join(f"`{show_shape(shape)}`" for shape in row.shapes)
    return report.dimensions(row)


def code(shown: str) -> str:
    """Return a text as code within a table, behind more backquotes than stand in it."""
    shown = visible(shown).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " * (len(fence) > 1)
    return f"{fence}{space}{shown}{space}{fence}"


_OF_NAMES = re.compile(r"\*|(?<!\w)_|_(?!\w)")
"""What of a layer's name, which is letters, digits, - and _, Markdown would take for its own."""

_OWN = re.compile(r"[\\|*_<>`\[\]&$]|~(?=\S)")


_BEGINS_ITEM = re.compile(r"^([0-9]{1,9})([.)])(?=\s|$)")
_BEGINS_BLOCK = re.compile(r"^(?:[-+](?=\s|$)|[-=](?=[-=\s]*$)|#(?=#{0,5}(?:\s|$)))")
"""What at the beginning of a line makes an item, a rule, an underline or a heading of it."""

_EDGE = re.compile(r"^\s|\s$")
"""A space that indents a line, so that a block begins behind it, or parts a text from its stars."""


def escaped(shown: str) -> str:
    """Return a text that stands in a line of Markdown as it is: no markup, no HTML, no formula.

    Backslashes stand before the signs that GitHub's Markdown takes for its own, and it stays one
    line (see `visible`).
    """
    text = _OWN.sub(r"\\\g<0>", visible(shown))
    text = _EDGE.sub(lambda space: f"&#{ord(space.group())};", text)
    return _BEGINS_BLOCK.sub(r"\\\g<0>", _BEGINS_ITEM.sub(r"\1\\\2", text))


def listed(notes: Iterable[Note], *, show: Callable[[str], str] = escaped) -> list[str]:
    """A list; what has no label of its own belongs to the item before it."""
    return [
        f"- {escaped(label)}: {show(note)}" if label else f"  - {show(note)}"
        for label, note in notes
    ]

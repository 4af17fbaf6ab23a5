"""A report as comma-separated values: one line per layer, then the total."""

import csv
import re
from io import StringIO

from sympy import Expr

from archspec.errors import visible
from costmodel.algebra.functions import Quantity
from costmodel.algebra.printing import text
from costmodel.rules.base import Shape
from costmodel.studies.report import Report, Row


def render(report: Report) -> str:
    """The report as CSV; every line names the convention that its numbers follow."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = [metric.name for metric in report.columns]
    writer.writerow(["layer", "kind", "output_shape", *columns, "convention"])
    convention = report.analysis.convention.name
    for row in report.leaves:
        counts = [_plain(report, row, name) for name in columns]
        writer.writerow([escaped(row.path), row.kind, _shapes(report, row), *counts, convention])
    totals = [_total(report, name) for name in columns]
    writer.writerow(["total", "", "", *totals, convention])
    return buffer.getvalue()


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[-+]?[0-9]+([./][0-9]+)?([eE][-+]?[0-9]+)?")


def escaped(shown: str) -> str:
    """Return a cell of text that no spreadsheet takes for a formula.

    One that begins as a formula does gets an apostrophe before it, which says text; a number with
    its sign is none. It stays one line (see `visible`).
    """
    text = visible(shown)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _plain(report: Report, row: Row, name: str) -> str:
    return _shown(report, row.counts.get(name))


def _total(report: Report, name: str) -> str:
    return _shown(report, report.total_if_any(name))


def _shown(report: Report, expression: Expr | None) -> str:
    """A law, a count, or a quantity in its base unit as a decimal; nothing where there is none."""
    if expression is None:
        return ""
    if report.symbolic:
        return text(expression)
    number = report.number(expression)
    return str(float(number) if isinstance(expression, Quantity) else number)


def _shapes(report: Report, row: Row) -> str:
    return " ".join(_shape(report, shape) for shape in row.shapes)


def _shape(report: Report, shape: Shape) -> str:
    sizes = (text(s) if report.symbolic else str(report.number(s)) for s in shape)
    return "x".join(f"({size})" if " " in size else size for size in sizes)

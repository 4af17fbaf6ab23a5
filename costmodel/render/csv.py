"""A report as comma-separated values: one line per layer, then the total."""

import csv
from io import StringIO

from sympy import Expr

from costmodel.algebra.functions import Quantity
from costmodel.algebra.printing import text
from costmodel.report import Report, Row
from costmodel.rules.base import Shape


def render(report: Report) -> str:
    """The report as CSV; every line names the convention that its numbers follow."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = [metric.name for metric in report.columns]
    writer.writerow(["layer", "kind", "output_shape", *columns, "convention"])
    convention = report.analysis.convention.name
    for row in report.leaves:
        counts = [_plain(report, row, name) for name in columns]
        writer.writerow([row.path, row.kind, _shapes(report, row), *counts, convention])
    totals = [_total(report, name) for name in columns]
    writer.writerow(["total", "", "", *totals, convention])
    return buffer.getvalue()


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

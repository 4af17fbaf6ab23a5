"""A report as a Markdown table with its notes."""

from costmodel.algebra.printing import text
from costmodel.render.table import notes
from costmodel.report import Report, Row


def render(report: Report) -> str:
    """The report as GitHub's Markdown; numbers are right-aligned, laws are code."""
    titles = [metric.title for metric in report.columns]
    lines = [f"**{_escaped(report.title)}**", ""]
    lines.append(_line(["layer", "output shape", *titles]))
    align = "---" if report.symbolic else "---:"
    lines.append(_line(["---", "---", *[align] * len(titles)]))
    lines += [_line([row.path, _shape(report, row), *_counts(report, row)]) for row in report.rows]
    totals = [_cell(report, report.show_total(metric)) for metric in report.columns]
    lines.append(_line(["**total**", "", *(f"**{total}**" for total in totals)]))
    lines.append("")
    lines += [f"- {label}: {_escaped(note)}" for label, note in notes(report)]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _counts(report: Report, row: Row) -> list[str]:
    return [_cell(report, report.show(row.counts[metric.name])) for metric in report.columns]


def _cell(report: Report, shown: str) -> str:
    return f"`{shown}`" if report.symbolic else shown


def _shape(report: Report, row: Row) -> str:
    if report.symbolic:
        return "`[" + ", ".join(map(text, row.shape)) + "]`"
    return "×".join(str(report.number(size)) for size in row.shape)


def _escaped(shown: str) -> str:
    """Text whose signs Markdown would take for its own."""
    for sign in "\\|*_<>`":
        shown = shown.replace(sign, f"\\{sign}")
    return shown

"""A report as a LaTeX table (booktabs) with its notes."""

from archspec.errors import visible
from costmodel.algebra.naming import Naming
from costmodel.algebra.printing import Latex
from costmodel.render.table import notes
from costmodel.rules.base import Shape
from costmodel.studies.report import NOTHING, Report, Row

_SPECIAL = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind the end of a row they would be its options
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def render(report: Report) -> str:
    """The report as a ``table`` environment; it needs the package booktabs."""
    titles = [escaped(metric.title) for metric in report.columns]
    naming = report.naming(report.columns)
    show, where = Latex(naming.names), naming.definitions(Latex)
    align = "l" if report.symbolic else "r"
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(report.title)}}}",
        rf"\begin{{tabular}}{{ll{align * len(titles)}}}",
        r"\toprule",
        line_of(["layer", "output shape", *titles]),
        r"\midrule",
        *(_row(report, row, naming) for row in report.rows),
        r"\midrule",
        line_of(
            ["total", "", *(_cell(report, report.show_total(m, show)) for m in report.columns)]
        ),
        r"\bottomrule",
        r"\end{tabular}",
        "",
        *(rf"where ${name} = {shown}$\par" for name, shown in where),
        *(rf"{escaped(label)}: {escaped(note)}\par" for label, note in notes(report)),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def line_of(cells: list[str]) -> str:
    """A row of a table."""
    return " & ".join(cells) + r" \\"


def _row(report: Report, row: Row, naming: Naming) -> str:
    counts = [_cell(report, report.row_text(row, m, naming, Latex)) for m in report.columns]
    shapes = ", ".join(_shape(report, shape) for shape in row.shapes)
    indent = rf"\hspace{{{row.level}em}}" if row.level else ""
    return line_of([indent + escaped(report.label(row).strip()), shapes, *counts])


def _shape(report: Report, shape: Shape) -> str:
    sizes = (Latex()(s) if report.symbolic else str(report.number(s)) for s in shape)
    factors = (rf"\left({s}\right)" if "+" in s or "-" in s else s for s in sizes)
    return "$" + r" \times ".join(factors) + "$"


def _cell(report: Report, shown: str) -> str:
    return f"${shown}$" if report.symbolic and shown != NOTHING else escaped(shown)


def escaped(shown: str) -> str:
    """Return a text that LaTeX prints as it is; our signs beyond ASCII are written as commands.

    No sign of it begins a command, a comment, a group, a formula or an option, and it stays one
    line (see `visible`).
    """
    plain = "".join(_SPECIAL.get(sign, sign) for sign in visible(shown))
    for sign, command in (
        ("·", r"$\cdot$"),
        ("×", r"$\times$"),
        ("−", "$-$"),
        ("–", "--"),
        ("µ", r"$\mu$"),
    ):
        plain = plain.replace(sign, command)
    return plain

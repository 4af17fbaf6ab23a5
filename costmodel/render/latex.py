"""A document as a LaTeX table (booktabs) with its notes."""

from collections.abc import Iterator
from re import findall
from typing import ClassVar

from sympy import Expr

from archspec.errors import visible
from costmodel.algebra.functions import Maximum, Minimum, RoundTo
from costmodel.algebra.printing import Latex, Shown
from costmodel.analysis.document import Cell, ClosedForm, Document, Entries, Line, Table
from costmodel.render.markup import Markup, Shape

_NAMED = """
α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu
ξ xi π pi ρ rho σ sigma τ tau φ varphi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi
Π Pi Σ Sigma Φ Phi Ψ Psi Ω Omega µ mu · cdot × times → rightarrow ∂ partial ∘ circ √ surd ≈ approx
≤ le ≥ ge ≠ ne ∞ infty ⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil • bullet
"""
"""Signs, each with the command of a formula that prints it."""

_IN_MATH = {
    **{sign: f"\\{name}" for sign, name in findall(r"(\S) (\S+)", _NAMED)},
    **{sign: f"^{i}" for i, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{sign: f"_{i}" for i, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    "ᵀ": r"^\top",
    "ₖ": "_k",
    "₋": "_-",
    "−": "-",
}
"""Sign → what it is in a formula."""

_SPECIAL = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind the end of a row they would be its options
    **{sign: f"${command}$" for sign, command in _IN_MATH.items()},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "…": r"\ldots{}",
}
"""Sign → what prints it; every one of ours beyond ASCII is among them."""


class Inline(Latex):
    """Closed forms within a line of text: it breaks between terms, and never within a call."""

    times = r"\,"
    names: ClassVar[dict[type, str]] = {**Latex.names, RoundTo: r"\mathrm{round\_to}"}
    brackets: ClassVar[dict[str, tuple[str, str]]] = {
        "floor": (r"{\lfloor", r"\rfloor}"),
        "ceil": (r"{\lceil", r"\rceil}"),
    }

    def parenthesized(self, shown: str) -> str:
        """Return a text in parentheses, between which a line may break."""
        return f"({shown})"

    def call(self, expression: Expr) -> Shown:
        r"""``\max(a,\allowbreak b)``; of others no part of a line begins with an argument."""
        shown, level = super().call(expression)
        is_list = isinstance(expression, Maximum | Minimum)
        return shown.replace(", ", r",\allowbreak ") if is_list else f"{{{shown}}}", level


def render(document: Document) -> str:
    """Return the document as a ``table`` environment; it needs the package booktabs.

    Of closed forms it shows the totals and the names in them, which fit a column of a paper.
    """
    lines = [r"\begin{table}", r"\centering"]
    lines += [rf"\caption{{{escaped(document.title)}}}"] if document.title else []
    notes: list[str] = []
    for block in document.shown(lists=False):
        match block:
            case Table() if block.listed and not block.total:
                notes += _list(block)
            case Table():
                lines += [*_below(notes), *(_totals(block) if block.listed else _table(block))]
                notes = []
            case Entries():
                notes += _entries(block)
            case Line(text):
                notes.append(rf"{MARKUP.cell(text)}\par")
    return "\n".join([*lines, *_below(notes), r"\end{table}"]) + "\n"


def _below(notes: list[str]) -> list[str]:
    """Return what stands below a table, at the left and small."""
    return [r"\par\smallskip{\raggedright\footnotesize", *notes, "}"] if notes else []


def _table(table: Table) -> Iterator[str]:
    """Return the lines of a table, then the names in it."""
    columns = table.shown
    align = "".join("r" if column.kind.is_right else "l" for column in columns)
    yield rf"\begin{{tabular}}{{{align}}}"
    yield r"\toprule"
    yield line_of([escaped(column.title) for column in columns])
    yield r"\midrule"
    for row in table.rows:
        first, *others = MARKUP.cells(table, row)
        yield line_of([(rf"\hspace{{{row.level}em}}" if row.level else "") + first, *others])
    if table.total is not None:
        yield r"\midrule"
        yield line_of(MARKUP.cells(table, table.total))
    yield from (r"\bottomrule", r"\end{tabular}")


def _totals(table: Table) -> Iterator[str]:
    """Return the totals of a table as a table that is as wide as a column, then the names in it."""
    assert table.total is not None
    label, *totals = table.total.cells.items()
    titles = {column.name: column.title for column in table.columns}
    yield r"{\small\setlength{\tabcolsep}{3pt}"
    yield r"\begin{tabular}{@{}p{0.27\linewidth}p{0.69\linewidth}@{}}"
    yield r"\toprule"
    yield rf"{MARKUP.cell(label[1])} & \\"
    yield r"\midrule"
    yield from (_equation(titles.get(name, name), cell) for name, cell in totals)
    yield from [r"\midrule"] if table.where else []
    yield from (_equation("" if i else "where", form) for i, form in enumerate(table.where))
    yield from (r"\bottomrule", r"\end{tabular}}")


def _equation(label: str, cell: Cell) -> str:
    """Return a line of a label and a closed form, of which each breaks where it may."""
    shown = escaped(label).replace(r"\_", r"\_\allowbreak ")
    return rf"\raggedright {shown} & \raggedright {MARKUP.cell(cell)} \tabularnewline[2pt]"


def _list(table: Table) -> Iterator[str]:
    """Return each row with its cells below it."""
    for row in table.rows:
        indent = rf"\hspace*{{{row.level}em}}" * bool(row.level)
        for i, (column, cell) in enumerate(zip(table.shown, MARKUP.cells(table, row), strict=True)):
            if cell:
                label = "" if i < 1 else rf"\hspace*{{1em}}{escaped(column.title)}: "
                yield rf"{indent}{label}{cell}\par"


def line_of(cells: list[str]) -> str:
    """Return a row of a table."""
    return " & ".join(cells) + r" \\"


def _entries(block: Entries) -> Iterator[str]:
    sign = " = " if block.are_equations else ": "
    for label, cell in block.entries:
        shown = MARKUP.cell(cell)
        broken = shown if isinstance(cell, ClosedForm) else shown.replace("/", r"/\allowbreak{}")
        yield rf"{escaped(label.strip()) + sign if label else ''}{broken}\par"


def _shape(shape: Shape) -> str:
    sizes = (Inline()(size) if isinstance(size, Expr) else str(size) for size in shape)
    factors = (f"({size})" if "+" in size or "-" in size else size for size in sizes)
    return "$" + r" \times ".join(factors) + "$"


def _closed_form(form: ClosedForm) -> str:
    return f"${form.text(Inline)}$"


def escaped(shown: str) -> str:
    """Return a text that LaTeX prints as it is; our signs beyond ASCII are written as commands.

    No sign of it begins a command, a comment, a group, a formula or an option, and it stays one
    line (see `visible`).
    """
    return "".join(_SPECIAL.get(sign, sign) for sign in visible(shown))


MARKUP = Markup(escaped, escaped, _closed_form, _shape)

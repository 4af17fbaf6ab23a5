"""A document as a LaTeX table (booktabs) with its notes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from re import findall
from typing import ClassVar, NamedTuple

from sympy import Expr

from archspec.errors import visible
from costmodel.algebra.functions import Maximum, Minimum, RoundTo
from costmodel.algebra.printing import Latex, Printed
from costmodel.analysis.document import (
    Block,
    Cell,
    ClosedForm,
    Column,
    Document,
    Entries,
    Equation,
    Line,
    Row,
    Table,
)
from costmodel.render.latex_widths import FittedTable, fitted
from costmodel.render.markup import Markup, Shape, as_address

_NAMED = """
α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu
ξ xi π pi ρ rho σ sigma τ tau φ varphi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi
Π Pi Σ Sigma Φ Phi Ψ Psi Ω Omega µ mu · cdot × times → rightarrow ∂ partial ∘ circ √ surd ≈ approx
≤ le ≥ ge ≠ ne ∞ infty ⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil • bullet ‖ Vert ∫ int
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

_IN_ASCII = str.maketrans(
    dict(findall(r"(\S) (\S+)", _NAMED))
    | {sign: f"^{i}" for i, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    | {sign: f"_{i}" for i, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}
    | dict.fromkeys("█▉▊▋▌▍▎▏", "#")
    | dict.fromkeys("─━–−", "-")
    | {"·": "*", "×": "x", "→": "->", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "µ": "u"}
    | {"⌊": "floor(", "⌈": "ceil(", "⌋": ")", "⌉": ")", "√": "sqrt", "∞": "inf", "•": "*"}
    | {"ᵀ": "^T", "ₖ": "_k", "₋": "_-", "…": "...", "░": ".", "│": "|", "∘": "o", "‖": "||"}
)
"""Sign → its spelling where nothing but the signs of a keyboard can be printed."""

_SPECIAL = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind the end of a row they would be its options
    **{sign: f"${command}$" for sign, command in _IN_MATH.items()},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **dict.fromkeys("–─━", "--"),
    "│": r"\textbar{}",
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

    def call(self, expression: Expr) -> Printed:
        r"""``\max(a,\allowbreak b)``; of others no part of a line begins with an argument."""
        shown, level = super().call(expression)
        is_list = isinstance(expression, Maximum | Minimum)
        return shown.replace(", ", r",\allowbreak ") if is_list else f"{{{shown}}}", level


WIDEST_FORM = 30
"""The most characters of a closed form beside other columns; longer ones stand below each other."""


def render(document: Document) -> str:
    """Return the document as a float, or as paragraphs where it has no table; it needs booktabs.

    Of closed forms it shows the totals and the names in them, which fit a column of a paper.
    """
    blocks = list(document.shown(lists=False))
    if not any(isinstance(block, Table) and (block.total or not block.listed) for block in blocks):
        return _paragraphs(document, blocks)
    frame = document.frame
    label = rf"\label{{{frame.label}}}" * bool(frame.label)
    caption = rf"\caption{{{escaped(document.title)}}}{label}" if document.title else ""
    lines, notes = list[str](), list[str]()
    if frame.environment == "table":
        lines = [r"\begin{table}", r"\centering", *([caption] if caption else [])]
    for block in blocks:
        if isinstance(block, Table) and (block.total or not block.listed):
            place = _Environment(frame.environment, caption)
            lines += [*_below(notes), *_set(block, place)]
            notes, caption = [], ""
        else:
            notes += _paragraph(block)
    end = [r"\end{table}"] * (frame.environment == "table")
    return "\n".join([*lines, *_below(notes), *end]) + "\n"


def _paragraphs(document: Document, blocks: list[Block]) -> str:
    """Return a document without a table: paragraphs, which go on over pages as a text does."""
    title = [Line(document.title, "bold")] if document.title else []
    lines = (line for block in (*title, *blocks) for line in _paragraph(block))
    return "\n".join([r"{\raggedright\setlength{\parindent}{0pt}", *lines, "}"]) + "\n"


def _paragraph(block: Block) -> Iterator[str]:
    match block:
        case Table():
            yield from _list(block)
        case Entries():
            yield from _entries(block)
        case Line(text, style):
            shown = MARKUP.cell(text)
            yield rf"\medskip\textbf{{{shown}}}\par" if style == "bold" else rf"{shown}\par"


def _below(notes: list[str]) -> list[str]:
    """Return what stands below a table, at the left and small."""
    return [r"\par\smallskip{\raggedright\footnotesize", *notes, "}"] if notes else []


class _Environment(NamedTuple):
    """The environment that a table is set in, and its caption where no float has it."""

    environment: str
    caption: str

    def around(self, columns: str, head: str, rows: Iterable[str]) -> Iterator[str]:
        """Yield the lines of a table: its head, which a ``longtable`` repeats, and its rows."""
        top = (r"\toprule", head, r"\midrule")
        if self.environment == "longtable":
            yield rf"\begin{{longtable}}{{{columns}}}"
            yield from [rf"{self.caption}\\"] if self.caption else []
            yield from (*top, r"\endfirsthead", *top, r"\endhead", r"\bottomrule", r"\endfoot")
            yield from (*rows, r"\end{longtable}")
        else:
            yield rf"\begin{{tabular}}{{{columns}}}"
            yield from (*top, *rows, r"\bottomrule", r"\end{tabular}")


def _set(table: Table, place: _Environment) -> Iterator[str]:
    """Return the lines of a table: of closed forms the totals, or those of each row."""
    if table.listed and table.total:
        label, *totals = table.total.cells.values()
        names = [*table.total.cells][1:]
        return _equations(table, place, [(MARKUP.cell(label), [*zip(names, totals, strict=True)])])
    if any(_is_wide(cell) for row in table.rows for cell in row.cells.values()):
        return _equations(table, place, [*map(_labelled, table.rows)])
    return _grid(table, place)


def _is_wide(cell: Cell) -> bool:
    return isinstance(cell, ClosedForm) and len(cell.text()) > WIDEST_FORM


def _labelled(row: Row) -> tuple[str, list[tuple[str, Cell]]]:
    """Return the texts of a row as one, and its other cells."""
    cells = row.cells.items()
    others: list[tuple[str, Cell]] = [(n, cell) for n, cell in cells if not isinstance(cell, str)]
    texts = [cell for cell in row.cells.values() if isinstance(cell, str) and cell]
    return MARKUP.cell(" ".join(texts)), others


def _grid(table: Table, place: _Environment) -> Iterator[str]:
    """Return the lines of a table, in letters in which it is no wider than the text."""
    rows = [_cells(table, row) for row in table.rows]
    totals = [_cells(table, row) for row in table.totals]
    heads = [escaped(column.title) for column in table.shown]
    right = [column.kind.is_right for column in table.shown]
    form = fitted(heads, [*rows, *totals], right, [_is_text(table, c) for c in table.shown])
    align = "".join(map(_alignment, form.parts, right))
    lines = [_line(cells, form) for cells in rows]
    lines += [r"\midrule", *(_line(cells, form) for cells in totals)] if totals else []
    made = place.around(align, _line(form.heads, form), lines)
    return iter((rf"{{{form.size.command}", *made, "}")) if form.size.command else made


def _cells(table: Table, row: Row) -> list[str]:
    """Return the cells of a row, the first as far from the left as its groups want."""
    first, *others = map(_breaking, MARKUP.cells(table, row))
    return [rf"\hspace{{{row.level}em}}" * bool(row.level) + first, *others]


_PLACE, _BREAK = re.compile(r"\\_|\$\\times\$"), r"\g<0>\\allowbreak{}"
"""The signs behind which a text may end a line where it is broken into several."""


def _breaking(cell: str) -> str:
    """Return a cell that may break behind the strokes of a path; an address stays as it is."""
    return cell if r"\href" in cell else cell.replace("/", r"/\allowbreak{}")


def _is_text(table: Table, column: Column) -> bool:
    """Return whether the cells of a column may be broken into lines."""
    cells = [row.cells.get(column.name, "") for row in (*table.rows, *table.totals)]
    return not column.kind.is_right and all(isinstance(cell, str | None) for cell in cells)


def _alignment(part: float | None, is_right: bool) -> str:
    if part is None:
        return "r" if is_right else "l"
    return rf"p{{{part:.3f}\linewidth}}"


def _line(cells: Sequence[str], form: FittedTable) -> str:
    """Return a row of a table, in which cells of several lines stand at the left."""
    if not any(form.parts):
        return line_of(cells)
    shown = (
        rf"\raggedright {_PLACE.sub(_BREAK, cell)}" if part and cell else cell
        for cell, part in zip(cells, form.parts, strict=True)
    )
    return " & ".join(shown) + r" \tabularnewline"


def _equations(
    table: Table, place: _Environment, rows: list[tuple[str, list[tuple[str, Cell]]]]
) -> Iterator[str]:
    """Return closed forms as a table that is as wide as a column, then the names in them."""
    titles = {column.name: column.title for column in table.columns}
    (first, _), *_ = rows
    lines: list[str] = []
    for i, (label, cells) in enumerate(rows):
        lines += [r"\midrule", rf"{label} & \\", r"\midrule"] if i else []
        lines += [_equation(titles.get(name, name), cell) for name, cell in cells]
    lines += [r"\midrule"] if table.where else []
    lines += [_equation("" if i else "where", form) for i, form in enumerate(table.where)]
    columns = r"@{}p{0.27\linewidth}p{0.69\linewidth}@{}"
    yield r"{\small\setlength{\tabcolsep}{3pt}"
    *others, last = place.around(columns, rf"{first} & \\", lines)
    yield from (*others, rf"{last}}}")


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


def line_of(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return " & ".join(cells) + r" \\"


_INDEXED = re.compile(r"\b([A-Za-z])\\_([a-z])\b")
"""A size with its index in an explanation, as it is escaped: ``c\\_i``."""


def _entries(block: Entries) -> Iterator[str]:
    sign = " = " if block.are_equations else ": "
    for label, cell in block.entries:
        name, form = escaped(label.strip()), ""
        if isinstance(cell, Equation):
            form = _closed_form(cell.form)
            cell = cell.before
        shown = MARKUP.cell(cell)
        if not isinstance(cell, ClosedForm):
            shown = shown.replace("/", r"/\allowbreak{}")
            if block.are_equations:
                name, shown = (_INDEXED.sub(r"$\1_\2$", text) for text in (name, shown))
        yield rf"{name + sign if label else ''}{shown}{form}\par"


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


def in_ascii(text: str) -> str:
    """Return a text with our signs beyond ASCII spelled out, as pdflatex's verbatim needs it."""
    return text.translate(_IN_ASCII)


def _link(shown: str, address: str) -> str:
    inside = re.sub(r"([%#&])", r"\\\1", as_address(address))
    return rf"\href{{{inside}}}{{{shown}}}"


MARKUP = Markup(escaped, escaped, _closed_form, _shape, link=_link)

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
    Shapes,
    Table,
)
from costmodel.render.latex_widths import SMALL, SMALLER, TEXT_HEIGHT, FittedTable, fitted
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


EQUATIONS = FittedTable(SMALL, (), (0.27, 0.69))
"""The form of a table of closed forms that stand below each other: their labels, and they."""

NOTES = FittedTable(SMALLER, (), (1,))
"""The form of notes below a table."""

TOO_HIGH = "% higher than a page of an article: --longtable lets it go on over pages"
"""Stands before a float that LaTeX would cut off."""

HIGHER = 1.4
"""The height of a line with fractions, over that of a line of text."""


def render(document: Document) -> str:
    """Return the document as a float, or as paragraphs where it has no table; it needs booktabs.

    Of closed forms it shows the totals and the names in them, which fit a column of a paper.
    """
    blocks = list(document.shown(lists=False))
    has_float = any(map(_is_float, blocks))
    document.frame.require(has_table=has_float)
    if not has_float:
        return _paragraphs(document, blocks)
    frame = document.frame
    label = rf"\label{{{frame.label}}}" * bool(frame.label)
    caption = rf"\caption{{{escaped(document.title)}}}{label}" if document.title else ""
    lines, notes = list[str](), list[str]()
    environment = frame.environment
    if environment == "table":
        note = [TOO_HIGH] if sum(map(_height, blocks)) > TEXT_HEIGHT else []
        lines = [*note, r"\begin{table}", r"\centering", *([caption] if caption else [])]
    for block in blocks:
        if isinstance(block, Table) and _is_float(block):
            place = _Environment(environment, caption)
            lines += [*_below(notes), *_set(block, place)]
            notes, caption = [], ""
        else:
            notes += _paragraph(block)
    end = [r"\end{table}"] * (environment == "table")
    return "\n".join([*lines, *_below(notes), *end]) + "\n"


def _is_float(block: Block) -> bool:
    """Return whether a part of a document is a table on a page, and no list."""
    if not isinstance(block, Table):
        return False
    return not block.listed or bool(block.totals) or block.has_wide


def _height(block: Block) -> float:
    """Return about how high a table is, or what stands below one, in points."""
    if not (isinstance(block, Table) and _is_float(block)):
        return NOTES.height([[line] for line in _paragraph(block)])
    if _has_equations(block):
        rows = [line for label, lines in _labelled(block) for line in ((label, ""), *lines)]
        where = [("", MARKUP.cell(form)) for form in block.where]
        return HIGHER * EQUATIONS.height([*rows, *where])
    cells, form = _fitted(block)
    return form.height(cells)


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
            shown = "".join(map(MARKUP.cell, _parts(text)))
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
        top = (r"\toprule", *([head, r"\midrule"] if head else []))
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
    return _equations(table, place) if _has_equations(table) else _grid(table, place)


def _has_equations(table: Table) -> bool:
    """Return whether the cells of a row stand below each other."""
    return bool(table.listed and table.total) or table.has_wide


def _labelled(table: Table) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each row whose cells stand below each other: its label, and what these are called.

    Of a list with a total that is the total alone.
    """
    titles = {column.name: column.title for column in table.columns}
    only_total = table.listed and table.total
    for row in [table.total] if only_total else (*table.rows, *table.totals):
        cells = row.cells.items() if row else ()
        texts = [cell for _, cell in cells if isinstance(cell, str) and cell]
        others = [(titles.get(n, n), cell) for n, cell in cells if not isinstance(cell, str)]
        shown = [
            (escaped(title), MARKUP.cell(cell))
            for title, cell in others
            if only_total or cell is not None
        ]
        yield MARKUP.cell(" ".join(texts)), shown


def _grid(table: Table, place: _Environment) -> Iterator[str]:
    """Return the lines of a table, in letters in which it is no wider than the text."""
    cells, form = _fitted(table)
    right = [column.kind.is_right for column in table.shown]
    align = "".join(map(_alignment, form.parts, right))
    lines = [_line(each, form) for each in cells]
    if table.totals:
        lines.insert(len(table.rows), r"\midrule")
    made = place.around(align, _line(form.heads, form), lines)
    return iter((rf"{{{form.size.command}", *made, "}")) if form.size.command else made


def _fitted(table: Table) -> tuple[list[list[str]], FittedTable]:
    """Return the cells of all rows, and the form in which they fit a page."""
    cells = [_cells(table, row) for row in (*table.rows, *table.totals)]
    heads = [escaped(column.title) for column in table.shown]
    right = [column.kind.is_right for column in table.shown]
    return cells, fitted(heads, cells, right, [_is_text(table, c) for c in table.shown])


def _cells(table: Table, row: Row) -> list[str]:
    """Return the cells of a row, the first as far from the left as its groups want."""
    first, *others = map(_breaking, MARKUP.cells(table, row))
    return [rf"\hspace{{{row.level}em}}" * bool(row.level) + first, *others]


_PLACE, _BREAK = re.compile(r"\\_"), r"\g<0>\\allowbreak{}"
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


def _equations(table: Table, place: _Environment) -> Iterator[str]:
    """Return closed forms as a table that is as wide as a column, then the names in them."""
    (first, forms), *others = _labelled(table)
    lines = [_equation(*each) for each in forms]
    for label, forms in others:
        lines += [r"\midrule", _across(label), r"\midrule", *(_equation(*each) for each in forms)]
    lines += [r"\midrule"] if table.where else []
    lines += [
        _equation("" if i else "where", MARKUP.cell(each)) for i, each in enumerate(table.where)
    ]
    head = _across(first) if others else rf"{first} & \\"
    if others and place.environment == "longtable":  # it has no head for all of its pages
        head, lines = "", [head, r"\midrule", *lines]
    columns = "".join(rf"p{{{part}\linewidth}}" for part in EQUATIONS.parts)
    yield rf"{{{EQUATIONS.size.command}"
    *before, last = place.around(f"@{{}}{columns}@{{}}", head, lines)
    yield from (*before, rf"{last}}}")


def _across(label: str) -> str:
    return rf"\multicolumn{{2}}{{@{{}}l@{{}}}}{{{label}}} \\"


def _equation(label: str, shown: str) -> str:
    """Return a line of a label and a closed form, of which each breaks where it may."""
    label = label.replace(r"\_", r"\_\allowbreak ")
    return rf"\raggedright {label} & \raggedright {shown} \tabularnewline[2pt]"


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
        shown = "".join(_part(part, is_equation=block.are_equations) for part in _parts(cell))
        name = _part(label.strip(), is_equation=block.are_equations) + sign if label else ""
        yield rf"{name}{shown}\par"


def _parts(cell: Cell) -> tuple[Cell, ...]:
    return cell.parts if isinstance(cell, Equation) else (cell,)


def _part(cell: Cell, *, is_equation: bool) -> str:
    """Return a part of an entry; a text may break behind a stroke, and has indices in equations."""
    shown = MARKUP.cell(cell)
    if isinstance(cell, ClosedForm | Shapes):
        return shown
    shown = shown.replace("/", r"/\allowbreak{}")
    return _INDEXED.sub(r"$\1_\2$", shown) if is_equation else shown


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

"""A document as a LaTeX table (booktabs) with its notes."""

from collections.abc import Iterator

from sympy import Expr

from archspec.errors import visible
from costmodel.algebra.printing import Latex
from costmodel.analysis.document import ClosedForm, Document, Entries, Line, Table
from costmodel.render.markup import Markup, Shape

_SPECIAL = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # behind the end of a row they would be its options
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def render(document: Document) -> str:
    """Return the document as a ``table`` environment; it needs the package booktabs."""
    lines = [r"\begin{table}", r"\centering"]
    lines += [rf"\caption{{{escaped(document.title)}}}"] if document.title else []
    for block in document.shown():
        match block:
            case Table():
                lines += _table(block)
            case Entries():
                lines += _entries(block)
            case Line(text):
                lines.append(rf"{MARKUP.cell(text)}\par")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


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
    yield from (r"\bottomrule", r"\end{tabular}", "")
    yield from (rf"where {_closed_form(form)}\par" for form in table.where)


def line_of(cells: list[str]) -> str:
    """Return a row of a table."""
    return " & ".join(cells) + r" \\"


def _entries(block: Entries) -> Iterator[str]:
    sign = " = " if block.are_equations else ": "
    for label, cell in block.entries:
        yield rf"{escaped(label.strip()) + sign if label else ''}{MARKUP.cell(cell)}\par"


def _shape(shape: Shape) -> str:
    sizes = (Latex()(size) if isinstance(size, Expr) else str(size) for size in shape)
    factors = (rf"\left({size}\right)" if "+" in size or "-" in size else size for size in sizes)
    return "$" + r" \times ".join(factors) + "$"


def _closed_form(form: ClosedForm) -> str:
    return f"${form.text(Latex)}$"


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


MARKUP = Markup(escaped, escaped, _closed_form, _shape)

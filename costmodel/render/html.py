"""A document as HTML: tables, and closed forms as MathML, which browsers draw by themselves."""

from collections.abc import Callable, Iterator
from html import escape
from typing import ClassVar

from sympy import Expr, Pow, Rational, S

from archspec.errors import visible
from costmodel.algebra.functions import LargestOfIterations, Log2, Maximum, Minimum, RoundTo
from costmodel.algebra.printing import ATOM, POWER, PRODUCT, SUM, Latex, Printed
from costmodel.analysis.document import ClosedForm, Document, Entries, Line, Row, Table
from costmodel.render.markup import Markup, Shape, as_address, labelled


def render(document: Document) -> str:
    """Return the document as a part of a page, which is a page by itself, too."""
    return '<meta charset="utf-8">\n' + fragment(document)


def fragment(document: Document) -> str:
    """Return the document as a part of a page."""
    lines = ['<section class="archcost">']
    lines += [f"<h3>{escaped(document.title)}</h3>"] if document.title else []
    for block in document.shown():
        match block:
            case Table():
                lines += _table(block)
            case Entries():
                lines += _entries(block)
            case Line(text, style):
                shown = MARKUP.cell(text)
                lines.append(f"<h4>{shown}</h4>" if style == "bold" else f"<p>{shown}</p>")
    return "\n".join([*lines, "</section>"]) + "\n"


def _table(table: Table) -> Iterator[str]:
    """Yield the lines of a table, then the names in it."""
    yield "<table>"
    heads = (_cell("th", escaped(each.title), each.kind.is_right) for each in table.shown)
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        yield _row(table, row, "td")
    yield "</tbody>"
    if table.totals:
        yield f"<tfoot>{''.join(_row(table, total, 'th') for total in table.totals)}</tfoot>"
    yield "</table>"
    if table.where:
        yield from _list((label, _closed_form(form)) for label, form in labelled(table))


def _row(table: Table, row: Row, tag: str) -> str:
    first, *others = MARKUP.cells(table, row)
    name = f"<strong>{first}</strong>" if row.style == "bold" else first
    cells = ["&emsp;" * row.level + name, *others]
    right = [column.kind.is_right for column in table.shown]
    return f"<tr>{''.join(map(_cell, [tag] * len(cells), cells, right))}</tr>"


def _cell(tag: str, shown: str, is_right: bool) -> str:
    return f'<{tag} style="text-align:{"right" if is_right else "left"}">{shown}</{tag}>'


def _entries(block: Entries) -> Iterator[str]:
    listed = _list((label.strip(), MARKUP.cell(cell)) for label, cell in block.entries)
    if not block.folded:
        return listed
    return iter(["<details>", f"<summary>{escaped(block.folded)}</summary>", *listed, "</details>"])


def _list(notes: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield a list of descriptions; what has no label belongs to the one before it."""
    yield '<dl style="display:grid;grid-template-columns:max-content auto;gap:0 1em">'
    for label, note in notes:
        head = f'<dt style="white-space:nowrap">{escaped(label)}</dt>' if label else ""
        yield f'{head}<dd style="grid-column:2;margin:0">{note}</dd>'
    yield "</dl>"


def escaped(shown: str) -> str:
    """Return a text that stands in a page as it is: no element, no entity."""
    return escape(visible(shown))


def code(shown: str) -> str:
    """Return a text that is typed."""
    return f"<code>{escaped(shown)}</code>"


class MathMl(Latex):
    """Expressions as MathML, in which every sign and every name is an element."""

    times = "<mo>·</mo>"
    plus = "<mo>+</mo>"
    minus = "<mo>−</mo>"
    equals = "<mo>=</mo>"
    space = ""
    names: ClassVar[dict[type, str]] = {
        RoundTo: "<mi>round_to</mi>",
        Maximum: "<mi>max</mi>",
        Minimum: "<mi>min</mi>",
        Log2: "<msub><mi>log</mi><mn>2</mn></msub>",
    }
    brackets: ClassVar[dict[str, tuple[str, str]]] = {
        "floor": ("<mrow><mo>⌊</mo>", "<mo>⌋</mo></mrow>"),
        "ceil": ("<mrow><mo>⌈</mo>", "<mo>⌉</mo></mrow>"),
    }

    def symbol(self, name: str) -> str:
        """Return a name, a trailing number as an index."""
        head = name.rstrip("0123456789").rstrip("_")
        index = name[len(head) :].lstrip("_")
        shown = f"<mi>{escaped(head)}</mi>"
        return f"<msub>{shown}<mn>{index}</mn></msub>" if index else shown

    def number(self, value: Rational) -> Printed:
        """Return a number; a fraction has a bar."""
        shown = f"<mn>{abs(value.p):d}</mn>"
        shown = shown if value.q == 1 else self.quotient(shown, f"<mn>{value.q}</mn>")
        return (f"{self.minus}{shown}", SUM) if value.p < 0 else (shown, ATOM)

    def parenthesized(self, shown: str) -> str:
        """Return a text in parentheses, which grow with it."""
        return f"<mrow><mo>(</mo>{shown}<mo>)</mo></mrow>"

    def quotient(self, over: str, under: str) -> str:
        """Return a fraction."""
        return f"<mfrac><mrow>{over}</mrow><mrow>{under}</mrow></mfrac>"

    def power(self, expression: Pow) -> Printed:
        """Return a power, or a root."""
        base, exponent = expression.args
        if exponent == S.Half:
            return f"<msqrt>{self.real(base)}</msqrt>", ATOM
        if exponent.could_extract_minus_sign():
            return self.quotient(self.number(S.One)[0], self.denominator(1 / expression)), PRODUCT
        raised = f"<mrow>{self.within(base, ATOM)}</mrow><mrow>{self(exponent)}</mrow>"
        return f"<msup>{raised}</msup>", POWER

    def call(self, expression: Expr) -> Printed:
        """Return a function of its arguments."""
        show: Callable[[Expr], str] = self.real if isinstance(expression, RoundTo | Log2) else self
        arguments = "<mo>,</mo>".join(map(show, expression.args))
        return self.names[type(expression)] + self.parenthesized(arguments), ATOM

    def largest_of_iterations(self, expression: LargestOfIterations) -> Printed:
        """Return a maximum over an index."""
        x, index, count = expression.args
        bounds = f"<mn>0</mn><mo>≤</mo>{self.symbol(index.name)}<mo>&lt;</mo>{self(count)}"
        over = f"<munder><mi>max</mi><mrow>{bounds}</mrow></munder>"
        return over + self.parenthesized(self(x)), ATOM


def _closed_form(form: ClosedForm) -> str:
    return f"<math>{form.text(MathMl)}</math>"


def _shape(shape: Shape) -> str:
    show = MathMl()
    sizes = (show(each) if isinstance(each, Expr) else f"<mn>{each}</mn>" for each in shape)
    factors = (show.parenthesized(each) if "<mo>" in each else each for each in sizes)
    return f"<math>{'<mo>×</mo>'.join(factors)}</math>"


def _link(shown: str, address: str) -> str:
    return f'<a href="{escaped(as_address(address))}">{shown}</a>'


MARKUP = Markup(escaped, code, _closed_form, _shape, link=_link)

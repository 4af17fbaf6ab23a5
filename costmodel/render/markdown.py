"""A document as GitHub's Markdown: numbers to the right, closed forms as code."""

import re
from collections.abc import Callable, Iterable, Iterator

from archspec.errors import visible
from costmodel.analysis.document import Block, ClosedForm, Document, Entries, Line, Note, Table
from costmodel.render.markup import Markup, Shape, in_plain, is_symbolic, labelled


def render(document: Document) -> str:
    """Return the document as GitHub's Markdown."""
    lines = [f"**{escaped(document.title)}**"] if document.title else []
    before: Block | None = None
    for block in document.blocks():
        lines += [""] if lines and not (isinstance(block, Entries) and is_list(before)) else []
        match block:
            case Table():
                lines += _table(block)
            case Entries():
                lines += _entries(block)
            case Line(text, style):
                shown = MARKUP.cell(text)
                lines.append(f"**{shown}**" if style == "bold" else shown)
        before = block
    return "\n".join(lines) + "\n"


def is_list(block: Block | None) -> bool:
    """Return whether a part of a document ends with a list, which what follows goes on with."""
    match block:
        case Entries():
            return not block.are_equations
        case Table():
            return bool(block.where)
    return False


def _table(table: Table) -> Iterator[str]:
    """Return the lines of a table, then the names in it."""
    columns = table.shown
    yield line_of(escaped(column.title) for column in columns)
    yield line_of("---:" if column.kind.is_right else "---" for column in columns)
    for row in table.rows:
        first, *others = MARKUP.cells(table, row)
        name = f"**{first}**" if row.style == "bold" else first
        yield line_of(["&emsp;" * row.level + name, *others])
    if table.total is not None:
        yield line_of(f"**{cell}**" if cell else "" for cell in MARKUP.cells(table, table.total))
    yield from [""] * bool(table.where)
    yield from listed(((label, _closed_form(form)) for label, form in labelled(table)), show=str)


def line_of(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def _entries(block: Entries) -> list[str]:
    sign = " =" if block.are_equations else ":"
    shown = ((label.strip(), MARKUP.cell(cell)) for label, cell in block.entries)
    return listed(shown, sign=sign, show=str)


def listed(
    notes: Iterable[Note], *, sign: str = ":", show: Callable[[str], str] | None = None
) -> list[str]:
    """Return a list; what has no label of its own belongs to the item before it."""
    show = show or escaped
    return [
        f"- {escaped(label)}{sign} {show(note)}" if label else f"  - {show(note)}"
        for label, note in notes
    ]


def _shape(shape: Shape) -> str:
    return code(in_plain(shape)) if is_symbolic(shape) else in_plain(shape)


def _closed_form(form: ClosedForm) -> str:
    return code(form.text())


def code(shown: str) -> str:
    """Return a text as code within a table, behind more backquotes than stand in it."""
    shown = visible(shown).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " * (len(fence) > 1)
    return f"{fence}{space}{shown}{space}{fence}"


_OWN = re.compile(r"[\\|*<>`\[\]&$]|(?<![^\W_])_|_(?![^\W_])|~(?=\S)")
"""The signs that Markdown takes for its own; a _ between letters or digits it does not."""

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


MARKUP = Markup(escaped, code, _closed_form, _shape)

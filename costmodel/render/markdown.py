"""A document as GitHub's Markdown: numbers to the right, closed forms as code."""

import re
from collections.abc import Callable, Iterable, Iterator

from rich.cells import cell_len

from archspec.errors import visible
from costmodel.analysis.document import Block, ClosedForm, Document, Entries, Line, Note, Table
from costmodel.render.markup import Markup, Shape, as_address, in_plain, is_symbolic, labelled


def render(document: Document) -> str:
    """Return the document as GitHub's Markdown."""
    lines = [f"**{escaped(document.title)}**"] if document.title else []
    before: Block | None = None
    for block in document.shown():
        goes_on = isinstance(block, Entries) and is_list(block) and is_list(before)
        lines += [""] if lines and not goes_on else []
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
            return not (block.are_equations or block.folded)
        case Table():
            return bool(block.where)
    return False


def _table(table: Table) -> Iterator[str]:
    """Return the lines of a table, then the names in it."""
    right = [column.kind.is_right for column in table.shown]
    rows = list(_rows(table))
    widths = [
        max(LEAST_WIDTH, *(n for n in map(cell_len, column) if n <= MOST_WIDTH))
        for column in zip(*rows, strict=True)
    ]
    dashes = ["-" * (n - r) + ":" * r for n, r in zip(widths, right, strict=True)]
    for cells in (rows[0], dashes, *rows[1:]):
        yield line_of(map(_padded, cells, widths, right))
    yield from [""] * bool(table.where)
    yield from listed(((label, _closed_form(form)) for label, form in labelled(table)), show=str)


def _rows(table: Table) -> Iterator[list[str]]:
    """Return the cells of the head, of all rows and of the total."""
    yield [escaped(column.title) for column in table.shown]
    for row in table.rows:
        first, *others = MARKUP.cells(table, row)
        name = f"**{first}**" if row.style == "bold" else first
        yield ["&emsp;" * row.level + name, *others]
    for total in table.totals:
        yield [f"**{cell}**" if cell else "" for cell in MARKUP.cells(table, total)]


def _padded(cell: str, width: int, is_right: bool) -> str:
    spaces = " " * (width - cell_len(cell))
    return spaces + cell if is_right else cell + spaces


def line_of(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def _entries(block: Entries) -> list[str]:
    sign = " =" if block.are_equations else ":"
    shown = ((label.strip(), MARKUP.cell(cell)) for label, cell in block.entries)
    lines = listed(shown, sign=sign, show=str)
    if not block.folded:
        return lines
    summary = f"<summary>{escaped(block.folded)}</summary>"
    return ["<details>", summary, "", *lines, "", "</details>"]


def listed(
    notes: Iterable[Note], *, sign: str = ":", show: Callable[[str], str] | None = None
) -> list[str]:
    """Return a list; what has no label of its own belongs to the item before it."""
    show = show or escaped
    return [
        f"- {_begun(escaped(label))}{sign} {show(note)}" if label else f"  - {show(note)}"
        for label, note in notes
    ]


def _begun(text: str) -> str:
    """Return the beginning of an item; Python-Markdown makes a heading of a # without a space."""
    return text.replace("#", r"\#", 1) if text.startswith("#") else text


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


LEAST_WIDTH = 4
"""The places that a column has at least: those of the dashes below its head."""

MOST_WIDTH = 40
"""The places to which cells are filled up at most, so that a file can be read as it stands."""


def _link(shown: str, address: str) -> str:
    return f"[{shown}]({as_address(address)})"


MARKUP = Markup(escaped, code, _closed_form, _shape, link=_link)

"""A document as reStructuredText: grid tables, and a field list of its notes."""

import re
from collections.abc import Iterator
from unicodedata import combining, east_asian_width

from archspec.errors import visible
from costmodel.analysis.document import ClosedForm, Document, Entries, Line, Table
from costmodel.render.markup import Markup, Shape, as_address, in_plain, is_symbolic, labelled


def render(document: Document) -> str:
    """Return the document as reStructuredText; its title is the caption of its first table."""
    lines: list[str] = []
    title = document.title
    blocks = list(document.shown())
    document.frame.require(has_table=any(isinstance(block, Table) for block in blocks))
    for block in blocks:
        lines += [""] if lines and lines[-1] else []
        match block:
            case Table():
                lines += _table(block, title, document.frame.label)
                title = ""
            case Entries():
                lines += fields((label, MARKUP.cell(cell)) for label, cell in block.entries)
            case Line(text):
                lines.append(MARKUP.cell(text))
    heading = [f"**{escaped(title)}**", ""] if title.strip() else []
    return "\n".join([*heading, *lines]) + "\n"


def _table(table: Table, caption: str, label: str) -> Iterator[str]:
    """Return a grid, then the names in it."""
    columns = table.shown
    rows = [*table.rows, *table.totals]
    cells = [MARKUP.cells(table, row) for row in rows]
    heads = [escaped(column.title) for column in columns]
    lines = grid([heads, *cells], [column.kind.is_right for column in columns])
    if caption:
        yield f".. table:: {escaped(caption)}"
        yield from [f"   :name: {label}"] if label else []
        yield from ("", *(f"   {line}" for line in lines))
    else:
        yield from lines
    if table.where:
        yield ""
        yield from fields((label, _closed_form(form)) for label, form in labelled(table))


def fields(notes: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Return a list of fields; what has no label is a paragraph of the field before it."""
    for label, note in notes:
        yield from [f":{escaped(label.strip())}: {note}"] if label else ["", f"   {note}"]


def grid(rows: list[list[str]], right: list[bool]) -> list[str]:
    """Return rows of cells, the head first, as a grid.

    Args:
        rows: the cells.
        right: which columns stand at the right.
    """
    widths = [max(1, *map(width_in_rst, column)) for column in zip(*rows, strict=True)]
    rule, heavy = (f"+{'+'.join(sign * (width + 2) for width in widths)}+" for sign in "-=")
    lines = [rule]
    for cells in rows:
        lines += [f"| {' | '.join(map(_padded, cells, widths, right))} |", rule]
    lines[2] = heavy
    return lines


def _padded(cell: str, width: int, is_right: bool) -> str:
    spaces = " " * (width - width_in_rst(cell))
    return spaces + cell if is_right else cell + spaces


def width_in_rst(text: str) -> int:
    """Return the places that a text takes in a grid, as docutils counts them.

    Signs of East Asia take two, and what combines with the sign before it takes one less. A
    terminal has other rules, and a grid that follows those is malformed.
    """
    return sum(1 + (east_asian_width(s) in ("W", "F")) - (combining(s) > 0) for s in text)


def _code(shown: str) -> str:
    is_plain = shown and "`" not in shown and shown == shown.strip()  # else it ends elsewhere
    return f"``{visible(shown)}``" if is_plain else escaped(shown)


def _closed_form(form: ClosedForm) -> str:
    return _code(form.text())


def _shape(shape: Shape) -> str:
    return _code(in_plain(shape)) if is_symbolic(shape) else in_plain(shape)


_OWN_OF_RST = re.compile(
    r"[\\*_`|]|:(?=\S)|@(?=\S)"  # anywhere; a link has no space behind these
    r"|^(?=[-+•‣⁃./>: ]|([!-/:-@\[-`{-~])\1*$|\(?(?:\w+|#)[.)](?:\s|$))"  # as a line begins
)
_RULE = re.compile(r"\\+")
"""A line that is still a title's, once its backslashes are doubled."""


def escaped(shown: str) -> str:
    """Return a text that stands in reStructuredText as it is: no markup, no item, no block.

    Backslashes stand before the signs that it takes for its own, and before what would make an
    item or a title of the line that it begins; it stays one line (see `visible`).
    """
    text = visible(shown)
    nothing = "\\ " if _RULE.fullmatch(text) else ""
    return nothing + _OWN_OF_RST.sub(r"\\\g<0>", text)


def _link(shown: str, address: str) -> str:
    return f"`{shown.replace('<', chr(92) + '<')} <{as_address(address)}>`__"


MARKUP = Markup(escaped, _code, _closed_form, _shape, link=_link)

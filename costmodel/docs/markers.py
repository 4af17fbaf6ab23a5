"""A document's markers: where they begin and end, and which command stands in each."""

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from archspec.errors import Origin, SpecError
from costmodel.docs.styles import LATEX, MARKDOWN, Style

BOM = "\ufeff"
"""The byte order mark that some editors put before a text; it is kept where it is."""


_VERBATIM = re.compile(r"\\begin\{(verbatim\*?|Verbatim|lstlisting|minted|comment)\}")


class Marker(NamedTuple):
    """A pair of comments with a command.

    Attributes:
        style: how the comments are written.
        words: the command line, without ``archcost``.
        origin: where the command stands.
        first: the number of the first line between the comments, from 0.
        last: the number of the line that ends it.
        newline: how the line that begins it ends.
    """

    style: Style
    words: tuple[str, ...]
    origin: Origin
    first: int
    last: int
    newline: str

    @property
    def command(self) -> str:
        """The command line as a person writes it."""
        return shlex.join(("archcost", *self.words))


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends; only a line feed ends one."""
    *ended, last = text.split("\n")
    return [f"{line}\n" for line in ended] + ([last] if last else [])


def find_markers(lines: list[str], styles: tuple[Style, ...], file: str) -> list[Marker]:
    """Return the markers of a document, in order.

    Raises:
        SpecError: one has no end, no beginning, no command, or holds another.
    """
    texts, markers = [bare(line) for line in lines], list[Marker]()
    code = code_lines(texts, styles)
    opened: Marker | None = None
    for number, text in enumerate(texts):
        style = looks_like_marker(text, styles)
        if style is None or (opened is None and number in code):
            continue
        origin = Origin(file, number + 1, len(text) - len(text.lstrip()) + 1)
        if opened is None:
            newline = "\r\n" if lines[number].endswith("\r\n") else "\n"
            opened = _begun(style, text, origin, newline)
            continue
        _check_end(opened, style, text, origin)
        markers.append(opened._replace(last=number))
        opened = None
        if number in code:  # what stands between the comments begins code that it does not end
            code = code_lines([""] * (number + 1) + texts[number + 1 :], styles)
    if opened is not None:
        raise SpecError("a marker without an end", hint=_hint(opened), origin=opened.origin)
    return markers


def code_lines(texts: list[str], styles: tuple[Style, ...]) -> frozenset[int]:
    """Return the numbers of the lines, from 0, in which a marker is a text like any other.

    In Markdown these are the fences (CommonMark 0.31, section 4.5), in LaTeX the environments that
    print what they hold. Code of reStructuredText is indented, as no marker is.
    """
    if MARKDOWN in styles:
        return frozenset(_fenced(texts))
    return frozenset(_verbatim(texts) if LATEX in styles else ())


def _fenced(texts: list[str]) -> Iterator[int]:
    if not any("```" in text or "~~~" in text for text in texts):
        return
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").disable("inline")
    for token in parser.parse("\n".join(text.replace("\r", " ") for text in texts)):
        if token.type == "fence" and token.map:
            yield from range(*token.map)


def _verbatim(texts: Iterable[str]) -> Iterator[int]:
    end = ""
    for number, text in enumerate(texts):
        if not end and (match := _VERBATIM.search(text)):
            end = f"\\end{{{match[1]}}}"
        if end:
            yield number
        end = "" if end in text else end


def looks_like_marker(text: str, styles: tuple[Style, ...]) -> Style | None:
    """Return the style in which a line begins or ends a marker, or is meant to."""
    return next((style for style in styles if style.marker.match(text)), None)


def bare(line: str) -> str:
    """Return a line without its end, and without the sign that some editors put before a text."""
    return line.removesuffix("\n").removesuffix("\r").removeprefix(BOM)


def _begun(style: Style, text: str, origin: Origin, newline: str) -> Marker:
    """Return the marker that a line begins; its end is not known yet."""
    if style.end.fullmatch(text):
        raise SpecError("the end of a marker that does not begin", origin=origin)
    match = style.begin.fullmatch(text)
    if match is None:
        raise SpecError(
            "this is no marker; one stands alone on its line",
            hint=f"as in {style.comment('archcost: SPEC').strip()}",
            origin=origin,
        )
    written = match["command"]
    place = origin._replace(column=match.start("command") + 1)
    place = place.shifted(len(written) - len(written.lstrip()))
    return Marker(style, _words(written, origin, place), place, origin.line, origin.line, newline)


def _words(written: str, origin: Origin, place: Origin) -> tuple[str, ...]:
    try:
        words = shlex.split(written)
    except ValueError as error:
        cause = f"the command cannot be read: {str(error).lower()}"
        raise SpecError(cause, hint="quotes come in pairs", origin=place) from None
    if not words:
        raise SpecError("a marker without a command", hint="as in archcost: SPEC", origin=origin)
    return tuple(words)


def _check_end(opened: Marker, style: Style, text: str, origin: Origin) -> None:
    """Make sure that a line ends a marker.

    Raises:
        SpecError: it begins another, or is a comment of another style.
    """
    if not style.end.fullmatch(text):
        cause = f"a marker within that of line {opened.origin.line}, which has not ended"
        raise SpecError(cause, hint=_hint(opened), origin=origin)
    if style is not opened.style:
        cause = f"this does not end the marker of line {opened.origin.line}"
        raise SpecError(cause, hint=_hint(opened), origin=origin)


def _hint(opened: Marker) -> str:
    return f"end it with {opened.style.comment('/archcost').strip()}"

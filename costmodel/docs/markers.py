"""A document's markers: where they begin and end, and which command stands in each."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.errors import Origin, SpecError
from costmodel.docs.code import Shown, fences_around, hidden_within, shown_lines
from costmodel.docs.styles import HTML, LATEX, MARKDOWN, RST, Style

BOM = "\ufeff"
"""The byte order mark that some editors put before a text; it is kept where it is."""

_ITEM = re.compile(r"[-+*:•]|#\.|\(?\w{1,9}[.)]")
"""The sign of an item, which stands on its first line only."""

_NAMED = re.compile(r"\s*\|(?P<name>[^|\s](?:[^|]*[^|\s])?)\|")
"""The name of a substitution before a command: the form within lines of reStructuredText."""

_LOOSE = re.compile(
    r"<!--\s*archcost\s*:|%[ \t]*archcost\s*:|^\s*(?:[-*+\d.]+[ \t]+)*\.\.\s*archcost\s*:"
    r"|\\archcost\s*\{",
    re.IGNORECASE | re.MULTILINE,
)
"""The beginning of a marker in any style and letters, whether it stands where one may or not.

It may be split over lines.
"""


class Marker(NamedTuple):
    """A pair of comments with a command.

    Attributes:
        style: how the comments are written.
        words: the command line, without ``archcost``.
        origin: where the command stands.
        first: the number of the first line between the comments, from 0.
        last: the number of the line that ends it.
        newline: how the line that begins it ends.
        around: what each line between begins with: indentation, signs of quotes.
        within: where its text begins and ends within the line ``first``, if it stands in a line.
        name: the name of the substitution that it defines, or ''.
        fences: those of the directives that it is in.
    """

    style: Style
    words: tuple[str, ...]
    origin: Origin
    first: int
    last: int
    newline: str
    around: str = ""
    within: tuple[int, int] | None = None
    name: str = ""
    fences: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command line as a person writes it."""
        return shlex.join(("archcost", *self.words))

    def text_in(self, lines: Sequence[str]) -> str:
        """Return the text between its comments."""
        if self.within:
            return lines[self.first][slice(*self.within)]
        return "".join(lines[self.first : self.last])

    def fill(self, lines: list[str], text: str) -> None:
        """Put a text between its comments; of those in a line the last must be filled first."""
        if self.within:
            start, end = self.within
            line = lines[self.first]
            lines[self.first] = line[:start] + text + line[end:]
        else:
            lines[self.first : self.last] = [text]


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
    shown = shown_lines(texts, styles)
    opened: Marker | None = None
    for number, text in enumerate(texts):
        style = looks_like_marker(text, styles)
        if opened is None:
            origin = Origin(file, number + 1, 1)
            if style is None or not _is_alone(text, style):
                found = _inline(texts, number, styles, shown, origin)
                markers += [_behind_mark(each, lines[number]) for each in found]
            elif _may_stand(number, style, shown):
                newline = "\r\n" if lines[number].endswith("\r\n") else "\n"
                opened = _begun(style, text, _at(origin, text, style), newline)
                around = fences_around(texts, number) if MARKDOWN in styles else ()
                opened = opened._replace(fences=around)
        elif style is not None:
            _check_end(opened, style, text, _at(Origin(file, number + 1, 1), text, style))
            markers.append(opened._replace(last=number))
            opened = None
            if shown.is_code(number):  # what stands between begins code that it does not end
                shown = shown_lines([""] * (number + 1) + texts[number + 1 :], styles)
    if opened is not None:
        raise SpecError("a marker without an end", hint=_hint(opened), origin=opened.origin)
    return markers


def left_over(lines: list[str], markers: Sequence[Marker], styles: tuple[Style, ...]) -> list[int]:
    """Return the numbers of lines, from 0, with what looks like a marker and is none.

    What a fence, a verbatim environment, a literal block or code in a line shows is meant so.
    """
    texts = [bare(line) for line in lines]
    found = _loose(texts)
    filled = {m.first if m.within else n for m in markers for n in range(m.first - 1, m.last)}
    blank = ["" if number in filled else text for number, text in enumerate(texts)]
    shown = shown_lines(blank, styles) if found else Shown()
    return [
        number
        for number in found
        if number not in filled | shown.code and _is_left(blank, number, found[number], styles)
    ]


def _loose(texts: Sequence[str]) -> dict[int, int]:
    """Return the numbers of lines where a marker may be meant to begin → the place in them."""
    whole = "\n".join(texts)
    starts = ((len(m[0]) - len(m[0].lstrip()) + m.start()) for m in _LOOSE.finditer(whole))
    places = ((whole.count("\n", 0, n), n - whole.rfind("\n", 0, n) - 1) for n in starts)
    return dict(reversed([*places]))


def _behind_mark(marker: Marker, line: str) -> Marker:
    """Return a marker within a line, counted with the byte order mark that may stand before it."""
    if marker.within is None or not line.startswith(BOM):
        return marker
    start, end = marker.within
    return marker._replace(within=(start + len(BOM), end + len(BOM)))


def _is_left(texts: Sequence[str], number: int, place: int, styles: tuple[Style, ...]) -> bool:
    hidden = hidden_within(texts, number) if MARKDOWN in styles else []
    return bool(texts[number]) and not any(a <= place < b for a, b in hidden)


def _is_alone(text: str, style: Style) -> bool:
    """Return whether a comment of a marker is all that stands on a line."""
    rest = text[_begins(text, style) :]
    return bool(style.begin.fullmatch(rest) or style.end.fullmatch(rest))


def _may_stand(number: int, style: Style, shown: Shown) -> bool:
    is_block = style is not MARKDOWN or shown.comments is None or number in shown.comments
    return is_block and not shown.is_code(number)


def _begins(text: str, style: Style) -> int:
    found = style.around.match(text)
    return found.end() if found else 0


def _at(origin: Origin, text: str, style: Style) -> Origin:
    return origin._replace(column=_begins(text, style) + 1)


def _inline(
    texts: Sequence[str], number: int, styles: tuple[Style, ...], shown: Shown, origin: Origin
) -> Iterator[Marker]:
    """Yield the markers within a line.

    Raises:
        SpecError: one has no end in it, or no beginning.
    """
    text = texts[number]
    if "archcost" not in text or shown.is_code(number):
        return
    hidden = hidden_within(texts, number) if {MARKDOWN, HTML} & {*styles} else []
    for style in styles:
        end = 0
        while opening := style.opens.search(text, end):
            start, end = opening.span()
            if any(a <= start < b for a, b in hidden):
                continue
            place = origin._replace(column=start + 1)
            part = style.inline.match(text, start)
            if part is None:
                raise _no_marker(style, place)
            command, (after, end) = part["command"], (part.end("command"), part.span()[1])
            column = after - len(command.lstrip()) + 1
            spot = origin._replace(column=column)
            words = _words(command, place, spot)
            yield Marker(style, words, spot, number, number, "\n", within=part.span("text"))


def _no_marker(style: Style, place: Origin) -> SpecError:
    own = style.comment("archcost: SPEC").strip()
    inline = (
        r"\archcost{value SPEC --metric params}{}"
        if style is LATEX
        else "<!-- archcost: value SPEC --metric params --><!-- /archcost -->"
    )
    return SpecError(
        "this is no marker; one stands alone on its line, or begins and ends within one line",
        hint=f"as in {own}, or {inline}",
        origin=place,
    )


def looks_like_marker(text: str, styles: tuple[Style, ...]) -> Style | None:
    """Return the style in which a line begins or ends a marker, or is meant to."""
    return next((s for s in styles if s.marker.match(text, _begins(text, s))), None)


def bare(line: str) -> str:
    """Return a line without its end, and without the sign that some editors put before a text."""
    return line.removesuffix("\n").removesuffix("\r").removeprefix(BOM)


def _begun(style: Style, text: str, origin: Origin, newline: str) -> Marker:
    """Return the marker that a line begins; its end is not known yet."""
    start = _begins(text, style)
    match = style.begin.fullmatch(text, start)
    if match is None:
        hint = f"it begins with {style.comment('archcost: COMMAND').strip()}, on one line"
        raise SpecError("the end of a marker that does not begin", hint=hint, origin=origin)
    written, name = match["command"], ""
    place = origin._replace(column=match.start("command") + 1)
    if style is RST and (named := _NAMED.match(written)):
        name, written = named["name"], written[named.end() :]
        place = place.shifted(named.end())
    place = place.shifted(len(written) - len(written.lstrip()))
    around = _ITEM.sub(lambda sign: " " * len(sign[0]), text[:start])
    words = _words(written, origin, place)
    return Marker(style, words, place, origin.line, origin.line, newline, around=around, name=name)


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
    if not style.end.fullmatch(text, _begins(text, style)):
        cause = f"a marker within that of line {opened.origin.line}, which has not ended"
        raise SpecError(cause, hint=_hint(opened), origin=origin)
    if style is not opened.style:
        cause = f"this does not end the marker of line {opened.origin.line}"
        raise SpecError(cause, hint=_hint(opened), origin=origin)


def _hint(opened: Marker) -> str:
    return f"end it with {opened.style.comment('/archcost').strip()}"

"""What of a document is code, in which a marker is a text like any other."""

import re
from typing import NamedTuple

from costmodel.docs.styles import LATEX, MARKDOWN, Style

_FENCE = re.compile(r"(?P<indent> {0,3})(?P<fence>`{3,}(?=[^`]*$)|~{3,})")
_ITEM = re.compile(r" {0,3}(?:[-*+]|[0-9]{1,9}[.)]) {1,4}(?=\S)")
_QUOTE = re.compile(r" {0,3}> ?")
_VERBATIM = re.compile(r"\\begin\{(verbatim\*?|Verbatim|lstlisting|minted|comment)\}")


class Fence(NamedTuple):
    """A fence that is open.

    Attributes:
        sign: three or more of the sign that closes it.
        quotes: how many block quotes it is in.
        margin: how far the list items that it is in are indented.
    """

    sign: str
    quotes: int
    margin: int

    def holds(self, line: str) -> bool:
        """Whether a line is still in the quotes and list items of the fence."""
        inner, quotes = _unquoted(line, self.quotes)
        return quotes == self.quotes and (_indent(inner) >= self.margin or not inner.strip())

    def is_closed_by(self, line: str) -> bool:
        """Whether a line that is in it ends it: as many of its signs, or more, and no other."""
        inner = _unquoted(line, self.quotes)[0][self.margin :]
        text = inner.strip()
        return _indent(inner) <= 3 and text.startswith(self.sign) and set(text) == {self.sign[0]}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _unquoted(line: str, most: int) -> tuple[str, int]:
    """A line without the signs of at most so many block quotes, and how many it had."""
    for found in range(most):
        match = _QUOTE.match(line)
        if not match:
            return line, found
        line = line[match.end() :]
    return line, most


class Fences:
    """Fenced code of Markdown (CommonMark 0.31, section 4.5), line by line.

    Attributes:
        fence: the one that is open.
        items: how far the list items that are open are indented, the outermost first.
    """

    def __init__(self) -> None:
        self.fence: Fence | None = None
        self.items: list[int] = []

    def is_outside(self, line: str) -> bool:
        """Whether the next line is outside of fenced code; a fence is not."""
        if self.fence and not self.fence.holds(line):
            self.fence = None
        if self.fence:
            if self.fence.is_closed_by(line):
                self.fence = None
            return False
        while self.items and line.strip() and _indent(line) < self.items[-1]:
            self.items.pop()
        self.fence = self._opened(line)
        return self.fence is None

    def _opened(self, line: str) -> Fence | None:
        """The fence that a line opens, also within quotes and behind the signs of list items."""
        quotes, margin = 0, self.items[-1] if self.items else 0
        line = line[margin:]
        while not (match := _FENCE.match(line)):
            if match := _QUOTE.match(line):
                quotes, margin = quotes + 1, 0
            elif match := _ITEM.match(line):
                margin += match.end()
                self.items += [] if quotes else [margin]
            else:
                return None
            line = line[match.end() :]
        return Fence(match["fence"], quotes, margin)


class Verbatim:
    """Environments of LaTeX that print what they hold, line by line."""

    def __init__(self) -> None:
        self.end = ""

    def is_outside(self, line: str) -> bool:
        """Whether the next line is outside of such an environment."""
        if self.end:
            self.end = "" if self.end in line else self.end
            return False
        match = _VERBATIM.search(line)
        end = f"\\end{{{match[1]}}}" if match else ""
        self.end = "" if end in line else end
        return match is None


class Nowhere:
    """No code that could hold what looks like a marker; in reStructuredText it is indented."""

    def is_outside(self, line: str) -> bool:  # noqa: ARG002 - every line is
        """Whether the next line is outside of code."""
        return True


Code = Fences | Verbatim | Nowhere


def code_in(styles: tuple[Style, ...]) -> Code:
    """What follows the code of a document of some styles."""
    if MARKDOWN in styles:
        return Fences()
    return Verbatim() if LATEX in styles else Nowhere()

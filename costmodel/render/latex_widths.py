"""The form in which a table fits the text of a page: the size of its letters, lines within cells.

What gives way, in this order: heads (over several lines), long texts, the size of the letters. The
widths of signs are those of LaTeX's own letters, rounded up.
"""

import re
from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

TEXT_WIDTH = 345
"""The width of the text of LaTeX's article, in points."""

TEXT_HEIGHT = 500
"""The height of a page of LaTeX's article, less a caption and the rules of a table, in points."""

_WIDTHS = {
    2.8: " .,:;'|!il()[]/-",
    3.9: "rstfjIJ{}",
    5.0: "0123456789acegovxyz_",
    8.4: "mwMWABCDEFGHKLNOPQRSTUVXYZ%@#&+=<>×−",
}
_WIDTH = {sign: width for width, signs in _WIDTHS.items() for sign in signs}
USUAL_WIDTH = 5.6
"""The width of all other signs, of letters of ten points."""

_COMMAND = re.compile(
    r"\\hspace\*?\{(?P<ems>\d+)em\}|\\(?P<word>[a-zA-Z]+)\*?(?:\{\})?|\\(?P<sign>.)"
)
_THIN = frozenset(("allowbreak", "raggedright", "textbf", "mathrm", "left", "right", "href"))
"""The commands that print nothing themselves."""

_MATHEMATICS = re.compile(r"(?<!\\)\$")
"""The sign at either end of a formula, which a backslash makes a sign of the text."""

_PLACE = re.compile(r"(?<=/)\\allowbreak(?:\{\}| )|(?<=\\_)|\s+")
"""The places at which a text may end a line."""


class Size(NamedTuple):
    """A size of letters, with half of the room between columns.

    Attributes:
        command: what sets both; nothing for those of the text.
        scale: the width of a sign as a part of that in ten points.
        gap: the room on either side of a column, in points.
        line: the height of a line, in points.
    """

    command: str
    scale: float
    gap: float
    line: float


_GAP = r"\setlength{{\tabcolsep}}{{{}pt}}".format
SMALL, SMALLER = (
    Size(r"\small" + _GAP(3), 0.925, 3, 11),
    Size(r"\footnotesize" + _GAP(3), 0.85, 3, 9.5),
)
_SMALLEST, _TINY = Size(r"\scriptsize" + _GAP(2), 0.8, 2, 8), Size(r"\tiny" + _GAP(1), 0.7, 1, 6)
NORMAL = Size("", 1, 6, 12)
SIZES = (
    *((NORMAL, 90), (SMALL, 90), (SMALLER, 90), (SMALLER, 60)),
    *((_SMALLEST, 60), (_SMALLEST, 0), (_TINY, 0)),
)
"""The sizes of letters that are tried, with the points that a text keeps, longer words apart."""


class FittedTable(NamedTuple):
    """The form of a table.

    Attributes:
        size: that of its letters.
        heads: its heads, some over several lines.
        parts: the width of each column as a part of the line; None where it is that of its cells.
    """

    size: Size
    heads: tuple[str, ...]
    parts: tuple[float | None, ...]

    def height(self, rows: Iterable[Sequence[str]]) -> float:
        """Return about how high some rows are, in points."""
        lines = (max(map(self._lines, cells, self.parts)) for cells in rows)
        return sum(lines) * self.size.line

    def _lines(self, cell: str, part: float | None) -> int:
        width = width_of(cell) * self.size.scale
        return 1 if part is None else max(1, ceil(width / (part * TEXT_WIDTH)))


def width_of(shown: str) -> float:
    """Return about how wide a text of LaTeX is, in points."""
    ems = sum(int(found["ems"] or 0) for found in _COMMAND.finditer(shown))
    plain = _COMMAND.sub(_printed, _MATHEMATICS.sub("", shown))
    return 10 * ems + sum(_WIDTH.get(sign, USUAL_WIDTH) for sign in plain if sign not in "{}^")


def _printed(found: re.Match[str]) -> str:
    word = found["word"]
    if word is None:
        return found["sign"] or ""
    return "" if word in _THIN else "× " if word == "times" else "×"


def fitted(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[bool],
    texts: Sequence[bool],
) -> FittedTable:
    """Return the form in which a table is no wider than the text.

    Args:
        heads: what stands above its columns.
        rows: its cells.
        right: which columns stand at the right.
        texts: which may be broken into lines.
    """
    cells = [tuple(row[i] for row in rows) for i in range(len(heads))]
    columns = [_Column(*each) for each in zip(heads, cells, right, texts, strict=True)]
    if sum(column.whole for column in columns) + 2 * NORMAL.gap * len(columns) <= TEXT_WIDTH:
        return FittedTable(NORMAL, tuple(heads), (None,) * len(columns))
    fixed = sum(column.words for column in columns if not column.is_text)
    broken = [column for column in columns if column.is_text]
    for size, least in SIZES:
        room = (TEXT_WIDTH - 2 * size.gap * len(columns)) / size.scale - fixed
        if room >= sum(column.least(least) for column in broken):
            break
    widths = iter(_shared(room, broken, least))
    parts = (next(widths) * size.scale / TEXT_WIDTH if c.is_text else None for c in columns)
    return FittedTable(size, tuple(column.stacked for column in columns), tuple(parts))


class _Column(NamedTuple):
    """A column of a table as LaTeX has it: its head, its cells, and what may become of them."""

    head: str
    cells: tuple[str, ...]
    is_right: bool
    is_text: bool

    @property
    def widest(self) -> float:
        return max(map(width_of, self.cells), default=0)

    @property
    def whole(self) -> float:
        """The width without a broken line."""
        return max(self.widest, width_of(self.head))

    @property
    def words(self) -> float:
        """The width that it keeps: that of its cells, or of the longest word of texts."""
        own = max(map(_longest, self.cells), default=0) if self.is_text else self.widest
        return max(own, _longest(self.head))

    def least(self, points: float) -> float:
        """The width of texts that keep some points."""
        return max(self.words, min(self.whole, points))

    @property
    def stacked(self) -> str:
        """The head over as many lines as it needs to be no wider than the cells."""
        lines: list[str] = []
        for word in self.head.split(" "):
            longer = f"{lines[-1]} {word}" if lines else ""
            if lines and width_of(longer) <= self.words:
                lines[-1] = longer
            else:
                lines.append(word)
        if self.is_text or len(lines) < 2:
            return self.head
        side = "r" if self.is_right else "l"
        return rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}" + r"\\".join(lines) + r"\end{tabular}"


def _longest(shown: str) -> float:
    """Return the width of the longest part of a text that no line can end in."""
    return max(map(width_of, _PLACE.split(shown)), default=0)


def _shared(room: float, columns: Sequence[_Column], least: float) -> list[float]:
    """Return the widths of columns of texts, which share the room that they do not need at once."""
    spare = max(room - sum(column.least(least) for column in columns), 0)
    wanted = sum(column.whole - column.least(least) for column in columns)
    part = min(spare / wanted, 1) if wanted else 0
    return [(1 - part) * column.least(least) + part * column.whole for column in columns]

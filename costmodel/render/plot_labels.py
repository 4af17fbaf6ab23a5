"""Words in a plot, each at the first of its places where it hides nothing."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from costmodel.render.plots import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation, Text
    from matplotlib.transforms import Bbox

SMALL = 8
"""The size of words, in points."""

APART = 6
"""The points kept free at each side of a label, so that two labels do not read as one."""

PIECES = 80
"""Into how many pieces a line is cut, to see what it crosses."""

LEADER: dict[str, Any] = {
    "arrowstyle": "-",
    "color": GREY,
    "linewidth": 0.5,
    "shrinkA": 1,
    "shrinkB": 0,
}
"""The thin line from a word to what it names."""


WAYS = ((0.7, -0.7), (-0.7, 0.7), (0.3, -1.0), (-0.3, 1.0), (1.0, -0.3), (-1.0, 0.3), (0.3, 1.0))
"""Where from a point a word is tried: below what rises from the left, and above."""

REACHES = (10, 15, 21, 28, 36, 45, 55, 66, 78)
"""How far from a point a word is tried, in points."""


class LabelPlace(NamedTuple):
    """A place where a word may stand.

    Attributes:
        at: the point that it belongs to, in data.
        offset: how far from it, in points.
        side: which end of the word is there: left or right.
    """

    at: tuple[float, float]
    offset: tuple[float, float]
    side: str


def around(x: float, y: float, most: float = REACHES[-1]) -> Iterator[LabelPlace]:
    """Yield the places around a point, the near ones first, none further away than ``most``."""
    for far in takewhile(most.__ge__, REACHES):
        for right, up in WAYS:
            yield LabelPlace((x, y), (right * far, up * far), "left" if right > 0 else "right")


class LabelWriter:
    """The words within a plot's axes, which are laid out for good now.

    Attributes:
        axes: of the plot.
        inside: their box, in pixels.
        taken: the boxes in which nothing may be written, in pixels.
        words: those of the words that are written.
    """

    def __init__(self, axes: "Axes") -> None:
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        axes.figure.set_layout_engine("none")  # type: ignore[union-attr]
        self.axes = axes
        self.inside = axes.get_window_extent()
        self.taken = list(self._strokes())
        self.words: list[Bbox] = []
        if (legend := axes.get_legend()) is not None:
            self.taken.append(legend.get_window_extent())

    def _strokes(self) -> Iterator["Bbox"]:
        """The boxes of the pieces of all lines."""
        from matplotlib.transforms import Bbox

        for drawn in self.axes.lines:
            corners = self.axes.transData.transform(drawn.get_xydata())
            for a, b in pairwise(corners):
                steps = [a + (b - a) * i / PIECES for i in range(PIECES + 1)]
                for near, far in pairwise(steps):
                    yield Bbox([near, far]).padded(1)

    def keep_free(self, x: float, y: float, radius: float) -> None:
        """Write nothing over a disc: its radius in points, its centre in data."""
        from matplotlib.transforms import Bbox

        x, y = self.axes.transData.transform((x, y))
        side = 0.8 * radius * self.axes.figure.dpi / 72  # the corners of its box are free
        self.taken.append(Bbox([[x - side, y - side], [x + side, y + side]]))

    def write(
        self, word: str, places: Iterable[LabelPlace], arrow: dict[str, Any] | None = None
    ) -> "Text | None":
        """Write a word, with an arrow to its point where one is given; None where none fits.

        The same words in the same order stand where they stood before.
        """
        from matplotlib.text import Text

        for at, offset, side in places:
            written = self.axes.annotate(
                word, at, offset, textcoords="offset points", arrowprops=arrow, va="center"
            )
            written.set(horizontalalignment=side, fontsize=SMALL, in_layout=False)
            written.get_window_extent()  # moves it; this is of the arrow too
            box = Text.get_window_extent(written)
            if self._is_free(box):
                self.words.append(box)
                return written
            written.remove()
        return None

    def _is_free(self, box: "Bbox") -> bool:
        outer = self.inside
        within = outer.x0 < box.x0 and box.x1 < outer.x1 and outer.y0 < box.y0 and box.y1 < outer.y1
        apart = box.padded(APART * self.axes.figure.dpi / 72, 2)
        near = any(box.padded(2).overlaps(other) for other in self.taken)
        return within and not near and not any(map(apart.overlaps, self.words))


class LineEnd(NamedTuple):
    """The end of a line: the line's name, where it is in data, and how the line looks."""

    name: str
    at: tuple[float, float]
    look: dict[str, Any]


def name_ends(panels: Sequence[tuple["Axes", Sequence[LineEnd]]]) -> None:
    """Name lines at the right of their panels, which are laid out for good now.

    Names are in the order of the ends and on no other; a stroke that looks like the line leads to
    each.
    """
    written = [(axes, [_at_right(axes, end) for end in ends]) for axes, ends in panels]
    sheet = panels[0][0].figure
    sheet.draw_without_rendering()  # type: ignore[union-attr]
    sheet.set_layout_engine("none")  # type: ignore[union-attr]
    for axes, names in written:
        inside = axes.get_window_extent()
        heights = [(axes.transData.transform(name.xy)[1] - inside.y0) for name in names]
        gap = 1.5 * SMALL * sheet.dpi / 72
        for name, height in zip(names, spaced(heights, gap, 0, inside.height), strict=True):
            name.set_position((RIGHT, height / inside.height))


RIGHT = 1.04
"""Where the names of lines begin, in widths of a panel."""


def _at_right(axes: "Axes", end: LineEnd) -> "Annotation":
    return axes.annotate(
        end.name,
        end.at,
        (RIGHT, 0.5),
        textcoords="axes fraction",
        verticalalignment="center",
        fontsize=SMALL,
        annotation_clip=False,
        arrowprops={**LEADER, **end.look, "relpos": (0, 0.5)},
    )


def spaced(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights in the same order that are a gap apart, as near to the wanted ones as can be.

    That is by the sum of squares (neighbours that are too near share their mean). They are between
    two heights as far as there is room for so many gaps, else as far below as above.
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[tuple[float, int]] = []  # the sum and the count of what stands together
    for i, number in enumerate(order):
        total, count = wanted[number] - i * gap, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            before, many = blocks.pop()
            total, count = total + before, count + many
        blocks.append((total, count))
    last = high - gap * (len(wanted) - 1)
    low, last = (low, last) if low <= last else ((low + last) / 2,) * 2
    means = [min(max(total / count, low), last) for total, count in blocks for _ in range(count)]
    places = dict(zip(order, (mean + i * gap for i, mean in enumerate(means)), strict=True))
    return [places[i] for i in range(len(wanted))]

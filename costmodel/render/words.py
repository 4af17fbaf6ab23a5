"""Words in a plot, each at the first of its places where it hides nothing."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from costmodel.render.plots import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

SMALL = 8
"""The size of words, in points."""

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


class Place(NamedTuple):
    """Where a word may stand.

    Attributes:
        at: the point that it belongs to, in data.
        offset: how far from it, in points.
        side: which end of the word is there: left or right.
    """

    at: tuple[float, float]
    offset: tuple[float, float]
    side: str


class Words:
    """The words within a plot's axes, which are laid out for good now.

    Attributes:
        axes: of the plot.
        inside: their box, in pixels.
        taken: the boxes in which nothing may be written, in pixels.
    """

    def __init__(self, axes: "Axes", taken: Iterable["Bbox"] = ()) -> None:
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        axes.figure.set_layout_engine("none")  # type: ignore[union-attr]
        self.axes = axes
        self.inside = axes.get_window_extent()
        self.taken = [*taken, *self._strokes()]
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
        self, word: str, places: Iterable[Place], arrow: dict[str, Any] | None = None
    ) -> None:
        """Write a word, with an arrow to its point where one is given; nothing where none fits.

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
                self.taken.append(box)
                return
            written.remove()

    def _is_free(self, box: "Bbox") -> bool:
        outer = self.inside
        within = outer.x0 < box.x0 and box.x1 < outer.x1 and outer.y0 < box.y0 and box.y1 < outer.y1
        return within and not any(box.padded(2).overlaps(other) for other in self.taken)

"""The roofline as a plot: what a device can do at most, and where each layer stands under it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

from costmodel.formula import show_quantity
from costmodel.render.plots import BLUE, GREY, ORANGE, plot
from costmodel.roofline import Line, Roofline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

COLOURS = {"compute": ORANGE, "memory": BLUE}
"""What bounds a layer → its colour."""

LARGEST, SMALLEST = 900, 14
"""The area of a layer that takes all of the time, and the least one, in square points."""

MOST_NUMBERS = 8
"""The most layers that are numbered: those that take longest."""

LONGEST = 40
"""The longest name that the key has."""

SMALL = 8
"""The size of all words but the axes', in points."""

PIECES = 80
"""Into how many pieces a line is cut, to see what it crosses."""


class Place(NamedTuple):
    """Where a word may stand.

    Attributes:
        at: the point that it belongs to, in data.
        offset: how far from it, in points.
        side: which end of the word is there.
    """

    at: tuple[float, float]
    offset: tuple[float, float]
    side: str


WAYS = ((0.7, -0.7), (-0.7, 0.7), (0.3, -1.0), (-0.3, 1.0), (1.0, -0.3), (-1.0, 0.3), (0.3, 1.0))
"""Where from a point its number is tried: below the roof and above it, which rises from the left."""

REACHES = (10, 15, 21, 28, 36, 45, 55, 66, 78)
"""How far from a point its number is tried, in points."""


def draw(roofline: Roofline, path: str) -> None:
    """Draw the roofline into a file.

    Raises:
        SpecError: no layer has a place in it, or the file cannot be written.
    """
    roofline.require_points()
    plot(path, lambda axes: paint(roofline, axes), width=10, height=5)


def paint(roofline: Roofline, axes: "Axes") -> None:
    """The roof, the layers, the numbers of those that take longest, and their names beside it."""
    points = [line for line in roofline.layers if line.operations and line.moved]
    longest = sorted(points, key=lambda line: (-line.time, line.row.path))[:MOST_NUMBERS]
    _scales(roofline, points, axes)
    _roofs(roofline, axes)
    _points(points, axes)
    _titles(roofline, axes)
    _legend(roofline, points, axes)
    _key(longest, points, axes)
    _words(roofline, points, longest, axes)


def _x(line: Line) -> float:
    assert line.intensity is not None
    return float(line.intensity)


def _y(line: Line) -> float:
    return float(line.performance)


def _scales(roofline: Roofline, points: Sequence[Line], axes: "Axes") -> None:
    """Both logarithmic, with room for the words around what is drawn."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    across = [*map(_x, points), *map(float, roofline.ridges.values())]
    axes.set_xlim(min(across) / 4, max(across) * 6)
    heights = [*map(float, roofline.peaks.values()), *map(_y, points)]
    axes.set_ylim(min(min(heights) / 6, max(heights) / 50), max(heights) * 8)


def _roofs(roofline: Roofline, axes: "Axes") -> None:
    """A line per peak: up to the ridge as the bandwidth allows, then flat."""
    rate = float(roofline.bandwidth)
    (left, right), (floor, _) = axes.get_xlim(), axes.get_ylim()
    for ridge, height in dict.fromkeys(_corners(roofline)):
        axes.plot([left, ridge, right], [left * rate, height, height], color="black", zorder=1)
        axes.plot([ridge, ridge], [floor, height], ":", color=GREY, zorder=0)


def _corners(roofline: Roofline) -> Iterator[tuple[float, float]]:
    """Ridge point and peak of each type."""
    for dtype, peak in roofline.peaks.items():
        yield float(roofline.ridges[dtype]), float(peak)


def _points(points: Sequence[Line], axes: "Axes") -> None:
    """One per layer, its area by its share of the time."""
    for bound, colour in COLOURS.items():
        chosen = [line for line in points if line.bound == bound]
        axes.scatter(
            list(map(_x, chosen)),
            list(map(_y, chosen)),
            s=list(map(_area, chosen)),
            c=colour,
            alpha=0.65,
            edgecolors="white",
            linewidths=0.5,
            zorder=2,
        )


def _area(line: Line) -> float:
    return max(LARGEST * float(line.share), SMALLEST)


def _titles(roofline: Roofline, axes: "Axes") -> None:
    """What is drawn, and the axes with their units."""
    graph, device = roofline.analysis.graph, roofline.analysis.basis.device
    name = f"{graph.name} ({graph.variant})" if graph.variant else graph.name
    title = f"{name} on {device.profile.fields.name}, {' '.join(roofline.types)}"
    below = f"upper bound of performance; at least {show_quantity(roofline.time, 's')} in all"
    part = "" if device.efficiency == 1 else f"; efficiency {float(device.efficiency):g}"
    axes.set_title(f"{title}\n{below}{part}", fontsize=9)
    axes.set_xlabel("arithmetic intensity (operations per byte moved)")
    axes.set_ylabel("attainable performance (operations per second)")


def _legend(roofline: Roofline, points: Sequence[Line], axes: "Axes") -> None:
    """How many layers each colour has, and how many have no place."""
    from matplotlib.lines import Line2D

    drawn = {line.row.path for line in points}
    groups = {
        **{f"{b}-bound": [line for line in points if line.bound == b] for b in COLOURS},
        "not shown, as they make no products": [
            line for line in roofline.layers if line.time and line.row.path not in drawn
        ],
    }
    colours = dict(zip(groups, (*COLOURS.values(), "white"), strict=True))
    shown = {said: lines for said, lines in groups.items() if lines}
    handles = [
        Line2D([], [], linestyle="none", marker="o", color=colours[said], markeredgecolor=GREY)
        for said in shown
    ]
    words = [f"{_counted(lines)} {said}" for said, lines in shown.items()]
    axes.legend(handles, words, loc="upper left", fontsize=SMALL, frameon=False)


def _counted(lines: Sequence[Line]) -> str:
    share = 100 * float(sum(line.share for line in lines))
    return f"{len(lines)} layer{'s' * (len(lines) > 1)}, {share:.1f} % of the time,"


def _key(numbered: Sequence[Line], points: Sequence[Line], axes: "Axes") -> None:
    """Which layer has which number, and its share of the time."""
    from matplotlib.lines import Line2D

    names = short_names(points)
    words = [
        f"{i}  {shortened(names[line.row.path])}  {float(100 * line.share):.1f} %"
        for i, line in enumerate(numbered, 1)
    ]
    axes.figure.legend(
        [Line2D([], [], linestyle="none") for _ in words],
        words,
        loc="outside right upper",
        title="the longest" if len(points) > len(numbered) else None,
        title_fontsize=SMALL,
        alignment="left",
        handlelength=0,
        handletextpad=0,
        frameon=False,
        fontsize=SMALL,
    )


def short_names(lines: Sequence[Line]) -> dict[str, str]:
    """A layer's path → the shortest end of it that no other layer has."""
    paths = [line.row.path.split("/") for line in lines]
    ends = Counter("/".join(path[i:]) for path in paths for i in range(len(path)))
    found = {}
    for path in paths:
        mine = ["/".join(path[i:]) for i in reversed(range(len(path)))]
        found[mine[-1]] = next((end for end in mine if ends[end] == 1), mine[-1])
    return found


def shortened(name: str) -> str:
    """A name without its middle where it is long: ``row_4/repeat_1/…/conv2d_1``."""
    parts = name.split("/")
    for kept in range(len(parts) - 1, 1, -1):
        shown = "/".join([*parts[: kept // 2], "…", *parts[len(parts) - (kept + 1) // 2 :]])
        if len(name) > LONGEST >= len(shown):
            return shown
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _words(
    roofline: Roofline, points: Sequence[Line], numbered: Sequence[Line], axes: "Axes"
) -> None:
    """What is written within the axes, each where it hides nothing; else it is left out."""
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    axes.figure.set_layout_engine("none")  # type: ignore[union-attr]
    taken = [*_discs(points, axes), *_strokes(axes), axes.get_legend().get_window_extent()]  # type: ignore[union-attr]
    for i, line in enumerate(numbered, 1):
        places = _around((_x(line), _y(line)))
        taken += _write(str(i), places, axes, taken, {"arrowprops": _LEADER})
    for word, places in _roof_words(roofline, axes):
        taken += _write(word, places, axes, taken, {})


_LEADER = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 0}


def _around(at: tuple[float, float]) -> Iterator[Place]:
    for far in REACHES:
        for x, y in WAYS:
            yield Place(at, (x * far, y * far), "left" if x > 0 else "right")


def _roof_words(roofline: Roofline, axes: "Axes") -> Iterator[tuple[str, Iterable[Place]]]:
    """The figures of the roof, each with the places along its line."""
    (left, right), (floor, _) = axes.get_xlim(), axes.get_ylim()
    peaks, rate = roofline.peaks, float(roofline.bandwidth)
    for ridge, height in dict.fromkeys(_corners(roofline)):
        types = " ".join(dtype for dtype in peaks if float(peaks[dtype]) == height)
        flat = [right * (ridge / right) ** (i / 8) for i in range(8)]
        places = [Place((x, height), (-4, y), "right") for y in (9, -9) for x in flat]
        yield f"{show_quantity(height, 'op/s')} {types}", places
        up = [(side, i) for i in range(6) for side in ("left", "right")]
        yield (
            f"ridge {ridge:.4g}",
            [Place((ridge, floor), (4 if s == "left" else -4, 8 + 11 * i), s) for s, i in up],
        )
    start, end = max(left, floor / rate), max(ridge for ridge, _ in _corners(roofline))
    rising = [start * (end / start) ** (i / 12) for i in (2, 3, 4, 5, 6, 7, 8, 9, 10, 1)]
    yield show_quantity(roofline.bandwidth, "B/s"), [
        Place((x, x * rate), (10, -8), "left") for x in rising
    ]


def _discs(points: Sequence[Line], axes: "Axes") -> Iterator["Bbox"]:
    """The boxes of the points, a little smaller than their corners."""
    from matplotlib.transforms import Bbox

    scale = axes.figure.dpi / 72
    for line in points:
        x, y = axes.transData.transform((_x(line), _y(line)))
        radius = 0.8 * scale * sqrt(_area(line) / pi)
        yield Bbox([[x - radius, y - radius], [x + radius, y + radius]])


def _strokes(axes: "Axes") -> Iterator["Bbox"]:
    """The boxes of the pieces of all lines."""
    from matplotlib.transforms import Bbox

    for drawn in axes.lines:
        corners = axes.transData.transform(drawn.get_xydata())
        for a, b in zip(corners, corners[1:], strict=False):
            steps = [a + (b - a) * i / PIECES for i in range(PIECES + 1)]
            for near, far in zip(steps, steps[1:], strict=False):
                yield Bbox([near, far]).padded(1)


def _write(
    word: str,
    places: Iterable[Place],
    axes: "Axes",
    taken: Sequence["Bbox"],
    style: dict[str, dict[str, object]],
) -> list["Bbox"]:
    """Write a word at the first place where it is free, and tell its box; else write nothing."""
    from matplotlib.text import Text

    inside = axes.get_window_extent()
    for at, offset, side in places:
        written = axes.annotate(
            word, at, offset, textcoords="offset points", ha=side, va="center", fontsize=SMALL, **style
        )
        written.set_in_layout(False)
        written.get_window_extent()  # moves it; this is of the line to its point too
        box = Text.get_window_extent(written)
        if _is_within(box, inside) and not any(box.padded(2).overlaps(other) for other in taken):
            return [box]
        written.remove()
    return []


def _is_within(box: "Bbox", outer: "Bbox") -> bool:
    return bool(outer.x0 < box.x0 and box.x1 < outer.x1 and outer.y0 < box.y0 and box.y1 < outer.y1)

"""The roofline as a plot: what a device can do at most, where layers stand, how long they take."""

from collections.abc import Iterator, Sequence
from math import pi, sqrt
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from archspec.arithmetic import Rational
from costmodel.render.fitting import shortened
from costmodel.render.plot_labels import LEADER, SMALL, LabelPlace, LabelWriter, around
from costmodel.render.plots import BLUE, GREY, ORANGE, Drawing, plot
from costmodel.rules.formula import show_quantity
from costmodel.studies.latency import Roof, Roofline, RooflineEntry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"compute": ORANGE, "memory": BLUE}
"""What bounds a layer → its colour."""

LARGEST, SMALLEST = 900, 14
"""The area of a layer that takes all of the time, and the least one, in square points."""

MOST_NUMBERS = 8
"""The most layers that are numbered: those that take longest."""

LONGEST = 40
"""The longest name that stands above a bar."""

WIDEST = 76
"""The most signs on a line of the title."""


class RooflinePoint(NamedTuple):
    """A layer under the roof.

    Attributes:
        x: operations per byte.
        y: operations per second at most.
        area: in square points, by its share of the time.
        bound: what bounds it.
    """

    x: float
    y: float
    area: float
    bound: str | None


class PointGroup(NamedTuple):
    """A line of the legend: its words, and the colour of its sign."""

    words: str
    colour: str


class TimeBar(NamedTuple):
    """The time of a layer, or of several together.

    Attributes:
        words: its number and name, or how many they are.
        share: its part of the network's time, in percent.
        detail: the same and the time, as texts.
        colour: by what bounds it.
    """

    words: str
    share: float
    detail: str
    colour: str


class RooflineFigure(NamedTuple):
    """The contents of a roofline plot.

    Attributes:
        title: the network and the device, then the time.
        roofs: one per peak.
        bandwidth: the bytes per second.
        points: the layers that have a place.
        longest: those of them that are numbered, in order.
        times: their times, then those of all others, which add up to the network's.
        groups: the legend.
    """

    title: str
    roofs: tuple[Roof, ...]
    bandwidth: Rational
    points: list[RooflinePoint]
    longest: list[RooflinePoint]
    times: list[TimeBar]
    groups: list[PointGroup]


def draw(roofline: Roofline, path: str) -> Drawing:
    """Draw the roofline into a file.

    Raises:
        SpecError: no layer has a place in it, or the file cannot be written.
    """
    roofline.require_points()
    about = f"{_pair(roofline)}: roofline, layer by layer"
    return plot(path, about, view_of(roofline), paint, width=11, height=5.5)


def view_of(roofline: Roofline) -> RooflineFigure:
    """Return the contents of a roofline's plot."""
    lines = [line for line in roofline.layers if line.operations and line.moved]
    longest = sorted(lines, key=lambda line: (-line.time, line.row.path))[:MOST_NUMBERS]
    return RooflineFigure(
        _title(roofline),
        roofline.roofs,
        roofline.bandwidth,
        list(map(_point, lines)),
        list(map(_point, longest)),
        list(_times(roofline, longest)),
        list(_groups(roofline, lines)),
    )


def _times(roofline: Roofline, longest: Sequence[RooflineEntry]) -> Iterator[TimeBar]:
    """Yield the times of the longest layers, then of all others by what bounds them."""
    lines = [line for line in roofline.layers if line.time]
    paths = [line.row.path for line in lines]
    names = dict(zip(paths, shortened(paths, LONGEST), strict=True))
    for i, line in enumerate(longest, 1):
        yield _time(f"{i}  {names[line.row.path]}", [line], line.bound)
    drawn = {line.row.path for line in longest}
    others = [line for line in lines if line.row.path not in drawn]
    for bound in COLOURS:
        if bounded := [line for line in others if line.operations and line.bound == bound]:
            yield _time(f"{len(bounded)} others, {bound}-bound", bounded, bound)
    if left := [line for line in others if not line.operations]:
        yield _time(f"{len(left)} without products", left, None)


def _time(words: str, lines: Sequence[RooflineEntry], bound: str | None) -> TimeBar:
    share = 100 * float(sum(line.share for line in lines))
    time = show_quantity(sum(line.time for line in lines), "s")
    return TimeBar(words, share, f"{share:.1f} %  {time}", COLOURS.get(bound or "", GREY))


def _point(line: RooflineEntry) -> RooflinePoint:
    assert line.intensity is not None
    area = max(LARGEST * float(line.share), SMALLEST)
    return RooflinePoint(float(line.intensity), float(line.performance), area, line.bound)


def _pair(roofline: Roofline) -> str:
    """The network on the device."""
    device = roofline.analysis.context.device
    return f"{roofline.analysis.graph.title} on {device.profile.fields.name}"


def _title(roofline: Roofline) -> str:
    title = f"{_pair(roofline)}, {' '.join(roofline.types)}"
    below = f"upper bound of performance; at least {show_quantity(roofline.time, 's')} in all"
    efficiency = roofline.analysis.context.device.efficiency
    part = "" if efficiency == 1 else f"; efficiency {float(efficiency):g}"
    return f"{fill(title, WIDEST)}\n{below}{part}"


def _groups(roofline: Roofline, points: Sequence[RooflineEntry]) -> Iterator[PointGroup]:
    """Yield the groups of the legend: the layers of each colour, and those without a place."""
    for bound, colour in COLOURS.items():
        if bounded := [line for line in points if line.bound == bound]:
            yield PointGroup(f"{_counted(bounded)} {bound}-bound", colour)
    drawn = {line.row.path for line in points}
    if left := [line for line in roofline.layers if line.time and line.row.path not in drawn]:
        yield PointGroup(f"{_counted(left)} not shown, as they make no products", "white")


def _counted(lines: Sequence[RooflineEntry]) -> str:
    share = 100 * float(sum(line.share for line in lines))
    return f"{len(lines)} layer{'' if len(lines) == 1 else 's'}, {share:.1f} % of the time,"


def paint(view: RooflineFigure, axes: "Axes") -> None:
    """The roof, the layers, the numbers of those that take longest, and their times beside it."""
    figure = axes.figure
    panels = figure.add_gridspec(1, 2, width_ratios=(3, 2))
    axes.set_subplotspec(panels[0])
    _bars(view, figure.add_subplot(panels[1]))
    _scales(view, axes)
    _roofs(view, axes)
    _points(view, axes)
    axes.set_title(view.title, fontsize=9)
    axes.set_xlabel("arithmetic intensity (operations per byte moved)")
    axes.set_ylabel("attainable performance (operations per second)")
    _legend(view, axes)
    _words(view, axes)


def _scales(view: RooflineFigure, axes: "Axes") -> None:
    """Both logarithmic, with room for the words around what is drawn."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    across = [*(point.x for point in view.points), *(float(roof.ridge) for roof in view.roofs)]
    axes.set_xlim(min(across) / 4, max(across) * 6)
    points = [point.y for point in view.points]
    heights = [*points, *(float(roof.peak) for roof in view.roofs)]
    axes.set_ylim(min(min(heights) / 6, max(heights) / 50), max(heights) * 8)


def _roofs(view: RooflineFigure, axes: "Axes") -> None:
    """Draw a line for each peak: rising with the bandwidth up to the ridge point, then flat."""
    rate = float(view.bandwidth)
    (left, right), (floor, _) = axes.get_xlim(), axes.get_ylim()
    for roof in view.roofs:
        ridge, height = float(roof.ridge), float(roof.peak)
        axes.plot([left, ridge, right], [left * rate, height, height], color="black", zorder=1)
        axes.plot([ridge, ridge], [floor, height], ":", color=GREY, zorder=0)


def _points(view: RooflineFigure, axes: "Axes") -> None:
    """One per layer, its area by its share of the time."""
    for bound, colour in COLOURS.items():
        chosen = [point for point in view.points if point.bound == bound]
        axes.scatter(
            [point.x for point in chosen],
            [point.y for point in chosen],
            s=[point.area for point in chosen],
            c=colour,
            alpha=0.65,
            edgecolors="white",
            linewidths=0.5,
            zorder=2,
        )


def _legend(view: RooflineFigure, axes: "Axes") -> None:
    """Draw the legend: the number of layers of each colour, and of those without a place."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="none", marker="o", color=colour, markeredgecolor=GREY)
        for _, colour in view.groups
    ]
    words = [group.words for group in view.groups]
    axes.legend(handles, words, loc="upper left", fontsize=SMALL, frameon=False)


def _bars(view: RooflineFigure, axes: "Axes") -> None:
    """Draw a bar for each time, its name above it and the numbers behind it."""
    for i, bar in enumerate(view.times):
        axes.barh(i, bar.share, height=0.3, color=bar.colour, alpha=0.8)
        axes.annotate(
            bar.words, (0, i), (0, 6), textcoords="offset points", fontsize=SMALL, va="bottom"
        )
        axes.annotate(
            bar.detail,
            (bar.share, i),
            (4, 0),
            textcoords="offset points",
            fontsize=SMALL,
            va="center",
        )
    axes.set_xlim(0, 1.4 * max(bar.share for bar in view.times))
    axes.set_ylim(max(len(view.times), MOST_NUMBERS + 3) - 0.5, -0.8)
    axes.set_title("time of each layer, all of its runs together", fontsize=9)
    axes.set_axis_off()


def _words(view: RooflineFigure, axes: "Axes") -> None:
    """The numbers of layers, then the figures of the roofs."""
    words = LabelWriter(axes)
    for point in view.points:
        words.keep_free(point.x, point.y, sqrt(point.area / pi))
    for i, point in enumerate(view.longest, 1):
        words.write(str(i), around(point.x, point.y), LEADER)
    for roof in view.roofs:
        words.write(f"{show_quantity(roof.peak, 'op/s')} {' '.join(roof.types)}", _flat(roof, axes))
        words.write(f"ridge {float(roof.ridge):.4g}", _upright(roof, axes))
    words.write(show_quantity(view.bandwidth, "B/s"), _rising(view, axes))


def _flat(roof: Roof, axes: "Axes") -> Iterator[LabelPlace]:
    """Over and under the flat part, from the right."""
    right, ridge = axes.get_xlim()[1], float(roof.ridge)
    for height in (9, -9):
        for i in range(8):
            x = right * (ridge / right) ** (i / 8)
            yield LabelPlace((x, float(roof.peak)), (-4, height), "right")


def _upright(roof: Roof, axes: "Axes") -> Iterator[LabelPlace]:
    """Beside the ridge, from the bottom."""
    foot = float(roof.ridge), axes.get_ylim()[0]
    for i in range(6):
        yield LabelPlace(foot, (4, 8 + 11 * i), "left")
        yield LabelPlace(foot, (-4, 8 + 11 * i), "right")


def _rising(view: RooflineFigure, axes: "Axes") -> Iterator[LabelPlace]:
    """Under the part that rises, from near its lower end."""
    rate = float(view.bandwidth)
    start = max(axes.get_xlim()[0], axes.get_ylim()[0] / rate)
    end = max(float(roof.ridge) for roof in view.roofs)
    for i in range(2, 12):
        x = start * (end / start) ** (i / 12)
        yield LabelPlace((x, x * rate), (10, -8), "left")

"""The roofline as a plot: what a device can do at most, and where each layer stands under it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import pi, sqrt
from textwrap import fill
from typing import TYPE_CHECKING

from costmodel.formula import show_quantity
from costmodel.render.plots import BLUE, GREY, ORANGE, plot
from costmodel.render.words import LEADER, SMALL, Place, Words, around
from costmodel.roofline import Line, Roof, Roofline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"compute": ORANGE, "memory": BLUE}
"""What bounds a layer → its colour."""

LARGEST, SMALLEST = 900, 14
"""The area of a layer that takes all of the time, and the least one, in square points."""

MOST_NUMBERS = 8
"""The most layers that are numbered: those that take longest."""

LONGEST = 40
"""The longest name that the key has."""

WIDEST = 76
"""The most signs on a line of the title, beside the widest key."""


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
    across = [*map(_x, points), *(float(roof.ridge) for roof in roofline.roofs)]
    axes.set_xlim(min(across) / 4, max(across) * 6)
    heights = [*map(_y, points), *(float(roof.peak) for roof in roofline.roofs)]
    axes.set_ylim(min(min(heights) / 6, max(heights) / 50), max(heights) * 8)


def _roofs(roofline: Roofline, axes: "Axes") -> None:
    """A line per peak: up to the ridge as the bandwidth allows, then flat."""
    rate = float(roofline.bandwidth)
    (left, right), (floor, _) = axes.get_xlim(), axes.get_ylim()
    for roof in roofline.roofs:
        ridge, height = float(roof.ridge), float(roof.peak)
        axes.plot([left, ridge, right], [left * rate, height, height], color="black", zorder=1)
        axes.plot([ridge, ridge], [floor, height], ":", color=GREY, zorder=0)


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
    axes.set_title(f"{fill(title, WIDEST)}\n{below}{part}", fontsize=9)
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
    return f"{len(lines)} layer{'' if len(lines) == 1 else 's'}, {share:.1f} % of the time,"


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
    """The numbers of layers, then the figures of the roofs."""
    words = Words(axes)
    for line in points:
        words.keep_free(_x(line), _y(line), sqrt(_area(line) / pi))
    for i, line in enumerate(numbered, 1):
        words.write(str(i), around(_x(line), _y(line)), LEADER)
    for roof in roofline.roofs:
        words.write(f"{show_quantity(roof.peak, 'op/s')} {' '.join(roof.types)}", _flat(roof, axes))
        words.write(f"ridge {float(roof.ridge):.4g}", _upright(roof, axes))
    words.write(show_quantity(roofline.bandwidth, "B/s"), _rising(roofline, axes))


def _flat(roof: Roof, axes: "Axes") -> Iterator[Place]:
    """Over and under the flat part, from the right."""
    right, ridge = axes.get_xlim()[1], float(roof.ridge)
    for height in (9, -9):
        for i in range(8):
            x = right * (ridge / right) ** (i / 8)
            yield Place((x, float(roof.peak)), (-4, height), "right")


def _upright(roof: Roof, axes: "Axes") -> Iterator[Place]:
    """Beside the ridge, from the bottom."""
    foot = float(roof.ridge), axes.get_ylim()[0]
    for i in range(6):
        yield Place(foot, (4, 8 + 11 * i), "left")
        yield Place(foot, (-4, 8 + 11 * i), "right")


def _rising(roofline: Roofline, axes: "Axes") -> Iterator[Place]:
    """Under the part that rises, from near its lower end."""
    rate = float(roofline.bandwidth)
    start = max(axes.get_xlim()[0], axes.get_ylim()[0] / rate)
    end = max(float(roof.ridge) for roof in roofline.roofs)
    for i in range(2, 12):
        x = start * (end / start) ** (i / 12)
        yield Place((x, x * rate), (10, -8), "left")

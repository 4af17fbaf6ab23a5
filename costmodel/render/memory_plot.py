"""A memory profile as a figure: a bar per layer, in the order in which they work."""

from collections.abc import Sequence
from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from costmodel.render.plots import BLUE, GREY, ORANGE, Drawing, plot
from costmodel.rules.formula import show_quantity
from costmodel.studies.memory import IN_OUT, MemoryProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMES = 40
"""The most layers whose names stand below their bars; of more, groups are named."""

LABEL_ROOM = 0.2
"""Inches of the axis that a name takes."""

UNITS = {10**9: "GB", 10**6: "MB", 10**3: "kB", 1: "bytes"}
"""Bytes → the unit that is as many, the largest first."""


class Ticks(NamedTuple):
    """The labels below the bars: their places, their texts, and the words below those."""

    places: list[int]
    names: list[str]
    below: str


class CapacityLine(NamedTuple):
    """The device's memory: how high its line is, and what it is."""

    height: float
    label: str


class Bars(NamedTuple):
    """The bars of a memory figure.

    Attributes:
        title: the network, then types and values.
        unit: of all heights.
        own: input + output of each layer.
        rest: what else is in memory.
        ticks: the names of layers, or of groups.
        capacity: the device's memory, where it is not far above all bars.
        peak: the number of the layer with the largest bar, from 1.
        peak_label: its bytes and its name.
    """

    title: str
    unit: str
    own: list[float]
    rest: list[float]
    ticks: Ticks
    capacity: CapacityLine | None
    peak: int
    peak_label: str

    @property
    def top(self) -> float:
        """The height of the largest bar."""
        return max(map(sum, zip(self.own, self.rest, strict=True)))


def draw(profile: MemoryProfile, path: str) -> Drawing:
    """Draw a profile into a file (see `plot`)."""
    width = max(7.0, min(14.0, 3 + len(profile.layers) / 5))
    about = f"{profile.report.title}: memory of activations, layer by layer"
    return plot(path, about, bars_of(profile, width), _paint, width=width)


def bars_of(profile: MemoryProfile, width: float) -> Bars:
    """Return the bars of a profile's figure for a width in inches."""
    size, unit = next((s, u) for s, u in UNITS.items() if profile.most >= s or s == 1)
    alive = [float(profile.number(row, profile.alive) / size) for row in profile.layers]
    own = [float(profile.number(row, IN_OUT) / size) for row in profile.layers]
    own = list(map(min, own, alive))
    peak = profile.peak(profile.alive)
    return Bars(
        _title(profile, width),
        unit,
        own,
        [top - low for top, low in zip(alive, own, strict=True)],
        _ticks(profile, width),
        _capacity(profile, size),
        profile.layers.index(peak) + 1,
        f"{show_quantity(profile.most, 'B')} at {_short(peak.path)}",
    )


def _paint(bars: Bars, axes: "Axes") -> None:
    numbers = range(1, len(bars.own) + 1)
    axes.bar(numbers, bars.own, color=BLUE, label="input + output of the layer")
    axes.bar(numbers, bars.rest, bottom=bars.own, color=ORANGE, label="what else is in memory")
    places, names, below = bars.ticks
    axes.set_xticks(places, names, rotation=60, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_xlabel(below)
    if bars.capacity is not None:
        height, label = bars.capacity
        axes.axhline(height, color=GREY, linestyle="--", linewidth=1, label=label)
    axes.set_xlim(0.3, len(bars.own) + 0.7)
    axes.set_ylabel(f"memory of activations ({bars.unit})")
    axes.set_ylim(0, 1.22 * bars.top)
    axes.set_title(bars.title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    _mark_peak(bars, axes)
    axes.legend(loc="upper right", frameon=False, ncols=3, fontsize=8)


def _title(profile: MemoryProfile, width: float) -> str:
    """The network, then the types and values, broken to the width in inches."""
    types = " ".join(profile.analysis.types["activations"])
    unbroken = profile.report.setting.replace(" = ", "\u00a0=\u00a0")
    about = wrap(f"activations in {types}; {unbroken}", int(13 * width))
    return "\n".join([f"{profile.report.title}: what is in memory while each layer works", *about])


def _ticks(profile: MemoryProfile, width: float) -> Ticks:
    """Every layer by its name; where names recur or are many, the groups where they begin."""
    labels = [profile.report.label(row) for row in profile.layers]
    if len(labels) <= MAX_NAMES and len(set(labels)) == len(labels):
        return Ticks(list(range(1, len(labels) + 1)), labels, "")
    room = ceil(LABEL_ROOM * len(labels) / (width - 1))
    places, names = _groups([row.path.split("/") for row in profile.layers], room)
    return Ticks(places, names, "layers, in the order in which they work")


def _groups(paths: Sequence[Sequence[str]], room: int) -> tuple[list[int], list[str]]:
    """Return the places where groups begin and their names, without those too near to another.

    A table of rows and a repeat are named by what is in them.
    """
    starts: dict[tuple[str, ...], int] = {}
    for number, path in enumerate(paths, 1):
        holds_groups = path[0].rpartition("_")[0] in ("foreach", "repeat")
        starts.setdefault(tuple(path[: 1 + holds_groups]), number)
    kept: list[tuple[int, str]] = []
    for group, number in starts.items():
        if not kept or number - kept[-1][0] >= room:
            kept.append((number, group[-1]))
    return [number for number, _ in kept], [name for _, name in kept]


def _capacity(profile: MemoryProfile, size: int) -> CapacityLine | None:
    """The device's memory, where it is not far above all bars."""
    capacity = profile.capacity
    if capacity is None or capacity > 2 * profile.most:
        return None
    device = profile.analysis.scenario.device
    assert device is not None
    label = f"{device.profile.key}: {show_quantity(capacity, 'B')}"
    return CapacityLine(float(capacity / size), label)


def _mark_peak(bars: Bars, axes: "Axes") -> None:
    """The largest bar with its layer and bytes, on the side where there is room."""
    is_left = bars.peak <= len(bars.own) / 2
    axes.annotate(
        bars.peak_label,
        (bars.peak, bars.top),
        xytext=(0, 4),
        textcoords="offset points",
        ha="left" if is_left else "right",
        fontsize=8,
    )


def _short(path: str, most: int = 48) -> str:
    """The end of a path, where it is long."""
    return path if len(path) <= most else f"…{path[-most:]}"

"""A memory profile as a figure: a bar per layer, in the order in which they work."""

from collections.abc import Sequence
from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING

from costmodel.formula import show_quantity
from costmodel.profile import IN_OUT, Profile
from costmodel.render.plots import BLUE, GREY, ORANGE, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMES = 40
"""The most layers whose names stand below their bars; of more, groups are named."""

LABEL_ROOM = 0.2
"""Inches of the axis that a name takes."""

UNITS = {10**9: "GB", 10**6: "MB", 10**3: "kB", 1: "bytes"}
"""Bytes → the unit that is as many, the largest first."""


def draw(profile: Profile, path: str) -> None:
    """Draw a profile into a file (see `plot`)."""
    width = max(7.0, min(14.0, 3 + len(profile.layers) / 5))
    plot(path, lambda axes: _paint(profile, axes, width), width=width)


def _paint(profile: Profile, axes: "Axes", width: float) -> None:
    size, unit = next((s, u) for s, u in UNITS.items() if profile.most >= s or s == 1)
    numbers = range(1, len(profile.layers) + 1)
    alive = [float(profile.number(row, profile.alive) / size) for row in profile.layers]
    own = [float(profile.number(row, IN_OUT) / size) for row in profile.layers]
    own = list(map(min, own, alive))
    rest = [top - low for top, low in zip(alive, own, strict=True)]
    axes.bar(numbers, own, color=BLUE, label="input + output of the layer")
    axes.bar(numbers, rest, bottom=own, color=ORANGE, label="what else is in memory")
    _name_layers(profile, axes, width)
    _mark_capacity(profile, axes, size)
    axes.set_xlim(0.3, len(alive) + 0.7)
    axes.set_ylabel(f"memory of activations ({unit})")
    axes.set_ylim(0, 1.22 * max(alive))
    axes.set_title(_title(profile, width), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    _mark_peak(profile, axes, alive)
    axes.legend(loc="upper right", frameon=False, ncols=3, fontsize=8)


def _title(profile: Profile, width: float) -> str:
    """The network, then the types and values, broken to the width in inches."""
    report, variant = profile.report, profile.analysis.graph.variant
    types = " ".join(profile.analysis.types["activations"])
    name = f"{report.title}@{variant}" if variant else report.title
    unbroken = report.setting.replace(" = ", "\u00a0=\u00a0")
    about = wrap(f"activations in {types}; {unbroken}", int(13 * width))
    return "\n".join([f"{name}: what is in memory while each layer works", *about])


def _name_layers(profile: Profile, axes: "Axes", width: float) -> None:
    """Every layer by its name; where names recur or are many, the groups where they begin."""
    labels = [profile.report.label(row).strip() for row in profile.layers]
    places = list(range(1, len(labels) + 1))
    if len(labels) > MAX_NAMES or len(set(labels)) < len(labels):
        axes.set_xlabel("layers, in the order in which they work")
        room = ceil(LABEL_ROOM * len(labels) / (width - 1))
        places, labels = _groups([row.path.split("/") for row in profile.layers], room)
    axes.set_xticks(places, labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=7)


def _groups(paths: Sequence[Sequence[str]], room: int) -> tuple[list[int], list[str]]:
    """Where groups begin, and their names, those left out that begin too near to another.

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


def _mark_capacity(profile: Profile, axes: "Axes", size: int) -> None:
    """The device's memory as a line, where it is not far above all bars."""
    capacity = profile.capacity
    if capacity is None or capacity > 2 * profile.most:
        return
    device = profile.analysis.scenario.device
    assert device is not None
    label = f"{device.profile.key}: {show_quantity(capacity, 'B')}"
    axes.axhline(float(capacity / size), color=GREY, linestyle="--", linewidth=1, label=label)


def _mark_peak(profile: Profile, axes: "Axes", alive: list[float]) -> None:
    """The largest bar with its layer and bytes, on the side where there is room."""
    row = profile.peak(profile.alive)
    number = profile.layers.index(row) + 1
    is_left = number <= len(alive) / 2
    text = f"{show_quantity(profile.most, 'B')} at {_short(row.path)}"
    axes.annotate(
        text,
        (number, max(alive)),
        xytext=(0, 4),
        textcoords="offset points",
        ha="left" if is_left else "right",
        fontsize=8,
    )


def _short(path: str, most: int = 48) -> str:
    """The end of a path, where it is long."""
    return path if len(path) <= most else f"…{path[-most:]}"

"""A sweep as a figure: lines over one symbol, heat maps over two, a front among its points."""

from collections.abc import Sequence
from itertools import islice
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from costmodel.render.plots import BLUE, GREEN, GREY, ORANGE, Drawing, plot
from costmodel.sweep.figures import (
    Among,
    Cloud,
    Figure,
    Map,
    Panel,
    Scaled,
    Side,
    among,
    bars,
    maps,
    panels,
    spread,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#000000", GREY)
"""Of lines. Source: Okabe and Ito, 2008."""

MAX_TICKS = 9
"""The most values of a symbol that have a tick each."""

MAX_NAMES, MAX_TRIED = 12, 100
"""The most points of a front that have their names, and the most that are tried."""

OFFSETS = (((6, -9), "left"), ((6, 4), "left"), ((-6, 4), "right"), ((-6, -9), "right"))
"""Where a point's name may stand, in points from it, and which of its ends is at the point."""


Title = tuple[str, str]
"""The networks; links, and the values of what does not vary."""


def draw(figure: Figure, path: str) -> Drawing:
    """Draw a sweep into a file (see `plot`).

    Raises:
        SpecError: there is nothing to draw.
    """
    about, title, rows = figure.about, figure.title, figure.rows
    count = len(figure.measures)
    if figure.of_front:
        return plot(path, about, (title, among(figure, rows)), _front, height=5.5)
    if not figure.symbols:
        size = {"width": 3 + 2.8 * count, "height": 1.2 + 0.24 * figure.count}
        return plot(path, about, (title, *bars(figure, rows)), _bars, **size)
    if len(figure.symbols) == 1:
        height = max(3.6, 1.2 + 2.1 * count)
        return plot(path, about, (title, *panels(figure, rows)), _lines, height=height)
    width = 1 + 5 * count
    return plot(path, about, (title, maps(figure, rows)), _maps, width=width, height=4.8)


def _sheet(axes: "Axes") -> "Sheet":
    sheet = axes.get_figure(root=True)
    assert sheet is not None
    return sheet


def _split(axes: "Axes", rows: int, columns: int, **shared: Any) -> tuple["Sheet", list["Axes"]]:
    """Several panels in place of one."""
    sheet = _sheet(axes)
    axes.remove()
    return sheet, list(sheet.subplots(rows, columns, squeeze=False, **shared).flat)


def _entitle(title: Title, sheet: "Sheet") -> None:
    names, about = title
    lines = wrap(about, int(13 * sheet.get_figwidth()))
    sheet.suptitle("\n".join([names, *lines]), fontsize=9)


def _scale(panel: "Axes", which: str, side: Side) -> None:
    """A symbol along a side, a tick at each of few values."""
    from matplotlib.ticker import FixedFormatter, NullLocator

    axis = getattr(panel, f"{which}axis")
    if side.is_geometric:
        getattr(panel, f"set_{which}scale")("log", base=2)
        axis.set_minor_locator(NullLocator())
    if len(side.values) <= MAX_TICKS:
        axis.set_ticks(side.values)
        axis.set_major_formatter(FixedFormatter([f"{value:g}" for value in side.values]))
    axis.set_label_text(side.label)


def _lines(shown: tuple[Title, Side, list[Panel]], axes: "Axes") -> None:
    """A panel for each column, all over the same symbol."""
    title, side, found = shown
    sheet, places = _split(axes, len(found), 1, sharex=True)
    for place, panel in zip(places, found, strict=True):
        for i, line in enumerate(panel.lines):
            style = _style(i, len(panel.lines)) | {"marker": "o" if len(line.x) <= 40 else ""}
            place.plot(line.x, line.y, markersize=3, label=line.name, **style)
        place.set_ylabel("\n".join(wrap(panel.label, 26)))
        place.set_ylim(0, 1.08 * panel.top)
        place.spines[["top", "right"]].set_visible(False)
    _scale(places[-1], "x", side)
    if len(found[0].lines) > 1:
        handles = places[0].get_legend_handles_labels()
        sheet.legend(*handles, loc="outside right upper", fontsize=8)
    _entitle(title, sheet)


def _style(number: int, count: int) -> dict[str, Any]:
    """How one of several lines looks: thinner than those below it, which stay visible."""
    style = "-" if number < len(COLOURS) else "--"
    width = 1.2 + 2.4 * (count - 1 - number) / max(count, 1)
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": style, "linewidth": width}


def _bars(shown: tuple[Title, list[str], Sequence[Scaled]], axes: "Axes") -> None:
    """A panel for each column, a bar for each network."""
    title, names, columns = shown
    sheet, places = _split(axes, 1, len(columns), sharey=True)
    for place, column in zip(places, columns, strict=True):
        drawn = place.barh(range(len(names)), column.numbers, color=BLUE)
        place.bar_label(drawn, [f"{each:.4g}" for each in column.numbers], padding=2, fontsize=7)
        place.set_xlabel(column.label)
        place.set_xlim(0, 1.22 * column.top)
        place.spines[["top", "right"]].set_visible(False)
    places[0].set_yticks(range(len(names)), names)
    places[0].set_ylim(len(names) - 0.4, -0.6)
    _entitle(title, sheet)


def _maps(shown: tuple[Title, list[Map | Cloud]], axes: "Axes") -> None:
    """A panel for each column: its values as colours, and lines of equal values."""
    title, found = shown
    sheet, places = _split(axes, 1, len(found))
    for place, each in zip(places, found, strict=True):
        if isinstance(each, Map):
            colours = _mesh(each, place)
        else:
            style: dict[str, Any] = {"cmap": "viridis", "rasterized": True}
            colours = place.scatter(each.x, each.y, 6, each.numbers, **style)
        for which, side in zip("xy", each.sides, strict=True):
            _scale(place, which, side)
        sheet.colorbar(colours, ax=place, label=each.label)
    _entitle(title, sheet)


def _mesh(each: Map, place: "Axes") -> Any:
    """A grid's values as colours; rows that are left out are blank."""
    norm = "log" if each.is_wide else "linear"
    mesh = place.pcolormesh(*each.edges, each.table, cmap="viridis", norm=norm, rasterized=True)
    if each.levels:
        across, up = (side.values for side in each.sides)
        style: dict[str, Any] = {"colors": "white", "linewidths": 0.8}
        _name_levels(place, place.contour(across, up, each.table, each.levels, **style))
    return mesh


def _name_levels(place: "Axes", lines: Any) -> None:
    """The values of lines of equal values, to be read on any colour."""
    from matplotlib.patheffects import withStroke

    for text in place.clabel(lines, fmt=lambda value: f"{value:g}", fontsize=7):
        text.set_path_effects([withStroke(linewidth=1.5, foreground="#444444")])


def _front(shown: tuple[Title, Among], axes: "Axes") -> None:
    """The front's first two objectives, all points behind it in grey; a third one is a colour."""
    title, found = shown
    axes.scatter(*found.behind, 5, "#bbbbbb", label="points", rasterized=True)
    label = f"front ({len(found.x)})"
    if found.colours is None:
        style: dict[str, Any] = {"markersize": 4, "linewidth": 0.8, "color": ORANGE}
        axes.plot(found.x, found.y, marker="o", label=label, **style)
    else:
        dots = axes.scatter(found.x, found.y, 16, found.colours, cmap="viridis", label=label)
        _sheet(axes).colorbar(dots, label=found.axes[2].label)
    for which, axis in zip("xy", found.axes, strict=False):
        getattr(axes, f"set_{which}label")(axis.label)
        if axis.is_wide:
            getattr(axes, f"set_{which}scale")("log")
    axes.margins(0.08)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="best")
    _entitle(title, _sheet(axes))
    _name_points(axes, found)


def _name_points(axes: "Axes", found: Among) -> None:
    """The names of points where there is room: the ends first, then what lies between."""
    _sheet(axes).draw_without_rendering()
    legend = axes.get_legend()
    taken_up = [legend.get_window_extent()] if legend else []
    spots = axes.transData.transform(found.points)
    placed = 0
    for i in islice(spread(len(found.names)), MAX_TRIED):
        if placed < MAX_NAMES:
            placed += _name(axes, found.points[i], found.names[i], taken_up, spots)


def _name(
    axes: "Axes",
    point: tuple[float, float],
    name: str,
    taken_up: list[Any],
    spots: Any,
) -> bool:
    """Write a point's name beside it if that lies on nothing else."""
    from matplotlib.patheffects import withStroke

    for offset, side in OFFSETS:
        text = axes.annotate(name, point, offset, textcoords="offset points", ha=side, fontsize=7)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
        box = text.get_window_extent()
        wide = box.padded(2)
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        inside = inside and axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
        covers = wide.count_contains(spots) > 0
        if inside and not covers and not any(wide.overlaps(other) for other in taken_up):
            taken_up.append(box)
            return True
        text.remove()
    return False

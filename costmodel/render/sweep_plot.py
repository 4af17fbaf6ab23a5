"""A sweep as a figure: lines over one symbol, heat maps over two, a front among its points."""

from collections.abc import Iterator, Sequence
from itertools import islice
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from costmodel.render.plot_labels import LEADER, LabelWriter, LineEnd, around, name_ends
from costmodel.render.plots import BLUE, GREEN, GREY, ORANGE, Drawing, plot
from costmodel.sweep.figures import (
    Among,
    Map,
    Paint,
    Panel,
    PlotSide,
    Scaled,
    SweepFigure,
    among,
    bars,
    maps,
    panels,
    spread,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

LINE_STYLES = ("-", "--", ":")
"""Of lines of the same colour."""

COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#000000", GREY)
"""Of lines. Source: Okabe and Ito, 2008."""

MAX_TICKS = 9
"""The most values of a symbol that have a tick each."""

MAX_LOG_TICKS = 12
"""The most ticks at values along a side that goes by factors."""

ROUND, DENSE = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)
"""Where ticks are in each decade, and where they are if there is less than one."""

LINE_ROOM = 0.18
"""The height of a panel for each line's name, in inches."""

POINT = 3
"""How far around a point of a front nothing is written, in points."""

REACH = 36
"""How far from a point of a front its name may be, in points."""

MAX_NAMES, MAX_TRIED = 12, 100
"""The most points of a front that have their names, and the most that are tried."""


Title = tuple[str, str]
"""The networks; links, and the values of what does not vary."""


def draw(figure: SweepFigure, path: str) -> Drawing:
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
        side, found = panels(figure, rows)
        height = max(3.6, 1.2 + count * max(2.1, LINE_ROOM * len(found[0].lines)))
        return plot(path, about, (title, side, found), _lines, height=height)
    width = 1 + 5 * count
    return plot(path, about, (title, maps(figure, rows)), _maps, width=width, height=4.8)


def _sheet(axes: "Axes") -> "Sheet":
    sheet = axes.get_figure()  # with root=True only since matplotlib 3.10
    assert sheet is not None
    return sheet.figure  # of a panel within another one as of one by itself


def _split(axes: "Axes", rows: int, columns: int, **shared: Any) -> tuple["Sheet", list["Axes"]]:
    """Several panels in place of one."""
    sheet = _sheet(axes)
    axes.remove()
    return sheet, list(sheet.subplots(rows, columns, squeeze=False, **shared).flat)


def _entitle(title: Title, sheet: "Sheet") -> None:
    names, about = title
    lines = wrap(about, int(13 * sheet.get_figwidth()))
    sheet.suptitle("\n".join([names, *lines]), fontsize=9)


def _scale(panel: "Axes", which: str, side: PlotSide) -> None:
    """A symbol along a side, a tick at each of few values that are not too near to each other."""
    from matplotlib.ticker import FixedFormatter

    _label(panel, which, side.label, is_log=side.is_log)
    if len(side.values) <= MAX_TICKS:
        values = list(_apart(side.values.tolist())) if side.is_log else side.values.tolist()
        axis = getattr(panel, f"{which}axis")
        axis.set_ticks(values)
        axis.set_major_formatter(FixedFormatter([f"{value:g}" for value in values]))


def _apart(values: list[float]) -> Iterator[float]:
    """Some of rising values, each by a factor above the one before of which few make the span."""
    factor = (values[-1] / values[0]) ** (1 / MAX_LOG_TICKS)
    kept = 0.0
    for value in values:
        if value >= kept * factor:
            kept = value
            yield value


def _label(panel: "Axes", which: str, label: str, *, is_log: bool, width: int = 99) -> None:
    """Return the label of an axis; a logarithmic one says so."""
    lines = "\n".join(wrap(label, width))
    scale = {"x": ", log scale", "y": "\nlog scale"}[which] if is_log else ""
    getattr(panel, f"set_{which}label")(lines + scale)
    if is_log:
        getattr(panel, f"set_{which}scale")("log")
        _round_ticks(getattr(panel, f"{which}axis"))


def _round_ticks(axis: Any) -> None:
    """Ticks at 1, 2, 5, 10 and so on, closer where there is less than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_minor_locator(NullLocator())
    axis.set_major_locator(LogLocator(subs=DENSE if high < 10 * low else ROUND))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _lines(shown: tuple[Title, PlotSide, list[Panel]], axes: "Axes") -> None:
    """A panel for each column, all over the same symbol; several lines have names at their ends."""
    title, side, found = shown
    sheet, places = _split(axes, len(found), 1, sharex=True)
    colours = _colour_lines(found[0], sheet, places)
    ends: list[tuple[Axes, list[LineEnd]]] = []
    for place, panel in zip(places, found, strict=True):
        ends.append((place, [*_panel(panel, place, colours)]))
        least, top = panel.column.least, panel.column.top
        place.set_ylim(*((least / 1.2, 1.2 * top) if panel.is_log else (0, 1.08 * top)))
        _label(place, "y", panel.column.label, is_log=panel.is_log, width=26)
        place.spines[["top", "right"]].set_visible(False)
    _scale(places[-1], "x", side)
    _entitle(title, sheet)
    if len(found[0].lines) > 1:
        name_ends(ends)
    for place, panel in zip(places, found, strict=True):
        names = [name for line in panel.lines for name in line.names]
        at = [each for line in panel.lines for each in zip(line.x, line.y, strict=True)]
        _name_points(place, names, at)


def _colour_lines(panel: Panel, sheet: "Sheet", places: list["Axes"]) -> list[list[Any]]:
    """Return the colours of each line's points, and say what they mean; none if not asked for."""
    colours = iter(_colours(panel.paint, sheet, places) if panel.paint else ())
    return [list(islice(colours, len(line.x))) for line in panel.lines]


def _colours(paint: Paint, sheet: "Sheet", places: Sequence["Axes"]) -> list[Any]:
    """Return a colour for each value, and say beside the panels what they mean."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.lines import Line2D

    if paint.numbers is None:
        known = dict(zip(dict.fromkeys(paint.texts), COLOURS, strict=False))
        dot: dict[str, Any] = {"marker": "o", "linestyle": ""}
        handles = [Line2D([], [], color=c, label=text, **dot) for text, c in known.items()]
        where: dict[str, Any] = {"loc": "outside lower center", "ncols": 4, "frameon": False}
        sheet.legend(handles=handles, title=paint.label, fontsize=8, title_fontsize=8, **where)
        return [known[text] for text in paint.texts]
    numbers = paint.numbers
    scale = ScalarMappable(Normalize(float(numbers.min()), float(numbers.max())), "viridis")
    sheet.colorbar(scale, ax=places, label=paint.label)
    return list(scale.to_rgba(numbers))


def _panel(panel: Panel, place: "Axes", colours: list[list[Any]]) -> Iterator[LineEnd]:
    """Draw the lines of a panel, and points in colours of their own; where each line ends."""
    for i, (line, own) in enumerate(zip(panel.lines, colours, strict=True)):
        style = _style(i, len(panel.lines))
        if own:
            same = all(tuple(each) == tuple(own[0]) for each in own)
            style |= {"color": own[0] if same else GREY, "linewidth": 1.2}
            place.scatter(line.x, line.y, 14, own, zorder=3)
        marker = "o" if len(line.x) <= 40 and not own else ""
        place.plot(line.x, line.y, markersize=3, label=line.name, marker=marker, **style)
        look = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 1}
        yield LineEnd(line.name, (float(line.x[-1]), float(line.y[-1])), look)


def _style(number: int, count: int) -> dict[str, Any]:
    """Return the style of one of several lines: thinner than those below it, which stay visible."""
    style = LINE_STYLES[number // len(COLOURS)]
    width = 1.2 + 2.4 * (count - 1 - number) / max(count, 1)
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": style, "linewidth": width}


def _bars(shown: tuple[Title, list[str], Sequence[Scaled], Paint | None], axes: "Axes") -> None:
    """A panel for each column, a bar for each network."""
    title, names, columns, paint = shown
    sheet, places = _split(axes, 1, len(columns), sharey=True)
    colours = BLUE if paint is None else _colours(paint, sheet, places)
    for place, column in zip(places, columns, strict=True):
        drawn = place.barh(range(len(names)), column.numbers, color=colours)
        place.bar_label(drawn, [f"{each:.4g}" for each in column.numbers], padding=2, fontsize=7)
        place.set_xlabel(column.label)
        place.set_xlim(0, 1.22 * column.top)
        place.spines[["top", "right"]].set_visible(False)
    places[0].set_yticks(range(len(names)), names)
    places[0].set_ylim(len(names) - 0.4, -0.6)
    _entitle(title, sheet)


def _maps(shown: tuple[Title, list[Map]], axes: "Axes") -> None:
    """A panel for each column: its values as colours, and lines of equal values."""
    title, found = shown
    sheet, places = _split(axes, 1, len(found))
    for place, each in zip(places, found, strict=True):
        for which, side in zip("xy", each.sides, strict=True):
            getattr(place, f"set_{which}scale")("log" if side.is_log else "linear")
        norm = "log" if each.column.is_wide else "linear"
        style: dict[str, Any] = {"cmap": "viridis", "norm": norm, "rasterized": True}
        if each.is_grid:
            edges = (side.edges for side in each.sides)
            colours: Any = place.pcolormesh(*edges, each.table, **style)
            _levels(each, place)
        else:
            colours = place.scatter(each.x, each.y, 6, each.column.numbers, **style)
        for which, side in zip("xy", each.sides, strict=True):
            _scale(place, which, side)
        bar = sheet.colorbar(colours, ax=place)
        _label(bar.ax, "y", each.column.label, is_log=each.column.is_wide)
    _entitle(title, sheet)
    for place, each in zip(places, found, strict=True):
        _name_points(place, each.names, list(zip(each.x, each.y, strict=True)))


def _levels(each: Map, place: "Axes") -> None:
    """Lines of equal values, with the values to be read on any colour."""
    from matplotlib.patheffects import withStroke

    if each.levels:
        across, up = (side.values for side in each.sides)
        style: dict[str, Any] = {"colors": "white", "linewidths": 0.8}
        lines = place.contour(across, up, each.table, each.levels, **style)
        for text in place.clabel(lines, fmt=lambda value: f"{value:g}", fontsize=7):
            text.set_path_effects([withStroke(linewidth=1.5, foreground="#444444")])


def _front(shown: tuple[Title, Among], axes: "Axes") -> None:
    """The front's first two objectives, all points behind it in grey; a third one is a colour."""
    title, found = shown
    axes.scatter(*found.behind, 5, "#bbbbbb", label="points", rasterized=True)
    label = f"front ({len(found.x)})"
    if found.paint is None:
        style: dict[str, Any] = {"markersize": 4, "linewidth": 0.8, "color": ORANGE}
        axes.plot(found.x, found.y, marker="o", label=label, **style)
    else:
        colours = _colours(found.paint, _sheet(axes), [axes])
        axes.scatter(found.x, found.y, 16, colours, label=label, zorder=3)
    for which, label, is_log in zip("xy", found.axes, found.logs, strict=True):
        _label(axes, which, label, is_log=is_log)
    axes.margins(0.08)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="best")
    _entitle(title, _sheet(axes))
    _name_points(axes, found.names, found.points)


def _name_points(axes: "Axes", names: Sequence[str], points: Sequence[tuple[float, float]]) -> None:
    """The names of points where there is room: the ends first, then what lies between."""
    from matplotlib.patheffects import withStroke

    if not names:
        return
    words = LabelWriter(axes)
    for point in points:
        words.keep_free(*point, POINT)
    placed = 0
    for i in islice(spread(len(names)), MAX_TRIED):
        if placed < MAX_NAMES and names[i]:
            written = words.write(names[i], around(*points[i], REACH), LEADER)
            if written is not None:
                written.set_path_effects([withStroke(linewidth=2, foreground="white")])
                placed += 1

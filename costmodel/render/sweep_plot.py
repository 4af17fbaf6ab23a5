"""A sweep as a figure: lines over one symbol, heat maps over two, a front among its points."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archspec.errors import SpecError
from costmodel.render.plots import BLUE, GREEN, GREY, ORANGE, plot, require_plot
from costmodel.sweep.compiled import Array
from costmodel.sweep.fields import Field, fields_of
from costmodel.sweep.frame import Chunk, joined, length, taken
from costmodel.sweep.reduce import Objective, Thinned
from costmodel.sweep.study import Sweep
from costmodel.sweep.vary import show_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_DRAWN = 1_000_000
"""The most rows that are drawn."""

MAX_BEHIND = 20_000
"""The most points that are drawn behind a front."""

MAX_PANELS, MAX_LINES = 6, 12
"""The most columns that are drawn, and the most lines of each."""

SCALES = {10**12: "trillions", 10**9: "billions", 10**6: "millions", 10**3: "thousands"}
"""By how much counts are divided, the largest first, and how that is said."""

BYTES = {10**12: "TB", 10**9: "GB", 10**6: "MB", 10**3: "kB"}
"""The same of bytes."""

PARTS = {1: "", 1e-3: "m", 1e-6: "µ", 1e-9: "n", 1e-12: "p"}
"""The same of seconds and joules."""

COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#000000", GREY)
"""Of lines. Source: Okabe and Ito, 2008."""


class Scaled(NamedTuple):
    """A column as it is drawn.

    Attributes:
        numbers: its values in its unit.
        label: what it is, with its unit.
    """

    numbers: Array
    label: str


class Drawing:
    """A figure of a sweep: it looks at the rows as they pass, and draws them in the end.

    Raises:
        SpecError: the path is that of no plot, or what varies cannot be drawn.
    """

    def __init__(self, sweep: Sweep, path: str) -> None:
        require_plot(path)
        self.sweep = sweep
        self.fields = {field.name: field for field in fields_of(sweep)}
        self.parts: list[Chunk] = []
        self.count = 0
        self.of_front = len(sweep.query.pareto) > 1
        if self.of_front:
            sweep.behind = Thinned(MAX_BEHIND)
        else:
            self._check()

    @property
    def axes(self) -> tuple[Field, ...]:
        """What varies by itself."""
        links = self.sweep.cases[0].space.links
        varied = (one.name for one in self.sweep.varied if one.name not in links)
        return tuple(self.fields[name] for name in varied)

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns of text, of which every combination is a line of its own."""
        texts = tuple(axis.name for axis in self.axes if axis.kind == "text")
        return (*self.sweep.labels, *texts)

    @property
    def symbols(self) -> tuple[Field, ...]:
        """The numbers that vary by themselves."""
        return tuple(axis for axis in self.axes if axis.kind != "text")

    @property
    def measures(self) -> tuple[Field, ...]:
        """What is drawn over them."""
        asked = [self.fields[each.text] for each in self.sweep.query.columns]
        mine = self.sweep.join.columns if self.sweep.join else ()
        asked += [self.fields[name] for name in mine if self.fields[name].kind != "text"]
        return tuple(asked)

    def _check(self) -> None:
        names = ", ".join(axis.name for axis in self.axes)
        if len(self.symbols) > 2 or (len(self.symbols) == 2 and self.groups):
            raise SpecError(
                f"a plot shows one symbol, two, or a front; here vary {names}",
                hint="fix some with --set, or draw a front with --pareto",
            )
        if len(self.measures) > MAX_PANELS:
            raise SpecError(f"{len(self.measures)} columns; at most {MAX_PANELS} are drawn")

    def passing(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same chunks, kept for the figure."""
        for chunk in chunks:
            self.count += length(chunk)
            if self.count > MAX_DRAWN:
                raise SpecError(
                    f"more than {MAX_DRAWN:,} rows are too many to draw",
                    hint="take larger steps, or leave some out with --where",
                )
            self.parts.append(dict(chunk))
            yield chunk

    def draw(self, path: str) -> None:
        """Draw into a file (see `plot`).

        Raises:
            SpecError: there is nothing to draw.
        """
        if not self.count:
            raise SpecError("no row is left to draw")
        rows = joined(self.parts)
        if self.of_front:
            plot(path, lambda axes: _front(self, rows, axes), width=8, height=5.5)
        elif not self.symbols:
            height = 1.2 + 0.24 * self.count
            width = 3 + 2.8 * len(self.measures)
            plot(path, lambda axes: _bars(self, rows, axes), width=width, height=height)
        elif len(self.symbols) == 1:
            height = max(3.6, 1.2 + 2.1 * len(self.measures))
            plot(path, lambda axes: _lines(self, rows, axes), height=height)
        else:
            width = 1 + 5 * len(self.measures)
            plot(path, lambda axes: _maps(self, rows, axes), width=width, height=4.8)


def _scaled(field: Field, rows: Chunk) -> Scaled:
    """A column in the unit that leaves few digits."""
    numbers = np.array([float(value) for value in field.values(rows).tolist()])
    largest = float(np.abs(numbers).max())
    if field.unit is not None:
        size = next((s for s in PARTS if largest >= s), 1)
        return Scaled(numbers / size, f"{field.title} ({PARTS[size]}{field.unit})")
    if field.counted == "bytes":
        unit = next((s for s in BYTES if largest >= s), 1)
        return Scaled(numbers / unit, f"{field.title} ({BYTES.get(unit, 'bytes')})")
    scale = next((s for s in SCALES if largest >= s), 1) if largest >= 10_000 else 1
    said = f" ({SCALES[scale]})" if scale > 1 else ""
    return Scaled(numbers / scale, f"{field.title}{said}")


def _panels(axes: "Axes", rows: int, columns: int, **shared: Any) -> tuple["Figure", list["Axes"]]:
    """A figure's panels in place of its only one."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    axes.remove()
    return figure, list(figure.subplots(rows, columns, squeeze=False, **shared).flat)


def _title(drawing: Drawing, figure: "Figure") -> None:
    """The networks, then the values of what does not vary."""
    cases = drawing.sweep.cases
    names = ", ".join(dict.fromkeys(_name(drawing, i) for i in range(len(cases))))
    links = ", ".join(one.said for one in drawing.sweep.varied if one.link is not None)
    fixed = cases[0].fixed if all(case.fixed == cases[0].fixed for case in cases) else {}
    values = ", ".join(f"{n}\u00a0=\u00a0{show_value(v)}" for n, v in fixed.items())
    about = "; ".join(filter(None, (links, values)))
    lines = wrap(about, int(13 * figure.get_figwidth()))
    figure.suptitle("\n".join([names, *lines]), fontsize=9)


def _name(drawing: Drawing, number: int) -> str:
    case = drawing.sweep.cases[number]
    variant = case.architecture.variant
    several = "variant" in case.labels
    name = case.architecture.header.name
    return f"{name}@{variant}" if variant and not several else name


def _groups(drawing: Drawing, rows: Chunk) -> Iterator[tuple[str, Chunk]]:
    """The rows of each line, with the line's name."""
    if not drawing.groups:
        yield "", rows
        return
    names = list(zip(*(rows[name].tolist() for name in drawing.groups), strict=True))
    for name in dict.fromkeys(names):
        yield (
            " ".join(filter(None, map(str, name))),
            taken(rows, np.array([each == name for each in names])),
        )


def _is_geometric(values: Array) -> bool:
    """Whether values rise by factors rather than by steps."""
    if len(values) < 3 or values[0] <= 0:
        return False
    steps, factors = np.diff(values), values[1:] / values[:-1]
    return bool(np.ptp(factors) < 1e-9 < np.ptp(steps))


def _scale(panel: "Axes", which: str, values: Array) -> None:
    """An axis with a tick at each of few values; by factors where the values rise so."""
    from matplotlib.ticker import FixedFormatter, NullLocator

    several = np.unique(values)
    axis = getattr(panel, f"{which}axis")
    if _is_geometric(several):
        getattr(panel, f"set_{which}scale")("log", base=2)
        axis.set_minor_locator(NullLocator())
    if len(several) <= 9:
        axis.set_ticks(several)
        axis.set_major_formatter(FixedFormatter([f"{value:g}" for value in several]))


def _lines(drawing: Drawing, rows: Chunk, axes: "Axes") -> None:
    """A panel for each column, all over the same symbol."""
    (symbol,) = drawing.symbols
    groups = list(_groups(drawing, rows))
    if len(groups) > MAX_LINES:
        raise SpecError(f"{len(groups)} lines; at most {MAX_LINES} are drawn")
    figure, panels = _panels(axes, len(drawing.measures), 1, sharex=True)
    at = {name: _order(symbol, part) for name, part in groups}
    for panel, field in zip(panels, drawing.measures, strict=True):
        whole = _scaled(field, rows)
        size = _scaled_size(field, rows, whole)
        for i, (name, part) in enumerate(groups):
            x, order = at[name]
            y = np.array([float(v) for v in field.values(part).tolist()])[order] / size
            marker = "o" if len(x) <= 40 else ""
            panel.plot(x, y, marker=marker, markersize=3, label=name, **_style(i, len(groups)))
        panel.set_ylabel("\n".join(wrap(whole.label, 26)))
        panel.set_ylim(0, 1.08 * float(whole.numbers.max()) or 1)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(_symbol_label(drawing, symbol))
    _scale(panels[-1], "x", np.concatenate([x for x, _ in at.values()]))
    if len(groups) > 1:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    _title(drawing, figure)


def _style(number: int, count: int) -> dict[str, Any]:
    """How one of several lines looks: thinner than those below it, which stay visible."""
    style = "-" if number < len(COLOURS) else "--"
    width = 1.2 + 2.4 * (count - 1 - number) / max(count, 1)
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": style, "linewidth": width}


def _order(symbol: Field, rows: Chunk) -> tuple[Array, Array]:
    """The symbol's values in order, and the rows' numbers in that order."""
    values = np.array([float(value) for value in symbol.values(rows).tolist()])
    order = np.argsort(values, kind="stable")
    return values[order], order


def _scaled_size(field: Field, rows: Chunk, scaled: Scaled) -> float:
    """By what a column was divided."""
    numbers = [abs(float(value)) for value in field.values(rows).tolist()]
    most = int(np.argmax(numbers))
    return numbers[most] / abs(float(scaled.numbers[most])) if numbers[most] else 1.0


def _symbol_label(drawing: Drawing, symbol: Field) -> str:
    declared = drawing.sweep.cases[0].space.declared.get(symbol.name)
    return f"{symbol.name} ({declared.doc})" if declared and declared.doc else symbol.name


def _bars(drawing: Drawing, rows: Chunk, axes: "Axes") -> None:
    """A panel for each column, a bar for each network."""
    figure, panels = _panels(axes, 1, len(drawing.measures), sharey=True)
    names = [name for name, _ in _groups(drawing, rows)]
    for panel, field in zip(panels, drawing.measures, strict=True):
        scaled = _scaled(field, rows)
        bars = panel.barh(range(len(names)), scaled.numbers, color=BLUE)
        panel.bar_label(bars, [f"{value:.4g}" for value in scaled.numbers], padding=2, fontsize=7)
        panel.set_xlabel(scaled.label)
        panel.set_xlim(0, 1.22 * float(scaled.numbers.max()) or 1)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    _title(drawing, figure)


def _maps(drawing: Drawing, rows: Chunk, axes: "Axes") -> None:
    """A panel for each column: its values as colours, and lines of equal values."""
    figure, panels = _panels(axes, 1, len(drawing.measures))
    sides = [np.array([float(v) for v in s.values(rows).tolist()]) for s in drawing.symbols]
    for panel, field in zip(panels, drawing.measures, strict=True):
        scaled = _scaled(field, rows)
        if drawing.sweep.cases[0].space.sample is None:
            mesh = _mesh(panel, sides, scaled.numbers)
        else:
            x, y = sides
            mesh = panel.scatter(x, y, 6, scaled.numbers, cmap="viridis", rasterized=True)
        for which, values, symbol in zip("xy", sides, drawing.symbols, strict=True):
            _scale(panel, which, values)
            getattr(panel, f"set_{which}label")(_symbol_label(drawing, symbol))
        figure.colorbar(mesh, ax=panel, label=scaled.label)
    _title(drawing, figure)


def _mesh(panel: "Axes", sides: Sequence[Array], numbers: Array) -> Any:
    """A grid's values as colours; rows that are left out are blank."""
    (columns, x), (lines, y) = (np.unique(side, return_inverse=True) for side in sides)
    table = np.full((len(lines), len(columns)), np.nan)
    table[y, x] = numbers
    masked = np.ma.masked_invalid(table)
    norm = "log" if _is_wide(numbers) else "linear"
    edges = [_edges(columns), _edges(lines)]
    mesh = panel.pcolormesh(*edges, masked, cmap="viridis", norm=norm, rasterized=True)
    levels = nice_levels(float(masked.min()), float(masked.max()))
    if min(table.shape) > 1 and levels:
        _iso_lines(panel.contour(columns, lines, masked, levels, colors="white", linewidths=0.8))
    return mesh


def _edges(values: Array) -> Array:
    """The ends of cells around values: half-way in steps, or in factors."""
    if len(values) == 1:
        return np.array([0.9 * values[0], 1.1 * values[0]])
    if _is_geometric(values):
        powers: Array = np.exp2(_edges(np.log2(values)))
        return powers
    middles = (values[1:] + values[:-1]) / 2
    return np.concatenate([[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]])


def _iso_lines(lines: Any) -> None:
    """The names of lines of equal values, to be read on any colour."""
    from matplotlib.patheffects import withStroke

    for text in lines.axes.clabel(lines, fmt=lambda value: f"{value:g}", fontsize=7):
        text.set_path_effects([withStroke(linewidth=1.5, foreground="#444444")])


def nice_levels(least: float, largest: float, most: int = 6) -> list[float]:
    """Round numbers between two, at most some: 1, 2, 5, 10, 20, … or all multiples of one."""
    if largest > 20 * least > 0:
        powers = range(int(np.floor(np.log10(least))), int(np.ceil(np.log10(largest))) + 1)
        found = [m * 10.0**p for p in powers for m in (1, 2, 5)]
        inside = [level for level in found if least < level < largest]
        return inside[:: -(-len(inside) // most)] if inside else []
    from matplotlib.ticker import MaxNLocator

    levels = MaxNLocator(most).tick_values(least, largest)
    return [float(level) for level in levels if least < level < largest]


def _is_wide(numbers: Array) -> bool:
    """Whether positive numbers are so far apart that most would be near 0."""
    return bool(numbers.min() > 0 and numbers.max() > 100 * numbers.min())


def _front(drawing: Drawing, rows: Chunk, axes: "Axes") -> None:
    """The front's first two objectives, all points behind it in grey; a third one is a colour."""
    assert drawing.sweep.behind is not None
    behind = joined(drawing.sweep.behind.rows)
    together = joined([_needed(behind, rows), rows])
    count = length(behind)
    goals = drawing.sweep.query.pareto[:3]
    scaled = [_scaled(drawing.fields[goal.text], together) for goal in goals]
    x, y = (each.numbers for each in scaled[:2])
    axes.scatter(x[:count], y[:count], 5, "#bbbbbb", label="points", rasterized=True)
    order = count + np.argsort(x[count:], kind="stable")
    label = f"front ({len(order)})"
    if len(goals) == 2:
        style: dict[str, Any] = {"markersize": 4, "linewidth": 0.8, "color": ORANGE}
        axes.plot(x[order], y[order], marker="o", label=label, **style)
    else:
        colours = scaled[2].numbers[order]
        dots = axes.scatter(x[order], y[order], 16, colours, cmap="viridis", label=label)
        axes.get_figure(root=True).colorbar(dots, label=_said(scaled[2], goals[2]))  # type: ignore[union-attr]
    for which, column, goal in zip("xy", scaled, goals, strict=False):
        getattr(axes, f"set_{which}label")(_said(column, goal))
        if _is_wide(column.numbers):
            getattr(axes, f"set_{which}scale")("log")
    _finish_front(drawing, axes)
    names = _point_names(drawing, taken(rows, order - count))
    _label_points(axes, list(zip(x[order], y[order], names, strict=True)))


def _said(scaled: Scaled, goal: Objective) -> str:
    return f"{scaled.label}: {'more' if goal.largest else 'less'} is better"


def _finish_front(drawing: Drawing, axes: "Axes") -> None:
    axes.margins(0.08)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="best")
    _title(drawing, axes.figure)  # type: ignore[arg-type]


def _needed(behind: Chunk, rows: Chunk) -> Chunk:
    return {name: behind[name] for name in rows}


def _point_names(drawing: Drawing, rows: Chunk) -> list[str]:
    """What each point is: its labels and what varies."""
    names = [*drawing.sweep.labels, *(axis.name for axis in drawing.axes)]
    columns = [rows[name].tolist() for name in names]
    return [
        ", ".join(
            str(value) if isinstance(value, str) else f"{name}={show_value(value)}"
            for name, value in zip(names, values, strict=True)
        )
        for values in zip(*columns, strict=True)
    ]


OFFSETS = (((6, -9), "left"), ((6, 4), "left"), ((-6, 4), "right"), ((-6, -9), "right"))
"""Where a point's name may stand, in points from it, and which of its ends is at the point."""

MAX_LABELS = 12


def _label_points(axes: "Axes", points: Sequence[tuple[float, float, str]]) -> None:
    """The names of points where there is room: the ends first, then what lies between."""
    figure = axes.figure
    figure.draw_without_rendering()  # type: ignore[union-attr]
    legend = axes.get_legend()
    taken_up = [legend.get_window_extent()] if legend else []
    spots = axes.transData.transform([point[:2] for point in points])
    placed = 0
    for i in _spread(len(points)):
        if placed == MAX_LABELS:
            break
        x, y, name = points[i]
        placed += _label(axes, (x, y), name, taken_up, np.delete(spots, i, axis=0))


def _label(
    axes: "Axes", point: tuple[float, float], name: str, taken_up: list[Any], spots: Array
) -> bool:
    """Write a point's name beside it if that lies on nothing else."""
    from matplotlib.patheffects import withStroke

    for offset, side in OFFSETS:
        text = axes.annotate(name, point, offset, textcoords="offset points", ha=side, fontsize=7)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
        box = text.get_window_extent()
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        inside = inside and axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
        covers = len(spots) and box.padded(2).count_contains(spots)
        if inside and not covers and not any(box.padded(2).overlaps(other) for other in taken_up):
            taken_up.append(box)
            return True
        text.remove()
    return False


def _spread(count: int) -> Iterator[int]:
    """All numbers below a count, the ends first, each next one far from those before."""
    seen: set[int] = set()
    parts = 1
    while len(seen) < count:
        for i in range(parts + 1):
            number = round(i * (count - 1) / parts)
            if number not in seen:
                seen.add(number)
                yield number
        parts *= 2

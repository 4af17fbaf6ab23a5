"""Figures of a sweep as plain numbers: lines, bars, maps, a front among its points."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from archspec.errors import SpecError, did_you_mean
from costmodel.algebra.operations import Array
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.registry import METRICS
from costmodel.sweep.fields import Field, fields_of
from costmodel.sweep.reduce import Thinned
from costmodel.sweep.rows import Rows, joined
from costmodel.sweep.study import Sweep
from costmodel.sweep.vary import show_value

MAX_DRAWN = 1_000_000
"""The most rows that are drawn."""

MAX_BEHIND = 20_000
"""The most points that are drawn behind a front."""

MAX_PANELS, MAX_LINES, MAX_COLOURS = 6, 24, 8
"""The most columns that are drawn, the most lines of each, and the most texts with a colour."""

WIDE = 10**1.5
"""By what factor numbers differ that are drawn by factors, for most would be near 0 by steps."""

NARROW = 2
"""By what factor at most they differ that are drawn by steps even then: few powers lie between."""

SCALES: dict[float, str] = {1e12: "trillions", 1e9: "billions", 1e6: "millions", 1e3: "thousands"}
"""By how much counts are divided, the largest first, and how that is said."""

BYTES: dict[float, str] = {1e12: "TB", 1e9: "GB", 1e6: "MB", 1e3: "kB", 1: "bytes"}
"""The same of bytes."""

PARTS = {1: "", 1e-3: "m", 1e-6: "µ", 1e-9: "n", 1e-12: "p"}
"""The same of seconds and joules."""


class Scaled(NamedTuple):
    """A column as it is drawn: its numbers, divided by a size, and a label that says the unit."""

    numbers: Array
    size: float
    label: str

    @property
    def top(self) -> float:
        """The largest number, or 1 where that is 0."""
        return float(self.numbers.max()) or 1.0

    @property
    def least(self) -> float:
        """The least number."""
        return float(self.numbers.min())

    @property
    def is_wide(self) -> bool:
        """Return True where its numbers are so far apart that most would be near 0."""
        return span(self.numbers) > WIDE


class PlotSide(NamedTuple):
    """A symbol along a side: what it is, its values in order, and whether it goes by factors."""

    label: str
    values: Array
    is_log: bool

    @property
    def edges(self) -> Array:
        """The ends of cells around the values: half-way in steps, or in factors."""
        values = np.log2(self.values) if self.is_log else self.values
        if len(values) == 1:
            return np.array([0.9 * self.values[0], 1.1 * self.values[0]])
        middles = (values[1:] + values[:-1]) / 2
        ends = [2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]
        edges: Array = np.concatenate(ends)
        return np.exp2(edges) if self.is_log else edges


class Paint(NamedTuple):
    """The column by which points, lines or bars are coloured: its numbers, or its texts."""

    label: str
    numbers: Array | None
    texts: tuple[str, ...] = ()

    def at(self, rows: Array) -> "Paint":
        """Return it at some rows."""
        if self.numbers is not None:
            return self._replace(numbers=self.numbers[rows])
        return self._replace(texts=tuple(self.texts[row] for row in rows))


class Curve(NamedTuple):
    """A line: its name, its points in order, their colours and names where any are asked for."""

    name: str
    x: Array
    y: Array
    paint: Paint | None = None
    names: tuple[str, ...] = ()


class Panel(NamedTuple):
    """Lines of one column: the column, the lines, whether it goes by factors."""

    column: Scaled
    lines: tuple[Curve, ...]
    is_log: bool

    @property
    def paint(self) -> Paint | None:
        """The colours of all points, line by line, if any are asked for."""
        paints = [line.paint for line in self.lines if line.paint is not None]
        if not paints:
            return None
        numbers = [each.numbers for each in paints if each.numbers is not None]
        texts = tuple(text for each in paints for text in each.texts)
        return Paint(paints[0].label, np.concatenate(numbers) if numbers else None, texts)


class Map(NamedTuple):
    """A column over two symbols, the horizontal one first, at points that may be all of a grid."""

    column: Scaled
    sides: tuple[PlotSide, PlotSide]
    x: Array
    y: Array
    is_grid: bool
    names: tuple[str, ...] = ()

    @property
    def table(self) -> Any:
        """The numbers, a line for each value of the second symbol; masked where there is none."""
        across, up = (side.values for side in self.sides)
        table = np.full((len(up), len(across)), np.nan)
        table[np.searchsorted(up, self.y), np.searchsorted(across, self.x)] = self.column.numbers
        return np.ma.masked_invalid(table)

    @property
    def levels(self) -> list[float]:
        """The values of which lines are drawn."""
        if min(len(side.values) for side in self.sides) == 1:
            return []
        return nice_levels(self.column.least, float(self.column.numbers.max()))


class Among(NamedTuple):
    """A front among its points.

    Attributes:
        axes: the sides' labels.
        logs: which of them go by factors.
        behind: where the other points are.
        x: of the front, in order.
        y: of the front.
        paint: the third objective, or the column that is asked for.
        names: what each of its points is.
    """

    axes: list[str]
    logs: tuple[bool, ...]
    behind: tuple[Array, Array]
    x: Array
    y: Array
    paint: Paint | None
    names: tuple[str, ...]

    @property
    def points(self) -> list[tuple[float, float]]:
        """The coordinates of the front's points."""
        return list(zip(self.x.tolist(), self.y.tolist(), strict=True))


class SweepFigure:
    """A figure of a sweep: it looks at the rows as they pass.

    Args:
        sweep: what is drawn.
        label: the columns that name lines, bars or points; labels and what varies if none is said.
        colour: the column by which they are coloured; of a front the third objective if none is.

    Raises:
        SpecError: what varies cannot be drawn, or what is drawn is none of a network.
    """

    def __init__(self, sweep: Sweep, label: Sequence[str] = (), colour: str | None = None) -> None:
        self.sweep = sweep
        self.fields = {field.name: field for field in fields_of(sweep)}
        self.parts: list[Rows] = []
        self.count = 0
        self.of_front = len(sweep.query.pareto) > 1
        if self.of_front:
            sweep.behind = Thinned(MAX_BEHIND)
        else:
            self._check()
        self.label, self.colour = tuple(label), colour
        for name in (*self.label, *filter(None, [colour])):
            self._check_column(name)

    def _check_column(self, name: str) -> None:
        """Make sure that a column names or colours what is drawn."""
        if name not in self.fields:
            hint = did_you_mean(name, self.fields) or f"columns: {', '.join(self.fields)}"
            hint = f"ask for it with --metric {name}" if name in METRICS else hint
            raise SpecError(f"there is no column '{name}' to name or colour by", hint=hint)
        if self.of_front or len(self.symbols) < 2:
            return
        if name == self.colour:
            cause = "a map over two symbols is coloured by the column that it shows"
            raise SpecError(cause, hint=f"draw '{name}' with --metric, or a front with --pareto")
        if self.sweep.seed is None:
            cause = "a map over two symbols has no points to be named"
            raise SpecError(cause, hint="draw a front with --pareto, or points with --sample")

    @property
    def axes(self) -> tuple[Field, ...]:
        """The columns that vary by themselves."""
        varied = (one.name for one in self.sweep.varied if one.link is None)
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
        """The columns that are drawn over them."""
        mine = self.sweep.join.columns if self.sweep.join else ()
        names = dict.fromkeys([*(each.text for each in self.sweep.query.columns), *mine])
        return tuple(self.fields[name] for name in names if self.fields[name].kind != "text")

    def _check(self) -> None:
        """Make sure that what varies can be drawn, and that every network has all its numbers."""
        names = ", ".join(axis.name for axis in self.axes)
        for name in (axis.name for axis in self.axes):
            if not all(name in case.space.names for case in self.sweep.cases):
                raise SpecError(
                    f"a plot shows what varies of all networks, and not all have '{name}'",
                    hint="set it with --set, or draw a front with --pareto",
                )
        if len(self.symbols) > 2 or (len(self.symbols) == 2 and self.groups):
            raise SpecError(
                f"a plot shows one symbol, two, or a front; here vary {names}",
                hint="fix some with --set, or draw a front with --pareto",
            )
        if len(self.measures) > MAX_PANELS:
            raise SpecError(f"{len(self.measures)} columns; at most {MAX_PANELS} are drawn")
        for name in (field.name for field in self.measures if field.name in METRICS):
            for error in filter(None, (case.none_of(name) for case in self.sweep.cases)):
                raise error

    def passing(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        """Yield the same chunks, and keep them for the figure.

        Raises:
            SpecError: they have too many rows.
        """
        for chunk in chunks:
            self.count += chunk.count
            if self.count > MAX_DRAWN:
                raise SpecError(
                    f"more than {MAX_DRAWN:,} rows are too many to draw",
                    hint="take larger steps, or leave some out with --where",
                )
            self.parts.append(chunk)
            yield chunk

    @property
    def rows(self) -> Rows:
        """The rows that are drawn.

        Raises:
            SpecError: there are none.
        """
        if not self.count:
            raise SpecError("no row is left to draw")
        return joined(self.parts)

    @property
    def title(self) -> tuple[str, str]:
        """The networks; then the links, the values of what does not vary, device and types."""
        cases = self.sweep.cases
        names = ", ".join(dict.fromkeys(self._name(i) for i in range(len(cases))))
        links = ", ".join(one.text for one in self.sweep.varied if one.link is not None)
        fixed = self.sweep.fixed.items()
        values = ", ".join(f"{n}\u00a0=\u00a0{show_value(v)}" for n, v in fixed)
        return names, "; ".join(filter(None, (links, values, *self._scenario())))

    def _scenario(self) -> Iterator[str]:
        """Yield the device and the types of numbers, where a metric depends on them.

        Those that vary are not among them, for lines and points have their names.
        """
        measured = (METRICS[name] for name in self.sweep.query.metrics)
        if not any(metric.quantity or metric.unit.name == "bytes" for metric in measured):
            return
        found = [case.typical for case in self.sweep.cases if case.typical is not None]
        devices = {each.scenario.device.profile.key for each in found if each.scenario.device}
        types = {_types(each) for each in found}
        for shared in (devices, types):
            yield from shared if len(shared) == 1 else ()

    @property
    def about(self) -> str:
        """The networks, and what is shown of them."""
        if self.of_front:
            goals = (self.fields[goal.expression.text].title for goal in self.sweep.query.pareto)
            return f"{self.title[0]}: the front of {' and '.join(goals)}"
        over = " and ".join(symbol.name for symbol in self.symbols)
        measures = ", ".join(field.title for field in self.measures)
        return f"{self.title[0]}: {measures}{f' over {over}' if over else ''}"

    def _name(self, number: int) -> str:
        case = self.sweep.cases[number]
        variant, name = case.architecture.variant, case.architecture.header.name
        return f"{name}@{variant}" if variant and "variant" not in case.labels else name

    def side(self, symbol: Field, rows: Rows, *, whole: bool = False) -> PlotSide:
        """Return a symbol along a side; the whole of its axis, or what rows have of it."""
        declared = self.sweep.cases[0].space.declared.get(symbol.name)
        about = f" ({declared.doc})" if declared and declared.doc else ""
        spaces = (case.space for case in self.sweep.cases)
        axes = (axis for space in spaces for axis in space.axes if axis.name == symbol.name)
        swept = [float(value) for axis in axes for value in axis.values] if whole else []
        values = np.unique([*_floats(symbol, rows), *swept])
        is_log = _is_geometric(values) or span(values) > WIDE
        return PlotSide(f"{symbol.name}{about}", values, is_log)

    def lines_of(self, rows: Rows) -> Iterator[tuple[str, Array]]:
        """Yield the numbers of the rows of each line, with the line's name."""
        if not self.groups:
            yield "", np.arange(rows.count)
            return
        names = list(zip(*(rows[name].tolist() for name in self.groups), strict=True))
        for name in dict.fromkeys(names):
            mine = np.flatnonzero([each == name for each in names])
            yield " ".join(filter(None, map(str, name))), mine

    def paint(self, rows: Rows) -> Paint | None:
        """Return the column by which rows are coloured, if one is asked for.

        Raises:
            SpecError: some rows have no value in it, or it has too many texts.
        """
        if self.colour is None:
            return None
        field = self.fields[self.colour]
        values = field.values(rows).tolist()
        if any(value is None for value in values):
            raise SpecError(f"not all that is drawn has a '{self.colour}' to be coloured by")
        if field.kind != "text":
            column = scaled(field, rows)
            return Paint(column.label, column.numbers)
        if (count := len(set(values))) > MAX_COLOURS:
            cause = (
                f"'{self.colour}' has {count} texts; at most {MAX_COLOURS} colours are told apart"
            )
            raise SpecError(cause, hint="leave some out with --where, or name them with --label")
        return Paint(field.title, None, tuple(values))


def _types(analysis: Analysis) -> str:
    """Return the types of weights and activations, one where they are the same."""
    types = {of: " ".join(names) for of, names in analysis.types.items()}
    found = {types[of]: of for of in ("weights", "activations") if of in types}
    return (
        next(iter(found)) if len(found) == 1 else ", ".join(f"{of} {t}" for t, of in found.items())
    )


def _floats(field: Field, rows: Rows) -> Array:
    return np.array([float(value) for value in field.values(rows).tolist()])


def scaled(field: Field, rows: Rows) -> Scaled:
    """Return a column in the unit that leaves few digits."""
    numbers = _floats(field, rows)
    largest = float(np.abs(numbers).max())
    units = BYTES if field.counted == "bytes" else SCALES
    if field.unit is not None:
        units = {size: f"{part}{field.unit}" for size, part in PARTS.items()}
    is_short = units is SCALES and largest < 10_000
    size = 1 if is_short else next((size for size in units if largest >= size), 1)
    unit = units.get(size)
    return Scaled(numbers / size, size, f"{field.title} ({unit})" if unit else field.title)


def span(numbers: Array) -> float:
    """Return the ratio of the largest number to the least; 1 where one is not positive."""
    least, largest = float(numbers.min()), float(numbers.max())
    return largest / least if least > 0 else 1.0


def by_factors(*columns: Array) -> tuple[bool, ...]:
    """Return which of some columns, drawn over each other, have logarithmic axes.

    All do where one is wide, or rises by the same factor, so that powers are straight lines; but
    those do not that are narrow or not positive.
    """
    some = any(span(each) > WIDE or _is_geometric(each) for each in columns)
    return tuple(some and span(each) >= NARROW for each in columns)


def _is_geometric(values: Array) -> bool:
    if len(values) < 3 or values[0] <= 0:
        return False
    steps, factors = np.diff(values), values[1:] / values[:-1]
    return bool(np.ptp(factors) < 1e-9 < np.ptp(steps))


def panels(figure: SweepFigure, rows: Rows) -> tuple[PlotSide, list[Panel]]:
    """Return the shared horizontal side, and a panel for each column.

    Raises:
        SpecError: there are too many lines.
    """
    (symbol,) = figure.symbols
    groups = list(figure.lines_of(rows))
    if len(groups) > MAX_LINES:
        cause = (
            f"{len(groups)} lines are more than can be told apart; at most {MAX_LINES} are drawn"
        )
        raise SpecError(cause, hint="name fewer networks, or leave some out with --where")
    side, columns = figure.side(symbol, rows), [scaled(each, rows) for each in figure.measures]
    is_log, *logs = by_factors(side.values, *(column.numbers for column in columns))
    x, paint, names = _floats(symbol, rows), figure.paint(rows), _names(figure, rows)
    is_of_line = all(len({names[row] for row in mine}) == 1 for _, mine in groups if names)
    found = []
    for column, each in zip(columns, logs, strict=True):
        lines = []
        for name, mine in groups:
            order = mine[np.argsort(x[mine], kind="stable")]
            own = tuple(names[row] for row in order) if names else ()
            called = own[0] if own and is_of_line else name
            colours = paint.at(order) if paint else None
            points = () if is_of_line else own
            lines.append(Curve(called, x[order], column.numbers[order], colours, points))
        found.append(Panel(column, tuple(lines), each))
    return side._replace(is_log=is_log), found


def _names(figure: SweepFigure, rows: Rows) -> tuple[str, ...]:
    """Return what the columns that are asked for name each row; nothing where none are."""
    return point_names(figure, rows) if figure.label else ()


def maps(figure: SweepFigure, rows: Rows) -> list[Map]:
    """Return a map for each column, blank where points were left out; of a sample, its points."""
    is_grid = figure.sweep.seed is None
    first, second = (figure.side(symbol, rows, whole=is_grid) for symbol in figure.symbols)
    x, y = (_floats(symbol, rows) for symbol in figure.symbols)
    columns = (scaled(field, rows) for field in figure.measures)
    names = _names(figure, rows)
    return [Map(column, (first, second), x, y, is_grid, names) for column in columns]


def nice_levels(least: float, largest: float, most: int = 6) -> list[float]:
    """Return round numbers between two, at most some: 1, 2, 5, 10, 20, … or multiples of one."""
    if largest > 20 * least > 0:
        powers = range(int(np.floor(np.log10(least))), int(np.ceil(np.log10(largest))) + 1)
        inside = [m * 10.0**p for p in powers for m in (1, 2, 5) if least < m * 10.0**p < largest]
        return inside[:: -(-len(inside) // most)] if inside else []
    if largest <= least:
        return []
    wide = (largest - least) / most
    power = 10.0 ** np.floor(np.log10(wide))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= wide)
    first = int(np.floor(least / step)) + 1
    return [step * i for i in range(first, first + most + 1) if least < step * i < largest]


def among(figure: SweepFigure, rows: Rows) -> Among:
    """Return the front in its first objectives, its points in the order of the first."""
    assert figure.sweep.behind is not None
    behind = joined(figure.sweep.behind.rows)
    count = behind.count
    together = joined([behind, rows])
    goals = figure.sweep.query.pareto[: 2 if figure.colour else 3]
    columns = [scaled(figure.fields[goal.expression.text], together) for goal in goals]
    order = count + np.argsort(columns[0].numbers[count:], kind="stable")
    x, y = (column.numbers for column in columns[:2])
    axes = [
        f"{column.label}: {'more' if goal.largest else 'less'} is better"
        for column, goal in zip(columns, goals, strict=True)
    ]
    mine = rows.taken(order - count)
    third = Paint(axes.pop(), columns[2].numbers[order]) if len(columns) > 2 else None
    return Among(
        axes,
        by_factors(x, y),
        (x[:count], y[:count]),
        x[order],
        y[order],
        figure.paint(mine) or third,
        point_names(figure, mine),
    )


def point_names(figure: SweepFigure, rows: Rows) -> tuple[str, ...]:
    """Return a name for each point: the columns asked for, or its labels and what varies."""
    if figure.label:
        fields = [figure.fields[name] for name in figure.label]
        cells = ([_text(value) for value in f.values(rows).tolist()] for f in fields)
        return tuple(", ".join(filter(None, point)) for point in zip(*cells, strict=True))
    names = [*figure.sweep.labels, *(axis.name for axis in figure.axes)]
    columns = [rows[name].tolist() for name in names]
    points = (zip(names, values, strict=True) for values in zip(*columns, strict=True))
    return tuple(
        ", ".join(v if isinstance(v, str) else f"{n}={show_value(v)}" for n, v in point if v)
        for point in points
    )


def _text(value: Any) -> str:
    """Return a value of a point's name."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else show_value(value)


def spread(count: int) -> Iterator[int]:
    """Yield all numbers below a count, the ends first, each next one far from those before."""
    seen: set[int] = set()
    parts = 1
    while len(seen) < count:
        for i in range(parts + 1):
            number = round(i * (count - 1) / parts)
            if number not in seen:
                seen.add(number)
                yield number
        parts *= 2


def bars(figure: SweepFigure, rows: Rows) -> tuple[list[str], Sequence[Scaled], Paint | None]:
    """Return the networks' names, a number of each in every column, and their colours."""
    names = [name for name, _ in figure.lines_of(rows)]
    columns = [scaled(field, rows) for field in figure.measures]
    return [*_names(figure, rows)] or names, columns, figure.paint(rows)

"""Laws evaluated over a design space: grids and scattered points, exactly and fast.

    engine = Engine(analyze("specs/mobilenetv2.yaml"), {"macs": "macs", "ratio": "macs/params"})
    for chunk in engine.grid({"width": ["0.35", 1], "h": range(96, 225, 32)}, links={"w": "h"}):
        chunk["h"], chunk["macs"], chunk["valid"]        # arrays, in the order of the grid

``Engine(analysis, columns, where)`` takes an analysis, or a function that gives one for settings:
then names that decide structure (a list of depths, a variant) are varied as well, each value with
an analysis of its own. Where a point makes no network its row is not valid, and ``refused`` says
why of the first. ``columns`` maps a column's name to an expression of metrics and symbols;
``where`` are questions, as ``macs <= 300e6 and params <= 4e6``, decided in integers.

``.grid(axes, links)`` and ``.points(columns, links)`` give chunks (see `chunk.Chunk`), mappings
from names to arrays of one length: the symbols, the columns, then ``valid``, and ``met`` where
something was asked. A count is int64, or Python's integers where that is too small; a real number
or a ratio is the float64 nearest to it, and ``chunk.parts(name)`` is what it is exactly, a
numerator over a positive denominator (see `exact.less`). Where ``valid`` is false, nothing else of
the row means anything.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, product
from math import prod
from typing import Any

import numpy as np

from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.sweep.chunk import EVERY, Chunk, joined, with_settings
from costmodel.sweep.columns import Column, Rule, read_column
from costmodel.sweep.grid import Grid
from costmodel.sweep.laws import Laws, Link, Lowered, laws_of, lowered, settled
from costmodel.sweep.memory import Array
from costmodel.sweep.points import Scatter
from costmodel.sweep.refused import no_network
from costmodel.sweep.rows import chunk_of, wanted

Factory = Callable[[Mapping[str, Any]], Analysis]
"""The analysis at some settings of what decides structure.

It raises a SpecError, or a KeyError, where it cannot do without one that is not given.
"""

Names = tuple[str, ...]

Settings = Mapping[str, Any]
"""The values of what decides structure."""

Links = Mapping[str, Link]
"""What symbols are linked to, those first that others hang on."""

NO_LINKS: Links = {}

ROWS = 2**16
"""Rows of a chunk, at most."""

MAX_KEPT = 256
"""Of how many structures the laws are kept."""


class Engine:
    """Evaluates columns over grids and points.

    Args:
        analysis: the network, or what gives it for settings.
        columns: name → an expression of metrics and symbols.
        where: comparisons of such expressions, which ``met`` is about.
        symbols: the names that stay symbols where they have no value; others, as those of
            ``let``, then have one that is not among those that vary.
        loops: whether numba may be used where it is installed.
    """

    def __init__(
        self,
        analysis: Analysis | Factory,
        columns: Mapping[str, str],
        where: Sequence[str] = (),
        *,
        symbols: Collection[str] = (),
        loops: bool = True,
    ) -> None:
        self.loops = loops
        self.symbols = frozenset(symbols)
        self.columns = dict(columns)
        self.where = tuple(where)
        self._analysis = analysis
        self._laws: dict[tuple[Any, ...], Laws] = {}
        self._errors: dict[tuple[Any, ...], SpecError] = {}
        self._lows: dict[tuple[Any, ...], Lowered] = {}
        self._scatters: dict[int, Scatter] = {}
        self.refused: SpecError | None = None

    def analysis(self, settings: Mapping[str, Any]) -> Analysis:
        """The network at some settings of what decides structure."""
        given = self._analysis
        return given if isinstance(given, Analysis) else given(settings)

    def laws(self, settings: Settings, links: Links = NO_LINKS) -> Laws:
        """The laws at some settings of what decides structure, and of what these decide by links.

        Raises:
            SpecError: they make no network, or leave open what it takes to have laws.
        """
        key = (*settings.items(), *links.items())
        if key in self._errors:
            raise self._errors[key]
        if key not in self._laws:
            self._forget()
            try:
                analysis = self.analysis(self._settled(settings, links))
                self._laws[key] = laws_of(analysis, self.columns, self.where)
            except SpecError as error:
                self._errors[key] = error
                raise
            except KeyError as error:
                self._errors[key] = SpecError(f"{error} is not known")
                raise self._errors[key] from None
        return self._laws[key]

    def _settled(self, settings: Settings, links: Links) -> Settings:
        return settings if isinstance(self._analysis, Analysis) else settled(settings, links)

    def _forget(self) -> None:
        """Keep no more than memory is for."""
        if max(len(self._laws), len(self._errors)) >= MAX_KEPT:
            for kept in (self._laws, self._errors, self._lows, self._scatters):
                kept.clear()

    def _error(self, settings: Settings, links: Links) -> SpecError | None:
        """Why some settings have no laws, if they have none."""
        try:
            self.laws(settings, links)
        except SpecError as error:
            return error
        return None

    def _is_open(self, settings: Settings, others: Settings, links: Links) -> bool:
        """Whether settings have no laws, but may have where other values are set as well.

        They may not where the same rule is broken at such values: one that is broken whatever they
        are is broken in the same words.
        """
        error = self._error(settings, links)
        if error is None or not others:
            return False
        then = self._error({**settings, **others}, links)
        return then is None or (then.cause, then.origin) != (error.cause, error.origin)

    def _structural(self, points: Iterable[Settings], links: Links) -> Names | None:
        """The names that decide structure, of those that vary; None where no point has a network.

        A name that is no symbol is one; where the structure is open, so is each symbol without
        whose value it stays open at the first point that has a network.
        """
        if isinstance(self._analysis, Analysis):
            return ()
        first = self._first_network(points, links)
        if first is None:
            return None
        fixed = self._needed(first, links)
        symbols = self.laws({name: first[name] for name in fixed}, links).analysis.graph.symbols
        return tuple(name for name in first if name in fixed or name not in symbols)

    def _first_network(self, points: Iterable[Settings], links: Links) -> Settings | None:
        """The first point with a network; any, where it takes no values to have laws."""
        is_fixed = self._error({}, links) is None
        hopeless = set()
        for point in points:
            base = {name: value for name, value in point.items() if name not in self.symbols}
            key = tuple(base.values())
            if key in hopeless:
                continue
            error = None if is_fixed else self._error(point, links)
            if error is None:
                return point
            self.refused = self.refused or error
            if not self._is_open(base, point, links):
                hopeless.add(key)
        return None

    def _needed(self, first: Settings, links: Links) -> list[str]:
        needed = list(first) if self._error({}, links) else []
        for name in tuple(needed):
            fewer = {each: first[each] for each in needed if each != name}
            if self._error(fewer, links) is None:
                needed.remove(name)
        return needed

    def grid(
        self, axes: Mapping[str, Sequence[Any]], links: Links | None = None
    ) -> Iterator[Chunk]:
        """Every combination of the axes' values, the last axis fastest."""
        if not all(map(len, axes.values())):
            return
        linked = links or NO_LINKS
        structural = self._structural(_grid_points(axes), linked)
        if structural is None:
            yield from self._refused(prod(map(len, axes.values())), [*axes, *linked])
        elif tuple(axes)[: len(structural)] == structural:
            for values in product(*(axes[name] for name in structural)):
                yield from self._grid_at(dict(zip(structural, values, strict=True)), axes, linked)
        else:
            yield from self._mixed_grid(axes, structural, linked)

    def _grid_at(
        self, settings: Settings, axes: Mapping[str, Sequence[Any]], links: Links
    ) -> Iterator[Chunk]:
        """The part of a grid at some values of its first axes."""
        others = {name: values for name, values in axes.items() if name not in settings}
        if self._is_open(settings, {name: values[0] for name, values in others.items()}, links):
            name, values = next(iter(others.items()))
            for value in values:
                yield from self._grid_at({**settings, name: value}, axes, links)
            return
        if self._is_refused(settings, links):
            rows = prod(map(len, others.values()))
            for chunk in self._refused(rows, [*others, *links]):
                yield with_settings(chunk, settings)
            return
        inner = {name: read_column(name, values) for name, values in others.items()}
        low = self._lowered(settings, inner, links)
        for block in Grid(low, inner, wanted(low), ROWS).blocks():
            yield self._with_settings(chunk_of(low, block, [*inner, *low.links]), settings, links)

    def _with_settings(self, chunk: Chunk, settings: Settings, links: Links) -> Chunk:
        """Rows behind what is set for all of them, and what that decides by links."""
        found = self._settled(settings, links)
        return with_settings(chunk, {n: v for n, v in found.items() if n not in chunk})

    def _is_refused(self, settings: Settings, links: Links) -> bool:
        """Whether settings make no network; why the first that make none do not is ``refused``."""
        error = self._error(settings, links) if settings else None
        self.refused = self.refused or error
        return error is not None

    def _refused(self, rows: int, names: Sequence[str]) -> Iterator[Chunk]:
        """The rows of settings that make no network."""
        for first in range(0, rows, ROWS):
            yield no_network(min(ROWS, rows - first), names, self.columns)

    def _mixed_grid(
        self, axes: Mapping[str, Sequence[Any]], structural: Names, links: Links
    ) -> Iterator[Chunk]:
        """A grid in whose inner axes the structure changes, as points."""
        shape = [len(values) for values in axes.values()]
        read = {n: read_column(n, v) for n, v in axes.items() if n not in structural}
        total = prod(shape)
        for first in range(0, total, ROWS):
            places = np.unravel_index(np.arange(first, min(first + ROWS, total)), shape)
            at = dict(zip(axes, places, strict=True))
            settings = {name: _chosen(axes[name], at[name]) for name in structural}
            columns = {name: column[at[name]] for name, column in read.items()}
            yield self._grouped(settings, columns, links, total, list(axes))

    def points(
        self,
        columns: Mapping[str, Sequence[Any] | Array | Column],
        links: Links | None = None,
        expected: int | None = None,
    ) -> Iterator[Chunk]:
        """The rows of some columns, which are all of one length.

        Where they come in several calls, ``expected`` says how many there will be in all.
        """
        total = _length(columns)
        if total == 0:
            return
        linked, many = links or NO_LINKS, max(total, expected or 0)
        structural = self._structural(_column_points(columns, total), linked)
        if structural is None:
            yield from self._refused(total, [*columns, *linked])
            return
        read = {n: read_column(n, v) for n, v in columns.items() if n not in structural}
        if not structural:
            yield from self._scattered({}, read, linked, total, many)
            return
        for start in range(0, total, ROWS):
            part = np.arange(start, min(start + ROWS, total))
            settings = {name: _plain(columns[name], part) for name in structural}
            inner = {name: column[part] for name, column in read.items()}
            yield self._grouped(settings, inner, linked, many, list(columns))

    def _scattered(
        self,
        settings: Settings,
        columns: Mapping[str, Column],
        links: Links,
        total: int,
        expected: int,
    ) -> Iterator[Chunk]:
        """The rows of points of one structure."""
        scatter = self._scatter(settings, columns, links)
        batch = scatter.batch(columns, expected)
        for first in range(0, total, ROWS):
            rows = batch.rows(first, min(first + ROWS, total))
            yield chunk_of(scatter.low, rows, [*columns, *scatter.low.links])

    def _grouped(
        self,
        settings: Mapping[str, list[Any]],
        columns: Mapping[str, Column],
        links: Links,
        expected: int,
        order: list[str],
    ) -> Chunk:
        """The rows of points of several structures, each structure's together."""
        parts: list[tuple[Array, Chunk]] = []
        for values, index in _groups(zip(*settings.values(), strict=True)):
            own = dict(zip(settings, values, strict=True))
            inner = {name: column[index] for name, column in columns.items()}
            parts += self._parts_at(own, inner, links, index, expected)
        return joined(parts, order)

    def _parts_at(
        self,
        settings: Settings,
        columns: Mapping[str, Column],
        links: Links,
        index: Array,
        expected: int,
    ) -> Iterator[tuple[Array, Chunk]]:
        """The rows of points at some settings, with their numbers."""
        first = {name: _plain(column, [0])[0] for name, column in columns.items()}
        if self._is_open(settings, first, links):
            name, *others = columns
            for value, rows in _groups(_plain(columns[name], EVERY)):
                inner = {other: columns[other][rows] for other in others}
                yield from self._parts_at(
                    {**settings, name: value}, inner, links, index[rows], expected
                )
        elif self._is_refused(settings, links):
            (chunk,) = self._refused(len(index), [*columns, *links])
            yield index, with_settings(chunk, settings)
        else:
            (chunk,) = self._scattered(settings, columns, links, len(index), expected)
            yield index, self._with_settings(chunk, settings, links)

    def _scatter(
        self,
        settings: Settings,
        columns: Mapping[str, Column],
        links: Links,
    ) -> Scatter:
        """The compiled laws, kept for further points of the same kind."""
        low = self._lowered(settings, columns, links)
        if id(low) not in self._scatters:
            self._scatters[id(low)] = Scatter(low, wanted(low), loops=self.loops)
        return self._scatters[id(low)]

    def _lowered(
        self,
        settings: Settings,
        columns: Mapping[str, Column],
        links: Links,
    ) -> Lowered:
        laws = self.laws(settings, links)
        self._check(laws, columns)
        unders = {name: column.under for name, column in columns.items()}
        key = tuple(map(tuple, (settings.items(), unders.items(), links.items())))
        if key not in self._lows:
            decided = self._settled(settings, links).keys() & laws.analysis.graph.fixed
            free = {name: link for name, link in links.items() if name not in decided}
            self._lows[key] = lowered(laws, unders, free)
        return self._lows[key]

    def _check(self, laws: Laws, columns: Mapping[str, Column]) -> None:
        for name, column in columns.items():
            laws.check_symbol(name)
            Rule(name, laws.analysis.graph.symbols[name]).check(column)


def _chosen(values: Any, places: Iterable[Any]) -> list[Any]:
    return [values[place] for place in places]


def _plain(values: Any, places: Any) -> list[Any]:
    """Python's numbers and texts at some places."""
    found: list[Any]
    if isinstance(values, Column):
        found = values[places].shown().tolist()
    else:
        found = np.array(_chosen(values, places), object).tolist()
    return found


def _groups(values: Iterable[Any]) -> Iterator[tuple[Any, Array]]:
    """Every value, as it first comes, with the places where it is."""
    found: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault(value, []).append(place)
    return ((value, np.array(places)) for value, places in found.items())


def _grid_points(axes: Mapping[str, Sequence[Any]]) -> Iterator[Settings]:
    """The points of a grid: the first, the one in the middle, the last, then all."""
    for part in (Fraction(0), Fraction(1, 2), Fraction(1)):
        yield {name: values[int(part * (len(values) - 1))] for name, values in axes.items()}
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _column_points(columns: Mapping[str, Any], total: int) -> Iterator[Settings]:
    """The points of columns, in the same order."""
    for place in chain((0, total // 2, total - 1), range(total)):
        yield {name: _plain(values, [place])[0] for name, values in columns.items()}


def _length(columns: Mapping[str, Any]) -> int:
    """The length of all columns.

    Raises:
        SpecError: they differ.
    """
    lengths = {len(column) for column in columns.values()} or {1}
    if len(lengths) > 1:
        said = ", ".join(f"{name}: {len(column)}" for name, column in columns.items())
        raise SpecError(f"columns of points differ in length ({said})")
    return lengths.pop()

"""Laws evaluated over a design space: grids and scattered points, exactly and fast.

    engine = Engine(analyze("specs/mobilenetv2.yaml"), {"macs": "macs", "ratio": "macs/params"})
    for chunk in engine.grid({"width": ["0.35", 1], "h": range(96, 225, 32)}, links={"w": "h"}):
        chunk["h"], chunk["macs"], chunk["valid"]        # arrays, in the order of the grid

``Engine(analysis, columns, where)`` takes an analysis, or a function that gives one for settings:
then names that decide structure (a list of depths, a variant) are varied as well, each value with
an analysis of its own. ``columns`` maps a column's name to an expression of metrics and symbols;
``where`` are questions, as ``macs <= 300e6 and params <= 4e6``, decided in integers.

``.grid(axes, links)`` and ``.points(columns, links)`` give chunks (see `chunk.Chunk`), mappings
from names to arrays of one length: the symbols, the columns, then ``valid``, and ``met`` where
something was asked. A count is int64, or Python's integers where that is too small; a real number
or a ratio is the float64 nearest to it, and ``chunk.parts(name)`` is what it is exactly, a
numerator over a positive denominator (see `exact.less`). Where ``valid`` is false, nothing else of
the row means anything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

from archspec.errors import SpecError
from costmodel.analysis import Analysis
from costmodel.sweep.chunk import Chunk, joined, with_settings
from costmodel.sweep.columns import Column, Rule, is_column, read_column
from costmodel.sweep.grid import Grid
from costmodel.sweep.laws import Laws, Link, Lowered, laws_of, lowered
from costmodel.sweep.memory import Array
from costmodel.sweep.points import Scatter
from costmodel.sweep.refused import no_network
from costmodel.sweep.rows import chunk_of, wanted

Factory = Callable[[Mapping[str, Any]], Analysis]
"""The analysis at some settings of what decides structure.

It raises a SpecError, or a KeyError, where it cannot do without one that is not given.
"""

Names = tuple[str, ...]

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
        loops: whether numba may be used where it is installed.
    """

    def __init__(
        self,
        analysis: Analysis | Factory,
        columns: Mapping[str, str],
        where: Sequence[str] = (),
        *,
        loops: bool = True,
    ) -> None:
        self.loops = loops
        self.columns = dict(columns)
        self.where = tuple(where)
        self._analysis = analysis
        self._laws: dict[tuple[Any, ...], Laws] = {}
        self._lows: dict[tuple[Any, ...], Lowered] = {}
        self._scatters: dict[int, Scatter] = {}
        self.refused: SpecError | None = None

    def analysis(self, settings: Mapping[str, Any]) -> Analysis:
        """The network at some settings of what decides structure."""
        given = self._analysis
        return given if isinstance(given, Analysis) else given(settings)

    def laws(self, settings: Mapping[str, Any]) -> Laws:
        """The laws at some settings of what decides structure."""
        key = tuple(settings.items())
        if key not in self._laws:
            if len(self._laws) >= MAX_KEPT:
                for kept in (self._laws, self._lows, self._scatters):
                    kept.clear()
            self._laws[key] = laws_of(self.analysis(settings), self.columns, self.where)
        return self._laws[key]

    def _is_network(self, settings: Mapping[str, Any]) -> bool:
        """Whether settings make a network; why the first that make none do not is ``refused``."""
        if not settings:
            return True
        try:
            self.laws(settings)
        except SpecError as error:
            self.refused = self.refused or error
            return False
        return True

    def structural(self, first: Mapping[str, Any]) -> tuple[str, ...]:
        """The names that decide structure, of those that vary, at their first values.

        A name that is no symbol is one; where the structure is open, so is each symbol without
        whose value it stays open.

        Raises:
            SpecError: the spec has no such name, or is invalid at all those values.
        """
        if isinstance(self._analysis, Analysis):
            return ()
        fixed = self._needed(first)
        symbols = self.laws({name: first[name] for name in fixed}).analysis.symbols
        return tuple(name for name in first if name in fixed or name not in symbols)

    def _structural(self, axes: Mapping[str, Any]) -> Names:
        """The same, tried at the first values, in the middle and at the last.

        Raises:
            SpecError: the spec is invalid at all of these; what it says of the first.
        """
        errors = []
        for part in (Fraction(0), Fraction(1, 2), Fraction(1)):
            at = {name: values[int(part * (len(values) - 1))] for name, values in axes.items()}
            try:
                return self.structural(at)
            except SpecError as error:
                errors.append(error)
        raise errors[0]

    def _needed(self, first: Mapping[str, Any]) -> list[str]:
        if self._works({}):
            return []
        self.analysis(first)
        needed = list(first)
        for name in first:
            fewer = [each for each in needed if each != name]
            if self._works({each: first[each] for each in fewer}):
                needed = fewer
        return needed

    def _works(self, settings: Mapping[str, Any]) -> bool:
        try:
            self.analysis(settings)
        except (SpecError, KeyError):
            return False
        return True

    def grid(
        self, axes: Mapping[str, Sequence[Any]], links: Mapping[str, Link] | None = None
    ) -> Iterator[Chunk]:
        """Every combination of the axes' values, the last axis fastest."""
        if not all(map(len, axes.values())):
            return
        linked = links or {}
        structural = self._structural(axes)
        if tuple(axes)[: len(structural)] != structural:
            yield from self._mixed_grid(axes, structural, linked)
            return
        inner = {n: read_column(n, values) for n, values in axes.items() if n not in structural}
        for values in product(*(axes[name] for name in structural)):
            settings = dict(zip(structural, values, strict=True))
            if not self._is_network(settings):
                yield from self._refused(prod(map(len, inner.values())), [*axes, *linked])
                continue
            low = self._lowered(settings, inner, linked)
            for block in Grid(low, inner, wanted(low), ROWS).blocks():
                yield with_settings(chunk_of(low, block, [*inner, *low.links]), settings)

    def _refused(self, rows: int, names: Sequence[str]) -> Iterator[Chunk]:
        """The rows of settings that make no network."""
        for first in range(0, rows, ROWS):
            yield no_network(min(ROWS, rows - first), names, self.columns)

    def _mixed_grid(
        self, axes: Mapping[str, Sequence[Any]], structural: Names, links: Mapping[str, Link]
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
            yield from self._grouped(settings, columns, links, total, list(axes))

    def points(
        self,
        columns: Mapping[str, Sequence[Any] | Array | Column],
        links: Mapping[str, Link] | None = None,
        expected: int | None = None,
    ) -> Iterator[Chunk]:
        """The rows of some columns, which are all of one length.

        Where they come in several calls, ``expected`` says how many there will be in all.
        """
        total = _length(columns)
        if total == 0:
            return
        structural = self._structural({n: v for n, v in columns.items() if not is_column(v)})
        read = {n: read_column(n, v) for n, v in columns.items() if n not in structural}
        many = max(total, expected or 0)
        if not structural:
            yield from self._scattered({}, read, links or {}, total, many)
            return
        for start in range(0, total, ROWS):
            part = np.arange(start, min(start + ROWS, total))
            settings = {name: _chosen(columns[name], part) for name in structural}
            inner = {name: column[part] for name, column in read.items()}
            yield from self._grouped(settings, inner, links or {}, many, list(columns))

    def _scattered(
        self,
        settings: Mapping[str, Any],
        columns: Mapping[str, Column],
        links: Mapping[str, Link],
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
        links: Mapping[str, Link],
        expected: int,
        order: list[str],
    ) -> Iterator[Chunk]:
        """The rows of points of several structures, each structure's together."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for row, values in enumerate(zip(*settings.values(), strict=True)):
            groups.setdefault(values, []).append(row)
        parts = []
        for values, rows in groups.items():
            own, index = dict(zip(settings, values, strict=True)), np.array(rows)
            inner = {name: column[index] for name, column in columns.items()}
            if self._is_network(own):
                (chunk,) = self._scattered(own, inner, links, len(index), expected)
            else:
                (chunk,) = self._refused(len(index), [*inner, *links])
            parts.append((index, with_settings(chunk, own)))
        yield joined(parts, order)

    def _scatter(
        self,
        settings: Mapping[str, Any],
        columns: Mapping[str, Column],
        links: Mapping[str, Link],
    ) -> Scatter:
        """The compiled laws, kept for further points of the same kind."""
        low = self._lowered(settings, columns, links)
        if id(low) not in self._scatters:
            self._scatters[id(low)] = Scatter(low, wanted(low), loops=self.loops)
        return self._scatters[id(low)]

    def _lowered(
        self,
        settings: Mapping[str, Any],
        columns: Mapping[str, Column],
        links: Mapping[str, Link],
    ) -> Lowered:
        laws = self.laws(settings)
        self._check(laws, columns)
        unders = {name: column.under for name, column in columns.items()}
        key = tuple(map(tuple, (settings.items(), unders.items(), links.items())))
        if key not in self._lows:
            self._lows[key] = lowered(laws, unders, links)
        return self._lows[key]

    def _check(self, laws: Laws, columns: Mapping[str, Column]) -> None:
        for name, column in columns.items():
            laws.check_symbol(name)
            Rule(name, laws.analysis.graph.symbols[name]).check(column)


def _chosen(values: Any, places: Iterable[Any]) -> list[Any]:
    return [values[place] for place in places]


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

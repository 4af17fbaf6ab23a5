"""Metrics evaluated over a design space: grids and scattered points, exactly and fast.

    engine = Engine(case.analysis, ["macs", "params"], symbols=["width", "h", "w"])
    for points, rows in engine.grid({"width": [Fraction(7, 20), 1], "h": range(96, 225, 32)}):
        rows["h"], rows["macs"]                          # arrays, in the order of the grid

The network of each point comes from a function of the settings that decide its structure: a list
of depths, a variant, a symbol that a repeat counts by. Each value of these has an analysis of its
own; all other symbols are varied in one compiled program. Only the points that make a network have
rows; ``refused`` says why the first that makes none does not.

A count is int64, or Python's integers where that is too small; a real metric is the float64
nearest to it, and two further columns hold it exactly (see `rows.NUMERATORS`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, partial, reduce
from itertools import chain, product
from math import prod
from typing import Any

import numpy as np
from sympy import Expr

from archspec.errors import SpecError
from archspec.expressions import ExpressionError
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Measure, Name, Number, Tree
from costmodel.algebra.operations import Array
from costmodel.algebra.program import Ratio
from costmodel.algebra.translate import translate
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.columns import SymbolColumn, nearest_floats, quotients, read_column
from costmodel.analysis.compiled import Compiled, compiled
from costmodel.metrics.registry import METRICS
from costmodel.scenario.settings import to_rational
from costmodel.sweep.grid import ROWS, Grid, Points, RowBlock
from costmodel.sweep.rows import DENOMINATORS, EVERY, NO_ROWS, NUMERATORS, Rows, constant, joined

Settings = Mapping[str, Any]
"""The values of what decides structure."""

Factory = Callable[[Settings], Analysis]
"""Returns the analysis at some settings of what decides structure.

It raises a SpecError where it cannot do without one that is not given.
"""

Links = Mapping[str, Tree]
"""Symbol → the expression that decides it, those first that others hang on."""

MAX_KEPT = 256
"""The number of structures whose analyses are kept."""


Evaluated = tuple[int, Rows]
"""Some points: how many, and the rows of those that make a network."""


class Engine:
    """Evaluates metrics over grids and points.

    Args:
        analysis: returns the network for settings.
        metrics: the metrics' names.
        symbols: the names that stay symbols where they have no value; others, as those of
            ``let``, then have one that is not among those that vary.
        links: what other symbols decide.

    Attributes:
        refused: why the first point that makes no network does not.
    """

    def __init__(
        self,
        analysis: Factory,
        metrics: Sequence[str],
        symbols: Collection[str],
        links: Links,
    ) -> None:
        self._metrics = tuple(metrics)
        self._symbols = frozenset(symbols)
        self._links = links
        self.refused: SpecError | None = None
        self._analysis = analysis
        self._axes: Mapping[str, Sequence[Any]] | None = None
        self._deciding: tuple[str, ...] | None = None
        self._found = lru_cache(MAX_KEPT)(self._made)
        self._program = lru_cache(MAX_KEPT)(self._compiled)

    def _made(self, *settings: tuple[str, Any]) -> Analysis | SpecError:
        """Return an analysis that has a closed form of every metric, or why there is none."""
        try:
            analysis = self._analysis(settled(dict(settings), self._links))
            for name in self._metrics:
                analysis.closed_form_of(METRICS[name], analysis.total(name))
        except SpecError as error:
            return error
        return analysis

    def _at(self, settings: Settings) -> Analysis:
        """Return the network at settings and what these decide by links, where there is one."""
        found = self._found(*settings.items())
        assert isinstance(found, Analysis)
        return found

    def _error(self, settings: Settings) -> SpecError | None:
        """Return why some settings make no network, if they make none."""
        found = self._found(*settings.items())
        return found if isinstance(found, SpecError) else None

    def _is_open(self, settings: Settings, others: Settings) -> bool:
        """Return whether settings make no network, but may where other values are set as well.

        They may not where the same rule is broken at such values: one that is broken whatever they
        are is broken in the same words.
        """
        error = self._error(settings)
        if error is None or not others:
            return False
        then = self._error({**settings, **others})
        return then is None or (then.cause, then.origin) != (error.cause, error.origin)

    def _structural(self, points: Iterable[Settings]) -> tuple[str, ...] | None:
        """Return which of the names that vary decide structure; None if no point has a network.

        A name that is no symbol is one; where the structure is open, so is each symbol without
        whose value it stays open at the first point that has a network.
        """
        first = self._first_network(points)
        if first is None:
            return None
        fixed = self._needed(first)
        symbols = self._at({name: first[name] for name in fixed}).graph.symbols
        return tuple(name for name in first if name in fixed or name not in symbols)

    def _first_network(self, points: Iterable[Settings]) -> Settings | None:
        """Return the first point with a network; any, where it takes no values to have one."""
        is_fixed = self._error({}) is None
        hopeless = set()
        for point in points:
            base = {name: value for name, value in point.items() if name not in self._symbols}
            key = tuple(base.values())
            if key in hopeless:
                continue
            error = None if is_fixed else self._error(point)
            if error is None:
                return point
            self.refused = self.refused or error
            if not self._is_open(base, point):
                hopeless.add(key)
        return None

    def _needed(self, first: Settings) -> list[str]:
        needed = list(first) if self._error({}) else []
        for name in tuple(needed):
            fewer = {each: first[each] for each in needed if each != name}
            if self._error(fewer) is None:
                needed.remove(name)
        return needed

    def grid(
        self, axes: Mapping[str, Sequence[Any]], start: int = 0, stop: int | None = None
    ) -> Iterator[Evaluated]:
        """Yield combinations of the axes' values, the last axis fastest.

        Args:
            axes: name → its values.
            start: the number of the first combination.
            stop: the number behind the last; of all where it is None.
        """
        shape = [len(values) for values in axes.values()]
        stop = prod(shape) if stop is None else stop
        structural = self._of_structure(axes)
        if structural is None:
            yield stop - start, NO_ROWS
        elif tuple(axes)[: len(structural)] == structural:
            for slices in boxes(shape, start, stop):
                box = dict(zip(axes, slices, strict=True))
                for values in product(*(axes[name][box[name]] for name in structural)):
                    yield from self._grid_at(dict(zip(structural, values, strict=True)), axes, box)
        else:
            yield from self._mixed_grid(axes, structural, range(start, stop))

    def _of_structure(self, axes: Mapping[str, Sequence[Any]]) -> tuple[str, ...] | None:
        """Return which axes decide structure, found out once (see `_structural`)."""
        if self._axes != axes:
            self._axes, self._deciding = axes, self._structural(_grid_points(axes))
        return self._deciding

    def _grid_at(
        self, settings: Settings, axes: Mapping[str, Sequence[Any]], box: Mapping[str, slice]
    ) -> Iterator[Evaluated]:
        """Yield the part of a box of a grid at some values of its first axes."""
        others = [name for name in axes if name not in settings]
        if self._is_open(settings, {name: axes[name][0] for name in others}):
            name = others[0]
            for value in axes[name][box[name]]:
                yield from self._grid_at({**settings, name: value}, axes, box)
        elif self._is_refused(settings):
            yield prod(len(axes[name][box[name]]) for name in others), NO_ROWS
        else:
            columns = {name: read_column(name, axes[name])[box[name]] for name in others}
            found, _ = self._program_for(settings, columns)
            for block in Grid(found, columns).blocks():
                yield self._evaluated(found, block, settings)

    def _is_refused(self, settings: Settings) -> bool:
        """Return whether settings make no network, and keep why the first do not."""
        error = self._error(settings)
        self.refused = self.refused or error
        return error is not None

    def _mixed_grid(
        self, axes: Mapping[str, Sequence[Any]], structural: tuple[str, ...], numbers: range
    ) -> Iterator[Evaluated]:
        """Yield points of a grid, by their numbers, in whose inner axes the structure changes."""
        shape = [len(values) for values in axes.values()]
        read = {n: read_column(n, v) for n, v in axes.items() if n not in structural}
        for first in numbers[::ROWS]:
            places = np.unravel_index(np.arange(first, min(first + ROWS, numbers.stop)), shape)
            at = dict(zip(axes, places, strict=True))
            settings = {name: [axes[name][place] for place in at[name]] for name in structural}
            yield self._grouped(settings, {name: column[at[name]] for name, column in read.items()})

    def points(self, columns: Mapping[str, SymbolColumn | Array]) -> Iterator[Evaluated]:
        """Yield the rows of columns of one length."""
        total = len(next(iter(columns.values())))
        structural = self._structural(_column_points(columns, total))
        if structural is None:
            yield total, NO_ROWS
            return
        read = {n: read_column(n, v) for n, v in columns.items() if n not in structural}
        if not structural:
            found, points = self._program_for({}, read)
            for block in points.blocks(read, total):
                yield self._evaluated(found, block, {})
            return
        for start in range(0, total, ROWS):
            part = slice(start, min(start + ROWS, total))
            settings = {name: _plain(columns[name], part) for name in structural}
            yield self._grouped(settings, {name: column[part] for name, column in read.items()})

    def _grouped(
        self, settings: Mapping[str, list[Any]], columns: Mapping[str, SymbolColumn]
    ) -> Evaluated:
        """Return the rows of points of several structures, each structure's computed together."""
        parts: list[tuple[Array, Rows]] = []
        count = len(next(iter(settings.values())))
        for values, index in _groups(zip(*settings.values(), strict=True)):
            own = dict(zip(settings, values, strict=True))
            inner = {name: column[index] for name, column in columns.items()}
            parts += self._parts_at(own, inner, index)
        return count, _merged(parts)

    def _parts_at(
        self, settings: Settings, columns: Mapping[str, SymbolColumn], index: Array
    ) -> Iterator[tuple[Array, Rows]]:
        """Yield the rows of points at some settings, with their numbers."""
        first = {name: _plain(column, slice(1))[0] for name, column in columns.items()}
        if self._is_open(settings, first):
            name, *others = columns
            for value, rows in _groups(_plain(columns[name], EVERY)):
                inner = {other: columns[other][rows] for other in others}
                yield from self._parts_at({**settings, name: value}, inner, index[rows])
        elif not self._is_refused(settings):
            found, points = self._program_for(settings, columns)
            for block in points.blocks(columns, len(index)):
                valid = block.at(_valid(found, block), EVERY)
                yield index[valid], self._rows(found, block, settings).select(valid)

    def _program_for(
        self, settings: Settings, columns: Mapping[str, SymbolColumn]
    ) -> tuple[Compiled, Points]:
        """Return the compiled network, kept for further points of the same kind."""
        denominators = ((name, column.denominator) for name, column in columns.items())
        return self._program(tuple(settings.items()), tuple(denominators))

    def _compiled(
        self, settings: tuple[tuple[str, Any], ...], denominators: tuple[tuple[str, int], ...]
    ) -> tuple[Compiled, Points]:
        known = dict(settings)
        analysis = self._at(known)
        decided = settled(known, self._links).keys() & analysis.graph.fixed
        free = {name: link for name, link in self._links.items() if name not in decided}
        links = _link_expressions(free, analysis)
        found = compiled(analysis, self._metrics, dict(denominators), links)
        return found, Points(found)

    def _evaluated(self, found: Compiled, block: RowBlock, settings: Settings) -> Evaluated:
        rows, valid = self._rows(found, block, settings), _valid(found, block)
        return block.rows, rows if valid.all() else rows.select(block.at(valid, EVERY))

    def _rows(self, found: Compiled, block: RowBlock, settings: Settings) -> Rows:
        """Return all rows of a block: settings, symbols, what is linked, metrics."""
        decided = settled(settings, self._links)
        makers = {name: constant(value, block.rows) for name, value in decided.items()}
        makers |= {name: partial(block.symbol, name) for name in block.symbols}
        makers |= {n: partial(_shown, block, part, quotients) for n, part in found.links.items()}
        for name, part in found.metrics.items():
            show = quotients if METRICS[name].quantity is None else nearest_floats
            makers[name] = partial(_shown, block, part, show)
            makers[NUMERATORS + name] = partial(block.node, part.numerator)
            makers[DENOMINATORS + name] = partial(block.node, part.denominator)
        return Rows(block.rows, makers)


def boxes(shape: Sequence[int], start: int, stop: int) -> Iterator[tuple[slice, ...]]:
    """Yield a slice of every axis, box by box in grid order, that hold a grid's points together.

    Args:
        shape: the lengths of the axes, the last fastest.
        start: the number of the first point.
        stop: the number behind the last.
    """
    if start >= stop:
        return
    if not shape:
        yield ()
        return
    inner = prod(shape[1:])
    (first, begun), (last, left) = divmod(start, inner), divmod(stop, inner)
    if begun:
        end = left if first == last else inner
        yield from ((slice(first, first + 1), *box) for box in boxes(shape[1:], begun, end))
        first += 1
    if first < last:
        yield (slice(first, last), *(slice(0, length) for length in shape[1:]))
    if left and first <= last:
        yield from ((slice(last, last + 1), *box) for box in boxes(shape[1:], 0, left))


def _valid(found: Compiled, block: RowBlock) -> Array:
    """Return where a block's points make a network, as values that broadcast to its shape."""
    nodes = (block.nodes[place] for place in found.valid)
    return reduce(np.logical_and, nodes, np.ones((), bool))


def _shown(block: RowBlock, part: Ratio, show: Callable[[Array, Array], Array], rows: Any) -> Array:
    """Return a value at some rows, as it is shown of its numerators and denominators."""
    return show(*(block.node(place, rows) for place in part))


def _merged(parts: Sequence[tuple[Array, Rows]]) -> Rows:
    """Return the rows of several parts in the order of their numbers."""
    some = [(index, rows) for index, rows in parts if rows.count]
    if not some:
        return NO_ROWS
    order = np.argsort(np.concatenate([index for index, _ in some]))
    return joined([rows for _, rows in some]).select(order)


def _plain(values: SymbolColumn | Sequence[Any] | Array, places: slice) -> list[Any]:
    """Return Python's numbers and texts at some places."""
    if isinstance(values, SymbolColumn):
        return list(values[places].shown().tolist())
    return list(values[places].tolist() if isinstance(values, np.ndarray) else values[places])


def _groups(values: Iterable[Any]) -> Iterator[tuple[Any, Array]]:
    """Yield every value, as it first comes, with the places where it is."""
    found: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault(value, []).append(place)
    return ((value, np.array(places)) for value, places in found.items())


def _grid_points(axes: Mapping[str, Sequence[Any]]) -> Iterator[Settings]:
    """Yield the points of a grid: the first, the one in the middle, the last, then all."""
    for part in (Fraction(0), Fraction(1, 2), Fraction(1)):
        yield {name: values[int(part * (len(values) - 1))] for name, values in axes.items()}
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _column_points(columns: Mapping[str, SymbolColumn | Array], total: int) -> Iterator[Settings]:
    """Yield the points of columns, in the same order."""
    for place in chain((0, total // 2, total - 1), range(total)):
        part = slice(place, place + 1)
        yield {name: _plain(values, part)[0] for name, values in columns.items()}


def settled(settings: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Return settings, and the values of the symbols that are linked to these alone.

    Raises:
        SpecError: such a link has no value there.
    """
    found = dict(settings)
    for name, link in links.items():
        names = free_names(link)
        if names <= found.keys():
            numbers = {each: Number(to_rational(each, found[each])) for each in names}
            try:
                value = resolve(link, Scope(numbers))
            except ExpressionError as error:
                raise SpecError(f"link of '{name}': {error.cause}") from None
            found[name] = value.value if isinstance(value, Number) else value
    return found


def _link_expressions(links: Links, analysis: Analysis) -> dict[str, Expr]:
    """Return what symbols are linked to, as expressions of what varies alone."""
    symbols = analysis.symbols
    scope = Scope(
        {n: Name(n) if n in symbols else Number(v) for n, v in analysis.graph.values.items()}
    )
    found: dict[str, Expr] = {}

    def lookup(leaf: Name | Measure) -> Expr:
        assert isinstance(leaf, Name)
        return found.get(leaf.id, symbols[leaf.id])

    for name, link in links.items():
        try:
            found[name] = translate(resolve(link, scope), lookup)  # type: ignore[arg-type]
        except (ExpressionError, ValueError) as error:
            cause = getattr(error, "cause", str(error))
            raise SpecError(f"link of '{name}': {cause}", hint="as in w=h or w=2*h") from None
    return found

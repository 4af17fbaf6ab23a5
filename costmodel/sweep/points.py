"""Scattered points: one program for all laws, in chunks that stay in the cache.

A symbol whose values lie close together is tabulated: what depends on it alone is computed once for
each value, and read by each point. Where all combinations are fewer than the points, everything is
computed once for each combination. What is neither is computed point by point.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np

from costmodel.sweep.chunk import EVERY
from costmodel.sweep.columns import Column
from costmodel.sweep.compiled import Bounds, Mode, Pair, Tape, bounds_in, in_mode, whole
from costmodel.sweep.factors import Factors
from costmodel.sweep.fused import WORTH, WORTH_LOADING, Inputs, Loop, is_installed, outputs_of
from costmodel.sweep.grid import Grid
from costmodel.sweep.laws import Lowered
from costmodel.sweep.memory import POOL, Array

CACHED = 2**14
"""Points that are computed at a time."""

MAX_TABLE = 2**14
"""The most values of a symbol that are tabulated."""

ROWS_AT_ONCE = 2**16
"""Rows of a lattice that are made together."""

SMALL_LATTICE = 2**16
"""Combinations that stay in the cache."""

MAX_PAIRS = 16
"""A sum of more products is computed as the law has it."""

MAX_LATTICE = 2**22
"""The most combinations that are tabulated."""


class Table:
    """What depends on one symbol alone, for every value from the least to the largest.

    Args:
        factors: the program.
        place: the symbol's input.
        nodes: what is tabulated.
        bounds: the least and the largest value.
    """

    def __init__(self, factors: Factors, place: int, nodes: Iterable[int], bounds: Pair) -> None:
        self.least, self.largest = bounds
        values = np.arange(self.least, self.largest + 1)
        tape = Tape(factors.program, nodes)
        found = tape.run({place: values}, tape.mode({place: bounds})) if tape.outputs else {}
        self.values: dict[int, Array] = {p: whole(array) for p, array in found.items()}

    def holds(self, bounds: Pair) -> bool:
        """Whether values between some bounds are in it."""
        return self.least <= bounds[0] and bounds[1] <= self.largest


class Scatter:
    """The nodes of a sweep at points, of which several batches may come.

    Args:
        low: the laws.
        wanted: the nodes that rows are made of.
        loops: whether numba may be used where it is installed.
    """

    def __init__(self, low: Lowered, wanted: Iterable[int], *, loops: bool = True) -> None:
        self.low = low
        self.loops = loops and is_installed()
        self.wanted = tuple(dict.fromkeys(wanted))
        self.factors = Factors(low.program)
        self.names = {place: name for name, place in low.inputs.items()}
        self._tables: dict[str, Table] = {}
        self._lattice: Lattice | None = None
        self._tapes: dict[frozenset[str], Tape] = {}
        self._loops: dict[tuple[frozenset[str], Mode], Loop] = {}

    def batch(self, columns: Mapping[str, Column], expected: int) -> "Batch":
        """Some points, all of whose columns are of one length; so many points are expected."""
        return Batch(self, columns, expected)

    def tape(self, tabulated: frozenset[str]) -> Tape:
        """What is computed of each point, where some symbols are tabulated."""
        if tabulated not in self._tapes:
            leaves = self.leaves(tabulated)
            outputs = self.outputs(tabulated).values()
            self._tapes[tabulated] = Tape(self.factors.program, outputs, leaves)
        return self._tapes[tabulated]

    def outputs(self, tabulated: frozenset[str]) -> Mapping[int, int]:
        """Wanted node → what is computed for it: with tables, a sum of few products of factors."""
        return self._short if tabulated else {place: place for place in self.wanted}

    @cached_property
    def _short(self) -> dict[int, int]:
        return {place: self._as_sum(place) for place in self.wanted}

    def _as_sum(self, place: int) -> int:
        program, symbols = self.factors.program, self.factors.symbols(place)
        if len(symbols) < 2:
            return place
        ways = [self.factors.pairs(place, frozenset({name})) for name in sorted(symbols)]
        best = min((way for way in ways if way), key=len, default=None)
        if best is None or len(best) > MAX_PAIRS:
            return place
        return program.add(*(program.mul(*pair) for pair in best))

    def leaves(self, tabulated: frozenset[str]) -> dict[int, str]:
        """The largest nodes of one tabulated symbol alone → the symbol."""
        order = sorted(tabulated)
        sides = [frozenset({name}) for name in order]
        found = self.factors.frontier(self.outputs(tabulated).values(), sides)
        return {place: order[side] for place, side in found.items()}

    def table(self, name: str, bounds: Pair) -> Table:
        """The table of a symbol, made anew where values are beyond it."""
        known = self._tables.get(name)
        if known is None or not known.holds(bounds):
            outputs = {*self._short.values(), *self.wanted}
            nodes = self.factors.frontier(sorted(outputs), [frozenset({name})])
            reach = (
                (min(known.least, bounds[0]), max(known.largest, bounds[1])) if known else bounds
            )
            self._tables[name] = Table(self.factors, self.low.inputs[name], nodes, reach)
        return self._tables[name]

    def lattice(self, bounds: Mapping[str, Pair]) -> "Lattice":
        """All combinations of values, made anew where values are beyond it."""
        if self._lattice is None or not self._lattice.holds(bounds):
            self._lattice = Lattice(self, bounds)
        return self._lattice

    def loop(self, tabulated: frozenset[str], mode: Mode) -> Loop:
        """The compiled loop, where some symbols are tabulated."""
        if (tabulated, mode) not in self._loops:
            tape = self.tape(tabulated)
            leaves = self.leaves(tabulated)
            columns: dict[str, int] = {}
            places = {}
            for place in tape.given:
                if place in leaves:
                    name = leaves[place]
                    places[place] = (name, columns.get(name, 0))
                    columns[name] = columns.get(name, 0) + 1
            direct = {p: self.names[p] for p in tape.given if p not in places}
            inputs = Inputs(tuple(self.low.inputs), direct, places)
            self._loops[tabulated, mode] = Loop(tape, inputs, mode)
        return self._loops[tabulated, mode]


class Batch:
    """Points of one call.

    Args:
        scatter: the program.
        columns: symbol → its values.
        expected: how many points there will be in all.
    """

    def __init__(self, scatter: Scatter, columns: Mapping[str, Column], expected: int) -> None:
        self.scatter = scatter
        self.columns = columns
        self.expected = expected
        self.bounds = {name: column.bounds for name, column in columns.items()}
        self.sizes = {name: high - low + 1 for name, (low, high) in self.bounds.items()}

    @cached_property
    def way(self) -> "Way":
        """How the nodes are computed: the fastest way that is worth its preparation."""
        combinations = prod(self.sizes.values())
        if combinations <= min(SMALL_LATTICE, self.expected // 4):
            return self.scatter.lattice(self.bounds)
        fused = self._fused() if self.scatter.loops else None
        if fused is not None:
            return fused
        if combinations <= min(MAX_LATTICE, self.expected // 4):
            return self.scatter.lattice(self.bounds)
        return Plain(self, self._narrow)

    def _fused(self) -> "Fused | None":
        """A compiled loop, if it pays off; tables save it the divisions of integers."""
        if self.expected < min(WORTH, WORTH_LOADING) or not self.scatter.wanted:
            return None
        plain = Plain(self, frozenset())
        if plain.mode is not Mode.FLOAT:
            plain = Plain(self, self._narrow)
        if plain.mode is Mode.OBJECT:
            return None
        fused = Fused(plain)
        return fused if fused.loop.pays_off(self.expected) else None

    @property
    def _narrow(self) -> frozenset[str]:
        """The symbols whose values are few enough for a table."""
        most = min(MAX_TABLE, max(self.expected // 4, 1))
        return frozenset(name for name, size in self.sizes.items() if size <= most)

    def rows(self, first: int, last: int) -> "Rows":
        """Some of the points."""
        return Rows(self, first, last)


class Way(Protocol):
    """How the wanted nodes are computed."""

    def at(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        """The wanted nodes at some points."""


class Plain:
    """By NumPy, chunk by chunk.

    Args:
        batch: the points.
        tabulated: the symbols of which tables are made.
    """

    def __init__(self, batch: Batch, tabulated: frozenset[str]) -> None:
        self.scatter = batch.scatter
        self.tabulated = tabulated
        self.tape = self.scatter.tape(tabulated)
        self.tables = {name: self.scatter.table(name, batch.bounds[name]) for name in tabulated}
        leaves = self.scatter.leaves(tabulated)
        self.leaves = {place: leaves[place] for place in self.tape.given if place in leaves}
        self.outputs = self.scatter.outputs(tabulated)
        self.mode = self.tape.mode({place: self._bounds(place, batch) for place in self.tape.given})

    def _bounds(self, place: int, batch: Batch) -> Bounds:
        if place in self.leaves:
            return bounds_in(self.tables[self.leaves[place]].values[place])
        return batch.bounds[self.scatter.names[place]]

    @cached_property
    def prepared(self) -> dict[int, Array]:
        """The tables in the type that is computed in."""
        return {
            place: in_mode(self.tables[name].values[place], self.mode)
            for place, name in self.leaves.items()
        }

    def at(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        """The wanted nodes, computed where they stay in the cache."""
        starts = range(first, last, CACHED)
        if len(starts) == 1 or self.mode is Mode.OBJECT:
            parts = [self._computed(columns, s, min(s + CACHED, last)) for s in starts]
            return {p: np.concatenate([whole(part[p]) for part in parts]) for p in parts[0]}
        return self._filled(columns, first, last)

    def _filled(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        """The wanted nodes, each chunk written where it belongs: truth, or int64."""
        found: dict[int, Array] = {}
        for start in range(first, last, CACHED):
            stop = min(start + CACHED, last)
            for place, part in self._computed(columns, start, stop).items():
                if place not in found:
                    kind = np.dtype(bool if part.dtype == bool else np.int64)
                    found[place] = POOL.take(last - first, kind)
                found[place][start - first : stop - first] = part
        return found

    def _computed(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        overs = {name: column.overs[first:last] for name, column in columns.items()}
        at = {
            name: (overs[name] - table.least).astype(np.intp, copy=False)
            for name, table in self.tables.items()
        }
        given = {
            place: self.prepared[place][at[self.leaves[place]]]
            if place in self.leaves
            else overs[self.scatter.names[place]]
            for place in self.tape.given
        }
        found = self.tape.run(given, self.mode)
        return {place: np.broadcast_to(found[p], last - first) for place, p in self.outputs.items()}


class Fused:
    """By a compiled loop.

    Args:
        plain: the same by NumPy.
    """

    def __init__(self, plain: Plain) -> None:
        self.outputs = plain.outputs
        self.loop = plain.scatter.loop(plain.tabulated, plain.mode)
        self.names = tuple(plain.scatter.low.inputs)
        self.arguments: list[Any] = []
        for name in self.names:
            own = [plain.prepared[p] for p, n in plain.leaves.items() if n == name]
            table = np.column_stack(own) if own else np.empty((0, 0), plain.mode.dtype)
            least = plain.tables[name].least if name in plain.tables else 0
            self.arguments += [np.ascontiguousarray(table, plain.mode.dtype), least]

    def at(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        """The wanted nodes."""
        tape = self.loop.tape
        outputs = outputs_of(tape, last - first, POOL.take)
        given = [columns[name].overs[first:last] for name in self.names]
        self.loop.run(*given, *self.arguments, *outputs)
        found = dict(zip(tape.outputs, outputs, strict=True))
        return {place: found[p] for place, p in self.outputs.items()}


class Lattice:
    """Every combination of values between bounds, computed once as a grid.

    Args:
        scatter: the program.
        bounds: symbol → the least and the largest value.
    """

    def __init__(self, scatter: Scatter, bounds: Mapping[str, Pair]) -> None:
        self.bounds = dict(bounds)
        axes = {name: Column(np.arange(low, high + 1)) for name, (low, high) in bounds.items()}
        lengths = [len(axis) for axis in axes.values()]
        self.strides = [prod(lengths[i + 1 :]) for i in range(len(lengths))]
        self.tables: dict[int, tuple[str, int, Array]] = {}
        self.inputs = {p: name for p, name in scatter.names.items() if p in scatter.wanted}
        for place in scatter.wanted:
            symbols = sorted(scatter.factors.symbols(place))
            if len(symbols) == 1 and place not in self.inputs:
                table = scatter.table(symbols[0], bounds[symbols[0]])
                self.tables[place] = (symbols[0], table.least, table.values[place])
        joint = [p for p in scatter.wanted if p not in self.tables and p not in self.inputs]
        blocks = list(Grid(scatter.low, axes, joint, ROWS_AT_ONCE).blocks())
        self.values = {
            place: np.concatenate([block.node(place, EVERY) for block in blocks]) for place in joint
        }

    def holds(self, bounds: Mapping[str, Pair]) -> bool:
        """Whether values between some bounds are in it."""
        return all(
            self.bounds[name][0] <= low and high <= self.bounds[name][1]
            for name, (low, high) in bounds.items()
        )

    def at(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        """The values at some points."""
        kept = {**self.values, **{p: values for p, (_, _, values) in self.tables.items()}}
        found = {p: POOL.take(last - first, values.dtype) for p, values in kept.items()}
        for start in range(first, last, CACHED):
            stop = min(start + CACHED, last)
            rows = slice(start - first, stop - first)
            for p, (name, least, values) in self.tables.items():
                at = np.subtract(columns[name].overs[start:stop], least, dtype=np.int64)
                np.take(values, at, out=found[p][rows], mode="clip")
            if not self.values:
                continue
            places = self._places(columns, start, stop)
            for p, values in self.values.items():
                np.take(values, places, out=found[p][rows], mode="clip")
        found.update({p: columns[name].overs[first:last] for p, name in self.inputs.items()})
        return found

    def _places(self, columns: Mapping[str, Column], start: int, stop: int) -> Array:
        """Where the combinations are: none is beyond the ends."""
        places: Array | int = 0
        for (name, (low, _)), stride in zip(self.bounds.items(), self.strides, strict=True):
            steps = np.subtract(columns[name].overs[start:stop], low, dtype=np.int64)
            steps *= stride
            steps += places
            places = steps
        return np.asarray(places)


class Rows:
    """Some points, computed when a column is first asked for.

    Args:
        batch: all points of the call.
        first: the first.
        last: the one behind the last.
    """

    def __init__(self, batch: Batch, first: int, last: int) -> None:
        self.batch = batch
        self.first = first
        self.last = last

    @property
    def rows(self) -> int:
        """How many points."""
        return self.last - self.first

    @cached_property
    def values(self) -> dict[int, Array]:
        """The wanted nodes."""
        return self.batch.way.at(self.batch.columns, self.first, self.last)

    def symbol(self, name: str, index: Any) -> Array:
        """A symbol's values."""
        column = self.batch.columns[name][self.first : self.last]
        return column.shown() if index is EVERY else column[index].shown()

    def node(self, place: int, index: Any) -> Array:
        """A node's values."""
        values = self.values[place]
        return values if index is EVERY else values[index]

"""Scattered points: one program for all laws, in chunks that stay in the cache.

A symbol whose values lie close together is tabulated: what depends on it alone is computed once for
each value, and read by each point. Where all combinations are fewer than the points, everything is
computed once for each combination. What is neither is computed point by point.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from costmodel.sweep.chunk import EVERY
from costmodel.sweep.columns import Column
from costmodel.sweep.compiled import Array, Bounds, Mode, Pair, Tape, bounds_in, in_mode, whole
from costmodel.sweep.factors import Factors
from costmodel.sweep.laws import Lowered

CACHED = 2**13
"""Points that are computed at a time."""

MAX_TABLE = 2**16
"""The most values of a symbol that are tabulated."""

MAX_LATTICE = 2**18
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
    """

    def __init__(self, low: Lowered, wanted: Iterable[int]) -> None:
        self.low = low
        self.wanted = tuple(dict.fromkeys(wanted))
        self.factors = Factors(low.program)
        self.names = {place: name for name, place in low.inputs.items()}
        self._tables: dict[str, Table] = {}
        self._lattice: Lattice | None = None
        self._tapes: dict[frozenset[str], Tape] = {}

    def batch(self, columns: Mapping[str, Column], total: int) -> "Batch":
        """Some points, all of whose columns are of one length."""
        return Batch(self, columns, total)

    def tape(self, tabulated: frozenset[str]) -> Tape:
        """What is computed of each point, where some symbols are tabulated."""
        if tabulated not in self._tapes:
            leaves = self.leaves(tabulated)
            self._tapes[tabulated] = Tape(self.factors.program, self.wanted, leaves)
        return self._tapes[tabulated]

    def leaves(self, tabulated: frozenset[str]) -> dict[int, str]:
        """The largest nodes of one tabulated symbol alone → the symbol."""
        order = sorted(tabulated)
        found = self.factors.frontier(self.wanted, [frozenset({name}) for name in order])
        return {place: order[side] for place, side in found.items()}

    def table(self, name: str, bounds: Pair) -> Table:
        """The table of a symbol, made anew where values are beyond it."""
        known = self._tables.get(name)
        if known is None or not known.holds(bounds):
            nodes = self.factors.frontier(self.wanted, [frozenset({name})])
            self._tables[name] = Table(self.factors, self.low.inputs[name], nodes, bounds)
        return self._tables[name]

    def lattice(self, bounds: Mapping[str, Pair]) -> "Lattice":
        """All combinations of values, made anew where values are beyond it."""
        if self._lattice is None or not self._lattice.holds(bounds):
            self._lattice = Lattice(self, bounds)
        return self._lattice


class Batch:
    """Points of one call.

    Args:
        scatter: the program.
        columns: symbol → its values.
        total: how many points there are.
    """

    def __init__(self, scatter: Scatter, columns: Mapping[str, Column], total: int) -> None:
        self.scatter = scatter
        self.columns = columns
        self.total = total
        self.bounds = {name: column.bounds for name, column in columns.items()}
        sizes = {name: high - low + 1 for name, (low, high) in self.bounds.items()}
        self.tabulated = frozenset(
            name for name, size in sizes.items() if size <= min(MAX_TABLE, max(total // 4, 1))
        )
        combinations = prod(sizes.values())
        self.is_lattice = combinations <= min(MAX_LATTICE, total // 4)

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Of the symbols that are tabulated."""
        return {name: self.scatter.table(name, self.bounds[name]) for name in self.tabulated}

    @cached_property
    def tape(self) -> Tape:
        """What is computed of each point."""
        return self.scatter.tape(self.tabulated)

    @cached_property
    def leaves(self) -> dict[int, str]:
        """What is read from tables."""
        found = self.scatter.leaves(self.tabulated)
        return {place: found[place] for place in self.tape.given if place in found}

    @cached_property
    def mode(self) -> Mode:
        """What is exact for all of the points."""
        given: dict[int, Bounds] = {}
        for place in self.tape.given:
            if place in self.leaves:
                given[place] = bounds_in(self.tables[self.leaves[place]].values[place])
            else:
                given[place] = self.bounds[self.scatter.names[place]]
        return self.tape.mode(given)

    @cached_property
    def prepared(self) -> dict[int, Array]:
        """The tables in the type that is computed in."""
        return {
            place: in_mode(self.tables[name].values[place], self.mode)
            for place, name in self.leaves.items()
        }

    def rows(self, first: int, last: int) -> "Rows":
        """Some of the points."""
        return Rows(self, first, last)

    def values(self, first: int, last: int) -> dict[int, Array]:
        """The wanted nodes at some points."""
        if self.is_lattice:
            return self.scatter.lattice(self.bounds).at(self.columns, first, last)
        parts = [
            self._computed(start, min(start + CACHED, last)) for start in range(first, last, CACHED)
        ]
        if len(parts) == 1:
            return parts[0]
        return {place: np.concatenate([part[place] for part in parts]) for place in parts[0]}

    def _computed(self, first: int, last: int) -> dict[int, Array]:
        columns = {name: column.overs[first:last] for name, column in self.columns.items()}
        at = {
            name: (columns[name] - table.least).astype(np.intp, copy=False)
            for name, table in self.tables.items()
        }
        given = {
            place: self.prepared[place][at[self.leaves[place]]]
            if place in self.leaves
            else columns[self.scatter.names[place]]
            for place in self.tape.given
        }
        found = self.tape.run(given, self.mode)
        return {p: np.broadcast_to(whole(array), last - first) for p, array in found.items()}


class Lattice:
    """Every combination of values between bounds, computed once.

    Args:
        scatter: the program.
        bounds: symbol → the least and the largest value.
    """

    def __init__(self, scatter: Scatter, bounds: Mapping[str, Pair]) -> None:
        self.bounds = dict(bounds)
        ranges = [np.arange(low, high + 1) for low, high in bounds.values()]
        self.strides = [prod(len(r) for r in ranges[i + 1 :]) for i in range(len(ranges))]
        mesh = np.meshgrid(*ranges, indexing="ij") if ranges else []
        columns = {
            name: Column(np.ascontiguousarray(axis.reshape(-1)))
            for name, axis in zip(bounds, mesh, strict=True)
        }
        total = prod(map(len, ranges))
        batch = Batch(scatter, columns, total)
        batch.is_lattice = False
        self.values = batch.values(0, total)

    def holds(self, bounds: Mapping[str, Pair]) -> bool:
        """Whether values between some bounds are in it."""
        return all(
            self.bounds[name][0] <= low and high <= self.bounds[name][1]
            for name, (low, high) in bounds.items()
        )

    def at(self, columns: Mapping[str, Column], first: int, last: int) -> dict[int, Array]:
        """The values at some points."""
        place: Any = np.zeros(last - first, np.intp)
        for (name, (low, _)), stride in zip(self.bounds.items(), self.strides, strict=True):
            place += (columns[name].overs[first:last] - low) * stride
        return {p: values[place] for p, values in self.values.items()}


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
        return self.batch.values(self.first, self.last)

    def symbol(self, name: str, index: Any) -> Array:
        """A symbol's values."""
        column = self.batch.columns[name][self.first : self.last]
        return column.shown() if index is EVERY else column[index].shown()

    def node(self, place: int, index: Any) -> Array:
        """A node's values."""
        values = self.values[place]
        return values if index is EVERY else values[index]

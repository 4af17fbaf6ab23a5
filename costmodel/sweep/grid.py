"""Grids and points: the nodes of a compiled network at the values of its symbols, block by block.

The axes of a grid are parted in two, the last ones and those before them. A node of one side alone
is computed once for each of that side's points. A sum of products of the two is one product of
matrices; the others are computed from these for all pairs, as columns and rows that broadcast.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import numpy as np

from costmodel.algebra.evaluation import Tape
from costmodel.algebra.operations import Array, Bounds
from costmodel.analysis.columns import SymbolColumn
from costmodel.analysis.compiled import Compiled
from costmodel.sweep.products import BlockNodes, Separation
from costmodel.sweep.rows import EVERY

ROWS = 2**16
"""Rows of a block; up to twice as many where rows are long, since a thin matrix is slow."""

FEW = 8
"""One row in so many is found by its place; to find more, a column is made in full."""

MANY_POINTS, MAX_TABLE = 2**14, 2**14
"""So many points are worth tables, of at most so many values."""

LONG_ROW = 256
"""Points of the last axes from which on no further axis joins them."""

MAX_SIDE = 2**16
"""Points of the first axes whose nodes are kept at once."""


class RowBlock(NamedTuple):
    """Some rows; their values are made in full only where they are read.

    Attributes:
        shape: how many points of each side; of scattered points, how many.
        symbols: symbol → its values, which broadcast to the shape.
        nodes: node → its values, which broadcast to the shape.
    """

    shape: tuple[int, ...]
    symbols: Mapping[str, SymbolColumn]
    nodes: Mapping[int, Array]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return prod(self.shape)

    def symbol(self, name: str, rows: Any) -> Array:
        """Return a symbol's values at some rows."""
        column = self.symbols[name]
        return SymbolColumn(self.at(column.numerators, rows), column.denominator).shown()

    def node(self, place: int, rows: Any) -> Array:
        """Return a node's values at some rows."""
        return self.at(self.nodes[place], rows)

    def at(self, values: Array, rows: Any) -> Array:
        """Return some of the rows of values that broadcast to the shape."""
        full = np.broadcast_to(values, self.shape)
        dense = rows is EVERY or values.shape == self.shape or FEW * len(rows) > self.rows
        found: Array = full.reshape(-1)[rows] if dense else full[np.unravel_index(rows, self.shape)]
        return found


class Table(NamedTuple):
    """Nodes of one symbol alone, for each of its values from the least to the largest.

    Attributes:
        name: the symbol.
        least: its least numerator.
        nodes: node → its values.
        bounds: node → the least and the largest value.
    """

    name: str
    least: int
    nodes: Mapping[int, Array]
    bounds: Mapping[int, Bounds | None]

    def at(self, column: SymbolColumn) -> dict[int, Array]:
        """Return the nodes at some values."""
        places = column.numerators - self.least
        return {place: values[places] for place, values in self.nodes.items()}


class Points:
    """The nodes of a compiled network at points, of which several batches may come.

    Where many points have few values of a symbol, the nodes of it alone are looked up in a table.

    Args:
        found: the network.
        wanted: the nodes that rows are made of.
    """

    def __init__(self, found: Compiled, wanted: Sequence[int]) -> None:
        self.found = found
        self.wanted = wanted
        self.tape = Tape(found.program, wanted)

    def blocks(self, columns: Mapping[str, SymbolColumn], count: int) -> Iterator[RowBlock]:
        """Yield the rows of columns of one length, in order."""
        inputs = self.found.inputs
        bounds: dict[int, Bounds | None] = {inputs[n]: c.bounds for n, c in columns.items()}
        tables = list(self._tables(columns)) if count >= MANY_POINTS else []
        leaves = list(chain(*(table.nodes for table in tables)))
        tape = Tape(self.found.program, self.wanted, leaves) if leaves else self.tape
        for table in tables:
            bounds |= table.bounds
        for start in range(0, count, ROWS):
            stop = min(start + ROWS, count)
            symbols = {name: column[start:stop] for name, column in columns.items()}
            given = {inputs[name]: column.numerators for name, column in symbols.items()}
            for table in tables:
                given |= table.at(symbols[table.name])
            yield RowBlock((stop - start,), symbols, tape.run(given, bounds))

    def _tables(self, columns: Mapping[str, SymbolColumn]) -> Iterator[Table]:
        """Yield the tables of symbols that have few values."""
        few = {name: column for name, column in columns.items() if _has_few_values(column)}
        separation = Separation(self.found.program, [{name} for name in few])
        separation.part(self.wanted)
        for (name, column), nodes in zip(few.items(), separation.leaves, strict=True):
            least, largest = column.bounds
            values = SymbolColumn(least + np.arange(largest - least + 1), column.denominator)
            axis = GridAxes({name: values}, self.found, nodes)
            yield Table(name, least, axis.side(0, len(values)).nodes, axis.bounds)


def _has_few_values(column: SymbolColumn) -> bool:
    least, largest = column.bounds
    few = min(MAX_TABLE, len(column) // 4)
    return column.numerators.dtype != object and largest - least < few


class GridSide(NamedTuple):
    """Points of some axes: the axes' values, and the nodes of these axes alone.

    Attributes:
        symbols: axis → its values.
        nodes: node → its values.
    """

    symbols: Mapping[str, SymbolColumn]
    nodes: Mapping[int, Array]

    def cut(self, rows: Any, nodes: Iterable[int]) -> "GridSide":
        """Return some of the points and nodes, as a row or a column of a block."""
        return GridSide(
            {name: column[rows] for name, column in self.symbols.items()},
            {place: self.nodes[place][rows] for place in nodes},
        )


class GridAxes:
    """Some axes of a grid, and the nodes of these axes alone.

    Args:
        columns: the axes.
        found: the network.
        nodes: the nodes that are wanted.
    """

    def __init__(
        self, columns: Mapping[str, SymbolColumn], found: Compiled, nodes: Iterable[int]
    ) -> None:
        self.columns = columns
        self.inputs = found.inputs
        self.lengths = [len(column) for column in columns.values()]
        self.points = prod(self.lengths)
        self.tape = Tape(found.program, nodes)
        self.given = {found.inputs[name]: column.bounds for name, column in columns.items()}
        self.bounds = self.tape.bounds(self.given)

    def side(self, first: int, last: int) -> GridSide:
        """Return some points, in grid order."""
        places = np.unravel_index(np.arange(first, last), self.lengths) if self.lengths else ()
        columns = zip(self.columns.items(), places, strict=True)
        symbols = {name: column[rows] for (name, column), rows in columns}
        given = {self.inputs[name]: column.numerators for name, column in symbols.items()}
        found = self.tape.run(given, self.given)
        return GridSide(symbols, {p: np.broadcast_to(a, last - first) for p, a in found.items()})


class Grid:
    """The nodes of a compiled network on a grid.

    Args:
        found: the network.
        columns: the axes, the last fastest.
        wanted: the nodes that rows are made of.
    """

    def __init__(
        self, found: Compiled, columns: Mapping[str, SymbolColumn], wanted: Sequence[int]
    ) -> None:
        last = _last_axes(columns)
        sides = [columns.keys() - last, set(last)]
        given = {found.inputs[name]: column.bounds for name, column in columns.items()}
        separation = Separation(found.program, sides, given)
        separation.part(wanted)
        self.sums, self.leaves = separation.sums, separation.leaves
        factors = [
            chain(*(s.lefts for s in self.sums.values())),
            chain(*(s.rights for s in self.sums.values())),
        ]
        self.left, self.right = (
            GridAxes({n: c for n, c in columns.items() if n in names}, found, (*own, *others))
            for names, own, others in zip(sides, self.leaves, factors, strict=True)
        )
        direct = [place for place in wanted if place not in self.sums]
        self.tape = Tape(found.program, direct, chain(*self.leaves, self.sums))
        sums = {place: each.bounds for place, each in self.sums.items()}
        self.bounds = {**self.left.bounds, **self.right.bounds, **sums}

    def blocks(self) -> Iterator[RowBlock]:
        """Yield all rows, in grid order."""
        right = self.right.side(0, self.right.points)
        rights = {place: each.right(right.nodes) for place, each in self.sums.items()}
        width = min(self.right.points, ROWS)
        height = max(ROWS // width, 2)
        for begin in range(0, self.left.points, MAX_SIDE):
            lines = min(MAX_SIDE, self.left.points - begin)
            left = self.left.side(begin, begin + lines)
            lefts = {place: each.left(left.nodes) for place, each in self.sums.items()}
            for i in range(0, lines, height):
                some = slice(i, min(i + height, lines))
                column = left.cut((some, None), self.leaves[0])
                for j in range(0, self.right.points, width):
                    places = slice(j, min(j + width, self.right.points))
                    row = right.cut((None, places), self.leaves[1])
                    factors = {p: (lefts[p][some], rights[p][:, places]) for p in self.sums}
                    known = BlockNodes({**column.nodes, **row.nodes}, factors)
                    known.update(self.tape.run(known, self.bounds))
                    shape = some.stop - some.start, places.stop - places.start
                    yield RowBlock(shape, {**column.symbols, **row.symbols}, known)


def _last_axes(columns: Mapping[str, SymbolColumn]) -> list[str]:
    """Return the last axis, and those before it while a row stays short."""
    last: list[str] = []
    points = 1
    for name, column in reversed(list(columns.items())):
        if last and (points >= LONG_ROW or points * len(column) > LONG_ROW**2):
            break
        last.append(name)
        points *= len(column)
    return last

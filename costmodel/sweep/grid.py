"""Grids and points: the nodes of a compiled network at the values of its symbols, block by block.

The axes of a grid are parted in two, the last ones and those before them. A node of one side alone
is computed once for each of that side's points. A sum of products of the two is one product of
matrices; the others are computed from these for all pairs, as columns and rows that broadcast.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
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


class Points:
    """The nodes of a compiled network at points, of which several batches may come."""

    def __init__(self, found: Compiled) -> None:
        self.found = found
        self.tape = Tape(found.program, found.outputs)

    def blocks(self, columns: Mapping[str, SymbolColumn], count: int) -> Iterator[RowBlock]:
        """Yield the rows of columns of one length, in order.

        Where many points have few values of a symbol, the nodes of it alone are looked up.
        """
        inputs = self.found.inputs
        bounds: dict[int, Bounds | None] = {inputs[n]: c.bounds for n, c in columns.items()}
        tables = self._tables(columns) if count >= MANY_POINTS else {}
        leaves = list(chain(*(nodes for nodes, _ in tables.values())))
        tape = Tape(self.found.program, self.found.outputs, leaves) if leaves else self.tape
        for _, known in tables.values():
            bounds |= known
        for start in range(0, count, ROWS):
            stop = min(start + ROWS, count)
            symbols = {name: column[start:stop] for name, column in columns.items()}
            given = {inputs[name]: column.numerators for name, column in symbols.items()}
            for name, (nodes, _) in tables.items():
                places = symbols[name].numerators - columns[name].bounds[0]
                given |= {place: values[places] for place, values in nodes.items()}
            yield RowBlock((stop - start,), symbols, tape.run(given, bounds))

    def _tables(
        self, columns: Mapping[str, SymbolColumn]
    ) -> dict[str, tuple[dict[int, Array], dict[int, Bounds | None]]]:
        """Return symbol of few values → the nodes of it alone from its least value on, bounds."""
        few = {
            name: column
            for name, column in columns.items()
            if column.numerators.dtype != object
            and column.bounds[1] - column.bounds[0] < min(MAX_TABLE, len(column) // 4)
        }
        separation = Separation(self.found.program, [{name} for name in few], self.found.outputs)
        found = {}
        for (name, column), nodes in zip(few.items(), separation.leaves, strict=True):
            least, largest = column.bounds
            values = SymbolColumn(least + np.arange(largest - least + 1), column.denominator)
            side = GridSide({name: values}, self.found, nodes)
            found[name] = side.at(0, len(values))[1], side.bounds
        return found


class GridSide:
    """Some axes of a grid of a network, and of its nodes some that are of these axes alone."""

    def __init__(
        self, columns: Mapping[str, SymbolColumn], found: Compiled, nodes: Iterable[int]
    ) -> None:
        self.columns = {found.inputs[name]: (name, column) for name, column in columns.items()}
        self.lengths = [len(column) for column in columns.values()]
        self.points = prod(self.lengths)
        self.tape = Tape(found.program, nodes)
        self.given = {place: column.bounds for place, (_, column) in self.columns.items()}
        self.bounds = self.tape.bounds(self.given)

    def at(self, first: int, last: int) -> tuple[dict[str, SymbolColumn], dict[int, Array]]:
        """Return the values of the axes and of the nodes at some points, in grid order."""
        places = np.unravel_index(np.arange(first, last), self.lengths) if self.lengths else ()
        columns = zip(self.columns.values(), places, strict=True)
        symbols = {name: column[rows] for (name, column), rows in columns}
        given = {place: symbols[name].numerators for place, (name, _) in self.columns.items()}
        found = self.tape.run(given, self.given)
        return symbols, {p: np.broadcast_to(a, last - first) for p, a in found.items()}


class Grid:
    """The nodes of a compiled network on the grid of some columns, the last fastest."""

    def __init__(self, found: Compiled, columns: Mapping[str, SymbolColumn]) -> None:
        last = _last_axes(columns)
        names = [columns.keys() - last, set(last)]
        given = {found.inputs[name]: column.bounds for name, column in columns.items()}
        separation = Separation(found.program, names, found.outputs, given)
        self.sums, self.leaves = separation.sums, separation.leaves
        self.left, self.right = (
            GridSide(
                {n: c for n, c in columns.items() if n in names[i]},
                found,
                chain(self.leaves[i], *(each.factors[i] for each in self.sums.values())),
            )
            for i in range(2)
        )
        direct = [place for place in found.outputs if place not in self.sums]
        self.tape = Tape(found.program, direct, chain(*self.leaves, self.sums))
        sums = {place: each.bounds for place, each in self.sums.items()}
        self.bounds = {**self.left.bounds, **self.right.bounds, **sums}

    def blocks(self) -> Iterator[RowBlock]:
        """Yield all rows, in grid order."""
        row, across = self.right.at(0, self.right.points)
        rights = {place: each.right(across) for place, each in self.sums.items()}
        width = min(self.right.points, ROWS)
        height = max(ROWS // width, 2)
        for begin in range(0, self.left.points, MAX_SIDE):
            lines = min(MAX_SIDE, self.left.points - begin)
            column, down = self.left.at(begin, begin + lines)
            lefts = {place: each.left(down) for place, each in self.sums.items()}
            for i, j in product(range(0, lines, height), range(0, self.right.points, width)):
                some = slice(i, min(i + height, lines))
                places = slice(j, min(j + width, self.right.points))
                symbols = {n: c[some, None] for n, c in column.items()}
                symbols |= {n: c[None, places] for n, c in row.items()}
                known = {place: down[place][some, None] for place in self.leaves[0]}
                known |= {place: across[place][None, places] for place in self.leaves[1]}
                factors = {p: (lefts[p][some], rights[p][:, places]) for p in self.sums}
                nodes = BlockNodes(known, factors)
                nodes.update(self.tape.run(nodes, self.bounds))
                yield RowBlock((some.stop - i, places.stop - j), symbols, nodes)


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

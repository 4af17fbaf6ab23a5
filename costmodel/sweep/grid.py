"""A grid: every factor once along its axis, combined as a matrix product or by broadcasting.

The axes are parted in two, the last ones, whose points are one row of a matrix, and those before
them, whose points are its rows; a chunk is some of the rows. A count that is a sum of products of
factors is a matrix product of a few columns; what is none is computed on the grid from the largest
parts that are of one side alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from costmodel.sweep.chunk import EVERY
from costmodel.sweep.columns import Column
from costmodel.sweep.compiled import (
    MAX_FLOAT,
    MAX_INT64,
    Bounds,
    Mode,
    Tape,
    bounds_in,
    is_truth,
    whole,
)
from costmodel.sweep.factors import Factors, Pair
from costmodel.sweep.laws import Lowered
from costmodel.sweep.lowering import Program
from costmodel.sweep.memory import POOL, Array

LONG = 3 * 2**51
"""Added to an integer of less than 2⁵¹, it shows the integer in the last bits of the float64.

All sums are between 2⁵² and 2⁵³, where a float64 is an integer and its last bits count.
"""

LONG_BITS = int(np.float64(LONG).view(np.int64))

MAX_LAST_BITS = 2**51

MAX_RANK = 64
"""A sum of more products than this is computed from its parts instead."""

WORTH_BLAS = 3
"""Within something else, from so many products on a sum is a matrix product."""

THICK = 16
"""The rows that a matrix has at least, where there are as many."""

LONG_ROW = 256
"""From here on a row is long enough."""

MAX_ROWS = 2**20
"""No block has more."""

CACHED = 2**14
"""Points of which everything fits into the cache."""

SLAB = 2**16
"""Left points of which everything is computed together."""


class Side:
    """The points of some axes, in grid order, and the nodes that are of these axes alone.

    Args:
        columns: the axes.
        factors: the program.
        inputs: axis → its input.
    """

    def __init__(
        self, columns: Mapping[str, Column], factors: Factors, inputs: Mapping[str, int]
    ) -> None:
        self.columns = columns
        self.factors = factors
        self.inputs = inputs
        self.shape = [len(column) for column in columns.values()]
        self.points = prod(self.shape)
        self.symbols = frozenset(columns)
        self._tables: dict[int, Array] = {}
        self._axis_of: dict[int, str] = {}

    def prepare(self, nodes: Iterable[int]) -> None:
        """Compute, along each axis, what some nodes take of it."""
        self.nodes = tuple(dict.fromkeys(nodes))
        sides = [frozenset({name}) for name in self.columns]
        leaves = self.factors.frontier(self.nodes, sides)
        for i, (name, column) in enumerate(self.columns.items()):
            own = [leaf for leaf, side in leaves.items() if side == i]
            tape = Tape(self.factors.program, own)
            given = {self.inputs[name]: column}
            mode = tape.mode({p: given[p].bounds for p in tape.given})
            found = tape.run({p: given[p].overs for p in tape.given}, mode) if own else {}
            self._tables.update({p: whole(array) for p, array in found.items()})
            self._axis_of.update(dict.fromkeys(own, name))
        self.tape = Tape(self.factors.program, self.nodes, self._tables)
        table_bounds = {p: bounds_in(table) for p, table in self._tables.items()}
        self.mode = self.tape.mode(table_bounds)
        self.bounds: dict[int, Bounds] = self.tape.bounds(table_bounds)

    def places(self, first: int, last: int) -> dict[str, Any]:
        """Where along each axis some points are."""
        if len(self.columns) == 1:
            return {name: slice(first, last) for name in self.columns}
        found = np.unravel_index(np.arange(first, last), self.shape) if self.shape else ()
        return dict(zip(self.columns, found, strict=True))

    def arrays(self, places: Mapping[str, Any], points: int) -> dict[int, Array]:
        """The values of the nodes at some points."""
        given = {p: self._tables[p][places[self._axis_of[p]]] for p in self.tape.given}
        found = self.tape.run(given, self.mode) if self.tape.order else {**given, **self.numbers}
        return {p: _full(whole(np.asarray(found[p])), points) for p in self.nodes}

    @property
    def numbers(self) -> Mapping[int, Any]:
        """The nodes that are numbers."""
        return self.tape.consts


def _full(array: Array, points: int) -> Array:
    """A number as one for each point."""
    return array if array.shape == (points,) else np.broadcast_to(array, points)


class Slab(NamedTuple):
    """Some left points with all that is known of them, and all right points.

    Attributes:
        lefts: node → its values at the left points.
        rights: node → its values at all right points.
        left: where the left points are along each axis.
        right: where all right points are.
    """

    lefts: Mapping[int, Array]
    rights: Mapping[int, Array]
    left: Mapping[str, Any]
    right: Mapping[str, Any]


class Block(NamedTuple):
    """Some rows of the grid: points of the left side times points of the right.

    Attributes:
        grid: all of it.
        slab: what is known of the points of each side.
        lines: its left points, of those of the slab.
        places: its right points.
        made: matrix products at its points.
    """

    grid: "Grid"
    slab: Slab
    lines: slice
    places: slice
    made: dict[int, Array]

    @property
    def shape(self) -> tuple[int, int]:
        """How many points of each side."""
        return self.lines.stop - self.lines.start, self.places.stop - self.places.start

    @property
    def rows(self) -> int:
        """How many points."""
        lines, places = self.shape
        return lines * places

    def side(self, place: int) -> Array | None:
        """A node of one side as a column, or as a row."""
        if place in self.slab.lefts:
            return self.slab.lefts[place][self.lines, None]
        known = self.slab.rights.get(place)
        return None if known is None else known[None, self.places]

    def parts(self) -> "Iterator[Block]":
        """The block in parts that stay in the cache."""
        width = min(self.shape[1], CACHED)
        height = CACHED // width
        for line in range(self.lines.start, self.lines.stop, height):
            lines = slice(line, min(line + height, self.lines.stop))
            for place in range(self.places.start, self.places.stop, width):
                places = slice(place, min(place + width, self.places.stop))
                yield self._replace(lines=lines, places=places)

    def within(self, block: "Block") -> tuple[slice, slice]:
        """Where it is in a larger one."""
        line, place = block.lines.start, block.places.start
        return (
            slice(self.lines.start - line, self.lines.stop - line),
            slice(self.places.start - place, self.places.stop - place),
        )

    def spread(self, line: Array, index: Any) -> Array:
        """A column or a row at rows of the block."""
        if index is EVERY:
            found = POOL.take(self.rows, line.dtype)
            found.reshape(self.shape)[...] = line
            return found
        across = np.broadcast_to(line, self.shape)
        return np.asarray(across[index // self.shape[1], index % self.shape[1]])

    def symbol(self, name: str, index: Any) -> Array:
        """A symbol's values."""
        shown = self.grid.shown[name]
        if name in self.slab.left:
            return self.spread(shown[self.slab.left[name]][self.lines, None], index)
        return self.spread(shown[self.slab.right[name]][None, self.places], index)

    def node(self, place: int, index: Any) -> Array:
        """A node's values."""
        line = self.side(place)
        if line is not None:
            return self.spread(line, index)
        full = self.grid.joint(place, self)
        return full if index is EVERY else full[index]


class Grid:
    """The nodes of a sweep on a grid.

    Args:
        low: the laws.
        columns: the axes, the last fastest.
        wanted: the nodes that rows are made of.
        rows: of a block, at most.
    """

    def __init__(
        self, low: Lowered, columns: Mapping[str, Column], wanted: Iterable[int], rows: int
    ) -> None:
        self.rows = rows
        self.columns = columns
        factors = Factors(low.program)
        right = _last_axes(columns, rows)
        self.sides = (
            Side({n: c for n, c in columns.items() if n not in right}, factors, low.inputs),
            Side({n: c for n, c in columns.items() if n in right}, factors, low.inputs),
        )
        self._plan(factors, tuple(wanted), frozenset(right))

    @cached_property
    def shown(self) -> dict[str, Array]:
        """The axes' values."""
        return {name: column.shown() for name, column in self.columns.items()}

    def _plan(self, factors: Factors, wanted: tuple[int, ...], right: frozenset[str]) -> None:
        """What is a matrix product, what is broadcast, and what both take of each side."""
        ones = [place for place in wanted if self._side_of(factors, place) is not None]
        others = [place for place in wanted if self._side_of(factors, place) is None]
        self.pairs: dict[int, list[Pair]] = {}
        joint = [place for place in others if not self._is_product(factors, place, right, 1)]
        taken = self._taken(factors, joint, right)
        self.tapes = {place: Tape(factors.program, [place], taken) for place in joint}
        factor_nodes = [node for pairs in self.pairs.values() for pair in pairs for node in pair]
        for number, side in enumerate(self.sides):
            own = [p for p in (*ones, *factor_nodes) if self._side_of(factors, p) == number]
            side.prepare([*own, *(p for p, at in taken.items() if at == number)])
        self.program = factors.program

    def _is_product(self, factors: Factors, place: int, right: frozenset[str], least: int) -> bool:
        """Whether a node is computed as a matrix product: a sum of so many products at least."""
        if place not in self.pairs:
            found = factors.pairs(place, right)
            if found is None or not least <= len(found) <= MAX_RANK:
                return False
            self.pairs[place] = found
        return True

    def _taken(
        self, factors: Factors, joint: Iterable[int], right: frozenset[str]
    ) -> dict[int, int | None]:
        """What joint nodes are computed from: the largest nodes of a side, and matrix products."""
        found: dict[int, int | None] = {}
        stack = list(joint)
        seen: set[int] = set()
        while stack:
            place = stack.pop()
            if place in seen or not factors.symbols(place):
                continue
            seen.add(place)
            side = self._side_of(factors, place)
            if side is not None or self._is_product(factors, place, right, WORTH_BLAS):
                found[place] = side
            else:
                stack.extend(factors.program.nodes[place].args)
        return found

    def _side_of(self, factors: Factors, place: int) -> int | None:
        symbols = factors.symbols(place)
        if symbols <= self.sides[1].symbols:
            return 1
        return 0 if symbols <= self.sides[0].symbols else None

    @cached_property
    def bounds(self) -> dict[int, Bounds]:
        """Of every node that is of one side, and of every matrix product."""
        known = {**self.sides[0].bounds, **self.sides[1].bounds}
        return {**known, **{p: _sum_bounds(pairs, known) for p, pairs in self.pairs.items()}}

    def blocks(self) -> Iterator[Block]:
        """All rows, in grid order."""
        left, right = self.sides
        if left.points * right.points == 0:
            return
        height, width = self._extent(left.points, right.points)
        there = right.places(0, right.points)
        rights = right.arrays(there, right.points)
        for begin in range(0, left.points, SLAB):
            lines = min(SLAB, left.points - begin)
            at = left.places(begin, begin + lines)
            slab = Slab(left.arrays(at, lines), rights, at, there)
            for first in range(0, lines, height):
                rows = slice(first, min(first + height, lines))
                for start in range(0, right.points, width):
                    places = slice(start, min(start + width, right.points))
                    yield Block(self, slab, rows, places, {})

    def _extent(self, lefts: int, rights: int) -> tuple[int, int]:
        """How many points of each side a block has; a thin matrix is slow."""
        most = max(self.rows, min(THICK * rights, MAX_ROWS))
        return min(max(most // rights, 1), lefts), min(rights, most)

    def joint(self, place: int, block: Block) -> Array:
        """A node that is of both sides, at all rows of a block."""
        if place in self.pairs:
            return self.product(place, block).reshape(-1)
        tape, mode = self.tapes[place], self.modes[place]
        number = object if mode is Mode.OBJECT else np.int64
        kind = np.dtype(bool if is_truth(self.program.nodes[place]) else number)
        found = POOL.take(block.rows, kind).reshape(block.shape)
        products = {p: self.product(p, block) for p in tape.given if p in self.pairs}
        for part in block.parts():
            at = part.within(block)
            given = {p: line for p in tape.given if (line := part.side(p)) is not None}
            given.update({p: array[at] for p, array in products.items()})
            found[at] = tape.run(given, mode)[place]
        return whole(found.reshape(-1))

    def product(self, place: int, block: Block) -> Array:
        """A matrix product at all rows of a block, computed once."""
        if place not in block.made:
            block.made[place] = self.products[place](block)
        return block.made[place]

    @cached_property
    def modes(self) -> dict[int, Mode]:
        """In what each node that is no matrix product is computed."""
        return {
            p: tape.mode({g: self.bounds[g] for g in tape.given}) for p, tape in self.tapes.items()
        }

    @cached_property
    def products(self) -> dict[int, "MatrixProduct"]:
        """How each matrix product is computed."""
        return {
            place: MatrixProduct(pairs, self.bounds, self.program)
            for place, pairs in self.pairs.items()
        }


def _last_axes(columns: Mapping[str, Column], rows: int) -> list[str]:
    """The last axis, and those before it while a row stays short."""
    right: list[str] = []
    points = 1
    for name, column in reversed(list(columns.items())):
        if right and (points >= LONG_ROW or points * len(column) > rows // THICK):
            break
        right.append(name)
        points *= len(column)
    return right


class MatrixProduct:
    """``Σ_k left_k ⊗ right_k``: by BLAS where no product and no partial sum can leave 2⁵³.

    Args:
        pairs: the factors.
        bounds: of each factor.
        program: says which are numbers.
    """

    def __init__(self, pairs: list[Pair], bounds: Mapping[int, Bounds], program: Program) -> None:
        self.pairs = pairs
        self.numbers = [program.number(pair.left) for pair in pairs]
        self.largest = _largest_sum(pairs, bounds)
        self.low_bits = _low_bits(pairs, bounds) if self.largest > MAX_FLOAT else 0
        self._left: tuple[Slab, Array] | None = None
        self._right: Array | None = None

    def __call__(self, block: Block) -> Array:
        """The matrix at the block's points."""
        if self.largest < MAX_LAST_BITS:
            return self._by_last_bits(block)
        if self.largest <= MAX_FLOAT:
            lefts, rights = self._lefts(block, Mode.FLOAT), self._rights(block, Mode.FLOAT)
            return np.asarray((lefts @ rights).astype(np.int64))
        if self.largest <= MAX_INT64:
            return self._in_parts(block) if self.low_bits else self._in(block, Mode.INT)
        return self._in(block, Mode.OBJECT)

    def _by_last_bits(self, block: Block) -> Array:
        """``LONG + x`` in float64, whose bits less those of LONG are x in int64."""
        lefts = self._lefts(block, Mode.FLOAT, last=LONG)
        found = POOL.take(block.rows, np.float64).reshape(block.shape)
        np.matmul(lefts, self._rights(block, Mode.FLOAT, last=1), out=found)
        bits = found.view(np.int64)
        bits -= LONG_BITS
        return bits

    def _in_parts(self, block: Block) -> Array:
        """``left = high·2ᵇ + low``, each part's product by BLAS; their sum is below 2⁶³."""
        lefts, rights = self._lefts(block, Mode.INT), self._rights(block, Mode.FLOAT)
        high, low = lefts >> self.low_bits, lefts & ((1 << self.low_bits) - 1)
        found = (high.astype(np.float64) @ rights).astype(np.int64)
        found <<= self.low_bits
        found += (low.astype(np.float64) @ rights).astype(np.int64)
        return found

    def _in(self, block: Block, mode: Mode) -> Array:
        return np.asarray(self._lefts(block, mode) @ self._rights(block, mode))

    def _lefts(self, block: Block, mode: Mode, last: int | None = None) -> Array:
        """The left factors as columns, and a number as the last; kept for the slab's next block."""
        slab = block.slab
        if self._left is None or self._left[0] is not slab:
            columns = [
                slab.lefts[pair.left] if number is None else number
                for pair, number in zip(self.pairs, self.numbers, strict=True)
            ]
            lines = max((len(c) for c in columns if isinstance(c, np.ndarray)), default=1)
            found = np.empty((lines, self.rank(last)), mode.dtype)
            for k, column in enumerate([*columns, last][: self.rank(last)]):
                found[:, k] = column
            self._left = slab, found
        return self._left[1][block.lines]

    def _rights(self, block: Block, mode: Mode, last: int | None = None) -> Array:
        """The right factors as rows, and a number as the last; kept for the next block."""
        if self._right is None:
            rows = [block.slab.rights[pair.right] for pair in self.pairs]
            found = np.empty((self.rank(last), len(rows[0])), mode.dtype)
            for k, row in enumerate([*rows, last][: self.rank(last)]):
                found[k] = row
            self._right = found
        return self._right[:, block.places]

    def rank(self, last: int | None) -> int:
        """The products, and what is added at last."""
        return len(self.pairs) + (last is not None)


def _sum_bounds(pairs: list[Pair], bounds: Mapping[int, Bounds]) -> Bounds:
    """Between what a sum of products is."""
    ends = [(bounds[pair.left], bounds[pair.right]) for pair in pairs]
    corners = [[x * y for x in a for y in b] for a, b in ends if a is not None and b is not None]
    if len(corners) < len(ends):
        return None
    return sum(map(min, corners)), sum(map(max, corners))


def _largest(bounds: Bounds) -> int:
    """The largest absolute value; more than any where it is not known."""
    return MAX_INT64 + 1 if bounds is None else max(map(abs, bounds))


def _largest_sum(pairs: list[Pair], bounds: Mapping[int, Bounds]) -> int:
    """What no partial sum and no factor exceeds."""
    sizes = [(_largest(bounds[p.left]), _largest(bounds[p.right])) for p in pairs]
    return max(sum(a * b for a, b in sizes), *(max(pair) for pair in sizes))


def _low_bits(pairs: list[Pair], bounds: Mapping[int, Bounds]) -> int:
    """How many low bits of the left factors make two products that each stay below 2⁵³, or 0."""
    sizes = [(_largest(bounds[p.left]), _largest(bounds[p.right])) for p in pairs]
    if max(max(pair) for pair in sizes) > MAX_INT64 or max(b for _, b in sizes) > MAX_FLOAT:
        return 0
    for bits in range(1, 63):
        low = sum(((1 << bits) - 1) * b for _, b in sizes)
        high = sum(((a >> bits) + 1) * b for a, b in sizes)
        if max(low, high, *((a >> bits) + 1 for a, _ in sizes)) <= MAX_FLOAT:
            return bits
    return 0

"""The nodes of a grid: those of one side alone, and sums of products of the two sides.

A sum of products is one product of matrices. It is computed in float64 where neither a product nor
a partial sum can leave the integers that this holds exactly.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain, product
from typing import NamedTuple

import numpy as np

from costmodel.algebra.evaluation import Tape
from costmodel.algebra.once import once
from costmodel.algebra.operations import Array, Bounds
from costmodel.algebra.program import IntegerProgram

LEAST_TERMS, MOST_TERMS = 3, 64
"""A sum of fewer or of more products is computed from its parts instead."""

SHIFT = 3 * 2**51
"""Added to an integer of less than 2⁵¹, it shows the integer in the last bits of the float64.

All such sums are between 2⁵² and 2⁵³, where a float64 is an integer and its last bits count.
"""

SHIFT_BITS = int(np.float64(SHIFT).view(np.int64))

MAX_SHIFTED = 2**51 - 1


class SumOfProducts(NamedTuple):
    """A node as ``Σ left·right``.

    Attributes:
        factors: nodes of the left side or numbers, and as many nodes of the right side or numbers.
        bounds: the least and the largest sum.
    """

    factors: tuple[tuple[int, ...], tuple[int, ...]]
    bounds: Bounds

    def left(self, nodes: Mapping[int, Array]) -> Array:
        """Return the left factors, one line for each point, and the shift as the last."""
        columns = [nodes[place] for place in self.factors[0]]
        return np.stack([*columns, np.full(len(columns[0]), SHIFT)], 1, dtype=np.float64)

    def right(self, nodes: Mapping[int, Array]) -> Array:
        """Return the right factors, one column for each point, and 1 as the last."""
        rows = [nodes[place] for place in self.factors[1]]
        return np.stack([*rows, np.ones(len(rows[0]))], dtype=np.float64)


def multiplied(left: Array, right: Array) -> Array:
    """Return the int64 that a product of matrices with a shift stands for."""
    bits: Array = np.matmul(left, right).view(np.int64)
    bits -= SHIFT_BITS
    return bits


class BlockNodes(dict[int, Array]):
    """The nodes of a block: known ones, and products of two matrices, computed when first read."""

    def __init__(
        self, known: Mapping[int, Array], factors: Mapping[int, tuple[Array, Array]]
    ) -> None:
        super().__init__(known)
        self._factors = factors

    def __missing__(self, place: int) -> Array:
        self[place] = multiplied(*self._factors[place])
        return self[place]


class Separation:
    """The two sides that some nodes are made of; of more or fewer without sums of products.

    Args:
        program: the nodes; factors of products are added to it.
        sides: the symbols of each side, of two the left one's first.
        wanted: the nodes.
        given: the bounds of the inputs; without them no sums of products are found.

    Attributes:
        leaves: of each side, its largest nodes that others are made of.
        sums: node → the sum of products that it is.
    """

    def __init__(
        self,
        program: IntegerProgram,
        sides: Sequence[Set[str]],
        wanted: Iterable[int],
        given: Mapping[int, Bounds] | None = None,
    ) -> None:
        self._program = program
        self._sides = sides
        self.leaves: tuple[list[int], ...] = tuple([] for _ in sides)
        self.sums: dict[int, SumOfProducts] = {}
        seen: set[int] = set()
        stack = list(wanted)
        while stack:
            place = stack.pop()
            if place in seen or program.number(place) is not None:
                continue
            seen.add(place)
            side = self._side(place)
            if side is not None:
                self.leaves[side].append(place)
            elif given is not None and (found := self._sum(place, given)) is not None:
                self.sums[place] = found
            else:
                stack.extend(program.nodes[place].args)

    def _side(self, place: int) -> int | None:
        """Return the side of whose symbols alone a node is, if it is of one."""
        symbols = self._program.symbols[place]
        return next((i for i, names in enumerate(self._sides) if symbols <= names), None)

    def _sum(self, place: int, given: Mapping[int, Bounds]) -> SumOfProducts | None:
        """Return a node as a sum of products that float64 computes exactly, if it is one."""
        terms = self._terms(place)
        if terms is None or len(terms) < LEAST_TERMS:
            return None
        tape = Tape(self._program, [place, *chain(*terms.items())])
        bounds = tape.bounds({p: given[p] for p in tape.inputs})
        sizes = {p: MAX_SHIFTED + 1 if b is None else max(map(abs, b)) for p, b in bounds.items()}
        largest = sum(sizes[left] * sizes[right] for right, left in terms.items())
        if max(largest, *(sizes[factor] for factor in chain(*terms.items()))) > MAX_SHIFTED:
            return None
        return SumOfProducts((tuple(terms.values()), tuple(terms)), (-largest, largest))

    @once
    def _terms(self, place: int) -> dict[int, int] | None:
        """Return right factor → left factor of a sum of products, if a node is one."""
        program = self._program
        side = self._side(place)
        if side is not None:
            return {place: program.one} if side else {program.one: place}
        name, args, _ = program.nodes[place]
        if name not in ("add", "mul"):
            return None
        first, second = map(self._terms, args)
        if first is None or second is None or len(first) * len(second) > MOST_TERMS**2:
            return None
        pairs = chain(first.items(), second.items())
        if name == "mul":
            both = product(first.items(), second.items())
            pairs = chain((program.mul(a, c), program.mul(b, d)) for (a, b), (c, d) in both)
        found: dict[int, int] = {}
        for right, left in pairs:
            found[right] = program.add(found[right], left) if right in found else left
        return found if len(found) <= MOST_TERMS else None

"""A law as a short sum of products of factors, each of one symbol: ``Σ_i Π_s f_is(s)``.

Symbols that are linked are one, as they are one input of the program. What no such sum is (a floor
or a maximum over two symbols) is told apart, not approximated.
"""

from collections.abc import Iterable
from typing import NamedTuple

from costmodel.sweep.lowering import Program

MAX_PRODUCTS = 4096
"""The most products that a law is multiplied out to."""

Product = tuple[tuple[str, int], ...]
"""One factor's node for each symbol, ordered by symbol."""


class Factors:
    """What the nodes of a program depend on, and which are sums of products.

    Args:
        program: the nodes; products of factors are added to it.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._sums: dict[int, dict[Product, int] | None] = {}

    def symbols(self, place: int) -> frozenset[str]:
        """The symbols that a node depends on."""
        return self.program.symbols[place]

    def products(self, place: int) -> dict[Product, int] | None:
        """Products → how often each counts, or None where a node is no such sum."""
        if place not in self._sums:
            self._sums[place] = self._products(place)
        return self._sums[place]

    def _products(self, place: int) -> dict[Product, int] | None:
        number = self.program.number(place)
        if number is not None:
            return {(): number}
        symbols = self.symbols(place)
        if len(symbols) == 1:
            return {((next(iter(symbols)), place),): 1}
        name, args, _ = self.program.nodes[place]
        if name not in ("add", "mul"):
            return None
        left, right = map(self.products, args)
        if left is None or right is None:
            return None
        return self._added(left, right) if name == "add" else self._multiplied(left, right)

    def _added(
        self, left: dict[Product, int], right: dict[Product, int]
    ) -> dict[Product, int] | None:
        total = dict(left)
        for product, often in right.items():
            total[product] = total.get(product, 0) + often
        return total if len(total) <= MAX_PRODUCTS else None

    def _multiplied(
        self, left: dict[Product, int], right: dict[Product, int]
    ) -> dict[Product, int] | None:
        if len(left) * len(right) > MAX_PRODUCTS:
            return None
        total: dict[Product, int] = {}
        for a, often in left.items():
            for b, times in right.items():
                product = self._product(a, b)
                total[product] = total.get(product, 0) + often * times
        return total

    def _product(self, a: Product, b: Product) -> Product:
        """Two products as one: the factors of a symbol are multiplied."""
        factors = dict(a)
        for symbol, node in b:
            factors[symbol] = self.program.mul(*filter(None, (factors.get(symbol), node)))
        return tuple(sorted(factors.items()))

    def pairs(self, place: int, right: frozenset[str]) -> "list[Pair] | None":
        """A node as ``Σ_k left_k·right_k``, the right ones being of the given symbols alone.

        Of the two ways to collect terms, by the left or by the right factor, that with fewer.
        """
        products = self.products(place)
        if products is None:
            return None
        split = [self._split(product, often, right) for product, often in products.items()]
        by_right = self._collected((pair.right, pair.left) for pair in split)
        by_left = self._collected((pair.left, pair.right) for pair in split)
        if len(by_right) <= len(by_left):
            return [Pair(left, r) for r, left in by_right.items()]
        return [Pair(left, r) for left, r in by_left.items()]

    def _split(self, product: Product, often: int, right: frozenset[str]) -> "Pair":
        mul = self.program.mul
        lefts = [node for symbol, node in product if symbol not in right]
        rights = [node for symbol, node in product if symbol in right]
        number = self.program.const(often)
        return Pair(mul(*lefts, number), mul(*rights)) if lefts else Pair(number, mul(*rights))

    def _collected(self, pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
        groups: dict[int, list[int]] = {}
        for key, node in pairs:
            groups.setdefault(key, []).append(node)
        return {key: self.program.add(*nodes) for key, nodes in groups.items()}

    def frontier(self, outputs: Iterable[int], sides: Iterable[frozenset[str]]) -> dict[int, int]:
        """The largest nodes that are of one side alone → which side; numbers are none."""
        found: dict[int, int] = {}
        seen: set[int] = set()
        stack = list(outputs)
        ordered = list(sides)
        while stack:
            place = stack.pop()
            symbols = self.symbols(place)
            if place in seen or not symbols:
                continue
            seen.add(place)
            side = next((i for i, side in enumerate(ordered) if symbols <= side), None)
            if side is None:
                stack.extend(self.program.nodes[place].args)
            else:
                found[place] = side
        return found


class Pair(NamedTuple):
    """A product of two nodes."""

    left: int
    right: int

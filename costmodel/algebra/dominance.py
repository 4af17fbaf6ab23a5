"""Maxima of counts without the terms that another is proved never to be less than.

A count is a sum of products of sizes: symbols, floors, roundings. Of one symbol alone a table says
how two products of sizes compare everywhere (see `waves`). The smallest ratio of two products is at
least the product of the smallest ratios along each symbol.
``large - small`` is never negative where every product with a minus is covered by products with a
plus that are never less.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import product
from operator import le
from random import Random

from sympy import Add, Expr, S, Symbol

from archspec.arithmetic import Rational, tidy
from costmodel.algebra.bounds import Least, lower_bound, upper_bound
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.domains import ends, symbols_of
from costmodel.algebra.evaluate import Evaluator, values_over
from costmodel.algebra.functions import (
    FloorDiv,
    Maximum,
    Minimum,
    Quotient,
    in_order,
    is_ceiling,
    is_whole,
    plain,
)
from costmodel.algebra.once import once
from costmodel.algebra.waves import StepTable, SymbolRange

Factors = tuple[tuple[int, int], ...]
"""A product of sizes: the number of each with its exponent, in order."""

Polynomial = dict[Factors, Rational]
"""A sum of products, each with its coefficient."""

MAX_PRODUCTS = 256
"""The most products of a sum that is compared."""

MAX_EXPONENT = 8
"""The largest power that is multiplied out."""

MAX_COVERED = 20_000
"""The most products that are looked at to prove what is dominated among some counts.

Beyond, nothing more is proved: a maximum keeps a term that it does not need, and is as right.
"""

SAMPLES = 192
"""At how many points counts are looked at before anything is proved."""


class Region:
    """The values that the symbols may have together; a condition of no known form is not used.

    Attributes:
        least: the smallest values of the symbols.
        most: the largest values.
        divisions: symbol → what divides some integer of it alone, or what it divides.
        stand_in: symbol → what it is, where a condition says so: ``context >= t`` is ``t + more``.
    """

    def __init__(
        self,
        least: Least,
        most: Mapping[Symbol, Rational] | None = None,
        conditions: Iterable[Condition] = (),
    ) -> None:
        self.least = dict(least)
        self.most = dict(most or {})
        self.divisions: dict[Symbol, list[Divides]] = {}
        self.stand_in: dict[Symbol, Expr] = {}
        for condition in conditions:
            self._add(condition)

    def _add(self, condition: Condition) -> None:
        symbols = symbols_of(condition)
        if len(symbols) == 1:
            self._add_ends(condition, symbols.pop())
            return
        match condition:
            case AtLeast(expression, bound):
                self._add_order(expression, bound)
            case Divides(Symbol() as divisor, Symbol() as dividend):
                if is_whole(dividend * divisor):
                    self._replace(dividend, divisor * self._new(dividend, least=1))

    def _add_ends(self, condition: Condition, symbol: Symbol) -> None:
        """Add a condition on one symbol alone."""
        low, high = ends(condition, symbol)
        if low is not None:
            self.least[symbol] = max(low, self.least.get(symbol, low))
        if high is not None:
            self.most[symbol] = min(high, self.most.get(symbol, high))
        if isinstance(condition, Divides):
            self.divisions.setdefault(symbol, []).append(condition)

    def _add_order(self, expression: Expr, bound: Rational) -> None:
        """Take ``x - y >= bound`` for what makes x of y and something."""
        constant, rest = expression.as_coeff_Add()
        room = plain(constant) - bound
        if not (is_whole(rest) and room.denominator == 1):
            return
        for term in Add.make_args(rest):
            others = term - rest
            if isinstance(term, Symbol) and not others.has(term) and others.is_polynomial():
                self._replace(term, others - room + self._new(term, least=0))
                return

    def _new(self, symbol: Symbol, least: int) -> Symbol:
        """Return a new symbol for the rest of another."""
        new = Symbol(f"_{symbol.name}", integer=True, nonnegative=True)
        self.least[new] = least
        return new

    def _replace(self, symbol: Symbol, stands: Expr) -> None:
        """Take a symbol for what it is, unless that, or what stands for another, has it."""
        used = set().union(*(each.free_symbols for each in self.stand_in.values()))
        if symbol not in self.stand_in and symbol not in used | stands.free_symbols:
            self.stand_in[symbol] = stands.xreplace(self.stand_in)

    def reach(self, symbol: Symbol) -> SymbolRange:
        """Return the values of one symbol alone."""
        first = self.least.get(symbol, int(bool(symbol.is_integer and symbol.is_positive)))
        divisions = tuple(self.divisions.get(symbol, ()))
        return SymbolRange(symbol, first, self.most.get(symbol), divisions)


class SizeTables:
    """The sizes that counts are products of, with tables of those that hang on one symbol alone.

    Attributes:
        region: the values of the symbols.
        sizes: what is known, by number.
        axes: symbol → the table of its sizes.
        columns: of each size, its values at some points near and far.
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.sizes: list[Expr] = []
        self.axes: dict[Symbol, StepTable] = {}
        self.columns: list[list[Rational]] = []
        self._draws: dict[Symbol, list[Rational]] = {}
        self._number: dict[Expr, int] = {}
        self._settled = 0
        self._axis_of: list[Symbol | None] = []
        self._lows: list[Rational | None] = []
        self._signed: set[int] = set()

    def polynomials(self, counts: Iterable[Expr]) -> list[Polynomial | None]:
        """Return each count as a sum of products of sizes, or None where there are too many."""
        found = [self._polynomial(count.xreplace(self.region.stand_in)) for count in counts]
        if len(self.sizes) > self._settled:
            self._settle()
        return found

    def _polynomial(self, expression: Expr) -> Polynomial | None:
        """Return a sum of products of sizes, or None where there are too many."""
        if expression.is_Rational:
            return {(): plain(expression)} if expression else {}
        if expression.is_Add:
            return self._sum(expression.args)
        if expression.is_Mul:
            return self._product(expression.args)
        if expression.is_Pow and expression.exp.is_Integer and 0 < expression.exp <= MAX_EXPONENT:
            return self._product([expression.base] * int(expression.exp))
        if isinstance(expression, Quotient) and expression.args[1].is_Rational:
            return self._product((expression.args[0], 1 / expression.args[1]))
        if isinstance(expression, FloorDiv) and is_ceiling(expression):
            return {((self._numbered(-expression), 1),): -1}  # a size: ceil(x) = −floor(−x)
        return {((self._numbered(expression), 1),): 1}

    def _numbered(self, expression: Expr) -> int:
        """Return the number of a size."""
        if expression not in self._number:
            self._number[expression] = len(self.sizes)
            self.sizes.append(expression)
        return self._number[expression]

    def _sum(self, terms: Iterable[Expr]) -> Polynomial | None:
        total: Polynomial = {}
        for term in terms:
            found = self._polynomial(term)
            if found is None:
                return None
            _add(total, found.items())
        return total if len(total) <= MAX_PRODUCTS else None

    def _product(self, factors: Iterable[Expr]) -> Polynomial | None:
        total: Polynomial = {(): 1}
        for factor in factors:
            found = self._polynomial(factor)
            if found is None or len(found) * len(total) > MAX_PRODUCTS:
                return None
            both = product(total.items(), found.items())
            total = _add({}, ((_times(one, other), a * b) for (one, a), (other, b) in both))
        return total

    def _settle(self) -> None:
        """Work out what is known of all sizes, anew along the symbols of those that are new."""
        new = set().union(*(size.free_symbols for size in self.sizes[self._settled :]))
        functions: dict[Symbol, list[Expr]] = {symbol: [] for symbol in sorted(new, key=str)}
        for size in self.sizes:
            symbols = size.free_symbols
            if len(symbols) == 1 and symbols <= new and (size.is_integer or not size.is_Symbol):
                functions[next(iter(symbols))].append(size)
        for symbol, own in functions.items():
            self.axes[symbol] = StepTable(self.region.reach(symbol), own)
        self._settled = len(self.sizes)
        self._axis_of = [self._tabled(size) for size in self.sizes]
        lows = (lower_bound(size, self.region.least) for size in self.sizes)
        self._lows = [low if low is not None and low >= 0 else None for low in lows]
        self._signed = {
            i for i, s in enumerate(self._axis_of) if s and self.sizes[i] in self.axes[s].signed
        }
        for symbol in functions:
            random = Random(symbol.name)
            self._draws[symbol] = [self.axes[symbol].draw(random) for _ in range(SAMPLES)]
        self.columns = list(self._columns())
        self._product_column = cache(self._product_of_columns)

    def _tabled(self, size: Expr) -> Symbol | None:
        """Return the symbol in whose table a size is."""
        symbol = next(iter(size.free_symbols)) if len(size.free_symbols) == 1 else None
        return symbol if symbol is not None and size in self.axes[symbol].values else None

    def _columns(self) -> Iterator[list[Rational]]:
        """Yield the values of each size at all points."""
        points = [
            Evaluator({symbol: draws[number] for symbol, draws in self._draws.items()})
            for number in range(SAMPLES)
        ]
        for size, symbol in zip(self.sizes, self._axis_of, strict=True):
            if symbol is None:
                yield [evaluate(size) for evaluate in points]
            else:
                yield values_over(size, symbol, self._draws[symbol])

    def values(self, polynomial: Polynomial) -> tuple[Rational, ...]:
        """Return the values of a sum of products of sizes at all points."""
        total: list[Rational] = [0] * SAMPLES
        for factors, coefficient in polynomial.items():
            column = zip(total, self._product_column(factors), strict=True)
            total = [before + coefficient * value for before, value in column]
        return tuple(total)

    def _product_of_columns(self, factors: Factors) -> list[Rational]:
        """Return the values of a product of sizes at all points."""
        found: list[Rational] = [1] * SAMPLES
        for number, exponent in factors:
            column = zip(found, self.columns[number], strict=True)
            found = [before * value**exponent for before, value in column]
        return found

    def _is_known(self, number: int) -> bool:
        """Return whether a size is in a table, or is never negative."""
        return self._axis_of[number] is not None or self._lows[number] is not None

    def _is_counted(self, number: int) -> bool:
        return self._is_known(number) and number not in self._signed

    def is_counted(self, polynomial: Polynomial) -> bool:
        """Return whether all sizes in a sum are known and never negative."""
        return all(self._is_counted(number) for factors in polynomial for number, _ in factors)

    def is_at_most_counted(self, polynomial: Polynomial) -> bool:
        """Return whether a sum is no more than with 0 for sizes where they are negative."""
        for factors, coefficient in polynomial.items():
            signed = [exponent for number, exponent in factors if number in self._signed]
            if signed and not (signed == [1] and coefficient > 0):
                return False
        return all(self._is_known(number) for factors in polynomial for number, _ in factors)

    def without_steps(self, polynomial: Polynomial) -> Polynomial:
        """Return x of ``min(1, r)·x``, never more than the larger of 0 and x; else the sum."""
        powers = [dict(factors) for factors in polynomial]
        numbers = filter(self._is_step, set[int]().union(*powers))
        steps = {n: min(each.get(n, 0) for each in powers) for n in numbers}
        return {
            tuple((n, e - steps.get(n, 0)) for n, e in factors if e > steps.get(n, 0)): coefficient
            for factors, coefficient in polynomial.items()
        }

    def _is_step(self, number: int) -> bool:
        """Return whether a size is ``min(1, r)`` and never negative: from 0 to 1."""
        size = self.sizes[number]
        return isinstance(size, Minimum) and S.One in size.args and self._is_counted(number)

    @once
    def ratio(self, over: Factors, under: Factors) -> Rational:
        """Return a number that the quotient of two products of sizes never falls below."""
        ratio: Rational = 1
        along: dict[Symbol, tuple[list[tuple[Expr, int]], list[tuple[Expr, int]]]] = {}
        for number, exponent in _times(over, tuple((number, -e) for number, e in under)):
            symbol = self._axis_of[number]
            if symbol is None:
                ratio *= 0 if exponent < 0 else (self._lows[number] or 0) ** exponent
            elif exponent:
                sides = along.setdefault(symbol, ([], []))
                sides[exponent < 0].append((self.sizes[number], abs(exponent)))
        for symbol, (tops, bottoms) in along.items():
            ratio *= self.axes[symbol].ratio(tuple(tops), tuple(bottoms)) if ratio else 0
        return ratio


class Counts:
    """Some counts as sums of products of sizes.

    Attributes:
        sizes: what is known of their sizes.
        polynomials: of each count, or None where it is no such sum.
        values: of each count, its values at some points; of no such sum none.
        left: how many products may still be looked at.
    """

    def __init__(self, counts: Sequence[Expr], sizes: SizeTables) -> None:
        self.sizes = sizes
        self.left = MAX_COVERED
        self.polynomials = sizes.polynomials(counts)
        self.values = [
            () if polynomial is None else sizes.values(polynomial)
            for polynomial in self.polynomials
        ]

    def exceeds(self, large: int, small: int) -> bool:
        """Return whether it is proved that one count is never less than another."""
        over, under = self.polynomials[large], self.polynomials[small]
        if over is None or under is None or self.left <= 0 or not self.sizes.is_counted(over):
            return False
        if self._is_covered(over, under):
            return True
        always = self.sizes.without_steps(under)
        return always != under and self._covers(over) and self._is_covered(over, always)

    def _is_covered(self, over: Polynomial, under: Polynomial) -> bool:
        """Return whether a sum of sizes that are not negative is proved to be at least another."""
        negative = ((factors, -coefficient) for factors, coefficient in under.items())
        return self.sizes.is_at_most_counted(under) and self._covers(_add({**over}, negative))

    def _covers(self, difference: Polynomial) -> bool:
        """Return whether the products with a minus are covered by those with a plus."""
        left = {factors: a for factors, a in difference.items() if a > 0}
        short = sorted((a, factors) for factors, a in difference.items() if a < 0)
        return all(self._cover(factors, -a, left) for a, factors in short)

    def _cover(self, factors: Factors, need: Rational, left: Polynomial) -> bool:
        """Take what covers ``need`` times a product from those that are left, the best first.

        ``a`` times a product that is at least ``r`` times this one covers ``a·r`` of it.
        """
        self.left -= 1 + len(left)
        ratios = sorted(((self.sizes.ratio(plus, factors), plus) for plus in left), reverse=True)
        for ratio, plus in ratios:
            if need <= 0 or ratio <= 0:
                break
            taken = min(left[plus], tidy(Fraction(need) / ratio))
            left[plus] -= taken
            need -= taken * ratio
            if not left[plus]:
                del left[plus]
        return need <= 0


def _times(one: Factors, other: Factors) -> Factors:
    """Return the product of two products."""
    if not one or not other:
        return one or other
    exponents = dict(one)
    for number, exponent in other:
        exponents[number] = exponents.get(number, 0) + exponent
    return tuple(sorted(exponents.items()))


def _add(total: Polynomial, products: Iterable[tuple[Factors, Rational]]) -> Polynomial:
    """Add products to a sum, and return it."""
    for factors, coefficient in products:
        total[factors] = total.get(factors, 0) + coefficient
    return total


def maximum(terms: Sequence[Expr], sizes: SizeTables, usual: Evaluator) -> Expr:
    """Return the maximum of some terms without those that can never be it.

    What is the largest somewhere stays; of the others only a proof drops a term.

    Args:
        terms: expressions that are not negative.
        sizes: what is known of the sizes in them, where the symbols are what they may be.
        usual: gives the usual values.
    """
    # the largest first; of equals x before min(1, L)·x, which is never more
    ordered = in_order(Maximum.undecided(terms), lambda term: (-usual(term), term.has(Minimum)))
    ordered = _reached(ordered)
    if len(ordered) == 1:
        return ordered[0]
    return Maximum(*(ordered[number] for number in _undominated(Counts(ordered, sizes))))


def _reached(terms: Sequence[Expr]) -> list[Expr]:
    """Return the terms that may be as much as the least that one of them always is."""
    bounds = (lower_bound(term, {}) for term in terms)
    always = max((bound for bound in bounds if bound is not None), default=0)
    most = ((term, upper_bound(term, {})) for term in terms)
    return [term for term, bound in most if bound is None or bound >= always]


def _undominated(counts: Counts) -> list[int]:
    """Return the numbers of the counts that no other one is proved to dominate."""
    leaders = _leaders(counts)
    kept = list(leaders)
    for number in range(len(counts.values)):
        if number not in leaders and not _is_dominated(counts, number, kept):
            kept.append(number)
    for number in kept[len(leaders) :]:
        others = [other for other in kept if other != number]
        if _is_dominated(counts, number, others):
            kept = others
    return kept


def _leaders(counts: Counts) -> list[int]:
    """Return the counts that alone are the largest at some point, the most frequent first."""
    known = [number for number, values in enumerate(counts.values) if values]
    columns = zip(*(counts.values[number] for number in known), strict=True)
    largest = ((column, max(column)) for column in columns)
    wins = Counter(known[c.index(most)] for c, most in largest if c.count(most) == 1)
    return sorted(wins, key=lambda number: (-wins[number], number))


def _is_dominated(counts: Counts, number: int, rivals: Sequence[int]) -> bool:
    """Return whether a count is proved never to be more than one of its rivals.

    One that is less at a point that was looked at is not tried.
    """
    values = counts.values[number]
    return bool(values) and any(
        all(map(le, values, counts.values[rival])) and counts.exceeds(rival, number)
        for rival in rivals
        if counts.values[rival] and counts.left > 0
    )

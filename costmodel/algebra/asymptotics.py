"""The leading order of a closed form, proved.

``M = Θ(g)`` over some symbols means: there are positive a, b and a bound N so that
``a·g <= M <= b·g`` for all values of these symbols of at least N, each growing on its own, the
others being the numbers that they are.

A law is enclosed by a sum of monomials whose coefficients lie between two numbers each. A monomial
dominates another where no exponent is smaller; the leading order is the sum of those that no other
dominates. It is proved where their coefficients are positive and whatever may be negative is of a
truly smaller order.
"""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import reduce
from itertools import product
from typing import NamedTuple

from sympy import Add, Expr, Mul, Pow, Symbol

from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import FloorDiv, Maximum, Minimum, Quotient, RoundTo, exact, plain
from costmodel.algebra.once import once
from costmodel.algebra.printing import text

Monomial = frozenset[tuple[Expr, Rational]]
"""What grows, each with its exponent, none of them 0."""


class Coefficient(NamedTuple):
    """A coefficient that is known to lie between two numbers."""

    low: Rational
    high: Rational

    def plus(self, other: "Coefficient") -> "Coefficient":
        """Return the range of the sum."""
        return Coefficient(self.low + other.low, self.high + other.high)

    def times(self, other: "Coefficient") -> "Coefficient":
        """Return the range of the product."""
        corners = [a * b for a, b in product(self, other)]
        return Coefficient(min(corners), max(corners))


Enclosure = dict[Monomial, Coefficient]
"""A sum of monomials that encloses a law."""

ONE: Monomial = frozenset()
PART_OF_ONE = Coefficient(-1, 0)
HALF_TO_ALL = Coefficient(Fraction(1, 2), 1)


class NoOrder(ValueError):  # noqa: N818 - no mistake: what it says is an answer
    """No leading order is proved; the message gives the reason."""


def leading_order(
    law: Expr,
    growing: Iterable[Symbol],
    evaluate: Evaluator,
    smaller: Mapping[Symbol, Symbol] | None = None,
) -> Expr:
    """Return the sum of monomials that a law grows as, while some symbols grow without end.

    Args:
        law: an expression that is never negative.
        growing: the symbols that grow.
        evaluate: gives the numbers of what does not grow.
        smaller: symbol → another that it never falls below: of ``h >= patch`` ``h//patch`` is
            known to grow as ``h/patch``.

    Raises:
        NoOrder: none is proved.
    """
    growth = _Asymptotics(growing, evaluate, smaller or {})
    return _as_sum(growth.leading(growth(law)))


def _as_sum(monomials: list[Monomial]) -> Expr:
    """Return the sum, what all monomials share in front."""
    powers = [dict(monomial) for monomial in monomials]
    shared = {
        base: min(each.get(base, 0) for each in powers)
        for base in set().union(*powers)
        if all(each.get(base, 0) > 0 for each in powers)
    }
    common = _as_product(shared.items())
    return Mul(common, Add(*(_as_product(m) / common for m in monomials)))


def _as_product(powers: Iterable[tuple[Expr, Rational]]) -> Expr:
    return Mul(*(base ** exact(exponent) for base, exponent in powers))


def _constant(value: Rational) -> Enclosure:
    return {ONE: Coefficient(value, value)} if value else {}


def _sum(parts: Iterable[Enclosure]) -> Enclosure:
    total: Enclosure = {}
    for part in parts:
        for monomial, coefficient in part.items():
            known = total.get(monomial)
            total[monomial] = coefficient if known is None else known.plus(coefficient)
    return total


def _product(first: Enclosure, second: Enclosure) -> Enclosure:
    return _sum(
        {_together(a, b): coefficient.times(other)}
        for a, coefficient in first.items()
        for b, other in second.items()
    )


def _together(first: Monomial, second: Monomial) -> Monomial:
    """Return the product of two monomials."""
    if not (first and second):
        return first or second
    powers = dict(first)
    for base, exponent in second:
        powers[base] = powers.get(base, 0) + exponent
    return frozenset(power for power in powers.items() if power[1])


class _Asymptotics:
    """The growth of expressions; shared parts are worked out once."""

    def __init__(
        self, growing: Iterable[Symbol], evaluate: Evaluator, smaller: Mapping[Symbol, Symbol]
    ) -> None:
        self.growing = frozenset(growing)
        self.evaluate = evaluate
        self.smaller: dict[Expr, Expr] = {}
        for large, small in smaller.items():
            if {large, small} <= self.growing:
                self._remember(large, small)
        self.rules: dict[type, Callable[[Expr], Enclosure]] = {
            Add: lambda e: _sum(map(self, e.args)),
            Mul: lambda e: reduce(_product, map(self, e.args)),
            Pow: self._power,
            FloorDiv: self._floor,
            Quotient: lambda e: _product(self(e.args[0]), self._inverse(e.args[1])),
            RoundTo: self._rounded,
            Maximum: self._maximum,
            Minimum: self._minimum,
        }

    def _remember(self, large: Expr, small: Expr) -> None:
        """Keep a pair that makes no chain: none is the smaller of one and the larger of another."""
        if large not in {*self.smaller, *self.smaller.values()} and small not in self.smaller:
            self.smaller[large] = small

    @once
    def __call__(self, expression: Expr) -> Enclosure:
        """Return a sum of monomials that encloses an expression.

        Raises:
            NoOrder: none is known.
        """
        if expression.is_Rational:
            return _constant(plain(expression))
        if expression in self.growing:
            return {frozenset({(expression, 1)}): Coefficient(1, 1)}
        if self.growing.isdisjoint(expression.free_symbols):
            return _constant(self.evaluate(expression))
        rule = self.rules.get(type(expression))
        if rule is None:
            raise NoOrder(f"{text(expression)} grows as no power")
        return rule(expression)

    def _power(self, expression: Expr) -> Enclosure:
        base, exponent = expression.args
        if not exponent.is_Integer:
            raise NoOrder(f"{text(expression)} is no whole power")
        factor = self(base) if exponent > 0 else self._inverse(base)
        return reduce(_product, [factor] * abs(int(exponent)))

    def _inverse(self, divisor: Expr) -> Enclosure:
        """Return the enclosure of one over a positive monomial."""
        growth = self(divisor)
        if len(growth) != 1:
            raise NoOrder(f"the sum {text(divisor)} divides")
        ((monomial, (low, high)),) = growth.items()
        if low <= 0:
            raise NoOrder(f"{text(divisor)} divides and may not be positive")
        inverse = frozenset((base, -exponent) for base, exponent in monomial)
        return {inverse: Coefficient(1 / Fraction(high), 1 / Fraction(low))}

    def _floor(self, expression: Expr) -> Enclosure:
        """``x/q − 1 < x//q <= x/q``; at least half of ``x/q`` where that is at least 1."""
        x, q = expression.args
        quotient = _product(self(x), self._inverse(q))
        if self(q).keys() == {ONE}:
            return _sum([quotient, {ONE: PART_OF_ONE}])
        if self.smaller.get(x) == q:
            return _product(quotient, {ONE: HALF_TO_ALL})
        raise NoOrder(f"{text(q)} divides under a floor, {text(expression)}")

    def _rounded(self, expression: Expr) -> Enclosure:
        """``x − d/2 <= round_to(x, d) <= x + d``."""
        x, divisor = map(self, expression.args)
        return _sum([x, _product(divisor, {ONE: Coefficient(Fraction(-1, 2), 1)})])

    def _maximum(self, expression: Expr) -> Enclosure:
        """Return an enclosure: at least the mean, and at most the sum of nonnegative parts."""
        parts = [self(arg) for arg in expression.args]
        means = _product(_sum(parts), {ONE: Coefficient(*[Fraction(1, len(parts))] * 2)})
        most = _sum({m: Coefficient(0, max(r.high, 0)) for m, r in part.items()} for part in parts)
        return {m: Coefficient(means[m].low, high) for m, (_, high) in most.items()}

    def _minimum(self, expression: Expr) -> Enclosure:
        """Return the enclosure of the bounded arguments; of none the minimum itself."""
        still = [arg for arg in expression.args if self(arg).keys() <= {ONE}]
        moving = [arg for arg in expression.args if arg not in still]
        if not all(map(self._is_unbounded, moving)):
            raise NoOrder(f"what {text(expression)} grows as is not known")
        if still:
            ranges = [self(arg).get(ONE, Coefficient(0, 0)) for arg in still]
            return {ONE: Coefficient(*map(min, zip(*ranges, strict=True)))}
        for arg in moving:
            self._remember(arg, expression)
        return {frozenset({(expression, 1)}): Coefficient(1, 1)}

    def _is_unbounded(self, expression: Expr) -> bool:
        """Return whether an expression grows beyond every number."""
        return all(
            monomial and all(exponent > 0 for _, exponent in monomial)
            for monomial in self.leading(self(expression))
        )

    def leading(self, growth: Enclosure) -> list[Monomial]:
        """Return the monomials that no other dominates.

        Raises:
            NoOrder: their coefficients are not proved to be positive.
        """
        ranges = {m: r for m, r in growth.items() if r != (0, 0)}
        found: dict[Monomial, dict[Expr, Rational]] = {}
        orders = {monomial: self._order(monomial) for monomial in ranges}
        for monomial in sorted(ranges, key=lambda m: -sum(orders[m].values())):
            if not any(_is_never_below(known, orders[monomial]) for known in found.values()):
                found[monomial] = orders[monomial]
        loose = [m for m in found if ranges[m].low <= 0]
        loose += [
            m
            for m, (low, _) in ranges.items()
            if low < 0
            and m not in found
            and not any(self._outgrows(known, orders[m]) for known in found.values())
        ]
        if loose:
            named = ", ".join(sorted({text(_as_product(m)) for m in loose}))
            raise NoOrder(f"terms of the order {named} may cancel each other")
        return list(found)

    def _order(self, monomial: Monomial) -> dict[Expr, Rational]:
        """Return the exponents, a larger symbol written as its ratio times the smaller one."""
        order: dict[Expr, Rational] = dict(monomial)
        for large, small in self.smaller.items():
            if large in order:
                order[small] = order.get(small, 0) + order[large]
        return order

    def _outgrows(self, first: Mapping[Expr, Rational], second: Mapping[Expr, Rational]) -> bool:
        """Return whether the ratio of the second to the first is proved to tend to 0."""
        bases = {*first, *second} - self.smaller.keys()
        more = (first.get(base, 0) > second.get(base, 0) for base in bases)
        return _is_never_below(first, second) and any(more)


def _is_never_below(first: Mapping[Expr, Rational], second: Mapping[Expr, Rational]) -> bool:
    return all(first.get(base, 0) >= second.get(base, 0) for base in {*first, *second})

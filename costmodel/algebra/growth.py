"""The growth of a closed form: its leading order, proved, and its derivative or slope.

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
from itertools import chain, product
from math import prod
from typing import NamedTuple

from sympy import Add, Expr, Mul, Pow, Symbol

from archspec.arithmetic import OPERATORS, Rational, tidy
from archspec.expressions import ExpressionError
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Log2,
    Maximum,
    Minimum,
    Operation,
    Quotient,
    RoundTo,
    exact,
    plain,
)
from costmodel.algebra.normal_form import by_resolution
from costmodel.algebra.once import once
from costmodel.algebra.printing import text

Monomial = frozenset[tuple[Expr, Rational]]
"""What grows, each with its exponent, none of them 0."""


class Coefficient(NamedTuple):
    """A coefficient that is known to lie between two numbers."""

    low: Rational
    high: Rational

    def times(self, other: "Coefficient") -> "Coefficient":
        """Return the range of the product."""
        corners = [a * b for a, b in product(self, other)]
        return Coefficient(min(corners), max(corners))


Enclosure = dict[Monomial, Coefficient]
"""A sum of monomials that encloses a law."""

ONE: Monomial = frozenset()
NOTHING = Coefficient(0, 0)


class NoOrder(ValueError):  # noqa: N818 - no mistake: what it says is an answer
    """No leading order is proved; the message gives the reason."""


def leading_order(
    form: Expr,
    growing: Iterable[Symbol],
    evaluate: Evaluator,
    smaller: Mapping[Symbol, Symbol] | None = None,
) -> Expr:
    """Return the sum of monomials that a law grows as, while some symbols grow without end.

    Args:
        form: an expression that is never negative.
        growing: the symbols that grow.
        evaluate: gives the numbers of what does not grow.
        smaller: symbol → another that it never falls below: of ``h >= patch`` ``h//patch`` is
            known to grow as ``h/patch``.

    Raises:
        NoOrder: none is proved.
    """
    growth = _Asymptotics(growing, evaluate, smaller or {})
    monomials = growth.leading(growth(form))
    powers = [dict(monomial) for monomial in monomials]
    least = {base: min(each.get(base, 0) for each in powers) for base in set().union(*powers)}
    common = _as_product((base, exponent) for base, exponent in least.items() if exponent > 0)
    return Mul(common, Add(*(_as_product(m) / common for m in monomials)))


def _as_product(powers: Iterable[tuple[Expr, Rational]]) -> Expr:
    return Mul(*(base ** exact(exponent) for base, exponent in powers))


def _constant(value: Rational) -> Enclosure:
    return {ONE: Coefficient(value, value)} if value else {}


def _sum(parts: Iterable[Enclosure]) -> Enclosure:
    total: Enclosure = {}
    for monomial, (low, high) in chain(*(part.items() for part in parts)):
        before = total.get(monomial, NOTHING)
        total[monomial] = Coefficient(before.low + low, before.high + high)
    return total


def _product(first: Enclosure, second: Enclosure) -> Enclosure:
    pairs = product(first.items(), second.items())
    return _sum({_together(a, b): one.times(other)} for (a, one), (b, other) in pairs)


def _together(first: Monomial, second: Monomial) -> Monomial:
    """Return the product of two monomials."""
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
            return _sum([quotient, {ONE: Coefficient(-1, 0)}])
        if self.smaller.get(x) == q:
            return _product(quotient, {ONE: Coefficient(Fraction(1, 2), 1)})
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
        leading = (monomial for arg in moving for monomial in self.leading(self(arg)))
        if not all(each and all(exponent > 0 for _, exponent in each) for each in leading):
            raise NoOrder(f"what {text(expression)} grows as is not known")
        if still:
            ranges = [self(arg).get(ONE, NOTHING) for arg in still]
            return {ONE: Coefficient(*map(min, zip(*ranges, strict=True)))}
        for arg in moving:
            self._remember(arg, expression)
        return {frozenset({(expression, 1)}): Coefficient(1, 1)}

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
        loose = {m for m in found if ranges[m].low <= 0}
        for monomial in (m for m, (low, _) in ranges.items() if low < 0 and m not in found):
            if not any(self._outgrows(known, orders[monomial]) for known in found.values()):
                loose.add(monomial)
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


def obstacle(form: Expr, symbol: Symbol) -> str | None:
    """Return the reason why a law has no derivative: ``h stands in ceil(h/2), which steps``."""
    functions = (
        function
        for function in form.atoms(Operation)
        if not isinstance(function, Quotient) and symbol in function.free_symbols
    )
    found = min(  # steps before bends, short before long
        functions,
        key=lambda f: (isinstance(f, Extremum), f.count_ops(), f.sort_key()),
        default=None,
    )
    if found is None:
        return None
    shown = text(-found if found.args[0].could_extract_minus_sign() else found)
    name = shown if len(shown) <= MAX_SHOWN else f"{shown[: shown.index('(')]}(…)"
    return f"{symbol} stands in {name}, which {_FAULTS.get(type(found), 'steps')}"


_FAULTS: dict[type, str] = {Maximum: "bends", Minimum: "bends", Log2: "is no fraction of powers"}

MAX_SHOWN = 40
"""The longest function that a reason shows whole."""


def derivative(form: Expr, symbol: Symbol) -> Expr:
    """Return the exact derivative of a law in which nothing is an `obstacle`."""
    fractions = form.replace(Quotient, lambda over, under: over / under)
    return by_resolution(fractions.diff(symbol))


class Derivatives:
    """The slopes of expressions at numbers while symbols rise, each at a speed of its own.

    Where there is a derivative, the slope is it. ``x//q`` is taken to rise evenly from the value
    that it has, as ``x/q`` does, and ``round_to(x, d)`` as ``x``. Of a maximum of equals the
    steepest counts, of a minimum the flattest: symbols rise.

    Args:
        evaluate: gives the values.
        speeds: symbol → how fast it rises; those not given stay.
    """

    def __init__(self, evaluate: Evaluator, speeds: Mapping[Symbol, Rational]) -> None:
        self.evaluate = evaluate
        self.speeds = speeds
        self.rules: dict[type, Callable[[Expr], Rational]] = {
            Add: lambda e: sum(map(self, e.args)),
            Mul: self._of_product,
            Pow: self._of_power,
            FloorDiv: self._of_quotient,
            Quotient: self._of_quotient,
            RoundTo: lambda e: self(e.args[0]),
            Maximum: lambda e: max(self._of_equals(e)),
            Minimum: lambda e: min(self._of_equals(e)),
        }

    @once
    def __call__(self, expression: Expr) -> Rational:
        """Return the exact slope.

        Raises:
            ExpressionError: it is no rational number.
        """
        if expression in self.speeds or not any(map(self, expression.args)):
            return self.speeds.get(expression, 0)
        if type(expression) not in self.rules:
            raise ExpressionError(f"the slope of {text(expression)} is no rational number")
        return tidy(self.rules[type(expression)](expression))

    def _of_product(self, expression: Expr) -> Rational:
        """``(a·b)' = a'·b + a·b'``."""
        values = list(map(self.evaluate, expression.args))
        slopes = enumerate(map(self, expression.args))
        return sum(s * prod(values[:i] + values[i + 1 :]) for i, s in slopes if s)

    def _of_power(self, expression: Expr) -> Rational:
        """``(x**k)' = k·x'·x**k/x`` for a number k; 0 where x is 0 and k more than 1."""
        base, exponent = expression.args
        if not exponent.is_Rational:
            raise ExpressionError(f"the slope of {text(expression)} is no rational number")
        value, times = self.evaluate(base), self.evaluate(exponent)
        if value == 0 and times > 1:
            return 0
        return times * self(base) * OPERATORS["/"](self.evaluate(expression), value)

    def _of_quotient(self, expression: Expr) -> Rational:
        """``(x/q)' = (x'·q − x·q')/q²``."""
        (x, q), (dx, dq) = map(self.evaluate, expression.args), map(self, expression.args)
        return (dx * q - x * dq) / Fraction(q) ** 2

    def _of_equals(self, expression: Expr) -> list[Rational]:
        """Return the slopes of the arguments that equal the maximum, or the minimum."""
        value = self.evaluate(expression)
        return [self(arg) for arg in expression.args if self.evaluate(arg) == value]

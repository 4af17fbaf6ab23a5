"""The values that a symbol may have by its own rules and by conditions on it alone."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, common_multiple, tidy
from archspec.expressions import TooLargeError
from archspec.header import Symbol as Declared
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.functions import plain
from costmodel.algebra.monotonicity import linear

MAX_EXPONENT = 2_048  # of a number in an expression: no budget has more bits
"""Values from ``2**2048`` steps on are not looked at."""


class Span(NamedTuple):
    """Numbers of steps from ``first`` to ``last``, without end where that is None."""

    first: int
    last: int | None

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return self.last is not None and self.last < self.first

    def met(self, other: "Span") -> "Span":
        """What is in both."""
        lasts = [last for last in (self.last, other.last) if last is not None]
        return Span(max(self.first, other.first), min(lasts, default=None))


class Domain(NamedTuple):
    """The ends of a symbol's values, and what they are multiples of.

    Conditions of other forms may leave holes in it.

    Attributes:
        first: the smallest value, or 0 where it may be any positive number.
        last: the largest value, if there is one.
        step: whose multiples the values are, or None where they are all real numbers.
    """

    first: Rational
    last: Rational | None
    step: Rational | None

    @property
    def steps(self) -> Span:
        """The values as multiples of the step."""
        assert self.step is not None
        last = None if self.last is None else floor(Fraction(self.last) / self.step)
        return Span(max(ceil(Fraction(self.first) / self.step), 1), last)

    def nearest(self, value: Rational) -> Rational:
        """The value in it that is nearest to another."""
        if self.step is not None:
            steps, span = round(Fraction(value) / self.step), self.steps
            steps = max(steps, span.first)
            return self.value(steps if span.last is None else min(steps, span.last))
        value = max(value, self.first)
        return value if self.last is None else min(value, self.last)

    def value(self, steps: int) -> Rational:
        """So many steps."""
        assert self.step is not None
        return tidy(Fraction(steps * self.step))


def last_of(holds: Callable[[int], bool], span: Span) -> int | None:
    """Return the last number that a property holds of that ends once; None where no end is found.

    Where it does not even hold of the first, the number before that. Numbers are not looked at from
    ``2**MAX_EXPONENT`` on, nor where the laws have more bits than are computed, so that None proves
    nothing.
    """
    before, last = span.first - 1, span.last
    size = None if last is None else last - before
    most = MAX_EXPONENT if size is None else min((size - 1).bit_length(), MAX_EXPONENT)

    def number(exponent: int) -> int:
        return before + (1 << exponent if size is None else min(1 << exponent, size))

    low, high = gallop(lambda exponent: holds(number(exponent)), most)
    good = before if low is None else number(low)
    if high is None:
        return last if good == last else None
    bad = number(high)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def gallop(holds: Callable[[int], bool], most: int = MAX_EXPONENT) -> tuple[int | None, int | None]:
    """Return an exponent up to which a property holds, and a larger one at which it does not.

    The first is None where it does not hold at 0; the second, where it holds as far as numbers are
    computed, at most to a given exponent. Each exponent is twice the one before, so that few are
    tried.
    """
    low: int | None = None
    too_large, tried = most + 1, 0
    while low != tried < too_large:
        try:
            if not holds(tried):
                return low, tried
        except TooLargeError:
            too_large = tried
        else:
            low = tried
        further = max(2 * tried, 1) if too_large > most else ((low or 0) + too_large) // 2
        tried = min(further, most)
    return low, None


def domain_under(
    declared: Declared,
    symbol: Symbol,
    conditions: Iterable[Condition],
    step: Rational | None = None,
) -> Domain:
    """Return what a symbol's own rules and conditions on it alone leave of its values."""
    known = [c for c in conditions if symbols_of(c) == {symbol}]
    bounds = [_bounds(condition, symbol) for condition in known]
    firsts = [0, declared.least or 0, *(low for low, _ in bounds if low is not None)]
    lasts = [declared.max, *(high for _, high in bounds)]
    units: list[Rational] = [1] if declared.domain == "integer" else []
    units += [unit for unit in (declared.multiple_of, step) if unit is not None]
    units += filter(None, (_unit(condition, symbol) for condition in known))
    return Domain(
        max(firsts),
        min((last for last in lasts if last is not None), default=None),
        common_multiple(units) if units else None,
    )


def symbols_of(condition: Condition) -> set[Symbol]:
    """The symbols that a condition is about."""
    return set().union(*(side.free_symbols for side in condition if isinstance(side, Expr)))


def _bounds(condition: Condition, symbol: Symbol) -> tuple[Rational | None, Rational | None]:
    """The ends that a condition sets: ``1024 - t >= 0``, or ``32 % g == 0`` for positive g."""
    match condition:
        case AtLeast(expression, bound):
            line = linear(expression, symbol)
            if line is None:
                return None, None
            end = tidy((bound - line[1]) / line[0])
            return (end, None) if line[0] > 0 else (None, end)
        case Divides(divisor, dividend) if dividend.is_Rational:
            factor = divisor / symbol
            if factor.is_Rational:
                return None, tidy(abs(Fraction(plain(dividend / factor))))
    return None, None


def _unit(condition: Condition, symbol: Symbol) -> Rational | None:
    """What a condition makes the symbol a multiple of: ``64*width % 8 == 0`` of 1/8."""
    if not isinstance(condition, Divides) or not condition.divisor.is_Rational:
        return None
    factor = condition.dividend / symbol
    return abs(Fraction(plain(condition.divisor / factor))) if factor.is_Rational else None

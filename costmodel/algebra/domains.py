"""The values that a symbol may have by its own rules and by conditions on it alone."""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from sympy import Symbol

from archspec.arithmetic import Rational, common_multiple, tidy
from archspec.header import Symbol as Declared
from costmodel.algebra.conditions import AtLeast, Condition, Divides, sides
from costmodel.algebra.functions import plain
from costmodel.algebra.monotonicity import linear


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
    def ends(self) -> tuple[Rational, Rational | None]:
        """The first and the last value that are multiples of the step, which are positive."""
        if self.step is None:
            return self.first, self.last
        last = None if self.last is None else floor(Fraction(self.last) / self.step) * self.step
        return max(ceil(Fraction(self.first) / self.step), 1) * self.step, last

    def nearest(self, value: Rational) -> Rational:
        """Return the value in it that is nearest to another."""
        if self.step is not None:
            value = round(Fraction(value) / self.step) * self.step
        first, last = self.ends
        value = max(value, first)
        return tidy(Fraction(value if last is None else min(value, last)))


def domain_under(
    declared: Declared,
    symbol: Symbol,
    conditions: Iterable[Condition],
    step: Rational | None = None,
) -> Domain:
    """Return what a symbol's own rules and conditions on it alone leave of its values."""
    known = [c for c in conditions if symbols_of(c) == {symbol}]
    bounds = [ends(condition, symbol) for condition in known]
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
    """Return the symbols of a condition."""
    return set().union(*(side.free_symbols for side in sides(condition)))


def ends(condition: Condition, symbol: Symbol) -> tuple[Rational | None, Rational | None]:
    """Return the ends that a condition sets to its one symbol, each None where it sets none.

    ``1024 - t >= 0`` sets the upper one, as does ``32 % g == 0`` for a positive g.
    """
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
    """Return the unit of a condition, which divides the symbol: 1/8 of ``64*width % 8 == 0``."""
    if not isinstance(condition, Divides) or not condition.divisor.is_Rational:
        return None
    factor = condition.dividend / symbol
    return abs(Fraction(plain(condition.divisor / factor))) if factor.is_Rational else None

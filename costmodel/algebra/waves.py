"""Functions of one symbol that repeat: a straight line plus something periodic, from a value on.

Lines, ``x//q``, ``round_to(x, d)``, minima, maxima, and sums of these become larger by the same
rise after each period: ``f(x + period) == f(x) + rise``. So a finite table of values and the rise
say what holds for every value of the symbol, however large.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import reduce
from math import lcm
from typing import NamedTuple

from sympy import Add, Expr, Mul

from costmodel.algebra.functions import FloorDiv, Maximum, Minimum, RoundTo, plain


class Wave(NamedTuple):
    """A function that repeats: ``f(x + period) == f(x) + rise`` for every ``x >= start``.

    There ``low <= f(x) - rise/period*x <= high``.
    """

    period: Fraction
    rise: Fraction
    start: Fraction
    low: Fraction
    high: Fraction

    @property
    def slope(self) -> Fraction:
        """Return the rise per unit of the symbol."""
        return self.rise / self.period

    def times(self, count: int) -> "Wave":
        """Return the same function with ``count`` of its periods as one."""
        return self._replace(period=self.period * count, rise=self.rise * count)

    def first_from(self, bound: Fraction) -> Fraction | None:
        """Return a value from which on it is at least a bound; None if it does not rise."""
        return max(self.start, (bound - self.low) / self.slope) if self.rise > 0 else None


def wave_of(expression: Expr) -> Wave | None:
    """Return how a function of one symbol repeats, or None where its form does not show it.

    Args:
        expression: of one symbol, whose values are not negative.
    """
    if expression.is_Rational:
        value = Fraction(plain(expression))
        return Wave(Fraction(1), Fraction(0), Fraction(0), value, value)
    if expression.is_Symbol:
        return Wave(Fraction(1), Fraction(1), Fraction(0), Fraction(0), Fraction(0))
    find = _WAVES.get(type(expression))
    return find(expression) if find else None


def common_period(periods: Iterable[Fraction]) -> Fraction:
    """Return the least common multiple of some fractions and 1."""
    return reduce(
        lambda a, b: Fraction(
            lcm(a.numerator * b.denominator, b.numerator * a.denominator),
            a.denominator * b.denominator,
        ),
        periods,
        Fraction(1),
    )


def _waves(expressions: Iterable[Expr]) -> list[Wave] | None:
    """Return the waves of several functions over one period, if all have one."""
    found = [wave_of(each) for each in expressions]
    known = [wave for wave in found if wave is not None]
    if len(known) < len(found):
        return None
    period = common_period(wave.period for wave in known)
    return [wave.times(int(period / wave.period)) for wave in known]


def _of_sum(expression: Expr) -> Wave | None:
    """Rises and offsets add up."""
    waves = _waves(expression.args)
    if waves is None:
        return None
    start = max(wave.start for wave in waves)
    columns = zip(*((wave.rise, wave.low, wave.high) for wave in waves), strict=True)
    rise, low, high = (sum(column, Fraction(0)) for column in columns)
    return Wave(waves[0].period, rise, start, low, high)


def _of_product(expression: Expr) -> Wave | None:
    """A number times a wave; a product of functions without a rise has none."""
    factor, rest = expression.as_coeff_Mul()
    waves = _waves(Mul.make_args(rest))
    if waves is None or (len(waves) > 1 and any(wave.rise for wave in waves)):
        return None
    number = Fraction(plain(factor))
    ends = [number]
    for wave in waves:
        ends = [end * bound for end in ends for bound in (wave.low, wave.high)]
    start = max(wave.start for wave in waves)
    return Wave(waves[0].period, number * waves[0].rise, start, min(ends), max(ends))


def _of_floor(expression: Expr) -> Wave | None:
    """``(x + k·q)//q = x//q + k`` once the rise is a multiple of q; ``k//q`` is 0 for q above k."""
    x, q = expression.args
    wave = wave_of(x)
    if wave is None:
        return None
    if q.is_Rational and q > 0:
        divisor = Fraction(plain(q))
        is_whole = x.is_integer and divisor.denominator == 1
        lost = 1 - 1 / divisor if is_whole else 1  # the most that a floor takes away
        low, high = wave.low / divisor - lost, wave.high / divisor
        rise = wave.rise / divisor
        return Wave(wave.period, rise, wave.start, low, high).times(rise.denominator)
    under = wave_of(q) if x.is_Rational and x >= 0 else None
    start = under and under.first_from(Fraction(plain(x)) + 1)
    nothing = Fraction(0)
    return None if start is None else Wave(Fraction(1), nothing, start, nothing, nothing)


def _of_rounded(expression: Expr) -> Wave | None:
    """``round_to(x + k·d, d) = round_to(x, d) + k·d`` for ``x >= 5·d``, where it is the nearest."""
    x, d = expression.args
    wave = wave_of(x)
    if wave is None or wave.rise < 0 or not d.is_Integer:
        return None
    divisor = Fraction(int(d))
    low, high = wave.low - divisor / 2, wave.high + divisor / 2
    start = wave.first_from(5 * divisor)
    if start is None:  # without a rise; up to d are added so that no tenth is lost
        return wave._replace(low=low, high=max(divisor, wave.high + divisor))
    rounded = Wave(wave.period, wave.rise, start, low, high)
    return rounded.times((wave.rise / divisor).denominator)


def _of_extremum(expression: Expr) -> Wave | None:
    """In the end the minimum is one of those that rise slowest; the maximum of the fastest."""
    sign = 1 if isinstance(expression, Minimum) else -1
    waves = _waves(expression.args)
    if waves is None:
        return None
    slope = min(sign * wave.slope for wave in waves) * sign
    last = [wave for wave in waves if wave.slope == slope]
    start = max(wave.start for wave in waves)
    for one in last:
        for other in waves:
            if other.slope != slope:
                gap = one.high - other.low if sign > 0 else other.high - one.low
                start = max(start, gap / abs(other.slope - slope))
    low, high = min(wave.low for wave in last), max(wave.high for wave in last)
    return Wave(waves[0].period, last[0].rise, start, low, high)


_WAVES: dict[type, Callable[[Expr], Wave | None]] = {
    Add: _of_sum,
    Mul: _of_product,
    FloorDiv: _of_floor,
    RoundTo: _of_rounded,
    Minimum: _of_extremum,
    Maximum: _of_extremum,
}

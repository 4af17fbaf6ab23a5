"""Functions of one symbol that repeat, and tables of them over all values of the symbol.

Lines, ``x//q``, ``round_to(x, d)``, minima, maxima, and sums of these are a straight line plus
something periodic from some value on: ``f(x + period) == f(x) + rise``. So a finite table of values
and the rises say what holds for every value of the symbol, however large.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, prod
from random import Random
from typing import NamedTuple

from sympy import Add, Expr, Mul, Symbol

from archspec.arithmetic import Rational, common_multiple, tidy
from costmodel.algebra.conditions import Divides
from costmodel.algebra.evaluate import Evaluator, Fractions, column_of, values_over
from costmodel.algebra.functions import FloorDiv, Maximum, Minimum, RoundTo, plain
from costmodel.algebra.monotonicity import Steps
from costmodel.algebra.once import once

MAX_ENTRIES = 400_000
"""The most entries of one table, five times those of any network of the zoo; beyond, there is none
and nothing is proved by it."""

MAX_VALUES = 4_000
"""The most values of a symbol that a table holds."""

FEW_VALUES = 512
"""A symbol that is never more than this is known at every value."""

MAX_DOUBLINGS = 12
"""Values are drawn up to two to the power of this many periods away."""

HALF = 0.5
"""The part of the values that are drawn from the table itself."""


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
    """Return how a function of one symbol, never negative, repeats; None where it is not seen."""
    if expression.is_Rational:
        value = Fraction(plain(expression))
        return Wave(Fraction(1), Fraction(0), Fraction(0), value, value)
    if expression.is_Symbol:
        return Wave(Fraction(1), Fraction(1), Fraction(0), Fraction(0), Fraction(0))
    find = _WAVES.get(type(expression))
    return find(expression) if find else None


def _common_period(waves: Iterable[Wave]) -> Fraction:
    """Return the least number that the periods of all waves, and 1, divide."""
    return Fraction(common_multiple([1, *(wave.period for wave in waves)]))


def _waves(expressions: Iterable[Expr]) -> list[Wave] | None:
    """Return the waves of several functions over one period, if all have one."""
    found = [wave_of(each) for each in expressions]
    known = [wave for wave in found if wave is not None]
    if len(known) < len(found):
        return None
    period = _common_period(known)
    return [wave.times(int(period / wave.period)) for wave in known]


def _of_sum(expression: Expr) -> Wave | None:
    """Return the wave of a sum: rises and offsets add up."""
    waves = _waves(expression.args)
    if waves is None:
        return None
    start = max(wave.start for wave in waves)
    columns = zip(*((wave.rise, wave.low, wave.high) for wave in waves), strict=True)
    rise, low, high = (sum(column, Fraction(0)) for column in columns)
    return Wave(waves[0].period, rise, start, low, high)


def _of_product(expression: Expr) -> Wave | None:
    """Return the wave of a number times a wave, or of a product of functions without a rise."""
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
    """Return the wave of an extremum: in the end a minimum is one of those that rise slowest."""
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


Powers = tuple[tuple[Expr, int], ...]
"""A product of step functions of one symbol: each with its exponent."""


class SymbolRange(NamedTuple):
    """The values of a symbol: their ends, and what divides them."""

    symbol: Symbol
    first: Rational = 0  # 0 where it may be any positive number
    last: Rational | None = None
    divisions: tuple[Divides, ...] = ()  # of some integer of this symbol alone, or by it


class StepTable:
    """The values of some step functions along one symbol, as far as all of them repeat.

    Functions that are not seen to repeat are not in it.

    Attributes:
        first: the smallest value of the symbol.
        end: the largest value in the table.
        steps: function of a real symbol → where it steps, or None where that is not known.
        last_period: the numbers of the places in the last period of the table.
        places: values of the symbol: integers, or the places of steps and one between each two.
        waves: function → how it repeats.
        values: function → its values at the places.
        rises: function → how much it rises in the period of all.
        signed: the functions that are negative somewhere; in ratios they count as 0 there.
        period: after which all of them repeat, from the last but one period of the table on.
        is_whole: whether the table holds every value that the symbol has.
    """

    def __init__(self, reach: SymbolRange, functions: Iterable[Expr]) -> None:
        self.waves = {f: wave for f in functions if (wave := wave_of(f)) is not None}
        marks = {c: wave for c in reach.divisions if (wave := _wave_of_division(c)) is not None}
        waves = [*self.waves.values(), *marks.values()]
        self.period = _common_period(waves)
        self.first = reach.first
        start = max([Fraction(reach.first), *(wave.start for wave in waves)])
        self.end = start + 2 * self.period
        few = Fraction(FEW_VALUES if reach.symbol.is_integer else 0)
        self.is_whole = reach.last is not None and Fraction(reach.last) <= max(self.end, few)
        if self.is_whole and reach.last is not None:
            self.end = Fraction(reach.last)
        known = reach.divisions if self.is_whole else tuple(marks)
        self.steps = {} if reach.symbol.is_integer else dict(self._steps(reach))
        self.places = [
            x
            for x in self._places(reach)
            if all(c.holds(Evaluator({reach.symbol: x})) for c in known)
        ]
        self._numbers = {x: number for number, x in enumerate(self.places)}
        last_period = bisect_left(self.places, self.end - self.period)
        self.last_period = range(last_period, len(self.places))
        found = {f: self._column(f, reach.symbol) for f in self.waves}
        self.values = {f: values for f, values in found.items() if self._is_usable(f, values)}
        self.signed = {f for f, values in self.values.items() if min(values) < 0}
        self.rises = {f: tidy(self.waves[f].slope * self.period) for f in self.values}
        self._distinct = self._without_repeats(range(len(self.places)))
        self._distinct_last = self._without_repeats(self.last_period)

    def _places(self, reach: SymbolRange) -> list[Rational]:
        """Return all integers, or all steps and one value between each two; none if too many.

        The last period begins with a place, so that it holds all that comes back.
        """
        first = max(Fraction(reach.first), Fraction(0))
        if reach.symbol.is_integer:
            low, high = ceil(first), floor(self.end)
            return list(range(low, high + 1)) if high - low < MAX_VALUES else []
        steps = list(self.steps.values())
        if None in steps:
            return []
        again = max(self.end - self.period, first)
        cuts = column_of(list({first, again, self.end}.union(*filter(None, steps))))
        numerators = sorted(cuts.over(2 * cuts.denominator))
        between = ((a + b) // 2 for a, b in pairwise(numerators))
        places = sorted(x for x in (*numerators, *between) if x > 0)
        return Fractions(places, 2 * cuts.denominator).values

    def _steps(self, reach: SymbolRange) -> Iterator[tuple[Expr, set[Fraction] | None]]:
        """Yield each function of a real symbol with the places where it steps.

        None where that is not known, or where the table would be too large.
        """
        first = max(Fraction(reach.first), Fraction(0))
        found = {f: Steps([f], reach.symbol) for f in self.waves}
        counts = {f: steps.count(first, self.end) for f, steps in found.items()}
        is_small = sum(counts.values()) * len(counts) <= MAX_ENTRIES
        for f, steps in found.items():
            is_known = is_small and counts[f] <= MAX_VALUES and steps.are_all and not steps.others
            yield f, set(steps.within(first, self.end)) if is_known else None

    def _column(self, function: Expr, symbol: Symbol) -> list[Rational]:
        """Return the values of a function at all places, worked out once between two steps."""
        if symbol.is_integer:
            return values_over(function, symbol, self.places)
        starts = self._starts(self.steps[function] or ())
        values = values_over(function, symbol, [self.places[start] for start in starts])
        stretches = zip(values, pairwise([*starts, len(self.places)]), strict=True)
        return [value for value, (start, end) in stretches for _ in range(start, end)]

    def _starts(self, steps: Iterable[Fraction]) -> list[int]:
        """Return the numbers of the places at which a step is, and of those behind them."""
        found = {0}
        for step in steps:
            number = self._numbers.get(step)
            number = bisect_left(self.places, step) if number is None else number
            found |= {number, number + 1}
        return sorted(number for number in found if number < len(self.places))

    def _is_usable(self, function: Expr, values: Sequence[Rational]) -> bool:
        """Return whether a function never falls by a period and is not negative in the last one."""
        if self.is_whole or not values:
            return bool(values)
        return self.waves[function].rise >= 0 and all(values[i] >= 0 for i in self.last_period)

    def draw(self, random: Random) -> Rational:
        """Return one value of the symbol, near or far: the same for the same random numbers."""
        if not self.places:
            return self.first + int(2 ** (MAX_DOUBLINGS * random.random()))
        if self.is_whole or not self.last_period or random.random() < HALF:
            return self.places[int(len(self.places) * random.random() ** 2)]
        place = self.places[random.choice(self.last_period)]
        return tidy(place + self.period * int(2 ** (MAX_DOUBLINGS * random.random())))

    @once
    def ratio(self, over: Powers, under: Powers) -> Rational:
        """Return a number that ``over/under`` never falls below where ``under`` is not 0."""
        least = _least_ratio(zip(self._product(over), self._product(under), strict=True))
        if self.is_whole or least is None or least == 0:
            return least or 0
        columns = [self.values[f] for f, _ in (*over, *under)]
        lines = {tuple(column[i] for column in columns): i for i in self._distinct_last}
        later = (self._later(i, over, under) for i in lines.values())
        return min([least, *(ratio for ratio in later if ratio is not None)])

    def _without_repeats(self, places: Iterable[int]) -> list[int]:
        """Return the places, only one of those at which all functions have the same values."""
        columns = list(self.values.values())
        return list({tuple(column[i] for column in columns): i for i in places}.values())

    @once
    def _product(self, powers: Powers) -> list[Rational]:
        """Return the values of a product at the places that tell the functions apart."""
        found: list[Rational] = [1] * len(self._distinct)
        for function, exponent in powers:
            values = self.values[function]
            column = zip(found, (values[i] for i in self._distinct), strict=True)
            found = [x * max(value, 0) ** exponent for x, value in column]
        return found

    def _later(self, place: int, over: Powers, under: Powers) -> Rational | None:
        """Return a number that the ratio never falls below at a place and all periods after it.

        Each factor is ``value + m·rise``; a quotient of two of them goes one way only, from its
        value at ``m = 0`` to the quotient of the rises. None where nothing stands under.
        """
        tops, bottoms = (self._lines(place, powers) for powers in (over, under))
        ratio = Fraction(1)
        for value, rise in bottoms:
            if rise == 0:
                if value == 0:
                    return None
                ratio /= value
            elif not any(top_rise for _, top_rise in tops):
                return 0
            else:
                top = next(line for line in tops if line[1])
                tops.remove(top)
                limit = Fraction(top[1]) / rise
                ratio *= limit if value == 0 else min(limit, Fraction(top[0]) / value)
        return tidy(prod((Fraction(value) for value, _ in tops), start=ratio))

    def _lines(self, place: int, powers: Powers) -> list[tuple[Rational, Rational]]:
        """Return each factor's value at a place with its rise per period, the steepest first."""
        factors = [f for f, exponent in powers for _ in range(exponent)]
        lines = ((self.values[f][place], self.rises[f]) for f in factors)
        return sorted(lines, key=lambda line: (line[1], line[0]), reverse=True)


def _least_ratio(pairs: Iterable[tuple[Rational, Rational]]) -> Rational | None:
    """Return the smallest quotient, found by floats and compared exactly near the least."""
    rough = {pair: pair[0] / pair[1] for pair in set(pairs) if pair[1]}
    if not rough:
        return None
    bound = min(rough.values()) * (1 + 1e-9)
    near = (pair for pair, quotient in rough.items() if quotient <= bound)
    return min(tidy(Fraction(a) / b) for a, b in near)


def _wave_of_division(condition: Divides) -> Wave | None:
    """Return the wave with which the remainders of a division repeat, or None."""
    divisor, dividend = condition
    wave = wave_of(dividend) if divisor.is_Integer else None
    return wave and wave.times((wave.rise / int(divisor)).denominator)

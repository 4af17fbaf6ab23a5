"""Step functions of one symbol over all of its values: which of two products is never less.

``x//q``, ``round_to(x, d)``, ``min(1, L - 1)`` and their sums repeat: from some value on, one
period later they are larger by the same rise, ``f(x + P) == f(x) + R``. So a finite table of values
and the rises say what holds for every value of the symbol, however large.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, prod
from random import Random
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, tidy
from costmodel.algebra.conditions import Divides
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.monotonicity import Steps
from costmodel.algebra.waves import Wave, common_period, wave_of

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

Powers = tuple[tuple[Expr, int], ...]
"""A product of step functions of one symbol: each with its exponent."""


class Reach(NamedTuple):
    """The values of a symbol.

    Attributes:
        symbol: it.
        first: the smallest value, or 0 where it may be any positive number.
        last: the largest value, if there is one.
        divisions: what divides some integer of this symbol alone, or what it divides.
    """

    symbol: Symbol
    first: Rational = 0
    last: Rational | None = None
    divisions: tuple[Divides, ...] = ()


class Axis:
    """The values of some step functions along one symbol, as far as all of them repeat.

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

    def __init__(self, reach: Reach, functions: Iterable[Expr]) -> None:
        """Work out the table.

        Args:
            reach: the values of the symbol.
            functions: of this symbol alone; those that are seen to repeat are in the table.
        """
        self.waves = {f: wave for f in functions if (wave := wave_of(f)) is not None}
        marks = {c: wave for c in reach.divisions if (wave := _wave_of_division(c)) is not None}
        waves = [*self.waves.values(), *marks.values()]
        self.period = common_period(wave.period for wave in waves)
        self.first = reach.first
        start = max([Fraction(reach.first), *(wave.start for wave in waves)])
        self.end = start + 2 * self.period
        few = Fraction(FEW_VALUES if reach.symbol.is_integer else 0)
        self.is_whole = reach.last is not None and Fraction(reach.last) <= max(self.end, few)
        if self.is_whole and reach.last is not None:
            self.end = Fraction(reach.last)
        known = reach.divisions if self.is_whole else tuple(marks)
        self.steps = {f: self._steps(f, reach) for f in self.waves}
        self.places = [
            x
            for x in self._places(reach)
            if all(c.holds(Evaluator({reach.symbol: x})) for c in known)
        ]
        self.last_period = [i for i, x in enumerate(self.places) if x >= self.end - self.period]
        found = {f: self._column(f, reach.symbol) for f in self.waves}
        self.values = {f: values for f, values in found.items() if self._is_usable(f, values)}
        self.signed = {f for f, values in self.values.items() if min(values) < 0}
        self.rises = {f: self._rise(f) for f in self.values}
        self._columns: dict[Powers, list[Rational]] = {}
        self._ratios: dict[tuple[Powers, Powers], Rational] = {}

    def _places(self, reach: Reach) -> list[Rational]:
        """All integers, or all places of steps and one value between each two; too many are none.

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
        if sum(len(each or ()) for each in steps) * len(steps) > MAX_ENTRIES:
            return []
        cuts = sorted({first, again, self.end}.union(*filter(None, steps)))
        between = ((a + b) / 2 for a, b in pairwise(cuts))
        return sorted(tidy(x) for x in {*cuts, *between} if x > 0)

    def _steps(self, function: Expr, reach: Reach) -> list[Fraction] | None:
        """Return where a function of a real symbol steps; an integer symbol needs no such list."""
        first = max(Fraction(reach.first), Fraction(0))
        if reach.symbol.is_integer:
            return []
        steps = Steps([function], reach.symbol)
        if not steps.are_all or steps.others or steps.count(first, self.end) > MAX_VALUES:
            return None
        return sorted(set(steps.within(first, self.end)))

    def _column(self, function: Expr, symbol: Symbol) -> list[Rational]:
        """The values of a function at all places, worked out once between two of its steps."""
        if symbol.is_integer:
            return [Evaluator({symbol: x})(function) for x in self.places]
        ahead = deque(self.steps[function] or ())
        found: list[Rational] = []
        is_new = True
        for x in self.places:
            is_step = bool(ahead) and ahead[0] <= x
            while ahead and ahead[0] <= x:
                ahead.popleft()
            if is_new or is_step:
                found.append(Evaluator({symbol: x})(function))
            else:
                found.append(found[-1])
            is_new = is_step
        return found

    def _is_usable(self, function: Expr, values: Sequence[Rational]) -> bool:
        """Return whether a function never falls by a period and is not negative in the last one."""
        if self.is_whole or not values:
            return bool(values)
        return self.waves[function].rise >= 0 and all(values[i] >= 0 for i in self.last_period)

    def _rise(self, function: Expr) -> Rational:
        """Return how much a function rises in the period that all functions share."""
        wave = self.waves[function]
        return tidy(wave.rise * (self.period / wave.period))

    def draw(self, random: Random) -> tuple[Rational, dict[Expr, Rational]]:
        """Return one value of the symbol, near or far, and those of the functions there.

        Args:
            random: chooses it; the same random numbers give the same value.
        """
        if not self.places:
            return self.first + int(2 ** (MAX_DOUBLINGS * random.random())), {}
        if self.is_whole or not self.last_period or random.random() < HALF:
            place = int(len(self.places) * random.random() ** 2)
            return self.places[place], {f: values[place] for f, values in self.values.items()}
        place, periods = (
            random.choice(self.last_period),
            int(2 ** (MAX_DOUBLINGS * random.random())),
        )
        shifted = {f: values[place] + self.rises[f] * periods for f, values in self.values.items()}
        return tidy(self.places[place] + self.period * periods), shifted

    def ratio(self, over: Powers, under: Powers) -> Rational:
        """Return a number that ``over/under`` never falls below; where ``under`` is 0, all is well.

        Args:
            over: a product of functions with a table.
            under: another.
        """
        key = over, under
        if key not in self._ratios:
            self._ratios[key] = self._ratio(over, under)
        return self._ratios[key]

    def _ratio(self, over: Powers, under: Powers) -> Rational:
        columns = self._product(over), self._product(under)
        least = _least_ratio(zip(*columns, strict=True))
        if self.is_whole or least is None or least == 0:
            return least or 0
        functions = [f for f, _ in (*over, *under)]
        lines = {tuple(self.values[f][i] for f in functions): i for i in self.last_period}
        later = (self._later(i, over, under) for i in lines.values())
        return min([least, *(ratio for ratio in later if ratio is not None)])

    def _product(self, powers: Powers) -> list[Rational]:
        """The values of a product at all places."""
        if powers not in self._columns:
            found: list[Rational] = [1] * len(self.places)
            for function, exponent in powers:
                column = zip(found, self.values[function], strict=True)
                found = [x * max(value, 0) ** exponent for x, value in column]
            self._columns[powers] = found
        return self._columns[powers]

    def _later(self, place: int, over: Powers, under: Powers) -> Rational | None:
        """A number that the ratio never falls below at a place and all periods after it.

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
        """Every factor's value at a place with its rise per period, those that rise most first."""
        found: list[tuple[Rational, Rational]] = []
        for function, exponent in powers:
            found += [(self.values[function][place], self.rises[function])] * exponent
        return sorted(found, key=lambda line: (line[1], line[0]), reverse=True)


def _least_ratio(pairs: Iterable[tuple[Rational, Rational]]) -> Rational | None:
    """The smallest quotient, by floats first and then exactly where they are nearly the least."""
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

"""The values of a symbol, in cells on which nothing changes: multiples of a step, or a whole line.

On the line a step function may have one value below a place, another at it and a third beyond it.
So a place and what lies between two of them are cells of their own, and an end is a `Cut`: before a
value or after it. On the multiples of a step every value is a cell, and nothing lies between.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from archspec.arithmetic import Rational, tidy
from archspec.expressions import TooLargeError
from costmodel.algebra.domains import Domain
from costmodel.algebra.monotonicity import Places, Steps
from costmodel.algebra.work import charge

MAX_EXPONENT = 2_048  # of a number in an expression: no budget has more bits
"""Values from ``2**2048`` times the first on are not looked at."""

NEAR = 4
"""So many places between two values are looked at one by one; more are bisected first."""


class Cut(NamedTuple):
    """An end of an interval, before a value or after it; cuts are ordered as on the line."""

    place: Fraction
    after: bool


class Interval(NamedTuple):
    """The values from one cut to another; to None it goes on without end."""

    low: Cut
    high: Cut | None

    @property
    def is_empty(self) -> bool:
        """Return True for an interval without a value."""
        return self.high is not None and self.high <= self.low


class ValueCell(NamedTuple):
    """An interval on which nothing changes: a place, or what lies between two of them.

    Attributes:
        low: its lower end.
        high: its upper end, the same as the lower for a place; None where it has no end.
    """

    low: Rational
    high: Rational | None

    @property
    def is_place(self) -> bool:
        """Return True for a single value."""
        return self.low == self.high

    @property
    def inside(self) -> Rational:
        """A value in it."""
        if self.high is None:
            return tidy(Fraction(self.low) + 1)
        return tidy((Fraction(self.low) + self.high) / 2)

    @property
    def interval(self) -> Interval:
        """The cell with its ends as cuts."""
        high = None if self.high is None else Cut(Fraction(self.high), self.is_place)
        return Interval(Cut(Fraction(self.low), not self.is_place), high)


class Bisection(NamedTuple):
    """The place at which a property that changes once does so."""

    cut: Cut | None  # None where the property does not change as far as was looked
    is_open: bool  # whether values beyond those that were looked at may change it


class SymbolValues:
    """The values of a symbol.

    Attributes:
        domain: their ends, and whose multiples they are.
        is_line: whether these are all real numbers.
        steps: the places: all multiples, or on the line where expressions step.
        whole: all of them.
        others: places on the line beside those of the steps.
    """

    def __init__(
        self, domain: Domain, steps: Steps | None = None, others: Iterable[Rational] = ()
    ) -> None:
        self.domain = domain
        self.is_line = domain.step is None
        self.steps = steps if domain.step is None else Places(Fraction(domain.step), Fraction(0))
        first, last = domain.ends
        high = None if last is None else Cut(Fraction(last), after=True)
        self.whole = Interval(Cut(Fraction(first), after=first == 0), high)
        ends = [first] if last is None else [first, last]
        self.others = sorted({Fraction(x) for x in (*ends, *others) if x > 0})

    @property
    def cells(self) -> Iterator[ValueCell]:
        """All cells, from the lowest on."""
        return self.upwards(self.whole)

    @property
    def are_finite(self) -> bool:
        """Return True where nothing changes any more beyond some place."""
        return self.is_line and (self.steps is None or self.steps.after(0) is None)

    def after(self, value: Rational) -> Fraction | None:
        """Return the first place beyond a value; None where nothing changes any more."""
        found = None if self.steps is None else self.steps.after(value)
        i = bisect_right(self.others, value)
        if not self.is_line or i == len(self.others):
            return found
        return self.others[i] if found is None else min(found, self.others[i])

    def before(self, value: Rational) -> Fraction:
        """Return the last place below a value, or 0."""
        found = None if self.steps is None else self.steps.before(value)
        i = bisect_left(self.others, value) if self.is_line else 0
        return max(found or Fraction(0), self.others[i - 1] if i else Fraction(0), Fraction(0))

    def beyond(self, value: Fraction, distance: int) -> Fraction:
        """Return a place far beyond a value: so many steps, or the last within a distance."""
        if self.domain.step is not None:
            return max(value, Fraction(distance * self.domain.step))
        return self.before(value + distance)

    def upwards(self, interval: Interval) -> Iterator[ValueCell]:
        """Yield the cells of an interval whose ends are places, from the lowest on."""
        place, is_met = interval.low
        while interval.high is None or Cut(place, is_met) < interval.high:
            if not is_met:
                yield ValueCell(tidy(place), tidy(place))
                is_met = True
                continue
            end = self.after(place)
            if self.is_line:
                yield ValueCell(tidy(place), None if end is None else tidy(end))
            if end is None:
                return
            place, is_met = end, False

    def downwards(self, interval: Interval) -> Iterator[ValueCell]:
        """Yield the cells of an interval between two places, from the highest on."""
        assert interval.high is not None
        place, is_met = interval.high
        while interval.low < Cut(place, is_met):
            if is_met:
                yield ValueCell(tidy(place), tidy(place))
                is_met = False
                continue
            end = self.before(place)
            if self.is_line:
                yield ValueCell(tidy(end), tidy(place))
            place, is_met = end, True

    def change(self, holds: Callable[[Rational], bool], interval: Interval) -> Bisection:
        """Return the cut at which a property begins or ends that does so once.

        It is bracketed by doubling, then bisected. Numbers are not looked at from ``2**2048`` times
        the first on, nor where expressions have more bits than are computed.
        """
        near = next(self.upwards(interval)).inside
        most, last = MAX_EXPONENT, None
        if interval.high is not None:
            last = next(self.downwards(interval)).inside
            most = min(most, ceil(Fraction(last) / near).bit_length())

        def probe(exponent: int) -> Rational:
            value: Rational = near * (1 << exponent)
            return value if last is None else min(value, last)

        def stays(exponent: int) -> bool:
            charge(1)
            return holds(probe(exponent)) == at_first

        at_first = holds(near)
        low, high = _bracketed(stays, most)
        if high is None:
            is_last = self.are_finite if last is None else probe(low) == last
            return Bisection(None, not is_last)
        cut = self._between(holds, Fraction(probe(low)), Fraction(probe(high)))
        return Bisection(cut, is_open=False)

    def _between(self, holds: Callable[[Rational], bool], low: Fraction, high: Fraction) -> Cut:
        """Return the cut between two values at which a property differs."""
        at_low = holds(tidy(low))
        while self._is_far(low, high):
            charge(1)
            middle = (low + high) / 2
            if self.domain.step is not None:
                middle = Fraction(floor(middle / self.domain.step) * self.domain.step)
            same = holds(tidy(middle)) == at_low
            low, high = (middle, high) if same else (low, middle)
        cells = self.upwards(Interval(Cut(low, after=False), None))
        return next(cell.interval.low for cell in cells if holds(cell.inside) != at_low)

    def _is_far(self, low: Fraction, high: Fraction) -> bool:
        """Return True where more than a few places lie between two values."""
        place: Fraction | None = low
        for _ in range(NEAR):
            place = None if place is None else self.after(place)
        return place is not None and place < high


def _bracketed(holds: Callable[[int], bool], most: int) -> tuple[int, int | None]:
    """Return an exponent up to which a property holds, and a larger one at which it does not.

    It holds at 0. The second is None where it holds as far as numbers are computed, at most to a
    given exponent. Each exponent is twice the one before, so that few are tried.
    """
    low, too_large, tried = 0, most + 1, min(1, most)
    while low < tried < too_large:
        try:
            if not holds(tried):
                return low, tried
        except TooLargeError:
            too_large = tried
        else:
            low = tried
        tried = min(2 * tried if too_large > most else (low + too_large) // 2, most)
    return low, None

"""The line of all real values of a symbol, in pieces on which nothing changes.

A step function may have one value below a place, another at it and a third beyond it. So a place
and what lies between two of them are pieces of their own, and an end is a `Cut`: before a value or
after it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from archspec.arithmetic import Rational, tidy
from costmodel.algebra.domains import gallop
from costmodel.algebra.monotonicity import Steps

NEAR = 4
"""So many places between two values are looked at one by one; more are bisected first."""


class Cut(NamedTuple):
    """An end of a part of the line; cuts are ordered as they stand on it.

    Attributes:
        place: a value.
        after: whether the cut lies beyond that value, or before it.
    """

    place: Fraction
    after: bool


class Part(NamedTuple):
    """A part of the line, from one cut to another.

    Attributes:
        low: its lower end.
        high: its upper end; None where it goes on without end.
    """

    low: Cut
    high: Cut | None

    @property
    def is_empty(self) -> bool:
        """Return whether no value is in it."""
        return self.high is not None and self.high <= self.low


class Piece(NamedTuple):
    """A part of the line on which nothing changes: a place, or what lies between two of them.

    Attributes:
        low: its lower end.
        high: its upper end, the same as the lower for a place; None where it has no end.
    """

    low: Rational
    high: Rational | None

    @property
    def is_place(self) -> bool:
        """Return whether it is a single value."""
        return self.low == self.high

    @property
    def inside(self) -> Rational:
        """A value in it."""
        if self.high is None:
            return tidy(Fraction(self.low) + 1)
        return tidy((Fraction(self.low) + self.high) / 2)

    @property
    def part(self) -> Part:
        """The piece with its ends as cuts."""
        high = None if self.high is None else Cut(Fraction(self.high), self.is_place)
        return Part(Cut(Fraction(self.low), not self.is_place), high)


class Places:
    """The values at which something changes on the positive line: steps, and some others."""

    def __init__(self, steps: Steps, others: Iterable[Rational]) -> None:
        self.steps = steps
        self.others = sorted({Fraction(value) for value in others if value > 0})

    @property
    def are_finite(self) -> bool:
        """Return whether nothing changes any more beyond some place."""
        return self.steps.after(0) is None

    def after(self, value: Rational) -> Fraction | None:
        """The first place beyond a value; None where nothing changes any more."""
        i = bisect_right(self.others, value)
        found = (self.steps.after(value), *self.others[i : i + 1])
        return min((place for place in found if place is not None), default=None)

    def before(self, value: Rational) -> Fraction:
        """The last place below a value, or 0."""
        i = bisect_left(self.others, value)
        found = (self.steps.before(value), *self.others[max(i - 1, 0) : i])
        return max((place for place in found if place is not None), default=Fraction(0))

    def upwards(self, part: Part) -> Iterator[Piece]:
        """The pieces of a part whose ends are places, from the lowest on."""
        place, is_met = part.low
        while part.high is None or Cut(place, is_met) < part.high:
            if not is_met:
                yield Piece(tidy(place), tidy(place))
                is_met = True
                continue
            end = self.after(place)
            yield Piece(tidy(place), None if end is None else tidy(end))
            if end is None:
                return
            place, is_met = end, False

    def downwards(self, part: Part) -> Iterator[Piece]:
        """The pieces of a part with an upper end, whose ends are places, from the highest on."""
        assert part.high is not None
        place, is_met = part.high
        while part.low < Cut(place, is_met):
            if is_met:
                yield Piece(tidy(place), tidy(place))
                is_met = False
                continue
            end = max(self.before(place), Fraction(0))
            yield Piece(tidy(end), tidy(place))
            place, is_met = end, True

    def change(self, holds: Callable[[Rational], bool], part: Part) -> Cut | None:
        """The cut at which a property begins or ends that does so once; None where none is found.

        In a part without end that is so, too, where the property does not change as far as numbers
        are computed.
        """
        near = next(self.upwards(part)).inside
        if part.high is not None:
            far: Rational | None = next(self.downwards(part)).inside
        else:
            near, far = self._far(holds, near)
        if far is None or holds(far) == holds(near):
            return None
        return self._between(holds, Fraction(near), Fraction(far))

    def _far(
        self, holds: Callable[[Rational], bool], near: Rational
    ) -> tuple[Rational, Rational | None]:
        """Two values between which a property changes, or no second where no such is found."""
        first = holds(near)
        low, high = gallop(lambda exponent: holds(near * 2**exponent) == first)
        return near * 2 ** (low or 0), None if high is None else near * 2**high

    def _between(self, holds: Callable[[Rational], bool], low: Fraction, high: Fraction) -> Cut:
        """The cut between two values at which a property differs."""
        at_low = holds(tidy(low))
        while self._is_far(low, high):
            middle = (low + high) / 2
            same = holds(tidy(middle)) == at_low
            low, high = (middle, high) if same else (low, middle)
        pieces = self.upwards(Part(Cut(low, after=False), None))
        return next(piece.part.low for piece in pieces if holds(piece.inside) != at_low)

    def _is_far(self, low: Fraction, high: Fraction) -> bool:
        """Return whether more than a few places lie between two values."""
        place: Fraction | None = low
        for _ in range(NEAR):
            place = None if place is None else self.after(place)
        return place is not None and place < high

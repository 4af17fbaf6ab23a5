"""The order of several laws as their one symbol grows: who is least, and where that changes.

Over integers, or multiples of a step: where a difference is proved to rise, to fall or to be 0 once
only, its sign changes where bisection says; where one law is proved to exceed the other from some
value on, the values before it are compared one by one. Over real numbers the laws are compared at
all places where they step, and between these. What is not compared is not claimed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache, partial
from itertools import combinations, groupby, pairwise
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, tidy
from archspec.expressions import ExpressionError
from costmodel.algebra.bounds import is_never_negative, polynomial_bound
from costmodel.algebra.domains import Domain, Span, last_of
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import terms_of
from costmodel.algebra.monotonicity import Steps, has_one_root, linear, trend

MAX_VALUES = 1024
"""The most values that are compared one by one."""

MAX_PLACES = 4_000
"""The most places at which laws of a real symbol are compared."""

MAX_DOUBLINGS = 12
"""How often a value is doubled to find from where on one law exceeds another."""

CROSSES_ONCE = 2
"""What a difference does that is not proved to rise or fall, but to be 0 at most once."""

STAYS_AHEAD = 3
"""What a difference does that is proved to be positive."""

Order = tuple[tuple[int, ...], ...]
"""The numbers of the laws, the least first; equal ones together."""


class Stretch(NamedTuple):
    """Values over which the order is the same.

    Attributes:
        order: it.
        first: the first value.
        last: the last value; None where it goes on for good.
        after: whether the first value itself is left out, as it may be of a real symbol.
        before: whether the last is.
    """

    order: Order
    first: Rational
    last: Rational | None
    after: bool = False
    before: bool = False


class Ranking(NamedTuple):
    """The order of some laws.

    Attributes:
        stretches: from the first value on.
        limit: the last value that was compared; None where all are.
    """

    stretches: tuple[Stretch, ...]
    limit: Rational | None

    @property
    def changes_at(self) -> Rational | None:
        """The first value at which the order is another than before."""
        return self.stretches[1].first if len(self.stretches) > 1 else None


def rank(
    laws: Sequence[Expr],
    symbol: Symbol,
    domain: Domain,
    usual: Rational,
    is_valid: Callable[[Rational], bool],
) -> Ranking:
    """The order of laws of one symbol, wherever a value of it is valid.

    Args:
        laws: of this symbol alone.
        symbol: it.
        domain: its values.
        usual: one of them, near which a real symbol is looked at.
        is_valid: whether the laws hold at a value.
    """
    if domain.step is None:
        return _Line(laws, symbol, domain, usual, is_valid).ranking()
    return _Grid(laws, symbol, domain, is_valid).ranking()


def order_of(values: Sequence[Rational]) -> Order:
    """The order of numbers."""
    ranked = sorted(range(len(values)), key=lambda i: (values[i], i))
    return tuple(tuple(group) for _, group in groupby(ranked, key=lambda i: values[i]))


def exceeds(large: Expr, small: Expr, symbol: Symbol, first: Rational) -> bool:
    """Whether ``large > small`` is proved from a value on: term by term where they are maxima."""
    return all(
        any(_is_positive(a - b, symbol, first) for a in terms_of(large)) for b in terms_of(small)
    )


def _is_positive(difference: Expr, symbol: Symbol, first: Rational) -> bool:
    """Whether a polynomial below it has no minus, and something at the first value."""
    found = polynomial_bound(difference, {symbol: first}, below=True)
    return found is not None and is_never_negative(found) and bool(found.nth(0) > 0)


def _joined(found: Iterable[Stretch]) -> Iterator[Stretch]:
    """Neighbours of the same order as one."""
    for _, group in groupby(found, key=lambda stretch: stretch.order):
        first, *others = group
        end = others[-1] if others else first
        yield first._replace(last=end.last, before=end.before)


class _Grid:
    """The order over the multiples of a step."""

    def __init__(
        self,
        laws: Sequence[Expr],
        symbol: Symbol,
        domain: Domain,
        is_valid: Callable[[Rational], bool],
    ) -> None:
        self.laws = laws
        self.symbol = symbol
        self.domain = domain
        self.is_valid = is_valid
        self.limit: Rational | None = None
        self.values = cache(self._values)
        self.good_from = cache(self._good_from)
        self.way = cache(self._way)

    def ranking(self) -> Ranking:
        """The stretches, from the domain's first value on."""
        return Ranking(tuple(_joined(self._run())), self.limit)

    def _values(self, steps: int) -> list[Rational] | None:
        """The laws' numbers, where they have any."""
        evaluate = Evaluator({self.symbol: self.domain.value(steps)})
        try:
            return list(map(evaluate, self.laws))
        except ExpressionError:
            return None

    def _run(self) -> Iterator[Stretch]:
        span = self.domain.steps
        first = span.first
        while self._left > 0 and (span.last is None or first <= span.last):
            value, numbers = self.domain.value(first), self.values(first)
            if numbers is None or not self.is_valid(value):
                first += 1
                continue
            order = order_of(numbers)
            last = self._lead(order, Span(first, span.last))
            yield Stretch(order, value, None if last is None else self.domain.value(last))
            if last is None:
                return
            first = last + 1
        if span.last is None or first <= span.last:
            self.limit = self.domain.value(first - 1)

    @property
    def _left(self) -> int:
        """How many values may still be looked at."""
        return MAX_VALUES - self.values.cache_info().currsize

    def _lead(self, order: Order, span: Span) -> int | None:
        """The last number of steps to which the order stays: where no neighbours change."""
        ranked = [i for group in order for i in group]
        found = [self._pair(low, high, span) for low, high in pairwise(ranked)]
        return min((last for last in found if last is not None), default=span.last)

    def _pair(self, low: int, high: int, span: Span) -> int | None:
        """The same of two neighbours; None where they stay so for good."""
        sign = self._sign(low, high, span.first)
        good: int | None = self.good_from(low, high) if sign else None
        if good is not None and good <= span.first:
            return None
        proved = self._proved(low, high, sign, span)
        return self._scanned(low, high, sign, span, good) if proved == span.first else proved

    def _proved(self, low: int, high: int, sign: int | None, span: Span) -> int | None:
        """To where the sign stays by the form of the laws; the first itself if it says nothing."""
        (small, end), (large, other) = self._leading(low, span), self._leading(high, span)
        ends = [last for last in (end, other) if last is not None]
        way = self.way(large, small, self._octave(span.first))
        if way not in (0, STAYS_AHEAD) and not (way == 1 and sign):
            if way is None or (way == CROSSES_ONCE and not sign):
                return span.first
            last = last_of(partial(self._keeps, (large, small), sign), span)
            ends += [] if last is None else [last]
        return min(ends, default=None)

    def _leading(self, i: int, span: Span) -> tuple[Expr, int | None]:
        """The term that is a maximum at the first value, and the last number to which it is."""
        value, terms = self.domain.value(span.first), terms_of(self.laws[i])
        winner = max(terms, key=Evaluator({self.symbol: value}))
        ends: list[int] = []
        for term in terms:
            way = self.way(winner, term, self._octave(span.first))
            if way in (0, 1, STAYS_AHEAD):
                continue
            if way is None:
                return winner, span.first
            last = last_of(partial(self._is_ahead, (winner, term)), span)
            ends += [] if last is None else [last]
        return winner, min(ends, default=None)

    def _octave(self, steps: int) -> int:
        """The first value doubled as often as leaves it below: what is proved from there on holds.

        So that of every pair of terms a few proofs are tried, not one at every value.
        """
        first = self.domain.steps.first
        return first << ((steps // first).bit_length() - 1)

    def _way(self, large: Expr, small: Expr, steps: int) -> int | None:
        """How a difference goes from a value on: as its trend, or with one change of its sign."""
        value, difference = self.domain.value(steps), (large - small).expand()
        way = trend(difference, self.symbol, value)
        if way is None and exceeds(large, small, self.symbol, value):
            return STAYS_AHEAD
        once = way is None and has_one_root(difference, self.symbol, value)
        return CROSSES_ONCE if once else way

    def _gap(self, pair: tuple[Expr, Expr], steps: int) -> Rational:
        """How much one law is more than another."""
        large, small = map(Evaluator({self.symbol: self.domain.value(steps)}), pair)
        return large - small

    def _is_ahead(self, pair: tuple[Expr, Expr], steps: int) -> bool:
        return self._gap(pair, steps) >= 0

    def _keeps(self, pair: tuple[Expr, Expr], sign: int | None, steps: int) -> bool:
        gap = self._gap(pair, steps)
        return (gap > 0) - (gap < 0) == sign

    def _scanned(
        self, low: int, high: int, sign: int | None, span: Span, good: int | None
    ) -> int | None:
        """The last number to which the sign stays, one by one up to where it does for good."""
        end = span.first + max(self._left, 1)
        stop = end if good is None else min(good, end)
        stop = stop if span.last is None else min(stop, span.last + 1)
        for steps in range(span.first + 1, stop):
            if self._sign(low, high, steps) != sign:
                return steps - 1
        return None if stop == good else stop - 1

    def _sign(self, low: int, high: int, steps: int) -> int | None:
        """Whether two laws differ there, and which way."""
        numbers = self.values(steps)
        if numbers is None:
            return None
        return int(numbers[high] > numbers[low]) - int(numbers[high] < numbers[low])

    def _good_from(self, low: int, high: int) -> int | None:
        """From where on one law is proved to exceed another, about."""
        first = self.domain.steps.first
        for steps in (first << k for k in range(MAX_DOUBLINGS)):
            value = self.domain.value(steps)
            if exceeds(self.laws[high], self.laws[low], self.symbol, value):
                return steps
        return None


class _Line:
    """The order over all real values, by the places where the laws step or cross."""

    def __init__(
        self,
        laws: Sequence[Expr],
        symbol: Symbol,
        domain: Domain,
        usual: Rational,
        is_valid: Callable[[Rational], bool],
    ) -> None:
        self.laws = laws
        self.symbol = symbol
        self.domain = domain
        self.usual = usual
        self.is_valid = is_valid
        self.steps = Steps(list(laws), symbol)
        lines = [linear(a - b, symbol) for a, b in combinations(laws, 2)]
        self.roots = [-line[1] / line[0] for line in lines if line]

    def ranking(self) -> Ranking:
        """The stretches, as far as the laws are compared."""
        if not self.steps.are_all:
            return Ranking((), self.domain.first)
        high, is_all = self._end()
        found = tuple(_joined(self._run(Fraction(self.domain.first), Fraction(high))))
        if not is_all or self.domain.last is not None:
            return Ranking(found, None if is_all else high)
        return Ranking((*found[:-1], found[-1]._replace(last=None, before=False)), None)

    def _end(self) -> tuple[Rational, bool]:
        """How far to compare, and whether that decides all values."""
        first = self.domain.first
        if self.domain.last is not None and self._is_near(self.domain.last):
            return self.domain.last, True
        high = max([Fraction(self.usual), *self.roots]) * 4
        while not self._is_near(high):
            high = (high + Fraction(first)) / 2
        if self.domain.last is not None and high >= self.domain.last:
            return self.domain.last, True
        return tidy(high), self._is_good(tidy(high))

    def _is_near(self, high: Rational) -> bool:
        return self.steps.count(self.domain.first, high) <= MAX_PLACES

    def _is_good(self, high: Rational) -> bool:
        """Whether the order is proved to stay from a value on."""
        order = order_of(self._values(high))
        if any(len(group) > 1 for group in order) or not self.is_valid(high):
            return False
        ranked = (self.laws[i] for (i,) in order)
        return all(exceeds(b, a, self.symbol, high) for a, b in pairwise(ranked))

    def _values(self, value: Rational) -> list[Rational]:
        return list(map(Evaluator({self.symbol: value}), self.laws))

    def _run(self, low: Fraction, high: Fraction) -> Iterator[Stretch]:
        inner = {x for x in (*self.steps.within(low, high), *self.roots) if low < x < high}
        places = sorted({low, *inner, high})
        if low > 0:
            yield from self._piece(low, low)
        for before, after in pairwise(places):
            yield from self._piece(before, after)
            yield from self._piece(after, after)

    def _piece(self, low: Fraction, high: Fraction) -> Iterator[Stretch]:
        """A place, or what lies between two of them, where it is valid."""
        inside, is_place = tidy((low + high) / 2), low == high
        if self.is_valid(inside):
            order, ends = order_of(self._values(inside)), (tidy(low), tidy(high))
            yield Stretch(order, *ends, after=not is_place, before=not is_place)

"""The sign of an expression of one symbol, and the order of several, over all its values.

Over integers, or multiples of a step: where a difference is proved to rise, to fall or to be 0 once
only, its sign changes where bisection says; where it is proved to keep its sign from some value on,
the values before that are looked at one by one. Over real numbers the expressions are compared at
all places where they step or cross, and between these. What is not compared is not claimed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations, groupby, islice, pairwise
from typing import NamedTuple

from sympy import Expr, S, Symbol

from archspec.arithmetic import Rational, tidy
from archspec.expressions import ExpressionError
from costmodel.algebra.bounds import is_never_negative, polynomial_bound
from costmodel.algebra.domains import Domain
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import terms_of
from costmodel.algebra.monotonicity import Steps, has_one_root, linear, trend
from costmodel.algebra.values import Cut, Interval, SymbolValues, ValueCell
from costmodel.algebra.work import charge

MAX_VALUES = 1024
"""The most values that are compared one by one."""

MAX_PLACES = 4_000
"""The most places at which expressions of a real symbol are compared."""

MAX_DOUBLINGS = 12
"""The most doublings of a value to find one from which on an expression exceeds another."""

CROSSES_ONCE = 2
"""The trend of a difference that is proved to be 0 at most once, and not to rise or fall."""

STAYS_AHEAD = 3
"""The trend of a difference that is proved to keep its sign."""

Order = tuple[tuple[int, ...], ...]
"""The numbers of the expressions, the least first; equal ones together."""

IsValid = Callable[[Rational], bool]
"""A predicate: True for a value of the symbol that is looked at."""


class Stretch(NamedTuple):
    """Values over which the order is the same."""

    order: Order
    first: Rational
    last: Rational | None  # None where it goes on for good
    after: bool = False  # the first value itself is left out, as it may be of a real symbol
    before: bool = False  # the last one is

    @property
    def leader(self) -> int:
        """The number of the first of the largest."""
        return self.order[-1][0]

    @property
    def sign(self) -> int:
        """Return the sign of the expression, in a chart whose first expression is 0."""
        return 0 if len(self.order) == 1 else 1 if self.leader else -1


class Ranking(NamedTuple):
    """The order of some expressions, from the first value on."""

    stretches: tuple[Stretch, ...]
    limit: Rational | None  # the last value that was compared; None where all are

    @property
    def changes_at(self) -> Rational | None:
        """The first value at which the order is another than before."""
        return self.stretches[1].first if len(self.stretches) > 1 else None

    @property
    def is_decided(self) -> bool:
        """Return True where some values are compared, and nothing is left open."""
        return bool(self.stretches) and self.limit is None


def always(_: Rational) -> bool:
    """Return True: every value is looked at."""
    return True


def sign_chart(
    expression: Expr, symbol: Symbol, domain: Domain, is_valid: IsValid = always
) -> Ranking:
    """Return the sign of an expression wherever a value of its one symbol is valid."""
    return rank((S.Zero, expression), symbol, domain, max(domain.first, 1), is_valid)


def rank(
    expressions: Sequence[Expr],
    symbol: Symbol,
    domain: Domain,
    usual: Rational,
    is_valid: IsValid,
) -> Ranking:
    """Return the order of expressions wherever a value of their one symbol is valid.

    A real symbol is looked at near a usual value.
    """
    if domain.step is None:
        return _on_line(expressions, symbol, domain, usual, is_valid)
    return _Chart(expressions, symbol, domain, is_valid).ranking()


def leaders(
    expressions: Sequence[Expr], symbol: Symbol, domain: Domain, is_valid: IsValid
) -> Ranking:
    """Return which expression is the largest, over multiples of a step.

    Of equals it is the one that was the largest before, else the first. An order names it last, and
    all others together.
    """
    return _Race(expressions, symbol, domain, is_valid).ranking()


def order_of(values: Sequence[Rational]) -> Order:
    """Return the order of numbers."""
    ranked = sorted(range(len(values)), key=lambda i: (values[i], i))
    return tuple(tuple(group) for _, group in groupby(ranked, key=lambda i: values[i]))


def exceeds(
    large: Expr, small: Expr, symbol: Symbol, first: Rational, *, strictly: bool = True
) -> bool:
    """Return True where ``large > small``, or ``>=``, is proved from a value on.

    It is proved term by term where they are maxima: a polynomial below the difference has no minus,
    and something at the first value.
    """

    def is_ahead(difference: Expr) -> bool:
        found = polynomial_bound(difference, {symbol: first})
        least = found is not None and (not strictly or bool(found.nth(0) > 0))
        return least and is_never_negative(found)

    return all(any(is_ahead(a - b) for a in terms_of(large)) for b in terms_of(small))


def _joined(found: Iterable[Stretch]) -> Iterator[Stretch]:
    """Join neighbours of the same order."""
    for _, group in groupby(found, key=lambda stretch: stretch.order):
        first, *others = group
        end = others[-1] if others else first
        yield first._replace(last=end.last, before=end.before)


class _Chart:
    """The order of expressions over the multiples of a step, from one change to the next."""

    strictly = True
    """True where two that become equal change the order."""

    def __init__(
        self, expressions: Sequence[Expr], symbol: Symbol, domain: Domain, is_valid: IsValid
    ) -> None:
        self.expressions = expressions
        self.symbol = symbol
        self.values = SymbolValues(domain)
        self.is_valid = is_valid
        self.limit: Rational | None = None
        self.numbers = cache(self._numbers)
        self.good_from = cache(self._good_from)
        self.way = cache(self._way)

    def ranking(self) -> Ranking:
        """Return the stretches, from the first value on."""
        return Ranking(tuple(_joined(self._run())), self.limit)

    def _numbers(self, value: Rational) -> list[Rational] | None:
        """Return the numbers at a value, where there are any."""
        charge(len(self.expressions))
        evaluate = Evaluator({self.symbol: value})
        try:
            return list(map(evaluate, self.expressions))
        except ExpressionError:
            return None

    @property
    def _left(self) -> int:
        """Return how many values may still be looked at."""
        return MAX_VALUES - self.numbers.cache_info().currsize

    def _run(self) -> Iterator[Stretch]:
        rest, last = self.values.whole, self.values.whole.low.place
        while (cell := next(self.values.upwards(rest), None)) is not None:
            if self._left <= 0:
                self.limit = tidy(last)
                return
            numbers, rest = self.numbers(cell.low), rest._replace(low=cell.interval.low)
            end: Cut | None = _now(rest)
            if numbers is not None and self.is_valid(cell.low):
                order = self._order(numbers)
                pairs = self._pairs(order)
                end = _first_end((self._pair_end(*pair, rest) for pair in pairs), rest.high)
                yield Stretch(order, cell.low, None if end is None else tidy(end.place))
            if end is None:
                return
            rest, last = rest._replace(low=end), end.place

    def _order(self, numbers: Sequence[Rational]) -> Order:
        """Return what a stretch keeps."""
        return order_of(numbers)

    def _pairs(self, order: Order) -> Iterable[tuple[int, int]]:
        """Return the pairs whose signs make up the order: no second is less than its first."""
        return pairwise(i for group in order for i in group)

    def _pair_end(self, low: int, high: int, rest: Interval) -> Cut | None:
        """Return the end to which a pair has its sign, from the first value on; None for good."""
        sign = self._sign_at(low, high, tidy(rest.low.place))
        assert sign is not None
        (small, one), (large, other) = self._leading(low, rest), self._leading(high, rest)
        kept = self._kept_end(small, large, rest, sign, strictly=self.strictly)
        end = _first_end((one, other, kept), None)
        return self._scanned_end(low, high, rest, sign) if end == _now(rest) else end

    def _sign_at(self, low: int, high: int, value: Rational) -> int | None:
        """Return whether two differ at a value, and which way; None where they have no numbers."""
        numbers = self.numbers(value)
        return None if numbers is None else _sign(numbers[high] - numbers[low])

    def _leading(self, i: int, rest: Interval) -> tuple[Expr, Cut | None]:
        """Return the term that is a maximum at the first value, and the end to which it is."""
        terms, evaluate = (
            terms_of(self.expressions[i]),
            Evaluator({self.symbol: tidy(rest.low.place)}),
        )
        winner = max(terms, key=evaluate) if len(terms) > 1 else self.expressions[i]
        signs = {t: _sign(evaluate(winner) - evaluate(t)) for t in terms if t != winner}
        ends = (self._kept_end(t, winner, rest, s, strictly=False) for t, s in signs.items())
        return winner, _first_end(ends, None)

    def _kept_end(
        self, small: Expr, large: Expr, rest: Interval, sign: int, *, strictly: bool
    ) -> Cut | None:
        """Return the end to which a difference is proved to keep its sign; None for good.

        Where it is not strict, 0 is as good as 1. Where nothing is proved, it is the first value.
        """
        way = self.way(large, small, self._octave(rest), strictly)
        if way in (0, STAYS_AHEAD) or (way == 1 and (sign or not strictly)):
            return None
        if way is None or (way == CROSSES_ONCE and not sign):
            return _now(rest)

        def holds(value: Rational) -> bool:
            more, less = map(Evaluator({self.symbol: value}), (large, small))
            return _is_kept(_sign(more - less), sign, strictly=strictly)

        cut = self.values.change(holds, rest).cut
        return None if cut is None else Cut(self.values.before(cut.place), after=True)

    def _octave(self, rest: Interval) -> Rational:
        """Return the first value of all, doubled up to that of the rest: few proofs are tried."""
        first = self.values.whole.low.place
        return tidy(first * (1 << (int(rest.low.place / first).bit_length() - 1)))

    def _way(self, large: Expr, small: Expr, value: Rational, strictly: bool) -> int | None:
        """Return the trend of a difference from a value on, or that it keeps or has one sign."""
        difference = (large - small).expand()
        way = trend(difference, self.symbol, value)
        if way is None and exceeds(large, small, self.symbol, value, strictly=strictly):
            return STAYS_AHEAD
        once = way is None and has_one_root(difference, self.symbol, value)
        return CROSSES_ONCE if once else way

    def _scanned_end(self, low: int, high: int, rest: Interval, sign: int) -> Cut | None:
        """Return the same, found value by value up to where the sign stays for good."""
        good = self.good_from(low, high) if sign or not self.strictly else None
        end = _now(rest)
        cells = self.values.upwards(rest._replace(low=end))
        if good is not None and good <= end.place:
            return None
        for cell in islice(cells, max(self._left, 1) - 1):
            if good is not None and cell.low >= good:
                return None
            found = self._sign_at(low, high, cell.low)
            if found is None or not _is_kept(found, sign, strictly=self.strictly):
                break
            end = Cut(Fraction(cell.low), after=True)
        return end

    def _good_from(self, low: int, high: int) -> Rational | None:
        """Return a value from which on one is proved to exceed another, if any."""
        first, strictly = self.values.whole.low.place, self.strictly
        for value in (tidy(first * (1 << k)) for k in range(MAX_DOUBLINGS)):
            if exceeds(
                self.expressions[high], self.expressions[low], self.symbol, value, strictly=strictly
            ):
                return value
        return None


class _Race(_Chart):
    """The largest of expressions, with what is less as one group."""

    strictly = False

    def _order(self, numbers: Sequence[Rational]) -> Order:
        winner = max(range(len(numbers)), key=numbers.__getitem__)
        return tuple(i for i in range(len(numbers)) if i != winner), (winner,)

    def _pairs(self, order: Order) -> Iterable[tuple[int, int]]:
        others, (winner,) = order
        return ((other, winner) for other in others)


def _sign(number: Rational) -> int:
    return (number > 0) - (number < 0)


def _is_kept(sign: int, first: int, *, strictly: bool) -> bool:
    """Return True where a sign is the first one, or not negative where it is not strict."""
    return sign == first if strictly else sign >= 0


def _now(rest: Interval) -> Cut:
    """Return the cut after the first value."""
    return Cut(rest.low.place, after=True)


def _first_end(ends: Iterable[Cut | None], last: Cut | None) -> Cut | None:
    """Return the first of some ends, of which None is none at all."""
    return min((end for end in ends if end is not None), default=last)


def _on_line(
    expressions: Sequence[Expr], symbol: Symbol, domain: Domain, usual: Rational, is_valid: IsValid
) -> Ranking:
    """Return the order over real values, as far as all places where it may change are known."""
    steps = Steps(list(expressions), symbol)
    if not steps.are_all:
        return Ranking((), domain.first)
    lines = [linear(a - b, symbol) for a, b in combinations(expressions, 2)]
    roots = [-line[1] / line[0] for line in lines if line]
    high = _compared_to(steps, domain, max([Fraction(usual), *roots]) * 4)
    places = [*steps.within(domain.first, high), *roots]
    values = SymbolValues(Domain(domain.first, high, None), others=(x for x in places if x < high))
    if steps.floors and steps.others:
        places += (x for cell in values.cells for x in _crossings(expressions, symbol, cell))
        values = SymbolValues(values.domain, others=(x for x in places if x < high))

    def order_at(value: Rational) -> Order:
        return order_of(list(map(Evaluator({symbol: value}), expressions)))

    cells = ((cell, (not cell.is_place,) * 2) for cell in values.cells if is_valid(cell.inside))
    stretches = (Stretch(order_at(c.inside), c.low, c.high, *outside) for c, outside in cells)
    found = tuple(_joined(stretches))
    if high == domain.last:
        return Ranking(found, None)
    if not (is_valid(high) and _is_settled(order_at(high), expressions, symbol, high)):
        return Ranking(found, high)
    return Ranking((*found[:-1], found[-1]._replace(last=domain.last, before=False)), None)


def _compared_to(steps: Steps, domain: Domain, high: Fraction) -> Rational:
    """Return the last value, or one to which there are not too many places to compare all."""
    if domain.last is not None and steps.count(domain.first, domain.last) <= MAX_PLACES:
        return domain.last
    while steps.count(domain.first, high) > MAX_PLACES:
        high = (high + Fraction(domain.first)) / 2
    return tidy(high)


def _crossings(expressions: Sequence[Expr], symbol: Symbol, cell: ValueCell) -> Iterator[Fraction]:
    """Yield the values between two places at which two expressions cross."""
    if cell.high is None or cell.is_place:
        return
    low, high = Fraction(cell.low), Fraction(cell.high)
    third = (high - low) / 3
    start, end = (
        list(map(Evaluator({symbol: tidy(value)}), expressions))
        for value in (low + third, high - third)
    )
    for i, j in combinations(range(len(expressions)), 2):
        gap, rise = start[j] - start[i], (end[j] - end[i]) - (start[j] - start[i])
        root = low + third - third * Fraction(gap) / rise if rise else low
        if low < root < high:
            yield root


def _is_settled(order: Order, expressions: Sequence[Expr], symbol: Symbol, value: Rational) -> bool:
    """Return True where an order without equals is proved to stay from a value on."""
    pairs = pairwise(expressions[group[0]] for group in order)
    return len(order) == len(expressions) and all(exceeds(b, a, symbol, value) for a, b in pairs)

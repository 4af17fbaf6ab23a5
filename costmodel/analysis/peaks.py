"""Which layer is the peak of activations, and where: the maximum's terms with their layers."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from typing import NamedTuple

from sympy import Expr
from sympy import Rational as Fraction

from archspec.arithmetic import Rational
from costmodel.algebra.domains import Domain, Span, last_of
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import terms_of
from costmodel.algebra.maxima import dominates
from costmodel.algebra.monotonicity import has_one_root, trend
from costmodel.analysis.closed_forms import ClosedForms
from costmodel.analysis.domains import domain_of
from costmodel.metrics.registry import find_metric

METRIC = "activations_peak"

MAX_VALUES = 512
"""The most values of a symbol at which terms are compared one by one."""

A_HAIR_LESS = Fraction(10**9 - 1, 10**9)
"""A positive number times this is still as much as another only where it is more."""


class Peak(NamedTuple):
    """One term of the maximum.

    Attributes:
        term: the law of input and output together.
        layers: the layers whose it is.
    """

    term: Expr
    layers: tuple[str, ...]

    @property
    def owner(self) -> str:
        """The layers in a few words."""
        first, *others = self.layers
        return f"{first} and {len(others)} like it" if others else first


class Stretch(NamedTuple):
    """Values of a symbol over which one term is the largest.

    Attributes:
        term: it.
        first: the first value.
        last: the last value, or None where it is proved to be the largest from the first on.
    """

    term: Expr
    first: Rational
    last: Rational | None


def peaks(analysis: ClosedForms, metric: str = METRIC) -> tuple[Peak, ...]:
    """The terms of a maximum over the network's layers, each with its layers."""
    total = analysis.total(metric)
    layers: dict[Expr, list[str]] = {term: [] for term in terms_of(total)}
    parts = analysis.parts(find_metric(metric))
    for counted, part in zip(analysis.counted, parts, strict=True):
        for term in terms_of(part):
            shown = analysis.assumed.shown(analysis.by_resolution(term))
            if shown in layers:
                layers[shown].append(counted.layer.node.path)
    return tuple(Peak(term, tuple(found)) for term, found in layers.items())


def winners(analysis: ClosedForms, terms: Sequence[Expr]) -> tuple[Expr, ...]:
    """Those of some terms that are the largest anywhere; all, where that is not decided."""
    race = _race_of(analysis, terms)
    if race is None or not race.is_decided:
        return tuple(terms)
    return tuple(dict.fromkeys(each.term for each in race.stretches))


def race_of(analysis: ClosedForms, metric: str = METRIC) -> "Race | None":
    """Where each term is the peak, if there are several and one symbol alone is open."""
    return _race_of(analysis, terms_of(analysis.total(metric)))


def stretches(analysis: ClosedForms) -> tuple[Stretch, ...]:
    """The stretches of `race_of`; none without one."""
    race = race_of(analysis)
    return race.stretches if race else ()


def _race_of(analysis: ClosedForms, terms: Sequence[Expr]) -> "Race | None":
    """The terms compared over the values of the one symbol that is open, if one alone is."""
    if len(analysis.symbols) != 1 or len(terms) < 2:
        return None
    (name,) = analysis.symbols
    domain = domain_of(analysis, name)
    return None if domain.step is None else Race(Course(analysis, name, domain), terms)


class Course:
    """A network along the values of its one open symbol, each worked out once.

    Attributes:
        analysis: of the network.
        name: of the symbol.
        domain: the values, multiples of a step.
        symbol: the symbol in the laws.
        at: value → what gives the laws' numbers there.
        is_valid_at: value → whether the network is valid there.
    """

    def __init__(self, analysis: ClosedForms, name: str, domain: Domain) -> None:
        self.analysis = analysis
        self.name = name
        self.domain = domain
        self.symbol = analysis.symbols[name]
        self.at = cache(self._at)
        self.is_valid_at = cache(self._is_valid_at)

    def _at(self, value: Rational) -> Evaluator:
        return self.analysis.laws_at({self.name: value})

    def _is_valid_at(self, value: Rational) -> bool:
        return self.analysis.is_valid_at({self.name: value})


class Race:
    """Which of some terms is the largest, from the symbol's first value on.

    Where the differences of the largest and the others are proved to rise or fall, it is the
    largest up to where one overtakes it, found by bisection; else values are compared one by one.

    Attributes:
        course: over which values.
        terms: what is compared, as shown.
        first_leads: whether of equals the first leads, else the one that has led before.
        stretches: where each term is the largest.
        is_over: whether that is all values of the symbol.
    """

    def __init__(self, course: Course, terms: Sequence[Expr], *, first_leads: bool = False) -> None:
        """Compare some terms.

        Args:
            course: over which values.
            terms: what is compared.
            first_leads: whether of equals the first leads, else the one that has led before.
        """
        self.course = course
        self.terms = [course.analysis.assumed.shown(term) for term in terms]
        self.first_leads = first_leads
        self.is_over = False
        self.stretches = tuple(_joined(self._run()))

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left open: all values are met, or the last term leads for good."""
        return bool(self.stretches) and (self.is_over or self.stretches[-1].last is None)

    def _run(self) -> Iterator[Stretch]:
        domain, steps = self.course.domain, self.course.domain.steps
        first = steps.first
        for _ in range(MAX_VALUES):
            if steps.last is not None and first > steps.last:
                self.is_over = True
                return
            value = domain.value(first)
            if not self.course.is_valid_at(value):
                first += 1
                continue
            winner = max(self.terms, key=self.course.at(value))
            last = self._lead(winner, steps._replace(first=first))
            yield Stretch(winner, value, None if last is None else domain.value(last))
            if last is None:
                return
            first = last + 1
        yield from self._rest(first)

    def _lead(self, winner: Expr, span: Span) -> int | None:
        """The last number of steps to which a term that leads is not overtaken, if it ever is."""
        symbol, value = self.course.symbol, self.course.domain.value(span.first)
        evaluate, lasts = self.course.at(value), list[int]()
        for term in self.terms:
            way = trend(term - winner, symbol, value)
            is_behind = term == winner or evaluate(term) < evaluate(winner)
            if way is None and not (is_behind and has_one_root(term - winner, symbol, value)):
                return span.first
            if way is None or way > 0:
                last = last_of(partial(self._is_ahead, winner, term), span)
                lasts += [] if last is None else [last]
        return min(lasts, default=span.last)

    def _is_ahead(self, winner: Expr, term: Expr, steps: int) -> bool:
        evaluate = self.course.at(self.course.domain.value(steps))
        if self.first_leads and evaluate(winner) == evaluate(term):
            return self.terms.index(winner) <= self.terms.index(term)
        return evaluate(winner) >= evaluate(term)

    def _rest(self, first: int) -> Iterator[Stretch]:
        """What leads after all values that are compared one by one, if it does so for good."""
        value = self.course.domain.value(first)
        winner = max(self.terms, key=self.course.at(value))
        least = {self.course.symbol: value}
        led = winner * A_HAIR_LESS if self.first_leads else winner
        if all(dominates(led, term, least) for term in self.terms if term != winner):
            yield Stretch(winner, value, None)


def _joined(found: Iterable[Stretch]) -> Iterator[Stretch]:
    """Neighbours with the same term as one."""
    for _, group in groupby(found, key=lambda stretch: stretch.term):
        first, *others = group
        yield first._replace(last=others[-1].last if others else first.last)

"""The search for the end of what constraints leave: on the multiples of a step, or on a line."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import count, islice, pairwise
from typing import NamedTuple

from archspec import SpecError
from archspec.arithmetic import Rational, tidy
from costmodel.algebra.trends import Steps, linear, trend
from costmodel.domains import MAX_EXPONENT, Span, last_of
from costmodel.queries import Constraint
from costmodel.questions import Answer, Question, Sample, Verdict

MAX_TRIES = 20_000
"""The most values that are tried one by one."""

MAX_PLACES = 200
"""The most places of a step function that are looked at one by one; more are bisected first."""


class Grid:
    """A search over the multiples of a step."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.domain = question.domain.steps
        self.value = question.domain.value
        self.notes: list[str] = []

    def answer(self) -> Answer:
        """The end of what all constraints leave."""
        span, untold = self.domain, list[Constraint]()
        for constraint in self.question.constraints:
            found = self._span(constraint)
            if found is None:
                untold.append(constraint)
            else:
                span = span.met(found)
        if span.is_empty:
            return self._infeasible()
        if self.question.end == "largest" and span.last is None:
            if not untold:
                return self._unbounded(span)
            span = Span(span.first, span.first + MAX_TRIES)
            self.notes.append(f"no value above {self.value(span.last or 0)} was tried")
            return self._first_valid(span, Verdict.OPEN)
        return self._first_valid(span, Verdict.FOUND)

    def _span(self, constraint: Constraint) -> Span | None:
        """Where a constraint holds, if the form of its law proves that it rises or falls."""
        question, domain = self.question, self.domain
        least = self.value(domain.first)
        way = trend(constraint.excess, question.symbol, least)
        self.notes.append(_about(constraint, way, question.name))
        if way is None:
            return None

        def holds(steps: int) -> bool:
            return question.holds(constraint, self.value(steps))

        if way == 0:
            return domain if holds(domain.first) else Span(domain.first, domain.first - 1)
        if way > 0:
            return Span(domain.first, last_of(holds, domain))
        last = last_of(lambda steps: not holds(steps), domain)
        if last is None:
            return Span(domain.first, domain.first - 1)
        return Span(last + 1, domain.last)

    def _candidates(self, span: Span) -> Iterator[Rational]:
        """The values of a span from the end that is asked for."""
        steps: Iterable[int] = count(span.first)
        if self.question.end == "largest":
            assert span.last is not None
            steps = range(span.last, span.first - 1, -1)
        elif span.last is not None:
            steps = range(span.first, span.last + 1)
        return map(self.value, islice(steps, MAX_TRIES))

    def _first_valid(self, span: Span, verdict: Verdict) -> Answer:
        question, tried = self.question, 0
        for value in self._candidates(span):
            if all(question.holds(constraint, value) for constraint in question.constraints):
                sample = question.sample(value)
                if not sample.broken:
                    return self._answer(verdict, sample, self._next(value))
            tried += 1
        if tried == MAX_TRIES:
            raise SpecError(f"none of the {tried:,} values of {self.question.name} that were tried")
        return self._infeasible()

    def _next(self, value: Rational) -> Sample | None:
        """The nearest value beyond one at which the network is valid."""
        sign = 1 if self.question.end == "largest" else -1
        domain = self.domain
        steps = int(Fraction(value) / Fraction(self.value(1)))
        for _ in range(MAX_TRIES):
            steps += sign
            if steps < domain.first or (domain.last is not None and steps > domain.last):
                return None
            sample = self.question.sample(self.value(steps))
            if sample.numbers:
                return sample
        return None

    def _unbounded(self, span: Span) -> Answer:
        first = max(span.first, 2**MAX_EXPONENT)
        tried = (self.question.sample(self.value(first + i)) for i in range(MAX_TRIES))
        at = next((sample for sample in tried if not sample.broken), None)
        if at is None:
            raise SpecError(f"no constraint bites, but no valid {self.question.name} was found")
        return self._answer(Verdict.UNBOUNDED, at, None)

    def _infeasible(self) -> Answer:
        """With the numbers at the value of the domain's end that comes nearest."""
        first, last = self.domain
        from_end = last is not None and self.question.falls
        steps = range(last, first - 1, -1) if last is not None and from_end else count(first)
        tried = (self.question.sample(self.value(k)) for k in islice(steps, MAX_TRIES))
        nearest = next((sample for sample in tried if sample.numbers), None)
        return self._answer(Verdict.INFEASIBLE, nearest, None)

    def _answer(self, verdict: Verdict, at: Sample | None, beyond: Sample | None) -> Answer:
        value = at.value if at and verdict in (Verdict.FOUND, Verdict.OPEN) else None
        notes = tuple(dict.fromkeys(self.notes))
        return Answer(
            verdict, self.question.end, value, True, at, beyond, self.question.domain.step, notes
        )


def _about(constraint: Constraint, way: int | None, name: str) -> str:
    """What is proved of a constraint's law."""
    said = {
        None: f"is not proved to rise or fall with {name}; values were tried one by one",
        0: f"does not depend on {name}, by its form",
        1: f"holds up to some {name} and not beyond, by its form",
        -1: f"holds from some {name} on, by its form",
    }
    return f"{constraint.text} {said[way]}"


class Edge(NamedTuple):
    """Where a constraint stops to hold on the line.

    Attributes:
        place: where.
        holds: whether it still holds there.
        inner: a value of the last step on which it holds.
        outer: a value of the first step on which it does not.
    """

    place: Rational
    holds: bool
    inner: Rational
    outer: Rational


class Line:
    """A search over all real values of a symbol, by the places where the laws step."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.steps = Steps([c.excess for c in question.constraints], question.symbol)
        self.notes: list[str] = []

    def answer(self) -> Answer:
        """The end of what all constraints leave.

        Raises:
            SpecError: a law does not step, or is not proved to rise or fall.
        """
        question, largest = self.question, self.question.end == "largest"
        if not self.steps.are_all:
            cause = f"the laws go with {question.name} otherwise than by steps"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        low, high = self._domain()
        edges: list[Edge] = []
        for constraint in question.constraints:
            way = self._way(constraint)
            ends = [question.holds(constraint, value) for value in (low, high)]
            if not any(ends):
                return self._answer(Verdict.INFEASIBLE, low if way > 0 else high)
            if not all(ends) and ends[0] == largest:
                edges.append(self._edge(constraint, low, high))
        if not edges:
            return self._at_the_end(high if largest else low)
        nearest = (min if largest else max)(edges, key=lambda edge: (edge.place, edge.holds))
        at = question.sample(nearest.inner)
        if at.broken:
            return self._answer(Verdict.INFEASIBLE, nearest.inner)
        beyond = question.sample(nearest.outer)
        return self._found(nearest.place, at, beyond, attained=nearest.holds)

    def _way(self, constraint: Constraint) -> int:
        way = trend(constraint.excess, self.question.symbol, self.question.domain.first)
        self.notes.append(_about(constraint, way, self.question.name))
        if way is None:
            cause = f"'{constraint.text}' is not proved to rise or fall with {self.question.name}"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        return way

    def _domain(self) -> tuple[Rational, Rational]:
        """The ends of the line: the symbol's own, or where nothing changes any more."""
        question = self.question
        usual = question.analysis.graph.values[question.name]
        high = question.domain.last
        if high is None:
            high = usual
            while self._goes_on(high) and high < usual * 2**MAX_EXPONENT:
                high *= 2
        low = question.domain.first or min(self.steps.within(0, usual), default=Fraction(usual)) / 2
        return low, high

    def _goes_on(self, value: Rational) -> bool:
        """Whether all that breaks somewhere still holds, or else what begins to hold does not."""
        holds = {c: self.question.holds(c, value) for c in self.question.constraints}
        breaking = [holds[c] for c in holds if self._way(c) > 0]
        return all(breaking) if breaking else not all(holds.values())

    def _edge(self, constraint: Constraint, low: Rational, high: Rational) -> Edge:
        """Where a constraint that holds at one end and not at the other changes."""
        holds = self.question.holds
        at_low = holds(constraint, low)
        while self.steps.count(low, high) > MAX_PLACES:
            middle = (Fraction(low) + high) / 2
            same = holds(constraint, middle) == at_low
            low, high = (middle, high) if same else (low, middle)
        places = sorted({*self.steps.within(low, high), *self._root(constraint, low, high)})
        tested = [low, *_between(places, high)]
        for before, after in pairwise(tested):
            if holds(constraint, after) != at_low:
                place = after if after in places else before
                inner, outer = (before, after) if at_low else (after, before)
                return Edge(tidy(place), place == inner, tidy(inner), tidy(outer))
        raise AssertionError(f"no step of {constraint.text} from {low} to {high}")

    def _root(self, constraint: Constraint, low: Rational, high: Rational) -> Iterator[Fraction]:
        """Where a line that has no steps is 0."""
        line = linear(constraint.excess, self.question.symbol)
        if line and low < -line[1] / line[0] <= high:
            yield -line[1] / line[0]

    def _at_the_end(self, value: Rational) -> Answer:
        """Nothing bites: the symbol's own end, if it has one."""
        largest = self.question.end == "largest"
        if (self.question.domain.last is None) if largest else (self.question.domain.first == 0):
            return self._answer(Verdict.UNBOUNDED, value)
        at = self.question.sample(value)
        return self._found(value, at, None, attained=True)

    def _found(
        self, value: Rational, at: Sample, beyond: Sample | None, *, attained: bool
    ) -> Answer:
        notes = tuple(dict.fromkeys(self.notes))
        end = self.question.end
        return Answer(Verdict.FOUND, end, value, attained, at, beyond, None, notes)

    def _answer(self, verdict: Verdict, value: Rational) -> Answer:
        at, notes = self.question.sample(value), tuple(dict.fromkeys(self.notes))
        return Answer(verdict, self.question.end, None, True, at, None, None, notes)


def _between(places: list[Fraction], high: Rational) -> Iterator[Fraction]:
    """Each place, and a value between it and the next."""
    for place, after in zip(places, [*places[1:], Fraction(high)], strict=True):
        yield place
        if place < after:
            yield (place + after) / 2

"""The search for the end of what constraints leave: on the multiples of a step, or on a line."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import count, islice, pairwise
from typing import NamedTuple

from sympy import Expr

from archspec import SpecError
from archspec.arithmetic import Rational, tidy
from archspec.expressions import TooLargeError
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
        first = self._far(span)
        tried = (self.question.sample(self.value(first + i)) for i in range(MAX_TRIES))
        at = next((sample for sample in tried if not sample.broken), None)
        if at is None:
            raise SpecError(f"no constraint bites, but no valid {self.question.name} was found")
        return self._answer(Verdict.UNBOUNDED, at, None)

    def _far(self, span: Span) -> int:
        """A number of steps at which all that is proved to hold can be shown by numbers."""
        exponent = MAX_EXPONENT
        while exponent:
            steps = max(span.first, 1 << exponent)
            try:
                self.question.sample(self.value(steps))
            except TooLargeError:
                exponent //= 2
            else:
                return steps
        return span.first

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


class Piece(NamedTuple):
    """A part of the line on which nothing changes: a place, or what lies between two of them.

    Attributes:
        low: its lower end.
        high: its upper end, the same as the lower for a place.
    """

    low: Rational
    high: Rational

    @property
    def inside(self) -> Rational:
        """A value in it."""
        return tidy((Fraction(self.low) + self.high) / 2)


class Line:
    """A search over all real values of a symbol, by the places where laws and conditions step."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.largest = question.end == "largest"
        self.lines = [linear(c.excess, question.symbol) for c in question.constraints]
        laws = [c.excess for c in question.constraints]
        asked = [side for c in question.analysis.demands for side in c if isinstance(side, Expr)]
        self.steps = Steps([*laws, *asked], question.symbol)
        self.notes: list[str] = []
        self.ends: tuple[Rational, Rational] = (0, 0)

    def answer(self) -> Answer:
        """The end of what all constraints and conditions leave.

        Raises:
            SpecError: a law does not step, or is not proved to rise or fall.
        """
        question = self.question
        if not self.steps.are_all:
            cause = f"the laws go with {question.name} otherwise than by steps"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        ways = {constraint: self._way(constraint) for constraint in question.constraints}
        self.ends = low, high = self._ends(ways)
        for constraint in ways:
            ends = [question.holds(constraint, value) for value in (low, high)]
            if not any(ends):
                return self._infeasible(ways)
            if not all(ends):
                place = self._edge(constraint, low, high)
                low, high = (low, place) if ends[0] else (place, high)
        return self._first_valid(low, high) or self._infeasible(ways)

    def _way(self, constraint: Constraint) -> int:
        way = trend(constraint.excess, self.question.symbol, self.question.domain.first)
        self.notes.append(_about(constraint, way, self.question.name))
        if way is None:
            cause = f"'{constraint.text}' is not proved to rise or fall with {self.question.name}"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        return way

    def _ends(self, ways: Mapping[Constraint, int]) -> tuple[Rational, Rational]:
        """The ends of the line: the symbol's own, or where nothing changes any more."""
        question, usual = self.question, self.question.analysis.graph.values[self.question.name]
        first, high, _ = question.domain
        roots = [-line[1] / line[0] for line in self.lines if line and -line[1] / line[0] > 0]
        if high is None:
            high = max([usual, *roots]) * 2
            while high < 2**MAX_EXPONENT and not self._is_past(high, ways):
                high *= 2
        low = first or min([*self.steps.within(0, usual), *roots, Fraction(usual)]) / 2
        return tidy(low), tidy(high)

    def _is_past(self, value: Rational, ways: Mapping[Constraint, int]) -> bool:
        """Whether what breaks at some value is broken, and what begins to hold at one holds."""
        holds = {constraint: self.question.holds(constraint, value) for constraint in ways}
        breaking = [holds[constraint] for constraint, way in ways.items() if way > 0]
        return not all(breaking) if breaking else all(holds.values())

    def _edge(self, constraint: Constraint, low: Rational, high: Rational) -> Rational:
        """The place at which a constraint that holds at one end and not at the other changes."""
        holds, at_low = self.question.holds, self.question.holds(constraint, low)
        while self.steps.count(low, high) > MAX_PLACES:
            middle = (Fraction(low) + high) / 2
            same = holds(constraint, middle) == at_low
            low, high = (middle, high) if same else (low, middle)
        for piece in self._pieces(low, high):
            if holds(constraint, piece.inside) != at_low:
                return piece.low
        return high

    def _pieces(self, low: Rational, high: Rational) -> Iterator[Piece]:
        """The places and what lies between them, from the lower end to the upper."""
        roots = (-line[1] / line[0] for line in self.lines if line)
        inner = {place for place in (*self.steps.within(low, high), *roots) if low < place < high}
        for before, after in pairwise(sorted({low, *inner, high})):
            yield Piece(tidy(before), tidy(before))
            yield Piece(tidy(before), tidy(after))
        yield Piece(tidy(high), tidy(high))

    def _inward(self, low: Rational, high: Rational) -> Iterator[Piece]:
        """The pieces from the end that is asked for, a few at a time."""
        if low == high:
            yield Piece(low, high)
        while low < high:
            near, far = (high, low) if self.largest else (low, high)
            while self.steps.count(min(near, far), max(near, far)) > MAX_PLACES:
                far = tidy((Fraction(near) + far) / 2)
            pieces = list(self._pieces(min(near, far), max(near, far)))
            yield from reversed(pieces) if self.largest else pieces
            low, high = (low, far) if self.largest else (far, high)

    def _first_valid(self, low: Rational, high: Rational) -> Answer | None:
        """The first piece at which everything holds."""
        question, outer = self.question, None
        for piece in islice(self._inward(low, high), MAX_TRIES):
            if question.analysis.is_valid_at({question.name: piece.inside}):
                sample = question.sample(piece.inside)
                if not sample.broken:
                    return self._found(piece, sample, outer)
                outer = sample
        return None

    def _found(self, piece: Piece, at: Sample, outer: Sample | None) -> Answer:
        domain, value = self.question.domain, piece.high if self.largest else piece.low
        is_open = domain.last is None if self.largest else domain.first == 0
        if is_open and value == self.ends[self.largest]:
            return self._answer(Verdict.UNBOUNDED, None, at, None)
        attained = piece.low == piece.high
        beyond = outer or self._beyond(value, attained=attained)
        return self._answer(Verdict.FOUND, value, at, beyond, attained=attained)

    def _beyond(self, value: Rational, *, attained: bool) -> Sample | None:
        """The numbers on the next step, if the symbol goes so far."""
        if not attained:
            return self.question.sample(value)
        end = self.ends[self.largest]
        if value == end:
            return None
        low, high = (value, end) if self.largest else (end, value)
        piece = next(self._near(low, high))
        return self.question.sample(piece.inside)

    def _near(self, low: Rational, high: Rational) -> Iterator[Piece]:
        """The pieces beyond a value, the nearest first."""
        while self.steps.count(low, high) > MAX_PLACES:
            middle = tidy((Fraction(low) + high) / 2)
            low, high = (low, middle) if self.largest else (middle, high)
        found = list(self._pieces(low, high))
        yield from found[1:] if self.largest else reversed(found[:-1])

    def _infeasible(self, ways: Mapping[Constraint, int]) -> Answer:
        """With the numbers at the end where the constraints come nearest."""
        value = self.ends[set(ways.values()) - {0} == {-1}]
        return self._answer(Verdict.INFEASIBLE, None, self.question.sample(value), None)

    def _answer(
        self,
        verdict: Verdict,
        value: Rational | None,
        at: Sample,
        beyond: Sample | None,
        *,
        attained: bool = True,
    ) -> Answer:
        notes = tuple(dict.fromkeys(self.notes))
        return Answer(verdict, self.question.end, value, attained, at, beyond, None, notes)

"""The search for the end of what constraints leave: on the multiples of a step, or on a line.

A condition that compares is narrowed down like a constraint. What is proved to hold up to some
value, or from some value on, is bisected; an end that is not found is not claimed: "unbounded" and
"infeasible" are said where the forms of the laws prove it, or where all values were tried.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import count, islice

from sympy import Expr

from archspec import SpecError
from archspec.arithmetic import Rational, tidy
from archspec.expressions import TooLargeError
from costmodel.algebra.conditions import Condition, Divides
from costmodel.algebra.domains import Span, last_of
from costmodel.algebra.functions import floor_div
from costmodel.algebra.lines import Cut, Part, Piece, Places
from costmodel.algebra.monotonicity import Steps, is_never_positive, linear, trend
from costmodel.analysis.constraints import Constraint
from costmodel.studies.problem import Answer, Question, Sample, Verdict

MAX_TRIES = 20_000
"""The most values that are tried one by one."""

SHOWN_EXPONENT = 256
"""Of what has no end the numbers are shown at ``2**256``, or nearer where they are too large."""


class Ways:
    """The ways in which the laws of a question go, and what is proved of their ends.

    Attributes:
        question: it.
        notes: what is proved of the constraints, and what was tried.
        is_open: whether a constraint may break beyond all values that were looked at.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.notes: list[str] = []
        self.is_open = not all(map(_is_periodic, question.holes))

    def of(self, constraint: Constraint) -> int | None:
        """Return the trend of a constraint's excess, None where none is proved."""
        question = self.question
        way = trend(constraint.excess, question.symbol, question.domain.first)
        if constraint in question.constraints:
            self.notes.append(_about(constraint, way, question.name))
        return way

    def has_no_end(self, constraint: Constraint) -> None:
        """Take note of a constraint that holds as far as was looked; for good where proved."""
        if not self._is_proved(constraint):
            self.is_open = True
            self.notes.append(f"no {self.question.name} was found that breaks {constraint.text}")

    def never_begins(self, constraint: Constraint) -> None:
        """Make sure that a constraint holds nowhere that holds at no value that was looked at.

        Raises:
            SpecError: it is not proved.
        """
        if not self._is_proved(constraint.negated):
            name = self.question.name
            cause = f"no {name} was found with {constraint.text}, but it is not proved to be none"
            raise SpecError(cause, hint="values beyond 2**2048 steps are not looked at")

    def _is_proved(self, constraint: Constraint) -> bool:
        least, strict = self.question.domain.first, constraint.strict
        return is_never_positive(constraint.excess, self.question.symbol, least, strictly=strict)


def _is_periodic(condition: Condition) -> bool:
    """Return whether a condition that holds once holds again later, as a remainder of 0 does."""
    return isinstance(condition, Divides) and condition.divisor.is_Rational


class Grid:
    """A search over the multiples of a step."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.domain = question.domain.steps
        self.valid = self.domain
        self.value = question.domain.value
        self.ways = Ways(question)

    def answer(self) -> Answer:
        """The end of what all constraints leave."""
        question, untold = self.question, list[Constraint]()
        self.valid = self._held(self.valid, question.bounds, untold)
        span = self._held(self.valid, question.constraints, untold)
        if span.is_empty:
            return self._infeasible()
        if question.end == "largest" and span.last is None:
            if not untold:
                return self._unbounded(span)
            span = Span(span.first, span.first + MAX_TRIES - 1)
            self.ways.notes.append(f"no value above {self.value(span.last or 0)} was tried")
            return self._first_valid(span, Verdict.OPEN)
        return self._first_valid(span, Verdict.FOUND)

    def _held(
        self, span: Span, constraints: Iterable[Constraint], untold: list[Constraint]
    ) -> Span:
        """The numbers of a span at which constraints hold; those that have no trend are untold."""
        for constraint in constraints:
            way = None if span.is_empty else self.ways.of(constraint)
            if way is None:
                untold.append(constraint)
            else:
                span = self._narrowed(span, constraint, way)
        return span

    def _narrowed(self, span: Span, constraint: Constraint, way: int) -> Span:
        """The numbers of a span at which a constraint holds whose excess goes one way."""

        def holds(steps: int) -> bool:
            return self.question.holds(constraint, self.value(steps))

        if way == 0:
            return span if holds(span.first) else _emptied(span)
        if way > 0:
            last = last_of(holds, span)
            if last is None:
                self.ways.has_no_end(constraint)
            return span.met(Span(span.first, last))
        last = last_of(lambda steps: not holds(steps), span)
        if last is None:
            self.ways.never_begins(constraint)
            return _emptied(span)
        return Span(last + 1, span.last)

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
            raise _none_of(tried, question.name)
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
            if sample.is_valid:
                return sample
        name = self.question.name
        self.ways.notes.append(f"none of the {MAX_TRIES:,} next values of {name} is valid")
        return None

    def _unbounded(self, span: Span) -> Answer:
        """With the numbers at a value far out; the end is open where none is proved."""
        first = self._far(span)
        tried = (self.question.sample(self.value(first + i)) for i in range(MAX_TRIES))
        at = next((sample for sample in tried if not sample.broken), None)
        if at is None:
            raise _none_of(MAX_TRIES, self.question.name)
        verdict = Verdict.OPEN if self.ways.is_open else Verdict.UNBOUNDED
        return self._answer(verdict, at, None)

    def _far(self, span: Span) -> int:
        """A number of steps at which all that is proved to hold can be shown by numbers."""
        exponent = SHOWN_EXPONENT
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
        first, last = self.domain if self.valid.is_empty else self.valid
        from_end = last is not None and self.question.falls
        steps = range(last, first - 1, -1) if last is not None and from_end else count(first)
        tried = (self.question.sample(self.value(k)) for k in islice(steps, MAX_TRIES))
        nearest = next((sample for sample in tried if sample.is_valid), None)
        return self._answer(Verdict.INFEASIBLE, nearest, None)

    def _answer(self, verdict: Verdict, at: Sample | None, beyond: Sample | None) -> Answer:
        value = at.value if at and verdict in (Verdict.FOUND, Verdict.OPEN) else None
        notes = tuple(dict.fromkeys(self.ways.notes))
        return Answer(
            verdict, self.question.end, value, True, at, beyond, self.question.domain.step, notes
        )


def _emptied(span: Span) -> Span:
    return Span(span.first, span.first - 1)


def _none_of(tried: int, name: str) -> SpecError:
    """The error of a search that finds no value and has not tried all."""
    cause = f"none of the {tried:,} values of {name} that were tried will do"
    return SpecError(f"{cause}, and there are more")


def _about(constraint: Constraint, way: int | None, name: str) -> str:
    """What is proved of a constraint's law."""
    said = {
        None: f"is not proved to rise or fall with {name}; values were tried one by one",
        0: f"does not depend on {name}, by its form",
        1: f"holds up to some {name} and not beyond, by its form",
        -1: f"holds from some {name} on, by its form",
    }
    return f"{constraint.text} {said[way]}"


class Line:
    """A search over all real values of a symbol, by the places where laws and conditions step."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.largest = question.end == "largest"
        self.ways = Ways(question)
        first, last, _ = question.domain
        laws = [c.excess for c in (*question.bounds, *question.constraints)]
        holes = [law for condition in question.holes for law in _laws_of(condition)]
        steps = Steps([*laws, *holes], question.symbol)
        roots = [-line[1] / line[0] for law in laws if (line := linear(law, question.symbol))]
        self.places = Places(steps, [*roots, first, *([] if last is None else [last])])
        high = None if last is None else Cut(Fraction(last), after=True)
        self.domain = Part(Cut(Fraction(first), after=first == 0), high)

    def answer(self) -> Answer:
        """The end of what all constraints and conditions leave.

        Raises:
            SpecError: a law does not step, or is not proved to rise or fall.
        """
        question = self.question
        if not self.places.steps.are_all:
            cause = f"the laws go with {question.name} otherwise than by steps"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        valid = self._held(self.domain, question.bounds)
        part = self._held(valid, question.constraints)
        found = None if part.is_empty else self._first_valid(part)
        return found or self._infeasible(self.domain if valid.is_empty else valid)

    def _held(self, part: Part, constraints: Iterable[Constraint]) -> Part:
        """The values of a part at which constraints hold; of a condition without a trend all."""
        for constraint in constraints:
            way = self._way(constraint)
            if way is not None and not part.is_empty:
                part = self._narrowed(part, constraint, way)
        return part

    def _way(self, constraint: Constraint) -> int | None:
        """The trend of a constraint; None of a condition that has none.

        Raises:
            SpecError: none is proved.
        """
        way = self.ways.of(constraint)
        if way is None and constraint in self.question.constraints:
            cause = f"'{constraint.text}' is not proved to rise or fall with {self.question.name}"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        if way is None:
            self.ways.is_open = True
        return way

    def _narrowed(self, part: Part, constraint: Constraint, way: int) -> Part:
        """The values of a part at which a constraint holds whose excess goes one way."""

        def holds(value: Rational) -> bool:
            return self.question.holds(constraint, value)

        at_low = holds(next(self.places.upwards(part)).inside)
        change = None if way == 0 or at_low == (way < 0) else self.places.change(holds, part)
        if change is not None:
            return part._replace(high=change) if at_low else part._replace(low=change)
        if part.high is None and not self.places.are_finite and way == (1 if at_low else -1):
            (self.ways.has_no_end if at_low else self.ways.never_begins)(constraint)
        return part if at_low else part._replace(high=part.low)

    def _first_valid(self, part: Part) -> Answer | None:
        """The answer at the first piece from the end that is asked for at which everything holds.

        Raises:
            SpecError: there are more pieces than are tried.
        """
        question, tried = self.question, 0
        for piece in islice(self._pieces(part), MAX_TRIES):
            tried += 1
            if question.is_valid_at(piece.inside):
                sample = question.sample(piece.inside)
                if not sample.broken:
                    return self._found(piece, sample, part)
        if tried == MAX_TRIES:
            raise _none_of(tried, question.name)
        return None

    def _pieces(self, part: Part) -> Iterator[Piece]:
        """The pieces of a part from the end that is asked for; from far out where it has none."""
        if not self.largest:
            return self.places.upwards(part)
        return (
            self.places.upwards(self._far(part))
            if part.high is None
            else (self.places.downwards(part))
        )

    def _far(self, part: Part) -> Part:
        """What is left of a part without end far out, where numbers can still be shown."""
        exponent = SHOWN_EXPONENT
        while exponent and not self.places.are_finite:
            place = self.places.before(part.low.place + 2**exponent)
            try:
                self.question.sample(tidy(place))
            except TooLargeError:
                exponent //= 2
            else:
                return part._replace(low=max(part.low, Cut(place, after=False)))
        place = max([part.low.place, *self.places.others])
        return part._replace(low=max(part.low, Cut(place, after=True)))

    def _found(self, piece: Piece, at: Sample, part: Part) -> Answer:
        if self.largest and part.high is None:
            verdict = Verdict.OPEN if self.ways.is_open else Verdict.UNBOUNDED
            return self._answer(verdict, at.value if self.ways.is_open else None, at, None)
        value = piece.high if self.largest else piece.low
        assert value is not None
        if value == 0:
            return self._answer(Verdict.UNBOUNDED, None, at, None)
        beyond = self._beyond(value) if piece.is_place else self.question.sample(value)
        return self._answer(Verdict.FOUND, value, at, beyond, attained=piece.is_place)

    def _beyond(self, value: Rational) -> Sample | None:
        """The numbers on the next step beyond a place, if the symbol goes so far."""
        place = Fraction(value)
        if self.largest:
            pieces = self.places.upwards(self.domain._replace(low=Cut(place, after=True)))
        else:
            pieces = self.places.downwards(self.domain._replace(high=Cut(place, after=False)))
        piece = next(pieces, None)
        return None if piece is None else self.question.sample(piece.inside)

    def _infeasible(self, part: Part) -> Answer:
        """With the numbers at the end of a part where the constraints come nearest."""
        if not self.question.falls:
            piece = next(self.places.upwards(part))
        elif part.high is None:
            piece = next(self.places.upwards(self._far(part)))
        else:
            piece = next(self.places.downwards(part))
        return self._answer(Verdict.INFEASIBLE, None, self.question.sample(piece.inside), None)

    def _answer(
        self,
        verdict: Verdict,
        value: Rational | None,
        at: Sample,
        beyond: Sample | None,
        *,
        attained: bool = True,
    ) -> Answer:
        notes = tuple(dict.fromkeys(self.ways.notes))
        return Answer(verdict, self.question.end, value, attained, at, beyond, None, notes)


def _laws_of(condition: Condition) -> Iterator[Expr]:
    """What steps where a condition may begin to hold or cease to."""
    if isinstance(condition, Divides) and _is_periodic(condition):
        yield floor_div(condition.dividend, condition.divisor)
    else:
        yield from (side for side in condition if isinstance(side, Expr))

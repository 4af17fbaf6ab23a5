"""The search for the end of what constraints leave of a symbol's values.

A condition that compares is narrowed down like a constraint. What is proved to hold up to some
value, or from some value on, is bisected; an end that is not found is not claimed: "unbounded" and
"infeasible" are said where the forms of the laws prove it, or where all values were tried.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple

from sympy import Expr, Symbol

from archspec import SpecError
from archspec.arithmetic import Rational, tidy
from archspec.expressions import ExpressionError, TooLargeError
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, condition_text
from costmodel.algebra.domains import Domain, symbols_of
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import exact, floor_div
from costmodel.algebra.monotonicity import Steps, is_never_positive, linear, trend
from costmodel.algebra.values import Cut, Interval, SymbolValues, ValueCell
from costmodel.algebra.work import charge
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.constraints import Constraint
from costmodel.analysis.domains import domain_of

End = Literal["largest", "smallest"]

REQUIREMENTS_OF_STEP = 20
"""The number of conditions at numbers that count as one step of work."""


class Verdict(Enum):
    """The kinds of answers: open is one that larger values may better, which were not tried."""

    FOUND = "found"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    OPEN = "open"


class Evaluation(NamedTuple):
    """The numbers at one value.

    Attributes:
        value: the symbol's.
        numbers: metric → its number.
        broken: what does not hold there; the constraints, or why the network is not valid.
        is_valid: whether the network is valid there.
    """

    value: Rational
    numbers: Mapping[str, Rational]
    broken: tuple[str, ...]
    is_valid: bool = True


class Answer(NamedTuple):
    """The answer to a problem, with its certificate.

    Attributes:
        verdict: whether there is one.
        end: which was asked for.
        value: it, or what it comes as near to as one likes.
        attained: whether the constraints hold at the value itself.
        at: the numbers there, or on the last step before it; of an infeasible problem the
            numbers where it comes nearest.
        beyond: the numbers at the next value; None where the symbol goes no further, or where no
            valid value beyond was found.
        step: whose multiples were looked at, or None where all real numbers were.
        notes: what was proved of the laws, and what was tried.
    """

    verdict: Verdict
    end: End
    value: Rational | None
    attained: bool
    at: Evaluation | None
    beyond: Evaluation | None
    step: Rational | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """A symbol, and what is to hold while all others are fixed.

    Attributes:
        analysis: the network in this symbol alone.
        name: the symbol's name.
        constraints: what is to hold.
        end: which of the values that it leaves is wanted.
        step: the user's own step, if one was given.
    """

    analysis: Analysis
    name: str
    constraints: tuple[Constraint, ...]
    end: End
    step: Rational | None = None

    @property
    def symbol(self) -> Symbol:
        """The symbol as the laws have it."""
        return self.analysis.symbols[self.name]

    @cached_property
    def domain(self) -> Domain:
        """The values that the symbol may have."""
        return domain_of(self.analysis, self.name, self.step)

    @cached_property
    def bounds(self) -> tuple[Constraint, ...]:
        """The conditions that compare, as constraints; what the domain's ends say is left out."""
        conditions = (c for c in self.analysis.demands if symbols_of(c) == {self.symbol})
        return tuple(bound for c in conditions for bound in _as_constraints(c, self.symbol))

    @property
    def holes(self) -> tuple[Condition, ...]:
        """The conditions of other kinds: they may hold and break at many values."""
        kinds = (AtLeast, Equal)
        return tuple(
            c
            for c in self.analysis.demands
            if symbols_of(c) and not (symbols_of(c) == {self.symbol} and isinstance(c, kinds))
        )

    @property
    def falls(self) -> bool:
        """Return True where the constraints hold from some value on, rather than up to one."""
        return {trend(c.excess, self.symbol, self.domain.first) for c in self.constraints} - {
            0
        } == {-1}

    def _charge(self) -> None:
        """Count one value as a step of work, and more where the network asks for much."""
        charge(1 + len(self.analysis.propagation.requirements) // REQUIREMENTS_OF_STEP)

    def holds(self, constraint: Constraint, value: Rational) -> bool:
        """Return whether a constraint holds at a value, valid or not; not where a law has no value.

        Raises:
            TooLargeError: its numbers have more bits than are computed.
        """
        self._charge()
        try:
            if constraint in self.bounds:
                return constraint.holds(Evaluator({self.symbol: value}))
            return constraint.holds(self.analysis.evaluator_at({self.name: value}))
        except TooLargeError:
            raise
        except ExpressionError:  # a division by zero
            return False

    def is_valid(self, value: Rational) -> bool:
        """Return True where the network is valid at a value."""
        try:
            return self.analysis.is_valid_at({self.name: value})
        except TooLargeError:
            raise
        except ExpressionError:  # a division by zero
            return False

    def sample(self, value: Rational) -> Evaluation:
        """Return the numbers at a value, and the constraints that are broken there."""
        self._charge()
        try:
            point = self.analysis.at(**{self.name: value})
        except (SpecError, ExpressionError) as error:
            cause = f"the network is not valid: {error.cause}"
            return Evaluation(value, {}, (cause,), is_valid=False)
        metrics = {name: None for c in self.constraints for name in c.metrics}
        numbers = {name: point.evaluate(self.analysis.total(name)) for name in metrics}
        broken = dict.fromkeys(c.text for c in self.constraints if not c.holds(point.evaluate))
        return Evaluation(value, numbers, tuple(broken))


def _as_constraints(condition: Condition, symbol: Symbol) -> Iterator[Constraint]:
    """Yield a condition that compares as one or two constraints.

    ``x >= p/q`` is ``floor(q*x) >= p``, which steps where x goes on between its steps.
    """
    text = condition_text(condition)
    match condition:
        case AtLeast(expression, bound) if linear(expression, symbol) is None:
            least, unit = bound.as_integer_ratio()
            steps = floor_div((unit * expression).expand(), 1)
            yield Constraint(text, exact(least), steps, strict=False, metrics=())
        case Equal(left, right):
            yield Constraint(text, left, right, strict=False, metrics=())
            yield Constraint(text, right, left, strict=False, metrics=())


MAX_TRIES = 20_000
"""The most values that are tried one by one."""

SHOWN_EXPONENT = 256
"""The largest exponent of two at which the numbers of an endless range are shown."""


class Search:
    """A search over the values of a symbol: multiples of a step, or all real numbers.

    Attributes:
        problem: what is asked for.
        values: of the symbol.
        notes: what is proved of the constraints, and what was tried.
        unordered: constraints and conditions that are not proved to rise or fall.
        is_open: whether a constraint may break beyond all values that were looked at.
        is_limited: whether values beyond those that are tried are left out.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.values = _values_of(problem)
        self.notes: list[str] = []
        self.unordered: list[Constraint] = []
        self.is_open = not all(map(_is_periodic, problem.holes))
        self.is_limited = False

    def answer(self) -> Answer:
        """Return the end of what all constraints and conditions leave.

        Raises:
            SpecError: over real values a law does not step, or is not proved to rise or fall.
        """
        problem = self.problem
        if isinstance(self.values.steps, Steps) and not self.values.steps.are_all:
            cause = f"the laws go with {problem.name} otherwise than by steps"
            raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
        valid = self._held(self.values.whole, problem.bounds)
        left = self._held(valid, problem.constraints)
        found = None if left.is_empty else self._first_valid(left)
        return found or self._infeasible(self.values.whole if valid.is_empty else valid)

    def _held(self, left: Interval, constraints: Iterable[Constraint]) -> Interval:
        """Return the values of an interval at which those constraints hold that have a trend."""
        for constraint in constraints:
            if left.is_empty and not self.values.is_line:
                break
            way = self._way(constraint)
            if way is None:
                self.unordered.append(constraint)
            elif not left.is_empty:
                left = self._narrowed(left, constraint, way)
        return left

    def _way(self, constraint: Constraint) -> int | None:
        """Return the trend of a constraint's excess, None where none is proved."""
        problem = self.problem
        way = trend(constraint.excess, problem.symbol, problem.domain.first)
        if constraint in problem.constraints:
            if way is None and self.values.is_line:
                cause = f"'{constraint.text}' is not proved to rise or fall with {problem.name}"
                raise SpecError(cause, hint="give a step, as --step 0.05: its multiples are tried")
            self.notes.append(_about(constraint, way, problem.name))
        return way

    def _narrowed(self, left: Interval, constraint: Constraint, way: int) -> Interval:
        """Return the values of an interval at which a constraint of one trend holds."""

        def holds(value: Rational) -> bool:
            return self.problem.holds(constraint, value)

        at_first = holds(next(self.values.upwards(left)).inside)
        if way and at_first == (way > 0):
            cut, is_open = self.values.change(holds, left)
            if cut is not None:
                return left._replace(high=cut) if at_first else left._replace(low=cut)
            if is_open:
                self._note_no_end(constraint, is_kept=at_first)
        return left if at_first else left._replace(high=left.low)

    def _note_no_end(self, constraint: Constraint, *, is_kept: bool) -> None:
        """Take note of a constraint that is kept, or broken, as far as was looked."""
        name, least = self.problem.name, self.problem.domain.first
        held = constraint if is_kept else constraint.negated
        if is_never_positive(held.excess, self.problem.symbol, least, strictly=held.strict):
            return
        if not is_kept:
            cause = f"no {name} was found with {constraint.text}, but it is not proved to be none"
            raise SpecError(cause, hint="values beyond 2**2048 steps are not looked at")
        self.is_open = True
        self.notes.append(f"no {name} was found that breaks {constraint.text}")

    def _first_valid(self, left: Interval) -> Answer | None:
        """Return the answer at the first cell from the wanted end at which everything holds."""
        problem, tried = self.problem, 0
        if left.high is None and self.unordered and problem.end == "largest":
            left = self._limited(left)
        for cell in islice(self._cells(left, from_end=problem.end == "largest"), MAX_TRIES):
            tried += 1
            charge(1)
            unordered = (problem.holds(constraint, cell.inside) for constraint in self.unordered)
            if all(unordered) and problem.is_valid(cell.inside):
                sample = problem.sample(cell.inside)
                if not sample.broken:
                    return self._found(cell, sample, left)
        if tried == MAX_TRIES:
            cause = f"none of the {tried:,} values of {problem.name} that were tried will do"
            raise SpecError(f"{cause}, and there are more")
        return None

    def _limited(self, left: Interval) -> Interval:
        """Return as many values as are tried of an interval without end; it stays open."""
        self.is_open = True
        if self.problem.domain.step is None:
            return left
        self.is_limited = True
        last = left.low.place + (MAX_TRIES - 1) * self.problem.domain.step
        self.notes.append(f"no value above {tidy(last)} was tried")
        return left._replace(high=Cut(last, after=True))

    def _cells(self, left: Interval, *, from_end: bool) -> Iterator[ValueCell]:
        """Return the cells of an interval from one end; from far out where it has none."""
        if not from_end:
            return self.values.upwards(left)
        if left.high is None:
            return self.values.upwards(self._far(left))
        return self.values.downwards(left)

    def _far(self, left: Interval) -> Interval:
        """Return what is left of an interval far out, where numbers can still be shown."""
        exponent, values = SHOWN_EXPONENT, self.values
        while exponent and not values.are_finite:
            place = values.beyond(left.low.place, 2**exponent)
            try:
                self.problem.sample(tidy(place))
            except TooLargeError:
                exponent //= 2
            else:
                return left._replace(low=max(left.low, Cut(place, after=False)))
        if not values.is_line:
            return left
        last = max([left.low.place, *values.others])
        return left._replace(low=max(left.low, Cut(last, after=True)))

    def _found(self, cell: ValueCell, at: Evaluation, left: Interval) -> Answer:
        """Return the answer at a cell."""
        verdict = Verdict.OPEN if self.is_open else Verdict.UNBOUNDED
        if self.problem.end == "largest":
            if left.high is None:
                return self._answer(verdict, at.value if self.is_open else None, at)
            value = cell.high
        else:
            value = cell.low
        if not value:
            return self._answer(Verdict.UNBOUNDED, None, at)
        beyond = self._beyond(value) if cell.is_place else self.problem.sample(value)
        found = Verdict.OPEN if self.is_limited else Verdict.FOUND
        return self._answer(found, value, at, beyond, attained=cell.is_place)

    def _beyond(self, value: Rational) -> Evaluation | None:
        """Return the numbers beyond a value: of a grid at the nearest at which it is valid."""
        place, whole = Fraction(value), self.values.whole
        if self.problem.end == "largest":
            cells = self.values.upwards(whole._replace(low=Cut(place, after=True)))
        else:
            cells = self.values.downwards(whole._replace(high=Cut(place, after=False)))
        tried = 0
        for cell in islice(cells, MAX_TRIES):
            tried += 1
            sample = self.problem.sample(cell.inside)
            if sample.is_valid or self.values.is_line:
                return sample
        if tried == MAX_TRIES:
            name = self.problem.name
            self.notes.append(f"none of the {MAX_TRIES:,} next values of {name} is valid")
        return None

    def _infeasible(self, left: Interval) -> Answer:
        """Return that nothing will do, with the numbers where the constraints come nearest."""
        from_end = self.problem.falls and (self.values.is_line or left.high is not None)
        cells = islice(self._cells(left, from_end=from_end), MAX_TRIES)
        samples = (self.problem.sample(cell.inside) for cell in cells)
        nearest = next((s for s in samples if s.is_valid or self.values.is_line), None)
        return self._answer(Verdict.INFEASIBLE, None, nearest)

    def _answer(
        self,
        verdict: Verdict,
        value: Rational | None,
        at: Evaluation | None,
        beyond: Evaluation | None = None,
        *,
        attained: bool = True,
    ) -> Answer:
        """Return an answer with all that was noted."""
        notes, problem = tuple(dict.fromkeys(self.notes)), self.problem
        step = problem.domain.step
        return Answer(verdict, problem.end, value, attained, at, beyond, step, notes)


def _values_of(problem: Problem) -> SymbolValues:
    """Return the values of a problem's symbol; over real numbers with all places of its laws."""
    if problem.domain.step is not None:
        return SymbolValues(problem.domain)
    expressions = [c.excess for c in (*problem.bounds, *problem.constraints)]
    holes = [expression for condition in problem.holes for expression in _expressions_of(condition)]
    lines = (linear(expression, problem.symbol) for expression in expressions)
    roots = [-line[1] / line[0] for line in lines if line]
    return SymbolValues(problem.domain, Steps([*expressions, *holes], problem.symbol), roots)


def _expressions_of(condition: Condition) -> Iterator[Expr]:
    """Return what steps where a condition may begin to hold or cease to."""
    if isinstance(condition, Divides) and _is_periodic(condition):
        yield floor_div(condition.dividend, condition.divisor)
    else:
        yield from (side for side in condition if isinstance(side, Expr))


def _is_periodic(condition: Condition) -> bool:
    """Return True where a condition that holds once holds again later, as a remainder of 0 does."""
    return isinstance(condition, Divides) and condition.divisor.is_Rational


def _about(constraint: Constraint, way: int | None, name: str) -> str:
    """Return the note on what is proved of a constraint's expression."""
    notes = {
        None: f"is not proved to rise or fall with {name}; values were tried one by one",
        0: f"does not depend on {name}, by its form",
        1: f"holds up to some {name} and not beyond, by its form",
        -1: f"holds from some {name} on, by its form",
    }
    return f"{constraint.text} {notes[way]}"

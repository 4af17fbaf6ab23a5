"""A problem about one symbol of a network, and what an answer says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Literal, NamedTuple

from sympy import Symbol

from archspec import SpecError
from archspec.arithmetic import Rational
from archspec.expressions import ExpressionError, TooLargeError
from costmodel.algebra.conditions import AtLeast, Condition, Equal, condition_text
from costmodel.algebra.domains import Domain, symbols_of
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import exact, floor_div
from costmodel.algebra.monotonicity import linear, trend
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


class Sample(NamedTuple):
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
    at: Sample | None
    beyond: Sample | None
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
            return constraint.holds(self.analysis.laws_at({self.name: value}))
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

    def sample(self, value: Rational) -> Sample:
        """Return the numbers at a value, and the constraints that are broken there."""
        self._charge()
        try:
            point = self.analysis.at(**{self.name: value})
        except (SpecError, ExpressionError) as error:
            cause = f"the network is not valid: {error.cause}"
            return Sample(value, {}, (cause,), is_valid=False)
        metrics = {name: None for c in self.constraints for name in c.metrics}
        numbers = {name: point.evaluate(self.analysis.total(name)) for name in metrics}
        broken = dict.fromkeys(c.text for c in self.constraints if not c.holds(point.evaluate))
        return Sample(value, numbers, tuple(broken))


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

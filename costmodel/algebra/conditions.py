"""Conditions on the symbols under which a law holds: decided, reduced, checked, printed.

A condition answers True, False or None, "it depends"; what depends is printed with the result.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sympy import Add, Expr, Mul, S

from archspec.arithmetic import OPERATORS, Rational
from costmodel.algebra.bounds import Least, is_positive, lower_bound
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Maximum,
    Minimum,
    exact,
    is_whole,
    separated,
)
from costmodel.algebra.normal_form import Whole, settled

if TYPE_CHECKING:
    from costmodel.algebra.printing import PythonText


Change = Callable[[Expr], Expr]
"""A function from an expression to another."""


@dataclass(frozen=True)
class _Statement:
    """A statement about expressions: of other kinds with the same parts it is never the equal."""

    def __iter__(self) -> Iterator[Any]:
        """Yield its parts."""
        return iter(vars(self).values())

    def mapped(self, change: Change) -> Self:
        """Return the same statement about changed expressions."""
        return type(self)(*(change(part) if isinstance(part, Expr) else part for part in self))


@dataclass(frozen=True)
class Divides(_Statement):
    """``dividend % divisor == 0``."""

    divisor: Expr
    dividend: Expr

    def holds(self, evaluate: Evaluator) -> bool:
        """Return whether the remainder is 0."""
        return OPERATORS["%"](evaluate(self.dividend), evaluate(self.divisor)) == 0

    def decide(self, least: Least) -> bool | None:  # noqa: ARG002 - bounds say nothing of remainders
        """Return True where the quotient is an integer, False where it is a fraction, else None."""
        quotient = self.dividend / self.divisor
        if quotient.is_Rational:
            return bool(quotient.is_Integer)
        return True if is_whole(quotient) else None

    def shown(self, show: "PythonText") -> str:
        """``32 % g == 0``."""
        return f"{show.factor(settled(self.dividend))} % {show.factor(self.divisor)} == 0"


@dataclass(frozen=True)
class AtLeast(_Statement):
    """``expression >= bound``, for a number ``bound``."""

    expression: Expr
    bound: Rational

    def holds(self, evaluate: Evaluator) -> bool:
        """Return whether the value reaches the bound."""
        return evaluate(self.expression) >= self.bound

    def decide(self, least: Least) -> bool | None:
        """Return True or False where a number or a lower bound decides, else None."""
        if self.expression.is_Rational:
            return bool(self.expression >= self.bound)
        if self.bound <= 1 and is_whole(self.expression) and is_positive(self.expression):
            return True
        bottom = lower_bound(self.expression, least)
        if bottom is not None and bottom >= self.bound:
            return True
        return self._by_branches(least)

    def _by_branches(self, least: Least) -> bool | None:
        """``max(a, b) + x`` reaches a bound that one branch reaches; a ``min``, that both do."""
        for term in Add.make_args(self.expression):
            if isinstance(term, Extremum):
                rest = self.expression - term
                truths = (AtLeast(rest + arg, self.bound).decide(least) for arg in term.args)
                reached = any(truths) if isinstance(term, Maximum) else all(truths)
                return True if reached else None
        return None

    def shown(self, show: "PythonText") -> str:
        """``h >= 63``, or ``context >= t``: no sign on the left."""
        terms = Add.make_args(self.expression)
        over = [term for term in terms if not term.could_extract_minus_sign()]
        if not over:
            return f"{exact(-self.bound)} >= {show(-Add(*terms))}"
        if len(over) == len(terms) or self.bound.denominator != 1:
            return f"{show(Add(*terms))} >= {self.bound}"
        return f"{show(Add(*over))} >= {show(Add(*over) - Add(*terms) + exact(self.bound))}"


@dataclass(frozen=True)
class Equal(_Statement):
    """``left == right``."""

    left: Expr
    right: Expr

    def holds(self, evaluate: Evaluator) -> bool:
        """Return whether both sides have the same value."""
        return evaluate(self.left) == evaluate(self.right)

    def decide(self, least: Least) -> bool | None:  # noqa: ARG002 - bounds say nothing of equality
        """Return True where the sides are equal, False where they differ by a number, else None."""
        difference = separated(self.left - self.right).expand()
        return bool(difference == 0) if difference.is_Rational else None

    def shown(self, show: "PythonText") -> str:
        """``a == b``."""
        return f"{show(self.left)} == {show(self.right)}"


Condition = Divides | AtLeast | Equal
"""A statement about the symbols: it ``holds`` at numbers, and may be decided without them."""


def condition_text(condition: Condition) -> str:
    """Return a condition as Python over integers; one of several alternatives as ``(a or b)``."""
    from costmodel.algebra.printing import PythonText

    parts = [part.shown(PythonText()) for part in alternatives(condition)]
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def alternatives(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions of which one must hold, as that there is no iteration.

    ``max(a, b) >= k`` is ``a >= k or b >= k``, and ``(x*min(1, r)) % m == 0`` is ``x % m == 0 or
    r <= 0``, for a number of turns r, which is never negative.
    """
    match condition:
        case AtLeast(Maximum() as largest, bound):
            return tuple(AtLeast(arg, bound) for arg in reversed(largest.args))
        case Divides(divisor, dividend):
            rest, runs = _without_steps(dividend)
            return (Divides(divisor, rest), *map(_none_of, runs))
        case Equal(left, right):
            sides = [_without_steps(side) for side in (left, right)]
            if sides[0][1] == sides[1][1] or 0 in (left, right):
                runs = sides[0][1] or sides[1][1]
                return (Equal(sides[0][0], sides[1][0]), *map(_none_of, runs))
    return (condition,)


def _without_steps(product: Expr) -> tuple[Expr, list[Expr]]:
    """Return a product without its factors ``min(1, r)``, and the r of each."""
    runs: dict[Expr, Expr] = {}
    for factor in Mul.make_args(product):
        if isinstance(factor, Minimum) and len(factor.args) == 2 and S.One in factor.args:
            runs[factor] = next(arg for arg in factor.args if arg is not S.One)
    rest = Mul(*(factor for factor in Mul.make_args(product) if factor not in runs))
    return rest, list(runs.values())


def _none_of(runs: Expr) -> AtLeast:
    """Return the condition that there is no iteration; ``x//q <= 0`` is ``x <= q − 1``."""
    if isinstance(runs, FloorDiv) and all(map(is_whole, runs.args)):
        x, q = runs.args
        return AtLeast(q - 1 - x, 0)
    return AtLeast(-runs, 0)


def whole_under(conditions: Iterable[Condition]) -> Whole:
    """Return a predicate: True for a product that is an integer where the conditions hold."""
    facts = [condition for condition in conditions if isinstance(condition, Divides)]

    def is_known(term: Expr) -> bool:
        return is_whole(term) or any(is_whole(term * f.divisor / f.dividend) for f in facts)

    return is_known


def sides(condition: Condition) -> Iterator[Expr]:
    """Yield the expressions of a condition."""
    return (side for side in condition if isinstance(side, Expr))

"""Conditions on the symbols under which a law holds: decided, reduced, checked, printed.

A condition answers True, False or None, "it depends"; what depends is printed with the result.
"""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import ceil, gcd, lcm
from typing import TYPE_CHECKING, NamedTuple

from sympy import Add, Expr, Integer, S, Symbol

from archspec.arithmetic import OPERATORS, Rational
from costmodel.algebra.bounds import Least, is_at_least, lower_bound
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Maximum,
    exact,
    is_positive,
    is_whole,
    plain,
    separated,
)
from costmodel.algebra.laws import settled

if TYPE_CHECKING:
    from costmodel.algebra.printing import PythonText


Change = Callable[[Expr], Expr]
"""What makes another expression of one."""


class Divides(NamedTuple):
    """``dividend % divisor == 0``."""

    divisor: Expr
    dividend: Expr

    def holds(self, evaluate: Evaluator) -> bool:
        """Whether the remainder is 0."""
        return OPERATORS["%"](evaluate(self.dividend), evaluate(self.divisor)) == 0

    def decide(self, least: Least) -> bool | None:  # noqa: ARG002 - bounds say nothing of remainders
        """True where the quotient is an integer, False where it is a fraction."""
        quotient = self.dividend / self.divisor
        if quotient.is_Rational:
            return bool(quotient.is_Integer)
        return True if is_whole(quotient) else None

    def mapped(self, change: Change) -> "Divides":
        """The same of changed expressions."""
        return Divides(change(self.divisor), change(self.dividend))

    def shown(self, names: Mapping[Symbol, Symbol], show: "PythonText") -> str:
        """``32 % g == 0``."""
        over, under = settled(self.dividend).xreplace(names), self.divisor.xreplace(names)
        return f"{show.factor(over)} % {show.factor(under)} == 0"


class AtLeast(NamedTuple):
    """``expression >= bound``, for a number ``bound``."""

    expression: Expr
    bound: Rational

    def holds(self, evaluate: Evaluator) -> bool:
        """Whether the value reaches the bound."""
        return evaluate(self.expression) >= self.bound

    def decide(self, least: Least) -> bool | None:
        """True or False where the expression is a number or its least value reaches the bound."""
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

    def mapped(self, change: Change) -> "AtLeast":
        """The same of a changed expression."""
        return AtLeast(change(self.expression), self.bound)

    def shown(self, names: Mapping[Symbol, Symbol], show: "PythonText") -> str:
        """``h >= 63``, or ``context >= t``: no sign on the left."""
        terms = Add.make_args(self.expression.xreplace(names))
        over = [term for term in terms if not term.could_extract_minus_sign()]
        if len(over) in (0, len(terms)) or self.bound.denominator != 1:
            return f"{show(Add(*terms))} >= {self.bound}"
        return f"{show(Add(*over))} >= {show(Add(*over) - Add(*terms) + exact(self.bound))}"


class Equal(NamedTuple):
    """``left == right``."""

    left: Expr
    right: Expr

    def holds(self, evaluate: Evaluator) -> bool:
        """Whether both sides have the same value."""
        return evaluate(self.left) == evaluate(self.right)

    def decide(self, least: Least) -> bool | None:  # noqa: ARG002 - bounds say nothing of equality
        """True where the sides are the same expression, False where they differ by a number."""
        difference = separated(self.left - self.right).expand()
        return bool(difference == 0) if difference.is_Rational else None

    def mapped(self, change: Change) -> "Equal":
        """The same of changed expressions."""
        return Equal(change(self.left), change(self.right))

    def shown(self, names: Mapping[Symbol, Symbol], show: "PythonText") -> str:
        """``a == b``."""
        return f"{show(self.left.xreplace(names))} == {show(self.right.xreplace(names))}"


Condition = Divides | AtLeast | Equal
"""A statement about the symbols: it ``holds`` at numbers, and may be decided without them."""


def condition_text(condition: Condition) -> str:
    """A condition as Python over integers."""
    from costmodel.algebra.printing import PythonText

    return condition.shown({}, PythonText())


def simplified(condition: Condition) -> Condition:
    """An equivalent condition on what stands under the floors."""
    if isinstance(condition, AtLeast):
        return _unfloored(condition)
    if isinstance(condition, Equal):
        return _as_multiple(condition)
    return _without_factor(condition)


def _without_factor(condition: Divides) -> Divides:
    """``m`` divides ``c·x`` where ``m/gcd(c, m)`` divides x, for integers."""
    factor, rest = condition.dividend.as_coeff_Mul()
    if rest is S.One or not (condition.divisor.is_Integer and factor.is_Integer and is_whole(rest)):
        return condition
    return Divides(condition.divisor / gcd(int(condition.divisor), int(factor)), rest)


def _as_multiple(condition: Equal) -> Condition:
    """``k·(x//(k·q)) == x//q`` says that k divides ``x//q``, for integers x, k, q."""
    for left, right in ((condition.left, condition.right), (condition.right, condition.left)):
        factor, floor = left.as_coeff_Mul()
        if not (isinstance(floor, FloorDiv) and factor.is_Integer and factor > 1):
            continue
        x, q = floor.args
        if is_whole(x) and q.is_Integer and FloorDiv(x, q / factor) == right:
            return Divides(factor, right)
    difference = Add.make_args((condition.left - condition.right).expand())
    left = Add(*(term for term in difference if not term.could_extract_minus_sign()))
    return Equal(left, left - Add(*difference))


def _unfloored(condition: AtLeast) -> AtLeast:
    """``x//q + k >= b`` means ``x >= q·(b − k)``; numbers and factors move to the right."""
    constant, rest = condition.expression.as_coeff_Add()
    bound = condition.bound - plain(constant)
    if isinstance(rest, FloorDiv) and rest.args[1].is_Integer:
        return _unfloored(AtLeast(rest.args[0], ceil(bound) * int(rest.args[1])))
    if isinstance(rest, FloorDiv) and is_whole(rest.args[1]) and is_positive(rest.args[1]):
        x, q = rest.args
        return _unfloored(AtLeast((x - q * ceil(bound)).expand(), 0))
    over, under = rest.as_numer_denom()
    if under.free_symbols and is_positive(under):
        return _unfloored(AtLeast((over - under * exact(bound)).expand(), 0))
    factor, core = rest.as_coeff_Mul()
    if factor > 0 and is_whole(core):
        bound = ceil(bound / Fraction(plain(factor)))
        if isinstance(core, FloorDiv) and core.args[1].is_Integer:
            return _unfloored(AtLeast(core, bound))
        return AtLeast(core, bound)
    return AtLeast(rest, bound)


def reduced(
    conditions: Iterable[Condition], least: Least, given: Iterable[Condition] = ()
) -> tuple[Condition, ...]:
    """The shortest equivalent set: what always holds is dropped, what implies another replaces it.

    ``96 % g`` and ``256 % g`` become ``32 % g``; ``h % 2`` and ``h % 16`` become ``h % 16``; of
    two lower bounds the larger stays.

    Args:
        conditions: what must hold.
        least: the smallest values of the symbols.
        given: what holds of the symbols anyway.
    """
    known = list(given)
    asked = [condition for condition in map(simplified, conditions) if not condition.decide(least)]
    found = [*known, *asked]
    while True:
        merged = _merged(found)
        found = [_without_floor(condition, merged) for condition in merged]
        if found == merged:
            needed = [c for c in merged if not (c in known or _is_implied(c, merged, least))]
            higher = raised(least, needed)
            needed = [c for c in needed if not _is_proved(c, higher)]
            return tuple(sorted(needed, key=_order))


def raised(least: Least, conditions: Iterable[Condition]) -> Least:
    """The smallest values of the symbols where the conditions hold."""
    bounds = (c for c in conditions if isinstance(c, AtLeast) and c.expression.is_Symbol)
    return {**least, **{c.expression: c.bound for c in bounds}}


def _is_proved(condition: Condition, least: Least) -> bool:
    """Whether a bound of more than a symbol follows from the symbols' smallest values."""
    if not isinstance(condition, AtLeast) or condition.expression.is_Symbol:
        return False
    return is_at_least(condition.expression, condition.bound, least)


def _is_implied(condition: Condition, known: Iterable[Condition], least: Least) -> bool:
    """A positive multiple of m is at least m; what is never less than a large one is large too."""
    if not isinstance(condition, AtLeast):
        return False
    others = [other for other in known if other is not condition]
    return any(
        _implies_multiple(other, condition)
        if isinstance(other, Divides)
        else isinstance(other, AtLeast) and _exceeds(condition, other, least)
        for other in others
    )


def _implies_multiple(known: Divides, condition: AtLeast) -> bool:
    if not is_positive(known.dividend):
        return False
    if known.dividend - known.divisor == condition.expression:
        return condition.bound <= 0
    same = known.dividend == condition.expression and known.divisor.is_Integer
    return same and bool(known.divisor >= condition.bound)


def _exceeds(condition: AtLeast, known: AtLeast, least: Least) -> bool:
    """Whether the expression is that of the known bound and something that is enough more."""
    more = condition.expression - known.expression
    return is_at_least(more, condition.bound - known.bound, least)


def _merged(conditions: Iterable[Condition]) -> list[Condition]:
    merged: dict[tuple[str, Expr], Condition] = {}
    for condition in conditions:
        key = _subject(condition)
        merged[key] = _both(merged[key], condition) if key in merged else condition
    return list(merged.values())


def _without_floor(condition: Condition, known: Iterable[Condition]) -> Condition:
    """``k | x//q`` is ``k·q | x`` where ``q | x`` is known: the floor cuts nothing off."""
    match condition:
        case Divides(k, FloorDiv() as floor) if k.is_Integer:
            x, q = floor.args
            for other in known:
                if isinstance(other, Divides) and other.dividend == x and _divides(q, other):
                    return Divides(k * q, x)
    return condition


def _divides(q: Expr, known: Divides) -> bool:
    return bool(q.is_Integer and known.divisor.is_Integer and known.divisor % q == 0)


def _subject(condition: Condition) -> tuple[str, Expr]:
    """Two conditions with the same subject can be said as one."""
    match condition:
        case Divides(divisor, dividend) if dividend.is_Integer:
            return "divisor", divisor
        case Divides(divisor, dividend) if divisor.is_Integer:
            return "multiple", dividend
        case AtLeast(expression, _):
            return "bound", expression
    return "itself", Symbol(condition_text(condition))


def _both(first: Condition, second: Condition) -> Condition:
    match first, second:
        case Divides(divisor, a), Divides(_, b) if a.is_Integer and b.is_Integer:
            return Divides(divisor, Integer(gcd(int(a), int(b))))
        case Divides(a, dividend), Divides(b, _) if a.is_Integer and b.is_Integer:
            return Divides(Integer(lcm(int(a), int(b))), dividend)
        case AtLeast(expression, a), AtLeast(_, b):
            return AtLeast(expression, max(a, b))
    return first


def _order(condition: Condition) -> tuple[bool, str]:
    return isinstance(condition, AtLeast), condition_text(condition)


def whole_under(conditions: Iterable[Condition]) -> "WholeUnder":
    """Whether a product is an integer, given that the conditions hold."""
    return WholeUnder([c for c in conditions if isinstance(c, Divides)])


class WholeUnder:
    """The predicate of `whole_under`: a condition says that the divisor divides a factor."""

    def __init__(self, facts: list[Divides]) -> None:
        self.facts = facts

    def __call__(self, term: Expr) -> bool:
        """True where the term is known to be an integer."""
        if is_whole(term):
            return True
        return any(is_whole(term * f.divisor / f.dividend) for f in self.facts)

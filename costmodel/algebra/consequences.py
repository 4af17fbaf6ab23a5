"""Consequences of conditions that hold: bounds, decided extrema, floors that are exact."""

from collections.abc import Iterable, Iterator
from math import ceil
from typing import NamedTuple

from sympy import Add, Expr, S, Symbol

from archspec.arithmetic import Rational
from costmodel.algebra.bounds import Least, is_at_least, is_positive, lower_bound
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, sides
from costmodel.algebra.functions import Extremum, FloorDiv, Maximum, exact, floor_div, is_whole


class Inequality(NamedTuple):
    """An expression that is never negative, or is 0.

    Attributes:
        expression: the expression.
        is_zero: whether it is 0.
    """

    expression: Expr
    is_zero: bool


def facts_of(condition: Condition, least: Least) -> Iterator[Inequality]:
    """Yield the inequalities that a condition states; a positive multiple of q is at least q."""
    match condition:
        case AtLeast(expression, bound):
            yield Inequality(expression - exact(bound), is_zero=False)
        case Equal(left, right):
            yield Inequality(left - right, is_zero=True)
            yield from _facts_of_floors(left - right, least)
        case Divides(divisor, dividend) if is_positive(divisor):
            if is_positive(dividend) or (lower_bound(dividend, least) or 0) > 0:
                yield Inequality(dividend - divisor, is_zero=False)


def _facts_of_floors(difference: Expr, least: Least) -> Iterator[Inequality]:
    """Yield ``x >= k·q`` for each ``x//q`` that equals something of at least k."""
    for term in Add.make_args(difference):
        factor, floor = term.as_coeff_Mul()
        if isinstance(floor, FloorDiv) and is_positive(floor.args[1]):
            bottom = lower_bound((term - difference) / factor, least)
            if bottom is not None:
                x, q = floor.args
                yield Inequality(x - q * ceil(bottom), is_zero=False)


def is_at_least_where(
    expression: Expr, bound: Rational, least: Least, conditions: Iterable[Condition]
) -> bool:
    """Return whether a bound is proved where conditions hold, each of which is used by itself.

    With ``f >= 0`` an expression is at least ``e − k·f`` for every positive k; one is tried for
    each term that both have.

    Args:
        expression: what is to be at least the bound.
        bound: the bound.
        least: the smallest values of the symbols.
        conditions: what holds.
    """
    if is_at_least(expression, bound, least):
        return True
    facts = (fact for condition in conditions for fact in facts_of(condition, least))
    return any(
        is_at_least(lower, bound, least) for fact in facts for lower in _below(expression, fact)
    )


def _below(expression: Expr, fact: Inequality) -> Iterator[Expr]:
    """Yield lower bounds of an expression where a fact holds, each without a term of both."""
    mine, theirs = _terms(expression), _terms(fact.expression)
    for rest in mine.keys() & theirs.keys() - {S.One}:
        factor = mine[rest] / theirs[rest]
        if factor > 0 or fact.is_zero:
            yield (expression - factor * fact.expression).expand()


def _terms(expression: Expr) -> dict[Expr, Expr]:
    """Return the coefficient of each term of a sum."""
    terms = (term.as_coeff_Mul() for term in Add.make_args(expression))
    return {rest: factor for factor, rest in terms}


def decided_extrema(expression: Expr, least: Least, conditions: Iterable[Condition]) -> Expr:
    """Return an expression, its extrema without the arguments that are proved never to be it."""
    known = tuple(conditions)
    found = {e: _decided(e, least, known) for e in expression.atoms(Extremum)}
    return expression.xreplace({e: kept for e, kept in found.items() if kept != e})


def _decided(extremum: Extremum, least: Least, conditions: tuple[Condition, ...]) -> Expr:
    kept = list(extremum.args)
    for arg in extremum.args:
        others = [other for other in kept if other is not arg]
        ahead = (extremum.sign * (other - arg) for other in others)
        if any(is_at_least_where(more, 0, least, conditions) for more in ahead):
            kept = others
    return extremum.func(*kept)


def reached_branches(condition: AtLeast, least: Least, conditions: Iterable[Condition]) -> AtLeast:
    """``max(a, b) >= k`` without the branches that are proved never to reach k."""
    known = tuple(conditions)
    if not isinstance(condition.expression, Maximum):
        return condition
    short = {arg: exact(condition.bound) - arg for arg in condition.expression.args}
    kept = [arg for arg, missing in short.items() if not _is_more_than_0(missing, least, known)]
    return AtLeast(Maximum(*kept), condition.bound) if kept else condition


def _is_more_than_0(expression: Expr, least: Least, conditions: tuple[Condition, ...]) -> bool:
    bottom = lower_bound(expression, least)
    if bottom is not None and bottom > 0:
        return True
    return is_whole(expression) and is_at_least_where(expression, 1, least, conditions)


def with_exact_floors(condition: Condition, known: Divides) -> Condition:
    """Return a condition with fewer floors, given what divides a known dividend.

    Where m divides x, ``(x + r)//q`` is ``x/q + r//q`` for a q that divides m. Where m divides
    ``s + r``, s is ``m·k − r``, and k is put back as ``(s + r)/m``.
    """
    floors = _floors(condition)
    exact_ones = {floor: _exact_floor(floor, known) for floor in floors}
    changed = condition.mapped(lambda e: e.xreplace(exact_ones).expand())
    condition = changed if len(_floors(changed)) < len(floors) else condition
    solved = _solved(known)
    if solved is None:
        return condition
    name, value, quotient, multiple = solved
    changed = condition.mapped(lambda e: e.subs(name, value).expand())
    if len(_floors(changed)) >= len(_floors(condition)):
        return condition
    return changed.mapped(lambda e: e.subs(quotient, multiple).expand())


def _exact_floor(floor: Expr, known: Divides) -> Expr:
    """Return a floor as a quotient plus a number, if its argument is a known multiple."""
    (x, q), (multiple, dividend) = floor.args, known
    rest = x - dividend
    if not (rest.is_Integer and is_whole(multiple / q) and is_positive(q)):
        return floor
    return dividend / q + floor_div(rest, q)


def _solved(known: Divides) -> tuple[Symbol, Expr, Symbol, Expr] | None:
    """Return a symbol of the dividend and its value, the quotient's symbol and its value."""
    if not known.divisor.is_Integer or known.dividend.has(FloorDiv):
        return None
    for factor, name in (term.as_coeff_Mul() for term in Add.make_args(known.dividend)):
        rest = known.dividend - factor * name
        if name.is_Symbol and name.is_integer and abs(factor) == 1 and not rest.has(name):
            quotient = Symbol(f"({known.dividend})/{known.divisor}", integer=True)
            value = factor * (known.divisor * quotient - rest)
            return name, value, quotient, known.dividend / known.divisor
    return None


def _floors(condition: Condition) -> set[Expr]:
    return set().union(*(side.atoms(FloorDiv) for side in sides(condition)))

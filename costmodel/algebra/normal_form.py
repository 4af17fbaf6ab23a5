"""Sums that a person can read: one term per resolution, every quotient an integer."""

from collections.abc import Callable, Iterable

from sympy import Add, Expr, Mul, Pow, S, Symbol
from sympy.core.numbers import Rational

from costmodel.algebra.functions import (
    Operation,
    Quotient,
    ceiling_sign,
    floors_in,
    is_whole,
    symbols_in,
)

Whole = Callable[[Expr], bool]
"""A predicate: True for an expression that is known to be an integer."""


def grouped(expression: Expr, whole: Whole = is_whole) -> Expr:
    """Return a sum by resolution, its quotients settled (see `by_resolution` and `settled`)."""
    return settled(by_resolution(expression), whole)


def by_resolution(
    expression: Expr,
    extents: frozenset[Symbol] | None = None,
    depths: frozenset[Symbol] = frozenset(),
) -> Expr:
    """Return a sum with one term per resolution, common powers of symbols in front.

    Within a term, what the turns of a repeat add stands together: ``L*(13*d + 12*d**2)``; there no
    power of d is taken out of another, so that the sum is read as the parts are.

    A resolution is a product of spatial sizes: floors, and the integer symbols that stand under a
    floor; a real one, as a width multiplier, is none.

    Args:
        expression: the sum.
        extents: the symbols that may be spatial, as those of the inputs' shapes; else all.
        depths: the symbols that say how often a body is repeated.
    """
    if not expression.is_Add:
        return expression
    spatial = _spatial_symbols(expression)
    spatial = spatial if extents is None else spatial & extents
    coefficients: dict[Expr, list[Expr]] = {}
    for term in expression.args:
        resolution, coefficient = _split(term, lambda f: bool(symbols_in(f) & spatial))
        coefficients.setdefault(resolution, []).append(coefficient)
    common = _common_powers(coefficients.values(), same=bool(depths))
    terms = [Mul(r, _by_turns(c, common, depths)) for r, c in coefficients.items()]
    return Add(*terms) if common is S.One else Mul(common, Add(*terms))


def _by_turns(parts: Iterable[Expr], common: Expr, depths: frozenset[Symbol]) -> Expr:
    """Return the sum of the parts without their common factor, grouped by how often each runs."""
    groups: dict[Expr, list[Expr]] = {}
    for part in parts:
        part = part if common is S.One else part / common
        turns, rest = _split(part, lambda f: frozenset() < symbols_in(f) <= depths)
        sign = ceiling_sign(turns)
        groups.setdefault(sign * turns, []).append(sign * rest)
    return Add(*(Mul(turns, Add(*rests)) for turns, rests in groups.items()))


def _spatial_symbols(expression: Expr) -> frozenset[Symbol]:
    floors = floors_in(expression)
    symbols = frozenset[Symbol]().union(*(floor.args[0].free_symbols for floor in floors))
    return frozenset(s for s in symbols if s.is_integer)


def _split(term: Expr, wanted: Callable[[Expr], bool]) -> tuple[Expr, Expr]:
    """Return a term as the product of the factors that are wanted, and of the others."""
    chosen: list[Expr] = []
    others: list[Expr] = []
    for factor in Mul.make_args(term):
        (chosen if wanted(factor) else others).append(factor)
    if not (chosen and others):
        return (term, S.One) if chosen else (S.One, term)
    return Mul(*chosen), Mul(*others)


def _common_powers(coefficients: Iterable[list[Expr]], *, same: bool) -> Expr:
    """Return the powers of symbols that all parts share: the smallest, or equal ones only."""
    shared: dict[Expr, Expr] | None = None
    for parts in coefficients:
        for part in parts:
            powers = dict(factor.as_base_exp() for factor in Mul.make_args(part))
            known = powers if shared is None else shared
            shared = {
                base: min(known[base], powers[base])
                for base in known.keys() & powers.keys()
                if known[base] == powers[base] or not same
            }
    found = (shared or {}).items()
    return Mul(*(base**e for base, e in found if base.is_Symbol and e.is_Integer and e > 0))


def settled(expression: Expr, whole: Whole = is_whole) -> Expr:
    """Return the same integer with every quotient a `Quotient` that is exact by itself.

    A quotient that ``whole`` confirms stands alone; the others are put over one denominator,
    since only their sum is known to be an integer.
    """
    if not _has_quotient(expression):
        return expression
    if expression.is_Mul and all(_is_settled(factor, whole) for factor in expression.args):
        return Mul(*(settled(factor, whole) for factor in expression.args))
    terms = Add.make_args(expression)
    firm = [_firm(term, whole) for term in terms if _is_settled(term, whole)]
    loose = Add(*(term for term in terms if not _is_settled(term, whole)))
    over, under = loose.as_numer_denom()
    return Add(*firm, loose if under is S.One else _reduced(over, under))


def unfloored(expression: Expr, whole: Whole, *, of_quotients: bool = False) -> Expr:
    """Return an expression with ``x/q`` for every ``x//q`` that is known to be exact.

    Args:
        expression: what has floors.
        whole: what is known to be an integer.
        of_quotients: whether only those floors are meant whose ``x`` is no integer by its form.
    """
    floors = (f for f in floors_in(expression) if not (of_quotients and is_whole(f.args[0])))
    quotients = {floor: floor.args[0] / floor.args[1] for floor in floors}
    return expression.xreplace({floor: q for floor, q in quotients.items() if whole(q)})


def _reduced(over: Expr, under: Expr) -> Expr:
    """Return a quotient without the numbers that both sides share."""
    content, rest = over.as_content_primitive()
    number, divisor = under.as_coeff_Mul()
    shared = content / number
    if not (shared.is_Rational and shared > 0) or shared.q == number:
        return Quotient(over, under)
    over, under = Mul(shared.p, rest), shared.q * divisor
    return over if under is S.One else Quotient(over, under)


def _has_quotient(expression: Expr) -> bool:
    if expression.is_Add or expression.is_Mul:
        return any(map(_has_quotient, expression.args))
    if isinstance(expression, Rational):
        return bool(expression.q != 1)
    return isinstance(expression, Pow) and bool(expression.exp.could_extract_minus_sign())


def _is_settled(expression: Expr, whole: Whole) -> bool:
    """Return whether an expression is an integer, as its terms or its factors are."""
    if not _has_quotient(expression) or isinstance(expression, Operation) or whole(expression):
        return True
    parts = expression.args if expression.is_Add or expression.is_Mul else ()
    return bool(parts) and all(_is_settled(part, whole) for part in parts)


def _firm(term: Expr, whole: Whole) -> Expr:
    if not _has_quotient(term):
        return term
    if whole(term):
        over, under = term.as_numer_denom()
        if under is S.One:
            return term
        sign = ceiling_sign(over) * (-1 if over.as_coeff_Mul()[0].is_negative else 1)
        return sign * Quotient(sign * over, under)
    return settled(term, whole)

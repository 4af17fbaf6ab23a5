"""Sums and maxima that are read at a glance: one term per resolution, what is shared in front.

Every quotient is an integer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from itertools import chain
from math import gcd, prod
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul, Pow, S, Symbol
from sympy.core.numbers import Rational

from costmodel.algebra.bounds import MAX_EXPANDED, count_terms
from costmodel.algebra.functions import (
    Maximum,
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
    power of d is taken out of another. A resolution is a product of spatial sizes: floors, and the
    integer symbols that stand under a floor; a real one, as a width multiplier, is none.

    Args:
        expression: the sum.
        extents: the symbols that may be spatial, as those of the inputs' shapes; else all.
        depths: the symbols that say how often a body is repeated.
    """
    if not expression.is_Add:
        return expression
    floored = (symbols_in(floor.args[0]) for floor in floors_in(expression))
    spatial = {symbol for symbol in chain(*floored) if symbol.is_integer}
    spatial = spatial if extents is None else spatial & extents
    coefficients: dict[Expr, list[Expr]] = {}
    for term in expression.args:
        resolution, coefficient = _split(term, lambda f: not spatial.isdisjoint(symbols_in(f)))
        coefficients.setdefault(resolution, []).append(coefficient)
    common = _common_powers(coefficients.values(), same=bool(depths))
    terms = [Mul(r, _by_runs(c, common, depths)) for r, c in coefficients.items()]
    return Add(*terms) if common is S.One else Mul(common, Add(*terms))


def _by_runs(parts: Iterable[Expr], common: Expr, depths: frozenset[Symbol]) -> Expr:
    """Return the sum of the parts without their common factor, grouped by how often each runs."""
    groups: dict[Expr, list[Expr]] = {}
    for part in parts:
        part = part if common is S.One else part / common
        runs, rest = _split(part, lambda f: frozenset() < symbols_in(f) <= depths)
        sign = ceiling_sign(runs)
        groups.setdefault(sign * runs, []).append(sign * rest)
    return Add(*(Mul(runs, Add(*rests)) for runs, rests in groups.items()))


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
    if not has_quotient(expression):
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


def has_quotient(expression: Expr) -> bool:
    """Return whether an expression is a fraction, or a power below 0, or has one as a part."""
    if expression.is_Add or expression.is_Mul:
        return any(map(has_quotient, expression.args))
    if isinstance(expression, Rational):
        return bool(expression.q != 1)
    return isinstance(expression, Pow) and bool(expression.exp.could_extract_minus_sign())


def _is_settled(expression: Expr, whole: Whole) -> bool:
    """Return whether an expression is an integer, as its terms or its factors are."""
    if not has_quotient(expression) or isinstance(expression, Operation) or whole(expression):
        return True
    parts = expression.args if expression.is_Add or expression.is_Mul else ()
    return bool(parts) and all(_is_settled(part, whole) for part in parts)


def _firm(term: Expr, whole: Whole) -> Expr:
    if not has_quotient(term):
        return term
    if whole(term):
        over, under = term.as_numer_denom()
        if under is S.One:
            return term
        sign = ceiling_sign(over) * (-1 if over.as_coeff_Mul()[0].is_negative else 1)
        return sign * Quotient(sign * over, under)
    return settled(term, whole)


MAX_GATHERED = 200
"""The most terms of a sum that are put together by what they share; nobody reads a longer one."""


class CommonFactor(NamedTuple):
    """The common factor of some terms: a positive integer, and factors with their exponents."""

    number: int
    powers: dict[Expr, int]

    def met(self, other: "CommonFactor") -> "CommonFactor":
        """Return the greatest common factor of two of them."""
        bases = self.powers.keys() & other.powers.keys()
        powers = {base: min(self.powers[base], other.powers[base]) for base in bases}
        return CommonFactor(gcd(self.number, other.number), powers)

    @property
    def product(self) -> Expr:
        """All of it together."""
        return Mul(Integer(self.number), *(base**e for base, e in self.powers.items()))


def factored(form: Expr, whole: Whole = is_whole) -> Expr:
    """Return the same law with what the terms of a maximum share in front of it.

    ``max(4·n·a + 4·n·b, 8·n·a) = 4·n·max(a + b, 2·a)``: a number and symbols, which are positive.
    In each term what its own parts share stands in front, too. A symbol that makes a quotient an
    integer stays beside it.

    Args:
        form: a count.
        whole: what is known to be an integer.
    """
    if not isinstance(form, Maximum):
        return form
    shared = reduce(CommonFactor.met, map(_common, form.args))
    outside = CommonFactor(shared.number, {})
    for base in sorted(shared.powers, key=str):
        more = CommonFactor(shared.number, {**outside.powers, base: shared.powers[base]})
        if base.is_positive and all(_is_whole(_divided(term, more), whole) for term in form.args):
            outside = more
    rests = [_divided(term, outside) for term in form.args]
    owns = map(_common, rests)
    split = (own.product * _divided(rest, own) for own, rest in zip(owns, rests, strict=True))
    return outside.product * Maximum(*split)


def _is_whole(term: Expr, whole: Whole) -> bool:
    """Return whether every part of a sum is an integer, after its products are multiplied out."""
    if is_whole(term):
        return True
    return count_terms(term, {}) <= MAX_EXPANDED and all(map(whole, Add.make_args(term.expand())))


def tight(form: Expr) -> Expr:
    """Return the same law with what the terms of each sum in it share in front of them."""
    factors: list[Expr] = []
    for factor in Mul.make_args(form):
        if factor.is_Add:
            own = _common(factor)
            sign = ceiling_sign(own.product)
            factors.append(sign * own.product)
            factor = _gathered([sign * _divided(term, own) for term in factor.args])
        factors.append(factor)
    return Mul(*factors)


def _gathered(terms: Sequence[Expr]) -> Expr:
    """Return a sum, the terms that share the most frequent factor put together first."""
    counts = Counter(base for term in terms for base in _common(term).powers)
    count = max(counts.values(), default=0)
    if count < 2 or count == len(terms) or len(terms) > MAX_GATHERED:
        return Add(*map(tight, terms))
    base = min((base for base, times in counts.items() if times == count), key=str)
    shared = [term for term in terms if base in _common(term).powers]
    others = [term for term in terms if base not in _common(term).powers]
    return tight(Add(*shared)) + _gathered(others)


@lru_cache(maxsize=10_000)
def _common(expression: Expr) -> CommonFactor:
    """Return the number and the factors that all parts of an expression share."""
    if expression.is_Integer and expression:
        return CommonFactor(abs(int(expression)), {})
    if expression.is_Add:
        return reduce(CommonFactor.met, map(_common, expression.args))
    if expression.is_Mul:
        parts = [_common(arg) for arg in expression.args]
        powers = sum((Counter(part.powers) for part in parts), Counter[Expr]())
        return CommonFactor(prod(part.number for part in parts), dict(powers))
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        return CommonFactor(1, {expression.base: int(expression.exp)})
    return CommonFactor(1, {} if expression.is_Rational else {expression: 1})


def _divided(expression: Expr, common: CommonFactor) -> Expr:
    """Return an expression divided by a common factor, taken from factors first, then from sums."""
    if expression.is_Add:
        return Add(*(_divided(part, common) for part in expression.args))
    factors = sorted(Mul.make_args(expression), key=lambda factor: bool(factor.is_Add))
    rest: list[Expr] = []
    for factor in factors:
        taken = _common(factor).met(common)
        rest.append(_divided(factor, taken) if factor.is_Add else factor / taken.product)
        left = Counter(common.powers) - Counter(taken.powers)
        common = CommonFactor(common.number // taken.number, dict(left))
    return Mul(*rest)

"""Maxima in a form that is read at a glance: what all terms share stands once, in front."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, reduce
from math import gcd
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul

from costmodel.algebra.bounds import MAX_EXPANDED, count_terms
from costmodel.algebra.functions import Maximum, ceiling_sign, is_whole
from costmodel.algebra.normal_form import Whole

MAX_GATHERED = 200
"""The most terms of a sum that are put together by what they share; nobody reads a longer one."""


class Common(NamedTuple):
    """The common factor of some terms: a positive integer, and factors with their exponents."""

    number: int
    powers: dict[Expr, int]

    def met(self, other: "Common") -> "Common":
        """Return the greatest common factor of two of them."""
        bases = self.powers.keys() & other.powers.keys()
        powers = {base: min(self.powers[base], other.powers[base]) for base in bases}
        return Common(gcd(self.number, other.number), powers)

    @property
    def product(self) -> Expr:
        """All of it together."""
        return Mul(Integer(self.number), *(base**e for base, e in self.powers.items()))


def factored(law: Expr, whole: Whole = is_whole) -> Expr:
    """Return the same law with what the terms of a maximum share in front of it.

    ``max(4·n·a + 4·n·b, 8·n·a) = 4·n·max(a + b, 2·a)``: a number and symbols, which are positive.
    In each term what its own parts share stands in front, too. A symbol that makes a quotient an
    integer stays beside it.

    Args:
        law: a count.
        whole: what is known to be an integer.
    """
    if not isinstance(law, Maximum):
        return law
    shared = reduce(Common.met, map(_common, law.args))
    outside = Common(shared.number, {})
    for base in sorted(shared.powers, key=str):
        more = Common(shared.number, {**outside.powers, base: shared.powers[base]})
        if base.is_positive and all(_is_whole(_divided(term, more), whole) for term in law.args):
            outside = more
    return outside.product * Maximum(*(_split(_divided(term, outside)) for term in law.args))


def _is_whole(term: Expr, whole: Whole) -> bool:
    """Return whether every part of a sum is an integer, after its products are multiplied out."""
    if is_whole(term):
        return True
    return count_terms(term, {}) <= MAX_EXPANDED and all(map(whole, Add.make_args(term.expand())))


def tight(law: Expr) -> Expr:
    """Return the same law with what the terms of each sum in it share in front of them."""
    return Mul(*_tight_factors(law))


def _tight_factors(law: Expr) -> Iterator[Expr]:
    """Yield the factors of a law, each sum without what its terms share."""
    for factor in Mul.make_args(law):
        if factor.is_Add:
            own = _common(factor)
            sign = ceiling_sign(own.product)
            yield sign * own.product
            yield _gathered([sign * _divided(term, own) for term in factor.args])
        else:
            yield factor


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


def _split(term: Expr) -> Expr:
    """Return a sum as the common factor of its parts times the rest."""
    own = _common(term)
    return own.product * _divided(term, own)


@lru_cache(maxsize=10_000)
def _common(expression: Expr) -> Common:
    """Return the number and the factors that all parts of an expression share."""
    if expression.is_Integer and expression:
        return Common(abs(int(expression)), {})
    if expression.is_Add:
        return reduce(Common.met, map(_common, expression.args))
    if expression.is_Mul:
        return _together(map(_common, expression.args))
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        return Common(1, {expression.base: int(expression.exp)})
    return Common(1, {} if expression.is_Rational else {expression: 1})


def _together(parts: Iterable[Common]) -> Common:
    number, powers = 1, dict[Expr, int]()
    for part in parts:
        number *= part.number
        for base, exponent in part.powers.items():
            powers[base] = powers.get(base, 0) + exponent
    return Common(number, powers)


def _divided(expression: Expr, common: Common) -> Expr:
    """Return an expression divided by a common factor, taken from factors first, then from sums."""
    if expression.is_Add:
        return Add(*(_divided(part, common) for part in expression.args))
    factors = sorted(Mul.make_args(expression), key=lambda factor: bool(factor.is_Add))
    rest: list[Expr] = []
    for factor in factors:
        taken = _common(factor).met(common)
        rest.append(_divided(factor, taken) if factor.is_Add else factor / taken.product)
        common = _without(common, taken)
    return Mul(*rest)


def _without(common: Common, taken: Common) -> Common:
    """Return a common factor divided by another that divides it."""
    powers = {base: e - taken.powers.get(base, 0) for base, e in common.powers.items()}
    return Common(common.number // taken.number, {base: e for base, e in powers.items() if e})

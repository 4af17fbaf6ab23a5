"""Sums that a person can read: one term per resolution, every quotient an integer."""

from collections.abc import Callable, Iterable

from sympy import Add, Expr, Integer, Mul, S, Symbol
from sympy.core.numbers import Rational

from costmodel.algebra.functions import FloorDiv, is_whole

Whole = Callable[[Expr], bool]
"""Whether a product is known to be an integer."""


def grouped(expression: Expr, whole: Whole = is_whole) -> Expr:
    """The same sum with one term per resolution and the factors that all terms share in front.

    A resolution is a product of spatial sizes: floors, and the symbols that stand under a floor.
    Terms whose quotients ``whole`` does not confirm are put over one denominator, so that every
    printed quotient is exact.
    """
    if not expression.is_Add:
        return expression
    spatial = _spatial_symbols(expression)
    coefficients: dict[Expr, list[Expr]] = {}
    for term in expression.args:
        resolution, coefficient = _split(term, spatial)
        coefficients.setdefault(resolution, []).append(coefficient)
    common = _common_symbols(coefficients.values())
    terms: list[Expr] = []
    for resolution, parts in coefficients.items():
        terms += _exact_terms(Add(*(part / common for part in parts)), resolution, whole)
    return Mul(common, Add(*terms))


def _spatial_symbols(expression: Expr) -> frozenset[Symbol]:
    floors = expression.atoms(FloorDiv)
    return frozenset().union(*(floor.args[0].free_symbols for floor in floors))


def _split(term: Expr, spatial: frozenset[Symbol]) -> tuple[Expr, Expr]:
    """A term as resolution × coefficient."""
    resolution: list[Expr] = []
    coefficient: list[Expr] = []
    for factor in Mul.make_args(term):
        (resolution if factor.free_symbols & spatial else coefficient).append(factor)
    return Mul(*resolution), Mul(*coefficient)


def _common_symbols(coefficients: Iterable[list[Expr]]) -> Expr:
    shared: set[Expr] | None = None
    for parts in coefficients:
        for part in parts:
            symbols = {factor for factor in Mul.make_args(part) if factor.is_Symbol}
            shared = symbols if shared is None else shared & symbols
    return Mul(*sorted(shared or (), key=lambda s: s.name))


def _exact_terms(coefficient: Expr, resolution: Expr, whole: Whole) -> list[Expr]:
    """``coefficient·resolution`` as terms of which each is an integer."""
    parts = Add.make_args(coefficient)
    loose = [part for part in parts if not whole(part)]
    if len(loose) < 2:
        return [Mul(coefficient, resolution)]
    denominator = _common_denominator(loose)
    joined = Mul(Add(*(part * denominator for part in loose)), 1 / denominator, evaluate=False)
    return [Mul(Add(*(p for p in parts if p not in loose)), resolution), joined * resolution]


def _common_denominator(parts: Iterable[Expr]) -> Expr:
    numbers, symbols = S.One, set()
    for part in parts:
        for factor in Mul.make_args(part):
            base, exponent = factor.as_base_exp()
            if isinstance(factor, Rational):
                numbers = Integer(numbers).lcm(Integer(factor.q))
            elif exponent.is_negative:
                symbols.add((base, -exponent))
    return Mul(numbers, *(base**exponent for base, exponent in symbols))

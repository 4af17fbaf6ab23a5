"""Maxima of sums: what another term provably dominates is dropped, the rest stays a maximum."""

from collections.abc import Sequence

from sympy import Expr, Poly, PolynomialError

from costmodel.algebra.conditions import Least
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import FloorDiv, Maximum, exact, is_whole


def maximum(terms: Sequence[Expr], least: Least, usual: Evaluator) -> Expr:
    """The maximum of some terms without those that can never be it.

    The term that is largest at usual values is tried against every other first; only a proof
    drops a term.

    Args:
        terms: expressions that are not negative.
        least: the smallest values of the symbols, conditions included.
        usual: gives the usual values.
    """
    ordered = sorted(set(terms), key=lambda term: (-usual(term), term.sort_key()))
    kept: list[Expr] = []
    for term in ordered:
        if not any(dominates(other, term, least) for other in kept):
            kept.append(term)
    return Maximum(*kept) if len(kept) > 1 else kept[0]


def dominates(large: Expr, small: Expr, least: Least) -> bool:
    """Whether ``large >= small`` is proved for all symbols of at least ``least``.

    Each floor is bounded by a fraction, ``(x − q + 1)/q <= x//q <= x/q`` for an integer x; a
    polynomial whose coefficients at the smallest values are all at least 0 is never negative
    above them (its Taylor expansion there has no minus).
    """
    lower = _bounded(large, least, below=True)
    upper = _bounded(small, least, below=False)
    return lower is not None and upper is not None and _never_negative(lower - upper, least)


def _bounded(expression: Expr, least: Least, *, below: bool) -> Expr | None:
    """A polynomial below or above an expression that grows with its floors, if there is one."""
    if any(term.as_coeff_Mul()[0].is_negative for term in expression.expand().as_ordered_terms()):
        return None
    floors = expression.atoms(FloorDiv)
    bounds = {}
    for floor in floors:
        x, q = floor.args
        if not (is_whole(x) and q.is_Integer) or x.has(FloorDiv):
            return None
        bounds[floor] = (x - q + 1) / q if below else x / q
        if below and not _never_negative(bounds[floor], least):
            bounds[floor] = 0 * q
    return expression.xreplace(bounds)


def _never_negative(expression: Expr, least: Least) -> bool:
    symbols = sorted(expression.free_symbols, key=lambda s: s.name)
    if not symbols:
        return bool(expression >= 0)
    if any(s not in least for s in symbols):
        return False
    shifted = expression.subs({s: s + exact(least[s]) for s in symbols}, simultaneous=True)
    try:
        return all(c >= 0 for c in Poly(shifted, *symbols).coeffs())
    except PolynomialError:
        return False

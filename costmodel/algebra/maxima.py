"""Maxima of sums: what another term provably dominates is dropped, the rest stays a maximum."""

from collections.abc import Mapping, Sequence

from sympy import Add, Dummy, Expr, Poly, PolynomialError, S, Symbol

from costmodel.algebra.conditions import Least, lower_bound
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import FloorDiv, Maximum, Minimum, Operation, exact, is_whole

MAX_RIVALS = 8
"""How many terms a term is tried against, largest first; so the work stays linear."""


def maximum(terms: Sequence[Expr], least: Least, usual: Evaluator) -> Expr:
    """The maximum of some terms without those that can never be it.

    The terms that are largest at usual values are tried against every other; only a proof drops
    a term.

    Args:
        terms: expressions that are not negative.
        least: the smallest values of the symbols, conditions included.
        usual: gives the usual values.
    """
    ordered = sorted(set(terms), key=lambda term: (-usual(term), term.sort_key()))
    names = _names_of_functions(ordered, least)
    kept: list[Expr] = []
    lowers: list[tuple[Poly | None, Poly | None]] = []
    for term in ordered:
        above = term.replace(Minimum, _number_among)
        uppers = (_named(above, names), _bound(above, least, below=False))
        if not any(_exceeds(*pair) for lower in lowers for pair in zip(lower, uppers, strict=True)):
            kept.append(term)
            if len(kept) <= MAX_RIVALS:
                lowers.append((_named(term, names), _bound(term, least, below=True)))
    return Maximum(*kept) if len(kept) > 1 else kept[0]


def _number_among(*args: Expr) -> Expr:
    """A minimum is at most the number in it."""
    return next((arg for arg in args if arg.is_Rational), Minimum(*args))


def _names_of_functions(terms: Sequence[Expr], least: Least) -> dict[Expr, Symbol]:
    """A positive symbol for every function that is never negative.

    With them ``6·(x//4)`` is seen to exceed ``4·(x//4)``, whatever x is.
    """
    functions = sorted(set().union(*(term.atoms(Operation) for term in terms)), key=str)
    bounds = ((function, lower_bound(function, least)) for function in functions)
    return {f: Dummy(positive=True) for f, bound in bounds if bound is not None and bound >= 0}


def _named(term: Expr, names: Mapping[Expr, Symbol]) -> Poly | None:
    """A sum as a polynomial in its symbols and functions, none of them negative."""
    named = term.xreplace(names)
    variables = sorted(named.free_symbols, key=str)
    return Poly(named, *variables) if variables and named.is_polynomial(*variables) else None


def dominates(large: Expr, small: Expr, least: Least) -> bool:
    """Whether ``large >= small`` is proved for all symbols of at least ``least``.

    Each floor is bounded by a fraction, ``(x − q + 1)/q <= x//q <= x/q`` for an integer x; a
    polynomial whose coefficients at the smallest values are all at least 0 is never negative
    above them (its Taylor expansion there has no minus).
    """
    lower, upper = _bound(large, least, below=True), _bound(small, least, below=False)
    return _exceeds(lower, upper)


def _exceeds(lower: Poly | None, upper: Poly | None) -> bool:
    if lower is None or upper is None:
        return False
    return all(coefficient >= 0 for coefficient in (lower - upper).coeffs())


def _bound(expression: Expr, least: Least, *, below: bool) -> Poly | None:
    """A polynomial below or above an expression that grows with its floors, if there is one.

    Its variables count from the symbols' smallest values.
    """
    if any(term.as_coeff_Mul()[0].is_negative for term in Add.make_args(expression.expand())):
        return None
    if not expression.free_symbols <= least.keys():
        return None
    bounds: dict[Expr, Expr] = {}
    for floor in expression.atoms(FloorDiv):
        x, q = floor.args
        if not (is_whole(x) and q.is_Integer) or x.has(FloorDiv):
            return None
        bounds[floor] = (x - q + 1) / q if below else x / q
        if below and not _never_negative(bounds[floor], least):
            bounds[floor] = S.Zero
    return _shifted(expression.xreplace(bounds), least)


def _shifted(expression: Expr, least: Least) -> Poly | None:
    """The polynomial in variables that count from the symbols' smallest values."""
    symbols = sorted(least, key=lambda s: s.name) or [Symbol("x")]
    moved = expression.xreplace({s: s + exact(value) for s, value in least.items()})
    try:
        return Poly(moved, *symbols)
    except PolynomialError:
        return None


def _never_negative(expression: Expr, least: Least) -> bool:
    shifted = _shifted(expression, least)
    return shifted is not None and all(coefficient >= 0 for coefficient in shifted.coeffs())

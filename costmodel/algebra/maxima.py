"""Maxima of sums: what another term provably dominates is dropped, the rest stays a maximum."""

from collections.abc import Mapping, Sequence

from sympy import Dummy, Expr, Poly, Symbol

from costmodel.algebra.bounds import Least, is_never_negative, lower_bound, polynomial_bound
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, Operation

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
        uppers = (_named(above, names), polynomial_bound(above, least, below=False))
        if not any(_exceeds(*pair) for lower in lowers for pair in zip(lower, uppers, strict=True)):
            kept.append(term)
            if len(kept) <= MAX_RIVALS:
                lowers.append((_named(term, names), polynomial_bound(term, least, below=True)))
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

    A polynomial whose coefficients at the smallest values are all at least 0 is never negative
    above them (its Taylor expansion there has no minus).
    """
    lower = polynomial_bound(large, least, below=True)
    return _exceeds(lower, polynomial_bound(small, least, below=False))


def _exceeds(lower: Poly | None, upper: Poly | None) -> bool:
    return lower is not None and upper is not None and is_never_negative(lower - upper)

"""Maxima of sums: what another term provably dominates is dropped, the rest stays a maximum."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from sympy import Dummy, Expr, Poly, Symbol

from archspec.arithmetic import Rational
from costmodel.algebra.bounds import Least, is_never_negative, lower_bound, polynomial_bound
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, Operation, RoundTo, terms_of

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
    ordered = sorted(terms_of(Maximum(*terms)), key=lambda term: _rank(term, usual))
    bounds = _Bounds(ordered, least)
    kept: list[Expr] = []
    for term in ordered:
        upper = term.replace(Minimum, _number_among)
        if not any(bounds.prove(rival, upper) for rival in kept[:MAX_RIVALS]):
            kept.append(term)
    return Maximum(*kept) if len(kept) > 1 else kept[0]


class _Bounds:
    """What terms are not below and not above, in three ways, each worked out where it is needed."""

    def __init__(self, terms: Sequence[Expr], least: Least) -> None:
        names = _names_of_functions(terms, least)
        sizes, above_least = _names_of_roundings(terms, least)
        ways: tuple[Callable[[Expr, bool], Poly | None], ...] = (
            lambda term, _: _named(term, names),
            lambda term, below: polynomial_bound(term.xreplace(sizes), above_least, below=below),
            lambda term, below: polynomial_bound(term, least, below=below),
        )
        self.ways = tuple(map(cache, ways if sizes else (ways[0], ways[2])))

    def prove(self, large: Expr, small: Expr) -> bool:
        """Whether one of the ways proves ``large >= small``."""
        return any(_exceeds(way(large, True), way(small, False)) for way in self.ways)


def _rank(term: Expr, usual: Evaluator) -> tuple[Rational, bool, object]:
    """The largest first; of equals x before ``min(1, L)·x``, which is never more."""
    return -usual(term), term.has(Minimum), term.sort_key()


def _names_of_roundings(terms: Sequence[Expr], least: Least) -> tuple[dict[Expr, Expr], Least]:
    """Symbols for roundings, and for maxima outside of them, with their smallest values.

    Of ``round_to(a·x, d)`` and ``round_to(b·x, d)`` with ``a <= b`` the second is the first and
    something that is not negative.
    """
    found = sorted(set().union(*(t.atoms(RoundTo, Maximum) for t in terms)), key=_size_order)
    names: dict[Expr, Expr] = {}
    least = dict(least)
    smaller: dict[tuple[Expr, ...], Expr] = {}
    for function in found:
        more = Dummy(integer=True, positive=True)
        family = (function.args[1], function.args[0].as_coeff_Mul()[1])
        known = smaller.get(family) if isinstance(function, RoundTo) else None
        least[more] = 0 if known is not None else lower_bound(function, least) or 0
        names[function] = more if known is None else known + more
        if isinstance(function, RoundTo):
            smaller[family] = names[function]
    return names, least


def _size_order(function: Expr) -> tuple[Expr, str]:
    """Roundings of small multiples before those of large ones."""
    return function.args[0].as_coeff_Mul()[0], str(function)


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

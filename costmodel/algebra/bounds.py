"""Proved bounds of an expression, for all symbols of at least their smallest values.

Two ways: a number for each part, combined; or a polynomial below the whole, its floors bounded by
fractions. Both may find nothing; neither guesses.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, comb, prod

from sympy import Add, Expr, Mul, Poly, PolynomialError, Pow, S, Symbol

from archspec.arithmetic import Rational, round_to
from costmodel.algebra.functions import (
    FloorDiv,
    Maximum,
    Minimum,
    Operation,
    Quotient,
    RoundTo,
    exact,
    is_whole,
    plain,
)
from costmodel.algebra.work import charge

Least = Mapping[Symbol, Rational]
"""The smallest value of each symbol that has one."""


def lower_bound(expression: Expr, least: Least) -> Rational | None:
    """Return a number that the expression never falls below, or None where none is found."""
    if expression.is_Rational:
        return plain(expression)
    if expression.is_Symbol:
        known = int(bool(expression.is_integer)) if expression.is_positive else None
        return least.get(expression, known)
    find = _LOWER.get(type(expression))
    return find(expression, least) if find else None


def is_positive(expression: Expr) -> bool:
    """Return whether an expression is positive by its form: sums, products and powers of what is.

    Else its bound says so, as of ``h//64 + 1`` and ``2*k - 1``: an integer is at least 1.
    """
    if expression.is_Rational:
        return bool(expression > 0)
    if expression.is_Symbol or isinstance(expression, RoundTo):
        return not expression.is_Symbol or bool(expression.is_positive)
    if expression.is_Pow:
        return is_positive(expression.base)
    if not isinstance(expression, FloorDiv) and all(map(is_positive, expression.args)):
        return True
    bound = lower_bound(expression, {})
    return bound is not None and bound > 0


_Find = Callable[[Expr, Least], Rational | None]
"""Finds a bound of an expression, or None."""


def _of_all(find: _Find, combine: Callable[[list[Rational]], Rational]) -> _Find:
    """Return a rule: the bounds of all arguments, if all have one, combined."""

    def bound(expression: Expr, least: Least) -> Rational | None:
        bounds = [find(arg, least) for arg in expression.args]
        known = [bound for bound in bounds if bound is not None]
        return combine(known) if len(known) == len(bounds) else None

    return bound


def _of_any(find: _Find, choose: Callable[..., Rational | None]) -> _Find:
    """Return a rule: the best of the bounds that arguments have."""

    def bound(expression: Expr, least: Least) -> Rational | None:
        bounds = (find(arg, least) for arg in expression.args)
        return choose((bound for bound in bounds if bound is not None), default=None)

    return bound


def _of_product(expression: Expr, least: Least) -> Rational | None:
    """Return the product of the least sizes of the factors, or of the largest if it is negative."""
    sizes = [_size(factor, least) for factor in expression.args]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    number, rest = expression.as_coeff_Mul()
    if number < 0 and [sign for sign, _ in known].count(-1) == 1:
        most = upper_bound(rest, least)
        return None if most is None else plain(number * exact(most))
    if prod(sign for sign, _ in known) < 0:
        return None
    return prod(size for _, size in known)


def _size(factor: Expr, least: Least) -> tuple[int, Rational] | None:
    """Return the sign of a factor and a lower bound of its absolute value, if both are known."""
    if factor.is_Rational:
        return (-1 if factor < 0 else 1), plain(abs(factor))
    bound = lower_bound(factor, least)
    if bound is not None and bound >= 0:
        return 1, bound
    below = _of_negated(factor, least)
    return None if below is None or below < 0 else (-1, below)


def _of_negated(expression: Expr, least: Least) -> Rational | None:
    """Return a lower bound of minus a floor, a sum or an odd power."""
    if isinstance(expression, FloorDiv):
        return _of_ceiling(expression, least)
    if expression.is_Add:
        return lower_bound(-expression, least)
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        size = _size(expression.base, least)
        turned = size is not None and size[0] < 0 and expression.exp % 2
        return plain(exact(size[1]) ** expression.exp) if size and turned else None
    return None


def _of_ceiling(floor: Expr, least: Least) -> Rational | None:
    """Return a lower bound of ``ceil(x/q) = −((−x)//q)``: at least 1 for a positive x."""
    x, q = -floor.args[0], floor.args[1]
    if not is_positive(q):
        return None
    bound = lower_bound(x, least) if q.is_Rational else None
    rounded = None if bound is None else ceil(Fraction(bound) / plain(q))
    return max(1, rounded or 1) if is_positive(x) else rounded


def _of_power(expression: Expr, least: Least) -> Rational | None:
    """Return a lower bound of a positive power; ``1/x`` of a positive x is not negative."""
    base, exponent = expression.args
    if exponent.is_negative and is_positive(base):
        return 0
    size = _size(base, least)
    if size is None or not (exponent.is_Integer and exponent > 0):
        return None
    sign, bound = size
    return None if sign < 0 and exponent % 2 else plain(exact(bound) ** exponent)


def _of_floor(expression: Expr, least: Least) -> Rational | None:
    """``x//q`` grows with x; it is never negative where x is not."""
    x, q = expression.args
    bound = lower_bound(x, least)
    if bound is None:
        return None
    if q.is_Integer:
        return bound // int(q)
    return 0 if bound >= 0 and is_positive(q) else None


def _of_quotient(expression: Expr, least: Least) -> Rational | None:
    """``x/q`` grows with x."""
    x, q = expression.args
    bound = lower_bound(x, least)
    return None if bound is None or not q.is_Rational else plain(exact(bound) / q)


def _of_rounded(expression: Expr, least: Least) -> Rational | None:
    """``round_to(x, d)`` grows with x and is at least d."""
    x, divisor = expression.args
    if not divisor.is_Integer:
        return None
    bound = lower_bound(x, least)
    return int(divisor) if bound is None else round_to(bound, int(divisor))


_LOWER: dict[type, _Find] = {
    Add: _of_all(lower_bound, sum),
    Mul: _of_product,
    Pow: _of_power,
    FloorDiv: _of_floor,
    Quotient: _of_quotient,
    RoundTo: _of_rounded,
    Maximum: _of_any(lower_bound, max),
    Minimum: _of_all(lower_bound, min),
}


def upper_bound(expression: Expr, least: Least) -> Rational | None:
    """Return a number that the expression never exceeds, or None where none is found."""
    if expression.is_Rational:
        return plain(expression)
    find = _UPPER.get(type(expression))
    return find(expression, least) if find else None


def _most_of_product(expression: Expr, least: Least) -> Rational | None:
    """Return the product of upper bounds, for factors that are never negative."""
    number, rest = expression.as_coeff_Mul()
    if number < 0:
        bound = lower_bound(rest, least)
        return None if bound is None else plain(number * exact(bound))
    sizes = [_size(arg, least) for arg in expression.args]
    if any(size is None or size[0] < 0 for size in sizes):
        return None
    bounds = [upper_bound(factor, least) for factor in _without_fractions(expression, least)]
    known = [bound for bound in bounds if bound is not None]
    return prod(known) if len(known) == len(bounds) else None


def _without_fractions(product: Expr, least: Least) -> list[Expr]:
    """Return the factors of a product but for pairs a/b where a ≤ b: ``ceil(h/32)/ceil(h/16)``."""
    factors = [*product.args]
    for divisor in (1 / factor for factor in product.args if factor.is_Pow and factor.exp == -1):
        sizes = (factor for factor in factors if not factor.is_number and factor * divisor != 1)
        smaller = (size for size in sizes if is_at_least(divisor - size, 0, least))
        if (found := next(smaller, None)) is not None:
            factors.remove(found)
            factors.remove(1 / divisor)
    return factors


def _most_of_power(expression: Expr, least: Least) -> Rational | None:
    """Return an upper bound: a positive power grows with a positive base, a negative one falls."""
    base, exponent = expression.args
    bound = lower_bound(base, least)
    if bound is None or bound < 0 or not exponent.is_Integer:
        return None
    most = upper_bound(base, least) if exponent > 0 else bound or None
    return None if most is None else plain(exact(most) ** exponent)


def _most_of_floor(expression: Expr, least: Least) -> Rational | None:
    x, q = expression.args
    bound = upper_bound(x, least) if q.is_Integer and q > 0 else None
    return None if bound is None else bound // int(q)


def _most_of_rounded(expression: Expr, least: Least) -> Rational | None:
    x, divisor = expression.args
    bound = upper_bound(x, least) if divisor.is_Integer else None
    return None if bound is None else round_to(bound, int(divisor))


_UPPER: dict[type, _Find] = {
    Add: _of_all(upper_bound, sum),
    Mul: _most_of_product,
    Pow: _most_of_power,
    FloorDiv: _most_of_floor,
    RoundTo: _most_of_rounded,
    Maximum: _of_all(upper_bound, max),
    Minimum: _of_any(upper_bound, min),
}


def polynomial_bound(expression: Expr, least: Least) -> Poly | None:
    """Return a polynomial that an expression never falls below, or None.

    Each floor is bounded by fractions, ``(x − q + 1)/q <= x//q <= x/q`` for an integer x, and each
    rounding by ``(d + 0.9·x)/2 <= round_to(x, d) <= x + d``, for an x that is never negative.
    The variables count from the symbols' smallest values.
    """
    least = {**{s: 0 for s in expression.free_symbols if s.is_positive}, **least}
    if not expression.free_symbols <= least.keys() or count_terms(expression, {}) > MAX_EXPANDED:
        return None
    expression = expression.expand()
    terms = [_without_floors(t, least) for t in Add.make_args(expression)]
    return None if None in terms else _shifted(Add(*terms), least)


def _without_floors(term: Expr, least: Least) -> Expr | None:
    """Return a lower bound of a term; its floors are bounded above where its sign is a minus."""
    below = not term.as_coeff_Mul()[0].is_negative
    bounds: dict[Expr, Expr] = {}
    for rounded in term.atoms(RoundTo):
        x, d = rounded.args
        if x.has(Operation) or not (d.is_Integer and is_never_negative(_shifted(x, least))):
            return None
        bounds[rounded] = (d + x * 9 / 10) / 2 if below else x + d
    for floor in term.atoms(FloorDiv):
        x, q = floor.args
        nested = x.has(FloorDiv) or not (is_whole(x) and q.is_Integer)
        if nested or not is_never_negative(_shifted(x, least)):
            return None
        fraction = (x - q + 1) / q if below else x / q
        usable = not below or is_never_negative(_shifted(fraction, least))
        bounds[floor] = fraction if usable else S.Zero
    return term.xreplace(bounds)


def _shifted(expression: Expr, least: Least) -> Poly | None:
    """Return the polynomial in variables that count from the symbols' smallest values.

    None where it is none, or where it may have more than `MAX_EXPANDED` terms.
    """
    count = count_terms(expression, least)
    charge(min(count, MAX_EXPANDED))
    if count > MAX_EXPANDED:
        return None
    symbols = sorted(least, key=lambda s: s.name) or [Symbol("x")]
    moved = expression.xreplace({s: s + exact(value) for s, value in least.items()})
    try:
        return Poly(moved, *symbols)
    except PolynomialError:
        return None


MAX_EXPANDED = 200
"""The most terms of a polynomial that a proof multiplies out: k factors of two terms have 2^k."""


def count_terms(expression: Expr, least: Least) -> int:
    """Return how many terms there are at most when all is multiplied out.

    A symbol counts as two, itself and its smallest value, where that is not 0.
    """
    if expression.is_Symbol:
        return 2 if least.get(expression, 0) else 1
    if expression.is_Add:
        return sum(count_terms(arg, least) for arg in expression.args)
    if expression.is_Mul:
        return prod(count_terms(arg, least) for arg in expression.args)
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        count = count_terms(expression.base, least)
        return comb(count + int(expression.exp) - 1, int(expression.exp))
    return 1


def is_never_negative(polynomial: Poly | None) -> bool:
    """Return whether no coefficient is negative: then no value is, for variables from 0 on."""
    return polynomial is not None and all(c.is_nonnegative for c in polynomial.coeffs())


def is_at_least(expression: Expr, bound: Rational, least: Least) -> bool:
    """Return whether a lower bound is proved, by numbers or by a polynomial.

    An integer that is more than ``bound − 1`` is at least ``bound``.
    """
    charge(len(Add.make_args(expression)))
    found = lower_bound(expression, least)
    if found is not None and found >= bound:
        return True
    if len(Add.make_args(expression)) > MAX_TERMS:
        return False
    polynomial = polynomial_bound(expression - exact(bound), least)
    if polynomial is not None and is_whole(expression) and bound.denominator == 1:
        above = polynomial + 1
        return is_never_negative(above) and bool(above.eval([0] * len(above.gens)) > 0)
    return is_never_negative(polynomial)


MAX_TERMS = 30
"""The most terms of a sum that is tried as a polynomial."""

"""The identities by which a floor division comes to its final form, each tried in this order.

Each is proved against plain integers by a property test of the same name.
"""

from collections.abc import Iterator
from math import gcd, lcm

from sympy import Add, Expr, Integer, Mul, S, postorder_traversal

from costmodel.algebra.bounds import is_positive
from costmodel.algebra.functions import FloorDiv, Quotient, RoundTo, is_whole, plain


def open_divisors(expression: Expr) -> Iterator[Expr]:
    """Yield what an expression divides by that is not positive by its form, the inner ones first.

    The divisor of a ``round_to`` is among them: it needs a positive one, too.
    """
    for part in postorder_traversal(expression):
        if isinstance(part, FloorDiv | Quotient | RoundTo):
            divisor = part.args[1]
        elif part.is_Pow and part.exp.is_Integer and part.exp < 0:
            divisor = part.base
        else:
            continue
        if not (divisor.is_Rational or is_positive(divisor)):
            yield divisor


def _floor_of_numbers(x: Expr, q: Expr) -> Expr | None:
    """Return a floor of two numbers as a number: ``7//2 = 3``; and ``0//q = 0``."""
    if x is S.Zero:
        return x
    if not (x.is_Rational and q.is_Rational):
        return None
    return Integer(plain(x) // plain(q))


def _negative_divisor(x: Expr, q: Expr) -> Expr | None:
    """Return ``x//(−q)`` as ``(−x)//q``."""
    return FloorDiv(-x, -q) if q.is_Rational and q < 0 else None


def _by_one(x: Expr, q: Expr) -> Expr | None:
    """x//1 = x, for an integer x."""
    return x if q is S.One and is_whole(x) else None


def _integer_coefficients(x: Expr, q: Expr) -> Expr | None:
    """(x/a)//(q/b) = (b·x)//(a·q)."""
    numbers = (term.as_coeff_Mul()[0] for term in (*Add.make_args(x), q))
    scale = lcm(*(int(number.q) for number in numbers if number.is_Rational))
    return None if scale == 1 else FloorDiv(Mul(x, scale).expand(), q * scale)


def _exact_division(x: Expr, q: Expr) -> Expr | None:
    """(q·a + b)//q = a + b//q, for an integer a."""
    quotients: list[Expr] = []
    rest: list[Expr] = []
    for term in Add.make_args(x):
        quotient = _whole_quotient(term, q)
        if quotient is None:
            rest.append(term)
        else:
            quotients.append(quotient)
    return Add(*quotients, FloorDiv(Add(*rest), q)) if quotients else None


def _whole_quotient(term: Expr, q: Expr) -> Expr | None:
    """``term/q`` where it is an integer; a number stays under the floor."""
    coefficient, rest = term.as_coeff_Mul()
    if rest is S.One:
        return None
    quotient = Mul(coefficient / q, rest) if q.is_Integer else term / q
    return quotient if is_whole(quotient) else None


def _common_factor(x: Expr, q: Expr) -> Expr | None:
    """(a·x + r)//(a·q) = (x + r//a)//q, for integers."""
    if not q.is_Integer or not q.is_positive:
        return None
    constant, rest = x.as_coeff_Add()
    terms = [term.as_coeff_Mul() for term in Add.make_args(rest)]
    factor = gcd(int(q), *(int(c) for c, _ in terms if c.is_Integer))
    if factor == 1 or not is_whole(x):
        return None
    reduced = [Mul(c / factor, t) for c, t in terms]
    return FloorDiv(Add(*reduced, int(constant) // factor), q / factor)


def _composition(x: Expr, q: Expr) -> Expr | None:
    """(x//a + k)//b = (x + k·a)//(a·b), for positive integers a, b and an integer k."""
    terms = list(Add.make_args(x))
    floors = [term for term in terms if isinstance(term, FloorDiv)]
    if len(floors) != 1:
        return None
    inner, divisor = floors[0].args
    if not all(is_whole(d) and is_positive(d) for d in (q, divisor)):
        return None
    rest = Add(*(term for term in terms if term is not floors[0]))
    if not is_whole(rest):
        return None
    return FloorDiv(inner + (rest * divisor).expand(), divisor * q)


def _negation(x: Expr, q: Expr) -> Expr | None:
    """(−x)//q = −((x + q − 1)//q), for an integer x and a positive integer q."""
    _, rest = x.as_coeff_Add()
    signs = [term.as_coeff_Mul()[0] for term in Add.make_args(rest)]
    if not all(sign.is_negative for sign in signs):
        return None
    return -FloorDiv(q - 1 - x, q) if is_whole(x) and is_whole(q) and is_positive(q) else None


def _negative_number(x: Expr, q: Expr) -> Expr | None:
    """(−k)//q = −1 − (k − 1)//q, for positive integers k and q; so (−1)//q = −1."""
    if not (x.is_Integer and x.is_negative and is_whole(q) and is_positive(q)):
        return None
    return -1 - FloorDiv(-x - 1, q)


FloorDiv.rules = (
    _floor_of_numbers,
    _negative_divisor,
    _by_one,
    _integer_coefficients,
    _exact_division,
    _common_factor,
    _composition,
    _negation,
    _negative_number,
)

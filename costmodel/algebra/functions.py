"""Functions that sympy lacks or evaluates slowly: floor division, rounding, minimum, maximum.

Each row of identities below is proved against plain integers by a property test of the same name.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import Any

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    Number,
    Rational,
    S,
    Symbol,
    postorder_traversal,
    sympify,
)
from sympy.core.symbol import Str

from archspec import arithmetic


def exact(value: int | Fraction) -> Number:
    """A Python number as a sympy one."""
    return Rational(value.numerator, value.denominator)


def plain(number: Number) -> int | Fraction:
    """A sympy rational as a Python number, an integer where it is one."""
    return int(number.p) if number.q == 1 else Fraction(int(number.p), int(number.q))


def is_whole(expression: Expr) -> bool:
    """Whether an expression is an integer by its form: sums, products and powers of integers.

    What it does not see (``x·(x + 1)/2``) it does not claim; sympy's own deduction costs a hundred
    times as much.
    """
    if expression.is_Integer or isinstance(expression, FloorDiv | RoundTo | Quotient):
        return True
    if expression.is_Symbol:
        return bool(expression.is_integer)
    if expression.is_Pow:
        return bool(expression.exp.is_Integer and expression.exp > 0) and is_whole(expression.base)
    if expression.is_Mul:
        return _is_whole_product(expression)
    if expression.is_Add or isinstance(expression, Extremum):
        return all(map(is_whole, expression.args))
    return False


def _is_whole_product(product: Expr) -> bool:
    """Integers, a fraction being covered by what divides the `RoundTo` beside it."""
    coefficient, rest = product.as_coeff_Mul()
    factors = Mul.make_args(rest)
    if not coefficient.is_Integer:
        powers = (factor.as_base_exp() for factor in factors)
        coefficient = Mul(
            coefficient,
            *(
                base.args[1] ** exponent
                for base, exponent in powers
                if isinstance(base, RoundTo) and base.args[1].is_Integer and exponent.is_Integer
            ),
        )
    return bool(coefficient.is_Integer) and all(map(is_whole, factors))


class Operation(Expr):  # type: ignore[misc]
    """What the functions here share: they commute, and print as archcost's own text."""

    is_commutative = True
    is_real = True
    precedence = 30  # a sum's: sympy puts parentheses around it in a product

    def _sympystr(self, _printer: Any) -> str:
        from costmodel.algebra.printing import real_text, text

        return text(self) if self.is_integer else real_text(self)

    def _latex(self, _printer: Any, **_options: Any) -> str:
        from costmodel.algebra.printing import latex

        return latex(self)


class FloorDiv(Operation):
    """``x//q``, the floor of ``x/q``, for any real ``x`` and positive ``q``; built by `floor_div`.

    An expression with a fixed shape: ``x`` has integer coefficients where that is possible, no term
    that ``q`` divides, no floor that could be merged, and no sign that could be pulled out.
    """

    is_integer = True

    def __new__(cls, x: Expr, q: Expr) -> Expr:
        """Rewrite by the first identity that applies; what none changes is in its final form."""
        for rewrite in _FLOOR_RULES:
            result = rewrite(x, q)
            if result is not None:
                return result
        return Expr.__new__(cls, x, q)


def floor_div(x: Expr | int, q: Expr | int) -> Expr:
    """``x//q`` in its final form."""
    return FloorDiv(sympify(x), sympify(q))


def ceil_div(x: Expr | int, q: Expr | int) -> Expr:
    """``ceil(x/q) = −((−x)//q)``."""
    return -floor_div(-sympify(x), q)


def is_positive(expression: Expr) -> bool:
    """Return whether an expression is positive by its form: sums, products and powers of what is.

    Else its bound says so, as of ``h//64 + 1`` and ``2*k - 1``: an integer is at least 1.
    """
    from costmodel.algebra.bounds import lower_bound

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


@lru_cache(maxsize=50_000)
def floors_in(expression: Expr) -> frozenset[Expr]:
    """Return every floor in an expression; parts that several expressions share are seen once.

    Args:
        expression: what has floors.
    """
    inner = (floors_in(arg) for arg in expression.args if isinstance(arg, Expr) and arg.args)
    found = frozenset[Expr]().union(*inner)
    return found | {expression} if isinstance(expression, FloorDiv) else found


@lru_cache(maxsize=50_000)
def operations_in(expression: Expr) -> frozenset[Expr]:
    """Return every function in an expression; parts that several expressions share are seen once.

    Args:
        expression: what has functions.
    """
    inner = (operations_in(arg) for arg in expression.args if isinstance(arg, Expr) and arg.args)
    found = frozenset[Expr]().union(*inner)
    return found | {expression} if isinstance(expression, Operation) else found


@lru_cache(maxsize=50_000)
def symbols_in(expression: Expr) -> frozenset[Symbol]:
    """Return the free symbols of an expression, which sympy collects anew each time.

    Args:
        expression: what has symbols.
    """
    return frozenset(expression.free_symbols)


def in_order(parts: Iterable[Expr], rank: Callable[[Expr], Any]) -> list[Expr]:
    """Return some expressions by their rank; sympy's order, which is slow, is for equals.

    Args:
        parts: the expressions.
        rank: gives each its rank.
    """
    equals: dict[Any, list[Expr]] = {}
    for part in parts:
        equals.setdefault(rank(part), []).append(part)
    for each in equals.values():
        if len(each) > 1:
            each.sort(key=lambda part: part.sort_key())
    return [part for key in sorted(equals) for part in equals[key]]


def ceiling_sign(product: Expr) -> Expr:
    """Return -1 for a product with an odd number of ``ceil(x) = −floor(−x)``, and 1 for others.

    Their minus stays with the floors, so that no other factor has it.

    Args:
        product: factors, among them floors.
    """
    powers = (factor.as_base_exp() for factor in Mul.make_args(product))
    ceilings = (e for x, e in powers if isinstance(x, FloorDiv) and is_ceiling(x))
    return S.NegativeOne if Add(*ceilings) % 2 == 1 else S.One


@lru_cache(maxsize=50_000)
def is_ceiling(floor: FloorDiv) -> bool:
    """Return whether a floor is that of a negative, and stands for a ceiling with its minus.

    Args:
        floor: ``x//q``.
    """
    return bool(floor.args[0].could_extract_minus_sign())


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
    """7//2 = 3 and 0//q = 0."""
    if x is S.Zero:
        return x
    if not (x.is_Rational and q.is_Rational):
        return None
    return Integer(plain(x) // plain(q))


def _negative_divisor(x: Expr, q: Expr) -> Expr | None:
    """x//(−q) = (−x)//q."""
    return FloorDiv(-x, -q) if q.is_Rational and q < 0 else None


def _by_one(x: Expr, q: Expr) -> Expr | None:
    """x//1 = x, for an integer x."""
    return x if q is S.One and is_whole(x) else None


def _integer_coefficients(x: Expr, q: Expr) -> Expr | None:
    """(x/a)//(q/b) = (b·x)//(a·q)."""
    scale = _common_denominator([*Add.make_args(x), q])
    return None if scale == 1 else FloorDiv(Mul(x, scale).expand(), q * scale)


def _common_denominator(terms: Iterable[Expr]) -> int:
    scale = 1
    for term in terms:
        denominator = int(term.as_coeff_Mul()[0].q) if term.as_coeff_Mul()[0].is_Rational else 1
        scale = scale * denominator // gcd(scale, denominator)
    return scale


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
    if q.is_Integer:
        quotient = Mul(coefficient / q, rest)
        return quotient if is_whole(quotient) else None
    quotient = term / q
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
    if not (all(sign.is_negative for sign in signs) and is_whole(x) and is_whole(q)):
        return None
    if not is_positive(q):
        return None
    return -FloorDiv(q - 1 - x, q)


def _negative_number(x: Expr, q: Expr) -> Expr | None:
    """(−k)//q = −1 − (k − 1)//q, for positive integers k and q; so (−1)//q = −1."""
    if not (x.is_Integer and x.is_negative and is_whole(q) and is_positive(q)):
        return None
    return -1 - FloorDiv(-x - 1, q)


_FLOOR_RULES: tuple[Callable[[Expr, Expr], Expr | None], ...] = (
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


class Quotient(Operation):
    """``x/q``, known to be an integer: ``(n**2 + n)//2``, which is no sum of integers."""

    is_integer = True

    def __new__(cls, x: Expr, q: Expr) -> Expr:
        """A number where both are numbers."""
        return x / q if x.is_Rational and q.is_Rational else Expr.__new__(cls, x, q)


class RoundTo(Operation):
    """``round_to(x, d)``: the multiple of ``d`` nearest to ``x``, at least ``d`` and 0.9 x.

    ``round_to(d·a, d) = d·a`` for a positive integer a.
    """

    is_integer = True
    is_positive = True

    def __new__(cls, x: Expr, divisor: Expr) -> Expr:
        """A number where both are numbers."""
        if x.is_Rational and divisor.is_Rational:
            return Integer(arithmetic.round_to(plain(x), plain(divisor)))
        if divisor.is_Rational and not (divisor.is_Integer and divisor > 0):
            raise ValueError(f"round_to needs a positive integer divisor, not {divisor}")
        multiple = x / divisor
        if is_whole(multiple) and multiple.is_positive:
            return x
        return Expr.__new__(cls, x, divisor)


class Log2(Operation):
    """``log2(x)`` for positive ``x``; a number where ``x`` is a power of two."""

    def __new__(cls, x: Expr) -> Expr:
        """The exponent of a power of two."""
        if x.is_Rational:
            return exact(arithmetic.binary_logarithm(plain(x)))
        return Expr.__new__(cls, x)


class Extremum(Operation):
    """A minimum or maximum that compares only what differs by a number: cheap and exact."""

    sign = 1

    def __new__(cls, *args: Expr) -> Expr:
        """Flatten, drop what a known difference decides, order."""
        kept = cls.undecided(args)
        if len(kept) == 1:
            return kept[0]
        return Expr.__new__(cls, *sorted(kept, key=lambda arg: arg.sort_key()))

    @classmethod
    def undecided(cls, args: Iterable[Expr]) -> list[Expr]:
        """Return those of some expressions that no other one surpasses by a known number.

        Args:
            args: what is compared.
        """
        constants: dict[Expr, Expr] = {}
        for arg in _flattened(cls, args):
            constant, rest = arg.as_coeff_Add()
            known = constants.get(rest)
            if known is None or cls.sign * (constant - known) > 0:
                constants[rest] = constant
        return [rest if n is S.Zero else rest + n for rest, n in constants.items()]

    def _eval_is_integer(self) -> bool | None:
        return True if all(map(is_whole, self.args)) else None

    def _eval_is_positive(self) -> bool | None:
        return True if all(arg.is_positive for arg in self.args) else None


def _flattened(cls: type, args: Iterable[Expr]) -> Iterable[Expr]:
    for arg in args:
        yield from arg.args if arg.func is cls else (arg,)


class Maximum(Extremum):
    """``max(a, b, …)``."""

    sign = 1


def terms_of(expression: Expr) -> tuple[Expr, ...]:
    """What an expression is the maximum of."""
    return expression.args if isinstance(expression, Maximum) else (expression,)


class Minimum(Extremum):
    """``min(a, b, …)``."""

    sign = -1


class Quantity(Operation):
    """A real number of a unit, as seconds: no count, so that a quotient in it is a true one."""

    def __new__(cls, x: Expr, unit: Str) -> Expr:
        """Nothing of a unit is nothing."""
        return x if x is S.Zero else Expr.__new__(cls, x, unit)


def amount_of(expression: Expr) -> Expr:
    """A quantity without its unit; a count as it is."""
    return expression.args[0] if isinstance(expression, Quantity) else expression


class LargestTurn(Operation):
    """``max(x for i in range(n))``: the largest of what has no largest end, over at least one turn.

    Its index is bound: it stands for no value outside.
    """

    @property
    def free_symbols(self) -> set[Any]:
        """All but the index."""
        x, index, count = self.args
        free: set[Any] = (x.free_symbols - {index}) | count.free_symbols
        return free


def simplest(equals: Iterable[Expr]) -> Expr:
    """Return the expression with the fewest parts, the first of several, of some that are equal.

    What follows a merge is built on one of the extents that it asks to agree; with the longest of
    them, a chain of merges makes sizes that grow exponentially.
    """
    return min(equals, key=parts_of)


@lru_cache(maxsize=50_000)
def parts_of(expression: Expr) -> int:
    """Return how many nodes an expression has, written out."""
    return 1 + sum(map(parts_of, expression.args))


def absorbed(size: Expr) -> Expr:
    """A size as a single floor, so that products stay products: by one of two identities.

    ``x//q + k = (x + k·q)//q``; ``n − (n + r)//2 = (n − r + 1)//2``. An expression that is neither
    is returned as it is.
    """
    floors = [term for term in Add.make_args(size) if term.has(FloorDiv)]
    if len(floors) != 1:
        return size
    factor, floor = floors[0].as_coeff_Mul()
    if not isinstance(floor, FloorDiv):
        return size
    x, q = floor.args
    rest = size - floors[0]
    if factor is S.One and rest.is_Integer and rest:
        return FloorDiv(x + (rest * q).expand(), q)
    shift = (x + rest / factor).expand()
    if q == 2 and factor.is_negative and shift.is_Integer and is_whole(x):
        return -factor * FloorDiv(x - 2 * shift + 1, q)
    return size


def separated(expression: Expr) -> Expr:
    """Every ``(x + c)//q`` with ``c`` reduced to ``0 ≤ c < q``, so that equal floors are the same.

    The difference of two separated expressions is 0 if they are equal by moving integers through
    floors.
    """

    def reduce(x: Expr, q: Expr) -> Expr:
        constant, rest = x.as_coeff_Add()
        if not (q.is_Integer and constant.is_Integer):
            return FloorDiv(x, q)
        return FloorDiv(rest + constant % q, q) + constant // q

    return expression.replace(FloorDiv, reduce)

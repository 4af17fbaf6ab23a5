"""Functions that sympy lacks or evaluates slowly: floor division, rounding, minimum, maximum."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar

from sympy import Add, Expr, Integer, Mul, Number, Rational, S, Symbol, sympify
from sympy.core.symbol import Str

from archspec import arithmetic


def exact(value: int | Fraction) -> Number:
    """Return a Python number as a sympy one."""
    return Rational(value.numerator, value.denominator)


def plain(number: Number) -> int | Fraction:
    """Return a sympy rational as a Python number, an integer where it is one."""
    return int(number.p) if number.q == 1 else Fraction(int(number.p), int(number.q))


def decimal_of(number: Expr) -> Expr:
    """Return a float as the decimal that prints it; any other expression as it is."""
    return Rational(str(number)) if number.is_Float else number


def is_whole(expression: Expr) -> bool:
    """Return whether an expression is an integer by its form: sums and products of integers.

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
    """Return whether a product is an integer; a `RoundTo` covers denominators of its divisor."""
    coefficient, rest = product.as_coeff_Mul()
    factors = Mul.make_args(rest)
    if not coefficient.is_Integer:
        for base, exponent in (factor.as_base_exp() for factor in factors):
            if isinstance(base, RoundTo) and base.args[1].is_Integer and exponent.is_Integer:
                coefficient *= base.args[1] ** exponent
    return bool(coefficient.is_Integer) and all(map(is_whole, factors))


CALL = 1000
"""sympy's precedence of what never needs parentheses."""


class Operation(Expr):  # type: ignore[misc]
    """The base of the functions here: they commute, and print as archcost's own text."""

    is_commutative = True
    is_real = True
    precedence = 30  # a sum's: sympy puts parentheses around it in a product

    in_python: "ClassVar[Callable[[Expr], str]]"
    in_latex: "ClassVar[Callable[[Expr], str]]"
    """The methods that print the function, which `printing` sets when it is imported."""

    def _sympystr(self, _printer: Any) -> str:
        return type(self).in_python(self)

    def _latex(self, _printer: Any, **_options: Any) -> str:
        return type(self).in_latex(self)


class FloorDiv(Operation):
    """``x//q``, the floor of ``x/q``, for any real ``x`` and positive ``q``; built by `floor_div`.

    An expression with a fixed shape: ``x`` has integer coefficients where that is possible, no term
    that ``q`` divides, no floor that could be merged, and no sign that could be pulled out.
    """

    is_integer = True
    rules: "ClassVar[tuple[Callable[[Expr, Expr], Expr | None], ...]]"
    """The identities; `floors` has them, as `costmodel.algebra` imports it."""

    def __new__(cls, x: Expr, q: Expr) -> Expr:
        """Rewrite by the first identity that applies; what none changes is in its final form."""
        x, q = decimal_of(x), decimal_of(q)
        for rewrite in cls.rules:
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


@lru_cache(maxsize=50_000)
def floors_in(expression: Expr) -> frozenset[Expr]:
    """Return every floor in an expression."""
    return frozenset(part for part in operations_in(expression) if isinstance(part, FloorDiv))


@lru_cache(maxsize=50_000)
def operations_in(expression: Expr) -> frozenset[Expr]:
    """Return every function in an expression; parts that several share are seen once."""
    inner = (operations_in(arg) for arg in expression.args if isinstance(arg, Expr) and arg.args)
    found = frozenset[Expr]().union(*inner)
    return found | {expression} if isinstance(expression, Operation) else found


@lru_cache(maxsize=50_000)
def symbols_in(expression: Expr) -> frozenset[Symbol]:
    """Return the free symbols of an expression, which sympy collects anew each time."""
    return frozenset(expression.free_symbols)


def in_order(parts: Iterable[Expr], rank: Callable[[Expr], Any]) -> list[Expr]:
    """Return some expressions by their rank; sympy's order, which is slow, is for equals."""
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
    """
    powers = (factor.as_base_exp() for factor in Mul.make_args(product))
    ceilings = (e for x, e in powers if isinstance(x, FloorDiv) and is_ceiling(x))
    return S.NegativeOne if Add(*ceilings) % 2 == 1 else S.One


@lru_cache(maxsize=50_000)
def is_ceiling(floor: FloorDiv) -> bool:
    """Return whether a floor is that of a negative, and stands for a ceiling with its minus."""
    return bool(floor.args[0].could_extract_minus_sign())


class Quotient(Operation):
    """``x/q``, known to be an integer: ``(n**2 + n)//2``, which is no sum of integers."""

    is_integer = True

    def __new__(cls, x: Expr, q: Expr) -> Expr:
        """Make a quotient; a number where both are numbers."""
        x, q = decimal_of(x), decimal_of(q)
        return x / q if x.is_Rational and q.is_Rational else Expr.__new__(cls, x, q)


class RoundTo(Operation):
    """``round_to(x, d)``: the multiple of ``d`` nearest to ``x``, at least ``d`` and 0.9 x.

    ``round_to(d·a, d) = d·a`` for a positive integer a.
    """

    is_integer = True
    is_positive = True
    precedence = CALL

    def __new__(cls, x: Expr, divisor: Expr) -> Expr:
        """Round a number; a number where both are numbers."""
        x, divisor = decimal_of(x), decimal_of(divisor)
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

    precedence = CALL

    def __new__(cls, x: Expr) -> Expr:
        """Make a logarithm; a number of a power of two."""
        x = decimal_of(x)
        if x.is_Rational:
            return exact(arithmetic.binary_logarithm(plain(x)))
        return Expr.__new__(cls, x)


class Extremum(Operation):
    """A minimum or maximum that compares only what differs by a number: cheap and exact."""

    sign = 1
    precedence = CALL

    def __new__(cls, *args: Expr) -> Expr:
        """Flatten, drop arguments that a known difference decides, order."""
        kept = cls.undecided(map(decimal_of, args))
        if len(kept) == 1:
            return kept[0]
        return Expr.__new__(cls, *sorted(kept, key=lambda arg: arg.sort_key()))

    @classmethod
    def undecided(cls, args: Iterable[Expr]) -> list[Expr]:
        """Return those of some expressions that no other one surpasses by a known number."""
        constants: dict[Expr, Expr] = {}
        for arg in chain(*(each.args if each.func is cls else (each,) for each in args)):
            constant, rest = arg.as_coeff_Add()
            known = constants.get(rest)
            if known is None or cls.sign * (constant - known) > 0:
                constants[rest] = constant
        return [rest if n is S.Zero else rest + n for rest, n in constants.items()]

    def _eval_is_integer(self) -> bool | None:
        return True if all(map(is_whole, self.args)) else None

    def _eval_is_positive(self) -> bool | None:
        return True if all(arg.is_positive for arg in self.args) else None


class Maximum(Extremum):
    """``max(a, b, …)``."""


def terms_of(expression: Expr) -> tuple[Expr, ...]:
    """Return the arguments of a maximum; any other expression is its only one."""
    return expression.args if isinstance(expression, Maximum) else (expression,)


class Minimum(Extremum):
    """``min(a, b, …)``."""

    sign = -1


class Quantity(Operation):
    """A real number of a unit, as seconds: no count, so that a quotient in it is a true one."""

    def __new__(cls, x: Expr, unit: Str) -> Expr:
        """Make a quantity; 0 of a unit is 0."""
        return x if x is S.Zero else Expr.__new__(cls, x, unit)


def amount_of(expression: Expr) -> Expr:
    """Return a quantity without its unit; a count as it is."""
    return expression.args[0] if isinstance(expression, Quantity) else expression


class LargestOfIterations(Operation):
    """``max(x for i in range(n))``: the largest of what has no largest end, over at least one turn.

    Its index is bound: it stands for no value outside.
    """

    @property
    def free_symbols(self) -> set[Any]:
        """The symbols but for the index."""
        x, index, count = self.args
        free: set[Any] = (x.free_symbols - {index}) | count.free_symbols
        return free


def simplest(equals: Iterable[Expr]) -> Expr:
    """Return the expression with the fewest parts, the first of several, of some that are equal.

    With the longest of the extents that a merge asks to agree, a chain of merges would make sizes
    that grow exponentially.
    """
    return min(equals, key=parts_of)


@lru_cache(maxsize=50_000)
def parts_of(expression: Expr) -> int:
    """Return how many nodes an expression has, written out."""
    return 1 + sum(map(parts_of, expression.args))


def multiplied_out(expression: Expr) -> Expr:
    """Return a sum without products of sums; where it has none, it is returned as it is."""
    factors = (factor for term in Add.make_args(expression) for factor in Mul.make_args(term))
    has_sum = any((factor.args[0] if factor.is_Pow else factor).is_Add for factor in factors)
    return expression.expand() if has_sum else expression


def absorbed(size: Expr) -> Expr:
    """Return a size as a single floor, so that products stay products, by one of two identities.

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
    shift = multiplied_out(x + rest / factor)
    if q == 2 and factor.is_negative and shift.is_Integer and is_whole(x):
        return -factor * FloorDiv(x - 2 * shift + 1, q)
    return size


def separated(expression: Expr) -> Expr:
    """Return an expression with every ``(x + c)//q`` reduced to ``0 ≤ c < q``.

    The difference of two separated expressions is 0 if they are equal by moving integers through
    floors.
    """

    def reduce(x: Expr, q: Expr) -> Expr:
        constant, rest = x.as_coeff_Add()
        if not (q.is_Integer and constant.is_Integer):
            return FloorDiv(x, q)
        return FloorDiv(rest + constant % q, q) + constant // q

    return expression.replace(FloorDiv, reduce)

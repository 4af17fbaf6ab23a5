"""Exact arithmetic on the numbers of a spec: integers, fractions, truth values.

The same functions decide structure here and give every law its value at numbers, so the two
cannot disagree.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import ceil, floor, gcd, isqrt, lcm
from operator import eq, ge, gt, le, lt, ne

from archspec.expressions import MAX_NUMBER_BITS, ExpressionError, TooLargeError

Rational = int | Fraction


class IrrationalError(ExpressionError):
    """A root or a logarithm that is no fraction."""


def tidy(value: Rational) -> Rational:
    """An integer where the fraction is one."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    return value


def ratio(over: Rational, under: Rational) -> Rational:
    """One number over another, exactly."""
    return tidy(Fraction(over) / Fraction(under))


def common_multiple(units: Iterable[Rational]) -> Rational:
    """The least number that all of them divide."""
    parts = [Fraction(unit) for unit in units]
    return tidy(Fraction(lcm(*(p.numerator for p in parts)), gcd(*(p.denominator for p in parts))))


def _bits(value: Rational) -> int:
    return max(abs(value.numerator).bit_length(), value.denominator.bit_length())


def _divisor(value: Rational) -> Rational:
    if value == 0:
        raise ExpressionError("division by zero")
    return value


def power(base: Rational, exponent: Rational) -> Rational:
    """``base**exponent`` for an integer exponent; too many bits are refused, not computed."""
    if exponent.denominator != 1:
        raise ExpressionError(f"the exponent {exponent} is no integer")
    times = int(exponent)
    if (_bits(base) - 1) * abs(times) > MAX_NUMBER_BITS and abs(base) != 1:
        raise TooLargeError(f"a power of more than {MAX_NUMBER_BITS:,} bits")
    if times < 0:
        return tidy(1 / Fraction(_divisor(base)) ** -times)
    return tidy(Fraction(base) ** times)


def round_to(x: Rational, divisor: Rational) -> int:
    """The multiple of ``divisor`` nearest to ``x``, at least ``divisor`` and 90 % of ``x``.

    The field's ``make_divisible`` (MobileNet's reference code): halves round up.
    """
    if divisor <= 0 or divisor.denominator != 1:
        raise ExpressionError(f"round_to needs a positive integer divisor, not {divisor}")
    step = int(divisor)
    rounded = max(step, floor(x + Fraction(step, 2)) // step * step)
    return rounded + step if 10 * rounded < 9 * x else rounded


def square_root(x: Rational) -> Rational:
    """The root of a perfect square of a rational; any other has no exact value."""
    if x >= 0:
        root = Fraction(isqrt(x.numerator), isqrt(x.denominator))
        if root * root == x:
            return tidy(root)
    raise IrrationalError(f"sqrt({x}) is no rational number")


def binary_logarithm(x: Rational) -> int:
    """The exponent of a power of two; the logarithm of any other number is irrational."""
    if x > 0:
        exponent = x.numerator.bit_length() - x.denominator.bit_length()
        if Fraction(2) ** exponent == x:
            return exponent
    raise IrrationalError(f"log2({x}) is no rational number")


OPERATORS: dict[str, Callable[[Rational, Rational], Rational]] = {
    "+": lambda a, b: tidy(a + b),
    "-": lambda a, b: tidy(a - b),
    "*": lambda a, b: tidy(a * b),
    "/": lambda a, b: tidy(Fraction(a) / _divisor(b)),
    "//": lambda a, b: a // _divisor(b),
    "%": lambda a, b: tidy(a % _divisor(b)),
    "**": power,
}

RELATIONS: dict[str, Callable[[Rational, Rational], bool]] = dict(
    zip(("==", "!=", "<", "<=", ">", ">="), (eq, ne, lt, le, gt, ge), strict=True)
)

FUNCTIONS: dict[str, Callable[..., Rational]] = {
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "floor": floor,
    "ceil": ceil,
    "round_to": round_to,
    "sqrt": square_root,
    "log2": binary_logarithm,
}


def bounded(value: Rational) -> Rational:
    """``value``, if it is no larger than any spec needs."""
    if _bits(value) > MAX_NUMBER_BITS:
        raise TooLargeError(f"a number of more than {MAX_NUMBER_BITS:,} bits")
    return value

"""Roots and logarithms that are no fractions, and what is made of them, exactly.

A `Real` is an expression of fractions. It lies between two fractions that are as near as is asked
for, and a comparison asks until they decide. What is equal is never parted by that: but a value
made of roots alone that is not 0 is at least so far from 0 as its form says (Burnikel, Funke,
Mehlhorn, Schirra, Schmitt: A separation bound for real algebraic expressions, ESA 2001), so what is
nearer is 0. Of logarithms no such distance is known; what they leave open is an error.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from math import floor, inf, isqrt, nextafter
from typing import NamedTuple

from archspec import arithmetic
from archspec.arithmetic import Rational
from archspec.errors import SpecError
from archspec.expressions import ExpressionError

Bounds = tuple[int, int]
"""Integers that a value times a power of two lies between, ends included."""

FIRST_BITS = 64
"""Behind the point, of the first pair of ends."""

MAX_BITS = 2**20
"""The most of a value made of roots."""

MAX_LOGARITHM_BITS = 2**12
"""The most where there is a logarithm in it."""

NARROW_BITS = 2**9
"""From here on, ends that are not rounded alike lie on both sides of where rounding changes."""


class _TooWideError(Exception):
    """The ends leave open what an operation needs to know."""


class Form(NamedTuple):
    """What is known of a value by its form: it is U/L, U and L being algebraic integers.

    Attributes:
        over: bits of the largest conjugate of U.
        under: bits of the largest conjugate of L.
        roots: what roots are taken of; each doubles the degree.
        logarithmic: whether a logarithm is in it, and so none of this holds.
    """

    over: int
    under: int
    roots: frozenset[object]
    logarithmic: bool

    @property
    def gap(self) -> int:
        """The bits behind the point that tell the value from 0."""
        return self.over * ((1 << len(self.roots)) - 1) + self.under


class Real:
    """A number made of fractions by sums, products, quotients, roots and logarithms.

    Attributes:
        operation: what makes it: ``+ * / sqrt log2``.
        parts: of what.
    """

    def __init__(self, operation: str, *parts: "Number") -> None:
        self.operation = operation
        self.parts = parts

    @cached_property
    def key(self) -> object:
        """Values with the same are made alike."""
        return (self.operation, *map(_key, self.parts))

    @cached_property
    def form(self) -> Form:
        """What is known of it by how it is made."""
        return _FORMS[self.operation](*map(_form, self.parts), *self.parts)

    @cached_property
    def first(self) -> Bounds:
        """The first pair of ends."""
        return self._bounds(FIRST_BITS)

    def bounds(self, bits: int) -> Bounds:
        """The ends of the value times ``2**bits``."""
        return self.first if bits == FIRST_BITS else self._bounds(bits)

    def _bounds(self, bits: int) -> Bounds:
        return _BOUNDS[self.operation](bits, *(_bounds(part, bits) for part in self.parts))

    def __add__(self, other: "Number") -> "Real":
        return Real("+", self, other)

    __radd__ = __add__

    def __mul__(self, other: "Number") -> "Real":
        return Real("*", self, other)

    __rmul__ = __mul__

    def __neg__(self) -> "Real":
        return Real("*", self, -1)

    def __sub__(self, other: "Number") -> "Real":
        return self + -other

    def __rsub__(self, other: "Number") -> "Real":
        return -self + other

    def __truediv__(self, other: "Number") -> "Real":
        return Real("/", self, other)

    def __rtruediv__(self, other: "Number") -> "Real":
        return Real("/", other, self)

    def __lt__(self, other: "Number") -> bool:
        return order(self, other) < 0

    def __le__(self, other: "Number") -> bool:
        return order(self, other) <= 0

    def __gt__(self, other: "Number") -> bool:
        return order(self, other) > 0

    def __ge__(self, other: "Number") -> bool:
        return order(self, other) >= 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, int | Fraction | Real):
            return NotImplemented
        return order(self, other) == 0

    def __hash__(self) -> int:
        return hash(float(self))

    def __floor__(self) -> int:
        for bits in _precisions(self):
            low, high = (end >> bits for end in self.bounds(bits))
            if low == high:
                return low
            if high - low == 1:
                return high if self >= high else low
        raise _undecided(self)

    def __float__(self) -> float:
        """The float64 nearest to it, of two as near the even one; infinite beyond the largest."""
        for bits in _precisions(self):
            low, high = (_float(end, bits) for end in self.bounds(bits))
            if low == high:
                return low
            if bits >= NARROW_BITS and nextafter(low, inf) == high:
                return _rounded(self, low, high)
            if bits >= NARROW_BITS and low <= 0 <= high and self == 0:
                return 0.0
        raise _undecided(self)


Number = Rational | Real


def nearest(value: Number) -> float:
    """The nearest float64; infinite beyond the largest."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _rounded(value: Real, low: float, high: float) -> float:
    """The one of two neighbours that is nearer."""
    middle = (Fraction(low) + Fraction(high)) / 2
    side = order(value, middle)
    return float(middle) if side == 0 else high if side > 0 else low


def _float(over: int, bits: int) -> float:
    try:
        return over / (1 << bits)
    except OverflowError:
        return inf if over > 0 else -inf


def _precisions(value: Real) -> Iterator[int]:
    """Numbers of bits at which there are ends, each twice the one before."""
    bits = FIRST_BITS
    most = MAX_LOGARITHM_BITS if value.form.logarithmic else MAX_BITS
    while bits <= most:
        try:
            value.bounds(bits)
        except _TooWideError:
            pass
        else:
            yield bits
        bits *= 2


def _undecided(value: Real) -> SpecError:
    most = MAX_LOGARITHM_BITS if value.form.logarithmic else MAX_BITS
    return SpecError(
        f"roots or logarithms are compared that are the same in {most:,} bits; "
        "whether they are equal is not decided",
        hint="compare what they are of: macs*h, not log2(macs) + log2(h)",
    )


def order(left: Number, right: Number) -> int:
    """-1, 0 or 1, as one number is less than the other, as much or more.

    Raises:
        SpecError: logarithms leave it open.
    """
    if _key(left) == _key(right):
        return 0
    difference = Real("+", left, -right)
    form = difference.form
    for bits in _precisions(difference):
        low, high = difference.bounds(bits)
        if low > 0 or high < 0:
            return 1 if low > 0 else -1
        if not form.logarithmic and max(-low, high).bit_length() <= bits - form.gap:
            return 0
    raise _undecided(difference)


def _key(value: Number) -> object:
    return value.key if isinstance(value, Real) else value


def _bounds(value: Number, bits: int) -> Bounds:
    if isinstance(value, Real):
        return value.bounds(bits)
    low, rest = divmod(value.numerator << bits, value.denominator)
    return low, low + (rest > 0)


def _sum_bounds(_: int, left: Bounds, right: Bounds) -> Bounds:
    return left[0] + right[0], left[1] + right[1]


def _product_bounds(bits: int, left: Bounds, right: Bounds) -> Bounds:
    ends = [a * b for a in left for b in right]
    return min(ends) >> bits, -(-max(ends) >> bits)


def _quotient_bounds(bits: int, left: Bounds, right: Bounds) -> Bounds:
    if right[0] <= 0 <= right[1]:
        raise _TooWideError
    ends = [(a << bits, b) for a in left for b in right]
    return min(a // b for a, b in ends), max(-(-a // b) for a, b in ends)


def _root_bounds(bits: int, of: Bounds) -> Bounds:
    low, high = (isqrt(max(end, 0) << bits) for end in of)
    return low, high + 1


def _logarithm_bounds(bits: int, of: Bounds) -> Bounds:
    low, high = of
    if low <= 0:
        raise _TooWideError
    return _logarithm(low, bits, 0), _logarithm(high, bits, 1)


def _logarithm(over: int, bits: int, up: int) -> int:
    """``log2(over/2**bits)·2**bits``, all that is cut off cut downwards or upwards.

    Of a number between 1 and 2 the logarithm's first binary digit is whether its square is over 2.
    """
    work = 2 * bits + 16
    power = over.bit_length() - 1
    number, found = _shifted(over, work - power, up), power - bits
    for _ in range(bits):
        number, found = _shifted(number * number, -work, up), 2 * found
        if number >> (work + 1):
            found += 1
            number = (number + up) >> 1
    return found + up


def _shifted(value: int, bits: int, up: int) -> int:
    """``value·2**bits``, rounded downwards or upwards."""
    if bits >= 0:
        return value << bits
    return -(-value >> -bits) if up else value >> -bits


_BOUNDS: dict[str, Callable[..., Bounds]] = {
    "+": _sum_bounds,
    "*": _product_bounds,
    "/": _quotient_bounds,
    "sqrt": _root_bounds,
    "log2": _logarithm_bounds,
}
"""Operation → the ends of what it makes of ends."""


def _form(value: Number) -> Form:
    if isinstance(value, Real):
        return value.form
    bits = abs(value.numerator).bit_length(), value.denominator.bit_length()
    return Form(*bits, frozenset(), logarithmic=False)


def _both(over: int, under: int, left: Form, right: Form) -> Form:
    logarithmic = left.logarithmic or right.logarithmic
    return Form(over, under, left.roots | right.roots, logarithmic)


def _sum_form(a: Form, b: Form, *_: Number) -> Form:
    return _both(max(a.over + b.under, a.under + b.over) + 1, a.under + b.under, a, b)


def _product_form(a: Form, b: Form, *_: Number) -> Form:
    return _both(a.over + b.over, a.under + b.under, a, b)


def _quotient_form(a: Form, b: Form, *_: Number) -> Form:
    return _both(a.over + b.under, a.under + b.over, a, b)


def _root_form(of: Form, value: Number) -> Form:
    """``sqrt(U/L)`` is ``sqrt(U·L)/L``."""
    return of._replace(over=(of.over + of.under + 1) // 2, roots=of.roots | {_key(value)})


def _logarithm_form(of: Form, _: Number) -> Form:
    return of._replace(logarithmic=True)


_FORMS: dict[str, Callable[..., Form]] = {
    "+": _sum_form,
    "*": _product_form,
    "/": _quotient_form,
    "sqrt": _root_form,
    "log2": _logarithm_form,
}
"""Operation → the form of what it makes of forms."""


def square_root(x: Number) -> Number:
    """A root: a fraction where it is one.

    Raises:
        ExpressionError: of a negative number.
    """
    if x < 0:
        raise ExpressionError("a root of a negative number")
    return _exact_or("sqrt", arithmetic.square_root, x)


def binary_logarithm(x: Number) -> Number:
    """A logarithm: an integer where it is one.

    Raises:
        ExpressionError: of a number that is not positive.
    """
    if x <= 0:
        raise ExpressionError("a logarithm of a number that is not positive")
    return _exact_or("log2", arithmetic.binary_logarithm, x)


def _exact_or(name: str, exactly: Callable[[Rational], Rational], x: Number) -> Number:
    if not isinstance(x, Real):
        try:
            return exactly(x)
        except arithmetic.IrrationalError:
            pass
    return Real(name, x)


def divide(x: Number, y: Number) -> Number:
    """A quotient.

    Raises:
        ExpressionError: by 0.
    """
    if y == 0:
        raise ExpressionError("a division by zero")
    if isinstance(x, Real) or isinstance(y, Real):
        return Real("/", x, y)
    return arithmetic.ratio(x, y)


def whole(x: Number) -> int:
    """The largest integer that is not more."""
    return floor(x)


def round_to(x: Number, divisor: Number) -> Number:
    """A multiple of a divisor (see `archspec.arithmetic.round_to`).

    Raises:
        ExpressionError: the divisor is no positive integer.
    """
    if isinstance(divisor, Real):
        raise ExpressionError("round_to needs a positive integer divisor")
    return arithmetic.round_to(x, divisor)  # type: ignore[arg-type]

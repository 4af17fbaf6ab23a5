"""The trend of an expression of one symbol, and the places where it steps.

Both are read off its form. What the form does not show is not claimed: None, "it is not proved".
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, gcd, lcm, prod
from typing import NamedTuple

from sympy import Add, Dummy, Expr, Mul, Poly, PolynomialError, Pow, Symbol, together

from archspec.arithmetic import Rational
from costmodel.algebra.bounds import (
    MAX_TERMS,
    is_never_negative,
    is_positive,
    lower_bound,
    polynomial_bound,
    upper_bound,
)
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Log2,
    Maximum,
    Minimum,
    Quotient,
    RoundTo,
    exact,
    is_whole,
    plain,
)


def trend(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    """Return how an expression goes as its one symbol grows from a least value on.

    1 says that it never falls, −1 that it never rises, 0 that it stays.
    """
    if not expression.has(symbol):
        return 0
    if expression.is_Symbol:
        return 1
    find = _TRENDS.get(type(expression))
    return find(expression, symbol, least) if find else None


def _common(trends: Iterable[int | None]) -> int | None:
    """Return the trend of a function that rises with all of its parts."""
    found = set(trends) - {0}
    return found.pop() if len(found) == 1 else None


def _of_parts(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    return _common(trend(arg, symbol, least) for arg in expression.args)


def _of_sum(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    """Return the trend that all terms share, or that of a quotient of polynomials."""
    found = _of_parts(expression, symbol, least)
    return _of_polynomials(expression, symbol, least) if found is None else found


def _of_polynomials(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    """``(p/q)' = (p'·q − p·q')/q²``: its sign where all coefficients from there on have one."""
    try:
        parts = together(expression).as_numer_denom()
        numerator, denominator = (_shifted(part, symbol, least) for part in parts)
    except PolynomialError:
        return None
    slope = numerator.diff() * denominator - numerator * denominator.diff()
    signs = {c > 0 for c in slope.coeffs() if c}
    never_zero = denominator.eval(0) != 0 and len({c > 0 for c in denominator.coeffs()}) == 1
    return (1 if signs.pop() else -1) if len(signs) == 1 and never_zero else None


def is_never_positive(
    expression: Expr, symbol: Symbol, least: Rational, *, strictly: bool = False
) -> bool:
    """Return True where the form proves an expression to be at most 0 for good; strictly, below 0.

    A quotient over what is positive has the sign of its dividend.
    """
    numerator, denominator = together(expression).as_numer_denom()
    if not _is_positive(denominator, symbol, least) or len(Add.make_args(numerator)) > MAX_TERMS:
        return False
    most = upper_bound(numerator, {symbol: least})
    if most is not None and (most < 0 or (most == 0 and not strictly)):
        return True
    found = polynomial_bound(-numerator, {symbol: least})
    return found is not None and is_never_negative(found) and not (strictly and found.nth(0) <= 0)


def has_one_root(expression: Expr, symbol: Symbol, least: Rational) -> bool:
    """Return True for a polynomial with at most one root above a value, by Descartes' signs."""
    try:
        shifted = _shifted(expression, symbol, least)
    except PolynomialError:
        return False
    signs = [bool(c > 0) for c in shifted.all_coeffs() if c]
    return sum(a != b for a, b in pairwise(signs)) <= 1


def _shifted(expression: Expr, symbol: Symbol, least: Rational) -> Poly:
    """Return a polynomial in a variable that counts from the symbol's smallest value."""
    return Poly(expression, symbol, domain="QQ").compose(Poly(symbol + exact(least), symbol))


def _of_product(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    """Return the trend of factors of one sign each that all grow alike in size."""
    number, rest = expression.as_coeff_Mul()
    factors = Mul.make_args(rest)
    signs = [1] if len(factors) == 1 else [_sign(f, symbol, least) for f in factors]
    trends = (trend(factor, symbol, least) for factor in factors)
    found = _common(map(_turned, trends, signs))
    if found is None:
        return _of_polynomials(expression, symbol, least)
    return prod(sign or 0 for sign in signs) * (-found if number < 0 else found)


def _turned(found: int | None, sign: int | None) -> int | None:
    return None if found is None or sign is None else sign * found


def _sign(factor: Expr, symbol: Symbol, least: Rational) -> int | None:
    """Return 1 for a factor that is never negative, −1 for one that is never positive."""
    for sign in (1, -1):
        bound = lower_bound(sign * factor, {symbol: least})
        if bound is not None and bound >= 0:
            return sign
    return None


def _of_power(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    """Return the trend by that of the base's size; ``(−x)**2 = x**2``, ``(−x)**3 = −x**3``.

    An odd positive power rises with its base whatever the sign.
    """
    base, exponent = expression.args
    if not exponent.is_Rational:
        return None
    odd = bool(exponent.is_Integer and exponent % 2 == 1)
    sign = 1 if odd and exponent > 0 else _sign(base, symbol, least)
    if sign is None or (sign < 0 and not exponent.is_Integer):
        return None
    flips = bool(exponent < 0) + (sign < 0 and not odd)
    return _turned(trend(base, symbol, least), (-1) ** flips)


def _of_quotient(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    """Return the trend of ``x/q`` or its floor: that of x, and against that of a positive q."""
    x, q = expression.args
    if not q.has(symbol):
        return _turned(trend(x, symbol, least), -1 if q < 0 else 1)
    sign = _sign(x, symbol, least)
    if sign is None or not _is_positive(q, symbol, least):
        return None
    return _common((trend(x, symbol, least), _turned(trend(q, symbol, least), -sign)))


def _is_positive(expression: Expr, symbol: Symbol, least: Rational) -> bool:
    bound = lower_bound(expression, {symbol: least})
    return is_positive(expression) or (bound is not None and bound > 0)


def _of_rounded(expression: Expr, symbol: Symbol, least: Rational) -> int | None:
    x, divisor = expression.args
    return trend(x, symbol, least) if divisor.is_Rational else None


_TRENDS: dict[type, Callable[[Expr, Symbol, Rational], int | None]] = {
    Add: _of_sum,
    Mul: _of_product,
    Pow: _of_power,
    FloorDiv: _of_quotient,
    Quotient: _of_quotient,
    RoundTo: _of_rounded,
    Maximum: _of_parts,
    Minimum: _of_parts,
    Log2: _of_parts,
}


class Steps:
    """The places where an expression steps: at floors and roundings of lines in its symbol.

    Between two of these places a step function is constant. A floor may have others beside the
    symbol under it, as ``(8*w + 1 + 2*ceil(w))//4``: these are integers, between their own steps
    constant, and it steps at multiples of what divides both its divisor and their coefficients.

    Args:
        expressions: of this symbol alone.
        symbol: the symbol.
    """

    def __init__(self, expressions: Iterable[Expr], symbol: Symbol) -> None:
        self.symbol = symbol
        found = set().union(*(e.atoms(FloorDiv, RoundTo) for e in expressions))
        self.floors = [step for step in found if step.has(symbol)]
        self.lines = {step: list(_lines(step, symbol)) for step in self.floors}
        self.others = [e for e in expressions if _without_steps(e, symbol).has(symbol)]

    @property
    def are_all(self) -> bool:
        """Return whether all places are known: in between, all is constant or a line."""
        known = all(None not in lines for lines in self.lines.values())
        return known and all(linear(e, self.symbol) for e in self.others)

    def within(self, low: Rational, high: Rational) -> Iterator[Fraction]:
        """Yield the places where a step may be, ``low < place <= high``, unordered."""
        for places in self._places:
            yield from places.within(low, high)

    def count(self, low: Rational, high: Rational) -> int:
        """Return about how many places there are, without listing them."""
        return sum(places.between(low, high) for places in self._places)

    def after(self, value: Rational) -> Fraction | None:
        """Return the first place beyond a value; None where nothing steps."""
        return min((places.after(value) for places in self._places), default=None)

    def before(self, value: Rational) -> Fraction | None:
        """Return the last place below a value; None where nothing steps."""
        return max((places.before(value) for places in self._places), default=None)

    @cached_property
    def _places(self) -> frozenset["Places"]:
        """Return, for every step, the places where its argument reaches a level."""
        return frozenset(
            Places(unit / abs(line.slope), (offset - line.start) / line.slope)
            for step, lines in self.lines.items()
            for line in filter(None, lines)
            for unit, offset in _units(step, line.grain)
        )


class Places(NamedTuple):
    """Places at one distance from each other, without end: ``distance·k + start``."""

    distance: Fraction
    start: Fraction

    def _number(self, value: Rational) -> Fraction:
        """Return how many distances a value lies beyond the start."""
        return (value - self.start) / self.distance

    def _at(self, number: int) -> Fraction:
        return self.start + number * self.distance

    def after(self, value: Rational) -> Fraction:
        """Return the first place beyond a value."""
        return self._at(floor(self._number(value)) + 1)

    def before(self, value: Rational) -> Fraction:
        """Return the last place below a value."""
        return self._at(ceil(self._number(value)) - 1)

    def between(self, low: Rational, high: Rational) -> int:
        """Return how many places there are, ``low < place <= high``."""
        return floor(self._number(high)) - floor(self._number(low))

    def within(self, low: Rational, high: Rational) -> Iterator[Fraction]:
        """Return the places themselves."""
        first, last = floor(self._number(low)) + 1, floor(self._number(high))
        return map(self._at, range(first, last + 1))


class _Line(NamedTuple):
    """The argument of a floor: ``slope·x + start``, and integers times multiples of a grain."""

    slope: Fraction
    start: Fraction
    grain: Fraction


def _without_steps(x: Expr, symbol: Symbol) -> Expr:
    """Return an expression with an integer for every floor and rounding of the symbol in it."""
    steps = (step for step in x.atoms(FloorDiv, RoundTo) if step.has(symbol))
    return x.xreplace({step: Dummy(integer=True) for step in steps})


def _lines(step: Expr, symbol: Symbol) -> Iterator[_Line | None]:
    """Yield the lines that the argument of a step consists of; None for one that is no line."""
    x, divisor = (_without_steps(arg, symbol) for arg in step.args)
    if not (x.has(symbol) or divisor.has(symbol)):
        return
    if divisor.is_Rational:
        yield from (_line(branch, symbol) for branch in _branches(x) if branch.has(symbol))
    else:
        yield None


def _branches(x: Expr) -> Iterator[Expr]:
    """Yield an expression once for each choice of arguments for its extrema."""
    extremum = next(iter(x.atoms(Extremum)), None)
    if extremum is None:
        yield x.expand()
    else:
        for arg in extremum.args:
            yield from _branches(x.xreplace({extremum: arg}))


def _line(x: Expr, symbol: Symbol) -> _Line | None:
    """Return the line that an expression is but for integers, or None."""
    terms = [term.as_coeff_Mul() for term in Add.make_args(x)]
    steps = [(factor, rest) for factor, rest in terms if rest.has(Dummy)]
    line = linear(Add(*(factor * rest for factor, rest in terms if not rest.has(Dummy))), symbol)
    if line is None or not all(is_whole(rest) and not rest.has(symbol) for _, rest in steps):
        return None
    return _Line(*line, _common_measure(Fraction(plain(factor)) for factor, _ in steps))


def _common_measure(numbers: Iterable[Fraction]) -> Fraction:
    """Return the largest number of which all are integer multiples; 0 of none."""
    several = tuple(numbers)
    denominator = lcm(*(number.denominator for number in several))
    whole = (int(number * denominator) for number in several)
    return Fraction(gcd(*whole), denominator)


def linear(x: Expr, symbol: Symbol) -> tuple[Fraction, Fraction] | None:
    """Slope and start of ``a·x + b``, or None for what is no such line."""
    slope = x.coeff(symbol)
    start = x - slope * symbol
    if not (slope.is_Rational and start.expand().is_Rational and slope != 0):
        return None
    return Fraction(plain(slope)), Fraction(plain(start.expand()))


def _units(step: Expr, grain: Fraction) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return the levels at which a function steps: multiples of a unit, from an offset on.

    A floor steps at multiples of q; ``round_to`` halfway between multiples of d, and where a tenth
    would be lost, at multiples of ``10·d/9``. What is added in multiples of a grain moves them.
    """
    unit = Fraction(plain(step.args[1]))
    units = [(unit, Fraction(0))]
    if isinstance(step, RoundTo):
        units = [(unit, unit / 2), (unit * 10 / 9, Fraction(0))]
    return tuple((_common_measure((unit, grain)), offset) for unit, offset in units)

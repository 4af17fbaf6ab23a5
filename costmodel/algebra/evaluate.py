"""The exact value of an expression at numbers, in Python's integers and fractions."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import lcm, prod
from typing import Any, NamedTuple

from sympy import Add, Expr, Mul, Pow, Symbol

from archspec import arithmetic
from archspec.arithmetic import Rational
from archspec.expressions import ExpressionError, TooLargeError
from costmodel.algebra.functions import (
    FloorDiv,
    LargestOfIterations,
    Log2,
    Maximum,
    Minimum,
    Quantity,
    Quotient,
    RoundTo,
    amount_of,
    plain,
    symbols_in,
)


def _power(base: Rational, exponent: Rational) -> Rational:
    if exponent.denominator == 2:
        return arithmetic.power(arithmetic.square_root(base), exponent.numerator)
    return arithmetic.power(base, exponent)


_FUNCTIONS: dict[type, Callable[..., Rational]] = {
    FloorDiv: arithmetic.OPERATORS["//"],
    RoundTo: arithmetic.round_to,
    Maximum: max,
    Minimum: min,
    Log2: arithmetic.binary_logarithm,
    Quotient: arithmetic.OPERATORS["/"],
    Add: lambda *terms: sum(terms),
    Mul: lambda *factors: prod(factors),
    Pow: _power,
}


MAX_ITERATIONS = 100_000
"""The most turns that are compared one by one."""

MAX_COUNT_BITS = 4_096  # more than any count has


class Evaluator:
    """The values of expressions at one assignment; shared parts are evaluated once.

    Args:
        values: symbol → number.
    """

    def __init__(self, values: Mapping[Symbol, Rational]) -> None:
        self.values = values
        self.known: dict[Any, Rational] = dict(values)

    def at_iteration(self, index: Symbol, iteration: Rational) -> "Evaluator":
        """Return the evaluator of the same assignment in one iteration of a repeat."""
        return Evaluator({**self.values, index: iteration})

    def __call__(self, expression: Expr) -> Rational:
        """Return the exact value.

        Raises:
            KeyError: a symbol has no value.
            ExpressionError: there is no exact value (a division by zero, an irrational root).
            TooLargeError: it is larger than any network needs.
        """
        if expression not in self.known:
            value = arithmetic.tidy(self._compute(expression))
            if max(abs(value.numerator), value.denominator).bit_length() > MAX_COUNT_BITS:
                raise TooLargeError(f"a count of more than {MAX_COUNT_BITS:,} bits")
            self.known[expression] = value
        return self.known[expression]

    def _compute(self, expression: Expr) -> Rational:
        if expression.is_Rational:
            return plain(expression)
        if isinstance(expression, Symbol):
            raise KeyError(expression.name)
        if isinstance(expression, LargestOfIterations):
            return self._largest(*expression.args)
        if isinstance(expression, Quantity):
            return self(amount_of(expression))
        return _FUNCTIONS[type(expression)](*(self(arg) for arg in expression.args))

    def _largest(self, expression: Expr, index: Symbol, count: Expr) -> Rational:
        """Return the largest value over all iterations, or 0 if there is none.

        Raises:
            ExpressionError: there are too many turns.
        """
        iterations = self(count)
        if iterations > MAX_ITERATIONS:
            raise ExpressionError(f"more than {MAX_ITERATIONS:,} turns to compare")
        found = _column(expression, index, Fractions(range(int(iterations))), self).values
        return max(found, default=0)


class Fractions(NamedTuple):
    """Fractions with one denominator, which are computed with as fast as integers."""

    numerators: Sequence[int]
    denominator: int = 1

    def over(self, denominator: int) -> list[int]:
        """Return the numerators over a multiple of the denominator."""
        factor = denominator // self.denominator
        return [factor * x for x in self.numerators] if factor != 1 else list(self.numerators)

    @property
    def values(self) -> list[Rational]:
        """The fractions; integers where they are."""
        if self.denominator == 1:
            return list(self.numerators)
        return [arithmetic.tidy(Fraction(x, self.denominator)) for x in self.numerators]


def column_of(values: Sequence[Rational]) -> Fractions:
    """Return some numbers over one denominator."""
    denominator = lcm(*{value.denominator for value in values})
    return Fractions([x.numerator * (denominator // x.denominator) for x in values], denominator)


def values_over(expression: Expr, symbol: Symbol, points: Sequence[Rational]) -> list[Rational]:
    """Return the exact values of an expression of one symbol, point by point.

    Raises:
        KeyError: it has another symbol, or another function.
        ExpressionError: there is no exact value at a point.
    """
    return _column(expression, symbol, column_of(points), Evaluator({})).values


def _column(expression: Expr, symbol: Symbol, points: Fractions, evaluate: Evaluator) -> Fractions:
    """Return the values of an expression, worked out from those of its arguments."""
    if expression == symbol:
        return points
    if symbol not in symbols_in(expression):
        value = evaluate(expression)
        return Fractions([value.numerator] * len(points.numerators), value.denominator)
    if isinstance(expression, LargestOfIterations):
        return column_of([evaluate.at_iteration(symbol, i)(expression) for i in points.values])
    columns = [_column(arg, symbol, points, evaluate) for arg in expression.args]
    find = _COLUMNS.get(type(expression))
    if find is not None:
        return find(columns)
    compute = _FUNCTIONS[type(expression)]
    rows = zip(*(column.values for column in columns), strict=True)
    return column_of([compute(*row) for row in rows])


def _alike(combine: Callable[..., int], columns: Sequence[Fractions]) -> Fractions:
    """Combine numerators over one denominator, as sums and extrema do."""
    denominator = lcm(*(column.denominator for column in columns))
    rows = zip(*(column.over(denominator) for column in columns), strict=True)
    return Fractions(list(map(combine, rows)), denominator)


def _products(columns: Sequence[Fractions]) -> Fractions:
    """Multiply numerators and denominators."""
    rows = zip(*(column.numerators for column in columns), strict=True)
    return Fractions(list(map(prod, rows)), prod(column.denominator for column in columns))


def _floors(columns: Sequence[Fractions]) -> Fractions:
    """``(a/b)//(c/d) = (a·d)//(b·c)``."""
    x, q = columns
    if 0 in q.numerators:
        raise ExpressionError("division by zero")
    pairs = zip(x.numerators, q.numerators, strict=True)
    return Fractions([a * q.denominator // (x.denominator * c) for a, c in pairs])


def _roundings(columns: Sequence[Fractions]) -> Fractions:
    """``round_to(a/b, d)``: the nearest multiple of d, halves up, at least d and 90 % of a/b."""
    (numerators, b), divisors = columns
    if divisors.denominator != 1 or min(divisors.numerators, default=1) <= 0:
        raise ExpressionError("round_to needs a positive integer divisor")
    found: list[int] = []
    for a, d in zip(numerators, divisors.numerators, strict=True):
        rounded = max(d, (2 * a + d * b) // (2 * b * d) * d)
        found.append(rounded + d if 10 * rounded * b < 9 * a else rounded)
    return Fractions(found)


_COLUMNS: dict[type, Callable[[Sequence[Fractions]], Fractions]] = {
    Add: partial(_alike, sum),
    Minimum: partial(_alike, min),
    Maximum: partial(_alike, max),
    Mul: _products,
    FloorDiv: _floors,
    RoundTo: _roundings,
}

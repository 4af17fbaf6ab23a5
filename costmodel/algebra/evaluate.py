"""The exact value of an expression at numbers, in Python's integers and fractions."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from sympy import Add, Expr, Mul, Pow, Symbol
from sympy.core.numbers import Rational

from archspec import arithmetic
from archspec.expressions import ExpressionError, TooLargeError
from costmodel.algebra.functions import (
    FloorDiv,
    LargestTurn,
    Log2,
    Maximum,
    Minimum,
    Quantity,
    Quotient,
    RoundTo,
    amount_of,
    plain,
)

Value = int | Fraction


def _power(base: Value, exponent: Value) -> Value:
    if exponent.denominator == 2:
        return arithmetic.power(arithmetic.square_root(base), exponent.numerator)
    return arithmetic.power(base, exponent)


_FUNCTIONS: dict[type, Callable[..., Value]] = {
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


MAX_TURNS = 100_000
"""The most turns that are compared one by one."""

MAX_COUNT_BITS = 4_096  # more than any count has


def bounded(value: Value) -> Value:
    """The value, if it is no larger than any network needs.

    Raises:
        TooLargeError: it is.
    """
    if max(abs(value.numerator), value.denominator).bit_length() > MAX_COUNT_BITS:
        raise TooLargeError(f"a count of more than {MAX_COUNT_BITS:,} bits")
    return value


class Evaluator:
    """The values of expressions at one assignment; shared parts are evaluated once.

    Args:
        values: symbol → number.
    """

    def __init__(self, values: Mapping[Symbol, Value]) -> None:
        self.values = values
        self.known: dict[Any, Value] = dict(values)

    def at_turn(self, index: Symbol, turn: int) -> "Evaluator":
        """The same assignment in a turn of a repeat."""
        return Evaluator({**self.values, index: turn})

    def __call__(self, expression: Expr) -> Value:
        """The exact value.

        Raises:
            KeyError: a symbol has no value.
            ExpressionError: there is no exact value (a division by zero, an irrational root).
        """
        if expression not in self.known:
            self.known[expression] = bounded(arithmetic.tidy(self._compute(expression)))
        return self.known[expression]

    def _compute(self, expression: Expr) -> Value:
        if isinstance(expression, Rational):
            return plain(expression)
        if isinstance(expression, Symbol):
            raise KeyError(expression.name)
        if isinstance(expression, LargestTurn):
            return self._largest(*expression.args)
        if isinstance(expression, Quantity):
            return self(amount_of(expression))
        return _FUNCTIONS[type(expression)](*(self(arg) for arg in expression.args))

    def _largest(self, expression: Expr, index: Symbol, count: Expr) -> Value:
        """Turn by turn; of no turn 0.

        Raises:
            ExpressionError: there are too many turns.
        """
        turns = self(count)
        if turns > MAX_TURNS:
            raise ExpressionError(f"more than {MAX_TURNS:,} turns to compare")
        values = (self.at_turn(index, i)(expression) for i in range(int(turns)))
        return max(values, default=0)


def values_over(expression: Expr, symbol: Symbol, points: Sequence[Value]) -> list[Value]:
    """The exact values of an expression of one symbol, point by point.

    Raises:
        KeyError: it has another symbol, or another function.
        ExpressionError: there is no exact value at a point.
    """
    if expression == symbol:
        return list(points)
    if isinstance(expression, Rational):
        return [plain(expression)] * len(points)
    columns = [values_over(arg, symbol, points) for arg in expression.args]
    compute = _FUNCTIONS[type(expression)]
    return [compute(*row) for row in zip(*columns, strict=True)]

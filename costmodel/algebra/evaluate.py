"""The exact value of an expression at numbers, in Python's integers and fractions."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from typing import Any

from sympy import Add, Expr, Mul, Pow, Symbol
from sympy.core.numbers import Rational

from archspec import arithmetic
from costmodel.algebra.functions import FloorDiv, Log2, Maximum, Minimum, Quotient, RoundTo, plain

Value = int | Fraction

_FUNCTIONS: dict[type, Callable[..., Value]] = {
    FloorDiv: lambda x, q: x // q,
    RoundTo: arithmetic.round_to,
    Maximum: max,
    Minimum: min,
    Log2: arithmetic.binary_logarithm,
    Quotient: lambda x, q: Fraction(x) / q,
    Add: lambda *terms: sum(terms),
    Mul: lambda *factors: prod(factors),
}


class Evaluator:
    """The values of expressions at one assignment; shared parts are evaluated once.

    Args:
        values: symbol → number.
    """

    def __init__(self, values: Mapping[Symbol, Value]) -> None:
        self.known: dict[Any, Value] = dict(values)

    def __call__(self, expression: Expr) -> Value:
        """The exact value.

        Raises:
            KeyError: a symbol has no value.
            ExpressionError: there is no exact value (a division by zero, an irrational root).
        """
        if expression not in self.known:
            self.known[expression] = arithmetic.tidy(self._compute(expression))
        return self.known[expression]

    def _compute(self, expression: Expr) -> Value:
        if isinstance(expression, Rational):
            return plain(expression)
        if isinstance(expression, Symbol):
            raise KeyError(expression.name)
        arguments = [self(arg) for arg in expression.args]
        if isinstance(expression, Pow):
            return _power(*arguments)
        return _FUNCTIONS[type(expression)](*arguments)


def _power(base: Value, exponent: Value) -> Value:
    if exponent == Fraction(1, 2):
        return arithmetic.square_root(base)
    return arithmetic.power(base, exponent)

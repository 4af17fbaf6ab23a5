"""The derivative of a closed form, or its slope where steps are taken to rise evenly."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod

from sympy import Add, Expr, Mul, Pow, Symbol

from archspec.arithmetic import OPERATORS, Rational, tidy
from archspec.expressions import ExpressionError
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Log2,
    Maximum,
    Minimum,
    Operation,
    Quotient,
    RoundTo,
)
from costmodel.algebra.normal_form import by_resolution
from costmodel.algebra.once import once
from costmodel.algebra.printing import text


def obstacle(law: Expr, symbol: Symbol) -> str | None:
    """Return the reason why a law has no derivative: ``h stands in ceil(h/2), which steps``."""
    functions = (
        function
        for function in law.atoms(Operation)
        if not isinstance(function, Quotient) and symbol in function.free_symbols
    )
    found = min(  # steps before bends, short before long
        functions,
        key=lambda f: (isinstance(f, Extremum), f.count_ops(), f.sort_key()),
        default=None,
    )
    if found is None:
        return None
    shown = text(-found if found.args[0].could_extract_minus_sign() else found)
    name = shown if len(shown) <= MAX_SHOWN else f"{shown[: shown.index('(')]}(…)"
    return f"{symbol} stands in {name}, which {_FAULTS.get(type(found), 'steps')}"


_FAULTS: dict[type, str] = {Maximum: "bends", Minimum: "bends", Log2: "is no fraction of powers"}


MAX_SHOWN = 40
"""The longest function that a reason shows whole."""


def derivative(law: Expr, symbol: Symbol) -> Expr:
    """Return the exact derivative of a law in which nothing is an `obstacle`."""
    fractions = law.replace(Quotient, lambda over, under: over / under)
    return by_resolution(fractions.diff(symbol))


class Derivatives:
    """The slopes of expressions at numbers while symbols rise, each at a speed of its own.

    Where there is a derivative, the slope is it. ``x//q`` is taken to rise evenly from the value
    that it has, as ``x/q`` does, and ``round_to(x, d)`` as ``x``. Of a maximum of equals the
    steepest counts, of a minimum the flattest: symbols rise.

    Args:
        evaluate: gives the values.
        speeds: symbol → how fast it rises; those not given stay.
    """

    def __init__(self, evaluate: Evaluator, speeds: Mapping[Symbol, Rational]) -> None:
        self.evaluate = evaluate
        self.speeds = speeds
        self.rules: dict[type, Callable[[Expr], Rational]] = {
            Add: lambda e: sum(map(self, e.args)),
            Mul: self._of_product,
            Pow: self._of_power,
            FloorDiv: self._of_quotient,
            Quotient: self._of_quotient,
            RoundTo: lambda e: self(e.args[0]),
            Maximum: lambda e: max(self._of_equals(e)),
            Minimum: lambda e: min(self._of_equals(e)),
        }

    @once
    def __call__(self, expression: Expr) -> Rational:
        """Return the exact slope.

        Raises:
            ExpressionError: it is no rational number.
        """
        if expression in self.speeds or not any(map(self, expression.args)):
            return self.speeds.get(expression, 0)
        if type(expression) not in self.rules:
            raise ExpressionError(f"the slope of {text(expression)} is no rational number")
        return tidy(self.rules[type(expression)](expression))

    def _of_product(self, expression: Expr) -> Rational:
        """``(a·b)' = a'·b + a·b'``."""
        values = list(map(self.evaluate, expression.args))
        slopes = enumerate(map(self, expression.args))
        return sum(s * prod(values[:i] + values[i + 1 :]) for i, s in slopes if s)

    def _of_power(self, expression: Expr) -> Rational:
        """``(x**k)' = k·x'·x**k/x`` for a number k; 0 where x is 0 and k more than 1."""
        base, exponent = expression.args
        if not exponent.is_Rational:
            raise ExpressionError(f"the slope of {text(expression)} is no rational number")
        value, times = self.evaluate(base), self.evaluate(exponent)
        if value == 0 and times > 1:
            return 0
        return times * self(base) * OPERATORS["/"](self.evaluate(expression), value)

    def _of_quotient(self, expression: Expr) -> Rational:
        """``(x/q)' = (x'·q − x·q')/q²``."""
        (x, q), (dx, dq) = map(self.evaluate, expression.args), map(self, expression.args)
        return (dx * q - x * dq) / Fraction(q) ** 2

    def _of_equals(self, expression: Expr) -> list[Rational]:
        """Return the slopes of those that are the extremum."""
        value = self.evaluate(expression)
        return [self(arg) for arg in expression.args if self.evaluate(arg) == value]

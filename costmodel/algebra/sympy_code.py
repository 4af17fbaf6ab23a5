"""The texts that sympy's code printers (``lambdify``, ``ccode``, …) write for the functions here.

Integers come out exactly: a floor is the floor of one division, in C and JavaScript of doubles,
which is exact below 2**53. A printer of another language refuses a function that it has no text
for.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sympy import Expr, Max, Min, Piecewise

from costmodel.algebra.functions import (
    FloorDiv,
    Log2,
    Maximum,
    Minimum,
    Operation,
    Quantity,
    Quotient,
    RoundTo,
    floor_div,
)

_PYTHON = ("_pythoncode", "_numpycode", "_scipycode", "_cupycode", "_jaxcode", "_lambdacode")
"""The methods that printers of Python, and of what looks like it, ask for."""

FLOORS = {
    **dict.fromkeys(_PYTHON, "{}//{}"),
    "_ccode": "floor((double){}/{})",
    "_javascript": "Math.floor({}/{})",
}
"""Printer's method → the floor of a quotient in its language."""


_ATOM = 100
"""Precedence of what never needs parentheses."""


def _log2(x: Expr) -> Expr:
    from sympy.codegen.cfunctions import log2  # takes 30 ms to import

    return log2(x)


def _rounded(x: Expr, divisor: Expr) -> Expr:
    """Return ``round_to`` as a case distinction (see `archspec.arithmetic.round_to`)."""
    nearest = Max(divisor, divisor * floor_div(2 * x + divisor, 2 * divisor), evaluate=False)
    return Piecewise((nearest + divisor, 10 * nearest < 9 * x), (nearest, True))


IN_SYMPY: Mapping[type[Operation], Callable[..., Expr]] = {
    Maximum: lambda *args: Max(*args, evaluate=False),
    Minimum: lambda *args: Min(*args, evaluate=False),
    RoundTo: _rounded,
    Log2: _log2,
    Quantity: lambda x, _unit: x,
}
"""Function → the same in sympy's own functions."""


def _printed(in_sympy: Callable[..., Expr]) -> Callable[..., str]:
    def write(self: Expr, printer: Any) -> str:
        return str(printer._print(in_sympy(*self.args)))

    return write


def _divided(text: str) -> Callable[..., str]:
    def write(self: Expr, printer: Any) -> str:
        return text.format(*(printer.parenthesize(arg, _ATOM) for arg in self.args))

    return write


for method, floor in FLOORS.items():
    for function, in_sympy in IN_SYMPY.items():
        setattr(function, method, _printed(in_sympy))
    for function in (FloorDiv, Quotient):
        setattr(function, method, _divided(floor))

"""Expression trees of a spec → sympy expressions."""

from collections.abc import Callable

from sympy import Expr, sqrt

from archspec.trees import Binary, Call, Measure, Name, Number, Tree, Unary
from costmodel.algebra.functions import (
    Log2,
    Maximum,
    Minimum,
    RoundTo,
    ceil_div,
    exact,
    floor_div,
)

MAX_EXPONENT = 64

Lookup = Callable[[Name | Measure], Expr]
"""The value of a symbol, or of an axis of a tensor."""

_BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": floor_div,
    "%": lambda a, b: a - b * floor_div(a, b),
    "**": lambda a, b: a**b,
}

_CALLS: dict[str, Callable[..., Expr]] = {
    "min": Minimum,
    "max": Maximum,
    "floor": lambda x: floor_div(x, 1),
    "ceil": lambda x: ceil_div(x, 1),
    "round_to": RoundTo,
    "sqrt": sqrt,
    "log2": Log2,
}


def translate(tree: Tree, lookup: Lookup) -> Expr:
    """The sympy expression of a resolved tree.

    Raises:
        ValueError: a comparison stands where a number must stand, or a division by zero.
    """
    match tree:
        case Number(value):
            return exact(value)
        case Name() | Measure():
            return lookup(tree)
        case Unary("-", operand):
            return -translate(operand, lookup)
        case Binary(operator, left, right) if operator in _BINARY:
            return _apply(operator, translate(left, lookup), translate(right, lookup))
        case Call(function, arguments):
            return _CALLS[function](*(translate(a, lookup) for a in arguments))
    raise ValueError("a condition stands where a number must stand")


def _apply(operator: str, left: Expr, right: Expr) -> Expr:
    if operator in ("/", "//", "%") and right.is_zero:
        raise ValueError("division by zero")
    if operator == "**" and not (right.is_Integer and abs(right) <= MAX_EXPONENT):
        raise ValueError(f"the exponent {right} is no integer of at most {MAX_EXPONENT}")
    return _BINARY[operator](left, right)

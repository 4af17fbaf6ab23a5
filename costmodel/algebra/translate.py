"""Expression trees of a spec → sympy expressions."""

from collections.abc import Callable

from sympy import Expr, preorder_traversal, sqrt

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

MAX_EXPONENT = 64  # of a symbol or a number
MAX_SUM_EXPONENT = 8  # of anything that may have to be multiplied out
MAX_DEGREE = 12  # of a size, as a polynomial
MAX_TERMS = 300  # parts of one size
MAX_SIZE_BITS = 256  # of a number in a size

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
    """Return the sympy expression of a resolved tree.

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
            result = _apply(operator, translate(left, lookup), translate(right, lookup))
            return _bounded(result)
        case Call(function, arguments):
            return _CALLS[function](*(translate(a, lookup) for a in arguments))
    raise ValueError("a condition stands where a number must stand")


def _apply(operator: str, left: Expr, right: Expr) -> Expr:
    if operator in ("/", "//", "%") and right.is_zero:
        raise ValueError("division by zero")
    most = MAX_EXPONENT if left.is_Symbol or left.is_Rational else MAX_SUM_EXPONENT
    if operator == "**" and not (right.is_Integer and abs(right) <= most):
        raise ValueError(f"the exponent {right} is no integer of at most {most}")
    return _BINARY[operator](left, right)


def _bounded(expression: Expr) -> Expr:
    """Return the expression, if it is no larger than any network needs.

    Raises:
        ValueError: it has too many parts, or a number or a power in it is too large.
    """
    for count, part in enumerate(preorder_traversal(expression)):
        if count > MAX_TERMS:
            raise ValueError(f"a size of more than {MAX_TERMS} parts")
        if part.is_Rational and max(abs(part.p), part.q).bit_length() > MAX_SIZE_BITS:
            raise ValueError(f"a number of more than {MAX_SIZE_BITS} bits")
        if part.is_Pow and part.exp.is_Integer:
            most = MAX_EXPONENT if part.base.is_Symbol else MAX_SUM_EXPONENT
            if abs(part.exp) > most:
                raise ValueError(f"a power of more than {most}")
    if expression.is_Add and degree(expression) > MAX_DEGREE:
        raise ValueError(f"a size of a degree above {MAX_DEGREE}")
    return expression


def degree(expression: Expr) -> int:
    """Return the degree of an expression; a function has that of its arguments."""
    if expression.is_Symbol:
        return 1
    inner = [degree(arg) for arg in expression.args]
    if expression.is_Mul:
        return sum(inner)
    if expression.is_Pow:
        return inner[0] * int(abs(expression.exp)) if expression.exp.is_Integer else inner[0]
    return max(inner, default=0)

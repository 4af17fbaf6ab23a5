"""Numbers and conditions: which of the two an expression is by its form, whatever its names mean.

A name, or an item of a list, may be either.
"""

from collections.abc import Callable
from typing import TypeVar

from archspec.expressions import COMPARISONS, ExpressionError
from archspec.trees import (
    Binary,
    Call,
    Index,
    Measure,
    Name,
    Number,
    Part,
    Tree,
    Truth,
    Unary,
    Value,
)

V = TypeVar("V", bound=Value)

_CONNECTIVES = (*COMPARISONS, "and", "or", "not")


def is_condition(value: Value) -> bool:
    """Return whether a tree is a truth value, a comparison, or a connective of these."""
    return isinstance(value, Truth) or getattr(value, "operator", None) in _CONNECTIVES


def is_listed(value: Value) -> bool:
    """Return whether a tree is a call that gives a list: the sizes of a tensor, or other order."""
    return isinstance(value, Call) and value.function in ("shape", "reversed")


def is_number(value: Value) -> bool:
    """Return whether a tree is a number or computes one."""
    if is_listed(value):
        return False
    return isinstance(value, Number | Call | Unary | Binary | Measure) and not is_condition(value)


def require_number(value: V) -> V:
    """Return a value that is no condition.

    Raises:
        ExpressionError: it is one.
    """
    if isinstance(value, Truth):
        raise ExpressionError(f"{str(value.value).lower()} is no number")
    if is_condition(value):
        raise ExpressionError("a condition stands where a number must stand")
    return value


def require_condition(value: V) -> V:
    """Return a value, if it is no number.

    Raises:
        ExpressionError: it is one.
    """
    if is_number(value):
        raise no_condition(value)
    return value


def no_condition(value: Value) -> ExpressionError:
    """The error of a number where a condition must stand."""
    shown = str(value.value) if isinstance(value, Number) else "a number"
    return ExpressionError(f"{shown} is no condition; write a comparison, as in x > 0")


def check_operands(tree: Tree) -> None:
    """Check that operators and functions have operands of their sort, and none divides by 0.

    Raises:
        ExpressionError: one has not.
    """
    match tree:
        case Unary(operator, operand):
            _require(operator, operand)
        case Binary(operator, left, right):
            _require(operator, left, right)
            if operator in ("/", "//", "%") and right == Number(0):
                raise ExpressionError("division by zero")
        case Call(_, arguments):
            _require("", *arguments)
        case Index(items, at):
            if not isinstance(items, Name | Index | Part) and not is_listed(items):
                raise ExpressionError("only a list or in_shape can be indexed")
            _require("", items, at)


def _require(operator: str, *operands: Tree) -> None:
    require: Callable[[Tree], Tree] = (
        require_condition if operator in ("and", "or", "not") else require_number
    )
    for operand in operands:
        check_operands(operand)
        require(operand)

"""The value of a formula over a configuration's fields."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from archspec import arithmetic
from archspec.errors import did_you_mean
from archspec.expressions import ExpressionError
from archspec.trees import Binary, Call, Index, Name, Number, Part, Tree, Truth, Unary

MAX_LAYERS = 10_000
"""The most layers that a list may tell apart."""

Values = Mapping[str, Any]
"""Name → a number, a truth value, a list, a mapping, or None where nothing is given."""


def value_of(tree: Tree, values: Values) -> Any:
    """Return the value of a formula.

    ``a or b`` is ``b`` where ``a`` is null; ``each(n, x)`` the list of ``x`` for ``i`` from 0;
    ``choose(c, a, b)`` is ``a`` where ``c`` holds.

    Raises:
        ExpressionError: a name without a meaning, or an operation without a value.
    """
    match tree:
        case Number(value) | Truth(value):
            return value
        case Name() | Part():
            return _looked_up(tree, values)
        case Unary("not", operand):
            return not _truth(value_of(operand, values))
        case Unary(_, operand):
            return -_number(value_of(operand, values))
        case Binary("or", left, right):
            first = value_of(left, values)
            return value_of(right, values) if first is None or first is False else first
        case Binary("and", left, right):
            return _truth(value_of(left, values)) and _truth(value_of(right, values))
        case Binary(operator, left, right):
            return _joined(operator, value_of(left, values), value_of(right, values))
        case Index(items, at):
            return _item(value_of(items, values), value_of(at, values))
        case Call(function, arguments):
            return _called(function, arguments, values)
    raise ExpressionError("this has no value in a configuration")


def names_in(tree: Any) -> Iterator[str]:
    """Yield the names of fields that a formula has."""
    if isinstance(tree, Name | Part):
        yield name_of(tree)
    elif isinstance(tree, tuple):
        for part in tree:
            yield from names_in(part)


def name_of(tree: Tree) -> str:
    """Return the name of a field, which may be inside another: ``text_config.hidden_size``."""
    return f"{name_of(tree.of)}.{tree.name}" if isinstance(tree, Part) else getattr(tree, "id", "?")


def _looked_up(tree: Tree, values: Values) -> Any:
    name = name_of(tree)
    if name not in values:
        raise ExpressionError(f"unknown name '{name}'", hint=did_you_mean(name, values))
    return values[name]


def _number(value: Any) -> arithmetic.Rational:
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"{_shown(value)} stands where a number must stand")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"{_shown(value)} stands where true or false must stand")


def _shown(value: Any) -> str:
    kinds = {list: "a list", dict: "a mapping", str: "a text", bool: "true or false"}
    return kinds.get(type(value), "nothing (null)" if value is None else f"{value}")


def _joined(operator: str, left: Any, right: Any) -> Any:
    if operator in ("==", "!="):
        return arithmetic.RELATIONS[operator](left, right)
    if operator == "+" and isinstance(left, list) and isinstance(right, list):
        return [*left, *right]
    if operator in arithmetic.RELATIONS:
        return arithmetic.RELATIONS[operator](_number(left), _number(right))
    return arithmetic.bounded(arithmetic.OPERATORS[operator](_number(left), _number(right)))


def _item(items: Any, at: Any) -> Any:
    values, index = _list(items), _number(at)
    if not isinstance(index, int) or not -len(values) <= index < len(values):
        raise ExpressionError(f"index {index} is outside a list of {len(values)}")
    return values[index]


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ExpressionError(f"{_shown(value)} stands where a list must stand")


def _called(function: str, arguments: tuple[Tree, ...], values: Values) -> Any:
    if function == "each":
        return _each(value_of(arguments[0], values), arguments[1], values)
    if function == "choose":
        chosen = 1 if _truth(value_of(arguments[0], values)) else 2
        return value_of(arguments[chosen], values)
    found = [value_of(argument, values) for argument in arguments]
    if function in _OF_LISTS:
        return _OF_LISTS[function](*found)
    return arithmetic.bounded(arithmetic.FUNCTIONS[function](*map(_number, found)))


def _each(count: Any, tree: Tree, values: Values) -> list[Any]:
    if not isinstance(count, int) or not 0 <= count <= MAX_LAYERS:
        raise ExpressionError(f"{count} layers; a list tells 0 to {MAX_LAYERS:,} apart")
    return [value_of(tree, {**values, "i": i}) for i in range(count)]


def _parts(items: Any) -> tuple[list[Any], list[Any], int, list[Any]]:
    """Return a list as what comes first, a period, how often it comes, and what is left.

    The shortest way to say it; of several, the one in which less comes first.
    """
    values = _list(items)
    best = (len(values) + 1, 0, len(values), 1)
    for begin in range(min(len(values), MAX_FIRST)):
        for length in range(1, len(values) - begin + 1):
            if begin + length >= best[0]:
                break
            alike = length
            while (
                begin + alike < len(values)
                and values[begin + alike] == values[begin + alike - length]
            ):
                alike += 1
            left = (len(values) - begin - alike) + alike % length
            best = min(best, (begin + length + left, begin, length, alike // length))
    _, begin, length, times = best
    end = begin + length * times
    return values[:begin], values[begin : begin + length], times, values[end:]


MAX_FIRST = 64
"""The most layers that may come before those that repeat."""

_OF_LISTS: Mapping[str, Callable[..., Any]] = {
    "len": lambda items: len(items) if isinstance(items, dict) else len(_list(items)),
    "has": lambda items, value: value in _list(items),
    "first": lambda items: _parts(items)[0],
    "period": lambda items: _parts(items)[1],
    "rounds": lambda items: _parts(items)[2],
    "rest": lambda items: _parts(items)[3],
}

"""Expressions over whole columns, exactly: ratios stay pairs of integers until they are shown.

A column is an array of int64, or of Python's integers, fractions and texts. Of a real metric, as
seconds, the numerators and denominators are columns beside it. Where a bound on a result leaves
64 bits, Python's integers take over; roots and logarithms that are no fractions are `Real`s, and
what is made of them is computed row by row.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from archspec.arithmetic import RELATIONS, tidy
from archspec.expressions import COMPARISONS, ExpressionError
from archspec.trees import Binary, Call, Name, Number, Tree, Truth, Unary, Value
from costmodel.sweep import reals
from costmodel.sweep.frame import Chunk
from costmodel.sweep.memory import Array
from costmodel.sweep.reals import Number as Exact
from costmodel.sweep.reals import Real

MAX_INT64 = 2**63 - 1
MAX_EXACT_FLOAT = 2**53

MAX_POWER = 16
"""The largest exponent of a column."""


class Numbers(NamedTuple):
    """Numbers ``over/under``, of which ``under`` is positive.

    Attributes:
        over: integers as one or as an array.
        under: integers as one or as an array.
        real: whether ``over`` holds any numbers, `Real`s among them, and nothing stands below.
    """

    over: Any
    under: Any = 1
    real: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all are integers because nothing stands below."""
        return isinstance(self.under, int) and self.under == 1 and not self.real

    def whole(self) -> Any:
        """The integers that these are."""
        return self.over if self.is_whole else self.over // self.under


def numbers_of(column: Array) -> Numbers:
    """A column as numbers.

    Raises:
        ExpressionError: there is text in it.
    """
    if column.dtype != object:
        return Numbers(column)
    if any(isinstance(value, str) for value in column):
        raise ExpressionError("this column is text")
    if any(value is None for value in column):
        raise ExpressionError("some networks have no such symbol")
    if all(isinstance(value, int) for value in column):
        return Numbers(column)
    if any(isinstance(value, Real) for value in column):
        return Numbers(column, real=True)
    return Numbers(_narrowed(_OVER(column)), _narrowed(_UNDER(column)))


def constant_of(value: Exact) -> Numbers:
    """One number for all rows."""
    if isinstance(value, Real):
        return Numbers(value, real=True)
    return Numbers(value.numerator, value.denominator)


_OVER = np.frompyfunc(lambda value: value.numerator, 1, 1)
_UNDER = np.frompyfunc(lambda value: value.denominator, 1, 1)
_FLOAT = np.frompyfunc(reals.nearest, 1, 1)
_FRACTION = np.frompyfunc(lambda over, under: tidy(Fraction(over, under)), 2, 1)


def _narrowed(whole: Any) -> Any:
    return whole.astype(np.int64) if _largest(whole) <= MAX_INT64 else whole


def _largest(x: Any) -> int:
    """The largest absolute value, at least 1."""
    if isinstance(x, int):
        return max(abs(x), 1)
    return max(abs(int(x.max())), abs(int(x.min())), 1) if x.size else 1


def _wide(x: Any) -> Any:
    return x.astype(object) if isinstance(x, np.ndarray) and x.dtype == np.int64 else x


def _times(x: Any, y: Any) -> Any:
    if isinstance(x, int) and x == 1:
        return y
    if isinstance(y, int) and y == 1:
        return x
    if _largest(x) * _largest(y) > MAX_INT64:
        x, y = _wide(x), _wide(y)
    return x * y


def _plus(x: Any, y: Any) -> Any:
    if _largest(x) + _largest(y) > MAX_INT64:
        x, y = _wide(x), _wide(y)
    return x + y


def as_floats(x: Numbers) -> Any:
    """The nearest floats; infinite beyond the largest."""
    if not x.real and max(_largest(x.over), _largest(x.under)) <= MAX_EXACT_FLOAT:
        return x.over / x.under
    return np.asarray(_FLOAT(as_fractions(x)), np.float64)


def as_fractions(x: Numbers) -> Any:
    """Exact numbers: one, or an array of Python's integers and fractions."""
    if x.is_whole or x.real:
        return _wide(x.over)
    return _FRACTION(x.over, x.under)


def _add(x: Numbers, y: Numbers) -> Numbers:
    if x.real or y.real:
        return Numbers(as_fractions(x) + as_fractions(y), real=True)
    over = _plus(_times(x.over, y.under), _times(y.over, x.under))
    return Numbers(over, _times(x.under, y.under))


def negative(x: Numbers) -> Numbers:
    """The same with the other sign."""
    return x._replace(over=-x.over)


def _multiply(x: Numbers, y: Numbers) -> Numbers:
    if x.real or y.real:
        return Numbers(as_fractions(x) * as_fractions(y), real=True)
    return Numbers(_times(x.over, y.over), _times(x.under, y.under))


def _divide(x: Numbers, y: Numbers) -> Numbers:
    if x.real or y.real:
        return _QUOTIENT(x, y)
    if np.any(y.over == 0):
        raise ExpressionError("a division by zero")
    over, under = _times(x.over, y.under), _times(x.under, y.over)
    if np.any(under < 0):
        sign = np.where(under < 0, -1, 1)
        return Numbers(over * sign, under * sign)
    return Numbers(over, under)


def _floor(x: Numbers) -> Numbers:
    if x.real:
        return _WHOLE(x)
    return x if x.is_whole else Numbers(x.over // x.under)


def _ceil(x: Numbers) -> Numbers:
    return negative(_floor(negative(x)))


def _floor_divide(x: Numbers, y: Numbers) -> Numbers:
    return _floor(_divide(x, y))


def _remainder(x: Numbers, y: Numbers) -> Numbers:
    return _add(x, negative(_multiply(y, _floor_divide(x, y))))


def _power(x: Numbers, y: Numbers) -> Numbers:
    if not (isinstance(y.over, int) and y.is_whole and abs(y.over) <= MAX_POWER):
        raise ExpressionError(
            f"an exponent is an integer of at most {MAX_POWER}", hint="a root is sqrt(x)"
        )
    result = Numbers(1)
    for _ in range(abs(y.over)):
        result = _multiply(result, x)
    return result if y.over >= 0 else _divide(Numbers(1), result)


def compare(relation: str, x: Numbers, y: Numbers) -> Any:
    """Where a relation holds, by cross-multiplication; nothing is rounded."""
    holds: Callable[[Any, Any], Any] = RELATIONS[relation]
    if x.real or y.real:
        return holds(as_fractions(x), as_fractions(y))
    return holds(_times(x.over, y.under), _times(y.over, x.under))


def _extreme(relation: str) -> Callable[..., Numbers]:
    def chosen(*several: Numbers) -> Numbers:
        best, *others = several
        for other in others:
            best = _either(compare(relation, best, other), best, other)
        return best

    return chosen


def _either(first: Any, x: Numbers, y: Numbers) -> Numbers:
    """The one where a mask is true, the other elsewhere."""
    if x.real or y.real:
        return Numbers(np.where(first, as_fractions(x), as_fractions(y)), real=True)
    whole = x.is_whole and y.is_whole
    under = 1 if whole else _chosen(first, x.under, y.under)
    return Numbers(_chosen(first, x.over, y.over), under)


def _chosen(first: Any, x: Any, y: Any) -> Any:
    if max(_largest(x), _largest(y)) > MAX_INT64:
        x, y = (np.asarray(each, object) for each in (x, y))
    return np.where(first, x, y)


def _one_by_one(function: Callable[..., Exact]) -> Callable[..., Numbers]:
    """A function of numbers, applied row by row."""
    each = np.frompyfunc(function, len(function.__annotations__) - 1, 1)

    def applied(*several: Numbers) -> Numbers:
        found = each(*map(as_fractions, several))
        return numbers_of(found) if isinstance(found, np.ndarray) else constant_of(found)

    return applied


_QUOTIENT = _one_by_one(reals.divide)
_WHOLE = _one_by_one(reals.whole)


_OPERATORS: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "+": _add,
    "-": lambda x, y: _add(x, negative(y)),
    "*": _multiply,
    "/": _divide,
    "//": _floor_divide,
    "%": _remainder,
    "**": _power,
}

_FUNCTIONS: dict[str, Callable[..., Numbers]] = {
    "min": _extreme("<="),
    "max": _extreme(">="),
    "floor": _floor,
    "ceil": _ceil,
    "round_to": _one_by_one(reals.round_to),
    "sqrt": _one_by_one(reals.square_root),
    "log2": _one_by_one(reals.binary_logarithm),
}


OVER, UNDER = "over ", "under "
"""What begins the names of the columns that are a real metric's numerators and denominators."""


def _named(name: str, chunk: Chunk) -> Numbers:
    if f"{OVER}{name}" in chunk:
        return Numbers(chunk[f"{OVER}{name}"], chunk[f"{UNDER}{name}"])
    return numbers_of(chunk[name])


def evaluate(tree: Value, chunk: Chunk) -> Numbers:
    """The numbers of an expression in every row.

    Raises:
        ExpressionError: it has none, as where a column is text or a divisor is 0.
    """
    match tree:
        case Number(value):
            return constant_of(value)
        case Name(name):
            return _named(name, chunk)
        case Unary("-", operand):
            return negative(evaluate(operand, chunk))
        case Binary(operator, left, right) if operator in _OPERATORS:
            return _OPERATORS[operator](evaluate(left, chunk), evaluate(right, chunk))
        case Call(function, arguments):
            return _FUNCTIONS[function](*(evaluate(each, chunk) for each in arguments))
    raise ExpressionError("a condition stands where a number must stand")


def holds(tree: Value, chunk: Chunk) -> Any:
    """Where a condition is true: a mask, or one truth value for all rows.

    Raises:
        ExpressionError: it is no condition.
    """
    match tree:
        case Truth(value):
            return value
        case Unary("not", operand):
            return np.logical_not(holds(operand, chunk))
        case Binary("and", left, right):
            return holds(left, chunk) & holds(right, chunk)
        case Binary("or", left, right):
            return holds(left, chunk) | holds(right, chunk)
        case Binary(relation, left, right) if relation in COMPARISONS:
            return compare(relation, evaluate(left, chunk), evaluate(right, chunk))
    raise ExpressionError("a number stands where a condition must stand")


def is_whole(tree: Tree, wholes: Mapping[str, bool]) -> bool:
    """Whether an expression is an integer in every row, if these names are."""
    match tree:
        case Number(value):
            return value.denominator == 1
        case Name(name):
            return wholes[name]
        case Unary(_, operand):
            return is_whole(operand, wholes)
        case Binary("/", _, _):
            return False
        case Binary("//", _, _):
            return True
        case Binary("**", base, Number(exponent)):
            return exponent >= 0 and is_whole(base, wholes)
        case Binary(_, left, right):
            return is_whole(left, wholes) and is_whole(right, wholes)
        case Call("min" | "max", arguments):
            return all(is_whole(each, wholes) for each in arguments)
        case Call("floor" | "ceil" | "round_to", _):
            return True
    return False

"""The operations of integer programs, on Python's numbers, on arrays, and on bounds of values."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

Bounds = tuple[int, int]
"""The least and the largest value."""


class ArrayOperation(NamedTuple):
    """One operation of a program."""

    number: Callable[..., int]  # of Python's numbers
    array: Callable[..., Any]  # of arrays, element by element
    bounds: Callable[..., Bounds]  # of the result, for the bounds of the arguments
    is_truth: bool = False  # the result says true or false


def _sum_bounds(a: Bounds, b: Bounds) -> Bounds:
    return a[0] + b[0], a[1] + b[1]


def _product_bounds(a: Bounds, b: Bounds) -> Bounds:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _floor_bounds(a: Bounds, b: Bounds) -> Bounds:
    """Return the bounds of ``a//b``, monotone in each for ``b >= 1``; else at most ``|a| + 1``."""
    if b[0] >= 1:
        corners = [x // y for x in a for y in b]
        return min(corners), max(corners)
    largest = max(map(abs, a)) + 1
    return -largest, largest


def _extremum_bounds(choose: Callable[[int, int], int]) -> Callable[[Bounds, Bounds], Bounds]:
    return lambda a, b: (choose(a[0], b[0]), choose(a[1], b[1]))


def _truth(number: Callable[..., Any], array: Callable[..., Any]) -> ArrayOperation:
    return ArrayOperation(
        number, lambda *args: np.asarray(array(*args), bool), lambda *_: (0, 1), is_truth=True
    )


OPERATIONS: Mapping[str, ArrayOperation] = {
    "add": ArrayOperation(lambda a, b: a + b, np.add, _sum_bounds),
    "mul": ArrayOperation(lambda a, b: a * b, np.multiply, _product_bounds),
    "floor": ArrayOperation(lambda a, b: a // b, np.floor_divide, _floor_bounds),
    "max": ArrayOperation(max, np.maximum, _extremum_bounds(max)),
    "min": ArrayOperation(min, np.minimum, _extremum_bounds(min)),
    "eq": _truth(lambda a, b: a == b, np.equal),
    "ne": _truth(lambda a, b: a != b, np.not_equal),
    "ge": _truth(lambda a, b: a >= b, np.greater_equal),
    "gt": _truth(lambda a, b: a > b, np.greater),
    "le": _truth(lambda a, b: a <= b, np.less_equal),
    "lt": _truth(lambda a, b: a < b, np.less),
    "divides": _truth(lambda b, a: a % b == 0, lambda b, a: np.equal(np.remainder(a, b), 0)),
    "and": _truth(lambda a, b: a and b, np.logical_and),
    "or": _truth(lambda a, b: a or b, np.logical_or),
    "not": _truth(lambda a: not a, np.logical_not),
}
"""Name → operation; ``divides(b, a)`` says that ``a`` is a multiple of ``b``."""

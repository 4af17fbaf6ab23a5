"""Comparisons of quotients without rounding: ``a/b < c/d`` as ``a·d < c·b``."""

from fractions import Fraction
from itertools import groupby

import numpy as np

from costmodel.sweep.compiled import MAX_INT64, bounds_in
from costmodel.sweep.memory import Array

Parts = tuple[Array, Array]
"""Numerators, and denominators that are positive, as `Chunk.parts` gives them."""


def less(left: Parts, right: Parts) -> Array:
    """Where one is less than the other; they broadcast."""
    a, c = _crossed(left, right)
    return np.asarray(np.less(a, c), bool)


def equal(left: Parts, right: Parts) -> Array:
    """Where both are the same; they broadcast."""
    a, c = _crossed(left, right)
    return np.asarray(np.equal(a, c), bool)


def _crossed(left: Parts, right: Parts) -> tuple[Array, Array]:
    """``a·d`` and ``c·b``, in int64 where no product can leave it."""
    (a, b), (c, d) = left, right
    largest = [_largest(array) for array in (a, d, c, b)]
    if max(largest[0] * largest[1], largest[2] * largest[3]) > MAX_INT64:
        a, b, c, d = (array.astype(object) for array in (a, b, c, d))
    return a * d, c * b


def _largest(array: Array) -> int:
    bounds = bounds_in(array) or (0, 0)
    return max(1, *map(abs, bounds))


def order(parts: Parts) -> Array:
    """The rows from the least quotient to the largest, equal ones as they come.

    The nearest float64 never orders two quotients the wrong way round; those that have the same are
    compared exactly.
    """
    over, under = (array.astype(object) for array in parts)
    nearest = np.array([a / b for a, b in zip(over, under, strict=True)], np.float64)
    found: list[int] = []
    by_float = np.argsort(nearest, kind="stable")
    for _, rows in groupby(by_float, key=nearest.__getitem__):
        found += _sorted(list(rows), over, under)
    return np.array(found, np.intp)


def _sorted(rows: list[int], over: Array, under: Array) -> list[int]:
    if len(rows) == 1:
        return rows
    return sorted(rows, key=lambda row: Fraction(int(over[row]), int(under[row])))

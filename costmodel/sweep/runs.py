"""The few values of a long column, as the axes of a grid have them, and the places of each."""

from ctypes import c_ssize_t
from typing import NamedTuple

import numpy as np

from costmodel.algebra.operations import Array

FEW = 4
"""Values are few where there are so many times as many rows."""


class Distinct(NamedTuple):
    """A column by its values.

    Attributes:
        values: those that it has, some maybe twice, and some maybe that it has not.
        places: the place of each row's value among them.
    """

    values: Array
    places: Array


def few_values(column: Array) -> Distinct | None:
    """Return the values of a column of which there are few, by identity where they are objects.

    Returns:
        None where rows differ as a rule.
    """
    column = np.ascontiguousarray(column)
    keys = _addresses(column) if column.dtype == object else column.view(np.int64)
    starts = np.append(0, np.flatnonzero(keys[1:] != keys[:-1]) + 1)
    if FEW * len(starts) <= len(column):
        lengths = np.diff(starts, append=len(column))
        return Distinct(column[starts], np.repeat(np.arange(len(starts)), lengths))
    if column.dtype == object:
        _, starts, places = np.unique(keys, return_index=True, return_inverse=True)
        return Distinct(column[starts], places.reshape(-1))
    if column.dtype != np.int64:
        return None
    least, largest = int(column.min()), int(column.max())
    if FEW * (largest - least) > len(column):
        return None
    return Distinct(np.arange(least, largest + 1), column - least)


def distinct_values(column: Array) -> Distinct:
    """Return the values of a column, each once where there are many."""
    return few_values(column) or Distinct(*np.unique(column, return_inverse=True))


def odd_floats(column: Array) -> Array:
    """Return which floats Python writes as others do not: whole, small and large ones."""
    size = np.abs(column)
    found: Array = (size < 1e-4) | (size >= 1e15) | (column == np.floor(column))
    return found


def _addresses(column: Array) -> Array:
    """Return where the objects of a column are: NumPy compares objects by value alone."""
    return np.ctypeslib.as_array((c_ssize_t * len(column)).from_address(column.ctypes.data))

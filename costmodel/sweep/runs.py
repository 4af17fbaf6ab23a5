"""Runs of one object in a column, as the outer axes of a grid have them."""

from ctypes import c_ssize_t
from typing import Any

import numpy as np

from costmodel.algebra.operations import Array


def runs(column: Array) -> tuple[list[Any], list[int]]:
    """Return the object of each run in a column of objects, and how long each run is."""
    starts = _starts(column)
    return column[starts].tolist(), np.diff(starts, append=len(column)).tolist()


def _starts(column: Array) -> Array:
    """Return where runs begin: NumPy compares objects by value alone, so their addresses are."""
    whole = np.ascontiguousarray(column)
    addresses = np.ctypeslib.as_array((c_ssize_t * len(whole)).from_address(whole.ctypes.data))
    return np.flatnonzero(np.diff(addresses, prepend=0))

"""Arrays that are used again once nobody holds them: fresh memory costs more than arithmetic."""

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MAX_KEPT = 2**26
"""The most elements that are kept."""


class Pool:
    """Hands out arrays of eight-byte numbers; what is given back by being forgotten is reused."""

    def __init__(self) -> None:
        self._buffers: dict[int, list[Array]] = {}
        self._kept = 0

    def take(self, size: int, dtype: "np.dtype[Any] | type") -> Array:
        """An array of any values."""
        if np.dtype(dtype).itemsize != ITEM or np.dtype(dtype) == object:
            return np.empty(size, dtype)
        rounded = -(-size // PAGE) * PAGE
        return self._free(rounded)[:size].view(dtype)

    def _free(self, size: int) -> Array:
        known = self._buffers.setdefault(size, [])
        for buffer in known:
            if sys.getrefcount(buffer) == UNHELD:
                return buffer
        buffer = np.empty(size, np.int64)
        if size + self._kept <= MAX_KEPT:
            self._kept += size
            known.append(buffer)
        return buffer


ITEM = 8

PAGE = 512
"""Sizes are multiples of so many elements, so that few differ."""

UNHELD = 3
"""References to a buffer that no array is a part of: the list's, the loop's, the question's."""

POOL = Pool()
"""That of all sweeps of the process."""

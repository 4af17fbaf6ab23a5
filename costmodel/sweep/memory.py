"""Arrays that are used again once nobody holds them: fresh memory costs more than arithmetic."""

import sys
from typing import Any

import numpy as np

from costmodel.sweep.compiled import Array

MAX_KEPT = 2**26
"""The most elements that are kept."""


class Pool:
    """Hands out arrays of eight-byte numbers; what is given back by being forgotten is reused."""

    def __init__(self) -> None:
        self._buffers: list[Array] = []

    def take(self, size: int, dtype: "np.dtype[Any] | type") -> Array:
        """An array of any values."""
        if np.dtype(dtype).itemsize != ITEM or np.dtype(dtype) == object:
            return np.empty(size, dtype)
        return self._free(size)[:size].view(dtype)

    def _free(self, size: int) -> Array:
        for buffer in self._buffers:
            if len(buffer) >= size and sys.getrefcount(buffer) == UNHELD:
                return buffer
        buffer = np.empty(size, np.int64)
        if size + sum(map(len, self._buffers)) <= MAX_KEPT:
            self._buffers.append(buffer)
        return buffer


ITEM = 8

UNHELD = 3
"""References to a buffer that no array is a part of: the list's, the loop's, the question's."""

POOL = Pool()
"""That of all sweeps of the process."""

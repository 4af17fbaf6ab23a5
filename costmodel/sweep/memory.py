"""Arrays that are used again once nobody holds them: fresh memory costs more than arithmetic."""

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MAX_KEPT = 2**26
"""The most elements that are kept."""

ITEM = 8
"""Bytes of an element."""

PAGE = 512
"""Sizes are multiples of so many elements, so that few differ."""


class Pool:
    """Hands out arrays of eight-byte numbers; what is given back by being forgotten is reused.

    An array that is handed out is a view of a buffer, as is every view of it; so a buffer to which
    the pool alone refers is free.
    """

    def __init__(self) -> None:
        self._buffers: dict[int, list[Array]] = {}
        self._kept = 0

    def take(self, size: int, dtype: "np.dtype[Any] | type | str") -> Array:
        """An array of any values."""
        kind = np.dtype(dtype)
        if kind.itemsize != ITEM or kind.kind == "O":
            return np.empty(size, kind)
        rounded = -(-size // PAGE) * PAGE
        return self._free(rounded)[:size].view(kind)

    def _free(self, size: int) -> Array:
        known = self._buffers.setdefault(size, [])
        found = _unheld(known)
        if found is None:
            found = np.empty(size, np.int64)
            if size + self._kept <= MAX_KEPT:
                self._kept += size
                known.append(found)
        return found


def _references(buffers: list[Array]) -> int:
    """How many references the first of some buffers has, seen as `_unheld` sees it."""
    for buffer in buffers:
        return sys.getrefcount(buffer)
    return 0


UNHELD = _references([np.empty(0)])
"""The references to a buffer that only a list holds; how they are counted differs by Python."""

IS_COUNTED = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether all references are counted at once, as they are where threads take turns."""


def _unheld(buffers: list[Array]) -> Array | None:
    """The first buffer that nobody else holds."""
    for buffer in buffers if IS_COUNTED else ():
        if sys.getrefcount(buffer) == UNHELD:
            return buffer
    return None


POOL = Pool()
"""That of all sweeps of the process."""

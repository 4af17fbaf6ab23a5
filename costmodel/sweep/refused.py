"""Rows of points at which there is no network at all: none of them is valid."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from costmodel.sweep.chunk import EVERY, Chunk, Make
from costmodel.sweep.memory import Array


def no_network(rows: int, names: Iterable[str], columns: Iterable[str]) -> Chunk:
    """Rows of which only ``valid`` means anything.

    Args:
        rows: how many.
        names: the symbols.
        columns: what would be evaluated.
    """

    def filled(value: Any) -> Make:
        def make(index: Any) -> Array:
            return np.full(rows if index is EVERY else len(index), value)

        return make

    asked = tuple(columns)
    makers = {name: filled(0) for name in (*names, *asked)}
    hidden = {f"over {name}": filled(0) for name in asked}
    hidden |= {f"under {name}": filled(1) for name in asked}
    return Chunk(rows, {**makers, "valid": filled(False)}, {"met": filled(False), **hidden})

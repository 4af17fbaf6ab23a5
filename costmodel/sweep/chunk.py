"""Some rows of a sweep: columns that are made when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from costmodel.sweep.compiled import Array

Make = Callable[[Any], Array]
"""A column's values at some rows: an index array, or a slice of them all."""

EVERY = slice(None)


class Chunk(Mapping[str, Array]):
    """Rows of a sweep as a mapping: column → one-dimensional array, all of one length.

    Symbols come first, then the columns that were asked for, then ``valid``. A column is made when
    it is first read, and kept; ``take`` makes some rows alone.

    Attributes:
        rows: how many rows there are.
    """

    def __init__(self, rows: int, makers: Mapping[str, Make], hidden: Mapping[str, Make]) -> None:
        self.rows = rows
        self._makers = makers
        self._hidden = hidden
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            self._made[name] = self._make(name, EVERY)
        return self._made[name]

    def _make(self, name: str, rows: Any) -> Array:
        maker = self._makers[name] if name in self._makers else self._hidden[name]
        return maker(rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def column(self, name: str, rows: Any) -> Array:
        """A column at some rows, made of these alone where it is not there yet."""
        return self._made[name][rows] if name in self._made else self._make(name, rows)

    @property
    def valid(self) -> Array:
        """Where the network is valid."""
        return self["valid"]

    @property
    def met(self) -> Array:
        """Where the network is valid and meets what is asked of it."""
        return self["met"]

    def parts(self, name: str) -> tuple[Array, Array]:
        """A column's exact values as numerators and positive denominators."""
        return self[f"over {name}"], self[f"under {name}"]

    def take(self, rows: Any) -> dict[str, Array]:
        """The columns at some rows: an index array or a mask."""
        index = np.flatnonzero(rows) if getattr(rows, "dtype", None) == bool else rows
        return {
            name: self._made[name][index] if name in self._made else self._make(name, index)
            for name in self._makers
        }

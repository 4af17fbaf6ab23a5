"""Some rows of a sweep: columns that are made when they are asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from costmodel.sweep.memory import Array

Make = Callable[[Any], Array]
"""A column's values at some rows: an index array, or a slice of them all."""

EVERY = slice(None)


class Chunk(Mapping[str, Array]):
    """Rows of a sweep as a mapping: column → one-dimensional array, all of one length.

    Symbols come first, then the columns that were asked for, then ``valid``. A column is made when
    it is first read, and kept; ``take`` makes some rows alone.

    Attributes:
        rows: how many rows there are.
        makers: column → what makes it.
        hidden: likewise what stands behind the columns and is none itself.
    """

    def __init__(self, rows: int, makers: Mapping[str, Make], hidden: Mapping[str, Make]) -> None:
        self.rows = rows
        self.makers = makers
        self.hidden = hidden
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self.makers:
            raise KeyError(name)
        return self.column(name)

    def column(self, name: str) -> Array:
        """A column, or something behind one."""
        if name not in self._made:
            self._made[name] = self._make(name, EVERY)
        return self._made[name]

    def _make(self, name: str, rows: Any) -> Array:
        maker = self.makers[name] if name in self.makers else self.hidden[name]
        return maker(rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)

    @property
    def valid(self) -> Array:
        """Where the network is valid."""
        return self["valid"]

    @property
    def met(self) -> Array:
        """Where the network is valid and meets what is asked of it."""
        return self.column("met")

    def parts(self, name: str) -> tuple[Array, Array]:
        """A column's exact values as numerators and positive denominators."""
        return self.column(f"over {name}"), self.column(f"under {name}")

    def take(self, rows: Any) -> dict[str, Array]:
        """The columns at some rows: an index array or a mask."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return {
            name: self._made[name][index] if name in self._made else self._make(name, index)
            for name in self.makers
        }


def with_settings(chunk: Chunk, settings: Mapping[str, Any]) -> Chunk:
    """The same rows behind what was set for all of them."""
    if not settings:
        return chunk

    def constant(value: Any) -> Make:
        return lambda index: _filled(chunk.rows if index is EVERY else len(index), value)

    makers = {name: constant(value) for name, value in settings.items()}
    return Chunk(chunk.rows, {**makers, **chunk.makers}, chunk.hidden)


def _filled(rows: int, value: Any) -> Array:
    found = np.empty(rows, np.int64 if isinstance(value, int) and abs(value) < 2**63 else object)
    found[:] = [value] * rows if found.dtype == object else value
    return found


def joined(parts: Sequence[tuple[Array, Chunk]], order: Sequence[str]) -> Chunk:
    """Chunks as one, each at its rows; the first columns in an order."""
    rows = sum(len(index) for index, _ in parts)
    first = parts[0][1]

    def made(name: str) -> Make:
        def make(index: Any) -> Array:
            arrays = [chunk.column(name) for _, chunk in parts]
            found = np.empty(rows, np.result_type(*(array.dtype for array in arrays)))
            for (places, _), array in zip(parts, arrays, strict=True):
                found[places] = array
            return found if index is EVERY else np.asarray(found[index])

        return make

    names = [*order, *(name for name in first.makers if name not in order)]
    return Chunk(rows, {n: made(n) for n in names}, {n: made(n) for n in first.hidden})

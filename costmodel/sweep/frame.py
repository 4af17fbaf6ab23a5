"""Rows of a sweep as columns, each made when it is first read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from costmodel.sweep.chunk import EVERY, Make
from costmodel.sweep.memory import Array

Chunk = Mapping[str, Array]
"""Column name → its values; all columns are of one length."""


class Rows(Mapping[str, Array]):
    """Rows whose columns are made when they are asked for.

    Attributes:
        count: how many rows there are.
    """

    def __init__(self, count: int, makers: Mapping[str, Make]) -> None:
        self.count = count
        self._makers = makers
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            self._made[name] = self._makers[name](EVERY)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def column(self, name: str, rows: Any) -> Array:
        """A column at some rows, made of these alone where it is not there yet."""
        made = self._made.get(name)
        return self._makers[name](rows) if made is None else made[rows]

    def select(self, rows: Any) -> "Rows":
        """Some rows, chosen by their numbers or by a mask; their columns are made when read."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows

        def maker(name: str) -> Make:
            return lambda chosen: self.column(name, index[chosen])

        return Rows(len(index), {name: maker(name) for name in self})

    def extended(self, makers: Mapping[str, Make]) -> "Rows":
        """The same rows with more columns."""

        def maker(name: str) -> Make:
            return lambda chosen: self.column(name, chosen)

        return Rows(self.count, {**{name: maker(name) for name in self}, **makers})


def rows_of(columns: Chunk) -> Rows:
    """Columns that are there already."""

    def maker(column: Array) -> Make:
        return lambda chosen: column[chosen]

    count = len(next(iter(columns.values()), ()))
    return Rows(count, {name: maker(column) for name, column in columns.items()})


def constant(value: Any, count: int) -> Make:
    """A column that has one value in all rows."""
    whole = isinstance(value, int) and abs(value) < 2**63
    dtype = np.dtype(np.int64 if whole else object)
    spread = np.broadcast_to(np.array(value, dtype), (count,))
    return lambda chosen: spread[chosen]


def length(chunk: Chunk) -> int:
    """How many rows there are."""
    if isinstance(chunk, Rows):
        return chunk.count
    return len(next(iter(chunk.values()))) if chunk else 0


def taken(chunk: Chunk, rows: Array) -> dict[str, Array]:
    """Some rows, chosen by their numbers or by a mask, with all of their columns."""
    if isinstance(chunk, Rows):
        return dict(chunk.select(rows))
    return {name: column[rows] for name, column in chunk.items()}


def joined(chunks: Sequence[Chunk]) -> dict[str, Array]:
    """The rows of several chunks of the same columns, one after the other."""
    return {name: _joined([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _joined(parts: list[Array]) -> Array:
    if len({part.dtype for part in parts}) > 1:
        parts = [part.astype(object) for part in parts]
    return np.concatenate(parts)


def column_of(values: Sequence[Any]) -> Array:
    """Values as an array: int64 where all fit, float64 where all are floats, else objects."""
    if all(isinstance(value, int) and abs(value) < 2**63 for value in values):
        return np.array(values, np.int64)
    if all(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    found = np.empty(len(values), object)
    found[:] = values
    return found

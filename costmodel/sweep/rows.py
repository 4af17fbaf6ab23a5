"""Rows of a sweep as columns, each made when it is first read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from costmodel.algebra.operations import Array

Make = Callable[[Any], Array]
"""Returns a column's values at some rows: an index array, or a slice of them all."""

EVERY = slice(None)

NUMERATORS, DENOMINATORS = "numerators of ", "denominators of "
"""Begin the names of the columns that hold a real metric's exact values."""


class Rows(Mapping[str, Array]):
    """Rows whose columns are made when they are asked for; all are of one length.

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

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def column(self, name: str, rows: Any) -> Array:
        """Return a column at some rows, made of these alone where it is not there yet."""
        made = self._made.get(name)
        return self._makers[name](rows) if made is None else made[rows]

    def maker(self, name: str) -> Make:
        """Return what makes a column."""
        return partial(self.column, name)

    def select(self, rows: Array) -> "Rows":
        """Return some rows, chosen by their numbers or by a mask."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows

        def chosen_of(name: str, chosen: Any) -> Array:
            return self.column(name, index[chosen])

        return Rows(len(index), {name: partial(chosen_of, name) for name in self})

    def first(self, count: int) -> "Rows":
        """Return the first rows."""
        return self.select(np.arange(min(count, self.count)))

    def extended(self, makers: Mapping[str, Make]) -> "Rows":
        """Return the same rows with more columns."""
        return Rows(self.count, {**{name: self.maker(name) for name in self}, **makers})

    def taken(self, rows: Array) -> "Rows":
        """Return some rows whose columns are there, so that nothing holds the others."""
        chosen = self.select(rows)
        return rows_of({name: chosen[name] for name in chosen})

    def made(self) -> "Rows":
        """Return the same rows, all columns of which are there."""
        return self.taken(np.arange(self.count))


NO_ROWS = Rows(0, {})


def rows_of(columns: Mapping[str, Array]) -> Rows:
    """Return columns that are there already as rows."""
    count = len(next(iter(columns.values()), ()))
    return Rows(count, {name: column.__getitem__ for name, column in columns.items()})


def constant(value: Any, count: int) -> Make:
    """Return a column that has one value in all rows."""
    whole = isinstance(value, int) and abs(value) < 2**63
    dtype = np.dtype(np.int64 if whole else object)
    return np.broadcast_to(np.array(value, dtype), (count,)).__getitem__


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several parts, one after the other, with the columns that all have."""
    names = [name for name in parts[0] if all(name in rows for rows in parts)]
    return rows_of({name: _joined([rows[name] for rows in parts]) for name in names})


def _joined(parts: Sequence[Array]) -> Array:
    if len({part.dtype for part in parts}) > 1:
        parts = [part.astype(object) for part in parts]
    return np.concatenate(parts)


def column_of(values: Sequence[Any]) -> Array:
    """Return values as int64 where all fit, as float64 where all are floats, else as objects."""
    if all(isinstance(value, int) and abs(value) < 2**63 for value in values):
        return np.array(values, np.int64)
    if all(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    found = np.empty(len(values), object)
    found[:] = values
    return found

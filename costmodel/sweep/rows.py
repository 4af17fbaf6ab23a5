"""Rows from what their nodes are: counts, real numbers, exact parts, truth."""

from collections.abc import Iterator
from fractions import Fraction
from functools import reduce
from typing import Any, Protocol

import numpy as np

from archspec.arithmetic import tidy
from costmodel.sweep.chunk import EVERY, Chunk, Make
from costmodel.sweep.compiled import MAX_FLOAT, bounds_in
from costmodel.sweep.laws import Lowered
from costmodel.sweep.lowering import Part
from costmodel.sweep.memory import Array


class Source(Protocol):
    """Where the values of rows come from."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def symbol(self, name: str, index: Any) -> Array:
        """A symbol's values at some rows."""

    def node(self, place: int, index: Any) -> Array:
        """A node's values at some rows."""


def wanted(low: Lowered) -> Iterator[int]:
    """The nodes that rows are made of."""
    for part in (*low.columns.values(), *low.links.values()):
        yield from (place for place in part if low.program.number(place) is None)
    yield from (place for place in (*low.valid, *low.met) if low.program.number(place) is None)


def chunk_of(low: Lowered, source: Source, names: list[str]) -> Chunk:
    """The rows of a source, the symbols in the order of their names."""
    rows = _Rows(low, source)
    makers: dict[str, Make] = {name: rows.symbol(name) for name in names}
    hidden: dict[str, Make] = {}
    for name, part in low.columns.items():
        makers[name] = rows.count(part) if name in low.counts else rows.real(part)
        hidden[f"over {name}"] = rows.node(part.over)
        hidden[f"under {name}"] = rows.node(part.under)
    makers["valid"] = rows.all_of(low.valid)
    met = rows.all_of((*low.valid, *low.met))
    (makers if low.met else hidden)["met"] = met
    return Chunk(source.rows, makers, hidden)


class _Rows:
    """Makes columns of a source's nodes."""

    def __init__(self, low: Lowered, source: Source) -> None:
        self.low = low
        self.source = source

    def symbol(self, name: str) -> Make:
        if name in self.low.links:
            return self._quotient(self.low.links[name])
        return lambda index: self.source.symbol(name, index)

    def _at(self, place: int, index: Any) -> Array:
        number = self.low.program.number(place)
        if number is None:
            return self.source.node(place, index)
        rows = self.source.rows if index is EVERY else len(index)
        return np.full(rows, number)

    def node(self, place: int) -> Make:
        return lambda index: self._at(place, index)

    def count(self, part: Part) -> Make:
        """Quotients that are integers; where one is none, the network is not valid."""
        if self.low.program.number(part.under) == 1:
            return self.node(part.over)
        return lambda index: _counts(self._at(part.over, index), self._at(part.under, index))

    def real(self, part: Part) -> Make:
        return lambda index: _reals(self._at(part.over, index), self._at(part.under, index))

    def _quotient(self, part: Part) -> Make:
        return lambda index: _quotients(self._at(part.over, index), self._at(part.under, index))

    def all_of(self, places: tuple[int, ...]) -> Make:
        def made(index: Any) -> Array:
            rows = self.source.rows if index is EVERY else len(index)
            truths = (self._at(place, index).astype(bool, copy=False) for place in places)
            return reduce(np.logical_and, truths, np.ones(rows, bool))

        return made


def _counts(over: Array, under: Array) -> Array:
    divisor = np.where(under == 0, 1, under)
    found = over // divisor
    if np.array_equal(found * divisor, over):
        return np.asarray(found)
    return _quotients(over, divisor)


def _quotients(over: Array, under: Array) -> Array:
    """Quotients as integers, or as fractions where one is none."""
    if bounds_in(under) == (1, 1):
        return over
    values = np.empty(len(over), object)
    values[:] = [tidy(Fraction(int(a), int(b))) for a, b in zip(over, under, strict=True)]
    return values


def _reals(over: Array, under: Array) -> Array:
    """The float64 nearest to each quotient; none where there is none."""
    if _is_small(over) and _is_small(under):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(over / under)
    divide = np.frompyfunc(lambda a, b: int(a) / int(b) if b else float("nan"), 2, 1)
    return np.asarray(divide(over, under), np.float64)


def _is_small(array: Array) -> bool:
    least, largest = bounds_in(array) or (0, 0)
    return array.dtype != object and max(-least, largest) <= MAX_FLOAT

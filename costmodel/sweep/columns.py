"""The values of a symbol as arrays: exact integers over one denominator."""

from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any, NamedTuple

import numpy as np

from archspec.arithmetic import tidy
from archspec.errors import SpecError
from archspec.header import Symbol as Declared
from costmodel.scenario.settings import to_rational
from costmodel.sweep.compiled import Pair, bounds_in, whole
from costmodel.sweep.memory import Array

DECIMALS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10**9)
"""Denominators that floats are read over, before each is read by itself."""

MAX_DIGITS = 10**15
"""A decimal of at most 15 digits is the one that prints its float64."""


class Column:
    """Values of one symbol.

    Attributes:
        overs: their numerators, int64 or Python's integers.
        under: their common denominator.
    """

    def __init__(self, overs: Array, under: int = 1) -> None:
        self.overs = overs
        self.under = under

    def __len__(self) -> int:
        return len(self.overs)

    def __getitem__(self, rows: Any) -> "Column":
        return Column(self.overs[rows], self.under)

    @cached_property
    def bounds(self) -> Pair:
        """The least and the largest numerator."""
        return bounds_in(self.overs) or (0, 0)

    def shown(self) -> Array:
        """The values: int64, or objects that are exact."""
        if self.under == 1:
            return self.overs
        least, largest = self.bounds
        if largest - least > 4 * len(self):
            return _fractions(self.overs, self.under)
        table = _fractions(np.arange(least, largest + 1), self.under)
        found: Array = table[(self.overs - least).astype(np.int64)]
        return found

    def over(self, under: int) -> "Column":
        """The same over a multiple of its denominator."""
        if under == self.under:
            return self
        factor = under // self.under
        fits = max(map(abs, self.bounds)) * factor <= 2**62
        overs = self.overs if fits else self.overs.astype(object)
        return Column(overs * factor, under)


def is_column(values: object) -> bool:
    """Whether values have been read already."""
    return isinstance(values, Column)


def _fractions(overs: Array, under: int) -> Array:
    values = np.empty(len(overs), object)
    values[:] = [tidy(Fraction(int(over), under)) for over in overs]
    return values


def read_column(name: str, values: Any) -> Column:
    """Values as a person or a program gives them; a float stands for the decimal that prints it.

    Raises:
        SpecError: one is no number.
    """
    if isinstance(values, Column):
        return values
    array = values if isinstance(values, np.ndarray) else None
    if array is not None and np.issubdtype(array.dtype, np.integer):
        return Column(whole(array.astype(object)) if array.dtype == np.uint64 else _as_int(array))
    if array is not None and array.dtype == np.float64:
        found = _decimals(array)
        if found is not None:
            return found
    numbers = [to_rational(name, value) for value in values]
    under = lcm(*(number.denominator for number in numbers))
    overs = np.empty(len(numbers), object)
    overs[:] = [number.numerator * (under // number.denominator) for number in numbers]
    return Column(whole(overs), under)


def _as_int(array: Array) -> Array:
    return array if array.dtype == np.int64 else array.astype(np.int64)


def _decimals(array: Array) -> Column | None:
    """Floats that are decimals of few digits, as integers over a power of ten."""
    if not np.all(np.isfinite(array)):
        return None
    for under in DECIMALS:
        scaled = np.rint(array * under)
        if np.abs(scaled).max(initial=0) >= MAX_DIGITS:
            return None
        if np.array_equal(scaled / under, array):
            return Column(scaled.astype(np.int64), under)
    return None


class Rule(NamedTuple):
    """What a symbol may be.

    Attributes:
        name: the symbol.
        declared: what the spec says of it.
    """

    name: str
    declared: Declared

    def check(self, column: Column) -> None:
        """Make sure that every value is one that the symbol may have.

        Raises:
            SpecError: a value breaks a rule.
        """
        if not len(column):
            return
        declared, (least, largest) = self.declared, column.bounds
        suspects = {least, largest}
        multiple = declared.multiple_of or 1
        step = column.under * multiple if declared.domain == "integer" or multiple > 1 else 1
        if step > 1:
            wrong = np.flatnonzero(column.overs % step != 0)
            suspects.update(int(column.overs[i]) for i in wrong[:1])
        for over in sorted(suspects):
            value = tidy(Fraction(over, column.under))
            broken = declared.broken_rule(value)
            if broken:
                raise SpecError(f"{self.name} = {value} {broken}")

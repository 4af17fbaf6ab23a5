"""The values of a symbol as arrays: exact integers over one denominator."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf, lcm
from typing import Any

import numpy as np

from archspec.arithmetic import tidy
from archspec.errors import SpecError
from archspec.header import Symbol as Declared
from costmodel.algebra.evaluation import bounds_in, whole
from costmodel.algebra.operations import Array, Bounds
from costmodel.scenario.settings import to_rational

DECIMALS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10**9)
"""Denominators that floats are read over, before each is read by itself."""

MAX_DIGITS = 10**15
"""A decimal of at most 15 digits is the one that prints its float64."""


MAX_EXACT_FLOAT = 2**53
"""Up to here every integer is a float64."""


@dataclass(frozen=True, eq=False)
class SymbolColumn:
    """Values of one symbol.

    Attributes:
        numerators: an array of int64 or of Python's integers.
        denominator: that of all values.
    """

    numerators: Array
    denominator: int = 1

    def __len__(self) -> int:
        return len(self.numerators)

    def __getitem__(self, rows: Any) -> "SymbolColumn":
        return SymbolColumn(self.numerators[rows], self.denominator)

    @cached_property
    def bounds(self) -> Bounds:
        """The least and the largest numerator."""
        return bounds_in(self.numerators)

    def shown(self) -> Array:
        """Return the values as int64, or as exact objects, one object for all equal values."""
        if self.denominator == 1:
            return self.numerators
        least, largest = self.bounds
        if largest - least > 4 * len(self):
            return fractions_of(self.numerators, self.denominator)
        table = fractions_of(np.arange(least, largest + 1), self.denominator)
        found: Array = table[(self.numerators - least).astype(np.int64)]
        return found

    def check(self, name: str, declared: Declared) -> None:
        """Make sure that every value is one that a symbol may have.

        Raises:
            SpecError: a value breaks a rule of the symbol.
        """
        suspects = set(self.bounds) if len(self) else set()
        multiple = declared.multiple_of or 1
        step = self.denominator * multiple if declared.domain == "integer" or multiple > 1 else 1
        if step > 1:
            wrong = np.flatnonzero(self.numerators % step != 0)
            suspects.update(int(self.numerators[i]) for i in wrong[:1])
        for numerator in sorted(suspects):
            value = tidy(Fraction(numerator, self.denominator))
            broken = declared.broken_rule(value)
            if broken:
                raise SpecError(f"{name} = {value} {broken}")


def fractions_of(numerators: Array, denominator: Any) -> Array:
    """Return quotients as Python's integers and fractions; one denominator, or one for each."""
    divide = np.frompyfunc(lambda a, b: tidy(Fraction(int(a), int(b))), 2, 1)
    return np.asarray(divide(numerators, denominator), object)


def quotients(numerators: Array, denominators: Array) -> Array:
    """Return quotients as int64 where all are integers that fit, else as Python's numbers."""
    if bounds_in(denominators) == (1, 1):
        return numerators
    if not np.remainder(numerators, denominators).any():
        return whole(np.asarray(numerators // denominators))
    return fractions_of(numerators, denominators)


def nearest_floats(numerators: Array, denominators: Array) -> Array:
    """Return the float64 nearest to each quotient; infinite beyond the largest."""
    if all(
        array.dtype != object and largest_of(array) <= MAX_EXACT_FLOAT
        for array in (numerators, denominators)
    ):
        return np.asarray(numerators / denominators)
    return np.asarray(np.frompyfunc(_nearest_float, 2, 1)(numerators, denominators), np.float64)


def _nearest_float(numerator: int, denominator: int) -> float:
    try:
        return int(numerator) / int(denominator)
    except OverflowError:
        return inf if numerator > 0 else -inf


def largest_of(array: Array) -> int:
    """Return the largest absolute value of some integers."""
    return max(map(abs, bounds_in(array)))


def read_column(name: str, values: Any) -> SymbolColumn:
    """Return the exact values of numbers, where a float stands for the decimal that prints it.

    Raises:
        SpecError: a value is no number.
    """
    if isinstance(values, SymbolColumn):
        return values
    array = values if isinstance(values, np.ndarray) else None
    if array is not None and np.issubdtype(array.dtype, np.integer):
        return SymbolColumn(whole(array.astype(object if array.dtype == np.uint64 else np.int64)))
    if array is not None and array.dtype == np.float64:
        found = _decimals(array)
        if found is not None:
            return found
    if array is None and all(type(value) is int for value in values):
        return SymbolColumn(whole(np.array(values, object)))
    numbers = [to_rational(name, value) for value in values]
    denominator = lcm(*(number.denominator for number in numbers))
    numerators = np.empty(len(numbers), object)
    numerators[:] = [n.numerator * (denominator // n.denominator) for n in numbers]
    return SymbolColumn(whole(numerators), denominator)


def _decimals(array: Array) -> SymbolColumn | None:
    """Return floats that are decimals of few digits as integers over a power of ten."""
    if not np.all(np.isfinite(array)):
        return None
    for denominator in DECIMALS:
        scaled = np.rint(array * denominator)
        if np.abs(scaled).max(initial=0) >= MAX_DIGITS:
            return None
        if np.array_equal(scaled / denominator, array):
            return SymbolColumn(scaled.astype(np.int64), denominator)
    return None

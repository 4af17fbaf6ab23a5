"""Tables as columns of Arrow, and through it of pandas and Polars, with exact numbers."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from warnings import warn

from archspec.arithmetic import Rational
from archspec.errors import SpecError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

INT64 = 2**63
MOST_DIGITS = 38
"""The digits of Arrow's decimals of 128 bits."""


class Tabular:
    """Something that is a table to other libraries, too."""

    def to_arrow(self) -> "pyarrow.Table":
        """Return it as an Arrow table.

        Raises:
            SpecError: it has no table, or pyarrow is missing.
        """
        raise NotImplementedError

    def to_pandas(self) -> "pandas.DataFrame":
        """Return it as a pandas frame of Arrow's types, in which integers stay integers.

        Raises:
            SpecError: it has no table, or pandas or pyarrow is missing.
        """
        pandas = require("pandas")
        return self.to_arrow().to_pandas(types_mapper=pandas.ArrowDtype)

    def to_polars(self) -> "polars.DataFrame":
        """Return it as a Polars frame.

        Raises:
            SpecError: it has no table, or Polars or pyarrow is missing.
        """
        return require("polars").from_arrow(self.to_arrow())


def require(name: str) -> Any:
    """Return a library that is an extra.

    Raises:
        SpecError: it is missing.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        hint = f"pip install {package}, in the extra 'frames' of archcost"
        raise SpecError(f"this needs {package}", hint=hint) from None


def arrow_table(
    columns: Iterable[tuple[str, list[Rational | float | str | None]]],
) -> "pyarrow.Table":
    """Return named columns of exact values as an Arrow table."""
    arrow = require("pyarrow")
    return arrow.table({name: _array(arrow, name, values) for name, values in columns})


def _array(arrow: Any, name: str, values: list[Rational | float | str | None]) -> Any:
    """Return a column in the narrowest type that holds its values exactly.

    It is said where there is none: fractions without an end are rounded to doubles, and integers
    of more digits than a decimal has are text.
    """
    numbers = [value for value in values if isinstance(value, int | Fraction | float)]
    if len(numbers) < sum(value is not None for value in values):
        return arrow.array(_converted(values, str), arrow.string())
    if any(isinstance(value, Fraction | float) for value in numbers):
        exact = (value for value in numbers if not isinstance(value, float))
        if any(Fraction(repr(float(value))) != value for value in exact):
            warn(f"column {name}: numbers are rounded to doubles", stacklevel=4)
        return arrow.array(_converted(values, float), arrow.float64())
    largest = max((abs(int(value)) for value in numbers), default=0)
    if largest < INT64:
        return arrow.array(values, arrow.int64())
    if largest < 10**MOST_DIGITS:
        return arrow.array(values, arrow.decimal128(MOST_DIGITS, 0))
    warn(f"column {name}: integers of over {MOST_DIGITS} digits are text", stacklevel=4)
    return arrow.array(_converted(values, str), arrow.string())


def _converted(values: list[Any], convert: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in values]

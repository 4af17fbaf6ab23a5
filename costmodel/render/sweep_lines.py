"""Rows put together as lines of text by pyarrow; imported only where that is there."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as arrow
import pyarrow.compute

from costmodel.algebra.operations import Array
from costmodel.sweep.runs import few_values, odd_floats

Texts = Callable[[Array], list[str]]
"""Returns the texts of values."""


def lines(columns: Sequence[tuple[Array, Texts]], signs: Sequence[str]) -> memoryview:
    """Return the lines of rows, one behind the other, in UTF-8.

    Args:
        columns: their values, and what gives the texts of others than integers and most floats.
        signs: what stands before each of them, and what ends a line.
    """
    parts: list[Any] = []
    before = ""
    for i, (sign, (column, texts)) in enumerate(zip(signs, columns, strict=False)):
        end = signs[-1] if i == len(columns) - 1 else ""
        found = few_values(column)
        if found is None:
            parts += [before + sign, _each(column, texts)]
            before = end
        else:
            own = _joined([before + sign, _each(found.values, texts), end])
            parts.append(own.take(arrow.array(found.places)))
            before = ""
    return memoryview(_joined([*parts, before]).buffers()[2])


def _joined(parts: Iterable[Any]) -> arrow.Array:
    """Return texts one behind the other, some of them the same in all rows."""
    some = [arrow.scalar(part) if isinstance(part, str) else part for part in parts if len(part)]
    return arrow.compute.binary_join_element_wise(*some, "") if len(some) > 1 else some[0]


def _each(column: Array, texts: Texts) -> arrow.Array:
    """Return the text of each value; floats are as Python writes them."""
    if column.dtype == "int64":
        return arrow.array(column).cast(arrow.string())
    if column.dtype != "float64":
        return arrow.array(texts(column), arrow.string())
    found, odd = arrow.array(column).cast(arrow.string()), odd_floats(column)
    if not odd.any():
        return found
    own = arrow.array(texts(column[odd]), arrow.string())
    return arrow.compute.replace_with_mask(found, arrow.array(odd), own)

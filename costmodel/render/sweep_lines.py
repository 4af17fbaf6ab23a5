"""Rows put together as lines of text by pyarrow; imported only where that is there."""

from collections.abc import Sequence

import pyarrow as arrow
import pyarrow.compute

from costmodel.algebra.operations import Array


def lines(columns: Sequence[Array | list[str]], signs: Sequence[str]) -> str:
    """Return rows as one text, a line for each.

    Args:
        columns: 64-bit integers, or texts.
        signs: what stands before each of them, and what ends a line.
    """
    parts = []
    for sign, column in zip(signs, columns, strict=False):
        parts += [arrow.scalar(sign), _texts(column)]
    joined = arrow.compute.binary_join_element_wise(*parts, arrow.scalar(signs[-1]), "")
    _, _, data = joined.buffers()
    return str(data, "utf-8")


def _texts(column: Array | list[str]) -> arrow.Array:
    if isinstance(column, list):
        return arrow.array(column, arrow.string())
    return arrow.array(column).cast(arrow.string())

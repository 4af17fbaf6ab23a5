"""A sweep's rows as Parquet, each chunk a row group; imported only where pyarrow is there."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet

from costmodel.algebra.operations import Array
from costmodel.sweep.fields import Field
from costmodel.sweep.rows import Rows
from costmodel.sweep.vary import show_value


def write_parquet(draft: Path, fields: Sequence[Field], chunks: Iterable[Rows]) -> None:
    """Write rows; a count that leaves 64 bits makes its column one of text."""
    types = {field.name: _type(field) for field in fields}
    writer = _writer(draft, types)
    try:
        for chunk in chunks:
            columns = {field.name: field.values(chunk) for field in fields}
            large = [name for name, column in columns.items() if _overflows(column, types[name])]
            if large:
                writer.close()
                types |= dict.fromkeys(large, arrow.string())
                writer = _widened(draft, types)
            arrays = [_array(columns[name], kind) for name, kind in types.items()]
            writer.write_table(arrow.table(arrays, names=list(types)))
    finally:
        writer.close()


def _writer(path: Path, types: dict[str, arrow.DataType]) -> Any:
    return arrow.parquet.ParquetWriter(path, arrow.schema(list(types.items())))


def _type(field: Field) -> arrow.DataType:
    if field.kind == "decimal":
        return arrow.decimal128(38, field.places)
    types = {"whole": arrow.int64(), "float": arrow.float64()}
    return types.get(field.kind, arrow.string())


def _overflows(column: Array, kind: arrow.DataType) -> bool:
    if kind != arrow.int64() or column.dtype != object:
        return False
    return any(value is not None and abs(value) >= 2**63 for value in column)


def _widened(path: Path, types: dict[str, arrow.DataType]) -> Any:
    """Return what goes on with a file whose columns get other types, in what it has so far too."""
    wider = path.with_name(f"{path.name}.wider")
    try:
        writer = _writer(wider, types)
        with arrow.parquet.ParquetFile(path) as written:
            for i in range(written.num_row_groups):
                writer.write_table(written.read_row_group(i).cast(writer.schema))
        wider.replace(path)
    finally:
        wider.unlink(missing_ok=True)
    return writer


def _array(column: Array, kind: arrow.DataType) -> arrow.Array:
    if arrow.types.is_decimal(kind):
        unit = Decimal(1).scaleb(-kind.scale)
        return _converted(column, kind, lambda value: Decimal(show_value(value)).quantize(unit))
    if kind == arrow.string():
        return _converted(column, kind, _whole_text)
    if column.dtype != object:
        return arrow.array(column.copy()).cast(kind)
    return arrow.array(column.tolist(), kind)


def _converted(column: Array, kind: arrow.DataType, convert: Callable[[Any], Any]) -> arrow.Array:
    """Return what is made of values that are there, once of equal ones."""
    values = column.tolist()
    keys = list(map(id, values)) if column.dtype == object else values
    known = dict(zip(keys, values, strict=True))
    places = {key: place for place, key in enumerate(known)}
    converted = [None if value is None else convert(value) for value in known.values()]
    return arrow.array(converted, kind).take(arrow.array([places[key] for key in keys]))


def _whole_text(value: Any) -> str:
    """Return a value as text; halves of characters, as file names may have, are spelled out."""
    return show_value(value).encode("utf-8", "backslashreplace").decode()

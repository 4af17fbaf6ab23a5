"""A sweep's rows as Parquet, some chunks a row group; imported only where pyarrow is there."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet

from archspec.arithmetic import tidy
from archspec.errors import SpecError
from costmodel.algebra.operations import Array
from costmodel.sweep.expressions import parts_of
from costmodel.sweep.fields import Field
from costmodel.sweep.rows import DENOMINATORS, NUMERATORS, Rows, column_of, rows_of
from costmodel.sweep.runs import distinct_values
from costmodel.sweep.shards import EXACT, KEY, Shard, read_about
from costmodel.sweep.vary import show_value

KINDS_KEY = "archcost columns"
"""The name under which a file says what its columns hold."""


ROW_GROUP = 2**19
"""From so many rows on a row group is written: short ones make a file larger and slow."""


def read_shard(file: str) -> Shard:
    """Return the shard in a file.

    Raises:
        SpecError: it cannot be read, or is no shard.
    """
    try:
        found = arrow.parquet.ParquetFile(file)
    except (OSError, arrow.ArrowException) as error:
        raise SpecError(f"cannot read {file}: {error}") from None
    with found:
        told = {k.decode(): v.decode() for k, v in (found.metadata.metadata or {}).items()}
        kinds = json.loads(told.get(KINDS_KEY, "{}"))
        fields = tuple(
            Field(
                each.name, each.name, kinds.get(each.name, "text"), getattr(each.type, "scale", 0)
            )
            for each in found.schema_arrow
        )
    return read_about(file, told.get(KEY), fields)


def shard_rows(shard: Shard) -> Iterator[Rows]:
    """Yield the rows of a shard, their numbers exact."""
    with arrow.parquet.ParquetFile(shard.file) as found:
        for i in range(found.num_row_groups):
            table = found.read_row_group(i)
            columns = {f.name: _column(f, table[f.name]) for f in shard.fields}
            for field in shard.fields:
                if field.name.startswith(EXACT):
                    exact, name = columns.pop(field.name), field.name.removeprefix(EXACT)
                    above, below = parts_of(exact)
                    columns |= {NUMERATORS + name: above, DENOMINATORS + name: below}
            yield rows_of(columns)


def _column(field: Field, values: Any) -> Array:
    kind = values.type
    if (arrow.types.is_integer(kind) or arrow.types.is_floating(kind)) and not values.null_count:
        found: Array = values.to_numpy()
        return found
    listed = values.to_pylist()
    if field.kind == "text":
        return column_of(listed)
    known = {value: None if value is None else tidy(Fraction(value)) for value in set(listed)}
    return column_of([known[value] for value in listed])


def write_parquet(
    draft: Path,
    fields: Sequence[Field],
    chunks: Iterable[Rows],
    about: Callable[[], str] | None = None,
) -> None:
    """Write rows; a count that leaves 64 bits makes its column one of text.

    Args:
        draft: the file.
        fields: its columns.
        chunks: the rows.
        about: returns which part of which sweep it is, when all rows are read.
    """
    types = {field.name: _type(field) for field in fields}
    writer, held = _writer(draft, types), list[arrow.Table]()
    try:
        for chunk in chunks:
            columns = {field.name: field.values(chunk) for field in fields}
            large = [name for name, column in columns.items() if _overflows(column, types[name])]
            if large:
                _write(writer, held)
                writer.close()
                types |= dict.fromkeys(large, arrow.string())
                writer = _widened(draft, types)
            arrays = [_array(columns[name], kind) for name, kind in types.items()]
            held.append(arrow.table(arrays, names=list(types)))
            if sum(map(len, held)) >= ROW_GROUP:
                _write(writer, held)
        _write(writer, held)
        if about is not None:
            kinds = {field.name: field.kind for field in fields}
            writer.add_key_value_metadata({KEY: about(), KINDS_KEY: json.dumps(kinds)})
    finally:
        writer.close()


def _write(writer: Any, held: list[arrow.Table]) -> None:
    """Write tables as one row group, and let go of them."""
    if held:
        writer.write_table(arrow.concat_tables(held))
        held.clear()


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
    values, places = distinct_values(column)
    converted = [None if value is None else convert(value) for value in values.tolist()]
    return arrow.array(converted, kind).take(arrow.array(places))


def _whole_text(value: Any) -> str:
    """Return a value as text; halves of characters, as file names may have, are spelled out."""
    return show_value(value).encode("utf-8", "backslashreplace").decode()

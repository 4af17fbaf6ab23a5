"""The order of rows: in memory, or on disk by DuckDB where they are more than memory is for.

On disk, rows are written as they come, each column as 64-bit numbers and, where a value is none,
as text, beside keys in whose order DuckDB puts them: exact ones, then the number of the row, so
that equal rows stay in their order. What is read back is what was written.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NamedTuple

import numpy as np

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError
from archspec.files import cause_of
from costmodel.algebra.operations import Array
from costmodel.sweep.expressions import Numbers
from costmodel.sweep.reduce import Objective, order
from costmodel.sweep.rows import Rows, joined, rows_of
from costmodel.sweep.runs import few_values

LEAST, MOST = -(2**63), 2**63 - 1
"""Stand for numbers that are no 64-bit integers, which these two are not taken for."""

MAX_IN_MEMORY = 10_000_000
"""The most rows that are sorted in memory."""

MEMORY = "1GB"
"""The memory that DuckDB sorts in."""

EXTRA = "pip install duckdb pyarrow, the extra 'sort' of archcost; or leave rows out with --where"


def ordered(chunks: Iterable[Rows], by: Sequence[Objective]) -> Iterator[Rows]:
    """Yield all rows, the best first, equal ones by the next objective, then as they come.

    Raises:
        SpecError: they are sorted on disk, which is full or needs packages that are missing.
    """
    parts: deque[Rows] = deque()
    count = 0
    rest = iter(chunks)
    for chunk in rest:
        count += chunk.count
        parts.append(chunk)
        if count > MAX_IN_MEMORY:
            held = (parts.popleft() for _ in range(len(parts)))
            yield from _sorted_on_disk(chain(held, rest), by)
            return
    if parts:
        rows = joined(parts)
        yield rows.taken(order(by, rows))


def disk_note(points: int, *, is_certain: bool) -> str | None:
    """Return what is said in advance where the rows of so many points may be sorted on disk.

    Args:
        points: how many there are.
        is_certain: whether each of them has a row.

    Raises:
        SpecError: they are certainly, and packages for that are missing.
    """
    if points <= MAX_IN_MEMORY:
        return None
    if is_certain and not _is_there():
        raise SpecError(f"{points:,} rows are sorted on disk, which needs DuckDB", hint=EXTRA)
    return f"more than {MAX_IN_MEMORY:,} rows are sorted on disk, by DuckDB in {gettempdir()}"


def _is_there() -> bool:
    return bool(find_spec("duckdb") and find_spec("pyarrow"))


def _sorted_on_disk(chunks: Iterable[Rows], by: Sequence[Objective]) -> Iterator[Rows]:
    if not _is_there():
        cause = f"more than {MAX_IN_MEMORY:,} rows are sorted on disk, which needs DuckDB"
        raise SpecError(cause, hint=EXTRA)
    import duckdb
    import pyarrow.parquet

    with TemporaryDirectory(prefix="archcost-") as folder:
        try:
            columns, target = _sorted(chunks, by, Path(folder))
            with pyarrow.parquet.ParquetFile(target) as file:
                for batch in file.iter_batches():
                    yield rows_of({each.name: each.read(batch) for each in columns})
        except (OSError, duckdb.Error) as error:
            known = isinstance(error, OSError)
            cause = cause_of(error) if known else str(error).partition("\n")[0]
            hint = "TMPDIR names another folder; or leave rows out with --where"
            raise SpecError(f"cannot sort on disk, in {folder}: {cause}", hint=hint) from None


class _Column(NamedTuple):
    """A column on disk: numbers, and texts of what is none.

    Attributes:
        name: its name in rows.
        place: its place among the columns, by which it is named in files.
        is_float: whether its numbers are the bits of floats.
    """

    name: str
    place: int
    is_float: bool

    def written(self, column: Array) -> dict[str, Any]:
        """Return it as arrays by the names that they have in files."""
        import pyarrow as arrow

        number, text = f"number_{self.place}", f"text_{self.place}"
        if column.dtype != object:
            numbers = column.view(np.int64) if self.is_float else column
            return {number: numbers, text: arrow.nulls(len(column), arrow.string())}
        values, places = few_values(column)  # type: ignore[misc]
        ints = [v if isinstance(v, int) and LEAST < v < MOST else None for v in values.tolist()]
        found = zip(values.tolist(), ints, strict=True)
        texts = [None if v is None or i is not None else _text(v) for v, i in found]
        at = arrow.array(places)
        return {
            number: arrow.array(ints, arrow.int64()).take(at),
            text: arrow.array(texts, arrow.string()).take(at),
        }

    def read(self, batch: Any) -> Array:
        """Return the column of a part of a file."""
        numbers, texts = batch[f"number_{self.place}"], batch[f"text_{self.place}"]
        if not numbers.null_count:
            found: Array = numbers.to_numpy()
            return found.view(np.float64) if self.is_float else found
        coded = texts.dictionary_encode()
        values = [*map(_value, coded.dictionary.to_pylist()), None]
        kept: Array = np.array(values, object)[coded.indices.fill_null(-1).to_numpy()]
        are_numbers = numbers.is_valid().to_numpy(zero_copy_only=False)
        kept[are_numbers] = numbers.drop_null().to_numpy()
        return kept


def _text(value: Any) -> str:
    """Return a text, or a number of any size, as a text."""
    if isinstance(value, str):
        return "s" + value.encode("utf-8", "surrogatepass").hex()
    return f"n{value}"


def _value(text: str) -> Any:
    if text[0] == "s":
        return bytes.fromhex(text[1:]).decode("utf-8", "surrogatepass")
    return tidy(Fraction(text[1:]))


def _sorted(
    chunks: Iterable[Rows], by: Sequence[Objective], folder: Path
) -> tuple[list[_Column], Path]:
    """Write rows, and return their columns and the file that has them in order."""
    import duckdb

    source, target = folder / "rows.parquet", folder / "sorted.parquet"
    columns = _write(source, chunks, by)
    shown = ", ".join(f"number_{each.place}, text_{each.place}" for each in columns)
    keys = ", ".join(f"key_{i}, rest_{i}" for i in range(len(by)))
    settings = {"memory_limit": MEMORY, "temp_directory": str(folder / "runs")}
    with duckdb.connect(config=settings) as connection:
        rows = connection.read_parquet(str(source))
        rows.order(f"{keys}, key_{len(by)}").project(shown).write_parquet(str(target))
    source.unlink()
    return columns, target


def _write(source: Path, chunks: Iterable[Rows], by: Sequence[Objective]) -> list[_Column]:
    """Write rows with their keys and numbers, and return their columns."""
    import pyarrow as arrow
    import pyarrow.parquet

    writer, count = None, 0
    columns: list[_Column] = []
    try:
        for rows in chunks:
            columns = columns or [
                _Column(name, place, rows[name].dtype == np.float64)
                for place, name in enumerate(rows)
            ]
            parts: dict[str, Any] = {}
            for i, objective in enumerate(by):
                parts |= _key(i, objective.keys(rows))
            parts[f"key_{len(by)}"] = np.arange(count, count + rows.count)
            for each in columns:
                parts |= each.written(rows[each.name])
            table = arrow.table(parts)
            writer = writer or pyarrow.parquet.ParquetWriter(source, table.schema)
            writer.write_table(table)
            count += rows.count
    finally:
        if writer:
            writer.close()
    return columns


def _key(place: int, numbers: Numbers) -> dict[str, Any]:
    """Return two columns that are in the order of some numbers: integers, then bytes."""
    import pyarrow as arrow

    above, below = numbers
    is_plain = numbers.is_whole and above.dtype == np.int64
    if is_plain and above.min() > LEAST and above.max() < MOST:
        keys, rests, places = above, [b""], np.zeros(len(above), np.int64)
    else:
        pairs = np.stack([above, np.broadcast_to(below, above.shape)], axis=1)
        values, places = _distinct(pairs)
        found = [sort_key(tidy(Fraction(*value))) for value in values]
        keys, rests = np.array([key for key, _ in found], np.int64)[places], [r for _, r in found]
    rest = arrow.array(rests, arrow.binary()).take(arrow.array(places))
    return {f"key_{place}": keys, f"rest_{place}": rest}


def _distinct(pairs: Array) -> tuple[list[Any], Array]:
    """Return each pair once, and the place of each row's among them."""
    if pairs.dtype != object:
        values, places = np.unique(pairs, axis=0, return_inverse=True)
        return values.tolist(), places.reshape(-1)
    known: dict[Any, int] = {}
    found = [known.setdefault(pair, len(known)) for pair in map(tuple, pairs.tolist())]
    return list(known), np.array(found, np.int64)


def sort_key(value: Rational) -> tuple[int, bytes]:
    """Return an integer of 64 bits and bytes that are together in the order of the numbers.

    They are the floor and the continued fraction of the rest, ``1/(a + 1/(b + …))``, in which a
    larger ``a`` is less and a larger ``b`` is more. An integer has no bytes.
    """
    floor = value.numerator // value.denominator
    begin = b""
    if not LEAST < floor < MOST:
        begin = _ordered(abs(floor), falls=floor < 0)
    above, below = value.numerator % value.denominator, value.denominator
    parts, falls = [begin], True
    while above:
        part, rest = divmod(below, above)
        parts.append(_ordered(part, falls=falls))
        above, below, falls = rest, above, not falls
    if not falls:  # the next part is infinite, more than any other; or it is less, as nothing is
        parts.append(b"\xff")
    return max(LEAST, min(floor, MOST)), b"".join(parts)


def _ordered(value: int, *, falls: bool) -> bytes:
    """Return bytes in the order of natural numbers, or in the other one."""
    size = (value.bit_length() + 7) // 8
    found = size.to_bytes(4) + value.to_bytes(size)
    return bytes(255 - each for each in found) if falls else found

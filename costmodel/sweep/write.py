"""A sweep's rows as files, written chunk by chunk: CSV, JSON lines, Parquet, Markdown, LaTeX.

A file is written beside its place and put there when it is whole. Numbers are exact: decimals as
decimals, other fractions as text, counts of any size; only ratios and real quantities are float64.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archspec.errors import SpecError, find_named, visible
from archspec.files import require_writable, written
from costmodel.render import csv as csv_text
from costmodel.render import latex, markdown
from costmodel.render.json import as_json
from costmodel.rules.formula import show_number, show_quantity
from costmodel.sweep.fields import Field
from costmodel.sweep.frame import Chunk
from costmodel.sweep.memory import Array
from costmodel.sweep.vary import show_value

if TYPE_CHECKING:
    import pyarrow as arrow

SUFFIXES = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".md": "markdown",
    ".tex": "latex",
}
"""End of a path → the format that it stands for."""

FORMATS = ("table", "csv", "jsonl", "parquet", "markdown", "latex")

Notes = Callable[[], Sequence[tuple[str, str]]]
"""What stands below a table, asked for when all rows are there."""


def find_format(name: str | None, path: str | None) -> str:
    """The format that is asked for, by its name or by the end of a path.

    Raises:
        SpecError: there is no such format, it needs a file, or the path says another or is none
            that can be written.
    """
    if path is not None:
        require_writable(path)
    if name is None:
        return "table" if path is None else _by_suffix(path)
    found = find_named("format", name, {each: each for each in FORMATS})
    if found == "parquet" and path is None:
        raise SpecError("Parquet is no text", hint="write it into a file, as -o sweep.parquet")
    if found == "table" and path is not None:
        raise SpecError("a table is for the terminal", hint="into a file goes csv, markdown, …")
    meant = None if path is None else SUFFIXES.get(Path(path).suffix.lower())
    if meant not in (None, found):
        end = next(end for end, form in SUFFIXES.items() if form == found)
        raise SpecError(
            f"--format {found} into '{path}', whose end says {meant}",
            hint=f"leave out --format, or end the path in {end}",
        )
    return found


def _by_suffix(path: str) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        hint = f"say --format, or end it in {', '.join(SUFFIXES)}"
        raise SpecError(f"'{path}' does not say which format it has", hint=hint)
    return SUFFIXES[suffix]


class TextFormat(NamedTuple):
    """How rows become text.

    Attributes:
        head: what stands above them.
        cell: a value of a column.
        line: some cells.
        foot: what stands below them.
    """

    head: Callable[[Sequence[Field]], str]
    cell: Callable[[Field, Any], str]
    line: Callable[[Sequence[str]], str]
    foot: Callable[[Sequence[tuple[str, str]]], str]


def write_text(
    fields: Sequence[Field], chunks: Iterable[Chunk], form: str, stream: IO[str], notes: Notes
) -> None:
    """Write rows as they come; nothing before the first of them are there."""
    head, cell, line, foot = TEXT_FORMATS[form]
    blocks = (_cells(cell, fields, chunk) for chunk in chunks)
    first = next(blocks, [])
    stream.write(head(fields))
    for block in chain([first], blocks):
        stream.writelines(map(line, zip(*block, strict=True)))
    stream.write(foot(notes()))


def _cells(
    cell: Callable[[Field, Any], str], fields: Sequence[Field], chunk: Chunk
) -> list[list[str]]:
    """Column by column."""
    return [[cell(field, value) for value in field.values(chunk).tolist()] for field in fields]


def write_file(
    path: str, fields: Sequence[Field], chunks: Iterable[Chunk], form: str, notes: Notes
) -> None:
    """Write rows into a file, which is there when all of them are.

    Raises:
        SpecError: it cannot be written.
    """
    if form == "parquet":
        require_parquet()
    with written(path) as draft:
        if form == "parquet":
            _write_parquet(draft, fields, chunks)
            return
        with draft.open("w", encoding="utf-8", newline="") as stream:
            write_text(fields, chunks, form, stream, notes)


def _exact(_: Field, value: Any) -> str:
    """A number so that nothing of it is lost; text as it is; nothing of what a network has not."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else show_value(value)


def shown(field: Field, value: Any) -> str:
    """A number as a person reads it: thousands grouped, six digits of a ratio, units."""
    if value is None:
        return ""
    if field.unit is not None:
        return show_quantity(value, field.unit)
    if field.kind == "float":
        return f"{value:,.6g}"
    return show_number(value) if field.counted or abs_large(value) else show_value(value)


def abs_large(value: Any) -> bool:
    """Whether an integer is long enough to be grouped; symbols' values of four digits are not."""
    return isinstance(value, int) and abs(value) >= 10_000


def _csv_head(fields: Sequence[Field]) -> str:
    return _csv_line([csv_text.escaped(field.name) for field in fields])


def _csv_cell(field: Field, value: Any) -> str:
    """A number as it is; a text so that no spreadsheet takes it for a formula."""
    text = _exact(field, value)
    return csv_text.escaped(text) if field.kind == "text" else text


def _csv_line(cells: Sequence[str]) -> str:
    if not any(sign in cell for cell in cells for sign in ',"\n\r'):
        return ",".join(cells) + "\n"
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _json(field: Field, value: Any) -> str:
    """A JSON value behind its name: decimals are exact numbers, other fractions texts."""
    text = _exact(field, value)
    if value is None:
        text = "null"
    elif field.kind in ("text", "fraction") and not isinstance(value, int):
        text = _json_text(text)
    return f"{_json_text(field.name)}: {text}"


def _json_text(text: str) -> str:
    return as_json(json.dumps(text, ensure_ascii=False))


def _markdown_head(fields: Sequence[Field]) -> str:
    titles = markdown.line_of([markdown.escaped(field.title) for field in fields])
    aligned = ["---" if field.kind == "text" else "---:" for field in fields]
    return f"{titles}\n{markdown.line_of(aligned)}\n"


def _markdown_foot(notes: Sequence[tuple[str, str]]) -> str:
    return "\n" + "".join(f"{line}\n" for line in markdown.listed(notes))


def _latex_head(fields: Sequence[Field]) -> str:
    columns = "".join("l" if field.kind == "text" else "r" for field in fields)
    titles = " & ".join(latex.escaped(field.title) for field in fields)
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{titles} \\\\\n\\midrule\n"


def _latex_foot(notes: Sequence[tuple[str, str]]) -> str:
    """The end of the table; what belongs to it, as comments."""
    said = "".join(f"% {label}: {visible(note)}\n" for label, note in notes)
    return f"\\bottomrule\n\\end{{tabular}}\n{said}"


TEXT_FORMATS = {
    "csv": TextFormat(_csv_head, _csv_cell, _csv_line, lambda notes: ""),  # noqa: ARG005 - data alone
    "jsonl": TextFormat(
        lambda fields: "",  # noqa: ARG005 - each line says its names
        _json,
        lambda cells: "{" + ", ".join(cells) + "}\n",
        lambda notes: "",  # noqa: ARG005 - data alone
    ),
    "markdown": TextFormat(
        _markdown_head,
        lambda field, value: markdown.escaped(shown(field, value)),
        lambda cells: markdown.line_of(cells) + "\n",
        _markdown_foot,
    ),
    "latex": TextFormat(
        _latex_head,
        lambda field, value: latex.escaped(shown(field, value)),
        lambda cells: " & ".join(cells) + " \\\\\n",
        _latex_foot,
    ),
}
"""Format → how rows become text."""


def require_parquet() -> None:
    """Make sure that Parquet can be written.

    Raises:
        SpecError: pyarrow is missing.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - whether it is there
    except ImportError:
        raise SpecError(
            "Parquet needs pyarrow", hint="pip install pyarrow, the extra 'parquet' of archcost"
        ) from None


def _write_parquet(draft: Path, fields: Sequence[Field], chunks: Iterable[Chunk]) -> None:
    """Rows as row groups; a count that leaves 64 bits makes its column one of text."""
    types = {field.name: _type(field) for field in fields}
    writer = _Parquet(draft, types)
    try:
        for chunk in chunks:
            writer.write({field.name: field.values(chunk) for field in fields})
    finally:
        writer.close()


class _Parquet:
    """A file that is begun anew where a column turns out to need another type."""

    def __init__(self, path: Path, types: dict[str, "arrow.DataType"]) -> None:
        self.path = path
        self.types = types
        self.writer = self._open(path)

    def _open(self, path: Path) -> Any:
        import pyarrow as arrow
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(path, arrow.schema(list(self.types.items())))

    def write(self, columns: dict[str, Array]) -> None:
        """Write a row group."""
        import pyarrow as arrow

        large = [name for name, column in columns.items() if self._overflows(name, column)]
        if large:
            self._widen(large)
        arrays = [_array(columns[name], kind) for name, kind in self.types.items()]
        self.writer.write_table(arrow.table(arrays, names=list(self.types)))

    def _overflows(self, name: str, column: Array) -> bool:
        import pyarrow as arrow

        if self.types[name] != arrow.int64() or column.dtype == np.int64:
            return False
        return any(value is not None and abs(value) >= 2**63 for value in column)

    def _widen(self, names: Sequence[str]) -> None:
        """Make columns text, in what is written so far too."""
        import pyarrow as arrow
        from pyarrow.parquet import ParquetFile

        self.writer.close()
        self.types |= dict.fromkeys(names, arrow.string())
        wider = self.path.with_name(f"{self.path.name}.wider")
        try:
            writer = self._open(wider)
            with ParquetFile(self.path) as written:
                for i in range(written.num_row_groups):
                    writer.write_table(written.read_row_group(i).cast(writer.schema))
            wider.replace(self.path)
        finally:
            wider.unlink(missing_ok=True)
        self.writer = writer

    def close(self) -> None:
        """End the file."""
        self.writer.close()


def _type(field: Field) -> "arrow.DataType":
    import pyarrow as arrow

    types = {"whole": arrow.int64(), "float": arrow.float64()}
    if field.kind == "decimal":
        return arrow.decimal128(38, field.places)
    return types.get(field.kind, arrow.string())


def _array(column: Array, kind: "arrow.DataType") -> "arrow.Array":
    import pyarrow as arrow

    if column.dtype != object and not arrow.types.is_decimal(kind):
        return arrow.array(column).cast(kind)
    if arrow.types.is_decimal(kind):
        from decimal import Decimal

        unit = Decimal(1).scaleb(-kind.scale)

        def decimal(value: Any) -> Decimal:
            return Decimal(show_value(value)).quantize(unit)

        return arrow.array([_or_none(decimal, value) for value in column.tolist()], kind)
    if kind == arrow.string():
        return arrow.array([_or_none(_whole_text, value) for value in column.tolist()], kind)
    return arrow.array(column.tolist(), kind)


def _whole_text(value: Any) -> str:
    """A value as text; halves of characters, as file names may have, are spelled out."""
    return show_value(value).encode("utf-8", "backslashreplace").decode()


def _or_none(make: Callable[[Any], Any], value: Any) -> Any:
    """What is made of a value that is there."""
    return None if value is None else make(value)

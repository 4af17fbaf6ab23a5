"""A sweep's rows as files, written chunk by chunk: CSV, JSON lines, Parquet, Markdown, LaTeX.

A file is written beside its place and put there when it is whole. Numbers are exact: decimals as
decimals, other fractions as text, counts of any size; only ratios and real quantities are float64.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from archspec.errors import SpecError, find_named, visible
from archspec.files import require_writable, written
from costmodel.algebra.operations import Array
from costmodel.render import csv as csv_text
from costmodel.render import latex, markdown
from costmodel.render.json import as_json
from costmodel.rules.formula import show_number, show_quantity
from costmodel.sweep.fields import Field
from costmodel.sweep.rows import Rows
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

INT64, FLOAT64 = "int64", "float64"
"""The types of columns whose numbers are written as they are."""

FORMATS = ("table", "csv", "jsonl", "parquet", "markdown", "latex")

Notes = Callable[[], Sequence[tuple[str, str]]]
"""Returns what stands below a table; called when all rows are there."""


def find_format(name: str | None, path: str | None) -> str:
    """Return the format that is asked for, by its name or by the end of a path.

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
    """Functions that make text of rows.

    Attributes:
        head: returns what stands above them.
        cells: returns the texts of a column's values.
        line: returns a line of some cells.
        foot: returns what stands below them.
    """

    head: Callable[[Sequence[Field]], str]
    cells: Callable[[Field, Array], list[str]]
    line: Callable[[Sequence[str]], str]
    foot: Callable[[Sequence[tuple[str, str]]], str]


def write_text(
    fields: Sequence[Field], chunks: Iterable[Rows], form: str, stream: IO[str], notes: Notes
) -> None:
    """Write rows as they come; nothing before the first of them are there."""
    head, cells, line, foot = TEXT_FORMATS[form]
    blocks = ([cells(field, field.values(chunk)) for field in fields] for chunk in chunks)
    first = next(blocks, [])
    stream.write(head(fields))
    for block in chain([first], blocks):
        stream.write("".join(map(line, zip(*block, strict=True))))
    stream.write(foot(notes()))


def write_file(
    path: str, fields: Sequence[Field], chunks: Iterable[Rows], form: str, notes: Notes
) -> None:
    """Write rows into a file, which takes its place when it is whole.

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


def _texts(column: Array, show: Callable[[Any], str]) -> list[str]:
    """Return the texts of values, each object shown once; equal fractions are one object."""
    if column.dtype == INT64:
        return list(map(str, column.tolist()))
    if column.dtype == FLOAT64:
        return list(map(repr, column.tolist()))
    values = column.tolist()
    known = {id(value): value for value in values}
    texts = {name: show(value) for name, value in known.items()}
    return [texts[id(value)] for value in values]


def _exact(value: Any) -> str:
    """Return a number so that nothing of it is lost, text as it is, and "" for no number."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else show_value(value)


def shown(field: Field, value: Any) -> str:
    """Return a number as a person reads it: thousands grouped, six digits of a ratio, units."""
    if value is None:
        return ""
    if field.unit is not None:
        return show_quantity(value, field.unit)
    if field.kind == "float":
        return f"{value:,.6g}"
    return show_number(value) if field.counted or abs_large(value) else show_value(value)


def abs_large(value: Any) -> bool:
    """Return whether an integer is long enough to be grouped: symbols of four digits are not."""
    return isinstance(value, int) and abs(value) >= 10_000


def _csv_head(fields: Sequence[Field]) -> str:
    return ",".join(_quoted(csv_text.escaped(field.name)) for field in fields) + "\n"


def _csv_cells(field: Field, column: Array) -> list[str]:
    """Return numbers as they are, and texts so that no spreadsheet takes them for formulas."""
    if field.kind == "text":
        return _texts(column, lambda value: _quoted(csv_text.escaped(_exact(value))))
    return _texts(column, _exact)


def _quoted(cell: str) -> str:
    if not any(sign in cell for sign in ',"\n\r'):
        return cell
    buffer = StringIO()
    csv.writer(buffer, lineterminator="").writerow([cell])
    return buffer.getvalue()


def _json_cells(field: Field, column: Array) -> list[str]:
    """Return JSON values behind their names: decimals are exact numbers, other fractions texts."""

    def show(value: Any) -> str:
        if value is None:
            return "null"
        is_text = field.kind in ("text", "fraction") and not isinstance(value, int)
        return _json_text(_exact(value)) if is_text else _exact(value)

    name = f"{_json_text(field.name)}: "
    return [name + text for text in _texts(column, show)]


def _json_text(text: str) -> str:
    return as_json(json.dumps(text, ensure_ascii=False))


def _shown_cells(escape: Callable[[str], str]) -> Callable[[Field, Array], list[str]]:
    """Return what shows a column to people, in a markup's signs."""
    return lambda field, column: [escape(shown(field, value)) for value in column.tolist()]


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
    """Return the end of the table, and what belongs to it as comments."""
    comments = "".join(f"% {label}: {visible(note)}\n" for label, note in notes)
    return f"\\bottomrule\n\\end{{tabular}}\n{comments}"


TEXT_FORMATS = {
    "csv": TextFormat(
        _csv_head,
        _csv_cells,
        lambda cells: ",".join(cells) + "\n",
        lambda notes: "",  # noqa: ARG005 - data alone
    ),
    "jsonl": TextFormat(
        lambda fields: "",  # noqa: ARG005 - each line says its names
        _json_cells,
        lambda cells: "{" + ", ".join(cells) + "}\n",
        lambda notes: "",  # noqa: ARG005 - data alone
    ),
    "markdown": TextFormat(
        _markdown_head,
        _shown_cells(markdown.escaped),
        lambda cells: markdown.line_of(cells) + "\n",
        _markdown_foot,
    ),
    "latex": TextFormat(
        _latex_head,
        _shown_cells(latex.escaped),
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


def _write_parquet(draft: Path, fields: Sequence[Field], chunks: Iterable[Rows]) -> None:
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

        if self.types[name] != arrow.int64() or column.dtype == INT64:
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

    if arrow.types.is_decimal(kind):
        unit = Decimal(1).scaleb(-kind.scale)
        return _converted(column, kind, lambda value: Decimal(show_value(value)).quantize(unit))
    if kind == arrow.string():
        return _converted(column, kind, _whole_text)
    if column.dtype != object:
        return arrow.array(column.copy()).cast(kind)
    return arrow.array(column.tolist(), kind)


def _converted(
    column: Array, kind: "arrow.DataType", convert: Callable[[Any], Any]
) -> "arrow.Array":
    """Return what is made of values that are there, once of equal ones."""
    import pyarrow as arrow

    values = column.tolist()
    keys = list(map(id, values)) if column.dtype == object else values
    known = dict(zip(keys, values, strict=True))
    places = {key: place for place, key in enumerate(known)}
    converted = [None if value is None else convert(value) for value in known.values()]
    return arrow.array(converted, kind).take(arrow.array([places[key] for key in keys]))


def _whole_text(value: Any) -> str:
    """Return a value as text; halves of characters, as file names may have, are spelled out."""
    return show_value(value).encode("utf-8", "backslashreplace").decode()

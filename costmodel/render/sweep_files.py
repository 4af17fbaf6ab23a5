"""A sweep's rows as files, written chunk by chunk: CSV, JSON lines, Markdown, LaTeX, Parquet.

A file is written beside its place and put there when it is whole. Numbers are exact: decimals as
decimals, other fractions as text, counts of any size; only ratios and real quantities are float64.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import StringIO, TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

from archspec.errors import SpecError, find_named, visible
from archspec.files import require_writable, written
from costmodel.algebra.operations import Array
from costmodel.render import SYNONYMS, latex, markdown
from costmodel.render import csv as csv_text
from costmodel.render.json import as_json
from costmodel.rules.formula import show_number, show_quantity
from costmodel.sweep.fields import Field
from costmodel.sweep.query import Request
from costmodel.sweep.rows import Rows
from costmodel.sweep.shards import Merged, in_order
from costmodel.sweep.vary import show_value

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

FORMATS = ("table", "csv", "jsonl", "parquet", "markdown", "latex", "rst")

Notes = Iterable[tuple[str, str]]
"""What stands below a table; it is read when all rows are there."""


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
    synonyms = {**SYNONYMS, "json": "jsonl"}
    plain = synonyms.get(name.lower(), name.lower())
    found = find_named("format", plain, {each: each for each in FORMATS})
    if found == "parquet" and path is None:
        raise SpecError("Parquet is no text", hint="write it into a file, as -o sweep.parquet")
    if found in ("table", "rst") and path is not None:
        cause = "a table is for the terminal" if found == "table" else "rst is printed, for a page"
        raise SpecError(cause, hint="into a file goes csv, markdown, …")
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
    """The signs of which rows are made text.

    Attributes:
        begin: what begins a line.
        between: what stands between its cells.
        end: what ends it.
        cells: returns the texts of a column's values.
        name: returns what stands before each value of a column.
        head: returns what stands above the rows.
        foot: returns what stands below them.
        counts_are_plain: whether 64-bit integers are digits without any other sign, and floats
            what Python writes.
    """

    begin: str
    between: str
    end: str
    cells: Callable[[Field, Array], list[str]]
    name: Callable[[Field], str] = lambda _: ""
    head: Callable[[Sequence[Field]], str] = lambda _: ""
    foot: Callable[[Notes], str] = lambda _: ""
    counts_are_plain: bool = False


def write_text(
    fields: Sequence[Field], chunks: Iterable[Rows], form: str, stream: IO[str], notes: Notes
) -> None:
    """Write rows as they come; nothing before the first of them are there."""
    how = TEXT_FORMATS[form]
    blocks = (_lines(how, fields, chunk) for chunk in chunks)
    first = next(blocks, "")
    stream.write(how.head(fields))
    for block in chain([first], blocks):
        _write(stream, block)
    stream.write(how.foot(notes))


MANY_ROWS = 2**14
"""From so many rows on it pays to let pyarrow put them together, where it is there."""


def _lines(how: TextFormat, fields: Sequence[Field], chunk: Rows) -> str | memoryview:
    """Return rows as lines; pyarrow's, where it puts them together, are the same in UTF-8."""
    names = [how.name(field) for field in fields]
    columns = [(field.values(chunk), partial(how.cells, field)) for field in fields]
    if chunk.count >= MANY_ROWS and how.counts_are_plain and find_spec("pyarrow"):
        from costmodel.render.sweep_lines import lines

        signs = [how.begin + names[0], *(how.between + name for name in names[1:]), how.end]
        with suppress(UnicodeEncodeError):  # halves of characters, as file names may have
            return lines(columns, signs)
    texts = (cells(column) for column, cells in columns)
    named = (
        [name + text for text in column] if name else column
        for name, column in zip(names, texts, strict=True)
    )
    rows = zip(*named, strict=True)
    return "".join([f"{how.begin}{how.between.join(row)}{how.end}" for row in rows])


def _write(stream: IO[str], block: str | memoryview) -> None:
    """Write text, which may be UTF-8 already, as a stream takes it."""
    if isinstance(block, str):
        stream.write(block)
    elif isinstance(stream, TextIOWrapper) and stream.encoding.lower() == "utf-8":
        stream.flush()
        stream.buffer.write(block)
    else:
        stream.write(str(block, "utf-8"))


def write_file(
    path: str,
    fields: Sequence[Field],
    chunks: Iterable[Rows],
    form: str,
    notes: Notes,
    about: Callable[[], str] | None = None,
) -> None:
    """Write rows into a file, which takes its place when it is whole.

    Args:
        path: where it is.
        fields: the columns.
        chunks: the rows.
        form: its format.
        notes: what stands below a table.
        about: returns which part of which sweep it is, which Parquet keeps, when all rows are read.

    Raises:
        SpecError: it cannot be written.
    """
    write_parquet = _parquet().write_parquet if form == "parquet" else None
    with written(path) as draft:
        if write_parquet is not None:
            write_parquet(draft, fields, chunks, about)
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
    is_long = isinstance(value, int) and abs(value) >= 10_000  # symbols of four digits are not
    return show_number(value) if field.counted or is_long else show_value(value)


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
    """Return JSON values: decimals are exact numbers, other fractions texts."""

    def show(value: Any) -> str:
        if value is None:
            return "null"
        is_text = field.kind in ("text", "fraction") and not isinstance(value, int)
        return _json_text(_exact(value)) if is_text else _exact(value)

    return _texts(column, show)


def _json_name(field: Field) -> str:
    return f"{_json_text(field.name)}: "


def _json_text(text: str) -> str:
    return as_json(json.dumps(text, ensure_ascii=False))


def _shown_cells(escape: Callable[[str], str]) -> Callable[[Field, Array], list[str]]:
    """Return what shows a column to people, in a markup's signs."""
    return lambda field, column: [escape(shown(field, value)) for value in column.tolist()]


def _markdown_head(fields: Sequence[Field]) -> str:
    titles = markdown.line_of([markdown.escaped(field.head) for field in fields])
    aligned = ["---" if field.kind == "text" else "---:" for field in fields]
    return f"{titles}\n{markdown.line_of(aligned)}\n"


def _markdown_foot(notes: Notes) -> str:
    return "\n" + "".join(f"{line}\n" for line in markdown.listed(notes))


def _latex_head(fields: Sequence[Field]) -> str:
    columns = "".join("l" if field.kind == "text" else "r" for field in fields)
    titles = " & ".join(latex.escaped(field.head) for field in fields)
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{titles} \\\\\n\\midrule\n"


def _latex_foot(notes: Notes) -> str:
    """Return the end of the table, and what belongs to it as comments."""
    comments = "".join(f"% {label}: {visible(note)}\n" for label, note in notes)
    return f"\\bottomrule\n\\end{{tabular}}\n{comments}"


TEXT_FORMATS = {
    "csv": TextFormat("", ",", "\n", _csv_cells, head=_csv_head, counts_are_plain=True),
    "jsonl": TextFormat("{", ", ", "}\n", _json_cells, _json_name, counts_are_plain=True),
    "markdown": TextFormat(
        *("| ", " | ", " |\n", _shown_cells(markdown.escaped)),
        head=_markdown_head,
        foot=_markdown_foot,
    ),
    "latex": TextFormat(
        *("", " & ", " \\\\\n", _shown_cells(latex.escaped)), head=_latex_head, foot=_latex_foot
    ),
}
"""Format → how rows become text."""


def merged(files: Sequence[str], request: Request) -> tuple[Merged, Iterator[Rows]]:
    """Return all shards of a sweep, and their rows reduced to what one run gives.

    Raises:
        SpecError: they are no such shards, or do not have what is asked for.
    """
    parquet = _parquet()
    found = Merged(in_order(map(parquet.read_shard, files)), request)
    return found, found.rows(parquet.shard_rows)


def _parquet() -> Any:
    """Return the module that reads and writes Parquet, if pyarrow is there."""
    try:
        return import_module("costmodel.render.sweep_parquet")
    except ImportError:
        raise SpecError(
            "Parquet needs pyarrow", hint="pip install pyarrow, the extra 'parquet' of archcost"
        ) from None

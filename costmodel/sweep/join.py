"""A person's own columns, joined to the rows of a sweep by the symbols' values."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from archspec.errors import SpecError
from archspec.files import cause_of
from costmodel.algebra.operations import Array
from costmodel.rules.formula import count_of
from costmodel.scenario.settings import to_rational
from costmodel.sweep.reduce import Tally
from costmodel.sweep.rows import Rows, column_of
from costmodel.sweep.vary import Value, show_value

MAX_LINES = 5_000_000
"""The most lines of a file that is joined."""

MAX_CHARACTERS = 1_000_000_000
"""The most characters of all of its lines."""

MAX_LINE = 100_000
"""The most characters of one of its lines."""


@dataclass(frozen=True)
class Join:
    """Lines of a file, found by their keys.

    Attributes:
        file: where they stand.
        keys: the columns that say which row a line belongs to.
        columns: what is joined, by name.
        places: key column → its values, in order, each once.
        codes: the lines' keys as one number each, in order.
        lines: which line each of these is.
        used: which lines were found so far.
    """

    file: str
    keys: tuple[str, ...]
    columns: Mapping[str, Array]
    places: Mapping[str, Mapping[Value, int]]
    codes: Array
    lines: Array
    used: Array

    def joined(self, chunks: Iterable[Rows], tally: Tally) -> Iterator[Rows]:
        """Yield the rows that have a line, with its columns."""
        for chunk in chunks:
            at = self._lines_of(chunk)
            found = at >= 0
            tally.unmatched += chunk.count - int(found.sum())
            at = at[found]
            self.used[at] = True
            if len(at):
                columns = {name: _at(column, at) for name, column in self.columns.items()}
                yield chunk.select(found).extended(columns)

    def _lines_of(self, chunk: Rows) -> Array:
        """Return the line of every row, or -1."""
        codes = np.zeros(chunk.count, np.int64)
        known = np.ones(chunk.count, bool)
        for key in self.keys:
            place = _places(chunk[key], self.places[key])
            known &= place >= 0
            codes = codes * len(self.places[key]) + place
        at = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        return np.where(known & (self.codes[at] == codes), self.lines[at], -1)

    @property
    def unused(self) -> int:
        """The number of lines that belong to no row."""
        return int((~self.used).sum())


def _at(column: Array, lines: Array) -> Any:
    return lambda chosen: column[lines[chosen]]


def _places(column: Array, places: Mapping[Value, int]) -> Array:
    """Return the place of each value among the known, or -1."""
    if column.dtype == object:
        found = np.frompyfunc(lambda value: places.get(value, -1), 1, 1)(column)
        return np.asarray(found, np.int64)
    values, inverse = np.unique(column, return_inverse=True)
    table = np.array([places.get(value, -1) for value in values.tolist()], np.int64)
    return table[inverse.reshape(-1)]


def read_join(file: str, known: Collection[str], texts: Collection[str]) -> Join:
    """Read a file of comma-separated values whose first line names its columns.

    Args:
        file: its path.
        known: the names by which it can be joined: symbols, ``spec`` and ``variant``.
        texts: those of them whose values are texts.

    Raises:
        SpecError: it cannot be read, has no such column, or a line is bad or there twice.
    """
    head, lines = _lines(file)
    keys = tuple(name for name in head if name in known)
    values = [name for name in head if name not in known]
    if not keys:
        hint = f"it is joined by columns named as symbols: {', '.join(sorted(known))}"
        raise SpecError(f"{file} has no column to join by, only {', '.join(head)}", hint=hint)
    if not values:
        raise SpecError(f"{file} has nothing to join, only {', '.join(keys)}")
    table = {name: [line[i] for _, line in lines] for i, name in enumerate(head)}
    numbers = [number for number, _ in lines]
    keyed = {
        name: table[name] if name in texts else _key(file, name, table[name], numbers)
        for name in keys
    }
    columns = {name: column_of(_values(file, name, table[name], numbers)) for name in values}
    return _indexed(file, keyed, columns, numbers)


def _indexed(
    file: str, keyed: Mapping[str, list[Any]], columns: Mapping[str, Array], numbers: list[int]
) -> Join:
    places = {name: {v: i for i, v in enumerate(dict.fromkeys(v_s))} for name, v_s in keyed.items()}
    codes = np.zeros(len(numbers), np.int64)
    for name, values in keyed.items():
        codes = codes * len(places[name]) + np.array([places[name][v] for v in values], np.int64)
    lines = np.argsort(codes, kind="stable")
    twice = np.flatnonzero(np.diff(codes[lines]) == 0)
    if twice.size:
        first, second = lines[twice[0]], lines[twice[0] + 1]
        at = ", ".join(f"{name} = {show_value(v[first])}" for name, v in keyed.items())
        raise SpecError(f"{file}: lines {numbers[first]} and {numbers[second]} are both of {at}")
    used = np.zeros(len(numbers), bool)
    return Join(file, tuple(keyed), columns, places, codes[lines], lines, used)


def _read(file: str) -> list[tuple[int, list[str]]]:
    """Return lines of cells with their numbers, of a file that need not have an end."""
    found: list[tuple[int, list[str]]] = []
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(_bounded(stream, file), skipinitialspace=True)
            found += ((reader.line_num, line) for line in reader if any(map(str.strip, line)))
    except SpecError:
        raise
    except OSError as error:
        raise SpecError(f"cannot read {file}: {cause_of(error)}") from None
    except (ValueError, csv.Error) as error:
        raise SpecError(f"{file} holds no comma-separated values: {error}") from None
    return found


def _bounded(stream: IO[str], file: str) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        SpecError: one is too long, or they are too many.
    """
    rest = MAX_CHARACTERS
    for number in range(1, MAX_LINES + 2):
        line = stream.readline(MAX_LINE + 1)
        rest -= len(line)
        if len(line) > MAX_LINE:
            raise SpecError(f"{file}:{number}: a line of more than {MAX_LINE:,} characters")
        if rest < 0:
            raise SpecError(f"{file} has more than {MAX_CHARACTERS:,} characters")
        if not line:
            return
        yield line
    raise SpecError(f"{file} has more than {MAX_LINES:,} lines")


def _lines(file: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the head, and the lines with their numbers; empty ones are none."""
    found = _read(file)
    if len(found) < 2:
        raise SpecError(f"{file} has no lines below its head")
    head = [name.strip() for name in found[0][1]]
    for name in head:
        if not name or head.count(name) > 1:
            raise SpecError(f"{file}: the columns must have names of their own, not '{name}' twice")
    for number, line in found[1:]:
        if len(line) != len(head):
            cells, columns = count_of(len(line), "cell"), count_of(len(head), "column")
            raise SpecError(
                f"{file}:{number}: {cells} below {columns} ({', '.join(head)})",
                hint="a cell that has a comma in it stands in quotes",
            )
    return head, [(number, [cell.strip() for cell in line]) for number, line in found[1:]]


def _key(file: str, name: str, cells: list[str], numbers: list[int]) -> list[Value]:
    found: list[Value] = []
    for number, cell in zip(numbers, cells, strict=True):
        try:
            found.append(to_rational(name, cell))
        except SpecError as error:
            raise SpecError(f"{file}:{number}: {error.cause}") from None
    return found


def _values(file: str, name: str, cells: list[str], numbers: list[int]) -> list[Value]:
    """Return numbers where all cells are, else texts."""
    for number, cell in zip(numbers, cells, strict=True):
        if not cell:
            raise SpecError(f"{file}:{number}: {name} is empty")
    try:
        return [to_rational(name, cell) for cell in cells]
    except SpecError:
        return list(cells)

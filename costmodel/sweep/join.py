"""A person's own columns, joined to the rows of a sweep by the symbols' values."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from archspec.errors import SpecError
from archspec.files import cause_of
from costmodel.algebra.operations import Array
from costmodel.metrics.registry import METRICS
from costmodel.rules.formula import count_of
from costmodel.scenario.settings import to_rational
from costmodel.sweep.reduce import Tally
from costmodel.sweep.rows import Rows, column_of, rows_of
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
        lines: the values of the keys → the line that has them.
        used: which lines were found so far.
    """

    file: str
    keys: tuple[str, ...]
    columns: Mapping[str, Array]
    lines: Mapping[tuple[Value, ...], int]
    used: Array

    def joined(self, chunks: Iterable[Rows], tally: Tally) -> Iterator[Rows]:
        """Yield the rows that have a line, with its columns."""
        for chunk in chunks:
            rows = zip(*(chunk[key].tolist() for key in self.keys), strict=True)
            at = np.array([self.lines.get(row, -1) for row in rows], np.int64)
            found = at >= 0
            tally.unmatched += chunk.count - int(found.sum())
            at = at[found]
            self.used[at] = True
            if len(at):
                columns = rows_of({name: column[at] for name, column in self.columns.items()})
                makers = {name: columns.maker(name) for name in columns}
                yield chunk.select(found).extended(makers)

    @property
    def unused(self) -> int:
        """The number of lines that belong to no row."""
        return int((~self.used).sum())


def read_join(file: str, known: Collection[str], texts: Collection[str]) -> Join:
    """Read a file of comma-separated values whose first line names its columns.

    Args:
        file: its path.
        known: the names by which it can be joined: symbols, ``spec`` and ``variant``.
        texts: those of them whose values are texts.

    Raises:
        SpecError: it cannot be read, has no such column or one of a metric, or a line is bad or
            there twice.
    """
    head, numbers, lines = _lines(file)
    keys = tuple(name for name in head if name in known)
    values = [name for name in head if name not in known]
    if not keys:
        hint = f"it is joined by columns named as symbols: {', '.join(sorted(known))}"
        raise SpecError(f"{file} has no column to join by, only {', '.join(head)}", hint=hint)
    if not values:
        raise SpecError(f"{file} has nothing to join, only {', '.join(keys)}")
    for name in filter(METRICS.__contains__, values):
        raise SpecError(
            f"{file}: '{name}' is a metric of ours", hint="give the column another name"
        )
    table = {name: list(cells) for name, cells in zip(head, zip(*lines, strict=True), strict=True)}
    places = [f"{file}:{number}" for number in numbers]
    keyed = [table[n] if n in texts else _keys(n, table[n], places) for n in keys]
    columns = {name: column_of(_values(name, table[name], places)) for name in values}
    found: dict[tuple[Value, ...], int] = {}
    for line, key in enumerate(zip(*keyed, strict=True)):
        first = found.setdefault(key, line)
        if first != line:
            at = ", ".join(f"{n} = {show_value(v)}" for n, v in zip(keys, key, strict=True))
            raise SpecError(f"{file}: lines {numbers[first]} and {numbers[line]} are both of {at}")
    return Join(file, keys, columns, found, np.zeros(len(lines), bool))


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
    """Yield the lines of a file, until one is too long or they are too many."""
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


def _lines(file: str) -> tuple[list[str], list[int], list[list[str]]]:
    """Return the head, the lines' numbers, and the lines; empty ones are none."""
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
    numbers, lines = zip(*found[1:], strict=True)
    return head, list(numbers), [[cell.strip() for cell in line] for line in lines]


def _keys(name: str, cells: list[str], places: list[str]) -> list[Value]:
    found: list[Value] = []
    for place, cell in zip(places, cells, strict=True):
        try:
            found.append(to_rational(name, cell))
        except SpecError as error:
            raise SpecError(f"{place}: {error.cause}") from None
    return found


def _values(name: str, cells: list[str], places: list[str]) -> list[Value]:
    """Return numbers where all cells are, else texts."""
    if "" in cells:
        raise SpecError(f"{places[cells.index('')]}: {name} is empty")
    try:
        return [to_rational(name, cell) for cell in cells]
    except SpecError:
        return list(cells)

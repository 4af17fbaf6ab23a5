"""The document of a memory profile: a bar for each layer; its laws are a report."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from costmodel.analysis.document import (
    Bar,
    Block,
    Cell,
    Column,
    Document,
    Note,
    Row,
    Table,
    entries,
    quantity_in,
)
from costmodel.rules.formula import show_bytes
from costmodel.studies import report_document
from costmodel.studies.profile import ALIVE, IN_OUT, MemoryProfile
from costmodel.studies.report import ReportRow as Layer
from costmodel.studies.report_document import notes, row_of

SIZES = (
    Column("layer", "layer"),
    Column(IN_OUT, "in + out", quantity_in("B"), hides_zero=True),
    Column("alive", "alive", quantity_in("B"), hides_zero=True),
)


def document(profile: MemoryProfile) -> Document:
    """Return the document of a memory profile."""
    whole = report_document.document(profile.report)
    return whole if profile.report.symbolic else replace(whole, blocks=partial(_blocks, profile))


def _blocks(profile: MemoryProfile) -> Iterator[Block]:
    rows = tuple(_row(profile, row) for row in profile.rows)
    folds = profile.report.depth is None
    yield Table(SIZES, rows, bars="█ in + out  ░ beside", folds=folds)
    yield entries((*_peaks(profile), *notes(profile.report)))


def _row(profile: MemoryProfile, row: Layer) -> Row:
    """Return a line with its bar, which is over where the device's memory has less."""
    own, alive = profile.number(row, IN_OUT), profile.number(row, profile.alive)
    cells: dict[str, Cell] = {IN_OUT: own, "alive": alive}
    over = profile.capacity is not None and alive > profile.capacity
    bar = Bar(own, alive, profile.most, over)
    return row_of(profile.report, row, cells)._replace(bar=bar)


def _peaks(profile: MemoryProfile) -> Iterator[Note]:
    size, row = profile.analysis.value(IN_OUT), profile.peak(IN_OUT)
    yield "input + output", f"{show_bytes(size)} (at {row.path})"
    if profile.capacity is not None:
        over = sum(profile.number(row, profile.alive) > profile.capacity for row in profile.layers)
        of = f"{over} of {len(profile.layers)} layers over it" if over else "all layers within it"
        yield "capacity", f"{show_bytes(profile.capacity)}; {of}"
    if profile.alive == ALIVE["best"]:
        given = profile.analysis.value(ALIVE["given"])
        yield "in given order", show_bytes(given)
        for move in profile.moves:
            place = f"before {move.before}" if move.before else "last"
            yield "best order", f"{', '.join(move.layers)} {place}"

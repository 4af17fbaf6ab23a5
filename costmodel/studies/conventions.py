"""Conventions: what each counts, and who counts so."""

from collections.abc import Iterator

from costmodel.analysis.document import VERSION, Block, Column, Document, Row, Table
from costmodel.scenario.conventions import convention_names, find_convention
from costmodel.studies import question

COLUMNS = tuple(Column(name, name) for name in ("convention", "counts", "source"))


@question(group="Devices and conventions")
def conventions(names: list[str] | None = None, /) -> Document:
    """List the conventions there are: what counts as parameters, MACs and activations.

    Args:
        names: Conventions by name, or your own files (.yaml); else all that come with archcost.

    Examples:
        archcost conventions
        archcost conventions lecture torch
    """
    found = [find_convention(name) for name in names or convention_names()]
    values = [(each.name, each.summary, each.source) for each in found]

    def blocks() -> Iterator[Block]:
        yield Table(COLUMNS, tuple(map(Row, rows)), listed=True)

    keys = [column.name for column in COLUMNS]
    rows = [dict(zip(keys, row, strict=True)) for row in values]
    return Document("", blocks, lambda: {"archcost": VERSION, "conventions": rows})

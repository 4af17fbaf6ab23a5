"""The networks that come with the package, each with its name, what it costs, and its source."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from re import split
from typing import Any

from archspec import Architecture, SpecError, load
from archspec.errors import did_you_mean
from archspec.zoo import ZooName, networks_like
from archspec.zoo import zoo as names_of_zoo
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import (
    COUNT,
    VERSION,
    Block,
    Cell,
    Column,
    Document,
    entries,
    plain_number,
    table_of,
)
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.metrics.registry import METRICS
from costmodel.rules.formula import show_shapes
from costmodel.studies import question

COUNTS = ("params", "macs")
"""The metrics of the list."""

CONVENTION = "torch"
"""The convention of the list, one for all networks."""

COLUMNS = (
    Column("name", "network"),
    *(Column(name, METRICS[name].head, COUNT) for name in COUNTS),
    Column("input", "input"),
    Column("source", "source"),
)


@question(group="Look at a network")
def zoo(pattern: str = "", /) -> Document:
    """List the networks that come with archcost; each name is a SPEC of every command.

    Args:
        pattern: A part of the names or families that are listed, as resnet, or a pattern.

    Examples:
        archcost zoo
        archcost zoo resnet
        archcost zoo 'resnet*'

    Raises:
        SpecError: no network has such a name.
    """
    found = networks_like(pattern)
    if not found:
        hint = did_you_mean(pattern, (each.name for each in names_of_zoo().values()))
        raise SpecError(f"no network of the zoo is called like '{pattern}'", hint=hint)
    networks = list(_analyses(found))

    def blocks() -> Iterator[Block]:
        yield table_of(COLUMNS, (_cells(each, analysis) for each, analysis in networks))
        families = ", ".join(_families(networks))
        notes = [("families", f"by their own names: {families}")] if families else []
        notes.append(("numbers", "of one input of the size beside them"))
        yield entries((*notes, ("convention", CONVENTION)))

    def data() -> dict[str, Any]:
        rows = [_data(each, analysis) for each, analysis in networks]
        return {"archcost": VERSION, "convention": CONVENTION, "networks": rows}

    return Document("", blocks, data)


def _cells(each: ZooName, analysis: Analysis) -> tuple[Cell, ...]:
    """Return a network's row: its name, what it costs, the size of its input, its source."""
    shapes = show_shapes(analysis.propagation.inputs.values(), analysis.evaluator)
    return each.name, *map(analysis.value, COUNTS), shapes, first_source(analysis.architecture)


def _analyses(found: list[ZooName]) -> Iterator[tuple[ZooName, Analysis]]:
    """Yield the networks, at the values of their symbols; each file is read once."""
    for _, names in groupby(found, lambda each: each.path):
        family = None
        for each in names:
            family = family or load(each.path)
            spec = family.varied(each.variant)
            yield each, analyze_architecture(spec, Setup(CONVENTION, spec.header.defaults))


def _families(networks: Iterable[tuple[ZooName, Analysis]]) -> Iterator[str]:
    """Yield the name of each family that has variants, and the one that it shows."""
    for each, analysis in networks:
        spec = analysis.architecture
        if each.name != each.family and spec.header == spec.written:
            yield f"{each.family} is {each.name}"


def first_source(spec: Architecture) -> str:
    """Return the first work that a spec names as its source, without remarks."""
    return split(r"[;(]|: |\. |, (?:and|as|with) ", spec.header.source or "", maxsplit=1)[0].strip()


def _data(each: ZooName, analysis: Analysis) -> dict[str, Any]:
    return {
        "name": each.name,
        "family": each.family,
        "symbols": {n: plain_number(value) for n, value in analysis.graph.values.items()},
        **{name: plain_number(analysis.value(name)) for name in COUNTS},
        "source": analysis.architecture.header.source,
    }

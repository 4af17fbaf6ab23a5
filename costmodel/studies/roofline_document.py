"""The documents of a roofline: its numbers, its laws, what bounds layers over a symbol's values."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.printing import text
from costmodel.analysis.document import (
    COUNT,
    SHARE,
    TEXT,
    Block,
    Cell,
    Column,
    Document,
    Note,
    Row,
    Style,
    Table,
    entries,
    plain_number,
    quantity_in,
    table_of,
)
from costmodel.analysis.standing import compute_alone, standing_notes
from costmodel.metrics.registry import METRICS
from costmodel.rules.formula import show_number, show_quantity
from costmodel.studies import report_document
from costmodel.studies.crossover import Crossover, Crossovers, Regime
from costmodel.studies.hardware import shown
from costmodel.studies.report import Report
from costmodel.studies.report_document import head, notes
from costmodel.studies.roofline import MOVING, Roofline, RooflineEntry, bound_of

LATENCY, WHOLE = METRICS["latency"].title, METRICS["latency_network"].title

INTENSITY = TEXT._replace(show=lambda n: f"{float(n):.4g}", is_right=True)


def document(roofline: Roofline, *, symbolic: bool) -> Document:
    """Return the document of a roofline: a line for each layer or group.

    Args:
        roofline: the network on its device.
        symbolic: whether its lines are laws, or numbers.
    """
    if symbolic:
        whole = report_document.document(_laws(roofline), _law_notes(roofline))
        return replace(whole, data=partial(_data, roofline))

    def blocks() -> Iterator[Block]:
        yield _numbers(roofline)
        yield entries((*_notes(roofline), *_alone(roofline), *notes(roofline.about)))

    whole = report_document.document(replace(roofline.report, depth=roofline.depth))
    return replace(whole, blocks=blocks, data=partial(_data, roofline))


def crossings(roofline: Roofline, found: Crossovers) -> Document:
    """Return the document of what bounds each layer over the values of a symbol."""

    def blocks() -> Iterator[Block]:
        columns = (Column("layer", "layer"), Column("bound", f"over {found.name}"))
        yield Table(columns, tuple(_crossing(roofline, found, line) for line in roofline.lines))
        yield entries(_crossing_notes(roofline, found))

    return Document(
        title=roofline.report.title,
        source=roofline.analysis.graph.source or "",
        blocks=blocks,
        data=partial(_crossing_data, roofline, found),
        rows=partial(_plain_crossings, found),
    )


def _numbers(roofline: Roofline) -> Table:
    """Return the lines; the MACs are those that take the time, maybe fewer than are counted."""
    macs = METRICS["macs_least"].title if roofline.spares else "MACs"
    columns = (
        Column("layer", "layer"),
        Column("macs", macs, COUNT, hides_zero=True),
        Column("bytes_moved", "bytes moved", COUNT, hides_zero=True),
        Column("intensity", "op/byte", INTENSITY),
        Column("bound", "bound"),
        Column("latency", LATENCY, quantity_in("s"), hides_zero=True),
        Column("share", "share", SHARE),
    )
    value = roofline.analysis.value
    total: dict[str, Cell] = {
        "layer": "total",
        "macs": value("macs_least"),
        "bytes_moved": value("bytes_moved"),
        "latency": roofline.time,
        "share": 1 if roofline.time else "",
    }
    return Table(columns, tuple(_line(roofline, line) for line in roofline.lines), Row(total))


def _line(roofline: Roofline, line: RooflineEntry) -> Row:
    cells: dict[str, Cell] = {
        "layer": roofline.report.label(line.row).strip(),
        "macs": line.operations // 2,
        "bytes_moved": line.moved,
        "intensity": line.intensity,
        "bound": line.bound,
        "latency": line.time,
        "share": line.share or "",
    }
    style: Style = "bold" if line.row.is_group else "" if line.time else "dim"
    return Row(cells, line.row.level, style)


def _notes(roofline: Roofline) -> Iterator[Note]:
    """Return what the times are, and the figures from which they come."""
    time = show_quantity(roofline.time, "s")
    bound = "max(T computation, T memory)" if roofline.compares else "T computation"
    yield LATENCY, f"{time}: the sum of {bound} of every layer"
    yield WHOLE, _network_note(roofline)
    if roofline.spares:
        counted = show_number(roofline.analysis.value("macs"))
        told = f"{counted}, of which those that a causal mask hides need not be made"
        yield "MACs counted", told
    for roof in roofline.roofs if roofline.compares else ():
        types = " and ".join(roof.types)
        shown_ridge = f"{float(roof.ridge):.4g} op/byte in {types}"
        yield "ridge point", f"{shown_ridge}: from there on compute-bound"
    for used in roofline.used:
        value, figure = shown(used.figure, used.place), used.figure
        yield used.label, f"{value} ({figure.read}: {figure.source})"
    efficiency = roofline.analysis.context.device.efficiency
    figures = "peaks and bandwidth" if roofline.compares else "peaks"
    yield (
        "efficiency",
        f"1: {figures} as they are stated" if efficiency == 1 else f"{float(efficiency):g}",
    )


def _alone(roofline: Roofline) -> Iterator[Note]:
    """Return the reason why the times are those of the operations alone, where they are."""
    if (alone := compute_alone(roofline.analysis, ("latency",))) is not None:
        yield "compute alone", alone


def _network_note(roofline: Roofline) -> str:
    """Return the lecture's maximum over the whole network, with both sides."""
    computation, memory = roofline.sides
    if memory is None:
        return f"{show_quantity(computation, 's')}: T computation of all layers together"
    least = show_quantity(max(computation, memory), "s")
    bound = bound_of(computation, memory)
    sides = (f"{show_quantity(side, 's')}" for side in (computation, memory))
    reads = "T computation {}, T memory {} of all layers together".format(*sides)
    return f"{least}: max of {reads}" + (f"; {bound}-bound" if bound else "")


def _data(roofline: Roofline) -> dict[str, Any]:
    """Return counts, bytes and seconds as laws and values."""
    counts = ("macs", "macs_least", "bytes_moved")
    names = (*counts, "latency", "latency_network", "compute_time", "memory_time")
    return {
        **head(roofline.about),
        **_figures(roofline),
        "groups": [_line_data(roofline, line) for line in roofline.lines if line.row.is_group],
        "layers": [_line_data(roofline, line) for line in roofline.lines if not line.row.is_group],
        "totals": {name: _total(roofline, name) for name in names},
        "bound": bound_of(*roofline.sides),
    }


def _figures(roofline: Roofline) -> dict[str, Any]:
    alone = compute_alone(roofline.analysis, ("latency",))
    return {
        "figures": [
            {"name": used.label, "value": plain_number(used.figure.value), "read": used.figure.read}
            | {"source": used.figure.source}
            for used in roofline.used
        ],
        "ridge": _ridges(roofline),
        **({} if alone is None else {"compute_alone": alone}),
    }


def _ridges(roofline: Roofline) -> dict[str, float]:
    """Return type → its ridge point; none where the device states no bandwidth."""
    roofs = roofline.roofs if roofline.compares else ()
    return {dtype: float(roof.ridge) for roof in roofs for dtype in roof.types}


def _total(roofline: Roofline, name: str) -> dict[str, Any] | None:
    """Return a metric of the network; None for the time of moving where there is no bandwidth."""
    if name == MOVING and not roofline.compares:
        return None
    return _quantity(roofline.report, name, roofline.report.total(name))


def _line_data(roofline: Roofline, line: RooflineEntry) -> dict[str, Any]:
    row, report = line.row, roofline.report
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "runs": plain_number(report.number(row.runs)),
        **{name: _quantity(report, name, law) for name, law in row.counts.items()},
        **({} if roofline.compares else {MOVING: None}),
        "intensity": None if line.intensity is None else float(line.intensity),
        "bound": line.bound,
        "share": float(line.share),
    }


def _quantity(report: Report, name: str, law: Expr) -> dict[str, Any]:
    """Return a metric as law and value; a time is never an integer, not even none."""
    value = report.number(law)
    is_count = METRICS[name].quantity is None
    return {"expr": text(law), "value": plain_number(value) if is_count else float(value)}


def _law_notes(roofline: Roofline) -> Iterator[Note]:
    """Return the law of the network as a whole, then the numbers."""
    title = METRICS["latency_network"].short_title
    yield f"law of {title}", text(_laws(roofline).total("latency_network"))
    yield from _notes(roofline)


def _laws(roofline: Roofline) -> Report:
    """Return the report of the laws that are shown layer by layer."""
    shown = ("macs_least" if roofline.spares else "macs", "bytes_moved", "latency")
    return Report(roofline.analysis, shown, symbolic=True, depth=roofline.depth)


def _crossing(roofline: Roofline, found: Crossovers, line: RooflineEntry) -> Row:
    """Return a layer with what bounds it where; nothing is said of a group."""
    told = "" if line.row.is_group else found.layers[line.row.path].told(found.name)
    bound = None if told == "takes no time" else told
    label = roofline.report.label(line.row).strip()
    style: Style = "dim" if bound is None else ""
    return Row({"layer": label, "bound": bound}, line.row.level, style)


def _plain_crossings(found: Crossovers) -> Table:
    """Return a row for each part of each layer's values; the last may have no end."""
    columns = (Column(name, name) for name in ("layer", *Regime._fields))
    crossovers = (*found.layers.items(), ("total", found.network))
    return table_of(columns, ((path, *part) for path, each in crossovers for part in each.parts))


def _crossing_notes(roofline: Roofline, found: Crossovers) -> Iterator[Note]:
    """Return what stands below the crossovers."""
    yield "network", f"{found.network.told(found.name)} (all layers together)"
    if not found.matters:
        yield "", f"no time depends on {found.name}"
    kept = ("ridge", "peak", "bandwidth")
    yield from (note for note in _notes(roofline) if note[0].startswith(kept))
    about = roofline.about
    follows = about.analysis.assumed.derived
    at, conditions = about.setting_without(found.name, *follows), " and ".join(about.conditions)
    yield from standing_notes(about.analysis, at=at, conditions=conditions)


def _crossing_data(roofline: Roofline, found: Crossovers) -> dict[str, Any]:
    """Return the parts of every layer, the last without end where it is null."""
    start = head(roofline.about)
    start["symbols"].pop(found.name, None)
    return {
        **start,
        **_figures(roofline),
        "for": found.name,
        "layers": [{"path": path, **_parts(each)} for path, each in found.layers.items()],
        "network": _parts(found.network),
    }


def _parts(crossover: Crossover) -> dict[str, Any]:
    def plain(value: Rational | None) -> int | float | str | None:
        return None if value is None else plain_number(value)

    return {
        "parts": [
            {"bound": part.bound, "first": plain(part.first), "last": plain(part.last)}
            for part in crossover.parts
        ],
        "decided": crossover.is_decided,
    }

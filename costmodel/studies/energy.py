"""The document of what layers take, in joules, and of the memory from which their bytes come."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

from archspec.arithmetic import Rational
from archspec.hardware import AccessFigure, EnergyFigure
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.energy import LayerEnergy, MemorySources
from costmodel.rules.formula import count_of, show_number, show_quantity
from costmodel.scenario.memory_hierarchy import Chain, Storage, chosen
from costmodel.scenario.training import OPTIONS
from costmodel.studies import question, report_document
from costmodel.studies.hardware import shown, shown_bytes
from costmodel.studies.report import Report
from costmodel.studies.report import ReportRow as Layer
from costmodel.studies.report_document import (
    head,
    notes,
    quantity,
    row_of,
    symbolic_table,
)

NOT_COUNTED = "power drawn without work, control, instructions: this is a lower bound"

Origins = Mapping[str, Mapping[str, list[str]]]
"""What moves → path of a layer or a group → the names of the memories that it comes from."""


@question(group="Look at a network", without=("efficiency", *OPTIONS))
def energy(
    analysis: Analysis, /, *, symbolic: bool = False, depth: int | None = None
) -> doc.Document:
    """Show the energy of arithmetic and of moving data, layer by layer, and where bytes lie.

    Examples:
        archcost energy mcunet --hardware horowitz-45nm --dtype int8
        archcost energy resnet50 --hardware raspberry-pi-4 --energy horowitz-45nm --depth 1
    """
    analysis.scenario.device_for("energy")
    report = Report(analysis, metrics_of(analysis), symbolic, depth)

    def blocks() -> Iterator[doc.Block]:
        yield symbolic_table(report) if report.symbolic else _numbers(report)
        yield doc.entries(_notes(report))

    return report_document.document(report, blocks=blocks, data=partial(_data, report))


def metrics_of(analysis: Analysis) -> tuple[str, ...]:
    """Return the metrics that are shown: the whole, of which shares are taken, and its parts."""
    caching = analysis.energies.keeps_cache
    parts = (part for part in LayerEnergy._fields if part != "cache" or caching)
    return ("energy", *(f"energy_{part}" for part in parts))


def _origins(report: Report) -> Origins:
    """Return the memories of every layer, and of every group all those of the layers in it."""
    parts = [metric.name.removeprefix("energy_") for metric in report.columns]
    found: dict[str, dict[str, dict[str, None]]] = {
        of: {} for of in parts if of in MemorySources._fields
    }
    for path, origin in report.analysis.energies.origins.items():
        for of in found:
            for outer in accumulate(path.split("/"), "{}/{}".format):
                names = dict.fromkeys(storage.name for storage in getattr(origin, of))
                found[of].setdefault(outer, {}).update(names)
    return {of: {path: list(names) for path, names in x.items()} for of, x in found.items()}


def _numbers(report: Report) -> doc.Table:
    """Return a line for each layer, every part with the memories from which its bytes come."""
    origins, (whole, *parts) = _origins(report), report.columns
    columns = [doc.Column("layer", "layer")]
    for metric in (*parts, whole):
        title = metric.name.removeprefix("energy_")
        columns.append(
            doc.Column(metric.name, title, doc.quantity_in("J"), True, int(metric == whole))
        )
        if title in origins:
            columns.append(doc.Column(f"{title}_from", "from"))
    total: dict[str, doc.Cell] = {
        m.name: report.analysis.value_if_any(m.name) for m in report.columns
    }
    total |= {"layer": "total", "share": 1 if total["energy"] else ""}
    return doc.Table(
        (*columns, doc.Column("share", "share", doc.SHARE, keep=2)),
        tuple(row_of(report, row, _cells(report, row, origins)) for row in _lines(report)),
        doc.Row(total),
        folds=report.depth is None,
    )


def _cells(report: Report, row: Layer, origins: Origins) -> dict[str, doc.Cell]:
    numbers = {name: report.number(count) for name, count in row.counts.items()}
    memories = {f"{of}_from": " ".join(found.get(row.path, ())) for of, found in origins.items()}
    return {**numbers, **memories, "share": report.part(row) or ""}


def _lines(report: Report) -> Iterator[Layer]:
    """Return all lines but the network's inputs, which take nothing."""
    return (row for row in report.rows if row.kind != "input")


def _notes(report: Report) -> Iterator[doc.Note]:
    """Return the places of bytes and why, the figures, then what stands below every report."""
    yield from _places(report) if report.symbolic else _places_at(report)
    figures = _counted_with(report)
    cited = dict.fromkeys((f.source, f.read) for f in figures.values())
    numbers = {source: number for number, source in enumerate(cited, 1)}
    for name, figure in figures.items():
        number = numbers[figure.source, figure.read]
        yield name, f"{_figure(figure, figures)} [{number}]"
    for (source, read), number in numbers.items():
        yield f"[{number}] {read}", source
    yield "not counted", NOT_COUNTED
    yield from notes(report)


def _counted_with(report: Report) -> dict[str, EnergyFigure]:
    """Return the figures of the laws, or of the numbers alone."""
    energies = report.analysis.energies
    found = energies.figures
    if report.symbolic:
        return found
    moved = (storages for origin in energies.origins.values() for storages in origin)
    used = {storage.name for storages in moved for storage in storages}
    accesses = (name for name, figure in found.items() if isinstance(figure, AccessFigure))
    unused = set(accesses) - used
    return {name: figure for name, figure in found.items() if name not in unused}


def _figure(figure: EnergyFigure, figures: Mapping[str, EnergyFigure]) -> str:
    """Return a figure; of an access also a bit, and to how many operations that comes."""
    if not isinstance(figure, AccessFigure):
        return shown(figure, "")
    bit = Fraction(figure.value) / figure.bits
    note = f"{shown(figure, '')}, {show_quantity(bit, 'J')} per bit"
    multiplied = [(n, f) for n, f in figures.items() if n.startswith("multiply")]
    if not multiplied:
        return note
    name, operation = multiplied[0]
    ratio = float(32 * bit / operation.value)
    return f"{note}; 32 bits as much as {ratio:,.4g} times {name}"


def _places(report: Report) -> Iterator[doc.Note]:
    """Return the rule by which memories are chosen."""
    activations, weights = report.analysis.energies.chains
    alive = "all that is in memory while the layer works"
    yield "activations", f"from {_chain(activations, alive)}"
    caching = report.analysis.energies.keeps_cache
    beside = f"every parameter{' + kv_cache' if caching else ''} + memory_peak"
    yield "weights", f"from {_chain(weights, beside)}"
    if caching:
        yield "cache", f"from {_chain(activations, beside)}"


def _chain(chain: Chain, held: str) -> str:
    *near, last = chain
    if not near:
        return f"{last.name}, the only memory"
    names = ", ".join(f"{s.name} ({shown_bytes(s.capacity or 0)})" for s in near)
    return f"the first of {names} that holds {held}, else from {last.name}"


def _places_at(report: Report) -> Iterator[doc.Note]:
    """Return the memories that hold something at the values, and why."""
    yield from _works(report)
    analysis, energies = report.analysis, report.analysis.energies
    kept, why = _resident(report)
    where = chosen(energies.beside, analysis.evaluator)
    yield "weights", f"from {where.name}: {kept}, {why(where, energies.chains.weights)}"
    if report.analysis.energies.keeps_cache:
        where = chosen(energies.cached, analysis.evaluator)
        yield "cache", f"from {where.name}: {kept}, {why(where, energies.chains.activations)}"


def _resident(report: Report) -> tuple[str, Callable[[Storage, Chain], str]]:
    """Return the bytes in memory beside the peak, and a function that says why they are there."""
    energies, peak = report.analysis.energies, report.analysis.value("memory_peak")
    stored, cache = report.number(energies.stored), report.number(energies.kept)
    kept = f"the {show_number(stored)} bytes of every parameter"
    if energies.keeps_cache:
        kept += f" and {show_number(cache)} of the cache"
    kept += f" beside {show_number(peak)} at the peak"
    return kept, partial(_why, most=stored + cache + peak)


def _works(report: Report) -> Iterator[doc.Note]:
    """Return the layers that work with each memory, and their bytes."""
    energies = report.analysis.energies
    sizes: dict[Storage, list[Rational]] = defaultdict(list)
    layers: dict[Storage, set[str]] = defaultdict(set)
    for layer in report.analysis.layers:
        for storage, alive in energies.worked_in(layer):
            sizes[storage].append(alive)
            layers[storage].add(layer.node.path)
    for storage in energies.chains.activations:
        if found := sizes[storage]:
            count = len(layers[storage])
            those = f"{count_of(count, 'layer')} that {'work' if count > 1 else 'works'}"
            sizes_shown = dict.fromkeys(map(show_number, (min(found), max(found))))
            held = f"{those} with {' to '.join(sizes_shown)} bytes"
            why = _why(storage, energies.chains.activations, max(found))
            yield "activations", f"from {storage.name}: {held}, {why}"


def _why(storage: Storage, chain: Chain, most: Rational) -> str:
    """Return a reason: it is more than the memory before has, and as much as this one has."""
    before = next((near for near, far in pairwise(chain) if far == storage), None)
    reasons = []
    if before is not None and before.capacity is not None:
        reasons.append(f"more than the {show_number(before.capacity)} of {before.name}")
    if storage.capacity is not None:
        size, fits = show_number(storage.capacity), most <= storage.capacity
        reasons.append(
            f"of its {size}" if fits else f"and more than its own {size}, the last there is"
        )
    return ", ".join(reasons) or "the only memory"


def _data(report: Report) -> dict[str, Any]:
    """Return every part as law and value in joules, with the memories of its bytes."""
    energies, device = report.analysis.energies, report.analysis.context.device
    origins, columns = _origins(report), [metric.name for metric in report.columns]
    return {
        **head(report),
        "hardware": device.profile.key,
        "energies": device.energies or device.profile.key,
        "layers": [_layer(report, row, origins) for row in _lines(report) if not row.is_group],
        "groups": [_layer(report, row, origins) for row in _lines(report) if row.is_group],
        "totals": {name: quantity(report, report.total(name)) for name in columns},
        "memories": {of: list(map(_storage, chain)) for of, chain in _chains(report)},
        "figures": [
            {"name": name, "joules": float(f.value), "source": f.source, "read": f.read}
            for name, f in energies.figures.items()
        ],
    }


def _chains(report: Report) -> Iterator[tuple[str, Chain]]:
    """Return the things that move, each with the memories from which it may come."""
    activations, weights = report.analysis.energies.chains
    yield "activations", activations
    yield "weights", weights
    if report.analysis.energies.keeps_cache:
        yield "cache", activations


def _layer(report: Report, row: Layer, origins: Origins) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        **{name: quantity(report, count) for name, count in row.counts.items()},
        **{f"{of}_from": found.get(row.path, []) for of, found in origins.items()},
    }


def _storage(storage: Storage) -> dict[str, Any]:
    return {
        "name": storage.name,
        "kind": storage.kind,
        "capacity": None if storage.capacity is None else int(storage.capacity),
        "joules_per_bit": float(storage.per_bit) if storage.figure else None,
    }

"""What layers take, in joules, and from which memory their bytes come."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archspec.arithmetic import Rational
from archspec.hardware import AccessFigure, EnergyFigure
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import NOTHING
from costmodel.metrics.energy import LayerEnergy, MemorySources
from costmodel.render.json import dumped
from costmodel.render.markdown import code, escaped, line_of, listed
from costmodel.render.terminal import draw_block, drawn, entries, heading, print_whole
from costmodel.rules.formula import count_of, show_number, show_quantity
from costmodel.scenario.memory_hierarchy import Chain, Storage, chosen
from costmodel.studies.hardware import shown, shown_bytes
from costmodel.studies.report import Report, Row
from costmodel.studies.report_document import document as report_document
from costmodel.studies.report_document import head, notes, quantity, symbolic_table

NOT_COUNTED = "power drawn without work, control, instructions: this is a lower bound"

Origins = Mapping[str, Mapping[str, list[str]]]
"""What moves → path of a layer or a group → the names of the memories that it comes from."""


def metrics_of(analysis: Analysis) -> tuple[str, ...]:
    """The metrics that are shown: the whole, of which shares are taken, and its parts."""
    caching = analysis.energies.keeps_cache
    parts = (part for part in LayerEnergy._fields if part != "cache" or caching)
    return ("energy", *(f"energy_{part}" for part in parts))


def _moving(report: Report) -> list[str]:
    """What is moved, in the order of the columns: the parts whose bytes come from somewhere."""
    names = (metric.name.removeprefix("energy_") for metric in report.columns)
    return [name for name in names if name in MemorySources._fields]


def _titles(report: Report) -> tuple[str, ...]:
    moving = (title for name in _moving(report) for title in (name, "from"))
    return ("layer", "arithmetic", *moving, "energy", "%")


def _origins(report: Report) -> Origins:
    """The memories of every layer, and of every group all those of the layers in it."""
    found: dict[str, dict[str, dict[str, None]]] = {of: {} for of in MemorySources._fields}
    for path, origin in report.analysis.energies.origins.items():
        for of, storages in origin._asdict().items():
            for outer in accumulate(path.split("/"), "{}/{}".format):
                found[of].setdefault(outer, {}).update(dict.fromkeys(s.name for s in storages))
    return {of: {path: list(names) for path, names in x.items()} for of, x in found.items()}


def _line(shown: Mapping[str, str], origins: Mapping[str, str], share: str) -> list[str]:
    """The cells of a line: every part with where it comes from."""
    cells = []
    for name, text in shown.items():
        of = name.removeprefix("energy_")
        cells += [text, origins.get(of, "")] if of in MemorySources._fields else [text]
    whole, *parts = cells
    return [*parts, whole, share]


def _cells(report: Report, row: Row, origins: Origins) -> list[str]:
    """A line of the table, without its name."""
    counts = {metric.name: report.show_value(row.counts[metric.name]) for metric in report.columns}
    shown = {name: count if count != "0" else NOTHING for name, count in counts.items()}
    names = {of: " ".join(found.get(row.path, ())) for of, found in origins.items()}
    share = "" if shown["energy"] == NOTHING else report.share(row).removesuffix(" %")
    return _line(shown, names, share)


def _totals(report: Report) -> list[str]:
    shown = {metric.name: report.show_total(metric) for metric in report.columns}
    return _line(shown, {}, "100.0" if report.analysis.value("energy") else "")


def _lines(report: Report) -> Iterator[Row]:
    """All lines but the network's inputs, which take nothing."""
    return (row for row in report.rows if row.kind != "input")


def table(report: Report) -> str:
    """One line per layer, what is counted with below; or the laws."""
    return drawn(lambda console: _draw(report, console))


def _draw(report: Report, console: Console) -> None:
    heading(report_document(report), console)
    if report.symbolic:
        console.print()
        draw_block(symbolic_table(report), console)
        console.print()
    else:
        print_whole(_grid(report), console)
    entries(_notes(report), console)


def _grid(report: Report) -> Table:
    grid, origins = Table(box=SIMPLE_HEAD, pad_edge=False, show_footer=True), _origins(report)
    for title, total in zip(_titles(report), ["total", *_totals(report)], strict=True):
        left = title in ("layer", "from")
        justify: Any = "left" if left else "right"
        grid.add_column(title, Text(total), justify=justify, no_wrap=True)
    for row in _lines(report):
        style = "dim" if row.sharing else "bold" if row.is_group else ""
        grid.add_row(report.label(row), *_cells(report, row, origins), style=style)
    return grid


def markdown(report: Report) -> str:
    """One line per layer as Markdown; or the laws as code."""
    titles, totals = _titles(report), _totals(report)
    cells: Callable[[Report, Row], list[str]] = partial(_cells, origins=_origins(report))
    if report.symbolic:
        titles = ("layer", *(metric.title for metric in report.columns))
        cells, totals = _law_cells, [code(report.show_total(m)) for m in report.columns]
    left = titles if report.symbolic else ("layer", "from")
    aligned = ["---" if title in left else "---:" for title in titles]
    lines = [f"**{escaped(report.title)}**", "", line_of(titles), line_of(aligned)]
    lines += (line_of([_name(report, row), *cells(report, row)]) for row in _lines(report))
    lines += [line_of(["**total**", *totals]), ""]
    lines += listed(_notes(report))
    return "\n".join(lines) + "\n"


def _name(report: Report, row: Row) -> str:
    return "&emsp;" * row.level + report.label(row).strip().replace("*", r"\*")


def _law_cells(report: Report, row: Row) -> list[str]:
    return [code(report.show(row.counts[metric.name])) for metric in report.columns]


def _notes(report: Report) -> Iterator[tuple[str, str]]:
    """What is counted with, where it lies and why, then what stands below every report."""
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
    """The figures of the laws, or of the numbers alone."""
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
    """A figure; of an access also a bit, and to how many operations that comes."""
    if not isinstance(figure, AccessFigure):
        return shown(figure, "")
    bit = Fraction(figure.value) / figure.bits
    told = f"{shown(figure, '')}, {show_quantity(bit, 'J')} per bit"
    multiplied = [(n, f) for n, f in figures.items() if n.startswith("multiply")]
    if not multiplied:
        return told
    name, operation = multiplied[0]
    ratio = float(32 * bit / operation.value)
    return f"{told}; 32 bits as much as {ratio:,.4g} times {name}"


def _places(report: Report) -> Iterator[tuple[str, str]]:
    """The rule by which memories are chosen."""
    activations, weights = report.analysis.energies.chains
    alive = "all that is in memory while the layer works"
    yield "activations", f"from {_chain(activations, alive)}"
    caching = "cache" in _moving(report)
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


def _places_at(report: Report) -> Iterator[tuple[str, str]]:
    """Which memory holds what at the values, and why."""
    yield from _works(report)
    analysis, energies = report.analysis, report.analysis.energies
    kept, why = _resident(report)
    where = chosen(energies.beside, analysis.evaluator)
    yield "weights", f"from {where.name}: {kept}, {why(where, energies.chains.weights)}"
    if "cache" in _moving(report):
        where = chosen(energies.cached, analysis.evaluator)
        yield "cache", f"from {where.name}: {kept}, {why(where, energies.chains.activations)}"


def _resident(report: Report) -> tuple[str, Callable[[Storage, Chain], str]]:
    """What lies in memory beside the peak, and why that is somewhere."""
    energies, peak = report.analysis.energies, report.analysis.value("memory_peak")
    stored, cache = report.number(energies.stored), report.number(energies.kept)
    kept = f"the {show_number(stored)} bytes of every parameter"
    if energies.keeps_cache:
        kept += f" and {show_number(cache)} of the cache"
    kept += f" beside {show_number(peak)} at the peak"
    return kept, partial(_why, most=stored + cache + peak)


def _works(report: Report) -> Iterator[tuple[str, str]]:
    """What the layers work with, memory by memory."""
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
            held = f"{those} with {_range(found)} bytes"
            why = _why(storage, energies.chains.activations, max(found))
            yield "activations", f"from {storage.name}: {held}, {why}"


def _range(sizes: list[Rational]) -> str:
    low, high = map(show_number, (min(sizes), max(sizes)))
    return low if low == high else f"{low} to {high}"


def _why(storage: Storage, chain: Chain, most: Rational) -> str:
    """Why something is there: it is more than the memory before has, and what this one has."""
    before = next((near for near, far in pairwise(chain) if far == storage), None)
    told = []
    if before is not None and before.capacity is not None:
        told.append(f"more than the {show_number(before.capacity)} of {before.name}")
    if storage.capacity is not None:
        size, fits = show_number(storage.capacity), most <= storage.capacity
        told.append(
            f"of its {size}" if fits else f"and more than its own {size}, the last there is"
        )
    return ", ".join(told) or "the only memory"


def json(report: Report) -> str:
    """Every part as an expression and as its value in joules, with where its bytes come from."""
    energies, said = report.analysis.energies, report.analysis.basis.device
    origins, columns = _origins(report), [metric.name for metric in report.columns]
    document = {
        **head(report),
        "hardware": said.profile.key,
        "energies": said.energies or said.profile.key,
        "layers": [_layer(report, row, origins) for row in _lines(report) if not row.is_group],
        "groups": [_layer(report, row, origins) for row in _lines(report) if row.is_group],
        "totals": {name: quantity(report, report.total(name)) for name in columns},
        "memories": {of: list(map(_storage, chain)) for of, chain in _chains(report)},
        "figures": [
            {"name": name, "joules": float(f.value), "source": f.source, "read": f.read}
            for name, f in energies.figures.items()
        ],
    }
    return dumped(document)


def _chains(report: Report) -> Iterator[tuple[str, Chain]]:
    """What moves, with the memories that it may come from."""
    activations, weights = report.analysis.energies.chains
    yield "activations", activations
    yield "weights", weights
    if "cache" in _moving(report):
        yield "cache", activations


def _layer(report: Report, row: Row, origins: Origins) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        **{name: quantity(report, count) for name, count in row.counts.items()},
        **{f"{of}_from": origins[of].get(row.path, []) for of in _moving(report)},
    }


def _storage(storage: Storage) -> dict[str, Any]:
    return {
        "name": storage.name,
        "kind": storage.kind,
        "capacity": None if storage.capacity is None else int(storage.capacity),
        "joules_per_bit": float(storage.per_bit) if storage.figure else None,
    }


FORMATS: dict[str, Callable[[Report], str]] = {"table": table, "markdown": markdown, "json": json}

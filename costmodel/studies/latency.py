"""A network under a device's roofline: what bounds each layer, how long it takes at least."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import takewhile
from typing import Any, Literal, NamedTuple

from sympy import Expr

from archspec.arithmetic import Rational, ratio
from archspec.errors import SpecError
from archspec.hardware import Figure
from costmodel.algebra.functions import amount_of
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.standing import compute_alone, document_of, standing_notes
from costmodel.metrics.registry import METRICS
from costmodel.rules.formula import show_number, show_quantity
from costmodel.scenario.devices import (
    bandwidth,
    main_memory,
    no_bandwidth,
    operations_per_second,
    peak,
    ridge_point,
)
from costmodel.scenario.settings import positive
from costmodel.scenario.training import OPTIONS
from costmodel.studies import question, report_document
from costmodel.studies.crossover import Crossover, Crossovers, Regime
from costmodel.studies.hardware import shown
from costmodel.studies.report import Report, ReportRow
from costmodel.studies.report_document import head, notes

LAYER_METRICS = ("macs", "macs_least", "bytes_moved", "compute_time", "memory_time", "latency")
"""What is worked out of every layer."""

MOVING = "memory_time"
"""The one of them that takes a bandwidth."""

Bound = Literal["compute", "memory", "mixed"]


def bound_of(computation: Rational, memory: Rational | None) -> Bound | None:
    """Return the bound of a layer: operations if its intensity is at least the ridge point.

    None where it takes no time, and where no time of moving is known.
    """
    if memory is None or not (computation or memory):
        return None
    return "compute" if computation >= memory else "memory"


class RooflineEntry(NamedTuple):
    """A layer, or a group of layers, under the roofline; all of its runs together.

    Attributes:
        row: its line in a report.
        operations: two for each MAC that is made at least.
        moved: the bytes that are moved at least.
        time: the seconds that it takes at least; of a group the sum of its layers'.
        bound: what bounds it; ``mixed`` where layers of a group differ, None where it takes no time
            or the device states no bandwidth.
        share: its part of the network's time.
    """

    row: ReportRow
    operations: Rational
    moved: Rational
    time: Rational
    bound: Bound | None
    share: Rational

    @property
    def intensity(self) -> Rational | None:
        """Operations per byte; None where no byte is moved."""
        return ratio(self.operations, self.moved) if self.moved else None

    @property
    def performance(self) -> Rational:
        """Operations per second at most: what the roof is at its intensity."""
        return ratio(self.operations, self.time)


class Roof(NamedTuple):
    """The most operations per second that are attained in types of numbers with one peak.

    Attributes:
        types: they.
        peak: the operations per second, efficiency included.
        ridge: the operations per byte from which on layers are compute-bound.
    """

    types: tuple[str, ...]
    peak: Rational
    ridge: Rational


@dataclass(frozen=True)
class Roofline:
    """The lines of a network and of a device.

    Attributes:
        analysis: the network, with a device in its scenario.
        depth: how many groups are opened within each other; None opens all.
    """

    analysis: Analysis
    depth: int | None = None

    @cached_property
    def report(self) -> Report:
        """The network's tree, all opened."""
        names = (name for name in LAYER_METRICS if name != MOVING or self.compares)
        return Report(self.analysis, tuple(names))

    @property
    def compares(self) -> bool:
        """Return whether the device states a bandwidth, so that moving has a time to compare."""
        return no_bandwidth(self.analysis.context.device.profile) is None

    @property
    def about(self) -> Report:
        """The report that says which network it is, at which values, under which convention."""
        return Report(self.analysis, ("bytes_moved",))

    @cached_property
    def time(self) -> Rational:
        """The sum of what each layer takes at least."""
        return self.analysis.value("latency")

    @cached_property
    def sides(self) -> tuple[Rational, Rational | None]:
        """T computation and T memory of the whole network, the second None without a bandwidth."""
        moving = self.analysis.value(MOVING) if self.compares else None
        return self.analysis.value("compute_time"), moving

    @cached_property
    def all_lines(self) -> tuple[RooflineEntry, ...]:
        """The lines of the whole tree, in its order."""
        rows = [row for row in self.report.rows if row.kind != "input"]
        return tuple(self._line(row, rows[i + 1 :]) for i, row in enumerate(rows))

    def _number(self, row: ReportRow, metric: str) -> Rational:
        return self.report.number(amount_of(row.counts[metric]))

    def _moving(self, row: ReportRow) -> Rational | None:
        return self._number(row, MOVING) if self.compares else None

    def _line(self, row: ReportRow, after: Iterable[ReportRow]) -> RooflineEntry:
        least, moved, time = (
            self._number(row, name) for name in ("macs_least", "bytes_moved", "latency")
        )
        inside = takewhile(lambda other: other.level > row.level, after)
        held = [other for other in inside if not other.is_group] if row.is_group else [row]
        bounds = {self._bounds[each.path] for each in held} - {None}
        bound: Bound | None = next(iter(bounds), None) if len(bounds) < 2 else "mixed"
        share = ratio(time, self.time) if self.time else 0
        return RooflineEntry(row, 2 * least, moved, time, bound, share)

    @cached_property
    def _bounds(self) -> Mapping[str, Bound | None]:
        """A layer's path → what bounds it."""
        leaves = (row for row in self.report.rows if not row.is_group)
        return {
            row.path: bound_of(self._number(row, "compute_time"), self._moving(row))
            for row in leaves
        }

    @property
    def lines(self) -> tuple[RooflineEntry, ...]:
        """The lines as far as groups are opened."""
        depth = self.depth
        return tuple(line for line in self.all_lines if depth is None or line.row.level <= depth)

    @property
    def layers(self) -> tuple[RooflineEntry, ...]:
        """The lines of layers."""
        return tuple(line for line in self.all_lines if not line.row.is_group)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The types in which products are made."""
        typed = self.analysis.context.typed.layers
        found = (typed[line.row.path].operations for line in self.layers if line.operations)
        return tuple(dict.fromkeys(found))

    @cached_property
    def roofs(self) -> tuple[Roof, ...]:
        """One per peak of the types in which products are made; none without a bandwidth."""
        if not self.compares:
            return ()
        profile, efficiency, _ = self.analysis.context.device
        peaks = {t: operations_per_second(profile, t) for t in self.types}
        found = []
        for value in dict.fromkeys(peaks.values()):
            types = tuple(t for t in peaks if peaks[t] == value)
            found.append(Roof(types, value * efficiency, ridge_point(profile, types[0])))
        return tuple(found)

    @cached_property
    def spares(self) -> bool:
        """Return whether fewer MACs are made at least than the convention counts."""
        value = self.analysis.value
        return value("macs_least") != value("macs")

    @property
    def bandwidth(self) -> Rational:
        """The bytes per second that are reached at most, efficiency included."""
        profile, efficiency, _ = self.analysis.context.device
        return bandwidth(profile) * efficiency

    @property
    def used(self) -> Iterator[tuple[str, str, Figure]]:
        """The figures of the device that count: what each is, its place, it."""
        profile = self.analysis.context.device.profile
        for dtype in self.types:
            yield f"peak {dtype}", f"operations.{dtype}", peak(profile, dtype)
        figure = main_memory(profile).bandwidth if self.compares else None
        if figure is not None and any(line.moved for line in self.layers):
            yield "bandwidth", "memory.bandwidth", figure

    def require_points(self) -> None:
        """Make sure that there is something to draw.

        Raises:
            SpecError: no layer makes products, or the device states no bandwidth.
        """
        if not any(line.operations and line.moved for line in self.layers):
            raise SpecError("no layer makes products, so none has a place under a roofline")
        bandwidth(self.analysis.context.device.profile)


LATENCY, WHOLE = METRICS["latency"].title, METRICS["latency_network"].title

INTENSITY = doc.TEXT._replace(show=lambda n: f"{float(n):.4g}", is_right=True)


@question(
    plot="roofline",
    group="Look at a network",
    without=("energy", *OPTIONS),
)
def latency(
    analysis: Analysis,
    /,
    *,
    for_: str | None = None,
    step: str | None = None,
    symbolic: bool = False,
    depth: int | None = None,
) -> doc.Document:
    """Show how long every layer takes at least, and whether operations or memory bound it.

    Args:
        analysis: the network.
        for_: Show over which values of a symbol each layer is bound by what.
        step: of the symbol.
        symbolic: closed forms.
        depth: of groups.

    Examples:
        archcost latency resnet50 --hardware a100-80gb --dtype fp16
        archcost latency resnet50 --hardware t4 --for n

    Raises:
        SpecError: options exclude each other, no device is given, or it lacks a figure.
    """
    analysis.scenario.device_for("latency")
    if step is not None and for_ is None:
        raise SpecError("--step is of a symbol", hint="name one with --for")
    roofline = Roofline(analysis, depth)
    if for_ is not None:
        if symbolic:
            raise SpecError("--for and --symbolic are two views", hint="ask one at a time")
        size = None if step is None else positive("step", step)
        return _crossings(roofline, Crossovers(analysis, for_, size))
    if symbolic:
        forms, facts = _closed_forms(roofline), _form_notes(roofline)
        data = partial(_data, roofline)
        return report_document.document(forms, facts, data=data, study=roofline)
    return _layer_by_layer(roofline)


def _layer_by_layer(roofline: Roofline) -> doc.Document:
    """Return the document of the numbers of every layer."""

    def blocks() -> Iterator[doc.Block]:
        yield _numbers(roofline)
        yield doc.entries((*_notes(roofline), *_alone(roofline), *notes(roofline.about)))

    opened, data = replace(roofline.report, depth=roofline.depth), partial(_data, roofline)
    return report_document.document(opened, blocks=blocks, data=data, study=roofline)


def _crossings(roofline: Roofline, found: Crossovers) -> doc.Document:
    """Return the document of what bounds each layer over the values of a symbol."""

    def blocks() -> Iterator[doc.Block]:
        columns = (doc.Column("layer", "layer"), doc.Column("bound", f"over {found.name}"))
        lines = tuple(_crossing(roofline, found, line) for line in roofline.lines)
        yield doc.Table(columns, lines, folds=roofline.depth is None)
        yield doc.entries(_crossing_notes(roofline, found))

    crossing_data, rows = partial(_crossing_data, roofline, found), partial(_plain_crossings, found)
    return document_of(roofline.analysis, blocks, crossing_data, rows=rows, study=roofline)


def _numbers(roofline: Roofline) -> doc.Table:
    """Return the lines; the MACs are those that take the time, maybe fewer than are counted."""
    macs = METRICS["macs_least"].title if roofline.spares else "MACs"
    columns = (
        doc.Column("layer", "layer"),
        doc.Column("macs", macs, doc.COUNT, hides_zero=True, keep=-1),
        doc.Column("bytes_moved", "bytes moved", doc.COUNT, hides_zero=True, keep=-1),
        doc.Column("intensity", "op/byte", INTENSITY, keep=-2),
        doc.Column("bound", "bound"),
        doc.Column("latency", LATENCY, doc.quantity_in("s"), hides_zero=True),
        doc.Column("share", "share", doc.SHARE, keep=1),
    )
    value = roofline.analysis.value
    total: dict[str, doc.Cell] = {
        "layer": "total",
        "macs": value("macs_least"),
        "bytes_moved": value("bytes_moved"),
        "latency": roofline.time,
        "share": 1 if roofline.time else "",
    }
    rows = tuple(_line(roofline, line) for line in roofline.lines)
    return doc.Table(columns, rows, doc.Row(total), folds=roofline.depth is None)


def _line(roofline: Roofline, line: RooflineEntry) -> doc.Row:
    cells: dict[str, doc.Cell] = {
        "layer": roofline.report.label(line.row),
        "macs": line.operations // 2,
        "bytes_moved": line.moved,
        "intensity": line.intensity,
        "bound": line.bound,
        "latency": line.time,
        "share": line.share or "",
    }
    style: doc.Style = "bold" if line.row.is_group else "" if line.time else "dim"
    return doc.Row(cells, line.row.level, style)


def _notes(roofline: Roofline) -> Iterator[doc.Note]:
    """Return what the times are, and the figures from which they come."""
    time = show_quantity(roofline.time, "s")
    bound = "max(T computation, T memory)" if roofline.compares else "T computation"
    yield LATENCY, f"{time}: the sum of {bound} of every layer"
    yield WHOLE, _network_note(roofline)
    if roofline.spares:
        counted = show_number(roofline.analysis.value("macs"))
        note = f"{counted}, of which those that a causal mask hides need not be made"
        yield "MACs counted", note
    for roof in roofline.roofs:
        types = " and ".join(roof.types)
        shown_ridge = f"{float(roof.ridge):.4g} op/byte in {types}"
        yield "ridge point", f"{shown_ridge}: from there on compute-bound"
    for label, place, figure in roofline.used:
        yield label, f"{shown(figure, place)} ({figure.read}: {figure.source})"
    efficiency = roofline.analysis.context.device.efficiency
    figures = "peaks and bandwidth" if roofline.compares else "peaks"
    stated = f"1: {figures} as they are stated"
    yield "efficiency", stated if efficiency == 1 else f"{float(efficiency):g}"


def _alone(roofline: Roofline) -> Iterator[doc.Note]:
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
    figures = [
        {
            "name": label,
            "value": doc.plain_number(each.value),
            "read": each.read,
            "source": each.source,
        }
        for label, _, each in roofline.used
    ]
    ridge = {dtype: float(roof.ridge) for roof in roofline.roofs for dtype in roof.types}
    alone = compute_alone(roofline.analysis, ("latency",))
    extra = {} if alone is None else {"compute_alone": alone}
    return {"figures": figures, "ridge": ridge, **extra}


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
        "runs": doc.plain_number(report.number(row.runs)),
        **{name: _quantity(report, name, form) for name, form in row.counts.items()},
        **({} if roofline.compares else {MOVING: None}),
        "intensity": None if line.intensity is None else float(line.intensity),
        "bound": line.bound,
        "share": float(line.share),
    }


def _quantity(report: Report, name: str, form: Expr) -> dict[str, Any]:
    """Return a metric as closed form and value; a time is a float, even if it is 0."""
    value = report.number(form)
    is_count = METRICS[name].quantity is None
    return {"expr": text(form), "value": doc.plain_number(value) if is_count else float(value)}


def _form_notes(roofline: Roofline) -> Iterator[doc.Note]:
    """Return the law of the network as a whole, then the numbers."""
    title = METRICS["latency_network"].short_title
    yield f"law of {title}", text(_closed_forms(roofline).total("latency_network"))
    yield from _notes(roofline)


def _closed_forms(roofline: Roofline) -> Report:
    """Return the report of the laws that are shown layer by layer."""
    shown = ("macs_least" if roofline.spares else "macs", "bytes_moved", "latency")
    return Report(roofline.analysis, shown, symbolic=True, depth=roofline.depth)


def _crossing(roofline: Roofline, found: Crossovers, line: RooflineEntry) -> doc.Row:
    """Return a layer with what bounds it where; nothing is said of a group."""
    summary = "" if line.row.is_group else found.layers[line.row.path].summary(found.name)
    bound = None if summary == "takes no time" else summary
    label = roofline.report.label(line.row)
    style: doc.Style = "dim" if bound is None else ""
    return doc.Row({"layer": label, "bound": bound}, line.row.level, style)


def _plain_crossings(found: Crossovers) -> doc.Table:
    """Return a row for each part of each layer's values; the last may have no end."""
    columns = (doc.Column(name, name) for name in ("layer", *Regime._fields))
    crossovers = (*found.layers.items(), ("total", found.network))
    return doc.table_of(
        columns, ((path, *part) for path, each in crossovers for part in each.parts)
    )


def _crossing_notes(roofline: Roofline, found: Crossovers) -> Iterator[doc.Note]:
    """Return what stands below the crossovers."""
    yield "network", f"{found.network.summary(found.name)} (all layers together)"
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
    return {"parts": doc.plain(crossover.parts), "decided": crossover.is_decided}

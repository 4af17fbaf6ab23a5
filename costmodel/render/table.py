"""A report for the terminal: a table of numbers, or a list of laws."""

from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from costmodel.formula import show_bytes, show_number
from costmodel.metrics import METRICS, Metric, Order
from costmodel.render.scenario import scenario_notes
from costmodel.report import Report, Row
from costmodel.rules.base import show_shape

MAX_WIDTH = 10_000
"""More columns than any table needs."""

PEAKS = ("activations_peak", "in_out_peak", "memory_peak", "memory_peak_best")
"""The metrics whose terms are shown with their layers."""

Note = tuple[str, str]
"""A label and what it stands for."""

NOTHING = "–"
"""What stands for a count of nothing."""


def render(report: Report) -> str:
    """The report as it looks on this terminal; piped, without colour, and formulas on one line."""
    return drawn(lambda console: report_on(report, console))


def drawn(draw: Callable[[Console], None]) -> str:
    """What is drawn on a console like this terminal; one that is none breaks no line."""
    buffer = StringIO()
    terminal = Console()
    console = Console(
        file=buffer,
        width=terminal.width,
        color_system=terminal.color_system,  # type: ignore[arg-type]
        force_terminal=terminal.is_terminal,
        highlight=False,
        markup=False,
        emoji=False,
    )
    draw(console)
    return "\n".join(line.rstrip() for line in buffer.getvalue().split("\n"))


def report_on(report: Report, console: Console) -> None:
    """All of a report."""
    heading(report, console)
    if report.symbolic:
        laws(report, console)
    else:
        _numbers(report, console)
    for label, note in notes(report):
        entry(label, note, console)


def heading(report: Report, console: Console) -> None:
    """The network and its source."""
    console.print(Text(report.title, style="bold"))
    if report.analysis.graph.source:
        console.print(Text(report.analysis.graph.source, style="dim"))


def _numbers(report: Report, console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_footer=True)
    shares = any(metric.combine == "sum" for metric in report.columns)
    table.add_column("layer", "total", no_wrap=True)
    table.add_column("output shape", no_wrap=True)
    for metric in report.columns:
        total = report.value_text(metric)
        table.add_column(metric.title, total, justify="right", no_wrap=True)
    if shares:
        title = f"% {report.shared.title}"
        whole = "100.0 %" if report.analysis.value(report.shared.name) else ""
        table.add_column(title, whole, justify="right", no_wrap=True)
    for row in report.rows:
        cells = [_count(report, row, metric) for metric in report.columns]
        if shares:
            cells.append(report.share(row))
        style = "dim" if row.sharing else "bold" if row.is_group else ""
        table.add_row(report.label(row), report.dimensions(row), *cells, style=style)
    print_whole(table, console)


def print_whole(table: Table, console: Console) -> None:
    """No cell is ever cut: where the terminal is too narrow, it breaks the line itself."""
    width = console.width
    console.width = MAX_WIDTH
    console.width = max(width, console.measure(table).maximum)
    console.print(table)
    console.width = width


def _count(report: Report, row: Row, metric: Metric) -> str:
    count = row.counts[metric.name]
    return report.show_value(count) if report.number(count) else NOTHING


def laws(report: Report, console: Console) -> None:
    """Every line with its counts as laws, then those of the network."""
    wrap = console.is_terminal
    console.print()
    for row in report.rows:
        note = (row.sharing, "dim") if row.sharing else ", ".join(map(show_shape, row.shapes))
        name = (f"{report.label(row):<{INDENT - 1}} ", "bold")
        console.print(Text.assemble(name, note), soft_wrap=not wrap)
        for metric in report.columns:
            if row.counts[metric.name] != 0:
                entry(f"  {metric.name}", report.show(row.counts[metric.name]), console)
    console.print(Text("total", style="bold"))
    for metric in report.totals:
        for label, line in _total(report, metric, console.width if wrap else None):
            entry(label, line, console)
        if metric.name in PEAKS:
            for peak in report.peaks(metric.name):
                entry(f"    of {peak.owner}", report.law_text(peak.term), console)
    console.print()


INDENT = 20
"""Where what belongs to a label begins."""


def entry(label: str, shown: str, console: Console) -> None:
    """A label and what it stands for, indented where the terminal breaks it."""
    if not console.is_terminal:
        console.print(Text.assemble((f"{label:<{INDENT - 1}} ", "dim"), shown), soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=INDENT, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(Text(label), Text(shown))
    console.print(grid)


def _total(report: Report, metric: Metric, width: int | None) -> list[tuple[str, str]]:
    """A total on one line, or one term a line where the terminal is too narrow for that."""
    from costmodel.algebra.printing import PythonText

    expression = report.total(metric.name)
    before, terms, after = PythonText().factored_terms(expression)
    line = before + " ".join(terms) + after
    label = f"  {metric.name}"
    if width is None or len(line) + INDENT <= width or len(terms) == 1:
        return [(label, line)]
    terms[-1] += after
    first, *others = terms
    return [(label, before + first), *(("", " " * len(before) + term) for term in others)]


def notes(report: Report) -> list[tuple[str, str]]:
    """What stands below a report: totals that are no columns, values, conditions, convention."""
    shown = [] if report.symbolic else _totals(report)
    if report.setting:
        shown.append(("at", report.setting))
    if report.assumptions:
        shown.append(("assuming", " and ".join(report.assumptions)))
    if report.symbolic and any(metric.of_places for metric in report.totals):
        shown += [("receptive field", note) for note in report.field_notes]
    for name in PEAKS if report.symbolic else ():
        asked = any(metric.name == name for metric in report.totals)
        if asked and (told := report.stretches(name)):
            shown.append((name, told))
    if report.conditions:
        shown.append(("valid when", " and ".join(report.conditions)))
    shown += [(f"no {name}", why) for name, why in report.missing.items()]
    return [*shown, *scenario_notes(report.analysis), ("convention", report.convention)]


def _totals(report: Report) -> list[Note]:
    """What is said below a table of the totals that have more to say than a number."""
    return [note for metric in report.totals if metric.name in _TOLD
            for note in _TOLD[metric.name](report)]  # fmt: skip


def _model_size(report: Report) -> Iterator[Note]:
    yield "model size", show_bytes(report.analysis.value("model_size"))


def _flops(report: Report) -> Iterator[Note]:
    yield "FLOPs", f"{show_number(report.analysis.value('flops'))} (2 per MAC)"


def _peak(report: Report) -> Iterator[Note]:
    number, layer = report.analysis.value("activations_peak"), report.analysis.peak[0]
    yield "peak", f"{show_number(number)} (input + output of {layer.node.path})"


def _memory(report: Report, order: Order) -> Iterator[Note]:
    alive = report.analysis.alive(order)
    path = max(alive, key=lambda path: report.number(alive[path]))
    yield "memory", f"{show_bytes(report.number(alive[path]))} (at {path})"
    if order == "best":
        yield "", report.order_note


def _field(report: Report) -> Iterator[Note]:
    size, stride, padding = map(
        report.analysis.value, ("receptive_field", "effective_stride", "effective_padding")
    )
    if size:
        yield "receptive field", f"{size} (stride {stride}, padding {padding})"
        for limit in report.limits[:1]:
            yield "", f"before {limit.path}, which {limit.why}"
        for note in report.field_notes:
            yield "", note


def _latency(report: Report) -> Iterator[Note]:
    yield "latency", f"at least {report.value_text(METRICS['latency'])}"


_TOLD: dict[str, Callable[[Report], Iterator[Note]]] = {
    "model_size": _model_size,
    "flops": _flops,
    "activations_peak": _peak,
    "memory_peak": partial(_memory, order="given"),
    "memory_peak_best": partial(_memory, order="best"),
    "receptive_field": _field,
    "latency": _latency,
}
"""Metric → what is said of its total."""

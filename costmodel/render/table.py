"""A report for the terminal: a table of numbers, or a list of laws."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import StringIO
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sympy import S

from archspec.errors import visible
from costmodel.metrics.registry import METRICS, Metric, Order
from costmodel.render.scenario import Note, standing_of
from costmodel.rules.base import show_shape
from costmodel.rules.formula import show_bytes, show_number
from costmodel.studies.report import NOTHING, Report, Row

if TYPE_CHECKING:
    from costmodel.algebra.naming import Naming
    from costmodel.algebra.printing import PythonText

MAX_WIDTH = 10_000
"""More columns than any table needs."""

PEAKS = ("activations_peak", "in_out_peak", "memory_peak", "memory_peak_best")
"""The metrics whose terms are shown with their layers."""


def render(report: Report) -> str:
    """The report as it looks on this terminal; piped, without colour, and formulas on one line."""
    return drawn(lambda console: report_on(report, console))


class _Console(Console):
    """A console on which no text moves the cursor, breaks a line or turns the others around."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text without commands, as every cell and every line is drawn."""
        return super().render_str(visible(text), **options)


def styled(text: str, style: str = "") -> Text:
    """Return a text in a style, with what a terminal would obey spelled out (see `visible`)."""
    return Text(visible(text), style=style)


def drawn(draw: Callable[[Console], None]) -> str:
    """What is drawn on a console like this terminal; one that is none breaks no line."""
    buffer = StringIO()
    terminal = Console()
    console = _Console(
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


def report_on(report: Report, console: Console, facts: Iterable[Note] = ()) -> None:
    """All of a report, with further facts below it."""
    heading(report, console)
    if report.symbolic:
        laws(report, console)
    else:
        _numbers(report, console)
    entries((*facts, *notes(report)), console)


def heading(report: Report, console: Console) -> None:
    """The network and its source."""
    console.print(styled(report.title, "bold"))
    if report.analysis.graph.source:
        console.print(styled(report.analysis.graph.source, "dim"))


def _numbers(report: Report, console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_footer=True)
    shares = any(metric.combine == "sum" for metric in report.columns)
    table.add_column("layer", "total", no_wrap=True)
    table.add_column("output shape", no_wrap=True)
    for metric in report.columns:
        total = report.value_text(metric)
        table.add_column(metric.title, total, justify="right", no_wrap=True)
    if shares:
        title = f"% {report.shared.short_title}"
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
    count = row.counts.get(metric.name)
    if count is None or not (metric.of_places or report.number(count)):
        return NOTHING
    return report.show_value(count)


def laws(report: Report, console: Console) -> None:
    """Every line with its counts as laws, then those of the network."""
    console.print()
    naming = report.naming(report.totals)
    listed = (*_lines(report, naming), *_totals(report, naming), *_where(naming))
    _draw_entries(listed, console)
    console.print()


class Entry(NamedTuple):
    """A label and what it stands for.

    Attributes:
        label: indented by the groups that it is in.
        shown: what it stands for.
        style: the label's.
        terms: the parts of what is shown, one a line where the terminal is too narrow for it.
    """

    label: str
    shown: str | Text
    style: str = "dim"
    terms: tuple[str, ...] = ()


def _where(naming: "Naming") -> Iterator[Entry]:
    """What the names in laws stand for, as assignments of Python."""
    labels = chain(["where"], repeat(""))
    for label, (name, shown) in zip(labels, naming.definitions(), strict=False):
        yield Entry(f"  {label}", f"{name} = {shown}")
    if not naming.is_whole:
        yield Entry("  names", "what these laws share has none: they are too long to look for it")


def _lines(report: Report, naming: "Naming") -> Iterator[Entry]:
    """Every line of a report with its counts, which are indented below it."""
    for row in report.rows:
        note = Text(row.sharing, "dim") if row.sharing else ", ".join(map(show_shape, row.shapes))
        yield Entry(report.label(row), note, "bold")
        indent = "  " * (row.level + 1)
        for metric in report.columns:
            if row.counts.get(metric.name, S.Zero) != 0:
                yield Entry(f"{indent}{metric.name}", report.row_text(row, metric, naming))


def _totals(report: Report, naming: "Naming") -> Iterator[Entry]:
    """The counts of the network, those of peaks with their layers."""
    from costmodel.algebra.printing import PythonText

    yield Entry("total", "", "bold")
    printer = PythonText(naming.names)
    for metric in report.totals:
        yield _total(report, metric, printer)
        if metric.name in PEAKS:
            for peak in report.peaks(metric.name):
                yield Entry(f"    of {peak.owner}", report.law_text(peak.term, printer))


def _total(report: Report, metric: Metric, printer: "PythonText") -> Entry:
    total = report.total_if_any(metric.name)
    if total is None:
        return Entry(f"  {metric.name}", NOTHING)
    law = report.law_shown(total, printer)
    before, terms, after = printer.factored_terms(law)
    first, *others = terms
    inside = [before + first, *(" " * len(before) + term for term in others)]
    inside[-1] += after
    line = before + " ".join(terms) + after
    return Entry(f"  {metric.name}", line, terms=tuple(inside))


MIN_INDENT = 20
"""Where what belongs to labels begins at least."""

LONGEST_LABEL = 40
"""The most characters of a label that has something beside it."""


def entries(notes: Iterable[Note], console: Console) -> None:
    """Labels and what they stand for, one below the other."""
    _draw_entries([Entry(*note) for note in notes], console)


def _draw_entries(listed: Iterable[Entry], console: Console) -> None:
    """What belongs to labels in one column; a label too long for it has a line of its own."""
    listed = list(map(_as_seen, listed))
    lengths = (len(each.label) for each in listed if each.shown)
    indent = max((n + 1 for n in lengths if n <= LONGEST_LABEL), default=0)
    for each in listed:
        _draw_entry(each, max(indent, MIN_INDENT), console)


def _as_seen(entry: Entry) -> Entry:
    """The same entry with what a terminal would obey spelled out."""
    shown = visible(entry.shown) if isinstance(entry.shown, str) else entry.shown
    return entry._replace(label=visible(entry.label), shown=shown)


def _draw_entry(entry: Entry, indent: int, console: Console) -> None:
    """A label and what it stands for, which stays in its column where the terminal breaks it."""
    label, shown, style, _ = entry
    if not console.is_terminal:
        _write_entry(label, str(shown), indent, console)
        return
    if len(label) >= indent or not shown:
        console.print(Text(label, style), soft_wrap=True)
        label = ""
    if shown:
        grid = Table.grid()
        grid.add_column(width=indent, style=style)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label), _fitted(entry, console.width - indent))
        console.print(grid)


def _write_entry(label: str, shown: str, indent: int, console: Console) -> None:
    """Write a label and what it stands for as plain text, which no terminal breaks."""
    if shown and len(label) >= indent:
        label = f"{label}\n{'':<{indent}}"
    console.file.write(f"{label:<{indent}}{shown}\n")


def _fitted(entry: Entry, room: int) -> Text:
    """What is shown, by its terms where there is no room for it on a line."""
    broken = len(entry.terms) > 1 and len(entry.shown) > room
    return Text("\n".join(entry.terms)) if broken else Text.assemble(entry.shown)


def notes(report: Report) -> list[Note]:
    """What stands below a report: totals that are no columns, then what the numbers stand on."""
    facts = _of_laws(report) if report.symbolic else _of_totals(report)
    missing = ((f"no {name}", why) for name, why in report.missing.items())
    return [*facts, *missing, *standing_of(report)]


def _of_laws(report: Report) -> Iterator[Note]:
    """What is said below laws of fields and peaks."""
    if any(metric.of_places for metric in report.totals):
        has_law = report.analysis.none_of("receptive_field") is None
        notes = report.field_notes[1:] if has_law else report.field_notes
        yield from (("receptive field", note) for note in notes)
    for metric in report.totals:
        if metric.name in PEAKS and (told := report.stretches(metric.name)):
            yield metric.title, told


def _of_totals(report: Report) -> Iterator[Note]:
    """What is said below a table of the totals that have more to say than a number."""
    for metric in report.totals:
        told = _TOLD[metric.name](report) if metric.name in _TOLD else ()
        yield from zip(chain([metric.title], repeat("")), told, strict=False)


def _model_size(report: Report) -> Iterator[str]:
    yield show_bytes(report.analysis.value("model_size"))


def _flops(report: Report) -> Iterator[str]:
    yield f"{show_number(report.analysis.value('flops'))} (2 per MAC)"


def _peak(report: Report) -> Iterator[str]:
    number, layer = report.analysis.value("activations_peak"), report.analysis.peak[0]
    yield f"{show_number(number)} (input + output of {layer.node.path})"


def _memory(report: Report, order: Order) -> Iterator[str]:
    alive = report.analysis.alive(order)
    path = max(alive, key=lambda path: report.number(alive[path]))
    yield f"{show_bytes(report.number(alive[path]))} (at {path})"
    if order == "best":
        yield report.order_note


def _field(report: Report) -> Iterator[str]:
    yield from report.field_notes


def _latency(report: Report) -> Iterator[str]:
    yield report.value_text(METRICS["latency"])


_TOLD: dict[str, Callable[[Report], Iterator[str]]] = {
    "model_size": _model_size,
    "flops": _flops,
    "activations_peak": _peak,
    "memory_peak": partial(_memory, order="given"),
    "memory_peak_best": partial(_memory, order="best"),
    "receptive_field": _field,
    "latency": _latency,
}
"""Metric → what is said of its total."""

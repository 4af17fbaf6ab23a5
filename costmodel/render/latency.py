"""A network under a device's roofline: for the terminal, as Markdown, as JSON."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from archspec.arithmetic import Rational
from costmodel.algebra.printing import text
from costmodel.analysis.document import NOTHING, Note, plain_number
from costmodel.analysis.standing import standing_notes
from costmodel.metrics.registry import METRICS
from costmodel.render import markdown as markdown_form
from costmodel.render import terminal
from costmodel.render.json import dumped
from costmodel.render.markdown import code, escaped, line_of, listed
from costmodel.render.terminal import drawn, entries, heading, print_whole
from costmodel.rules.formula import show_number, show_quantity
from costmodel.studies.crossover import Crossover, Crossovers
from costmodel.studies.hardware import shown
from costmodel.studies.report import Report
from costmodel.studies.report_document import document as report_document
from costmodel.studies.report_document import head, notes
from costmodel.studies.roofline import Line, Roofline, bound_of

LATENCY, WHOLE = METRICS["latency"].title, METRICS["latency_network"].title

HEAD = ("layer", "MACs", "bytes moved", "op/byte", "bound", LATENCY, "%")


def heads(roofline: Roofline) -> list[str]:
    """The columns; the MACs are those that take the time, which may be fewer than are counted."""
    macs = METRICS["macs_least"].title if roofline.spares else "MACs"
    return [macs if title == "MACs" else title for title in HEAD]


def cells(roofline: Roofline, line: Line) -> list[str]:
    """A line of the table; nothing where there is nothing."""
    counts = (
        show_number(count) if count else NOTHING for count in (line.operations // 2, line.moved)
    )
    return [
        roofline.report.label(line.row),
        *counts,
        NOTHING if line.intensity is None else f"{float(line.intensity):.4g}",
        line.bound or NOTHING,
        show_quantity(line.time, "s") if line.time else NOTHING,
        f"{float(100 * line.share):.1f}" if line.time else "",
    ]


def foot(roofline: Roofline) -> list[str]:
    """The sums."""
    values = (roofline.analysis.value(name) for name in ("macs_least", "bytes_moved"))
    whole = "100.0" if roofline.time else ""
    return ["total", *map(show_number, values), "", "", show_quantity(roofline.time, "s"), whole]


def roof_notes(roofline: Roofline) -> Iterator[Note]:
    """What the times are, and from which figures they come."""
    time = show_quantity(roofline.time, "s")
    yield LATENCY, f"{time}: the sum of max(T computation, T memory) of every layer"
    yield WHOLE, network_note(roofline)
    if roofline.spares:
        counted = show_number(roofline.analysis.value("macs"))
        told = f"{counted}, of which those that a causal mask hides need not be made"
        yield "MACs counted", told
    for roof in roofline.roofs:
        types = " and ".join(roof.types)
        shown_ridge = f"{float(roof.ridge):.4g} op/byte in {types}"
        yield "ridge point", f"{shown_ridge}: from there on compute-bound"
    for used in roofline.used:
        value, figure = shown(used.figure, used.place), used.figure
        yield used.label, f"{value} ({figure.read}: {figure.source})"
    efficiency = roofline.analysis.basis.device.efficiency
    part = (
        "1: peaks and bandwidth as they are stated" if efficiency == 1 else f"{float(efficiency):g}"
    )
    yield "efficiency", part


def network_note(roofline: Roofline) -> str:
    """The lecture's maximum over the whole network, with both sides."""
    computation, memory = roofline.sides
    least = show_quantity(max(computation, memory), "s")
    bound = bound_of(computation, memory)
    sides = (f"{show_quantity(side, 's')}" for side in (computation, memory))
    reads = "T computation {}, T memory {} of all layers together".format(*sides)
    return f"{least}: max of {reads}" + (f"; {bound}-bound" if bound else "")


def all_notes(roofline: Roofline) -> list[Note]:
    """What stands below the lines."""
    return [*roof_notes(roofline), *notes(roofline.about)]


def table(roofline: Roofline) -> str:
    """One row per layer or group."""

    def draw(console: Console) -> None:
        heading(report_document(roofline.report), console)
        grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_footer=True)
        for title, total in zip(heads(roofline), foot(roofline), strict=True):
            left = title in ("layer", "bound")
            grid.add_column(title, total, justify="left" if left else "right", no_wrap=True)
        for line in roofline.lines:
            grid.add_row(*cells(roofline, line), style=_style(line))
        print_whole(grid, console)
        entries(all_notes(roofline), console)

    return drawn(draw)


def _style(line: Line) -> str:
    return "bold" if line.row.is_group else "" if line.time else "dim"


def markdown(roofline: Roofline) -> str:
    """The same as GitHub's Markdown."""
    align = ["---:" if title not in ("layer", "bound") else "---" for title in HEAD]
    lines = [f"**{escaped(roofline.report.title)}**", "", line_of(heads(roofline)), line_of(align)]
    for line in roofline.lines:
        label, *rest = cells(roofline, line)
        indent = "&emsp;" * line.row.level
        lines.append(line_of([indent + escaped(label.strip()), *rest]))
    lines += [line_of(f"**{cell}**" if cell else "" for cell in foot(roofline)), ""]
    lines += listed(all_notes(roofline))
    return "\n".join(lines) + "\n"


def as_json(roofline: Roofline) -> str:
    """The same as JSON: counts, bytes, seconds as laws and values."""
    return dumped(_document(roofline))


def _document(roofline: Roofline) -> dict[str, Any]:
    report = roofline.report
    names = (
        *("macs", "macs_least", "bytes_moved"),
        *("latency", "latency_network", "compute_time", "memory_time"),
    )
    return {
        **head(roofline.about),
        **_figures(roofline),
        "groups": [_line(roofline, line) for line in roofline.lines if line.row.is_group],
        "layers": [_line(roofline, line) for line in roofline.lines if not line.row.is_group],
        "totals": {
            name: {
                "expr": text(report.total(name)),
                "value": _value(name, roofline.analysis.value(name)),
            }
            for name in names
        },
        "bound": bound_of(*roofline.sides),
    }


def _figures(roofline: Roofline) -> dict[str, Any]:
    return {
        "figures": [
            {"name": used.label, "value": plain_number(used.figure.value), "read": used.figure.read}
            | {"source": used.figure.source}
            for used in roofline.used
        ],
        "ridge": {dtype: float(roof.ridge) for roof in roofline.roofs for dtype in roof.types},
    }


def _line(roofline: Roofline, line: Line) -> dict[str, Any]:
    row, report = line.row, roofline.report
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "runs": plain_number(report.number(row.runs)),
        **{
            name: {"expr": text(law), "value": _value(name, report.number(law))}
            for name, law in row.counts.items()
        },
        "intensity": None if line.intensity is None else float(line.intensity),
        "bound": line.bound,
        "share": float(line.share),
    }


def _value(name: str, value: Rational) -> int | float | str:
    return plain_number(value) if METRICS[name].quantity is None else float(value)


def laws_table(roofline: Roofline) -> str:
    """The laws of every layer and of the network."""
    return terminal.render(report_document(_laws(roofline), _law_notes(roofline)))


def laws_markdown(roofline: Roofline) -> str:
    """The same as Markdown."""
    return markdown_form.render(report_document(_laws(roofline), _law_notes(roofline)))


def _law_notes(roofline: Roofline) -> Iterator[Note]:
    """The law of the network as a whole, then the numbers."""
    title = METRICS["latency_network"].short_title
    yield f"law of {title}", text(_laws(roofline).total("latency_network"))
    yield from roof_notes(roofline)


def _laws(roofline: Roofline) -> Report:
    """The laws that are shown layer by layer."""
    shown = ("macs_least" if roofline.spares else "macs", "bytes_moved", "latency")
    return Report(roofline.analysis, shown, symbolic=True, depth=roofline.depth)


def crossings(roofline: Roofline, found: Crossovers) -> Iterator[tuple[str, str]]:
    """A layer's label, and what bounds it where."""
    for line in roofline.lines:
        crossover = found.layers.get(line.row.path) if not line.row.is_group else None
        told = "" if crossover is None else crossover.told(found.name)
        yield roofline.report.label(line.row), NOTHING if told == "takes no time" else told


def crossing_notes(roofline: Roofline, found: Crossovers) -> Iterator[Note]:
    """What stands below the crossovers."""
    yield "network", f"{found.network.told(found.name)} (all layers together)"
    if not found.matters:
        yield "", f"no time depends on {found.name}"
    kept = ("ridge", "peak", "bandwidth")
    yield from (note for note in roof_notes(roofline) if note[0].startswith(kept))
    about = roofline.about
    follows = about.analysis.assumed.derived
    at, conditions = about.setting_without(found.name, *follows), " and ".join(about.conditions)
    yield from standing_notes(about.analysis, at=at, conditions=conditions)


def crossing_table(roofline: Roofline, found: Crossovers) -> str:
    """One row per layer: what bounds it over the values of a symbol."""

    def draw(console: Console) -> None:
        heading(report_document(roofline.report), console)
        grid = Table(box=SIMPLE_HEAD, pad_edge=False)
        for title in ("layer", f"over {found.name}"):
            grid.add_column(title, no_wrap=True)
        for label, told in crossings(roofline, found):
            grid.add_row(label, told, style="dim" if told == NOTHING else "")
        print_whole(grid, console)
        entries(crossing_notes(roofline, found), console)

    return drawn(draw)


def crossing_markdown(roofline: Roofline, found: Crossovers) -> str:
    """The same as Markdown."""
    lines = [f"**{escaped(roofline.report.title)}**", ""]
    lines += [line_of(["layer", f"over {code(found.name)}"]), line_of(["---", "---"])]
    for label, told in crossings(roofline, found):
        indent = "&emsp;" * ((len(label) - len(label.lstrip())) // 2)
        lines.append(line_of([indent + escaped(label.strip()), told]))
    lines += ["", *listed(crossing_notes(roofline, found))]
    return "\n".join(lines) + "\n"


def crossing_json(roofline: Roofline, found: Crossovers) -> str:
    """The same as JSON: every layer's parts, the last without end where it is null."""
    document = {
        **head(roofline.about),
        "symbols": {
            name: value
            for name, value in head(roofline.about)["symbols"].items()
            if name != found.name
        },
        **_figures(roofline),
        "for": found.name,
        "layers": [{"path": path, **_parts(each)} for path, each in found.layers.items()],
        "network": _parts(found.network),
    }
    return dumped(document)


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


class Views(NamedTuple):
    """How a format shows a roofline.

    Attributes:
        numbers: one line per layer or group.
        laws: the laws of each.
        crossovers: what bounds each layer over the values of a symbol.
    """

    numbers: Callable[[Roofline], str]
    laws: Callable[[Roofline], str]
    crossovers: Callable[[Roofline, Crossovers], str]


FORMATS = {
    "table": Views(table, laws_table, crossing_table),
    "markdown": Views(markdown, laws_markdown, crossing_markdown),
    "json": Views(as_json, as_json, crossing_json),
}

"""A step of training: for the terminal, as Markdown and as JSON."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sympy import Expr

from costmodel.analysis.document import plain_number
from costmodel.render.json import dumped
from costmodel.render.markdown import code, escaped, line_of, listed
from costmodel.render.terminal import drawn, entries, heading, print_whole
from costmodel.rules.formula import count_of, show_bytes, show_number
from costmodel.studies.fit import Fit
from costmodel.studies.report_document import document as report_document
from costmodel.studies.report_document import head, notes, quantity
from costmodel.studies.training import Line, Sum, TrainingReport

Renderer = Callable[[TrainingReport], str]

HEAD = ("layer", "kept", "elements", "bytes")


def _table(step: TrainingReport) -> str:
    return drawn(lambda console: _draw(step, console))


def _draw(step: TrainingReport, console: Console) -> None:
    heading(report_document(step.report), console)
    if step.report.symbolic:
        _laws(step, console)
    else:
        print_whole(_grid(step), console)
    entries(_sums(step), console)
    console.print()
    entries(notes(step.report), console)


def _grid(step: TrainingReport) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in HEAD:
        is_number = title in ("elements", "bytes")
        grid.add_column(title, justify="right" if is_number else "left", no_wrap=True)
    for line in step.lines:
        grid.add_row(*_cells(step, line))
    return grid


def _cells(step: TrainingReport, line: Line) -> tuple[str, str, str, str]:
    return line.path, line.what, step.show(line.elements), step.show(line.bytes)


def _laws(step: TrainingReport, console: Console) -> None:
    console.print()
    for line in step.lines:
        path, what, elements, size = _cells(step, line)
        console.print(Text.assemble((path, "bold"), f": {what}"), soft_wrap=not console.is_terminal)
        entries((("  elements", elements), ("  bytes", size)), console)
    console.print()


def _sums(step: TrainingReport) -> Iterator[tuple[str, str]]:
    for each in step.memory:
        yield each.title, _shown(step, each, show_bytes)
    if step.fit is not None:
        yield "capacity", _capacity(step.fit, at_values=step.report.symbolic)
    for each in step.products:
        yield each.title, _shown(step, each, show_number)


def _capacity(fit: Fit, *, at_values: bool) -> str:
    """What the main memory holds, and whether a step fits."""
    (need,) = fit.needs
    over = count_of(need.over, "byte")
    verdict = f"it does not fit, {over} over" if need.over else "it fits"
    where = ", at these values" if at_values else ""
    return f"{show_bytes(need.memory.capacity)} of {need.memory.name}; {verdict}{where}"


def _shown(step: TrainingReport, each: Sum, number: Callable[[Any], str]) -> str:
    report = step.report
    shown = step.show(each.count) if report.symbolic else number(report.number(each.count))
    return f"{shown} ({each.note})" if each.note else shown


def _markdown(step: TrainingReport) -> str:
    mark = code if step.report.symbolic else str
    lines = [f"**{escaped(step.report.title)}**", "", line_of(HEAD)]
    lines.append(line_of(["---", "---", *["---" if step.report.symbolic else "---:"] * 2]))
    for line in step.lines:
        path, what, *counts = _cells(step, line)
        lines.append(line_of([escaped(path), what, *map(mark, counts)]))
    lines.append("")
    lines += listed((*_sums(step), *notes(step.report)))
    return "\n".join(lines) + "\n"


def _json(step: TrainingReport) -> str:
    def count(expression: Expr) -> dict[str, Any]:
        return quantity(step.report, step.law(expression))

    document = {
        **head(step.report),
        "kept": [
            {"path": path, "what": what, "elements": count(elements), "bytes": count(size)}
            for path, what, elements, size in step.lines
        ],
        "memory": {each.key: count(each.count) for each in step.memory},
        "macs": {each.key: count(each.count) for each in step.products},
    }
    if step.fit is not None:
        document |= {"fits": step.fit.fits, "room": plain_number(step.fit.room)}
    return dumped(document)


FORMATS: dict[str, Renderer] = {"table": _table, "markdown": _markdown, "json": _json}
"""Format → the function that renders it."""

"""A memory profile: bars for the terminal; in other formats the report of its metrics."""

from collections.abc import Callable, Iterator
from fractions import Fraction

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archspec.arithmetic import Rational
from costmodel.analysis.document import NOTHING
from costmodel.render import json, markdown, terminal
from costmodel.render.terminal import drawn, entries, heading, print_whole
from costmodel.rules.formula import show_bytes, show_quantity
from costmodel.studies.profile import ALIVE, IN_OUT, Profile
from costmodel.studies.report import Row
from costmodel.studies.report_document import document as report_document
from costmodel.studies.report_document import notes

Renderer = Callable[[Profile], str]

MIN_BAR, MAX_BAR = 12, 60
"""The fewest and the most columns of the longest bar."""

EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
"""The last sign of a bar, by how many eighths of it are filled."""


def _table(profile: Profile) -> str:
    if profile.report.symbolic:
        return terminal.render(report_document(profile.report))
    return drawn(lambda console: _draw(profile, console))


def _draw(profile: Profile, console: Console) -> None:
    heading(report_document(profile.report), console)
    rest = console.width - console.measure(_grid(profile, None)).maximum
    print_whole(_grid(profile, min(max(rest - 2, MIN_BAR), MAX_BAR)), console)
    entries((*_peaks(profile), *notes(profile.report)), console)


def _grid(profile: Profile, width: int | None) -> Table:
    """The lines with their numbers, and with bars of at most some columns."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column("layer", no_wrap=True)
    grid.add_column("in + out", justify="right", no_wrap=True)
    grid.add_column("alive", justify="right", no_wrap=True)
    if width is not None:
        grid.add_column("█ in + out  ░ beside", no_wrap=True)
    shown = {row.path for row in profile.layers}
    for row in profile.rows:
        bar = [_bar(profile, row, width)] if width is not None and row.path in shown else []
        cells = [_size(profile.number(row, metric)) for metric in (IN_OUT, profile.alive)]
        style = "bold" if row.is_group else ""
        grid.add_row(profile.report.label(row), *cells, *bar, style=style)
    return grid


def _size(size: Rational) -> str:
    return show_quantity(size, "B") if size else NOTHING


def _bar(profile: Profile, row: Row, width: int) -> Text:
    """What is alive against the most that is; over the device's memory it is red."""
    alive, own = profile.number(row, profile.alive), profile.number(row, IN_OUT)
    unit = Fraction(profile.most, width)
    eighths = round(min(own, alive) / unit * 8)
    full = "█" * (eighths // 8) + EIGHTHS[eighths % 8]
    beside = "░" * (round(alive / unit) - len(full))
    capacity = profile.capacity
    over = capacity is not None and alive > capacity
    return Text.assemble((full, "red" if over else "blue"), (beside, "red" if over else "cyan"))


def _peaks(profile: Profile) -> Iterator[tuple[str, str]]:
    size, row = profile.analysis.value(IN_OUT), profile.peak(IN_OUT)
    yield "input + output", f"{show_bytes(size)} (at {row.path})"
    if profile.capacity is not None:
        over = sum(profile.number(row, profile.alive) > profile.capacity for row in profile.layers)
        of = f"{over} of {len(profile.layers)} layers over it" if over else "all layers within it"
        yield "capacity", f"{show_bytes(profile.capacity)}; {of}"
    if profile.alive == ALIVE["best"]:
        given = profile.analysis.value(ALIVE["given"])
        yield "in given order", show_bytes(given)
        for move in profile.moves:
            place = f"before {move.before}" if move.before else "last"
            yield "best order", f"{', '.join(move.layers)} {place}"


FORMATS: dict[str, Renderer] = {
    "table": _table,
    "markdown": lambda profile: markdown.render(report_document(profile.report)),
    "json": lambda profile: json.render(report_document(profile.report)),
}
"""Format → the function that renders it."""

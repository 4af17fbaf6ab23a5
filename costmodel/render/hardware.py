"""Hardware profiles: all at a glance, or every figure of some with its source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from archspec.arithmetic import Rational
from archspec.hardware import (
    AccessFigure,
    BandwidthFigure,
    CapacityFigure,
    EnergyFigure,
    Figure,
    FrequencyFigure,
    PowerFigure,
    Profile,
    RateFigure,
)
from archspec.quantities import BINARY, DECIMAL
from costmodel.analysis.document import NOTHING, VERSION, plain_number
from costmodel.render.json import dumped
from costmodel.render.markdown import code, escaped, line_of, listed
from costmodel.render.terminal import drawn, entries, print_whole, styled
from costmodel.scenario.devices import main_memory, shown_ridge

MAIN_TYPES = ("fp32", "bf16", "fp16", "int8")
"""The types whose peaks stand in the overview."""

HEAD = ("device", *MAIN_TYPES, "memory", "GB/s", "ridge", "W")

NOTES = {
    "peaks": "dense operations per second, two per multiply-accumulate",
    "memory": "the furthest that can be written, and how fast it is read",
    "ridge": "operations per byte above which that memory is not the limit",
}
"""What the columns of the overview mean."""


def scaled(value: Rational, unit: str, prefixes: str, digits: int = 6) -> str:
    """A quantity with the largest of the prefixes, which rise, that it reaches; else the first."""
    powers = {prefix.strip(): DECIMAL[prefix.strip()] for prefix in prefixes}
    fitting = [prefix for prefix, power in powers.items() if value >= Fraction(10) ** power]
    prefix = fitting[-1] if fitting else prefixes[0].strip()
    return f"{float(value / Fraction(10) ** powers[prefix]):.{digits}g} {prefix}{unit}"


def shown_bytes(value: Rational) -> str:
    """A capacity: with a binary prefix where that takes at most one decimal, else a decimal one."""
    prefix = max(
        (p for p, n in BINARY.items() if value >= 2**n), key=BINARY.__getitem__, default=""
    )
    tenths = Fraction(10 * value, 2 ** BINARY.get(prefix, 0))
    if prefix and tenths.denominator == 1:
        return f"{float(tenths) / 10:g} {prefix}B"
    return scaled(value, "B", " kMGT")


def shown(figure: Figure, place: str) -> str:
    """A figure with its unit; a rate of integers is no rate of FLOPs."""
    match figure:
        case RateFigure():
            unit = "OP/s" if place.split(".")[-1].startswith("int") else "FLOP/s"
            return scaled(figure.value, unit, " kMGT")
        case CapacityFigure():
            return shown_bytes(figure.value)
        case BandwidthFigure():
            return scaled(figure.value, "B/s", " kMG")
        case AccessFigure():
            of = f" of {shown_bytes(figure.capacity)}" if figure.capacity else ""
            return f"{scaled(figure.value, 'J', 'p')} per {figure.bits} bits{of}"
        case EnergyFigure():
            return scaled(figure.value, "J", "p")
        case FrequencyFigure():
            return scaled(figure.value, "Hz", " kMG")
        case PowerFigure():
            return scaled(figure.value, "W", "m ")
    raise TypeError(f"a figure of unknown dimension: {figure}")


def cells(profile: Profile) -> list[str]:
    """A device's row of the overview."""
    peaks, power = profile.fields.operations, profile.fields.power
    level = main_memory(profile)
    ridge = shown_ridge(profile)
    return [
        profile.key,
        *(_rate(peaks[dtype].value) if dtype in peaks else NOTHING for dtype in MAIN_TYPES),
        shown_bytes(level.capacity.value),
        f"{float(level.bandwidth.value) / 1e9:g}" if level.bandwidth else NOTHING,
        f"{float(ridge.value):.3g} {ridge.dtype}" if ridge else NOTHING,
        f"{float(power.value):g}" if power else NOTHING,
    ]


def _rate(value: Rational) -> str:
    """A peak to three digits, as 36.2T."""
    return scaled(value, "", " kMGT", digits=3 if value < 10**15 else 4).replace(" ", "")


def _devices(profiles: Sequence[Profile]) -> list[Profile]:
    """The profiles that are of a device, and not of energies alone."""
    return [profile for profile in profiles if profile.fields.memory]


def _notes(profiles: Sequence[Profile]) -> Iterator[tuple[str, str]]:
    yield from NOTES.items()
    for profile in profiles:
        if not profile.fields.memory:
            yield "energy", f"{profile.key}: {profile.fields.name}"


def table(profiles: Sequence[Profile]) -> str:
    """One row per device."""
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for title in HEAD:
        grid.add_column(title, justify="left" if title == "device" else "right", no_wrap=True)
    for profile in _devices(profiles):
        grid.add_row(*cells(profile))

    def draw(console: Console) -> None:
        print_whole(grid, console)
        console.print()
        entries(_notes(profiles), console)

    return drawn(draw)


def figure_table(profiles: Sequence[Profile]) -> str:
    """Every figure, with the number of its source, which stands below."""

    def draw(console: Console) -> None:
        for profile in profiles:
            if profile is not profiles[0]:
                console.print()
            _figures(profile, console)

    return drawn(draw)


def _figures(profile: Profile, console: Console) -> None:
    wrap = console.is_terminal
    console.print(styled(profile.fields.name, "bold"), soft_wrap=not wrap)
    console.print(styled(profile.key, "dim"))
    if profile.fields.doc:
        console.print(styled(profile.fields.doc), soft_wrap=not wrap)
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column("figure", no_wrap=True)
    grid.add_column("value", justify="right", no_wrap=True)
    grid.add_column("source", justify="right")
    sources = _sources(profile)
    for place, figure in profile.figures:
        grid.add_row(place, shown(figure, place), f"[{sources[figure.source, figure.read]}]")
    print_whole(grid, console)
    cited = ((f"[{number}] {read}", source) for (source, read), number in sources.items())
    entries(cited, console)


def _sources(profile: Profile) -> dict[tuple[str, str], int]:
    """Source and how it was read → its number, in the order of the figures."""
    cited = dict.fromkeys((figure.source, figure.read) for _, figure in profile.figures)
    return {source: number for number, source in enumerate(cited, 1)}


def markdown(profiles: Sequence[Profile]) -> str:
    """One row per device, as Markdown."""
    align = ["---", *["---:"] * (len(HEAD) - 1)]
    rows = [line_of([code(first), *rest]) for first, *rest in map(cells, _devices(profiles))]
    notes = listed(_notes(profiles))
    return "\n".join([line_of(HEAD), line_of(align), *rows, "", *notes]) + "\n"


def figure_markdown(profiles: Sequence[Profile]) -> str:
    """One row per figure, as Markdown."""
    return "\n".join("\n".join(_section(profile)) + "\n" for profile in profiles)


def _section(profile: Profile) -> Iterator[str]:
    yield f"**{escaped(profile.fields.name)}** ({code(profile.key)})\n"
    if profile.fields.doc:
        yield f"{escaped(profile.fields.doc)}\n"
    yield line_of(["figure", "value", "read", "source"])
    yield line_of(["---", "---:", "---", "---"])
    for place, figure in profile.figures:
        yield line_of([code(place), shown(figure, place), figure.read, escaped(figure.source)])


def json(profiles: Sequence[Profile]) -> str:
    """Every figure in base units: operations and bytes per second, bytes, joules, watts, hertz."""
    document = {"archcost": VERSION, "hardware": list(map(_document, profiles))}
    return dumped(document)


def _document(profile: Profile) -> dict[str, Any]:
    ridge = shown_ridge(profile)
    return {
        "device": profile.key,
        **{name: _plain(part) for name, part in profile.fields if name != "archspec"},
        "ridge": {"type": ridge.dtype, "value": float(ridge.value)} if ridge else None,
    }


def _plain(part: Any) -> Any:
    """Classes as mappings, in the order of their fields; numbers as JSON has them."""
    if part is None or isinstance(part, str):
        return part
    if isinstance(part, Rational):
        return plain_number(part)
    return {
        name: _plain(inner) for name, inner in (part.items() if isinstance(part, dict) else part)
    }


class Views(NamedTuple):
    """How a format shows profiles.

    Attributes:
        overview: one row per device.
        figures: every figure of each.
    """

    overview: Callable[[Sequence[Profile]], str]
    figures: Callable[[Sequence[Profile]], str]


FORMATS: Mapping[str, Views] = {
    "table": Views(table, figure_table),
    "markdown": Views(markdown, figure_markdown),
    "json": Views(json, json),
}

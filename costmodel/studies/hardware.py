"""Hardware profiles: all at a glance, or every figure of some with its source."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

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
from costmodel.analysis import document as doc
from costmodel.scenario.devices import (
    built_in_profiles,
    find_profile,
    main_memory,
    shown_ridge,
)
from costmodel.studies import question

MAIN_TYPES = ("fp32", "bf16", "fp16", "int8")
"""The types whose peaks stand in the overview."""

HEAD = (*MAIN_TYPES, "memory", "GB/s", "ridge", "W")

NOTES = {
    "peaks": "dense operations per second, two per multiply-accumulate",
    "memory": "the furthest that can be written, and how fast it is read",
    "ridge": "operations per byte above which that memory is not the limit",
}
"""The meanings of the overview's columns."""


@question(group="Devices and conventions")
def hardware(devices: list[str] | None = None, /) -> doc.Document:
    """List the devices there are, or every figure of some with its source.

    Args:
        devices: Devices by name, or your own files (.yaml); else all built-in ones.

    Examples:
        archcost hardware
        archcost hardware a100-80gb stm32f746
    """
    profiles = list(map(find_profile, devices)) if devices else built_in_profiles()

    def blocks() -> Iterator[doc.Block]:
        if devices:
            for profile in profiles:
                yield from _figures(profile)
        else:
            yield from _overview(profiles)

    return doc.Document("", blocks, lambda: _data(profiles), rows=lambda: _exact(profiles))


def _exact(profiles: Sequence[Profile]) -> doc.Table:
    """Return every figure of every device in its base unit, with its source."""
    rows = (
        (profile.key, place, figure.value, figure.read, figure.source)
        for profile in profiles
        for place, figure in profile.figures
    )
    names = ("device", "figure", "value", "read", "source")
    return doc.table_of(
        (doc.Column(n, n, doc.EXACT if n == "value" else doc.TEXT) for n in names), rows
    )


def _overview(profiles: Sequence[Profile]) -> Iterator[doc.Block]:
    """Yield a row for each device, then what has energies alone."""
    columns = (
        doc.Column("device", "device"),
        *(doc.Column(name, name, doc.FIGURE) for name in HEAD),
    )
    yield doc.table_of(columns, (_cells(each) for each in profiles if each.fields.memory))
    energies = (p for p in profiles if not p.fields.memory)
    names = (("energy", f"{each.key}: {each.fields.name}") for each in energies)
    yield doc.entries((*NOTES.items(), *names))


FIGURES = (
    doc.Column("figure", "figure"),
    doc.Column("value", "value", doc.FIGURE),
    doc.Column("source", "source", doc.FIGURE),
)


def _figures(profile: Profile) -> Iterator[doc.Block]:
    yield doc.Line(profile.fields.name, "bold")
    yield doc.Line(doc.Code(profile.key), "dim")
    if profile.fields.doc:
        yield doc.Line(profile.fields.doc)
    cited = dict.fromkeys((figure.source, figure.read) for _, figure in profile.figures)
    numbers = {source: f"[{number}]" for number, source in enumerate(cited, 1)}
    rows = (
        (doc.Code(place), shown(figure, place), numbers[figure.source, figure.read])
        for place, figure in profile.figures
    )
    yield doc.table_of(FIGURES, rows)
    yield doc.entries((f"{number} {read}", source) for (source, read), number in numbers.items())


def _cells(profile: Profile) -> tuple[doc.Cell, ...]:
    """Return a device's row of the overview."""
    peaks, power = profile.fields.operations, profile.fields.power
    level = main_memory(profile)
    ridge = shown_ridge(profile)
    return (
        doc.Code(profile.key),
        *(_rate(peaks[dtype].value) if dtype in peaks else None for dtype in MAIN_TYPES),
        shown_bytes(level.capacity.value),
        f"{float(level.bandwidth.value) / 1e9:g}" if level.bandwidth else None,
        f"{float(ridge.value):.3g} {ridge.dtype}" if ridge else None,
        f"{float(power.value):g}" if power else None,
    )


def _rate(value: Rational) -> str:
    """Return a peak to three digits, as 36.2T."""
    return scaled(value, "", " kMGT", digits=3 if value < 10**15 else 4).replace(" ", "")


def scaled(value: Rational, unit: str, prefixes: str, digits: int = 6) -> str:
    """Return a quantity with the largest of the rising prefixes that it reaches, else the first."""
    powers = {prefix.strip(): DECIMAL[prefix.strip()] for prefix in prefixes}
    fitting = [prefix for prefix, power in powers.items() if value >= Fraction(10) ** power]
    prefix = fitting[-1] if fitting else prefixes[0].strip()
    return f"{float(value / Fraction(10) ** powers[prefix]):.{digits}g} {prefix}{unit}"


def shown_bytes(value: Rational) -> str:
    """Return a capacity with a binary prefix if one decimal is enough, else a decimal one."""
    prefix = max(
        (p for p, n in BINARY.items() if value >= 2**n), key=BINARY.__getitem__, default=""
    )
    tenths = Fraction(10 * value, 2 ** BINARY.get(prefix, 0))
    if prefix and tenths.denominator == 1:
        return f"{float(tenths) / 10:g} {prefix}B"
    return scaled(value, "B", " kMGT")


def shown(figure: Figure, place: str) -> str:
    """Return a figure with its unit; a rate of integers is no rate of FLOPs."""
    if isinstance(figure, CapacityFigure):
        return shown_bytes(figure.value)
    unit, prefixes = UNITS[type(figure)]
    if isinstance(figure, RateFigure) and place.split(".")[-1].startswith("int"):
        unit = "OP/s"
    value = scaled(figure.value, unit, prefixes)
    if isinstance(figure, AccessFigure):
        of = f" of {shown_bytes(figure.capacity)}" if figure.capacity else ""
        return f"{value} per {figure.bits} bits{of}"
    return value


UNITS: Mapping[type[Figure], tuple[str, str]] = {
    RateFigure: ("FLOP/s", " kMGT"),
    BandwidthFigure: ("B/s", " kMG"),
    EnergyFigure: ("J", "p"),
    AccessFigure: ("J", "p"),
    FrequencyFigure: ("Hz", " kMG"),
    PowerFigure: ("W", "m "),
}
"""Kind of figure → its unit, and the rising prefixes that are put before it."""


def _data(profiles: Sequence[Profile]) -> dict[str, Any]:
    """Return every figure in base units: operations and bytes per second, bytes, joules, hertz."""
    return {"archcost": doc.VERSION, "hardware": list(map(_profile, profiles))}


def _profile(profile: Profile) -> dict[str, Any]:
    ridge = shown_ridge(profile)
    return {
        "device": profile.key,
        **{name: _plain(part) for name, part in profile.fields if name != "archspec"},
        "ridge": {"type": ridge.dtype, "value": float(ridge.value)} if ridge else None,
    }


def _plain(part: Any) -> Any:
    """Return classes as mappings, in the order of their fields; numbers as JSON has them."""
    if isinstance(part, Rational | str | None):
        return doc.plain_number(part)
    return {
        name: _plain(inner) for name, inner in (part.items() if isinstance(part, dict) else part)
    }

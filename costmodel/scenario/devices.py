"""Devices: finding a profile, and asking it for a figure.

What a profile does not say is an error that names what it does say; no figure stands in for
another.
"""

from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError, did_you_mean, find_named
from archspec.hardware import (
    AccessFigure,
    EnergyTable,
    Figure,
    Kind,
    MemoryLevel,
    Profile,
    RateFigure,
    read_profile,
)
from archspec.precision import TYPES

HARDWARE = Path(__file__).parent / "hardware"
"""The folder of the profiles that come with the package."""

RIDGE_TYPES = ("fp16", "bf16")
"""At the first of these that a device has is its ridge point shown."""


def built_in_files() -> dict[str, Path]:
    """Return the files of the profiles that come with the package, by name."""
    return {path.stem: path for path in sorted(HARDWARE.glob("*.yaml"))}


def built_in_profiles() -> tuple[Profile, ...]:
    """All of them, read."""
    return tuple(map(read_profile, built_in_files().values()))


def find_profile(name: str) -> Profile:
    """The built-in profile of a name, or the one of a file, whose path ends in ``.yaml``.

    Raises:
        SpecError: there is none, or it breaks a rule.
    """
    files = built_in_files()
    if name in files:
        return read_profile(files[name])
    if Path(name).suffix in (".yaml", ".yml"):
        return read_profile(name)
    raise SpecError(f"unknown device '{name}'", hint=_device_hint(name, files))


def _device_hint(name: str, files: Mapping[str, Path]) -> str:
    """Return a hint: devices that begin with the name, else similar ones, else where to look."""
    begin = [f"'{device}'" for device in files if device.startswith(name.lower()[:100]) and name]
    if begin:
        return f"did you mean {' or '.join(begin)}?"
    lists = "archcost hardware lists them; the path of a profile of your own ends in .yaml"
    return did_you_mean(name, files) or lists


def _missing_figure(profile: Profile, what: str, name: str, known: Collection[str]) -> SpecError:
    """The error of a figure that a profile does not have."""
    has = f"it has {', '.join(known)}; none stands in for another" if known else "it has none"
    return SpecError(f"{profile.key} has no {what} {name}", hint=has)


def peak(profile: Profile, dtype: str) -> RateFigure:
    """The dense peak of a type.

    Raises:
        SpecError: there is no such type, or the device has no figure for it.
    """
    find_named("type", dtype, TYPES)
    if dtype not in profile.fields.operations:
        raise _missing_figure(profile, "peak for", dtype, profile.fields.operations)
    return profile.fields.operations[dtype]


def operations_per_second(profile: Profile, dtype: str) -> Rational:
    """The dense peak of a type; a multiply-accumulate is two operations (see `peak`)."""
    return peak(profile, dtype).value


def memory(profile: Profile, kind: str) -> MemoryLevel:
    """The furthest level of a kind, which holds most.

    Raises:
        SpecError: there is no such kind, or the device has none of it.
    """
    find_named("kind of memory", kind, dict.fromkeys(get_args(Kind)))
    levels = {level.kind: level for level in profile.fields.memory.values()}
    if kind not in levels:
        raise _missing_figure(profile, "memory of kind", kind, levels)
    return levels[kind]


def main_memory(profile: Profile) -> MemoryLevel:
    """The furthest level that can be written: where activations lie.

    Raises:
        SpecError: the profile has none.
    """
    if (level := _main(profile)) is None:
        raise SpecError(f"{profile.key} has no memory that can be written")
    return level


def _main(profile: Profile) -> MemoryLevel | None:
    levels = [level for level in profile.fields.memory.values() if level.writable]
    return levels[-1] if levels else None


def bandwidth(profile: Profile) -> Rational:
    """Bytes per second from the main memory.

    Raises:
        SpecError: the profile does not say.
    """
    figure = main_memory(profile).bandwidth
    if figure is None:
        hint = "write bandwidth beside its capacity, in a profile of your own"
        raise SpecError(_lacking(profile), hint=hint)
    return figure.value


def no_bandwidth(profile: Profile) -> str | None:
    """Return the reason why moving bytes takes no known time; None where there is a bandwidth."""
    level = _main(profile)
    return _lacking(profile) if level is None or level.bandwidth is None else None


def _lacking(profile: Profile) -> str:
    return f"{profile.key} states no bandwidth of its main memory"


def ridge_point(profile: Profile, dtype: str) -> Rational:
    """The operations per byte from which a device is no longer bound by its main memory.

    Raises:
        SpecError: it lacks the peak or the bandwidth.
    """
    return tidy(Fraction(operations_per_second(profile, dtype)) / bandwidth(profile))


def ridge_type(profile: Profile) -> str | None:
    """The type whose ridge point is shown: of 16 bits, else the fastest; None without any."""
    peaks = profile.fields.operations
    fastest = sorted(peaks, key=lambda dtype: -peaks[dtype].value)
    return next((dtype for dtype in (*RIDGE_TYPES, *fastest) if dtype in peaks), None)


class Ridge(NamedTuple):
    """A ridge point, in operations per byte, and the type it is of."""

    value: Rational
    dtype: str


def shown_ridge(profile: Profile) -> Ridge | None:
    """The ridge point at `ridge_type`, or None where a figure for it is missing."""
    dtype, level = ridge_type(profile), _main(profile)
    if dtype is None or level is None or level.bandwidth is None:
        return None
    return Ridge(ridge_point(profile, dtype), dtype)


def with_energy_of(profile: Profile, other: Profile) -> Profile:
    """A profile with the energies of another, as of `horowitz-45nm`, in place of its own.

    Raises:
        SpecError: the other has none.
    """
    energy = energy_table(other)
    return profile._replace(fields=profile.fields.model_copy(update={"energy": energy}))


def energy_table(profile: Profile) -> EnergyTable:
    """Return the energies of a device.

    Raises:
        SpecError: it states none.
    """
    if profile.fields.energy is None:
        raise SpecError(f"{profile.key} states no energies", hint=_table_hint(_main(profile)))
    return profile.fields.energy


def _table_hint(main: MemoryLevel | None) -> str:
    """Return the hint that names a table which has the energy of a main memory, if there is one."""
    for other in built_in_profiles():
        table = other.fields.energy
        kinds = {figure.kind for figure in table.access.values()} if table else set()
        if table and (main is None or main.kind in kinds):
            return f"take them from a table, as with --energy {other.key}"
    assert main is not None
    return (
        f"no table of archcost has the energy of {main.kind}, its main memory; write energy.access "
        f"with kind: {main.kind} in a profile of your own, and name that with --energy"
    )


def operation_energy(
    profile: Profile, operation: Literal["add", "multiply"], dtype: str
) -> Rational:
    """Joules of one addition or multiplication of a type.

    Raises:
        SpecError: there is no such type, or the profile has no figure for it.
    """
    find_named("type", dtype, TYPES)
    table: Mapping[str, Figure] = getattr(energy_table(profile), operation)
    if dtype not in table:
        raise _missing_figure(profile, "energy for", f"{operation} of {dtype}", table)
    value: Rational = table[dtype].value
    return value


def access(profile: Profile, kind: str, capacity: Rational | None = None) -> AccessFigure:
    """An access to a memory of a kind.

    Args:
        profile: the device.
        kind: of the memory.
        capacity: of the memory, in bytes. Of several figures that of the smallest memory that
            holds as much, else of the largest; without it, the first.

    Raises:
        SpecError: there is no such kind, or the profile has no figure for it.
    """
    find_named("kind of memory", kind, dict.fromkeys(get_args(Kind)))
    figures = energy_table(profile).access.values()
    found = [figure for figure in figures if figure.kind == kind]
    if not found:
        known = dict.fromkeys(figure.kind for figure in figures)
        raise _missing_figure(profile, "energy per access of", kind, known)
    if capacity is None:
        return found[0]
    fitting = (figure for figure in found if figure.capacity is None or figure.capacity >= capacity)
    return next(fitting, found[-1])

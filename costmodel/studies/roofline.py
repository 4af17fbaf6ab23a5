"""A network under a device's roofline: what bounds each layer, how long it takes at least."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Literal, NamedTuple

from archspec.arithmetic import Rational, ratio
from archspec.errors import SpecError
from archspec.hardware import Figure
from costmodel.algebra.functions import amount_of
from costmodel.analysis.analysis import Analysis
from costmodel.scenario.devices import (
    bandwidth,
    main_memory,
    no_bandwidth,
    operations_per_second,
    peak,
    ridge_point,
)
from costmodel.studies.report import Report, ReportRow

METRICS = ("macs", "macs_least", "bytes_moved", "compute_time", "memory_time", "latency")
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
        computation: seconds of the operations alone.
        memory: seconds of the moving alone; None where the device states no bandwidth.
        time: the seconds that it takes at least; of a group the sum of its layers'.
        bound: what bounds it; ``mixed`` where layers of a group differ, None where it takes no time
            or the device states no bandwidth.
        share: its part of the network's time.
    """

    row: ReportRow
    operations: Rational
    moved: Rational
    computation: Rational
    memory: Rational | None
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


class Used(NamedTuple):
    """A figure of the device that times are computed from.

    Attributes:
        label: what it is.
        place: its place in the profile.
        figure: its value and source.
    """

    label: str
    place: str
    figure: Figure


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
        names = (name for name in METRICS if name != MOVING or self.compares)
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
        times = [self._number(row, "latency") for row in rows]
        total = self.time
        return tuple(
            self._line(row, rows[i + 1 :], time, ratio(time, total) if total else 0)
            for i, (row, time) in enumerate(zip(rows, times, strict=True))
        )

    def _number(self, row: ReportRow, metric: str) -> Rational:
        return self.report.number(amount_of(row.counts[metric]))

    def _moving(self, row: ReportRow) -> Rational | None:
        return self._number(row, MOVING) if self.compares else None

    def _line(
        self, row: ReportRow, after: Iterable[ReportRow], time: Rational, share: Rational
    ) -> RooflineEntry:
        operations = 2 * self._number(row, "macs_least")
        moved, computation = (self._number(row, name) for name in ("bytes_moved", "compute_time"))
        inside = takewhile(lambda other: other.level > row.level, after)
        held = [other for other in inside if not other.is_group] if row.is_group else [row]
        bounds = {self._bounds[each.path] for each in held} - {None}
        bound: Bound | None = next(iter(bounds), None) if len(bounds) < 2 else "mixed"
        moving = self._moving(row)
        return RooflineEntry(row, operations, moved, computation, moving, time, bound, share)

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
        """One per peak of the types in which products are made.

        Raises:
            SpecError: the device states no bandwidth.
        """
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
    def moves(self) -> bool:
        """Return whether any byte is moved."""
        return any(line.moved for line in self.layers)

    @property
    def used(self) -> Iterator[Used]:
        """The figures of the device that count."""
        profile = self.analysis.context.device.profile
        for dtype in self.types:
            yield Used(f"peak {dtype}", f"operations.{dtype}", peak(profile, dtype))
        figure = main_memory(profile).bandwidth if self.moves and self.compares else None
        if figure is not None:
            yield Used("bandwidth", "memory.bandwidth", figure)

    def require_points(self) -> None:
        """Make sure that there is something to draw.

        Raises:
            SpecError: no layer makes products, or the device states no bandwidth.
        """
        if not any(line.operations and line.moved for line in self.layers):
            raise SpecError("no layer makes products, so none has a place under a roofline")
        bandwidth(self.analysis.context.device.profile)

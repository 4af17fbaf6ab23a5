"""The bytes in memory layer by layer: each input and output, and all that is alive beside them."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cached_property
from typing import NamedTuple

from archspec.arithmetic import Rational
from archspec.errors import find_named
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.memory_peak import given_order
from costmodel.scenario.devices import main_memory
from costmodel.studies.report import Report, ReportRow

IN_OUT = "in_out_peak"
"""The largest input + output of one layer."""

ALIVE = {"given": "memory_peak", "best": "memory_peak_best"}
"""Order of the layers → the most that is alive at once."""


class Move(NamedTuple):
    """Layers that work at another place in the best order.

    Attributes:
        layers: their paths, in the order in which they work.
        before: the path of the layer that follows them; None where none does.
    """

    layers: tuple[str, ...]
    before: str | None


class MemoryProfile:
    """The bytes that a network has in memory while its layers work.

    Args:
        analysis: the network.
        order: the order in which they work: ``given``, or ``best``.
        symbolic: whether laws are shown, or numbers.
        depth: how many groups are opened within each other; None opens all.

    Raises:
        SpecError: there is no such order.
    """

    def __init__(
        self,
        analysis: Analysis,
        *,
        order: str = "given",
        symbolic: bool = False,
        depth: int | None = None,
    ) -> None:
        self.analysis = analysis
        self.alive = find_named("order", order, ALIVE)
        self.report = Report(analysis, (IN_OUT, self.alive), symbolic, depth)

    def number(self, row: ReportRow, metric: str) -> Rational:
        """The bytes of a line, the most of any of its runs."""
        return self.report.number(row.counts[metric])

    @cached_property
    def rows(self) -> tuple[ReportRow, ...]:
        """The lines of the report without those of layers that add nothing to what is alive."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[ReportRow]:
        before: Rational = 0
        for row in self.report.rows:
            if row.is_group:
                yield row
                continue
            alive = self.number(row, self.alive)
            if self.number(row, IN_OUT) or alive > before:
                yield row
            before = alive

    @cached_property
    def layers(self) -> tuple[ReportRow, ...]:
        """The lines that are no group, or whose group is closed."""
        shown = {row.path for row in self.rows}
        return tuple(row for row in self.report.leaves if row.path in shown)

    def peak(self, metric: str) -> ReportRow:
        """The layer at which there is most."""
        return max(self.layers, key=lambda row: self.number(row, metric))

    @property
    def most(self) -> Rational:
        """The most that is alive at once."""
        return self.analysis.value(self.alive)

    @property
    def moves(self) -> tuple[Move, ...]:
        """The layers that stand elsewhere in the best order than in the given one."""
        given, best = given_order(self.analysis.context), self.analysis.best_order.layers
        changes = SequenceMatcher(None, given, best, autojunk=False).get_opcodes()
        return tuple(
            Move(best[first:last], best[last] if last < len(best) else None)
            for change, _, _, first, last in changes
            if change in ("insert", "replace")
        )

    @property
    def capacity(self) -> Rational | None:
        """The bytes of the memory in which activations lie, where a device is given."""
        device = self.analysis.scenario.device
        return None if device is None else main_memory(device.profile).capacity.value

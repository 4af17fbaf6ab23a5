"""What is in memory layer by layer: input and output of each, and all that is alive beside them."""

from collections.abc import Iterator
from functools import cached_property

from archspec.arithmetic import Rational
from costmodel.analysis import Analysis
from costmodel.machines import main_memory
from costmodel.report import Report, Row

IN_OUT, ALIVE = "in_out_peak", "memory_peak"
"""The largest input + output of one layer, and the most that is alive at once."""


class Profile:
    """What a network has in memory, in the order in which its layers work.

    Args:
        analysis: the network.
        symbolic: whether laws are shown, or numbers.
        depth: how many groups are opened within each other; None opens all.
    """

    def __init__(
        self, analysis: Analysis, *, symbolic: bool = False, depth: int | None = None
    ) -> None:
        self.analysis = analysis
        self.report = Report(analysis, (IN_OUT, ALIVE), symbolic, depth)

    def number(self, row: Row, metric: str) -> Rational:
        """The bytes of a line, the most of any of its runs."""
        return self.report.number(row.counts[metric])

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The lines of the report without those of layers that add nothing to what is alive."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[Row]:
        before: Rational = 0
        for row in self.report.rows:
            if row.is_group:
                yield row
                continue
            alive = self.number(row, ALIVE)
            if self.number(row, IN_OUT) or alive > before:
                yield row
            before = alive

    @cached_property
    def layers(self) -> tuple[Row, ...]:
        """The lines that are no group, or whose group is closed."""
        shown = {row.path for row in self.rows}
        return tuple(row for row in self.report.leaves if row.path in shown)

    def peak(self, metric: str) -> Row:
        """The layer at which there is most."""
        return max(self.layers, key=lambda row: self.number(row, metric))

    @property
    def most(self) -> Rational:
        """The most that is alive at once."""
        return self.analysis.value(ALIVE)

    @property
    def capacity(self) -> Rational | None:
        """The bytes of the memory in which activations lie, where a device is given."""
        device = self.analysis.scenario.device
        return None if device is None else main_memory(device.profile).capacity.value

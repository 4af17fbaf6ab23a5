"""The bytes in memory layer by layer: each input and output, and all that is alive beside them."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cached_property, partial

from archspec.arithmetic import Rational
from archspec.errors import find_named
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.memory_peak import given_order
from costmodel.rules.formula import show_bytes
from costmodel.scenario.devices import main_memory
from costmodel.scenario.training import OPTIONS
from costmodel.studies import question, report_document
from costmodel.studies.report import Report, ReportRow
from costmodel.studies.report import ReportRow as Layer
from costmodel.studies.report_document import notes, row_of

IN_OUT = "in_out_peak"
"""The largest input + output of one layer."""

ALIVE = {"given": "memory_peak", "best": "memory_peak_best"}
"""Order of the layers → the most that is alive at once."""


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
        """Return the lines that hold no other line that is shown."""
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
    def moves(self) -> tuple[tuple[tuple[str, ...], str | None], ...]:
        """The layers that stand elsewhere in the best order, each with the one behind them."""
        given, best = given_order(self.analysis.context), self.analysis.best_order.layers
        changes = SequenceMatcher(None, given, best, autojunk=False).get_opcodes()
        return tuple(
            (best[first:last], best[last] if last < len(best) else None)
            for change, _, _, first, last in changes
            if change in ("insert", "replace")
        )

    @property
    def capacity(self) -> Rational | None:
        """The bytes of the memory in which activations lie, where a device is given."""
        device = self.analysis.scenario.device
        return None if device is None else main_memory(device.profile).capacity.value


SIZES = (
    doc.Column("layer", "layer"),
    doc.Column(IN_OUT, "in + out", doc.quantity_in("B"), hides_zero=True),
    doc.Column("alive", "alive", doc.quantity_in("B"), hides_zero=True),
)


@question(
    plot="memory_plot",
    group="Look at a network",
    without=("energy", "efficiency", *OPTIONS),
)
def memory(
    analysis: Analysis,
    /,
    *,
    symbolic: bool = False,
    depth: int | None = None,
    order: str = "given",
) -> doc.Document:
    """Show what is in memory while each layer works, as bars; with --plot, as a figure.

    Examples:
        archcost memory mobilenet_v2 --dtype int8
        archcost memory resnet50 --order best
    """
    profile = MemoryProfile(analysis, order=order, symbolic=symbolic, depth=depth)
    if symbolic:
        return report_document.document(profile.report, study=profile)
    blocks = partial(_blocks, profile)
    return report_document.document(profile.report, study=profile, blocks=blocks)


def _blocks(profile: MemoryProfile) -> Iterator[doc.Block]:
    rows = tuple(_row(profile, row) for row in profile.rows)
    folds = profile.report.depth is None
    yield doc.Table(SIZES, rows, bars="█ in + out  ░ beside", folds=folds)
    yield doc.entries((*_peaks(profile), *notes(profile.report)))


def _row(profile: MemoryProfile, row: Layer) -> doc.Row:
    """Return a line with its bar, which is over where the device's memory has less."""
    own, alive = profile.number(row, IN_OUT), profile.number(row, profile.alive)
    cells: dict[str, doc.Cell] = {IN_OUT: own, "alive": alive}
    over = profile.capacity is not None and alive > profile.capacity
    bar = doc.Bar(own, alive, profile.most, over)
    return row_of(profile.report, row, cells)._replace(bar=bar)


def _peaks(profile: MemoryProfile) -> Iterator[doc.Note]:
    size, row = profile.analysis.value(IN_OUT), profile.peak(IN_OUT)
    yield "input + output", f"{show_bytes(size)} (at {row.path})"
    if profile.capacity is not None:
        over = sum(profile.number(row, profile.alive) > profile.capacity for row in profile.layers)
        of = f"{over} of {len(profile.layers)} layers over it" if over else "all layers within it"
        yield "capacity", f"{show_bytes(profile.capacity)}; {of}"
    if profile.alive == ALIVE["best"]:
        given = profile.analysis.value(ALIVE["given"])
        yield "in given order", show_bytes(given)
        for layers, before in profile.moves:
            yield "best order", f"{', '.join(layers)} {f'before {before}' if before else 'last'}"

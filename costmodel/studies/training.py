"""A step of training: the tensors kept, the parts of its memory, and its products."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from sympy import Add, Expr

from costmodel.analysis.analysis import Analysis
from costmodel.metrics.kept import Held, elements_of, over_iterations
from costmodel.metrics.registry import find_metric
from costmodel.scenario.training import Checkpoint
from costmodel.studies.fit import Fit, fit
from costmodel.studies.report import Report

METRICS = ("training_memory", "training_macs")


class TrainingLine(NamedTuple):
    """Something that is kept, in all turns together.

    Attributes:
        path: the layer that makes it, or the group that is closed.
        what: which of its tensors; of a closed group all of them.
        elements: how many.
        bytes: of them.
    """

    path: str
    what: str
    elements: Expr
    bytes: Expr


class TrainingSum(NamedTuple):
    """A part of what a step takes.

    Attributes:
        key: its name in JSON.
        title: what it is.
        count: how much.
        note: how it comes to be.
    """

    key: str
    title: str
    count: Expr
    note: str = ""


class TrainingReport:
    """A step of training, as it is shown.

    Args:
        analysis: the network.
        symbolic: whether laws are shown, or numbers.
        depth: how many groups are opened within each other; None opens all.
    """

    def __init__(
        self, analysis: Analysis, *, symbolic: bool = False, depth: int | None = None
    ) -> None:
        self.analysis = analysis
        self.depth = depth
        self.report = Report(analysis, METRICS, symbolic, depth)

    def to_depth(self, depth: int) -> "TrainingReport":
        """Return the same step with some groups opened."""
        return TrainingReport(self.analysis, symbolic=self.report.symbolic, depth=depth)

    @cached_property
    def lines(self) -> tuple[TrainingLine, ...]:
        """The tensors kept, in the order of the layers; those of a closed group in one line."""
        step = self.analysis.step
        lines: dict[tuple[str, str], TrainingLine] = {}
        for held in sorted(step.kept.held, key=self._place):
            path, what = self._shown(held)
            line = lines.get((path, what), TrainingLine(path, what, Add(), Add()))
            elements = Add(line.elements, over_iterations(held, elements_of))
            size = Add(line.bytes, step.in_all(held))
            lines[path, what] = TrainingLine(path, what, elements, size)
        return tuple(lines.values())

    def _shown(self, held: Held) -> tuple[str, str]:
        """The line that a tensor is in."""
        parts = held.path.split("/")
        if self.depth is None or len(parts) <= self.depth + 1:
            return held.path, held.what
        return "/".join(parts[: self.depth + 1]), "all of it"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {layer.node.path: i for i, layer in enumerate(self.analysis.layers)}

    def _place(self, held: Held) -> int:
        """The layer's number; an input comes before all, experts' sum where their last layer is."""
        if held.layer is None:
            return -1
        return self._places[held.layer.node.path]

    def law(self, count: Expr) -> Expr:
        """A count as a law."""
        return self.analysis.law(self.analysis.by_resolution(count))

    def _of(self, metric: str, note: str = "") -> TrainingSum:
        found = find_metric(metric)
        parts = self.analysis.parts(found)
        return TrainingSum(
            metric, found.title, Add(*parts, self.analysis.beside_layers(found)), note
        )

    @property
    def memory(self) -> Iterator[TrainingSum]:
        """The parts of the memory, then all together."""
        analysis, setup = self.analysis, self.analysis.step.setup
        types = analysis.types.get("weights", ())
        yield self._of("model_size", " ".join(types))._replace(key="parameters")
        yield self._of("gradients", " ".join(types))
        yield self._of("optimizer_state", self._state_note)
        kept = Add(*analysis.step.activations.values())
        yield TrainingSum("activations_kept", find_metric("activations_kept").title, kept)
        if setup.checkpoint is not Checkpoint.NONE:
            yield TrainingSum(
                "made_again", "made again", analysis.step.made_again, self._again_note
            )
        yield self._of("training_memory")

    @cached_property
    def fit(self) -> Fit | None:
        """The verdict whether the device's memory suffices; None without a device."""
        return None if self.analysis.scenario.device is None else fit(self.analysis)

    @property
    def _state_note(self) -> str:
        """``12 bytes per parameter``."""
        state, params = map(self.analysis.value, ("optimizer_state", "params"))
        return f"{float(state) / float(params):.4g} bytes per parameter" if params else ""

    @property
    def _again_note(self) -> str:
        """The part of the network of which the most is made again at a time."""
        if self.analysis.step.setup.checkpoint is Checkpoint.BLOCKS:
            return "the most of one block"
        if self.analysis.scenario.is_fused and self.analysis.can_be_fused:
            return "fused attention makes its core again piece by piece"
        return "the most of one attention"

    @property
    def products(self) -> Iterator[TrainingSum]:
        """The multiply-accumulates of the passes, then of all together."""
        done = self.analysis.step.work
        yield TrainingSum(
            "forward", "forward MACs", Add(*(w.over_iterations(w.forward) for w in done))
        )
        yield TrainingSum(
            "backward", "backward MACs", Add(*(w.over_iterations(w.backward) for w in done))
        )
        again = Add(*(w.over_iterations(w.again) for w in done))
        if again != 0 or self.analysis.step.setup.checkpoint is not Checkpoint.NONE:
            yield TrainingSum("again", "MACs made again", again)
        yield self._of("training_macs")

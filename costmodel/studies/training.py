"""A step of training: what is kept, the parts of its memory, its products."""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any, NamedTuple

from sympy import Add, Expr

from archspec.arithmetic import Rational
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.standing import document_of
from costmodel.metrics.kept import KeptTensor, elements_of, over_iterations
from costmodel.metrics.registry import find_metric
from costmodel.rules.formula import count_of, show_bytes, show_number
from costmodel.scenario.training import Checkpoint
from costmodel.studies import question
from costmodel.studies.fit import Fit, fit
from costmodel.studies.report import Report
from costmodel.studies.report_document import head, notes, quantity

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
        places = {layer.node.path: i for i, layer in enumerate(self.analysis.layers)}

        def place(held: KeptTensor) -> int:
            """Return the place of a tensor's layer; an input comes before all."""
            return -1 if held.layer is None else places[held.layer.node.path]

        lines: dict[tuple[str, str], TrainingLine] = {}
        for held in sorted(step.kept.held, key=place):
            path, what = self._shown(held)
            line = lines.get((path, what), TrainingLine(path, what, Add(), Add()))
            elements = Add(line.elements, over_iterations(held, elements_of))
            size = Add(line.bytes, step.in_all(held))
            lines[path, what] = TrainingLine(path, what, elements, size)
        return tuple(lines.values())

    def _shown(self, held: KeptTensor) -> tuple[str, str]:
        """The line that a tensor is in."""
        parts = held.path.split("/")
        if self.depth is None or len(parts) <= self.depth + 1:
            return held.path, held.what
        return "/".join(parts[: self.depth + 1]), "all of it"

    def closed_form(self, count: Expr) -> Expr:
        """A count as a law."""
        return self.analysis.closed_form(self.analysis.by_resolution(count))

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
        yield self._of("gradients", " ".join(self._gradient_types))
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
    def _gradient_types(self) -> list[str]:
        """The types of the gradients, each once."""
        context = self.analysis.context
        if context.training.gradients:
            return [context.training.gradients]
        trained = filter(context.trained_of, self.analysis.layers)
        return list(dict.fromkeys(context.types_of(layer).weights for layer in trained))

    @property
    def frozen(self) -> TrainingSum | None:
        """The parameters that are trained, where others are frozen; None where all are."""
        trained, params = self._of("trainable_params"), self._of("params")
        if trained.count == params.count:
            return None
        number = self.analysis.evaluator
        return trained._replace(note=f"of {number(params.count):,} params")

    @property
    def _state_note(self) -> str:
        """``12 bytes per parameter``."""
        frozen = self.frozen
        names = "optimizer_state", "params" if frozen is None else "trainable_params"
        state, params = map(self.analysis.value, names)
        which = "" if frozen is None else "trainable "
        return f"{float(state) / float(params):.4g} bytes per {which}parameter" if params else ""

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


@question(
    name="training", optimizer="adam", group="Look at a network", without=("energy", "past", "page")
)
def document(
    analysis: Analysis, /, *, symbolic: bool = False, depth: int | None = None
) -> doc.Document:
    """Show what training takes: what is kept for the backward pass, state, forward and backward.

    Examples:
        archcost training resnet50 --depth 1
        archcost training gpt2 --optimizer adamw --checkpoint blocks --set n=8
    """
    step = TrainingReport(analysis, symbolic=symbolic, depth=depth)

    def blocks() -> Iterator[doc.Block]:
        many = len(step.lines)
        folds = step.depth is None and many > doc.MOST_ROWS
        yield _kept(step.to_depth(1) if folds else step)
        note = doc.LabelledValue("depth", f"1, of {many:,} tensors; --depth all shows them")
        yield doc.Entries((*([note] if folds else []), *_sums(step)))
        yield doc.entries(notes(step.report))

    return document_of(analysis, blocks, partial(_data, step))


def _kept(step: TrainingReport) -> doc.Table:
    """Return a line for each tensor that is kept."""
    symbolic = step.report.symbolic
    counts = doc.TEXT if symbolic else doc.COUNT
    columns = (
        doc.Column("path", "layer"),
        doc.Column("what", "kept"),
        doc.Column("elements", "elements", counts),
        doc.Column("bytes", "bytes", counts),
    )
    rows = (
        (line.path, line.what, _count(step, line.elements), _count(step, line.bytes))
        for line in step.lines
    )
    return doc.table_of(columns, rows)._replace(listed=symbolic)


def _count(step: TrainingReport, count: Expr) -> doc.ClosedForm | Rational:
    """Return a count as law or as number, whichever the report shows."""
    if step.report.symbolic:
        return doc.ClosedForm(step.closed_form(count), read=step.analysis.read)
    return step.report.number(count)


def _sums(step: TrainingReport) -> Iterator[doc.LabelledValue]:
    if step.frozen is not None:
        yield from _sum(step, step.frozen, lambda count: f"{count:,}")
    for each in step.memory:
        yield from _sum(step, each, show_bytes)
    if step.fit is not None:
        yield doc.LabelledValue("capacity", _capacity(step.fit, at_values=step.report.symbolic))
    for each in step.products:
        yield from _sum(step, each, show_number)


def _sum(
    step: TrainingReport, each: TrainingSum, show: Callable[[Rational], str]
) -> Iterator[doc.LabelledValue]:
    """Return a part; a note stands beside a number, and below a law."""
    shown = _count(step, each.count)
    note = f"({each.note})" if each.note else ""
    if isinstance(shown, doc.ClosedForm):
        yield doc.LabelledValue(each.title, shown)
        yield from [doc.LabelledValue("", note)] if note else []
    else:
        yield doc.LabelledValue(each.title, f"{show(shown)} {note}".strip())


def _capacity(fit: Fit, *, at_values: bool) -> str:
    """Return the bytes that the main memory holds, and whether a step fits."""
    (need,) = fit.needs
    over = count_of(need.over, "byte")
    verdict = f"it does not fit, {over} over" if need.over else "it fits"
    where = ", at these values" if at_values else ""
    return f"{show_bytes(need.memory.capacity)} of {need.memory.name}; {verdict}{where}"


def _data(step: TrainingReport) -> dict[str, Any]:
    def count(expression: Expr) -> dict[str, Any]:
        return quantity(step.report, step.closed_form(expression))

    fit = step.fit
    return {
        **head(step.report),
        "kept": [
            {"path": path, "what": what, "elements": count(elements), "bytes": count(size)}
            for path, what, elements, size in step.lines
        ],
        **({} if step.frozen is None else {step.frozen.key: count(step.frozen.count)}),
        "memory": {each.key: count(each.count) for each in step.memory},
        "macs": {each.key: count(each.count) for each in step.products},
        **({} if fit is None else {"fits": fit.fits, "room": doc.plain_number(fit.room)}),
    }

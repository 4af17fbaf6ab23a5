"""The memories of a device, compared with what a network needs of them.

Weights lie in flash where the device has some, else in its main memory beside the activations,
which lie in the main memory: the furthest that can be written. Cached keys and values lie beside
the activations. What is trained is written as well, and lies in the main memory with all of its
state.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from archspec.arithmetic import Rational
from archspec.errors import SpecError, find_named
from archspec.hardware import MemoryLevel, Profile
from costmodel.algebra.evaluate import Evaluator
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.standing import document_of, marked
from costmodel.metrics import memory_peak
from costmodel.metrics.memory_peak import Order
from costmodel.metrics.registry import METRICS
from costmodel.rules.formula import count_of, show_bytes
from costmodel.scenario.devices import main_memory
from costmodel.scenario.scenario import Scenario
from costmodel.studies import question, solve
from costmodel.studies.memory import ALIVE
from costmodel.studies.report import Report
from costmodel.studies.report_document import head, notes
from costmodel.studies.search import Verdict
from costmodel.studies.weight_placement import FullAt, full_at


class DeviceMemory(NamedTuple):
    """A memory of a device, and what lies in it.

    Attributes:
        name: as the profile has it.
        capacity: in bytes.
        metrics: the metrics whose bytes it holds together; where activations are among them they
            are the last.
    """

    name: str
    capacity: Rational
    metrics: tuple[str, ...]

    @property
    def holds(self) -> str:
        """Its contents in words."""
        return in_words(self.metrics)

    @property
    def constraint(self) -> str:
        """The condition that it is large enough, as ``archcost solve --where`` takes it."""
        return f"{' + '.join(self.metrics)} <= {self.capacity}"


TRAINED = ("model_size", "gradients", "optimizer_state", "activations_kept")
"""The metrics that make up ``training_memory``."""

CONTENTS = {
    "model_size": "weights",
    "kv_cache": "cache",
    "memory_peak": "activations",
    "memory_peak_best": "activations",
    "gradients": "gradients",
    "optimizer_state": "optimizer state",
    "activations_kept": "activations kept",
}
"""Metric → the words for the bytes that it counts."""


def in_words(metrics: tuple[str, ...]) -> str:
    """Return ``weights, cache and activations``."""
    *others, last = (CONTENTS[metric] for metric in metrics)
    return f"{', '.join(others)} and {last}" if others else last


class MemoryNeed(NamedTuple):
    """The bytes that one memory has to hold.

    Attributes:
        memory: it.
        sizes: metric → its bytes.
        passes: the weights at which it is full, added up in order; None where it never is.
    """

    memory: DeviceMemory
    sizes: Mapping[str, Rational]
    passes: FullAt | None

    @property
    def needed(self) -> Rational:
        """The bytes of all its metrics together."""
        return sum(self.sizes.values())

    @property
    def over(self) -> Rational:
        """The bytes for which there is no room."""
        return max(self.needed - self.memory.capacity, 0)


class OverflowingLayer(NamedTuple):
    """A layer that cannot work.

    Attributes:
        path: it.
        needed: the bytes in memory while it works.
        over: those for which there is no room.
    """

    path: str
    needed: Rational
    over: Rational


class Fit(NamedTuple):
    """The verdict on a network and the memories of a device.

    Attributes:
        needs: what every memory has to hold, the main memory last.
        breaks: the layers that need more than the room, in order; none of a step of training.
        order: of the layers; None of a step of training.
        best: the peak in the best order, where the network fits in that and not in this.
    """

    needs: tuple[MemoryNeed, ...]
    breaks: tuple[OverflowingLayer, ...]
    order: Order | None
    best: Rational | None = None

    @property
    def fits(self) -> bool:
        """Return True where every memory is large enough."""
        return not any(need.over for need in self.needs)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the verdict is made of."""
        return tuple(metric for need in self.needs for metric in need.memory.metrics)

    @property
    def room(self) -> Rational:
        """The bytes for activations; negative where what lies beside them is too much alone."""
        return _room(self.needs[-1])


def _room(need: MemoryNeed) -> Rational:
    *beside, _ = need.memory.metrics
    return need.memory.capacity - sum(need.sizes[metric] for metric in beside)


def memories(analysis: Analysis, order: Order = "given") -> tuple[DeviceMemory, ...]:
    """Return the memories that have to hold a network, flash before the main memory.

    Raises:
        SpecError: there is no device, or it has no memory that can be written.
    """
    profile = analysis.context.device.profile
    main = main_memory(profile)
    if analysis.scenario.training is not None:
        return (_memory(profile, main, *TRAINED),)
    peak = ALIVE[order]
    written = ("kv_cache", peak) if keeps_cache(analysis) else (peak,)
    flash = [level for level in profile.fields.memory.values() if not level.writable]
    if not flash:
        return (_memory(profile, main, "model_size", *written),)
    return _memory(profile, flash[-1], "model_size"), _memory(profile, main, *written)


def keeps_cache(analysis: Analysis) -> bool:
    """Return whether keys and values are cached: tokens came before, or a layer has some."""
    says = (getattr(layer.node.layer, "kv_length", None) for layer in analysis.layers)
    return analysis.scenario.past is not None or any(length is not None for length in says)


def _can_cache(analysis: Analysis) -> bool:
    """Return whether a layer keeps keys and values where tokens came before."""
    return any(layer.cost.extends for layer in analysis.layers)


def find_order(name: str, scenario: Scenario) -> Order:
    """Return the order of the layers of a name.

    Raises:
        SpecError: there is none, or the network is trained, which keeps to the given one.
    """
    orders: dict[str, Order] = {"given": "given", "best": "best"}
    order = find_named("order", name, orders)
    if order != "given" and scenario.training is not None:
        cause = "training keeps what its backward pass needs, whatever the order of the layers"
        raise SpecError(cause, hint="leave --order out, or --optimizer")
    return order


def _memory(profile: Profile, level: MemoryLevel, *metrics: str) -> DeviceMemory:
    name = next(name for name, other in profile.fields.memory.items() if other is level)
    return DeviceMemory(name, level.capacity.value, metrics)


def fit(analysis: Analysis, evaluate: Evaluator | None = None, order: Order = "given") -> Fit:
    """Return the verdict for the device of a network's scenario, in training where that says so.

    Args:
        analysis: the network.
        evaluate: gives the numbers; else the symbols have their own values.
        order: of the layers.

    Raises:
        SpecError: there is no device, or it has no memory that can be written.
    """
    number = evaluate or analysis.evaluator
    needs = tuple(_need(analysis, memory, number) for memory in memories(analysis, order))
    if analysis.scenario.training is not None:
        return Fit(needs, (), None)
    alive = {
        path: number(size) for path, size in memory_peak.memory(analysis.context, order).items()
    }
    room = _room(needs[-1])
    breaks = (
        OverflowingLayer(path, size, size - room) for path, size in alive.items() if size > room
    )
    found = Fit(needs, tuple(breaks), order)
    return found if evaluate or order == "best" else found._replace(best=_better(analysis, found))


def _need(analysis: Analysis, memory: DeviceMemory, number: Evaluator) -> MemoryNeed:
    sizes = {metric: _size(analysis, metric, number) for metric in memory.metrics}
    stored = sizes.get("model_size", 0) > memory.capacity
    passes = full_at(analysis, memory.capacity, number) if stored else None
    return MemoryNeed(memory, sizes, passes)


def _size(analysis: Analysis, name: str, number: Evaluator) -> Rational:
    """Return a metric of the whole network."""
    metric = METRICS[name]
    parts = list(map(number, analysis.parts(metric)))
    if metric.combine == "max":
        return max(parts)
    return sum(parts) + number(analysis.beside_layers(metric))


def _better(analysis: Analysis, given: Fit) -> Rational | None:
    """Return the peak in the best order, where it alone decides and there is room for it."""
    *others, main = given.needs
    if not main.over or given.room < 0 or any(need.over for need in others):
        return None
    peak = _size(analysis, "memory_peak_best", analysis.evaluator)
    return peak if peak <= given.room else None


NEEDS = (
    doc.Column("memory", "memory"),
    doc.Column("holds", "holds"),
    doc.Column("needed", "needed (bytes)", doc.COUNT),
    doc.Column("capacity", "capacity (bytes)", doc.COUNT, keep=-1),
    doc.Column("used", "used", doc.SHARE),
    doc.Column("verdict", "", keep=1),
)

BREAKS = (
    doc.Column("path", "breaks at"),
    doc.Column("needed", "in memory (bytes)", doc.COUNT),
    doc.Column("over", "over (bytes)", doc.COUNT),
)

MAX_BREAKS = 10
"""The most layers that are listed; JSON has all."""

BESIDE = ("kv_cache", "gradients", "optimizer_state", "activations_kept")
"""The metrics that get a line of their own; weights and the peak have theirs in every report."""

ORDERS = {
    "given": "the layers work in the given order",
    "best": "the layers work in the best order at the values of the symbols",
}

NOT_COUNTED = "the program, its stack and the buffers of a runtime, which take their part as well"


NO_CACHE = (
    "the cache of the tokens before, where text is generated: --past 4096 counts that of so many, "
    "archcost inference that of a prompt and its answer"
)


@question(name="fit", group="Ask", without=("energy", "efficiency"))
def ask(analysis: Analysis, /, *, for_: str | None = None, order: str = "given") -> doc.Document:
    """Show whether a network fits a device, and where not; exit status 1 if not.

    What lies there are weights and activations, the cache with ``--past``, and with
    ``--optimizer`` all that a step of training keeps.

    Args:
        analysis: the network.
        for_: Find the largest value of a symbol that fits.
        order: of the layers.

    Examples:
        archcost fit mcunet --hardware stm32f746 --dtype int8
        archcost fit mobilenet_v2 --hardware stm32h743 --dtype int8 --for h

    Raises:
        SpecError: no device is given, there is no such order, or nothing is to be found.
    """
    layers = find_order(order, analysis.scenario)
    analysis.scenario.device_for("what fits")
    return _largest(analysis, for_, layers) if for_ is not None else _verdict(analysis, layers)


def _verdict(analysis: Analysis, order: Order) -> doc.Document:
    """Return the document of a verdict: every memory, then the layers that break."""
    found, profile = fit(analysis, order=order), analysis.context.device.profile
    report = Report(analysis, found.metrics)

    def blocks() -> Iterator[doc.Block]:
        training = "" if found.order else " in training"
        yield doc.Line(f"{'fits' if found.fits else 'does not fit'} {profile.key}{training}")
        yield from _tables(found)
        yield doc.entries((*_notes(found, analysis), *notes(report)))

    def data() -> dict[str, Any]:
        return {**head(report), "hardware": profile.key, **_data(found)}

    return document_of(analysis, blocks, data, holds=found.fits)


def _largest(analysis: Analysis, name: str, order: Order) -> doc.Document:
    """Return the document of the largest value of a symbol at which a network fits."""
    constraints = [memory.constraint for memory in memories(analysis, order)]
    problem, answer = solve.solve(analysis, name, constraints, end="largest")
    there, profile = None, analysis.context.device.profile
    if answer.at is not None:
        there = fit(analysis, analysis.evaluator_at({name: answer.at.value}), order)

    def blocks() -> Iterator[doc.Block]:
        yield doc.entries(solve.summary(problem, answer))
        if there is not None:
            yield from _tables(there)
        found = () if there is None else _notes(there, analysis)
        yield doc.entries((*found, *solve.standing(problem)))

    def data() -> dict[str, Any]:
        memories = None if there is None else _data(there)
        found = solve.data(problem, answer)
        return {**found, "hardware": profile.key, "there": memories}

    title = f"{analysis.graph.title}: the largest {name} that fits {profile.key}"
    holds = answer.verdict is not Verdict.INFEASIBLE
    return marked(doc.Document(title, blocks, data, holds=holds), [analysis])


def _tables(fit: Fit) -> Iterator[doc.Block]:
    """Return the memories, then the layers that break, the worst first."""
    yield doc.table_of(NEEDS, map(_cells, fit.needs))
    if fit.breaks and fit.room >= 0:
        worst = sorted(fit.breaks, key=lambda each: -each.over)
        shown = ((doc.Code(path), needed, over) for path, needed, over in worst[:MAX_BREAKS])
        yield doc.table_of(BREAKS, shown)
        more = len(fit.breaks) - MAX_BREAKS
        if more > 0:
            yield doc.Line(f"… and {more:,} more; --format json lists all", "dim")


def _cells(need: MemoryNeed) -> tuple[doc.Cell, ...]:
    memory = need.memory
    share = Fraction(need.needed) / Fraction(memory.capacity)
    verdict = f"{count_of(need.over, 'byte')} over" if need.over else "fits"
    return doc.Code(memory.name), memory.holds, need.needed, memory.capacity, share, verdict


def _notes(fit: Fit, analysis: Analysis) -> Iterator[doc.Note]:
    """Return what is to be said of the verdict, of the memories and of the device."""
    profile = analysis.context.device.profile
    yield from _order(fit)
    for need in fit.needs:
        yield from _of_memory(need, fit, profile)
    for metric in fit.metrics:
        if metric in BESIDE:
            yield CONTENTS[metric], show_bytes(fit.needs[-1].sizes[metric])
    yield "not counted", NOT_COUNTED
    if fit.order is not None and not keeps_cache(analysis) and _can_cache(analysis):
        yield "not counted", NO_CACHE
    if profile.fields.doc:
        yield "of the device", profile.fields.doc


def _order(fit: Fit) -> Iterator[doc.Note]:
    """Return the order of the layers, and whether another would do."""
    if fit.order is not None:
        yield "order", ORDERS[fit.order]
    if fit.best is not None:
        yield "hint", f"in another order it fits, with {show_bytes(fit.best)}: --order best"


def _of_memory(need: MemoryNeed, fit: Fit, profile: Profile) -> Iterator[doc.Note]:
    """Return where a memory is full, what it lacks, and how large it is."""
    memory = need.memory
    if need.passes:
        yield f"{memory.name} is full", f"at the weights of {need.passes}"
    if fit.room < 0 and need is fit.needs[-1]:
        beside, works = (
            in_words(memory.metrics[:-1]),
            "layer works" if fit.order else "step is made",
        )
        lacking = f"{count_of(-fit.room, 'byte')} for the {beside} alone: no {works}"
        yield f"{memory.name} lacks", lacking
    source = profile.fields.memory[memory.name].capacity.source
    yield memory.name, f"{show_bytes(memory.capacity)}: {source}"


def _data(fit: Fit) -> dict[str, Any]:
    return {
        "fits": fit.fits,
        "order": fit.order,
        "fits_in_best_order": doc.plain_number(fit.best),
        "memories": list(map(_need_data, fit.needs)),
        "room": doc.plain_number(fit.room),
        "breaks": doc.plain(fit.breaks),
    }


def _need_data(need: MemoryNeed) -> dict[str, Any]:
    return {
        "name": need.memory.name,
        "holds": doc.plain(need.sizes),
        "needed": doc.plain_number(need.needed),
        "capacity": doc.plain_number(need.memory.capacity),
        "over": doc.plain_number(need.over),
        "full_at": doc.plain(need.passes),
    }

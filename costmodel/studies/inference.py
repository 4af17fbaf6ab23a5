"""Transformers at inference: prefill and decode as two uses of one spec.

Prefill takes the whole prompt and fills the cache of keys and values; every step of decode takes
one token per sequence and meets all that came before. Times are lower bounds: all products at the
device's peak, all bytes at its full bandwidth, the longer of the two.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from sympy import Expr, Mul, Symbol

from archspec import Architecture, SpecError, build_graph, load
from archspec.architecture import Source
from archspec.arithmetic import Rational, tidy
from archspec.scope import free_names
from archspec.trees import Name
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.functions import Maximum, Minimum, exact
from costmodel.algebra.sign_chart import sign_chart
from costmodel.algebra.sums import Iterations, OpenFormError, closed_sum, summed
from costmodel.algebra.symbols import symbol
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.domains import domain_of
from costmodel.analysis.loading import Setup, analyze_architecture, no_token_before
from costmodel.metrics.data_movement import data_movement, weights_read
from costmodel.metrics.latency import count_compute_time, memory_time, weights_time
from costmodel.metrics.macs import count_least_macs, count_macs
from costmodel.metrics.registry import Metric, PerLayer, Unit
from costmodel.network.assumptions import read_assumptions
from costmodel.network.context import Context
from costmodel.network.decoding import keeps_past, require_decodable, resting, token_axes
from costmodel.network.propagation import (
    GroupCost,
    LayerCost,
    Part,
    counted_in,
    on_the_way,
    propagate,
)
from costmodel.scenario.devices import main_memory
from costmodel.scenario.scenario import NOWHERE, PAST, Device, Scenario
from costmodel.scenario.settings import Number

STEPS = "generate"
"""The symbol of the number of steps, in laws."""

SAY = "--prompt and --generate say how many tokens there are"
"""The hint where a network takes fewer of them."""


class Plan(NamedTuple):
    """The sizes of an inference: prompt, steps of decode, and batch.

    Attributes:
        prompt: tokens of a sequence that are there at first.
        generate: steps of decode after that; each takes a token and gives the next.
        batch: sequences that run together.
    """

    prompt: int = 512
    generate: int = 128
    batch: int = 1

    @property
    def last(self) -> int:
        """The tokens before the one that the last step takes."""
        return self.prompt + self.generate - 1


class Axes(NamedTuple):
    """The symbols of the input ``[n, t]``.

    Attributes:
        batch: of the sequences.
        tokens: of the tokens of each.
        input: the input that they are the axes of.
    """

    batch: str
    tokens: str
    input: str


Work = Mapping[str, Expr]
"""The least work of one run, all layers together, by name.

``macs`` are those by the convention, ``macs_least`` those that any implementation makes. Weights,
cached keys and values, and activations are bytes that are read or written; ``cache`` is what the
cache takes after the run. On a device ``compute`` and ``memory`` are the seconds of its products
at the peak, and of its bytes at the bandwidth. Where there are experts, ``weights_most`` and
``memory_most`` are those if tokens choose as many as there are, the others if all choose the same.
Numbers of a run have ``weights_expected`` between the two (see `expected_experts`).
"""

MOVED = ("weights", "cache_reads", "cache_writes", "activations")
"""The parts of what is moved (see `DataMovement`)."""


def work_of(analysis: Analysis) -> Work:
    """Return the laws of one run of a network."""
    parts, is_on_device = analysis.propagation.parts, analysis.scenario.device is not None
    counts = {"macs": count_macs, "macs_least": count_least_macs}
    counts |= {part: _moved(part) for part in MOVED}
    work = {name: _total(analysis, parts, count) for name, count in counts.items()}
    work["cache"] = _kept(analysis)
    if is_on_device:
        work["compute"] = _total(analysis, parts, count_compute_time)
        work["memory"] = _total(analysis, parts, memory_time)
    if has_experts(analysis):
        spread = tuple(map(_spread, parts))
        work["weights_most"] = _total(analysis, spread, weights_read)
        if is_on_device:
            more = _total(analysis, spread, weights_time) - _total(analysis, parts, weights_time)
            work["memory_most"] = work["memory"] + more
    return work


def _moved(part: str) -> PerLayer:
    """Return the count of a part of the bytes that a layer moves."""

    def count(layer: LayerCost, context: Context) -> Expr:
        moved: Expr = getattr(data_movement(layer, context), part)
        return moved

    return count


def latency_of(work: Work) -> Expr | None:
    """Return ``max(T_c, T_m)``: seconds that a run takes at least; None without a device.

    Source: MIT 6.5940, lecture 2.
    """
    return Maximum(work["compute"], work["memory"]) if "compute" in work else None


def _total(analysis: Analysis, parts: Iterable[Part], count: PerLayer) -> Expr:
    found = Metric("", "", Unit(""), count).of(tuple(counted_in(parts)), analysis.context)
    return analysis.assumed.shown(found)


def _spread(part: Part) -> Part:
    """A part in which n tokens read ``min(experts, n·top_k)`` experts, the most that they can."""
    if not isinstance(part, GroupCost):
        return part
    runs = part.runs
    if is_choice(part):
        runs = Minimum(part.copies, part.runs * Mul(*part.output[:-1]))
    return part._replace(parts=tuple(map(_spread, part.parts)), runs=runs)


def _expecting(part: Part, evaluate: Callable[[Expr], Rational]) -> Part:
    """A part in which tokens read as many experts as are expected where they choose at random."""
    if not isinstance(part, GroupCost):
        return part
    runs = part.runs
    if is_choice(part):
        tokens = evaluate(Mul(*part.output[:-1]))
        runs = exact(expected_experts(evaluate(part.copies), evaluate(part.runs), tokens))
    inside = tuple(_expecting(each, evaluate) for each in part.parts)
    return part._replace(parts=inside, runs=runs)


def expected_experts(experts: Rational, top_k: Rational, tokens: Rational) -> Rational:
    """``E·(1 − (1 − k/E)^n)``, to a billionth: distinct experts that n tokens visit on average.

    Each token visits k of the E experts, all choices alike and independent: one is missed by all
    with the probability ``(1 − k/E)^n``.

    Args:
        experts: how many there are, E.
        top_k: how many a token visits, k.
        tokens: how many tokens there are, n.
    """
    missed = Fraction(0)
    if tokens * top_k < 100 * experts:  # else below e^-100 of all
        missed = (1 - Fraction(top_k) / experts) ** int(tokens)
    return tidy(Fraction(round(experts * (1 - missed) * 10**9), 10**9))


def has_experts(analysis: Analysis) -> bool:
    """Return whether tokens together may read more weights than one of them does."""
    return any(map(is_choice, _groups(analysis.propagation.parts)))


def is_choice(group: GroupCost) -> bool:
    """Return whether a group holds experts, of which each token visits some."""
    return group.flow is not None and group.flow.chosen_by is not None


class Figures(NamedTuple):
    """The numbers of a run, or of all steps of decode together.

    Attributes:
        name: what it is.
        tokens: tokens that enter, of all sequences.
        past: tokens of a sequence that came before; None of several runs.
        work: what it does.
        latency: seconds at least.
    """

    name: str
    tokens: int
    past: int | None
    work: Mapping[str, Rational]
    latency: Rational | None

    @property
    def weights_per_token(self) -> Rational:
        """Bytes of weights that are read for each token, at least where there are experts."""
        return tidy(Fraction(self.work["weights"]) / self.tokens)

    @property
    def weights_per_token_most(self) -> Rational | None:
        """The most that they may be; None without experts."""
        most = self.work.get("weights_most")
        return None if most is None else tidy(Fraction(most) / self.tokens)

    @property
    def rate(self) -> Rational | None:
        """Tokens per second at most."""
        return None if not self.latency else tidy(Fraction(self.tokens) / self.latency)

    @property
    def bound(self) -> str | None:
        """Return ``compute`` or ``memory``, whichever takes longer; None for several runs together.

        ``either`` where it hangs on which experts the tokens choose.
        """
        if self.past is None or "compute" not in self.work:
            return None
        if self.work["compute"] < self.work["memory"]:
            return "memory"
        most = self.work.get("memory_most", self.work["memory"])
        return "compute" if self.work["compute"] >= most else "either"


def figures_of(
    name: str, tokens: int, past: int | None, work: Work, evaluate: Callable[[Expr], Rational]
) -> Figures:
    """Return the numbers of some work."""
    values, latency = {name: evaluate(form) for name, form in work.items()}, latency_of(work)
    return Figures(name, tokens, past, values, None if latency is None else evaluate(latency))


class MemoryUse(NamedTuple):
    """The bytes that must be in memory at once.

    Attributes:
        name: when.
        weights: all weights.
        cache: keys and values.
        activations: the peak of feature maps.
    """

    name: str
    weights: Rational
    cache: Rational
    activations: Rational

    @property
    def total(self) -> Rational:
        """All together."""
        return self.weights + self.cache + self.activations


@dataclass(frozen=True)
class Inference:
    """Prefill and decode of one network.

    Attributes:
        prefill: the network as it takes the prompt, its cache being empty.
        decode: the network as it takes one token; `PAST` is open.
        plan: how many tokens and sequences there are; None where laws alone are asked for.
        axes: the symbols of batch and tokens.
    """

    prefill: Analysis
    decode: Analysis
    plan: Plan | None
    axes: Axes

    @property
    def device(self) -> Device | None:
        """The device, where there is one."""
        return self.decode.scenario.device

    @property
    def required_plan(self) -> Plan:
        """The plan, where numbers are asked for."""
        assert self.plan is not None
        return self.plan

    @property
    def own_symbols(self) -> tuple[str, ...]:
        """The symbols that prefill and decode differ in."""
        return (self.axes.batch, self.axes.tokens, PAST)

    @cached_property
    def works(self) -> tuple[Work, Work]:
        """The closed forms of prefill, and of a step of decode."""
        return work_of(self.prefill), work_of(self.decode)

    @property
    def narrows(self) -> bool:
        """Return whether prefill takes the last token alone behind the last attention."""
        return self.prefill.propagation.narrows

    @property
    def past(self) -> Symbol:
        """The symbol of the tokens that came before."""
        return symbol(PAST)

    @cached_property
    def figures(self) -> tuple[Figures, ...]:
        """Prefill, the first and the last step, and all steps."""
        prompt, generate, batch = self.required_plan
        prefill, step = self.works
        runs = (
            ("prefill", self.prefill, prefill, batch * prompt, 0),
            ("first step", self.decode, step, batch, prompt),
            ("last step", self.decode, step, batch, self.required_plan.last),
        )
        single = (
            figures_of(name, tokens, past, work, of.evaluator_at(self._at(of, past)))
            for name, of, work, tokens, past in runs
        )
        steps = {name: form for name, form in step.items() if name != "cache"}
        together = figures_of("all steps", batch * generate, None, steps, self._over_steps)
        if not self.has_experts:
            return *single, together
        found = [self._expected(of, past) for _, of, _, _, past in runs]
        return tuple(
            run._replace(work={**run.work, "weights_expected": number})
            for run, number in zip((*single, together), (*found, found[-1] * generate), strict=True)
        )

    def _expected(self, of: Analysis, past: int) -> int:
        """Return the bytes of weights that a run reads where every token chooses at random."""
        evaluate = of.evaluator_at(self._at(of, past))
        parts = (_expecting(part, evaluate) for part in of.propagation.parts)
        return round(evaluate(_total(of, tuple(parts), weights_read)))

    def _at(self, analysis: Analysis, past: int) -> dict[str, Rational]:
        """The numbers of a run; it must be one of a valid network."""
        values: dict[str, Rational] = {self.axes.batch: self.required_plan.batch}
        if PAST in analysis.symbols:
            values[PAST] = past
        try:
            analysis.at(**values)
        except SpecError as error:
            valid = " and ".join(map(condition_text, analysis.conditions))
            use = "decode" if analysis is self.decode else "prefill"
            raise on_the_way(
                error, f"{use} is valid when {valid}; {SAY}" if valid else SAY
            ) from None
        return values

    def _over_steps(self, form: Expr) -> Rational:
        """``Σ law`` over all steps of decode."""
        prompt, generate, batch = self.required_plan
        at_batch = self.with_numbers(form, {self.axes.batch: batch})
        try:
            return summed(at_batch, self.past, prompt, generate)
        except OpenFormError as error:
            hint = "ask for fewer tokens with --generate"
            raise SpecError(f"no closed form of the sum of all steps: {error}", hint=hint) from None

    def with_numbers(self, form: Expr, values: Mapping[str, Rational]) -> Expr:
        """A law of decode at some symbols' values, and at what they are tied to by assumptions."""
        return form.xreplace({self.decode.symbols[n]: exact(value) for n, value in values.items()})

    @property
    def cache_per_token(self) -> Rational:
        """Bytes of cache that a further token of a sequence takes."""
        return self.decode.value("kv_cache_per_token")

    @cached_property
    def memories(self) -> tuple[MemoryUse, ...]:
        """The bytes that must be in memory in prefill, and in the last step."""
        return tuple(
            MemoryUse(name, *map(of.evaluator_at(self._at(of, past)), _parts_of_memory(of)))
            for name, of, past in self._moments
        )

    @property
    def _moments(self) -> tuple[tuple[str, Analysis, int], ...]:
        return ("prefill", self.prefill, 0), ("last step", self.decode, self.required_plan.last)

    @property
    def capacity(self) -> Rational | None:
        """Bytes of the device's main memory."""
        device = self.device
        return None if device is None else main_memory(device.profile).capacity.value

    @cached_property
    def largest_batch(self) -> int | None:
        """The most sequences that fit into the device's memory; 0 where not even one does.

        None where that is not decided: where no form proves that more of them take more.
        """
        assert self.capacity is not None
        found = [self._fitting(of, past, self.capacity) for _, of, past in self._moments]
        known = [batch for batch in found if batch is not None]
        return min(known) if len(known) == len(found) else None

    def _fitting(self, of: Analysis, past: int, capacity: Rational) -> int | None:
        """Return the most sequences that fit, 0 where not one does; None where not decided."""
        need: Expr = sum(_parts_of_memory(of), exact(0))
        values = {PAST: past} if PAST in of.symbols else {}
        need = need.xreplace({of.symbols[name]: exact(value) for name, value in values.items()})
        domain, batch = domain_of(of, self.axes.batch), of.symbols[self.axes.batch]
        chart = sign_chart(need - exact(capacity), batch, domain)
        if not chart.is_decided or chart.stretches[-1].sign <= 0:
            return None
        fitting = [each.last for each in chart.stretches if each.sign <= 0]
        return int(fitting[-1] or 0) if fitting else 0

    @property
    def has_experts(self) -> bool:
        """Return whether tokens of a batch may read more weights than one of them does."""
        return has_experts(self.decode)

    def sum_of_steps(self, form: Expr) -> Expr | None:
        """``Σ law`` over `STEPS` steps after a prompt of t tokens; None without a closed form."""
        index = Symbol("step", integer=True, nonnegative=True)
        tokens, steps = self.prefill.symbols[self.axes.tokens], symbol(STEPS)
        moved = form.xreplace({self.past: tokens + index})
        try:
            return closed_sum(moved, Iterations(index, steps))
        except OpenFormError:
            return None


def _parts_of_memory(analysis: Analysis) -> tuple[Expr, Expr, Expr]:
    """Weights, cache, and the peak of activations."""
    return analysis.total("model_size"), _kept(analysis), analysis.total("memory_peak")


def _kept(analysis: Analysis) -> Expr:
    """Return the bytes that are kept for the next step: of every token, and of fixed size."""
    return analysis.total("kv_cache") + analysis.total("state")


def _groups(parts: Iterable[Part]) -> Iterator[GroupCost]:
    """Every group, those inside of each included."""
    for part in parts:
        if isinstance(part, GroupCost):
            yield part
            yield from _groups(part.parts)


def infer(
    spec: Source,
    plan: Plan | None = Plan(),  # noqa: B008 - a frozen value
    *,
    convention: str | None = None,
    settings: Mapping[str, Number] | None = None,
    assume: tuple[str, ...] = (),
    scenario: Scenario = NOWHERE,
) -> Inference:
    """Prefill and decode of a spec.

    Args:
        spec: path of a YAML spec.
        plan: how many tokens and sequences there are; None for laws in open symbols.
        convention: what counts.
        settings: symbols fixed to numbers.
        assume: what holds of the others.
        scenario: types of numbers and the device.

    Raises:
        SpecError: the network generates no tokens, or breaks a rule where it does.
    """
    architecture = load(spec)
    setup = Setup(convention, settings or {}, assume, scenario).agreed(architecture)
    axes = _axes(architecture)
    for cause, hint in _excluded(architecture, plan, axes, setup):
        raise SpecError(cause, hint=hint)
    _require_one_token(architecture, axes.tokens)
    numbers = _numbers(architecture, axes, assume) if plan else {}
    numbers |= setup.numbers

    def use(past: Rational | str, **tokens: Rational) -> Analysis:
        return _used(architecture, setup.at({**numbers, **tokens}), past)

    _require_decodable(architecture, axes, setup.at(numbers))
    try:
        prefill = use(0, **({axes.tokens: plan.prompt} if plan else {}))
    except SpecError as error:
        raise on_the_way(error, SAY if plan else "") from None
    return Inference(prefill, use(PAST, **{axes.tokens: 1}), plan, axes)


def _used(architecture: Architecture, setup: Setup, past: Rational | str) -> Analysis:
    """The network at work; of a prompt the last token alone goes on behind what mixes tokens last.

    Where that does not hold, as what counts tokens from the first needs all of them, all go on.
    """
    scenario = setup.scenario._replace(past=past)
    if past != PAST:
        with suppress(SpecError):
            last = scenario._replace(last_only=True)
            return analyze_architecture(architecture, setup._replace(scenario=last))
    return analyze_architecture(architecture, setup._replace(scenario=scenario))


def _excluded(
    architecture: Architecture, plan: Plan | None, axes: Axes, setup: Setup
) -> Iterator[tuple[str, str | None]]:
    """Yield why something that is said excludes the rest, and a hint for each."""
    header, given = architecture.header, setup.numbers
    if setup.scenario.past is not None:
        yield "past is what prefill and decode differ in", "leave --past out"
    if setup.scenario.training is not None:
        hint = "leave --optimizer out; archcost training shows what a step of training takes"
        yield "nothing is trained at inference", hint
    for name, number in plan._asdict().items() if plan else ():
        if number < 1:
            yield f"{name} = {number} is too few; it is at least 1", None
    for name, option in zip(axes, ("--batch", "--prompt"), strict=False):
        if name in given:
            hint = f"say {option} {given[name]}"
            yield f"'{name}' is not set here: prefill and decode use it", hint
    for name, other in read_assumptions(setup.assume, header.symbols, {}).derived.items():
        axis = axes.tokens if axes.tokens in free_names(other) else None
        if axis := name if name in axes[:2] else axis:
            cause = f"an assumption says what '{name}' equals, but prefill and decode set '{axis}'"
            yield cause, "leave it out; --batch and --prompt say what they are"
    if plan is None and STEPS in header.symbols:
        cause = f"the spec says itself what '{STEPS}' is, which is the number of steps here"
        yield cause, "call it by another name"


def _require_one_token(architecture: Architecture, tokens: str) -> None:
    """Make sure that the spec lets one token enter."""
    rule = architecture.header.symbols[tokens].broken_rule(1)
    if rule is not None:
        cause = f"every step of decode takes one token at a time, but by the spec '{tokens}' {rule}"
        hint = f"let {tokens} be 1: leave out its min or multiple_of under symbols"
        origin = architecture.document.origin(("symbols", tokens))
        raise SpecError(cause, hint=hint, origin=origin, entry="symbols")


def _require_decodable(architecture: Architecture, axes: Axes, setup: Setup) -> None:
    """Make sure that every layer keeps the tokens apart, or what it needs of those before.

    See `decoding`. The tokens are a symbol here, so that all that hangs on their number is seen.
    """
    fixed = {name: value for name, value in setup.numbers.items() if name != axes.tokens}
    assumed = read_assumptions(setup.assume, architecture.header.symbols, fixed)
    graph = build_graph(architecture, fixed, assumed.derived)
    declared = architecture.header.symbols[axes.tokens]
    propagation = propagate(graph, assumed, 1, resting=resting(propagate(graph, assumed)))
    require_decodable(propagation, {axes.input: 1}, symbol(axes.tokens, declared.domain))


def _numbers(
    architecture: Architecture, axes: Axes, assume: tuple[str, ...]
) -> dict[str, Rational]:
    """The defaults of all symbols but the batch, and but those that equal another."""
    header = architecture.header
    equal = read_assumptions(assume, header.symbols, {}).derived
    open_ones = (axes.batch, *equal)
    return {name: value for name, value in header.defaults.items() if name not in open_ones}


def _axes(architecture: Architecture) -> Axes:
    """The symbols of batch and tokens: the first two axes of the input that grows."""
    header = architecture.header
    origin = architecture.document.origin(("input",))
    propagation = propagate(build_graph(architecture, header.defaults), past=0)
    if not keeps_past(propagation):
        raise no_token_before()
    name = next(iter(header.input))
    if len(header.input) > 1:
        (name, axis), *others = token_axes(propagation).items()
        if others or axis != 1:
            names = " and ".join(header.input)
            cause = f"{len(header.input)} inputs, {names}: which of them grows is not said"
            hint = "archcost SPEC --past … --metric kv_cache shows one run of such a network"
            raise SpecError(cause, hint=hint, origin=origin, entry="input")
    named = [size.tree.id for size in header.input[name][:2] if isinstance(size.tree, Name)]
    symbols = [name for name in named if name in header.symbols]
    if len(set(symbols)) < 2:
        hint = "as in symbols: {n: 1, t: 128} and input: [n, t]"
        cause = "the first two axes are batch and tokens, and must be two symbols here"
        raise SpecError(cause, hint=hint, origin=origin, entry="input")
    return Axes(symbols[0], symbols[1], name)

"""Every count of every layer as the slides show it: the rule, the numbers put in, the value."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sympy import S

from archspec.arithmetic import Rational
from archspec.errors import SpecError, did_you_mean
from archspec.precision import TYPES
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.standing import marked
from costmodel.metrics.data_movement import DataMovement, data_movement
from costmodel.metrics.latency import computation_time, larger, memory_time
from costmodel.metrics.macs import count_macs
from costmodel.metrics.params import count_model_size
from costmodel.metrics.registry import METRICS
from costmodel.network.context import Context
from costmodel.network.propagation import Counted, LayerCost
from costmodel.rules.cost import Parameter
from costmodel.rules.formula import ExplanationStep, show_number, show_quantity
from costmodel.rules.nests import BATCH, Body, product_formula, repeated
from costmodel.scenario.devices import bandwidth, no_bandwidth, operations_per_second
from costmodel.scenario.scenario import NOWHERE
from costmodel.studies import question
from costmodel.studies.report import Report
from costmodel.studies.report_document import head


class Explanation(NamedTuple):
    """The steps of one layer, or of the whole network.

    Attributes:
        name: the layer's path, or the network's name.
        shapes: the shapes that enter and leave, as numbers.
        steps: the derivations of sizes and counts.
    """

    name: str
    shapes: str
    steps: tuple[ExplanationStep, ...]


def explain(analysis: Analysis, name: str | None = None) -> tuple[Explanation, ...]:
    """Return the explanations of all layers and the totals, of one layer, or of a kind's.

    Raises:
        SpecError: there is no such layer.
    """
    chosen = [counted for counted in analysis.counted if _is_meant(counted.layer, name)]
    if not chosen:
        paths = [layer.node.path for layer in analysis.layers]
        raise SpecError(f"there is no layer '{name}'", hint=did_you_mean(str(name), paths))
    layers = tuple(_Explainer(analysis, counted).explanation() for counted in chosen)
    return layers if name else (*layers, _totals(analysis))


def _is_meant(layer: LayerCost, name: str | None) -> bool:
    """Return whether a name is a layer's path, name or kind, or a group that it is in."""
    path = layer.node.path
    shown = re.sub(r"/turn_\d+(_on)?(?=/)", "", path)  # as errors call it, whichever the turn
    within = name is not None and any(p.startswith(f"{name}/") for p in (path, shown))
    return within or name in (None, path, shown, layer.node.name, layer.node.kind)


def _totals(analysis: Analysis) -> Explanation:
    """Return the sums of the layers' counts, and the layer that is the peak."""
    evaluate = analysis.evaluator
    steps = []
    for metric in (METRICS[name] for name in ("params", "macs", "activations")):
        parts = [
            analysis.beside_layers(metric),
            *metric.parts(analysis.counted, analysis.context),
        ]
        terms = [show_number(value) for value in map(evaluate, parts) if value]
        total = show_number(analysis.value(metric.name))
        steps.append(ExplanationStep(metric.title, "", " + ".join(terms), total))
    return Explanation(analysis.graph.title, "in total", (*steps, _peak(analysis)))


def _peak(analysis: Analysis) -> ExplanationStep:
    layer, step = analysis.peak
    parts = map(analysis.evaluator, (step.reads, step.writes))
    rule = f"input + output of {layer.node.path}"
    total = show_number(analysis.value("activations_peak"))
    return ExplanationStep(
        METRICS["activations_peak"].title, rule, " + ".join(map(show_number, parts)), total
    )


PARTS = {
    "weights": "weights",
    "reads": "input",
    "writes": "output",
    "cache_reads": "cache read",
    "cache_writes": "cache written",
}
"""Part of the bytes a layer moves → its name for a reader."""


class _Explainer:
    def __init__(self, analysis: Analysis, counted: Counted) -> None:
        self.analysis = analysis
        self.layer = counted.layer
        self.often = counted.often
        self.evaluate = analysis.evaluator

    def explanation(self) -> Explanation:
        """Return the steps of the layer, those of its shape first."""
        inputs = " + ".join(self._shape(shape) for shape in self.layer.inputs)
        outputs = " + ".join(self._shape(shape) for shape in self.layer.outputs)
        shapes = f"{inputs} → {outputs}"
        steps = [*self._sizes(), *self._params(), *self._macs(), *self._activations()]
        if self.analysis.scenario != NOWHERE:
            steps += self._movement()
        return Explanation(f"{self.layer.node.path}{self._which()}", shapes, tuple(steps))

    def _which(self) -> str:
        """Return which of several runs is explained: any, or the last where they differ."""
        count = self.evaluate(self.often.works)
        which = "the last" if self.often.repeats else "one"
        return "" if count == 1 else f" ({which} of {show_number(count)} runs)"

    def _shape(self, shape: Iterable[object]) -> str:
        return "×".join(str(self.evaluate(size)) for size in shape)

    def _sizes(self) -> Iterator[ExplanationStep]:
        """Yield the sizes that a formula gives."""
        loops = [loop for nest in self.layer.cost.nests for loop in nest.loops]
        derived = [loop.derivation for loop in loops if loop.derivation]
        for formula in (*derived, *self.layer.cost.sizes):
            numbers = formula.numbers(self.evaluate)
            value = show_number(self.evaluate(formula.value))
            yield ExplanationStep(formula.name, formula.rule, numbers, value)

    def _params(self) -> Iterator[ExplanationStep]:
        counted = [
            parameter
            for parameter in self.layer.cost.parameters
            if parameter.role in self.analysis.convention.roles
        ]
        for parameter in counted:
            rule, numbers = self._of_parameter(parameter)
            name = "#params" if len(counted) == 1 else f"#params ({parameter.name})"
            yield ExplanationStep(name, rule, numbers, show_number(self.evaluate(parameter.total)))

    def _of_parameter(self, parameter: Parameter) -> tuple[str, str]:
        for nest in self.layer.cost.nests:
            for operand in nest.operands:
                if operand.learnable and operand.name == parameter.name:
                    names = (name for name in operand.loops if name != BATCH)
                    loops = [loop for name in names for loop in nest.over([name])]
                    return product_formula(repeated(nest.copies, loops), self.evaluate)
        rule, numbers = parameter.rule, show_number(self.evaluate(parameter.size))
        if parameter.shape:
            numbers = self._shape(parameter.shape).replace("×", " × ")
        if parameter.copies is S.One:
            return rule, numbers
        return f"layers·{rule}", f"{self.evaluate(parameter.copies)} × {numbers}"

    def _macs(self) -> Iterator[ExplanationStep]:
        for nest in self.layer.cost.nests:
            if nest.body is Body.MULTIPLY_ACCUMULATE:
                rule, numbers = product_formula(nest.factors, self.evaluate)
                name = f"MACs ({nest.name})" if nest.name else "MACs"
                yield ExplanationStep(name, rule, numbers, show_number(self.evaluate(nest.macs)))
        biased = [nest for nest in self.layer.cost.nests if nest.biased]
        if biased and self.analysis.convention.counts_bias:
            value = self.evaluate(self.layer.cost.biased)
            terms = (show_number(self.evaluate(nest.copies * nest.writes)) for nest in biased)
            rule = "one per output element"
            yield ExplanationStep("MACs (bias)", rule, " + ".join(terms), show_number(value))

    def _activations(self) -> Iterator[ExplanationStep]:
        size = self.evaluate(self.analysis.of_layer("activations", self.layer))
        if not size:
            how = self.layer.cost.output.value
            yield ExplanationStep("#activations", f"no new feature map ({how})", "", "0")
            return
        if self.layer.cost.inner:
            yield self._inner_activations(show_number(size))
            return
        shape = self._shape(self.layer.output).replace("×", " × ")
        yield ExplanationStep("#activations", "elements of the output", shape, show_number(size))

    def _inner_activations(self, total: str) -> ExplanationStep:
        """Return the step that adds the feature maps inside the layer to its output."""
        counted = self.analysis.convention.feature_maps
        inside = (inner for inner in self.layer.cost.inner if inner.output in counted)
        maps = [(inner.name, inner.size) for inner in inside]
        maps.append(("output", self.layer.output_elements))
        sizes = [(name, self.evaluate(size)) for name, size in maps]
        rule = " + ".join(name for name, size in sizes if size)
        return ExplanationStep(
            "#activations", rule, " + ".join(show_number(s) for _, s in sizes if s), total
        )

    def _movement(self) -> Iterator[ExplanationStep]:
        """Yield the bytes that it stores and moves; on a device, the least time that this takes."""
        yield from self._stored()
        moved = data_movement(self.layer, self.analysis.context)
        sizes = ((PARTS[name], self.evaluate(size)) for name, size in moved._asdict().items())
        there = {name: show_number(size) for name, size in sizes if size}
        if there:
            rule, numbers = " + ".join(there), " + ".join(there.values())
            total = show_number(self.evaluate(moved.total))
            yield ExplanationStep("bytes moved", rule, numbers, f"{total} bytes")
        if self.analysis.scenario.device is not None:
            yield from self._times(moved)

    def _stored(self) -> Iterator[ExplanationStep]:
        context, evaluate = self.analysis.context, self.evaluate
        sizes = [(evaluate(p.copies), evaluate(p.size)) for p in context.params_of(self.layer)]
        if any(size for _, size in sizes):
            bits = TYPES[context.types_of(self.layer).weights]
            # every tensor begins at a whole byte
            one = "⌈{}·{}/8⌉" if bits % 8 else "{}·{}/8"
            terms = ((copies, one.format(show_number(size), bits)) for copies, size in sizes)
            numbers = " + ".join(
                term if n == 1 else f"{show_number(n)}·{term}" for n, term in terms
            )
            total = show_number(evaluate(count_model_size(self.layer, context)))
            yield ExplanationStep("model size", "#params·bits/8", numbers, f"{total} bytes")

    def _times(self, moved: DataMovement) -> Iterator[ExplanationStep]:
        layer, context, evaluate = self.layer, self.analysis.context, self.evaluate
        macs = context.least_macs(layer)
        if macs != count_macs(layer, context):
            at_least, number = METRICS["macs_least"].title, show_number(evaluate(macs))
            yield ExplanationStep(at_least, "MACs that the mask leaves", "", number)
        computing = computation_time(2 * macs, layer, context)
        profile = context.device.profile
        is_alone = no_bandwidth(profile) is not None
        moving = S.Zero if is_alone else memory_time(layer, context)
        seconds = {
            name: show_quantity(evaluate(time), "s")
            for name, time in (("computation", computing), ("memory", moving))
        }
        if computing != 0:
            peak = operations_per_second(profile, context.types_of(layer).operations)
            numbers = f"2 × {show_number(evaluate(macs))}/({_rate(peak, 'op/s', context)})"
            yield ExplanationStep("T computation", "2·MACs/peak", numbers, seconds["computation"])
        if moving != 0:
            rate = _rate(bandwidth(profile), "B/s", context)
            numbers = f"{show_number(evaluate(moved.total))}/({rate})"
            yield ExplanationStep("T memory", "bytes/bandwidth", numbers, seconds["memory"])
        if computing != 0 and is_alone:
            alone = seconds["computation"]
            yield ExplanationStep("latency ≥", "T computation alone", "", alone)
        if computing != 0 and moving != 0:
            both = f"max({', '.join(seconds.values())})"
            longer = show_quantity(evaluate(larger(computing, moving)), "s")
            yield ExplanationStep("latency ≥", "max(T computation, T memory)", both, longer)


@question(name="explain", group="Look at a network")
def document(analysis: Analysis, layer: str | None = None, /) -> doc.Document:
    """Show how every number comes to be: formula, numbers put in, value.

    Args:
        analysis: the network.
        layer: A layer, or all of a kind.

    Examples:
        archcost explain alexnet conv2d_1
        archcost explain resnet50 linear --hardware a100-80gb

    Raises:
        SpecError: there is no such layer.
    """
    explanations = tuple(explain(analysis, layer))

    def blocks() -> Iterator[doc.Block]:
        for each in explanations:
            yield doc.Line(f"{each.name}  {each.shapes}", "bold")
            steps = (  # each part of a chain once
                (step.name, dict.fromkeys(filter(None, (step.rule, step.numbers, step.value))))
                for step in each.steps
            )
            shown = (doc.LabelledValue(f"  {name}", " = ".join(chain)) for name, chain in steps)
            yield doc.Entries(tuple(shown), are_equations=True)
        yield doc.entries(Report(analysis).standing)

    def data() -> dict[str, Any]:
        explained = [
            {
                "name": each.name,
                "shapes": each.shapes,
                "steps": [step._asdict() for step in each.steps],
            }
            for each in explanations
        ]
        return {**head(Report(analysis)), "explanations": explained}

    return marked(doc.Document(analysis.graph.title, blocks, data), [analysis])


def _rate(rate: Rational, unit: str, context: Context) -> str:
    """A peak, with the part of it that is reached."""
    reached = context.device.efficiency
    return show_quantity(rate, unit) + (f" × {reached}" if reached != 1 else "")

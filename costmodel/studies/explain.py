"""Every count of every layer as the slides show it: the rule, the numbers put in, the value."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from sympy import Add, Expr, S
from sympy.core.symbol import Str

from archspec.arithmetic import Rational
from archspec.errors import SpecError, did_you_mean, find_named
from archspec.layers.base import Layer
from archspec.precision import TYPES
from costmodel.algebra.functions import Quantity
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.standing import marked
from costmodel.metrics.data_movement import DataMovement, data_movement
from costmodel.metrics.latency import computation_time, larger, memory_time
from costmodel.metrics.macs import count_macs
from costmodel.metrics.params import count_model_size
from costmodel.metrics.registry import METRICS, Metric, NoCountError
from costmodel.network.context import Context
from costmodel.network.propagation import CountedLayer, LayerCost
from costmodel.rules.cost import Parameter
from costmodel.rules.formula import ExplanationStep, show_number, show_quantity
from costmodel.rules.nests import BATCH, LoopBody, product_formula, repeated
from costmodel.scenario.devices import bandwidth, no_bandwidth, operations_per_second
from costmodel.scenario.scenario import NOWHERE
from costmodel.studies import question
from costmodel.studies.description import describe
from costmodel.studies.report import Report
from costmodel.studies.report_document import definitions, head


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


def explain(
    analysis: Analysis, name: str | None = None, *, symbolic: bool = False
) -> tuple[Explanation, ...]:
    """Return the explanations of all layers, of a group's, both with their totals, or of a kind's.

    Args:
        analysis: the network.
        name: a layer, a group, a kind, or a pattern of these; None for all.
        symbolic: whether values are closed forms, into which no numbers are put.

    Raises:
        SpecError: there is no such layer.
    """
    chosen = [counted for counted in analysis.counted if _is_meant(counted.layer, name)]
    if not chosen:
        paths = [layer.node.path for layer in analysis.layers]
        raise SpecError(f"there is no layer '{name}'", hint=did_you_mean(str(name), paths))
    layers = tuple(_Explainer(analysis, one, symbolic=symbolic).explanation() for one in chosen)
    if name and not all(_is_within(counted.layer, name) for counted in chosen):
        return layers
    return (*layers, _Totals(analysis, chosen, symbolic=symbolic).explanation(name))


def _is_meant(layer: LayerCost, name: str | None) -> bool:
    """Return whether a name or pattern is a layer's path, name or kind, or a group it is in."""
    known = (*_paths(layer), layer.node.name, layer.node.kind)
    if name is None or name in known or _is_within(layer, name):
        return True
    return any(fnmatchcase(each, name) for each in known)


def _is_within(layer: LayerCost, name: str) -> bool:
    """Return whether a layer is in a group."""
    return any(path.startswith(f"{name}/") for path in _paths(layer))


def _paths(layer: LayerCost) -> tuple[str, str]:
    """Return a layer's path, and that by which errors call it, whichever the iteration."""
    path = layer.node.path
    return path, re.sub(r"/turn_\d+(_on)?(?=/)", "", path)


class _ValueWriter:
    """The values of an explanation: numbers, or closed forms.

    Attributes:
        analysis: the network.
        symbolic: whether they are closed forms.
        evaluate: an expression → its number.
    """

    def __init__(self, analysis: Analysis, *, symbolic: bool) -> None:
        self.analysis = analysis
        self.symbolic = symbolic
        self.evaluate = analysis.evaluator

    def show(self, expression: Expr, unit: str = "") -> str:
        """Return the value of a count, or of a quantity in a unit."""
        if self.symbolic:
            form = self.analysis.decided(expression)
            if unit:
                return f"{text(Quantity(form, Str(unit)))} {unit}"
            read = self.analysis.read(self.analysis.closed_form(form))
            return doc.Equation.of(text(read), doc.ClosedForm(read))
        value = self.evaluate(expression)
        return show_quantity(value, unit) if unit else show_number(value)

    def form(self, shape: Iterable[Expr]) -> str:
        """Return a shape as numbers, or ``[n, 96, (h - 7)//4 + 1]``."""
        sizes = [self.show(size) for size in shape]
        if self.symbolic:
            return doc.Equation.of(f"[{', '.join(sizes)}]", self.shapes([shape]))
        return "×".join(size.replace(",", "") for size in sizes)

    def shapes(self, shapes: Iterable[Iterable[Expr]]) -> doc.Shapes:
        """Return shapes as closed forms."""
        form = self.analysis.closed_form
        return doc.Shapes(tuple(tuple(map(form, shape)) for shape in shapes))

    def cell(self, expression: Expr) -> doc.Cell:
        """Return a count as it stands in a table."""
        if not self.symbolic:
            return self.show(expression)
        form = self.analysis.closed_form(self.analysis.decided(expression))
        return doc.ClosedForm(form, read=self.analysis.read)

    def step(self, name: str, rule: str, numbers: str, value: str) -> ExplanationStep:
        """Return a step, into which numbers are put unless it is of closed forms."""
        return ExplanationStep(name, rule, "" if self.symbolic else numbers, value)


class _Totals(_ValueWriter):
    """The sums of some layers' counts."""

    def __init__(
        self, analysis: Analysis, chosen: Sequence[CountedLayer], *, symbolic: bool
    ) -> None:
        super().__init__(analysis, symbolic=symbolic)
        self.chosen = chosen

    def explanation(self, group: str | None) -> Explanation:
        """Return the sums; without a group those of the network, and the layer of its peak."""
        names = ("params", "macs", "activations")
        steps = [self._sum(METRICS[name], is_whole=group is None) for name in names]
        if group is None:
            steps.append(self._peak())
        return Explanation(group or self.analysis.graph.title, "in total", tuple(steps))

    def _sum(self, metric: Metric, *, is_whole: bool) -> ExplanationStep:
        parts = list(metric.parts(self.chosen, self.analysis.context))
        if is_whole:
            parts.insert(0, self.analysis.beside_layers(metric))
        terms = [self.show(part) for part in parts if self.symbolic or self.evaluate(part)]
        total = self.analysis.total(metric.name) if is_whole else Add(*parts)
        return self.step(metric.title, "", " + ".join(terms), self.show(total))

    def _peak(self) -> ExplanationStep:
        layer, step = self.analysis.peak
        parts = map(self.evaluate, (step.reads, step.writes))
        total = self.show(self.analysis.total("activations_peak"))
        rule = "the largest input + output" if self.symbolic else ""
        rule = rule or f"input + output of {layer.node.path}"
        title = METRICS["activations_peak"].title
        if total == "0":
            return ExplanationStep(title, "no new feature map", "", total)
        return self.step(title, rule, " + ".join(map(show_number, parts)), total)


OF_TABLE = ("params", "macs", "activations")
"""The counts of a slide's table, where none is named."""

PARTS = {
    "weights": "weights",
    "reads": "input",
    "writes": "output",
    "cache_reads": "cache read",
    "cache_writes": "cache written",
}
"""Part of the bytes a layer moves → its name for a reader."""


_FORMULA = re.compile(r"((?:``[^`→]+``)[^`]*?(?:``[^`→]+``[^`]*?)*?)(?:\. Source|\.$|$|: )")
"""The formula that the docstring of an activation function begins with."""


def formula_of(kind: type[Layer]) -> str:
    """Return the function of an element that a kind of layer is, or ''."""
    first = (kind.__doc__ or "").partition("\n")[0]
    found = None if kind.formula or " = " in first else _FORMULA.match(first)
    return kind.formula or (found[1].replace("``", "") if found else "")


STEPS: dict[str, Callable[["_Explainer"], Iterator[ExplanationStep]]] = {
    "params": lambda layer: layer.params(),
    "macs": lambda layer: layer.macs(),
    "activations": lambda layer: layer.activations(),
}
"""The counts that are made of steps."""


class _Explainer(_ValueWriter):
    """The steps of one layer."""

    def __init__(self, analysis: Analysis, counted: CountedLayer, *, symbolic: bool) -> None:
        super().__init__(analysis, symbolic=symbolic)
        self.counted = counted
        self.layer = counted.layer
        self.often = counted.often

    def explanation(self) -> Explanation:
        """Return the steps of the layer, those of its shape first."""
        inputs, outputs = (
            doc.Equation.joined(map(self.form, shapes), " + ")
            for shapes in (self.layer.inputs, self.layer.outputs)
        )
        shapes = doc.Equation.joined((inputs, outputs), " → ")
        steps = [
            *self._function(),
            *self._sizes(),
            *self._field(),
            *self.params(),
            *self.macs(),
            *self.activations(),
        ]
        if self.analysis.scenario != NOWHERE:
            steps += self._movement()
        return Explanation(f"{self.layer.node.path}{self._which()}", shapes, tuple(steps))

    def line(self, metrics: Iterable[str]) -> dict[str, doc.Cell]:
        """Return a line of a table: the layer, its output, and its counts with their numbers."""
        outputs = " + ".join(self.form(shape) for shape in self.layer.outputs)
        cells: dict[str, doc.Cell] = {
            "description": describe(self.layer, self.evaluate),
            "shape": self.shapes(self.layer.outputs) if self.symbolic else outputs,
        }
        for metric in metrics:
            total = self.analysis.of_all_runs(METRICS[metric], self.counted)
            is_none = total == 0
            numbers = [] if is_none else [s.numbers or s.value for s in STEPS[metric](self)]
            runs = self._runs if len(numbers) > 0 and not self.symbolic else ""
            terms = " + ".join(numbers)
            joined = f"{runs}({terms})" if runs and len(numbers) > 1 else f"{runs}{terms}"
            cells[f"{metric}_numbers"] = "" if self.symbolic else joined
            cells[metric] = None if is_none else self.cell(total)
        return cells

    @property
    def _runs(self) -> str:
        """Return how often the layer runs, as a factor; of one run nothing."""
        count = self.evaluate(self.often.works)
        return "" if count == 1 else f"{show_number(count)} × "

    def _which(self) -> str:
        """Return which of several runs is explained: any, or the last where they differ."""
        count = self.evaluate(self.often.works)
        which = "the last" if self.often.repeats else "one"
        return "" if count == 1 else f" ({which} of {show_number(count)} runs)"

    def _shape(self, shape: Iterable[object]) -> str:
        return "×".join(str(self.evaluate(size)) for size in shape)

    def _function(self) -> Iterator[ExplanationStep]:
        """Yield the function of an element, of an activation or a normalisation."""
        if formula := formula_of(type(self.layer.node.layer)):
            yield ExplanationStep("y", formula, "", "")

    def _field(self) -> Iterator[ExplanationStep]:
        """Yield what a window sees of the input, where windows slide."""
        if not self.layer.cost.slides:
            return
        with suppress(NoCountError):
            size, stride = (
                self.analysis.of_all_runs(METRICS[name], self.counted)
                for name in ("receptive_field", "effective_stride")
            )
            rule = "1 + Σ (k − 1)·stride before"
            value = doc.Equation.joined((self.show(size), " (stride ", self.show(stride), ")"))
            yield ExplanationStep("receptive field", rule, "", value)

    def _sizes(self) -> Iterator[ExplanationStep]:
        """Yield the sizes that a formula gives."""
        loops = [loop for nest in self.layer.cost.nests for loop in nest.loops]
        derived = [loop.derivation for loop in loops if loop.derivation]
        for formula in (*derived, *self.layer.cost.sizes):
            numbers = "" if self.symbolic else formula.numbers(self.evaluate)
            yield self.step(formula.name, formula.rule, numbers, self.show(formula.value))

    def params(self) -> Iterator[ExplanationStep]:
        """Yield the steps of its params."""
        counted = [
            parameter
            for parameter in self.layer.cost.parameters
            if parameter.role in self.analysis.convention.roles
        ]
        for parameter in counted:
            rule, numbers = self._of_parameter(parameter)
            name = "#params" if len(counted) == 1 else f"#params ({parameter.name})"
            yield self.step(name, rule, numbers, self.show(parameter.total))

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

    def macs(self) -> Iterator[ExplanationStep]:
        """Yield the steps of its macs."""
        for nest in self.layer.cost.nests:
            if nest.body is LoopBody.MULTIPLY_ACCUMULATE:
                rule, numbers = product_formula(nest.factors, self.evaluate)
                name = f"MACs ({nest.name})" if nest.name else "MACs"
                yield self.step(name, rule, numbers, self.show(nest.macs))
        biased = [nest for nest in self.layer.cost.nests if nest.biased]
        if biased and self.analysis.convention.counts_bias:
            value = self.show(self.layer.cost.biased)
            terms = (show_number(self.evaluate(nest.copies * nest.writes)) for nest in biased)
            rule = "one per output element"
            yield self.step("MACs (bias)", rule, " + ".join(terms), value)

    def activations(self) -> Iterator[ExplanationStep]:
        """Yield the steps of its activations."""
        size = self.analysis.of_layer("activations", self.layer)
        if size == 0:
            how = self.layer.cost.output.value
            yield ExplanationStep("#activations", f"no new feature map ({how})", "", "0")
            return
        if self.layer.cost.inner:
            yield self._inner_activations(self.show(size))
            return
        shape = self._shape(self.layer.output).replace("×", " × ")
        yield self.step("#activations", "elements of the output", shape, self.show(size))

    def _inner_activations(self, total: str) -> ExplanationStep:
        """Return the step that adds the feature maps inside the layer to its output."""
        counted = self.analysis.convention.feature_maps
        inside = (inner for inner in self.layer.cost.inner if inner.output in counted)
        maps = [(inner.name, inner.size) for inner in inside]
        maps.append(("output", self.layer.output_elements))
        sizes = [(name, self.evaluate(size)) for name, size in maps]
        rule = " + ".join(name for name, size in sizes if size)
        numbers = " + ".join(show_number(s) for _, s in sizes if s)
        return self.step("#activations", rule, numbers, total)

    def _movement(self) -> Iterator[ExplanationStep]:
        """Yield the bytes that it stores and moves; on a device, the least time that this takes."""
        yield from self._stored()
        moved = data_movement(self.layer, self.analysis.context)
        sizes = ((PARTS[name], self.evaluate(size)) for name, size in moved._asdict().items())
        there = {name: show_number(size) for name, size in sizes if size}
        if there:
            rule, numbers = " + ".join(there), " + ".join(there.values())
            total = self.show(moved.total)
            yield self.step("bytes moved", rule, numbers, f"{total} bytes")
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
            total = self.show(count_model_size(self.layer, context))
            yield self.step("model size", "#params·bits/8", numbers, f"{total} bytes")

    def _times(self, moved: DataMovement) -> Iterator[ExplanationStep]:
        layer, context, evaluate = self.layer, self.analysis.context, self.evaluate
        macs = context.least_macs(layer)
        if macs != count_macs(layer, context):
            at_least, number = METRICS["macs_least"].title, self.show(macs)
            yield ExplanationStep(at_least, "MACs that the mask leaves", "", number)
        computing = computation_time(2 * macs, layer, context)
        profile = context.device.profile
        is_alone = no_bandwidth(profile) is not None
        moving = S.Zero if is_alone else memory_time(layer, context)
        seconds = {
            name: self.show(time, "s")
            for name, time in (("computation", computing), ("memory", moving))
        }
        if computing != 0:
            peak = operations_per_second(profile, context.types_of(layer).operations)
            numbers = f"2 × {show_number(evaluate(macs))}/({_rate(peak, 'op/s', context)})"
            yield self.step("T computation", "2·MACs/peak", numbers, seconds["computation"])
        if moving != 0:
            rate = _rate(bandwidth(profile), "B/s", context)
            parts = {"weights": moved.weights, "activations": moved.activations}
            parts["cache"] = moved.cache
            bytes_of = {name: evaluate(size) for name, size in parts.items() if evaluate(size)}
            rule = " + ".join(f"{name}/bandwidth" for name in bytes_of)
            numbers = " + ".join(f"{show_number(size)}/({rate})" for size in bytes_of.values())
            yield self.step("T memory", rule, numbers, seconds["memory"])
        if computing != 0 and is_alone:
            alone = seconds["computation"]
            yield ExplanationStep("latency ≥", "T computation alone", "", alone)
        if computing != 0 and moving != 0:
            both = f"max({', '.join(seconds.values())})"
            longer = self.show(larger(computing, moving), "s")
            yield self.step("latency ≥", "max(T computation, T memory)", both, longer)


@question(name="explain", group="Look at a network")
def document(
    analysis: Analysis,
    layer: str | None = None,
    /,
    *,
    symbolic: bool = False,
    as_table: bool = False,
    metric: tuple[str, ...] = OF_TABLE,
    hide: tuple[str, ...] = (),
) -> doc.Document:
    """Show how every number comes to be: formula, numbers put in, value.

    Args:
        analysis: the network.
        layer: A layer, a group, all of a kind, or what a pattern matches: conv2d_*.
        symbolic: whether values are closed forms.
        as_table: Show a row for each layer with the numbers put in, as the slides of a lecture.
        metric: of a table: params, macs, activations.
        hide: Of a table: leave out layers by kind, name or pattern, as relu.

    Examples:
        archcost explain alexnet conv2d_1
        archcost explain resnet50 linear --hardware a100-80gb
        archcost explain alexnet conv2d_2 --symbolic
        archcost explain alexnet --as-table --metric params --hide relu flatten maxpool2d

    Raises:
        SpecError: there is no such layer.
    """
    if not as_table and (hide or metric != OF_TABLE):
        option = "hide" if hide else "metric"
        raise SpecError(f"--{option} is of a table", hint="say --as-table, too")
    if as_table:
        return _slide(analysis, layer, metric, hide, symbolic=symbolic)
    return _chains(analysis, tuple(explain(analysis, layer, symbolic=symbolic)))


def _chains(analysis: Analysis, explanations: Sequence[Explanation]) -> doc.Document:
    """Return explanations, each a chain from the formula to the value."""

    def blocks() -> Iterator[doc.Block]:
        for each in explanations:
            yield doc.Line(doc.Equation.joined((each.name, each.shapes), "  "), "bold")
            steps = (  # each part of a chain once
                (step.name, dict.fromkeys(filter(None, (step.rule, step.numbers, step.value))))
                for step in each.steps
            )
            joined = ((name, doc.Equation.joined(chain, " = ")) for name, chain in steps)
            shown = (doc.LabelledValue(f"  {name}", chain) for name, chain in joined)
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

    def rows() -> doc.Table:
        columns = (doc.Column(name, name) for name in ("of", "count", "rule", "numbers", "value"))
        steps = ((each.name, *step) for each in explanations for step in each.steps)
        return doc.table_of(columns, steps)

    return marked(doc.Document(analysis.graph.title, blocks, data, rows=rows), [analysis])


def _totals(
    analysis: Analysis,
    chosen: Sequence[CountedLayer] | None,
    metrics: Sequence[str],
    *,
    symbolic: bool,
) -> dict[str, doc.Cell]:
    """Return the last row of a slide's table: of the layers chosen, or of the network."""
    total: dict[str, doc.Cell] = {"description": "total"}
    shown = _ValueWriter(analysis, symbolic=symbolic)
    for name in metrics:
        parts = METRICS[name].parts(chosen or (), analysis.context)
        total[name] = shown.cell(analysis.total(name) if chosen is None else Add(*parts))
    return total


def _slide(
    analysis: Analysis,
    name: str | None,
    metrics: tuple[str, ...],
    hide: tuple[str, ...],
    *,
    symbolic: bool,
) -> doc.Document:
    """Return layers with what their counts are made of, as a slide has them."""
    for metric in metrics:
        find_named("count", metric, STEPS)
    meant = [counted for counted in analysis.counted if _is_meant(counted.layer, name)]
    kept = [
        counted
        for counted in meant
        if not any(fnmatchcase(n, p) for n in _names(counted.layer) for p in hide)
    ]
    rows = [_Explainer(analysis, each, symbolic=symbolic).line(metrics) for each in kept]
    if name is None:
        rows = [*_inputs(analysis, metrics, symbolic=symbolic), *rows]
    columns = [doc.Column("description", "layer"), doc.Column("shape", "output shape")]
    for metric in metrics:
        columns.append(doc.Column(f"{metric}_numbers", f"{METRICS[metric].title}: numbers put in"))
        columns.append(doc.Column(metric, METRICS[metric].title, doc.FIGURE))
    total = _totals(analysis, meant if name else None, metrics, symbolic=symbolic)
    table = doc.Table(tuple(columns), tuple(map(doc.Row, rows)), doc.Row(total))

    def blocks() -> Iterator[doc.Block]:
        yield _named(analysis, table) if symbolic else table
        left = len(meant) - len(kept)
        hidden = [("hidden", f"{left:,} layers, which the total counts")] if left else []
        yield doc.entries((*hidden, *Report(analysis).standing))

    def data() -> dict[str, Any]:
        cells = [{name: doc.exact(cell) for name, cell in row.items()} for row in rows]
        return {**head(Report(analysis)), "layers": cells}

    return marked(doc.Document(analysis.graph.title, blocks, data, rows=lambda: table), [analysis])


def _named(analysis: Analysis, table: doc.Table) -> doc.Table:
    """Return a table of closed forms as a list, in which names stand for what they share."""
    from costmodel.algebra.naming import naming

    rows = (*table.rows, *table.totals)
    cells = (cell for row in rows for cell in row.cells.values())
    forms = [cell.expression for cell in cells if isinstance(cell, doc.ClosedForm)]
    graph = analysis.graph
    found = naming(forms, analysis.given_names, {*graph.symbols, *graph.let}).names
    *others, total = (row._replace(cells=doc.with_names(row.cells, found)) for row in rows)
    where = tuple(definitions(found))
    return doc.Table(table.columns, tuple(others), listed=True, where=where, beside_total=(total,))


def _inputs(
    analysis: Analysis, metrics: tuple[str, ...], *, symbolic: bool
) -> Iterator[dict[str, doc.Cell]]:
    """Yield a line of a slide for each input that a count holds."""
    shown = _ValueWriter(analysis, symbolic=symbolic)
    for name, shape in analysis.propagation.inputs.items():
        besides = {each: METRICS[each].beside(analysis.context).get(name) for each in metrics}
        if any(besides.values()):
            form: doc.Cell = shown.shapes([shape]) if symbolic else shown.form(shape)
            cells: dict[str, doc.Cell] = {"description": name, "shape": form}
            for metric, size in besides.items():
                numbers = shown.form(shape).replace("×", " × ") if size and not symbolic else ""
                cells |= {f"{metric}_numbers": numbers, metric: shown.cell(size) if size else None}
            yield cells


def _names(layer: LayerCost) -> tuple[str, ...]:
    return (layer.node.kind, layer.node.name, *_paths(layer))


def _rate(rate: Rational, unit: str, context: Context) -> str:
    """A peak, with the part of it that is reached."""
    reached = context.device.efficiency
    return show_quantity(rate, unit) + (f" × {reached}" if reached != 1 else "")

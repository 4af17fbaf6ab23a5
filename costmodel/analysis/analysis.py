"""The analysis of one network: its closed forms, its numbers, its conditions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sympy import Add, Expr, Integer, Symbol
from sympy.core.symbol import Str

from archspec import Architecture, Graph, SpecError
from archspec.arithmetic import Rational, tidy
from archspec.errors import did_you_mean
from archspec.expressions import ExpressionError
from archspec.lint import SpecWarning, warnings_of
from archspec.sorts import is_condition
from archspec.trees import Binary, Call, Items, Measure, Name, Unary
from costmodel.algebra.bounds import Least
from costmodel.algebra.conditions import Condition, Divides, condition_text, whole_under
from costmodel.algebra.dominance import Region, SizeTables, maximum
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Quantity, symbols_in, terms_of
from costmodel.algebra.normal_form import Whole, by_resolution, factored, settled, unfloored
from costmodel.algebra.once import once
from costmodel.algebra.reduction import raised, reduced, simplified
from costmodel.algebra.sums import at_iteration
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate
from costmodel.algebra.work import NamedEntry, budget
from costmodel.analysis.metric_types import MetricForms, MetricNumbers
from costmodel.metrics.registry import METRICS, Metric, NoCountError, find_metric
from costmodel.network.assumptions import NO_ASSUMPTIONS, Assumptions
from costmodel.network.context import Context
from costmodel.network.precision import typed
from costmodel.network.propagation import (
    ONCE,
    CountedLayer,
    InputOutput,
    LayerCost,
    Propagation,
    least_values,
    on_the_way,
    show_way,
)
from costmodel.rules.base import Shape
from costmodel.scenario.conventions import Convention
from costmodel.scenario.scenario import NOWHERE, Scenario
from costmodel.scenario.settings import Number, to_rational

if TYPE_CHECKING:
    from costmodel.analysis.document import Document
    from costmodel.analysis.function import Vectorised
    from costmodel.metrics.energy import Energies
    from costmodel.metrics.schedule import BestOrder
    from costmodel.metrics.step import TrainingStep
    from costmodel.network.receptive_field import ReceptiveFields


@dataclass(frozen=True, repr=False)
class Analysis(MetricForms):
    """The closed forms of one network under one convention.

    Every metric is an attribute: ``analysis.macs`` is a sympy expression in the free symbols, or
    None of what the network does not have (see `none_of`).

    Attributes:
        graph: the network.
        propagation: its shapes and costs.
        convention: what counts.
        architecture: the spec.
        assumed: what is assumed of the symbols.
        scenario: what is said beside the spec.
    """

    graph: Graph
    propagation: Propagation
    convention: Convention
    architecture: Architecture
    assumed: Assumptions = NO_ASSUMPTIONS
    scenario: Scenario = NOWHERE

    def __repr__(self) -> str:
        return f"<analysis of {self.graph.title} under the convention {self.convention.name}>"

    @property
    def warnings(self) -> tuple[SpecWarning, ...]:
        """The warnings of what the spec says without effect."""
        return warnings_of(self.architecture, self.graph)

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes in the spec's header, which every report repeats."""
        return tuple(self.architecture.header.notes)

    @cached_property
    def context(self) -> Context:
        """All that metrics need besides a layer."""
        stated = (self.scenario.precision, self.graph.precision)
        return Context(self.convention, self.scenario, typed(self.propagation, *stated), self)

    @property
    def types(self) -> dict[str, tuple[str, ...]]:
        """The types of its weights, activations, sums of products and cache, where any are."""
        learned = (
            self.context.types_of(x) for x in self.layers if x.cost.parameters or x.cost.tied
        )
        summed = (self.context.types_of(x) for x in self.layers if x.cost.macs != 0)
        caching = (self.context.types_of(x) for x in self.layers if x.cost.kept)
        found = {
            "weights": {types.weights for types in learned},
            "activations": set(self.context.typed.tensors.values()),
            "accumulators": {types.accumulators for types in summed},
            "cache": {types.cache for types in caching},
        }
        return {of: tuple(sorted(types)) for of, types in found.items() if types}

    @cached_property
    def counted(self) -> tuple[CountedLayer, ...]:
        """The layers in order, with how often each counts."""
        return tuple(self.propagation.counted)

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """The layers in order."""
        return tuple(counted.layer for counted in self.counted)

    @cached_property
    def missing(self) -> dict[str, list[str]]:
        """The operators of which nothing but a shape is known → the layers that stand for them."""
        found: dict[str, list[str]] = {}
        for layer in self.layers:
            if layer.cost.missing:
                found.setdefault(layer.cost.missing, []).append(layer.node.path)
        return found

    @property
    def can_be_fused(self) -> bool:
        """Return whether a layer has attention whose implementation bounds depend on."""
        return any(layer.cost.can_be_fused for layer in self.layers)

    @cached_property
    def symbols(self) -> dict[str, Symbol]:
        """The free symbols by name, in the order of the spec."""
        return {
            name: symbol(name, spec.domain)
            for name, spec in self.graph.symbols.items()
            if name not in self.graph.fixed
        }

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator at the symbols' values."""
        return self.evaluator_at({})

    def evaluator_at(self, settings: Mapping[str, Rational]) -> Evaluator:
        """Return the evaluator at some values, whether the network is valid there or not.

        Raises:
            SpecError: the values break an assumption.
        """
        values = {**self.graph.values, **settings}
        known = self.assumed.valued({s: values[name] for name, s in self.symbols.items()})
        evaluate = Evaluator(known)
        iterations = {
            i: max(evaluate(last), 0) for i, last in self.propagation.last_indices.items()
        }
        return Evaluator({**known, **iterations})

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The reduced conditions on the symbols under which the network is valid."""
        required = (requirement.condition for requirement in self.propagation.requirements)
        with budget("the conditions", self._longest_condition):
            found = reduced(required, self._least, (*self._given, *self.assumed.known))
            shown = (condition.mapped(self.assumed.shown) for condition in found)
            return tuple(form for condition in shown for form in simplified(condition))

    def _longest_condition(self) -> NamedEntry:
        """Return the entry that asks for the longest condition."""
        requirements = self.propagation.requirements
        return max(requirements, key=lambda each: len(condition_text(each.condition))).node

    @property
    def demands(self) -> tuple[Condition, ...]:
        """The conditions under which the closed forms hold, and the assumptions."""
        return (*self.conditions, *self.assumed.conditions)

    @property
    def required(self) -> tuple[Condition, ...]:
        """The requirements of each layer in its own form, and the assumptions."""
        stated = (each.condition for each in self.propagation.requirements)
        shown = dict.fromkeys(condition.mapped(self.assumed.shown) for condition in stated)
        return (*shown, *self.assumed.conditions)

    @cached_property
    def _least(self) -> Least:
        return self.assumed.raised(least_values(self.graph))

    @cached_property
    def least(self) -> Least:
        """The smallest values of the symbols where the conditions hold."""
        return raised(self._least, self.conditions)

    @cached_property
    def region(self) -> Region:
        """The values that the symbols may have together, where all conditions hold."""
        declared = ((free, self.graph.symbols[name].max) for name, free in self.symbols.items())
        most = {free: largest for free, largest in declared if largest is not None}
        stand_in = self.assumed.stand_in
        held = (*self.conditions, *self._given, *self.assumed.conditions)
        conditions = (condition.mapped(lambda e: e.xreplace(stand_in)) for condition in held)
        return Region(self._least, most, conditions)

    @cached_property
    def sizes(self) -> SizeTables:
        """The bounds and divisors of the sizes that counts are products of."""
        return SizeTables(self.region)

    @property
    def _given(self) -> Iterator[Condition]:
        """Yield what the symbols' own rules say: what divides each of them."""
        for name, free in self.symbols.items():
            multiple = self.graph.symbols[name].multiple_of
            if multiple is not None:
                yield Divides(Integer(multiple), free)

    def checked(self) -> "Analysis":
        """Return this analysis, if the symbols' values make a valid network (see `check`)."""
        self.check(self.evaluator)
        return self

    def is_valid_at(self, settings: Mapping[str, Rational]) -> bool:
        """Return whether some values keep the assumptions and make a valid network."""
        try:
            evaluate = self.evaluator_at(settings)
        except SpecError:
            return False
        return all(condition.holds(evaluate) for condition in self.demands)

    def check(self, evaluate: Evaluator) -> None:
        """Make sure that numbers make a valid network.

        Raises:
            SpecError: the first layer whose rule they break, with the shapes that led there.
        """
        for requirement in self.propagation.requirements:
            try:
                holds = requirement.condition.holds(evaluate)
            except ExpressionError as error:
                raise requirement.node.error(error.cause, field=requirement.field) from None
            if not holds:

                def show(shape: Shape) -> str:
                    return f"[{', '.join(str(evaluate(size)) for size in shape)}]"

                raise on_the_way(requirement.broken(evaluate), show_way(requirement.way, show))

    def of_layer(self, metric: str, layer: LayerCost) -> Expr:
        """Return a metric of one run of one layer, as a product of its loops."""
        found = find_metric(metric)
        if found.of_layers is not None:
            return found.of([CountedLayer(layer, ONCE)], self.context)
        return found.per_layer(layer, self.context)

    def of_all_runs(self, metric: Metric, counted: CountedLayer) -> Expr:
        """Return a metric of one layer, all of its runs together."""
        return metric.of([counted], self.context)

    @property
    def memory(self) -> Mapping[str, Expr]:
        """Every layer's path, with the most bytes in memory while it works."""
        from costmodel.metrics.memory_peak import memory

        return memory(self.context, "given")

    @property
    def best_order(self) -> "BestOrder":
        """The order of the layers with the least peak memory at the symbols' values."""
        from costmodel.metrics.memory_peak import best_order

        return self.context.derived(best_order)

    @property
    def fields(self) -> "ReceptiveFields":
        """The places of the inputs that every layer sees."""
        from costmodel.metrics.receptive_field import fields

        return self.context.derived(fields)

    @property
    def energies(self) -> "Energies":
        """The energy that the layers take on the device."""
        from costmodel.metrics.energy import Energies

        return self.context.derived(Energies)

    @property
    def step(self) -> "TrainingStep":
        """A step of training; an error where the scenario names no training."""
        from costmodel.metrics.step import TrainingStep

        return self.context.derived(TrainingStep)

    @once
    def none_of(self, metric: str) -> NoCountError | None:
        """Return the error that says why the network has no number of a metric, if it has none."""
        try:
            find_metric(metric).require(self.context)
        except NoCountError as error:
            return error
        return None

    @once
    def parts(self, metric: Metric) -> list[Expr]:
        """Return what the network's metric is the sum or the maximum of, layer by layer.

        Raises:
            NoCountError: the network has no number of it.
        """
        missing = self.none_of(metric.name)
        if missing is not None:
            raise missing
        return metric.parts(self.counted, self.context)

    def beside_layers(self, metric: Metric) -> Expr:
        """Return what is no layer's: the inputs' part, a sum of experts, and what is made again."""
        return Add(*metric.beside(self.context).values())

    def unproved(self, metric: Metric) -> list[Expr]:
        """Return what a metric is the sum or the maximum of, nothing of it proved or left out."""
        parts = self.parts(metric)
        if metric.combine == "sum":
            parts = [*parts, self.beside_layers(metric)]
        return [self.assumed.shown(self._in_last_iteration(p)) for p in parts] or [Integer(0)]

    @once
    def total(self, metric: str) -> Expr:
        """Return a metric of the whole network in closed form, grouped to be read.

        Raises:
            NoCountError: the network has no number of it.
        """
        return self.assumed.shown(self._combine(find_metric(metric)))

    def _combine(self, metric: Metric) -> Expr:
        parts = self.parts(metric)
        if metric.combine == "max":
            return self.largest(parts, signed=metric.of_places)
        if metric.quantity is not None:
            parts = list(map(self.decided, parts))
        return self.by_resolution(Add(*parts, self.beside_layers(metric)))

    @once
    def by_resolution(self, expression: Expr) -> Expr:
        """Return a sum over layers with one term per resolution (see `normal_form`)."""
        if not expression.is_Add:
            return expression
        return by_resolution(expression, self._extents, self._depths)

    @cached_property
    def _depths(self) -> frozenset[Symbol]:
        """The symbols that say how often bodies are repeated."""
        counts = {often.works for _, often in self.counted}
        return frozenset().union(*(count.free_symbols for count in counts)) - self._extents

    @cached_property
    def _extents(self) -> frozenset[Symbol]:
        """The symbols of the inputs' shapes."""
        sizes = (size for shape in self.propagation.inputs.values() for size in shape)
        return frozenset().union(*(size.free_symbols for size in sizes))

    @cached_property
    def given_names(self) -> dict[str, Expr]:
        """The spec's open ``let`` values by name, those of lists by name and number."""

        def own_symbol(leaf: Name | Measure) -> Expr:
            assert isinstance(leaf, Name)  # structure depends on no sizes of tensors
            return self.symbols[leaf.id]

        found: dict[str, Expr] = {}
        for name, value in self.graph.let.items():
            listed = value.values if isinstance(value, Items) else (value,)
            for i, tree in enumerate(listed):
                if isinstance(tree, Unary | Binary | Call) and not is_condition(tree):
                    own = f"{name}_{i}" if isinstance(value, Items) else name
                    found[own] = translate(tree, own_symbol)
        return found

    @once
    def closed_form(self, expression: Expr) -> Expr:
        """Return a count as it is printed: every quotient in it is an integer.

        What depends on the turn of a repeat is that of the last.
        """
        shown = self.assumed.shown(self._in_last_iteration(expression))
        return settled(unfloored(shown, self._whole, of_quotients=True), self._whole)

    def _in_last_iteration(self, expression: Expr) -> Expr:
        for index, last in self.propagation.last_indices.items():
            if index in symbols_in(expression):
                expression = at_iteration(expression, index, last)
        return expression

    def read(self, form: Expr) -> Expr:
        """Return a closed form as it is read: what a maximum's terms share stands in front."""
        return factored(form, self._whole)

    def closed_form_of(self, metric: Metric, expression: Expr) -> Expr:
        """Return some of a metric as it is printed: a count, or a quantity with its unit."""
        if metric.quantity is None:
            return self.closed_form(expression)
        real = self.assumed.shown(self._in_last_iteration(expression))
        return Quantity(real, Str(metric.quantity))

    def unfloored(self, metric: str) -> Expr:
        """Return a metric of the network without the floors that the conditions make exact."""
        return unfloored(self.total(metric), self._whole)

    @cached_property
    def _whole(self) -> Whole:
        return whole_under((*self.conditions, *self._given, *self.assumed.conditions))

    def largest(self, parts: list[Expr], *, signed: bool = False) -> Expr:
        """Return the largest of some counts, without those of nothing where none is less."""
        from costmodel.analysis.peaks import winners

        several = (terms_of(part) for part in parts if signed or part != 0)
        candidates = [self.by_resolution(part) for group in several for part in group]
        with budget("the largest of the layers' laws", self.propagation.largest_layer):
            kept = terms_of(maximum(candidates or [Integer(0)], self.sizes, self.evaluator))
            return Maximum(*winners(self, kept))

    def decided(self, expression: Expr) -> Expr:
        """Return a sum of maxima, each without the terms that are proved never to be it."""
        with budget("the largest of the layers' laws", self.propagation.largest_layer):
            return expression.xreplace({m: self._decided(m) for m in expression.atoms(Maximum)})

    @once
    def _decided(self, largest: Expr) -> Expr:
        return maximum(largest.args, self.sizes, self.evaluator)

    @once
    def value(self, metric: str) -> Rational:
        """Return a metric of the whole network at the symbols' values."""
        found = find_metric(metric)
        parts = list(map(self.evaluator, self.parts(found)))
        if found.combine == "max":
            return max(parts, default=0)
        return tidy(sum(parts) + self.evaluator(self.beside_layers(found)))

    def value_if_any(self, metric: str) -> Rational | None:
        """Return a metric of the network at the symbols' values; None where it has none."""
        return None if self.none_of(metric) else self.value(metric)

    @property
    def peak(self) -> tuple[LayerCost, InputOutput]:
        """The layer whose input and output, or a step's inside it, are the peak of activations."""

        def size(layer: LayerCost) -> Rational:
            return self.evaluator(self.of_layer("activations_peak", layer))

        layer = max(self.layers, key=size)
        return layer, max(layer.steps, key=lambda step: self.evaluator(step.elements))

    def at(self, **settings: Number) -> "Point":
        """Return the numbers at given values of the symbols; others keep their defaults.

        Raises:
            SpecError: an unknown symbol, a value outside its domain, or an invalid network.
        """
        values = {n: self._checked(n, to_rational(n, value)) for n, value in settings.items()}
        point = Point(self, self.evaluator_at(values))
        self.check(point.evaluate)
        return point

    def _checked(self, name: str, value: Rational) -> Rational:
        if name not in self.symbols:
            raise SpecError(
                f"there is no free symbol '{name}'", hint=did_you_mean(name, self.symbols)
            )
        broken = self.graph.symbols[name].broken_rule(value)
        if broken:
            raise SpecError(f"{name} = {value} {broken}")
        return value

    def function(self, metric: str) -> "Vectorised":
        """Return a metric as an exact NumPy function of the free symbols."""
        from costmodel.analysis.function import vectorise

        return vectorise(self, metric)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *METRICS})

    if TYPE_CHECKING:

        def table(self, *metrics: str, symbolic: bool = False) -> "Document":
            """Return the layers with some metrics; `costmodel` gives networks this method.

            Args:
                metrics: by name; else the usual ones.
                symbolic: whether as closed forms.
            """

    if not TYPE_CHECKING:  # a misspelt metric is an error of the type check

        def __getattr__(self, name: str) -> Expr | None:
            if name in METRICS:
                return None if self.none_of(name) else self.total(name)
            raise AttributeError(_no_metric("an analysis", name))


def _no_metric(owner: str, name: str) -> str:
    near = did_you_mean(name, METRICS) or f"metrics: {', '.join(METRICS)}"
    return f"{owner} has no '{name}'; {near}"


@dataclass(frozen=True, repr=False)
class Point(MetricNumbers):
    """The metrics of a network at numbers: ``analysis.at(h=192).macs``; None where it has none."""

    analysis: Analysis
    evaluate: Evaluator

    def __repr__(self) -> str:
        return f"<{self.analysis.graph.title} at some values of its symbols>"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *METRICS})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Rational | None:
            if name in METRICS:
                form = getattr(self.analysis, name)
                return None if form is None else self.evaluate(form)
            raise AttributeError(_no_metric("a point", name))

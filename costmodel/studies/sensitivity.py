"""The effect of each symbol on each metric: order, derivative, elasticity, doubling."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sympy import Expr, Mul, Symbol

from archspec.arithmetic import Rational, ratio
from archspec.errors import SpecError
from archspec.expressions import ExpressionError
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.growth import Derivatives, NoOrder, derivative, leading_order, obstacle
from costmodel.analysis.analysis import Analysis, Point
from costmodel.metrics.registry import METRICS, Metric, find_metric

USUAL = ("params", "macs", "activations")
"""The metrics where none are requested."""


class Unknown(NamedTuple):
    """No result, and the reason."""

    reason: str


class Perturbation(NamedTuple):
    """A symbol, or several that change together.

    Attributes:
        name: the symbol's, or what they are: ``resolution``.
        symbols: those that change, by the same factor.
    """

    name: str
    symbols: tuple[Symbol, ...]


class Derivative(NamedTuple):
    """An exact derivative.

    Attributes:
        law: in the open symbols; 0 where the metric does not depend on the symbol.
        value: at the symbols' values.
        is_share: whether the metric is the symbol times this.
    """

    law: Expr
    value: Rational
    is_share: bool


class Elasticity(NamedTuple):
    """The percentage by which a metric rises for one percent of a symbol: ``(s/M)·dM/ds``.

    Attributes:
        value: exact.
        even: whether steps or bends stand there, and were taken to rise evenly (see `Derivatives`).
    """

    value: Rational
    even: bool


class Doubled(NamedTuple):
    """A metric where the symbols are doubled, floors and all, and how many times it has grown."""

    value: Rational
    factor: Rational


class Effect(NamedTuple):
    """The effect of a change on a metric.

    Attributes:
        depends: whether anything of what changes stands in the metric's law.
        order: the leading order in what changes, the other symbols being the numbers they are.
        derivative: of one symbol.
        elasticity: at the symbols' values.
        doubled: at twice the values of what changes.
    """

    depends: bool
    order: Expr | Unknown
    derivative: Derivative | Unknown
    elasticity: Elasticity | Unknown
    doubled: Doubled | Unknown


@dataclass(frozen=True)
class Sensitivity:
    """The effects of a network's free symbols on its metrics.

    Attributes:
        analysis: the network, some symbols open.
        names: the metrics that were asked for; none means the usual ones.
    """

    analysis: Analysis
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.names:
            find_metric(name)
        if not self.analysis.symbols:
            hint = "leave a symbol out of --set" if self.analysis.graph.fixed else None
            raise SpecError("no symbol is open, so nothing can change", hint=hint)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are looked at."""
        return tuple(METRICS[name] for name in self.names or USUAL)

    @cached_property
    def changes(self) -> tuple[Perturbation, ...]:
        """Each open symbol that is no other's equal, then the sizes of an image together."""
        derived = self.analysis.assumed.derived
        symbols = self.analysis.symbols.items()
        alone = (Perturbation(name, (free,)) for name, free in symbols if name not in derived)
        return (*alone, *self._resolutions())

    def _resolutions(self) -> Iterator[Perturbation]:
        """Yield the open symbols that are sizes of one input: of ``[n, c, h, w]`` h and w."""
        found: dict[frozenset[Symbol], Perturbation] = {}
        shapes = self.analysis.propagation.inputs
        for name, shape in shapes.items():
            extents = map(self.analysis.law, shape[2:])
            sizes = tuple(dict.fromkeys(size for size in extents if size.is_Symbol))
            if len(sizes) > 1:
                title = "resolution" if len(shapes) == 1 else f"resolution of {name}"
                found.setdefault(frozenset(sizes), Perturbation(title, sizes))
        yield from found.values()

    @cached_property
    def orders(self) -> Mapping[str, Expr | Unknown]:
        """Metric → its leading order in all open symbols together."""
        symbols = self.analysis.symbols.values()
        return {metric.name: self._order(metric, symbols) for metric in self.metrics}

    def _order(self, metric: Metric, growing: Iterable[Symbol]) -> Expr | Unknown:
        law, evaluate = self._laws[metric.name], self.analysis.evaluator
        try:
            return leading_order(law, growing, evaluate, smaller_of(self.analysis.demands))
        except NoOrder as reason:
            return Unknown(str(reason))

    @cached_property
    def _laws(self) -> dict[str, Expr]:
        return {metric.name: self.analysis.unfloored(metric.name) for metric in self.metrics}

    @cached_property
    def effects(self) -> Mapping[Perturbation, Mapping[str, Effect]]:
        """Change → metric → its effect."""
        return {change: self._effects(change) for change in self.changes}

    def _effects(self, change: Perturbation) -> dict[str, Effect]:
        there, evaluate = self._doubled_network(change), self.analysis.evaluator
        slope = Derivatives(evaluate, {free: evaluate(free) for free in change.symbols})
        return {
            metric.name: Effect(
                depends=self._depends(metric, change),
                order=self._order(metric, change.symbols),
                derivative=self._derivative(metric, change),
                elasticity=self._elasticity(metric, change, slope),
                doubled=self._doubled(metric, there),
            )
            for metric in self.metrics
        }

    def _depends(self, metric: Metric, change: Perturbation) -> bool:
        return not self._laws[metric.name].free_symbols.isdisjoint(change.symbols)

    def _derivative(self, metric: Metric, change: Perturbation) -> Derivative | Unknown:
        if len(change.symbols) > 1:
            return Unknown("a derivative is in one symbol")
        law, (symbol,) = self._laws[metric.name], change.symbols
        reason = obstacle(law, symbol)
        if reason:
            return Unknown(reason)
        found = derivative(law, symbol)
        is_share = symbol in Mul.make_args(law) and symbol not in found.free_symbols
        try:
            return Derivative(found, self.analysis.evaluator(found), is_share)
        except ExpressionError as error:
            return Unknown(str(error))

    def _elasticity(
        self, metric: Metric, change: Perturbation, slope: Derivatives
    ) -> Elasticity | Unknown:
        law, value = self._laws[metric.name], self.analysis.value(metric.name)
        try:
            rise = slope(law)
        except ExpressionError as error:
            return Unknown(str(error))
        if value == 0 and self._depends(metric, change):
            return Unknown(f"{metric.name} is 0 here")
        even = any(obstacle(law, symbol) for symbol in change.symbols)
        return Elasticity(ratio(rise, value) if rise else 0, even)

    def _doubled(self, metric: Metric, there: Point | Unknown) -> Doubled | Unknown:
        if isinstance(there, Unknown):
            return there
        try:
            before, after = self.analysis.value(metric.name), getattr(there, metric.name)
        except ExpressionError as error:
            return Unknown(str(error))
        if before == after:
            return Doubled(after, 1)
        if before == 0:
            return Unknown(f"{metric.name} is 0 here")
        return Doubled(after, ratio(after, before))

    def _doubled_network(self, change: Perturbation) -> Point | Unknown:
        """Return the network where a change's symbols are doubled, or why there is none."""
        values = self.analysis.graph.values
        try:
            return self.analysis.at(**{s.name: 2 * values[s.name] for s in change.symbols})
        except SpecError as error:
            return Unknown(error.cause)


def smaller_of(conditions: Iterable[Condition]) -> dict[Symbol, Symbol]:
    """Return symbol → its lower bound, of ``h >= patch`` and ``d % heads == 0``."""
    found: dict[Symbol, Symbol] = {}
    for condition in conditions:
        match condition:
            case Divides(Symbol() as small, Symbol() as large):
                found[large] = small
            case AtLeast(difference, bound) if bound >= 0 and len(difference.free_symbols) == 2:
                found |= {
                    large: large - difference
                    for large in difference.free_symbols
                    if (large - difference).is_Symbol
                }
    return found

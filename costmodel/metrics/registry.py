"""The register of metrics: what one of them is, and where to find them all.

A metric is a value that its file registers: ``costmodel/metrics/NAME.py``, or a module that another
distribution names in the entry point group ``archcost.metrics``. No file is imported before one of
its metrics is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from sympy import Add, Expr, Integer, S

from archspec.errors import SpecError, did_you_mean
from archspec.extensions import Register
from archspec.quantities import CAPACITY, COUNT, ENERGY, TIME, Dimension
from costmodel.algebra.functions import Maximum
from costmodel.algebra.sums import (
    OpenFormError,
    closed_sum,
    each_by_each,
    largest_of_iterations,
    no_closed_form,
    where_it_happens,
)
from costmodel.network.context import Context
from costmodel.network.propagation import CountedLayer, LayerCost

PerLayer = Callable[[LayerCost, Context], Expr]
"""The count of a layer; raises `NoCountError` where it has none."""

OfLayers = Callable[[Sequence[CountedLayer], Context], list[Expr]]
Beside = Callable[[Context], Mapping[str, Expr]]

COLUMNS = ("params", "macs", "activations")
"""The metrics that are columns where none are asked for."""


class NoCountError(SpecError):
    """A metric has no number at all, as a receptive field where a layer sees the whole input."""


class OpenFieldError(NoCountError):
    """A layer's field has no closed form, so that of the network is not known either."""


def no_count(metric: str, why: str, layer: LayerCost | None = None) -> NoCountError:
    """Return the error of a metric that a layer, or a network, does not have."""
    return NoCountError(
        f"{metric} is none: {why}", origin=None if layer is None else layer.node.origin
    )


class Unit(NamedTuple):
    """The unit of a metric.

    Attributes:
        name: of several of it, as ``bytes``.
        sign: of a real quantity, as ``s`` of seconds; None of what is counted.
        dimension: the units that a number may have that it is compared with.
    """

    name: str
    sign: str | None = None
    dimension: Dimension = COUNT


BYTES, ELEMENTS = Unit("bytes", dimension=CAPACITY), Unit("elements")
OPERATIONS, PRODUCTS = Unit("operations"), Unit("multiply-accumulates")
SECONDS, JOULES = Unit("seconds", "s", TIME), Unit("joules", "J", ENERGY)


class Aggregation(NamedTuple):
    """The way in which the counts of layers become that of a network.

    Attributes:
        combine: whether they add up, or the largest is the network's.
        per: whether a layer counts once per run, per copy of its weights, or per copy that works
            of experts, or the count of a layer is that of all its runs.
    """

    combine: Literal["sum", "max"] = "sum"
    per: Literal["run", "copy", "active copy", "all runs"] = "run"


SUM, SUM_OF_COPIES, SUM_OF_ALL_RUNS = (
    Aggregation(),
    Aggregation(per="copy"),
    Aggregation(per="all runs"),
)
SUM_OF_ACTIVE_COPIES = Aggregation(per="active copy")
LARGEST, LARGEST_OF_ALL_RUNS = Aggregation("max"), Aggregation("max", "all runs")


class Need(Enum):
    """Something that a metric depends on beside the layer."""

    DEVICE = "a device (--hardware)"
    TRAINING = "how the network is trained (--optimizer)"
    SCHEDULE = "the order in which the layers work"
    SEARCH = "the best order of the layers, searched for at the symbols' values"
    PLACES = "the places of the input that a layer sees"
    TOKENS = "a network that works token by token"


@dataclass(frozen=True)
class Metric:
    """Something that is counted.

    Attributes:
        name: as ``--metric`` takes it.
        title: the column's head.
        unit: what one of it is.
        per_layer: the count of a layer; its docstring says what is counted.
        together: how the counts of layers become that of a network.
        needs: what it depends on beside the layer.
        of_layers: the counts of several layers whose sum or largest is theirs together, where these
            are not those of each.
        beside: the counts of what is no layer, by the name of the input or the path of the group.
        require: raises `NoCountError` where a network as a whole has none.
    """

    name: str
    title: str
    unit: Unit
    per_layer: PerLayer
    together: Aggregation = SUM
    needs: tuple[Need, ...] = ()
    of_layers: OfLayers | None = None
    beside: Beside = lambda _: {}
    require: Callable[[Context], None] = lambda _: None

    @property
    def doc(self) -> str:
        """The first line of what its function says of itself."""
        return (self.per_layer.__doc__ or "").partition("\n")[0]

    @property
    def head(self) -> str:
        """The title above plain numbers, with the unit where the title does not say it."""
        return f"{self.title} ({self.unit.name})" if self.unit == BYTES else self.title

    @property
    def short_title(self) -> str:
        """The title up to its first comma."""
        return self.title.partition(",")[0]

    @property
    def combine(self) -> Literal["sum", "max"]:
        """``sum`` where layers add up, ``max`` where the largest is the network's."""
        return self.together.combine

    @property
    def quantity(self) -> str | None:
        """The sign of its unit where it is no count: s of seconds."""
        return self.unit.sign

    @property
    def of_places(self) -> bool:
        """Return whether it is about what is seen of the input; a layer may have none."""
        return Need.PLACES in self.needs

    @property
    def of_device(self) -> bool:
        """Return whether it depends on the device, and is shown where there is one."""
        return Need.DEVICE in self.needs

    @property
    def is_searched(self) -> bool:
        """Return whether its closed form is that of the values at which it is searched for."""
        return Need.SEARCH in self.needs

    def parts(self, layers: Sequence[CountedLayer], context: Context) -> list[Expr]:
        """Return the count of each layer that has one, times how often it counts where they add up.

        Where it is counted of all together, these counts.
        """
        if self.of_layers is not None:
            return self.of_layers(layers, context)
        found: list[Expr] = []
        for counted in layers:
            try:
                found.append(self._part(counted, context))
            except OpenFieldError:
                raise
            except NoCountError:
                pass
        return found

    def _part(self, counted: CountedLayer, context: Context) -> Expr:
        count = self.per_layer(counted.layer, context)
        if self.together.per == "all runs":
            return count
        runs, copies, repeats, active = counted.often
        over = largest_of_iterations if self.combine == "max" else closed_sum
        try:
            for each in reversed(repeats):
                count = over(count, each)
        except OpenFormError:
            raise no_closed_form(self.name, counted.layer.node) from None
        if runs is copies is S.One and (self.combine == "sum" or not repeats):
            return count
        if self.combine == "max":
            return where_it_happens(count, counted.often.works)
        times = {"copy": copies, "active copy": active}
        return each_by_each(times.get(self.together.per, runs), count)

    def of(self, layers: Iterable[CountedLayer], context: Context) -> Expr:
        """Return the count of some layers together.

        Raises:
            NoCountError: one of them has none.
        """
        if self.of_places:
            return Maximum(*(self._part(counted, context) for counted in layers))
        parts = self.parts(tuple(layers), context) or [Integer(0)]
        return Maximum(*parts) if self.combine == "max" else Add(*parts)


USUAL = (
    *("params", "model_size", "macs", "flops", "activations", "activations_peak", "memory_peak"),
    *("latency", "receptive_field", "effective_stride", "effective_padding"),
)
"""The metrics that a report shows unasked, where what they need is given; they come first."""


class Metrics(Register[Metric]):
    """All metrics by name, the usual ones first, then file by file."""

    def __iter__(self) -> Iterator[str]:
        place = {name: i for i, name in enumerate(USUAL)}

        def rank(name: str) -> tuple[int, str]:
            return place.get(name, len(USUAL)), self[name].per_layer.__module__

        return iter(sorted(super().__iter__(), key=rank))


METRICS = Metrics(__package__, "metrics")


def metric(
    name: str,
    title: str,
    unit: Unit,
    together: Aggregation = SUM,
    *,
    needs: tuple[Need, ...] = (),
    of_layers: OfLayers | None = None,
    beside: Beside = lambda _: {},
    require: Callable[[Context], None] = lambda _: None,
) -> Callable[[PerLayer], PerLayer]:
    """Return a decorator that registers the function that counts of a layer (see `Metric`)."""

    def register(count: PerLayer) -> PerLayer:
        METRICS.add(
            name, Metric(name, title, unit, count, together, needs, of_layers, beside, require)
        )
        return count

    return register


def find_metric(name: str) -> Metric:
    """Return the metric of a name.

    Raises:
        SpecError: there is none.
    """
    if "," in name:
        raise SpecError(f"unknown metric '{name}'", hint="separate them by spaces")
    if set("+-*/") & set(name):
        hint = "table, compare, value and one network take expressions"
        raise SpecError(f"'{name}' is an expression, and this takes metrics", hint=hint)
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or f"known: {', '.join(METRICS)}"
        raise SpecError(f"unknown metric '{name}'", hint="; ".join((hint, *METRICS.failed)))
    return METRICS[name]

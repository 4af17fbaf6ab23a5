"""Metrics: what is counted of a layer under a convention, and how layers combine to a network."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from sympy import Add, Expr, Integer, S

from archspec.errors import SpecError, did_you_mean
from costmodel.algebra.functions import Maximum
from costmodel.algebra.places import OpenPlacesError
from costmodel.algebra.sums import OpenFormError, closed_sum, largest_turn, where_it_happens
from costmodel.metrics.data_movement import cached_bytes, in_out, traffic
from costmodel.metrics.latency import computation_time, larger, memory_time
from costmodel.metrics.state import count_gradients, count_optimizer_state
from costmodel.network.context import Basis
from costmodel.network.precision import in_bytes
from costmodel.network.propagation import Counted, LayerCost
from costmodel.network.receptive_field import Measure, measured, padding_of, size_of, stride_of
from costmodel.scenario.conventions import Convention

if TYPE_CHECKING:
    from costmodel.analysis.analysis import Analysis

PerLayer = Callable[[LayerCost, Basis], Expr]
"""The count of a layer; raises `NoCountError` where it has none."""

OfNetwork = Callable[["Analysis"], PerLayer]
Order = Literal["given", "best"]


COLUMNS = ("params", "macs", "activations")
"""The metrics that are columns where none are asked for."""

SEARCHED = frozenset({"memory_peak_best"})
"""The metrics whose law is that of the values at which it is searched for; elsewhere a bound."""


class OpenLawError(SpecError):
    """A metric has no closed form in the symbols; numbers it has."""


def open_law(metric: str, layer: LayerCost) -> OpenLawError:
    """The error of a metric whose turns have no closed form together."""
    cause = f"{metric} has no closed form in an open number of turns that each differ"
    hint, node = "fix the symbols in times with --set", layer.node
    return OpenLawError(cause, hint=hint, origin=node.origin, entry=node.path)


class NoCountError(SpecError):
    """A metric has no number at all, as a receptive field where a layer sees the whole input."""


class OpenFieldError(NoCountError):
    """What a layer sees has no closed form, so that of the network is not known either."""


def no_count(metric: str, why: str, layer: LayerCost | None = None) -> NoCountError:
    """The error of a metric that a layer, or a network, does not have."""
    return NoCountError(
        f"{metric} is none: {why}", origin=None if layer is None else layer.node.origin
    )


class Metric(NamedTuple):
    """Something that is counted.

    Attributes:
        name: as ``--metric`` takes it.
        title: the column's head.
        unit: what one of it is.
        per_layer: the count of a layer; None where it takes the whole network, or is the larger of
            other metrics.
        combine: whether layers add up, or the largest is the network's.
        of_input: whether the network's inputs count, where the convention says so.
        per: whether a layer counts once per run, or once per copy of its weights.
        of_places: whether it is about what is seen of the input, and a layer may have none.
        quantity: the sign of its unit where it is no count: s of seconds.
        of_device: whether it depends on the device, and is shown where there is one.
        on_request: whether it is shown only where it is asked for.
        of_network: what the count of a layer is in a network, where it takes the whole of that.
        of_all_runs: whether the count of a layer is already that of all its runs.
        larger_of: the metrics of which it is the larger one, each summed over all layers before.
        of_training: whether it depends on how the network is trained.
    """

    name: str
    title: str
    unit: str
    per_layer: PerLayer | None
    combine: Literal["sum", "max"] = "sum"
    of_input: bool = False
    per: Literal["run", "copy"] = "run"
    of_places: bool = False
    quantity: str | None = None
    of_device: bool = False
    on_request: bool = False
    of_network: OfNetwork | None = None
    of_all_runs: bool = False
    larger_of: tuple["Metric", ...] = ()
    of_training: bool = False

    @property
    def short_title(self) -> str:
        """The title without what is said of it after a comma."""
        return self.title.partition(",")[0]

    @property
    def of_step(self) -> bool:
        """Whether it takes a whole step of training (see `training`)."""
        return self.of_training and self.of_network is not None

    def within(self, analysis: "Analysis") -> "Metric":
        """The same with the count of a layer known, where that takes the whole network."""
        if self.of_network is None:
            return self
        return self._replace(per_layer=self.of_network(analysis))

    def parts(self, layers: Iterable[Counted], basis: Basis) -> list[Expr]:
        """The count of each layer that has one, times how often it counts where counts add up.

        Of the larger of several metrics, these.
        """
        if self.larger_of:
            layers = tuple(layers)
            sums = [metric.of(layers, basis) for metric in self.larger_of]
            return [each for each in sums if each != 0]
        return [part for counted in layers for part in self._counted(counted, basis)]

    def _counted(self, counted: Counted, basis: Basis) -> Iterator[Expr]:
        """The count of a layer, where it has one: the largest of layers is of those that have."""
        try:
            yield self._part(counted, basis)
        except NoCountError as error:
            if isinstance(error, OpenFieldError):
                raise

    def _part(self, counted: Counted, basis: Basis) -> Expr:
        assert self.per_layer is not None
        count = self.per_layer(counted.layer, basis)
        if self.of_all_runs:
            return count
        runs, copies, turns = counted.often
        over = largest_turn if self.combine == "max" else closed_sum
        try:
            for each in reversed(turns):
                count = over(count, each)
        except OpenFormError:
            raise open_law(self.name, counted.layer) from None
        if runs is copies is S.One and (self.combine == "sum" or not turns):
            return count
        if self.combine == "max":
            return where_it_happens(count, counted.often.works)
        return each_by_each(copies if self.per == "copy" else runs, count)

    def of(self, layers: Iterable[Counted], basis: Basis) -> Expr:
        """The count of some layers together.

        Raises:
            NoCountError: one of them has none.
        """
        if self.of_places:
            return Maximum(*(self._part(counted, basis) for counted in layers))
        parts = self.parts(layers, basis) or [Integer(0)]
        return Maximum(*parts) if self.combine == "max" else Add(*parts)


def each_by_each(often: Expr, count: Expr) -> Expr:
    """``often·count``, every term of the one by every term of the other."""
    return Add(*(n * term for n in Add.make_args(often) for term in Add.make_args(count)))


def count_params(layer: LayerCost, basis: Basis) -> Expr:
    """Elements of the learnable tensors that count."""
    return Add(*(parameter.total for parameter in basis.params_of(layer)))


def count_model_size(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of the params, ``params·bits/8``; each tensor begins at a whole byte."""
    dtype = basis.types_of(layer).weights
    return Add(*(p.copies * in_bytes(p.size, dtype) for p in basis.params_of(layer)))


def count_macs(layer: LayerCost, basis: Basis) -> Expr:
    """Multiply-accumulates of the products, and of the bias where that counts."""
    return layer.cost.macs + (layer.cost.biased if basis.convention.counts_bias else 0)


def count_least_macs(layer: LayerCost, basis: Basis) -> Expr:
    """Multiply-accumulates that any implementation makes: none that a causal mask hides."""
    return basis.least_macs(layer)


def count_flops(layer: LayerCost, basis: Basis) -> Expr:
    """Floating-point operations: two per MAC."""
    return 2 * count_macs(layer, basis)


def count_activations(layer: LayerCost, basis: Basis) -> Expr:
    """Elements of the output and of what is inside, where it counts as a feature map."""
    if not _is_feature_map(layer, basis.convention):
        return Integer(0)
    inside = (i.size for i in layer.cost.inner if i.output in basis.convention.feature_maps)
    return Add(layer.output_elements, *inside)


def count_activations_peak(layer: LayerCost, basis: Basis) -> Expr:
    """Elements of input and output of a layer that makes a new feature map.

    Of a layer with several products it is the largest input and output of one of them.
    """
    if not _is_feature_map(layer, basis.convention):
        return Integer(0)
    return Maximum(*(step.elements for step in layer.steps))


def count_bytes_moved(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of weights, inputs and outputs that are moved at least (see `traffic`)."""
    return traffic(layer, basis).total


def count_compute_time(layer: LayerCost, basis: Basis) -> Expr:
    """Seconds of the operations that are made at least, at the device's peak: ``2·MACs/peak``."""
    return computation_time(2 * basis.least_macs(layer), layer, basis)


def count_latency(layer: LayerCost, basis: Basis) -> Expr:
    """Seconds of operations or of moving bytes, whichever takes longer."""
    return larger(count_compute_time(layer, basis), memory_time(layer, basis))


COMPUTE_TIME = Metric(
    "compute_time",
    "T computation",
    "seconds",
    count_compute_time,
    quantity="s",
    of_device=True,
    on_request=True,
)
MEMORY_TIME = COMPUTE_TIME._replace(name="memory_time", title="T memory", per_layer=memory_time)


def count_kv_cache(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of the keys and values that a layer keeps after the run, of all sequences."""
    cache = layer.cost.cache
    if cache is None:
        return Integer(0)
    return cached_bytes(cache, cache.held, basis.types_of(layer).cache)


def count_kv_cache_per_token(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of the keys and values that a further token of a sequence adds, till a window is full.

    Those of a cross attention are of its source, to which no further token adds.
    """
    cache = layer.cost.cache
    if cache is None or not cache.grows:
        return Integer(0)
    return cached_bytes(cache._replace(rows=S.One), S.One, basis.types_of(layer).cache)


def _of_cache(name: str, title: str, per_layer: PerLayer) -> Metric:
    """What is kept for the next token, where the network needs no more than that."""

    def of_network(analysis: "Analysis") -> PerLayer:
        from costmodel.network.decoding import require_decodable

        require_decodable(analysis.propagation)
        return per_layer

    return Metric(name, title, "bytes", None, on_request=True, of_network=of_network)


def _memory(name: str, title: str, order: Order) -> Metric:
    """What is in memory while the layers work in an order (see `liveness`)."""

    def of_network(analysis: "Analysis") -> PerLayer:
        alive = analysis.alive(order)
        return lambda layer, _: alive[layer.node.path]

    return Metric(
        name,
        title,
        "bytes",
        None,
        combine="max",
        on_request=order == "best",
        of_network=of_network,
        of_all_runs=True,
    )


def _energy(part: str = "", *, of_all_runs: bool = False) -> Metric:
    """What a layer takes, or a part of it, in joules (see `energy`)."""

    def of_network(analysis: "Analysis") -> PerLayer:
        take = getattr(analysis.energies, part or "total")
        return lambda layer, _: take(layer)

    return Metric(
        f"energy_{part}" if part else "energy",
        part or "energy",
        "joules",
        None,
        quantity="J",
        of_device=True,
        on_request=True,
        of_network=of_network,
        of_all_runs=of_all_runs,
    )


def _of_places(name: str, title: str, measure: Measure) -> Metric:
    """A measure of what a layer's output sees of an axis of the input (see `reach`)."""

    def of_network(analysis: "Analysis") -> PerLayer:
        reaches = analysis.fields.reaches

        def of_layer(layer: LayerCost, basis: Basis) -> Expr:  # noqa: ARG001
            try:
                found = measured(reaches[layer.node.path], measure)
            except OpenPlacesError as error:
                cause = f"{name} is none: of {layer.node.path}, {error}"
                hint = "fix symbols with --set"
                raise OpenFieldError(cause, hint=hint, origin=layer.node.origin) from None
            if isinstance(found, str):
                raise no_count(name, found, layer)
            return found

        return of_layer

    unit = "elements of an axis of the input"
    return Metric(name, title, unit, None, combine="max", of_places=True, of_network=of_network)


def _is_feature_map(layer: LayerCost, convention: Convention) -> bool:
    return layer.cost.output in convention.feature_maps


def _of_weights(name: str, title: str, per_layer: PerLayer) -> Metric:
    """What training adds to every weight, in bytes."""
    return Metric(name, title, "bytes", per_layer, per="copy", on_request=True, of_training=True)


def _of_step(name: str, title: str, unit: str = "bytes") -> Metric:
    """What a step of training takes, of which a layer's part hangs on the layers around it."""

    def within(analysis: "Analysis") -> PerLayer:
        counts = analysis.step.by_path(name)
        return lambda layer, basis: counts.get(layer.node.path, S.Zero)  # noqa: ARG005

    return Metric(
        name,
        title,
        unit,
        None,
        on_request=True,
        of_network=within,
        of_all_runs=True,
        of_training=True,
    )


_OF_TRAINING = (
    _of_weights("gradients", "gradients", count_gradients),
    _of_weights("optimizer_state", "optimizer state", count_optimizer_state),
    _of_step("activations_kept", "activations kept"),
    _of_step("training_memory", "training memory"),
    _of_step("training_macs", "training MACs", "multiply-accumulates"),
)
"""What a step of training takes; see docs/training.md."""

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("params", "#params", "parameters", count_params, per="copy"),
            Metric("model_size", "model size", "bytes", count_model_size, per="copy"),
            Metric("macs", "MACs", "multiply-accumulates", count_macs),
            Metric("flops", "FLOPs", "operations", count_flops),
            Metric(
                "macs_least",
                "MACs, at least",
                "multiply-accumulates",
                count_least_macs,
                on_request=True,
            ),
            Metric("activations", "#activations", "elements", count_activations, of_input=True),
            Metric(
                "activations_peak",
                "peak activations",
                "elements",
                count_activations_peak,
                combine="max",
            ),
            Metric(
                "in_out_peak", "input + output", "bytes", in_out, combine="max", on_request=True
            ),
            _memory("memory_peak", "peak memory", "given"),
            _memory("memory_peak_best", "peak memory, best order", "best"),
            Metric("bytes_moved", "bytes moved", "bytes", count_bytes_moved, on_request=True),
            _of_cache("kv_cache", "KV cache", count_kv_cache),
            _of_cache("kv_cache_per_token", "KV cache per token", count_kv_cache_per_token),
            _energy(of_all_runs=True),
            _energy("arithmetic"),
            _energy("weights"),
            _energy("cache"),
            _energy("activations", of_all_runs=True),
            *_OF_TRAINING,
            Metric(
                "latency",
                "latency, at least",
                "seconds",
                count_latency,
                quantity="s",
                of_device=True,
            ),
            Metric(
                "latency_network",
                "network latency, at least",
                "seconds",
                None,
                combine="max",
                quantity="s",
                of_device=True,
                on_request=True,
                larger_of=(COMPUTE_TIME, MEMORY_TIME),
            ),
            COMPUTE_TIME,
            MEMORY_TIME,
            _of_places("receptive_field", "receptive field", size_of),
            _of_places("effective_stride", "effective stride", stride_of),
            _of_places("effective_padding", "effective padding", padding_of),
        )
    }
)


def find_metric(name: str) -> Metric:
    """The metric of a name.

    Raises:
        SpecError: there is none.
    """
    if "," in name:
        raise SpecError(f"unknown metric '{name}'", hint="separate them by spaces")
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or f"known: {', '.join(METRICS)}"
        raise SpecError(f"unknown metric '{name}'", hint=hint)
    return METRICS[name]

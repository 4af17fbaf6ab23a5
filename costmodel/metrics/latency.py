"""The least time that a layer takes: ``max(T_computation, T_memory)``.

Source: MIT 6.5940, lecture 2; the roofline of Williams, Waterman and Patterson, 2009. It is a lower
bound: every operation runs at the device's peak, every byte is moved once at the full bandwidth of
the main memory, and the two go on at the same time. Where a device states no bandwidth,
``T_computation`` alone is the bound: what is known of it still is no more than the time it takes.
"""

from collections.abc import Sequence
from fractions import Fraction

from sympy import Add, Expr, S

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.algebra.functions import Maximum, exact
from costmodel.metrics.data_movement import data_movement, weights_read
from costmodel.metrics.fusion import kernel_of
from costmodel.metrics.registry import LARGEST, METRICS, SECONDS, Need, metric
from costmodel.network.context import Context
from costmodel.network.propagation import CountedLayer, LayerCost


def computation_time(operations: Expr, layer: LayerCost, context: Context) -> Expr:
    """``T_computation = operations / (peak · efficiency)``, the peak being the products' type's.

    Raises:
        SpecError: the device has no peak for it; of no operation none is asked for.
    """
    if operations is S.Zero:
        return S.Zero
    from costmodel.scenario.devices import operations_per_second

    dtype = context.types_of(layer).operations
    try:
        peak = operations_per_second(context.device.profile, dtype)
    except SpecError as error:
        raise layer.node.error(error.cause, error.hint) from None
    return operations * _seconds_per(peak, context)


@metric("memory_time", "T memory", SECONDS, needs=(Need.DEVICE,))
def memory_time(layer: LayerCost, context: Context) -> Expr:
    """Seconds of moving bytes: ``(weights + inputs and outputs)/(bandwidth · efficiency)``.

    Raises:
        SpecError: the device states no bandwidth of its main memory.
    """
    return _transfer_time(data_movement(layer, context).total, context)


def weights_time(layer: LayerCost, context: Context) -> Expr:
    """``weights/(bandwidth · efficiency)``, which is a part of `memory_time`."""
    return _transfer_time(weights_read(layer, context), context)


def _transfer_time(moved: Expr, context: Context) -> Expr:
    if moved is S.Zero:
        return S.Zero
    from costmodel.scenario.devices import bandwidth

    return moved * _seconds_per(bandwidth(context.device.profile), context)


def _seconds_per(rate: Rational, context: Context) -> Expr:
    return exact(1 / (Fraction(rate) * context.device.efficiency))


BOUNDS = ("latency", "latency_network")
"""The metrics that are ``T_computation`` alone on a device that states no bandwidth."""


def _moves_in_known_time(context: Context) -> bool:
    from costmodel.scenario.devices import no_bandwidth

    return no_bandwidth(context.device.profile) is None


def larger(computation: Expr, memory: Expr) -> Expr:
    """The larger of two times, neither of which is negative."""
    times = [time for time in (computation, memory) if time is not S.Zero]
    return Maximum(*times) if times else S.Zero


@metric("compute_time", "T computation", SECONDS, needs=(Need.DEVICE,))
def count_compute_time(layer: LayerCost, context: Context) -> Expr:
    """Seconds of the operations that are made at least, at the device's peak: ``2·MACs/peak``."""
    return computation_time(2 * context.least_macs(layer), layer, context)


@metric("latency", "latency, at least", SECONDS, needs=(Need.DEVICE,))
def count_latency(layer: LayerCost, context: Context) -> Expr:
    """Seconds of operations or of moving bytes, whichever takes longer.

    Of a fused group it is that of all together, which stands at its last layer.
    """
    kernel = kernel_of(layer, context)
    if kernel is not None and layer is not kernel.last:
        return S.Zero
    if kernel is not None:
        times = (_times(each, context) for each in kernel.layers)
        return larger(*(Add(*each) for each in zip(*times, strict=True)))
    return larger(*_times(layer, context))


def _times(layer: LayerCost, context: Context) -> tuple[Expr, Expr]:
    """Return the times of a layer's operations and of moving its bytes."""
    moving = memory_time(layer, context) if _moves_in_known_time(context) else S.Zero
    return count_compute_time(layer, context), moving


def _both_times(layers: Sequence[CountedLayer], context: Context) -> list[Expr]:
    """Return the times of computation and of memory, each summed over all layers before."""
    names = ("compute_time", "memory_time") if _moves_in_known_time(context) else ("compute_time",)
    times = (METRICS[name].of(layers, context) for name in names)
    return [time for time in times if time != 0]


@metric(
    "latency_network",
    "network latency, at least",
    SECONDS,
    LARGEST,
    needs=(Need.DEVICE,),
    of_layers=_both_times,
)
def count_network_latency(layer: LayerCost, context: Context) -> Expr:
    """Seconds of all operations or of moving all bytes, whichever takes longer."""
    return count_latency(layer, context)

"""The bytes that are in memory while the layers work, in the spec's order or in the best one."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from sympy import Expr

from costmodel.algebra.functions import Maximum
from costmodel.algebra.work import budget
from costmodel.metrics.registry import BYTES, LARGEST_OF_ALL_RUNS, Need, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost

if TYPE_CHECKING:
    from costmodel.metrics.liveness import Execution, WorkingLayer
    from costmodel.metrics.schedule import BestOrder

Order = Literal["given", "best"]


def run(context: Context) -> "Execution":
    """Return the network at work in the spec's order."""
    from costmodel.metrics.liveness import unrolled

    with budget("the turns of the repeats", context.network.propagation.largest_layer):
        return unrolled(context)


def _memory_while(run: "Execution", context: Context) -> dict[str, Expr]:
    """Return every layer's path, with the most bytes in memory while it works."""
    from costmodel.metrics import liveness

    network = context.network.propagation
    found: dict[str, list[Expr]] = {layer.node.path: [] for layer in network.layers}
    with budget("the bytes in memory", network.largest_layer):
        for layer, size in liveness.memory(run):
            found[layer.node.path].append(size)
    return {path: Maximum(*sizes) for path, sizes in found.items()}


def memory(context: Context, order: Order) -> Mapping[str, Expr]:
    """Return every layer's path, with the most bytes in memory while it works in an order."""
    return context.derived(_given) if order == "given" else context.derived(best_order).memory


def _given(context: Context) -> Mapping[str, Expr]:
    return _memory_while(context.derived(run), context)


def best_order(context: Context) -> "BestOrder":
    """Return the order of the layers with the least peak memory at the symbols' values.

    The closed forms are those of that order, and hold at all values.
    """
    from costmodel.metrics import schedule

    evaluate = context.network.evaluator
    with budget("the orders of the layers", context.network.propagation.largest_layer):
        order = schedule.best_order(context.derived(run), evaluate)
    return order.with_memory(_memory_while(order.run, context), evaluate)


def given_order(context: Context) -> tuple[str, ...]:
    """Return the paths of the layers as they work; of a repeat the first iteration and a later."""
    return context.derived(run).layers


def at_work(context: Context) -> "Iterator[WorkingLayer]":
    """Yield every layer in every iteration that is told apart, with the bytes in memory then."""
    from costmodel.metrics import liveness

    return liveness.at_work(context.derived(run))


@metric("memory_peak", "peak memory", BYTES, LARGEST_OF_ALL_RUNS, needs=(Need.SCHEDULE,))
def count_memory(layer: LayerCost, context: Context) -> Expr:
    """Bytes that are in memory while a layer works: what it reads and makes, and what is kept."""
    return memory(context, "given")[layer.node.path]


@metric(
    "memory_peak_best",
    "peak memory, best order",
    BYTES,
    LARGEST_OF_ALL_RUNS,
    needs=(Need.SCHEDULE, Need.SEARCH),
)
def count_memory_in_best_order(layer: LayerCost, context: Context) -> Expr:
    """Bytes that are in memory while a layer works, in the order with the least peak."""
    return memory(context, "best")[layer.node.path]

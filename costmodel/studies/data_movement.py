"""The derivation of a layer's bytes and seconds, step by step."""

from collections.abc import Iterator

from sympy import S

from archspec.arithmetic import Rational
from archspec.precision import TYPES
from costmodel.algebra.evaluate import Evaluator
from costmodel.metrics.data_movement import DataMovement, data_movement
from costmodel.metrics.latency import computation_time, larger, memory_time
from costmodel.metrics.macs import count_macs
from costmodel.metrics.params import count_model_size
from costmodel.metrics.registry import METRICS
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost
from costmodel.rules.formula import ExplanationStep, show_number, show_quantity
from costmodel.scenario.devices import bandwidth, no_bandwidth, operations_per_second

PARTS = {
    "weights": "weights",
    "reads": "input",
    "writes": "output",
    "cache_reads": "cache read",
    "cache_writes": "cache written",
}
"""Part of the bytes a layer moves → its name for a reader."""


def movement(layer: LayerCost, context: Context, evaluate: Evaluator) -> Iterator[ExplanationStep]:
    """The bytes that it stores and moves; on a device, the least time that this takes."""
    yield from _stored(layer, context, evaluate)
    moved = data_movement(layer, context)
    yield from _moved(moved, evaluate)
    if context.scenario.device is not None:
        yield from _times(layer, context, evaluate)


def _stored(layer: LayerCost, context: Context, evaluate: Evaluator) -> Iterator[ExplanationStep]:
    sizes = [(evaluate(p.copies), evaluate(p.size)) for p in context.params_of(layer)]
    if any(size for _, size in sizes):
        bits = TYPES[context.types_of(layer).weights]
        # every tensor begins at a whole byte
        one = "⌈{}·{}/8⌉" if bits % 8 else "{}·{}/8"
        terms = ((copies, one.format(show_number(size), bits)) for copies, size in sizes)
        numbers = " + ".join(term if n == 1 else f"{show_number(n)}·{term}" for n, term in terms)
        total = show_number(evaluate(count_model_size(layer, context)))
        yield ExplanationStep("model size", "#params·bits/8", numbers, f"{total} bytes")


def _moved(moved: DataMovement, evaluate: Evaluator) -> Iterator[ExplanationStep]:
    parts = [(PARTS[name], evaluate(size)) for name, size in moved._asdict().items()]
    there = [(name, size) for name, size in parts if size]
    if there:
        rule = " + ".join(name for name, _ in there)
        numbers = " + ".join(show_number(size) for _, size in there)
        yield ExplanationStep(
            "bytes moved", rule, numbers, f"{show_number(evaluate(moved.total))} bytes"
        )


def _times(layer: LayerCost, context: Context, evaluate: Evaluator) -> Iterator[ExplanationStep]:
    macs = context.least_macs(layer)
    operations = 2 * macs
    if macs != count_macs(layer, context):
        at_least = METRICS["macs_least"].title
        yield ExplanationStep(
            at_least, "MACs that the mask leaves", "", show_number(evaluate(macs))
        )
    profile = context.device.profile
    is_alone = no_bandwidth(profile) is not None
    computing = computation_time(operations, layer, context)
    moving = S.Zero if is_alone else memory_time(layer, context)
    if computing != 0:
        peak = operations_per_second(profile, context.types_of(layer).operations)
        over = f"2 × {show_number(evaluate(macs))}"
        yield _time("T computation", "2·MACs/peak", f"{over}/({_rate(peak, 'op/s', context)})",
                    evaluate(computing))  # fmt: skip
    if moving != 0:
        bytes_moved = show_number(evaluate(data_movement(layer, context).total))
        rate = _rate(bandwidth(profile), "B/s", context)
        yield _time("T memory", "bytes/bandwidth", f"{bytes_moved}/({rate})", evaluate(moving))
    if computing != 0 and is_alone:
        yield _time("latency ≥", "T computation alone", "", evaluate(computing))
    if computing != 0 and moving != 0:
        both = f"max({_seconds(evaluate(computing))}, {_seconds(evaluate(moving))})"
        longer = evaluate(larger(computing, moving))
        yield _time("latency ≥", "max(T computation, T memory)", both, longer)


def _time(name: str, rule: str, numbers: str, value: Rational) -> ExplanationStep:
    return ExplanationStep(name, rule, numbers, _seconds(value))


def _seconds(value: Rational) -> str:
    return show_quantity(value, "s")


def _rate(rate: Rational, unit: str, context: Context) -> str:
    """A peak, with the part of it that is reached."""
    reached = context.device.efficiency
    return show_quantity(rate, unit) + (f" × {reached}" if reached != 1 else "")

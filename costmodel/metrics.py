"""Metrics: what is counted of a layer under a convention, and how layers combine to a network."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from sympy import Expr, Integer

from archspec.errors import SpecError, did_you_mean
from costmodel.conventions import Convention
from costmodel.propagation import LayerCost

WEIGHT_BITS = 32
"""Bits of a weight, where nothing else is said."""

PerLayer = Callable[[LayerCost, Convention], Expr]


class Metric(NamedTuple):
    """Something that is counted.

    Attributes:
        name: as ``--metric`` takes it.
        title: the column's head.
        unit: what one of it is.
        per_layer: the count of a layer.
        combine: whether layers add up, or the largest is the network's.
        of_input: whether the network's inputs count, where the convention says so.
    """

    name: str
    title: str
    unit: str
    per_layer: PerLayer
    combine: Literal["sum", "max"] = "sum"
    of_input: bool = False


def count_params(layer: LayerCost, convention: Convention) -> Expr:
    """Elements of the learnable tensors that count."""
    counted = (p.size for p in layer.cost.parameters if p.role in convention.roles)
    return sum(counted, Integer(0))


def count_model_size(layer: LayerCost, convention: Convention) -> Expr:
    """Bytes of the params at 32 bits each: ``params·32/8``."""
    return count_params(layer, convention) * WEIGHT_BITS / 8


def count_macs(layer: LayerCost, convention: Convention) -> Expr:
    """Multiply-accumulates of the products, and of the bias where that counts."""
    bias = convention.counts_bias and layer.cost.has_bias
    return layer.cost.macs + (layer.output_elements if bias else 0)


def count_flops(layer: LayerCost, convention: Convention) -> Expr:
    """Floating-point operations: two per MAC."""
    return 2 * count_macs(layer, convention)


def count_activations(layer: LayerCost, convention: Convention) -> Expr:
    """Elements of the output, where it counts as a feature map."""
    return layer.output_elements if _is_feature_map(layer, convention) else Integer(0)


def count_activations_peak(layer: LayerCost, convention: Convention) -> Expr:
    """Elements of input and output of a layer that makes a new feature map."""
    if not _is_feature_map(layer, convention):
        return Integer(0)
    return layer.input_elements + layer.output_elements


def _is_feature_map(layer: LayerCost, convention: Convention) -> bool:
    return layer.cost.output in convention.feature_maps


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("params", "#params", "parameters", count_params),
            Metric("model_size", "model size", "bytes", count_model_size),
            Metric("macs", "MACs", "multiply-accumulates", count_macs),
            Metric("flops", "FLOPs", "operations", count_flops),
            Metric("activations", "#activations", "elements", count_activations, of_input=True),
            Metric(
                "activations_peak",
                "peak activations",
                "elements",
                count_activations_peak,
                combine="max",
            ),
        )
    }
)


def find_metric(name: str) -> Metric:
    """The metric of a name.

    Raises:
        SpecError: there is none.
    """
    if name not in METRICS:
        raise SpecError(f"unknown metric '{name}'", hint=did_you_mean(name, METRICS))
    return METRICS[name]

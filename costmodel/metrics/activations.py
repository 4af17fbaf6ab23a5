"""The elements of the feature maps that a convention counts: in all, and at one layer at most."""

from sympy import Add, Expr, Integer

from costmodel.algebra.functions import Maximum
from costmodel.metrics.registry import ELEMENTS, LARGEST, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost
from costmodel.rules.base import elements


def _inputs(context: Context) -> dict[str, Expr]:
    """Return the elements of each of the network's inputs, where the convention counts them."""
    inputs = context.network.propagation.inputs if context.convention.counts_input else {}
    return {name: elements(shape) for name, shape in inputs.items()}


@metric("activations", "#activations", ELEMENTS, beside=_inputs)
def count_activations(layer: LayerCost, context: Context) -> Expr:
    """Elements of the output and of what is inside, where it counts as a feature map."""
    maps = context.convention.feature_maps
    if layer.cost.output not in maps:
        return Integer(0)
    return Add(layer.output_elements, *(i.size for i in layer.cost.inner if i.output in maps))


@metric("activations_peak", "peak activations", ELEMENTS, LARGEST)
def count_activations_peak(layer: LayerCost, context: Context) -> Expr:
    """Elements of input and output of a layer that makes a new feature map.

    Of a layer with several products it is the largest input and output of one of them.
    """
    if layer.cost.output not in context.convention.feature_maps:
        return Integer(0)
    return Maximum(*(step.elements for step in layer.steps))

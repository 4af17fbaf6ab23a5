"""Activation functions."""

from archspec.layers.activation import Activation, Softmax
from costmodel.cost import Cost, Output
from costmodel.rules.base import Shape, Site, cost_rule, shape_rule


@shape_rule(Activation)
def activation_shape(layer: Activation, site: Site) -> Shape:
    """The input's shape; softmax has an axis in it."""
    if isinstance(layer, Softmax):
        site.axis(site.integer("dim", layer.dim), "dim")
    return site.input


@cost_rule(Activation)
def activation_cost(layer: Activation, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """No products and no parameters; it works in place. Source: MIT 6.5940, lecture 2."""
    return Cost(Output.IN_PLACE)

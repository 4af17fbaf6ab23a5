"""Activation functions."""

from sympy import S

from archspec.fields import Expression
from archspec.layers.activation import (
    CELU,
    GLU,
    Activation,
    HardTanh,
    OverAxis,
    PReLU,
    RReLU,
    SoftShrink,
)
from costmodel.algebra.conditions import AtLeast, Divides, Equal
from costmodel.algebra.functions import floor_div
from costmodel.cost import Cost, Output, Parameter, Role
from costmodel.rules.base import Shape, Site, cost_rule, replaced, shape_rule


@shape_rule(Activation)
def activation_shape(layer: Activation, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape."""
    return site.input


@shape_rule(RReLU)
def rrelu_shape(layer: RReLU, site: Site) -> Shape:
    """The input's shape; the slopes are in order. Source: ``torch.nn.RReLU``."""
    _require_order(site, "lower", layer.lower, "upper", layer.upper)
    return site.input


@shape_rule(HardTanh)
def hardtanh_shape(layer: HardTanh, site: Site) -> Shape:
    """The input's shape; the bounds are in order. Source: ``torch.nn.Hardtanh``."""
    _require_order(site, "min_val", layer.min_val, "max_val", layer.max_val)
    return site.input


def _require_order(site: Site, low: str, least: Expression, high: str, most: Expression) -> None:
    values = {low: site.value(low, least), high: site.value(high, most)}
    rule = f"{low} ({{{low}}}) must be at most {high} ({{{high}}})"
    site.require(AtLeast(values[high] - values[low], 0), rule, values, high)


@shape_rule(SoftShrink)
def softshrink_shape(layer: SoftShrink, site: Site) -> Shape:
    """The input's shape; the bound is not negative. Source: ``torch.nn.Softshrink``."""
    bound = site.value("lambd", layer.lambd)
    rule = "lambd ({bound}) must be at least 0"
    site.require(AtLeast(bound, 0), rule, {"bound": bound}, "lambd")
    return site.input


@shape_rule(CELU)
def celu_shape(layer: CELU, site: Site) -> Shape:
    """The input's shape; the limit is divided by. Source: ``torch.nn.CELU``."""
    if site.value("alpha", layer.alpha) == 0:
        raise site.node.error("alpha (0) must not be 0", field="alpha")
    return site.input


@cost_rule(Activation, OverAxis)
def activation_cost(layer: Activation | OverAxis, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """No products and no parameters; it works in place. Source: MIT 6.5940, lecture 2."""
    return Cost(Output.IN_PLACE)


@shape_rule(OverAxis)
def over_axis_shape(layer: OverAxis, site: Site) -> Shape:
    """The input's shape, which has the axis."""
    site.axis_of("dim", layer.dim)
    return site.input


@shape_rule(GLU)
def glu_shape(layer: GLU, site: Site) -> Shape:
    """``(…, 2·c, …) → (…, c, …)``. Source: ``torch.nn.GLU``."""
    axis = site.axis_of("dim", layer.dim)
    size = site.input[axis]
    rule = "axis {axis} ({size}) must be even to be cut in halves"
    site.require(Divides(S(2), size), rule, {"axis": S(axis), "size": size}, "dim")
    return replaced(site.input, axis, floor_div(size, S(2)))


@shape_rule(PReLU)
def prelu_shape(layer: PReLU, site: Site) -> Shape:
    """The input's shape; there is one slope, or one per channel. Source: ``torch.nn.PReLU``."""
    slopes = site.size("num_parameters", layer.num_parameters)
    if slopes is not S.One:
        channels = site.input[site.axis(1)]
        site.require(
            Equal(slopes, channels),
            "num_parameters ({slopes}) must be 1 or the channels ({channels})",
            {"slopes": slopes, "channels": channels},
            "num_parameters",
        )
    return site.input


@cost_rule(PReLU)
def prelu_cost(layer: PReLU, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """A slope per channel, or one for all; in place. Source: He et al., ICCV 2015."""
    slopes = site.size("num_parameters", layer.num_parameters)
    slope = Parameter("weight", Role.WEIGHT, slopes, "num_parameters")
    return Cost(Output.IN_PLACE, parameters=(slope,))

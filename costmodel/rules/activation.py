"""Activation functions."""

from sympy import S

from archspec.layers import activation as kinds
from costmodel.algebra.conditions import AtLeast, Divides, Equal
from costmodel.algebra.functions import floor_div
from costmodel.rules import Both, Shape, Site, backward_rule, elements, keeps, rule, shape_rule
from costmodel.rules.backward import (
    BIT,
    INPUT,
    NOTHING,
    OUTPUT,
    Backward,
    KeptInput,
    KeptIntermediate,
    mask,
)
from costmodel.rules.base import replaced
from costmodel.rules.cost import TRUTH, Cost, Output, Parameter, Role, axes_but


@rule(kinds.Activation)
def activation(layer: kinds.Activation, site: Site) -> Both:  # noqa: ARG001
    """The input's shape; no products and no parameters, in place. Source: MIT 6.5940, lecture 2."""
    return site.input, Cost(Output.IN_PLACE)


@rule(kinds.Test)
def tested(layer: kinds.Test, site: Site) -> Both:  # noqa: ARG001
    """The input's shape, a truth value of each element. Source: ``torch.isnan`` and others."""
    return site.input, Cost(Output.BROADCAST, types=(TRUTH,))


@rule(kinds.Clamp)
def clamped(layer: kinds.Clamp, site: Site) -> Both:
    """The input's shape, in place; one of the bounds is given. Source: ``torch.clamp``."""
    if layer.min is None and layer.max is None:
        raise site.node.error("takes min or max, or both")
    return site.input, Cost(Output.IN_PLACE)


@rule(kinds.LowerTriangle)
def triangle(layer: kinds.LowerTriangle, site: Site) -> Both:
    """The input's shape ``(…, m, k)``, in place. Source: ``torch.tril``."""
    site.axis(-2)
    site.whole("diagonal", layer.diagonal)
    return site.input, Cost(Output.IN_PLACE, meets=(-2, -1))


@shape_rule(kinds.RReLU, kinds.HardTanh)
def bounded_shape(layer: kinds.RReLU | kinds.HardTanh, site: Site) -> Shape:
    """The input's shape; the slopes, or the bounds, are in order.

    Source: ``torch.nn.RReLU`` and ``Hardtanh``.
    """
    low, high = ("lower", "upper") if isinstance(layer, kinds.RReLU) else ("min_val", "max_val")
    values = {name: site.value(name, getattr(layer, name)) for name in (low, high)}
    rule = f"{low} ({{{low}}}) must be at most {high} ({{{high}}})"
    site.require(AtLeast(values[high] - values[low], 0), rule, values, high)
    return site.input


@shape_rule(kinds.SoftShrink)
def softshrink_shape(layer: kinds.SoftShrink, site: Site) -> Shape:
    """The input's shape; the bound is not negative. Source: ``torch.nn.Softshrink``."""
    bound = site.value("lambd", layer.lambd)
    rule = "lambd ({bound}) must be at least 0"
    site.require(AtLeast(bound, 0), rule, {"bound": bound}, "lambd")
    return site.input


@shape_rule(kinds.CELU)
def celu_shape(layer: kinds.CELU, site: Site) -> Shape:
    """The input's shape; the limit is divided by. Source: ``torch.nn.CELU``."""
    if site.value("alpha", layer.alpha) == 0:
        raise site.node.error("alpha (0) must not be 0", field="alpha")
    return site.input


@rule(kinds.OverAxis)
def over_axis(layer: kinds.OverAxis, site: Site) -> Both:
    """The input's shape, which has the axis; in place, the elements of one axis together."""
    return site.input, Cost(Output.IN_PLACE, meets=(site.axis_of("dim", layer.dim),))


@rule(kinds.GLU)
def gated(layer: kinds.GLU, site: Site) -> Both:
    """``(…, 2·c, …) → (…, c, …)``, in place. Source: Dauphin et al., ICML 2017."""
    axis = site.axis_of("dim", layer.dim)
    size = site.input[axis]
    rule = "axis {axis} ({size}) must be even to be cut in halves"
    site.require(Divides(S(2), size), rule, {"axis": S(axis), "size": size}, "dim")
    output = replaced(site.input, axis, floor_div(size, S(2)))
    return output, Cost(Output.IN_PLACE, axes=axes_but(len(output), axis))


@rule(kinds.PReLU)
def sloped(layer: kinds.PReLU, site: Site) -> Both:
    """The input's shape, in place; there is one slope, or one per channel.

    Source: He et al., ICCV 2015; ``torch.nn.PReLU``.
    """
    slopes = site.size("num_parameters", layer.num_parameters)
    if slopes is not S.One:
        channels = site.input[site.axis(1)]
        site.require(
            Equal(slopes, channels),
            "num_parameters ({slopes}) must be 1 or the channels ({channels})",
            {"slopes": slopes, "channels": channels},
            "num_parameters",
        )
    slope = Parameter("weight", Role.WEIGHT, slopes, "num_parameters")
    own = () if slopes is S.One else (1,)
    return site.input, Cost(Output.IN_PLACE, parameters=(slope,), meets=own)


# The input: the derivative is a function of it. Source: ``torch.nn.GELU`` and others.
keeps(
    INPUT,
    *(kinds.SiLU, kinds.HardSwish, kinds.GELU, kinds.ELU, kinds.CELU, kinds.SELU, kinds.Softplus),
    *(kinds.Softsign, kinds.Mish, kinds.LogSigmoid, kinds.TanhShrink, kinds.PReLU, kinds.GLU),
    *(kinds.OfInput, kinds.Normalize),
)


# The output: ``σ' = σ·(1 − σ)``, ``tanh' = 1 − tanh²``; softmax likewise.
# Source: ``torch.nn.Sigmoid``, ``Tanh`` and ``Softmax``.
keeps(
    OUTPUT,
    *(kinds.Sigmoid, kinds.Tanh, kinds.Softmax, kinds.Softmin, kinds.LogSoftmax, kinds.OfOutput),
)


# Nothing: the derivative is 0, a constant, or, of a sum, sums. Source: ``torch.neg`` and others.
keeps(NOTHING, kinds.Stepped, kinds.Test, kinds.LowerTriangle, kinds.Cumsum)

# The factors, and what is made of them. Source: ``torch.cumprod``.
keeps(Backward((KeptInput(0),), output=True), kinds.Cumprod)


@backward_rule(
    kinds.ReLU, kinds.ReLU6, kinds.HardTanh, kinds.HardSigmoid, kinds.HardShrink, kinds.SoftShrink
)
def bend_backward(layer: kinds.Activation, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """A bit per element: on which side of a bend it is; the output says it, too.

    Source: Cai et al., NeurIPS 2020 (TinyTL), section 3.1.
    """
    return mask("mask", elements(output), BIT, follows=True)


@backward_rule(kinds.Clamp)
def clamp_backward(layer: kinds.Clamp, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """Keep a bit per element, which says whether it was within the bounds."""
    return mask("mask", elements(output), BIT)


@backward_rule(kinds.LeakyReLU)
def leaky_backward(layer: kinds.LeakyReLU, site: Site, output: Shape) -> Backward:
    """A bit per element; the output has the input's sign where no slope is negative."""
    slope = site.value("negative_slope", layer.negative_slope)
    return mask("mask", elements(output), BIT, follows=bool(slope.is_nonnegative))


@backward_rule(kinds.Threshold)
def threshold_backward(layer: kinds.Threshold, site: Site, output: Shape) -> Backward:
    """Keep a bit per element, unless the output says it: where the value put in is below, too."""
    room = site.value("threshold", layer.threshold) - site.value("value", layer.value)
    return mask("mask", elements(output), BIT, follows=bool(room.is_nonnegative))


@backward_rule(kinds.RReLU)
def random_slopes_backward(layer: kinds.RReLU, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """Keep the slope of each element, which is random below 0. Source: ``torch.nn.RReLU``."""
    return Backward(inside=(KeptIntermediate("slopes", elements(output)),))

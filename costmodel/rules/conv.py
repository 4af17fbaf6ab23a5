"""Convolutions: the loops over ``c_i/g, k, h_o, w_o, c_o``."""

from sympy import Expr, S

from archspec.fields import Expression
from archspec.layers.conv import Conv
from costmodel.algebra.conditions import Divides
from costmodel.cost import Cost, Output, Parameter, Role, weight_of
from costmodel.nests import BATCH, Axis, Loop, LoopNest, Operand
from costmodel.rules.base import Shape, Site, cost_rule, elements, shape_rule
from costmodel.rules.sliding import require_output, spatial_input
from costmodel.windows import AXES, Window


@shape_rule(Conv)
def convolution_shape(layer: Conv, site: Site) -> Shape:
    """``h_o = (h_i + p_before + p_after − d·(k − 1) − 1)//s + 1`` on every spatial axis.

    Source: Dumoulin and Visin 2016, relationship 15; ``torch.nn.Conv2d``.
    """
    channels = site.size("out_channels", layer.out_channels)
    outputs = require_output(site, _windows(layer, site))
    groups = site.size("groups", layer.groups)
    for name, count in (("in_channels", site.input[1]), ("out_channels", channels)):
        rule = f"{name} ({{channels}}) must be divisible by groups ({{groups}})"
        shown = {"channels": count, "groups": groups}
        site.require(Divides(groups, count), rule, shown, "groups")
    return (site.input[0], channels, *outputs)


def _windows(layer: Conv, site: Site) -> tuple[Window, ...]:
    rank = layer.rank
    sizes = spatial_input(site, rank)
    kernels = site.per_axis("kernel_size", layer.kernel_size, rank)
    strides = site.per_axis("stride", layer.stride, rank)
    dilations = site.per_axis("dilation", layer.dilation, rank)
    sides = _padding(layer, site)
    return tuple(
        Window(axis, size, kernel, stride, dilation, before, after, layer.padding == "same")
        for axis, size, kernel, stride, dilation, (before, after) in zip(
            AXES[rank], sizes, kernels, strides, dilations, sides, strict=True
        )
    )


def _padding(layer: Conv, site: Site) -> tuple[tuple[Expr, Expr], ...]:
    """Elements before and after, per axis."""
    if isinstance(layer.padding, str):
        return ((S.Zero, S.Zero),) * layer.rank
    if isinstance(layer.padding, Expression):
        return (_side(layer.padding, site),) * layer.rank
    if len(layer.padding) != layer.rank:
        raise site.node.error(
            f"padding has {len(layer.padding)} values for {layer.rank} axes", field="padding"
        )
    return tuple(_side(side, site) for side in layer.padding)


def _side(side: Expression | tuple[Expression, Expression], site: Site) -> tuple[Expr, Expr]:
    before, after = (side, side) if isinstance(side, Expression) else side
    return site.size("padding", before, least=0), site.size("padding", after, least=0)


@cost_rule(Conv)
def convolution_cost(layer: Conv, site: Site, output: Shape) -> Cost:
    """MACs ``n·c_i/g·k_h·k_w·h_o·w_o·c_o``; weights ``c_o·c_i/g·k_h·k_w``; bias ``c_o``.

    Source: MIT 6.5940, lecture 2.
    """
    nest = convolution_nest(layer, site, output)
    parameters = [weight_of(nest)]
    if layer.bias.holds:
        parameters.append(Parameter("bias", Role.BIAS, output[1], "c_o"))
    return Cost(Output.CONV, (nest,), tuple(parameters))


def convolution_nest(layer: Conv, site: Site, output: Shape) -> LoopNest:
    """The loops of a convolution, in the order of the slides."""
    windows = _windows(layer, site)
    groups = site.size("groups", layer.groups)
    share = None if groups is S.One else ("g", groups)
    kernel = [Loop(f"k_{w.axis}", w.kernel) for w in windows]
    spatial = [Loop(f"{w.axis}_o", o, window=w) for w, o in zip(windows, output[2:], strict=True)]
    c_i, c_o = Loop("c_i", site.input[1], share), Loop("c_o", output[1])
    taps = tuple(
        Axis((f"{w.axis}_o", f"k_{w.axis}"), (w.stride, w.dilation), -w.before) for w in windows
    )
    operands = (
        Operand("input", (BATCH, "c_i"), axes=taps, size=elements(site.input)),
        Operand("weight", _names([c_o, c_i, *kernel]), learnable=True),
        Operand("output", (BATCH, *_names([c_o, *spatial]))),
    )
    return LoopNest((Loop(BATCH, output[0]), c_i, *kernel, *spatial, c_o), operands)


def _names(loops: list[Loop]) -> tuple[str, ...]:
    return tuple(loop.name for loop in loops)

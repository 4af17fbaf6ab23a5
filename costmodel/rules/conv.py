"""Convolutions: the loops over ``c_i/g, k, h_o, w_o, c_o``."""

from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr, S

from archspec.fields import Expression
from archspec.layers.conv import Conv, ConvTranspose
from costmodel.algebra.conditions import AtLeast
from costmodel.algebra.functions import Maximum, absorbed
from costmodel.rules import Both, Site, elements, keeps, rule
from costmodel.rules.backward import FACTOR
from costmodel.rules.cost import Cost, KeptState, Output, weight_and_bias
from costmodel.rules.memory import kept_state
from costmodel.rules.nests import BATCH, AxisMap, Loop, LoopNest, Operand
from costmodel.rules.sliding import require_mode, require_output, spatial_input, tap_axes
from costmodel.rules.windows import AXES, Window


@rule(Conv)
def convolution(layer: Conv, site: Site) -> Both:
    """``h_o = (h_i + p_before + p_after − d·(k − 1) − 1)//s + 1`` on every spatial axis.

    MACs ``n·c_i/g·k_h·k_w·h_o·w_o·c_o``; weights ``c_o·c_i/g·k_h·k_w``; bias ``c_o``.

    Source: Dumoulin and Visin 2016, relationship 15; ``torch.nn.Conv2d``; MIT 6.5940, lecture 2.
    """
    channels = site.size("out_channels", layer.out_channels)
    windows = _windows(layer, site)
    outputs = require_output(site, windows)
    if layer.padding_mode in ("reflect", "circular"):
        for size, side in ((window.size, side) for window in windows for side in window.sides):
            require_mode(site, layer.padding_mode, size, side, "padding")
    groups = _groups(site, layer.groups, channels)
    kernel = [Loop(f"k_{w.axis}", w.kernel) for w in windows]
    spatial = [Loop(f"{w.axis}_o", o, window=w) for w, o in zip(windows, outputs, strict=True)]
    c_i, c_o = Loop("c_i", site.input[1], groups), Loop("c_o", channels)
    size = elements(site.input)
    operands = (
        Operand("input", (BATCH, "c_i"), axes=tap_axes(windows), size=size, source=0),
        Operand("weight", _names([c_o, c_i, *kernel]), learnable=True),
        Operand("output", (BATCH, *_names([c_o, *spatial]))),
    )
    loops = (Loop(BATCH, site.input[0]), c_i, *kernel, *spatial, c_o)
    nest = LoopNest(loops, operands, biased=layer.bias.holds)
    output = (site.input[0], channels, *outputs)
    cost = Cost(Output.CONV, (nest,), weight_and_bias(nest, channels))
    return output, cost._replace(state=_tail(site, windows))


def _tail(site: Site, windows: Sequence[Window]) -> KeptState | None:
    """Return what an axis padded on the left alone hands on: ``d·(k − 1)`` places before each."""
    first, *others = windows
    reach = (first.dilation * (first.kernel - 1)).expand()
    causal = first.stride is S.One and first.sides == (reach, S.Zero) and reach != 0
    if others or not causal:
        return None
    return kept_state(site, (site.input[1] * reach,), 2, site.input[0])


def _groups(site: Site, given: Expression, channels: Expr) -> tuple[str, Expr] | None:
    """The groups, which divide the channels of both sides, as what they share; None of one."""
    groups = site.size("groups", given)
    for name, count in (("in_channels", site.input[1]), ("out_channels", channels)):
        site.require_divisible(name, count, "groups", groups)
    return None if groups is S.One else ("g", groups)


def _windows(layer: Conv, site: Site) -> tuple[Window, ...]:
    rank = layer.rank
    sizes = spatial_input(site, rank)
    kernels = site.per_axis("kernel_size", layer.kernel_size, rank)
    strides = site.per_axis("stride", layer.stride, rank)
    dilations = site.per_axis("dilation", layer.dilation, rank)
    sides = _padding(layer, site)
    rows = zip(AXES[rank], sizes, kernels, strides, dilations, sides, strict=True)
    same = layer.padding == "same"
    return tuple(
        Window(axis, size, k, s, d, before, after, same)
        for axis, size, k, s, d, (before, after) in rows
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


def _names(loops: list[Loop]) -> tuple[str, ...]:
    return tuple(loop.name for loop in loops)


class TransposedAxis(NamedTuple):
    """A transposed kernel on one axis: its input's extent, and the kernel's measures."""

    axis: str
    size: Expr
    kernel: Expr
    stride: Expr
    padding: Expr
    extra: Expr
    dilation: Expr

    @property
    def output(self) -> Expr:
        """``h_o = (h_i − 1)·s − 2p + d·(k − 1) + output_padding + 1``, a floor kept inside."""
        reach = self.dilation * (self.kernel - 1) + self.extra + 1 - 2 * self.padding
        return absorbed(((self.size - 1) * self.stride + reach).expand())


def _spreads(layer: ConvTranspose, site: Site) -> tuple[TransposedAxis, ...]:
    rank = layer.rank
    sizes = spatial_input(site, rank)
    columns = [
        site.per_axis("kernel_size", layer.kernel_size, rank),
        site.per_axis("stride", layer.stride, rank),
        site.per_axis("padding", layer.padding, rank, least=0),
        site.per_axis("output_padding", layer.output_padding, rank, least=0),
        site.per_axis("dilation", layer.dilation, rank),
    ]
    return tuple(TransposedAxis(*row) for row in zip(AXES[rank], sizes, *columns, strict=True))


@rule(ConvTranspose)
def transposed(layer: ConvTranspose, site: Site) -> Both:
    """``h_o = (h_i − 1)·s − 2p + d·(k − 1) + output_padding + 1`` on every spatial axis.

    MACs ``n·c_i·k_h·k_w·h_i·w_i·c_o/g``: every input is spread over the kernel. Weights
    ``c_i·c_o/g·k_h·k_w``; bias ``c_o``.

    Source: Dumoulin and Visin 2016, relationship 14 and chapter 4; ``torch.nn.ConvTranspose2d``.
    """
    channels = site.size("out_channels", layer.out_channels)
    spreads = _spreads(layer, site)
    groups = _groups(site, layer.groups, channels)
    for spread in spreads:
        rule = f"{spread.axis}_o ({{output}}) must be a positive integer"
        site.require(AtLeast(spread.output, 1), rule, {"output": spread.output}, "padding")
        _require_extra(site, spread)
    output = (site.input[0], channels, *(spread.output for spread in spreads))
    kernel = [Loop(f"k_{s.axis}", s.kernel) for s in spreads]
    spatial = [Loop(f"{s.axis}_i", s.size) for s in spreads]
    c_i, c_o = Loop("c_i", site.input[1]), Loop("c_o", channels, groups)
    taps = tuple(
        AxisMap((f"{s.axis}_i", f"k_{s.axis}"), (s.stride, s.dilation), -s.padding) for s in spreads
    )
    operands = (
        Operand("input", (BATCH, *_names([c_i, *spatial])), source=0),
        Operand("weight", _names([c_i, c_o, *kernel]), learnable=True),
        Operand("output", (BATCH, "c_o"), axes=taps, size=elements(output)),
    )
    loops = (Loop(BATCH, site.input[0]), c_i, *kernel, *spatial, c_o)
    nest = LoopNest(loops, operands, biased=layer.bias.holds)
    return output, Cost(Output.CONV, (nest,), weight_and_bias(nest, channels))


def _require_extra(site: Site, spread: TransposedAxis) -> None:
    """Require, as PyTorch does, that output padding is smaller than the stride or the dilation."""
    room = Maximum(spread.stride, spread.dilation) - spread.extra
    site.require(
        AtLeast(room, 1),
        "output_padding ({extra}) must be less than stride ({stride}) or dilation ({dilation})",
        {"extra": spread.extra, "stride": spread.stride, "dilation": spread.dilation},
        "output_padding",
    )


# The input, for the gradient of the weight. Source: LeCun et al., 1989.
keeps(FACTOR, Conv, ConvTranspose)

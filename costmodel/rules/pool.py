"""Pooling: windows without products."""

from collections.abc import Mapping

from sympy import Mul, S

from archspec.layers import Layer
from archspec.layers import pool as kinds
from costmodel.algebra.conditions import AtLeast
from costmodel.algebra.functions import Minimum, floor_div
from costmodel.rules import Both, Shape, Site, backward_rule, elements, keeps, rule
from costmodel.rules.backward import BYTE, INDEX, INPUT, NOTHING, Backward, mask
from costmodel.rules.cost import PLACE, TRUTH, Cost, Output, axes_but
from costmodel.rules.formula import SizeFormula
from costmodel.rules.nests import BATCH, Loop, LoopBody, LoopNest, Operand
from costmodel.rules.sliding import require_output, spatial_input, tap_axes
from costmodel.rules.windows import AXES, Window


@rule(kinds.Pool)
def pooling(layer: kinds.Pool, site: Site) -> Both:
    """``h_o = (h_i + 2p − d·(k − 1) − 1)//s + 1`` per axis; rounded up with ``ceil_mode``.

    No products and no parameters; a maximum or mean of ``k_h·k_w`` elements per output.

    Source: MIT 6.5940, lecture 2; ``torch.nn.MaxPool2d``, ``torch.nn.AvgPool2d``; padding is at
    most half the kernel there.
    """
    windows = _windows(layer, site)
    for window in windows:
        site.require(
            AtLeast(window.kernel - 2 * window.before, 0),
            "padding ({padding}) must be at most half of kernel_size ({kernel})",
            {"padding": window.before, "kernel": window.kernel},
            "padding",
        )
    outputs = require_output(site, windows)
    body = LoopBody.MEAN if isinstance(layer, kinds.AvgPool) else LoopBody.MAXIMUM
    outer = [Loop(BATCH, site.input[0]), Loop("c", site.input[1])]
    spatial = [Loop(f"{w.axis}_o", o, window=w) for w, o in zip(windows, outputs, strict=True)]
    kernel = [Loop(f"k_{w.axis}", w.kernel) for w in windows]
    written = [*outer, *spatial]
    operands = (
        Operand("input", (BATCH, "c"), axes=tap_axes(windows), size=elements(site.input), source=0),
        Operand("output", tuple(loop.name for loop in written)),
    )
    cost = Cost(Output.POOL, (LoopNest((*written, *kernel), operands, body),))
    return (*site.input[:2], *outputs), cost


def _windows(layer: kinds.Pool, site: Site) -> tuple[Window, ...]:
    rank = layer.rank
    sizes = spatial_input(site, rank)
    kernels = site.per_axis("kernel_size", layer.kernel_size, rank)
    strides = kernels if layer.stride is None else site.per_axis("stride", layer.stride, rank)
    dilations = (S.One,) * rank
    if isinstance(layer, kinds.MaxPool):
        dilations = site.per_axis("dilation", layer.dilation, rank)
    paddings = site.per_axis("padding", layer.padding, rank, least=0)
    rows = zip(AXES[rank], sizes, kernels, strides, dilations, paddings, strict=True)
    ceil_mode = layer.ceil_mode.holds
    return tuple(
        Window(axis, size, k, s, d, p, p, ceil_mode=ceil_mode) for axis, size, k, s, d, p in rows
    )


@rule(kinds.AdaptivePool)
def adaptive(layer: kinds.AdaptivePool, site: Site) -> Both:
    """``h_o`` as given, without products and parameters. To a single element it is global pooling.

    Whatever its size, a convention counts it as that: a law is the same for all sizes.

    Source: ``torch.nn.AdaptiveAvgPool2d``.
    """
    spatial_input(site, layer.rank)
    sizes = site.per_axis("output_size", layer.output_size, layer.rank)
    formulas = tuple(
        SizeFormula(f"{axis}_o", "{output_size}", {"output_size": size}, size)
        for axis, size in zip(AXES[layer.rank], sizes, strict=True)
    )
    axes = (0, 1, *(None if size is S.One else axis for axis, size in enumerate(sizes, 2)))
    ends = tuple(range(2, len(axes)))
    cost = Cost(Output.GLOBAL_POOL, sizes=formulas, axes=axes, ends=ends)
    return (*site.input[:2], *sizes), cost


TYPES: Mapping[type[Layer], tuple[str, ...]] = {kinds.Truths: (TRUTH,), kinds.Place: (PLACE,)}
"""The kinds whose outputs have a type of their own → it."""


@rule(kinds.GlobalPool, kinds.Reduction, kinds.AlongAxis)
def reduced(layer: kinds.GlobalPool | kinds.Reduction | kinds.AlongAxis, site: Site) -> Both:
    """``(n, c, 1, …)``, or the axes but for those that are reduced; no products, no parameters.

    Source: Lin, Chen and Yan, ICLR 2014; ONNX ``GlobalAveragePool``; ``torch.mean``.
    """
    axes = axes_but(len(site.input))
    if isinstance(layer, kinds.GlobalPool):
        axes = (0, 1, *(None for _ in axes[site.axis(2) :]))
    else:
        dims = layer.dim if isinstance(layer, kinds.Reduction) else (layer.dim,)
        gone = site.axes_of("dim", dims)
        axes = tuple(None if axis in gone else axis for axis in axes)
        axes = axes if layer.keepdim.holds else tuple(axis for axis in axes if axis is not None)
    shape = tuple(S.One if axis is None else site.input[axis] for axis in axes)
    types = next((own for of, own in TYPES.items() if isinstance(layer, of)), ())
    return shape, Cost(Output.GLOBAL_POOL, axes=axes, types=types)


# Each element of a window gets its share of the gradient.
keeps(NOTHING, kinds.AvgPool, kinds.AdaptiveAvgPool, kinds.GlobalAvgPool, kinds.Mean, kinds.Sum)

# A place and a truth value have none.
keeps(NOTHING, kinds.Place, kinds.Truths)

# The elements, and what was made of them. Source: ``torch.var``, ``torch.linalg.vector_norm``.
keeps(INPUT, kinds.Spread)
keeps(INPUT._replace(output=True), kinds.Norm, kinds.LogSumExp, kinds.Product)


@backward_rule(kinds.MaxPool)
def maxpool_backward(layer: kinds.MaxPool, site: Site, output: Shape) -> Backward:
    """Bytes per output that tell the elements of its window apart: which was the largest.

    1, 2 or 4 bytes: ``1 + min(1, count//257) + 2·min(1, count//65537)`` for so many elements.
    PyTorch keeps the input, and an index of 8 bytes per output.
    """
    count = Mul(*(window.kernel for window in _windows(layer, site)))
    second, others = (Minimum(S.One, floor_div(count, 2**bits + 1)) for bits in (BYTE, 2 * BYTE))
    return mask("places", elements(output), BYTE * (1 + second + 2 * others))


@backward_rule(kinds.AdaptiveMaxPool, kinds.GlobalMaxPool, kinds.Amax, kinds.Amin)
def largest_backward(layer: Layer, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """An index of 4 bytes per output: where in the feature map its largest element was."""
    return mask("places", elements(output), INDEX)

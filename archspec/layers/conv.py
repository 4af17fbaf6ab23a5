"""Convolutions."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from archspec.fields import CountPerAxis, Flag, Padding, PerAxis, Size, optional, required
from archspec.layers.base import Layer, kinds_per_axes


@kinds_per_axes(
    "conv",
    "``(n, c_i, l_i) → (n, c_o, l_o)``: MACs ``n·c_i/g·k·l_o·c_o``, weights ``c_o·c_i/g·k``.",
    "``(n, c_i, h_i, w_i) → (n, c_o, h_o, w_o)``: MACs ``n·c_i/g·k_h·k_w·h_o·w_o·c_o``.\n\n"
    "Weights ``c_o·c_i/g·k_h·k_w``.",
    "``(n, c_i, d_i, h_i, w_i) → (n, c_o, d_o, h_o, w_o)``.\n\n"
    "MACs ``n·c_i/g·k_d·k_h·k_w·d_o·h_o·w_o·c_o``, weights ``c_o·c_i/g·k_d·k_h·k_w``.",
    elsewhere={2: ("conv", "convolution")},
)
class Conv(Layer):
    """Per axis ``h_o = (h_i + p_before + p_after − d·(k − 1) − 1)//s + 1``.

    With the padding ``same`` it is ``ceil(h_i/s)``.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """

    rank: ClassVar[int]
    words: ClassVar[dict[str, tuple[str, ...]]] = {"padding": ("same", "valid")}
    example: ClassVar[dict[str, object]] = {"out_channels": 4, "kernel_size": 3}
    elsewhere: ClassVar[Mapping[str, str]] = {"filters": "out_channels"}

    out_channels: Size = required("channels of the output, c_o")
    kernel_size: PerAxis = required("extent of the kernel, k, in elements")
    stride: PerAxis = optional(1, "step of the kernel, s, in elements")
    padding: Padding = optional(
        0,
        "elements added before and after, p; or same (output ceil(h/s), the odd "
        "element after); or valid (0)",
    )
    dilation: PerAxis = optional(1, "spacing of the kernel's taps, d")
    groups: Size = optional(1, "groups g; each sees c_i/g channels and makes c_o/g")
    bias: Flag = optional(True, "whether a bias per output channel is added")
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = optional(
        "zeros",
        "what the padding holds; no cost depends on it; reflect needs an axis longer "
        "than the padding, circular one as long",
    )


@kinds_per_axes(
    "conv_transpose",
    "``(n, c_i, l_i) → (n, c_o, l_o)``: MACs ``n·c_i·k·l_i·c_o/g``.",
    "``(n, c_i, h_i, w_i) → (n, c_o, h_o, w_o)``: MACs ``n·c_i·k_h·k_w·h_i·w_i·c_o/g``.",
    "``(n, c_i, d_i, h_i, w_i) → (n, c_o, d_o, h_o, w_o)``.\n\n"
    "MACs ``n·c_i·k_d·k_h·k_w·d_i·h_i·w_i·c_o/g``.",
    elsewhere={2: ("Conv2DTranspose", "deconv2d", "ConvTranspose")},
)
class ConvTranspose(Layer):
    """Per axis ``h_o = (h_i − 1)·s − 2p + d·(k − 1) + output_padding + 1``.

    The loops run over the input's positions; weights ``c_i·c_o/g`` times the kernel.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
    chapter 4.
    """

    rank: ClassVar[int]
    example: ClassVar[dict[str, object]] = {"out_channels": 4, "kernel_size": 2, "stride": 2}
    elsewhere: ClassVar[Mapping[str, str]] = {"filters": "out_channels"}

    out_channels: Size = required("channels of the output, c_o")
    kernel_size: PerAxis = required("extent of the kernel, k, in elements")
    stride: PerAxis = optional(1, "distance of the inputs, s")
    padding: CountPerAxis = optional(0, "elements cut off each side, p")
    output_padding: CountPerAxis = optional(0, "elements added after; less than stride or dilation")
    dilation: PerAxis = optional(1, "spacing of the kernel's taps, d")
    groups: Size = optional(1, "groups g; each sees c_i/g channels and makes c_o/g")
    bias: Flag = optional(True, "whether a bias per output channel is added")

"""Convolutions."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from archspec.fields import CountPerAxis, Flag, Padding, PerAxis, Size, optional
from archspec.layers.base import Layer, kind


class Conv(Layer):
    """Per axis ``h_o = (h_i + p_before + p_after − d·(k − 1) − 1)//s + 1``.

    With the padding ``same`` it is ``ceil(h_i/s)``.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """

    rank: ClassVar[int]
    words: ClassVar[dict[str, tuple[str, ...]]] = {"padding": ("same", "valid")}
    example: ClassVar[dict[str, object]] = {"out_channels": 4, "kernel_size": 3}
    elsewhere: ClassVar[Mapping[str, str]] = {"filters": "out_channels"}

    out_channels: Size = Field(description="channels of the output, c_o")
    kernel_size: PerAxis = Field(description="extent of the kernel, k, in elements")
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


@kind("conv1d", torch="Conv1d")
class Conv1d(Conv):
    """``(n, c_i, l_i) → (n, c_o, l_o)``: MACs ``n·c_i/g·k·l_o·c_o``, weights ``c_o·c_i/g·k``.

    Source: ``torch.nn.Conv1d``.
    """

    rank = 1


@kind("conv2d", torch="Conv2d", elsewhere=("conv", "convolution"))
class Conv2d(Conv):
    """``(n, c_i, h_i, w_i) → (n, c_o, h_o, w_o)``: MACs ``n·c_i/g·k_h·k_w·h_o·w_o·c_o``.

    Weights ``c_o·c_i/g·k_h·k_w``.

    Source: ``torch.nn.Conv2d``.
    """

    rank = 2


class ConvTranspose(Layer):
    """Per axis ``h_o = (h_i − 1)·s − 2p + d·(k − 1) + output_padding + 1``.

    The loops run over the input's positions; weights ``c_i·c_o/g`` times the kernel.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
    chapter 4.
    """

    rank: ClassVar[int]
    example: ClassVar[dict[str, object]] = {"out_channels": 4, "kernel_size": 2, "stride": 2}
    elsewhere: ClassVar[Mapping[str, str]] = {"filters": "out_channels"}

    out_channels: Size = Field(description="channels of the output, c_o")
    kernel_size: PerAxis = Field(description="extent of the kernel, k, in elements")
    stride: PerAxis = optional(1, "distance of the inputs, s")
    padding: CountPerAxis = optional(0, "elements cut off each side, p")
    output_padding: CountPerAxis = optional(0, "elements added after; less than stride or dilation")
    dilation: PerAxis = optional(1, "spacing of the kernel's taps, d")
    groups: Size = optional(1, "groups g; each sees c_i/g channels and makes c_o/g")
    bias: Flag = optional(True, "whether a bias per output channel is added")


@kind("conv_transpose1d", torch="ConvTranspose1d")
class ConvTranspose1d(ConvTranspose):
    """``(n, c_i, l_i) → (n, c_o, l_o)``: MACs ``n·c_i·k·l_i·c_o/g``.

    Source: ``torch.nn.ConvTranspose1d``.
    """

    rank = 1


@kind(
    "conv_transpose2d",
    torch="ConvTranspose2d",
    elsewhere=("Conv2DTranspose", "deconv2d", "ConvTranspose"),
)
class ConvTranspose2d(ConvTranspose):
    """``(n, c_i, h_i, w_i) → (n, c_o, h_o, w_o)``: MACs ``n·c_i·k_h·k_w·h_i·w_i·c_o/g``.

    Source: ``torch.nn.ConvTranspose2d``.
    """

    rank = 2


@kind("conv_transpose3d", torch="ConvTranspose3d")
class ConvTranspose3d(ConvTranspose):
    """``(n, c_i, d_i, h_i, w_i) → (n, c_o, d_o, h_o, w_o)``.

    MACs ``n·c_i·k_d·k_h·k_w·d_i·h_i·w_i·c_o/g``.

    Source: ``torch.nn.ConvTranspose3d``.
    """

    rank = 3


@kind("conv3d", torch="Conv3d")
class Conv3d(Conv):
    """``(n, c_i, d_i, h_i, w_i) → (n, c_o, d_o, h_o, w_o)``.

    MACs ``n·c_i/g·k_d·k_h·k_w·d_o·h_o·w_o·c_o``, weights ``c_o·c_i/g·k_d·k_h·k_w``.

    Source: ``torch.nn.Conv3d``.
    """

    rank = 3

"""Pooling."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from archspec.fields import (
    Axes,
    CountPerAxis,
    Flag,
    OptionalPerAxis,
    PerAxis,
    optional,
)
from archspec.layers.base import Layer, kind


class Pool(Layer):
    """Per axis ``h_o = (h_i + 2p − d·(k − 1) − 1)//s + 1``; for a mean ``d = 1``.

    With ``ceil_mode`` the division rounds up, and a last window that would start in the padding
    after the input is dropped.
    """

    rank: ClassVar[int]
    example: ClassVar[dict[str, object]] = {"kernel_size": 2}
    elsewhere: ClassVar[Mapping[str, str]] = {"pool_size": "kernel_size"}

    kernel_size: PerAxis = Field(description="extent of the window, k, in elements")
    stride: OptionalPerAxis = optional(
        None, "step of the window, s; the kernel size where it is not given"
    )
    padding: CountPerAxis = optional(0, "elements added on each side, p; at most half the kernel")
    ceil_mode: Flag = optional(False, "whether the division rounds up")


class MaxPool(Pool):
    """A maximum per window; no arithmetic that is counted."""

    dilation: PerAxis = optional(1, "spacing of the window's taps, d")


class AvgPool(Pool):
    """A mean per window; no arithmetic that is counted."""

    count_include_pad: Flag = optional(
        True, "whether the padding counts in the mean; no cost depends on it"
    )


@kind("maxpool1d", torch="MaxPool1d", elsewhere=("MaxPooling1D",))
class MaxPool1d(MaxPool):
    """``(n, c, l_i) → (n, c, l_o)``, the maximum of each window.

    Source: ``torch.nn.MaxPool1d``.
    """

    rank = 1


@kind("maxpool2d", torch="MaxPool2d", elsewhere=("MaxPooling2D", "MaxPool"))
class MaxPool2d(MaxPool):
    """``(n, c, h_i, w_i) → (n, c, h_o, w_o)``, the maximum of each window.

    Source: ``torch.nn.MaxPool2d``.
    """

    rank = 2


@kind("maxpool3d", torch="MaxPool3d")
class MaxPool3d(MaxPool):
    """``(n, c, d_i, h_i, w_i) → (n, c, d_o, h_o, w_o)``, the maximum of each window.

    Source: ``torch.nn.MaxPool3d``.
    """

    rank = 3


@kind("avgpool1d", torch="AvgPool1d", elsewhere=("AveragePooling1D",))
class AvgPool1d(AvgPool):
    """``(n, c, l_i) → (n, c, l_o)``, the mean of each window.

    Source: ``torch.nn.AvgPool1d``.
    """

    rank = 1


@kind("avgpool2d", torch="AvgPool2d", elsewhere=("AveragePooling2D", "AveragePool"))
class AvgPool2d(AvgPool):
    """``(n, c, h_i, w_i) → (n, c, h_o, w_o)``, the mean of each window.

    Source: ``torch.nn.AvgPool2d``.
    """

    rank = 2


@kind("avgpool3d", torch="AvgPool3d")
class AvgPool3d(AvgPool):
    """``(n, c, d_i, h_i, w_i) → (n, c, d_o, h_o, w_o)``, the mean of each window.

    Source: ``torch.nn.AvgPool3d``.
    """

    rank = 3


class AdaptivePool(Layer):
    """Windows chosen so that the output has the given size, whatever the input's."""

    rank: ClassVar[int]
    example: ClassVar[dict[str, object]] = {"output_size": 1}

    output_size: PerAxis = Field(description="extent of the output per axis; 1 pools globally")


class AdaptiveAvgPool(AdaptivePool):
    """A mean per window; no arithmetic that is counted."""


class AdaptiveMaxPool(AdaptivePool):
    """A maximum per window; no arithmetic that is counted."""


@kind("adaptive_avgpool1d", torch="AdaptiveAvgPool1d")
class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """``(n, c, l_i) → (n, c, l_o)`` with ``l_o`` given.

    Source: ``torch.nn.AdaptiveAvgPool1d``.
    """

    rank = 1


@kind("adaptive_avgpool2d", torch="AdaptiveAvgPool2d")
class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """``(n, c, h_i, w_i) → (n, c, h_o, w_o)`` with ``h_o`` and ``w_o`` given.

    Source: ``torch.nn.AdaptiveAvgPool2d``.
    """

    rank = 2


@kind("adaptive_avgpool3d", torch="AdaptiveAvgPool3d")
class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """``(n, c, d_i, h_i, w_i) → (n, c, d_o, h_o, w_o)`` with the last three given.

    Source: ``torch.nn.AdaptiveAvgPool3d``.
    """

    rank = 3


@kind("adaptive_maxpool1d", torch="AdaptiveMaxPool1d")
class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """``(n, c, l_i) → (n, c, l_o)`` with ``l_o`` given.

    Source: ``torch.nn.AdaptiveMaxPool1d``.
    """

    rank = 1


@kind("adaptive_maxpool2d", torch="AdaptiveMaxPool2d")
class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """``(n, c, h_i, w_i) → (n, c, h_o, w_o)`` with ``h_o`` and ``w_o`` given.

    Source: ``torch.nn.AdaptiveMaxPool2d``.
    """

    rank = 2


@kind("adaptive_maxpool3d", torch="AdaptiveMaxPool3d")
class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """``(n, c, d_i, h_i, w_i) → (n, c, d_o, h_o, w_o)`` with the last three given.

    Source: ``torch.nn.AdaptiveMaxPool3d``.
    """

    rank = 3


class GlobalPool(Layer):
    """``(n, c, …) → (n, c, 1, …)``: one number per channel, however many axes follow.

    Source: Lin, Chen and Yan, ICLR 2014; ONNX ``GlobalAveragePool``.
    """


@kind(
    "global_avgpool",
    elsewhere=("GlobalAveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePool", "GAP"),
)
class GlobalAvgPool(GlobalPool):
    """The mean of each channel."""


@kind("global_maxpool", elsewhere=("GlobalMaxPooling2D", "GlobalMaxPool"))
class GlobalMaxPool(GlobalPool):
    """The maximum of each channel."""


class Reduction(Layer):
    """``(…, l, …) → (…)``: some axes become one number, and go."""

    example: ClassVar[dict[str, object]] = {"dim": [1]}

    dim: Axes = Field(description="the axes")
    keepdim: Flag = optional(False, "whether they stay, with extent 1")


@kind("mean", elsewhere=("reduce_mean",))
class Mean(Reduction):
    """The mean over some axes. Source: ``torch.mean``."""


@kind("sum", elsewhere=("reduce_sum",))
class Sum(Reduction):
    """The sum over some axes. Source: ``torch.sum``."""


@kind("amax")
class Amax(Reduction):
    """The maximum over some axes. Source: ``torch.amax``."""

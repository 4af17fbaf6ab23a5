"""Pooling."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import (
    Axes,
    CountPerAxis,
    Flag,
    Integer,
    OptionalPerAxis,
    PerAxis,
    Real,
    optional,
    required,
)
from archspec.layers.base import Layer, kind, kinds_of, kinds_per_axes

_SHAPES = (
    "``(n, c, l_i) → (n, c, l_o)``",
    "``(n, c, h_i, w_i) → (n, c, h_o, w_o)``",
    "``(n, c, d_i, h_i, w_i) → (n, c, d_o, h_o, w_o)``",
)
_GIVEN = ("``l_o`` given", "``h_o`` and ``w_o`` given", "the last three given")
_OF_GIVEN_SIZE = [f"{shape} with {g}." for shape, g in zip(_SHAPES, _GIVEN, strict=True)]


class Pool(Layer):
    """Per axis ``h_o = (h_i + 2p − d·(k − 1) − 1)//s + 1``; for a mean ``d = 1``.

    With ``ceil_mode`` the division rounds up, and a last window that would start in the padding
    after the input is dropped.
    """

    rank: ClassVar[int]
    example: ClassVar[dict[str, object]] = {"kernel_size": 2}
    elsewhere: ClassVar[Mapping[str, str]] = {"pool_size": "kernel_size"}

    kernel_size: PerAxis = required("extent of the window, k, in elements")
    stride: OptionalPerAxis = optional(
        None, "step of the window, s; the kernel size where it is not given"
    )
    padding: CountPerAxis = optional(0, "elements added on each side, p; at most half the kernel")
    ceil_mode: Flag = optional(False, "whether the division rounds up")


@kinds_per_axes(
    "maxpool",
    *(f"{shape}, the maximum of each window." for shape in _SHAPES),
    elsewhere={1: ("MaxPooling1D",), 2: ("MaxPooling2D", "MaxPool")},
)
class MaxPool(Pool):
    """A maximum per window; no arithmetic that is counted."""

    dilation: PerAxis = optional(1, "spacing of the window's taps, d")


@kinds_per_axes(
    "avgpool",
    *(f"{shape}, the mean of each window." for shape in _SHAPES),
    elsewhere={1: ("AveragePooling1D",), 2: ("AveragePooling2D", "AveragePool")},
)
class AvgPool(Pool):
    """A mean per window; no arithmetic that is counted."""

    count_include_pad: Flag = optional(
        True, "whether the padding counts in the mean; no cost depends on it"
    )


class AdaptivePool(Layer):
    """Windows chosen so that the output has the given size, whatever the input's."""

    rank: ClassVar[int]
    example: ClassVar[dict[str, object]] = {"output_size": 1}

    output_size: PerAxis = required("extent of the output per axis; 1 pools globally")


@kinds_per_axes("adaptive_avgpool", *_OF_GIVEN_SIZE)
class AdaptiveAvgPool(AdaptivePool):
    """A mean per window; no arithmetic that is counted."""


@kinds_per_axes("adaptive_maxpool", *_OF_GIVEN_SIZE)
class AdaptiveMaxPool(AdaptivePool):
    """A maximum per window; no arithmetic that is counted."""


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

    dim: Axes = required("the axes")
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


@kind("amin")
class Amin(Reduction):
    """The minimum over some axes. Source: ``torch.amin``."""


@kind("vector_norm", elsewhere=("norm",))
class Norm(Reduction):
    """``(Σ |x|^p)^(1/p)`` over some axes. Source: ``torch.linalg.vector_norm``."""

    p: Real = optional(2, "the exponent; no cost depends on it")


class Spread(Reduction):
    """A measure of the distance between the elements and their mean."""

    correction: Real = optional(1, "taken from the divisor; no cost depends on it")


class Truths(Reduction):
    """A truth value of many, a byte."""


class AlongAxis(Layer):
    """``(…, l, …) → (…)``: one axis becomes one number, and goes."""

    example: ClassVar[dict[str, object]] = {"dim": 1}

    dim: Integer = required("the axis")
    keepdim: Flag = optional(False, "whether it stays, with extent 1")


class Place(AlongAxis):
    """``(…, l, …) → (…)``: a place on an axis, 8 bytes; the axis goes."""


kinds_of(Spread, {"var": "``Σ (x − mean)²/(l − correction)``.", "std": "The root of `var`."})
kinds_of(Truths, {"any": "True where one is.", "all": "True where every one is."})
kinds_of(Place, {"argmax": "The place of the largest.", "argmin": "The place of the smallest."})


@kind("logsumexp")
class LogSumExp(Reduction):
    """``ln Σ e^x`` over some axes. Source: ``torch.logsumexp``."""


@kind("prod")
class Product(AlongAxis):
    """``Π x`` over one axis. Source: ``torch.prod``."""

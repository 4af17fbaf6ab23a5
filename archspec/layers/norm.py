"""Normalisation."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import Flag, Real, Size, optional, required
from archspec.layers.base import Layer, Torch, kind


@kind(
    "batchnorm",
    torch=(
        Torch("BatchNorm1d", (2, 3)),
        Torch("BatchNorm2d", (4, 4)),
        Torch("BatchNorm3d", (5, 5)),
    ),
    elsewhere=("BatchNormalization", "bn", "SyncBatchNorm"),
)
class BatchNorm(Layer):
    """``(n, c, …) → (n, c, …)``: a scale and a shift per channel, ``2·c`` learnable parameters.

    The running mean and variance are state, not parameters.

    Source: Ioffe and Szegedy, ICML 2015; ``torch.nn.BatchNorm2d``.
    """

    formula: ClassVar[str] = "(x − mean_c)/√(var_c + eps)·weight_c + bias_c"

    affine: Flag = optional(True, "whether scale and shift are learnable")
    eps: Real = optional(1e-5, "added to the variance; no cost depends on it")
    momentum: Real = optional(0.1, "of the running statistics; no cost depends on it")


@kind("rmsnorm", torch="RMSNorm", elsewhere=("RMSNormalization", "LlamaRMSNorm"))
class RMSNorm(Layer):
    """``(…, c) → (…, c)``: a scale per element of the last axis, ``c`` learnable parameters.

    Source: Zhang and Sennrich, NeurIPS 2019; ``torch.nn.RMSNorm``.
    """

    formula: ClassVar[str] = "x/√(mean(x²) + eps)·weight"

    elementwise_affine: Flag = optional(True, "whether the scale is learnable")
    eps: Real = optional(1e-6, "added to the mean square; no cost depends on it")


@kind("layernorm", torch="LayerNorm", elsewhere=("LayerNormalization", "ln"))
class LayerNorm(Layer):
    """``(…, c) → (…, c)``: a scale and a shift per element of the normalised axes.

    Source: Ba, Kiros and Hinton, 2016; ``torch.nn.LayerNorm``.
    """

    formula: ClassVar[str] = "(x − mean)/√(var + eps)·weight + bias"
    example: ClassVar[dict[str, object]] = {"axes": 1}
    advice: ClassVar[Mapping[str, str]] = {
        "normalized_shape": "normalized_shape is worked out from what enters; leave it out, and "
        "write axes: 2 where two axes are normalised",
    }

    axes: Size = optional(1, "how many of the last axes are normalised")
    elementwise_affine: Flag = optional(True, "whether there are learnable parameters")
    bias: Flag = optional(True, "whether the shift is one of them")
    eps: Real = optional(1e-5, "added to the variance; no cost depends on it")


@kind("groupnorm", torch="GroupNorm", elsewhere=("GroupNormalization",))
class GroupNorm(Layer):
    """``(n, c, …) → (n, c, …)``: each of ``num_groups`` groups normalised; ``2·c`` parameters.

    Source: Wu and He, ECCV 2018; ``torch.nn.GroupNorm``.
    """

    formula: ClassVar[str] = "(x − mean_g)/√(var_g + eps)·weight_c + bias_c"
    example: ClassVar[dict[str, object]] = {"num_groups": 2}
    elsewhere: ClassVar[Mapping[str, str]] = {"groups": "num_groups"}

    num_groups: Size = required("groups; divides the channels")
    affine: Flag = optional(True, "whether scale and shift are learnable")
    eps: Real = optional(1e-5, "added to the variance; no cost depends on it")


@kind(
    "instancenorm",
    torch=(
        Torch("InstanceNorm1d", (3, 3)),
        Torch("InstanceNorm2d", (4, 4)),
        Torch("InstanceNorm3d", (5, 5)),
    ),
    elsewhere=("InstanceNormalization",),
)
class InstanceNorm(Layer):
    """``(n, c, …) → (n, c, …)``: each channel of each sample normalised; no parameters by default.

    Source: Ulyanov, Vedaldi and Lempitsky, 2016; ``torch.nn.InstanceNorm2d``.
    """

    formula: ClassVar[str] = "(x − mean_nc)/√(var_nc + eps)·weight_c + bias_c"

    affine: Flag = optional(False, "whether there are 2·c learnable parameters")
    eps: Real = optional(1e-5, "added to the variance; no cost depends on it")


@kind("local_response_norm", torch="LocalResponseNorm", elsewhere=("lrn",))
class LocalResponseNorm(Layer):
    """``(n, c, …) → (n, c, …)``: each element over the squares of ``size`` channels around it.

    Source: Krizhevsky et al., NeurIPS 2012; ``torch.nn.LocalResponseNorm``.
    """

    formula: ClassVar[str] = "x/(k + alpha·mean(x² of size channels))^beta"
    example: ClassVar[dict[str, object]] = {"size": 5}

    size: Size = required("channels that are looked at; no cost depends on it")
    alpha: Real = optional(1e-4, "factor of the squares")
    beta: Real = optional(0.75, "power of the sum")
    k: Real = optional(1, "added to the sum")

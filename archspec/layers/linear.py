"""Fully connected layers."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import Flag, Size, optional, required
from archspec.layers.base import Layer, kind


@kind(
    "linear",
    torch="Linear",
    elsewhere=("Dense", "fully_connected", "fc", "Gemm", "affine", "InnerProduct"),
)
class Linear(Layer):
    """``(…, c_i) → (…, c_o)``: MACs ``rows·c_i·c_o`` over all leading axes, weights ``c_o·c_i``.

    Source: MIT 6.5940, lecture 2; ``torch.nn.Linear``.
    """

    example: ClassVar[dict[str, object]] = {"out_features": 10}
    elsewhere: ClassVar[Mapping[str, str]] = {
        "units": "out_features",
        "use_bias": "bias",
        "out_dim": "out_features",
    }

    out_features: Size = required("features of the output, c_o")
    bias: Flag = optional(True, "whether a bias per output feature is added")
    weight: str | None = optional(None, "the layer whose weight it shares; counted once, there")


@kind("grouped_linear")
class GroupedLinear(Layer):
    """``(…, c_i) → (…, c_o)``: each row is multiplied by the matrix of its group, as of an expert.

    MACs ``rows·c_i·c_o`` over all leading axes, weights ``groups·c_o·c_i``. The router before it
    says which rows are whose; a token that visits several experts is several rows.

    Source: Gale et al., MegaBlocks, MLSys 2023; ``torch.nn.functional.grouped_mm``.
    """

    example: ClassVar[dict[str, object]] = {"groups": 8, "out_features": 10}

    groups: Size = required("how many matrices there are")
    out_features: Size = required("features of the output, c_o")

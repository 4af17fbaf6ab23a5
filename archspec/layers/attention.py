"""Attention."""

from typing import ClassVar

from pydantic import Field

from archspec.fields import Flag, OptionalSize, Size, flag
from archspec.layers.base import Layer, kind


@kind("self_attention")
class SelfAttention(Layer):
    """``(n, t, d) → (n, t, d)``: ``softmax(q·kᵀ/√d_h)·v`` over heads, between four linear layers.

    With ``H`` heads of ``d_h`` for queries and ``G`` for keys and values: projections
    ``d·(H + 2·G)·d_h`` and ``H·d_h·d``; scores ``n·H·t·t·d_h`` and the weighted sum as many.
    A causal mask changes what counts as 0, not the products that are made.

    Source: Vaswani et al., NeurIPS 2017; Ainslie et al., EMNLP 2023 (grouped queries).
    """

    example: ClassVar[dict[str, object]] = {"heads": 2}

    heads: Size = Field(description="heads of the queries, H")
    kv_heads: OptionalSize = Field(
        default=None, description="heads of keys and values, G; divides H; H where not given"
    )
    head_dim: OptionalSize = Field(
        default=None, description="features of a head, d_h; d/H where not given"
    )
    bias: Flag = Field(default=flag(True), description="whether the projections have a bias")
    causal: Flag = Field(
        default=flag(False), description="whether a token sees only those before it"
    )

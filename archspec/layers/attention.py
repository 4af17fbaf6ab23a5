"""Attention."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import Flag, OptionalFlag, OptionalSize, Probability, Size, optional, required
from archspec.layers.base import Layer, kind


class Attention(Layer):
    """``softmax(q·kᵀ/√d_h)·v`` over heads, between four linear layers.

    With ``H`` heads of ``d_h`` for queries and ``G`` for keys and values over ``t`` queries and
    ``s`` keys: scores ``n·H·t·s·d_h``, the weighted sum ``n·H·t·s·d_v``. ``G = H`` is multi-head,
    ``G = 1`` multi-query attention. Conventions count the products that a causal mask hides, too;
    bounds of time and energy do not, and take no scores to be in memory (``--attention``).

    Source: Vaswani et al., NeurIPS 2017; Shazeer, 2019 (multi-query); Ainslie et al., EMNLP 2023
    (grouped queries).
    """

    example: ClassVar[dict[str, object]] = {"heads": 2}
    aliases: ClassVar[Mapping[str, str]] = {
        "num_heads": "heads",  # torch.nn.MultiheadAttention
        "num_key_value_heads": "kv_heads",  # Hugging Face
    }
    elsewhere: ClassVar[Mapping[str, str]] = {
        "n_heads": "heads",
        "num_attention_heads": "heads",
        "num_kv_heads": "kv_heads",
        "key_dim": "head_dim",
        "is_causal": "causal",
        "qkv_bias": "bias",
    }

    heads: Size = required("heads of the queries, H")
    kv_heads: OptionalSize = optional(
        None, "heads of keys and values, G; divides H; H where not given"
    )
    head_dim: OptionalSize = optional(None, "features of a head, d_h; d/H where not given")
    value_dim: OptionalSize = optional(
        None, "features of a head's values, d_v; d_h where not given"
    )
    bias: Flag = optional(True, "whether the projections have a bias")
    out_bias: OptionalFlag = optional(
        None, "whether the last of them has one; as bias where not given"
    )
    relative_positions: OptionalSize = optional(
        None, "rows of a learned table that gives every head a bias of its scores"
    )
    dropout: Probability = optional(
        0,
        "probability with which a score is dropped while training; training memory "
        "alone depends on it",
    )


@kind("self_attention", elsewhere=("MultiheadAttention", "attention", "mha", "GroupQueryAttention"))
class SelfAttention(Attention):
    """``(…, t, d) → (…, t, d)``.

    Projections ``d·((H + G)·d_h + G·d_v)`` and ``H·d_v·d`` per token.
    """

    causal: Flag = optional(False, "whether a token sees only those before it")
    window: OptionalSize = optional(
        None,
        "keys that a token sees at most: its neighbours, or those before it; with it "
        "there are min(s, window) scores per query",
    )
    kv_length: OptionalSize = optional(
        None,
        "keys and values in all, s, those of a cache included; where not given t, and "
        "those of --past if it is causal",
    )


@kind("cross_attention")
class CrossAttention(Attention):
    """``(…, t, d), (…, s, d_kv) → (…, t, d)``: queries of the first, keys and values of the second.

    Projections ``t·d·H·d_h``, ``s·d_kv·G·(d_h + d_v)`` and ``t·H·d_v·d``. With three inputs the
    values are of the third.
    """

    takes: ClassVar[tuple[int, int | None]] = (2, 3)

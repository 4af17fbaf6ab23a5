"""Attention."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from archspec.fields import (
    Flag,
    OptionalFlag,
    OptionalPositive,
    OptionalSize,
    Probability,
    Size,
    optional,
    required,
)
from archspec.layers.base import Layer, kind


class Scored(Layer):
    """Layers with scores of queries and keys; the fields are what is done to a score."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        "is_causal": "causal",
        "sliding_window": "window",
        "attention_chunk_size": "chunk",
        "attn_logit_softcapping": "softcap",
    }

    relative_positions: OptionalSize = optional(
        None, "rows of a learned table that gives every head a bias of its scores"
    )
    alibi: Flag = optional(
        False, "whether a score falls with the distance, by a fixed slope per head; costs nothing"
    )
    softcap: OptionalPositive = optional(
        None, "the value c that a score does not pass: c·tanh(score/c); costs no products"
    )
    sinks: Flag = optional(
        False, "whether each head has a learned score more, which takes its share of the softmax"
    )
    dropout: Probability = optional(
        0,
        "probability with which a score is dropped while training; training memory "
        "alone depends on it",
    )


class Masked(Scored):
    """Scores of which a mask may hide some: those of later tokens, or of those far away."""

    causal: Flag = optional(False, "whether a token sees only those before it")
    window: OptionalSize = optional(
        None,
        "keys that a token sees at most: its neighbours, or those before it; with it "
        "there are min(s, window) scores per query",
    )
    chunk: OptionalSize = optional(
        None,
        "tokens of a chunk: a token sees those of its own chunk only; with it there are "
        "min(s, chunk) scores per query",
    )


class Attention(Scored):
    """``softmax(q·kᵀ/√d_h)·v`` over heads, between four linear layers.

    With ``H`` heads of ``d_h`` for queries and ``G`` for keys and values over ``t`` queries and
    ``s`` keys: scores ``n·H·t·s·d_h``, the weighted sum ``n·H·t·s·d_v``. ``G = H`` is multi-head,
    ``G = 1`` multi-query attention. Conventions count the products that a causal mask hides, too;
    bounds of time and energy do not, and take no scores to be in memory (``--attention``).

    Source: Vaswani et al., NeurIPS 2017; Shazeer, 2019 (multi-query); Ainslie et al., EMNLP 2023
    (grouped queries); Henry et al., EMNLP 2020, and Team OLMo, 2024 (norms of queries and keys);
    Gemma 2, 2024 (soft caps); Xiao et al., ICLR 2024, and gpt-oss, 2025 (sinks); Press et al., ICLR
    2022 (ALiBi); Meta, Llama 4, 2025 (chunks).
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
        "qkv_bias": "bias",
        **Scored.elsewhere,
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
    q_bias: OptionalFlag = optional(
        None, "whether that of queries has one; as bias where not given"
    )
    k_bias: OptionalFlag = optional(None, "whether that of keys has one; as bias where not given")
    v_bias: OptionalFlag = optional(None, "whether that of values has one; as bias where not given")
    out_bias: OptionalFlag = optional(
        None, "whether the last of them has one; as bias where not given"
    )
    qk_norm: Literal["none", "head", "all"] = optional(
        "none",
        "the RMS norm of queries and keys: of each head, with d_h scales that heads share, or of "
        "all heads together",
    )


@kind("self_attention", elsewhere=("MultiheadAttention", "attention", "mha", "GroupQueryAttention"))
class SelfAttention(Attention, Masked):
    """``(…, t, d) → (…, t, d)``.

    Projections ``d·((H + G)·d_h + G·d_v)`` and ``H·d_v·d`` per token.
    """

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


@kind("scaled_dot_product_attention", elsewhere=("sdpa", "flash_attention"))
class ScaledDotProductAttention(Masked):
    """``(…, H, t, d_h), (…, G, s, d_h), (…, G, s, d_v) → (…, H, t, d_v)``: two products.

    Queries, keys and values, as they are; the queries are those of the last of the keys, which a
    `cache` puts behind those that came before. Scores ``n·H·t·s·d_h``, the sum ``n·H·t·s·d_v``.
    Keys and values that several layers read are made and kept once.

    Source: Vaswani et al., NeurIPS 2017; ``torch.nn.functional.scaled_dot_product_attention``.
    """

    takes: ClassVar[tuple[int, int | None]] = (3, 3)

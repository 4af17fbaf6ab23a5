"""Attention whose keys and values are made of a latent vector per token."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import OptionalFlag, OptionalSize, Size, optional, required
from archspec.layers.attention import Masked
from archspec.layers.base import kind


@kind("latent_attention", elsewhere=("MLA", "mla", "multi_head_latent_attention"))
class LatentAttention(Masked):
    """``(…, t, d) → (…, t, d)``: a token is kept as ``kv_rank + rope_dim`` numbers for all heads.

    Keys of ``d_h`` and values of ``d_v`` features per head are made of the latent ``r``; every head
    has the ``d_r`` rotated features of the keys in common. Tokens that came before are met in the
    absorbed form: queries are brought into the latent space, scores ``n·H·t·s·(r + d_r)``, the
    weighted sum of latents ``n·H·t·s·r``, and each head's values are made of that. Without a past
    keys and values are made for every token: ``n·s·r·H·(d_h + d_v)``, scores ``n·H·t·s·(d_h +
    d_r)``, the sum ``n·H·t·s·d_v``. Latents go through an RMS norm.

    Source: DeepSeek-AI, DeepSeek-V2, 2024, section 2.1; DeepSeek-V3, 2024, section 2.1.1.
    """

    example: ClassVar[dict[str, object]] = {
        "heads": 2,
        "kv_rank": 8,
        "head_dim": 4,
        "rope_dim": 2,
    }
    aliases: ClassVar[Mapping[str, str]] = {  # Hugging Face
        "num_heads": "heads",
        "q_lora_rank": "q_rank",
        "kv_lora_rank": "kv_rank",
        "qk_nope_head_dim": "head_dim",
        "qk_rope_head_dim": "rope_dim",
        "v_head_dim": "value_dim",
    }

    heads: Size = required("heads, H")
    kv_rank: Size = required("features of the latent that keys and values are made of, r")
    head_dim: Size = required("features of a head of keys that are not rotated, d_h")
    rope_dim: Size = required("features of a key that are rotated, the same for all heads, d_r")
    value_dim: OptionalSize = optional(
        None, "features of a head's values, d_v; d_h where not given"
    )
    q_rank: OptionalSize = optional(
        None, "features of the latent that queries are made of; made of d at once where not given"
    )
    absorbed: OptionalFlag = optional(
        None,
        "whether scores and sums are of latents; where not given, after tokens that came before "
        "(--past)",
    )

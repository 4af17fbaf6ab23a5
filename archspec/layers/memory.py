"""Memory between steps: what a network keeps of the tokens that came before."""

from typing import ClassVar

from archspec.fields import Integer, OptionalSize, SizeList, optional, required
from archspec.layers.base import Layer, kind


@kind("cache")
class Cached(Layer):
    """``(n, t, …) → (n, past + t, …)``: what enters, behind what earlier tokens left.

    Without ``--past`` nothing came before, and what enters leaves. What leaves lies in the cache:
    its earlier places are read from there, its new ones are written there. Attention to it is
    causal where `scaled_dot_product_attention` says so; keys, values, latents are instances.

    Source: Pope et al., MLSys 2023 (keys and values); DeepSeek-AI, DeepSeek-V2, 2024 (latents).
    """

    dim: Integer = optional(1, "the axis of the tokens, on which the cache grows")
    window: OptionalSize = optional(
        None, "tokens that one of them meets at most, itself included; only so many are kept"
    )


@kind("state")
class State(Layer):
    """``(n, t, …) → (n, t, …)``: a recurrence over tokens; between steps it keeps ``shape``.

    A state of fixed size is read and written by every run: what a scan, a linear attention or a
    shift by one token hands on. Further inputs are what steers it, as Mamba's ``Δ, B, C``. Its
    element-wise work is no product. An `lstm`, `gru` or `rnn` of one direction and a `conv1d` that
    is padded on the left alone keep theirs by themselves.

    Source: Gu and Dao, 2023 (Mamba); Peng et al., EMNLP 2023 (RWKV); Sun et al., 2023 (RetNet).
    """

    example: ClassVar[dict[str, object]] = {"shape": [4, 2]}
    takes: ClassVar[tuple[int, int | None]] = (1, None)

    shape: SizeList = required("extents of what is kept of a sequence")
    dim: Integer = optional(1, "the axis of the tokens")

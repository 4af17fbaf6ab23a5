"""Embeddings, positions, and parameters that stand free."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import Flag, Size, SizeList, optional, required
from archspec.layers.base import Layer, kind


@kind("embedding", torch="Embedding")
class Embedding(Layer):
    """``(…) → (…, d)``: a row of ``d`` numbers for every index, ``V·d`` weights, no products.

    Source: ``torch.nn.Embedding``.
    """

    example: ClassVar[dict[str, object]] = {"num_embeddings": 10, "embedding_dim": 4}
    elsewhere: ClassVar[Mapping[str, str]] = {
        "vocab_size": "num_embeddings",
        "output_dim": "embedding_dim",
    }

    num_embeddings: Size = required("how many rows there are, V")
    embedding_dim: Size = required("numbers in a row, d")
    weight: str | None = optional(None, "the layer whose weight it shares; counted once, there")
    sparse: Flag = optional(False, "whether its gradient has the rows that are looked up alone")


@kind("positional_embedding")
class PositionalEmbedding(Layer):
    """``(n, t, d) → (n, t, d)``: adds a learned row per position, ``max_length·d`` weights.

    Source: Radford et al., 2018; Devlin et al., NAACL 2019.
    """

    example: ClassVar[dict[str, object]] = {"max_length": 16}

    max_length: Size = required("how many positions there are; t may be no larger")


@kind("positional_encoding")
class PositionalEncoding(Layer):
    """``(n, t, d) → (n, t, d)``: adds sines and cosines of the position, d being even.

    Nothing is learned. Source: Vaswani et al., NeurIPS 2017.
    """


@kind("rotary_embedding")
class RotaryEmbedding(Layer):
    """``(…, t, d) → (…, t, d)``: turns pairs of features by the position, d being even.

    Nothing is learned. Source: Su et al., 2021.
    """


@kind("class_token")
class ClassToken(Layer):
    """``(n, t, d) → (n, tokens + t, d)``: puts learned tokens first, ``tokens·d`` weights.

    Source: Devlin et al., NAACL 2019; Dosovitskiy et al., ICLR 2021.
    """

    tokens: Size = optional(1, "how many: 2 with one for distillation; registers")


@kind("parameter")
class LearnedTensor(Layer):
    """``() → shape``: a learned tensor that stands free; `add` or `mul` puts it to use.

    As a branch of ``parallel: {merge: mul, …}`` beside ``[]`` it is layer scale.

    Source: ``torch.nn.Parameter``; Touvron et al., ICCV 2021 (layer scale).
    """

    takes: ClassVar[tuple[int, int | None]] = (0, 0)
    example: ClassVar[dict[str, object]] = {"shape": [4]}

    shape: SizeList = required("its extents; in_* are those of the tensor before it")


@kind("constant")
class Constant(Layer):
    """``() → shape``: a tensor that stands free and is not learned: a buffer.

    It counts in ``state_size``, in no convention's params. Source: ``register_buffer`` of
    ``torch.nn.Module``.
    """

    takes: ClassVar[tuple[int, int | None]] = (0, 0)
    example: ClassVar[dict[str, object]] = {"shape": [4]}

    shape: SizeList = required("its extents; in_* are those of the tensor before it")

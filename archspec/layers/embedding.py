"""Embeddings and positions."""

from typing import ClassVar

from pydantic import Field

from archspec.fields import Size
from archspec.layers.base import Layer, kind


@kind("embedding")
class Embedding(Layer):
    """``(…) → (…, d)``: a row of ``d`` numbers for every index, ``V·d`` weights, no products.

    Source: ``torch.nn.Embedding``.
    """

    example: ClassVar[dict[str, object]] = {"num_embeddings": 10, "embedding_dim": 4}

    num_embeddings: Size = Field(description="how many rows there are, V")
    embedding_dim: Size = Field(description="numbers in a row, d")


@kind("positional_embedding")
class PositionalEmbedding(Layer):
    """``(n, t, d) → (n, t, d)``: adds a learned row per position, ``max_length·d`` weights.

    Source: Radford et al., 2018; Devlin et al., NAACL 2019.
    """

    example: ClassVar[dict[str, object]] = {"max_length": 16}

    max_length: Size = Field(description="how many positions there are; t may be no larger")

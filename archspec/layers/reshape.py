"""Layers that only change the shape, or nothing at all."""

from typing import ClassVar

from pydantic import Field

from archspec.fields import Size, constant
from archspec.layers.base import Layer, kind


@kind("flatten")
class Flatten(Layer):
    """``(n, c, h, w) → (n, c·h·w)``: the axes from ``start_dim`` to ``end_dim`` become one.

    Source: ``torch.nn.Flatten``.
    """

    start_dim: Size = Field(default=constant(1), description="the first axis that is merged")
    end_dim: Size = Field(default=constant(-1), description="the last axis that is merged")


@kind("identity")
class Identity(Layer):
    """``(…) → (…)``: passes its input on.

    Source: ``torch.nn.Identity``.
    """


@kind("dropout")
class Dropout(Layer):
    """``(…) → (…)``: zeroes elements at random while training; at inference the identity.

    Source: Srivastava et al., JMLR 2014; ``torch.nn.Dropout``.
    """

    example: ClassVar[dict[str, object]] = {}

    p: Size = Field(
        default=constant("0.5"), description="probability of a zero; no cost depends on it"
    )

"""Layers with several inputs: sums, products, concatenation."""

from typing import ClassVar

from pydantic import Field

from archspec.fields import Size, constant
from archspec.layers.base import Layer, kind


class Merge(Layer):
    """What layers with several inputs share."""

    many_inputs: ClassVar[bool] = True


@kind("add")
class Add(Merge):
    """``(…) + (…) → (…)``: the sum of all inputs, in place in the first.

    Axes of extent 1 are broadcast; all others must agree. Source: He et al., CVPR 2016.
    """


@kind("mul")
class Multiply(Merge):
    """``(…) · (…) → (…)``: the product of all inputs, in place in the first.

    Axes of extent 1 are broadcast; all others must agree. Source: Hu et al., CVPR 2018 (gating).
    """


@kind("concat")
class Concat(Merge):
    """``(n, c_1, …), (n, c_2, …) → (n, c_1 + c_2, …)``: the inputs behind each other on one axis.

    All other axes must agree. Source: Huang et al., CVPR 2017; ``torch.cat``.
    """

    example: ClassVar[dict[str, object]] = {"axis": 1}

    axis: Size = Field(default=constant(1), description="the axis that grows")

"""Layers with several inputs: sums, products, concatenation."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import Integer, optional
from archspec.layers.base import Layer, kind


class Merge(Layer):
    """Several inputs become one output."""

    takes: ClassVar[tuple[int, int | None]] = (2, None)


class Elementwise(Merge):
    """Element by element, in place in an input of the output's shape.

    Shapes are aligned at their last axes; axes of extent 1 are broadcast, all others must agree. An
    extent that depends on a symbol counts as more than 1, so that it must agree, too.

    Source: ``torch.broadcast_tensors``.
    """


@kind("add")
class Add(Elementwise):
    """``(…) + (…) → (…)``: the sum of all inputs. Source: He et al., CVPR 2016."""


@kind("mul", elsewhere=("multiply",))
class Multiply(Elementwise):
    """``(…) · (…) → (…)``: the product of all inputs. Source: Hu et al., CVPR 2018 (gating)."""


@kind("sub", elsewhere=("subtract",))
class Subtract(Elementwise):
    """``(…) − (…) → (…)``: the first input less the second. Source: ``torch.sub``."""

    takes: ClassVar[tuple[int, int | None]] = (2, 2)


@kind("div", elsewhere=("divide",))
class Divide(Elementwise):
    """``(…) / (…) → (…)``: the first input over the second. Source: ``torch.div``."""

    takes: ClassVar[tuple[int, int | None]] = (2, 2)


@kind("maximum")
class Largest(Elementwise):
    """``max((…), (…)) → (…)``: the largest of all inputs. Source: Goodfellow et al., ICML 2013."""


@kind("concat", elsewhere=("cat", "concatenate"))
class Concat(Merge):
    """``(n, c_1, …), (n, c_2, …) → (n, c_1 + c_2, …)``: the inputs behind each other on one axis.

    All other axes must agree. Source: Huang et al., CVPR 2017; ``torch.cat``.
    """

    example: ClassVar[dict[str, object]] = {"axis": 1}
    aliases: ClassVar[Mapping[str, str]] = {"dim": "axis"}  # torch.cat

    axis: Integer = optional(1, "the axis that grows")


@kind("stack")
class Stack(Merge):
    """``(…), (…) → (…, 2, …)``: the inputs behind each other on a new axis.

    All axes must agree. Source: ``torch.stack``.
    """

    dim: Integer = optional(0, "the place of the new axis")

"""Layers with several inputs: sums, products, concatenation."""

from collections.abc import Mapping
from typing import ClassVar

from archspec.fields import Integer, OptionalReal, Real, optional
from archspec.layers.base import Layer, kind, kinds_of


class Merge(Layer):
    """Several inputs become one output."""

    takes: ClassVar[tuple[int, int | None]] = (2, None)


class Elementwise(Merge):
    """Element by element, in place in an input of the output's shape.

    Shapes are aligned at their last axes; axes of extent 1 are broadcast, all others must agree. An
    extent that depends on a symbol counts as more than 1, so that it must agree, too.

    Source: ``torch.broadcast_tensors``.
    """


class Arithmetic(Elementwise):
    """A function of several tensors, or of one and a number."""

    other: OptionalReal = optional(
        None, "a number that stands for the last tensor; no cost depends on it"
    )

    @property
    def entering(self) -> tuple[int, int | None]:
        """One less where a number is given."""
        least, most = self.takes
        if self.other is None:
            return least, most
        return least - 1, most if most is None else most - 1


@kind("add")
class Add(Arithmetic):
    """``(…) + (…) → (…)``: the sum of all inputs. Source: He et al., CVPR 2016."""


@kind("mul", elsewhere=("multiply",))
class Multiply(Arithmetic):
    """``(…) · (…) → (…)``: the product of all inputs. Source: Hu et al., CVPR 2018 (gating)."""


class OfTwo(Arithmetic):
    """A function of two tensors, or of a tensor and a number."""

    takes: ClassVar[tuple[int, int | None]] = (2, 2)


@kind("sub", elsewhere=("subtract",))
class Subtract(OfTwo):
    """``(…) − (…) → (…)``: the first input less the second. Source: ``torch.sub``."""


@kind("div", elsewhere=("divide",))
class Divide(OfTwo):
    """``(…) / (…) → (…)``: the first input over the second. Source: ``torch.div``."""


@kind("pow", elsewhere=("power",))
class Power(OfTwo):
    """``(…) ^ (…) → (…)``: the first input to the power of the second. Source: ``torch.pow``."""


@kind("maximum")
class Largest(Arithmetic):
    """``max((…), (…)) → (…)``: the largest of all inputs. Source: Goodfellow et al., ICML 2013."""


@kind("minimum")
class Smallest(Arithmetic):
    """``min((…), (…)) → (…)``: the smallest of all inputs. Source: ``torch.minimum``."""


class Curved(OfTwo):
    """A function of two tensors whose derivatives are functions of both."""


class Whole(OfTwo):
    """A function of two tensors that has no gradient."""


class Comparison(OfTwo):
    """A truth value of two elements, a byte."""


kinds_of(
    Curved,
    {
        "remainder": "``a − b·⌊a/b⌋``.",
        "atan2": "The angle of the point ``(b, a)``.",
    },
)
kinds_of(
    Whole,
    {
        "floor_divide": "``⌊a/b⌋``.",
        "bitwise_and": "The bits that both have.",
        "bitwise_or": "The bits that one of them has.",
        "bitwise_xor": "The bits that one of them alone has.",
    },
)
kinds_of(
    Comparison,
    {
        "eq": "``a = b``.",
        "ne": "``a ≠ b``.",
        "lt": "``a < b``.",
        "le": "``a ≤ b``.",
        "gt": "``a > b``.",
        "ge": "``a ≥ b``.",
        "logical_and": "``a`` and ``b``.",
        "logical_or": "``a`` or ``b``.",
        "logical_xor": "``a`` or ``b``, not both.",
    },
)


@kind("where")
class Where(Elementwise):
    """``(…), (…), (…) → (…)``: the second input where the first is true, else the third.

    Source: ``torch.where``.
    """

    takes: ClassVar[tuple[int, int | None]] = (3, 3)


@kind("masked_fill")
class MaskedFill(Elementwise):
    """``(…), (…) → (…)``: a number where the second input is true, else the first.

    Source: ``torch.Tensor.masked_fill``.
    """

    takes: ClassVar[tuple[int, int | None]] = (2, 2)

    value: Real = optional(0, "the number; no cost depends on it")


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

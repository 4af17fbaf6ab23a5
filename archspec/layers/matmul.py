"""Products of two tensors, of which one may be learned."""

from typing import ClassVar

from archspec.equation import EquationText
from archspec.fields import Flag, Size, SizeMap, optional, required
from archspec.layers.base import Layer, kind


@kind("matmul")
class MatMul(Layer):
    """``(…, m, k), (…, k, p) → (…, m, p)``: MACs ``m·k·p`` times the leading axes.

    Leading axes are broadcast as in `add`. Source: ``torch.matmul``.
    """

    takes: ClassVar[tuple[int, int | None]] = (2, 2)


@kind("bilinear", torch="Bilinear")
class Bilinear(Layer):
    """``(…, c_1), (…, c_2) → (…, c_o)``: ``y_o = Σ_i Σ_j x_i·W_oij·z_j``; weights ``c_o·c_1·c_2``.

    MACs per row: ``c_1·c_2·c_o`` for ``xᵀW``, then ``c_2·c_o``. Source: ``torch.nn.Bilinear``.
    """

    takes: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[dict[str, object]] = {"out_features": 10}

    out_features: Size = required("features of the output, c_o")
    bias: Flag = optional(True, "whether a bias per output feature is added")


@kind("einsum")
class Einsum(Layer):
    """A loop nest of one's own: each axis a loop, each tensor the product of the loops it names.

    ``n t c, c h d -> n h t d`` with one input multiplies it with a learned weight of ``c·h·d``
    elements; with two inputs it multiplies these. What one operand alone sums over is summed
    first; the MACs are the product of all other extents. Where nothing is summed over both, it is
    an element-wise product, which as in `mul` counts no MACs.

    Source: ``torch.einsum``. Axes are names between spaces; a word alone is letters, an axis each.
    """

    takes: ClassVar[tuple[int, int | None]] = (1, 2)
    example: ClassVar[dict[str, object]] = {
        "equation": "n t c, c h d -> n h t d",
        "sizes": {"h": 2, "d": 4},
    }

    equation: EquationText = required(
        "the axes of the inputs, then of the weight if there is one, and after -> "
        "those of the output"
    )
    sizes: SizeMap = optional({}, "extents of the axes that no input has")

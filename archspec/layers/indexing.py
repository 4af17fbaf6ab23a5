"""Layers that look up, sort, repeat and cut out elements."""

from typing import Annotated, ClassVar, Literal

from archspec.fields import (
    Axes,
    CountPerAxis,
    Expression,
    Flag,
    Integer,
    PerAxis,
    Real,
    Size,
    SizeList,
    listed,
    optional,
    required,
)
from archspec.layers.base import Layer, kind
from archspec.ranges import EXTENT


class Lookup(Layer):
    """Elements at the places along one axis that another input says."""

    takes: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[dict[str, object]] = {"dim": 1}

    dim: Integer = required("the axis; counted from the end if negative")


@kind("gather")
class Gather(Lookup):
    """``(…, l, …), (…, k, …) → (…, k, …)``: of each index the element at that place.

    On all other axes the indices are no more than the elements. Source: ``torch.gather``.
    """


@kind("index_select")
class IndexSelect(Lookup):
    """``(…, l, …), (k) → (…, k, …)``: the places of an axis that a list of indices says.

    Source: ``torch.index_select``.
    """


@kind("scatter")
class Scatter(Lookup):
    """``(…, l, …), (…, k, …), (…, k, …) → (…, l, …)``: the third input, put where the second says.

    All else is the first input. Source: ``torch.scatter``.
    """

    takes: ClassVar[tuple[int, int | None]] = (3, 3)

    reduce: Literal["none", "add"] = optional("none", "whether it is added; no cost depends on it")


class WithPlaces(Layer):
    """Elements in another order, and the places that they had."""

    @property
    def outputs(self) -> int:
        """The elements, and their places."""
        return 2


@kind("sort")
class Sort(WithPlaces):
    """``(…) → 2 × (…)``: in order along one axis, ``name.0``; their places, ``name.1``.

    A place takes 8 bytes. Source: ``torch.sort``.
    """

    dim: Integer = optional(-1, "the axis; counted from the end if negative")
    descending: Flag = optional(False, "whether the largest comes first; no cost depends on it")


@kind("topk")
class TopK(WithPlaces):
    """``(…, l, …) → 2 × (…, k, …)``: the largest along one axis, ``name.0``; places, ``name.1``.

    A place takes 8 bytes. Source: ``torch.topk``.
    """

    example: ClassVar[dict[str, object]] = {"k": 1}

    k: Size = required("how many, at most as many as there are")
    dim: Integer = optional(-1, "the axis; counted from the end if negative")
    largest: Flag = optional(True, "or the smallest; no cost depends on it")


@kind("one_hot")
class OneHot(Layer):
    """``(…) → (…, num_classes)``: of each index a row of zeros with a single one.

    Source: ``torch.nn.functional.one_hot``.
    """

    example: ClassVar[dict[str, object]] = {"num_classes": 4}

    num_classes: Size = required("how long a row is")


@kind("flip")
class Flip(Layer):
    """``(…) → (…)``: some axes the other way round. Source: ``torch.flip``."""

    example: ClassVar[dict[str, object]] = {"dims": [1]}

    dims: Axes = required("the axes")


@kind("expand", elsewhere=("broadcast_to",))
class Expand(Layer):
    """``(…, 1, …) → shape``: axes of extent 1 become longer; nothing is copied.

    New axes come first. Source: ``torch.Tensor.expand``.
    """

    example: ClassVar[dict[str, object]] = {"shape": [2, -1, -1, -1]}

    shape: Annotated[tuple[Expression, ...], listed(EXTENT)] = required(
        "the new extents, all axes of them; -1 keeps one"
    )


@kind("tile")
class Tile(Layer):
    """``(…, l, …) → (…, r·l, …)``: copies behind each other on every axis.

    New axes come first. Source: ``torch.tile``; ``torch.Tensor.repeat``.
    """

    example: ClassVar[dict[str, object]] = {"dims": [1, 2]}

    dims: SizeList = required("how many copies, of the last axes")


@kind("repeat_interleave")
class RepeatInterleave(Layer):
    """``(…, l, …) → (…, r·l, …)``: each place of an axis so many times, one after the other.

    Source: ``torch.repeat_interleave``.
    """

    example: ClassVar[dict[str, object]] = {"repeats": 2}

    repeats: Size = required("how many times, r")
    dim: Integer = optional(1, "the axis")


class Patches(Layer):
    """Windows of a feature map as columns: ``((h + 2p − d·(k − 1) − 1)//s + 1)·…`` of them."""

    example: ClassVar[dict[str, object]] = {"kernel_size": 1}

    kernel_size: PerAxis = required("extent of the window, k, in elements")
    dilation: PerAxis = optional(1, "spacing of the window's taps, d")
    padding: CountPerAxis = optional(0, "elements added on each side, p")
    stride: PerAxis = optional(1, "step of the window, s")


@kind("unfold", torch="Unfold")
class Unfold(Patches):
    """``(n, c, h, w) → (n, c·k_h·k_w, windows)``. Source: ``torch.nn.Unfold``."""


@kind("fold", torch="Fold")
class Fold(Patches):
    """``(n, c·k_h·k_w, windows) → (n, c, h_o, w_o)``: adds up what lies on one place.

    Source: ``torch.nn.Fold``.
    """

    example: ClassVar[dict[str, object]] = {"output_size": 2, "kernel_size": 1}

    output_size: PerAxis = required("the extents of the output")


@kind("grid_sample")
class GridSample(Layer):
    """``(n, c, h, w), (n, h_o, w_o, 2) → (n, c, h_o, w_o)``: values at the points of a grid.

    With three spatial axes a point has three numbers.

    Source: Jaderberg et al., NeurIPS 2015; ``torch.nn.functional.grid_sample``.
    """

    takes: ClassVar[tuple[int, int | None]] = (2, 2)

    mode: Literal["bilinear", "nearest", "bicubic"] = optional(
        "bilinear", "how values between are made; no cost depends on it"
    )
    padding_mode: Literal["zeros", "border", "reflection"] = optional(
        "zeros", "what lies outside; no cost depends on it"
    )
    align_corners: Flag = optional(False, "where the corners lie; no cost depends on it")


class Free(Layer):
    """A tensor that is made of nothing but its sizes; it is neither learned nor kept."""

    takes: ClassVar[tuple[int, int | None]] = (0, 0)


@kind("full")
class Full(Free):
    """``() → shape``: one number everywhere. Source: ``torch.full``."""

    example: ClassVar[dict[str, object]] = {"shape": [4]}

    shape: SizeList = required("its extents; in_* are those of the tensor before it")
    value: Real = optional(0, "the number; no cost depends on it")


@kind("arange", elsewhere=("range",))
class Arange(Free):
    """``() → (ceil((end − start)/step))``: ``start, start + step, …`` before ``end``, 8 bytes each.

    Source: ``torch.arange``.
    """

    example: ClassVar[dict[str, object]] = {"end": 4}

    end: Integer = required("the number that all are below; in_* are of the tensor before it")
    start: Integer = optional(0, "the first number")
    step: Size = optional(1, "the distance of two")


@kind("missing")
class Missing(Layer):
    """``… → shape``: an operator that no kind expresses; only the shape that leaves it is known.

    Every report says what is missing, and that totals are bounds from below. Source: none.
    """

    takes: ClassVar[tuple[int, int | None]] = (0, None)
    example: ClassVar[dict[str, object]] = {"operator": "aten.fft_rfft", "shape": [4, 3]}

    operator: str = required("what its source calls it")
    shape: SizeList = required("the extents of what leaves it")

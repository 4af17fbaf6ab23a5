"""Layers that multiply nothing: other shapes of the same elements, choices of them, copies."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from archspec.fields import (
    Axes,
    Expression,
    Factors,
    Integer,
    IntegerList,
    OptionalInteger,
    OptionalPerAxis,
    OptionalShape,
    Probability,
    Real,
    Size,
    SizeList,
    listed,
    optional,
    required,
)
from archspec.layers.base import Layer, kind, known_integer
from archspec.ranges import EXTENT


@kind("identity", torch="Identity")
class Identity(Layer):
    """``(…) → (…)``: passes its input on.

    Source: ``torch.nn.Identity``.
    """


@kind("dropout", torch="Dropout")
class Dropout(Layer):
    """``(…) → (…)``: zeroes elements at random while training; at inference the identity.

    Source: Srivastava et al., JMLR 2014; ``torch.nn.Dropout``.
    """

    elsewhere: ClassVar[Mapping[str, str]] = {"rate": "p", "drop_prob": "p"}

    p: Probability = optional(0.5, "probability of a zero; training memory alone depends on it")


@kind("drop_path", "stochastic_depth")
class DropPath(Layer):
    """``(…) → (…)``: drops a whole branch while training; at inference the identity.

    Source: Huang et al., ECCV 2016.
    """

    p: Probability = optional(0.1, "probability of a drop; training memory alone depends on it")


@kind("flatten", torch="Flatten")
class Flatten(Layer):
    """``(n, c, h, w) → (n, c·h·w)``: the axes from ``start_dim`` to ``end_dim`` become one.

    Source: ``torch.nn.Flatten``.
    """

    start_dim: Integer = optional(1, "the first axis that is merged")
    end_dim: Integer = optional(-1, "the last axis that is merged")


@kind("reshape", "view", elsewhere=("unflatten",))
class Reshape(Layer):
    """``(…) → shape``: the same elements in the same order, as a tensor of another shape.

    Source: ``torch.reshape``.
    """

    example: ClassVar[dict[str, object]] = {"shape": ["in_shape[0]", -1]}

    shape: Annotated[tuple[Expression, ...], listed(EXTENT)] = required(
        "the new extents, all axes of them; one may be -1: what the others leave"
    )


@kind("permute")
class Permute(Layer):
    """``(a_0, a_1, …) → (a_dims[0], a_dims[1], …)``: the axes in another order.

    Source: ``torch.permute``.
    """

    example: ClassVar[dict[str, object]] = {"dims": [0, 2, 1]}

    dims: Axes = required("for each axis of the output the axis of the input")


@kind("transpose")
class Transpose(Layer):
    """``(…, a, …, b, …) → (…, b, …, a, …)``: two axes change places.

    Source: ``torch.transpose``.
    """

    dim0: Integer = optional(-2, "the one axis")
    dim1: Integer = optional(-1, "the other axis")


@kind("squeeze")
class Squeeze(Layer):
    """``(…, 1, …) → (…)``: an axis of extent 1 goes.

    Source: ``torch.squeeze``; where that leaves a larger axis as it is, it is refused here.
    """

    example: ClassVar[dict[str, object]] = {"dim": 1}

    dim: Integer = required("the axis; its extent must be 1")


@kind("unsqueeze")
class Unsqueeze(Layer):
    """``(…) → (…, 1, …)``: a new axis of extent 1.

    Source: ``torch.unsqueeze``.
    """

    example: ClassVar[dict[str, object]] = {"dim": 1}

    dim: Integer = required("the place of the new axis")


@kind("pad")
class Pad(Layer):
    """``h_o = h_i + before + after`` on the last axes; all others stay.

    Source: ``torch.nn.functional.pad``.
    """

    example: ClassVar[dict[str, object]] = {"pad": [1, 1]}

    pad: IntegerList = required(
        "before and after the last axis, then before and after the one before it, "
        "and so on; a negative number cuts off"
    )
    mode: Literal["constant", "reflect", "replicate", "circular"] = optional(
        "constant", "what the padding holds; no cost depends on it"
    )
    value: Real = optional(0, "the constant that it holds; no cost depends on it")


@kind("crop")
class Crop(Layer):
    """``(n, c, h, w) → (n, c, h_o, w_o)``: the middle of the feature map.

    With two inputs the first is cropped to the spatial extents of the second, with ``like`` to
    those of the tensor that it names.

    Source: Ronneberger et al., MICCAI 2015; ``torchvision.transforms.CenterCrop``.
    """

    takes: ClassVar[tuple[int, int | None]] = (1, 2)
    example: ClassVar[dict[str, object]] = {"size": 2}

    size: OptionalPerAxis = optional(None, "extent of the output per axis; else the second input's")
    like: OptionalShape = optional(None, "a tensor whose spatial extents it has, instead")


@kind("slice")
class Slice(Layer):
    """``l_o = ceil((end − start)/step)``: a range of one axis.

    Source: Python's ``x[start:end:step]``; a range beyond the axis is refused.
    """

    example: ClassVar[dict[str, object]] = {"dim": 1, "end": 1}

    dim: Integer = required("the axis")
    start: Integer = optional(0, "the first element; counted from the end if negative")
    end: OptionalInteger = optional(
        None, "the element after the last; counted from the end if negative; else the end"
    )
    step: Size = optional(1, "distance of the elements that are taken")


@kind("select")
class Select(Layer):
    """``(…, l, …) → (…)``: one element of an axis, which goes.

    Source: ``torch.select``.
    """

    example: ClassVar[dict[str, object]] = {"dim": 1}

    dim: Integer = required("the axis")
    index: Integer = optional(0, "the element; counted from the end if negative")


@kind("split")
class Split(Layer):
    """``(…, Σ sizes, …) → (…, sizes[0], …), (…, sizes[1], …), …``: parts of one axis.

    Its outputs are ``name.0``, ``name.1``, …. Source: ``torch.split``.
    """

    example: ClassVar[dict[str, object]] = {"sizes": [1, "in_channels - 1"]}

    sizes: SizeList = required("extents of the parts; together the axis")
    dim: Integer = optional(1, "the axis")

    @property
    def outputs(self) -> int:
        """One per size."""
        return len(self.sizes)


@kind("chunk")
class Chunk(Layer):
    """``(…, l, …) → chunks × (…, ceil(l/chunks), …)``: equal parts of one axis, the last the rest.

    Its outputs are ``name.0``, ``name.1``, …. Source: ``torch.chunk``.
    """

    example: ClassVar[dict[str, object]] = {"chunks": 2}

    chunks: Size = required("how many parts; known before any size is")
    dim: Integer = optional(1, "the axis")

    @property
    def outputs(self) -> int:
        """As many as there are chunks."""
        return known_integer("chunks", self.chunks)


@kind("roll")
class Roll(Layer):
    """``(…) → (…)``: elements move along axes; what leaves at one end enters at the other.

    Source: Liu et al., ICCV 2021 (shifted windows); ``torch.roll``.
    """

    example: ClassVar[dict[str, object]] = {"shifts": [1], "dims": [1]}

    shifts: IntegerList = required("by how many elements, per axis; no cost depends on it")
    dims: Axes = required("the axes")


@kind("channel_shuffle", torch="ChannelShuffle")
class ChannelShuffle(Layer):
    """``(n, g·c, …) → (n, c·g, …)``: the channels of ``groups`` groups are dealt in turn.

    Source: Zhang et al., CVPR 2018; ``torch.nn.ChannelShuffle``.
    """

    example: ClassVar[dict[str, object]] = {"groups": 2}

    groups: Size = required("groups g; divides the channels")


@kind("pixel_shuffle", torch="PixelShuffle")
class PixelShuffle(Layer):
    """``(n, c·r², h, w) → (n, c, h·r, w·r)``: channels become pixels.

    Source: Shi et al., CVPR 2016; ``torch.nn.PixelShuffle``.
    """

    example: ClassVar[dict[str, object]] = {"upscale_factor": 2}

    upscale_factor: Size = required("the factor r; r² divides the channels")


@kind("pixel_unshuffle", torch="PixelUnshuffle")
class PixelUnshuffle(Layer):
    """``(n, c, h·r, w·r) → (n, c·r², h, w)``: pixels become channels.

    Source: Shi et al., CVPR 2016; ``torch.nn.PixelUnshuffle``.
    """

    example: ClassVar[dict[str, object]] = {"downscale_factor": 2}

    downscale_factor: Size = required("the factor r; divides height and width")


@kind("upsample", "interpolate", torch="Upsample", elsewhere=("UpSampling2D", "resize"))
class Upsample(Layer):
    """``h_o = floor(h_i·scale_factor)``, or as ``size`` says, on every spatial axis.

    The product is exact; PyTorch's floating point can give one less, as for 100·0.29.

    Source: ``torch.nn.Upsample``.
    """

    example: ClassVar[dict[str, object]] = {"scale_factor": 2}
    either = ("scale_factor", "size", "like")

    scale_factor: Factors = optional(
        None, "output elements per input element; a fraction makes it smaller"
    )
    size: OptionalPerAxis = optional(None, "extent of the output, instead")
    like: OptionalShape = optional(None, "a tensor whose spatial extents it has, instead")
    mode: Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area"] = optional(
        "nearest", "how values between are made; no cost depends on it"
    )

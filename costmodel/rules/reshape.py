"""Layers that multiply nothing: views of the same elements, and copies."""

from collections.abc import Sequence

from sympy import Add, Expr, Integer, Mul, S

from archspec.fields import Expression
from archspec.layers import Layer
from archspec.layers import reshape as kinds
from costmodel.algebra.bounds import is_positive
from costmodel.algebra.conditions import AtLeast, Divides, Equal
from costmodel.algebra.functions import absorbed, ceil_div, floor_div, is_whole
from costmodel.algebra.places import Reads
from costmodel.rules import Shape, Site, backward_rule, cost_rule, elements, keeps, shape_rule
from costmodel.rules.backward import BYTE, NOTHING, Backward, mask
from costmodel.rules.base import Several, replaced, show_shape, text_of
from costmodel.rules.cost import Cost, Output, axes_but
from costmodel.rules.formula import Formula
from costmodel.rules.merge import require_same_rank
from costmodel.rules.sliding import require_mode, require_probability, spatial_input
from costmodel.rules.windows import AXES


@shape_rule(kinds.Identity)
def unchanged_shape(layer: kinds.Identity, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape."""
    return site.input


@shape_rule(kinds.Dropout, kinds.DropPath)
def dropout_shape(layer: kinds.Dropout | kinds.DropPath, site: Site) -> Shape:
    """The input's shape; the probability is one. Source: ``torch.nn.Dropout``."""
    require_probability(site, "p", layer.p)
    return site.input


@cost_rule(kinds.Reshape)
def reshape_cost(layer: kinds.Reshape, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing: the same elements, in the same order, under other indices."""
    return Cost(Output.VIEW)


@cost_rule(kinds.Crop)
def crop_cost(layer: kinds.Crop, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing: the elements in the middle; of an odd rest the larger half is cut off behind.

    Of a second input the extents alone are met.
    """
    rank = len(output)
    starts = {axis: floor_div(site.input[axis] - output[axis], 2) for axis in range(2, rank)}
    reads = {axis: Reads(S.One, start, start) for axis, start in starts.items()}
    return Cost(Output.VIEW, axes=axes_but(rank), reads=(reads,), sees=1, is_part=True)


@cost_rule(kinds.Roll)
def roll_cost(layer: kinds.Roll, site: Site, output: Shape) -> Cost:
    """Nothing: the same elements; on the axes that are rolled the last come before the first."""
    rolled = site.axes_of("dims", layer.dims)
    return Cost(Output.VIEW, axes=axes_but(len(output)), reads=(dict.fromkeys(rolled),))


@cost_rule(kinds.PixelShuffle, kinds.PixelUnshuffle)
def pixel_cost(layer: kinds.PixelShuffle | kinds.PixelUnshuffle, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing: the same elements; r rows are made of one, or one of r."""
    if isinstance(layer, kinds.PixelShuffle):
        factor = site.size("upscale_factor", layer.upscale_factor)
        reads = Reads(S.One, S.Zero, S.Zero, factor)
    else:
        factor = site.size("downscale_factor", layer.downscale_factor)
        reads = Reads(factor, S.Zero, factor - 1)
    return Cost(Output.VIEW, axes=(0, None, 2, 3), reads=(dict.fromkeys((2, 3), reads),))


@cost_rule(kinds.Identity, kinds.ChannelShuffle)
def unmoved_cost(layer: Layer, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing; the elements stay where they are, but for the channels that are shuffled."""
    meets = (1,) if isinstance(layer, kinds.ChannelShuffle) else ()
    return Cost(Output.VIEW, axes=axes_but(len(output)), meets=meets)


@cost_rule(kinds.Slice)
def slice_cost(layer: kinds.Slice, site: Site, output: Shape) -> Cost:
    """Nothing: some of the same elements, ``step·y + start`` on one axis."""
    axis, start, end = _range(layer, site)
    size = site.input[axis]
    reads = Reads(site.size("step", layer.step), start, start)
    last = axis if size - start == 1 and end == size else None
    return Cost(
        Output.VIEW, axes=axes_but(len(output)), reads=({axis: reads},), last=last, is_part=True
    )


@cost_rule(kinds.Split, kinds.Chunk)
def parts_cost(layer: kinds.Split | kinds.Chunk, site: Site, output: Shape) -> Cost:
    """Nothing: some of the same elements; on one axis each output begins where another ends."""
    axis = site.axis_of("dim", layer.dim)
    sizes: Sequence[Expr]
    if isinstance(layer, kinds.Split):
        sizes = [site.size("sizes", size) for size in layer.sizes]
    else:
        sizes = [output[axis]] * layer.outputs
    starts = [Add(*sizes[:i]) for i in range(len(sizes))]
    reads = tuple({axis: Reads(S.One, start, start)} for start in starts)
    return Cost(Output.VIEW, axes=axes_but(len(output)), reads=reads, joint=axis, is_part=True)


Laid = kinds.Permute | kinds.Transpose | kinds.Squeeze | kinds.Unsqueeze | kinds.Select
"""The kinds that only lay out other axes: in another order, one less, one more."""


@cost_rule(kinds.Permute, kinds.Transpose, kinds.Squeeze, kinds.Unsqueeze)
def laid_cost(layer: Laid, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing: the same elements, under other axes."""
    return Cost(Output.VIEW, axes=_axes(layer, site))


@cost_rule(kinds.Select)
def select_cost(layer: kinds.Select, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing: some of the same elements, with an axis less."""
    gone = site.axis_of("dim", layer.dim)
    size = site.input[gone]
    is_last = size - _from_start(site.whole("index", layer.index), size) == 1
    last = gone if is_last else None
    return Cost(Output.VIEW, axes=_axes(layer, site), last=last, is_part=True)


def _axes(layer: Laid, site: Site) -> tuple[int | None, ...]:
    """Return the axis of the input that each axis of the output is; None of a new one."""
    every = axes_but(len(site.input))
    match layer:
        case kinds.Permute():
            return site.axes_of("dims", layer.dims)
        case kinds.Transpose():
            one, other = site.axis_of("dim0", layer.dim0), site.axis_of("dim1", layer.dim1)
            moved = {one: other, other: one}
            return tuple(moved.get(axis, axis) for axis in range(len(every)))
        case kinds.Unsqueeze():
            place = site.new_axis_of("dim", layer.dim)
            return (*every[:place], None, *every[place:])
    gone = site.axis_of("dim", layer.dim)
    return (*every[:gone], *every[gone + 1 :])


def _laid(layer: Laid, site: Site) -> Shape:
    """The extents of the axes that a layer keeps, in its order; of a new one 1."""
    return tuple(S.One if axis is None else site.input[axis] for axis in _axes(layer, site))


@cost_rule(kinds.Dropout, kinds.DropPath)
def dropout_cost(layer: kinds.Dropout | kinds.DropPath, site: Site, output: Shape) -> Cost:
    """Nothing that is counted; it works in place, and passes its input on where p is 0."""
    if site.value("p", layer.p) == 0:
        return Cost(Output.VIEW, axes=axes_but(len(output)))
    return Cost(Output.IN_PLACE)


@shape_rule(kinds.Flatten)
def flatten_shape(layer: kinds.Flatten, site: Site) -> Shape:
    """``(n, c, h, w) → (n, c·h·w)``. Source: ``torch.nn.Flatten``."""
    first = site.axis_of("start_dim", layer.start_dim)
    last = site.axis_of("end_dim", layer.end_dim)
    if first > last:
        raise site.node.error(
            f"start_dim ({first}) comes after end_dim ({last})", field="start_dim"
        )
    shape = site.input
    return (*shape[:first], elements(shape[first : last + 1]), *shape[last + 1 :])


@cost_rule(kinds.Flatten)
def flatten_cost(layer: kinds.Flatten, site: Site, output: Shape) -> Cost:
    """Nothing: the same elements seen in another shape."""
    first = site.axis_of("start_dim", layer.start_dim)
    merged = site.input[first : first + 1 + len(site.input) - len(output)]
    rank = len(site.input) - 2
    every = range(len(site.input))
    names = ("n", "c", *AXES[rank]) if rank in AXES else [f"a_{i}" for i in every]
    quantities = {names[first + i]: size for i, size in enumerate(merged)}
    template = "·".join(f"{{{name}}}" for name in quantities)
    features = Formula("features", template, quantities, output[first])
    return Cost(Output.VIEW, sizes=(features,))


@shape_rule(kinds.Reshape)
def reshape_shape(layer: kinds.Reshape, site: Site) -> Shape:
    """The shape given, of as many elements; -1 is what the others leave.

    Source: ``torch.reshape``.
    """
    open_axes = [i for i, e in enumerate(layer.shape) if site.value("shape", e) == -1]
    if len(open_axes) > 1:
        raise site.node.error("only one extent may be -1", field="shape")
    known = [
        S.One if i in open_axes else site.size("shape", extent)
        for i, extent in enumerate(layer.shape)
    ]
    total, given = elements(site.input), Mul(*known)
    shown = {"total": total, "given": given}
    if not open_axes:
        rule = "the input has {total} elements, the new shape {given}"
        site.require(Equal(total, given), rule, shown, "shape")
        return tuple(known)
    rule = "the {total} elements of the input are no multiple of {given}"
    over, under = _quotient(site.input, known)
    site.require(Divides(under, over), rule, shown, "shape")
    return replaced(tuple(known), open_axes[0], floor_div(over, under))


def _quotient(sizes: Sequence[Expr], known: Sequence[Expr]) -> tuple[Expr, Expr]:
    """The product of some sizes over that of others, without what both have.

    Of ``2·h + 1`` and a third of it, 3 over 1.
    """
    powers = [(size, 1) for size in sizes] + [(size, -1) for size in known]
    parts = [(*size.as_content_primitive(), exponent) for size, exponent in powers]
    number = Mul(*(content**exponent for content, _, exponent in parts))
    rest = Mul(*(primitive**exponent for _, primitive, exponent in parts))
    over, under = (number * rest).as_numer_denom()
    return over, under


@shape_rule(kinds.Permute, kinds.Transpose, kinds.Unsqueeze)
def ordered_shape(layer: Laid, site: Site) -> Shape:
    """Every axis once, in another order, or a new one of extent 1.

    Source: ``torch.permute``, ``torch.transpose``, ``torch.unsqueeze``.
    """
    shape = _laid(layer, site)
    if len(shape) < len(site.input):
        cause = f"dims has {len(shape)} of the axes of {show_shape(site.input)}"
        raise site.node.error(cause, field="dims")
    return shape


@shape_rule(kinds.Squeeze)
def squeeze_shape(layer: kinds.Squeeze, site: Site) -> Shape:
    """An axis of extent 1 goes. Source: ``torch.squeeze``."""
    axis = site.axis_of("dim", layer.dim)
    extent = site.input[axis]
    rule = f"axis {axis} ({{extent}}) must be of extent 1 to be squeezed"
    site.require(Equal(extent, S.One), rule, {"extent": extent}, "dim")
    return _laid(layer, site)


@shape_rule(kinds.Pad)
def pad_shape(layer: kinds.Pad, site: Site) -> Shape:
    """``h_i + before + after``, the last axis first. Source: ``torch.nn.functional.pad``."""
    sides = [site.whole("pad", side) for side in layer.pad]
    if len(sides) % 2 or len(sides) > 2 * len(site.input):
        raise site.node.error(
            f"pad has {len(sides)} numbers for the axes of {show_shape(site.input)}",
            hint="write two for each axis, before and after, beginning with the last axis",
            field="pad",
        )
    shape = site.input
    if layer.mode != "constant" and len(shape) - len(sides) // 2 not in (1, 2):
        cause = (
            f"mode {layer.mode} pads the spatial axes, not {len(sides) // 2} of {len(shape)} axes"
        )
        raise site.node.error(cause, field="pad")
    for i in range(0, len(sides), 2):
        axis = len(shape) - 1 - i // 2
        shape = replaced(shape, axis, _padded(layer, site, axis, *sides[i : i + 2]))
    return shape


def _padded(layer: kinds.Pad, site: Site, axis: int, before: Expr, after: Expr) -> Expr:
    size = site.input[axis]
    for side in (before, after):
        require_mode(site, layer.mode, size, side, "pad")
        rule = f"axis {axis} ({{size}}) has fewer elements than are cut off ({{side}})"
        site.require(AtLeast(size + side, 0), rule, {"size": size, "side": side}, "pad")
    padded = absorbed(size + before + after)
    rule = f"axis {axis} ({{size}}) padded by {{before}} and {{after}} must keep an element"
    shown = {"size": size, "before": before, "after": after}
    site.require(AtLeast(padded, 1), rule, shown, "pad")
    return padded


@cost_rule(kinds.Pad)
def pad_cost(layer: kinds.Pad, site: Site, output: Shape) -> Cost:
    """No products; a new feature map, ``y − before`` on each axis that is padded.

    Source: ``torch.nn.functional.pad``.
    """
    sides = [site.whole("pad", side) for side in layer.pad]
    rank = len(output)
    before = {rank - 1 - i: side for i, side in enumerate(sides[::2])}
    reads = {axis: Reads(S.One, -side, -side) for axis, side in before.items()}
    return Cost(Output.PAD, axes=axes_but(rank), reads=(reads,))


@shape_rule(kinds.Crop)
def crop_shape(layer: kinds.Crop, site: Site) -> Shape:
    """The spatial extents of ``size``, or of the second input. Source: Ronneberger et al., 2015."""
    require_same_rank(site)
    if (layer.size is None) == (len(site.inputs) == 1):
        raise site.node.error("the extents come from size, or from a second input", field="size")
    if layer.size is not None:
        wanted: Sequence[Expr] = site.per_axis("size", layer.size, len(site.input) - 2)
    else:
        wanted = site.inputs[1][2:]
    for axis, (size, kept) in enumerate(zip(site.input[2:], wanted, strict=True), 2):
        rule = f"axis {axis} ({{size}}) cannot be cropped to {{kept}}"
        site.require(AtLeast(size - kept, 0), rule, {"size": size, "kept": kept}, "size")
    return (*site.input[:2], *wanted)


@shape_rule(kinds.Slice)
def slice_shape(layer: kinds.Slice, site: Site) -> Shape:
    """``ceil((end − start)/step)`` on one axis. Source: Python's slices."""
    axis, start, end = _range(layer, site)
    size, step = site.input[axis], site.size("step", layer.step)
    shown = {"start": start, "end": end, "size": size}
    rule = "the range {start}:{end} must lie in an axis of {size}"
    site.require(AtLeast(start, 0), rule, shown, "start")
    site.require(AtLeast(size - end, 0), rule, shown, "end")
    site.require(AtLeast(end - start, 1), "the range {start}:{end} is empty", shown, "end")
    return replaced(site.input, axis, absorbed(ceil_div(end - start, step)))


def _range(layer: kinds.Slice, site: Site) -> tuple[int, Expr, Expr]:
    """Return the axis of a slice, its first place and the place behind its last."""
    axis = site.axis_of("dim", layer.dim)
    size = site.input[axis]
    end = size if layer.end is None else _from_start(site.whole("end", layer.end), size)
    return axis, _from_start(site.whole("start", layer.start), size), end


def _from_start(place: Expr, size: Expr) -> Expr:
    """Return a place on an axis, counted from its end where it is negative by its form."""
    return size + place if is_positive(-place) else place


@shape_rule(kinds.Select)
def select_shape(layer: kinds.Select, site: Site) -> Shape:
    """One axis goes. Source: ``torch.select``."""
    axis = site.axis_of("dim", layer.dim)
    size = site.input[axis]
    index = _from_start(site.whole("index", layer.index), size)
    rule = "index ({index}) must lie in an axis of {size}"
    for inside in (AtLeast(index, 0), AtLeast(size - index, 1)):
        site.require(inside, rule, {"index": index, "size": size}, "index")
    return _laid(layer, site)


def _parts(shape: Shape, axis: int, sizes: Sequence[Expr]) -> Shape | Several:
    parts = tuple(replaced(shape, axis, size) for size in sizes)
    return Several(parts) if len(parts) > 1 else parts[0]


@shape_rule(kinds.Split)
def split_shape(layer: kinds.Split, site: Site) -> Shape | Several:
    """The sizes on one axis, which they make up. Source: ``torch.split``."""
    axis = site.axis_of("dim", layer.dim)
    sizes = [site.size("sizes", size) for size in layer.sizes]
    total, size = Add(*sizes), site.input[axis]
    rule = f"the sizes add up to {{total}}, not to axis {axis} ({{size}})"
    site.require(Equal(total, size), rule, {"total": total, "size": size}, "sizes")
    return _parts(site.input, axis, sizes)


@shape_rule(kinds.Chunk)
def chunk_shape(layer: kinds.Chunk, site: Site) -> Shape | Several:
    """``ceil(l/chunks)`` for all but the last, which is the rest. Source: ``torch.chunk``."""
    axis = site.axis_of("dim", layer.dim)
    size, count = site.input[axis], layer.outputs
    part = absorbed(size / count if is_whole(size / count) else ceil_div(size, Integer(count)))
    last = absorbed(size - (count - 1) * part)
    rule = f"an axis of {{size}} makes no {count} chunks of {{part}}"
    site.require(AtLeast(last, 1), rule, {"size": size, "part": part}, "chunks")
    return _parts(site.input, axis, [part] * (count - 1) + [last])


@shape_rule(kinds.Roll)
def roll_shape(layer: kinds.Roll, site: Site) -> Shape:
    """The input's shape. Source: ``torch.roll``."""
    axes = site.axes_of("dims", layer.dims)
    shifts = [site.whole("shifts", shift) for shift in layer.shifts]
    if len(shifts) != len(axes):
        raise site.node.error(f"{len(shifts)} shifts for {len(axes)} dims", field="shifts")
    return site.input


@shape_rule(kinds.ChannelShuffle)
def channel_shuffle_shape(layer: kinds.ChannelShuffle, site: Site) -> Shape:
    """The input's shape, whose channels fall into groups. Source: ``torch.nn.ChannelShuffle``."""
    site.axis(2)
    channels, groups = site.input[1], site.size("groups", layer.groups)
    site.require_divisible("in_channels", channels, "groups", groups)
    return site.input


def _part(site: Site, field: str, name: str, size: Expr, factor: Expr) -> Expr:
    """``size/factor``, which must be an integer."""
    rule = f"{name} ({{size}}) must be divisible by {{factor}}"
    site.require(Divides(factor, size), rule, {"size": size, "factor": factor}, field)
    return floor_div(size, factor)


@shape_rule(kinds.PixelShuffle)
def pixel_shuffle_shape(layer: kinds.PixelShuffle, site: Site) -> Shape:
    """``(n, c·r², h, w) → (n, c, h·r, w·r)``. Source: ``torch.nn.PixelShuffle``."""
    (n, c), (h, w) = site.input[:2], spatial_input(site, 2)
    r = site.size("upscale_factor", layer.upscale_factor)
    return n, _part(site, "upscale_factor", "in_channels", c, r**2), h * r, w * r


@shape_rule(kinds.PixelUnshuffle)
def pixel_unshuffle_shape(layer: kinds.PixelUnshuffle, site: Site) -> Shape:
    """``(n, c, h·r, w·r) → (n, c·r², h, w)``. Source: ``torch.nn.PixelUnshuffle``."""
    (n, c), (h, w) = site.input[:2], spatial_input(site, 2)
    r = site.size("downscale_factor", layer.downscale_factor)
    height = _part(site, "downscale_factor", "height", h, r)
    return n, c * r**2, height, _part(site, "downscale_factor", "width", w, r)


INTERPOLATED = {
    "nearest": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
"""Mode of `Upsample` → how many spatial axes it is for."""


@shape_rule(kinds.Upsample)
def upsample_shape(layer: kinds.Upsample, site: Site) -> Shape:
    """``floor(h_i·scale_factor)``, or the size that is given. Source: ``torch.nn.Upsample``."""
    if (layer.size is None) == (layer.scale_factor is None):
        raise site.node.error("takes scale_factor or size, one of them")
    site.axis(2)
    rank = len(site.input) - 2
    if rank not in INTERPOLATED[layer.mode]:
        ranks = " or ".join(map(str, INTERPOLATED[layer.mode]))
        cause = f"mode {layer.mode} is for {ranks} spatial axes, not {rank}"
        raise site.node.error(cause, field="mode")
    if layer.size is not None:
        return (*site.input[:2], *site.per_axis("size", layer.size, rank))
    assert layer.scale_factor is not None
    return (*site.input[:2], *_scaled(layer.scale_factor, site))


def _scaled(scales: Expression | tuple[Expression, ...], site: Site) -> list[Expr]:
    spatial = site.input[2:]
    given = site.each_axis("scale_factor", scales, len(spatial))
    outputs = []
    for size, scale in zip(spatial, given, strict=True):
        factor = site.value("scale_factor", scale)
        output = absorbed(floor_div((size * factor).expand(), S.One))
        rule = f"{text_of(size)} · scale_factor ({{factor}}) must be at least 1"
        site.require(AtLeast(output, 1), rule, {"factor": factor}, "scale_factor")
        outputs.append(output)
    return outputs


@cost_rule(kinds.Upsample)
def upsample_cost(layer: kinds.Upsample, site: Site, output: Shape) -> Cost:
    """No products that are counted; a new feature map. Source: ``torch.nn.Upsample``."""
    pairs = enumerate(zip(site.input, output, strict=True))
    scales = {axis: own / size for axis, (own, size) in pairs if axis > 1}
    if layer.scale_factor is not None and layer.mode != "area":
        given = site.each_axis("scale_factor", layer.scale_factor, len(scales))
        values = (site.value("scale_factor", each) for each in given)
        scales = {axis: 1 / value for axis, value in enumerate(values, 2)}
    reads = {axis: _resampled(layer.mode, scale) for axis, scale in scales.items()}
    return Cost(Output.RESAMPLE, axes=axes_but(len(output)), reads=(reads,))


def _resampled(mode: str, scale: Expr) -> Reads | None:
    """The elements between which an element is interpolated; None where no constant scale is known.

    With ``scale = q/p`` elements of the input to one of the output, ``nearest`` reads ``q·y//p``,
    ``area`` from there to ``ceil(q·(y + 1)/p) − 1``. The others stand at
    ``x = q/p·(y + 1/2) − 1/2`` and read ``floor(x)`` to ``ceil(x)``, ``bicubic`` one more on
    either side.
    Source: ``torch.nn.Upsample`` with ``align_corners`` false.
    """
    q, p = scale.as_numer_denom()
    if not (is_whole(q) and is_whole(p)):
        return None
    if mode in ("nearest", "area"):
        return Reads(q, S.Zero, q - 1 if mode == "area" else S.Zero, p)
    if scale is S.One:
        return Reads(S.One, S.Zero, S.Zero)
    place, more = q - p, 2 * p if mode == "bicubic" else S.Zero
    return Reads(2 * q, place - more, place + 2 * p - 1 + more, 2 * p)


# A gradient goes back to where its element came from, or is spread over several.
keeps(
    NOTHING,
    *(kinds.Identity, kinds.ChannelShuffle, kinds.Flatten, kinds.Reshape, kinds.Permute),
    *(kinds.Transpose, kinds.Squeeze, kinds.Unsqueeze, kinds.Pad, kinds.Crop, kinds.Slice),
    *(kinds.Select, kinds.Split, kinds.Chunk, kinds.Roll),
    *(kinds.PixelShuffle, kinds.PixelUnshuffle, kinds.Upsample),
)


@backward_rule(kinds.Dropout, kinds.DropPath)
def dropout_backward(layer: kinds.Dropout | kinds.DropPath, site: Site, output: Shape) -> Backward:
    """A byte per element, or per sample whose branch may be dropped: whether it was.

    Source: Korthikanti et al., 2022, section 4.1.
    """
    if site.value("p", layer.p) == 0:
        return NOTHING
    return mask("mask", elements(output) if isinstance(layer, kinds.Dropout) else output[0], BYTE)

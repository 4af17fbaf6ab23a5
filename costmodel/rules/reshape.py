"""Layers that multiply nothing: views of the same elements, and copies."""

from collections.abc import Sequence

from sympy import Add, Expr, Integer, Mul, S

from archspec.layers import reshape as kinds
from costmodel.algebra.bounds import is_positive
from costmodel.algebra.conditions import AtLeast, Divides, Equal
from costmodel.algebra.functions import absorbed, ceil_div, floor_div, is_whole
from costmodel.algebra.places import ReadPlaces
from costmodel.rules import Both, Shape, Site, backward_rule, elements, keeps, rule
from costmodel.rules.backward import BYTE, NOTHING, Backward, mask
from costmodel.rules.base import Several, replaced, show_shape, text_of
from costmodel.rules.cost import Cost, Output, axes_but
from costmodel.rules.formula import SizeFormula
from costmodel.rules.sliding import require_mode, require_probability, spatial_input
from costmodel.rules.windows import AXES


@rule(kinds.Identity)
def unchanged(layer: kinds.Identity, site: Site) -> Both:  # noqa: ARG001
    """The input's shape; the elements stay where they are."""
    return site.input, Cost(Output.VIEW, axes=axes_but(len(site.input)))


@rule(kinds.Dropout, kinds.DropPath)
def dropped(layer: kinds.Dropout | kinds.DropPath, site: Site) -> Both:
    """The input's shape; it works in place, and passes its input on where p is 0.

    Source: ``torch.nn.Dropout``.
    """
    require_probability(site, "p", layer.p)
    if site.value("p", layer.p) == 0:
        return site.input, Cost(Output.VIEW, axes=axes_but(len(site.input)))
    return site.input, Cost(Output.IN_PLACE)


@rule(kinds.Flatten)
def flattened(layer: kinds.Flatten, site: Site) -> Both:
    """``(n, c, h, w) → (n, c·h·w)``: the same elements. Source: ``torch.nn.Flatten``."""
    first = site.axis_of("start_dim", layer.start_dim)
    last = site.axis_of("end_dim", layer.end_dim)
    if first > last:
        cause = f"start_dim ({first}) comes after end_dim ({last})"
        raise site.node.error(cause, field="start_dim")
    shape, rank = site.input, len(site.input) - 2
    merged = shape[first : last + 1]
    names = ("n", "c", *AXES[rank]) if rank in AXES else [f"a_{i}" for i in range(len(shape))]
    quantities = {names[first + i]: size for i, size in enumerate(merged)}
    template = "·".join(f"{{{name}}}" for name in quantities)
    size = elements(merged)
    output = (*shape[:first], size, *shape[last + 1 :])
    return output, Cost(Output.VIEW, sizes=(SizeFormula("features", template, quantities, size),))


@rule(kinds.Reshape)
def reshaped(layer: kinds.Reshape, site: Site) -> Both:
    """The shape given, of as many elements in the same order; -1 is what the others leave.

    Source: ``torch.reshape``.
    """
    open_axes = [i for i, e in enumerate(layer.shape) if site.value("shape", e) == -1]
    if len(open_axes) > 1:
        raise site.node.error("only one extent may be -1", field="shape")
    known = tuple(
        S.One if i in open_axes else site.size("shape", extent)
        for i, extent in enumerate(layer.shape)
    )
    total, given = elements(site.input), Mul(*known)
    shown = {"total": total, "given": given}
    if not open_axes:
        rule = "the input has {total} elements, the new shape {given}"
        site.require(Equal(total, given), rule, shown, "shape")
        return known, Cost(Output.VIEW)
    rule = "the {total} elements of the input are no multiple of {given}"
    over, under = _quotient(site.input, known)
    site.require(Divides(under, over), rule, shown, "shape")
    return replaced(known, open_axes[0], floor_div(over, under)), Cost(Output.VIEW)


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


Laid = kinds.Permute | kinds.Transpose | kinds.Squeeze | kinds.Unsqueeze | kinds.Select
"""The kinds that only lay out other axes: in another order, one less, one more."""


@rule(kinds.Permute, kinds.Transpose, kinds.Unsqueeze)
def ordered(layer: Laid, site: Site) -> Both:
    """Every axis once, in another order, or a new one of extent 1.

    Source: ``torch.permute``, ``torch.transpose``, ``torch.unsqueeze``.
    """
    axes = _axes(layer, site)
    if len(axes) < len(site.input):
        cause = f"dims has {len(axes)} of the axes of {show_shape(site.input)}"
        raise site.node.error(cause, field="dims")
    return _laid(site, axes), Cost(Output.VIEW, axes=axes)


@rule(kinds.Squeeze)
def squeezed(layer: kinds.Squeeze, site: Site) -> Both:
    """An axis of extent 1 goes. Source: ``torch.squeeze``."""
    axis = site.axis_of("dim", layer.dim)
    extent = site.input[axis]
    rule = f"axis {axis} ({{extent}}) must be of extent 1 to be squeezed"
    site.require(Equal(extent, S.One), rule, {"extent": extent}, "dim")
    axes = _axes(layer, site)
    return _laid(site, axes), Cost(Output.VIEW, axes=axes)


@rule(kinds.Select)
def selected(layer: kinds.Select, site: Site) -> Both:
    """One axis goes: some of the same elements. Source: ``torch.select``."""
    axis = site.axis_of("dim", layer.dim)
    size = site.input[axis]
    index = _from_start(site.whole("index", layer.index), size)
    rule = "index ({index}) must lie in an axis of {size}"
    for inside in (AtLeast(index, 0), AtLeast(size - index, 1)):
        site.require(inside, rule, {"index": index, "size": size}, "index")
    axes, last = _axes(layer, site), axis if size - index == 1 else None
    return _laid(site, axes), Cost(Output.VIEW, axes=axes, last=last, is_part=True)


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


def _laid(site: Site, axes: Sequence[int | None]) -> Shape:
    """The extents of some axes of the input, in their order; of a new one 1."""
    return tuple(S.One if axis is None else site.input[axis] for axis in axes)


@rule(kinds.Pad)
def padded(layer: kinds.Pad, site: Site) -> Both:
    """``h_i + before + after``, the last axis first: a new map, ``y − before`` on each such axis.

    Source: ``torch.nn.functional.pad``.
    """
    sides = [site.whole("pad", side) for side in layer.pad]
    shape = site.input
    rank = len(shape)
    if len(sides) % 2 or len(sides) > 2 * rank:
        raise site.node.error(
            f"pad has {len(sides)} numbers for the axes of {show_shape(shape)}",
            hint="write two for each axis, before and after, beginning with the last axis",
            field="pad",
        )
    if layer.mode != "constant" and rank - len(sides) // 2 not in (1, 2):
        cause = f"mode {layer.mode} pads the spatial axes, not {len(sides) // 2} of {rank} axes"
        raise site.node.error(cause, field="pad")
    reads: dict[int, ReadPlaces | None] = {}
    for axis, before, after in zip(range(rank)[::-1], sides[::2], sides[1::2], strict=False):
        shape = replaced(shape, axis, _padded(layer, site, axis, before, after))
        reads[axis] = ReadPlaces(S.One, -before, -before)
    return shape, Cost(Output.PAD, axes=axes_but(rank), reads=(reads,))


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


@rule(kinds.Crop)
def cropped(layer: kinds.Crop, site: Site) -> Both:
    """The spatial extents of ``size``, or of the second input: the elements in the middle.

    Of an odd rest the larger half is cut off behind; of a second input the extents alone are met.

    Source: Ronneberger et al., 2015.
    """
    site.require_same_rank()
    if (layer.size, layer.like).count(None) != len(site.inputs):
        raise site.node.error("the extents come from size, or from a second input", field="size")
    wanted: Sequence[Expr]
    if layer.size is not None:
        wanted = site.per_axis("size", layer.size, len(site.input) - 2)
    elif layer.like is not None:
        wanted = site.extents("like", layer.like)
    else:
        wanted = site.inputs[1][2:]
    reads: dict[int, ReadPlaces | None] = {}
    for axis, (size, kept) in enumerate(zip(site.input[2:], wanted, strict=True), 2):
        rule = f"axis {axis} ({{size}}) cannot be cropped to {{kept}}"
        site.require(AtLeast(size - kept, 0), rule, {"size": size, "kept": kept}, "size")
        start = floor_div(size - kept, 2)
        reads[axis] = ReadPlaces(S.One, start, start)
    output = (*site.input[:2], *wanted)
    axes = axes_but(len(output))
    return output, Cost(Output.VIEW, axes=axes, reads=(reads,), sees=1, is_part=True)


@rule(kinds.Slice)
def sliced(layer: kinds.Slice, site: Site) -> Both:
    """``ceil((end − start)/step)`` on one axis: the elements at ``step·y + start``.

    Source: Python's slices.
    """
    axis, start, end = _range(layer, site)
    size, step = site.input[axis], site.size("step", layer.step)
    shown = {"start": start, "end": end, "size": size}
    rule = "the range {start}:{end} must lie in an axis of {size}"
    site.require(AtLeast(start, 0), rule, shown, "start")
    site.require(AtLeast(size - end, 0), rule, shown, "end")
    site.require(AtLeast(end - start, 1), "the range {start}:{end} is empty", shown, "end")
    output = replaced(site.input, axis, absorbed(ceil_div(end - start, step)))
    reads = ({axis: ReadPlaces(step, start, start)},)
    last = axis if size - start == 1 and end == size else None
    axes = axes_but(len(output))
    return output, Cost(Output.VIEW, axes=axes, reads=reads, last=last, is_part=True)


def _range(layer: kinds.Slice, site: Site) -> tuple[int, Expr, Expr]:
    """Return the axis of a slice, its first place and the place behind its last."""
    axis = site.axis_of("dim", layer.dim)
    size = site.input[axis]
    end = size if layer.end is None else _from_start(site.whole("end", layer.end), size)
    return axis, _from_start(site.whole("start", layer.start), size), end


def _from_start(place: Expr, size: Expr) -> Expr:
    """Return a place on an axis, counted from its end where it is negative by its form."""
    return size + place if is_positive(-place) else place


@rule(kinds.Split)
def split(layer: kinds.Split, site: Site) -> Both:
    """The sizes on one axis, which they make up. Source: ``torch.split``."""
    axis = site.axis_of("dim", layer.dim)
    sizes = [site.size("sizes", size) for size in layer.sizes]
    total, size = Add(*sizes), site.input[axis]
    rule = f"the sizes add up to {{total}}, not to axis {axis} ({{size}})"
    site.require(Equal(total, size), rule, {"total": total, "size": size}, "sizes")
    return _parts(site.input, axis, sizes)


@rule(kinds.Chunk)
def chunked(layer: kinds.Chunk, site: Site) -> Both:
    """``ceil(l/chunks)`` for all but the last, which is the rest. Source: ``torch.chunk``."""
    axis = site.axis_of("dim", layer.dim)
    size, count = site.input[axis], layer.outputs
    part = absorbed(size / count if is_whole(size / count) else ceil_div(size, Integer(count)))
    last = absorbed(size - (count - 1) * part)
    rule = f"an axis of {{size}} makes no {count} chunks of {{part}}"
    site.require(AtLeast(last, 1), rule, {"size": size, "part": part}, "chunks")
    return _parts(site.input, axis, [part] * (count - 1) + [last])


def _parts(shape: Shape, axis: int, sizes: Sequence[Expr]) -> Both:
    """Some of the same elements; on one axis each output begins where another ends."""
    parts = tuple(replaced(shape, axis, size) for size in sizes)
    starts = [Add(*sizes[:i]) for i in range(len(sizes))]
    reads = tuple({axis: ReadPlaces(S.One, start, start)} for start in starts)
    cost = Cost(Output.VIEW, axes=axes_but(len(shape)), reads=reads, joint=axis, is_part=True)
    return Several(parts) if len(parts) > 1 else parts[0], cost


@rule(kinds.Roll)
def rolled(layer: kinds.Roll, site: Site) -> Both:
    """The input's shape; on the axes that are rolled the last elements come before the first.

    Source: ``torch.roll``.
    """
    axes = site.axes_of("dims", layer.dims)
    shifts = [site.whole("shifts", shift) for shift in layer.shifts]
    if len(shifts) != len(axes):
        raise site.node.error(f"{len(shifts)} shifts for {len(axes)} dims", field="shifts")
    rank = len(site.input)
    return site.input, Cost(Output.VIEW, axes=axes_but(rank), reads=(dict.fromkeys(axes),))


@rule(kinds.ChannelShuffle)
def shuffled(layer: kinds.ChannelShuffle, site: Site) -> Both:
    """The input's shape, whose channels fall into groups; on other axes the elements stay.

    Source: ``torch.nn.ChannelShuffle``.
    """
    site.axis(2)
    channels, groups = site.input[1], site.size("groups", layer.groups)
    site.require_divisible("in_channels", channels, "groups", groups)
    return site.input, Cost(Output.VIEW, axes=axes_but(len(site.input)), meets=(1,))


@rule(kinds.PixelShuffle)
def pixels_shuffled(layer: kinds.PixelShuffle, site: Site) -> Both:
    """``(n, c·r², h, w) → (n, c, h·r, w·r)``. Source: ``torch.nn.PixelShuffle``."""
    (n, c), (h, w) = site.input[:2], spatial_input(site, 2)
    r = site.size("upscale_factor", layer.upscale_factor)
    output = n, _part(site, "upscale_factor", "in_channels", c, r**2), h * r, w * r
    return output, _pixels(ReadPlaces(S.One, S.Zero, S.Zero, r))


@rule(kinds.PixelUnshuffle)
def pixels_unshuffled(layer: kinds.PixelUnshuffle, site: Site) -> Both:
    """``(n, c, h·r, w·r) → (n, c·r², h, w)``. Source: ``torch.nn.PixelUnshuffle``."""
    (n, c), (h, w) = site.input[:2], spatial_input(site, 2)
    r = site.size("downscale_factor", layer.downscale_factor)
    height = _part(site, "downscale_factor", "height", h, r)
    output = n, c * r**2, height, _part(site, "downscale_factor", "width", w, r)
    return output, _pixels(ReadPlaces(r, S.Zero, r - 1))


def _pixels(reads: ReadPlaces) -> Cost:
    """The same elements; r rows are made of one, or one of r."""
    return Cost(Output.VIEW, axes=(0, None, 2, 3), reads=(dict.fromkeys((2, 3), reads),))


def _part(site: Site, field: str, name: str, size: Expr, factor: Expr) -> Expr:
    """Return ``size/factor``, and require it to be an integer."""
    rule = f"{name} ({{size}}) must be divisible by {{factor}}"
    site.require(Divides(factor, size), rule, {"size": size, "factor": factor}, field)
    return floor_div(size, factor)


INTERPOLATED = {
    "nearest": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
"""Mode of `Upsample` → how many spatial axes it is for."""


@rule(kinds.Upsample)
def upsampled(layer: kinds.Upsample, site: Site) -> Both:
    """``floor(h_i·scale_factor)``, or the size that is given: a new feature map.

    Source: ``torch.nn.Upsample``.
    """
    if (layer.size, layer.scale_factor, layer.like).count(None) != 2:
        raise site.node.error("takes scale_factor or size or like, one of them")
    site.axis(2)
    spatial = site.input[2:]
    rank = len(spatial)
    if rank not in INTERPOLATED[layer.mode]:
        ranks = " or ".join(map(str, INTERPOLATED[layer.mode]))
        cause = f"mode {layer.mode} is for {ranks} spatial axes, not {rank}"
        raise site.node.error(cause, field="mode")
    factors: list[Expr] = []
    if layer.scale_factor is not None:
        given = site.each_axis("scale_factor", layer.scale_factor, rank)
        factors = [site.value("scale_factor", each) for each in given]
        outputs = [_scaled(site, *pair) for pair in zip(spatial, factors, strict=True)]
    elif layer.size is not None:
        outputs = [*site.per_axis("size", layer.size, rank)]
    elif layer.like is not None:
        outputs = [*site.extents("like", layer.like)]
    if factors and layer.mode != "area":
        scales = [1 / factor for factor in factors]
    else:
        scales = [own / size for own, size in zip(spatial, outputs, strict=True)]
    reads = {axis: _resampled(layer.mode, scale) for axis, scale in enumerate(scales, 2)}
    cost = Cost(Output.RESAMPLE, axes=axes_but(rank + 2), reads=(reads,))
    return (*site.input[:2], *outputs), cost


def _scaled(site: Site, size: Expr, factor: Expr) -> Expr:
    output = absorbed(floor_div((size * factor).expand(), S.One))
    rule = f"{text_of(size)} · scale_factor ({{factor}}) must be at least 1"
    site.require(AtLeast(output, 1), rule, {"factor": factor}, "scale_factor")
    return output


def _resampled(mode: str, scale: Expr) -> ReadPlaces | None:
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
        return ReadPlaces(q, S.Zero, q - 1 if mode == "area" else S.Zero, p)
    if scale is S.One:
        return ReadPlaces(S.One, S.Zero, S.Zero)
    place, more = q - p, 2 * p if mode == "bicubic" else S.Zero
    return ReadPlaces(2 * q, place - more, place + 2 * p - 1 + more, 2 * p)


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

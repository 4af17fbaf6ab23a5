"""Layers that look up, sort, repeat and cut out elements: no products."""

from collections.abc import Sequence

from sympy import Add, Expr, Integer, Mul, S

from archspec.layers import indexing as kinds
from costmodel.algebra.conditions import AtLeast, Divides, Equal
from costmodel.algebra.functions import absorbed, ceil_div, floor_div
from costmodel.algebra.places import ReadPlaces
from costmodel.rules import Both, Shape, Site, backward_rule, elements, keeps, rule
from costmodel.rules.backward import INDEX, NOTHING, Backward, KeptInput, mask
from costmodel.rules.base import Several, replaced, show_shape
from costmodel.rules.cost import PLACE, Cost, Output, axes_but
from costmodel.rules.merge import require_equal
from costmodel.rules.sliding import require_output, spatial_input
from costmodel.rules.windows import AXES, Window


@rule(kinds.Gather)
def gathered(layer: kinds.Gather, site: Site) -> Both:
    """The shape of the indices. Source: ``torch.gather``."""
    axis = site.axis_of("dim", layer.dim)
    _require_within(site, 1, axis)
    shape = site.inputs[1]
    rank = len(shape)
    carried = axes_but(rank, axis), axes_but(rank)
    cost = Cost(Output.LOOKUP, axes=axes_but(rank, axis), carried=carried, ends=(axis,))
    return shape, cost


def _require_within(site: Site, number: int, but: int | None, of: int = 0) -> None:
    """Require an input to have the axes of another, and to be no longer on any but one of them."""
    inner, outer = site.inputs[number], site.inputs[of]
    names = site.sources[number], site.sources[of]
    if len(inner) != len(outer):
        both = f"{names[0]} {show_shape(inner)} and {names[1]} {show_shape(outer)}"
        raise site.node.error(f"the inputs have different numbers of axes: {both}")
    for axis, sizes in enumerate(zip(inner, outer, strict=True)):
        if axis != but:
            rule = f"axis {axis} of {names[0]} ({{inner}}) is longer than of {names[1]} ({{outer}})"
            shown = dict(zip(("inner", "outer"), sizes, strict=True))
            site.require(AtLeast(sizes[1] - sizes[0], 0), rule, shown)


@rule(kinds.IndexSelect)
def index_selected(layer: kinds.IndexSelect, site: Site) -> Both:
    """As many places on the axis as there are indices. Source: ``torch.index_select``."""
    axis, indices = site.axis_of("dim", layer.dim), site.inputs[1]
    if len(indices) != 1:
        raise site.node.error(f"the indices {show_shape(indices)} are no list of one axis")
    rank = len(site.input)
    carried = axes_but(rank, axis), (axis,)
    cost = Cost(Output.LOOKUP, axes=axes_but(rank, axis), carried=carried, ends=(axis,))
    return replaced(site.input, axis, indices[0]), cost


@rule(kinds.Scatter)
def scattered(layer: kinds.Scatter, site: Site) -> Both:
    """The first input's shape; in place in it. Source: ``torch.scatter``."""
    axis, rank = site.axis_of("dim", layer.dim), len(site.input)
    _require_within(site, 1, axis)
    _require_within(site, 1, None, of=2)
    carried = (axes_but(rank), axes_but(rank, axis), axes_but(rank, axis))
    return site.input, Cost(Output.IN_PLACE, carried=carried, ends=(axis,), reuses=(0,))


@rule(kinds.Sort, kinds.TopK)
def ordered(layer: kinds.Sort | kinds.TopK, site: Site) -> Both:
    """The input's shape, or k on one axis; twice. Source: ``torch.sort``, ``torch.topk``."""
    axis, shape = site.axis_of("dim", layer.dim), site.input
    if isinstance(layer, kinds.TopK):
        k = site.size("k", layer.k)
        rule = f"k ({{k}}) is more than axis {axis} ({{size}})"
        site.require(AtLeast(shape[axis] - k, 0), rule, {"k": k, "size": shape[axis]}, "k")
        shape = replaced(shape, axis, k)
    axes = axes_but(len(shape), axis)
    return Several((shape, shape)), Cost(
        Output.LOOKUP, axes=axes, ends=(axis,), types=(None, PLACE)
    )


@rule(kinds.OneHot)
def one_hot(layer: kinds.OneHot, site: Site) -> Both:
    """A row for each index. Source: ``torch.nn.functional.one_hot``."""
    shape = (*site.input, site.size("num_classes", layer.num_classes))
    return shape, Cost(Output.LOOKUP, axes=(*axes_but(len(site.input)), None), types=(PLACE,))


@rule(kinds.Flip)
def flipped(layer: kinds.Flip, site: Site) -> Both:
    """The input's shape; on some axes the first element is the last. Source: ``torch.flip``."""
    axes, rank = site.axes_of("dims", layer.dims), len(site.input)
    return site.input, Cost(Output.COPY, axes=axes_but(rank), reads=(dict.fromkeys(axes),))


@rule(kinds.Expand)
def expanded(layer: kinds.Expand, site: Site) -> Both:
    """The shape given, whose last axes are the input's, or of extent 1 there.

    Source: ``torch.Tensor.expand``.
    """
    new = len(layer.shape) - len(site.input)
    if new < 0:
        cause = f"shape has {len(layer.shape)} of the axes of {show_shape(site.input)}"
        raise site.node.error(cause, field="shape")
    axes: list[int | None] = []
    shape: list[Expr] = []
    for place, given in enumerate(layer.shape):
        own = site.input[place - new] if place >= new else S.One
        keeps_own = site.value("shape", given) == -1
        if keeps_own and place < new:
            raise site.node.error("a new axis has no extent to keep", field="shape")
        size = own if keeps_own else site.size("shape", given)
        if own is not S.One and not keeps_own:
            rule = f"axis {place - new} ({{own}}) is neither 1 nor {{size}}"
            site.require(Equal(own, size), rule, {"own": own, "size": size}, "shape")
        axes.append(place - new if place >= new and own == size else None)
        shape.append(size)
    return tuple(shape), Cost(Output.VIEW, axes=tuple(axes))


@rule(kinds.Tile)
def tiled(layer: kinds.Tile, site: Site) -> Both:
    """``r·l`` on every axis, the last ones where not all are given. Source: ``torch.tile``."""
    copies = [site.size("dims", each) for each in layer.dims]
    rank = max(len(copies), len(site.input))
    copies = [S.One] * (rank - len(copies)) + copies
    new = rank - len(site.input)
    sizes = (*(S.One,) * new, *site.input)
    shape = tuple(times * size for times, size in zip(copies, sizes, strict=True))
    axes = (*(None,) * new, *axes_but(rank - new))
    moved = {axis: None for axis in range(rank - new) if copies[axis + new] is not S.One}
    return shape, Cost(Output.COPY, axes=axes, reads=(moved,))


@rule(kinds.RepeatInterleave)
def interleaved(layer: kinds.RepeatInterleave, site: Site) -> Both:
    """``r·l`` on one axis, of which y is place ``y//r``. Source: ``torch.repeat_interleave``."""
    axis, times = site.axis_of("dim", layer.dim), site.size("repeats", layer.repeats)
    reads = {axis: ReadPlaces(S.One, S.Zero, S.Zero, times)}
    cost = Cost(Output.COPY, axes=axes_but(len(site.input)), reads=(reads,))
    return replaced(site.input, axis, times * site.input[axis]), cost


def _windows(layer: kinds.Patches, site: Site, sizes: Sequence[Expr]) -> tuple[Window, ...]:
    """Return the windows over a map of two spatial axes of some sizes."""
    named = (("kernel_size", 1), ("stride", 1), ("dilation", 1), ("padding", 0))
    given = (site.per_axis(name, getattr(layer, name), 2, least) for name, least in named)
    rows = zip(AXES[2], sizes, *given, strict=True)
    return tuple(Window(axis, size, k, s, d, p, p) for axis, size, k, s, d, p in rows)


@rule(kinds.Unfold)
def unfolded(layer: kinds.Unfold, site: Site) -> Both:
    """``(n, c·k_h·k_w, windows)``; a new feature map. Source: ``torch.nn.Unfold``."""
    windows = _windows(layer, site, spatial_input(site, 2))
    count = Mul(*require_output(site, windows))
    taps = Mul(*(window.kernel for window in windows))
    (n, c), cost = site.input[:2], Cost(Output.COPY, axes=(0, None, None), ends=(1, 2, 3))
    return (n, c * taps, count), cost


@rule(kinds.Fold)
def folded(layer: kinds.Fold, site: Site) -> Both:
    """``(n, c, h_o, w_o)`` as given; a new feature map. Source: ``torch.nn.Fold``."""
    if len(site.input) != 3:
        raise site.node.error(f"the input {show_shape(site.input)} is not (n, c·k_h·k_w, windows)")
    sizes = site.per_axis("output_size", layer.output_size, 2)
    windows = _windows(layer, site, sizes)
    count = Mul(*require_output(site, windows))
    n, features, columns = site.input
    rule = "{columns} columns for {count} windows"
    site.require(Equal(columns, count), rule, {"columns": columns, "count": count}, "output_size")
    taps = Mul(*(window.kernel for window in windows))
    rule = "the features ({features}) must be divisible by the taps of a window ({taps})"
    site.require(Divides(taps, features), rule, {"features": features, "taps": taps}, "kernel_size")
    shape = n, floor_div(features, taps), *sizes
    return shape, Cost(Output.COPY, axes=(0, None, None, None), ends=(1, 2))


@rule(kinds.GridSample)
def sampled(layer: kinds.GridSample, site: Site) -> Both:
    """``(n, c, h_o, w_o)``: a value of each channel at each point. Source: ``torch``."""
    x, grid = site.inputs
    rank = len(x) - 2
    if rank not in (2, 3) or len(grid) != len(x):
        raise site.node.error(f"no map and no grid: {show_shape(x)} and {show_shape(grid)}")
    require_equal(site, 0, (0, x[0]), (1, grid[0]))
    rule = f"a point of the grid has {{size}} numbers, not {rank}"
    site.require(Equal(grid[-1], Integer(rank)), rule, {"size": grid[-1]})
    if rank == 3 and layer.mode == "bicubic":
        raise site.node.error("mode bicubic is for 2 spatial axes, not 3", field="mode")
    spatial = tuple(range(2, len(x)))
    carried = (0, 1, *(None for _ in spatial)), (0, *spatial, None)
    cost = Cost(Output.RESAMPLE, axes=carried[0], carried=carried, ends=spatial)
    return (*x[:2], *grid[1:-1]), cost


@rule(kinds.Full)
def filled(layer: kinds.Full, site: Site) -> Both:
    """The shape that is given; a new feature map. Source: ``torch.full``."""
    return tuple(site.size("shape", size) for size in layer.shape), Cost(Output.COPY)


@rule(kinds.Arange)
def counted(layer: kinds.Arange, site: Site) -> Both:
    """``ceil((end − start)/step)``; a new feature map. Source: ``torch.arange``."""
    start, end = site.whole("start", layer.start), site.whole("end", layer.end)
    size = absorbed(ceil_div(Add(end, -start), site.size("step", layer.step)))
    rule = "there is no number from {start} on that is below {end}"
    site.require(AtLeast(end - start, 1), rule, {"start": start, "end": end}, "end")
    return (size,), Cost(Output.COPY, types=(PLACE,))


@rule(kinds.Missing)
def missing(layer: kinds.Missing, site: Site) -> Both:
    """The shape that is given; all else is unknown, and said to be. Source: none."""
    shape = tuple(site.size("shape", size) for size in layer.shape)
    return shape, Cost(Output.COPY, missing=layer.operator)


# A gradient goes back to where its element came from, or is spread over several; indices have none.
keeps(
    NOTHING,
    *(kinds.Flip, kinds.Expand, kinds.Tile, kinds.RepeatInterleave, kinds.Unfold, kinds.Fold),
    *(kinds.OneHot, kinds.Full, kinds.Arange, kinds.Missing),
)

# The indices say where a gradient goes.
keeps(Backward((KeptInput(1),)), kinds.Gather, kinds.IndexSelect, kinds.Scatter)

# The values for the grid's gradient, the grid for both. Source: ``grid_sampler_2d_backward``.
keeps(Backward((KeptInput(0), KeptInput(1))), kinds.GridSample)


@backward_rule(kinds.Sort, kinds.TopK)
def ordered_backward(layer: kinds.Sort | kinds.TopK, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """An index of 4 bytes per output: the place that it came from."""
    return mask("places", elements(output), INDEX)

"""Layers with several inputs: their shapes must agree, or be made to by a condition."""

from itertools import pairwise

from sympy import Add, Expr, S

from archspec.layers.merge import Concat, Merge
from costmodel.algebra.conditions import Equal
from costmodel.cost import Cost, Output
from costmodel.rules.base import Shape, Site, cost_rule, shape_rule, show_shape


@shape_rule(Merge)
def merged_shape(layer: Merge, site: Site) -> Shape:  # noqa: ARG001
    """The common shape; an axis of extent 1 takes the other's extent (broadcasting)."""
    _require_same_rank(site)
    return tuple(_common(site, axis) for axis in range(len(site.input)))


def _require_same_rank(site: Site) -> None:
    if len({len(shape) for shape in site.inputs}) > 1:
        shapes = zip(site.sources, map(show_shape, site.inputs), strict=True)
        shown = ", ".join(f"{name} {shape}" for name, shape in shapes)
        raise site.node.error(f"the inputs have different numbers of axes: {shown}")


def _common(site: Site, axis: int) -> Expr:
    extents = [(i, shape[axis]) for i, shape in enumerate(site.inputs) if shape[axis] is not S.One]
    for (i, first), (j, other) in pairwise(extents):
        _require_equal(site, axis, (i, first), (j, other))
    return extents[0][1] if extents else S.One


def _require_equal(site: Site, axis: int, left: tuple[int, Expr], right: tuple[int, Expr]) -> None:
    names = [site.sources[i] for i, _ in (left, right)]
    site.require(
        Equal(left[1], right[1]),
        f"axis {axis} of {names[0]} ({{left}}) and of {names[1]} ({{right}}) must agree",
        {"left": left[1], "right": right[1]},
    )


@shape_rule(Concat)
def concatenated_shape(layer: Concat, site: Site) -> Shape:
    """``(n, c_1 + c_2, …)``: the sum on one axis; all others agree. Source: ``torch.cat``."""
    _require_same_rank(site)
    joined = site.axis(site.integer("axis", layer.axis), "axis")
    sizes: list[Expr] = []
    for axis, first in enumerate(site.input):
        if axis == joined:
            sizes.append(Add(*(shape[axis] for shape in site.inputs)))
            continue
        for i, shape in enumerate(site.inputs[1:], 1):
            _require_equal(site, axis, (0, first), (i, shape[axis]))
        sizes.append(first)
    return tuple(sizes)


@cost_rule(Merge)
def merge_cost(layer: Merge, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """No products of weights; sums and products work in place, concat makes a new feature map."""
    return Cost(Output.CONCAT if isinstance(layer, Concat) else Output.IN_PLACE)

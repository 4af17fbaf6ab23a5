"""Layers that only change the shape, or nothing at all."""

from archspec.layers.reshape import Dropout, Flatten, Identity
from costmodel.cost import Cost, Output
from costmodel.formula import Formula
from costmodel.rules.base import Shape, Site, cost_rule, elements, shape_rule
from costmodel.windows import AXES


@shape_rule(Flatten)
def flatten_shape(layer: Flatten, site: Site) -> Shape:
    """``(n, c, h, w) → (n, c·h·w)``. Source: ``torch.nn.Flatten``."""
    first = site.axis(site.integer("start_dim", layer.start_dim), "start_dim")
    last = site.axis(site.integer("end_dim", layer.end_dim), "end_dim")
    if first > last:
        raise site.node.error(
            f"start_dim ({first}) comes after end_dim ({last})", field="start_dim"
        )
    shape = site.input
    return (*shape[:first], elements(shape[first : last + 1]), *shape[last + 1 :])


@shape_rule(Identity, Dropout)
def unchanged_shape(layer: Identity | Dropout, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape."""
    return site.input


@cost_rule(Flatten)
def flatten_cost(layer: Flatten, site: Site, output: Shape) -> Cost:
    """Nothing: the same elements seen in another shape."""
    first = site.axis(site.integer("start_dim", layer.start_dim), "start_dim")
    merged = site.input[first : first + 1 + len(site.input) - len(output)]
    rank = len(site.input) - 2
    names = ("n", "c", *AXES[rank]) if rank in AXES else range(len(site.input))
    quantities = {str(names[first + i]): size for i, size in enumerate(merged)}
    template = "·".join(f"{{{name}}}" for name in quantities)
    return Cost(Output.VIEW, sizes=(Formula("features", template, quantities, output[first]),))


@cost_rule(Identity)
def identity_cost(layer: Identity, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing."""
    return Cost(Output.VIEW)


@cost_rule(Dropout)
def dropout_cost(layer: Dropout, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing that is counted; it works in place."""
    return Cost(Output.IN_PLACE)

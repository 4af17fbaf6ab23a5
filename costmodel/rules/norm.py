"""Normalisation: in place, with a scale and a shift."""

from sympy import Expr

from archspec.layers.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
)
from costmodel.algebra.conditions import Divides
from costmodel.cost import Cost, Output, Parameter, Role
from costmodel.rules.base import Shape, Site, cost_rule, elements, shape_rule, show_shape


def in_place(*parameters: tuple[str, Expr], learned: bool) -> Cost:
    """The cost of a normalisation: parameters by name and size, where they are learned."""
    learnable = (Parameter(name, Role.NORM, size, "c") for name, size in parameters)
    return Cost(Output.IN_PLACE, parameters=tuple(learnable) if learned else ())


@shape_rule(BatchNorm, InstanceNorm, LocalResponseNorm)
def channels_shape(layer: BatchNorm | InstanceNorm | LocalResponseNorm, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape, which has a channel axis."""
    site.axis(1)
    return site.input


@cost_rule(BatchNorm, InstanceNorm, GroupNorm)
def channels_cost(layer: BatchNorm | InstanceNorm | GroupNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Scale ``c`` and shift ``c``. Source: ``torch.nn.BatchNorm2d``, ``GroupNorm``."""
    return in_place(("weight", output[1]), ("bias", output[1]), learned=layer.affine.holds)


@cost_rule(LocalResponseNorm)
def local_response_cost(layer: LocalResponseNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing is learned and nothing counted. Source: Krizhevsky et al., NeurIPS 2012."""
    return in_place(learned=False)


@shape_rule(GroupNorm)
def groupnorm_shape(layer: GroupNorm, site: Site) -> Shape:
    """The input's shape, whose channels fall into groups. Source: ``torch.nn.GroupNorm``."""
    channels = site.input[site.axis(1)]
    groups = site.size("num_groups", layer.num_groups)
    rule = "in_channels ({channels}) must be divisible by num_groups ({groups})"
    shown = {"channels": channels, "groups": groups}
    site.require(Divides(groups, channels), rule, shown, "num_groups")
    return site.input


@shape_rule(RMSNorm)
def rmsnorm_shape(layer: RMSNorm, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape."""
    site.axis(-1)
    return site.input


@cost_rule(RMSNorm)
def rmsnorm_cost(layer: RMSNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """A scale per element of the last axis. Source: ``torch.nn.RMSNorm``."""
    return in_place(("weight", output[-1]), learned=layer.elementwise_affine.holds)


@shape_rule(LayerNorm)
def layernorm_shape(layer: LayerNorm, site: Site) -> Shape:
    """The input's shape, which has the axes that are normalised."""
    axes = site.integer("axes", layer.axes)
    if not 1 <= axes <= len(site.input):
        cause = f"axes ({axes}) must be from 1 to the axes of the input {show_shape(site.input)}"
        raise site.node.error(cause, field="axes")
    return site.input


@cost_rule(LayerNorm)
def layernorm_cost(layer: LayerNorm, site: Site, output: Shape) -> Cost:
    """Scale and shift per element of the normalised axes. Source: ``torch.nn.LayerNorm``."""
    size = elements(output[-site.integer("axes", layer.axes) :])
    names = ("weight", "bias") if layer.bias.holds else ("weight",)
    return in_place(*((name, size) for name in names), learned=layer.elementwise_affine.holds)

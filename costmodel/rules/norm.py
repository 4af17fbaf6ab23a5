"""Normalisation: in place, with a scale and a shift."""

from archspec.layers import norm as kinds
from costmodel.rules import Shape, Site, cost_rule, elements, keeps, shape_rule
from costmodel.rules.backward import INPUT
from costmodel.rules.base import show_shape
from costmodel.rules.cost import Cost, Output, Parameter, Role

OfChannels = kinds.BatchNorm | kinds.InstanceNorm | kinds.GroupNorm


def in_place(*names: str, shape: Shape, learned: bool) -> Cost:
    """The cost of a normalisation: parameters of one shape by name, where they are learned."""
    rule = "c" if len(shape) == 1 else "·".join(f"c_{i}" for i in range(1, len(shape) + 1))
    size = elements(shape)
    learnable = tuple(Parameter(name, Role.NORM, size, rule, shape) for name in names)
    return Cost(Output.IN_PLACE, parameters=learnable if learned else ())


@shape_rule(kinds.BatchNorm, kinds.InstanceNorm)
def channels_shape(layer: kinds.BatchNorm | kinds.InstanceNorm, site: Site) -> Shape:
    """The input's shape ``(n, c)``, ``(n, c, l)``, …, of an instance with spatial axes.

    Source: ``torch.nn.BatchNorm1d`` and ``InstanceNorm1d`` to ``3d``.
    """
    least = 3 if isinstance(layer, kinds.InstanceNorm) else 2
    if not least <= len(site.input) <= 5:
        shown = show_shape(site.input)
        raise site.node.error(f"the input {shown} has not {least} to 5 axes, (n, c, …)")
    return site.input


@shape_rule(kinds.LocalResponseNorm)
def local_response_shape(layer: kinds.LocalResponseNorm, site: Site) -> Shape:
    """The input's shape, with spatial axes. Source: ``torch.nn.LocalResponseNorm``."""
    site.size("size", layer.size)
    site.axis(2)
    return site.input


@cost_rule(kinds.BatchNorm, kinds.InstanceNorm, kinds.GroupNorm)
def channels_cost(layer: OfChannels, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Scale ``c`` and shift ``c``. Source: ``torch.nn.BatchNorm2d``, ``GroupNorm``.

    At inference a batch normalisation takes the statistics of each channel that it has learned; the
    others take those of the axes after the batch.
    """
    cost = in_place("weight", "bias", shape=output[1:2], learned=layer.affine.holds)
    meets = (1,) if isinstance(layer, kinds.BatchNorm) else tuple(range(1, len(output)))
    return cost._replace(meets=meets)


@cost_rule(kinds.LocalResponseNorm)
def local_response_cost(layer: kinds.LocalResponseNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing is learned and nothing counted. Source: Krizhevsky et al., NeurIPS 2012."""
    return in_place(shape=(), learned=False)._replace(meets=(1,))


@shape_rule(kinds.GroupNorm)
def groupnorm_shape(layer: kinds.GroupNorm, site: Site) -> Shape:
    """The input's shape, whose channels fall into groups. Source: ``torch.nn.GroupNorm``."""
    channels = site.input[site.axis(1)]
    groups = site.size("num_groups", layer.num_groups)
    site.require_divisible("in_channels", channels, "num_groups", groups)
    return site.input


@shape_rule(kinds.RMSNorm)
def rmsnorm_shape(layer: kinds.RMSNorm, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape."""
    site.axis(-1)
    return site.input


@cost_rule(kinds.RMSNorm)
def rmsnorm_cost(layer: kinds.RMSNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """A scale per element of the last axis. Source: ``torch.nn.RMSNorm``."""
    cost = in_place("weight", shape=output[-1:], learned=layer.elementwise_affine.holds)
    return cost._replace(meets=(-1,))


@shape_rule(kinds.LayerNorm)
def layernorm_shape(layer: kinds.LayerNorm, site: Site) -> Shape:
    """The input's shape, which has the axes that are normalised."""
    axes = site.integer("axes", layer.axes)
    if not 1 <= axes <= len(site.input):
        cause = f"axes ({axes}) must be from 1 to the axes of the input {show_shape(site.input)}"
        raise site.node.error(cause, field="axes")
    return site.input


@cost_rule(kinds.LayerNorm)
def layernorm_cost(layer: kinds.LayerNorm, site: Site, output: Shape) -> Cost:
    """Scale and shift per element of the normalised axes. Source: ``torch.nn.LayerNorm``."""
    shape = output[-site.integer("axes", layer.axes) :]
    names = ("weight", "bias") if layer.bias.holds else ("weight",)
    cost = in_place(*names, shape=shape, learned=layer.elementwise_affine.holds)
    return cost._replace(meets=tuple(range(-len(shape), 0)))


# The input, of a batch that trains. Source: Ioffe and Szegedy, ICML 2015, section 3. The two
# statistics of each row or channel are left out, as in Korthikanti et al., 2022.
keeps(
    INPUT,
    *(kinds.BatchNorm, kinds.InstanceNorm, kinds.GroupNorm),
    *(kinds.LayerNorm, kinds.RMSNorm, kinds.LocalResponseNorm),
)

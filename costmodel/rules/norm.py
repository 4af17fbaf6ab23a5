"""Normalisation: in place, with a scale and a shift."""

from archspec.layers.norm import BatchNorm, LayerNorm, RMSNorm
from costmodel.cost import Cost, Output, Parameter, Role
from costmodel.rules.base import Shape, Site, cost_rule, elements, shape_rule


@shape_rule(BatchNorm)
def batchnorm_shape(layer: BatchNorm, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape, which has a channel axis."""
    site.axis(1)
    return site.input


@cost_rule(BatchNorm)
def batchnorm_cost(layer: BatchNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Scale ``c`` and shift ``c``. Source: ``torch.nn.BatchNorm2d``."""
    channels = output[1]
    parameters = (
        Parameter("weight", Role.NORM, channels, "c"),
        Parameter("bias", Role.NORM, channels, "c"),
    )
    return Cost(Output.IN_PLACE, parameters=parameters if layer.affine.holds else ())


@shape_rule(RMSNorm)
def rmsnorm_shape(layer: RMSNorm, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape."""
    site.axis(-1)
    return site.input


@cost_rule(RMSNorm)
def rmsnorm_cost(layer: RMSNorm, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """A scale per element of the last axis. Source: ``torch.nn.RMSNorm``."""
    scale = Parameter("weight", Role.NORM, output[-1], "c")
    return Cost(Output.IN_PLACE, parameters=(scale,) if layer.elementwise_affine.holds else ())


@shape_rule(LayerNorm)
def layernorm_shape(layer: LayerNorm, site: Site) -> Shape:
    """The input's shape, which has the axes that are normalised."""
    axes = site.integer("axes", layer.axes)
    if axes < 1:
        raise site.node.error(f"axes ({axes}) must be at least 1", field="axes")
    site.axis(-axes, "axes")
    return site.input


@cost_rule(LayerNorm)
def layernorm_cost(layer: LayerNorm, site: Site, output: Shape) -> Cost:
    """Scale and shift per element of the normalised axes. Source: ``torch.nn.LayerNorm``."""
    size = elements(output[-site.integer("axes", layer.axes) :])
    scale = Parameter("weight", Role.NORM, size, "c")
    shift = Parameter("bias", Role.NORM, size, "c")
    if not layer.elementwise_affine.holds:
        return Cost(Output.IN_PLACE)
    return Cost(Output.IN_PLACE, parameters=(scale, shift) if layer.bias.holds else (scale,))

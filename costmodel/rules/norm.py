"""Normalisation: in place, with a scale and a shift."""

from collections.abc import Iterable

from sympy import Expr, S

from archspec.layers import norm as kinds
from costmodel.rules import Both, Shape, Site, elements, keeps, rule
from costmodel.rules.backward import INPUT
from costmodel.rules.base import show_shape
from costmodel.rules.cost import Buffer, Cost, Output, Parameter, Role


def in_place(*names: str, shape: Shape, learned: bool, meets: Iterable[int]) -> Cost:
    """The cost of a normalisation: parameters of one shape by name, where they are learned."""
    rule = "c" if len(shape) == 1 else "·".join(f"c_{i}" for i in range(1, len(shape) + 1))
    size = elements(shape)
    learnable = tuple(Parameter(name, Role.NORM, size, rule, shape) for name in names)
    return Cost(Output.IN_PLACE, parameters=learnable if learned else (), meets=tuple(meets))


def statistics(channels: Expr) -> tuple[Buffer, ...]:
    """Return the buffers of a batch normalisation: mean and variance, and a count of 64 bits."""
    running = (Buffer(f"running_{name}", channels) for name in ("mean", "var"))
    return (*running, Buffer("num_batches_tracked", S.One, 64))


@rule(kinds.BatchNorm, kinds.InstanceNorm)
def channels(layer: kinds.BatchNorm | kinds.InstanceNorm, site: Site) -> Both:
    """The input's shape ``(n, c)``, ``(n, c, l)``, …, of an instance with spatial axes.

    Scale ``c`` and shift ``c``; of a batch normalisation two statistics of each channel, and a
    count of batches, are buffers, which it takes at inference; an instance's statistics are of the
    axes after the batch.

    Source: ``torch.nn.BatchNorm1d`` and ``InstanceNorm1d`` to ``3d``.
    """
    is_instance, rank = isinstance(layer, kinds.InstanceNorm), len(site.input)
    least = 3 if is_instance else 2
    if not least <= rank <= 5:
        shown = show_shape(site.input)
        raise site.node.error(f"the input {shown} has not {least} to 5 axes, (n, c, …)")
    meets = range(1, rank if is_instance else 2)
    cost = in_place(
        "weight", "bias", shape=site.input[1:2], learned=layer.affine.holds, meets=meets
    )
    return site.input, cost if is_instance else cost._replace(buffers=statistics(site.input[1]))


@rule(kinds.GroupNorm)
def groups(layer: kinds.GroupNorm, site: Site) -> Both:
    """The input's shape, whose channels fall into groups; scale ``c`` and shift ``c``.

    Source: ``torch.nn.GroupNorm``.
    """
    count = site.input[site.axis(1)]
    site.require_divisible(
        "in_channels", count, "num_groups", site.size("num_groups", layer.num_groups)
    )
    meets = range(1, len(site.input))
    return site.input, in_place(
        "weight", "bias", shape=(count,), learned=layer.affine.holds, meets=meets
    )


@rule(kinds.LocalResponseNorm)
def local_response(layer: kinds.LocalResponseNorm, site: Site) -> Both:
    """The input's shape, with spatial axes; nothing is learned.

    Source: Krizhevsky et al., NeurIPS 2012; ``torch.nn.LocalResponseNorm``.
    """
    site.size("size", layer.size)
    site.axis(2)
    return site.input, Cost(Output.IN_PLACE, meets=(1,))


@rule(kinds.RMSNorm)
def root_mean_square(layer: kinds.RMSNorm, site: Site) -> Both:
    """The input's shape; a scale per element of the last axis. Source: ``torch.nn.RMSNorm``."""
    site.axis(-1)
    learned = layer.elementwise_affine.holds
    return site.input, in_place("weight", shape=site.input[-1:], learned=learned, meets=(-1,))


@rule(kinds.LayerNorm)
def layernorm(layer: kinds.LayerNorm, site: Site) -> Both:
    """The input's shape; scale and shift per element of the axes that are normalised.

    Source: ``torch.nn.LayerNorm``.
    """
    axes = site.integer("axes", layer.axes)
    if not 1 <= axes <= len(site.input):
        cause = f"axes ({axes}) must be from 1 to the axes of the input {show_shape(site.input)}"
        raise site.node.error(cause, field="axes")
    names = ("weight", "bias") if layer.bias.holds else ("weight",)
    learned, meets = layer.elementwise_affine.holds, range(-axes, 0)
    return site.input, in_place(*names, shape=site.input[-axes:], learned=learned, meets=meets)


# The input, of a batch that trains. Source: Ioffe and Szegedy, ICML 2015, section 3. The two
# statistics of each row or channel are left out, as in Korthikanti et al., 2022.
keeps(
    INPUT,
    *(kinds.BatchNorm, kinds.InstanceNorm, kinds.GroupNorm),
    *(kinds.LayerNorm, kinds.RMSNorm, kinds.LocalResponseNorm),
)

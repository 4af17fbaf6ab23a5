"""Layers with several inputs: their shapes must agree, or be made to by a condition."""

from collections.abc import Sequence
from itertools import pairwise

from sympy import Add, Expr, Integer, S

from archspec.layers import merge as kinds
from costmodel.algebra.conditions import Equal
from costmodel.algebra.functions import simplest
from costmodel.rules import Both, Shape, Site, backward_rule, elements, keeps, rule
from costmodel.rules.backward import BIT, INPUT, NOTHING, Backward, KeptInput, factors, mask
from costmodel.rules.base import replaced
from costmodel.rules.cost import TRUTH, Cost, Output, axes_but

_CHOOSERS = {kinds.Where: 0, kinds.MaskedFill: 1}
"""The kinds of which an input is of truth values → its place."""


@rule(kinds.Comparison)
def compared(layer: kinds.Comparison, site: Site) -> Both:  # noqa: ARG001
    """The common shape, a truth value of each pair; a new feature map. Source: ``torch.eq``."""
    return broadcast(site, site.inputs), Cost(Output.BROADCAST, types=(TRUTH,))


@rule(kinds.Elementwise)
def merged(layer: kinds.Elementwise, site: Site) -> Both:
    """The common shape of all inputs; in place in an input that is as large as the output.

    Source: ``torch.broadcast_tensors``.
    """
    output = broadcast(site, site.inputs)
    reuses = tuple(i for i, shape in enumerate(site.inputs) if agree(shape, output))
    reuses = tuple(i for i in reuses if i != _CHOOSERS.get(type(layer)))
    return output, Cost(Output.IN_PLACE if reuses else Output.BROADCAST, reuses=reuses)


def broadcast(site: Site, shapes: Sequence[Shape]) -> Shape:
    """The common shape of inputs: aligned at the last axis, an extent of 1 takes the others'.

    Raises:
        SpecError: two extents differ, whatever the symbols are.
    """
    rank = max(map(len, shapes))
    aligned = [(S.One,) * (rank - len(shape)) + shape for shape in shapes]
    columns = enumerate(zip(*aligned, strict=True))
    return tuple(_common(site, axis - rank, column) for axis, column in columns)


def _common(site: Site, axis: int, column: Sequence[Expr]) -> Expr:
    """Return the broadcast extent of an axis; an open extent is taken to be more than 1."""
    extents = [(i, extent) for i, extent in enumerate(column) if extent is not S.One]
    for left, right in pairwise(extents):
        require_equal(site, axis, left, right, _OPEN)
    return simplest([extent for _, extent in extents]) if extents else S.One


_OPEN = "; that an extent is 1, and broadcast, is seen only where it is a number"


def require_equal(
    site: Site, axis: int, left: tuple[int, Expr], right: tuple[int, Expr], note: str = ""
) -> None:
    """The extents of an axis of two inputs, each with the input's number, agree.

    The note is for extents that depend on a symbol.
    """
    note *= not (left[1].is_Integer and right[1].is_Integer)
    names = [site.sources[i] for i, _ in (left, right)]
    site.require(
        Equal(left[1], right[1]),
        f"axis {axis} of {names[0]} ({{left}}) and of {names[1]} ({{right}}) must agree{note}",
        {"left": left[1], "right": right[1]},
    )


def _require_equal_axes(site: Site, but: int | None = None) -> Shape:
    """All inputs have as many axes, which agree but for one; return their simplest extents."""
    site.require_same_rank()
    for axis, first in enumerate(site.input):
        if axis != but:
            for i, shape in enumerate(site.inputs[1:], 1):
                require_equal(site, axis, (0, first), (i, shape[axis]))
    return tuple(map(simplest, zip(*site.inputs, strict=True)))


@rule(kinds.Concat)
def concatenated(layer: kinds.Concat, site: Site) -> Both:
    """``(n, c_1 + c_2, …)``: the sum on one axis; all others agree. A new feature map.

    Source: ``torch.cat``; MIT 6.5940, lecture 2.
    """
    joined = site.axis_of("axis", layer.axis)
    common = _require_equal_axes(site, joined)
    total = Add(*(shape[joined] for shape in site.inputs))
    cost = Cost(Output.CONCAT, axes=axes_but(len(common)), joint=joined)
    return replaced(common, joined, total), cost


@rule(kinds.Stack)
def stacked(layer: kinds.Stack, site: Site) -> Both:
    """A new axis, as long as there are inputs; a new feature map. Source: ``torch.stack``."""
    common = _require_equal_axes(site)
    place, axes = site.new_axis_of("dim", layer.dim), axes_but(len(common))
    output = (*common[:place], Integer(len(site.inputs)), *common[place:])
    return output, Cost(Output.CONCAT, axes=(*axes[:place], None, *axes[place:]))


def agree(one: Shape, other: Shape) -> bool:
    """Return whether two shapes of a sum are equal: of one rank, no extent 1 on one side alone."""
    return len(one) == len(other) and all(
        a == b or (a is not S.One and b is not S.One) for a, b in zip(one, other, strict=True)
    )


# A gradient passes to each input as it is, or its part of it; none passes through a choice.
keeps(
    NOTHING,
    *(kinds.Add, kinds.Subtract, kinds.Concat, kinds.Stack, kinds.Whole, kinds.Comparison),
)

# Which of two each element is.
keeps(Backward((KeptInput(0),)), kinds.Where)
keeps(Backward((KeptInput(1),)), kinds.MaskedFill)

# Both: each derivative is a function of both. Source: ``torch.remainder``, ``torch.atan2``.
keeps(Backward((KeptInput(0), KeptInput(1))), kinds.Curved)


@backward_rule(kinds.Multiply)
def product_backward(layer: kinds.Multiply, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """Each input for the others' gradients: ``d(a·b) = b·da + a·db``."""
    return factors(len(site.inputs))


@backward_rule(kinds.Divide)
def quotient_backward(layer: kinds.Divide, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """Keep the divisor, and for its own gradient the dividend: ``d(a/b) = da/b − a·db/b²``."""
    by_number = layer.other is not None
    return NOTHING if by_number else Backward((KeptInput(0, frozenset({1})), KeptInput(1)))


@backward_rule(kinds.Power)
def power_backward(layer: kinds.Power, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """The base; where the exponent is a tensor, that and the output, too. Source: ``torch.pow``."""
    return INPUT if layer.other is not None else Backward((KeptInput(0), KeptInput(1)), output=True)


@backward_rule(kinds.Largest, kinds.Smallest)
def largest_backward(layer: kinds.Arithmetic, site: Site, output: Shape) -> Backward:
    """A bit per element and comparison: which of two inputs was the larger."""
    others = len(site.inputs) - (layer.other is None)
    return mask("mask", others * elements(output), BIT)

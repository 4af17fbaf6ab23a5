"""Which inputs an output depends on: receptive field, effective stride, effective padding.

``R' = R + (span − 1)·S``, ``S' = S·s``, ``P' = P + p·S`` along a path, read off the affine maps of
the loop nests; of several paths the largest. Source: Araujo, Norris and Sim, Distill, 2019.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr, S

from costmodel.algebra.functions import Maximum
from costmodel.cost import Cost, Places
from costmodel.nests import Axis, LoopNest


class Field(NamedTuple):
    """What one output element sees of one axis of the network's input.

    Attributes:
        size: how many elements, R.
        stride: by how many the next output's are further on, S.
        padding: how many the first output's begin before the first, P.
    """

    size: Expr
    stride: Expr
    padding: Expr


Reach = tuple[Field, ...] | None
"""A field for every spatial axis; empty where an output depends on no input, None where it depends
on all of it or in no affine way."""

POINT = Field(S.One, S.One, S.Zero)
"""What an element of the input sees of itself."""


def of_input(rank: int) -> Reach:
    """An input ``(n, c, …)``; one without spatial axes has no places."""
    return (POINT,) * (rank - 2) if rank > 2 else None


def through(cost: Cost, inputs: Sequence[Reach]) -> Reach:
    """What a layer's output sees, from what its inputs see."""
    before = largest([reach for reach in inputs if reach != ()])
    if before == ():
        return before
    if cost.places is Places.ALL:
        return None
    if before is None or cost.places is Places.SAME:
        return before
    return _through_windows(cost.nests[0], before)


def largest(reaches: Sequence[Reach]) -> Reach:
    """Of several paths the largest, axis by axis; strides that differ give the largest, too."""
    first, *others = reaches or [()]
    for other in others:
        if first is None or other is None or len(first) != len(other):
            return None
        first = tuple(
            Field(*(Maximum(a, b) for a, b in zip(one, two, strict=True)))
            for one, two in zip(first, other, strict=True)
        )
    return first


def repeated(before: Reach, after: Reach, runs: Expr) -> Reach:
    """Each turn of a body that keeps the shape adds as much as the first."""
    if before is None or after is None:
        return None
    return tuple(
        Field(*((a + runs * (b - a)).expand() for a, b in zip(one, two, strict=True)))
        for one, two in zip(before, after, strict=True)
    )


def _through_windows(nest: LoopNest, before: tuple[Field, ...]) -> Reach:
    """Through windows; one that spreads its input over a stride has places between places."""
    spread = nest.operand("output").axes
    axes = spread or nest.operand("input").axes
    between = spread and any(step is not S.One for axis in spread for step in axis.steps)
    if between or len(axes) != len(before):
        return None
    step = _spread if spread else _slid
    return tuple(step(nest, axis, field) for axis, field in zip(axes, before, strict=True))


def _slid(nest: LoopNest, axis: Axis, field: Field) -> Field:
    """A window that reads ``s·h_o + d·k_h − p``."""
    stride, dilation = axis.steps
    return Field(
        (field.size + (_taps(nest, axis) - 1) * dilation * field.stride).expand(),
        (field.stride * stride).expand(),
        (field.padding - axis.start * field.stride).expand(),
    )


def _spread(nest: LoopNest, axis: Axis, field: Field) -> Field:
    """A window that writes ``h_i + k_h − p``: it reads as many, the last tap first."""
    reach = _taps(nest, axis) - 1
    return Field(
        (field.size + reach * field.stride).expand(),
        field.stride,
        (field.padding + (reach + axis.start) * field.stride).expand(),
    )


def _taps(nest: LoopNest, axis: Axis) -> Expr:
    """The extent of the kernel's loop on an axis."""
    return nest.over(axis.loops[1:])[0].extent

"""Which inputs an output depends on: receptive field, effective stride, effective padding.

``R' = R + (span − 1)·S``, ``S' = S·s``, ``P' = P + p·S`` along a path, read off the affine maps of
the loop nests; of several paths the largest. Source: Araujo, Norris and Sim, Distill, 2019.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr, S

from costmodel.algebra.functions import Maximum, ceil_div
from costmodel.cost import Cost, Places
from costmodel.nests import LoopNest, Operand


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
    spread = nest.operand("output").axes
    operand = nest.operand("output" if spread else "input")
    if len(operand.axes) != len(before):
        return None
    if spread and any(axis.steps[1] is not S.One for axis in spread):
        return None  # which inputs meet depends on the place
    step = _spread if spread else _slid
    return tuple(step(nest, operand, i, field) for i, field in enumerate(before))


def _slid(nest: LoopNest, operand: Operand, i: int, field: Field) -> Field:
    """A window that reads ``s·h_o + d·k_h − p``."""
    (stride, dilation), start = operand.axes[i].steps, operand.axes[i].start
    taps = nest.over(operand.axes[i].loops[1:])[0].extent
    return Field(
        (field.size + (taps - 1) * dilation * field.stride).expand(),
        (field.stride * stride).expand(),
        (field.padding - start * field.stride).expand(),
    )


def _spread(nest: LoopNest, operand: Operand, i: int, field: Field) -> Field:
    """A transposed window that writes ``s·h_i + k_h − p``: at most ``ceil(k/s)`` inputs meet."""
    stride, start = operand.axes[i].steps[0], operand.axes[i].start
    taps = nest.over(operand.axes[i].loops[1:])[0].extent
    met = ceil_div(taps, stride)
    return Field(
        (field.size + (met - 1) * field.stride).expand(),
        field.stride / stride,
        field.padding + (taps - 1 + start) * field.stride / stride,
    )

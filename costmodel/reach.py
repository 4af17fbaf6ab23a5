"""Which inputs an output depends on: receptive field, effective stride, effective padding.

``R' = R + (span − 1)·S``, ``S' = S·s``, ``P' = P + p·S`` along a path, read off the affine maps of
the loop nests; of several paths the largest. Source: Araujo, Norris and Sim, Distill, 2019.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from sympy import Expr, S

from costmodel.algebra.bounds import lower_bound
from costmodel.algebra.functions import Maximum
from costmodel.cost import Cost, Output
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


class Limit(NamedTuple):
    """That an output has no field.

    Attributes:
        path: the layer from which on there is none.
        why: what that layer does.
    """

    path: str
    why: str


Reach = tuple[Field | None, ...] | Limit
"""A field for every axis that has places in the input, as height and width have; ``()`` where an
output depends on no input."""

POINT = Field(S.One, S.One, S.Zero)
"""What an element of the input sees of itself."""

_WHY = {
    Output.RESAMPLE: "has places between those of its input",
    Output.PAD: "moves the places of its input",
    Output.VIEW: "rearranges its input",
}


class Clash(NamedTuple):
    """A merge whose paths have other strides, so that their places drift apart.

    Attributes:
        path: the layer.
        strides: the effective strides of its inputs on the axis.
    """

    path: str
    strides: tuple[Expr, ...]


def fields_of(reach: Reach) -> tuple[Field, ...]:
    """The fields there are."""
    return () if isinstance(reach, Limit) else tuple(field for field in reach if field)


def of_input(rank: int) -> Reach:
    """An input ``(n, c, …)``: what comes after the channels has places."""
    return tuple(None if axis < 2 else POINT for axis in range(rank))


def through(path: str, cost: Cost, inputs: Sequence[Reach]) -> Reach:
    """What the output of the layer at a path sees, from what its inputs see."""
    before = largest([reach for reach in inputs if reach != ()])
    if before == () or isinstance(before, Limit) or cost.keeps:
        return before
    if cost.slides:
        return _through_windows(path, cost.nests[0], before)
    if cost.axes is None:
        return Limit(path, _WHY.get(cost.output, "sees the whole input"))
    return tuple(None if axis is None else before[axis] for axis in cost.axes)


def largest(reaches: Sequence[Reach]) -> Reach:
    """What several paths see together, axis by axis from the last.

    Of strides that differ the largest counts, and the field is that of the first element.
    """
    for reach in reaches:
        if isinstance(reach, Limit):
            return reach
    first, *others = [reach for reach in reaches if not isinstance(reach, Limit)] or [()]
    for other in others:
        pairs = zip_longest(reversed(first), reversed(other))
        first = tuple(reversed([_larger(one, two) for one, two in pairs]))
    return first


def _larger(one: Field | None, other: Field | None) -> Field | None:
    """What both see together: from the first element of either to the last of either.

    On an axis that has no places on one path there are none.
    """
    if one is None or other is None:
        return None
    padding = _most(one.padding, other.padding)
    after = _most(one.size - one.padding, other.size - other.padding)
    return Field((padding + after).expand(), _most(one.stride, other.stride), padding)


def _most(one: Expr, other: Expr) -> Expr:
    """The larger of two, where it is seen which it is; else their maximum."""
    for large, small in ((one, other), (other, one)):
        least = lower_bound((large - small).expand(), {})
        if least is not None and least >= 0:
            return large
    return Maximum(one, other)


def clashes(path: str, reaches: Sequence[Reach]) -> Iterator[Clash]:
    """The axes on which the strides of some paths differ; of open ones, not proved to be equal."""
    for axis in zip(*filter(None, map(fields_of, reaches)), strict=False):
        strides = tuple(field.stride for field in axis)
        if len(set(strides)) > 1:
            yield Clash(path, strides)


def later(reach: Reach, before: Reach, after: Reach, turns: Expr) -> Reach:
    """What is seen so many turns later of a body that makes ``after`` of ``before``.

    Each turn of a body that keeps the shape adds as much as the first; of one that ends the field
    what the first sees is kept.
    """
    if turns is S.Zero or isinstance(reach, Limit):
        return reach
    if isinstance(before, Limit) or isinstance(after, Limit):
        return reach
    more = [
        field if one is None or two is None or field is None else _grown(field, one, two, turns)
        for field, one, two in zip(reversed(reach), reversed(before), reversed(after), strict=False)
    ]
    return tuple(reversed([*more, *reversed(reach[: len(reach) - len(more)])]))


def _grown(field: Field, before: Field, after: Field, turns: Expr) -> Field:
    steps = zip(field, before, after, strict=True)
    return Field(*((own + turns * (b - a)).expand() for own, a, b in steps))


def _through_windows(path: str, nest: LoopNest, before: tuple[Field | None, ...]) -> Reach:
    """Through windows; one that spreads its input over a stride has places between places."""
    spread = nest.operand("output").axes
    axes = spread or nest.operand("input").axes
    if spread and any(step is not S.One for axis in spread for step in axis.steps):
        return Limit(path, _WHY[Output.RESAMPLE])
    step = _spread if spread else _slid
    found: list[Field | None] = [None, None]
    for axis, field in zip(axes, before[2:], strict=True):
        if field is None:
            return Limit(path, "has windows over what has no places in the input")
        found.append(step(nest, axis, field))
    return tuple(found)


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

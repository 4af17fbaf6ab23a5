"""Caches and states: what is kept between steps, declared on the cost."""

from sympy import Expr, Mul, S

from archspec.layers.memory import Cached, State
from costmodel.algebra.bounds import is_at_least
from costmodel.algebra.functions import Minimum
from costmodel.rules import Both, Shape, Site, backward_rule, elements, keeps, rule
from costmodel.rules.backward import NOTHING, Backward, KeptInput
from costmodel.rules.base import replaced, show_shape
from costmodel.rules.cost import Cache, Cost, KeptState, Output, axes_but


def up_to(tokens: Expr, bound: Expr, site: Site) -> Expr:
    """``min(tokens, bound)``, or the tokens where they are proved to be no more."""
    fits = is_at_least(bound - tokens, 0, site.least)
    return tokens if fits else Minimum(tokens, bound)


def kept_state(site: Site, parts: tuple[Expr, ...], axis: int, rows: Expr) -> KeptState:
    """Return a state of fixed size that every run after another reads, and every run writes.

    Args:
        site: the layer's place.
        parts: elements of each of its tensors, of one sequence.
        axis: the axis of the input on which the tokens are.
        rows: how many sequences there are.
    """
    if site.past is None:
        return KeptState(rows, parts, S.Zero, S.Zero, axis)
    read = S.One if is_at_least(site.past, 1, site.least) else Minimum(site.past, S.One)
    return KeptState(rows, parts, read, S.One, axis)


@rule(Cached)
def cached(layer: Cached, site: Site) -> Both:
    """``past`` more on one axis, of a window ``window - 1`` at most.

    Source: Pope et al., MLSys 2023, section 2.1.
    """
    axis, shape = site.axis_of("dim", layer.dim), site.input
    if axis == 0 or len(shape) < 2:
        cause = f"axis 0 of {show_shape(shape)} is that of sequences, each with a cache of its own"
        raise site.node.error(cause, "name the axis of the tokens, as dim: 1", "dim")
    tokens, before = shape[axis], S.Zero if site.past is None else site.past
    held, read, written = before + tokens, before, tokens
    if layer.window is not None:
        window = site.size("window", layer.window)
        read, written = up_to(before, window - 1, site), up_to(tokens, window, site)
        held = up_to(before + tokens, window, site)
    parts = (Mul(*shape[1:axis], *shape[axis + 1 :]),)
    kept = Cache(shape[0], parts, held, read, S.Zero if site.past is None else written, joins=axis)
    axes = axes_but(len(shape), axis)
    return replaced(shape, axis, read + tokens), Cost(Output.VIEW, axes=axes, cache=kept)


@rule(State)
def state(layer: State, site: Site) -> Both:
    """The shape of the first input; ``Π shape`` elements are kept of a sequence.

    Source: Gu and Dao, 2023, section 3; Sun et al., 2023, section 2.
    """
    axis, shape = site.axis_of("dim", layer.dim), site.input
    if axis == 0 or len(shape) < 2:
        cause = f"axis 0 of {show_shape(shape)} is that of sequences, each with a state of its own"
        raise site.node.error(cause, "name the axis of the tokens, as dim: 1", "dim")
    size = elements(tuple(site.size("shape", extent) for extent in layer.shape))
    kept = kept_state(site, (size,), axis, shape[0])
    carried = tuple(_carried(other, shape, axis) for other in site.inputs)
    return shape, Cost(Output.IN_PLACE, state=kept, carried=carried, ends=(axis,), reuses=(0,))


def _carried(other: Shape, shape: Shape, axis: int) -> tuple[int | None, ...]:
    """Return the axes of the output that an input has: all, or those up to the tokens' own."""
    if len(other) == len(shape):
        return tuple(range(len(other)))
    led = axis + 1 if other[: axis + 1] == shape[: axis + 1] else 0
    return tuple(place if place < led else None for place in range(len(other)))


keeps(NOTHING, Cached)


@backward_rule(State)
def state_backward(layer: State, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """All inputs, of which the states are made again. Source: Gu and Dao, 2023, section 3.3.2."""
    return Backward(tuple(map(KeptInput, range(len(site.inputs)))))

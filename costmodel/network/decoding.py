"""The entries that decoding token by token has no state for: proved, or refused by name.

A step of decode takes one token. It is the whole network's last place only where each layer works
on every token by itself, or keeps what it needs of those before: causal self-attention its keys and
values. So the axis of the tokens is followed through the network by what the loops and axes of each
layer say; one in which places of that axis meet, or that is not known to keep them apart, is
refused.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from sympy import Add, Expr, S, Symbol

from archspec.errors import SpecError
from archspec.graph import Carry
from archspec.scope import free_names
from archspec.trees import Tensor
from costmodel.algebra.bounds import lower_bound
from costmodel.algebra.functions import exact
from costmodel.algebra.places import OWN
from costmodel.network.propagation import GroupCost, LayerCost, Part, Propagation
from costmodel.rules.base import Shape, elements, expressions_of, text_of
from costmodel.rules.cost import Cost, Output

Carried = tuple[tuple[int | None, ...], ...]
"""Of each input and each of its axes the axis of the output that has its places one by one."""

HINT = (
    "causal self_attention, cache, state and recurrent layers of one direction keep something for "
    "the next token; all else must work on each token by itself, or on the last alone (select or "
    "slice with -1)"
)


def carries(cost: Cost, inputs: Sequence[Shape], output: Shape) -> Carried:
    """Return where the places of each input's axes are in the output, None where they meet.

    Places are kept apart on an axis that the output has as a whole, unmoved, and that no element
    sees more of than its own place. A cache has what is needed of other tokens of the first input.

    Args:
        cost: the layer's cost.
        inputs: the shapes that enter.
        output: the shape that leaves.
    """
    if cost.carried is not None:
        return cost.carried
    if cost.is_rearranged:
        return (_in_order(inputs[0], output),)
    rank = len(output)
    axes = enumerate(cost.axes_of(rank) or ())
    places = {axis: place for place, axis in axes if axis is not None}
    lost = {*cost.ends, *(axis % rank for axis in cost.meets), cost.joint}
    for axis, reads in ((a, reads) for each in cost.places_read for a, reads in each.items()):
        if axis in places and (reads != OWN or inputs[0][axis] != output[places[axis]]):
            lost.add(axis)
    apart = {axis: place for axis, place in places.items() if axis not in lost}
    kept = [] if cost.cache is None else [rank - 2]
    kept += [] if cost.state is None else [cost.state.axis]
    first = apart | {axis: axis for axis in kept}
    carried = []
    for number, shape in enumerate(inputs):
        found = apart if number else first
        shift = rank - len(shape) if cost.keeps else 0
        is_seen = cost.sees is None or number < cost.sees
        carried.append(tuple(found.get(a + shift) if is_seen else None for a in range(len(shape))))
    return tuple(carried)


def _in_order(before: Shape, after: Shape) -> tuple[int | None, ...]:
    """Return the axes that the same elements in the same order have before and after.

    An axis is one of the other shape where it has the extent, and as many elements before it.
    """
    places: dict[tuple[Expr, Expr], int] = {}
    for axis, extent in enumerate(after):
        places.setdefault((elements(after[:axis]), extent), axis)
    return tuple(
        places.get((elements(before[:axis]), extent)) for axis, extent in enumerate(before)
    )


def _is_kept(layer: LayerCost) -> bool:
    """Return whether a layer keeps something for the next token."""
    return layer.cost.extends or (layer.cost.cache is not None and layer.cost.cache.grows)


def keeps_past(propagation: Propagation) -> bool:
    """Return whether some layer keeps something of the tokens that came before."""
    return any(layer.cost.extends for layer in propagation.layers)


def only_new(propagation: Propagation) -> Propagation:
    """Return a later run of a network: what hangs on no token is there already, and not made again.

    Its weights stay, but are not read; of an encoder nothing else is left.

    Args:
        propagation: the network.
    """
    walk = _TokenWalk(propagation, token_axes(propagation), is_trial=True)
    walk.parts(propagation.parts)
    return propagation._replace(parts=tuple(_resting(propagation.parts, walk.still)))


def _resting(parts: Iterable[Part], still: Container[str]) -> Iterator[Part]:
    """Some parts, those layers at rest whose paths are given."""
    for part in parts:
        if isinstance(part, GroupCost):
            yield part._replace(parts=tuple(_resting(part.parts, still)))
        elif part.node.path in still:
            owned = tuple(each._replace(read=S.Zero) for each in part.cost.parameters)
            yield part._replace(cost=Cost(Output.PARAMETER, parameters=owned))
        else:
            yield part


def resting(propagation: Propagation) -> set[str]:
    """Return the paths of the layers that hang on inputs without tokens alone: an encoder's."""
    if len(propagation.inputs) < 2:
        return set()
    walk = _TokenWalk(propagation, token_axes(propagation), is_trial=True)
    walk.parts(propagation.parts)
    return walk.still


class TokenMixing(NamedTuple):
    """The layers in which a token meets others, and the tensors that have tokens.

    Attributes:
        paths: of the layers with a cache, and of those after one.
        axes: tensor → the axis of the tokens, where they alone are on it.
    """

    paths: set[str]
    axes: Mapping[Tensor, int]


def meeting(propagation: Propagation) -> TokenMixing:
    """Return the layers in which a token meets others, and the tensors that have tokens."""
    walk = _TokenWalk(propagation, token_axes(propagation), is_trial=True)
    walk.parts(propagation.parts)
    paths = walk.meeting | {each.node.path for each in propagation.layers if each.cost.extends}
    held = ((tensor, each) for tensor, each in walk.known.items() if isinstance(each, TokenAxis))
    return TokenMixing(paths, {tensor: t.axis for tensor, t in held if t == TokenAxis(t.axis)})


def require_decodable(
    propagation: Propagation,
    growing: Mapping[str, int] | None = None,
    tokens: Symbol | None = None,
) -> None:
    """Make sure that each layer keeps the tokens apart, or keeps what it needs of those before.

    Args:
        propagation: the network.
        growing: input → the axis of its tokens; where it is not said, the axes that a causal
            attention has as that of its own tokens.
        tokens: the symbol of how many tokens enter, on which nothing else may depend.

    Raises:
        SpecError: a layer does not; the error names its entry.
    """
    if not any(map(_is_kept, propagation.layers)):
        return
    starts = token_axes(propagation) if growing is None else growing
    _TokenWalk(propagation, starts, tokens).parts(propagation.parts)


def token_axes(propagation: Propagation) -> Mapping[str, int]:
    """Return the axes of the inputs that are those of kept tokens, else of the first input."""
    found = {}
    for name, shape in propagation.inputs.items():
        for axis in range(len(shape)):
            walk = _TokenWalk(propagation, {name: axis}, is_trial=True)
            walk.parts(propagation.parts)
            if walk.is_met:
                found[name] = axis
    inputs = propagation.inputs.items()
    return found or dict(list({name: 1 for name, shape in inputs if len(shape) > 1}.items())[:1])


class TokenAxis(NamedTuple):
    """The place of the tokens in a tensor.

    Where each has met the last one, the last itself is what a step makes of it; those before it are
    others at every step.
    """

    axis: int
    before: Expr = S.Zero  # how many other places come before them on their axis
    after: Expr = S.Zero  # how many come after them
    met_last: bool = False


LAST: Final = "last"
"""A tensor made of the last token alone, another one at every step."""

KEPT: Final = "kept"
"""The tensor in a cache: all tokens so far, of which each sees those before it."""

Held = TokenAxis | Literal["last", "kept"] | None
"""The tokens in a tensor; None where it has none."""


class _TokenWalk:
    """The tokens in every tensor known so far."""

    def __init__(
        self,
        propagation: Propagation,
        starts: Mapping[str, int],
        tokens: Symbol | None = None,
        *,
        is_trial: bool = False,
    ) -> None:
        self.known: dict[Tensor, Held] = {
            Tensor(name): TokenAxis(starts[name]) if name in starts else None
            for name in propagation.inputs
        }
        self.tokens = tokens
        self.is_trial = is_trial
        self.is_met = False
        self.fed = set(self.known)  # what hangs on the network's inputs
        self.still = set[str]()  # layers of which that holds, but of no token
        self.meeting = set[str]()  # layers that meet all tokens so far in a cache
        self.grown = set[Expr]()  # extents of all tokens so far

    def parts(self, parts: Iterable[Part]) -> None:
        """Some parts, in order."""
        for part in parts:
            if isinstance(part, LayerCost):
                found = self._left_by(part)
                if self.fed.intersection(part.reads):
                    self.fed.update(part.made)
                    self.still.discard(part.node.path)  # as an earlier iteration may have found
                    if all(self.known[each] is None for each in part.reads):
                        self.still.add(part.node.path)
                self._meet(part, found)
                self.known.update(zip(part.made, found, strict=True))
            else:
                self._group(part)

    def _left_by(self, layer: LayerCost) -> tuple[Held, ...]:
        """Return the axis of the tokens in each tensor that a layer makes."""
        held = [_taken(layer, self.known[tensor]) for tensor in layer.reads]
        if layer.cost.cache is not None and layer.cost.cache.joins is not None:
            return self._joined_by(layer, layer.cost.cache.joins, held[0])
        if KEPT in held:
            self.meeting.add(layer.node.path)
        if KEPT in held and not any(isinstance(each, TokenAxis) for each in held):
            return tuple(KEPT for _ in layer.outputs)
        entering = [each if isinstance(each, TokenAxis) else None for each in held]
        left = self._kept_by(layer, entering)
        if LAST not in held:
            return left
        return tuple(each._replace(met_last=True) if each else LAST for each in left)

    def _joined_by(self, layer: LayerCost, axis: int, held: Held) -> tuple[Held, ...]:
        """All tokens so far, of a cache on the axis of those that enter."""
        if isinstance(held, TokenAxis) and held.met_last:
            self._refuse(
                layer, "cache keeps tokens that have met the last one, of every step another"
            )
        elif held != TokenAxis(axis):
            self._refuse(layer, f"axis {axis}, on which it is to grow, is not the tokens'")
        else:
            self.is_met = True
        self.grown.add(layer.output[axis])
        return (KEPT,)

    def _kept_by(
        self, layer: LayerCost, entering: list[TokenAxis | None]
    ) -> tuple[TokenAxis | None, ...]:
        """The tokens in everything that a layer makes, of those in the tensors that enter."""
        on_joint = [each for each in entering if each and each.axis == layer.cost.joint]
        if on_joint and len(layer.outputs) > 1:
            return tuple(self._cut(layer, on_joint[0]))
        if on_joint and self.tokens is None:
            entering = list(_joined(layer, entering))
        carried = carries(layer.cost, layer.inputs, layer.output)
        places = dict[TokenAxis, None]()
        for each, axes in zip(entering, carried, strict=True):
            if each is None:
                continue
            place = each.axis if on_joint and self.tokens is None else axes[each.axis]
            if place is None:
                self._refuse(layer, f"{layer.node.kind} does not keep the tokens apart")
                return (None,) * len(layer.outputs)
            places[each._replace(axis=place, met_last=False)] = None
        if len(places) > 1:
            self._refuse(
                layer, f"{layer.node.kind} meets tokens of one input with those of another"
            )
        left = next(iter(places), None)
        if left is not None and _meets_still(layer, entering, carried, left.axis):
            cause = f"{layer.node.kind} meets the tokens with places that are there from the start"
            self._refuse(layer, cause)
        if left is not None and any(each.met_last for each in entering if each):
            left = left._replace(met_last=True)
        return (left,) * len(layer.outputs)

    def _cut(self, layer: LayerCost, entering: TokenAxis) -> Iterator[TokenAxis | None]:
        """The parts of a tensor: one is of the tokens alone, the others are beside them."""
        axis, before, after, _ = entering
        end, start = layer.inputs[0][axis] - after, exact(0)
        for shape in layer.outputs:
            stop = start + shape[axis]
            if (start - before).expand() == 0 and (stop - end).expand() == 0:
                yield entering._replace(before=S.Zero, after=S.Zero)
            else:
                if not (_is_at_most(stop, before) or _is_at_most(end, start)):
                    self._refuse(layer, f"{layer.node.kind} cuts the tokens apart")
                yield None
            start = stop

    def _meet(self, layer: LayerCost, found: tuple[Held, ...]) -> None:
        """Make sure that a cache is of the tokens, and that nothing else hangs on their number."""
        kept, state = layer.cost.cache, layer.cost.state
        if kept is not None and kept.grows and kept.joins is None:
            self._require_own(layer, found[0], len(layer.output) - 2, is_given=kept.is_given)
        if state is not None:
            self._require_own(layer, found[0], state.axis)
        if self.tokens is not None:
            self._require_one_size(layer, found, self.tokens)

    def _require_own(
        self, layer: LayerCost, held: Held, axis: int, *, is_given: bool = False
    ) -> None:
        """Check that what is kept is of the tokens themselves, and of those before them."""
        kind = layer.node.kind
        if isinstance(held, TokenAxis) and held.met_last:
            cause = f"{kind} keeps tokens that have met the last one, of every step another"
            self._refuse(layer, cause)
        elif held != TokenAxis(axis):
            self._refuse(layer, f"the axis that {kind} is causal on is not the tokens'")
        else:
            self.is_met = True
        if self.tokens is not None and is_given:
            cause = f"kv_length says how many keys {kind} meets, whatever came before"
            self._refuse(layer, cause)

    def _require_one_size(self, layer: LayerCost, found: tuple[Held, ...], tokens: Symbol) -> None:
        """Nothing but the axis of the tokens hangs on how many enter."""
        for each, shape in zip(found, layer.outputs, strict=True):
            for i, extent in enumerate(shape):
                is_own = isinstance(each, TokenAxis) and i == each.axis
                if not is_own and extent not in self.grown:
                    self._require_same(layer, f"axis {i} of what {layer.node.kind} makes", extent)
        for parameter in (*layer.cost.parameters, *layer.cost.tied):
            self._require_same(layer, f"its {parameter.name}", parameter.size)
        for name, given in expressions_of(layer.node.layer) if layer.cost.nests else ():
            if tokens.name in free_names(given.tree):
                self._refuse(layer, f"{name} hangs on {tokens.name}, of which a step has 1")

    def _require_same(self, layer: LayerCost, what: str, size: Expr) -> None:
        """Refuse a size that depends on how many tokens enter: every step must keep it."""
        if self.tokens is not None and size.has(self.tokens):
            self._refuse(layer, f"{what} has the size {text_of(size)}, which no step keeps")

    def _group(self, group: GroupCost) -> None:
        """A group; of a repeat what enters a later iteration is what leaves the one before."""
        flow = group.flow
        if self.tokens is not None and group.runs.has(self.tokens):
            self._refuse(group, f"how often it works hangs on {self.tokens.name}")
        if flow is None:
            return self.parts(group.parts)
        for each in flow.carried if flow.is_loop else ():
            self.known[each.entry] = self.known[each.source]
            self.fed |= {each.entry} if each.source in self.fed else set()
        self.parts(group.parts)
        if flow.is_loop and not (flow.chosen_by or group.runs is S.One):
            self._repeated(group, flow.carried)
        for each in flow.carried:
            left = self.known[each.result]
            if self.known[each.source] != left and not _is_at_most(S.One, group.runs):
                self._refuse(group, "it may not run at all, and leaves other tokens than enter")
            self.known[each.output] = left
            self.fed |= {each.output} if self.fed & {each.result, each.source} else set()
        return None

    def _repeated(self, group: GroupCost, carried: Sequence[Carry]) -> None:
        """Follow iterations until each leaves the tokens where they enter it."""
        for _ in carried:
            left = [self.known[each.result] for each in carried]
            if left == [self.known[each.entry] for each in carried]:
                return
            for each, held in zip(carried, left, strict=True):
                self.known[each.entry] = held
                self.fed |= {each.entry} if each.result in self.fed else set()
            self.parts(group.parts)
        if left != [self.known[each.result] for each in carried]:
            self._refuse(group, "each turn leaves the tokens on another axis")

    def _refuse(self, part: Part, cause: str) -> None:
        """Raise the error of a layer or group, but where this is a trial."""
        if self.is_trial:
            return
        cause = f"{cause}: it cannot be decoded token by token"
        if isinstance(part, LayerCost):
            raise part.node.error(cause, HINT)
        raise SpecError(cause, hint=HINT, origin=part.origin, entry=part.path)


def _taken(layer: LayerCost, held: Held) -> Held:
    """The tokens in what a layer takes of a tensor: one that takes the last place, the last one."""
    if isinstance(held, TokenAxis) and held.axis == layer.cost.last and held.after == 0:
        return LAST
    return held


def _joined(layer: LayerCost, entering: Iterable[TokenAxis | None]) -> Iterator[TokenAxis | None]:
    """The tokens of inputs that lie one behind the other, with all that lies beside them."""
    joint = layer.cost.joint
    assert joint is not None
    extents = [shape[joint] for shape in layer.inputs]
    for i, each in enumerate(entering):
        if each is None or each.axis != joint:
            yield each
        else:
            before, after = Add(*extents[:i], each.before), Add(*extents[i + 1 :], each.after)
            yield each._replace(before=before, after=after)


def _meets_still(
    layer: LayerCost, entering: Iterable[TokenAxis | None], carried: Carried, axis: int
) -> bool:
    """Return whether an input without tokens has several places on the tokens' axis."""
    return any(
        each is None and place == axis and shape[own] != 1
        for each, shape, axes in zip(entering, layer.inputs, carried, strict=True)
        for own, place in enumerate(axes)
    )


def _is_at_most(small: Expr, large: Expr) -> bool:
    """Return whether one size is proved to be at most another."""
    bound = lower_bound((large - small).expand(), {})
    return bound is not None and bound >= 0

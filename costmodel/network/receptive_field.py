"""The receptive field of every layer: the places of the network's inputs that its elements see.

The places of each axis of each input are followed through the network: on which axis of a tensor
they are, and which of them an element of the tensor sees (`SeenAxis`). The rule of a layer declares
the places that it reads: windows by the affine maps of their loop nests, a layer that moves or
resamples an axis by `Cost.reads`, one that moves whole axes by `Cost.axes`; `places` composes them.

A field ends where an element sees the whole axis (`FieldEnd`): in attention, in pooling of the
whole map, where a map is flattened into features. An axis that is mixed while each element sees but
one of its places is an axis of features, and is not followed: channels, or the width of a model.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache, partial, reduce
from itertools import accumulate, pairwise, takewhile
from operator import attrgetter
from typing import NamedTuple

from sympy import Expr, S, Symbol

from archspec.trees import Tensor
from costmodel.algebra.bounds import is_at_least
from costmodel.algebra.functions import is_whole
from costmodel.algebra.places import (
    POINT,
    OpenPlacesError,
    ReadPlaces,
    Span,
    hull,
    hull_of_first,
    largest,
)
from costmodel.algebra.work import charge
from costmodel.network.propagation import CountedLayer, GroupCost, LayerCost, Part, Propagation
from costmodel.rules.base import Shape, elements
from costmodel.rules.cost import Output


class InputAxis(NamedTuple):
    """An axis of one of the network's inputs."""

    input: str
    axis: int


class FieldEnd(NamedTuple):
    """An axis of the input of which an element sees more than a field around it.

    Attributes:
        path: the layer from which on it does.
        kind: the layer's kind.
        why: what the layer does.
        goes_on: whether what sees it still has places along an axis, as the tokens that leave an
            attention do; what pools or flattens a whole map for a classifier has none.
    """

    path: str
    kind: str
    why: str
    goes_on: bool

    def __str__(self) -> str:
        """Return ``self_attention 'block/self_attention_1' sees the whole axis``."""
        return f"{self.kind} '{self.path}' {self.why}"


class Scattered(NamedTuple):
    """A field of which the next element's is not a constant distance away."""

    path: str  # the layer that gives places another order, as flattening a map into tokens
    span: Span  # the field before it


Seen = Span | Scattered | FieldEnd
"""The part of an axis of the input that an element sees."""


class SeenAxis(NamedTuple):
    """The part of an axis of the network's input that the elements of a tensor see.

    Attributes:
        axes: the axes of the tensor along which it moves; none where all see the same.
        seen: the field, or where it ends.
    """

    axes: frozenset[int]
    seen: Seen


ReceptiveField = Mapping[InputAxis, SeenAxis]
"""The part of each axis of the inputs that is seen; no axis that is unseen, or of features."""


State = Sequence[ReceptiveField]
"""The receptive field of each tensor that a repeat carries."""


class StrideMismatch(NamedTuple):
    """A merge whose paths have other strides, so that their places drift apart."""

    path: str
    strides: tuple[Expr, ...]  # the effective strides of its inputs on the axis


class ReceptiveFields(NamedTuple):
    """The receptive fields of all layers.

    Attributes:
        by_layer: path of a layer → the field of each output; in a repeat of the last iteration.
        clashes: the merges of paths whose strides differ.
    """

    by_layer: Mapping[str, tuple[ReceptiveField, ...]]
    clashes: tuple[StrideMismatch, ...]


def fields_of(propagation: Propagation) -> ReceptiveFields:
    """Return what every layer of a network sees of its inputs; the batch's axis is not followed."""
    walk = _FieldWalk({name: len(shape) - 1 for name, shape in propagation.inputs.items()})
    for name, shape in propagation.inputs.items():
        axes = range(1, len(shape))
        field = {InputAxis(name, axis): SeenAxis(frozenset({axis}), POINT) for axis in axes}
        walk.scope[Tensor(name)] = field
    walk.parts(propagation.parts)
    return ReceptiveFields(walk.by_layer, tuple(walk.clashes))


MAX_ITERATIONS, MAX_OPEN_ITERATIONS = 64, 8
"""The most iterations of a repeat that are followed one by one, of a known and an open number."""

MAX_PARTS = 1_000
"""The most parts of the places that are seen of one axis, written out."""

Moves = Mapping[InputAxis, tuple[Expr, Expr]]
"""By how much an iteration moves the first and the last place that are seen of each axis."""


class _FieldWalk:
    """The receptive fields of the tensors so far."""

    def __init__(self, followed: Mapping[str, int]) -> None:
        self.followed = followed  # the network's input → how many of its axes are followed
        self.scope: dict[Tensor, ReceptiveField] = {}
        self.by_layer: dict[str, tuple[ReceptiveField, ...]] = {}
        self.clashes: dict[StrideMismatch, None] = {}

    def parts(self, parts: Iterable[Part]) -> None:
        """Follow some parts in their order."""
        for part in parts:
            if isinstance(part, LayerCost):
                self._layer(part)
            elif part.flow is not None and part.flow.is_loop:
                self._repeat(part)
            else:
                self.parts(part.parts)
                for each in part.flow.carried if part.flow is not None else ():
                    self.scope[each.output] = self.scope[each.result]

    def _layer(self, layer: LayerCost) -> None:
        charge(1, layer.node)
        entering = [self.scope[tensor] for tensor in layer.reads]
        self.clashes.update(dict.fromkeys(_clashes(layer, entering)))
        fields = _Passage(layer, self.followed).through(entering)
        self.by_layer[layer.node.path] = fields
        self.scope.update(zip(layer.made, fields, strict=True))

    def _repeat(self, group: GroupCost) -> None:
        """Follow a repeat, of which the last iteration is kept; experts take the same input."""
        assert group.flow is not None
        runs = S.One if group.flow.chosen_by is not None else group.runs
        states: list[State] = [[self.scope[each.source] for each in group.flow.carried]]
        if runs is S.Zero:
            self._iteration(group, states[0])
        most = MAX_ITERATIONS if runs.is_Integer else MAX_OPEN_ITERATIONS
        while runs - len(states) + 1 != 0 and len(states) <= most:
            states.append(self._iteration(group, states[-1]))
            moves = _moves(states[-3:])
            if moves is not None and _is_uniform(states[-1], moves):
                states.append(self._last_iteration(group, states, moves, runs))
                break
        else:
            if runs - len(states) + 1 != 0:
                states.append(self._ended(group, states[-1], _no_law(runs)))
        for each, result in zip(group.flow.carried, states[-1], strict=True):
            if group.flow.chosen_by is not None:
                result = _weighed(result, self.scope[group.flow.chosen_by])
            self.scope[each.output] = result

    def _iteration(self, group: GroupCost, entering: State) -> State:
        assert group.flow is not None
        carried = group.flow.carried
        self.scope.update(zip((each.entry for each in carried), entering, strict=True))
        self.parts(group.parts)
        left = [self.scope[each.result] for each in carried]
        views = (view for field in left for view in field.values())
        if group.iteration is not None and any(_has(view, group.iteration) for view in views):
            return _ended(group, left, "reads other places in every turn")
        return left

    def _last_iteration(
        self, group: GroupCost, states: Sequence[State], moves: Sequence[Moves], runs: Expr
    ) -> State:
        """Return the fields after the last of iterations that each move all fields by as much.

        By induction: the first place after an iteration is ``min(first before it ∘ body, others)``.
        Where two iterations move it by the same, and not towards the end of the input, the others
        were not the least in the second, nor can they be later. Of several tensors the layers of
        the first of these iterations may see other places: one of two may be ahead.
        """
        done = len(states) - 1
        before, after = (
            [_moved(field, by, runs - done) for field, by in zip(state, moves, strict=True)]
            for state in states[-2:]
        )
        if runs - done != 0:
            self._iteration(group, before)
        if is_at_least(runs, done - (2 if len(after) == 1 else 1), {}):
            return after
        return self._ended(group, after, _no_law(runs))

    def _ended(self, group: GroupCost, state: State, why: str) -> State:
        """Return what is seen where every field ends at a repeat, which its layers see, too."""
        self._iteration(group, _ended(group, state, why))
        return _ended(group, state, why)


def _no_law(runs: Expr) -> str:
    """Return the reason why a repeat of turns that do not all see as much more has no field."""
    more = "sees more by another amount in"
    if runs.is_Integer:
        return f"{more} every turn, and more than {MAX_ITERATIONS} are not tried"
    symbols = " ".join(sorted(f"{each}=3" for each in runs.free_symbols))
    return f"{more} its first turns: fix their number, as by --set {symbols}"


def _weighed(field: ReceptiveField, weights: ReceptiveField) -> ReceptiveField:
    """Return what experts see, weighed by a router that sees a token as they do, or more."""
    found = dict(field)
    for source, view in weights.items():
        if isinstance(view.seen, FieldEnd) and source in found:
            found[source] = found[source]._replace(seen=view.seen)
    return found


def _moves(states: Sequence[State]) -> list[Moves] | None:
    """Return how two iterations move the first and last places of each axis, if by as much."""
    if len(states) < 3:
        return None
    one, other = ([*map(_moves_to, *pair)] for pair in pairwise(states))
    found = [each for each in one if each is not None]
    return found if found == one == other else None


def _is_uniform(state: State, moves: Sequence[Moves]) -> bool:
    """Return whether all tensors that an iteration makes anew see more by as much.

    Else one whose field grows faster may overtake another, on which a third depends, much later.
    """
    found: dict[InputAxis, set[tuple[Expr, Expr]]] = {}
    for field, by in zip(state, moves, strict=True):
        for source, view in field.items():
            if isinstance(view.seen, Span):
                found.setdefault(source, set()).add(by[source])
    return all(len(each) == 1 for each in found.values())


def _moves_to(before: ReceptiveField, after: ReceptiveField) -> Moves | None:
    found: dict[InputAxis, tuple[Expr, Expr]] = {}
    for source, view in after.items():
        old = before.get(source)
        moves = None if old is None or old.axes != view.axes else _moves_of(old.seen, view.seen)
        if moves is None:
            return None
        found[source] = moves
    return found if len(before) == len(after) else None


def _moves_of(old: Seen, new: Seen) -> tuple[Expr, Expr] | None:
    if old == new:
        return S.Zero, S.Zero
    if not (isinstance(old, Span) and isinstance(new, Span)):
        return None
    moves = old.shift_to(new)
    wider = moves is not None and is_at_least(-moves[0], 0, {}) and is_at_least(moves[1], 0, {})
    return moves if wider else None


def _moved(field: ReceptiveField, moves: Moves, times: Expr) -> ReceptiveField:
    """Return what is seen so many iterations later."""
    moved = dict(field)
    for source, view in field.items():
        if isinstance(view.seen, Span):
            first, last = ((times * each).expand() for each in moves[source])
            moved[source] = view._replace(seen=view.seen.shifted(first, last))
    return moved


def _ended(group: GroupCost, state: State, why: str) -> State:
    """Return what is seen where every field ends at a repeat."""
    end = FieldEnd(group.path, group.kind, why, goes_on=True)
    return [
        {
            source: view if isinstance(view.seen, FieldEnd) else view._replace(seen=end)
            for source, view in field.items()
        }
        for field in state
    ]


def _has(view: SeenAxis, index: Symbol) -> bool:
    """Return whether what is seen depends on the iteration of a repeat."""
    if not isinstance(view.seen, Span):
        return False
    routes = (*view.seen.firsts, *view.seen.lasts)
    return any(each.has(index) for route in routes for step in route for each in step)


def _clashes(layer: LayerCost, entering: Sequence[ReceptiveField]) -> Iterator[StrideMismatch]:
    """Yield the axes on which the strides of some inputs differ, or are not proved to be equal."""
    if not (layer.cost.keeps or layer.cost.output is Output.CONCAT):
        return
    strides: dict[int, list[Expr]] = {}
    for shape, field in zip(layer.inputs, entering, strict=True):
        spans = ((view.axes, view.seen) for view in field.values() if isinstance(view.seen, Span))
        own = {axis: span.stride for axes, span in spans for axis in axes}
        for axis, stride in own.items():
            strides.setdefault(axis - len(shape), []).append(stride)
    for found in strides.values():
        if len(set(found)) > 1:
            yield StrideMismatch(layer.node.path, tuple(found))


class _Passage(NamedTuple):
    """The step of the receptive fields through one layer."""

    layer: LayerCost
    followed: Mapping[str, int]  # the network's input → how many of its axes are followed

    def through(self, entering: Sequence[ReceptiveField]) -> tuple[ReceptiveField, ...]:
        """Return what each output sees, from what the inputs see."""
        cost = self.layer.cost
        before = self._merged(self._aligned(entering[: cost.sees]))
        if cost.is_rearranged:
            return (self._rearranged(before),)
        every = cost.places_read
        read = [self._read(before, every[i % len(every)]) for i in range(len(self.layer.outputs))]
        return tuple(map(self._carried, read))

    def _end(self, why: str, *, goes_on: bool | None = None) -> FieldEnd:
        """Return the end of a field here; places go on behind it but where a map is pooled."""
        goes_on = not self._pools if goes_on is None else goes_on
        return FieldEnd(self.layer.node.path, self.layer.node.kind, why, goes_on)

    @property
    def _pools(self) -> bool:
        return self.layer.cost.output is Output.GLOBAL_POOL

    def _aligned(self, entering: Sequence[ReceptiveField]) -> list[ReceptiveField]:
        """Return the fields of inputs whose axes are counted alike, and laid end to end."""
        if self.layer.cost.keeps and len(entering) > 1:
            return [
                self._broadcast(*each) for each in zip(entering, self.layer.inputs, strict=True)
            ]
        joined = self.layer.cost.joint if self.layer.cost.output is Output.CONCAT else None
        return list(entering) if joined is None else self._end_to_end(entering, joined)

    def _broadcast(self, field: ReceptiveField, shape: Shape) -> ReceptiveField:
        """Return what an input adds, its axes counted from the last; along others it stays."""
        shift = len(self.layer.output) - len(shape)
        pairs = zip(shape, self.layer.output[shift:], strict=True)
        same = {i for i, (own, size) in enumerate(pairs) if own is S.One and size is not S.One}
        return {
            source: SeenAxis(frozenset(axis + shift for axis in axes - same), seen)
            for source, (axes, seen) in field.items()
        }

    def _end_to_end(self, entering: Sequence[ReceptiveField], axis: int) -> list[ReceptiveField]:
        """Return what inputs see that lie one after another on an axis.

        The places of an axis are further on by what lies before; where several inputs see it, it
        has no field, or is one of features.
        """
        starts = accumulate((shape[axis] for shape in self.layer.inputs), initial=S.Zero)
        seen = Counter(s for field in entering for s, view in field.items() if axis in view.axes)
        found: list[ReceptiveField] = []
        for field, start in zip(entering, starts, strict=False):
            views = dict(field)
            for source, view in field.items():
                if axis not in view.axes:
                    continue
                del views[source]
                if seen[source] == 1:
                    views |= self._read({source: view}, {axis: ReadPlaces(S.One, -start, -start)})
                else:
                    views |= self._mixed(source, view, field, "joins the places of several maps")
            found.append(views)
        return found

    def _is_features(self, source: InputAxis, view: SeenAxis, field: ReceptiveField) -> bool:
        """Return whether a mixed axis is one of features: the first of its input to be mixed."""
        beside = sum(each.input == source.input for each in field)
        is_point = isinstance(view.seen, Span) and view.seen.is_point
        return is_point and beside == self.followed[source.input]

    def _mixed(
        self, source: InputAxis, view: SeenAxis, field: ReceptiveField, why: str
    ) -> ReceptiveField:
        """Return what is seen of an axis that is mixed: of features nothing, else an end."""
        if isinstance(view.seen, FieldEnd):
            return {source: view}
        if self._is_features(source, view, field):
            return {}
        return {source: view._replace(seen=self._end(why))}

    def _merged(self, fields: Sequence[ReceptiveField]) -> ReceptiveField:
        """Return what several inputs see together."""
        sources = dict.fromkeys(source for field in fields for source in field)
        found: dict[InputAxis, SeenAxis] = {}
        for source in sources:
            views = [field[source] for field in fields if source in field]
            if not self._is_mixed_elsewhere(source, fields):
                found[source] = reduce(self._together, _but_gates(views))
        return found

    def _is_mixed_elsewhere(self, source: InputAxis, fields: Sequence[ReceptiveField]) -> bool:
        """Return whether an axis is one of features, which another path has mixed."""
        having = next(field for field in fields if source in field)
        others = (each for field in fields if source not in field for each in field)
        return self._is_features(source, having[source], having) and any(
            each.input == source.input for each in others
        )

    def _together(self, one: SeenAxis, other: SeenAxis) -> SeenAxis:
        """Return what two views see together."""
        axes = one.axes | other.axes
        if one == other:
            return one
        for end in (one.seen, other.seen):
            if isinstance(end, FieldEnd):
                return SeenAxis(axes, end._replace(goes_on=True))
        if not (isinstance(one.seen, Span) and isinstance(other.seen, Span)):
            return SeenAxis(axes, self._end("joins places in different orders"))
        if one.axes != other.axes:
            return SeenAxis(axes, self._end("joins places of different axes"))
        together = hull if one.seen.stride == other.seen.stride else hull_of_first
        return SeenAxis(axes, together(one.seen, other.seen))

    def _read(
        self, before: ReceptiveField, reads: Mapping[int, ReadPlaces | None]
    ) -> ReceptiveField:
        """Return what is seen by what reads some axes so."""
        found = dict(before)
        for source, (axes, seen) in before.items():
            for axis in axes & reads.keys():
                seen = self._through_one(seen, reads[axis])
            found[source] = SeenAxis(axes, seen)
        return found

    def _through_one(self, seen: Seen, reads: ReadPlaces | None) -> Seen:
        if isinstance(seen, FieldEnd):
            moves = reads is not None and reads.first == reads.last and reads.over is S.One
            return seen if moves else seen._replace(goes_on=True)
        if reads is None and self.layer.cost.output is Output.VIEW:
            return self._scattered(seen)
        if reads is None:
            return self._end(
                _OPEN.get(self.layer.cost.output, "reads places at no constant distance")
            )
        if isinstance(seen, Span):
            after = seen.after(reads)
            is_long = after.parts > MAX_PARTS
            return self._end("sees places whose law is too long to work on") if is_long else after
        if reads.scale is reads.over is S.One and reads.first == reads.last:
            return seen
        return self._end("has windows over places in another order")

    def _carried(self, before: ReceptiveField) -> ReceptiveField:
        """Return what is seen where each axis of the output is one of the input, or none."""
        axes, ends = self.layer.cost.axes_of(len(self.layer.output)), {*self.layer.cost.ends}
        if axes is None:
            axes, ends = (
                (None,) * len(self.layer.output),
                set[int]().union(*(range(len(shape)) for shape in self.layer.inputs)),
            )
        sees_all = "sees the whole map" if self._pools else "sees the whole axis"
        found: dict[InputAxis, SeenAxis] = {}
        for source, view in before.items():
            moved = frozenset(i for i, axis in enumerate(axes) if axis in view.axes)
            lost = view.axes - set(axes)
            views: ReceptiveField = {source: view}
            if view.axes & ends:
                ended = isinstance(view.seen, FieldEnd)
                views = {source: view if ended else view._replace(seen=self._end(sees_all))}
            elif lost and self.layer.cost.output is not Output.VIEW:
                views = self._mixed(source, view, before, sees_all)
            found |= {each: SeenAxis(moved, seen) for each, (_, seen) in views.items()}
        return found

    def _rearranged(self, before: ReceptiveField) -> ReceptiveField:
        """Return what is seen where the same elements have other axes.

        Axes that stay, at the beginning and at the end, keep their places. In between places lose
        their order, and where they are laid into features, an element sees the whole map.
        """
        old, new = self.layer.inputs[0], self.layer.output
        head = _common(old, new)
        tail = _common(old[head:][::-1], new[head:][::-1])
        between = range(head, len(old) - tail)
        after = range(head, len(new) - tail)
        places = {axis for view in before.values() for axis in view.axes}
        if not places.isdisjoint(between):
            between, after = _narrowed(old, between, new, after, places)
        features = any(old[axis] is not S.One for axis in between if axis and axis not in places)
        laid = _extended(new, after)
        move = partial(self._moved, between=between, laid=laid, features=features)
        return {source: move(view) for source, view in before.items()}

    def _moved(
        self, view: SeenAxis, between: range, laid: frozenset[int], *, features: bool
    ) -> SeenAxis:
        """Return what is seen where the axes between are laid out as others.

        One axis that is made of features and places is one of features. What ended in features, and
        is laid out along more axes, is no longer the same at all places.
        """
        old, seen = self.layer.inputs[0], view.seen
        shift = len(self.layer.output) - len(old)
        moving = {axis for axis in view.axes if old[axis] is not S.One}
        inside = moving & set(between)
        axes = frozenset(a if a < between.start else a + shift for a in moving - inside)
        spreads = isinstance(seen, FieldEnd) and len(laid) > len(_extended(old, between))
        if not inside and not spreads:
            return SeenAxis(axes, seen)
        joins = features and not axes and len(laid) < 2
        if not isinstance(seen, FieldEnd):
            why = "sees the whole map" if joins else "lays places among features"
            seen = self._end(why, goes_on=not joins) if features else self._scattered(seen)
        return SeenAxis(axes if joins else axes | laid, seen)

    def _scattered(self, seen: Span | Scattered) -> Scattered:
        span = seen if isinstance(seen, Span) else seen.span
        return Scattered(self.layer.node.path, span)


_OPEN = {
    Output.RESAMPLE: "resamples by a factor that depends on the size of the map",
    Output.CONV: "leaves gaps between the elements that it spreads",
}


def _but_gates(views: Sequence[SeenAxis]) -> Sequence[SeenAxis]:
    """Return the views but those of gates, which are the same at all places of the others.

    As is usual, the field beside a squeeze-excitation or a pooled context is that of the map.
    """
    fields = (view.axes for view in views if not isinstance(view.seen, FieldEnd))
    places = frozenset[int]().union(*fields)
    kept = [
        view
        for view in views
        if not isinstance(view.seen, FieldEnd) or view.seen.goes_on or view.axes & places
    ]
    return kept if any(view.axes for view in kept) else views


def _narrowed(
    old: Shape, between: range, new: Shape, after: range, places: Set[int]
) -> tuple[range, range]:
    """Return axes that are laid out as others, but for those at their ends that have no places.

    They stand apart where as many elements come before, or behind, in both shapes.
    """
    for way in (slice(None), slice(None, None, -1)):
        features = [*takewhile(lambda axis: axis not in places, between[way])]
        apart = [
            (i, j)
            for i in range(1, len(features) + 1)
            for j in range(1, len(after) + 1)
            if elements(tuple(old[axis] for axis in features[:i]))
            == elements(tuple(new[axis] for axis in after[way][:j]))
        ]
        i, j = max(apart, default=(0, 0))
        between, after = between[way][i:][way], after[way][j:][way]
    return between, after


def _extended(shape: Shape, axes: range) -> frozenset[int]:
    """Return those of some axes that have more than one element."""
    return frozenset(axis for axis in axes if shape[axis] is not S.One)


def _common(one: Sequence[Expr], other: Sequence[Expr]) -> int:
    """Return how many extents agree from the first on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


Measure = Callable[[Span], Expr]
"""A measure of a field."""


size_of: Measure = attrgetter("size")
"""Gives how many elements a field has."""


def stride_of(span: Span) -> Expr:
    """Return by how many elements the next field is further on.

    Raises:
        OpenPlacesError: it is a fraction of symbols, which no law of integers gives.
    """
    stride = span.stride
    if not (stride.is_Rational or is_whole(stride)):
        raise OpenPlacesError("its stride is a fraction of symbols")
    return stride


padding_of: Measure = attrgetter("padding")
"""Gives how many elements before the input the first field begins."""


def measured(fields: Iterable[ReceptiveField], measure: Measure) -> Expr | str:
    """Return a measure of what a layer sees, of several axes the largest, or why there is none.

    An axis behind the batch's that no window has widened is one of channels, where others are seen.

    Raises:
        OpenPlacesError: it has no closed form.
    """
    seen = [(source, view.seen) for field in fields for source, view in field.items()]
    places = [
        each
        for source, each in seen
        if not (source.axis == 1 and isinstance(each, Span) and each.is_point)
        or each.stride is not S.One
    ]
    values: list[Expr] = []
    for each in places or [each for _, each in seen]:
        value = _measured(each, measure)
        if isinstance(value, str):
            return value
        values.append(value)
    return largest(values) if values else "it sees no places of the input"


@lru_cache(maxsize=10_000)
def _measured(seen: Seen, measure: Measure) -> Expr | str:
    if isinstance(seen, FieldEnd):
        return str(seen)
    if isinstance(seen, Span):
        return measure(seen)
    if measure is size_of:
        return seen.span.size
    return f"'{seen.path}' gives its places another order"


def ends_of(fields: ReceptiveFields, counted: Iterable[CountedLayer]) -> tuple[FieldEnd, ...]:
    """Return the ends of the fields that some layers see, in their order."""
    working = (layer for layer, often in counted if often.works is not S.Zero)
    found = (field for layer in working for field in fields.by_layer[layer.node.path])
    seen = (view.seen for field in found for view in field.values())
    return tuple(dict.fromkeys(each for each in seen if isinstance(each, FieldEnd)))


def end_of(fields: ReceptiveFields, counted: Iterable[CountedLayer]) -> FieldEnd | None:
    """Return the first end of a field beyond which there are places still, if there is one."""
    return next((end for end in ends_of(fields, counted) if end.goes_on), None)

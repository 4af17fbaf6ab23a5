"""What is in memory while each layer works: exact liveness over the graph, in its order.

A feature map is in memory from the layer that makes it to the last that reads it; the network's
inputs from the start to the last that reads them, its outputs to the end. A view lies where what
it is a view of lies. What works in place takes the memory of an input that nothing reads any more,
if there is one of its size and type. Feature maps inside a layer are in memory while the layer
works. Of a repeat the first turn and a later one are worked out: all later ones are alike, but for
what earlier turns have left in memory, as a side branch does in every turn. All sizes are in bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from sympy import Add, Expr, Integer, S, Symbol

from archspec.layers.merge import Elementwise
from archspec.layers.reshape import Chunk, Crop, Select, Slice, Split
from archspec.precision import TYPES
from archspec.trees import Tensor
from costmodel.algebra.bounds import is_positive
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Minimum
from costmodel.algebra.sums import (
    OpenFormError,
    Turns,
    at_turn,
    closed_sum,
    each_by_each,
    largest_turn,
    open_law,
    sum_of_steps,
    where_it_happens,
)
from costmodel.algebra.work import charge
from costmodel.network.context import Basis
from costmodel.network.precision import in_bytes
from costmodel.network.propagation import GroupCost, LayerCost, Part
from costmodel.rules.base import elements
from costmodel.rules.cost import Output
from costmodel.rules.merge import agree

Place = tuple[str, Tensor]
"""A tensor in one of the turns that are told apart: their names, and its own."""


class Turn(NamedTuple):
    """One of the turns of a repeat that are told apart.

    Attributes:
        group: the path of the repeat.
        runs: how many there are of it and after it.
        turns: the index of a repeat in whose turns other sizes are in memory, with the number of
            turns; or None.
        is_first: whether it is the first, else any later one.
    """

    group: str
    runs: Expr
    turns: Turns | None
    is_first: bool

    def summed(self, each: Expr) -> Expr:
        """``each`` once for the first turn, or for all later ones; of no turn nothing.

        Raises:
            OpenFormError: it depends on the index otherwise than by polynomials and steps.
        """
        total = self.runs if self.is_first else self.runs + 1
        happens = S.One if is_positive(total) else Minimum(S.One, total)
        if self.is_first:
            return each * happens
        if self.turns is None:
            return each * (total - happens)
        later = at_turn(each, self.turns.index, self.turns.index + 1)
        return sum_of_steps(later, Turns(self.turns.index, self.turns.last)) * happens

    def added_up(self, each: Expr) -> Expr:
        """The same turn by turn, their number being known."""
        if self.is_first or self.turns is None:
            return self.summed(each)
        index, count = self.turns
        return Add(*(at_turn(each, index, Integer(i)) for i in range(1, int(count))))


MAX_SUMMED = 1_000
"""The most turns that are added up one by one."""


class Event(NamedTuple):
    """A layer at work.

    Attributes:
        layer: it.
        reads: what it reads.
        writes: what it makes, with the bytes of each.
        inside: the bytes of the feature maps inside it.
        reuses: which of what it reads has the form of what it makes, so that it may lie there.
        within: the turns that it is in, the innermost last.
    """

    layer: LayerCost | None
    reads: tuple[Place, ...]
    writes: Mapping[Place, Expr]
    within: tuple[Turn, ...]
    inside: tuple[Expr, ...] = ()
    reuses: tuple[Place, ...] = ()


class Run(NamedTuple):
    """A network at work.

    Attributes:
        events: its layers in the order in which they work.
        inputs: what is there from the start, with its bytes.
        outputs: what stays to the end.
    """

    events: tuple[Event, ...]
    inputs: Mapping[Place, Expr]
    outputs: tuple[Place, ...]


def unrolled(
    parts: Iterable[Part], inputs: Mapping[Tensor, Expr], outputs: Iterable[Tensor], basis: Basis
) -> Run:
    """A network at work in the order of its graph.

    Args:
        parts: the tree of the network.
        inputs: its inputs with their elements.
        outputs: what leaves it, but for what leaves in the turns of its repeats.
        basis: the types of all tensors.
    """
    sizes = {("", tensor): basis.bytes_of(tensor, size) for tensor, size in inputs.items()}
    walk = _Unrolled(basis, sizes)
    scope = {tensor: ("", tensor) for tensor in inputs}
    walk.parts(parts, scope, "", ())
    leaves = dict.fromkeys((*(scope[tensor] for tensor in outputs), *walk.kept))
    return Run(tuple(walk.events), sizes, tuple(leaves))


def memory(run: Run) -> Iterator[tuple[LayerCost, Expr]]:
    """Every layer with the most bytes that are in memory while it works, in that order.

    Raises:
        OpenLawError: turns of an open number differ otherwise than by polynomials.
    """
    for event, alive in _alive(run):
        if event.layer is not None:
            try:
                most = _largest(alive, event)
            except OpenFormError:
                raise open_law("what is in memory", event.layer.node) from None
            yield event.layer, most


class AtWork(NamedTuple):
    """A layer in one of the turns that are told apart; what grows depends on the turns' indices.

    Attributes:
        layer: it.
        alive: the bytes that are in memory while it works.
        within: the turns that it is in, the innermost last.
    """

    layer: LayerCost
    alive: Expr
    within: tuple[Turn, ...]

    def grows(self, each: Expr) -> bool:
        """Whether something depends on an index."""
        return any(turn.turns is not None and each.has(turn.turns.index) for turn in self.within)

    def here(self, each: Expr) -> Expr:
        """What something is here: at 0 of every index whose first turn this is."""
        for turn in self.within:
            if turn.turns is not None and turn.is_first:
                each = at_turn(each, turn.turns.index, S.Zero)
        return each

    def over_turns(self, each: Expr) -> Expr:
        """``Σ each`` over the turns that this one stands for.

        Raises:
            OpenFormError: it depends on an index otherwise than by polynomials and steps.
        """
        each = self.here(each)
        try:
            return self._summed(each, Turn.summed)
        except OpenFormError:
            counts = (turn.turns.count for turn in self.within if turn.turns is not None)
            count = prod(counts, start=S.One)
            if not count.is_Integer or count > MAX_SUMMED:
                raise
            return self._summed(each, Turn.added_up)

    def _summed(self, each: Expr, sum_up: Callable[[Turn, Expr], Expr]) -> Expr:
        for turn in reversed(self.within):
            each = sum_up(turn, each)
        return each

    def alive_in_each(self, evaluate: Evaluator) -> Iterator[Expr]:
        """The bytes in memory in every turn that this one stands for, how many being known."""
        growing = [turn.turns for turn in self.within if turn.turns is not None]
        found = [self.alive]
        for index, count in growing:
            each = range(1, int(evaluate(count))) if self.alive.has(index) else (1,)
            found = [at_turn(alive, index, Integer(i)) for alive in found for i in each]
        yield from found if evaluate(self.over_turns(S.One)) else ()


def at_work(run: Run) -> Iterator[AtWork]:
    """Every layer in every turn that is told apart, with what is in memory then, in that order."""
    for event, alive in _alive(run):
        if event.layer is not None:
            found = AtWork(event.layer, Add(*alive), event.within)
            yield found._replace(alive=found.here(found.alive))


STEPS_OF_EVENT = 5
"""What a layer at work takes of the budget; one in k repeats is met 2^k times."""


class _Unrolled:
    """The layers in the order in which they work, one turn or two of every repeat.

    Attributes:
        basis: the types of all tensors.
        events: the layers so far.
        roots: place → the one that it is a view of, or itself.
        sizes: place → the bytes of memory that are its own.
        made: place → the number of the event that makes it.
        kept: what leaves the network, of the turn that is met now or of the network.
    """

    def __init__(self, basis: Basis, inputs: Mapping[Place, Expr]) -> None:
        self.basis = basis
        self.events: list[Event] = []
        self.roots = {place: place for place in inputs}
        self.sizes = dict(inputs)
        self.made = dict.fromkeys(inputs, -1)
        self.kept: dict[Place, None] = {}

    def parts(
        self,
        parts: Iterable[Part],
        scope: dict[Tensor, Place],
        tag: str,
        within: tuple[Turn, ...],
    ) -> None:
        """Some parts; ``scope`` says what each tensor is here, and learns what they make."""
        for part in parts:
            if isinstance(part, LayerCost):
                self._layer(part, scope, tag, within)
            elif part.flow is not None and part.flow.entry is not None:
                self._turns(part, scope, tag, within)
            else:
                self.parts(part.parts, scope, tag, within)
                if part.flow is not None:
                    scope[Tensor(part.path)] = scope[part.flow.result]

    def _layer(
        self, layer: LayerCost, scope: dict[Tensor, Place], tag: str, within: tuple[Turn, ...]
    ) -> None:
        charge(STEPS_OF_EVENT, layer.node)
        reads = tuple(scope[tensor] for tensor in layer.reads)
        reuses = tuple(scope[tensor] for tensor in self._alike(layer))
        made = zip(layer.made, map(elements, layer.outputs), strict=True)
        writes = {(tag, tensor): self.basis.bytes_of(tensor, size) for tensor, size in made}
        scope.update({place[1]: place for place in writes})
        dtype = self.basis.types_of(layer).activations
        inside = tuple(in_bytes(inner.size, dtype) for inner in self.basis.inside(layer))
        self._append(Event(layer, reads, writes, within, inside, reuses))

    def _alike(self, layer: LayerCost) -> Iterator[Tensor]:
        """The inputs in whose memory the output may lie: of its extents, and of as many bits.

        A view has the elements of its input, if not its extents.
        """
        merged, is_view = (
            isinstance(layer.node.layer, Elementwise),
            layer.cost.output is Output.VIEW,
        )
        bits = TYPES[self.basis.types_of(layer).activations]
        for tensor, own in zip(layer.reads, layer.inputs, strict=True):
            fits = is_view or own == layer.output or (merged and agree(own, layer.output))
            if fits and TYPES[self.basis.type_of(tensor)] == bits:
                yield tensor

    def _turns(
        self, group: GroupCost, scope: dict[Tensor, Place], tag: str, within: tuple[Turn, ...]
    ) -> None:
        """The first turn, and a later one if there may be one; experts all read the same."""
        flow = group.flow
        assert flow is not None
        turns = None if flow.turn is None else Turns(flow.turn, group.runs)
        entering, bodies = scope[flow.source], list[_Body]()
        for i in range(1 if group.runs is S.One else 2):
            here = (*within, Turn(group.path, group.runs - i, turns, i == 0))
            if group.turn is not None and i == 1:
                entering = self._handed_over(entering, group.turn, group.turn - 1, here)
            start = bodies[0].begin if bodies else len(self.events)
            bodies.append(
                self._body(group, scope, entering, f"{tag}/{group.path}:{i}", here, start)
            )
            entering = scope[flow.source] if flow.chosen_by else bodies[-1].result
        result = bodies[-1].result
        if group.turn is not None:
            result = self._handed_over(result, group.turn, group.runs - 1, here)
        scope[Tensor(group.path)] = result
        if len(bodies) == 1:
            self.kept.update(dict.fromkeys(bodies[0].leaves))
        elif turns is not None:
            self._pile(bodies, turns, result, here)
        if flow.chosen_by is not None:
            weighed = (*(body.result for body in bodies), scope[flow.chosen_by])
            self._append(Event(None, weighed, {}, here))

    def _body(
        self,
        group: GroupCost,
        scope: Mapping[Tensor, Place],
        entering: Place,
        tag: str,
        within: tuple[Turn, ...],
        start: int,
    ) -> "_Body":
        """A turn of a repeat that begins with the event of a number.

        What leaves the network in it but was made before the repeat is kept by what is around it.
        """
        flow = group.flow
        assert flow is not None
        assert flow.entry is not None
        around, self.kept, begin = self.kept, {}, len(self.events)
        inner = {**scope, flow.entry: entering}
        self.parts(group.parts, inner, tag, within)
        kept = {**self.kept, **{self.roots[inner[side]]: None for side in flow.sides}}
        leaves = tuple(place for place in kept if self.made[place] >= begin)
        keeps = any(start <= self.made[place] < begin for place in kept)
        around.update({place: None for place in kept if self.made[place] < start})
        self.kept, result = around, inner[flow.result]
        return _Body(begin, tag, entering, result, leaves, keeps, flow.chosen_by is None)

    def _pile(
        self, bodies: Sequence["_Body"], turns: Turns, result: Place, within: tuple[Turn, ...]
    ) -> None:
        """Add what leaves the network in earlier turns: beside a later turn, and after the last.

        A tensor that enters a later turn, or leaves the last, is in memory under its own name.
        """
        first, later = bodies
        made, stays = self.roots[later.result], self.roots[result]
        is_left = later.is_chained and made in later.leaves
        entered = {self.roots[later.entering]} if is_left or later.keeps_entering else set()
        each = {*later.leaves, *((made,) if later.keeps_entering else ())}
        if not each:
            return
        before = self._before(each, turns.index)
        pile, after = (f"{later.tag}:before", result[1]), (f"{later.tag}:after", result[1])
        beside = Event(
            None,
            tuple(place for place in first.leaves if place not in entered),
            {pile: before - self._bytes(entered)},
            within,
        )
        self._append(beside, later.begin)
        left = {stays} if is_left else set()
        total = at_turn(before + self._bytes(later.leaves), turns.index, turns.last)
        happens = S.One if is_positive(turns.count) else Minimum(S.One, turns.count)
        taken = (pile, *entered, *(place for place in later.leaves if place not in left))
        rest = each_by_each(happens, (total - self._bytes(left)).expand())
        self._append(Event(None, taken, {after: rest}, within))
        self.kept.update(dict.fromkeys((after, *left)))

    def _before(self, places: Iterable[Place], index: Symbol) -> Expr:
        """The bytes of some places of a turn, over all turns before the one of an index.

        Raises:
            OpenLawError: they are no polynomial in the index.
        """
        try:
            return closed_sum(self._bytes(places), Turns(index, index))
        except OpenFormError:
            layers = (event.layer for event in reversed(self.events) if event.layer is not None)
            raise open_law("what is in memory", next(layers).node) from None

    def _bytes(self, places: Iterable[Place]) -> Expr:
        return Add(*(self.sizes[place] for place in places))

    def _append(self, event: Event, number: int | None = None) -> None:
        """An event at the end, or at a number; where its outputs lie is noted."""
        number = len(self.events) if number is None else number
        self.events.insert(number, event)
        for spot in spots(event):
            place, view = spot.place, spot.view_of
            self.roots[place] = place if view is None else self.roots[view]
            self.made[place], self.sizes[place] = number, spot.size

    def _handed_over(
        self, place: Place, index: Symbol, turn: Expr, within: tuple[Turn, ...]
    ) -> Place:
        """What a growing turn leaves, under a name of its own and as large as after that turn."""
        size = next(e.writes[place] for e in reversed(self.events) if place in e.writes)
        passed = f"{place[0]}>", place[1]
        self._append(Event(None, (place,), {passed: at_turn(size, index, turn)}, within))
        return passed


class _Body(NamedTuple):
    """A turn of a repeat.

    Attributes:
        begin: the number of its first event.
        tag: its name.
        entering: what enters it.
        result: what leaves it.
        leaves: the pieces of memory made in it that leave the network.
        keeps_entering: whether what enters it leaves the network, and is made in the turn before.
        is_chained: whether its result enters the next turn.
    """

    begin: int
    tag: str
    entering: Place
    result: Place
    leaves: tuple[Place, ...]
    keeps_entering: bool
    is_chained: bool


class Spot(NamedTuple):
    """Where something that is made lies.

    Attributes:
        place: it.
        size: its bytes, where it takes memory of its own.
        view_of: what it is a view of, if it is one.
        homes: the inputs in whose memory it may lie once nothing reads them any more.
        is_shared: whether its memory is not its own to be written: a part of it, or learned.
    """

    place: Place
    size: Expr
    view_of: Place | None = None
    homes: tuple[Place, ...] = ()
    is_shared: bool = False


def spots(event: Event) -> Iterator[Spot]:
    """Where the outputs of a layer may lie."""
    kind = event.layer.cost.output if event.layer else None
    is_part = event.layer is not None and isinstance(event.layer.node.layer, _PARTS)
    for place, size in event.writes.items():
        if kind is Output.VIEW and event.reads[0] in event.reuses:
            yield Spot(place, S.Zero, view_of=event.reads[0], is_shared=is_part)
        elif kind is Output.IN_PLACE:
            yield Spot(place, size, homes=event.reuses)
        elif kind is Output.PARAMETER:
            yield Spot(place, S.Zero, is_shared=True)
        else:
            yield Spot(place, size)


def _alive(run: Run) -> Iterator[tuple[Event, list[Expr]]]:
    """Every event with the sizes of what is in memory then."""
    last = {place: len(run.events) for place in run.outputs}
    for i, event in enumerate(run.events):
        for place in event.reads:
            last[place] = max(last.get(place, i), i)
    store = _Store(last)
    for place, size in run.inputs.items():
        if place in last:
            store.place(Spot(place, size), 0)
    for i, event in enumerate(run.events):
        for spot in spots(event):
            store.place(spot, i)
        charge(1 + len(store.sizes) // 50, event.layer and event.layer.node)
        yield event, [*store.sizes.values(), *event.inside]
        store.free(i)


_PARTS = (Slice, Split, Chunk, Select, Crop)
"""Views of some of the elements of what they are views of."""


class _Store:
    """What is in memory now.

    Attributes:
        last: place → the last event that reads it.
        sizes: number of a piece of memory → its elements.
        piece: place → the number of its piece.
        shared: the places whose piece is not their own to be written.
        until: number of a piece → the last event that reads it.
        count: how many pieces there were.
    """

    def __init__(self, last: Mapping[Place, int]) -> None:
        self.last = last
        self.sizes: dict[int, Expr] = {}
        self.piece: dict[Place, int] = {}
        self.shared: set[Place] = set()
        self.until: dict[int, int] = {}
        self.count = 0

    def place(self, spot: Spot, now: int) -> None:
        """Something that is made, in another's memory or a new piece."""
        free = (home for home in spot.homes if self.is_free(home, now))
        source = spot.view_of or next(free, None)
        if source is None:
            self.count += 1
            self.sizes[self.count] = spot.size
        piece = self.piece[source] if source else self.count
        self.piece[spot.place] = piece
        self.until[piece] = max(self.until.get(piece, now), self.last.get(spot.place, now))
        if spot.is_shared or source in self.shared:
            self.shared.add(spot.place)

    def is_free(self, place: Place, now: int) -> bool:
        """Whether a place's memory may be written, and is read for the last time now."""
        return place not in self.shared and self.until[self.piece[place]] <= now

    def free(self, now: int) -> None:
        """What nothing reads any more."""
        for piece in [p for p, until in self.until.items() if until <= now]:
            del self.until[piece], self.sizes[piece]


def _largest(sizes: Iterable[Expr], event: Event) -> Expr:
    """The sum of the sizes, the largest over the turns that the event is in."""
    total: Expr = Add(*sizes)
    for _, runs, turns, is_first in reversed(event.within):
        if turns is not None and is_first:
            total = at_turn(total, turns.index, S.Zero)
        elif turns is not None:
            later = at_turn(total, turns.index, turns.index + 1)
            total = largest_turn(later, Turns(turns.index, turns.last))
        total = where_it_happens(total, runs)
    return total

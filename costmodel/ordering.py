"""The order in which the layers of a network need the least memory.

What is in memory between two layers hangs on which layers are done, not on their order: a feature
map with its views is there once it is made, until all that read it are done. What works in place
adds nothing where it is the last to read its input, and as much as that else. So an order is a path
over sets of layers that are done, from none to all, and the best has the least peak: a bottleneck
shortest path, found by Dijkstra's algorithm. It is looked for between cuts, the layers that all
others come before or after. The turns of a repeat follow each other with nothing in between.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heappop, heappush
from itertools import chain, islice
from operator import add, le, sub
from typing import NamedTuple

from sympy import Add, Expr, S

from costmodel.algebra.evaluate import Evaluator, Value
from costmodel.liveness import Event, Place, Run, Spot, Turn, spots

MAX_STATES = 20_000
"""The most sets of layers that are looked at between two cuts."""

MAX_TURNS = 1_000
"""The most turns of repeats whose sizes are told apart."""


class Order(NamedTuple):
    """An order of the layers.

    Attributes:
        run: the network at work in it.
        unsearched: the layers that are left in the given order, for there are too many.
        states: how many sets of layers were looked at.
    """

    run: Run
    unsearched: tuple[str, ...]
    states: int

    def with_memory(self, memory: Mapping[str, Expr], evaluate: Evaluator) -> "BestOrder":
        """The order with what is in memory while each layer works."""
        sizes = {path: evaluate(size) for path, size in memory.items()}
        searched = max((s for p, s in sizes.items() if p not in self.unsearched), default=0)
        is_best = all(sizes[path] <= searched for path in self.unsearched)
        layers = tuple(e.layer.node.path for e in self.run.events if e.layer is not None)
        return BestOrder(memory, layers, self.unsearched, is_best)


class BestOrder(NamedTuple):
    """The order with the least peak memory at the symbols' values.

    Attributes:
        memory: every layer's path, with the most bytes in memory while it works in this order.
        layers: the paths in this order; those of a repeat in its first turn, then in a later one.
        unsearched: the layers that are left in the given order, for there are too many.
        is_best: whether no order has a smaller peak, unsearched layers or not.
    """

    memory: Mapping[str, Expr]
    layers: tuple[str, ...]
    unsearched: tuple[str, ...]
    is_best: bool


def best_order(run: Run, evaluate: Evaluator) -> Order:
    """The order with the least peak at some values; the given one where none is better.

    Args:
        run: the network at work in the given order.
        evaluate: gives sizes their numbers.
    """
    work, turns = _Work(run), _WorkedOut(evaluate)
    found = [_arranged(work, segment, turns) for segment in _segments(work)]
    left = (run.events[i].layer for each in found if not each.is_searched for i in each.order)
    unsearched = dict.fromkeys(layer.node.path for layer in left if layer is not None)
    events = tuple(run.events[i] for each in found for i in each.order)
    states = sum(each.states for each in found)
    return Order(run._replace(events=events), tuple(unsearched), states)


class Piece(NamedTuple):
    """A feature map with its views.

    Attributes:
        size: its bytes.
        maker: the number of the event that makes it; -1 of what is there from the start.
        readers: the numbers of the events that read it or a view of it, in order.
    """

    size: Expr
    maker: int
    readers: list[int]


class _Work:
    """What the events of a run read and make, as numbers of events and of pieces.

    Attributes:
        events: them.
        pieces: what they read and make.
        before: of each event, those that make what it reads.
        reads: of each event, the pieces that it reads.
        makes: of each event, the pieces that it makes, and in which it may make each.
        stays: the pieces that leave the network.
    """

    def __init__(self, run: Run) -> None:
        self.events = run.events
        self.pieces: list[Piece] = []
        self.before: list[set[int]] = []
        self.reads: list[tuple[int, ...]] = []
        self.makes: list[list[tuple[int, tuple[int, ...]]]] = []
        self._piece: dict[Place, int] = {}
        self._maker: dict[Place, int] = {}
        self._shared: set[Place] = set()
        for place, size in run.inputs.items():
            self._make(Spot(place, size), -1)
        for i, event in enumerate(run.events):
            self._add(i, event)
        self.stays = {self._piece[place] for place in run.outputs}

    def _add(self, i: int, event: Event) -> None:
        self.before.append({self._maker[place] for place in event.reads} - {-1})
        self.reads.append(tuple(dict.fromkeys(self._piece[place] for place in event.reads)))
        for piece in self.reads[i]:
            self.pieces[piece].readers.append(i)
        self.makes.append([])
        for spot in spots(event):
            if spot.view_of is None:
                homes = (self._piece[home] for home in spot.homes if home not in self._shared)
                self.makes[i].append((len(self.pieces), tuple(homes)))
            self._make(spot, i)

    def _make(self, spot: Spot, maker: int) -> None:
        if spot.is_shared or spot.view_of in self._shared:
            self._shared.add(spot.place)
        self._maker[spot.place] = maker
        if spot.view_of is not None:
            self._piece[spot.place] = self._piece[spot.view_of]
            return
        self._piece[spot.place] = len(self.pieces)
        self.pieces.append(Piece(spot.size, maker, []))

    def inside(self, i: int) -> Expr:
        """The feature maps inside a layer together."""
        return Add(*self.events[i].inside)

    def is_weightless(self, i: int) -> bool:
        """Whether an event reads nothing and takes no memory: it is as good at any time."""
        return not self.reads[i] and all(self.pieces[p].size is S.Zero for p, _ in self.makes[i])


def _segments(work: _Work) -> Iterator[range]:
    """The cuts, and the events between two of them."""
    start = 0
    for cut in _cuts(work):
        yield range(start, cut)
        yield range(cut, cut + 1)
        start = cut + 1
    yield range(start, len(work.events))


def _cuts(work: _Work) -> list[int]:
    """The events that all earlier ones lead to, and on which all later ones depend."""
    heavy = [i for i in range(len(work.events)) if not work.is_weightless(i)]
    after: dict[int, set[int]] = {i: set() for i in range(len(work.events))}
    for i in heavy:
        for earlier in work.before[i]:
            after[earlier].add(i)
    ends = _lone_ends(heavy, work.before)
    return [i for i in heavy if i in ends & _lone_ends(heavy[::-1], after)]


def _lone_ends(
    events: Iterable[int], before: Sequence[set[int]] | Mapping[int, set[int]]
) -> set[int]:
    """The events that all lead to that come before them, one after the other."""
    ends: set[int] = set()
    lone: set[int] = set()
    for i in events:
        ends -= before[i]
        ends.add(i)
        if len(ends) == 1:
            lone.add(i)
    return lone


class _Arranged(NamedTuple):
    """Some events in an order, whether it is the best, and how many sets were looked at."""

    order: Sequence[int]
    is_searched: bool
    states: int


def _arranged(work: _Work, events: range, turns: "_WorkedOut") -> _Arranged:
    """The events between two cuts in their best order."""
    if len(events) < 2:
        return _Arranged(events, is_searched=True, states=0)
    columns = turns.columns(work, events)
    if columns is None:
        return _Arranged(events, is_searched=False, states=0)
    search = _Search(_Segment(work, events), columns)
    found = search.better_order()
    order = events if found is None else [events[i] for i in found]
    return _Arranged(order, search.states <= MAX_STATES, search.states)


class _Segment:
    """The events between two cuts, numbered from 0; sets of them are bit masks.

    Attributes:
        events: their numbers in the run.
        pieces: the pieces that they read and make.
        before: of each event, those that must be done.
        reads: of each event, the pieces that it reads.
        makes: of each event, the pieces that it makes, and in which it may make each.
        readers: of each piece, the events that read it.
        lasts: of each piece, whether later events read it, or it leaves the network.
        maker: of each piece, the event that makes it; negative of those made before.
        blocks: the repeats among the events.
    """

    def __init__(self, work: _Work, events: range) -> None:
        self.events = events
        self.pieces = _touched(work, events)
        local = {piece: i for i, piece in enumerate(self.pieces)}
        self.reads = [[local[piece] for piece in work.reads[i]] for i in events]
        self.makes = [
            [(local[piece], tuple(local[home] for home in homes)) for piece, homes in work.makes[i]]
            for i in events
        ]
        self.readers = [self._mask(work.pieces[piece].readers) for piece in self.pieces]
        self.lasts = [
            piece in work.stays or max(work.pieces[piece].readers, default=-1) >= events.stop
            for piece in self.pieces
        ]
        self.maker = [work.pieces[piece].maker - events.start for piece in self.pieces]
        self.before = [self._mask(work.before[i]) for i in events]
        self.blocks = _blocks(work.events, events)
        _order_turns(self.before, [work.events[i] for i in events])
        for block in self.blocks:
            _keep_together(self.before, block.events)

    def _mask(self, events: Iterable[int]) -> int:
        return sum(1 << i - self.events.start for i in events if i in self.events)

    @property
    def all(self) -> int:
        """All events."""
        return (1 << len(self.events)) - 1

    def is_dead(self, piece: int, done: int) -> bool:
        """Whether nothing reads a piece that is made."""
        return not self.lasts[piece] and not self.readers[piece] & ~done

    def ready(self, done: int) -> Iterator[int]:
        """The events that may be next; a repeat that is begun is ended first."""
        left = self.all & ~done
        for block in self.blocks:
            if block.is_open(done):
                left &= block.events
        for event in _members(left):
            if not self.before[event] & ~done:
                yield event

    def opens(self, event: int, done: int) -> bool:
        """Whether an event begins a repeat."""
        return any(b.events >> event & 1 and not b.is_open(done) for b in self.blocks)

    @cached_property
    def ancestors(self) -> list[int]:
        """Of each event all those that come before it in every order."""
        found: list[int] = []
        for before in self.before:
            mask = before
            for event in _members(before):
                mask |= found[event]
            found.append(mask)
        return found

    @cached_property
    def descendants(self) -> list[int]:
        """Of each event all those that come after it in every order."""
        found = [0] * len(self.events)
        for event, ancestors in enumerate(self.ancestors):
            for earlier in _members(ancestors):
                found[earlier] |= 1 << event
        return found


def _touched(work: _Work, events: range) -> list[int]:
    """The pieces that some events read or make."""
    read = (piece for i in events for piece in work.reads[i])
    made = (piece for i in events for piece, _ in work.makes[i])
    return sorted({*read, *made})


def _members(mask: int) -> Iterator[int]:
    """The numbers in a set, the smallest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


class _Block(NamedTuple):
    """A repeat, nothing else coming between its events.

    Attributes:
        events: those of a segment.
        begins: whether it begins in the segment.
        ends: whether it ends there.
    """

    events: int
    begins: bool
    ends: bool

    def is_open(self, done: int) -> bool:
        """Whether it is begun and not ended."""
        begun = not self.begins or done & self.events
        return bool(begun) and not (self.ends and not self.events & ~done)


def _blocks(run: Sequence[Event], segment: range) -> list[_Block]:
    """The repeats of a segment's events."""
    masks: dict[tuple[Turn | str, ...], int] = {}
    for i, event in enumerate(run[segment.start : segment.stop]):
        for key in _repeats(event):
            masks[key] = masks.get(key, 0) | 1 << i
    before = set(_repeats(run[segment.start - 1])) if segment.start else set()
    after = set(_repeats(run[segment.stop])) if segment.stop < len(run) else set()
    return [_Block(mask, key not in before, key not in after) for key, mask in masks.items()]


def _repeats(event: Event) -> Iterator[tuple[Turn | str, ...]]:
    """The repeats that an event is in, each by the turns that it is in itself, and its path."""
    for depth, turn in enumerate(event.within):
        yield (*event.within[:depth], turn.group)


def _order_turns(before: list[int], events: Sequence[Event]) -> None:
    """A later turn comes after the first; what hands a turn's map on begins or ends the turn."""
    for i, event in enumerate(events if any(event.within for event in events) else ()):
        for j, earlier in enumerate(events[:i]):
            depth = _common(earlier.within, event.within)
            one, other = earlier.within[depth : depth + 1], event.within[depth : depth + 1]
            later = one and other and one[0].group == other[0].group
            handed = (earlier.layer is None and not one) or (event.layer is None and not other)
            if later or handed:
                before[i] |= 1 << j


def _keep_together(before: list[int], block: int) -> None:
    """What a repeat takes from elsewhere comes before all of it, and what takes from it after."""
    taken = 0
    for event in _members(block):
        taken |= before[event] & ~block
    for event, mask in enumerate(before):
        if block >> event & 1:
            before[event] |= taken
        elif mask & block:
            before[event] |= block


def _common(one: Sequence[Turn], other: Sequence[Turn]) -> int:
    """How many turns two events are in together."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


Numbers = tuple[Value, ...]
"""A size in each of the turns that are told apart."""


class _Columns(NamedTuple):
    """The sizes of a segment's pieces, in each of the turns that are told apart.

    Attributes:
        sizes: of each piece.
        others: together, of what is in memory all along.
        inside: of each event, the turns that it is in, with what is inside it then.
    """

    sizes: list[Numbers]
    others: Numbers
    inside: list[list[tuple[int, Value]]]


class _WorkedOut:
    """The values of sizes in the turns of repeats."""

    def __init__(self, evaluate: Evaluator) -> None:
        self.turns: dict[tuple[Turn, ...], list[Evaluator]] = {(): [evaluate]}

    def _in(self, within: tuple[Turn, ...]) -> list[Evaluator]:
        """The values in each of the turns that some turns stand for; too many are cut off."""
        if within not in self.turns:
            outer = (_in_turn(within[-1], each) for each in self._in(within[:-1]))
            self.turns[within] = list(islice(chain.from_iterable(outer), MAX_TURNS + 1))
        return self.turns[within]

    def columns(self, work: _Work, events: range) -> _Columns | None:
        """The sizes of what some events touch; None where there are too many turns."""
        pieces = [work.pieces[number].size for number in _touched(work, events)]
        pieces.append(Add(*_others(work, events)))
        grouped: dict[tuple[Turn, ...], list[int]] = {}
        for i in events:
            if work.events[i].layer is not None:
                grouped.setdefault(work.events[i].within, []).append(i)
        if any(len(self._in(within)) > MAX_TURNS for within in grouped):
            return None
        found: dict[Numbers, int] = {}
        inside: list[list[tuple[int, Value]]] = [[] for _ in events]
        for within, members in grouped.items():
            inner = [work.inside(i) for i in members]
            rows = [tuple(map(each, pieces + inner)) for each in self._in(within)]
            for row in _undominated(rows):
                column = found.setdefault(row[: len(pieces)], len(found))
                for i, size in zip(members, row[len(pieces) :], strict=True):
                    inside[i - events.start].append((column, size))
        sizes: list[Numbers] = [*zip(*found, strict=True)] if found else [()] * len(pieces)
        return _Columns(sizes[:-1], sizes[-1], inside)


def _in_turn(turn: Turn, evaluate: Evaluator) -> Iterator[Evaluator]:
    """The values in each of the turns that one stands for; none where there is no such turn."""
    if evaluate(turn.runs) < 1:
        return
    if turn.turns is None:
        yield evaluate
        return
    index, count = turn.turns
    for i in range(1) if turn.is_first else range(1, int(evaluate(count))):
        yield evaluate.at_turn(index, i)


def _undominated(rows: Iterable[Numbers]) -> list[Numbers]:
    """The rows that no other is as large as everywhere: what is largest is largest in those."""
    kept: list[Numbers] = []
    for row in sorted(set(rows), reverse=True):
        if not any(all(map(le, row, other)) for other in kept):
            kept.append(row)
    return kept


def _others(work: _Work, events: range) -> Iterator[Expr]:
    """The sizes of what is in memory while some events work that do not touch it."""
    touched = set(_touched(work, events))
    for number, piece in enumerate(work.pieces):
        stays = number in work.stays or max(piece.readers, default=-1) >= events.stop
        if piece.maker < events.start and stays and number not in touched:
            yield piece.size


class _Search:
    """The search for an order of a segment.

    Attributes:
        segment: the events.
        columns: the sizes of their pieces.
        states: how many sets of events were looked at.
    """

    def __init__(self, segment: _Segment, columns: _Columns) -> None:
        self.segment = segment
        self.columns = columns
        self.states = 0

    def better_order(self) -> list[int] | None:
        """The best order, if there is a better one than the given and it is found."""
        given, least = self._peak(), max(map(self._least, range(len(self.segment.events))))
        return self._search(least, given) if least < given else None

    def _search(self, least: Value, given: Value) -> list[int] | None:
        """Dijkstra's algorithm over sets of events; no order has a peak below the least."""
        queue, alive = [(least, len(self.segment.events), 0)], {0: self._start()}
        reached: dict[int, Value] = {0: least}
        came: dict[int, tuple[int, int]] = {}
        while queue and self.states <= MAX_STATES:
            peak, left, done = heappop(queue)
            if peak > reached[done]:
                continue
            if not left:
                return _way(came, done)
            self.states += 1
            for event, now, needed, after in self._steps(done, alive[done], peak):
                high = max(peak, needed)
                if high < reached.get(now, given):
                    reached[now], came[now], alive[now] = high, (done, event), after
                    heappush(queue, (high, left - 1, now))
            del alive[done]
        return None

    def _steps(self, done: int, alive: Numbers, peak: Value) -> list["_Step"]:
        """The next events; one alone, where it neither raises the peak nor adds to memory.

        Whatever else is done first, such an event frees no less later, and all others need no more
        once it is done: so it may come first.
        """
        steps = []
        for event in self.segment.ready(done):
            step = self._step(event, done, alive)
            is_free = step.needed <= peak and all(map(le, step.after, alive))
            if is_free and not self.segment.opens(event, done):
                return [step]
            steps.append(step)
        return steps

    def _step(self, event: int, done: int, alive: Numbers) -> "_Step":
        segment, sizes = self.segment, self.columns.sizes
        now = done | 1 << event
        during = after = alive
        for piece, homes in segment.makes[event]:
            if not any(segment.is_dead(home, now) for home in homes):
                during = tuple(map(add, during, sizes[piece]))
            if not segment.is_dead(piece, now):
                after = tuple(map(add, after, sizes[piece]))
        for piece in segment.reads[event]:
            if segment.is_dead(piece, now):
                after = tuple(map(sub, after, sizes[piece]))
        return _Step(event, now, self._largest(event, during), after)

    def _largest(self, event: int, during: Numbers) -> Value:
        inside = self.columns.inside[event]
        return max((during[column] + inner for column, inner in inside), default=0)

    def _start(self) -> Numbers:
        made = (s for s, m in zip(self.columns.sizes, self.segment.maker, strict=True) if m < 0)
        return self._together(made)

    def _together(self, sizes: Iterable[Numbers]) -> Numbers:
        """Some sizes with what is in memory all along."""
        return tuple(map(sum, zip(self.columns.others, *sizes, strict=True)))

    def _peak(self) -> Value:
        """The peak of the given order."""
        peak: Value = 0
        done, alive = 0, self._start()
        for event in range(len(self.segment.events)):
            _, done, needed, alive = self._step(event, done, alive)
            peak = max(peak, needed)
        return peak

    def _least(self, event: int) -> Value:
        """What is in memory while an event works, whatever the order."""
        segment, sizes = self.segment, self.columns.sizes
        before, own = segment.ancestors[event], 1 << event
        latest = segment.all & ~segment.descendants[event]
        needed = [
            sizes[piece]
            for piece, maker in enumerate(segment.maker)
            if (maker < 0 or before >> maker & 1) and not segment.is_dead(piece, latest & ~own)
        ]
        for piece, homes in segment.makes[event]:
            if not any(segment.is_dead(home, latest) for home in homes):
                needed.append(sizes[piece])
        return self._largest(event, self._together(needed))


class _Step(NamedTuple):
    """An event that comes next.

    Attributes:
        event: it.
        now: the events that are done then.
        needed: what is in memory while it works, in the turn where it is most.
        after: what is in memory after it.
    """

    event: int
    now: int
    needed: Value
    after: Numbers


def _way(came: Mapping[int, tuple[int, int]], done: int) -> list[int]:
    """The events in the order in which they led to a set."""
    order = []
    while done:
        done, event = came[done]
        order.append(event)
    return order[::-1]

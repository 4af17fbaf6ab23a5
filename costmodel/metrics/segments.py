"""What an order of layers costs: what those between two cuts read, make and take in memory.

Layers are events by their numbers, feature maps with their views are pieces. A cut is a layer that
all others come before or after, so an order is one of the events between each two cuts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from operator import le
from typing import NamedTuple

from sympy import Add, Expr, S

from costmodel.algebra.evaluate import Evaluator, Value
from costmodel.metrics.liveness import Event, Place, Run, Spot, Turn, spots

MAX_TURNS = 1_000
"""The most turns of repeats whose sizes are told apart."""


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


class Work:
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


def segments_of(work: Work) -> Iterator[range]:
    """The cuts, and the events between two of them."""
    start = 0
    for cut in _cuts(work):
        yield range(start, cut)
        yield range(cut, cut + 1)
        start = cut + 1
    yield range(start, len(work.events))


def _cuts(work: Work) -> list[int]:
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


class Segment:
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

    def __init__(self, work: Work, events: range) -> None:
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


def _touched(work: Work, events: range) -> list[int]:
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


class Block(NamedTuple):
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


def _blocks(run: Sequence[Event], segment: range) -> list[Block]:
    """The repeats of a segment's events."""
    masks: dict[tuple[Turn | str, ...], int] = {}
    for i, event in enumerate(run[segment.start : segment.stop]):
        for key in _repeats(event):
            masks[key] = masks.get(key, 0) | 1 << i
    before = set(_repeats(run[segment.start - 1])) if segment.start else set()
    after = set(_repeats(run[segment.stop])) if segment.stop < len(run) else set()
    return [Block(mask, key not in before, key not in after) for key, mask in masks.items()]


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


class Columns(NamedTuple):
    """The sizes of a segment's pieces, in each of the turns that are told apart.

    Attributes:
        sizes: of each piece.
        others: together, of what is in memory all along.
        inside: of each event, the turns that it is in, with what is inside it then.
    """

    sizes: list[Numbers]
    others: Numbers
    inside: list[list[tuple[int, Value]]]


class WorkedOut:
    """The values of sizes in the turns of repeats."""

    def __init__(self, evaluate: Evaluator) -> None:
        self.turns: dict[tuple[Turn, ...], list[Evaluator]] = {(): [evaluate]}

    def _in(self, within: tuple[Turn, ...]) -> list[Evaluator]:
        """The values in each of the turns that some turns stand for; too many are cut off."""
        if within not in self.turns:
            outer = (_in_turn(within[-1], each) for each in self._in(within[:-1]))
            self.turns[within] = list(islice(chain.from_iterable(outer), MAX_TURNS + 1))
        return self.turns[within]

    def columns(self, work: Work, events: range) -> Columns | None:
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
        return Columns(sizes[:-1], sizes[-1], inside)


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


def _others(work: Work, events: range) -> Iterator[Expr]:
    """The sizes of what is in memory while some events work that do not touch it."""
    touched = set(_touched(work, events))
    for number, piece in enumerate(work.pieces):
        stays = number in work.stays or max(piece.readers, default=-1) >= events.stop
        if piece.maker < events.start and stays and number not in touched:
            yield piece.size

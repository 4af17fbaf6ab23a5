"""The orders in which the layers of a network may work: which events must come before which.

Events and the values that they read and make are numbers here, and sets of events are bit masks. A
cut is an event that all others come before or after, so an order is one of the events between each
two cuts.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce
from operator import or_

from sympy import S

from costmodel.metrics.liveness import Execution
from costmodel.metrics.trace import Event


class PrecedenceGraph:
    """The events of a run, with the values that each reads and makes.

    Attributes:
        events: the events, in the given order.
        values: what they read and make.
        maker: of each value, the event that makes it; -1 of what is there from the start.
        readers: of each value, the events that read it; of one that stays a bit beyond all, too.
        before: of each event, those that give what it reads.
        reads: of each event, the values that it reads.
        makes: of each event, the values that it makes.
        reuses: of each event, the values in whose memory it may write.
        repeats: the events of each repeat, in which nothing else comes between.
    """

    def __init__(self, run: Execution) -> None:
        self.events = run.events
        made = [(i, value) for i, event in enumerate(run.events) for value in event.values_made]
        made = [*((-1, value) for value in run.inputs), *made]
        number = {value: n for n, (_, value) in enumerate(made)}
        self.values = [value for _, value in made]
        self.maker = [maker for maker, _ in made]
        self.reads = [[number[value] for value in event.values_read] for event in run.events]
        self.makes = [[number[value] for value in event.values_made] for event in run.events]
        self.reuses = [[number[value] for value in event.reuses] for event in run.events]
        place = {event.number: i for i, event in enumerate(run.events)}
        self.before = [
            mask_of(place[c.maker] for cases in event.reads for c in cases if c.maker >= 0)
            for event in run.events
        ]
        self.readers = [0] * len(made)
        self.repeats: dict[str, int] = {}
        for i, event in enumerate(run.events):
            for read in self.reads[i]:
                self.readers[read] |= 1 << i
            for iteration in event.within:
                self.repeats[iteration.repeat] = self.repeats.get(iteration.repeat, 0) | 1 << i
        for value in run.outputs:
            self.readers[number[value]] |= 1 << len(run.events)

    def is_dead(self, value: int, done: int) -> bool:
        """Return whether nothing will read a value that is made."""
        return not self.readers[value] & ~done

    def segments(self) -> Iterator["Segment"]:
        """Yield the cuts, and the events between two of them.

        To a cut all earlier events lead, and all later ones depend on it, but for weightless ones:
        what reads nothing and takes no memory is as good at any time.
        """
        weights = [any(self.values[n].bytes is not S.Zero for n in made) for made in self.makes]
        heavy = [i for i, reads in enumerate(self.reads) if reads or weights[i]]
        after = [0] * len(self.events)
        for i in heavy:
            for earlier in members(self.before[i]):
                after[earlier] |= 1 << i
        start = 0
        for cut in members(_lone_ends(heavy, self.before) & _lone_ends(heavy[::-1], after)):
            yield Segment(self, range(start, cut))
            yield Segment(self, range(cut, cut + 1))
            start = cut + 1
        yield Segment(self, range(start, len(self.events)))


def mask_of(events: Iterable[int]) -> int:
    """Return a set of events."""
    return reduce(or_, (1 << event for event in events), 0)


def members(mask: int) -> Iterator[int]:
    """Yield the events of a set, the smallest number first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _lone_ends(events: Iterable[int], before: Sequence[int]) -> int:
    """Return the events to which all lead that come before them, one after the other."""
    ends = lone = 0
    for i in events:
        ends = ends & ~before[i] | 1 << i
        lone |= ends if ends == 1 << i else 0
    return lone


class Segment:
    """The events between two cuts, which every order of them has in between.

    Attributes:
        plan: the whole run.
        events: their numbers.
        start: all events before them.
        end: the same with their own.
    """

    def __init__(self, plan: PrecedenceGraph, events: range) -> None:
        self.plan = plan
        self.events = events
        self.start, self.end = (1 << events.start) - 1, (1 << events.stop) - 1

    @cached_property
    def repeats(self) -> list[int]:
        """The repeats that some of the events are in."""
        own = self.end & ~self.start
        return [mask for mask in self.plan.repeats.values() if mask & own]

    @cached_property
    def before(self) -> dict[int, int]:
        """Of each event, those that must be done."""
        before, events = {i: self.plan.before[i] for i in self.events}, self.plan.events
        for i in self.events if self.repeats else ():
            earlier = range(self.events.start, i)
            before[i] |= mask_of(j for j in earlier if _must_follow(events[i], events[j]))
        for mask in self.repeats:
            taken = 0
            for i in self.events:
                taken |= before[i] & ~mask if mask >> i & 1 else 0
            for i in self.events:
                if mask >> i & 1:
                    before[i] |= taken
                elif before[i] & mask:
                    before[i] |= mask
        return before

    def ready(self, done: int) -> Iterator[int]:
        """Yield the events that may be next; a repeat that is begun is ended first."""
        left = self.end & ~done
        for mask in self.repeats:
            if mask & done and mask & ~done:
                left &= mask
        return (event for event in members(left) if not self.before[event] & ~done)

    def opens(self, event: int, done: int) -> bool:
        """Return whether an event begins a repeat."""
        return any(mask >> event & 1 and not mask & done for mask in self.repeats)

    @cached_property
    def ancestors(self) -> dict[int, int]:
        """Of each event all those that come before it in every order."""
        found: dict[int, int] = {}
        for event, mask in self.before.items():
            found[event] = mask | self.start
            for earlier in members(mask & ~self.start):
                found[event] |= found[earlier]
        return found

    @cached_property
    def descendants(self) -> dict[int, int]:
        """Of each event all those that come after it in every order."""
        found = dict.fromkeys(self.events, 0)
        for event, ancestors in self.ancestors.items():
            for earlier in members(ancestors & ~self.start):
                found[earlier] |= 1 << event
        return found

    @cached_property
    def touched(self) -> list[int]:
        """The values that the events read or make."""
        plan = self.plan
        return sorted({n for i in self.events for n in (*plan.reads[i], *plan.makes[i])})

    @property
    def passing(self) -> Iterator[int]:
        """The values that are in memory all along, and that no event touches."""
        touched = {*self.touched}
        for value, readers in enumerate(self.plan.readers):
            is_made = self.plan.maker[value] < self.events.start
            if is_made and readers >> self.events.stop and value not in touched:
                yield value


def _must_follow(event: Event, earlier: Event) -> bool:
    """Return whether an event is in a later iteration than another, or ends one, or is after it.

    What hands on what an iteration makes begins or ends the iteration.
    """
    pairs = zip(earlier.within, event.within, strict=False)
    depth = next((i for i, (one, other) in enumerate(pairs) if one != other), None)
    if depth is not None:
        return earlier.within[depth].repeat == event.within[depth].repeat
    shared = min(len(earlier.within), len(event.within))
    ends = (each.layer is None and len(each.within) == shared for each in (earlier, event))
    return any(ends)

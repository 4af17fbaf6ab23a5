"""The order in which the layers of a network need the least memory.

What is in memory between two layers hangs on which layers are done, not on their order: a feature
map with its views is there once it is made, until all that read it are done. What works in place
adds nothing where it is the last to read its input, and as much as that else. So an order is a path
over sets of layers that are done, from none to all, and the best has the least peak: a bottleneck
shortest path, found by Dijkstra's algorithm. It is looked for between cuts, the layers that all
others come before or after. The turns of a repeat follow each other with nothing in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from operator import add, le, sub
from typing import NamedTuple

from sympy import Expr

from costmodel.algebra.evaluate import Evaluator, Value
from costmodel.algebra.work import afforded
from costmodel.metrics.liveness import Run
from costmodel.metrics.segments import Columns, Numbers, Segment, Work, WorkedOut, segments_of

MAX_STATES = 20_000
"""The most sets of layers that are looked at between two cuts."""


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
    work, turns = Work(run), WorkedOut(evaluate)
    found = [_arranged(work, segment, turns) for segment in segments_of(work)]
    left = (run.events[i].layer for each in found if not each.is_searched for i in each.order)
    unsearched = dict.fromkeys(layer.node.path for layer in left if layer is not None)
    events = tuple(run.events[i] for each in found for i in each.order)
    states = sum(each.states for each in found)
    return Order(run._replace(events=events), tuple(unsearched), states)


class _Arranged(NamedTuple):
    """Some events in an order, whether it is the best, and how many sets were looked at."""

    order: Sequence[int]
    is_searched: bool
    states: int


def _arranged(work: Work, events: range, turns: "WorkedOut") -> _Arranged:
    """The events between two cuts in their best order."""
    if len(events) < 2:
        return _Arranged(events, is_searched=True, states=0)
    columns = turns.columns(work, events)
    if columns is None:
        return _Arranged(events, is_searched=False, states=0)
    search = _Search(Segment(work, events), columns)
    found = search.better_order()
    order = events if found is None else [events[i] for i in found]
    return _Arranged(order, search.is_over, search.states)


class _Search:
    """The search for an order of a segment.

    Attributes:
        segment: the events.
        columns: the sizes of their pieces.
        states: how many sets of events were looked at.
        is_over: whether it has not been given up.
    """

    def __init__(self, segment: Segment, columns: Columns) -> None:
        self.segment = segment
        self.columns = columns
        self.states = 0
        self.is_over = True

    def better_order(self) -> list[int] | None:
        """The best order, if there is a better one than the given and it is found."""
        given, least = self._peak(), max(map(self._least, range(len(self.segment.events))))
        return self._search(least, given) if least < given else None

    def _search(self, least: Value, given: Value) -> list[int] | None:
        """Dijkstra's algorithm over sets of events; no order has a peak below the least."""
        queue, alive = [(least, len(self.segment.events), 0)], {0: self._start()}
        reached: dict[int, Value] = {0: least}
        came: dict[int, tuple[int, int]] = {}
        while queue:
            peak, left, done = heappop(queue)
            if peak > reached[done]:
                continue
            if not left:
                return _way(came, done)
            steps = self._steps(done, alive[done], peak)
            self.states += 1
            self.is_over = self.states <= MAX_STATES and afforded(len(steps))
            if not self.is_over:
                break
            for event, now, needed, after in steps:
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

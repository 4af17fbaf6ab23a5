"""The order in which the layers of a network need the least memory.

What is in memory between two layers hangs on which layers are done, not on their order: a feature
map with its views is there once it is made, until all that read it are done. What works in place
adds nothing where it is the last to read its input, and as much as that else. So an order is a path
over sets of layers that are done, from none to all, and the best has the least peak: a bottleneck
shortest path, found by Dijkstra's algorithm. It is looked for between cuts, the layers that all
others come before or after. The iterations of a repeat follow each other with nothing in between.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import chain, islice
from operator import add, le, sub
from types import MappingProxyType
from typing import NamedTuple

from sympy import Add, Expr

from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.once import once
from costmodel.algebra.work import afforded
from costmodel.metrics.iterations import Iteration
from costmodel.metrics.liveness import Execution
from costmodel.metrics.precedence import PrecedenceGraph, Segment
from costmodel.metrics.trace import Event

MAX_STATES = 20_000
"""The most sets of layers that are looked at between two cuts."""

MAX_ITERATIONS = 1_000
"""The most iterations of repeats whose sizes are told apart."""


class BestOrder(NamedTuple):
    """The order with the least peak memory at the symbols' values.

    Attributes:
        run: the network at work in it.
        unsearched: the layers that are left in the given order, for there are too many.
        states: how many sets of layers were looked at.
        memory: every layer's path, with the most bytes in memory while it works in this order.
        is_best: whether no order has a smaller peak, unsearched layers or not.
    """

    run: Execution
    unsearched: tuple[str, ...]
    states: int
    memory: Mapping[str, Expr] = MappingProxyType({})
    is_best: bool = True

    @property
    def layers(self) -> tuple[str, ...]:
        """The paths in this order, those of a repeat once in every iteration told apart."""
        return self.run.layers

    def with_memory(self, memory: Mapping[str, Expr], evaluate: Evaluator) -> "BestOrder":
        """Return the order with what is in memory while each layer works."""
        sizes = {path: evaluate(size) for path, size in memory.items()}
        searched = max((s for p, s in sizes.items() if p not in self.unsearched), default=0)
        is_best = all(sizes[path] <= searched for path in self.unsearched)
        return self._replace(memory=memory, is_best=is_best)


def best_order(run: Execution, evaluate: Evaluator) -> BestOrder:
    """Return the order with the least peak at some values; the given one where none is better."""
    sizes, events = _Sizes(evaluate), list[Event]()
    unsearched, states = dict[str, None](), 0
    for segment in PrecedenceGraph(run).segments():
        columns = sizes.columns(segment) if len(segment.events) > 1 else None
        search = _Search(segment, columns) if columns else None
        order = search.order() if search else segment.events
        events += (run.events[i] for i in order)
        states += search.states if search else 0
        if not search.is_over if search else len(segment.events) > 1:
            left = (run.events[i].layer for i in order)
            unsearched |= dict.fromkeys(layer.node.path for layer in left if layer is not None)
    return BestOrder(run._replace(events=tuple(events)), tuple(unsearched), states)


Numbers = tuple[Rational, ...]
"""A size in each of the iterations that are told apart."""


class _Columns(NamedTuple):
    """The sizes of a segment's values, in each of the iterations that are told apart."""

    sizes: Mapping[int, Numbers]
    others: Numbers  # together, of what is in memory all along
    inside: Mapping[int, list[tuple[int, Rational]]]  # event → its iterations, with what is inside


class _Sizes:
    """The numbers of sizes in the iterations of repeats."""

    def __init__(self, evaluate: Evaluator) -> None:
        self.evaluate = evaluate

    @once
    def _in(self, within: tuple[Iteration, ...]) -> list[Evaluator]:
        """Return what evaluates in each of some iterations; too many are cut off."""
        if not within:
            return [self.evaluate]
        outer = (_in_iteration(within[-1], each) for each in self._in(within[:-1]))
        return list(islice(chain.from_iterable(outer), MAX_ITERATIONS + 1))

    def columns(self, segment: Segment) -> _Columns | None:
        """Return the sizes of what a segment touches; None where there are too many iterations."""
        plan, touched = segment.plan, segment.touched
        sizes = [plan.values[value].bytes for value in touched]
        sizes.append(Add(*(plan.values[value].bytes for value in segment.passing)))
        grouped: dict[tuple[Iteration, ...], list[int]] = {}
        for i in segment.events:
            if plan.events[i].layer is not None:
                grouped.setdefault(plan.events[i].within, []).append(i)
        if any(len(self._in(within)) > MAX_ITERATIONS for within in grouped):
            return None
        found: dict[Numbers, int] = {}
        inside: dict[int, list[tuple[int, Rational]]] = {i: [] for i in segment.events}
        for within, events in grouped.items():
            inner = [Add(*plan.events[i].inside) for i in events]
            rows = [tuple(map(each, sizes + inner)) for each in self._in(within)]
            for row in _undominated(rows):
                column = found.setdefault(row[: len(sizes)], len(found))
                for i, size in zip(events, row[len(sizes) :], strict=True):
                    inside[i].append((column, size))
        *of_values, others = zip(*found, strict=True) if found else [()] * len(sizes)
        return _Columns(dict(zip(touched, of_values, strict=True)), others, inside)


def _in_iteration(iteration: Iteration, evaluate: Evaluator) -> Iterator[Evaluator]:
    """Yield an evaluator for each of the iterations that a traced one stands for."""
    indices = iteration.indices(int(evaluate(iteration.runs)))
    if iteration.iterations is None:
        yield from [evaluate] if indices else []
    else:
        yield from (evaluate.at_iteration(iteration.iterations.index, i) for i in indices)


def _undominated(rows: Iterable[Numbers]) -> list[Numbers]:
    """Return the rows that no other is as large as everywhere: one of those has the largest sum."""
    kept: list[Numbers] = []
    for row in sorted(set(rows), reverse=True):
        if not any(all(map(le, row, other)) for other in kept):
            kept.append(row)
    return kept


class _Search:
    """The search for an order of a segment."""

    def __init__(self, segment: Segment, columns: _Columns) -> None:
        self.segment = segment
        self.plan = segment.plan
        self.columns = columns
        self.states = 0  # sets of events that were looked at
        self.is_over = True  # not given up

    def order(self) -> Sequence[int]:
        """Return the best order that is found, the given one where none is better."""
        given, least = self._peak(), max(map(self._least, self.segment.events))
        found = self._search(least, given) if least < given else None
        return found or self.segment.events

    def _search(self, least: Rational, given: Rational) -> list[int] | None:
        """Run Dijkstra's algorithm over sets of events; no order has a peak below the least."""
        start, end = self.segment.start, self.segment.end
        queue, alive = [(least, len(self.segment.events), start)], {start: self._start()}
        reached: dict[int, Rational] = {start: least}
        came: dict[int, tuple[int, int]] = {}
        while queue:
            peak, left, done = heappop(queue)
            if peak > reached[done]:
                continue
            if done == end:
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

    def _steps(self, done: int, alive: Numbers, peak: Rational) -> list["_Step"]:
        """Return the next events; one alone, where it neither raises the peak nor adds to memory.

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
        plan, sizes = self.plan, self.columns.sizes
        now = done | 1 << event
        is_reused = any(plan.is_dead(value, now) for value in plan.reuses[event])
        during = after = alive
        for value in plan.makes[event]:
            if not is_reused:
                during = tuple(map(add, during, sizes[value]))
            if not plan.is_dead(value, now):
                after = tuple(map(add, after, sizes[value]))
        for value in plan.reads[event]:
            if plan.is_dead(value, now):
                after = tuple(map(sub, after, sizes[value]))
        return _Step(event, now, self._largest(event, during), after)

    def _largest(self, event: int, during: Numbers) -> Rational:
        inside = self.columns.inside[event]
        return max((during[column] + inner for column, inner in inside), default=0)

    def _start(self) -> Numbers:
        return self._together(
            size
            for value, size in self.columns.sizes.items()
            if self.plan.maker[value] < self.segment.events.start
        )

    def _together(self, sizes: Iterable[Numbers]) -> Numbers:
        """Return some sizes with what is in memory all along."""
        return tuple(map(sum, zip(self.columns.others, *sizes, strict=True)))

    def _peak(self) -> Rational:
        """Return the peak of the given order."""
        peak: Rational = 0
        done, alive = self.segment.start, self._start()
        for event in self.segment.events:
            _, done, needed, alive = self._step(event, done, alive)
            peak = max(peak, needed)
        return peak

    def _least(self, event: int) -> Rational:
        """Return what is in memory while an event works, whatever the order."""
        plan, sizes = self.plan, self.columns.sizes
        before, latest = self.segment.ancestors[event], ~self.segment.descendants[event]
        latest &= self.segment.end
        needed = [
            size
            for value, size in sizes.items()
            if (plan.maker[value] < 0 or before >> plan.maker[value] & 1)
            and not plan.is_dead(value, latest & ~(1 << event))
        ]
        if not any(plan.is_dead(value, latest) for value in plan.reuses[event]):
            needed += [sizes[value] for value in plan.makes[event]]
        return self._largest(event, self._together(needed))


class _Step(NamedTuple):
    """An event that comes next."""

    event: int
    now: int  # the events that are done then
    needed: Rational  # in memory while it works, in the iteration where it is most
    after: Numbers  # in memory after it


def _way(came: Mapping[int, tuple[int, int]], done: int) -> list[int]:
    """Return the events in the order in which they led to a set."""
    order = []
    while done in came:
        done, event = came[done]
        order.append(event)
    return order[::-1]

"""The bytes in memory while each layer works: exact liveness over the graph, in its order.

A feature map is in memory from the layer that makes it to the last that reads it; the network's
inputs from the start to the last that reads them, its outputs to the end. A view lies where what
it shows lies. What works in place takes the memory of an input that nothing reads any more,
if there is one of its size and type. Feature maps inside a layer are in memory while the layer
works. Of a repeat the first iteration and a later one are traced: all later ones are alike, but for
what earlier iterations have left in memory, as a side branch does in every one. All sizes are in
bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

from sympy import Add, Expr, Integer, S, Symbol

from archspec.trees import Tensor
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.sums import (
    Iterations,
    OpenFormError,
    at_iteration,
    closed_sum,
    each_by_each,
    no_closed_form,
)
from costmodel.algebra.work import charge
from costmodel.metrics.iterations import Iteration, IterationKind, largest, summed
from costmodel.metrics.trace import Case, Cases, Event, Location, Scope, StoredTensor, Tracer
from costmodel.network.context import Context
from costmodel.network.propagation import GroupCost, LayerCost


class Execution(NamedTuple):
    """A network at work: its layers in their order, and what is there at the start and the end."""

    events: tuple[Event, ...]
    inputs: tuple[StoredTensor, ...]
    outputs: tuple[StoredTensor, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The paths of the layers as they work, once in every iteration that is told apart."""
        return tuple(e.layer.node.path for e in self.events if e.layer is not None)

    def dies(self) -> dict[StoredTensor, int]:
        """Return the place of the last event that reads each value; outputs outlive all."""
        last = {v: i for i, event in enumerate(self.events) for v in event.values_read}
        return last | dict.fromkeys(self.outputs, len(self.events))


def unrolled(context: Context) -> Execution:
    """Return a network at work in the order of its graph."""
    network, graph = context.network.propagation, context.network.graph
    tracer = _Unrolled(context)
    scope = tracer.entering()
    entering = tuple(map(_value, scope.values()))
    tracer.parts(network.parts, scope, Location())
    leaving = (_value(scope[tensor]) for tensor in (graph.output, *graph.sides))
    return Execution(tuple(tracer.events), entering, tuple(dict.fromkeys((*leaving, *tracer.kept))))


class WorkingLayer(NamedTuple):
    """A layer in one of the iterations that are told apart; what grows depends on their indices."""

    layer: LayerCost
    alive: Expr  # the bytes in memory while it works
    within: tuple[Iteration, ...]  # the innermost last

    def grows(self, each: Expr) -> bool:
        """Return whether something depends on an index."""
        return any(
            each.has(one.iterations.index) for one in self.within if one.iterations is not None
        )

    def over_iterations(self, each: Expr) -> Expr:
        """Return the sum of something over the iterations that this one stands for.

        Raises:
            OpenFormError: it depends on an index otherwise than by polynomials and steps.
        """
        return summed(each, self.within)

    def alive_in_each(self, evaluate: Evaluator) -> Iterator[Expr]:
        """Yield the bytes in memory in every iteration that this one stands for."""
        found = [self.alive]
        for index, count in (one.iterations for one in self.within if one.iterations is not None):
            each = range(1, int(evaluate(count))) if self.alive.has(index) else (1,)
            found = [at_iteration(alive, index, Integer(i)) for alive in found for i in each]
        yield from found if evaluate(self.over_iterations(S.One)) else ()


def at_work(run: Execution) -> Iterator[WorkingLayer]:
    """Yield every layer in every iteration that is told apart, with what is in memory then."""
    for layer, within, alive in _alive(run):
        taken = reduce(lambda each, one: one.at_end(each), within, alive)
        yield WorkingLayer(layer, taken, within)


def memory(run: Execution) -> Iterator[tuple[LayerCost, Expr]]:
    """Yield every layer with the most bytes that are in memory while it works, in that order.

    Raises:
        NoClosedFormError: iterations of an open number differ otherwise than by polynomials.
    """
    for layer, within, alive in _alive(run):
        try:
            yield layer, largest(alive, within)
        except OpenFormError:
            raise no_closed_form("what is in memory", layer.node) from None


def _alive(run: Execution) -> Iterator[tuple[LayerCost, tuple[Iteration, ...], Expr]]:
    """Yield every layer with the iterations that it is in and what is in memory then."""
    dies = run.dies()
    alive = {value: value.bytes for value in run.inputs if value in dies}
    for i, event in enumerate(run.events):
        made = {value: value.bytes for value in event.values_made}
        charge(1 + (len(alive) + len(made)) // 50, event.layer and event.layer.node)
        home = next((value for value in event.reuses if dies[value] == i), None)
        if event.layer is not None:
            new = made.values() if home is None else ()
            yield event.layer, event.within, Add(*alive.values(), *new, *event.inside)
        alive |= made if home is None else dict.fromkeys(made, alive[home])
        for value in [*event.values_read, *made]:
            if dies.get(value, i) == i:
                del alive[value]


class _Unrolled(Tracer):
    """The layers in the order in which they work, one iteration or two of every repeat."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.kept: dict[
            StoredTensor, None
        ] = {}  # what leaves the iteration that is met, or the network

    def repeat(self, group: GroupCost, scope: Scope, here: Location) -> None:
        """Trace the first iteration, and a later one if there may be one; experts read the same."""
        flow = group.flow
        assert flow is not None
        iterations = None if flow.iteration is None else Iterations(flow.iteration, group.runs)
        entering, bodies = scope[flow.source], list[_Iteration]()
        for which in (
            (IterationKind.FIRST,)
            if group.runs is S.One
            else (IterationKind.FIRST, IterationKind.LATER)
        ):
            iteration = Iteration(f"{here.tag}/{group.path}", which, group.runs, iterations)
            inside = here.iteration(group, iteration)
            if group.iteration is not None and bodies:
                entering = self._handed_over(entering, group.iteration, group.iteration - 1, inside)
            start = bodies[0].begin if bodies else len(self.events)
            bodies.append(self._body(group, scope, entering, inside, start))
            entering = scope[flow.source] if flow.chosen_by else bodies[-1].result
        result = bodies[-1].result
        if group.iteration is not None:
            result = self._handed_over(result, group.iteration, group.runs - 1, inside)
        scope[Tensor(group.path)] = result
        if len(bodies) == 1:
            self.kept.update(dict.fromkeys(bodies[0].leaves))
        elif iterations is not None:
            self._pile(bodies, iterations, _value(result), inside)
        if flow.chosen_by is not None:
            weighed = (*(body.result for body in bodies), scope[flow.chosen_by])
            self._connect(weighed, inside)

    def fused(self, begin: int) -> None:
        """Let what enters a fused group, and leaves it, be there till its last layer is done."""
        *before, last = self.events[begin:]
        inside = {value for event in before for value in event.values_made}
        entering = (c for event in before for cases in event.reads for c in cases)
        enters = {c.value: c for c in entering if c.value not in inside}
        leaves = (_read(value) for value in inside if not value.is_inner)
        reads = (*last.reads, *((case,) for case in enters.values()), *leaves)
        self.events[-1] = last._replace(reads=reads)

    def _body(
        self, group: GroupCost, scope: Scope, entering: Cases, inside: Location, start: int
    ) -> "_Iteration":
        """Trace an iteration of a repeat that begins with the event of a number.

        What leaves the network in it but was made before the repeat is kept by what is around it.
        """
        flow = group.flow
        assert flow is not None
        assert flow.entry is not None
        around, self.kept, begin = self.kept, {}, len(self.events)
        inner = {**scope, flow.entry: entering}
        self.parts(group.parts, inner, inside)
        kept = {**self.kept, **dict.fromkeys(_value(inner[side]) for side in flow.sides)}
        leaves = tuple(value for value in kept if value.maker >= begin)
        keeps = any(start <= value.maker < begin for value in kept)
        around.update({value: None for value in kept if value.maker < start})
        self.kept, result = around, inner[flow.result]
        return _Iteration(begin, entering, result, leaves, keeps, flow.chosen_by is None)

    def _pile(
        self,
        bodies: Sequence["_Iteration"],
        iterations: Iterations,
        result: StoredTensor,
        inside: Location,
    ) -> None:
        """Add what leaves the network in earlier iterations: beside a later one, and after all.

        A tensor that enters a later iteration, or leaves the last, is in memory by itself.
        """
        first, later = bodies
        made = _value(later.result)
        is_left = later.is_chained and made in later.leaves
        entered = [_value(later.entering)] if is_left or later.keeps_entering else []
        each = {*later.leaves, *((made,) if later.keeps_entering else ())}
        if not each:
            return
        before = self._before(each, iterations.index)
        beside = [_read(value) for value in first.leaves if value not in entered]
        pile = self._connect(beside, inside, before - _bytes(entered), later.begin)
        left = [result] if is_left else []
        total = at_iteration(before + _bytes(later.leaves), iterations.index, iterations.last)
        happens = inside.within[-1].happens
        taken = [pile, *entered, *(value for value in later.leaves if value not in left)]
        rest = each_by_each(happens, (total - _bytes(left)).expand())
        after = self._connect(map(_read, taken), inside, rest)
        self.kept.update(dict.fromkeys((after, *left)))

    def _before(self, values: Iterable[StoredTensor], index: Symbol) -> Expr:
        """Return the bytes of some values in all iterations before the one of an index.

        Raises:
            NoClosedFormError: they are no polynomial in the index.
        """
        try:
            return closed_sum(_bytes(values), Iterations(index, index))
        except OpenFormError:
            layers = (event.layer for event in reversed(self.events) if event.layer is not None)
            raise no_closed_form("what is in memory", next(layers).node) from None

    def _handed_over(self, cases: Cases, index: Symbol, last: Expr, inside: Location) -> Cases:
        """Return what a growing iteration leaves, as large as after the one of an index."""
        return _read(self._connect([cases], inside, at_iteration(cases[0].bytes, index, last)))

    def _connect(
        self,
        reads: Iterable[Cases],
        inside: Location,
        size: Expr = S.Zero,
        place: int | None = None,
    ) -> StoredTensor:
        """Add an event without a layer, and return what it makes of what it reads."""
        number, within = len(self.events), inside.within
        made = StoredTensor("", "", None, size, size, number, within=within)
        event = Event(number, None, tuple(reads), (_read(made),), within)
        self.events.insert(number if place is None else place, event)
        return made


def _value(cases: Cases) -> StoredTensor:
    """Return the value of a tensor that can be but one."""
    return cases[0].value


def _read(value: StoredTensor) -> Cases:
    """Return a value as a tensor."""
    return (Case(value, maker=value.maker),)


def _bytes(values: Iterable[StoredTensor]) -> Expr:
    return Add(*(value.bytes for value in values))


class _Iteration(NamedTuple):
    """An iteration of a repeat, from what enters it to its result."""

    begin: int  # the number of its first event
    entering: Cases
    result: Cases
    leaves: tuple[StoredTensor, ...]  # made in it, and leave the network
    keeps_entering: bool  # what enters it leaves the network, and is made in the one before
    is_chained: bool  # its result enters the next one

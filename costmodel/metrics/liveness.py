"""The bytes in memory while each layer works: exact liveness over the graph, in its order.

A feature map is in memory from the layer that makes it to the last that reads it; the network's
inputs from the start to the last that reads them, its outputs to the end. A view lies where what
it shows lies. What works in place takes the memory of an input that nothing reads any more,
if there is one of its size and type. Feature maps inside a layer are in memory while the layer
works. Of a repeat the first iteration and a later one are traced: all later ones are alike, but for
what earlier iterations have left in memory, as a side branch does in every one. All sizes are in
bytes.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

from sympy import Add, Expr, Integer, S, Symbol

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
from costmodel.metrics.fusion import read_in
from costmodel.metrics.iterations import Iteration, IterationKind, largest, summed
from costmodel.metrics.trace import (
    Case,
    Cases,
    Event,
    Location,
    Scope,
    StoredTensor,
    Tracer,
    require_own_places,
)
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
        graph = context.network.graph
        self.read = {*read_in(context.network.propagation.parts), graph.output, *graph.sides}

    def repeat(self, group: GroupCost, scope: Scope, here: Location) -> None:
        """Trace the first iteration, and later ones if there may be any; experts read the same."""
        flow = group.flow
        assert flow is not None
        sources = [scope[each.source] for each in flow.carried]
        begin, bodies = len(self.events), list[_Iteration]()
        entering, kinds = sources, [IterationKind.FIRST]
        for which in kinds:
            inside = here.iteration(group, self._iteration(group, here, which))
            if group.iteration is not None and bodies:
                last = group.iteration - 1
                entering = self._handed_over(entering, group.iteration, last, inside, begin)
            bodies.append(self._body(group, scope, entering, inside, begin))
            self._hold(group, bodies[-1], inside, begin)
            kinds += [] if len(bodies) > 1 else self._later(group, bodies[0])
            entering = sources if flow.chosen_by else bodies[-1].results
        results = bodies[-1].results
        if group.iteration is not None:
            last = group.runs - 1
            results = self._handed_over(results, group.iteration, last, inside, begin)
        scope.update(zip((each.output for each in flow.carried), results, strict=True))
        iterations = inside.within[-1].iterations
        if len(bodies) == 1:
            self.kept.update(dict.fromkeys(bodies[0].leaves))
        elif iterations is not None:
            self._pile(bodies[-2:], iterations, results, inside)
        if flow.chosen_by is not None:
            weighed = (*(cases for body in bodies for cases in body.results), scope[flow.chosen_by])
            self._connect(weighed, inside)

    def _iteration(self, group: GroupCost, here: Location, which: IterationKind) -> Iteration:
        """Return some iterations of a repeat at a place."""
        index = group.flow and group.flow.iteration
        iterations = None if index is None else Iterations(index, group.runs)
        return Iteration(f"{here.tag}/{group.path}", which, group.runs, iterations)

    def _later(self, group: GroupCost, first: "_Iteration") -> list[IterationKind]:
        """Return the iterations that are traced after the first.

        Where what enters a later one is as large as what enters the first, what is in memory beside
        the first is so beside all but the last, and never less: they need not be told apart.
        """
        if group.runs is S.One:
            return []
        if first.is_alike or _has_sides(group):
            return [IterationKind.LATER]
        later = [IterationKind.BETWEEN, IterationKind.LAST]
        return later[1:] if group.runs == 2 else later

    def _hold(self, group: GroupCost, body: "_Iteration", inside: Location, start: int) -> None:
        """Let be there till an iteration ends what only the next one reads, if there is one.

        The last, or of what nothing reads the others, could do without: so it is a bound.
        """
        flow = group.flow
        assert flow is not None
        if not body.is_chained:
            return
        require_own_places(group, body.entering, body.results, body.begin)
        pairs = zip(flow.carried, body.results, strict=True)
        held = [cases for each, cases in pairs if not {each.entry, each.output} <= self.read]
        held = held if len(flow.carried) > 1 else []
        if inside.within[-1].which is IterationKind.LATER and not body.is_alike:
            events = self.events[body.begin :]
            read = (case for event in events for cases in event.reads for case in cases)
            held += [(case,) for case in read if case.value.maker < start]
        if held:
            self._connect(held, inside)

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
        self, group: GroupCost, scope: Scope, entering: list[Cases], inside: Location, start: int
    ) -> "_Iteration":
        """Trace an iteration of a repeat that begins with the event of a number.

        What leaves the network in it but was made before the repeat is kept by what is around it.
        """
        flow = group.flow
        assert flow is not None
        around, self.kept, begin = self.kept, {}, len(self.events)
        inner = {**scope, **dict(zip((each.entry for each in flow.carried), entering, strict=True))}
        self.parts(group.parts, inner, inside)
        kept = {**self.kept, **dict.fromkeys(_value(inner[side]) for side in flow.sides)}
        leaves = tuple(value for value in kept if value.maker >= begin)
        keeps = {value for value in kept if start <= value.maker < begin}
        around.update({value: None for value in kept if value.maker < start})
        self.kept, results = around, [inner[each.result] for each in flow.carried]
        return _Iteration(begin, entering, results, leaves, keeps, flow.chosen_by is None)

    def _pile(
        self,
        bodies: Sequence["_Iteration"],
        iterations: Iterations,
        ends: list[Cases],
        inside: Location,
    ) -> None:
        """Add what leaves the network in earlier iterations: beside a later one, and after all.

        A tensor that enters a later iteration, or leaves the last, is in memory by itself.
        """
        first, later = bodies
        leaving = {end: made for end, made in later.handed(ends) if made in later.leaves}
        pairs = later.handed(later.entering)
        entered = {
            old: None for old, made in pairs if made in leaving.values() or old in later.keeps
        }
        each = {*later.leaves, *(made for old, made in pairs if old in later.keeps)}
        if not each:
            return
        before = self._before(each, iterations.index)
        beside = [_read(value) for value in first.leaves if value not in entered]
        pile = self._connect(beside, inside, before - _bytes(entered), later.begin)
        left = [*leaving]
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

    def _handed_over(
        self, left: Iterable[Cases], index: Symbol, last: Expr, inside: Location, start: int
    ) -> list[Cases]:
        """Return what a growing iteration leaves, as large as after the one of an index.

        What was made before the event of a number is handed on as it is.
        """
        made: dict[Cases, Cases] = {}
        for cases in left:
            size = at_iteration(cases[0].bytes, index, last)
            inner = _value(cases).maker >= start
            made[cases] = _read(self._connect([cases], inside, size)) if inner else cases
        return [made[cases] for cases in left]

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
    entering: list[Cases]
    results: list[Cases]
    leaves: tuple[StoredTensor, ...]  # made in it, and leave the network
    keeps: Container[
        StoredTensor
    ]  # of what enters it, what is made in the one before, and leaves it
    is_chained: bool  # its results enter the next one

    @property
    def is_alike(self) -> bool:
        """Return whether what enters the next iteration is as large as what enters this one."""
        pairs = zip(self.entering, self.results, strict=True)
        same = all(_value(one).bytes == _value(other).bytes for one, other in pairs)
        return same or not self.is_chained

    def handed(self, others: Iterable[Cases]) -> list[tuple[StoredTensor, StoredTensor]]:
        """Return others than its results beside them, if these enter the next iteration."""
        pairs = zip(others, self.results, strict=True) if self.is_chained else ()
        return [(_value(other), _value(result)) for other, result in pairs]


def _has_sides(group: GroupCost) -> bool:
    """Return whether something leaves the network in every iteration of a repeat."""
    inner = (part for part in group.parts if isinstance(part, GroupCost))
    return bool(group.flow and group.flow.sides) or any(map(_has_sides, inner))

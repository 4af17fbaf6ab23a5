"""The layers of a network at work, in order, with the tensors that each reads and makes.

One trace serves inference and training. A tensor is one `StoredTensor` in all layers that read it;
a view is a reference to the tensor that it shows. Of a repeat a few iterations stand for all: the
tracer of `liveness` takes two and connects them; that of training, here, takes three. What leaves a
repeat is what its last iteration makes, or, where there may be none, what entered it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sympy import Expr, S

from archspec.precision import TYPES
from archspec.trees import Tensor
from costmodel.algebra.sums import Iterations, each_by_each, no_closed_form
from costmodel.algebra.work import charge
from costmodel.metrics.fusion import kernel_of
from costmodel.metrics.iterations import Iteration, IterationKind, distinguished
from costmodel.network.context import Context
from costmodel.network.precision import in_bytes
from costmodel.network.propagation import GroupCost, LayerCost, Part
from costmodel.rules.base import elements
from costmodel.rules.cost import Output


@dataclass(frozen=True, eq=False)
class CheckpointBlock:
    """The outermost group that holds no repeat: checkpointing makes it again as a whole."""

    path: str
    within: tuple[Iteration, ...]


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor that takes memory of its own, in the iterations that are told apart.

    Attributes:
        path: of the layer that makes it, or the name of a network's input.
        what: which of the layer's outputs.
        layer: the layer that makes it; None of an input.
        size: its elements.
        bytes: its bytes.
        maker: the number of the event that makes it; -1 of an input.
        is_learned: whether its gradient is wanted: something learned lies before it.
        within: the iterations that it is made in, the innermost last.
        block: the block that it is made in, if any.
        is_inner: whether it never leaves the kernel of a fused group, so that it is in no memory.
    """

    path: str
    what: str
    layer: LayerCost | None
    size: Expr
    bytes: Expr
    maker: int = -1
    is_learned: bool = False
    within: tuple[Iteration, ...] = ()
    block: CheckpointBlock | None = None
    is_inner: bool = False

    @property
    def is_activation(self) -> bool:
        """Return whether it is no parameter, which is in memory anyway."""
        return self.layer is None or self.layer.cost.output is not Output.PARAMETER


class Case(NamedTuple):
    """A value that a tensor may be.

    Attributes:
        value: the value.
        where: 1 where the tensor is this value, else 0.
        maker: the number of the event that gives the reference: the value's own, or a view's.
        is_part: whether a view shows some of the value's elements only.
        shown: the bytes of the elements that a view shows; None of the value itself.
    """

    value: StoredTensor
    where: Expr = S.One
    maker: int = -1
    is_part: bool = False
    shown: Expr | None = None

    @property
    def bytes(self) -> Expr:
        """The bytes of the tensor, in the value's memory or a part of it."""
        return self.value.bytes if self.shown is None else self.shown


Cases = tuple[Case, ...]
"""A tensor: one value, or of several the one whose ``where`` is 1."""


class Event(NamedTuple):
    """A layer at work, or what connects iterations, which has no layer.

    Attributes:
        number: tells it from others, in whatever order they are.
        layer: the layer.
        reads: the tensors that enter.
        makes: the tensors that leave.
        within: the iterations that it is in, the innermost last.
        inside: the bytes of the feature maps inside the layer that are in memory while it works.
        reuses: the values in whose memory a layer in place may write what it makes.
        block: the block that it is in, if any.
        kernel: the path of the fused group that it is in, if any.
    """

    number: int
    layer: LayerCost | None
    reads: tuple[Cases, ...]
    makes: tuple[Cases, ...]
    within: tuple[Iteration, ...]
    inside: tuple[Expr, ...] = ()
    reuses: tuple[StoredTensor, ...] = ()
    block: CheckpointBlock | None = None
    kernel: str | None = None

    @property
    def values_read(self) -> list[StoredTensor]:
        """The values that it reads, each once."""
        return list(dict.fromkeys(case.value for cases in self.reads for case in cases))

    @property
    def values_made(self) -> list[StoredTensor]:
        """The values that it makes; none where it gives views."""
        made = (case.value for cases in self.makes for case in cases)
        return [value for value in made if value.maker == self.number]


def is_learned(cases: Cases) -> bool:
    """Return whether something learned lies before a tensor."""
    return any(case.value.is_learned for case in cases)


def learns(layer: LayerCost) -> bool:
    """Return whether a layer has parameters that are trained, shared ones included."""
    return layer.cost.trains()


CONTAINERS = ("repeat", "foreach")
"""Kinds of groups whose parts are iterations or rows."""


def holds_iterations(parts: Iterable[Part]) -> bool:
    """Return whether there is a repeat or a table of rows in some parts."""
    groups = [part for part in parts if isinstance(part, GroupCost)]
    return any(group.kind in CONTAINERS or holds_iterations(group.parts) for group in groups)


class Location(NamedTuple):
    """The place in the network: iterations, with a name that tells them apart, and the block."""

    tag: str = ""
    within: tuple[Iteration, ...] = ()
    block: CheckpointBlock | None = None

    def inside(self, group: GroupCost, unit: str | None = None) -> "Location":
        """Return the place inside a group, which may be a block: of a kind, where that is given."""
        if unit is not None:
            return self.block_of(group.path) if group.kind == unit else self
        if self.block or group.kind in CONTAINERS or holds_iterations(group.parts):
            return self
        return self.block_of(group.path)

    def block_of(self, path: str) -> "Location":
        """Return the place in a block of a path, or in the one around it."""
        return self._replace(block=self.block or CheckpointBlock(path, self.within))

    def iteration(
        self, group: GroupCost, iteration: Iteration, unit: str | None = None
    ) -> "Location":
        """Return the place in an iteration of a group, which may be a block."""
        tag = f"{iteration.repeat}:{iteration.which.name}"
        here = Location(tag, (*self.within, iteration), self.block)
        if unit is not None:
            return here.block_of(group.path) if group.kind == unit else here
        if here.block or holds_iterations(group.parts):
            return here
        return here.block_of(group.path)


STEPS_OF_EVENT = 5
"""The cost of a layer in the budget of work; one in k repeats is met 2^k or 3^k times."""

Scope = dict[Tensor, Cases]
"""The tensors that are known at a place."""


class Tracer:
    """The layers met so far, in order; how repeats are traced is left to two subclasses.

    Attributes:
        context: the types of all tensors.
        events: the layers at work.
        unit: the kind of layer, or of group, that is a block; None where it is the usual one.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.events: list[Event] = []
        setup = context.scenario.training
        self.unit = None if setup is None else setup.unit
        self._homes: dict[
            StoredTensor, tuple[StoredTensor, ...]
        ] = {}  # of what is in no memory: what it is made in

    def entering(self) -> Scope:
        """Return the network's inputs."""
        scope: Scope = {}
        for name, shape in self.context.network.propagation.inputs.items():
            tensor, size = Tensor(name), elements(shape)
            value = StoredTensor(
                tensor.label, "input", None, size, self.context.bytes_of(tensor, size)
            )
            scope[tensor] = (Case(value),)
        return scope

    def parts(self, parts: Iterable[Part], scope: Scope, here: Location) -> None:
        """Trace some parts; ``scope`` has the tensors that are known, and learns new ones."""
        for part in parts:
            if isinstance(part, LayerCost):
                self._layer(part, scope, here)
            elif part.flow is not None and part.flow.is_loop:
                self.repeat(part, scope, here)
            else:
                begin = len(self.events)
                self.parts(part.parts, scope, here.inside(part, self.unit))
                if part.kind == "fused":
                    self.fused(begin)
                for each in part.flow.carried if part.flow is not None else ():
                    scope[each.output] = scope[each.result]

    def repeat(self, group: GroupCost, scope: Scope, here: Location) -> None:
        """Trace a repeat, or the experts of which some work."""
        raise NotImplementedError

    def fused(self, begin: int) -> None:
        """Join the layers of a fused group, which are the events from a number on."""

    def _layer(self, layer: LayerCost, scope: Scope, here: Location) -> None:
        charge(STEPS_OF_EVENT, layer.node)
        if self.unit == layer.node.kind:
            here = here.block_of(layer.node.path)
        reads = tuple(scope[tensor] for tensor in layer.reads)
        dtype = self.context.types_of(layer).activations
        fits = [TYPES[self.context.type_of(entering)] == TYPES[dtype] for entering in layer.reads]
        alike = [i for i in layer.cost.sharing(layer.inputs, layer.output) if fits[i]]
        is_view = layer.cost.output is Output.VIEW and bool(alike)
        makes = tuple(self._shown(layer, reads[0]) if is_view else self._made(layer, reads, here))
        free = (case.value for i in alike for case in reads[i] if not case.is_part)
        homes = (home for value in free for home in self._homes.get(value, (value,)))
        reuses = tuple(home for home in homes if home.is_activation)
        scope.update(zip(layer.made, makes, strict=True))
        kernel = kernel_of(layer, self.context)
        held = () if kernel is not None else self.context.inside(layer)
        inside = tuple(in_bytes(inner.size, dtype) for inner in held)
        number = len(self.events)
        event = Event(number, layer, reads, makes, here.within, inside, reuses, here.block)
        self.events.append(event if kernel is None else event._replace(kernel=kernel.path))
        self._homes |= {value: reuses for value in event.values_made if value.is_inner}

    def _shown(self, layer: LayerCost, cases: Cases) -> Iterable[Cases]:
        """Yield what views show: the values that enter."""
        number = len(self.events)
        for tensor, shape in zip(layer.made, layer.outputs, strict=True):
            shown = self.context.bytes_of(tensor, elements(shape))
            yield tuple(
                Case(value, where, number, is_part or layer.cost.is_part, shown)
                for value, where, _, is_part, _ in cases
            )

    def _made(self, layer: LayerCost, reads: tuple[Cases, ...], here: Location) -> Iterable[Cases]:
        """Yield the new values that leave a layer."""
        wanted, number = learns(layer) or any(map(is_learned, reads)), len(self.events)
        kernel = kernel_of(layer, self.context)
        is_stored = layer.cost.output is not Output.PARAMETER
        for i, (tensor, shape) in enumerate(zip(layer.made, layer.outputs, strict=True)):
            what, size = f"output {i}" if len(layer.outputs) > 1 else "output", elements(shape)
            inner = kernel is not None and kernel.is_inner(tensor)
            taken = self.context.bytes_of(tensor, size) if is_stored and not inner else S.Zero
            path, (_, within, block) = layer.node.path, here
            value = StoredTensor(
                path, what, layer, size, taken, number, wanted, within, block, inner
            )
            yield (Case(value, maker=number),)


class Trace(NamedTuple):
    """The layers at work, three iterations of every repeat, and what leaves the network."""

    events: list[Event]
    outputs: tuple[Cases, ...]


def walk(context: Context) -> Trace:
    """Return a network at work, as a backward pass sees it."""
    tracer, scope = _Training(context), Scope()
    scope.update(tracer.entering())
    tracer.parts(context.network.propagation.parts, scope, Location())
    graph = context.network.graph
    ends = (tensor for tensor in (graph.output, *graph.sides) if tensor in scope)
    return Trace(tracer.events, tuple(scope[tensor] for tensor in ends))


class _Training(Tracer):
    """The layers met so far; a tensor that leaves a repeat may be one of several values."""

    def repeat(self, group: GroupCost, scope: Scope, here: Location) -> None:
        """Trace iterations that are told apart, each fed by the one before; experts are alike."""
        flow = group.flow
        assert flow is not None
        index = None if group.iteration is None else Iterations(group.iteration, group.runs)
        kinds = distinguished(group.runs) if flow.chosen_by is None else (IterationKind.ALIKE,)
        states = [[scope[each.source] for each in flow.carried]]
        for which in kinds:
            iteration = Iteration(f"{here.tag}/{group.path}", which, group.runs, index)
            inside = here.iteration(group, iteration, self.unit)
            entering, begin = zip(flow.carried, states[-1], strict=True), len(self.events)
            inner = {**scope, **{each.entry: cases for each, cases in entering}}
            self.parts(group.parts, inner, inside)
            states.append([inner[each.result] for each in flow.carried])
            if flow.chosen_by is None:
                require_own_places(group, states[-2], states[-1], begin)
            scope.update({t: cases for t, cases in inner.items() if t not in scope})
        _require_one_state(group, states)
        for each, source, last in zip(flow.carried, states[0], states[-1], strict=True):
            left = _left(source, last, iteration) if kinds else source
            if flow.chosen_by is not None:
                left = self._weighed(group, (last, scope[flow.chosen_by]), here, inside)
            scope[each.output] = left

    def _weighed(
        self, group: GroupCost, reads: tuple[Cases, Cases], here: Location, inside: Location
    ) -> Cases:
        """Return the sum of what experts make, each times its weight: a product of two."""
        maker, number, size = reads[0][0].value.layer, len(self.events), elements(group.output)
        taken = self.context.bytes_of(Tensor(group.path), size)
        _, within, block = here
        wanted = any(map(is_learned, reads))
        made = StoredTensor(group.path, "output", maker, size, taken, number, wanted, within, block)
        makes = (Case(made, maker=number),)
        self.events.append(Event(number, None, reads, (makes,), inside.within, block=inside.block))
        return makes


def require_own_places(
    group: GroupCost, entering: Sequence[Cases], left: Sequence[Cases], begin: int
) -> None:
    """Make sure that later iterations are alike: each makes anew what it does not hand on as it is.

    Args:
        group: the repeat.
        entering: what enters an iteration.
        left: what leaves it.
        begin: the number of its first event.

    Raises:
        NoClosedFormError: one hands on what was made before in another place.
    """
    for own, cases in zip(entering, left, strict=True):
        entered = {case.value for case in own}
        if any(case.value.maker < begin and case.value not in entered for case in cases):
            raise no_closed_form("what is in memory", group)


def _require_one_state(group: GroupCost, states: Sequence[Sequence[Cases]]) -> None:
    """Make sure that the same gradients are wanted in all iterations of which there are several.

    Raises:
        NoClosedFormError: something learned comes to a tensor in a later iteration only.
    """
    several = len(states[0]) > 1 and not group.runs.is_Integer
    if several and len({tuple(map(is_learned, state)) for state in states}) > 1:
        raise no_closed_form("what is kept for the backward pass", group)


def _left(source: Cases, last: Cases, iteration: Iteration) -> Cases:
    """Return what the last iteration of a repeat makes, or where there is none, what enters."""
    none = 1 - iteration.happens
    if none is S.Zero or last == source:
        return last
    entered = (case._replace(where=each_by_each(none, case.where)) for case in source)
    return (*last, *entered)

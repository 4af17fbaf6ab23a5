"""The layers of a network in order, each with the values that enter it and the one it makes.

A view is the value that it is a view of; a layer in place makes a new one. What leaves a repeat is
what its last turn makes, or, where there may be no turn, what entered it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sympy import Expr, S

from archspec.trees import Tensor
from costmodel.algebra.sums import Turns, each_by_each
from costmodel.algebra.work import charge
from costmodel.metrics.turns import Turn, Which, told_apart
from costmodel.network.propagation import GroupCost, LayerCost, Part
from costmodel.rules.backward import Backward
from costmodel.rules.base import elements
from costmodel.rules.cost import Output


@dataclass(frozen=True, eq=False)
class Block:
    """What is made again as a whole: the outermost group that holds no repeat.

    Attributes:
        path: of the group.
        within: the turns that it is in.
    """

    path: str
    within: tuple[Turn, ...]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor as it is worked out once, whatever views there are of it.

    Attributes:
        path: of the layer that makes it, or the name of a network's input.
        what: which of the layer's outputs.
        layer: what makes it; None of an input.
        size: its elements.
        is_learned: whether its gradient is wanted: something learned lies before it.
        within: the turns that it is made in, the innermost last.
        block: the block that it is made in, if any.
    """

    path: str
    what: str
    layer: LayerCost | None
    size: Expr
    is_learned: bool
    within: tuple[Turn, ...] = ()
    block: Block | None = None

    @property
    def is_activation(self) -> bool:
        """Whether it is no parameter, which is in memory anyway."""
        return self.layer is None or self.layer.cost.output is not Output.PARAMETER


class Case(NamedTuple):
    """A value that a tensor may be, and where it is that: 1 or 0."""

    value: Value
    where: Expr = S.One


Cases = tuple[Case, ...]
"""What a tensor is: one value, or of several the one whose ``where`` is 1."""


class Event(NamedTuple):
    """A layer at work, or the experts' sum, which has no layer.

    Attributes:
        layer: it.
        reads: what enters.
        makes: what leaves, the first where there are several.
        within: the turns that it is in.
        block: the block that it is in, if any.
    """

    layer: LayerCost | None
    reads: tuple[Cases, ...]
    makes: Cases
    within: tuple[Turn, ...]
    block: Block | None

    def wants(self, number: int) -> bool:
        """Whether the gradient of an input is wanted."""
        return is_learned(self.reads[number])

    @property
    def takes_part(self) -> bool:
        """Whether a gradient goes through it, or ends in it."""
        return (self.layer is not None and learns(self.layer)) or any(map(is_learned, self.reads))

    @property
    def backward(self) -> Backward:
        """What it keeps.

        Raises:
            SpecError: its kind does not say it.
        """
        assert self.layer is not None
        if self.layer.backward is None:
            cause = f"the kind '{self.layer.node.kind}' says not what it keeps for training"
            raise self.layer.node.error(cause, hint="it needs a backward rule beside its cost rule")
        return self.layer.backward


def is_learned(cases: Cases) -> bool:
    """Whether something learned lies before a tensor."""
    return any(case.value.is_learned for case in cases)


def learns(layer: LayerCost) -> bool:
    """Whether a layer has learnable parameters, shared ones included."""
    return bool(layer.cost.parameters) or layer.node.tied is not None


def walk(parts: Iterable[Part], inputs: Mapping[Tensor, Expr]) -> list[Event]:
    """Every layer at work in order, three turns of every repeat.

    Args:
        parts: the tree of the network.
        inputs: its inputs with their elements.
    """
    walked = _Walk()
    scope: dict[Tensor, Cases] = {
        tensor: (Case(Value(tensor.label, "input", None, size, is_learned=False)),)
        for tensor, size in inputs.items()
    }
    walked.parts(parts, scope, _Here("", (), None))
    return walked.events


STEPS_OF_EVENT = 5
"""What a layer at work takes of the budget; one in k repeats is met 3^k times."""

CONTAINERS = ("repeat", "foreach")
"""Kinds of groups whose parts are turns or rows."""


def holds_turns(parts: Iterable[Part]) -> bool:
    """Whether there is a repeat or a table of rows in some parts."""
    groups = [part for part in parts if isinstance(part, GroupCost)]
    return any(group.kind in CONTAINERS or holds_turns(group.parts) for group in groups)


class _Here(NamedTuple):
    """Where the walk is: in which turns, by a name of their own, and in which block."""

    tag: str
    within: tuple[Turn, ...]
    block: Block | None

    def inside(self, group: GroupCost) -> "_Here":
        """In a group, which may be a block."""
        if self.block or group.kind in CONTAINERS or holds_turns(group.parts):
            return self
        return self._replace(block=Block(group.path, self.within))

    def turn(self, group: GroupCost, turn: Turn) -> "_Here":
        """In a turn of a group, which may be a block."""
        here = _Here(f"{turn.repeat}:{turn.which.name}", (*self.within, turn), self.block)
        if here.block or holds_turns(group.parts):
            return here
        return here._replace(block=Block(group.path, here.within))


class _Walk:
    """The layers met so far."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def parts(self, parts: Iterable[Part], scope: dict[Tensor, Cases], here: _Here) -> None:
        """Some parts; ``scope`` says what each tensor is here, and learns what they make."""
        for part in parts:
            if isinstance(part, LayerCost):
                self._layer(part, scope, here)
            elif part.flow is not None and part.flow.entry is not None:
                self._turns(part, scope, here)
            else:
                self.parts(part.parts, scope, here.inside(part))
                if part.flow is not None:
                    scope[Tensor(part.path)] = scope[part.flow.result]

    def _layer(self, layer: LayerCost, scope: dict[Tensor, Cases], here: _Here) -> None:
        charge(STEPS_OF_EVENT, layer.node)
        reads = tuple(scope[tensor] for tensor in layer.reads)
        made = tuple(_made(layer, reads, here))
        for i, cases in enumerate(made):
            scope[Tensor(layer.node.path, i if len(made) > 1 else None)] = cases
        self.events.append(Event(layer, reads, made[0], here.within, here.block))

    def _turns(self, group: GroupCost, scope: dict[Tensor, Cases], here: _Here) -> None:
        """The turns that are told apart, each fed by the one before; experts are all alike."""
        flow = group.flow
        assert flow is not None
        assert flow.entry is not None
        index = None if group.turn is None else Turns(group.turn, group.runs)
        kinds = told_apart(group.runs) if flow.chosen_by is None else (Which.ALIKE,)
        source = entering = scope[flow.source]
        for which in kinds:
            turn = Turn(f"{here.tag}/{group.path}", which, group.runs, index)
            inside = here.turn(group, turn)
            inner = {**scope, flow.entry: entering}
            self.parts(group.parts, inner, inside)
            entering = inner[flow.result]
            scope.update({t: cases for t, cases in inner.items() if t not in scope})
        left = _left(source, entering, turn) if kinds else source
        if flow.chosen_by is not None:
            left = self._weighed(group, (entering, scope[flow.chosen_by]), here, inside)
        scope[Tensor(group.path)] = left

    def _weighed(
        self, group: GroupCost, reads: tuple[Cases, Cases], here: _Here, inside: _Here
    ) -> Cases:
        """The sum of what experts make, each times what the router says: a product of two."""
        maker = reads[0][0].value.layer
        size = elements(group.output)
        made = Value(group.path, "output", maker, size, True, here.within, here.block)
        self.events.append(Event(None, reads, (Case(made),), inside.within, inside.block))
        return (Case(made),)


def _left(source: Cases, last: Cases, turn: Turn) -> Cases:
    """What leaves a repeat: what its last turn makes, or where there is none, what entered."""
    none = 1 - turn.happens
    if none is S.Zero or last == source:
        return last
    return (*last, *(Case(value, each_by_each(none, where)) for value, where in source))


def _made(layer: LayerCost, reads: tuple[Cases, ...], here: _Here) -> Iterator[Cases]:
    """The values that leave a layer."""
    wanted = learns(layer) or any(map(is_learned, reads))
    for i, shape in enumerate(layer.outputs):
        if layer.cost.output is Output.VIEW and reads:
            yield reads[0]
            continue
        what = f"output {i}" if len(layer.outputs) > 1 else "output"
        size = elements(shape)
        yield (Case(Value(layer.node.path, what, layer, size, wanted, here.within, here.block)),)

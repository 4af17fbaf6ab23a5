"""What is kept from the forward pass until the backward pass: every value once, whoever asks.

With checkpoints a block keeps what enters it from outside and is made again, so that beside what
is kept the most that one of them makes again is in memory, too. Source: Chen et al., 2016;
Korthikanti et al., 2022, section 5 (selective recomputation).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sympy import Add, Expr, Mul, S

from costmodel.algebra.sums import each_by_each
from costmodel.metrics.turns import Turn, Which, largest, summed
from costmodel.metrics.walk import Block, Case, Event, Value
from costmodel.network.propagation import LayerCost
from costmodel.rules.backward import Inside
from costmodel.scenario.training import Checkpoint


class Held(NamedTuple):
    """A tensor that is kept.

    Attributes:
        path: the layer that makes it, or the name of a network's input.
        what: ``output``, ``mask``, ``scores``; ``input`` of a network's.
        layer: what makes it; None of a network's input.
        size: its elements in one turn.
        bits: of each element; None where they have the type of the layer's activations.
        share: 1, or where it is kept in some networks only, 1 there and 0 elsewhere.
        within: the turns that it is made in.
    """

    path: str
    what: str
    layer: LayerCost | None
    size: Expr
    bits: Expr | int | None
    share: Expr
    within: tuple[Turn, ...]


Measure = Callable[[Held], Expr]
"""What is counted of a tensor in one turn: its elements, or its bytes."""


def elements_of(held: Held) -> Expr:
    """Its elements in one turn."""
    return held.size


class Again(NamedTuple):
    """What is made again together.

    Attributes:
        path: of the block or the layer.
        held: what it makes again and then keeps.
        within: the turns that it is in.
    """

    path: str
    held: tuple[Held, ...]
    within: tuple[Turn, ...]


class Kept(NamedTuple):
    """What is in memory between the passes, and while something is made again.

    Attributes:
        held: what is kept.
        again: what is made again, one after the other.
    """

    held: tuple[Held, ...]
    again: tuple[Again, ...]

    def total(self, measure: Measure = elements_of) -> Expr:
        """A count of all that is kept."""
        return Add(*(over_turns(held, measure) for held in self.held))

    def most_again(self, measure: Measure = elements_of) -> list[Expr]:
        """Counts of what is made again, of which the largest is in memory beside what is kept."""
        return [largest(size, within) for size, within in _distinct(self.again, measure)]


def over_turns(held: Held, measure: Measure) -> Expr:
    """A count of a tensor, over all turns."""
    return summed(each_by_each(held.share, measure(held)), held.within)


def kept(events: Iterable[Event], checkpoint: Checkpoint = Checkpoint.NONE) -> Kept:
    """What is kept of a network's layers at work.

    Raises:
        SpecError: a kind does not say what it keeps.
    """
    if checkpoint is Checkpoint.BLOCKS:
        return _by_blocks(list(events))
    worked = [event for event in events if event.takes_part]
    asked = _Asked()
    for event in worked:
        asked.by(event)
    whole = checkpoint is Checkpoint.NONE
    inside = (held for event in worked for held in _inside(event, asked, with_core=whole))
    return Kept((*asked.held, *inside), () if whole else tuple(_cores(worked)))


def _by_blocks(events: list[Event]) -> Kept:
    """What enters blocks, and what is kept outside of them; what each block makes again."""
    outside = [event for event in events if event.block is None and event.takes_part]
    blocks = _blocks(events)
    asked = _Asked()
    for event in outside:
        asked.by(event)
    for block, inside in blocks.items():
        for event in inside:
            asked.entering(event, block)
    made = (held for event in outside for held in _inside(event, asked))
    again = (_made_again(block, inside, asked) for block, inside in blocks.items())
    return Kept((*asked.held, *made), tuple(again))


def _blocks(events: Iterable[Event]) -> dict[Block, list[Event]]:
    """The blocks that keep something, each with its layers."""
    found: dict[Block, list[Event]] = defaultdict(list)
    for event in events:
        if event.block is not None:
            found[event.block].append(event)
    return {block: inside for block, inside in found.items() if any(map(keeps, inside))}


def keeps(event: Event) -> bool:
    """Whether a layer keeps anything."""
    return event.takes_part and any(True for part in (_asks, _wanted) for _ in part(event))


def _made_again(block: Block, events: Iterable[Event], kept_anyway: "_Asked") -> Again:
    """What a block keeps beside what is kept anyway."""
    own = _Asked(kept_anyway)
    worked = [event for event in events if event.takes_part]
    for event in worked:
        own.by(event)
    inside = (held for event in worked for held in _inside(event, own))
    depth = len(block.within)
    held = (held._replace(within=held.within[depth:]) for held in (*own.held, *inside))
    return Again(block.path, tuple(held), block.within)


def _asks(event: Event) -> Iterator[Case]:
    """What a layer keeps of what enters and leaves it."""
    if event.layer is None:  # of the experts' sum each factor, for the gradients of the others
        yield from (case for cases in event.reads for case in cases)
        return
    for number, asked_by in event.backward.inputs:
        if asked_by is None or any(map(event.wants, asked_by)):
            yield from event.reads[number]
    if event.backward.output:
        yield from event.makes


def _wanted(event: Event) -> Iterator[Inside]:
    """What a layer keeps of what is made inside it."""
    for inside in event.backward.inside if event.layer else ():
        if inside.asked_by is None or any(map(event.wants, inside.asked_by)):
            yield inside


def _inside(event: Event, asked: "_Asked", *, with_core: bool = True) -> Iterator[Held]:
    """What is kept of what is made inside a layer, but for what its kept output says, too."""
    for inside in _wanted(event):
        share = 1 - asked.share(event.makes[0].value) if inside.follows else S.One
        if share != 0 and (with_core or not inside.is_core):
            yield _held_inside(event, inside)._replace(share=share)


def _held_inside(event: Event, inside: Inside) -> Held:
    assert event.layer is not None
    path = event.layer.node.path
    return Held(path, inside.name, event.layer, inside.size, inside.bits, S.One, event.within)


def _cores(worked: Iterable[Event]) -> Iterator[Again]:
    """The core of every attention: it is made again as a whole."""
    for event in worked:
        core = [_held_inside(event, inside) for inside in _wanted(event) if inside.is_core]
        if core:
            again = tuple(held._replace(within=()) for held in core)
            yield Again(core[0].path, again, event.within)


class _Asked:
    """The values that are asked for, and where: in all networks, or in those of some turns.

    Attributes:
        before: what is kept anyway.
    """

    def __init__(self, before: "_Asked | None" = None) -> None:
        self.before = before
        self._where: dict[Value, dict[Expr, None]] = defaultdict(dict)

    def by(self, event: Event) -> None:
        """What a layer asks for."""
        for case in _asks(event):
            self._note(event, case)

    def entering(self, event: Event, block: Block) -> None:
        """What a layer reads that is made outside its block."""
        for case in (case for cases in event.reads for case in cases):
            if case.value.block is not block:
                self._note(event, case)

    def _note(self, event: Event, case: Case) -> None:
        """In turns that may not happen a value is asked for only where they do."""
        value, where = case
        shared = {turn.repeat for turn in value.within}
        others = (turn.happens for turn in event.within if turn.repeat not in shared)
        self._where[value][Mul(where, *others)] = None

    def share(self, value: Value) -> Expr:
        """1 where a value is kept, else 0."""
        before = self.before.share(value) if self.before else S.Zero
        own = either(self._where.get(value, ()))
        return either(where for where in (own, before) if where != 0)

    @property
    def held(self) -> Iterator[Held]:
        """The values that are kept, each once."""
        for value, wheres in self._where.items():
            share = either(wheres)
            if self.before is not None:
                share *= 1 - self.before.share(value)
            if share != 0 and value.is_activation:
                path, what, layer, size = value.path, value.what, value.layer, value.size
                yield Held(path, what, layer, size, None, share, value.within)


def either(wheres: Iterable[Expr]) -> Expr:
    """1 where one of some numbers is 1, which are 1 or 0: ``1 − Π(1 − x)``."""
    given = set(wheres)
    if S.One in given or Add(*given) == 1:
        return S.One
    return 1 - Mul(*(1 - where for where in given))


def _distinct(again: Iterable[Again], measure: Measure) -> Iterator[tuple[Expr, tuple[Turn, ...]]]:
    """Each block with its count and its turns; those of all turns at once, where it is the same."""
    by_path: dict[str, dict[tuple[Turn, ...], Expr]] = defaultdict(dict)
    for path, held, within in again:
        by_path[path][within] = Add(*(over_turns(each, measure) for each in held))
    for sizes in by_path.values():
        firsts = any(all(turn.which is Which.FIRST for turn in within) for within in sizes)
        if firsts and len(set(sizes.values())) == 1:
            within, size = next(iter(sizes.items()))
            yield size, tuple(turn._replace(which=Which.ALIKE) for turn in within)
        else:
            yield from ((size, within) for within, size in sizes.items())

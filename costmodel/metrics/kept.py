"""The tensors that are kept from the forward to the backward pass: each once, whoever needs it.

With checkpoints a block keeps what enters it from outside and is made again, so that beside what
is kept the most that one of them makes again is in memory, too. Source: Chen et al., 2016;
Korthikanti et al., 2022, section 5 (selective recomputation).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from sympy import Add, Expr, Mul, S

from costmodel.algebra.sums import each_by_each
from costmodel.metrics.iterations import THREE, Iteration, IterationKind, largest, summed
from costmodel.metrics.trace import Case, CheckpointBlock, Event, StoredTensor, is_learned, learns
from costmodel.network.propagation import LayerCost
from costmodel.rules.backward import WEIGHTS, Backward, KeptIntermediate, factors
from costmodel.rules.cost import Role
from costmodel.scenario.training import Checkpoint


class KeptTensor(NamedTuple):
    """A tensor that is kept for the backward pass.

    Attributes:
        path: the layer that makes it, or the name of a network's input.
        what: ``output``, ``mask``, ``scores``; ``input`` of a network's.
        layer: what makes it; None of a network's input.
        size: its elements in one iteration.
        bits: of each element; None where they have the type of the layer's activations.
        share: 1, or where it is kept in some networks only, 1 there and 0 elsewhere.
        within: the iterations that it is made in.
    """

    path: str
    what: str
    layer: LayerCost | None
    size: Expr
    bits: Expr | int | None
    share: Expr
    within: tuple[Iteration, ...]


Measure = Callable[[KeptTensor], Expr]
"""A function that counts a tensor in one iteration: its elements, or its bytes."""


def elements_of(held: KeptTensor) -> Expr:
    """Return the elements of a tensor in one iteration."""
    return held.size


class Recomputation(NamedTuple):
    """The tensors that a block, or a layer, makes again together in the iterations it is in."""

    path: str
    held: tuple[KeptTensor, ...]
    within: tuple[Iteration, ...]


class KeptTensors(NamedTuple):
    """The tensors in memory between the passes, and those that are made again one by one."""

    held: tuple[KeptTensor, ...]
    again: tuple[Recomputation, ...]

    def total(self, measure: Measure = elements_of) -> Expr:
        """Return a count of all that is kept."""
        return Add(*(over_iterations(held, measure) for held in self.held))

    def most_again(self, measure: Measure = elements_of) -> list[Expr]:
        """Return counts of what is made again; the largest is in memory beside what is kept."""
        return [largest(size, within) for size, within in _distinct(self.again, measure)]


def over_iterations(held: KeptTensor, measure: Measure) -> Expr:
    """Return a count of a tensor, over all iterations."""
    return summed(each_by_each(held.share, measure(held)), held.within)


def kept(events: Iterable[Event], checkpoint: Checkpoint = Checkpoint.NONE) -> KeptTensors:
    """Return what is kept of a network's layers at work.

    With checkpointed blocks this is what enters a block, and what is kept outside of all.

    Raises:
        SpecError: a kind does not say what it keeps.
    """
    events, by_blocks = list(events), checkpoint is Checkpoint.BLOCKS
    outside = [e for e in events if takes_part(e) and not (by_blocks and e.block is not None)]
    blocks = _blocks(events) if by_blocks else {}
    requested = _Requested()
    requested.by(outside)
    for block, inside in blocks.items():
        for event in inside:
            requested.entering(event, block)
    with_core = checkpoint is not Checkpoint.ATTENTION
    made = (held for event in outside for held in _inside(event, requested, with_core=with_core))
    again = [_made_again(block, inside, requested) for block, inside in blocks.items()]
    return KeptTensors((*requested.held, *made), tuple(again if with_core else _cores(outside)))


def takes_part(event: Event) -> bool:
    """Return whether a gradient goes through a layer, or ends in it."""
    return (event.layer is not None and learns(event.layer)) or any(map(is_learned, event.reads))


def backward_of(event: Event) -> Backward:
    """Return what a layer says that it keeps; of experts' sum each factor, as of any product.

    Raises:
        SpecError: its kind does not say it.
    """
    if event.layer is None:
        return factors(len(event.reads))
    if event.layer.backward is None:
        cause = f"the kind '{event.layer.node.kind}' says not what it keeps for training"
        raise event.layer.node.error(cause, hint="it needs a backward rule beside its cost rule")
    return event.layer.backward


def _blocks(events: Iterable[Event]) -> dict[CheckpointBlock, list[Event]]:
    """Return the blocks that keep something, each with its layers."""
    found: dict[CheckpointBlock, list[Event]] = defaultdict(list)
    for event in events:
        if event.block is not None:
            found[event.block].append(event)
    return {block: inside for block, inside in found.items() if any(map(keeps, inside))}


def keeps(event: Event) -> bool:
    """Return whether a layer keeps anything."""
    return takes_part(event) and any(
        True for part in (_kept_around, _kept_inside) for _ in part(event)
    )


def _made_again(
    block: CheckpointBlock, events: Iterable[Event], kept_anyway: "_Requested"
) -> Recomputation:
    """Return what a block keeps beside what is kept anyway."""
    own = _Requested(kept_anyway)
    worked = [event for event in events if takes_part(event)]
    own.by(worked)
    inside = (held for event in worked for held in _inside(event, own))
    depth = len(block.within)
    held = (held._replace(within=held.within[depth:]) for held in (*own.held, *inside))
    return Recomputation(block.path, tuple(held), block.within)


def _is_needed(event: Event, needed_by: Iterable[int] | None) -> bool:
    """Return whether one of the gradients that need something is wanted; None means any."""
    return needed_by is None or any(_is_wanted(event, number) for number in needed_by)


def _is_wanted(event: Event, number: int) -> bool:
    """Return whether the gradient of an input of a layer is wanted, or that of its weights."""
    if number == WEIGHTS:
        return event.layer is not None and event.layer.cost.trains(Role.WEIGHT)
    return is_learned(event.reads[number])


def _kept_around(event: Event) -> Iterator[Case]:
    """Yield what a layer keeps of what enters and leaves it."""
    backward = backward_of(event)
    for number, needed_by in backward.inputs:
        if _is_needed(event, needed_by):
            yield from event.reads[number]
    if backward.output:
        yield from event.makes[0]


def _kept_inside(event: Event) -> Iterator[KeptIntermediate]:
    """Yield the tensors made inside a layer that it keeps for its backward pass."""
    inside = backward_of(event).inside
    return (each for each in inside if _is_needed(event, each.needed_by))


def _needs(kernel: Iterable[Event]) -> tuple[list[tuple[Event, Case]], dict[int, Event]]:
    """Return what the layers of a kernel ask for from outside it, and those that work again.

    What they ask for inside is made again, from what its makers read, and so on outwards.
    """
    events = list(kernel)
    makers = {value: event for event in events for value in event.values_made if value.is_inner}
    again = {event.number: event for event in events if any(True for _ in _kept_inside(event))}
    pending = [(event, case) for event in events for case in _kept_around(event)]
    pending += [
        (event, case) for event in again.values() for cases in event.reads for case in cases
    ]
    needed: list[tuple[Event, Case]] = []
    while pending:
        event, case = pending.pop()
        maker = makers.get(case.value)
        if maker is None:
            needed.append((event, case))
        elif maker.number not in again:
            again[maker.number] = maker
            pending += [(maker, each) for cases in maker.reads for each in cases]
    return needed, again


def worked_again(events: Iterable[Event]) -> set[int]:
    """Return the numbers of the layers of kernels that work again in the backward pass."""
    kernels: dict[object, list[Event]] = defaultdict(list)
    for event in events:
        if event.kernel is not None and takes_part(event):
            kernels[event.kernel, event.within].append(event)
    return {number for inside in kernels.values() for number in _needs(inside)[1]}


def _inside(
    event: Event, requested: "_Requested", *, with_core: bool = True
) -> Iterator[KeptTensor]:
    """Yield what is kept of what is made inside a layer, but for what its kept output says."""
    if event.kernel is not None:
        return
    for inside in _kept_inside(event):
        share = 1 - requested.share(event.makes[0][0].value) if inside.follows else S.One
        if share != 0 and (with_core or not inside.is_core):
            yield _held_inside(event, inside)._replace(share=share)


def _held_inside(event: Event, inside: KeptIntermediate) -> KeptTensor:
    assert event.layer is not None
    path = event.layer.node.path
    return KeptTensor(path, inside.name, event.layer, inside.size, inside.bits, S.One, event.within)


def _cores(worked: Iterable[Event]) -> Iterator[Recomputation]:
    """Yield the core of every attention: it is made again as a whole."""
    for event in worked:
        core = [_held_inside(event, inside) for inside in _kept_inside(event) if inside.is_core]
        if core and event.kernel is None:
            again = tuple(held._replace(within=()) for held in core)
            yield Recomputation(core[0].path, again, event.within)


class _Requested:
    """The values that are asked for, and where: in all networks, or in those of some iterations."""

    def __init__(self, before: "_Requested | None" = None) -> None:
        self.before = before  # what is kept anyway
        # where, whichever iteration asks → where it does, if the first one does not
        self._where: dict[StoredTensor, dict[Expr, Expr]] = defaultdict(dict)

    def by(self, events: Iterable[Event]) -> None:
        """Note what layers ask for; those of a kernel together, for what is not inside it."""
        kernels: dict[object, list[Event]] = defaultdict(list)
        for event in events:
            if event.kernel is not None:
                kernels[event.kernel, event.within].append(event)
                continue
            for case in _kept_around(event):
                self._note(event, case)
        for inside in kernels.values():
            for event, case in _needs(inside)[0]:
                self._note(event, case)

    def entering(self, event: Event, block: CheckpointBlock) -> None:
        """Note what a layer reads that is made outside its block."""
        for case in (case for cases in event.reads for case in cases):
            if case.value.block is not block:
                self._note(event, case)

    def _note(self, event: Event, case: Case) -> None:
        """Note that a value is kept; in an iteration that may not happen, only where it does."""
        value, where = case.value, case.where
        shared = {iteration.repeat for iteration in value.within}
        others = [iteration for iteration in event.within if iteration.repeat not in shared]
        in_any = Mul(where, *(iteration.happens for iteration in others))
        wheres = self._where[value]
        if wheres.get(in_any) is not in_any:
            wheres[in_any] = Mul(where, *(iteration.occurs for iteration in others))

    def share(self, value: StoredTensor) -> Expr:
        """Return 1 where a value is kept, else 0."""
        before = self.before.share(value) if self.before else S.Zero
        own = either(self._where.get(value, {}).values())
        return either(where for where in (own, before) if where != 0)

    @property
    def held(self) -> Iterator[KeptTensor]:
        """The values that are kept, each once."""
        for value, wheres in self._where.items():
            share = either(wheres.values())
            if self.before is not None:
                share *= 1 - self.before.share(value)
            if share != 0 and value.is_activation:
                path, what, layer, size = value.path, value.what, value.layer, value.size
                yield KeptTensor(path, what, layer, size, None, share, value.within)


def either(wheres: Iterable[Expr]) -> Expr:
    """Return 1 where one of some numbers is 1, which are 1 or 0: ``1 − Π(1 − x)``."""
    given = set(wheres)
    if S.One in given or Add(*given) == 1:
        return S.One
    return 1 - Mul(*(1 - where for where in given))


Size = tuple[Expr, tuple[Iteration, ...]]
"""A count with the iterations that it is of."""


def _distinct(again: Iterable[Recomputation], measure: Measure) -> Iterator[Size]:
    """Yield each block with its count and iterations, at once where those are all the same."""
    by_path: dict[str, list[Size]] = defaultdict(list)
    for path, held, within in again:
        by_path[path].append((Add(*(over_iterations(each, measure) for each in held)), within))
    for sizes in by_path.values():
        firsts = any(all(one.which is IterationKind.FIRST for one in within) for _, within in sizes)
        if firsts and len({size for size, _ in sizes}) == 1:
            size, within = sizes[0]
            yield size, tuple(iteration._replace(which=IterationKind.ALIKE) for iteration in within)
        else:
            yield from _with_only_ones(sizes)


def _with_only_ones(sizes: Sequence[Size]) -> Iterator[Size]:
    """Yield sizes by iterations, and that of an iteration which is the first and the last in one.

    Its size differs from one between by as much as the first's and the last's together.
    """
    found = {tuple(one.which for one in within): (size, within) for size, within in sizes}
    for level in range(len(sizes[0][1])):
        siblings = defaultdict[tuple[IterationKind, ...], dict[IterationKind, Size]](dict)
        for kinds, each in found.items():
            siblings[kinds[:level] + kinds[level + 1 :]][kinds[level]] = each
        for kinds, by_kind in siblings.items():
            within = next(iter(by_kind.values()))[1]
            first, between, last = (by_kind.get(kind, (S.Zero, ()))[0] for kind in THREE)
            if last == between or not within[level].is_open:
                continue  # that of the first is its size, too
            kind = IterationKind.END if first == between else IterationKind.ONLY
            there = (*within[:level], within[level]._replace(which=kind), *within[level + 1 :])
            found[(*kinds[:level], kind, *kinds[level:])] = first + last - between, there
    yield from found.values()

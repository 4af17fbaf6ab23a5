"""Sums, products and joints whose branches begin at one tensor: residuals and parallels.

For each entry that merges, the fork is looked for: a tensor that all its inputs are made of. The
latest such tensor is taken from which every input is reached by entries that need nothing else and
that nobody else reads. These entries are the branches. Where no tensor is behind all inputs, an
input itself may be the fork, of which branches read what was made before it, too.
"""

from collections.abc import Iterator
from typing import NamedTuple

from archspec.importers.folding.drafts import Body, Item
from archspec.importers.folding.forms import Uses, after, as_module, made_in, names_of

MERGES = ("add", "mul", "concat")
FINER = ("upsample", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
"""Kinds on the way back up of a U; what is joined with it there is read better by name."""

MOST = 60
"""The most entries of a branch."""

MAX_NESTED = 8
"""The most composites, each inside the one before."""


class Fork(NamedTuple):
    """Branches from one tensor to the inputs of what merges them.

    Attributes:
        tensor: the tensor.
        branches: the positions of each branch's entries, in order.
    """

    tensor: str
    branches: tuple[tuple[int, ...], ...]


def merged(items: list[Item], uses: Uses, *, as_modules: bool) -> list[Item]:
    """Return some entries, with residuals and parallels for what forks and meets again.

    Args:
        items: the entries, in order.
        uses: who uses what in the network.
        as_modules: whether each is a module of its own, as where the source knows no modules.
    """
    done: list[Item] = []
    for item in items:
        fork = _fork(item, done, uses) if _can_merge(item) else None
        if fork is None:
            done.append(item)
            continue
        composite = _composite(item, fork, done)
        inside = {i for branch in fork.branches for i in branch}
        done = [each for i, each in enumerate(done) if i not in inside]
        body = Body((composite,), (fork.tensor,), composite.outputs[0])
        done.append(as_module(body, composite.kind.title()) if as_modules else composite)
    return done


def _can_merge(item: Item) -> bool:
    return item.kind in MERGES and len(item.inputs) > 1 and not item.bodies


def _fork(merge: Item, done: list[Item], uses: Uses) -> Fork | None:
    """Return where the inputs of an entry come from, if it is one tensor, as late as can be."""
    makers = {tensor: i for i, item in enumerate(done) for tensor in item.outputs}
    behind = [_behind(tensor, done, makers) for tensor in merge.inputs]
    origins = [tensors for tensors in behind if tensors is not None]
    common = set.intersection(*origins) if origins else set()
    for tensor in sorted(common, key=lambda t: (-makers.get(t, -1), t)):
        found = _branches(merge, tensor, done, makers, outer=False)
        if found and _is_closed(merge, found, done, uses):
            return found
    for tensor in dict.fromkeys(merge.inputs):
        found = _branches(merge, tensor, done, makers, outer=True)
        if found and _is_closed(merge, found, done, uses):
            return found
    return None


def _behind(tensor: str, done: list[Item], makers: dict[str, int]) -> set[str] | None:
    """Return a tensor and all that it is made of; None where it is made of nothing that enters."""
    found, ahead, is_free = {tensor}, [tensor], True
    while ahead:
        maker = makers.get(ahead.pop())
        if maker is None:
            is_free = False
            continue
        new = set(done[maker].inputs) - found
        found |= new
        ahead += new
    return None if is_free else found


def _branches(
    merge: Item, fork: str, done: list[Item], makers: dict[str, int], *, outer: bool
) -> Fork | None:
    """Return the entries between a tensor and each input of an entry, if they need nothing else.

    Args:
        merge: the entry.
        fork: the tensor.
        done: the entries before it.
        makers: tensor → the position of the entry that makes it.
        outer: whether branches may read what is made before the tensor, too.
    """
    limit = makers.get(fork, -1)
    branches = []
    for tensor in merge.inputs:
        branch: set[int] = set()
        reads_fork = tensor == fork
        ahead = [] if reads_fork else [tensor]
        is_free = not reads_fork
        while ahead:
            maker = makers.get(ahead.pop())
            if maker is None or (outer and maker <= limit):
                if not outer:
                    return None
                is_free = False
                continue
            branch.add(maker)
            reads_fork |= fork in done[maker].inputs
            ahead += [t for t in done[maker].inputs if t != fork and makers.get(t) not in branch]
        if (tensor != fork and not branch) or not (reads_fork or is_free):
            return None
        branches.append(tuple(sorted(branch)))
    return Fork(fork, tuple(branches))


def _is_closed(merge: Item, fork: Fork, done: list[Item], uses: Uses) -> bool:
    """Return whether only the merge sees what is in the branches, and a person would fold them."""
    listed = [i for branch in fork.branches for i in branch]
    if not listed or len(listed) > len(set(listed)):
        return False
    if sum(not branch for branch in fork.branches) > (merge.kind != "add") + 1:
        return False
    if not uses.exposed.isdisjoint(names_of(done[i] for i in listed)):
        return False
    longest = max(map(len, fork.branches))
    kinds = {call.kind for i in listed for call in done[i].calls}
    if longest > MOST or (merge.kind == "concat" and not kinds.isdisjoint(FINER)):
        return False
    if max(_depth(done[i]) for i in listed) >= MAX_NESTED:
        return False
    return all(
        _sees_itself(branch, end, merge, done, uses)
        for branch, end in zip(fork.branches, merge.inputs, strict=True)
        if branch
    )


def _sees_itself(
    branch: tuple[int, ...], end: str, merge: Item, done: list[Item], uses: Uses
) -> bool:
    """Return whether all that a branch makes is used in it, but its end, which the merge takes."""
    items = [done[i] for i in branch]
    if after(items[-1]) != end or merge.inputs.count(end) > 1:
        return False
    inside = names_of(items)
    there = names_of([merge])
    made = {tensor for item in items for tensor in made_in(item)}
    return uses.is_within(end, there) and all(uses.is_within(t, inside) for t in made - {end})


def _depth(item: Item) -> int:
    return 1 + max((_depth(each) for body in item.parts for each in body.items), default=0)


def _composite(merge: Item, fork: Fork, done: list[Item]) -> Item:
    """Return the composite of a merge and its branches."""
    bodies = [
        Body(tuple(done[i] for i in branch), (fork.tensor,), end)
        for branch, end in zip(fork.branches, merge.inputs, strict=True)
    ]
    entry = (fork.tensor,), merge.outputs
    if merge.kind == "add" and len(bodies) == 2:
        first, second = sorted(bodies, key=lambda body: -_length(body))
        shortcut = {"shortcut": (second,)} if second.items else {}
        runs = (*_runs(first), *_runs(second), *merge.runs)
        return Item("residual", *entry, {}, {"layers": (first,)} | shortcut, runs)
    fields = dict(merge.fields) | ({} if merge.kind == "concat" else {"merge": merge.kind})
    runs = (*(run for body in bodies for run in _runs(body)), *merge.runs)
    return Item("parallel", *entry, fields, {"branches": tuple(bodies)}, runs)


def _runs(body: Body) -> Iterator[tuple]:  # type: ignore[type-arg]
    return (run for item in body.items for run in item.runs)


def _length(body: Body) -> int:
    return sum(len(item.runs) for item in body.items)

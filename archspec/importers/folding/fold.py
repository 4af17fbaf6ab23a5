"""Network → draft: modules become blocks, equal neighbours repeats, sums residuals.

A network comes as one list of calls, each with the modules whose forward made it. Folding goes from
the inside out, so that what it finds in one module it finds in all that are like it:

1. Calls are put where they belong (`arranging`).
2. The calls of each module, inner modules first, become entries: what forks and meets again becomes
   a residual or a parallel (`merging`), equal neighbours become a repeat (`repeating`). A module
   that one tensor enters and one leaves stands as one entry in the module around it; of any other
   module the entries themselves stand there.
3. Entries that have the weights of earlier ones become shares (`sharing`). A share names its owner,
   so both must stand where that name is known; where they do not, step 2 is done once more without
   folding what is around them.
4. Modules that occur more than once become blocks, with parameters for the numbers in which they
   differ (`blocking`, `generalizing`).

No step changes what is computed: the spec runs the same layers on the same tensors.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from archspec.importers.calls import LayerCall, SourceNetwork, Varied
from archspec.importers.folding.arranging import arranged
from archspec.importers.folding.blocking import Blocker
from archspec.importers.folding.drafts import Body, Draft, Item, Named, unnumbered
from archspec.importers.folding.forms import Uses, after, entering, made_in, names_of
from archspec.importers.folding.merging import merged
from archspec.importers.folding.repeating import repeated
from archspec.importers.folding.sharing import Sharer

CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict", "Module"))
"""Classes that only hold others."""


def fold(network: SourceNetwork) -> Draft:
    """Return the entries of a network.

    Args:
        network: the network.
    """
    return drafted(folded(network), network)


class Folded(NamedTuple):
    """A network whose modules are no blocks yet.

    Attributes:
        body: its entries.
        uses: who uses what in it.
        outputs: the tensors that leave it.
        pinned: the tensors that leave entries whose weights others have.
        notes: what differs from the source, though it computes the same.
    """

    body: Body
    uses: Uses
    outputs: tuple[str, ...]
    pinned: frozenset[str]
    notes: tuple[str, ...]


def folded(network: SourceNetwork) -> Folded:
    """Return a network with repeats, residuals and parallels.

    Args:
        network: the network.
    """
    calls, outputs = (found := arranged(network)).calls, found.outputs
    uses = Uses.of(calls, outputs, network.inputs)
    while True:
        items = _Folder(uses, calls).items(calls, 0)
        sharer = Sharer(uses)
        body = sharer.shared(Body(tuple(items), tuple(network.inputs), outputs[-1]))
        hidden = frozenset(_hidden(body, {})) | uses.exposed
        if hidden == uses.exposed:
            break
        uses = uses._replace(exposed=hidden)
    return Folded(body, uses, outputs, frozenset(sharer.owners), found.notes)


def drafted(found: Folded, network: SourceNetwork) -> Draft:
    """Return a folded network with blocks for modules that are used more than once.

    Args:
        found: the folded network.
        network: the network, whose symbols are no other names.
    """
    is_fitted = any(isinstance(value, Varied) for value in network.symbols.values())
    uses = found.uses._replace(shapes={}) if is_fitted else found.uses
    blocker = Blocker(uses, network.symbols, found.pinned)
    body = blocker.blocked(found.body)
    return Draft(body, blocker.blocks, found.outputs, found.notes)


def _hidden(body: Body, around: Mapping[str, Item]) -> Iterator[str]:
    """Yield the calls of entries that share weights with one that has no name where they stand."""
    seen = {**around, **{tensor: item for item in body.items for tensor in item.outputs}}
    for item in body.items:
        named = [value.tensor for value in item.fields.values() if isinstance(value, Named)]
        for tensor in named:
            owner = seen.get(tensor)
            if owner is None or len(owner.runs) != len(item.runs):
                yield unnumbered(tensor)
                yield from names_of([item])
        for inner in item.parts:
            yield from _hidden(inner, {} if item.module else seen)


def leaf(call: LayerCall) -> Item:
    """Return a call as an entry.

    Args:
        call: the call.
    """
    return Item(call.kind, call.inputs, (call.name,), call.fields, runs=((call,),))


class _Folder:
    """Folds calls module by module, the inner ones first."""

    def __init__(self, uses: Uses, calls: Sequence[LayerCall]) -> None:
        self.uses = uses
        self.is_flat = not any(module.path for call in calls for module in call.modules)
        used = {*uses.tensors, *uses.left}
        self.parts: dict[str, list[str]] = {}
        for tensor in used:
            self.parts.setdefault(unnumbered(tensor), []).append(tensor)

    def items(self, calls: Sequence[LayerCall], depth: int) -> list[Item]:
        """Return the entries of calls that share their first modules.

        Args:
            calls: the calls, in order.
            depth: how many of their modules they share.
        """
        found: list[Item] = []
        for module, group in groupby(calls, lambda call: call.modules[depth : depth + 1]):
            inner = tuple(group)
            if not module:
                found += map(self._leaf, inner)
                continue
            found += self._module(module[0].name, self.items(inner, depth + 1))
        return repeated(merged(found, self.uses, as_modules=self.is_flat), self.uses)

    def _leaf(self, call: LayerCall) -> Item:
        outputs = tuple(sorted(self.parts.get(call.name, [call.name]), key=lambda t: (len(t), t)))
        return leaf(call)._replace(outputs=outputs)

    def _module(self, name: str, items: list[Item]) -> list[Item]:
        """Return a module as one entry where one tensor enters and one leaves; else its entries."""
        inputs = entering(items)
        inside = names_of(items)
        made = [tensor for item in items for tensor in made_in(item)]
        left = [tensor for tensor in dict.fromkeys(made) if not self.uses.is_within(tensor, inside)]
        is_single = len(items) == 1 and len(items[0].runs) < 2
        plain = name in CONTAINERS or is_single or len(inputs) != 1
        plain |= not self.uses.exposed.isdisjoint(inside)
        if plain or left != [after(items[-1])]:
            return items
        body = Body(tuple(items), inputs, left[0])
        runs = tuple(run for item in items for run in item.runs)
        return [Item("module", inputs, (left[0],), {}, {"layers": (body,)}, runs, name)]

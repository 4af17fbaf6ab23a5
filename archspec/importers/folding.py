"""Network → draft: modules become blocks, equal neighbours repeats, sums residuals."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from archspec.errors import SpecError
from archspec.importers.blocking import Blocker
from archspec.importers.calls import Call, Network
from archspec.importers.drafts import Body, Draft, Item, unnumbered
from archspec.importers.forms import Uses, after, entering, made_in, names_of
from archspec.importers.merging import merged
from archspec.importers.naming import as_name, unused
from archspec.importers.repeating import repeated
from archspec.importers.sharing import Sharer
from archspec.layers import Layer, find_kind

CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict", "Module"))
"""Classes that only hold others."""


def fold(network: Network) -> Draft:
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
    """

    body: Body
    uses: Uses
    outputs: tuple[str, ...]
    pinned: frozenset[str]


def folded(network: Network) -> Folded:
    """Return a network with repeats, residuals and parallels.

    Args:
        network: the network.
    """
    calls, outputs = _renamed(network)
    if not calls or not outputs:
        raise SpecError("the network has no layer" if not calls else "nothing leaves the network")
    uses = Uses.of(calls, outputs)
    items = _Folder(uses).items(calls, 0)
    sharer = Sharer(uses)
    body = sharer.shared(Body(tuple(items), tuple(network.inputs), outputs[-1]))
    return Folded(body, uses, outputs, frozenset(sharer.owners))


def drafted(found: Folded, network: Network) -> Draft:
    """Return a folded network with blocks for modules that are used more than once.

    Args:
        found: the folded network.
        network: the network, whose symbols are no other names.
    """
    blocker = Blocker(found.uses, network.symbols, found.pinned)
    body = blocker.blocked(found.body)
    return Draft(body, blocker.blocks, found.outputs)


def _renamed(network: Network) -> tuple[tuple[Call, ...], tuple[str, ...]]:
    """Return the calls and outputs, where ``.1`` is the number of an output and nothing else."""
    tensors = {name: name for name in network.inputs}
    several: dict[str, bool] = {}
    calls: list[Call] = []
    for call in network.calls:
        if call.name in tensors:
            raise SpecError(f"two calls or inputs are named '{call.name}'")
        layer = find_kind(call.kind)
        name = unused(as_name(call.name, call.kind), {*several, *network.inputs})
        inputs = tuple(_tensor(given, tensors, several, call.name) for given in call.inputs)
        tensors[call.name] = name
        several[name] = layer.outputs is not Layer.outputs
        calls.append(call._replace(name=name, inputs=inputs))
    return tuple(calls), tuple(_tensor(t, tensors, several, "outputs") for t in network.outputs)


def _tensor(given: str, tensors: Mapping[str, str], several: Mapping[str, bool], user: str) -> str:
    """Return a tensor by its new name; of a call that has several outputs with its number."""
    if given in tensors:
        name = tensors[given]
        return f"{name}.0" if several.get(name) else name
    bearer, _, number = given.rpartition(".")
    if bearer not in tensors or not number.isdecimal():
        raise SpecError(f"{user} takes '{given}', which nothing before it makes")
    name = tensors[bearer]
    return f"{name}.{int(number)}" if several.get(name) else name


class _Folder:
    """Folds calls module by module, the inner ones first."""

    def __init__(self, uses: Uses) -> None:
        self.uses = uses
        used = {*uses.tensors, *uses.left}
        self.parts: dict[str, list[str]] = {}
        for tensor in used:
            self.parts.setdefault(unnumbered(tensor), []).append(tensor)

    def items(self, calls: Sequence[Call], depth: int) -> list[Item]:
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
        return repeated(merged(found, self.uses), self.uses)

    def _leaf(self, call: Call) -> Item:
        outputs = tuple(sorted(self.parts.get(call.name, [call.name]), key=lambda t: (len(t), t)))
        return Item(call.kind, call.inputs, outputs, call.fields, runs=((call,),))

    def _module(self, name: str, items: list[Item]) -> list[Item]:
        """Return a module as one entry where one tensor enters and one leaves; else its entries."""
        inputs = entering(items)
        inside = names_of(items)
        made = [tensor for item in items for tensor in made_in(item)]
        left = [tensor for tensor in dict.fromkeys(made) if not self.uses.is_within(tensor, inside)]
        is_single = len(items) == 1 and len(items[0].runs) < 2
        plain = name in CONTAINERS or is_single or len(inputs) != 1
        if plain or left != [after(items[-1])]:
            return items
        body = Body(tuple(items), inputs, left[0])
        runs = tuple(run for item in items for run in item.runs)
        return [Item("module", inputs, (left[0],), {}, {"layers": (body,)}, runs, name)]

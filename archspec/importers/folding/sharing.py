"""The same weights once more: ``share``, and ``weight`` of a head that is tied to an embedding.

In the order of the entries, the first that has some weights owns them. A module that does the same
with the same weights as one before it is a share of that one, as a whole; any other entry is a
share of the owner.
"""

from archspec.importers.folding.drafts import Body, Item, Named
from archspec.importers.folding.forms import Uses, form_of

TIED = ("embedding", "linear")
"""Kinds of which one may have the weight of the other."""


class Sharer:
    """Writes down which entries have the weights of others before them.

    Args:
        uses: who uses what in the network.
    """

    def __init__(self, uses: Uses) -> None:
        self.uses = uses
        self.first: dict[str, Item] = {}
        self.modules: dict[tuple[str, ...], Item] = {}
        self.owners: set[str] = set()

    def shared(self, body: Body) -> Body:
        """Return a list of entries, in which those that have the weights of others say so.

        Args:
            body: the list.
        """
        return body._replace(items=tuple(map(self._item, body.items)))

    def _item(self, item: Item) -> Item:
        if item.bodies:
            return self._again(item) or self._within(item)
        call = next(item.calls)
        if not call.weights or not self.uses.shares(call):
            return item
        owner = self.first.setdefault(call.weights, item)
        if owner is item:
            return item
        return self._tied(item, owner)

    def _tied(self, item: Item, owner: Item) -> Item:
        self.owners.add(owner.outputs[0])
        if item.kind != owner.kind and {item.kind, owner.kind} <= {*TIED}:
            return item._replace(fields={**item.fields, "weight": Named(owner.outputs[0])})
        return item._replace(kind="share", fields={"of": Named(owner.outputs[0])})

    def _within(self, item: Item) -> Item:
        bodies = {name: tuple(map(self.shared, inner)) for name, inner in item.bodies.items()}
        new = item._replace(bodies=bodies)
        weights = tuple(call.weights for call in item.calls if call.weights)
        if item.module and weights:
            self.modules.setdefault(weights, new)
        return new

    def _again(self, item: Item) -> Item | None:
        """Return a module that did run before as a share of it, or None where it did not."""
        weights = tuple(call.weights for call in item.calls if call.weights)
        before = self.modules.get(weights) if item.module and weights else None
        if before is None:
            return None
        forms = [
            form_of(self.uses, next(each.parts).items, each.inputs, with_numbers=True)
            for each in (item, before)
        ]
        if forms[0] != forms[1]:
            return None
        self.owners.add(before.outputs[0])
        return item._replace(
            kind="share", fields={"of": Named(before.outputs[0])}, bodies={}, module=""
        )

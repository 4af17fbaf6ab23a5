"""Modules that are used more than once → blocks of the spec.

Modules of one class and one form, equal but for numbers, are a block, the inner ones first; the
numbers in which they differ are its parameters. A block that is used once, or that is a single
layer, is then put back where it is used. What is left is named after its class and listed in the
order in which a reader needs it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from archspec.composites import COMPOSITES
from archspec.importers.calls import Size
from archspec.importers.folding.drafts import Block, Body, Item, Named
from archspec.importers.folding.forms import Form, Uses, defaults_of, form_of
from archspec.importers.folding.generalizing import generalized, substituted
from archspec.importers.folding.naming import WORDS, as_name, unused
from archspec.importers.folding.relating import related
from archspec.importers.folding.repeating import needs_name
from archspec.layers import ALIASES, KINDS
from archspec.validation import RESERVED_KEYS

Blocks = dict[str, Block]


def block_name(module: str, taken: Iterable[str]) -> str:
    """Return the name of a block: a class in snake case, ``basic_block``.

    Args:
        module: the class.
        taken: names that are blocks already.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", module).lower()
    name = as_name(words, "block")
    known = {*KINDS, *ALIASES, *COMPOSITES, *RESERVED_KEYS, *WORDS}
    return unused(f"{name}_block" if name in known else name, {*known, *taken})


class Blocker:
    """Turns the modules of a list of entries into blocks.

    Args:
        uses: who uses what in the network.
        symbols: names that have a meaning everywhere.
        pinned: tensors whose modules must stay entries of their own.
    """

    def __init__(self, uses: Uses, symbols: Iterable[str], pinned: Iterable[str]) -> None:
        self.uses = uses
        self.symbols = frozenset(symbols)
        self.pinned = frozenset(pinned)
        self.blocks: Blocks = {}
        self.modules: dict[str, str] = {}
        self.calls: dict[int, Item] = {}

    def blocked(self, body: Body) -> Body:
        """Return a list of entries in which modules are calls of blocks, or stand there inline.

        Args:
            body: the list.
        """
        groups: dict[Form, list[Item]] = {}
        for item in modules_in(body):
            form = form_of(self.uses, item.parts.__next__().items, item.inputs, with_numbers=False)
            groups.setdefault((item.module, len(item.inputs), form), []).append(item)
        for members in sorted(groups.values(), key=_nested):
            self._make(members)
        whole = self._rewritten(body)
        while True:
            counts = self._counts(whole)
            single = next((n for n in self.blocks if self._is_inline(n, counts[n])), None)
            if single is None:
                break
            block = self.blocks.pop(single)
            whole = _inlined(whole, single, block)
            self.blocks = {
                n: b._replace(body=_inlined(b.body, single, block)) for n, b in self.blocks.items()
            }
        whole = self._in_order(whole)
        self.blocks = {n: b._replace(body=self._short(b.body)) for n, b in self.blocks.items()}
        return self._short(whole)

    def _short(self, body: Body) -> Body:
        """Return a list of entries without the fields that are at their defaults."""
        return body._replace(items=tuple(map(self._without_defaults, body.items)))

    def _without_defaults(self, item: Item) -> Item:
        block = self.blocks.get(item.kind)
        defaults = block.parameters if block else defaults_of(item.kind)
        fields = {n: v for n, v in item.fields.items() if not _same(v, defaults.get(n))}
        bodies = {name: tuple(map(self._short, inner)) for name, inner in item.bodies.items()}
        return item._replace(fields=fields, bodies=bodies)

    def _make(self, members: list[Item]) -> None:
        """Make a block of modules of one form."""
        name = f"block {len(self.modules)}"
        self.modules[name] = members[0].module
        bodies = [self._rewritten(next(member.parts)) for member in members]
        general = generalized(bodies, self.symbols)
        parameters = {p: general.defaults.get(p) for p in general.columns}
        shapes = [
            self.uses.shapes.get(m.inputs[0]) if len(m.inputs) == 1 else None for m in members
        ]
        by_entering = {p: related(column, shapes) for p, column in general.columns.items()}
        parameters |= {p: size for p, size in by_entering.items() if size is not None}
        required = [p for p in parameters if parameters[p] is None]
        order = [*required, *(p for p in parameters if parameters[p] is not None)]
        self.blocks[name] = Block({p: parameters[p] for p in order}, general.body)
        for i, member in enumerate(members):
            given = {p: general.columns[p][i] for p in order if by_entering[p] is None}
            fields = {name: value for name, value in given.items() if value is not None}
            self.calls[id(member)] = Item(
                name, member.inputs, member.outputs, fields, runs=member.runs, module=member.module
            )

    def _rewritten(self, body: Body) -> Body:
        return body._replace(items=tuple(map(self._replaced, body.items)))

    def _replaced(self, item: Item) -> Item:
        if id(item) in self.calls:
            return self.calls[id(item)]
        bodies = {n: tuple(map(self._rewritten, inner)) for n, inner in item.bodies.items()}
        return item._replace(bodies=bodies) if bodies else item

    def _counts(self, body: Body) -> dict[str, list[Item]]:
        counts: dict[str, list[Item]] = {name: [] for name in self.blocks}
        for each in (body, *(block.body for block in self.blocks.values())):
            for item in items_in(each):
                if item.kind in counts:
                    counts[item.kind].append(item)
        return counts

    def _is_inline(self, name: str, used: list[Item]) -> bool:
        """Return whether a block reads better where it is used: once, and without a name."""
        inner = self.blocks[name].body
        if any(item.outputs[0] in self.pinned for item in used):
            return False
        entry = inner.inputs[0]
        if len(inner.inputs) > 1 or needs_name(inner.items, entry, entry):
            return False
        if any(isinstance(value, Size) for value in self.blocks[name].parameters.values()):
            return False  # sizes of what enters it, which its entries do not know
        return len(used) <= 1 or (len(inner.items) == 1 and not inner.items[0].bodies)

    def _in_order(self, body: Body) -> Body:
        """Put the blocks in the order in which a reader needs them, inner ones first; name them."""
        order: dict[str, None] = {}

        def visit(inner: Body) -> None:
            for item in items_in(inner):
                if item.kind in self.blocks and item.kind not in order:
                    visit(self.blocks[item.kind].body)
                    order[item.kind] = None

        visit(body)
        names: dict[str, str] = {}
        for key in order:
            names[key] = block_name(self.modules[key], names.values())
        self.blocks = {
            names[key]: self.blocks[key]._replace(body=_renamed(self.blocks[key].body, names))
            for key in order
        }
        return _renamed(body, names)


def _renamed(body: Body, names: Mapping[str, str]) -> Body:
    """Return a list of entries in which blocks have other names."""

    def renamed(item: Item) -> Item:
        bodies = {n: tuple(_renamed(b, names) for b in i) for n, i in item.bodies.items()}
        return item._replace(kind=names.get(item.kind, item.kind), bodies=bodies)

    return body._replace(items=tuple(map(renamed, body.items)))


def _nested(members: list[Item]) -> int:
    """Return how many modules are in a module, so that inner ones can come first."""
    return sum(1 for body in members[0].parts for _ in modules_in(body))


def _same(value: object, other: object) -> bool:
    return type(value) is type(other) and value == other


def items_in(body: Body) -> Iterator[Item]:
    """Yield every entry of a list, those in others included.

    Args:
        body: the list.
    """
    for item in body.items:
        yield item
        for inner in item.parts:
            yield from items_in(inner)


def modules_in(body: Body) -> Iterator[Item]:
    """Yield every module of a list of entries, in the order of reading.

    Args:
        body: the list.
    """
    return (item for item in items_in(body) if item.kind == "module")


def _inlined(body: Body, name: str, block: Block) -> Body:
    """Return a list of entries in which a block's entries stand for its call."""
    found: list[Item] = []
    for item in body.items:
        if item.kind == name:
            found += _put(item, block)
            continue
        bodies = {n: tuple(_inlined(b, name, block) for b in i) for n, i in item.bodies.items()}
        found.append(item._replace(bodies=bodies) if bodies else item)
    return body._replace(items=tuple(found))


def _put(call: Item, block: Block) -> list[Item]:
    """Return the entries of a block with what a call gives it."""
    inner = block.body
    tensors = dict(zip(inner.inputs, call.inputs, strict=True)) | {inner.output: call.outputs[0]}
    arguments: dict[str, object] = {**block.parameters, **call.fields}
    return [_moved(item, tensors, arguments) for item in inner.items]


def _moved(item: Item, tensors: Mapping[str, str], arguments: Mapping[str, object]) -> Item:
    """Return an entry with other tensors, and with values for names."""

    def moved(body: Body) -> Body:
        items = tuple(_moved(each, tensors, arguments) for each in body.items)
        inputs = tuple(tensors.get(t, t) for t in body.inputs)
        return Body(items, inputs, tensors.get(body.output, body.output))

    fields: dict[str, Any] = {
        name: Named(tensors.get(value.tensor, value.tensor))
        if isinstance(value, Named)
        else substituted(value, arguments)
        for name, value in item.fields.items()
    }
    return item._replace(
        inputs=tuple(tensors.get(t, t) for t in item.inputs),
        outputs=tuple(tensors.get(t, t) for t in item.outputs),
        fields=fields,
        bodies={name: tuple(map(moved, inner)) for name, inner in item.bodies.items()},
    )

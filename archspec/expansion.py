"""Architecture → Graph: conditions are decided, blocks and tables expanded, names resolved."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, NamedTuple

from archspec.architecture import Architecture, EnclosingSpecs, read_beside
from archspec.arithmetic import Rational
from archspec.composites import (
    Composite,
    Foreach,
    Fused,
    Moe,
    Parallel,
    Repetition,
    Residual,
    Share,
    Side,
    Use,
)
from archspec.document import Path_, YamlDocument
from archspec.entries import PREVIOUS, Block, BlockCall, Entries, Entry
from archspec.errors import FinalError, Gathered, SpecError, did_you_mean
from archspec.expressions import ExpressionError, inside
from archspec.fields import Condition, Expression
from archspec.graph import Carry, Graph, Group, Input, Item, Node, Repeat, items_in
from archspec.header import Header, Symbol
from archspec.known_blocks import KnownBlocks
from archspec.layers import Layer, find_kind
from archspec.layers.base import FieldError, as_expression, decided
from archspec.outputs import Outputs, entering_of, is_list, numbered, one, text_of
from archspec.precision import UNSAID, Precision, innermost
from archspec.scope import Scope, checked_size, resolve
from archspec.trees import Call, Index, Items, Measure, Name, Number, Part, Tensor, Tree, Value
from archspec.validation import RESERVED_KEYS

MAX_ITEMS = 20_000
"""The most items a graph may have once its tables and blocks are expanded."""


MAX_TENSORS = 1_000
"""The most tensors that one name stands for, or that enter one entry."""

MAX_BLOCKS = 30
"""How deep blocks may call blocks."""


def build_graph(
    architecture: Architecture,
    settings: Mapping[str, Rational] | None = None,
    derived: Mapping[str, Tree] | None = None,
    known: "KnownBlocks[Expanded] | None" = None,
) -> Graph:
    """Decide the structure of an architecture.

    Args:
        architecture: the spec.
        settings: symbols that stand for numbers.
        derived: symbols that stand for expressions of the others.
        known: calls of blocks in other structures of the spec, which are not expanded again.

    Raises:
        SpecError: a setting, a name or a structural expression breaks a rule.
    """
    settings, derived, header = settings or {}, derived or {}, architecture.header
    values = _values(header, settings, derived)
    gathered = Gathered()
    with gathered.together():
        scope = _outer_scope(architecture, settings, derived, gathered)
        expansion = _Expansion(architecture, scope, gathered, known)
        inputs = tuple(_inputs(architecture, scope, gathered))
        items, output = _network(expansion)
    if not items:
        raise _no_layers(architecture)
    about = (header.name, architecture.variant, header.source)
    return Graph(
        *about,
        symbols=header.symbols,
        values=values,
        fixed=frozenset((*settings, *derived)),
        inputs=inputs,
        items=items,
        output=output,
        sides=tuple(expansion.sides),
        precision=header.precision.of_all,
        let={name: scope.names[name] for name in header.let},
    )


def _no_layers(architecture: Architecture) -> SpecError:
    """Return the error of a spec of which no entry is left."""
    cause = "every entry is left out"
    return architecture.document.key_error(("layers",), cause, entry="layers")


def _network(expansion: "_Expansion") -> tuple[tuple[Item, ...], Tensor]:
    """Return the items of the spec's own entries, and the last tensor that leaves them."""
    frame, architecture = _outermost(expansion), expansion.architecture
    items, last = frame.body(architecture.entries)
    *before, output = frame.leaving(architecture.header.outputs, ("outputs",), last).carried
    expansion.sides += before
    return items, output


def _values(
    header: Header, settings: Mapping[str, Rational], derived: Mapping[str, Tree]
) -> dict[str, Rational]:
    """Return every symbol's value, or the errors of those that break a rule."""
    values = header.defaults | dict(settings)
    gathered = Gathered()
    with gathered.together():
        values |= {name: _valued(name, tree, values) for name, tree in derived.items()}
        for name in (*settings, *derived):
            with gathered.gathering():
                _check_setting(name, values[name], header.symbols)
    return values


def _valued(name: str, tree: Tree, values: Mapping[str, Rational]) -> Rational:
    """Return the value of a symbol that stands for an expression of the others."""
    value = resolve(tree, Scope({key: Number(number) for key, number in values.items()}))
    if not isinstance(value, Number):
        raise SpecError(f"{name} equals no number")
    return value.value


def _check_setting(name: str, value: Rational, symbols: Mapping[str, Symbol]) -> None:
    if name not in symbols:
        hint = did_you_mean(name, symbols) or "this spec has no symbols"
        raise SpecError(f"there is no symbol '{name}' to set", hint=hint)
    broken = symbols[name].broken_rule(value)
    if broken:
        raise SpecError(f"{name} = {value} {broken}")


def _outer_scope(
    architecture: Architecture,
    settings: Mapping[str, Rational],
    derived: Mapping[str, Tree],
    gathered: Gathered,
    lets: Mapping[str, Value] = {},
) -> Scope:
    """Return the scope of the symbols, and of the ``let`` values in their order, some given."""
    header = architecture.header
    numbers = {name: Number(value) for name, value in settings.items()}
    names: dict[str, Value] = {name: Name(name) for name in header.symbols}
    names |= numbers | dict(derived)
    scope = Scope(names)
    variant = header.variants.get(architecture.variant or "")
    redefined = variant.let if variant else {}
    for name, value in header.let.items():
        if name in lets:
            names[name] = lets[name]
            continue
        section = ("variants", architecture.variant or "", "let") if name in redefined else ("let",)
        with gathered.gathering(), architecture.document.placing((*section, name), f"let.{name}"):
            names[name] = resolved_value(value, scope)
            continue
        gathered.excuse(f"name {name}")
    return scope


def resolved_value(value: Any, scope: Scope) -> Value:
    """Resolve a value in a scope to an expression, a condition, or a list of these."""
    if isinstance(value, list):
        items = enumerate(value)
        return Items(tuple(inside(i, resolved_value, item, scope) for i, item in items))
    return checked_size(resolve(value.tree, scope))


def _inputs(architecture: Architecture, scope: Scope, gathered: Gathered) -> Iterator[Input]:
    several = isinstance(architecture.document.data["input"], dict)
    for name, given in architecture.header.input.items():
        path = ("input", name) if several else ("input",)
        places = [(*path, i) for i in range(len(given))]
        sizes = []
        for place, size in zip(places, given, strict=True):
            entry = ".".join(map(str, path))
            with gathered.gathering(), architecture.document.placing(place, entry):
                sizes.append(as_expression(checked_size(resolve(size.tree, scope))))
        yield Input(name, tuple(sizes), tuple(map(architecture.document.origin, places)))


Names = Mapping[str, Value]
"""The meanings of the names of a body's own."""

Made = tuple[tuple[Item, ...], Outputs]
"""The item that an entry makes, if it makes one, and what leaves it."""


class Expanded(NamedTuple):
    """An expanded call of a block: its items and outputs, their number, and the calling entry."""

    made: Made
    items: int
    entry: Entry


class NamedOutputs(NamedTuple):
    """The outputs of a named entry, and the path of the copied body around it ('' if none)."""

    outputs: Outputs
    copy: str


class RowNames(NamedTuple):
    """The values and the tensors that the names of one row of a table stand for."""

    names: dict[str, Value]
    tensors: dict[str, Outputs]


NOTHING = Outputs("", None)


class Sharing(NamedTuple):
    """A body that is expanded once more: its path, and that of the first, which has the weights."""

    path: str
    first: str


class _Expansion:
    """The state that all frames of one expansion share."""

    def __init__(
        self,
        architecture: Architecture,
        outer: Scope,
        gathered: Gathered,
        known: "KnownBlocks[Expanded] | None",
    ) -> None:
        self.architecture = architecture
        self.outer = outer
        self.gathered = gathered
        self.known = known
        self.count = Counter[str]()
        self.around = EnclosingSpecs((architecture.document.file,), {})
        self.named: dict[str, NamedOutputs | None] = {}  # every author's name; None if two bear it
        self.sides: list[Tensor] = []
        self.owners: dict[str, str] = {}  # path of a node → that of the node whose weights it has
        self.applied: dict[str, tuple[Entry, _Frame]] = {}  # path → what was expanded there

    def of(self, architecture: Architecture, outer: Scope) -> "_Expansion":
        """The expansion of a network inside this one, in which names are its own."""
        other = copy(self)
        other.architecture, other.outer, other.named = architecture, outer, {}
        other.known = None
        other.around = self.around.inside(architecture.document.file)
        return other

    def counted(self, entry: Entry) -> None:
        """Refuse a graph that grows beyond all use."""
        self.count["items"] += 1
        if self.count["items"] > MAX_ITEMS:
            raise FinalError(
                f"expands to more than {MAX_ITEMS:,} items",
                hint="a repeat without an index is not expanded",
                origin=entry.origin,
                entry=entry.key,
            )


@dataclass(eq=False)
class _Frame:
    """One list of entries under expansion: its scope, its names, and where it stands."""

    expansion: _Expansion
    scope: Scope
    document: YamlDocument
    tensors: dict[str, Outputs]
    parent: "_Frame | None" = None
    path: str = ""
    blocks: tuple[str, ...] = ()
    copy: str = ""  # the path of the innermost body around that there are several copies of
    reserved: frozenset[str] = frozenset()  # what the composite calls its own parts
    precision: Precision = UNSAID  # what the entries around state
    trainable: bool = True  # what they say of training
    counts: Counter[str] = field(default_factory=Counter)
    latest: Outputs = NOTHING  # what leaves the entry before, or enters the first
    sharing: Sharing | None = None  # of a body whose weights another has

    def _at_sizes_of(self, tensor: Tensor | None) -> Scope:
        """The scope of this frame's names and tensors, where ``tensor`` enters."""
        return self.scope._replace(tensor=tensor, find=lambda tree: self._reference(tree).all)

    def inner(
        self,
        entering: Outputs,
        name: str,
        names: Names | None = None,
        *,
        copied: bool = False,
        reserved: Iterable[str] = (),
    ) -> "_Frame":
        """The frame of a body inside this one, with what enters it."""
        path = f"{self.path}{name}/"
        return replace(
            self,
            scope=self.scope.extended(names) if names else self.scope,
            tensors={},
            parent=self,
            path=path,
            copy=path if copied else self.copy,
            reserved=frozenset(reserved),
            counts=Counter(),
            latest=entering,
        )

    def items(self, entries: Entries) -> Iterator[Item]:
        """Yield the items of the entries whose ``when`` holds."""
        for entry in entries:
            with self.expansion.gathered.gathering():
                if self._is_in(entry):
                    yield from self._expanded(entry)
                continue
            self._stand_in(entry)

    def _expanded(self, entry: Entry) -> tuple[Item, ...]:
        """Return the item of an entry, if it makes one, and let its output be known by its name."""
        self.expansion.counted(entry)
        name = self._name(entry)
        inputs = self._inputs(entry)
        precision, trainable = entry.precision.over(self.precision), self._is_trained(entry)
        frame = replace(self, precision=precision, trainable=trainable)
        met = self.expansion.gathered.met
        items, outputs = frame._item(entry, name, inputs)
        if self.expansion.gathered.met > met:
            self.expansion.gathered.excuse(f"outputs {outputs.path}")
        self.expansion.applied[self.path + name] = entry, frame
        self.tensors[name] = outputs
        if not isinstance(entry.content, Side):
            self.latest = outputs
        return items

    def _stand_in(self, entry: Entry) -> None:
        """Let a tensor stand for what would leave an entry that is wrong, and excuse what follows.

        So the entries behind it are looked at, too.
        """
        gathered = self.expansion.gathered
        name = entry.name or self._missed_name(entry)
        output = one(Tensor(f"{self.path}{name}"))
        gathered.excuse(f"outputs {output.path}")
        for within in self.expansion.architecture.names_within(entry):
            gathered.excuse(f"tensor {within}")
        self.tensors.setdefault(name, output)
        if not isinstance(entry.content, Side):
            self.latest = output

    def _missed_name(self, entry: Entry) -> str:
        """Return the numbered name that an entry that is wrong has got, or would have got."""
        kind = entry.content.kind if isinstance(entry.content, Layer) else entry.key
        latest = f"{kind}_{self.counts[kind]}"
        return latest if self.counts[kind] and latest not in self.tensors else self._numbered(kind)

    def _stated(self, kind: str) -> Precision:
        """Return the number types stated for a layer of this kind at this place."""
        by_kind = self.expansion.architecture.header.precision.of_kind(kind)
        return innermost(self.precision, by_kind)

    def body(self, entries: Entries) -> Made:
        """The items of a list of entries, and what leaves it."""
        return tuple(self.items(entries)), self.latest

    def _single_body(self, entries: Entries) -> tuple[tuple[Item, ...], Tensor]:
        """The items of a list of entries, and the one tensor that leaves it."""
        items, outputs = self.body(entries)
        try:
            return items, outputs.single("previous")
        except ExpressionError as error:
            raise entries[-1].error(error.cause, error.hint) from None

    def _inputs(self, entry: Entry) -> tuple[Tensor, ...]:
        """The tensors that enter; nothing enters a layer that takes nothing."""
        if isinstance(entry.content, Layer) and entry.content.takes == (0, 0):
            if entry.sources != (PREVIOUS,):
                raise self._wrong_count(entry, len(entry.sources))
            return ()
        several = not isinstance(entry.content, Layer) and self._takes(entry.content) != (1, 1)
        found = (self._source(source, entry, several) for source in entry.sources)
        return self._bounded(entry, chain.from_iterable(found))

    def _bounded(self, entry: Entry, tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
        """Return some tensors, if they are no more than any network has."""
        listed = tuple(islice(tensors, MAX_TENSORS + 1))
        if len(listed) > MAX_TENSORS:
            cause = f"more than {MAX_TENSORS:,} tensors"
            raise FinalError(cause, origin=entry.origin, entry=entry.key)
        return listed

    def _takes(self, content: Layer | Composite | BlockCall) -> tuple[int, int | None]:
        """Return how many tensors may enter, at least and at most; None for any number."""
        if isinstance(content, Layer):
            return content.entering
        if isinstance(content, BlockCall):
            inputs = self.expansion.architecture.blocks[content.block].inputs or ("",)
            return len(inputs), None if inputs[-1].endswith("*") else len(inputs)
        many = Foreach, Repetition, Share, Use, Fused
        return (1, None) if isinstance(content, many) else (1, 1)

    def _check_count(
        self, entry: Entry, content: Layer | Composite | BlockCall, inputs: Sequence[Tensor]
    ) -> None:
        """Check that these tensors may enter what an entry says, or what it shares."""
        (least, most), count = self._takes(content), len(inputs)
        if not least <= count <= (count if most is None else most):
            error = self._wrong_count(entry, count, (least, most))
            excused = (self.expansion.gathered.excused_outputs(each.producer) for each in inputs)
            error.subject = next(filter(None, excused), None)
            raise error

    def _is_in(self, entry: Entry) -> bool:
        return entry.when is None or self._flag(entry, "when", entry.when)

    def _is_trained(self, entry: Entry) -> bool:
        """Return whether an entry is trained: as it says, else as what is around it."""
        stated = entry.trainable
        return self.trainable if stated is None else self._flag(entry, "trainable", stated)

    def _at(self, entry: Entry, *place: str | int) -> AbstractContextManager[None]:
        """Give an expression's error the place of a field of an entry, or of what is in it."""
        beside = place[0] in RESERVED_KEYS
        path = (*entry.path, *place) if beside else (*entry.path, entry.key, *place)
        return self.document.placing(path, f"{entry.key}.{place[-1]}")

    def _source(self, source: Tree, entry: Entry, several: bool) -> tuple[Tensor, ...]:
        """The tensors of a reference; one, unless it stands for a list or several may enter."""
        with self._at(entry, "from"):
            found = self._reference(source)
            if several and not is_list(source):
                return found.carried
            return self._tensors_of(source)

    def _tensors_of(self, tree: Tree, *, several: bool = False) -> tuple[Tensor, ...]:
        """All tensors of a reference that stands for a list; else, unless several may, the one."""
        found = self._reference(tree)
        return found.all if several or is_list(tree) else (found.single(text_of(tree)),)

    def _reference(self, tree: Tree) -> Outputs:
        """Return the tensors that a reference stands for."""
        match tree:
            case Name("previous", _):
                return self.latest
            case Name(name, position):
                return self._lookup(name, position)
            case Part(of, "*"):
                found = self._reference(of)
                return Outputs(found.path, None, found.parts) if found.parts else found
            case Part(of, name) if name in (found := self._reference(of)).inner:
                return found.inner[name]
            case Part(of, name):
                return one(self._reference(of).part(name, text_of(of)))
            case Index(of, at):
                number = resolve(at, self._at_sizes_of(None))
                if not isinstance(number, Number) or not isinstance(number.value, int):
                    raise ExpressionError("an index must be a known integer")
                return one(self._reference(of).item(number.value, text_of(of)))
            case Call("reversed", (of,)):
                found = self._reference(of)
                return numbered(found.path, reversed(found.all))
        raise ExpressionError(f"'{text_of(tree)}' names no tensor")

    def _lookup(self, name: str, position: int = 0) -> Outputs:
        """Return the tensors of a name: of this list, of those around it, or of its only bearer."""
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.tensors:
                return frame.tensors[name]
            frame = frame.parent
        named = self.expansion.named.get(name)
        if named is not None and self.path.startswith(named.copy):
            return named.outputs
        known = {key for key, value in self.expansion.named.items() if value} | set(self.tensors)
        known.discard(name)
        why = "names no tensor here"
        if name in self.expansion.named:
            inside = f"names one in every turn of {named.copy[:-1]}" if named else None
            why = inside or "names several tensors"
        cause, hint = f"'{name}' {why}", did_you_mean(name, known)
        raise ExpressionError(cause, position, hint, f"tensor {name}")

    def _name(self, entry: Entry) -> str:
        if entry.name is None:
            layer = entry.content
            return self._numbered(layer.kind if isinstance(layer, Layer) else entry.key)
        if entry.name in self.tensors or entry.name in self.reserved:
            cause = f"the name '{entry.name}' is taken"
            raise self.document.error((*entry.path, "name"), cause, entry=entry.key)
        return entry.name

    def _numbered(self, kind: str) -> str:
        self.counts[kind] += 1
        name = f"{kind}_{self.counts[kind]}"
        return self._numbered(kind) if name in self.tensors else name

    def _item(self, entry: Entry, name: str, inputs: tuple[Tensor, ...]) -> Made:
        content = entry.content
        self._check_count(entry, content, inputs)
        if isinstance(content, Layer):
            return self._node(entry, content, name, inputs)
        match content:
            case BlockCall():
                return self._block(entry, content, name, inputs)
            case Foreach():
                return self._foreach(entry, content, name, entering_of(inputs))
            case Repetition():
                return self._repeat(entry, content, name, entering_of(inputs))
            case Use():
                return self._used(entry, content, name, inputs)
            case Share():
                return self._shared(entry, content, name, inputs)
            case Fused():
                return self._fused(entry, name, entering_of(inputs))
        return self._of_one(entry, name, inputs[0])

    def _of_one(self, entry: Entry, name: str, source: Tensor) -> Made:
        """The items of a composite that one tensor enters."""
        content = entry.content
        match content:
            case Residual():
                return self._residual(entry, content, name, source)
            case Parallel():
                return self._parallel(entry, content, name, source)
            case Side():
                return self._aside(entry, name, source)
            case Moe():
                return self._experts(entry, content, name, source)
        raise LookupError(f"'{entry.key}' has no expansion; it belongs in archspec/expansion.py")

    def _node(self, entry: Entry, layer: Layer, name: str, inputs: tuple[Tensor, ...]) -> Made:
        path = self.path + name
        try:
            entering = inputs[0] if inputs else self.latest.whole
            resolved = layer.resolved(self._at_sizes_of(entering))
            outputs = resolved.outputs
        except FieldError as error:
            gathered = Gathered()
            with gathered.together():
                for each in error.errors:
                    gathered.add(self._placed(entry, each))
        made = one(Tensor(path))
        if outputs > 1:
            made = numbered(path, (Tensor(path, i) for i in range(outputs)))
        tied, stated = self._tied(entry), self._stated(layer.kind)
        node = Node(
            *(name, path, resolved, inputs, entry.origin, entry.fields),
            tied=tied,
            precision=stated,
            torch=entry.torch,
            shares=self._owner(path),
            trainable=self.trainable,
        )
        self._remember(entry, made)
        return (node,), made

    def _owner(self, path: str) -> str | None:
        """The path of the node whose weights a node of a body that shares them has."""
        if self.sharing is None or not path.startswith(self.sharing.path):
            return None
        first = self.sharing.first + path.removeprefix(self.sharing.path)
        return self.expansion.owners.setdefault(path, self.expansion.owners.get(first, first))

    def _placed(self, entry: Entry, error: SpecError) -> SpecError:
        """The error of a field of an entry, at the place of the field."""
        assert isinstance(error, FieldError)
        place = (*entry.path, entry.key, error.field, *error.path)
        origin = self.document.origin(place).shifted(error.position)
        alone = error.placed(origin, f"{entry.key}.{error.field}")
        alone.others = ()
        return alone

    def _wrong_count(
        self, entry: Entry, count: int, takes: tuple[int, int | None] = (0, 0)
    ) -> SpecError:
        """The error that says how many inputs an entry takes."""
        least, most = takes
        range_ = f"{least} or more" if most is None else f"{least} to {most}"
        wanted = str(least) if least == most else range_
        cause = f"takes {wanted} input{'' if wanted == '1' else 's'}, not {count}"
        hint = "name them with from, as from: [a, b]" if count < least else None
        return self.document.error((*entry.path, "from"), cause, hint=hint, entry=entry.key)

    def _tied(self, entry: Entry) -> str | None:
        owner = getattr(entry.content, "weight", None)
        if not isinstance(owner, str):
            return None
        with self._at(entry, "weight"):
            found = self._lookup(owner)
            return found.whole.producer if found.whole else found.path

    def _remember(self, entry: Entry, outputs: Outputs) -> None:
        if entry.name is not None:
            named = self.expansion.named
            mine = NamedOutputs(outputs, self.copy)
            named[entry.name] = None if entry.name in named else mine

    def _group(
        self, entry: Entry, name: str, items: tuple[Item, ...], output: Outputs | Tensor
    ) -> Made:
        """A group of items, if there are any; and what leaves it."""
        outputs = one(output) if isinstance(output, Tensor) else output
        outputs = outputs._replace(path=self.path + name)
        self._remember(entry, outputs)
        return self._grouped(entry, name, entry.key, items, outputs.carried[0]), outputs

    def _grouped(
        self, entry: Entry, place: str, kind: str, items: tuple[Item, ...], output: Tensor
    ) -> tuple[Group, ...]:
        """Return the group of some items, which stand at a place below this frame; () of none."""
        name = place.rpartition("/")[2]
        group = Group(name, self.path + place, kind, items, output, entry.origin)
        return (group,) if items else ()

    def _part_group(
        self, entry: Entry, place: str, entries: Entries, source: Tensor
    ) -> tuple[tuple[Item, ...], Tensor]:
        """A part of a composite, as ``branch_1``: its group, if it has items; what leaves it."""
        items, output = self.inner(one(source), place)._single_body(entries)
        kind = place.rpartition("/")[2].split("_")[0]
        return self._grouped(entry, place, kind, items, output), output

    def _entering(
        self, block: Block, inputs: tuple[Tensor, ...]
    ) -> tuple[dict[str, Outputs], Outputs]:
        """The names of what enters a block, and what enters its first entry."""
        names = block.inputs or ("",)
        rest = len(names) - 1 if names[-1].endswith("*") else None
        tensors = {name: one(tensor) for name, tensor in zip(names[:rest], inputs, strict=False)}
        if rest is not None:
            tensors[names[-1][:-1]] = numbered("", inputs[rest:])
        return tensors if block.inputs else {}, entering_of(inputs)

    def leaving(
        self, stated: Iterable[tuple[str | None, Tree]], path: Path_, last: Outputs
    ) -> Outputs:
        """Return what leaves a block or the network, in its frame.

        Args:
            stated: references with names of their own, if they have such.
            path: where they stand.
            last: what leaves the last entry, which is meant where nothing is said.
        """
        parts: dict[str, Tensor] = {}
        for i, (name, tree) in enumerate(stated):
            with self.document.placing((*path, name or i), ".".join(map(str, path[-2:]))):
                found = self._reference(tree)
                if is_list(tree):
                    parts |= {str(len(parts) + k): t for k, t in enumerate(found.all)}
                    continue
                called = name or (text_of(tree).rpartition(".")[2])
                free = called not in parts and called.isidentifier()
                parts[called if free else str(len(parts))] = found.single(text_of(tree))
        if not parts:
            return last
        first, *others = parts.values()
        return Outputs("", None if others else first, parts)

    def _block(self, entry: Entry, call: BlockCall, name: str, inputs: tuple[Tensor, ...]) -> Made:
        if call.block in self.blocks:
            way = " → ".join((*self.blocks, call.block))
            raise entry.error(f"block '{call.block}' calls itself: {way}")
        if len(self.blocks) >= MAX_BLOCKS:
            raise entry.error(f"blocks within blocks, more than {MAX_BLOCKS} deep")
        block = self.expansion.architecture.blocks[call.block]
        names = self._arguments(entry, call, block, inputs[0])
        key = self._hangs_on(entry, call.block, name, inputs, names)
        known, count = self.expansion.known, self.expansion.count
        found = known.find(key) if known and key else None
        if found is None:
            before, met = count["items"], self.expansion.gathered.met
            made = self._called(entry, call.block, name, inputs, names)
            found = Expanded(made, count["items"] - before, entry)
            if known and key and self.expansion.gathered.met == met:
                known.keep(key, found)
        else:
            count["items"] += found.items
        self._remember(entry, found.made[1])
        return found.made

    def _hangs_on(
        self, entry: Entry, block: str, name: str, inputs: tuple[Tensor, ...], names: Names
    ) -> tuple[object, ...] | None:
        """Return all that the expansion of a block hangs on; None where it cannot be known."""
        known, architecture = self.expansion.known, self.expansion.architecture
        if known is None or self.sharing is not None:
            return None
        tensors = {*self._top().tensors, *self.expansion.named}
        spoken = known.spoken(block, architecture.blocks, self.expansion.outer.names, tensors)
        if spoken is None:
            return None
        stated = self.precision, self.trainable
        return id(entry), self.path, name, inputs, *names.values(), *spoken, *stated

    def _called(
        self, entry: Entry, called: str, name: str, inputs: tuple[Tensor, ...], names: Names
    ) -> Made:
        """Return what a block expands to with some arguments."""
        block = self.expansion.architecture.blocks[called]
        tensors, entering = self._entering(block, inputs)
        frame = replace(
            self.inner(entering, name),
            scope=self.expansion.outer.extended(names),
            tensors=tensors,
            parent=self._top(),
            blocks=(*self.blocks, called),
            document=block.document or self.document,
        )
        items, outputs = frame.body(block.entries)
        left = frame.leaving(block.outputs, ("blocks", called, "outputs"), outputs)
        self._bounded(entry, left.all)
        outputs = left._replace(path=self.path + name)
        return self._grouped(entry, name, entry.key, items, outputs.carried[0]), outputs

    def _arguments(
        self, entry: Entry, call: BlockCall, block: Block, source: Tensor
    ) -> dict[str, Value]:
        """The values of a block's parameters where it is called."""
        outer, names = self.expansion.outer, dict[str, Value]()
        gathered = Gathered()
        with gathered.together():
            for parameter, default in block.parameters.items():
                given = parameter in call.arguments
                value = call.arguments[parameter] if given else default
                there = self._at_sizes_of(source)
                scope = there if given else outer.extended(names).entering(source)
                with gathered.gathering(), self._at(entry, parameter):
                    names[parameter] = resolved_value(value, scope)
                    continue
                gathered.excuse(f"name {parameter}")
        return names

    def _top(self) -> "_Frame":
        return self if self.parent is None else self.parent._top()

    def _residual(self, entry: Entry, fields: Residual, name: str, source: Tensor) -> Made:
        inside = self.inner(one(source), name, reserved=("add", "shortcut"))
        items, body = inside._single_body(entry.bodies["layers"][0])
        short, shortcut = self._part_group(
            entry, f"{name}/shortcut", entry.bodies["shortcut"][0], source
        )
        if fields.projects == "on_change":
            pair = source, body
            short = tuple(g._replace(replaces=pair) for g in short if isinstance(g, Group))
        merge = self._own_node(entry, f"{name}/add", "add", (body, shortcut))
        return self._group(entry, name, (*items, *short, merge), Tensor(merge.path))

    def _own_node(
        self, entry: Entry, place: str, kind: str, inputs: tuple[Tensor, ...], **fields: object
    ) -> Node:
        """A layer that a composite has of itself, at a place below this frame."""
        layer = find_kind(kind).model_construct(_fields_set=set(fields), **fields)
        name, path = place.rpartition("/")[2], self.path + place
        made = (name, path, layer, inputs, entry.origin, entry.fields)
        node = Node(*made, precision=self._stated(kind), shares=self._owner(path))
        return node._replace(trainable=self.trainable)

    def _parallel(self, entry: Entry, fields: Parallel, name: str, source: Tensor) -> Made:
        groups: list[Item] = []
        outputs: list[Tensor] = []
        for i, entries in enumerate(entry.bodies["branches"], 1):
            group, output = self._part_group(entry, f"{name}/branch_{i}", entries, source)
            groups += group
            outputs.append(output)
        extra: dict[str, object] = {}
        if fields.merge == "concat":
            with self._at(entry, "axis"):
                extra["axis"] = as_expression(resolve(fields.axis.tree, self._at_sizes_of(None)))
        merge = self._own_node(
            entry, f"{name}/{fields.merge}", fields.merge, tuple(outputs), **extra
        )
        return self._group(entry, name, (*groups, merge), Tensor(merge.path))

    def _aside(self, entry: Entry, name: str, source: Tensor) -> Made:
        """The group of a side branch, whose output leaves the network."""
        items, output = self.inner(one(source), name)._single_body(entry.bodies["layers"][0])
        self.expansion.sides.append(output)
        return self._group(entry, name, items, output)

    def _fused(self, entry: Entry, name: str, source: Outputs) -> Made:
        """The group of a body that works as one kernel."""
        items, outputs = self.inner(source, name).body(entry.bodies["layers"][0])
        if inside := next((i for i in items_in(items) if isinstance(i, Repeat)), None):
            cause = f"a fused body holds no {inside.kind}, which '{inside.path}' is"
            hint = f"write fused inside the {inside.kind}, around its layers"
            raise entry.error(cause, hint=hint)
        return self._group(entry, name, items, outputs)

    def _foreach(self, entry: Entry, fields: Foreach, name: str, source: Outputs) -> Made:
        """The body once for every row; what leaves the rows are the parts of what leaves it."""
        shared = self._flag(entry, "shared", fields.shared)
        table = self._rows(entry, fields)
        groups, rows = self._copies(entry, name, "row", source, table, shared=shared)
        last = rows[-1]
        if all(row.whole for row in rows):
            last = numbered("", (row.single(name) for row in rows), whole=last.whole)
        return self._group(entry, name, groups, last)

    def _flag(self, entry: Entry, field: str, given: Condition) -> bool:
        """A truth value that decides structure."""
        with self._at(entry, field):
            return decided(resolve(given.tree, self._at_sizes_of(None))).value

    def _rows(self, entry: Entry, fields: Foreach) -> Iterator[RowNames]:
        """Yield the names of every row, each row checked as it is reached."""
        tensors = self._columns_of_tensors(entry, fields)
        count = min(map(len, tensors.values()), default=0) or 1
        if fields.count is not None:
            tree = self._structural(entry, "count", fields.count)
            if not isinstance(tree, Number):
                raise entry.error("the number of rows must be known", field="count")
            count = int(tree.value)
        table: Iterable[dict[str, Value]] = ({} for _ in range(count))
        if fields.rows or fields.columns:
            table = self._by_rows(entry, fields) if fields.rows else self._by_columns(entry, fields)
            table = table if fields.count is None and not tensors else [*table]
        self._check_lengths(entry, fields, table, count, tensors)
        for i, names in enumerate(table):
            if fields.index in names:
                cause = f"the index '{fields.index}' is a column of the table, too"
                raise entry.error(cause, field="index")
            if fields.index:
                names[fields.index] = Number(i)
            self.expansion.counted(entry)
            here = {name: one(column[i]) for name, column in tensors.items()}
            self._check_shadows(entry, {**names, **dict.fromkeys(here, Number(i))})
            yield RowNames(names, here)

    def _columns_of_tensors(self, entry: Entry, fields: Foreach) -> dict[str, tuple[Tensor, ...]]:
        """Return, for each name that means another tensor in every row, these tensors."""
        found: dict[str, tuple[Tensor, ...]] = {}
        for name, trees in fields.tensors.items():
            several = len(trees) == 1
            with self._at(entry, "tensors", name):
                tensors = (self._tensors_of(tree, several=several) for tree in trees)
                found[name] = tuple(chain.from_iterable(tensors))
        return found

    def _check_lengths(
        self,
        entry: Entry,
        fields: Foreach,
        table: Iterable[dict[str, Value]],
        count: int,
        tensors: Mapping[str, tuple[Tensor, ...]],
    ) -> None:
        """Check that there is a row for every tensor, and a tensor of each name for every row."""
        lengths = {f"tensors.{name}": len(column) for name, column in tensors.items()}
        if isinstance(table, list):
            lengths["the table"] = len(table)
        if fields.count is not None:
            lengths["count"] = count
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise entry.error(f"the numbers of rows differ: {shown}")

    def _by_rows(self, entry: Entry, fields: Foreach) -> Iterator[dict[str, Value]]:
        for i, row in enumerate(fields.rows):
            missing = set(fields.rows[0]) ^ set(row)
            if missing:
                path = (*entry.path, entry.key, "rows", i)
                names = ", ".join(sorted(missing))
                cause = f"row {i + 1} and row 1 differ in the columns {names}"
                raise self.document.error(path, cause, entry=entry.key)
            yield self._row(entry, row, ("rows", i))

    def _by_columns(self, entry: Entry, fields: Foreach) -> Iterator[dict[str, Value]]:
        columns = self._row(entry, fields.columns, ("columns",))
        lists: list[tuple[Value, ...]] = []
        for name, column in columns.items():
            with self._at(entry, "columns", name):
                if not isinstance(column, Items):
                    raise ExpressionError("a column is a list")
                if not column.values:
                    raise ExpressionError("a column has a value for every row")
                lists.append(column.values)
                if len(column.values) != len(lists[0]):
                    raise ExpressionError("the columns are of different lengths")
        for values in zip(*lists, strict=True):
            yield dict(zip(columns, values, strict=True))

    def _copies(
        self,
        entry: Entry,
        name: str,
        kind: str,
        source: Outputs,
        rows: Iterable[RowNames],
        *,
        shared: bool = False,
        carried: int | None = None,
    ) -> tuple[tuple[Item, ...], list[Outputs]]:
        """The body once for each row, each copy fed by the one before; what leaves each.

        Args:
            entry: the composite.
            name: its name.
            kind: what a copy is called, before its number.
            source: what enters the first.
            rows: what the names in each copy mean.
            shared: whether all have the weights of the first.
            carried: how many tensors must leave each, where that is said.
        """
        groups: list[Item] = []
        left = [source]
        for number, row in enumerate(rows, 1):
            met = self.expansion.gathered.met
            place, body = f"{name}/{kind}_{number}", entry.bodies["layers"][0]
            frame = self.inner(left[-1], place, row.names, copied=True)
            frame.tensors.update(row.tensors)
            if shared and number > 1:
                frame.sharing = Sharing(frame.path, f"{self.path}{name}/{kind}_1/")
            items, outputs = frame.body(body)
            if carried is not None and self.expansion.gathered.met == met:
                self._check_carried(entry, carried, len(outputs.carried))
            groups += self._grouped(entry, place, kind, items, outputs.carried[0])
            left.append(outputs)
            if self.expansion.gathered.met > met:
                self.expansion.gathered.excuse(f"outputs {self.path}{name}")
                break  # the copies after it have the same errors
        return tuple(groups), left[1:] or left

    def _row(self, entry: Entry, row: Mapping[str, Any], place: Path_) -> dict[str, Value]:
        """The names of a row, or of the columns, that stand at ``place``."""
        names: dict[str, Value] = {}
        for name, value in row.items():
            with self._at(entry, *place, name):
                names[name] = resolved_value(value, self._at_sizes_of(None))
        return names

    def _check_shadows(self, entry: Entry, names: Mapping[str, Value]) -> None:
        for name in names:
            if name in self.scope.names:
                cause = f"'{name}' has a meaning already; a name shadows nothing"
                raise entry.error(cause, field="index")

    def _structural(self, entry: Entry, field: str, expression: Expression) -> Tree:
        """A count that decides structure: a number, or an expression of free symbols."""
        with self._at(entry, field):
            scope = self._at_sizes_of(None)
            tree = as_expression(checked_size(resolve(expression.tree, scope))).tree
            if isinstance(tree, Number) and (tree.value.denominator != 1 or tree.value < 0):
                raise ExpressionError(f"{tree.value} is no number of turns")
            return tree

    def _repeat(self, entry: Entry, fields: Repetition, name: str, source: Outputs) -> Made:
        times = self._structural(entry, "times", fields.times)
        shared = self._flag(entry, "shared", fields.shared)
        if times == Number(0):
            return (), source
        is_known = isinstance(times, Number)
        if fields.index is None and not (is_known and len(source.carried) > 1):
            loop, outputs = self._looped(entry, name, source, times, Number(1) if shared else times)
            if loop is None:
                return (), source
            self._remember(entry, outputs)
            return (loop,), outputs
        if not isinstance(times, Number):
            raise SpecError(
                "the turns have an index, so their number must be known",
                hint="fix the symbols in times with --set, or leave the index out",
                origin=entry.fields.get("times", entry.origin),
                entry=f"{entry.key}.times",
            )
        self._check_shadows(entry, {fields.index: times} if fields.index else {})
        indices = self._indices(entry, fields.index, int(times.value))
        taken = len(source.carried)
        groups, results = self._copies(
            entry, name, "turn", source, indices, shared=shared, carried=taken
        )
        return self._group(entry, name, groups, results[-1])

    def _check_carried(self, entry: Entry, taken: int, given: int) -> None:
        """Check that as many tensors leave a turn of a repeat as enter it."""
        if given != taken:
            cause = f"a turn takes {taken} tensor{'s' * (taken > 1)} and gives {given}"
            raise entry.error(
                cause, "as many must leave a turn as enter it; see outputs of a block"
            )

    def _indices(self, entry: Entry, index: str | None, times: int) -> Iterator[RowNames]:
        """Yield the index of every iteration, each counted as it is reached."""
        for i in range(times):
            self.expansion.counted(entry)
            yield RowNames({index: Number(i)} if index else {}, {})

    def _shared(self, entry: Entry, fields: Share, name: str, inputs: tuple[Tensor, ...]) -> Made:
        """The entry of a name once more, with the same weights, where other tensors enter it."""
        with self._at(entry, "of"):
            path = self._reference(fields.of).path
            if path not in self.expansion.applied:
                raise ExpressionError(f"'{text_of(fields.of)}' is no entry that can be shared")
        first, there = self.expansion.applied[path]
        self._check_count(entry, first.content, inputs)
        again = replace(
            there,
            path=self.path,
            copy=self.copy,
            latest=self.latest,
            sharing=Sharing(self.path + name, path),
        )
        return again._item(first._replace(name=entry.name), name, inputs)

    def _used(self, entry: Entry, fields: Use, name: str, inputs: tuple[Tensor, ...]) -> Made:
        """The layers of another spec, whose input is what enters here."""
        at = self.document.origin((*entry.path, entry.key, "network"))
        key = f"{entry.key}.network"
        other = read_beside(fields.network, self.document, at, key, self.expansion.around)
        if len(inputs) != len(other.header.input):
            count = len(other.header.input)
            raise self._wrong_count(entry, len(inputs), (count, count))
        entering = dict(zip(other.header.input, inputs, strict=True))
        derived = self._bound(entry, fields, other, entering)
        numbers = {n: v for n, v in other.header.defaults.items() if n not in derived}
        lets = self._values_for(entry, fields, "let", other.header.let, inputs[0])
        scope = _outer_scope(other, numbers, derived, self.expansion.gathered, lets)
        expansion = self.expansion.of(other, scope)
        frame = replace(
            self.inner(entering_of(inputs), name),
            expansion=expansion,
            scope=expansion.outer,
            document=other.document,
            tensors={key: one(tensor) for key, tensor in entering.items()},
            parent=None,
            blocks=(),
            precision=other.header.precision.of_all.over(self.precision),
        )
        items = tuple(frame._until(entry, fields.until, other.entries))
        given = _inputs(other, expansion.outer, self.expansion.gathered)
        expects = tuple((entering[each.name], each) for each in given)
        inside = {n: found.outputs for n, found in expansion.named.items() if found}
        inner = {**inside, **frame.tensors}
        output = frame.latest._replace(path=self.path + name, parts={}, inner=inner)
        groups, outputs = self._group(entry, name, items, output)
        found = (group._replace(expects=expects) for group in groups if isinstance(group, Group))
        return tuple(found), outputs

    def _bound(
        self, entry: Entry, fields: Use, other: Architecture, entering: Mapping[str, Tensor]
    ) -> dict[str, Tree]:
        """The symbols of a network that do not have its own values: given, or sizes of an input."""
        found: dict[str, Tree] = {}
        known = other.header.symbols
        first = next(iter(entering.values()))
        for name, value in self._values_for(entry, fields, "symbols", known, first).items():
            with self._at(entry, "symbols", name):
                found[name] = as_expression(value).tree
        for given, sizes in other.header.input.items():
            for axis, size in enumerate(sizes):
                if isinstance(size.tree, Name) and size.tree.id in known:
                    found.setdefault(size.tree.id, Measure(entering[given], axis))
        return found

    def _values_for(
        self, entry: Entry, fields: Use, place: str, known: Iterable[str], first: Tensor
    ) -> dict[str, Value]:
        """Return the values that an entry gives to names of the network that it uses."""
        found: dict[str, Value] = {}
        for name, value in getattr(fields, place).items():
            with self._at(entry, place, name):
                if name not in known:
                    what = "symbol" if place == "symbols" else "let name"
                    hint = did_you_mean(name, known)
                    raise ExpressionError(f"{fields.network} has no {what} '{name}'", hint=hint)
                found[name] = resolved_value(value, self._at_sizes_of(first))
        return found

    def _until(self, entry: Entry, last: str | None, entries: Entries) -> Iterator[Item]:
        """Yield the items of some entries, the one of a name the last."""
        for each in entries:
            yield from self.items((each,))
            if last in self.tensors:
                return
        if last is not None:
            cause = f"there is no entry '{last}' to end with"
            raise entry.error(cause, did_you_mean(last, self.tensors), "until")

    def _looped(
        self,
        entry: Entry,
        place: str,
        source: Outputs,
        runs: Tree,
        copies: Tree,
        chosen_by: Tensor | None = None,
    ) -> tuple[Repeat | None, Outputs]:
        """The body at a place below this frame as a repeat, with what leaves it.

        There is no repeat where the body has no layer.
        """
        path, sources = self.path + place, source.carried
        entries = _tensors_at(f"{path}/input", len(sources))
        body = self.inner(entering_of(entries), place, copied=True, reserved=("input",))
        outside, met = len(self.expansion.sides), self.expansion.gathered.met
        items, left = self._turn(entry, body, len(sources))
        sides = self.expansion.sides[outside:]
        del self.expansion.sides[outside:]
        if not items:
            if left.carried != entries and self.expansion.gathered.met == met:
                raise entry.error("a turn has no layer, and gives the tensors in another order")
            outer = dict(zip(entries, sources, strict=True))
            self.expansion.sides += (outer.get(side, side) for side in sides)
            return None, source
        outputs = _tensors_at(path, len(sources))
        carried = tuple(map(Carry, sources, entries, left.carried, outputs))
        if len(carried) > 1:
            self._check_alike(entry, carried)
            outputs = tuple(each.source if each.is_kept else each.output for each in carried)
        work = place.rpartition("/")[2], path, entry.key, runs, copies, items, carried
        loop = Repeat(*work, entry.origin, entry.fields, chosen_by, tuple(sides))
        if len(outputs) == 1:
            return loop, one(outputs[0])
        return loop, Outputs(path, None, dict(zip(left.parts, outputs, strict=False)))

    def _check_alike(self, entry: Entry, carried: tuple[Carry, ...]) -> None:
        """Check that all turns of an open number do the same with the tensors that they carry."""
        entries = [each.entry for each in carried]
        twice = len({each.source for each in carried}) < len(carried)
        moved = any(each.result in entries and not each.is_kept for each in carried)
        if moved or twice or len({each.result for each in carried}) < len(carried):
            cause = "the first turn takes one tensor for several"
            if not twice:
                cause = "a turn gives one tensor for several"
            if moved:
                cause = "a turn hands on what enters it in another place"
            hint = "fix the symbols in times with --set"
            cause = f"{cause}, so the number of turns must be known"
            raise entry.error(cause, hint, "times")

    def _turn(self, entry: Entry, body: "_Frame", taken: int) -> Made:
        """The items of a turn of a repeat, and what leaves it: as many tensors as enter."""
        if taken == 1:
            items, result = body._single_body(entry.bodies["layers"][0])
            return items, one(result)
        met = self.expansion.gathered.met
        items, left = body.body(entry.bodies["layers"][0])
        if self.expansion.gathered.met == met:
            self._check_carried(entry, taken, len(left.carried))
        return items, left

    def _experts(self, entry: Entry, fields: Moe, name: str, source: Tensor) -> Made:
        experts = self._structural(entry, "experts", fields.experts)
        top_k = self._structural(entry, "top_k", fields.top_k)
        sizes = {"out_features": Expression(experts), "bias": fields.router_bias}
        nodes = [self._own_node(entry, f"{name}/router", "linear", (source,), **sizes)]
        if self._flag(entry, "balance", fields.balance):
            shape = {"shape": [Expression(experts)]}
            nodes.append(self._own_node(entry, f"{name}/balance", "constant", (), **shape))
            pair = Tensor(nodes[0].path), Tensor(nodes[1].path)
            nodes.append(self._own_node(entry, f"{name}/balanced", "add", pair))
        chosen_by = Tensor(nodes[-1].path)
        place = f"{name}/experts"
        loop, outputs = self._looped(entry, place, one(source), top_k, experts, chosen_by)
        if loop is None:
            raise entry.error("an expert has no layer")
        return self._group(entry, name, (*nodes, loop), outputs.carried[0])


def _tensors_at(path: str, count: int) -> tuple[Tensor, ...]:
    """Return the tensors of a path: the one, or so many by their numbers."""
    return (Tensor(path),) if count == 1 else tuple(Tensor(path, i) for i in range(count))


def _outermost(expansion: _Expansion) -> _Frame:
    """Return the frame of the spec's own entries, which the network's inputs enter."""
    tensors = {name: Tensor(name) for name in expansion.architecture.header.input}
    first, *others = tensors.values()
    named = {name: one(tensor) for name, tensor in tensors.items()}
    latest = Outputs("", None, tensors) if others else one(first)
    document = expansion.architecture.document
    return _Frame(expansion, expansion.outer, document, named, latest=latest)

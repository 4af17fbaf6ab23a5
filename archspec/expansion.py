"""Architecture → Graph: conditions are decided, blocks and tables expanded, names resolved."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from archspec.architecture import Architecture
from archspec.arithmetic import Rational
from archspec.composites import Foreach, Fused, Moe, Parallel, Repetition, Residual, Side
from archspec.document import Path_, YamlDocument
from archspec.entries import BlockCall, Entries, Entry
from archspec.errors import FinalError, Gathered, SpecError, did_you_mean
from archspec.expressions import ExpressionError, inside
from archspec.fields import Condition, Expression, flag
from archspec.graph import Graph, Group, Input, Item, Node, Repeat, items_in
from archspec.header import Header, Symbol
from archspec.layers import Layer, find_kind
from archspec.layers.base import FieldError, as_expression, decided
from archspec.precision import UNSAID, Precision, innermost
from archspec.scope import Scope, checked_size, resolve
from archspec.trees import Items, Name, Number, Tensor, Tree, Value
from archspec.validation import RESERVED_KEYS

MAX_ITEMS = 20_000
"""The most items a graph may have once its tables and blocks are expanded."""


MAX_BLOCKS = 30
"""How deep blocks may call blocks."""


def build_graph(
    architecture: Architecture,
    settings: Mapping[str, Rational] | None = None,
    derived: Mapping[str, Tree] | None = None,
) -> Graph:
    """Decide the structure of an architecture.

    Args:
        architecture: the spec.
        settings: symbols that stand for numbers.
        derived: symbols that stand for expressions of the others.

    Raises:
        SpecError: a setting, a name or a structural expression breaks a rule.
    """
    settings, derived = settings or {}, derived or {}
    header, document = architecture.header, architecture.document
    values = _values(header, settings, derived)
    gathered = Gathered()
    with gathered.together():
        scope = _outer_scope(architecture, settings, derived, gathered)
        expansion = _Expansion(architecture, scope, gathered)
        inputs = tuple(_inputs(architecture, scope, gathered))
        items, output = _outermost(expansion).body(architecture.entries)
    if not items:
        raise document.key_error(("layers",), "every entry is left out", entry="layers")
    return Graph(
        name=header.name,
        variant=architecture.variant,
        source=header.source,
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
) -> Scope:
    """Return the scope of the symbols, and of the ``let`` values in their order."""
    header = architecture.header
    numbers = {name: Number(value) for name, value in settings.items()}
    names: dict[str, Value] = {name: Name(name) for name in header.symbols}
    names |= numbers | dict(derived)
    scope = Scope(names)
    variant = header.variants.get(architecture.variant or "")
    redefined = variant.let if variant else {}
    for name, value in header.let.items():
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

Made = tuple[tuple[Item, ...], Tensor]
"""The item that an entry makes, if it makes one, and what leaves it."""


class Named(NamedTuple):
    """The output of a named entry, and the path of the copied body around it ('' if none)."""

    tensor: Tensor
    copy: str


class _Expansion:
    """The state that all frames of one expansion share."""

    def __init__(self, architecture: Architecture, outer: Scope, gathered: Gathered) -> None:
        self.architecture = architecture
        self.outer = outer
        self.gathered = gathered
        self.count = 0
        self.named: dict[str, Named | None] = {}  # every author's name; None if two bear it
        self.sides: list[Tensor] = []
        self.outputs: dict[str, int] = {}  # path → number of outputs, where there are several

    def counted(self, entry: Entry) -> None:
        """Refuse a graph that grows beyond all use."""
        self.count += 1
        if self.count > MAX_ITEMS:
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
    tensors: dict[str, Tensor]
    parent: "_Frame | None" = None
    path: str = ""
    blocks: tuple[str, ...] = ()
    copy: str = ""  # the path of the innermost body around that there are several copies of
    reserved: frozenset[str] = frozenset()  # what the composite calls its own parts
    precision: Precision = UNSAID  # what the entries around state
    trainable: bool = True  # what they say of training
    counts: Counter[str] = field(default_factory=Counter)
    latest: Tensor | None = None  # what leaves the entry before; None if it may be any input

    @property
    def document(self) -> YamlDocument:
        """The text that is expanded."""
        return self.expansion.architecture.document

    @property
    def previous(self) -> Tensor:
        """The tensor of the entry before."""
        if self.latest is None:
            raise ExpressionError(
                f"'previous' could be any of the inputs {', '.join(self.tensors)}",
                hint="say which with from",
            )
        return self._single(self.latest, "previous")

    def _single(self, tensor: Tensor, name: str) -> Tensor:
        """A tensor that is the only output of its producer, or one of several by number."""
        if self._is_several(tensor):
            bearer = tensor.producer.rpartition("/")[2]
            count = self.expansion.outputs[tensor.producer]
            raise ExpressionError(
                f"'{name}' could be any of the {count} outputs of {bearer}",
                hint=f"say which with from, as {bearer}.0",
            )
        return tensor

    def inner(
        self,
        tensor: Tensor,
        name: str,
        names: Names | None = None,
        *,
        copied: bool = False,
        reserved: Iterable[str] = (),
    ) -> "_Frame":
        """The frame of a body inside this one, which ``tensor`` enters."""
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
            latest=tensor,
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
        items, output = frame._item(entry, name, inputs)
        self.tensors[name] = output
        if not isinstance(entry.content, Side):
            self.latest = output
        return items

    def _stand_in(self, entry: Entry) -> None:
        """Let a tensor stand for what would leave an entry that is wrong, and excuse what follows.

        So the entries behind it are looked at, too.
        """
        gathered, output = self.expansion.gathered, Tensor(f"{self.path}{entry.name or entry.key}")
        gathered.excuse(f"outputs {output.producer}")
        for name in self.expansion.architecture.names_within(entry):
            gathered.excuse(f"tensor {name}")
        if entry.name:
            self.tensors.setdefault(entry.name, output)
        if not isinstance(entry.content, Side):
            self.latest = output

    def _stated(self, kind: str) -> Precision:
        """Return the number types stated for a layer of this kind at this place."""
        by_kind = self.expansion.architecture.header.precision.of_kind(kind)
        return innermost(self.precision, by_kind)

    def body(self, entries: Entries) -> tuple[tuple[Item, ...], Tensor]:
        """The items of a list of entries, and the tensor that leaves it."""
        items = tuple(self.items(entries))
        try:
            return items, self.previous
        except ExpressionError as error:
            raise entries[-1].error(error.cause, error.hint) from None

    def _inputs(self, entry: Entry) -> tuple[Tensor, ...]:
        """The tensors that enter; nothing enters a layer that takes nothing."""
        if isinstance(entry.content, Layer) and entry.content.takes == (0, 0):
            if entry.sources != ("previous",):
                raise self._wrong_count(entry, len(entry.sources))
            return ()
        return tuple(self._source(source, entry) for source in entry.sources)

    def _is_in(self, entry: Entry) -> bool:
        return entry.when is None or self._holds(entry, "when", entry.when)

    def _is_trained(self, entry: Entry) -> bool:
        """Return whether an entry is trained: as it says, else as what is around it."""
        said = entry.trainable
        return self.trainable if said is None else self._holds(entry, "trainable", said)

    def _holds(self, entry: Entry, key: str, condition: Condition) -> bool:
        """Return whether a condition that stands beside a kind holds."""
        with self._at(entry, key):
            return decided(resolve(condition.tree, self.scope.entering(None))).value

    def _at(self, entry: Entry, *place: str | int) -> AbstractContextManager[None]:
        """Give an expression's error the place of a field of an entry, or of what is in it."""
        beside = place[0] in RESERVED_KEYS
        path = (*entry.path, *place) if beside else (*entry.path, entry.key, *place)
        return self.document.placing(path, f"{entry.key}.{place[-1]}")

    def _source(self, name: str, entry: Entry) -> Tensor:
        with self._at(entry, "from"):
            if name == "previous":
                return self.previous
            bearer, dot, number = name.rpartition(".")
            return self._part(bearer, number) if dot else self._single(self._lookup(name), name)

    def _is_several(self, tensor: Tensor) -> bool:
        return tensor.output is None and tensor.producer in self.expansion.outputs

    def _part(self, bearer: str, number: str) -> Tensor:
        """One of several outputs, counted from 0."""
        tensor = self._lookup(bearer)
        count = self.expansion.outputs[tensor.producer] if self._is_several(tensor) else 1
        if count == 1 or not (number.isdecimal() and number.isascii() and int(number) < count):
            has = f"the outputs 0 to {count - 1}" if count > 1 else "one output, without a number"
            cause, subject = f"'{bearer}' has {has}; there is no '{number}'", tensor.producer
            raise ExpressionError(cause, subject=f"outputs {subject}")
        return Tensor(tensor.producer, int(number))

    def _lookup(self, name: str) -> Tensor:
        """The tensor of a name: of this list, of the lists around it, or of its only bearer."""
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.tensors:
                return frame.tensors[name]
            frame = frame.parent
        named = self.expansion.named.get(name)
        if named is not None and self.path.startswith(named.copy):
            return named.tensor
        known = {key for key, value in self.expansion.named.items() if value} | set(self.tensors)
        known.discard(name)
        why = "names no tensor here"
        if name in self.expansion.named:
            inside = f"names one in every turn of {named.copy[:-1]}" if named else None
            why = inside or "names several tensors"
        cause, hint = f"'{name}' {why}", did_you_mean(name, known)
        raise ExpressionError(cause, hint=hint, subject=f"tensor {name}")

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
        if isinstance(content, Layer):
            return self._node(entry, content, name, inputs)
        if len(inputs) != 1:
            raise self._wrong_count(entry, len(inputs))
        match content:
            case BlockCall():
                return self._block(entry, content, name, inputs[0])
            case Residual():
                return self._residual(entry, name, inputs[0])
            case Parallel():
                return self._parallel(entry, content, name, inputs[0])
            case Side() | Fused():
                return self._aside(entry, content, name, inputs[0])
            case Foreach():
                return self._copies(entry, name, "row", inputs[0], self._rows(entry, content))
            case Repetition():
                return self._repeat(entry, content, name, inputs[0])
            case Moe():
                return self._experts(entry, content, name, inputs[0])
        raise LookupError(f"'{entry.key}' has no expansion; it belongs in archspec/expansion.py")

    def _node(self, entry: Entry, layer: Layer, name: str, inputs: tuple[Tensor, ...]) -> Made:
        least, most = layer.takes
        if not least <= len(inputs) <= (len(inputs) if most is None else most):
            raise self._wrong_count(entry, len(inputs))
        path = self.path + name
        try:
            resolved = layer.resolved(self.scope.entering(inputs[0] if inputs else self._before()))
            outputs = resolved.outputs
        except FieldError as error:
            gathered = Gathered()
            with gathered.together():
                for each in error.errors:
                    gathered.add(self._placed(entry, each))
        if outputs > 1:
            self.expansion.outputs[path] = outputs
        tied, stated = self._tied(entry), self._stated(layer.kind)
        node = Node(
            *(name, path, resolved, inputs, entry.origin, entry.fields),
            tied=tied,
            precision=stated,
            torch=entry.torch,
            trainable=self.trainable,
        )
        self._remember(entry, Tensor(path))
        return (node,), Tensor(path)

    def _placed(self, entry: Entry, error: SpecError) -> SpecError:
        """The error of a field of an entry, at the place of the field."""
        assert isinstance(error, FieldError)
        place = (*entry.path, entry.key, error.field, *error.path)
        origin = self.document.origin(place).shifted(error.position)
        alone = error.placed(origin, f"{entry.key}.{error.field}")
        alone.others = ()
        return alone

    def _before(self) -> Tensor | None:
        """The one tensor of the entry before, if there is one."""
        return None if self.latest is None or self._is_several(self.latest) else self.latest

    def _wrong_count(self, entry: Entry, count: int) -> SpecError:
        """The error that says how many inputs an entry takes."""
        least, most = entry.content.takes if isinstance(entry.content, Layer) else (1, 1)
        wanted = (
            str(least) if least == most else f"{least} to {most}" if most else f"{least} or more"
        )
        cause = f"takes {wanted} input{'' if wanted == '1' else 's'}, not {count}"
        hint = "name them with from, as from: [a, b]" if count < least else None
        return self.document.error((*entry.path, "from"), cause, hint=hint, entry=entry.key)

    def _tied(self, entry: Entry) -> str | None:
        owner = getattr(entry.content, "weight", None)
        if not isinstance(owner, str):
            return None
        with self._at(entry, "weight"):
            return self._lookup(owner).producer

    def _remember(self, entry: Entry, tensor: Tensor) -> None:
        if entry.name is not None:
            named = self.expansion.named
            mine = Named(tensor, self.copy)
            named[entry.name] = None if entry.name in named else mine

    def _group(self, entry: Entry, name: str, items: tuple[Item, ...], output: Tensor) -> Made:
        """A group of items, if there are any; and what leaves it."""
        self._remember(entry, output)
        return self._grouped(entry, name, entry.key, items, output), output

    def _grouped(
        self, entry: Entry, place: str, kind: str, items: tuple[Item, ...], output: Tensor
    ) -> tuple[Group, ...]:
        """The group of the items at a place below this frame, if there are any."""
        name = place.rpartition("/")[2]
        group = Group(name, self.path + place, kind, items, output, entry.origin)
        return (group,) if items else ()

    def _part_group(
        self, entry: Entry, place: str, entries: Entries, source: Tensor, names: Names | None = None
    ) -> Made:
        """A part of a composite, as ``branch_1``: its group, if it has items; what leaves it.

        With names of its own it is one of several copies of a body.
        """
        frame = self.inner(source, place, names, copied=names is not None)
        items, output = frame.body(entries)
        kind = place.rpartition("/")[2].split("_")[0]
        return self._grouped(entry, place, kind, items, output), output

    def _block(self, entry: Entry, call: BlockCall, name: str, source: Tensor) -> Made:
        if call.block in self.blocks:
            way = " → ".join((*self.blocks, call.block))
            raise entry.error(f"block '{call.block}' calls itself: {way}")
        if len(self.blocks) >= MAX_BLOCKS:
            raise entry.error(f"blocks within blocks, more than {MAX_BLOCKS} deep")
        block = self.expansion.architecture.blocks[call.block]
        outer = self.expansion.outer
        names: dict[str, Value] = {}
        gathered = Gathered()
        with gathered.together():
            for parameter, default in block.parameters.items():
                given = parameter in call.arguments
                value = call.arguments[parameter] if given else default
                scope = self.scope if given else outer.extended(names)
                with gathered.gathering(), self._at(entry, parameter):
                    names[parameter] = resolved_value(value, scope.entering(source))
                    continue
                gathered.excuse(f"name {parameter}")
        frame = replace(
            self.inner(source, name),
            scope=outer.extended(names),
            parent=self._top(),
            blocks=(*self.blocks, call.block),
        )
        return self._group(entry, name, *frame.body(block.entries))

    def _top(self) -> "_Frame":
        return self if self.parent is None else self.parent._top()

    def _residual(self, entry: Entry, name: str, source: Tensor) -> Made:
        inside = self.inner(source, name, reserved=("add", "shortcut"))
        items, body = inside.body(entry.bodies["layers"][0])
        short, shortcut = self._part_group(
            entry, f"{name}/shortcut", entry.bodies["shortcut"][0], source
        )
        merge = self._own_node(entry, f"{name}/add", "add", (body, shortcut))
        return self._group(entry, name, (*items, *short, merge), Tensor(merge.path))

    def _own_node(
        self, entry: Entry, place: str, kind: str, inputs: tuple[Tensor, ...], **fields: object
    ) -> Node:
        """A layer that a composite has of itself, at a place below this frame."""
        layer = find_kind(kind).model_construct(_fields_set=set(fields), **fields)
        name, path = place.rpartition("/")[2], self.path + place
        node = Node(name, path, layer, inputs, entry.origin, entry.fields)
        return node._replace(precision=self._stated(kind), trainable=self.trainable)

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
                extra["axis"] = as_expression(resolve(fields.axis.tree, self.scope))
        merge = self._own_node(
            entry, f"{name}/{fields.merge}", fields.merge, tuple(outputs), **extra
        )
        return self._group(entry, name, (*groups, merge), Tensor(merge.path))

    def _aside(self, entry: Entry, fields: Side | Fused, name: str, source: Tensor) -> Made:
        """The group of a body that ends in a side branch's output, or that works as one kernel."""
        items, output = self.inner(source, name).body(entry.bodies["layers"][0])
        if isinstance(fields, Side):
            self.expansion.sides.append(output)
        elif inside := next((i for i in items_in(items) if isinstance(i, Repeat)), None):
            cause = f"a fused body holds no {inside.kind}, which '{inside.path}' is"
            hint = f"write fused inside the {inside.kind}, around its layers"
            raise entry.error(cause, hint=hint)
        return self._group(entry, name, items, output)

    def _rows(self, entry: Entry, fields: Foreach) -> Iterator[dict[str, Value]]:
        """Yield the names of every row, each row checked as it is reached."""
        if bool(fields.rows) == bool(fields.columns):
            raise entry.error("takes rows or columns, one of them")
        table = self._by_rows(entry, fields) if fields.rows else self._by_columns(entry, fields)
        for i, names in enumerate(table):
            if fields.index in names:
                cause = f"the index '{fields.index}' is a column of the table, too"
                raise entry.error(cause, field="index")
            if fields.index:
                names[fields.index] = Number(i)
            self._check_shadows(entry, names)
            yield names

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
        self, entry: Entry, name: str, kind: str, source: Tensor, scopes: Iterable[Names]
    ) -> Made:
        """The body once for each set of names, each copy fed by the one before."""
        groups: list[Item] = []
        for number, names in enumerate(scopes, 1):
            met = self.expansion.gathered.met
            place, body = f"{name}/{kind}_{number}", entry.bodies["layers"][0]
            group, source = self._part_group(entry, place, body, source, names)
            groups += group
            if self.expansion.gathered.met > met:
                break  # the copies after it have the same errors
        return self._group(entry, name, tuple(groups), source)

    def _row(self, entry: Entry, row: Mapping[str, Any], place: Path_) -> dict[str, Value]:
        """The names of a row, or of the columns, that stand at ``place``."""
        names: dict[str, Value] = {}
        for name, value in row.items():
            with self._at(entry, *place, name):
                names[name] = resolved_value(value, self.scope.entering(None))
        return names

    def _check_shadows(self, entry: Entry, names: Mapping[str, Value]) -> None:
        for name in names:
            if name in self.scope.names:
                cause = f"'{name}' has a meaning already; a name shadows nothing"
                raise entry.error(cause, field="index")

    def _structural(self, entry: Entry, field: str, expression: Expression) -> Tree:
        """A count that decides structure: a number, or an expression of free symbols."""
        with self._at(entry, field):
            scope = self.scope.entering(None)
            tree = as_expression(checked_size(resolve(expression.tree, scope))).tree
            if isinstance(tree, Number) and (tree.value.denominator != 1 or tree.value < 0):
                raise ExpressionError(f"{tree.value} is no number of turns")
            return tree

    def _repeat(self, entry: Entry, fields: Repetition, name: str, source: Tensor) -> Made:
        times = self._structural(entry, "times", fields.times)
        if times == Number(0):
            return (), source
        if fields.index is None:
            loop = self._looped(entry, name, source, times, times)
            if loop is None:
                return (), source
            self._remember(entry, Tensor(loop.path))
            return (loop,), Tensor(loop.path)
        if not isinstance(times, Number):
            raise SpecError(
                "the turns have an index, so their number must be known",
                hint="fix the symbols in times with --set, or leave the index out",
                origin=entry.fields.get("times", entry.origin),
                entry=f"{entry.key}.times",
            )
        self._check_shadows(entry, {fields.index: times})
        indices = self._indices(entry, fields.index, int(times.value))
        return self._copies(entry, name, "turn", source, indices)

    def _indices(self, entry: Entry, index: str, times: int) -> Iterator[dict[str, Value]]:
        """Yield the index of every iteration, each counted as it is reached."""
        for i in range(times):
            self.expansion.counted(entry)
            yield {index: Number(i)}

    def _looped(
        self,
        entry: Entry,
        place: str,
        source: Tensor,
        runs: Tree,
        copies: Tree,
        chosen_by: Tensor | None = None,
    ) -> Repeat | None:
        """The body at a place below this frame as a repeat; None where it has no layer."""
        path = self.path + place
        inside = Tensor(f"{path}/input")
        body = self.inner(inside, place, copied=True, reserved=("input",))
        outside = len(self.expansion.sides)
        items, result = body.body(entry.bodies["layers"][0])
        sides = self.expansion.sides[outside:]
        del self.expansion.sides[outside:]
        if not items:
            self.expansion.sides += (source if side == inside else side for side in sides)
            return None
        work = place.rpartition("/")[2], path, entry.key, runs, copies
        flow = items, source, inside, result
        return Repeat(*work, *flow, entry.origin, entry.fields, chosen_by, tuple(sides))

    def _experts(self, entry: Entry, fields: Moe, name: str, source: Tensor) -> Made:
        experts = self._structural(entry, "experts", fields.experts)
        top_k = self._structural(entry, "top_k", fields.top_k)
        sizes = {"out_features": Expression(experts), "bias": flag(False)}
        node = self._own_node(entry, f"{name}/router", "linear", (source,), **sizes)
        loop = self._looped(entry, f"{name}/experts", source, top_k, experts, Tensor(node.path))
        if loop is None:
            raise entry.error("an expert has no layer")
        return self._group(entry, name, (node, loop), Tensor(loop.path))


def _outermost(expansion: _Expansion) -> _Frame:
    """Return the frame of the spec's own entries, which the network's inputs enter."""
    tensors = {name: Tensor(name) for name in expansion.architecture.header.input}
    first, *others = tensors.values()
    return _Frame(expansion, expansion.outer, tensors, latest=None if others else first)

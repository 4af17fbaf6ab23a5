"""An architecture with its structure decided: nodes in order, fields resolved."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from archspec.architecture import Architecture, Entry, Symbol
from archspec.arithmetic import Rational
from archspec.document import Path_
from archspec.errors import Origin, SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.fields import Expression
from archspec.layers import FieldError, Layer
from archspec.layers.base import as_expressions, decided
from archspec.scope import Scope, checked_size, resolve
from archspec.trees import Items, Name, Number, Tensor, Value


class Node(NamedTuple):
    """One layer of the graph.

    Attributes:
        name: unique among its siblings.
        path: unique in the graph; also the name of its output tensor.
        layer: the kind's fields, resolved.
        inputs: the tensors that enter.
        origin: where its kind stands in the spec.
        fields: where its fields stand.
    """

    name: str
    path: str
    layer: Layer
    inputs: tuple[Tensor, ...]
    origin: Origin
    fields: Mapping[str, Origin]

    @property
    def kind(self) -> str:
        """The usual name of its kind."""
        return self.layer.kind

    def error(self, cause: str, hint: str | None = None, field: str | None = None) -> SpecError:
        """An error that names this node, and the place of a field of it."""
        origin = self.fields.get(field or "", self.origin)
        return SpecError(cause, hint=hint, origin=origin, entry=self.path)


class Graph(NamedTuple):
    """A network whose structure is decided.

    Attributes:
        name: the spec's name.
        source: where it is published.
        symbols: what it may depend on.
        values: every symbol's value: the default, or what was set.
        fixed: the symbols that were set; they stand for their numbers.
        inputs: name → shape, in expressions over the free symbols.
        nodes: in an order in which every input comes before its use.
        output: the last tensor.
    """

    name: str
    source: str | None
    symbols: Mapping[str, Symbol]
    values: Mapping[str, Rational]
    fixed: frozenset[str]
    inputs: Mapping[str, tuple[Expression, ...]]
    nodes: tuple[Node, ...]
    output: Tensor


def build_graph(
    architecture: Architecture, settings: Mapping[str, Rational] | None = None
) -> Graph:
    """Decide the structure of an architecture, with some symbols set to numbers.

    Raises:
        SpecError: a setting, a name or a structural expression breaks a rule.
    """
    settings = settings or {}
    header = architecture.header
    for name, value in settings.items():
        _check_setting(name, value, header.symbols)
    scope = _outer_scope(architecture, settings)
    builder = _Builder(architecture, scope)
    nodes = tuple(builder.nodes())
    return Graph(
        name=header.name,
        source=header.source,
        symbols=header.symbols,
        values=header.defaults | dict(settings),
        fixed=frozenset(settings),
        inputs=_input_shapes(architecture, scope),
        nodes=nodes,
        output=builder.previous(),
    )


def _check_setting(name: str, value: Rational, symbols: Mapping[str, Symbol]) -> None:
    if name not in symbols:
        hint = did_you_mean(name, symbols) or "this spec has no symbols"
        raise SpecError(f"there is no symbol '{name}' to set", hint=hint)
    broken = symbols[name].broken_rule(value)
    if broken:
        raise SpecError(f"{name} = {value} {broken}")


def _outer_scope(architecture: Architecture, settings: Mapping[str, Rational]) -> Scope:
    """The symbols, and the ``let`` values in their order."""
    header = architecture.header
    scope = Scope(
        {
            name: Number(settings[name]) if name in settings else Name(name)
            for name in header.symbols
        }
    )
    for name, value in header.let.items():
        with _place(architecture, ("let", name), f"let.{name}"):
            scope = scope.extended({name: _resolve_let(value, scope)})
    return scope


def _resolve_let(value: object, scope: Scope) -> Value:
    if isinstance(value, list):
        return Items(tuple(_resolve_let(item, scope) for item in value))
    return checked_size(resolve(value.tree, scope))  # type: ignore[attr-defined]


def _input_shapes(architecture: Architecture, scope: Scope) -> dict[str, tuple[Expression, ...]]:
    shapes = {}
    for name, sizes in architecture.header.input.items():
        with _place(architecture, ("input",), "input"):
            values = [as_expressions(checked_size(resolve(s.tree, scope))) for s in sizes]
        shapes[name] = tuple(v for v in values if isinstance(v, Expression))
    return shapes


@contextmanager
def _place(architecture: Architecture, path: Path_, entry: str) -> Iterator[None]:
    """Give an expression's error the place of the text it stands in."""
    try:
        yield
    except ExpressionError as error:
        origin = architecture.document.origin(path).shifted(error.position)
        raise SpecError(error.cause, hint=error.hint, origin=origin, entry=entry) from None


class _Builder:
    """The entries in order → nodes; ``tensors`` holds every name that ``from`` may use so far."""

    def __init__(self, architecture: Architecture, scope: Scope) -> None:
        self.architecture = architecture
        self.scope = scope
        self.tensors = {name: Tensor(name) for name in architecture.header.input}
        self.counts: Counter[str] = Counter()

    def nodes(self) -> Iterator[Node]:
        """The nodes of the entries that are in."""
        for entry in self.architecture.entries:
            if self._is_in(entry):
                yield self._node(entry)

    def previous(self) -> Tensor:
        """The latest tensor."""
        return next(reversed(self.tensors.values()))

    def _is_in(self, entry: Entry) -> bool:
        if entry.when is None:
            return True
        with _place(self.architecture, (*entry.path, "when"), f"{entry.key}.when"):
            return decided(resolve(entry.when.tree, self.scope)).value

    def _node(self, entry: Entry) -> Node:
        inputs = tuple(self._source(name, entry) for name in entry.sources)
        name = self._name(entry)
        layer = self._resolve(entry, inputs)
        node = Node(name, name, layer, inputs, entry.origin, entry.fields)
        self.tensors[name] = Tensor(name)
        return node

    def _source(self, name: str, entry: Entry) -> Tensor:
        if name == "previous":
            return self.previous()
        if name not in self.tensors:
            raise SpecError(
                f"'{name}' names no tensor that exists here",
                hint=did_you_mean(name, self.tensors),
                origin=self.architecture.document.origin((*entry.path, "from")),
                entry=entry.key,
            )
        return self.tensors[name]

    def _name(self, entry: Entry) -> str:
        if entry.name is None:
            return self._numbered(entry.layer.kind)
        if entry.name in self.tensors:
            raise SpecError(
                f"the name '{entry.name}' is taken",
                origin=self.architecture.document.origin((*entry.path, "name")),
                entry=entry.key,
            )
        return entry.name

    def _numbered(self, kind: str) -> str:
        self.counts[kind] += 1
        name = f"{kind}_{self.counts[kind]}"
        return self._numbered(kind) if name in self.tensors else name

    def _resolve(self, entry: Entry, inputs: tuple[Tensor, ...]) -> Layer:
        try:
            return entry.layer.resolved(self.scope.entering(inputs[0]))
        except FieldError as error:
            origin = entry.fields.get(error.field, entry.origin).shifted(error.position)
            raise error.placed(origin, f"{entry.key}.{error.field}") from None

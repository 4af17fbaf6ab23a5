"""A graph of PyTorch's operators → calls of the language's kinds."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from archspec.errors import SpecError
from archspec.importers.calls import Field, LayerCall, SourceModule
from archspec.importers.torch.inline import has_tensor, reads_elements
from archspec.importers.torch.inputs import is_users
from archspec.importers.torch.sizes import Number, number_of

Place = tuple[str, int]
"""A tensor: the call that makes it and which of its outputs it is."""


class Weight(NamedTuple):
    """A learned tensor as an operator takes it.

    Attributes:
        key: what identifies it.
        shape: its extents.
        parameters: the names of the parameters that it is made of.
    """

    key: str
    shape: tuple[int, ...]
    parameters: tuple[str, ...]


class Learned(NamedTuple):
    """A parameter of the module.

    Attributes:
        name: the first of its names.
        elements: how many numbers it has.
        shape: its extents.
        trainable: whether it is trained.
    """

    name: str
    elements: int
    shape: tuple[int, ...]
    trainable: bool


class Made(NamedTuple):
    """A call with the weights that its kind counts."""

    call: LayerCall
    weights: tuple[Weight, ...]


class Operator:
    """One operator of the graph, as the rows of the table read it."""

    def __init__(self, graph: "OperatorGraph", node: Any) -> None:
        self.graph = graph
        self.node = node
        self.value = node.meta.get("val")
        schema = getattr(node.target, "_schema", None)
        self.arguments: dict[str, Any] = {}
        for i, argument in enumerate(schema.arguments if schema else ()):
            given = node.args[i] if i < len(node.args) else None
            has_default = argument.has_default_value() and i >= len(node.args)
            value = argument.default_value if has_default else given
            self.arguments[argument.name] = node.kwargs.get(argument.name, value)

    @property
    def name(self) -> str:
        """Return the operator's name without overload: ``conv2d``, in place or not."""
        name = str(getattr(self.node.target, "_opname", getattr(self.node.target, "__name__", "")))
        return name if name.startswith("__") else name.rstrip("_")

    @property
    def full_name(self) -> str:
        """Return the name that errors show: ``aten.fft_rfft``."""
        space = getattr(self.node.target, "namespace", "operator")
        return f"{space}.{self.name}"

    @property
    def shape(self) -> tuple[Any, ...]:
        """Return the extents of what leaves it, of several tensors those of the first."""
        value = self.value[0] if isinstance(self.value, tuple | list) else self.value
        return tuple(value.shape)

    @property
    def first(self) -> str:
        """Return the name of the first argument that is a tensor."""
        return next(filter(self.is_tensor, self.arguments))

    def is_tensor(self, name: str) -> bool:
        """Return whether an argument is a tensor."""
        given: Any = self.arguments.get(name)
        return hasattr(given, "meta") and hasattr(given.meta.get("val"), "shape")

    def shape_of(self, name: str) -> tuple[Any, ...]:
        """Return the extents of a tensor that enters."""
        return tuple(self.arguments[name].meta["val"].shape)

    def plain(self, name: str) -> Any:
        """Return an argument with nodes of sizes replaced by their values."""
        return plain(self.arguments.get(name))

    def number(self, value: Any) -> Number:
        """Return a size as the language has it."""
        return number_of(value, self.graph.names)

    def numbers(self, values: Iterable[Any]) -> tuple[Number, ...]:
        """Return several sizes as the language has them."""
        return tuple(map(self.number, values))

    def tensor(self, name: str) -> str:
        """Return the tensor that enters as an argument, as calls name it."""
        return self.graph.tensor(self.arguments[name])

    def weight(self, name: str) -> Weight | None:
        """Return a learned tensor that no data enter; None where the argument is none."""
        node = self.arguments.get(name)
        return None if node is None else self.graph.weight(node)

    def is_learned(self, name: str) -> bool:
        """Return whether an argument is absent, or a learned tensor that no data enter."""
        node = self.arguments.get(name)
        return node is None or (self.graph.depends(node) == {"learned"})

    def emit(
        self,
        kind: str,
        fields: Mapping[str, Field],
        inputs: Iterable[str],
        *,
        weights: Iterable[Weight | None] = (),
        part: str = "",
    ) -> str:
        """Add a call; return its name.

        Args:
            kind: its kind.
            fields: its fields.
            inputs: the tensors that enter.
            weights: the learned tensors that its kind counts.
            part: what tells it from others of the same operator; the last has none.
        """
        name = f"{self.node.name}_{part}" if part else str(self.node.name)
        owned = tuple(weight for weight in weights if weight is not None)
        key = "|".join(weight.key for weight in owned)
        trainable = all(self.graph.is_trainable(weight) for weight in owned)
        shape = None if part else self._call_shape()
        modules, where = self.graph.modules_at(self.node), where_of(self.node)
        if kind in VIEWS:
            view = kind, repr(sorted(fields.items())), tuple(inputs), modules
            known = self.graph.views.setdefault(view, name)
            if known != name:
                self.graph.alias(self.node, known)
                return known
        call = LayerCall(
            name, kind, dict(fields), tuple(inputs), modules, key, trainable, shape, where
        )
        self.graph.made[name] = Made(call, owned)
        return name

    def outputs(self, tensors: tuple[str, ...]) -> None:
        """Let several calls be the outputs of one operator."""
        self.graph.outputs[str(self.node.name)] = tensors

    def _call_shape(self) -> tuple[Number, ...] | None:
        try:
            return self.numbers(self.shape)
        except (SpecError, AttributeError, IndexError):
            return None

    def unknown(self, cause: str = "no kind expresses this operator") -> SpecError:
        """Return the error of an operator that cannot be expressed."""
        modules = self.graph.modules(self.node)
        entry = modules[-1].path if modules else self.graph.root
        where = where_of(self.node)
        hint = "--partial marks it as missing and imports the rest"
        place = f" ({where})" if where else ""
        return SpecError(f"{self.full_name}{place}: {cause}", hint=hint, entry=entry)


def plain(value: Any) -> Any:
    """Return a value of PyTorch's graph with nodes of sizes replaced by their values."""
    if isinstance(value, list | tuple):
        return type(value)(plain(each) for each in value)
    return value.meta.get("val") if hasattr(value, "meta") and hasattr(value, "op") else value


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def where_of(node: Any) -> str:
    """Return the source line that made a node, outside of PyTorch: ``net.py:12``."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [each for each in frames if is_users(each[0])]
    file, line = (own or frames or [("", "")])[-1]
    return f"{file.rsplit('/', 1)[-1]}:{line}" if file else ""


class OperatorGraph:
    """The operators of an exported module, with what their tensors depend on."""

    def __init__(
        self,
        graph: Any,
        learned: Mapping[str, Learned],
        buffers: Iterable[str],
        names: Mapping[str, str],
        root: str,
    ) -> None:
        """Set the graph.

        Args:
            graph: PyTorch's graph.
            learned: placeholder → the parameter it is.
            buffers: the placeholders that are buffers.
            names: PyTorch's symbol of a size → what stands for it.
            root: the class of the module, for errors.
        """
        self.nodes = list(graph.nodes)
        self.learned = learned
        self.buffers = frozenset(buffers)
        self.names = names
        self.root = root
        self.made: dict[str, Made] = {}
        self.failed: dict[str, SpecError] = {}
        self.aliases: dict[str, str] = {}
        self.outputs: dict[str, tuple[str, ...]] = {}
        self.views: dict[tuple[object, ...], str] = {}
        self.current: Any = None
        self._depends: dict[Any, frozenset[str]] = {}

    def depends(self, node: Any) -> frozenset[str]:
        """Return what a tensor is made of: of ``data``, of what is ``learned``, or of neither."""
        stack = [node]
        while stack:
            each = stack[-1]
            inner = [n for n in each.all_input_nodes if n not in self._depends]
            if each in self._depends or not inner:
                self._depends.setdefault(each, self._own(each))
                stack.pop()
            else:
                stack += inner
        return self._depends[node]

    def _own(self, node: Any) -> frozenset[str]:
        if node.op == "placeholder":
            if node.name in self.learned:
                return frozenset(("learned",))
            return frozenset() if node.name in self.buffers else frozenset(("data",))
        if not reads_elements(node):
            return frozenset()
        return frozenset().union(*(self._depends[each] for each in node.all_input_nodes))

    def modules(self, node: Any) -> tuple[SourceModule, ...]:
        """Return the modules whose forward made a node, outermost first, without the root."""
        found = []
        for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
            name = kind if isinstance(kind, str) else kind.__name__
            visit = key.rpartition("@")[2] if "@" in key else "0"
            if path:
                number = int(visit) if visit.isdecimal() else 0
                found.append(SourceModule(path.partition("@")[0], name.rpartition(".")[2], number))
        return tuple(found)

    def modules_at(self, node: Any) -> tuple[SourceModule, ...]:
        """Return the modules of a node; of what no module makes those of what first takes it."""
        return self.modules(node) or (self.modules(self.current) if self.current else ())

    def tensor(self, node: Any) -> str:
        """Return the name of a tensor; one that depends on no data is made where it is used."""
        if node.name in self.aliases:
            return self.aliases[node.name]
        if node.op == "placeholder":
            return self._placed(node)
        if not self.depends(node) and node.name not in self.made:
            self._free(node, "full")
        return str(node.name)

    def _placed(self, node: Any) -> str:
        name = str(node.name)
        if name in self.learned and name not in self.made:
            learned = self.learned[name]
            weight = self.weight(node)
            place = self._free(node, "parameter")
            call = self.made[place].call._replace(weights=weight.key, trainable=learned.trainable)
            self.made[place] = Made(call, (weight,))
        elif name in self.buffers and name not in self.made:
            self._free(node, "constant")
        return name

    def _free(self, node: Any, kind: str) -> str:
        operator = Operator(self, node)
        if not operator.shape:
            return operator.emit(kind, {"shape": (1,)}, ())
        return operator.emit(kind, {"shape": operator.numbers(operator.shape)}, ())

    def weight(self, node: Any) -> Weight:
        """Return a learned tensor with the parameters that it is made of."""
        found: dict[str, None] = {}
        stack, seen = [node], {node}
        while stack:
            each = stack.pop()
            if each.name in self.learned:
                found[self.learned[each.name].name] = None
            inner = [n for n in each.all_input_nodes if n not in seen]
            seen.update(inner)
            stack += inner
        shape = tuple(map(int, node.meta["val"].shape))
        is_one = len(found) == 1 and math.prod(shape) == self.elements(next(iter(found)))
        return Weight(next(iter(found)) if is_one else str(node.name), shape, tuple(found))

    def is_all_learned(self, node: Any) -> bool:
        """Return whether a tensor has no more elements than the parameters that it is made of."""
        if "data" in self.depends(node):
            return False
        weight = self.weight(node)
        return math.prod(weight.shape) <= sum(map(self.elements, weight.parameters))

    def is_table(self, key: str) -> bool:
        """Return whether a learned tensor is that of an embedding, to which a layer is tied."""
        return any(m.call.kind == "embedding" and m.call.weights == key for m in self.made.values())

    def elements(self, name: str) -> int:
        """Return how many numbers a parameter has."""
        return next(each.elements for each in self.learned.values() if each.name == name)

    def is_trainable(self, weight: Weight) -> bool:
        """Return whether any parameter of a learned tensor is trained."""
        known = {each.name: each.trainable for each in self.learned.values()}
        return any(known[name] for name in weight.parameters) or not weight.parameters

    def alias(self, node: Any, of: str) -> None:
        """Let a tensor be another, which nothing is done to."""
        self.aliases[str(node.name)] = of


VIEWS = frozenset(("slice", "select"))
"""Kinds of which two on the same tensor are one: they cost nothing."""

Row = Callable[[Operator], str | None]
"""A row of the table: it adds the calls of an operator; None where it is its input as it is."""


def build(graph: OperatorGraph, row_of: Callable[[Operator], Row | None], *, partial: bool) -> None:
    """Add the calls of all operators that data or learned tensors enter.

    What cannot be expressed is kept as an error until something needs it.

    Args:
        graph: the operators.
        row_of: the row of an operator; None where there is none.
        partial: whether what cannot be expressed is marked as missing.
    """
    for node in graph.nodes:
        if node.op != "call_function" or not has_tensor(node.meta.get("val")):
            continue
        if not graph.depends(node):
            continue
        operator, graph.current = Operator(graph, node), node
        try:
            row = row_of(operator)
            if row is None:
                raise operator.unknown()
            row(operator)
        except SpecError as error:
            failed = error if error.entry else operator.unknown(error.cause)
            if partial:
                _mark(operator)
            else:
                graph.failed[str(node.name)] = failed


def _mark(operator: Operator) -> None:
    """Add the mark of an operator that cannot be expressed."""
    inputs = [operator.graph.tensor(n) for n in operator.node.all_input_nodes if _is_data(n)]
    shape = operator.numbers(operator.shape)
    fields: dict[str, Field] = {"operator": operator.full_name, "shape": shape}
    operator.emit("missing", fields, inputs)


def _is_data(node: Any) -> bool:
    return hasattr(node.meta.get("val"), "shape")


def needed(graph: OperatorGraph, outputs: Iterable[str]) -> Iterator[Made]:
    """Yield the calls that outputs need, in order; what is learned beside them, too.

    Args:
        graph: the operators, built.
        outputs: the tensors that leave.

    Raises:
        SpecError: one of them cannot be expressed.
    """
    wanted, stack = set[str](), [_bearer(each, graph) for each in outputs]
    while stack:
        name = stack.pop()
        if name in wanted:
            continue
        if name in graph.failed:
            raise graph.failed[name]
        wanted.add(name)
        if name in graph.made:
            stack += [_bearer(each, graph) for each in graph.made[name].call.inputs]
    found = [made for name, made in graph.made.items() if name in wanted]
    yield from _placed_before_use(_beside(graph, found))


def _bearer(tensor: str, graph: OperatorGraph) -> str:
    """Return the call that makes a tensor."""
    if tensor in graph.made or tensor in graph.failed:
        return tensor
    bearer, dot, number = tensor.rpartition(".")
    return bearer if dot and number.isdecimal() else tensor


def _beside(graph: OperatorGraph, found: list[Made]) -> list[Made]:
    """Return calls with parameters before them that are part of a weight and not counted by it."""
    counted: dict[str, int] = {}
    first: dict[str, Made] = {}
    owned = {weight.key: (made, weight) for made in reversed(found) for weight in made.weights}
    for made, weight in owned.values():
        left = math.prod(weight.shape)
        for name in sorted(weight.parameters, key=lambda n: -graph.elements(n)):
            taken = min(left, graph.elements(name) - counted.get(name, 0))
            counted[name] = counted.get(name, 0) + taken
            left -= taken
            first.setdefault(name, made)
    known = {each.name: each for each in graph.learned.values()}
    for name, made in first.items():
        if counted[name] == 0 and known[name].elements:
            call = made.call._replace(
                name=f"{made.call.name}_{name.rpartition('.')[2]}",
                kind="parameter",
                fields={"shape": known[name].shape or (1,)},
                inputs=(),
                weights=name,
                trainable=known[name].trainable,
                shape=None,
            )
            found.insert(found.index(made), Made(call, ()))
    return found


def _placed_before_use(found: list[Made]) -> Iterator[Made]:
    """Yield calls so that each follows those that it takes, else in their order."""
    known = {made.call.name: made for made in found}
    done: set[str] = set()

    def visit(made: Made) -> Iterator[Made]:
        if made.call.name in done:
            return
        done.add(made.call.name)
        for tensor in made.call.inputs:
            bearer = tensor if tensor in known else tensor.rpartition(".")[0]
            if bearer in known and bearer not in done:
                yield from visit(known[bearer])
        yield made

    for made in found:
        yield from visit(made)

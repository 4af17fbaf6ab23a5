"""Names and what they stand for: a tree is resolved in a scope to numbers, symbols and sizes.

Whatever is known becomes a number at once. What stays symbolic stays a tree whose leaves are free
symbols (`Name`) and sizes of the tensor that enters (`Measure`); its value is the business of
whoever knows shapes.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from archspec import arithmetic
from archspec.errors import did_you_mean, nearest
from archspec.expressions import COMPARISONS, ExpressionError
from archspec.sorts import is_condition, no_condition, require_number
from archspec.trees import (
    Binary,
    Call,
    Index,
    Items,
    Measure,
    Name,
    Number,
    Part,
    Tensor,
    Tree,
    Truth,
    Unary,
    Value,
    Whole,
)

MAX_TREE = 5_000  # nodes of one resolved expression, shared parts counted each time
MAX_HEIGHT = 250  # levels of one resolved expression

SIZES = {"in_shape": None, "in_channels": 1, "in_features": -1}
"""Names of sizes of the tensor that enters → its axis; None for all of them."""

RESERVED = frozenset({*SIZES, "previous", "same", "valid"})
"""Names that a spec cannot give to anything."""


class UnknownNameError(ExpressionError):
    """A name without a meaning; ``known`` are those that have one."""

    def __init__(self, name: Name, known: list[str]) -> None:
        cause, subject = f"unknown name '{name.id}'", f"name {name.id}"
        super().__init__(cause, name.position, _hint_of_unknown(name.id, known), subject)
        self.name = name
        self.known = known


def _hint_of_unknown(name: str, known: list[str]) -> str:
    """The hint for a name without a meaning: one that has one, or where to declare it."""
    near = nearest(name, known)
    if near:
        return f"did you mean '{near}'?"
    declared = f"declare {name} under symbols:, as in symbols: {{{name}: 1}}"
    others = did_you_mean("", set(known) - {"true", "false"})
    return f"{declared}; {others}" if others else declared


class Scope(NamedTuple):
    """The meaning of each name at one place of a spec.

    Attributes:
        names: name → value; a free symbol stands for itself.
        tensor: the tensor that enters here, or None where sizes do not exist yet.
        inexact: whether a root or a logarithm that is no fraction may stay a call.
        find: gives the tensors that a reference stands for; None where there are none yet.
    """

    names: Mapping[str, Value]
    tensor: Tensor | None = None
    inexact: bool = False
    find: Callable[[Tree], tuple[Tensor, ...]] | None = None

    def extended(self, names: Mapping[str, Value]) -> "Scope":
        """This scope with more names."""
        return self._replace(names=MappingProxyType({**self.names, **names}))

    def entering(self, tensor: Tensor | None) -> "Scope":
        """Return this scope for an entry that a tensor enters, which ``in_shape`` is about."""
        return self._replace(tensor=tensor)

    def lookup(self, name: Name) -> Value:
        """The meaning of a name.

        Raises:
            ExpressionError: it has none here.
        """
        if name.id in SIZES:
            if self.tensor is None:
                cause = "is a size; what decides structure comes before any size is known"
                raise ExpressionError(f"'{name.id}' {cause}", name.position)
            axis = SIZES[name.id]
            return Whole(self.tensor) if axis is None else Measure(self.tensor, axis)
        if name.id not in self.names:
            sizes = SIZES if self.tensor else ()
            raise UnknownNameError(name, [*self.names, *sizes, "true", "false"])
        return self.names[name.id]


def resolve(tree: Tree, scope: Scope) -> Value:
    """The value of an expression in a scope: a number where everything is known, else a tree.

    Raises:
        ExpressionError: an unknown name, an operation without a value, or a result that is too
            large.
    """
    match tree:
        case Name():
            return scope.lookup(tree)
        case Index(items, index):
            return _index(resolve(items, scope), resolve(index, scope))
        case Unary(operator, operand):
            return _unary(operator, single(resolve(operand, scope)))
        case Binary("and" | "or" as operator, left, right):
            return _connect(operator, single(resolve(left, scope)), right, scope)
        case Binary(operator, left, right):
            return _binary(operator, single(resolve(left, scope)), single(resolve(right, scope)))
        case Call("len" | "shape" | "reversed" as function, (of,)):
            return _of_names(function, of, scope)
        case Call(function, arguments):
            return _call(function, [single(resolve(a, scope)) for a in arguments], scope)
        case Part():
            raise ExpressionError("a tensor stands where a number must stand")
    return tree


def single(value: Value) -> Tree:
    """A value that is no list.

    Raises:
        ExpressionError: it is one.
    """
    if isinstance(value, Items | Whole):
        raise ExpressionError("a list stands where a number must stand; index it, as in x[0]")
    return value


def _require_truth(value: Tree) -> None:
    """Check that a value is a condition; a name that is left is a symbol, so a number."""
    if not is_condition(value):
        raise no_condition(value)


def _index(items: Value, index: Value) -> Value:
    if not isinstance(index, Number) or not isinstance(index.value, int):
        raise ExpressionError("an index must be a known integer")
    if isinstance(items, Whole):
        return Measure(items.tensor, index.value)
    if not isinstance(items, Items):
        raise ExpressionError("only a list or in_shape can be indexed")
    count = len(items.values)
    if not -count <= index.value < count:
        raise ExpressionError(f"index {index.value} is outside a list of {count}")
    return items.values[index.value]


def _unary(operator: str, operand: Tree) -> Tree:
    if operator == "not":
        _require_truth(operand)
        return Truth(not operand.value) if isinstance(operand, Truth) else Unary("not", operand)
    if isinstance(operand, Number):
        return Number(-operand.value)
    return Unary("-", require_number(operand))


def _connect(operator: str, left: Tree, right: Tree, scope: Scope) -> Tree:
    """``and`` and ``or`` stop as soon as one side decides."""
    _require_truth(left)
    if isinstance(left, Truth) and left.value == (operator == "or"):
        return left
    other = single(resolve(right, scope))
    _require_truth(other)
    if isinstance(other, Truth) and other.value == (operator == "or"):
        return other
    if isinstance(left, Truth):
        return other
    return left if isinstance(other, Truth) else Binary(operator, left, other)


def _binary(operator: str, left: Tree, right: Tree) -> Tree:
    left, right = require_number(left), require_number(right)
    if isinstance(left, Number) and isinstance(right, Number):
        if operator in COMPARISONS:
            return Truth(arithmetic.RELATIONS[operator](left.value, right.value))
        return Number(arithmetic.bounded(arithmetic.OPERATORS[operator](left.value, right.value)))
    return Binary(operator, left, right)


def _of_names(function: str, of: Tree, scope: Scope) -> Value:
    """The length or the reverse of a list, the number of some tensors, or the sizes of one."""
    listed = None if function == "shape" else _listed(of, scope)
    if listed is not None:
        return Items(listed[::-1]) if function == "reversed" else Number(len(listed))
    if scope.find is None or function == "reversed":
        what = "a list" if scope.find else "a list of values; there are no tensors here"
        raise ExpressionError(f"{function} takes {what}")
    if function == "len":
        return Number(len(scope.find(of)))
    if scope.tensor is None:
        cause = "'shape' gives sizes; what decides structure comes before any size is known"
        raise ExpressionError(cause)
    found = scope.find(of)
    if len(found) != 1:
        raise ExpressionError(f"shape takes one tensor, not {len(found)}")
    return Whole(found[0])


def _listed(of: Tree, scope: Scope) -> tuple[Value, ...] | None:
    """The values of a list that a reference leads to; None where it leads to tensors."""
    root: Value = of
    while not isinstance(root, Name):
        root = children(root)[0]
    if root.id not in scope.names:
        return None
    value = resolve(of, scope)
    if not isinstance(value, Items):
        raise ExpressionError(f"'{root.id}' is no list", root.position)
    return value.values


def _call(function: str, arguments: list[Tree], scope: Scope) -> Tree:
    known = [a.value for a in map(require_number, arguments) if isinstance(a, Number)]
    if len(known) == len(arguments):
        try:
            return Number(arithmetic.bounded(arithmetic.FUNCTIONS[function](*known)))
        except arithmetic.IrrationalError:
            if not scope.inexact:
                raise
    return Call(function, tuple(arguments))


def checked_size(value: Value) -> Value:
    """``value``, if writing it out would need at most `MAX_TREE` nodes and `MAX_HEIGHT` levels.

    Names that are defined by names can double at every step; this is where such a chain ends.
    """
    stack, count = [(value, 1)], 0
    while stack:
        node, height = stack.pop()
        count += 1
        if count > MAX_TREE or height > MAX_HEIGHT:
            raise ExpressionError(
                f"written out, this has over {MAX_TREE:,} terms or {MAX_HEIGHT} levels"
            )
        stack.extend((child, height + 1) for child in children(node))
    return value


def children(value: Value) -> tuple[Value, ...]:
    """Return the expressions that an expression consists of."""
    match value:
        case Index(items, index):
            return items, index
        case Part(of, _):
            return (of,)
        case Items(values):
            return values
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return left, right
        case Call(_, arguments):
            return arguments
    return ()


def conjuncts(value: Value) -> Iterator[Value]:
    """Yield the conditions that ``and`` joins."""
    if isinstance(value, Binary) and value.operator == "and":
        yield from conjuncts(value.left)
        yield from conjuncts(value.right)
    else:
        yield value


def free_names(value: Value) -> frozenset[str]:
    """The free symbols a value depends on."""
    if isinstance(value, Name):
        return frozenset({value.id})
    return frozenset().union(*map(free_names, children(value)))

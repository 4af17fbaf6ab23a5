"""The class that every kind derives from, and the register of kinds."""

from collections.abc import Callable
from typing import ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.fields import Condition, Expression, show
from archspec.scope import Scope, checked_size, free_names, resolve
from archspec.trees import Items, Truth, Value

ENTRY_POINTS = "archcost.kinds"
"""The group in which another distribution names the module that registers its kinds."""


class Layer(BaseModel):
    """One kind of layer: its fields are what a spec may write.

    Attributes:
        kind: the kind's name; of several names the first.
        example: fields that make a valid layer, for the reference and for the tests.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, use_attribute_docstrings=False
    )

    kind: ClassVar[str] = ""
    example: ClassVar[dict[str, object]] = {}

    def resolved(self, scope: Scope) -> Self:
        """This layer with every expression resolved in ``scope``, and every flag decided.

        Raises:
            SpecError: a field has no value; its ``entry`` is the field's name.
        """
        changed: dict[str, object] = {}
        for name in self.model_fields_set:
            try:
                changed[name] = resolve_field(getattr(self, name), scope)
            except ExpressionError as error:
                raise FieldError(name, error) from None
        return self.model_copy(update=changed)


class FieldError(SpecError):
    """A field without a value; ``position`` is the place in its text."""

    def __init__(self, field: str, error: ExpressionError) -> None:
        super().__init__(error.cause, hint=error.hint)
        self.field = field
        self.position = error.position


def resolve_field(value: object, scope: Scope) -> object:
    """A field's value with what it contains of expressions and conditions resolved."""
    if isinstance(value, Condition):
        return Condition(decided(resolve(value.tree, scope)))
    if isinstance(value, Expression):
        return as_expressions(checked_size(resolve(value.tree, scope)))
    if isinstance(value, tuple):
        return tuple(resolve_field(item, scope) for item in value)
    return value


def decided(value: Value) -> Truth:
    """A condition's truth.

    Raises:
        ExpressionError: it is none, or it depends on a symbol.
    """
    if isinstance(value, Truth):
        return value
    names = ", ".join(sorted(free_names(value)))
    if names:
        raise ExpressionError(
            f"undecidable while {names} is free", hint="fix it with --set, or put it under let"
        )
    raise ExpressionError("this is no condition; write a comparison, true or false")


def as_expressions(value: Value) -> object:
    """A resolved value as a field holds it: an expression, or a tuple of them."""
    if isinstance(value, Items):
        return tuple(map(as_expressions, value.values))
    if isinstance(value, Truth):
        raise ExpressionError(f"{show(value.value)} is no number")
    return Expression(value)


KINDS: dict[str, type[Layer]] = {}
"""Every registered name of a kind → its class."""

_L = TypeVar("_L", bound=Layer)


def kind(*names: str) -> Callable[[type[_L]], type[_L]]:
    """Register a class under its names, the usual one first.

    Raises:
        ValueError: a name is taken.
    """

    def register(layer: type[_L]) -> type[_L]:
        for name in names:
            if name in KINDS:
                raise ValueError(f"kind '{name}' is registered twice, by {KINDS[name].__name__}")
            KINDS[name] = layer
        layer.kind = names[0]
        return layer

    return register


def find_kind(name: str) -> type[Layer]:
    """The class of a kind, ours or one that an installed distribution adds.

    Raises:
        SpecError: there is no such kind.
    """
    if name not in KINDS:
        from importlib.metadata import entry_points

        for entry_point in entry_points(group=ENTRY_POINTS):
            entry_point.load()
    if name not in KINDS:
        raise SpecError(f"unknown kind '{name}'", hint=did_you_mean(name, KINDS))
    return KINDS[name]

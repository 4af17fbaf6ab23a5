"""The types of a kind's fields: sizes, one size per axis, padding, flags. Each is read strictly."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from archspec.arithmetic import tidy
from archspec.expressions import ExpressionError, parse
from archspec.trees import Number, Tree, Truth


class Expression(NamedTuple):
    """A number, or a formula whose value comes later; resolved once its scope is known."""

    tree: Tree


class Condition(NamedTuple):
    """A truth value, or a comparison that the structure of the spec decides."""

    tree: Tree

    @property
    def holds(self) -> bool:
        """Its truth, once it is resolved.

        Raises:
            ValueError: it is not resolved yet.
        """
        if isinstance(self.tree, Truth):
            return self.tree.value
        raise ValueError("the condition is not resolved yet")


class Read:
    """A type annotation: the function that reads a value, and the JSON Schema of what it takes.

    Pydantic looks no further than this function, so that a class costs little to build. ``lists``
    says whether a name may stand for a list here: never, as well as for a number, or always.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        schema: dict[str, Any],
        *,
        lists: Literal["never", "too", "always"] = "never",
    ) -> None:
        self.function = function
        self.schema = schema
        self.lists = lists

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.function)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.schema


class Shorthand:
    """A type annotation: what may stand for a mapping beside the mapping itself, as JSON Schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [self.schema, handler(core)]}


def form(name: str) -> dict[str, Any]:
    """The JSON Schema of a form that many fields share, by its name (see `archspec.schema`)."""
    return {FORM: name}


FORM = "form"
"""The key of a schema that stands for a form."""


def constant(value: int | str) -> Expression:
    """A literal, as a field's default; a decimal is given as its text and is exact."""
    return Expression(Number(tidy(Fraction(value))))


def flag(value: bool) -> Condition:
    """A truth value, as a field's default."""
    return Condition(Truth(value))


def parse_text(text: str) -> Tree:
    """A field's text as an expression; a bare number in quotes is text, not a number.

    Raises:
        PydanticCustomError: it is none; the context holds cause, hint and, where known, position.
    """
    try:
        tree = parse(text)
    except ExpressionError as error:
        cause = f"in '{shortened(text)}': {error.cause}"
        hint = error.hint or _quoting_hint(text)
        raise refused(cause, hint, position=error.position) from None
    if isinstance(tree, Number):
        raise refused(f'"{text}" is text', f"write {text} without quotes")
    return tree


def _quoting_hint(text: str) -> str | None:
    """Within ``{…}`` YAML ends a text at a comma, and with it an expression."""
    if text.count("(") == text.count(")"):
        return None
    return 'put an expression with commas in quotes, as "max(4, 5)"'


def refused(cause: str, hint: str | None = None, **place: Any) -> PydanticCustomError:
    """What a reader raises; ``validation`` makes a `SpecError` of it.

    Args:
        cause: the value and the rule it breaks.
        hint: the nearest right thing.
        place: ``position`` in the text, or ``path`` to what is wrong, where one is known.
    """
    return PydanticCustomError("wrong_type", "{cause}", {"cause": cause, "hint": hint, **place})


def wrong(value: object, wanted: str, hint: str | None = None) -> PydanticCustomError:
    """What a reader raises of a value that is not what is wanted."""
    return refused(f"{show(value)} is no {wanted}", hint)


def show(value: object) -> str:
    """A value as its author wrote it."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {show(item)}' for key, item in value.items())}}}"
    return str(value)


def shortened(text: str, most: int = 60) -> str:
    """A text, its end left out where it is long."""
    return text if len(text) <= most else f"{text[:most]}…"


def read_expression(value: Any) -> Expression:
    """An integer, an exact decimal or the text of an expression; nothing else."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, str):
        tree = parse_text(value)
        if isinstance(tree, Truth):
            raise wrong(value, "number")
        return Expression(tree)
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return Expression(Number(value))
    raise wrong(value, "number or expression")


def read_condition(value: Any) -> Condition:
    """``true``, ``false`` or the text of a condition."""
    if isinstance(value, Condition):
        return value
    if isinstance(value, bool):
        return Condition(Truth(value))
    if isinstance(value, str):
        yaml_1_1 = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        if value.lower() in yaml_1_1:
            meant = yaml_1_1[value.lower()]
            raise wrong(value, "truth value in YAML 1.2", f"write {meant}")
        return Condition(parse_text(value))
    raise wrong(value, "truth value", "write true, false or a condition")


def _per_axis(value: Any) -> Expression | tuple[Expression, ...]:
    if isinstance(value, list):
        if not value:
            raise wrong([], "size per axis")
        return read_items(value, read_expression)
    return read_expression(value)


def _list(value: Any) -> tuple[Expression, ...]:
    if isinstance(value, list):
        return _per_axis(value)  # type: ignore[return-value]
    return (read_expression(value),)


def _mapping(value: Any) -> Mapping[str, Expression]:
    if isinstance(value, dict):
        return read_mapping(value, read_expression)
    raise wrong(value, "mapping of names to numbers", "write one, as {h: 8, d: 64}")


def _sides(value: Any) -> Expression | tuple[Expression, Expression]:
    if not isinstance(value, list):
        return read_expression(value)
    if len(value) != 2:
        raise wrong(value, "padding of one axis", "write one number, or [before, after]")
    before, after = read_items(value, read_expression)
    return before, after


def _padding(value: Any) -> "Sides":
    if value == "same" or value == "valid":
        return value  # type: ignore[no-any-return]
    if isinstance(value, list):
        if not value:
            raise wrong([], "padding")
        return read_items(value, _sides)
    return read_expression(value)


_T = TypeVar("_T")


def read_items(values: list[Any], read: Callable[[Any], _T]) -> tuple[_T, ...]:
    """Every item of a list, read; what is wrong is placed at its item."""
    return tuple(read_at(i, value, read) for i, value in enumerate(values))


def read_mapping(values: Mapping[str, Any], read: Callable[[Any], _T]) -> dict[str, _T]:
    """Every value of a mapping, read; what is wrong is placed at its key."""
    return {name: read_at(name, value, read) for name, value in values.items()}


def read_at(key: str | int, value: Any, read: Callable[[Any], _T]) -> _T:
    """A value inside a list or a mapping, read; what is wrong is placed at its key.

    Raises:
        PydanticCustomError: the context's ``path`` leads to what is wrong.
    """
    try:
        return read(value)
    except PydanticCustomError as error:
        context = dict(error.context or {})
        context["path"] = (key, *context.get("path", ()))
        raise PydanticCustomError("wrong_type", "{cause}", context) from None


def _optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


_NUMBER, _SIZES, _FLAG, _NULL = form("number"), form("sizes"), form("condition"), {"type": "null"}

Size = Annotated[Expression, Read(read_expression, _NUMBER)]
"""One number."""

OptionalSize = Annotated[
    Expression | None,
    Read(_optional(read_expression), {"anyOf": [_NUMBER, _NULL]}),
]
"""One number, or null."""

SizeList = Annotated[tuple[Expression, ...], Read(_list, _SIZES, lists="always")]
"""A list of numbers, or the name of one; one number is a list of one."""

SizeMap = Annotated[
    Mapping[str, Expression], Read(_mapping, {"type": "object", "additionalProperties": _NUMBER})
]
"""Names with a number each."""

Flag = Annotated[Condition, Read(read_condition, _FLAG)]
"""A truth value."""

OptionalFlag = Annotated[
    Condition | None,
    Read(_optional(read_condition), {"anyOf": [_FLAG, _NULL]}),
]
"""A truth value, or null."""

PerAxis = Annotated[Expression | tuple[Expression, ...], Read(_per_axis, _SIZES, lists="too")]
"""One number for every axis, or a list with one per axis."""

OptionalPerAxis = Annotated[
    Expression | tuple[Expression, ...] | None,
    Read(_optional(_per_axis), {"anyOf": [_SIZES, _NULL]}, lists="too"),
]
"""As `PerAxis`, or null."""

Sides = (
    Literal["same", "valid"] | Expression | tuple[Expression | tuple[Expression, Expression], ...]
)

Padding = Annotated[Sides, Read(_padding, form("padding"), lists="too")]
"""One number for every side; a list with one number, or ``[before, after]``, per axis; ``same``
(output ``ceil(h/s)``); ``valid`` (none)."""

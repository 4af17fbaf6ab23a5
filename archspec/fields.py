"""The types of a kind's fields: sizes, one size per axis, padding, flags. Each is read strictly."""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from archspec.arithmetic import Rational, tidy
from archspec.expressions import ExpressionError, parse, parse_reference
from archspec.ranges import (
    FORM,
    INTEGER,
    NATURAL,
    NUMBER,
    POSITIVE,
    POSITIVE_INTEGER,
    PROBABILITY,
    Range,
)
from archspec.sorts import check_operands, require_condition, require_number
from archspec.trees import Measure, Name, Number, Tree, Truth, Whole


class Expression(NamedTuple):
    """A number, or a formula whose value comes later; resolved once its scope is known."""

    tree: Tree


class ShapeOf(NamedTuple):
    """The extents of a tensor: a reference to it, resolved a `Whole`."""

    tree: Tree

    def extent(self, axis: int) -> Expression:
        """The extent of an axis, once it is resolved."""
        assert isinstance(self.tree, Whole)
        return Expression(Measure(self.tree.tensor, axis))


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
    """A type annotation: what may stand for a mapping beside the mapping itself, as JSON Schema.

    ``rule`` is what holds of the mapping here beside what its class says.
    """

    def __init__(self, schema: dict[str, Any], rule: dict[str, Any] | None = None) -> None:
        self.schema = schema
        self.rule = rule or {}

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [self.schema, {**handler(core), **self.rule}]}


def form(name: str) -> dict[str, Any]:
    """The JSON Schema of a form that many fields share, by its name (see `archspec.schema`)."""
    return {FORM: name}


def as_named(tree: Tree) -> Expression | Condition:
    """Return a resolved tree as a field: a condition if it is a truth value, else an expression."""
    return Condition(tree) if isinstance(tree, Truth) else Expression(tree)


def as_written(default: object) -> object:
    """Return a field's default as a spec writes it: a number, a truth value or a word."""
    match default:
        case Expression(Number(value)) | Condition(Truth(value)):
            return value
        case (str(word),) | (Name(word, _),):
            return word
    return default


def constant(value: int | Fraction | str) -> Expression:
    """A literal, as a field's default; a decimal is given as its text and is exact."""
    return Expression(Number(tidy(Fraction(value))))


def flag(value: bool) -> Condition:
    """A truth value, as a field's default."""
    return Condition(Truth(value))


def required(description: str) -> Any:
    """A field that must be written, with its meaning for the reference."""
    return Field(description=description)


def optional(value: object, description: str) -> Any:
    """A field that need not be written.

    Args:
        value: the value where it is not written, as a spec writes it; a float stands for the
            decimal that Python shows.
        description: the field's meaning, for the reference.
    """
    match value:
        case bool():
            value = flag(value)
        case int() | Fraction():
            value = constant(value)
        case float():
            value = constant(str(value))
    return Field(default=value, description=description)


def read_reference(value: Any) -> Tree:
    """A text that stands for tensors: ``name``, ``name.part``, ``name.*``, ``name[i]``."""
    if not isinstance(value, str):
        raise wrong(value, "name of a tensor")
    try:
        return parse_reference(value)
    except ExpressionError as error:
        raise refused(f"in '{shortened(value)}': {error.cause}", error.hint) from None


def read_references(value: Any) -> tuple[Tree, ...]:
    """One reference or a list of them."""
    if isinstance(value, list) and value:
        return read_items(value, read_reference)
    return (read_reference(value),)


REFERENCES = {
    "anyOf": [
        {FORM: "reference"},
        {"type": "array", "minItems": 1, "items": {FORM: "reference"}},
    ]
}


def parse_text(text: str) -> Tree:
    """A field's text as an expression; a bare number in quotes is text, not a number.

    Raises:
        PydanticCustomError: it is none; the context holds cause, hint and, where known, position.
    """
    try:
        tree = parse(text)
        check_operands(tree)
    except ExpressionError as error:
        cause = f"in '{shortened(text)}': {error.cause}"
        hint = _as_list(text) or error.hint or _hint(text)
        raise refused(cause, hint, position=error.position) from None
    if isinstance(tree, Number):
        raise refused(f'"{text}" is text', f"write {text} without quotes")
    return tree


def _as_list(text: str) -> str | None:
    """Return a hint for several numbers as Python's tuples or prose have them: (3, 3), 3x3."""
    several = r"\(\s*\d+(\s*,\s*\d+)*\s*,?\s*\)?|\d+(\s*[x×]\s*\d+)+"
    if not re.fullmatch(several, text, re.ASCII):
        return None
    numbers = re.findall(r"\d+", text)
    shown = numbers if len(numbers) > 1 else numbers * 2
    return f"write one number, or several as a list: [{', '.join(shown)}]"


def _hint(text: str) -> str | None:
    """Return the hint for an expression that YAML has cut at a comma, as it does within ``{…}``."""
    if text.lower().strip("+-.") in ("inf", "nan"):
        return "every number of a spec is finite"
    if text.count("(") == text.count(")"):
        return None
    return 'put an expression with commas in quotes, as "max(4, 5)"'


def refused(cause: str, hint: str | None = None, **place: Any) -> PydanticCustomError:
    """Return the error for a reader to raise; ``validation`` turns it into a `SpecError`.

    Args:
        cause: the value and the rule it breaks.
        hint: the nearest right thing.
        place: ``position`` in the text, or ``path`` to what is wrong, where one is known.
    """
    return PydanticCustomError("wrong_type", "{cause}", {"cause": cause, "hint": hint, **place})


def wrong(value: object, wanted: str, hint: str | None = None) -> PydanticCustomError:
    """Return the error for a value that is not of the wanted type."""
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


def _expression(value: Any) -> Expression:
    """An integer, an exact decimal or the text of an expression; nothing else."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, str):
        return Expression(_sorted(value, require_number))
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
        return Condition(_sorted(value, require_condition))
    raise wrong(value, "truth value", "write true, false or a condition")


def _sorted(text: str, require: Callable[[Tree], Tree]) -> Tree:
    """A field's text as an expression of the sort that is required."""
    tree = parse_text(text)
    try:
        return require(tree)
    except ExpressionError as error:
        raise refused(f"in '{shortened(text)}': {error.cause}", error.hint) from None


FRACTION = re.compile(r"-?[0-9]{1,300} ?/ ?0{0,9}[1-9][0-9]{0,290}")
"""A fraction, which YAML reads as text."""


def read_fraction(value: Any, among: Range = NUMBER) -> Rational:
    """A number of a range, or the text of a fraction, as 1/3; no other expression."""
    if isinstance(value, str) and FRACTION.fullmatch(value):
        value = Fraction(value.replace(" ", ""))
    return read_constant(value, among)


def fraction_schema(among: Range) -> dict[str, Any]:
    """Return the JSON Schema of a number of a range, or of the text of a fraction.

    Args:
        among: the range.
    """
    sign = "-?" if among.least is None else ""
    is_positive = among.without == 0 or (among.least or 0) > 0
    digits = "0{0,9}[1-9][0-9]{0,290}" if is_positive else "[0-9]{1,300}"
    pattern = f"^{sign}{digits} ?/ ?0{{0,9}}[1-9][0-9]{{0,290}}$"
    return {"anyOf": [among.schema, {"type": "string", "pattern": pattern}]}


def read_constant(value: Any, among: Range = NUMBER) -> Rational:
    """A number of a range, not an expression."""
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        raise wrong(value, "number")
    rule = among.broken_rule(value)
    if rule is None:
        return tidy(value)
    nearest = among.nearest(value)
    hint = None if nearest is None else f"the nearest is {show(nearest)}"
    written = str(value) if value.denominator == 1 else str(float(value))
    raise refused(rule, hint, value=shortened(written))


def _mapping(value: Any) -> Mapping[str, Expression]:
    if isinstance(value, dict):
        return read_mapping(value, read_size)
    raise wrong(value, "mapping of names to numbers", "write one, as {h: 8, d: 64}")


def _sides(value: Any) -> Expression | tuple[Expression, Expression]:
    if not isinstance(value, list):
        return _read_margin(value)
    if len(value) != 2:
        raise wrong(value, "padding of one axis", "write one number, or [before, after]")
    before, after = read_items(value, _read_margin)
    return before, after


def _padding(value: Any) -> "Sides":
    if value == "same" or value == "valid":
        return value  # type: ignore[no-any-return]
    if isinstance(value, list):
        if not value:
            raise wrong([], "padding")
        return read_items(value, _sides)
    return _read_margin(value)


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


def one(among: Range) -> Read:
    """One number of a range, or an expression."""

    def read(value: Any) -> Expression:
        expression = _expression(value)
        if isinstance(expression.tree, Number):
            read_constant(expression.tree.value, among)
        return expression

    return Read(read, form(among.name))


def per_axis(among: Range) -> Read:
    """One number of a range for every axis, or a list with one per axis."""
    read: Callable[[Any], Expression] = one(among).function

    def read_axes(value: Any) -> Expression | tuple[Expression, ...]:
        if not isinstance(value, list):
            return read(value)
        if not value:
            raise wrong([], "size per axis")
        return read_items(value, read)

    several = {"type": "array", "minItems": 1, "items": form(among.name)}
    return Read(read_axes, {"anyOf": [form(among.name), several]}, lists="too")


def listed(among: Range, *, distinct: bool = False) -> Read:
    """A list of numbers of a range, or the name of one; one number is a list of one."""
    either = per_axis(among)

    def read_list(value: Any) -> tuple[Expression, ...]:
        found = either.function(value)
        items = (found,) if isinstance(found, Expression) else found
        if distinct and len(set(items)) < len(items):
            raise refused("names an axis twice", value=show(value))
        return tuple(items)

    single, several = either.schema["anyOf"]
    several |= {"uniqueItems": True} if distinct else {}
    return Read(read_list, {"anyOf": [single, several]}, lists="always")


def or_null(read: Read) -> Read:
    """The same, or null."""
    ways = read.schema.get("anyOf", [read.schema])
    return Read(
        lambda value: None if value is None else read.function(value),
        {"anyOf": [*ways, {"type": "null"}]},
        lists=read.lists,
    )


read_number: Callable[[Any], Expression] = one(NUMBER).function
"""Reads a number, or an expression."""

read_size: Callable[[Any], Expression] = one(POSITIVE_INTEGER).function
"""Reads a positive integer, or an expression."""

_read_margin: Callable[[Any], Expression] = one(NATURAL).function


Real = Annotated[Expression, one(NUMBER)]
"""One number, whichever."""

OptionalReal = Annotated[Expression | None, or_null(one(NUMBER))]
"""One number, whichever, or null."""

OptionalPositive = Annotated[Expression | None, or_null(one(POSITIVE))]
"""One number above 0, or null."""

Integer = Annotated[Expression, one(INTEGER)]
"""One integer, as an axis is."""

OptionalInteger = Annotated[Expression | None, or_null(one(INTEGER))]
"""One integer, or null."""

Reference = Annotated[Tree, Read(read_reference, form("reference"))]
"""A reference to tensors, as ``neck.p3``."""

OptionalShape = Annotated[
    ShapeOf | None,
    or_null(Read(lambda value: ShapeOf(read_reference(value)), form("reference"))),
]
"""A tensor whose extents are taken, or null."""

Size = Annotated[Expression, one(POSITIVE_INTEGER)]
"""One positive integer."""

OptionalSize = Annotated[Expression | None, or_null(one(POSITIVE_INTEGER))]
"""One positive integer, or null."""

Count = Annotated[Expression, one(NATURAL)]
"""One integer of at least 0."""

Probability = Annotated[Expression, one(PROBABILITY)]
"""One number from 0 to 1."""

SizeList = Annotated[tuple[Expression, ...], listed(POSITIVE_INTEGER)]
"""A list of positive integers."""

IntegerList = Annotated[tuple[Expression, ...], listed(INTEGER)]
"""A list of integers."""

Axes = Annotated[tuple[Expression, ...], listed(INTEGER, distinct=True)]
"""A list of axes, each once; negative ones count from the end."""

SizeMap = Annotated[
    Mapping[str, Expression],
    Read(_mapping, {"type": "object", "additionalProperties": form(POSITIVE_INTEGER.name)}),
]
"""Names with a positive integer each."""

Flag = Annotated[Condition, Read(read_condition, form("condition"))]
"""A truth value."""

OptionalFlag = Annotated[Condition | None, or_null(Read(read_condition, form("condition")))]
"""A truth value, or null."""

PerAxis = Annotated[Expression | tuple[Expression, ...], per_axis(POSITIVE_INTEGER)]
"""One positive integer for every axis, or a list with one per axis."""

OptionalPerAxis = Annotated[
    Expression | tuple[Expression, ...] | None, or_null(per_axis(POSITIVE_INTEGER))
]
"""As `PerAxis`, or null."""

CountPerAxis = Annotated[Expression | tuple[Expression, ...], per_axis(NATURAL)]
"""As `PerAxis`, of at least 0."""

Factors = Annotated[Expression | tuple[Expression, ...] | None, or_null(per_axis(POSITIVE))]
"""As `PerAxis`, of numbers above 0, or null."""

Sides = (
    Literal["same", "valid"] | Expression | tuple[Expression | tuple[Expression, Expression], ...]
)

_PAIR = {"type": "array", "minItems": 2, "maxItems": 2, "items": form(NATURAL.name)}
_SIDES = {"type": "array", "minItems": 1, "items": {"anyOf": [form(NATURAL.name), _PAIR]}}

Padding = Annotated[Sides, Read(_padding, {"anyOf": [form(NATURAL.name), _SIDES]}, lists="too")]
"""One number for every side; a list with one number, or ``[before, after]``, per axis; ``same``
(output ``ceil(h/s)``); ``valid`` (none)."""

"""``config:`` of a spec: the fields of a Hugging Face configuration that become its symbols."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel

from archspec import fields
from archspec.expressions import FUNCTIONS, ExpressionError, Functions, parse
from archspec.fields import Read, optional
from archspec.ranges import NUMBER
from archspec.trees import Name, Number, Tree, Truth
from archspec.validation import STRICT

OF_CONFIGURATIONS: Functions = {
    **FUNCTIONS,
    "choose": (3, 3),
    "each": (2, 2),
    "has": (2, 2),
    "len": (1, 1),
    "first": (1, 1),
    "period": (1, 1),
    "rounds": (1, 1),
    "rest": (1, 1),
}
"""The functions that a configuration's fields are put together with."""

Given = Any
"""A value of a configuration: what JSON has."""


NULL = Name("null")
"""Nothing: a symbol or derived value that is left as the spec has it."""


class ConfigField(NamedTuple):
    """A field of a configuration.

    Attributes:
        default: the family's value where the file leaves it out.
        values: the values that the spec expresses, each → what it stands for; None where all are.
    """

    default: Given
    values: Mapping[str, Given] | tuple[Given, ...] | None = None


def _declared(value: Any) -> ConfigField:
    """Return a default alone, a list of the values that there may be, first the default, or both.

    A default that is itself a list stands under ``default``.
    """
    if isinstance(value, list) and value:
        return ConfigField(value[0], tuple(value))
    if not isinstance(value, dict):
        return ConfigField(value)
    if value.keys() == {"default"}:
        return ConfigField(value["default"])
    values = value.get("values")
    if value.keys() != {"default", "values"} or not isinstance(values, dict) or not values:
        raise fields.wrong(value, "field", "as hidden_act: {default: silu, values: {silu: 0}}")
    return ConfigField(value["default"], values)


def read_formula(value: Any) -> Tree:
    """An expression of a configuration's fields, or a number, a truth value or null.

    Raises:
        PydanticCustomError: it is neither.
    """
    if isinstance(value, bool):
        return Truth(value)
    if value is None:
        return NULL
    if not isinstance(value, str):
        return Number(fields.read_constant(value, NUMBER))
    try:
        return parse(value, OF_CONFIGURATIONS, parts=True)
    except ExpressionError as error:
        cause = f"in '{fields.shortened(value)}': {error.cause}"
        raise fields.refused(cause, error.hint, position=error.position) from None


_SCALAR: dict[str, Any] = {"type": ["number", "boolean", "string", "null"]}
_DECLARED: dict[str, Any] = {
    "anyOf": [
        _SCALAR,
        {"type": "array"},
        {
            "type": "object",
            "properties": {"default": {}, "values": {"type": "object", "minProperties": 1}},
            "required": ["default"],
            "additionalProperties": False,
        },
    ]
}
Field = Annotated[Any, Read(_declared, _DECLARED)]
Formula = Annotated[Any, Read(read_formula, {"type": ["number", "boolean", "string", "null"]})]


class Configuration(BaseModel):
    """The configurations of one ``model_type``."""

    model_config = STRICT

    like: str | None = optional(None, "the model_type before it whose fields and formulas it has")
    part: str | None = optional(
        None,
        "the field in which those fields stand, if the file has it; of what family they are is "
        "what that part says of its own model_type, and `like` where it says nothing",
    )
    input: dict[str, list[Any]] = optional(
        {}, "inputs that the network has beside those of the spec, as of a spec's input"
    )
    fields: dict[str, Field] = optional(
        {},
        "field → its default; or the list of the values that the spec expresses, first the "
        "default; or {default: silu, values: {silu: 0, gelu*: 1}}, where they stand for others; "
        "part.field is a field inside another",
    )
    let: dict[str, Formula] = optional({}, "names for formulas of fields, in order")
    set: dict[str, Formula] = optional({}, "symbol or let of the spec → a formula of fields")
    require: list[Formula] = optional([], "conditions that hold of every configuration")
    ignored: list[str] = optional([], "fields that change nothing that is counted")

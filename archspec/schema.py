"""The language as JSON Schema (2020-12), generated from the classes that read it.

The schema refuses what is wrong in its form. What only the whole spec can tell is left to the
reader: whether a name is known, a shape fits, a condition is decidable. In a spec that has blocks
of its own an unknown kind may be one of them; in any other it is refused.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from archspec.composites import COMPOSITES, Composite
from archspec.entries import Reserved
from archspec.expressions import FUNCTIONS, KEYWORDS, MAX_LENGTH
from archspec.fields import as_written
from archspec.header import BlockModel, Header
from archspec.layers import ALIASES, KINDS, Layer
from archspec.layers.base import Alias
from archspec.patterns import (
    EXPRESSION,
    FAULTS,
    NUMERIC,
    ONE_NAME,
    PARENTHESES,
    REFERENCE,
    SQUARE,
    TRUTH,
)
from archspec.precision import TYPES
from archspec.ranges import FINITE, FORM, NUMBER, RANGES
from archspec.reference import documentation
from archspec.scope import RESERVED
from archspec.validation import RESERVED_KEYS

Schema = dict[str, Any]

Names = Mapping[type[BaseModel], str]
"""Class → the name of its schema."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OPEN = "_among_blocks"
"""What the names of schemas end with that hold entries which may be calls of blocks."""

ENTRIES = ("entry", f"entry{OPEN}")
"""The names of an entry's schemas: where there are no blocks, and where there are."""

_YAML_1_1 = "^(?:[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF])$"


def language_schema() -> Schema:
    """The schema of a spec."""
    names, definitions = _generated()
    root = definitions.pop(names[Header])
    reserved = definitions.pop(names[Reserved])["properties"]
    blocks = definitions.pop(BlockModel.__name__)
    holding = {name: definitions.pop(name) for name in map(names.__getitem__, COMPOSITES.values())}
    shared = {**_numbers(), **_values(), **_words(), **definitions}
    linked = {name: _linked(schema, {}) for name, schema in shared.items()}
    for end, is_open in (("", False), (OPEN, True)):
        held = {**holding, "entry": _entry(reserved, names, holding, is_open=is_open)}
        ends = dict.fromkeys(held, end)
        linked |= {f"{name}{end}": _linked(schema, ends) for name, schema in held.items()}
    linked[BlockModel.__name__] = _linked(blocks, ends)
    top = {"$schema": DIALECT, "title": "A spec of archcost", **_linked(_with_entries(root), {})}
    return {**top, "$defs": dict(sorted(linked.items()))}


def _generated() -> tuple[Names, dict[str, Schema]]:
    """The names and the schemas of all classes, as pydantic has them, with their documentation."""
    classes: list[type[BaseModel]] = [Header, Reserved, *KINDS.values(), *COMPOSITES.values()]
    mode: JsonSchemaMode = "validation"
    models = [(model, mode) for model in dict.fromkeys(classes)]
    places, found = models_json_schema(models, schema_generator=_Generator)
    names = {model: places[model, mode]["$ref"].rpartition("/")[2] for model, _ in models}
    return names, _described(found["$defs"], names)


def _linked(schema: Any, ends: Mapping[str, str]) -> Any:
    """A schema whose forms are references, with the end that the names of some of them have."""
    if isinstance(schema, list):
        return [_linked(item, ends) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _linked(value, ends) for key, value in schema.items() if key != FORM}
    name = schema.get(FORM) or str(found.get("$ref", "")).rpartition("/")[2]
    return {**found, "$ref": f"#/$defs/{name}{ends.get(name, '')}"} if name else found


def _with_entries(root: Schema) -> Schema:
    """The top level: only where it has blocks, an entry may be the call of one."""
    layers = {name: {"properties": {"layers": {"items": {FORM: name}}}} for name in ENTRIES}
    properties = {**root["properties"], "layers": dict(root["properties"]["layers"])}
    del properties["layers"]["items"]
    condition = {
        "if": {"required": ["blocks"]},
        "then": layers[ENTRIES[1]],
        "else": layers[ENTRIES[0]],
    }
    return {**root, "properties": properties, **condition}


class _Generator(GenerateJsonSchema):
    """Without titles; with defaults as a spec writes them."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - none has one
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        inner = self.generate_inner(schema["schema"])
        default = _plain(schema.get("default"))
        return inner if default is None else {**inner, "default": default}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> Schema:
        found = super().literal_schema(schema)
        return {key: value for key, value in found.items() if key != "enum" or "const" not in found}

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        found = super().dict_schema(schema)
        return {**found, "propertyNames": keys} if FORM in keys else found


def _plain(default: object) -> object:
    """A field's default as a spec writes it; None where it cannot be written."""
    value = as_written(default)
    if isinstance(value, Fraction):
        return float(value)
    return value if isinstance(value, bool | int) or (isinstance(value, str) and value) else None


def _described(definitions: dict[str, Schema], names: Names) -> dict[str, Schema]:
    """The same with the whole documentation of each class, and what no field can say."""
    for model, name in names.items():
        definitions[name]["description"] = documentation(model)
        if issubclass(model, Composite) and model.either:
            definitions[name]["anyOf"] = [{"required": [field]} for field in model.either]
            definitions[name]["not"] = {"required": [*model.either[:2]]}
    for schema in definitions.values():
        schema.pop("title", None)
    return definitions


def _values() -> dict[str, Schema]:
    """Return the shared definitions of values: texts, conditions, lists of them."""
    values = {"type": "array", "items": {FORM: "value"}}
    return {
        "finite": FINITE,
        "text": {
            "description": "Text that may be an expression, its brackets and commas in place.",
            "type": "string",
            "maxLength": MAX_LENGTH,
            "allOf": [{"pattern": PARENTHESES}, {"pattern": SQUARE}],
            "not": {"pattern": FAULTS},
        },
        "expression": {FORM: "text", "pattern": NUMERIC},
        "comparison": {
            FORM: "text",
            "pattern": EXPRESSION,
            "anyOf": [{"pattern": ONE_NAME}, {"pattern": TRUTH}],
        },
        "condition": _either(
            "true, false or a condition.",
            {"type": "boolean"},
            {FORM: "comparison", "not": {"pattern": _YAML_1_1}},
        ),
        "value": _either(
            "A number, a truth value, an expression, or a list of such.",
            {"type": "boolean"},
            {FORM: NUMBER.name},
            {FORM: "comparison"},
            values,
        ),
        "column": _either(
            "A list, or the name of one, or an item of one.",
            {FORM: "text", "pattern": ONE_NAME},
            {**values, "minItems": 1},
        ),
    }


def _numbers() -> dict[str, Schema]:
    """Return the shared definitions of a number of each range, or an expression."""
    rules = {among: among.rule.removeprefix("must ").capitalize() for among in RANGES}
    return {
        among.name: _either(f"{rule}; or an expression.", among.schema, {FORM: "expression"})
        for among, rule in rules.items()
    }


def _words() -> dict[str, Schema]:
    """Return the shared definitions of names and of references by name."""
    words = sorted(RESERVED | KEYWORDS | set(FUNCTIONS))
    return {
        "name": {
            "description": "Letters, digits and _, and no word of the language.",
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "not": {"enum": words},
        },
        "label": {
            "description": "The name of an entry: letters, digits, _ and -.",
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$",
            "not": {"enum": sorted(RESERVED)},
        },
        "block": {
            "description": "The name of a block: no kind of the language has it.",
            FORM: "name",
            "not": {"enum": sorted({*KINDS, *ALIASES, *COMPOSITES, *RESERVED_KEYS})},
        },
        "reference": {
            "description": "The name of a tensor, name.part, name.*, name[i], or reversed(name).",
            "type": "string",
            "maxLength": MAX_LENGTH,
            "pattern": REFERENCE,
        },
        "kind": {"enum": sorted(KINDS)},
        "type": {"enum": list(TYPES)},
    }


def _either(description: str, *forms: Schema) -> Schema:
    return {"description": description, "anyOf": list(forms)}


def _entry(
    reserved: Schema, names: Names, holding: Mapping[str, Schema], *, is_open: bool
) -> Schema:
    """An entry: a bare kind, or one kind with its fields beside the reserved keys."""
    kinds = {name: _layer(kind, names[kind]) for name, kind in KINDS.items()}
    aliases = {name: alias for name, alias in ALIASES.items() if name not in KINDS}
    kinds |= {name: _aliased(alias, names[alias.layer]) for name, alias in aliases.items()}
    kinds |= {name: _composite(kind, names[kind], holding) for name, kind in COMPOSITES.items()}
    bare = [name for name, kind in KINDS.items() if not _required(kind)]
    bare += [n for n, a in aliases.items() if not (_required(a.layer) or a.torch.given)]
    mapping = {
        "type": "object",
        "properties": {**reserved, **kinds},
        "additionalProperties": False,
        **_one_beside(list(reserved)),
    }
    if not is_open:
        return {"anyOf": [{"enum": sorted(bare)}, mapping]}
    call = {"anyOf": [{"type": "null"}, _ARGUMENTS]}
    called = {**mapping, "propertyNames": {FORM: "label"}, "additionalProperties": call}
    return {"anyOf": [{"enum": sorted(bare)}, {FORM: "block"}, called]}


_ARGUMENTS = {
    "type": "object",
    "propertyNames": {FORM: "name"},
    "additionalProperties": {FORM: "value"},
}


def _layer(kind: type[Layer], name: str) -> Schema:
    """A kind's fields, or nothing where it needs none."""
    fields = {FORM: name}
    return fields if _required(kind) else {"anyOf": [fields, {"type": "null"}]}


def _aliased(alias: Alias, name: str) -> Schema:
    """The fields of a kind under PyTorch's name, where some have no default."""
    if not alias.torch.given:
        return _layer(alias.layer, name)
    return {"allOf": [{FORM: name}, {"required": list(alias.torch.given)}]}


def _composite(kind: type[Composite], name: str, holding: Mapping[str, Schema]) -> Schema:
    """A composite's fields, or the list that stands for one of them."""
    if kind.shorthand is None:
        return {FORM: name}
    return {"anyOf": [{FORM: name}, holding[name]["properties"][kind.shorthand]]}


def _required(kind: type[Layer]) -> bool:
    return bool(kind.either) or any(f.is_required() for f in kind.model_fields.values())


def _one_beside(reserved: list[str]) -> Schema:
    """Exactly one key that is not reserved: as many keys as reserved ones and one more."""
    counts = [
        {"required": list(some), "minProperties": size + 1, "maxProperties": size + 1}
        for size in range(len(reserved) + 1)
        for some in combinations(reserved, size)
    ]
    return {"not": {"propertyNames": {"enum": reserved}}, "anyOf": counts}

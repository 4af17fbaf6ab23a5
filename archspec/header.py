"""The top level of a spec: symbols, derived values, blocks, variants, facts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from archspec import fields
from archspec.arithmetic import Rational
from archspec.configuration import Configuration
from archspec.document import Path_, YamlDocument
from archspec.errors import Gathered, Origin, SpecError, did_you_mean
from archspec.expressions import FUNCTIONS, KEYWORDS
from archspec.fields import Expression, Read, Shorthand, form, fraction_schema, optional, or_null
from archspec.precision import ONE_TYPE, UNSAID, NetworkPrecision, PrecisionField, of_one_type
from archspec.ranges import INTEGER, NUMBER, POSITIVE, POSITIVE_INTEGER, Range
from archspec.scope import RESERVED
from archspec.trees import Tree
from archspec.validation import STRICT, Line

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def _constant(among: Range) -> Read:
    """An exact number of a range, not an expression."""
    return Read(partial(fields.read_constant, among=among), among.schema)


def _fraction(among: Range) -> Read:
    """The same, or the text of a fraction, as 1/3."""
    return Read(partial(fields.read_fraction, among=among), fraction_schema(among))


Name = Annotated[str, WithJsonSchema(form("name"))]
"""A name; `check_names` makes sure that it is one, and is free."""

AnEntry = Annotated[Any, WithJsonSchema(form("entry"))]
"""An entry, which is read later (see `archspec.entries`)."""

Constant = Annotated[int | Fraction, _constant(NUMBER)]
"""An exact number, not an expression."""


_POSITIVE, _POSITIVE_INTEGER = map(fraction_schema, (POSITIVE, POSITIVE_INTEGER))


class Symbol(BaseModel):
    """A symbol of a spec: its default value and the values it may take.

    Units: none; a symbol is a count of elements, or a factor where its domain is real.
    """

    model_config = STRICT

    default: Annotated[int | Fraction, Read(fields.read_fraction, _POSITIVE)] = Field(
        description="the value where nothing else is set"
    )
    domain: Literal["integer", "real"] = optional("integer", "integer or real; positive in both")
    min: Annotated[int | Fraction, _fraction(NUMBER)] | None = optional(None, "the smallest value")
    max: Annotated[int | Fraction, _fraction(POSITIVE)] | None = optional(None, "the largest value")
    multiple_of: Annotated[int | None, _constant(POSITIVE_INTEGER)] = optional(
        None, "what divides every value"
    )
    doc: Line = optional("", "what it stands for; nothing where not given")

    @property
    def least(self) -> Rational | None:
        """The smallest value, or None for a real symbol that may be any positive number."""
        if self.min is not None:
            return self.min
        return 1 if self.domain == "integer" else None

    def broken_rule(self, value: Rational) -> str | None:
        """The rule that ``value`` breaks, or None."""
        if self.domain == "integer" and value.denominator != 1:
            return "must be an integer (or declare domain: real)"
        if value <= 0:
            return "must be positive"
        if self.min is not None and value < self.min:
            return f"must be at least {self.min}"
        if self.max is not None and value > self.max:
            return f"must be at most {self.max}"
        if self.multiple_of is not None and value % self.multiple_of:
            return f"must be a multiple of {self.multiple_of}"
        return None


def _expand_symbol(value: Any) -> Any:
    return value if isinstance(value, dict | Symbol) else {"default": value}


_UNLESS_REAL = {
    "if": {"not": {"properties": {"domain": {"const": "real"}}, "required": ["domain"]}},
    "then": {"properties": {"default": _POSITIVE_INTEGER}},
}

Overrides = dict[Name, Annotated[Symbol, BeforeValidator(_expand_symbol), Shorthand(_POSITIVE)]]
"""What a variant says of symbols; their domain is said where they are declared."""

_OrDefault = Shorthand(_POSITIVE_INTEGER, _UNLESS_REAL)

Symbols = dict[Name, Annotated[Symbol, BeforeValidator(_expand_symbol), _OrDefault]]
"""Symbols by name; a number alone is a default; `check_names` looks at the domain."""


class Rounding(BaseModel):
    """The rounding of a published value: the unit, and the direction (down or nearest)."""

    model_config = STRICT

    to: Annotated[int | Fraction, _constant(POSITIVE)] = Field(
        description="the unit that the value is a number of, as 1e6"
    )
    how: Literal["floor", "nearest"] = optional("nearest", "down, or to the nearest")


_IN_UNITS: dict[str, Any] = {
    "if": {"required": ["rounded"], "properties": {"rounded": {"type": "object"}}},
    "then": {"properties": {"value": INTEGER.schema}},
}


class Fact(BaseModel):
    """A published number that the spec must reproduce, with its source."""

    model_config = STRICT | ConfigDict(json_schema_extra=_IN_UNITS)

    metric: str = Field(description="what is counted, as params or macs")
    value: Constant = Field(description="the number that is published")
    source: Line = Field(description="where it is published")
    variant: str | None = optional(None, "of which variant; else of the spec as it stands")
    at: dict[str, Constant] = optional({}, "symbol → its value, where it is not the default")
    convention: str | None = optional(
        None, "what counts; where it is not given, the spec's own convention"
    )
    rounded: Rounding | None = optional(
        None, "how the value was rounded; exact where this is not given"
    )
    precision: PrecisionField = optional(UNSAID, "the types of numbers it holds for")

    @model_validator(mode="after")
    def _in_units(self) -> "Fact":
        """A rounded value is a number of units."""
        if self.rounded and self.value.denominator != 1:
            raise fields.refused(f"value {self.value} is no number of units", path=("value",))
        return self


def read_value(value: Any) -> Any:
    """An expression, a truth value, or a list of such: what a name may stand for."""
    if isinstance(value, list):
        return list(fields.read_items(value, read_value))
    if isinstance(value, bool):
        return fields.read_condition(value)
    if not isinstance(value, str):
        return fields.read_number(value)
    return fields.as_named(fields.parse_text(value))


NamedValue = Annotated[Any, Read(read_value, form("value"))]


Parameter = Annotated[Any, or_null(Read(read_value, form("value")))]
"""A parameter's default; none where it is required."""


def _sizes(value: Any) -> tuple[Expression, ...]:
    if not isinstance(value, list) or not value:
        raise fields.wrong(value, "shape", "write a list, as [n, c, h, w]")
    return fields.read_items(value, fields.read_size)


def _inputs(value: Any) -> dict[str, tuple[Expression, ...]]:
    if not isinstance(value, dict):
        return {"input": _sizes(value)}
    if not value:
        raise fields.refused("no input", "as in input: {x: [n, c]}")
    return fields.read_mapping(value, _sizes)


_SHAPE = {"type": "array", "minItems": 1, "items": form(POSITIVE_INTEGER.name)}
_SHAPES = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": form("name"),
    "additionalProperties": _SHAPE,
}
_INPUTS = {"anyOf": [_SHAPE, _SHAPES]}


def _block_inputs(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(n, str) for n in value):
        raise fields.wrong(value, "list of names", "write one, as [a, b], or [xs*] for any number")
    for name in value[:-1]:
        if name.endswith("*"):
            raise fields.refused(f"'{name}' takes all that is left, so it must be the last")
    return tuple(value)


def _block_outputs(value: Any) -> tuple[tuple[str | None, Tree], ...]:
    if isinstance(value, dict) and value:
        return tuple(fields.read_mapping(value, fields.read_reference).items())
    if not isinstance(value, list) or not value:
        raise fields.wrong(value, "list of tensors", "write one, as [a, b], or {name: a}")
    return tuple((None, tree) for tree in fields.read_items(value, fields.read_reference))


_TAKEN = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*\\*?$"}
_GIVEN = {
    "anyOf": [
        {"type": "array", "minItems": 1, "items": form("reference")},
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": form("name"),
            "additionalProperties": form("reference"),
        },
    ]
}
BlockInputs = Annotated[
    tuple[str, ...], Read(_block_inputs, {"type": "array", "minItems": 1, "items": _TAKEN})
]
BlockOutputs = Annotated[tuple[tuple[str | None, Tree], ...], Read(_block_outputs, _GIVEN)]


class BlockModel(BaseModel):
    """A kind of the spec's own."""

    model_config = STRICT

    inputs: BlockInputs = optional(
        (), "names for the tensors that enter; xs* is a list of all that are left; else one enters"
    )

    parameters: dict[Name, Parameter] = optional(
        {}, "name → default; one without a value is required"
    )
    layers: list[AnEntry] = Field(description="the entries it stands for")
    outputs: BlockOutputs = optional(
        (), "what leaves it, where that is not what leaves the last entry: [a, b.*], or {name: a}"
    )


def _included(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise fields.wrong(value, "name of a spec, or list of such", "as include: blocks.yaml")
    return tuple(names)


_SPEC = {"type": "string", "pattern": "^[^@]|/"}
"""The schema of ``NAME``, ``PATH`` or one of them with ``@VARIANT``; an ``@`` before a ``/`` is the
path's own, so that ``@VARIANT`` alone names no spec."""
_INCLUDED = {"anyOf": [_SPEC, {"type": "array", "minItems": 1, "items": _SPEC}]}


class Variant(BaseModel):
    """Named overrides of symbols and derived values."""

    model_config = STRICT

    symbols: Overrides = optional({}, "symbols with another default")
    let: dict[Name, NamedValue] = optional({}, "derived values with another definition")


class Header(BaseModel):
    """The top level of a spec; ``example`` has the fields that must be there, for hints."""

    model_config = STRICT
    example: ClassVar[dict[str, object]] = {
        "archspec": 1,
        "name": "My network",
        "input": [1, 3, 224, 224],
        "layers": ["relu"],
    }

    archspec: Literal[1] = Field(description="version of the language")
    name: Line = Field(description="the network's name")
    source: Line | None = optional(None, "where the network is published")
    notes: list[Line] = optional(
        [], "what every report says of it, as which part of a module is left out"
    )
    symbols: Symbols = optional({}, "what stays symbolic, with its default")
    let: dict[Name, NamedValue] = optional({}, "derived values, in order; scalars or lists")
    input: Annotated[dict[str, Any], Read(_inputs, _INPUTS)] = Field(
        description="the input's shape, or a mapping of several"
    )
    convention: str | None = optional(
        None, "what counts where nothing else is asked for: torch, lecture or pycls; else torch"
    )
    precision: Annotated[NetworkPrecision, BeforeValidator(of_one_type), Shorthand(ONE_TYPE)] = (
        optional(
            NetworkPrecision.model_construct(),
            "the types of its numbers, as int8 or {weights: int4, activations: fp16}",
        )
    )
    include: Annotated[tuple[str, ...], Read(_included, _INCLUDED)] = optional(
        (), "specs whose blocks are kinds here, too: paths below this one's folder, or of the zoo"
    )
    blocks: dict[Annotated[str, WithJsonSchema(form("block"))], BlockModel] = optional(
        {}, "kinds of the spec's own, with parameters"
    )
    layers: list[AnEntry] = Field(min_length=1, description="the entries, in order")
    outputs: BlockOutputs = optional(
        (), "what leaves the network, where that is not what leaves the last entry: [a, b.*]"
    )
    variants: dict[str, Variant] = optional({}, "named overrides of symbols and let, as SPEC@NAME")
    config: dict[str, Configuration] = optional(
        {}, "model_type of a Hugging Face configuration → how its fields become symbols and let"
    )
    expect: list[Fact] = optional([], "published facts that the spec must reproduce")

    @classmethod
    def hint_for(cls, name: str, value: object) -> str | None:
        """Return what to write instead of a key that is none of the top level.

        Args:
            name: the key.
            value: its value.
        """
        if isinstance(value, dict) and "layers" in value:
            return f"a block stands under blocks:, as in blocks: {{{name}: {{layers: […]}}}}"
        return None

    @property
    def defaults(self) -> dict[str, Rational]:
        """Every symbol's default."""
        return {name: symbol.default for name, symbol in self.symbols.items()}

    def varied(self, name: str | None) -> "Header":
        """This header with a variant's overrides; None gives it as it is.

        Raises:
            SpecError: there is no such variant.
        """
        if name is None:
            return self
        if name not in self.variants:
            hint = did_you_mean(name, self.variants) or "this spec has no variants"
            raise SpecError(f"there is no variant '{name}'", hint=hint)
        variant = self.variants[name]
        symbols = dict(self.symbols)
        for key in variant.symbols.keys() & symbols.keys():
            by = variant.symbols[key]
            update = {field: getattr(by, field) for field in by.model_fields_set}
            symbols[key] = symbols[key].model_copy(update=update)
        return self.model_copy(update={"symbols": symbols, "let": self.let | variant.let})


def check_names(header: Header, document: YamlDocument) -> None:
    """Check that names are well-formed and unique, and that defaults keep their symbols' rules.

    Raises:
        SpecError: one does not.
    """
    gathered = Gathered()
    with gathered.together():
        for error in chain(
            _wrong_names(header, document),
            _wrong_defaults(header, document, ("symbols",)),
            *(_wrong_overrides(*each, header, document) for each in header.variants.items()),
        ):
            gathered.add(error)


def _wrong_names(header: Header, document: YamlDocument) -> Iterator[SpecError]:
    """Yield an error for every name that is malformed, or has a meaning already."""
    taken: dict[str, Origin] = {}
    sections: list[tuple[tuple[str, ...], Iterable[str], dict[str, Origin]]] = [
        (("input",), header.input, {}),
        (("symbols",), header.symbols, taken),
        (("let",), header.let, taken),
        (("blocks",), header.blocks, {}),
    ]
    blocks = header.blocks.items()
    sections += [(("blocks", name, "parameters"), b.parameters, taken) for name, b in blocks]
    for section, names, among in sections:
        for name in names:
            origin = document.key_origin((*section, name))
            try:
                check_name(name, among, origin, ".".join(section[:2]))
            except SpecError as error:
                yield error
            if among is taken and section[0] != "blocks":
                taken[name] = origin
    for name, block in header.blocks.items():
        yield from _wrong_inputs(name, block, taken, document)


def _wrong_inputs(
    name: str, block: BlockModel, taken: Mapping[str, Origin], document: YamlDocument
) -> Iterator[SpecError]:
    """Yield an error for every input of a block that is no name, or a name with a meaning."""
    meanings = {**taken}
    meanings |= {
        p: document.key_origin(("blocks", name, "parameters", p)) for p in block.parameters
    }
    for i, given in enumerate(block.inputs):
        origin = document.origin(("blocks", name, "inputs", i))
        try:
            check_name(given.removesuffix("*"), meanings, origin, f"blocks.{name}")
        except SpecError as error:
            yield error
        meanings[given.removesuffix("*")] = origin


def _wrong_defaults(header: Header, document: YamlDocument, path: Path_) -> Iterator[SpecError]:
    """Yield an error for every default that breaks its symbol's rules."""
    for name, symbol in header.symbols.items():
        broken = symbol.broken_rule(symbol.default)
        if broken:
            cause = f"{name} = {symbol.default} {broken}"
            yield document.error((*path, name), cause, entry="symbols")


def _wrong_overrides(
    name: str, variant: Variant, header: Header, document: YamlDocument
) -> Iterator[SpecError]:
    """Yield the first override of nothing; where there is none, the errors of the defaults."""
    for section in ("symbols", "let"):
        known = getattr(header, section)
        for key in getattr(variant, section):
            if key not in known:
                cause = f"a variant overrides what is there; {section} has no '{key}'"
                path, entry = ("variants", name, section, key), f"variants.{name}"
                yield document.key_error(path, cause, hint=did_you_mean(key, known), entry=entry)
                return
    yield from _wrong_defaults(header.varied(name), document, ("variants", name, "symbols"))


def check_name(name: str, taken: dict[str, Origin], origin: Origin, section: str) -> None:
    """Check that a name is letters, digits and _, no word of the language, and not taken.

    Raises:
        SpecError: it is not so.
    """
    fault = None
    if not _NAME.fullmatch(name):
        fault = "is no name; letters, digits and _ make one"
    elif name in RESERVED | KEYWORDS | set(FUNCTIONS):
        fault = "is a word of the language"
    elif name in taken:
        fault = f"has a meaning already, given on line {taken[name].line}"
    if fault:
        raise SpecError(f"'{name}' {fault}", origin=origin, entry=section)

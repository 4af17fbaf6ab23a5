"""A spec as typed values: its header, its symbols, its entries and the facts it must reproduce."""

import re
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from archspec.arithmetic import Rational, tidy
from archspec.document import Document, Path_, read_document
from archspec.errors import Origin, SpecError
from archspec.expressions import FUNCTIONS, KEYWORDS
from archspec.fields import Condition, Expression, Read, read_condition, read_expression, show
from archspec.layers import Layer, find_kind
from archspec.scope import RESERVED
from archspec.validation import validate

VERSION = 1
"""The version of the language that this package reads."""

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NODE_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


def _number(value: Any) -> Rational:
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return tidy(value)
    raise PydanticCustomError(
        "wrong_type", "{cause}", {"cause": f"{show(value)} is no number", "hint": None}
    )


Constant = Annotated[int | Fraction, Read(_number, {"type": "number"})]
"""An exact number, not an expression."""


class Symbol(BaseModel):
    """What stays symbolic: its default and what it may be.

    Units: none; a symbol is a count of elements, or a factor where its domain is real.
    """

    model_config = _STRICT

    default: Constant = Field(description="the value where nothing else is set")
    domain: Literal["integer", "real"] = Field(
        default="integer", description="integer or real; positive in both"
    )
    min: Constant | None = Field(default=None, description="the smallest value")
    max: Constant | None = Field(default=None, description="the largest value")
    multiple_of: Constant | None = Field(default=None, description="what divides every value")
    doc: str = Field(default="", description="what it stands for; nothing where not given")

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


class Rounding(BaseModel):
    """How a published value was rounded: to which unit, and down or to the nearest."""

    model_config = _STRICT

    to: Constant
    how: Literal["floor", "nearest"] = "nearest"


class Fact(BaseModel):
    """A published number that the spec must reproduce, with its source."""

    model_config = _STRICT

    metric: str
    value: Constant
    source: str
    variant: str | None = None
    at: dict[str, Constant] = Field(default_factory=dict)
    convention: str | None = None
    rounded: Rounding | None = None


def _let_value(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_let_value, value))
    return read_condition(value) if isinstance(value, bool) else read_expression(value)


LetValue = Annotated[Any, Read(_let_value, {})]


def _sizes(value: Any) -> tuple[Expression, ...]:
    if not isinstance(value, list) or not value:
        raise PydanticCustomError(
            "wrong_type",
            "{cause}",
            {"cause": f"{show(value)} is no shape", "hint": "write a list, as [n, c, h, w]"},
        )
    return tuple(map(read_expression, value))


def _inputs(value: Any) -> dict[str, tuple[Expression, ...]]:
    if isinstance(value, dict):
        return {name: _sizes(sizes) for name, sizes in value.items()}
    return {"input": _sizes(value)}


class Header(BaseModel):
    """The top level of a spec."""

    model_config = _STRICT

    archspec: Literal[1] = Field(description="version of the language")
    name: str = Field(description="the network's name")
    source: str | None = Field(default=None, description="where the network is published")
    symbols: dict[str, Annotated[Symbol, BeforeValidator(_expand_symbol)]] = Field(
        default_factory=dict, description="what stays symbolic, with its default"
    )
    let: dict[str, LetValue] = Field(
        default_factory=dict, description="derived values, in order; scalars or lists"
    )
    input: Annotated[dict[str, Any], Read(_inputs, {"type": ["array", "object"]})] = Field(
        description="the input's shape, or a mapping of several"
    )
    layers: list[Any] = Field(min_length=1, description="the entries, in order")
    expect: list[Fact] = Field(
        default_factory=list, description="published facts that the spec must reproduce"
    )

    @property
    def defaults(self) -> dict[str, Rational]:
        """Every symbol's default."""
        return {name: symbol.default for name, symbol in self.symbols.items()}


class Entry(NamedTuple):
    """One entry of ``layers``: a kind with its fields, and the reserved keys.

    Attributes:
        layer: the fields, unresolved.
        name: the name its author gave it, or None.
        sources: where its inputs come from; ``previous`` is the entry before.
        when: leaves the entry out where it is false; None where it is always in.
        path: its place in the document.
        origin: the origin of its kind.
        fields: the origins of its fields.
        key: the kind's name as its author wrote it.
    """

    layer: Layer
    key: str
    name: str | None
    sources: tuple[str, ...]
    when: Condition | None
    path: Path_
    origin: Origin
    fields: dict[str, Origin]


class Architecture(NamedTuple):
    """A spec whose every field is typed and whose every place is known.

    Attributes:
        header: the top level.
        entries: the entries of ``layers``.
        document: the text's data and origins.
    """

    header: Header
    entries: tuple[Entry, ...]
    document: Document


def load(path: str) -> Architecture:
    """Read and validate a spec file.

    Raises:
        SpecError: it breaks a rule of YAML or of the language.
    """
    return read_architecture(read_document(path))


def read_architecture(document: Document) -> Architecture:
    """Validate a document (see `load`)."""
    version = document.data.get("archspec")
    if "archspec" in document.data and version != VERSION:
        raise SpecError(
            f"version {show(version)} of the language; this archcost reads version {VERSION}",
            origin=document.origin(("archspec",)),
            entry="archspec",
        )
    header = validate(Header, document.data, document, ())
    _check_names(header, document)
    entries = [_read_entry(value, document, ("layers", i)) for i, value in enumerate(header.layers)]
    return Architecture(header, tuple(entries), document)


def _check_names(header: Header, document: Document) -> None:
    taken: dict[str, Origin] = {}
    for section, names in (("symbols", header.symbols), ("let", header.let)):
        for name in names:
            origin = document.key_origin((section, name))
            _check_name(name, taken, origin, section)
            taken[name] = origin
    for name, symbol in header.symbols.items():
        broken = symbol.broken_rule(symbol.default)
        if broken:
            origin = document.origin(("symbols", name))
            raise SpecError(f"{name} = {symbol.default} {broken}", origin=origin, entry="symbols")


def _check_name(name: str, taken: dict[str, Origin], origin: Origin, section: str) -> None:
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"'{name}' is no name; letters, digits and _ make one", origin=origin, entry=section
        )
    if name in RESERVED | KEYWORDS | set(FUNCTIONS):
        raise SpecError(f"'{name}' is a word of the language", origin=origin, entry=section)
    if name in taken:
        raise SpecError(
            f"'{name}' has a meaning already, given on line {taken[name].line}",
            origin=origin,
            entry=section,
        )


def _read_entry(value: Any, document: Document, path: Path_) -> Entry:
    key, fields = _split_entry(value, document.origin(path))
    layer_path = (*path, key) if isinstance(value, dict) else path
    origin = document.key_origin(layer_path)
    try:
        kind = find_kind(key)
    except SpecError as error:
        raise error.placed(origin) from None
    reserved = _read_reserved(value if isinstance(value, dict) else {}, document, path)
    return Entry(
        layer=validate(kind, fields, document, layer_path, entry=key),
        key=key,
        path=path,
        origin=origin,
        fields={name: document.origin((*layer_path, name)) for name in fields},
        name=reserved.name,
        sources=reserved.sources,
        when=reserved.when,
    )


def _split_entry(value: Any, origin: Origin) -> tuple[str, dict[str, Any]]:
    """The kind and the fields of an entry: ``relu``, or a mapping with one kind in it."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, dict):
        raise SpecError(f"{show(value)} is no entry; write a kind, as 'relu'", origin=origin)
    kinds = [key for key in value if key not in Reserved.names()]
    if len(kinds) != 1:
        found = f"has the kinds {', '.join(kinds)}" if kinds else "names no kind"
        raise SpecError(f"an entry has exactly one kind; this one {found}", origin=origin)
    fields = value[kinds[0]]
    if not isinstance(fields, dict | None):
        raise SpecError(
            f"the fields are a mapping, not {show(fields)}",
            hint=f"write {kinds[0]}: {{field: value}}",
            origin=origin,
            entry=kinds[0],
        )
    return kinds[0], fields or {}


def _read_sources(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise PydanticCustomError(
            "wrong_type",
            "{cause}",
            {"cause": f"{show(value)} is no name or list of names", "hint": None},
        )
    return tuple(names)


def _read_node_name(value: Any) -> str:
    if isinstance(value, str) and _NODE_NAME.fullmatch(value) and value not in RESERVED:
        return value
    raise PydanticCustomError(
        "wrong_type",
        "{cause}",
        {"cause": f"{show(value)} is no name", "hint": "letters, digits, _ and - make one"},
    )


class Reserved(BaseModel):
    """The keys that every entry may have beside its kind."""

    model_config = _STRICT

    name: Annotated[str | None, Read(_read_node_name, {"type": "string"})] = Field(
        default=None, description="a name of its own; else its kind and a number, as conv2d_1"
    )
    sources: Annotated[tuple[str, ...], Read(_read_sources, {"type": ["string", "array"]})] = Field(
        default=("previous",),
        alias="from",
        description="where its input comes from: a name, or a list of names; previous is the "
        "entry before",
    )
    when: Annotated[Condition | None, Read(read_condition, {"type": ["boolean", "string"]})] = (
        Field(default=None, description="a condition; where it is false, the entry is left out")
    )

    @classmethod
    def names(cls) -> frozenset[str]:
        """The keys, as a spec writes them."""
        return frozenset(field.alias or name for name, field in cls.model_fields.items())


def _read_reserved(value: dict[str, Any], document: Document, path: Path_) -> Reserved:
    reserved = {key: item for key, item in value.items() if key in Reserved.names()}
    return validate(Reserved, reserved, document, path)

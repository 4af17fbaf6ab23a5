"""Entries: a kind with its fields, a composite with its bodies, or a call of a block."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field
from pydantic_core import PydanticCustomError

from archspec.composites import COMPOSITES, Composite
from archspec.document import Document, Path_
from archspec.errors import Origin, SpecError, did_you_mean
from archspec.fields import Condition, Read, form, read_condition, show, wrong
from archspec.header import BlockModel, Header, check_name, read_value
from archspec.layers import KINDS, Layer, find_kind
from archspec.precision import UNSAID, Precision, Said
from archspec.scope import RESERVED
from archspec.validation import STRICT, explain_value, validate

_NODE_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


MAX_ENTRIES = 20_000
"""The most entries that a spec may write."""


class Call(NamedTuple):
    """A block with its arguments: name → unresolved value."""

    block: str
    arguments: Mapping[str, Any]


class Entry(NamedTuple):
    """One entry of a list: what it is, and the reserved keys.

    Attributes:
        content: a layer's fields, a composite's, or a call of a block; unresolved.
        bodies: the lists of entries in a composite, by field; a field may have several.
        key: the kind's name as its author wrote it.
        name: the name its author gave it, or None.
        sources: where its inputs come from; ``previous`` is the entry before.
        when: leaves the entry out where it is false; None where it is always in.
        precision: the types of its numbers, of what is in it, too.
        path: its place in the document.
        origin: the origin of its kind.
        fields: the origins of its fields.
    """

    content: Layer | Composite | Call
    bodies: Mapping[str, tuple["Entries", ...]]
    key: str
    name: str | None
    sources: tuple[str, ...]
    when: Condition | None
    precision: Precision
    path: Path_
    origin: Origin
    fields: Mapping[str, Origin]


Entries = tuple[Entry, ...]


class Block(NamedTuple):
    """A kind of the spec's own.

    Attributes:
        parameters: name → default, None where it is required.
        entries: what it stands for.
    """

    parameters: Mapping[str, Any]
    entries: Entries


class EntryReader:
    """Reads the entries of one document; ``blocks`` are the kinds of its own."""

    def __init__(self, document: Document, blocks: Mapping[str, BlockModel]) -> None:
        self.document = document
        self.blocks = blocks
        self.count = 0

    def entries(self, values: list[Any], path: Path_) -> Entries:
        """A list of entries that stands at ``path``."""
        return tuple(self.entry(value, (*path, i)) for i, value in enumerate(values))

    def entry(self, value: Any, path: Path_) -> Entry:
        """One entry.

        Raises:
            SpecError: it is none.
        """
        self.count += 1
        if self.count > MAX_ENTRIES:
            origin = self.document.origin(path)
            raise SpecError(f"more than {MAX_ENTRIES:,} entries", origin=origin)
        key, fields = _split_entry(value, self.document.origin(path))
        inner = (*path, key) if isinstance(value, dict) else path
        content = self._content(key, fields, inner)
        names = fields if isinstance(fields, dict) else {}
        reserved = self._reserved(value if isinstance(value, dict) else {}, path, key)
        return Entry(
            content=content,
            bodies=self._bodies(content, fields, inner),
            key=key,
            path=path,
            origin=self.document.key_origin(inner),
            fields={name: self.document.origin((*inner, name)) for name in names},
            name=reserved.name,
            sources=reserved.sources,
            when=reserved.when,
            precision=reserved.precision,
        )

    def _content(self, key: str, fields: Any, path: Path_) -> Layer | Composite | Call:
        origin = self.document.key_origin(path)
        if key in COMPOSITES:
            return self._composite(COMPOSITES[key], key, fields, path)
        if not isinstance(fields, dict):
            raise SpecError(
                f"the fields are a mapping, not {show(fields)}",
                hint=f"write {key}: {{field: value}}",
                origin=self.document.origin(path),
                entry=key,
            )
        if key in self.blocks:
            return self._call(key, fields, path)
        try:
            kind = find_kind(key)
        except SpecError as error:
            known = (*KINDS, *COMPOSITES, *self.blocks)
            hint = did_you_mean(key, known) or error.hint
            raise SpecError(error.cause, hint=hint, origin=origin) from None
        return validate(kind, fields, self.document, path, entry=key)

    def _composite(self, kind: type[Composite], key: str, fields: Any, path: Path_) -> Composite:
        if isinstance(fields, list) and kind.shorthand:
            fields = {kind.shorthand: fields}
        composite = validate(kind, fields, self.document, path, entry=key)
        self._check_names(composite, key, path)
        return composite

    def _check_names(self, composite: Composite, key: str, path: Path_) -> None:
        """The index and the columns of a table are names."""
        index = getattr(composite, "index", None)
        if index is not None:
            check_name(index, {}, self.document.origin((*path, "index")), f"{key}.index")
        for i, row in enumerate(getattr(composite, "rows", ())):
            for name in row:
                origin = self.document.key_origin((*path, "rows", i, name))
                check_name(name, {}, origin, f"{key}.rows")
        for name in getattr(composite, "columns", ()):
            origin = self.document.key_origin((*path, "columns", name))
            check_name(name, {}, origin, f"{key}.columns")

    def _bodies(self, content: object, fields: Any, path: Path_) -> dict[str, tuple[Entries, ...]]:
        if not isinstance(content, Composite):
            return {}
        bodies: dict[str, tuple[Entries, ...]] = {}
        for name in content.bodies:
            values = getattr(content, name)
            inner = path if isinstance(fields, list) else (*path, name)
            if name == "branches":
                bodies[name] = tuple(
                    self.entries(branch, (*inner, i)) for i, branch in enumerate(values)
                )
            else:
                bodies[name] = (self.entries(values, inner),)
        return bodies

    def _call(self, key: str, fields: dict[str, Any], path: Path_) -> Call:
        parameters = self.blocks[key].parameters
        for name in fields:
            if name not in parameters:
                raise SpecError(
                    f"unknown parameter '{name}'",
                    hint=did_you_mean(name, parameters) or "the block has no parameters",
                    origin=self.document.key_origin((*path, name)),
                    entry=key,
                )
        for name, default in parameters.items():
            if default is None and name not in fields:
                origin = self.document.key_origin(path)
                raise SpecError(f"the parameter '{name}' is required", origin=origin, entry=key)
        arguments = {name: self._argument(value, (*path, name)) for name, value in fields.items()}
        return Call(key, arguments)

    def _argument(self, value: Any, path: Path_) -> Any:
        try:
            return read_value(value)
        except PydanticCustomError as error:
            context: Any = error.context
            place = (*path, *context.get("path", ()))
            name, field = ".".join(map(str, path[-2:])), str(path[-1])
            raise explain_value(context, self.document.origin(place), name, field) from None

    def _reserved(self, value: dict[str, Any], path: Path_, key: str) -> "Reserved":
        reserved = {key: item for key, item in value.items() if key in Reserved.names()}
        return validate(Reserved, reserved, self.document, path, entry=key)


def read_blocks(header: Header, document: Document) -> dict[str, Block]:
    """The blocks of a spec.

    Raises:
        SpecError: a block has the name of a kind, or an entry breaks a rule.
    """
    reader = EntryReader(document, header.blocks)
    blocks = {}
    for name, block in header.blocks.items():
        if name in KINDS or name in COMPOSITES or name in Reserved.names():
            origin = document.key_origin(("blocks", name))
            raise SpecError(f"'{name}' is a word of the language", origin=origin, entry="blocks")
        entries = reader.entries(block.layers, ("blocks", name, "layers"))
        blocks[name] = Block(block.parameters, entries)
    return blocks


def _split_entry(value: Any, origin: Origin) -> tuple[str, Any]:
    """The kind and the fields of an entry: ``relu``, or a mapping with one kind in it."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, dict):
        raise SpecError(f"{show(value)} is no entry; write a kind, as 'relu'", origin=origin)
    kinds = [key for key in value if key not in Reserved.names()]
    if len(kinds) != 1:
        found = f"has the kinds {', '.join(kinds)}" if kinds else "names no kind"
        known = (*KINDS, *COMPOSITES)
        odd = next((kind for kind in kinds[1:] if kind not in known), "")
        hint = did_you_mean(odd, Reserved.names()) if odd else None
        raise SpecError(
            f"an entry has exactly one kind; this one {found}", hint=hint, origin=origin
        )
    fields = value[kinds[0]]
    return kinds[0], {} if fields is None else fields


def _read_sources(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise wrong(value, "name or list of names")
    return tuple(names)


def _read_node_name(value: Any) -> str:
    if isinstance(value, str) and _NODE_NAME.fullmatch(value) and value not in RESERVED:
        return value
    raise wrong(value, "name", "letters, digits, _ and - make one")


_SOURCE = {"type": "string"}
_SOURCES = {"anyOf": [_SOURCE, {"type": "array", "minItems": 1, "items": _SOURCE}]}


class Reserved(BaseModel):
    """The keys that every entry may have beside its kind."""

    model_config = STRICT

    name: Annotated[str | None, Read(_read_node_name, form("label"))] = Field(
        default=None, description="a name of its own; else its kind and a number, as conv2d_1"
    )
    sources: Annotated[tuple[str, ...], Read(_read_sources, _SOURCES)] = Field(
        default=("previous",),
        alias="from",
        description="where its input comes from: a name, or a list of names; previous is the "
        "entry before",
    )
    when: Annotated[Condition | None, Read(read_condition, form("condition"))] = Field(
        default=None, description="a condition; where it is false, the entry is left out"
    )
    precision: Said = Field(
        default=UNSAID,
        description="the types of its numbers, as int8 or {weights: int4}; of all that is in it",
    )

    @classmethod
    def names(cls) -> frozenset[str]:
        """The keys, as a spec writes them."""
        return frozenset(field.alias or name for name, field in cls.model_fields.items())

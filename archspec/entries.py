"""Entries: a kind with its fields, a composite with its bodies, or a call of a block."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field
from pydantic_core import PydanticCustomError

from archspec.composites import COMPOSITES, Composite
from archspec.document import Path_, YamlDocument
from archspec.errors import FinalError, Gathered, Origin, SpecError, did_you_mean, nearest
from archspec.fields import (
    Condition,
    Read,
    as_written,
    form,
    optional,
    read_condition,
    read_items,
    read_reference,
    show,
    wrong,
)
from archspec.header import BlockModel, check_name, read_value
from archspec.hints import Hints, form_of
from archspec.layers import ALIASES, KINDS, Layer, Torch, find_kind
from archspec.layers.base import Alias, find_alias, kind_hint
from archspec.precision import UNSAID, Precision, PrecisionField
from archspec.scope import RESERVED
from archspec.trees import Name, Tree
from archspec.validation import RESERVED_KEYS, STRICT, explain_value, validate

_NODE_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


MAX_ENTRIES = 20_000
"""The most entries that a spec may write."""


_NO_KIND = "docs/language.md lists the kinds; one of your own stands under blocks:"


class BlockCall(NamedTuple):
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
        sources: references to its inputs; ``previous`` is what leaves the entry before.
        when: leaves the entry out where it is false; None where it is always in.
        precision: the types of its numbers, of what is in it, too.
        trainable: whether it is trained, and what is in it; None as what is around it.
        path: its place in the document.
        origin: the origin of its kind.
        fields: the origins of its fields.
        torch: PyTorch's name of its kind, where it is written by that.
    """

    content: Layer | Composite | BlockCall
    bodies: Mapping[str, tuple["Entries", ...]]
    key: str
    name: str | None
    sources: tuple[Tree, ...]
    when: Condition | None
    precision: Precision
    trainable: Condition | None
    path: Path_
    origin: Origin
    fields: Mapping[str, Origin]
    torch: Torch | None = None

    def error(self, cause: str, hint: str | None = None, field: str | None = None) -> SpecError:
        """An error that names this entry, and the place of a field of it."""
        origin = self.fields.get(field or "", self.origin)
        return SpecError(cause, hint=hint, origin=origin, entry=self.key)


Entries = tuple[Entry, ...]


class Block(NamedTuple):
    """A kind of the spec's own.

    Attributes:
        parameters: name → default, None where it is required.
        entries: what it stands for.
        inputs: names for the tensors that enter; none where one enters that has no name.
        outputs: what leaves it, with a name where one is given; none for what the last entry gives.
        document: where it is written.
    """

    parameters: Mapping[str, Any]
    entries: Entries
    inputs: tuple[str, ...] = ()
    outputs: tuple[tuple[str | None, Tree], ...] = ()
    document: YamlDocument | None = None


class EntryReader:
    """Reads the entries of one document, and gathers what is wrong with them.

    ``blocks`` are the kinds of its own; None where what a block takes is not known. Where not
    ``are_all`` of them are known, as one that is included cannot be read, any may be missing.
    """

    def __init__(
        self,
        document: YamlDocument,
        blocks: Mapping[str, BlockModel | None],
        gathered: Gathered,
        *,
        are_all: bool = True,
    ) -> None:
        self.document = document
        self.blocks = blocks
        self.are_all = are_all
        self.gathered = gathered
        self.hints = Hints(blocks)
        self.count = 0

    def entries(self, values: Any, path: Path_) -> Entries:
        """The entries of a list that stands at ``path``; what is no entry, or no list, has none."""
        found: list[Entry] = []
        for i, value in enumerate(values if isinstance(values, list) else ()):
            with self.gathered.gathering():
                found.append(self._entry(value, (*path, i)))
        return tuple(found)

    def _entry(self, value: Any, path: Path_) -> Entry:
        """One entry, or the error that it is none."""
        self.count += 1
        if self.count > MAX_ENTRIES:
            cause, origin = f"more than {MAX_ENTRIES:,} entries", self.document.origin(path)
            raise FinalError(cause, origin=origin)
        key, fields = self._split(value, path)
        inner = (*path, key) if isinstance(value, dict) else path
        reserved = Reserved()
        with self.gathered.gathering():
            beside = value if isinstance(value, dict) else {}
            beside = {name: item for name, item in beside.items() if name in RESERVED_KEYS}
            reserved = validate(Reserved, beside, self.document, path, entry=key)
        bodies = self._bodies(key, fields, inner)
        alias = None if key in self.blocks else find_alias(key)
        if alias and isinstance(fields, dict):
            self._require_given(alias, fields, inner)
        content, fields = self._content(key, fields, inner)
        return Entry(
            content=content,
            bodies=bodies,
            key=key,
            path=path,
            origin=self.document.key_origin(inner),
            fields={name: self.document.origin((*inner, name)) for name in fields},
            name=reserved.name,
            sources=reserved.sources,
            when=reserved.when,
            precision=reserved.precision,
            trainable=reserved.trainable,
            torch=alias.torch if alias else None,
        )

    def _split(self, value: Any, path: Path_) -> tuple[str, Any]:
        """The kind and the fields of an entry: ``relu``, or a mapping with one kind in it."""
        if isinstance(value, str):
            return value, {}
        if not isinstance(value, dict):
            cause = f"{show(value)} is no entry; write a kind, as 'relu'"
            raise self.document.error(path, cause)
        kinds = [key for key in value if key not in RESERVED_KEYS]
        if len(kinds) != 1:
            found = f"has the kinds {', '.join(kinds)}" if kinds else "names no kind"
            cause = f"an entry has exactly one kind; this one {found}"
            raise self.document.error(path, cause, hint=self.hints.for_kinds(value, kinds))
        fields = value[kinds[0]]
        return kinds[0], {} if fields is None else fields

    def _content(
        self, key: str, fields: Any, path: Path_
    ) -> tuple[Layer | Composite | BlockCall, Mapping[str, Any]]:
        """The content of an entry, and its fields by their own names."""
        if key in COMPOSITES:
            return self._composite(COMPOSITES[key], key, fields, path)
        kind = None if key in self.blocks else self._kind(key, path)
        if not isinstance(fields, dict):
            hint = self.hints.for_value(key, kind, fields)
            raise self._no_mapping(fields, path, key, hint)
        if kind is None:
            return self._call(key, fields, path), fields
        named = self._by_own_names(kind, key, fields, path)
        return validate(kind, named, self.document, path, entry=key), named

    def _no_mapping(self, fields: Any, path: Path_, key: str, hint: str) -> SpecError:
        cause = f"the fields are a mapping, not {show(fields)}"
        return self.document.error(path, cause, hint=hint, entry=key)

    def _kind(self, key: str, path: Path_) -> type[Layer]:
        """The class of a kind, by a name of ours or of PyTorch's."""
        alias = find_alias(key)
        try:
            return alias.layer if alias else find_kind(key)
        except SpecError as error:
            known = (*KINDS, *COMPOSITES, *self.blocks, *ALIASES)
            hint = self.hints.for_code(key) or kind_hint(key, known) or error.hint or _NO_KIND
            origin = self.document.key_origin(path)
            subject = f"kind {key}"
            if not self.are_all:
                self.gathered.excuse(subject)
            raise SpecError(error.cause, hint=hint, origin=origin, subject=subject) from None

    def _by_own_names(
        self, kind: type[Layer], key: str, fields: dict[str, Any], path: Path_
    ) -> dict[str, Any]:
        """The fields, those by a name of PyTorch's under the name that the kind has for them."""
        own = {name: kind.aliases.get(name, name) for name in fields}
        seen: dict[str, str] = {}
        for name, field in own.items():
            if field in seen:
                cause = f"the field '{field}' is given twice, as {seen[field]} and {name}"
                hint = "leave one of them out"
                raise self.document.key_error((*path, name), cause, hint=hint, entry=key)
            seen[field] = name
        for name, field in own.items():
            if field != name:
                self.document.also((*path, name), (*path, field), fields[name])
        return {own[name]: value for name, value in fields.items()}

    def _require_given(self, alias: Alias, fields: dict[str, Any], path: Path_) -> None:
        """Under a name of PyTorch's a default is not taken that is another there."""
        for name in alias.torch.given:
            if name not in fields:
                cause = (
                    f"the field '{name}' is required under PyTorch's name, since its default "
                    "there is another"
                )
                default = show(as_written(alias.layer.model_fields[name].default))
                ours = f"{alias.layer.kind}, whose {name} is {default}"
                hint, entry = f"write {name}, or {ours}", alias.torch.name
                self.gathered.add(self.document.key_error(path, cause, hint=hint, entry=entry))

    def _composite(
        self, kind: type[Composite], key: str, fields: Any, path: Path_
    ) -> tuple[Composite, Mapping[str, Any]]:
        written = fields if isinstance(fields, dict) else {}
        if isinstance(fields, list if kind.bodies else str) and kind.shorthand:
            if isinstance(fields, str):
                self.document.also(path, (*path, kind.shorthand), fields)
            fields = {kind.shorthand: fields}
        if not isinstance(fields, dict):
            raise self._no_mapping(fields, path, key, f"write {key}: {form_of(kind)}")
        composite = validate(kind, fields, self.document, path, entry=key)
        self._check_names(composite, key, path)
        return composite, written

    def _check_names(self, composite: Composite, key: str, path: Path_) -> None:
        """Check that the index and the columns of a table are names."""
        index = getattr(composite, "index", None)
        if index is not None:
            check_name(index, {}, self.document.origin((*path, "index")), f"{key}.index")
        rows = enumerate(getattr(composite, "rows", ()))
        tables: dict[Path_, Iterable[str]] = {("rows", i): row for i, row in rows}
        tables[("columns",)] = getattr(composite, "columns", ())
        tables[("tensors",)] = getattr(composite, "tensors", ())
        tables[("symbols",)] = getattr(composite, "symbols", ())
        for place, name in ((place, name) for place, names in tables.items() for name in names):
            origin = self.document.key_origin((*path, *place, name))
            check_name(name, {}, origin, f"{key}.{place[0]}")

    def _bodies(self, key: str, fields: Any, path: Path_) -> dict[str, tuple[Entries, ...]]:
        """Return the lists of entries inside a composite; whatever is no list its class refuses."""
        kind = COMPOSITES.get(key)
        bodies: dict[str, tuple[Entries, ...]] = {}
        for name in kind.bodies if kind else ():
            of_list = isinstance(fields, list) and kind is not None and name == kind.shorthand
            values = fields if of_list else fields.get(name) if isinstance(fields, dict) else None
            inner = path if of_list else (*path, name)
            if name != "branches":
                bodies[name] = (self.entries(values, inner),)
            elif isinstance(values, list):
                bodies[name] = tuple(self.entries(b, (*inner, i)) for i, b in enumerate(values))
        return bodies

    def _call(self, key: str, fields: dict[str, Any], path: Path_) -> BlockCall:
        gathered, arguments = Gathered(), {}
        with gathered.together():
            block = self.blocks[key]
            if block is not None:
                for error in self._wrong_parameters(block.parameters, key, fields, path):
                    gathered.add(error)
            for name, value in fields.items():
                with gathered.gathering():
                    arguments[name] = self._argument(value, (*path, name))
        return BlockCall(key, arguments)

    def _wrong_parameters(
        self, parameters: Mapping[str, Any], key: str, fields: dict[str, Any], path: Path_
    ) -> Iterator[SpecError]:
        """Yield the errors of a call: unknown parameters, and required ones that are missing."""
        unknown = [name for name in fields if name not in parameters]
        missing = [n for n, default in parameters.items() if default is None and n not in fields]
        for name in unknown:
            hint = did_you_mean(name, parameters) or "the block has no parameters"
            cause = f"unknown parameter '{name}'"
            yield self.document.key_error((*path, name), cause, hint=hint, entry=key)
        meant = {nearest(name, missing) for name in unknown}
        for name in missing:
            if name not in meant:
                cause = f"the parameter '{name}' is required"
                yield self.document.key_error(path, cause, entry=key)

    def _argument(self, value: Any, path: Path_) -> Any:
        try:
            return read_value(value)
        except PydanticCustomError as error:
            context: Any = error.context
            place = (*path, *context.get("path", ()))
            name, field = ".".join(map(str, path[-2:])), str(path[-1])
            raise explain_value(context, self.document.origin(place), name, field) from None


def read_blocks(reader: EntryReader, own: Mapping[str, BlockModel | None]) -> dict[str, Block]:
    """The blocks of a spec; the reader gathers what is wrong with them.

    Args:
        reader: what reads the entries of the spec.
        own: the blocks that the spec itself has.
    """
    blocks, document = {}, reader.document
    for name, block in own.items():
        if {name} & {*KINDS, *ALIASES, *COMPOSITES, *RESERVED_KEYS}:
            cause = f"'{name}' is a word of the language"
            reader.gathered.add(document.key_error(("blocks", name), cause, entry="blocks"))
        if block is not None:
            entries = reader.entries(block.layers, ("blocks", name, "layers"))
            blocks[name] = Block(block.parameters, entries, block.inputs, block.outputs, document)
    return blocks


def _read_sources(value: Any) -> tuple[Tree, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise wrong(value, "name or list of names")
    return read_items(names, read_reference) if names is value else (read_reference(value),)


def _read_node_name(value: Any) -> str:
    if isinstance(value, str) and _NODE_NAME.fullmatch(value) and value not in RESERVED:
        return value
    raise wrong(value, "name", "letters, digits, _ and - make one")


_SOURCE = form("reference")

PREVIOUS = Name("previous")
"""The reference to the output of the entry before."""

_SOURCES = {"anyOf": [_SOURCE, {"type": "array", "minItems": 1, "items": _SOURCE}]}


class Reserved(BaseModel):
    """The keys that every entry may have beside its kind."""

    model_config = STRICT

    name: Annotated[str | None, Read(_read_node_name, form("label"))] = optional(
        None, "a name of its own; else its kind and a number, as conv2d_1"
    )
    sources: Annotated[tuple[Tree, ...], Read(_read_sources, _SOURCES)] = Field(
        default=(PREVIOUS,),
        alias="from",
        description="where its input comes from: a name, or a list of names; previous is the "
        "entry before, name.part one of several outputs, name.* all of them",
    )
    when: Annotated[Condition | None, Read(read_condition, form("condition"))] = optional(
        None, "a condition; where it is false, the entry is left out"
    )
    precision: PrecisionField = optional(
        UNSAID, "the types of its numbers, as int8 or {weights: int4}; of all that is in it"
    )
    trainable: Annotated[Condition | None, Read(read_condition, form("condition"))] = optional(
        None,
        "false freezes its parameters, and those of all that is in it: no gradients, no "
        "optimizer state; true inside trains some again",
    )

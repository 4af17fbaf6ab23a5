"""A spec whose every field is typed and whose every place is known."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from glob import has_magic
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from archspec.document import YamlDocument, parse_document, read_document
from archspec.entries import Block, BlockCall, Entries, Entry, EntryReader, read_blocks
from archspec.errors import Gathered, Origin, SpecError, did_you_mean
from archspec.fields import show
from archspec.header import BlockModel, Header, check_names
from archspec.importers import Module, find_source
from archspec.precision import known_kinds
from archspec.validation import validate
from archspec.zoo import find_beside, find_spec, is_of_zoo, split_variant

Source = str | PathLike[str] | Mapping[str, Any]
"""The forms of a spec that `load` reads."""

VERSION = 1
"""The version of the language that this package reads."""


class Architecture(NamedTuple):
    """A validated spec.

    Attributes:
        header: the top level, with the variant's overrides.
        written: the top level as it is written.
        variant: the variant's name, or None.
        blocks: the kinds of its own.
        entries: the entries of ``layers``.
        document: the text's data and origins.
        models: the kinds of its own as they are written.
    """

    header: Header
    written: Header
    variant: str | None
    blocks: Mapping[str, Block]
    entries: Entries
    document: YamlDocument
    models: Mapping[str, BlockModel | None] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"<spec {self.document.file}{'@' * bool(self.variant)}{self.variant or ''}>"

    def varied(self, variant: str | None) -> "Architecture":
        """The same spec with the overrides of another variant, or of none.

        Raises:
            SpecError: there is no such variant.
        """
        return self._replace(header=self.written.varied(variant), variant=variant)

    def all_varied(self, variant: str | None) -> tuple["Architecture", ...]:
        """The networks that a variant's name stands for: one, or all that a pattern matches.

        A spec without variants is the only network of ``*``.

        Raises:
            SpecError: there are none.
        """
        if variant is None or not has_magic(variant):
            return (self.varied(variant),)
        names = [name for name in self.written.variants if fnmatchcase(name, variant)]
        if not names and (self.written.variants or variant != "*"):
            hint = did_you_mean(variant, self.written.variants) or "it has no variants"
            raise SpecError(f"no variant is like '{variant}'", hint=hint)
        return tuple(map(self.varied, names or (None,)))

    def names_within(self, entry: Entry) -> frozenset[str]:
        """The names that an entry bears, and those in its bodies and in blocks that it calls."""
        found: set[str] = set()
        lists: list[Iterable[Entry]] = [(entry,)]
        called: set[str] = set()
        while lists:
            for each in lists.pop():
                found |= {each.name} if each.name else set()
                lists += [body for bodies in each.bodies.values() for body in bodies]
                if isinstance(each.content, BlockCall) and each.content.block not in called:
                    called.add(each.content.block)
                    lists.append(self.blocks[each.content.block].entries)
        return frozenset(found)


def load(spec: Source | Module) -> Architecture:
    """Read and validate a spec.

    Args:
        spec: a name of the zoo, ``PATH`` or ``PATH@VARIANT``; what a spec is written from
            (see `archspec.importers`); the text of a spec, which has several lines; or what that
            text says, as a mapping.

    Raises:
        SpecError: it breaks a rule of YAML or of the language.
    """
    if isinstance(spec, Mapping):
        return read_architecture(parse_document(_in_yaml(spec), "<mapping>"))
    if not isinstance(spec, str | PathLike):
        cause = f"{type(spec).__name__} is no spec"
        hint = "give a name of the zoo, a path, a text or a mapping"
        if hasattr(spec, "forward"):
            hint = 'say the sizes of its inputs, as in analyze(module, input=("n", 3, "h", "w"))'
        raise SpecError(cause, hint=hint)
    text = fspath(spec)
    if "\n" in text:
        return read_architecture(parse_document(text, "<text>"))
    path, variant = find_spec(text)
    return read_architecture(document_at(path), variant)


def document_at(path: str) -> YamlDocument:
    """Read a spec file, or the spec that is written from an importable source.

    Args:
        path: the file, or the source (see `archspec.importers`).

    Raises:
        SpecError: it cannot be read.
    """
    source = find_source(path)
    return parse_document(source.read().text, f"<{source.name}>") if source else read_document(path)


def _in_yaml(spec: Mapping[str, Any]) -> str:
    """Return a mapping as the text that says it.

    Raises:
        SpecError: something in it is no plain value.
    """
    try:
        return str(yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True))
    except yaml.YAMLError as error:
        cause = f"the mapping has what is no plain value: {error.args[-1]!r}"
        raise SpecError(cause, hint="texts, numbers, truth values, lists and mappings") from None


MAX_WITHIN = 10
"""The most specs that may be nested, each naming the next."""


class EnclosingSpecs(NamedTuple):
    """The specs that are being read, where one names another.

    Attributes:
        files: the specs around it, the outermost first.
        known: what is read already, by path.
    """

    files: tuple[str, ...]
    known: dict[str, Architecture]

    def inside(self, file: str) -> "EnclosingSpecs":
        """The same for what a file names."""
        return self._replace(files=(*self.files, file))


def read_architecture(
    document: YamlDocument, variant: str | None = None, around: EnclosingSpecs | None = None
) -> Architecture:
    """Validate a document (see `load`), which stands in those around it."""
    check_version(document)
    gathered = Gathered()
    with gathered.together():
        header = _read_header(document, gathered)
        own: Mapping[str, BlockModel | None] = (
            header.blocks if header else _rough(document, gathered)
        )
        included, are_all = _Included({}, {}), False
        with gathered.gathering():
            inside = (around or EnclosingSpecs((), {})).inside(document.file)
            included = _include(document, header.include if header else (), inside)
            are_all = header is not None or "include" not in document.data
        _check_own(own, included, document, gathered)
        kinds = {**included.models, **own}
        reader = EntryReader(document, kinds, gathered, are_all=are_all)
        blocks = included.blocks | read_blocks(reader, own)
        entries = reader.entries(document.data.get("layers"), ("layers",))
    assert header is not None  # an error was raised otherwise
    spec = Architecture(header, header, None, blocks, entries, document, reader.blocks)
    return spec.varied(variant)


class _Included(NamedTuple):
    """Blocks of other specs: as they are written, and with their entries."""

    models: Mapping[str, BlockModel | None]
    blocks: dict[str, Block]


def _include(document: YamlDocument, names: Iterable[str], around: EnclosingSpecs) -> _Included:
    """Return the blocks of the specs that a spec includes.

    Raises:
        SpecError: one cannot be read, includes itself, or has a block of a name that is taken.
    """
    models: dict[str, BlockModel | None] = {}
    blocks: dict[str, Block] = {}
    for i, name in enumerate(names):
        at = document.origin(("include", i))
        other = read_beside(name, document, at, "include", around)
        for block in other.blocks.keys() & blocks.keys():
            if other.blocks[block].document != blocks[block].document:
                raise SpecError(f"'{block}' is a block of two of them", origin=at, entry="include")
        models |= other.models
        blocks |= other.blocks
    return _Included(models, blocks)


def read_beside(
    name: str, document: YamlDocument, origin: Origin, entry: str, around: EnclosingSpecs
) -> Architecture:
    """Read the spec that another one names.

    Args:
        name: its path below the other's folder, or a name of the zoo.
        document: the other.
        origin: the origin of the name.
        entry: what an error names.
        around: the specs that are being read, the other's last.

    Raises:
        SpecError: it cannot be read, or it is one of those.
    """
    try:
        path, variant = find_beside(name, document.file)
        read: Callable[[], YamlDocument] = partial(read_document, path)
        if document.beside is not None and not is_of_zoo(name):
            path, read = document.beside(split_variant(name)[0])
        if Path(path) in map(Path, around.files):
            way = " → ".join((*(Path(file).name for file in around.files), Path(path).name))
            raise SpecError(f"a spec is inside itself: {way}")
        if len(around.files) > MAX_WITHIN:
            raise SpecError(f"specs within specs, more than {MAX_WITHIN} deep")
        if path not in around.known:
            around.known[path] = read_architecture(read(), None, around)
        return around.known[path].varied(variant)
    except SpecError as error:
        raise (error if error.origin else error.placed(origin, entry)) from None


def _check_own(
    own: Mapping[str, BlockModel | None],
    included: _Included,
    document: YamlDocument,
    gathered: Gathered,
) -> None:
    for name in own.keys() & included.models.keys():
        cause = f"'{name}' is a block of a spec that is included, too"
        gathered.add(document.key_error(("blocks", name), cause, entry="blocks"))


def _read_header(document: YamlDocument, gathered: Gathered) -> Header | None:
    """The top level; None where it is wrong, which is gathered."""
    with gathered.gathering():
        header = validate(Header, document.data, document, ())
        with gathered.gathering():
            check_names(header, document)
        with gathered.gathering():
            precision = known_kinds(header.precision, document)
            return header.model_copy(update={"precision": precision})
    return None


def _rough(document: YamlDocument, gathered: Gathered) -> dict[str, BlockModel | None]:
    """The blocks of a document whose top level is wrong; None for one that is wrong itself."""
    written = document.data.get("blocks")
    listed = written if isinstance(written, list) else []
    elsewhere = (document.data, *(item for item in listed if isinstance(item, dict)))
    for name in {name for mapping in elsewhere for name in mapping} - set(Header.model_fields):
        gathered.excuse(f"kind {name}")  # a block in the wrong place
    blocks: dict[str, BlockModel | None] = {}
    for name, block in written.items() if isinstance(written, dict) else ():
        try:
            blocks[name] = BlockModel.model_validate(block)
        except ValidationError:
            blocks[name] = None
    return blocks


def check_version(document: YamlDocument) -> None:
    """Check that a document states the version of the language that is read here, or none.

    Raises:
        SpecError: it says another.
    """
    version = document.data.get("archspec")
    if "archspec" in document.data and (isinstance(version, bool) or version != VERSION):
        shown = f'"{version}"' if isinstance(version, str) else show(version)
        cause = f"version {shown} of the language; this archcost reads version {VERSION}"
        raise document.error(("archspec",), cause, entry="archspec")


def refuse_spec(document: YamlDocument, form: str, hint: str) -> None:
    """Refuse a spec, a document with layers, where one of another form is expected.

    Args:
        document: the document.
        form: what it must be.
        hint: what takes a spec.

    Raises:
        SpecError: it is a spec.
    """
    if "layers" in document.data:
        raise document.error((), f"this is a spec; {form}", hint=hint)

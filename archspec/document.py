"""Text to data: YAML 1.2 read with the line and column of every key and value.

Reading is the first wall against an untrusted text: the size of the file, the depth of the
nesting and the number of values after aliases are expanded are bounded before anything else looks
at them.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import yaml

from archspec.broken import fault_of
from archspec.errors import Gathered, Origin, SpecError
from archspec.expressions import ExpressionError
from archspec.zoo import STDIN, shown_path, zoo_hint

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_VALUES = 100_000
MAX_DIGITS = 400  # more digits than any size or count needs

Path_ = tuple[str | int, ...]
"""The way from the top of a document to one value: keys and list positions."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel has it

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


class YamlDocument(NamedTuple):
    """Plain data (dict, list, str, int, Fraction, bool, None) and where each of its values stands.

    Attributes:
        file: the name errors show.
        data: the top mapping.
        values: path of a value → its origin.
        keys: path of a value → the origin of its key.
        beside: finds a file below its folder by the path from there, where that is no folder of
            the disk: the name that errors show, and what reads it.
    """

    file: str
    data: dict[str, Any]
    values: dict[Path_, Origin]
    keys: dict[Path_, Origin]
    beside: Callable[[str], tuple[str, Callable[[], "YamlDocument"]]] | None = None

    def origin(self, path: Path_) -> Origin:
        """The origin of the value at ``path``, or of its nearest known ancestor."""
        while path not in self.values:
            path = path[:-1]
        return self.values[path]

    def key_origin(self, path: Path_) -> Origin:
        """The origin of the key at ``path``, or of the value where it has no key."""
        return self.keys.get(path) or self.origin(path)

    def error(
        self, path: Path_, cause: str, *, hint: str | None = None, entry: str | None = None
    ) -> SpecError:
        """An error about the value at ``path``."""
        return SpecError(cause, hint=hint, origin=self.origin(path), entry=entry)

    def key_error(
        self, path: Path_, cause: str, *, hint: str | None = None, entry: str | None = None
    ) -> SpecError:
        """An error about the key at ``path``."""
        return SpecError(cause, hint=hint, origin=self.key_origin(path), entry=entry)

    @contextmanager
    def placing(self, path: Path_, entry: str) -> Iterator[None]:
        """Give an expression's error the place of the text it stands in."""
        try:
            yield
        except ExpressionError as error:
            at = self.origin((*path, *error.path)).shifted(error.position)
            cause, subject = error.cause, error.subject
            raise SpecError(
                cause, hint=error.hint, origin=at, entry=entry, subject=subject
            ) from None

    def also(self, path: Path_, to: Path_, value: object) -> None:
        """Let a value that stands at ``path``, and what is in it, be found at ``to``, too.

        Args:
            path: where it stands.
            to: by which other path it is found.
            value: the value.
        """
        self.values[to], self.keys[to] = self.origin(path), self.key_origin(path)
        inner = value if isinstance(value, dict) else {}
        items = inner.items() if inner or not isinstance(value, list) else enumerate(value)
        for key, item in items:
            self.also((*path, key), (*to, key), item)

    def moved(self, path: Path_, to: Path_, data: dict[str, Any]) -> "YamlDocument":
        """Return a document of other data, whose origins are those below ``path`` here."""

        def below(origins: dict[Path_, Origin]) -> dict[Path_, Origin]:
            depth = len(path)
            return {(*to, *p[depth:]): o for p, o in origins.items() if p[:depth] == path}

        return YamlDocument(self.file, data, below(self.values), below(self.keys))


SPEC = "a spec is a mapping with the keys archspec, name, input and layers"


def read_document(path: str | Path, form: str = SPEC) -> YamlDocument:
    """Read a spec file, or another whose top level is a mapping.

    Args:
        path: the file, or `STDIN`.
        form: what its top level must be.

    Raises:
        SpecError: the file is missing, too large, not UTF-8, not YAML, empty, or breaks a limit.
    """
    if str(path) == STDIN:
        return parse_document(decode(_standard_input(sys.stdin), STDIN), STDIN, form)
    return parse_document(_read_text(Path(path)), shown_path(path), form)


@lru_cache(maxsize=1)
def _standard_input(stream: TextIO) -> bytes:
    """Return the bytes on standard input, which commands may look at more than once."""
    return stream.buffer.read(MAX_BYTES + 1)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        known = [other.name for other in path.parent.glob("[!.]*.y*ml")]
        raise SpecError(f"no such file: {path}", hint=zoo_hint(str(path), known)) from None
    except (OSError, ValueError) as error:  # a path with a NUL in it is a ValueError
        cause = getattr(error, "strerror", None) or error
        raise SpecError(f"cannot read {path}: {cause}") from None
    return decode(raw, str(path))


def decode(raw: bytes, file: str) -> str:
    """The text of a file's bytes.

    Raises:
        SpecError: they are more than a spec may have, or no UTF-8.
    """
    if len(raw) > MAX_BYTES:
        raise SpecError(f"{file} is larger than {MAX_BYTES:,} bytes, the most a spec may have")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8; specs are UTF-8 text",
            origin=_origin_after(raw[: error.start].decode("utf-8-sig"), file),
        ) from None


def _origin_after(before: str, file: str) -> Origin:
    """The place of what follows a text."""
    return Origin(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def parse_document(text: str, file: str = "<spec>", form: str = SPEC) -> YamlDocument:
    """Parse YAML text whose top level is a mapping (see `read_document`)."""
    _refuse_signs(text, file)
    try:
        top = _top(text, file, _LOADER)
    except yaml.YAMLError:  # libyaml looks ahead, past our own limit of nesting
        top = _top(text, file, yaml.SafeLoader)
    if top is None or top.value is None:
        raise SpecError(f"the file is empty; {form}", origin=Origin(file, 1, 1))
    if not isinstance(top.value, dict):
        raise SpecError(form, origin=top.origin)
    document = YamlDocument(file, {}, {}, {})
    document.data.update(_plain(top, (), document))
    return document


def _top(text: str, file: str, loads: Any) -> "_Marked | None":
    """The value of the whole text, read with one of PyYAML's loaders.

    Raises:
        SpecError: the text is no YAML, or breaks a rule of ours.
        YAMLError: the loader has a limit of nesting of its own, and it is reached.
    """
    loader, builder = loads(text), _Builder(file, text)
    try:
        with builder.gathered.together():
            builder.build(loader)
        return builder.top
    except (ValueError, OverflowError) as error:
        if isinstance(error, SpecError):
            raise
        mark = loader.get_mark()  # of the Python loader; libyaml has errors of its own
        origin = Origin(file, mark.line + 1, mark.column + 1)
        raise SpecError(f"not YAML: {error}", origin=origin) from None
    finally:
        loader.dispose()


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def _refuse_signs(text: str, file: str) -> None:
    """YAML 1.2, section 5.1: what a YAML text may not contain."""
    found = _FORBIDDEN.search(text)
    if found:
        raise SpecError(
            f"not YAML: the character {found.group()!r} has no place in YAML",
            origin=_origin_after(text[: found.start()], file),
        )


class _Marked:
    """A value under construction: a scalar, a list of `_Marked`, or key → (origin, `_Marked`).

    ``size`` and ``height`` count the values and levels below and including it, aliases expanded.
    ``key`` is the key of a mapping that waits for its value.
    """

    __slots__ = ("anchor", "height", "key", "origin", "size", "value")

    def __init__(self, value: Any, origin: Origin, anchor: str | None = None) -> None:
        self.value = value
        self.origin = origin
        self.anchor = anchor
        self.key: tuple[str, Origin] | None = None
        self.size = 1
        self.height = 1


class _Builder:
    """YAML events → nested `_Marked` values, without recursion."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.gathered = Gathered()
        self.lines = text.splitlines()
        self.stack: list[_Marked] = []  # the collections whose end has not come yet
        self.anchors: dict[str, _Marked] = {}
        self.top: _Marked | None = None

    def build(self, loader: Any) -> None:
        """Build the value of the events that one of PyYAML's loaders gives."""
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: lambda event: self._open(event, []),
            yaml.MappingStartEvent: lambda event: self._open(event, {}),
            yaml.SequenceEndEvent: self._close,
            yaml.MappingEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for event in self._events(loader):
            with self.gathered.gathering():
                self._refuse_tag(event)
            handler = handlers.get(type(event))
            if handler:
                handler(event)

    def _events(self, loader: Any) -> Iterator[Any]:
        """Yield the events, up to where the text is no YAML, which ends it."""
        try:
            while loader.check_event():
                yield loader.get_event()
        except yaml.YAMLError as error:
            if "nesting depth" in str(error):
                raise
            mark = getattr(error, "problem_mark", None)
            line, column = (mark.line, mark.column) if mark else (0, 0)
            fault, origin = fault_of(error, self.text), Origin(self.file, line + 1, column + 1)
            raise SpecError(f"not YAML: {fault.cause}", hint=fault.hint, origin=origin) from None

    def _refuse_tag(self, event: Any) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise SpecError(
                f"the tag {tag} asks for a type; a spec holds plain values only",
                origin=self._origin(event),
            )

    def _origin(self, event: Any) -> Origin:
        return Origin(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _value_origin(self, event: Any) -> Origin:
        """Return the place where a scalar's own text begins, behind its anchor and its quote."""
        origin = self._origin(event)
        if event.anchor:
            line = self.lines[origin.line - 1][origin.column - 1 :]
            origin = origin.shifted(len(line) - len(line.removeprefix(f"&{event.anchor}").lstrip()))
        origin = origin.shifted(1 if event.style in ("'", '"') else 0)
        one_line = event.start_mark.line == event.end_mark.line
        return origin._replace(movable=one_line and event.style not in ("|", ">"))

    def _document(self, event: Any) -> None:
        if self.top is not None:
            raise SpecError("a second YAML document; a spec is one", origin=self._origin(event))

    def _scalar(self, event: Any) -> None:
        node = _Marked(None, self._value_origin(event), event.anchor)
        with self.gathered.gathering():
            node.value = event.value  # of one that is refused, the text stands there
            node.value = self._read(event, node.origin)
        self._place(node)

    @staticmethod
    def _read(event: Any, origin: Origin) -> Any:
        """The value of a scalar."""
        value = resolve_scalar(event.value, origin) if event.implicit[0] else event.value
        if isinstance(value, str) and _SURROGATE.search(value):
            raise SpecError("not YAML: an escape that is half a character", origin=origin)
        if isinstance(value, str) and _CONTROL.search(value):
            raise SpecError(f"'{value}' has a control character in it", origin=origin)
        return value

    def _open(self, event: Any, value: Any) -> None:
        origin = self._origin(event)
        if len(self.stack) >= MAX_DEPTH:
            raise SpecError(f"nested deeper than {MAX_DEPTH} levels", origin=origin)
        if self._awaits_key():
            raise SpecError("a key must be a plain name, not a list or a mapping", origin=origin)
        self.stack.append(_Marked(value, origin, event.anchor))

    def _close(self, event: Any) -> None:  # noqa: ARG002 - every handler takes its event
        self._place(self.stack.pop())

    def _alias(self, event: Any) -> None:
        node = self.anchors.get(event.anchor)
        if node is None:
            cause = f"alias *{event.anchor} stands before or inside its anchor"
            self.gathered.add(SpecError(cause, origin=self._origin(event)))
        self._place(node or _Marked(event.anchor, self._origin(event)))

    def _awaits_key(self) -> bool:
        if not self.stack:
            return False
        return isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _place(self, node: _Marked) -> None:
        """Put a whole value where it stands: at the top, or in the collection around it."""
        if node.anchor:
            self.anchors[node.anchor] = node
        if not self.stack:
            self.top = node
            return
        parent = self.stack[-1]
        if self._awaits_key():
            parent.key = self._key(node, parent)
            return
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif parent.key:
            parent.value[parent.key[0]] = (parent.key[1], node)
            parent.key = None
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > MAX_VALUES:
            cause = f"more than {MAX_VALUES:,} values once aliases are expanded"
            raise SpecError(cause, origin=node.origin)
        if parent.height > MAX_DEPTH:
            raise SpecError(f"nested deeper than {MAX_DEPTH} levels", origin=node.origin)

    def _key(self, node: _Marked, parent: _Marked) -> tuple[str, Origin]:
        """A key and its place; one that is refused stands there as a text all the same."""
        with self.gathered.gathering():
            self._check_key(node, parent)
        return str(node.value), node.origin

    @staticmethod
    def _check_key(node: _Marked, parent: _Marked) -> None:
        key = node.value
        if key == "<<":
            cause, hint = "merge keys (<<) are not YAML 1.2", "use blocks with parameters"
            raise SpecError(cause, hint=hint, origin=node.origin)
        if not isinstance(key, str):
            raise SpecError(f"the key {_shown(key)} is no name", origin=node.origin)
        if key in parent.value:
            cause = f"duplicate key '{key}', first on line {parent.value[key][0].line}"
            raise SpecError(cause, origin=node.origin)


def resolve_scalar(text: str, origin: Origin) -> str | int | Fraction | bool | None:
    """An unquoted scalar by YAML 1.2's core schema; decimals are exact.

    What YAML 1.1 read as something else (``010``) is refused rather than guessed at.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _LEADING_ZERO.fullmatch(text):
        sign, digits = "-" * text.startswith("-"), text.lstrip("+-0") or "0"
        octal = f" or 0o{digits}" if not sign and set(digits) <= set("01234567") else ""
        raise SpecError(
            f"{text} is 8-based in YAML 1.1 and 10-based in YAML 1.2",
            hint=f"write {sign}{digits}{octal}",
            origin=origin,
        )
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    if not _DECIMAL.fullmatch(text):
        return text
    value = Fraction(text)
    return value.numerator if value.denominator == 1 else value


def _shown(key: object) -> str:
    """A key that is no name, as its author wrote it."""
    if key is None:
        return "null"
    return str(key).lower() if isinstance(key, bool | int | Fraction) else "that is no text"


def _plain(node: _Marked, path: Path_, document: YamlDocument) -> Any:
    document.values[path] = node.origin
    if isinstance(node.value, list):
        return [_plain(item, (*path, i), document) for i, item in enumerate(node.value)]
    if isinstance(node.value, dict):
        result = {}
        for key, (origin, item) in node.value.items():
            document.keys[(*path, key)] = origin
            result[key] = _plain(item, (*path, key), document)
        return result
    return node.value

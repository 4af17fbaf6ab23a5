"""Plain data → YAML as a person writes it: short lines, flow mappings, quotes only where needed."""

import json
import re
from collections.abc import Iterator, Mapping

from archspec.document import resolve_scalar
from archspec.errors import Origin, SpecError

WIDTH = 100

_PLAIN = re.compile(r"[A-Za-z_(0-9][\w ./+*()<>=%-]*", re.ASCII)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\u2028\u2029]")


class Entries(list[object]):
    """A list of entries, each on a line of its own unless it is the only one.

    Attributes:
        comments: what stands beside each entry that has a line of its own; empty for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.comments: list[str] = []


class Expression(str):
    """The text of an expression; a text of digits alone is the number."""

    __slots__ = ()


def line(text: str) -> str:
    """Return a text of anyone's on one line, without what no spec may hold.

    Args:
        text: the text.
    """
    return " ".join(_UNSEEN.sub(" ", text).split())


def scalar(value: object) -> str:
    """Return a value as YAML reads it again.

    Args:
        value: a text, a number, a truth value or None.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if isinstance(value, Expression) and re.fullmatch(r"-?[1-9]\d*|0", value, re.ASCII):
        return value
    is_text = _PLAIN.fullmatch(value) and not value.endswith(" ") and _is_text(value)
    return value if is_text else json.dumps(value, ensure_ascii=False)


def _is_text(value: str) -> bool:
    """Return whether YAML reads a word without quotes as the text that it is."""
    try:
        return resolve_scalar(value, Origin("", 1, 1)) == value
    except SpecError:
        return False


def flow(value: object) -> str | None:
    """Return a value on one line, or None where it has entries that need lines of their own.

    Args:
        value: the value.
    """
    if isinstance(value, Mapping):
        parts = [(scalar(key), flow(item)) for key, item in value.items()]
        texts = [f"{key}: {text}" for key, text in parts if text is not None]
        return "{" + ", ".join(texts) + "}" if len(texts) == len(parts) else None
    if isinstance(value, list):
        if isinstance(value, Entries) and (len(value) > 1 or not all(map(_is_short, value))):
            return None
        items = [_item(item) for item in value]
        return None if None in items else f"[{', '.join(filter(None, items))}]"
    return scalar(value)


def _item(value: object) -> str | None:
    """Return an item of a list on one line; a mapping of one key needs no braces."""
    text = flow(value)
    if text and isinstance(value, Mapping) and len(value) == 1:
        return text[1:-1]
    return text


def _is_short(entry: object) -> bool:
    """Return whether an entry is a kind and its fields, without entries in it."""
    if not isinstance(entry, Mapping):
        return True
    fields = next(iter(entry.values()))
    inner = fields.values() if isinstance(fields, Mapping) else [fields]
    return len(entry) == 1 and not any(isinstance(each, Entries) for each in inner)


def lines(mapping: Mapping[str, object], indent: int = 0) -> Iterator[str]:
    """Yield the lines of a mapping.

    Args:
        mapping: the mapping.
        indent: how far they are indented.
    """
    for key, value in mapping.items():
        yield from _valued(f"{' ' * indent}{scalar(key)}:", value, indent)


def _valued(start: str, value: object, indent: int) -> Iterator[str]:
    """Yield the lines of a value behind its key, which ``start`` ends with."""
    text = flow(value)
    if text is not None and (not isinstance(value, Mapping | list) or _fits(start, text, value)):
        yield f"{start} {text}".rstrip() if value is not None else start
    elif isinstance(value, Mapping):
        yield start
        yield from lines(value, indent + 2)
    elif isinstance(value, list):
        yield start
        yield from _listed(value, indent + 2)


def _fits(start: str, text: str, value: object) -> bool:
    is_short = len(start) + 1 + len(text) <= WIDTH
    blocks = isinstance(value, Mapping) and any(
        isinstance(each, Mapping) and "layers" in each for each in value.values()
    )
    return is_short and not blocks


def _listed(values: list[object], indent: int) -> Iterator[str]:
    """Yield the lines of a list, an item each, with its comments."""
    comments = values.comments if isinstance(values, Entries) else [""] * len(values)
    for value, comment in zip(values, comments, strict=True):
        first, *others = _dashed(value, indent)
        beside = f"{first}  # {comment}" if comment else first
        if len(beside) > WIDTH and comment:
            yield f"{' ' * indent}# {comment}"
            beside = first
        yield beside
        yield from others


def _dashed(value: object, indent: int) -> Iterator[str]:
    """Yield the lines of an item of a list: the first begins with a dash."""
    pad = " " * indent
    text = flow(value)
    if isinstance(value, Mapping):
        inner = lines(value, indent + 2)
    elif isinstance(value, list) and (text is None or len(pad) + 2 + len(text) > WIDTH):
        inner = _listed(value, indent + 2)
    else:
        inner = iter([f"{pad}  {text}"])
    yield f"{pad}- {next(inner)[indent + 2 :]}"
    yield from inner

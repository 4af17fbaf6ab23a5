"""Hints for entries that are none: what their author meant, and how it is written."""

import re
from collections.abc import Mapping
from typing import Any

from archspec.composites import COMPOSITES, Composite
from archspec.errors import MAX_TEXT, did_you_mean
from archspec.fields import shortened, show
from archspec.header import BlockModel
from archspec.layers import KINDS, Layer
from archspec.layers.base import find_alias
from archspec.validation import RESERVED_KEYS

_CODE = re.compile(r"(?:[a-z_]\w*\.)*([A-Za-z_]\w*)(?:\W.*)?$", re.DOTALL)
"""A name, after modules and before what is called with it."""


class Hints:
    """Hints for the entries of one document.

    Attributes:
        blocks: the kinds of its own; None where what a block takes is not known.
    """

    def __init__(self, blocks: Mapping[str, BlockModel | None]) -> None:
        self.blocks = blocks

    def for_kinds(self, value: dict[str, Any], kinds: list[str]) -> str | None:
        """Return what to write instead of an entry that has no kind, or several.

        Args:
            value: the entry.
            kinds: its keys that are not reserved.
        """
        if not kinds:
            return "write one beside what is there, as relu:"
        first, *others = kinds
        if first in ("kind", "type", "op", "layer") and isinstance(value[first], str):
            return f"write the kind itself as the key, as {value[first]}:"
        known = [key for key in kinds if self.is_kind(key)]
        if known == [first] and not any(self._is_field(first, key) for key in others):
            return did_you_mean(others[0], RESERVED_KEYS)
        if known == [first]:
            given = value[first] if isinstance(value[first], dict) else {}
            fields = shortened(show({**given, **{key: value[key] for key in others}}), 200)
            return f"indent the fields of {first} below it, or write {first}: {fields}"
        if len(known) == len(kinds):
            return "write an entry for each, every one behind a dash of its own"
        return None

    def _is_field(self, key: str, name: str) -> bool:
        """Return whether a name may be meant for a field of a kind, or a parameter of a block."""
        block, kind = self.blocks.get(key), known_kind(key)
        if block is not None:
            return name in block.parameters
        if kind is None:
            return name in COMPOSITES[key].model_fields if key in COMPOSITES else False
        return bool(name in {*kind.model_fields, *kind.aliases} or kind.hint_for(name))

    def for_code(self, key: str) -> str | None:
        """Return what to write for a kind with fields as Python has them, or without a colon.

        Args:
            key: what stands in place of the kind.
        """
        found = _CODE.match(key[:MAX_TEXT])
        name = found[1] if found else key
        if name == key or not self.is_kind(name):
            return None
        field = self._first_field(name, None)
        return f"write {name}: {{{field}: …}}" if field else f"write {name}"

    def is_kind(self, key: str) -> bool:
        """Return whether something may stand as the kind of an entry."""
        return key in (self.blocks.keys() | COMPOSITES.keys()) or bool(known_kind(key))

    def _first_field(self, key: str, kind: type[Layer] | None) -> str | None:
        """The first field that a kind, or parameter that a block, must have; None if there is none.

        Of a block whose parameters are not known it is a word that stands for one.
        """
        kind = kind or known_kind(key)
        if kind is not None:
            must = [name for name, field in kind.model_fields.items() if field.is_required()]
            return next(iter((*must, *kind.either)), None)
        block = self.blocks.get(key)
        if block is None:
            return "field"
        return next((name for name, default in block.parameters.items() if default is None), None)

    def for_value(self, key: str, kind: type[Layer] | None, value: Any) -> str:
        """Return what to write for a kind or a block with a value where its fields should be.

        Args:
            key: the kind, or the block.
            kind: the class of the kind; None of a block.
            value: the value.
        """
        if kind and isinstance(value, list) and kind.takes[1] != 1:
            return f"write {{{key}: , from: {shortened(show(value))}}}"
        assigned = re.match(r"(\w+)\s*=\s*([^\s=]+)", value) if isinstance(value, str) else None
        if assigned:
            return f"write : instead of =, as in {assigned[1]}: {assigned[2]}"
        field = self._first_field(key, kind)
        if field:
            return f"write {key}: {{{field}: {shortened(show(value))}}}"
        block = self.blocks.get(key)
        known = [*kind.model_fields] if kind else [*block.parameters] if block else []
        if not known:
            return f"it has no fields; write {key}"
        return f"write {key}, or its fields by name, as in {key}: {{{known[0]}: …}}"


def known_kind(key: str) -> type[Layer] | None:
    """Return the class of a kind by a name of ours or of PyTorch's, or None where it is none."""
    alias = find_alias(key)
    return alias.layer if alias else KINDS.get(key)


def form_of(kind: type[Composite]) -> str:
    """Return the fields that a composite must have, with … for what stands in them."""
    must = [name for name, field in kind.model_fields.items() if field.is_required()]
    must = [*kind.either[:1], *must]
    shown = (f"{name}: {'[…]' if name in kind.bodies else '…'}" for name in must)
    return f"{{{', '.join(shown)}}}"

"""What is left of a spec's data once some of its names are decided."""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from archspec.expressions import ExpressionError, parse
from archspec.fields import as_written
from archspec.layers import KINDS
from archspec.scope import Scope, resolve
from archspec.trees import Number, Truth

Known = Mapping[str, bool | int | Fraction | str]
"""Name → the truth value, or the number of a kind, that it is from now on."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_NEVER = object()
_NAMING = ("name", "from", "weight", "index")


def decided(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec without what its ``let`` decides: branches that are not taken, unused names.

    Args:
        spec: its data, with values for all of its symbols.
    """
    found, lets = dict(spec), dict(spec.get("let", {}))
    known = {name: value for name, value in lets.items() if isinstance(value, bool)}
    tables = {name: value for name, value in lets.items() if isinstance(value, list)}
    for section in ("layers", "blocks"):
        if section in found:
            found[section] = _kept(found[section], known, tables)
    found = _used(found)
    while _folds(found, known, tables) or _inlines(found):
        found = _used(found)
    return found


def _kept(value: Any, known: Known, tables: Mapping[str, list[Any]]) -> Any:
    """A part of a spec as it stands where some names are known."""
    if isinstance(value, list):
        return [each for item in value for each in _spliced(item, known, tables)]
    if isinstance(value, dict):
        kept = {k: v if k in _NAMING else _kept(v, known, tables) for k, v in value.items()}
        return _entry({k: _beside_defaults(k, v) for k, v in kept.items()}, known)
    return _literal(value, known) if isinstance(value, str) else value


def _beside_defaults(kind: str, given: Any) -> Any:
    """The fields of a kind without the truth values that it has by itself."""
    if kind not in KINDS or not isinstance(given, dict):
        return given
    defaults = {n: as_written(f.default) for n, f in KINDS[kind].model_fields.items()}
    kept = {k: v for k, v in given.items() if not (isinstance(v, bool) and v is defaults.get(k))}
    return kept or None


def _spliced(item: Any, known: Known, tables: Mapping[str, list[Any]]) -> Iterator[Any]:
    """Yield what stands for an item of a list: nothing, itself, or the layers of its only row."""
    columns = item["foreach"].get("columns") if _is_table(item) else None
    listed = [tables.get(name) for name in columns.values()] if columns else []
    if listed and all(isinstance(each, list) and len(each) <= 1 for each in listed):
        if all(listed):
            row = {name: each[0] for name, each in zip(columns, listed, strict=True) if each}
            yield from _kept(item["foreach"]["layers"], {**known, **row}, tables)
        return
    kept = _kept(item, known, tables)
    if kept is not _NEVER:
        yield kept


def _is_table(item: Any) -> bool:
    table = item.get("foreach") if isinstance(item, dict) else None
    return isinstance(table, dict) and item.keys() <= {"foreach", "when"}


def _entry(found: dict[str, Any], known: Known) -> Any:
    """An entry without a condition that holds; nothing where it does not."""
    when = found.get("when")
    if when is None or "when" not in found:
        return found
    truth = _literal(when, known) if isinstance(when, str) else when
    if truth is False:
        return _NEVER
    if truth is not True:
        return found
    rest = {key: value for key, value in found.items() if key != "when"}
    return next(iter(rest)) if [*rest.values()] == [None] else rest


def _literal(text: str, known: Known) -> Any:
    """The value of a text that known names decide; else the text with their values in it."""
    if not known.keys() & set(_WORD.findall(text)):
        return text
    numbers = {n: v for n, v in known.items() if not isinstance(v, str)}
    values = {n: Truth(v) if isinstance(v, bool) else Number(v) for n, v in numbers.items()}
    try:
        value = resolve(parse(text), Scope(values))
    except ExpressionError:
        value = None
    if isinstance(value, Truth | Number):
        return value.value
    shown = {n: f"({v})" if isinstance(v, str) and not _WORD.fullmatch(v) else str(v) for n, v in known.items()}
    shown |= {n: str(v).lower() for n, v in known.items() if isinstance(v, bool)}
    return _WORD.sub(lambda word: shown.get(word[0], word[0]), text)


def _folds(spec: dict[str, Any], known: Known, tables: Mapping[str, list[Any]]) -> bool:
    """Put a parameter's value into its block, where all calls give the same; False if none is."""
    everywhere = {*spec.get("symbols", {}), *spec.get("let", {})}
    for name, block in spec.get("blocks", {}).items():
        calls = [*_calls(spec, name)]
        for parameter in block.get("parameters") or {}:
            given = [(call or {}).get(parameter) for call in calls]
            if not given or any(value != given[0] for value in given):
                continue
            words = _WORD.findall(given[0]) if isinstance(given[0], str) else ()
            if given[0] is not None and everywhere.issuperset(words):
                _fold(spec, name, parameter, given[0], known, tables)
                return True
    return False


def _fold(
    spec: dict[str, Any],
    name: str,
    parameter: str,
    value: Any,
    known: Known,
    tables: Mapping[str, list[Any]],
) -> None:
    """Put a value for a parameter into its block, and take it out of all calls."""
    block = spec["blocks"][name]
    rest = {k: v for k, v in block["parameters"].items() if k != parameter}
    inner = {key: part for key, part in block.items() if key != "parameters"}
    folded = _kept(inner, {**known, parameter: value}, tables)
    spec["blocks"][name] = {**({"parameters": rest} if rest else {}), **folded}
    for part in ("layers", "blocks"):
        spec[part] = _without(spec[part], name, parameter)


def _inlines(spec: dict[str, Any]) -> bool:
    """Put a block of one entry, or that is called once, in the place of its calls."""
    for name, block in spec.get("blocks", {}).items():
        calls, plain = (len([*found(spec, name)]) for found in (_calls, _plain_calls))
        if block.keys() == {"layers"} and calls == plain and 1 in (calls, len(block["layers"])):
            blocks = {key: part for key, part in spec["blocks"].items() if key != name}
            spec["blocks"] = _inlined(blocks, name, block["layers"])
            spec["layers"] = _inlined(spec["layers"], name, block["layers"])
            return True
    return False


def _inlined(value: Any, block: str, layers: list[Any]) -> Any:
    """A part of a spec with a block's entries in the place of its plain calls."""
    if isinstance(value, dict):
        return {key: _inlined(item, block, layers) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    calls = _plain(block)
    return [e for x in value for e in (layers if x in calls else [_inlined(x, block, layers)])]


def _calls(value: Any, block: str) -> Iterator[Any]:
    """Yield the arguments of every call of a block."""
    if isinstance(value, list):
        yield from (None for item in value if item == block)
    elif isinstance(value, dict) and block in value and "layers" not in (value[block] or {}):
        yield value[block]
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _calls(item, block)


def _plain(block: str) -> tuple[Any, Any]:
    """The two ways to call a block with nothing beside it."""
    return block, {block: None}


def _plain_calls(value: Any, block: str) -> Iterator[Any]:
    """Yield the calls of a block that have nothing beside them."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(value, list) and item in _plain(block):
            yield item
        elif isinstance(item, dict | list):
            yield from _plain_calls(item, block)


def _without(value: Any, block: str, parameter: str) -> Any:
    """A part of a spec whose calls of a block do not give a parameter."""
    if isinstance(value, list):
        return [_without(item, block, parameter) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _without(item, block, parameter) for key, item in value.items()}
    given = found.get(block)
    if not isinstance(given, dict) or parameter not in given or "layers" in given:
        return found
    rest = {key: item for key, item in given.items() if key != parameter}
    return {**found, block: rest} if rest else block if len(found) == 1 else {**found, block: None}


def _used(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec without the blocks, the derived values and the symbols that nothing names."""
    found = {key: dict(value) if isinstance(value, dict) else value for key, value in spec.items()}
    sections = [found[name] for name in ("blocks", "let", "symbols") if name in found]
    ends = [found[name] for name in ("input", "layers", "outputs", "precision") if name in found]
    while True:
        inside = [*ends, *([*section.values()] for section in sections)]
        called, named = set(_words(inside, keys=True)), set(_words(inside, keys=False))
        unused = [
            (section, name)
            for section in sections
            for name in section
            if name not in (called if section is found.get("blocks") else named)
        ]
        if not unused:
            found["input"] = _entering(found["input"], found["layers"])
            return {key: value for key, value in found.items() if value not in ({}, None)}
        for section, name in unused:
            del section[name]


def _entering(inputs: Any, layers: Any) -> Any:
    """The inputs of several that an entry takes."""
    if not isinstance(inputs, dict) or len(inputs) == 1:
        return inputs
    taken = set(_WORD.findall(str(layers)))
    return {name: shape for name, shape in inputs.items() if name in taken}


def _words(value: Any, *, keys: bool) -> Iterator[str]:
    """Yield every name in a part of a spec; of mappings in their keys, too, or not."""
    if isinstance(value, str):
        yield from _WORD.findall(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if keys:
                yield key
            if key not in ("doc", *_NAMING):
                yield from _words(item, keys=keys)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item, keys=keys)

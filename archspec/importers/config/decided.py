"""Partial evaluation of a spec's data: conditions and tables over names that are known now."""

import re
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from fractions import Fraction
from itertools import groupby, product
from typing import Any, NamedTuple

from archspec.expressions import ExpressionError, parse
from archspec.fields import as_written
from archspec.layers import KINDS
from archspec.scope import Scope, resolve
from archspec.trees import Number, Truth

_WORD = re.compile(r"[A-Za-z_]\w*")
_NEVER = object()
_NAMING = ("name", "from", "weight", "index", "doc")

Value = bool | int | Fraction | str


class DecidedNames(NamedTuple):
    """The names that are decided.

    Attributes:
        values: name → its value, or the expression that stands for it; put in where it stands.
        tables: name → the list that it is.
        choices: name → the values that it may have; these decide conditions only.
    """

    values: Mapping[str, Value]
    tables: Mapping[str, list[Any]]
    choices: Mapping[str, Collection[Value]]

    def with_values(self, values: Mapping[str, Value]) -> "DecidedNames":
        """Return the same with more names decided."""
        return self._replace(values={**self.values, **values})


def decided(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec without what its ``let`` decides: branches that are not taken, unused names.

    Args:
        spec: its data, with values for all of its symbols.
    """
    found, lets = dict(spec), dict(spec.get("let", {}))
    truths = {name: value for name, value in lets.items() if isinstance(value, bool)}
    tables = {name: value for name, value in lets.items() if isinstance(value, list)}
    counts = {name: [n] for name, n in lets.items() if type(n) is int}
    known = DecidedNames(truths, tables, counts)
    for section in ("layers", "blocks"):
        if section in found:
            found[section] = _kept(found[section], known)
    found = _used(found)
    while _folds(found, known) or _narrows(found, known) or _inlines(found):
        found = _used(found)
    return found


def _kept(value: Any, known: DecidedNames) -> Any:
    """A part of a spec as it stands where some names are known."""
    if isinstance(value, list):
        return [each for item in value for each in _spliced(item, known)]
    if isinstance(value, dict):
        condition = _condition(value["when"], known) if "when" in value else True
        if condition is False:
            return _NEVER
        rest = {k: v if k in _NAMING else _kept(v, known) for k, v in value.items() if k != "when"}
        rest = {k: _beside_defaults(k, v) for k, v in rest.items()}
        if condition is not True:
            return {**rest, "when": condition}
        return next(iter(rest)) if "when" in value and [*rest.values()] == [None] else rest
    return _literal(value, known.values) if isinstance(value, str) else value


def _beside_defaults(kind: str, given: Any) -> Any:
    """The fields of a kind without the truth values that it has by itself."""
    if kind not in KINDS or not isinstance(given, dict):
        return given
    defaults = {n: as_written(f.default) for n, f in KINDS[kind].model_fields.items()}
    kept = {k: v for k, v in given.items() if not (isinstance(v, bool) and v is defaults.get(k))}
    return kept or None


def _spliced(item: Any, known: DecidedNames) -> Iterator[Any]:
    """Yield what stands for an item of a list: nothing, itself, or the layers of a known table."""
    table = item.get("foreach") if isinstance(item, dict) and "name" not in item else None
    columns = table.get("columns", {}) if isinstance(table, dict) and "index" not in table else {}
    guards = {None, *(f"len({name}) > 0" for name in columns.values())}
    if known.tables.keys() >= {*columns.values()} != set() and item.get("when") in guards:
        rows = zip(*(known.tables[name] for name in columns.values()), strict=True)
        for row, alike in groupby(rows):
            layers = _kept(
                item["foreach"]["layers"], known.with_values(dict(zip(columns, row, strict=True)))
            )
            times = len([*alike])
            yield from layers if times == 1 else [{"repeat": {"times": times, "layers": layers}}]
        return
    kept = _kept(item, known)
    if kept is not _NEVER:
        yield kept


def _condition(text: Any, known: DecidedNames) -> Any:
    """A condition without the parts that hold; False where one does not."""
    if not isinstance(text, str):
        return text
    parts = [text] if " or " in text or "(" in text else text.split(" and ")
    left = [each for part in parts if (each := _decision(part, known)) is not True]
    return False if False in left else " and ".join(left) or True


def _decision(part: str, known: DecidedNames) -> Any:
    """The truth of a condition, if all values that its names may have agree; else the condition."""
    text = _literal(part, known.values)
    names = [name for name in known.choices if name in _WORD.findall(str(text))]
    choices = product(*(known.choices[name] for name in names))
    found = (
        {_literal(text, dict(zip(names, values, strict=True))) for values in choices}
        if names
        else {text}
    )
    truth = found.pop()
    return truth if not found and isinstance(truth, bool) else text


def _literal(text: Any, values: Mapping[str, Value]) -> Any:
    """The value of a text that known names decide; else the text with their values in it."""
    if not isinstance(text, str) or not values.keys() & set(_WORD.findall(text)):
        return text
    numbers = {n: v for n, v in values.items() if not isinstance(v, str)}
    leaves = {n: Truth(v) if isinstance(v, bool) else Number(v) for n, v in numbers.items()}
    try:
        value = resolve(parse(text), Scope(leaves))
    except ExpressionError:
        value = None
    if isinstance(value, Truth | Number):
        return value.value
    return _WORD.sub(lambda word: _shown(values.get(word[0], word[0])), text)


def _shown(value: Value) -> str:
    """A value as it stands in an expression."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"({value})" if isinstance(value, str) and not _WORD.fullmatch(value) else str(value)


def _folds(spec: dict[str, Any], known: DecidedNames) -> bool:
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
                _fold(spec, name, parameter, known.with_values({parameter: given[0]}))
                return True
    return False


def _narrows(spec: dict[str, Any], known: DecidedNames) -> bool:
    """Decide a block's conditions by what its calls give; drop parameters that nothing names."""
    before = deepcopy(spec)
    for name in [*spec.get("blocks", {})]:
        block = spec["blocks"][name]
        parameters = block.get("parameters") or {}
        given = {each: _given(spec, name, each) for each in parameters}
        choices = {each: values for each, values in given.items() if values}
        inner = {key: part for key, part in block.items() if key != "parameters"}
        body = _kept(inner, known._replace(choices={**known.choices, **choices}))
        spec["blocks"][name] = {**({"parameters": parameters} if parameters else {}), **body}
        for parameter in parameters.keys() - {*_words(body, keys=False)}:
            _fold(spec, name, parameter, known)
    return spec != before


def _given(spec: dict[str, Any], name: str, parameter: str) -> set[Value]:
    """Return the numbers that a block's calls give for a parameter; none if one is no number."""
    found: set[Value] = set()
    for outer, part in (("", spec["layers"]), *spec["blocks"].items()):
        for call in _calls(part, name):
            value: Any = (call or {}).get(parameter)
            inherits = bool(outer) and value in (part.get("parameters") or {})
            values: set[Any] = _given(spec, outer, value) if inherits else {value}
            if not values or not all(type(each) is int for each in values):
                return set()
            found |= values
    return found


def _fold(spec: dict[str, Any], name: str, parameter: str, known: DecidedNames) -> None:
    """Put a known parameter into its block, and take it out of all calls."""
    block = spec["blocks"][name]
    rest = {k: v for k, v in block["parameters"].items() if k != parameter}
    inner = {key: part for key, part in block.items() if key != "parameters"}
    spec["blocks"][name] = {**({"parameters": rest} if rest else {}), **_kept(inner, known)}
    for part in ("layers", "blocks"):
        spec[part] = _without(spec[part], name, parameter)


def _inlines(spec: dict[str, Any]) -> bool:
    """Put a block of one entry, or that is called once, in the place of its calls."""
    for name, block in spec.get("blocks", {}).items():
        calls, plain = (len([*found(spec, name)]) for found in (_calls, _plain_calls))
        if (
            block.keys() == {"layers"}
            and calls == plain
            and (calls == 1 or len(block["layers"]) < 2)
        ):
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
            if key not in _NAMING:
                yield from _words(item, keys=keys)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item, keys=keys)

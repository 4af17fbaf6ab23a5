"""A Hugging Face ``config.json`` → a spec, by the mapping in the header of one of the zoo's.

The file is data and untrusted: it is read as JSON, its fields are looked at by name, and what the
mapping does not know is refused.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from archspec.arithmetic import tidy
from archspec.configuration import ConfigField, Configuration
from archspec.document import MAX_BYTES, YamlDocument, decode, read_document
from archspec.errors import Origin, SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.files import read_bytes
from archspec.header import Symbol
from archspec.importers.config.decided import decided
from archspec.importers.config.formulas import names_in, value_of
from archspec.importers.source import Imported, Options
from archspec.trees import Tree
from archspec.validation import validate
from archspec.zoo import types_of_configurations

KIND = "configuration"
_IGNORED = Path(__file__).with_name("ignored.yaml")


NOTHING: Mapping[str, Any] = MappingProxyType({})


class ConfigMapping(NamedTuple):
    """The mapping of one ``model_type``, those that it is like put in.

    Attributes:
        fields: path of a field → its declaration.
        paths: name of a field in formulas → its path, where that is another.
        input: inputs beside those of the spec.
        let: names for formulas, in order.
        set: symbol or derived value → formula.
        require: conditions.
        ignored: patterns of fields that are not looked at.
    """

    fields: Mapping[str, ConfigField]
    let: Mapping[str, Tree]
    set: Mapping[str, Tree]
    require: tuple[Tree, ...]
    ignored: tuple[str, ...]
    paths: Mapping[str, str] = NOTHING
    input: Mapping[str, Any] = NOTHING

    def path(self, name: str) -> str:
        """Return the path of a field in the file."""
        return self.paths.get(name, name)

    def within(self, part: str) -> "ConfigMapping":
        """Return the same mapping of fields that stand in a part of the file."""
        paths = {name: f"{part}.{self.path(name)}" for name in self.fields}
        ignored = (*self.ignored, *(f"{part}.{each}" for each in self.ignored))
        return self._replace(paths=paths, ignored=ignored)


class ConfigText(NamedTuple):
    """A configuration: its data, and its text for the places of its fields."""

    file: str
    text: str
    data: Mapping[str, Any]

    def error(self, field: str, cause: str, hint: str | None = None) -> SpecError:
        """An error about a field, at its place."""
        return SpecError(cause, hint=hint, origin=self._origin(field), entry=field)

    def require_object(self, path: str, value: Any) -> dict[str, Any]:
        """Return a field's value, which must be an object."""
        if isinstance(value, dict):
            return value
        raise self.error(path, f"{path} is {_json(value)}, but its family has an object")

    def _origin(self, field: str) -> Origin:
        """The place of a field's key, or where what it should stand in begins."""
        at = 0
        for name in field.split("."):
            found = re.compile(rf'"{re.escape(name)}"\s*:').search(self.text, at)
            at = found.start() if found else at
        line, before = self.text.count("\n", 0, at) + 1, self.text.rfind("\n", 0, at)
        return Origin(self.file, line, at - before)


def read(source: str, options: Options) -> Imported:
    """Return the spec of a configuration's network.

    Args:
        source: the path of a ``config.json``, or of the folder that it is in.
        options: with ``partial`` a field that the mapping does not know is a note, not an error.

    Raises:
        SpecError: it is no JSON, its ``model_type`` has no mapping, or a field has a value that
            the mapping does not know.
    """
    file = str(Path(source) / "config.json") if Path(source).is_dir() else source
    given = parsed(decode(read_bytes(file, MAX_BYTES, KIND), file), file)
    kind = given.data.get("model_type")
    if not isinstance(kind, str):
        hint = 'a config.json of transformers says it, as "model_type": "llama"'
        raise given.error("model_type", "the configuration has no model_type", hint)
    path = types_of_configurations().get(kind)
    if path is None:
        cause = f"no spec has a mapping for the model_type '{kind[:60]}'"
        other = "a module that transformers builds of it can be imported: torch:MODULE:FACTORY"
        raise given.error(
            "model_type", cause, did_you_mean(kind, types_of_configurations()) or other
        )
    document = read_document(path)
    mapped = mapping_of(document, kind, given)
    notes = tuple(unknown_fields(given, mapped))
    if notes and not options.partial:
        hint = "if it changes nothing that is counted, delete it or use --partial"
        raise given.error(notes[0], f"the mapping of {kind} does not know {notes[0]}", hint)
    spec = filled(document.data, given, mapped)
    unread = tuple(f"{n} is not looked at: the mapping of {kind} does not know it" for n in notes)
    return Imported(written(decided({**spec, **_heading(kind)})), notes=unread)


def _heading(kind: str) -> dict[str, str]:
    """The name of a spec and what it was written from."""
    said = f"a config.json of the model_type {kind}, as transformers 5.24 reads it"
    return {"name": f"{kind} (config.json)", "source": said}


def parsed(text: str, file: str) -> ConfigText:
    """Return a configuration's data.

    Raises:
        SpecError: it is no JSON object, with the place where it stops being one.
    """
    try:
        data = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_decimal,
            parse_constant=str,
            object_pairs_hook=_once,
        )
    except json.JSONDecodeError as error:
        raise SpecError(
            f"not JSON: {error.msg}", origin=Origin(file, error.lineno, error.colno)
        ) from None
    except RecursionError:
        raise SpecError("not read: nested too deep", origin=Origin(file, 1, 1)) from None
    except ValueError as error:
        raise SpecError(f"not read: {error}", origin=Origin(file, 1, 1)) from None
    if not isinstance(data, dict):
        raise SpecError("a configuration is a JSON object", origin=Origin(file, 1, 1))
    return ConfigText(file, text, data)


MAX_DIGITS = 400


def _decimal(text: str) -> int | Fraction:
    """The exact value of a number of JSON."""
    exponent = re.search(r"[eE][-+]?(\d+)", text)
    if len(text) > MAX_DIGITS or (exponent and len(exponent[1].lstrip("0")) > 3):
        raise ValueError(f"{text[:20]}… has too many digits")
    value = tidy(Fraction(text))
    assert isinstance(value, int | Fraction)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice[:60]}" stands twice in one object')
    return found


def mapping_of(document: YamlDocument, kind: str, given: ConfigText | None = None) -> ConfigMapping:
    """Return the mapping of a ``model_type`` that a spec's ``config`` has.

    Args:
        document: the spec.
        kind: the ``model_type``.
        given: the configuration, whose parts say of what family they are.

    Raises:
        SpecError: it is not well-formed, or like one that is not there.
    """
    path, each = ("config", kind), document.data["config"].get(kind)
    own = validate(Configuration, each or {}, document, path, entry="config")
    ignored = tuple(own.ignored)
    if own.like is None:
        return ConfigMapping(own.fields, own.let, own.set, tuple(own.require), ignored)
    if own.like not in [*document.data["config"]][: [*document.data["config"]].index(kind)]:
        cause = f"there is no '{own.like}' before it"
        raise document.error((*path, "like"), cause, entry="config")
    base = _base(document, own, given)
    fields = {_as_inherited(name, own, base): each for name, each in own.fields.items()}
    return ConfigMapping(
        {**base.fields, **fields},
        {**base.let, **own.let},
        {**base.set, **own.set},
        (*base.require, *own.require),
        (*base.ignored, *ignored),
        {n: path for n, path in base.paths.items() if n not in own.fields},
        {**base.input, **own.input},
    )


def _as_inherited(name: str, own: Configuration, base: ConfigMapping) -> str:
    """Return the name of an inherited field of a part, where its path declares it anew."""
    inner = name.removeprefix(f"{own.part}.")
    return inner if inner in base.fields and inner not in own.fields else name


def _base(document: YamlDocument, own: Configuration, given: ConfigText | None) -> ConfigMapping:
    """Return the mapping that another begins with, of fields that may stand in a part of the file.

    Raises:
        SpecError: the part is of a family that the spec does not have.
    """
    part = given.data.get(own.part) if given is not None and own.part else None
    if given is None or not own.part or not isinstance(part, dict):
        return mapping_of(document, str(own.like))
    family = str(part.get("model_type", own.like))
    if family not in document.data["config"] or document.data["config"][family].get("part"):
        path = f"{own.part}.model_type"
        known = [n for n, each in document.data["config"].items() if not (each or {}).get("part")]
        cause = f"{path} is {_json(family)}, which this mapping does not know"
        raise given.error(path, cause, did_you_mean(family, known))
    return mapping_of(document, family).within(own.part)


def unknown_fields(given: ConfigText, mapped: ConfigMapping) -> Iterator[str]:
    """Yield the fields that neither the mapping nor the list of what is ignored has."""
    ignored = (*_ignored(), *mapped.ignored)
    known = set(map(mapped.path, mapped.fields))
    within = {name.rpartition(".")[0] for name in known} - {""}
    ahead = [("", given.data)]
    while ahead:
        before, data = ahead.pop(0)
        for name, value in data.items():
            path = before + name
            is_ignored = any(fnmatchcase(path, p) or fnmatchcase(name, p) for p in ignored)
            if path in within and value is not None:
                ahead.append((f"{path}.", given.require_object(path, value)))
            elif path not in known and value not in (None, [], {}) and not is_ignored:
                yield path


@cache
def _ignored() -> tuple[str, ...]:
    lists = yaml.safe_load(_IGNORED.read_text(encoding="utf-8"))
    return tuple(pattern for patterns in lists.values() for pattern in patterns)


def values_of(given: ConfigText, mapped: ConfigMapping) -> dict[str, Any]:
    """Return what a configuration makes of a spec's symbols and derived values, null left out.

    Raises:
        SpecError: a field has a value that the spec does not express, or a formula has none.
    """
    values: dict[str, Any] = {"null": None}
    values |= {
        name: _field(given, mapped.path(name), field) for name, field in mapped.fields.items()
    }
    for name in mapped.let:
        _add(name, mapped, values, given)
    for formula in mapped.require:
        if _value(given, mapped, "a condition", formula, values) is not True:
            fields = _fields_behind(formula, mapped)
            cause = "the spec does not express these values together"
            said = _stated(fields, mapped, values, given)
            raise given.error(_first(fields, mapped, given), cause, said)
    found = {
        name: _value(given, mapped, name, formula, values) for name, formula in mapped.set.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _add(
    name: str, mapped: ConfigMapping, values: dict[str, Any], given: ConfigText, depth: int = 0
) -> None:
    """Add the value of a name and, before it, of the names that its formula has."""
    if depth > len(mapped.let):
        raise SpecError(f"config: '{name}' stands for itself", entry="let")
    for other in dict.fromkeys(names_in(mapped.let[name])):
        if other in mapped.let and other not in values:
            _add(other, mapped, values, given, depth + 1)
    values[name] = _value(given, mapped, name, mapped.let[name], values)


def _value(
    given: ConfigText, mapped: ConfigMapping, name: str, formula: Tree, values: Mapping[str, Any]
) -> Any:
    """The value of a formula.

    Raises:
        SpecError: it has none, with the fields that it is made of.
    """
    try:
        return value_of(formula, values)
    except (ExpressionError, TypeError, OverflowError) as error:
        fields = _fields_behind(formula, mapped)
        cause = getattr(error, "cause", str(error))
        shown = _stated(fields, mapped, values, given)
        first = _first(fields, mapped, given)
        raise given.error(first, f"{name} has no value: {cause}", shown) from None


def _fields_behind(formula: Tree, mapped: ConfigMapping) -> list[str]:
    """The fields that a formula is made of, those of the names in it included."""
    found: dict[str, None] = {}
    ahead, seen = [*names_in(formula)], set()
    while ahead:
        name = ahead.pop(0)
        if name in mapped.let and name not in seen:
            ahead += names_in(mapped.let[name])
        elif name in mapped.fields:
            found[name] = None
        seen.add(name)
    return [*found]


def _first(fields: list[str], mapped: ConfigMapping, given: ConfigText) -> str:
    """The path of the first field that the file has, of some."""
    paths = [*map(mapped.path, fields)]
    there = (each for each in paths if each.partition(".")[0] in given.data)
    return next(there, paths[0] if paths else "model_type")


def _stated(
    fields: list[str], mapped: ConfigMapping, values: Mapping[str, Any], given: ConfigText
) -> str:
    """The values of fields, as the file has them where it has them."""
    known = ((mapped.path(each), values[each]) for each in fields if each in values)
    return ", ".join(f"{path} = {_json(given.data.get(path, value))}" for path, value in known)


def _field(given: ConfigText, path: str, field: ConfigField) -> Any:
    """The value of a field, as the mapping has it stand for something else or not."""
    value: Any = given.data
    for name in path.split("."):
        if not isinstance(value, dict):
            raise given.error(path, f"{path.rpartition('.')[0]} is no object")
        value = value.get(name, {} if f"{name}." in path else field.default)
    if field.values is None:
        return value if _fits(value, field, given, path) else None
    value = field.default if value is None else value
    return None if value is None else _meaning(value, path, field.values, given)


def _fits(value: Any, field: ConfigField, given: ConfigText, path: str) -> bool:
    """Check that a value is of the type of its default, where that has one."""
    default, numbers = field.default, (int, Fraction)
    if default is None or value is None or type(value) is type(default):
        return True
    if type(value) in numbers and type(default) in numbers:
        return True
    raise given.error(path, f"{path} is {_json(value)}; the family has {_json(default)}")


def _meaning(value: Any, path: str, values: Any, given: ConfigText) -> Any:
    """Return the meaning of a value, or of each in a list, as the mapping has it.

    Raises:
        SpecError: the spec does not express it.
    """
    if isinstance(values, tuple):
        if any(value == known and type(value) is type(known) for known in values):
            return value
    elif isinstance(value, list):
        numbers = (int, Fraction)  # how often, as in [[["global", "local"], 12]]
        return [x if type(x) in numbers else _meaning(x, path, values, given) for x in value]
    elif isinstance(value, str):
        for pattern, meaning in values.items():
            if fnmatchcase(value, pattern):
                return meaning
    known = ", ".join(map(_json, values))
    cause = f"{path} is {_json(value)}, which the spec does not express"
    raise given.error(path, cause, f"it expresses {known}")


def _json(value: Any) -> str:
    """A value as JSON has it, cut short."""
    shown = json.dumps(value, default=lambda number: float(number))
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def filled(spec: Mapping[str, Any], given: ConfigText, mapped: ConfigMapping) -> dict[str, Any]:
    """Return a spec's data with a configuration's values for its symbols and derived values.

    Raises:
        SpecError: a value breaks a symbol's rule, or a field has a value that is not expressed.
    """
    found = {key: item for key, item in spec.items() if key not in ("variants", "expect", "config")}
    symbols, lets = dict(found.get("symbols", {})), dict(found.get("let", {}))
    for name, value in values_of(given, mapped).items():
        if name in lets:
            lets[name] = value
            continue
        old = symbols[name] if isinstance(symbols[name], dict) else {}
        symbol = Symbol.model_validate({**old, "default": value})
        if broken := symbol.broken_rule(value):
            field = _first(_fields_behind(mapped.set[name], mapped), mapped, given)
            raise given.error(field, f"{name} = {value} {broken}")
        symbols[name] = {**old, "default": value} if old else value
    inputs = {"input": {**found["input"], **mapped.input}} if mapped.input else {}
    return {**found, **inputs, "symbols": symbols, "let": lets}


def written(spec: Mapping[str, Any]) -> str:
    """Return a spec's data as text."""
    return yaml.dump(
        spec,
        Dumper=_Dumper,
        default_flow_style=None,
        sort_keys=False,
        width=120,
        allow_unicode=True,
    )


class _Dumper(yaml.SafeDumper):
    """Fractions as the texts that the language reads, nothing as nothing, an entry on its lines."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - a spec is written out
        """Write each value where it stands."""
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> Any:
        """Write nothing, and what stands beside an entry's kind, as its name, on its own line."""
        beside = len(mapping) > 1 and not mapping.keys().isdisjoint(("name", "from", "when"))
        is_block = beside or None in mapping.values()
        return super().represent_mapping(tag, mapping, False if is_block else flow_style)


_Dumper.add_representer(Fraction, lambda dumper, value: dumper.represent_str(str(value)))
_Dumper.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "")
)

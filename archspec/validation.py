"""The door between pydantic and a person: a validation error becomes one `SpecError`."""

from functools import partial
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from archspec.document import Path_, YamlDocument
from archspec.errors import MAX_GATHERED, Gathered, Origin, SpecError, did_you_mean, nearest
from archspec.fields import shortened, show

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
"""What is written is exactly what a model has, and is not changed."""

Line = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
"""A text for people, on one line: line breaks and other white space become a space."""

_M = TypeVar("_M", bound=BaseModel)


def validate(
    model: type[_M], data: object, document: YamlDocument, path: Path_, entry: str | None = None
) -> _M:
    """``data``, which stands at ``path`` of the document, as an instance of ``model``.

    Raises:
        SpecError: something is wrong; what is there comes first, in the order of the text, and then
            what is missing.
    """
    gathered = Gathered()
    with gathered.together():
        try:
            return model.model_validate(data)
        except ValidationError as error:
            found = sorted(error.errors(), key=partial(_order, document, path))
        misspelt = _misspelt(found, model)
        for each in found[:MAX_GATHERED]:
            if each["type"] != "missing" or (*each["loc"],) not in misspelt:
                gathered.add(_explain(each, model, document, path, entry))
    raise LookupError("what pydantic refuses has an explanation")


def _order(document: YamlDocument, path: Path_, error: Any) -> tuple[bool, int, int]:
    """The order of errors: what is there before what is missing; then that of the text."""
    missing = error["type"] == "missing"
    place = (*path, *error["loc"])
    at = document.key_origin if error["type"] == "extra_forbidden" else document.origin
    origin = at(place[:-1] if missing else place)
    return missing, origin.line, origin.column


def _misspelt(errors: list[Any], model: type[BaseModel]) -> set[tuple[str | int, ...]]:
    """The places of missing fields for which an unknown field beside them is meant."""
    missing = {(*error["loc"],) for error in errors if error["type"] == "missing"}
    found = set()
    for *around, name in (e["loc"] for e in errors if e["type"] == "extra_forbidden"):
        beside = {str(place[-1]): place for place in missing if place[:-1] == (*around,)}
        meant = getattr(model, "elsewhere", {}).get(name)
        if beside and meant is None and not _advice(model, (*around, name), None):
            meant = nearest(str(name), beside)
        if meant in beside:
            found.add(beside[meant])
    return found


def _advice(model: type[BaseModel], loc: tuple[str | int, ...], value: object) -> str | None:
    """The model's own hint for an unknown field and its value, if it has one."""
    tell = getattr(model, "hint_for", None)
    return tell(loc[0], value) if tell and len(loc) == 1 else None


RESERVED_KEYS = frozenset({"name", "from", "when", "precision", "trainable"})
"""The keys that stand beside a kind."""

NO_FIELDS = "it has no fields"

_WANTED = {
    "dict_type": "mapping",
    "model_type": "mapping",
    "list_type": "list",
    "string_type": "text",
    "int_type": "integer",
    "bool_type": "truth value",
}
"""Pydantic's type errors → what was wanted."""


def _explain(
    error: Any, model: type[BaseModel], document: YamlDocument, path: Path_, entry: str | None
) -> SpecError:
    loc = (*error["loc"], *error.get("ctx", {}).get("path", ()))
    place = (*path, *loc)
    name = _dotted(entry, loc)
    field, around = str(loc[-1]) if loc else "", _dotted(entry, loc[:-1])
    match error["type"]:
        case "extra_forbidden":
            fields = _fields_at(model, loc[:-1])
            known = did_you_mean(field, fields) if fields else NO_FIELDS
            hint = _advice(model, loc, error["input"]) or known
            if entry is not None and field in RESERVED_KEYS:
                hint = f"write {field} beside the kind, not among its fields"
            return document.key_error(place, f"unknown field '{field}'", hint=hint, entry=around)
        case "missing":
            cause = f"the field '{field}' is required"
            hint = _as_in(model, field) if len(loc) == 1 else None
            return document.key_error(place[:-1], cause, hint=hint, entry=around)
        case "wrong_type":
            inner = next((part for part in reversed(loc) if isinstance(part, str)), "")
            return explain_value(error["ctx"], document.origin(place), name, inner)
    hint = _form_hint(error["type"], error["input"])
    return document.error(place, _cause(error), hint=hint, entry=name)


def _form_hint(wanted: str, given: object) -> str | None:
    """The hint for a list that should be a mapping, and the other way round."""
    if wanted in ("dict_type", "model_type") and isinstance(given, list) and given:
        names = (next(iter(item), "") if isinstance(item, dict) else show(item) for item in given)
        fields = ", ".join(f"{name}: …" for name in names)
        return f"write {{{shortened(fields)}}}, or each name on a line without a dash"
    if wanted == "list_type" and isinstance(given, dict):
        return "write each item on a line of its own, behind a dash"
    return None


def _as_in(model: type[BaseModel], field: str) -> str | None:
    """The hint for a missing field: an example of it, if the model has one."""
    example = getattr(model, "example", None)
    if not isinstance(example, dict) or field not in example:
        return None
    return f"as in {field}: {show(example[field])}"


def _cause(error: Any) -> str:
    shown = show(error["input"])
    if error["type"] == "literal_error":
        return f"{shown} is none of {error['ctx']['expected']}"
    if error["type"] == "too_short":
        return f"{shown} is empty"
    wanted = _WANTED.get(error["type"])
    return f"{shown} is no {wanted}" if wanted else f"{shown} is wrong: {error['msg'].lower()}"


def _dotted(entry: str | None, loc: tuple[str | int, ...]) -> str | None:
    return ".".join(map(str, filter(None, [entry, *map(str, loc)]))) or None


def explain_value(context: Any, origin: Origin, name: str | None, field: str) -> SpecError:
    """Return the error a reader raised (see `fields.refused`), located at the value it read."""
    position = context.get("position") or 0
    hint, cause = context.get("hint"), context["cause"]
    if "value" in context:  # a rule, broken by a literal
        cause = f"{field} ({context['value']}) {cause}"
    return SpecError(cause, hint=hint, origin=origin.shifted(position), entry=name)


def _fields_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The names that may stand at ``loc``, below the fields of a model."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            inner = _model_in(model.model_fields[part].annotation)
            if inner is not None:
                model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)

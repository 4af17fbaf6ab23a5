"""The door between pydantic and a person: a validation error becomes one `SpecError`."""

from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from archspec.document import Document, Path_
from archspec.errors import Origin, SpecError, did_you_mean
from archspec.fields import show

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
"""What is written is exactly what a model has, and is not changed."""

Line = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
"""A text for people, on one line: line breaks and other white space become a space."""

_M = TypeVar("_M", bound=BaseModel)


def validate(
    model: type[_M], data: object, document: Document, path: Path_, entry: str | None = None
) -> _M:
    """``data``, which stands at ``path`` of the document, as an instance of ``model``.

    Raises:
        SpecError: the first of what is wrong, in the order of the text.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = [
            (e["type"] == "missing", _explain(e, model, document, path, entry))
            for e in error.errors()
        ]
        raise min(errors, key=_order)[1] from None


def _order(found: tuple[bool, SpecError]) -> tuple[bool, int, int]:
    """What is there and wrong comes before what is missing; then the order of the text."""
    missing, error = found
    origin = error.origin
    return missing, origin.line if origin else 0, origin.column if origin else 0


RESERVED_KEYS = frozenset({"name", "from", "when", "precision"})
"""The keys that stand beside a kind."""

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
    error: Any, model: type[BaseModel], document: Document, path: Path_, entry: str | None
) -> SpecError:
    loc = (*error["loc"], *error.get("ctx", {}).get("path", ()))
    place = (*path, *loc)
    name = _dotted(entry, loc)
    field, around = str(loc[-1]) if loc else "", _dotted(entry, loc[:-1])
    match error["type"]:
        case "extra_forbidden":
            fields = _fields_at(model, loc[:-1])
            hint = did_you_mean(field, fields) if fields else "it has no fields"
            if entry is not None and field in RESERVED_KEYS:
                hint = f"write {field} beside the kind, not among its fields"
            origin = document.key_origin(place)
            return SpecError(f"unknown field '{field}'", hint=hint, origin=origin, entry=around)
        case "missing":
            origin = document.key_origin(place[:-1])
            return SpecError(f"the field '{field}' is required", origin=origin, entry=around)
        case "wrong_type":
            return explain_value(error["ctx"], document.origin(place), name, _named(loc))
    return SpecError(_cause(error), origin=document.origin(place), entry=name)


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


def _named(loc: tuple[str | int, ...]) -> str:
    """The innermost name on the way to a value."""
    return next((part for part in reversed(loc) if isinstance(part, str)), "")


def explain_value(context: Any, origin: Origin, name: str | None, field: str) -> SpecError:
    """What a reader raised (see `fields.refused`), at the place of the value that it read."""
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

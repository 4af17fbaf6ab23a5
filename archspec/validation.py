"""The door between pydantic and a person: a validation error becomes one `SpecError`."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from archspec.document import Document, Path_
from archspec.errors import Origin, SpecError, did_you_mean
from archspec.fields import show

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
        errors = [_explain(e, model, document, path, entry) for e in error.errors()]
        raise min(errors, key=_position) from None


def _position(error: SpecError) -> tuple[int, int]:
    return (error.origin.line, error.origin.column) if error.origin else (0, 0)


def _explain(
    error: Any, model: type[BaseModel], document: Document, path: Path_, entry: str | None
) -> SpecError:
    place = (*path, *error["loc"])
    origin = document.origin(place)
    name = ".".join(map(str, filter(None, [entry, *_names(error["loc"])]))) or None
    match error["type"]:
        case "extra_forbidden":
            field = str(error["loc"][-1])
            fields = _fields_at(model, error["loc"])
            hint = did_you_mean(field, fields) if fields else "it has no fields"
            origin = document.key_origin(place)
            return SpecError(f"unknown field '{field}'", hint=hint, origin=origin, entry=entry)
        case "missing":
            field = str(error["loc"][-1])
            origin = document.key_origin(path) if path else origin
            return SpecError(f"the field '{field}' is required", origin=origin, entry=entry)
        case "expression" | "wrong_type":
            return _explain_value(error, origin, name)
        case "literal_error":
            cause = f"{show(error['input'])} is none of {error['ctx']['expected']}"
            return SpecError(cause, origin=origin, entry=name)
    cause = f"{show(error['input'])} is wrong: {error['msg'].lower()}"
    return SpecError(cause, origin=origin, entry=name)


def _names(loc: tuple[str | int, ...]) -> list[str | int]:
    return [part for part in loc if isinstance(part, str)]


def _explain_value(error: Any, origin: Origin, name: str | None) -> SpecError:
    context = error["ctx"]
    position = context.get("position") or 0
    cause = context["cause"]
    if error["type"] == "expression":
        cause = f"in '{error['input']}': {cause}"
    return SpecError(cause, hint=context.get("hint"), origin=origin.shifted(position), entry=name)


def _fields_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The names that may stand where ``loc`` has an unknown one."""
    return list(model.model_fields) if len(loc) == 1 else []

"""A decorator for methods whose results are kept, each for the arguments it was worked out with."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

_Self = TypeVar("_Self")
_Result = TypeVar("_Result")
_Given = ParamSpec("_Given")


def once(
    method: Callable[Concatenate[_Self, _Given], _Result],
) -> Callable[Concatenate[_Self, _Given], _Result]:
    """Return a method that works its result out once for all equal arguments, and keeps it.

    The results live as long as the instance, which never changes; an error is not kept.
    """
    place = f"once {method.__name__}"

    @wraps(method)
    def kept(self: _Self, /, *args: _Given.args, **named: _Given.kwargs) -> _Result:
        results: dict[Any, _Result] = vars(self).setdefault(place, {})
        key = (args, *named.items()) if named else args
        if key not in results:
            results[key] = method(self, *args, **named)
        return results[key]

    return kept

"""Columns that a user's own function predicts of the rows of a sweep, as an accuracy."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archspec.errors import SpecError, did_you_mean
from costmodel.algebra.operations import Array
from costmodel.metrics.registry import METRICS
from costmodel.sweep.expressions import parts_of
from costmodel.sweep.rows import DENOMINATORS, NUMERATORS, Rows

Predict = Callable[[Mapping[str, Array]], Any]
"""Takes columns by name, and returns a number for each row."""


class Seen(Mapping[str, Array]):
    """The columns of rows as a user's function sees them: int64, float64 or texts."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> Array:
        column = self._rows[name]
        is_number = column.dtype == object and not any(isinstance(v, str) for v in column)
        return column.astype(np.float64) if is_number else column

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._rows if not name.startswith((NUMERATORS, DENOMINATORS)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Predictor(NamedTuple):
    """A column that a function makes of others.

    Attributes:
        text: the module and the function, as they were given.
        name: of the column.
        function: makes it.
    """

    text: str
    name: str
    function: Predict

    def predicted(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        """Yield rows with the column; each float is the fraction that it is exactly.

        Raises:
            SpecError: the function raises something, or does not return a number for each row.
        """
        for chunk in chunks:
            found = self._numbers(chunk)
            above, below = parts_of(np.array([Fraction(value) for value in found.tolist()], object))
            makers = {self.name: found, NUMERATORS + self.name: above}
            makers[DENOMINATORS + self.name] = np.broadcast_to(below, (chunk.count,))
            yield chunk.extended({name: array.__getitem__ for name, array in makers.items()})

    def _numbers(self, chunk: Rows) -> Array:
        try:
            found = np.asarray(self.function(Seen(chunk)))
        except KeyError as error:
            hint = f"name it with --metric; there are {', '.join(Seen(chunk))}"
            raise SpecError(
                f"--predict {self.text} asks for the column {error}", hint=hint
            ) from None
        except Exception as error:
            cause = f"--predict {self.text} raises {type(error).__name__}: {error}"
            raise SpecError(cause) from None
        if found.shape != (chunk.count,) or found.dtype.kind not in "iufb":
            cause = f"--predict {self.text} returns {found.dtype} of shape {found.shape}"
            raise SpecError(cause, hint=f"return {chunk.count} numbers, one for each row")
        if not np.isfinite(found).all():
            raise SpecError(f"--predict {self.text} returns numbers that are not finite")
        return found.astype(np.float64)


def read_predictors(given: Iterable[str | Predict], known: Iterable[str]) -> tuple[Predictor, ...]:
    """Return functions that predict; of ``module:function`` the module is run.

    Args:
        given: they, or texts that name them.
        known: the names that columns have already.

    Raises:
        SpecError: there is no such function, or its name is taken.
    """
    found: dict[str, Predictor] = {}
    for each in given:
        one = _read(each) if isinstance(each, str) else Predictor(_name(each), _name(each), each)
        if one.name in {*METRICS, *known, *found}:
            cause = f"--predict {one.text}: there is a column '{one.name}' already"
            raise SpecError(cause, hint="give the function another name")
        found[one.name] = one
    return tuple(found.values())


def _name(function: Predict) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _read(text: str) -> Predictor:
    module, colon, name = text.partition(":")
    if not (colon and module and name.isidentifier()):
        raise SpecError(f"--predict {text}: no function of a module", hint="as in mine:accuracy")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        loaded = import_module(module)
    except Exception as error:
        cause = f"--predict {text}: importing {module} raises {type(error).__name__}: {error}"
        raise SpecError(cause, hint=f"it is looked for from {folder}") from None
    function = getattr(loaded, name, None)
    if not callable(function):
        hint = did_you_mean(name, [each for each in dir(loaded) if not each.startswith("_")])
        raise SpecError(f"--predict {text}: {module} has no function '{name}'", hint=hint)
    return Predictor(text, name, function)

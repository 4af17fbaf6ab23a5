"""A metric as a NumPy function: vectorised, and exact whatever the size of the numbers.

Counts are computed in 64-bit integers where bounds show that no intermediate result can leave
them, and in Python's integers otherwise. Quantities, as seconds, are computed as exact fractions
and rounded once, to the nearest float64.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Expr

from archspec import SpecError, arithmetic
from archspec.errors import did_you_mean
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.evaluation import Tape
from costmodel.algebra.functions import Quantity
from costmodel.algebra.once import once
from costmodel.algebra.operations import Array
from costmodel.analysis.closed_forms import ClosedForms
from costmodel.analysis.columns import SymbolColumn, nearest_floats, quotients, read_column
from costmodel.analysis.compiled import Compiled, compiled
from costmodel.metrics.registry import find_metric

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Named = Mapping[str, ArrayLike]


@dataclass(frozen=True, repr=False)
class Vectorised:
    """A metric as a function of arrays.

    Attributes:
        metric: its name.
        closed_form: the closed form that it computes.
        defaults: symbol name → value where the call gives none; the order of positional arguments.
        analysis: of the network; its demands say where a value is valid.
    """

    metric: str
    closed_form: Expr
    defaults: Mapping[str, arithmetic.Rational]
    analysis: ClosedForms

    def __repr__(self) -> str:
        return f"<{self.metric} as a function of {', '.join(self.defaults) or 'nothing'}>"

    def __call__(self, *values: "ArrayLike", **named: "ArrayLike") -> Any:
        """Return the metric at the given values, broadcast against each other.

        Returns:
            an int for scalars, else an array of int64, or of Python integers where int64 is too
            small; a fraction where the metric is one; of a quantity a float, or an array of
            float64.

        Raises:
            SpecError: an unknown symbol, a value outside its domain, or one that makes the
                network invalid.
        """
        given = self._named(values, named)
        arrays = {n: np.asarray(given.get(n, default)) for n, default in self.defaults.items()}
        columns = {name: self._column(name, array) for name, array in arrays.items()}
        program, tape = self._program(*(column.denominator for column in columns.values()))
        nodes = tape.run({program.inputs[n]: column.numerators for n, column in columns.items()})
        shown = [column.shown() for column in columns.values()]
        for condition, place in zip(self.analysis.demands, program.conditions, strict=True):
            if not np.all(nodes[place]):
                place_of = _first(nodes[place], shown)
                raise SpecError(f"invalid where not {condition_text(condition)}, as at {place_of}")
        numerators, denominators = (nodes[place] for place in program.metrics[self.metric])
        shape = np.broadcast_shapes(*(array.shape for array in shown))
        scalar = all(array.ndim == 0 for array in arrays.values())
        return self._result(np.broadcast_to(numerators, shape), denominators, scalar)

    def _named(self, values: tuple["ArrayLike", ...], named: "Named") -> "Named":
        if len(values) > len(self.defaults):
            raise SpecError(f"{len(values)} values for {len(self.defaults)} symbols")
        given = dict(zip(self.defaults, values, strict=False))
        for name in named:
            if name not in self.defaults or name in given:
                hint = did_you_mean(name, self.defaults)
                raise SpecError(f"there is no free symbol '{name}' left to give", hint=hint)
        return given | dict(named)

    def _column(self, name: str, values: Array) -> SymbolColumn:
        """Return an argument as exact numbers, each in the symbol's domain."""
        column = read_column(name, values.reshape(-1))
        column.check(name, self.analysis.graph.symbols[name])
        shape = values.shape or (1,)
        return SymbolColumn(column.numerators.reshape(shape), column.denominator)

    @once
    def _program(self, *denominators: int) -> tuple[Compiled, Tape]:
        """Return the program for denominators of the symbols' values."""
        named = dict(zip(self.defaults, denominators, strict=True))
        found = compiled(self.analysis, [self.metric], named)
        return found, Tape(found.program, (*found.metrics[self.metric], *found.conditions))

    def _result(self, numerators: Array, denominators: Array, scalar: bool) -> Any:
        if isinstance(self.closed_form, Quantity):
            floats = nearest_floats(numerators, denominators)
            return float(floats.item()) if scalar else floats
        found = quotients(numerators, denominators)
        if scalar:
            return arithmetic.tidy(Fraction(found.item()))
        return found.copy() if found is numerators else found


def _first(holds: Array, arrays: list[Array]) -> str:
    """Return the first point at which something does not hold."""
    *columns, mask = np.broadcast_arrays(*arrays, holds)
    index = np.argmin(mask.astype(bool), axis=None)
    return f"({', '.join(str(column.flat[index]) for column in columns)})"


def vectorise(analysis: ClosedForms, metric: str) -> Vectorised:
    """Return a metric of a network as a function of its symbols.

    Raises:
        NoCountError: the network has no number of it.
    """
    form = analysis.closed_form_of(find_metric(metric), analysis.total(metric))
    defaults = {name: analysis.graph.values[name] for name in analysis.symbols}
    return Vectorised(metric, form, defaults, analysis)

"""A law as a NumPy function: vectorised, and exact whatever the size of the numbers.

Counts are computed in 64-bit integers where a bound shows that no intermediate result can leave
them, and in Python's integers otherwise; nothing wraps around and nothing is rounded. Quantities,
as seconds, are computed as exact fractions and rounded once, to the nearest float64.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Add, Expr, Mul, Pow, Symbol
from sympy.core.numbers import Rational

from archspec import SpecError, arithmetic
from archspec.errors import did_you_mean
from costmodel.algebra.conditions import Condition, condition_text
from costmodel.algebra.functions import FloorDiv, Quantity, Quotient, RoundTo, plain
from costmodel.algebra.printing import Numpy
from costmodel.analysis.closed_forms import ClosedForms
from costmodel.metrics.registry import find_metric
from costmodel.scenario.settings import to_rational

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Named = Mapping[str, ArrayLike]

MAX_INT64 = 2**63 - 1

_SCOPE: dict[str, Any] = {
    "maximum": lambda *arrays: reduce(np.maximum, arrays),
    "minimum": lambda *arrays: reduce(np.minimum, arrays),
    "round_to": np.frompyfunc(arithmetic.round_to, 2, 1),
    "divide": np.frompyfunc(lambda a, b: arithmetic.tidy(Fraction(a) / b), 2, 1),
    "floor": np.frompyfunc(lambda a: a.__floor__(), 1, 1),
    "sqrt": np.frompyfunc(arithmetic.square_root, 1, 1),
    "log2": np.frompyfunc(arithmetic.binary_logarithm, 1, 1),
    "__builtins__": {},
}


@dataclass(frozen=True)
class Vectorised:
    """A metric as a function of arrays.

    Attributes:
        law: the expression it computes.
        defaults: symbol name → value where the call gives none; the order of positional arguments.
        symbols: symbol name → symbol.
        source: the Python text it runs, over ``s0, s1, …``.
        body: that text compiled: arrays → the metric, then whether each demand holds.
        analysis: of the network; its demands say where a value is valid.
    """

    law: Expr
    defaults: Mapping[str, arithmetic.Rational]
    symbols: Mapping[str, Symbol]
    source: str
    body: Callable[..., Any]
    analysis: ClosedForms

    def __call__(self, *values: "ArrayLike", **named: "ArrayLike") -> Any:
        """The metric at the given values, broadcast against each other.

        Returns:
            an int for scalars, else an array of int64, or of Python integers where int64 is too
            small; a fraction where the metric is one; of a quantity a float, or an array of
            float64.

        Raises:
            SpecError: an unknown symbol, a value outside its domain, or one that makes the
                network invalid.
        """
        given = self._named(values, named)
        arrays = [
            self._column(name, given.get(name, default)) for name, default in self.defaults.items()
        ]
        arguments = arrays if self._fits(arrays) else _as_objects(arrays)
        result, *conditions = self.body(*arguments)
        result = _shaped(result, np.broadcast_shapes(*(array.shape for array in arrays)))
        for condition, holds in zip(self.analysis.demands, conditions, strict=True):
            if not np.all(holds):
                raise SpecError(
                    f"invalid where not {condition_text(condition)}, as at {_first(holds, arrays)}"
                )
        scalar = all(np.ndim(given.get(name, 0)) == 0 for name in self.defaults)
        if isinstance(self.law, Quantity):
            return float(result.item()) if scalar else result.astype(np.float64)
        return arithmetic.tidy(Fraction(result.item())) if scalar else _tidy(result)

    def _named(self, values: tuple["ArrayLike", ...], named: "Named") -> "Named":
        if len(values) > len(self.defaults):
            raise SpecError(f"{len(values)} values for {len(self.defaults)} symbols")
        given = dict(zip(self.defaults, values, strict=False))
        for name in named:
            if name not in self.defaults or name in given:
                hint = did_you_mean(name, self.defaults)
                raise SpecError(f"there is no free symbol '{name}' left to give", hint=hint)
        return given | dict(named)

    def _column(self, name: str, values: Any) -> Any:
        """An argument as an array, int64 or exact Python numbers, each in the symbol's domain."""
        column = np.atleast_1d(np.asarray(values))
        if column.dtype == object or not np.issubdtype(column.dtype, np.integer):
            column = np.asarray(np.frompyfunc(lambda v: to_rational(name, v), 1, 1)(column), object)
        elif column.size and column.max() <= MAX_INT64:
            column = column.astype(np.int64)
        for value in {column.min(), column.max()} if column.size else ():
            self._check(name, to_rational(name, value))
        if column.dtype == object or self.analysis.graph.symbols[name].multiple_of is not None:
            for value in np.unique(column):
                self._check(name, to_rational(name, value))
        return column

    def _check(self, name: str, value: arithmetic.Rational) -> None:
        broken = self.analysis.graph.symbols[name].broken_rule(value)
        if broken:
            raise SpecError(f"{name} = {value} {broken}")

    def _fits(self, arrays: list[Any]) -> bool:
        if isinstance(self.law, Quantity) or any(array.dtype != np.int64 for array in arrays):
            return False
        largest = {
            self.symbols[name]: int(array.max(initial=1))
            for name, array in zip(self.defaults, arrays, strict=True)
        }
        return magnitude(self.law, largest) <= MAX_INT64


def _shaped(result: Any, shape: tuple[int, ...]) -> Any:
    """The result for every point, where it does not depend on every symbol."""
    array = np.asarray(result)
    return array if array.shape == shape else np.broadcast_to(array, shape).copy()


def _as_objects(arrays: list[Any]) -> list[Any]:
    return [array.astype(object) for array in arrays]


def _first(holds: Any, arrays: list[Any]) -> str:
    """The first point at which something does not hold."""
    *columns, mask = np.broadcast_arrays(*arrays, holds)
    index = np.argmin(mask.astype(bool), axis=None)
    return f"({', '.join(str(column.flat[index]) for column in columns)})"


def _tidy(result: Any) -> Any:
    whole = result.dtype == object and all(isinstance(value, int) for value in result.flat)
    if whole and max(map(abs, result.flat), default=0) <= MAX_INT64:
        return result.astype(np.int64)
    return result


def magnitude(expression: Expr, largest: Mapping[Symbol, int]) -> int:
    """What no intermediate result of an expression exceeds, divisors being at least 1."""
    if isinstance(expression, Rational):
        number = plain(expression)
        return max(abs(number.numerator), number.denominator)
    if isinstance(expression, Symbol):
        return largest[expression]
    parts = [magnitude(arg, largest) for arg in expression.args]
    if isinstance(expression, Mul | Quotient):
        return prod(parts)
    if isinstance(expression, Pow):
        exponent = expression.args[1]
        return parts[0] ** abs(int(exponent)) if exponent.is_Integer else MAX_INT64 + 1
    if isinstance(expression, Add | FloorDiv | RoundTo):
        return 2 * sum(parts)
    return max(parts)


def vectorise(analysis: ClosedForms, metric: str) -> Vectorised:
    """Compile a metric's law and the network's conditions, each floor computed once."""
    law = analysis.law_of(find_metric(metric), analysis.total(metric))
    symbols = analysis.symbols
    safe = {
        symbol: Symbol(f"s{i}", integer=symbol.is_integer, positive=True)
        for i, symbol in enumerate(symbols.values())
    }
    source = _source(law, analysis.demands, safe)
    scope = dict(_SCOPE)
    exec(compile(source, "<law>", "exec"), scope)  # our own printer's text over s0, s1, …
    defaults = {name: analysis.graph.values[name] for name in symbols}
    return Vectorised(law, defaults, symbols, source, scope["law"], analysis)


def _source(law: Expr, conditions: Iterable[Condition], safe: Mapping[Symbol, Symbol]) -> str:
    show = Numpy()
    lines = [f"def law({', '.join(s.name for s in safe.values())}):"]
    floors = sorted(law.atoms(FloorDiv, RoundTo), key=lambda f: (f.count_ops(), f.sort_key()))
    names: dict[Expr, Expr] = dict(safe)
    for i, floor in enumerate(floors):
        inner = floor.func(*(arg.xreplace(names) for arg in floor.args))
        lines.append(f"    f{i} = {show(inner)}")
        names[floor] = Symbol(f"f{i}", integer=True, positive=True)
    shown = show.real(law) if law.is_Rational else show(law.xreplace(names))
    results = [shown, *(c.shown(safe, show) for c in conditions)]
    return "\n".join([*lines, f"    return {', '.join(results)},"])

"""Laws evaluated over a design space: grids and scattered points, exactly and fast.

    engine = Engine(analyze("specs/mobilenetv2.yaml"), {"macs": "macs", "ratio": "macs/params"})
    for chunk in engine.grid({"width": ["0.35", 1], "h": range(96, 225, 32)}, links={"w": "h"}):
        chunk["h"], chunk["macs"], chunk["valid"]        # arrays, in the order of the grid

``Engine(analysis, columns, where)`` takes an analysis, or a function that gives one for settings:
then names that decide structure (a list of depths, a variant) are varied as well, each value with
an analysis of its own. ``columns`` maps a column's name to an expression of metrics and symbols;
``where`` are questions, as ``macs <= 300e6 and params <= 4e6``, decided in integers.

``.grid(axes, links)`` and ``.points(columns, links)`` give chunks (see `chunk.Chunk`), mappings
from names to arrays of one length: the symbols, the columns, then ``valid``, and ``met`` where
something was asked. A count is int64, or Python's integers where that is too small; a real number
or a ratio is the float64 nearest to it, and ``chunk.parts(name)`` is what it is exactly, a
numerator over a positive denominator (see `exact.less`). Where ``valid`` is false, nothing else of
the row means anything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from archspec.arithmetic import Rational
from costmodel.analysis import Analysis
from costmodel.sweep.chunk import Chunk, Make
from costmodel.sweep.columns import Column, Rule, read_column
from costmodel.sweep.compiled import Array, Tape, bounds_in, whole
from costmodel.sweep.laws import Laws, Link, Lowered, laws_of, lowered

Factory = Callable[[Mapping[str, Any]], Analysis]
"""The analysis at some settings of what decides structure."""

ROWS = 2**16
"""Rows of a chunk, at most."""


class Engine:
    """Evaluates columns over grids and points.

    Args:
        analysis: the network, or what gives it for settings.
        columns: name → an expression of metrics and symbols.
        where: comparisons of such expressions, which ``met`` is about.
    """

    def __init__(
        self, analysis: Analysis | Factory, columns: Mapping[str, str], where: Sequence[str] = ()
    ) -> None:
        self.columns = dict(columns)
        self.where = tuple(where)
        self._analysis = analysis
        self._laws: dict[tuple[Any, ...], Laws] = {}

    def laws(self, settings: Mapping[str, Any]) -> Laws:
        """The laws at some settings of what decides structure."""
        key = tuple(settings.items())
        if key not in self._laws:
            given = self._analysis
            analysis = given if isinstance(given, Analysis) else given(settings)
            self._laws[key] = laws_of(analysis, self.columns, self.where)
        return self._laws[key]

    def grid(
        self, axes: Mapping[str, Sequence[Rational]], links: Mapping[str, Link] | None = None
    ) -> Iterator[Chunk]:
        """Every combination of the axes' values, the last axis fastest."""
        read = {name: read_column(name, values) for name, values in axes.items()}
        shape = [len(column) for column in read.values()]
        total = prod(shape)
        for start in range(0, total, ROWS):
            rows = np.arange(start, min(start + ROWS, total))
            places = np.unravel_index(rows, shape) if shape else ()
            chosen = {
                name: column[place]
                for (name, column), place in zip(read.items(), places, strict=True)
            }
            yield from self._points(chosen, links or {})

    def points(
        self,
        columns: Mapping[str, Sequence[Rational] | Array],
        links: Mapping[str, Link] | None = None,
    ) -> Iterator[Chunk]:
        """The rows of some columns, which are all of one length."""
        read = {name: read_column(name, values) for name, values in columns.items()}
        total = max(map(len, read.values()), default=1)
        for start in range(0, total, ROWS):
            chosen = {name: column[start : start + ROWS] for name, column in read.items()}
            yield from self._points(chosen, links or {})

    def _points(self, columns: Mapping[str, Column], links: Mapping[str, Link]) -> Iterator[Chunk]:
        laws = self.laws({})
        for name, column in columns.items():
            laws.check_symbol(name)
            Rule(name, laws.analysis.graph.symbols[name]).check(column)
        low = lowered(laws, {name: column.under for name, column in columns.items()}, links)
        rows = max(map(len, columns.values()), default=1)
        yield _chunk(low, columns, rows)


def _chunk(low: Lowered, columns: Mapping[str, Column], rows: int) -> Chunk:
    given = {low.inputs[name]: column for name, column in columns.items()}
    wanted = [
        *(node for part in (*low.columns.values(), *low.links.values()) for node in part),
        *low.valid,
        *low.met,
    ]
    tape = Tape(low.program, wanted)
    mode = tape.mode({p: column.bounds for p, column in given.items()})
    found = tape.run({p: given[p].overs for p in tape.given}, mode)
    full = {p: np.broadcast_to(whole(a), rows) for p, a in found.items()}

    def make(array: Array) -> Make:
        return lambda index: array[index]

    def every(nodes: tuple[int, ...]) -> Array:
        return np.logical_and.reduce([np.ones(rows, bool), *(full[n] for n in nodes)])

    makers = {name: make(column.shown()) for name, column in columns.items()}
    for name, (over, under) in low.links.items():
        makers[name] = make(_quotients(full[over], full[under]))
    valid = every(low.valid)
    hidden: dict[str, Make] = {}
    for name, (over, under) in low.columns.items():
        counts = name in low.counts
        makers[name] = make((_counts if counts else _reals)(full[over], full[under]))
        hidden[f"over {name}"], hidden[f"under {name}"] = make(full[over]), make(full[under])
    makers["valid"] = make(valid)
    if low.met:
        makers["met"] = make(valid & every(low.met))
    return Chunk(rows, makers, {"met": make(valid), **hidden})


def _counts(over: Array, under: Array) -> Array:
    """Quotients that are integers; where one is none, the network is not valid."""
    if bounds_in(under) == (1, 1):
        return over
    return np.asarray(over // np.where(under == 0, 1, under))


def _quotients(over: Array, under: Array) -> Array:
    from fractions import Fraction

    from archspec.arithmetic import tidy

    if bounds_in(under) == (1, 1):
        return over
    values = np.empty(len(over), object)
    values[:] = [tidy(Fraction(int(a), int(b))) for a, b in zip(over, under, strict=True)]
    return values


def _reals(over: Array, under: Array) -> Array:
    """The float64 nearest to each quotient; none where there is none."""
    bounds = (bounds_in(over) or (0, 0)) + (bounds_in(under) or (0, 0))
    if over.dtype != object and under.dtype != object and max(map(abs, bounds)) <= 2**53:
        with np.errstate(divide="ignore", invalid="ignore"):
            return over / under
    divide = np.frompyfunc(lambda a, b: int(a) / int(b) if b else float("nan"), 2, 1)
    return np.asarray(divide(over, under), np.float64)

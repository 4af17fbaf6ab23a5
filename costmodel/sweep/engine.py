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
from typing import Any

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.analysis import Analysis
from costmodel.sweep.chunk import Chunk
from costmodel.sweep.columns import Column, Rule, read_column
from costmodel.sweep.compiled import Array
from costmodel.sweep.grid import Grid
from costmodel.sweep.laws import Laws, Link, Lowered, laws_of, lowered
from costmodel.sweep.points import Scatter
from costmodel.sweep.rows import chunk_of, wanted

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
        low = self._lowered(read, links or {})
        grid = Grid(low, read, wanted(low), ROWS)
        for block in grid.blocks():
            yield chunk_of(low, block, [*read, *low.links])

    def points(
        self,
        columns: Mapping[str, Sequence[Rational] | Array],
        links: Mapping[str, Link] | None = None,
    ) -> Iterator[Chunk]:
        """The rows of some columns, which are all of one length."""
        read = {name: read_column(name, values) for name, values in columns.items()}
        total = _length(read)
        low = self._lowered(read, links or {})
        batch = Scatter(low, wanted(low)).batch(read, total)
        for first in range(0, total, ROWS):
            rows = batch.rows(first, min(first + ROWS, total))
            yield chunk_of(low, rows, [*read, *low.links])

    def _lowered(self, columns: Mapping[str, Column], links: Mapping[str, Link]) -> Lowered:
        laws = self.laws({})
        for name, column in columns.items():
            laws.check_symbol(name)
            Rule(name, laws.analysis.graph.symbols[name]).check(column)
        return lowered(laws, {name: column.under for name, column in columns.items()}, links)


def _length(columns: Mapping[str, Column]) -> int:
    """The length of all columns.

    Raises:
        SpecError: they differ.
    """
    lengths = {len(column) for column in columns.values()} or {1}
    if len(lengths) > 1:
        said = ", ".join(f"{name}: {len(column)}" for name, column in columns.items())
        raise SpecError(f"columns of points differ in length ({said})")
    return lengths.pop()

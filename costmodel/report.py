"""What is shown of an analysis: rows and totals, before a renderer decides how they look."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sympy import Expr, Integer, S

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.algebra.conditions import condition_text
from costmodel.analysis import Analysis
from costmodel.formula import show_number
from costmodel.metrics import METRICS, Metric, find_metric
from costmodel.propagation import Counted, LayerCost
from costmodel.rules.base import Shape, elements

if TYPE_CHECKING:
    from costmodel.algebra.printing import PythonText

COLUMNS = ("params", "macs", "activations")
"""The metrics that are columns where none are asked for."""


class Row(NamedTuple):
    """One line of a report: an input of the network or a layer.

    Attributes:
        name: the layer's path, and how often it runs.
        kind: its kind; ``input`` for an input.
        path: its place in the structure.
        inputs: where its inputs come from.
        shape: the shape of its output.
        counts: metric → expression.
        sharing: how its output lies where its input lay (``in place``, ``view``), if it does.
    """

    name: str
    kind: str
    path: str
    inputs: tuple[str, ...]
    shape: Shape
    counts: dict[str, Expr]
    sharing: str = ""


@dataclass(frozen=True)
class Report:
    """An analysis with the choice of what to show.

    Attributes:
        analysis: the network.
        metrics: the metrics that were asked for; none means the usual ones.
        symbolic: whether laws are shown, or numbers.
    """

    analysis: Analysis
    metrics: tuple[str, ...] = ()
    symbolic: bool = False

    def __post_init__(self) -> None:
        for name in self.metrics:
            find_metric(name)

    @property
    def columns(self) -> tuple[Metric, ...]:
        """The metrics that every row shows."""
        return tuple(METRICS[name] for name in self.metrics or COLUMNS)

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics of the whole network."""
        return tuple(METRICS[name] for name in self.metrics or METRICS)

    @property
    def title(self) -> str:
        """The network's name."""
        return self.analysis.graph.name

    @property
    def convention(self) -> str:
        """What counts, in one line."""
        return str(self.analysis.convention)

    @property
    def conditions(self) -> tuple[str, ...]:
        """What must hold of the symbols."""
        return tuple(condition_text(condition) for condition in self.analysis.conditions)

    @property
    def setting(self) -> str:
        """``n = 1, c = 3``: the value of every symbol."""
        values = self.analysis.graph.values
        return ", ".join(f"{name} = {show_decimal(value)}" for name, value in values.items())

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The inputs, then the layers."""
        return (*self._inputs(), *(self._row(*counted) for counted in self.analysis.counted))

    def _inputs(self) -> Iterator[Row]:
        for name, shape in self.analysis.propagation.inputs.items():
            counts: dict[str, Expr] = {}
            for metric in self.columns:
                counted = metric.of_input and self.analysis.convention.counts_input
                counts[metric.name] = elements(shape) if counted else Integer(0)
            yield Row(name, "input", name, (), shape, counts)

    def _row(self, layer: LayerCost, runs: Expr, copies: Expr) -> Row:
        convention, output = self.analysis.convention, layer.cost.output
        law = self.analysis.law
        return Row(
            name=layer.node.path if runs is S.One else f"{layer.node.path} ×{self.show(runs)}",
            kind=layer.node.kind,
            path=layer.node.path,
            inputs=tuple(tensor.producer for tensor in layer.node.inputs),
            shape=tuple(map(law, layer.output)),
            counts={
                metric.name: law(metric.of([Counted(layer, runs, copies)], convention))
                for metric in self.columns
            },
            sharing=output.value if output.shares_memory else "",
        )

    def number(self, expression: Expr) -> Rational:
        """The value of an expression at the symbols' values."""
        return self.analysis.evaluator(expression)

    def show(self, expression: Expr, printer: "PythonText | None" = None) -> str:
        """An expression as law or as number, whichever the report shows."""
        if not self.symbolic:
            return show_number(self.number(expression))
        from costmodel.algebra.printing import PythonText

        return (printer or PythonText())(expression)

    def total(self, name: str) -> Expr:
        """A metric of the whole network, as it is printed."""
        return self.analysis.law(self.analysis.total(name))

    def show_total(self, metric: Metric, printer: "PythonText | None" = None) -> str:
        """A metric of the network as law or as number."""
        if self.symbolic:
            return self.show(self.total(metric.name), printer)
        return show_number(self.analysis.value(metric.name))

    def share(self, row: Row) -> str:
        """The row's part of the total of `shared`, in percent."""
        total = self.analysis.value(self.shared.name)
        part = self.number(row.counts[self.shared.name])
        return f"{float(100 * part / total):.1f} %" if part else ""

    @property
    def shared(self) -> Metric:
        """The metric whose shares are shown: MACs, or the first that adds up.

        Raises:
            SpecError: no column adds up.
        """
        for metric in sorted(self.columns, key=lambda m: m.name != "macs"):
            if metric.combine == "sum":
                return metric
        raise SpecError("none of the metrics adds up")


def show_decimal(value: Rational) -> str:
    """A number as a decimal where it has an end, else as a quotient."""
    if isinstance(value, int):
        return str(value)
    decimal = float(value)
    return str(decimal) if value == type(value)(repr(decimal)) else str(value)

"""Metrics of one network and its conditions as one integer program, to be evaluated at arrays."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from sympy import Expr, Symbol

from archspec.header import Symbol as Declared
from costmodel.algebra.functions import Maximum, exact
from costmodel.algebra.program import IntegerProgram, Ratio
from costmodel.algebra.work import budget
from costmodel.analysis.closed_forms import ClosedForms
from costmodel.metrics.registry import Metric, find_metric

TOO_MANY = "ask for fewer columns, or give some symbols a number with --set"

MOST_NODES, MOST_PROGRAMS = 200_000, 64
"""The most nodes of a program that several structures share, and the most such programs."""

NO_LINKS: Mapping[str, Expr] = MappingProxyType({})


class Compiled(NamedTuple):
    """Metrics as nodes of one program.

    Attributes:
        program: all nodes.
        inputs: symbol's name → the node that takes its numerators.
        metrics: name → its value.
        links: linked symbol → its value.
        conditions: the nodes of the conditions, in the order of `Analysis.demands`.
        valid: all nodes that must be true: the conditions, and that every value exists.
    """

    program: IntegerProgram
    inputs: Mapping[str, int]
    metrics: Mapping[str, Ratio]
    links: Mapping[str, Ratio]
    conditions: tuple[int, ...]
    valid: tuple[int, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The nodes of the metrics, of what is linked, and of what must be true."""
        return (*chain(*self.metrics.values(), *self.links.values()), *self.valid)


class Programs:
    """Programs of several structures of one spec: what they have in common is lowered once."""

    def __init__(self) -> None:
        self._known: dict[tuple[frozenset[Any], ...], IntegerProgram] = {}

    def of(
        self, denominators: Mapping[Symbol, int], values: Mapping[Symbol, Expr]
    ) -> IntegerProgram:
        """Return the program in which symbols have such denominators, or values."""
        key = frozenset(denominators.items()), frozenset(values.items())
        found = self._known.get(key)
        if found is None or len(found.nodes) > MOST_NODES:
            if len(self._known) > MOST_PROGRAMS:
                self._known.clear()
            found = self._known[key] = IntegerProgram(denominators, values)
        return found


def compiled(
    analysis: ClosedForms,
    metrics: Iterable[str],
    denominators: Mapping[str, int],
    links: Mapping[str, Expr] = NO_LINKS,
    *,
    programs: Programs | None = None,
) -> Compiled:
    """Compile metrics of a network.

    Args:
        analysis: the network.
        metrics: the names of the metrics.
        denominators: symbol → the denominator of its values; others have links or defaults.
        links: symbol → the expression of other symbols that decides it.
        programs: those of other structures of the spec, where few points of each are evaluated: the
            program is then that of all layers and of all that they require, which they share. Else
            what is proved of the network makes it short.

    Raises:
        NoCountError: the network has no number of a metric.
        FinalError: there are too many operations.
    """
    symbols, declared = analysis.symbols, analysis.graph.symbols
    with budget("the operations of the sweep", analysis.propagation.largest_layer, TOO_MANY):
        values = _values(analysis, denominators, links)
        below = {symbols[name]: d for name, d in denominators.items()}
        is_proved = programs is None
        program = programs.of(below, values) if programs else IntegerProgram(below, values)
        inputs = {name: program.lower(symbols[name]).numerator for name in denominators}
        value = _proved if is_proved else _of_layers
        parts = {n: program.signed(value(program, analysis, find_metric(n))) for n in metrics}
        linked = {name: program.signed(program.lower(symbols[name])) for name in links}
        demands = analysis.demands if is_proved else analysis.required
        conditions = tuple(map(program.condition, demands))
        rules = [node for n, part in linked.items() for node in _rules(program, part, declared[n])]
        nodes = (*chain(*parts.values(), *linked.values()), *conditions, *rules)
        defined = program.defined if is_proved else program.defined_of(nodes)
        valid = tuple(dict.fromkeys((*defined, *conditions, *rules)))
        return Compiled(program, inputs, parts, linked, conditions, valid)


def _proved(program: IntegerProgram, analysis: ClosedForms, metric: Metric) -> Ratio:
    """Return a metric in the closed form that is printed."""
    return program.lower(analysis.closed_form_of(metric, analysis.total(metric.name)))


def _of_layers(program: IntegerProgram, analysis: ClosedForms, metric: Metric) -> Ratio:
    """Return a metric as the sum or the largest of its layers'."""
    parts = [program.lower(part) for part in analysis.unproved(metric)]
    return program.extremum("max", parts) if metric.combine == "max" else program.sum(parts)


def _values(
    analysis: ClosedForms, varied: Iterable[str], links: Mapping[str, Expr]
) -> dict[Symbol, Expr]:
    """Return symbol → its link, its default, or the last iteration of a repeat."""
    given = set(varied)
    values: dict[Symbol, Expr] = {
        index: Maximum(last, exact(0)) for index, last in analysis.propagation.last_indices.items()
    }
    for name, free in analysis.symbols.items():
        if name in links:
            values[free] = links[name]
        elif name not in given:
            values[free] = exact(analysis.graph.values[name])
    return values


def _rules(program: IntegerProgram, part: Ratio, declared: Declared) -> Iterator[int]:
    """Yield what a linked symbol's value must keep: positive, in its range, a multiple."""
    step = (declared.multiple_of or 1) if declared.domain == "integer" else declared.multiple_of
    if not program.is_positive(part.numerator):
        yield program.compare("gt", part, Ratio(program.zero, program.one))
    for name, bound in (("ge", declared.min), ("le", declared.max)):
        if bound is not None:
            yield program.compare(name, part, program.constant(bound))
    if step and (step > 1 or part.denominator != program.one):
        by = program.divisor(program.mul(part.denominator, program.const(step)))
        yield program.op("divides", by, part.numerator)

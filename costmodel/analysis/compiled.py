"""Metrics of one network and its conditions as one integer program, to be evaluated at arrays."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.header import Symbol as Declared
from costmodel.algebra.functions import Maximum, exact
from costmodel.algebra.program import IntegerProgram, Ratio
from costmodel.algebra.work import budget
from costmodel.analysis.closed_forms import ClosedForms
from costmodel.metrics.registry import find_metric

TOO_MANY = "ask for fewer columns, or give some symbols a number with --set"

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


def compiled(
    analysis: ClosedForms,
    metrics: Iterable[str],
    denominators: Mapping[str, int],
    links: Mapping[str, Expr] = NO_LINKS,
) -> Compiled:
    """Compile metrics of a network.

    Args:
        analysis: the network.
        metrics: the names of the metrics.
        denominators: symbol → the denominator of the values it will take; a symbol that is
            neither here nor linked has its default.
        links: symbol → the expression of other symbols that decides it.

    Raises:
        NoCountError: the network has no number of a metric.
        FinalError: there are too many operations.
    """
    symbols, declared = analysis.symbols, analysis.graph.symbols
    with budget("the operations of the sweep", analysis.propagation.largest_layer, TOO_MANY):
        values = _values(analysis, denominators, links)
        program = IntegerProgram({symbols[name]: d for name, d in denominators.items()}, values)
        inputs = {name: program.lower(symbols[name]).numerator for name in denominators}
        forms = {
            name: analysis.closed_form_of(find_metric(name), analysis.total(name))
            for name in metrics
        }
        parts = {name: program.signed(program.lower(form)) for name, form in forms.items()}
        linked = {name: program.signed(program.lower(symbols[name])) for name in links}
        conditions = tuple(map(program.condition, analysis.demands))
        rules = [node for n, part in linked.items() for node in _rules(program, part, declared[n])]
        valid = tuple(dict.fromkeys((*program.defined, *conditions, *rules)))
        return Compiled(program, inputs, parts, linked, conditions, valid)


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

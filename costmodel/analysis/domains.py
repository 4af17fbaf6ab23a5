"""The values that a symbol of an analysed network may have, and the nearest that are valid."""

from collections.abc import Iterator, Mapping, Sequence

from archspec.arithmetic import Rational
from archspec.expressions import ExpressionError
from costmodel.algebra.domains import Domain, domain_under
from costmodel.algebra.functions import exact
from costmodel.analysis.closed_forms import ClosedForms


def domain_of(
    analysis: ClosedForms,
    name: str,
    step: Rational | None = None,
    values: Mapping[str, Rational] | None = None,
) -> Domain:
    """Return the domain of a symbol under the network's demands, the other symbols being numbers.

    Args:
        analysis: the network.
        name: of the symbol.
        step: a step that is asked for.
        values: those of the other symbols; else their usual ones.
    """
    values = values or analysis.graph.values
    others = {s: exact(values[n]) for n, s in analysis.symbols.items() if n != name}
    required = (
        condition.mapped(lambda side: side.xreplace(others)) for condition in analysis.demands
    )
    return domain_under(analysis.graph.symbols[name], analysis.symbols[name], required, step)


MAX_TRIED = 32
"""The most steps to each side of a value at which the nearest valid one is looked for."""


def nearest_valid(
    analysis: ClosedForms, numbers: Mapping[str, Rational], names: Sequence[str]
) -> dict[str, Rational]:
    """Return the nearest values that make a valid network of numbers that make none.

    Args:
        analysis: the network, its symbols free.
        numbers: a value for each symbol.
        names: the symbols that may have another value, the first that helps alone is taken.

    Returns:
        One symbol and its value; or all of them where none helps alone; or nothing.
    """

    def is_valid(tried: Mapping[str, Rational]) -> bool:
        symbols = analysis.graph.symbols
        allowed = all(symbols[name].broken_rule(value) is None for name, value in tried.items())
        try:
            return allowed and analysis.is_valid_at({**numbers, **tried})
        except ExpressionError:  # a condition has no value there
            return False

    for name in names:
        for value in _candidates(analysis, name, numbers):
            if is_valid({name: value}):
                return {name: value}
    together = {name: next(_candidates(analysis, name, numbers)) for name in names}
    return together if is_valid(together) else {}


def _candidates(
    analysis: ClosedForms, name: str, numbers: Mapping[str, Rational]
) -> Iterator[Rational]:
    """Yield values around that of a symbol, the nearest first, on the grid of its domain."""
    domain = domain_of(analysis, name, values=numbers)
    first = domain.nearest(numbers[name])
    yield first
    if domain.step is not None:
        for reach in (domain.step * steps for steps in range(1, MAX_TRIED + 1)):
            yield from (first - reach, first + reach)

"""The largest or smallest value of a symbol at which constraints hold.

The search is exact: over integers (or the multiples that the network allows) by bisection where
the form of the law proves that it rises or falls, else value by value; over real numbers by the
places where floors and roundings step. The answer comes with the numbers at it and beyond it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike, fspath

from archspec import SpecError, load
from archspec.errors import did_you_mean
from costmodel.algebra.work import budget
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.constraints import read_constraints
from costmodel.analysis.loading import analyze_architecture
from costmodel.metrics.registry import METRICS
from costmodel.network.assumptions import read_assumptions
from costmodel.scenario.conventions import convention_of
from costmodel.scenario.scenario import NOWHERE, Scenario, with_past
from costmodel.scenario.settings import Number, positive, to_rational
from costmodel.studies.problem import Answer, End, Problem
from costmodel.studies.search import Search

TOO_MANY = "look at fewer values: give a larger --step, or say in --where where the symbol ends"


def opened(
    spec: str | PathLike[str],
    symbol: str,
    *,
    convention: str | None = None,
    settings: Mapping[str, Number] | None = None,
    assume: Iterable[str] = (),
    scenario: Scenario = NOWHERE,
) -> Analysis:
    """Return the network of a spec in which one symbol is open.

    Args:
        spec: path of a YAML spec.
        symbol: the symbol that is open; the others have their defaults, or what is set or assumed.
        convention: what counts.
        settings: values of other symbols.
        assume: what else holds of the symbols, as ``w == h``.
        scenario: types of numbers and the device.

    Raises:
        SpecError: the spec or an option breaks a rule.
    """
    given = {name: to_rational(name, value) for name, value in (settings or {}).items()}
    architecture, assumed = with_past(load(fspath(spec)), scenario), tuple(assume)
    declared = architecture.header.symbols
    if symbol not in declared:
        hint = did_you_mean(symbol, declared) or f"the spec has {', '.join(declared) or 'none'}"
        raise SpecError(f"there is no symbol '{symbol}'", hint=hint)
    if symbol in given:
        raise SpecError(f"'{symbol}' is set; what is solved for is open")
    equal = read_assumptions(assumed, declared, {}).derived
    if symbol in equal:
        raise SpecError(f"'{symbol}' is assumed to equal another", hint="solve for that one")
    defaults = architecture.header.defaults.items()
    fixed = {name: value for name, value in defaults if name not in (symbol, *equal)}
    counts = convention_of(convention, architecture)
    return analyze_architecture(architecture, counts, {**fixed, **given}, assumed, scenario)


def solve(
    analysis: Analysis,
    symbol: str,
    constraints: Iterable[str],
    *,
    end: End | None = None,
    step: Number | None = None,
) -> tuple[Problem, Answer]:
    """Return the value of the symbol that is open in a network, with the problem that it solves.

    Args:
        analysis: the network (see `opened`).
        symbol: the symbol.
        constraints: comparisons of metrics and symbols, ``and`` between several.
        end: ``largest`` or ``smallest``; else the largest, or the smallest where the constraints
            hold from some value on.
        step: look at its multiples only.

    Raises:
        SpecError: a constraint or an option breaks a rule.
    """
    wanted = read_constraints(constraints, analysis)
    if not wanted:
        raise SpecError("nothing is asked for", hint='as in --where "macs <= 300e6"')
    asked = {name for constraint in wanted for name in constraint.metrics}
    for name in sorted(name for name in asked if METRICS[name].is_searched):
        cause = f"{name} is searched for at numbers: no law gives it at every value of {symbol}"
        hint = f"look at values: archcost sweep SPEC --vary {symbol}=… --metric {name}"
        raise SpecError(cause, hint=hint)
    size = None if step is None else positive("step", step)
    problem = Problem(analysis, symbol, wanted, "largest", size)
    problem = replace(problem, end=end or ("smallest" if problem.falls else "largest"))
    with budget(f"the values of {symbol}", analysis.propagation.largest_layer, TOO_MANY):
        return problem, Search(problem).answer()

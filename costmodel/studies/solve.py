"""The largest or smallest value of a symbol at which constraints hold.

The search is exact: over integers (or the multiples that the network allows) by bisection where
the form of the law proves that it rises or falls, else value by value; over real numbers by the
places where floors and roundings step. The answer comes with the numbers at it and beyond it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from archspec import SpecError, load
from archspec.architecture import Source
from archspec.arithmetic import Rational
from archspec.errors import did_you_mean
from costmodel.algebra.work import budget
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.constraints import read_constraints
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.analysis.number_format import plain_amount
from costmodel.analysis.standing import marked, scenario_fields, standing_notes
from costmodel.metrics.registry import BYTES, METRICS, Metric
from costmodel.network.assumptions import read_assumptions
from costmodel.rules.formula import show_decimal, show_number, show_quantity
from costmodel.scenario.scenario import with_past
from costmodel.scenario.settings import Number, positive
from costmodel.studies import question
from costmodel.studies.search import Answer, End, Evaluation, Problem, Search, Verdict

TOO_MANY = "look at fewer values: give a larger --step, or say in --where where the symbol ends"


def opened(spec: Source, symbol: str, setup: Setup = Setup()) -> Analysis:  # noqa: B008
    """Return the network of a spec in which one symbol is open.

    Args:
        spec: path of a YAML spec.
        symbol: the symbol that is open; the others have their defaults, or what is set or assumed.
        setup: what is said beside the spec.

    Raises:
        SpecError: the spec or an option breaks a rule.
    """
    given = setup.numbers
    architecture = with_past(load(spec), setup.scenario)
    declared = architecture.header.symbols
    if symbol not in declared:
        hint = did_you_mean(symbol, declared) or f"the spec has {', '.join(declared) or 'none'}"
        raise SpecError(f"there is no symbol '{symbol}'", hint=hint)
    if symbol in given:
        raise SpecError(f"'{symbol}' is set; what is solved for is open")
    equal = read_assumptions(setup.assume, declared, {}).derived
    if symbol in equal:
        raise SpecError(f"'{symbol}' is assumed to equal another", hint="solve for that one")
    defaults = architecture.header.defaults.items()
    fixed = {name: value for name, value in defaults if name not in (symbol, *equal)} | given
    return analyze_architecture(architecture, setup.at(fixed))


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
    requested = {name for constraint in wanted for name in constraint.metrics}
    for name in sorted(name for name in requested if METRICS[name].is_searched):
        cause = f"{name} is searched for at numbers: no law gives it at every value of {symbol}"
        hint = f"look at values: archcost sweep SPEC --vary {symbol}=… --metric {name}"
        raise SpecError(cause, hint=hint)
    size = None if step is None else positive("step", step)
    problem = Problem(analysis, symbol, wanted, "largest", size)
    problem = replace(problem, end=end or ("smallest" if problem.falls else "largest"))
    with budget(f"the values of {symbol}", analysis.propagation.largest_layer, TOO_MANY):
        return problem, Search(problem).answer()


@question(name="solve", group="Ask")
def ask(
    analysis: Analysis,
    /,
    *,
    for_: str,
    where: tuple[str, ...],
    largest: bool = False,
    smallest: bool = False,
    step: str | None = None,
) -> doc.Document:
    """Find the largest or smallest value of a symbol at which constraints hold; 1 if none does.

    Args:
        analysis: the network.
        for_: The symbol that is wanted.
        where: What is to hold, as 'macs <= 300e6' 'params <= 4e6'.
        largest: Ask for the largest value.
        smallest: Ask for the smallest value.
        step: of the symbol.

    Examples:
        archcost solve resnet50 --for h --where "macs <= 2G"
        archcost solve mcunet --for h --where "memory_peak <= 320 KiB" --dtype int8

    Raises:
        SpecError: a constraint or an option breaks a rule.
    """
    if largest and smallest:
        raise SpecError("--largest and --smallest are two questions", hint="ask one at a time")
    end: End | None = "largest" if largest else "smallest" if smallest else None
    problem, answer = solve(analysis, for_, where, end=end, step=step)
    held = " and ".join(dict.fromkeys(c.text for c in problem.constraints))
    made = doc.Document(
        title=f"{problem.analysis.graph.title}: the {answer.end} {problem.name} with {held}",
        blocks=lambda: iter([doc.entries((*summary(problem, answer), *standing(problem)))]),
        data=partial(data, problem, answer),
        holds=answer.verdict is not Verdict.INFEASIBLE,
    )
    return marked(made, [problem.analysis])


def summary(problem: Problem, answer: Answer) -> list[doc.Note]:
    """Return the answer as labels and what they stand for."""
    rows = [(problem.name, _value(answer)), *_samples(problem, answer)]
    rows.append(("searched", _searched(problem, answer)))
    notes = (("proved" if n.endswith("by its form") else "tried", n) for n in answer.notes)
    return [*rows, *notes]


def standing(problem: Problem) -> Iterator[doc.Note]:
    """Return what the answer stands on: the values of the other symbols, what counts."""
    at = ", ".join(f"{name} = {show_decimal(value)}" for name, value in _fixed(problem).items())
    return standing_notes(problem.analysis, at=at, conditions=(), metrics=_metrics(problem))


def _metrics(problem: Problem) -> Iterator[str]:
    """Yield the metrics that the constraints speak of."""
    yield from (name for constraint in problem.constraints for name in constraint.metrics)


def _fixed(problem: Problem) -> dict[str, Rational]:
    """Return the values of the other symbols."""
    analysis, open_ones = problem.analysis, {problem.name, *problem.analysis.assumed.derived}
    return {n: value for n, value in analysis.graph.values.items() if n not in open_ones}


def _value(answer: Answer) -> str:
    if answer.verdict is Verdict.INFEASIBLE:
        return "none: no value will do"
    if answer.verdict is Verdict.UNBOUNDED and answer.end == "smallest":
        return "unbounded: it goes on towards 0"
    if answer.verdict is Verdict.UNBOUNDED:
        return "unbounded: it goes on without end, beyond the value below, too"
    assert answer.value is not None
    shown = _number(answer.value)
    if answer.verdict is Verdict.OPEN:
        return f"{shown}, the {answer.end} that was tried"
    if answer.attained:
        return shown
    side = "below" if answer.end == "largest" else "above"
    return f"{side} {shown}: as near to it as one likes, not itself"


def _number(value: Rational) -> str:
    decimal = show_decimal(value)
    return decimal if "/" not in decimal else f"{decimal} ≈ {float(value):.6g}"


def _samples(problem: Problem, answer: Answer) -> list[tuple[str, str]]:
    both = (("there", answer.at), ("beyond it", answer.beyond))
    shown = [(label, _sample(problem, sample)) for label, sample in both if sample is not None]
    if answer.verdict is Verdict.FOUND and answer.beyond is None:
        shown.append(("beyond it", _nothing_beyond(problem, answer)))
    return shown


def _nothing_beyond(problem: Problem, answer: Answer) -> str:
    """Return the reason why no numbers are shown beyond a value."""
    assert answer.value is not None
    step = problem.domain.step or 0
    next_one = answer.value + (step if answer.end == "largest" else -step)
    if problem.domain.nearest(next_one) == answer.value:
        return f"{problem.name} goes no further"
    return f"no {problem.name} was found at which the network is valid"


def _sample(problem: Problem, sample: Evaluation) -> str:
    numbers = [f"{name} = {_count(METRICS[name], value)}" for name, value in sample.numbers.items()]
    at = f"at {problem.name} = {_number(sample.value)}"
    facts = f"{at}: {', '.join(numbers)}" if numbers else at
    return f"{facts}; breaks {' and '.join(sample.broken)}" if sample.broken else facts


def _count(metric: Metric, value: Rational) -> str:
    if metric.quantity is not None:
        return show_quantity(value, metric.quantity)
    shown = show_number(value) if isinstance(value, int) else _number(value)
    return f"{shown} bytes" if metric.unit == BYTES else shown


def _searched(problem: Problem, answer: Answer) -> str:
    low, high, _ = problem.domain
    ends = f"from {_number(low)} on" if high is None else f"from {_number(low)} to {_number(high)}"
    if answer.step is None:
        return f"all real values {ends}, by the places where the laws step"
    values = "integers" if answer.step == 1 else f"multiples of {_number(answer.step)}"
    return f"{values} {ends}"


def data(problem: Problem, answer: Answer) -> dict[str, Any]:
    """Return the answer as JSON has it."""
    analysis = problem.analysis
    return {
        "archcost": doc.VERSION,
        "name": analysis.graph.name,
        "variant": analysis.graph.variant,
        "for": problem.name,
        "where": [constraint.text for constraint in problem.constraints],
        "end": answer.end,
        "verdict": answer.verdict.value,
        "value": doc.plain_number(answer.value),
        "attained": answer.attained,
        "at": _plain_sample(answer.at),
        "beyond": _plain_sample(answer.beyond),
        "step": doc.plain_number(answer.step),
        "notes": list(answer.notes),
        "symbols": {name: doc.plain_number(value) for name, value in _fixed(problem).items()},
        "assumptions": list(analysis.assumed.texts),
        "convention": analysis.convention.name,
        **scenario_fields(analysis, _metrics(problem)),
    }


def _plain_sample(sample: Evaluation | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    numbers = {name: plain_amount(METRICS[name], value) for name, value in sample.numbers.items()}
    return {"value": doc.plain_number(sample.value), **numbers, "broken": list(sample.broken)}

"""The document of an answer: the value, the numbers there and beyond it, the proof."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from archspec.arithmetic import Rational
from costmodel.analysis.document import VERSION, Block, Document, Note, entries, plain_number
from costmodel.analysis.number_format import plain_amount
from costmodel.analysis.standing import scenario_fields, standing_notes
from costmodel.metrics.registry import METRICS, Metric
from costmodel.rules.formula import show_decimal, show_number, show_quantity
from costmodel.studies.problem import Answer, Problem, Sample, Verdict


def document(problem: Problem, answer: Answer) -> Document:
    """Return the document of an answer."""
    held = " and ".join(dict.fromkeys(c.text for c in problem.constraints))

    def blocks() -> Iterator[Block]:
        yield entries((*told(problem, answer), *standing(problem)))

    return Document(
        title=f"{problem.analysis.graph.name}: the {answer.end} {problem.name} with {held}",
        blocks=blocks,
        data=partial(data, problem, answer),
    )


def told(problem: Problem, answer: Answer) -> list[Note]:
    """Return the answer as labels and what they stand for."""
    rows = [(problem.name, _value(answer)), *_samples(problem, answer)]
    rows.append(("searched", _searched(problem, answer)))
    notes = (("proved" if n.endswith("by its form") else "tried", n) for n in answer.notes)
    return [*rows, *notes]


def standing(problem: Problem) -> Iterator[Note]:
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


def _sample(problem: Problem, sample: Sample) -> str:
    numbers = [f"{name} = {_count(METRICS[name], value)}" for name, value in sample.numbers.items()]
    at = f"at {problem.name} = {_number(sample.value)}"
    facts = f"{at}: {', '.join(numbers)}" if numbers else at
    return f"{facts}; breaks {' and '.join(sample.broken)}" if sample.broken else facts


def _count(metric: Metric, value: Rational) -> str:
    if metric.quantity is not None:
        return show_quantity(value, metric.quantity)
    return show_number(value) if isinstance(value, int) else _number(value)


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
        "archcost": VERSION,
        "name": analysis.graph.name,
        "variant": analysis.graph.variant,
        "for": problem.name,
        "where": [constraint.text for constraint in problem.constraints],
        "end": answer.end,
        "verdict": answer.verdict.value,
        "value": plain_number(answer.value),
        "attained": answer.attained,
        "at": _plain_sample(answer.at),
        "beyond": _plain_sample(answer.beyond),
        "step": plain_number(answer.step),
        "notes": list(answer.notes),
        "symbols": {name: plain_number(value) for name, value in _fixed(problem).items()},
        "assumptions": list(analysis.assumed.texts),
        "convention": analysis.convention.name,
        **scenario_fields(analysis, _metrics(problem)),
    }


def _plain_sample(sample: Sample | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    numbers = {name: plain_amount(METRICS[name], value) for name, value in sample.numbers.items()}
    return {"value": plain_number(sample.value), **numbers, "broken": list(sample.broken)}

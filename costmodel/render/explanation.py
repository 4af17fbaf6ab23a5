"""An explanation for the terminal: one line per step, ``name = rule = numbers = value``."""

from collections.abc import Iterable, Iterator

from costmodel.analysis import Analysis
from costmodel.explain import Explanation
from costmodel.formula import Step
from costmodel.render.scenario import scenario_notes
from costmodel.scenario import NOWHERE


def render(analysis: Analysis, explanations: Iterable[Explanation]) -> str:
    """The steps of every layer, below its shapes."""
    head = f"{analysis.graph.name}, convention {analysis.convention}"
    if analysis.scenario != NOWHERE:
        head += "".join(f"\n{label}: {note}" for label, note in scenario_notes(analysis))
    blocks = ["\n".join(_block(explanation)) for explanation in explanations]
    return "\n\n".join([head, *blocks]) + "\n"


def _block(explanation: Explanation) -> Iterator[str]:
    yield f"{explanation.name}  {explanation.shapes}"
    width = max(len(step.name) for step in explanation.steps)
    for step in explanation.steps:
        yield f"  {step.name:<{width}} = {_chain(step)}"


def _chain(step: Step) -> str:
    parts = [step.rule, step.numbers, step.value]
    return " = ".join(part for i, part in enumerate(parts) if part and part not in parts[:i])

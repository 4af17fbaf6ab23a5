"""An explanation for the terminal: one line per step, ``name = rule = numbers = value``."""

from collections.abc import Iterable, Iterator

from costmodel.analysis import Analysis
from costmodel.explain import Explanation, Step


def render(analysis: Analysis, explanations: Iterable[Explanation]) -> str:
    """The steps of every layer, below its shapes."""
    head = f"{analysis.graph.name}, convention {analysis.convention}"
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

"""An explanation for the terminal: one line per step, ``name = rule = numbers = value``."""

from collections.abc import Iterable, Iterator

from rich.console import Console

from costmodel.analysis.analysis import Analysis
from costmodel.render.terminal import drawn, entries, styled
from costmodel.rules.formula import Step
from costmodel.studies.explain import Explanation
from costmodel.studies.report import Report


def render(analysis: Analysis, explanations: Iterable[Explanation]) -> str:
    """The steps of every layer, below its shapes, then what the numbers stand on."""

    def draw(console: Console) -> None:
        console.print(styled(analysis.graph.name, "bold"))
        for explanation in explanations:
            console.print()
            console.print(f"{explanation.name}  {explanation.shapes}", soft_wrap=True)
            for line in _lines(explanation):
                console.print(line, soft_wrap=True)
        console.print()
        entries(Report(analysis).standing, console)

    return drawn(draw)


def _lines(explanation: Explanation) -> Iterator[str]:
    width = max(len(step.name) for step in explanation.steps)
    return (f"  {step.name:<{width}} = {_chain(step)}" for step in explanation.steps)


def _chain(step: Step) -> str:
    parts = [step.rule, step.numbers, step.value]
    return " = ".join(part for i, part in enumerate(parts) if part and part not in parts[:i])

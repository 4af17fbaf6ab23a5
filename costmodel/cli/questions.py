"""The command that finds the value of a symbol at which constraints hold."""

from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.cli.options import NOTHING_GIVEN, Format, Given, Spec, Step, require_values

Wanted = Annotated[str, Parameter(help="The symbol that is wanted.")]
Constraints = Annotated[
    list[str],
    Parameter(
        help="What is to hold, as 'macs <= 300e6' 'params <= 4e6'.",
    ),
]


def solve(
    spec: Spec,
    /,
    *,
    for_: Wanted,
    where: Constraints,
    largest: Annotated[bool, Parameter(help="Ask for the largest value.")] = False,
    smallest: Annotated[bool, Parameter(help="Ask for the smallest value.")] = False,
    step: Step = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> int:
    """Find the largest or smallest value of a symbol at which constraints hold; 1 if none does."""
    from costmodel.render import find_renderer
    from costmodel.studies.problem import End, Verdict
    from costmodel.studies.solve import solve as answer_of
    from costmodel.studies.solve_document import document

    if largest and smallest:
        raise SpecError("--largest and --smallest are two questions", hint="ask one at a time")
    require_values("--where", where)
    render = find_renderer(format)
    end: End | None = "largest" if largest else "smallest" if smallest else None
    problem, answer = answer_of(given.opened(spec, for_), for_, where, end=end, step=step)
    print(render(document(problem, answer)), end="")
    return int(answer.verdict is Verdict.INFEASIBLE)

"""Commands about what a network takes of a device: energy, and memory."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.cli.memory import Order
from costmodel.cli.options import (
    ALL_STORED,
    NOTHING_GIVEN,
    Depth,
    Given,
    Spec,
    Stored,
    Symbolic,
    ViewFormat,
    require_depth,
)

if TYPE_CHECKING:
    from costmodel.metrics import Order as Layers


def energy(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    depth: Depth = None,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show the energy of arithmetic and of moving data, layer by layer, and where bytes lie."""
    from costmodel.render.energy import find_renderer, metrics_of
    from costmodel.report import Report

    render = find_renderer(format)
    _device("energy", given)
    require_depth(depth)
    shown = given.worked_out(
        spec,
        lambda analysis: render(Report(analysis, metrics_of(analysis), symbolic, depth)),
        laws=symbolic or format == "json",
    )
    print(shown, end="")


def fit(
    spec: Spec,
    /,
    *,
    for_: Annotated[
        str | None, Parameter(name="--for", help="Find the largest value of a symbol that fits.")
    ] = None,
    order: Order = "given",
    format: ViewFormat = "table",  # noqa: A002 - the option's name
    given: Stored = ALL_STORED,
) -> int:
    """Show whether a network fits a device, and where not; exit status 1 if not.

    What lies there are weights and activations, the cache with ``--past``, and with
    ``--optimizer`` all that a step of training keeps.
    """
    from costmodel.fit import find_order
    from costmodel.fit import fit as verdict
    from costmodel.render.fit import find_views
    from costmodel.report import Report

    views = find_views(format)
    chosen = find_order(order, given.scenario)
    _device("what fits", given)
    if for_ is not None:
        return _largest(spec, for_, chosen, format, given)
    analysis, found = given.worked_out(
        spec, lambda each: (each, verdict(each, order=chosen)), laws=False
    )
    print(views.verdict(Report(analysis, found.metrics), found), end="")
    return int(not found.fits)


def _device(what: str, given: Given) -> None:
    """A device is given.

    Raises:
        SpecError: none is given.
    """
    if given.scenario.device is None:
        hint = "name one with --hardware; archcost hardware lists them"
        raise SpecError(f"{what} depends on the device, and none is given", hint=hint)


def _largest(spec: str, name: str, order: "Layers", view: str, given: Given) -> int:
    """The largest value of a symbol at which a network fits; 1 if there is none."""
    from costmodel.fit import fit as verdict
    from costmodel.fit import memories
    from costmodel.questions import Verdict
    from costmodel.render.fit import Solved, find_views
    from costmodel.solve import ask_of, opened

    analysis = opened(
        spec,
        name,
        convention=given.convention,
        settings=given.fixed,
        assume=given.assumed,
        scenario=given.scenario,
    )
    constraints = [memory.constraint for memory in memories(analysis, order)]
    question, answer = ask_of(analysis, name, constraints, end="largest")
    there = None
    if answer.at is not None:
        there = verdict(analysis, analysis.laws_at({name: answer.at.value}), order)
    print(find_views(view).solved(Solved(question, answer, there)), end="")
    return int(answer.verdict is Verdict.INFEASIBLE)

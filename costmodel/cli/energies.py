"""Commands about what a network takes of a device: energy, and memory."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Format,
    Given,
    Order,
    Spec,
    Symbolic,
    require_depth,
)

if TYPE_CHECKING:
    from costmodel.metrics.memory_peak import Order as Layers
    from costmodel.render import Renderer


def energy(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    depth: Depth = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show the energy of arithmetic and of moving data, layer by layer, and where bytes lie."""
    from costmodel.render import find_renderer
    from costmodel.studies.energy_document import document, metrics_of
    from costmodel.studies.report import Report

    render = find_renderer(format)
    given.scenario.device_for("energy")
    require_depth(depth)
    shown = given.worked_out(
        spec,
        lambda analysis: render(document(Report(analysis, metrics_of(analysis), symbolic, depth))),
        laws=symbolic or format == "json",
    )
    print(shown, end="")


def fit(
    spec: Spec,
    /,
    *,
    for_: Annotated[
        str | None, Parameter(help="Find the largest value of a symbol that fits.")
    ] = None,
    order: Order = "given",
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> int:
    """Show whether a network fits a device, and where not; exit status 1 if not.

    What lies there are weights and activations, the cache with ``--past``, and with
    ``--optimizer`` all that a step of training keeps.
    """
    from costmodel.render import find_renderer
    from costmodel.studies.fit import find_order
    from costmodel.studies.fit import fit as verdict
    from costmodel.studies.fit_document import document
    from costmodel.studies.report import Report

    render = find_renderer(format)
    chosen = find_order(order, given.scenario)
    given.scenario.device_for("what fits")
    if for_ is not None:
        return _largest(spec, for_, chosen, render, given)
    analysis, found = given.worked_out(
        spec, lambda each: (each, verdict(each, order=chosen)), laws=False
    )
    print(render(document(Report(analysis, found.metrics), found)), end="")
    return int(not found.fits)


def _largest(spec: str, name: str, order: "Layers", render: "Renderer", given: Given) -> int:
    """The largest value of a symbol at which a network fits; 1 if there is none."""
    from costmodel.studies.fit import fit as verdict
    from costmodel.studies.fit import memories
    from costmodel.studies.fit_document import solved
    from costmodel.studies.problem import Verdict
    from costmodel.studies.solve import solve

    analysis = given.opened(spec, name)
    constraints = [memory.constraint for memory in memories(analysis, order)]
    problem, answer = solve(analysis, name, constraints, end="largest")
    there = None
    if answer.at is not None:
        there = verdict(analysis, analysis.laws_at({name: answer.at.value}), order)
    print(render(solved(problem, answer, there)), end="")
    return int(answer.verdict is Verdict.INFEASIBLE)

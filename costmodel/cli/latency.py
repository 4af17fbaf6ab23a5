"""The command that shows how long a network takes at least on a device."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Format,
    Given,
    PlotFile,
    Spec,
    Step,
    Symbolic,
    require_depth,
)
from costmodel.render.plots import Drawing

if TYPE_CHECKING:
    from costmodel.analysis.analysis import Analysis
    from costmodel.scenario.scenario import Scenario
    from costmodel.studies.crossover import Crossovers

Open = Annotated[
    str | None,
    Parameter(help="Show over which values of a symbol each layer is bound by what."),
]


def latency(
    spec: Spec,
    /,
    *,
    for_: Open = None,
    step: Step = None,
    plot: PlotFile = None,
    symbolic: Symbolic = False,
    depth: Depth = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> Drawing | None:
    """Show how long every layer takes at least, and whether operations or memory bound it."""
    from costmodel.render import find_renderer
    from costmodel.render.plots import require_plot
    from costmodel.render.roofline import draw
    from costmodel.studies.roofline import Roofline
    from costmodel.studies.roofline_document import crossings, document

    render = find_renderer(format)
    require_sense(for_, step, depth, given.scenario, symbolic=symbolic)
    if plot is not None:
        require_plot(plot)
    if for_ is not None:
        found = crossovers(spec, for_, step, given)
        roofline = Roofline(found.analysis, depth)
        shown = render(crossings(roofline, found))
    else:
        laws = symbolic or format == "json"
        roofline = Roofline(analysis_of(spec, given, laws=laws), depth)
        shown = render(document(roofline, symbolic=symbolic))
    drawing = None if plot is None else draw(roofline, plot)
    print(shown, end="")
    return drawing


def analysis_of(spec: str, given: Given, *, laws: bool) -> "Analysis":
    """The network; all in numbers where these suffice and its latency has no law.

    Raises:
        SpecError: the spec or what is given breaks a rule, or the device lacks a figure.
    """

    def valued(analysis: "Analysis") -> "Analysis":
        if not laws:
            analysis.value("latency")
        return analysis

    return given.worked_out(spec, valued, laws=laws)


def require_sense(
    name: str | None, step: str | None, depth: int | None, scenario: "Scenario", *, symbolic: bool
) -> None:
    """The options go together.

    Raises:
        SpecError: they do not.
    """
    scenario.device_for("latency")
    if name is not None and symbolic:
        raise SpecError("--for and --symbolic are two views", hint="ask one at a time")
    if step is not None and name is None:
        raise SpecError("--step is of a symbol", hint="name one with --for")
    require_depth(depth)


def crossovers(spec: str, name: str, step: str | None, given: Given) -> "Crossovers":
    """The network with one symbol open, and what bounds its layers over that symbol's values."""
    from costmodel.scenario.settings import positive
    from costmodel.studies.crossover import Crossovers

    analysis = given.opened(spec, name)
    return Crossovers(analysis, name, None if step is None else positive("step", step))

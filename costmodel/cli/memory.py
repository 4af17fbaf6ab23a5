"""The command that shows what is in memory layer by layer."""

from typing import TYPE_CHECKING

from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Format,
    Given,
    Order,
    PlotFile,
    Spec,
    Symbolic,
    require_depth,
)
from costmodel.render.plots import Drawing

if TYPE_CHECKING:
    from costmodel.analysis.analysis import Analysis


def memory(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    depth: Depth = None,
    order: Order = "given",
    plot: PlotFile = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> Drawing | None:
    """Show what is in memory while each layer works, as bars; with --plot, as a figure."""
    from costmodel.render import find_renderer
    from costmodel.render.memory_plot import draw
    from costmodel.render.plots import require_plot
    from costmodel.studies.profile import MemoryProfile
    from costmodel.studies.profile_document import document

    render = find_renderer(format)
    require_depth(depth)
    if plot is not None:
        require_plot(plot)

    def show(analysis: "Analysis") -> tuple[str, Drawing | None]:
        profile = MemoryProfile(analysis, order=order, symbolic=symbolic, depth=depth)
        return render(document(profile)), None if plot is None else draw(profile, plot)

    shown, drawing = given.worked_out(spec, show, laws=symbolic or format == "json")
    print(shown, end="")
    return drawing

"""The command that shows what is in memory layer by layer."""

from typing import Annotated

from cyclopts import Parameter

from costmodel.cli.app import app
from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Given,
    Spec,
    Symbolic,
    ViewFormat,
    require_depth,
)

PlotFile = Annotated[
    str | None, Parameter(help="Draw it into a file: its end is .svg, .png or .pdf.")
]


Order = Annotated[
    str, Parameter(help="The order of the layers: given, or best, which needs the least memory.")
]


@app.command
def memory(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    depth: Depth = None,
    order: Order = "given",
    plot: PlotFile = None,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show what is in memory while each layer works, as bars; with --plot, as a figure."""
    from costmodel.profile import Profile
    from costmodel.render.memory import find_renderer

    render = find_renderer(format)
    require_depth(depth)
    analysis = given.analysis(spec, numbers_suffice=not symbolic and format != "json")
    profile = Profile(analysis, order=order, symbolic=symbolic, depth=depth)
    if plot is not None:
        from costmodel.render.memory_plot import draw

        draw(profile, plot)
    print(render(profile), end="")

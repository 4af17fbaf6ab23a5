"""Commands about what a network takes of a device: energy, and memory."""

from archspec.errors import SpecError
from costmodel.cli.app import app
from costmodel.cli.options import NOTHING_GIVEN, Depth, Given, Spec, Symbolic, ViewFormat


@app.command
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
    from costmodel.render.energy import METRICS, find_renderer
    from costmodel.report import Report

    render = find_renderer(format)
    if given.hardware is None:
        hint = "name one with --hardware; archcost hardware lists them"
        raise SpecError("energy depends on the device, and none is given", hint=hint)
    if depth is not None and depth < 0:
        raise SpecError(f"--depth {depth} opens less than nothing", hint="0 shows the outermost")
    analysis = given.analysis(spec, numbers_suffice=not symbolic and format != "json")
    print(render(Report(analysis, METRICS, symbolic, depth)), end="")

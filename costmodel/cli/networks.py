"""Commands that show what a network costs, and how its numbers come to be."""

from typing import Annotated

from cyclopts import Parameter

from costmodel.cli.app import app
from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Given,
    Metrics,
    Spec,
    Symbolic,
    chosen,
    require_depth,
)

Format = Annotated[
    str,
    Parameter(help="How to show it: table, json, csv, markdown, latex, python, c or javascript."),
]
SensitivityFormat = Annotated[str, Parameter(help="How to show it: table, json or markdown.")]


@app.default
def report(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    metric: Metrics = None,
    depth: Depth = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show what every layer and the whole network cost."""
    from costmodel.render import find_renderer
    from costmodel.report import Report

    render, metrics = find_renderer(format), chosen(metric)
    require_depth(depth)
    analysis = given.analysis(spec, numbers_suffice=not symbolic and format != "json")
    print(render(Report(analysis, metrics, symbolic, depth)), end="")


@app.command
def explain(
    spec: Spec,
    layer: Annotated[str | None, Parameter(help="A layer, or all of a kind.")] = None,
    /,
    *,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show how every number comes to be: formula, numbers put in, value."""
    from costmodel.explain import explain as explanations
    from costmodel.render.explanation import render

    analysis = given.analysis(spec, numbers_suffice=True)
    print(render(analysis, explanations(analysis, layer)), end="")


@app.command
def sensitivity(
    spec: Spec,
    /,
    *,
    metric: Metrics = None,
    format: SensitivityFormat = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show how the metrics react to each symbol: order, derivative, +1 %, twice the value."""
    from costmodel.render.sensitivity import find_renderer
    from costmodel.sensitivity import Sensitivity

    render, metrics = find_renderer(format), chosen(metric)
    analysis = given.analysis(spec, numbers_suffice=False)
    print(render(Sensitivity(analysis, metrics)), end="")

"""Commands that show what a network costs, and how its numbers come to be."""

from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.cli.misuse import require_files
from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Format,
    Given,
    Metrics,
    Specs,
    Symbolic,
    chosen,
    require_depth,
)
from costmodel.cli.tables import PLAIN, Layout, require_one, table


def report(
    spec: Specs,
    /,
    *,
    symbolic: Symbolic = False,
    metric: Metrics = None,
    depth: Depth = None,
    format: Format = "table",  # noqa: A002 - the option's name
    layout: Layout = PLAIN,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show what every layer and the whole network cost; of several networks, a row for each."""
    from costmodel.network.networks import names_several
    from costmodel.render import find_renderer
    from costmodel.studies.report import Report
    from costmodel.studies.report_document import document

    require_files(spec)
    if names_several(spec):
        if depth is not None:
            raise SpecError("--depth is of one network, and these are several")
        table(spec, symbolic=symbolic, metric=metric, format=format, layout=layout, given=given)
        return
    require_one(layout)
    metrics, render = chosen(metric), find_renderer(format)
    require_depth(depth)

    def show(analysis: Analysis) -> str:
        return render(document(Report(analysis, metrics, symbolic, depth)))

    print(given.worked_out(spec[0], show, laws=symbolic or format == "json"), end="")

"""Commands that show what a network costs, and how its numbers come to be."""

from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.cli.misuse import require_files
from costmodel.cli.options import (
    NOTHING_GIVEN,
    Depth,
    Given,
    Metrics,
    Specs,
    Symbolic,
    chosen,
    require_depth,
)
from costmodel.cli.tables import PLAIN, Layout, print_table, require_one

Format = Annotated[
    str,
    Parameter(
        help="How to show it: table, json, csv, markdown or latex; one network also as python, c "
        "or javascript, several also as rst."
    ),
]


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

    require_files(spec)
    if not names_several(spec):
        require_one(layout)
        _print_report(spec[0], chosen(metric), depth, given, format=format, symbolic=symbolic)
    elif depth is not None:
        raise SpecError("--depth is of one network, and these are several")
    else:
        print_table(spec, chosen(metric), layout, given, format=format, symbolic=symbolic)


def _print_report(
    spec: str,
    metrics: tuple[str, ...],
    depth: int | None,
    given: Given,
    *,
    format: str,  # noqa: A002 - the option's name
    symbolic: bool,
) -> None:
    """Print the report of one network."""
    from costmodel.render import find_renderer
    from costmodel.studies.report import Report
    from costmodel.studies.report_document import document

    render = find_renderer(format)
    require_depth(depth)
    laws = symbolic or format == "json"

    def show(analysis: Analysis) -> str:
        return render(document(Report(analysis, metrics, symbolic, depth)))

    print(given.worked_out(spec, show, laws=laws), end="")

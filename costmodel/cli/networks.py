"""Commands that show what a network costs, and how its numbers come to be."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.cli.misuse import require_files
from costmodel.cli.options import (
    NOTHING_GIVEN,
    UNFRAMED,
    WHOLE,
    Depth,
    Format,
    Metrics,
    NetworkOptions,
    PageOptions,
    Specs,
    Symbolic,
    chosen,
    options,
    require_depth,
    require_values,
)
from costmodel.cli.plain import worked_out
from costmodel.cli.tables import PLAIN, Layout, require_one, table

if TYPE_CHECKING:
    from costmodel.studies.report import Report


@options
@dataclass(frozen=True)
class TopLayers:
    """The layers that are shown of a network.

    Attributes:
        top: Show so many layers, those that have most of --by, and all others in one line.
        by: The metric of which they have most: macs, if nothing is said.
        hide: Leave out layers by kind, name or pattern, as relu 'batchnorm*'; totals keep them.
        only: Show these alone, by kind, name or pattern, as 'conv*' linear.
    """

    top: Annotated[int | None, WHOLE] = None
    by: str | None = None
    hide: list[str] | None = None
    only: list[str] | None = None

    def __post_init__(self) -> None:
        require_values("--hide", self.hide)
        require_values("--only", self.only)
        if self.top is None and self.by is not None:
            raise SpecError(f"--by {self.by} ranks layers", hint=f"as in --top 5 --by {self.by}")
        if self.top is not None and self.top < 1:
            raise SpecError(
                f"--top {self.top} shows no layer", hint="--top 5 shows the five largest"
            )


UNRANKED = TopLayers()
"""All layers in their order."""


def report(
    spec: Specs,
    /,
    *,
    symbolic: Symbolic = False,
    metric: Metrics = None,
    depth: Depth = None,
    ranking: TopLayers = UNRANKED,
    format: Format = "table",  # noqa: A002 - the option's name
    framing: PageOptions = UNFRAMED,
    layout: Layout = PLAIN,
    given: NetworkOptions = NOTHING_GIVEN,
) -> None:
    """Show what every layer and the whole network cost; of several networks, a row for each."""
    from costmodel.network.networks import names_several

    require_files(spec)
    if not names_several(spec):
        require_one(layout)
        require_depth(depth)

        def shown(analysis: Analysis) -> "Report":
            from costmodel.studies.measures import parted
            from costmodel.studies.report import Report, columns_like

            by = ranking.by or "macs"
            patterns = tuple(ranking.hide or ()), tuple(ranking.only or ())
            metrics, asked = parted(chosen(metric, given))
            choice = metrics, symbolic, depth, ranking.top, by
            before = columns_like(layout.columns or ("layer", "shape"))
            return Report(analysis, *choice, *patterns, before, asked, layout.numbers)

        _print_report(spec[0], shown, given, format, framing, symbolic=symbolic)
        return
    _require_unranked(depth, ranking)
    shared = partial(table, format=format, framing=framing, layout=layout, given=given)
    shared(spec, symbolic=symbolic, metric=metric)


def _require_unranked(depth: int | None, ranking: TopLayers) -> None:
    """Make sure that nothing is asked of several networks that one alone has."""
    if depth is not None or ranking != UNRANKED:
        given = (name for name, value in vars(ranking).items() if value is not None)
        option = next(given, "depth")
        raise SpecError(f"--{option} is of one network, and these are several")


def _print_report(
    spec: str,
    shown: "Callable[[Analysis], Report]",
    given: NetworkOptions,
    form: str,
    framing: PageOptions,
    *,
    symbolic: bool,
) -> None:
    """Print the report of one network."""
    from costmodel.render import find_renderer
    from costmodel.studies.report_document import document

    render = find_renderer(form)

    def made(analysis: Analysis) -> str:
        return render(framing.around(document(shown(analysis)), form))

    print(worked_out(spec, made, given.setup, symbolic=symbolic or form == "json"), end="")

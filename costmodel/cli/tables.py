"""The command that shows networks one below the other, and the options of its table."""

from dataclasses import dataclass
from typing import Annotated

from archspec.errors import SpecError
from costmodel.cli.options import (
    NOTHING_GIVEN,
    UNFRAMED,
    WHOLE,
    Format,
    Framing,
    Given,
    Metrics,
    Specs,
    Symbolic,
    chosen,
    options,
    require_values,
)


@options
@dataclass(frozen=True)
class Layout:
    """The looks of a table of networks.

    Attributes:
        columns: What stands before the metrics: name, variant, spec, source, input, a symbol.
        unit: Show a metric in a unit, as macs=M memory_peak=MiB.
        digits: Digits after the point of numbers with a unit; else 2.
        sort: Columns to sort by, as macs, or macs:desc; else as they come.
    """

    columns: list[str] | None = None
    unit: list[str] | None = None
    digits: Annotated[int | None, WHOLE] = None
    sort: list[str] | None = None


PLAIN = Layout()
"""Names and metrics in full, in the order of the specs."""


def require_one(layout: Layout) -> None:
    """Make sure that no option is of a table of networks where only one network is shown.

    Raises:
        SpecError: one is.
    """
    for name, value in vars(layout).items():
        if value != getattr(PLAIN, name):
            raise SpecError(
                f"--{name} is of a table of networks, and this is one network",
                hint="archcost table SPEC has a row for it",
            )


def table(
    specs: Specs,
    /,
    *,
    symbolic: Symbolic = False,
    metric: Metrics = None,
    format: Format = "table",  # noqa: A002 - the option's name
    framing: Framing = UNFRAMED,
    layout: Layout = PLAIN,
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show networks one below the other, a row for each: specs/*.yaml, or PATH@* for variants.

    Examples:
        archcost table resnet18 resnet50 --metric params macs --unit params=M macs=G
        archcost table 'resnet@*' --sort macs --format markdown
    """
    from costmodel.render import find_renderer
    from costmodel.studies.tabulation import TableOptions, tabulate

    render = find_renderer(format)
    for name in ("columns", "unit", "sort"):
        require_values(f"--{name}", getattr(layout, name))
    columns, units, sort = (
        tuple(each or ()) for each in (layout.columns, layout.unit, layout.sort)
    )
    choice = TableOptions(chosen(metric), columns, units, sort, layout.digits, framing.caption)
    made = tabulate(specs, choice, given.setup, symbolic=symbolic).document
    print(render(framing.around(made, format)), end="")

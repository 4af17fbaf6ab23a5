"""The command that shows networks one below the other, and the options of its table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archspec.errors import SpecError
from costmodel.cli.options import (
    NOTHING_GIVEN,
    UNFRAMED,
    Format,
    Metrics,
    NetworkOptions,
    PageOptions,
    Specs,
    Symbolic,
    chosen,
    options,
    require_values,
)
from costmodel.scenario.settings import to_rational

if TYPE_CHECKING:
    from costmodel.studies.units import NumberForms


@options
@dataclass(frozen=True)
class Layout:
    """The looks of a table of networks.

    Attributes:
        columns: What stands before the metrics: name, variant, spec, source, input, a symbol;
            of one network layer, description, kind, path, shape.
        unit: Show a metric in a unit, as macs=M memory_peak=MiB.
        digits: Digits after the point of numbers with a unit and of expressions, or those of a
            column, as macs=1; else 2.
        sort: Columns to sort by, as macs, or macs:desc; else as they come.
        total: A last row with the sums.
        mean: A last row with the means.
        transpose: Networks as columns.
        links: The address that names lead to, as 'specs/{name}.md'; also {variant}, {spec}.
    """

    columns: list[str] | None = None
    unit: list[str] | None = None
    digits: list[str] | None = None
    sort: list[str] | None = None
    total: bool = False
    mean: bool = False
    transpose: bool = False
    links: str = ""

    @property
    def last(self) -> tuple[str, ...]:
        """The last rows."""
        return ("total",) * self.total + ("mean",) * self.mean

    @property
    def numbers(self) -> "NumberForms":
        """The units and digits of columns."""
        from costmodel.studies.units import NumberForms

        require_values("--unit", self.unit)
        require_values("--digits", self.digits)
        of_all = [text for text in self.digits or () if "=" not in text]
        if len(of_all) > 1:
            raise SpecError(f"--digits {' '.join(of_all)}: one is of all columns")
        number = to_rational("--digits", of_all[0]) if of_all else None
        if not (number is None or isinstance(number, int)):
            raise SpecError(f"--digits {of_all[0]} is no number of digits", hint="0 to 30")
        single = tuple(text for text in self.digits or () if "=" in text)
        return NumberForms(tuple(self.unit or ()), number, single)


OF_ONE = ("columns", "unit", "digits")
"""The options of a table that one network's has, too."""

PLAIN = Layout()
"""Names and metrics in full, in the order of the specs."""


def require_one(layout: Layout) -> None:
    """Make sure that no option is of a table of networks where only one network is shown.

    Raises:
        SpecError: one is.
    """
    for name, value in vars(layout).items():
        if name not in OF_ONE and value != getattr(PLAIN, name):
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
    framing: PageOptions = UNFRAMED,
    layout: Layout = PLAIN,
    given: NetworkOptions = NOTHING_GIVEN,
) -> None:
    """Show networks one below the other, a row for each: specs/*.yaml, or PATH@* for variants.

    Examples:
        archcost table resnet18 resnet50 --metric params macs --unit params=M macs=G
        archcost table 'resnet@*' --sort macs --format markdown
    """
    from costmodel.render import find_renderer
    from costmodel.studies.tabulation import TableOptions, tabulate

    render = find_renderer(format)
    for name in ("columns", "sort"):
        require_values(f"--{name}", getattr(layout, name))
    columns, sort = tuple(layout.columns or ()), tuple(layout.sort or ())
    choice = TableOptions(
        *(chosen(metric, given), columns, layout.numbers, sort, framing.caption),
        *(layout.last, layout.transpose, layout.links),
    )
    made = tabulate(specs, choice, given.setup, symbolic=symbolic).document
    print(render(framing.around(made, format)), end="")

"""One number of a network, as it stands within a sentence."""

from collections.abc import Iterator
from typing import Any

from archspec.errors import SpecError
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.number_format import plain_amount, show_amount
from costmodel.metrics.registry import find_metric
from costmodel.studies import question
from costmodel.studies.tabulation import DIGITS, find_unit, in_unit


@question(name="value", group="Look at a network")
def document(
    analysis: Analysis,
    *,
    metric: tuple[str, ...] = (),
    unit: str | None = None,
    digits: int | None = None,
) -> doc.Document:
    """Show one number alone, for a sentence.

    Args:
        analysis: the network.
        metric: the metric.
        unit: The unit of the number, which is not shown, as M or MiB.
        digits: Digits after the point of a number in a unit; else 2.

    Examples:
        archcost value resnet50 --metric params --unit M --digits 1
        archcost value mobilenet_v2 --metric macs --set width=0.5

    Raises:
        SpecError: there is not one metric, or no such unit.
    """
    if len(metric) != 1:
        raise SpecError("a value is of one metric", hint="as in --metric params")
    if digits is not None and (unit is None or not 0 <= digits <= 30):
        hint = "as in --unit M --digits 1; 0 to 30 digits"
        raise SpecError(f"--digits {digits} is of a number in a unit", hint=hint)
    asked = find_metric(metric[0])
    number = analysis.value(asked.name)
    shown = show_amount(asked, number)
    if unit is not None:
        places = DIGITS if digits is None else digits
        shown = in_unit(number, find_unit(asked, unit), places, grouped=True)

    def blocks() -> Iterator[doc.Block]:
        yield doc.Line(shown)

    def data() -> dict[str, Any]:
        amount = plain_amount(asked, number)
        return {"archcost": doc.VERSION, "metric": asked.name, "value": amount, "shown": shown}

    rows = ((asked.name, number),)
    columns = doc.Column("metric", "metric"), doc.Column("value", "value", doc.EXACT)
    return doc.Document("", blocks, data, rows=lambda: doc.table_of(columns, rows))

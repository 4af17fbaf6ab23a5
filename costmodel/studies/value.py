"""One number of a network, as it stands within a sentence."""

from collections.abc import Iterator

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.number_format import plain_amount, show_amount
from costmodel.analysis.standing import marked
from costmodel.studies import question
from costmodel.studies.measures import Measured, measured
from costmodel.studies.units import DIGITS, MOST_DIGITS, ONE, find_unit, in_unit

COLUMNS = (doc.Column("metric", "metric"), doc.Column("value", "value", doc.EXACT))


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
        metric: the metric, or an expression as macs/params.
        unit: The unit of the number, which is not shown, as M or MiB.
        digits: Digits after the point of a number in a unit, or of an expression; else 2.

    Examples:
        archcost value resnet50 --metric params --unit M --digits 1
        archcost value mobilenet_v2 --metric macs --set width=0.5
        archcost value alexnet --metric macs/params --digits 1

    Raises:
        SpecError: there is not one metric, or no such unit.
    """
    if len(metric) != 1:
        raise SpecError("a value is of one metric", hint="as in --metric params")
    asked = measured(metric[0])
    number = asked.value(analysis.value)
    if number is None:
        raise SpecError(f"{asked.name} is none: it is divided by 0")
    shown = _shown(asked, number, unit, digits)

    amount = plain_amount(asked.metric, number) if asked.metric else doc.plain_number(number)
    data = {"archcost": doc.VERSION, "metric": asked.name, "value": amount, "shown": shown}

    def blocks() -> Iterator[doc.Block]:
        yield doc.Line(shown)

    table = doc.table_of(COLUMNS, [(asked.name, number)])
    made = doc.Document("", blocks, lambda: data, rows=lambda: table)
    return marked(made, [analysis])


def _shown(asked: Measured, number: Rational, unit: str | None, digits: int | None) -> str:
    """Return a number as a sentence has it: in full, or in a unit that the sentence names."""
    metric = asked.metric
    is_whole = unit is None and metric is not None
    if digits is not None and (is_whole or not 0 <= digits <= MOST_DIGITS):
        hint = "as in --unit M --digits 1; 0 to 30 digits"
        raise SpecError(f"--digits {digits} is of a number in a unit", hint=hint)
    places = DIGITS if digits is None else digits
    if metric is None:
        if unit is not None:
            hint = f"divide by it, as in ({asked.name})/1e6"
            raise SpecError(f"--unit {unit} is of a metric, and {asked.name} is none", hint=hint)
        return in_unit(number, ONE, places, grouped=True)
    if unit is None:
        return show_amount(metric, number)
    return in_unit(number, find_unit(metric, unit), places, grouped=True)

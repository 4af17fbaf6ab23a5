"""Numbers of a metric beside each other: gains with their signs, parts in percent, ratios."""

from fractions import Fraction

from archspec.arithmetic import Rational
from costmodel.analysis.document import NOTHING, plain_number
from costmodel.metrics.registry import Metric
from costmodel.rules.formula import show_decimal, show_number, show_quantity


def plain_amount(metric: Metric, value: Rational | None) -> int | float | str | None:
    """Return a metric's number as JSON has it: of a real quantity the nearest float."""
    return float(value) if metric.quantity and value is not None else plain_number(value)


def show_amount(metric: Metric, value: Rational | None) -> str:
    """Return a metric's number as a report shows it; a dash where there is none."""
    if value is None:
        return NOTHING
    if metric.quantity:
        return show_quantity(value, metric.quantity)
    if isinstance(value, int):
        return show_number(value)
    whole, point, rest = show_decimal(value).partition(".")
    return f"{int(whole):,}.{rest}" if point and "e" not in rest else whole + point + rest


def show_gain(metric: Metric, gain: Rational | None) -> str:
    """Return ``+1,024`` or ``−3 µs``; a dash where nothing changes or there is no number."""
    if not gain:
        return NOTHING
    return f"{'+' if gain > 0 else '−'}{show_amount(metric, max(gain, -gain))}"


def show_part(part: Fraction | None, gain: Rational = 0) -> str:
    """``+2.04 %``: two decimals, or two digits of what is less; of nothing there is no part."""
    if part is None:
        return "from 0" if gain else "–"
    if not part:
        return "–"
    percent = abs(float(100 * part))
    shown = f"{percent:,.2f}" if percent >= 0.01 else f"{percent:.2g}"
    return f"{'+' if part > 0 else '−'}{shown} %"

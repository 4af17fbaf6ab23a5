"""The document of a sensitivity: a row per symbol, then the orders and derivatives of metrics."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.printing import PythonText, Unicode, text
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import (
    FIGURE,
    NOTHING,
    Block,
    Column,
    Document,
    Note,
    Row,
    Style,
    Table,
    entries,
    plain_number,
)
from costmodel.metrics.registry import Metric
from costmodel.rules.formula import show_decimal, show_number
from costmodel.studies import question
from costmodel.studies.report import Report
from costmodel.studies.report_document import head, notes
from costmodel.studies.sensitivity import (
    Derivative,
    Doubled,
    Effect,
    Elasticity,
    Perturbation,
    Sensitivity,
    Unknown,
)


@question(opens=True)
def sensitivity(analysis: Analysis, *, metric: tuple[str, ...] = ()) -> Document:
    """Show how the metrics react to each symbol: order, derivative, +1 %, twice the value."""
    return document(Sensitivity(analysis, metric))


def document(found: Sensitivity) -> Document:
    """Return the document of a sensitivity."""
    graph = found.analysis.graph
    return Document(graph.name, partial(_blocks, found), partial(_data, found), graph.source or "")


def _blocks(found: Sensitivity) -> Iterator[Block]:
    changes = [(way, metric) for metric in found.metrics for way in WAYS]
    titles = {
        f"{way} {metric.name}": way if way == WAYS[-1] else f"{metric.title} {way}"
        for way, metric in changes
    }
    figures = (Column(name, title, FIGURE) for name, title in titles.items())
    rows = (_row(change, cells, titles) for change, cells in _rows(found))
    yield Table((Column("symbol", "symbol"), *figures), tuple(rows))
    laws = tuple(row for metric in found.metrics for row in _laws(found, metric))
    yield Table(LAWS, laws, listed=True)
    yield entries(_notes(found))


LAWS = (Column("symbol", "symbol"), Column("order", "order, and derivative ∂"))
"""The columns of the orders and derivatives in each symbol."""

WAYS = ("+1 %", "2 ×")
"""The two changes of a symbol that the table shows."""


def _row(change: Perturbation, cells: list[str], names: Iterable[str]) -> Row:
    style: Style = "dim" if set(cells) <= {"0 %", "1 ×"} else ""
    return Row({"symbol": change.name, **dict(zip(names, cells, strict=True))}, style=style)


def _report(found: Sensitivity) -> Report:
    """Return the report that names the network, its values and its convention."""
    return Report(found.analysis, found.names, symbolic=True)


def _rows(found: Sensitivity) -> Iterator[tuple[Perturbation, list[str]]]:
    """Yield the effects of each change: the percent for one percent, and the factor for twice."""
    for change, effects in found.effects.items():
        cells = [
            cell
            for effect in effects.values()
            for cell in (show_percent(effect.elasticity), show_factor(effect.doubled))
        ]
        yield change, cells


def _laws(found: Sensitivity, metric: Metric) -> Iterator[Row]:
    """Yield the order of a metric, then what it is in each symbol that it depends on."""
    order = _order(found.orders[metric.name])
    yield Row({"symbol": metric.title, "order": order}, style="bold")
    for change, effects in found.effects.items():
        effect = effects[metric.name]
        if effect.depends:
            law = ", ".join(_law(effect, metric, change))
            yield Row({"symbol": change.name, "order": law}, level=1)


def _law(effect: Effect, metric: Metric, change: Perturbation) -> Iterator[str]:
    """Yield the order in a symbol and the derivative, which several at once have not."""
    yield _order(effect.order)
    if len(change.symbols) > 1:
        return
    if isinstance(effect.derivative, Unknown):
        yield f"no ∂: {effect.derivative.reason}"
        return
    law, value, is_share = effect.derivative
    shown = f"{metric.name}/{change.name}" if is_share else PythonText().real(law)
    parts = ["∂", *([] if law.is_Rational else [shown]), _number(value)]
    yield " = ".join(parts)


def _number(value: Rational) -> str:
    return show_number(value) if isinstance(value, int) else show_decimal(value)


def _order(order: Expr | Unknown) -> str:
    if isinstance(order, Unknown):
        return f"no order proved ({order.reason})"
    return f"Θ({Unicode().real(order)})"


def _notes(found: Sensitivity) -> Iterator[Note]:
    """Yield the reasons for empty cells, the meaning of a mark, and the report's notes."""
    for change, effects in found.effects.items():
        for said, part in zip(WAYS, ("elasticity", "doubled"), strict=True):
            answers = (getattr(effect, part) for effect in effects.values())
            reasons = (answer.reason for answer in answers if isinstance(answer, Unknown))
            for reason in dict.fromkeys(reasons):
                yield f"{said} {change.name}", reason
    if any("~" in cell for _, cells in _rows(found) for cell in cells):
        yield "~", "steps and bends are taken to rise evenly from the value that is there"
    yield from notes(_report(found))


def show_percent(elasticity: Elasticity | Unknown) -> str:
    """Return ``+1 %`` where exact, ``+1.971 %`` where rounded, with ``~`` where taken as even."""
    if isinstance(elasticity, Unknown):
        return NOTHING
    sign = "+" if elasticity.value > 0 else ""
    return f"{'~' if elasticity.even else ''}{sign}{show_rounded(elasticity.value)} %"


def show_factor(doubled: Doubled | Unknown) -> str:
    """Return ``4 ×`` where it is just that, ``3.942 ×`` where it is rounded."""
    return NOTHING if isinstance(doubled, Unknown) else f"{show_rounded(doubled.factor)} ×"


def show_rounded(value: Rational) -> str:
    """Return an integer as it is; a fraction to three decimals, so that ``1.000`` is not just 1."""
    return show_number(int(value)) if value.denominator == 1 else f"{float(value):,.3f}"


def _data(found: Sensitivity) -> dict[str, Any]:
    """Return every number exactly, and as a decimal where it is a fraction."""
    analysis, report = found.analysis, _report(found)
    return {
        **head(report),
        "metrics": {
            metric.name: {
                "expr": text(report.total(metric.name)),
                "value": plain_number(analysis.value(metric.name)),
                "order": _plain(found.orders[metric.name]),
            }
            for metric in found.metrics
        },
        "changes": [
            {
                "name": change.name,
                "symbols": [symbol.name for symbol in change.symbols],
                "effects": {
                    name: {key: _plain(part) for key, part in effect._asdict().items()}
                    for name, effect in effects.items()
                },
            }
            for change, effects in found.effects.items()
        ],
    }


def _plain(part: object) -> Any:
    match part:
        case bool():
            return part
        case Unknown(reason):
            return {"unknown": reason}
        case Derivative(law, value):
            return {"expr": PythonText().real(law), "value": plain_number(value)}
        case Elasticity(value, even):
            return {**_exact(value), "even": even}
        case Doubled(value, factor):
            return {"metric": plain_number(value), **_exact(factor)}
    return {"expr": PythonText().real(part)}


def _exact(value: Rational) -> dict[str, Any]:
    return {"exact": str(value), "value": float(value)}

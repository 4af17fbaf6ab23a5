"""How a network reacts to its symbols: for the terminal, as Markdown, as JSON."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.printing import PythonText, Unicode, text
from costmodel.analysis.document import NOTHING, Note, plain_number
from costmodel.metrics.registry import Metric
from costmodel.render.json import dumped
from costmodel.render.markdown import escaped, line_of, listed
from costmodel.render.terminal import drawn, entries, heading, print_whole, styled
from costmodel.rules.formula import show_decimal, show_number
from costmodel.studies.report import Report
from costmodel.studies.report_document import document as report_document
from costmodel.studies.report_document import head, notes
from costmodel.studies.sensitivity import (
    Change,
    Derivative,
    Doubled,
    Effect,
    Elasticity,
    Sensitivity,
    Unknown,
)


def table(found: Sensitivity) -> str:
    """One row per symbol, then the orders and derivatives of each metric."""
    return drawn(lambda console: _draw(found, console))


def _draw(found: Sensitivity, console: Console) -> None:
    heading(report_document(_report(found)), console)
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column(Text("\nsymbol"), no_wrap=True)
    for metric in found.metrics:
        grid.add_column(Text("\n+1 %"), justify="right", no_wrap=True)
        grid.add_column(Text(f"{metric.title}\n2 ×"), justify="right", no_wrap=True)
    for change, cells in _rows(found):
        style = "dim" if set(cells) <= {"0 %", "1 ×"} else ""
        grid.add_row(change.name, *cells, style=style)
    print_whole(grid, console)
    for metric in found.metrics:
        console.print(styled(metric.title, "bold"), end="")
        console.print(f" = {_order(found.orders[metric.name])}", soft_wrap=True)
        entries(((f"  {label}", law) for label, law in _laws(found, metric)), console)
    console.print()
    entries(_notes(found), console)


def _report(found: Sensitivity) -> Report:
    """What says of which network, where, and what counts."""
    return Report(found.analysis, found.names, symbolic=True)


def _rows(found: Sensitivity) -> Iterator[tuple[Change, list[str]]]:
    """What each change does to each metric: percent for a percent, and times for twice."""
    for change, effects in found.effects.items():
        cells = [
            cell
            for effect in effects.values()
            for cell in (show_percent(effect.elasticity), show_factor(effect.doubled))
        ]
        yield change, cells


def _laws(found: Sensitivity, metric: Metric) -> Iterator[Note]:
    """What the metric is in each symbol that it depends on."""
    for change, effects in found.effects.items():
        effect = effects[metric.name]
        if effect.depends:
            yield change.name, ", ".join(_law(effect, metric, change))


def _law(effect: Effect, metric: Metric, change: Change) -> Iterator[str]:
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
    """Why cells are empty, what a mark means, where this holds."""
    for change, effects in found.effects.items():
        for said, part in (("+1 %", "elasticity"), ("2 ×", "doubled")):
            answers = (getattr(effect, part) for effect in effects.values())
            reasons = (answer.reason for answer in answers if isinstance(answer, Unknown))
            for reason in dict.fromkeys(reasons):
                yield f"{said} {change.name}", reason
    if any("~" in cell for _, cells in _rows(found) for cell in cells):
        yield "~", "steps and bends are taken to rise evenly from the value that is there"
    yield from notes(_report(found))


def show_percent(elasticity: Elasticity | Unknown) -> str:
    """``+1 %`` where it is just that, ``+1.971 %`` where rounded, ``~`` where taken as even."""
    if isinstance(elasticity, Unknown):
        return NOTHING
    sign = "+" if elasticity.value > 0 else ""
    return f"{'~' if elasticity.even else ''}{sign}{show_rounded(elasticity.value)} %"


def show_factor(doubled: Doubled | Unknown) -> str:
    """``4 ×`` where it is just that, ``3.942 ×`` where it is rounded."""
    return NOTHING if isinstance(doubled, Unknown) else f"{show_rounded(doubled.factor)} ×"


def show_rounded(value: Rational) -> str:
    """An integer as it is; a fraction to three decimals, so that ``1.000`` is not just 1."""
    return show_number(int(value)) if value.denominator == 1 else f"{float(value):,.3f}"


def markdown(found: Sensitivity) -> str:
    """The same as GitHub's Markdown."""
    heads = [f"{head} {m.title}" for m in found.metrics for head in ("+1 % →", "2 × →")]
    lines = [f"**{escaped(found.analysis.graph.name)}**", "", line_of(["symbol", *heads])]
    lines.append(line_of(["---", *["---:"] * len(heads)]))
    lines += [line_of([change.name, *cells]) for change, cells in _rows(found)]
    lines.append("")
    for metric in found.metrics:
        lines.append(f"- {metric.title} = {escaped(_order(found.orders[metric.name]))}")
        lines += [f"  - {name}: {escaped(line)}" for name, line in _laws(found, metric)]
    lines += ["", *listed(_notes(found))]
    return "\n".join(lines) + "\n"


def as_json(found: Sensitivity) -> str:
    """The same as JSON: every number exact, and as a decimal where it is a fraction."""
    return dumped(_document(found))


def _document(found: Sensitivity) -> dict[str, Any]:
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


FORMATS: dict[str, Callable[[Sensitivity], str]] = {
    "table": table,
    "json": as_json,
    "markdown": markdown,
}

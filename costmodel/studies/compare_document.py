"""The document of a comparison: networks side by side, then where their order changes."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from costmodel.algebra.printing import text
from costmodel.algebra.sign_chart import Order, Ranking, Stretch
from costmodel.algebra.sums import OpenLawError
from costmodel.analysis.document import (
    FIGURE,
    NOTHING,
    TEXT,
    VERSION,
    Block,
    Column,
    Document,
    Note,
    Table,
    entries,
    plain_number,
    table_of,
)
from costmodel.analysis.number_format import plain_amount, show_amount
from costmodel.analysis.standing import Said, scenario_fields, standing_notes
from costmodel.metrics.registry import Metric, NoCountError
from costmodel.rules.formula import show_decimal
from costmodel.studies.compare import MAX_NETWORKS, Along, Comparison, Crossing, ratios

MAX_STRETCHES = 6
"""The most stretches that are listed; JSON has all."""


def document(found: Comparison) -> Document:
    """Return the document of a comparison."""
    return Document("", partial(_blocks, found), partial(_data, found))


def _blocks(found: Comparison) -> Iterator[Block]:
    """Yield the numbers with their ratios to the first, then where the order changes."""
    yield _side_by_side(found)
    yield from _orders(found)
    yield entries(_notes(found))


def _side_by_side(found: Comparison) -> Table:
    """Return few networks as columns with metrics as rows, many as rows."""
    labels = [network.label for network in found.networks]
    columns = [["metric", *(metric.title for metric in found.metrics)]]
    first = labels[0]
    for i, label in enumerate(labels):
        numbers, times = zip(*(_cells(found, metric, i) for metric in found.metrics), strict=True)
        columns.append([label, *numbers])
        if i:
            columns.append([f"× {first}" if len(labels) == 2 else "×", *times])
    if len(labels) > MAX_NETWORKS:
        return _by_networks(found, labels)
    heads, *rows = zip(*columns, strict=True)
    return _of_figures(heads, rows)


def _of_figures(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Return a table of a text and figures."""
    columns = (Column(str(i), head, FIGURE if i else TEXT) for i, head in enumerate(heads))
    return table_of(columns, map(tuple, rows))


def _cells(found: Comparison, metric: Metric, i: int) -> tuple[str, str]:
    """Return a network's number, and its ratio to the first network's."""
    numbers = found.values[metric.name]
    return show_amount(metric, numbers[i]), show_ratio(list(ratios(numbers))[i])


def _by_networks(found: Comparison, labels: list[str]) -> Table:
    heads = ["network", *(head for metric in found.metrics for head in (metric.title, "×"))]
    rows = [
        [label, *(cell for metric in found.metrics for cell in _cells(found, metric, i))]
        for i, label in enumerate(labels)
    ]
    return _of_figures(heads, rows)


def show_ratio(ratio: float | None) -> str:
    """Return a ratio with three digits."""
    return NOTHING if ratio is None else f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio:.3g}"


def _orders(found: Comparison) -> Iterator[Table]:
    """Yield, for each symbol, the orders of the networks over its values and their metrics."""
    for along in found.orders:
        orders: dict[str, list[str]] = {}
        for crossing in along.crossings:
            orders.setdefault(_told(crossing, along, found), []).append(crossing.metric.title)
        if along.closed:
            orders = {f"not compared: the structure of {', '.join(along.closed)} hangs on it": []}
        columns = Column("order", f"order as {along.name} grows"), Column("metrics", "metrics")
        yield table_of(columns, ((told, ", ".join(names)) for told, names in orders.items()))


def _told(crossing: Crossing, along: Along, found: Comparison) -> str:
    """Return ``a < b for h <= 191, b < a for h >= 192``, or why there is no order."""
    ranking, name = crossing.ranking, along.name
    if crossing.lawless:
        return f"not compared: no law in {name} of {', '.join(crossing.lawless)}"
    if ranking is None:
        return f"the same for every {name}"
    if not ranking.stretches:
        return f"not compared: no value of {name} was found at which it could be"
    shown = ranking.stretches[:MAX_STRETCHES]
    told = [f"{show_order(s.order, found)} for {values(name, s, ranking)}" for s in shown]
    if len(shown) < len(ranking.stretches):
        told.append(f"… {len(ranking.stretches) - len(shown)} more changes")
    if ranking.limit is not None:
        told.append(f"not compared beyond {name} = {show_decimal(ranking.limit)}")
    return ", ".join(told)


def show_order(order: Order, found: Comparison) -> str:
    """Return an order of the networks as text: ``a < b = c``."""
    labels = [network.label for network in found.networks]
    return " < ".join(" = ".join(labels[i] for i in group) for group in order)


def values(name: str, stretch: Stretch, ranking: Ranking) -> str:
    """Return a stretch as text: ``h <= 191``, ``192 <= h < 200``, ``every h >= 63``."""
    first, last = show_decimal(stretch.first), stretch.last
    low = "" if stretch is ranking.stretches[0] and stretch.first <= 1 else first
    if last is None:
        sign = ">" if stretch.after else ">="
        every = "every " if stretch is ranking.stretches[0] else ""
        return f"{every}{name} {sign} {low}" if low else f"every {name}"
    if last == stretch.first:
        return f"{name} = {first}"
    end = f"{name} {'<' if stretch.before else '<='} {show_decimal(last)}"
    return f"{low} {'<' if stretch.after else '<='} {end}" if low else end


def _notes(found: Comparison) -> Iterator[Note]:
    """Yield the shared symbols and the others, the values, and what counts."""
    if len(found.networks) > MAX_NETWORKS and not found.orders:
        yield "order", "--for SYMBOL tells where it changes"
    yield from _none(found)
    if found.shared:
        yield "shared", f"{', '.join(found.shared)}: by name"
    for name, has in found.own.items():
        yield "not shared", f"{name}, of {', '.join(has)}"
    yield from standing_notes(
        found.analyses[0], at=_at(found), conditions=_conditions(found), metrics=_metrics(found)
    )


def _metrics(found: Comparison) -> Iterator[str]:
    yield from (metric.name for metric in found.metrics)


def _none(found: Comparison) -> Iterator[Note]:
    """Yield, for each network that lacks a metric, why it has none."""
    for network in found.networks:
        errors = filter(None, (network.analysis.none_of(m.name) for m in found.metrics))
        for error in list(errors)[:1]:
            yield f"{network.label}", error.cause


def _at(found: Comparison) -> Said:
    """Return the values of the symbols: once where they are the same, else for every network."""
    settings = {network.label: _setting(found, i) for i, network in enumerate(found.networks)}
    if len(set(settings.values())) == 1:
        return next(iter(settings.values()))
    return [(f"{label} at", setting) for label, setting in settings.items()]


def _conditions(found: Comparison) -> Iterator[Note]:
    """Yield the conditions on the symbols, each with the networks that require it."""
    conditions: dict[str, list[str]] = {}
    for network, report in zip(found.networks, found.reports, strict=True):
        if report.conditions:
            conditions.setdefault(" and ".join(report.conditions), []).append(network.label)
    yield from (("valid when", f"{each} ({', '.join(of)})") for each, of in conditions.items())


def _setting(found: Comparison, i: int) -> str:
    return found.reports[i].setting or "no symbols"


def _data(found: Comparison) -> dict[str, Any]:
    """Return every closed form and every stretch."""
    return {
        "archcost": VERSION,
        "convention": found.analyses[0].convention.name,
        "assumptions": list(found.analyses[0].assumed.texts),
        "networks": [_network(found, i) for i in range(len(found.networks))],
        "shared": list(found.shared),
        "orders": [_along(along, found) for along in found.orders],
    }


def _network(found: Comparison, i: int) -> dict[str, Any]:
    network, report = found.networks[i], found.reports[i]
    analysis = network.analysis
    return {
        "label": network.label,
        "name": analysis.graph.name,
        "variant": analysis.graph.variant,
        "symbols": {name: plain_number(v) for name, v in analysis.graph.values.items()},
        "conditions": list(report.conditions),
        **scenario_fields(analysis, _metrics(found)),
        "metrics": {metric.name: _quantity(found, metric, i) for metric in found.metrics},
    }


def _quantity(found: Comparison, metric: Metric, i: int) -> dict[str, Any]:
    numbers = found.values[metric.name]
    value, ratio = plain_amount(metric, numbers[i]), list(ratios(numbers))[i]
    return {"expr": _law(found, metric, i), "value": value, "ratio": ratio}


def _law(found: Comparison, metric: Metric, i: int) -> str | None:
    """Return the closed form of a metric as text; None where a network has none."""
    try:
        return text(found.reports[i].total(metric.name))
    except (OpenLawError, NoCountError):
        return None


def _along(along: Along, found: Comparison) -> dict[str, Any]:
    return {
        "symbol": along.name,
        "closed": list(along.closed),
        "lawless": {c.metric.name: list(c.lawless) for c in along.crossings if c.lawless},
        "metrics": {
            crossing.metric.name: _ranking(crossing.ranking, found)
            for crossing in along.crossings
            if crossing.ranking is not None
        },
    }


def _ranking(ranking: Ranking, found: Comparison) -> dict[str, Any]:
    return {
        "changes_at": plain_number(ranking.changes_at),
        "compared_to": plain_number(ranking.limit),
        "stretches": [
            {
                "order": [[found.networks[i].label for i in group] for group in each.order],
                "first": plain_number(each.first),
                "last": plain_number(each.last),
                "without_first": each.after,
                "without_last": each.before,
            }
            for each in ranking.stretches
        ],
    }

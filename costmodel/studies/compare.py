"""Networks side by side: their numbers, ratios to the first, and where their order changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from sympy import Expr, Symbol

from archspec import Architecture
from archspec.arithmetic import Rational, common_multiple
from archspec.errors import SpecError, did_you_mean
from costmodel.algebra.domains import Domain, symbols_of
from costmodel.algebra.functions import exact
from costmodel.algebra.printing import text
from costmodel.algebra.sign_chart import Order, Ranking, Stretch, rank
from costmodel.algebra.sums import NoClosedFormError
from costmodel.algebra.symbols import symbol
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.domains import domain_of
from costmodel.analysis.loading import Setup, analyze_architecture, setup_of
from costmodel.analysis.number_format import plain_amount, show_amount
from costmodel.analysis.standing import (
    StatedNotes,
    marked,
    scenario_fields,
    standing_notes,
    warnings_of,
)
from costmodel.metrics.registry import METRICS, Metric, NoCountError
from costmodel.network.networks import expanded
from costmodel.rules.formula import show_decimal
from costmodel.scenario.settings import positive
from costmodel.studies import question
from costmodel.studies.measures import Measured, measured, parted
from costmodel.studies.report import Report
from costmodel.studies.revisions import SpecSource, analyser, load_source, read_source
from costmodel.studies.units import WHOLE

MAX_NETWORKS = 4
"""The most networks that are ordered along every symbol, where none is requested."""


class ComparedNetwork(NamedTuple):
    """One of the networks.

    Attributes:
        label: what it is called here.
        analysis: its laws.
        set_: the symbols that are set, which are not varied.
    """

    label: str
    analysis: Analysis
    set_: frozenset[str] = frozenset()

    def opened(self, name: str) -> Analysis | None:
        """Return an analysis in which a symbol is open; None where the structure depends on it."""
        return self.analysis if name in self.analysis.symbols else self.alone(name)

    def alone(self, name: str) -> Analysis | None:
        """Return an analysis with one symbol open; None where the structure depends on it."""
        analysis = self.analysis
        others = {n: value for n, value in analysis.graph.values.items() if n != name}
        try:
            return analyze_architecture(analysis.architecture, setup_of(analysis).at(others))
        except SpecError:
            return None

    def numbers(self, metrics: Iterable[Metric]) -> Iterator[Rational | None]:
        """Yield the values of metrics, None where there is none; if need be by numbers alone."""
        analysis = self.analysis
        for metric in metrics:
            try:
                yield analysis.value_if_any(metric.name)
            except NoClosedFormError:
                numbers = setup_of(analysis)._replace(settings=analysis.graph.values, assume=())
                analysis = analyze_architecture(analysis.architecture, numbers)
                yield analysis.value(metric.name)


class MetricOrder(NamedTuple):
    """The order of the networks by one metric, as a symbol grows and the others stay.

    Attributes:
        metric: it.
        ranking: the order over the symbol's values; None where no law has the symbol.
        lawless: the networks of which the metric has no law in it; with them nothing is compared.
    """

    metric: Metric
    ranking: Ranking | None
    lawless: tuple[str, ...] = ()


class SymbolOrders(NamedTuple):
    """The orders as one symbol grows.

    Attributes:
        name: the symbol.
        domain: the values that it has in all networks.
        crossings: of every metric.
        closed: the networks whose structure hangs on it; with them nothing is compared.
    """

    name: str
    domain: Domain | None
    crossings: tuple[MetricOrder, ...]
    closed: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        """Return True where any metric depends on the symbol."""
        return any(each.ranking is not None or each.lawless for each in self.crossings)


@dataclass(frozen=True)
class NetworkComparison:
    """Networks side by side.

    Attributes:
        networks: two or more.
        requested: the metrics that were asked for; none means the usual ones.
        along: the symbol that grows; None means each that they share.
        step: the step of its values, where one is given.
        asked: what is shown, where expressions as ``macs/params`` are among it; else none.
    """

    networks: tuple[ComparedNetwork, ...]
    requested: tuple[str, ...] = ()
    along: str | None = None
    step: Rational | None = None
    asked: tuple[Measured, ...] = ()

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """Of all networks."""
        return tuple(network.analysis for network in self.networks)

    @property
    def reports(self) -> tuple[Report, ...]:
        """Of all networks."""
        return tuple(Report(analysis, self.requested) for analysis in self.analyses)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that any of them shows."""
        usual = {metric.name for report in self.reports for metric in report.totals}
        return tuple(metric for metric in METRICS.values() if metric.name in usual)

    @property
    def measures(self) -> tuple[Measured, ...]:
        """The metrics, and the expressions of metrics, that are shown."""
        return self.asked or tuple(measured(metric.name) for metric in self.metrics)

    @property
    def ordered(self) -> tuple[Metric, ...]:
        """The metrics that are shown, by which the networks have an order."""
        return tuple(each.metric for each in self.measures if each.metric is not None)

    def numbers(self, each: Measured) -> list[Rational | None]:
        """Return what is shown of each network."""
        values = (
            dict(zip(self.values, own, strict=True))
            for own in zip(*self.values.values(), strict=True)
        )
        return [each.value(own.get) for own in values]

    @cached_property
    def values(self) -> Mapping[str, tuple[Rational | None, ...]]:
        """Every metric's numbers, one for each network; None where it has none."""
        columns = zip(*(network.numbers(self.metrics) for network in self.networks), strict=True)
        return {metric.name: found for metric, found in zip(self.metrics, columns, strict=True)}

    @property
    def shared(self) -> tuple[str, ...]:
        """The symbols that all have by name, and that are not set."""
        first, *others = (a.architecture.header.symbols for a in self.analyses)
        taken = {n for net in self.networks for n in (*net.set_, *net.analysis.assumed.derived)}
        return tuple(
            name for name in first if name not in taken and all(name in each for each in others)
        )

    @property
    def own(self) -> Mapping[str, tuple[str, ...]]:
        """The symbols that some have and others have not, with those that have them."""
        found: dict[str, list[str]] = {}
        for network in self.networks:
            for name in network.analysis.architecture.header.symbols:
                found.setdefault(name, []).append(network.label)
        return {n: tuple(has) for n, has in found.items() if len(has) < len(self.networks)}

    @cached_property
    def orders(self) -> tuple[SymbolOrders, ...]:
        """The orders along the requested symbol, or, of few networks, along each.

        Raises:
            SpecError: they do not share the symbol.
        """
        if self.along is None:
            if len(self.networks) > MAX_NETWORKS:
                return ()
            every = map(self._order, self.shared)
            return tuple(along for along in every if along.closed or along.moves)
        if self.along not in self.shared:
            hint = did_you_mean(self.along, self.shared) or f"shared: {', '.join(self.shared)}"
            raise SpecError(f"the networks share no open symbol '{self.along}'", hint=hint)
        return (self._order(self.along),)

    def _order(self, name: str) -> SymbolOrders:
        opened = [network.opened(name) for network in self.networks]
        analyses = [analysis for analysis in opened if analysis is not None]
        if len(analyses) < len(opened):
            pairs = zip(self.networks, opened, strict=True)
            closed = tuple(network.label for network, analysis in pairs if analysis is None)
            return SymbolOrders(name, None, (), closed)
        domain = met(domain_of(analysis, name, self.step) for analysis in analyses)
        ranks = _Ranks(name, self.networks, analyses, domain)
        return SymbolOrders(name, domain, tuple(map(ranks.crossing, self.ordered)))


@dataclass
class _Ranks:
    """The orders of some networks along a symbol; what differs by a factor is ranked once."""

    name: str
    networks: Sequence[ComparedNetwork]
    analyses: Sequence[Analysis]
    domain: Domain
    known: dict[tuple[Expr, ...], Ranking] = field(default_factory=dict)

    @cached_property
    def symbol(self) -> Symbol:
        """The symbol in which the closed forms of all networks are compared."""
        whole = self.domain.step is not None and self.domain.step.denominator == 1
        return symbol(self.name, "integer" if whole else "real")

    def crossing(self, metric: Metric) -> MetricOrder:
        """Return the order by a metric, or the networks in which it has no closed form."""
        forms = [self._closed_form(i, metric) for i in range(len(self.analyses))]
        found = [form.expand() for form in forms if form is not None]
        if len(found) < len(forms):
            pairs = zip(self.networks, forms, strict=True)
            return MetricOrder(
                metric, None, tuple(one.label for one, form in pairs if form is None)
            )
        return MetricOrder(metric, self._ranking(found))

    def _ranking(self, forms: Sequence[Expr]) -> Ranking | None:
        """Return the order by some closed forms; None where none has the symbol."""
        if not any(form.has(self.symbol) for form in forms):
            return None
        factor = forms[0].as_content_primitive()[0]
        key = tuple((form / factor).expand() if factor else form for form in forms)
        if key not in self.known:
            usual = self.analyses[0].graph.values[self.name]
            self.known[key] = rank(key, self.symbol, self.domain, usual, self._is_valid)
        return self.known[key]

    def _closed_form(self, i: int, metric: Metric) -> Expr | None:
        """Return a metric in one symbol, the others at their values; None without closed form."""
        if metric.is_searched:
            return None
        try:
            return self._in_symbol(self.analyses[i], metric)
        except NoCountError:
            return None
        except NoClosedFormError:
            alone = self.networks[i].alone(self.name)
        try:
            return None if alone is None else self._in_symbol(alone, metric)
        except NoClosedFormError:
            return None

    def _in_symbol(self, analysis: Analysis, metric: Metric) -> Expr:
        values = analysis.graph.values
        others = {s: exact(values[n]) for n, s in analysis.symbols.items() if n != self.name}
        own = {analysis.symbols[self.name]: self.symbol}
        return analysis.total(metric.name).xreplace({**others, **own})

    def _is_valid(self, value: Rational) -> bool:
        return all(analysis.is_valid_at({self.name: value}) for analysis in self._restricted)

    @cached_property
    def _restricted(self) -> list[Analysis]:
        """The networks with conditions on the symbol."""
        return [
            analysis
            for analysis in self.analyses
            if any(analysis.symbols[self.name] in symbols_of(each) for each in analysis.demands)
        ]


def met(domains: Iterable[Domain]) -> Domain:
    """Return the values that are in all of some domains."""
    several = tuple(domains)
    lasts = [domain.last for domain in several if domain.last is not None]
    steps = [domain.step for domain in several if domain.step is not None]
    return Domain(
        max(domain.first for domain in several),
        min(lasts, default=None),
        common_multiple(steps) if steps else None,
    )


def labels(sources: Sequence[SpecSource]) -> tuple[str, ...]:
    """Return a short name for each: the variant, or the file's, where these tell all apart."""
    stems = [Path(source.path).stem for source in sources]
    short = [source.variant or stem for source, stem in zip(sources, stems, strict=True)]
    middle = [_named(stem, each) for stem, each in zip(stems, sources, strict=True)]
    long = [_named(source.name, source) for source in sources]
    numbered = [f"{name} ({i})" for i, name in enumerate(long, 1)]
    every = (short, middle, long, numbered)
    return tuple(next(names for names in every if len(set(names)) == len(names)))


def _named(name: str, source: SpecSource) -> str:
    return f"{name}@{source.variant}" if source.variant else name


def ratios(numbers: Sequence[Rational | None]) -> Iterator[float | None]:
    """Yield each number as a multiple of the first; None where that is 0, or one is none."""
    first, *_ = numbers
    for number in numbers:
        yield None if not first or number is None else float(number / first)


MAX_STRETCHES = 6
"""The most stretches that are listed; JSON has all."""


@question(group="Compare")
def compare(
    specs: list[str],
    /,
    *,
    metric: tuple[str, ...] = (),
    for_: str | None = None,
    step: str | None = None,
    setup: Setup = Setup(),  # noqa: B008 - a frozen value
) -> doc.Document:
    """Show networks side by side, and from which value of a symbol on their order is another.

    Args:
        specs: Two or more: PATH, REVISION:PATH; @VARIANT, @*.
        metric: the metrics.
        for_: The symbol along which to look; else each.
        step: of the symbol.
        setup: the options beside the specs.

    Examples:
        archcost compare resnet50 vgg16
        archcost compare mobilenet_v2 mobilenet_v3_large --for h --metric macs

    Raises:
        SpecError: it is one network alone, or a spec or an option breaks a rule.
    """
    sources, loaded = _loaded(specs)
    setup.require_known(loaded)
    size = None if step is None else positive("step", step)
    analyses, names = map(analyser(setup, loaded), loaded), labels(sources)
    networks = tuple(
        ComparedNetwork(name, each, frozenset(setup.given_to(each.architecture)))
        for name, each in zip(names, analyses, strict=True)
    )
    metrics, asked = parted(metric)
    found = NetworkComparison(networks, metrics, for_, size, asked)
    return _document(found)


def _loaded(specs: Iterable[str]) -> tuple[list[SpecSource], list[Architecture]]:
    """Return the networks that some words stand for, each with its source.

    Raises:
        SpecError: it is one alone, or a spec breaks a rule.
    """
    sources, loaded = list[SpecSource](), list[Architecture]()
    for source in map(read_source, expanded(specs)):
        for spec in load_source(source):
            sources.append(source._replace(variant=spec.variant))
            loaded.append(spec)
    if len(loaded) < 2:
        raise SpecError("one network alone is not compared", hint="name two, or PATH@* for all")
    return sources, loaded


def _document(found: NetworkComparison) -> doc.Document:
    rows, messages = partial(_rows, found), warnings_of(found.analyses)
    made = doc.Document(
        "", partial(_blocks, found), partial(_data, found), rows=rows, messages=messages
    )
    return marked(made, found.analyses)


def _blocks(found: NetworkComparison) -> Iterator[doc.Block]:
    """Yield the numbers with their ratios to the first, then where the order changes."""
    yield _side_by_side(found)
    yield from _orders(found)
    yield doc.entries(_notes(found))


def _side_by_side(found: NetworkComparison) -> doc.Table:
    """Return few networks as columns with metrics as rows, many as rows."""
    labels, metrics = [network.label for network in found.networks], found.measures
    cells = [*zip(*(_cells(found, each) for each in metrics), strict=True)]
    if len(labels) > MAX_NETWORKS:
        heads = ["network", *(head for each in metrics for head in (WHOLE.title(each), "×"))]
        rows = [(label, *chain(*own)) for label, own in zip(labels, cells, strict=True)]
    else:
        first, *others = labels
        times = f"× {first}" if len(labels) == 2 else "×"
        heads = ["metric", first, *(head for label in others for head in (label, times))]
        each = zip(metrics, zip(*cells, strict=True), strict=True)
        rows = [(WHOLE.title(one), of[0][0], *chain(*of[1:])) for one, of in each]
    columns = (
        doc.Column(str(i), head, doc.FIGURE if i else doc.TEXT, is_beside=head.startswith("×"))
        for i, head in enumerate(heads)
    )
    return doc.table_of(columns, rows)._replace(breaks=True)


def _rows(found: NetworkComparison) -> doc.Table:
    """Return the exact numbers, a row for each network."""
    columns = [doc.Column(m.name, WHOLE.title(m), WHOLE.kind(m)) for m in found.measures]
    numbers = zip(*map(found.numbers, found.measures), strict=True)
    labels = (network.label for network in found.networks)
    rows = ((label, *own) for label, own in zip(labels, numbers, strict=True))
    return doc.table_of((doc.Column("network", "network"), *columns), rows)


def _cells(found: NetworkComparison, each: Measured) -> list[tuple[str, str]]:
    """Return the number of each network, and its ratio to the first network's."""
    numbers = found.numbers(each)
    shown = ratios(numbers)
    return [(_show(each, n), show_ratio(r)) for n, r in zip(numbers, shown, strict=True)]


def _show(each: Measured, number: Rational | None) -> str:
    if each.metric is not None:
        return show_amount(each.metric, number)
    return doc.NOTHING if number is None else WHOLE.kind(each).show(number)


def show_ratio(ratio: float | None) -> str:
    """Return a ratio with three digits."""
    return doc.NOTHING if ratio is None else f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio:.3g}"


def _orders(found: NetworkComparison) -> Iterator[doc.Table]:
    """Yield, for each symbol, the orders of the networks over its values and their metrics."""
    for along in found.orders:
        orders: dict[str, list[str]] = {}
        for crossing in along.crossings:
            orders.setdefault(_order_text(crossing, along, found), []).append(crossing.metric.title)
        if along.closed:
            orders = {f"not compared: the structure of {', '.join(along.closed)} hangs on it": []}
        columns = (
            doc.Column("order", f"order as {along.name} grows"),
            doc.Column("metrics", "metrics"),
        )
        yield doc.table_of(columns, ((order, ", ".join(names)) for order, names in orders.items()))


def _order_text(crossing: MetricOrder, along: SymbolOrders, found: NetworkComparison) -> str:
    """Return ``a < b for h <= 191, b < a for h >= 192``, or why there is no order."""
    ranking, name = crossing.ranking, along.name
    if crossing.lawless:
        return f"not compared: no law in {name} of {', '.join(crossing.lawless)}"
    if ranking is None:
        return f"the same for every {name}"
    if not ranking.stretches:
        return f"not compared: no value of {name} was found at which it could be"
    shown = ranking.stretches[:MAX_STRETCHES]
    parts = [f"{show_order(s.order, found)} for {values(name, s, ranking)}" for s in shown]
    if len(shown) < len(ranking.stretches):
        parts.append(f"… {len(ranking.stretches) - len(shown)} more changes")
    if ranking.limit is not None:
        parts.append(f"not compared beyond {name} = {show_decimal(ranking.limit)}")
    return ", ".join(parts)


def show_order(order: Order, found: NetworkComparison) -> str:
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


def _notes(found: NetworkComparison) -> Iterator[doc.Note]:
    """Yield the shared symbols and the others, the values, and what counts."""
    if len(found.networks) > MAX_NETWORKS and not found.orders:
        yield "order", "--for SYMBOL tells where it changes"
    yield from _none(found)
    if found.shared:
        yield "shared", f"{', '.join(found.shared)}: by name"
    for name, has in found.own.items():
        yield "not shared", f"{name}, of {', '.join(has)}"
    metrics = [metric.name for metric in found.metrics]
    yield from standing_notes(
        found.analyses[0], at=_at(found), conditions=_conditions(found), metrics=metrics
    )


def _none(found: NetworkComparison) -> Iterator[doc.Note]:
    """Yield, for each network that lacks a metric, why it has none."""
    for network in found.networks:
        errors = filter(None, (network.analysis.none_of(m.name) for m in found.metrics))
        for error in list(errors)[:1]:
            yield f"{network.label}", error.cause


def _at(found: NetworkComparison) -> StatedNotes:
    """Return the values of the symbols: once where they are the same, else for every network."""
    pairs = zip(found.networks, found.reports, strict=True)
    settings = {network.label: report.setting or "no symbols" for network, report in pairs}
    if len(set(settings.values())) == 1:
        return next(iter(settings.values()))
    return [(f"{label} at", setting) for label, setting in settings.items()]


def _conditions(found: NetworkComparison) -> Iterator[doc.Note]:
    """Yield the conditions on the symbols, each with the networks that require it."""
    conditions: dict[str, list[str]] = {}
    for network, report in zip(found.networks, found.reports, strict=True):
        if report.conditions:
            conditions.setdefault(" and ".join(report.conditions), []).append(network.label)
    yield from (("valid when", f"{each} ({', '.join(of)})") for each, of in conditions.items())


def _data(found: NetworkComparison) -> dict[str, Any]:
    """Return every closed form and every stretch."""
    return {
        "archcost": doc.VERSION,
        "convention": found.analyses[0].convention.name,
        "assumptions": list(found.analyses[0].assumed.texts),
        "networks": [_network(found, i) for i in range(len(found.networks))],
        "shared": list(found.shared),
        "orders": [_along(along, found) for along in found.orders],
    }


def _network(found: NetworkComparison, i: int) -> dict[str, Any]:
    network, report = found.networks[i], found.reports[i]
    analysis = network.analysis
    return {
        "label": network.label,
        "name": analysis.graph.name,
        "variant": analysis.graph.variant,
        "symbols": {name: doc.plain_number(v) for name, v in analysis.graph.values.items()},
        "conditions": list(report.conditions),
        **scenario_fields(analysis, [metric.name for metric in found.metrics]),
        "metrics": {each.name: _quantity(found, each, i) for each in found.measures},
    }


def _quantity(found: NetworkComparison, each: Measured, i: int) -> dict[str, Any]:
    numbers = found.numbers(each)
    value, ratio = numbers[i], list(ratios(numbers))[i]
    shown = plain_amount(each.metric, value) if each.metric else doc.plain_number(value)
    return {"expr": _closed_form(found, each, i), "value": shown, "ratio": ratio}


def _closed_form(found: NetworkComparison, each: Measured, i: int) -> str | None:
    """Return a closed form as text; None where a network has none."""
    try:
        form = each.closed_form(found.reports[i].total)
    except (NoClosedFormError, NoCountError):
        return None
    return None if form is None else text(form)


def _along(along: SymbolOrders, found: NetworkComparison) -> dict[str, Any]:
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


def _ranking(ranking: Ranking, found: NetworkComparison) -> dict[str, Any]:
    return {
        "changes_at": doc.plain_number(ranking.changes_at),
        "compared_to": doc.plain_number(ranking.limit),
        "stretches": [
            {
                "order": [[found.networks[i].label for i in group] for group in each.order],
                "first": doc.plain_number(each.first),
                "last": doc.plain_number(each.last),
                "without_first": each.after,
                "without_last": each.before,
            }
            for each in ranking.stretches
        ],
    }

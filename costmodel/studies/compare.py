"""Networks side by side: their numbers, ratios to the first, and where their order changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec import SpecError
from archspec.arithmetic import Rational, common_multiple
from archspec.errors import did_you_mean
from costmodel.algebra.domains import Domain, symbols_of
from costmodel.algebra.functions import exact
from costmodel.algebra.sign_chart import Ranking, rank
from costmodel.algebra.sums import OpenLawError
from costmodel.algebra.symbols import symbol
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.domains import domain_of
from costmodel.analysis.loading import analyze_architecture
from costmodel.metrics.registry import METRICS, Metric, NoCountError
from costmodel.studies.report import Report
from costmodel.studies.revisions import SpecSource

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
        said = (analysis.assumed.texts, analysis.scenario)
        try:
            return analyze_architecture(analysis.architecture, analysis.convention, others, *said)
        except SpecError:
            return None

    def numbers(self, metrics: Iterable[Metric]) -> Iterator[Rational | None]:
        """Yield the values of metrics, None where there is none; if need be by numbers alone."""
        analysis = self.analysis
        for metric in metrics:
            try:
                yield analysis.value_if_any(metric.name)
            except OpenLawError:
                values = analysis.graph.values
                said = (analysis.architecture, analysis.convention, values, (), analysis.scenario)
                analysis = analyze_architecture(*said)
                yield analysis.value(metric.name)


class Crossing(NamedTuple):
    """The order of the networks by one metric, as a symbol grows and the others stay.

    Attributes:
        metric: it.
        ranking: the order over the symbol's values; None where no law has the symbol.
        lawless: the networks of which the metric has no law in it; with them nothing is compared.
    """

    metric: Metric
    ranking: Ranking | None
    lawless: tuple[str, ...] = ()


class Along(NamedTuple):
    """The orders as one symbol grows.

    Attributes:
        name: the symbol.
        domain: the values that it has in all networks.
        crossings: of every metric.
        closed: the networks whose structure hangs on it; with them nothing is compared.
    """

    name: str
    domain: Domain | None
    crossings: tuple[Crossing, ...]
    closed: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        """Return True where any metric depends on the symbol."""
        return any(each.ranking is not None or each.lawless for each in self.crossings)


@dataclass(frozen=True)
class Comparison:
    """Networks side by side.

    Attributes:
        networks: two or more.
        asked: the metrics that were asked for; none means the usual ones.
        along: the symbol that grows; None means each that they share.
        step: the step of its values, where one is given.
    """

    networks: tuple[ComparedNetwork, ...]
    asked: tuple[str, ...] = ()
    along: str | None = None
    step: Rational | None = None

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """Of all networks."""
        return tuple(network.analysis for network in self.networks)

    @property
    def reports(self) -> tuple[Report, ...]:
        """Of all networks."""
        return tuple(Report(analysis, self.asked) for analysis in self.analyses)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that any of them shows."""
        usual = {metric.name for report in self.reports for metric in report.totals}
        return tuple(metric for metric in METRICS.values() if metric.name in usual)

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
    def orders(self) -> tuple[Along, ...]:
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

    def _order(self, name: str) -> Along:
        opened = [network.opened(name) for network in self.networks]
        analyses = [analysis for analysis in opened if analysis is not None]
        if len(analyses) < len(opened):
            pairs = zip(self.networks, opened, strict=True)
            closed = tuple(network.label for network, analysis in pairs if analysis is None)
            return Along(name, None, (), closed)
        domain = met(domain_of(analysis, name, self.step) for analysis in analyses)
        ranks = _Ranks(name, self.networks, analyses, domain)
        return Along(name, domain, tuple(map(ranks.crossing, self.metrics)))


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

    def crossing(self, metric: Metric) -> Crossing:
        """Return the order by a metric, or the networks in which it has no closed form."""
        laws = [self._law(i, metric) for i in range(len(self.analyses))]
        found = [law.expand() for law in laws if law is not None]
        if len(found) < len(laws):
            pairs = zip(self.networks, laws, strict=True)
            return Crossing(metric, None, tuple(one.label for one, law in pairs if law is None))
        return Crossing(metric, self._ranking(found))

    def _ranking(self, laws: Sequence[Expr]) -> Ranking | None:
        """Return the order by some closed forms; None where none has the symbol."""
        if not any(law.has(self.symbol) for law in laws):
            return None
        factor = laws[0].as_content_primitive()[0]
        key = tuple((law / factor).expand() if factor else law for law in laws)
        if key not in self.known:
            usual = self.analyses[0].graph.values[self.name]
            self.known[key] = rank(key, self.symbol, self.domain, usual, self._is_valid)
        return self.known[key]

    def _law(self, i: int, metric: Metric) -> Expr | None:
        """Return a metric in one symbol, the others at their values; None without closed form."""
        if metric.is_searched:
            return None
        try:
            return self._in_symbol(self.analyses[i], metric)
        except NoCountError:
            return None
        except OpenLawError:
            alone = self.networks[i].alone(self.name)
        try:
            return None if alone is None else self._in_symbol(alone, metric)
        except OpenLawError:
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

"""A sweep as a whole: networks, what varies of each, and the query of all points."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from archspec import Architecture, SpecError
from archspec.arithmetic import Rational
from archspec.scope import free_names
from archspec.trees import Name
from archspec.zoo import find_spec
from costmodel.algebra.functions import is_whole
from costmodel.algebra.operations import Array
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.columns import SymbolColumn
from costmodel.analysis.loading import Setup, unchecked
from costmodel.metrics.registry import METRICS, NoCountError
from costmodel.network.known_layers import KnownLayers
from costmodel.network.networks import networks
from costmodel.network.propagation import LayerCost
from costmodel.scenario.patterns import is_pattern
from costmodel.scenario.scenario import Scenario, with_past
from costmodel.scenario.settings import to_rational
from costmodel.sweep.engine import Engine, Evaluated, settled
from costmodel.sweep.join import Join, read_join
from costmodel.sweep.let_overrides import opened, override_of
from costmodel.sweep.predict import Predict, Predictor, read_predictors
from costmodel.sweep.query import NO_REQUEST, Query, Request, read_query, reduced
from costmodel.sweep.reduce import Tally, Thinned, where
from costmodel.sweep.rows import DENOMINATORS, NUMERATORS, Rows, constant
from costmodel.sweep.scenarios import Options, read_scenarios, with_options
from costmodel.sweep.search import Search, points_of
from costmodel.sweep.space import Space, check_names, helpers_of, read_space
from costmodel.sweep.vary import Varied, read_varied

DRAWN = 2**20
"""The number of points of a sample that are drawn together."""


NO_SETUP = Setup()


@dataclass(frozen=True)
class SweptNetwork:
    """One network of a sweep.

    Attributes:
        labels: the label columns' texts.
        architecture: the spec.
        space: its points.
        fixed: the values of the symbols that do not vary.
        setup: its options.
        varied: what varies of any network; what this one has not is None in all of its rows.
        metrics: what is evaluated.
    """

    labels: Mapping[str, str]
    architecture: Architecture
    space: Space
    fixed: Mapping[str, Rational]
    setup: Setup
    varied: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def analysis(self, settings: Mapping[str, Any]) -> Analysis:
        """Return the analysis at some settings of what decides structure.

        Raises:
            SpecError: they leave the structure open, or make no network.
        """
        return self._made(settings) if settings else self._unset

    @cached_property
    def _unset(self) -> Analysis:
        """The analysis at no settings, worked out once."""
        return self._made({})

    def _made(self, settings: Mapping[str, Any]) -> Analysis:
        missing = [axis.name for axis in self.space.axes if axis.name not in settings]
        if missing and any(METRICS[name].is_searched for name in self.metrics):
            raise SpecError(f"the best order is searched for at numbers, also of {missing[0]}")
        header = self.architecture.header
        lets = {n: override_of(v) for n, v in settings.items() if n in header.let}
        header = header.model_copy(update={"let": header.let | lets})
        own = settings.keys() & header.symbols.keys()
        numbers = {name: to_rational(name, settings[name]) for name in sorted(own)}
        architecture = self.architecture._replace(header=header)
        return unchecked(architecture, self.setup.at({**self.fixed, **numbers}), self._known)

    @cached_property
    def _known(self) -> KnownLayers[LayerCost]:
        """The layers of the structures that were met."""
        return KnownLayers()

    @cached_property
    def typical(self) -> Analysis | None:
        """The analysis at all points, or else at the first; None where that makes no network."""
        with suppress(SpecError):
            return self.analysis({})
        with suppress(SpecError):
            return self.analysis(settled(self.space.first, self.space.links))
        return None

    @property
    def has_structures(self) -> bool:
        """Return whether what varies decides its structure."""
        symbols = self.typical.symbols if self.typical else {}
        return any(name not in symbols for name in self.space.names)

    def none_of(self, name: str) -> NoCountError | None:
        """Return the error that says why it has no number of a metric, if it has none."""
        if not METRICS[name].of_places or self.typical is None:
            return None
        return self.typical.none_of(name)

    def counts(self, name: str) -> bool:
        """Return whether a metric is an integer wherever it has a number."""
        metric = METRICS[name]
        if not metric.of_places:
            return metric.quantity is None
        if self.typical is None or self.none_of(name) is not None:
            return True
        return is_whole(self.typical.total(name))

    @cached_property
    def _engine(self) -> Engine:
        """Return what evaluates the metrics that it has; it keeps the structures it has met."""
        metrics = [name for name in self.metrics if not self.none_of(name)]
        symbols = self.architecture.header.symbols
        return Engine(self.analysis, metrics, symbols, self.space.links, self.space.size)

    def numbered(self, numbers: range) -> Iterator[Evaluated]:
        """Yield points by their numbers, evaluated chunk by chunk."""
        if self.space.sample is None:
            axes = {axis.name: axis.values for axis in self.space.axes}
            yield from self._engine.grid(axes, numbers.start, numbers.stop)
            return
        for start in numbers[::DRAWN]:
            stop = min(start + DRAWN, numbers.stop)
            yield from self._engine.points(self.space.drawn(start, stop))

    def at(self, columns: Mapping[str, SymbolColumn | Array]) -> Iterator[Evaluated]:
        """Yield points by the values of the axes, evaluated chunk by chunk."""
        yield from self._engine.points(columns) if columns else self._engine.grid({})

    def rows(
        self, names: Iterable[str], points: Iterable[Evaluated], tally: Tally
    ) -> Iterator[Rows]:
        """Yield the points that make a network: labels, what varies, fixed symbols, metrics.

        Args:
            names: the fixed symbols that are asked for.
            points: those that are looked at.
            tally: counts the points.
        """
        wanted = dict.fromkeys((*self.varied, *names))
        known = {name: self._fixed(name) for name in wanted if name not in self.space.names}
        nothing = [name for name in self.metrics if self.none_of(name)]
        metrics = [name for name in self.metrics if name not in nothing]
        same = {**self.labels, **known, **dict.fromkeys(nothing)}
        shown = (*self.space.names, *metrics, *exact_names(metrics))
        for count, rows in points:
            tally.points += count
            tally.invalid += count - rows.count
            tally.refusal = tally.refusal or self._engine.refused
            if not rows.count:
                continue
            makers = {name: constant(value, rows.count) for name, value in same.items()}
            makers |= {name: rows.maker(name) for name in shown}
            yield Rows(rows.count, makers)

    def _fixed(self, name: str) -> Rational | None:
        if name in self.varied:
            return None
        if name not in self.fixed:
            file = self.architecture.document.file
            raise SpecError(f"{file} has no symbol '{name}'")
        return self.fixed[name]


def exact_names(metrics: Iterable[str]) -> list[str]:
    """Return the columns that hold exactly those of some metrics that may be fractions."""
    real = (n for n in metrics if METRICS[n].quantity is not None or METRICS[n].of_places)
    return [part + name for name in real for part in (NUMERATORS, DENOMINATORS)]


class Plan(NamedTuple):
    """A sweep as texts, which other processes can read.

    Attributes:
        specs: paths of specs, ``PATH@VARIANT``, or ``PATH@*`` for all variants.
        vary: what varies (see `vary`).
        request: what is asked.
        setup: the options of every network.
        join: a file of columns of one's own.
        sample: how many points are drawn, where not all of a grid are meant.
        seed: of the sample.
        shard: of so many parts of the points the one that is looked at, counted from 1.
        search: how many points are looked at, where those are proposed that may be best.
        predict: functions that predict columns, or ``module:function``.
    """

    specs: tuple[str, ...]
    vary: tuple[str, ...]
    request: Request = NO_REQUEST
    setup: Setup = NO_SETUP
    join: str | None = None
    sample: int | None = None
    seed: int = 0
    shard: tuple[int, int] = (1, 1)
    search: int | None = None
    predict: tuple[str | Predict, ...] = ()


@dataclass
class Sweep:
    """A sweep: networks, what is asked, and what became of the points so far.

    Attributes:
        plan: what it was planned from.
        cases: the networks.
        query: what is asked.
        varied: what varies, as it was said.
        join: columns of a file, where one is given.
        predictors: columns that functions predict.
        tally: how many rows came and where they went.
        behind: some rows before a front was taken, for its plot.
    """

    plan: Plan
    cases: tuple[SweptNetwork, ...]
    query: Query
    varied: tuple[Varied, ...]
    join: Join | None = None
    predictors: tuple[Predictor, ...] = ()
    tally: Tally = field(default_factory=Tally)
    behind: Thinned | None = None

    @property
    def size(self) -> int:
        """The number of points that are looked at, by all shards together."""
        if self.plan.search is not None:
            return min(self.plan.search, self.points_of_space)
        return sum(case.space.size for case in self.cases)

    @property
    def points_of_space(self) -> int:
        """The number of points of which a search looks at some."""
        return sum(points_of(case.space) for case in self.cases)

    @property
    def seed(self) -> int | None:
        """The seed of the sample; None where all points are looked at."""
        spaces = (case.space for case in self.cases)
        return next((space.seed for space in spaces if space.sample is not None), None)

    @property
    def fixed(self) -> Mapping[str, Rational]:
        """The values of what does not vary, where all networks have the same."""
        first, *others = (case.fixed for case in self.cases)
        return first if all(each == first for each in others) else {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The label columns."""
        return tuple(self.cases[0].labels)

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns before the requested ones: labels, and what varies."""
        return (*self.labels, *(one.name for one in self.varied))

    @property
    def numbers(self) -> range:
        """The numbers of the points that are looked at: of a shard its own."""
        part, parts = self.plan.shard
        return range(self.size * (part - 1) // parts, self.size * part // parts)

    @property
    def reduction(self) -> Query:
        """The query of the rows that are looked at: of a shard, what leaves it to be merged."""
        is_all = self.plan.shard[1] == 1
        return self.query if is_all else self.query.of_part._replace(sort=self.query.sort)

    @property
    def has_structures(self) -> bool:
        """Return whether what varies decides structure, in some network."""
        return any(case.has_structures for case in self.cases)

    def rows(self, watch: Callable[[int], None] = lambda _: None) -> Iterator[Rows]:
        """Yield the rows that are kept, in order; ``watch`` is called with the points so far."""
        return self.finished(self.reduced(self.evaluated(self.numbers, watch)))

    def finished(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        """Yield chunks, and raise why no point makes a network where none does.

        Raises:
            SpecError: none does. Of a shard that is none, for others may have some.
        """
        yield from chunks
        if self.plan.shard[1] == 1:
            self.tally.require_network()

    def evaluated(self, numbers: range, watch: Callable[[int], None]) -> Iterator[Rows]:
        """Yield the rows of some points that keep all conditions."""
        is_search = self.plan.search is not None
        chunks = self._searched(watch) if is_search else self._numbered(numbers, watch)
        return where(chunks, self.query.conditions, self.tally)

    def completed(self, case: SweptNetwork, points: Iterable[Evaluated]) -> Iterator[Rows]:
        """Yield the rows of some points of a network, with the columns that others add."""
        needed = self.query.names | set(self.join.keys if self.join else ())
        joined = self.join.columns if self.join else {}
        predicted = {each.name for each in self.predictors}
        fixed = sorted(needed - METRICS.keys() - joined.keys() - set(self.labels) - predicted)
        chunks = case.rows(fixed, points, self.tally)
        if self.join is not None:
            chunks = self.join.joined(chunks, self.tally)
        for each in self.predictors:
            chunks = each.predicted(chunks)
        return chunks

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that rows keep, as texts."""
        return tuple(condition.text for condition in self.query.conditions)

    @property
    def joined(self) -> tuple[str, int] | None:
        """The joined file, if there is one, and how many of its lines are of no point."""
        return None if self.join is None else (self.join.file, self.join.unused)

    @property
    def once(self) -> tuple[str, ...]:
        """The columns of which no values are among the best twice: all that tells points apart."""
        return () if self.seed is None else self.shown

    def reduced(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        """Yield of some rows those that are kept, in order."""
        if self.behind is not None:
            chunks = self.behind.passing(chunks)
        for chunk in reduced(chunks, self.reduction, self.tally, self.once):
            self.tally.kept += chunk.count
            yield chunk

    def part_reduced(self, chunks: Iterable[Rows]) -> list[Rows]:
        """Return of a part's rows those among which are all that are kept of the whole."""
        found = reduced(chunks, self.query.of_part, Tally(), self.once)
        return [chunk.made() for chunk in found]

    @property
    def pickled(self) -> bytes:
        """The plan for another process."""
        return pickle.dumps(self.plan)

    def _searched(self, watch: Callable[[int], None]) -> Iterator[Rows]:
        """Yield the rows of the points that a search looks at."""

        def rows(number: int, columns: Mapping[str, SymbolColumn | Array]) -> Iterator[Rows]:
            case = self.cases[number]
            for chunk in self.completed(case, case.at(columns)):
                watch(self.tally.points)
                yield chunk

        spaces, labels = zip(*((case.space, case.labels) for case in self.cases), strict=True)
        most, seed = self.plan.search or 0, self.plan.seed
        return Search(spaces, labels, self.query, self.join, most, seed, rows).found()

    def _numbered(self, numbers: range, watch: Callable[[int], None]) -> Iterator[Rows]:
        before = 0
        for case in self.cases:
            own = range(max(numbers.start - before, 0), min(numbers.stop - before, case.space.size))
            before += case.space.size
            for rows in self.completed(case, case.numbered(own)) if own else ():
                watch(self.tally.points)
                yield rows


def sweep(
    specs: Sequence[str],
    vary: Sequence[str],
    request: Request = NO_REQUEST,
    *,
    setup: Setup = NO_SETUP,
    join: str | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> Sweep:
    """Return a sweep, as ``sweep(["specs/mobilenetv2.yaml"], ["h=96,128,160", "w=h"])``.

    Args:
        specs: paths of specs, ``PATH@VARIANT``, or ``PATH@*`` for all variants.
        vary: what varies, as texts (see `vary`).
        request: what is asked, as texts.
        setup: the options of every network.
        join: a file of columns of one's own.
        sample: how many points are drawn, where not all of a grid are meant.
        seed: of the sample.

    Raises:
        SpecError: an option breaks a rule, or names what is not there.
    """
    return planned(Plan(tuple(specs), tuple(vary), request, setup, join, sample, seed))


def planned(plan: Plan) -> Sweep:
    """Return the sweep of a plan.

    Raises:
        SpecError: an option breaks a rule, or names what is not there.
    """
    setup, join = plan.setup, plan.join
    given = list(_networks(plan.specs, setup.scenario))
    headers = [each.header for _, each in given]
    known = {name for each in headers for name in (*each.symbols, *each.let)}
    scenarios, vary = read_scenarios(plan.vary, known)
    asked = read_varied(vary)
    varied = tuple(one for one in asked if not one.pattern)
    helpers = helpers_of(varied, known | {one.name for one in asked if one.of})
    check_names((one for one in asked if not one.of), headers, helpers)
    found = [(file, each._replace(header=opened(each.header, asked))) for file, each in given]
    setup = setup.agreed(*(each for _, each in found))
    if not varied and len(found) * len(scenarios) < 2:
        raise SpecError("nothing varies", hint="as in --vary h=96,128,160 width=0.35:1.4:0.05")
    symbols, labels = _symbols(found), _labels(found)
    texts = [*labels[0], *scenarios[0]]
    read = None if join is None else read_join(join, [*symbols, *texts], texts)
    shown = [*texts, *(one.name for one in varied)]
    columns = {**symbols, **dict.fromkeys(helpers)}
    joined = read.columns if read else {}
    predictors = read_predictors(plan.predict, [*columns, *texts, *joined])
    predicted = [each.name for each in predictors]
    query = read_query(plan.request, columns, [*joined, *predicted], shown)
    _check_search(plan, query)
    setup.require_known([each for _, each in found])
    cases = tuple(
        _case({**label, **options}, each, varied, _setup_with(setup, options), plan, query)
        for label, (_, each) in zip(labels, found, strict=True)
        for options in scenarios
    )
    return Sweep(plan, cases, query, varied, read, predictors)


def _check_search(plan: Plan, query: Query) -> None:
    """Make sure that a search knows what is best, and is no sample and no shard."""
    if plan.search is None:
        return
    if not query.searched:
        hint = "as in --search 5000 --minimise macs, or --top 9 --by macs"
        raise SpecError("--search: what is looked for?", hint=hint)
    if plan.sample is not None or plan.shard[1] > 1:
        other = "--shard" if plan.sample is None else "--sample"
        raise SpecError(f"--search and {other}: a search proposes the points that it looks at")


def _setup_with(setup: Setup, options: Options) -> Setup:
    return setup._replace(scenario=with_options(setup.scenario, options))


def _case(
    label: Mapping[str, str],
    architecture: Architecture,
    varied: Sequence[Varied],
    setup: Setup,
    plan: Plan,
    query: Query,
) -> SweptNetwork:
    """Return one network of a sweep, the symbols that it does not vary at their values."""
    header = architecture.header
    given = setup.given_to(architecture)
    space = read_space(varied, header, given, plan.sample or plan.search, plan.seed)
    known = {**header.defaults, **given}
    fixed = {name: value for name, value in known.items() if name not in space.names}
    names = tuple(one.name for one in varied)
    case = SweptNetwork(label, architecture, space, fixed, setup, names, query.metrics)
    _require_numbers(query, case)
    return case


def _require_numbers(query: Query, case: SweptNetwork) -> None:
    """Make sure that a network has the metrics that are compared, ordered or computed with."""
    computed = (column for column in query.columns if not isinstance(column.tree, Name))
    for expression in (*computed, *query.compared):
        for name in METRICS.keys() & free_names(expression.tree):
            error = case.none_of(name)
            if error is not None:
                raise error


def _networks(specs: Sequence[str], scenario: Scenario) -> Iterator[tuple[str, Architecture]]:
    """Yield every network that some texts name, with its file (see `networks`)."""
    seen = set()
    for spec in specs:
        path, of = find_spec(spec)
        is_every = of == "*" and not is_pattern(path)
        for architecture in networks([spec]):
            file, variant = architecture.document.file, architecture.variant
            if is_every and not architecture.header.variants:
                raise SpecError(f"{file} has no variants")
            if (file, variant) in seen:
                raise SpecError(f"{file} is swept twice, as {spec}")
            seen.add((file, variant))
            yield file, with_past(architecture, scenario)


def _symbols(found: Sequence[tuple[str, Architecture]]) -> dict[str, None]:
    """Return the symbols of all networks, each once, in their order."""
    return dict.fromkeys(name for _, each in found for name in each.header.symbols)


def _labels(found: Sequence[tuple[str, Architecture]]) -> list[dict[str, str]]:
    """Return what tells the networks apart: the file's name, the variant, both or neither."""
    files = {file for file, _ in found}
    stems = {file: Path(file).stem for file in files}
    names = stems if len(set(stems.values())) == len(files) else {file: file for file in files}
    variants = {architecture.variant for _, architecture in found}
    labels: list[dict[str, str]] = []
    for file, architecture in found:
        label = {"spec": names[file]} if len(files) > 1 else {}
        if len(variants) > 1:
            label["variant"] = architecture.variant or ""
        labels.append(label)
    return labels

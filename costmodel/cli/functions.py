"""The questions as functions of Python, which return documents, and the documents in notebooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache
from inspect import Parameter, Signature, signature
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack, get_args, get_origin

from sympy import Expr

from archspec.architecture import Source
from archspec.errors import SpecError, did_you_mean
from costmodel.analysis.analysis import Analysis, Point
from costmodel.analysis.document import (
    COUNT,
    ClosedForm,
    Column,
    Document,
    Entries,
    LabelledValue,
    table_of,
)
from costmodel.analysis.frames import Tabular, require
from costmodel.analysis.loading import Setup, analyze
from costmodel.render.html import fragment
from costmodel.render.sweep import first_rows, notes_of
from costmodel.scenario.conventions import Convention
from costmodel.scenario.scenario import ScenarioOptions, as_scenario
from costmodel.scenario.settings import Number
from costmodel.studies import QUESTIONS, Question
from costmodel.studies.measures import named
from costmodel.studies.report import Report
from costmodel.studies.report_document import document
from costmodel.sweep.cluster import LOCAL, evaluated, require_place
from costmodel.sweep.fields import fields_of
from costmodel.sweep.jobs import rows_by
from costmodel.sweep.predict import Predict
from costmodel.sweep.query import Request
from costmodel.sweep.reduce import Tally
from costmodel.sweep.rows import Rows
from costmodel.sweep.shards import shard_of
from costmodel.sweep.study import Plan, Sweep, planned

if TYPE_CHECKING:
    import pyarrow

    from costmodel.render.plots import Drawing

SETUP_OPTIONS = ("convention", "settings", "assume", "scenario")
"""The options beside the spec, of all functions that take a network."""

SETUP_HELP = """
        convention: what counts, as `analyze` takes it.
        settings: symbols that are set, as ``{"h": 192}``.
        assume: what holds of the others, as ``w == h``.
        scenario: types of numbers, the device and the like, as ``{"hardware": "t4"}``.
"""
"""The lines of a docstring on these options."""

Network = Source | Analysis
"""A name of the zoo, a path, a mapping, the text of a spec; or what `analyze` made of one."""


@cache
def function_of(name: str) -> Callable[..., Document]:
    """Return the function of a question: its command's words and options, as Python has them.

    What is said beside the spec are keywords: ``convention``, ``settings``, ``assume`` and
    ``scenario``, as `costmodel.analysis.loading.analyze` takes them.

    Raises:
        SpecError: there is no such question.
    """
    question = QUESTIONS[name]
    parameters = signature(question.ask).parameters
    declared = _signature(parameters)

    def ask(*words: Any, **options: Any) -> Document:
        try:
            declared.bind(*words, **options)
        except TypeError as error:
            raise TypeError(f"{ask.__name__}: {error}") from None
        setup = _setup(question.defaults, **{key: options.pop(key, None) for key in SETUP_OPTIONS})
        options = {key: _several(value, parameters[key]) for key, value in options.items()}
        given = list(map(_several, words, parameters.values()))
        if options.get("metric"):
            options["metric"] = named(options["metric"], setup.scenario)
        if "setup" in parameters:
            options["setup"] = setup
        if "analysis" in parameters:
            given[0] = _network(words[0], setup, options, question)
        return question.ask(*given, **options)

    ask.__name__ = ask.__qualname__ = name.replace("-", "_")
    ask.__doc__ = _help(
        question.ask.__doc__ or "", has_setup=len(declared.parameters) > len(parameters)
    )
    ask.__dict__["__signature__"] = declared
    return ask


def _help(text: str, *, has_setup: bool) -> str:
    """Return the docstring of a function: its command's, without the lines for a shell."""
    about, _, rest = text.partition("\n    Examples:\n")
    _, _, raised = rest.partition("\n\n")
    return about.rstrip() + (SETUP_HELP if has_setup else "\n") + ("\n" + raised if raised else "")


def _several(value: Any, parameter: Parameter) -> Any:
    """Return the words of a parameter that takes several as such, also where it is one.

    Raises:
        SpecError: one of them is no text.
    """
    kinds = {get_origin(each) for each in (parameter.annotation, *get_args(parameter.annotation))}
    if value is None or not kinds & {tuple, list}:
        return value
    texts = [value] if isinstance(value, str | PathLike) else list(value)
    for each in texts:
        if not isinstance(each, str | PathLike):
            cause = f"{parameter.name} takes names, paths and texts, not {each!r}"
            raise SpecError(cause, hint="a network is given by its name or its path here")
    paths = [fspath(each) for each in texts]
    return tuple(paths) if tuple in kinds else paths


def _network(
    network: Network, setup: Setup, options: Mapping[str, Any], question: Question
) -> Analysis:
    """Return the analysis that a question is about, with one symbol open where it asks for that.

    Raises:
        SpecError: an analysis is given in which other symbols are open.
    """
    wanted = options.get("for_")
    if isinstance(network, Analysis):
        if wanted is not None and {*network.symbols} != {wanted}:
            names = ", ".join(network.symbols) or "none"
            cause = f"'{wanted}' alone must be open in the network, and open are: {names}"
            raise SpecError(cause, hint="give the network's name or path instead of its analysis")
        return network
    if wanted is not None:
        from costmodel.studies.solve import opened

        return opened(network, wanted, setup)
    closed_forms = question.opens or bool(options.get("symbolic"))
    return analyze(network, **setup._asdict(), numbers_suffice=not closed_forms)


def _signature(parameters: Mapping[str, Parameter]) -> Signature:
    """Return the question's parameters, and those of what is said beside the spec."""
    shown = [each for name, each in parameters.items() if name != "setup"]
    if {"analysis", "setup"} & parameters.keys():
        beside = signature(_setup).parameters
        shown += [beside[name].replace(kind=Parameter.KEYWORD_ONLY) for name in SETUP_OPTIONS]
    return Signature(
        [each.replace(annotation=Network) if each.name == "analysis" else each for each in shown],
        return_annotation=Document,
    )


@dataclass(frozen=True, repr=False)
class SweepPoints(Tabular):
    """The points of a sweep, evaluated when they are asked for.

    Attributes:
        sweep: what is swept.
        place: the executor of its parts, or what `evaluated` takes: this machine or a cluster,
            and the number of processes.
    """

    sweep: Sweep
    place: Executor | tuple[str, int] = (LOCAL, 1)

    def __repr__(self) -> str:
        return f"<sweep of {self.sweep.size:,} points>"

    def front(self, *objectives: str) -> "SweepPoints":
        """Return the points that no other beats, as ``front("latency", "accuracy:max")``.

        Raises:
            SpecError: an objective breaks a rule, or these are a front or the best already.
        """
        if self.sweep.query.keeps_few:
            cause = "these points are a front or the best already, and a front is of all points"
            raise SpecError(cause, hint="ask all points for it")
        return self._requested(pareto=objectives)

    def top(self, count: int, by: str) -> "SweepPoints":
        """Return the best few points, also of a front, as ``top(20, "macs/params:max")``.

        Raises:
            SpecError: what is best breaks a rule, or these are the best in something already.
        """
        if self.sweep.query.top is not None:
            cause = "these points are the best already, in something else"
            raise SpecError(cause, hint="ask all points for them")
        return self._requested(top=count, by=by)

    def _requested(self, **changes: Any) -> "SweepPoints":
        """Return the same points with the columns that they have, of which others are kept."""
        columns = tuple(column.text for column in self.sweep.query.columns)
        request = self.sweep.plan.request._replace(metrics=columns, **changes)
        study = planned(self.sweep.plan._replace(request=request))
        return SweepPoints(study, self.place)

    def to_arrow(self) -> "pyarrow.Table":
        """Return all rows in the types of a Parquet file, which hold them exactly.

        Raises:
            SpecError: pyarrow is missing.
        """
        parquet = require("pyarrow.parquet")
        from costmodel.render.sweep_parquet import write_parquet

        study = self._anew()
        with TemporaryDirectory() as folder:
            file = Path(folder) / "points.parquet"
            write_parquet(file, fields_of(study), self._rows(study))
            return parquet.read_table(file, memory_map=False)

    def plot(
        self, path: str, *, label: str | Sequence[str] = (), colour: str | None = None
    ) -> "Drawing":
        """Draw what is kept into a file: .svg, .png or .pdf.

        Args:
            path: the file.
            label: the columns that name the points of a front.
            colour: the column by which they are coloured.

        Raises:
            SpecError: what varies cannot be drawn, or matplotlib is missing.
        """
        from costmodel.render.plots import require_plot
        from costmodel.render.sweep_plot import draw
        from costmodel.sweep.figures import SweepFigure

        require_plot(path)
        study = self._anew()
        figure = SweepFigure(study, _texts(label), colour)
        for _ in figure.passing(self._rows(study)):
            pass
        return draw(figure, path)

    def _rows(self, study: Sweep) -> Iterator[Rows]:
        if isinstance(self.place, Executor):
            yield from rows_by(self.place, study)
            return
        with evaluated(*self.place, study) as rows:
            yield from rows(lambda _: None)

    def _anew(self) -> Sweep:
        """Return the sweep with no point counted."""
        return replace(self.sweep, tally=Tally(), behind=None)

    def _repr_html_(self) -> str:
        study = self._anew()
        rows = self._rows(study)
        return fragment(first_rows(study, fields_of(study), rows, notes_of(study)))


class SweepOptions(ScenarioOptions, total=False):
    """The options of points beside the request, each also a word of a scenario by itself.

    Attributes:
        convention: what counts, as `analyze` takes it.
        settings: symbols that are set, as ``{"h": 192}``.
        assume: what holds of the others, as ``w == h``.
        scenario: types of numbers, the device and the like, as ``{"hardware": "t4"}``.
        join: a CSV file with columns of one's own.
        sample: how many points are drawn by chance.
        search: how many points are looked at, proposed by what was found so far.
        seed: of the sample or the search.
        shard: one part of so many, as ``3/64``.
        predict: functions that make a column of the others, or ``module:function``.
        executor: any of ``concurrent.futures``, which evaluates parts of the points.
        jobs: the processes that evaluate them, one if not said.
        on: the cluster that evaluates them, as ``dask://host:8786``.
    """

    convention: Convention | str | None
    settings: Mapping[str, Number] | None
    assume: Sequence[str] | None
    scenario: Mapping[str, object] | None
    join: str | None
    sample: int | None
    search: int | None
    seed: int
    shard: str | None
    predict: str | Predict | Sequence[str | Predict]
    executor: Executor | None
    jobs: int | None
    on: str


def sweep_points(
    specs: str | Sequence[str],
    vary: str | Sequence[str] | Mapping[str, Number | Iterable[Any]] = (),
    *,
    metric: Sequence[str] = (),
    where: Sequence[str] = (),
    pareto: Sequence[str] = (),
    top: int | None = None,
    by: str | None = None,
    sort: Sequence[str] = (),
    **options: Unpack[SweepOptions],
) -> SweepPoints:
    """Return many points of a design space, as ``sweep_points("mobilenet_v2", "h=96,128")``.

    Args:
        specs: one or more specs, as the command takes them.
        vary: what varies, as ``h=96:224:32`` or ``{"dtype": ["fp16", "int8"]}``.
        metric: what is shown: metrics, and what is made of them.
        where: what must hold, as ``macs <= 300M``.
        pareto: what the front is about, as ``macs``, ``params:max``.
        top: how many of the best are kept.
        by: what is best.
        sort: the order of the rows.
        options: which points are looked at and where, and what counts (see `SweepOptions`):
            join, sample, search, seed, shard, predict, executor, jobs, on, convention, settings,
            assume, scenario, and a scenario's words by themselves, as ``dtype="int8"``.

    Raises:
        SpecError: an option breaks a rule, or names what is not there.
    """
    shown, held, front, order = map(_texts, (metric, where, pareto, sort))
    request = Request(shown, held, front, top, by, order)
    plan = Plan(_texts(specs), _axes(vary), request, _setup_of(options))
    return SweepPoints(planned(_points_of(plan, options)), _place(options))


def _axes(vary: str | Sequence[str] | Mapping[str, Number | Iterable[Any]]) -> tuple[str, ...]:
    """Return what varies as the command line says it."""
    if not isinstance(vary, Mapping):
        return _texts(vary)
    several = {
        name: values if isinstance(values, Iterable) and not isinstance(values, str) else (values,)
        for name, values in vary.items()
    }
    return tuple(f"{name}={','.join(map(str, values))}" for name, values in several.items())


def _setup_of(options: Mapping[str, Any]) -> Setup:
    """Return the options of every network: the usual ones, and a scenario's words by themselves.

    Raises:
        SpecError: there is no such option.
    """
    known = SweepOptions.__annotations__
    for name in options:
        if name not in known:
            hint = did_you_mean(name, [*signature(sweep_points).parameters, *known])
            raise SpecError(f"sweep_points has no '{name}', nor has a scenario", hint=hint)
    own = {name: options[name] for name in SETUP_OPTIONS if name in options}
    words = {name: options[name] for name in ScenarioOptions.__annotations__ if name in options}
    return _setup({}, **{**own, "scenario": {**(own.get("scenario") or {}), **words}})


def _points_of(plan: Plan, options: SweepOptions) -> Plan:
    """Return a plan that looks at the points that are asked for."""
    predict = options.get("predict", ())
    functions = (predict,) if isinstance(predict, str) or callable(predict) else tuple(predict)
    return plan._replace(
        join=options.get("join"),
        sample=options.get("sample"),
        seed=options.get("seed", 0),
        shard=shard_of(options.get("shard")),
        search=options.get("search"),
        predict=functions,
    )


def _place(options: SweepOptions) -> Executor | tuple[str, int]:
    """Return where points are evaluated: an executor, or what `evaluated` takes.

    Raises:
        SpecError: there is no such place, or there are two.
    """
    on, jobs, executor = options.get("on", LOCAL), options.get("jobs"), options.get("executor")
    workers = require_place(on, jobs)
    if executor is None:
        return on, workers if jobs else 1
    if on != LOCAL or jobs:
        raise SpecError("points are evaluated by an executor, or by on= and jobs=")
    return executor


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return several texts as a tuple, also where it is one."""
    return (value,) if isinstance(value, str) else tuple(value)


def _setup(
    defaults: Mapping[str, str],
    convention: str | None = None,
    settings: Mapping[str, Number] | None = None,
    assume: str | Sequence[str] | None = None,
    scenario: Mapping[str, Any] | None = None,
) -> Setup:
    stated = as_scenario({**defaults, **(scenario or {})})
    return Setup(convention, settings or {}, _texts(assume or ()), stated)


def layers(network: Analysis, metrics: tuple[str, ...] = (), *, symbolic: bool) -> Document:
    """Return the report of a network, layer by layer."""
    return document(Report(network, metrics, symbolic))


def show(shown: Document | Analysis | Point) -> str:
    """Return what a notebook shows: a document; of a network its layers, its totals as formulas."""
    if isinstance(shown, Document):
        return fragment(shown)
    if isinstance(shown, Point):
        rows = (
            (m.title, shown.evaluate(shown.analysis.total(m.name)))
            for m in Report(shown.analysis).columns
        )
        return fragment(Document(repr(shown), lambda: iter([table_of(_TOTALS, rows)]), dict))
    report = Report(shown)
    totals = (
        LabelledValue(metric.title, _closed_form(report, metric.name)) for metric in report.columns
    )
    formulas = Entries(tuple(totals), are_equations=True)
    page = fragment(document(report))
    return page + fragment(Document("", lambda: iter((formulas,)), dict)) * bool(shown.symbols)


_TOTALS = (Column("metric", "metric"), Column("value", "value", COUNT))


def _closed_form(report: Report, name: str) -> ClosedForm | None:
    total: Expr | None = None if report.analysis.none_of(name) else report.total(name)
    return None if total is None else ClosedForm(total, read=report.analysis.read)

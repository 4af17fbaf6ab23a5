"""The questions as functions of Python, which return documents, and the documents in notebooks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, Signature, signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_origin

from sympy import Expr

from archspec.architecture import Source
from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import ClosedForm, Document, Entries, LabelledValue
from costmodel.analysis.frames import Tabular, require
from costmodel.analysis.loading import Setup, analyze
from costmodel.render.html import fragment
from costmodel.render.sweep import first_rows, notes_of
from costmodel.scenario.scenario import as_scenario
from costmodel.scenario.settings import Number
from costmodel.studies import QUESTIONS, Question
from costmodel.studies.report import Report
from costmodel.studies.report_document import document
from costmodel.sweep.fields import fields_of
from costmodel.sweep.query import Request
from costmodel.sweep.study import Sweep
from costmodel.sweep.study import sweep as planned

if TYPE_CHECKING:
    import pyarrow

_HTML = "_repr_html_"
"""The method that notebooks look for."""

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
    asked = signature(question.ask).parameters

    def ask(
        *words: Any,
        convention: str | None = None,
        settings: Mapping[str, Number] | None = None,
        assume: Iterable[str] = (),
        scenario: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Document:
        setup = _setup(question.defaults, convention, settings, assume, scenario)
        options = {key: _several(value, asked.get(key)) for key, value in options.items()}
        if "setup" in asked:
            options["setup"] = setup
        if "analysis" in asked and words:
            words = (_network(words[0], setup, options, question), *words[1:])
        return question.ask(*words, **options)

    ask.__name__ = ask.__qualname__ = name.replace("-", "_")
    ask.__doc__ = question.ask.__doc__
    ask.__dict__["__signature__"] = _signature(ask, asked)
    return ask


def _several(value: Any, asked: Parameter | None) -> Any:
    """Return a value of an option that takes several as a tuple, also where it is one text."""
    if asked is None or get_origin(asked.annotation) is not tuple:
        return value
    return _texts(value)


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
    laws = question.opens or bool(options.get("symbolic"))
    return analyze(network, **setup._asdict(), numbers_suffice=not laws)


def _signature(ask: Callable[..., Any], asked: Mapping[str, Parameter]) -> Signature:
    """Return the question's parameters, and those of what is said beside the spec."""
    shown = [each for name, each in asked.items() if name != "setup"]
    if {"analysis", "setup"} & asked.keys():
        beside = signature(ask).parameters.values()
        shown += [each for each in beside if each.kind is Parameter.KEYWORD_ONLY]
    return Signature(
        [each.replace(annotation=Network) if each.name == "analysis" else each for each in shown],
        return_annotation=Document,
    )


@dataclass(frozen=True, repr=False)
class Points(Tabular):
    """The points of a sweep, evaluated when they are asked for."""

    sweep: Sweep

    def __repr__(self) -> str:
        return f"<sweep of {self.sweep.size:,} points>"

    def to_arrow(self) -> "pyarrow.Table":
        """Return all rows, with exact types (see `costmodel.render.sweep_parquet`).

        Raises:
            SpecError: pyarrow is missing.
        """
        parquet = require("pyarrow.parquet")
        from costmodel.render.sweep_parquet import write_parquet

        with TemporaryDirectory() as folder:
            file = Path(folder) / "points.parquet"
            write_parquet(file, fields_of(self.sweep), self.sweep.rows())
            return parquet.read_table(file, memory_map=False)

    def _repr_html_(self) -> str:
        fields, rows = fields_of(self.sweep), self.sweep.rows()
        return fragment(first_rows(self.sweep, fields, rows, notes_of(self.sweep)))


def sweep_points(
    specs: str | Sequence[str],
    vary: str | Sequence[str] = (),
    *,
    metric: Sequence[str] = (),
    where: Sequence[str] = (),
    pareto: Sequence[str] = (),
    top: int | None = None,
    by: str | None = None,
    sort: Sequence[str] = (),
    join: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    **said: Any,
) -> Points:
    """Return many points of a design space, as ``sweep_points("mobilenet_v2", "h=96,128")``.

    Args:
        specs: one or more specs, as the command takes them.
        vary: what varies, as ``h=96:224:32``.
        metric: what is shown: metrics, and what is made of them.
        where: what must hold, as ``macs <= 300M``.
        pareto: what the front is about, as ``macs``, ``params:max``.
        top: how many of the best are kept.
        by: what is best.
        sort: the order of the rows.
        join: a CSV file with columns of one's own.
        sample: how many points are drawn by chance.
        seed: of the sample.
        said: ``convention``, ``settings``, ``assume`` and ``scenario``, as `analyze` takes them.

    Raises:
        SpecError: an option breaks a rule, or names what is not there.
    """
    shown, held, front, order = map(_texts, (metric, where, pareto, sort))
    request = Request(shown, held, front, top, by, order)
    words, setup = (_texts(specs), _texts(vary)), _setup({}, **said)
    return Points(planned(*words, request, setup=setup, join=join, sample=sample, seed=seed))


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return several texts as a tuple, also where it is one."""
    return (value,) if isinstance(value, str) else tuple(value)


def _setup(
    defaults: Mapping[str, str],
    convention: str | None = None,
    settings: Mapping[str, Number] | None = None,
    assume: Iterable[str] = (),
    scenario: Mapping[str, Any] | None = None,
) -> Setup:
    said = as_scenario({**defaults, **(scenario or {})})
    return Setup(convention, settings or {}, tuple(assume), said)


def layers(network: Analysis, metrics: tuple[str, ...] = (), *, symbolic: bool) -> Document:
    """Return the report of a network, layer by layer."""
    return document(Report(network, metrics, symbolic))


def show_document(shown: Document) -> str:
    """Return what a notebook shows of a document."""
    return fragment(shown)


def show_analysis(analysis: Analysis) -> str:
    """Return what a notebook shows of a network: the table of layers, totals as formulas."""
    report = Report(analysis)
    totals = (LabelledValue(metric.title, _law(report, metric.name)) for metric in report.columns)
    formulas = Entries(tuple(totals), are_equations=True)
    page = fragment(document(report))
    return page + fragment(Document("", lambda: iter((formulas,)), dict)) * bool(analysis.symbols)


def _law(report: Report, name: str) -> ClosedForm | None:
    total: Expr | None = None if report.analysis.none_of(name) else report.total(name)
    return None if total is None else ClosedForm(total, read=report.analysis.read)


def install() -> None:
    """Let notebooks show documents and networks by these functions."""
    setattr(Document, _HTML, show_document)
    setattr(Analysis, _HTML, show_analysis)

"""The questions as functions of Python, which return documents, and the documents in notebooks."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any, get_origin

from sympy import Expr

from archspec.architecture import Source
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import ClosedForm, Document, Entries, LabelledValue
from costmodel.analysis.loading import Setup, analyze
from costmodel.render.html import fragment
from costmodel.scenario.scenario import as_scenario
from costmodel.scenario.settings import Number
from costmodel.studies import QUESTIONS, Question
from costmodel.studies.report import Report
from costmodel.studies.report_document import document

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
        said = as_scenario({**question.defaults, **(scenario or {})})
        setup = Setup(convention, settings or {}, tuple(assume), said)
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
    return (value,) if isinstance(value, str) else tuple(value)


def _network(
    network: Network, setup: Setup, options: Mapping[str, Any], question: Question
) -> Analysis:
    """Return the analysis that a question is about, with one symbol open where it asks for that."""
    if isinstance(network, Analysis):
        return network
    if options.get("for_") is not None:
        from costmodel.studies.solve import opened

        return opened(network, options["for_"], setup)
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

"""A report's closed forms as functions: one per metric, its arguments, its checks."""

from collections.abc import Iterator

from archspec.errors import SpecError
from costmodel.algebra.code import Function, Language, Program, Writer, parameters_of
from costmodel.algebra.conditions import AtLeast, Condition, condition_text
from costmodel.algebra.printing import text
from costmodel.analysis.standing import standing_notes
from costmodel.studies.report import Report


def program(report: Report, language: Language) -> Program:
    """Return the closed forms of a report's totals in a language.

    Raises:
        SpecError: a law has no exact form in integers.
    """
    symbols = report.analysis.symbols
    parameters = parameters_of(symbols.values(), language)
    writer = Writer(language, parameters.integers)
    conditions = [*_domains(report), *report.analysis.demands]
    positive = (f"{name} >= {language.number(1)}" for name in parameters.names)
    return Program(
        title=_title(report),
        parameters=parameters,
        checks=(*positive, *map(writer.condition, conditions)),
        rule=" and ".join(["every argument is positive", *map(condition_text, conditions)]),
        functions=tuple(_functions(report, writer)),
    )


def _title(report: Report) -> str:
    """Return the network, and what its laws stand on beside the arguments and their rule."""
    analysis = report.analysis
    at = report.setting_without(*analysis.symbols, *analysis.assumed.derived)
    notes = standing_notes(analysis, at=at, conditions="")
    return "; ".join((report.title, *(f"{label} {said}" for label, said in notes)))


def _functions(report: Report, writer: Writer) -> Iterator[Function]:
    for metric in report.totals:
        if metric.quantity is not None:
            if metric.name in report.metrics:
                cause = (
                    f"{metric.name} is in {metric.unit.name}, and these functions are of integers"
                )
                raise SpecError(cause, hint="--format json has its law")
            continue
        if metric.name not in report.metrics and report.analysis.none_of(metric.name):
            continue
        law = report.total(metric.name)
        if law.is_Rational and not law.is_Integer:
            cause = f"{metric.name} is {law}, and these functions are of integers"
            raise SpecError(cause, hint="--format json has its law")
        about = (f"{metric.title} in {metric.unit.name}:", text(law))
        yield Function(metric.name, about, writer.law(law))


def _domains(report: Report) -> Iterator[Condition]:
    """Return the smallest values that the spec gives its symbols."""
    for name, symbol in report.analysis.symbols.items():
        least = report.analysis.graph.symbols[name].min
        is_trivial = symbol.is_integer and least == 1
        if least is not None and not is_trivial:
            yield AtLeast(symbol, least)

"""The document of a report: a table of numbers or of closed forms, with notes; its functions."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, repeat
from typing import Any

from sympy import Expr

from archspec.errors import SpecError
from costmodel.algebra.code import Function, Language, Program, Writer, parameters_of
from costmodel.algebra.conditions import AtLeast, Condition, condition_text
from costmodel.algebra.functions import Quantity
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.number_format import show_amount
from costmodel.analysis.standing import document_of, scenario_fields, standing_notes
from costmodel.metrics.memory_peak import Order, memory
from costmodel.metrics.registry import Metric
from costmodel.rules.formula import show_bytes
from costmodel.studies.description import describe
from costmodel.studies.report import BEFORE, OTHERS, Report
from costmodel.studies.report import ReportRow as Layer

PEAKS = ("activations_peak", "in_out_peak", "memory_peak", "memory_peak_best")
"""The metrics whose terms are shown with their layers."""


def document(report: Report, facts: Iterable[doc.Note] = (), **others: Any) -> doc.Document:
    """Return the document of a report.

    Args:
        report: the network with the choice of what to show.
        facts: what is to be said before its notes.
        others: parts of the document that are not the report's own (see `doc.Document`).
    """

    def blocks() -> Iterator[doc.Block]:
        yield symbolic_table(report) if report.symbolic else number_table(report)
        yield doc.entries((*facts, *notes(report)))

    own = {"blocks": blocks, "data": partial(data, report)}
    own |= {"rows": partial(plain_table, report), "program": partial(program, report)}
    return document_of(report.analysis, **{**own, **others})


def columns_of(report: Report) -> list[doc.Column]:
    """Return the columns of numbers."""
    return [
        doc.Column(
            each.name,
            report.forms.title(each),
            report.forms.kind(each),
            hides_zero=each.metric is not None and not each.metric.of_places,
            keep=int(each.name == report.by),
        )
        for each in report.numbers
    ]


def beginning(report: Report) -> tuple[doc.Column, ...]:
    """Return the columns before the metrics, of which the first stays."""
    return tuple(
        doc.Column(name, BEFORE[name], keep=-int(name == "shape")) for name in report.before
    )


def _described(report: Report) -> dict[str, str]:
    """Return path → the words for a layer, where they are shown."""
    if "description" not in report.before:
        return {}
    evaluate = report.analysis.evaluator
    return {layer.node.path: describe(layer, evaluate) for layer in report.analysis.layers}


def number_table(report: Report) -> doc.Table:
    """Return a table of numbers, with each line's part of the whole where counts add up."""
    columns, shares = columns_of(report), report.has_shares
    described = _described(report)
    total: dict[str, doc.Cell] = {report.before[0]: "total"}
    total |= {each.name: each.value(report.analysis.value_if_any) for each in report.numbers}
    if shares:
        columns.append(doc.Column("share", f"% {report.shared.short_title}", doc.SHARE, keep=2))
        total["share"] = 1 if report.analysis.value(report.shared.name) else ""

    def cells(row: Layer) -> Iterator[tuple[str, doc.Cell]]:
        yield "description", described.get(row.path, row.kind)
        yield "shape", doc.Shapes(tuple(tuple(map(report.number, shape)) for shape in row.shapes))
        for each in report.numbers:
            yield each.name, report.value_of(each, row.counts)
        if shares:
            yield "share", report.part(row) or ""

    rows = (row_of(report, row, dict(cells(row))) for row in report.rows)
    return doc.Table(
        (*beginning(report), *columns), tuple(rows), doc.Row(total), folds=report.depth is None
    )


def row_of(report: Report, row: Layer, cells: dict[str, doc.Cell]) -> doc.Row:
    """Return a line with its label, in the style of its kind."""
    style: doc.Style = "dim" if row.sharing else "bold" if row.is_group else ""
    names: dict[str, doc.Cell] = {"layer": report.label(row), "kind": row.kind, "path": row.path}
    return doc.Row(names | cells, row.level, style, row.sharing)


def symbolic_table(report: Report) -> doc.Table:
    """Return the lines with their counts as closed forms, which share names, and all totals."""
    naming = report.naming(report.totals)
    shared, own = doc.Names(naming.names), doc.Names(naming.own)
    described = _described(report)

    def cells(row: Layer) -> Iterator[tuple[str, doc.Cell]]:
        yield "description", described.get(row.path, row.kind)
        yield "shape", doc.Shapes(row.shapes)
        names = shared if row.is_group else own
        for each in report.numbers:
            count = report.made_of(each, row.counts)
            form = None if count is None else doc.ClosedForm(count, names, report.analysis.read)
            yield each.name, form

    numbers = (
        each._replace(kind=doc.TEXT, hides_zero=False, keep=0) for each in columns_of(report)
    )
    columns = (*beginning(report), *numbers)
    rows = tuple(row_of(report, row, dict(cells(row))) for row in report.rows)
    totals: dict[str, doc.Cell] = {m.name: _total(report, m, shared) for m in report.totals}
    for each in report.expressions:
        form = report.made_of(each, report.whole)
        totals[each.name] = (
            None if form is None else doc.ClosedForm(form, shared, report.analysis.read)
        )
    total = doc.Row({report.before[0]: "total", **totals})
    where, folds = tuple(definitions(naming.names)), report.depth is None
    return doc.Table(columns, rows, total, listed=True, where=where, folds=folds)


def _total(report: Report, metric: Metric, names: doc.Names) -> doc.ClosedForm | None:
    """Return a metric of the network, a peak with its layers."""
    total = report.total_if_any(metric.name)
    if total is None:
        return None
    analysis = report.analysis
    peaks = report.peaks(metric.name) if metric.name in PEAKS else ()
    parts = (
        (each.owner, doc.ClosedForm(analysis.closed_form(each.term), names, analysis.read))
        for each in peaks
    )
    return doc.ClosedForm(total, names, analysis.read, parts=tuple(parts))


def definitions(names: Mapping[Expr, str]) -> Iterator[doc.ClosedForm]:
    """Return the definitions of names, each by those before it."""
    known: dict[Expr, str] = {}
    for expression, name in names.items():
        yield doc.ClosedForm(expression, doc.Names(known), name=name)
        known[expression] = name


def plain_table(report: Report) -> doc.Table:
    """Return one line per layer, then the total; each names the convention that it follows."""

    def cell(expression: Expr | None) -> doc.Cell:
        if expression is None:
            return ""
        return doc.ClosedForm(expression) if report.symbolic else report.number(expression)

    def sizes(row: Layer) -> doc.Shapes:
        show = (lambda size: size) if report.symbolic else report.number
        return doc.Shapes(tuple(tuple(map(show, shape)) for shape in row.shapes))

    convention: dict[str, doc.Cell] = {"convention": report.analysis.convention.name}
    numbers = {report.forms.plain_name(each.name): each for each in report.numbers}

    def line(row: Layer) -> dict[str, doc.Cell]:
        counts = {name: cell(report.made_of(each, row.counts)) for name, each in numbers.items()}
        return {"layer": row.path, "kind": row.kind, "output_shape": sizes(row), **counts}

    totals = {name: cell(report.made_of(each, report.whole)) for name, each in numbers.items()}
    names = ("layer", "kind", "output_shape")
    columns = [c._replace(name=name) for name, c in zip(numbers, columns_of(report), strict=True)]
    return doc.Table(
        (
            *(doc.Column(name, name) for name in names),
            *columns,
            doc.Column("convention", "convention"),
        ),
        tuple(doc.Row(line(row) | convention) for row in report.leaves),
        doc.Row({"layer": "total"} | totals | convention),
    )


def notes(report: Report) -> list[doc.Note]:
    """Return what stands below a report: totals that are no columns, then what it stands on."""
    facts = _of_forms(report) if report.symbolic else _of_totals(report)
    hidden = [("hidden", report.hidden)] if report.hidden else []
    missing = ((f"no {name}", why) for name, why in report.missing.items())
    return [*hidden, *facts, *missing, *report.standing]


def _of_forms(report: Report) -> Iterator[doc.Note]:
    """Return what is said below closed forms: of names, of fields and of peaks."""
    if not report.naming(report.totals).is_whole:
        yield "names", "what these laws share has none: they are too long to look for it"
    if any(metric.of_places for metric in report.totals):
        has_form = report.analysis.none_of("receptive_field") is None
        notes = report.field_notes[1:] if has_form else report.field_notes
        yield from (("receptive field", note) for note in notes)
    for metric in report.totals:
        if metric.name in PEAKS and (stretches := report.stretches(metric.name)):
            yield metric.title, stretches


def _of_totals(report: Report) -> Iterator[doc.Note]:
    """Return what is said below a table of the totals that have more to say than a number."""
    for metric in report.totals:
        yield from zip(chain([metric.title], repeat("")), _details(report, metric), strict=False)


def _details(report: Report, metric: Metric) -> Iterator[str]:
    """Yield the notes on a metric's total."""

    def shown() -> str:
        return show_amount(metric, report.analysis.value_if_any(metric.name))

    match metric.name:
        case "model_size":
            yield show_bytes(report.analysis.value("model_size"))
        case "flops":
            yield f"{shown()} (2 per MAC)"
        case "activations_peak":
            path = report.analysis.peak[0].node.path
            yield f"{shown()} (input + output of {path})"
        case "memory_peak":
            yield _peak(report, "given")
        case "memory_peak_best":
            yield _peak(report, "best")
            yield report.order_note
        case "receptive_field":
            yield from report.field_notes
        case "latency":
            yield shown()


def _peak(report: Report, order: Order) -> str:
    """Return the most bytes that are in memory, with the layer that works then."""
    alive = memory(report.analysis.context, order)
    path = max(alive, key=lambda path: report.number(alive[path]))
    return f"{show_bytes(report.number(alive[path]))} (at {path})"


def head(report: Report) -> dict[str, Any]:
    """Return which network it is, where, and what counts, as JSON has it."""
    analysis = report.analysis
    return {
        "archcost": doc.VERSION,
        "name": analysis.graph.name,
        "variant": analysis.graph.variant,
        "symbols": {name: doc.plain_number(v) for name, v in report.values.items()},
        "convention": analysis.convention.name,
        **scenario_fields(analysis, report.shown),
        **({"missing": report.missing} if report.missing else {}),
        "conditions": list(report.conditions),
        "assumptions": list(report.analysis.assumed.texts),
    }


def data(report: Report) -> dict[str, Any]:
    """Return the report as JSON has it: every quantity as an expression and as its value.

    An ``expr`` evaluated as Python at the symbols gives its ``value``.
    """
    return {
        **head(report),
        "inputs": [
            {"name": row.name, "output_shape": _shapes(report, row)[0], **_counts(report, row)}
            for row in report.rows
            if row.kind == "input"
        ],
        "groups": [_group(report, row) for row in report.rows if row.is_group],
        "layers": [
            _layer(report, row)
            for row in report.rows
            if not (row.is_group or row.kind in ("input", OTHERS))
        ],
        **_others(report),
        "totals": {
            metric.name: _quantity_if_any(report, report.total_if_any(metric.name))
            for metric in report.totals
        }
        | _expressions(report, report.whole),
        "field_ends": [end._asdict() for end in report.ends] if report.has_fields else [],
        "strides_differ": list(report.clashes) if report.has_fields else [],
        **{
            f"{name}s": [
                {
                    "layers": list(peak.layers),
                    **quantity(report, report.analysis.closed_form(peak.term)),
                }
                for peak in report.peaks(name)
            ]
            for name in ("activations_peak", "in_out_peak", "memory_peak")
        },
        **_order(report),
    }


def _others(report: Report) -> dict[str, Any]:
    """Return the counts of all layers but the largest, where these alone are shown."""
    last = report.rows[-1]
    return {OTHERS: _counts(report, last)} if last.kind == OTHERS else {}


def _order(report: Report) -> dict[str, Any]:
    """Return the best order of the layers, where its memory is among the totals."""
    if all(metric.name != "memory_peak_best" for metric in report.totals):
        return {}
    found = report.analysis.best_order
    shown = {"layers": found.layers, "unsearched": found.unsearched, "is_best": found.is_best}
    return {"best_order": shown}


def _group(report: Report, row: Layer) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "runs": quantity(report, row.runs),
        "copies": quantity(report, row.copies),
        **_counts(report, row),
    }


def _layer(report: Report, row: Layer) -> dict[str, Any]:
    first, *others = _shapes(report, row)
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "inputs": list(row.inputs),
        "output_shape": first,
        **({"output_shapes": [first, *others]} if others else {}),
        **_counts(report, row),
    }


def _shapes(report: Report, row: Layer) -> list[dict[str, Any]]:
    return [
        {
            "expr": [text(size) for size in shape],
            "value": [doc.plain_number(report.number(size)) for size in shape],
        }
        for shape in row.shapes
    ]


def _counts(report: Report, row: Layer) -> dict[str, Any]:
    """Return every metric's count and every column's; None where the line has none."""
    counts = {
        metric.name: _quantity_if_any(report, row.counts.get(metric.name))
        for metric in report.columns
    }
    return counts | _expressions(report, row.counts)


def _expressions(report: Report, counts: Mapping[str, Expr]) -> dict[str, Any]:
    """Return what is made of some counts, by the expressions among the columns."""
    return {
        each.name: _quantity_if_any(report, report.made_of(each, counts))
        for each in report.expressions
    }


def _quantity_if_any(report: Report, expression: Expr | None) -> dict[str, Any] | None:
    return None if expression is None else quantity(report, expression)


def quantity(report: Report, expression: Expr) -> dict[str, Any]:
    """Return an expression and its value."""
    number = report.number(expression)
    value = float(number) if isinstance(expression, Quantity) else doc.plain_number(number)
    return {"expr": text(expression), "value": value}


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
    return "; ".join((report.title, *(f"{label} {note}" for label, note in notes)))


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
        form = report.total(metric.name)
        if form.is_Rational and not form.is_Integer:
            cause = f"{metric.name} is {form}, and these functions are of integers"
            raise SpecError(cause, hint="--format json has its law")
        about = (f"{metric.title} in {metric.unit.name}:", text(form))
        yield Function(metric.name, about, writer.closed_form(form))


def _domains(report: Report) -> Iterator[Condition]:
    """Return the smallest values that the spec gives its symbols."""
    for name, symbol in report.analysis.symbols.items():
        least = report.analysis.graph.symbols[name].min
        is_trivial = symbol.is_integer and least == 1
        if least is not None and not is_trivial:
            yield AtLeast(symbol, least)

"""The document of a step of training: what is kept, the parts of its memory, its products."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.analysis.document import (
    COUNT,
    MOST_ROWS,
    TEXT,
    Block,
    ClosedForm,
    Column,
    Document,
    Entries,
    LabelledValue,
    Row,
    Table,
    entries,
    plain_number,
)
from costmodel.rules.formula import count_of, show_bytes, show_number
from costmodel.studies.fit import Fit
from costmodel.studies.report_document import head, notes, quantity
from costmodel.studies.training import TrainingReport, TrainingSum


def document(step: TrainingReport) -> Document:
    """Return the document of a step of training."""

    def blocks() -> Iterator[Block]:
        many = len(step.lines)
        folds = step.depth is None and many > MOST_ROWS
        yield _kept(step.to_depth(1) if folds else step)
        note = LabelledValue("depth", f"1, of {many:,} tensors; --depth all shows them")
        yield Entries((*([note] if folds else []), *_sums(step)))
        yield entries(notes(step.report))

    source = step.analysis.graph.source or ""
    return Document(step.report.title, blocks, partial(_data, step), source)


def _kept(step: TrainingReport) -> Table:
    """Return a line for each tensor that is kept."""
    symbolic = step.report.symbolic
    counts = TEXT if symbolic else COUNT
    columns = (
        Column("path", "layer"),
        Column("what", "kept"),
        Column("elements", "elements", counts),
        Column("bytes", "bytes", counts),
    )
    rows = (
        Row(
            {
                "path": line.path,
                "what": line.what,
                "elements": _count(step, line.elements),
                "bytes": _count(step, line.bytes),
            }
        )
        for line in step.lines
    )
    return Table(columns, tuple(rows), listed=symbolic)


def _count(step: TrainingReport, count: Expr) -> ClosedForm | Rational:
    """Return a count as law or as number, whichever the report shows."""
    if step.report.symbolic:
        return ClosedForm(step.law(count), read=step.analysis.read)
    return step.report.number(count)


def _sums(step: TrainingReport) -> Iterator[LabelledValue]:
    for each in step.memory:
        yield from _sum(step, each, show_bytes)
    if step.fit is not None:
        yield LabelledValue("capacity", _capacity(step.fit, at_values=step.report.symbolic))
    for each in step.products:
        yield from _sum(step, each, show_number)


def _sum(
    step: TrainingReport, each: TrainingSum, show: Callable[[Rational], str]
) -> Iterator[LabelledValue]:
    """Return a part; a note stands beside a number, and below a law."""
    shown = _count(step, each.count)
    note = f"({each.note})" if each.note else ""
    if isinstance(shown, ClosedForm):
        yield LabelledValue(each.title, shown)
        yield from [LabelledValue("", note)] if note else []
    else:
        yield LabelledValue(each.title, f"{show(shown)} {note}".strip())


def _capacity(fit: Fit, *, at_values: bool) -> str:
    """Return the bytes that the main memory holds, and whether a step fits."""
    (need,) = fit.needs
    over = count_of(need.over, "byte")
    verdict = f"it does not fit, {over} over" if need.over else "it fits"
    where = ", at these values" if at_values else ""
    return f"{show_bytes(need.memory.capacity)} of {need.memory.name}; {verdict}{where}"


def _data(step: TrainingReport) -> dict[str, Any]:
    def count(expression: Expr) -> dict[str, Any]:
        return quantity(step.report, step.law(expression))

    fit = step.fit
    return {
        **head(step.report),
        "kept": [
            {"path": path, "what": what, "elements": count(elements), "bytes": count(size)}
            for path, what, elements, size in step.lines
        ],
        "memory": {each.key: count(each.count) for each in step.memory},
        "macs": {each.key: count(each.count) for each in step.products},
        **({} if fit is None else {"fits": fit.fits, "room": plain_number(fit.room)}),
    }

"""The command ``diff``: of two specs, or of several against a revision."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from archspec.errors import SpecError
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup
from costmodel.analysis.number_format import plain_amount, show_amount, show_gain, show_part
from costmodel.analysis.standing import marked, standing_notes, warnings_of
from costmodel.metrics.registry import Metric, find_metric
from costmodel.rules.formula import count_of
from costmodel.scenario.patterns import is_pattern
from costmodel.studies import question
from costmodel.studies.budgets import Budget, read_budget
from costmodel.studies.diff import Diff, MetricChange
from costmodel.studies.diff_document import (
    budget_fields,
    fault_of,
    fields_of,
    one_of,
    show_balance,
    two,
)
from costmodel.studies.diff_files import FileDifferences, OneSidedNetwork, file_differences
from costmodel.studies.revisions import read_source

USUAL = ("params", "macs")
"""The metrics of the table of all networks, where none are asked for."""


@question(name="diff", group="Compare")
def document(
    old: str,
    new: tuple[str, ...],
    /,
    *,
    metric: tuple[str, ...] = (),
    max_: tuple[str, ...] = (),
    symbolic: bool = False,
    setup: Setup = Setup(),  # noqa: B008 - a frozen value
) -> doc.Document:
    """Show what a change of specs does to every metric; 1 where it goes beyond a budget.

    Args:
        old: PATH or REVISION:PATH; REVISION: alone of the other's file; @VARIANT or @*.
        new: PATH or REVISION:PATH; several, or patterns, where the first is REVISION: alone.
        metric: the metrics.
        max_: What metrics may gain, as 'macs +2%' 'params +0'; exit status 1 beyond it.
        symbolic: closed forms, however long they are.
        setup: the options beside the specs.

    Examples:
        archcost diff resnet50 resnet101 --max 'macs +100%'
        archcost diff HEAD: 'specs/mobile*.yaml' --max 'macs +2%'

    Raises:
        SpecError: a spec or an option breaks a rule.
    """
    budgets = tuple(map(read_budget, max_))
    if len(new) == 1 and not is_pattern(new[0].partition("@")[0]):
        return two(old, new[0], setup, metric, budgets, symbolic=symbolic)
    return _since(old, new, setup, metric, budgets, symbolic=symbolic)


def _since(
    old: str,
    new: tuple[str, ...],
    setup: Setup,
    metric: tuple[str, ...],
    budgets: tuple[Budget, ...],
    *,
    symbolic: bool,
) -> doc.Document:
    """Return what changed in several specs since a revision."""
    revision = read_source(old)
    if revision.path or revision.revision is None:
        cause = f"several specs are compared with a revision, and '{old}' is a spec"
        raise SpecError(cause, hint="as in archcost diff origin/main: 'specs/*.yaml'")
    found = file_differences(revision, new, setup, metric, budgets)
    metrics = tuple(find_metric(name) for name in metric or USUAL)
    broken = [(name, each) for name, each in found.balances if not each.is_kept]
    made = doc.Document(
        headline(found),
        partial(_blocks, found, metrics, symbolic=symbolic),
        partial(_data, found, metrics),
        rows=partial(_rows, found, metrics),
        holds=not broken,
        faults=tuple(
            fault_of(diff, balance)
            for _, diff in found.diffs
            for balance in diff.balances
            if not balance.is_kept
        ),
        messages=(
            *warnings_of(diff.new for _, diff in found.diffs),
            *(f"{name}: {show_balance(balance)}" for name, balance in broken),
        ),
    )
    return marked(made, found.analyses)


def headline(found: FileDifferences) -> str:
    """Return ``FAIL: 1 of 6 budgets broken; 2 of 3 networks changed, 1 new since main``."""
    counts = (
        (len(found.changed), f"of {len(list(found.diffs)):,} networks changed"),
        (len(found.added), "new"),
        (len(found.removed), "deleted"),
    )
    parts = [f"{count:,} {word}" for count, word in counts if count or word.startswith("of")]
    since = f"{', '.join(parts)} since {found.revision or 'what is staged'}"
    broken = sum(not balance.is_kept for _, balance in found.balances)
    if not found.balances:
        return since
    if broken:
        return f"FAIL: {broken:,} of {len(found.balances):,} budgets broken; {since}"
    return f"PASS: all {len(found.balances):,} budgets kept; {since}"


def _blocks(
    found: FileDifferences, metrics: tuple[Metric, ...], *, symbolic: bool
) -> Iterator[doc.Block]:
    broken = [(name, each) for name, each in found.balances if not each.is_kept]
    if broken:
        yield doc.entries((name, show_balance(balance)) for name, balance in broken)
    if not found.is_empty:
        yield _table(found, metrics)
    for name, diff in found.changed:
        yield doc.Line(name, "bold")
        yield from one_of(diff, symbolic=symbolic)
    same = sum(diff.is_empty for _, diff in found.diffs)
    equal = [("equal", f"{same:,} of {len(list(found.diffs)):,} networks")] if same else []
    yield doc.entries((*equal, *_notes([diff.new for _, diff in found.diffs])))


def _notes(analyses: list[Analysis]) -> Iterator[doc.Note]:
    """Yield what all networks share: their notes, and each convention with how many it counts."""
    conventions = Counter(analysis.convention.name for analysis in analyses)
    for analysis in analyses[:1]:
        for label, value in standing_notes(analysis, at="", conditions=()):
            if label != "convention" or len(conventions) == 1:
                yield label, value
    if len(conventions) > 1:
        shown = (f"{name} ({count_of(count, 'network')})" for name, count in conventions.items())
        yield "convention", ", ".join(shown)


def _table(found: FileDifferences, metrics: tuple[Metric, ...]) -> doc.Table:
    """Return a row for each network that differs, is new or deleted, and the totals."""
    columns = [doc.Column("network", "network"), doc.Column("what", "")]
    for metric in metrics:
        columns.append(doc.Column(metric.name, metric.head, doc.FIGURE))
        columns.append(doc.Column(f"{metric.name}_gain", "difference", doc.FIGURE, is_beside=True))
        columns.append(doc.Column(f"{metric.name}_part", "%", doc.FIGURE, is_beside=True))
    rows = [
        _line(name, "changed", map(partial(_change, diff), metrics)) for name, diff in found.changed
    ]
    rows += [
        _line(each.name, "new", (_alone(each, m, is_new=True) for m in metrics))
        for each in found.added
    ]
    rows += [
        _line(each.name, "deleted", (_alone(each, m, is_new=False) for m in metrics))
        for each in found.removed
    ]
    sums = ((metric, *(found.total(metric) or (None, None))) for metric in metrics)
    totals = (MetricChange(metric, old, new, None) for metric, old, new in sums)
    return doc.Table(tuple(columns), tuple(rows), _line("total", "", totals))


def _change(diff: Diff, metric: Metric) -> MetricChange:
    old, new = (side.value_if_any(metric.name) for side in (diff.old, diff.new))
    return MetricChange(metric, old, new, None)


def _alone(each: OneSidedNetwork, metric: Metric, *, is_new: bool) -> MetricChange:
    value = each.analysis.value_if_any(metric.name)
    return MetricChange(metric, None if is_new else value, value if is_new else None, None)


def _line(name: str, what: str, changes: Iterator[MetricChange]) -> doc.Row:
    cells: dict[str, doc.Cell] = {"network": name, "what": what}
    for change in changes:
        metric, gain = change.metric, change.gain
        cells[metric.name] = show_amount(metric, change.old if change.new is None else change.new)
        cells[f"{metric.name}_gain"] = "" if gain is None else show_gain(metric, gain)
        cells[f"{metric.name}_part"] = "" if gain is None else show_part(change.part, gain)
    return doc.Row(cells)


def _rows(found: FileDifferences, metrics: tuple[Metric, ...]) -> doc.Table:
    """Return the exact numbers, a row for each network and metric."""
    every = [(name, _change(diff, metric)) for name, diff in found.diffs for metric in metrics]
    every += [(e.name, _alone(e, m, is_new=True)) for e in found.added for m in metrics]
    every += [(e.name, _alone(e, m, is_new=False)) for e in found.removed for m in metrics]
    labels = (doc.Column("network", "network"), doc.Column("metric", "metric"))
    columns = (doc.Column(name, name, doc.EXACT) for name in ("old", "new", "gain"))
    rows = ((name, each.metric.name, each.old, each.new, each.gain) for name, each in every)
    return doc.table_of((*labels, *columns), rows)


def _data(found: FileDifferences, metrics: tuple[Metric, ...]) -> dict[str, Any]:
    """Return every network with all that differs, and the totals."""
    totals = {metric: found.total(metric) for metric in metrics}
    return {
        "archcost": doc.VERSION,
        "revision": found.revision,
        "equal": found.is_empty,
        "holds": all(balance.is_kept for _, balance in found.balances),
        "networks": [{"spec": name, **fields_of(diff)} for name, diff in found.diffs],
        "added": [_whole(each, metrics) for each in found.added],
        "removed": [_whole(each, metrics) for each in found.removed],
        "budgets": [{"spec": name, **budget_fields(each)} for name, each in found.balances],
        "totals": {
            metric.name: {
                name: plain_amount(metric, v) for name, v in zip(("old", "new"), total, strict=True)
            }
            for metric, total in totals.items()
            if total is not None
        },
    }


def _whole(each: OneSidedNetwork, metrics: tuple[Metric, ...]) -> dict[str, Any]:
    values = {m.name: plain_amount(m, each.analysis.value_if_any(m.name)) for m in metrics}
    return {"spec": each.name, "metrics": values}

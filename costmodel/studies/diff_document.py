"""The document of a change: every metric before and after, then what else differs."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from archspec.fields import Condition, Expression
from archspec.trees import Name, Number, Truth
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup
from costmodel.analysis.number_format import plain_amount, show_amount, show_gain, show_part
from costmodel.analysis.standing import marked, scenario_fields, standing_notes, warnings_of
from costmodel.metrics.registry import METRICS
from costmodel.rules.formula import show_decimal, show_shapes
from costmodel.studies.budgets import Budget, BudgetCheck
from costmodel.studies.diff import (
    COUNTS,
    ComparedLayer,
    Diff,
    Differences,
    LayerChange,
    Layers,
    MetricChange,
    SymbolChange,
    differences,
)
from costmodel.studies.report import Report
from costmodel.studies.revisions import SpecSource, read_sources

COLUMNS = (
    doc.Column("metric", "metric"),
    *(doc.Column(n, n, doc.FIGURE) for n in ("old", "new", "difference", "%")),
)

MAX_LAYERS = 30
"""The most layers that are listed; JSON lists all."""

MAX_NAMES = 3
"""The most renamed layers that are listed."""

MAX_FORM = 120
"""The longest closed form that is shown without ``--symbolic``."""

NO_DIFFERENCE = "no difference: metrics, laws, conditions, symbols and layers are the same"


def two(
    old: str,
    new: str,
    setup: Setup,
    metric: tuple[str, ...],
    budgets: tuple[Budget, ...],
    *,
    symbolic: bool,
) -> doc.Document:
    """Return the document of two versions of a spec.

    Args:
        old: where the one before stands.
        new: where the one after stands.
        setup: the options beside the specs.
        metric: the metrics.
        budgets: what may be gained.
        symbolic: whether closed forms are shown however long they are.
    """
    found = differences(read_sources(old, new), setup, metric, budgets)
    broken = tuple(f"{_name(diff)}: {show_balance(each)}" for diff, each in found.broken)
    made = doc.Document(
        _title(found),
        partial(_blocks, found, symbolic=symbolic),
        partial(_data, found),
        rows=partial(_rows, found),
        holds=not broken,
        faults=tuple(fault_of(diff, each) for diff, each in found.broken),
        messages=(*warnings_of(diff.new for diff in found.diffs), *broken),
    )
    return marked(made, (each for diff in found.diffs for each in (diff.old, diff.new) if each))


def fault_of(diff: Diff, balance: BudgetCheck) -> doc.Failure:
    """Return a broken budget with the spec that breaks it."""
    return doc.Failure(diff.new.architecture.document.file, 0, show_balance(balance))


def one_of(diff: Diff, *, symbolic: bool) -> Iterator[doc.Block]:
    """Yield what differs of one network among several, with the values that it is compared at."""
    return _one(diff, _settings(diff), symbolic=symbolic)


def _verdict(found: Differences) -> Iterator[doc.Block]:
    """Yield whether all budgets are kept, where there are some."""
    count = sum(len(diff.balances) for diff in found.diffs)
    broken = len(list(found.broken))
    if broken:
        yield doc.Line(f"FAIL: {broken:,} of {count:,} budgets broken", "bold")
    elif count:
        yield doc.Line(f"PASS: all {count:,} budgets kept", "bold")


def _blocks(found: Differences, *, symbolic: bool) -> Iterator[doc.Block]:
    several = len(found.diffs) > 1
    yield from _verdict(found)
    for diff in found.diffs:
        if several and not (diff.is_empty and not diff.budgets):
            yield doc.Line(_name(diff), "bold")
        if not several or not diff.is_empty:
            yield from _one(diff, _settings(diff) if several else (), symbolic=symbolic)
        elif diff.budgets:
            yield doc.entries(_budgets(diff))
    yield doc.entries(_closing(found))


def _one(diff: Diff, at: Iterable[doc.Note], *, symbolic: bool) -> Iterator[doc.Block]:
    """Yield the metrics of one network, then its budgets, declarations, layers, closed forms."""
    if diff.balances:
        yield doc.entries(_budgets(diff))
    yield doc.Table(COLUMNS, tuple(_row(change) for change in diff.changes))
    counts = ((name, len(getattr(diff.layers, name))) for name in Layers._fields)
    summary = f"layers: {', '.join(f'{count:,} {name}' for name, count in counts if count)}"
    parts = (
        doc.entries((*_none(diff), *_declarations(diff), *at)),
        doc.entries(_layers(diff))._replace(folded=summary),
        doc.Entries(tuple(_closed_forms(diff, symbolic=symbolic)), folded="laws"),
    )
    yield from (part for part in parts if part.entries)


def _row(change: MetricChange) -> doc.Row:
    metric = change.metric
    cells = (
        metric.head,
        *(show_amount(metric, number) for number in (change.old, change.new)),
        show_gain(metric, change.gain),
        doc.NOTHING if change.gain is None else show_part(change.part, change.gain),
    )
    names = (column.name for column in COLUMNS)
    return doc.Row(dict(zip(names, cells, strict=True)), style="dim" if change.is_none else "")


def _rows(found: Differences) -> doc.Table:
    """Return the exact numbers of all networks, a row for each metric."""
    columns = [doc.Column(name, name, doc.EXACT) for name in ("old", "new", "gain")]
    rows = (
        (_name(diff), change.metric.name, change.old, change.new, change.gain)
        for diff in found.diffs
        for change in diff.changes
    )
    labels = (doc.Column("network", "network"), doc.Column("metric", "metric"))
    return doc.table_of((*labels, *columns), rows)


def _title(found: Differences) -> str:
    """Return ``ResNet: main:specs/resnet.yaml → specs/resnet.yaml``."""
    sources = (found.old, found.new)
    names = " → ".join(f"{s.name}@{s.variant}" if s.variant else s.name for s in sources)
    network = found.diffs[0].new.graph.name if found.diffs else ""
    return f"{network}: {names}" if network else names


def _name(diff: Diff) -> str:
    return diff.new.graph.variant or diff.new.graph.name


def _none(diff: Diff) -> Iterator[doc.Note]:
    """Yield the reason why one side has no number of a metric that the other has."""
    one_sided = [c.metric.name for c in diff.changes if (c.old is None) != (c.new is None)]
    for which, side in (("old", diff.old), ("new", diff.new)):
        for error in list(filter(None, map(side.none_of, one_sided)))[:1]:
            yield which, error.cause


def _closing(found: Differences) -> Iterator[doc.Note]:
    """Yield the variants without a difference, those of one side, and the notes on all numbers."""
    equal = [_name(diff) for diff in found.diffs if diff.is_empty]
    if found.is_empty:
        yield "equal", NO_DIFFERENCE + (f" ({', '.join(equal)})" if len(equal) > 1 else "")
    elif equal:
        yield "equal", ", ".join(equal)
    for label, names in (("added", found.added), ("removed", found.removed)):
        if names:
            yield f"variants {label}", ", ".join(names)
    if found.diffs:
        at = _settings(found.diffs[0]) if len(found.diffs) == 1 else ()
        first = found.diffs[0]
        yield from standing_notes(first.new, at=at, conditions=(), metrics=_metrics(first))


def _metrics(diff: Diff) -> Iterator[str]:
    yield from (metric.name for metric in diff.metrics)


def _settings(diff: Diff) -> Iterator[doc.Note]:
    """Yield the values of the symbols on both sides."""
    old, new = (Report(side).setting for side in (diff.old, diff.new))
    if old != new:
        yield "old at", old or "no symbols"
    if new or old != new:
        yield "at" if old == new else "new at", new or "no symbols"


def _budgets(diff: Diff) -> Iterator[doc.Note]:
    """Yield every budget, with the number that it is compared to."""
    for balance in diff.balances:
        yield "budget", show_balance(balance)


def show_balance(balance: BudgetCheck) -> str:
    """Return ``macs +2%: broken, 1,020 is more than 1,019, by 1``."""
    metric = balance.budget.metric
    new, limit = (show_amount(metric, value) for value in (balance.new, balance.limit))
    if balance.is_kept:
        return f"{balance.budget.text}: kept, {new} is at most {limit}"
    over = show_amount(metric, balance.new - balance.limit)
    return f"{balance.budget.text}: broken, {new} is more than {limit}, by {over}"


def _layers(diff: Diff) -> Iterator[doc.Note]:
    """Yield the layers that are removed, added or changed, then those that are renamed."""
    lines = list(_layer_lines(diff))
    yield from lines[:MAX_LAYERS]
    if len(lines) > MAX_LAYERS:
        yield "", f"… and {len(lines) - MAX_LAYERS:,} more layers; --format json lists all"
    renamed = diff.layers.renamed
    if renamed:
        yield "renamed", _renamed(renamed)


def _renamed(renamed: Sequence[LayerChange]) -> str:
    shown = ", ".join(f"{c.old.path} → {c.new.path}" for c in renamed[:MAX_NAMES])
    more = f", and {len(renamed) - MAX_NAMES:,} more" if len(renamed) > MAX_NAMES else ""
    return f"{shown}{more}, the same but for the name"


def _layer_lines(diff: Diff) -> Iterator[doc.Note]:
    for layer in diff.layers.removed:
        yield "− layer", _whole(layer, diff.old)
    for layer in diff.layers.added:
        yield "+ layer", _whole(layer, diff.new)
    for each in diff.repeats:
        yield "~ repeat", f"{each.name}: {each.old} → {each.new} times"
    for change in diff.layers.changed:
        yield "~ layer", f"{change.new.path}: {'; '.join(_altered(change, diff))}"


def _whole(layer: ComparedLayer, analysis: Analysis) -> str:
    counts = (f"{METRICS[n].title} {_count(layer, n, analysis)}" for n in COUNTS)
    kind = f"{layer.kind}, {layer.layers} layers" if layer.row.is_group else layer.kind
    shapes = show_shapes(layer.row.shapes, analysis.evaluator)
    return f"{layer.path} ({kind}), {shapes}, {', '.join(counts)}"


def _count(layer: ComparedLayer, name: str, analysis: Analysis) -> str:
    return show_amount(METRICS[name], analysis.evaluator(layer.row.counts[name]))


def _altered(change: LayerChange, diff: Diff) -> Iterator[str]:
    """Yield the differences of a changed layer: fields, shapes and counts as numbers."""
    for name in change.fields:
        values = [show_field(side.fields.get(name)) for side in (change.old, change.new)]
        yield name if None in values else f"{name} {values[0]} → {values[1]}"
    sides = ((change.old, diff.old), (change.new, diff.new))
    if change.old.shapes != change.new.shapes:
        yield f"shape {_moved(*(show_shapes(x.row.shapes, at.evaluator) for x, at in sides))}"
    for name in change.counts:
        yield f"{METRICS[name].title} {_moved(*(_count(x, name, at) for x, at in sides))}"


def _moved(old: str, new: str) -> str:
    return f"{old} → {new}" if old != new else f"{new}, by another law"


def show_field(value: Any) -> str | None:
    """Return a field that is a number, a word or a short expression as text; None for others."""
    match value:
        case None:
            return "none"
        case str() | int() | Fraction():
            return str(value)
        case Truth(truth):
            return str(truth).lower()
        case Number(number) | Expression(Number(number)):
            return show_decimal(number)
        case Name(name):
            return name
        case Expression(tree) | Condition(tree):
            return show_field(tree)
    return None


def _declarations(diff: Diff) -> Iterator[doc.Note]:
    """Yield the changes of symbols, conditions and types."""
    for change in diff.symbols:
        yield "symbol", _symbol(change)
    for sign, conditions in zip("+−", diff.conditions, strict=True):
        yield from ((f"{sign} condition", each) for each in conditions)
    for each in diff.types:
        yield "types", f"{each.name} {each.old or 'none'} → {each.new or 'none'}"


def _symbol(change: SymbolChange) -> str:
    if change.old is None or change.new is None:
        declared = change.old or change.new
        assert declared is not None
        verb = "added" if change.old is None else "removed"
        return f"{change.name} {verb}, default {show_decimal(declared.default)}"
    altered = (f"{a.name} {a.old or 'none'} → {a.new or 'none'}" for a in change.alterations)
    return f"{change.name}: {', '.join(altered)}"


def _closed_forms(diff: Diff, *, symbolic: bool) -> Iterator[doc.LabelledValue]:
    """Yield the closed forms that differ, where they are short or requested."""
    if not diff.has_closed_forms:
        yield doc.LabelledValue("laws", "none: the structure hangs on the values of the symbols")
    for change in diff.changes:
        if change.closed_form is None:
            continue
        forms = {name: form for name, form in change.closed_form.items() if form is not None}
        shown = {n: form for n, form in forms.items() if symbolic or len(text(form)) <= MAX_FORM}
        for name, form in shown.items():
            label = "new − old" if name == "gain" else name
            yield doc.LabelledValue(f"{change.metric.name}, {label}", doc.ClosedForm(form))
        if len(shown) < len(forms):
            yield doc.LabelledValue(
                change.metric.name, f"{'more' if shown else 'differs'}, by --symbolic"
            )


def _data(found: Differences) -> dict[str, Any]:
    """Return every closed form and every layer."""
    return {
        "archcost": doc.VERSION,
        "old": _source_fields(found.old),
        "new": _source_fields(found.new),
        "equal": found.is_empty,
        "networks": [fields_of(diff) for diff in found.diffs],
        "variants_added": list(found.added),
        "variants_removed": list(found.removed),
    }


def _source_fields(source: SpecSource) -> dict[str, Any]:
    return {"file": source.name, "revision": source.revision, "variant": source.variant}


def fields_of(diff: Diff) -> dict[str, Any]:
    """Return all that differs of a network as plain data."""
    added, dropped = diff.conditions
    return {
        "name": diff.new.graph.name,
        "variant": diff.new.graph.variant,
        "equal": diff.is_empty,
        "convention": diff.new.convention.name,
        "assumptions": list(diff.new.assumed.texts),
        "old": _side(diff.old, diff),
        "new": _side(diff.new, diff),
        "metrics": {change.metric.name: _metric_fields(change) for change in diff.changes},
        "budgets": [budget_fields(balance) for balance in diff.balances],
        "conditions": {"added": list(added), "dropped": list(dropped)},
        "symbols": [_symbol_fields(change) for change in diff.symbols],
        "types": [each._asdict() for each in diff.types],
        "repeats": [each._asdict() for each in diff.repeats],
        "layers": _layer_fields(diff),
    }


def _side(analysis: Analysis, diff: Diff) -> dict[str, Any]:
    values = {name: doc.plain_number(value) for name, value in analysis.graph.values.items()}
    return {"symbols": values, **scenario_fields(analysis, _metrics(diff))}


def _metric_fields(change: MetricChange) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: plain_amount(change.metric, getattr(change, name)) for name in ("old", "new", "gain")
    }
    fields["part"] = None if change.part is None else float(change.part)
    if change.closed_form is not None:
        forms = change.closed_form.items()
        fields["law"] = {name: None if form is None else text(form) for name, form in forms}
    return fields


def budget_fields(balance: BudgetCheck) -> dict[str, Any]:
    """Return a budget as plain data."""
    metric = balance.budget.metric
    return {
        "budget": balance.budget.text,
        "metric": metric.name,
        "new": plain_amount(metric, balance.new),
        "limit": plain_amount(metric, balance.limit),
        "kept": balance.is_kept,
    }


def _symbol_fields(change: SymbolChange) -> dict[str, Any]:
    what = "added" if change.old is None else "removed" if change.new is None else "changed"
    return {"name": change.name, what: {a.name: [a.old, a.new] for a in change.alterations}}


def _layer_fields(diff: Diff) -> dict[str, Any]:
    layers = diff.layers
    return {
        "added": [_one_layer(layer, diff.new) for layer in layers.added],
        "removed": [_one_layer(layer, diff.old) for layer in layers.removed],
        "changed": [
            {
                "fields": list(change.fields),
                "old": _one_layer(change.old, diff.old),
                "new": _one_layer(change.new, diff.new),
            }
            for change in layers.changed
        ],
        "renamed": [[change.old.path, change.new.path] for change in layers.renamed],
    }


def _one_layer(layer: ComparedLayer, analysis: Analysis) -> dict[str, Any]:
    shapes = [
        [doc.plain_number(analysis.evaluator(s)) for s in shape] for shape in layer.row.shapes
    ]
    counts = {n: doc.plain_number(analysis.evaluator(layer.row.counts[n])) for n in COUNTS}
    return {
        "path": layer.path,
        "kind": layer.kind,
        "layers": layer.layers,
        "output_shapes": shapes,
        **counts,
    }

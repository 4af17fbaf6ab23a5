"""The effect of a change of a spec: on metrics, closed forms, conditions, symbols and layers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fractions import Fraction
from functools import cached_property, partial
from itertools import chain, product
from typing import Any, NamedTuple

from sympy import Expr

from archspec.arithmetic import Rational, tidy
from archspec.header import Symbol as Declared
from archspec.trees import Measure, Name
from costmodel.algebra.conditions import whole_under
from costmodel.algebra.functions import Maximum
from costmodel.algebra.normal_form import settled, unfloored
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup
from costmodel.metrics.registry import METRICS, Metric
from costmodel.rules.base import Shape
from costmodel.rules.formula import show_decimal, show_number
from costmodel.studies.budgets import Budget, BudgetCheck
from costmodel.studies.report import Report, ReportRow
from costmodel.studies.revisions import SpecSource, analyser, load_source

COUNTS = ("params", "macs")
"""The metrics of a layer that are compared."""

SYMBOL_RULES = ("default", "domain", "min", "max", "multiple_of")
"""The rules of a symbol's declaration that are compared."""


FormChange = Mapping[str, Expr | None]
"""A closed form ``old`` and ``new``, and the ``gain``, where that is a sum."""


class MetricChange(NamedTuple):
    """A metric before and after.

    Attributes:
        metric: it.
        old: its number before, at the old spec's values; None where it has none.
        new: its number after, at the new spec's.
        closed_form: the change of its law, where there are laws and they differ.
    """

    metric: Metric
    old: Rational | None
    new: Rational | None
    closed_form: FormChange | None

    @property
    def gain(self) -> Rational | None:
        """The new number less the old; None where one of them is none."""
        if self.old is None or self.new is None:
            return None
        return tidy(Fraction(self.new) - Fraction(self.old))

    @property
    def part(self) -> Fraction | None:
        """The gain as a part of the old number; None where that is 0 or there is no gain."""
        gain = self.gain
        return Fraction(gain) / Fraction(self.old) if self.old and gain is not None else None

    @property
    def is_none(self) -> bool:
        """Return True where neither the number nor the closed form changes."""
        return self.old == self.new and self.closed_form is None


class Alteration(NamedTuple):
    """A value before and after; None where it is not given.

    Attributes:
        name: what: ``default``, ``kernel_size``, ``shape``, ``macs``.
        old: before.
        new: after.
    """

    name: str
    old: str | None
    new: str | None


def _shown(value: Rational | str | None) -> str | None:
    return value if value is None or isinstance(value, str) else show_decimal(value)


class SymbolChange(NamedTuple):
    """A symbol that is added (no ``old``), removed (no ``new``) or declared otherwise."""

    name: str
    old: Declared | None
    new: Declared | None

    @property
    def alterations(self) -> tuple[Alteration, ...]:
        """The rules of its declaration that differ."""
        return tuple(
            Alteration(rule, *map(_shown, values))
            for rule in SYMBOL_RULES
            if len(set(values := [getattr(side, rule, None) for side in (self.old, self.new)])) > 1
        )


class ComparedLayer(NamedTuple):
    """A layer, an input of the network, or a group of layers that come or go together.

    Attributes:
        path: its place.
        kind: its kind.
        fields: its fields as they are compared, names of other layers left out.
        shapes: the shapes of its outputs.
        counts: metric → law, all runs together.
        row: the same as a report has it.
        layers: how many layers it stands for.
    """

    path: str
    kind: str
    fields: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    counts: Mapping[str, Expr]
    row: ReportRow
    layers: int = 1

    @property
    def content(self) -> tuple[Any, ...]:
        """Its kind, fields and output shapes, however often it is run."""
        fields = tuple(sorted((name, repr(value)) for name, value in self.fields.items()))
        return self.kind, fields, self.shapes

    @property
    def signature(self) -> tuple[Any, ...]:
        """Its content and its counts: everything but the name."""
        return *self.content, tuple(self.counts.values())


class LayerChange(NamedTuple):
    """A layer before and after; ``fields`` names those that differ."""

    old: ComparedLayer
    new: ComparedLayer

    @property
    def is_renamed(self) -> bool:
        """Return True where the layer is the same under another name."""
        return self.old.path != self.new.path and self.old.signature == self.new.signature

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that differ."""
        names = dict.fromkeys((*self.old.fields, *self.new.fields))
        return tuple(n for n in names if self.old.fields.get(n) != self.new.fields.get(n))

    @property
    def counts(self) -> tuple[str, ...]:
        """The metrics whose laws differ."""
        return tuple(name for name in COUNTS if self.old.counts[name] != self.new.counts[name])


class Layers(NamedTuple):
    """The layers that differ.

    Attributes:
        added: those without a partner before.
        removed: those without a partner after.
        changed: the pairs that differ.
        renamed: the pairs that are the same under another name.
    """

    added: tuple[ComparedLayer, ...]
    removed: tuple[ComparedLayer, ...]
    changed: tuple[LayerChange, ...]
    renamed: tuple[LayerChange, ...]


Pair = tuple[ComparedLayer, ComparedLayer]
"""A layer before and after."""


@dataclass(frozen=True)
class Diff:
    """A network before and after a change.

    Attributes:
        old: the network before.
        new: the network after.
        requested: the metrics that were asked for; none means the usual ones of both.
        budgets: what may be gained.
    """

    old: Analysis
    new: Analysis
    requested: tuple[str, ...] = ()
    budgets: tuple[Budget, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are compared, those of the budgets last."""
        usual = (metric for side in self._reports for metric in side.totals)
        chosen = {metric.name for metric in usual}
        chosen |= {budget.metric.name for budget in self.budgets}
        return tuple(metric for metric in METRICS.values() if metric.name in chosen)

    @property
    def _reports(self) -> tuple[Report, Report]:
        return Report(self.old, self.requested), Report(self.new, self.requested)

    @cached_property
    def changes(self) -> tuple[MetricChange, ...]:
        """Every metric before and after."""
        return tuple(
            MetricChange(
                m,
                self.old.value_if_any(m.name),
                self.new.value_if_any(m.name),
                self._closed_form(m),
            )
            for m in self.metrics
        )

    @property
    def has_closed_forms(self) -> bool:
        """Return True where both sides have closed forms, rather than numbers alone."""
        return all(side.symbols or not side.graph.symbols for side in (self.old, self.new))

    def _closed_form(self, metric: Metric) -> FormChange | None:
        if any(side.none_of(metric.name) for side in (self.old, self.new)):
            return None
        old, new = self.old.total(metric.name), self.in_old_symbols(self.new.total(metric.name))
        if old == new or not self.has_closed_forms or not (old.free_symbols | new.free_symbols):
            return None
        whole = whole_under((*self.old.demands, *self.new.demands))
        gain = self.new.by_resolution((new - old).expand())
        gain = settled(unfloored(gain, whole, of_quotients=True), whole)
        if gain == 0:
            return None
        before, after = (report.total(metric.name) for report in self._reports)
        return {"old": before, "new": after, "gain": None if gain.has(Maximum) else gain}

    def in_old_symbols(self, expression: Expr) -> Expr:
        """Return an expression of the new network in the symbols of the old one."""
        known = self.old.symbols.items()
        same = {self.new.symbols[n]: s for n, s in known if n in self.new.symbols}
        return expression.xreplace({a: b for a, b in same.items() if a != b})

    @cached_property
    def balances(self) -> tuple[BudgetCheck, ...]:
        """Every budget at this change."""
        return tuple(
            BudgetCheck(b, self.new.value(b.metric.name), b.limit(self.old.value(b.metric.name)))
            for b in self.budgets
        )

    @property
    def conditions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The conditions that are added, and those that are dropped."""
        old, new = (side.conditions for side in self._reports)
        return (
            tuple(each for each in new if each not in old),
            tuple(each for each in old if each not in new),
        )

    @property
    def symbols(self) -> tuple[SymbolChange, ...]:
        """The symbols that are added, removed or declared otherwise."""
        old, new = (side.architecture.header.symbols for side in (self.old, self.new))
        every = (SymbolChange(n, old.get(n), new.get(n)) for n in dict.fromkeys((*old, *new)))
        return tuple(change for change in every if change.alterations)

    @property
    def types(self) -> tuple[Alteration, ...]:
        """The types of numbers that change."""
        sides = (self.old.types, self.new.types)
        names = dict.fromkeys((*sides[0], *sides[1]))
        stated = ([" ".join(side.get(name, ())) or None for side in sides] for name in names)
        every = (Alteration(name, *both) for name, both in zip(names, stated, strict=True))
        return tuple(each for each in every if each.old != each.new)

    @property
    def repeats(self) -> tuple[Alteration, ...]:
        """The groups that are run another number of times."""
        return tuple(
            Alteration(
                new.path,
                show_number(self.old.evaluator(old.runs)),
                show_number(self.new.evaluator(new.runs)),
            )
            for old, new in self._groups
            if old.runs != self.in_old_symbols(new.runs)
        )

    @property
    def _groups(self) -> Iterator[tuple[ReportRow, ReportRow]]:
        """Every group after the change with the one before that shares most layers with it."""
        old, new = ([row for row in side.rows if row.is_group] for side in self._reports)
        shared = Counter(pair for a, b in self._pairs for pair in product(_around(a), _around(b)))
        sizes = [_group_sizes(side) for side in self._sides]
        for group in new:
            partners = [o for o in old if o.kind == group.kind and shared[o.path, group.path]]
            if partners:
                yield max(partners, key=partial(_likeness, shared, sizes, group)), group

    @cached_property
    def _sides(self) -> tuple[list[ComparedLayer], list[ComparedLayer]]:
        return layers_of(self.old), layers_of(self.new, self)

    @cached_property
    def _pairs(self) -> list[Pair]:
        return matched(*self._sides)

    @cached_property
    def layers(self) -> Layers:
        """The layers that differ."""
        removed, added = _unmatched(*self._sides, self._pairs)
        changes = [LayerChange(*pair) for pair in self._pairs]
        return Layers(
            tuple(_in_groups(added, self.new)),
            tuple(_in_groups(removed, self.old)),
            tuple(c for c in changes if c.old.signature != c.new.signature),
            tuple(c for c in changes if c.is_renamed),
        )

    @property
    def is_empty(self) -> bool:
        """Return True where nothing that is compared differs."""
        added, dropped = self.conditions
        found = (self.symbols, self.types, self.repeats, added, dropped, *self.layers)
        return all(change.is_none for change in self.changes) and not any(found)


class Differences(NamedTuple):
    """Two versions of a spec.

    Attributes:
        old: where the one before stands.
        new: where the one after stands.
        diffs: of every variant that both have; a spec without is its own only one.
        added: the variants that only the new one has.
        removed: the variants that only the old one has.
    """

    old: SpecSource
    new: SpecSource
    diffs: tuple[Diff, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return True where nothing that is compared differs."""
        return not (self.added or self.removed) and all(diff.is_empty for diff in self.diffs)

    @property
    def broken(self) -> Iterator[tuple[Diff, BudgetCheck]]:
        """The budgets that are broken, with the network that breaks each."""
        for diff in self.diffs:
            yield from ((diff, balance) for balance in diff.balances if not balance.is_kept)


def differences(
    sources: tuple[SpecSource, SpecSource],
    setup: Setup,
    requested: tuple[str, ...] = (),
    budgets: tuple[Budget, ...] = (),
    *,
    checks_settings: bool = True,
) -> Differences:
    """Return the differences between two versions of a spec; variants are compared by name.

    Args:
        sources: where they stand.
        setup: what is said beside the specs.
        requested: the metrics that were asked for.
        budgets: what may be gained.
        checks_settings: whether one of both must have each symbol that is set.

    Raises:
        SpecError: one of them breaks a rule.
    """
    sides = [load_source(source) for source in sources]
    if checks_settings:
        setup.require_known([*chain(*sides)])
    analyse = analyser(setup, [*chain(*sides)])
    old, new = ({spec.variant: spec for spec in side} for side in sides)
    if len(old) == len(new) == 1:
        old = dict(zip(new, old.values(), strict=True))
    shared = [name for name in new if name in old]
    return Differences(
        *sources,
        tuple(Diff(analyse(old[name]), analyse(new[name]), requested, budgets) for name in shared),
        tuple(name or NO_VARIANT for name in new if name not in old),
        tuple(name or NO_VARIANT for name in old if name not in new),
    )


NO_VARIANT = "(the spec itself)"
"""The name of a spec without variants beside one with them."""


def layers_of(analysis: Analysis, change: Diff | None = None) -> list[ComparedLayer]:
    """Return the inputs and layers of a network; after a change, in the old one's symbols."""
    layers = {layer.node.path: layer.node.layer for layer in analysis.layers}
    fields = {
        path: {name: _comparable(getattr(layer, name)) for name in type(layer).model_fields}
        for path, layer in layers.items()
    }
    rename = change.in_old_symbols if change else lambda expression: expression
    return [
        ComparedLayer(
            row.path,
            row.kind,
            fields.get(row.path, {}),
            tuple(tuple(map(rename, shape)) for shape in row.shapes),
            {name: rename(count) for name, count in row.counts.items()},
            row,
        )
        for row in Report(analysis, COUNTS).rows
        if not row.is_group
    ]


def _comparable(value: Any) -> Any:
    """Return a field without positions in the text and without the names of other layers."""
    match value:
        case Name(name):
            return Name(name)
        case Measure(_, axis):
            return ("size of axis", axis)
        case tuple():
            parts = map(_comparable, value)
            return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value


def _around(layer: ComparedLayer) -> Iterator[str]:
    """Yield the paths of the groups that a layer is in."""
    parts = layer.path.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts)))


def _group_sizes(layers: Iterable[ComparedLayer]) -> Counter[str]:
    """Return the path of each group → the number of its layers."""
    return Counter(path for layer in layers for path in _around(layer))


def _likeness(
    shared: Counter[tuple[str, str]], sizes: Sequence[Counter[str]], new: ReportRow, old: ReportRow
) -> tuple[Fraction, bool]:
    """Return the share of two groups' layers that are in both; ties are decided by equal paths."""
    both = shared[old.path, new.path]
    either = sizes[0][old.path] + sizes[1][new.path] - both
    return Fraction(both, either), old.path == new.path


def matched(old: Sequence[ComparedLayer], new: Sequence[ComparedLayer]) -> list[Pair]:
    """Return the pairs of layers that belong together.

    By their paths, and what these leave by its sequence of layers of equal content; or first by the
    sequence, where that leaves fewer differences: a layer put in before others renumbers these.
    """
    by_path = _by_sequence(old, new, _by_path(old, new, ()))
    by_sequence = _by_path(old, new, _by_sequence(old, new, ()))
    return min(by_path, by_sequence, key=lambda pairs: _differences(old, new, pairs))


def _differences(
    old: Sequence[ComparedLayer], new: Sequence[ComparedLayer], pairs: Sequence[Pair]
) -> int:
    changed = sum(a.signature != b.signature for a, b in pairs)
    return changed + len(old) + len(new) - 2 * len(pairs)


def _unmatched(
    old: Iterable[ComparedLayer], new: Iterable[ComparedLayer], pairs: Sequence[Pair]
) -> tuple[list[ComparedLayer], list[ComparedLayer]]:
    """Return the layers of both sides that are in no pair."""
    before, after = ({pair[side].path for pair in pairs} for side in (0, 1))
    removed = [layer for layer in old if layer.path not in before]
    return removed, [layer for layer in new if layer.path not in after]


def _by_path(
    old: Iterable[ComparedLayer], new: Iterable[ComparedLayer], known: Iterable[Pair]
) -> list[Pair]:
    """Return the known pairs, and those of the same path that correspond."""
    pairs = list(known)
    first, second = _unmatched(old, new, pairs)
    left = {layer.path: layer for layer in first}
    for layer in second:
        partner = left.get(layer.path)
        if partner and corresponds(partner, layer):
            pairs.append((partner, layer))
    return pairs


def corresponds(old: ComparedLayer, new: ComparedLayer) -> bool:
    """Return whether two layers of the same path are one layer, changed.

    They are of one kind. Where the path is no name that an author gave, but the kind's with a
    number, they also have as many axes, and of several fields one that is the same.
    """
    name = new.path.rpartition("/")[2]
    if old.kind != new.kind or new.kind not in (name, name.rpartition("_")[0]):
        return old.kind == new.kind
    shared = [name for name in old.fields if old.fields[name] == new.fields.get(name)]
    ranks = [[len(shape) for shape in layer.shapes] for layer in (old, new)]
    return ranks[0] == ranks[1] and (bool(shared) or len(old.fields) < 2)


def _by_sequence(
    old: Iterable[ComparedLayer], new: Iterable[ComparedLayer], known: Iterable[Pair]
) -> list[Pair]:
    """Return the known pairs, and those at the same place of a sequence of equal content."""
    pairs = list(known)
    first, second = _unmatched(old, new, pairs)
    before, after = ([layer.content for layer in side] for side in (first, second))
    for i, j, size in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        pairs += zip(first[i : i + size], second[j : j + size], strict=True)
    return pairs


def _in_groups(layers: Iterable[ComparedLayer], analysis: Analysis) -> Iterator[ComparedLayer]:
    """Yield layers; where all layers of a group are among them, yield the group instead."""
    here = {layer.path: layer for layer in layers}
    if not here:
        return
    rows = Report(analysis, COUNTS).rows
    sizes, found = (_group_sizes(each) for each in (layers_of(analysis), here.values()))
    closed = -1
    for row in rows:
        if 0 <= closed < row.level:
            continue
        closed = -1
        if row.is_group and 0 < found[row.path] == sizes[row.path]:
            closed = row.level
            yield ComparedLayer(
                row.path, row.kind, {}, row.shapes, row.counts, row, sizes[row.path]
            )
        elif row.path in here and not row.is_group:
            yield here[row.path]

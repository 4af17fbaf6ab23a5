"""The rows and totals that are shown of an analysis, before a renderer lays them out."""

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sympy import Add, Expr, Integer, S

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError, did_you_mean, find_named
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.functions import Maximum, amount_of
from costmodel.algebra.once import once
from costmodel.algebra.work import budget
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import ClosedForm, Note
from costmodel.analysis.standing import standing_notes
from costmodel.metrics.registry import COLUMNS, METRICS, USUAL, Metric, NoCountError, find_metric
from costmodel.network.propagation import (
    ONCE,
    CountedLayer,
    GroupCost,
    Multiplicity,
    Part,
    counted_in,
)
from costmodel.network.receptive_field import FieldEnd, end_of, ends_of
from costmodel.rules.base import Shape
from costmodel.rules.formula import show_decimal, show_number
from costmodel.scenario.scenario import PAST
from costmodel.studies.measures import Measured, measured
from costmodel.studies.units import WHOLE, NumberForms

if TYPE_CHECKING:
    from costmodel.algebra.naming import Naming
    from costmodel.analysis.peaks import Peak, PeakRange


class ReportRow(NamedTuple):
    """One line of a report: an input of the network, a layer, or a group of lines.

    Attributes:
        name: its name among its siblings; a group that holds but one group is named with it.
        kind: its kind; ``input`` for an input, the block's or composite's for a group.
        path: its place in the structure.
        level: how many groups it is in.
        inputs: where its inputs come from; a group's are those of the layers in it.
        shapes: the shapes of its outputs.
        counts: metric → expression, all runs together, so that the lines of a group add up to it.
        runs: how often it runs for each run of the group it is in.
        copies: how many copies of its weights there are for each of that group's.
        sharing: why its output is no new feature map (``in place``, ``view``), if it is none.
        is_group: whether it is one.
    """

    name: str
    kind: str
    path: str
    level: int
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    counts: dict[str, Expr]
    runs: Expr = S.One
    copies: Expr = S.One
    sharing: str = ""
    is_group: bool = False


BEFORE = {
    "layer": "layer",
    "description": "description",
    "kind": "kind",
    "path": "path",
    "shape": "output shape",
}
"""Column that can stand before the metrics → its head."""

OTHERS = "others"
"""The kind of the line that stands for all layers but the largest."""

FIELD = ("receptive_field", "effective_stride", "effective_padding")
"""The measures of what a layer sees of the input."""


def columns_like(words: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that words name; a pattern is all that it matches."""
    found = (fnmatch.filter(BEFORE, word) or [word] for word in words)
    return tuple(dict.fromkeys(name for names in found for name in names))


@dataclass(frozen=True)
class Report:
    """An analysis with the choice of what to show.

    Attributes:
        analysis: the network.
        metrics: the metrics that were asked for; none means the usual ones.
        symbolic: whether laws are shown, or numbers.
        depth: how many groups are opened within each other; None opens all.
        top: how many layers are shown, those with most first and the others in one line; None shows
            all in their order.
        by: the metric of which they have most, which is shown with the others.
        hide: patterns of the kinds, names and paths of layers that are not shown.
        only: patterns of those that alone are shown, without their groups.
        before: what stands before the metrics (see `BEFORE`).
        asked: the columns of numbers where expressions are among them, as ``macs/params``; else
            none. `metrics` has all that they are made of.
        forms: the units and digits of the columns.
    """

    analysis: Analysis
    metrics: tuple[str, ...] = ()
    symbolic: bool = False
    depth: int | None = None
    top: int | None = None
    by: str = "macs"
    hide: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    before: tuple[str, ...] = ("layer", "shape")
    asked: tuple[Measured, ...] = ()
    forms: NumberForms = WHOLE

    def __post_init__(self) -> None:
        for name in (*self.metrics, self.by):
            find_metric(name)
        for name in self.before:
            find_named("column", name, BEFORE)
        self.forms.require(self.numbers, symbolic=self.symbolic)

    @property
    def columns(self) -> tuple[Metric, ...]:
        """The metrics that are counted in every row, which shows them or what is made of them."""
        ranked = () if self.top is None else (self.by,)
        return tuple(METRICS[name] for name in dict.fromkeys((*(self.metrics or COLUMNS), *ranked)))

    @property
    def numbers(self) -> tuple[Measured, ...]:
        """The columns of numbers that every row shows."""
        ranked = () if self.top is None else (measured(self.by),)
        every = (*self.asked, *ranked) if self.asked else (measured(m.name) for m in self.columns)
        return tuple({each.name: each for each in every}.values())

    @property
    def expressions(self) -> tuple[Measured, ...]:
        """The expressions among the columns."""
        return tuple(each for each in self.asked if each.metric is None)

    def made_of(self, each: Measured, counts: Mapping[str, Expr]) -> Expr | None:
        """Return the closed form of a column from those of metrics; None where there is none."""
        if self.value_of(each, counts) is None:
            return None
        return each.closed_form(counts.get)

    def value_of(self, each: Measured, counts: Mapping[str, Expr]) -> Rational | None:
        """Return the number of a column from the closed forms of metrics; None without one."""

        def number(name: str) -> Rational | None:
            return self.number(counts[name]) if name in counts else None

        return each.value(number)

    @property
    def whole(self) -> dict[str, Expr]:
        """The counts of the whole network, of all metrics that have one."""
        found = {metric.name: self.total_if_any(metric.name) for metric in self.columns}
        return {name: total for name, total in found.items() if total is not None}

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics of the whole network."""
        if self.asked:
            return tuple(each.metric for each in self.asked if each.metric is not None)
        if self.metrics:
            return tuple(METRICS[name] for name in self.metrics)
        return tuple(metric for metric in map(find_metric, USUAL) if self._is_usual(metric))

    def _is_usual(self, metric: Metric) -> bool:
        """Return whether a usual metric is shown: what it needs is given."""
        nowhere = self.analysis.scenario.device is None
        missing = metric.of_device and (nowhere or metric.name in self.missing)
        blind = metric.of_places and not self._has_windows
        return not (missing or blind)

    @cached_property
    def missing(self) -> dict[str, str]:
        """Usual metric that the device's figures do not give → the reason."""
        found: dict[str, str] = {}
        if self.analysis.scenario.device is None or self.metrics:
            return found
        for metric in map(find_metric, USUAL):
            if metric.of_device:
                try:
                    self.analysis.value(metric.name)
                except SpecError as error:
                    entry = f"{error.entry}: " if error.entry else ""
                    found[metric.name] = f"{entry}{error.cause}"
        return found

    @cached_property
    def _has_windows(self) -> bool:
        """Return whether windows slide over something, so that one asks what they see."""
        return any(layer.cost.slides for layer in self.analysis.layers)

    @property
    def title(self) -> str:
        """The network's name."""
        return self.analysis.graph.title

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions on the symbols."""
        return tuple(condition_text(condition) for condition in self.analysis.conditions)

    @property
    def setting(self) -> str:
        """``n = 1, c = 3``: the value of every symbol."""
        return self.setting_without()

    def setting_without(self, *names: str) -> str:
        """Return the value of every symbol but some."""
        values = self.values.items()
        return ", ".join(f"{n} = {show_decimal(value)}" for n, value in values if n not in names)

    @property
    def standing(self) -> Iterator[Note]:
        """Return the notes on what the numbers stand on."""
        conditions = " and ".join(self.conditions)
        return standing_notes(
            self.analysis, at=self.setting, conditions=conditions, metrics=self.shown
        )

    @property
    def shown(self) -> Iterator[str]:
        """The metrics that are shown; which of the usual ones there are is asked for last."""
        yield from (name for name in self.metrics or USUAL if name not in self.missing)

    @property
    def values(self) -> dict[str, Rational]:
        """The value of every symbol, and how many tokens came before where that is a number."""
        past = self.analysis.scenario.past
        known = {} if past is None or isinstance(past, str) else {PAST: past}
        return {**self.analysis.graph.values, **known}

    @cached_property
    def rows(self) -> tuple[ReportRow, ...]:
        """The inputs, then the tree of groups and layers as far as it is opened, or the largest."""
        return self._visible if self.top is None else tuple(self._largest(self.top))

    @cached_property
    def _visible(self) -> tuple[ReportRow, ...]:
        """The lines that are not hidden; of groups those that hold one of these."""
        if not (self.hide or self.only):
            return self._opened
        leaves = [row for row in _leaves(self._opened) if self._is_visible(row)]
        if self.only:
            return tuple(row._replace(name=row.path, level=0) for row in leaves)
        held = {row.path for row in leaves}
        return tuple(
            row
            for row in self._opened
            if row.path in held
            or (row.is_group and any(path.startswith(f"{row.path}/") for path in held))
        )

    def _is_visible(self, row: ReportRow) -> bool:
        hidden, shown = (
            {p for each in of for p in self._like(each)} for of in (self.hide, self.only)
        )
        return row.path not in hidden and (not self.only or row.path in shown)

    @once
    def _like(self, pattern: str) -> frozenset[str]:
        """Return the paths of the lines that a pattern is the kind of, else the name or the path.

        Raises:
            SpecError: there are none.
        """
        rows = self._opened
        found = {row.path for row in rows if fnmatch.fnmatchcase(row.kind, pattern)} or {
            row.path
            for row in rows
            if fnmatch.fnmatchcase(row.name, pattern) or fnmatch.fnmatchcase(row.path, pattern)
        }
        if not found:
            kinds = sorted({row.kind for row in rows})
            hint = did_you_mean(pattern, kinds) or f"kinds are {', '.join(kinds)}"
            raise SpecError(f"no layer is like '{pattern}'", hint=hint)
        return frozenset(found)

    @property
    def hidden(self) -> str:
        """Return the number of layers that are not shown, with their part of the sums; or ''."""
        hidden = [row for row in _leaves(self._opened) if not self._is_visible(row)]
        kinds = ", ".join(dict.fromkeys(row.kind for row in hidden))
        sums = {
            metric.title: sum(self.number(row.counts.get(metric.name, S.Zero)) for row in hidden)
            for metric in self.columns
            if metric.combine == "sum"
        }
        parts = (f"{show_number(tidy(value))} {title}" for title, value in sums.items() if value)
        with_ = f" with {', '.join(parts)}" if any(sums.values()) else ""
        return f"{len(hidden):,} lines ({kinds}){with_}" if hidden else ""

    def _largest(self, count: int) -> Iterator[ReportRow]:
        """Yield the layers that have most of a metric, then one line of all others together."""
        layers = _leaves(self._visible)
        sizes = [self.number(row.counts.get(self.by, S.Zero)) for row in layers]
        ranked = sorted(range(len(layers)), key=lambda i: (-sizes[i], i))
        yield from (layers[i]._replace(name=layers[i].path, level=0) for i in ranked[:count])
        others = [layers[i] for i in sorted(ranked[count:])]
        if others:
            counts = self._counts(lambda metric: self._together(metric, others))
            yield ReportRow(f"{len(others):,} others", OTHERS, OTHERS, 0, (), (), counts)

    @cached_property
    def _opened(self) -> tuple[ReportRow, ...]:
        """The inputs, then the tree of groups and layers as far as it is opened.

        Among laws the largest of all comes first: its sizes are those of the lines.
        """
        for metric in self.columns:
            if self.symbolic and metric.combine == "max":
                self.total_if_any(metric.name)
        tree = self._tree(self.analysis.propagation.parts, 0, ONCE)
        opened = (row for row in tree if self.depth is None or row.level <= self.depth)
        return (*self._inputs(), *opened)

    @property
    def leaves(self) -> tuple[ReportRow, ...]:
        """The lines that hold no other line that is shown; they add up to the network."""
        return _leaves(self.rows)

    def _inputs(self) -> Iterator[ReportRow]:
        for name, worked_out in self.analysis.propagation.inputs.items():
            shape = tuple(map(self.analysis.closed_form, worked_out))
            counts: dict[str, Expr] = {}
            for metric in self.columns:
                if metric.of_places:
                    continue
                beside = metric.beside(self.analysis.context)
                counts[metric.name] = self.analysis.closed_form(beside.get(name, Integer(0)))
            yield ReportRow(name, "input", name, 0, (), (shape,), counts)

    def _tree(self, parts: Iterable[Part], level: int, often: Multiplicity) -> Iterator[ReportRow]:
        """Yield the lines of some parts."""
        for part in parts:
            if isinstance(part, GroupCost):
                yield from self._group(part, level, often)
            else:
                yield self._row(CountedLayer(part, often), level)

    def _group(self, group: GroupCost, level: int, often: Multiplicity) -> Iterator[ReportRow]:
        """Yield the line of a group, then those in it; one that holds one group is one with it."""
        name, own, held, output = group.name, group.runs, group.copies, group.output
        often = often.within(group)
        while len(group.parts) == 1 and isinstance(group.parts[0], GroupCost):
            group = group.parts[0]
            name = f"{name}/{group.name}"
            own, held = own * group.runs, held * group.copies
            often = often.within(group)
        inner = list(self._tree(group.parts, level + 1, often))
        direct = [row for row in inner if row.level == level + 1]
        yield ReportRow(
            name=name,
            kind=group.kind,
            path=group.path,
            level=level,
            inputs=(),
            shapes=(tuple(map(self.analysis.closed_form, output)),),
            counts=self._counts(lambda metric: self._of_group(metric, group, often, direct)),
            runs=own,
            copies=held,
            is_group=True,
        )
        yield from inner

    def _of_group(
        self, metric: Metric, group: GroupCost, often: Multiplicity, rows: Iterable[ReportRow]
    ) -> Expr:
        """Return a group's count: that of its lines together, or of all layers in it."""
        held = tuple(counted_in(group.parts, often))
        if metric.of_places and end_of(self.analysis.fields, held):
            raise NoCountError("a field ends in it")
        if metric.of_layers is None:
            return self._together(metric, rows)
        return self._form_of(metric, metric.of(held, self.analysis.context))

    def _form_of(self, metric: Metric, expression: Expr) -> Expr:
        """Return a metric's expression as it is printed; in closed forms maxima are decided."""
        if self.symbolic:
            expression = self.analysis.decided(expression)
        return self.analysis.closed_form_of(metric, expression)

    def _together(self, metric: Metric, rows: Iterable[ReportRow]) -> Expr:
        counts = [amount_of(row.counts[metric.name]) for row in rows if metric.name in row.counts]
        if metric.of_places and not counts:
            raise NoCountError("no field is in it")
        if metric.combine == "max":
            largest = [count for count in counts if count != 0 or metric.of_places]
            return self._form_of(metric, Maximum(*largest)) if largest else Integer(0)
        return self.analysis.closed_form_of(metric, self.analysis.by_resolution(Add(*counts)))

    def _row(self, counted: CountedLayer, level: int) -> ReportRow:
        layer = counted.layer
        output = layer.cost.output
        form = self.analysis.closed_form
        return ReportRow(
            name=layer.node.name,
            kind=layer.node.kind,
            path=layer.node.path,
            level=level,
            inputs=tuple(tensor.label for tensor in layer.node.inputs),
            shapes=tuple(tuple(map(form, shape)) for shape in layer.outputs),
            counts=self._counts(
                lambda metric: self._form_of(metric, self.analysis.of_all_runs(metric, counted))
            ),
            sharing="" if output.is_feature_map else output.value,
        )

    def _counts(self, count: Callable[[Metric], Expr]) -> dict[str, Expr]:
        """Return the count of every column that has one."""
        found: dict[str, Expr] = {}
        for metric in self.columns:
            with suppress(NoCountError):
                found[metric.name] = count(metric)
        return found

    def label(self, row: ReportRow) -> str:
        """Return a line's name with the numbers of its runs and copies."""
        times = "" if row.runs is S.One and row.copies is S.One else f" ×{self.show(row.runs)}"
        of = " shared" if row.copies is S.One else f" of {self.show(row.copies)}"
        times += "" if row.copies == row.runs else of
        return f"{row.name}{times}"

    def number(self, expression: Expr) -> Rational:
        """Return the value of an expression at the symbols' values."""
        return self.analysis.evaluator(expression)

    def show(self, expression: Expr) -> str:
        """Return an expression as law or as number, whichever the report shows."""
        if self.symbolic:
            return ClosedForm(expression, read=self.analysis.read).text()
        return show_number(self.number(expression))

    @once
    def total(self, name: str) -> Expr:
        """Return a metric of the whole network, as it is printed.

        Raises:
            NoCountError: the network has none.
        """
        form = self.analysis.closed_form_of(METRICS[name], self.analysis.total(name))
        return self.analysis.read(form)

    def total_if_any(self, name: str) -> Expr | None:
        """Return a metric of the whole network, as it is printed; None where it has none."""
        return None if self.analysis.none_of(name) else self.total(name)

    @property
    def order_note(self) -> str:
        """A note that says whether the best order is proved to be the best."""
        found = self.analysis.best_order
        if not found.unsearched:
            return "the least of all orders of execution"
        first, last = found.unsearched[0], found.unsearched[-1]
        kept = f"{len(found.unsearched)} layers between {first} and {last} were not searched"
        return f"{kept}, which does not matter" if found.is_best else f"{kept}, it may be less"

    @property
    def has_fields(self) -> bool:
        """Return whether fields are among what is shown of the network."""
        return any(metric.of_places for metric in self.totals)

    @property
    def ends(self) -> tuple[FieldEnd, ...]:
        """The layers at which receptive fields end, in order."""
        return ends_of(self.analysis.fields, self.analysis.counted)

    @property
    def field_notes(self) -> tuple[str, ...]:
        """The network's field, where fields end, and which paths' strides differ."""
        differ = tuple(f"strides differ at {clash}" for clash in self.clashes)
        none = self.analysis.none_of("receptive_field")
        if none is not None:
            return (none.cause.removeprefix("receptive_field is "), *differ)
        return (*self._field_of, *differ)

    @property
    def _field_of(self) -> Iterator[str]:
        """The network's field with the layer that has it, and what sees everything beyond it."""
        last = dict.fromkeys(ends_of(self.analysis.fields, self.analysis.counted[-1:]))
        yield self._largest_field
        yield from (f"ends at {end.kind} '{end.path}', which {end.why}" for end in last)
        gates = [end for end in self.ends if end not in last]
        if gates:
            more = f", and {len(gates) - 1:,} more like it" if len(gates) > 1 else ""
            yield f"beside it {gates[0]}{more}, which all its places share: not counted"

    @property
    def _largest_field(self) -> str:
        """``195 (stride 32, padding 66) of maxpool2d_3``: of the last layer that has it."""
        value = self.analysis.value("receptive_field")
        for counted in reversed(self.analysis.counted):
            with suppress(NoCountError):
                forms = (self.analysis.of_all_runs(METRICS[name], counted) for name in FIELD)
                size, stride, padding = map(self.number, forms)
                if size == value:
                    where = counted.layer.node.path
                    return f"{size} (stride {stride}, padding {padding}) of {where}"
        return show_number(value)

    @property
    def clashes(self) -> tuple[str, ...]:
        """The merges of paths whose strides differ: ``add_1 (2 and 4)``."""
        found = self.analysis.fields.clashes
        form = self.analysis.closed_form
        return tuple(
            f"{clash.path} ({' and '.join(self.show(form(s)) for s in clash.strides)})"
            for clash in found
        )

    @once
    def naming(self, metrics: tuple[Metric, ...]) -> "Naming":
        """Return the names of what the laws of some metrics share; the spec's own ones are kept.

        Args:
            metrics: those whose totals are shown.
        """
        from costmodel.algebra.naming import naming

        if not self.symbolic:
            return naming((), {}, ())
        graph, given = self.analysis.graph, self.analysis.given_names
        counts = (count for row in self.rows for count in row.counts.values()) if given else ()
        totals = (self.total_if_any(metric.name) for metric in metrics)
        forms = [form for form in totals if form is not None]
        with budget("the names in the laws", self.analysis.propagation.largest_layer):
            return naming(forms, given, {*graph.symbols, *graph.let}, counts)

    def peaks(self, metric: str) -> tuple["Peak", ...]:
        """Return the terms of a peak, those that are largest at the values first."""
        from costmodel.analysis.peaks import peaks

        found = peaks(self.analysis, metric)
        return tuple(sorted(found, key=lambda peak: self.number(peak.term), reverse=True))

    def stretches(self, metric: str) -> str:
        """Return the values of the one open symbol at which each term is the peak, if any."""
        from costmodel.analysis.peaks import race_of

        race = race_of(self.analysis, metric)
        if race is None:
            return ""
        owners = {peak.term: peak.owner for peak in self.peaks(metric)}
        name = next(iter(self.analysis.symbols), "")
        texts = [f"{owners[each.term]} for {_values(name, each)}" for each in race.leads]
        if race.leads and not race.is_decided:
            texts.append(f"not compared beyond {name} = {race.leads[-1].last}")
        return ", ".join(texts)

    def part(self, row: ReportRow) -> Rational:
        """Return the row's part of the total of `shared`."""
        part = self.number(row.counts[self.shared.name])
        return tidy(Fraction(part) / Fraction(self.analysis.value(self.shared.name))) if part else 0

    @property
    def shared(self) -> Metric:
        """The metric whose shares are shown: MACs, or the first that adds up.

        Raises:
            SpecError: no column adds up.
        """
        for metric in sorted(self.columns, key=lambda m: m.name != self.by):
            if metric.combine == "sum":
                return metric
        raise SpecError("none of the metrics adds up")

    @property
    def has_shares(self) -> bool:
        """Return whether parts of the whole are shown; where layers are ranked, by what adds up."""
        ranked = self.columns if self.top is None else (METRICS[self.by],)
        return any(metric.combine == "sum" for metric in ranked)


def _leaves(rows: tuple[ReportRow, ...]) -> tuple[ReportRow, ...]:
    """Return the lines that hold no other one of some."""
    following = (*rows[1:], None)
    return tuple(
        row
        for row, after in zip(rows, following, strict=bool(rows))
        if not (row.is_group and after and after.level > row.level)
    )


def _values(name: str, lead: "PeakRange") -> str:
    if lead.last is None:
        return f"{name} >= {lead.first}"
    if lead.first == lead.last:
        return f"{name} = {lead.first}"
    return f"{lead.first} <= {name} <= {lead.last}"

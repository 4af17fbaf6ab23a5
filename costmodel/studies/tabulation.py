"""A table of networks: a row for each, whose cells are names, symbols and metrics."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from math import floor
from typing import Any, NamedTuple

from sympy import Expr

from archspec import Architecture, SpecError
from archspec.arithmetic import Rational
from archspec.errors import did_you_mean, find_named
from archspec.quantities import BINARY, DECIMAL
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.constraints import DIRECTIONS
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.analysis.standing import in_order, marked, scenario_notes
from costmodel.metrics.registry import BYTES, COLUMNS, METRICS, Metric, find_metric
from costmodel.network.networks import networks
from costmodel.rules.formula import show_shapes
from costmodel.scenario.conventions import Convention, convention_of
from costmodel.scenario.settings import to_rational
from costmodel.studies.report import Report
from costmodel.studies.report_document import kind_of

DIGITS = 2
"""The digits after the point where a unit is chosen and no digits are."""

TITLES = {"name": "network"} | {name: name for name in ("variant", "spec", "source", "input")}
"""Column that describes a network, beside its symbols and metrics → the column's head."""

Value = Rational | str | None
"""A number, a name, or nothing where a network has no such symbol."""


class ShownUnit(NamedTuple):
    """The unit that a column's numbers are shown in.

    Attributes:
        name: as it is written, ``M`` or ``MiB``.
        size: how many base units it is.
    """

    name: str
    size: Rational


class TableRow(NamedTuple):
    """One network: column → its value; and, where closed forms are shown, metric → its own."""

    values: Mapping[str, Value]
    closed_forms: Mapping[str, Expr]


class TableOptions(NamedTuple):
    """The options of a table: its metrics and columns, and how they are shown.

    Attributes:
        metrics: the metrics, in order; none means the usual ones.
        columns: what stands before them; none means the name, and the variant where there is one.
        units: ``metric=unit``, as ``macs=M``.
        sort: the columns to sort by, the first first; ``macs:desc`` begins with the most.
        digits: the digits after the point of numbers with a unit.
        caption: what stands above the table.
    """

    metrics: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    digits: int | None = None
    caption: str = ""


@dataclass(frozen=True)
class Tabulation:
    """Networks in the order in which they are shown, with the choice of what is.

    Attributes:
        analyses: spec → its analysis.
        choice: what is shown.
        setup: what is said of all of them.
        convention: what counts in all of them.
        symbolic: whether laws are shown, or numbers.
    """

    analyses: Mapping[str, Analysis]
    choice: TableOptions
    setup: Setup
    convention: Convention
    symbolic: bool = False

    @cached_property
    def columns(self) -> tuple[doc.Column, ...]:
        """Return the columns, what a network is called by first."""
        units = self._units
        digits = _checked_digits(self.choice.digits, units, self._metrics)
        for name in units:
            if name not in {metric.name for metric in self._metrics}:
                raise SpecError(
                    f"--unit {name}: {name} is no column", hint=f"ask for it: --metric {name}"
                )
        described = tuple(map(self._described, self.choice.columns or self._usual))
        return (*described, *(self._column(m, units.get(m.name), digits) for m in self._metrics))

    @property
    def _units(self) -> dict[str, ShownUnit]:
        return dict(_unit(text) for text in self.choice.units)

    def _column(self, metric: Metric, unit: ShownUnit | None, digits: int) -> doc.Column:
        """Return the column of a metric, whose closed forms stand at the left."""
        title = f"{metric.title} ({unit.name})" if unit else metric.head
        kind = _kind(metric, unit, digits)
        return doc.Column(metric.name, title, kind._replace(is_right=not self.symbolic))

    @property
    def _metrics(self) -> tuple[Metric, ...]:
        return tuple(find_metric(name) for name in self.choice.metrics or COLUMNS)

    @property
    def _usual(self) -> tuple[str, ...]:
        varied = any(analysis.architecture.variant for analysis in self.analyses.values())
        return ("name", "variant") if varied else ("name",)

    def _described(self, name: str) -> doc.Column:
        symbols = {s for analysis in self.analyses.values() for s in analysis.graph.values}
        if name not in TITLES and name not in symbols:
            hint = "ask for it with --metric" if name in METRICS else None
            hint = hint or did_you_mean(name, [*TITLES, *symbols])
            raise SpecError(f"unknown column '{name}'", hint=hint)
        return doc.Column(name, TITLES.get(name, name), doc.TEXT if name in TITLES else doc.FIGURE)

    @cached_property
    def networks(self) -> tuple[TableRow, ...]:
        """Return the networks, sorted."""
        rows = [self._row(spec, analysis) for spec, analysis in self.analyses.items()]
        for key in reversed(self.choice.sort):
            name, descending = self._key(key)
            rows.sort(key=lambda row: _order(row.values[name]), reverse=descending)
        return tuple(rows)

    def _key(self, text: str) -> tuple[str, bool]:
        name, _, order = text.partition(":")
        known = {column.name: column for column in self.columns}
        if name not in known:
            hint = did_you_mean(name, known) or "sort by a column"
            raise SpecError(f"--sort {text}: '{name}' is no column", hint=hint)
        if order and order not in DIRECTIONS:
            raise SpecError(f"--sort {text}: '{order}' is no order", hint="asc or desc")
        return name, DIRECTIONS.get(order, False)

    def _row(self, spec: str, analysis: Analysis) -> TableRow:
        described = self.columns[: -len(self._metrics)]
        values = {column.name: _value(column.name, spec, analysis) for column in described}
        values |= {metric.name: analysis.value_if_any(metric.name) for metric in self._metrics}
        if not self.symbolic:
            return TableRow(values, {})
        report = Report(analysis, symbolic=True)
        forms = {metric.name: report.total_if_any(metric.name) for metric in self._metrics}
        return TableRow(values, {name: form for name, form in forms.items() if form is not None})

    @property
    def document(self) -> doc.Document:
        """Return the table as a document, with its caption as the title."""
        made = doc.Document(self.choice.caption, self._blocks, self._data, rows=self._plain)
        return marked(made, self.analyses.values())

    def _blocks(self) -> Iterator[doc.Block]:
        yield doc.Table(
            self.columns, tuple(doc.Row(self._cells(network)) for network in self.networks)
        )
        yield doc.entries(notes(self))

    def _cells(self, network: TableRow) -> dict[str, doc.Cell]:
        """Return what a line shows; a symbol that a network has not is left empty."""
        metrics = {metric.name for metric in self._metrics}
        cells: dict[str, doc.Cell] = {
            name: "" if value is None and name not in metrics else value
            for name, value in network.values.items()
        }
        return cells | {name: doc.ClosedForm(form) for name, form in network.closed_forms.items()}

    def _plain(self) -> doc.Table:
        """Return the same with its units in the names, and the convention in every line."""
        units = {name: f" ({unit.name})" for name, unit in self._units.items()}
        columns = [c._replace(name=c.name + units.get(c.name, "")) for c in self.columns]
        rows = ((*self._cells(each).values(), self.convention.name) for each in self.networks)
        return doc.table_of((*columns, doc.Column("convention", "convention")), rows)

    def _data(self) -> dict[str, Any]:
        """Return exact numbers in base units, whatever unit a table would show."""
        return {
            "archcost": doc.VERSION,
            "caption": self.choice.caption,
            "convention": self.convention.name,
            "networks": [
                {
                    name: _quantity(value, each.closed_forms.get(name))
                    for name, value in each.values.items()
                }
                for each in self.networks
            ],
            "notes": [{"label": label, "note": note} for label, note in notes(self)],
        }


def _quantity(value: Value, form: Expr | None) -> Any:
    """Return a value as plain data, beside its closed form if there is one."""
    number = doc.plain_number(value)
    return number if form is None else {"expr": text(form), "value": number}


def tabulate(
    specs: Iterable[str], choice: TableOptions, setup: Setup, *, symbolic: bool
) -> Tabulation:
    """Return the table of the networks that some words stand for (`costmodel.network.networks`).

    Raises:
        SpecError: a spec, a setting or a choice breaks a rule.
    """
    analyses: dict[str, Analysis] = {}
    found = tuple(networks(specs))
    convention = convention_of(setup.convention, *found)
    for architecture in found:
        file, variant = architecture.document.file, architecture.variant
        spec = f"{file}@{variant}" if variant else file
        analyses[spec] = _analyzed(architecture, convention, setup, spec, symbolic=symbolic)
    return Tabulation(analyses, choice, setup, convention, symbolic)


def _analyzed(
    architecture: Architecture, convention: Convention, setup: Setup, spec: str, *, symbolic: bool
) -> Analysis:
    """Return the analysis of a network; with all symbols fixed where only numbers are wanted."""
    settings = {name: to_rational(name, value) for name, value in setup.settings.items()}
    if not (symbolic or setup.assume):
        settings = architecture.header.defaults | settings
    try:
        return analyze_architecture(
            architecture, convention, settings, setup.assume, setup.scenario
        )
    except SpecError as error:
        raise error if error.origin else error.placed(None, spec) from None


def _value(name: str, spec: str, analysis: Analysis) -> Value:
    header, variant = analysis.architecture.header, analysis.architecture.variant
    match name:
        case "name":
            return header.name
        case "variant":
            return variant or ""
        case "spec":
            return spec
        case "source":
            return header.source or ""
        case "input":
            return show_shapes(analysis.propagation.inputs.values(), analysis.evaluator)
    return analysis.graph.values.get(name)


def _order(value: Value) -> tuple[bool, Rational, str]:
    """Return the sort key of a value: nothing comes first, and case does not matter."""
    if isinstance(value, str):
        return True, 0, value.casefold()
    return value is not None, value or 0, ""


def _unit(text: str) -> tuple[str, ShownUnit]:
    """Return the metric of ``macs=M``, and the unit that its numbers are shown in."""
    name, equals, unit = text.partition("=")
    if not equals or not unit:
        raise SpecError(f"--unit takes metric=unit, not '{text}'", hint="as in --unit macs=M")
    return name, find_unit(find_metric(name), unit)


def find_unit(metric: Metric, unit: str) -> ShownUnit:
    """Return the unit of a name in which a metric's numbers can be shown."""
    return ShownUnit(unit, find_named("unit", unit, units_of(metric)))


def units_of(metric: Metric) -> dict[str, Rational]:
    """Return the units that a metric's numbers can be shown in → how many base units each is."""
    base = metric.quantity or ("B" if metric.unit is BYTES else "")
    powers = DECIMAL if metric.quantity else {p: n for p, n in DECIMAL.items() if n >= 0}
    units: dict[str, Rational] = {
        f"{p}{base}": Fraction(10) ** power for p, power in powers.items()
    }
    if not metric.quantity:
        units |= {f"{prefix}{base}": 2**power for prefix, power in BINARY.items()}
    return {name: size for name, size in units.items() if name}


def _checked_digits(
    digits: int | None, units: Mapping[str, ShownUnit], metrics: Sequence[Metric]
) -> int:
    if digits is None:
        return DIGITS
    if not 0 <= digits <= 30:
        raise SpecError(f"--digits {digits} is no number of digits", hint="0 to 30")
    if not units:
        raise SpecError(
            "--digits is of numbers with a unit; counts are shown whole",
            hint=f"as in --unit {metrics[0].name}=M --digits {digits}",
        )
    return digits


def _kind(metric: Metric, unit: ShownUnit | None, digits: int) -> doc.Kind:
    """Return the way in which a metric's numbers are shown: in a unit, with one, or whole."""
    if unit is None:
        return kind_of(metric)
    show = partial(in_unit, unit=unit, digits=digits)
    return doc.Kind(partial(show, grouped=True), partial(show, grouped=False))


def in_unit(value: Rational, unit: ShownUnit, digits: int, *, grouped: bool) -> str:
    """Return a number in a unit: the nearest decimal of so many digits; a half goes up."""
    scaled = floor(Fraction(value) / unit.size * 10**digits + Fraction(1, 2))
    whole, rest = divmod(scaled, 10**digits)
    shown = f"{whole:,}" if grouped else str(whole)
    return f"{shown}.{rest:0{digits}}" if digits else shown


def notes(table: Tabulation) -> Iterator[tuple[str, str]]:
    """Yield the notes below the table: values, conditions, types, device, convention."""
    return in_order(
        ", ".join(f"{name} = {value}" for name, value in table.setup.settings.items()),
        table.setup.assume,
        (*_none(table), *(_conditions(table) if table.symbolic else ())),
        scenario=_scenario(table.analyses.values(), [column.name for column in table.columns]),
        convention=table.convention,
    )


def _none(table: Tabulation) -> Iterator[tuple[str, str]]:
    """Yield the reason for each metric that a network has not."""
    metrics = [name for name in (c.name for c in table.columns) if name in METRICS]
    for spec, analysis in table.analyses.items():
        for error in filter(None, map(analysis.none_of, metrics)):
            yield "none", f"{error.cause} ({spec})"


def _conditions(table: Tabulation) -> Iterator[tuple[str, str]]:
    for spec, analysis in table.analyses.items():
        if found := Report(analysis).conditions:
            yield "valid when", f"{' and '.join(found)} ({spec})"


def _scenario(
    analyses: Collection[Analysis], metrics: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield types and device; where networks differ, with the number of networks of each."""
    counted = Counter(note for analysis in analyses for note in scenario_notes(analysis, metrics))
    together: dict[str, set[str]] = {}
    for analysis in analyses:
        for of, names in analysis.types.items():
            together.setdefault(of, set()).update(names)
    if all(len(names) == 1 for names in together.values()):
        counted = Counter({note: count for note, count in counted.items() if note[0] != "types"})
        yield "types", ", ".join(f"{of} {names.pop()}" for of, names in together.items())
    for (label, note), count in counted.items():
        of = f" ({count} network{'' if count == 1 else 's'})"
        yield label, note if count == len(analyses) else note + of

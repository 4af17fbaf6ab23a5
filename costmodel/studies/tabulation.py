"""A table of networks: a row for each, whose cells are names, symbols and metrics."""

import fnmatch
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from glob import has_magic
from itertools import chain
from math import floor
from typing import Any, NamedTuple
from urllib.parse import quote

from sympy import Expr

from archspec import Architecture, SpecError
from archspec.arithmetic import Rational, tidy
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
from costmodel.studies.measures import Measured, measured
from costmodel.studies.report import Report
from costmodel.studies.report_document import kind_of

MOST_DIGITS = 30

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


ONE = ShownUnit("", 1)
"""The unit of an expression."""


class TableRow(NamedTuple):
    """One network.

    Attributes:
        values: column → its value.
        closed_forms: metric → its closed form, where these are shown.
        link: the address that its name leads to, or ''.
    """

    values: Mapping[str, Value]
    closed_forms: Mapping[str, Expr]
    link: str = ""


class TableOptions(NamedTuple):
    """The options of a table: its metrics and columns, and how they are shown.

    Attributes:
        metrics: the metrics, in order; none means the usual ones.
        columns: what stands before them; none means the name, and the variant where there is one.
        units: ``metric=unit``, as ``macs=M``.
        sort: the columns to sort by, the first first; ``macs:desc`` begins with the most.
        digits: the digits after the point of numbers with a unit, and of expressions.
        caption: what stands above the table.
        digits_of: the same of single columns, as ``macs=1``.
        last: the last row: ``total``, ``mean``, or none.
        transposed: whether networks are columns.
        links: the address that a network's name leads to, with ``{name}`` and the like in it.
    """

    metrics: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    digits: int | None = None
    caption: str = ""
    digits_of: tuple[str, ...] = ()
    last: str = ""
    transposed: bool = False
    links: str = ""


@dataclass(frozen=True)
class Tabulation:
    """The table of some networks: a row for each, in the order in which they are shown.

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
        units, digits = self._units, self._digits
        for option, given in (("--unit", units), ("--digits", digits)):
            for name in given.keys() - {column.name for column in self.measured}:
                hint = f"ask for it: --metric {name}"
                raise SpecError(f"{option} {name}: {name} is no column", hint=hint)
        for name in digits.keys() & METRICS.keys() - units.keys():
            cause = f"--digits {name}: counts are shown whole"
            raise SpecError(cause, hint=f"as in --unit {name}=M --digits {name}=1")
        places = _checked_digits(self.choice.digits, units, self.measured)
        described = tuple(map(self._described, self._before))
        measured = (
            self._column(each, units.get(each.name), digits.get(each.name, places))
            for each in self.measured
        )
        return (*described, *measured)

    @property
    def _digits(self) -> dict[str, int]:
        return dict(_digits_of(text) for text in self.choice.digits_of)

    @property
    def _before(self) -> tuple[str, ...]:
        """Return what stands before the metrics; a pattern is all that it matches."""
        found: dict[str, None] = {}
        for name in self.choice.columns or self._usual:
            like = fnmatch.filter(self._known, name) if has_magic(name) else []
            found |= dict.fromkeys(like or [name])
        return tuple(found)

    @property
    def _known(self) -> list[str]:
        """Return the names of what can stand before the metrics."""
        symbols = (analysis.graph.values for analysis in self.analyses.values())
        return list(dict.fromkeys((*TITLES, *chain(*symbols))))

    @property
    def _units(self) -> dict[str, ShownUnit]:
        return dict(_unit(text) for text in self.choice.units)

    def _column(self, each: Measured, unit: ShownUnit | None, digits: int) -> doc.Column:
        """Return the column of a metric or an expression; closed forms stand at the left."""
        metric = each.metric
        title = each.name if metric is None else metric.title if unit else metric.head
        title = f"{title} ({unit.name})" if unit else title
        kind = _kind(metric, unit or (ONE if metric is None else None), digits)
        return doc.Column(each.name, title, kind._replace(is_right=not self.symbolic))

    @cached_property
    def measured(self) -> tuple[Measured, ...]:
        """Return the columns of numbers."""
        return tuple(measured(name) for name in self.choice.metrics or COLUMNS)

    @property
    def _usual(self) -> tuple[str, ...]:
        varied = any(analysis.architecture.variant for analysis in self.analyses.values())
        inputs = {_value("input", "", analysis) for analysis in self.analyses.values()}
        of_inputs = len(inputs) > 1 and not self.symbolic
        return ("name", *["variant"] * varied, *["input"] * of_inputs)

    def _described(self, name: str) -> doc.Column:
        if name not in self._known:
            hint = "ask for it with --metric" if name in METRICS else None
            hint = hint or did_you_mean(name, self._known)
            raise SpecError(f"unknown column '{name}'", hint=hint)
        return doc.Column(name, TITLES.get(name, name), doc.TEXT if name in TITLES else doc.FIGURE)

    @cached_property
    def networks(self) -> tuple[TableRow, ...]:
        """Return the networks, sorted."""
        rows = [
            self._row(spec, analysis)._replace(link=self._link(spec, analysis))
            for spec, analysis in self.analyses.items()
        ]
        for key in reversed(self.choice.sort):
            name, descending = self._key(key)
            rows.sort(key=lambda row: _order(row.values[name]), reverse=descending)
        return tuple(rows)

    def _link(self, spec: str, analysis: Analysis) -> str:
        """Return the address that a network's name leads to, or ''."""
        values = {name: str(_value(name, spec, analysis)) for name in TITLES}
        names = {name: quote(value, errors="surrogateescape") for name, value in values.items()}
        try:
            return self.choice.links.format_map(names)
        except (KeyError, ValueError, IndexError, AttributeError):
            hint = f"it takes {', '.join(f'{{{name}}}' for name in TITLES)}"
            raise SpecError(f"--links {self.choice.links} is no address", hint=hint) from None

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
        described = self.columns[: -len(self.measured)]
        values = {column.name: _value(column.name, spec, analysis) for column in described}
        values |= {each.name: each.value(analysis.value_if_any) for each in self.measured}
        if not self.symbolic:
            return TableRow(values, {})
        report = Report(analysis, symbolic=True)
        forms = {each.name: each.closed_form(report.total_if_any) for each in self.measured}
        return TableRow(values, {name: form for name, form in forms.items() if form is not None})

    @property
    def document(self) -> doc.Document:
        """Return the table as a document, with its caption as the title."""
        made = doc.Document(self.choice.caption, self._blocks, self._data, rows=self._plain)
        return marked(made, self.analyses.values())

    def _blocks(self) -> Iterator[doc.Block]:
        table = doc.Table(self.columns, self._rows, self._last)
        yield doc.transposed(table) if self.choice.transposed else table
        yield doc.entries(notes(self))

    @property
    def _rows(self) -> tuple[doc.Row, ...]:
        return tuple(doc.Row(self._cells(network)) for network in self.networks)

    @property
    def _last_data(self) -> dict[str, Any]:
        """Return the last row as plain data."""
        if self._last is None:
            return {}
        cells = {each.name: self._last.cells[each.name] for each in self.measured}
        numbers = {n: c for n, c in cells.items() if c is None or isinstance(c, int | Fraction)}
        return {self.choice.last: {n: doc.plain_number(c) for n, c in numbers.items()}}

    @property
    def _last(self) -> doc.Row | None:
        """Return the row below all others: sums, with expressions of these, or means."""
        if not self.choice.last:
            return None
        if self.symbolic:
            raise SpecError(f"--{self.choice.last} is of numbers, and these are closed forms")
        rows = [network.values for network in self.networks]
        find = _total if self.choice.last == "total" else _mean
        analyses = tuple(self.analyses.values())
        cells = {each.name: find(each, rows, analyses) for each in self.measured}
        return doc.Row({self.columns[0].name: self.choice.last, **cells})

    def _cells(self, network: TableRow) -> dict[str, doc.Cell]:
        """Return what a line shows; a symbol that a network has not is left empty."""
        metrics = {each.name for each in self.measured}
        cells: dict[str, doc.Cell] = {
            name: "" if value is None and name not in metrics else value
            for name, value in network.values.items()
        }
        if "name" in cells and network.link:
            cells["name"] = doc.Link(str(cells["name"]), network.link)
        return cells | {name: doc.ClosedForm(form) for name, form in network.closed_forms.items()}

    def _plain(self) -> doc.Table:
        """Return the same with its units in the names, and the convention in every line."""
        units = {name: f" ({unit.name})" for name, unit in self._units.items()}
        columns = [c._replace(name=c.name + units.get(c.name, "")) for c in self.columns]
        rows = ((*self._cells(each).values(), self.convention.name) for each in self.networks)
        table = doc.table_of((*columns, doc.Column("convention", "convention")), rows)
        return doc.transposed(table, plain=True) if self.choice.transposed else table

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
            **self._last_data,
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
    found = [(word, architecture) for word in specs for architecture in networks([word])]
    convention = convention_of(setup.convention, *(architecture for _, architecture in found))
    common, own = _parted(setup.settings, [word for word, _ in found])
    for word, architecture in found:
        file, variant = architecture.document.file, architecture.variant
        spec = f"{file}@{variant}" if variant else file
        given = Setup(convention, {**common, **own.get(word, {})}, setup.assume, setup.scenario)
        analyses[spec] = _analyzed(architecture, given, spec, symbolic=symbolic)
    return Tabulation(analyses, choice, setup, convention, symbolic)


def _parted(
    settings: Mapping[str, Any], words: Sequence[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the settings of all networks, and word → those of its own: ``NET:width=0.5``.

    Raises:
        SpecError: one is of a network that is not in the table.
    """
    common: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {}
    for given, value in settings.items():
        word, colon, name = given.rpartition(":")
        if not colon:
            common[name] = value
        elif word in words:
            own.setdefault(word, {})[name] = value
        else:
            hint = did_you_mean(word, words) or "name it as it is named in the table"
            raise SpecError(f"--set {given}={value}: there is no network '{word}' here", hint=hint)
    return common, own


def _total(
    each: Measured, rows: Sequence[Mapping[str, Value]], analyses: Sequence[Analysis]
) -> doc.Cell:
    """Return the sum over all networks; of an expression that of the sums in it."""
    if not each.adds_up:
        return ""

    def together(name: str) -> Rational | None:
        values = [analysis.value_if_any(name) for analysis in analyses]
        known = [Fraction(value) for value in values if value is not None]
        return tidy(sum(known, Fraction())) if len(known) == len(values) else None

    return each.value(together) if rows else ""


def _mean(
    each: Measured, rows: Sequence[Mapping[str, Value]], analyses: Sequence[Analysis]
) -> doc.Cell:
    """Return the mean over the networks that have a number."""
    del analyses
    values = [row[each.name] for row in rows]
    known = [Fraction(value) for value in values if isinstance(value, int | Fraction)]
    return tidy(sum(known, Fraction()) / len(known)) if known else None


def _analyzed(architecture: Architecture, setup: Setup, spec: str, *, symbolic: bool) -> Analysis:
    """Return the analysis of a network; with all symbols fixed where only numbers are wanted."""
    settings = setup.numbers
    if not (symbolic or setup.assume):
        settings = architecture.header.defaults | settings
    try:
        return analyze_architecture(architecture, setup.at(settings))
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


def _digits_of(text: str) -> tuple[str, int]:
    """Return the column of ``macs/params=1``, and the digits of its numbers."""
    name, _, digits = text.rpartition("=")
    if not name or not digits.isdigit() or int(digits) > MOST_DIGITS:
        hint = "as in --digits 1, or --digits macs=1 params=2"
        raise SpecError(f"--digits takes a number, or column=number, not '{text}'", hint=hint)
    return name, int(digits)


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
    digits: int | None, units: Mapping[str, ShownUnit], columns: Sequence[Measured]
) -> int:
    if digits is None:
        return DIGITS
    if not 0 <= digits <= MOST_DIGITS:
        raise SpecError(f"--digits {digits} is no number of digits", hint="0 to 30")
    if not units and all(column.metric for column in columns):
        raise SpecError(
            "--digits is of numbers with a unit; counts are shown whole",
            hint=f"as in --unit {columns[0].name}=M --digits {digits}",
        )
    return digits


def _kind(metric: Metric | None, unit: ShownUnit | None, digits: int) -> doc.ColumnKind:
    """Return the way in which a metric's numbers are shown: in a unit, with one, or whole."""
    if unit is None:
        assert metric is not None
        return kind_of(metric)._replace(show=partial(_whole, kind_of(metric)))
    show = partial(in_unit, unit=unit, digits=digits)
    return doc.ColumnKind(partial(show, grouped=True), partial(show, grouped=False))


def _whole(kind: doc.ColumnKind, value: Rational) -> str:
    """Return a number as its kind shows it; the mean of counts with two digits."""
    is_count = kind is doc.COUNT and isinstance(value, Fraction)
    return in_unit(value, ONE, DIGITS, grouped=True) if is_count else kind.show(value)


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
    metrics = dict.fromkeys(m.name for column in table.measured for m in column.metrics)
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

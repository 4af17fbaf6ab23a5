"""A table of networks: a row for each, whose cells are names, symbols and metrics."""

import fnmatch
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from glob import has_magic
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote

from sympy import Expr

from archspec import Architecture, SpecError
from archspec.arithmetic import Rational, tidy
from archspec.errors import did_you_mean
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.constraints import DIRECTIONS
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.analysis.standing import in_order, marked, scenario_notes
from costmodel.metrics.registry import COLUMNS, METRICS
from costmodel.network.networks import networks
from costmodel.rules.formula import show_shapes
from costmodel.scenario.conventions import Convention, convention_of
from costmodel.studies.measures import Measured, measured
from costmodel.studies.report import Report
from costmodel.studies.report_document import definitions
from costmodel.studies.units import WHOLE, NumberForms

TITLES = {"name": "network"} | {name: name for name in ("variant", "spec", "source", "input")}
"""Column that describes a network, beside its symbols and metrics → the column's head."""

Value = Rational | str | None
"""A number, a name, or nothing where a network has no such symbol."""


USUAL_WIDTH = 80
"""The columns of a usual terminal."""


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
        numbers: the units and digits of columns.
        sort: the columns to sort by, the first first; ``macs:desc`` begins with the most.
        caption: what stands above the table.
        last: the last rows: ``total``, ``mean``, or none.
        transposed: whether networks are columns.
        links: the address that a network's name leads to, with ``{name}`` and the like in it.
    """

    metrics: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    numbers: NumberForms = WHOLE
    sort: tuple[str, ...] = ()
    caption: str = ""
    last: tuple[str, ...] = ()
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
        numbers = self.choice.numbers
        numbers.require(self.measured, symbolic=self.symbolic)
        described = tuple(map(self._described, self._before))
        columns = (doc.Column(m.name, numbers.title(m), numbers.kind(m)) for m in self.measured)
        if self.symbolic:  # which stand at the left
            columns = (c._replace(kind=c.kind._replace(is_right=False)) for c in columns)
        return (*described, *columns)

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
        total, *others = self._last or (None,)
        names = self._names
        rows = (row._replace(cells=doc.with_names(row.cells, names)) for row in self._rows)
        table = doc.Table(self.columns, tuple(rows), total, beside_total=tuple(others))
        table = table._replace(where=tuple(definitions(names)), listed=_is_wider(table))
        yield doc.transposed(table) if self.choice.transposed else table
        yield doc.entries(notes(self))

    @property
    def _names(self) -> Mapping[Expr, str]:
        """Return the names of what the closed forms of all networks share."""
        from costmodel.algebra.naming import naming

        forms = [form for each in self.networks for form in each.closed_forms.values()]
        return naming(forms, {}, self._known).names if forms else {}

    @property
    def _rows(self) -> tuple[doc.Row, ...]:
        return tuple(doc.Row(self._cells(network)) for network in self.networks)

    @property
    def _last_data(self) -> dict[str, Any]:
        """Return the last rows as plain data."""
        found: dict[str, Any] = {}
        for name, row in zip(self.choice.last, self._last, strict=True):
            cells = {each.name: row.cells[each.name] for each in self.measured}
            numbers = {n: c for n, c in cells.items() if c is None or isinstance(c, int | Fraction)}
            found[name] = {n: doc.plain_number(c) for n, c in numbers.items()}
        return found

    @property
    def _last(self) -> tuple[doc.Row, ...]:
        """Return the rows below all others: sums, with expressions of these, and means."""
        if self.choice.last and self.symbolic:
            raise SpecError(f"--{self.choice.last[0]} is of numbers, and these are closed forms")
        rows, analyses = [each.values for each in self.networks], tuple(self.analyses.values())
        finders = {"total": _total, "mean": _mean}
        return tuple(
            doc.Row(
                {self.columns[0].name: name}
                | {each.name: finders[name](each, rows, analyses) for each in self.measured}
            )
            for name in self.choice.last
        )

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
        columns = [c._replace(name=self.choice.numbers.plain_name(c.name)) for c in self.columns]
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


def _is_wider(table: doc.Table) -> bool:
    """Return whether closed forms beside each other are wider than a usual terminal."""
    if not table.has_wide:
        return False
    widths = (
        max(len(str(doc.exact(row.cells.get(column.name, "")) or "")) for row in table.rows) + 3
        for column in table.shown
    )
    return sum(widths) > USUAL_WIDTH


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
    found = [*networks(specs)]
    setup.require_known(found)
    convention = convention_of(setup.convention, *found)
    agreed = setup._replace(convention=convention)
    for architecture in found:
        file, variant = architecture.document.file, architecture.variant
        spec = f"{file}@{variant}" if variant else file
        analyses[spec] = _analyzed(architecture, agreed, spec, symbolic=symbolic)
    return Tabulation(analyses, choice, setup, convention, symbolic)


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
    of_all = {name: value for name, value in setup.settings.items() if ":" not in name}
    settings = of_all | setup.given_to(architecture)  # what is said of all must be a symbol of each
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

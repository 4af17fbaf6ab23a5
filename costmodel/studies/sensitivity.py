"""The effect of each symbol on each metric: order, derivative, elasticity, doubling."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

from sympy import Expr, Mul, Symbol

from archspec.arithmetic import Rational, ratio
from archspec.errors import SpecError
from archspec.expressions import ExpressionError
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.growth import Derivatives, NoOrder, derivative, leading_order, obstacle
from costmodel.algebra.printing import PythonText, Unicode, text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis, Point
from costmodel.analysis.standing import document_of
from costmodel.metrics.registry import METRICS, Metric, find_metric
from costmodel.rules.formula import show_decimal, show_number
from costmodel.studies import question
from costmodel.studies.report import Report
from costmodel.studies.report_document import head, notes

USUAL = ("params", "macs", "activations")
"""The metrics where none are requested."""


class NoResult(NamedTuple):
    """No result, and the reason."""

    reason: str


class Perturbation(NamedTuple):
    """A symbol, or several that change together.

    Attributes:
        name: the symbol's, or what they are: ``resolution``.
        symbols: those that change, by the same factor.
    """

    name: str
    symbols: tuple[Symbol, ...]


class Derivative(NamedTuple):
    """An exact derivative.

    Attributes:
        closed_form: in the open symbols; 0 where the metric does not depend on the symbol.
        value: at the symbols' values.
        is_share: whether the metric is the symbol times this.
    """

    closed_form: Expr
    value: Rational
    is_share: bool


class Elasticity(NamedTuple):
    """The percentage by which a metric rises for one percent of a symbol: ``(s/M)·dM/ds``.

    Attributes:
        value: exact.
        even: whether steps or bends stand there, and were taken to rise evenly (see `Derivatives`).
    """

    value: Rational
    even: bool


class DoubledValue(NamedTuple):
    """A metric where the symbols are doubled, floors and all, and how many times it has grown."""

    value: Rational
    factor: Rational


class Effect(NamedTuple):
    """The effect of a change on a metric.

    Attributes:
        depends: whether anything of what changes stands in the metric's law.
        order: the leading order in what changes, the other symbols being the numbers they are.
        derivative: of one symbol.
        elasticity: at the symbols' values.
        doubled: at twice the values of what changes.
    """

    depends: bool
    order: Expr | NoResult
    derivative: Derivative | NoResult
    elasticity: Elasticity | NoResult
    doubled: DoubledValue | NoResult


@dataclass(frozen=True)
class Sensitivity:
    """The effects of a network's free symbols on its metrics.

    Attributes:
        analysis: the network, some symbols open.
        names: the metrics that were asked for; none means the usual ones.
    """

    analysis: Analysis
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.names:
            find_metric(name)
        if not self.analysis.symbols:
            hint = "leave a symbol out of --set" if self.analysis.graph.fixed else None
            raise SpecError("no symbol is open, so nothing can change", hint=hint)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are looked at."""
        return tuple(METRICS[name] for name in self.names or USUAL)

    @cached_property
    def changes(self) -> tuple[Perturbation, ...]:
        """Each open symbol that is no other's equal, then the sizes of an image together."""
        derived = self.analysis.assumed.derived
        symbols = self.analysis.symbols.items()
        alone = (Perturbation(name, (free,)) for name, free in symbols if name not in derived)
        return (*alone, *self._resolutions())

    def _resolutions(self) -> Iterator[Perturbation]:
        """Yield the open symbols that are sizes of one input: of ``[n, c, h, w]`` h and w."""
        found: dict[frozenset[Symbol], Perturbation] = {}
        shapes = self.analysis.propagation.inputs
        for name, shape in shapes.items():
            extents = map(self.analysis.closed_form, shape[2:])
            sizes = tuple(dict.fromkeys(size for size in extents if size.is_Symbol))
            if len(sizes) > 1:
                title = "resolution" if len(shapes) == 1 else f"resolution of {name}"
                found.setdefault(frozenset(sizes), Perturbation(title, sizes))
        yield from found.values()

    @cached_property
    def orders(self) -> Mapping[str, Expr | NoResult]:
        """Metric → its leading order in all open symbols together."""
        symbols = self.analysis.symbols.values()
        return {metric.name: self._order(metric, symbols) for metric in self.metrics}

    def _order(self, metric: Metric, growing: Iterable[Symbol]) -> Expr | NoResult:
        form, evaluate = self._closed_forms[metric.name], self.analysis.evaluator
        try:
            return leading_order(form, growing, evaluate, smaller_of(self.analysis.demands))
        except NoOrder as reason:
            return NoResult(str(reason))

    @cached_property
    def _closed_forms(self) -> dict[str, Expr]:
        return {metric.name: self.analysis.unfloored(metric.name) for metric in self.metrics}

    @cached_property
    def effects(self) -> Mapping[Perturbation, Mapping[str, Effect]]:
        """Change → metric → its effect."""
        return {change: self._effects(change) for change in self.changes}

    def _effects(self, change: Perturbation) -> dict[str, Effect]:
        there, evaluate = self._doubled_network(change), self.analysis.evaluator
        slope = Derivatives(evaluate, {free: evaluate(free) for free in change.symbols})
        return {
            metric.name: Effect(
                depends=self._depends(metric, change),
                order=self._order(metric, change.symbols),
                derivative=self._derivative(metric, change),
                elasticity=self._elasticity(metric, change, slope),
                doubled=self._doubled(metric, there),
            )
            for metric in self.metrics
        }

    def _depends(self, metric: Metric, change: Perturbation) -> bool:
        return not self._closed_forms[metric.name].free_symbols.isdisjoint(change.symbols)

    def _derivative(self, metric: Metric, change: Perturbation) -> Derivative | NoResult:
        if len(change.symbols) > 1:
            return NoResult("a derivative is in one symbol")
        form, (symbol,) = self._closed_forms[metric.name], change.symbols
        reason = obstacle(form, symbol)
        if reason:
            return NoResult(reason)
        found = derivative(form, symbol)
        is_share = symbol in Mul.make_args(form) and symbol not in found.free_symbols
        try:
            return Derivative(found, self.analysis.evaluator(found), is_share)
        except ExpressionError as error:
            return NoResult(str(error))

    def _elasticity(
        self, metric: Metric, change: Perturbation, slope: Derivatives
    ) -> Elasticity | NoResult:
        form, value = self._closed_forms[metric.name], self.analysis.value(metric.name)
        try:
            rise = slope(form)
        except ExpressionError as error:
            return NoResult(str(error))
        if value == 0 and self._depends(metric, change):
            return NoResult(f"{metric.name} is 0 here")
        even = any(obstacle(form, symbol) for symbol in change.symbols)
        return Elasticity(ratio(rise, value) if rise else 0, even)

    def _doubled(self, metric: Metric, there: Point | NoResult) -> DoubledValue | NoResult:
        if isinstance(there, NoResult):
            return there
        try:
            before, after = self.analysis.value(metric.name), getattr(there, metric.name)
        except ExpressionError as error:
            return NoResult(str(error))
        if before == after:
            return DoubledValue(after, 1)
        if before == 0:
            return NoResult(f"{metric.name} is 0 here")
        return DoubledValue(after, ratio(after, before))

    def _doubled_network(self, change: Perturbation) -> Point | NoResult:
        """Return the network where a change's symbols are doubled, or why there is none."""
        values = self.analysis.graph.values
        try:
            return self.analysis.at(**{s.name: 2 * values[s.name] for s in change.symbols})
        except SpecError as error:
            return NoResult(error.cause)


def smaller_of(conditions: Iterable[Condition]) -> dict[Symbol, Symbol]:
    """Return symbol → its lower bound, of ``h >= patch`` and ``d % heads == 0``."""
    found: dict[Symbol, Symbol] = {}
    for condition in conditions:
        match condition:
            case Divides(Symbol() as small, Symbol() as large):
                found[large] = small
            case AtLeast(difference, bound) if bound >= 0 and len(difference.free_symbols) == 2:
                found |= {
                    large: large - difference
                    for large in difference.free_symbols
                    if (large - difference).is_Symbol
                }
    return found


@question(opens=True, group="Ask")
def sensitivity(analysis: Analysis, *, metric: tuple[str, ...] = ()) -> doc.Document:
    """Show how the metrics react to each symbol: order, derivative, +1 %, twice the value.

    Examples:
        archcost sensitivity resnet50 --metric macs
        archcost sensitivity gpt2
    """
    found = Sensitivity(analysis, metric)
    return document_of(analysis, partial(_blocks, found), partial(_data, found))


def _blocks(found: Sensitivity) -> Iterator[doc.Block]:
    changes = [(way, metric) for metric in found.metrics for way in WAYS]
    titles = {
        f"{way} {metric.name}": way if way == WAYS[-1] else f"{metric.title} {way}"
        for way, metric in changes
    }
    figures = (doc.Column(name, title, doc.FIGURE) for name, title in titles.items())
    rows = (_row(change, cells, titles) for change, cells in _rows(found))
    yield doc.Table((doc.Column("symbol", "symbol"), *figures), tuple(rows))
    forms = tuple(row for metric in found.metrics for row in _closed_forms(found, metric))
    yield doc.Table(FORMS, forms, listed=True)
    yield doc.entries(_notes(found))


FORMS = (doc.Column("symbol", "symbol"), doc.Column("order", "order, and derivative ∂"))
"""The columns of the orders and derivatives in each symbol."""

WAYS = ("+1 %", "2 ×")
"""The two changes of a symbol that the table shows."""


def _row(change: Perturbation, cells: list[str], names: Iterable[str]) -> doc.Row:
    style: doc.Style = "dim" if set(cells) <= {"0 %", "1 ×"} else ""
    return doc.Row({"symbol": change.name, **dict(zip(names, cells, strict=True))}, style=style)


def _report(found: Sensitivity) -> Report:
    """Return the report that names the network, its values and its convention."""
    return Report(found.analysis, found.names, symbolic=True)


def _rows(found: Sensitivity) -> Iterator[tuple[Perturbation, list[str]]]:
    """Yield the effects of each change: the percent for one percent, and the factor for twice."""
    for change, effects in found.effects.items():
        cells = [
            cell
            for effect in effects.values()
            for cell in (show_percent(effect.elasticity), show_factor(effect.doubled))
        ]
        yield change, cells


def _closed_forms(found: Sensitivity, metric: Metric) -> Iterator[doc.Row]:
    """Yield the order of a metric, then what it is in each symbol that it depends on."""
    order = _order(found.orders[metric.name])
    yield doc.Row({"symbol": metric.title, "order": order}, style="bold")
    for change, effects in found.effects.items():
        effect = effects[metric.name]
        if effect.depends:
            form = ", ".join(_closed_form(effect, metric, change))
            yield doc.Row({"symbol": change.name, "order": form}, level=1)


def _closed_form(effect: Effect, metric: Metric, change: Perturbation) -> Iterator[str]:
    """Yield the order in a symbol and the derivative, which several at once have not."""
    yield _order(effect.order)
    if len(change.symbols) > 1:
        return
    if isinstance(effect.derivative, NoResult):
        yield f"no ∂: {effect.derivative.reason}"
        return
    form, value, is_share = effect.derivative
    shown = f"{metric.name}/{change.name}" if is_share else PythonText().real(form)
    number = show_number(value) if isinstance(value, int) else show_decimal(value)
    parts = ["∂", *([] if form.is_Rational else [shown]), number]
    yield " = ".join(parts)


def _order(order: Expr | NoResult) -> str:
    if isinstance(order, NoResult):
        return f"no order proved ({order.reason})"
    return f"Θ({Unicode().real(order)})"


def _notes(found: Sensitivity) -> Iterator[doc.Note]:
    """Yield the reasons for empty cells, the meaning of a mark, and the report's notes."""
    for change, effects in found.effects.items():
        for way, part in zip(WAYS, ("elasticity", "doubled"), strict=True):
            answers = (getattr(effect, part) for effect in effects.values())
            reasons = (answer.reason for answer in answers if isinstance(answer, NoResult))
            for reason in dict.fromkeys(reasons):
                yield f"{way} {change.name}", reason
    if any("~" in cell for _, cells in _rows(found) for cell in cells):
        yield "~", "steps and bends are taken to rise evenly from the value that is there"
    yield from notes(_report(found))


def show_percent(elasticity: Elasticity | NoResult) -> str:
    """Return ``+1 %`` where exact, ``+1.971 %`` where rounded, with ``~`` where taken as even."""
    if isinstance(elasticity, NoResult):
        return doc.NOTHING
    sign = "+" if elasticity.value > 0 else ""
    return f"{'~' if elasticity.even else ''}{sign}{show_rounded(elasticity.value)} %"


def show_factor(doubled: DoubledValue | NoResult) -> str:
    """Return ``4 ×`` where it is just that, ``3.942 ×`` where it is rounded."""
    return doc.NOTHING if isinstance(doubled, NoResult) else f"{show_rounded(doubled.factor)} ×"


def show_rounded(value: Rational) -> str:
    """Return an integer as it is; a fraction to three decimals, so that ``1.000`` is not just 1."""
    return show_number(int(value)) if value.denominator == 1 else f"{float(value):,.3f}"


def _data(found: Sensitivity) -> dict[str, Any]:
    """Return every number exactly, and as a decimal where it is a fraction."""
    analysis, report = found.analysis, _report(found)
    return {
        **head(report),
        "metrics": {
            metric.name: {
                "expr": text(report.total(metric.name)),
                "value": doc.plain_number(analysis.value(metric.name)),
                "order": _plain(found.orders[metric.name]),
            }
            for metric in found.metrics
        },
        "changes": [
            {
                "name": change.name,
                "symbols": [symbol.name for symbol in change.symbols],
                "effects": {
                    name: {key: _plain(part) for key, part in effect._asdict().items()}
                    for name, effect in effects.items()
                },
            }
            for change, effects in found.effects.items()
        ],
    }


def _plain(part: object) -> Any:
    match part:
        case bool():
            return part
        case NoResult(reason):
            return {"unknown": reason}
        case Derivative(form, value):
            return {"expr": PythonText().real(form), "value": doc.plain_number(value)}
        case Elasticity(value, even):
            return {**_exact(value), "even": even}
        case DoubledValue(value, factor):
            return {"metric": doc.plain_number(value), **_exact(factor)}
    return {"expr": PythonText().real(part)}


def _exact(value: Rational) -> dict[str, Any]:
    return {"exact": str(value), "value": float(value)}

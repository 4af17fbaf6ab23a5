"""The units and the digits that columns of numbers are shown in."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from math import floor
from typing import NamedTuple

from archspec import SpecError
from archspec.arithmetic import Rational
from archspec.errors import find_named
from archspec.quantities import BINARY, DECIMAL
from costmodel.analysis import document as doc
from costmodel.metrics.registry import BYTES, METRICS, Metric, find_metric
from costmodel.studies.measures import Measured

MOST_DIGITS = 30

DIGITS = 2
"""The digits after the point where a unit is chosen and no digits are."""


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


@dataclass(frozen=True)
class NumberForms:
    """The units and digits of columns of numbers.

    Attributes:
        units: ``metric=unit``, as ``macs=M``.
        digits: the digits after the point of numbers with a unit, and of expressions.
        digits_of: the same of single columns, as ``macs=1``.
    """

    units: tuple[str, ...] = ()
    digits: int | None = None
    digits_of: tuple[str, ...] = ()

    @cached_property
    def _units(self) -> dict[str, ShownUnit]:
        return dict(map(_unit, self.units))

    @cached_property
    def _digits(self) -> dict[str, int]:
        return dict(map(_digits_of, self.digits_of))

    def require(self, columns: Sequence[Measured], *, symbolic: bool) -> None:
        """Make sure that units and digits are of columns that are shown.

        Raises:
            SpecError: one is not, or is of a number that is shown whole, or of a closed form.
        """
        if symbolic and self != WHOLE:
            option = "--unit" if self.units else "--digits"
            raise SpecError(f"{option} is of numbers, and these are closed forms")
        for option, given in (("--unit", self._units), ("--digits", self._digits)):
            for name in given.keys() - {column.name for column in columns}:
                hint = f"ask for it: --metric {name}"
                raise SpecError(f"{option} {name}: {name} is no column", hint=hint)
        for name in self._digits.keys() - self._units.keys():
            if name in METRICS:
                cause = f"--digits {name}: counts are shown whole"
                raise SpecError(cause, hint=f"as in --unit {name}=M --digits {name}=1")
        digits = self.digits
        if digits is not None and not 0 <= digits <= MOST_DIGITS:
            raise SpecError(f"--digits {digits} is no number of digits", hint="0 to 30")
        if digits is not None and not self._units and all(column.metric for column in columns):
            raise SpecError(
                "--digits is of numbers with a unit; counts are shown whole",
                hint=f"as in --unit {columns[0].name}=M --digits {digits}",
            )

    def title(self, each: Measured) -> str:
        """Return the head of a column, with its unit."""
        metric, unit = each.metric, self._units.get(each.name)
        title = each.name if metric is None else metric.title if unit else metric.head
        return f"{title} ({unit.name})" if unit else title

    def plain_name(self, name: str) -> str:
        """Return the name of a column in a file, with its unit."""
        unit = self._units.get(name)
        return f"{name} ({unit.name})" if unit else name

    def kind(self, each: Measured) -> doc.ColumnKind:
        """Return the way in which a column is shown: in a unit, with one, or whole."""
        unit = self._units.get(each.name) or (ONE if each.metric is None else None)
        if unit is None:
            assert each.metric is not None
            kind = kind_of(each.metric)
            return kind._replace(show=partial(_whole, kind))
        digits = self._digits.get(each.name, DIGITS if self.digits is None else self.digits)
        show = partial(in_unit, unit=unit, digits=digits)
        return doc.ColumnKind(partial(show, grouped=True), partial(show, grouped=False))


WHOLE = NumberForms()
"""Counts in full, expressions with two digits."""


def kind_of(metric: Metric) -> doc.ColumnKind:
    """Return the kind of column that a metric has."""
    return doc.quantity_in(metric.quantity) if metric.quantity else doc.COUNT


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

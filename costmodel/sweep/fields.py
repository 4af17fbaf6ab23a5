"""The columns of a sweep's result: what each holds, and how its values are written exactly."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np

from archspec.errors import SpecError
from archspec.scope import free_names
from archspec.trees import Name, Value
from costmodel.algebra.operations import Array
from costmodel.metrics.registry import METRICS
from costmodel.sweep.expressions import ColumnExpression, is_whole
from costmodel.sweep.rows import Rows
from costmodel.sweep.space import RESOLUTION, Space
from costmodel.sweep.study import Sweep
from costmodel.sweep.vary import decimal_places

Kind = Literal["text", "whole", "decimal", "fraction", "float"]
"""The contents of a column: of the numbers, each kind holds the ones before it."""

KINDS: tuple[Kind, ...] = ("whole", "decimal", "fraction")

MAX_FLOAT = np.finfo(np.float64).max

MAX_DECIMALS = 18
"""The most decimal places of a column of decimals."""


class Field(NamedTuple):
    """A column of the result.

    Attributes:
        name: its name in files.
        title: its name in tables.
        kind: what it holds.
        places: how many decimal places its decimals have.
        unit: the sign of its unit where it is a real quantity, as s of seconds.
        counted: what one of it is, where it is a metric.
        tree: the expression that it is, or None where it is a column of the rows.
    """

    name: str
    title: str
    kind: Kind
    places: int = 0
    unit: str | None = None
    counted: str | None = None
    tree: Value | None = None

    @property
    def head(self) -> str:
        """Its title above plain numbers, with the unit where that is bytes."""
        return f"{self.title} ({self.counted})" if self.counted == "bytes" else self.title

    def values(self, rows: Rows) -> Array:
        """Return its values: int64 or exact objects, float64, or texts.

        Raises:
            SpecError: a number is beyond the largest float64.
        """
        if self.tree is None:
            return rows[self.name]
        if isinstance(self.tree, Name) and _is_none(rows[self.tree.id]):
            return rows[self.tree.id]
        expression = ColumnExpression(self.name, self.tree)
        if self.kind != "float":
            return expression.keys(rows).exact()
        found = expression.floats(rows)
        if not np.isfinite(found).all():
            raise SpecError(f"'{self.name}' is beyond {MAX_FLOAT:.2g}, the largest float64")
        return found


def _is_none(column: Array) -> bool:
    """Return whether a column is of a metric that the network does not have."""
    return column.dtype == object and len(column) > 0 and column[0] is None


def fields_of(sweep: Sweep) -> tuple[Field, ...]:
    """Return the columns of a sweep: labels, what varies, what is requested or joined."""
    fields = [Field(name, name, "text") for name in sweep.labels]
    fields += [_varied(sweep, one.name) for one in sweep.varied]
    joined = sweep.join.columns if sweep.join else {}
    own = {name: Field(name, name, *kind_of(each.tolist())) for name, each in joined.items()}
    for column in sweep.query.columns:
        name = column.tree.id if isinstance(column.tree, Name) else ""
        fields.append(own.pop(name) if name in own else field_of(sweep, column))
    shown = {field.name for field in fields}
    predicted = (ColumnExpression(each.name, Name(each.name)) for each in sweep.predictors)
    fields += [field_of(sweep, each) for each in predicted if each.text not in shown]
    return (*fields, *own.values())


def _varied(sweep: Sweep, name: str) -> Field:
    spaces = (case.space for case in sweep.cases if name in case.space.names)
    return Field(name, name, *_widest([_kind_in(space, name) for space in spaces]))


def _kind_in(space: Space, name: str) -> tuple[Kind, int]:
    """Return the kind of what varies in a space, and its decimal places."""
    if name in space.links:
        integer = space.declared[name].domain == "integer"
        return ("whole", 0) if integer else ("fraction", 0)
    (axis,) = (axis for axis in space.axes if axis.name == name)
    if axis.interval is None:
        return kind_of(axis.values)
    return ("decimal", decimal_places(RESOLUTION) or 0) if axis.step == RESOLUTION else ("whole", 0)


def _widest(kinds: Sequence[tuple[Kind, int]]) -> tuple[Kind, int]:
    if any(kind == "text" for kind, _ in kinds):
        return "text", 0
    return max(kinds, key=lambda each: (KINDS.index(each[0]), each[1]))


def kind_of(values: Sequence[Any]) -> tuple[Kind, int]:
    """Return the narrowest kind that holds some values, and how many decimal places they need."""
    if any(isinstance(value, str) for value in values):
        return "text", 0
    places = [decimal_places(value) for value in set(values) if isinstance(value, Fraction)]
    if None in places:
        return "fraction", 0
    most = max(filter(None, places), default=0)
    if most > MAX_DECIMALS:
        return "fraction", 0
    return ("decimal", most) if places else ("whole", 0)


def _counts(sweep: Sweep, metric: str) -> bool:
    """Return whether a metric is an integer in every network."""
    return all(case.counts(metric) for case in sweep.cases)


def field_of(sweep: Sweep, column: ColumnExpression) -> Field:
    """Return the column of what is requested: a metric, a symbol, or what is made of them."""
    tree = column.tree
    joined = sweep.join.columns if sweep.join else {}
    metric = METRICS.get(tree.id) if isinstance(tree, Name) else None
    if metric is not None and metric.quantity is not None:
        return Field(metric.name, metric.title, "float", unit=metric.quantity, tree=tree)
    if metric is not None:
        kind: Kind = "whole" if _counts(sweep, metric.name) else "fraction"
        return Field(metric.name, metric.title, kind, counted=metric.unit.name, tree=tree)
    declared = {n: s for case in sweep.cases for n, s in case.space.declared.items()}
    wholes = {name: symbol.domain == "integer" for name, symbol in declared.items()}
    wholes |= {name: values.dtype == np.int64 for name, values in joined.items()}
    wholes |= dict.fromkeys((each.name for each in sweep.predictors), False)
    wholes |= {name: _counts(sweep, name) for name in METRICS.keys() & free_names(tree)}
    whole = is_whole(tree, wholes)
    return Field(column.text, column.text, "whole" if whole else "float", tree=tree)

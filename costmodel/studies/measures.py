"""Columns of numbers: metrics, and expressions of metrics as ``macs/params``."""

from collections.abc import Callable
from typing import NamedTuple

from sympy import Expr, Symbol
from sympy.core.symbol import Str

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from archspec.expressions import ExpressionError, parse
from archspec.layers.base import as_expression
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Name, Number, Tree
from costmodel.algebra.functions import Quantity, amount_of
from costmodel.algebra.translate import translate
from costmodel.metrics.registry import METRICS, Metric, find_metric

Value = Rational | None
"""A number, or None where a network has none."""


class Measured(NamedTuple):
    """A column of numbers.

    Attributes:
        name: the metric's name, or the expression as it was given.
        tree: the expression; of a metric its name.
    """

    name: str
    tree: Tree

    @property
    def metric(self) -> Metric | None:
        """The metric, where it is one alone."""
        return METRICS.get(self.name)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it is made of."""
        return tuple(find_metric(name) for name in sorted(free_names(self.tree)))

    @property
    def adds_up(self) -> bool:
        """Return whether it has a total: the metrics that it is made of are sums."""
        return all(metric.combine == "sum" for metric in self.metrics)

    def value(self, number: Callable[[str], Value]) -> Value:
        """Return its number; None where a metric in it has none, or it is divided by 0.

        Args:
            number: a metric's name → its number.
        """
        values = {metric.name: number(metric.name) for metric in self.metrics}
        known = {name: Number(value) for name, value in values.items() if value is not None}
        if len(known) < len(values):
            return None
        try:
            found = resolve(self.tree, Scope(known, inexact=True))
        except ExpressionError as error:
            if "zero" in error.cause:
                return None
            raise SpecError(f"{self.name}: {error.cause}") from None
        if not isinstance(found, Number):
            raise SpecError(f"{self.name} is no number", hint="as macs/params, or params/1e6")
        return found.value

    def closed_form(self, form: Callable[[str], Expr | None]) -> Expr | None:
        """Return its closed form; None where a metric in it has none.

        Args:
            form: a metric's name → its closed form.
        """
        if self.metric is not None:
            return form(self.name)
        forms = {metric.name: form(metric.name) for metric in self.metrics}
        known = {name: amount_of(each) for name, each in forms.items() if each is not None}
        if len(known) < len(forms):
            return None
        names = resolve(self.tree, Scope({name: Name(name) for name in known}))
        free = {name: Symbol(name, positive=True) for name in known}
        found = translate(as_expression(names).tree, lambda leaf: free[getattr(leaf, "id", "")])
        return Quantity(found.xreplace({free[name]: known[name] for name in free}), Str(""))


def measured(text: str) -> Measured:
    """Return the column that a text stands for.

    Raises:
        SpecError: it is no metric, and no expression of metrics.
    """
    if text.isidentifier():
        return Measured(find_metric(text).name, Name(text))
    try:
        tree = parse(text)
    except ExpressionError as error:
        raise SpecError(f"--metric {text}: {error.cause}", hint=error.hint) from None
    found = Measured(text, tree)
    if not found.metrics:
        raise SpecError(f"--metric {text} is of no metric", hint="as macs/params")
    return found

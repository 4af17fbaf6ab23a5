"""Columns of numbers: metrics, and expressions of metrics as ``macs/params``."""

import fnmatch
from collections.abc import Callable, Iterable
from glob import has_magic
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
from costmodel.metrics.registry import METRICS, Metric, Need, find_metric
from costmodel.scenario.scenario import Scenario

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
        made = found.xreplace({free[name]: known[name] for name in free})
        return Quantity(made, Str("")) if made.is_finite is not False else None


def named(words: Iterable[str], scenario: Scenario) -> tuple[str, ...]:
    """Return metrics and expressions, each once; a pattern stands for all metrics that it matches.

    Of these it leaves out what needs a device, or how the network is trained, where none is given.
    """
    found: dict[str, None] = {}
    for word in words:
        like = fnmatch.filter(METRICS, word) if has_magic(word) else []
        missing = {Need.DEVICE: scenario.device, Need.TRAINING: scenario.training}
        lacks = {need for need, given in missing.items() if given is None}
        found |= dict.fromkeys(
            [n for n in like if lacks.isdisjoint(METRICS[n].needs)] or like or [word]
        )
    return tuple(found)


def parted(words: Iterable[str]) -> tuple[tuple[str, ...], tuple[Measured, ...]]:
    """Return the metrics that words name or are made of, and the words where expressions are."""
    every = tuple(map(measured, words))
    names = dict.fromkeys(m.name for each in every for m in each.metrics)
    return tuple(names), every if any(each.metric is None for each in every) else ()


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
        if has_magic(text):
            hint = f"known: {', '.join(METRICS)}"
            raise SpecError(f"no metric is like '{text}'", hint=hint) from None
        raise SpecError(f"--metric {text}: {error.cause}", hint=error.hint) from None
    found = Measured(text, tree)
    if not found.metrics:
        raise SpecError(f"--metric {text} is of no metric", hint="as macs/params")
    return found

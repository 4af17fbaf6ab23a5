"""Budgets of metrics that a change must keep: ``macs +2%``, ``memory_peak +16 KiB``."""

import re
from fractions import Fraction
from typing import NamedTuple

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError
from costmodel.metrics.registry import Metric, find_metric
from costmodel.scenario.settings import to_rational

FORM = re.compile(r"\s*(\w+)\s*([+-])\s*([^%+-][^%]*?)\s*(%?)\s*")

FORMS = (
    "write a metric and what it may gain, as 'macs +2%', 'params +0' or 'memory_peak +16 KiB'; "
    "-5% asks for less"
)


class Budget(NamedTuple):
    """The most that a metric may gain by a change.

    Attributes:
        text: as it was said.
        metric: the metric.
        amount: how much, in the metric's unit or as a part of the old number.
        is_part: which of both.
    """

    text: str
    metric: Metric
    amount: Rational
    is_part: bool

    def limit(self, old: Rational) -> Rational:
        """Return the most that the metric may be after the change, exactly."""
        return tidy(old + Fraction(self.amount) * (old if self.is_part else 1))


class BudgetCheck(NamedTuple):
    """A budget at a change.

    Attributes:
        budget: what may be gained.
        new: the metric after the change.
        limit: the most it may be.
    """

    budget: Budget
    new: Rational
    limit: Rational

    @property
    def is_kept(self) -> bool:
        """Return True where the metric is within its limit."""
        return self.new <= self.limit


def read_budget(text: str) -> Budget:
    """Return the budget that a text states.

    Raises:
        SpecError: it states none.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise SpecError(f"budget '{text}' says no gain of a metric", hint=FORMS)
    name, sign, amount, percent = found.groups()
    metric = find_metric(name)
    units = {} if percent else metric.unit.dimension.units
    number = Fraction(to_rational(f"budget '{text}': gain", amount, units))
    number = -number if sign == "-" else number
    return Budget(text, metric, number / 100 if percent else number, bool(percent))

"""An analysis as its own helpers see it, which it imports and which must not import it."""

from collections.abc import Mapping
from typing import Protocol

from sympy import Expr, Symbol

from archspec.arithmetic import Rational
from costmodel.algebra.conditions import Condition
from costmodel.algebra.evaluate import Evaluator
from costmodel.metrics.registry import Metric
from costmodel.network.context import WholeNetwork
from costmodel.network.propagation import CountedLayer


class ClosedForms(WholeNetwork, Protocol):
    """The closed forms of one network, and where they hold."""

    @property
    def counted(self) -> tuple[CountedLayer, ...]:
        """The layers in order, with how often each counts."""

    @property
    def symbols(self) -> Mapping[str, Symbol]:
        """The free symbols by name."""

    @property
    def demands(self) -> tuple[Condition, ...]:
        """The conditions and assumptions about the symbols."""

    def parts(self, metric: Metric) -> list[Expr]:
        """Return the terms whose sum or maximum the network's metric is, layer by layer."""

    @property
    def required(self) -> tuple[Condition, ...]:
        """The requirements of each layer in its own form, and the assumptions."""

    def unproved(self, metric: Metric) -> list[Expr]:
        """Return what a metric is the sum or the maximum of, nothing of it proved or left out."""

    def total(self, metric: str) -> Expr:
        """Return a metric of the whole network in closed form."""

    def closed_form_of(self, metric: Metric, expression: Expr) -> Expr:
        """Return some of a metric as it is printed."""

    def evaluator_at(self, settings: Mapping[str, Rational]) -> Evaluator:
        """Return what gives every law its value at some values of the symbols."""

    def is_valid_at(self, settings: Mapping[str, Rational]) -> bool:
        """Return whether some values make a valid network."""

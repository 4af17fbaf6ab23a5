"""A formula with its names, the numbers put in, and its value: what the slides show."""

from collections.abc import Mapping
from typing import NamedTuple

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator


def show_number(value: Rational) -> str:
    """A number with its thousands grouped."""
    return f"{value:,}" if isinstance(value, int) else str(value)


class Formula(NamedTuple):
    """``h_o = ⌊(h_i + 2·p − k_h)/s⌋ + 1``.

    Attributes:
        name: what it computes.
        template: its text, every quantity in braces.
        quantities: name → expression.
        value: the whole as an expression.
        remainder: what the floor cuts off; where it is 0, the floor signs are left out of the
            numbers.
    """

    name: str
    template: str
    quantities: Mapping[str, Expr]
    value: Expr
    division: tuple[Expr, Expr] | None = None

    @property
    def rule(self) -> str:
        """The formula in names."""
        return self.template.format_map({name: name for name in self.quantities})

    def numbers(self, evaluate: Evaluator) -> str:
        """The formula with the numbers put in."""
        values = {name: evaluate(expression) for name, expression in self.quantities.items()}
        text = self.template.format_map(values)
        if self.division and evaluate(self.division[0]) % evaluate(self.division[1]) == 0:
            text = text.replace("⌊", "").replace("⌋", "")
        return text

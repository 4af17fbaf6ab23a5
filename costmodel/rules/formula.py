"""A formula with its names, the numbers put in, and its value: what the slides show."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator


def show_number(value: Rational) -> str:
    """A number with its thousands grouped."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def show_decimal(value: Rational) -> str:
    """Return a number as a decimal where it has an end, else as a quotient."""
    if isinstance(value, int):
        return str(value)
    decimal = float(value)
    return str(decimal) if value == type(value)(repr(decimal)) else str(value)


def show_shapes(shapes: Iterable[Iterable[Expr]], evaluate: Evaluator) -> str:
    """Return shapes as numbers: ``1×96×55×55``."""
    return ", ".join("×".join(str(evaluate(size)) for size in shape) for shape in shapes)


def count_of(value: Rational, noun: str) -> str:
    """``1 byte``, ``2 bytes``."""
    return f"{show_number(value)} {noun if value == 1 else f'{noun}s'}"


_PREFIXES = {12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p", -15: "f"}
"""Power of ten → its prefix."""

_BINARY = ("KiB", "MiB", "GiB", "TiB")


def show_quantity(value: Rational, unit: str) -> str:
    """``1.234 ms``: four digits of a quantity, with the prefix that leaves one to three before."""
    if value == 0:
        return f"0 {unit}"
    digits, exponent = f"{float(value):.3e}".split("e")
    power = max(min(int(exponent) // 3 * 3, max(_PREFIXES)), min(_PREFIXES))
    shown = float(digits) * 10.0 ** (int(exponent) - power)
    return f"{shown:.4g} {_PREFIXES[power]}{unit}"


def show_bytes(value: Rational) -> str:
    """``243,818,624 bytes = 243.8 MB = 232.5 MiB``: exact, then in decimal and binary units."""
    if value < 1000:
        return count_of(value, "byte")
    binary, size = "", float(value)
    for unit in _BINARY:
        size /= 1024
        binary = f"{size:.4g} {unit}"
        if size < 1000:
            break
    return f"{show_number(value)} bytes = {show_quantity(value, 'B')} = {binary}"


class SizeFormula(NamedTuple):
    """``h_o = ⌊(h_i + 2·p − k_h)/s⌋ + 1``.

    Attributes:
        name: what it computes.
        template: its text, every quantity in braces.
        quantities: name → expression.
        value: the whole as an expression.
        division: what the floor divides, and by what; where nothing remains, the floor signs are
            left out of the numbers. None where there is no floor.
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


class ExplanationStep(NamedTuple):
    """One line of an explanation: ``name = rule = numbers = value``.

    Attributes:
        name: what is computed: ``h_o``, ``#params``, ``MACs``.
        rule: the formula in names; empty where there is nothing to compute.
        numbers: the formula with the numbers put in.
        value: the value.
    """

    name: str
    rule: str
    numbers: str
    value: str

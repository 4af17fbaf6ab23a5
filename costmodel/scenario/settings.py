"""Numbers as a person gives them, read exactly."""

import numbers
import re
from fractions import Fraction

from archspec import trees
from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError
from archspec.expressions import ExpressionError, Units, parse
from archspec.quantities import COUNT
from archspec.scope import Scope, resolve
from archspec.units import unit_hint

Number = int | float | str | Rational

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", re.ASCII)
"""Plain numbers, which need no parser: a joined file may have millions of them."""


def to_rational(name: str, value: Number, units: Units = COUNT.units) -> Rational:
    """A setting as an exact number; a float stands for the decimal that prints it.

    Args:
        name: the symbol, for the error.
        value: a number, or a text that is one: ``192``, ``0.35``, ``1/3``, ``7*32``, ``128Ki``.
        units: what may stand behind a number.

    Raises:
        SpecError: it is no number.
    """
    if isinstance(value, numbers.Rational) and not isinstance(value, bool):
        return tidy(Fraction(int(value.numerator), int(value.denominator)))
    text = float.__repr__(value) if isinstance(value, float) else str(value)
    if _DECIMAL.fullmatch(text):
        return int(text) if text.isdecimal() else tidy(Fraction(text))
    try:
        number = resolve(parse(text.replace("µ", "u"), units=units), Scope({}))
    except ExpressionError:
        number = None
    if not isinstance(number, trees.Number):
        written = re.search(r"([\d.]+)\s*([A-Za-zµ_]\w*)", text)
        hint = unit_hint(written[1], written[2], units) if written else None
        if written and units and hint is None:
            hint = f"its units are {', '.join(filter(None, units))}"
        raise SpecError(f"{name} = {value} is no number", hint=hint)
    return number.value


def positive(name: str, value: Number) -> Rational:
    """The same of a number that is more than 0.

    Raises:
        SpecError: it is no such number.
    """
    number = to_rational(name, value)
    if number <= 0:
        raise SpecError(f"{name} = {number} must be positive")
    return number

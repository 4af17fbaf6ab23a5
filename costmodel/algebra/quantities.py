"""The one integer that a condition is about: ``h``, ``h + t``, ``a*t``, ``ceil(8*width)``."""

from typing import NamedTuple

from sympy import Add, Expr, Mul, Symbol

from costmodel.algebra.conditions import Condition
from costmodel.algebra.functions import Extremum, FloorDiv, Operation, RoundTo, is_whole

U = Symbol("u", integer=True)
"""The symbol that stands for a quantity."""


class About(NamedTuple):
    """A condition as one on a quantity.

    Attributes:
        quantity: an integer expression.
        condition: the same condition, `U` standing for the quantity.
    """

    quantity: Expr
    condition: Condition


def about(condition: Condition) -> About | None:
    """The quantity that a condition is about, if it is about one: its only symbol, or a sum."""
    names = set().union(*(side.free_symbols for side in condition if isinstance(side, Expr)))
    if len(names) == 1:
        name = names.pop()
        if name.is_integer:
            return About(name, condition.mapped(lambda e: e.xreplace({name: U})))
    reader = _Reader()
    try:
        changed = condition.mapped(reader.read)
    except _SeveralError:
        return None
    return None if reader.quantity is None else About(reader.quantity, changed)


class _SeveralError(ValueError):
    """An expression is about several quantities, or about none of a known form."""


class _Reader:
    """Puts `U` for one quantity, which is what it meets first."""

    def __init__(self) -> None:
        self.quantity: Expr | None = None

    def read(self, expression: Expr) -> Expr:
        """The same expression over `U`.

        Raises:
            _SeveralError: it is no expression over the quantity.
        """
        if expression.is_Rational:
            return expression
        lines = [term for term in Add.make_args(expression) if not term.has(Operation)]
        others = [term for term in Add.make_args(expression) if term.has(Operation)]
        return Add(self._line(Add(*lines)), *map(self._term, others))

    def _line(self, line: Expr) -> Expr:
        """``6*h + 6*t + 1`` as ``6*U + 1``, the quantity being ``h + t``."""
        constant, rest = line.as_coeff_Add()
        if rest == 0:
            return constant
        content, primitive = rest.as_content_primitive()
        if primitive.could_extract_minus_sign():
            content, primitive = -content, -primitive
        return content * self._standing(primitive) + constant

    def _term(self, term: Expr) -> Expr:
        """A multiple of a floor, a rounding or an extremum, of what is about the quantity."""
        factor, operation = term.as_coeff_Mul()
        if not isinstance(operation, FloorDiv | RoundTo | Extremum):
            raise _SeveralError
        if isinstance(operation, Extremum) or all(map(is_whole, operation.args)):
            return Mul(factor, operation.func(*map(self.read, operation.args)))
        return factor * self._standing(operation)

    def _standing(self, quantity: Expr) -> Expr:
        if self.quantity is None:
            self.quantity = quantity
        if quantity != self.quantity or not is_whole(quantity):
            raise _SeveralError
        return U

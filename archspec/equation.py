"""The grammar of ``einsum``: ``n t c, c h d -> n h t d``, or ``ntc,chd->nhtd``."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from archspec.fields import Read, refused, show

Axes = tuple[str, ...]
"""The names of a tensor's axes, in order."""

_WORD = "[A-Za-z_][A-Za-z0-9_]*"
_NAME = re.compile(_WORD)
MAX_AXES = 26
"""The most axes that an equation may name."""


@dataclass(frozen=True)
class Equation:
    """The axes of each tensor of an einsum, by letter.

    Attributes:
        operands: of what is multiplied: one tensor or two.
        output: of the result; each of them an operand's.
    """

    operands: tuple[Axes, ...]
    output: Axes

    @property
    def names(self) -> Axes:
        """Every axis once: those of the output, then those that are summed."""
        return tuple(dict.fromkeys((*self.output, *(a for axes in self.operands for a in axes))))

    @property
    def shared_sums(self) -> Axes:
        """The axes that both operands have and the output has not."""
        if len(self.operands) == 1:
            return ()
        shared = set(self.operands[0]).intersection(self.operands[1]).difference(self.output)
        return tuple(axis for axis in self.names if axis in shared)

    @property
    def lone_sums(self) -> Axes:
        """The axes that one operand alone has and the output has not: summed first."""
        kept = {*self.output, *self.shared_sums}
        return tuple(axis for axis in self.names if axis not in kept)

    def __str__(self) -> str:
        return f"{', '.join(map(' '.join, self.operands))} -> {' '.join(self.output)}"


def read_equation(value: Any) -> Equation:
    """The text of an equation.

    Raises:
        PydanticCustomError: it is none.
    """
    if isinstance(value, Equation):
        return value
    if not isinstance(value, str) or value.count("->") != 1:
        raise refused(f"'{show(value)}' is no equation", "write one, as n t c, c h d -> n h t d")
    left, right = value.split("->")
    equation = Equation(tuple(map(_axes, left.split(","))), _axes(right))
    fault = _fault(equation)
    if fault:
        raise refused(f"'{value}' {fault}")
    return equation


def _axes(text: str) -> Axes:
    """Names between spaces; one word is letters."""
    words = text.split()
    return tuple(words[0]) if len(words) == 1 else tuple(words)


def _fault(equation: Equation) -> str | None:
    bad = [name for name in equation.names if not _NAME.fullmatch(name)]
    if bad:
        return f"has '{bad[0]}', which names no axis"
    if len(equation.names) > MAX_AXES:
        return f"has more than {MAX_AXES} axes"
    if len(equation.operands) > 2:
        return "multiplies more than two tensors; write one einsum after the other"
    for axes in (*equation.operands, equation.output):
        twice = next((axis for i, axis in enumerate(axes) if axis in axes[:i]), None)
        if twice:
            return f"has the axis '{twice}' twice in one tensor"
    unknown = set(equation.output).difference(*equation.operands)
    if unknown:
        letters = " (a word alone is letters)" if len(min(unknown)) == 1 else ""
        return f"has the axis '{min(unknown)}' in the output only{letters}"
    return None


_LETTERS_OR_NAMES = rf"\s*(?:(?:[A-Za-z_]+|{_WORD}(?:\s+{_WORD})+)\s*)?"
_EQUATION = rf"^{_LETTERS_OR_NAMES}(?:,{_LETTERS_OR_NAMES})?->{_LETTERS_OR_NAMES}$"

EquationText = Annotated[Equation, Read(read_equation, {"type": "string", "pattern": _EQUATION})]
"""The text of an equation, read."""

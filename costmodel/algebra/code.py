"""Closed forms as functions of other languages: integer arithmetic only, exact or refused.

A real symbol becomes two integers, numerator and denominator, so that no floating point is needed:
``round_to(64*width, 8)`` is ``round_to(64*width_over, width_under, 8)``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul, Pow, S, Symbol

from archspec.errors import SpecError
from costmodel.algebra.conditions import AtLeast, Condition, Divides, sides
from costmodel.algebra.functions import Extremum, FloorDiv, Maximum, Minimum, Quotient, RoundTo
from costmodel.algebra.normal_form import settled


class Language(NamedTuple):
    """The integer arithmetic of a programming language.

    Attributes:
        number: a literal.
        binary: name of an operation → its text: ``add sub mul floor_div max min``.
        round_to: of numerator, denominator and divisor.
        reserved: whether it keeps a name for itself.
        equals: the comparison.
    """

    number: Callable[[int], str]
    binary: Mapping[str, Callable[[str, str], str]]
    round_to: Callable[[str, str, str], str]
    reserved: Callable[[str], bool]
    equals: str = "=="


INFIX: Mapping[str, Callable[[str, str], str]] = {
    "add": lambda a, b: f"({a} + {b})",
    "sub": lambda a, b: f"({a} - {b})",
    "mul": lambda a, b: f"{a}*{b}",
    "max": lambda a, b: f"max({a}, {b})",
    "min": lambda a, b: f"min({a}, {b})",
}
"""The operations of a language whose own integers do not overflow."""


class Parameters(NamedTuple):
    """The arguments of a function for some symbols, in order."""

    names: tuple[str, ...]
    integers: Mapping[Symbol, Expr]  # what stands for each, over symbols named as the arguments


class Function(NamedTuple):
    """A metric's law as a function."""

    name: str
    about: tuple[str, ...]  # what it counts, in lines
    closed_form: str


class Program(NamedTuple):
    """A report as functions of the same arguments, one per metric."""

    title: str  # the network and what the laws stand on: what was fixed, types, what counts
    parameters: Parameters
    checks: tuple[str, ...]  # the comparisons that must hold of the arguments
    rule: str  # the same in words
    functions: tuple[Function, ...]


def parameters_of(symbols: Iterable[Symbol], language: Language) -> Parameters:
    """Return arguments that the language can name: an integer each, two for a real symbol.

    A symbol whose name is the language's own, or another argument's, gets a sign more.
    """
    names: list[str] = []
    integers: dict[Symbol, Expr] = {}
    ordered = tuple(symbols)
    taken = {symbol.name for symbol in ordered}
    for symbol in ordered:
        own = _arguments_of(symbol, language, taken)
        taken.update(own)
        parts = [Symbol(part, integer=True, positive=True) for part in own]
        integers[symbol] = parts[0] if len(parts) == 1 else parts[0] / parts[1]
        names.extend(own)
    return Parameters(tuple(names), integers)


def _arguments_of(symbol: Symbol, language: Language, taken: set[str]) -> tuple[str, ...]:
    """Return the symbol's name, or another where the language or another symbol has that."""
    parts = ("",) if symbol.is_integer else ("_over", "_under")
    name, others = symbol.name, taken - {symbol.name}
    while True:
        own = tuple(f"{name}{part}" for part in parts)
        if not (any(map(language.reserved, own)) or others.intersection(own)):
            return own
        name = f"x{name}" if name.startswith("_") else f"{name}_"


class Writer:
    """Writes integer expressions in a language."""

    def __init__(self, language: Language, integers: Mapping[Symbol, Expr]) -> None:
        self.language = language
        self.integers = integers
        self.forms: dict[type, Callable[[Expr], str]] = {
            Add: lambda e: self.folded("add", e.args),
            Mul: self.product,
            Pow: self.power,
            FloorDiv: self.floor,
            Quotient: self.floor,
            RoundTo: self.rounded,
            Maximum: lambda e: self.folded("max", e.args),
            Minimum: lambda e: self.folded("min", e.args),
        }

    def closed_form(self, expression: Expr) -> str:
        """Return an integer law over the spec's symbols."""
        return self.show(settled(expression.xreplace(self.integers)))

    def show(self, expression: Expr) -> str:
        """Return an integer expression over the arguments."""
        if expression.is_Integer:
            return self.language.number(int(expression))
        if expression.is_Symbol:
            return str(expression.name)
        over, under = fraction(expression)
        if under is not S.One:
            return self.binary("floor_div", over, under)
        expression = over
        if type(expression) not in self.forms:
            raise SpecError(f"{expression} has no exact form in integers")
        return self.forms[type(expression)](expression)

    def binary(self, name: str, left: Expr, right: Expr) -> str:
        """Return an operation of two expressions."""
        return self.language.binary[name](self.show(left), self.show(right))

    def folded(self, name: str, parts: Iterable[Expr]) -> str:
        """Return an operation of several, from the left; a negative term is subtracted."""
        ordered = sorted(parts, key=lambda p: (p.could_extract_minus_sign(), str(p)))
        first, *others = ordered
        text = self.show(first)
        for part in others:
            minus = name == "add" and part.could_extract_minus_sign()
            operation = self.language.binary["sub" if minus else name]
            text = operation(text, self.show(-part if minus else part))
        return text

    def product(self, expression: Expr) -> str:
        """Return a product from the left; a negative one is subtracted from 0."""
        if expression.could_extract_minus_sign():
            return self.language.binary["sub"](self.language.number(0), self.show(-expression))
        return self.folded("mul", expression.args)

    def power(self, expression: Expr) -> str:
        """Return a product of equal factors."""
        base, exponent = expression.args
        if not (exponent.is_Integer and exponent > 0):
            raise SpecError(f"{expression} has no exact form in integers")
        return self.folded("mul", [base] * int(exponent))

    def floor(self, expression: Expr) -> str:
        """``x//q`` of fractions: ``(a/b)//(c/d) = (a·d)//(b·c)``."""
        (a, b), (c, d) = map(fraction, expression.args)
        return self.binary("floor_div", Mul(a, d), Mul(b, c))

    def rounded(self, expression: Expr) -> str:
        """Return ``round_to(a/b, d)`` in the language."""
        over, under = fraction(expression.args[0])
        return self.language.round_to(*map(self.show, (over, under, expression.args[1])))

    def condition(self, condition: Condition) -> str:
        """Return a condition as a comparison of integers."""
        (a, b), *others = (fraction(side.xreplace(self.integers)) for side in sides(condition))
        if isinstance(condition, AtLeast):
            bound = Integer(condition.bound.numerator) * b
            return f"{self.show(a * condition.bound.denominator)} >= {self.show(bound)}"
        ((c, d),) = others
        left, right = a * d, c * b
        if isinstance(condition, Divides):  # a/b divides c/d
            left, right = Mul(c, b), Mul(d, a) * FloorDiv(Mul(c, b), Mul(d, a))
        return f"{self.show(left)} {self.language.equals} {self.show(right)}"


def fraction(expression: Expr) -> tuple[Expr, Expr]:
    """Return numerator and denominator, both integer expressions."""
    if expression.is_Rational:
        return Integer(expression.p), Integer(expression.q)
    if expression.is_Pow and expression.exp.is_Integer:
        over, under = fraction(expression.base)
        power = abs(int(expression.exp))
        return (over**power, under**power) if expression.exp > 0 else (under**power, over**power)
    if expression.is_Mul:
        overs, unders = zip(*map(fraction, expression.args), strict=True)
        return Mul(*overs), Mul(*unders)
    if expression.is_Add or isinstance(expression, Extremum):
        overs, unders = zip(*map(fraction, expression.args), strict=True)
        common = Mul(*set(unders))
        parts = (over * (common / under) for over, under in zip(overs, unders, strict=True))
        return expression.func(*parts), common
    return expression, S.One

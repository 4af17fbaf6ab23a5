"""Expressions as integer programs: every value a quotient of two integers that few operations make.

A real symbol is an integer over a denominator that all its values share, so that
``round_to(32*width, 8)`` is integer arithmetic as well. Equal parts are one node, in all
expressions and conditions of a program together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from math import lcm, prod
from types import MappingProxyType
from typing import NamedTuple

from sympy import Add, Expr, Mul, Pow, Symbol
from sympy.core.numbers import Rational

from archspec import arithmetic
from archspec.errors import SpecError
from costmodel.algebra.bounds import is_positive
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.functions import (
    FloorDiv,
    Maximum,
    Minimum,
    Quantity,
    Quotient,
    RoundTo,
    amount_of,
    plain,
)
from costmodel.algebra.once import once
from costmodel.algebra.operations import OPERATIONS
from costmodel.algebra.work import charge

INPUTS = ("input", "column")
"""Nodes whose values are given: those of an ``input`` are positive, those of a ``column`` any."""

MAX_POWER = 64
"""The largest exponent that is multiplied out."""


class ProgramNode(NamedTuple):
    """One operation of a program.

    Attributes:
        name: ``const``, one of `INPUTS`, ``opaque``, or a row of `OPERATIONS`.
        args: positions of the nodes it takes.
        value: the number of a ``const``, the name of an input, the expression of an ``opaque``
            and which part of its value is meant.
    """

    name: str
    args: tuple[int, ...] = ()
    value: object = None


class Ratio(NamedTuple):
    """A value as two nodes, ``numerator/denominator``, defined where that is not 0."""

    numerator: int
    denominator: int


class IntegerProgram:
    """Nodes in an order in which they can be computed, each once.

    Attributes:
        denominators: symbol → the denominator of its values; an input is the numerator.
        values: symbol → a number or an expression of others that it stands for.
        nodes: the operations.
        symbols: the names of the inputs that each node depends on.
        guards: divisor → the node that must be true where it is used: what divides is not 0.
        one: the node of 1.
        zero: the node of 0.
    """

    def __init__(
        self,
        denominators: Mapping[Symbol, int] = MappingProxyType({}),
        values: Mapping[Symbol, Expr] = MappingProxyType({}),
    ) -> None:
        self.denominators = dict(denominators)
        self.values = dict(values)
        self.nodes: list[ProgramNode] = []
        self.symbols: list[frozenset[str]] = []
        self.guards: dict[int, int] = {}
        self._places: dict[ProgramNode, int] = {}
        self.one = self.const(1)
        self.zero = self.const(0)

    def const(self, value: int) -> int:
        """Return the node of a number."""
        return self._place(ProgramNode("const", (), value))

    def number(self, node: int) -> int | None:
        """Return the number that a node is, or None where it is computed."""
        found = self.nodes[node]
        return found.value if found.name == "const" else None  # type: ignore[return-value]

    def _place(self, node: ProgramNode) -> int:
        if node not in self._places:
            charge(1)
            self._places[node] = len(self.nodes)
            self.nodes.append(node)
            own = {str(node.value)} if node.name in INPUTS else set[str]()
            self.symbols.append(frozenset(own).union(*(self.symbols[arg] for arg in node.args)))
        return self._places[node]

    def input(self, name: str, *, positive: bool = True) -> int:
        """Return the node of a named input."""
        return self._place(ProgramNode("input" if positive else "column", (), name))

    def op(self, name: str, *args: int) -> int:
        """Return the node of an operation; of numbers, the number."""
        numbers = [self.number(arg) for arg in args]
        known = [number for number in numbers if number is not None]
        if len(known) == len(args):
            return self.const(int(OPERATIONS[name].number(*known)))
        return self._place(ProgramNode(name, args))

    def add(self, *terms: int) -> int:
        """Return the node of a sum, all numbers added up."""
        number = sum(n for n in map(self.number, terms) if n is not None)
        others = [term for term in terms if self.number(term) is None]
        if not others:
            return self.const(number)
        total = self.folded("add", others)
        return self.op("add", total, self.const(number)) if number else total

    def mul(self, *factors: int) -> int:
        """Return the node of a product, all numbers multiplied out."""
        number = prod(n for n in map(self.number, factors) if n is not None)
        others = [factor for factor in factors if self.number(factor) is None]
        if not others or number == 0:
            return self.const(number)
        if number != 1:
            others[0] = self.op("mul", others[0], self.const(number))
        return self.folded("mul", others)

    def folded(self, name: str, nodes: list[int]) -> int:
        """Return the node of an operation on several nodes, those of equal symbols first."""
        groups: dict[frozenset[str], int] = {}
        for node in nodes:
            symbols = self.symbols[node]
            groups[symbols] = self.op(name, groups[symbols], node) if symbols in groups else node
        first, *others = (groups[symbols] for symbols in sorted(groups, key=len))
        return reduce(lambda a, b: self.op(name, a, b), others, first)

    def power(self, base: int, exponent: int) -> int:
        """Return the node of ``base**exponent``, by squaring."""
        if exponent == 0:
            return self.one
        half = self.power(base, exponent // 2)
        square = self.mul(half, half)
        return self.mul(square, base) if exponent % 2 else square

    def divisor(self, node: int, *, positive: bool = False) -> int:
        """Return a node to divide by, which is 1 where the value is 0 and nothing is defined."""
        number = self.number(node)
        if positive or number or self.is_positive(node):
            return node
        found = self.add(node, self.op("eq", node, self.zero))
        self.guards[found] = self.op("ne", node, self.zero)
        return found

    @property
    def defined(self) -> tuple[int, ...]:
        """The nodes that must be true for all values to exist: no divisor is 0."""
        return tuple(dict.fromkeys(self.guards.values()))

    def defined_of(self, outputs: Iterable[int]) -> tuple[int, ...]:
        """Return the nodes that must be true for some values to exist."""
        if not self.guards:
            return ()
        seen: set[int] = set()
        stack = list(outputs)
        while stack:
            place = stack.pop()
            if place not in seen:
                seen.add(place)
                stack.extend(self.nodes[place].args)
        return tuple(dict.fromkeys(self.guards[p] for p in sorted(seen & self.guards.keys())))

    @once
    def lower(self, expression: Expr) -> Ratio:
        """Return the nodes of an expression.

        Raises:
            SpecError: a symbol has no value, or `round_to` may round to a fraction.
        """
        if isinstance(expression, Rational):
            return self.constant(plain(expression))
        if isinstance(expression, Symbol):
            return self._symbol(expression)
        lower = _LOWER.get(type(expression), IntegerProgram.opaque)
        return lower(self, expression)

    def _symbol(self, symbol: Symbol) -> Ratio:
        if symbol in self.values:
            return self.lower(self.values[symbol])
        if symbol not in self.denominators:
            raise SpecError(f"'{symbol.name}' has no value in this sweep")
        return Ratio(self.input(symbol.name), self.const(self.denominators[symbol]))

    def constant(self, value: arithmetic.Rational) -> Ratio:
        """Return the nodes of a rational number."""
        return Ratio(self.const(value.numerator), self.const(value.denominator))

    def opaque(self, expression: Expr) -> Ratio:
        """Return nodes that are computed value by value, as of a root; undefined as ``1/0``."""
        expression = expression.xreplace(self.values)
        if isinstance(expression, Rational):
            return self.lower(expression)
        symbols = sorted(expression.free_symbols, key=lambda s: str(s.name))
        inputs = tuple(self.lower(s).numerator for s in symbols)
        denominators = tuple(self.denominators[s] for s in symbols)
        numerator, denominator = (
            self._place(
                ProgramNode("opaque", inputs, (expression, tuple(symbols), denominators, part))
            )
            for part in ("numerator", "denominator")
        )
        return Ratio(numerator, self.divisor(denominator))

    def common(self, parts: Sequence[Ratio]) -> tuple[list[int], int]:
        """Return the numerators of some values over one denominator, and that denominator."""
        below = dict.fromkeys(part.denominator for part in parts)
        if len(below) == 1:
            return [part.numerator for part in parts], next(iter(below))
        numbers = [n for n in map(self.number, below) if n is not None]
        shared, others = lcm(*numbers), [node for node in below if self.number(node) is None]
        above = [
            self.mul(p.numerator, *self._missing(p.denominator, shared, others)) for p in parts
        ]
        return above, self.mul(self.const(shared), *others)

    def _missing(self, denominator: int, shared: int, others: list[int]) -> list[int]:
        """Return the factors that a denominator lacks of the common one."""
        number = self.number(denominator)
        rest = [other for other in others if other != denominator]
        return [self.const(shared if number is None else shared // number), *rest]

    def _reduced(self, numerator: int, denominator: int) -> Ratio:
        """Return a quotient of two nodes; ``a/a = 1``, and numbers without their common factor."""
        a, b = self.number(numerator), self.number(denominator)
        if numerator == denominator:
            return Ratio(self.one, self.one)
        if a == 0:
            return Ratio(self.zero, self.one)
        if a is not None and b:
            return self.constant(arithmetic.ratio(a, b))
        return Ratio(numerator, denominator)

    def sum(self, parts: Sequence[Ratio]) -> Ratio:
        """Return ``Σ a/b``."""
        above, below = self.common(parts)
        return self._reduced(self.add(*above), below)

    def product(self, parts: Sequence[Ratio]) -> Ratio:
        """Return ``Π a / Π b``."""
        above, below = zip(*parts, strict=True)
        return self._reduced(self.mul(*above), self.mul(*below))

    def negative(self, part: Ratio) -> Ratio:
        """Return ``-a/b``."""
        return Ratio(self.mul(part.numerator, self.const(-1)), part.denominator)

    def quotient(self, left: Ratio, right: Ratio, *, positive: bool = False) -> Ratio:
        """Return ``(a/b)/(c/d) = (a·d)/(b·c)``; ``positive`` says that ``c/d`` is known to be."""
        (a, b), (c, d) = left, right
        return self._reduced(self.mul(a, d), self.divisor(self.mul(b, c), positive=positive))

    def floor(self, part: Ratio) -> Ratio:
        """Return ``a//b``."""
        a, b = part
        return Ratio(a if b == self.one else self.op("floor", a, b), self.one)

    def raised(self, part: Ratio, exponent: int, *, positive: bool = False) -> Ratio:
        """Return ``(a/b)**n``, or ``(b/a)**-n``; ``positive`` says that ``a/b`` is known to be."""
        above, below = part
        if exponent < 0:
            above, below = below, self.divisor(above, positive=positive)
        return Ratio(self.power(above, abs(exponent)), self.power(below, abs(exponent)))

    def extremum(self, name: str, parts: Sequence[Ratio]) -> Ratio:
        """Return the ``max`` or ``min`` of some values, over one denominator that is positive."""
        above, below = self.common([self.signed(part) for part in parts])
        return self._reduced(self.folded(name, above), below)

    def rounded(self, part: Ratio, step: int) -> Ratio:
        """Return ``round_to(a/b, d)``, of a positive ``d``, as `archspec.arithmetic.round_to` does.

        That is ``r = max(d, (2a + d·b)//(2·d·b)·d)``, and d more where ``10·r·b < 9·a``, since
        ``floor(floor(x)/d) = floor(x/d)``.
        """
        a, b = self.signed(part)
        two = self.const(2)
        half = self.add(self.mul(a, two), self.mul(step, b))
        steps = self.op("floor", half, self.mul(two, step, b))
        found = self.op("max", step, self.mul(steps, step))
        low = self.op("lt", self.mul(found, b, self.const(10)), self.mul(a, self.const(9)))
        return Ratio(self.add(found, self.mul(low, step)), self.one)

    def condition(self, condition: Condition) -> int:
        """Return the node that says whether a condition holds."""
        if isinstance(condition, Divides):
            a, b = self.lower(condition.dividend)
            c, d = self.lower(condition.divisor)
            return self.op("divides", self.divisor(self.mul(b, c)), self.mul(a, d))
        if isinstance(condition, AtLeast):
            bound = self.constant(condition.bound)
            return self.compare("ge", self.lower(condition.expression), bound)
        return self.compare("eq", self.lower(condition.left), self.lower(condition.right))

    def compare(self, name: str, left: Ratio, right: Ratio) -> int:
        """Return the node of a comparison, cross-multiplied over positive denominators."""
        (a, b), (c, d) = map(self.signed, (left, right))
        if b == d:
            return self.op(name, a, c)
        return self.op(name, self.mul(a, d), self.mul(c, b))

    def signed(self, part: Ratio) -> Ratio:
        """Return a value over a positive denominator: ``a·b/b²`` where the sign is not known."""
        if self.is_positive(part.denominator):
            return part
        return Ratio(
            self.mul(part.numerator, part.denominator), self.mul(part.denominator, part.denominator)
        )

    def is_positive(self, node: int) -> bool:
        """Return whether a node is positive for all positive inputs, by its form."""
        name, args, value = self.nodes[node]
        if name == "const":
            return value > 0  # type: ignore[operator]
        if name in ("add", "mul", "max", "min"):
            return all(map(self.is_positive, args))
        return name == "input"


def _lowered(program: IntegerProgram, expression: Expr) -> list[Ratio]:
    return [program.lower(arg) for arg in expression.args]


def _power(program: IntegerProgram, expression: Expr) -> Ratio:
    base, exponent = expression.args
    if not (exponent.is_Integer and abs(int(exponent)) <= MAX_POWER):
        return program.opaque(expression)
    return program.raised(program.lower(base), int(exponent), positive=is_positive(base))


def _quotient(program: IntegerProgram, expression: Expr) -> Ratio:
    return program.quotient(
        *_lowered(program, expression), positive=is_positive(expression.args[1])
    )


def _rounded(program: IntegerProgram, expression: Expr) -> Ratio:
    part, by = _lowered(program, expression)
    if by.denominator != program.one:
        raise SpecError(f"{expression} rounds to a multiple that may be no integer")
    positive = is_positive(expression.args[1])
    return program.rounded(part, program.divisor(by.numerator, positive=positive))


_LOWER: dict[type, Callable[[IntegerProgram, Expr], Ratio]] = {
    Add: lambda program, expression: program.sum(_lowered(program, expression)),
    Mul: lambda program, expression: program.product(_lowered(program, expression)),
    Pow: _power,
    FloorDiv: lambda program, expression: program.floor(_quotient(program, expression)),
    Quotient: _quotient,
    RoundTo: _rounded,
    Maximum: lambda program, expression: program.extremum("max", _lowered(program, expression)),
    Minimum: lambda program, expression: program.extremum("min", _lowered(program, expression)),
    Quantity: lambda program, expression: program.lower(amount_of(expression)),
}

"""Laws as integer programs: every value a quotient of two integers that a few operations make.

A real symbol is an integer over a denominator that all its values share, so that
``round_to(32*width, 8)`` is integer arithmetic as well. Equal parts are one node, in all laws and
conditions of a sweep together.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from math import lcm, prod
from types import MappingProxyType
from typing import NamedTuple

from sympy import Add, Expr, Mul, Pow, Symbol
from sympy.core.numbers import Rational

from archspec.errors import SpecError
from costmodel.algebra.bounds import is_positive
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Maximum,
    Quantity,
    Quotient,
    RoundTo,
    amount_of,
    plain,
)

MAX_POWER = 64
"""The largest exponent that is multiplied out."""


class Node(NamedTuple):
    """One operation of a program.

    Attributes:
        name: ``const``, ``input``, ``opaque`` or a row of `compiled.OPERATIONS`.
        args: positions of the nodes it takes.
        value: the number of a ``const``, the symbol's name of an ``input``, the expression of an
            ``opaque`` and which part of its value is meant.
    """

    name: str
    args: tuple[int, ...] = ()
    value: object = None


class Part(NamedTuple):
    """A value as two nodes, ``over/under``; the value is defined where ``under`` is not 0."""

    over: int
    under: int


class Program:
    """Nodes in an order in which they can be computed, each once.

    Args:
        denominators: symbol → what its values are put over; an input is the numerator.
        laws: symbol → what it stands for, a number or an expression of others.
    """

    def __init__(
        self, denominators: Mapping[Symbol, int], laws: Mapping[Symbol, Expr] = MappingProxyType({})
    ) -> None:
        self.denominators = dict(denominators)
        self.laws = dict(laws)
        self.nodes: list[Node] = []
        self.symbols: list[frozenset[str]] = []
        self.defined: dict[int, None] = {}
        self._places: dict[Node, int] = {}
        self._lowered: dict[Expr, Part] = {}
        self.one = self.const(1)
        self.zero = self.const(0)

    def const(self, value: int) -> int:
        """A number."""
        return self._place(Node("const", (), value))

    def number(self, node: int) -> int | None:
        """The number that a node is, if it is one."""
        found = self.nodes[node]
        return found.value if found.name == "const" else None  # type: ignore[return-value]

    def _place(self, node: Node) -> int:
        if node not in self._places:
            self._places[node] = len(self.nodes)
            self.nodes.append(node)
            own = {str(node.value)} if node.name == "input" else set[str]()
            self.symbols.append(frozenset(own).union(*(self.symbols[arg] for arg in node.args)))
        return self._places[node]

    def op(self, name: str, *args: int) -> int:
        """An operation; of numbers, the number."""
        from costmodel.sweep.compiled import OPERATIONS

        numbers = [self.number(arg) for arg in args]
        known = [number for number in numbers if number is not None]
        if len(known) == len(args):
            return self.const(int(OPERATIONS[name].number(*known)))
        return self._place(Node(name, args))

    def add(self, *terms: int) -> int:
        """The sum, numbers together."""
        number = sum(n for n in map(self.number, terms) if n is not None)
        others = [term for term in terms if self.number(term) is None]
        if not others:
            return self.const(number)
        total = self.folded("add", others)
        return self.op("add", total, self.const(number)) if number else total

    def mul(self, *factors: int) -> int:
        """The product, numbers together; nothing times 0."""
        number = prod(n for n in map(self.number, factors) if n is not None)
        others = [factor for factor in factors if self.number(factor) is None]
        if not others or number == 0:
            return self.const(number)
        if number != 1:
            others[0] = self.op("mul", others[0], self.const(number))
        return self.folded("mul", others)

    def folded(self, name: str, nodes: list[int]) -> int:
        """An operation between several nodes: first between those of the same symbols."""
        groups: dict[frozenset[str], int] = {}
        for node in nodes:
            symbols = self.symbols[node]
            groups[symbols] = self.op(name, groups[symbols], node) if symbols in groups else node
        first, *others = (groups[symbols] for symbols in sorted(groups, key=len))
        return reduce(lambda a, b: self.op(name, a, b), others, first)

    def power(self, base: int, exponent: int) -> int:
        """``base**exponent`` by squaring."""
        if exponent == 0:
            return self.one
        half = self.power(base, exponent // 2)
        square = self.mul(half, half)
        return self.mul(square, base) if exponent % 2 else square

    def divisor(self, node: int, *, positive: bool = False) -> int:
        """A node to divide by: 1 where it is 0, where nothing is defined."""
        number = self.number(node)
        if positive or number:
            return node
        self.defined[self.op("ne", node, self.zero)] = None
        return self.add(node, self.op("eq", node, self.zero))

    def lower(self, expression: Expr) -> Part:
        """The nodes of an expression.

        Raises:
            SpecError: it is none that arrays can compute.
        """
        if expression not in self._lowered:
            self._lowered[expression] = self._lower(expression)
        return self._lowered[expression]

    def _lower(self, expression: Expr) -> Part:
        if isinstance(expression, Rational):
            number = plain(expression)
            return Part(self.const(number.numerator), self.const(number.denominator))
        if isinstance(expression, Symbol):
            return self._symbol(expression)
        for kind, lower in _LOWER.items():
            if isinstance(expression, kind):
                return lower(self, expression)
        return self.opaque(expression)

    def _symbol(self, symbol: Symbol) -> Part:
        if symbol in self.laws:
            return self.lower(self.laws[symbol])
        if symbol not in self.denominators:
            raise SpecError(f"'{symbol.name}' has no value in this sweep")
        node = self._place(Node("input", (), symbol.name))
        return Part(node, self.const(self.denominators[symbol]))

    def opaque(self, expression: Expr) -> Part:
        """What is computed value by value, as a root or a logarithm is; undefined as ``1/0``."""
        expression = expression.xreplace(self.laws)
        if isinstance(expression, Rational):
            return self.lower(expression)
        symbols = sorted(expression.free_symbols, key=lambda s: str(s.name))
        inputs = tuple(self.lower(s).over for s in symbols)
        unders = tuple(self.denominators[s] for s in symbols)
        over, under = (
            self._place(Node("opaque", inputs, (expression, tuple(symbols), unders, part)))
            for part in ("numerator", "denominator")
        )
        return Part(over, self.divisor(under))

    def common(self, parts: list[Part]) -> tuple[list[int], int]:
        """Numerators over one denominator."""
        unders = dict.fromkeys(part.under for part in parts)
        numbers = [n for n in map(self.number, unders) if n is not None]
        shared, others = lcm(*numbers), [u for u in unders if self.number(u) is None]
        overs = [self.mul(p.over, *self._missing(p.under, shared, others)) for p in parts]
        return overs, self.mul(self.const(shared), *others)

    def _missing(self, under: int, shared: int, others: list[int]) -> list[int]:
        """What a denominator lacks of the common one."""
        number = self.number(under)
        rest = [other for other in others if other != under]
        return [self.const(shared if number is None else shared // number), *rest]

    def reduced(self, over: int, under: int) -> Part:
        """A quotient of two nodes; ``a/a = 1``, and numbers without their common factor."""
        a, b = self.number(over), self.number(under)
        if over == under:
            return Part(self.one, self.one)
        if a == 0:
            return Part(self.zero, self.one)
        if a is not None and b is not None:
            return self.lower(Rational(a, b))
        return Part(over, under)

    def condition(self, condition: Condition) -> int:
        """The node that says whether a condition holds."""
        if isinstance(condition, Divides):
            a, b = self.lower(condition.dividend)
            c, d = self.lower(condition.divisor)
            return self.op("divides", self.divisor(self.mul(b, c)), self.mul(a, d))
        if isinstance(condition, AtLeast):
            over, under = self.lower(condition.expression)
            bound = condition.bound
            return self.compare(
                "ge",
                Part(over, under),
                Part(self.const(bound.numerator), self.const(bound.denominator)),
            )
        return self.compare("eq", self.lower(condition.left), self.lower(condition.right))

    def compare(self, name: str, left: Part, right: Part) -> int:
        """``left >= right``, or another comparison: cross-multiplied, the denominators positive."""
        (a, b), (c, d) = map(self.signed, (left, right))
        if b == d:
            return self.op(name, a, c)
        return self.op(name, self.mul(a, d), self.mul(c, b))

    def signed(self, part: Part) -> Part:
        """The same over a positive denominator: ``a/b = a·b/b²``, where its sign is not known."""
        if self.is_positive(part.under):
            return part
        return Part(self.mul(part.over, part.under), self.mul(part.under, part.under))

    def is_positive(self, node: int) -> bool:
        """Whether a node is positive for all positive symbols, by its form."""
        name, args, value = self.nodes[node]
        if name == "const":
            return value > 0  # type: ignore[operator]
        if name in ("add", "mul", "max", "min"):
            return all(map(self.is_positive, args))
        return name in ("input", "round")


def _sum(program: Program, expression: Expr) -> Part:
    """``Σ a/b``."""
    overs, under = program.common([program.lower(arg) for arg in expression.args])
    return program.reduced(program.add(*overs), under)


def _product(program: Program, expression: Expr) -> Part:
    """``Π a / Π b``."""
    parts = [program.lower(arg) for arg in expression.args]
    overs, unders = zip(*parts, strict=True)
    return program.reduced(program.mul(*overs), program.mul(*unders))


def _power(program: Program, expression: Expr) -> Part:
    """``(a/b)**n``, or ``(b/a)**-n``."""
    base, exponent = expression.args
    if not (exponent.is_Integer and abs(int(exponent)) <= MAX_POWER):
        return program.opaque(expression)
    over, under = program.lower(base)
    if exponent < 0:
        over, under = under, program.divisor(over, positive=is_positive(base))
    times = abs(int(exponent))
    return Part(program.power(over, times), program.power(under, times))


def _floor(program: Program, expression: Expr) -> Part:
    """``(a/b)//(c/d) = (a·d)//(b·c)``."""
    (a, b), (c, d) = (program.lower(arg) for arg in expression.args)
    by = program.divisor(program.mul(b, c), positive=is_positive(expression.args[1]))
    over = program.mul(a, d)
    return Part(over if by == program.one else program.op("floor", over, by), program.one)


def _quotient(program: Program, expression: Expr) -> Part:
    """``(a/b)/(c/d) = (a·d)/(b·c)``."""
    (a, b), (c, d) = (program.lower(arg) for arg in expression.args)
    by = program.divisor(program.mul(b, c), positive=is_positive(expression.args[1]))
    return program.reduced(program.mul(a, d), by)


def _rounded(program: Program, expression: Expr) -> Part:
    """``round_to(a/b, d)``: ``r = max(d, (2a + d·b)//(2·d·b)·d)``, and d more where 10·r·b < 9·a.

    It is that of `archspec.arithmetic.round_to`, as ``floor(floor(x)/d) = floor(x/d)``.
    """
    x, by = (program.lower(arg) for arg in expression.args)
    a, b = program.signed(x)
    if by.under != program.one:
        raise SpecError(f"{expression} rounds to a multiple that may be no integer")
    d = program.divisor(by.over, positive=is_positive(expression.args[1]))
    if program.number(b) is not None and program.number(d) is not None:
        return Part(program.op("round", a, b, d), program.one)
    half = program.add(program.mul(a, program.const(2)), program.mul(d, b))
    steps = program.op("floor", half, program.mul(program.const(2), d, b))
    rounded = program.op("max", d, program.mul(steps, d))
    low = program.op(
        "lt",
        program.mul(rounded, b, program.const(10)),
        program.mul(a, program.const(9)),
    )
    return Part(program.add(rounded, program.mul(low, d)), program.one)


def _extremum(program: Program, expression: Expr) -> Part:
    """``max(a/b, c/d)``, over one denominator that is positive."""
    overs, under = program.common([program.signed(program.lower(a)) for a in expression.args])
    name = "max" if isinstance(expression, Maximum) else "min"
    return program.reduced(program.folded(name, overs), under)


_LOWER: dict[type, Callable[[Program, Expr], Part]] = {
    Add: _sum,
    Mul: _product,
    Pow: _power,
    FloorDiv: _floor,
    Quotient: _quotient,
    RoundTo: _rounded,
    Extremum: _extremum,
    Quantity: lambda program, expression: program.lower(amount_of(expression)),
}

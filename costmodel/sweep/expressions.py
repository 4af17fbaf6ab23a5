"""Expressions over columns, exactly: compiled to the integer programs that metrics are, too.

A column is an input of the program, or two where it holds fractions. A root and a logarithm that
are no fractions have no exact value; but both are monotone, and so they are compared by what they
are of: ``sqrt(macs) <= 1e4`` is ``macs <= 1e8``. A root may be multiplied and divided, since the
signed square of a product is the product of signed squares. Sums that have a root or a logarithm
in them are refused.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from archspec import arithmetic
from archspec.errors import SpecError
from archspec.expressions import COMPARISONS, ExpressionError
from archspec.scope import free_names
from archspec.trees import Binary, Call, Name, Number, Tree, Truth, Unary, Value
from costmodel.algebra.evaluation import Tape, bounds_in, whole
from costmodel.algebra.operations import Array, Bounds
from costmodel.algebra.program import IntegerProgram, Ratio
from costmodel.analysis.columns import MAX_EXACT_FLOAT, largest_of, nearest_floats, quotients
from costmodel.sweep.rows import DENOMINATORS, NUMERATORS, Rows

MAX_POWER = 16
"""The largest exponent of a column."""

MAX_DEGREE = 64
"""The largest denominator of a number that a logarithm is compared with."""

MAX_BITS = 4_096
"""The largest exponent of two that a logarithm is compared with."""

DIGITS = 80
"""The digits of a root or a logarithm, before it is rounded to the nearest float."""

RELATIONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}

NEGATIVE_ROOT = "a root of a negative number"
NO_LOGARITHM = "a logarithm of a number that is not positive"
NO_QUOTIENT = "a division by zero"
NO_STEP = "round_to needs a positive integer divisor"


Kind = Literal["fraction", "root", "logarithm"]


class Term(NamedTuple):
    """A number: a fraction, or a root or a binary logarithm of one.

    Attributes:
        part: the fraction; of a root its square, with the root's sign.
        kind: what it is of that.
    """

    part: Ratio
    kind: Kind = "fraction"


class Numbers(NamedTuple):
    """Exact numbers, one for each row: integers over positive ones, which may be one for all."""

    numerators: Array
    denominators: Array

    @property
    def is_whole(self) -> bool:
        """Return True where every denominator is 1, so that all are integers."""
        return bounds_in(self.denominators) == (1, 1)

    def exact(self) -> Array:
        """Return them as int64 where all are integers, else as Python's integers and fractions."""
        return quotients(*self)

    def floats(self) -> Array:
        """Return the nearest floats; infinite beyond the largest."""
        return nearest_floats(*self)


class ColumnExpression(NamedTuple):
    """An expression of columns: its text as it was given, and its tree."""

    text: str
    tree: Value

    def keys(self, rows: Rows) -> Numbers:
        """Return numbers that are in the order of the values: of a root, what it is of.

        Raises:
            SpecError: a value does not exist, as where a column is text or a divisor is 0.
        """
        return self._evaluated(rows, is_condition=False)[1]

    def floats(self, rows: Rows) -> Array:
        """Return the float64 nearest to each value; infinite beyond the largest.

        Raises:
            SpecError: a value does not exist.
        """
        kind, numbers = self._evaluated(rows, is_condition=False)
        if kind == "fraction":
            return numbers.floats()
        is_root, above = kind == "root", numbers.numerators
        if is_root and numbers.is_whole and largest_of(above) <= MAX_EXACT_FLOAT:
            return np.asarray(np.sign(above) * np.sqrt(abs(above)))
        each = np.frompyfunc(_root_float if is_root else _logarithm_float, 2, 1)
        return np.asarray(each(*numbers), np.float64)

    def holds(self, rows: Rows) -> Array:
        """Return where a condition is true.

        Raises:
            SpecError: a value in it does not exist.
        """
        return self._evaluated(rows, is_condition=True)[1].numerators.astype(bool, copy=False)

    def check(self, *, is_condition: bool = False) -> None:
        """Make sure that it can be compiled, whatever its columns hold.

        Raises:
            ExpressionError: it has a sum of roots, or the exponent of a power is no small integer.
        """
        _compiled(self.tree, frozenset(), free_names(self.tree), is_condition)

    def _evaluated(self, rows: Rows, *, is_condition: bool) -> tuple[Kind, Numbers]:
        """Return the kind of the values, and the numbers that stand for them."""
        try:
            inputs = _inputs(rows, free_names(self.tree))
            if isinstance(self.tree, Name) and len(inputs) == 1:
                return "fraction", Numbers(next(iter(inputs.values())), np.array(1))
            fractions = {n for n in inputs if DENOMINATORS + n in inputs}
            bounds = {name: bounds_in(array) for name, array in inputs.items()}
            positive = {name for name, (least, _) in bounds.items() if least > 0}
            program = _compiled(self.tree, frozenset(fractions), frozenset(positive), is_condition)
            found = program.run(inputs, bounds)
        except ExpressionError as error:
            raise SpecError(f"'{self.text}': {error.cause}", hint=error.hint) from None
        numerators = np.broadcast_to(found.numerators, (rows.count,))
        return program.kind, found._replace(numerators=numerators)


def _inputs(rows: Rows, names: Iterable[str]) -> dict[str, Array]:
    """Return the numerators of columns by name, and the denominators of those with fractions."""
    found: dict[str, Array] = {}
    for name in sorted(names):
        if NUMERATORS + name in rows:
            above, below = rows[NUMERATORS + name], rows[DENOMINATORS + name]
        else:
            above, below = parts_of(rows[name])
        found[name] = above
        if bounds_in(below) != (1, 1):
            found[DENOMINATORS + name] = below
    return found


def parts_of(column: Array) -> tuple[Array, Array]:
    """Return the numerators and the denominators of a column of numbers."""
    if column.dtype != object:
        return column, np.array(1)
    if any(isinstance(value, str) for value in column):
        raise ExpressionError("this column is text")
    if any(value is None for value in column):
        raise ExpressionError("some networks have no such symbol")
    return whole(_NUMERATOR(column)), whole(_DENOMINATOR(column))


_NUMERATOR = np.frompyfunc(lambda value: value.numerator, 1, 1)
_DENOMINATOR = np.frompyfunc(lambda value: value.denominator, 1, 1)


def _root_float(numerator: int, denominator: int) -> float:
    """Return the float nearest to a root, of a signed square."""
    with localcontext() as context:
        context.prec = DIGITS + len(str(numerator)) + len(str(denominator))
        size = float((Decimal(abs(numerator)) / Decimal(int(denominator))).sqrt())
    return size if numerator >= 0 else -size


def _logarithm_float(numerator: int, denominator: int) -> float:
    """Return the float nearest to a binary logarithm."""
    with localcontext() as context:
        context.prec = DIGITS
        return float((Decimal(int(numerator)) / Decimal(int(denominator))).ln() / Decimal(2).ln())


class _Program(NamedTuple):
    """A compiled expression.

    Attributes:
        kind: of its values (see `Term`).
        tape: the nodes.
        names: input node → its name.
        part: the result.
        required: node → what is wrong where it is not true.
    """

    kind: Kind
    tape: Tape
    names: Mapping[int, str]
    part: Ratio
    required: Mapping[int, str]

    def run(self, inputs: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Numbers:
        """Return the result, if it exists in every row."""
        given = {place: inputs[name] for place, name in self.names.items()}
        known = {place: bounds[name] for place, name in self.names.items()}
        found = self.tape.run(given, known)
        for place, cause in self.required.items():
            if not found[place].all():
                raise ExpressionError(cause)
        return Numbers(*(found[place] for place in self.part))


@lru_cache(maxsize=256)
def _compiled(
    tree: Value, fractions: frozenset[str], positive: frozenset[str], is_condition: bool
) -> _Program:
    compiler = _Compiler(fractions, positive)
    program = compiler.program
    if is_condition:
        term = Term(Ratio(compiler.condition(tree), program.one))
    else:
        term = compiler.term(tree)
    part = program.signed(term.part)
    required = {**compiler.required, **dict.fromkeys(program.defined, NO_QUOTIENT)}
    tape = Tape(program, [*part, *required])
    names = {place: str(program.nodes[place].value) for place in tape.inputs}
    return _Program(term.kind, tape, names, part, required)


class _Compiler:
    """Compiles a tree over columns.

    Args:
        fractions: the columns that hold fractions.
        positive: the columns whose values are positive.
    """

    def __init__(self, fractions: frozenset[str], positive: frozenset[str]) -> None:
        self.fractions = fractions
        self.positive = positive
        self.program = IntegerProgram()
        self.required: dict[int, str] = {}

    def term(self, tree: Value) -> Term:
        """Return the nodes of a number."""
        match tree:
            case Number(value):
                return Term(self.program.constant(value))
            case Name(name):
                return Term(self._column(name))
            case Unary("-", operand):
                return self._negative(self.term(operand))
            case Binary("**", base, exponent):
                return self._power(self.term(base), exponent)
            case Binary(name, left, right) if name in _OF_FRACTIONS or name in _OF_SQUARES:
                return self._applied(name, [self.term(left), self.term(right)])
            case Call(name, arguments):
                return self._applied(name, [self.term(each) for each in arguments])
        raise ExpressionError("a condition stands where a number must stand")

    def condition(self, tree: Value) -> int:
        """Return the node of a condition."""
        op = self.program.op
        match tree:
            case Truth(value):
                return self.program.const(int(value))
            case Unary("not", operand):
                return op("not", self.condition(operand))
            case Binary("and" | "or" as operator, left, right):
                return op(operator, self.condition(left), self.condition(right))
            case Binary(relation, left, right) if relation in COMPARISONS:
                return self._compared(RELATIONS[relation], self.term(left), self.term(right))
        raise ExpressionError("a number stands where a condition must stand")

    def _column(self, name: str) -> Ratio:
        numerator = self.program.input(name, positive=name in self.positive)
        if name not in self.fractions:
            return Ratio(numerator, self.program.one)
        return Ratio(numerator, self.program.input(DENOMINATORS + name))

    def _negative(self, term: Term) -> Term:
        if term.kind == "logarithm":
            one = self.program.constant(1)
            return term._replace(part=self.program.quotient(one, term.part))
        return term._replace(part=self.program.negative(term.part))

    def _applied(self, name: str, terms: list[Term]) -> Term:
        """Return an operation or a function of numbers, of roots by their signed squares."""
        if name in _INVERSES:
            return self._inverse(name, *map(_exact, terms))
        if name == "round_to":
            return self._rounded(*terms)
        if name in _OF_FRACTIONS:
            return Term(_OF_FRACTIONS[name](self.program, *map(_exact, terms)))
        kinds = {term.kind for term in terms}
        is_one = kinds == {"fraction"} or (kinds == {"logarithm"} and name in ("min", "max"))
        parts = [term.part if is_one else self._square(term) for term in terms]
        return Term(_OF_SQUARES[name](self.program, *parts), kinds.pop() if is_one else "root")

    def _rounded(self, term: Term, step: Term) -> Term:
        """Return `round_to` of a fraction; the step must be a positive integer in every row."""
        node, under = step.part
        if step.kind != "fraction" or under != self.program.one:
            raise ExpressionError(NO_STEP)
        self._require(self.program.op("gt", node, self.program.zero), NO_STEP)
        least = self.program.op("max", node, self.program.one)
        return Term(self.program.rounded(_exact(term), least))

    def _inverse(self, name: str, of: Ratio) -> Term:
        """Return a root or a binary logarithm: a fraction where it is one of a number."""
        kind, inverse, relation, cause = _INVERSES[name]
        number = self._number(of)
        if number is not None:
            with suppress(arithmetic.IrrationalError):
                return Term(self.program.constant(inverse(number)))
        self._require(self.program.compare(relation, of, self.program.constant(0)), cause)
        return Term(of, kind)

    def _require(self, node: int, cause: str) -> None:
        self.required.setdefault(node, cause)

    def _number(self, part: Ratio) -> arithmetic.Rational | None:
        """Return the number that a value is in all rows, or None where it is of columns."""
        over, under = map(self.program.number, part)
        return None if over is None or not under else arithmetic.ratio(over, under)

    def _square(self, term: Term) -> Ratio:
        """Return a number's square with the number's sign."""
        if term.kind == "root":
            return term.part
        part = _exact(term)
        return self.program.product([part, self._size(part)])

    def _size(self, part: Ratio) -> Ratio:
        """Return a fraction without its sign."""
        return self.program.extremum("max", [part, self.program.negative(part)])

    def _power(self, base: Term, exponent: Tree) -> Term:
        times = exponent.value if isinstance(exponent, Number) else None
        if isinstance(exponent, Unary) and isinstance(exponent.operand, Number):
            times = -exponent.operand.value
        if times is None or times.denominator != 1 or not abs(int(times)) <= MAX_POWER:
            raise ExpressionError(
                f"an exponent is an integer of at most {MAX_POWER}", hint="a root is sqrt(x)"
            )
        if base.kind != "root":
            return Term(self.program.raised(_exact(base), int(times)))
        if times % 2:
            return Term(self.program.raised(base.part, int(times)), "root")
        return Term(self.program.raised(self._size(base.part), int(times) // 2))

    def _compared(self, relation: str, left: Term, right: Term) -> int:
        """Return where a relation holds, by what monotone functions are of."""
        if left.kind == right.kind:
            parts = left.part, right.part
        elif (left.kind, right.kind) == ("logarithm", "fraction"):
            parts = self._as_powers(left.part, right.part)
        elif (left.kind, right.kind) == ("fraction", "logarithm"):
            parts = self._as_powers(right.part, left.part)[::-1]
        else:
            parts = self._square(left), self._square(right)
        return self.program.compare(relation, *parts)

    def _as_powers(self, of: Ratio, right: Ratio) -> tuple[Ratio, Ratio]:
        """Return ``x**q`` and ``2**p`` for ``log2(x)`` and ``p/q``."""
        number = self._number(right)
        if number is None or number.denominator > MAX_DEGREE or abs(number.numerator) > MAX_BITS:
            raise ExpressionError(
                "a logarithm is compared with a number of few digits, or with a logarithm",
                hint="compare what it is of: macs <= 2**30, not log2(macs) <= 30",
            )
        power = arithmetic.tidy(Fraction(2) ** number.numerator)
        return self.program.raised(of, number.denominator), self.program.constant(power)


def _exact(term: Term) -> Ratio:
    """Return a term that is a fraction, if it is neither a root nor a logarithm."""
    if term.kind == "fraction":
        return term.part
    raise ExpressionError(
        f"a {term.kind} has no exact value here: it is shown, compared or ordered by, alone"
        + (", or times and by other numbers" if term.kind == "root" else ""),
        hint="compare what it is of: macs <= 1e8, not sqrt(macs) - 1e4 <= 0",
    )


_OF_FRACTIONS: dict[str, Callable[..., Ratio]] = {
    "+": lambda program, x, y: program.sum([x, y]),
    "-": lambda program, x, y: program.sum([x, program.negative(y)]),
    "//": lambda program, x, y: program.floor(program.quotient(x, y)),
    "%": lambda program, x, y: program.sum(
        [x, program.negative(program.product([y, program.floor(program.quotient(x, y))]))]
    ),
    "floor": IntegerProgram.floor,
    "ceil": lambda program, x: program.negative(program.floor(program.negative(x))),
}
"""What is computed of fractions alone; ``x % y = x - y·(x//y)``, ``ceil(x) = -floor(-x)``."""

_OF_SQUARES: dict[str, Callable[..., Ratio]] = {
    "*": lambda program, *parts: program.product(parts),
    "/": IntegerProgram.quotient,
    "min": lambda program, *parts: program.extremum("min", parts),
    "max": lambda program, *parts: program.extremum("max", parts),
}
"""What may be computed of signed squares instead of the numbers, whose signed square it is then."""

_INVERSES: dict[str, tuple[Kind, Callable[[arithmetic.Rational], arithmetic.Rational], str, str]]
_INVERSES = {
    "sqrt": ("root", arithmetic.square_root, "ge", NEGATIVE_ROOT),
    "log2": ("logarithm", arithmetic.binary_logarithm, "gt", NO_LOGARITHM),
}
"""Function → its kind, its value of a number, how what it is of compares with 0, what if not."""


def is_whole(tree: Value, wholes: Mapping[str, bool]) -> bool:
    """Return whether an expression is an integer in every row, if these names are."""
    match tree:
        case Number(value):
            return value.denominator == 1
        case Name(name):
            return wholes[name]
        case Unary(_, operand):
            return is_whole(operand, wholes)
        case Binary("//", _, _) | Call("floor" | "ceil" | "round_to", _):
            return True
        case Binary("**", base, Number(exponent)):
            return exponent >= 0 and is_whole(base, wholes)
        case Binary(operator, left, right):
            return operator != "/" and is_whole(left, wholes) and is_whole(right, wholes)
        case Call("min" | "max", arguments):
            return all(is_whole(each, wholes) for each in arguments)
    return False

"""Expressions over columns, exactly: compiled to the integer programs that metrics are, too.

A column is an input of the program, or two where it holds fractions. A root and a logarithm that
are no fractions have no exact value; but both are monotone, and so they are compared by what they
are of: ``sqrt(macs) <= 1e4`` is ``macs <= 1e8``. A root may be multiplied and divided, since the
signed square of a product is the product of signed squares. Sums that have a root or a logarithm
in them are refused.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

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


class Root(NamedTuple):
    """A number whose square, with the number's sign, is a fraction."""

    square: Ratio


class Logarithm(NamedTuple):
    """A number of which two to its power is a fraction."""

    power: Ratio


Term = Ratio | Root | Logarithm


class Numbers(NamedTuple):
    """Exact numbers, one for each row.

    Attributes:
        numerators: integers.
        denominators: positive integers, one for all rows or one for each.
    """

    numerators: Array
    denominators: Array

    @property
    def is_whole(self) -> bool:
        """Return True where every denominator is 1, so that all are integers."""
        return bounds_in(self.denominators) == (1, 1)

    def negative(self) -> "Numbers":
        """Return them with the other sign."""
        return self._replace(numerators=-self.numerators)

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
        if kind is Ratio:
            return numbers.floats()
        if kind is Root and numbers.is_whole and largest_of(numbers.numerators) <= MAX_EXACT_FLOAT:
            return np.asarray(np.sign(numbers.numerators) * np.sqrt(abs(numbers.numerators)))
        each = np.frompyfunc(_root_float if kind is Root else _logarithm_float, 2, 1)
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

    def _evaluated(self, rows: Rows, *, is_condition: bool) -> tuple[type, Numbers]:
        """Return the kind of the values, and the numbers that stand for them."""
        try:
            inputs = _inputs(rows, free_names(self.tree))
            if isinstance(self.tree, Name) and len(inputs) == 1:
                return Ratio, Numbers(next(iter(inputs.values())), np.array(1))
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
    """Return the numerators of columns by name, and the denominators of those with fractions.

    Raises:
        ExpressionError: a column is text, or is of no number.
    """
    found: dict[str, Array] = {}
    for name in sorted(names):
        if NUMERATORS + name in rows:
            above, below = rows[NUMERATORS + name], rows[DENOMINATORS + name]
        else:
            above, below = _parts(rows[name])
        found[name] = above
        if bounds_in(below) != (1, 1):
            found[DENOMINATORS + name] = below
    return found


def _parts(column: Array) -> tuple[Array, Array]:
    """Return the numerators and the denominators of a column."""
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
        kind: `Ratio` of fractions; of a `Root` its signed square is computed, of a `Logarithm` what
            it is of.
        tape: the nodes.
        names: input node → its name.
        part: the result.
        required: node → what is wrong where it is not true.
    """

    kind: type
    tape: Tape
    names: Mapping[int, str]
    part: Ratio
    required: Mapping[int, str]

    def run(self, inputs: Mapping[str, Array], bounds: Mapping[str, Bounds]) -> Numbers:
        """Return the result.

        Raises:
            ExpressionError: it does not exist in every row.
        """
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
    term: Term
    term = Ratio(compiler.condition(tree), program.one) if is_condition else compiler.term(tree)
    part = program.signed(term if isinstance(term, Ratio) else term[0])
    required = {**compiler.required, **dict.fromkeys(program.defined, NO_QUOTIENT)}
    tape = Tape(program, [*part, *required])
    names = {place: str(program.nodes[place].value) for place in tape.inputs}
    return _Program(type(term), tape, names, part, required)


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
                return self.program.constant(value)
            case Name(name):
                return self._column(name)
            case Unary("-", operand):
                return self._negative(self.term(operand))
            case Binary("**", base, exponent):
                return self._power(self.term(base), exponent)
            case Binary(operator, left, right) if operator in _OPERATORS:
                return _OPERATORS[operator](self, self.term(left), self.term(right))
            case Call(function, arguments):
                return _FUNCTIONS[function](self, *map(self.term, arguments))
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
        match term:
            case Root(square):
                return Root(self.program.negative(square))
            case Logarithm(power):
                return Logarithm(self.program.quotient(self.program.constant(1), power))
        return self.program.negative(term)

    def sum(self, left: Term, right: Term) -> Term:
        """Return a sum of fractions."""
        return self.program.sum([_exact(left), _exact(right)])

    def difference(self, left: Term, right: Term) -> Term:
        """Return a difference of fractions."""
        return self.program.sum([_exact(left), self.program.negative(_exact(right))])

    def product(self, left: Term, right: Term) -> Term:
        """Return a product, of roots by their signed squares."""
        if isinstance(left, Ratio) and isinstance(right, Ratio):
            return self.program.product([left, right])
        return Root(self.program.product([self._square(left), self._square(right)]))

    def quotient(self, left: Term, right: Term) -> Term:
        """Return a quotient, of roots by their signed squares."""
        if isinstance(left, Ratio) and isinstance(right, Ratio):
            return self.program.quotient(left, right)
        return Root(self.program.quotient(self._square(left), self._square(right)))

    def floor(self, term: Term) -> Ratio:
        """Return the largest integer that is not more than a fraction."""
        return self.program.floor(_exact(term))

    def ceil(self, term: Term) -> Ratio:
        """Return the least integer that is not less than a fraction."""
        return self.program.negative(self.floor(self.program.negative(_exact(term))))

    def floor_quotient(self, left: Term, right: Term) -> Ratio:
        """Return the floor of a quotient of fractions."""
        return self.floor(self.program.quotient(_exact(left), _exact(right)))

    def remainder(self, left: Term, right: Term) -> Ratio:
        """Return ``x - y·(x//y)``."""
        times = self.program.product([_exact(right), self.floor_quotient(left, right)])
        return self.program.sum([_exact(left), self.program.negative(times)])

    def rounded(self, term: Term, step: Term) -> Ratio:
        """Return `round_to` of a fraction; the step must be a positive integer in every row."""
        if not (isinstance(step, Ratio) and step.denominator == self.program.one):
            raise ExpressionError(NO_STEP)
        self._require(self.program.op("gt", step.numerator, self.program.zero), NO_STEP)
        least = self.program.op("max", step.numerator, self.program.one)
        return self.program.rounded(_exact(term), least)

    def extremum(self, name: str, terms: tuple[Term, ...]) -> Term:
        """Return the largest or the least of some numbers of one sort."""
        if all(isinstance(term, Ratio) for term in terms):
            return self.program.extremum(name, [_exact(term) for term in terms])
        if all(isinstance(term, Logarithm) for term in terms):
            powers = [term.power for term in terms if isinstance(term, Logarithm)]
            return Logarithm(self.program.extremum(name, powers))
        return Root(self.program.extremum(name, [self._square(term) for term in terms]))

    def root(self, term: Term) -> Term:
        """Return a root: a fraction where it is one of a number."""
        of = _exact(term)
        number = self._number(of)
        if number is not None and number >= 0:
            try:
                return self.program.constant(arithmetic.square_root(number))
            except arithmetic.IrrationalError:
                return Root(of)
        self._require(self.program.compare("ge", of, self.program.constant(0)), NEGATIVE_ROOT)
        return Root(of)

    def logarithm(self, term: Term) -> Term:
        """Return a binary logarithm: an integer where it is one of a number."""
        of = _exact(term)
        number = self._number(of)
        if number is not None and number > 0:
            try:
                return self.program.constant(arithmetic.binary_logarithm(number))
            except arithmetic.IrrationalError:
                return Logarithm(of)
        self._require(self.program.compare("gt", of, self.program.constant(0)), NO_LOGARITHM)
        return Logarithm(of)

    def _require(self, node: int, cause: str) -> None:
        self.required.setdefault(node, cause)

    def _number(self, part: Ratio) -> arithmetic.Rational | None:
        """Return the number that a value is in all rows, or None where it is of columns."""
        over, under = map(self.program.number, part)
        return None if over is None or not under else arithmetic.ratio(over, under)

    def _square(self, term: Term) -> Ratio:
        """Return a number's square with the number's sign."""
        if isinstance(term, Root):
            return term.square
        part = _exact(term)
        size = self.program.extremum("max", [part, self.program.negative(part)])
        return self.program.product([part, size])

    def _power(self, base: Term, exponent: Tree) -> Term:
        times = exponent.value if isinstance(exponent, Number) else None
        if isinstance(exponent, Unary) and isinstance(exponent.operand, Number):
            times = -exponent.operand.value
        if times is None or times.denominator != 1 or not abs(int(times)) <= MAX_POWER:
            raise ExpressionError(
                f"an exponent is an integer of at most {MAX_POWER}", hint="a root is sqrt(x)"
            )
        if not isinstance(base, Root):
            return self.program.raised(_exact(base), int(times))
        if times % 2:
            return Root(self.program.raised(base.square, int(times)))
        size = self.program.extremum("max", [base.square, self.program.negative(base.square)])
        return self.program.raised(size, int(times) // 2)

    def _compared(self, relation: str, left: Term, right: Term) -> int:
        """Return where a relation holds, by what monotone functions are of."""
        if isinstance(left, Ratio) and isinstance(right, Ratio):
            return self.program.compare(relation, left, right)
        if isinstance(left, Logarithm) and isinstance(right, Logarithm):
            return self.program.compare(relation, left.power, right.power)
        if isinstance(left, Logarithm) and isinstance(right, Ratio):
            return self.program.compare(relation, *self._as_powers(left, right))
        if isinstance(right, Logarithm) and isinstance(left, Ratio):
            powers = self._as_powers(right, left)
            return self.program.compare(relation, *reversed(powers))
        return self.program.compare(relation, self._square(left), self._square(right))

    def _as_powers(self, left: Logarithm, right: Ratio) -> tuple[Ratio, Ratio]:
        """Return ``x**q`` and ``2**p`` for ``log2(x)`` and ``p/q``."""
        number = self._number(right)
        if number is None or number.denominator > MAX_DEGREE or abs(number.numerator) > MAX_BITS:
            raise ExpressionError(
                "a logarithm is compared with a number of few digits, or with a logarithm",
                hint="compare what it is of: macs <= 2**30, not log2(macs) <= 30",
            )
        power = arithmetic.tidy(Fraction(2) ** number.numerator)
        return self.program.raised(left.power, number.denominator), self.program.constant(power)


def _exact(term: Term) -> Ratio:
    """Return a term that is a fraction.

    Raises:
        ExpressionError: it is a root or a logarithm.
    """
    if isinstance(term, Ratio):
        return term
    kind = "root" if isinstance(term, Root) else "logarithm"
    raise ExpressionError(
        f"a {kind} has no exact value here: it is shown, compared or ordered by, alone"
        + (", or times and by other numbers" if kind == "root" else ""),
        hint="compare what it is of: macs <= 1e8, not sqrt(macs) - 1e4 <= 0",
    )


_OPERATORS: dict[str, Callable[[_Compiler, Term, Term], Term]] = {
    "+": _Compiler.sum,
    "-": _Compiler.difference,
    "*": _Compiler.product,
    "/": _Compiler.quotient,
    "//": _Compiler.floor_quotient,
    "%": _Compiler.remainder,
}

_FUNCTIONS: dict[str, Callable[..., Term]] = {
    "min": lambda compiler, *terms: compiler.extremum("min", terms),
    "max": lambda compiler, *terms: compiler.extremum("max", terms),
    "floor": _Compiler.floor,
    "ceil": _Compiler.ceil,
    "round_to": _Compiler.rounded,
    "sqrt": _Compiler.root,
    "log2": _Compiler.logarithm,
}


def is_whole(tree: Value, wholes: Mapping[str, bool]) -> bool:
    """Return whether an expression is an integer in every row, if these names are."""
    match tree:
        case Number(value):
            return value.denominator == 1
        case Name(name):
            return wholes[name]
        case Unary(_, operand):
            return is_whole(operand, wholes)
        case Binary("/", _, _):
            return False
        case Binary("//", _, _):
            return True
        case Binary("**", base, Number(exponent)):
            return exponent >= 0 and is_whole(base, wholes)
        case Binary(_, left, right):
            return is_whole(left, wholes) and is_whole(right, wholes)
        case Call("min" | "max", arguments):
            return all(is_whole(each, wholes) for each in arguments)
        case Call("floor" | "ceil" | "round_to", _):
            return True
    return False

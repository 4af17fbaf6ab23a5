"""A user's assumptions about symbols, which simplify closed forms: ``h % 32 == 0``, ``w == h``.

A symbol that is assumed to be a multiple stands for that multiple of a new symbol while shapes and
costs are worked out, so that every floor it fits disappears by itself; in what is printed the new
symbol is put back as the quotient that it is.
"""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, common_multiple
from archspec.errors import SpecError
from archspec.expressions import ExpressionError, parse
from archspec.header import Symbol as Declared
from archspec.scope import Scope, conjuncts, free_names, resolve
from archspec.trees import Binary, Measure, Name, Number, Tree, Truth, Value
from costmodel.algebra.bounds import Least
from costmodel.algebra.conditions import AtLeast, Condition, Divides, condition_text
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import exact
from costmodel.algebra.printing import text
from costmodel.algebra.reduction import raised
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate

FORMS = "write what divides what, a bound, or an equality: 'h % 32 == 0', 'h >= 64', 'w == h'"


class Assumptions(NamedTuple):
    """The assumptions about the free symbols.

    Attributes:
        texts: what was said.
        conditions: the multiples and bounds.
        derived: symbol → what it equals, an expression of the others.
        stand_in: symbol → the multiple that stands for it while costs are worked out.
        back: the new symbol of that multiple → the quotient that it is.
    """

    texts: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    derived: Mapping[str, Tree] = {}
    stand_in: Mapping[Symbol, Expr] = {}
    back: Mapping[Symbol, Expr] = {}

    def shown(self, expression: Expr) -> Expr:
        """An expression in the spec's own symbols."""
        return expression.xreplace(self.back) if self.back else expression

    @property
    def known(self) -> tuple[Condition, ...]:
        """All that holds, of the symbols that stand in."""
        return tuple(c.mapped(lambda e: e.xreplace(self.stand_in)) for c in self.conditions)

    def raised(self, least: Least) -> Least:
        """The smallest values of the symbols, the new ones included, where all of this holds."""
        least = raised(least, self.conditions)
        new: dict[Symbol, Rational] = {}
        for stands, quotient in self.back.items():
            known = quotient.free_symbols <= least.keys()
            new[stands] = max(ceil(Evaluator(least)(quotient)), 1) if known else 1
        return {**least, **new}

    def valued(self, values: Mapping[Symbol, Rational]) -> dict[Symbol, Rational]:
        """The symbols' values, and those of the new ones.

        Raises:
            SpecError: the values break an assumption.
        """
        evaluate = Evaluator(values)
        for condition in self.conditions:
            if not condition.holds(evaluate):
                raise SpecError(
                    f"the values break the assumption {condition_text(condition)}",
                    hint="set values that keep it with --set",
                )
        return {**values, **{stands: evaluate(q) for stands, q in self.back.items()}}


NO_ASSUMPTIONS = Assumptions()


def read_assumptions(
    texts: Iterable[str], symbols: Mapping[str, Declared], fixed: Mapping[str, Rational]
) -> Assumptions:
    """The assumptions that some texts state.

    Args:
        texts: conditions in the language's expressions, ``and`` between several.
        symbols: what the spec declares.
        fixed: symbols that are numbers.

    Raises:
        SpecError: a text is no assumption, or is about what is no free symbol.
    """
    reader = _AssumptionReader(symbols, fixed)
    stated = tuple(texts)
    for each in stated:
        reader.read(each)
    reader.check()
    return reader.assumptions()._replace(texts=stated)


class _AssumptionReader:
    """Sorts conditions by their form."""

    def __init__(self, symbols: Mapping[str, Declared], fixed: Mapping[str, Rational]) -> None:
        self.symbols = symbols
        self.scope = Scope({n: Number(fixed[n]) if n in fixed else Name(n) for n in symbols})
        self.derived: dict[str, Tree] = {}
        self.divisors: dict[str, Tree] = {}
        self.facts: list[Condition] = []

    def read(self, stated: str) -> None:
        """The conditions of one text."""
        try:
            for part in conjuncts(resolve(parse(stated), self.scope)):
                self._sort(self._turned(part))
        except ExpressionError as error:
            hint = error.hint or FORMS
            raise SpecError(f"assumption '{stated}': {error.cause}", hint=hint) from None

    def _sort(self, part: Value) -> None:
        match part:
            case Truth(value):
                if not value:
                    raise ExpressionError("this is false of the symbols that are set")
            case Binary("==", Binary("%", Name(name), divisor), Number(0)):
                self._multiple(name, divisor)
            case Binary(">=", Name(name), Number(bound)):
                self.facts.append(AtLeast(self._symbol(name), bound))
            case Binary("==", Binary("%", Number(multiple), Name(name)), Number(0)):
                self.facts.append(Divides(self._symbol(name), exact(multiple)))
            case Binary(">=", left, right):
                over, under = (translate(side, self._own) for side in (left, right))
                self.facts.append(AtLeast(over - under, 0))
            case Binary("==", Name(name), other) | Binary("==", other, Name(name)):
                self._equal(name, other)
            case _:
                raise ExpressionError("this is no assumption of a known form")

    def _turned(self, part: Value) -> Value:
        """A comparison the way it is sorted: ``>=``, and an equality by what has no divisor."""
        match part:
            case Binary("<=" | "<" as operator, left, right):
                return self._turned(Binary(operator.replace("<", ">"), right, left))
            case Binary(">", left, right):
                return self._more(left, right)
            case Binary("==", Name(name), Name(_) as other) if name in self.divisors:
                return Binary("==", other, Name(name))
        return part

    def _more(self, left: Tree, right: Tree) -> Tree:
        """Of integers, more than another is at least one more."""
        for name in sorted(free_names(left) | free_names(right)):
            if self.symbols[name].domain == "real":
                raise ExpressionError(f"'{name}' is real, so what is more than it has no end")
        if isinstance(right, Number):
            return Binary(">=", left, Number(right.value + 1))
        return Binary(">=", left, Binary("+", right, Number(1)))

    def _multiple(self, name: str, divisor: Tree) -> None:
        """Of two numbers that divide a symbol the least common multiple does."""
        known = self.divisors.get(name)
        if isinstance(known, Number) and isinstance(divisor, Number):
            divisor = Number(common_multiple((known.value, divisor.value)))
        elif known is not None:
            raise ExpressionError(f"two divisors of '{name}', of which one is open")
        if isinstance(divisor, Number) and divisor.value <= 0:
            raise ExpressionError(f"{divisor.value} divides nothing")
        if name in free_names(divisor) or name in self.derived:
            raise ExpressionError(f"'{name}' is said by itself")
        self.divisors[name] = divisor

    def _equal(self, name: str, other: Tree) -> None:
        if name in free_names(other) or {name, *free_names(other)} & self.derived.keys():
            raise ExpressionError(f"'{name}' is said by itself, or twice")
        if name in self.divisors:
            raise ExpressionError(f"'{name}' is assumed to be a multiple already")
        self.derived[name] = other

    def check(self) -> None:
        """Refuse a symbol that equals another and is said something else of."""
        sides = (side for fact in self.facts for side in fact if isinstance(side, Expr))
        about = {symbol.name for side in sides for symbol in side.free_symbols}
        for name in sorted(about & self.derived.keys()):
            cause = f"two assumptions about '{name}', of which one says what it equals"
            raise SpecError(cause, hint="say the other of what it equals")

    def _symbol(self, name: str) -> Symbol:
        return symbol(name, self.symbols[name].domain)

    def assumptions(self) -> Assumptions:
        """All that has been read."""
        stand_in: dict[Symbol, Expr] = {}
        back: dict[Symbol, Expr] = {}
        conditions = list(self.facts)
        for name, tree in self.divisors.items():
            whole = self._symbol(name)
            divisor = translate(tree, self._own).xreplace(stand_in)
            part = Symbol(f"{name}/{text(divisor)}", integer=True, positive=True)
            stand_in[whole] = divisor * part
            back[part] = whole / divisor.xreplace(back)
            conditions.append(Divides(divisor.xreplace(back), whole))
        return Assumptions((), tuple(conditions), self.derived, stand_in, back)

    def _own(self, leaf: Name | Measure) -> Expr:
        if isinstance(leaf, Measure):
            raise ExpressionError("an assumption knows no sizes of tensors")
        return self._symbol(leaf.id)

"""Questions about a network in its metrics and symbols: ``macs <= 300e6 and params <= 4e6``."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from sympy import Expr

from archspec.errors import SpecError
from archspec.expressions import ExpressionError, parse
from archspec.quantities import BESIDE_NUMBERS, COUNT
from archspec.scope import Scope, children, conjuncts, free_names, resolve
from archspec.trees import Binary, Measure, Name, Number, Tree, Truth, Value
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.registry import METRICS

_COMPARISON = re.compile(r"(<=|>=|==|!=|<|>)")

DIRECTIONS = {"min": False, "asc": False, "max": True, "desc": True}
"""The word behind a colon, as in ``macs:max`` → True where the largest comes first."""

_MICRO = str.maketrans("µμ", "uu")
"""The micro sign and the Greek letter, which stand for the same."""

FORMS = "compare metrics and symbols, as 'macs <= 300e6' or 'macs/params >= 20'"


class Constraint(NamedTuple):
    """A comparison of two quantities.

    Attributes:
        text: as it was written.
        left: one side.
        right: the other.
        strict: whether the left must be less than the right, or may be as much.
        metrics: the metrics that it speaks of.
    """

    text: str
    left: Expr
    right: Expr
    strict: bool
    metrics: tuple[str, ...]

    @property
    def excess(self) -> Expr:
        """Return the difference that must not be positive, nor 0 where the comparison is strict."""
        return self.left - self.right

    @property
    def negated(self) -> "Constraint":
        """The comparison that holds where this one does not."""
        return self._replace(left=self.right, right=self.left, strict=not self.strict)

    def holds(self, evaluate: Evaluator) -> bool:
        """Return whether it is true at numbers."""
        left, right = evaluate(self.left), evaluate(self.right)
        return left < right if self.strict else left <= right


def read_constraints(texts: Iterable[str], analysis: Analysis) -> tuple[Constraint, ...]:
    """Return the comparisons that some texts state, ``and`` between several.

    Raises:
        SpecError: a text is no comparison of metrics and symbols.
    """
    return tuple(constraint for text in texts for constraint in _read(text, analysis))


def _read(text: str, analysis: Analysis) -> Iterator[Constraint]:
    try:
        for written in _parts(text):
            for part in conjuncts(
                resolve(parse_measured(written, analysis.graph.values), _scope(analysis))
            ):
                yield from _compared(written, part, analysis)
    except SpecError:
        raise
    except (ExpressionError, ValueError) as error:
        cause = getattr(error, "cause", str(error))
        hint = getattr(error, "hint", None) or FORMS
        raise SpecError(f"constraint '{text}': {cause}", hint=hint) from None


def parse_measured(text: str, counts: Collection[str] = ()) -> Tree:
    """Parse an expression in which numbers may have units, as ``memory_peak <= 256 KiB``.

    Args:
        text: the expression.
        counts: the symbols, whose values are counts; of other names than metrics nothing is known.

    Raises:
        ExpressionError: it is none, or a name is compared with a number of another unit.
    """
    tree = parse(text.translate(_MICRO), units=BESIDE_NUMBERS)
    _check_units(tree, counts)
    return tree


def _check_units(tree: Value, counts: Collection[str]) -> None:
    """Check that a number with a unit stands beside a name of that dimension, if beside any."""
    parts = children(tree)
    if not (isinstance(tree, Binary) and _COMPARISON.fullmatch(tree.operator)):
        for part in parts:
            _check_units(part, counts)
        return
    names = free_names(tree)
    taken = [METRICS[name].unit.dimension for name in METRICS if name in names]
    taken += [COUNT for name in counts if name in names and name not in METRICS]
    for unit in _units(tree) if len(taken) == len(names) else ():
        if not any(unit in dimension.units for dimension in taken):
            known = ", ".join(unit for unit in taken[0].units if unit)
            raise ExpressionError(f"'{unit}' is no unit of {min(names)}", hint=f"it takes {known}")


def _units(tree: Value) -> Iterator[str]:
    """Yield the units in an expression."""
    if isinstance(tree, Number) and tree.unit:
        yield tree.unit
    for part in children(tree):
        yield from _units(part)


def _parts(text: str) -> list[str]:
    """Return the texts between ``and``, if each is an expression by itself."""
    parts = [part.strip() for part in text.split(" and ")]
    try:
        return [each for part in parts for each in _chained(part)]
    except ExpressionError:
        return [text]


def _chained(text: str) -> list[str]:
    """Return ``a <= b < c`` as ``a <= b`` and ``b < c``, if each part is an expression."""
    parse_measured(text)
    sides = _COMPARISON.split(text)
    if len(sides) <= 3 or re.search(r"\b(or|not)\b", text):
        return [text]
    pairs = ["".join(sides[i : i + 3]).strip() for i in range(0, len(sides) - 2, 2)]
    for pair in pairs:
        parse_measured(pair)
    return pairs


def _scope(analysis: Analysis) -> Scope:
    """Return the scope of a constraint: metrics, free symbols, and the numbers of fixed ones."""
    values: dict[str, Value] = {name: Name(name) for name in METRICS}
    for name, value in analysis.graph.values.items():
        values[name] = Name(name) if name in analysis.symbols else Number(value)
    return Scope(values)


def _compared(text: str, part: Value, analysis: Analysis) -> Iterator[Constraint]:
    match part:
        case Binary("<=" | "<" | ">=" | ">" | "==" as operator, left, right):
            low, high = (_quantity(side, analysis) for side in (left, right))
            if operator != "==" and operator[0] == ">":
                low, high = high, low
            metrics = tuple(name for name in METRICS if name in free_names(part))
            written = f"{text} (at most)" if operator == "==" else text
            yield Constraint(written, low, high, operator in ("<", ">"), metrics)
            if operator == "==":
                yield Constraint(f"{text} (at least)", high, low, strict=False, metrics=metrics)
        case Truth():
            raise ExpressionError("it speaks of no metric and of no open symbol")
        case _:
            raise ExpressionError("this is no comparison with <=, <, >=, > or ==")


def _quantity(tree: Tree, analysis: Analysis) -> Expr:
    """Return an expression of metrics in closed form."""
    forms = {symbol(name): name for name in METRICS if name in free_names(tree)}

    def lookup(leaf: Name | Measure) -> Expr:
        assert isinstance(leaf, Name)
        known: Mapping[str, Expr] = analysis.symbols
        return known[leaf.id] if leaf.id in known else symbol(leaf.id)

    stated = translate(tree, lookup)
    return stated.xreplace({stands: analysis.total(name) for stands, name in forms.items()})

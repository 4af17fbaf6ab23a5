"""Sums, maxima and conditions over the turns of a repeat: closed forms in the number of turns.

What is summed is a polynomial in the index, which runs from 0 to ``count − 1``; what is none has
no closed form here, and says so. Minima and maxima of lines are taken apart where one term
overtakes another: so a sum of millions of terms is as quick, and as exact, as a sum of ten.
"""

from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from math import comb, factorial, floor
from typing import NamedTuple, Protocol

from sympy import Add, Dummy, Expr, Integer, Mul, S, Symbol, bernoulli
from sympy.functions.combinatorial.numbers import stirling

from archspec.arithmetic import Rational, tidy
from archspec.errors import Origin, SpecError
from costmodel.algebra.bounds import Least, is_at_least, is_positive
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, sides
from costmodel.algebra.evaluate import Evaluator, values_over
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    LargestOfIterations,
    Maximum,
    Minimum,
    ceil_div,
    exact,
    plain,
    terms_of,
)
from costmodel.algebra.work import charge


class OpenFormError(ValueError):
    """An expression is no polynomial in the index."""


class Placed(Protocol):
    """Something that stands in a spec."""

    @property
    def path(self) -> str:
        """Its name in the network."""

    @property
    def origin(self) -> Origin:
        """The place where it stands."""


class NoClosedFormError(SpecError):
    """A metric has no closed form in the symbols, though it has a value at numbers."""


def no_closed_form(metric: str, node: Placed) -> NoClosedFormError:
    """Return the error that a metric has no closed form over the turns of a repeat.

    Args:
        metric: what has none.
        node: the repeat, or a layer in it.
    """
    cause = f"{metric} has no closed form in an open number of turns that each differ"
    hint = "fix the symbols in times with --set"
    return NoClosedFormError(cause, hint=hint, origin=node.origin, entry=node.path)


class Iterations(NamedTuple):
    """The turns of a repeat whose shapes depend on which it is: the index counts them from 0."""

    index: Symbol
    count: Expr

    @property
    def last(self) -> Expr:
        """The index of the last turn."""
        return self.count - 1


def coefficients(expression: Expr, index: Symbol) -> list[Expr]:
    """Return the coefficients of a polynomial in the index, that of ``index**0`` first.

    Raises:
        OpenFormError: it is no polynomial in the index.
    """
    found: dict[int, list[Expr]] = {0: []}
    for term in Add.make_args(expression.expand() if expression.has(index) else expression):
        power = 0
        rest: list[Expr] = []
        for factor in Mul.make_args(term):
            base, exponent = factor.as_base_exp()
            if base == index and exponent.is_Integer and exponent > 0:
                power += int(exponent)
            elif factor.has(index):
                raise OpenFormError(f"{factor} is no polynomial")
            else:
                rest.append(factor)
        found.setdefault(power, []).append(Mul(*rest))
    return [Add(*found.get(power, ())) for power in range(max(found) + 1)]


@cache
def power_sum(power: int) -> tuple[Expr, ...]:
    """Return the coefficients of ``Σ_{i<n} i**power`` as a polynomial in n, that of ``n**0`` first.

    ``1/(p + 1)·Σ_j C(p + 1, j)·B_j·n**(p + 1 − j)`` with ``B_1 = −1/2``. Source: Faulhaber, 1631;
    Graham, Knuth and Patashnik, Concrete Mathematics, 6.5.
    """
    numbers = (-S.Half if j == 1 else bernoulli(j) for j in range(power + 1))
    terms = [comb(power + 1, j) * number / Integer(power + 1) for j, number in enumerate(numbers)]
    return (S.Zero, *reversed(terms))


def closed_sum(expression: Expr, iterations: Iterations) -> Expr:
    """``Σ expression`` over all turns, as a polynomial in their number.

    Raises:
        OpenFormError: the expression is no polynomial in the index.
    """
    terms: list[Expr] = []
    for power, coefficient in enumerate(coefficients(expression, iterations.index)):
        for exponent, factor in enumerate(power_sum(power)):
            terms.append(Mul(factor, coefficient) * iterations.count**exponent)
    return Add(*(term.expand() if term.has(Add) else term for term in terms))


def sum_of_steps(expression: Expr, iterations: Iterations) -> Expr:
    """``Σ expression`` over all turns, steps ``min(1, x//q)`` in it that rise with the index.

    What a step multiplies is added from the first turn on in which ``x`` has reached ``q``: all
    turns without those before it.

    Raises:
        OpenFormError: a step does not rise evenly, or it is no polynomial beside its steps.
    """
    step = next((each for each in expression.atoms(Minimum) if each.has(iterations.index)), None)
    if step is None:
        return closed_sum(expression, iterations)
    mark = Dummy()
    rest, factor, *more = coefficients(expression.xreplace({step: mark}), mark)
    if more:
        raise OpenFormError(f"a power of {step} is no polynomial")
    before = iterations._replace(
        count=Minimum(iterations.count, _first_reached(step, iterations.index))
    )
    parts = [(rest, iterations), (factor, iterations), (-factor, before)]
    return Add(*(sum_of_steps(part, each) for part, each in parts))


def _first_reached(step: Expr, index: Symbol) -> Expr:
    """Return the first iteration with ``min(1, (a·index + b)//q) == 1``."""
    floor = next((arg for arg in step.args if arg != 1), step)
    if not (isinstance(floor, FloorDiv) and len(step.args) == 2 and S.One in step.args):
        raise OpenFormError(f"{step} is no step")
    x, q = floor.args
    start, *growth = coefficients(x, index)
    if len(growth) != 1 or not is_positive(growth[0]) or q.has(index):
        raise OpenFormError(f"{step} does not rise evenly")
    return Maximum(S.Zero, ceil_div(q - start, growth[0]))


def largest_of_iterations(expression: Expr, iterations: Iterations) -> Expr:
    """Return the largest value over all iterations, of which there is at least one.

    It is at one of the ends where the growth shows it, else it is left to be looked for.
    """
    if isinstance(expression, Maximum):
        return Maximum(*(largest_of_iterations(arg, iterations) for arg in expression.args))
    _, *growth = coefficients(expression, iterations.index)
    if all(map(is_positive, growth)):
        ends: tuple[Expr, ...] = (iterations.last,)
    elif all(map(is_positive, growth[1:])):  # convex
        ends = (S.Zero, iterations.last)
    else:
        taken = {symbol.name for symbol in expression.free_symbols}
        name = "turn" if "turn" not in taken else f"turn_{len(taken)}"
        index = Symbol(name, integer=True, nonnegative=True)
        return LargestOfIterations(
            at_iteration(expression, iterations.index, index), index, iterations.count
        )
    return Maximum(*(at_iteration(expression, iterations.index, end) for end in ends))


STEPS_OF_TERM = 4
"""The cost of a product of two terms in the budget of work."""


def each_by_each(often: Expr, count: Expr) -> Expr:
    """Return ``often·count``, multiplied out so that equal terms meet."""
    factors, terms = Add.make_args(often), Add.make_args(count)
    charge(STEPS_OF_TERM * len(factors) * len(terms))
    return Add(*(factor * term for factor in factors for term in terms))


def where_it_happens(largest: Expr, runs: Expr) -> Expr:
    """Return the largest value over iterations, or 0 where there is none."""
    happens = at_least_once(runs)
    if happens is S.One:
        return largest
    return Maximum(*(happens * term for term in terms_of(largest)))


@cache
def at_least_once(runs: Expr) -> Expr:
    """Return 1 where there is a run, else 0, also of the ``L − 2`` later turns of ``L − 1``.

    Less than none would be negative, and within a repeat that does not run either positive again.
    """
    return S.One if is_positive(runs) else _step(runs, {})


def _step(count: Expr, least: Least) -> Expr:
    """Return 1 where a count is at least 1, else 0."""
    return Minimum(S.One, count if is_at_least(count, 0, least) else Maximum(S.Zero, count))


def in_all_iterations(
    condition: Condition, iterations: Iterations, least: Least
) -> Iterator[tuple[Condition, Expr]]:
    """Yield the conditions on the symbols for all iterations, each with one that shows it.

    Raises:
        OpenFormError: it has no form without the index.
    """
    if not any(side.has(iterations.index) for side in sides(condition)):
        yield condition, S.Zero
        return
    match condition:
        case AtLeast(expression, bound):
            _require_ends(expression, iterations.index)
            for end in (S.Zero, iterations.last):
                yield AtLeast(at_iteration(expression, iterations.index, end), bound), end
        case Divides(divisor, dividend) if not divisor.has(iterations.index):
            for j, step in enumerate(_differences(dividend, iterations, least)):
                yield Divides(divisor, step), Integer(j)
        case Equal(left, right):
            for j, step in enumerate(_differences(left - right, iterations, least)):
                yield Equal(step, S.Zero), Integer(j)
        case _:
            raise OpenFormError("a divisor changes with the turns")


def where_it_runs(condition: Condition, runs: Expr) -> Condition:
    """Return the condition for a body that may run no time: it must hold where the body runs."""
    happens = Minimum(S.One, runs)
    match condition:
        case AtLeast(expression, bound):
            return AtLeast(Maximum(expression - exact(bound), -runs), 0)
        case Divides(divisor, dividend):
            return Divides(divisor, dividend * happens)
        case Equal(left, right):
            return Equal((left - right) * happens, S.Zero)


def at_iteration(expression: Expr, index: Symbol, value: Expr) -> Expr:
    """Return the expression in one iteration, its floors rewritten."""
    return expression.subs(index, value).expand()


def _require_ends(expression: Expr, index: Symbol) -> None:
    """Require an expression that is smallest at one end: linear in the index, or a floor of it."""
    terms = [term for term in Add.make_args(expression) if term.has(index)]
    inner = expression
    if len(terms) == 1:
        factor, floor = terms[0].as_coeff_Mul()
        if isinstance(floor, FloorDiv) and not floor.args[1].has(index):
            inner = factor * floor.args[0]
    if len(coefficients(inner, index)) > 2:
        raise OpenFormError(f"{expression} may be smallest at any turn")


def _differences(expression: Expr, iterations: Iterations, least: Least) -> Iterator[Expr]:
    """Yield the differences of a polynomial at iteration 0, 0 for iterations that do not exist.

    ``f(i) = Σ_j C(i, j)·Δ^j f(0)``: what divides all of them divides every value, and conversely.
    ``i**k = Σ_j S(k, j)·j!·C(i, j)``, S(k, j) being the ways to part k things into j sets.
    """
    parts = coefficients(expression, iterations.index)
    for j in range(len(parts)):
        step = Add(*(factorial(j) * stirling(k, j) * part for k, part in enumerate(parts)))
        yield step * (_step(iterations.count - j, least) if j else S.One)


MAX_STEPS = 100_000
"""The most terms that are added one by one, where what is summed has no pieces."""


class Piece(NamedTuple):
    """A form without minima and maxima, from a first value of the index to a last one."""

    expression: Expr
    first: int
    last: int


def summed(expression: Expr, index: Symbol, first: int, count: int) -> Rational:
    """``Σ expression`` over ``count`` values of the index, its only symbol, from ``first`` on.

    Raises:
        OpenFormError: it has no pieces, and is too long to be added up one by one.
    """
    try:
        found = list(pieces(expression, index, first, first + count - 1))
        moved = (piece.expression.xreplace({index: index + piece.first}) for piece in found)
        iterations = (Iterations(index, exact(piece.last - piece.first + 1)) for piece in found)
        return plain(Add(*map(closed_sum, moved, iterations)))
    except OpenFormError:
        if count > MAX_STEPS:
            raise
    return tidy(sum(values_over(expression, index, range(first, first + count))))


def pieces(expression: Expr, index: Symbol, first: int, last: int) -> Iterator[Piece]:
    """Yield the pieces of an expression between two values of the index.

    Raises:
        OpenFormError: the terms of one are not linear in the index.
    """
    bends = expression.atoms(Extremum)
    bend = next((b for b in bends if not any(arg.has(Extremum) for arg in b.args)), None)
    if bend is None:
        yield Piece(expression, first, last)
        return
    cuts = sorted(cut for cut in _crossings(bend, index) if first <= cut < last)
    for start, end in pairwise([first - 1, *cuts, last]):
        winner = _winner(bend, index, start + 1, end)
        yield from pieces(expression.xreplace({bend: winner}), index, start + 1, end)


def _crossings(bend: Expr, index: Symbol) -> set[int]:
    """Return the last whole values of the index up to where two of the terms are equal."""
    found = set()
    for left, right in combinations(bend.args, 2):
        level, *rise = coefficients((left - right).expand(), index)
        if len(rise) > 1:
            raise OpenFormError(f"{bend} bends otherwise than between lines")
        if rise:
            found.add(floor(-level / rise[0]))
    return found


def _winner(bend: Expr, index: Symbol, start: int, end: int) -> Expr:
    """Return the term that is the extremum from ``start`` to ``end``, where no two cross."""
    ends = [Evaluator({index: value}) for value in (start, end)]
    return max(bend.args, key=lambda term: [type(bend).sign * at(term) for at in ends])

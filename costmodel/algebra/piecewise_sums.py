"""Sums of minima and maxima in the index, taken apart where one term overtakes another.

Where their terms are linear in the index, each piece between two bends is a polynomial, whose sum
has a closed form; so a sum of millions of terms is as quick, and as exact, as a sum of ten.
"""

from collections.abc import Iterator
from math import floor
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, tidy
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Extremum, exact, plain
from costmodel.algebra.sums import OpenFormError, Turns, closed_sum, coefficients

MAX_STEPS = 100_000
"""The most terms that are added one by one, where what is summed has no pieces."""


class Piece(NamedTuple):
    """A form without minima and maxima, from one value of the index to another.

    Attributes:
        expression: a form of it without bends.
        first: the first value.
        last: the last value.
    """

    expression: Expr
    first: int
    last: int


def summed(expression: Expr, index: Symbol, first: int, count: int) -> Rational:
    """``Σ expression`` over ``count`` values of the index, its only symbol, from ``first`` on.

    Raises:
        OpenFormError: it has no pieces, and is too long to be added up one by one.
    """
    try:
        found = pieces(expression, index, first, first + count - 1)
        return tidy(sum(_sum(piece, index) for piece in found))
    except OpenFormError:
        if count > MAX_STEPS:
            raise
    values = (Evaluator({index: first + i})(expression) for i in range(count))
    return tidy(sum(values))


def _sum(piece: Piece, index: Symbol) -> Rational:
    moved = piece.expression.xreplace({index: index + piece.first})
    return plain(closed_sum(moved, Turns(index, exact(piece.last - piece.first + 1))))


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
    for start, end in _between(_crossings(bend, index), first, last):
        winner = _winner(bend, index, start, end)
        yield from pieces(expression.xreplace({bend: winner}), index, start, end)


def _crossings(bend: Expr, index: Symbol) -> set[int]:
    """Return the last whole values of the index up to where two of the terms are equal."""
    found = set()
    for i, left in enumerate(bend.args):
        for right in bend.args[i + 1 :]:
            level, *rise = coefficients((left - right).expand(), index)
            if len(rise) > 1:
                raise OpenFormError(f"{bend} bends otherwise than between lines")
            if rise:
                found.add(floor(-level / rise[0]))
    return found


def _between(cuts: set[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches from ``first`` to ``last`` that end at the cuts."""
    start = first
    for end in sorted(cut for cut in cuts if first <= cut < last):
        yield start, end
        start = end + 1
    yield start, last


def _winner(bend: Expr, index: Symbol, start: int, end: int) -> Expr:
    """Return the term that is the extremum from ``start`` to ``end``, where no two cross."""

    def lead(term: Expr) -> tuple[Rational, Rational]:
        at = (Evaluator({index: value})(term) for value in (start, end))
        low, high = (type(bend).sign * value for value in at)
        return low, high

    return max(bend.args, key=lead)

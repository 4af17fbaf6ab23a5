"""Maxima of sums: what another term provably dominates is dropped, the rest stays a maximum."""

from collections.abc import Iterator, Sequence
from operator import le

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.dominance import Counts, Sizes
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, in_order


def maximum(terms: Sequence[Expr], sizes: Sizes, usual: Evaluator) -> Expr:
    """Return the maximum of some terms without those that can never be it.

    What is the largest somewhere stays; of the others only a proof drops a term.

    Args:
        terms: expressions that are not negative.
        sizes: what is known of the sizes in them, where the symbols are what they may be.
        usual: gives the usual values.
    """
    ordered = in_order(Maximum.undecided(terms), lambda term: _rank(term, usual))
    if len(ordered) == 1:
        return ordered[0]
    counts = Counts(ordered, sizes)
    return Maximum(*(ordered[number] for number in _undominated(counts)))


def _rank(term: Expr, usual: Evaluator) -> tuple[Rational, bool]:
    """Order the largest first; of equals x before ``min(1, L)·x``, which is never more."""
    return -usual(term), term.has(Minimum)


def _undominated(counts: Counts) -> list[int]:
    """The numbers of the counts of which no other one is proved to be never less."""
    leaders = list(_leaders(counts))
    kept = list(leaders)
    for number in range(len(counts.values)):
        if number not in leaders and not _is_dominated(counts, number, kept):
            kept.append(number)
    for number in kept[len(leaders) :]:
        others = [other for other in kept if other != number]
        if _is_dominated(counts, number, others):
            kept = others
    return kept


def _leaders(counts: Counts) -> Iterator[int]:
    """The counts that alone are the largest at some point, those that are it most often first."""
    wins: dict[int, int] = {}
    known = [number for number, values in enumerate(counts.values) if values]
    for column in zip(*(counts.values[number] for number in known), strict=True):
        most = max(column)
        if column.count(most) == 1:
            winner = known[column.index(most)]
            wins[winner] = wins.get(winner, 0) + 1
    return iter(sorted(wins, key=lambda number: (-wins[number], number)))


def _is_dominated(counts: Counts, number: int, rivals: Sequence[int]) -> bool:
    """Return whether a count is proved never to be more than one of its rivals.

    One that is less at a point that was looked at is not tried.
    """
    values = counts.values[number]
    return bool(values) and any(
        all(map(le, values, counts.values[rival])) and counts.exceeds(rival, number)
        for rival in rivals
        if counts.values[rival] and counts.left > 0
    )

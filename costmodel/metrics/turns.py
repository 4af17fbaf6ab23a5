"""The turns of a repeat that a backward pass tells apart: the first, those between, and the last.

What enters the first comes from elsewhere, what leaves the last goes elsewhere; all between are
alike. A count over all turns is the first's, the last's, and so many times that between. It holds
for one turn, too: there the first's and the last's are each other's difference from one between.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from sympy import Add, Expr, S

from costmodel.algebra.bounds import is_positive
from costmodel.algebra.functions import Minimum
from costmodel.algebra.sums import (
    Turns,
    at_turn,
    closed_sum,
    each_by_each,
    largest_turn,
    where_it_happens,
)


class Which(Enum):
    """Which turns one stands for."""

    FIRST = "the first"
    BETWEEN = "those between"
    LAST = "the last"
    ALIKE = "all"


class Turn(NamedTuple):
    """A turn that is told apart.

    Attributes:
        repeat: the repeat, and in which of the turns around it.
        which: the turns that it stands for.
        runs: how many the repeat has.
        turns: the index of a repeat whose maps grow, with the number of turns; or None.
    """

    repeat: str
    which: Which
    runs: Expr
    turns: Turns | None = None

    @property
    def happens(self) -> Expr:
        """1 where there is a turn at all, else 0."""
        return S.One if is_positive(self.runs) else Minimum(S.One, self.runs)

    def summed(self, count: Expr) -> Expr:
        """A count of each of the turns that it stands for, over all of them."""
        match self.which:
            case Which.ALIKE:
                return each_by_each(self.runs, self._over_all(count))
            case Which.BETWEEN:
                first, last = (self._replace(which=w) for w in (Which.FIRST, Which.LAST))
                ends = Add(first.summed(count), last.summed(count))
                every = count if self.turns is None else self._over_all(count)
                runs = self.runs if self.turns is None else S.One
                return Add(each_by_each(runs, every), each_by_each(-S.One, ends))
        return each_by_each(self.happens, self._at_end(count))

    def _over_all(self, count: Expr) -> Expr:
        return count if self.turns is None else closed_sum(count, self.turns)

    def _at_end(self, count: Expr) -> Expr:
        if self.turns is None:
            return count
        end = S.Zero if self.which is Which.FIRST else self.turns.last
        return at_turn(count, self.turns.index, end)

    def largest(self, size: Expr) -> Expr:
        """The largest size in the turns that it stands for; 0 where there is none of them."""
        match self.which:
            case Which.ALIKE:
                every = size if self.turns is None else largest_turn(size, self.turns)
                return where_it_happens(every, self.runs)
            case Which.FIRST:
                return where_it_happens(self._at_end(size), self.runs)
            case Which.LAST:
                return where_it_happens(self._at_end(size), self.runs - 1)
            case Which.BETWEEN:
                return where_it_happens(self._largest_between(size), self.runs - 2)

    def _largest_between(self, size: Expr) -> Expr:
        if self.turns is None:
            return size
        index, count = self.turns
        return largest_turn(at_turn(size, index, index + 1), Turns(index, count - 2))


def told_apart(runs: Expr) -> tuple[Which, ...]:
    """The turns of so many that are told apart."""
    if runs.is_Integer and runs < 3:
        return (Which.FIRST, Which.LAST)[: int(runs)]
    return Which.FIRST, Which.BETWEEN, Which.LAST


def summed(count: Expr, within: Iterable[Turn]) -> Expr:
    """A count of one turn over all turns that it stands for; the innermost come last."""
    for turn in reversed(tuple(within)):
        count = turn.summed(count)
    return count


def largest(size: Expr, within: Iterable[Turn]) -> Expr:
    """The largest size of all turns that one stands for."""
    for turn in reversed(tuple(within)):
        size = turn.largest(size)
    return size

"""The iterations of a repeat that are told apart, and what counts of one come to over all.

For memory the first and a later one are enough; a backward pass needs the first, one between, and
the last, since what enters the first comes from elsewhere and what leaves the last goes elsewhere.
All between are alike: a count over all iterations is the first's, the last's, and so many times
that between. It holds for a single iteration, too: there the first's and the last's are each
other's difference from one between.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from sympy import Add, Expr, Integer, S

from costmodel.algebra.bounds import is_positive
from costmodel.algebra.functions import Minimum
from costmodel.algebra.sums import (
    Iterations,
    OpenFormError,
    at_iteration,
    at_least_once,
    each_by_each,
    largest_of_iterations,
    sum_of_steps,
    where_it_happens,
)

MAX_SUMMED = 2_000
"""The most terms that are added up iteration by iteration, where a sum has no closed form."""


class IterationKind(Enum):
    """The iterations of a repeat that a traced one stands for: the first, the last or others."""

    FIRST = "the first", 0, 0
    LATER = "all but the first", 1, 0
    BETWEEN = "all but the first and the last", 1, 1
    LAST = "the last", 1, 0
    END = "the last, even if it is the only one", 0, 0
    ONLY = "the only one", 0, 0
    ALIKE = "all", 0, 0

    @property
    def others(self) -> tuple[int, int]:
        """The numbers of iterations that come before and after those that it stands for."""
        return self.value[1:]


THREE = (IterationKind.FIRST, IterationKind.BETWEEN, IterationKind.LAST)
"""The iterations that a backward pass treats differently, in a repeat of three or more."""

ENDS = (IterationKind.FIRST, IterationKind.LAST, IterationKind.END, IterationKind.ONLY)
"""The kinds that stand for a single iteration, at an end of the repeat."""


class Iteration(NamedTuple):
    """An iteration of a repeat that stands for some of them.

    Attributes:
        repeat: names the repeat, and in which iterations of the repeats around it it is.
        which: the iterations that it stands for.
        runs: how many the repeat has.
        iterations: the index and the number of those of a repeat in which sizes differ; or None.
    """

    repeat: str
    which: IterationKind
    runs: Expr
    iterations: Iterations | None = None

    @property
    def is_open(self) -> bool:
        """Return whether there may be one iteration, or more."""
        return not self.runs.is_Integer and not is_positive(self.runs - 1)

    @property
    def happens(self) -> Expr:
        """1 where there is an iteration at all, else 0."""
        return S.One if is_positive(self.runs) else Minimum(S.One, self.runs)

    @property
    def occurs(self) -> Expr:
        """1 where the first iteration is among those that it stands for, or there is a second."""
        is_first = self.which in (IterationKind.FIRST, IterationKind.ALIKE)
        return self.happens if is_first else at_least_once(self.runs - 1)

    def at_end(self, count: Expr) -> Expr:
        """Return a count in the first iteration, or the last, where it stands for only one."""
        if self.iterations is None or self.which not in ENDS:
            return count
        is_last = self.which in (IterationKind.LAST, IterationKind.END)
        return at_iteration(
            count, self.iterations.index, self.iterations.last if is_last else S.Zero
        )

    def summed(self, count: Expr) -> Expr:
        """Return the sum of a count over the iterations that it stands for.

        Raises:
            OpenFormError: it depends on the index otherwise than by polynomials and steps.
        """
        if self.which in (IterationKind.FIRST, IterationKind.LAST):
            return each_by_each(self.happens, self.at_end(count))
        ends = {
            IterationKind.LATER: [IterationKind.FIRST],
            IterationKind.BETWEEN: [IterationKind.FIRST, IterationKind.LAST],
        }
        others = (self._replace(which=which) for which in ends.get(self.which, ()))
        beside = Add(*(other.summed(count) for other in others))
        return Add(self._over_all(count), each_by_each(-S.One, beside))

    def _over_all(self, count: Expr) -> Expr:
        if self.iterations is None:
            return each_by_each(self.runs, count)
        index, runs = self.iterations
        try:
            return sum_of_steps(count, self.iterations)
        except OpenFormError:
            if not runs.is_Integer or runs * len(Add.make_args(count)) > MAX_SUMMED:
                raise
            return Add(*(at_iteration(count, index, Integer(i)) for i in range(int(runs))))

    def largest(self, size: Expr) -> Expr:
        """Return the largest size in the iterations that it stands for; 0 where there are none."""
        before, after = self.which.others
        if self.which is IterationKind.ONLY:
            return each_by_each(
                1 - at_least_once(self.runs - 1), where_it_happens(self.at_end(size), self.runs)
            )
        if self.iterations is not None and self.which in ENDS:
            size = self.at_end(size)
        elif self.iterations is not None:
            index, count = self.iterations
            size = at_iteration(size, index, index + before) if before else size
            size = largest_of_iterations(size, Iterations(index, count - before - after))
        return where_it_happens(size, self.runs - before - after)

    def indices(self, count: int) -> range:
        """Return the indices of the iterations that it stands for, of so many."""
        before, after = self.which.others
        if self.which is IterationKind.FIRST:
            return range(min(1, count))
        return range(count - 1 if self.which is IterationKind.LAST else before, count - after)


def distinguished(runs: Expr) -> tuple[IterationKind, ...]:
    """Return the iterations of so many that a backward pass tells apart."""
    if runs.is_Integer and runs < 3:
        return (IterationKind.FIRST, IterationKind.LAST)[: int(runs)]
    return THREE


def summed(count: Expr, within: Iterable[Iteration]) -> Expr:
    """Return the sum of a count over all iterations that some stand for; the innermost come last.

    Raises:
        OpenFormError: there is no closed form.
    """
    for iteration in reversed(tuple(within)):
        count = iteration.summed(count)
    return count


def largest(size: Expr, within: Iterable[Iteration]) -> Expr:
    """Return the largest size in all iterations that some stand for."""
    for iteration in reversed(tuple(within)):
        size = iteration.largest(size)
    return size

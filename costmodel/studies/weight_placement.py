"""The first weights that find no room in a memory: in order, iteration by iteration of a repeat."""

from collections.abc import Iterable
from typing import NamedTuple

from sympy import Expr, Integer

from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.sums import Iterations, at_iteration, closed_sum
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.registry import METRICS
from costmodel.network.context import Context
from costmodel.network.propagation import GroupCost, Part, counted_in


class WeightCopy(NamedTuple):
    """One of the copies of the weights that a group holds.

    Attributes:
        group: its path.
        of_a: what a copy is of: a turn, or an expert.
        number: which of them, from 1 on.
        of: how many there are.
    """

    group: str
    of_a: str
    number: Rational
    of: Rational

    def __str__(self) -> str:
        return f"{self.of_a} {self.number:,} of {self.of:,}"


class FullAt(NamedTuple):
    """The weights at which a memory is full.

    Attributes:
        path: the layer that they are of.
        copies: which copy of them, from the outermost group on.
    """

    path: str
    copies: tuple[WeightCopy, ...] = ()

    def __str__(self) -> str:
        return ", ".join([self.path, *(f"in {copy}" for copy in self.copies)])


def full_at(analysis: Analysis, capacity: Rational, number: Evaluator) -> FullAt | None:
    """Return the first weights that find no room, those before them being stored; None if all do.

    Args:
        analysis: the network.
        capacity: how many bytes there are.
        number: gives the numbers.
    """
    return _Filling(analysis.context, number, ()).first(analysis.propagation.parts, capacity, ())


class _Filling(NamedTuple):
    """The search for the first weights without room, in given iterations of the groups around."""

    context: Context
    number: Evaluator
    iterations: tuple[tuple[Expr, Expr], ...]

    def value(self, expression: Expr) -> Rational:
        """Return the number of an expression in these iterations."""
        for index, iteration in self.iterations:
            expression = at_iteration(expression, index, iteration)
        return self.number(expression)

    def size(self, *parts: Part) -> Expr:
        """Return the bytes of the weights of some parts."""
        return METRICS["model_size"].of(counted_in(parts), self.context)

    def first(
        self, parts: Iterable[Part], room: Rational, copies: tuple[WeightCopy, ...]
    ) -> FullAt | None:
        """Return the first weights of some parts that find no room."""
        for part in parts:
            size = self.value(self.size(part))
            if size > room:
                if isinstance(part, GroupCost):
                    return self._inside(part, room, copies)
                return FullAt(part.node.path, copies)
            room -= size
        return None

    def _inside(
        self, group: GroupCost, room: Rational, copies: tuple[WeightCopy, ...]
    ) -> FullAt | None:
        """Return the same in the first copy of a group for which there is no room."""
        if group.iteration is not None:
            return self._in_iteration(group, room, copies)
        one, count = self.value(self.size(*group.parts)), self.value(group.copies)
        stored = room // one
        if count > 1:
            word = "expert" if group.kind == "moe" else "turn"
            copies = (*copies, WeightCopy(group.path, word, stored + 1, count))
        return self.first(group.parts, room - stored * one, copies)

    def _in_iteration(
        self, group: GroupCost, room: Rational, copies: tuple[WeightCopy, ...]
    ) -> FullAt | None:
        """Return the same where the iterations differ: which one, by bisection of their sum."""
        assert group.iteration is not None
        one, count = self.size(*group.parts), self.value(group.runs)

        def stored(iterations: int) -> Rational:
            return self.value(closed_sum(one, Iterations(group.iteration, Integer(iterations))))

        low, high = 0, int(count)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if stored(middle) <= room else (low, middle)
        inner = self._replace(iterations=(*self.iterations, (group.iteration, Integer(low))))
        here = (*copies, WeightCopy(group.path, "turn", high, count))
        return inner.first(group.parts, room - stored(low), here)

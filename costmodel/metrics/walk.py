"""The layers of a network at work in a step of training, three iterations of every repeat.

What leaves a repeat is what its last iteration makes, or, where there may be none, what entered it.
"""

from collections.abc import Iterable, Mapping

from sympy import Expr, S

from archspec.trees import Tensor
from costmodel.algebra.sums import Turns, each_by_each
from costmodel.metrics.iterations import Iteration, Which, told_apart
from costmodel.metrics.trace import Case, Cases, Event, Here, Scope, Tracer, Value
from costmodel.network.context import Basis
from costmodel.network.propagation import GroupCost, Part
from costmodel.rules.base import elements


def walk(parts: Iterable[Part], inputs: Mapping[Tensor, Expr], basis: Basis) -> list[Event]:
    """Return every layer at work in order, three iterations of every repeat.

    Args:
        parts: the tree of the network.
        inputs: its inputs with their elements.
        basis: the types of all tensors.
    """
    tracer = _Training(basis)
    tracer.parts(parts, tracer.entering(inputs), Here())
    return tracer.events


class _Training(Tracer):
    """The layers met so far; a tensor that leaves a repeat may be one of several values."""

    def repeat(self, group: GroupCost, scope: Scope, here: Here) -> None:
        """Trace iterations that are told apart, each fed by the one before; experts are alike."""
        flow = group.flow
        assert flow is not None
        assert flow.entry is not None
        index = None if group.iteration is None else Turns(group.iteration, group.runs)
        kinds = told_apart(group.runs) if flow.chosen_by is None else (Which.ALIKE,)
        source = entering = scope[flow.source]
        for which in kinds:
            iteration = Iteration(here.repeat(group), which, group.runs, index)
            inside = here.iteration(group, iteration)
            inner = {**scope, flow.entry: entering}
            self.parts(group.parts, inner, inside)
            entering = inner[flow.result]
            scope.update({t: cases for t, cases in inner.items() if t not in scope})
        left = _left(source, entering, iteration) if kinds else source
        if flow.chosen_by is not None:
            left = self._weighed(group, (entering, scope[flow.chosen_by]), here, inside)
        scope[Tensor(group.path)] = left

    def _weighed(
        self, group: GroupCost, reads: tuple[Cases, Cases], here: Here, inside: Here
    ) -> Cases:
        """Return the sum of what experts make, each times its weight: a product of two."""
        maker, number, size = reads[0][0].value.layer, len(self.events), elements(group.output)
        taken = self.basis.bytes_of(Tensor(group.path), size)
        _, within, block = here
        made = Value(group.path, "output", maker, size, taken, number, True, within, block)
        makes = (Case(made, maker=number),)
        self.append(Event(number, None, reads, (makes,), inside.within, block=inside.block))
        return makes


def _left(source: Cases, last: Cases, iteration: Iteration) -> Cases:
    """Return what the last iteration of a repeat makes, or where there is none, what enters."""
    none = 1 - iteration.happens
    if none is S.Zero or last == source:
        return last
    entered = (case._replace(where=each_by_each(none, case.where)) for case in source)
    return (*last, *entered)

"""The multiply-accumulates of a step of training: forward, backward, and what is made again.

The gradient of each operand of a product costs what the product does: ``C = A·B``,
``dA = dC·Bᵀ``, ``dB = Aᵀ·dC``. That of a weight is always wanted, that of a feature map where
something learned lies before it. Source: Kaplan et al., 2020, section 2.1 (twice the forward
pass); Narayanan et al., SC 2021, appendix (once more with recomputation).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sympy import Add, Expr, Integer, S

from costmodel.algebra.sums import each_by_each
from costmodel.metrics.kept import keeps
from costmodel.metrics.turns import Turn, summed
from costmodel.metrics.walk import Event
from costmodel.network.propagation import LayerCost
from costmodel.rules.nests import LoopNest
from costmodel.scenario.training import Checkpoint


class Work(NamedTuple):
    """The products of a layer in one turn.

    Attributes:
        layer: it.
        forward: of the forward pass.
        backward: of the backward pass.
        again: of what is made again.
        within: the turns that it is in.
    """

    layer: LayerCost
    forward: Expr
    backward: Expr
    again: Expr
    within: tuple[Turn, ...]

    def over_turns(self, count: Expr) -> Expr:
        """One of its counts over all turns."""
        return summed(count, self.within)


def work(events: Iterable[Event], checkpoint: Checkpoint = Checkpoint.NONE) -> Iterator[Work]:
    """The products of every layer at work.

    Raises:
        SpecError: a kind does not say what it keeps, and so what must be made again.
    """
    listed = [event for event in events if event.layer is not None]
    blocks = {event.block for event in listed if keeps(event)}
    for event in listed:
        assert event.layer is not None
        nests, repeated = event.layer.cost.nests, list(_remade(event))
        if checkpoint is Checkpoint.BLOCKS and event.block in blocks - {None}:
            repeated += nests
        elif checkpoint is Checkpoint.ATTENTION:
            repeated += _core(event)
        backward = Add(*(each_by_each(_gradients(event, nest), nest.macs) for nest in nests))
        yield Work(event.layer, event.layer.cost.macs, backward, _macs(repeated), event.within)


def _macs(nests: Iterable[LoopNest]) -> Expr:
    return Add(*(nest.macs for nest in nests))


def _core(event: Event) -> Iterator[LoopNest]:
    """The products that are made again with an attention's core."""
    if event.layer is not None and event.takes_part:
        yield from (nest for nest in event.layer.cost.nests if nest.name in event.backward.core)


def _remade(event: Event) -> Iterator[LoopNest]:
    """The products that are made again, whatever is checkpointed: of what a fused kernel drops."""
    if event.takes_part and event.layer is not None and event.layer.backward is not None:
        nests = event.layer.cost.nests
        yield from (nest for nest in nests if nest.name in event.backward.remade)


def _gradients(event: Event, nest: LoopNest) -> Expr:
    """How many operands' gradients are wanted."""
    read = (operand for operand in nest.operands if operand.name != "output")
    wanted = [operand.source is None or event.wants(operand.source) for operand in read]
    return Integer(sum(wanted)) if wanted else S.Zero

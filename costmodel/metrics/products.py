"""The multiply-accumulates of a step of training: forward, backward, and what is made again.

The gradient of each operand of a product costs what the product does: ``C = A·B``,
``dA = dC·Bᵀ``, ``dB = Aᵀ·dC``. That of a weight is always wanted, that of a feature map where
something learned lies before it. Source: Kaplan et al., 2020, section 2.1 (twice the forward
pass); Narayanan et al., SC 2021, appendix (once more with recomputation).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sympy import Add, Expr, Integer

from costmodel.algebra.sums import each_by_each
from costmodel.metrics.iterations import Iteration, summed
from costmodel.metrics.kept import backward_of, keeps, takes_part, wants
from costmodel.metrics.trace import Event
from costmodel.network.propagation import LayerCost
from costmodel.rules.nests import LoopNest
from costmodel.scenario.training import Checkpoint


class LayerProducts(NamedTuple):
    """The products of a layer in one iteration.

    Attributes:
        layer: the layer.
        forward: of the forward pass.
        backward: of the backward pass.
        again: of what is made again.
        within: the iterations that it is in.
    """

    layer: LayerCost
    forward: Expr
    backward: Expr
    again: Expr
    within: tuple[Iteration, ...]

    def over_iterations(self, count: Expr) -> Expr:
        """Return one of its counts over all iterations."""
        return summed(count, self.within)


def work(
    events: Iterable[Event], checkpoint: Checkpoint = Checkpoint.NONE
) -> Iterator[LayerProducts]:
    """Yield the products of every layer at work.

    Raises:
        SpecError: a kind does not say what it keeps, and so what must be made again.
    """
    listed = [event for event in events if event.layer is not None]
    blocks = {event.block for event in listed if keeps(event)} - {None}
    for event in listed:
        assert event.layer is not None
        nests = event.layer.cost.nests
        again = Add(*(nest.macs for nest in _again(event, nests, checkpoint)))
        if checkpoint is Checkpoint.BLOCKS and event.block in blocks:
            again += event.layer.cost.macs
        backward = Add(*(each_by_each(_gradients(event, nest), nest.macs) for nest in nests))
        yield LayerProducts(event.layer, event.layer.cost.macs, backward, again, event.within)


def _again(event: Event, nests: Iterable[LoopNest], checkpoint: Checkpoint) -> Iterator[LoopNest]:
    """Yield the products made again: of what a fused kernel drops, and of an attention's core."""
    if takes_part(event):
        backward = backward_of(event)
        core = backward.core if checkpoint is Checkpoint.ATTENTION else frozenset[str]()
        yield from (
            nest for names in (backward.remade, core) for nest in nests if nest.name in names
        )


def _gradients(event: Event, nest: LoopNest) -> Expr:
    """Return how many operands' gradients are wanted."""
    read = (operand for operand in nest.operands if operand.name != "output")
    return Integer(sum(each.source is None or wants(event, each.source) for each in read))

"""One step of training a network: its memory and its products, layer by layer and in all.

The gradient of each operand of a product costs what the product does: ``C = A·B``,
``dA = dC·Bᵀ``, ``dB = Aᵀ·dC``. That of a weight is always wanted, that of a feature map where
something learned lies before it. Source: Kaplan et al., 2020, section 2.1 (twice the forward
pass); Narayanan et al., SC 2021, appendix (once more with recomputation).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import NamedTuple

from sympy import Add, Expr, Integer, S

from archspec.errors import SpecError, did_you_mean
from archspec.graph import items_in
from archspec.precision import TYPES
from archspec.trees import Tensor
from costmodel.algebra.sums import OpenFormError, each_by_each
from costmodel.algebra.work import NamedEntry, budget
from costmodel.metrics.iterations import Iteration, summed
from costmodel.metrics.kept import (
    KeptTensor,
    KeptTensors,
    backward_of,
    keeps,
    kept,
    over_iterations,
    takes_part,
    worked_again,
)
from costmodel.metrics.macs import count_macs
from costmodel.metrics.registry import (
    BYTES,
    METRICS,
    PRODUCTS,
    SUM_OF_ALL_RUNS,
    Need,
    Unit,
    metric,
)
from costmodel.metrics.trace import Event, Trace, is_learned, walk
from costmodel.network.context import Context
from costmodel.network.precision import in_bytes, whole_bytes
from costmodel.network.propagation import LayerCost
from costmodel.rules.base import elements
from costmodel.rules.cost import Role
from costmodel.rules.nests import LoopNest, Operand
from costmodel.scenario.training import Checkpoint, Training


class LayerProducts(NamedTuple):
    """The products of a layer in one iteration: forward, backward, and of what is made again."""

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
    remade = worked_again(listed)
    for event in listed:
        assert event.layer is not None
        nests = event.layer.cost.nests
        again = Add(*(nest.macs for nest in _again(event, nests, checkpoint)))
        in_block = checkpoint is Checkpoint.BLOCKS and event.block in blocks
        again += event.layer.cost.macs * (in_block + (event.number in remade))
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
    return Integer(sum(_is_wanted(event, operand) for operand in read))


def _is_wanted(event: Event, operand: Operand) -> bool:
    """Return whether an operand's gradient is wanted: of what is made inside, if any is."""
    assert event.layer is not None
    if operand.learnable:
        return event.layer.cost.trains(Role.WEIGHT)
    if operand.source is None:
        return takes_part(event)
    return is_learned(event.reads[operand.source])


TARGET = 64
"""The bits of a class's index, beside which a cross entropy compares."""

PER_WEIGHT = ("model_size", "gradients", "optimizer_state")
"""The metrics that make up a training's memory beside its activations."""


class TrainingStep:
    """One step of training.

    Args:
        context: what counts are made from.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.propagation = context.network.propagation

    @property
    def setup(self) -> Training:
        """The way in which it is trained."""
        return self.context.training

    @cached_property
    def _walk(self) -> Trace:
        with self._budget():
            return walk(self.context)

    @cached_property
    def events(self) -> list[Event]:
        """The layers at work.

        Raises:
            SpecError: nothing is of the kind that is to be made again.
        """
        events = list(map(self._implemented, self._walk.events))
        setup = self.context.scenario.training
        if setup is None or setup.unit is None or any(event.block for event in events):
            return events
        kinds = {layer.node.kind for layer in self.propagation.layers}
        groups = {i.kind for i in items_in(self.context.network.graph.items)}
        known = (*(each.value for each in Checkpoint), *sorted(kinds | groups))
        hint = did_you_mean(setup.unit, known) or f"known here: {', '.join(known)}"
        raise SpecError(f"unknown checkpoint '{setup.unit}'", hint=hint)

    def _budget(self) -> AbstractContextManager[None]:
        """Bound the work of one question; an error names the layer with the most runs."""

        def longest() -> NamedEntry:
            counted = max(self.propagation.counted, key=lambda each: each.often.works.count_ops())
            return counted.layer.node

        return budget("the turns of training", longest)

    def _implemented(self, event: Event) -> Event:
        """Return a layer at work, with what its implementation keeps, fused or not."""
        layer = event.layer
        if layer is None or layer.backward is None:
            return event
        backward = layer.backward
        backward = backward.fused if self.context.scenario.is_fused else backward.unfused
        return event._replace(layer=layer._replace(backward=backward))

    @cached_property
    def kept(self) -> KeptTensors:
        """The tensors that are kept for the backward pass."""
        found = kept(self.events, self.setup.checkpoint)
        lost = self._of_loss if self.setup.has_loss else ()
        return found._replace(held=(*found.held, *lost))

    @property
    def _of_loss(self) -> Iterator[KeptTensor]:
        """Yield what a cross entropy keeps: a logarithm of every probability, and the targets.

        Source: ``torch.nn.functional.cross_entropy``, of logits in fp32: it saves the output of
        ``log_softmax``, and the index of a class in 64 bits for each.
        """
        for case in (case for cases in self._walk.outputs for case in cases):
            value = case.value
            if value.layer is None or not value.is_learned:
                continue
            shape = value.layer.output
            axis = len(shape) - 1 if len(shape) <= 3 else 1
            bits = max(TYPES["fp32"], TYPES[self.context.types_of(value.layer).activations])
            held = KeptTensor(
                value.path,
                "log-probabilities",
                value.layer,
                value.size,
                bits,
                case.where,
                value.within,
            )
            yield held
            yield held._replace(
                what="targets", size=elements((*shape[:axis], *shape[axis + 1 :])), bits=TARGET
            )

    @cached_property
    def work(self) -> tuple[LayerProducts, ...]:
        """The products of each layer; of the forward pass those that the convention counts."""
        done = work(self.events, self.setup.checkpoint)
        return tuple(w._replace(forward=count_macs(w.layer, self.context)) for w in done)

    def bytes_of(self, held: KeptTensor) -> Expr:
        """Return the bytes of a tensor that is kept, in one iteration."""
        if held.bits is not None:
            return whole_bytes(held.size, held.bits)
        if held.layer is None:
            return self.context.bytes_of(Tensor(held.path), held.size)
        return in_bytes(held.size, self.context.types_of(held.layer).activations)

    def in_all(self, held: KeptTensor) -> Expr:
        """Return the bytes of a tensor that is kept, in all iterations."""
        with _closed(held.path):
            return over_iterations(held, self.bytes_of)

    @cached_property
    def activations(self) -> dict[str, Expr]:
        """The bytes that are kept, by the path of the layer, group or input that makes them."""
        with self._budget():
            return _added((held.path, self.in_all(held)) for held in self.kept.held)

    @cached_property
    def made_again(self) -> Expr:
        """The most bytes that are made again at a time."""
        with self._budget(), _closed("what is made again"):
            again = self.kept.most_again(self.bytes_of)
        return self.context.network.largest(again)

    @cached_property
    def macs(self) -> dict[str, Expr]:
        """The products of a step by the path of the layer."""
        with self._budget():
            done = ((each, each.forward + each.backward + each.again) for each in self.work)
            return _added((each.layer.node.path, each.over_iterations(m)) for each, m in done)

    @cached_property
    def memory(self) -> dict[str, Expr]:
        """The bytes of a step by the path of the layer, group or input that they are of."""
        counted = tuple(self.propagation.counted)
        paths = [each.layer.node.path for each in counted]
        columns = [METRICS[name].parts(counted, self.context) for name in PER_WEIGHT]
        pairs = ((path, part) for c in columns for path, part in zip(paths, c, strict=True))
        return _added((*self.activations.items(), *pairs))


def _added(pairs: Iterable[tuple[str, Expr]]) -> dict[str, Expr]:
    """Return the sum of the counts of each name."""
    found: dict[str, list[Expr]] = defaultdict(list)
    for name, count in pairs:
        found[name].append(count)
    return {name: Add(*counts) for name, counts in found.items()}


@contextmanager
def _closed(entry: str) -> Iterator[None]:
    """Raise an error for bytes without a closed sum: those rounded up in every iteration."""
    try:
        yield
    except OpenFormError as error:
        cause = f"the bytes of all turns have no closed form: {error}"
        hint = "fix the symbols in times with --set, or take types of whole bytes"
        raise SpecError(cause, hint=hint, entry=entry) from None


def _register(
    name: str,
    title: str,
    unit: Unit,
    doc: str,
    counts: Callable[[TrainingStep], Mapping[str, Expr]],
) -> None:
    """Register a metric of a step of training, where a layer's part depends on those around."""

    def beside(context: Context) -> dict[str, Expr]:
        step = context.derived(TrainingStep)
        paths = {layer.node.path for layer in step.propagation.layers}
        found = {path: each for path, each in counts(step).items() if path not in paths}
        return found if unit is PRODUCTS else {**found, "made again": step.made_again}

    @metric(name, title, unit, SUM_OF_ALL_RUNS, needs=(Need.TRAINING,), beside=beside)
    def count(layer: LayerCost, context: Context) -> Expr:
        return counts(context.derived(TrainingStep)).get(layer.node.path, S.Zero)

    count.__doc__ = doc


_register(
    "activations_kept",
    "activations kept",
    BYTES,
    "Bytes of the feature maps that are kept for the backward pass.",
    lambda step: step.activations,
)
_register(
    "training_memory",
    "training memory",
    BYTES,
    "Bytes of weights, gradients, the optimizer's state and the activations kept.",
    lambda step: step.memory,
)
_register(
    "training_macs",
    "training MACs",
    PRODUCTS,
    "Multiply-accumulates of the forward and the backward pass, and of what is made again.",
    lambda step: step.macs,
)

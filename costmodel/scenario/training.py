"""The training setup: optimizer and its state, types, and activation checkpointing."""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from sympy import Expr, Mul, S

from archspec.errors import SpecError, find_named
from archspec.precision import TYPES
from costmodel.algebra.bounds import Least, is_at_least
from costmodel.algebra.functions import Minimum, ceil_div, floor_div
from costmodel.rules.cost import Parameter

OPTIONS = ("optimizer", "checkpoint", "master", "gradients", "loss")
"""The words of a scenario that say how a network is trained."""


class Checkpoint(Enum):
    """The activations recomputed in the backward pass instead of being kept."""

    NONE = "none"
    BLOCKS = "blocks"
    ATTENTION = "attention"


_MADE_AGAIN = {
    Checkpoint.NONE: "no checkpoints",
    Checkpoint.BLOCKS: "blocks made again",
    Checkpoint.ATTENTION: "the core of attention made again",
}


class Optimizer(NamedTuple):
    """An optimizer, with the state it keeps of each learnable tensor.

    Attributes:
        name: as ``--optimizer`` takes it.
        summary: what it remembers of each learnable tensor.
        bytes: how many bytes that is, from the tensor, the bytes of one number at full width, and
            the smallest values of the symbols.
    """

    name: str
    summary: str
    bytes: Callable[[Parameter, int, Least], Expr]


def _moments(count: int) -> Callable[[Parameter, int, Least], Expr]:
    """Return the rule of an optimizer that keeps so many numbers per element."""
    return lambda tensor, width, least: count * width * tensor.size  # noqa: ARG005


def _factored(tensor: Parameter, width: int, least: Least) -> Expr:  # noqa: ARG001
    """``prod(shape[:-1]) + prod(shape[:-2] + shape[-1:])`` of two or more axes, else one for each.

    Source: Shazeer and Stern, ICML 2018, algorithm 4, for matrices; of more axes the last two are
    factored, as the Transformers library does.
    """
    if len(tensor.shape) < 2:
        return width * tensor.size
    *leading, rows, columns = tensor.shape
    return width * (Mul(*leading, rows) + Mul(*leading, columns))


SMALLEST = 4096
"""The elements of the smallest tensor whose moments are kept in 8 bits: ``min_8bit_size``."""

BLOCK = 256
"""The elements that share a scale in fp32, of a moment in 8 bits."""

SCALE = 4
"""The bytes of a scale."""


def _moments_in_8_bits(count: int) -> Callable[[Parameter, int, Least], Expr]:
    """Return the rule of an optimizer with so many moments in a byte each, and scales of blocks.

    Of tensors of fewer than 4096 elements the moments stay at full width. Source: Dettmers et al.,
    ICLR 2022, section 2; bitsandbytes 0.45, ``Optimizer2State``: blocks of 256.
    """

    def bytes_of(tensor: Parameter, width: int, least: Least) -> Expr:
        size = tensor.size
        full, eight = width * size, size + SCALE * ceil_div(size, BLOCK)
        if is_at_least(size, SMALLEST, least):
            return count * eight
        is_large = Minimum(S.One, floor_div(size, SMALLEST))
        return count * (full + is_large * (eight - full))

    return bytes_of


OPTIMIZERS: Mapping[str, Optimizer] = MappingProxyType(
    {
        optimizer.name: optimizer
        for optimizer in (
            Optimizer("sgd", "nothing", _moments(0)),
            Optimizer("momentum", "a velocity", _moments(1)),
            Optimizer("adam", "two moments", _moments(2)),
            Optimizer("adamw", "two moments", _moments(2)),
            Optimizer("adafactor", "a second moment in factors, no first", _factored),
            Optimizer("lion", "a first moment", _moments(1)),
            Optimizer("adam8bit", "two moments in 8 bits, with scales", _moments_in_8_bits(2)),
            Optimizer("adamw8bit", "two moments in 8 bits, with scales", _moments_in_8_bits(2)),
            Optimizer("lion8bit", "a first moment in 8 bits, with scales", _moments_in_8_bits(1)),
        )
    }
)
"""Source: Polyak, 1964; Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019; Chen et al.,
NeurIPS 2023 (Lion)."""


class Training(NamedTuple):
    """The training setup of a network.

    Attributes:
        optimizer: what updates the weights.
        checkpoint: what is made again.
        keeps_master: whether of weights narrower than 32 bits there is a copy in fp32.
        gradients: the type of the gradients; None where it is the weights'.
        unit: the kind of layer, or of group, that is made again as a block; None where that is the
            outermost group without a repeat.
        has_loss: whether a cross entropy follows the network.
    """

    optimizer: Optimizer
    checkpoint: Checkpoint = Checkpoint.NONE
    keeps_master: bool = True
    gradients: str | None = None
    unit: str | None = None
    has_loss: bool = False

    def __str__(self) -> str:
        """Return the set-up as it is printed below every number that depends on it."""
        optimizer = f"{self.optimizer.name} (remembers {self.optimizer.summary})"
        copy = "a copy of weights below 32 bits in fp32" if self.keeps_master else "no master copy"
        gradients = f", gradients in {self.gradients}" if self.gradients else ""
        again = f"every {self.unit} made again" if self.unit else _MADE_AGAIN[self.checkpoint]
        loss = ", a cross entropy in fp32" if self.has_loss else ""
        return f"{optimizer}{gradients}, {copy}, {again}{loss}"

    @property
    def fields(self) -> dict[str, str]:
        """The same as plain data, named as on the command line."""
        master = "fp32" if self.keeps_master else "none"
        names = {"optimizer": self.optimizer.name, "checkpoint": self.unit or self.checkpoint.value}
        gradients = {"gradients": self.gradients} if self.gradients else {}
        loss = {"loss": "cross_entropy"} if self.has_loss else {}
        return {**names, "master": master, **gradients, **loss}


MASTERS = {"fp32": True, "none": False}
"""``--master`` → whether there is a copy of narrower weights in fp32."""

LOSSES = {"none": False, "cross_entropy": True}
"""``--loss`` → whether there is one."""

CHECKPOINTS = {checkpoint.value: checkpoint for checkpoint in Checkpoint}


def _gradients(name: str | None) -> str | None:
    """Return the type of gradients of a name.

    Raises:
        SpecError: it is none, or one of integers.
    """
    if name is None:
        return None
    dtype = find_named("type", name, {dtype: dtype for dtype in TYPES})
    if dtype.startswith("int"):
        raise SpecError(f"gradients in {dtype}: they are no integers", hint="--gradients fp32")
    return dtype


def training(**options: str | None) -> Training | None:
    """Return the training setup from a user's options (see `OPTIONS`); None where none is given.

    Raises:
        SpecError: an unknown name, or no optimizer beside the others.
    """
    optimizer, *others = map(options.get, OPTIONS)
    if optimizer is None:
        for option, given in zip(OPTIONS[1:], others, strict=True):
            if given is not None:
                raise SpecError(f"{option} is of training", hint="name an optimizer: --optimizer")
        return None
    checkpoint, master, gradients, loss = others
    by_name = checkpoint is not None and checkpoint not in CHECKPOINTS
    return Training(
        find_named("optimizer", optimizer, OPTIMIZERS),
        Checkpoint.BLOCKS if by_name else CHECKPOINTS[checkpoint or "none"],
        find_named("master copy", master or "fp32", MASTERS),
        _gradients(gradients),
        checkpoint if by_name else None,
        find_named("loss", loss or "none", LOSSES),
    )

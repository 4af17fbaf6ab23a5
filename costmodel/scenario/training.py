"""The training setup: optimizer, optimizer state, and activation checkpointing."""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from sympy import Expr, Mul, S

from archspec.errors import SpecError, find_named
from costmodel.rules.cost import Parameter


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
    """An optimizer, with the state it keeps per weight.

    Attributes:
        name: as ``--optimizer`` takes it.
        summary: what it remembers of each learnable tensor.
        numbers: how many numbers that is.
    """

    name: str
    summary: str
    numbers: Callable[[Parameter], Expr]


def _factored(tensor: Parameter) -> Expr:
    """``prod(shape[:-1]) + prod(shape[:-2] + shape[-1:])`` of two or more axes, else one for each.

    Source: Shazeer and Stern, ICML 2018, algorithm 4, for matrices; of more axes the last two are
    factored, as the Transformers library does.
    """
    if len(tensor.shape) < 2:
        return tensor.size
    *leading, rows, columns = tensor.shape
    return Mul(*leading, rows) + Mul(*leading, columns)


OPTIMIZERS: Mapping[str, Optimizer] = MappingProxyType(
    {
        optimizer.name: optimizer
        for optimizer in (
            Optimizer("sgd", "nothing", lambda tensor: S.Zero),  # noqa: ARG005 - of any tensor
            Optimizer("momentum", "a velocity", lambda tensor: tensor.size),
            Optimizer("adam", "two moments", lambda tensor: 2 * tensor.size),
            Optimizer("adamw", "two moments", lambda tensor: 2 * tensor.size),
            Optimizer("adafactor", "a second moment in factors, no first", _factored),
        )
    }
)
"""Source: Polyak, 1964; Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019."""


class Training(NamedTuple):
    """The training setup of a network.

    Attributes:
        optimizer: what updates the weights.
        checkpoint: what is made again.
        keeps_master: whether of weights narrower than 32 bits there is a copy in fp32.
    """

    optimizer: Optimizer
    checkpoint: Checkpoint = Checkpoint.NONE
    keeps_master: bool = True

    def __str__(self) -> str:
        """As it is printed with every number that depends on it."""
        optimizer = f"{self.optimizer.name} (remembers {self.optimizer.summary})"
        copy = "a copy of weights below 32 bits in fp32" if self.keeps_master else "no master copy"
        return f"{optimizer}, {copy}, {_MADE_AGAIN[self.checkpoint]}"

    @property
    def fields(self) -> dict[str, str]:
        """The same as plain data, named as on the command line."""
        master = "fp32" if self.keeps_master else "none"
        names = {"optimizer": self.optimizer.name, "checkpoint": self.checkpoint.value}
        return {**names, "master": master}


MASTERS = {"fp32": True, "none": False}
"""``--master`` → whether there is a copy of narrower weights in fp32."""

CHECKPOINTS = {checkpoint.value: checkpoint for checkpoint in Checkpoint}


def training(
    optimizer: str | None, checkpoint: str | None = None, master: str | None = None
) -> Training | None:
    """Return the training setup from a user's options; None where none is given.

    Raises:
        SpecError: an unknown name, or no optimizer beside the others.
    """
    if optimizer is None:
        for option, given in (("checkpoint", checkpoint), ("master", master)):
            if given is not None:
                raise SpecError(f"{option} is of training", hint="name an optimizer: --optimizer")
        return None
    return Training(
        find_named("optimizer", optimizer, OPTIMIZERS),
        find_named("checkpoint", checkpoint or "none", CHECKPOINTS),
        find_named("master copy", master or "fp32", MASTERS),
    )

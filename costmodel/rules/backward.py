"""The tensors that a layer keeps from its forward pass for its backward pass.

The gradient of a product needs the other factor, that of a function its derivative; what follows
from something that is kept anyway is not kept again. Source: reverse-mode differentiation
(Linnainmaa, 1970); Korthikanti et al., 2022, section 4.
"""

from typing import NamedTuple

from sympy import Expr

BIT = 1
BYTE = 8
INDEX = 32
"""Bits of a place in a whole feature map."""


WEIGHTS = -1
"""Stands among the inputs for the layer's own weights: their gradients, where they are trained."""


class KeptInput(NamedTuple):
    """An input that a layer keeps for its backward pass.

    Attributes:
        number: which of them.
        needed_by: the inputs whose gradients need it, `WEIGHTS` among them; None where every
            gradient does.
    """

    number: int
    needed_by: frozenset[int] | None = None


class KeptIntermediate(NamedTuple):
    """A tensor made inside a layer that it keeps for its backward pass.

    Attributes:
        name: what it is: ``scores``, ``mask``.
        size: its elements.
        bits: of each of them; None where they have the type of the layer's activations.
        needed_by: as of `KeptInput`.
        is_core: whether selective recomputation makes it again.
        follows: whether it can be read off the layer's output, where that is kept anyway.
        is_fusible: whether it is made again piece by piece instead of being kept, as a fused kernel
            does; the products that this takes are the layer's ``remade``.
    """

    name: str
    size: Expr
    bits: Expr | int | None = None
    needed_by: frozenset[int] | None = None
    is_core: bool = False
    follows: bool = False
    is_fusible: bool = False


class Backward(NamedTuple):
    """The tensors that a layer keeps for its backward pass.

    Attributes:
        inputs: those of its inputs that are kept.
        output: whether its output is.
        inside: what is made inside it.
        core: the products that are made again with what is the core.
        remade: the products that are made again where what is fusible is not kept.
    """

    inputs: tuple[KeptInput, ...] = ()
    output: bool = False
    inside: tuple[KeptIntermediate, ...] = ()
    core: frozenset[str] = frozenset()
    remade: frozenset[str] = frozenset()

    @property
    def fused(self) -> "Backward":
        """The same where nothing fusible is kept, so that its core is all made again anyway."""
        kept = tuple(each for each in self.inside if not each.is_fusible)
        if self.remade:  # it is made again from all else that its kernel takes and leaves
            kept = tuple(each._replace(needed_by=None) for each in kept)
        has_core = any(each.is_core for each in kept)
        return self._replace(inside=kept, core=self.core if has_core else frozenset())

    @property
    def unfused(self) -> "Backward":
        """The same where what is fusible is kept as well, so that nothing must be made again."""
        return self._replace(remade=frozenset())


NOTHING = Backward()
"""Of what is linear in its input and multiplies by nothing."""

INPUT = Backward((KeptInput(0),))
"""Of a function whose derivative is one of its input."""

FACTOR = Backward((KeptInput(0, frozenset({WEIGHTS})),))
"""Of a product with something learned: its input, for the gradient of that alone."""

OUTPUT = Backward(output=True)
"""Of a function whose derivative follows from its value, as ``σ' = σ·(1 − σ)``."""


def factors(count: int) -> Backward:
    """Of a product of so many inputs: each, for the gradients of the others."""
    every = frozenset(range(count))
    return Backward(tuple(KeptInput(number, every - {number}) for number in range(count)))


def mask(name: str, size: Expr, bits: Expr | int, *, follows: bool = False) -> Backward:
    """Of a choice: what was chosen, a few bits of each element."""
    return Backward(inside=(KeptIntermediate(name, size, bits, follows=follows),))

"""The types of a network's numbers: of every layer, of every tensor, and the bytes they take."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from sympy import Expr, Rational, S

from archspec.errors import SpecError
from archspec.precision import TYPES, UNSAID, Precision, innermost
from archspec.trees import Tensor
from costmodel.algebra.functions import ceil_div, is_whole
from costmodel.network.propagation import GroupCost, LayerCost, Part, Propagation
from costmodel.rules.cost import Output

USUAL = "fp32"
"""The type of what nothing is said of."""


class LayerTypes(NamedTuple):
    """The types of one layer's numbers.

    Attributes:
        weights: of its learnable tensors.
        activations: of the feature maps that it makes.
        operations: of the factors of its products.
        accumulators: of their sums.
        cache: of the keys and values that it keeps.
    """

    weights: str
    activations: str
    operations: str
    accumulators: str
    cache: str


class NetworkTypes(NamedTuple):
    """The types of a whole network.

    Attributes:
        layers: a layer's path → its types.
        tensors: tensor → the type of its elements.
    """

    layers: Mapping[str, LayerTypes]
    tensors: Mapping[Tensor, str]


def in_bytes(count: Expr, dtype: str) -> Expr:
    """``ceil(count·bits/8)``: the bytes of a tensor, which begins at a whole one."""
    return whole_bytes(count, TYPES[dtype])


@lru_cache(2**14)
def whole_bytes(count: Expr, bits: Expr | int) -> Expr:
    """The bytes of a tensor whose elements have so many bits."""
    each = Rational(1, 8) * bits
    return count * each if is_whole(each) else ceil_div(count * bits, 8)


def is_floating(dtype: str) -> bool:
    """Return whether a number type is floating point."""
    return not dtype.startswith("int")


def _width(dtype: str) -> tuple[bool, int, bool]:
    """Return the key by which the wider of two types is chosen: floating point first, then bits."""
    return is_floating(dtype), TYPES[dtype], dtype != "tf32"


def widest(dtypes: Iterable[str]) -> str:
    """The type in which numbers of several types are multiplied.

    Of integers it is the one of more bits, of floating point too; neither of bf16 and fp16 holds
    the other's numbers, fp32 does. Of both it is the first that holds the integers exactly, or the
    floating point where none does.
    Source: ``torch.promote_types`` (bf16 with fp16).
    """
    return _widest(tuple(dict.fromkeys(dtypes)))


@lru_cache
def _widest(dtypes: tuple[str, ...]) -> str:
    ordered = sorted(dtypes, key=_width, reverse=True)
    largest = "fp32" if {"bf16", "fp16"} == set(ordered[:2]) else ordered[0]
    whole = max((TYPES[dtype] - 1 for dtype in ordered if not is_floating(dtype)), default=0)
    wider = (largest, *(t for t in WIDER if _width(t) > _width(largest)))
    exact = (t for t in wider if not is_floating(t) or EXACT_BITS[t] >= whole)
    return next(exact, largest)


EXACT_BITS = {
    "fp4": 2,
    "fp6": 3,
    "fp8": 4,
    "bf16": 8,
    "fp16": 11,
    "tf32": 11,
    "fp32": 24,
    "fp64": 53,
}
"""Type of floating point → the bits of the integers that it holds exactly, of either sign.

Those of fp4, fp6 and fp8 are E2M1, E2M3 and E4M3. Source: IEEE 754; OCP Microscaling Formats, 2023.
"""

WIDER = ("fp16", "fp32", "fp64")
"""What integers are multiplied in that a narrower floating point does not hold."""


def accumulator_of(dtype: str) -> str:
    """Return the type in which products of a type are summed where the user names none.

    Source: NVIDIA's matrix instructions and CMSIS-NN: 32 bits for all narrower types.
    """
    if not is_floating(dtype):
        return "int32"
    return "fp64" if dtype == "fp64" else "fp32"


def typed(propagation: Propagation, *stated: Precision) -> NetworkTypes:
    """The types of a network.

    Args:
        propagation: its layers.
        stated: what is said of all of them, what weighs most first.

    Raises:
        SpecError: a body that is repeated leaves another type than it takes.
    """
    of_all = innermost(*stated, UNSAID)
    walk = _TypeWalk(of_all)
    for name in propagation.inputs:
        walk.tensors[Tensor(name)] = of_all.activations or USUAL
    walk.parts(propagation.parts)
    return NetworkTypes(walk.layers, walk.tensors)


class _TypeWalk:
    """The types known so far."""

    def __init__(self, of_all: Precision) -> None:
        self.of_all = of_all
        self.layers: dict[str, LayerTypes] = {}
        self.tensors: dict[Tensor, str] = {}
        self.choices: set[Tensor] = set()  # truth values and indices, which give no type

    def parts(self, parts: Iterable[Part]) -> None:
        """Some parts, in order."""
        for part in parts:
            if isinstance(part, LayerCost):
                self._layer(part)
            else:
                self._group(part)

    def _group(self, group: GroupCost) -> None:
        flow = group.flow
        if flow is None:
            return self.parts(group.parts)
        for each in flow.carried if flow.is_loop else ():
            self.tensors[each.entry] = self.tensors[each.source]
        self.parts(group.parts)
        is_repeated = flow.is_loop and not flow.chosen_by and group.runs is not S.One
        for each in flow.carried:
            left = self.tensors[each.output] = self.tensors[each.result]
            if is_repeated and (entered := self.tensors[each.entry]) != left:
                cause = f"each turn takes {entered} and leaves {left}"
                hint = "say one type for what enters and leaves it, with precision"
                cause += ", but the next takes what it leaves"
                raise SpecError(cause, hint=hint, origin=group.origin, entry=group.path)
        return None

    def _layer(self, layer: LayerCost) -> None:
        stated = innermost(layer.node.precision, self.of_all)
        made = self._made(layer, stated)
        owner = self.layers.get(layer.node.owner or "")  # whose weight it shares
        weights = owner.weights if owner else stated.weights or USUAL
        factors = [self.tensors[tensor] for tensor in layer.reads] or [made]
        if any(operand.learnable for nest in layer.cost.nests for operand in nest.operands):
            factors.append(weights)
        operations = widest(factors)
        sums = stated.accumulators or accumulator_of(operations)
        types = LayerTypes(weights, made, operations, sums, stated.cache or made)
        self.layers[layer.node.path] = types
        said_here = layer.node.precision.activations is not None
        own = () if said_here else layer.cost.types
        own = own or (None,) * len(layer.made)
        choose = bool(layer.reads) and not self._givers(layer) and self._passes_on(layer)
        for tensor, dtype in zip(layer.made, own, strict=True):
            self.tensors[tensor] = dtype or made
            if dtype or choose:
                self.choices.add(tensor)

    def _made(self, layer: LayerCost, stated: Precision) -> str:
        """The type of what a layer makes; what it only passes on keeps its own."""
        if layer.cost.output is Output.PARAMETER:
            return stated.weights or USUAL
        if self._passes_on(layer) and layer.node.precision.activations is None:
            return self.tensors[(self._givers(layer) or layer.reads)[0]]
        return stated.activations or USUAL

    def _passes_on(self, layer: LayerCost) -> bool:
        return layer.cost.output in (Output.IN_PLACE, Output.VIEW) and bool(layer.reads)

    def _givers(self, layer: LayerCost) -> Sequence[Tensor]:
        """The inputs that give what a layer passes on its type."""
        return [tensor for tensor in layer.reads if tensor not in self.choices]

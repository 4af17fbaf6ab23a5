"""The form all importers share: a network as one list of plain calls, in the order they run."""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple


class Size(NamedTuple):
    """A number that depends on symbols.

    Attributes:
        text: an expression of the language over the network's symbols, as ``h//2``.
    """

    text: str


class Varied(NamedTuple):
    """A symbol that stands for a parameter of a factory.

    Attributes:
        default: the value where nothing else is set.
        least: the smallest value that formulas were tried at.
        most: the largest value that it may have; None for no bound.
        is_real: whether its values need not be integers, as those of a width multiplier.
    """

    default: Fraction
    least: Fraction
    most: Fraction | None
    is_real: bool


Field = int | float | bool | str | Size | tuple["Field", ...]
"""What a field of an entry may hold."""


class SourceModule(NamedTuple):
    """A module whose forward was running when a call was made.

    Attributes:
        path: its path from the root, as ``layer1.0``; the root's is empty.
        name: its class, as ``Bottleneck``.
        visit: how often its forward had run before; two visits are two runs of the same weights.
    """

    path: str
    name: str
    visit: int = 0


class LayerCall(NamedTuple):
    """One entry of the language, as the source made it.

    Attributes:
        name: unique in the network; other calls name it among their inputs.
        kind: a kind of the language, never a composite or a block.
        fields: its fields; those at the kind's default are left out.
        inputs: the calls or inputs whose tensors enter, in order; ``name.1`` is the second
            output of a call that has several.
        modules: the modules whose forward made it, outermost first.
        weights: what identifies its learnable tensors; calls of equal weights share them. Empty
            where it has none.
        trainable: whether its learnable tensors are trained.
        shape: the sizes that leave it, as the source says; a check, never what is written.
        where: the source line that made it, as ``net.py:12``; empty if unknown.
    """

    name: str
    kind: str
    fields: Mapping[str, Field]
    inputs: tuple[str, ...]
    modules: tuple[SourceModule, ...] = ()
    weights: str = ""
    trainable: bool = True
    shape: tuple[int | Size, ...] | None = None
    where: str = ""


class SourceNetwork(NamedTuple):
    """A network as its source runs it.

    Attributes:
        name: what the spec is to be called.
        source: where it comes from, one line.
        symbols: name → default of every symbol, in order.
        inputs: name → sizes of every input, in order.
        calls: in an order in which every tensor is made before it is used.
        outputs: the calls whose tensors leave the network.
        notes: what the reader of the spec must know, as ``h is 224: the module asks for it``.
        remarks: what every report of the spec must say, as parameters that are left out.
    """

    name: str
    source: str
    symbols: Mapping[str, int | Varied]
    inputs: Mapping[str, tuple[int | Size, ...]]
    calls: tuple[LayerCall, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


NO_FIELDS: Mapping[str, Field] = MappingProxyType({})
"""The fields of a call that has none."""

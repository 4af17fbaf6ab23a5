"""The options of every importer, and the form of its result."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol


class Options(NamedTuple):
    """The options that stand beside a source: its inputs' sizes, a factory's parameters.

    Attributes:
        inputs: the sizes of each input, as ``n, 3, h, w``; empty where the source says them itself.
        vary: parameter of a factory → the values it is called with; of several it becomes a
            symbol.
        partial: whether operators that no kind expresses are marked as missing, not refused.
    """

    inputs: tuple[str, ...] = ()
    vary: Mapping[str, tuple[int | float | str | None, ...]] = MappingProxyType({})
    partial: bool = False


class SourceCounts(NamedTuple):
    """A source's own counts, by its own tools, at some sizes.

    Attributes:
        params: elements of its learnable tensors, each tensor once.
        macs: multiply-accumulates, of what its tool sees; None where it has no such tool.
        outputs: the shape of each tensor that leaves it; None where it cannot say.
        layers: module path → parameters, to name the first layer that differs.
    """

    params: int | None
    macs: int | None = None
    outputs: tuple[tuple[int, ...], ...] | None = None
    layers: Mapping[str, int] = MappingProxyType({})


class Imported(NamedTuple):
    """A spec that was written from a source.

    Attributes:
        text: the spec.
        measure: what the source counts, given a value for each symbol; None where it cannot.
        names: our path of an entry → the source's own name of it, as ``layer1.0.conv2``.
        notes: what its reader must know, as sizes that the source pins.
    """

    text: str
    measure: Callable[[Mapping[str, int | float]], SourceCounts] | None = None
    names: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """Reads one form of source."""

    def __call__(self, source: str, options: Options) -> Imported:
        """Return the spec of a source.

        Raises:
            SpecError: it cannot be read, or holds what no kind expresses.
        """
        ...

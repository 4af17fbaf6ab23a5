"""The layers that work as one kernel (``fused``), and what enters and leaves it.

What works in place, and a view, belong to what they are done on: it is read where one of them is
first used, and written by the layer that makes it, where one of them is read outside.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from archspec.trees import Tensor
from costmodel.network.context import Context
from costmodel.network.propagation import GroupCost, LayerCost, Part, counted_in
from costmodel.rules.cost import Output


class Kernel:
    """The layers of a fused group.

    Args:
        group: the group.
        read: the tensors that are read in the network, as often as they are.

    Attributes:
        path: the group's path.
        layers: the layers, in order.
        leaving: the tensors that leave it, and those that such a view shows; all others that it
            makes are in no memory.
    """

    def __init__(self, group: GroupCost, read: Counter[Tensor]) -> None:
        self.path = group.path
        self.layers = tuple(counted.layer for counted in counted_in(group.parts))
        own = Counter(tensor for layer in self.layers for tensor in layer.reads)
        self._made = {tensor for layer in self.layers for tensor in layer.made}
        self.leaving = {tensor for tensor in self._made if read[tensor] > own[tensor]}
        for layer in reversed(self.layers):
            if layer.cost.output is Output.VIEW and self.leaving.intersection(layer.made):
                self.leaving |= self._made.intersection(layer.reads[:1])

    @property
    def last(self) -> LayerCost:
        """The last layer of the kernel, which carries its counts where layers count together."""
        return self.layers[-1]

    def is_inner(self, tensor: Tensor) -> bool:
        """Return whether a tensor is made in it and never leaves it."""
        return tensor in self._made and tensor not in self.leaving

    @cached_property
    def _homes(self) -> dict[Tensor, Tensor]:
        """The tensors in whose place each view, or what works in place, is."""
        homes: dict[Tensor, Tensor] = {}
        for layer in self.layers:
            if layer.reads and not layer.cost.output.is_feature_map and not layer.cost.is_part:
                homes |= dict.fromkeys(layer.made, homes.get(place_of(layer), place_of(layer)))
        return homes

    @cached_property
    def _written(self) -> set[Tensor]:
        """The tensors made in the kernel that are read, whole or in part, outside of it."""
        found = {self._homes.get(tensor, tensor) for tensor in self.leaving}
        for layer in reversed(self.layers):
            if layer.cost.is_part and found.intersection(layer.made):
                found.add(self._homes.get(layer.reads[0], layer.reads[0]))
        return found

    def writes(self, tensor: Tensor) -> bool:
        """Return whether a tensor that a layer of it makes is written to memory."""
        return tensor in self._written

    @cached_property
    def _first(self) -> dict[Tensor, str]:
        """Return the tensors that enter, each with the first layer that reads it not in place."""
        first: dict[Tensor, str] = {}
        parts: dict[Tensor, Tensor] = {}
        for layer in self.layers:
            skipped = None if layer.cost.output.is_feature_map else place_of(layer)
            if layer.cost.is_part:
                parts |= dict.fromkeys(layer.made, layer.reads[0])
            for tensor in layer.reads:
                home = self._homes.get(tensor, tensor)
                if tensor != skipped and self._source(home, parts) not in self._made:
                    first.setdefault(home, layer.node.path)
        return first

    def _source(self, tensor: Tensor, parts: dict[Tensor, Tensor]) -> Tensor:
        while tensor in parts:
            tensor = self._homes.get(parts[tensor], parts[tensor])
        return tensor

    def reads(self, tensor: Tensor, layer: LayerCost) -> bool:
        """Return whether a layer of it reads a tensor from memory: the first that does."""
        return self._first.get(self._homes.get(tensor, tensor)) == layer.node.path


def place_of(layer: LayerCost) -> Tensor:
    """Return the input that a view shows, or in whose place a layer works."""
    if layer.cost.output is Output.VIEW:
        return layer.reads[0]
    alike = layer.cost.sharing(layer.inputs, layer.output)
    return layer.reads[alike[0] if alike else 0]


class Fusion:
    """The fused groups of a network.

    Args:
        context: what the network's counts are made from.
    """

    def __init__(self, context: Context) -> None:
        network = context.network
        groups = list(_fused_in(network.propagation.parts))
        read = Counter(read_in(network.propagation.parts)) if groups else Counter[Tensor]()
        read.update((network.graph.output, *network.graph.sides))
        self._kernels = [Kernel(group, read) for group in groups]

    @cached_property
    def _by_layer(self) -> dict[str, Kernel]:
        return {layer.node.path: kernel for kernel in self._kernels for layer in kernel.layers}

    def of(self, layer: LayerCost) -> Kernel | None:
        """Return the kernel that a layer is in, if it is in one."""
        return self._by_layer.get(layer.node.path)


def kernel_of(layer: LayerCost, context: Context) -> Kernel | None:
    """Return the kernel that a layer of a network is in, if it is in one."""
    return None if context.whole is None else context.derived(Fusion).of(layer)


def _fused_in(parts: Iterable[Part]) -> Iterator[GroupCost]:
    """Yield the outermost fused groups of some parts."""
    for part in parts:
        if isinstance(part, GroupCost):
            yield from (part,) if part.kind == "fused" else _fused_in(part.parts)


def read_in(parts: Iterable[Part]) -> Iterator[Tensor]:
    """Yield every tensor that some parts read, as often as they do."""
    for part in parts:
        if isinstance(part, LayerCost):
            yield from part.reads
            continue
        if part.flow is not None:
            for each in part.flow.carried:
                yield from (each.source, each.result)
            yield from part.flow.sides
            yield from () if part.flow.chosen_by is None else (part.flow.chosen_by,)
        yield from read_in(part.parts)

"""The bytes that a layer moves at least: weights and inputs are read once, outputs written once.

What works in place is done on the way of the layer before it, and reads only its other inputs; a
view moves nothing; what is made and used inside a layer, or a fused group of them, stays there.
Where a cache of keys and values is kept, those of tokens before are read once, and those of new
ones written once.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from sympy import Add, Expr, S

from archspec.precision import TYPES
from archspec.trees import Tensor
from costmodel.algebra.functions import Maximum
from costmodel.metrics.fusion import kernel_of
from costmodel.metrics.registry import BYTES, LARGEST, metric
from costmodel.network.context import Context
from costmodel.network.precision import in_bytes
from costmodel.network.propagation import LayerCost
from costmodel.rules.base import elements
from costmodel.rules.cost import Cache, KeptState, Output
from costmodel.rules.nests import LoopNest, Operand


class DataMovement(NamedTuple):
    """The bytes of one run of a layer.

    Attributes:
        weights: of learnable tensors, read.
        reads: of feature maps, read.
        writes: of feature maps, written.
        cache_reads: of cached keys and values, read.
        cache_writes: of new keys and values, written into the cache.
    """

    weights: Expr
    reads: Expr
    writes: Expr
    cache_reads: Expr = S.Zero
    cache_writes: Expr = S.Zero

    @property
    def activations(self) -> Expr:
        """Feature maps, read and written."""
        return self.reads + self.writes

    @property
    def total(self) -> Expr:
        """All together."""
        return self.weights + self.activations + self.cache

    @property
    def cache(self) -> Expr:
        """Keys and values, read and written."""
        return self.cache_reads + self.cache_writes


def data_movement(layer: LayerCost, context: Context) -> DataMovement:
    """Return the bytes that one run of a layer moves.

    Source: MIT 6.5940, lecture 2: weights, input and output activations.
    """
    read, dtype = weights_read(layer, context), context.types_of(layer).cache
    moved = DataMovement(read, _reads(layer, context), _writes(layer, context))
    for kept in layer.cost.kept:
        moved = moved._replace(
            cache_reads=moved.cache_reads + kept_bytes(kept, kept.read, dtype),
            cache_writes=moved.cache_writes + kept_bytes(kept, kept.written, dtype),
        )
    return moved


@metric("bytes_moved", "bytes moved", BYTES)
def count_bytes_moved(layer: LayerCost, context: Context) -> Expr:
    """Bytes of weights, inputs and outputs that are moved at least."""
    return data_movement(layer, context).total


def kept_bytes(kept: Cache | KeptState, tokens: Expr, dtype: str) -> Expr:
    """Return ``n·tokens·Σ parts`` in bytes; each tensor begins at a whole one."""
    sizes = (kept.rows * tokens * part for part in kept.parts)
    return Add(*(in_bytes(size, dtype) for size in sizes))


def weights_read(layer: LayerCost, context: Context) -> Expr:
    """Return the bytes of the learnable tensors that one run reads, tied ones and constants too."""
    dtype, roles = context.types_of(layer).weights, context.convention.roles
    tensors = (p for p in (*layer.cost.parameters, *layer.cost.tied) if p.role in roles)
    reads = [(p.copies, p.size if p.read is None else p.read) for p in tensors]
    if layer.cost.output is Output.PARAMETER:
        reads += [(S.One, buffer.size) for buffer in layer.cost.buffers]
    return Add(*(copies * in_bytes(size, dtype) for copies, size in reads))


def makes_map(layer: LayerCost, context: Context) -> bool:
    """Return whether a layer writes a new feature map; in place it does into other bits."""
    kind = layer.cost.output
    if kind.is_feature_map or kind is Output.PARAMETER:
        return kind.is_feature_map
    bits = TYPES[context.types_of(layer).activations]
    return all(TYPES[context.type_of(tensor)] != bits for tensor in layer.reads)


def _reads(layer: LayerCost, context: Context) -> Expr:
    """Return the bytes of all inputs; of a single one whose windows leave gaps, what they meet."""
    if layer.cost.output is Output.PARAMETER:
        return S.Zero
    new = context.derived(_new_in_caches) if context.whole else {}
    sizes = [elements(shape) for shape in layer.inputs]
    if len(sizes) == 1:
        sizes = [_met(layer)]
    sizes = [new.get(tensor, size) for tensor, size in zip(layer.reads, sizes, strict=True)]
    read = dict([*zip(layer.reads, sizes, strict=True)][: layer.cost.sees])
    if not makes_map(layer, context):
        if layer.cost.output is Output.VIEW:
            return S.Zero
        place = next((t for t, size in read.items() if size == layer.output_elements), None)
        read.pop(place or next(iter(read)))
    kernel = kernel_of(layer, context)
    moved = (t for t in read if kernel is None or kernel.reads(t, layer))
    return Add(*(context.bytes_of(tensor, read[tensor]) for tensor in moved))


def _new_in_caches(context: Context) -> Mapping[Tensor, Expr]:
    """The elements of new tokens in all that lies in a cache, which reads the others itself."""
    found: dict[Tensor, Expr] = {}
    for layer in context.network.propagation.layers:
        if layer.cost.cache is not None and layer.cost.cache.joins is not None:
            found[layer.made[0]] = elements(layer.inputs[0])
        elif layer.cost.output is Output.VIEW and layer.reads and layer.reads[0] in found:
            found |= dict.fromkeys(layer.made, found[layer.reads[0]])
    return found


def _met(layer: LayerCost) -> Expr:
    """Return the input's elements that windows meet, where their stride is known to skip some."""
    loops = (loop for nest in layer.cost.nests for loop in nest.loops)
    windows = [(loop.window, loop.count) for loop in loops if loop.window is not None]
    shape = list(layer.inputs[0])
    for i, (window, count) in enumerate(windows, len(shape) - len(windows)):
        shape[i] = window.kernel * count if window.skips else shape[i]
    return elements(tuple(shape))


@metric("in_out_peak", "input + output", BYTES, LARGEST)
def in_out(layer: LayerCost, context: Context) -> Expr:
    """Return the bytes of input and output of a layer that makes a new feature map.

    Of a layer with several products it is the largest input and output of one of them, fused ones
    being one. Source: MIT 6.5940, lecture 2 (peak activation).
    """
    kernel = kernel_of(layer, context)
    if kernel is not None:
        moved = (data_movement(each, context).activations for each in kernel.layers)
        return Add(*moved) if layer is kernel.last else S.Zero
    if not makes_map(layer, context):
        return S.Zero
    if layer.cost.inner:
        return Maximum(*(_of_products(nests, layer, context) for nests in _steps(layer, context)))
    read = {tensor: elements(own) for tensor, own in zip(layer.reads, layer.inputs, strict=True)}
    reads = (context.bytes_of(tensor, size) for tensor, size in read.items())
    return Add(*reads, _writes(layer, context))


def _steps(layer: LayerCost, context: Context) -> Iterator[tuple[LoopNest, ...]]:
    """Yield the products of a layer one by one; those that a map not in memory connects, as one."""
    inside = {inner.name for inner in context.inside(layer)}
    fused = [nest for nest in layer.cost.nests if any(_is_fused(o, inside) for o in nest.operands)]
    yield from ((nest,) for nest in layer.cost.nests if nest not in fused)
    if fused:
        yield tuple(fused)


def _is_fused(operand: Operand, inside: Container[str]) -> bool:
    """Return whether an operand is a feature map inside a layer that is not in memory."""
    return operand.inner is not None and operand.inner not in inside


def _of_products(nests: Iterable[LoopNest], layer: LayerCost, context: Context) -> Expr:
    """Return the bytes that some products read and write; what is inside has the layer's type."""
    own, inside = context.types_of(layer).activations, {i.name for i in context.inside(layer)}
    return Add(
        *(
            in_bytes(
                nest.size(o), own if o.source is None else context.type_of(layer.reads[o.source])
            )
            for nest in nests
            for o in nest.operands
            if not o.learnable and not _is_fused(o, inside)
        )
    )


def _writes(layer: LayerCost, context: Context) -> Expr:
    if not makes_map(layer, context):
        return S.Zero
    made = zip(layer.made, map(elements, layer.outputs), strict=True)
    kernel = kernel_of(layer, context)
    written = (each for each in made if kernel is None or kernel.writes(each[0]))
    return Add(*(context.bytes_of(tensor, size) for tensor, size in written))

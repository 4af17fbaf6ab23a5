"""Operators of ONNX Runtime's own domain, each of which is several layers at once."""

from collections.abc import Callable, Sequence
from typing import Any

from archspec.importers.onnx.layers import (
    linear,
    merged,
    operator,
    product_of,
    split_heads,
    transposed,
)
from archspec.importers.onnx.operator import OnnxNode, UnknownOperatorError, field, short
from archspec.importers.onnx.quantized import applied
from archspec.importers.onnx.sizes import Extent, extent
from archspec.importers.onnx.values import OnnxTensor

DOMAIN = "com.microsoft"


def _own(*names: str) -> Callable[..., Any]:
    """Register the translation of operators of this domain."""
    return operator(*(f"{DOMAIN}.{name}" for name in names))


def _sum(op: OnnxNode, *values: OnnxTensor | None) -> OnnxTensor:
    """Return the sum of the tensors that are given."""
    there = [value for value in values if value is not None]
    made = there[0]
    for value in there[1:]:
        made = applied(op, "Add", [made, value])
    return made


def _input(op: OnnxNode, place: int) -> OnnxTensor | None:
    return op.value(place) if op.has(place) else None


@_own("BiasGelu", "FastGelu", "QuickGelu")
def _gelu(op: OnnxNode) -> list[OnnxTensor]:
    value = _sum(op, op.value(0), _input(op, 1))
    if op.kind != "QuickGelu":
        how = "tanh" if op.kind == "FastGelu" else "none"
        return [op.emit("gelu", [value], value.shape, approximate=how)]
    scale = short(op.attribute("alpha", 1.702))
    gate = op.emit("mul", [value], value.shape, other=scale)
    gate = op.emit("sigmoid", [gate], value.shape)
    return [op.emit("mul", [value, gate], value.shape)]


@_own("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
def _sum_and_norm(op: OnnxNode) -> list[OnnxTensor | None]:
    is_simple = "Simplified" in op.kind
    total = _sum(op, op.value(0), op.value(1), _input(op, 3 if is_simple else 4))
    shift = None if is_simple else _input(op, 3)
    kind = "RMSNormalization" if is_simple else "LayerNormalization"
    given = [total, op.value(2), *([shift] if shift else [])]
    return [applied(op, kind, given, axis=-1), None, None, total]


@_own("EmbedLayerNormalization")
def _embedded(op: OnnxNode) -> list[OnnxTensor | None]:
    total = applied(op, "Gather", [op.value(2), op.value(0)], axis=0)
    if op.has(8):
        total = _sum(op, total, applied(op, "Gather", [op.value(3), op.value(8)], axis=0))
    else:
        longest = op.shape(3)[0].field
        table = (op.value(3),)
        total = op.emit("positional_embedding", [total], total.shape, table, max_length=longest)
    if op.has(4):
        total = _sum(op, total, applied(op, "Gather", [op.value(4), op.value(1)], axis=0))
    norm = applied(op, "LayerNormalization", [total, op.value(5), op.value(6)], axis=-1)
    return [norm, None, total]


@_own("FusedMatMul")
def _scaled_product(op: OnnxNode) -> list[OnnxTensor]:
    if op.attribute("transBatchA", 0) or op.attribute("transBatchB", 0):
        raise UnknownOperatorError("turns the axes of the batch")
    left, right = op.value(0), op.value(1)
    left = transposed(op, left) if op.attribute("transA", 0) else left
    is_turned = bool(op.attribute("transB", 0))
    if right.fixed and len(op.shape(1)) == 2:
        shape = (*(left.shape or ())[:-1], op.shape(1)[0 if is_turned else 1])
        return [linear(op, left, right, shape, None)]
    return [product_of(op, left, transposed(op, right) if is_turned else right)]


@_own("FusedConv")
def _activated(op: OnnxNode) -> list[OnnxTensor]:
    made = _sum(op, applied(op, "Conv", op.inputs[:3]), _input(op, 3))
    kind = op.attribute("activation", "")
    given: Sequence[float] = op.attribute("activation_params") or ()
    names = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}.get(kind, ())
    if kind == "Clip":
        return [op.emit("clamp", [made], made.shape, min=short(given[0]), max=short(given[1]))]
    return [applied(op, kind, [made], **dict(zip(names, given, strict=False)))] if kind else [made]


@_own("RotaryEmbedding")
def _turned(op: OnnxNode) -> list[OnnxTensor]:
    """Pairs of features are turned; of heads side by side, the tables say how wide one is."""
    width = op.shape(2)[1].times(2)
    if op.attribute("rotary_embedding_dim", 0) not in (0, width.field):
        raise UnknownOperatorError("turns a part of the features")
    value, shape = op.value(0), op.shape()
    if len(shape) == 4:
        return [op.emit("rotary_embedding", [value], shape)]
    heads = op.attribute("num_heads", 0) or shape[2].floor_div(width)
    apart = split_heads(op, value, heads)
    return [merged(op, op.emit("rotary_embedding", [apart], apart.shape))]


@_own("Attention")
def _attention(op: OnnxNode) -> list[OnnxTensor | None]:
    """One linear layer for queries, keys and values, then attention; no layer behind it."""
    heads, width = op.attribute("num_heads"), op.shape(1)[1]
    sizes = [*map(extent, op.attribute("qkv_hidden_sizes") or [width.floor_div(3)] * 3)]
    shape = (*op.shape()[:2], width)
    made = linear(op, op.value(0), op.value(1), shape, _input(op, 2))
    parts = _parts(op, made, sizes, 2)
    queries, keys, values = (split_heads(op, part, heads) for part in parts)
    if op.has(4):
        shape = op.shape(4)[1:]
        past = [op.emit("select", [op.value(4)], shape, dim=0, index=i) for i in range(2)]
        keys, values = (_behind(op, *pair) for pair in zip(past, (keys, values), strict=True))
    causal = bool(op.attribute("unidirectional", 0))
    attended = _attended(op, queries, keys, values, causal=causal)
    both = (extent(2), *(keys.shape or ()))
    is_used = len(op.node.output) > 1 and op.uses.get(op.node.output[1])
    return [attended, op.emit("stack", [keys, values], both) if is_used else None]


@_own("MultiHeadAttention")
def _several_heads(op: OnnxNode) -> list[OnnxTensor | None]:
    heads, flat = op.attribute("num_heads"), [_input(op, i) for i in range(3)]
    if any(value is None or len(value.shape or ()) not in (3, 4) for value in flat):
        raise UnknownOperatorError("queries, keys and values lie in one tensor")
    entering = [value for value in flat if value is not None]
    if op.has(3):
        sizes = [(value.shape or ())[2] for value in entering if len(value.shape or ()) == 3]
        shifts = _parts(op, op.value(3), sizes, 0)
        entering[: len(sizes)] = [
            op.emit("add", [value, shift], value.shape)
            for value, shift in zip(entering, shifts, strict=False)
        ]
    queries, keys, values = (
        split_heads(op, each, heads) if len(each.shape or ()) == 3 else each for each in entering
    )
    if op.has(6):
        keys, values = _behind(op, op.value(6), keys), _behind(op, op.value(7), values)
    causal = bool(op.attribute("unidirectional", 0))
    return [_attended(op, queries, keys, values, causal=causal), keys, values]


@_own("GroupQueryAttention")
def _grouped(op: OnnxNode) -> list[OnnxTensor | None]:
    heads, groups = op.attribute("num_heads"), op.attribute("kv_num_heads")
    if op.has(1):
        parts = [op.value(i) for i in range(3)]
    else:
        width = op.shape()[2].floor_div(heads + 2 * groups)
        parts = _parts(
            op, op.value(0), [width.times(count) for count in (heads, groups, groups)], 2
        )
    counts = (heads, groups, groups)
    apart = [split_heads(op, part, count) for part, count in zip(parts, counts, strict=True)]
    if op.attribute("do_rotary", 0):
        apart[:2] = [op.emit("rotary_embedding", [each], each.shape) for each in apart[:2]]
    queries, keys, values = apart
    if op.has(3):
        keys, values = _behind(op, op.value(3), keys), _behind(op, op.value(4), values)
    window, softcap = op.attribute("local_window_size", -1), short(op.attribute("softcap", 0.0))
    fields = {"window": window if window > 0 else None, "softcap": softcap or None}
    return [_attended(op, queries, keys, values, causal=True, **fields), keys, values]


def _parts(op: OnnxNode, value: OnnxTensor, sizes: Sequence[Extent], axis: int) -> list[OnnxTensor]:
    """Return the parts of an axis of a tensor."""
    made = op.emit("split", [value], None, sizes=tuple(map(field, sizes)), dim=axis)
    shape = value.shape or ()
    shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    return [OnnxTensor(each, f"{made.call}.{i}") for i, each in enumerate(shapes)]


def _behind(op: OnnxNode, past: OnnxTensor, value: OnnxTensor) -> OnnxTensor:
    """Return the keys or values of all tokens, behind those that came before."""
    before, shape = past.shape or (), value.shape or ()
    if before[2].field == 0:
        return value
    joined = (*shape[:2], before[2].plus(shape[2]), shape[3])
    return op.emit("concat", [past, value], joined, axis=2)


def _attended(
    op: OnnxNode,
    queries: OnnxTensor,
    keys: OnnxTensor,
    values: OnnxTensor,
    *,
    causal: bool,
    **fields: Any,
) -> OnnxTensor:
    """Return attention's heads side by side; a mask, and what is added to scores, costs nothing."""
    shape = (*(queries.shape or ())[:3], (values.shape or ())[3])
    entering = [queries, keys, values]
    kind = "scaled_dot_product_attention"
    return merged(op, op.emit(kind, entering, shape, causal=causal, **fields))

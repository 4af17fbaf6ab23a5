"""ONNX operators that are layers: convolutions, products, norms, pools, activations."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from archspec.errors import SpecError
from archspec.importers.onnx.operator import (
    OnnxNode,
    UnknownOperatorError,
    elements,
    field,
    per_axis,
    short,
)
from archspec.importers.onnx.sizes import Extent, chosen, extent, product
from archspec.importers.onnx.values import OnnxTensor, Shape, joined_shape

Translate = Callable[[OnnxNode], Sequence[OnnxTensor | None]]

OPERATORS: dict[str, Translate] = {}
"""ONNX's operator → the calls that it is."""


def operator(*names: str) -> Callable[[Translate], Translate]:
    """Register the translation of operators.

    Args:
        names: ONNX's names of them.
    """

    def register(function: Translate) -> Translate:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


_BY_NAME = (
    "Relu Sigmoid Tanh Softplus Softsign HardSwish Mish Selu HardSigmoid Silu Exp Log Sqrt Abs Neg",
    "Erf Reciprocal Floor Ceil Round Sign Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
    "IsNaN IsInf",
)

SAME_SHAPE: Mapping[str, tuple[str, Mapping[str, tuple[str, float]]]] = {
    **{name: (name.lower(), {}) for line in _BY_NAME for name in line.split()},
    "Swish": ("silu", {}),
    "Not": ("logical_not", {}),
    "BitwiseNot": ("bitwise_not", {}),
    "LeakyRelu": ("leaky_relu", {"negative_slope": ("alpha", 0.01)}),
    "Elu": ("elu", {"alpha": ("alpha", 1.0)}),
    "Celu": ("celu", {"alpha": ("alpha", 1.0)}),
    "ThresholdedRelu": ("threshold", {"threshold": ("alpha", 1.0), "value": ("", 0.0)}),
}
"""Operators of one tensor whose shape stays → the kind, and where each field comes from."""

BROADCAST: Mapping[str, str] = {
    "Add": "add",
    "Mul": "mul",
    "Sub": "sub",
    "Div": "div",
    "Pow": "pow",
    "Mod": "remainder",
    "Max": "maximum",
    "Min": "minimum",
    "Sum": "add",
    "Where": "where",
    "Equal": "eq",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "Less": "lt",
    "LessOrEqual": "le",
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
}
"""Operators that broadcast their tensors → the kind."""

COMMUTE = frozenset({"Add", "Mul", "Max", "Min", "Equal", "And", "Or", "Xor"})
"""Operators of two tensors whose order is of no account."""


def _unary(op: OnnxNode) -> list[OnnxTensor]:
    kind, fields = SAME_SHAPE[op.kind]
    given = {n: short(op.attribute(at, usual)) for n, (at, usual) in fields.items()}
    return [op.emit(kind, [op.value(0)], op.value(0).shape, **given)]


def _broadcast(op: OnnxNode) -> list[OnnxTensor]:
    values = [value for value in op.inputs if value is not None]
    biased = _biased(op, values) if op.kind == "Add" and len(values) == 2 else None
    if biased is not None:
        return [biased]
    if len(values) == 1:
        return values
    values = _aligned(op, values)
    shapes = [value.shape for value in values if value.shape is not None]
    shape = joined_shape(shapes) if len(shapes) == len(values) else None
    left, *rest = values
    if op.kind in COMMUTE and len(rest) == 1 and left.fixed:
        left, rest = rest[0], [left]
    number = rest[0].number if len(rest) == 1 and left.call and left.shape == shape else None
    if number is not None:
        return [op.emit(BROADCAST[op.kind], [left], shape, other=number)]
    return [op.emit(BROADCAST[op.kind], values, shape)]


def _aligned(op: OnnxNode, values: list[OnnxTensor]) -> list[OnnxTensor]:
    """Up to opset 6 the second tensor is placed by an axis: give it the axes behind."""
    if op.opset > 6 or not op.attribute("broadcast", 0) or op.attribute("axis") is None:
        return values
    left, right = values
    if left.shape is None or right.shape is None:
        return values
    axis = op.attribute("axis") % len(left.shape)
    behind = len(left.shape) - axis - len(right.shape)
    return [left, right._replace(shape=right.shape + (extent(1),) * behind)]


def _biased(op: OnnxNode, values: Sequence[OnnxTensor]) -> OnnxTensor | None:
    """A linear layer or a convolution that had no bias, with this addition as its bias."""
    for made, bias in (values, values[::-1]):
        call = op.calls.made.get(made.call)
        if call is None or call.fields.get("bias") is not False or not bias.fixed:
            continue
        if made.shape is None or bias.shape is None or not (bias.weight and bias.real):
            continue
        name = next(n for n, v in zip(op.node.input, op.inputs, strict=True) if v is made)
        place = len(made.shape) - 1 if call.kind == "linear" else 1
        wide = (extent(1),) * (len(made.shape) - len(bias.shape)) + bias.shape
        wanted = tuple(s if i == place else extent(1) for i, s in enumerate(made.shape))
        if wide == wanted and op.uses.get(name) == 1:
            fields = {n: v for n, v in call.fields.items() if n != "bias"}
            held = f"{call.weights}, {op.owned(bias).weight}"
            op.calls.made[call.name] = call._replace(fields=fields, weights=held)
            return made
    return None


OPERATORS.update(dict.fromkeys(SAME_SHAPE, _unary))
OPERATORS.update(dict.fromkeys(BROADCAST, _broadcast))


def _size(value: OnnxTensor, axis: int, what: str = "the weight") -> int:
    """An extent of a stored tensor."""
    size = value.shape[axis].field if value.shape is not None else None
    if size is None:
        raise SpecError(f"an extent of {what} is unknown")
    return size


def _weight(op: OnnxNode, place: int) -> OnnxTensor:
    value = op.value(place)
    if not value.fixed:
        raise UnknownOperatorError(f"the weight (input {place}) depends on data")
    return value


class _Windows:
    """Kernel, strides, dilations and pads of a convolution or a pool."""

    def __init__(self, op: OnnxNode, kernel: Sequence[int]) -> None:
        self.kernel = list(kernel)
        rank = len(self.kernel)
        self.strides = op.integers("strides", rank, 1)
        self.dilations = op.integers("dilations", rank, 1)
        pads = op.integers("pads", 2 * rank, 0)
        self.sides = list(zip(pads[:rank], pads[rank:], strict=True))
        self.auto = op.attribute("auto_pad", "NOTSET")
        if self.auto == "VALID":
            self.sides = [(0, 0)] * rank
        if min(self.kernel + self.strides + self.dilations, default=1) < 1:
            raise SpecError("kernel, strides and dilations must be at least 1")

    @property
    def same(self) -> bool:
        return self.auto in ("SAME_UPPER", "SAME_LOWER")

    @property
    def reach(self) -> list[int]:
        """Elements that a window spans."""
        return [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    def outputs(self, sizes: Shape, ceil: bool = False) -> Shape:
        rows = zip(sizes, self.reach, self.strides, self.sides, strict=True)
        if self.same:
            return tuple(size.ceil_div(s) for size, _, s, _ in rows)
        return tuple(_positions(size, reach, s, *side, ceil) for size, reach, s, side in rows)


def _positions(
    size: Extent, reach: int, stride: int, before: int, after: int, ceil: bool
) -> Extent:
    """The number of windows; with ``ceil`` none begins behind the input (never if s ≤ k − p)."""
    span = size.plus(before + after - reach)
    if not ceil:
        return span.floor_div(stride).plus(1)
    if stride <= reach - after:
        return span.ceil_div(stride).plus(1)
    last = size.plus(before - 1).floor_div(stride).plus(1)
    return chosen("min", [span.ceil_div(stride).plus(1), last])


def _convolved(op: OnnxNode) -> tuple[Shape, OnnxTensor, int]:
    """Return what enters a convolution, its weight, and its number of spatial axes.

    Raises:
        UnknownOperatorError: there are none, or more than three.
    """
    shape, weight = op.shape(), _weight(op, 1)
    rank = len(shape) - 2
    if not 1 <= rank <= 3:
        raise UnknownOperatorError(f"a convolution over {rank} axes; kinds have 1 to 3")
    return shape, weight, rank


@operator("Conv")
def _conv(op: OnnxNode) -> list[OnnxTensor]:
    shape, weight, rank = _convolved(op)
    kernel = [_size(weight, axis) for axis in range(2, 2 + rank)]
    windows = _Windows(op, kernel)
    channels = _size(weight, 0)
    if windows.same:
        padding: Any = "same"
    elif all(before == after for before, after in windows.sides):
        padding = per_axis([before for before, _ in windows.sides])
    else:
        padding = tuple(windows.sides)
    outputs = (shape[0], extent(channels), *windows.outputs(shape[2:]))
    bias = _weight(op, 2) if op.has(2) else None
    return [
        op.emit(
            f"conv{rank}d",
            [op.value(0)],
            outputs,
            (weight, bias),
            out_channels=channels,
            kernel_size=per_axis(kernel),
            stride=per_axis(windows.strides),
            padding=padding,
            dilation=per_axis(windows.dilations),
            groups=op.attribute("group", 1),
            bias=bias is not None,
        )
    ]


@operator("ConvTranspose")
def _conv_transpose(op: OnnxNode) -> list[OnnxTensor]:
    shape, weight, rank = _convolved(op)
    windows = _Windows(op, [_size(weight, axis) for axis in range(2, 2 + rank)])
    extra = op.integers("output_padding", rank, 0)
    sides = _cut(op, windows, extra, shape[2:])
    padding = [max(0, min(side)) for side in sides]
    groups = op.attribute("group", 1)
    channels = _size(weight, 1) * groups
    rows = zip(shape[2:], windows.strides, windows.reach, padding, extra, strict=True)
    outputs = tuple(h.minus(1).times(s).plus(r - 2 * p + e) for h, s, r, p, e in rows)
    bias = _weight(op, 2) if op.has(2) else None
    made = op.emit(
        f"conv_transpose{rank}d",
        [op.value(0)],
        (shape[0], extent(channels), *outputs),
        (weight, bias),
        out_channels=channels,
        kernel_size=per_axis(windows.kernel),
        stride=per_axis(windows.strides),
        padding=per_axis(padding),
        output_padding=per_axis(extra),
        dilation=per_axis(windows.dilations),
        groups=groups,
        bias=bias is not None,
    )
    left = [(p - b, p - a) for (b, a), p in zip(sides, padding, strict=True)]
    return [padded(op, made, [(0, 0), (0, 0), *left])]


def _cut(op: OnnxNode, windows: _Windows, extra: list[int], sizes: Shape) -> list[tuple[int, int]]:
    """Elements that a transposed convolution cuts off, per side."""
    given = op.attribute("output_shape")
    if not given and not windows.same:
        return windows.sides
    wanted = [extent(g) for g in given[-len(sizes) :]] if given else []
    wanted = wanted or [h.times(s) for h, s in zip(sizes, windows.strides, strict=True)]
    rows = zip(sizes, windows.strides, windows.reach, extra, wanted, strict=True)
    cuts = []
    for size, stride, reach, more, want in rows:
        total = size.minus(1).times(stride).plus(reach + more).minus(want).field
        if total is None:
            raise SpecError("output_shape is given, but the input's extent is a symbol")
        total = total if given else max(total, 0)
        half = total // 2 if windows.auto != "SAME_LOWER" else total - total // 2
        cuts.append((half, total - half))
    return cuts


def padded(
    op: OnnxNode, value: OnnxTensor, sides: Sequence[tuple[Any, Any]], **fields: Any
) -> OnnxTensor:
    """Return a tensor with elements added before and after its axes.

    Raises:
        SpecError: its rank is unknown.
    """
    if value.shape is None:
        raise SpecError("pads a tensor of unknown rank")
    wide = [(extent(before), extent(after)) for before, after in sides]
    shape = tuple(s.plus(b).plus(a) for s, (b, a) in zip(value.shape, wide, strict=True))
    first = next((i for i, side in enumerate(wide) if any(e.terms for e in side)), None)
    if first is None:
        return value
    flat = [field(each) for side in reversed(wide[first:]) for each in side]
    return op.emit("pad", [value], shape, pad=tuple(flat), **fields)


@operator("MaxPool", "AveragePool", "LpPool")
def _pool(op: OnnxNode) -> list[OnnxTensor | None]:
    if len(op.node.output) > 1 and op.node.output[1] and op.uses.get(op.node.output[1]):
        raise UnknownOperatorError("the indices of the maxima are used")
    value, kernel = op.value(0), list(op.attribute("kernel_shape"))
    rank = len(op.shape()) - 2
    if not 1 <= rank <= 3 or len(kernel) != rank:
        raise UnknownOperatorError(f"a pool over {rank} axes; kinds have 1 to 3")
    windows, ceil = _Windows(op, kernel), bool(op.attribute("ceil_mode", 0))
    sides = _same_sides(windows, op.shape()[2:]) if windows.same else windows.sides
    rows = zip(sides, windows.kernel, strict=True)
    p, mean = op.attribute("p", 2), op.kind != "MaxPool"
    if op.kind == "LpPool":  # the root of a sum of powers, and a sum is a mean times its terms
        value = op.emit("pow", [value], value.shape, other=p)
    dilated = mean and max(windows.dilations) > 1
    if dilated:
        raise UnknownOperatorError("a mean of a dilated window")
    inside = all(b == a and isinstance(b, int) and 2 * b <= k for (b, a), k in rows)
    if not inside:
        value = padded(op, value, [(0, 0), (0, 0), *sides])
        windows.auto, windows.sides = "NOTSET", [(0, 0)] * rank
    shape = value.shape or ()
    output = (*shape[:2], *windows.outputs(shape[2:], ceil))
    fields: dict[str, Any] = {
        "kernel_size": per_axis(kernel),
        "stride": None if windows.strides == kernel else per_axis(windows.strides),
        "padding": per_axis([b for b, _ in windows.sides]),
        "ceil_mode": ceil,
    }
    if mean:
        includes = op.kind == "LpPool" or bool(op.attribute("count_include_pad", 0))
        fields["count_include_pad"] = includes or not any(b for b, _ in windows.sides)
    else:
        fields["dilation"] = per_axis(windows.dilations)
    if inside and windows.same:
        fields["padding"] = per_axis([b for b, _ in sides])
    made = op.emit(f"{'avgpool' if mean else 'maxpool'}{rank}d", [value], output, **fields)
    if op.kind == "LpPool":
        made = op.emit("mul", [made], output, other=prod(kernel))
        made = op.emit("pow", [made], output, other=short(1 / p))
    return [made, None]


def _same_sides(windows: _Windows, sizes: Shape) -> list[tuple[Any, Any]]:
    """Return the padding before and after each axis that makes room for ``ceil(h/s)`` windows."""
    sides: list[tuple[Any, Any]] = []
    for size, reach, stride in zip(sizes, windows.reach, windows.strides, strict=True):
        total = size.ceil_div(stride).minus(1).times(stride).plus(reach).minus(size)
        total = total if reach >= stride else chosen("max", [0, total])
        half, up = total.floor_div(2), total.ceil_div(2)
        pair = (up, half) if windows.auto == "SAME_LOWER" else (half, up)
        numbers = tuple(p if p.field is None else p.field for p in pair)
        sides.append((numbers[0], numbers[1]))
    return sides


@operator("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(op: OnnxNode) -> list[OnnxTensor]:
    shape = op.shape()
    output = (*shape[:2], *(extent(1) for _ in shape[2:]))
    kind = "global_avgpool" if op.kind == "GlobalAveragePool" else "global_maxpool"
    return [op.emit(kind, [op.value(0)], output)]


@operator("BatchNormalization")
def _batchnorm(op: OnnxNode) -> list[OnnxTensor | None]:
    eps, momentum = op.attribute("epsilon", 1e-5), 1 - op.attribute("momentum", 0.9)
    made = op.emit(
        "batchnorm",
        [op.value(0)],
        op.value(0).shape,
        (_weight(op, 1), _weight(op, 2)),
        eps=short(eps),
        momentum=short(momentum),
    )
    return [made, *[None] * 4]


@operator("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def _layernorm(op: OnnxNode) -> list[OnnxTensor | None]:
    shape = op.shape()
    axes = len(shape) - op.axis(-1, len(shape))
    weights = [_weight(op, i) for i in range(1, len(op.inputs)) if op.has(i)]
    fields: dict[str, Any] = {"eps": short(op.attribute("epsilon", 1e-5))}
    if op.kind == "LayerNormalization":
        kind = "layernorm"
        fields |= {"axes": axes, "bias": op.has(2)}
    elif axes == 1:
        kind = "rmsnorm"
    else:
        flat = (*shape[:-axes], product(shape[-axes:]))
        value = op.emit("flatten", [op.value(0)], flat, start_dim=len(shape) - axes)
        made = op.emit("rmsnorm", [value], flat, weights, **fields)
        return [op.emit("reshape", [made], shape, shape=tuple(map(field, shape)))]
    return [op.emit(kind, [op.value(0)], shape, weights, **fields)]


@operator("GroupNormalization", "InstanceNormalization", "LRN")
def _group(op: OnnxNode) -> list[OnnxTensor]:
    shape, value = op.shape(), op.value(0)
    if op.kind == "LRN":
        names = (("alpha", "alpha", 1e-4), ("beta", "beta", 0.75), ("k", "bias", 1.0))
        fields = {name: short(op.attribute(at, default)) for name, at, default in names}
        return [op.emit("local_response_norm", [value], shape, size=op.attribute("size"), **fields)]
    weights = (_weight(op, 1), _weight(op, 2))
    eps = short(op.attribute("epsilon", 1e-5))
    if op.kind == "InstanceNormalization":
        affine = any(w.initial and not is_filled_in(w.weight) for w in weights)
        held = weights if affine else ()
        return [op.emit("instancenorm", [value], shape, held, affine=affine, eps=eps)]
    groups = op.attribute("num_groups")
    if op.opset < 21 and elements(weights[0].shape or ()) != shape[1].field:
        raise UnknownOperatorError("a scale per group")
    return [op.emit("groupnorm", [value], shape, weights, num_groups=groups, eps=eps)]


def is_filled_in(name: str) -> bool:
    """Return whether a stored tensor is no module's: torch gives those names of its nodes.

    An instance norm without scale and shift has ones and zeros in their places.
    """
    return name.startswith("/")


@operator("Gemm")
def _gemm(op: OnnxNode) -> list[OnnxTensor]:
    value, weight = op.value(0), op.value(1)
    if op.attribute("transA", 0):
        value = transposed(op, value)
    across = bool(op.attribute("transB", 0))
    if not weight.fixed:
        made = product_of(op, value, transposed(op, weight) if across else weight)
        return [_added(op, made, op.value(2))] if op.has(2) else [made]
    bias = op.inputs[2] if op.has(2) else None
    features = _size(weight, 0 if across else 1)
    folded = bias is not None and bias.fixed and elements(bias.shape or ()) == features
    shape = (*(value.shape or ())[:-1], extent(features))
    made = linear(op, value, weight, shape, bias if folded else None)
    return [made if bias is None or folded else _added(op, made, bias)]


def _added(op: OnnxNode, left: OnnxTensor, right: OnnxTensor) -> OnnxTensor:
    shapes = [left.shape or (), right.shape or ()]
    return op.emit("add", [left, right], joined_shape(shapes))


def linear(
    op: OnnxNode, value: OnnxTensor, weight: OnnxTensor, shape: Shape, bias: OnnxTensor | None
) -> OnnxTensor:
    """Return what leaves a linear layer."""
    fields = {"out_features": field(shape[-1]), "bias": bias is not None}
    return op.emit("linear", [value], shape, (weight, bias), **fields)


def permuted(op: OnnxNode, value: OnnxTensor, order: Sequence[int]) -> OnnxTensor:
    """Return a tensor with its axes in another order; two orders, one after the other, are one."""
    shape = value.shape or ()
    output = tuple(shape[i] for i in order)
    made = op.calls.made.get(value.call)
    if made is not None and made.kind == "permute":
        before: Any = made.fields["dims"]
        order = [before[i] for i in order]
        value = value._replace(call=made.inputs[0])
    if list(order) == list(range(len(shape))):
        return value._replace(shape=output)
    return op.emit("permute", [value], output, dims=tuple(order))


def transposed(op: OnnxNode, value: OnnxTensor) -> OnnxTensor:
    """Return a tensor with its last two axes in each other's place."""
    rank = len(value.shape or ())
    return permuted(op, value, (*range(rank - 2), rank - 1, rank - 2))


def product_of(op: OnnxNode, left: OnnxTensor, right: OnnxTensor) -> OnnxTensor:
    """Return the product of two tensors.

    Raises:
        UnknownOperatorError: one has fewer than two axes.
    """
    a, b = left.shape, right.shape
    if a is None or b is None:
        raise SpecError("multiplies tensors of unknown rank")
    if min(len(a), len(b)) < 2:
        return _product_of_rows(op, left, right)
    shape = (*joined_shape([a[:-2], b[:-2]]), a[-2], b[-1])
    return op.emit("matmul", [left, right], shape)


def _product_of_rows(op: OnnxNode, left: OnnxTensor, right: OnnxTensor) -> OnnxTensor:
    """A tensor of one axis is a row on the left, a column on the right; the axis goes again."""
    a, b = left.shape or (), right.shape or ()
    if len(a) == 1:
        left = op.emit("unsqueeze", [left], (extent(1), *a), dim=0)
    if len(b) == 1:
        right = op.emit("unsqueeze", [right], (*b, extent(1)), dim=1)
    made = product_of(op, left, right)
    for one, dim in ((b, -1), (a, -2)):
        if len(one) == 1 and made.shape is not None:
            shape = made.shape[:-1] if dim == -1 else (*made.shape[:-2], *made.shape[-1:])
            made = op.emit("squeeze", [made], shape, dim=dim if len(b) > 1 or dim == -1 else -1)
    return made


@operator("MatMul")
def _matmul(op: OnnxNode) -> list[OnnxTensor]:
    left, right = op.value(0), op.value(1)
    if right.fixed and right.real and len(op.shape(1)) == 2 and len(op.shape(0)) > 1:
        return [linear(op, left, right, (*op.shape(0)[:-1], op.shape(1)[1]), None)]
    return [product_of(op, left, right)]


@operator("Attention")
def _attention(op: OnnxNode) -> list[OnnxTensor | None]:
    """Queries, keys and values of heads, or side by side in one axis; a mask costs nothing."""
    flat = len(op.shape()) == 3
    counts = (op.attribute("q_num_heads"), *(op.attribute("kv_num_heads"),) * 2)
    values = [op.value(place) for place in range(3)]
    if flat:
        values = [split_heads(op, each, count) for each, count in zip(values, counts, strict=True)]
    for i, past in enumerate(op.inputs[4:6], 1):
        if past is not None:
            joined = (past.shape or ())[2].plus((values[i].shape or ())[2])
            shape = (*(values[i].shape or ())[:2], joined, (values[i].shape or ())[3])
            values[i] = op.emit("concat", [past, values[i]], shape, axis=2)
    if len(op.node.output) > 3 and op.uses.get(op.node.output[3]):
        raise UnknownOperatorError("the scores are used")
    (n, heads, length, _), width = values[0].shape or (), (values[2].shape or ())[3]
    fields: dict[str, Any] = {"causal": bool(op.attribute("is_causal", 0))}
    fields["softcap"] = short(op.attribute("softcap", 0.0)) or None
    output = (n, heads, length, width)
    made = op.emit("scaled_dot_product_attention", values, output, **fields)
    return [merged(op, made) if flat else made, *values[1:]]


@operator("AttentionByColumns")
def _attention_by_columns(op: OnnxNode) -> list[OnnxTensor]:
    """Queries times keys whose last two axes have changed places (see `onnx_patterns`)."""
    queries, keys, values = op.value(0), transposed(op, op.value(1)), op.value(2)
    output = (*op.shape()[:-1], *op.shape(2)[-1:])
    return [op.emit("scaled_dot_product_attention", [queries, keys, values], output)]


def split_heads(op: OnnxNode, value: OnnxTensor, heads: int | Extent) -> OnnxTensor:
    """Return a tensor ``(n, t, d)`` as ``(n, heads, t, d/heads)``.

    Args:
        op: the operator that wants it.
        value: the tensor.
        heads: how many there are.
    """
    n, length, features = value.shape or (extent(1),) * 3
    split = (n, length, extent(heads), features.floor_div(heads))
    wide = op.emit("reshape", [value], split, shape=tuple(map(field, split)))
    return op.emit("permute", [wide], (n, split[2], length, split[3]), dims=(0, 2, 1, 3))


def merged(op: OnnxNode, value: OnnxTensor) -> OnnxTensor:
    """Return heads ``(n, heads, t, d/heads)`` side by side, ``(n, t, d)``.

    Args:
        op: the operator that wants it.
        value: the heads.
    """
    n, heads, length, width = value.shape or (extent(1),) * 4
    turned = op.emit("permute", [value], (n, length, heads, width), dims=(0, 2, 1, 3))
    return op.emit("flatten", [turned], (n, length, heads.times(width)), start_dim=2)


@operator("RotaryEmbedding")
def _rotary(op: OnnxNode) -> list[OnnxTensor]:
    """Pairs of features are turned by the position, whatever the axes before."""
    if op.attribute("rotary_embedding_dim", 0):
        raise UnknownOperatorError("turns a part of the features")
    value = op.value(0)
    if len(op.shape()) == 4:
        return [op.emit("rotary_embedding", [value], value.shape)]
    turned = op.emit("rotary_embedding", [split_heads(op, value, op.attribute("num_heads"))], None)
    n, length, features = op.shape()
    heads = op.attribute("num_heads")
    shape = (n, extent(heads), length, features.floor_div(heads))
    return [merged(op, turned._replace(shape=shape))]


@operator("Einsum")
def _einsum(op: OnnxNode) -> list[OnnxTensor]:
    text = op.attribute("equation", "").replace(" ", "")
    if "..." in text:
        lead = len(op.shape()) - len(text.replace("...", "").split(",")[0].split("->")[0])
        text = text.replace("...", "ABCDEFGH"[:lead])
    entering, _, leaving = text.partition("->")
    terms = entering.split(",")
    if len(terms) > 2 or any(len(set(term)) < len(term) for term in (*terms, leaving)):
        raise UnknownOperatorError(f"the equation {text}; kinds take two tensors and no diagonal")
    if "->" not in text:
        letters = sorted(set(entering) - {","})
        leaving = "".join(letter for letter in letters if entering.count(letter) == 1)
    sizes: dict[str, Extent] = {}
    for place, term in enumerate(terms):
        sizes |= dict(zip(term, op.shape(place), strict=True))
    spaced = [" ".join(term) for term in (*terms, leaving)]
    equation = f"{', '.join(spaced[:-1])} -> {spaced[-1]}"
    values = [op.value(place) for place in range(len(terms))]
    return [op.emit("einsum", values, tuple(sizes[i] for i in leaving), equation=equation)]


@operator("Softmax", "LogSoftmax")
def _softmax(op: OnnxNode) -> list[OnnxTensor]:
    kind = "softmax" if op.kind == "Softmax" else "log_softmax"
    shape, value = op.shape(), op.value(0)
    rank = len(shape)
    axis = op.axis(-1 if op.opset >= 13 else 1, rank)
    if op.opset < 13 and any(size.field != 1 for size in shape[axis + 1 :]):
        flat = op.emit("flatten", [value], _flattened(shape, axis), start_dim=axis)
        made = op.emit(kind, [flat], flat.shape)
        return [op.emit("reshape", [made], shape, shape=tuple(map(field, shape)))]
    return [op.emit(kind, [value], shape, dim=axis if axis < rank - 1 else -1)]


def _flattened(shape: Shape, axis: int) -> Shape:
    total = extent(1)
    for size in shape[axis:]:
        total = total.times(size)
    return (*shape[:axis], total)


@operator("PRelu")
def _prelu(op: OnnxNode) -> list[OnnxTensor]:
    slopes = _weight(op, 1)
    count = elements(slopes.shape or ())
    if count not in (1, op.shape()[1].field if len(op.shape()) > 1 else 1):
        raise UnknownOperatorError("slopes that are neither one nor one per channel")
    return [op.emit("prelu", [op.value(0)], op.shape(), (slopes,), num_parameters=count)]


@operator("Gelu")
def _gelu(op: OnnxNode) -> list[OnnxTensor]:
    approximate = op.attribute("approximate", "none")
    return [op.emit("gelu", [op.value(0)], op.value(0).shape, approximate=approximate)]


@operator("Shrink")
def _shrink(op: OnnxNode) -> list[OnnxTensor]:
    bias, bound = op.attribute("bias", 0.0), short(op.attribute("lambd", 0.5))
    if bias not in (0.0, op.attribute("lambd", 0.5)):
        raise UnknownOperatorError("a bias that is neither 0 nor lambd")
    kind = "softshrink" if bias else "hardshrink"
    return [op.emit(kind, [op.value(0)], op.value(0).shape, lambd=bound)]


@operator("Clip")
def _clip(op: OnnxNode) -> list[OnnxTensor]:
    low, high = (_bound(op, i, name) for i, name in ((1, "min"), (2, "max")))
    value = op.value(0)
    if low is None and high is None:
        return [value]
    kind = CLIPS.get((low, high))
    fields = {} if kind else {"min": low, "max": high}
    return [op.emit(kind or "clamp", [value], value.shape, **fields)]


CLIPS: Mapping[tuple[float | None, float | None], str] = {
    (0, None): "relu",
    (0, 6): "relu6",
    (-1, 1): "hardtanh",
}
"""Bounds → the activation that has them."""


def _bound(op: OnnxNode, place: int, name: str) -> float | None:
    if op.opset < 11:
        bound = op.attribute(name)
        return None if bound is None or abs(bound) > 3e38 else short(bound)
    if not op.has(place):
        return None
    number = op.value(place).number
    if number is None:
        raise UnknownOperatorError(f"the bound {name} depends on data or on a symbol")
    return number if abs(number) < 3e38 else None


@operator("LSTM", "GRU", "RNN")
def _recurrent(op: OnnxNode) -> list[OnnxTensor | None]:
    shape, weight = op.shape(), _weight(op, 1)
    hidden = op.attribute("hidden_size", _size(weight, 1))
    direction = op.attribute("direction", "forward")
    both, first = direction == "bidirectional", bool(op.attribute("layout", 0))
    if op.has(7) or op.attribute("clip") or op.has(4):
        raise UnknownOperatorError("peepholes, a clip, or lengths of the sequences")
    first_states = [op.value(i) for i in (5, 6) if op.has(i)]
    if all(state.fixed for state in first_states):
        first_states = []
    weights = [_weight(op, i) for i in (1, 2, 3) if op.has(i)]
    count = 2 if both else 1
    fields: dict[str, Any] = {"hidden_size": hidden, "bidirectional": both, "bias": op.has(3)}
    output = (*shape[:2], extent(count * hidden))
    kind = op.kind.lower()
    leaves = any(op.uses.get(name) for name in op.node.output[1:] if name)
    entering = [op.value(0), *(_turned(op, state, first) for state in first_states)]
    fields |= {"batch_first": first, "states": leaves}
    made = op.emit(kind, entering, output, weights, **fields)
    steps = made._replace(call=f"{made.call}.0") if leaves else made
    sides = _with_directions(op, steps, count, hidden, 2 if first else 1)
    if not leaves:
        return [sides]
    state = (extent(count), shape[0 if first else 1], extent(hidden))
    last = (OnnxTensor(state, f"{made.call}.{i}") for i in range(1, len(op.node.output)))
    return [sides, *(_turned(op, each, first) for each in last)]


def _turned(op: OnnxNode, state: OnnxTensor, is_turned: bool) -> OnnxTensor:
    """Turn a state between ``(D, n, h)`` and ``(n, D, h)``, which ONNX has batch first."""
    if not is_turned or state.shape is None:
        return state
    a, b, c = state.shape
    return op.emit("transpose", [state], (b, a, c), dim0=0, dim1=1)


def _with_directions(
    op: OnnxNode, made: OnnxTensor, count: int, hidden: int, place: int
) -> OnnxTensor:
    """ONNX has an axis for the directions: ``(t, D, n, h)``, or ``(n, t, D, h)`` batch first."""
    a, b, _ = made.shape or (extent(1),) * 3
    if count == 1:
        shape = (
            (a, b, extent(1), extent(hidden)) if place == 2 else (a, extent(1), b, extent(hidden))
        )
        return op.emit("unsqueeze", [made], shape, dim=place)
    split = (a, b, extent(count), extent(hidden))
    wide = op.emit("reshape", [made], split, shape=tuple(map(field, split)))
    if place == 2:
        return wide
    return op.emit("permute", [wide], (a, split[2], b, split[3]), dims=(0, 2, 1, 3))

"""ONNX operators that look up, sort and accumulate elements."""

from typing import Any

from archspec.errors import SpecError
from archspec.importers.onnx.layers import operator
from archspec.importers.onnx.operator import (
    OnnxNode,
    UnknownOperatorError,
    checked_axis,
    field,
    per_axis,
)
from archspec.importers.onnx.sizes import Extent, extent
from archspec.importers.onnx.values import OnnxTensor, Shape, joined_shape


def _number(op: OnnxNode, place: int, default: int | None = None) -> Extent:
    """The only number that an input holds."""
    if default is not None and not op.has(place):
        return extent(default)
    item = op.known(place).item
    if item is None:
        raise SpecError(f"input {place} must be one number")
    return item


@operator("Trilu", "CumSum", "CumProd", "LpNormalization")
def _same_shape(op: OnnxNode) -> list[OnnxTensor]:
    """Translate operators along one axis, or beside a diagonal, which keep the shape."""
    value, shape = op.value(0), op.shape()
    if op.kind == "Trilu":
        kind = "triu" if op.attribute("upper", 1) else "tril"
        return [op.emit(kind, [value], shape, diagonal=field(_number(op, 1, 0)))]
    if op.kind == "LpNormalization":
        axis, p = op.axis(-1, len(shape)), op.attribute("p", 2)
        return [op.emit("normalize", [value], shape, dim=axis, p=p)]
    axis = checked_axis(_number(op, 1).field or 0, len(shape))
    return [op.emit(op.kind.lower(), [value], shape, dim=axis)]


@operator("GatherElements")
def _gather_elements(op: OnnxNode) -> list[OnnxTensor]:
    axis = op.axis(0, len(op.shape()))
    return [op.emit("gather", [op.value(0), op.value(1)], op.shape(1), dim=axis)]


@operator("Scatter", "ScatterElements")
def _scatter(op: OnnxNode) -> list[OnnxTensor]:
    reduce = op.attribute("reduction", "none")
    if reduce not in ("none", "add"):
        raise UnknownOperatorError(f"the reduction {reduce}; the kind scatter puts or adds")
    values, axis = [op.value(i) for i in range(3)], op.axis(0, len(op.shape()))
    return [op.emit("scatter", values, op.shape(), dim=axis, reduce=reduce)]


@operator("TopK")
def _top(op: OnnxNode) -> list[OnnxTensor]:
    shape = op.shape()
    axis = op.axis(-1, len(shape))
    count = extent(op.attribute("k")) if op.opset < 10 else _number(op, 1)
    left = (*shape[:axis], count, *shape[axis + 1 :])
    fields = {"k": field(count), "dim": axis, "largest": bool(op.attribute("largest", 1))}
    made = op.emit("topk", [op.value(0)], None, **fields)
    return [OnnxTensor(left, f"{made.call}.{i}", real=i == 0) for i in range(2)]


@operator("OneHot", "Hardmax")
def _one_hot(op: OnnxNode) -> list[OnnxTensor]:
    """Rows of zeros with a single one, at an index or at the largest element."""
    shape, value = op.shape(), op.value(0)
    if op.kind == "Hardmax":
        axis = op.axis(-1 if op.opset >= 13 else 1, len(shape))
        if op.opset < 13 and axis != len(shape) - 1:
            raise UnknownOperatorError("the largest of several axes")
        size, shape = shape[axis], (*shape[:axis], *shape[axis + 1 :])
        value = op.emit("argmax", [value], shape, dim=axis)
    else:
        axis, size = op.axis(-1, len(shape) + 1), _number(op, 1)
    wide: Shape = (*shape, size)
    made = op.emit("one_hot", [value], wide, num_classes=field(size))
    order = [*range(axis), len(shape), *range(axis, len(shape))]
    if order == [*range(len(wide))]:
        return [made]
    return [op.emit("permute", [made], tuple(wide[i] for i in order), dims=tuple(order))]


@operator("GridSample")
def _grid_sample(op: OnnxNode) -> list[OnnxTensor]:
    mode = op.attribute("mode", "bilinear" if op.opset < 20 else "linear")
    fields: dict[str, Any] = {
        "mode": {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode),
        "padding_mode": op.attribute("padding_mode", "zeros"),
        "align_corners": bool(op.attribute("align_corners", 0)),
    }
    output = (*op.shape()[:2], *op.shape(1)[1:-1])
    return [op.emit("grid_sample", [op.value(0), op.value(1)], output, **fields)]


@operator("Col2Im")
def _fold(op: OnnxNode) -> list[OnnxTensor]:
    sizes, kernel = op.known(1).items, op.numbers(2)
    pads = op.integers("pads", 4, 0)
    if kernel is None or len(kernel) != 2 or pads[:2] != pads[2:]:
        raise UnknownOperatorError("other than two axes with equal padding on both sides")
    n, columns, _ = op.shape()
    made = op.emit(
        "fold",
        [op.value(0)],
        (n, columns.floor_div(kernel[0] * kernel[1]), *sizes),
        output_size=per_axis([field(size) for size in sizes]),
        kernel_size=per_axis(kernel),
        dilation=per_axis(op.integers("dilations", 2, 1)),
        padding=per_axis(pads[:2]),
        stride=per_axis(op.integers("strides", 2, 1)),
    )
    return [made]


@operator("Mean")
def _mean(op: OnnxNode) -> list[OnnxTensor]:
    values = [value for value in op.inputs if value is not None]
    if len(values) == 1:
        return values
    shapes = [op.shape(i) for i in range(len(values))]
    total = op.emit("add", values, joined_shape(shapes))
    return [op.emit("div", [total], total.shape, other=len(values))]

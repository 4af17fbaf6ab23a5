"""ONNX operators that move elements, and all that is worked out of shapes and constants."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from archspec.importers.onnx.layers import OPERATORS, operator, padded, permuted
from archspec.importers.onnx.operator import (
    OnnxNode,
    UnknownOperatorError,
    checked_axis,
    field,
    per_axis,
)
from archspec.importers.onnx.sizes import Extent, chosen, extent, product
from archspec.importers.onnx.values import (
    INTEGERS,
    MOST_KNOWN,
    MOST_REALS,
    REAL_TYPES,
    REDUCTIONS,
    KnownTensor,
    OnnxTensor,
    Shape,
    combined,
    exact_quotient,
    joined_shape,
    places_of,
    reduced,
    stored_elements,
    sum_of,
    vector,
)

FAR = 10**9
"""Bounds of ranges that mean the end of an axis, whatever its extent."""


def _value(known: KnownTensor) -> OnnxTensor:
    return OnnxTensor(tuple(map(extent, known.shape)), known=known, real=known.real)


def fold(op: OnnxNode) -> OnnxTensor | None:
    """Return what an operator makes where it depends on no data; None where it does."""
    if op.kind in ("Shape", "Size") and op.value(0).shape is not None:
        shape = op.shape()
        part = slice(op.attribute("start", 0), op.attribute("end"))
        sizes = vector(shape[part])
        return _value(KnownTensor((), (product(shape),)) if op.kind == "Size" else sizes)
    if op.kind == "Constant":
        return _constant(op)
    values = [value for value in op.inputs if value is not None]
    if not values or not all(value.fixed for value in values):
        return None
    known = None
    if not values[0].learned and (op.kind in FOLDS or op.kind in INTEGERS):
        known = _folded(op, values)
    if known is None and op.kind in VIEWS and values[0].weight:
        return VIEWS[op.kind](op)
    return known or _unread(op, values)


def _folded(op: OnnxNode, values: list[OnnxTensor]) -> OnnxTensor | None:
    """Return the output's elements, worked out of inputs whose elements are all known."""
    plainly = [value.read(0) for value in values]
    sizes = any(each is not None for each in plainly)
    found = [value.read(MOST_REALS if sizes else 1) for value in values]
    operands = [each for each in found if each is not None]
    if len(operands) < len(found):
        return None
    if op.kind in FOLDS:
        known = FOLDS[op.kind](op, operands)
    else:
        real = any(each.real for each in operands)
        by = exact_quotient if op.kind == "Div" and real else INTEGERS[op.kind]
        known = combined(by, operands)
    return None if known is None else _value(known)


def _unread(op: OnnxNode, values: list[OnnxTensor]) -> OnnxTensor | None:
    """A constant whose elements are not known, but its shape."""
    if op.kind in ("ConstantOfShape", "Range", "EyeLike"):
        return _filled(op)
    if op.kind in LIKE_FIRST:
        return OnnxTensor(op.value(0).shape, real=op.value(0).real)
    if any(value.learned for value in values):
        return None
    if op.kind == "GatherND":
        first = op.attribute("batch_dims", 0) + (op.shape(1)[-1].field or 0)
        return OnnxTensor((*op.shape(1)[:-1], *op.shape()[first:]), real=op.value(0).real)
    translate = OPERATORS.get(op.kind)
    made = translate(op.apart()) if translate is not None else ()
    return made[0]._replace(call="") if len(made) == 1 and made[0] is not None else None


LIKE_FIRST = frozenset({"ScatterND", "ScatterElements", "Scatter", "Trilu", "CumSum"})
"""Operators on constants that need no kind, since they are worked out when a network is loaded."""


def _filled(op: OnnxNode) -> OnnxTensor | None:
    if op.kind == "EyeLike":
        return OnnxTensor(op.shape())
    if op.kind == "Range":
        known = [op.value(i).read() for i in range(3)]
        start, end, step = (each.item if each is not None else None for each in known)
        if start is None or end is None or step is None:
            return None
        return OnnxTensor((end.minus(start).ceil_div(step),), real=False)
    target = op.value(0).read()
    return None if target is None else OnnxTensor(target.items, real=_fill(op).real)


def _fill(op: OnnxNode) -> KnownTensor:
    given = op.attribute("value")
    known = None if given is None else stored_elements(given)
    return known or KnownTensor(
        (1,), (extent(0),), real=given is None or given.data_type in REAL_TYPES
    )


def _constant(op: OnnxNode) -> OnnxTensor | None:
    stored = op.attribute("value")
    if stored is not None:
        shape = tuple(map(extent, stored.dims))
        return OnnxTensor(
            shape, stored=stored, weight=op.node.output[0], real=stored.data_type in REAL_TYPES
        )
    names = {"value_int": False, "value_ints": False, "value_float": True, "value_floats": True}
    for name, real in names.items():
        given = op.attribute(name)
        if given is not None:
            many = isinstance(given, Sequence)
            items = tuple(map(extent, given if many else [given]))
            return _value(KnownTensor((len(items),) if many else (), items, real))
    return None


# ------------------------------------------------------- known elements


def _shape_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    """Reshape, Squeeze, Unsqueeze, Flatten: the same elements in another shape."""
    shape = VIEWS[op.kind](op)
    sizes = [] if shape is None or shape.shape is None else [s.field for s in shape.shape]
    return (
        None
        if shape is None or None in sizes
        else of[0]._replace(shape=tuple(s or 0 for s in sizes))
    )


def _gather_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    data, index = of
    numbers = index.numbers
    if numbers is None:
        return None
    axis = op.axis(0, len(data.shape))
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    steps = dict(zip(places_of(index.shape), numbers, strict=True))
    width = len(index.shape)
    places = (
        (*p[:axis], steps[p[axis : axis + width]] % data.shape[axis], *p[axis + width :])
        for p in places_of(shape)
    )
    return data.taken(shape, places)


def _slice_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    data = of[0]
    ranges: list[Sequence[int]] = [range(size) for size in data.shape]
    for axis, start, end, step in _ranges(op, len(data.shape)):
        low, high = start.field, end.field
        if low is None or high is None:
            return None
        ranges[axis] = ranges[axis][
            slice(low, None if step < 0 and high < -data.shape[axis] else high, step)
        ]
    shape = tuple(map(len, ranges))
    return data.taken(
        shape, ([r[i] for r, i in zip(ranges, p, strict=True)] for p in places_of(shape))
    )


def _concat_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor:
    axis = op.axis(1, len(of[0].shape))
    sizes = [each.shape[axis] for each in of]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    shape = (*of[0].shape[:axis], sum(sizes), *of[0].shape[axis + 1 :])
    items = []
    for place in places_of(shape):
        part = max(i for i, start in enumerate(starts) if start <= place[axis] and sizes[i])
        inner = (*place[:axis], place[axis] - starts[part], *place[axis + 1 :])
        items.append(of[part].taken((1,), [inner]).items[0])
    return KnownTensor(shape, tuple(items), of[0].real)


def _transpose_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor:
    rank = len(of[0].shape)
    order = op.attribute("perm", list(range(rank))[::-1])
    shape = tuple(of[0].shape[i] for i in order)
    return of[0].taken(shape, ([p[order.index(i)] for i in range(rank)] for p in places_of(shape)))


def _cast_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    real = op.attribute("to") in REAL_TYPES
    down = of[0].real and not real
    return KnownTensor(of[0].shape, tuple(i.floor() if down else i for i in of[0].items), real)


def _filled_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    shape = of[0].numbers
    fill = _fill(op)
    if shape is None or prod(shape) > MOST_KNOWN:
        return None
    return KnownTensor(shape, fill.items * prod(shape), fill.real)


def _range_fold(_: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    found = [each.item.field if each.item is not None else None for each in of]
    if None in found:
        return None
    steps = range(*(f for f in found if f is not None))
    return vector(steps) if len(steps) <= MOST_KNOWN else None


def _expand_fold(_: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    target = of[1].numbers
    if target is None or prod(target) > MOST_KNOWN:
        return None
    ones = KnownTensor(target, (extent(0),) * prod(target))
    return combined(lambda a, _: a, [of[0], ones])


def _reduce_fold(op: OnnxNode, of: list[KnownTensor]) -> KnownTensor | None:
    known = of[0]
    axes, keep = _reduced_axes(op, len(known.shape))
    for axis in axes:
        known = reduced(known, axis, REDUCTIONS[op.kind])
    shape = known.shape if keep else tuple(s for i, s in enumerate(known.shape) if i not in axes)
    return known._replace(shape=shape)


FOLDS: dict[str, Callable[[OnnxNode, list[KnownTensor]], KnownTensor | None]] = {
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze", "Flatten"), _shape_fold),
    **dict.fromkeys(REDUCTIONS, _reduce_fold),
    "Identity": lambda _, of: of[0],
    "Gather": _gather_fold,
    "Slice": _slice_fold,
    "Concat": _concat_fold,
    "Transpose": _transpose_fold,
    "Cast": _cast_fold,
    "ConstantOfShape": _filled_fold,
    "Range": _range_fold,
    "Expand": _expand_fold,
}
"""Operators → what they make of known elements."""


# ------------------------------------------------------- views, of stored tensors and of others


def _same_view(op: OnnxNode) -> OnnxTensor:
    """A tensor of its own: exporters store equal values once, as biases that are still 0."""
    return op.value(0)._replace(weight=op.node.output[0])


def _cast_view(op: OnnxNode) -> OnnxTensor:
    return op.value(0)._replace(real=op.attribute("to", 1) in REAL_TYPES, known=None, stored=None)


def _reshape_view(op: OnnxNode) -> OnnxTensor | None:
    found = _target(op)
    return None if found is None else _viewed(op, found)


def _viewed(op: OnnxNode, shape: Shape) -> OnnxTensor:
    """A stored tensor in another shape; its elements are not looked up any more."""
    return op.value(0)._replace(shape=shape, stored=None, known=None)


def _target(op: OnnxNode) -> Shape | None:
    """The shape that a Reshape, Flatten, Squeeze or Unsqueeze makes."""
    shape = op.value(0).shape
    if op.kind == "Flatten" and shape is not None:
        axis = op.attribute("axis", 1)
        axis = axis if axis >= 0 else axis + len(shape)
        return (product(shape[:axis]), product(shape[axis:]))
    if op.kind in ("Squeeze", "Unsqueeze") and shape is not None:
        axes = _given_axes(op, len(shape))
        if op.kind == "Squeeze":
            return tuple(size for i, size in enumerate(shape) if i not in axes)
        rest = iter(shape)
        return tuple(extent(1) if i in axes else next(rest) for i in range(len(shape) + len(axes)))
    return _reshaped(op) if op.kind == "Reshape" else None


def _given_axes(op: OnnxNode, rank: int) -> tuple[int, ...]:
    """The axes of Squeeze and Unsqueeze: an attribute, since opset 13 an input."""
    given = op.attribute("axes")
    axes = tuple(given) if given is not None else op.numbers(1)
    if axes is None:
        return tuple(i for i, size in enumerate(op.shape()) if size.field == 1)
    total = rank + len(axes) if op.kind == "Unsqueeze" else rank
    return tuple(sorted(checked_axis(axis, total) for axis in axes))


def _reshaped(op: OnnxNode) -> Shape | None:
    given = op.attribute("shape")
    target = vector(given) if given is not None else op.value(1).read()
    if target is None:
        raise SpecError("the new shape depends on data; it must be worked out of sizes")
    shape = op.value(0).shape
    keeps = not op.attribute("allowzero", 0)
    sizes = []
    for i, item in enumerate(target.items):
        if item.field == 0 and keeps:
            if shape is None or i >= len(shape):
                raise SpecError(f"the new shape has 0 at place {i}, where the input has no axis")
            item = shape[i]
        sizes.append(item)
    if any(size.field == -1 for size in sizes):
        rest = product(size for size in sizes if size.field != -1)
        if shape is None:
            raise SpecError("reshapes a tensor of unknown rank")
        left = product(shape).floor_div(rest)
        sizes = [left if size.field == -1 else size for size in sizes]
    return tuple(sizes)


def _transpose_view(op: OnnxNode) -> OnnxTensor:
    shape = op.shape()
    order = op.attribute("perm", list(range(len(shape)))[::-1])
    if sorted(order) != list(range(len(shape))):
        raise SpecError(f"perm {order} is no order of {len(shape)} axes")
    return _viewed(op, tuple(shape[i] for i in order))


VIEWS: dict[str, Callable[[OnnxNode], OnnxTensor | None]] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape_view),
    "Identity": _same_view,
    "Cast": _cast_view,
    "Transpose": _transpose_view,
}
"""Operators whose output holds the elements of the first input."""


@operator("Identity", "Dropout", "Cast", "CastLike")
def _passed_on(op: OnnxNode) -> list[OnnxTensor | None]:
    real = op.attribute("to", 1) in REAL_TYPES
    return [op.value(0)._replace(real=real, known=None), None]


@operator("Reshape", "Flatten")
def _reshape(op: OnnxNode) -> list[OnnxTensor]:
    value, shape = op.value(0), _target(op)
    if shape is None:
        raise SpecError("the rank of input 0 is unknown")
    before = value.shape
    if before == shape:
        return [value]
    if before is not None and 0 < len(shape) < len(before):
        width = len(before) - len(shape) + 1
        for start in range(len(shape)):
            merged = product(before[start : start + width])
            if (*before[:start], merged, *before[start + width :]) == shape:
                last = _last(start + width - 1, len(before))
                return [op.emit("flatten", [value], shape, start_dim=start, end_dim=last)]
    return [op.emit("reshape", [value], shape, shape=tuple(_as_field(s, before) for s in shape))]


def _last(axis: int, rank: int) -> int:
    return -1 if axis == rank - 1 else axis


def _as_field(size: Extent, before: Shape | None) -> Any:
    """A size of the new shape, as that of the tensor which enters where that is shorter."""
    said = field(size)
    if isinstance(said, int) or before is None or size not in before or str(size).isidentifier():
        return said
    return type(said)(f"in_shape[{before.index(size)}]")


@operator("Transpose")
def _transpose(op: OnnxNode) -> list[OnnxTensor]:
    order = op.attribute("perm", list(range(len(op.shape())))[::-1])
    if sorted(order) != list(range(len(op.shape()))):
        raise SpecError(f"perm {order} is no order of {len(op.shape())} axes")
    return [permuted(op, op.value(0), order)]


@operator("Squeeze", "Unsqueeze")
def _squeeze(op: OnnxNode) -> list[OnnxTensor]:
    value = op.value(0)
    shape = list(op.shape())
    axes = _given_axes(op, len(shape))
    down = op.kind == "Squeeze"
    for axis in reversed(axes) if down else axes:
        made = op.calls.made.get(value.call)
        undone = made is not None and down and made.kind == "unsqueeze"
        shape = shape[:axis] + ([] if down else [extent(1)]) + shape[axis + down :]
        if made is not None and undone and made.fields["dim"] == axis:
            value = value._replace(call=made.inputs[0], shape=tuple(shape))
        else:
            value = op.emit(op.kind.lower(), [value], tuple(shape), dim=axis)
    return [value]


@operator("Concat")
def _concat(op: OnnxNode) -> list[OnnxTensor]:
    values = [value for value in op.inputs if value is not None]
    axis = op.axis(1, len(op.shape()))
    if len(values) == 1:
        return values
    total = sum_of(op.shape(i)[axis] for i in range(len(values)))
    shape = (*op.shape()[:axis], total, *op.shape()[axis + 1 :])
    return [op.emit("concat", values, shape, axis=axis)]


@operator("Split")
def _split(op: OnnxNode) -> list[OnnxTensor]:
    value, shape = op.value(0), op.shape()
    axis, count = op.axis(0, len(shape)), len(op.node.output)
    sizes = _parts(op, shape[axis], count)
    if len(sizes) != count:
        raise SpecError(f"{len(sizes)} sizes for {count} outputs")
    if count == 1:
        return [value]
    fields = tuple(_as_field(size, shape) for size in sizes)
    made = op.emit("split", [value], None, sizes=fields, dim=axis)
    shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    return [OnnxTensor(s, f"{made.call}.{i}", real=value.real) for i, s in enumerate(shapes)]


def _parts(op: OnnxNode, whole: Extent, count: int) -> list[Extent]:
    given = op.attribute("split")
    if given is not None:
        return [extent(size) for size in given]
    if op.has(1):
        return list(op.known(1).items)
    part = whole.ceil_div(count)
    return [part] * (count - 1) + [whole.minus(part.times(count - 1))]


def _ranges(op: OnnxNode, rank: int) -> list[tuple[int, Extent, Extent, int]]:
    """Axis, start, end and step of every axis that a Slice cuts."""
    if op.opset < 10:
        starts, ends = (list(map(extent, op.attribute(name))) for name in ("starts", "ends"))
        axes, steps = op.attribute("axes"), None
    else:
        starts, ends = list(op.known(1).items), list(op.known(2).items)
        axes, steps = op.numbers(3), op.numbers(4)
    axes = [checked_axis(a, rank) for a in axes or range(len(starts))]
    return list(zip(axes, starts, ends, steps or [1] * len(axes), strict=True))


@operator("Slice")
def _slice(op: OnnxNode) -> list[OnnxTensor]:
    value = op.value(0)
    shape = list(op.shape())
    for axis, start, end, step in _ranges(op, len(shape)):
        size = shape[axis]
        if step < 0:
            value, start, end, step = _backwards(op, value, axis, start, end, step)
            shape = list(value.shape or ())
        low, high = _bound(start, size), _bound(end, size)
        shape[axis] = high.minus(low).ceil_div(step)
        whole = high == size
        if (low.field, whole, step) == (0, True, 1):
            continue
        cut = {"dim": axis, "start": field(_within(start, size)), "step": step}
        cut |= {} if whole else {"end": field(_within(end, size))}
        value = op.emit("slice", [value], tuple(shape), **cut)
    return [value]


def _within(bound: Extent, size: Extent) -> Extent:
    """A bound as a spec says it: a negative one counts from the end; none lies outside."""
    number, whole = bound.field, size.field
    if number is None or whole is None:
        return bound
    return extent(max(min(number, whole), -whole))


def _bound(bound: Extent, size: Extent) -> Extent:
    """A bound of a range counted from 0, and no further than the axis."""
    number = bound.field
    if number is None:
        return bound
    if number < 0:
        back = size.plus(number)
        return chosen("max", [0, back]) if back.field is not None else back
    if size.field is not None or number >= FAR:
        return size if size.field is None else extent(min(number, size.field))
    return bound


def _backwards(
    op: OnnxNode, value: OnnxTensor, axis: int, start: Extent, end: Extent, step: int
) -> tuple[OnnxTensor, Extent, Extent, int]:
    """A range that runs backwards, as one that runs forwards over the turned axis."""
    size = (value.shape or ())[axis]
    turned = op.emit("flip", [value], value.shape, dims=(axis,))
    first = start if start.field is None or start.field < 0 else None
    low = extent(-1).minus(first) if first is not None else size.minus(1).minus(start)
    high = extent(-1).minus(end) if (end.field or 0) < 0 else size.minus(1).minus(end)
    if low.field is not None and low.field < 0:
        low = extent(0)
    if low.field is None and (start.field or 0) >= FAR:
        low = extent(0)
    return turned, low, size if (high.field or 0) >= FAR else high, -step


@operator("Gather")
def _gather(op: OnnxNode) -> list[OnnxTensor]:
    data, index = op.value(0), op.value(1)
    shape = op.shape()
    axis = op.axis(0, len(shape))
    around = (*shape[:axis], *op.shape(1), *shape[axis + 1 :])
    if data.fixed and data.real and data.weight and len(shape) == 2 and axis == 0:
        rows, width = (size.field for size in shape)
        fields = {"num_embeddings": rows, "embedding_dim": width}
        return [op.emit("embedding", [index], around, (data,), **fields)]
    known = index.read()
    numbers = None if known is None else known.numbers
    if numbers is not None and op.shape(1) == ():
        return [op.emit("select", [data], around, dim=axis, index=numbers[0])]
    if numbers and len(op.shape(1)) == 1 and numbers == tuple(range(numbers[0], numbers[-1] + 1)):
        bounds = {"start": numbers[0], "end": numbers[-1] + 1 or None}
        if extent(len(numbers)) == shape[axis] and numbers[0] == 0:
            return [data]
        return [op.emit("slice", [data], around, dim=axis, **bounds)]
    return _picked(op, axis, around)


def _picked(op: OnnxNode, axis: int, shape: Shape) -> list[OnnxTensor]:
    """Elements of an axis at places that are data, or in no order."""
    flat = op.value(1)
    if len(op.shape(1)) > 1:
        count = product(op.shape(1))
        flat = op.emit("flatten", [flat], (count,), start_dim=0)
    inner = (*op.shape()[:axis], *(flat.shape or ()), *op.shape()[axis + 1 :])
    made = op.emit("index_select", [op.value(0), flat], inner, dim=axis)
    if inner == shape:
        return [made]
    if op.shape(1) == ():
        return [op.emit("squeeze", [made], shape, dim=axis)]
    return [op.emit("reshape", [made], shape, shape=tuple(_as_field(s, inner) for s in shape))]


@operator("Expand", "Tile")
def _expand(op: OnnxNode) -> list[OnnxTensor]:
    value, known = op.value(0), op.known(1)
    shape = op.shape()
    wide = joined_shape([shape, known.items]) if op.kind == "Expand" else _tiled(shape, known)
    if wide == shape:
        return [value]
    kind = "expand" if op.kind == "Expand" else "tile"
    name = "shape" if op.kind == "Expand" else "dims"
    said = wide if op.kind == "Expand" else known.items
    return [op.emit(kind, [value], wide, **{name: tuple(map(field, said))})]


def _tiled(shape: Shape, times: KnownTensor) -> Shape:
    return tuple(size.times(t) for size, t in zip(shape, times.items, strict=True))


@operator("Pad")
def _pad(op: OnnxNode) -> list[OnnxTensor]:
    rank = len(op.shape())
    given = op.attribute("pads", op.attribute("paddings"))
    pads = list(given) if given is not None else list(op.known(1, 0).items)
    axes = op.numbers(3) if op.has(3) else tuple(range(rank))
    if axes is None or len(pads) != 2 * len(axes):
        raise SpecError(f"{len(pads)} pads for {rank} axes")
    sides: list[tuple[Any, Any]] = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        sides[checked_axis(axis, rank)] = (pads[i], pads[i + len(axes)])
    mode = {"edge": "replicate", "wrap": "circular"}.get(m := op.attribute("mode", "constant"), m)
    return [padded(op, op.value(0), sides, mode=mode)]


MODES = {
    1: {"linear": "linear"},
    2: {"linear": "bilinear", "cubic": "bicubic"},
    3: {"linear": "trilinear"},
}
"""Number of axes → ONNX's name of an interpolation → ours."""


@operator("Resize", "Upsample")
def _resize(op: OnnxNode) -> list[OnnxTensor]:
    value, shape = op.value(0), op.shape()
    rank = len(shape) - 2
    outputs, factors = _resized(op, shape)
    if outputs == shape:
        return [value]
    if not 1 <= rank <= 3 or outputs[:2] != shape[:2]:
        raise UnknownOperatorError("resizes other axes than those behind the channels")
    mode = MODES[rank].get(op.attribute("mode", "nearest"), "nearest")
    if factors is not None:
        fields: dict[str, Any] = {"scale_factor": per_axis(factors[2:])}
    else:
        fields = {"size": per_axis([_as_field(s, None) for s in outputs[2:]])}
    return [op.emit("upsample", [value], outputs, mode=mode, **fields)]


def _resized(op: OnnxNode, shape: Shape) -> tuple[Shape, list[Any] | None]:
    """The new extents, and by which factors the old ones grew, where these are numbers."""
    axes = op.attribute("axes")
    at = [checked_axis(a, len(shape)) for a in axes] if axes else list(range(len(shape)))
    if op.kind == "Resize" and op.opset >= 11 and op.has(3) and op.shape(3) != (extent(0),):
        new = dict(zip(at, op.known(3).items, strict=True))
        policy = op.attribute("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            new = _in_ratio(new, shape, min if policy == "not_larger" else max)
        outputs = tuple(new.get(i, size) for i, size in enumerate(shape))
        ratios = list(map(_ratio, outputs, shape))
        factors = [short_factor(ratio) for ratio in ratios if ratio is not None]
        symbolic = any(s.number is None for s in shape[2:])
        return outputs, factors if symbolic and len(factors) == len(ratios) else None
    scales = _scales(op, at, len(shape))
    outputs = tuple(s.times(f).floor() for s, f in zip(shape, scales, strict=True))
    return outputs, [short_factor(f) for f in scales]


def _in_ratio(
    new: Mapping[int, Extent], shape: Shape, chosen_of: Callable[..., Fraction]
) -> dict[int, Extent]:
    """The new extents, all of them by the smallest or the largest of the factors, rounded."""
    ratios = {axis: _ratio(size, shape[axis]) for axis, size in new.items()}
    known = [Fraction(ratio) for ratio in ratios.values() if ratio is not None]
    if len(known) < len(ratios):
        raise UnknownOperatorError("keeps the aspect ratio of symbols")
    return {axis: shape[axis].times(chosen_of(known)).plus(Fraction(1, 2)).floor() for axis in new}


def _ratio(over: Extent, under: Extent) -> Rational | None:
    """Return the quotient of two sizes where that is a number, else None."""
    try:
        return over.over(under).number
    except SpecError:
        return None


def short_factor(value: Any) -> Any:
    """Return a factor as a field holds it: an integer, or a decimal."""
    return int(value) if Fraction(value).denominator == 1 else float(value)


def _scales(op: OnnxNode, at: list[int], rank: int) -> list[Fraction]:
    given = op.attribute("scales")
    if given is None and op.attribute("height_scale") is not None:
        given = [1, 1, op.attribute("height_scale"), op.attribute("width_scale")]
    if given is None:
        place = 2 if op.kind == "Resize" and op.opset >= 11 else 1
        numbers = [item.number for item in op.known(place).items]
        if None in numbers:
            raise SpecError("a scale depends on a symbol in a way that is no number")
        given = numbers
    exact = [Fraction(str(round(float(g), 7))) for g in given]
    found = dict(zip(at, exact, strict=True))
    return [found.get(i, Fraction(1)) for i in range(rank)]


REDUCED: Mapping[str, tuple[str, str, str, Mapping[str, Any]]] = {
    "ReduceMean": ("", "mean", "", {}),
    "ReduceSum": ("", "sum", "", {}),
    "ReduceMax": ("", "amax", "", {}),
    "ReduceMin": ("", "amin", "", {}),
    "ReduceL1": ("", "vector_norm", "", {"p": 1}),
    "ReduceL2": ("", "vector_norm", "", {}),
    "ReduceLogSumExp": ("", "logsumexp", "", {}),
    "ReduceSumSquare": ("square", "sum", "", {}),
    "ReduceLogSum": ("", "sum", "log", {}),
}
"""Operators that reduce axes → the kind before, the kind, the kind behind, and its fields."""


def _reduced_axes(op: OnnxNode, rank: int) -> tuple[tuple[int, ...], bool]:
    given = op.attribute("axes")
    axes = tuple(given) if given is not None else op.numbers(1)
    if not axes:
        axes = () if op.attribute("noop_with_empty_axes", 0) else tuple(range(rank))
    found = tuple(sorted({checked_axis(axis, rank) for axis in axes}))
    return found, bool(op.attribute("keepdims", 1))


def _without(shape: Shape, axes: Sequence[int], *, keep: bool) -> Shape:
    """A shape whose axes are reduced: to extent 1 where they are kept."""
    rest = [(i, extent(1) if i in axes else size) for i, size in enumerate(shape)]
    return tuple(size for i, size in rest if keep or i not in axes)


def _reduce(op: OnnxNode) -> list[OnnxTensor]:
    shape, value = op.shape(), op.value(0)
    before, kind, behind, fields = REDUCED[op.kind]
    axes, keep = _reduced_axes(op, len(shape))
    if before:
        value = op.emit(before, [value], shape)
    if axes:
        output = _without(shape, axes, keep=keep)
        value = op.emit(kind, [value], output, dim=axes, keepdim=keep, **fields)
    return [op.emit(behind, [value], value.shape) if behind else value]


@operator("ReduceProd")
def _product(op: OnnxNode) -> list[OnnxTensor]:
    """One axis after the other, the last first."""
    value = op.value(0)
    axes, keep = _reduced_axes(op, len(op.shape()))
    for axis in reversed(axes):
        shape = _without(value.shape or (), [axis], keep=keep)
        value = op.emit("prod", [value], shape, dim=axis, keepdim=keep)
    return [value]


operator(*REDUCED)(_reduce)


@operator("ArgMax", "ArgMin")
def _arg(op: OnnxNode) -> list[OnnxTensor]:
    shape = op.shape()
    axis, keep = op.axis(0, len(shape)), bool(op.attribute("keepdims", 1))
    output = _without(shape, [axis], keep=keep)
    return [op.emit(op.kind.lower(), [op.value(0)], output, dim=axis, keepdim=keep)]


@operator("DepthToSpace", "SpaceToDepth")
def _shuffle(op: OnnxNode) -> list[OnnxTensor]:
    n, c, h, w = op.shape()
    block = op.attribute("blocksize")
    if op.kind == "DepthToSpace":
        shape = (n, c.floor_div(block * block), h.times(block), w.times(block))
        return [op.emit("pixel_shuffle", [op.value(0)], shape, upscale_factor=block)]
    shape = (n, c.times(block * block), h.floor_div(block), w.floor_div(block))
    return [op.emit("pixel_unshuffle", [op.value(0)], shape, downscale_factor=block)]

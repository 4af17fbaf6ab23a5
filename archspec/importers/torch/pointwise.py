"""The rows of operators that work on elements one by one, and of those that reduce axes."""

from archspec.importers.torch.fields import (
    FIELDS,
    alias,
    field_of,
    is_empty,
    is_tensor,
    kind_of,
    per_axis,
    plain_number,
    written,
)
from archspec.importers.torch.graph import Operator
from archspec.layers import KINDS


def same(op: Operator) -> None:
    """Let the first tensor be what leaves: nothing that costs anything is done to it."""
    op.graph.alias(op.node, op.tensor(op.first))


def by_name(op: Operator) -> str:
    """Add the kind of the operator's name: tensors are its inputs, other arguments its fields."""
    kind = kind_of(op.name)
    inputs = [op.tensor(name) for name in op.arguments if op.is_tensor(name)]
    for value in op.arguments.values():
        if isinstance(value, list | tuple) and value and all(map(is_tensor, value)):
            inputs += [op.graph.tensor(each) for each in value if not is_empty(each)]
    layer, fields = KINDS[kind], {}
    for name in op.arguments:
        field = "axis" if kind == "concat" and name == "dim" else FIELDS.get(name, name)
        if field in layer.model_fields and not op.is_tensor(name):
            fields[field] = op.plain(name)
    if len(inputs) < layer.takes[0] or len(inputs) > (layer.takes[1] or len(inputs)):
        if kind == "concat" and len(inputs) == 1:
            return alias(op, inputs[0])
        raise op.unknown(f"'{kind}' takes another number of tensors than {len(inputs)}")
    return op.emit(kind, written(op, layer, fields), inputs)


def binary(op: Operator) -> str:
    """Add an element-wise kind of two tensors, or of a tensor and a number."""
    kind = kind_of(op.name)
    tensors = [n for n in op.arguments if op.is_tensor(n)]
    scalars = [n for n in tensors if _is_free_number(op, n)]
    left = [n for n in tensors if n not in scalars]
    if len(left) == 2:
        return op.emit(kind, {}, [op.tensor(n) for n in left])
    if not left:
        raise op.unknown()
    given = [op.arguments.get(n) for n in ("other", "exponent", "self") if n not in tensors]
    other = next((each for each in given if each is not None), 1)
    return op.emit(kind, {"other": field_of(op, plain_number(other))}, [op.tensor(left[0])])


def _is_free_number(op: Operator, name: str) -> bool:
    """Return whether a tensor is one number that no data enter, which costs nothing."""
    return not op.shape_of(name) and not op.graph.depends(op.arguments[name])


def pool(op: Operator) -> str:
    """Add a pool; of a maximum with its indices the first output."""
    kind = kind_of(op.name.removesuffix("_with_indices"))
    layer = KINDS[kind]
    fields = {n: per_axis(op.plain(n)) for n in op.arguments if n in layer.model_fields}
    if fields.get("stride") in ((), [], fields.get("kernel_size")):
        fields.pop("stride", None)
    return op.emit(kind, written(op, layer, fields), [op.tensor(op.first)])


def dropout(op: Operator) -> str:
    """Add a dropout, unless nothing is dropped."""
    p = op.plain("p")
    if not p:
        return alias(op, op.tensor(op.first))
    return op.emit("dropout", written(op, KINDS["dropout"], {"p": p}), [op.tensor(op.first)])


def reduced(op: Operator) -> str:
    """Add a reduction over some axes, or over all of them."""
    kind = {"max": "amax", "min": "amin"}.get(op.name, kind_of(op.name))
    axes = op.plain("dim") if "dim" in op.arguments else None
    rank = len(op.shape_of(op.first))
    tensor = op.tensor(op.first)
    if kind in ("argmax", "argmin", "prod"):
        if axes is None and rank != 1:
            tensor, axes = op.emit("flatten", {"start_dim": 0}, [tensor], part="flat"), 0
    elif axes in (None, []):
        axes = list(range(rank))
    elif isinstance(axes, int):
        axes = [axes]
    given = written(op, KINDS[kind], {"keepdim": op.plain("keepdim") or False})
    return op.emit(kind, {"dim": field_of(op, axes or 0), **given}, [tensor])


def extreme(op: Operator) -> str:
    """Add a maximum: of two tensors, or over axes."""
    tensors = [n for n in op.arguments if op.is_tensor(n)]
    if len(tensors) == 2:
        kind = "maximum" if op.name == "max" else "minimum"
        return op.emit(kind, {}, [op.tensor(n) for n in tensors])
    found = reduced(op)
    if "dim" in op.arguments:
        fields = {"dim": op.plain("dim")} | ({"keepdim": True} if op.plain("keepdim") else {})
        place = op.emit(f"arg{op.name}", fields, [op.tensor(op.first)], part="place")
        op.outputs((found, place))
    return found


def reversed_sub(op: Operator) -> str:
    """Add ``other − self``: the negative and a sum."""
    if op.is_tensor("other"):
        return op.emit("sub", {}, [op.tensor("other"), op.tensor("self")])
    other = field_of(op, plain_number(op.arguments["other"]))
    turned = op.emit("neg", {}, [op.tensor("self")], part="neg")
    return op.emit("add", {"other": other}, [turned])


def addcmul(op: Operator) -> str:
    """Add ``self + tensor1·tensor2``."""
    made = op.emit("mul", {}, [op.tensor("tensor1"), op.tensor("tensor2")], part="product")
    return op.emit("add", {}, [op.tensor("self"), made])


def lerp(op: Operator) -> str:
    """Add ``self + weight·(end − self)``."""
    first = op.tensor("self")
    apart = op.emit("sub", {}, [op.tensor("end"), first], part="apart")
    scaled = [apart, op.tensor("weight")] if op.is_tensor("weight") else [apart]
    fields = {} if len(scaled) > 1 else {"other": field_of(op, op.plain("weight"))}
    return op.emit("add", {}, [first, op.emit("mul", fields, scaled, part="part")])


def with_mean(op: Operator) -> str:
    """Add the spread over some axes as the first output, the mean as the second."""
    kind = op.name.removesuffix("_mean")
    axes = op.plain("dim") or list(range(len(op.shape_of("self"))))
    fields = {"dim": field_of(op, axes)} | ({"keepdim": True} if op.plain("keepdim") else {})
    spread = op.emit(kind, fields, [op.tensor("self")])
    op.outputs((spread, op.emit("mean", fields, [op.tensor("self")], part="mean")))
    return spread


def where(op: Operator) -> str:
    """Add a choice between two tensors; a number in the place of one fills what is masked."""
    names = ("condition", "self", "other")
    inputs = [op.tensor(n) for n in names if op.is_tensor(n) and not _is_free_number(op, n)]
    if len(inputs) == 3:
        return op.emit("where", {}, inputs)
    if len(inputs) == 2:
        return op.emit("masked_fill", {}, inputs[::-1])
    return op.emit("masked_fill", {}, [op.tensor("condition")] * 2)


def masked_fill(op: Operator) -> str:
    """Add the filling of what is masked; no cost depends on the number."""
    return op.emit("masked_fill", {}, [op.tensor("self"), op.tensor("mask")])


_MODES = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
"""The numbers that PyTorch gives to modes, and to modes of padding."""


def grid_sample(op: Operator) -> str:
    """Add the values at the points of a grid."""
    modes, paddings = _MODES
    fields = {
        "mode": modes[op.plain("interpolation_mode")],
        "padding_mode": paddings[op.plain("padding_mode")],
        "align_corners": op.plain("align_corners"),
    }
    given = written(op, KINDS["grid_sample"], fields)
    return op.emit("grid_sample", given, [op.tensor("input"), op.tensor("grid")])

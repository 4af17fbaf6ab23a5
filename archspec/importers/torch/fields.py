"""The names and arguments of PyTorch's operators as kinds and fields of the language."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from archspec.fields import Expression
from archspec.importers.calls import Field
from archspec.importers.torch.graph import Operator
from archspec.importers.torch.sizes import expression_of, is_whole
from archspec.layers import Layer

RENAMED = {
    "max_pool": "maxpool",
    "avg_pool": "avgpool",
    "adaptive_avg_pool": "adaptive_avgpool",
    "adaptive_max_pool": "adaptive_maxpool",
    "log_sigmoid": "logsigmoid",
    "cat": "concat",
    "concatenate": "concat",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "linalg_vector_norm": "vector_norm",
    "norm": "vector_norm",
    "im2col": "unfold",
    "col2im": "fold",
    "grid_sampler": "grid_sample",
    "_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "fmod": "remainder",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
}
"""Operator → its kind, where that is called otherwise; a number of axes behind both stays."""

FIELDS = {"ord": "p", "axis0": "dim0", "axis1": "dim1"}
"""Argument → the field, where that is called otherwise."""


def kind_of(name: str) -> str:
    """Return the kind of an operator's name, with the number of axes that it ends in."""
    bare, axes = (name[:-2], name[-2:]) if name[-2:] in ("1d", "2d", "3d") else (name, "")
    return RENAMED.get(bare, bare) + axes


def alias(op: Operator, of: str) -> str:
    """Let what an operator makes be another tensor, as it is; return that."""
    op.graph.alias(op.node, of)
    return of


def is_tensor(value: Any) -> bool:
    """Return whether an argument of an operator is a tensor."""
    return hasattr(value, "meta") and hasattr(value.meta.get("val"), "shape")


def is_empty(tensor: Any) -> bool:
    """Return whether a tensor has no elements, at any size of the inputs."""
    return any(is_whole(size) and int(size) == 0 for size in tensor.meta["val"].shape)


def written(op: Operator, layer: type[Layer], fields: Mapping[str, Any]) -> dict[str, Field]:
    """Return the fields of a kind that have another value than its default."""
    found: dict[str, Field] = {}
    for name, value in fields.items():
        if value is None or (name not in layer.model_fields):
            continue
        field = field_of(op, value)
        if field == () or field == _default(layer, name):
            continue
        found[name] = field
    return found


def field_of(op: Operator, value: Any) -> Field:
    """Return an argument as a field: a list of equal numbers stays a list."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, list | tuple):
        return tuple(field_of(op, each) for each in value)
    return op.number(value)


def rounded(value: float) -> int | float:
    """Return a number with six digits; one beyond all numbers as a large one."""
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return int(math.copysign(10**30, value))
    near = float(f"{value:.6g}")
    return int(near) if near.is_integer() and abs(near) < 1e15 else near


def _default(layer: type[Layer], name: str) -> object:
    default = layer.model_fields[name].default
    value = getattr(getattr(default, "tree", None), "value", None)
    if isinstance(default, Expression) and isinstance(value, Fraction):
        return float(value) if value.denominator != 1 else int(value)
    return value if isinstance(value, bool | int) else default


def per_axis(values: Any) -> Any:
    """Return a field with a number per axis as one number where all are equal."""
    if isinstance(values, list | tuple):
        return values[0] if values and all(each == values[0] for each in values) else tuple(values)
    return values


def plain_number(value: Any) -> Any:
    """Return an argument as a number; 1 where its value is not known, which no cost depends on."""
    found = value.meta.get("val") if hasattr(value, "meta") else value
    if isinstance(found, bool):
        return int(found)
    return found if isinstance(found, int | float) or is_whole(found) else 1


def same_size(one: Any, other: Any) -> bool:
    """Return whether two sizes are the same expression."""
    return bool(expression_of(one) == expression_of(other))

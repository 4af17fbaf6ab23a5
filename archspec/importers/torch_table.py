"""The table of PyTorch's operators: each with the kind that it is, and the kind's fields.

An operator that is called as a kind, with arguments that are called as its fields, needs no row.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from archspec.fields import Expression
from archspec.importers.calls import Field, Size
from archspec.importers.torch_graph import Operator, Row
from archspec.importers.torch_sizes import Number, is_whole, new_shape
from archspec.layers import KINDS, Layer

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
    "bmm": "matmul",
    "mm": "matmul",
    "mv": "matmul",
    "linalg_vector_norm": "norm",
    "im2col": "unfold",
    "col2im": "fold",
    "grid_sampler": "grid_sample",
    "pixel_unshuffle": "pixel_unshuffle",
    "special_logit": "logit",
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
    "feature_dropout": "dropout",
    "alpha_dropout": "dropout",
}
"""Operator → its kind, where that is called otherwise; a number of axes behind both stays."""

FIELDS = {"ord": "p", "axis0": "dim0", "axis1": "dim1"}
"""Argument → the field, where that is called otherwise; of ``cat`` ``dim`` is an axis."""

SAME = frozenset(
    ("contiguous", "clone", "to", "_to_copy", "type_as", "detach", "alias", "lift_fresh_copy")
    + ("lift_fresh", "view_as_real", "resolve_conj", "positive", "float", "double", "half")
    + ("copy", "requires_grad", "_reshape_alias_copy", "numpy_T_copy", "identity", "lift")
    + ("_assert_tensor_metadata", "bernoulli_identity", "set", "conj")
)
"""Operators that hand their first tensor on."""

RESHAPES = ("view", "reshape", "_unsafe_view", "view_copy", "_reshape_alias", "unflatten")
"""Operators of which the shape that leaves says all; ``reshape`` is the kind."""

BINARY = frozenset(name for name, kind in KINDS.items() if "other" in kind.model_fields)
"""Kinds that take a number instead of a second tensor."""

_BELOW_ONE_SHOT = 6
"""The digits of a number that no cost depends on."""


def row_of(operator: Operator) -> Row | None:
    """Return the row of an operator; None where no kind expresses it."""
    name = operator.name
    if name in SAME:
        return _same
    if name in RESHAPES:
        return _reshape
    if name in ROWS:
        return ROWS[name]
    kind = kind_of(name)
    if kind in BINARY and name not in ("where",):
        return _binary
    return _by_name if kind in KINDS else None


def kind_of(name: str) -> str:
    """Return the kind of an operator's name, with the number of axes that it ends in."""
    stem = name.rstrip("0123456789").removesuffix("d") if name.endswith("d") else name
    bare, axes = (name[:-2], name[-2:]) if name[-2:] in ("1d", "2d", "3d") else (name, "")
    del stem
    return RENAMED.get(bare, bare) + axes


def _same(op: Operator) -> None:
    op.graph.alias(op.node, op.tensor(op.first))


def _by_name(op: Operator) -> str:
    """Add the kind of the operator's name: tensors are its inputs, other arguments its fields."""
    kind = kind_of(op.name)
    inputs = [op.tensor(name) for name in op.arguments if op.is_tensor(name)]
    for value in op.arguments.values():
        if isinstance(value, list | tuple) and value and all(map(_is_tensor, value)):
            inputs += map(op.graph.tensor, value)
    layer, fields = KINDS[kind], {}
    for name in op.arguments:
        field = "axis" if kind == "concat" and name == "dim" else FIELDS.get(name, name)
        if field in layer.model_fields and not op.is_tensor(name):
            fields[field] = op.plain(name)
    if len(inputs) < layer.takes[0] or len(inputs) > (layer.takes[1] or len(inputs)):
        if kind == "concat" and len(inputs) == 1:
            return _alias(op, inputs[0])
        raise op.unknown(f"'{kind}' takes another number of tensors than {len(inputs)}")
    return op.emit(kind, written(op, layer, fields), inputs)


def _alias(op: Operator, of: str) -> str:
    op.graph.alias(op.node, of)
    return of


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "meta") and hasattr(value.meta.get("val"), "shape")


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
        return _rounded(value)
    if isinstance(value, list | tuple):
        return tuple(field_of(op, each) for each in value)
    return op.number(value)


def _rounded(value: float) -> int | float:
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


def _binary(op: Operator) -> str:
    """Add an element-wise kind of two tensors, or of a tensor and a number."""
    kind = kind_of(op.name)
    tensors = [n for n in op.arguments if op.is_tensor(n)]
    scalars = [n for n in tensors if _is_free_number(op, n)]
    left = [n for n in tensors if n not in scalars]
    if len(left) == 2:
        return op.emit(kind, {}, [op.tensor(n) for n in left])
    if not left:
        raise op.unknown()
    other = next((op.arguments[n] for n in ("other", "exponent", "self") if n not in tensors
                  and op.arguments.get(n) is not None), 1)
    return op.emit(kind, {"other": field_of(op, _plain_number(other))}, [op.tensor(left[0])])


def _plain_number(value: Any) -> Any:
    found = value.meta.get("val") if hasattr(value, "meta") else value
    if isinstance(found, bool):
        return int(found)
    return found if isinstance(found, int | float) or is_whole(found) else 1


def _is_free_number(op: Operator, name: str) -> bool:
    """Return whether a tensor is one number that no data enter, which costs nothing."""
    return not op.shape_of(name) and not op.graph.depends(op.arguments[name])


def _reshape(op: Operator) -> str:
    source = op.first
    entering = op.shape_of(source)
    if len(entering) == len(op.shape) and all(
        _same_size(a, b) for a, b in zip(entering, op.shape, strict=True)
    ):
        return _alias(op, op.tensor(source))
    shape = new_shape(op.shape, entering, op.graph.names)
    return op.emit("reshape", {"shape": shape}, [op.tensor(source)])


def _same_size(one: Any, other: Any) -> bool:
    from archspec.importers.torch_sizes import expression_of

    return bool(expression_of(one) == expression_of(other))


def _flatten(op: Operator) -> str:
    start, end = op.plain("start_dim"), op.plain("end_dim")
    rank = len(op.shape_of("self"))
    if rank and (start % rank) == (end % rank):
        return _alias(op, op.tensor("self"))
    fields = written(op, KINDS["flatten"], {"start_dim": start, "end_dim": end})
    return op.emit("flatten", fields, [op.tensor("self")])


def _conv(op: Operator) -> str:
    weight, is_transposed = op.weight("weight"), "transpose" in op.name
    if not (op.is_learned("weight") and op.is_learned("bias")) or weight is None:
        raise op.unknown("its kernel depends on the data")
    axes, groups = len(weight.shape) - 2, op.plain("groups")
    fields = {
        "out_channels": weight.shape[1] * groups if is_transposed else weight.shape[0],
        "kernel_size": per_axis(weight.shape[2:]),
        "groups": groups,
        "bias": op.arguments["bias"] is not None,
        **{n: per_axis(op.plain(n)) for n in ("stride", "padding", "dilation", "output_padding")},
    }
    kind = f"conv_transpose{axes}d" if is_transposed else f"conv{axes}d"
    given = written(op, KINDS[kind], fields)
    return op.emit(kind, given, [op.tensor("input")], weights=(weight, op.weight("bias")))


def _linear(op: Operator, data: str = "input", matrix: str = "weight") -> str:
    if not op.is_learned(matrix):
        return _products(op, data, matrix)
    return _applied(op, data, matrix, out=0)


def _applied(op: Operator, data: str, matrix: str, *, out: int, bias: str = "bias") -> str:
    """Add a linear layer whose weight is learned, with its outputs on an axis of it."""
    weight, shift = op.weight(matrix), op.weight(bias)
    assert weight is not None
    is_own = shift is None or op.graph.is_all_learned(op.arguments[bias])
    fields = {"out_features": weight.shape[out], "bias": shift is not None and is_own}
    given = written(op, KINDS["linear"], fields)
    source = [op.tensor(data)]
    if is_own:
        return op.emit("linear", given, source, weights=(weight, shift))
    made = op.emit("linear", given, source, weights=(weight,), part="product")
    return op.emit("add", {}, [made, op.tensor(bias)])


def _products(op: Operator, data: str, matrix: str) -> str:
    """Add the product of two tensors, the second turned, and the sum with a third."""
    second = op.emit("transpose", {}, [op.tensor(matrix)], part="turned")
    bias = op.arguments.get("bias")
    made = op.emit("matmul", {}, [op.tensor(data), second], part="product" if bias else "")
    return op.emit("add", {}, [made, op.graph.tensor(bias)]) if bias else made


def _matmul(op: Operator) -> str:
    """Add a product; that with a learned matrix is a linear layer."""
    first, second = (n for n in op.arguments if op.is_tensor(n))
    matrix = op.arguments[second]
    one, two = len(op.shape_of(first)), len(op.shape_of(second))
    is_data = bool(op.graph.depends(op.arguments[first]) & {"data"})
    if two == 2 and is_data and op.graph.depends(matrix) == {"learned"}:
        return _applied(op, first, second, out=1, bias="")
    if min(one, two) < 2:
        raise op.unknown("a product of vectors")
    return op.emit("matmul", {}, [op.tensor(first), op.tensor(second)])


def _addmm(op: Operator) -> str:
    """Add ``self + mat1·mat2``: a linear layer where the matrix is learned."""
    first, second = (n for n in op.arguments if n in ("mat1", "mat2", "batch1", "batch2"))
    learned = op.is_learned(second) and op.is_learned("self")
    if learned and len(op.shape_of("self")) == 1 and len(op.shape_of(second)) == 2:
        return _applied(op, first, second, out=1, bias="self")
    made = op.emit("matmul", {}, [op.tensor(first), op.tensor(second)], part="product")
    return op.emit("add", {}, [made, op.tensor("self")])


def _normalised(kind: str) -> Row:
    """Return the row of a norm: what is learned of it says whether it is affine."""

    def row(op: Operator) -> str:
        weight, bias = op.weight("weight"), op.weight("bias") if "bias" in op.arguments else None
        if not (op.is_learned("weight") and op.is_learned("bias")):
            raise op.unknown("its scale depends on the data")
        shape = op.plain("normalized_shape") or ()
        fields = {
            "axes": len(shape),
            "num_groups": op.plain("num_groups"),
            "affine": weight is not None,
            "elementwise_affine": weight is not None,
            "bias": bias is not None or weight is None,
            "eps": op.plain("eps"),
            "momentum": op.plain("momentum"),
        }
        if kind == "rmsnorm" and len(shape) > 1:
            raise op.unknown("it is over several axes")
        given = written(op, KINDS[kind], {n: v for n, v in fields.items() if v is not None})
        owned = (weight, bias) if weight is not None else ()
        return op.emit(kind, given, [op.tensor(op.first)], weights=owned)

    return row


def _pool(op: Operator) -> str:
    """Add a pool; of a maximum with its indices the first output."""
    kind = kind_of(op.name.removesuffix("_with_indices"))
    layer = KINDS[kind]
    fields = {n: per_axis(op.plain(n)) for n in op.arguments if n in layer.model_fields}
    if fields.get("stride") in ((), [], fields.get("kernel_size")):
        fields.pop("stride", None)
    return op.emit(kind, written(op, layer, fields), [op.tensor(op.first)])


def _upsample(op: Operator) -> str:
    """Add an interpolation, by its factor where that is given."""
    parts = op.name.removeprefix("_").removeprefix("upsample_").removesuffix("_aa")
    mode = parts.rstrip("0123456789d").rstrip("_")
    mode = {"nearest-exact": "nearest", "nearest_exact": "nearest"}.get(mode, mode)
    source = op.first
    factors, sizes = op.plain("scale_factors"), op.shape[2:]
    entering = op.shape_of(source)[2:]
    if factors:
        fields: dict[str, Any] = {"scale_factor": per_axis([_rounded(f) for f in factors])}
        if any(not is_whole(f) for f in map(_rounded, factors) if not isinstance(f, float)):
            fields = {}
    else:
        fields = {"size": per_axis(op.numbers(sizes))}
        if all(_same_size(a, b) for a, b in zip(entering, sizes, strict=True)):
            return _alias(op, op.tensor(source))
    shown = {n: v for n, v in fields.items()}
    if mode != "nearest":
        shown["mode"] = mode
    return op.emit("upsample", shown, [op.tensor(source)])


def _pad(op: Operator) -> str:
    amounts = op.plain("pad")
    if not any(not is_whole(each) or int(each) for each in amounts):
        return _alias(op, op.tensor("self"))
    fields = written(op, KINDS["pad"], {"pad": amounts, "mode": op.plain("mode")})
    return op.emit("pad", fields, [op.tensor("self")])


def _split(op: Operator) -> str:
    """Add the parts of an axis, by the extents of what leaves."""
    axis = op.plain("dim") or 0
    sizes = tuple(op.number(part.shape[axis]) for part in op.value)
    if len(sizes) == 1:
        return _alias(op, op.tensor("self"))
    if all(size == sizes[0] for size in sizes):
        fields: dict[str, Any] = {"chunks": len(sizes), "dim": axis}
        return op.emit("chunk", written(op, KINDS["chunk"], fields), [op.tensor("self")])
    if sum(isinstance(size, Size) for size in sizes) and isinstance(sizes[-1], Size):
        return _chunks(op, axis, sizes)
    given = {"sizes": sizes} | ({"dim": axis} if axis != 1 else {})
    return op.emit("split", given, [op.tensor("self")])


def _chunks(op: Operator, axis: int, sizes: Sequence[Number]) -> str:
    given: dict[str, Field] = {"sizes": tuple(sizes)}
    return op.emit("split", given | ({"dim": axis} if axis != 1 else {}), [op.tensor("self")])


def _unbind(op: Operator) -> None:
    """Let each part of an axis be selected where it is used."""


def _item(op: Operator) -> str:
    """Take one of several outputs."""
    source, index = op.node.args
    name = getattr(source.target, "_opname", "")
    if name == "unbind":
        inner = Operator(op.graph, source)
        fields = written(op, KINDS["select"], {"dim": inner.plain("dim"), "index": index})
        fields.setdefault("dim", inner.plain("dim"))
        return op.emit("select", fields, [inner.tensor("self")])
    tensor = op.graph.aliases.get(source.name, source.name)
    if tensor in op.graph.failed:
        raise op.graph.failed[tensor]
    made = op.graph.made.get(tensor)
    several = made is not None and KINDS[made.call.kind].outputs is not Layer.outputs
    if several:
        return _alias(op, f"{tensor}.{index}")
    if index:
        raise op.unknown(f"output {index} of {name}")
    return _alias(op, tensor)


def _slice(op: Operator) -> str:
    axis = op.plain("dim") or 0
    before, after = op.shape_of("self")[axis], op.shape[axis]
    if _same_size(before, after):
        return _alias(op, op.tensor("self"))
    start, end, step = (op.plain(n) for n in ("start", "end", "step"))
    fields: dict[str, Any] = {"dim": axis, "start": start or 0, "step": step}
    if end is not None and not (is_whole(end) and is_whole(before) and int(end) >= int(before)):
        fields["end"] = None if is_whole(end) and int(end) > 1 << 40 else end
    if isinstance(fields["start"], int) and is_whole(before) and -fields["start"] > int(before):
        fields["start"] = 0
    given = written(op, KINDS["slice"], fields)
    return op.emit("slice", {"dim": axis, **given}, [op.tensor("self")])


def _select(op: Operator) -> str:
    index = op.plain("index")
    fields: dict[str, Field] = {"dim": op.plain("dim")}
    fields |= {"index": op.number(index)} if not (is_whole(index) and int(index) == 0) else {}
    return op.emit("select", fields, [op.tensor("self")])


def _squeeze(op: Operator) -> str:
    """Add a squeeze for each axis of extent 1 that goes."""
    entering, given = op.shape_of("self"), op.plain("dim")
    axes = range(len(entering)) if given is None else given
    axes = [axes] if isinstance(axes, int) else axes
    ones = sorted(
        {a % len(entering) for a in axes if is_whole(entering[a]) and int(entering[a]) == 1}
    )
    tensor = op.tensor("self")
    if not ones:
        return _alias(op, tensor)
    for axis in ones[:0:-1]:
        tensor = op.emit("squeeze", {"dim": axis}, [tensor], part=f"axis{axis}")
    return op.emit("squeeze", {"dim": ones[0]}, [tensor])


def _expand(op: Operator) -> str:
    entering, leaving = op.shape_of("self"), op.shape
    more = len(leaving) - len(entering)
    shape = tuple(
        -1 if i >= more and _same_size(entering[i - more], size) else op.number(size)
        for i, size in enumerate(leaving)
    )
    if all(size == -1 for size in shape):
        return _alias(op, op.tensor("self"))
    return op.emit("expand", {"shape": shape}, [op.tensor("self")])


def _repeat(op: Operator) -> str:
    copies = op.plain("repeats") if "repeats" in op.arguments else op.plain("dims")
    if all(is_whole(each) and int(each) == 1 for each in copies):
        return _alias(op, op.tensor("self"))
    return op.emit("tile", {"dims": op.numbers(copies)}, [op.tensor("self")])


def _dropout(op: Operator) -> str:
    p = op.plain("p")
    if not p:
        return _alias(op, op.tensor(op.first))
    return op.emit("dropout", written(op, KINDS["dropout"], {"p": p}), [op.tensor(op.first)])


def _embedding(op: Operator) -> str:
    weight = op.weight("weight")
    if weight is None or not op.is_learned("weight"):
        return op.emit("embedding_of_data", {}, [op.tensor("weight"), op.tensor("indices")])
    fields: dict[str, Field] = dict(
        zip(("num_embeddings", "embedding_dim"), weight.shape, strict=True)
    )
    return op.emit("embedding", fields, [op.tensor("indices")], weights=(weight,))


def _attention(op: Operator) -> str:
    """Add attention; a mask goes where nothing of it is learned, else it is added to the scores."""
    query, key, value = (op.tensor(n) for n in ("query", "key", "value"))
    mask = op.arguments.get("attn_mask")
    if mask is None or "learned" not in op.graph.depends(mask):
        causal = bool(op.plain("is_causal")) or (mask is not None and _hides_later(mask))
        fields: dict[str, Field] = {"causal": True} if causal else {}
        return op.emit("scaled_dot_product_attention", fields, [query, key, value])
    turned = op.emit("transpose", {}, [key], part="turned")
    scores = op.emit("matmul", {}, [query, turned], part="scores")
    scores = op.emit("add", {}, [scores, op.graph.tensor(mask)], part="biased")
    weights = op.emit("softmax", {}, [scores], part="weights")
    return op.emit("matmul", {}, [weights, value])


_ORDERS = frozenset(("tril", "triu", "le", "ge", "lt", "gt", "less_equal", "greater"))


def _hides_later(mask: Any) -> bool:
    """Return whether a mask compares places, so that later tokens are hidden."""
    stack, seen = [mask], {mask}
    while stack:
        node = stack.pop()
        if getattr(node.target, "_opname", "").rstrip("_") in _ORDERS and not _is_size(node):
            return True
        inner = [n for n in node.all_input_nodes if n not in seen]
        seen.update(inner)
        stack += inner
    return False


def _is_size(node: Any) -> bool:
    return not hasattr(node.meta.get("val"), "shape")


def _einsum(op: Operator) -> str:
    """Add a product of two tensors by its equation."""
    tensors = op.arguments["tensors"]
    equation = op.plain("equation").replace(" ", "")
    if "..." in equation or len(tensors) > 2 or "->" not in equation:
        raise op.unknown(f"the equation {equation}")
    ins, out = equation.split("->")
    texts = ", ".join(" ".join(each) for each in ins.split(","))
    inputs = list(map(op.graph.tensor, tensors))
    fields: dict[str, Field] = {"equation": f"{texts} -> {' '.join(out)}"}
    return op.emit("einsum", fields, inputs)


def _recurrent(op: Operator) -> str:
    """Add a recurrent network; only its outputs at every step are a tensor."""
    params = op.arguments["params"]
    kind = "rnn" if op.name.startswith("rnn") else op.name
    weights = [op.graph.weight(each) for each in params]
    per_gate = {"lstm": 4, "gru": 3}.get(kind, 1)
    hidden = weights[0].shape[0] // per_gate
    projected = weights[1].shape[1]
    fields: dict[str, Any] = {
        "hidden_size": hidden,
        "num_layers": op.plain("num_layers"),
        "bias": op.plain("has_biases"),
        "batch_first": op.plain("batch_first"),
        "dropout": op.plain("dropout"),
        "bidirectional": op.plain("bidirectional"),
        "proj_size": projected if projected != hidden else None,
        "nonlinearity": "relu" if op.name == "rnn_relu" else None,
    }
    given = written(op, KINDS[kind], fields)
    return op.emit(kind, given, [op.tensor("input")], weights=weights)


def _prelu(op: Operator) -> str:
    weight = op.weight("weight")
    assert weight is not None
    fields = written(op, KINDS["prelu"], {"num_parameters": weight.shape[0]})
    return op.emit("prelu", fields, [op.tensor("self")], weights=(weight,))


def _reduced(op: Operator) -> str:
    """Add a reduction over some axes, or over all of them."""
    kind = {"linalg_vector_norm": "norm", "max": "amax", "min": "amin"}.get(op.name, op.name)
    axes = op.plain("dim") if "dim" in op.arguments else None
    rank = len(op.shape_of(op.first))
    single = kind in ("argmax", "argmin", "prod")
    if axes in (None, []):
        axes = list(range(rank))
        if single:
            raise op.unknown("it is over all axes")
    if not single:
        axes = [axes] if isinstance(axes, int) else axes
    fields: dict[str, Any] = {"keepdim": op.plain("keepdim") or False}
    given = written(op, KINDS[kind], fields)
    shown = {"dim": field_of(op, axes), **given}
    return op.emit(kind, shown, [op.tensor(op.first)])


def _extreme(op: Operator) -> str:
    """Add a maximum: of two tensors, or over axes."""
    tensors = [n for n in op.arguments if op.is_tensor(n)]
    if len(tensors) == 2:
        kind = "maximum" if op.name == "max" else "minimum"
        return op.emit(kind, {}, [op.tensor(n) for n in tensors])
    return _reduced(op)


def _reversed_sub(op: Operator) -> str:
    """Add ``other − self``: the negative and a sum."""
    if op.is_tensor("other"):
        return op.emit("sub", {}, [op.tensor("other"), op.tensor("self")])
    other = field_of(op, _plain_number(op.arguments["other"]))
    turned = op.emit("neg", {}, [op.tensor("self")], part="neg")
    return op.emit("add", {"other": other}, [turned])


def _index(op: Operator) -> str:
    """Add the lookup of rows of one axis."""
    indices = op.arguments["indices"]
    given = [(i, index) for i, index in enumerate(indices) if index is not None]
    if len(given) != 1:
        raise op.unknown("it looks up by several axes at once")
    axis, index = given[0]
    extents = tuple(index.meta["val"].shape)
    if str(getattr(index.meta["val"], "dtype", "")) == "torch.bool":
        raise op.unknown("how many elements a mask takes depends on the data")
    rows = op.graph.tensor(index)
    if len(extents) == 1:
        return op.emit("index_select", {"dim": axis}, [op.tensor("self"), rows])
    flat = op.emit("reshape", {"shape": (-1,)}, [rows], part="rows")
    made = op.emit("index_select", {"dim": axis}, [op.tensor("self"), flat], part="lookup")
    entering = (*op.shape_of("self")[:axis], -1, *op.shape_of("self")[axis + 1 :])
    shape = new_shape(op.shape, [e for e in entering if not isinstance(e, int)], op.graph.names)
    return op.emit("reshape", {"shape": shape}, [made])


def _index_select(op: Operator) -> str:
    fields: dict[str, Field] = {"dim": op.plain("dim")}
    return op.emit("index_select", fields, [op.tensor("self"), op.tensor("index")])


def _transposed(op: Operator) -> str:
    """Add the turn of a matrix."""
    return op.emit("transpose", {}, [op.tensor("self")])


def _movedim(op: Operator) -> str:
    """Add axes in another order, one of which moves."""
    rank = len(op.shape)
    source, target = op.plain("source"), op.plain("destination")
    sources = [source] if isinstance(source, int) else list(source)
    targets = [target] if isinstance(target, int) else list(target)
    order = [i for i in range(rank) if i not in [s % rank for s in sources]]
    for goal, origin in sorted(zip(targets, sources, strict=True), key=lambda p: p[0] % rank):
        order.insert(goal % rank, origin % rank)
    return op.emit("permute", {"dims": tuple(order)}, [op.tensor("self")])


def _addcmul(op: Operator) -> str:
    """Add ``self + tensor1·tensor2``."""
    made = op.emit("mul", {}, [op.tensor("tensor1"), op.tensor("tensor2")], part="product")
    return op.emit("add", {}, [op.tensor("self"), made])


def _where(op: Operator) -> str:
    names = ("condition", "self", "other")
    inputs = [op.tensor(n) for n in names if op.is_tensor(n) and not _is_free_number(op, n)]
    if len(inputs) == 3:
        return op.emit("where", {}, inputs)
    if len(inputs) == 2:
        return op.emit("masked_fill", {}, inputs[::-1])
    raise op.unknown()


def _masked_fill(op: Operator) -> str:
    return op.emit("masked_fill", {}, [op.tensor("self"), op.tensor("mask")])


def _one_hot(op: Operator) -> str:
    classes = op.shape[-1]
    return op.emit("one_hot", {"num_classes": op.number(classes)}, [op.tensor("self")])


def _roll(op: Operator) -> str:
    shifts, dims = op.plain("shifts"), op.plain("dims")
    if not any(shifts):
        return _alias(op, op.tensor("self"))
    return op.emit("roll", {"shifts": field_of(op, shifts), "dims": tuple(dims)}, [op.tensor("self")])


ROWS: Mapping[str, Callable[[Operator], str | None]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"), _conv),
    **dict.fromkeys(("conv_transpose3d", "convolution"), _conv),
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm"), _addmm),
    **dict.fromkeys(("batch_norm", "native_batch_norm"), _normalised("batchnorm")),
    "layer_norm": _normalised("layernorm"),
    "group_norm": _normalised("groupnorm"),
    "instance_norm": _normalised("instancenorm"),
    "rms_norm": _normalised("rmsnorm"),
    **{f"{m}_pool{n}d": _pool for m in ("max", "avg") for n in (1, 2, 3)},
    **{f"adaptive_{m}_pool{n}d": _pool for m in ("max", "avg") for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _pool for n in (2, 3)},
    **{f"upsample_{m}": _upsample for m in ("linear1d", "bilinear2d", "bicubic2d", "trilinear3d")},
    **{f"upsample_nearest{n}d": _upsample for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": _upsample for n in (1, 2, 3)},
    **{f"_upsample_{m}2d_aa": _upsample for m in ("bilinear", "bicubic")},
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    "flatten": _flatten,
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), _split),
    **dict.fromkeys(("unsafe_split", "unsafe_chunk"), _split),
    "unbind": _unbind,
    "getitem": _item,
    "slice": _slice,
    "select": _select,
    "squeeze": _squeeze,
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
    **dict.fromkeys(("repeat", "tile"), _repeat),
    "dropout": _dropout,
    "feature_dropout": _dropout,
    "alpha_dropout": _dropout,
    "embedding": _embedding,
    "scaled_dot_product_attention": _attention,
    "einsum": _einsum,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    "prelu": _prelu,
    **dict.fromkeys(("mean", "sum", "amax", "amin", "var", "std", "any", "all"), _reduced),
    **dict.fromkeys(("argmax", "argmin", "logsumexp", "prod", "linalg_vector_norm"), _reduced),
    **dict.fromkeys(("max", "min"), _extreme),
    "rsub": _reversed_sub,
    "index": _index,
    "index_select": _index_select,
    **dict.fromkeys(("t", "numpy_T", "mT"), _transposed),
    **dict.fromkeys(("movedim", "moveaxis"), _movedim),
    "addcmul": _addcmul,
    "where": _where,
    "masked_fill": _masked_fill,
    "one_hot": _one_hot,
    "roll": _roll,
}
"""Operator → its row, where its name and arguments are not those of a kind."""

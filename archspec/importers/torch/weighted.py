"""The rows of operators that multiply, or that hold what is learned."""

from typing import Any

from archspec.importers.calls import Field
from archspec.importers.torch.fields import per_axis, written
from archspec.importers.torch.graph import Operator, Row
from archspec.importers.torch.shaping import lookup
from archspec.layers import KINDS


def conv(op: Operator) -> str:
    """Add a convolution whose kernel is learned."""
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


def linear(op: Operator) -> str:
    """Add a linear layer; with a matrix that data enter it is a product of two tensors."""
    is_layer = op.is_learned("weight")
    return _applied(op, "input", "weight", out=0) if is_layer else _products(op, "input", "weight")


def _applied(op: Operator, data: str, matrix: str, *, out: int, bias: str = "bias") -> str:
    """Add a linear layer whose weight is learned, with its outputs on an axis of it."""
    weight, shift = op.weight(matrix), op.weight(bias)
    assert weight is not None
    is_own = shift is None or (
        op.graph.is_all_learned(op.arguments[bias]) and not op.graph.is_table(weight.key)
    )
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


def matmul(op: Operator) -> str:
    """Add a product; that with a learned matrix is a linear layer."""
    first, second = (n for n in op.arguments if op.is_tensor(n))
    matrix = op.arguments[second]
    one, two = len(op.shape_of(first)), len(op.shape_of(second))
    is_data = bool(op.graph.depends(op.arguments[first]) & {"data"})
    if two == 2 and is_data and op.graph.depends(matrix) == {"learned"}:
        return _applied(op, first, second, out=1, bias="")
    left, right = op.tensor(first), op.tensor(second)
    if min(one, two) > 1:
        return op.emit("matmul", {}, [left, right])
    if one == 1:
        left = op.emit("unsqueeze", {"dim": 0}, [left], part="row")
    if two == 1:
        right = op.emit("unsqueeze", {"dim": 1}, [right], part="column")
    if one == two:
        raise op.unknown("a product of two vectors leaves a number")
    made = op.emit("matmul", {}, [left, right], part="product")
    return op.emit("squeeze", {"dim": -2 if one == 1 else -1}, [made])


def addmm(op: Operator) -> str:
    """Add ``self + mat1·mat2``: a linear layer where the matrix is learned."""
    first, second = (n for n in op.arguments if n in ("mat1", "mat2", "batch1", "batch2"))
    learned = op.is_learned(second) and op.is_learned("self")
    if learned and len(op.shape_of("self")) == 1 and len(op.shape_of(second)) == 2:
        return _applied(op, first, second, out=1, bias="self")
    made = op.emit("matmul", {}, [op.tensor(first), op.tensor(second)], part="product")
    return op.emit("add", {}, [made, op.tensor("self")])


def grouped(op: Operator) -> str:
    """Add a product of each row with the matrix of its group; which is whose costs nothing."""
    given = [n for n in op.arguments if op.is_tensor(n)]
    rows, matrices = given[:2]
    weight = op.weight(matrices)
    if not op.is_learned(matrices) or weight is None or len(weight.shape) != 3:
        raise op.unknown("its matrices are not one learned tensor")
    if op.arguments.get("bias") is not None:
        raise op.unknown("its bias differs from row to row")
    fields: dict[str, Field] = {"groups": weight.shape[0], "out_features": weight.shape[2]}
    return op.emit("grouped_linear", fields, [op.tensor(rows)], weights=(weight,))


def scan(op: Operator) -> str:
    """Add the recurrence ``h = exp(step·A)·h + step·x·B; y = h·C`` of Mamba, over all steps."""
    x, step, decay, b, c = (op.tensor(n) for n in ("x", "step", "decay", "b", "c"))
    outer: dict[str, Field] = {"equation": "n d t, n s t -> n t d s"}
    entering = op.emit("einsum", outer, [x, b], part="entering")
    kept: dict[str, Field] = {"shape": op.numbers(op.shape_of("decay"))}
    states = op.emit("state", kept, [entering, step, decay], part="states")
    inner: dict[str, Field] = {"equation": "n t d s, n s t -> n d t"}
    return op.emit("einsum", inner, [states, c])


def normalised(kind: str) -> Row:
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


def embedding(op: Operator) -> str:
    """Add the rows of a learned table."""
    if not op.is_learned("weight"):
        return lookup(op, "weight", 0, op.arguments["indices"])
    weight = op.weight("weight")
    assert weight is not None
    fields: dict[str, Field] = dict(
        zip(("num_embeddings", "embedding_dim"), weight.shape, strict=True)
    )
    return op.emit("embedding", fields, [op.tensor("indices")], weights=(weight,))


def attention(op: Operator) -> str:
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


_TRIANGLES = frozenset(("tril", "triu"))
_ORDERS = frozenset(("le", "ge", "lt", "gt", "less_equal", "greater_equal", "less", "greater"))


def _hides_later(mask: Any) -> bool:
    """Return whether a mask compares places with each other, so that later tokens are hidden."""
    stack, seen = [mask], {mask}
    while stack:
        node = stack.pop()
        name = getattr(node.target, "_opname", "").rstrip("_")
        both = all(hasattr(each, "op") and not _is_size(each) for each in node.args[:2])
        if (name in _TRIANGLES or (name in _ORDERS and both)) and not _is_size(node):
            return True
        inner = [n for n in node.all_input_nodes if n not in seen]
        seen.update(inner)
        stack += inner
    return False


def _is_size(node: Any) -> bool:
    return not hasattr(node.meta.get("val"), "shape")


def einsum(op: Operator) -> str:
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


def recurrent(op: Operator) -> str:
    """Add a recurrent network, with first states that are computed and last ones that are used."""
    given = op.arguments["hx"]
    states = given if isinstance(given, list | tuple) else [given]
    entering = states if any(map(op.graph.depends, states)) else ()
    params = op.arguments["params"]
    kind = "rnn" if op.name.startswith("rnn") else op.name
    weights = [op.graph.weight(each) for each in params]
    per_gate = {"lstm": 4, "gru": 3}.get(kind, 1)
    hidden = weights[0].shape[0] // per_gate
    projected = weights[1].shape[1]
    leaves = any(user.args[1] > 0 and user.users for user in op.node.users)
    fields: dict[str, Any] = {
        "hidden_size": hidden,
        "num_layers": op.plain("num_layers"),
        "bias": op.plain("has_biases"),
        "batch_first": op.plain("batch_first"),
        "dropout": op.plain("dropout"),
        "bidirectional": op.plain("bidirectional"),
        "proj_size": projected if projected != hidden else None,
        "nonlinearity": "relu" if op.name == "rnn_relu" else None,
        "states": leaves,
    }
    inputs = [op.tensor("input"), *map(op.graph.tensor, entering)]
    steps = op.emit(kind, written(op, KINDS[kind], fields), inputs, weights=weights)
    op.outputs(tuple(f"{steps}.{i}" for i in range(len(op.value))) if leaves else (steps,))
    return steps


def prelu(op: Operator) -> str:
    """Add the activation with learned slopes."""
    weight = op.weight("weight")
    assert weight is not None
    fields = written(op, KINDS["prelu"], {"num_parameters": weight.shape[0]})
    return op.emit("prelu", fields, [op.tensor("self")], weights=(weight,))

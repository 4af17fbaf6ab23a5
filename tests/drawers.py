"""How the fields of every kind are drawn, and the entries that a kind needs before it."""

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Any

from tests.drafts import Draft, Entry, drawer, fields
from tests.torch_kinds import BITWISE, COMPARISONS, FUNCTIONS, PAIRS, TESTS
from tests.twin import Shape


@fields(
    *("drop_path", "dropout", "hardsigmoid", "hardswish", "identity", "logsigmoid", "mish"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "softsign", "stochastic_depth", "swish"),
    *("tanh", "tanhshrink"),
    *FUNCTIONS,
    *TESTS,
    "bitwise_not",
)
def plain(_: Draft) -> Entry:
    return {}


@fields("celu", "elu")
def alpha(d: Draft) -> Entry:
    return d.some(alpha=lambda: 0.5)


@fields("leaky_relu")
def leaky_relu(d: Draft) -> Entry:
    return d.some(negative_slope=lambda: 0.2)


@fields("rrelu")
def rrelu(d: Draft) -> Entry:
    return d.some(lower=lambda: 0.1, upper=lambda: 0.5)


@fields("prelu", axes=(2, 3, 4, 5))
def prelu(d: Draft) -> Entry:
    return d.some(num_parameters=lambda: d.shape[1])


@fields("hardtanh")
def hardtanh(d: Draft) -> Entry:
    return d.some(min_val=lambda: -2, max_val=lambda: 2)


@fields("hardshrink", "softshrink")
def shrink(d: Draft) -> Entry:
    return d.some(lambd=lambda: 0.25)


@fields("threshold")
def threshold(_: Draft) -> Entry:
    return {"threshold": 0.1, "value": 20}


@fields("gelu")
def gelu(d: Draft) -> Entry:
    return d.some(approximate=lambda: d.choice(["none", "tanh"]))


@fields("softplus")
def softplus(d: Draft) -> Entry:
    return d.some(beta=lambda: 2, threshold=lambda: 10)


@fields("clamp")
def clamp(d: Draft) -> Entry:
    return {d.choice(["min", "max"]): 0.5} | d.some(min=lambda: -1, max=lambda: 2)


@fields("tril", "triu", axes=(2, 3, 4, 5))
def triangle(d: Draft) -> Entry:
    return d.some(diagonal=lambda: d.integer(-2, 2))


@fields("normalize", axes=(2, 3, 4, 5))
def normalize(d: Draft) -> Entry:
    return d.some(dim=d.axis, p=lambda: 1, eps=lambda: 0.001)


@fields("log_softmax", "softmax", "softmin", "glu", "cumsum", "cumprod")
def over_axis(d: Draft) -> Entry:
    return d.some(dim=d.axis)


# Convolutions and pooling.


def conv_fields(d: Draft) -> Entry:
    """What convolutions of both directions share."""
    axes = len(d.shape) - 2
    groups = d.divisor(d.shape[1]) if d.chance(0.4) else 1
    optional = d.some(
        stride=lambda: d.per_axis(axes, 1, 3),
        dilation=lambda: d.per_axis(axes, 1, 2),
        groups=lambda: groups,
        bias=d.flag,
    )
    width = optional.get("groups", 1) * d.integer(1, 3)
    return {"out_channels": width, "kernel_size": d.per_axis(axes, 1, 4), **optional}


def convolution(d: Draft) -> Entry:
    drawn = conv_fields(d)
    optional = d.some(
        padding=lambda: padding(d, len(d.shape) - 2),
        padding_mode=lambda: d.choice(["zeros", "reflect", "replicate", "circular"]),
    )
    if "out_channels" in drawn and "groups" not in drawn and d.chance(0.2):
        drawn["out_channels"] = d.choice(["in_channels", "2*in_channels", "in_channels + 1"])
    return drawn | optional


def padding(d: Draft, axes: int) -> Any:
    side = [[d.integer(0, 2), d.integer(0, 2)] if d.flag() else d.integer(0, 2)]
    unequal = [*side, *([d.integer(0, 2), d.integer(0, 2)] for _ in range(axes - 1))]
    return d.choice(["same", "same", "valid", d.integer(1, 2), d.per_axis(axes, 0, 2), unequal])


def transposed(d: Draft) -> Entry:
    axes = len(d.shape) - 2
    return conv_fields(d) | d.some(
        padding=lambda: d.per_axis(axes, 0, 2), output_padding=lambda: d.per_axis(axes, 0, 1)
    )


def pool(d: Draft) -> Entry:
    axes = len(d.shape) - 2
    kernel = d.per_axis(axes, 1, 4)
    halves = [k // 2 for k in ([kernel] if isinstance(kernel, int) else kernel)]
    return {"kernel_size": kernel} | d.some(
        stride=lambda: d.choice([None, d.per_axis(axes, 1, 3)]),
        padding=lambda: d.integer(0, min(halves)),
        ceil_mode=d.flag,
    )


def max_pool(d: Draft) -> Entry:
    return pool(d) | d.some(dilation=lambda: d.per_axis(len(d.shape) - 2, 1, 2))


def avg_pool(d: Draft) -> Entry:
    return pool(d) | d.some(count_include_pad=d.flag)


def adaptive(d: Draft) -> Entry:
    return {"output_size": d.per_axis(len(d.shape) - 2, 1, 5)}


for _rank in (1, 2, 3):
    _axes = (_rank + 2,)
    fields(f"conv{_rank}d", axes=_axes)(convolution)
    fields(f"conv_transpose{_rank}d", axes=_axes)(transposed)
    fields(f"maxpool{_rank}d", axes=_axes)(max_pool)
    fields(f"avgpool{_rank}d", axes=_axes)(avg_pool)
    fields(f"adaptive_avgpool{_rank}d", f"adaptive_maxpool{_rank}d", axes=_axes)(adaptive)


@fields("global_avgpool", "global_maxpool", axes=(3, 4, 5))
def global_pool(_: Draft) -> Entry:
    return {}


@fields("argmax", "argmin", "prod", axes=(2, 3, 4, 5))
def along_axis(d: Draft) -> Entry:
    return {"dim": d.axis()} | d.some(keepdim=d.flag)


@fields("unfold", axes=(4,))
def unfold(d: Draft) -> Entry:
    return {"kernel_size": d.per_axis(2, 1, 3)} | d.some(
        dilation=lambda: d.per_axis(2, 1, 2),
        padding=lambda: d.per_axis(2, 0, 2),
        stride=lambda: d.per_axis(2, 1, 3),
    )


@drawer("fold", axes=(4,))
def fold(d: Draft) -> None:
    """The other way round, of windows that were unfolded."""
    drawn, size = unfold(d), list(d.shape[2:])
    d.emit("unfold", drawn)
    d.emit("fold", {"output_size": size, **drawn})


@fields("var", "std", axes=(2, 3, 4, 5))
def spread(d: Draft) -> Entry:
    return reduction(d) | d.some(correction=lambda: 0)


@fields("vector_norm", axes=(2, 3, 4, 5))
def vector_norm(d: Draft) -> Entry:
    return reduction(d) | d.some(p=lambda: d.choice([1, 3]))


@fields("mean", "sum", "amax", "amin", "logsumexp", "any", "all", axes=(2, 3, 4, 5))
def reduction(d: Draft) -> Entry:
    axes = d.random.sample(range(len(d.shape)), d.integer(1, len(d.shape) - 1))
    signed = [axis - len(d.shape) if d.chance(0.3) else axis for axis in axes]
    only = signed[0] if len(signed) == 1 and d.flag() else signed
    return {"dim": only} | d.some(keepdim=d.flag)


@fields("upsample", "interpolate", axes=(3, 4, 5))
def upsample(d: Draft) -> Entry:
    axes = len(d.shape) - 2
    own = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}[axes]
    mode = d.some(mode=lambda: d.choice(["nearest", "area", *own]))
    if d.flag():
        return {"size": d.per_axis(axes, 1, 9)} | mode
    factors = [2, 3, 0.5, 1.5, 2.5]
    each = [d.choice(factors) for _ in range(axes)]
    return {"scale_factor": d.choice([each, d.choice(factors)])} | mode


# Normalisation.


@fields("batchnorm", axes=(2, 3, 4, 5))
def batchnorm(d: Draft) -> Entry:
    return d.some(affine=d.flag, eps=lambda: 0.001, momentum=lambda: 0.01)


@fields("instancenorm", axes=(3, 4, 5))
def instancenorm(d: Draft) -> Entry:
    return d.some(affine=d.flag, eps=lambda: 0.001)


@fields("groupnorm", axes=(2, 3, 4, 5))
def groupnorm(d: Draft) -> Entry:
    return {"num_groups": d.divisor(d.shape[1])} | d.some(affine=d.flag, eps=lambda: 0.001)


@fields("layernorm")
def layernorm(d: Draft) -> Entry:
    return d.some(
        axes=lambda: d.integer(1, len(d.shape)),
        elementwise_affine=d.flag,
        bias=d.flag,
        eps=lambda: 0.001,
    )


@fields("rmsnorm")
def rmsnorm(d: Draft) -> Entry:
    return d.some(elementwise_affine=d.flag, eps=lambda: 0.001)


@fields("local_response_norm", axes=(3, 4, 5))
def local_response_norm(d: Draft) -> Entry:
    return {"size": d.integer(1, 5)} | d.some(alpha=lambda: 0.001, beta=lambda: 0.5, k=lambda: 2)


# Sequences.


@fields("embedding", axes=(1, 2, 3, 4))
def embedding(d: Draft) -> Entry:
    return {"num_embeddings": d.integer(1, 20), "embedding_dim": d.extent()}


@fields("positional_embedding", axes=(3,))
def positional_embedding(d: Draft) -> Entry:
    return {"max_length": d.shape[1] + d.integer(0, 3)}


@fields("positional_encoding", axes=(3,))
def positional_encoding(_: Draft) -> Entry:
    return {}


@fields("rotary_embedding", axes=(2, 3, 4))
def rotary_embedding(_: Draft) -> Entry:
    return {}


@fields("class_token", axes=(3,))
def class_token(d: Draft) -> Entry:
    return d.some(tokens=lambda: d.integer(1, 3))


def recurrent(d: Draft) -> Entry:
    optional = d.some(
        num_layers=lambda: d.integer(1, 3), bias=d.flag, batch_first=d.flag, bidirectional=d.flag
    )
    if optional.get("num_layers", 1) > 1 and d.flag():
        optional["dropout"] = 0.1
    return {"hidden_size": d.extent(), **optional}


@drawer("gru", axes=(3,))
def gru(d: Draft) -> None:
    emit_recurrent(d, "gru", recurrent(d))


def emit_recurrent(d: Draft, kind: str, drawn: Entry) -> None:
    """With the last states, too, which another of its kind begins with; or alone."""
    if not d.chance(0.3):
        d.emit(kind, drawn)
        return
    x = d.anchor()
    made = d.emit(kind, drawn | {"states": True}, x)
    d.emit(kind, drawn, x, *(f"{made}.{i}" for i in range(1, 3 if kind == "lstm" else 2)))


@drawer("lstm", axes=(3,))
def lstm(d: Draft) -> None:
    drawn = recurrent(d)
    if d.chance(0.3):
        drawn["proj_size"] = d.integer(1, drawn["hidden_size"] - 1)
    emit_recurrent(d, "lstm", drawn)


@drawer("rnn", axes=(3,))
def rnn(d: Draft) -> None:
    drawn = recurrent(d) | d.some(nonlinearity=lambda: d.choice(["tanh", "relu"]))
    emit_recurrent(d, "rnn", drawn)


def heads(d: Draft) -> Entry:
    """What both kinds of attention share."""
    count = d.divisor(d.shape[-1]) if d.flag() else d.integer(1, 4)
    drawn = {"heads": count} | d.some(
        kv_heads=lambda: d.choice([d.divisor(count), 1]),
        bias=d.flag,
        q_bias=d.flag,
        k_bias=d.flag,
        v_bias=d.flag,
        out_bias=d.flag,
        qk_norm=lambda: d.choice(["none", "head", "all"]),
        sinks=d.flag,
        alibi=d.flag,
        softcap=lambda: d.integer(1, 50),
        relative_positions=lambda: d.integer(1, 20),
        value_dim=lambda: d.integer(1, 5),
    )
    if d.shape[-1] % count or d.chance(0.3):
        drawn["head_dim"] = d.integer(1, 5)
    return drawn


@fields("self_attention", axes=(3, 4))
def self_attention(d: Draft) -> Entry:
    return heads(d) | d.some(
        causal=d.flag,
        **{d.choice(["window", "chunk"]): lambda: d.integer(1, 6)},
        kv_length=lambda: d.shape[-2] + d.integer(0, 4),
    )


@fields("latent_attention", axes=(3, 4))
def latent_attention(d: Draft) -> Entry:
    names = ("heads", "kv_rank", "head_dim", "rope_dim")
    return {name: d.integer(1, 4) for name in names} | d.some(
        value_dim=lambda: d.integer(1, 5),
        q_rank=lambda: d.integer(1, 4),
        absorbed=d.flag,
        causal=d.flag,
        sinks=d.flag,
        **{d.choice(["window", "chunk"]): lambda: d.integer(1, 6)},
    )


@fields("cache", axes=(2, 3, 4))
def cache(d: Draft) -> Entry:
    return {"dim": d.integer(1, len(d.shape) - 1)} | d.some(window=lambda: d.integer(1, 6))


@fields("state", axes=(2, 3, 4))
def state(d: Draft) -> Entry:
    return {"shape": [d.integer(1, 4), d.integer(1, 4)], "dim": d.integer(1, len(d.shape) - 1)}


@drawer("scaled_dot_product_attention", axes=(4,))
def core_attention(d: Draft) -> None:
    queries = d.anchor()
    keys = d.emit("gelu", {}, queries)
    values = d.emit("linear", {"out_features": d.extent()}, queries)
    drawn = d.some(sinks=d.flag, window=lambda: d.integer(1, 6), causal=d.flag)
    d.emit("scaled_dot_product_attention", drawn, queries, keys, values)


@drawer("cross_attention", axes=(3, 4))
def cross_attention(d: Draft) -> None:
    """Keys of another width and, by a slice or more tokens, of another number."""
    queries, drawn = d.anchor(), heads(d)
    keys = d.emit("linear", {"out_features": d.extent()}, queries)
    if len(d.shape) == 3 and d.flag():
        keys = d.emit("class_token", {"tokens": d.integer(1, 3)})
    elif d.flag():
        keys = d.emit("slice", {"dim": -2, "end": d.integer(1, d.shape[-2])})
    values = [d.emit("linear", {"out_features": d.extent()})] if d.chance(0.3) else []
    d.emit("cross_attention", drawn, queries, keys, *values)


# Products.


@drawer("linear")
def linear(d: Draft) -> None:
    bias = d.some(bias=d.flag)
    if d.chance(0.25):
        return tied(d, bias)
    width = d.choice([d.extent(), d.extent(), "in_features", "2*in_features"])
    d.emit("linear", {"out_features": width} | bias)
    return None


def tied(d: Draft, bias: Entry) -> None:
    """A layer with the weight of an embedding or of a linear layer, which is drawn before it."""
    features = d.shape[-1]
    if d.flag():
        owner = d.emit("linear", {"out_features": d.extent()} | d.some(bias=d.flag))
        d.emit("linear", {"out_features": features})
    else:
        owner = d.emit("embedding", {"num_embeddings": d.integer(2, 9), "embedding_dim": 4})
    rows = len(d.frame.weights[owner])
    d.emit("linear", {"out_features": rows, "weight": owner} | bias)


@drawer("grouped_linear", axes=(2, 3, 4))
def grouped_linear(d: Draft) -> None:
    d.emit("grouped_linear", {"groups": d.integer(1, 5), "out_features": d.extent()})


@drawer("matmul", axes=(2, 3, 4))
def matmul(d: Draft) -> None:
    """With itself the other way round, or with a free matrix."""
    x, columns = d.anchor(), d.extent()
    if d.flag():
        other = d.emit("transpose", {})
    else:
        other = d.emit("parameter", {"shape": [features(d), columns]})
    d.emit("matmul", {}, x, other)


@drawer("bilinear")
def bilinear(d: Draft) -> None:
    x = d.anchor()
    other = d.emit("linear", {"out_features": d.extent()}, x)
    d.emit("bilinear", {"out_features": d.extent()} | d.some(bias=d.flag), x, other)


@drawer("einsum", axes=(1, 2, 3, 4))
def einsum(d: Draft) -> None:
    """Any choice of the axes of an input and a weight, or of two inputs, in any order."""
    axes = list("abcd"[: len(d.shape)])
    others = d.random.sample(axes, d.integer(0, len(axes))) + list("xyz")[: d.integer(0, 2)]
    d.random.shuffle(others)
    sizes = {axis: d.extent() for axis in others if axis not in axes}
    union = list(dict.fromkeys([*axes, *others]))
    kept = d.random.sample(union, d.integer(1, len(union)))
    sources = [d.anchor()]
    if others and d.chance(0.3):
        sources.append(second_operand(d, axes, others, sizes))
        sizes = {}
    terms = [axes, others] if others else [axes]
    written = d.choice(["".join, " ".join])
    equation = f"{', '.join(map(written, terms))} -> {written(kept)}"
    d.emit("einsum", {"equation": equation} | ({"sizes": sizes} if sizes else {}), *sources)


def second_operand(d: Draft, axes: list[str], others: list[str], sizes: Entry) -> str:
    """A free tensor with these axes."""
    known = dict(zip(axes, d.shape, strict=True)) | sizes
    return d.emit("parameter", {"shape": [known[axis] for axis in others]})


# Several inputs, and free parameters.


def elementwise(d: Draft, kind: str, most: int | None) -> None:
    """With tensors of this shape, or some that are broadcast, in any order; or with a number."""
    x = d.anchor()
    if kind not in ("where", "masked_fill") and d.chance(0.3):
        return void(d.emit(kind, {"other": d.choice([2, 3])}, x))
    others = [partner(d, x) for _ in range(most or d.integer(1, 2))]
    sources = [x, *others]
    d.random.shuffle(sources)
    return void(d.emit(kind, {}, *sources))


_MOST = {"add": None, "mul": None, "maximum": None, "minimum": None, "where": 2}
_PAIRS = ("sub", "div", "masked_fill", *PAIRS, *COMPARISONS, *BITWISE[:3])
for _kind, _most in (_MOST | dict.fromkeys(_PAIRS, 1)).items():
    drawer(_kind)(partial(elementwise, kind=_kind, most=_most))


def partner(d: Draft, x: str) -> str:
    """A tensor that fits: an earlier one, a mean over an axis, a free one, or another function."""
    shape = tuple(d.frame.source(x).shape)
    how = d.choice(["earlier", "mean", "parameter", "tanh"])
    if how == "earlier":
        return str(d.choice(d.earlier(lambda other: other == shape)))
    if how == "parameter":
        d.source = x
        return free(d)
    return d.emit(how, {"dim": d.axis(len(shape)), "keepdim": True} if how == "mean" else {}, x)


def free(d: Draft, kind: str = "parameter") -> str:
    """A tensor of its own, broadcast to the one at hand: some last axes, some of extent 1."""
    last = d.shape[-d.integer(1, len(d.shape)) :]
    shape = [1 if d.chance(0.4) else size for size in last]
    return d.emit(kind, {"shape": [*shape[:-1], d.choice([1, features(d)])]})


def features(d: Draft) -> int | str:
    """The last extent of the tensor at hand, by name where that is the tensor before."""
    return "in_features" if d.x is d.frame.latest and d.flag() else d.shape[-1]


@drawer("parameter")
def parameter(d: Draft) -> None:
    """A free tensor, put to use as in layer scale."""
    x = d.anchor()
    d.source = x
    d.emit(d.choice(["add", "mul"]), {}, x, free(d))


@drawer("full")
def full(d: Draft) -> None:
    """A number everywhere, put to use likewise."""
    x = d.anchor()
    d.source = x
    d.emit("mul", {}, x, free(d, "full"))


@drawer("arange")
def arange(d: Draft) -> None:
    """As many numbers as there are features, put to use likewise."""
    x, step, start = d.anchor(), d.integer(1, 3), d.integer(-2, 2)
    end = start + step * d.shape[-1] - d.integer(0, step - 1)
    drawn = (
        {"end": end} | ({"step": step} if step > 1 else {}) | ({"start": start} if start else {})
    )
    d.source = x
    d.emit("add", {}, x, d.emit("arange", drawn))


@fields("missing")
def missing(d: Draft) -> Entry:
    return {"operator": "aten.fft_rfft", "shape": [d.extent() for _ in range(d.integer(1, 3))]}


@drawer("gather", "scatter")
def gather(d: Draft) -> None:
    """Indices of the same shape, or of fewer along an axis; what is scattered is another tensor."""
    x, axis, kind = d.anchor(), d.axis(), d.choice(["gather", "scatter"])
    index = d.emit("slice", {"dim": d.axis(), "end": d.integer(1, max(d.shape))}, x)
    if kind == "scatter":
        fields_ = {"dim": axis} | d.some(reduce=lambda: "add")
        return void(d.emit(kind, fields_, x, index, d.choice([x, index])))
    return void(d.emit(kind, {"dim": axis}, x, index))


@drawer("index_select")
def index_select(d: Draft) -> None:
    x, axis = d.anchor(), d.axis()
    d.emit("index_select", {"dim": axis}, x, d.emit("arange", {"end": d.extent()}))


@drawer("sort", "topk")
def ordered(d: Draft) -> None:
    axis = d.axis()
    if d.flag():
        return use_parts(d, d.emit("sort", {"dim": axis} | d.some(descending=d.flag)), axis)
    drawn = {"k": d.integer(1, d.shape[axis]), "dim": axis} | d.some(largest=d.flag)
    return use_parts(d, d.emit("topk", drawn), axis)


@fields("one_hot", axes=(1, 2, 3, 4))
def one_hot(d: Draft) -> Entry:
    return {"num_classes": d.extent()}


@fields("flip")
def flip(d: Draft) -> Entry:
    return {"dims": d.random.sample(range(len(d.shape)), d.integer(1, len(d.shape)))}


@drawer("expand")
def expand(d: Draft) -> None:
    """An axis whose extent is 1 whatever the symbols are, made first; at times new axes."""
    axis = d.axis() % len(d.shape)
    d.emit("mean", {"dim": axis, "keepdim": True})
    new = [d.extent() for _ in range(d.integer(0, 1))]
    own = [d.choice([size, -1]) for size in d.shape]
    own[axis] = d.choice([1, -1, 3, 4])
    d.emit("expand", {"shape": [*new, *own]})


@fields("tile")
def tile(d: Draft) -> Entry:
    return {"dims": [d.integer(1, 2) for _ in range(d.integer(1, len(d.shape) + 1))]}


@fields("repeat_interleave", axes=(2, 3, 4, 5))
def repeat_interleave(d: Draft) -> Entry:
    return {"repeats": d.integer(1, 3)} | d.some(dim=d.axis)


@drawer("grid_sample", axes=(4,))
def grid_sample(d: Draft) -> None:
    """A grid of the right form, learned."""
    x = d.anchor()
    grid = d.emit("parameter", {"shape": [d.shape[0], d.extent(), d.extent(), 2]})
    d.emit("grid_sample", d.some(mode=lambda: "nearest", align_corners=d.flag), x, grid)


@drawer("constant")
def constant(d: Draft) -> None:
    """A buffer, put to use likewise."""
    x = d.anchor()
    d.source = x
    d.emit(d.choice(["add", "mul"]), {}, x, free(d, "constant"))


@drawer("concat")
def concat(d: Draft) -> None:
    """With tensors that differ on one axis only."""
    x, shape = d.anchor(), d.shape
    axis = d.axis()
    if d.flag() and axis in (1, 1 - len(shape)):
        axis = 1
    others = d.earlier(lambda other: apart_from(other, axis) == apart_from(shape, axis))
    sources = [x, *(d.choice(others) for _ in range(d.integer(1, 2)))]
    d.random.shuffle(sources)
    d.emit("concat", {} if axis == 1 and d.flag() else {"axis": axis}, *sources)


def apart_from(shape: Shape, axis: int) -> tuple[int, Shape]:
    """All extents but one; ``axis`` may count from the end."""
    if not -len(shape) <= axis < len(shape):
        return -1, ()
    axis %= len(shape)
    return len(shape), shape[:axis] + shape[axis + 1 :]


@drawer("stack", axes=(1, 2, 3, 4))
def stack(d: Draft) -> None:
    x, shape = d.anchor(), d.shape
    others = d.earlier(lambda other: other == shape)
    sources = [x, *(d.choice(others) for _ in range(d.integer(1, 2)))]
    d.emit("stack", d.some(dim=lambda: d.axis(len(shape) + 1)), *sources)


@drawer("crop", axes=(4,))
def crop(d: Draft) -> None:
    """To a size, or to that of a pooled tensor."""
    if d.flag():
        return void(d.emit("crop", {"size": [d.integer(1, size) for size in d.shape[2:]]}))
    x = d.anchor()
    smaller = d.emit("maxpool2d", {"kernel_size": d.integer(1, 3), "stride": 1}, x)
    return void(d.emit("crop", {}, x, smaller))


def void(_: object) -> None:
    """A name that is not needed."""


# Shapes.


@fields("flatten")
def flatten(d: Draft) -> Entry:
    return d.some(start_dim=lambda: d.integer(0, 2), end_dim=lambda: d.axis())


@fields("reshape", "view")
def reshape(d: Draft) -> Entry:
    """The prime factors dealt into new axes; the first axis kept at times; one may be -1."""
    first = len(d.shape) > 1 and d.flag()
    shape: list[Any] = [1] * d.integer(1, 3)
    for prime in primes(prod(d.shape[1:] if first else d.shape)):
        shape[d.integer(0, len(shape) - 1)] *= prime
    if d.flag():
        shape[d.integer(0, len(shape) - 1)] = -1
    return {"shape": ["in_shape[0]", *shape] if first else shape}


def primes(number: int) -> Iterator[int]:
    """A number's prime factors."""
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            yield divisor
            number //= divisor
        divisor += 1


@fields("permute")
def permute(d: Draft) -> Entry:
    axes = range(len(d.shape))
    dims = d.random.sample(axes, len(axes))
    return {"dims": [axis - len(axes) if d.chance(0.1) else axis for axis in dims]}


@fields("transpose", axes=(2, 3, 4, 5))
def transpose(d: Draft) -> Entry:
    return d.some(dim0=d.axis, dim1=d.axis)


@drawer("squeeze", axes=(2, 3, 4, 5))
def squeeze(d: Draft) -> None:
    """An axis of extent 1, made first where there is none."""
    if 1 not in d.shape:
        d.emit("mean", {"dim": d.axis(), "keepdim": True})
    axes = [axis for axis, size in enumerate(d.shape) if size == 1]
    d.emit("squeeze", {"dim": d.choice(axes) - (len(d.shape) if d.chance(0.3) else 0)})


@fields("unsqueeze", axes=(1, 2, 3, 4))
def unsqueeze(d: Draft) -> Entry:
    return {"dim": d.axis(len(d.shape) + 1)}


@fields("pad")
def pad(d: Draft) -> Entry:
    """Constants on any axes, cut off where negative; mirrored and so on only as PyTorch can."""
    if d.flag() and len(d.shape) > 2:
        axes, least = len(d.shape) - 2, 0
        optional: Entry = {"mode": d.choice(["reflect", "replicate", "circular"])}
    else:
        axes, least = d.integer(1, len(d.shape)), -1
        optional = d.some(mode=lambda: "constant", value=lambda: 0.5)
    return {"pad": [d.integer(least, 2) for _ in range(2 * axes)]} | optional


@fields("slice")
def slice_(d: Draft) -> Entry:
    axis = d.axis()
    size = d.shape[axis]
    start = d.integer(0, size - 1)
    end = d.integer(start + 1, size)
    return {"dim": axis} | d.some(
        start=lambda: d.choice([start, start - size]),
        end=lambda: d.choice([end, end - size if end < size else None]),
        step=lambda: d.integer(1, 3),
    )


@fields("select", axes=(2, 3, 4, 5))
def select(d: Draft) -> Entry:
    axis = d.axis()
    return {"dim": axis} | d.some(index=lambda: d.integer(-d.shape[axis], d.shape[axis] - 1))


@drawer("split", axes=(2, 3, 4, 5))
def split(d: Draft) -> None:
    axis = d.axis()
    first = d.integer(1, d.shape[axis] - 1)
    sizes = [first, *([d.shape[axis] - first] if first < d.shape[axis] else [])]
    if sizes[-1] > 1 and d.flag():
        sizes[-1:] = [1, sizes[-1] - 1]
    use_parts(d, d.emit("split", {"sizes": sizes, "dim": axis}), axis)


@drawer("chunk")
def chunk(d: Draft) -> None:
    axis = d.axis()
    chunks = d.integer(2, 3)
    use_parts(d, d.emit("chunk", {"chunks": chunks, "dim": axis}), axis)


def use_parts(d: Draft, name: str, axis: int) -> None:
    """Go on with one part, or join some of them in another order; the others may serve later."""
    parts = [f"{name}.{i}" for i in range(len(d.frame.tensors[name]))]
    if d.flag():
        d.emit(d.choice(["tanh", "identity", "layernorm"]), {}, d.choice(parts))
    else:
        d.emit("concat", {"axis": axis}, *d.random.sample(parts, len(parts)))


@fields("roll")
def roll(d: Draft) -> Entry:
    axes = d.random.sample(range(len(d.shape)), d.integer(1, len(d.shape)))
    return {"shifts": [d.integer(-3, 3) for _ in axes], "dims": axes}


@fields("channel_shuffle", axes=(3, 4, 5))
def channel_shuffle(d: Draft) -> Entry:
    return {"groups": d.divisor(d.shape[1])}


@drawer("pixel_shuffle", axes=(4,))
def pixel_shuffle(d: Draft) -> None:
    factor = d.integer(1, 2)
    if d.shape[1] % factor**2:
        d.emit("conv2d", {"out_channels": 4 * d.integer(1, 2), "kernel_size": 1})
    d.emit("pixel_shuffle", {"upscale_factor": factor})


@drawer("pixel_unshuffle", axes=(4,))
def pixel_unshuffle(d: Draft) -> None:
    factor = d.integer(1, 3)
    if d.shape[2] % factor or d.shape[3] % factor:
        d.emit("adaptive_maxpool2d", {"output_size": [factor, 2 * factor]})
    d.emit("pixel_unshuffle", {"downscale_factor": factor})

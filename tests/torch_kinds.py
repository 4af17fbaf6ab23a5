"""Every kind in PyTorch, one small function each.

It is PyTorch's own module or function. Where `torch.utils.flop_counter` does not see the products,
they are written with operators that it does see, from the documentation of the kind, and that is
said.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil, prod
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Fields = Mapping[str, Any]
Tensors: TypeAlias = Tensor | tuple[Tensor, ...]
"""What leaves a layer: one tensor, or several."""


class RefusedError(Exception):
    """PyTorch, or the twin of a kind, does not take these fields with this input."""


# What a kind is in PyTorch.


class Call:
    """One layer at work.

    Attributes:
        kind: its kind.
        inputs: the tensors that enter.
        fields: its fields, as numbers.
        learned: what it learns.
        tied: the weight of another layer that it shares.
        is_trained: whether what it learns is trained.
    """

    def __init__(
        self, kind: str, inputs: Sequence[Tensor], fields: Fields, tied: Tensor | None = None
    ) -> None:
        self.kind = kind
        self.inputs = inputs
        self.fields = fields
        self.tied = tied
        self.learned: list[Tensor] = []
        self.is_trained = True

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.inputs[0]

    def get(self, name: str, default: Any = None) -> Any:
        """A field; null stands for the default."""
        value = self.fields.get(name)
        return default if value is None else value

    @property
    def operands(self) -> Sequence[Any]:
        """The inputs, and the number that stands for the last one."""
        number = self.get("other")
        return self.inputs if number is None else (*self.inputs, number)

    def run(self, module: nn.Module, *inputs: Tensor) -> Any:
        """A module at inference, on the first input where none is given."""
        self.learned += module.parameters()
        return module.eval().requires_grad_(self.is_trained)(*(inputs or (self.x,)))

    def parameter(self, *shape: int) -> Tensor:
        """A learned tensor that belongs to no module."""
        self.learned.append(nn.Parameter(torch.empty(shape, device="meta"), requires_grad=False))
        return self.learned[-1]

    def linear(self, x: Tensor, features: int, *, bias: bool = True) -> Tensor:
        """A linear layer inside this one."""
        result: Tensor = self.run(nn.Linear(x.shape[-1], features, bias=bias), x)
        return result


Twin = Callable[[Call], Tensors]

FREE = ("parameter", "constant", "full", "arange")
"""The kinds that nothing enters."""

TWINS: dict[str, Twin] = {}
"""Kind → what it does in PyTorch."""


def twin(*kinds: str) -> Callable[[Twin], Twin]:
    """Register the twin of some kinds."""

    def register(function: Twin) -> Twin:
        for kind in kinds:
            if kind in TWINS:
                raise ValueError(f"'{kind}' has two twins")
            TWINS[kind] = function
        return function

    return register


MODULES: Mapping[str, Callable[..., nn.Module]] = {
    "adaptive_avgpool1d": nn.AdaptiveAvgPool1d,
    "adaptive_avgpool2d": nn.AdaptiveAvgPool2d,
    "adaptive_avgpool3d": nn.AdaptiveAvgPool3d,
    "adaptive_maxpool1d": nn.AdaptiveMaxPool1d,
    "adaptive_maxpool2d": nn.AdaptiveMaxPool2d,
    "adaptive_maxpool3d": nn.AdaptiveMaxPool3d,
    "avgpool1d": nn.AvgPool1d,
    "avgpool2d": nn.AvgPool2d,
    "avgpool3d": nn.AvgPool3d,
    "celu": nn.CELU,
    "channel_shuffle": nn.ChannelShuffle,
    "dropout": nn.Dropout,
    "elu": nn.ELU,
    "flatten": nn.Flatten,
    "fold": nn.Fold,
    "gelu": nn.GELU,
    "glu": nn.GLU,
    "hardshrink": nn.Hardshrink,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "identity": nn.Identity,
    "interpolate": nn.Upsample,
    "leaky_relu": nn.LeakyReLU,
    "local_response_norm": nn.LocalResponseNorm,
    "logsigmoid": nn.LogSigmoid,
    "maxpool1d": nn.MaxPool1d,
    "maxpool2d": nn.MaxPool2d,
    "maxpool3d": nn.MaxPool3d,
    "mish": nn.Mish,
    "pixel_shuffle": nn.PixelShuffle,
    "pixel_unshuffle": nn.PixelUnshuffle,
    "prelu": nn.PReLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "rrelu": nn.RReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softshrink": nn.Softshrink,
    "softsign": nn.Softsign,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
    "tanhshrink": nn.Tanhshrink,
    "threshold": nn.Threshold,
    "unfold": nn.Unfold,
    "upsample": nn.Upsample,
}
"""The kinds whose fields are the arguments of one of PyTorch's modules."""


@twin(*MODULES)
def module(call: Call) -> Tensors:
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in call.fields.items()}
    result: Tensor = call.run(MODULES[call.kind](**fields))
    return result


OVER_AXIS: Mapping[str, Callable[..., nn.Module]] = {
    "log_softmax": nn.LogSoftmax,
    "softmax": nn.Softmax,
    "softmin": nn.Softmin,
}


@twin(*OVER_AXIS)
def over_axis(call: Call) -> Tensors:
    result: Tensor = call.run(OVER_AXIS[call.kind](dim=call.get("dim", -1)))
    return result


IMAGES_ONLY = {"crop", "unfold", "pixel_shuffle", "pixel_unshuffle"}


def axes_of(kind: str) -> Sequence[int]:
    """The numbers of axes that a kind takes; torch also takes some inputs without a batch."""
    spatial = re.search(r"(\d)d$", kind)
    if spatial:
        return (int(spatial[1]) + 2,)
    return (4,) if kind in IMAGES_ONLY else range(1, 10)


# Convolutions.

CONVOLUTIONS = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv3d": nn.Conv3d}
TRANSPOSED = {
    "conv_transpose1d": nn.ConvTranspose1d,
    "conv_transpose2d": nn.ConvTranspose2d,
    "conv_transpose3d": nn.ConvTranspose3d,
}


@twin(*CONVOLUTIONS)
def convolution(call: Call) -> Tensors:
    fields = dict(call.fields)
    x = call.x
    if not padded_by_torch(fields.get("padding", 0), fields.get("stride", 1)):
        mode = fields.get("padding_mode", "zeros").replace("zeros", "constant")
        x = functional.pad(x, sides_last_axis_first(call), mode)
        fields["padding"] = 0
    result: Tensor = call.run(CONVOLUTIONS[call.kind](x.shape[1], **fields), x)
    return result


def padded_by_torch(padding: Any, stride: Any) -> bool:
    """Torch pads both sides alike, and takes ``same`` with stride 1 only."""
    if padding == "same":
        return {stride} == {1} if isinstance(stride, int) else set(stride) == {1}
    return not isinstance(padding, Sequence) or all(isinstance(side, int | str) for side in padding)


def sides_last_axis_first(call: Call) -> list[int]:
    """The padding as `torch.nn.functional.pad` takes it."""
    if call.fields["padding"] == "same":
        pairs = [same(call, axis) for axis in range(call.x.dim() - 2)]
    else:
        pairs = [(p, p) if isinstance(p, int) else tuple(p) for p in call.fields["padding"]]
    return [side for pair in reversed(pairs) for side in pair]


def same(call: Call, axis: int) -> tuple[int, int]:
    """TensorFlow's SAME: an output of ``ceil(h/s)``, the odd element after."""
    size = call.x.shape[axis + 2]
    kernel, stride, dilation = (
        at(call.get(name, 1), axis) for name in ("kernel_size", "stride", "dilation")
    )
    total = max((ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def at(value: int | Sequence[int], axis: int) -> int:
    """The number of an axis."""
    return value if isinstance(value, int) else value[axis]


@twin(*TRANSPOSED)
def transposed_convolution(call: Call) -> Tensors:
    """On the meta device torch forgets what it asks of ``output_padding`` elsewhere."""
    for axis in range(call.x.dim() - 2):
        added, *steps = (
            at(call.get(name, least), axis)
            for name, least in (("output_padding", 0), ("stride", 1), ("dilation", 1))
        )
        if added >= max(steps):
            raise RefusedError("the output padding is no less than stride and dilation")
    result: Tensor = call.run(TRANSPOSED[call.kind](call.x.shape[1], **call.fields))
    return result


# Products.


@twin("linear")
def linear(call: Call) -> Tensors:
    bias = call.get("bias", True)
    if call.tied is None:
        return call.linear(call.x, call.get("out_features"), bias=bias)
    if call.tied.shape != (call.get("out_features"), call.x.shape[-1]):
        raise RefusedError("a shared weight of another shape")
    return functional.linear(call.x, call.tied, call.parameter(len(call.tied)) if bias else None)


@twin("matmul")
def matmul(call: Call) -> Tensors:
    if min(x.dim() for x in call.inputs) < 2:
        raise RefusedError("a matrix has two axes")
    return torch.matmul(*call.inputs)


@twin("grouped_linear")
def grouped_linear(call: Call) -> Tensors:
    """A matrix for each group; whose the rows are changes no count."""
    weight = call.parameter(*map(call.get, ("groups", "out_features")), call.x.shape[-1])
    if call.x.dim() < 2:
        raise RefusedError("no rows")
    return functional.linear(call.x, weight[0])


@twin("bilinear")
def bilinear(call: Call) -> Tensors:
    """The counter does not see ``torch.nn.Bilinear``; ``xᵀW``, and its product with ``z``."""
    x, z = call.inputs
    result = call.run(nn.Bilinear(x.shape[-1], z.shape[-1], **call.fields), x, z)
    weight = call.learned[0].transpose(0, 1).flatten(1)
    product = (x @ weight).unflatten(-1, (-1, z.shape[-1])) @ z.unsqueeze(-1)
    assert product.squeeze(-1).shape == result.shape
    return product.squeeze(-1)


@twin("einsum")
def einsum(call: Call) -> Tensors:
    """Torch's einsum, but a sum over an axis of extent 1 is a matrix product as any other is."""
    terms, output = axes_of_equation(call.get("equation"))
    sizes = dict(call.get("sizes", {}))
    for term, x in zip(terms, call.inputs, strict=False):
        sizes |= zip(term, x.shape, strict=True)
    operands = list(call.inputs)
    if len(terms) > len(operands):
        operands.append(call.parameter(*(sizes[axis] for axis in terms[-1])))
    if len(operands) == 1:
        return contract([*operands, torch.ones((), device="meta")], [*terms, []], output)
    return contract(operands, terms, output)


def axes_of_equation(equation: str) -> tuple[list[list[str]], list[str]]:
    """The axes of each operand, and those of the output."""
    left, right = equation.split("->")
    *terms, output = (
        term.split() if " " in term.strip() else list(term.strip())
        for term in (*left.split(","), right)
    )
    return terms, output


def contract(operands: list[Tensor], terms: list[list[str]], output: list[str]) -> Tensor:
    """First what one operand alone sums over, then one batched product over what both do."""
    own = [[a for a in term if a in output or a in other] for term, other in both(terms)]
    x, z = (
        x.sum([i for i, a in enumerate(term) if a not in kept]) if len(kept) < len(term) else x
        for x, term, kept in zip(operands, terms, own, strict=True)
    )
    summed = [a for a in own[0] if a not in output]
    batch = [a for a in own[0] if a in own[1] and a in output]
    rows, columns = ([a for a in term if a in output and a not in batch] for term in own)
    a = arranged(x, own[0], [batch, rows, summed])
    b = arranged(z, own[1], [batch, summed, columns])
    product = torch.bmm(a, b) if summed else a * b
    sizes = dict(zip(own[0], x.shape, strict=True)) | dict(zip(own[1], z.shape, strict=True))
    order = [*batch, *rows, *columns]
    return product.reshape([sizes[a] for a in order]).permute([order.index(a) for a in output])


def both(terms: list[list[str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Each operand's axes with the other's."""
    first, second = terms
    return iter([(first, second), (second, first)])


def arranged(x: Tensor, axes: list[str], groups: list[list[str]]) -> Tensor:
    """A tensor with its axes merged to three."""
    order = [axes.index(axis) for group in groups for axis in group]
    extents = [prod(x.shape[axes.index(axis)] for axis in group) for group in groups]
    return x.permute(order).reshape(extents)


# Attention.


@twin("self_attention", "cross_attention")
def attention(call: Call) -> Tensors:
    """Four linear layers around `scaled_dot_product_attention`, the heads of keys shared.

    A causal mask saves no products here, so none is set: the counter is of shapes only.
    """
    x, *memory = call.inputs
    keys, values = (memory[0], memory[-1]) if memory else (x, x)
    heads, groups = call.get("heads"), call.get("kv_heads", call.get("heads"))
    if call.get("head_dim") is None and x.shape[-1] % heads:
        raise RefusedError("the heads do not divide the features")
    head_dim, bias = call.get("head_dim", x.shape[-1] // heads), call.get("bias", True)
    value_dim = call.get("value_dim", head_dim)
    q, k, v = (
        call.linear(y, count * size, bias=call.get(f"{name}_bias", bias)).unflatten(
            -1, (count, size)
        )
        for name, y, count, size in (
            ("q", x, heads, head_dim),
            ("k", keys, groups, head_dim),
            ("v", values, groups, value_dim),
        )
    )
    if call.get("relative_positions"):
        call.parameter(call.get("relative_positions"), heads)
    if call.get("sinks"):
        call.parameter(heads)
    q, k = (normed(call, y) for y in (q, k))
    k, v = (with_cache(y, call.get("kv_length")) for y in (k, v))
    q, k, v = (y.transpose(-2, -3) for y in (q, k, v))
    result = scored(q, k, v, call.get("window", call.get("chunk")))
    joined = result.transpose(-2, -3).flatten(-2)
    return call.linear(joined, x.shape[-1], bias=call.get("out_bias", bias))


@twin("scaled_dot_product_attention")
def core(call: Call) -> Tensors:
    q, k, v = call.inputs
    if q.dim() < 3 or q.shape[-3] % k.shape[-3]:
        raise RefusedError("the heads of the keys do not divide those of the queries")
    if call.get("sinks"):
        call.parameter(q.shape[-3])
    if call.get("relative_positions"):
        call.parameter(call.get("relative_positions"), q.shape[-3])
    return scored(q, k, v, call.get("window", call.get("chunk")))


@twin("cache", "state")
def memory(call: Call) -> Tensors:
    """Nothing came before; a recurrence's element-wise work is no product."""
    dim = call.get("dim", 1)
    if call.x.dim() < 2 or dim % call.x.dim() == 0:
        raise RefusedError("the axis of sequences is none of tokens")
    return call.x


@twin("latent_attention")
def latent_attention(call: Call) -> Tensors:
    """DeepSeek-V2's formulas; rotations change no size."""
    x, heads, rank, rotated = call.x, call.get("heads"), call.get("kv_rank"), call.get("rope_dim")
    size = call.get("head_dim")
    value = call.get("value_dim", size)
    q = x
    if call.get("q_rank"):
        q = call.linear(x, call.get("q_rank"), bias=False)
        q = call.run(nn.RMSNorm(q.shape[-1]), q)
    q = call.linear(q, heads * (size + rotated), bias=False).unflatten(-1, (heads, -1))
    latent, shared = call.linear(x, rank + rotated, bias=False).split([rank, rotated], -1)
    latent = call.run(nn.RMSNorm(rank), latent)
    if call.get("relative_positions"):
        call.parameter(call.get("relative_positions"), heads)
    if call.get("sinks"):
        call.parameter(heads)
    q, one = q.transpose(-2, -3), shared.unsqueeze(-3)
    window = call.get("window", call.get("chunk"))
    if call.get("absorbed"):
        up = call.parameter(heads, size, rank), call.parameter(heads, rank, value)
        q = torch.cat([q[..., :size] @ up[0], q[..., size:]], -1)
        k = torch.cat([latent.unsqueeze(-3), one], -1)
        made = scored(q, k, k[..., :rank], window) @ up[1]
    else:
        both = call.linear(latent, heads * (size + value), bias=False).unflatten(-1, (heads, -1))
        k, v = both.transpose(-2, -3).split([size, value], -1)
        k = torch.cat([k, one.expand(*k.shape[:-1], -1)], -1)
        made = scored(q, k, v, window)
    return call.linear(made.transpose(-2, -3).flatten(-2), x.shape[-1], bias=False)


def normed(call: Call, x: Tensor) -> Tensor:
    """Queries or keys after the norm of each head, as Qwen3's, or of all heads, as OLMo 2's."""
    match call.get("qk_norm", "none"):
        case "head":
            each: Tensor = call.run(nn.RMSNorm(x.shape[-1]), x)
            return each
        case "all":
            whole: Tensor = call.run(nn.RMSNorm(x.shape[-1] * x.shape[-2]), x.flatten(-2))
            return whole.unflatten(-1, x.shape[-2:])
    return x


def with_cache(x: Tensor, length: int | None) -> Tensor:
    """Keys or values of all tokens: those of this call behind those that were kept."""
    if length is None:
        return x
    if length < x.shape[-3]:
        raise RefusedError("fewer keys than tokens")
    cache = x.new_empty((*x.shape[:-3], length - x.shape[-3], *x.shape[-2:]))
    return torch.cat([cache, x], -3)


def scored(q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
    """Attention of all queries to all keys, or of each query to a window of its own.

    Torch has no sliding window. Which keys are in it changes no count, so the first ones stand in.
    """
    if q.shape[-3] % k.shape[-3]:
        raise RefusedError("the heads of the keys do not divide those of the queries")
    if window is None:
        return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    k, v = (y.repeat_interleave(q.shape[-3] // y.shape[-3], -3) for y in (k, v))
    k, v = (y[..., :window, :].unsqueeze(-3).expand(*q.shape[:-1], -1, -1) for y in (k, v))
    scores = q.unsqueeze(-2) @ k.transpose(-1, -2)
    return (scores.softmax(-1) @ v).squeeze(-2)


# Recurrent layers.

RECURRENT: Mapping[str, Callable[..., nn.Module]] = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


@twin(*RECURRENT)
def recurrent(call: Call) -> Tensors:
    fields = {"batch_first": True} | {k: v for k, v in call.fields.items() if v is not None}
    if call.x.dim() != 3:
        raise RefusedError("a sequence has three axes")
    leaves, first = fields.pop("states", False), call.inputs[1:]
    given = [first if len(first) > 1 else first[0]] if first else []
    try:
        output, last = call.run(RECURRENT[call.kind](call.x.shape[-1], **fields), call.x, *given)
    except RuntimeError as error:
        raise RefusedError("first states of another shape") from error
    states = last if isinstance(last, tuple) else (last,)
    return (output, *states) if leaves else output


# Normalisation.


@twin("batchnorm")
def batchnorm(call: Call) -> Tensors:
    rank = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    result: Tensor = call.run(of_rank(rank, call)(call.x.shape[1], **call.fields))
    return result


@twin("instancenorm")
def instancenorm(call: Call) -> Tensors:
    rank = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
    result: Tensor = call.run(of_rank(rank, call)(call.x.shape[1], **call.fields))
    return result


def of_rank(modules: Mapping[int, Callable[..., nn.Module]], call: Call) -> Any:
    """The module for as many axes."""
    if call.x.dim() not in modules:
        raise RefusedError("a number of axes that PyTorch has no module for")
    return modules[call.x.dim()]


@twin("groupnorm")
def groupnorm(call: Call) -> Tensors:
    fields = dict(call.fields)
    groups = fields.pop("num_groups")
    result: Tensor = call.run(nn.GroupNorm(groups, call.x.shape[1], **fields))
    return result


@twin("layernorm")
def layernorm(call: Call) -> Tensors:
    fields = dict(call.fields)
    axes = fields.pop("axes", 1)
    result: Tensor = call.run(nn.LayerNorm(call.x.shape[-axes:], **fields))
    return result


@twin("rmsnorm")
def rmsnorm(call: Call) -> Tensors:
    result: Tensor = call.run(nn.RMSNorm(call.x.shape[-1], **call.fields))
    return result


# Embeddings, positions, free parameters.


@twin("embedding")
def embedding(call: Call) -> Tensors:
    if call.tied is not None:
        if call.tied.shape != (call.get("num_embeddings"), call.get("embedding_dim")):
            raise RefusedError("the shared weight has another shape")
        return functional.embedding(call.x.long(), call.tied)
    result: Tensor = call.run(nn.Embedding(**call.fields), call.x.long())
    return result


@twin("positional_embedding")
def positional_embedding(call: Call) -> Tensors:
    if call.x.dim() != 3 or call.x.shape[1] > call.get("max_length"):
        raise RefusedError("no row for every position")
    table = call.run(nn.Embedding(call.get("max_length"), call.x.shape[-1]), positions(call.x))
    return call.x + table


def positions(x: Tensor) -> Tensor:
    return torch.arange(x.shape[1], device="meta")


@twin("positional_encoding")
def positional_encoding(call: Call) -> Tensors:
    """Torch has none; each sine has its cosine, so that the features are even."""
    if call.x.dim() != 3 or call.x.shape[-1] % 2:
        raise RefusedError("a sequence has three axes, the last in pairs")
    return call.x + positions(call.x).unsqueeze(-1)


@twin("rotary_embedding")
def rotary_embedding(call: Call) -> Tensors:
    if call.x.dim() < 2 or call.x.shape[-1] % 2:
        raise RefusedError("no pairs of features")
    first, second = call.x.chunk(2, -1)
    return torch.cat([first - second, first + second], -1)


@twin("class_token")
def class_token(call: Call) -> Tensors:
    if call.x.dim() != 3:
        raise RefusedError("a sequence has three axes")
    tokens = call.parameter(call.get("tokens", 1), call.x.shape[-1])
    return torch.cat([tokens.expand(len(call.x), -1, -1), call.x], 1)


@twin("parameter")
def parameter(call: Call) -> Tensors:
    return call.parameter(*listed(call.get("shape")))


@twin("constant")
def constant(call: Call) -> Tensors:
    return torch.empty(*listed(call.get("shape")), device="meta")


def listed(value: Any) -> list[Any]:
    """One number is a list of one."""
    return list(value) if isinstance(value, Sequence) else [value]


# Several inputs.


@twin("add")
def add(call: Call) -> Tensors:
    return sum(call.operands[1:], call.x)


@twin("mul")
def mul(call: Call) -> Tensors:
    return prod(call.operands[1:], start=call.x)


@twin("sub")
def sub(call: Call) -> Tensors:
    return torch.sub(*call.operands)


@twin("div")
def div(call: Call) -> Tensors:
    return torch.div(*call.operands)


@twin("maximum", "minimum")
def extremum(call: Call) -> Tensors:
    numbers = [x if isinstance(x, Tensor) else torch.full((), x) for x in call.operands]
    every = torch.stack(torch.broadcast_tensors(*numbers))
    return every.amax(0) if call.kind == "maximum" else every.amin(0)


FUNCTIONS = (
    *("abs", "square", "log", "log2", "log10", "log1p", "erf", "sin", "cos", "tan", "asin", "acos"),
    *("atan", "sinh", "cosh", "asinh", "acosh", "atanh", "exp", "exp2", "expm1", "sqrt", "rsqrt"),
    *("reciprocal", "neg", "floor", "ceil", "round", "trunc", "sign"),
)
"""The kinds that are functions of one tensor in `torch`."""

TESTS = ("logical_not", "isnan", "isinf", "isfinite")
PAIRS = ("remainder", "atan2", "floor_divide", "pow")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor")
BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")


@twin(*FUNCTIONS, *TESTS, *PAIRS, *COMPARISONS, *BITWISE)
def function(call: Call) -> Tensors:
    """PyTorch's function of this name; truth values and integers go on as floating point."""
    given = [x if isinstance(x, Tensor) else torch.full((), x) for x in call.operands]
    if call.kind in BITWISE:
        given = [x.long() for x in given]
    result: Tensor = getattr(torch, call.kind)(*given)
    return result.float()


@twin("where")
def where(call: Call) -> Tensors:
    condition, one, other = call.inputs
    return torch.where(condition.bool(), one, other)


@twin("masked_fill")
def masked_fill(call: Call) -> Tensors:
    return call.x.masked_fill(call.inputs[1].bool(), call.get("value", 0))


@twin("clamp")
def clamp(call: Call) -> Tensors:
    return torch.clamp(call.x, call.get("min"), call.get("max"))


@twin("tril", "triu")
def triangle(call: Call) -> Tensors:
    if call.x.dim() < 2:
        raise RefusedError("no matrix")
    result: Tensor = getattr(torch, call.kind)(call.x, call.get("diagonal", 0))
    return result


@twin("cumsum", "cumprod")
def cumulative(call: Call) -> Tensors:
    result: Tensor = getattr(torch, call.kind)(call.x, call.get("dim", -1))
    return result


@twin("normalize")
def normalize(call: Call) -> Tensors:
    fields = {"p": call.get("p", 2), "eps": call.get("eps", 1e-12)}
    return functional.normalize(call.x, dim=call.get("dim", 1), **fields)


# Places, copies, patches.


@twin("gather")
def gather(call: Call) -> Tensors:
    return torch.gather(call.x, call.get("dim"), call.inputs[1].long())


@twin("index_select")
def index_select(call: Call) -> Tensors:
    return torch.index_select(call.x, call.get("dim"), call.inputs[1].long())


@twin("scatter")
def scatter(call: Call) -> Tensors:
    x, index, source = call.inputs
    if call.get("reduce", "none") == "add":
        return torch.scatter_add(x, call.get("dim"), index.long(), source)
    return torch.scatter(x, call.get("dim"), index.long(), source)


@twin("sort")
def sort(call: Call) -> Tensors:
    values, places = torch.sort(call.x, call.get("dim", -1), call.get("descending", False))
    return values, places.float()


@twin("topk")
def topk(call: Call) -> Tensors:
    dim, largest = call.get("dim", -1), call.get("largest", True)
    values, places = torch.topk(call.x, call.get("k"), dim, largest)
    return values, places.float()


@twin("one_hot")
def one_hot(call: Call) -> Tensors:
    """On the meta device torch looks at the indices; what it compares them with has the shape."""
    return (call.x.unsqueeze(-1) == torch.arange(call.get("num_classes"), device="meta")).float()


@twin("flip")
def flip(call: Call) -> Tensors:
    return torch.flip(call.x, listed(call.get("dims")))


@twin("expand")
def expand(call: Call) -> Tensors:
    return call.x.expand(listed(call.get("shape")))


@twin("tile")
def tile(call: Call) -> Tensors:
    return torch.tile(call.x, listed(call.get("dims")))


@twin("repeat_interleave")
def repeat_interleave(call: Call) -> Tensors:
    return torch.repeat_interleave(call.x, call.get("repeats"), call.get("dim", 1))


@twin("grid_sample")
def grid_sample(call: Call) -> Tensors:
    return functional.grid_sample(*call.inputs, **{"align_corners": False, **call.fields})


@twin("full")
def full(call: Call) -> Tensors:
    return torch.full(listed(call.get("shape")), float(call.get("value", 0)), device="meta")


@twin("arange")
def arange(call: Call) -> Tensors:
    bounds = (call.get("start", 0), call.get("end"), call.get("step", 1))
    return torch.arange(*bounds, device="meta").float()


@twin("missing")
def missing(call: Call) -> Tensors:
    """Torch has the operator, which we do not know: what leaves it has the shape that is said."""
    return torch.empty(listed(call.get("shape")), device="meta")


@twin("concat")
def concat(call: Call) -> Tensors:
    return torch.cat(list(call.inputs), call.get("axis", 1))


@twin("stack")
def stack(call: Call) -> Tensors:
    return torch.stack(list(call.inputs), call.get("dim", 0))


# Pooling without windows.


@twin("global_avgpool")
def global_avgpool(call: Call) -> Tensors:
    return call.x.mean(spatial_axes(call.x), keepdim=True)


@twin("global_maxpool")
def global_maxpool(call: Call) -> Tensors:
    return call.x.amax(spatial_axes(call.x), keepdim=True)


def spatial_axes(x: Tensor) -> list[int]:
    if x.dim() < 3:
        raise RefusedError("no spatial axes")
    return list(range(2, x.dim()))


@twin("mean", "sum", "amax", "amin", "logsumexp", "var", "std", "vector_norm", "any", "all")
def reduction(call: Call) -> Tensors:
    reduce = getattr(torch, call.kind) if call.kind != "vector_norm" else torch.linalg.vector_norm
    more = {"correction": call.get("correction", 1)} if call.kind in ("var", "std") else {}
    first = [call.get("p", 2)] if call.kind == "vector_norm" else []
    dim, keepdim = listed(call.get("dim")), call.get("keepdim", False)
    result: Tensor = reduce(call.x, *first, dim=dim, keepdim=keepdim, **more)
    return result.float()


@twin("argmax", "argmin", "prod")
def along_axis(call: Call) -> Tensors:
    reduce = getattr(torch, call.kind)
    result: Tensor = reduce(call.x, dim=call.get("dim"), keepdim=call.get("keepdim", False))
    return result.float()


@twin("drop_path", "stochastic_depth")
def drop_path(call: Call) -> Tensors:
    """Torch has none; at inference it is the identity."""
    return call.x


@twin("reshape", "view")
def reshape(call: Call) -> Tensors:
    return call.x.reshape(listed(call.get("shape")))


@twin("permute")
def permute(call: Call) -> Tensors:
    return call.x.permute(listed(call.get("dims")))


@twin("transpose")
def transpose(call: Call) -> Tensors:
    return call.x.transpose(call.get("dim0", -2), call.get("dim1", -1))


@twin("squeeze")
def squeeze(call: Call) -> Tensors:
    if call.x.shape[call.get("dim")] != 1:
        raise RefusedError("torch leaves a larger axis as it is; the language refuses it")
    return call.x.squeeze(call.get("dim"))


@twin("unsqueeze")
def unsqueeze(call: Call) -> Tensors:
    return call.x.unsqueeze(call.get("dim"))


@twin("pad")
def pad(call: Call) -> Tensors:
    fields = {"pad": listed(call.get("pad")), "mode": call.get("mode", "constant")}
    return functional.pad(call.x, **fields, value=call.get("value"))


@twin("crop")
def crop(call: Call) -> Tensors:
    """The middle, one axis after another."""
    x = call.x
    for axis in spatial_axes(x):
        length = call.inputs[1].shape[axis] if len(call.inputs) == 2 else size_of(call, axis)
        x = x.narrow(axis, (x.shape[axis] - length) // 2, length)
    return x


def size_of(call: Call, axis: int) -> int:
    return at(call.get("size"), axis - 2)


@twin("slice")
def slice_(call: Call) -> Tensors:
    """Python cuts a range off at the end of the axis; the language refuses it."""
    axis = call.get("dim") % call.x.dim()
    size = call.x.shape[axis]
    if not (-size <= call.get("start", 0) < size and -size < call.get("end", size) <= size):
        raise RefusedError("a range beyond the axis")
    taken = slice(call.get("start", 0), call.get("end"), call.get("step", 1))
    return call.x[(slice(None),) * axis + (taken,)]


@twin("select")
def select(call: Call) -> Tensors:
    return call.x.select(call.get("dim"), call.get("index", 0))


@twin("split")
def split(call: Call) -> Tensors:
    return torch.split(call.x, listed(call.get("sizes")), call.get("dim", 1))


@twin("chunk")
def chunk(call: Call) -> Tensors:
    parts = torch.chunk(call.x, call.get("chunks"), call.get("dim", 1))
    if len(parts) != call.get("chunks"):
        raise RefusedError("torch makes fewer chunks of so short an axis")
    return parts


@twin("roll")
def roll(call: Call) -> Tensors:
    return torch.roll(call.x, listed(call.get("shifts")), listed(call.get("dims")))

"""The kinds in PyTorch's source text: what is built once, and what is called in ``forward``."""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from archspec.equation import Equation
from archspec.fields import Condition, Expression, ShapeOf
from archspec.layers import KINDS, Layer
from archspec.trees import Tree

Sizes = tuple[int, ...]

NUMBER, END, OWN, INPUT = "\ue000", "\ue001", "\ue002", "\ue003"
"""Marks in a text: a number and its name, its end, the layer's module, an input and its number."""


class Text(NamedTuple):
    """A layer as source text, with marks in it.

    Attributes:
        call: the expression of what leaves it, in ``forward``.
        build: the expression of what is built once; empty where it has nothing.
    """

    call: str
    build: str = ""


class SizedLayer(NamedTuple):
    """A layer where every size is a number.

    Attributes:
        layer: its kind's fields.
        inputs: the shapes that enter.
        outputs: the shapes that leave.
        number: gives the value of an expression.
        sizes: gives the extents of a tensor that a field names.
        tied: whether it shares the weight of another, whose module its own mark then stands for.
    """

    layer: Layer
    inputs: tuple[Sizes, ...]
    outputs: tuple[Sizes, ...]
    number: Callable[[Tree], int | Fraction]
    sizes: Callable[[ShapeOf], Sizes]
    tied: bool = False

    @property
    def x(self) -> Sizes:
        """The shape of the first input."""
        return self.inputs[0]

    def get(self, name: str) -> Any:
        """Return a field as Python has it: a number, a truth value, a text, None, or a list."""
        return self._plain(getattr(self.layer, name))

    def _plain(self, value: Any) -> Any:
        match value:
            case Expression(tree):
                number = self.number(tree)
                return int(number) if number == int(number) else float(number)
            case Condition():
                return value.holds
            case ShapeOf():
                return list(self.sizes(value)[2:])
            case Mapping():
                return {name: self._plain(each) for name, each in value.items()}
            case tuple() | list():
                return [self._plain(each) for each in value]
        return value

    def shown(self, name: str) -> str:
        """Return a field as a number of the text, which has its name."""
        return marked(name, self.get(name))

    def given(self, *always: str, but: Sequence[str] = ()) -> list[str]:
        """Return the fields that the spec states as keywords of a call, and those of some names."""
        fields = [f for f in type(self.layer).model_fields if f not in but]
        stated = [f for f in fields if f in self.layer.model_fields_set or f in always]
        return [f"{f}={self.shown(f)}" for f in stated if self.get(f) is not None]


def marked(name: str, value: object) -> str:
    """Return a value as a number of the text, which two layers of one class may have apart."""
    plain = tuple(value) if isinstance(value, list) else value
    return f"{NUMBER}{name}:{plain!a}{END}"


def of(number: int = 0) -> str:
    """Return the mark of an input."""
    return f"{INPUT}{number}{END}"


def called(function: str, *arguments: str) -> str:
    """Return the call of a function."""
    return f"{function}({', '.join(arguments)})"


Writer = Callable[[SizedLayer], Text]

WRITERS: dict[str, Writer] = {}
"""Kind → the function that writes it."""


def writer(*kinds: str) -> Callable[[Writer], Writer]:
    """Register the function that writes some kinds."""

    def register(function: Writer) -> Writer:
        WRITERS.update(dict.fromkeys((KINDS[kind].kind for kind in kinds), function))
        return function

    return register


def _module(name: str, *arguments: str) -> Text:
    return Text(called(OWN, of()), called(f"nn.{name}", *arguments))


MODULES = {
    **{
        f"{kind}{n}d": f"{name}{n}d"
        for n in (1, 2, 3)
        for kind, name in (
            ("adaptive_avgpool", "AdaptiveAvgPool"),
            ("adaptive_maxpool", "AdaptiveMaxPool"),
            ("avgpool", "AvgPool"),
            ("maxpool", "MaxPool"),
        )
    },
    "celu": "CELU",
    "channel_shuffle": "ChannelShuffle",
    "dropout": "Dropout",
    "elu": "ELU",
    "fold": "Fold",
    "glu": "GLU",
    "hardshrink": "Hardshrink",
    "hardtanh": "Hardtanh",
    "leaky_relu": "LeakyReLU",
    "local_response_norm": "LocalResponseNorm",
    "pixel_shuffle": "PixelShuffle",
    "pixel_unshuffle": "PixelUnshuffle",
    "prelu": "PReLU",
    "rrelu": "RReLU",
    "softplus": "Softplus",
    "softshrink": "Softshrink",
    "threshold": "Threshold",
    "unfold": "Unfold",
}
"""The kinds whose fields are the arguments of one of PyTorch's modules → its class."""


@writer(*MODULES)
def module(site: SizedLayer) -> Text:
    """One of PyTorch's modules, with the fields that are stated."""
    return _module(MODULES[site.layer.kind], *site.given())


_FUNCTIONAL = (
    "relu relu6 selu silu mish hardswish hardsigmoid logsigmoid softsign tanhshrink softmax "
    "softmin log_softmax gelu normalize"
)
_OF_TORCH = (
    "sigmoid tanh abs square log log2 log10 log1p erf sin cos tan asin acos atan sinh cosh asinh "
    "acosh atanh exp exp2 expm1 sqrt rsqrt reciprocal neg floor ceil round trunc sign logical_not "
    "isnan isinf isfinite cumsum cumprod clamp tril triu mean sum amax amin logsumexp var std any "
    "all argmax argmin prod sort topk flip tile repeat_interleave roll permute flatten squeeze "
    "unsqueeze select split chunk reshape transpose"
)

CALLS = {
    **{name: f"functional.{name}" for name in _FUNCTIONAL.split()},
    **{name: f"torch.{name}" for name in _OF_TORCH.split()},
    "vector_norm": "torch.linalg.vector_norm",
}
"""The kinds that are a function of one tensor, its arguments named as the fields → its name."""

ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "vector_norm": {"p": "ord"},
    "split": {"sizes": "split_size_or_sections"},
}
"""Kind → field → what PyTorch's function calls it, where it has another name."""

STATED = {
    "softmax": ("dim",),
    "softmin": ("dim",),
    "log_softmax": ("dim",),
    "cumsum": ("dim",),
    "cumprod": ("dim",),
    "repeat_interleave": ("dim",),
    "split": ("dim",),
    "chunk": ("dim",),
    "flatten": ("start_dim",),
    "select": ("index",),
    "transpose": ("dim0", "dim1"),
}
"""Kind → the fields that are written though the spec leaves them at their default."""


@writer(*CALLS)
def function(site: SizedLayer) -> Text:
    """Write a call of one of PyTorch's functions, with the fields that the spec states."""
    kind = site.layer.kind
    names = ARGUMENTS.get(kind, {})
    arguments = (each.split("=", 1) for each in site.given(*STATED.get(kind, ())))
    written = [f"{names.get(name, name)}={value}" for name, value in arguments]
    return Text(called(CALLS[kind], of(), *written))


EXPRESSIONS = {
    **dict.fromkeys(("identity", "drop_path", "cache", "state"), "{x}"),
    "bitwise_not": "torch.bitwise_not({x}.long())",
    "expand": "{x}.expand({shape})",
    "gather": "torch.gather({x}, {dim}, {y}.long())",
    "index_select": "torch.index_select({x}, {dim}, {y}.long())",
    "masked_fill": "{x}.masked_fill({y}.bool(), {value})",
    "one_hot": "({x}.unsqueeze(-1) == torch.arange({num_classes}, device={x}.device)).long()",
    "positional_encoding": "positional_encoding({x})",
    "rotary_embedding": "rotary_embedding({x})",
    "where": "torch.where({x}.bool(), {y}, {z})",
}
"""Kinds that build nothing → what leaves them, by their inputs x, y and z and by their fields.

At inference, and where nothing came before, what leaves a cache is what enters it.
"""


@writer(*EXPRESSIONS)
def expression(site: SizedLayer) -> Text:
    """Write the expression of a kind that builds nothing."""
    expression, inputs = EXPRESSIONS[site.layer.kind], {"x": of(), "y": of(1), "z": of(2)}
    fields = set(re.findall(r"{(\w+)}", expression)) - inputs.keys()
    return Text(expression.format(**inputs, **{name: site.shown(name) for name in fields}))


# Products.


@writer("conv1d", "conv2d", "conv3d")
def convolution(site: SizedLayer) -> Text:
    """``nn.Conv2d``; what is padded unevenly is padded before."""
    rank, padding, x = len(site.x) - 2, site.get("padding"), of()
    but = ["out_channels", "kernel_size"]
    sides = _sides(site, padding, rank)
    if sides is not None:
        but += ["padding", "padding_mode"]
        mode = site.get("padding_mode").replace("zeros", "constant")
        x = called("functional.pad", x, marked("pad", sides), f"mode={mode!r}")
    channels = marked("in_channels", site.x[1]), site.shown("out_channels")
    build = called(f"nn.Conv{rank}d", *channels, site.shown("kernel_size"), *site.given(but=but))
    return Text(called(OWN, x), build)


def _sides(site: SizedLayer, padding: Any, rank: int) -> list[int] | None:
    """Return the elements added, the last axis first; None where the convolution adds them."""
    if isinstance(padding, list) and any(isinstance(side, list) for side in padding):
        pairs = [side if isinstance(side, list) else [side, side] for side in padding]
        return [each for pair in reversed(pairs) for each in pair]
    strides = _per_axis(site.get("stride"), rank)
    if padding != "same" or set(strides) == {1}:
        return None
    kernels, dilations = (_per_axis(site.get(f), rank) for f in ("kernel_size", "dilation"))
    found: list[int] = []
    for axis in reversed(range(rank)):
        size, stride = site.x[axis + 2], strides[axis]
        reach = dilations[axis] * (kernels[axis] - 1) + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        found += [total // 2, total - total // 2]
    return found


def _per_axis(value: int | list[int], rank: int) -> list[int]:
    return value if isinstance(value, list) else [value] * rank


@writer("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed(site: SizedLayer) -> Text:
    """``nn.ConvTranspose2d``."""
    channels = marked("in_channels", site.x[1]), site.shown("out_channels")
    rest = site.given(but=("out_channels", "kernel_size"))
    name = f"ConvTranspose{len(site.x) - 2}d"
    return _module(name, *channels, site.shown("kernel_size"), *rest)


@writer("linear")
def linear(site: SizedLayer) -> Text:
    """``nn.Linear``; with the weight of another layer its bias alone is built."""
    features = marked("in_features", site.x[-1]), site.shown("out_features")
    if not site.tied:
        return _module("Linear", *features, *site.given(but=("out_features", "weight")))
    if not site.get("bias"):
        return Text(called("functional.linear", of(), f"{WEIGHT}"))
    build = f"nn.Parameter(torch.zeros({features[1]}))"
    return Text(called("functional.linear", of(), WEIGHT, OWN), build)


WEIGHT = "\ue004"
"""The mark of the weight that another layer owns."""


@writer("embedding")
def embedding(site: SizedLayer) -> Text:
    """``nn.Embedding``, or a look-up in the weight of another layer."""
    if site.tied:
        return Text(called("functional.embedding", f"{of()}.long()", WEIGHT))
    sizes = site.shown("num_embeddings"), site.shown("embedding_dim")
    return Text(f"{OWN}({of()}.long())", called("nn.Embedding", *sizes))


@writer("matmul")
def matmul(site: SizedLayer) -> Text:  # noqa: ARG001
    """``torch.matmul``."""
    return Text(called("torch.matmul", of(), of(1)))


@writer("grouped_linear")
def grouped_linear(site: SizedLayer) -> Text:
    """Each matrix with its share of the rows, as if a router had found all groups alike."""
    sizes = site.shown("groups"), marked("in_features", site.x[-1]), site.shown("out_features")
    return Text(called(OWN, of()), called("GroupedLinear", *sizes))


@writer("bilinear")
def bilinear(site: SizedLayer) -> Text:
    """``nn.Bilinear``."""
    sizes = (marked(f"in{i + 1}_features", shape[-1]) for i, shape in enumerate(site.inputs))
    build = called("nn.Bilinear", *sizes, *site.given("out_features"))
    return Text(called(OWN, of(), of(1)), build)


@writer("einsum")
def einsum(site: SizedLayer) -> Text:
    """``torch.einsum``, with a learned weight where the equation has one operand more."""
    equation: Equation = getattr(site.layer, "equation")  # noqa: B009
    terms = (*equation.operands, equation.output)
    letters: dict[str, str] = {}
    for axis in (axis for term in terms for axis in term):
        letters.setdefault(
            axis, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[len(letters)]
        )
    *operands, output = ("".join(letters[axis] for axis in term) for term in terms)
    text = f"{','.join(operands)}->{output}"
    tensors = [of(i) for i in range(len(site.inputs))]
    if len(operands) == len(tensors):
        return Text(called("torch.einsum", repr(text), *tensors))
    extents = site.get("sizes")
    for term, shape in zip(terms, site.inputs, strict=False):
        extents |= zip(term, shape, strict=True)
    sizes = [extents[axis] for axis in terms[len(tensors)]]
    return Text(called("torch.einsum", repr(text), *tensors, OWN), _free(sizes))


def _free(shape: Sequence[int]) -> str:
    """Return the text of a learned tensor that belongs to no module."""
    return f"nn.Parameter(torch.zeros({marked('shape', list(shape))}))"


# Attention, by the classes of torch_helpers.py.

SCORES = ("relative_positions", "alibi", "softcap", "sinks", "causal", "window", "chunk")


def _scores(site: SizedLayer) -> list[str]:
    """Return the fields that say what is done to a score, as keywords, where they do anything."""
    fields = [name for name in SCORES if name in type(site.layer).model_fields]
    return [f"{name}={site.shown(name)}" for name in fields if site.get(name) not in (None, False)]


@writer("self_attention", "cross_attention")
def attention(site: SizedLayer) -> Text:
    """The class ``Attention``, which has four linear layers."""
    inputs, names = site.inputs, ("kv_heads", "head_dim", "value_dim", "kv_length")
    dims = [f"key_features={marked('key_features', inputs[1][-1])}"] if len(inputs) > 1 else []
    dims += [f"value_features={marked('value_features', inputs[2][-1])}"] if len(inputs) > 2 else []
    sizes = [n for n in names if n in type(site.layer).model_fields and site.get(n) is not None]
    biases = {n: site.get(n) for n in ("q_bias", "k_bias", "v_bias", "out_bias")}
    flags = {n: site.get("bias") if value is None else value for n, value in biases.items()}
    norm = [f"qk_norm={site.get('qk_norm')!r}"] if site.get("qk_norm") != "none" else []
    build = called(
        "Attention",
        marked("features", site.x[-1]),
        site.shown("heads"),
        *dims,
        *(f"{name}={site.shown(name)}" for name in sizes),
        *(f"{name}={marked(name, value)}" for name, value in flags.items() if not value),
        *norm,
        *_scores(site),
    )
    return Text(called(OWN, *(of(i) for i in range(len(inputs)))), build)


@writer("scaled_dot_product_attention")
def core(site: SizedLayer) -> Text:
    """The class ``Scores``."""
    build = called("Scores", marked("heads", site.x[-3]), *_scores(site))
    return Text(called(OWN, of(), of(1), of(2)), build)


@writer("latent_attention")
def latent(site: SizedLayer) -> Text:
    """The class ``LatentAttention``."""
    names = ("heads", "kv_rank", "head_dim", "rope_dim", "value_dim", "q_rank", "absorbed")
    stated = [f"{name}={site.shown(name)}" for name in names if site.get(name)]
    build = called("LatentAttention", marked("features", site.x[-1]), *stated, *_scores(site))
    return Text(called(OWN, of()), build)


# Recurrent layers, normalisation.


@writer("lstm", "gru", "rnn")
def recurrent(site: SizedLayer) -> Text:
    """``nn.LSTM`` and the like; the states after the last step leave where the spec says so."""
    rest = site.given("batch_first", but=("hidden_size", "states"))
    sizes = marked("input_size", site.x[-1]), site.shown("hidden_size")
    build = called(f"nn.{site.layer.kind.upper()}", *sizes, *rest)
    states = [of(number) for number in range(1, len(site.inputs))]
    first = f"({', '.join(states)})" if len(states) > 1 else "".join(states)
    made = called(OWN, of(), *([first] if first else []))
    if len(site.outputs) == 1:
        return Text(f"{made}[0]", build)
    is_pair = site.layer.kind == "lstm"
    return Text(f"(lambda y, last: (y, {'*' * is_pair}last))(*{made})", build)


@writer("batchnorm", "instancenorm")
def by_channel(site: SizedLayer) -> Text:
    """``nn.BatchNorm2d`` and the like, by the number of axes."""
    name = "BatchNorm" if site.layer.kind == "batchnorm" else "InstanceNorm"
    rank = max(len(site.x) - 2, 1)
    return _module(f"{name}{rank}d", marked("num_features", site.x[1]), *site.given())


@writer("groupnorm")
def groupnorm(site: SizedLayer) -> Text:
    """``nn.GroupNorm``."""
    sizes = site.shown("num_groups"), marked("num_channels", site.x[1])
    return _module("GroupNorm", *sizes, *site.given(but=("num_groups",)))


@writer("layernorm")
def layernorm(site: SizedLayer) -> Text:
    """``nn.LayerNorm`` over the last axes."""
    shape = list(site.x[-site.get("axes") :])
    size = marked("normalized_shape", shape if len(shape) > 1 else shape[0])
    return _module("LayerNorm", size, *site.given(but=("axes",)))


@writer("rmsnorm")
def rmsnorm(site: SizedLayer) -> Text:
    """``nn.RMSNorm``, whose epsilon is stated, since PyTorch's own follows from the type."""
    return _module("RMSNorm", marked("normalized_shape", site.x[-1]), *site.given("eps"))


# Positions, free tensors.


@writer("positional_embedding")
def positional_embedding(site: SizedLayer) -> Text:
    """A table of which the first rows are added."""
    build = called("nn.Embedding", site.shown("max_length"), marked("features", site.x[-1]))
    return Text(f"{of()} + {OWN}.weight[: {of()}.shape[1]]", build)


@writer("class_token")
def class_token(site: SizedLayer) -> Text:
    """Learned tokens in front."""
    build = _free([site.get("tokens"), site.x[-1]])
    return Text(f"torch.cat([{OWN}.expand({of()}.shape[0], -1, -1), {of()}], 1)", build)


@writer("parameter")
def parameter(site: SizedLayer) -> Text:
    """A learned tensor."""
    return Text(OWN, _free(site.outputs[0]))


@writer("constant")
def constant(site: SizedLayer) -> Text:
    """A buffer."""
    return Text(OWN, f"nn.Buffer(torch.zeros({marked('shape', list(site.outputs[0]))}))")


@writer("full")
def full(site: SizedLayer) -> Text:
    """``torch.full``."""
    shape = marked("shape", list(site.outputs[0]))
    value = marked("value", float(site.get("value")))
    return Text(OWN, f"nn.Buffer(torch.full({shape}, {value}), persistent=False)")


@writer("arange")
def arange(site: SizedLayer) -> Text:
    """``torch.arange``."""
    bounds = ", ".join(site.shown(name) for name in ("start", "end", "step"))
    return Text(OWN, f"nn.Buffer(torch.arange({bounds}), persistent=False)")


# Several inputs.

OPERATORS = {"add": "+", "mul": "*", "sub": "-", "div": "/", "pow": "**"}
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _operands(site: SizedLayer) -> list[str]:
    """Return the marks of the inputs, and the number that stands for the last one."""
    number = [] if site.get("other") is None else [site.shown("other")]
    return [*(of(i) for i in range(len(site.inputs))), *number]


@writer(*OPERATORS, *COMPARED)
def operator(site: SizedLayer) -> Text:
    """An operator of Python's."""
    return Text(f" {(OPERATORS | COMPARED)[site.layer.kind]} ".join(_operands(site)))


@writer("maximum", "minimum")
def extremum(site: SizedLayer) -> Text:
    """``torch.maximum``, of two after the other."""
    if site.get("other") is not None and len(site.inputs) == 1:
        bound = "min" if site.layer.kind == "maximum" else "max"
        return Text(called("torch.clamp", of(), f"{bound}={site.shown('other')}"))
    first, *others = _operands(site)
    for each in others:
        number = each.startswith(NUMBER)
        first = called(
            f"torch.{site.layer.kind}", first, f"torch.tensor({each})" if number else each
        )
    return Text(first)


@writer("remainder", "floor_divide", "atan2", "logical_and", "logical_or", "logical_xor")
def of_two(site: SizedLayer) -> Text:
    """A function of two tensors, or of a tensor and a number."""
    one, other = _operands(site)
    takes_number = site.layer.kind in ("remainder", "floor_divide")
    number = other.startswith(NUMBER) and not takes_number
    return Text(
        called(f"torch.{site.layer.kind}", one, f"torch.tensor({other})" if number else other)
    )


@writer("bitwise_and", "bitwise_or", "bitwise_xor")
def bitwise(site: SizedLayer) -> Text:
    """A function of the bits of integers."""
    one, other = _operands(site)
    second = f"int({other})" if other.startswith(NUMBER) else f"{other}.long()"
    return Text(called(f"torch.{site.layer.kind}", f"{one}.long()", second))


@writer("concat", "stack")
def joined(site: SizedLayer) -> Text:
    """``torch.cat`` or ``torch.stack``."""
    name, field = ("cat", "axis") if site.layer.kind == "concat" else ("stack", "dim")
    tensors = ", ".join(of(i) for i in range(len(site.inputs)))
    return Text(f"torch.{name}([{tensors}], {site.shown(field)})")


# Places, cuts.


@writer("scatter")
def scatter(site: SizedLayer) -> Text:
    """``torch.scatter``, or ``torch.scatter_add``."""
    name = "scatter_add" if site.get("reduce") == "add" else "scatter"
    return Text(called(f"torch.{name}", of(), site.shown("dim"), f"{of(1)}.long()", of(2)))


@writer("grid_sample")
def grid_sample(site: SizedLayer) -> Text:
    """``functional.grid_sample``."""
    words = [f"{n}={site.get(n)!r}" for n in ("mode", "padding_mode")]
    rest = (*words, f"align_corners={site.shown('align_corners')}")
    return Text(called("functional.grid_sample", of(), of(1), *rest))


@writer("global_avgpool", "global_maxpool")
def global_pool(site: SizedLayer) -> Text:
    """The mean, or the maximum, over all spatial axes."""
    axes = marked("dim", list(range(2, len(site.x))))
    name = "mean" if site.layer.kind == "global_avgpool" else "amax"
    return Text(called(f"torch.{name}", of(), axes, "keepdim=True"))


@writer("pad")
def pad(site: SizedLayer) -> Text:
    """``functional.pad``."""
    value = [f"value={site.shown('value')}"] if site.get("value") else []
    return Text(
        called("functional.pad", of(), site.shown("pad"), f"mode={site.get('mode')!r}", *value)
    )


@writer("crop")
def crop(site: SizedLayer) -> Text:
    """The middle, one axis after the other."""
    text = of()
    for axis in range(2, len(site.x)):
        size, length = site.x[axis], site.outputs[0][axis]
        if size != length:
            begin = marked("start", (size - length) // 2)
            text += f".narrow({axis}, {begin}, {marked('length', length)})"
    return Text(text)


@writer("slice")
def slice_(site: SizedLayer) -> Text:
    """A range of one axis."""
    axis = site.get("dim") % len(site.x)
    start, end, step = (site.get(name) for name in ("start", "end", "step"))
    first = "" if start == 0 else marked("start", start)
    last = "" if end is None else marked("end", end)
    by = "" if step == 1 else f":{marked('step', step)}"
    return Text(f"{of()}[{':, ' * axis}{first}:{last}{by}]")


@writer("upsample")
def upsample(site: SizedLayer) -> Text:
    """``functional.interpolate``."""
    field = next(n for n in ("scale_factor", "size", "like") if getattr(site.layer, n) is not None)
    value = marked("scale_factor" if field == "scale_factor" else "size", site.get(field))
    name = "scale_factor" if field == "scale_factor" else "size"
    return Text(
        called("functional.interpolate", of(), f"{name}={value}", f"mode={site.get('mode')!r}")
    )

"""The kinds of the language as operators of ONNX itself, where it has these."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from costmodel.render.torch_layers import SizedLayer, Sizes

Numbers = tuple[int, ...] | tuple[float, ...]


class OnnxOperator(NamedTuple):
    """An operator of ONNX with its attributes."""

    name: str
    attributes: Mapping[str, Any] = {}
    domain: str = ""


class Step(NamedTuple):
    """A node of the graph: its operator, the tensors that enter, and those that leave."""

    operator: OnnxOperator
    entering: list[str]
    made: list[str]


class Draft:
    """A layer while its nodes are drawn.

    Attributes:
        site: its fields and shapes, as numbers.
        entering: the names of the tensors that enter.
        learned: the names of what it learns, as the layer lists them.
        made: the names of the tensors that leave.
        steps: its nodes so far.
        constants: name → the numbers of a tensor that is no parameter, or of a number alone.
        buffers: name → the extents of what it keeps and does not learn.
        integers: the inputs that are places, so that their numbers are integers.
    """

    def __init__(
        self, site: SizedLayer, entering: Sequence[str], learned: Sequence[str], made: Sequence[str]
    ) -> None:
        self.site = site
        self.entering, self.learned, self.made = list(entering), list(learned), list(made)
        self.steps: list[Step] = []
        self.constants: dict[str, Numbers | float] = {}
        self.buffers: dict[str, Sizes] = {}
        self.integers: list[str] = []

    def put(self, name: str, entering: Iterable[str], /, **attributes: Any) -> str:
        """Add a node before the last; return what it makes."""
        made = f"{self.made[0]}:{len(self.steps)}"
        self.steps.append(Step(OnnxOperator(name, attributes), list(entering), [made]))
        return made

    def last(self, name: str, entering: Iterable[str], /, **attributes: Any) -> None:
        """Add the node whose outputs leave the layer."""
        given = {key: value for key, value in attributes.items() if value is not None}
        self.steps.append(Step(OnnxOperator(name, given), list(entering), self.made))

    def constant(self, value: Iterable[int] | float) -> str:
        """Return the name of a tensor with these numbers."""
        name = f"{self.made[0]}.constant_{len(self.constants)}"
        plain = isinstance(value, int | float)
        self.constants[name] = value if isinstance(value, int | float) else tuple(value)
        assert plain or self.constants[name]
        return name

    @property
    def rank(self) -> int:
        """Return how many axes enter."""
        return len(self.site.x)


Drawing = Callable[[Draft], bool | None]
"""Draws the nodes of a layer; False where ONNX has no operator for its fields."""

DRAWINGS: dict[str, Drawing] = {}
"""Kind → how it is drawn."""


def _draws(*kinds: str) -> Callable[[Drawing], Drawing]:
    def register(function: Drawing) -> Drawing:
        DRAWINGS.update(dict.fromkeys(kinds, function))
        return function

    return register


_SAME = "relu sigmoid tanh softsign identity dropout abs neg exp log sqrt erf sin cos floor ceil"
_SAME += " round reciprocal sign matmul tan asin acos atan sinh cosh asinh acosh atanh mish"

PLAIN: Mapping[str, str] = {
    **{kind: kind.capitalize() for kind in _SAME.split()},
    "hardswish": "HardSwish",
    "matmul": "MatMul",
    "selu": "Selu",
    "global_avgpool": "GlobalAveragePool",
    "global_maxpool": "GlobalMaxPool",
    "drop_path": "Identity",
    "stochastic_depth": "Identity",
    "minimum": "Min",
    "maximum": "Max",
    "softplus": "Softplus",
}
"""The kinds that are an operator of ONNX without attributes → its name."""

PAIRS = "add", "mul", "sub", "div", "pow"
"""The kinds of two tensors, or of one and a number, that ONNX calls so, too."""

INTEGER, TRUTH = 7, 9
"""ONNX's numbers of types."""


def drawn(draft: Draft) -> bool:
    """Draw a layer with operators of ONNX; return whether that can be.

    Args:
        draft: the layer.
    """
    kind = draft.site.layer.kind
    if kind in PLAIN:
        draft.last(PLAIN[kind], draft.entering)
        return True
    drawing = DRAWINGS.get(kind)
    return drawing is not None and drawing(draft) is not False


@_draws(*PAIRS)
def _pair(d: Draft) -> None:
    name, left, *rest = d.site.layer.kind.capitalize(), *d.entering
    *inner, last = rest or [d.constant(float(d.site.get("other")))]
    for each in inner:
        left = d.put(name, [left, each])
    d.last(name, [left, last])


@_draws("where")
def _where(d: Draft) -> None:
    d.last("Where", [d.put("Cast", d.entering[:1], to=TRUTH), *d.entering[1:]])


@_draws("parameter")
def _parameter(d: Draft) -> None:
    d.last("Identity", d.learned)


@_draws("full")
def _full(d: Draft) -> None:
    d.last("ConstantOfShape", [d.constant(d.site.outputs[0])])


@_draws("stack")
def _stack(d: Draft) -> None:
    axis = d.site.get("dim") % (d.rank + 1)
    place = d.constant([axis])
    d.last("Concat", [d.put("Unsqueeze", [each, place]) for each in d.entering], axis=axis)


@_draws("index_select")
def _index_select(d: Draft) -> None:
    places = d.put("Cast", d.entering[1:], to=INTEGER)
    d.last("Gather", [d.entering[0], places], axis=d.site.get("dim"))


@_draws("pad")
def _pad(d: Draft) -> None:
    amounts = d.site.get("pad")
    pairs = [amounts[i : i + 2] for i in range(0, len(amounts), 2)][::-1]
    pairs = [[0, 0]] * (d.rank - len(pairs)) + pairs
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    numbers = d.constant(pair[i] for i in (0, 1) for pair in pairs)
    d.last("Pad", [*d.entering, numbers], mode=mode[d.site.get("mode")])


@_draws("upsample", "interpolate")
def _upsample(d: Draft) -> None:
    mode = d.site.get("mode").removeprefix("bi").removeprefix("tri")
    sizes = d.constant(d.site.outputs[0])
    d.last("Resize", [d.entering[0], "", "", sizes], mode=mode)


@_draws("positional_embedding")
def _positions(d: Draft) -> None:
    numbers = ((0,), d.site.x[-2:-1], (0,))
    rows = d.put("Slice", [d.learned[0], *map(d.constant, numbers)])
    d.last("Add", [*d.entering, rows])


@_draws("class_token")
def _class_token(d: Draft) -> None:
    n, _, width = d.site.x
    shape = d.constant((n, d.site.get("tokens"), width))
    d.last("Concat", [d.put("Expand", [d.learned[0], shape]), *d.entering], axis=1)


@_draws("channel_shuffle")
def _channel_shuffle(d: Draft) -> None:
    groups, (n, c, *rest) = d.site.get("groups"), d.site.x
    split = d.put("Reshape", [*d.entering, d.constant((n, groups, c // groups, *rest))])
    order = (0, 2, 1, *range(3, 3 + len(rest)))
    d.last("Reshape", [d.put("Transpose", [split], perm=order), d.constant(d.site.x)])


@_draws("einsum")
def _einsum(d: Draft) -> None:
    equation: Any = d.site.get("equation")
    terms = (*equation.operands, equation.output)
    letters: dict[str, str] = {}
    for axis in (axis for term in terms for axis in term):
        letters.setdefault(axis, chr(ord("a") + len(letters)))
    *operands, output = ("".join(letters[axis] for axis in term) for term in terms)
    d.last("Einsum", [*d.entering, *d.learned], equation=f"{','.join(operands)}->{output}")


@_draws("linear")
def _linear(d: Draft) -> None:
    """Of a matrix one operator; of more axes a product with the turned weight, and a sum."""
    weight, *bias = d.learned
    if d.rank == 2:
        d.last("Gemm", [*d.entering, weight, *bias], transB=1)
        return
    turned = d.put("Transpose", [weight], perm=[1, 0])
    product = [d.entering[0], turned]
    if bias:
        d.last("Add", [d.put("MatMul", product), *bias])
    else:
        d.last("MatMul", product)


@_draws("conv1d", "conv2d", "conv3d")
def _conv(d: Draft) -> bool | None:
    if d.site.get("padding_mode") != "zeros":
        return False
    attributes = _windows(d.site, d.rank - 2) | {"group": d.site.get("groups")}
    d.last("Conv", [*d.entering, *d.learned], **attributes)
    return None


@_draws("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(d: Draft) -> None:
    axes = d.rank - 2
    attributes = _windows(d.site, axes) | {"group": d.site.get("groups")}
    attributes["output_padding"] = _per_axis(d.site, "output_padding", axes)
    d.last("ConvTranspose", [*d.entering, *d.learned], **attributes)


@_draws(*(f"{how}pool{axes}d" for how in ("max", "avg") for axes in (1, 2, 3)))
def _pool(d: Draft) -> None:
    is_mean = d.site.layer.kind.startswith("avg")
    attributes = _windows(d.site, d.rank - 2) | {"ceil_mode": int(d.site.get("ceil_mode"))}
    if is_mean:
        attributes["count_include_pad"] = int(d.site.get("count_include_pad"))
    d.last("AveragePool" if is_mean else "MaxPool", d.entering, **attributes)


@_draws(*(f"adaptive_{how}pool{axes}d" for how in ("max", "avg") for axes in (1, 2, 3)))
def _global_pool(d: Draft) -> bool | None:
    if any(size != 1 for size in d.site.outputs[0][2:]):
        return False
    name = "GlobalMaxPool" if "max" in d.site.layer.kind else "GlobalAveragePool"
    d.last(name, d.entering)
    return None


def _per_axis(site: SizedLayer, name: str, rank: int) -> list[Any]:
    value = site.get(name)
    return value if isinstance(value, list) else [value] * rank


def _windows(site: SizedLayer, rank: int) -> dict[str, Any]:
    """Return the attributes of a layer with windows; a pad may differ from side to side."""
    kernel = _per_axis(site, "kernel_size", rank)
    stride = _per_axis(site, "stride", rank) if site.get("stride") is not None else kernel
    sides = [s if isinstance(s, list) else [s, s] for s in _per_axis(site, "padding", rank)]
    pads = [side[i] for i in (0, 1) for side in sides]
    found = {"kernel_shape": kernel, "strides": stride, "pads": pads}
    if "dilation" in type(site.layer).model_fields:
        found["dilations"] = _per_axis(site, "dilation", rank)
    return found


@_draws("batchnorm")
def _batchnorm(d: Draft) -> bool | None:
    if len(d.learned) < 2:
        return False
    channels = d.site.x[1]
    d.buffers = {f"{d.made[0]}.running_{of}": (channels,) for of in ("mean", "var")}
    names = [*d.entering, *d.learned, *d.buffers]
    d.last("BatchNormalization", names, epsilon=float(d.site.get("eps")))
    return None


@_draws("layernorm", "rmsnorm", "groupnorm", "instancenorm")
def _norm(d: Draft) -> bool | None:
    kind, axes = d.site.layer.kind, d.site.get("axes") if d.site.layer.kind == "layernorm" else 1
    both = kind in ("groupnorm", "instancenorm")
    if len(d.learned) < (2 if both else 1):
        return False
    names = {"rmsnorm": "RMS", "layernorm": "Layer", "groupnorm": "Group"}
    attributes: dict[str, Any] = {"epsilon": float(d.site.get("eps"))}
    attributes["num_groups"] = d.site.get("num_groups") if kind == "groupnorm" else None
    attributes["axis"] = None if both else -axes
    d.last(f"{names.get(kind, 'Instance')}Normalization", [*d.entering, *d.learned], **attributes)
    return None


@_draws("gelu")
def _gelu(d: Draft) -> None:
    d.last("Gelu", d.entering, approximate=d.site.get("approximate"))


@_draws("silu")
def _silu(d: Draft) -> None:
    d.last("Mul", [d.entering[0], d.put("Sigmoid", d.entering)])


@_draws("leaky_relu", "elu", "celu", "hardsigmoid")
def _sloped(d: Draft) -> None:
    kind = d.site.layer.kind
    if kind == "hardsigmoid":
        d.last("HardSigmoid", d.entering, alpha=1 / 6, beta=0.5)
        return
    name = {"leaky_relu": "LeakyRelu", "elu": "Elu", "celu": "Celu"}[kind]
    slope = d.site.get("negative_slope" if kind == "leaky_relu" else "alpha")
    d.last(name, d.entering, alpha=float(slope))


@_draws("relu6", "hardtanh", "clamp")
def _clip(d: Draft) -> None:
    low, high = 0, 6
    if d.site.layer.kind != "relu6":
        names = ("min_val", "max_val") if d.site.layer.kind == "hardtanh" else ("min", "max")
        low, high = map(d.site.get, names)
    bounds = ["" if each is None else d.constant(float(each)) for each in (low, high)]
    d.last("Clip", [*d.entering, *bounds])


@_draws("softmax", "log_softmax")
def _softmax(d: Draft) -> None:
    name = "Softmax" if d.site.layer.kind == "softmax" else "LogSoftmax"
    d.last(name, d.entering, axis=d.site.get("dim"))


@_draws("concat")
def _concat(d: Draft) -> None:
    d.last("Concat", d.entering, axis=d.site.get("axis"))


@_draws("reshape", "view", "flatten", "squeeze", "unsqueeze")
def _reshape(d: Draft) -> bool | None:
    if not d.site.outputs[0]:
        return False
    d.last("Reshape", [*d.entering, d.constant(d.site.outputs[0])])
    return None


@_draws("permute", "transpose")
def _permute(d: Draft) -> None:
    order = list(range(d.rank))
    if d.site.layer.kind == "permute":
        order = [axis % d.rank for axis in d.site.get("dims")]
    else:
        one, other = (d.site.get(name) % d.rank for name in ("dim0", "dim1"))
        order[one], order[other] = order[other], order[one]
    d.last("Transpose", d.entering, perm=order)


@_draws("expand")
def _expand(d: Draft) -> None:
    d.last("Expand", [*d.entering, d.constant(d.site.outputs[0])])


@_draws("slice")
def _slice(d: Draft) -> None:
    end = d.site.get("end")
    axis = d.site.get("dim")
    numbers = (d.site.get("start"), 2**62 if end is None else end, axis, d.site.get("step"))
    d.last("Slice", [*d.entering, *(d.constant([number]) for number in numbers)])


@_draws("select")
def _select(d: Draft) -> None:
    d.last("Gather", [*d.entering, d.constant(d.site.get("index"))], axis=d.site.get("dim"))


@_draws("split", "chunk")
def _split(d: Draft) -> None:
    axis = d.site.get("dim") % d.rank
    sizes = d.constant(shape[axis] for shape in d.site.outputs)
    d.last("Split", [*d.entering, sizes], axis=axis)


@_draws("embedding")
def _embedding(d: Draft) -> None:
    d.integers = d.entering
    d.last("Gather", [d.learned[0], d.entering[0]], axis=0)


@_draws("mean", "sum", "amax", "amin", "prod")
def _reduced(d: Draft) -> None:
    kind, axes = d.site.layer.kind, d.site.get("dim")
    name = {"amax": "Max", "amin": "Min"}.get(kind, kind.capitalize())
    axes = d.constant(axes if isinstance(axes, list) else [axes])
    d.last(f"Reduce{name}", [*d.entering, axes], keepdims=int(d.site.get("keepdim")))


@_draws("pixel_shuffle", "pixel_unshuffle")
def _pixels(d: Draft) -> bool | None:
    if d.site.layer.kind == "pixel_unshuffle":
        return False
    size = d.site.outputs[0][2] // d.site.x[2]
    d.last("DepthToSpace", d.entering, blocksize=size, mode="CRD")
    return None


@_draws("scaled_dot_product_attention")
def _attention(d: Draft) -> bool | None:
    fields = ("relative_positions", "alibi", "sinks", "window", "chunk")
    if len(d.entering) > 3 or d.rank != 4 or any(d.site.get(name) for name in fields):
        return False
    softcap = float(d.site.get("softcap") or 0)
    d.last("Attention", d.entering, is_causal=int(d.site.get("causal")), softcap=softcap)
    return None


@_draws("self_attention", "cross_attention")
def _projected_attention(d: Draft) -> bool | None:
    """Draw the linear layers around an attention whose heads lie side by side."""
    unsaid = ("relative_positions", "alibi", "sinks", "window", "chunk", "kv_length")
    fields = (name for name in unsaid if name in type(d.site.layer).model_fields)
    if d.rank != 3 or d.site.get("qk_norm") == "head" or any(map(d.site.get, fields)):
        return False
    learned = {".".join(name.rsplit(".", 2)[1:]): name for name in d.learned}

    def projected(source: str, which: str) -> list[str]:
        turned = d.put("Transpose", [learned[f"{which}_proj.weight"]], perm=[1, 0])
        bias = learned.get(f"{which}_proj.bias")
        return [d.put("MatMul", [source, turned]), bias] if bias else [source, turned]

    def made(source: str, which: str) -> str:
        pair = projected(source, which)
        found = d.put("Add" if f"{which}_proj.bias" in learned else "MatMul", pair)
        scale = learned.get(f"{which}_norm.weight")
        return d.put("RMSNormalization", [found, scale], axis=-1) if scale else found

    queries, *others = d.entering
    sources = (queries, *(others or [queries]) * 2)
    heads = d.site.get("heads")
    attributes = {"q_num_heads": heads, "kv_num_heads": d.site.get("kv_heads") or heads}
    if "causal" in type(d.site.layer).model_fields:
        attributes["is_causal"] = int(d.site.get("causal"))
    attributes["softcap"] = float(d.site.get("softcap") or 0)
    parts = [made(source, which) for source, which in zip(sources, "qkv", strict=False)]
    attended = d.put("Attention", parts, **attributes)
    d.last("Add" if "out_proj.bias" in learned else "MatMul", projected(attended, "out"))
    return None

"""The names of the kinds of this package, and the registers that import a kind's module for it."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")

NAMES = {
    "activation": (
        "relu relu6 leaky_relu rrelu prelu sigmoid hardsigmoid logsigmoid tanh hardtanh "
        "tanhshrink hardshrink softshrink threshold silu swish hardswish gelu elu celu selu "
        "softplus softsign mish softmax softmin log_softmax glu normalize cumsum cumprod tril "
        "triu clamp abs square log log2 log10 log1p erf sin cos asin acos atan sinh cosh asinh "
        "acosh atanh exp exp2 expm1 sqrt rsqrt reciprocal tan neg floor ceil round trunc sign "
        "bitwise_not logical_not isnan isinf isfinite "
        "ReLU ReLU6 LeakyReLU RReLU PReLU Sigmoid Hardsigmoid LogSigmoid Tanh Hardtanh "
        "Tanhshrink Hardshrink Softshrink Threshold SiLU Hardswish GELU ELU CELU SELU Softplus "
        "Softsign Mish Softmax Softmin LogSoftmax GLU"
    ),
    "attention": "self_attention cross_attention scaled_dot_product_attention",
    "conv": (
        "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d "
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d"
    ),
    "embedding": (
        "embedding positional_embedding positional_encoding rotary_embedding class_token "
        "parameter constant "
        "Embedding"
    ),
    "indexing": (
        "gather index_select scatter sort topk one_hot flip expand tile repeat_interleave unfold "
        "fold grid_sample full arange missing "
        "Unfold Fold"
    ),
    "latent_attention": "latent_attention",
    "linear": "linear grouped_linear Linear",
    "matmul": "matmul bilinear einsum Bilinear",
    "memory": "cache state",
    "merge": (
        "add mul sub div pow maximum minimum remainder atan2 floor_divide bitwise_and bitwise_or "
        "bitwise_xor eq ne lt le gt ge logical_and logical_or logical_xor where masked_fill "
        "concat stack"
    ),
    "norm": (
        "batchnorm rmsnorm layernorm groupnorm instancenorm local_response_norm "
        "BatchNorm1d BatchNorm2d BatchNorm3d RMSNorm LayerNorm GroupNorm InstanceNorm1d "
        "InstanceNorm2d InstanceNorm3d LocalResponseNorm"
    ),
    "pool": (
        "maxpool1d maxpool2d maxpool3d avgpool1d avgpool2d avgpool3d adaptive_avgpool1d "
        "adaptive_avgpool2d adaptive_avgpool3d adaptive_maxpool1d adaptive_maxpool2d "
        "adaptive_maxpool3d global_avgpool global_maxpool mean sum amax amin vector_norm var std "
        "any all argmax argmin logsumexp prod "
        "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d "
        "AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d "
        "AdaptiveMaxPool3d"
    ),
    "recurrent": "lstm gru rnn LSTM GRU RNN",
    "reshape": (
        "identity dropout drop_path stochastic_depth flatten reshape view permute transpose "
        "squeeze unsqueeze pad crop slice select split chunk roll channel_shuffle pixel_shuffle "
        "pixel_unshuffle upsample interpolate "
        "Identity Dropout Flatten ChannelShuffle PixelShuffle PixelUnshuffle Upsample"
    ),
}
"""A module → the names of its kinds, then those of the classes of ``torch.nn`` that may be written.

The second begin with a capital letter. A module that is listed here is imported no sooner than one
of its kinds is asked for.
"""

OF_KINDS = {n: module for module, names in NAMES.items() for n in names.split() if n.islower()}
"""The name of each kind → its module."""

OF_TORCH = {
    name: module
    for module, names in NAMES.items()
    for written in names.split()
    if not written.islower()
    for name in (written, written.lower())
    if name not in OF_KINDS
}
"""Each name of PyTorch's, as it is written there and in small letters → the module of its kind."""


class Declared(MutableMapping[str, T]):
    """Values by name. A module that declares some is imported when one of them is asked for.

    Args:
        modules: name → the module of this package that declares the value.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._makers: dict[str, Callable[[], T]] = {}
        self._made: dict[str, T] = {}

    def declare(self, name: str, make: Callable[[], T]) -> None:
        """Add a value that is made when it is asked for.

        Args:
            name: its name.
            make: returns the value.
        """
        self._makers[name] = make

    def __getitem__(self, name: str) -> T:
        if name in self._modules and name not in self._made:
            import_module(f"{__package__}.{self._modules[name]}")
        if name in self._makers and name not in self._made:
            self._made.setdefault(name, self._makers[name]())
        return self._made[name]

    def __setitem__(self, name: str, value: T) -> None:
        self._made[name] = value

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._modules or name in self._made or name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter({**self._modules, **self._makers, **self._made})

    def __len__(self) -> int:
        return len({*self._modules, *self._makers, *self._made})

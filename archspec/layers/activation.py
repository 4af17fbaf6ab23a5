"""Activation functions: the shape stays, no parameters, no products; they work in place."""

from typing import Literal

from pydantic import Field

from archspec.fields import Size, constant
from archspec.layers.base import Layer, kind


class Activation(Layer):
    """A function of each element, ``(…) → (…)``."""


@kind("relu")
class ReLU(Activation):
    """``max(x, 0)``. Source: Nair and Hinton, ICML 2010."""


@kind("relu6")
class ReLU6(Activation):
    """``min(max(x, 0), 6)``. Source: Krizhevsky, 2010; Sandler et al., CVPR 2018."""


@kind("leaky_relu")
class LeakyReLU(Activation):
    """``max(x, 0) + negative_slope·min(x, 0)``. Source: Maas, Hannun and Ng, ICML 2013."""

    negative_slope: Size = Field(default=constant("0.01"), description="slope below 0")


@kind("sigmoid")
class Sigmoid(Activation):
    """``1/(1 + e^−x)``. Source: MIT 6.5940, lecture 2."""


@kind("tanh")
class Tanh(Activation):
    """``(e^x − e^−x)/(e^x + e^−x)``. Source: MIT 6.5940, lecture 2."""


@kind("silu", "swish")
class SiLU(Activation):
    """``x·sigmoid(x)``. Source: Ramachandran, Zoph and Le, 2017."""


@kind("hardswish")
class HardSwish(Activation):
    """``x·relu6(x + 3)/6``. Source: Howard et al., ICCV 2019."""


@kind("gelu")
class GELU(Activation):
    """``x·Φ(x)``, Φ the normal distribution. Source: Hendrycks and Gimpel, 2016."""

    approximate: Literal["none", "tanh"] = Field(
        default="none", description="exact, or by tanh; no cost depends on it"
    )


@kind("elu")
class ELU(Activation):
    """``x`` above 0, ``alpha·(e^x − 1)`` below. Source: Clevert et al., ICLR 2016."""

    alpha: Size = Field(default=constant(1), description="the limit below, negated")


@kind("mish")
class Mish(Activation):
    """``x·tanh(ln(1 + e^x))``. Source: Misra, BMVC 2020."""


@kind("softmax")
class Softmax(Activation):
    """``e^x_i / Σ_j e^x_j`` over one axis. Source: MIT 6.5940, lecture 2; ``torch.nn.Softmax``."""

    dim: Size = Field(default=constant(-1), description="the axis whose elements sum to 1")

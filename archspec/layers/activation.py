"""Functions of each element, activation functions among them: no products; in place."""

from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from archspec.fields import Expression, Integer, OptionalReal, Real, Size, one, optional, required
from archspec.layers.base import Layer, Torch, kind, kinds_of
from archspec.ranges import NOT_NEGATIVE, NOT_ZERO


class Activation(Layer):
    """A function of each element, ``(…) → (…)``; it has no parameters."""


@kind("relu", torch="ReLU")
class ReLU(Activation):
    """``max(x, 0)``. Source: Nair and Hinton, ICML 2010."""


@kind("relu6", torch="ReLU6")
class ReLU6(Activation):
    """``min(max(x, 0), 6)``. Source: Krizhevsky, 2010; Sandler et al., CVPR 2018."""


@kind("leaky_relu", torch="LeakyReLU")
class LeakyReLU(Activation):
    """``max(x, 0) + negative_slope·min(x, 0)``. Source: Maas, Hannun and Ng, ICML 2013."""

    negative_slope: Real = optional(0.01, "slope below 0")


@kind("rrelu", torch="RReLU")
class RReLU(Activation):
    """``leaky_relu`` with a slope that is random while training. Source: Xu et al., 2015."""

    lower: Real = optional(Fraction(1, 8), "the smallest slope")
    upper: Real = optional(Fraction(1, 3), "the largest slope")


@kind("prelu", torch="PReLU")
class PReLU(Layer):
    """``max(x, 0) + a·min(x, 0)``: slopes ``a`` are learned, ``num_parameters`` of them.

    Source: He et al., ICCV 2015; ``torch.nn.PReLU``.
    """

    num_parameters: Size = optional(1, "slopes: one for all, or one per channel")


@kind("sigmoid", torch="Sigmoid", elsewhere=("logistic",))
class Sigmoid(Activation):
    """``1/(1 + e^−x)``. Source: MIT 6.5940, lecture 2."""


@kind("hardsigmoid", torch="Hardsigmoid")
class HardSigmoid(Activation):
    """``relu6(x + 3)/6``. Source: Howard et al., ICCV 2019."""


@kind("logsigmoid", torch="LogSigmoid")
class LogSigmoid(Activation):
    """``ln(1/(1 + e^−x))``. Source: ``torch.nn.LogSigmoid``."""


@kind("tanh", torch="Tanh")
class Tanh(Activation):
    """``(e^x − e^−x)/(e^x + e^−x)``. Source: MIT 6.5940, lecture 2."""


@kind("hardtanh", torch="Hardtanh")
class HardTanh(Activation):
    """``min(max(x, min_val), max_val)``. Source: Collobert, 2004; ``torch.nn.Hardtanh``."""

    min_val: Real = optional(-1, "the smallest value")
    max_val: Real = optional(1, "the largest value")


@kind("tanhshrink", torch="Tanhshrink")
class TanhShrink(Activation):
    """``x − tanh(x)``. Source: ``torch.nn.Tanhshrink``."""


@kind("hardshrink", torch="Hardshrink")
class HardShrink(Activation):
    """``x`` where ``|x| > lambd``, else 0. Source: Donoho and Johnstone, 1994."""

    lambd: Real = optional(0.5, "the bound, λ")


@kind("softshrink", torch="Softshrink")
class SoftShrink(Activation):
    """``sign(x)·max(|x| − lambd, 0)``. Source: Donoho and Johnstone, 1994."""

    lambd: Annotated[Expression, one(NOT_NEGATIVE)] = optional(0.5, "the bound, λ")


@kind("threshold", torch="Threshold")
class Threshold(Activation):
    """``x`` where ``x > threshold``, else ``value``. Source: ``torch.nn.Threshold``."""

    example: ClassVar[dict[str, object]] = {"threshold": 0, "value": 0}

    threshold: Real = required("the bound")
    value: Real = required("what stands for all that is not above it")


@kind("silu", "swish", torch="SiLU")
class SiLU(Activation):
    """``x·sigmoid(x)``. Source: Ramachandran, Zoph and Le, 2017."""


@kind("hardswish", torch="Hardswish")
class HardSwish(Activation):
    """``x·relu6(x + 3)/6``. Source: Howard et al., ICCV 2019."""


@kind("gelu", torch="GELU")
class GELU(Activation):
    """``x·Φ(x)``, Φ the normal distribution. Source: Hendrycks and Gimpel, 2016."""

    approximate: Literal["none", "tanh"] = optional(
        "none", "exact, or by tanh; no cost depends on it"
    )


@kind("elu", torch="ELU")
class ELU(Activation):
    """``x`` above 0, ``alpha·(e^x − 1)`` below. Source: Clevert et al., ICLR 2016."""

    alpha: Real = optional(1, "the limit below, negated")


@kind("celu", torch="CELU")
class CELU(Activation):
    """``max(x, 0) + min(0, alpha·(e^(x/alpha) − 1))``. Source: Barron, 2017."""

    alpha: Annotated[Expression, one(NOT_ZERO)] = optional(1, "the limit below, negated")


@kind("selu", torch="SELU")
class SELU(Activation):
    """``elu`` with fixed scales that keep mean and variance. Source: Klambauer et al., 2017."""


@kind("softplus", torch="Softplus")
class Softplus(Activation):
    """``ln(1 + e^(beta·x))/beta``. Source: Dugas et al., NeurIPS 2000."""

    beta: Real = optional(1, "steepness")
    threshold: Real = optional(20, "above which the function is linear; no cost depends on it")


@kind("softsign", torch="Softsign")
class Softsign(Activation):
    """``x/(1 + |x|)``. Source: Glorot and Bengio, AISTATS 2010."""


@kind("mish", torch="Mish")
class Mish(Activation):
    """``x·tanh(ln(1 + e^x))``. Source: Misra, BMVC 2020."""


class OverAxis(Layer):
    """A function of the elements along one axis, ``(…) → (…)``."""

    dim: Integer = optional(-1, "the axis; counted from the end if negative")


@kind("softmax", torch=(Torch("Softmax", given=("dim",)),))
class Softmax(OverAxis):
    """``e^x_i / Σ_j e^x_j`` over one axis. Source: MIT 6.5940, lecture 2; ``torch.nn.Softmax``."""


@kind("softmin", torch=(Torch("Softmin", given=("dim",)),))
class Softmin(OverAxis):
    """``e^−x_i / Σ_j e^−x_j`` over one axis. Source: ``torch.nn.Softmin``."""


@kind("log_softmax", torch=(Torch("LogSoftmax", given=("dim",)),))
class LogSoftmax(OverAxis):
    """``x_i − ln Σ_j e^x_j`` over one axis. Source: ``torch.nn.LogSoftmax``."""


@kind("glu", torch="GLU")
class GLU(OverAxis):
    """``a·sigmoid(b)``, a and b the halves of one axis: ``(…, 2·c) → (…, c)``.

    Source: Dauphin et al., ICML 2017; ``torch.nn.GLU``.
    """


@kind("normalize")
class Normalize(OverAxis):
    """``x / max(‖x‖_p, eps)`` over one axis. Source: ``torch.nn.functional.normalize``."""

    dim: Integer = optional(1, "the axis; counted from the end if negative")
    p: Real = optional(2, "the exponent of the norm; no cost depends on it")
    eps: Real = optional(1e-12, "the smallest divisor; no cost depends on it")


@kind("cumsum")
class Cumsum(OverAxis):
    """``Σ_j≤i x_j`` along one axis. Source: ``torch.cumsum``."""


@kind("cumprod")
class Cumprod(OverAxis):
    """``Π_j≤i x_j`` along one axis. Source: ``torch.cumprod``."""


@kind("tril")
class LowerTriangle(Layer):
    """``(…, m, k) → (…, m, k)``: 0 above a diagonal. Source: ``torch.tril``."""

    diagonal: Integer = optional(
        0, "which diagonal is the last that is kept; no cost depends on it"
    )


@kind("triu")
class UpperTriangle(LowerTriangle):
    """``(…, m, k) → (…, m, k)``: 0 below a diagonal. Source: ``torch.triu``."""


@kind("clamp", elsewhere=("clip",))
class Clamp(Activation):
    """``min(max(x, min), max)``, of which one bound may be left out. Source: ``torch.clamp``."""

    example: ClassVar[dict[str, object]] = {"min": 0}

    min: OptionalReal = optional(None, "the smallest value")
    max: OptionalReal = optional(None, "the largest value")


class OfInput(Activation):
    """A function whose derivative is one of its input."""


class OfOutput(Activation):
    """A function whose derivative follows from its value."""


class Stepped(Activation):
    """A function whose derivative is the same wherever it has one."""


class Test(Activation):
    """A truth value of each element, a byte."""


kinds_of(
    OfInput,
    {
        "abs": "``|x|``.",
        "square": "``x²``.",
        "log": "``ln x``.",
        "log2": "``log_2 x``.",
        "log10": "``log_10 x``.",
        "log1p": "``ln(1 + x)``.",
        "erf": "``2/√π·∫_0^x e^(−t²) dt``.",
        "sin": "``sin x``.",
        "cos": "``cos x``.",
        "asin": "``arcsin x``.",
        "acos": "``arccos x``.",
        "atan": "``arctan x``.",
        "sinh": "``(e^x − e^−x)/2``.",
        "cosh": "``(e^x + e^−x)/2``.",
        "asinh": "``ln(x + √(x² + 1))``.",
        "acosh": "``ln(x + √(x² − 1))``.",
        "atanh": "``ln((1 + x)/(1 − x))/2``.",
    },
)
kinds_of(
    OfOutput,
    {
        "exp": "``e^x``.",
        "exp2": "``2^x``.",
        "expm1": "``e^x − 1``.",
        "sqrt": "``√x``.",
        "rsqrt": "``1/√x``.",
        "reciprocal": "``1/x``.",
        "tan": "``tan x``, whose derivative is ``1 + tan² x``.",
    },
)
kinds_of(
    Stepped,
    {
        "neg": "``−x``.",
        "floor": "``⌊x⌋``.",
        "ceil": "``⌈x⌉``.",
        "round": "The nearest integer, the even one of two.",
        "trunc": "``x`` without what follows the point.",
        "sign": "``−1``, ``0`` or ``1``.",
        "bitwise_not": "Each bit the other.",
    },
)
kinds_of(
    Test,
    {
        "logical_not": "``x = 0``.",
        "isnan": "``x ≠ x``.",
        "isinf": "``|x| = ∞``.",
        "isfinite": "``|x| < ∞``.",
    },
)

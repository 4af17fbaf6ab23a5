"""The bytes of weights, gradients and the optimizer's state, tensor by tensor.

In mixed precision, ``2 + 2 + 4 + 8 = 16`` bytes per parameter with Adam: weight and gradient in
16 bits, a copy of the weight and two moments in 32. Source: Micikevicius et al., ICLR 2018;
Rajbhandari et al., SC 2020 (ZeRO), section 3.1.
"""

from sympy import Add, Expr

from archspec.precision import TYPES
from costmodel.basis import Basis
from costmodel.precision import in_bytes, is_floating
from costmodel.propagation import LayerCost

STATE = "fp32"
"""The type of an optimizer's numbers, and of a master copy."""


def count_gradients(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of the gradients: as many numbers as there are params, in the weights' type."""
    dtype = _trained(layer, basis)
    return Add(*(in_bytes(size, dtype) for size in _sizes(layer, basis)))


def count_optimizer_state(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of what the optimizer remembers, and of a copy of narrower weights, in fp32.

    Wider weights have wider state.
    """
    dtype, setup = _trained(layer, basis), basis.training
    state = dtype if TYPES[dtype] > TYPES[STATE] else STATE
    counted = [p for p in layer.cost.parameters if p.role in basis.convention.roles]
    numbers = [setup.optimizer.numbers(parameter) for parameter in counted]
    if setup.keeps_master and TYPES[dtype] < TYPES[STATE]:
        numbers += [parameter.size for parameter in counted]
    return Add(*(in_bytes(count, state) for count in numbers))


def _sizes(layer: LayerCost, basis: Basis) -> list[Expr]:
    return [p.size for p in layer.cost.parameters if p.role in basis.convention.roles]


def _trained(layer: LayerCost, basis: Basis) -> str:
    """The type of a layer's weights.

    Raises:
        SpecError: integers, which have no gradients.
    """
    dtype = basis.types_of(layer).weights
    if _sizes(layer, basis) and not is_floating(dtype):
        cause = f"weights in {dtype} are integers, which have no gradients"
        raise layer.node.error(cause, hint="train in fp32, bf16 or fp16: --weights bf16")
    return dtype

"""The bytes of weights, gradients and the optimizer's state, tensor by tensor.

In mixed precision, ``2 + 2 + 4 + 8 = 16`` bytes per parameter with Adam: weight and gradient in
16 bits, a copy of the weight and two moments in 32. Source: Micikevicius et al., ICLR 2018;
Rajbhandari et al., SC 2020 (ZeRO), section 3.1.
"""

from sympy import Add, Expr

from archspec.precision import TYPES
from costmodel.metrics.registry import BYTES, SUM_OF_COPIES, Need, metric
from costmodel.network.context import Context
from costmodel.network.precision import in_bytes, is_floating
from costmodel.network.propagation import LayerCost
from costmodel.rules.backward import BYTE
from costmodel.rules.cost import Parameter

STATE = "fp32"
"""The type of an optimizer's numbers, and of a master copy."""


@metric("gradients", "gradients", BYTES, SUM_OF_COPIES, needs=(Need.TRAINING,))
def count_gradients(layer: LayerCost, context: Context) -> Expr:
    """Return the bytes of the gradients: a number per trained param, in their type."""
    weights = _trained(layer, context)
    dtype = context.training.gradients or weights
    is_shared = layer.node.path in context.derived(_shared)
    return Add(
        *(p.copies * _gradient(p, dtype, is_shared=is_shared) for p in context.trained_of(layer))
    )


def _gradient(tensor: Parameter, dtype: str, *, is_shared: bool) -> Expr:
    """Return the bytes of a tensor's gradient: of all, or of the rows that are looked up.

    Each of these has an index of 64 bits; rows that are met twice are there twice. Where another
    layer shares the weight, its dense gradient makes the sum dense. Source: ``torch.nn.Embedding``.
    """
    if tensor.looked_up is None or tensor.read is None or is_shared:
        return in_bytes(tensor.size, dtype)
    return in_bytes(tensor.read, dtype) + 8 * tensor.looked_up


def _shared(context: Context) -> set[str | None]:
    """Return the paths of the layers whose weight another shares."""
    return {layer.node.tied for layer in context.network.propagation.layers}


@metric("optimizer_state", "optimizer state", BYTES, SUM_OF_COPIES, needs=(Need.TRAINING,))
def count_optimizer_state(layer: LayerCost, context: Context) -> Expr:
    """Return the bytes of what the optimizer remembers, and of a copy of narrower weights, in fp32.

    Wider weights have wider state.
    """
    dtype, setup = _trained(layer, context), context.training
    state = dtype if TYPES[dtype] > TYPES[STATE] else STATE
    width, least = TYPES[state] // BYTE, context.network.least
    has_master = setup.keeps_master and TYPES[dtype] < TYPES[STATE]
    return Add(
        *(p.copies * setup.optimizer.bytes(p, width, least) for p in context.trained_of(layer)),
        *(p.total * width for p in context.trained_of(layer) if has_master),
    )


def _trained(layer: LayerCost, context: Context) -> str:
    """Return the type of a layer's weights.

    Raises:
        SpecError: integers, which have no gradients.
    """
    dtype = context.types_of(layer).weights
    if context.trained_of(layer) and not is_floating(dtype):
        cause = f"weights in {dtype} are integers, which have no gradients"
        raise layer.node.error(
            cause,
            hint="train in fp32, bf16 or fp16: --weights bf16; or freeze them: trainable: false",
        )
    return dtype

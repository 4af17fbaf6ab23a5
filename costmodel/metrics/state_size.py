"""The bytes of the buffers: what a network keeps beside its parameters without learning it."""

from sympy import Add, Expr

from archspec.precision import TYPES
from costmodel.metrics.registry import BYTES, SUM_OF_COPIES, metric
from costmodel.network.context import Context
from costmodel.network.precision import whole_bytes
from costmodel.network.propagation import LayerCost


@metric("state_size", "state size", BYTES, SUM_OF_COPIES)
def count_state_size(layer: LayerCost, context: Context) -> Expr:
    """Bytes of the buffers: running statistics of batch normalisation, constants.

    They have the weights' type, but a count of batches has 64 bits. Source: the buffers of
    ``torch.nn.BatchNorm2d``.
    """
    own = TYPES[context.types_of(layer).weights]
    return Add(*(whole_bytes(each.size, each.bits or own) for each in layer.cost.buffers))

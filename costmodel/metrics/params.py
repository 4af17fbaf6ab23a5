"""The learnable parameters that a convention counts, and their bytes."""

from sympy import Add, Expr

from costmodel.metrics.registry import BYTES, SUM_OF_COPIES, Unit, metric
from costmodel.network.context import Context
from costmodel.network.precision import in_bytes
from costmodel.network.propagation import LayerCost


@metric("params", "#params", Unit("parameters"), SUM_OF_COPIES)
def count_params(layer: LayerCost, context: Context) -> Expr:
    """Elements of the learnable tensors that count."""
    return Add(*(parameter.total for parameter in context.params_of(layer)))


@metric("model_size", "model size", BYTES, SUM_OF_COPIES)
def count_model_size(layer: LayerCost, context: Context) -> Expr:
    """Bytes of the params, ``params·bits/8``; each tensor begins at a whole byte."""
    dtype = context.types_of(layer).weights
    return Add(*(p.copies * in_bytes(p.size, dtype) for p in context.params_of(layer)))

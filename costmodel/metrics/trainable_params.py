"""The parameters that are trained, where a spec freezes others (``trainable: false``)."""

from sympy import Add, Expr

from costmodel.metrics.registry import SUM_OF_COPIES, Unit, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost


@metric("trainable_params", "trainable params", Unit("parameters"), SUM_OF_COPIES)
def count_trainable_params(layer: LayerCost, context: Context) -> Expr:
    """Elements of the learnable tensors that are trained: all params but those that are frozen."""
    return Add(*(parameter.total for parameter in context.trained_of(layer)))

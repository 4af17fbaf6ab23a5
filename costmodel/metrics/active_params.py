"""The parameters that work on one token: of a mixture's experts those that it visits."""

from sympy import Expr

from costmodel.metrics.params import count_params
from costmodel.metrics.registry import SUM_OF_ACTIVE_COPIES, Unit, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost


@metric("active_params", "active params", Unit("parameters"), SUM_OF_ACTIVE_COPIES)
def count_active_params(layer: LayerCost, context: Context) -> Expr:
    """Elements of the learnable tensors that count, of a mixture's experts those of ``top_k``.

    Source: Jiang et al., Mixtral of Experts, 2024, section 2.
    """
    return count_params(layer, context)

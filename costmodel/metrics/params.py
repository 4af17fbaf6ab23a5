"""The learnable parameters that a convention counts, and their bytes."""

from sympy import Add, Expr

from costmodel.metrics.registry import BYTES, SUM_OF_COPIES, Unit, metric
from costmodel.network.context import Basis
from costmodel.network.precision import in_bytes
from costmodel.network.propagation import LayerCost


@metric("params", "#params", Unit("parameters"), SUM_OF_COPIES)
def count_params(layer: LayerCost, basis: Basis) -> Expr:
    """Elements of the learnable tensors that count."""
    return Add(*(parameter.total for parameter in basis.params_of(layer)))


@metric("model_size", "model size", BYTES, SUM_OF_COPIES)
def count_model_size(layer: LayerCost, basis: Basis) -> Expr:
    """Bytes of the params, ``params·bits/8``; each tensor begins at a whole byte."""
    dtype = basis.types_of(layer).weights
    return Add(*(p.copies * in_bytes(p.size, dtype) for p in basis.params_of(layer)))

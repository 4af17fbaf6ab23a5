"""The multiply-accumulates of the products, and what follows from them."""

from sympy import Expr

from costmodel.metrics.registry import OPERATIONS, PRODUCTS, metric
from costmodel.network.context import Basis
from costmodel.network.propagation import LayerCost


@metric("macs", "MACs", PRODUCTS)
def count_macs(layer: LayerCost, basis: Basis) -> Expr:
    """Multiply-accumulates of the products, and of the bias where that counts."""
    return layer.cost.macs + (layer.cost.biased if basis.convention.counts_bias else 0)


@metric("macs_least", "MACs, at least", PRODUCTS)
def count_least_macs(layer: LayerCost, basis: Basis) -> Expr:
    """Multiply-accumulates that any implementation makes: none that a causal mask hides."""
    return basis.least_macs(layer)


@metric("flops", "FLOPs", OPERATIONS)
def count_flops(layer: LayerCost, basis: Basis) -> Expr:
    """Floating-point operations: two per MAC."""
    return 2 * count_macs(layer, basis)

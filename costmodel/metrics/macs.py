"""The multiply-accumulates of the products, and what follows from them."""

from sympy import Expr

from costmodel.metrics.registry import OPERATIONS, PRODUCTS, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost


@metric("macs", "MACs", PRODUCTS)
def count_macs(layer: LayerCost, context: Context) -> Expr:
    """Multiply-accumulates of the products, and of the bias where that counts."""
    return layer.cost.macs + (layer.cost.biased if context.convention.counts_bias else 0)


@metric("macs_least", "MACs, at least", PRODUCTS)
def count_least_macs(layer: LayerCost, context: Context) -> Expr:
    """Multiply-accumulates that any implementation makes: none that a causal mask hides."""
    return context.least_macs(layer)


@metric("flops", "FLOPs", OPERATIONS)
def count_flops(layer: LayerCost, context: Context) -> Expr:
    """Floating-point operations: two per MAC."""
    return 2 * count_macs(layer, context)

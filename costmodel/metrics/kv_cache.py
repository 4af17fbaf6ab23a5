"""The keys and values that are kept for the next token, where the network needs no more."""

from sympy import Expr, Integer, S

from costmodel.algebra.functions import ceil_div, exact
from costmodel.metrics.data_movement import kept_bytes
from costmodel.metrics.registry import BYTES, Need, metric
from costmodel.network.context import Context
from costmodel.network.decoding import require_decodable
from costmodel.network.propagation import LayerCost
from costmodel.rules.cost import Cache


def _cache_of(layer: LayerCost, context: Context) -> Cache | None:
    """Return the cache of a layer, if it has one.

    Raises:
        SpecError: the network does not work token by token.
    """
    context.derived(_require_decodable)
    return layer.cost.cache


@metric("state", "state", BYTES, needs=(Need.TOKENS,))
def count_state(layer: LayerCost, context: Context) -> Expr:
    """Bytes of fixed size that a layer keeps between steps: of a scan, an LSTM, a window's tail."""
    context.derived(_require_decodable)
    kept = layer.cost.state
    return Integer(0) if kept is None else kept_bytes(kept, S.One, context.types_of(layer).cache)


def _require_decodable(context: Context) -> None:
    require_decodable(context.network.propagation)


@metric("kv_cache", "KV cache", BYTES, needs=(Need.TOKENS,))
def count_kv_cache(layer: LayerCost, context: Context) -> Expr:
    """Bytes of the keys and values that a layer keeps after the run, of all sequences.

    In pages a sequence takes whole ones. Source: Kwon et al., SOSP 2023 (paged attention).
    """
    cache, page = _cache_of(layer, context), context.scenario.page
    if cache is None:
        return Integer(0)
    held = cache.held if page is None else exact(page) * ceil_div(cache.held, exact(page))
    return kept_bytes(cache, held, context.types_of(layer).cache)


@metric("kv_cache_per_token", "KV cache per token", BYTES, needs=(Need.TOKENS,))
def count_kv_cache_per_token(layer: LayerCost, context: Context) -> Expr:
    """Bytes of the keys and values that a further token of a sequence adds, till a window is full.

    Those of a cross attention are of its source, to which no further token adds.
    """
    cache = _cache_of(layer, context)
    if cache is None or not cache.grows:
        return Integer(0)
    return kept_bytes(cache._replace(rows=S.One), S.One, context.types_of(layer).cache)

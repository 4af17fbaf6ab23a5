"""Attention: projections, scores and the weighted sum."""

from typing import NamedTuple

from sympy import Expr

from archspec.layers.attention import Attention, CrossAttention, SelfAttention
from costmodel.algebra.conditions import AtLeast, Divides, Equal
from costmodel.algebra.functions import Minimum
from costmodel.cost import Cost, Inner, Output, Parameter, Role, weight_of
from costmodel.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules.base import Shape, Site, cost_rule, elements, shape_rule, show_shape
from costmodel.rules.linear import linear_nest
from costmodel.rules.merge import require_equal, require_same_rank


class Heads(NamedTuple):
    """The sizes of an attention.

    Attributes:
        queries: heads of the queries, H.
        keys: heads of keys and values, G.
        size: features of a head, d_h.
    """

    queries: Expr
    keys: Expr
    size: Expr


class Sources(NamedTuple):
    """The tensors that queries, keys and values are projected from, each ``(…, tokens, features)``.

    Attributes:
        queries: of the queries.
        keys: of the keys.
        values: of the values.
        length: keys that a query meets.
    """

    queries: Shape
    keys: Shape
    values: Shape
    length: Expr


@shape_rule(SelfAttention)
def self_attention_shape(layer: SelfAttention, site: Site) -> Shape:
    """The input's shape ``(…, t, d)``. Source: Vaswani et al., NeurIPS 2017."""
    _require_tokens(site)
    _require_heads(layer, site)
    if layer.kv_length is not None:
        keys = site.size("kv_length", layer.kv_length)
        rule = "kv_length ({keys}) must be at least the {tokens} tokens of the input"
        shown = {"keys": keys, "tokens": site.input[-2]}
        site.require(AtLeast(keys - site.input[-2], 0), rule, shown, "kv_length")
    return site.input


@shape_rule(CrossAttention)
def cross_attention_shape(layer: CrossAttention, site: Site) -> Shape:
    """The shape of the first input. Source: Vaswani et al., NeurIPS 2017."""
    _require_tokens(site)
    _require_heads(layer, site)
    require_same_rank(site)
    first, *others = site.inputs
    for i, other in enumerate(others, 1):
        for axis, extents in enumerate(zip(first[:-2], other[:-2], strict=True)):
            require_equal(site, axis, (0, extents[0]), (i, extents[1]))
    keys, values = others[0][-2], others[-1][-2]
    rule = "there are {keys} keys for {values} values"
    site.require(Equal(keys, values), rule, {"keys": keys, "values": values})
    return first


def _require_tokens(site: Site) -> None:
    if len(site.input) < 2:
        raise site.node.error(f"the input {show_shape(site.input)} is not (…, t, d)")


def _require_heads(layer: Attention, site: Site) -> None:
    heads = _heads(layer, site)
    if layer.kv_heads is not None:
        site.require(
            Divides(heads.keys, heads.queries),
            "heads ({queries}) must be divisible by kv_heads ({keys})",
            {"queries": heads.queries, "keys": heads.keys},
            "kv_heads",
        )
    if layer.head_dim is None:
        site.require(
            Divides(heads.queries, site.input[-1]),
            "the features ({features}) must be divisible by heads ({queries})",
            {"features": site.input[-1], "queries": heads.queries},
            "heads",
        )


def _heads(layer: Attention, site: Site) -> Heads:
    queries = site.size("heads", layer.heads)
    keys = queries if layer.kv_heads is None else site.size("kv_heads", layer.kv_heads)
    if layer.head_dim is None:
        return Heads(queries, keys, site.input[-1] / queries)
    return Heads(queries, keys, site.size("head_dim", layer.head_dim))


@cost_rule(SelfAttention)
def self_attention_cost(layer: SelfAttention, site: Site, output: Shape) -> Cost:
    """Projections ``t·d·(2·H + 2·G)·d_h``, products ``2·H·t·min(s, window)·d_h``, times n.

    Source: Vaswani et al., NeurIPS 2017; the mask of a causal attention saves no product.
    """
    length = output[-2] if layer.kv_length is None else site.size("kv_length", layer.kv_length)
    if layer.window is not None:
        length = Minimum(length, site.size("window", layer.window))
    return _attention(layer, site, Sources(output, output, output, length))


@cost_rule(CrossAttention)
def cross_attention_cost(layer: CrossAttention, site: Site, output: Shape) -> Cost:
    """Projections ``2·t·d·H·d_h + 2·s·d_kv·G·d_h``, products ``2·H·t·s·d_h``, times n.

    Source: Vaswani et al., NeurIPS 2017.
    """
    keys, values = site.inputs[1], site.inputs[-1]
    return _attention(layer, site, Sources(output, keys, values, keys[-2]))


def _attention(layer: Attention, site: Site, sources: Sources) -> Cost:
    heads = _heads(layer, site)
    query, key = heads.queries * heads.size, heads.keys * heads.size
    q = _projection("q", sources.queries, sources.queries[-1], query)
    k = _projection("k", sources.keys, sources.keys[-1], key)
    v = _projection("v", sources.values, sources.values[-1], key)
    out = _projection("out", sources.queries, query, sources.queries[-1])
    scores = _product(sources, heads, "d_h", "t_k")
    summed = _product(sources, heads, "t_k", "d_h")
    maps = {"q": q, "k": k, "v": v, "scores": scores, "sum": summed}
    inner = tuple(Inner(name, nest.writes) for name, nest in maps.items())
    parameters = (
        *map(weight_of, (q, k, v, out)),
        *_biases(layer, {"q": q, "k": k, "v": v, "out": out}),
    )
    parameters += _relative(layer, site, heads)
    return Cost(Output.LINEAR, (q, k, v, scores, summed, out), parameters, inner=inner)


def _projection(name: str, source: Shape, c_i: Expr, c_o: Expr) -> LoopNest:
    """A linear layer over every token."""
    rows = (Loop(BATCH, elements(source[:-2])), Loop("t", source[-2]))
    return linear_nest(rows, c_i, c_o, f"{name}_proj.weight")


def _biases(layer: Attention, projections: dict[str, LoopNest]) -> tuple[Parameter, ...]:
    last = layer.bias if layer.out_bias is None else layer.out_bias
    return tuple(
        Parameter(f"{name}_proj.bias", Role.BIAS, nest.loops[-1].count, "c_o")
        for name, nest in projections.items()
        if (last if name == "out" else layer.bias).holds
    )


def _relative(layer: Attention, site: Site, heads: Heads) -> tuple[Parameter, ...]:
    """The table of relative position biases, if there is one: a number per row and head."""
    if layer.relative_positions is None:
        return ()
    rows = site.size("relative_positions", layer.relative_positions)
    size = rows * heads.queries
    return (Parameter("relative_bias", Role.WEIGHT, size, "relative_positions·H"),)


def _product(sources: Sources, heads: Heads, inner: str, outer: str) -> LoopNest:
    """The scores ``q·kᵀ``, summed over d_h, or the weighted sum of the values, over t_k."""
    sizes = {"d_h": heads.size, "t_k": sources.length}
    n = elements(sources.queries[:-2])
    loops = (
        Loop(BATCH, n),
        Loop("H", heads.queries),
        Loop("t_q", sources.queries[-2]),
        Loop(inner, sizes[inner]),
        Loop(outer, sizes[outer]),
    )
    operands = (
        Operand("input", (BATCH, "H", "t_q", inner)),
        Operand("other", (BATCH, inner, outer), size=n * heads.keys * heads.size * sources.length),
        Operand("output", (BATCH, "H", "t_q", outer)),
    )
    return LoopNest(loops, operands)

"""Attention: projections, scores and the weighted sum."""

from typing import NamedTuple

from sympy import Expr, Mul

from archspec.layers.attention import SelfAttention
from costmodel.algebra.conditions import Divides
from costmodel.cost import Cost, Output, Parameter, Role
from costmodel.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules.base import Shape, Site, cost_rule, shape_rule


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


@shape_rule(SelfAttention)
def attention_shape(layer: SelfAttention, site: Site) -> Shape:
    """The input's shape ``(n, t, d)``. Source: Vaswani et al., NeurIPS 2017."""
    if len(site.input) != 3:
        raise site.node.error(f"the input has {len(site.input)} axes, not (n, t, d)")
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
            Divides(heads.queries, site.input[2]),
            "the features ({features}) must be divisible by heads ({queries})",
            {"features": site.input[2], "queries": heads.queries},
            "heads",
        )
    return site.input


def _heads(layer: SelfAttention, site: Site) -> Heads:
    queries = site.size("heads", layer.heads)
    keys = queries if layer.kv_heads is None else site.size("kv_heads", layer.kv_heads)
    if layer.head_dim is None:
        return Heads(queries, keys, site.input[2] / queries)
    return Heads(queries, keys, site.size("head_dim", layer.head_dim))


@cost_rule(SelfAttention)
def attention_cost(layer: SelfAttention, site: Site, output: Shape) -> Cost:
    """Projections ``t·d·(2·H + 2·G)·d_h``, products ``2·H·t·t·d_h``, both times n.

    Source: Vaswani et al., NeurIPS 2017; the mask of a causal attention saves no product.
    """
    n, t, d = output
    heads = _heads(layer, site)
    query, key = heads.queries * heads.size, heads.keys * heads.size
    projections = {"q": (d, query), "k": (d, key), "v": (d, key), "out": (query, d)}
    nests = [_projection(n, t, *sizes) for sizes in projections.values()]
    nests += [_product(n, t, heads, "d_h", "t_k"), _product(n, t, heads, "t_k", "d_h")]
    parameters = [
        Parameter(f"{name}_proj.weight", Role.WEIGHT, Mul(*sizes), "c_o·c_i")
        for name, sizes in projections.items()
    ]
    if layer.bias.holds:
        parameters += [
            Parameter(f"{name}_proj.bias", Role.BIAS, sizes[1], "c_o")
            for name, sizes in projections.items()
        ]
    return Cost(Output.LINEAR, tuple(nests), tuple(parameters))


def _projection(n: Expr, t: Expr, c_i: Expr, c_o: Expr) -> LoopNest:
    """A linear layer over every token."""
    loops = (Loop(BATCH, n), Loop("t", t), Loop("c_i", c_i), Loop("c_o", c_o))
    operands = (
        Operand("input", (BATCH, "t", "c_i")),
        Operand("weight", ("c_o", "c_i"), learnable=True),
        Operand("output", (BATCH, "t", "c_o")),
    )
    return LoopNest(loops, operands)


def _product(n: Expr, t: Expr, heads: Heads, inner: str, outer: str) -> LoopNest:
    """The scores ``q·kᵀ``, summed over d_h, or the weighted sum of the values, over t_k."""
    sizes = {"d_h": heads.size, "t_k": t}
    loops = (
        Loop(BATCH, n),
        Loop("H", heads.queries),
        Loop("t_q", t),
        Loop(inner, sizes[inner]),
        Loop(outer, sizes[outer]),
    )
    operands = (
        Operand("input", (BATCH, "H", "t_q", inner)),
        Operand("other", (BATCH, inner, outer), size=n * heads.keys * heads.size * t),
        Operand("output", (BATCH, "H", "t_q", outer)),
    )
    return LoopNest(loops, operands)

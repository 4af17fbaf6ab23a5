"""Attention: projections, scores and the weighted sum."""

from typing import NamedTuple

from sympy import Expr, S

from archspec.layers import Layer
from archspec.layers.attention import Attention, CrossAttention, SelfAttention
from costmodel.algebra.bounds import Least, is_at_least
from costmodel.algebra.conditions import AtLeast, Equal
from costmodel.algebra.functions import Maximum, Minimum
from costmodel.algebra.places import Reads
from costmodel.rules import Both, Shape, Site, backward_rule, cost_rule, elements, rule
from costmodel.rules.backward import BYTE, WEIGHTS, Backward, Entered, Inside
from costmodel.rules.base import show_shape
from costmodel.rules.cost import Cache, Cost, Inner, Output, Parameter, Role, axes_but, weight_of
from costmodel.rules.linear import linear_nest
from costmodel.rules.merge import require_equal, require_same_rank
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules.sliding import require_probability


class Heads(NamedTuple):
    """The sizes of an attention."""

    queries: Expr  # heads of the queries, H
    keys: Expr  # heads of keys and values, G
    size: Expr  # features of a head of queries and keys, d_h
    value: Expr  # features of a head of values, d_v


class Sources(NamedTuple):
    """What queries, keys and values are projected from, each ``(…, tokens, features)``."""

    queries: Shape
    keys: Shape
    values: Shape
    length: Expr  # keys that a query meets
    met: Expr  # keys that all queries meet together
    pairs: Expr | None = None  # of a query and a key that a mask leaves; None where it leaves all


@rule(SelfAttention)
def self_attention(layer: SelfAttention, site: Site) -> Both:
    """Projections ``t·d·(2·H + 2·G)·d_h``, products ``H·t·min(s, window)·(d_h + d_v)``, times n.

    The shape is the input's. s is ``t + past`` of a causal attention, else t, where ``kv_length``
    does not say it. Of the pairs of a query and a key a causal mask leaves ``Σ min(past + i,
    window)`` for i from 1 to t; with a window a token sees itself and the ``window − 1`` before it.

    Source: Vaswani et al., NeurIPS 2017; conventions count the products that the mask hides.
    """
    _require_tokens(site)
    _require_heads(layer, site)
    shape, tokens = site.input, site.input[-2]
    if layer.kv_length is not None:
        keys = site.size("kv_length", layer.kv_length)
        rule = "kv_length ({keys}) must be at least the {tokens} tokens of the input"
        site.require(AtLeast(keys - tokens, 0), rule, {"keys": keys, "tokens": tokens}, "kv_length")
    before = _before(layer, site)
    length = met = tokens + (S.Zero if before is None else before)
    window = None if layer.window is None else site.size("window", layer.window)
    if window is not None:
        met = _up_to(length, tokens + window - 1, site)
        length = Minimum(length, window)
    pairs = None
    if layer.causal.holds:
        pairs = seen_pairs(tokens, S.Zero if before is None else before, window, site.least)
    cost = _attention(layer, site, Sources(shape, shape, shape, length, met, pairs))
    if layer.causal.holds and window is not None and layer.kv_length is None:
        band = Reads(S.One, 1 - window, S.Zero)
        cost = cost._replace(ends=(), reads=({len(shape) - 2: band},))
    return shape, cost._replace(cache=_own_cache(layer, site, before, length))


@rule(CrossAttention)
def cross_attention(layer: CrossAttention, site: Site) -> Both:
    """The shape of the first input; keys and values of the source are worked out once, and kept.

    Projections ``2·t·d·H·d_h + 2·s·d_kv·G·d_h``, products ``H·t·s·(d_h + d_v)``, times n.

    Source: Vaswani et al., NeurIPS 2017.
    """
    _require_tokens(site)
    _require_heads(layer, site)
    require_same_rank(site)
    first, *others = site.inputs
    for i, other in enumerate(others, 1):
        for axis, extents in enumerate(zip(first[:-2], other[:-2], strict=True)):
            require_equal(site, axis, (0, extents[0]), (i, extents[1]))
    keys, values = others[0], others[-1]
    rule = "there are {keys} keys for {values} values"
    shown = {"keys": keys[-2], "values": values[-2]}
    site.require(Equal(keys[-2], values[-2]), rule, shown)
    cost = _attention(layer, site, Sources(first, keys, values, keys[-2], keys[-2]))
    return first, cost._replace(cache=_cache(layer, site, keys[-2], grows=False))


def _require_tokens(site: Site) -> None:
    if len(site.input) < 2:
        raise site.node.error(f"the input {show_shape(site.input)} is not (…, t, d)")


def _require_heads(layer: Attention, site: Site) -> None:
    require_probability(site, "dropout", layer.dropout)
    heads = _heads(layer, site)
    if layer.kv_heads is not None:
        site.require_divisible("heads", heads.queries, "kv_heads", heads.keys)
    if layer.head_dim is None:
        site.require_divisible("the features", site.input[-1], "heads", heads.queries)


def _heads(layer: Attention, site: Site) -> Heads:
    queries = site.size("heads", layer.heads)
    keys = queries if layer.kv_heads is None else site.size("kv_heads", layer.kv_heads)
    given = layer.head_dim
    size = site.input[-1] / queries if given is None else site.size("head_dim", given)
    value = size if layer.value_dim is None else site.size("value_dim", layer.value_dim)
    return Heads(queries, keys, size, value)


def seen_pairs(tokens: Expr, before: Expr, window: Expr | None, least: Least) -> Expr | None:
    """``Σ min(before + i, window)`` for i from 1 to the tokens: pairs that a causal mask leaves.

    Without a window ``t·P + t·(t + 1)/2``; with one ``m·P + m·(m + 1)/2 + max(0, t − r)·W``: the
    first ``m = min(t, r)`` tokens see all before them, for ``r = max(0, W − P)``. None for one
    token, which sees all of its keys: no product is spared.

    Args:
        tokens: those that enter, t.
        before: those that came before, P.
        window: the keys that a token sees at most, W.
        least: the smallest value of each symbol.
    """
    if tokens is S.One:
        return None
    if window is None:
        return tokens * before + tokens * (tokens + 1) / 2
    room = window - before
    room = room if is_at_least(room, 0, least) else Maximum(S.Zero, room)
    growing = Minimum(tokens, room)
    grown = growing * before + growing * (growing + 1) / 2
    return grown + Maximum(S.Zero, tokens - room) * window


def extends(layer: Layer) -> bool:
    """Return whether a layer attends to earlier tokens: causal, and without a kv_length."""
    return isinstance(layer, SelfAttention) and layer.causal.holds and layer.kv_length is None


def _before(layer: SelfAttention, site: Site) -> Expr | None:
    """The tokens whose keys and values are cached already; None where no cache is used."""
    if layer.kv_length is not None:
        return site.size("kv_length", layer.kv_length) - site.input[-2]
    return site.past if extends(layer) else None


def _own_cache(layer: SelfAttention, site: Site, before: Expr | None, length: Expr) -> Cache | None:
    """Return the number of these tokens that the cache keeps: ``min(s, window)``.

    Before the first of the tokens that enter, a window has ``window - 1`` others.
    """
    if not (layer.causal.holds or layer.kv_length is not None):
        return None
    read, written = before, site.input[-2]
    if before is None:
        read = written = S.Zero
    elif layer.window is not None:
        window = site.size("window", layer.window)
        read, written = _up_to(before, window - 1, site), _up_to(written, window, site)
    return _cache(layer, site, length)._replace(read=read, written=written)


def _up_to(tokens: Expr, bound: Expr, site: Site) -> Expr:
    """``min(tokens, bound)``, or the tokens where they are proved to be no more."""
    fits = is_at_least(bound - tokens, 0, site.least)
    return tokens if fits else Minimum(tokens, bound)


def _cache(layer: Attention, site: Site, held: Expr, *, grows: bool = True) -> Cache:
    heads, rows = _heads(layer, site), elements(site.input[:-2])
    keys, values = heads.keys * heads.size, heads.keys * heads.value
    return Cache(rows, keys, values, held, S.Zero, S.Zero, grows)


def _attention(layer: Attention, site: Site, sources: Sources) -> Cost:
    """Four linear layers and two products, in the order in which they work."""
    heads = _heads(layer, site)
    width, rank = sources.queries[-1], len(sources.queries)
    keys, values = min(1, len(site.inputs) - 1), len(site.inputs) - 1
    projections = {
        "q": _projection("q", sources.queries, width, heads.queries * heads.size, 0),
        "k": _projection("k", sources.keys, sources.keys[-1], heads.keys * heads.size, keys),
        "v": _projection("v", sources.values, sources.values[-1], heads.keys * heads.value, values),
        "out": _projection("out", sources.queries, heads.queries * heads.value, width, None),
    }
    last = layer.bias if layer.out_bias is None else layer.out_bias
    q, k, v, out = (
        nest._replace(biased=(last if name == "out" else layer.bias).holds)
        for name, nest in projections.items()
    )
    scores, summed = _products(sources, heads)
    biases = (
        Parameter(f"{nest.name}_proj.bias", Role.BIAS, nest.loops[-1].count, "c_o")
        for nest in (q, k, v, out)
        if nest.biased
    )
    parameters = (*map(weight_of, (q, k, v, out)), *biases)
    return Cost(
        Output.LINEAR,
        (q, k, v, scores, summed, out),
        (*parameters, *_relative(layer, site, heads)),
        inner=(
            *(Inner(nest.name, nest.writes) for nest in (q, k, v)),
            Inner(SCORES, scores.writes, Output.MATMUL, is_fusible=True),
            Inner(summed.name, summed.writes, Output.MATMUL),
        ),
        axes=axes_but(rank, rank - 1),
        ends=(rank - 2,),
    )


def _projection(name: str, source: Shape, c_i: Expr, c_o: Expr, number: int | None) -> LoopNest:
    """A linear layer over every token of the input of a number, or of what is made inside."""
    rows = (Loop(BATCH, elements(source[:-2])), Loop("t", source[-2]))
    return linear_nest(rows, c_i, c_o, f"{name}_proj.weight", number)._replace(name=name)


def _relative(layer: Attention, site: Site, heads: Heads) -> tuple[Parameter, ...]:
    """The table of relative position biases, if there is one: a number per row and head."""
    if layer.relative_positions is None:
        return ()
    rows = site.size("relative_positions", layer.relative_positions)
    shape = (rows, heads.queries)
    size = elements(shape)
    return (Parameter("relative_bias", Role.WEIGHT, size, "relative_positions·H", shape),)


def _products(sources: Sources, heads: Heads) -> tuple[LoopNest, LoopNest]:
    """The scores ``q·kᵀ``, summed over d_h, and the weighted sum of the values, over t_k."""
    n, pairs = elements(sources.queries[:-2]), sources.pairs
    length, rows = sources.length, n * heads.keys * sources.met
    outer = Loop(BATCH, n), Loop("H", heads.queries), Loop("t_q", sources.queries[-2])
    t_k, d_h, d_v = Loop("t_k", length), Loop("d_h", heads.size), Loop("d_v", heads.value)
    names = tuple(loop.name for loop in outer)
    scores = (
        Operand("input", (*names, "d_h")),
        Operand("other", (BATCH, "d_h", "t_k"), size=rows * heads.size),
        Operand("output", (*names, "t_k"), inner=SCORES),
    )
    summed = (
        Operand("input", (*names, "t_k"), inner=SCORES),
        Operand("other", (BATCH, "t_k", "d_v"), size=rows * heads.value),
        Operand("output", (*names, "d_v")),
    )
    least = (pairs and n * heads.queries * size * pairs for size in (heads.size, heads.value))
    return (
        LoopNest((*outer, d_h, t_k), scores, name=SCORES, least=next(least)),
        LoopNest((*outer, t_k, d_v), summed, name="sum", least=next(least)),
    )


SCORES = "scores"
"""The products of queries and keys, and their softmax in the same place."""

CORE = (SCORES, "sum")
"""The products that selective recomputation makes again, with the softmax between them."""


@backward_rule(Attention)
def attention_backward(layer: Attention, site: Site, output: Shape) -> Backward:
    """The inputs, q, k, v, the scores after their softmax, and the weighted sum.

    With dropout also a byte per score and the scores that are left, which the values are weighed
    with. Source: Korthikanti et al., 2022, section 4.1: ``11·s·b·h + 5·a·s²·b`` bytes in fp16, one
    byte of ``s·b·h`` being the mask of a dropout after it. Fused attention keeps no score and makes
    ``q·kᵀ`` again, masks from their seed (Dao et al., NeurIPS 2022, section 3.1 and algorithm 4).
    """
    made = cost_rule.find(type(layer))(layer, site, output).inner
    inside = [
        Inside(each.name, each.size, is_core=each.is_fusible, is_fusible=each.is_fusible)
        for each in made
    ]
    weights = frozenset({WEIGHTS})
    inside[-1] = inside[-1]._replace(asked_by=weights)
    if site.value("dropout", layer.dropout) != 0:
        scores = next(each.size for each in inside if each.is_core)
        inside.append(Inside("mask", scores, BYTE, is_core=True, is_fusible=True))
        inside.append(Inside("dropped scores", scores, is_core=True, is_fusible=True))
    entered = tuple(Entered(number, weights) for number in range(len(site.inputs)))
    core, remade = frozenset(CORE), frozenset((SCORES,))
    return Backward(entered, inside=tuple(inside), core=core, remade=remade)

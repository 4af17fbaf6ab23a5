"""Attention over latents: what is kept per token, and its two orders of products."""

from collections.abc import Iterator
from typing import NamedTuple

from sympy import Expr, S

from archspec.layers.latent_attention import LatentAttention
from costmodel.rules import Both, Shape, Site, backward_rule, cost_rule, elements, rule
from costmodel.rules.attention import (
    CORE,
    SCORES,
    Heads,
    KeysAndValues,
    VisibleKeys,
    attention_nests,
    learned_scores,
    require_tokens,
    scores_kept,
    seen_by,
)
from costmodel.rules.backward import Backward, KeptInput, KeptIntermediate
from costmodel.rules.cost import Cache, Cost, Inner, Output, Parameter, Role, axes_but, weight_of
from costmodel.rules.linear import linear_nest
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules.sliding import require_probability


class LatentSizes(NamedTuple):
    """The sizes of an attention over latents."""

    n: Expr  # sequences
    t: Expr  # tokens of each
    d: Expr  # features of a token
    heads: Expr  # H
    rank: Expr  # features of the latent of keys and values, r
    rotated: Expr  # features of a key that all heads have in common, d_r
    size: Expr  # features of a head's own key, d_h
    value: Expr  # features of a head's value, d_v
    q_rank: Expr | None  # features of the latent of queries


@rule(LatentAttention)
def latent_attention(layer: LatentAttention, site: Site) -> Both:
    """The input's shape; ``r + d_r`` numbers are kept for a token.

    Source: DeepSeek-AI, DeepSeek-V2, 2024, section 2.1 and appendix C.
    """
    require_tokens(site)
    require_probability(site, "dropout", layer.dropout)
    sizes, shape = _sizes(layer, site), site.input
    before = site.past if layer.causal.holds else None
    seen = seen_by(layer, site, sizes.t, before)
    if layer.absorbed is None:
        is_absorbed = before is not None and before != 0
    else:
        is_absorbed = layer.absorbed.holds
    core = _absorbed(sizes, seen) if is_absorbed else _expanded(sizes, seen)
    nests = (*_down(sizes), *core, _row_nest(sizes, "out", sizes.heads * sizes.value, sizes.d))
    cost = Cost(
        Output.LINEAR,
        nests,
        (*_parameters(sizes), *learned_scores(layer, site, sizes.heads)),
        inner=tuple(_inner(nests[:-1])),
        axes=axes_but(len(shape), len(shape) - 1),
        ends=() if seen.reads else (len(shape) - 2,),
        reads=({len(shape) - 2: seen.reads[0]},) if seen.reads else (),
    )
    if not layer.causal.holds:
        return shape, cost
    parts = sizes.rank, sizes.rotated
    return shape, cost._replace(cache=Cache(sizes.n, parts, seen.length, seen.read, seen.written))


def _sizes(layer: LatentAttention, site: Site) -> LatentSizes:
    size = site.size("head_dim", layer.head_dim)
    value = size if layer.value_dim is None else site.size("value_dim", layer.value_dim)
    return LatentSizes(
        elements(site.input[:-2]),
        site.input[-2],
        site.input[-1],
        site.size("heads", layer.heads),
        site.size("kv_rank", layer.kv_rank),
        site.size("rope_dim", layer.rope_dim),
        size,
        value,
        None if layer.q_rank is None else site.size("q_rank", layer.q_rank),
    )


def _row_nest(
    sizes: LatentSizes, name: str, c_i: Expr, c_o: Expr, source: int | None = None
) -> LoopNest:
    """A linear layer over every token."""
    rows = (Loop(BATCH, sizes.n), Loop("t", sizes.t))
    return linear_nest(rows, c_i, c_o, f"{name}_proj.weight", source)._replace(name=name)


def _down(sizes: LatentSizes) -> Iterator[LoopNest]:
    """Queries, and the latent of keys and values with the keys' rotated features."""
    queries = sizes.heads * (sizes.size + sizes.rotated)
    if sizes.q_rank is None:
        yield _row_nest(sizes, "q", sizes.d, queries, 0)
    else:
        yield _row_nest(sizes, "q_a", sizes.d, sizes.q_rank, 0)
        yield _row_nest(sizes, "q_b", sizes.q_rank, queries)
    yield _row_nest(sizes, "kv_a", sizes.d, sizes.rank + sizes.rotated, 0)


def _expanded(sizes: LatentSizes, seen: VisibleKeys) -> Iterator[LoopNest]:
    """Keys and values of all tokens that are met, and attention of as many heads of each."""
    rows = (Loop(BATCH, sizes.n), Loop("s", seen.met))
    made = sizes.heads * (sizes.size + sizes.value)
    yield linear_nest(rows, sizes.rank, made, KV_B, None)._replace(name="kv_b")
    size = sizes.size + sizes.rotated
    met = sizes.n * seen.met
    keys = met * (sizes.heads * sizes.size + sizes.rotated)
    yield from _products(sizes, seen, (size, sizes.value), (keys, met * sizes.heads * sizes.value))


def _absorbed(sizes: LatentSizes, seen: VisibleKeys) -> Iterator[LoopNest]:
    """Queries in the latent space, attention to the latents themselves, and values of the sums."""
    met = sizes.n * seen.met
    both = sizes.rank + sizes.rotated
    yield _per_head(sizes, "absorbed q", sizes.size, sizes.rank)
    yield from _products(sizes, seen, (both, sizes.rank), (met * both, met * sizes.rank))
    yield _per_head(sizes, "values", sizes.rank, sizes.value)


def _products(
    sizes: LatentSizes, seen: VisibleKeys, features: tuple[Expr, Expr], read: tuple[Expr, Expr]
) -> tuple[LoopNest, LoopNest]:
    outer = Loop(BATCH, sizes.n), Loop("H", sizes.heads), Loop("t_q", sizes.t)
    return attention_nests(outer, seen, Heads(sizes.heads, S.One, *features), KeysAndValues(*read))


def _per_head(sizes: LatentSizes, name: str, c_i: Expr, c_o: Expr) -> LoopNest:
    """A matrix of each head over its own part of every token: a part of ``kv_b``."""
    rows = Loop(BATCH, sizes.n), Loop("t", sizes.t), Loop("H", sizes.heads)
    operands = (
        Operand("input", (BATCH, "t", "H", "c_i")),
        Operand(KV_B, ("H", "c_o", "c_i"), learnable=True),
        Operand("output", (BATCH, "t", "H", "c_o")),
    )
    return LoopNest((*rows, Loop("c_i", c_i), Loop("c_o", c_o)), operands, name=name)


KV_B = "kv_b_proj.weight"
"""The weight that makes keys and values of latents, whichever form its products take."""


def _parameters(sizes: LatentSizes) -> Iterator[Parameter]:
    """The weights, the same in both forms, and the norms of the latents."""
    for nest in _down(sizes):
        yield weight_of(nest)
    if sizes.q_rank is not None:
        yield Parameter("q_a_norm.weight", Role.NORM, sizes.q_rank, "r_q")
    yield Parameter("kv_a_norm.weight", Role.NORM, sizes.rank, "r")
    shape = sizes.heads * (sizes.size + sizes.value), sizes.rank
    yield Parameter(KV_B, Role.WEIGHT, elements(shape), "H·(d_h + d_v)·r", shape)
    yield weight_of(_row_nest(sizes, "out", sizes.heads * sizes.value, sizes.d))


def _inner(nests: tuple[LoopNest, ...]) -> Iterator[Inner]:
    """The feature maps between the products."""
    for nest in nests:
        if nest.name == SCORES:
            yield Inner(nest.name, nest.writes, Output.MATMUL, is_fusible=True)
        else:
            yield Inner(
                nest.name, nest.writes, Output.MATMUL if nest.name == "sum" else Output.LINEAR
            )


@backward_rule(LatentAttention)
def latent_attention_backward(layer: LatentAttention, site: Site, output: Shape) -> Backward:
    """The input, what every product takes, and what enters the norms of the latents.

    Source: the formulas of DeepSeek-V2, section 2.1.2; a norm keeps its input.
    """
    inside = scores_kept(layer, site, cost_rule.find(type(layer))(layer, site, output).inner)
    normed = ("q_a", "kv_a")
    inside += [
        KeptIntermediate(f"{i.name} before its norm", i.size) for i in inside if i.name in normed
    ]
    entered = (KeptInput(0),)
    return Backward(entered, inside=tuple(inside), core=frozenset(CORE), remade=frozenset({SCORES}))

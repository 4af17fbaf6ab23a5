"""Attention: projections, scores and the weighted sum."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sympy import Expr, S

from archspec.fields import Condition
from archspec.layers.attention import (
    Attention,
    CrossAttention,
    Masked,
    ScaledDotProductAttention,
    Scored,
    SelfAttention,
)
from costmodel.algebra.bounds import Least, is_at_least
from costmodel.algebra.conditions import AtLeast, Equal
from costmodel.algebra.functions import Maximum, Minimum, ceil_div, floor_div
from costmodel.algebra.places import ReadPlaces
from costmodel.rules import Both, Shape, Site, backward_rule, cost_rule, elements, rule
from costmodel.rules.backward import BYTE, WEIGHTS, Backward, KeptInput, KeptIntermediate
from costmodel.rules.base import show_shape
from costmodel.rules.cost import Cache, Cost, Inner, Output, Parameter, Role, axes_but, weight_of
from costmodel.rules.linear import linear_nest
from costmodel.rules.memory import up_to
from costmodel.rules.merge import require_equal
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules.sliding import require_probability


class Heads(NamedTuple):
    """The sizes of an attention."""

    queries: Expr  # heads of the queries, H
    keys: Expr  # heads of keys and values, G
    size: Expr  # features of a head of queries and keys, d_h
    value: Expr  # features of a head of values, d_v


class VisibleKeys(NamedTuple):
    """The keys that tokens see, and of how many a cache takes part."""

    length: Expr  # keys that a query meets
    met: Expr  # keys that all queries meet together
    pairs: Expr | None = None  # of a query and a key that a mask leaves; None where it leaves all
    reads: tuple[ReadPlaces | None] | None = None  # the places that a token sees, where not all
    read: Expr = S.Zero  # tokens whose keys are read from the cache
    written: Expr = S.Zero  # tokens whose keys are written into it


class ProjectionInputs(NamedTuple):
    """The tensors from which queries, keys and values are projected: ``(…, tokens, features)``."""

    queries: Shape
    keys: Shape
    values: Shape
    seen: VisibleKeys


@rule(SelfAttention)
def self_attention(layer: SelfAttention, site: Site) -> Both:
    """Projections ``t·d·(2·H + 2·G)·d_h``, products ``H·t·min(s, window)·(d_h + d_v)``, times n.

    The shape is the input's. s is ``t + past`` of a causal attention, else t, where ``kv_length``
    does not say it. Of the pairs of a query and a key a causal mask leaves ``Σ min(past + i,
    window)`` for i from 1 to t; with a window a token sees itself and the ``window − 1`` before it.

    Source: Vaswani et al., NeurIPS 2017; conventions count the products that the mask hides.
    """
    require_tokens(site)
    _require_heads(layer, site)
    shape, tokens = site.input, site.input[-2]
    if layer.kv_length is not None:
        keys = site.size("kv_length", layer.kv_length)
        rule = "kv_length ({keys}) must be at least the {tokens} tokens of the input"
        site.require(AtLeast(keys - tokens, 0), rule, {"keys": keys, "tokens": tokens}, "kv_length")
    seen = seen_by(layer, site, tokens, _before(layer, site))
    cost = _attention(layer, site, ProjectionInputs(shape, shape, shape, seen))
    if seen.reads is not None and layer.kv_length is None:
        cost = cost._replace(ends=(), reads=({len(shape) - 2: seen.reads[0]},))
    if not layer.causal.holds and layer.kv_length is None:
        return shape, cost
    cache = _cache(layer, site, seen)._replace(is_given=layer.kv_length is not None)
    return shape, cost._replace(cache=cache)


@rule(CrossAttention)
def cross_attention(layer: CrossAttention, site: Site) -> Both:
    """The shape of the first input; keys and values of the source are worked out once, and kept.

    A run after others (``--past``) finds them there, and only reads them.

    Projections ``2·t·d·H·d_h + 2·s·d_kv·G·d_h``, products ``H·t·s·(d_h + d_v)``, times n.

    Source: Vaswani et al., NeurIPS 2017.
    """
    require_tokens(site)
    _require_heads(layer, site)
    site.require_same_rank()
    first, *others = site.inputs
    for i, other in enumerate(others, 1):
        for axis, extents in enumerate(zip(first[:-2], other[:-2], strict=True)):
            require_equal(site, axis, (0, extents[0]), (i, extents[1]))
    keys, values = others[0], others[-1]
    rule = "there are {keys} keys for {values} values"
    shown = {"keys": keys[-2], "values": values[-2]}
    site.require(Equal(keys[-2], values[-2]), rule, shown)
    seen = VisibleKeys(keys[-2], keys[-2])
    cost = _attention(layer, site, ProjectionInputs(first, keys, values, seen))
    if site.past is not None:
        is_made = site.past != 0
        cost = _without_source(cost) if is_made else cost
        seen = seen._replace(**{"read" if is_made else "written": keys[-2]})
    return first, cost._replace(cache=_cache(layer, site, seen, grows=False))


def _without_source(cost: Cost) -> Cost:
    """The cost of a run whose keys and values an earlier one has made; their weights rest."""
    made = "k", "v"
    return cost._replace(
        nests=tuple(nest for nest in cost.nests if nest.name not in made),
        inner=tuple(inner for inner in cost.inner if inner.name not in made),
        parameters=tuple(
            each._replace(read=S.Zero) if each.name.startswith(("k_", "v_")) else each
            for each in cost.parameters
        ),
        sees=1,
    )


def require_tokens(site: Site) -> None:
    """Refuse an input without an axis of tokens and one of features."""
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


def seen_in_chunks(tokens: Expr, before: Expr, chunk: Expr) -> Expr:
    """``Σ (p % C) + 1`` over the t places p from P on: the pairs that chunks of C tokens leave.

    Of the first x places they are ``x//C·C·(C + 1)/2 + r·(r + 1)/2`` for ``r = x % C``.

    Args:
        tokens: those that enter, t.
        before: those that came before, P.
        chunk: the tokens of a chunk, C.
    """
    if tokens is S.One:
        return _rest(before, chunk) + 1

    def first(places: Expr) -> Expr:
        whole, rest = floor_div(places, chunk), _rest(places, chunk)
        return whole * chunk * (chunk + 1) / 2 + rest * (rest + 1) / 2

    return first(before + tokens) - first(before)


def _rest(places: Expr, chunk: Expr) -> Expr:
    """``x % C``."""
    return places - floor_div(places, chunk) * chunk


def _before(layer: SelfAttention, site: Site) -> Expr | None:
    """The tokens whose keys and values are cached already; None where no cache is used."""
    if layer.kv_length is not None:
        return site.size("kv_length", layer.kv_length) - site.input[-2]
    return site.past if layer.causal.holds else None


def seen_by(layer: Masked, site: Site, tokens: Expr, before: Expr | None) -> VisibleKeys:
    """Return the keys that some tokens see after others, under the layer's mask.

    Before the first of the tokens that enter, a window has ``window - 1`` others; the chunk of that
    token has as many as there are before it since the chunk began.

    Args:
        layer: the layer.
        site: its place.
        tokens: how many tokens enter.
        before: how many came before, cached; None where no cache is used.
    """
    earlier, is_causal = S.Zero if before is None else before, layer.causal.holds
    length = met = earlier + tokens
    pairs, read, written = seen_pairs(tokens, earlier, None, site.least), earlier, tokens
    reads: tuple[ReadPlaces | None] | None = None
    if layer.window is not None and layer.chunk is not None:
        cause = "a token sees either a window or a chunk"
        raise site.node.error(cause, "leave one of them out", "chunk")
    if layer.window is not None:
        window = site.size("window", layer.window)
        pairs = seen_pairs(tokens, earlier, window, site.least)
        read, written = up_to(earlier, window - 1, site), up_to(tokens, window, site)
        met, length = up_to(length, tokens + window - 1, site), Minimum(length, window)
        reads = (ReadPlaces(S.One, 1 - window, S.Zero),)
    elif layer.chunk is not None:
        chunk = site.size("chunk", layer.chunk)
        pairs, reads = seen_in_chunks(tokens, earlier, chunk), (None,)
        read = _rest(earlier, chunk)
        written = Minimum(tokens, _rest(length - 1, chunk) + 1) if tokens is not S.One else tokens
        met, length = read + tokens, Minimum(length, chunk)
    if before is None:
        read = written = S.Zero
    if not is_causal:
        return VisibleKeys(length, met, None, None, read, written)
    return VisibleKeys(length, met, pairs, reads, read, written)


def _cache(layer: Attention, site: Site, seen: VisibleKeys, *, grows: bool = True) -> Cache:
    """Return the cache of keys and values: ``min(s, window)`` tokens of every sequence."""
    heads, rows = _heads(layer, site), elements(site.input[:-2])
    keys, values = heads.keys * heads.size, heads.keys * heads.value
    return Cache(rows, (keys, values), seen.length, seen.read, seen.written, grows)


def _attention(layer: Attention, site: Site, sources: ProjectionInputs) -> Cost:
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
    q, k, v, out = (
        nest._replace(biased=_is_biased(layer, name)) for name, nest in projections.items()
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
        (*parameters, *_norms(layer, heads), *learned_scores(layer, site, heads.queries)),
        inner=(
            *(Inner(nest.name, nest.writes) for nest in (q, k, v)),
            Inner(SCORES, scores.writes, Output.MATMUL, is_fusible=True),
            Inner(summed.name, summed.writes, Output.MATMUL),
        ),
        axes=axes_but(rank, rank - 1),
        ends=(rank - 2,),
    )


def _projection(name: str, source: Shape, c_i: Expr, c_o: Expr, number: int | None) -> LoopNest:
    """Return the products of a linear layer over the tokens of an input, or of a tensor inside."""
    rows = (Loop(BATCH, elements(source[:-2])), Loop("t", source[-2]))
    return linear_nest(rows, c_i, c_o, f"{name}_proj.weight", number)._replace(name=name)


def _is_biased(layer: Attention, name: str) -> bool:
    """Return whether a projection has a bias: as it says itself, else as all of them."""
    own: Condition | None = getattr(layer, f"{name}_bias")
    return (layer.bias if own is None else own).holds


def _norms(layer: Attention, heads: Heads) -> Iterator[Parameter]:
    """The scales of the norms of queries and keys, of one head or of all."""
    counts = {"none": (), "head": (S.One, S.One), "all": (heads.queries, heads.keys)}
    for name, count in zip("qk", counts[layer.qk_norm], strict=False):
        rule = "d_h" if count is S.One else f"{'H' if name == 'q' else 'G'}·d_h"
        yield Parameter(f"{name}_norm.weight", Role.NORM, count * heads.size, rule)


def learned_scores(layer: Scored, site: Site, heads: Expr) -> Iterator[Parameter]:
    """Yield what is learned of scores: a table of relative positions, and a sink per head.

    Args:
        layer: the layer.
        site: its place.
        heads: the heads of its queries.
    """
    if layer.softcap is not None:
        cap = site.value("softcap", layer.softcap)
        if not cap.is_positive:  # what rounds up to 1 is more than 0
            positive = AtLeast(ceil_div(cap, 1), 1)
            site.require(positive, "softcap ({cap}) must be more than 0", {"cap": cap}, "softcap")
    if layer.relative_positions is not None:
        shape = (site.size("relative_positions", layer.relative_positions), heads)
        size, rule = elements(shape), "relative_positions·H"
        yield Parameter("relative_bias", Role.WEIGHT, size, rule, shape)
    if layer.sinks.holds:
        yield Parameter("sinks", Role.BIAS, heads, "H")


def _products(sources: ProjectionInputs, heads: Heads) -> tuple[LoopNest, LoopNest]:
    """The products of every head, whose keys and values have several queries' heads in common."""
    n, seen = elements(sources.queries[:-2]), sources.seen
    keys, values = (n * heads.keys * seen.met * size for size in (heads.size, heads.value))
    outer = Loop(BATCH, n), Loop("H", heads.queries), Loop("t_q", sources.queries[-2])
    return attention_nests(outer, seen, heads, KeysAndValues(keys, values))


class KeysAndValues(NamedTuple):
    """The keys and values that the products read: their elements, and which inputs they are."""

    keys: Expr
    values: Expr
    sources: tuple[int | None, int | None, int | None] = (None, None, None)


def attention_nests(
    outer: Sequence[Loop], seen: VisibleKeys, heads: Heads, read: KeysAndValues
) -> tuple[LoopNest, LoopNest]:
    """The scores ``q·kᵀ``, summed over d_h, and the weighted sum of the values, over t_k.

    Args:
        outer: the loops over sequences, heads and queries.
        seen: the keys of each query.
        heads: features of a head.
        read: keys and values.
    """
    t_k, d_h, d_v = Loop("t_k", seen.length), Loop("d_h", heads.size), Loop("d_v", heads.value)
    names = tuple(loop.name for loop in outer)
    batch, (q, k, v) = names[:-2], read.sources
    scores = (
        Operand("input", (*names, "d_h"), source=q),
        Operand("other", (*batch, "d_h", "t_k"), size=read.keys, source=k),
        Operand("output", (*names, "t_k"), inner=SCORES),
    )
    summed = (
        Operand("input", (*names, "t_k"), inner=SCORES),
        Operand("other", (*batch, "t_k", "d_v"), size=read.values, source=v),
        Operand("output", (*names, "d_v")),
    )
    rows, pairs = elements(tuple(loop.count for loop in outer[:-1])), seen.pairs
    least = (pairs and rows * size * pairs for size in (heads.size, heads.value))
    return (
        LoopNest((*outer, d_h, t_k), scores, name=SCORES, least=next(least)),
        LoopNest((*outer, t_k, d_v), summed, name="sum", least=next(least)),
    )


@rule(ScaledDotProductAttention)
def scaled_dot_product_attention(layer: ScaledDotProductAttention, site: Site) -> Both:
    """Products ``n·H·t·min(s, window)·(d_h + d_v)`` over the keys that enter.

    Source: ``torch.nn.functional.scaled_dot_product_attention``.
    """
    require_probability(site, "dropout", layer.dropout)
    site.require_same_rank()
    q, k, v = site.inputs
    if len(q) < 3:
        raise site.node.error(f"the queries {show_shape(q)} are not (…, H, t, d_h)")
    for axis, extents in enumerate(zip(k[:-1], v[:-1], strict=True)):
        require_equal(site, axis, (1, extents[0]), (2, extents[1]))
    for axis in (*range(len(q) - 3), len(q) - 1):
        require_equal(site, axis, (0, q[axis]), (1, k[axis]))
    site.require_divisible("the heads of the queries", q[-3], "those of the keys", k[-3])
    tokens, before = q[-2], S.Zero
    if layer.causal.holds:
        before = k[-2] - tokens
        rule = "a causal mask asks for at least as many keys ({keys}) as queries ({tokens})"
        site.require(AtLeast(before, 0), rule, {"keys": k[-2], "tokens": tokens}, "causal")
        seen = seen_by(layer, site, tokens, before)
    else:
        seen = seen_by(layer, site, k[-2], None)._replace(met=k[-2])
    outer = Loop(BATCH, elements(q[:-3])), Loop("H", q[-3]), Loop("t_q", tokens)
    operands = KeysAndValues(elements(k), elements(v), (0, 1, 2))
    scores, summed = attention_nests(outer, seen, Heads(q[-3], k[-3], q[-1], v[-1]), operands)
    batch, lost = tuple(range(len(q) - 3)), (None, None, None)
    output = (*q[:-1], v[-1])
    return output, Cost(
        Output.MATMUL,
        (scores, summed),
        tuple(learned_scores(layer, site, q[-3])),
        inner=(Inner(SCORES, scores.writes, Output.MATMUL, is_fusible=True),),
        carried=((*range(len(q) - 1), None), (*batch, *lost), (*batch, *lost[:2], len(q) - 1)),
    )


SCORES = "scores"
"""The products of queries and keys, and their softmax in the same place."""

CORE = (SCORES, "sum")
"""The products that selective recomputation makes again, with the softmax between them."""


def scores_kept(layer: Scored, site: Site, made: Iterable[Inner]) -> list[KeptIntermediate]:
    """Return what is made inside as it is kept, with what a soft cap and dropout keep of scores.

    A soft cap keeps its tanh, of which its slope is; dropout a byte per score and the scores left.

    Args:
        layer: the layer.
        site: its place.
        made: the feature maps inside it.
    """
    inside = [
        KeptIntermediate(each.name, each.size, is_core=each.is_fusible, is_fusible=each.is_fusible)
        for each in made
    ]
    scores = next(each.size for each in inside if each.is_core)
    kept: list[tuple[str, int | None]] = [("tanh of the scores", None)] if layer.softcap else []
    if site.value("dropout", layer.dropout) != 0:
        kept += [("mask", BYTE), ("dropped scores", None)]
    return inside + [
        KeptIntermediate(n, scores, bits, is_core=True, is_fusible=True) for n, bits in kept
    ]


@backward_rule(ScaledDotProductAttention)
def core_backward(layer: ScaledDotProductAttention, site: Site, output: Shape) -> Backward:
    """Queries, keys and values; the scores after their softmax, which a fused kernel makes again.

    Source: Dao et al., NeurIPS 2022, section 3.1.
    """
    made = cost_rule.find(type(layer))(layer, site, output).inner
    inside, core = tuple(scores_kept(layer, site, made)), frozenset(CORE)
    return Backward(tuple(map(KeptInput, range(3))), False, inside, core, frozenset((SCORES,)))


@backward_rule(Attention)
def attention_backward(layer: Attention, site: Site, output: Shape) -> Backward:
    """The inputs, q, k, v, the scores after their softmax, and the weighted sum.

    With dropout also a byte per score and the scores that are left, which the values are weighed
    with; with norms of queries and keys what enters these.

    Source: Korthikanti et al., 2022, section 4.1: ``11·s·b·h + 5·a·s²·b`` bytes in fp16, one
    byte of ``s·b·h`` being the mask of a dropout after it. Fused attention keeps no score and makes
    ``q·kᵀ`` again, masks from their seed (Dao et al., NeurIPS 2022, section 3.1 and algorithm 4).
    """
    made = tuple(cost_rule.find(type(layer))(layer, site, output).inner)
    inside, weights = scores_kept(layer, site, made), frozenset({WEIGHTS})
    last = len(made) - 1  # what the scores weigh, which the last product takes
    inside[last] = inside[last]._replace(needed_by=weights)
    if layer.qk_norm != "none":
        inside += [
            KeptIntermediate(f"{each.name} before its norm", each.size)
            for each in inside
            if each.name in ("q", "k")
        ]
    entered = tuple(KeptInput(number, weights) for number in range(len(site.inputs)))
    core, remade = frozenset(CORE), frozenset((SCORES,))
    return Backward(entered, inside=tuple(inside), core=core, remade=remade)

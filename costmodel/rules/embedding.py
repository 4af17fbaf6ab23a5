"""Embeddings and positions: rows that are looked up, not multiplied."""

from archspec.layers.embedding import Embedding, PositionalEmbedding
from costmodel.algebra.conditions import AtLeast
from costmodel.cost import Cost, Output, Parameter, Role
from costmodel.rules.base import Shape, Site, cost_rule, shape_rule


@shape_rule(Embedding)
def embedding_shape(layer: Embedding, site: Site) -> Shape:
    """``(…) → (…, d)``. Source: ``torch.nn.Embedding``."""
    site.size("num_embeddings", layer.num_embeddings)
    return (*site.input, site.size("embedding_dim", layer.embedding_dim))


@cost_rule(Embedding)
def embedding_cost(layer: Embedding, site: Site, output: Shape) -> Cost:
    """Weights ``V·d``; no products: a row is looked up. Source: ``torch.nn.Embedding``."""
    size = site.size("num_embeddings", layer.num_embeddings) * output[-1]
    weight = Parameter("weight", Role.WEIGHT, size, "V·d")
    return Cost(Output.LOOKUP, parameters=(weight,))


@shape_rule(PositionalEmbedding)
def positions_shape(layer: PositionalEmbedding, site: Site) -> Shape:
    """The input's shape, whose tokens have a position each."""
    site.axis(-2)
    positions = site.size("max_length", layer.max_length)
    site.require(
        AtLeast(positions - site.input[-2], 0),
        "the input has {tokens} tokens, but there are only {positions} positions",
        {"tokens": site.input[-2], "positions": positions},
        "max_length",
    )
    return site.input


@cost_rule(PositionalEmbedding)
def positions_cost(layer: PositionalEmbedding, site: Site, output: Shape) -> Cost:
    """Weights ``max_length·d``, added in place. Source: Radford et al., 2018."""
    size = site.size("max_length", layer.max_length) * output[-1]
    weight = Parameter("weight", Role.WEIGHT, size, "max_length·d")
    return Cost(Output.IN_PLACE, parameters=(weight,))

"""Embeddings, positions and free parameters: what is looked up or put in, not multiplied."""

from sympy import Integer, S

from archspec.layers import Layer
from archspec.layers import embedding as kinds
from costmodel.algebra.conditions import AtLeast, Divides
from costmodel.algebra.places import Reads
from costmodel.rules import Shape, Site, cost_rule, elements, keeps, shape_rule
from costmodel.rules.backward import INPUT, NOTHING
from costmodel.rules.cost import Cost, Output, Role, axes_but
from costmodel.rules.cost import Parameter as Learned
from costmodel.rules.formula import Formula


@shape_rule(kinds.Embedding)
def embedding_shape(layer: kinds.Embedding, site: Site) -> Shape:
    """``(…) → (…, d)``. Source: ``torch.nn.Embedding``."""
    site.size("num_embeddings", layer.num_embeddings)
    return (*site.input, site.size("embedding_dim", layer.embedding_dim))


@cost_rule(kinds.Embedding)
def embedding_cost(layer: kinds.Embedding, site: Site, output: Shape) -> Cost:
    """Weights ``V·d``; no products: a row is looked up. Source: ``torch.nn.Embedding``."""
    shape = (site.size("num_embeddings", layer.num_embeddings), output[-1])
    weight = Learned("weight", Role.WEIGHT, elements(shape), "V·d", shape, elements(output))
    axes = (*axes_but(len(site.input)), None)
    return Cost(Output.LOOKUP, parameters=(weight,), axes=axes)


@shape_rule(kinds.PositionalEmbedding)
def positions_shape(layer: kinds.PositionalEmbedding, site: Site) -> Shape:
    """The input's shape, whose tokens, and those before them, have a position each."""
    site.axis(-2)
    positions, tokens = site.size("max_length", layer.max_length), site.input[-2]
    rule = "the input has {tokens} tokens, but there are only {positions} positions"
    shown = {"tokens": tokens, "positions": positions}
    if site.past:
        rule = rule.replace("tokens,", "tokens after {past},")
        shown["past"] = site.past
        tokens += site.past
    site.require(AtLeast(positions - tokens, 0), rule, shown, "max_length")
    return site.input


@cost_rule(kinds.PositionalEmbedding)
def positions_cost(layer: kinds.PositionalEmbedding, site: Site, output: Shape) -> Cost:
    """Weights ``max_length·d``, added in place. Source: Radford et al., 2018."""
    shape = (site.size("max_length", layer.max_length), output[-1])
    used = elements(output[-2:])
    weight = Learned("weight", Role.WEIGHT, elements(shape), "max_length·d", shape, used)
    return Cost(Output.IN_PLACE, parameters=(weight,), meets=(-1,))


@shape_rule(kinds.PositionalEncoding, kinds.RotaryEmbedding)
def encoded_shape(layer: Layer, site: Site) -> Shape:  # noqa: ARG001
    """The input's shape ``(…, t, d)``, whose features make pairs of sine and cosine."""
    site.axis(-2)
    rule = "the features ({features}) make no pairs"
    site.require(Divides(Integer(2), site.input[-1]), rule, {"features": site.input[-1]})
    return site.input


@cost_rule(kinds.PositionalEncoding, kinds.RotaryEmbedding)
def encoded_cost(layer: Layer, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """Nothing is learned; in place. Source: Vaswani et al., NeurIPS 2017; Su et al., 2021."""
    return Cost(Output.IN_PLACE, meets=(-1,))


@shape_rule(kinds.ClassToken)
def class_token_shape(layer: kinds.ClassToken, site: Site) -> Shape:
    """``(n, t, d) → (n, tokens + t, d)``. Source: Dosovitskiy et al., ICLR 2021."""
    if len(site.input) != 3:
        raise site.node.error(f"the input has {len(site.input)} axes, not (n, t, d)")
    n, t, d = site.input
    return n, t + site.size("tokens", layer.tokens), d


@cost_rule(kinds.ClassToken)
def class_token_cost(layer: kinds.ClassToken, site: Site, output: Shape) -> Cost:
    """Weights ``tokens·d``; a new feature map. Source: Dosovitskiy et al., ICLR 2021."""
    tokens = site.size("tokens", layer.tokens)
    quantities = {"t": site.input[1], "tokens": tokens}
    longer = Formula("t_o", "{tokens} + {t}", quantities, output[1])
    shape = (tokens, output[-1])
    weight = Learned("weight", Role.WEIGHT, elements(shape), "tokens·d", shape)
    reads = ({1: Reads(S.One, -tokens, -tokens)},)
    return Cost(Output.CONCAT, parameters=(weight,), sizes=(longer,), axes=axes_but(3), reads=reads)


@shape_rule(kinds.LearnedTensor)
def parameter_shape(layer: kinds.LearnedTensor, site: Site) -> Shape:
    """The shape that is given. Source: ``torch.nn.Parameter``."""
    return tuple(site.size("shape", size) for size in layer.shape)


@cost_rule(kinds.LearnedTensor)
def parameter_cost(layer: kinds.LearnedTensor, site: Site, output: Shape) -> Cost:  # noqa: ARG001
    """As many weights as it has elements; no feature map. Source: ``torch.nn.Parameter``."""
    weight = Learned("weight", Role.WEIGHT, elements(output), "elements of the shape", output)
    return Cost(Output.PARAMETER, parameters=(weight,))


# The indices: which rows of the table the gradient is of.
keeps(INPUT, kinds.Embedding)


# What is added or put in gets the gradient as it is, or turned back.
keeps(
    NOTHING,
    *(kinds.PositionalEmbedding, kinds.PositionalEncoding, kinds.RotaryEmbedding),
    *(kinds.ClassToken, kinds.LearnedTensor),
)

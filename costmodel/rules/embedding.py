"""Embeddings, positions and free parameters: what is looked up or put in, not multiplied."""

from sympy import Integer, S

from archspec.layers import Layer
from archspec.layers import embedding as kinds
from costmodel.algebra.conditions import AtLeast, Divides
from costmodel.algebra.places import ReadPlaces
from costmodel.rules import Both, Site, elements, keeps, rule
from costmodel.rules.backward import FACTOR, NOTHING
from costmodel.rules.cost import Buffer, Cost, Output, Role, axes_but
from costmodel.rules.cost import Parameter as Learned
from costmodel.rules.formula import SizeFormula


@rule(kinds.Embedding)
def embedding(layer: kinds.Embedding, site: Site) -> Both:
    """``(…) → (…, d)``: weights ``V·d``; no products, a row is looked up.

    Source: ``torch.nn.Embedding``.
    """
    rows = site.size("num_embeddings", layer.num_embeddings)
    output = (*site.input, site.size("embedding_dim", layer.embedding_dim))
    shape = (rows, output[-1])
    weight = Learned("weight", Role.WEIGHT, elements(shape), "V·d", shape, elements(output))
    if layer.sparse.holds:
        weight = weight._replace(looked_up=elements(site.input))
    axes = (*axes_but(len(site.input)), None)
    return output, Cost(Output.LOOKUP, parameters=(weight,), axes=axes)


@rule(kinds.PositionalEmbedding)
def positions(layer: kinds.PositionalEmbedding, site: Site) -> Both:
    """The input's shape, whose tokens, and those before them, have a position each.

    Weights ``max_length·d``, added in place. Source: Radford et al., 2018.
    """
    site.axis(-2)
    positions, tokens = site.size("max_length", layer.max_length), site.input[-2]
    rule = "the input has {tokens} tokens, but there are only {positions} positions"
    shown = {"tokens": tokens, "positions": positions}
    if site.past:
        rule = rule.replace("tokens,", "tokens after {past},")
        shown["past"] = site.past
        tokens += site.past
    site.require(AtLeast(positions - tokens, 0), rule, shown, "max_length")
    shape, used = (positions, site.input[-1]), elements(site.input[-2:])
    weight = Learned("weight", Role.WEIGHT, elements(shape), "max_length·d", shape, used)
    return site.input, Cost(Output.IN_PLACE, parameters=(weight,), meets=(-1,))


@rule(kinds.PositionalEncoding, kinds.RotaryEmbedding)
def encoded(layer: Layer, site: Site) -> Both:  # noqa: ARG001
    """The input's shape ``(…, t, d)``, whose features make pairs of sine and cosine; in place.

    Nothing is learned. Source: Vaswani et al., NeurIPS 2017; Su et al., 2021.
    """
    site.axis(-2)
    rule = "the features ({features}) make no pairs"
    site.require(Divides(Integer(2), site.input[-1]), rule, {"features": site.input[-1]})
    return site.input, Cost(Output.IN_PLACE, meets=(-1,))


@rule(kinds.ClassToken)
def class_token(layer: kinds.ClassToken, site: Site) -> Both:
    """``(n, t, d) → (n, tokens + t, d)``: weights ``tokens·d``; a new feature map.

    Source: Dosovitskiy et al., ICLR 2021.
    """
    if len(site.input) != 3:
        raise site.node.error(f"the input has {len(site.input)} axes, not (n, t, d)")
    n, t, d = site.input
    tokens = site.size("tokens", layer.tokens)
    longer = SizeFormula("t_o", "{tokens} + {t}", {"t": t, "tokens": tokens}, t + tokens)
    weight = Learned("weight", Role.WEIGHT, elements((tokens, d)), "tokens·d", (tokens, d))
    reads = ({1: ReadPlaces(S.One, -tokens, -tokens)},)
    cost = Cost(Output.CONCAT, parameters=(weight,), sizes=(longer,), axes=axes_but(3), reads=reads)
    return (n, t + tokens, d), cost


@rule(kinds.LearnedTensor)
def learned_tensor(layer: kinds.LearnedTensor, site: Site) -> Both:
    """The shape that is given: as many weights as it has elements; no feature map.

    Source: ``torch.nn.Parameter``.
    """
    shape = tuple(site.size("shape", size) for size in layer.shape)
    weight = Learned("weight", Role.WEIGHT, elements(shape), "elements of the shape", shape)
    return shape, Cost(Output.PARAMETER, parameters=(weight,))


@rule(kinds.Constant)
def constant(layer: kinds.Constant, site: Site) -> Both:
    """The shape that is given: a buffer of as many elements; no feature map, nothing learned.

    Source: ``torch.nn.Module.register_buffer``.
    """
    shape = tuple(site.size("shape", size) for size in layer.shape)
    return shape, Cost(Output.PARAMETER, buffers=(Buffer("value", elements(shape)),))


# The indices: which rows of the table the gradient is of.
keeps(FACTOR, kinds.Embedding)


# What is added or put in gets the gradient as it is, or turned back.
keeps(
    NOTHING,
    *(kinds.PositionalEmbedding, kinds.PositionalEncoding, kinds.RotaryEmbedding),
    *(kinds.ClassToken, kinds.LearnedTensor, kinds.Constant),
)

"""Fully connected layers: the loops over rows, ``c_i`` and ``c_o``."""

from collections.abc import Sequence

from sympy import Expr

from archspec.layers.linear import Linear
from costmodel.rules import Shape, Site, cost_rule, keeps, shape_rule
from costmodel.rules.backward import INPUT
from costmodel.rules.cost import Cost, Output, axes_but, weight_and_bias
from costmodel.rules.formula import Formula
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand


@shape_rule(Linear)
def linear_shape(layer: Linear, site: Site) -> Shape:
    """``(…, c_i) → (…, c_o)``. Source: ``torch.nn.Linear``."""
    if not site.input:
        raise site.node.error("the input is a single number; linear needs an axis of features")
    return (*site.input[:-1], site.size("out_features", layer.out_features))


@cost_rule(Linear)
def linear_cost(layer: Linear, site: Site, output: Shape) -> Cost:
    """MACs ``n·c_i·c_o`` over all leading axes; weights ``c_o·c_i``; bias ``c_o``.

    Source: MIT 6.5940, lecture 2.
    """
    nest = linear_nest(row_loops(output), site.input[-1], output[-1])
    nest = nest._replace(biased=layer.bias.holds)
    features = Formula("c_o", "{out_features}", {"out_features": output[-1]}, output[-1])
    rank = len(output)
    return Cost(
        Output.LINEAR,
        (nest,),
        weight_and_bias(nest, output[-1]),
        (features,),
        axes=axes_but(rank, rank - 1),
    )


def linear_nest(
    rows: Sequence[Loop], c_i: Expr, c_o: Expr, weight: str = "weight", source: int | None = 0
) -> LoopNest:
    """A matrix over every row: the loops over rows, ``c_i`` and ``c_o``."""
    names = tuple(loop.name for loop in rows)
    operands = (
        Operand("input", (*names, "c_i"), source=source),
        Operand(weight, ("c_o", "c_i"), learnable=True),
        Operand("output", (*names, "c_o")),
    )
    return LoopNest((*rows, Loop("c_i", c_i), Loop("c_o", c_o)), operands)


def row_loops(output: Shape) -> list[Loop]:
    """The loops over the leading axes: the batch, then tokens or positions."""
    names = (
        [BATCH, "t"] if len(output) == 3 else [BATCH, *(f"t_{i}" for i in range(1, len(output)))]
    )
    return [Loop(name, size) for name, size in zip(names, output[:-1], strict=False)]


# The input, for the gradient of the weight: ``dW = dyᵀ·x``. Source: Rumelhart et al., 1986.
keeps(INPUT, Linear)

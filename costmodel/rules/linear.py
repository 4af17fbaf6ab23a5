"""Fully connected layers: the loops over rows, ``c_i`` and ``c_o``."""

from collections.abc import Sequence

from sympy import Expr

from archspec.layers.linear import Linear
from costmodel.rules import Both, Shape, Site, keeps, rule
from costmodel.rules.backward import FACTOR
from costmodel.rules.cost import Cost, Output, axes_but, weight_and_bias
from costmodel.rules.formula import SizeFormula
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand


@rule(Linear)
def linear(layer: Linear, site: Site) -> Both:
    """``(…, c_i) → (…, c_o)``: MACs ``n·c_i·c_o`` over all leading axes; weights ``c_o·c_i``.

    Bias ``c_o``. Source: MIT 6.5940, lecture 2; ``torch.nn.Linear``.
    """
    if not site.input:
        raise site.node.error("the input is a single number; linear needs an axis of features")
    c_o, rank = site.size("out_features", layer.out_features), len(site.input)
    output = (*site.input[:-1], c_o)
    nest = linear_nest(row_loops(output), site.input[-1], c_o)._replace(biased=layer.bias.holds)
    features = SizeFormula("c_o", "{out_features}", {"out_features": c_o}, c_o)
    axes = axes_but(rank, rank - 1)
    return output, Cost(Output.LINEAR, (nest,), weight_and_bias(nest, c_o), (features,), axes=axes)


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
keeps(FACTOR, Linear)

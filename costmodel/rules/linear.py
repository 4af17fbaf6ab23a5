"""Fully connected layers: the loops over rows, ``c_i`` and ``c_o``."""

from collections.abc import Sequence

from sympy import Expr

from archspec.layers.linear import GroupedLinear, Linear
from costmodel.algebra.functions import Minimum
from costmodel.rules import Both, Shape, Site, elements, keeps, rule
from costmodel.rules.backward import FACTOR
from costmodel.rules.base import show_shape
from costmodel.rules.cost import Cost, Output, Parameter, Role, axes_but, weight_and_bias
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


@rule(GroupedLinear)
def grouped_linear(layer: GroupedLinear, site: Site) -> Both:
    """``(…, c_i) → (…, c_o)``: MACs ``n·c_i·c_o`` over all leading axes; weights ``g·c_o·c_i``.

    A run reads no more matrices than it has rows. Source: Gale et al., MLSys 2023.
    """
    if len(site.input) < 2:
        raise site.node.error(f"the input {show_shape(site.input)} has no rows (…, c_i)")
    rank = len(site.input)
    groups, c_o = (site.size(n, getattr(layer, n)) for n in ("groups", "out_features"))
    output, c_i = (*site.input[:-1], c_o), site.input[-1]
    shape = (groups, c_o, c_i)
    read = Minimum(groups, elements(site.input[:-1])) * c_o * c_i
    nest = linear_nest(row_loops(output), c_i, c_o, size=elements(shape))
    weight = Parameter("weight", Role.WEIGHT, elements(shape), "g·c_o·c_i", shape, read)
    return output, Cost(Output.LINEAR, (nest,), (weight,), axes=axes_but(rank, rank - 1))


def linear_nest(
    rows: Sequence[Loop],
    c_i: Expr,
    c_o: Expr,
    weight: str = "weight",
    source: int | None = 0,
    size: Expr | None = None,
) -> LoopNest:
    """A matrix over every row: the loops over rows, ``c_i`` and ``c_o``."""
    names = tuple(loop.name for loop in rows)
    operands = (
        Operand("input", (*names, "c_i"), source=source),
        Operand(weight, ("c_o", "c_i"), learnable=True, size=size),
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
keeps(FACTOR, Linear, GroupedLinear)

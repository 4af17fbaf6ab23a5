"""Fully connected layers: the loops over rows, ``c_i`` and ``c_o``."""

from archspec.layers.linear import Linear
from costmodel.cost import Cost, Output, Parameter, Role, weight_of
from costmodel.formula import Formula
from costmodel.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules.base import Shape, Site, cost_rule, elements, shape_rule


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
    rows = _rows(output)
    c_i, c_o = Loop("c_i", site.input[-1]), Loop("c_o", output[-1])
    names = tuple(loop.name for loop in rows)
    operands = (
        Operand("input", (*names, "c_i"), size=elements(site.input)),
        Operand("weight", ("c_o", "c_i"), learnable=True),
        Operand("output", (*names, "c_o")),
    )
    nest = LoopNest((*rows, c_i, c_o), operands)
    parameters = [weight_of(nest)]
    if layer.bias.holds:
        parameters.append(Parameter("bias", Role.BIAS, output[-1], "c_o"))
    features = Formula("c_o", "{out_features}", {"out_features": output[-1]}, output[-1])
    return Cost(Output.LINEAR, (nest,), tuple(parameters), (features,))


def _rows(output: Shape) -> list[Loop]:
    """The loops over the leading axes: the batch, then tokens or positions."""
    names = (
        [BATCH, "t"] if len(output) == 3 else [BATCH, *(f"t_{i}" for i in range(1, len(output)))]
    )
    return [Loop(name, size) for name, size in zip(names, output[:-1], strict=False)]

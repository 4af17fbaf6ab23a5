"""Products of two tensors: the loops over all their axes."""

from collections.abc import Mapping, Sequence

from sympy import Expr

from archspec.equation import Equation
from archspec.layers.matmul import Bilinear, Einsum, MatMul
from costmodel.algebra.conditions import Equal
from costmodel.rules import Both, Shape, Site, backward_rule, cost_rule, elements, rule
from costmodel.rules.backward import (
    FACTOR,
    NOTHING,
    WEIGHTS,
    Backward,
    KeptInput,
    KeptIntermediate,
    factors,
)
from costmodel.rules.base import show_shape
from costmodel.rules.cost import Cost, Inner, Output, Parameter, Role, axes_but, weight_of
from costmodel.rules.linear import row_loops
from costmodel.rules.merge import broadcast, require_equal
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand


@rule(MatMul)
def matmul(layer: MatMul, site: Site) -> Both:  # noqa: ARG001
    """``(…, m, k), (…, k, p) → (…, m, p)``: MACs ``m·k·p`` over all leading axes.

    Source: ``torch.matmul``; MIT 6.5940, lecture 2 (GEMM).
    """
    left, right = site.inputs
    if min(len(left), len(right)) < 2:
        raise site.node.error(f"{show_shape(left)} and {show_shape(right)} are no matrices")
    site.require(
        Equal(left[-1], right[-2]),
        f"the columns of {site.sources[0]} ({{left}}) and the rows of {site.sources[1]} "
        "({right}) must agree",
        {"left": left[-1], "right": right[-2]},
    )
    output = (*broadcast(site, (left[:-2], right[:-2])), left[-2], right[-1])
    names = [BATCH, *(f"b_{i}" for i in range(1, len(output) - 2))][: len(output) - 2]
    rows = [Loop(name, size) for name, size in zip(names, output[:-2], strict=True)]
    loops = (*rows, Loop("m", left[-2]), Loop("k", left[-1]), Loop("p", right[-1]))
    operands = (
        Operand("input", (*names, "m", "k"), size=elements(left), source=0),
        Operand("other", (*names, "k", "p"), size=elements(right), source=1),
        Operand("output", (*names, "m", "p")),
    )
    rank = len(output)
    shared = [tuple(range(rank - len(x), rank - 2)) for x in (left, right)]
    carried = (*shared[0], rank - 2, None), (*shared[1], None, rank - 1)
    return output, Cost(Output.MATMUL, (LoopNest(loops, operands),), carried=carried)


@rule(Bilinear)
def bilinear(layer: Bilinear, site: Site) -> Both:
    """``(…, c_1), (…, c_2) → (…, c_o)``: MACs ``c_1·c_2·c_o + c_2·c_o`` per row.

    Weights ``c_o·c_1·c_2``; bias ``c_o``. Source: ``torch.nn.Bilinear``.
    """
    left, right = site.inputs
    site.require_same_rank()
    for axis, extents in enumerate(zip(left[:-1], right[:-1], strict=True)):
        require_equal(site, axis, (0, extents[0]), (1, extents[1]))
    output = (*left[:-1], site.size("out_features", layer.out_features))
    rows = row_loops(output)
    names = tuple(loop.name for loop in rows)
    c_1, c_2 = Loop("c_1", left[-1]), Loop("c_2", right[-1])
    c_o = Loop("c_o", output[-1])
    first = (
        Operand("input", (*names, "c_1"), source=0),
        Operand("weight", ("c_o", "c_1", "c_2"), learnable=True),
        Operand("output", (*names, "c_o", "c_2")),
    )
    second = (
        Operand("input", (*names, "c_o", "c_2")),
        Operand("other", (*names, "c_2"), source=1),
        Operand("output", (*names, "c_o")),
    )
    nests = (
        LoopNest((*rows, c_1, c_2, c_o), first),
        LoopNest((*rows, c_2, c_o), second, biased=layer.bias.holds),
    )
    parameters: tuple[Parameter, ...] = (weight_of(nests[0]),)
    if layer.bias.holds:
        parameters += (Parameter("bias", Role.BIAS, output[-1], "c_o"),)
    inner = (Inner("xᵀW", nests[0].writes),)
    axes = axes_but(len(output), len(output) - 1)
    return output, Cost(Output.LINEAR, nests, parameters, inner=inner, axes=axes)


def _extents(layer: Einsum, site: Site) -> dict[str, Expr]:
    """Every axis' extent, from the inputs or from ``sizes``."""
    equation = layer.equation
    _require_operands(equation, site)
    extents: dict[str, Expr] = {}
    pairs = zip(equation.operands, site.inputs, strict=False)
    for name, size in (pair for each in pairs for pair in zip(*each, strict=True)):
        known = extents.setdefault(name, size)
        rule = f"the axis {name} has the extents {{known}} and {{size}}"
        site.require(Equal(known, size), rule, {"known": known, "size": size}, "equation")
    given = {name: site.size("sizes", size) for name, size in layer.sizes.items()}
    _require_sizes(equation, set(extents), given, site)
    return extents | given


def _require_operands(equation: Equation, site: Site) -> None:
    count = len(site.inputs)
    if count > len(equation.operands):
        cause = f"{count} inputs for the {len(equation.operands)} operands of '{equation}'"
        raise site.node.error(cause, field="equation")
    for axes, shape in zip(equation.operands, site.inputs, strict=False):
        if len(axes) != len(shape):
            cause = f"'{' '.join(axes)}' names {len(axes)} axes of {show_shape(shape)}"
            raise site.node.error(cause, field="equation")


def _require_sizes(
    equation: Equation, of_inputs: set[str], given: Mapping[str, Expr], site: Site
) -> None:
    """``sizes`` has the axes of the weight that no input has, and no other."""
    open_axes = [name for name in equation.names if name not in of_inputs]
    for name in open_axes:
        if name not in given:
            hint = f"write it under sizes, as sizes: {{{name}: 8}}"
            raise site.node.error(f"the extent of the axis {name} is open", hint, "sizes")
    for name in given:
        if name not in open_axes:
            cause = f"'{name}' is no axis that the weight alone has"
            raise site.node.error(cause, field="sizes")


@rule(Einsum)
def einsum(layer: Einsum, site: Site) -> Both:
    """The extents of the output's axes; MACs: all extents but those that one operand sums alone.

    Source: ``torch.einsum``.
    """
    equation, extents = layer.equation, _extents(layer, site)
    learned = len(site.inputs) < len(equation.operands)
    parameters: list[Parameter] = []
    if learned:
        axes = equation.operands[-1]
        shape = tuple(extents[name] for name in axes)
        parameters.append(Parameter("weight", Role.WEIGHT, elements(shape), "·".join(axes), shape))
    nests: tuple[LoopNest, ...] = ()
    if equation.shared_sums:
        nests = (_einsum_nest(equation, extents, site.inputs, learned=learned),)
        kind = Output.LINEAR if learned else Output.MATMUL
    else:
        kind = Output.BROADCAST if equation.lone_sums or len(equation.operands) > 1 else Output.VIEW
    kept, carried = _kept_axes(equation, site.inputs), _carried(equation, learned=learned)
    output = tuple(extents[name] for name in equation.output)
    return output, Cost(kind, nests, tuple(parameters), axes=kept, carried=carried)


def _carried(equation: Equation, *, learned: bool) -> tuple[tuple[int | None, ...], ...]:
    """Return the output's axis for each axis of each input, by its name; None for the weight's."""
    inputs = equation.operands[:-1] if learned else equation.operands
    own = set(equation.operands[-1]) if learned else set()
    places = {name: i for i, name in enumerate(equation.output) if name not in own}
    return tuple(tuple(places.get(name) for name in axes) for axes in inputs)


def _kept_axes(equation: Equation, inputs: Sequence[Shape]) -> tuple[int | None, ...]:
    """The axes of the input that the output has, where it is one and no weight has them, too."""
    first, *others = equation.operands
    shared = {name for axes in others for name in axes}
    kept = set(first) - shared if len(inputs) == 1 else set()
    return tuple(first.index(name) if name in kept else None for name in equation.output)


def _einsum_nest(
    equation: Equation, extents: Mapping[str, Expr], inputs: Sequence[Shape], *, learned: bool
) -> LoopNest:
    kept = (name for name in equation.names if name not in equation.lone_sums)
    loops = [Loop(name, extents[name]) for name in kept]
    weight = elements(tuple(extents[name] for name in equation.operands[1]))
    first, second = (
        tuple(name for name in axes if name not in equation.lone_sums) for axes in equation.operands
    )
    operands = (
        Operand("input", first, size=elements(inputs[0]), source=0),
        Operand("weight", second, learnable=True, size=weight)
        if learned
        else Operand("other", second, size=elements(inputs[1]), source=1),
        Operand("output", equation.output),
    )
    return LoopNest(tuple(loops), operands)


@backward_rule(MatMul)
def matmul_backward(layer: MatMul, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """Each input for the other's gradient: ``dA = dC·Bᵀ``, ``dB = Aᵀ·dC``."""
    return factors(2)


@backward_rule(Bilinear)
def bilinear_backward(layer: Bilinear, site: Site, output: Shape) -> Backward:
    """Both inputs for the gradient of the weight; for that of x the z, of z ``xᵀW``."""
    inner = cost_rule.find(Bilinear)(layer, site, output).inner
    inside = tuple(
        KeptIntermediate(each.name, each.size, needed_by=frozenset({1})) for each in inner
    )
    first, second = frozenset({WEIGHTS}), frozenset({WEIGHTS, 0})
    return Backward((KeptInput(0, first), KeptInput(1, second)), inside=inside)


@backward_rule(Einsum)
def einsum_backward(layer: Einsum, site: Site, output: Shape) -> Backward:  # noqa: ARG001
    """Of two inputs each for the other's gradient; beside a weight the input; of one nothing."""
    if len(site.inputs) == 2:
        return factors(2)
    return FACTOR if len(layer.equation.operands) == 2 else NOTHING

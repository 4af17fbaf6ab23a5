"""Quantized ONNX operators: the layers that they are, whose numbers are small integers.

A layer counts what it would count of real numbers. Scales and zero points are no parameters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.errors import SpecError
from archspec.importers.onnx.layers import OPERATORS, linear, operator
from archspec.importers.onnx.operator import OnnxNode
from archspec.importers.onnx.sizes import extent
from archspec.importers.onnx.values import KnownTensor, OnnxTensor

PLAIN: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "QLinearConv": ("Conv", (0, 3, 8)),
    "ConvInteger": ("Conv", (0, 1)),
    "QLinearMatMul": ("MatMul", (0, 3)),
    "MatMulInteger": ("MatMul", (0, 1)),
    "QGemm": ("Gemm", (0, 3, 6)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
}
"""Quantized operators → the operator of real numbers, and which inputs are its own."""

WITH_BIAS: Mapping[str, int] = {"DynamicQuantizeMatMul": 4, "MatMulIntegerToFloat": 6}
"""Products that take real numbers or give them → the input that is their bias."""


def applied(
    op: OnnxNode, kind: str, values: Sequence[OnnxTensor | None], **more: Any
) -> OnnxTensor:
    """Return what another operator makes of some tensors, with the attributes of this one.

    Args:
        op: the operator in whose place it stands.
        kind: the other.
        values: what enters it.
        more: its other attributes.

    Raises:
        SpecError: it makes nothing.
    """
    from onnx.helper import make_node

    placed = list(zip(op.node.input, op.inputs, strict=True))
    names = [next((n for n, v in placed if v is value), "") for value in values]
    node = make_node(kind, names, op.node.output[:1], op.node.name, **more)
    node.attribute.extend(each for each in op.node.attribute if each.name not in more)
    node.metadata_props.extend(op.node.metadata_props)
    made = OPERATORS[kind](OnnxNode(node, values, op.opset, op.calls, op.modules, op.uses))[0]
    if made is None:
        raise SpecError(f"{kind} makes nothing")
    return made


def as_real(value: OnnxTensor | None) -> OnnxTensor | None:
    """Return a tensor of small integers as the real numbers that they stand for."""
    return None if value is None else value._replace(real=True)


@operator(*PLAIN)
def _plain(op: OnnxNode) -> list[OnnxTensor]:
    kind, places = PLAIN[op.kind]
    op.inputs = [as_real(value) for value in op.inputs]
    return [applied(op, kind, [op.inputs[i] for i in places if op.has(i)])]


@operator("QLinearConcat")
def _concat(op: OnnxNode) -> list[OnnxTensor]:
    return [applied(op, "Concat", [as_real(value) for value in op.inputs[2::3]])]


@operator(*WITH_BIAS)
def _product(op: OnnxNode) -> list[OnnxTensor]:
    place = WITH_BIAS[op.kind]
    op.inputs = [as_real(value) for value in op.inputs]
    made = applied(op, "MatMul", op.inputs[:2])
    return [applied(op, "Add", [made, op.value(place)]) if op.has(place) else made]


@operator("QuantizeLinear", "DequantizeLinear")
def _other_numbers(op: OnnxNode) -> list[OnnxTensor | None]:
    return [as_real(op.value(0)._replace(known=None))]


@operator("DynamicQuantizeLinear")
def _measured(op: OnnxNode) -> list[OnnxTensor]:
    """The scale and the zero point are found from the data; here they are any number."""
    one = OnnxTensor((), known=KnownTensor((), (extent(1),), real=True))
    return [op.value(0), one, one]


@operator("MatMulNBits")
def _few_bits(op: OnnxNode) -> list[OnnxTensor]:
    """A linear layer whose weights lie in blocks of a few bits each."""
    features = op.attribute("N")
    if op.shape()[-1].field not in (None, op.attribute("K")):
        raise SpecError(f"K is {op.attribute('K')}, but {op.shape()[-1]} features enter")
    shape = (*op.shape()[:-1], extent(features))
    bias = op.inputs[5] if op.has(5) else None
    return [linear(op, op.value(0), op.value(1), shape, bias)]


def block_weights(node: Any) -> int:
    """Return the weights of a linear layer that lie in blocks of a few bits; 0 of another node."""
    sizes = {a.name: a.i for a in node.attribute}
    return sizes["N"] * sizes["K"] if node.op_type == "MatMulNBits" else 0

"""ONNX's own schemas: an operator's definition by others, and the shapes it makes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.importers.onnx.sizes import Extent, extent
from archspec.importers.onnx.values import OnnxTensor, Shape

if TYPE_CHECKING:
    from onnx import FunctionProto, NodeProto, TensorProto, TypeProto
    from onnx.defs import OpSchema


class Definition(NamedTuple):
    """The body of an operator that ONNX defines by other operators.

    Attributes:
        nodes: the operators, in order.
        opset: their version.
    """

    nodes: list["NodeProto"]
    opset: int


def _schema(node: "NodeProto", opset: int) -> "OpSchema | None":
    from onnx import defs

    try:
        return defs.get_schema(node.op_type, opset, node.domain)
    except defs.SchemaError:
        return None


def _type(value: OnnxTensor, dims: list[Extent] | None = None) -> "TypeProto":
    """The type of a tensor; a size that is no number is named by its place among ``dims``."""
    from onnx import TensorProto, helper

    shape: list[int | str] | None = None
    if value.shape is not None:
        shape = []
        for size in value.shape:
            if size.field is None and dims is not None:
                dims.append(size)
            shape.append(f"d{len(dims or ())}" if size.field is None else size.field)
    kind = TensorProto.FLOAT if value.real else TensorProto.INT64
    return helper.make_tensor_type_proto(kind, shape)


def definition(
    node: "NodeProto", inputs: Sequence[OnnxTensor | None], opset: int
) -> Definition | None:
    """Return the operators by which ONNX defines one; None where it does not."""
    from onnx import FunctionProto

    schema = _schema(node, opset)
    if schema is None:
        return None
    if schema.has_function:
        body: FunctionProto = schema.function_body
    elif schema.has_context_dependent_function:
        types = [b"" if v is None else _type(v).SerializeToString() for v in inputs]
        text = schema.get_context_dependent_function(node.SerializeToString(), types)
        body = FunctionProto.FromString(text)
    else:
        return None
    own = next((o.version for o in body.opset_import if o.domain in ("", "ai.onnx")), opset)
    return Definition([*_nodes(node, body, schema)], own)


def _nodes(node: "NodeProto", body: "FunctionProto", schema: "OpSchema") -> Iterator["NodeProto"]:
    """Yield the nodes of a body, with the tensors and attributes of the node that it stands for."""
    from onnx import NodeProto

    names = {"": ""} | dict.fromkeys(body.input, "") | dict.fromkeys(body.output, "")
    names |= dict(zip(body.input, node.input, strict=False))
    names |= {formal: name for formal, name in zip(body.output, node.output, strict=False) if name}
    given = {a.name: a.default_value for a in schema.attributes.values() if a.default_value.type}
    given |= {a.name: a for a in node.attribute}
    prefix = f"{node.name}/{node.op_type}/{next(filter(None, node.output), '')}"
    for each in body.node:
        copied = NodeProto()
        copied.CopyFrom(each)
        copied.name = node.name
        copied.metadata_props.extend(node.metadata_props)
        copied.input[:] = [names.get(name) or (name and f"{prefix}/{name}") for name in each.input]
        outputs = [names.get(name) or (name and f"{prefix}/{name}") for name in each.output]
        copied.output[:] = outputs
        copied.ClearField("attribute")
        for attribute in each.attribute:
            value = given.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
            if value is not None:
                made = copied.attribute.add()
                made.CopyFrom(value)
                made.name = attribute.name
        yield copied


def shapes_of(
    node: "NodeProto", inputs: Sequence[OnnxTensor | None], opset: int
) -> Mapping[str, Shape]:
    """Return the shapes that an operator makes, as far as ONNX's inference knows them."""
    from onnx import checker, helper, shape_inference

    schema, dims = _schema(node, opset), list[Extent]()
    given = {n: v for n, v in zip(node.input, inputs, strict=True) if v is not None}
    if schema is None or {*node.input} - {"", *given}:
        return {}
    types = {name: _type(value, dims) for name, value in given.items()}
    data = {name: tensor for name, v in given.items() if (tensor := _numbers(name, v)) is not None}
    opsets = [helper.make_opsetid(node.domain, opset)]
    try:
        made = shape_inference.infer_node_outputs(schema, node, types, data, None, opsets)
    except (checker.ValidationError, shape_inference.InferenceError, RuntimeError, ValueError):
        return {}
    return {
        name: shape
        for name, kind in made.items()
        if (shape := stated_shape(kind, {f"d{i}": size for i, size in enumerate(dims, 1)}))
        is not None
    }


def _numbers(name: str, value: OnnxTensor) -> "TensorProto | None":
    """A tensor of integers that are known."""
    from onnx import TensorProto, helper

    known = value.read()
    if known is None or known.real or known.numbers is None:
        return None
    return helper.make_tensor(name, TensorProto.INT64, known.shape, known.numbers)


def stated_shape(kind: "TypeProto", symbols: Mapping[str, Extent]) -> Shape | None:
    """Return the shape of a tensor's type; None where a size is no number and no symbol.

    Args:
        kind: the type.
        symbols: what each name of a size stands for.
    """
    if not kind.tensor_type.HasField("shape"):
        return None
    sizes = [
        extent(dim.dim_value) if dim.HasField("dim_value") else symbols.get(dim.dim_param)
        for dim in kind.tensor_type.shape.dim
    ]
    return None if None in sizes else tuple(size for size in sizes if size is not None)

"""Counts of an ONNX file itself: the elements that it learns, and the shapes that leave it."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING

from archspec.importers.calls import Size, SourceNetwork
from archspec.importers.onnx.layers import is_filled_in
from archspec.importers.onnx.modules import weight_name
from archspec.importers.onnx.quantized import block_weights
from archspec.importers.onnx.values import REAL_TYPES
from archspec.importers.source import SourceCounts

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

WEIGHTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "BatchNormalization"), (1, 2)),
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization", "GroupNormalization"), (1, 2)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3)),
    **dict.fromkeys(("PRelu", "RMSNormalization"), (1,)),
    "MatMul": (0, 1),
    "Gather": (0,),
}
"""Operators → the inputs that are weights however small they are, and if a node holds them, too."""

INTEGERS: Mapping[str, tuple[int, ...]] = {
    "DequantizeLinear": (0,),
    "QLinearConv": (3, 8),
    "ConvInteger": (1,),
    "QGemm": (3, 6),
    **dict.fromkeys(("QLinearMatMul", "QLinearAdd", "QLinearMul"), (0, 3)),
    **dict.fromkeys(("MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"), (0, 1)),
}
"""Quantized operators → the inputs that are weights, though these are integers."""

NO_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (3, 4),
    "Upsample": (1,),
    "Resize": (1, 2),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), (1, 2)),
    **dict.fromkeys(
        ("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul"), (1, 2, 4, 5, 6, 7)
    ),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "MatMulNBits": (1, 2, 3, 4),
    "RotaryEmbedding": (1, 2, 3),
    "GroupQueryAttention": (7, 8),
    **dict.fromkeys(("ScatterND", "ScatterElements", "Trilu", "CumSum"), (0, 1, 2)),
}
"""Operators → the inputs that are state or scales, and no weights."""

WITHOUT_BIAS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators behind which an Add of a stored tensor is a bias."""

VIEWS = (
    *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Cast"),
    *("QuantizeLinear", "DequantizeLinear"),
)
"""Operators whose result has the elements of their first input."""


def constant_of(node: "NodeProto") -> "TensorProto | None":
    """Return the tensor that a Constant holds; None of any other node."""
    found = (a.t for a in node.attribute if a.name == "value" and node.op_type == "Constant")
    return next(found, None)


def has_initializers(graph: "GraphProto") -> bool:
    """Return whether a graph stores what it learns as initializers, not in Constant nodes."""
    return any(tensor.data_type in REAL_TYPES for tensor in graph.initializer)


def bodies(graph: "GraphProto") -> Iterator["GraphProto"]:
    """Yield a graph, and those of the loops in it.

    Args:
        graph: the graph.
    """
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "body":
                yield from bodies(attribute.g)


class _Stored:
    """The stored tensors of a graph, and those that are views of them."""

    def __init__(self, graph: "GraphProto") -> None:
        inner = [*bodies(graph)]
        nodes = [node for each in inner for node in each.node]
        tensors = [tensor for each in inner for tensor in each.initializer]
        places = ((n, i) for n in nodes for i in INTEGERS.get(n.op_type, ()))
        small = {n.input[i] for n, i in places if i < len(n.input)}
        stored = [t for t in tensors if t.data_type in REAL_TYPES or t.name in small]
        self.extents = {tensor.name: tuple(tensor.dims) for tensor in stored}
        self.held = {name for name in self.extents if self.size(name) > 1}
        self.roots = {name: name for name in self.extents}
        self.makers: dict[str, str] = {}
        learns_constants = not has_initializers(graph)
        for node in nodes:
            tensor = constant_of(node)
            if tensor is not None and tensor.data_type in REAL_TYPES:
                self._add(node.output[0], tuple(tensor.dims), learned=learns_constants)
            elif node.op_type in ("Identity", *VIEWS) and node.input[0] in self.roots:
                self._view(node)
            self.makers |= dict.fromkeys(node.output, node.op_type)

    def size(self, name: str) -> int:
        """Return the number of elements of a stored tensor."""
        return prod(self.extents[name])

    def _add(self, name: str, extents: tuple[int, ...], *, learned: bool) -> None:
        self.extents[name], self.roots[name] = extents, name
        if learned and self.size(name) > 1:
            self.held.add(name)

    def _view(self, node: "NodeProto") -> None:
        root = self.roots[node.input[0]]
        if node.op_type == "Identity":
            self._add(node.output[0], self.extents[root], learned=root in self.held)
        else:
            self.roots[node.output[0]] = root

    def weights(self, node: "NodeProto") -> Iterator[str]:
        """Yield the tensors that are weights because of where a node has them."""
        places = WEIGHTS.get(node.op_type) or INTEGERS.get(node.op_type, ())
        if node.op_type == "Add" and any(self.makers.get(i) in WITHOUT_BIAS for i in node.input):
            places = (0, 1)
        yield from self.at(node, places)

    def at(self, node: "NodeProto", places: tuple[int, ...]) -> Iterator[str]:
        """Yield the stored tensors at some places of a node."""
        names = (node.input[place] for place in places if place < len(node.input))
        yield from (self.roots[name] for name in names if name in self.roots)


def parameters(model: "ModelProto") -> int:
    """Return the elements of all learned tensors of a model, each tensor once.

    These are the initializers of floating-point types that something uses, of more than one
    element, and those that stand where an operator has its weight; not the means and variances of
    batch norms. Torch's exporters store equal values once: what an Identity makes of one is a
    tensor of its own, and so is a vector in each module that takes it. Where a file has no
    initializers, its Constant nodes are these.
    """
    stored = _Stored(model.graph)
    nodes = [node for graph in bodies(model.graph) for node in graph.node]
    held = stored.held | {name for node in nodes for name in stored.weights(node)}
    state = {name for n in nodes for name in stored.at(n, NO_WEIGHTS.get(n.op_type, ()))}
    norms = (node for node in nodes if node.op_type == "InstanceNormalization")
    state |= {name for node in norms for name in node.input[1:] if is_filled_in(name)}
    users = [node for node in nodes if node.op_type not in ("Identity", *VIEWS)]
    taken = ((node, stored.roots[i]) for node in users for i in node.input if i in stored.roots)
    counted = {
        weight_name(node, name, stored.extents[name]): stored.size(name)
        for node, name in taken
        if name in held - state
    }
    counted |= {node.input[1]: size for node in nodes if (size := block_weights(node))}
    return sum(counted.values())


def measure(model: "ModelProto", network: SourceNetwork, values: Mapping[str, int]) -> SourceCounts:
    """Return what a file says of itself: its learned elements, and the shapes that leave it.

    Args:
        model: the model.
        network: what was made of it.
        values: symbol → value.
    """
    return SourceCounts(parameters(model), None, _output_shapes(model, network, values))


def _output_shapes(
    model: "ModelProto", network: SourceNetwork, values: Mapping[str, int]
) -> tuple[tuple[int, ...], ...] | None:
    """The shapes of the outputs, by ONNX's own inference at these sizes; None where it fails."""
    from onnx import ModelProto, shape_inference

    copied = ModelProto()
    copied.CopyFrom(model)
    stored = {tensor.name for tensor in copied.graph.initializer}
    entering = [i for i in copied.graph.input if i.name not in stored]
    for value, sizes in zip(entering, network.inputs.values(), strict=True):
        value.type.tensor_type.ClearField("shape")
        for size in sizes:
            dim = value.type.tensor_type.shape.dim.add()
            dim.dim_value = values[size.text] if isinstance(size, Size) else size
    del copied.graph.value_info[:]
    for value in copied.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(copied, data_prop=True)
    types = [value.type.tensor_type for value in inferred.graph.output]
    if not all(t.HasField("shape") for t in types):
        return None
    if not all(dim.HasField("dim_value") for t in types for dim in t.shape.dim):
        return None
    return tuple(tuple(dim.dim_value for dim in t.shape.dim) for t in types)

"""Graphs in the styles of the tools that write ONNX files, made with onnx.helper."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

numpy = pytest.importorskip("numpy")


class Graph(NamedTuple):
    """A model, and what is known of it by hand.

    Attributes:
        model: the model.
        params: its learned elements.
        kinds: how often some kinds stand in its network.
        sizes: symbols at which it can be run.
    """

    model: Any
    params: int
    kinds: Mapping[str, int]
    sizes: Mapping[str, int] = {}


class Builder:
    """Collects nodes and initializers."""

    def __init__(self, opset: int) -> None:
        self.opset, self.nodes, self.stored = opset, [], []  # type: ignore[var-annotated]

    def weight(self, name: str, *shape: int) -> str:
        array = numpy.ones(shape, dtype="float32")
        self.stored.append(numpy_helper.from_array(array, name))
        return name

    def ints(self, name: str, values: Any) -> str:
        self.stored.append(numpy_helper.from_array(numpy.array(values, dtype="int64"), name))
        return name

    def scalar(self, name: str, value: float) -> str:
        self.stored.append(numpy_helper.from_array(numpy.array(value, dtype="float32"), name))
        return name

    def add(self, kind: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> Any:
        names = ["" if i == "-" else i for i in inputs.split()]
        node = helper.make_node(kind, names, outputs.split(), name or f"{kind}_node", **attributes)
        self.nodes.append(node)
        return node

    def model(self, inputs: Mapping[str, list[Any]], *outputs: str, ids: str = "") -> Any:
        kinds = {name: TensorProto.INT64 if name == ids else TensorProto.FLOAT for name in inputs}
        entering = [helper.make_tensor_value_info(n, kinds[n], s) for n, s in inputs.items()]
        leaving = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        graph = helper.make_graph(self.nodes, "net", entering, leaving, self.stored)
        opset = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8)


def tf2onnx() -> Graph:
    """NHWC with transposes around every convolution, norms folded into their biases."""
    b = Builder(13)
    b.weight("w", 8, 3, 3, 3), b.weight("bias", 8), b.weight("d", 8, 1, 3, 3), b.weight("e", 8)
    b.add("Transpose", "x", "a", perm=[0, 3, 1, 2])
    b.add("Conv", "a w bias", "c", strides=[2, 2], auto_pad="SAME_UPPER")
    b.add("Transpose", "c", "t", perm=[0, 2, 3, 1])
    b.add("Transpose", "t", "u", perm=[0, 3, 1, 2])
    b.add("Conv", "u d e", "v", group=8, pads=[0, 0, 2, 2])
    b.add("Transpose", "v", "r0", perm=[0, 2, 3, 1])
    b.add("Relu", "r0", "r")
    b.add("Transpose", "r", "q", perm=[0, 3, 1, 2])
    b.add("MaxPool", "q", "p0", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    b.add("Transpose", "p0", "p", perm=[0, 2, 3, 1])
    b.add("ReduceMean", "p", "m", axes=[1, 2], keepdims=0)
    b.weight("k", 8, 5), b.weight("l", 5)
    b.add("MatMul", "m k", "y0")
    b.add("Add", "y0 l", "y1")
    b.add("Softmax", "y1", "y", axis=-1)
    params = 8 * 27 + 8 + 72 + 8 + 45
    kinds = {"conv2d": 2, "permute": 4, "linear": 1, "add": 0, "mean": 1}
    return Graph(b.model({"x": ["unk__1", "h", "w", 3]}, "y"), params, kinds, {"h": 21, "w": 30})


def keras() -> Graph:
    """Norms of its own, a constant shape, hard activations."""
    b = Builder(15)
    b.weight("w", 4, 1, 3, 3), b.weight("bias", 4)
    for name in ("scale", "shift", "mean", "var"):
        b.weight(name, 4)
    b.add("Conv", "x w bias", "c", pads=[1, 1, 1, 1])
    b.add("BatchNormalization", "c scale shift mean var", "n", epsilon=1e-3)
    b.add("HardSigmoid", "n", "a", alpha=0.2)
    b.add("AveragePool", "a", "p", kernel_shape=[2, 2], strides=[2, 2])
    b.ints("target", [-1, 196 * 4])
    b.add("Reshape", "p target", "f")
    b.weight("k", 784, 10), b.weight("l", 10)
    b.add("Gemm", "f k l", "g")
    b.add("Softmax", "g", "y")
    params = 36 + 4 + 8 + 7850
    return Graph(b.model({"x": ["N", 1, 28, 28]}, "y"), params, {"batchnorm": 1, "flatten": 1})


def model_zoo_7() -> Graph:
    """Opset 7, initializers among the inputs, a shape that copies the batch."""
    b = Builder(7)
    b.weight("w", 16, 3, 3, 3)
    for name in ("scale", "shift", "mean", "var"):
        b.weight(name, 16)
    b.add("Conv", "x w", "c", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    b.add("BatchNormalization", "c scale shift mean var", "n")
    b.add("Relu", "n", "r")
    b.add("MaxPool", "r", "p", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    b.add("Sum", "p p", "s")
    b.add("LRN", "s", "q", size=5)
    b.add("GlobalAveragePool", "q", "g")
    b.ints("target", [0, -1])
    b.add("Reshape", "g target", "f")
    b.weight("k", 10, 16), b.weight("l", 10)
    b.add("Gemm", "f k l", "z", transB=1)
    b.add("Dropout", "z", "y")
    model = b.model({"x": [1, 3, "height", "width"]}, "y")
    for tensor in model.graph.initializer:
        info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(info)
    return Graph(model, 432 + 32 + 170, {"conv2d": 1, "pad": 1, "linear": 1}, {"height": 65})


def opset_9() -> Graph:
    """Axes, pads and ranges as attributes."""
    b = Builder(9)
    b.weight("w", 6, 4, 3, 3)
    b.stored.append(numpy_helper.from_array(numpy.array([1, 1, 2, 2], "float32"), "scales"))
    b.add("Upsample", "x scales", "u", mode="nearest")
    b.add("Pad", "u", "p", pads=[0, 0, 1, 2, 0, 0, 3, 4])
    b.add("Conv", "p w", "c", dilations=[2, 2])
    b.add("Slice", "c", "s", axes=[2, 3], starts=[1, 0], ends=[-1, 2147483647])
    b.add("Clip", "s", "k", min=0.0, max=6.0)
    b.add("Unsqueeze", "k", "q", axes=[0, 3])
    b.add("Squeeze", "q", "v", axes=[0, 3])
    b.add("Softmax", "v", "y")
    kinds = {"upsample": 1, "pad": 1, "slice": 1, "relu6": 1, "unsqueeze": 0, "squeeze": 0}
    kinds |= {"flatten": 1, "reshape": 1}
    return Graph(b.model({"x": ["n", 4, "h", "w"]}, "y"), 216, kinds, {"h": 9, "w": 12})


def opset_11() -> Graph:
    """A size that is worked out of the input's, bounds as inputs, a concatenation."""
    b = Builder(11)
    b.weight("w", 8, 3, 3, 3), b.weight("v", 8, 8, 2, 2), b.scalar("low", 0.0)
    b.add("Conv", "x w", "c", strides=[4, 4], pads=[1, 1, 1, 1])
    b.add("Clip", "c low -", "r")
    b.add("Shape", "x", "s")
    b.ints("two", [2]), b.ints("four", [4]), b.ints("zero", [0])
    b.add("Slice", "s two four zero", "hw")
    b.add("Shape", "r", "s2")
    b.add("Slice", "s2 zero two zero", "nc")
    b.add("Concat", "nc hw", "sizes", axis=0)
    b.weight("roi", 0)
    b.add("Resize", "r roi roi sizes", "u", mode="nearest")
    b.add("Concat", "x u", "k", axis=1)
    b.add("ReduceMax", "k", "m", axes=[2, 3], keepdims=1)
    b.add("Mul", "k m", "y")
    kinds = {"upsample": 1, "concat": 1, "amax": 1, "relu": 1, "constant": 0}
    return Graph(b.model({"x": ["n", 3, "h", "w"]}, "y"), 216, kinds, {"h": 22, "w": 35})


def computed_reshape() -> Graph:
    """Windows whose number is worked out by Div, Mul and Cast, as in shifted windows."""
    b = Builder(17)
    b.ints("i0", 0), b.ints("i2", 2), b.ints("i3", 3), b.ints("seven", 7), b.ints("axes", [0])
    b.ints("c", [4]), b.ints("s", [7]), b.ints("rest", [-1])
    b.add("Shape", "x", "shape")
    for place, name in (("i0", "n"), ("i2", "h"), ("i3", "w")):
        b.add("Gather", f"shape {place}", name, axis=0)
    for name in ("h", "w"):
        b.add("Div", f"{name} seven", f"{name}7")
    for name in ("n", "h7", "w7"):
        b.add("Unsqueeze", f"{name} axes", f"{name}_1")
    b.add("Concat", "n_1 c h7_1 s w7_1 s", "wide", axis=0)
    b.add("Reshape", "x wide", "r")
    b.add("Transpose", "r", "t", perm=[0, 2, 4, 3, 5, 1])
    b.add("Mul", "h7 w7", "count")
    b.add("Mul", "count n", "windows")
    b.add("Cast", "windows", "f", to=1)
    b.add("Floor", "f", "g")
    b.add("Cast", "g", "k", to=7)
    b.add("Unsqueeze", "k axes", "k_1")
    b.add("Concat", "k_1 rest c", "flat", axis=0)
    b.add("Reshape", "t flat", "y")
    return Graph(b.model({"x": ["n", 4, "h", "w"]}, "y"), 0, {"reshape": 2}, {"h": 14, "w": 21})


def transposed() -> Graph:
    """Transposed convolutions with pads that differ, and with the output's shape given."""
    b = Builder(11)
    b.weight("w", 4, 3, 4, 4), b.weight("v", 3, 2, 3, 3), b.weight("bias", 4)
    b.add("ConvTranspose", "x w", "a", strides=[2, 2], pads=[1, 0, 2, 1], output_padding=[1, 1])
    b.add("ConvTranspose", "a v bias", "c", group=1, strides=[2, 2], auto_pad="SAME_UPPER").input[
        2
    ] = ""
    b.nodes[-1].input.pop()
    b.add("PRelu", "c slopes", "y")
    b.weight("slopes", 2, 1, 1)
    params = 4 * 3 * 16 + 3 * 2 * 9 + 2
    kinds = {"conv_transpose2d": 2, "prelu": 1}
    return Graph(b.model({"x": ["n", 4, "h", 7]}, "y"), params, kinds, {"h": 5})


def transformer() -> Graph:
    """Embeddings, a norm and a GELU that are spelled out, heads by reshape and transpose."""
    b = Builder(13)
    b.weight("table", 50, 16), b.weight("wq", 16, 48), b.weight("bq", 48), b.weight("wo", 16, 16)
    b.weight("g", 16), b.weight("b", 16), b.weight("up", 16, 32), b.weight("down", 32, 16)
    b.scalar("eps", 1e-5), b.scalar("two", 2.0), b.scalar("root", 1.41421356), b.scalar("one", 1.0)
    b.scalar("half", 0.5), b.ints("heads", [0, 0, 4, 4]), b.ints("merged", [0, 0, 16])
    b.ints("thirds", [16, 16, 16])
    b.add("Gather", "table ids", "e")
    b.add("ReduceMean", "e", "mean", axes=[-1])
    b.add("Sub", "e mean", "d")
    b.add("Pow", "d two", "sq")
    b.add("ReduceMean", "sq", "var", axes=[-1])
    b.add("Add", "var eps", "v")
    b.add("Sqrt", "v", "std")
    b.add("Div", "d std", "nrm")
    b.add("Mul", "nrm g", "scaled")
    b.add("Add", "scaled b", "ln")
    b.add("MatMul", "ln wq", "qkv0")
    b.add("Add", "bq qkv0", "qkv")
    b.add("Split", "qkv thirds", "q k v_", axis=2)
    for name, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v_", [0, 2, 1, 3])):
        b.add("Reshape", f"{name} heads", f"{name}h")
        b.add("Transpose", f"{name}h", f"{name}t", perm=perm)
    b.add("MatMul", "qt kt", "scores")
    b.add("Softmax", "scores", "p", axis=-1)
    b.add("MatMul", "p v_t", "o")
    b.add("Transpose", "o", "ot", perm=[0, 2, 1, 3])
    b.add("Reshape", "ot merged", "om")
    b.add("MatMul", "om wo", "proj")
    b.add("Add", "e proj", "res")
    b.add("MatMul", "res up", "u")
    b.add("Div", "u root", "u1")
    b.add("Erf", "u1", "u2")
    b.add("Add", "u2 one", "u3")
    b.add("Mul", "u u3", "u4")
    b.add("Mul", "u4 half", "act")
    b.add("MatMul", "act down", "y")
    params = 800 + 16 * 48 + 48 + 256 + 32 + 512 + 512
    kinds = {"layernorm": 1, "gelu": 1, "linear": 4, "embedding": 1}
    kinds |= {"scaled_dot_product_attention": 1, "softmax": 0, "parameter": 0, "constant": 0}
    return Graph(b.model({"ids": ["batch size", "1seq"]}, "y", ids="ids"), params, kinds)


def recurrent() -> Graph:
    """A bidirectional LSTM whose first states are zeros of a computed shape."""
    b = Builder(14)
    b.weight("w", 2, 20, 6), b.weight("r", 2, 20, 5), b.weight("b", 2, 40)
    b.ints("one", 1), b.ints("dirs", [2]), b.ints("five", [5]), b.ints("axes", [0])
    b.add("Shape", "x", "s")
    b.add("Gather", "s one", "n")
    b.add("Unsqueeze", "n axes", "n1")
    b.add("Concat", "dirs n1 five", "target", axis=0)
    b.add("ConstantOfShape", "target", "zeros")
    b.add("LSTM", "x w r b - zeros zeros", "o", hidden_size=5, direction="bidirectional")
    b.add("Transpose", "o", "t", perm=[0, 2, 1, 3])
    b.ints("merged", [0, 0, -1])
    b.add("Reshape", "t merged", "y")
    params = 2 * (120 + 100 + 40)
    return Graph(b.model({"x": ["t", "n", 6]}, "y"), params, {"lstm": 1, "permute": 0})


def states() -> Graph:
    """An LSTM that begins with the states in which another ends; a GRU's last state leaves."""
    b = Builder(14)
    for name, gates, features in (("1", 20, 6), ("2", 20, 5), ("3", 12, 5)):
        b.weight(f"w{name}", 1, gates, features), b.weight(f"r{name}", 1, gates, gates // 4 or 1)
    b.stored[-1].CopyFrom(numpy_helper.from_array(numpy.ones((1, 12, 4), "float32"), "r3"))
    b.add("LSTM", "x w1 r1 - - - -", "a h c", hidden_size=5)
    b.ints("one", [1])
    b.add("Squeeze", "a one", "a1")
    b.add("LSTM", "a1 w2 r2 - - h c", "o", hidden_size=5)
    b.add("Squeeze", "o one", "o1")
    b.add("GRU", "o1 w3 r3", "- y", hidden_size=4)
    params = 120 + 100 + 100 + 100 + 60 + 48
    return Graph(b.model({"x": ["t", "n", 6]}, "y"), params, {"lstm": 2, "gru": 1})


def rearranged() -> Graph:
    """Pixels and channels, an equation, norms of groups and instances."""
    b = Builder(21)
    b.weight("s", 16), b.weight("b", 16), b.weight("s4", 4), b.weight("b4", 4)
    b.add("SpaceToDepth", "x", "a", blocksize=2)
    b.add("GroupNormalization", "a s b", "g", num_groups=4)
    b.add("DepthToSpace", "g", "d", blocksize=2, mode="CRD")
    b.add("InstanceNormalization", "d s4 b4", "i")
    b.add("Einsum", "i x", "y", equation="nchw,nchv->nwv")
    kinds = {"pixel_shuffle": 1, "pixel_unshuffle": 1, "groupnorm": 1, "einsum": 1}
    return Graph(b.model({"x": ["n", 4, "h", "w"]}, "y"), 40, kinds, {"h": 8, "w": 6})


def other_axes() -> Graph:
    """Convolutions over one and three axes."""
    b = Builder(18)
    b.weight("w", 6, 2, 5), b.weight("v", 4, 1, 3, 3, 3), b.ints("shape", [0, 1, 6, 4, -1])
    b.add("Conv", "x w", "c", group=2, pads=[4, 0])
    b.add("Reshape", "c shape", "r")
    b.add("Conv", "r v", "k", pads=[1, 1, 1, 1, 1, 1], strides=[2, 1, 2])
    b.ints("axes", [2, 3, 4])
    b.add("ReduceMean", "k axes", "y", keepdims=0)
    return Graph(
        b.model({"x": ["n", 4, "t"]}, "y"), 60 + 108, {"conv1d": 1, "conv3d": 1}, {"t": 16}
    )


def decided() -> Graph:
    """A branch that constants decide, a shift that is placed by an axis, shared equal values."""
    b = Builder(12)
    b.weight("w", 8, 3, 1, 1), b.weight("bias", 8), b.ints("three", 4)
    inner = Builder(12)
    inner.add("Squeeze", "c", "then_out", axes=[2])
    other = Builder(12)
    other.add("Relu", "c", "else_out")
    branches = []
    for each, out in ((inner, "then_out"), (other, "else_out")):
        value = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
        branches.append(helper.make_graph(each.nodes, out, [], [value]))
    b.add("Identity", "bias", "bias2")
    b.add("Conv", "x w bias2", "c")
    b.add("Shape", "x", "s")
    b.add("Size", "s", "rank")
    b.add("Equal", "rank three", "isfour")
    b.add("Not", "isfour", "cond")
    b.add("If", "cond", "y", then_branch=branches[0], else_branch=branches[1])
    return Graph(b.model({"x": [2, 3, 4, 4]}, "y"), 32, {"relu": 1, "squeeze": 0})


def torch_dynamo() -> Graph:
    """Modules in metadata, equal biases stored once, a mask that is put together by scattering."""
    b = Builder(20)
    b.weight("val_0", 8, 16), b.weight("val_3", 16, 8), b.weight("val_5", 8, 8)
    b.weight("up.bias", 16), b.weight("down.bias", 8), b.weight("zeros", 4, 8)
    b.ints("places", [[[0, 0], [1, 1]]]), b.weight("values", 1, 2)
    nodes = {
        "up": [b.add("MatMul", "x val_0", "a0"), b.add("Add", "a0 up.bias", "a")],
        "down": [b.add("MatMul", "a val_3", "c0"), b.add("Add", "c0 down.bias", "c")],
        "head": [b.add("MatMul", "c val_5", "d0"), b.add("Add", "d0 down.bias", "d")],
    }
    b.add("ScatterND", "zeros places values", "mask")
    b.add("Mul", "d mask", "y")
    for path, made in nodes.items():
        notes = {"name_scopes": ["", path, "linear"], "class_hierarchy": ["Net", "Linear", "aten"]}
        for node in made:
            for key, value in notes.items():
                entry = node.metadata_props.add()
                entry.key, entry.value = f"pkg.torch.onnx.{key}", repr(value)
    model = b.model({"x": ["s77", 4, 8]}, "y")
    return Graph(model, 8 * 16 + 16 + 16 * 8 + 8 + 64 + 8, {"linear": 3, "add": 0})


GRAPHS: Mapping[str, Callable[[], Graph]] = {
    each.__name__: each
    for each in (
        *(tf2onnx, keras, model_zoo_7, opset_9, opset_11, computed_reshape, transposed),
        *(transformer, recurrent, states, rearranged, other_axes, decided),
        torch_dynamo,
    )
}
"""Name → how it is made."""

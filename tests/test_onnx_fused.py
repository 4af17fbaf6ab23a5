"""ONNX operators that are several layers at once, quantized ones and loops: counted by hand."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

onnx = pytest.importorskip("onnx")
numpy = pytest.importorskip("numpy")

from onnx import TensorProto, helper, numpy_helper

from archspec.errors import SpecError
from archspec.importers.folding.writing import write
from archspec.importers.onnx.counts import measure
from archspec.importers.onnx.source import network_of
from archspec.importers.source import Options
from costmodel import analyze
from tests.commands import run_here
from tests.flat import flat_spec
from tests.onnx_graphs import Builder


class Expected(NamedTuple):
    """A graph and its counts at n = 3 and t = 7."""

    model: Any
    params: int
    macs: int
    outputs: list[tuple[int, ...]]
    kinds: Mapping[str, int] = {}


class Draft(Builder):
    """A builder of graphs with operators of ONNX Runtime and weights of small integers."""

    def own(self, kind: str, inputs: str, outputs: str, **attributes: Any) -> None:
        self.add(kind, inputs, outputs, **attributes).domain = "com.microsoft"

    def small(self, name: str, *shape: int, kind: str = "int8") -> str:
        self.stored.append(numpy_helper.from_array(numpy.ones(shape, kind), name))
        return name

    def model(self, inputs: Mapping[str, list[Any]], *outputs: str, ids: str = "") -> Any:
        made = super().model(inputs, *outputs, ids=ids)
        made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        return made


def bert() -> Expected:
    """A layer of BERT as ONNX Runtime's optimizer writes it, over 12 features with 3 heads."""
    b = Draft(17)
    b.weight("words", 50, 12), b.weight("places", 9, 12), b.weight("kinds", 2, 12)
    for name in ("g1", "b1", "g2", "b2", "g3", "b3", "down_b"):
        b.weight(name, 12)
    b.weight("qkv", 12, 36), b.weight("qkv_b", 36), b.weight("out", 12, 12), b.weight("out_b", 12)
    b.weight("up", 12, 48), b.weight("up_b", 48), b.weight("down", 48, 12)
    b.own("EmbedLayerNormalization", "ids sorts words places kinds g1 b1", "x -")
    b.own("Attention", "x qkv qkv_b", "a", num_heads=3)
    b.add("MatMul", "a out", "o")
    b.own("SkipLayerNormalization", "o x g2 b2 out_b", "h")
    b.add("MatMul", "h up", "u")
    b.own("BiasGelu", "u up_b", "v")
    b.add("MatMul", "v down", "w")
    b.own("SkipLayerNormalization", "w h g3 b3 down_b", "y")
    params = 12 * (50 + 9 + 2) + 7 * 12 + (12 * 36 + 36) + (144 + 12) + (576 + 48) + 576
    rows = 3 * 7
    macs = rows * (12 * 36 + 12 * 12 + 2 * 12 * 48) + 2 * rows * 7 * 12
    model = b.model({"ids": ["n", "t"], "sorts": ["n", "t"]}, "y", ids="ids")
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    kinds = {"embedding": 2, "layernorm": 3, "scaled_dot_product_attention": 1, "gelu": 1}
    return Expected(model, params, macs, [(3, 7, 12)], kinds)


def decoder() -> Expected:
    """A layer of a Llama as ONNX Runtime's builder writes it: weights of 4 bits."""
    b = Draft(17)
    b.weight("g0", 16), b.weight("g1", 16), b.weight("g2", 16)
    b.weight("cos", 32, 2), b.weight("sin", 32, 2)
    for name, n in (("qkv", 32), ("o", 16), ("up", 24), ("down", 16)):
        b.small(name, n, 1, 16, kind="uint8"), b.weight(f"{name}_s", n)
        b.stored[-1].dims[:] = [n]
    b.ints("zero", [6]), b.ints("total", [13])
    b.add("SimplifiedLayerNormalization", "x g0", "a", axis=-1)
    b.own("MatMulNBits", "a qkv qkv_s", "q", K=16, N=32, bits=4, block_size=32)
    heads = {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1}
    b.own("GroupQueryAttention", "q - - past_k past_v zero total cos sin", "s k v", **heads)
    b.own("MatMulNBits", "s o o_s", "p", K=16, N=16, bits=4, block_size=32)
    b.own("SkipSimplifiedLayerNormalization", "x p g1", "h - - r")
    b.own("MatMulNBits", "h up up_s", "u", K=16, N=24, bits=4, block_size=32)
    b.own("QuickGelu", "u", "w")
    b.own("MatMulNBits", "w down down_s", "d", K=24, N=16, bits=4, block_size=32)
    b.own("SkipSimplifiedLayerNormalization", "r d g2", "y")
    past = ["n", 2, "p", 4]
    inputs = {"x": ["n", "t", 16], "past_k": past, "past_v": past}
    params, rows, seen = 3 * 16 + 16 * (32 + 16 + 24) + 24 * 16, 3 * 7, 7 + 5
    macs = rows * (16 * (32 + 16 + 24) + 24 * 16) + 2 * rows * seen * 16
    left = [(3, 7, 16), (3, 2, seen, 4), (3, 2, seen, 4)]
    kinds = {"linear": 4, "rmsnorm": 3, "rotary_embedding": 2}
    return Expected(b.model(inputs, "y", "k", "v"), params, macs, left, kinds)


def heads_apart() -> Expected:
    """Attention of queries to other keys, with a bias of all three; one product turned."""
    b = Draft(17)
    b.weight("bias", 24), b.weight("w", 6, 8), b.weight("cos", 9, 2), b.weight("sin", 9, 2)
    b.own("RotaryEmbedding", "x at cos sin", "r")
    b.own("MultiHeadAttention", "r m m bias", "a", num_heads=2)
    b.own("FusedMatMul", "a w", "f", transB=1)
    b.own("FastGelu", "f", "y")
    b.ints("at", [[0]])
    model = b.model({"x": ["n", "t", 8], "m": ["n", 5, 8]}, "y")
    macs = 2 * 3 * 7 * 5 * 8 + 3 * 7 * 8 * 6
    return Expected(model, 24 + 48, macs, [(3, 7, 6)], {"linear": 1, "rotary_embedding": 1})


def quantized() -> Expected:
    """A convolution and a product of small integers, and scales that are no parameters."""
    b = Draft(17)
    b.small("w", 4, 3, 3, 3), b.small("bias", 4, kind="int32"), b.small("k", 4, 5, kind="uint8")
    b.weight("s", 4), b.scalar("one", 1.0), b.small("z", kind="uint8"), b.small("zs", 4)
    b.add("QuantizeLinear", "x one z", "q")
    b.add("QLinearConv", "q one z w s zs one z bias", "c", pads=[1, 1, 1, 1])
    b.own("QLinearGlobalAveragePool", "c one z one z", "p")
    b.add("Flatten", "p", "f")
    b.add("QLinearMatMul", "f one z k one z one z", "m")
    b.add("DequantizeLinear", "m one z", "y")
    macs = 3 * 49 * 27 * 4 + 3 * 20
    kinds = {"conv2d": 1, "linear": 1, "global_avgpool": 1}
    return Expected(b.model({"x": ["n", 3, "t", "t"]}, "y"), 108 + 4 + 20, macs, [(3, 5)], kinds)


def dequantized() -> Expected:
    """Weights that are made real again, a range that is measured, a root of a sum of powers."""
    b = Draft(18)
    b.small("w", 4, 3, 1, 1), b.weight("s", 4), b.small("zs", 4), b.small("bias", 4, kind="int32")
    b.scalar("one", 1.0), b.small("k", 4, 6)
    b.add("DequantizeLinear", "w s zs", "w_r", axis=0)
    b.add("DequantizeLinear", "bias s", "b_r", axis=0)
    b.add("Conv", "x w_r b_r", "c")
    b.add("LpPool", "c", "l", kernel_shape=[7, 7], p=3)
    b.add("Flatten", "l", "f")
    b.add("DynamicQuantizeLinear", "f", "q scale zero")
    b.add("MatMulInteger", "q k zero", "i")
    b.add("Cast", "i", "j", to=1)
    b.add("Mul", "j scale", "y")
    macs = 3 * 49 * 12 + 3 * 24
    kinds = {"conv2d": 1, "linear": 1, "avgpool2d": 1, "pow": 2}
    return Expected(b.model({"x": ["n", 3, 7, 7]}, "y"), 12 + 4 + 24, macs, [(3, 6)], kinds)


def loop() -> Expected:
    """Four iterations of one layer, and what each of them leaves."""
    b, inner = Draft(17), Draft(17)
    b.weight("w", 5, 5), b.ints("times", 4)
    inner.add("MatMul", "state w", "made")
    inner.add("Relu", "made", "next")
    inner.add("Identity", "goes", "goes_on")
    inner.add("ReduceMean", "next", "row", axes=[1], keepdims=0)
    names = (("i", TensorProto.INT64), ("goes", TensorProto.BOOL), ("state", 1))
    taken = [helper.make_tensor_value_info(n, kind, None) for n, kind in names]
    left = [helper.make_tensor_value_info(n, 1, None) for n in ("goes_on", "next", "row")]
    body = helper.make_graph(inner.nodes, "body", taken, left)
    b.add("Loop", "times - x", "y rows", body=body)
    shapes: list[tuple[int, ...]] = [(3, 5), (4, 3)]
    return Expected(b.model({"x": ["n", 5]}, "y", "rows"), 25, 4 * 3 * 25, shapes, {"linear": 4})


def scan() -> Expected:
    """A sum over 6 steps, each of which goes through the same layer."""
    b, inner = Draft(17), Draft(17)
    b.weight("w", 5, 5)
    inner.add("MatMul", "step w", "made")
    inner.add("Add", "sum made", "more")
    inner.add("Identity", "more", "kept")
    names = ("sum", "step"), ("more", "kept")
    taken, left = ([helper.make_tensor_value_info(n, 1, None) for n in each] for each in names)
    body = helper.make_graph(inner.nodes, "body", taken, left)
    b.add("Scan", "first x", "y rows", body=body, num_scan_inputs=1)
    inputs = {"first": ["n", 5], "x": [6, "n", 5]}
    return Expected(b.model(inputs, "y", "rows"), 25, 6 * 3 * 25, [(3, 5), (6, 3, 5)])


GRAPHS: Mapping[str, Callable[[], Expected]] = {
    each.__name__: each for each in (bert, decoder, heads_apart, quantized, dequantized, loop, scan)
}


@pytest.mark.parametrize("name", GRAPHS)
def test_counts_are_those_worked_out_by_hand(name: str) -> None:
    model, params, macs, outputs, kinds = GRAPHS[name]()
    network = network_of(model, "net.onnx", Options())
    counts = Counter(call.kind for call in network.calls)
    assert {kind: counts[kind] for kind in kinds} == kinds
    sizes = {name: {"n": 3, "t": 7, "p": 5}[name] for name in network.symbols}
    written = analyze(write(network)[0], settings=sizes)
    assert (written.value("params"), written.value("macs")) == (params, macs)
    analysis = analyze(flat_spec(network), settings=sizes)
    assert measure(model, network, sizes).params == params
    shapes = {
        tensor.label: tuple(int(analysis.evaluator(size)) for size in shape)
        for layer in analysis.layers
        for tensor, shape in zip(layer.made, layer.outputs, strict=True)
    }
    assert [shapes[each] for each in network.outputs] == outputs


def test_the_command_takes_such_a_file(tmp_path: Path) -> None:
    onnx.save(decoder().model, str(tmp_path / "net.onnx"))
    done = run_here("import", tmp_path / "net.onnx", "-o", tmp_path / "net.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"equal at [1-3] sizes?: params", done.stdout)


def test_a_loop_of_unknown_length_is_an_error() -> None:
    model = scan().model
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "steps"
    with pytest.raises(SpecError, match=r"Scan 'Scan_node': how often it runs is no number"):
        network_of(model, "net.onnx", Options())

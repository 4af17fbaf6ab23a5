"""ONNX files: what leaves their specs has the shapes that ONNX's own evaluator gives."""

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")
numpy = pytest.importorskip("numpy")

from onnx import TensorProto, helper, numpy_helper

from archspec.errors import SpecError
from archspec.importers.calls import Size
from archspec.importers.calls import SourceModule as Module
from archspec.importers.calls import SourceNetwork as Network
from archspec.importers.folding.writing import write
from archspec.importers.onnx.counts import measure, parameters
from archspec.importers.onnx.modules import modules_of
from archspec.importers.onnx.sizes import Extent, chosen, extent
from archspec.importers.onnx.source import network_of, open_model
from archspec.importers.source import Options
from costmodel import analyze
from tests.commands import run_here
from tests.flat import flat_spec
from tests.onnx_graphs import GRAPHS, Builder


def imported(model: Any, *inputs: str) -> Network:
    return network_of(model, "net.onnx", Options(inputs))


def settings_of(network: Network, wanted: Mapping[str, int], more: int) -> dict[str, int]:
    """A value of each symbol: what a graph can be run at, else 3 or 5."""
    return {name: wanted.get(name, 3 + more) for name in network.symbols}


def shapes_at(network: Network, settings: Mapping[str, int]) -> list[tuple[int, ...]]:
    analysis = analyze(flat_spec(network), settings=settings)
    shapes = {
        tensor.label: tuple(int(analysis.evaluator(size)) for size in shape)
        for layer in analysis.layers
        for tensor, shape in zip(layer.made, layer.outputs, strict=True)
    }
    return [shapes[name] for name in network.outputs]


def evaluated(model: Any, network: Network, settings: Mapping[str, int]) -> list[tuple[int, ...]]:
    """The shapes that ONNX's own evaluator gives, running the operators on arrays."""
    from onnx.reference import ReferenceEvaluator

    model = onnx.ModelProto.FromString(model.SerializeToString())
    version = model.opset_import[0]
    version.version = max(version.version, 9)  # its BatchNormalization of opset 7 is broken
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    arrays = {
        value.name: numpy.ones(
            [s if isinstance(s, int) else settings[s.text] for s in sizes],
            "int64" if value.type.tensor_type.elem_type == TensorProto.INT64 else "float32",
        )
        for value, sizes in zip(inputs, network.inputs.values(), strict=True)
    }
    outputs: list[Any] = ReferenceEvaluator(model).run(None, arrays)
    return [array.shape for array in outputs]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_of_each_tool(name: str) -> None:
    graph = GRAPHS[name]()
    network = imported(graph.model)
    counts = Counter(call.kind for call in network.calls)
    assert {kind: counts[kind] for kind in graph.kinds} == graph.kinds
    for more in (0, 2):
        settings = settings_of(network, graph.sizes, more)
        shapes = shapes_at(network, settings)
        assert shapes == evaluated(graph.model, network, settings)
        said = measure(graph.model, network, settings)
        assert said.outputs in (None, tuple(shapes))
        assert said.params == graph.params
    assert analyze(flat_spec(network), settings=settings).value("params") == graph.params


@pytest.mark.parametrize("name", GRAPHS)
def test_weights_are_never_read(name: str) -> None:
    """What is learned holds nothing: neither its bytes nor its numbers."""
    model = GRAPHS[name]().model
    whole = imported(model)
    emptied = 0
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and numpy.prod(tensor.dims) > 4:
            tensor.ClearField("raw_data")
            emptied += 1
    assert imported(model) == whole
    assert emptied or name in ("computed_reshape",)


@pytest.mark.parametrize("name", GRAPHS)
def test_import_counts_what_the_file_does(name: str, tmp_path: Path) -> None:
    path, spec = tmp_path / f"{name}.onnx", tmp_path / "net.yaml"
    graph = GRAPHS[name]()
    onnx.save(graph.model, str(path))
    done = run_here("import", path, "-o", spec)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"equal at [1-3] sizes?: params", done.stdout)
    assert analyze(str(spec)).value("params") == graph.params
    assert run_here(path).stdout.startswith(f"{name}\n{name}.onnx (ONNX, opset ")


def test_no_number_of_a_weight_reaches_the_importer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads numbers of a large tensor, by any of ONNX's functions, fails."""
    path = tmp_path / "net.onnx"
    onnx.save(GRAPHS["transformer"]().model, str(path))
    read = numpy_helper.to_array

    def guarded(tensor: Any, *others: Any) -> Any:
        assert tensor.data_type == TensorProto.INT64 or numpy.prod(tensor.dims) <= 16
        return read(tensor, *others)

    monkeypatch.setattr(numpy_helper, "to_array", guarded)
    assert run_here("import", path).returncode == 0
    model = open_model(str(path))
    left = [t for t in model.graph.initializer if t.HasField("raw_data")]
    assert all(numpy.prod(tensor.dims) <= 16 for tensor in left)


def partly_known() -> Any:
    """Operators that no kind expresses; the file says the shape that leaves the second."""
    b = Builder(13)
    b.weight("w", 4, 3, 3, 3), b.weight("v", 4)
    b.add("Conv", "x w", "c", pads=[1, 1, 1, 1])
    b.add("LpPool", "c", "l", kernel_shape=[2, 2], strides=[2, 2], dilations=[2, 2])
    b.add("Odd", "l v", "o").domain = "some.tool"
    b.add("Relu", "o", "y")
    model = b.model({"x": ["n", 3, "h", "w"]}, "y")
    model.graph.value_info.append(helper.make_tensor_value_info("o", 1, ["n", 4, 7, 7]))
    model.opset_import.append(helper.make_opsetid("some.tool", 1))
    return model


def test_what_no_kind_expresses_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(partly_known(), str(path))
    refused = run_here("import", path)
    assert refused.returncode == 2
    assert "LpPool 'LpPool_node': a mean of a dilated window" in refused.stderr
    assert "hint: --partial marks it" in refused.stderr
    marked = run_here("import", path, "--partial")
    assert marked.returncode == 0
    assert 'missing: {operator: "LpPool, Odd", shape: [n, 4, 7, 7]}' in marked.stdout
    report = run_here(path, "--partial")
    assert "1 operator is missing: LpPool, Odd; totals are lower bounds" in report.stderr


def test_an_operator_may_be_defined_by_others() -> None:
    """ONNX's own definition of a loss: a lookup in the logarithms, a sign, a mean."""
    b = Builder(13)
    b.weight("w", 5, 7)
    b.add("MatMul", "x w", "z")
    b.add("SoftmaxCrossEntropyLoss", "z label", "y")
    network = imported(b.model({"x": ["n", 5], "label": ["n"]}, "y", ids="label"))
    kinds = [call.kind for call in network.calls]
    assert {"linear", "log_softmax", "gather", "neg", "mean"} <= {*kinds}
    assert analyze(flat_spec(network)).value("params") == 35


def test_weights_may_be_constants_of_nodes() -> None:
    """Paddle's files have no initializers; a bias is reshaped and added behind."""
    b = Builder(11)
    for name, shape in (("w", (4, 3, 1, 1)), ("bias", (4,))):
        value = numpy_helper.from_array(numpy.ones(shape, "float32"), name)
        b.add("Constant", "", name, value=value).ClearField("input")
    b.ints("wide", [1, -1, 1, 1])
    b.add("Conv", "x w", "c")
    b.add("Reshape", "bias wide", "r")
    b.add("Add", "c r", "y")
    model = b.model({"x": ["n", 3, "h", "w"]}, "y")
    network = imported(model)
    assert [call.kind for call in network.calls] == ["conv2d"]
    assert analyze(flat_spec(network)).value("params") == parameters(model) == 16


def test_numbers_beside_tensors_stay_numbers() -> None:
    b = Builder(13)
    b.scalar("three", 3.0), b.scalar("zero", 0.0), b.scalar("six", 6.0), b.scalar("half", 0.5)
    b.add("Add", "x three", "a")
    b.add("Clip", "a zero six", "c")
    b.add("Mul", "x c", "m")
    b.add("Div", "m six", "d")
    b.add("Mul", "half d", "y")
    calls = imported(b.model({"x": ["n", 8]}, "y")).calls
    assert [(call.kind, dict(call.fields)) for call in calls] == [
        ("hardswish", {}),
        ("mul", {"other": 0.5}),
    ]


def test_an_external_file_is_never_opened(tmp_path: Path) -> None:
    path, data = tmp_path / "net.onnx", tmp_path / "weights.bin"
    graph = GRAPHS["transformer"]()
    onnx.save(
        graph.model, str(path), save_as_external_data=True, location=data.name, size_threshold=200
    )
    data.unlink()
    network = network_of(open_model(str(path)), str(path), Options())
    assert analyze(flat_spec(network)).value("params") == graph.params


def test_symbols_are_names_of_the_language() -> None:
    network = imported(GRAPHS["transformer"]().model)
    assert list(network.symbols) == ["batch_size", "s1seq"]
    network = imported(GRAPHS["tf2onnx"]().model)
    assert network.inputs == {"x": (Size("n"), Size("h"), Size("w"), 3)}


def test_sizes_may_be_said_instead() -> None:
    network = imported(GRAPHS["keras"]().model, "4, 1, 28, 28")
    assert network.inputs == {"x": (4, 1, 28, 28)}
    network = imported(GRAPHS["opset_9"]().model, "b, 4, size=40, size")
    assert network.symbols == {"b": 1, "size": 40}
    assert network.inputs["x"] == (Size("b"), 4, Size("size"), Size("size"))


def test_a_computed_shape_is_an_expression() -> None:
    network = imported(GRAPHS["computed_reshape"]().model)
    fields = [dict(call.fields) for call in network.calls if call.kind == "reshape"]
    assert fields[0]["shape"] == (Size("n"), 4, Size("h//7"), 7, Size("w//7"), 7)
    assert fields[1]["shape"] == (Size("(h//7)*n*(w//7)"), 49, 4)


def test_modules_of_both_exporters() -> None:
    node = helper.make_node("Conv", [], [], name="/layer1/layer1.0/conv2/Conv")
    paths = [module.path for module in modules_of(node)]
    assert paths == ["", "layer1", "layer1.0", "layer1.0.conv2"]
    node = helper.make_node("Conv", [], [], name="node_conv2d")
    notes = {
        "pkg.torch.onnx.name_scopes": "['', 'layer1', 'layer1.0', 'layer1.0.conv2', 'conv2d']",
        "pkg.torch.onnx.class_hierarchy": "['torchvision.models.resnet.ResNet', "
        "'torch.nn.modules.container.Sequential', 'torchvision.models.resnet.Bottleneck', "
        "'torch.nn.modules.conv.Conv2d', 'aten.conv2d.default']",
    }
    helper.set_model_props(model := helper.make_model(helper.make_graph([], "g", [], [])), notes)
    node.metadata_props.extend(model.metadata_props)
    assert modules_of(node)[1:3] == (
        Module("layer1", "Sequential"),
        Module("layer1.0", "Bottleneck"),
    )
    assert modules_of(helper.make_node("Conv", [], [], name="Conv_12")) == ()


def broken(**changes: Any) -> Any:
    """A small model, one of whose parts is another."""
    b = Builder(13)
    b.weight("w", 4, 3, 3, 3)
    b.add(changes.get("kind", "Conv"), changes.get("inputs", "x w"), "y", "/conv1/Conv")
    return b.model({"x": changes.get("shape", ["n", 3, "h", "w"])}, changes.get("output", "y"))


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (broken(kind="NonMaxSuppression"), r"NonMaxSuppression '/conv1/Conv': no kind expresses"),
        (broken(kind="Loop"), r"Loop '/conv1/Conv': it has no body"),
        (broken(inputs="x v"), r"Conv '/conv1/Conv': nothing makes its input 'v'"),
        (broken(output="z"), r"nothing makes the output 'z'"),
        (broken(shape=[1, 3, 1 << 50, 8]), r"input 'x' has an axis of 1125899906842624 elements"),
        (broken(shape=None), r"does not say how many axes 'x' has"),
        (broken(inputs="x"), r"Conv '/conv1/Conv': input 1 is missing"),
        (broken(inputs="x x"), r"the weight \(input 1\) depends on data"),
        (broken(shape=["n"]), r"a convolution over -1 axes"),
    ],
)
def test_what_is_wrong_is_one_clear_error(model: Any, cause: str) -> None:
    with pytest.raises(SpecError, match=f"net.onnx: .*{cause}"):
        imported(model)


def test_a_reshape_by_data_is_refused() -> None:
    b = Builder(13)
    b.add("Cast", "x", "shape", to=7)
    b.add("Reshape", "x shape", "y")
    with pytest.raises(SpecError, match=r"Reshape 'Reshape_node': the new shape depends on data"):
        imported(b.model({"x": [4]}, "y"))


@pytest.mark.parametrize("inputs", [("n, 3",), ("n, 3, h, w", "4"), ("n, 3, h!, w",)])
def test_sizes_that_do_not_fit_are_refused(inputs: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=r"axes|the file has 1|no size of an input"):
        imported(broken(), *inputs)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    whole = GRAPHS["keras"]().model.SerializeToString()
    assert run_here(path).returncode == 2
    with pytest.raises(SpecError, match="No such file"):
        open_model(str(path))
    for bytes_ in (b"", b"not a model", whole[: len(whole) // 2], whole[:40]):
        path.write_bytes(bytes_)
        done = run_here("import", path)
        assert done.returncode == 2
        assert re.match(r"archcost: \S+net.onnx: this is no ONNX model", done.stderr)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_file_with_wrong_bytes_is_a_network_or_an_error(name: str, tmp_path: Path) -> None:
    path, chance = tmp_path / "net.onnx", random.Random(name)
    whole = GRAPHS[name]().model.SerializeToString()
    for _ in range(12):
        changed = bytearray(whole)
        for place in chance.sample(range(len(whole)), 3):
            changed[place] = chance.randrange(256)
        path.write_bytes(changed)
        with suppress(SpecError):
            network = network_of(open_model(str(path)), str(path), Options(partial=True))
            write(network)


def test_without_onnx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = run_here("import", "net.onnx")
    assert done.returncode == 2
    assert "reading ONNX needs the package onnx" in done.stderr
    assert "pip install 'archcost[onnx]'" in done.stderr


def test_an_extent_of_0_is_a_symbol_and_said() -> None:
    b = Builder(13)
    b.add("Relu", "x", "y")
    network = imported(b.model({"x": [0, 4]}, "y"))
    assert network.inputs == {"x": (Size("n"), 4)}
    assert network.notes == ("axis 0 of 'x' has 0 elements in the file; it is the symbol n here",)


def test_what_nothing_uses_may_be_unknown() -> None:
    """An operator without a kind matters only where something depends on it."""
    b = Builder(13)
    b.add("NonZero", "x", "places")
    b.add("Relu", "x", "y")
    assert [call.kind for call in imported(b.model({"x": ["n", 4]}, "y")).calls] == ["relu"]


NUMBERS = ({"h": 1, "w": 7}, {"h": 224, "w": 33}, {"h": 97, "w": 8})


def halved(size: Extent) -> Extent:
    """A convolution of stride 2."""
    return size.plus(2 - 3).floor_div(2).plus(1)


def test_sizes_are_exact_and_short() -> None:
    h, w = extent("h"), extent("w")
    table: list[tuple[Extent, str, Callable[[int, int], int]]] = [
        (halved(halved(halved(h))), "(h + 7)//8", lambda h, _: (h + 7) // 8),
        (h.times(6).plus(5).floor_div(4), "h + h//2 + 1", lambda h, _: (6 * h + 5) // 4),
        (h.times(w).over(h), "w", lambda _, w: w),
        (h.minus(w).floor_div(3).times(-1), "w - ((h + 2*w)//3)", lambda h, w: -((h - w) // 3)),
        (chosen("max", [h, 1]), "h", lambda h, _: h),
        (chosen("min", [h, w]), "min(h, w)", min),
        (h.floor_div(7).times(w).floor_div(w), "h//7", lambda h, _: h // 7),
    ]
    for size, text, truth in table:
        assert str(size) == text
        assert [size.at(n) for n in NUMBERS] == [truth(n["h"], n["w"]) for n in NUMBERS]


def test_parameters_are_those_of_the_file() -> None:
    """Means and variances of norms are no parameters; one number alone is none either."""
    graph = GRAPHS["model_zoo_7"]()
    assert parameters(graph.model) == graph.params

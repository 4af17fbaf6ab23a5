"""What is exported has the parameters and shapes of the spec's network, and its products."""

import ast
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from torch.utils.flop_counter import FlopCounterMode

from archspec import SpecError
from archspec.architecture import load
from costmodel import analyze
from costmodel.analysis.analysis import Analysis
from costmodel.network.propagation import LayerCost, Part
from costmodel.render.onnx_graph import model as onnx_model
from costmodel.render.torch_module import module_source
from tests.commands import Run
from tests.conftest import thinned
from tests.networks import draw_network
from tests.test_parity import FAMILIES

UNCOUNTED = ("Mixture(", "window=", "chunk=")
"""What a module computes in full and masks, where archcost counts what is needed."""


def exported(spec: Any, **settings: int) -> tuple[Analysis, str]:
    """A spec's analysis with all symbols fixed, and its module's source."""
    numbers = {**load(spec).header.defaults, **settings}
    analysis = analyze(spec, settings=numbers, convention="torch")
    return analysis, module_source(analysis)


def built(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "exported", "exec"), names)
    return names


class Ran:
    """A module's source at work on the meta device.

    Attributes:
        params: elements of its parameters, each tensor once.
        macs: what PyTorch's counter counts, halved.
        shapes: of what leaves.
    """

    def __init__(self, source: str) -> None:
        names = built(source)
        counter = FlopCounterMode(display=False)
        with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = names["Network"]().eval()
            inputs = [torch.zeros(shape) for shape in names["INPUTS"].values()]
            with counter:
                left = network(*inputs)
        self.params = sum(parameter.numel() for parameter in network.parameters())
        self.macs = counter.get_total_flops() // 2
        several = left if isinstance(left, tuple) else (left,)
        self.shapes = [tuple(tensor.shape) for tensor in several]


def parts_in(parts: Iterable[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        if not isinstance(part, LayerCost):
            yield from parts_in(part.parts)


def output_of(analysis: Analysis) -> tuple[int, ...]:
    """The shape of a network's last output, as archcost says."""
    producer, number = analysis.graph.output
    for part in parts_in(analysis.propagation.parts):
        if isinstance(part, LayerCost) and part.node.path == producer:
            return tuple(map(int, part.outputs[number or 0]))
        if not isinstance(part, LayerCost) and part.path == producer:
            return tuple(map(int, part.output))
    raise LookupError(producer)


@pytest.mark.parametrize(
    ("path", "variant"), thinned(FAMILIES, 8), ids=lambda part: getattr(part, "stem", part)
)
def test_the_zoo_exported(path: Path, variant: str | None) -> None:
    analysis, source = exported(f"{path}@{variant}" if variant else path)
    ran = Ran(source)
    assert ran.params == analysis.value("params")
    assert ran.shapes[-1] == output_of(analysis)
    if not any(word in source for word in UNCOUNTED):
        assert ran.macs == analysis.value("macs")


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_networks_exported(first: int) -> None:
    for seed in range(first, first + 20):
        spec = draw_network(seed)
        text = yaml.safe_dump(spec, sort_keys=False)
        if "missing:" in text:
            continue
        analysis, source = exported(text)
        ran = Ran(source)
        assert ran.params == analysis.value("params"), f"seed {seed}\n{text}\n{source}"


def test_a_spec_reads_as_a_person_would_have_written_it() -> None:
    _, source = exported("resnet50")
    tree = ast.parse(source)
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert classes == ["ConvBn", "Bottleneck", "Repeat1Body", "Row", "Network"]
    assert "for block in self.repeat_1:" in source
    assert len(source.splitlines()) < 140
    assert max(map(len, source.splitlines())) <= 100


def test_it_stands_alone(archcost: Run, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    done = archcost("export", "mobilenet_v2", "--set", "width=0.5", "h=96", "w=96", "-o", file)
    assert done.returncode == 0, done.stderr
    source = file.read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)]
    assert [alias.name for node in imports for alias in node.names] == ["torch"]
    assert Ran(source).params == analyze("mobilenet_v2", convention="torch").at(width=0.5).params
    assert built(source)["INPUTS"] == {"input": (1, 3, 96, 96)}


QUOTED = 'a """ + __import__("os").system("false") + " \\" \\n """ \'\'\''
"""A name that would end the text around it."""

HOSTILE = f"""\
archspec: 1
name: {json.dumps(QUOTED)}
input: {{class: [2, 4], "self": [2, 4]}}
blocks:
  nn: {{layers: [{{linear: {{out_features: 4}}, name: train}}, {{relu: , name: torch}}]}}
  Network: {{layers: [{{linear: {{out_features: 3}}, name: forward}}]}}
layers:
  - {{linear: {{out_features: 4}}, name: parameters, from: class}}
  - nn
  - {{add: , name: lambda, from: [previous, self]}}
  - {{Network: , name: functional}}
"""


def test_names_of_a_spec_are_no_code() -> None:
    analysis, source = exported(HOSTILE)
    ran = Ran(source)
    assert ran.params == analysis.value("params")
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert not any(isinstance(f, ast.Name) and f.id == "__import__" for f in calls)


def test_a_hole_is_not_exported() -> None:
    hole = "archspec: 1\nname: x\ninput: [2]\nlayers: [{missing: {operator: a.b, shape: [3]}}]\n"
    with pytest.raises(SpecError, match=r"'a.b' is missing in this network, as missing_1"):
        exported(hole)


@pytest.mark.parametrize(
    ("path", "variant"), thinned(FAMILIES, 8), ids=lambda part: getattr(part, "stem", part)
)
def test_the_zoo_as_a_graph(path: Path, variant: str | None) -> None:
    """onnx itself checks it; what is learned are its inputs beside the network's own."""
    pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    analysis, _ = exported(f"{path}@{variant}" if variant else path)
    graph = onnx_model(analysis).graph
    shapes = {
        each.name: tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim)
        for each in (*graph.input, *graph.output)
    }
    learned = shapes.keys() - analysis.propagation.inputs.keys() - {o.name for o in graph.output}
    learned = {name for name in learned if not name.endswith(("running_mean", "running_var"))}
    assert sum(prod(shapes[name]) for name in learned) == analysis.value("params")
    assert shapes[graph.output[-1].name] == output_of(analysis)


def test_a_graph_of_iterations_has_a_node_for_each() -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    analysis, _ = exported("gpt2", L=3)
    kinds = Counter(node.op_type for node in onnx_model(analysis).graph.node)
    wanted = {"Attention": 3, "LayerNormalization": 7, "Gelu": 3, "MatMul": 19, "Gather": 1}
    assert {kind: kinds[kind] for kind in wanted} == wanted


@pytest.mark.parametrize("name", ["mobilenetv2", "swin", "unet", "shufflenetv2", "llama"])
def test_onnx_finds_the_shapes_that_a_graph_states(name: str) -> None:
    """Where a kind is an operator of ONNX, its own inference gives each tensor the same shape."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    model = onnx_model(exported(name)[0])
    stated = {v.name: str(v.type) for v in (*model.graph.value_info, *model.graph.output)}
    ours = {n for node in model.graph.node if node.domain for n in node.output}
    kept = [value for value in model.graph.value_info if value.name in ours]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, data_prop=True)
    found = {v.name: str(v.type) for v in (*inferred.graph.value_info, *inferred.graph.output)}
    assert {n: found[n] for n in stated.keys() - ours} == {
        n: stated[n] for n in stated.keys() - ours
    }
    assert len(stated) > 2 * len(ours)


def test_a_graph_needs_a_file(archcost: Run, tmp_path: Path) -> None:
    done = archcost("export", "alexnet", "--format", "onnx")
    assert done.returncode == 2
    assert "is written into a file" in done.stderr
    pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    done = archcost("export", "alexnet", "--format", "onnx", "-o", tmp_path / "net.onnx")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "net.onnx").stat().st_size < 10_000


def test_an_unknown_form_is_named(archcost: Run) -> None:
    done = archcost("export", "alexnet", "--format", "torhc")
    assert done.returncode == 2
    assert "unknown form 'torhc'" in done.stderr

"""A network that is exported to PyTorch and imported again is the same network."""

from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[torch]'")

from archspec.architecture import load
from costmodel import analyze
from costmodel.render.torch_module import module_source
from tests.conftest import thinned

NETWORKS = (
    *("alexnet", "bert", "clip", "convnext", "densenet", "detr", "efficientdet", "gpt2"),
    *("unet", "hrnet", "llama", "lstm", "maxvit", "raft", "shufflenetv2", "stable_diffusion"),
    *("mobilenetv3", "swin", "t5", "whisper", "yolov8"),
)
"""One of each form: what is left out has windows, which a module computes whole and masks."""


def module_of(spec: str) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """A network of the zoo as a module of PyTorch, and the sizes of its inputs."""
    analysis = analyze(spec, settings=load(spec).header.defaults, convention="torch")
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(module_source(analysis), "exported", "exec"), names)
    with torch.device("meta"):
        return names["Network"]().eval(), names["INPUTS"]


@pytest.mark.parametrize("spec", thinned(NETWORKS, 8))
def test_a_network_comes_back(spec: str) -> None:
    module, inputs = module_of(spec)
    back = analyze(module, input=[*inputs.values()], convention="torch")
    own = analyze(spec, settings=load(spec).header.defaults, convention="torch")
    for metric in ("params", "macs", "activations", "model_size"):
        assert back.value(metric) == own.value(metric), metric


@pytest.mark.parametrize("spec", thinned(["resnet50", "mobilenet_v2", "vgg11", "googlenet"], 4))
def test_its_laws_come_back(spec: str) -> None:
    """Imported with symbols for its sizes it counts the same at other sizes."""
    module, _ = module_of(spec)
    back = analyze(module, input=("n", 3, "h", "w"), convention="torch")
    own = analyze(spec, convention="torch")
    for n, h, w in product((1, 3), (97, 224), (130, 351)):
        for metric in ("macs", "activations"):
            points = (each.at(n=n, h=h, w=w) for each in (back, own))
            found = [getattr(point, metric) for point in points]
            assert found[0] == found[1], (metric, n, h, w)

"""The names of ``torch.nn`` that the language takes mean in PyTorch what they mean here."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from torch import nn

from archspec import SpecError
from archspec.fields import Condition, Expression
from archspec.layers import ALIASES, Layer, Torch
from archspec.trees import Number, Truth
from costmodel import analyze

SIZES: dict[str, Any] = {
    "in_channels": 4,
    "in_features": 4,
    "num_features": 4,
    "num_channels": 4,
    "input_size": 4,
    "normalized_shape": 4,
    "in1_features": 4,
    "in2_features": 4,
}
"""Arguments of PyTorch's modules about their input, which has 4 of each."""

SHAPES = [(4,), (4, 4), (2, 4, 4), (2, 4, 4, 4), (2, 4, 4, 4, 4), (2, 4, 4, 4, 4, 4)]
NAMES = sorted({alias.torch.name for alias in ALIASES.values()})


def arguments(known: Torch, layer: type[Layer]) -> dict[str, Any]:
    """Fields that make a layer, as a spec and PyTorch have them."""
    chosen: dict[str, Any] = {"dim": 1, "batch_first": True, "groups": 2, "num_groups": 2}
    chosen |= {"upscale_factor": 2, "downscale_factor": 2}
    given = {name: chosen.get(name, value) for name, value in layer.example.items()}
    given.pop("axes", None)
    return given | {name: chosen[name] for name in known.given}


def parameters_of(name: str) -> Mapping[str, inspect.Parameter]:
    """The parameters of a class of ``torch.nn``; of recurrent ones those of their base class."""
    of_class = getattr(torch.nn, name)
    recurrent = issubclass(of_class, torch.nn.RNNBase)
    return inspect.signature(torch.nn.RNNBase if recurrent else of_class).parameters


def torch_module(name: str, fields: dict[str, Any]) -> nn.Module:
    """The module of a class of ``torch.nn`` for an input of 4 channels."""
    of_class = getattr(torch.nn, name)
    taken = parameters_of(name)
    module = of_class(**fields, **{key: size for key, size in SIZES.items() if key in taken})
    assert isinstance(module, torch.nn.Module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_pytorch_means_what_it_does_there(name: str, tmp_path: Path) -> None:
    """A name that is taken here has PyTorch's output and parameters."""
    alias, file, met = ALIASES.get(name) or ALIASES[name.lower()], tmp_path / "net.yaml", 0
    fields = arguments(alias.torch, alias.layer)
    module = torch_module(name, fields)
    double = ", from: [input, input]" if alias.layer.takes[0] == 2 else ""
    written = yaml.safe_dump(fields, default_flow_style=True, width=1000).strip()
    for shape in SHAPES:
        file.write_text(
            f"archspec: 1\nname: x\ninput: {list(shape)}\nlayers: [{{{name}: {written}{double}}}]\n"
        )
        try:
            analysis = analyze(file, convention="torch")
        except SpecError:
            continue
        kind = torch.int64 if name == "Embedding" else torch.float32
        tensors = [torch.ones(shape, dtype=kind)] * (2 if double else 1)
        made = module(*tensors)
        made = made[0] if isinstance(made, tuple) else made
        (layer,) = analysis.propagation.layers
        assert tuple(made.shape) == layer.output, shape
        assert analysis.params == sum(p.numel() for p in module.parameters())
        met += 1
    assert met


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_under_a_name_of_pytorch_are_those_there(name: str) -> None:
    """Those that are others must be given; none other has an effect on a shape or a cost."""
    alias = ALIASES.get(name) or ALIASES[name.lower()]
    for argument in parameters_of(name).values():
        field = alias.layer.model_fields.get(argument.name)
        if field is None or field.is_required() or argument.default is inspect.Parameter.empty:
            continue
        match field.default:
            case Expression(Number(ours)) | Condition(Truth(ours)):
                same = argument.default == pytest.approx(float(ours))
            case ours:
                same = argument.default == ours or not (argument.default or ours)  # 0 is none
        free = "no cost depends on it" in (field.description or "") and argument.name == "eps"
        assert same or free or argument.name in alias.torch.given, argument

"""What PyTorch saves for the backward pass, and the products it makes there, of random networks.

Kinds of which PyTorch saves no more than is needed: no byte more, no tensor twice. The statistics
of normalisation are left out, as docs/training.md says. Networks run on the meta device.
"""

from random import Random
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from archspec.architecture import read_architecture
from archspec.document import parse_document
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.scenario.scenario import scenario
from tests import twin
from tests.conftest import examples

CURVES = ("gelu", "silu", "mish", "softplus", "elu", "selu", "hardswish")
VALUES = ("sigmoid", "tanh", "softmax", "log_softmax")
PAIRS = ("add", "sub", "mul", "div", "matmul", "concat")
SIDE = 4

SEEDS = range(examples(150))


def drawn(seed: int) -> dict[str, Any]:
    """Up to 12 steps over maps of 4 × 4, each reading any that came before."""
    random = Random(seed)
    channels = {"input": random.randint(2, 4)}
    layers: list[dict[str, Any]] = []

    def put(kind: str, fields: dict[str, Any], sources: list[str], made: int) -> str:
        name = f"s{len(layers)}"
        layers.append({kind: fields, "name": name, "from": sources})
        channels[name] = made
        return name

    def conv(source: str) -> str:
        made, kernel = random.randint(1, 4), random.choice((1, 3))
        fields = {"out_channels": made, "kernel_size": kernel, "padding": kernel // 2}
        return put("conv2d", fields, [source], made)

    for _ in range(random.randint(1, 12)):
        one = random.choice(list(channels))
        kind = random.choice(("conv2d", "linear", "relu", "layernorm", "prelu", *CURVES, *VALUES,
                              *PAIRS, "identity"))  # fmt: skip
        if kind == "conv2d":
            conv(one)
        elif kind == "relu":  # its output says its mask, where a convolution keeps it
            conv(put("relu", {}, [one], channels[one]))
        elif kind == "linear":
            put("linear", {"out_features": SIDE}, [one], channels[one])
        elif kind in PAIRS:
            alike = [n for n, c in channels.items() if c == channels[one] or kind == "concat"]
            other = random.choice(alike)
            made = channels[one] + channels[other] if kind == "concat" else channels[one]
            put(kind, {}, [one, other], made)
        else:
            put(kind, {}, [one], channels[one])
    given = [2, channels["input"], SIDE, SIDE]
    return {"archspec": 1, "name": f"seed {seed}", "input": given, "layers": layers}


def torch_says(spec: dict[str, Any]) -> tuple[int, int]:
    """The bytes of the storages that are saved, and the products of both passes."""
    saved: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        if tensor.shape[-1:] != (1,):  # statistics of a row
            saved[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.device("meta"):
        frame = twin.opened(spec)
        hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
        with frame.network.counter:
            with hooks:
                frame.body(spec["layers"])
            made = [x for x in frame.tensors.values() if isinstance(x, torch.Tensor)]
            loss = sum(x.sum() for x in made if x.requires_grad)
            if not isinstance(loss, int):
                loss.backward()
    learned = {tensor.untyped_storage()._cdata for tensor in frame.network.seen}
    kept = (t for key, t in saved.items() if key not in learned)
    return sum(t.untyped_storage().nbytes() for t in kept), (
        frame.network.counter.get_total_flops() // 2
    )


def we_say(spec: dict[str, Any]) -> Analysis:
    architecture = read_architecture(parse_document(yaml.safe_dump(spec)))
    asked = scenario(optimizer="adam")
    return analyze_architecture(architecture, Setup("torch", scenario=asked))


@pytest.mark.parametrize("seed", SEEDS)
def test_as_much_is_kept_and_worked_out_as_pytorch_does(seed: int) -> None:
    spec = drawn(seed)
    net = we_say(spec)
    found = net.value("activations_kept"), net.value("training_macs")
    assert found == torch_says(spec), yaml.safe_dump(spec)


FREEZABLE = ("linear", "layernorm", "prelu")
"""Kinds of which PyTorch keeps no more where they are frozen; a convolution keeps its input."""


def frozen(seed: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    """A drawn network of which some layers are frozen."""
    spec, random = drawn(seed), Random(seed)
    for entry in spec["layers"]:
        if next(iter(entry)) in kinds and random.random() < 0.6:
            entry["trainable"] = False
    return spec


@pytest.mark.parametrize("seed", SEEDS)
def test_frozen_layers_keep_and_work_out_as_much_as_pytorch_does(seed: int) -> None:
    spec = frozen(seed, FREEZABLE)
    net = we_say(spec)
    found = net.value("activations_kept"), net.value("training_macs")
    assert found == torch_says(spec), yaml.safe_dump(spec)


@pytest.mark.parametrize("seed", SEEDS)
def test_frozen_convolutions_work_out_as_much_as_pytorch_does(seed: int) -> None:
    """They keep their input in PyTorch, though no gradient needs it; so no more is kept here."""
    spec = frozen(seed, (*FREEZABLE, "conv2d"))
    net = we_say(spec)
    kept, products = torch_says(spec)
    assert net.value("training_macs") == products, yaml.safe_dump(spec)
    assert net.value("activations_kept") <= kept, yaml.safe_dump(spec)


def test_the_state_of_adam_is_pytorchs() -> None:
    """After a step: two moments of every parameter, a counter of steps left out."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.LayerNorm(5))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 6)).sum().backward()
    optimizer.step()
    held = [state[key] for state in optimizer.state.values() for key in ("exp_avg", "exp_avg_sq")]
    net = we_say(
        {
            "archspec": 1,
            "name": "two",
            "input": [2, 6],
            "layers": [{"linear": {"out_features": 5}}, "layernorm"],
        }
    )
    assert net.value("optimizer_state") == sum(tensor.nbytes for tensor in held)
    assert net.value("gradients") == sum(p.grad.nbytes for p in model.parameters())

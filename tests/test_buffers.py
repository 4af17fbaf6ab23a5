"""``state_size`` beside the buffers of PyTorch's modules; ``active_params`` beside loops."""

import pytest

from costmodel import Analysis
from costmodel.analysis.loading import analyze

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")


def net(given: str, *layers: object) -> Analysis:
    spec = {
        "archspec": 1,
        "name": "net",
        "input": list(map(int, given.split())),
        "layers": list(layers),
    }
    return analyze(spec, convention="torch")


def conv(channels: int) -> dict[str, object]:
    return {"conv2d": {"out_channels": channels, "kernel_size": 1}}


def test_running_statistics_are_pytorchs_buffers() -> None:
    nn = torch.nn
    model = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 7, 1),
                          nn.BatchNorm2d(7, affine=False), nn.InstanceNorm2d(7),
                          nn.GroupNorm(7, 7))  # fmt: skip
    found = net("1 3 4 4", conv(5), "batchnorm", conv(7), {"batchnorm": {"affine": False}},
                "instancenorm", {"groupnorm": {"num_groups": 7}})  # fmt: skip
    assert found.value("state_size") == sum(buffer.nbytes for buffer in model.buffers())


def test_a_resnet() -> None:
    """53 normalisations of 26,560 channels: two statistics in fp32 each, and a count of 8 bytes."""
    assert analyze("resnet50").value("state_size") == 2 * 26_560 * 4 + 53 * 8


def test_a_constant_is_a_buffer() -> None:
    found = net("2 6", {"constant": {"shape": [3, 6]}, "name": "t"},
                {"einsum": {"equation": "n d, k d -> n k"}, "from": ["input", "t"]})  # fmt: skip
    assert found.value("state_size") == 4 * 18
    assert found.value("params") == 0
    assert found.value("bytes_moved") == 4 * (18 + 2 * 6 + 18 + 2 * 3)


def test_biases_that_balance_experts_are_buffers() -> None:
    """DeepSeek-V3's: one number of each expert, in no convention's params and no product."""
    moe = {"experts": 5, "top_k": 2, "layers": [{"linear": {"out_features": 6}}]}
    plain, found = (net("1 8 6", {"moe": {**moe, "balance": given}}) for given in (False, True))
    assert found.value("state_size") == 4 * 5
    assert plain.value("state_size") == 0
    for metric in ("params", "active_params", "macs", "activations"):
        assert found.value(metric) == plain.value(metric)


def test_active_params_of_nested_mixtures() -> None:
    """Every token visits 2 of 5 experts, in each of them 3 of 4, in each of 7 layers."""
    inner = {"moe": {"experts": 4, "top_k": 3, "layers": [{"linear": {"out_features": 6}}]}}
    outer = {"moe": {"experts": 5, "top_k": 2, "layers": [inner]}}
    found = net("1 8 6", {"repeat": {"times": 7, "layers": [outer, "layernorm"]}})
    active = 0
    for _ in range(7):
        active += 5 * 6 + 2 * 6
        for _ in range(2):
            active += 4 * 6
            for _ in range(3):
                active += 6 * 6 + 6
    assert found.value("active_params") == active
    assert found.value("params") == 7 * (5 * 6 + 12 + 5 * (4 * 6 + 4 * 42))

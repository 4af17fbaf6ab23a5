"""``fused``: what is inside is neither moved, nor in memory, nor kept; beside PyTorch, too."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from costmodel import Analysis
from costmodel.analysis.loading import analyze
from costmodel.scenario.scenario import scenario
from tests.conftest import Run, examples
from tests.test_training_parity import drawn

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")
checkpoint = pytest.importorskip("torch.utils.checkpoint").checkpoint


def net(given: list[int], *layers: object, **said: str) -> Analysis:
    spec = {"archspec": 1, "name": "net", "input": given, "layers": list(layers)}
    return analyze(spec, convention="torch", scenario=scenario(**{"optimizer": "adam", **said}))


def linear(name: str, source: str, features: int = 6) -> dict[str, object]:
    return {"linear": {"out_features": features}, "name": name, "from": source}


CORE: list[object] = [
    {"einsum": {"equation": "n t e, n s e -> n t s"}, "from": ["q", "k"]},
    "softmax",
    {"matmul": None, "from": ["previous", "v"]},
]
QKV = [linear(name, "input") for name in "qkv"]


def test_attention_written_out_is_the_kind() -> None:
    """One head of 6 features: fused, the core keeps, makes again and moves what flash does."""
    kind = net([2, 5, 6], {"self_attention": {"heads": 1}})
    written = net([2, 5, 6], *QKV, {"fused": CORE}, {"linear": {"out_features": 6}})
    for metric in ("activations_kept", "training_macs", "macs", "params"):
        assert written.value(metric) == kind.value(metric)
    plain = net([2, 5, 6], *QKV, *CORE, {"linear": {"out_features": 6}})
    unfused = net([2, 5, 6], {"self_attention": {"heads": 1}}, attention="unfused")
    for metric in ("activations_kept", "training_macs"):
        assert plain.value(metric) == unfused.value(metric)


def test_bytes_and_time_of_attention() -> None:
    """q, k and v are read, the sum is written; scores of 5·5 are in no memory."""
    layers = (*QKV, {"fused": CORE, "name": "core"})
    fused, plain = net([2, 5, 6], *layers), net([2, 5, 6], *QKV, *CORE)
    each, scores = 4 * 2 * 5 * 6, 4 * 2 * 5 * 5
    outside = 3 * (2 * each + 4 * (36 + 6))
    assert fused.value("bytes_moved") == outside + 4 * each
    assert plain.value("bytes_moved") == outside + 4 * each + 2 * scores
    assert fused.value("memory_peak") == 4 * each


ATTENTION: dict[str, object] = {"inputs": ["q", "k", "v"], "layers": CORE}


def test_several_tensors_enter_a_fused_block() -> None:
    """The core as a block of three inputs is the core with names from outside."""
    called = {"fused": ["core"], "from": ["q", "k", "v"], "name": "core_of_it"}
    layers = [*QKV, called, {"linear": {"out_features": 6}}]
    given = {"archspec": 1, "name": "net", "input": [2, 5, 6], "layers": layers}
    asked = scenario(optimizer="adam")
    found = analyze({**given, "blocks": {"core": ATTENTION}}, convention="torch", scenario=asked)
    plain = net([2, 5, 6], *QKV, {"fused": CORE}, {"linear": {"out_features": 6}})
    for metric in ("macs", "bytes_moved", "memory_peak", "activations_kept", "training_macs"):
        assert found.value(metric) == plain.value(metric)


def test_several_tensors_leave_a_fused_block() -> None:
    """Sum and product of two: both are read once, both are written."""
    pair = {
        "inputs": ["a", "b"],
        "layers": [
            {"matmul": None, "from": ["a", "b"], "name": "c"},
            {"einsum": {"equation": "i j, i j -> i j"}, "from": ["a", "b"], "name": "d"},
        ],
        "outputs": ["c", "d"],
    }
    layers = [
        {"fused": ["pair"], "from": ["x", "y"], "name": "two"},
        {"add": None, "from": "two.*"},
    ]
    given = {"archspec": 1, "name": "net", "input": {"x": [4, 4], "y": [4, 4]}, "layers": layers}
    found = analyze({**given, "blocks": {"pair": pair}})
    assert found.value("macs") == 4**3
    assert found.value("bytes_moved") == 4 * 16 * (4 + 1)


CHAINS = {
    # a body over (4, 8), which `a` enters and after which a linear layer works → tensors of 4·8
    # that are read, that are written
    "[gelu, sigmoid]": (0, 0),
    "[{linear: {out_features: 8}, name: b}, gelu]": (1, 1),
    "[{linear: {out_features: 8}, name: b}, {mul: , from: [previous, a]}]": (1, 1),
    "[{linear: {out_features: 8}}, relu, {linear: {out_features: 8}}, relu]": (1, 1),
    "[relu, {linear: {out_features: 8}}, {add: , from: [previous, a]}]": (1, 1),
    "[{unsqueeze: {dim: 0}}, {linear: {out_features: 8}}, {squeeze: {dim: 0}}]": (1, 1),
    "[{linear: {out_features: 8}, name: b}, {linear: {out_features: 8}}, "
    "{mul: , from: [previous, outer]}]": (2, 1),
}


@pytest.mark.parametrize("body", CHAINS)
def test_chains(body: str, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\ninput: [4, 8]\nlayers:\n"
        "  - {linear: {out_features: 8}, name: outer}\n  - {linear: {out_features: 8}, name: a}\n"
        f"  - {{fused: {body}, name: body}}\n  - add:\n    from: [previous, outer]\n"
    )
    found = analyze(spec, convention="torch")
    weights = sum(4 * (64 + 8) for _ in range(body.count("linear")))
    read, written = CHAINS[body]
    ends = 2 * (2 * 4 * 32 + 4 * (64 + 8)) + 4 * 32  # two layers, and what add reads beside
    assert found.value("bytes_moved") == ends + weights + 4 * 32 * (read + written)


def test_what_is_read_later_leaves() -> None:
    """`b` is read outside, so it is written, in memory and kept by what follows."""
    body = [linear("b", "a", 8), linear("c", "b", 8)]
    found = net([4, 8], linear("a", "input", 8), {"fused": body}, {"add": None, "from": ["c", "b"]})
    size, weights = 4 * 32, 4 * (64 + 8)
    assert found.value("bytes_moved") == 3 * weights + 2 * size + 3 * size + size
    assert found.value("memory_peak") == 3 * size


def test_memory_of_a_chain_is_what_enters_and_leaves() -> None:
    """8 numbers a row become 64 inside and 2: neither is there but what enters and what leaves."""
    wide = [linear("w", "a", 64), "gelu", linear("n", "previous", 2)]
    found = net([4, 8], linear("a", "input", 8), {"fused": wide})
    plain = net([4, 8], linear("a", "input", 8), *wide)
    assert found.value("memory_peak") == 4 * (32 + 32)  # of the first layer
    assert plain.value("memory_peak") == 4 * (4 * 64 + 32)
    kept = {held.path for held in found.step.kept.held}
    assert kept == {"input", "a"}
    assert found.value("training_macs") == 4 * (64 * 2 + 64 * 8 * 3 + 64 * 2 * 3 + 64 * 8)


def test_as_much_is_kept_as_a_checkpoint_of_pytorch_saves() -> None:
    """Of a body that needs all that enters: a checkpoint keeps that, and makes the rest again."""
    nn, f = torch.nn, torch.nn.functional
    first, second, third = (nn.Linear(8, 8) for _ in range(3))
    learned = {p.data_ptr() for m in (first, second, third) for p in m.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        if tensor.data_ptr() not in learned:
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def body(x: Any) -> Any:
        return torch.softmax(f.gelu(second(x)), -1) * x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        third(checkpoint(body, first(torch.randn(4, 8)), use_reentrant=True))
    fused = [linear("w", "a", 8), "gelu", "softmax", {"mul": None, "from": ["previous", "a"]}]
    found = net([4, 8], linear("a", "input", 8), {"fused": fused}, linear("z", "previous", 8))
    assert found.value("activations_kept") == sum(saved.values())


def test_latency_of_a_group_is_of_all_together() -> None:
    """The products of one layer go on while another's bytes move: the larger of two sums."""
    first = linear("a", "input", 64)
    body = [linear("w", "a", 4096), linear("n", "w", 8)]
    alone = net([4096, 64], first, hardware="a100-80gb")
    fused = net([4096, 64], first, {"fused": body}, hardware="a100-80gb")
    times = ("latency", "compute_time", "memory_time")
    latency, *both = (fused.value(name) - alone.value(name) for name in times)
    assert latency == max(both)
    plain = net([4096, 64], first, *body, hardware="a100-80gb")
    assert latency < plain.value("latency") - alone.value("latency")


@pytest.mark.parametrize(
    "words",
    ["energy --hardware horowitz-45nm", "latency --hardware a100-80gb",
     "memory --order best", "memory --symbolic", "explain", "training --checkpoint blocks",
     "training --checkpoint attention --symbolic"],
)  # fmt: skip
def test_every_question_answers(words: str, tmp_path: Path, archcost: Run) -> None:
    command, *options = words.split()
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\nsymbols: {t: 8, L: 3}\ninput: [2, t, 6]\nlayers:\n"
        "- repeat:\n    times: L\n    layers:\n    - fused: [{linear: {out_features: 24}}, gelu, "
        "{linear: {out_features: 6}}]\n"
    )
    done = archcost(command, str(spec), *options)
    assert (done.returncode, done.stderr) == (0, "")


BAD = {
    "{fused: [{repeat: {times: 3, layers: [relu]}}]}": "a fused body holds no repeat",
    "{fused: [{moe: {experts: 4, top_k: 2, layers: [{linear: {out_features: 4}}]}}]}": (
        "write fused inside the moe, around its layers"
    ),
    "{fused: []}": "write at least one entry",
    "{fused: [relu], from: [input, input]}": "'previous' could be any of the inputs 0, 1",
    "{fused: {body: [relu]}}": "unknown field 'body'",
}


@pytest.mark.parametrize("entry", BAD)
def test_bad_input(entry: str, tmp_path: Path, archcost: Run) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(f"archspec: 1\nname: net\ninput: [1, 4]\nlayers: [{entry}]\n")
    done = archcost(str(spec))
    assert done.returncode == 2
    assert BAD[entry] in done.stderr
    assert f"{spec}:4:" in done.stderr


def wrapped(seed: int) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """A drawn network, the same with neighbours fused, and whether that is one that is read."""
    spec, random = drawn(seed), Random(seed)
    layers = spec["layers"]
    start = random.randrange(len(layers))
    stop = random.randint(start + 1, len(layers))
    body = {"fused": layers[start:stop], "from": layers[start]["from"][0]}
    fused = {**spec, "layers": [*layers[:start], body, *layers[stop:]]}
    name = layers[start]["name"]
    read = any(name in each["from"] for each in layers) or stop == len(layers)
    return spec, fused, stop - start == 1 and read


@pytest.mark.parametrize("seed", range(examples(300)))
def test_fusing_moves_no_more(seed: int) -> None:
    """Products and parameters are the same; of a single layer all else is, too."""
    spec, fused, is_one = wrapped(seed)
    asked = scenario(optimizer="adam", hardware="a100-80gb")
    plain, found = (analyze(each, convention="torch", scenario=asked) for each in (spec, fused))
    for metric in ("macs", "params", "activations", "gradients"):
        assert found.value(metric) == plain.value(metric)
    for metric in ("bytes_moved", "latency"):
        assert found.value(metric) <= plain.value(metric), metric
    for metric in ("bytes_moved", "latency", "memory_peak") if is_one else ():
        assert found.value(metric) == plain.value(metric), metric

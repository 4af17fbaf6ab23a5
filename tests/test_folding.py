"""Networks of plain calls are written as specs that do exactly the same, and that one can read."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from archspec import SpecError, build_graph, load
from archspec.fields import as_written
from archspec.importers.calls import LayerCall as Call
from archspec.importers.calls import Size
from archspec.importers.calls import SourceModule as Module
from archspec.importers.calls import SourceNetwork as Network
from archspec.importers.folding.writing import write
from archspec.layers import find_kind
from costmodel import analyze
from tests.conftest import ROOT, thinned
from tests.flattened import NotFlatError, flattened
from tests.random_calls import random_calls

ZOO = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))
NOT_FLAT = {"deepseek_v3", "efficientdet", "gpt_oss", "mixtral", "retinanet", "stable_diffusion"}
"""Networks with mixtures of experts, or sizes of tensors elsewhere, which no call says."""


def plain(value: Any) -> Any:
    """A field's value, in which all numbers are of one kind."""
    if isinstance(value, Mapping):
        return tuple(sorted((key, plain(each)) for key, each in value.items()))
    if isinstance(value, tuple | list) and not isinstance(value, Size):
        return tuple(map(plain, value))
    return Fraction(str(value)) if type(value) in (int, float) else str(value)


def trace(network: Network) -> tuple[Counter[int], Counter[tuple[int, ...]], list[int]]:
    """All layers, the sets of those that share weights, and what leaves: without any name.

    Two networks of equal traces run the same layers on the same tensors. What is joined from what
    is joined already is joined from the parts.
    """
    made: dict[str, int] = {name: hash(("input", i)) for i, name in enumerate(network.inputs)}

    def tensor(name: str) -> int:
        bearer, _, number = name.rpartition(".")
        return made[name] if name in made else hash((made[bearer], number))

    layers: Counter[int] = Counter()
    joined: dict[Any, tuple[int, ...]] = {}
    weights: dict[str, list[int]] = {}
    for call in network.calls:
        fields = find_kind(call.kind).model_fields.items()
        given = {name: as_written(field.default) for name, field in fields} | dict(call.fields)
        given = {name: value for name, value in given.items() if value is not None}
        given.pop("weight", None)
        inputs = [*map(tensor, call.inputs)]
        if call.kind == "concat":
            axis = given.get("axis")
            inputs = [each for i in inputs for each in joined.get((i, axis), (i,))]
        if call.kind in ("add", "mul"):
            inputs.sort()
        trained = call.trainable or not call.weights
        made[call.name] = hash((call.kind, plain(given), tuple(inputs), trained))
        layers[made[call.name]] += 1
        if call.kind == "concat":
            joined[made[call.name], axis] = tuple(inputs)
        weights.setdefault(call.weights or call.name, []).append(made[call.name])
    shared = Counter(tuple(sorted(each)) for each in weights.values() if len(each) > 1)
    return layers, shared, [*map(tensor, network.outputs)]


@pytest.mark.parametrize("name", thinned([n for n in ZOO if n not in NOT_FLAT], 6))
def test_a_network_of_the_zoo_comes_back(name: str) -> None:
    spec = f"{ROOT}/specs/{name}.yaml"
    network = flattened(spec)
    text, names = write(network)
    assert trace(flattened(text)) == trace(network)
    before, after = (analyze(each, convention="torch") for each in (spec, text))
    for metric in ("params", "macs", "activations", "state_size"):
        assert after.value(metric) == before.value(metric), metric
    assert {*names} == {node.path for node in build_graph(load(text)).nodes}
    assert all(names.values())


@pytest.mark.parametrize("seed", thinned(range(40), 4))
def test_random_calls_come_back(seed: int) -> None:
    network = random_calls(seed)
    if seed % 8 == 4:  # a source without modules
        bare = tuple(call._replace(modules=()) for call in network.calls)
        network = network._replace(calls=bare)
    text, names = write(network)
    assert trace(flattened(text)) == trace(network)
    assert {*names} == {node.path for node in build_graph(load(text)).nodes}


@pytest.mark.parametrize("seed", thinned(range(40), 4))
def test_random_networks_of_all_kinds_come_back(seed: int) -> None:
    networks = pytest.importorskip("tests.networks", reason="PyTorch draws them")
    try:
        network = flattened(json.dumps(networks.draw_network(seed)) + "\n")
    except NotFlatError:
        pytest.skip("no list of calls")
    if any(call.kind == "concat" and len(call.inputs) == 1 for call in network.calls):
        pytest.skip("a joint of one branch, which is no call")
    text, _ = write(network)
    assert trace(flattened(text)) == trace(network)


@pytest.mark.parametrize("has_modules", [True, False])
@pytest.mark.parametrize(
    ("name", "words", "most"),
    [
        ("llama", ["times: 32"], 28),
        ("resnet", ["times: 2", "times: 3", "times: 5", "times: 2"], 80),
        ("densenet", ["times: 6", "times: 12", "times: 24", "times: 16"], 52),
    ],
)
def test_specs_are_as_short_as_a_person_writes(
    name: str, words: list[str], most: int, has_modules: bool
) -> None:
    network = flattened(f"{ROOT}/specs/{name}.yaml")
    calls = network.calls if has_modules else [c._replace(modules=()) for c in network.calls]
    text, _ = write(network._replace(calls=tuple(calls)))
    assert re.findall(r"times: \d+", text) == words
    assert len(text.splitlines()) <= most


def test_names_of_the_source_stand_beside_entries() -> None:
    root, calls, latest = Module("", "Net"), [], "x"
    for block, channels in ((0, 8), (1, 8), (2, 16)):
        path = f"stages.{block}"
        for part, kind in (("conv", "conv2d"), ("act", "relu"), ("proj", "conv2d")):
            fields = {"out_channels": channels, "kernel_size": 1} if kind == "conv2d" else {}
            modules = (root, Module(path, "Stage"), Module(f"{path}.{part}", kind))
            name = f"{part}{block}"
            calls.append(Call(name, kind, fields, (latest,), modules, name * (kind == "conv2d")))
            latest = name
    image = {"x": (Size("n"), 3, Size("h"), Size("w"))}
    symbols = {"n": 1, "h": 8, "w": 8}
    text, names = write(Network("Net", "", symbols, image, tuple(calls), (latest,)))
    assert "- repeat: {times: 2, layers: [stage: {out_channels: 8}]}  # stages.0…1" in text
    assert "- stage: {out_channels: 16}  # stages.2" in text
    assert "- relu  # act" in text
    assert names["repeat_1/stage_1/conv2d_1"] == "stages.0…1.conv"
    assert names["stage_1/conv2d_2"] == "stages.2.proj"


def test_a_growing_list_is_joined_step_by_step() -> None:
    calls, joined = [Call("a0", "relu", {}, ("x",))], ["x", "a0"]
    for i in range(1, 5):
        calls.append(Call(f"c{i}", "concat", {}, tuple(joined)))
        calls.append(Call(f"a{i}", "conv2d", {"out_channels": 4, "kernel_size": 1}, (f"c{i}",)))
        joined.append(f"a{i}")
    network = Network("Net", "", {"n": 1}, {"x": (Size("n"), 3, 8, 8)}, tuple(calls), ("a4",))
    text, _ = write(network)
    assert "memory_peak" in text
    assert text.count("concat") < 4
    assert trace(flattened(text)) == trace(network)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("a", "relu", {}, ("y",)), "a takes 'y', which nothing before it makes"),
        (Call("x", "relu", {}, ("x",)), "two calls or inputs are named 'x'"),
        (Call("a", "reluu", {}, ("x",)), "unknown kind 'reluu'"),
        (
            Call("a", "linear", {"out_features": Size("2*")}, ("x",)),
            "size '2\\*' is no expression",
        ),
    ],
)
def test_networks_that_no_spec_says(call: Call, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        write(Network("Net", "", {}, {"x": (1, 2)}, (call,), ("a",)))


def test_networks_that_are_no_list_of_calls() -> None:
    for name in NOT_FLAT:
        with pytest.raises(NotFlatError):
            flattened(f"{ROOT}/specs/{name}.yaml")

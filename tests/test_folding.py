"""Networks of plain calls are written as specs that do exactly the same, and that one can read."""

import json
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from archspec import build_graph, load
from archspec.fields import as_written
from archspec.importers.calls import Network, Size
from archspec.importers.writing import write
from archspec.layers import find_kind
from costmodel import analyze
from tests.conftest import ROOT, thinned
from tests.flattened import NotFlatError, flattened
from tests.random_calls import random_calls

ZOO = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))
NOT_FLAT = {"deepseek_v3", "gpt_oss", "mixtral", "retinanet"}
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


@pytest.mark.parametrize("name", thinned([n for n in ZOO if n not in NOT_FLAT], 4))
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


def test_networks_that_are_no_list_of_calls() -> None:
    for name in NOT_FLAT:
        with pytest.raises(NotFlatError):
            flattened(f"{ROOT}/specs/{name}.yaml")

"""Random networks in archcost and in PyTorch: the same shapes, parameters and products.

The networks of 2,000 seeds are compared layer by layer and in total, every tenth of them also with
symbols for its numbers. ``ARCHCOST_PARITY_SEED=5000`` begins at another seed, and
``ARCHCOST_PARITY_COUNT=1`` takes so many. What differs is shrunk and printed as a spec.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
import yaml
from sympy import Expr

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from archspec import SpecError
from archspec.architecture import read_architecture
from archspec.composites import COMPOSITES
from archspec.document import parse_document
from archspec.graph import Node
from archspec.layers import KINDS
from costmodel.algebra.printing import text
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze, analyze_architecture
from costmodel.scenario.conventions import find_convention
from tests.conftest import ROOT, parameters_of
from tests.test_algebra import run

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from tests import drafts, twin
from tests.drafts import REFUSALS, Entry
from tests.networks import Spec, draw_network, used, with_symbols
from tests.torch_kinds import TWINS, axes_of_equation, contract
from tests.twin import Shape

FIRST = int(os.environ.get("ARCHCOST_PARITY_SEED", "0"))
COUNT = int(os.environ.get("ARCHCOST_PARITY_COUNT", "2000"))
CHUNK = 50
SYMBOLIC_EVERY = 10
TORCH = find_convention("torch")

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")

Number = Callable[[Expr], Any]
"""Makes a number of a law."""


# What both say.


class Row(NamedTuple):
    """What a layer did in all its runs.

    Attributes:
        outputs: the shapes that left it, and how often.
        params: elements of what its copies learn.
        macs: multiply-accumulates of its runs.
    """

    outputs: Counter[tuple[Shape, ...]]
    params: int
    macs: int


Table = dict[str, Row]
"""Layer → what it did; and the total."""

NOTHING = Row(Counter(), 0, 0)


def add(table: Table, key: str, *more: Row) -> None:
    """Count some more runs of a layer."""
    rows = [table.get(key, NOTHING), *more]
    outputs, params, macs = zip(*rows, strict=True)
    table[key] = Row(sum(outputs, Counter()), sum(params), sum(macs))


def from_torch(network: twin.Network) -> Table:
    table: Table = {}
    for ran in network.ran:
        add(table, ran.key, Row(Counter({ran.outputs: int(ran.works)}), ran.params, ran.macs))
    return table | {"total": Row(Counter(), network.params, network.macs)}


def from_archcost(analysis: Analysis, number: Number) -> Table:
    table: Table = {}
    for layer, (runs, copies, *_) in analysis.counted:
        shapes = tuple(tuple(map(number, shape)) for shape in layer.outputs)
        params = number(analysis.of_layer("params", layer) * copies)
        macs = number(analysis.of_layer("macs", layer) * runs)
        add(table, key_of(layer.node), Row(Counter({shapes: number(runs)}), params, macs))
    params, macs = (number(analysis.total(metric)) for metric in ("params", "macs"))
    return table | {"total": Row(Counter(), params, macs)}


def key_of(node: Node) -> str:
    """A name that was drawn; for a layer that a composite adds the composite's before it."""
    drawn = re.fullmatch(r"v\d+", node.name)
    return node.name if drawn else "/".join(node.path.split("/")[-2:])


def analysed(spec: Spec) -> Analysis:
    """A spec's text through the door; its conditions hold at the symbols' defaults."""
    source = yaml.safe_dump(spec, sort_keys=False)
    return analyze_architecture(read_architecture(parse_document(source)), Setup(TORCH))


def laws_at_numbers(analysis: Analysis) -> Iterator[tuple[str, Number]]:
    """Every law evaluated, and its printed text as Python reads it."""
    yield "evaluated", analysis.evaluator
    if analysis.symbols:
        values = {name: analysis.graph.values[name] for name in analysis.symbols}
        yield "printed", lambda law: run(text(law), values)


# Comparing.


TYPE_CHANGES = ", but the next takes what it leaves"
"""What we say of a body that leaves truth values and takes numbers, which no count depends on."""


def differences(spec: Spec, written: Spec) -> list[str]:
    """What archcost says of a spec as it is ``written`` otherwise than PyTorch does."""
    expected = from_torch(twin.run(spec))
    try:
        analysis = analysed(written)
        return [
            f"{key}, {how}: {show(found.get(key))}, but PyTorch {show(expected.get(key))}"
            for how, number in laws_at_numbers(analysis)
            for found in [from_archcost(analysis, number)]
            for key in {**expected, **found}
            if found.get(key) != expected.get(key)
        ]
    except SpecError as error:
        if TYPE_CHANGES in error.cause:
            return []
        return [f"archcost refuses it: {error}"]
    except Exception as error:  # whatever breaks is shrunk and printed, too
        return [f"archcost breaks: {error!r}"]


def show(row: Row | None) -> str:
    """A row in words."""
    if row is None:
        return "no such layer"
    shapes = ", ".join(f"{times} × {list(shape)}" for shape, times in row.outputs.items())
    return f"{shapes} params {row.params} macs {row.macs}"


def with_symbols_drawn(spec: Spec) -> Spec:
    """A symbol for the turns of a repeat is refused where each turn changes the shape."""
    written = with_symbols(spec, Random(spec["name"]))
    try:
        analysed(written)
    except SpecError as error:
        if "every turn changes" in error.cause:
            return with_symbols(spec, Random(spec["name"]), turns=False)
    return written


def shrunk(spec: Spec, write: Callable[[Spec], Spec]) -> Spec:
    """The spec with as many entries left out as leave a difference."""
    for smaller in smaller_specs(spec):
        try:
            differs = differences(smaller, write(smaller))
        except REFUSALS:
            continue
        if differs:
            return shrunk(smaller, write)
    return spec


def smaller_specs(spec: Spec) -> Iterator[Spec]:
    """The spec without one entry, or with the entries that it holds in its place."""
    for place in places(spec):
        for without in (True, False):
            copy = deepcopy(spec)
            entries, i = at(copy, place)
            held = [] if without else held_by(entries[i])
            entries[i : i + 1] = held
            if (without or held) and (entries or place[-2] not in NEVER_EMPTY):
                yield copy


NEVER_EMPTY = ("layers", "residual", "side")

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where entries stand in a spec: in every list of mappings but the rows of a table."""
    if isinstance(value, dict):
        for key in reversed(value):
            yield from places(value[key], (*place, key))
    if isinstance(value, list) and place[-1] != "rows":
        for i in reversed(range(len(value))):
            if isinstance(value[i], dict):
                yield (*place, i)
            yield from places(value[i], (*place, i))


def at(spec: Spec, place: Place) -> tuple[list[Any], int]:
    """The list of an entry, and its number there."""
    value: Any = spec
    for key in place[:-1]:
        value = value[key]
    return value, int(place[-1])


def held_by(entry: Entry) -> list[Entry]:
    fields = twin.taken_apart(entry).fields
    return [] if isinstance(fields, str) else list(twin.in_full(fields).get("layers", []))


def check(seed: int, spec: Spec, write: Callable[[Spec], Spec]) -> None:
    if differences(spec, write(spec)):
        spec = shrunk(spec, write)
        written = write(spec)
        found = "\n".join(differences(spec, written))
        source = yaml.safe_dump(written, sort_keys=False, default_flow_style=None)
        rerun = f"ARCHCOST_PARITY_SEED={seed} ARCHCOST_PARITY_COUNT=1"
        pytest.fail(f"seed {seed} ({rerun})\n{found}\n\n{source}", pytrace=False)


drawn_once = cache(draw_network)


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, CHUNK), ids="seeds from {}".format)
def test_archcost_and_torch_agree(first: int) -> None:
    for seed in range(first, min(first + CHUNK, FIRST + COUNT)):
        spec = drawn_once(seed)
        check(seed, spec, lambda spec: spec)
        if seed % SYMBOLIC_EVERY == 0:
            check(seed, spec, with_symbols_drawn)


# The networks of the zoo.

ZOO = [
    (path, variant)
    for path in sorted((ROOT / "specs").rglob("*.yaml"))
    for variant in yaml.safe_load(path.read_text(encoding="utf-8")).get("variants") or [None]
]


@pytest.mark.parametrize(
    "first", range(FIRST, FIRST + min(COUNT, 400), CHUNK), ids="seeds from {}".format
)
def test_laws_of_memory_are_those_of_the_numbers(first: int) -> None:
    """With symbols for its numbers a network has the same in memory."""
    for seed in range(first, first + CHUNK):
        spec = draw_network(seed)
        pair = analysed(spec), analysed(with_symbols_drawn(spec))
        for metric in ("memory_peak", "activations"):
            numbers = [analysis.value(metric) for analysis in pair]
            assert numbers[0] == numbers[1], f"seed {seed}: {metric} {numbers}"


MANY_EXPERTS = {"deepseek-v2", "gpt-oss-120b", "qwen3-30b-a3b", "qwen3-235b-a22b"}
"""Networks of ten thousand experts, each of which PyTorch builds: four layers are as good."""

FAMILIES = list({path: (path, variant) for path, variant in reversed(ZOO)}.values())
"""One network of each spec."""


@pytest.mark.parametrize(
    ("path", "variant"),
    [parameters_of(network, exhaustive=network not in FAMILIES) for network in ZOO],
    ids=lambda part: getattr(part, "stem", part),
)
def test_the_zoo_in_torch(path: Path, variant: str | None) -> None:
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    few = {"L": 4} if variant in MANY_EXPERTS else {}
    if few:
        spec["variants"][variant].setdefault("symbols", {}).update(few)
    network = twin.run(spec, variant)
    source = f"{path}@{variant}" if variant else path
    analysis = analyze(source, settings=few, convention="torch")
    counted = analysis.value("params"), analysis.value("macs")
    assert counted == (network.params, network.macs)


# Whether anything is left out.


def test_every_kind_has_a_twin_and_a_drawer() -> None:
    assert set(TWINS) == set(KINDS)
    assert set(twin.COMPOSITES) == set(COMPOSITES)
    assert set(drafts.DRAWERS) == {*KINDS, *COMPOSITES, "block"} - {"use"}  # which names a file


@pytest.mark.skipif(COUNT < 2000, reason="too few networks")
def test_every_kind_is_drawn_often() -> None:
    times: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + COUNT):
        times += used(drawn_once(seed))
    rare = {kind: times[kind] for kind in {*KINDS, *COMPOSITES} - {"use"} if times[kind] < 20}
    assert not rare, times.most_common()


# The twin itself, by hand.


BY_HAND = {
    "3 rows of 2 features to 4, and their biases": ([{"linear": {"out_features": 4}}], 12, 24),
    "4 gates of 5 cells, each with 2 inputs, 5 states and two biases, over 3 steps": (
        [{"lstm": {"hidden_size": 5}}],
        4 * 5 * (2 + 5 + 2),
        3 * 4 * 5 * (2 + 5),
    ),
    "4 projections of 2 × 2; 3 queries, each to 2 of 3 keys": (
        [{"self_attention": {"heads": 1, "window": 2, "bias": False}}],
        4 * 4,
        3 * 4 * 4 + 2 * 3 * 2 * 2,
    ),
    "a router and 5 experts of 2 × 2, of which 3 work": (
        [{"moe": {"experts": 5, "top_k": 3, "layers": [{"linear": {"out_features": 2}}]}}],
        2 * 5 + 5 * (4 + 2),
        3 * 2 * 5 + 3 * 3 * 4,
    ),
    "a weight of 2 × 7 twice, 7 numbers of bias once": (
        [
            {"linear": {"out_features": 7, "bias": False}, "name": "owner"},
            {"linear": {"out_features": 2, "bias": False}},
            {"linear": {"out_features": 7, "weight": "owner"}},
        ],
        14 + 14 + 7,
        3 * 3 * 14,
    ),
    "2 × 2 inputs to 5 outputs: 3 rows of xᵀW, then of its product with z": (
        [{"identity": {}, "name": "x"}, {"bilinear": {"out_features": 5}, "from": ["x", "x"]}],
        2 * 2 * 5 + 5,
        3 * (2 * 2 * 5 + 2 * 5),
    ),
    "an outer product multiplies without a sum": (
        [{"einsum": {"equation": "ntc, x -> ntcx", "sizes": {"x": 5}}}],
        5,
        0,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_twin_counts(name: str) -> None:
    layers, params, macs = BY_HAND[name]
    counted = twin.run({"input": [1, 3, 2], "layers": layers})
    assert (counted.params, counted.macs) == (params, macs)


@pytest.mark.parametrize(
    "equation", ["abc,cd->dab", "ab,bc->", "ab,ab->a", "abc,bde->da", "a,b->ba"]
)
def test_the_twin_of_einsum_is_einsum(equation: str) -> None:
    terms, output = axes_of_equation(equation)
    operands = [torch.rand([ord(axis) - ord("a") + 1 for axis in term]) for term in terms]
    expected = torch.einsum(equation, *operands)
    torch.testing.assert_close(contract(operands, terms, output), expected)

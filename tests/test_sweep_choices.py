"""Structures as axes: choices inside lists; every row is what a single analysis says there."""

import csv
import json
from fractions import Fraction
from io import StringIO
from itertools import chain, product
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from archspec import load
from archspec.expansion import Expanded, build_graph
from archspec.known_blocks import KnownBlocks
from costmodel import SpecError, analyze
from costmodel.sweep import engine
from costmodel.sweep.let_overrides import override_of
from costmodel.sweep.query import Request
from costmodel.sweep.study import sweep
from costmodel.sweep.vary import read_varied
from tests.conftest import ROOT, Run, thinned

ONCE_FOR_ALL = str(ROOT / "benchmarks" / "once_for_all.yaml")

SMALL = """
archspec: 1
name: small
symbols: {n: 1, h: 32, width: {default: 1, domain: real}}
let:
  depths: [1, 2]
  kernels: [3, 5]
  stages: [[3, 1], [5, 2]]
input: [n, 3, h, h]
layers:
  - foreach:
      index: i
      rows: [{c: 8}, {c: 16}]
      layers:
        - conv2d: {out_channels: "round_to(c*width, 4)", kernel_size: "kernels[i]", stride: 2}
        - repeat:
            times: depths[i]
            index: j
            layers:
              - residual:
                  - conv2d: {out_channels: in_channels, kernel_size: "stages[i][0]", padding: same}
                  - relu
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return str(file)


def test_a_choice_of_a_symbol_is_a_list_of_values() -> None:
    (chosen,) = read_varied(["h=choice(32, 64,128:160:16)"])
    (listed,) = read_varied(["h=32,64,128:160:16"])
    assert chosen.values == listed.values


def test_choices_in_a_list_are_named_by_their_places() -> None:
    found = read_varied(["k=[choice(3,5), 7, choice(1,3)]*2"])
    assert [(one.name, one.values, one.of) for one in found[1:]] == [
        ("k_0", (3, 5), "k"), ("k_2", (1, 3), "k"), ("k_3", (3, 5), "k"), ("k_5", (1, 3), "k")
    ]  # fmt: skip
    assert found[0].pattern == "[k_0, 7, k_2, k_3, 7, k_5]"
    (first, *_) = read_varied(["k=[[choice(3,5), 2]*2, [1, choice(2,3)]]"])
    assert first.pattern == "[[k_0_0, 2, k_0_2, 2], [1, k_1_1]]"


def settings_of(line: dict[str, str]) -> dict[str, Any]:
    """Return the symbols and lists of a row of the small network."""
    lists = {
        f"{name}_{i}": int(line[f"{name}_{i}"]) for name in ("depths", "kernels") for i in (0, 1)
    }
    return lists | {"h": int(line["h"]), "width": line["width"]}


def alone(line: dict[str, str]) -> Any:
    """Return the analysis of the small network with a row's values written into it."""
    at = settings_of(line)
    text = SMALL.replace("depths: [1, 2]", f"depths: [{at['depths_0']}, {at['depths_1']}]")
    text = text.replace("kernels: [3, 5]", f"kernels: [{at['kernels_0']}, {at['kernels_1']}]")
    return analyze(text, settings={"h": at["h"], "width": at["width"]})


MORE: list[tuple[str, ...]] = [("--sample", "300"), (), ("--jobs", "3")]


@pytest.mark.parametrize("more", thinned([(each,) for each in MORE]))
def test_every_row_is_a_network_of_its_own(
    more: tuple[str, ...], small: str, archcost: Run
) -> None:
    done = archcost("sweep", small, "--vary", "depths=[choice(1,2,3)]*2", "kernels=[choice(3,5)]*2",
                    "width=0.5,1.25", "h=24,32", "--metric", "macs", "params", "memory_peak",
                    "activations_peak", "--format", "csv", *more)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = list(csv.DictReader(StringIO(done.stdout)))
    assert len(lines) == (300 if "--sample" in more else 144)
    for line in lines[:: max(1, len(lines) // 8)]:
        analysis = alone(line)
        for name in ("macs", "params", "memory_peak", "activations_peak"):
            assert int(line[name]) == analysis.value(name), (line, name)


def test_what_is_proved_and_what_is_not_are_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def columns() -> list[Any]:
        request = Request(("macs", "params", "memory_peak", "activations", "activations_peak"))
        vary = ["depths=[2,2,2,2],[1,2,3,1]", "h=30:64", "w=h", "width=0.5,1"]
        rows = sweep([str(ROOT / "specs/resnet.yaml@resnet50")], vary, request).rows()
        parts = [[chunk[name].tolist() for name in request.metrics] for chunk in rows]
        return [list(chain(*column)) for column in zip(*parts, strict=True)]

    plain = columns()
    monkeypatch.setattr(engine, "MANY_POINTS", 1)
    assert columns() == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depths=[choice(1,2)*2,1]", "a choice in a list stands alone"),
        ("depths=[choice(1,1),1]", "the value 1 stands there twice"),
        ("depths=[choice([1],[2]),1]", "a choice in a list is of numbers"),
        ("depths=[choice(1,2),1", "is not closed"),
        ("depth=[choice(1,2)]", "has no symbol 'depth'"),
        ("n=[choice(1,2)]", "n is a symbol"),
        ("stages=[choice(1,2),3]", "in the spec 'stages' is a list of lists of numbers"),
        ("depths=[choice(0,1),1]", "depths_0 = 0 must be positive"),
    ],
)
def test_bad_choices(text: str, message: str, small: str, archcost: Run) -> None:
    done = archcost("sweep", small, "--vary", text, "--metric", "macs")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_choice_whose_name_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "taken.yaml"
    file.write_text(SMALL.replace("n: 1,", "n: 1, depths_0: 3,"), encoding="utf-8")
    with pytest.raises(SpecError, match="the spec has a 'depths_0'"):
        sweep([str(file)], ["depths=[choice(1,2),1]"])


ASKED = ("macs", "params", "model_size", "memory_peak")
SPACE = ["depths=[choice(2,3,4)]*5", "kernels=[choice(3,5,7)]*20", "expansions=[choice(3,4,6)]*20",
         "width=1,1.2", "h=128:224:4", "w=h"]  # fmt: skip


@pytest.mark.exhaustive
def test_random_networks_of_the_once_for_all_space() -> None:
    """Each is what an analysis says of a spec that has its numbers written into it."""
    from costmodel.analysis.loading import Setup
    from costmodel.scenario.scenario import scenario

    setup = Setup(scenario=scenario(dtype="int8"))
    study = sweep([ONCE_FOR_ALL], SPACE, Request(ASKED), setup=setup, sample=12, seed=5)
    rows = list(study.rows())
    assert sum(chunk.count for chunk in rows) == 12
    text = Path(ONCE_FOR_ALL).read_text(encoding="utf-8")
    chunk = rows[0]
    for place in range(0, chunk.count, 3):
        lists = {
            "depths: [4, 4, 4, 4, 4]": [chunk[f"depths_{i}"][place] for i in range(5)],
            f"kernels: {[7] * 20}": [chunk[f"kernels_{i}"][place] for i in range(20)],
            f"expansions: {[6] * 20}": [chunk[f"expansions_{i}"][place] for i in range(20)],
        }
        own = text
        for was, values in lists.items():
            assert was in own
            own = own.replace(was, f"{was.partition(':')[0]}: {list(map(int, values))}")
        settings = {name: chunk[name][place] for name in ("width", "h", "w")}
        alone = analyze(own, settings=settings, scenario={"dtype": "int8"})
        assert [int(chunk[name][place]) for name in ASKED] == [alone.value(n) for n in ASKED]


HOSTILE = """
archspec: 1
name: hostile
symbols: {n: 1, c: 4, k: 3}
let: {depths: [1, 2], flat: false}
input: [n, c, 32, 32]
blocks:
  plain: {parameters: {out: 8}, layers: [conv2d: {out_channels: out, kernel_size: 1}, relu]}
  of_let:
    layers:
      - conv2d: {out_channels: "8*depths[1]", kernel_size: 1}
      - relu:
        when: flat
  of_tensor:
    layers:
      - conv2d: {out_channels: 8, kernel_size: 1}
      - concat: {axis: 1}
        from: [previous, stem]
  named:
    layers: [conv2d: {out_channels: 8, kernel_size: k, padding: same}, {relu: , name: inside}]
  outer: {layers: [plain: {out: "2*in_channels"}, of_let: , named: ]}
layers:
  - plain: {out: c}
    name: stem
  - repeat: {times: "depths[0]", index: i, layers: [outer: , of_tensor: , plain: {out: 4 + i}]}
  - share: stem
    when: depths[0] == 2
  - named
  - add:
    from: [previous, inside]
    when: depths[0] == 5
  - plain
"""


def test_blocks_that_other_structures_have_are_expanded_as_alone() -> None:
    architecture = load(HOSTILE)
    known: KnownBlocks[Expanded] = KnownBlocks()
    for depths, flat, k in product(([1, 2], [2, 2], [2, 1], [3, 1]), (False, True), (3, 5)):
        header = architecture.header
        lets = {"depths": override_of(str(depths)), "flat": override_of(str(flat).lower())}
        own = architecture._replace(header=header.model_copy(update={"let": header.let | lets}))
        assert build_graph(own, {"k": k}, None, known) == build_graph(own, {"k": k})


SPACES: dict[str, tuple[str, list[str], dict[str, str]]] = {
    "choices in nested lists": (
        "proxylessnas.yaml", ["channels=[16,choice(24,32),40,80,96,192,320]",
        "depths=[1,choice(1,2),2,2,2,choice(1,2),1]", "h=64,100", "w=h"],
        {"channels": "[16,{channels_1},40,80,96,192,320]",
         "depths": "[1,{depths_1},2,2,2,{depths_5},1]"}),
    "lists, numbers, truth values": (
        "regnet.yaml", ["widths=[choice(32,24),64,160,400]", "depths=[1,2,choice(3,7),2]",
        "group_width=8,16", "squeeze=false,true"],
        {"widths": "[{widths_0},64,160,400]", "depths": "[1,2,{depths_2},2]",
         "group_width": "{group_width}", "squeeze": "{squeeze}"}),
    "expressions in lists": (
        "mlp.yaml", ["hidden=[d],[d,4*d],[d,d,d]", "d=128:512:*2"], {"hidden": "{hidden}"}),
    "variants and numbers": (
        "vgg.yaml@*", ["batch_norm=0,1", "h=32,64", "w=h"], {"batch_norm": "{batch_norm}"}),
    "structure that varies fastest": (
        "densenet.yaml", ["h=64,97", "w=h", "k=12,32", "depths=[choice(1,2),2,choice(2,3),1]"],
        {"depths": "[{depths_0},2,{depths_2},1]"}),
    "linked numbers": (
        "mobilenetv3.yaml", ["phi=0:2", "width=1.1**phi", "head=round_to(1024*width,8)", "h=64"],
        {"head": "{head}"}),
    "linked structure": (
        "efficientnet.yaml", ["phi=0:3", "depth=1.2**phi", "width=1.1**phi", "h=64"], {}),
    "integers of an interval": ("lstm.yaml", ["layers=2:4", "tied=false,true", "t=5", "d=650,100"],
                                {"layers": "{layers}", "tied": "{tied}"}),
}  # fmt: skip


@pytest.mark.parametrize("name", thinned(SPACES))
def test_random_rows_are_networks_of_their_own(name: str, archcost: Run) -> None:
    """Each row is what an analysis says of a spec that has its values written into it."""
    spec, vary, lets = SPACES[name]
    metrics = ("macs", "params", "memory_peak")
    done = archcost("sweep", str(ROOT / "specs" / spec), "--vary", *vary, "--metric", *metrics,
                    "--format", "jsonl")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line, parse_float=Fraction) for line in done.stdout.splitlines()]
    for row in Random(name).sample(rows, min(5, len(rows))):
        own = yaml.safe_load((ROOT / "specs" / spec.partition("@")[0]).read_text(encoding="utf-8"))
        variant = own.pop("variants", {}).get(row.get("variant")) or {}
        own["let"] = {**own.get("let", {}), **variant.get("let", {})}
        own["let"] |= {n: yaml.safe_load(text.format(**row)) for n, text in lets.items()}
        own["symbols"] |= variant.get("symbols", {})
        settings = {symbol: row[symbol] for symbol in own["symbols"] if symbol in row}
        del own["expect"]
        alone = analyze(own, settings=settings)
        assert [row[each] for each in metrics] == [alone.value(each) for each in metrics], row


@pytest.mark.parametrize("name", ["depths=2*h", "flat=h"])
def test_links_of_what_is_no_number(name: str, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    text = SMALL.replace("depths: [1, 2]", "depths: [1, 2]\n  flat: false")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match="is no number takes a list"):
        sweep([str(file)], [name])

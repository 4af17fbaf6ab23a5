"""Structure that varies: points without a network wherever they are, open laws, values of let."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from costmodel import SpecError, analyze
from costmodel.analysis.columns import SymbolColumn
from costmodel.analysis.loading import Setup
from costmodel.metrics import receptive_field
from costmodel.scenario.scenario import scenario
from costmodel.sweep.query import Request
from costmodel.sweep.study import sweep
from tests.conftest import ROOT, Run

METRICS = ("macs", "params", "memory_peak")

RESIDUAL = """
archspec: 1
name: residual
symbols: {n: 1, a: 1, b: 2, h: 8}
input: [n, 8, h, h]
layers:
  - conv2d: {out_channels: 8, kernel_size: 3, padding: 1}
  - conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
    when: a == 2 and b > 2
  - residual:
      - conv2d: {out_channels: 16 // a, kernel_size: 1}
"""
"""Its shapes fit at a = 2 alone, where its structure hangs on b; elsewhere it does not."""

GROUPS = """
archspec: 1
name: groups
symbols: {n: 1, a: 1, b: 2, h: 8}
input: [n, 8, h, h]
layers:
  - conv2d: {out_channels: 16, kernel_size: 3, stride: 2, padding: 1}
    when: a == 2 and b > 2
  - conv2d: {out_channels: 12, kernel_size: 5, groups: b, stride: a}
"""
"""The groups divide the channels at some b, and the map holds the kernel at some h."""

TURNS = """
archspec: 1
name: turns
symbols: {n: 1, L: 3, h: 9}
input: [n, 5, h, h]
layers:
  - repeat:
      times: L
      index: i
      layers:
        - conv2d: {out_channels: 4*i + 4, kernel_size: 3, groups: "min(4*i + 1, 4)"}
"""
"""Iterations with an index: their number must be known. Each takes 2 off the map's sides."""

GROWING = """
archspec: 1
name: growing
symbols: {n: 1, L: 3, h: 9}
input: [n, 5, h, h]
layers:
  - repeat:
      times: L
      layers:
        - parallel:
            branches: [[], [conv2d: {out_channels: 3, kernel_size: 3, padding: 1}]]
            merge: concat
"""

LETS = """
archspec: 1
name: lets
symbols: {n: 1, d: 32}
let: {hidden: [64, 32], biased: false, k: 3, table: [[1, 2], [3, 4]]}
input: [n, d]
layers:
  - linear: {out_features: "hidden[0]", bias: false}
  - linear: {out_features: "hidden[1] * k + table[0][1]", bias: false}
  - linear: {out_features: 7, bias: false}
    when: biased
"""


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "net.yaml"
    file.write_text(text)
    return str(file)


def rows(study: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for chunk in study.rows():
        columns = [column.tolist() for column in chunk.values()]
        found += [dict(zip(chunk, row, strict=True)) for row in zip(*columns, strict=True)]
    return found


def single(spec: str, point: Mapping[str, Any], **said: Any) -> dict[str, Any] | None:
    """One analysis with numbers for all that varies; None where it is no network."""
    try:
        found = analyze(spec, settings=point, scenario=scenario(**said))
        found = analyze(spec, settings={**found.graph.values, **point}, scenario=scenario(**said))
    except SpecError:
        return None
    return {**point, **{name: found.value(name) for name in METRICS}}


VALUES = {
    RESIDUAL: {"a": [4, 1, 2, 3], "b": [1, 2, 3, 4], "h": [8, 9]},
    GROUPS: {"a": [1, 2, 3], "b": [3, 1, 2, 4, 5], "h": [4, 5, 8, 2]},
    TURNS: {"L": [5, 1, 3, 4], "h": [9, 8]},
}


@pytest.mark.parametrize("text", VALUES)
def test_points_without_a_network_are_left_out_wherever_they_are(tmp_path: Path, text: str) -> None:
    """In each order of the axes; some begin, have in the middle and end where there is none."""
    spec, values = write(tmp_path, text), VALUES[text]
    for names in (list(values), list(reversed(values))):
        points = [
            dict(zip(names, each, strict=True)) for each in product(*(values[n] for n in names))
        ]
        wanted = [found for point in points if (found := single(spec, point)) is not None]
        study = sweep([spec], [f"{n}={','.join(map(str, values[n]))}" for n in names],
                      Request(metrics=METRICS))  # fmt: skip
        assert [{key: row[key] for key in (*names, *METRICS)} for row in rows(study)] == wanted
        assert study.tally.invalid == len(points) - len(wanted)
        assert wanted


@pytest.mark.parametrize("text", [RESIDUAL, GROUPS])
def test_drawn_points_without_a_network_are_left_out(tmp_path: Path, text: str) -> None:
    spec = write(tmp_path, text)
    study = sweep([spec], ["b=1:4", "a=1:4", "h=2:9"], Request(metrics=METRICS), sample=40, seed=2)
    found = rows(study)
    assert 0 < len(found) < 40
    assert study.tally.invalid == 40 - len(found)
    for row in found:
        assert {key: row[key] for key in ("b", "a", "h", *METRICS)} == single(
            spec, {key: row[key] for key in ("b", "a", "h")}
        )
    drawn = study.cases[0].space.drawn(0, 40)
    columns = [each.shown().tolist() for each in drawn.values() if isinstance(each, SymbolColumn)]
    points = [dict(zip(drawn, each, strict=True)) for each in zip(*columns, strict=True)]
    assert len(found) == sum(single(spec, point) is not None for point in points)


def test_where_no_point_is_a_network_the_first_says_why(tmp_path: Path, archcost: Run) -> None:
    spec = write(tmp_path, RESIDUAL)
    done = archcost("sweep", spec, "--vary", "a=1,4", "b=1,2,3", "--metric", "macs",
                    "--format", "csv")  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "net.yaml:10:5: residual_1/add: axis -3 of residual_1/conv2d_1 (16) and of " in done.stderr
    )
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("names", ["hidden h", "h hidden"])
def test_what_the_spec_stands_for_itself_need_make_no_network(tmp_path: Path, names: str) -> None:
    """The spec's own list breaks the rule that most values break too; of four one is valid."""
    spec = write(tmp_path, """
archspec: 1
name: own
symbols: {n: 1, h: 8}
let: {hidden: [9, 9]}
input: [n, 8, h, h]
layers:
  - residual:
      - conv2d: {out_channels: "hidden[0]", kernel_size: 1}
""")  # fmt: skip
    values = {"hidden": "[9,1],[9,2],[9,3],[8,3],[9,4]", "h": "4,5,6"}
    study = sweep([spec], [f"{name}={values[name]}" for name in names.split()],
                  Request(metrics=("macs",)))  # fmt: skip
    assert [row["macs"] for row in rows(study)] == [64 * h * h for h in (4, 5, 6)]
    assert study.tally.invalid == 12


def test_a_link_decides_structure(tmp_path: Path) -> None:
    """L = h/3 makes a number of turns at h = 3, 6 and 9, and none at h = 4."""
    spec = write(tmp_path, TURNS)
    study = sweep([spec], ["h=6,9,4,3", "L=h/3"], Request(metrics=METRICS))
    wanted = [single(spec, {"h": h, "L": h // 3}) for h in (6, 9, 3)]
    assert [{key: row[key] for key in ("h", "L", *METRICS)} for row in rows(study)] == wanted
    assert study.tally.invalid == 1


def peak(L: int, h: int) -> int:  # noqa: N803 - the symbol
    """Of the last merge: what enters, what it adds and what leaves, each in half bytes."""
    channels = 5 + 3 * (L - 1)
    return sum(-(-h * h * each // 2) for each in (channels, 3, channels + 3))


@pytest.mark.parametrize("vary", [["L=1:4", "h=8,9"], ["h=8,9", "L=1:4"], ["h=4,8", "L=h/4"]])
def test_a_metric_without_a_law_is_looked_at_point_by_point(
    tmp_path: Path, vary: list[str]
) -> None:
    """Iterations that grow have no law in bytes of half-byte types."""
    setup = Setup(scenario=scenario(dtype="int4"))
    spec = write(tmp_path, GROWING)
    found = rows(sweep([spec], vary, Request(metrics=("memory_peak",)), setup=setup))
    assert len(found) == (2 if vary[1] == "L=h/4" else 8)
    for row in found:
        assert row["memory_peak"] == peak(row["L"], row["h"])
    if vary[0] == "L=1:4":
        drawn = rows(sweep([spec], ["L=1:4", "h=8:9"], Request(metrics=("memory_peak",)),
                           setup=setup, sample=9))  # fmt: skip
        assert [row["memory_peak"] for row in drawn] == [peak(r["L"], r["h"]) for r in drawn]


def test_truth_values_and_lists_are_swept(tmp_path: Path, archcost: Run) -> None:
    """By hand: d·a + a·(b·k + 2), and 7·(b·k + 2) with the last layer."""
    spec = write(tmp_path, LETS)
    study = sweep([spec], ["biased=false,true", "hidden=[8, 4],[d, 2*d]", "k=3,5", "d=16,32"],
                  Request(metrics=("macs",)))  # fmt: skip
    found = rows(study)
    assert len(found) == 16
    for row in found:
        d, k = row["d"], row["k"]
        a, b = (8, 4) if row["hidden"] == "[8, 4]" else (d, 2 * d)
        last = 7 * (b * k + 2) if row["biased"] == "true" else 0
        assert row["macs"] == d * a + a * (b * k + 2) + last
    done = archcost("sweep", spec, "--vary", "biased=true", "--metric", "macs", "--format", "csv")
    assert done.stdout == f"biased,macs\ntrue,{32 * 64 + 64 * 98 + 7 * 98}\n"


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("hidden=[64,32],[q,d]", r"--vary hidden: in \[q,d\]: unknown name 'q'"),
        ("hidden=[64,32],[]", r"in \[\] an item is missing"),
        ("hidden=[1,2],[1,,2]", r"in \[1,,2\] an item is missing"),
        ("hidden=[64,32],[1,2", r"'\[1,2' is not closed"),
        ("hidden=[64,32],5", "5 is a number\n  hint: in the spec 'hidden' is a list of numbers"),
        ("hidden=[1,2],[true,1]", "is a list of numbers and truth values"),
        ("hidden=[1,2],[64 32]", "expected an operator before '32'"),
        ("hidden=[1,2],[1/0,2]", "division by zero"),
        ("table=[[1,2],[3,4]],[1,2]", "'table' is a list of lists of numbers"),
        ("biased=1,true", "1 is a number\n  hint: in the spec 'biased' is a truth value"),
        ("k=3,true", "true is a truth value\n  hint: in the spec 'k' is a number"),
        ("k=[1],3", r"\[1\] is a list of numbers"),
        ("d=16,true", "true is a truth value; a symbol is a number"),
    ],
)
def test_values_of_another_form_are_errors(tmp_path: Path, value: str, cause: str) -> None:
    """Whatever other values there are, they are no points without a network."""
    with pytest.raises(SpecError, match=cause):
        sweep([write(tmp_path, LETS)], [value], Request(metrics=("macs",)))


def test_a_list_that_is_too_short_makes_no_network(tmp_path: Path) -> None:
    study = sweep([write(tmp_path, LETS)], ["hidden=[7],[64,32]"], Request(metrics=("macs",)))
    assert [row["hidden"] for row in rows(study)] == ["[64,32]"]
    assert "index 1 is outside a list of 1" in str(study.tally.refusal)


@pytest.mark.parametrize(
    "value", ["h=1e400:2e400", "h=1e300:1e301:7", "h=-1e300", "h=64:1e400", "h=1e400,1e400",
              "h=2e400:1e400", "h=1e-300", "h=1e300:2e300:*1"],
)  # fmt: skip
def test_long_numbers_are_abridged_in_errors(tmp_path: Path, value: str) -> None:
    with pytest.raises(SpecError) as raised:
        sweep([write(tmp_path, RESIDUAL)], [value], Request(metrics=("macs",)))
    assert len(raised.value.cause) < 160


def test_fields_that_nobody_asks_for_are_not_worked_out(
    archcost: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(network: object) -> None:
        raise AssertionError(f"the receptive fields of {network}")

    monkeypatch.setattr(receptive_field, "fields_of", refuse)
    resnet = str(ROOT / "specs" / "resnet.yaml@resnet18")
    vary = ["depths=[1,1,1,1],[1,2,1,1]", "h=64,96", "w=h"]
    for more in ((), ("--metric", "memory_peak", "latency", "--hardware", "t4")):
        assert archcost("sweep", resnet, "--vary", *vary, *more).returncode == 0
    with pytest.raises(AssertionError, match="the receptive fields"):
        archcost("sweep", resnet, "--vary", *vary, "--metric", "receptive_field")

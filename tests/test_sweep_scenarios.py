"""Scenarios and expressions of other names as axes; sweeps as objects of Python."""

import csv
import re
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from costmodel import SpecError, analyze, sweep_points
from tests.conftest import Run

MOBILENET = "specs/mobilenetv2.yaml"


def lines_of(run: Run, *words: str) -> list[dict[str, str]]:
    """Return the rows of a sweep as the texts of its CSV."""
    done = run("sweep", *words, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(StringIO(done.stdout)))


def test_devices_and_types_are_axes(archcost: Run) -> None:
    lines = lines_of(archcost, "alexnet", "--vary", "hardware=t4,a100-80gb", "dtype=fp16,int8",
                     "h=128,224", "w=h", "--metric", "model_size", "latency")  # fmt: skip
    assert [(line["hardware"], line["dtype"], line["h"]) for line in lines] == [
        (device, dtype, h)
        for device in ("t4", "a100-80gb")
        for dtype in ("fp16", "int8")
        for h in ("128", "224")
    ]
    for line in lines[::3]:
        there = {"hardware": line["hardware"], "dtype": line["dtype"]}
        at = analyze("alexnet", settings={"h": line["h"], "w": line["h"]}, scenario=there)
        assert int(line["model_size"]) == at.value("model_size")
        assert float(line["latency"]) == float(at.value("latency"))


def test_what_the_scenarios_say_stands_below(archcost: Run) -> None:
    done = archcost("sweep", "alexnet", "--vary", "dtype=fp16,int8", "--metric", "model_size")
    (types,) = (line for line in done.stdout.splitlines() if line.startswith("types"))
    assert "weights fp16" in types
    below = done.stdout[done.stdout.index("types") :]
    assert "int8" in below


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dtype=fp16,int8", "--dtype", "fp16"), "the scenario says already dtype or weights"),
        (("dtype=fp16,fp16",), "dtype takes values that differ"),
        (("dtype=fp16,",), "dtype takes values that differ"),
        (("dtype=fp16", "dtype=int8"), "dtype takes values that differ"),
        (("hardware=t4,t5",), "t5"),
        (("dtype=fp16,int9",), "int9"),
        (("efficiency=0.5,1",), "efficiency is of a device"),
        (("phi=0:3",), "has no symbol 'phi'"),
        (("phi=true,false", "width=1.1**phi"), "links are computed of numbers alone"),
        (("phi=2*n", "width=1.1**phi"), "has no symbol 'phi'"),
    ],
)
def test_bad_axes(words: tuple[str, ...], message: str, archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_power_that_is_no_fraction_makes_no_network(archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "phi=0:3", "width=1.1**(phi/2)")
    assert "4; 2 make no valid network (as link of 'width'" in " ".join(done.stdout.split())


@pytest.mark.parametrize("more", [(), ("--sample", "20")])
def test_expressions_of_a_name_that_no_spec_has(more: tuple[str, ...], archcost: Run) -> None:
    lines = lines_of(archcost, MOBILENET, "--vary", "phi=0:3", "width=1.1**phi", "h=32*(4+phi)",
                     "w=h", "classes=10,100", "--sort", "phi", "--metric", "macs", "params",
                     *more)  # fmt: skip
    assert len(lines) == (20 if more else 8)
    for line in lines[::4]:
        phi = int(line["phi"])
        assert Fraction(line["width"]) == Fraction(11, 10) ** phi
        given: dict[str, Any] = {"width": line["width"], "h": 32 * (4 + phi), "w": 32 * (4 + phi)}
        at = analyze(MOBILENET, settings={**given, "classes": line["classes"]})
        assert (int(line["macs"]), int(line["params"])) == (at.value("macs"), at.value("params"))


def test_a_sweep_in_python_is_reduced_and_keeps_its_columns() -> None:
    pytest.importorskip("pyarrow")
    vary: dict[str, list[Any]] = {"width": ["0.5", 1], "h": [96, 128], "w": ["h"]}
    points = sweep_points("mobilenet_v2", vary, metric=["macs", "params", "macs/params"])
    rows = points.to_arrow().to_pylist()
    assert [row["macs/params"] for row in rows] == [row["macs"] / row["params"] for row in rows]
    assert points.to_arrow().to_pylist() == rows
    largest = points.top(2, "macs:max").to_arrow().to_pylist()
    assert largest == sorted(rows, key=lambda row: -row["macs"])[:2]
    front = points.front("macs", "params:max").to_arrow().to_pylist()
    assert [(row["macs"], row["params"]) for row in front] == [
        (row["macs"], row["params"])
        for row in rows
        if not any(
            other["macs"] <= row["macs"] and other["params"] >= row["params"] and other != row
            for other in rows
        )
    ]
    assert list(front[0]) == list(rows[0])
    chosen = points.front("macs", "params:max").top(1, "params:max").to_arrow().to_pylist()
    assert chosen == [max(front, key=lambda row: row["params"])]
    best = points.top(3, "macs")
    with pytest.raises(SpecError, match="a front or the best already"):
        best.front("params")
    with pytest.raises(SpecError, match="the best already, in something else"):
        best.top(1, "params")


def test_what_varies_in_python_may_be_a_text_or_a_number() -> None:
    pytest.importorskip("pyarrow")
    points = sweep_points("alexnet", {"h": "128:160:32", "w": 224}, metric="macs").to_arrow()
    assert points["h"].to_pylist() == [128, 160]
    assert points["w"].to_pylist() == [224, 224]
    with pytest.raises(SpecError, match="sweep_points has no 'metrics'") as caught:
        sweep_points("alexnet", "h=128,224", metrics="macs")  # type: ignore[call-arg]
    assert caught.value.hint == "did you mean 'metric'?"


def test_scenarios_in_python_are_words_or_mappings() -> None:
    pytest.importorskip("pyarrow")
    by_word = sweep_points("alexnet", "h=128,224", metric="model_size", dtype="int8").to_arrow()
    there = {"dtype": "int8"}
    assert (
        by_word
        == sweep_points("alexnet", "h=128,224", metric="model_size", scenario=there).to_arrow()
    )
    axes = sweep_points("alexnet", {"dtype": ["fp16", "int8"]}, metric="model_size").to_arrow()
    assert axes["dtype"].to_pylist() == ["fp16", "int8"]
    with pytest.raises(SpecError, match="dtipe"):
        sweep_points("alexnet", "h=128,224", dtipe="int8")  # type: ignore[call-arg]


def test_threads_evaluate_the_same_points() -> None:
    pytest.importorskip("pyarrow")
    said = ("mobilenet_v2", ["h=32:64", "w=h", "width=0.5,1"])
    with ThreadPoolExecutor(4) as executor:
        by_threads = sweep_points(*said, pareto=("macs", "h:max"), executor=executor)
        assert by_threads.to_arrow() == sweep_points(*said, pareto=("macs", "h:max")).to_arrow()


def test_shards_and_processes_in_python() -> None:
    pytest.importorskip("pyarrow")
    said = ("mobilenet_v2", ["h=32:64", "w=h"])
    whole = sweep_points(*said, metric="macs").to_arrow()
    parts = [sweep_points(*said, metric="macs", shard=f"{part}/3").to_arrow() for part in (1, 2, 3)]
    assert [line for part in parts for line in part.to_pylist()] == whole.to_pylist()
    depths = ("resnet50", ["depths=[choice(1,2,3)]*4"])
    assert (
        sweep_points(*depths, metric="params", jobs=2).to_arrow()
        == sweep_points(*depths, metric="params").to_arrow()
    )


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"shard": "4/3"}, "--shard 4/3: a shard is a part of so many"),
        ({"jobs": 0}, "at least one process"),
        ({"on": "ray://x"}, "evaluated on this machine or a cluster of Dask"),
        ({"on": "dask://x:1", "jobs": 2}, "--jobs 2 is of this machine"),
        ({"jobs": 2, "executor": ThreadPoolExecutor(1)}, "an executor, or by on= and jobs="),
    ],
)
def test_places_and_shards_in_python_obey_the_rules(options: dict[str, Any], cause: str) -> None:
    with pytest.raises(SpecError, match=re.escape(cause)):
        sweep_points("alexnet", "h=128,224", **options)


def test_a_sweep_in_python_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawing = sweep_points("alexnet", "h=128,224", metric="macs").plot(str(tmp_path / "h.svg"))
    assert drawing.about == "AlexNet: MACs over h"
    assert (tmp_path / "h.svg").exists()

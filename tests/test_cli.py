"""The command line, as a person runs it: golden outputs, and invariants of the text."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from importlib.metadata import version
from io import StringIO
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest

from archspec.arithmetic import round_to
from costmodel.cli.app import app, known_commands
from tests.conftest import Run

ALEXNET = "specs/alexnet.yaml"
NAMES = {"floor": floor, "ceil": ceil, "min": min, "max": max, "round_to": round_to}

Golden = Callable[[str, str], None]

VIEWS = {
    "table.txt": (ALEXNET,),
    "table-200.txt": (ALEXNET,),
    "table-metrics.txt": (ALEXNET, "--metric", "macs", "activations_peak"),
    "table-peak.txt": (ALEXNET, "--metric", "activations_peak"),
    "table-set.txt": (ALEXNET, "--set", "h=192", "w=192", "n=8", "--convention", "pycls"),
    "symbolic.txt": (ALEXNET, "--symbolic"),
    "symbolic-set.txt": (ALEXNET, "--symbolic", "--set", "g=2", "c=3", "--metric", "macs"),
    "report.json": (ALEXNET, "--format", "json"),
    "report.csv": (ALEXNET, "--format", "csv"),
    "symbolic.csv": (ALEXNET, "--format", "csv", "--symbolic"),
    "report.md": (ALEXNET, "--format", "markdown"),
    "symbolic.md": (ALEXNET, "--format", "markdown", "--symbolic"),
    "report.tex": (ALEXNET, "--format", "latex"),
    "symbolic.tex": (ALEXNET, "--format", "latex", "--symbolic"),
    "explain.txt": ("explain", ALEXNET),
    "explain-pycls.txt": ("explain", ALEXNET, "conv2d_2", "--convention", "pycls"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, archcost: Run, golden: Golden) -> None:
    done = archcost(*VIEWS[name], columns=200 if "200" in name else 80)
    assert (done.returncode, done.stderr) == (0, "")
    golden(name, done.stdout)


def test_printed_column_sums_to_the_printed_total(archcost: Run) -> None:
    lines = archcost(ALEXNET, "--metric", "macs").stdout.splitlines()
    counts = [int(line.split()[-3].replace(",", "")) for line in lines if line.endswith(" %")]
    *layers, total = counts
    assert sum(layers) == total == 724_406_816


def test_no_line_of_the_table_is_wider_than_80(archcost: Run) -> None:
    lines = archcost(ALEXNET).stdout.splitlines()
    table = [line for line in lines if not line.startswith("convention")]
    assert max(map(len, table)) <= 80
    assert not any(line != line.rstrip() for line in lines)


@pytest.fixture(scope="module")
def report(archcost: Run) -> dict[str, Any]:
    loaded = json.loads(archcost(ALEXNET, "--format", "json").stdout)
    assert isinstance(loaded, dict)
    return loaded


def test_json_has_the_fields_of_the_contract(report: dict[str, Any]) -> None:
    assert report["archcost"] == 1
    assert (report["name"], report["variant"]) == ("AlexNet", None)
    assert report["symbols"] == {"n": 1, "c": 3, "h": 224, "w": 224, "g": 2}
    assert report["convention"] == "lecture"
    assert report["conditions"] == ["32 % g == 0", "h >= 63", "w >= 63"]
    first = report["layers"][0]
    assert (first["name"], first["kind"], first["path"]) == ("conv2d_1", "conv2d", "conv2d_1")
    assert first["inputs"] == ["input"]
    assert first["output_shape"] == {
        "expr": ["n", "96", "(h - 7)//4 + 1", "(w - 7)//4 + 1"],
        "value": [1, 96, 55, 55],
    }
    assert first["params"] == {"expr": "11616*c", "value": 34848}
    assert first["macs"]["value"] == 105_415_200
    assert first["activations"]["value"] == 290_400


def test_json_totals_are_the_lecture_s(report: dict[str, Any]) -> None:
    """MIT 6.5940 lecture 2, slides on AlexNet; the field: Araujo et al., 195 with stride 32.

    AlexNet is a chain, so that nothing but a layer's input and output is in memory at its peak.

    Its padding: 2, then 2·8 in the second convolution, 1·16 in each of the last three.
    """
    assert {name: total["value"] for name, total in report["totals"].items()} == {
        "params": 60_954_656,
        "model_size": 243_818_624,
        "macs": 724_406_816,
        "flops": 1_448_813_632,
        "activations": 932_264,
        "activations_peak": 440_928,
        "memory_peak": 4 * 440_928,
        "receptive_field": 195,
        "effective_stride": 32,
        "effective_padding": 2 + 2 * 8 + 3 * 16,
    }


def quantities(report: dict[str, Any]) -> list[tuple[str, object]]:
    """Every expression of a report with its value."""
    pairs = [(total["expr"], total["value"]) for total in report["totals"].values()]
    for layer in report["layers"]:
        shape = layer["output_shape"]
        pairs += zip(shape["expr"], shape["value"], strict=True)
        pairs += [(layer[m]["expr"], layer[m]["value"]) for m in ("params", "macs", "activations")]
    return pairs


SETTINGS: list[dict[str, int]] = [
    {},
    {"h": 192, "w": 192, "n": 8},
    {"h": 63, "w": 1000, "g": 1, "c": 1},
    {"h": 127, "g": 32, "n": 3},
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_expr_evaluates_as_python_to_its_value(
    setting: dict[str, int], archcost: Run
) -> None:
    words = [f"{name}={value}" for name, value in setting.items()]
    chosen = ["--set", *words] if words else []
    loaded = json.loads(archcost(ALEXNET, "--format", "json", *chosen).stdout)
    for expression, value in quantities(loaded):
        assert eval(expression, dict(NAMES), loaded["symbols"]) == value


def test_open_laws_hold_where_they_were_not_evaluated(
    report: dict[str, Any], archcost: Run
) -> None:
    """The law printed at the defaults gives, at other values, what an analysis there prints."""
    setting = {"n": 5, "c": 4, "h": 301, "w": 99, "g": 16}
    words = [f"{name}={value}" for name, value in setting.items()]
    there = json.loads(archcost(ALEXNET, "--format", "json", "--set", *words).stdout)
    for (law, _), (_, value) in zip(quantities(report), quantities(there), strict=True):
        assert eval(law, dict(NAMES), setting) == value


def test_csv_is_read_back_by_a_csv_reader(archcost: Run) -> None:
    rows = list(csv.DictReader(StringIO(archcost(ALEXNET, "--format", "csv").stdout)))
    assert rows[-1]["macs"] == "724406816"
    assert sum(int(row["macs"]) for row in rows[:-1]) == 724_406_816
    assert {row["convention"] for row in rows} == {"lecture"}


def test_a_setting_is_an_exact_decimal(archcost: Run, tmp_path: Path) -> None:
    spec = tmp_path / "real.yaml"
    spec.write_text(
        "archspec: 1\nname: real\nsymbols: {width: {default: 1, domain: real}}\n"
        "input: [1, 3, 8, 8]\nlayers:\n"
        "  - conv2d: {out_channels: 'round_to(100*width, 1)', kernel_size: 1}\n"
    )
    loaded = json.loads(archcost(str(spec), "--format", "json", "--set", "width=0.35").stdout)
    assert loaded["symbols"] == {"width": 0.35}
    assert loaded["totals"]["params"]["value"] == 4 * floor(100 * Fraction("0.35") + Fraction(1, 2))


def test_help_and_version(archcost: Run) -> None:
    assert "--symbolic" in archcost("--help").stdout
    assert "LAYER" in archcost("explain", "--help").stdout
    assert archcost("--version").stdout == f"{version('archcost')}\n"


def test_the_list_of_commands_has_the_first_line_of_each(archcost: Run) -> None:
    """Commands are imported when they run, and all of them for the list."""
    listed = re.sub(r"[\s│]+", " ", archcost("--help").stdout)
    assert len(known_commands()) >= 18
    for name in known_commands():
        command = app[name].default_command
        assert f" {name} {(command.__doc__ or '').splitlines()[0]} " in listed


def test_colour_only_where_it_is_wanted(archcost: Run) -> None:
    assert "\x1b" not in archcost(ALEXNET).stdout
    assert "\x1b[1m" in archcost(ALEXNET, FORCE_COLOR="1", TERM="xterm-256color").stdout


def test_a_foreign_archspec_is_named(tmp_path: Path) -> None:
    """Spack's and conda's CPU library is called archspec too."""
    (tmp_path / "archspec").mkdir()
    (tmp_path / "archspec" / "__init__.py").write_text("")
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1));"
        "from costmodel.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), ALEXNET],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "is an unrelated one" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_cell_is_ever_cut(archcost: Run) -> None:
    """However wide the numbers are and however narrow the terminal is."""
    done = archcost(ALEXNET, "--set", "n=100000000000", columns=40)
    assert "…" not in done.stdout.split("model size")[0]
    assert "100000000000×96×55×55" in done.stdout
    assert "10,541,520,000,000,000,000" in done.stdout


def test_a_metric_asked_for_twice_is_shown_once(archcost: Run) -> None:
    twice = archcost(ALEXNET, "--metric", "macs", "macs")
    assert twice.stdout == archcost(ALEXNET, "--metric", "macs").stdout


def test_options_before_the_spec_get_a_hint(archcost: Run) -> None:
    done = archcost("--set", "h=192", ALEXNET)
    assert done.returncode == 2
    assert "put SPEC before --set" in done.stderr


def test_a_note_is_printed_once(archcost: Run) -> None:
    """A squeeze and excitation sees the whole map, as the seven after it do."""
    lines = archcost("specs/resnet.yaml@seresnet50", "--depth", "0").stdout.splitlines()
    assert sum("sees the whole map, and 7 more like it" in line for line in lines) == 1


def test_laws_stand_in_one_column_below_their_lines(archcost: Run) -> None:
    """`linear_1` is in two groups, so its laws are indented by three steps."""
    lines = archcost("specs/mlp.yaml", "--symbolic").stdout.splitlines()
    first, last = lines.index("") + 1, lines.index("total")
    place = next(i for i, line in enumerate(lines) if line.startswith("    linear_1 "))
    assert lines[place + 1].startswith("      params ")
    column = len("    of foreach_1/row_1/linear_1 ")
    assert all(line[column - 1] == " " != line[column] for line in lines[first:last])


def test_a_long_label_has_its_own_line(archcost: Run) -> None:
    lines = archcost("memory", "specs/gpt2.yaml", "--symbolic").stdout.splitlines()
    place = lines.index("    of repeat_1/residual_1/self_attention_1")
    assert re.fullmatch(r" {20,}28\*d\*n\*t", lines[place + 1])


STANDING = (
    "at",
    "assuming",
    "valid when",
    "types",
    "device",
    "training",
    "attention",
    "convention",
)

IN_ORDER = [
    (ALEXNET, "--symbolic"),
    (ALEXNET, "--assume", "w == h"),
    ("explain", ALEXNET, "conv2d_1"),
    ("latency", ALEXNET, "--symbolic", "--hardware", "a100-80gb", "--dtype", "fp16"),
    ("latency", ALEXNET, "--for", "n", "--hardware", "a100-80gb", "--dtype", "fp16"),
    ("fit", "specs/mlp.yaml", "--hardware", "stm32f746", "--dtype", "int8"),
    ("fit", "specs/mlp.yaml", "--for", "d", "--hardware", "stm32f746", "--dtype", "int8"),
    ("inference", "specs/gpt2.yaml"),
    ("training", "specs/mlp.yaml"),
    ("solve", "specs/mlp.yaml", "--for", "d", "--where", "params <= 1e6"),
    ("compare", "specs/mlp.yaml", ALEXNET),
]


@pytest.mark.parametrize("words", IN_ORDER, ids=lambda words: " ".join(words[:3]))
def test_notes_are_in_one_order(words: tuple[str, ...], archcost: Run) -> None:
    done = archcost(*words)
    assert done.stderr == ""
    found = [re.split(" {2,}", line)[0] for line in done.stdout.splitlines() if line]
    labels = ["at" if label.endswith(" at") else label for label in found]
    labels = ["valid when" if label.endswith("valid when") else label for label in labels]
    told = [STANDING.index(label) for label in labels if label in STANDING]
    assert told == sorted(told)
    assert {"types", "convention"} <= set(labels)
    assert labels[-1] == "convention"


@pytest.mark.parametrize(
    "said",
    [
        ["inference", "specs/llama.yaml", "--batch", "1.5"],
        ["specs/mlp.yaml", "--depth", "1.5"],
        ["sweep", "specs/mlp.yaml", "--vary", "n=1,2", "--top", "1.5", "--by", "macs"],
    ],
)
def test_a_fraction_is_not_rounded_to_an_integer(archcost: Run, said: list[str]) -> None:
    done = archcost(*said)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("'1.5' is no integer\n")


@pytest.mark.parametrize(
    "said",
    [
        ["specs/llama.yaml", "--past", "1e400", "--attention", "unfused"],
        ["specs/mlp.yaml", "--set", "n=1e307"],
        ["memory", "specs/llama.yaml", "--set", "n=1e400"],
        ["fit", "specs/llama.yaml", "--set", "n=1e400", "--hardware", "t4"],
        ["training", "specs/llama.yaml", "--set", "n=1e400"],
    ],
)
def test_numbers_beyond_what_is_shown_are_one_error(archcost: Run, said: list[str]) -> None:
    done = archcost(*said)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("archcost: a number is beyond 1.8e308")


@pytest.mark.parametrize(
    "said",
    [
        ["specs/alexnet.yaml", "specs/mobilenetv2.yaml", "--format", "csv", "--metric", "macs"],
        ["sweep", "specs/mlp.yaml", "--vary", "n=1:4", "--metric", "macs", "--format", "csv"],
    ],
)
def test_an_order_is_said_in_either_words(archcost: Run, said: list[str]) -> None:
    shown = {way: archcost(*said, "--sort", f"macs:{way}") for way in ("min", "asc", "max", "desc")}
    assert {done.returncode for done in shown.values()} == {0}
    assert shown["min"].stdout == shown["asc"].stdout != shown["max"].stdout
    assert shown["max"].stdout == shown["desc"].stdout

"""Laws as programs: compiled and run, they give our numbers, or refuse what they cannot hold."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from archspec import SpecError
from costmodel import Analysis, analyze
from costmodel.render import find_renderer
from costmodel.studies.report import Report
from costmodel.studies.report_document import document
from tests.conftest import ROOT, Run, examples

NETWORKS = {
    "alexnet.yaml": [],
    "resnet.yaml": [],
    "mobilenetv2.yaml": [],
    "efficientnet.yaml": [],
    "densenet.yaml": ["h % 32 == 0"],
    "swin.yaml": [],
    "gpt2.yaml": ["d % heads == 0"],
    "t5.yaml": [],
    "unet.yaml": ["w == h"],
}
METRICS = ("params", "macs", "activations", "activations_peak")
POINTS = examples(12)

gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def program(analysis: Analysis, language: str) -> str:
    return find_renderer(language)(document(Report(analysis, METRICS)))


def points(name: str, analysis: Analysis) -> list[dict[str, Any]]:
    """Valid points near the defaults, drawn at random; a real symbol is a fraction."""
    random = Random(name)
    found: list[dict[str, Any]] = []
    while len(found) < POINTS:
        point: dict[str, Any] = {}
        for key, symbol in analysis.symbols.items():
            default = analysis.graph.values[key]
            if symbol.is_integer:
                point[key] = max(1, int(default * random.choice([1, 1, 1, 2, 3])))
            else:
                point[key] = Fraction(default) * Fraction(random.randint(3, 30), 10)
        try:
            analysis.at(**point)
        except SpecError:
            continue
        found.append(point)
    return found


def flat(analysis: Analysis, point: dict[str, Any]) -> list[int]:
    """The arguments of an exported function: two for a real symbol."""
    arguments: list[int] = []
    for name, symbol in analysis.symbols.items():
        value = Fraction(point[name])
        arguments += (
            [value.numerator] if symbol.is_integer else [value.numerator, value.denominator]
        )
    return arguments


def expected(analysis: Analysis, at: list[dict[str, Any]]) -> list[list[int]]:
    return [
        [int(getattr(point, metric)) for metric in METRICS]
        for point in (analysis.at(**values) for values in at)
    ]


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> tuple[Analysis, list[dict[str, Any]]]:
    analysis = analyze(ROOT / "specs" / request.param, assume=NETWORKS[request.param])
    return analysis, points(request.param, analysis)


Network = tuple[Analysis, list[dict[str, Any]]]


def test_python(network: Network) -> None:
    analysis, at = network
    scope: dict[str, Any] = {}
    exec(program(analysis, "python"), scope)
    found = [[scope[m](*flat(analysis, point)) for m in METRICS] for point in at]
    assert found == expected(analysis, at)
    with pytest.raises(ValueError, match="every argument is positive"):
        scope["macs"](*[0] * len(flat(analysis, at[0])))


@node
def test_javascript(network: Network, tmp_path: Path) -> None:
    analysis, at = network
    module = tmp_path / "law.mjs"
    calls = json.dumps([[str(value) for value in flat(analysis, point)] for point in at])
    tail = (
        f"const found = {calls}.map((point) => [{', '.join(METRICS)}].map("
        "(law) => String(law(...point))));\nconsole.log(JSON.stringify(found));\n"
        f"try {{ macs({', '.join('0' for _ in flat(analysis, at[0]))}); }}"
        " catch (error) { console.log(error.name); }\n"
    )
    module.write_text(program(analysis, "javascript") + tail, encoding="utf-8")
    done = subprocess.run(["node", module], capture_output=True, text=True, check=True)
    found, refused = done.stdout.splitlines()
    assert [[int(v) for v in row] for row in json.loads(found)] == expected(analysis, at)
    assert refused == "RangeError"


def compiled(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "law.c"
    file.write_text(source, encoding="utf-8")
    command = ["gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
    subprocess.run([*command, file, "-o", folder / "law"], check=True, capture_output=True)
    return subprocess.run([folder / "law"], capture_output=True, text=True, check=True)


def main_of(calls: list[tuple[str, list[int]]]) -> str:
    """A program that prints what some calls give, or that they refuse."""
    lines = [
        f"    puts({metric}({', '.join([*(f'INT64_C({v})' for v in values), '&r'])}) ? "
        '(sprintf(t, "%lld", (long long)r), t) : "refused");'
        for metric, values in calls
    ]
    body = "\n".join(lines)
    return f"#include <stdio.h>\nint main(void) {{\n    int64_t r; char t[32];\n{body}\n}}\n"


@gcc
def test_c(network: Network, tmp_path: Path) -> None:
    """A number beyond 64 bits is refused, every other is ours."""
    analysis, at = network
    calls = [(metric, flat(analysis, point)) for point in at for metric in METRICS]
    done = compiled(program(analysis, "c") + main_of(calls), tmp_path)
    wanted = [value for row in expected(analysis, at) for value in row]
    shown = [line if line == "refused" else int(line) for line in done.stdout.split()]
    assert shown == [value if value < 2**63 else "refused" for value in wanted]


@gcc
def test_c_refuses_what_leaves_64_bits(tmp_path: Path) -> None:
    analysis = analyze(ROOT / "specs" / "alexnet.yaml")
    large, invalid = [2**40, 3, 2**20, 2**20, 2], [1, 3, 62, 224, 2]
    calls = [("macs", large), ("macs", invalid), ("macs", [1, 3, 224, 224, 2])]
    done = compiled(program(analysis, "c") + main_of(calls), tmp_path)
    assert done.stdout.split() == ["refused", "refused", "724406816"]


@pytest.mark.parametrize("language", ["python", "c", "javascript"])
def test_a_program_says_what_its_laws_stand_on(language: str, archcost: Run) -> None:
    words = ("--metric", "memory_peak", "--dtype", "bf16", "--attention", "unfused")
    fixed = ("--set", "t=100", "--assume", "d == 12*heads", "--format", language)
    title = archcost("specs/gpt2.yaml", *words, *fixed).stdout.splitlines()[0]
    assert "; at t = 100; assuming d == 12*heads; types weights bf16, activations bf16" in title
    assert (
        "; attention unfused: all scores are worked out and stored in memory; convention" in title
    )

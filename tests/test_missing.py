"""A network that holds what no kind expresses: every document about it says what is missing."""

import json
from pathlib import Path

import pytest

from archspec.errors import SpecError
from costmodel import analyze
from costmodel.analysis.standing import gap_of
from tests.commands import Run

SPEC = """\
archspec: 1
name: Mixer
symbols: {n: 1, t: 8, width: 4}
input: [n, t, width]
layers:
  - linear: {out_features: width}
  - missing: {operator: aten.fft_rfft, shape: [n, t, 3]}
  - linear: {out_features: 2*width}
"""

NOTE = "Mixer: 1 operator is missing: aten.fft_rfft; totals are lower bounds"

QUESTIONS = {
    "the report": ("SPEC",),
    "closed forms": ("SPEC", "--symbolic"),
    "explain": ("explain", "SPEC"),
    "memory": ("memory", "SPEC"),
    "training": ("training", "SPEC"),
    "latency": ("latency", "SPEC", "--hardware", "t4"),
    "energy": ("energy", "SPEC", "--hardware", "horowitz-45nm"),
    "compare": ("compare", "SPEC", "alexnet"),
    "diff": ("diff", "alexnet", "SPEC"),
    "table": ("table", "SPEC"),
    "solve": ("solve", "SPEC", "--for", "width", "--where", "params < 1000"),
    "sensitivity": ("sensitivity", "SPEC"),
    "sweep": ("sweep", "SPEC", "--vary", "width=2,4"),
    "fit": ("fit", "SPEC", "--hardware", "t4"),
}
"""Question → the words that ask it."""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "mixer.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_names_the_missing_operator(question: str, archcost: Run, spec: Path) -> None:
    words = [str(spec) if word == "SPEC" else word for word in QUESTIONS[question]]
    done = archcost(*words, columns=200)
    assert done.returncode == 0, done.stderr
    assert NOTE in done.stdout + done.stderr


@pytest.mark.parametrize("form", ["json", "csv", "markdown", "latex", "python", "c", "javascript"])
def test_every_format_names_it(form: str, archcost: Run, spec: Path) -> None:
    done = archcost(spec, "--format", form)
    plain = (done.stdout + done.stderr).replace("\\_", "_")
    assert done.returncode == 0, done.stderr
    assert "aten.fft_rfft" in plain
    if form == "json":
        assert json.loads(done.stdout)["missing"] == {NOTE: {"aten.fft_rfft": ["missing_1"]}}


def test_what_is_around_it_is_counted(spec: Path) -> None:
    analysis = analyze(spec)
    assert analysis.at(width=4).params == 4 * 4 + 4 + 3 * 8 + 8
    assert analysis.layers[1].output == analysis.layers[2].inputs[0]


def test_operators_are_counted_by_name() -> None:
    twice = SPEC + "  - missing: {operator: aten.sort_of, shape: [n]}\n" * 2
    gap = gap_of(analyze(twice))
    assert gap is not None
    assert gap.operators == {
        "aten.fft_rfft": ["missing_1"],
        "aten.sort_of": ["missing_2", "missing_3"],
    }
    assert gap.note.startswith("Mixer: 3 operators are missing: aten.fft_rfft, aten.sort_of;")


def test_a_whole_network_says_nothing() -> None:
    assert gap_of(analyze("alexnet")) is None


def test_a_published_number_is_not_compared_with_a_bound(archcost: Run, tmp_path: Path) -> None:
    file = tmp_path / "mixer.yaml"
    fact = "expect: [{metric: params, value: 52, source: by hand}]\n"
    file.write_text(SPEC + fact, encoding="utf-8")
    done = archcost("check", file)
    assert done.returncode != 0
    assert "1 operator is missing: aten.fft_rfft" in done.stdout + done.stderr


REFUSED = {
    "{clamp: }": "takes min or max, or both",
    "{topk: {k: 9}}": r"k \(9\) is more than axis 2 \(4\)",
    "{expand: {shape: [2, 2, 8, 5]}}": "is neither 1 nor",
    "{expand: {shape: [4]}}": "shape has 1 of the axes",
    "{expand: {shape: [-1, 1, 8, 4]}}": "a new axis has no extent to keep",
    "{unfold: {kernel_size: 2}}": "has 3 axes, not",
    "{arange: {start: 3, end: 3}}": "there is no number from 3 on that is below 3",
    "{add: {other: 2}, from: []}": "is no name",
    "{sub: {other: 2}, from: [input, input]}": "takes 1 input",
    "{where: , from: [input, input]}": "takes 3 inputs",
    "{missing: {shape: [4]}}": "operator",
    "{missing: {operator: x}}": "shape",
}
"""Entry → the cause of its error."""


@pytest.mark.parametrize("entry", REFUSED)
def test_the_new_kinds_refuse(entry: str) -> None:
    spec = f"archspec: 1\nname: x\ninput: [2, 8, 4]\nlayers:\n  - {entry}\n"
    with pytest.raises(SpecError, match=REFUSED[entry]):
        analyze(spec)

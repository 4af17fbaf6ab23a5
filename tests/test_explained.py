"""Explanations: closed forms in place of numbers, sums of groups, functions of elements."""

import json
from fractions import Fraction
from math import ceil, floor

import pytest

from tests.commands import run_here

Steps = dict[str, dict[str, str]]


def explained(*words: str) -> tuple[dict[str, Fraction], dict[str, Steps]]:
    """Return the symbols' values, and explanation → step → its fields."""
    done = run_here("explain", *words, "--format", "json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    found = {
        each["name"]: {step["name"]: step for step in each["steps"]}
        for each in data["explanations"]
    }
    return data["symbols"], found


@pytest.mark.parametrize(
    "words",
    [
        ("alexnet",),
        ("alexnet", "--convention", "pycls"),
        ("gpt2",),
        ("mobilenet_v2", "--set", "width=1/2"),
        ("alexnet", "--dtype", "int8", "--hardware", "t4"),
    ],
    ids=" ".join,
)
def test_closed_forms_give_the_numbers(words: tuple[str, ...]) -> None:
    values, numbers = explained(*words)
    _, forms = explained(*words, "--symbolic")
    assert list(forms) == list(numbers)
    known = {"floor": floor, "ceil": ceil, "max": max, "min": min}
    compared = 0
    for name, steps in numbers.items():
        assert list(forms[name]) == list(steps)
        for label, step in steps.items():
            form = forms[name][label]
            assert form["rule"] == step["rule"] or label == "peak activations"
            assert not form["numbers"]
            if label in ("y", "latency ≥") or label.startswith("T "):
                continue
            number, form_text = step["value"], form["value"]
            number = number.removesuffix(" bytes").partition(" (")[0].replace(",", "")
            form_text = form_text.removesuffix(" bytes").partition(" (stride")[0]
            found = eval(form_text, {"__builtins__": {}}, {**known, **values})
            assert found == int(number), (name, label)
            compared += 1
    assert compared > 40


def test_a_group_has_its_sums() -> None:
    """Row 2 of MLP's foreach: 512·512 + 512 parameters, 512·512 MACs."""
    _, found = explained("mlp", "foreach_1/row_2")
    *layers, total = found
    assert layers == [f"foreach_1/row_2/{name}_1" for name in ("linear", "relu", "dropout")]
    assert total == "foreach_1/row_2"
    assert found[total]["#params"]["value"] == "262,656"
    assert found[total]["MACs"]["value"] == "262,144"
    assert "peak activations" not in found[total]


def test_a_pattern_is_of_paths_names_and_kinds() -> None:
    """AlexNet has five convolutions, and three poolings."""
    of = {pattern: [*explained("alexnet", pattern)[1]] for pattern in ("conv*_[24]", "*pool*")}
    assert of["conv*_[24]"] == ["conv2d_2", "conv2d_4"]
    assert of["*pool*"] == [f"maxpool2d_{i}" for i in (1, 2, 3)]


def test_a_repeated_group_counts_every_run() -> None:
    """GPT-2's twelve blocks: 12·(12·768² + 13·768) parameters."""
    _, found = explained("gpt2", "repeat_1")
    assert found["repeat_1"]["#params"]["value"] == f"{12 * (12 * 768**2 + 13 * 768):,}"
    _, found = explained("gpt2", "repeat_1", "--symbolic")
    assert found["repeat_1"]["#params"]["value"] == "13*L*d + 12*L*d**2"


@pytest.mark.parametrize(
    ("network", "layer", "formula"),
    [
        ("mobilenet_v2", "relu6", "min(max(x, 0), 6)"),
        ("resnet18", "batchnorm", "(x − mean_c)/√(var_c + eps)·weight_c + bias_c"),
        ("gpt2", "layernorm", "(x − mean)/√(var + eps)·weight + bias"),
        ("llama3-8b", "rmsnorm", "x/√(mean(x²) + eps)·weight"),
        ("gpt2", "gelu", "x·Φ(x), Φ the normal distribution"),
    ],
)
def test_the_function_of_an_element(network: str, layer: str, formula: str) -> None:
    _, found = explained(network, layer)
    assert all(steps["y"]["rule"] == formula for steps in found.values() if "y" in steps)
    assert any("y" in steps for steps in found.values())


def test_the_receptive_field_grows() -> None:
    """Araujo, Norris and Sim, Distill 2019: AlexNet's last map sees 195 pixels at stride 32."""
    _, found = explained("alexnet")
    fields = [s["receptive field"]["value"] for s in found.values() if "receptive field" in s]
    assert fields[0] == "11 (stride 4)"
    assert fields[-1] == "195 (stride 32)"


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "rst", "html", "csv", "json"])
def test_every_format(form: str) -> None:
    done = run_here("explain", "alexnet", "conv2d_1", "--symbolic", "--format", form)
    assert done.returncode == 0, done.stderr
    assert "11616" in done.stdout


def test_a_table_of_a_group_has_the_groups_total() -> None:
    """ResNet-50's first stage: three bottlenecks, a projection, and their normalisations."""
    first, later = 64 * (1 + 9 + 4) * 64, 64 * (4 + 9 + 4) * 64
    norms = 2 * 3 * (64 + 64 + 256) + 2 * 256
    done = run_here("explain", "resnet50", "foreach_1/row_1", "--as-table", "--metric", "params")
    total = next(line for line in done.stdout.splitlines() if "total" in line)
    assert f"{first + 2 * later + 64 * 256 + norms:,}" in total


def test_shapes_of_closed_forms_keep_their_commas() -> None:
    done = run_here("explain", "mobilenet_v2", "conv_bn_1/conv2d_1", "--symbolic")
    assert "round_to(32*width, 8)" in done.stdout.splitlines()[2] + done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("option", "values"), [("--hide", ("relu",)), ("--metric", ("params", "macs"))]
)
def test_options_of_a_table_are_refused_elsewhere(option: str, values: tuple[str, ...]) -> None:
    done = run_here("explain", "alexnet", option, *values)
    assert done.returncode == 2
    assert f"{option} is of a table" in done.stderr


def test_no_item_becomes_a_heading() -> None:
    """Python-Markdown takes a # for a heading's, whatever follows it."""
    done = run_here("explain", "alexnet", "conv2d_1", "--format", "markdown")
    assert r"- \#params =" in done.stdout
    assert "- #" not in done.stdout

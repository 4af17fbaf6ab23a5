"""Which layers of a network are shown, and in which words."""

import csv
import json
from io import StringIO

import pytest

from tests.commands import run_here


def shown(*words: str) -> str:
    done = run_here(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


SLIDE = (
    ("11×11 conv, 96, stride 4, pad 2", "96 × 3 × 11 × 11", 34_848),
    ("5×5 conv, 256, pad 2, groups 2", "256 × 96/2 × 5 × 5", 307_200),
    ("3×3 conv, 384, pad 1", "384 × 256 × 3 × 3", 884_736),
    ("3×3 conv, 384, pad 1, groups 2", "384 × 384/2 × 3 × 3", 663_552),
    ("3×3 conv, 256, pad 1, groups 2", "256 × 384/2 × 3 × 3", 442_368),
    ("linear, 4096", "4096 × 9216", 37_748_736),
    ("linear, 4096", "4096 × 4096", 16_777_216),
    ("linear, 1000", "1000 × 4096", 4_096_000),
)
"""AlexNet's layers as the lecture has them (MIT 6.5940, lecture 2), conv1's slip put right."""


def test_a_slide_s_table() -> None:
    words = ("explain", "alexnet", "--as-table", "--metric", "params", "--format", "csv")
    found = list(csv.reader(StringIO(shown(*words, "--hide", "relu", "flatten", "maxpool2d"))))
    rows = [(row[0], row[2], int(row[3].replace(",", ""))) for row in found[1:-1]]
    assert rows == list(SLIDE)
    assert found[-1][3] == "60,954,656"


def test_a_slide_s_table_counts_every_run() -> None:
    text = shown("explain", "gpt2", "--as-table", "--metric", "params", "--notes", "none")
    assert "12 × (768 + 768)" in text
    assert "124,439,808" in text
    assert "d**2" in shown("explain", "gpt2", "--as-table", "--metric", "params", "--symbolic")


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("mobilenet_v2", "3×3 conv, 32, stride 2, pad 1"),
        ("mobilenet_v2", "3×3 conv, 96, stride 2, pad 1, depthwise"),
        ("resnet50", "7×7 conv, 64, stride 2, pad 3"),
        ("resnet50", "3×3 max pool, stride 2, pad 1"),
        ("gpt2", "self attention"),
        ("unet", "transposed conv, 512"),
    ],
)
def test_layers_in_words(network: str, words: str) -> None:
    text = shown(network, "--columns", "description", "--depth", "all", "--metric", "macs")
    assert words in text


def test_hidden_lines_are_told_with_what_they_count() -> None:
    """ResNet-18 has 9,600 parameters in its batch normalisations: 2 of each of 4,800 channels."""
    text = shown("resnet18", "--hide", "batchnorm", "relu", "--depth", "all")
    assert " batchnorm_1" not in text
    assert "hidden" in text
    assert "37 lines (batchnorm, relu) with 9,600 #params" in text
    assert "11,689,512" in text


def test_only_some_layers() -> None:
    data = json.loads(shown("resnet18", "--only", "conv*", "linear", "--format", "json"))
    assert {layer["kind"] for layer in data["layers"]} == {"conv2d", "linear"}
    assert len(data["layers"]) == 21
    assert data["totals"]["params"]["value"] == 11_689_512


def test_groups_without_a_shown_layer_are_left_out() -> None:
    text = shown("resnet18", "--hide", "conv2d", "batchnorm", "--depth", "all")
    assert " conv_bn_1 " not in text
    assert "foreach_1" in text


def test_columns_before_the_metrics() -> None:
    head = shown("alexnet", "--columns", "layer", "kind", "description").splitlines()[3]
    assert head.split()[:3] == ["layer", "kind", "description"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("alexnet", "--hide", "rellu"), "no layer is like 'rellu'"),
        (("alexnet", "--columns", "shap"), "unknown column 'shap'"),
        (("alexnet", "vgg16", "--hide", "relu"), "--hide is of one network"),
        (("explain", "alexnet", "--as-table", "--metric", "flops"), "unknown count 'flops'"),
    ],
)
def test_what_cannot_be_shown(words: tuple[str, ...], said: str) -> None:
    done = run_here(*words)
    assert done.returncode == 2
    assert said in done.stderr

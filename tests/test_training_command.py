"""The command, the metrics and the scenario of training: views, numbers by hand, bad input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sympy import Expr

from costmodel import Analysis, analyze
from costmodel.algebra.functions import Maximum
from costmodel.scenario.scenario import scenario
from costmodel.studies.training import TrainingReport
from tests.conftest import ROOT, Run

GPT2 = "specs/gpt2.yaml"

VIEWS = {
    "training.txt": (GPT2, "--dtype", "bf16"),
    "training-blocks.txt": (GPT2, "--checkpoint", "blocks", "--depth", "1", "--master", "none"),
    "training-symbolic.txt": (GPT2, "--symbolic", "--dtype", "fp16", "--checkpoint", "attention"),
    "training.md": ("specs/alexnet.yaml", "--format", "markdown", "--optimizer", "adafactor"),
    "training.json": ("specs/mlp.yaml", "--format", "json", "--optimizer", "sgd"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views(name: str, archcost: Run, golden: Callable[[str, str], None]) -> None:
    done = archcost("training", *VIEWS[name])
    assert (done.returncode, done.stderr) == (0, "")
    golden(name, done.stdout)


def trained(spec: str, **said: str) -> Analysis:
    asked = scenario(**{"optimizer": "adam", **said})
    return analyze(ROOT / spec, convention="torch", scenario=asked)


STATES = {
    # optimizer, type, master → bytes per parameter of weight, gradient and state
    ("sgd", "fp16", "fp32"): 2 + 2 + 4,
    ("momentum", "fp16", "fp32"): 2 + 2 + 4 + 4,
    ("adam", "bf16", "fp32"): 2 + 2 + 4 + 8,
    ("adamw", "bf16", "fp32"): 2 + 2 + 4 + 8,
    ("lion", "bf16", "fp32"): 2 + 2 + 4 + 4,
    ("adam", "bf16", "none"): 2 + 2 + 8,
    ("adam", "fp32", "fp32"): 4 + 4 + 8,
    ("sgd", "fp32", "fp32"): 4 + 4,
    ("adam", "fp64", "fp32"): 8 + 8 + 16,
}


@pytest.mark.parametrize(("optimizer", "dtype", "master"), STATES)
def test_bytes_per_parameter(optimizer: str, dtype: str, master: str) -> None:
    net = trained("specs/resnet.yaml", optimizer=optimizer, dtype=dtype, master=master)
    state = sum(map(net.value, ("model_size", "gradients", "optimizer_state")))
    assert state == STATES[optimizer, dtype, master] * net.value("params")
    assert net.value("training_memory") == state + net.value("activations_kept")


def test_gradients_in_fp32() -> None:
    """18 bytes beside weights in bf16: Megatron Core's guide to its distributed optimizer."""
    net = trained("specs/resnet.yaml", dtype="bf16", gradients="fp32")
    parts = ("model_size", "gradients", "optimizer_state")
    assert sum(map(net.value, parts)) == 18 * net.value("params")


EIGHT_BITS = """\
archspec: 1
name: net
symbols: {d: 100}
input: [1, 63]
layers:
  - linear: {out_features: 65}
  - linear: {out_features: d}
  - layernorm
  - linear: {out_features: 7}
"""
"""Weights of 4,095, 65·d and 7·d; biases and scales of 65, d three times, and 7."""


@pytest.mark.parametrize("optimizer", ["adam8bit", "lion8bit"])
@pytest.mark.parametrize("width", [1, 63, 64, 100, 585, 586, 4096])
def test_moments_in_8_bits(width: int, optimizer: str, tmp_path: Path) -> None:
    """Tensor by tensor, as bitsandbytes allocates: in fp32, or in 8 bits with scales of 256."""
    spec = tmp_path / "net.yaml"
    spec.write_text(EIGHT_BITS)
    expected = 0
    for size in (63 * 65, 65, 65 * width, *[width] * 3, 7 * width, 7):
        blocks = size // 256 + bool(size % 256)
        expected += 4 * size if size < 4096 else size + 4 * blocks
    asked = scenario(optimizer=optimizer)
    law = analyze(spec, convention="torch", scenario=asked)
    number = analyze(spec, convention="torch", settings={"d": width}, scenario=asked)
    moments = 2 if optimizer == "adam8bit" else 1
    assert law.at(d=width).optimizer_state == moments * expected
    assert number.value("optimizer_state") == moments * expected


def test_adafactor_by_hand(tmp_path: Path) -> None:
    """Of 5×3 kernels over 4 to 6 channels, c_o·c_i·k_h + c_o·c_i·k_w; of 8×6 its rows and columns.

    The kernel's last two axes are factored: 6·4·5 + 6·4·3. Biases and scales: one per element.
    """
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\ninput: [1, 4, 5, 3]\nlayers:\n"
        "  - conv2d: {out_channels: 6, kernel_size: [5, 3]}\n  - flatten\n  - layernorm\n"
        "  - linear: {out_features: 8}\n"
    )
    net = analyze(spec, convention="torch", scenario=scenario(optimizer="adafactor"))
    numbers = (6 * 4 * 5 + 6 * 4 * 3) + 6 + 2 * 6 + (8 + 6) + 8
    assert net.value("optimizer_state") == 4 * numbers


def test_alexnet_by_hand() -> None:
    """In fp32: what convolutions and linear layers read, masks of a bit, places of a byte.

    Kept: the input 3·224², the pooled maps 96·27², 256·13², 256·6², between the convolutions
    384·13² twice, and 4096 twice. Masks before each pooling: 96·55², 256·27², 256·13².
    """
    read = 3 * 224**2 + 96 * 27**2 + 256 * 13**2 + 256 * 6**2 + 2 * 384 * 13**2 + 2 * 4096
    bits = 96 * 55**2 + 256 * 27**2 + 256 * 13**2
    places = 96 * 27**2 + 256 * 13**2 + 256 * 6**2
    net = trained("specs/alexnet.yaml")
    assert net.value("activations_kept") == 4 * read + bits // 8 + places
    first = 105_415_200  # of the first convolution, whose input needs no gradient
    assert net.value("training_macs") == 3 * 724_406_816 - first


ZOO = ["alexnet", "resnet", "gpt2", "mixtral", "lstm", "unet", "swin"]


@pytest.mark.parametrize("checkpoint", ["none", "blocks", "attention"])
@pytest.mark.parametrize("name", ZOO)
def test_lines_and_laws_add_up(name: str, checkpoint: str) -> None:
    """The lines make up what is kept; the parts the memory; the law gives the number."""
    net = trained(f"specs/{name}.yaml", checkpoint=checkpoint, dtype="bf16")

    def number(count: Expr) -> int:
        return int(net.evaluator(count))

    report = TrainingReport(net)
    parts = {part.key: number(part.count) for part in report.memory}
    assert sum(number(line.bytes) for line in report.lines) == parts["activations_kept"]
    memory = parts.pop("training_memory")
    assert sum(parts.values()) == memory == net.value("training_memory")
    products = {part.key: number(part.count) for part in report.products}
    assert products.pop("training_macs") == sum(products.values()) == net.value("training_macs")
    assert products["forward"] == net.value("macs")
    for metric in ("training_memory", "training_macs"):
        assert net.evaluator(net.total(metric)) == net.value(metric)


def test_what_is_made_again_is_one_blocks() -> None:
    """ResNet's widest block, else a law of several: their maximum at the symbols' values."""
    net = trained("specs/resnet.yaml", checkpoint="blocks")
    sizes = [net.evaluator(size) for size in net.step.kept.most_again(net.step.bytes_of)]
    assert net.evaluator(net.step.made_again) == max(sizes)
    assert isinstance(net.step.made_again, Maximum)


def test_a_law_in_a_symbol_of_turns() -> None:
    law = trained(GPT2, checkpoint="blocks", dtype="bf16")
    for layers in (1, 2, 5):
        asked = scenario(optimizer="adam", checkpoint="blocks", dtype="bf16")
        some = analyze(ROOT / GPT2, convention="torch", settings={"L": layers}, scenario=asked)
        assert law.at(L=layers).training_memory == some.value("training_memory")
        assert law.at(L=layers).training_macs == some.value("training_macs")


def test_solve(archcost: Run) -> None:
    """At n = 1 GPT-2 in bf16 takes 16 bytes of 124,439,808, and 305,137,664 for each of n.

    With its scores, 12 layers of 12 heads of 1024² in two bytes, it is 607,127,552.
    """
    assert 305_137_664 + 12 * 12 * 1024**2 * 2 == 607_127_552
    words = ("solve", GPT2, "--for", "n", "--where", "training_memory <= 40e9")
    trained = ("--optimizer", "adam", "--dtype", "bf16", "--convention", "torch")
    for attention, each in (("fused", 305_137_664), ("unfused", 607_127_552)):
        done = archcost(*words, *trained, "--attention", attention)
        assert done.returncode == 0
        largest = (40_000_000_000 - 16 * 124_439_808) // each
        assert f"\nn                   {largest}\n" in done.stdout


BAD = {
    ("training", GPT2, "--optimizer", "lions"): "unknown optimizer 'lions'",
    ("training", GPT2, "--gradients", "int8"): "gradients in int8: they are no integers",
    ("training", GPT2, "--gradients", "fp23"): "unknown type 'fp23'",
    (GPT2, "--gradients", "fp32"): "gradients is of training",
    ("training", GPT2, "--checkpoint", "block"): "unknown checkpoint 'block'",
    ("training", GPT2, "--master", "fp16"): "unknown master copy 'fp16'",
    ("training", GPT2, "--format", "yaml"): "unknown format 'yaml'",
    ("training", GPT2, "--depth", "-1"): "--depth -1 opens less than nothing",
    ("training", GPT2, "--hardware", "horowitz-45nm"): "no memory that can be written",
    (
        "training",
        GPT2,
        "--weights",
        "int8",
    ): "weights in int8 are integers, which have no gradients",
    (GPT2, "--metric", "training_memory"): "this depends on how the network is trained",
    (GPT2, "--checkpoint", "blocks"): "checkpoint is of training",
    (GPT2, "--master", "none"): "master is of training",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input(words: tuple[str, ...], archcost: Run) -> None:
    done = archcost(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert BAD[words] in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plain_report_says_nothing_of_training(archcost: Run) -> None:
    document = json.loads(archcost(GPT2, "--format", "json").stdout)
    assert "training" not in document
    assert not any(name.startswith("training") for name in document["totals"])


TWO_LAYERS = """\
archspec: 1
name: net
input: [1, 40]
layers: [{linear: {out_features: 60}}, {linear: {out_features: 10}}]
"""
"""40·60 + 60 + 60·10 + 10 = 3,070 parameters; 40 + 60 numbers enter its layers."""


@pytest.mark.parametrize("capacity", [4 * (2 * 3070 + 100), 4 * (2 * 3070 + 100) - 1])
def test_what_a_device_holds(capacity: int, tmp_path: Path, archcost: Run) -> None:
    """With sgd in fp32: weights, gradients and what is kept, 24,960 bytes."""
    spec, chip = tmp_path / "net.yaml", tmp_path / "chip.yaml"
    spec.write_text(TWO_LAYERS)
    figure = f"{{value: {capacity} B, source: the test itself, read: vendor}}"
    level = f"{{kind: dram, capacity: {figure}}}"
    chip.write_text(f"archspec: 1\nname: A chip\nmemory: {{main: {level}}}\n")
    options = ("training", str(spec), "--optimizer", "sgd", "--hardware", str(chip))
    shown = archcost(*options).stdout
    said = "it fits" if capacity == 24_960 else "it does not fit, 1 byte over"
    assert f"of main; {said}\n" in shown
    document = json.loads(archcost(*options, "--format", "json").stdout)
    assert document["fits"] is (capacity == 24_960)
    assert document["room"] == capacity - 4 * 2 * 3070

"""The numbers of MIT 6.5940, lecture 2 ("Basics of Neural Networks"), for AlexNet, layer by layer.

The slides are named by their titles. Two slips of theirs: conv1 has 34,848 weights, not 24,848,
and 61 M weights of 32 bits are 244 MB, not 224 MB.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.expansion import build_graph
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.printing import text
from costmodel.algebra.symbols import symbol
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import analyze
from costmodel.metrics.macs import count_macs
from costmodel.metrics.params import count_params
from costmodel.metrics.registry import METRICS
from costmodel.network.context import Context
from costmodel.network.precision import NetworkTypes
from costmodel.network.propagation import LayerCost, propagate
from costmodel.scenario.conventions import find_convention
from costmodel.scenario.scenario import NOWHERE

ALEXNET = str(Path(__file__).parent.parent / "specs" / "alexnet.yaml")


class Row(NamedTuple):
    """One line of the slides' figure; what a slide does not count is 0.

    Attributes:
        layer: its name in the spec.
        shape: of the output.
        params: slide "AlexNet: #Parameters".
        macs: slide "AlexNet: #MACs".
        activations: slide "AlexNet: #Activations".
    """

    layer: str
    shape: tuple[int, ...]
    params: int = 0
    macs: int = 0
    activations: int = 0


ROWS = [
    Row(
        "conv2d_1",
        (1, 96, 55, 55),
        params=96 * 3 * 11 * 11,
        macs=96 * 3 * 11 * 11 * 55 * 55,
        activations=96 * 55 * 55,
    ),
    Row("maxpool2d_1", (1, 96, 27, 27), activations=96 * 27 * 27),
    Row(
        "conv2d_2",
        (1, 256, 27, 27),
        params=256 * 96 * 5 * 5 // 2,
        macs=256 * 96 * 5 * 5 * 27 * 27 // 2,
        activations=256 * 27 * 27,
    ),
    Row("maxpool2d_2", (1, 256, 13, 13), activations=256 * 13 * 13),
    Row(
        "conv2d_3",
        (1, 384, 13, 13),
        params=384 * 256 * 3 * 3,
        macs=384 * 256 * 3 * 3 * 13 * 13,
        activations=384 * 13 * 13,
    ),
    Row(
        "conv2d_4",
        (1, 384, 13, 13),
        params=384 * 384 * 3 * 3 // 2,
        macs=384 * 384 * 3 * 3 * 13 * 13 // 2,
        activations=384 * 13 * 13,
    ),
    Row(
        "conv2d_5",
        (1, 256, 13, 13),
        params=256 * 384 * 3 * 3 // 2,
        macs=256 * 384 * 3 * 3 * 13 * 13 // 2,
        activations=256 * 13 * 13,
    ),
    Row("maxpool2d_3", (1, 256, 6, 6), activations=256 * 6 * 6),
    Row("flatten_1", (1, 256 * 6 * 6)),
    Row(
        "linear_1",
        (1, 4096),
        params=4096 * 256 * 6 * 6,
        macs=4096 * 256 * 6 * 6,
        activations=4096,
    ),
    Row("linear_2", (1, 4096), params=4096 * 4096, macs=4096 * 4096, activations=4096),
    Row("linear_3", (1, 1000), params=1000 * 4096, macs=1000 * 4096, activations=1000),
]

PRINTED_ON_THE_SLIDES = {
    "conv2d_1": (34_848, 105_415_200, 290_400),
    "maxpool2d_1": (0, 0, 69_984),
    "conv2d_2": (307_200, 223_948_800, 186_624),
    "maxpool2d_2": (0, 0, 43_264),
    "conv2d_3": (884_736, 149_520_384, 64_896),
    "conv2d_4": (663_552, 112_140_288, 64_896),
    "conv2d_5": (442_368, 74_760_192, 43_264),
    "maxpool2d_3": (0, 0, 9_216),
    "flatten_1": (0, 0, 0),
    "linear_1": (37_748_736, 37_748_736, 4_096),
    "linear_2": (16_777_216, 16_777_216, 4_096),
    "linear_3": (4_096_000, 4_096_000, 1_000),
}

TOTALS = {
    "params": 60_954_656,  # slide "AlexNet: #Parameters" (61 M)
    "model_size": 243_818_624,  # slide "Model Size": 61 M × 4 bytes
    "macs": 724_406_816,  # slide "AlexNet: #MACs" (724 M)
    "flops": 1_448_813_632,  # slide "FLOP": 724 M × 2 = 1.4 G
    "activations": 932_264,  # slide "AlexNet: #Activations", total
    "activations_peak": 440_928,  # slide "AlexNet: #Activations", peak: input and conv1
}

INPUT = 3 * 224 * 224


DEFAULTS = {"n": 1, "c": 3, "h": 224, "w": 224, "g": 2}


@pytest.fixture(scope="module", params=[{}, DEFAULTS], ids=["symbols", "numbers"])
def alexnet(request: pytest.FixtureRequest) -> Analysis:
    return analyze(ALEXNET, settings=request.param)


def counted(analysis: Analysis, metric: str, name: str) -> object:
    layer = layer_of(analysis, name)
    return analysis.evaluator(analysis.of_layer(metric, layer))


def layer_of(analysis: Analysis, name: str) -> LayerCost:
    return next(layer for layer in analysis.layers if layer.node.name == name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.layer)
def test_output_shape_of_a_layer(alexnet: Analysis, row: Row) -> None:
    """Slide "AlexNet": the feature maps between the layers."""
    output = layer_of(alexnet, row.layer).output
    assert tuple(map(alexnet.evaluator, output)) == row.shape


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.layer)
def test_params_of_a_layer(alexnet: Analysis, row: Row) -> None:
    """Slide "AlexNet: #Parameters"."""
    assert counted(alexnet, "params", row.layer) == row.params


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.layer)
def test_macs_of_a_layer(alexnet: Analysis, row: Row) -> None:
    """Slide "AlexNet: #MACs"."""
    assert counted(alexnet, "macs", row.layer) == row.macs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.layer)
def test_activations_of_a_layer(alexnet: Analysis, row: Row) -> None:
    """Slide "AlexNet: #Activations"."""
    assert counted(alexnet, "activations", row.layer) == row.activations


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.layer)
def test_the_products_are_what_the_slides_print(row: Row) -> None:
    assert (row.params, row.macs, row.activations) == PRINTED_ON_THE_SLIDES[row.layer]


def test_no_other_layer_counts(alexnet: Analysis) -> None:
    """ReLU works in place, without parameters (slide "AlexNet: #Activations")."""
    others = {layer.node.name for layer in alexnet.layers} - {row.layer for row in ROWS}
    assert others == {f"relu_{i}" for i in range(1, 8)}
    for name in others:
        assert [counted(alexnet, metric, name) for metric in TOTALS] == [0] * len(TOTALS)


@pytest.mark.parametrize("metric", TOTALS)
def test_totals(alexnet: Analysis, metric: str) -> None:
    assert alexnet.value(metric) == TOTALS[metric]
    assert alexnet.evaluator(alexnet.total(metric)) == TOTALS[metric]


def test_the_totals_are_the_sums_of_the_slides() -> None:
    """Slide "AlexNet: #Activations" counts the input; its peak is the input and conv1's output."""
    assert sum(row.params for row in ROWS) == TOTALS["params"]
    assert sum(row.params for row in ROWS) * 32 // 8 == TOTALS["model_size"]
    assert sum(row.macs for row in ROWS) == TOTALS["macs"]
    assert sum(row.macs for row in ROWS) * 2 == TOTALS["flops"]
    assert sum(row.activations for row in ROWS) + INPUT == TOTALS["activations"]
    assert TOTALS["activations_peak"] == INPUT + 96 * 55 * 55


def test_the_input_is_counted(alexnet: Analysis) -> None:
    assert alexnet.evaluator(alexnet.beside_layers(METRICS["activations"])) == INPUT


def test_the_last_map_and_the_conditions() -> None:
    """DESIGN, "One floor": the last map is ``(h − 63)//32 + 1`` high."""
    alexnet = analyze(ALEXNET)
    assert [text(size) for size in layer_of(alexnet, "maxpool2d_3").output] == [
        "n",
        "256",
        "(h - 63)//32 + 1",
        "(w - 63)//32 + 1",
    ]
    assert list(map(condition_text, alexnet.conditions)) == ["32 % g == 0", "h >= 63", "w >= 63"]


# The formulas of the slides, at sizes that are all different.

SIZES = {"n": 1, "ci": 6, "co": 10, "kh": 3, "kw": 5, "g": 2, "h": 11, "w": 13}

FORMULAS = [
    # slides "Number of Parameters" and "Number of MACs": kind, #params, MACs
    ("linear: {out_features: co, bias: false}", "[n, ci]", 10 * 6, 10 * 6),
    (
        "conv2d: {out_channels: co, kernel_size: [kh, kw]}",
        "[n, ci, h, w]",
        10 * 6 * 3 * 5,
        6 * 3 * 5 * 9 * 9 * 10,
    ),
    (
        "conv2d: {out_channels: co, kernel_size: [kh, kw], groups: g}",
        "[n, ci, h, w]",
        10 // 2 * 6 // 2 * 3 * 5 * 2,
        6 // 2 * 3 * 5 * 9 * 9 * 10,
    ),
    (
        "conv2d: {out_channels: ci, kernel_size: [kh, kw], groups: ci}",
        "[n, ci, h, w]",
        6 * 3 * 5,
        3 * 5 * 9 * 9 * 6,
    ),
]


@pytest.mark.parametrize(("source", "shape", "params", "macs"), FORMULAS)
def test_formulas(source: str, shape: str, params: int, macs: int) -> None:
    """Linear, convolution, grouped convolution, depthwise convolution."""
    symbols = ", ".join(f"{name}: {size}" for name, size in SIZES.items())
    spec = f"archspec: 1\nname: one\nsymbols: {{{symbols}}}\ninput: {shape}\nlayers: [{source}]\n"
    layer = propagate(build_graph(read_architecture(parse_document(spec)))).layers[0]
    at = Evaluator({symbol(name): size for name, size in SIZES.items()})
    lecture = Context(find_convention("lecture"), NOWHERE, NetworkTypes({}, {}))
    assert [at(count(layer, lecture)) for count in (count_params, count_macs)] == [params, macs]

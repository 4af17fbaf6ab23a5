"""Feature maps by hand, under each convention: what a layer makes, inside it and at its end."""

import pytest

from archspec.architecture import read_architecture
from archspec.document import parse_document
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.metrics.registry import METRICS
from costmodel.scenario.conventions import find_convention

CASES = {
    # (input, layers): lecture less the input, torch, pycls; pycls's MACs
    "concat": ("[2, 3, 8]", "[{concat: , from: [input, input]}]", (96, 0, 0), 0),
    "stack": ("[2, 3, 8]", "[{stack: , from: [input, input]}]", (96, 0, 0), 0),
    "add in place": ("[2, 3, 8]", "[{add: , from: [input, input]}]", (0, 0, 0), 0),
    "pad": ("[2, 3, 8]", "[{pad: {pad: [1, 1]}}]", (60, 0, 0), 0),
    "pad of nothing": ("[2, 3, 8]", "[{pad: {pad: [0, 0]}}]", (48, 0, 0), 0),
    "upsample": ("[2, 3, 8]", "[{upsample: {scale_factor: 2}}]", (96, 0, 0), 0),
    "views": (
        "[2, 4, 8]",
        "[{permute: {dims: [0, 2, 1]}}, {slice: {dim: 1, end: 2}}]",
        (0, 0, 0),
        0,
    ),
    "a bias": ("[2, 3]", "[{linear: {out_features: 5}}]", (10, 10, 10), 2 * 3 * 5 + 10),
    "adaptive pooling": ("[1, 3, 8, 8]", "[{adaptive_avgpool2d: {output_size: 2}}]", (12, 0, 0), 0),
    # q, k, v, out of 2·10·8; scores and sum of 2·10·2·10 and 2·10·8
    "attention": (
        "[2, 10, 8]",
        "[{self_attention: {heads: 2}}]",
        (4 * 160 + 400 + 160, 4 * 160 + 400 + 160, 4 * 160),
        4 * 2 * 10 * 8 * 8 + 2 * 2 * 2 * 10 * 10 * 4 + 4 * 160,
    ),
    "attention, no bias at the end": (
        "[2, 10, 8]",
        "[{self_attention: {heads: 2, out_bias: false}}]",
        (4 * 160 + 400 + 160, 4 * 160 + 400 + 160, 4 * 160),
        4 * 2 * 10 * 8 * 8 + 2 * 2 * 2 * 10 * 10 * 4 + 3 * 160,
    ),
    # gates of 2·5·12 from the input and as many from the state; the states of 2·5·3
    "gru": (
        "[2, 5, 4]",
        "[{gru: {hidden_size: 3}}]",
        (3 * (2 * 5 * 3) * 2 + 30,) * 3,
        2 * 5 * 9 * (4 + 3) + 2 * (2 * 5 * 9),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name: str) -> None:
    shape, layers, maps, macs = CASES[name]
    text = f"archspec: 1\nname: net\ninput: {shape}\nlayers: {layers}\n"
    architecture = read_architecture(parse_document(text))
    found = [
        analyze_architecture(architecture, Setup(convention))
        for convention in ("lecture", "torch", "pycls")
    ]
    values = [
        analysis.value("activations") - analysis.beside_layers(METRICS["activations"])
        for analysis in found
    ]
    assert values == list(maps)
    assert found[2].value("macs") == macs


@pytest.mark.parametrize("convention", ["lecture", "torch", "pycls"])
@pytest.mark.parametrize(
    "layers",
    [
        "[{pad: {pad: [0, '-h % 7']}}]",
        "[{upsample: {size: h}}]",
        "[{adaptive_avgpool1d: {output_size: k}}]",
        "[{mul: , from: [input, input]}]",
        "[{conv1d: {out_channels: 2, kernel_size: k}}, {einsum: {equation: 'n c l -> n l c'}}]",
    ],
)
def test_a_number_costs_what_its_symbol_does(layers: str, convention: str) -> None:
    text = f"archspec: 1\nname: net\nsymbols: {{h: 56, k: 1}}\ninput: [1, 3, h]\nlayers: {layers}\n"
    architecture, counts = read_architecture(parse_document(text)), find_convention(convention)
    symbols = analyze_architecture(architecture, Setup(counts))
    numbers = analyze_architecture(architecture, Setup(counts, {"h": 56, "k": 1}))
    for metric in ("params", "macs", "activations", "activations_peak"):
        assert symbols.value(metric) == numbers.value(metric), metric

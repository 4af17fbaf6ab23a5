"""Types of numbers: what a spec and a person say, and the bytes that follow; all by hand."""

from pathlib import Path

import pytest

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.sums import NoClosedFormError
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.network.precision import LayerTypes, widest
from costmodel.scenario.conventions import find_convention
from costmodel.scenario.scenario import scenario

ROOT = Path(__file__).parent.parent


def read(text: str, **said: str) -> Analysis:
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    values = architecture.header.defaults
    return analyze_architecture(architecture, Setup("torch", values, scenario=scenario(**said)))


def types(analysis: Analysis, path: str) -> LayerTypes:
    return analysis.context.typed.layers[path]


NET = """\
input: [1, 3, 5, 5]
layers:
  - conv2d: {out_channels: 7, kernel_size: 1}
  - relu
  - flatten
  - linear: {out_features: 9}
"""


@pytest.mark.parametrize(
    ("dtype", "size"), [("fp64", 8), ("fp32", 4), ("tf32", 4), ("bf16", 2), ("fp8", 1), ("int8", 1)]
)
def test_sizes_of_whole_bytes(dtype: str, size: int) -> None:
    """conv 7·3 + 7, linear 9·175 + 9: 1,612 params; the peak is the conv's 75 + 175."""
    net = read(NET, dtype=dtype)
    assert net.value("model_size") == 1612 * size
    assert net.value("memory_peak") == (75 + 175) * size


def test_half_bytes_are_rounded_up_tensor_by_tensor() -> None:
    """In int4: ⌈21/2⌉ + ⌈7/2⌉ + ⌈1575/2⌉ + ⌈9/2⌉ = 11 + 4 + 788 + 5; ⌈75/2⌉ + ⌈175/2⌉."""
    net = read(NET, dtype="int4")
    assert net.value("model_size") == 11 + 4 + 788 + 5
    assert net.value("memory_peak") == 38 + 88


def test_six_bits() -> None:
    """⌈21·6/8⌉ + ⌈7·6/8⌉ + ⌈1575·6/8⌉ + ⌈9·6/8⌉ = 16 + 6 + 1182 + 7."""
    assert read(NET, weights="fp6").value("model_size") == 16 + 6 + 1182 + 7


def test_odd_counts_in_symbols_agree_with_numbers() -> None:
    text = "symbols: {c: 3, g: 1}\ninput: [1, 9*c, 5, 5]\nlayers: [{conv2d: {out_channels: 9, "
    text += "kernel_size: 3, groups: g, bias: false}}]"
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    law = analyze_architecture(architecture, Setup("torch", scenario=scenario(dtype="int4")))
    for c, g in ((1, 1), (1, 3), (2, 9), (5, 3), (7, 1)):
        by_hand = -(-(9 * (9 * c // g) * 9) // 2)
        assert law.at(c=c, g=g).model_size == by_hand


def test_the_nearest_word_counts() -> None:
    """Entry before what is around it, before its kind, before the command, before the spec."""
    net = read(
        "precision: {weights: fp8, activations: fp8, kinds: {linear: {weights: int4}}}\n"
        "input: [1, 3, 5, 5]\n"
        "layers:\n"
        "  - residual: [{conv2d: {out_channels: 3, kernel_size: 1}}]\n"
        "    precision: {weights: int8, activations: fp16}\n"
        "  - flatten\n"
        "  - linear: {out_features: 9}\n"
        "  - linear: {out_features: 9}\n"
        "    precision: bf16\n"
        "  - linear: {out_features: 9}\n",
        activations="fp16",
    )
    assert types(net, "residual_1/conv2d_1") == LayerTypes("int8", "fp16", "fp16", "fp32", "fp16")
    assert types(net, "linear_1") == LayerTypes("int4", "fp16", "fp16", "fp32", "fp16")
    assert types(net, "linear_2")[:2] == ("bf16", "bf16")


def test_what_only_passes_on_keeps_the_type() -> None:
    """relu and flatten keep the convolution's int8, though all else is fp16."""
    net = read(NET.replace("- conv2d", "- precision: int8\n    conv2d"), dtype="fp16")
    assert types(net, "relu_1").activations == types(net, "flatten_1").activations == "int8"
    assert types(net, "linear_1").operations == "fp16"


def test_another_type_is_another_memory() -> None:
    """A relu that makes 16 of 8 bits is not in place: 175 + 350 bytes beside nothing else."""
    changed = NET.replace("  - relu\n", "  - relu:\n    precision: fp16\n")
    assert read(changed, dtype="int8").value("memory_peak") == 175 + 350


def test_accumulators() -> None:
    for dtype, sums in (("int8", "int32"), ("int4", "int32"), ("bf16", "fp32"), ("fp64", "fp64")):
        assert types(read(NET, dtype=dtype), "linear_1").accumulators == sums
    assert types(read(NET, accumulators="fp16"), "linear_1").accumulators == "fp16"


def test_products_are_made_in_the_wider_type() -> None:
    assert widest(["int4", "fp16"]) == "fp16"
    assert widest(["int8", "int4"]) == "int8"
    assert widest(["tf32", "fp32"]) == "fp32"
    assert widest(["fp8", "int4"]) == "fp8"  # three bits of an integer in E4M3's four
    assert widest(["fp8", "int8"]) == widest(["fp4", "int8"]) == "fp16"
    assert widest(["bf16", "int8"]) == "bf16"
    assert widest(["bf16", "int16"]) == widest(["fp16", "int16"]) == "fp32"
    assert widest(["fp16", "bf16"]) == widest(["bf16", "fp16", "int8"]) == "fp32"


def test_a_body_that_changes_the_type_is_refused() -> None:
    text = (
        "input: [4, 8]\nlayers: [{repeat: {times: 3, layers: [{linear: {out_features: 8}}, relu]}, "
        "precision: {activations: int8}}]"
    )
    place = r"<spec>:4:11: repeat_1: each turn takes fp32 and leaves int8, but the next takes"
    with pytest.raises(SpecError, match=place):
        read(text).value("model_size")
    assert read(text, activations="int8").value("model_size") == 3 * (64 + 8) * 4


def test_a_tied_weight_has_its_owners_type() -> None:
    text = (
        "input: [1, 5]\nlayers: [{embedding: {num_embeddings: 11, embedding_dim: 4}, name: e, "
        "precision: {weights: int8}}, {linear: {out_features: 11, bias: false, weight: e}}]"
    )
    net = read(text)
    assert net.value("model_size") == 44
    assert types(net, "linear_1").weights == "int8"


def test_the_slide() -> None:
    """61 M × 4 bytes is 244 MB."""
    assert analyze(ROOT / "specs" / "alexnet.yaml").value("model_size") == 60_954_656 * 4


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("precision: int9", "precision.weights: int9 is no type of numbers"),
        ("precision: {kinds: {linaer: int8}}", "unknown kind 'linaer'"),
        ("precision: {weight: int8}", "unknown field 'weight'"),
        ("precision: [int8]", r"\[int8\] is no mapping"),
    ],
)
def test_bad_words(written: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        read(f"{written}\n{NET}")


def test_unknown_types_on_the_command_line() -> None:
    with pytest.raises(SpecError, match="unknown type 'int9'"):
        scenario(dtype="int9")
    with pytest.raises(SpecError, match=r"efficiency = 1\.5 is no part"):
        scenario(hardware="a100-80gb", efficiency="1.5")
    with pytest.raises(SpecError, match="efficiency is of a device"):
        scenario(efficiency="0.5")


def test_bytes_moved_by_hand() -> None:
    """AlexNet's second convolution in fp16: 307,200 weights, 96·27² in, 256·27² out."""
    alexnet = analyze(ROOT / "specs" / "alexnet.yaml", scenario=scenario(dtype="fp16"))
    (conv,) = (x for x in alexnet.layers if x.node.path == "conv2d_2")
    moved = alexnet.evaluator(alexnet.of_layer("bytes_moved", conv))
    assert moved == 2 * (307_200 + 96 * 27 * 27 + 256 * 27 * 27)


def test_what_moves_beside_products() -> None:
    """A row per token of an embedding, a tied head whole, the other input of a sum, no view."""
    text = (
        "input: [1, 5]\nlayers: [{embedding: {num_embeddings: 11, embedding_dim: 4}, name: e}, "
        "{residual: [{linear: {out_features: 4, bias: false}}]}, flatten, {unsqueeze: {dim: 0}}, "
        "{reshape: {shape: [1, 5, 4]}}, {linear: {out_features: 11, bias: false, weight: e}}]"
    )
    net = read(text, dtype="int8")
    moved = {x.node.path: net.evaluator(net.of_layer("bytes_moved", x)) for x in net.layers}
    assert moved["e"] == 20 + 5 + 20
    assert moved["residual_1/linear_1"] == 16 + 20 + 20
    assert moved["residual_1/add"] == 20
    assert moved["flatten_1"] == moved["unsqueeze_1"] == moved["reshape_1"] == 0
    assert moved["linear_1"] == 44 + 20 + 55


def test_an_input_of_another_type() -> None:
    """An attention in int8 over 8 tokens of 64 in fp32: q reads 8·64·4 bytes and makes 8·64."""
    text = "input: [1, 8, 64]\nlayers: [{self_attention: {heads: 4}, precision: int8}]"
    assert read(text).value("in_out_peak") == 8 * 64 * 4 + 8 * 64


def test_what_works_in_place_into_other_bits_is_a_new_map() -> None:
    """An int8 map of 1,024 as fp32: 1,024 read, 4,096 written; both are there at once."""
    text = (
        "input: [1, 4, 16, 16]\nprecision: int8\nlayers: [{conv2d: {out_channels: 4, "
        "kernel_size: 1}}, {relu: , precision: fp32}, global_avgpool]"
    )
    net = read(text)
    (relu,) = (x for x in net.layers if x.node.kind == "relu")
    assert net.evaluator(net.of_layer("bytes_moved", relu)) == 1024 + 4096
    assert net.evaluator(net.of_layer("in_out_peak", relu)) == 1024 + 4096
    assert net.value("memory_peak") == net.value("in_out_peak") == 5120


def test_a_stride_larger_than_the_kernel_skips() -> None:
    """ResNet-50's first shortcut that halves, fp16: 512·256 weights, 256·28² met, 512·28² made."""
    resnet = analyze(ROOT / "specs" / "resnet.yaml", scenario=scenario(dtype="fp16"))
    path = "foreach_1/row_2/residual_1/shortcut/conv_bn_1/conv2d_1"
    (conv,) = (x for x in resnet.layers if x.node.path == path)
    moved = resnet.evaluator(resnet.of_layer("bytes_moved", conv))
    assert moved == 2 * (512 * 256 + 256 * 28**2 + 512 * 28**2) == 1_466_368


def test_growing_maps_of_half_bytes_have_numbers() -> None:
    """Iterations that each add 3 channels of 9·9 in int4 have no law; a table shows the numbers."""
    text = (
        "symbols: {L: 2}\ninput: [1, 5, 9, 9]\nlayers: [{repeat: {times: L, layers: [{parallel: "
        "{merge: concat, branches: [[], [{conv2d: {out_channels: 3, kernel_size: 3, padding: 1, "
        "bias: false}}]]}}]}}]"
    )
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    torch, half = find_convention("torch"), scenario(dtype="int4")
    with pytest.raises(NoClosedFormError, match="no closed form in an open number of turns"):
        analyze_architecture(architecture, Setup(torch, scenario=half)).value("memory_peak")
    # In turn 2: 8 channels of 81 and 3 made of them, then 11 joined: ⌈648/2⌉ + ⌈243/2⌉ + ⌈891/2⌉.
    assert read(text, dtype="int4").value("memory_peak") == 324 + 122 + 446

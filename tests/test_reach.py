"""Receptive fields: against the sets of inputs that outputs depend on, and published numbers."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from sympy import S

from archspec import SpecError
from archspec.architecture import read_architecture
from archspec.arithmetic import Rational
from archspec.document import parse_document
from costmodel import analyze
from costmodel.algebra.functions import Maximum, ceil_div
from costmodel.algebra.places import POINT, ReadPlaces, Span, hull
from costmodel.algebra.symbols import symbol
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.metrics.registry import NoCountError
from costmodel.studies.report import Report
from tests.commands import run_here
from tests.conftest import ROOT, Run, examples
from tests.field_networks import Net, Op, drawn, seen_of, sources_of, spec_of

MEASURES = ("receptive_field", "effective_stride", "effective_padding")


def analyzed(
    entries: str, given: str = "[1, 2, 64]", symbols: str = "", **settings: int
) -> Analysis:
    head = f"symbols: {{{symbols}}}\n" if symbols else ""
    return read(f"archspec: 1\nname: n\n{head}input: {given}\nlayers: [{entries}]\n", **settings)


def read(text: str, **settings: int) -> Analysis:
    architecture = read_architecture(parse_document(text))
    return analyze_architecture(architecture, Setup("lecture", settings))


def seen_by_last(analysis: Analysis) -> list[Rational | None]:
    """The three measures of the last layer alone, where it has them."""
    found: list[Rational | None] = []
    for name in MEASURES:
        try:
            law = analysis.of_layer(name, analysis.layers[-1])
        except NoCountError:
            found.append(None)
        else:
            found.append(analysis.evaluator(law))
    return found


COUNT, CHUNK = examples(300), 10


def written_out(net: Net, rank: int) -> Analysis:
    """The analysis with a symbol for open turns, or with its value where no law is found."""
    text = spec_of(net, [432] * rank)
    analysis = read(text)
    if analysis.none_of("receptive_field") is None:
        return analysis
    defaults = analysis.architecture.header.defaults
    return read(text, **{name: int(value) for name, value in defaults.items()})


@pytest.mark.parametrize("start", range(0, COUNT, CHUNK))
def test_random_networks_see_what_their_outputs_depend_on(start: int) -> None:
    """Each axis of 300 networks, against sets of places worked out one by one."""
    seeds = iter(range(start * 1000, start * 1000 + 10 * CHUNK))
    compared = 0
    while compared < CHUNK:
        seed = next(seeds)
        random = Random(seed)
        rank = random.choice((1, 1, 2))
        net = drawn(random, rank, 4)
        try:
            analysis = written_out(net, rank)
        except SpecError:  # a draw whose branches do not fit
            continue
        assert analysis.none_of("receptive_field") is None, (seed, spec_of(net, [432] * rank))
        (reach,) = analysis.fields.by_layer["last"]
        for axis in range(rank):
            span = next(v.seen for source, v in reach.items() if source.axis == axis + 2)
            assert isinstance(span, Span)
            laws = (span.size, span.stride, span.padding)
            expected = seen_of(sources_of(net, axis))
            assert tuple(map(analysis.evaluator, laws)) == expected, (seed, axis)
        compared += 1


BY_HAND = {
    # the issue's: causal padding, then three taps two apart
    "{pad: {pad: [2*d, 0]}}, {conv1d: {out_channels: 2, kernel_size: 3, dilation: d}}": (5, 1, 4),
    "{pad: {pad: [1, 1]}}, {conv1d: {out_channels: 2, kernel_size: 3, stride: 2}}, "
    "{conv1d: {out_channels: 2, kernel_size: 3}}": (7, 2, 1),
    # three elements at each place; places 2·y and 2·y + 1 are one: 4 taps touch 3 of them
    "{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}, {upsample: {scale_factor: 2}}, "
    "{conv1d: {out_channels: 2, kernel_size: 4}}": (5, Fraction(1, 2), 1),
    "{slice: {dim: 2, start: 3, step: 2}}, {conv1d: {out_channels: 2, kernel_size: 3}}": (5, 2, -3),
    "{crop: {size: 60}}, {conv1d: {out_channels: 2, kernel_size: 3}}": (3, 1, -2),
    # output y sees the inputs i with y = 2·i + k − 1 for a tap k of 0 … 3: two of them
    "{conv_transpose1d: {out_channels: 2, kernel_size: 4, stride: 2, padding: 1}}": (
        2,
        Fraction(1, 2),
        1,
    ),
    # linear: between the places y/2 − 1/4
    "{upsample: {scale_factor: 2, mode: linear}}": (2, Fraction(1, 2), 1),
    # of three outputs the middle one stands on an input, and reads it alone
    "{upsample: {scale_factor: 3, mode: linear}}, {slice: {dim: 2, start: 1, step: 3}}": (1, 1, 0),
    # 3 outputs of 2 inputs, 0 0 1 2 2 3 …: a window over the second to the fourth touches 0, 1, 2
    "{upsample: {scale_factor: 3/2}}, {conv1d: {out_channels: 2, kernel_size: 3}}": (
        3,
        Fraction(2, 3),
        0,
    ),
    "{upsample: {size: 32, mode: area}}, {conv1d: {out_channels: 2, kernel_size: 2}}": (4, 2, 0),
    "{upsample: {size: 32}}, {conv1d: {out_channels: 2, kernel_size: 2}}": (3, 2, 0),
    # TensorFlow's padding at a stride of 1: (5 − 1)//2 before
    "{conv1d: {out_channels: 2, kernel_size: 5, padding: same}}": (5, 1, 2),
    # three turns of 3: 1 + 3·2; L of them: 1 + 5·2
    "{repeat: {times: 3, layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}]}}": (
        7,
        1,
        3,
    ),
    "{repeat: {times: L, layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}]}}": (
        11,
        1,
        5,
    ),
    "{residual: [{conv1d: {out_channels: 2, kernel_size: 5, padding: 2}}]}": (5, 1, 2),
    # a side input that is the same everywhere: learned, or as SE's gate pooled from the map
    "{conv1d: {out_channels: 2, kernel_size: 3, stride: 2}}, {parallel: {merge: mul, branches: "
    "[[], [{parameter: {shape: [2, 1]}}]]}}, {conv1d: {out_channels: 2, kernel_size: 3}}": (
        7,
        2,
        0,
    ),
    "{conv1d: {out_channels: 2, kernel_size: 3, stride: 2}}, {parallel: {merge: mul, branches: "
    "[[], [{adaptive_avgpool1d: {output_size: 1}}, {conv1d: {out_channels: 2, kernel_size: 1}}, "
    "sigmoid]]}}, {conv1d: {out_channels: 2, kernel_size: 3}}": (7, 2, 0),
    # a token sees itself and the three before it: L = 5 layers see 1 + 5·3
    "transpose, {linear: {out_features: 4}}, {repeat: {times: L, layers: [{self_attention: "
    "{heads: 1, causal: true, window: 4}}]}}": (16, 1, 15),
    # a gate of two branches (Li et al., CVPR 2019): features laid out along no axis of the places
    "{conv1d: {out_channels: 2, kernel_size: 3, stride: 2}}, {parallel: {merge: mul, branches: "
    "[[{unsqueeze: {dim: 1}}], [{mean: {dim: [2]}}, {linear: {out_features: 4}}, {reshape: "
    "{shape: [1, 2, 2]}}, {softmax: {dim: 1}}, {unsqueeze: {dim: 3}}]]}}, {sum: {dim: [1]}}, "
    "{conv1d: {out_channels: 2, kernel_size: 3}}": (7, 2, 0),
    "transpose, class_token, {positional_embedding: {max_length: 65}}, {transpose: }, "
    "{conv1d: {out_channels: 2, kernel_size: 3}}": (3, 1, 1),
    "{conv1d: {out_channels: 2, kernel_size: 3}}, {transpose: {dim0: 1, dim1: 2}}, layernorm, "
    "{linear: {out_features: 4}}, {permute: {dims: [0, 2, 1]}}, {unsqueeze: {dim: 1}}, "
    "{squeeze: {dim: 1}}, {avgpool1d: {kernel_size: 5, stride: 2}}": (7, 2, 0),
    # two turns in one: of 3 and 5 the last sees 1 + 3·(2 + 4); two taps before each
    "{repeat: {times: 3, layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}, "
    "{avgpool1d: {kernel_size: 5, stride: 1, padding: 2}}]}}, relu": (19, 1, 9),
    # what an earlier map adds to every turn is no more than what the turn before has seen
    "{conv1d: {out_channels: 2, kernel_size: 9, padding: 4}, name: far}, {repeat: {times: 4, "
    "layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}]}, from: input}, "
    "{add: , from: [repeat_1, far]}": (9, 1, 4),
    "{conv1d: {out_channels: 2, kernel_size: 9, padding: 4}, name: far}, {repeat: {times: 4, "
    "layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}, {add: , from: [previous, "
    "far]}]}, from: input}, relu": (15, 1, 7),
}


@pytest.mark.parametrize("entries", BY_HAND)
def test_by_hand(entries: str) -> None:
    analysis = analyzed(entries, symbols="L: 5, d: 2")
    assert seen_by_last(analysis) == list(BY_HAND[entries])


def test_the_largest_number_of_elements_over_the_places_of_an_upsampled_map() -> None:
    """Three at each place; k taps on a map twice as long touch k//2 + 1 places at most."""
    for k in range(1, 12):
        entries = (
            "{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}, {upsample: "
            f"{{scale_factor: 2}}}}, {{conv1d: {{out_channels: 2, kernel_size: {k}}}}}"
        )
        assert seen_by_last(analyzed(entries))[0] == 3 + k // 2
    law = analyzed(entries.replace("kernel_size: 11", "kernel_size: k"), symbols="k: 3")
    assert [law.at(k=k).receptive_field for k in range(1, 12)] == [3 + k // 2 for k in range(1, 12)]


def test_laws_in_symbols() -> None:
    """A closed form in kernel, dilation and stride: 1 + (k − 1)·d, then (k − 1)·s more."""
    entries = (
        "{conv1d: {out_channels: 2, kernel_size: k, dilation: d, stride: s}}, "
        "{conv1d: {out_channels: 2, kernel_size: k}}"
    )
    law = analyzed(entries, given="[1, 2, 999]", symbols="k: 3, d: 2, s: 4")
    for k in range(1, 5):
        for d in range(1, 4):
            for s in range(1, 4):
                point = law.at(k=k, d=d, s=s)
                assert point.receptive_field == 1 + (k - 1) * d + (k - 1) * s
                assert point.effective_stride == s


def test_a_field_that_others_never_exceed_stands_alone() -> None:
    """Every stage of EfficientNet sees more than the one before, whatever its depths are."""
    analysis = analyze(ROOT / "specs" / "efficientnet.yaml")
    assert analysis.receptive_field is not None
    assert not analysis.receptive_field.has(Maximum)
    depth = {f"k{i}": ceil_div(i * symbol("depth", "real"), 1) for i in (1, 2, 3, 4)}
    k1, k2, k3, k4 = depth.values()
    assert analysis.receptive_field == 68 * k1 + 40 * k2 + 96 * k3 + 128 * k4 - 97


def test_a_repeat_that_may_not_run_is_as_if_it_were_not_there() -> None:
    entries = (
        "{conv1d: {out_channels: 2, kernel_size: 4, stride: 2}}, {repeat: {times: L - 1, layers: "
        "[{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}]}}, {conv1d: {out_channels: 2, "
        "kernel_size: 2}}"
    )
    law = analyzed(entries, symbols="L: 3")
    for turns in range(1, 6):
        at, counted = law.at(L=turns), analyzed(entries, symbols="L: 3", L=turns)
        for measures in (at, counted):
            assert measures.receptive_field == 4 + 2 * (2 * (turns - 1) + 1)
            assert measures.effective_stride == 2
            assert measures.effective_padding == 2 * (turns - 1)
    without = analyzed(
        "{repeat: {times: L - 1, layers: [{self_attention: {heads: 1}}]}}, relu",
        symbols="L: 1",
        L=1,
    )
    assert without.receptive_field == 1


PUBLISHED = {
    # Araujo, Norris and Sim, Distill 2019, and the lecture's AlexNet (FACTS: 195/32)
    "alexnet.yaml": (195, 32),
    "vgg.yaml": (212, 32),
    # Araujo, Norris and Sim, Distill 2019, table of MobileNet v1 and Inception v3
    "mobilenet.yaml": (315, 32),
    "inceptionv3.yaml": (1311, 32),
}


@pytest.mark.parametrize("spec", PUBLISHED)
def test_published_fields(spec: str) -> None:
    analysis = analyze(ROOT / "specs" / spec)
    found = analysis.value("receptive_field"), analysis.value("effective_stride")
    assert found == PUBLISHED[spec]


RESNET_50 = (3, 4, 6, 3)
"""The bottlenecks of each stage, each with a convolution of 3×3."""


def bottlenecks(strided: Callable[[int, int], bool]) -> str:
    """ResNet-50's windows on one axis; says of which bottlenecks the 3×3 has the stride."""
    window = "{conv1d: {out_channels: 2, kernel_size: %d, stride: %d}}"
    windows = [window % (7, 2), "{maxpool1d: {kernel_size: 3, stride: 2}}"]
    for stage, count in enumerate(RESNET_50):
        windows += [window % (3, 1 + strided(stage, turn)) for turn in range(count)]
    return ", ".join(windows)


def test_where_a_stage_strides_decides_resnet_s_field() -> None:
    """483 with the stride at the end of a stage (Araujo et al.), 427 at the beginning of the next.

    Where the first 1×1 of a stage has it (He et al.), each of its 3×3 reads at the larger stride,
    as where the last 3×3 of the stage before has it.
    """
    first = analyzed(bottlenecks(lambda stage, turn: stage > 0 and turn == 0), "[1, 2, 999]")
    assert seen_by_last(first)[:2] == [427, 32]
    resnet = analyze(ROOT / "specs" / "resnet.yaml")
    assert (resnet.value("receptive_field"), resnet.value("effective_stride")) == (427, 32)
    ends = bottlenecks(lambda stage, turn: stage < 3 and turn == RESNET_50[stage] - 1)
    assert seen_by_last(analyzed(ends, "[1, 2, 999]"))[:2] == [483, 32]


def test_vgg_begins_90_elements_before_the_input() -> None:
    """Effective padding of VGG-16: Araujo, Norris and Sim, Distill 2019."""
    assert analyze(ROOT / "specs" / "vgg.yaml").value("effective_padding") == 90


def u_net(level: int) -> Net:
    """Two convolutions; below them half the map, the same again, and back beside the skip."""
    same = (Op("conv", ({"k": 3, "s": 1, "d": 1, "p": 1},)),) * 2
    if level == 4:
        return same
    pool = Op("avgpool", ({"k": 2, "s": 2, "d": 1, "p": 0},))
    up = Op("conv_transpose", ({"k": 2, "s": 2, "d": 1, "p": 0},))
    skip_and_below = ((), (pool, *u_net(level + 1), up))
    return (*same, Op("parallel", bodies=skip_and_below, mode="concat"), *same)


def test_a_network_that_goes_down_and_up_again() -> None:
    """U-Net: the last map's field is the largest, its stride 1; the bottom's stride is 16."""
    analysis = analyze(ROOT / "specs" / "unet.yaml")
    expected = seen_of(sources_of(u_net(0), 0))
    assert seen_by_last(analysis) == list(expected)
    assert analysis.value("receptive_field") == expected.size
    assert analysis.value("effective_stride") == 16


ENDS = {
    # features go on along the axis: the network has no field
    "transpose, {self_attention: {heads: 1}, name: a}, relu": (
        "self_attention 'a' sees the whole axis"
    ),
    "transpose, {self_attention: {heads: 1, window: 4}, name: a}, relu": (
        "self_attention 'a' sees the whole axis"  # or less: which neighbours is not said
    ),
    "transpose, {self_attention: {heads: 1, causal: true, window: 4, kv_length: 64}, name: a}": (
        "self_attention 'a' sees the whole axis"
    ),
    "transpose, {lstm: {hidden_size: 3}, name: r}": "lstm 'r' sees the whole axis",
    "{conv1d: {out_channels: 2, kernel_size: 3}}, {linear: {out_features: 9}, name: t}": (
        "linear 't' sees the whole axis"
    ),
    "{conv1d: {out_channels: 2, kernel_size: 3}}, {einsum: {equation: 'n c l, l m -> n c m', "
    "sizes: {m: 4}}, name: e}": "einsum 'e' sees the whole axis",
    "{conv1d: {out_channels: 2, kernel_size: 3}, name: c}, {transpose: , name: t}, {matmul: , "
    "from: [c, t], name: m}": "matmul 'm' joins places of different axes",
    # the router of a mixture takes the last axis for features, and weighs what the experts make
    "{conv1d: {out_channels: 2, kernel_size: 3}}, {moe: {experts: 2, top_k: 1, layers: [relu]}, "
    "name: m}, relu": "linear 'm/router' sees the whole axis",
    # a transposed convolution whose taps are further apart than its outputs
    "{conv_transpose1d: {out_channels: 2, kernel_size: 2, stride: 3}, name: c}": (
        "conv_transpose1d 'c' leaves gaps between the elements that it spreads"
    ),
    "{parallel: {merge: add, branches: [[], [{slice: {dim: 2, end: 1}}]]}, name: p}": (
        "add 'p/add' joins places of different axes"
    ),
    # two tokens become one of twice the features: it sees both, and the tokens go on
    "transpose, {linear: {out_features: 8}}, {reshape: {shape: [1, 32, 16]}, name: r}, {linear: "
    "{out_features: 8}}, relu": "reshape 'r' lays places among features",
    # the same of pixels, by three views
    "{unsqueeze: {dim: 3}}, {conv2d: {out_channels: 8, kernel_size: 1}}, {reshape: {shape: "
    "[1, 8, 32, 2, 1]}}, {permute: {dims: [0, 1, 3, 2, 4]}}, {reshape: {shape: [1, 16, 32, 1]}, "
    "name: r}, {conv2d: {out_channels: 8, kernel_size: 1}}": (
        "reshape 'r' lays places among features"
    ),
    # an encoder's map is made features; the decoder makes a map of them
    "{conv1d: {out_channels: 8, kernel_size: 4, stride: 4}}, {flatten: , name: f}, {linear: "
    "{out_features: 128}}, {reshape: {shape: [1, 8, 16]}}, {conv_transpose1d: {out_channels: 2, "
    "kernel_size: 4, stride: 4}}": "flatten 'f' sees the whole map",
    # beside a map another that was laid out of features: it is not the same at all places
    "{conv1d: {out_channels: 8, kernel_size: 1}}, {parallel: {merge: add, branches: [[], "
    "[{flatten: , name: f}, {linear: {out_features: 512}}, {reshape: {shape: [1, 8, 64]}}]]}}": (
        "flatten 'parallel_1/branch_2/f' sees the whole map"
    ),
}


@pytest.mark.parametrize("entries", ENDS)
def test_where_a_layer_sees_everything_there_is_none(entries: str) -> None:
    analysis = analyzed(entries)
    error = analysis.none_of("receptive_field")
    assert error is not None
    assert error.cause == f"receptive_field is none: {ENDS[entries]}"
    assert [getattr(analysis, name) for name in MEASURES] == [None] * 3
    assert [getattr(analysis.at(), name) for name in MEASURES] == [None] * 3
    assert seen_by_last(analysis) == [None] * 3
    with pytest.raises(NoCountError, match="receptive_field is none"):
        analysis.total("receptive_field")
    with pytest.raises(NoCountError, match="receptive_field is none"):
        analysis.function("receptive_field")


HEADS = {
    "{flatten: , name: f}, {linear: {out_features: 3}}": (
        "ends at flatten 'f', which sees the whole map"
    ),
    "{global_avgpool: , name: g}, {flatten: }, {linear: {out_features: 3}}": (
        "ends at global_avgpool 'g', which sees the whole map"
    ),
    "{mean: {dim: [2]}, name: m}, {linear: {out_features: 3}}": (
        "ends at mean 'm', which sees the whole map"
    ),
    "{adaptive_avgpool1d: {output_size: 6}, name: p}, {flatten: }, {linear: {out_features: 3}}": (
        "ends at adaptive_avgpool1d 'p', which sees the whole map"
    ),
}


@pytest.mark.parametrize("head", HEADS)
def test_before_a_head_the_field_is_that_of_the_last_map(head: str) -> None:
    """As Araujo, Norris and Sim quote it; from the head on no layer has one."""
    analysis = analyzed(
        f"{{conv1d: {{out_channels: 2, kernel_size: 3, stride: 2}}, name: c}}, {head}"
    )
    assert [analysis.value(name) for name in MEASURES] == [3, 2, 0]
    assert seen_by_last(analysis) == [None] * 3
    assert Report(analysis).field_notes == ("3 (stride 2, padding 0) of c", HEADS[head])


def test_what_flattens_into_tokens_keeps_each_token_s_field() -> None:
    """ViT: a token sees its patch until attention; the next token's is at no constant distance."""
    vit = analyze(ROOT / "specs" / "vit.yaml")
    said = "self_attention 'repeat_1/residual_1/self_attention_1' sees the whole axis"
    assert Report(vit).field_notes == (f"none: {said}",)
    rows = {row.path: row.counts for row in Report(vit, MEASURES).rows}
    assert [str(rows["flatten_1"].get(name)) for name in MEASURES] == ["patch", "None", "None"]
    assert rows["class_token_1"].keys() == {"receptive_field"}
    assert not rows["repeat_1"]
    assert not rows["select_1"]


DETECTED = (
    "{reshape: {shape: [1, 3, 8, 155]}}, {permute: {dims: [0, 3, 1, 2]}}, {reshape: {shape: "
    "[1, 155, 24]}}",
    "{permute: {dims: [0, 2, 3, 1]}}, {reshape: {shape: [1, 155, 3, 8]}}",
)


@pytest.mark.parametrize("entries", DETECTED)
def test_a_detector_s_head_keeps_the_field_of_each_place(entries: str) -> None:
    """The features of its anchors come apart, height and width become one axis."""
    conv = "{conv2d: {out_channels: 24, kernel_size: 3, stride: [2, 1]}}"
    assert seen_by_last(analyzed(f"{conv}, {entries}", "[1, 2, 64, 7]")) == [3, None, None]


def test_paths_whose_strides_differ_are_told() -> None:
    """Of 64 elements both paths leave 32, one with a stride of 2, the other with a kernel of 33."""
    paths = (
        "[[{conv1d: {out_channels: 2, kernel_size: 2, stride: 2}}], "
        "[{avgpool1d: {kernel_size: 33, stride: 1}}]]"
    )
    analysis = analyzed(f"{{parallel: {{merge: add, branches: {paths}}}, name: p}}")
    assert Report(analysis).clashes == ("p/add (2 and 1)",)
    assert [analysis.value(name) for name in MEASURES[:2]] == [33, 2]
    assert not Report(analyzed("{residual: [{conv1d: {out_channels: 2, kernel_size: 1}}]}")).clashes


MOVED = {
    "{einsum: {equation: 'n c l, o c -> n o l', sizes: {o: 4}}}": [7, 2, 0],
    "transpose, {moe: {experts: 2, top_k: 1, layers: [{unsqueeze: {dim: 2}}]}}, "
    "{squeeze: {dim: 2}}, transpose": [7, 2, 0],
    "{repeat: {times: 1, layers: [{unsqueeze: {dim: 2}}]}}, {squeeze: {dim: 2}}": [7, 2, 0],
    "{parallel: {merge: mul, branches: [[], [{slice: {dim: 1, end: 1}}]]}}": [7, 2, 0],
}


@pytest.mark.parametrize("between", MOVED)
def test_fields_pass_through(between: str) -> None:
    """3 + (5 − 1)·1 elements, whatever stands between the windows moves none of them."""
    windows = (
        "{conv1d: {out_channels: 2, kernel_size: 3}}",
        "{avgpool1d: {kernel_size: 5, stride: 2}}",
    )
    analysis = analyzed(f"{windows[0]}, {between}, {windows[1]}")
    assert [analysis.value(measure) for measure in MEASURES] == MOVED[between]


def test_two_inputs_have_fields_of_their_own() -> None:
    text = (
        "archspec: 1\nname: n\ninput: {left: [1, 2, 64], right: [1, 2, 64]}\nlayers: "
        "[{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}, from: left, name: a}, "
        "{conv1d: {out_channels: 2, kernel_size: 9, padding: 4}, from: right, name: b}, "
        "{concat: , from: [a, b]}]\n"
    )
    analysis = read(text)
    (reach,) = analysis.fields.by_layer["concat_1"]
    seen = {source: view.seen for source, view in reach.items()}
    assert all(isinstance(span, Span) for span in seen.values())
    sizes = {source.input: span.size for source, span in seen.items() if isinstance(span, Span)}
    assert sizes == {"left": 3, "right": 9}


def test_a_first_turn_that_adds_an_axis() -> None:
    """Two axes enter the first turn, three every later one; the fields follow."""
    text = (
        "archspec: 1\nname: n\nsymbols: {L: 3}\ninput: [1, 3]\nlayers: [{repeat: {times: L, "
        "layers: [{linear: {out_features: 3}}, {reshape: {shape: [1, 1, 3]}}]}}]\n"
    )
    analysis = read(text)
    assert analysis.at(L=5).macs == 5 * 9
    assert [len(layer.inputs[0]) for layer in analysis.layers if layer.node.kind == "linear"] == [
        2,
        3,
    ]


# None in every format and answer.

VIT = "specs/vit.yaml"
SAID = "receptive_field is none: self_attention 'repeat_1/residual_1/self_attention_1'"


def test_none_in_every_format(archcost: Run) -> None:
    asked = (VIT, "--metric", "receptive_field", "macs", "--format")
    table = archcost(*asked, "table").stdout.splitlines()
    total = next(line.split() for line in table if line.startswith(" total"))
    assert total[1] == "–"
    assert any(line.endswith("self_attention_1' sees the whole axis") for line in table)
    document = json.loads(archcost(*asked, "json").stdout)
    assert document["totals"]["receptive_field"] is None
    by_path = {layer["path"]: layer["receptive_field"] for layer in document["layers"]}
    assert by_path["conv2d_1"]["value"] == 16
    assert by_path["linear_1"] is None
    assert document["field_ends"][0]["path"] == "repeat_1/residual_1/self_attention_1"
    lines = archcost(*asked, "csv").stdout.splitlines()
    assert lines[-1].split(",")[:4] == ["total", "", "", ""]
    shown = " ".join(archcost(*asked, "markdown").stdout.split())
    assert "| **total** | | **–** |" in shown
    assert "total &  & -- &" in archcost(*asked, "latex").stdout
    for language in ("python", "javascript", "c"):
        refused = archcost(*asked, language)
        assert refused.returncode == 2
        assert SAID in refused.stderr


REFUSED = [
    ("solve", VIT, "--for", "h", "--where", "receptive_field <= 30"),
    ("sensitivity", VIT, "--metric", "receptive_field"),
    ("sweep", VIT, "--vary", "h=224,256", "--where", "receptive_field <= 30"),
    ("sweep", VIT, "--vary", "h=224,256", "--metric", "receptive_field/h"),
    ("sweep", VIT, "--vary", "h=224,256", "--metric", "macs", "--sort", "receptive_field"),
    ("diff", "specs/vgg.yaml", VIT, "--max", "receptive_field +1"),
    ("sweep", VIT, "--vary", "h=224,256", "--metric", "receptive_field", "--plot", "field.svg"),
    ("sweep", VIT, "specs/vgg.yaml", "--metric", "macs", "receptive_field", "--plot", "field.svg"),
]


@pytest.mark.parametrize("arguments", REFUSED)
def test_nothing_is_asked_of_what_is_none(archcost: Run, arguments: tuple[str, ...]) -> None:
    refused = archcost(*arguments)
    assert refused.returncode == 2
    assert SAID in refused.stderr
    assert refused.stdout == ""


def test_a_sweep_leaves_the_cell_empty_and_says_why(archcost: Run) -> None:
    asked = ("sweep", VIT, "specs/vgg.yaml", "--vary", "h=224,256", "--metric", "receptive_field")
    lines = archcost(*asked, "--format", "csv").stdout.splitlines()
    assert lines[1:] == ["vit,224,", "vit,256,", "vgg,224,212", "vgg,256,212"]
    rows = archcost(*asked, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(row)["receptive_field"] for row in rows] == [None, None, 212, 212]
    assert f"{SAID} sees the whole axis (vit)" in archcost(*asked).stdout


def test_a_point_at_which_a_field_is_none_is_told(archcost: Run, tmp_path: Path) -> None:
    """No turn at the first point, at the second one with an attention: that one has no row."""
    spec = tmp_path / "turns.yaml"
    spec.write_text(
        "archspec: 1\nname: n\nsymbols: {L: 1}\ninput: [1, 8, 4]\nlayers: [{linear: {out_features: "
        "4}}, {repeat: {times: L - 1, index: i, layers: [{self_attention: {heads: i + 1}}]}}]\n",
        encoding="utf-8",
    )
    asked = ("sweep", str(spec), "--vary", "L=1,2", "--metric", "receptive_field")
    swept = archcost(*asked, "--format", "csv")
    assert swept.stdout.splitlines() == ["L,receptive_field", "1,1"]
    said = "points: 2; 1 is left out (receptive_field is none: self_attention 'repeat_1/turn_1/"
    assert said in swept.stderr


def test_networks_side_by_side(archcost: Run) -> None:
    compared = archcost(
        "compare", VIT, "specs/vgg.yaml", "--metric", "receptive_field", "--format", "json"
    )
    values = [
        each["metrics"]["receptive_field"] for each in json.loads(compared.stdout)["networks"]
    ]
    assert values == [
        {"expr": None, "value": None, "ratio": None},
        {"expr": "212", "value": 212, "ratio": None},
    ]
    assert SAID in archcost("compare", VIT, "specs/vgg.yaml").stdout
    table = archcost("table", VIT, "specs/vgg.yaml", "--metric", "receptive_field")
    assert SAID in table.stdout
    changed = archcost("diff", "specs/vgg.yaml", VIT, "--format", "json")
    (diff,) = json.loads(changed.stdout)["networks"]
    assert diff["metrics"]["receptive_field"] == {
        "old": 212,
        "new": None,
        "gain": None,
        "part": None,
    }
    assert SAID in archcost("diff", "specs/vgg.yaml", VIT).stdout


def test_no_fact_and_no_proof_is_about_what_is_none(archcost: Run, tmp_path: Path) -> None:
    spec = tmp_path / "tokens.yaml"
    spec.write_text(
        "archspec: 1\nname: n\ninput: [1, 8, 4]\nlayers: [{self_attention: {heads: 1}}]\n"
        "expect: [{metric: receptive_field, value: 1, source: nobody}]\n",
        encoding="utf-8",
    )
    checked = archcost("check", str(spec))
    assert checked.returncode != 0
    assert "receptive_field is none" in checked.stdout + checked.stderr
    laws = tmp_path / "laws.yaml"
    law = (
        "    source: nobody\n    symbols: {t: 8}\n    networks: {net: {input: [1, t, 4], layers: "
        "[{self_attention: {heads: 1}, name: a}]}}\n"
    )
    laws.write_text(
        f"archspec: 1\nlaws:\n  whole:\n{law}    derived: receptive_field(net)\n    published: 1\n"
        f"  part:\n{law}    derived: receptive_field(net, a)\n    published: 0\n",
        encoding="utf-8",
    )
    for name in ("whole", "part"):
        refused = archcost("prove", str(laws), "--law", name)
        assert "is none: self_attention 'a' sees the whole axis" in refused.stderr
        assert refused.returncode == 2
        assert refused.stdout == ""


def test_a_stride_that_is_a_fraction_stays_one(archcost: Run, tmp_path: Path) -> None:
    spec = tmp_path / "up.yaml"
    spec.write_text(
        "archspec: 1\nname: up\nsymbols: {h: 8}\ninput: [1, 2, h]\n"
        "layers: [{upsample: {scale_factor: 3}}]\n",
        encoding="utf-8",
    )
    analysis = analyze(spec)
    assert analysis.effective_stride == Fraction(1, 3)
    assert analysis.function("effective_stride")(h=5) == Fraction(1, 3)
    asked = (str(spec), "--metric", "effective_stride", "--format")
    law = json.loads(archcost(*asked, "json", "--symbolic").stdout)["totals"]["effective_stride"]
    assert eval(law["expr"]) == 1 / 3  # "1//3" is 0
    assert archcost(*asked, "csv").stdout.splitlines()[-1].split(",")[3] == "1/3"
    swept = archcost(
        "sweep", str(spec), "--vary", "h=1,2", "--metric", "effective_stride", "--format", "csv"
    )
    assert swept.stdout.splitlines()[1:] == ["1,1/3", "2,1/3"]
    refused = archcost(*asked, "c")
    assert "effective_stride is 1/3, and these functions are of integers" in refused.stderr


def test_a_stride_of_symbols_is_not_guessed() -> None:
    analysis = analyzed("{upsample: {scale_factor: f}}", symbols="f: 3")
    error = analysis.none_of("effective_stride")
    assert error is not None
    assert "its stride is a fraction of symbols" in error.cause
    assert analysis.receptive_field == 1
    fixed = analyzed("{upsample: {scale_factor: f}}", symbols="f: 3", f=3)
    assert fixed.effective_stride == Fraction(1, 3)


# The algebra itself.


def brute(span: Span, places: range) -> set[tuple[int, int]]:
    """First and last place at each place, by the routes' own definition."""

    def at(place: int, pick: int) -> int:
        found = []
        for route in span[pick]:
            here = place
            for scale, offset, over in route:
                here = (int(scale) * here + int(offset)) // int(over)
            found.append(here)
        return min(found) if pick == 0 else max(found)

    return {(at(place, 0), at(place, 1)) for place in places}


def test_steps_joined_are_the_steps_one_after_another() -> None:
    """Chains of maps with floors, and hulls of two, against the maps run one by one."""
    random = Random(12)
    for _ in range(examples(500)):
        span = POINT
        plain: list[tuple[int, int, int, int]] = []
        for _ in range(random.randint(1, 4)):
            first = random.randint(-5, 5)
            numbers = (
                random.randint(1, 4),
                first,
                first + random.randint(0, 6),
                random.randint(1, 4),
            )
            span = span.after(ReadPlaces(*map(S, numbers)))
            plain.append(numbers)
        for place in range(-30, 30):
            low = high = place
            for scale, first, last, over in reversed(plain):
                low, high = (scale * low + first) // over, (scale * high + last) // over
            assert brute(span, range(place, place + 1)) == {(low, high)}
        period = 1
        for _, _, _, over in plain:
            period *= over
        assert span.size == max(b - a + 1 for a, b in brute(span, range(period)))
        other = span.shifted(S(random.randint(-3, 3)), S(random.randint(-3, 3)))
        both = hull(span, other)
        for place in range(-10, 10):
            ends = [*brute(span, range(place, place + 1)), *brute(other, range(place, place + 1))]
            expected = min(a for a, _ in ends), max(b for _, b in ends)
            assert brute(both, range(place, place + 1)) == {expected}


def test_two_maps_that_hear_each_other_an_open_number_of_times(tmp_path: Path) -> None:
    """Both turns see more by another amount; a report says so, and which symbol is to be fixed."""
    (tmp_path / "net.yaml").write_text(
        "archspec: 1\nname: net\nsymbols: {k: 3}\ninput: {a: [1, 2, 16], b: [1, 2, 8]}\n"
        "blocks:\n  mix:\n    inputs: [a, b]\n    layers:\n"
        "      - {upsample: {like: a}, from: b}\n      - {add: , from: [a, previous]}\n"
        "      - {conv1d: {out_channels: 2, kernel_size: 3, padding: 1}, name: fine}\n"
        "      - maxpool1d: {kernel_size: 2}\n      - {add: , from: [b, previous], name: coarse}\n"
        "    outputs: [fine, coarse]\n"
        "layers: [{repeat: {times: k, layers: [mix]}, from: [a, b], name: neck}]\n"
    )
    done = run_here(str(tmp_path / "net.yaml"), "--metric", "receptive_field")
    assert "none: repeat 'neck' sees more by another amount in its first turns" in done.stdout
    assert "fix their number, as by --set k=3" in done.stdout
    fixed = run_here(str(tmp_path / "net.yaml"), "--metric", "receptive_field", "--set", "k=3")
    assert "none" not in fixed.stdout

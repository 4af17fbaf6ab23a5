"""Receptive fields: against the sets of inputs that outputs depend on, and published numbers."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.architecture import read_architecture
from archspec.document import parse_document
from costmodel import analyze
from costmodel.analysis import Analysis
from costmodel.conventions import find_convention
from costmodel.loading import analyze_architecture
from costmodel.reach import Limit, fields_of
from costmodel.report import Report
from tests.conftest import ROOT

Sources = Callable[[int], set[int]]
"""Which inputs an output depends on; places go on without end, so that no edge is seen."""


def slid(kernel: int, stride: int, dilation: int, padding: int) -> Sources:
    return lambda o: {o * stride + k * dilation - padding for k in range(kernel)}


def spread(kernel: int, padding: int) -> Sources:
    """An input i writes the outputs ``i + k − padding``."""
    return lambda o: {o - k + padding for k in range(kernel)}


def seen(chain: list[Sources], output: int) -> set[int]:
    places = {output}
    for sources in reversed(chain):
        places = set().union(*map(sources, places))
    return places


small = st.integers(1, 3)


@st.composite
def layers(draw: st.DrawFn) -> tuple[str, Sources]:
    kernel, stride, padding = draw(st.integers(1, 4)), draw(small), draw(st.integers(0, 2))
    if draw(st.integers(0, 3)) == 0:
        fields = f"kernel_size: {kernel}, padding: {padding}"
        return f"conv_transpose1d: {{out_channels: 2, {fields}}}", spread(kernel, padding)
    dilation = draw(small)
    fields = f"kernel_size: {kernel}, stride: {stride}, padding: {padding}, dilation: {dilation}"
    return f"conv1d: {{out_channels: 2, {fields}}}", slid(kernel, stride, dilation, padding)


def measured(entries: list[str]) -> tuple[int, int, int]:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    text = f"archspec: 1\nname: net\ninput: [1, 2, 900]\nlayers:\n{lines}"
    architecture = read_architecture(parse_document(text))
    analysis = analyze_architecture(architecture, find_convention("lecture"), {})
    reach = analysis.layers[-1].reach
    (field,) = fields_of(reach)
    return field.size, field.stride, field.padding


@settings(deadline=None, max_examples=60)
@given(chain=st.lists(layers(), min_size=1, max_size=4))
def test_a_chain_sees_what_its_taps_touch(chain: list[tuple[str, Sources]]) -> None:
    entries, sources = zip(*chain, strict=True)
    size, stride, padding = measured(list(entries))
    fields = [seen(list(sources), output) for output in range(12)]
    assert {max(field) - min(field) + 1 for field in fields} == {size}
    assert {min(after) - min(field) for field, after in pairwise(fields)} == {stride}
    assert min(fields[0]) == -padding


def test_what_has_places_between_the_inputs_has_no_field() -> None:
    """U-Net's field is that of its deepest map: 1 + 4·(1 + 2 + 4 + 8 + 16) + (1 + 2 + 4 + 8)."""
    unet = analyze(ROOT / "specs" / "unet.yaml")
    assert unet.value("receptive_field") == 140
    assert unet.layers[-1].reach == Limit(
        "up_1/conv_transpose2d_1", "has places between those of its input"
    )


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


def test_vgg_begins_90_elements_before_the_input() -> None:
    """Effective padding of VGG-16: Araujo, Norris and Sim, Distill 2019."""
    assert analyze(ROOT / "specs" / "vgg.yaml").value("effective_padding") == 90


TURNS = {
    # three turns of 3 × 3: 1 + 3·2; then a stride of 2: + 2, and a 3 × 3 on it: + 2·2
    "[{repeat: {times: 3, layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}]}}]": 7,
    "[{repeat: {times: L, layers: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1}}]}}]": 11,
    "[{residual: [{conv1d: {out_channels: 2, kernel_size: 5, padding: 2}}]}]": 5,
    "[{parallel: {branches: [[], [{avgpool1d: {kernel_size: 3, stride: 1, padding: 1}}]]}}]": 3,
    "[{conv1d: {out_channels: 2, kernel_size: 3, stride: 2}}, {parallel: {merge: mul, branches: "
    "[[], [{parameter: {shape: [2, 1]}}]]}}, {conv1d: {out_channels: 2, kernel_size: 3}}]": 7,
    "[{flatten: , name: f}, {linear: {out_features: 3}}]": 0,
}


@pytest.mark.parametrize("entries", TURNS)
def test_by_hand(entries: str) -> None:
    text = f"archspec: 1\nname: n\nsymbols: {{L: 5}}\ninput: [1, 2, 64]\nlayers: {entries}\n"
    architecture = read_architecture(parse_document(text))
    analysis = analyze_architecture(architecture, find_convention("lecture"), {})
    assert analysis.value("receptive_field") == TURNS[entries]


ENDS = {
    "[{conv1d: {out_channels: 2, kernel_size: 3}}, {global_avgpool: , name: g}, "
    "{maxpool1d: {kernel_size: 1}}]": ("g", "sees the whole input"),
    "[{upsample: {scale_factor: 2}, name: up}, {conv1d: {out_channels: 2, kernel_size: 3}}]": (
        "up",
        "has places between those of its input",
    ),
    "[{transpose: , name: t}, {conv1d: {out_channels: 2, kernel_size: 2}, name: c}]": (
        "c",
        "has windows over what has no places in the input",
    ),
}


@pytest.mark.parametrize("entries", ENDS)
def test_where_fields_end_is_told(entries: str) -> None:
    limits = Report(drawn(entries)).limits
    assert [tuple(limit) for limit in limits] == [ENDS[entries]]


def drawn(entries: str) -> Analysis:
    text = f"archspec: 1\nname: n\ninput: [1, 2, 64]\nlayers: {entries}\n"
    architecture = read_architecture(parse_document(text))
    return analyze_architecture(architecture, find_convention("lecture"), {})


def test_paths_whose_strides_differ_are_told() -> None:
    """Of 64 elements both paths leave 32, one with a stride of 2, the other with a kernel of 33."""
    paths = (
        "[[{conv1d: {out_channels: 2, kernel_size: 2, stride: 2}}], "
        "[{avgpool1d: {kernel_size: 33, stride: 1}}]]"
    )
    analysis = drawn(f"[{{parallel: {{merge: add, branches: {paths}}}, name: p}}]")
    assert Report(analysis).clashes == ("p/add (2 and 1)",)
    found = analysis.value("receptive_field"), analysis.value("effective_stride")
    assert found == (33, 2)
    assert not Report(drawn("[{residual: [{conv1d: {out_channels: 2, kernel_size: 1}}]}]")).clashes


MOVED = {
    "{einsum: {equation: 'n c l, o c -> n o l', sizes: {o: 4}}}": [7, 2, 0],
    "{moe: {experts: 2, top_k: 1, layers: [{unsqueeze: {dim: 2}}]}}, {squeeze: {dim: 2}}": [
        7,
        2,
        0,
    ],
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
    analysis = drawn(f"[{windows[0]}, {between}, {windows[1]}]")
    measures = ("receptive_field", "effective_stride", "effective_padding")
    assert [analysis.value(measure) for measure in measures] == MOVED[between]


def test_fields_move_with_their_axes() -> None:
    """3 + (5 − 1)·1 elements, with channels last in between; a linear layer mixes channels only."""
    entries = (
        "[{conv1d: {out_channels: 2, kernel_size: 3}}, {transpose: {dim0: 1, dim1: 2}}, layernorm, "
        "{linear: {out_features: 4}}, {permute: {dims: [0, 2, 1]}}, {unsqueeze: {dim: 1}}, "
        "{squeeze: {dim: 1}}, {avgpool1d: {kernel_size: 5, stride: 2}}]"
    )
    analysis = drawn(entries)
    measures = ("receptive_field", "effective_stride", "effective_padding")
    assert [analysis.value(measure) for measure in measures] == [7, 2, 0]
    assert not Report(analysis).limits


def test_a_first_turn_that_adds_an_axis() -> None:
    """Two axes enter the first turn, three every later one; the fields follow."""
    text = (
        "archspec: 1\nname: n\nsymbols: {L: 3}\ninput: [1, 3]\nlayers: [{repeat: {times: L, "
        "layers: [{linear: {out_features: 3}}, {reshape: {shape: [1, 1, 3]}}]}}]\n"
    )
    architecture = read_architecture(parse_document(text))
    analysis = analyze_architecture(architecture, find_convention("lecture"), {})
    assert analysis.at(L=5).macs == 5 * 9
    assert [len(layer.inputs[0]) for layer in analysis.layers if layer.node.kind == "linear"] == [
        2,
        3,
    ]

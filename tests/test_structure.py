"""Composites, blocks, variants and tied weights: what they expand to, and what they cost."""

from pathlib import Path

import pytest

from archspec import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.conditions import condition_text
from tests.conftest import ROOT

HEAD = "archspec: 1\nname: net\ninput: [1, 4, 8, 8]\n"


def written(folder: Path, text: str) -> Analysis:
    file = folder / "net.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return analyze(file, convention="torch")


COUNTS: dict[str, tuple[str, int, int]] = {
    "residual": ("layers: [{residual: [{conv2d: {out_channels: 4, kernel_size: 1}}]}]", 20, 1024),
    "a shortcut": (
        "layers:\n  - residual:\n      layers: [{conv2d: {out_channels: 8, kernel_size: 1}}]\n"
        "      shortcut: [{conv2d: {out_channels: 8, kernel_size: 1, bias: false}}]\n",
        4 * 8 + 8 + 4 * 8,
        2 * 4 * 8 * 64,
    ),
    "branches": (
        "layers:\n  - parallel: {branches: [[], [{conv2d: {out_channels: 2, kernel_size: 1}}]]}\n"
        "  - conv2d: {out_channels: 1, kernel_size: 1, bias: false}\n",
        4 * 2 + 2 + 6,
        (4 * 2 + 6) * 64,
    ),
    "turns that change the channels": (
        "layers: [{repeat: {times: 3, layers: [{conv2d: {out_channels: 8, kernel_size: 1, "
        "bias: false}}]}}]",
        4 * 8 + 2 * 8 * 8,
        (4 * 8 + 2 * 8 * 8) * 64,
    ),
    "turns that grow": (
        "layers: [{repeat: {times: 3, layers: [{conv2d: {out_channels: in_channels + 1, "
        "kernel_size: 1, bias: false}}]}}]",
        4 * 5 + 5 * 6 + 6 * 7,
        (4 * 5 + 5 * 6 + 6 * 7) * 64,
    ),
    "an index": (
        "layers: [{repeat: {times: 3, index: i, layers: [{conv2d: {out_channels: i + 1, "
        "kernel_size: 1, bias: false}}]}}]",
        4 * 1 + 1 * 2 + 2 * 3,
        (4 + 2 + 6) * 64,
    ),
    "a table": (
        "layers: [{foreach: {rows: [{c: 2, k: 1}, {c: 3, k: 3}], layers: [{conv2d: "
        "{out_channels: c, kernel_size: k, padding: k//2, bias: false}}]}}]",
        4 * 2 + 2 * 3 * 9,
        (4 * 2 + 2 * 3 * 9) * 64,
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_by_hand(name: str, tmp_path: Path) -> None:
    text, params, macs = COUNTS[name]
    analysis = written(tmp_path, text)
    assert (analysis.at().params, analysis.at().macs) == (params, macs)


def test_experts_count_all_weights_and_the_work_of_the_chosen(tmp_path: Path) -> None:
    """Router 8·E; one expert 8·8; all E hold weights, k of them work on each of 4·8 rows."""
    analysis = written(
        tmp_path,
        "layers: [{moe: {experts: 6, top_k: 2, layers: [{linear: {out_features: 8, "
        "bias: false}}]}}]",
    )
    assert analysis.at().params == 8 * 6 + 6 * 8 * 8
    assert analysis.at().macs == 4 * 8 * (8 * 6 + 2 * 8 * 8)


def test_a_symbol_of_turns_multiplies(tmp_path: Path) -> None:
    analysis = written(
        tmp_path,
        "symbols: {L: 5}\nlayers: [{repeat: {times: L, layers: [{conv2d: {out_channels: 8, "
        "kernel_size: 1, bias: false}}]}}]",
    )
    assert str(analysis.params) in ("64*L - 32", "32 + 64*(L - 1)")
    assert analysis.at(L=100).params == 4 * 8 + 99 * 64


def test_turns_that_change_every_time_need_a_number(tmp_path: Path) -> None:
    text = (
        "symbols: {L: 5}\nlayers: [{repeat: {times: L, layers: [{conv2d: "
        "{out_channels: 2*in_channels, kernel_size: 1}}]}}]"
    )
    file = tmp_path / "net.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(SpecError, match="every turn changes axis 1 from 4 to 8"):
        analyze(file)


def test_a_tied_weight_counts_once() -> None:
    """GPT-2: 124,439,808 with the head tied; untied it would be V·d more."""
    params = analyze(ROOT / "specs" / "gpt2.yaml", convention="torch").at().params
    assert params == 124_439_808


def test_u_net_is_valid_for_multiples_of_16() -> None:
    analysis = analyze(ROOT / "specs" / "unet.yaml")
    assert [condition_text(c) for c in analysis.conditions] == ["h % 16 == 0", "w % 16 == 0"]
    for height in range(16, 300):
        valid = height % 16 == 0
        if valid:
            analysis.at(h=height)
        else:
            with pytest.raises(SpecError, match=r"concat_|must fit"):
                analysis.at(h=height)


def test_a_block_that_calls_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="block 'a' calls itself: a → b → a"):
        written(tmp_path, "blocks: {a: {layers: [b]}, b: {layers: [a]}}\nlayers: [a]")


def test_a_block_sees_no_names_of_its_caller(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unknown name 'i'"):
        written(
            tmp_path,
            "blocks: {a: {layers: [{linear: {out_features: i}}]}}\n"
            "layers: [{repeat: {times: 2, index: i, layers: [a]}}]",
        )


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(SpecError, match="there is no variant 'resnet51'"):
        analyze(f"{ROOT / 'specs' / 'resnet.yaml'}@resnet51")


@pytest.mark.parametrize(
    "spec",
    ["resnet.yaml@resnet101", "densenet.yaml", "mobilenetv2.yaml", "gpt2.yaml", "llama.yaml"],
)
def test_a_law_gives_the_numbers_of_an_analysis_in_numbers(spec: str) -> None:
    """The symbolic totals at the defaults equal the totals when every symbol is a number."""
    path = f"{ROOT / 'specs' / spec}"
    free = analyze(path)
    values = {name: str(value) for name, value in free.graph.values.items()}
    fixed = analyze(path, settings=values)
    for metric in ("params", "macs", "activations", "activations_peak"):
        assert free.evaluator(free.total(metric)) == fixed.value(metric) == free.value(metric)

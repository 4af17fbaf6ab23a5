"""Assumptions: what is assumed makes laws simpler, holds, and is refused where it cannot."""

import re

import pytest

from archspec import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.functions import FloorDiv
from costmodel.algebra.printing import text
from tests.conftest import ROOT, Run
from tests.test_algebra import run

RESNET = ROOT / "specs" / "resnet.yaml"


def test_resnet_is_a_polynomial_on_multiples_of_32() -> None:
    """At h = w = 32q and a width of a: 16384·a·n·(4944·a·q² + 147·q² + 125), classes = 1000."""
    analysis = analyze(
        RESNET,
        settings={"c": 3, "classes": 1000},
        assume=["h % 32 == 0", "w == h", "width % 1 == 0"],
    )
    law = analysis.macs
    assert not law.atoms(FloorDiv)
    for q in (1, 3, 7):
        for a in (1, 2, 5):
            expected = 16384 * a * 2 * (4944 * a * q**2 + 147 * q**2 + 125)
            assert analysis.at(h=32 * q, width=a, n=2).macs == expected
            assert run(text(law), {"h": 32 * q, "width": a, "n": 2}) == expected


SAME = {
    "resnet.yaml": ["h % 32 == 0 and w % 32 == 0"],
    "densenet.yaml": ["h % 32 == 0", "w == h"],
    "unet.yaml": ["h % 16 == 0", "w % 16 == 0"],
    "vgg.yaml": ["h % 32 == 0", "h >= 64"],
    "gpt2.yaml": ["d % heads == 0"],
    "mobilenetv2.yaml": ["h % 32 == 0", "width >= 1"],
    "swin.yaml": ["h % 224 == 0 and w % 224 == 0"],
}


@pytest.mark.parametrize("spec", SAME)
def test_numbers_are_the_same_under_an_assumption(spec: str) -> None:
    free = analyze(ROOT / "specs" / spec)
    assumed = analyze(ROOT / "specs" / spec, assume=SAME[spec])
    for metric in ("params", "macs", "activations", "activations_peak"):
        value = free.value(metric)
        assert assumed.value(metric) == assumed.evaluator(assumed.total(metric)) == value
        values = {name: assumed.graph.values[name] for name in assumed.symbols}
        assert run(text(assumed.closed_form(assumed.total(metric))), values) == value


def test_what_is_assumed_is_no_condition() -> None:
    assumed = analyze(ROOT / "specs" / "unet.yaml", assume=["h % 16 == 0"])
    assert [condition_text(c) for c in assumed.conditions] == ["w % 16 == 0"]
    for spec, said in (
        ("alexnet.yaml", ["h >= 100", "32 % g == 0", "w == h"]),
        ("gpt2.yaml", ["d % heads == 0", "context >= t"]),
    ):
        assert analyze(ROOT / "specs" / spec, assume=said).conditions == ()


def test_a_point_keeps_the_assumption() -> None:
    analysis = analyze(RESNET, assume=["h % 32 == 0"])
    with pytest.raises(SpecError, match="break the assumption h % 32 == 0"):
        analysis.at(h=100)


REFUSED = {
    "h % 5": "no assumption of a known form",
    "width > 1/2": "'width' is real",
    "h >= 3 or w >= 3": "no assumption of a known form",
    "q == 3": "unknown name 'q'",
    "h == h": "'h' is said by itself",
    "h %": "assumption 'h %'",
    "h % 0 == 0": "assumption",
    "1 > 2": "this is false",
}


MOVED: dict[tuple[str, ...], tuple[str, int]] = {
    ("h % 33 == 0",): ("resnet.yaml", 231),
    ("h < 5",): ("resnet.yaml", 4),
    ("h <= 200",): ("unet.yaml", 192),
    ("500 >= h", "h > 300"): ("unet.yaml", 304),
    ("h % 48 == 0",): ("unet.yaml", 240),
    ("h % 32 == 0", "h == w"): ("unet.yaml", 256),
}


@pytest.mark.parametrize("said", MOVED)
def test_defaults_move_to_where_the_assumptions_hold(said: tuple[str, ...]) -> None:
    """To the nearest value that keeps them and is valid."""
    spec, height = MOVED[said]
    analysis = analyze(ROOT / "specs" / spec, assume=said)
    assert analysis.graph.values["h"] == height
    assert analysis.value("macs") == analysis.at().macs


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_no_assumption_is_refused(said: str) -> None:
    with pytest.raises(SpecError, match=REFUSED[said]):
        analyze(RESNET, assume=[said])


def test_a_function_keeps_the_assumption() -> None:
    law = analyze(RESNET, assume=["h % 32 == 0"]).function("macs")
    assert law(h=224) == 4_089_184_256
    with pytest.raises(SpecError, match="invalid where not h % 32 == 0"):
        law(h=[224, 225])


@pytest.mark.parametrize("said", [["h >= 64", "h == w"], ["w == h", "w % 2 == 0"], ["w == h + w"]])
def test_a_symbol_that_equals_another_is_said_no_more_of(said: list[str]) -> None:
    with pytest.raises(SpecError, match=r"two assumptions about|is said by itself"):
        analyze(RESNET, assume=said)


def test_an_equality_gives_the_value_too() -> None:
    assert analyze(RESNET, assume=["h == w + 1"]).graph.values["h"] == 225


def test_the_command_says_what_is_assumed(archcost: Run) -> None:
    done = archcost(
        "specs/unet.yaml", "--symbolic", "--assume", "h % 16 == 0", "w == h", "--metric", "macs"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "assuming            h % 16 == 0 and w == h" in done.stdout
    assert re.search(r"^input +\[n, c, h, h\]$", done.stdout, re.MULTILINE)
    assert "valid when" not in done.stdout


def laws(analysis: Analysis) -> str:
    return text(analysis.closed_form(analysis.macs))


def test_two_multiples_are_their_least_common_one() -> None:
    two, one = (
        laws(analyze(RESNET, settings={"h": 224}, assume=said))
        for said in (["w % 8 == 0", "w % 14 == 0"], ["w % 56 == 0"])
    )
    assert two == one

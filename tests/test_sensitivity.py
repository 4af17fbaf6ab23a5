"""Sensitivity: small networks by hand, real ones against analyses of their own."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from archspec.architecture import read_architecture
from archspec.arithmetic import Rational
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.printing import text
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.studies.sensitivity import (
    Derivative,
    DoubledValue,
    Effect,
    Elasticity,
    NoResult,
    Sensitivity,
)
from tests.conftest import ROOT, Run
from tests.test_algebra import run

ALEXNET = "specs/alexnet.yaml"

SMALL = """
archspec: 1
name: small
symbols: {n: 1, c: 3, h: {default: 8, max: 15}, w: {default: 8, multiple_of: 8}, d: 4}
input: [n, c, h, w]
layers:
  - conv2d: {out_channels: d, kernel_size: 3, padding: 1}
  - conv2d: {out_channels: 2*d, kernel_size: 3, stride: 2, padding: 1}
"""


def analysis_of(spec: str, **settings: Rational) -> Analysis:
    architecture = read_architecture(parse_document(spec))
    return analyze_architecture(architecture, Setup("lecture", settings))


def effect_of(sensitivity: Sensitivity, name: str, metric: str) -> Effect:
    (change,) = (change for change in sensitivity.changes if change.name == name)
    return sensitivity.effects[change][metric]


def effect(spec: str, name: str, metric: str) -> Effect:
    return effect_of(Sensitivity(analysis_of(spec)), name, metric)


def test_a_small_network_by_hand() -> None:
    """MACs are ``9·c·d·h·w + 18·d²·⌈h/2⌉·⌈w/2⌉``: 6912 + 4608 = 11520; params ``9·c·d + 18·d²``.

    In d: the first term is linear, the second square, so (6912 + 2·4608)/11520 = 7/5; of the
    params (108 + 2·288)/396 = 19/11. Twice d: (2·6912 + 4·4608)/11520 = 14/5.
    """
    macs, params = (effect(SMALL, "d", metric) for metric in ("macs", "params"))
    assert macs.elasticity == Elasticity(Fraction(7, 5), even=False)
    assert params.elasticity == Elasticity(Fraction(19, 11), even=False)
    assert macs.doubled == DoubledValue(2 * 6912 + 4 * 4608, Fraction(14, 5))
    assert isinstance(params.derivative, Derivative)
    assert text(params.derivative.closed_form) == "9*c + 36*d"
    assert params.derivative.value == 27 + 144
    assert text(Sensitivity(analysis_of(SMALL)).orders["params"]) == "d*(c + d)"


def test_a_floor_rises_evenly_from_its_true_value() -> None:
    """At h = 7 ⌈h/2⌉ is 4 and rises by 1/2: (7·864 + 4608·(7/2)/4)/(7·864 + 4608) = 35/37.

    Twice h is 14, ⌈14/2⌉ = 7: (14·864 + 7·1152)/10656 = 70/37.
    """
    at_seven = effect(SMALL.replace("h: {default: 8", "h: {default: 7"), "h", "macs")
    assert at_seven.elasticity == Elasticity(Fraction(35, 37), even=True)
    assert at_seven.doubled == DoubledValue(14 * 864 + 7 * 1152, Fraction(70, 37))
    assert at_seven.derivative == NoResult("h stands in ceil(h/2), which steps")


def test_what_stands_as_a_factor_is_a_share() -> None:
    """The MACs are n times something, which is the derivative; the params know no n."""
    found = effect(SMALL, "n", "macs")
    assert isinstance(found.derivative, Derivative)
    assert (found.derivative.is_share, found.derivative.value) == (True, 11520)
    unmoved = effect(SMALL, "n", "params")
    assert not unmoved.depends
    assert unmoved.elasticity == Elasticity(0, even=False)
    assert unmoved.doubled == DoubledValue(396, 1)


def test_a_doubled_point_must_be_valid() -> None:
    """16 is more than h may be; w keeps its multiple; so both together are refused too."""
    refused = NoResult("h = 16 must be at most 15")
    assert effect(SMALL, "h", "macs").doubled == refused
    assert effect(SMALL, "resolution", "macs").doubled == refused
    assert effect(SMALL, "w", "macs").doubled == DoubledValue(2 * 11520, 2)


GROUPED = """
archspec: 1
name: grouped
symbols: {g: 4}
input: [1, 12, 8, 8]
layers:
  - conv2d: {out_channels: 24, kernel_size: 1, groups: g}
"""


def test_a_condition_that_doubling_breaks_is_the_reason() -> None:
    """8 groups do not divide 12 channels; a text of 2048 tokens is beyond GPT-2's positions."""
    eight = effect(GROUPED, "g", "macs").doubled
    assert eight == NoResult("in_channels (12) must be divisible by groups (8)")
    longer = effect_of(Sensitivity(analyze(ROOT / "specs/gpt2.yaml")), "t", "params").doubled
    assert isinstance(longer, NoResult)
    assert "2048 tokens, but there are only 1024 positions" in longer.reason


def test_an_assumption_that_doubling_breaks_is_the_reason() -> None:
    found = Sensitivity(analyze(ROOT / ALEXNET, assume=["h >= w"]))
    wider = effect_of(found, "w", "macs").doubled
    assert wider == NoResult("the values break the assumption h >= w")
    assert isinstance(effect_of(found, "resolution", "macs").doubled, DoubledValue)


REAL = ("alexnet", "resnet", "mobilenetv2", "efficientnet", "unet", "mistral", "vit", "densenet")


@pytest.mark.parametrize("name", REAL)
def test_twice_is_what_an_analysis_there_says(name: str) -> None:
    """Each doubled metric against an analysis of its own at these numbers."""
    spec = ROOT / "specs" / f"{name}.yaml"
    found = Sensitivity(analyze(spec))
    values = dict(found.analysis.graph.values)
    for change, effects in found.effects.items():
        twice = {s.name: 2 * values[s.name] for s in change.symbols}
        if all(isinstance(effect.doubled, NoResult) for effect in effects.values()):
            with pytest.raises(SpecError):
                analyze(spec, settings=values | twice)
            continue
        there = analyze(spec, settings=values | twice)
        for metric, shown in effects.items():
            assert isinstance(shown.doubled, DoubledValue)
            assert shown.doubled.value == there.value(metric)
            assert shown.doubled.factor * found.analysis.value(metric) == there.value(metric)


def test_mobilenet_is_square_in_its_width() -> None:
    """The issue's own numbers: ``MACs = Θ(width²·h·w)``, and 1 % more width 1.9 % more MACs."""
    analysis = analyze(ROOT / "specs/mobilenetv2.yaml", settings={"c": 3, "classes": 1000})
    found = Sensitivity(analysis)
    symbols = analysis.symbols
    n, h, w, width = (symbols[name] for name in ("n", "h", "w", "width"))
    assert found.orders["macs"] == n * h * w * width**2
    shown = effect_of(found, "width", "macs")
    assert shown.order == width**2
    assert isinstance(shown.elasticity, Elasticity)
    assert round(float(shown.elasticity.value), 1) == 1.9
    together = effect_of(found, "resolution", "macs")
    assert isinstance(together.doubled, DoubledValue)
    assert round(float(together.doubled.factor), 1) == 4.0
    assert effect_of(found, "resolution", "params").doubled == DoubledValue(
        analysis.value("params"), 1
    )


def test_resnet_s_params_know_no_resolution() -> None:
    found = Sensitivity(analyze(ROOT / "specs/resnet.yaml@resnet50"))
    assert [metric.name for metric in found.metrics] == ["params", "macs", "activations"]
    for name in ("n", "h", "w", "resolution"):
        assert not effect_of(found, name, "params").depends


def test_conditions_and_assumptions_take_floors_away() -> None:
    """U-Net is valid on multiples of 16 only, and there a polynomial; ResNet is where so assumed.

    On multiples of 32 ResNet-50's MACs are ``16·a·n·(4944·a·h·w + 147·h·w + 128000)`` over a
    width of a (1000 classes): ``q = h/32`` in tests/test_assumptions.py.
    """
    unet = effect_of(Sensitivity(analyze(ROOT / "specs/unet.yaml")), "h", "macs")
    assert unet.elasticity == Elasticity(1, even=False)
    said = ["h % 32 == 0", "w % 32 == 0", "width % 1 == 0"]
    fixed = {"c": 3, "classes": 1000}
    resnet = Sensitivity(analyze(ROOT / "specs/resnet.yaml", assume=said, settings=fixed))
    shown = effect_of(resnet, "h", "macs").derivative
    assert isinstance(shown, Derivative)
    for n, w, width in ((1, 224, 1), (3, 64, 2)):
        expected = 16 * width * n * (4944 * width + 147) * w
        assert run(text(shown.closed_form), {"n": n, "w": w, "width": width}) == expected
    assert shown.value == 16 * (4944 + 147) * 224


def test_what_equals_another_has_no_row_and_moves_with_it() -> None:
    found = Sensitivity(analyze(ROOT / "specs/unet.yaml", assume=["w == h"]))
    assert [change.name for change in found.changes] == ["n", "c", "h", "base", "classes"]
    assert effect_of(found, "h", "macs").elasticity == Elasticity(2, even=False)


def test_two_images_have_a_resolution_each() -> None:
    spec = (
        "archspec: 1\nname: two\nsymbols: {h: 8, w: 8, a: 8, b: 9}\n"
        "input: {left: [1, 3, h, w], right: [1, 3, a, b], again: [1, 3, w, h], line: [1, 3, a]}\n"
        "layers:\n"
        + "".join(f"  - relu:\n    from: {name}\n" for name in ("left", "right", "again", "line"))
    )
    names = [change.name for change in Sensitivity(analysis_of(spec)).changes]
    assert names == ["h", "w", "a", "b", "resolution of left", "resolution of right"]


def test_a_metric_of_nothing_has_no_elasticity() -> None:
    """``9·(L − 1)`` params are 0 at L = 1, where no percent of them can be said."""
    head = "archspec: 1\nname: none\nsymbols: {L: 1, d: 2}\ninput: [1, 3]\nlayers:\n"
    turns = head + "  - repeat: {times: L - 1, layers: [{linear: {out_features: 3}}]}\n"
    nothing = effect(turns, "L", "params")
    assert isinstance(nothing.derivative, Derivative)
    assert nothing.derivative.value == 9
    assert nothing.elasticity == NoResult("params is 0 here")
    assert nothing.doubled == NoResult("params is 0 here")
    still = effect(turns, "d", "params")
    assert (still.elasticity, still.doubled) == (Elasticity(0, even=False), DoubledValue(0, 1))


def test_what_is_irrational_is_not_claimed() -> None:
    """At t = 16 the root is 4 and rises by 1/8, at 32 it is no rational number."""
    spec = "archspec: 1\nname: root\nsymbols: {t: 16}\ninput: [1, 5]\nlayers:\n"
    found = effect(spec + "  - linear: {out_features: 'round_to(sqrt(t), 4)'}\n", "t", "params")
    assert found.elasticity == Elasticity(Fraction(1, 2), even=True)
    assert found.doubled == NoResult("sqrt(32) is no rational number")
    assert found.order == NoResult("sqrt(t) is no whole power")


def test_of_equals_the_one_that_rises_counts() -> None:
    """``max(8, d)`` at d = 8: one percent more is one percent more."""
    spec = "archspec: 1\nname: bend\nsymbols: {d: 8}\ninput: [1, 3]\nlayers:\n"
    found = effect(spec + "  - linear: {out_features: 'max(8, d)'}\n", "d", "params")
    assert found.elasticity == Elasticity(1, even=True)
    assert found.derivative == NoResult("d stands in max(8, d), which bends")


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown symbol": ((ALEXNET, "--set", "q=1"), "there is no symbol 'q' to set"),
    "an unknown metric": ((ALEXNET, "--metric", "mac"), "did you mean 'macs'"),
    "an unknown format": ((ALEXNET, "--format", "pdf"), "unknown format 'pdf'"),
    "no metric": ((ALEXNET, "--metric"), "--metric"),
    "nothing open": (
        (ALEXNET, "--set", "n=1", "c=3", "h=224", "w=224", "g=2"),
        "no symbol is open",
    ),
    "what is no number": ((ALEXNET, "--set", "h=x"), "h = x is no number"),
    "a broken assumption": ((ALEXNET, "--assume", "c % g == 0"), "break the assumption"),
    "no spec": (("specs/none.yaml",), "none.yaml"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case: str, archcost: Run) -> None:
    arguments, words = BAD[case]
    done = archcost("sensitivity", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_structure_that_cannot_stay_open_is_said(tmp_path: Path, archcost: Run) -> None:
    spec = tmp_path / "turns.yaml"
    spec.write_text(
        "archspec: 1\nname: turns\nsymbols: {L: 3, d: 4}\ninput: [1, d]\nlayers:\n"
        "  - repeat: {times: L, index: i, layers: [{linear: {out_features: d*2**i}}]}\n"
    )
    done = archcost("sensitivity", str(spec))
    assert (done.returncode, done.stdout) == (2, "")
    assert "turns.yaml:6" in done.stderr
    fixed = archcost("sensitivity", str(spec), "--set", "L=3")
    assert (fixed.returncode, fixed.stderr) == (0, "")


Golden = Callable[[str, str], None]

VIEWS = {
    "sensitivity.txt": (ALEXNET,),
    "sensitivity-200.txt": ("specs/mistral.yaml", "--metric", "macs", "activations_peak"),
    "sensitivity.md": (ALEXNET, "--format", "markdown", "--set", "n=1", "c=3"),
    "sensitivity.json": (ALEXNET, "--format", "json", "--metric", "macs", "--set", "n=1", "c=3"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, archcost: Run, golden: Golden) -> None:
    done = archcost("sensitivity", *VIEWS[name], columns=200 if "200" in name else 80)
    assert (done.returncode, done.stderr) == (0, "")
    golden(name, done.stdout)


def test_json_is_exact(archcost: Run) -> None:
    """AlexNet's MACs fall with the groups: of 724,406,816 they are 410,849,280 over g = 2."""
    done = archcost("sensitivity", ALEXNET, "--format", "json", "--metric", "macs")
    loaded = json.loads(done.stdout)
    (groups,) = (change for change in loaded["changes"] if change["name"] == "g")
    grouped = 2 * (614_400 * 27**2 // 2 + 2_211_840 * 13**2 // 2)
    shown = groups["effects"]["macs"]
    assert Fraction(shown["elasticity"]["exact"]) == Fraction(-grouped // 2, 724_406_816)
    assert shown["derivative"]["value"] == -grouped // 4
    assert Fraction(shown["doubled"]["exact"]) == Fraction(724_406_816 - grouped // 4, 724_406_816)


@pytest.mark.parametrize("spec", ["vit", "swin", "alexnet", "densenet"])
def test_every_derivative_evaluates_as_python_to_its_value(spec: str, archcost: Run) -> None:
    loaded = json.loads(archcost("sensitivity", f"specs/{spec}.yaml", "--format", "json").stdout)
    found = [effect["derivative"] for c in loaded["changes"] for effect in c["effects"].values()]
    laws = [derivative for derivative in found if "expr" in derivative]
    assert len(laws) > len(found) / 3
    for derivative in laws:
        value = run(derivative["expr"], loaded["symbols"])
        assert value == Fraction(derivative["value"])


def test_the_table_is_what_a_person_asked_for(archcost: Run) -> None:
    done = archcost("sensitivity", "specs/gpt2.yaml")
    assert "2 × t               the input has 2048 tokens" in done.stdout
    assert "MACs                Θ(d·n·t·(L·d + L·t + V))" in done.stdout
    assert "~" not in done.stdout
    assert max(map(len, done.stdout.split("\n\n#params")[0].splitlines())) <= 88

"""Which layer is the peak, against the numbers at every value."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec import SpecError
from costmodel import analyze
from costmodel.analysis.peaks import PeakRange, peaks, race_of
from tests.conftest import examples

ROOT = Path(__file__).parent.parent
CASES = [
    ("alexnet.yaml", {"n": 1, "c": 40, "g": 2}, "h", ["w == h"]),
    ("mobilenetv2.yaml", {"n": 1, "c": 3, "width": 1, "classes": 1000}, "h", ["w == h"]),
    ("gpt2.yaml", {"n": 2, "d": 768, "heads": 12, "V": 50257, "context": 8192, "L": 12}, "t", []),
    ("unet.yaml", {"n": 1, "c": 3, "base": 64, "classes": 2}, "h", ["w == h", "h >= 60"]),
    ("vgg.yaml", {"n": 1, "c": 3, "w": 224, "classes": 1000}, "h", ["300 >= h"]),
]


@pytest.mark.parametrize(("spec", "settings", "name", "assume"), CASES)
def test_the_peak_over_all_values(
    spec: str, settings: dict[str, int], name: str, assume: list[str]
) -> None:
    """The stretches cover every valid value, and name a layer that is the largest there."""
    analysis = analyze(ROOT / "specs" / spec, settings=settings, assume=assume)
    owners = {peak.term: peak.layers for peak in peaks(analysis)}
    race = race_of(analysis)
    found = race.leads if race else ()
    for value in range(1, 2000, 1 if spec != "gpt2.yaml" else 7):
        try:
            evaluate = analysis.at(**{name: value}).evaluate
        except SpecError:
            continue
        (layers,) = (
            owners[s.term]
            for s in found or (PeakRange(next(iter(owners)), 1, None),)
            if s.first <= value and (s.last is None or value <= s.last)
        )
        sizes = {
            layer.node.path: evaluate(analysis.of_layer("activations_peak", layer))
            for layer in analysis.layers
        }
        assert {sizes[path] for path in layers} == {max(sizes.values())}


def test_gpt_2_turns_from_the_classifier_to_attention() -> None:
    """``12·t² + 1,536·t`` passes ``51,025·t`` where t passes 4,124.08: (51,025 − 1,536)/12."""
    _, fixed, _, _ = CASES[2]
    analysis = analyze(ROOT / "specs/gpt2.yaml", settings=fixed)
    owners = {peak.term: peak.owner for peak in peaks(analysis)}
    race = race_of(analysis)
    assert race is not None
    told = [(owners[s.term].split("/")[-1], s.first, s.last) for s in race.leads]
    assert told == [("linear_1", 1, 4124), ("self_attention_1", 4125, 8192)]


NET = """archspec: 1
name: net
symbols: {{n: 1, h: {{default: 9, max: 200}}}}
input: [1, {c}, h, h]
layers:
  - conv2d: {{out_channels: {a}, kernel_size: 3, stride: {s}, padding: 1}}
  - conv2d: {{out_channels: {b}, kernel_size: 3, stride: 2, padding: 1}}
  - flatten
  - linear: {{out_features: {d}}}
  - linear: {{out_features: 3}}
"""


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.integers(1, 3), st.integers(1, 4000))
def test_random_networks(
    tmp_path: Path, channels: tuple[int, int, int], stride: int, features: int
) -> None:
    a, b, c = channels
    file = tmp_path / "net.yaml"
    file.write_text(NET.format(a=a, b=b, c=c, s=stride, d=features), encoding="utf-8")
    analysis = analyze(file, settings={"n": 1})
    race = race_of(analysis)
    for stretch in race.leads if race else ():
        last = 200 if stretch.last is None else stretch.last
        for value in range(int(stretch.first), int(last) + 1):
            evaluate = analysis.evaluator_at({"h": value})
            sizes = [evaluate(analysis.of_layer("activations_peak", x)) for x in analysis.layers]
            assert evaluate(stretch.term) == max(sizes) == evaluate(analysis.activations_peak)

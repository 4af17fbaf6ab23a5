"""Warnings: what a spec says without effect is said on stderr, with its place."""

from pathlib import Path

import pytest
import yaml

from costmodel import analyze
from tests.conftest import ROOT, Run, share

SPEC = """\
archspec: 1
name: warned
symbols: {n: 1, unused: 3, only_in_a_variant: 4}
let: {spare: 2*n, width: 8}
input: {image: [n, 3, 8, 8], mask: [n, 8]}
blocks:
  lonely: {layers: [relu]}
  used: {parameters: {a: , b: 2}, layers: [{conv2d: {out_channels: a, kernel_size: 1}}]}
layers:
  - used: {a: width}
    from: image
  - chunk: {chunks: 2}
  - conv2d: {out_channels: 8, kernel_size: 1}
    from: chunk_1.0
    name: dead
  - relu:
    from: chunk_1.1
variants:
  other: {let: {width: only_in_a_variant}}
"""

EXPECTED = [
    "3:17: symbols: 'unused' is never used",
    "4:7: let: 'spare' is never used",
    "5:37: input.mask: nothing takes this input",
    "7:3: blocks: 'lonely' is never used",
    "8:28: blocks.used: 'b' is never used",
    "13:5: dead: nothing takes its output; it counts all the same",
]


@pytest.mark.parametrize("variant", ["", "@other"])
def test_what_is_without_effect_is_said(variant: str, tmp_path: Path, archcost: Run) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(SPEC)
    done = archcost(f"{file}{variant}")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [f"archcost: warning: {file}:{line}" for line in EXPECTED]
    assert "warning" not in done.stdout


def test_types_of_a_kind_that_no_layer_is(tmp_path: Path) -> None:
    """A kind of another variant's layer, or of one that a composite makes, has its effect."""
    file = tmp_path / "net.yaml"
    file.write_text(
        "archspec: 1\nname: typed\nlet: {deep: 0}\ninput: [1, 3, 8, 8]\n"
        "precision: {kinds: {conv1d: int4, linear: int8, gelu: fp16, add: fp16, relu: fp16}}\n"
        "layers:\n"
        "  - repeat: {times: 2, layers: [{residual: [relu]}]}\n"
        "  - linear: {out_features: 4}\n    when: deep > 0\n"
        "variants: {shallow: {let: {deep: 0}}, deep: {let: {deep: 1}}}\n"
    )
    for variant in ("", "@shallow", "@deep"):
        said = [str(warning) for warning in analyze(f"{file}{variant}").warnings]
        assert said == [
            f"{file}:5:21: precision.kinds: no layer is 'conv1d'",
            f"{file}:5:49: precision.kinds: no layer is 'gelu'",
        ]


KEPT = {"hidden_patch", "hidden_frame", "magnitudes", "of_given_masks", "of_given_corners"}
"""What DINOv2 and wav2vec 2.0 learn for training or fold into another weight, SAM for prompts."""


def test_our_own_specs_say_nothing_without_effect() -> None:
    for path in share(sorted((ROOT / "specs").glob("*.yaml")), 1, 5):
        variants = yaml.safe_load(path.read_text()).get("variants", {None: None})
        for variant in share(variants, 0, 8):
            spec = f"{path}@{variant}" if variant else path
            said = {warning.entry for warning in analyze(spec).warnings}
            assert said <= KEPT, spec

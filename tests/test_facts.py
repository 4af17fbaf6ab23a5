"""``archcost check``: published facts, each with its source in the spec, and how they may fail."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from archspec import load
from archspec.header import Rounding
from costmodel.studies.check import Finding, check_facts, rounded, spec_files
from tests.conftest import ROOT, Run

FINDINGS = [finding for spec in spec_files([str(ROOT / "specs")]) for finding in check_facts(spec)]


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda f: f"{Path(f.spec).name}-{f.fact.metric}")
def test_a_published_fact(finding: Finding) -> None:
    assert finding.shown == finding.fact.value, finding.fact.source


COUNTS = {"macs", "flops", "activations"}
"""What strides and resolution change; parameters alone would not fix them."""


def zoo() -> Iterator[str]:
    """Every network that comes with the project: FILE, or FILE@VARIANT where there are variants."""
    for path in spec_files([str(ROOT / "specs")]):
        variants = load(path).header.variants
        yield from (f"{path}@{name}" for name in variants) if variants else [path]


def test_an_exact_count_of_every_network_is_published() -> None:
    exact = {f.spec for f in FINDINGS if f.fact.metric in COUNTS and f.fact.rounded is None}
    without = [network for network in zoo() if network not in exact]
    assert not without, "networks without an exact fact on macs, flops or activations"


@pytest.mark.parametrize(
    ("how", "expected"), [("floor", 7), ("nearest", 8)], ids=["floor", "nearest"]
)
def test_rounding(how: str, expected: int) -> None:
    rounding = Rounding.model_validate({"to": 100, "how": how})
    assert rounded(750, rounding) == expected
    assert rounded(750, None) == 750
    assert rounded(Fraction(1, 3), Rounding.model_validate({"to": 1})) == 0


def test_the_command_passes(archcost: Run) -> None:
    done = archcost("check", "specs/")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"{len(FINDINGS)} passed, 0 failed\n")


def written(folder: Path, value: int, extra: str = "") -> str:
    text = (ROOT / "specs" / "alexnet.yaml").read_text(encoding="utf-8")
    file = folder / "net.yaml"
    fact = f"  - {{metric: macs, value: {value}, source: a slip{extra}}}\n"
    file.write_text(text.split("expect:")[0] + "expect:\n" + fact, encoding="utf-8")
    return str(file)


def test_a_fact_that_fails_is_shown(archcost: Run, tmp_path: Path) -> None:
    done = archcost("check", written(tmp_path, 724_406_815))
    assert (done.returncode, done.stderr) == (1, "")
    row = next(line for line in done.stdout.splitlines() if line.split()[:1] == ["FAIL"])
    assert row.split()[-5:] == ["724,406,815", "724,406,816", "1", "a", "slip"]
    assert done.stdout.endswith("0 passed, 1 failed\n")


BAD = {
    "variant": (", variant: other", "there is no variant 'other'"),
    "convention": (", convention: torhc", "did you mean 'torch'?"),
    "symbol": (", at: {hh: 3}", "there is no symbol 'hh' to set"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_fact_about_nothing_is_refused(name: str, archcost: Run, tmp_path: Path) -> None:
    extra, message = BAD[name]
    done = archcost("check", written(tmp_path, 1, extra))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_folder_without_specs_is_refused(archcost: Run, tmp_path: Path) -> None:
    done = archcost("check", str(tmp_path))
    assert done.returncode == 2
    assert "no spec (*.yaml)" in done.stderr


def test_a_bad_spec_does_not_hide_the_others(archcost: Run, tmp_path: Path) -> None:
    written(tmp_path, 724_406_816)
    (tmp_path / "bad.yaml").write_text("archspec: 1\nname: bad\n")
    done = archcost("check", str(tmp_path))
    assert done.returncode == 2
    assert "1 passed, 0 failed" in done.stdout
    assert "bad.yaml" in done.stderr


def test_a_rounded_fact_is_in_units(archcost: Run, tmp_path: Path) -> None:
    file = Path(written(tmp_path, 1, ", rounded: {to: 10}"))
    file.write_text(file.read_text().replace("value: 1,", "value: 1.5,"))
    done = archcost("check", str(file))
    assert done.returncode == 2
    assert "value 3/2 is no number of units" in done.stderr

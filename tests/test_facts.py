"""``archcost check``: published facts, each with its source in the spec, and how they may fail."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from archspec import load
from archspec.header import Rounding
from costmodel.studies.check import Finding, check_facts, rounded, spec_files
from tests.commands import Done
from tests.conftest import ROOT, Run, thinned

SPECS = list(spec_files([str(ROOT / "specs")]))


@cache
def findings(spec: str) -> tuple[Finding, ...]:
    return tuple(check_facts(spec))


@pytest.mark.parametrize("spec", thinned(SPECS), ids=lambda spec: Path(spec).name)
def test_the_published_facts_of_a_spec(spec: str) -> None:
    wrong = [(f.spec, f.fact, f.shown) for f in findings(spec) if f.shown != f.fact.value]
    assert wrong == []
    assert all(finding.passes for finding in findings(spec))


COUNTS = {"macs", "flops", "activations"}
"""What strides and resolution change; parameters alone would not fix them."""


def zoo() -> Iterator[str]:
    """Every network that comes with the project: FILE, or FILE@VARIANT where there are variants."""
    for path in spec_files([str(ROOT / "specs")]):
        variants = load(path).header.variants
        yield from (f"{path}@{name}" for name in variants) if variants else [path]


def test_an_exact_count_of_every_network_is_published() -> None:
    exact = {
        f"{spec}@{fact.variant}" if fact.variant else spec
        for spec in SPECS
        for fact in load(spec).header.expect
        if fact.metric in COUNTS and fact.rounded is None
    }
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


def passes(done: Done, specs: list[str]) -> None:
    """Make sure that the command shows all facts of some specs, and that they pass."""
    assert (done.returncode, done.stderr) == (0, "")
    count = sum(len(load(spec).header.expect) for spec in specs)
    assert done.stdout.endswith(f"{count} passed, 0 failed\n")


def test_the_command_passes(archcost: Run, tmp_path: Path) -> None:
    """Those of two files, and of a folder."""
    few = [ROOT / "specs" / name for name in ("alexnet.yaml", "vgg.yaml")]
    for file in few:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for words in (few, [tmp_path]):
        passes(archcost("check", *words), list(map(str, few)))


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

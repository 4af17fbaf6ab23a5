"""Conventions: one rule for which one counts, files of one's own, and what each counts."""

from pathlib import Path

import pytest

from archspec import SpecError, load
from costmodel import analyze
from costmodel.scenario.conventions import (
    CONVENTIONS,
    convention_names,
    convention_of,
    find_convention,
)
from tests.commands import run_here

NET = """\
archspec: 1
name: net
{header}
input: [1, 3, 8, 8]
layers:
  - conv2d: {{out_channels: 4, kernel_size: 3}}
  - batchnorm
  - flatten
  - linear: {{out_features: 10}}
"""

COUNTS = {
    "lecture": (4 * 27 + 144 * 10, 36 * 4 * 27 + 1440, 192 + 144 + 10),
    "torch": (4 * 27 + 4 + 8 + 145 * 10, 36 * 4 * 27 + 1440, 144 + 10),
    "pycls": (4 * 27 + 4 + 8 + 145 * 10, 36 * 4 * 27 + 144 + 1450, 144 + 10),
}
"""Convention → params, MACs and activations of the network above, by hand."""


def written(folder: Path, header: str = "", name: str = "net.yaml") -> Path:
    (folder / name).write_text(NET.format(header=header), encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("convention", COUNTS)
def test_what_counts(tmp_path: Path, convention: str) -> None:
    analysis = analyze(written(tmp_path), convention=convention)
    found = tuple(analysis.value(name) for name in ("params", "macs", "activations"))
    assert found == COUNTS[convention]


@pytest.mark.parametrize(
    ("header", "asked", "name"),
    [
        ("", None, "torch"),
        ("convention: lecture", None, "lecture"),
        ("convention: lecture", "pycls", "pycls"),
        ("", "lecture", "lecture"),
    ],
)
def test_the_command_line_then_the_header_then_torch(
    tmp_path: Path, header: str, asked: str | None, name: str
) -> None:
    assert analyze(written(tmp_path, header), convention=asked).convention.name == name


@pytest.mark.parametrize(
    ("headers", "name"),
    [(("lecture", "lecture"), "lecture"), (("lecture", "torch"), "torch"), ((), "torch")],
)
def test_several_networks_have_one(tmp_path: Path, headers: tuple[str, ...], name: str) -> None:
    specs = [
        load(str(written(tmp_path, f"convention: {header}", f"{i}.yaml")))
        for i, header in enumerate(headers)
    ]
    assert convention_of(None, *specs).name == name


def test_a_table_of_two_specs_counts_both_alike(tmp_path: Path) -> None:
    paths = [written(tmp_path, "convention: lecture", "a.yaml"), written(tmp_path, "", "b.yaml")]
    shown = run_here("table", *paths, "--metric", "params", "--format", "csv").stdout
    params = str(COUNTS["torch"][0])
    assert [line.split(",")[-2:] for line in shown.splitlines()[1:]] == [[params, "torch"]] * 2


@pytest.mark.parametrize(
    "command", [(), ("explain",), ("memory",), ("sensitivity",), ("sweep", "--vary", "h=8,9")]
)
def test_every_command_follows_the_header(tmp_path: Path, command: tuple[str, ...]) -> None:
    text = NET.format(header="convention: lecture\nsymbols: {h: 8}").replace("3, 8, 8", "3, h, 8")
    (tmp_path / "net.yaml").write_text(text.replace("- flatten", "- global_avgpool\n  - flatten"))
    name, *options = command or ("",)
    words = [name] if name else []
    done = run_here(*words, tmp_path / "net.yaml", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().splitlines()[-1].split() == ["convention", "lecture"]


OWN = """\
archspec: 1
name: mine
doc: weights, and what convolutions give
source: me
params: [weight]
activations: [conv]
input: true
"""


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN, encoding="utf-8")
    spec = written(tmp_path)
    done = run_here(spec, "--convention", tmp_path / "mine.yaml", "--format", "csv")
    assert done.returncode == 0, done.stderr
    total = done.stdout.splitlines()[-1].split(",")
    assert total[-4:] == [str(4 * 27 + 1440), str(36 * 4 * 27 + 1440), str(192 + 144), "mine"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("params: [weight]", "params: [wieght]", "mine.yaml:5:9: params: wieght is not what"),
        ("activations: [conv]", "activations: conv", "mine.yaml:6:14: activations:"),
        ("source: me\n", "", "'source' is required"),
        ("input: true", "inputs: true", "unknown field 'inputs'"),
        ("archspec: 1", "archspec: 2", "version 2 of the language"),
    ],
)
def test_what_is_no_convention(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        find_convention(str(tmp_path / "mine.yaml"))
    assert message in "\n".join(refused.value.messages)


def test_a_header_names_no_file(tmp_path: Path) -> None:
    """A spec is untrusted: it makes nothing be read."""
    (tmp_path / "mine.yaml").write_text(OWN, encoding="utf-8")
    done = run_here(written(tmp_path, "convention: mine.yaml"), folder=tmp_path)
    assert done.returncode == 2
    assert "net.yaml:3:13: convention: unknown convention 'mine.yaml'" in done.stderr


def test_a_name_that_is_not_there() -> None:
    done = run_here("specs/alexnet.yaml", "--convention", "torhc")
    assert "unknown convention 'torhc'\n  hint: did you mean 'torch'?" in done.stderr


def test_the_list_shows_each_with_its_source() -> None:
    shown = run_here("conventions").stdout
    assert convention_names() == sorted(path.stem for path in CONVENTIONS.glob("*.yaml"))
    for name in convention_names():
        assert name in shown
        assert find_convention(name).source in shown

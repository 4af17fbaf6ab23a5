"""The zoo: every network by its name, from any folder; the list of all; the zoo in the wheel."""

import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from archspec.errors import SpecError
from archspec.zoo import FOLDER, find_name, find_spec, folded, networks_like, zoo
from costmodel import analyze
from costmodel.cli.app import known_commands
from tests.conftest import ROOT, Run
from tests.test_help import examples_of


@cache
def specs() -> dict[str, Any]:
    """Return all specs of the zoo, by the names of their files."""
    return {file.stem: yaml.safe_load(file.read_text()) for file in ROOT.glob("specs/*.yaml")}


def variants() -> list[tuple[str, str]]:
    """Return all variants, each behind the name of its file."""
    return [(file, name) for file, spec in specs().items() for name in spec.get("variants", {})]


def test_every_file_and_every_variant_has_a_name() -> None:
    """Variants are read off headings; YAML says the same."""
    assert {each.name for each in zoo().values()} == {*specs(), *(name for _, name in variants())}
    for file, name in variants():
        assert find_spec(name) == (f"{FOLDER.as_posix()}/{file}.yaml", name)
    for file in specs().keys() - {name for _, name in variants()}:
        assert find_spec(file) == (f"{FOLDER.as_posix()}/{file}.yaml", None)


def test_names_are_unique() -> None:
    """But for a family that is called as one of its own variants, which its name then means."""
    names = Counter(folded(name) for _, name in [*variants(), *((file, file) for file in specs())])
    twice = {name for name, count in names.items() if count > 1}
    assert twice <= {folded(file) for file, name in variants() if folded(file) == folded(name)}
    assert not {folded(name) for name in known_commands()} & names.keys()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("resnet50", "resnet50"),
        ("ResNet-50", "resnet50"),
        ("llama3-8b", "llama3-8b"),
        ("LLAMA3_8B", "llama3-8b"),
        ("mobilenet-v2", "mobilenet_v2"),
        ("gpt2", "gpt2"),
        ("unet", "unet"),
        ("regnetx16gf", None),  # regnet_x_16gf or regnet_x_1_6gf
        ("resnet", "resnet"),
        ("resne", None),
    ],
)
def test_small_letters_and_dashes_are_no_difference(text: str, name: str | None) -> None:
    found = find_name(text)
    assert (found and found.name) == name


VGG = f"{ROOT}/specs/vgg.yaml@vgg16"


def test_a_name_is_a_spec_of_every_command_from_any_folder(tmp_path: Path, archcost: Run) -> None:
    def said(*words: str, folder: Path = tmp_path) -> str:
        done = archcost(*words, folder=folder)
        assert (done.returncode, done.stderr) == (0, ""), words
        return str(done.stdout)

    path = f"{ROOT}/specs/resnet.yaml@resnet18"
    for words in (
        ("SPEC", "--set", "h=160", "w=160"),
        ("explain", "SPEC", "linear_1"),
        ("memory", "SPEC"),
        ("diff", "SPEC", VGG),
        ("solve", "SPEC", "--for", "n", "--where", "macs <= 1e10", "--largest"),
        ("latency", "SPEC", "--hardware", "a100-80gb"),
        ("table", "SPEC", "--metric", "macs", "--columns", "name", "variant"),
        ("compare", "SPEC", VGG, "--metric", "macs"),
        ("sweep", "SPEC", "--vary", "n=1,2"),
    ):
        by_path = said(*(path if word == "SPEC" else word for word in words), folder=ROOT)
        assert said(*("resnet18" if word == "SPEC" else word for word in words)) == by_path
    assert "resnet152" in said("table", "resnet@*", "--metric", "macs")
    assert "11 passed, 0 failed" in said("check", "lstm")
    assert "Llama" in said("inference", "llama3-8b", "--hardware", "h100-sxm")


def test_python_takes_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert analyze("resnet50", convention="torch").at().params == 25_557_032
    assert analyze("resnet@resnet18", convention="torch").at().params == 11_689_512


def test_a_file_of_a_name_is_meant_with_a_suffix_or_a_slash(tmp_path: Path, archcost: Run) -> None:
    mlp = (ROOT / "specs" / "mlp.yaml").read_text()
    for name in ("resnet50", "resnet50.yaml"):
        (tmp_path / name).write_text(mlp)
    title = {
        word: archcost(word, folder=tmp_path).stdout.splitlines()[0]
        for word in ("resnet50", "./resnet50", "resnet50.yaml")
    }
    assert title == {"resnet50": "ResNet (resnet50)", "./resnet50": "MLP", "resnet50.yaml": "MLP"}


MISSED = {
    ("explain", "resnt50"): "no such file: resnt50\n  hint: did you mean 'resnet50'?",
    ("resnet5",): "'resnet5' is no command, no network of the zoo and no file here\n"
    "  hint: did you mean 'resnet50'?",
    ("table", "resnet50@resnet18"): "resnet50 is a variant itself, of resnet\n"
    "  hint: write resnet@resnet18",
    ("resnet@resnet51",): "did you mean 'resnet50'?",
    ("alexnet@x",): "there is no variant 'x'",
    ("sweep", "alexnet@*", "--vary", "n=1"): "alexnet.yaml has no variants",
    ("zoo", "resnt"): "no network of the zoo is called like 'resnt'\n"
    "  hint: did you mean 'resnet'?",
}


@pytest.mark.parametrize("words", MISSED, ids=" ".join)
def test_a_near_miss_is_told(words: tuple[str, ...], archcost: Run) -> None:
    done = archcost(*words)
    assert done.returncode == 2
    assert MISSED[words] in done.stderr


def test_only_headings_are_read_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a name costs no more than a path: nothing but the one file is parsed."""
    parsed: list[str] = []

    def refuse(path: str) -> None:
        parsed.append(path)
        raise SpecError("it is read")

    monkeypatch.setattr("archspec.architecture.read_document", refuse)
    zoo.cache_clear()
    with pytest.raises(SpecError, match="it is read"):
        analyze("resnet50")
    assert [Path(path).name for path in parsed] == ["resnet.yaml"]


def test_the_list_of_networks(archcost: Run) -> None:
    lines = archcost("zoo", "densenet").stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith(" densenet")]
    assert [row[0] for row in rows] == [f"densenet{n}" for n in (121, 169, 201, 161)]
    row = "densenet121 7,978,856 2,834,161,664 1×3×224×224 Huang et al., CVPR 2017"
    assert " ".join(rows[0]) == row
    assert "convention          torch" in lines[-1]
    assert "families            by their own names: densenet is densenet121" in lines


def test_a_pattern_is_of_whole_names(archcost: Run) -> None:
    """Of those of networks, or else of families."""
    assert [n.name for n in networks_like("resnet[35]*")] == ["resnet34", "resnet50"]
    assert {n.family for n in networks_like("mobilenetv?")} == {"mobilenetv2", "mobilenetv3"}
    assert archcost("zoo", "*x*y*z*q").returncode == 2


def test_the_list_has_every_format(archcost: Run) -> None:
    found = json.loads(archcost("zoo", "mlp", "--format", "json").stdout)
    assert [each["name"] for each in found["networks"]] == [
        "mnist_mlp",
        "mnist_guide",
        "lenet_300_100",
    ]
    assert found["networks"][0] == {
        "name": "mnist_mlp",
        "family": "mlp",
        "symbols": {"n": 1, "c": 1, "h": 28, "w": 28, "d": 512, "classes": 10},
        "params": 669_706,
        "macs": 668_672,
        "source": specs()["mlp"]["source"],
    }
    begins = {"markdown": "| network", "csv": "name,", "latex": "\\begin{table}"}
    for form, begin in begins.items():
        assert archcost("zoo", "mlp", "--format", form).stdout.startswith(begin)


def test_a_list_of_some_looks_at_no_others() -> None:
    assert {each.family for each in networks_like("resnet50")} == {"resnet"}
    assert {each.name for each in networks_like("alexnet")} == {"alexnet", "alexnet_torchvision"}
    every = [each.name for each in networks_like()]
    assert sorted(every) == sorted({*every, *(n for _, n in variants())})
    assert len(every) == sum(len(spec.get("variants") or [None]) for spec in specs().values())


@pytest.mark.exhaustive
def test_the_wheel_has_the_zoo(tmp_path: Path) -> None:
    """Built, installed into a fresh environment, and used where there is no checkout."""

    def run(*words: str | Path) -> str:
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT)
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    programs = tmp_path / "venv" / "bin"
    (wheel,) = tmp_path.glob("*.whl")
    run(programs / "pip", "install", "--quiet", wheel)
    archcost, python = programs / "archcost", programs / "python"
    assert "25,557,032" in run(archcost, "resnet50", "--convention", "torch")
    assert run(python, "-m", "archcost", "llama3-8b") == run(archcost, "llama3-8b")
    listed = json.loads(run(archcost, "zoo", "--format", "json"))["networks"]
    assert [each["name"] for each in listed] == [each.name for each in networks_like()]
    run(archcost, "init")
    assert run(archcost, "net.yaml").startswith("My first network")
    code = "from archcost import analyze; print(analyze('unet').macs.free_symbols)"
    assert "n" in run(python, "-c", code)
    for command, printed in readme_blocks():
        assert run(archcost, *shlex.split(command)) == printed
    for command in known_commands():
        for example in examples_of(command):
            if not set(example.split()) & NEED_A_CHECKOUT:
                done = subprocess.run(
                    [archcost, *shlex.split(example)[1:]],
                    cwd=tmp_path, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert done.returncode in (0, 1), (example, done.stderr)


NEED_A_CHECKOUT = {"docs", "init", "completion", "export", "import", "merge", "HEAD:", ">"}
"""Words of examples that look at a repository, read or write files, or need an extra."""


def readme_blocks() -> Iterator[tuple[str, str]]:
    """Yield the commands that the README shows, each with what it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in text.split("```console\n$ archcost ")[1:]:
        command, _, printed = block.partition("```")[0].partition("\n")
        yield command, printed

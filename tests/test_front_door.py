"""The first five minutes: nothing said, a first spec, a spec on standard input, a misspelt word."""

import json
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import costmodel
from archspec.zoo import FIRST
from costmodel import analyze
from costmodel.__main__ import run_words
from costmodel.cli.app import known_commands
from costmodel.cli.first import SCHEMA
from tests.conftest import ROOT, Run

MLP = (ROOT / "specs" / "mlp.yaml").read_text(encoding="utf-8")


def test_nothing_said_shows_what_to_try(archcost: Run, tmp_path: Path) -> None:
    """And all of it works, in any folder."""
    done = archcost(folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) <= 15
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("  archcost ")]
    assert len(lines) >= 6
    for line in lines:
        words = line.split("   ")[0].split("  ")[0].split()[1:]
        if words != ["zoo"]:  # which takes seconds, and has a test of its own
            tried = archcost(*words, folder=tmp_path)
            assert (tried.returncode, tried.stderr) == (0, ""), line


def test_the_version_is_told(archcost: Run) -> None:
    done = archcost("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


@pytest.mark.parametrize("spec", ["alexnet", "specs/gpt2.yaml", "resnet@resnet18"])
@pytest.mark.parametrize("symbolic", [[], ["--symbolic"]])
def test_without_the_parser_a_report_is_the_same(
    archcost: Run, spec: str, symbolic: list[str]
) -> None:
    """A spec alone is read without it (see `costmodel.cli.plain`); with any option it is not."""
    plain, parsed = archcost(spec, *symbolic), archcost(spec, *symbolic, "--format", "table")
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout == parsed.stdout


MISTAKEN = {
    ("anlyze", "x.yaml"): (
        "'anlyze' is no command, no network of the zoo and no file here\n"
        "  hint: archcost --help lists the commands, archcost zoo the networks\n"
    ),
    ("anlyze", "specs/alexnet.yaml"): "hint: write archcost specs/alexnet.yaml to see",
    ("anlyze",): "hint: archcost --help lists the commands",
    ("explian", "alexnet"): "did you mean 'explain'?",
    ("swep", "alexnet"): "did you mean 'sweep'?",
    ("compre", "alexnet"): "did you mean 'compare'?",
    ("llama3",): "did you mean 'llama3-8b', 'llama3-70b', 'llama3.1-405b', ",
    ("explain", "llama3"): "did you mean 'llama3-8b', ",
    ("./resnet50",): "hint: write resnet50, a network that comes with archcost",
    ("resnet50.yaml",): "hint: write resnet50, a network that comes with archcost",
    ("nowhere/resnet.yaml",): "hint: write resnet, a network that comes with archcost",
    ("resnet*",): "archcost zoo 'resnet*' lists networks of the zoo; NAME@* is all of a family",
    ("",): "the name of a network is empty",
    ("explain", ""): "the name of a network is empty",
    ("expalin", "resnet50"): "did you mean 'explain'?",
    ("mobilnet_v2",): "did you mean 'mobilenet_v2'?",
    ("anlyze.yaml",): "no such file: anlyze.yaml",
    ("qwen2.5-05b",): "did you mean 'qwen2.5-0.5b'?",
    ("explain",): "as in archcost explain resnet50",
    ("--set", "h=3", "vgg16"): "takes all words up to the next option, vgg16 too",
}


@pytest.mark.parametrize("words", MISTAKEN, ids=" ".join)
def test_no_command_is_taken_for_a_file(words: tuple[str, ...], archcost: Run) -> None:
    done = archcost(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert MISTAKEN[words] in done.stderr


def test_help_is_a_word_too(archcost: Run) -> None:
    assert archcost("help").stdout == archcost("--help").stdout
    assert archcost("help", "fit").stdout == archcost("fit", "--help").stdout


def test_a_file_without_a_suffix_is_a_spec(archcost: Run, tmp_path: Path) -> None:
    (tmp_path / "net").write_text(MLP)
    assert archcost("net", folder=tmp_path).stdout == archcost("mlp").stdout.replace("mnist_", "")


# Standard input


def test_a_spec_is_read_from_standard_input(archcost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (
        ("SPEC",),
        ("--symbolic", "SPEC"),
        ("SPEC@lenet_300_100",),
        ("explain", "SPEC", "linear_1"),
        ("memory", "SPEC"),
        ("solve", "SPEC", "--for", "d", "--where", "params <= 1e6", "--largest"),
        ("latency", "SPEC", "--hardware", "t4"),
        ("training", "SPEC"),
        ("sensitivity", "SPEC"),
        ("diff", "SPEC", "specs/alexnet.yaml"),
    ):
        by_name = archcost(*(word.replace("SPEC", "specs/mlp.yaml") for word in words))
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(MLP.encode())))
        piped = archcost(*(word.replace("SPEC", "-") for word in words))
        assert (piped.returncode, piped.stderr) == (0, ""), words
        assert piped.stdout.replace("<stdin>", "specs/mlp.yaml") == by_name.stdout, words


def test_an_error_of_standard_input_has_its_place(
    archcost: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, said in {
        MLP.replace("linear:", "linaer:", 1): "<stdin>:14:11: unknown kind 'linaer'",
        "": "<stdin>:1:1: the file is empty",
        "\0": "<stdin>:1:1: not YAML",
        "a" * 1_000_001: "<stdin> is larger than 1,000,000 bytes",
    }.items():
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(text.encode())))
        done = archcost("explain", "-")
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


def test_a_process_reads_a_pipe() -> None:
    words = [sys.executable, "-m", "costmodel", "-", "--format", "json"]
    done = subprocess.run(words, cwd=ROOT, input=MLP, capture_output=True, text=True)
    assert json.loads(done.stdout)["name"] == "MLP"


def test_a_marker_reads_no_standard_input(archcost: Run, tmp_path: Path) -> None:
    for word in ("-", "<stdin>", "-- -"):
        page = tmp_path / "page.md"
        page.write_text(f"<!-- archcost: {word} -->\n<!-- /archcost -->\n")
        done = archcost("docs", page, folder=tmp_path)
        assert done.returncode == 2
        assert "archcost" in done.stderr
    for command in ("init", "completion bash"):
        page.write_text(f"<!-- archcost: {command} -->\n<!-- /archcost -->\n")
        assert "cannot stand in a marker" in archcost("docs", page, folder=tmp_path).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


# A first spec


def test_a_first_spec_runs_at_once(archcost: Run, tmp_path: Path) -> None:
    done = archcost("init", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [SCHEMA, "net.yaml"]
    tries = [line.split("   ")[0] for line in done.stdout.splitlines() if "  archcost " in line]
    assert len(tries) == 4
    for line in tries:
        tried = archcost(*line.split()[1:], folder=tmp_path)
        assert (tried.returncode, tried.stderr) == (0, ""), line


def test_editors_find_the_schema_of_a_first_spec(archcost: Run, tmp_path: Path) -> None:
    """Beside it, by a path that holds wherever the folder goes; and it takes the spec."""
    (tmp_path / "nets").mkdir()
    archcost("init", "nets/mine.yaml", folder=tmp_path)
    text = (tmp_path / "nets" / "mine.yaml").read_text(encoding="utf-8")
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA}"
    schema = json.loads((tmp_path / "nets" / SCHEMA).read_text(encoding="utf-8"))
    assert json.loads(archcost("schema").stdout) == schema
    assert not list(Draft202012Validator(schema).iter_errors(yaml.safe_load(text)))


def test_a_first_spec_overwrites_nothing(archcost: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("mine")
    (tmp_path / SCHEMA).write_text("mine, too")
    refused = {
        (): "net.yaml is there already",
        ("net",): "a spec ends in .yaml, not as net\n  hint: archcost init net.yaml",
        ("nowhere/net.yaml",): "there is no folder nowhere\n  hint: mkdir -p nowhere",
        ("-",): "a first spec is written into a file\n  hint: archcost init net.yaml",
        (".",): ". is a folder\n  hint: archcost init net.yaml",
    }
    for words, said in refused.items():
        done = archcost("init", *words, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
    done = archcost("init", "other.yaml", folder=tmp_path)
    assert done.returncode == 0
    assert "was there already and is not the one of this archcost" in done.stdout
    texts = [path.read_text() for path in sorted(tmp_path.iterdir())]
    assert texts == ["mine, too", "mine", FIRST.read_text()]


# Python


def test_the_distribution_s_name_has_the_public_names() -> None:
    """The package ``archcost`` of an installation is this one."""
    from costmodel.cli import archcost

    assert {*archcost.__all__} == {*costmodel.__all__, "__version__", "sweep"} == {*dir(archcost)}
    assert all(getattr(archcost, name) is getattr(costmodel, name) for name in costmodel.__all__)
    assert archcost.sweep is costmodel.sweep_points
    assert archcost.analyze is analyze
    with pytest.raises(AttributeError, match="has no 'nothing'"):
        getattr(archcost, "nothing")  # noqa: B009 - which a type checker refuses


def test_the_words_of_a_run_are_a_list() -> None:
    assert run_words([]) == 0


def test_types_and_formats_are_known_in_capitals_and_by_usual_names(archcost: Run) -> None:
    same = {
        "fp16": ("FP16", "float16", "half"),
        "bf16": ("bfloat16", "BF16"),
        "fp32": ("float32", "float"),
    }
    for name, others in same.items():
        wanted = archcost("alexnet", "--dtype", name).stdout
        assert f"weights {name}" in wanted
        assert all(archcost("alexnet", "--dtype", each).stdout == wanted for each in others)
    assert archcost("mlp", "--format", "JSON").stdout == archcost("mlp", "--format", "json").stdout


def test_an_option_of_the_report_is_told_elsewhere(archcost: Run) -> None:
    told = archcost("latency", "alexnet", "--hardware", "h100-sxm", "--top", "5").stderr
    assert "hint: write archcost SPEC --hardware DEVICE --metric latency --top 5 --by lat" in told
    assert "archcost SPEC --metric macs --top" in archcost("explain", "alexnet", "--by", "x").stderr


def test_help_says_nothing_to_callers(archcost: Run) -> None:
    assert not [c for c in known_commands() if "Raises" in archcost(c, "--help").stdout]


def test_formats_are_known_by_the_ends_of_their_files(archcost: Run) -> None:
    for synonym, name in (("md", "markdown"), ("tex", "latex"), ("text", "table")):
        by_synonym, by_name = (
            archcost("alexnet", "--format", word).stdout for word in (synonym, name)
        )
        assert by_synonym == by_name != ""
    points = ("sweep", "alexnet", "--vary", "h=128,224", "--metric", "macs", "--format")
    assert archcost(*points, "json").stdout == archcost(*points, "jsonl").stdout != ""

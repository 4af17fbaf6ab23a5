"""Help: commands in groups, examples that run, and no option that does nothing."""

import shlex
import shutil
from pathlib import Path

import pytest

from costmodel.cli import GROUPS
from costmodel.cli.app import known_commands
from tests.commands import ROOT, run_here

COMMANDS = known_commands()

# What import shows needs extras, and files that people have: tests/test_torch_import.py runs it.

ELSEWHERE = {"docs", "export", "init", "completion"}
"""Commands whose examples write files: they are tried in a folder of their own."""


def help_of(*words: str) -> str:
    shown = run_here(*words, "--help", columns=200)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def examples_of(command: str) -> list[str]:
    _, _, examples = help_of(command).partition("Examples:\n")
    return [line.strip() for line in examples.splitlines() if line.strip()]


def test_every_command_stands_in_a_group() -> None:
    """In the groups' order, each once; only what help itself brings stands behind them."""
    shown = help_of()
    panels = [line.strip("╭─╮ ") for line in shown.splitlines() if line.startswith("╭")]
    assert panels == [*GROUPS, "Help", "Arguments", "Parameters"]
    listed = [
        line.split()[1] for line in shown.partition("╭─ Help")[0].splitlines() if "│ " in line
    ]
    assert sorted({word for word in listed if word in COMMANDS}) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_two_examples(command: str) -> None:
    examples = examples_of(command)
    assert len(examples) >= 2
    assert all(each.startswith(f"archcost {command}") for each in examples)


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "import"])
def test_examples_run(command: str, tmp_path: Path) -> None:
    folder = tmp_path if command in ELSEWHERE else ROOT
    (tmp_path / "README.md").write_text("a page\n", encoding="utf-8")
    if command == "export":
        shutil.copy(ROOT / "specs" / "mobilenetv2.yaml", tmp_path / "net.yaml")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("a page\n", encoding="utf-8")
    for example in examples_of(command):
        words = shlex.split(example.partition(" > ")[0])[1:]
        if "merge" in words:  # of files that another example's command writes on many machines
            continue
        done = run_here(*words, folder=folder, HOME=str(tmp_path), SHELL="/bin/bash")
        assert done.returncode in (0, 1), (example, done.stderr)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("memory", "alexnet"), ("--optimizer", "adam")),
        (("energy", "alexnet", "--hardware", "horowitz-45nm"), ("--efficiency", "0.5")),
        (("latency", "alexnet", "--hardware", "t4"), ("--energy", "horowitz-45nm")),
        (("fit", "alexnet", "--hardware", "t4"), ("--efficiency", "0.5")),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    command: tuple[str, ...], option: tuple[str, str]
) -> None:
    assert option[0] not in help_of(command[0])
    done = run_here(*command, *option)
    assert done.returncode == 2
    assert f"{option[0]} changes nothing in archcost {command[0]}" in done.stderr


def test_choices_are_shown() -> None:
    shown = help_of("explain")
    for word in ("table", "csv", "html", "markdown", "torch", "lecture", "pycls", "fp16", "int8"):
        assert word in shown

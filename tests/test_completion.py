"""Completion with TAB: the words that are offered, and bash and zsh that offer them."""

import os
import pty
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Timer

import pytest

from costmodel.cli.app import known_commands
from costmodel.cli.completion import candidates, command_names
from tests.commands import SECONDS
from tests.conftest import ROOT, Run

RESNET = "specs/resnet.yaml"

OFFERED = {
    "archcost exp": ["explain", "export"],
    "archcost resnet10": ["resnet101"],
    "archcost explain gpt2-m": ["gpt2-medium"],
    "archcost resnet@resnext10": [f"resnet@resnext101_{n}" for n in ("32x4d", "32x8d", "64x4d")],
    f"archcost {RESNET}@resnet5": [f"{RESNET}@resnet50"],
    f"archcost check {RESNET[:-3]}": [RESNET],
    "archcost check spec": ["specs/"],
    "archcost latency alexnet --hardware h100": ["h100-pcie", "h100-sxm"],
    "archcost alexnet --convention t": ["torch"],
    "archcost alexnet --format=mark": [],
    "archcost alexnet --format mark": ["markdown"],
    "archcost alexnet --metric macs para": ["params"],
    "archcost alexnet --set ": ["c=", "g=", "h=", "n=", "w="],
    f"archcost {RESNET}@resnet50 --set wi": ["width="],
    "archcost solve alexnet --for ": ["c", "g", "h", "n", "w"],
    "archcost alexnet --symb": ["--symbolic"],
    "archcost alexnet --set h=3 --dtype bf": ["bf16"],
    "archcost --format json alexn": ["alexnet", "alexnet_torchvision"],
    "archcost hardware jetson-o": ["jetson-orin-nano"],
    "archcost completion z": ["zsh"],
    "archcost training gpt2 --optimizer adam": ["adam", "adam8bit", "adamw", "adamw8bit"],
    "archcost training gpt2 --checkpoint ": ["attention", "blocks", "none"],
    "archcost training gpt2 --master ": ["fp32", "none"],
    "archcost gpt2 --attention ": ["fused", "unfused"],
    "archcost memory gpt2 --order ": ["best", "given"],
    "archcost alexnet --nosuch ": [],
    "archcost alexnet --efficiency ": [],
    "archcost --symbolic alexn": ["alexnet", "alexnet_torchvision"],
    "archcost --format=json alexn": ["alexnet", "alexnet_torchvision"],
    "archcost 'open": [],
    "archcost nowhere.yaml --set ": [],
    "archcost resnet50@": [],
}
"""The beginning of a command line → what may stand for its last word."""


@pytest.mark.parametrize("line", OFFERED)
def test_the_words_that_are_offered(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert candidates(line) == OFFERED[line]


def test_every_command_is_offered() -> None:
    """Also those of questions, whose files are read and not imported for it."""
    assert command_names() == set(known_commands())
    assert command_names() < set(candidates("archcost "))


def test_a_name_is_completed_by_the_language_alone() -> None:
    code = (
        "import sys; from costmodel.__main__ import run_words;"
        "run_words(['__complete', 'archcost r']);"
        "print({'sympy', 'cyclopts', 'numpy'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    lines = run.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("raft", "set()")


def test_no_words_are_no_line(archcost: Run) -> None:
    done = archcost("__complete", "archcost nosuchthing")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    return name


STARTS = {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-d", "-i"]}
"""Shell → how it starts; from all that the machine gives to its shells, only our file is read."""

HOME_KEY = "\x01"
"""Control and A: to the beginning of the line."""


def _environment(home: Path) -> dict[str, str]:
    """An environment in which ``archcost`` is a program, and only our files are at home."""
    programs = home / "bin"
    programs.mkdir(exist_ok=True)
    script = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m costmodel "$@"\n'
    (programs / "archcost").write_text(script)
    (programs / "archcost").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def completed(shell: str, home: Path, *lines: str) -> list[str]:
    """Type the beginnings of lines and TAB into a shell; return what stands on the lines then."""
    keys = "".join(f"{line}\t{HOME_KEY}print-{i} \n" for i, line in enumerate(lines))
    setup = "".join(f"alias print-{i}='echo {i}:'\n" for i in range(len(lines)))
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        STARTS[shell],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=_environment(home),
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(terminal)
    late = Timer(SECONDS, process.kill)
    late.start()
    os.write(controller, f"{setup}{keys}exit\n".encode())
    shown = b""
    with suppress(OSError):  # the end of the terminal
        while part := os.read(controller, 4096):
            shown += part
    late.cancel()
    os.close(controller)
    process.wait()
    return re.findall(r"^\d: (archcost .*?)\s*$", shown.decode(), re.MULTILINE)


def test_a_shell_completes(shell: str, tmp_path: Path, archcost: Run) -> None:
    for _ in range(2):  # a second time changes nothing
        told = archcost("completion", shell, HOME=str(tmp_path))
        assert (told.returncode, told.stderr) == (0, "")
    assert (tmp_path / f".{shell}rc").read_text().count("archcost\n") == 1
    lines = {
        "archcost expl": "archcost explain",
        "archcost mobilenet_v3_large_m": "archcost mobilenet_v3_large_minimalistic",
        "archcost specs/resnet.yaml@wide_resnet5": "archcost specs/resnet.yaml@wide_resnet50_2",
        "archcost resnet50 --metric receptive": "archcost resnet50 --metric receptive_field",
        "archcost resnet50 --hardware rasp": "archcost resnet50 --hardware raspberry-pi-",
        "archcost resnet50 --convention pyc": "archcost resnet50 --convention pycls",
        "archcost resnet50 --set n=2 wid": "archcost resnet50 --set n=2 width=",
    }
    assert completed(shell, tmp_path, *lines) == list(lines.values())


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_completes(tmp_path: Path, archcost: Run) -> None:
    environment = _environment(tmp_path)
    assert archcost("completion", "fish", HOME=str(tmp_path)).returncode == 0
    words = ["fish", "-c", "complete -C 'archcost specs/resnet.yaml@wide_resnet5'"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["specs/resnet.yaml@wide_resnet50_2"]

"""A sweep that is stopped, by a full disk, a signal or a lost process: one error, nothing left."""

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from time import monotonic, sleep

import pytest

from costmodel.sweep import order
from tests.conftest import ROOT, Run, thinned

MOBILENET = "specs/mobilenetv2.yaml"
GRID = (MOBILENET, "--vary", "h=32:232", "w=32:232", "--metric", "macs", "params")
"""40,401 points."""


@contextmanager
def a_full_disk(size: int = 60_000) -> Iterator[None]:
    """Let no file have more bytes than some; to go on writing is an error, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("end", thinned(["csv", "jsonl", "md", "tex", "parquet"], 5))
def test_a_full_disk_is_one_error(end: str, archcost: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / f"x.{end}"
    file.write_text("old")
    with a_full_disk():
        done = archcost("sweep", *GRID, "-o", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"archcost: cannot write {file}: File too large\n"
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "old"


@pytest.mark.exhaustive
def test_a_disk_that_is_full_while_shards_are_merged(archcost: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    parts = [str(tmp_path / f"part-{part}.parquet") for part in (1, 2)]
    for part, file in enumerate(parts, 1):
        archcost("sweep", *GRID, "--shard", f"{part}/2", "-o", file)
    for end in ("csv", "parquet"):
        with a_full_disk():
            done = archcost("sweep", "merge", *parts, "-o", str(tmp_path / f"x.{end}"))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith("File too large\n")
        assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("size", [60_000, 500_000])
def test_a_disk_that_is_full_while_rows_are_sorted(
    size: int, archcost: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While they are written, and while they are put in order."""
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(order, "MAX_IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with a_full_disk(size):
        done = archcost("sweep", *GRID, "--sort", "macs", "-o", str(tmp_path / "x.csv"))
    assert done.returncode == 2
    assert "cannot sort on disk" in done.stderr or size > 60_000
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


LONG = ("sweep", MOBILENET, "--vary", "h=32:2031", "w=32:2031", "n=1,2", "--metric", "macs")
"""Eight million points."""

SCRIPT = """
import sys, tempfile
from costmodel.__main__ import main
from costmodel.sweep import order
order.MAX_IN_MEMORY = 1000
main()
"""


def _heeds_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stopped(words: list[str], folder: Path, stop: Callable[[int], None]) -> tuple[int, str]:
    """Return how a command ends that is stopped when it writes, and what it says."""
    command = [sys.executable, "-c", SCRIPT, *LONG, *words, "-o", str(folder / "x.csv")]
    running = Popen(
        command, cwd=ROOT, stderr=PIPE, preexec_fn=_heeds_interrupts, env=_with(TMPDIR=str(folder))
    )
    deadline = monotonic() + 300
    while not list(folder.iterdir()) and monotonic() < deadline:
        sleep(0.01)
    sleep(0.5)
    stop(running.pid)
    _, said = running.communicate(timeout=300)
    assert list(folder.iterdir()) == []
    return running.returncode, said.decode()


def _with(**others: str) -> dict[str, str]:

    return {**os.environ, **others}


def _interrupt(pid: int) -> None:

    os.kill(pid, signal.SIGINT)


def _lose_a_worker(pid: int) -> None:

    first = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
    os.kill(int(first), signal.SIGKILL)


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for a process's children")
def test_several_processes_end_together(tmp_path: Path) -> None:
    assert _stopped(["--jobs", "2"], tmp_path, _interrupt) == (130, "")
    status, said = _stopped(["--jobs", "2"], tmp_path, _lose_a_worker)
    assert status == 2
    assert said.startswith("archcost: a process that evaluates points was ended from outside")


@pytest.mark.exhaustive
def test_an_order_on_disk_is_interrupted(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    status, said = _stopped(["--sort", "macs", "--jobs", "1"], tmp_path, _interrupt)
    assert status == 130
    assert "Traceback" not in said

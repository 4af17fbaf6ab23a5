"""A sweep by several processes and in shards: the same bytes as by one; a lost process is told."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel import SpecError
from costmodel.sweep import jobs
from costmodel.sweep.processes import Processes
from costmodel.sweep.study import Plan, planned
from tests.conftest import Run, thinned

MOBILENET = "specs/mobilenetv2.yaml"

STRUCTURES = ("specs/resnet.yaml@resnet18", "specs/alexnet.yaml", "--vary",
              "depths=[2,2,2,2],[1,2,3,4],[1,1]", "h=32:224:64", "w=h", "width=0.5,1")  # fmt: skip
GRID = (MOBILENET, "--vary", "width=0.35:1.4:0.35", "h=32:224:8", "w=h")
SAMPLE = (MOBILENET, "--vary", "width=0.35:1.4", "h=32:224", "--sample", "500")

QUERIES = (
    (*STRUCTURES, "--metric", "macs", "params", "macs/params"),
    (*GRID, "--metric", "macs"),
    (*GRID, "--pareto", "macs", "activations:max", "h"),
    (*GRID, "--where", "macs <= 1e8", "--top", "7", "--by", "params:max"),
    (*GRID, "--sort", "macs:max", "h"),
    (*SAMPLE, "--top", "9", "--by", "macs"),
    (*SAMPLE, "--seed", "3"),
)


def said_of(run: Run, *words: str) -> tuple[int, str, str]:
    """Return what a sweep says and how it ends."""
    done = run("sweep", *words)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes be used for few points, too."""
    monkeypatch.setattr(jobs, "MANY_POINTS", 2)
    monkeypatch.setattr(jobs, "MANY_STRUCTURES", 2)


@pytest.mark.parametrize("query", thinned([(each,) for each in QUERIES], 7))
def test_the_same_bytes_by_any_number_of_processes(
    query: tuple[str, ...], archcost: Run, eager: None
) -> None:
    del eager
    one, two, seven = (
        said_of(archcost, *query, "--format", "csv", "--jobs", count) for count in "127"
    )
    assert one[0] == 0
    assert len(one[1]) > 100
    assert two == one
    assert seven == one


@pytest.mark.exhaustive
def test_the_same_bytes_with_a_joined_file(archcost: Run, eager: None) -> None:
    del eager
    said = (MOBILENET, "--vary", "width=0.35,0.5,0.75,1,1.3,1.4", "h=96:224:32", "w=h",
            "--set", "classes=1001", "--join", "docs/data/mobilenetv2.csv",
            "--pareto", "macs", "top1:max")  # fmt: skip
    one, seven = (said_of(archcost, *said, "--jobs", count) for count in "17")
    assert "8 have no line" in one[1]
    assert seven == one


REFUSED = [
    ((MOBILENET, "--vary", "h=32:64", "w=h", "--metric", "macs/(h - 60)"), "a division by zero"),
    (("specs/resnet.yaml@resnet18", "--vary", "depths=[1],[2,1]", "h=32:40", "w=h"), ""),
]


@pytest.mark.parametrize(("query", "told"), thinned(REFUSED))
def test_what_is_refused_is_the_same_error(
    query: tuple[str, ...], told: str, archcost: Run, eager: None
) -> None:
    del eager
    one, two = (said_of(archcost, *query, "--jobs", count) for count in "12")
    assert two == one
    assert one[0] == 2
    assert told in two[2]


@pytest.mark.parametrize("parts", thinned([3, 1, 20]))
def test_shards_are_all_rows_once(parts: int, archcost: Run, tmp_path: Path) -> None:
    said = ("sweep", "specs/alexnet.yaml", "--vary", "h=1:70:7", "w=h", "n=1,2", "--metric", "macs",
            "--format", "csv")  # fmt: skip
    head, *lines = archcost(*said).stdout.splitlines()
    found: list[str] = []
    for part in range(1, parts + 1):
        file = tmp_path / f"part-{part}.csv"
        again = archcost(*said, "--shard", f"{part}/{parts}", "-o", str(file))
        assert again.returncode == 0
        first, *own = file.read_text().splitlines()
        assert first == head
        found += own
    assert found == lines


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "1.0/2", "-1/2"])
def test_a_shard_is_a_part_of_so_many(text: str, archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", f"--shard={text}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a shard is a part of so many, counted from 1" in done.stderr


def test_at_least_one_process(archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", "--jobs", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--jobs 0: at least one process evaluates points" in done.stderr


def _die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_is_lost_is_told() -> None:
    with Processes(2) as executor:
        found = [executor.submit(_die, number) for number in range(6)]
        done: list[Any] = []
        for future in found:
            try:
                done.append(future.result(timeout=20))
            except SpecError as error:
                done.append(error.cause)
    lost = "a process that evaluates points was ended from outside, maybe for want of memory"
    assert done == [0, 1, 2, lost, 4, 5]


def test_a_process_that_is_lost_takes_no_other_part() -> None:
    with Processes(1) as executor:
        first, second = executor.submit(_die, 3), executor.submit(_die, 4)
        for future in (first, second):
            with pytest.raises(SpecError, match="ended from outside"):
                future.result(timeout=20)


def test_what_a_call_raises_is_raised_here() -> None:
    with Processes(1) as executor:
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(timeout=20)
        assert executor.submit(divmod, 7, 2).result(timeout=20) == (3, 1)


def test_any_executor_evaluates_points() -> None:
    study = planned(Plan((MOBILENET,), ("h=32:128", "w=h")))
    own = np.concatenate([rows["macs"] for rows in study.rows()])
    with ThreadPoolExecutor(1) as executor:
        parts = [rows["macs"] for rows in jobs.rows_by(executor, study, lambda _: None)]
    assert len(parts) > 1
    assert np.array_equal(np.concatenate(parts), own)


def shards(run: Run, folder: Path, parts: int, *words: str) -> list[str]:
    """Return the files of all shards of a sweep."""
    files = [str(folder / f"part-{part}.parquet") for part in range(1, parts + 1)]
    for part, file in enumerate(files, 1):
        assert run("sweep", *words, "--shard", f"{part}/{parts}", "-o", file).returncode == 0
    return files


ALL = ("--metric", "macs", "params", "activations")
JOINED = ("--set", "classes=1001", "--join", "docs/data/mobilenetv2.csv")

MERGED = (
    (("--pareto", "macs", "activations:max"), ALL),
    (("--top", "7", "--by", "macs/params:max"), ALL),
    (("--sort", "params", "macs:max"), ALL),
    (("--where", "macs <= 1e8"), ALL),
    (("--pareto", "latency", "params:max", "--where", "h > 40"), ("--hardware", "t4")),
    (("--pareto", "macs", "params:max", "--top", "3", "--by", "h:max", "--sort", "h"), ALL),
    (("--pareto", "macs/params", "top1:max", "--metric", "h"), JOINED),
)
"""Steps that shards are made with, or merged with where they have what it needs."""


@pytest.mark.parametrize(("asked", "others"), thinned(MERGED, 2))
def test_merged_shards_are_what_one_run_gives(
    asked: tuple[str, ...], others: tuple[str, ...], archcost: Run, tmp_path: Path
) -> None:
    """The same bytes, and the same said of the points."""
    pytest.importorskip("pyarrow")
    said = (MOBILENET, "--vary", "width=0.35:1.4:0.35", "h=8:224:8", "w=h", *others)
    whole, merged = (str(tmp_path / name) for name in ("whole.csv", "merged.csv"))
    one = archcost("sweep", *said, *asked, "-o", whole)
    made = [(asked, ())] if others is not ALL else [(asked, ()), ((), asked)]
    for first, then in made:
        files = shards(archcost, tmp_path, 4, *said, *first)
        done = archcost("sweep", "merge", *reversed(files), *then, "-o", merged)
        assert done.stderr == one.stderr.replace("whole.csv", "merged.csv")
        assert Path(merged).read_text() == Path(whole).read_text()


@pytest.mark.parametrize("last", [66, 49])
def test_shards_of_which_some_or_all_make_no_network(
    last: int, archcost: Run, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    said = ("specs/alexnet.yaml", "--vary", f"h=40:{last}", "w=h", "--metric", "macs")
    one = archcost("sweep", *said, "--format", "csv")
    files = shards(archcost, tmp_path, 3, *said)
    before = [Path(file).read_bytes() for file in files]
    assert shards(archcost, tmp_path, 3, *said) == files
    assert [Path(file).read_bytes() for file in files] == before
    done = archcost("sweep", "merge", *files)
    assert (done.returncode, done.stdout) == (one.returncode, one.stdout)
    assert done.stderr == one.stderr
    assert "h >= 63" in done.stderr or "no valid network" in done.stderr


@pytest.mark.exhaustive
def test_among_the_best_of_merged_samples_no_point_is_twice(archcost: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    said = (MOBILENET, "--vary", "h=32:38", "w=h", "--sample", "60", "--metric", "macs")
    best = ("--top", "5", "--by", "macs")
    files = shards(archcost, tmp_path, 3, *said)
    merged = archcost("sweep", "merge", *files, *best).stdout
    assert merged == archcost("sweep", *said, *best, "--format", "csv").stdout
    assert len(merged.splitlines()) == 6


def test_shards_that_cannot_be_merged(archcost: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    said = (MOBILENET, "--vary", "h=96,128,160", "--metric", "macs", "macs/params")
    first, second, third = shards(archcost, tmp_path, 3, *said)
    front = str(tmp_path / "front.parquet")
    archcost("sweep", *said, "--pareto", "macs", "-o", front)
    for words, message in [
        ((first, third), "of 3 shards 2 is missing"),
        ((first, second, third, first), "are both shard 1/3"),
        ((first, front), "is of another sweep than"),
        ((first, second, third, "--pareto", "params"), "the shards have no column 'params'"),
        ((first, second, third, "--sort", "macs/h"), ""),
        ((front, "--pareto", "macs:max"), "keep what another front or top leaves"),
        ((front, "--where", "macs > 1e6"), "leaves out rows before a front"),
        ((MOBILENET,), "cannot read"),
        ((), "no shards to merge"),
    ]:
        done = archcost("sweep", "merge", *words)
        assert message in done.stderr
        assert (done.returncode, done.stdout != "") == ((2, False) if message else (0, True))

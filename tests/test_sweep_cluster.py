"""A sweep on a cluster of Dask: the same bytes as by one process, with a lost worker, too."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from costmodel import SpecError, sweep_points
from costmodel.sweep import cluster
from costmodel.sweep.cluster import connected, fingerprint, rows_on
from costmodel.sweep.query import Request
from costmodel.sweep.rows import Rows
from costmodel.sweep.study import Plan, Sweep, planned
from tests.conftest import Run

MOBILENET = "specs/mobilenetv2.yaml"
GRID = ("width=0.35:1.4:0.05", "h=32:224:8", "w=h")

REQUESTS = {
    "a front": Request(("macs",), pareto=("macs", "activations:max")),
    "the best of a front": Request((), (), ("macs", "params:max"), 3, "h:max"),
    "an order": Request(("macs",), sort=("params", "macs:max")),
    "all rows": Request(("macs", "params")),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The scheduler of a cluster of two processes, which start anew when they are lost."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as running:
        yield running.scheduler_address.replace("tcp://", cluster.SCHEME)


@pytest.fixture
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the parts so small that there are levels of them."""
    monkeypatch.setattr(cluster, "FIRST_PART", 50)
    monkeypatch.setattr(cluster, "GROWTH", 1)
    monkeypatch.setattr(cluster, "FAN_IN", 3)


def listed(chunks: Iterator[Rows]) -> dict[str, list[Any]]:
    """Return all columns of some rows."""
    found: dict[str, list[Any]] = {}
    for rows in chunks:
        for name in rows:
            found.setdefault(name, []).extend(rows[name].tolist())
    return found


def evaluated(study: Sweep, address: str, *, loses: bool) -> dict[str, list[Any]]:
    """Return the rows of a sweep on a cluster, one of whose workers is killed in the middle."""
    with connected(address) as client:
        victims = list(client.run(os.getpid).values())[:1] if loses else []

        def watch(points: int) -> None:
            if points > len(study.numbers) // 3 and victims:
                os.kill(victims.pop(), signal.SIGKILL)

        found = listed(rows_on(client, study, watch))
        assert not victims
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("asked", REQUESTS)
def test_a_cluster_gives_what_one_process_gives(asked: str, address: str, many_parts: None) -> None:
    del many_parts
    one, several = (planned(Plan((MOBILENET,), GRID, REQUESTS[asked])) for _ in range(2))
    loses = asked in ("a front", "all rows")
    assert evaluated(several, address, loses=loses) == listed(one.rows())
    assert several.tally == one.tally
    assert one.tally.points == 22 * 25


@pytest.mark.exhaustive
def test_the_command_and_its_errors(address: str, archcost: Run, tmp_path: Path) -> None:
    joined = ("--set", "classes=1001", "--join", "docs/data/mobilenetv2.csv", "--format", "csv")
    said = ("sweep", MOBILENET, "--vary", *GRID, *joined, "--pareto", "macs", "top1:max")
    one, several = archcost(*said), archcost(*said, "--on", address)
    assert (several.returncode, several.stdout) == (0, one.stdout)
    assert several.stderr == one.stderr
    broken = ("sweep", MOBILENET, "--vary", "h=60:64", "--pareto", "macs/(h - 60)")
    one, several = archcost(*broken), archcost(*broken, "--on", address)
    assert (several.returncode, several.stderr) == (2, one.stderr)
    assert "a division by zero" in one.stderr
    full = archcost(*said, "--on", address, "-o", str(tmp_path / "no" / "x.csv"))
    assert "cannot write" in full.stderr
    study = planned(Plan((MOBILENET,), ("h=32:40",)))
    changed = planned(Plan((MOBILENET,), ("h=32:40",)))
    changed.cases[0].architecture.document.data["layers"] = []
    assert fingerprint(changed) != fingerprint(study)
    with (
        connected(address) as client,
        pytest.raises(SpecError, match="reads other specs, or another archcost"),
    ):
        listed(rows_on(client, changed))


@pytest.mark.exhaustive
def test_an_executor_of_a_client(address: str) -> None:
    pytest.importorskip("pyarrow")
    points = sweep_points(MOBILENET, GRID, metric=["macs"], top=5, by="params:max")
    with connected(address) as client:
        there = replace(points, place=client.get_executor())
        assert there.to_arrow() == points.to_arrow()


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--on", "ray://x:1"), "--on ray://x:1: points are evaluated on this machine or a"),
        (("--on", "dask://"), "points are evaluated on this machine or a cluster of Dask"),
        (("--on", "dask://x:1", "--jobs", "2"), "--jobs 2 is of this machine"),
    ],
)
def test_places_that_are_none(words: tuple[str, ...], cause: str, archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert cause in done.stderr


def test_dask_that_is_missing_is_named(archcost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", "--on", "dask://x:1")
    assert done.returncode == 2
    assert "the extra 'dask' of archcost" in done.stderr


@pytest.mark.exhaustive
def test_where_no_scheduler_answers(archcost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "WAIT", 1)
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", "--on", "dask://127.0.0.1:9")
    assert done.returncode == 2
    assert "no scheduler of Dask answers there" in done.stderr


@pytest.mark.exhaustive
def test_a_scheduler_that_no_worker_joins(archcost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "FIRST_WORKER", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as running:
        place = running.scheduler_address.replace("tcp://", cluster.SCHEME)
        done = archcost("sweep", MOBILENET, "--vary", "h=96,128", "--on", place)
    assert done.returncode == 2
    assert "no worker has joined this scheduler" in done.stderr

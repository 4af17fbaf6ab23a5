"""A guided search finds what the grid has, is the same for the same seed, and runs predictors."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from costmodel import SpecError, sweep_points
from costmodel.sweep.query import Request
from costmodel.sweep.study import Plan, planned
from tests.conftest import Run

MOBILENET = "specs/mobilenetv2.yaml"
GRID = (MOBILENET, "--vary", "width=0.35:1.4:0.05", "h=96:224:8", "w=h")  # 374 points
BEST = ("--minimise", "macs", "--maximise", "accuracy", "--predict", "mine:accuracy")

MINE = '''
import numpy as np

def accuracy(points):
    """A made-up one: wide networks gain less from large pictures."""
    return 60 + 5 * np.log2(points["width"]) + 4 * np.log2(points["h"] / 100) / points["width"]

def words(points):
    return points["h"].astype(str)

def few(points):
    return points["h"][:1]

def endless(points):
    return points["h"] / 0.0

def asks(points):
    return points["params"]

def breaks(points):
    raise ValueError("no such table")

macs = accuracy
other = 3
'''


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user's own module, which is found once."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("mine", None)


def test_a_small_space_is_looked_at_in_full(archcost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    grid = archcost("sweep", *GRID, *BEST, "--format", "csv")
    found = archcost("sweep", *GRID, *BEST, "--search", "374", "--format", "csv")
    assert (found.returncode, found.stdout) == (0, grid.stdout)
    assert len(found.stdout.splitlines()) > 20
    missing = archcost("sweep", *GRID, *BEST, "--search", "373")
    assert missing.returncode == 2
    assert "the extra 'search' of archcost" in missing.stderr


FOUND = {
    "two objectives": (*GRID, *BEST),
    "a condition": (*GRID, *BEST, "--where", "macs <= 1e8 and params <= 2e6"),
    "the best": (*GRID, "--top", "1", "--by", "accuracy:max", "--where", "macs <= 1e8",
                 "--predict", "mine:accuracy", "--metric", "macs"),
    "a table": (*GRID, "--set", "classes=1001", "--join", "docs/data/mobilenetv2.csv",
                "--pareto", "macs", "top1:max"),
    "several networks": ("resnet@resnet18", "resnet@resnet50", "--vary", "h=96:512:32", "w=h",
                         "dtype=fp16,int8", "--hardware", "t4", "--minimise", "latency",
                         "--maximise", "params"),
    "structures": ("resnet@resnet18", "--vary", "depths=[2,2,2,2],[1,1,1,1],[3,4,6,3]",
                   "h=96:352:16", "w=h", "--minimise", "macs", "--maximise", "params"),
}  # fmt: skip


@pytest.mark.parametrize(
    "which",
    [
        pytest.param(name, marks=() if name == "a condition" else pytest.mark.exhaustive)
        for name in FOUND
    ],
)
def test_a_part_of_the_points_has_most_of_the_front_of_all(which: str, archcost: Run) -> None:
    """Half of the points have nine tenths of it; which ones may differ by Optuna's version."""
    pytest.importorskip("optuna")
    said = ("sweep", *FOUND[which], "--format", "csv")
    count = {"several networks": "29", "structures": "27"}.get(which, "190")
    grid, found = archcost(*said), archcost(*said, "--search", count)
    assert found.returncode == 0
    front, some = (set(done.stdout.splitlines()) for done in (grid, found))
    assert len(front & some) >= 0.9 * len(front)
    assert archcost(*said, "--search", count).stdout == found.stdout


@pytest.mark.exhaustive
def test_each_point_is_looked_at_once_and_seeds_differ() -> None:
    pytest.importorskip("optuna")
    request = Request(("macs",), (), ("macs", "params:max"))
    plan = Plan((MOBILENET,), ("width=0.35:1.4", "h=32:512:log"), request, search=120)
    fronts = []
    for seed in (0, 0, 1):
        study = planned(plan._replace(seed=seed))
        rows = list(study.evaluated(study.numbers, lambda _: None))
        points = [(w, h) for r in rows for w, h in zip(r["width"], r["h"], strict=True)]
        assert len(points) == len(set(points)) == study.tally.points == 120
        fronts.append(points)
    assert fronts[0] == fronts[1] != fronts[2]


@pytest.mark.parametrize(
    ("predict", "cause"),
    [
        ("mine", "no function of a module"),
        ("nowhere.at.all:accuracy", "raises ModuleNotFoundError: No module named 'nowhere'"),
        ("mine:accurcy", "mine has no function 'accurcy'"),
        ("mine:other", "mine has no function 'other'"),
        ("mine:macs", "there is a column 'macs' already"),
        ("mine:words", "of shape (5,)"),
        ("mine:few", "returns int64 of shape (1,)"),
        ("mine:asks", "asks for the column 'params'"),
        ("mine:breaks", "raises ValueError: no such table"),
    ],
)
def test_functions_that_do_not_predict(predict: str, cause: str, archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96:224:32", "--metric", "macs",
                    "--predict", predict)  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert cause in done.stderr


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_not_finite_is_refused(archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", "--predict", "mine:endless")
    assert "returns numbers that are not finite" in done.stderr


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--search", "9"), "--search: what is looked for?"),
        (("--search", "9", "--pareto", "macs", "--sample", "9"), "--search and --sample"),
        (("--search", "9", "--pareto", "macs", "--shard", "1/2"), "--search and --shard"),
        (("--search", "0", "--pareto", "macs"), "a search has from 1 to"),
        (("--search", "9", "--pareto", "macs", "--on", "dask://x:1"), "runs on this machine"),
    ],
)
def test_searches_that_are_none(words: tuple[str, ...], cause: str, archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96:224:32", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert cause in done.stderr


def test_a_function_is_given_in_python() -> None:
    def area(points: Mapping[str, Any]) -> Any:
        return points["h"] * points["width"]

    points = sweep_points(MOBILENET, {"h": [96, 128], "width": ["0.5", 1]}, predict=area)
    rows = [row for chunk in points.sweep.rows() for row in chunk["area"].tolist()]
    assert rows == [48, 96, 64, 128]
    with pytest.raises(SpecError, match="what is looked for"):
        sweep_points(MOBILENET, {"h": [96, 128]}, search=1)

"""The oldest versions that pyproject.toml promises do what the newest do."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXTRAS = ("plot", "parquet", "frames", "onnx", "pages", "dask", "search", "sort")

COMMANDS = (
    ("alexnet", "--symbolic"),
    ("docs", "--help"),
    ("zoo",),
    ("compare", "alexnet", "vgg16", "--format", "latex"),
    ("memory", "alexnet", "--plot", "memory.svg"),
    ("memory", "alexnet", "--plot", "memory.png"),
    ("latency", "resnet50", "--hardware", "a100-80gb", "--plot", "roofline.pdf"),
    (
        *("sweep", "mobilenet_v2", "--vary", "h=96,128", "width=0.5,1", "--metric", "macs"),
        *("params", "--pareto", "macs", "params:max", "--plot", "front.svg"),
    ),
    ("sweep", "mobilenet_v2", "--vary", "h=96:224:16", "width=0.5,1", "--plot", "map.png"),
    ("sweep", "mobilenet_v2", "--vary", "h=96:224:16", "--metric", "macs", "-o", "points.parquet"),
    ("sweep", "mobilenet_v2", "--vary", "h=96:224:16", "--metric", "macs", "-o", "points.csv"),
    (
        *("sweep", "mobilenet_v2", "--vary", "h=96:224:1", "w=96:224:1", "--search", "200"),
        *("--minimise", "macs", "--maximise", "activations"),
    ),
    ("export", "alexnet", "--format", "onnx", "-o", "alexnet.onnx"),
    ("import", "alexnet.onnx", "--partial", "-o", "net.yaml"),
)

PYTHON = """
from costmodel import compare, sweep_points
document = compare(["alexnet", "vgg16"])
points = sweep_points("mobilenet_v2", {"h": [96, 128]}, metric=["macs"])
for answer in (document, points):
    rows = len(answer.to_pandas()), len(answer.to_polars()), answer.to_arrow().num_rows
    assert len(set(rows)) == 1, rows
points.plot("points.png")

import distributed
from costmodel.sweep import order

order.MAX_IN_MEMORY = 10
sizes = {"h": list(range(96, 224))}
ordered = sweep_points("mobilenet_v2", sizes, metric=["macs"], sort=["macs"])
assert [*ordered.to_pandas()["h"]] == [*range(96, 224)]
if __name__ == "__main__":
    with distributed.LocalCluster(1, threads_per_worker=1, dashboard_address=":0") as running:
        place = running.scheduler_address.replace("tcp://", "dask://")
        swept = sweep_points("mobilenet_v2", {"h": [96, 128]}, metric=["macs"], on=place)
        assert len(swept.to_pandas()) == 2
"""

PAGE = """# Networks

% archcost: table alexnet vgg16 --format markdown
% /archcost
"""


def oldest() -> list[str]:
    """The oldest versions of what the package and its extras need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (project["optional-dependencies"][extra] for extra in EXTRAS)
    needed = [*project["dependencies"], *(each for extra in extras for each in extra)]
    return sorted({f"{each.replace('>=', '==')}.*" for each in needed})


@pytest.mark.exhaustive
def test_the_oldest_versions_are_enough(tmp_path: Path) -> None:
    def run(*words: str | Path) -> None:
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr[-2_000:])

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    programs = tmp_path / "venv" / "bin"
    run(programs / "pip", "install", "--quiet", str(ROOT), *oldest())
    for words in COMMANDS:
        run(programs / "archcost", *words)
    (tmp_path / "asked.py").write_text(PYTHON, encoding="utf-8")
    run(programs / "python", "asked.py")
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "conf.py").write_text("extensions = ['myst_parser']\n", encoding="utf-8")
    (pages / "index.md").write_text(PAGE, encoding="utf-8")
    run(programs / "archcost", "docs", pages / "index.md")
    run(programs / "python", "-m", "sphinx", "-q", "-W", pages, tmp_path / "built")

"""The oldest versions that pyproject.toml promises do what the newest do."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXTRAS = ("plot", "parquet", "frames", "onnx", "pages")

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
    run(programs / "python", "-c", PYTHON)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "conf.py").write_text("extensions = ['myst_parser']\n", encoding="utf-8")
    (pages / "index.md").write_text(PAGE, encoding="utf-8")
    run(programs / "archcost", "docs", pages / "index.md")
    run(programs / "python", "-m", "sphinx", "-q", "-W", pages, tmp_path / "built")

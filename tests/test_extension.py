"""Kinds and metrics from elsewhere: another distribution adds one, and no file of ours knows it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from costmodel.metrics.macs import count_macs
from costmodel.metrics.registry import BYTES, metric
from tests.conftest import ROOT, Run

KIND = '''
"""Haar wavelets."""

from pydantic import Field

from archspec.fields import Size, constant
from archspec.layers.base import Layer, kind


@kind("haar")
class Haar(Layer):
    """``(n, c, l) → (n, scale·c, l/2)``, a learned gain per channel. Source: Haar, 1910."""

    scale: Size = Field(default=constant(2), description="bands per channel")
'''

RULES = '''
"""Haar wavelets: a gain per channel."""

from sympy import Integer

from costmodel.algebra.conditions import Divides
from costmodel.rules.cost import Cost, Output, Parameter, Role
from costmodel.rules import Shape, Site, cost_rule, shape_rule


@shape_rule(Haar)
def haar_shape(layer: Haar, site: Site) -> Shape:
    n, c, length = site.input
    site.require(Divides(Integer(2), length), "the length ({l}) must be even", {"l": length})
    return n, site.size("scale", layer.scale) * c, length / 2


@cost_rule(Haar)
def haar_cost(layer: Haar, site: Site, output: Shape) -> Cost:
    return Cost(Output.CONV, parameters=(Parameter("gain", Role.WEIGHT, output[1], "c"),))
'''

SPEC = """
archspec: 1
name: waves
symbols: {l: 32}
input: [1, 4, l]
layers:
  - haar
  - conv1d: {out_channels: 2, kernel_size: 3}
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder as an installer leaves it: a module, and metadata that name it."""
    info = tmp_path / "waves-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[archcost.kinds]\nwaves = waves\n")
    (tmp_path / "waves.py").write_text(f"{KIND}{RULES}", encoding="utf-8")
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path


def test_a_kind_from_elsewhere_counts(elsewhere: Path, archcost: Run) -> None:
    """8 gains; then 8 × 16 to 2 × 14: 3·8·2 weights, 14 positions."""
    done = archcost(
        str(elsewhere / "net.yaml"), "--format", "csv", "--symbolic", PYTHONPATH=str(elsewhere)
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(",")[:6] for line in done.stdout.splitlines()]
    assert lines[2][:4] == ["haar_1", "haar", "1x8xl//2", "8"]
    assert lines[-1][3:5] == ["56", "48*((l - 6)//2 + 1)"]


def test_what_says_nothing_of_training_has_none(elsewhere: Path, archcost: Run) -> None:
    """Without a backward rule its cost is known, what it keeps is not: no silent nothing."""
    done = archcost("training", str(elsewhere / "net.yaml"), PYTHONPATH=str(elsewhere))
    assert done.returncode == 2
    assert "haar_1: the kind 'haar' says not what it keeps for training" in done.stderr
    assert "hint: it needs a backward rule beside its cost rule" in done.stderr


def test_its_conditions_are_ours(elsewhere: Path, archcost: Run) -> None:
    done = archcost(str(elsewhere / "net.yaml"), "--set", "l=31", PYTHONPATH=str(elsewhere))
    assert done.returncode == 2
    assert "net.yaml:7:5: haar_1: the length (31) must be even" in done.stderr


def test_without_it_the_kind_is_unknown(elsewhere: Path, archcost: Run) -> None:
    done = archcost(str(elsewhere / "net.yaml"))
    assert done.returncode == 2
    assert "unknown kind 'haar'" in done.stderr


METRIC = '''
"""Gains of wavelets."""

from sympy import Expr, Integer

from costmodel.metrics.registry import SUM_OF_COPIES, Unit, metric
from costmodel.network.context import Basis
from costmodel.network.propagation import LayerCost


@metric("gains", "#gains", Unit("gains"), SUM_OF_COPIES)
def count_gains(layer: LayerCost, basis: Basis) -> Expr:
    """Gains that wavelets learn."""
    return sum((p.size for p in layer.cost.parameters if p.name == "gain"), Integer(0))
'''


@pytest.fixture
def measured(elsewhere: Path) -> dict[str, str]:
    """The same folder with a metric beside the kind; the environment in which it is found."""
    (elsewhere / "gains.py").write_text(METRIC, encoding="utf-8")
    points = elsewhere / "waves-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"{points.read_text()}[archcost.metrics]\ngains = gains\n")
    return {"PYTHONPATH": str(elsewhere)}


@pytest.fixture
def added(tmp_path: Path) -> dict[str, str]:
    """Our packages with a file for each thing that is added; where these are found."""
    for package in ("archspec", "costmodel"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "archspec" / "layers" / "haar.py").write_text(KIND, encoding="utf-8")
    rules = RULES.replace(
        "import Integer\n", "import Integer\n\nfrom archspec.layers.haar import Haar"
    )
    (tmp_path / "costmodel" / "rules" / "haar.py").write_text(rules, encoding="utf-8")
    (tmp_path / "costmodel" / "metrics" / "gains.py").write_text(METRIC, encoding="utf-8")
    (tmp_path / "net.yaml").write_text(SPEC)
    return {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}


@pytest.mark.parametrize("way", ["measured", "added"])
def test_a_metric_and_a_kind_are_their_files_and_no_more(
    way: str, tmp_path: Path, archcost: Run, request: pytest.FixtureRequest
) -> None:
    """They count and are in the help, the schema and the references, by themselves."""
    found: dict[str, str] = request.getfixturevalue(way)
    net = str(tmp_path / "net.yaml")
    done = archcost(net, "--metric", "gains", "params", "--format", "csv", **found)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert [line[3:5] for line in (lines[0], lines[2], lines[-1])] == [
        ["gains", "params"],
        ["8", "8"],
        ["8", "56"],
    ]
    help_text = " ".join(archcost("--help", **found).stdout.replace("│", " ").split())
    assert re.search(r"What to show: .*, gains, .*; with --hardware also ", help_text)
    assert '"haar"' in archcost("schema", **found).stdout
    page = references(found)
    assert "### `haar`\n" in page
    row = "| `gains` | #gains | gains | sum over all copies of the weights | "
    assert f"{row}Gains that wavelets learn. |  |\n" in page


def references(environment: dict[str, str]) -> str:
    """The pages that are generated from the registers."""
    script = (
        "from archspec.layers import load_kinds\n"
        "from archspec.reference import language_reference\n"
        "from costmodel.docs.reference import metrics_reference\n"
        "assert not list(load_kinds())\n"
        "print(language_reference(), metrics_reference())"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout


def test_a_metric_from_elsewhere_is_a_name_in_expressions(
    elsewhere: Path, measured: dict[str, str], archcost: Run
) -> None:
    net = str(elsewhere / "net.yaml")
    done = archcost(
        "sweep", net, "--vary", "l=32,64", "--metric", "macs/gains", "--format", "csv", **measured
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[-1] for line in done.stdout.splitlines()][1:] == ["84.0", "180.0"]


def test_a_metric_that_cannot_be_imported_is_told(
    elsewhere: Path, measured: dict[str, str], archcost: Run
) -> None:
    (elsewhere / "gains.py").write_text("1/0\n")
    done = archcost(str(elsewhere / "net.yaml"), "--metric", "gains", **measured)
    assert done.returncode == 2
    assert "unknown metric 'gains'" in done.stderr
    assert "the metrics of 'waves' are missing, since gains fails: ZeroDivisionError" in done.stderr


def test_a_metric_is_registered_once() -> None:
    with pytest.raises(ValueError, match="metric 'macs' is registered twice"):
        metric("macs", "MACs", BYTES)(count_macs)


MASKED = '''
"""Products of every token with those up to it."""

from archspec.layers import Layer, kind
from costmodel.rules.cost import Cost, Inner, Output
from costmodel.rules.nests import BATCH, Loop, LoopNest, Operand
from costmodel.rules import Shape, Site, cost_rule, shape_rule


@kind("running_products")
class RunningProducts(Layer):
    """``(n, t, d) → (n, t, d)``: the sum of all tokens up to one, weighed by their products."""


@shape_rule(RunningProducts)
def running_shape(layer: RunningProducts, site: Site) -> Shape:
    return site.input


@cost_rule(RunningProducts)
def running_cost(layer: RunningProducts, site: Site, output: Shape) -> Cost:
    n, t, d = output
    rows, keys, size = Loop("t", t), Loop("s", t), Loop("d", d)
    weighed = Operand("output", (BATCH, "t", "s"), inner="weights")
    read = Operand("input", (BATCH, "t", "s"), inner="weights")
    other = Operand("other", (BATCH, "s", "d"), source=0)
    made = Operand("output", (BATCH, "t", "d"))
    tokens, least = Operand("input", (BATCH, "t", "d"), source=0), n * d * t * (t + 1) / 2
    loops = (Loop(BATCH, n), rows, keys, size)
    nests = (
        LoopNest(loops, (tokens, other, weighed), name="weights", least=least),
        LoopNest(loops, (read, other, made), name="sum", least=least),
    )
    inner = (Inner("weights", n * t * t, Output.MATMUL, is_fusible=True),)
    return Cost(Output.MATMUL, nests, inner=inner)
'''


def test_a_kind_from_elsewhere_says_what_is_spared(elsewhere: Path, archcost: Run) -> None:
    """Of 2·100²·8 products 8·100·101 are made at least; 100² weights are in memory, or are not."""
    (elsewhere / "waves.py").write_text(dedent(MASKED), encoding="utf-8")
    spec = "archspec: 1\nname: sums\ninput: [1, 100, 8]\nlayers: [running_products]\n"
    (elsewhere / "net.yaml").write_text(spec)
    words = ("--metric", "macs", "macs_least", "memory_peak", "--format", "json")
    spared = {"fused": (8 * 100 * 101, 0), "unfused": (2 * 8 * 100**2, 4 * 100**2)}
    for attention, (least, weights) in spared.items():
        done = archcost(
            *(str(elsewhere / "net.yaml"), *words, "--attention", attention),
            PYTHONPATH=str(elsewhere),
        )
        assert (done.returncode, done.stderr) == (0, "")
        totals = json.loads(done.stdout)["totals"]
        values = {name: total["value"] for name, total in totals.items()}
        assert values["macs"] == 2 * 8 * 100**2
        assert values["macs_least"] == least
        assert values["memory_peak"] == 2 * 4 * 800 + weights


def test_a_format_from_elsewhere_shows_every_document(elsewhere: Path, archcost: Run) -> None:
    """A module with a ``render`` is enough; formats of ours are not replaced."""
    entry = "[archcost.formats]\nheads = heads\njson = heads\n"
    (elsewhere / "waves-1.0.dist-info" / "entry_points.txt").write_text(entry)
    text = (
        "def render(document):\n    return f'{document.title}: {len(list(document.blocks()))}\\n'\n"
    )
    (elsewhere / "heads.py").write_text(text)
    for words in (["specs/mlp.yaml"], ["explain", "specs/mlp.yaml", "linear_1"]):
        done = archcost(*words, "--format", "heads", PYTHONPATH=str(elsewhere))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("MLP: ")
    done = archcost("specs/mlp.yaml", "--format", "json", PYTHONPATH=str(elsewhere))
    assert json.loads(done.stdout)["name"] == "MLP"


SHARING = '''
"""A layer whose output lies in memory as its cost says."""

from archspec.layers import Layer, kind
from costmodel.rules.cost import Cost, Output
from costmodel.rules import Shape, Site, cost_rule, shape_rule


@kind("sharing")
class Sharing(Layer):
    """``(n, c, l) → (n, c/divisor, l)``."""


@shape_rule(Sharing)
def sharing_shape(layer: Sharing, site: Site) -> Shape:
    n, c, length = site.input
    return n, c / DIVISOR, length


@cost_rule(Sharing)
def sharing_cost(layer: Sharing, site: Site, output: Shape) -> Cost:
    return Cost(COST)
'''

PEAKS = {
    # how the output lies in memory, and of how many parts it is one → the most elements in memory
    ("Output.VIEW", 1): 10 + 80,
    ("Output.VIEW", 2): 10 + 80,
    ("Output.VIEW, is_part=True", 2): 80 + 40,
    ("Output.IN_PLACE", 1): 10 + 80,
    ("Output.IN_PLACE", 2): 80 + 40,
    ("Output.IN_PLACE, reuses=()", 1): 80 + 80,
}
"""After a map of 80 elements that is made of 10, and before an activation in place."""


@pytest.mark.parametrize(("cost", "divisor"), PEAKS)
def test_a_kind_from_elsewhere_says_what_memory_it_shares(
    elsewhere: Path, archcost: Run, cost: str, divisor: int
) -> None:
    """What works in place may write into a view, but not into a part of what others may read."""
    module = dedent(SHARING).replace("DIVISOR", str(divisor)).replace("COST", cost)
    (elsewhere / "waves.py").write_text(module, encoding="utf-8")
    conv = "{conv1d: {out_channels: 8, kernel_size: 1}}"
    spec = f"archspec: 1\nname: net\ninput: [1, 1, 10]\nlayers: [{conv}, sharing, relu]\n"
    (elsewhere / "net.yaml").write_text(spec)
    words = ("--metric", "memory_peak", "--format", "json")
    done = archcost(str(elsewhere / "net.yaml"), *words, PYTHONPATH=str(elsewhere))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["totals"]["memory_peak"]["value"] == 4 * PEAKS[cost, divisor]

"""Kinds, metrics and questions from elsewhere, which no file of ours knows."""

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
from tests.commands import run_together
from tests.conftest import ROOT, Run, thinned

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


def test_a_kind_from_elsewhere_counts(elsewhere: Path) -> None:
    """8 gains; then 8 × 16 to 2 × 14: 3·8·2 weights and 2 biases, 14 positions.

    Its conditions are ours. Without a backward rule its cost is known, what it keeps for training
    is not: no silent nothing.
    """
    net = str(elsewhere / "net.yaml")
    lines = ([net, "--format", "csv", "--symbolic"], [net, "--set", "l=31"], ["training", net])
    done, odd, training = run_together(*lines, PYTHONPATH=str(elsewhere))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(",")[:6] for line in done.stdout.splitlines()]
    assert rows[2][:4] == ["haar_1", "haar", "1x8xl//2", "8"]
    assert rows[-1][3:5] == ["58", "48*((l - 6)//2 + 1)"]
    assert odd.returncode == training.returncode == 2
    assert "net.yaml:7:5: haar_1: the length (31) must be even" in odd.stderr
    assert "haar_1: the kind 'haar' says not what it keeps for training" in training.stderr
    assert "hint: it needs a backward rule beside its cost rule" in training.stderr


def test_without_it_the_kind_is_unknown(elsewhere: Path, process: Run) -> None:
    done = process(str(elsewhere / "net.yaml"))
    assert done.returncode == 2
    assert "unknown kind 'haar'" in done.stderr


METRIC = '''
"""Gains of wavelets."""

from sympy import Expr, Integer

from costmodel.metrics.registry import SUM_OF_COPIES, Unit, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost


@metric("gains", "#gains", Unit("gains"), SUM_OF_COPIES)
def count_gains(layer: LayerCost, context: Context) -> Expr:
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
    way: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """They count and are in the help, the schema and the references, by themselves."""
    found: dict[str, str] = request.getfixturevalue(way)
    net = str(tmp_path / "net.yaml")
    counted = (net, "--metric", "gains", "params", "--format", "csv")
    done, told, schema = run_together(counted, ["--help"], ["schema"], **found)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert [line[3:5] for line in (lines[0], lines[2], lines[-1])] == [
        ["gains", "params"],
        ["8", "8"],
        ["8", "58"],
    ]
    help_text = " ".join(told.stdout.replace("│", " ").split())
    assert re.search(r"What to show: .*, gains\b.*; with --hardware also ", help_text)
    assert '"haar"' in schema.stdout
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
    elsewhere: Path, measured: dict[str, str], process: Run
) -> None:
    net = str(elsewhere / "net.yaml")
    done = process(
        "sweep", net, "--vary", "l=32,64", "--metric", "macs/gains", "--format", "csv", **measured
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[-1] for line in done.stdout.splitlines()][1:] == ["84.0", "180.0"]


def test_a_metric_that_cannot_be_imported_is_told(
    elsewhere: Path, measured: dict[str, str], process: Run
) -> None:
    (elsewhere / "gains.py").write_text("1/0\n")
    done = process(str(elsewhere / "net.yaml"), "--metric", "gains", **measured)
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


def test_a_kind_from_elsewhere_says_what_is_spared(elsewhere: Path) -> None:
    """Of 2·100²·8 products 8·100·101 are made at least; 100² weights are in memory, or are not."""
    (elsewhere / "waves.py").write_text(dedent(MASKED), encoding="utf-8")
    spec = "archspec: 1\nname: sums\ninput: [1, 100, 8]\nlayers: [running_products]\n"
    (elsewhere / "net.yaml").write_text(spec)
    words = (elsewhere / "net.yaml", "--metric", "macs", "macs_least", "memory_peak")
    spared = {"fused": (8 * 100 * 101, 0), "unfused": (2 * 8 * 100**2, 4 * 100**2)}
    lines = [(*words, "--format", "json", "--attention", attention) for attention in spared]
    shown = run_together(*lines, PYTHONPATH=str(elsewhere))
    for done, (least, weights) in zip(shown, spared.values(), strict=True):
        assert (done.returncode, done.stderr) == (0, "")
        totals = json.loads(done.stdout)["totals"]
        values = {name: total["value"] for name, total in totals.items()}
        assert values["macs"] == 2 * 8 * 100**2
        assert values["macs_least"] == least
        assert values["memory_peak"] == 2 * 4 * 800 + weights


ASKED = '''
"""Which layer makes the most channels."""

from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import COUNT, Column, Document, table_of
from costmodel.studies import question


@question(hardware="t4")
def most_channels(
    analysis: Analysis, kind: str | None = None, /, *, top: int = 1, but: tuple[str, ...] = ()
) -> Document:
    """Show the layers with the most channels; exit status 1 where there are fewer.

    Args:
        analysis: the network.
        kind: Only layers of this kind.
        top: Show so many of them,
            the widest first.
        but: Leave out layers of these names.
    """
    layers = [layer for layer in analysis.layers if kind in (None, layer.node.kind)]
    number = analysis.evaluator
    found = sorted((-number(layer.output[1]), layer.node.path) for layer in layers)
    rows = [(path, -width) for width, path in found if path not in but][:top]
    columns = Column("layer", "layer"), Column("channels", "channels", COUNT)
    return Document(
        analysis.graph.name,
        blocks=lambda: iter([table_of(columns, rows)]),
        data=lambda: {"layers": [path for path, _ in rows]},
        holds=len(rows) == top,
    )
'''

LINES = '''
"""A document as one line for each row of its tables."""

from costmodel.analysis.document import Document, Table


def render(document: Document) -> str:
    tables = [block for block in document.blocks() if isinstance(block, Table)]
    rows = [row for table in tables for row in table.rows]
    return "".join(f"{list(row.cells.values())}\\n" for row in rows)
'''


@pytest.fixture
def asked(elsewhere: Path) -> Path:
    """The same folder, with a question instead of a kind."""
    (elsewhere / "waves-1.0.dist-info" / "entry_points.txt").write_text(
        "[archcost.kinds]\nwaves = waves\n[archcost.questions]\nwidth = width\n"
        "[archcost.formats]\nlines = lines\n"
    )
    (elsewhere / "width.py").write_text(dedent(ASKED), encoding="utf-8")
    (elsewhere / "lines.py").write_text(dedent(LINES), encoding="utf-8")
    return elsewhere


def test_a_question_from_elsewhere_is_a_command(asked: Path) -> None:
    """Its docstring is its help; its words, options and formats are those of all commands."""
    net = str(asked / "net.yaml")
    lines = (
        (net, "--format", "json", "--set", "l=16"),
        (net, "--format", "csv"),
        (net, "conv1d", "--top", "2"),
        (net, "--but", "haar_1", "x"),
        (net, "--but"),
        ("--help",),
    )
    asking = [("most-channels", *words) for words in lines]
    found = run_together(*asking, ("most-channel", net), ["--help"], PYTHONPATH=str(asked))
    json_, csv, many, but, none, own, misspelt, every = found
    assert (json_.returncode, json.loads(json_.stdout)["layers"]) == (0, ["haar_1"])
    assert json_.stderr == ""
    assert csv.stdout == "layer,channels\nhaar_1,8\n"
    assert many.returncode == 1
    assert "haar_1" not in but.stdout
    assert none.stderr == "archcost: --but needs a value\n"
    told = " ".join(own.stdout.replace("│", " ").split())
    for line in (
        "Usage: archcost most-channels [OPTIONS] SPEC [ARGS]",
        "KIND Only layers of this kind.",
        "--top INT Show so many of them, the widest first. [default: 1]",
        "--but STR... Leave out layers of these names. ",
        "--format STR How to show it: table, csv, html,",
        "--hardware STR The device: a name, or the path of a profile (.yaml). [default: t4]",
    ):
        assert line in told
    assert "did you mean 'most-channels'?" in misspelt.stderr
    assert "most-channels  Show the layers with the most channels;" in every.stdout


def test_a_question_and_a_format_are_a_file_each(
    added: dict[str, str], tmp_path: Path, process: Run
) -> None:
    (tmp_path / "costmodel" / "studies" / "most_channels.py").write_text(dedent(ASKED))
    assert "most-channels  Show the layers" in process("--help", **added).stdout
    done = process("most-channels", "specs/mlp.yaml", "--format", "csv", **added)
    assert (done.returncode, done.stdout) == (0, "layer,channels\nflatten_1,784\n")
    (tmp_path / "costmodel" / "render" / "lines.py").write_text(dedent(LINES))
    done = process("most-channels", "specs/mlp.yaml", "--format", "lines", **added)
    assert (done.returncode, done.stdout) == (0, "['flatten_1', 784]\n")


def test_a_format_from_elsewhere_is_every_command_s(asked: Path) -> None:
    net = str(asked / "net.yaml")
    lines = (
        ("most-channels", net, "--format", "lines"),
        (net, "--format", "lines"),
        (net, "--format", "line"),
        ("explain", "--help"),
    )
    channels, report, misspelt, told = run_together(*lines, PYTHONPATH=str(asked))
    assert (channels.returncode, channels.stdout) == (0, "['haar_1', 8]\n")
    assert (report.returncode, report.stdout.count("\n")) == (0, 3)
    assert "did you mean 'lines'?" in misspelt.stderr
    assert "How to show it: table, csv, html, json, latex, markdown, rst, lines." in " ".join(
        told.stdout.replace("│", " ").split()
    )


def test_a_question_that_fails_stops_no_other(asked: Path, process: Run) -> None:
    (asked / "width.py").write_text("import nowhere")
    done = process("--help", PYTHONPATH=str(asked))
    assert (done.returncode, "explain" in done.stdout) == (0, True)
    assert "warning: the questions of 'waves' are missing, since width fails" in done.stderr


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


@pytest.mark.parametrize(("cost", "divisor"), thinned(PEAKS))
def test_a_kind_from_elsewhere_says_what_memory_it_shares(
    elsewhere: Path, process: Run, cost: str, divisor: int
) -> None:
    """What works in place may write into a view, but not into a part of what others may read."""
    module = dedent(SHARING).replace("DIVISOR", str(divisor)).replace("COST", cost)
    (elsewhere / "waves.py").write_text(module, encoding="utf-8")
    conv = "{conv1d: {out_channels: 8, kernel_size: 1}}"
    spec = f"archspec: 1\nname: net\ninput: [1, 1, 10]\nlayers: [{conv}, sharing, relu]\n"
    (elsewhere / "net.yaml").write_text(spec)
    words = ("--metric", "memory_peak", "--format", "json")
    done = process(str(elsewhere / "net.yaml"), *words, PYTHONPATH=str(elsewhere))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["totals"]["memory_peak"]["value"] == 4 * PEAKS[cost, divisor]

"""A kind from elsewhere: another distribution adds one, and no file of ours knows it."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from tests.conftest import Run

MODULE = '''
"""Haar wavelets."""

from pydantic import Field
from sympy import Integer

from archspec.fields import Size, constant
from archspec.layers import Layer, kind
from costmodel.algebra.conditions import Divides
from costmodel.rules.cost import Cost, Output, Parameter, Role
from costmodel.rules import Shape, Site, cost_rule, shape_rule


@kind("haar")
class Haar(Layer):
    """``(n, c, l) → (n, scale·c, l/2)``, a learned gain per channel. Source: Haar, 1910."""

    scale: Size = Field(default=constant(2), description="bands per channel")


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
    (tmp_path / "waves.py").write_text(dedent(MODULE), encoding="utf-8")
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path


def test_a_kind_from_elsewhere_counts(elsewhere: Path, process: Run) -> None:
    """8 gains; then 8 × 16 to 2 × 14: 3·8·2 weights, 14 positions."""
    done = process(
        str(elsewhere / "net.yaml"), "--format", "csv", "--symbolic", PYTHONPATH=str(elsewhere)
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(",")[:6] for line in done.stdout.splitlines()]
    assert lines[2][:4] == ["haar_1", "haar", "1x8xl//2", "8"]
    assert lines[-1][3:5] == ["56", "48*((l - 6)//2 + 1)"]


def test_what_says_nothing_of_training_has_none(elsewhere: Path, process: Run) -> None:
    """Without a backward rule its cost is known, what it keeps is not: no silent nothing."""
    done = process("training", str(elsewhere / "net.yaml"), PYTHONPATH=str(elsewhere))
    assert done.returncode == 2
    assert "haar_1: the kind 'haar' says not what it keeps for training" in done.stderr
    assert "hint: it needs a backward rule beside its cost rule" in done.stderr


def test_its_conditions_are_ours(elsewhere: Path, process: Run) -> None:
    done = process(str(elsewhere / "net.yaml"), "--set", "l=31", PYTHONPATH=str(elsewhere))
    assert done.returncode == 2
    assert "net.yaml:7:5: haar_1: the length (31) must be even" in done.stderr


def test_without_it_the_kind_is_unknown(elsewhere: Path, process: Run) -> None:
    done = process(str(elsewhere / "net.yaml"))
    assert done.returncode == 2
    assert "unknown kind 'haar'" in done.stderr


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


def test_a_kind_from_elsewhere_says_what_is_spared(elsewhere: Path, process: Run) -> None:
    """Of 2·100²·8 products 8·100·101 are made at least; 100² weights are in memory, or are not."""
    (elsewhere / "waves.py").write_text(dedent(MASKED), encoding="utf-8")
    spec = "archspec: 1\nname: sums\ninput: [1, 100, 8]\nlayers: [running_products]\n"
    (elsewhere / "net.yaml").write_text(spec)
    words = ("--metric", "macs", "macs_least", "memory_peak", "--format", "json")
    spared = {"fused": (8 * 100 * 101, 0), "unfused": (2 * 8 * 100**2, 4 * 100**2)}
    for attention, (least, weights) in spared.items():
        done = process(
            *(str(elsewhere / "net.yaml"), *words, "--attention", attention),
            PYTHONPATH=str(elsewhere),
        )
        assert (done.returncode, done.stderr) == (0, "")
        totals = json.loads(done.stdout)["totals"]
        values = {name: total["value"] for name, total in totals.items()}
        assert values["macs"] == 2 * 8 * 100**2
        assert values["macs_least"] == least
        assert values["memory_peak"] == 2 * 4 * 800 + weights

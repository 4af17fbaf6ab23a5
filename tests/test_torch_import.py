"""Modules of PyTorch become specs that count what PyTorch counts, at sizes none was traced with."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[torch]'")

from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from archspec import SpecError
from archspec.importers import TORCH, from_python
from archspec.importers.torch.fields import RENAMED
from archspec.importers.torch.table import ROWS
from archspec.layers import KINDS
from costmodel import analyze
from costmodel.analysis.analysis import Analysis
from costmodel.studies.imports import outputs_of
from tests import torch_modules as modules
from tests.commands import run_here
from tests.conftest import thinned

Input = tuple[int | str, ...]

CASES: list[tuple[Callable[[], nn.Module], list[Input], list[dict[str, int]]]] = [
    (modules.Convolutions, [("n", 3, "h", "w")], [{"n": 2, "h": 37, "w": 50}]),
    (modules.Attention, [("n", "t")], [{"n": 3, "t": 11}, {"n": 1, "t": 64}]),
    (modules.Spelled, [("n", "t", 12)], [{"n": 2, "t": 9}]),
    (modules.Branches, [("n", 4, "h", "w")], [{"n": 2, "h": 7, "w": 5}]),
    (modules.Recurrent, [("n", "t", 6)], [{"n": 2, "t": 7}]),
    (modules.States, [("n", "t", 6)], [{"n": 2, "t": 7}]),
    (modules.Several, [("n", 8), ("n", 5)], [{"n": 6}]),
    (modules.Shared, [("n", 6)], [{"n": 4}]),
    (modules.Written, [("n", 6)], [{"n": 4}]),
    (modules.Reduced, [("n", 4, "l")], [{"n": 3, "l": 10}]),
    (modules.Volumes, [("n", 2, "d", "h", "w")], [{"n": 2, "d": 30, "h": 9, "w": 12}]),
    (modules.Sorted, [("n", 6)], [{"n": 4}]),
    (modules.stack, [("n", "t", 8)], [{"n": 2, "t": 5}]),
]


def truth(module: nn.Module, inputs: list[Input], at: Mapping[str, int]) -> tuple[Any, ...]:
    """Parameters, products and output shapes, as PyTorch counts them without data."""
    params = sum(each.numel() for each in module.parameters())  # on meta nothing is tied
    module = module.to("meta").eval()
    dtype = torch.int64 if isinstance(module, modules.Attention) else torch.float32
    given = [
        torch.empty([at.get(str(size), size) for size in shape], dtype=dtype, device="meta")
        for shape in inputs
    ]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        left = module(*given)
    shapes = [tuple(leaf.shape) for leaf in tree_leaves(left) if hasattr(leaf, "shape")]
    return params, counter.get_total_flops() // 2, shapes


def ours(analysis: Analysis) -> tuple[Any, ...]:
    """The same, as the spec has it."""
    shapes = [tuple(map(int, shape)) for shape in outputs_of(analysis)]
    return analysis.value("params"), analysis.value("macs"), shapes


@pytest.mark.parametrize(
    ("make", "inputs", "sizes"),
    thinned(CASES, 4),
    ids=[make.__name__ for make, *_ in CASES],
)
def test_a_module_counts_what_pytorch_counts(
    make: Callable[[], nn.Module], inputs: list[Input], sizes: list[dict[str, int]]
) -> None:
    spec = from_python(make(), inputs)
    for at in sizes:
        analysis = analyze(spec, settings=at)
        expected = truth(make(), inputs, at)
        assert ours(analysis) == expected, spec


def test_python_takes_a_module_and_leaves_it_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()).train()
    kept = module[0].weight.clone()
    analysis = analyze(module, input=("n", 3, "h", "w"))
    assert str(analysis.macs) == "216*h*n*w"
    assert module.training
    assert torch.equal(module[0].weight, kept)
    with pytest.raises(SpecError, match=r"Sequential is no spec\n.*input=\(\"n\", 3, \"h\""):
        analyze(module)
    with pytest.raises(SpecError, match=r"int is neither a spec nor a torch\.nn\.Module"):
        analyze(3, input=("n", 3))  # type: ignore[arg-type]


def test_inputs_go_by_name_and_a_factory_takes_them_from_python() -> None:
    by_name = analyze(modules.Several(), input={"y": ("m", 5), "x": ("m", 8)})
    assert str(by_name.macs) == "52*m"
    assert str(analyze(f"{TORCH}tests.torch_modules:stack", input=("n", "t", 8)).params) == "1722"


def test_what_a_module_pins_is_said_and_is_no_symbol() -> None:
    text = from_python(modules.Pinned(), ("n", 3, "h=32", "w=32"))
    assert "# h is 32: the module asks for it" in text
    assert "symbols: {n: 1}" in text


def test_a_mask_is_causal_where_it_compares_places() -> None:
    text = from_python(modules.Masks(), ("n", "t", 8))
    assert [line.count("causal") for line in text.splitlines() if "product_attention" in line] == [
        0,
        1,
    ]


def test_no_weight_is_made() -> None:
    """The module's table has 40 TB."""
    assert analyze(f"{TORCH}tests.torch_modules:Huge", input=("n", "t")).params == 10**13


REFUSED = [
    (
        modules.ReadsNumber,
        r"inner: a number is read out of a tensor \(torch_modules.py:\d+: return",
    ),
    (modules.Chooses, r"inner: the control flow depends on what a tensor holds \(.*: if x.sum\(\)"),
    (modules.Masked, r"inner: how many elements there are depends on the data \(torch_modules.py"),
    (modules.Fourier, r"inner: aten.fft_rfft \(torch_modules.py:\d+\): no kind expresses this"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_what_no_spec_can_say_is_one_error(make: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        analyze(modules.Outer(make()), input=("n", 8))


def test_a_hole_is_marked_and_every_report_names_it() -> None:
    done = run_here(TORCH + "tests.torch_modules:Fourier", "--input", "n, 8", "--partial")
    assert done.returncode == 0, done.stderr
    assert "aten.fft_rfft" in done.stdout + done.stderr
    assert "lower bound" in done.stdout + done.stderr


def test_the_command_writes_a_spec_and_compares_both_counts(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    words = (TORCH + "tests.torch_modules:stack", "--input", "n, t, 8", "-o", file)
    done = run_here("import", *words, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "times: 3" in file.read_text()
    rows = json.loads(done.stdout)["compared"]
    assert {row["what"] for row in rows} == {"params", "macs", "outputs"}
    assert len({row["size"] for row in rows}) == 3
    assert all(row["source"] == row["spec"] for row in rows)


def test_a_parameter_of_the_factory_is_a_constant_or_a_symbol() -> None:
    source = TORCH + "tests.torch_modules:"
    fixed = run_here(source + "heads", "--input", "n, 4", "--vary", "kind=relu", "--format", "json")
    assert [each["kind"] for each in json.loads(fixed.stdout)["layers"]] == ["linear", "relu"]
    done = run_here("import", source + "heads", "--input", "n, 4", "--vary", "width=4,8,12")
    assert done.returncode == 0, done.stderr
    assert "linear: {out_features: width}" in done.stdout


BAD = [
    (["torch:tests.torch_modules"], "names no factory of a module"),
    (["torch:tests.torch_modules:stak", "--input", "n"], r"has no 'stak'[\s\S]*stack"),
    (["torch:no_such_module:net", "--input", "n"], "there is no module 'no_such_module' here"),
    (["torch:tests.torch_modules:stack"], "says no sizes of its inputs, so --input must"),
    (["torch:tests.torch_modules:stack", "--input", "n, 0"], "'0' is no size"),
    (["torch:tests.torch_modules:stack", "--input", "n, 7"], r"raises RuntimeError[\s\S]*--input"),
    (["torch:math:gcd", "--input", "n, 7"], "makes a int, which is no torch.nn.Module"),
    (
        ["torch:tests.torch_modules:heads", "--input", "n, 4", "--vary", "kind=no"],
        "raises KeyError",
    ),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_a_bad_source_is_one_error(words: list[str], said: str) -> None:
    done = run_here("import", *words)
    assert done.returncode == 2
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_no_spec_runs_code(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\ninput: [n, 8]\nsymbols: {n: 1}\nlayers:\n"
        '  - use: "torch:tests.torch_modules:stack#n, 8"\n'
    )
    done = run_here(spec)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_help_says_that_code_is_run() -> None:
    assert "runs the code" in " ".join(run_here("import", "--help").stdout.split())


def test_the_table_names_kinds_and_no_operator_twice() -> None:
    kinds = {*KINDS, *(name[:-2] for name in KINDS if name.endswith(("1d", "2d", "3d")))}
    assert {*RENAMED.values()} <= kinds
    operators = {name.split("::")[1] for name in torch._C._dispatch_get_all_op_names()}
    bare = {name.partition(".")[0].strip("_") for name in operators}
    others = {"getitem", "grouped_mm_fallback", "selective_scan"}
    assert {name for name in ROWS if name.strip("_") not in bare} <= others

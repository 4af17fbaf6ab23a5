"""MACs and params of MobileNetV2 over width × resolution: points per CPU second, as Markdown.

Everything runs on one core in one process, in turn; the CPU seconds of the best round count:

    archcost    the rows of a sweep, until int64 columns are there; reading the spec, its closed
                forms and what is compiled of them are in the rate
    by hand     the same numbers by a person who knows the network: NumPy, C, numba
    counters    what counts a PyTorch module, which is built anew for every point

A grid has 42,001 widths and 8,192 resolutions. Scattered points have widths in millionths and
resolutions up to 65,567, so that no value returns; drawing them is in archcost's rate. Every count
is compared with every other. Then ten million points of a grid are reduced to a few, or written
into a file, by the whole command and by a script (`by_hand`), which find the same. Of the command
about 0.08 s is for reading the spec and for its closed forms.

Usage: OPENBLAS_NUM_THREADS=1 python -m benchmarks.sweep [rounds]
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import by_hand
from benchmarks.by_hand import CHANNELS, HEAD, Array, Counts, Points, grid_by_hand, points_by_hand
from benchmarks.machine import machine
from costmodel import Analysis, analyze
from costmodel.analysis.columns import read_column
from costmodel.analysis.loading import Setup
from costmodel.cli.app import app
from costmodel.sweep.query import Request
from costmodel.sweep.study import Sweep, sweep

SPEC = Path(__file__).parent.parent / "specs" / "mobilenetv2.yaml"


class Swept(NamedTuple):
    """The axes of a sweep as on the command line, and the number of points drawn, if not all."""

    width: str
    h: str
    sample: int | None = None

    @property
    def vary(self) -> list[str]:
        """Return the axes as on the command line, as ``h=32:1032``."""
        return [f"width={self.width}", f"h={self.h}", "w=h"]

    @property
    def study(self) -> Sweep:
        """The sweep."""
        request = Request(metrics=("macs", "params"))
        return sweep([str(SPEC)], self.vary, request, setup=Setup("torch"), sample=self.sample)

    @property
    def points(self) -> Points:
        """Its numbers."""
        space = self.study.cases[0].space
        if self.sample is None:
            given: dict[str, Any] = {axis.name: axis.values for axis in space.axes}
        else:
            given = dict(space.drawn(0, self.sample))
        width, h = (read_column(name, given[name]) for name in ("width", "h"))
        return Points(width.numerators, width.denominator, h.numerators)

    def counts(self) -> Iterator[Counts]:
        """The rows' counts, chunk by chunk."""
        return ((chunk["macs"], chunk["params"]) for chunk in self.study.rows())


GRID = Swept("0.35:1.4:0.000025", "32:8223")


# By hand, in C and under numba.

LOOP = """
#include <stdint.h>
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t rounded(int64_t channels, int64_t width) {
    int64_t wide = channels * width;
    int64_t steps = most((2 * wide + 8LL * UNDER) / (16LL * UNDER) * 8, 8);
    return 10LL * UNDER * steps < 9 * wide ? steps + 8 : steps;
}
static inline int64_t half(int64_t size, int k) {
    int64_t short_ = (size + (1LL << k) - 1) >> k;
    return short_ * short_;
}
void count(int64_t n, const int64_t *width, const int64_t *size, int64_t *macs, int64_t *params) {
    for (int64_t i = 0; i < n; i++) {
        int64_t w = width[i], s = size[i];
        int64_t c16 = rounded(16, w), c24 = rounded(24, w), c32 = rounded(32, w);
        int64_t c64 = rounded(64, w), c96 = rounded(96, w), c160 = rounded(160, w);
        int64_t c320 = rounded(320, w), head = rounded(1280, most(w, UNDER));
        macs[i] = half(s, 1) * (c32 * (36 + c16) + 6 * c16 * c16)
            + half(s, 2) * (c16 * (6 * c24 + 54) + c24 * (18 * c24 + 54))
            + half(s, 3) * (c24 * (6 * c32 + 54) + c32 * (30 * c32 + 108))
            + half(s, 4) * (c32 * (6 * c64 + 54) + c64 * (42 * c64 + 6 * c96 + 216)
                            + c96 * (30 * c96 + 108))
            + half(s, 5) * (c96 * (6 * c160 + 54) + c160 * (30 * c160 + 6 * c320 + 162)
                            + c320 * head)
            + 1000 * head;
        params[i] = c16 * (6 * c16 + 6 * c24 + c32 + 80) + c24 * (18 * c24 + 6 * c32 + 160)
            + c32 * (30 * c32 + 6 * c64 + 280) + c64 * (42 * c64 + 6 * c96 + 320)
            + c96 * (30 * c96 + 6 * c160 + 240) + c160 * (30 * c160 + 6 * c320 + 240)
            + c320 * (head + 2) + 1002 * head + 1000;
    }
}
"""

Loop = Callable[[Array, Array, Array, Array], None]
"""Of widths and sizes, into MACs and params."""


def in_c(under: int) -> Loop | None:
    """The loop compiled by the machine's C compiler, if it has one."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="archcost-"))
    source, library = folder / "count.c", folder / "count.so"
    source.write_text(LOOP.replace("UNDER", str(under)), encoding="utf-8")
    flags = ["-O3", "-march=native", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    count = ctypes.CDLL(str(library)).count

    def run(*arrays: Array) -> None:
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        count(ctypes.c_int64(len(arrays[0])), *pointers)

    return run


def under_numba(under: int) -> Loop | None:
    """The same loop, each line by line in Python, if numba is installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    from numba import njit

    lines = LOOP[LOOP.index("        int64_t c16") : LOOP.index("    }\n}")]
    body = (
        lines.replace("int64_t ", "").replace("\n            +", " +").replace("\n" + " " * 28, "")
    )
    body = body.replace(", c", "; c").replace(", head", "; head").replace("(16; c", "(16, c")
    text = f"""
def most(a, b):
    return a if a > b else b
most = njit(most)
def rounded(channels, width):
    wide = channels * width
    steps = most((2 * wide + 8 * {under}) // (16 * {under}) * 8, 8)
    return steps + 8 if 10 * {under} * steps < 9 * wide else steps
rounded = njit(rounded)
def half(size, k):
    short = (size + (1 << k) - 1) >> k
    return short * short
half = njit(half)
def count(width, size, macs, params):
    for i in range(len(width)):
        w = width[i]
        s = size[i]
{body.replace("UNDER", str(under))}
"""
    scope: dict[str, Any] = {"njit": njit}
    exec(text, scope)
    compiled: Loop = njit(scope["count"])
    return compiled


def by_loop(loop: Loop, points: Points) -> Iterator[Counts]:
    """The loop over chunks into the same two arrays."""
    rows = 2**16
    macs, params = np.empty(rows, np.int64), np.empty(rows, np.int64)
    for first in range(0, len(points.widths), rows):
        part = slice(first, first + rows)
        own = len(points.widths[part])
        loop(points.widths[part], points.sizes[part], macs[:own], params[:own])
        yield macs[:own], params[:own]


# Counters of PyTorch modules.


def torch_network(width: float) -> Any:
    """MobileNetV2 as torchvision builds it."""
    from torch import nn

    def channels(base: float) -> int:
        nearest = max(8, int(base + 4) // 8 * 8)
        return nearest + 8 if nearest < 0.9 * base else nearest

    def unit(i: int, o: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
        conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [conv, nn.BatchNorm2d(o), nn.ReLU6()]

    class Bottleneck(nn.Module):  # type: ignore[misc]
        def __init__(self, i: int, o: int, stride: int, expand: int) -> None:
            super().__init__()
            inner = i * expand
            wide = unit(i, inner, 1) if expand != 1 else []
            deep = unit(inner, inner, 3, stride, inner)
            self.layers = nn.Sequential(*wide, *deep, *unit(inner, o, 1)[:2])
            self.skips = stride == 1 and i == o

        def forward(self, x: Any) -> Any:
            return x + self.layers(x) if self.skips else self.layers(x)

    last = channels(32 * width)
    layers = unit(3, last, 3, 2)
    repeats = (1, 2, 3, 4, 3, 3, 1)
    for base, expand, times, stride in zip(
        CHANNELS, (1, *[6] * 6), repeats, (1, 2, 2, 2, 1, 2, 1), strict=True
    ):
        for turn in range(times):
            out = channels(base * width)
            layers.append(Bottleneck(last, out, stride if turn == 0 else 1, expand))
            last = out
    head = channels(HEAD * max(1.0, width))
    layers += [*unit(last, head, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(head, 1000)).eval()


Counter = Callable[[float, int], tuple[int | None, int]]
"""MACs of convolutions and linear layers, where it tells them apart, and params."""


def by_flop_counter(width: float, size: int) -> tuple[int | None, int]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad():
        network, image = torch_network(width), torch.empty(1, 3, size, size)
        with FlopCounterMode(display=False) as counter:
            network(image)
    return counter.get_total_flops() // 2, sum(p.numel() for p in network.parameters())


def by_fvcore(width: float, size: int) -> tuple[int | None, int]:
    import torch
    from fvcore.nn import FlopCountAnalysis, parameter_count

    network = torch_network(width)
    analysis = FlopCountAnalysis(network, torch.empty(1, 3, size, size))
    found = analysis.unsupported_ops_warnings(False).by_operator()
    return int(found["conv"] + found["linear"]), parameter_count(network)[""]


def by_ptflops(width: float, size: int) -> tuple[int | None, int]:
    from ptflops import get_model_complexity_info

    _, params = get_model_complexity_info(
        torch_network(width),
        (3, size, size),
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
    )
    return None, int(params)


def by_thop(width: float, size: int) -> tuple[int | None, int]:
    import thop
    import torch

    image = torch.empty(1, 3, size, size)
    _, params = thop.profile(torch_network(width), inputs=(image,), verbose=False)
    return None, int(params)


def by_torchinfo(width: float, size: int) -> tuple[int | None, int]:
    import torchinfo

    found = torchinfo.summary(torch_network(width), (1, 3, size, size), verbose=0)
    return None, int(found.total_params)


COUNTERS: dict[str, tuple[str, Counter]] = {
    "torch.utils.flop_counter": ("torch", by_flop_counter),
    "fvcore": ("fvcore", by_fvcore),
    "ptflops": ("ptflops", by_ptflops),
    "thop": ("thop", by_thop),
    "torchinfo": ("torchinfo", by_torchinfo),
}

ASKED = [(0.35, 96), (0.5, 128), (0.75, 160), (1.0, 192), (1.4, 224)]


def missing(package: str) -> bool:
    return any(importlib.util.find_spec(name) is None for name in ("torch", package))


def counter_rate(counter: Counter, analysis: Analysis) -> float:
    """Points per second; params and, where they are told apart, MACs must be ours."""
    counter(*ASKED[0])
    begin = time.process_time()
    found = [counter(width, size) for width, size in ASKED]
    seconds = time.process_time() - begin
    for (width, size), (macs, params) in zip(ASKED, found, strict=True):
        point = analysis.at(width=width, h=size, w=size)
        if params != point.params or macs not in (None, point.macs):
            raise AssertionError(f"{counter.__name__} counts {macs}, {params} at {width}, {size}")
    return len(ASKED) / seconds


# The table.

Way = Callable[[], Iterator[Counts]]


def drained(way: Way) -> tuple[int, float]:
    """The number of points of a sweep, and the CPU seconds they take."""
    begin = time.process_time()
    total = sum(macs.size for macs, _ in way())
    return total, time.process_time() - begin


def rates(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Points per second of each way: the best of some rounds in turn, after one to warm up."""
    best = dict.fromkeys(ways, 0.0)
    for turn in range(rounds + 1):
        for name, way in ways.items():
            total, seconds = drained(way)
            best[name] = max(best[name], total / seconds) if turn else 0.0
    return best


def check(ways: dict[str, Way]) -> None:
    """Make sure that all ways count the same, at every point."""
    (first, way), *others = ways.items()
    for name, other in others:
        for i, (ours, theirs) in enumerate(zip(rows(way()), rows(other()), strict=True)):
            if not all(map(np.array_equal, ours, theirs)):
                raise AssertionError(f"{first} and {name} differ in rows {i} · 2**16 and on")


def rows(counted: Iterator[Counts]) -> Iterator[Counts]:
    """The same counts as int64, 2**16 at a time."""
    held: list[tuple[Array, Array]] = []
    for part in counted:
        held.append(tuple(np.array(array, np.int64).reshape(-1) for array in part))  # type: ignore[arg-type]
        while sum(len(macs) for macs, _ in held) >= 2**16:
            macs, params = (np.concatenate(columns) for columns in zip(*held, strict=True))
            yield macs[: 2**16], params[: 2**16]
            held = [(macs[2**16 :], params[2**16 :])]
    if held and len(held[0][0]):
        yield tuple(np.concatenate(columns) for columns in zip(*held, strict=True))  # type: ignore[misc]


def grid_ways(grid: Swept) -> dict[str, Way]:
    points = grid.points
    return {
        "archcost, grid": grid.counts,
        "NumPy by hand: a matrix product": lambda: grid_by_hand(points),
    }


def point_ways(count: int) -> dict[str, Way]:
    """The ways to count scattered points that this machine has."""
    drawn = Swept("0.35:1.4", "32:65567", count)
    points = drawn.points
    found: dict[str, Way] = {
        "archcost": drawn.counts,
        "NumPy by hand": lambda: points_by_hand(points),
    }
    for name, loop in (("C", in_c(points.under)), ("numba", under_numba(points.under))):
        if loop is not None:
            found[f"{name} by hand"] = lambda loop=loop: by_loop(loop, points)  # type: ignore[misc]
    return found


# Ten million points, by the whole command.

COMMANDS = {
    "top": "--metric macs --top 20 --by macs:max",
    "front": "--metric macs params --pareto macs params:max --where macs<=600e6 params<=3e6",
    "latency": "--metric latency --hardware t4 --top 20 --by latency",
    "memory_peak": "--metric memory_peak --top 20 --by memory_peak:max",
    "csv": "--metric macs params",
    "parquet": "--metric macs params",
    "jsonl": "--metric macs params",
}
"""Task of `by_hand.TASKS` → what asks for the same; JSON lines no library of both writes."""

ONCE_FOR_ALL = [
    *("sweep", str(Path(__file__).parent / "once_for_all.yaml"), "--vary"),
    *("depths=[choice(2,3,4)]*5", "kernels=[choice(3,5,7)]*20", "expansions=[choice(3,4,6)]*20"),
    *("width=1,1.2", "h=128:224:4", "w=h", "--sample", "1e5", "--dtype", "int8", "--jobs", "1"),
    *("--metric", "macs", "params", "model_size", "memory_peak", "--where"),
    *("memory_peak <= 320*1024 and model_size <= 1024*1024", "-o"),
]


def seconds_of(call: Callable[[], object]) -> float:
    """The CPU seconds of a call, what it prints left out."""
    begin = time.process_time()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        call()
    return time.process_time() - begin


def command(task: str, file: str) -> list[str]:
    """The command of a task, which writes into a file."""
    vary = ["--vary", "width=0.35:1.349:0.001", "h=32:10031", "w=h", "--jobs", "1"]
    return ["sweep", str(SPEC), *vary, *COMMANDS[task].split(), "-o", file]


def check_task(task: str, file: str, theirs: Any) -> None:
    """Make sure that a command and the script have found the same."""
    import pyarrow.csv
    import pyarrow.parquet

    read = pyarrow.parquet.read_table if file.endswith("parquet") else pyarrow.csv.read_csv
    ours = read(file)
    if not isinstance(theirs, str):
        (name,) = {"latency", "memory_peak", "macs"}.intersection(ours.schema.names)
        np.testing.assert_allclose(ours[name].to_numpy(), theirs, rtol=1e-14, err_msg=task)
        return
    others = read(theirs)
    for name in others.schema.names:
        own = ours[name].cast(others[name].type).to_numpy()
        np.testing.assert_allclose(own, others[name].to_numpy(), rtol=1e-15, err_msg=name)


def show_tasks(rounds: int) -> None:
    """Rows of the table: ten million points to a few, or into a file, beside a script."""
    if importlib.util.find_spec("pyarrow") is None:
        return
    with tempfile.TemporaryDirectory(prefix="archcost-") as folder:
        for task, script in by_hand.TASKS.items():
            end = task if task in ("csv", "parquet") else "csv"
            file, other = f"{folder}/ours.{end}", f"{folder}/theirs.{end}"
            ours = partial(app, command(task, file), result_action="return_value")
            ours()
            check_task(task, file, script(other))
            best = {}
            for name, call in (("archcost", ours), ("NumPy by hand", partial(script, other))):
                best[name] = 1e7 / min(seconds_of(call) for _ in range(rounds))
            show(f"to {task}", best, "NumPy by hand")
        ours = partial(app, command("jsonl", f"{folder}/a.jsonl"), result_action="return_value")
        show(
            "to jsonl", {"archcost": 1e7 / min(seconds_of(ours) for _ in range(rounds))}, "archcost"
        )


def show_once_for_all() -> None:
    """A sentence: the CPU seconds of 100,000 networks of the once-for-all space, all in all."""
    with tempfile.TemporaryDirectory(prefix="archcost-") as folder:
        words = [sys.executable, "-m", "costmodel", *ONCE_FOR_ALL, f"{folder}/fits.csv"]
        before = os.times()
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
        after = os.times()
    seconds = sum(after[2:4]) - sum(before[2:4])
    print(f"\n100,000 networks of the once-for-all space take {seconds:.1f} CPU seconds.")


def show(title: str, found: dict[str, float], beside: str) -> None:
    """Rows of the table: each rate, and what it is beside one of them."""
    for name, rate in found.items():
        shown = f"{float(f'{rate:.3g}'):,.0f}" if rate >= 100 else f"{rate:.3g}"
        print(f"| {title} | {name} | {shown} | {rate / found[beside]:.2f} × |", flush=True)


def show_counters(analysis: Analysis, grid: float) -> None:
    """The rows of the counters that are installed, and how many times as fast the grid is."""
    found = {
        name: counter_rate(counter, analysis)
        for name, (package, counter) in COUNTERS.items()
        if not missing(package)
    }
    if found:
        fastest = max(found, key=found.__getitem__)
        show("one by one", found, fastest)
        print(f"\nThe grid is {grid / found[fastest]:,.0f} × the fastest counter, {fastest}.")
    left_out = [*(name for name in COUNTERS if name not in found)]
    left_out += [] if shutil.which("cc") else ["a C compiler"]
    left_out += ["numba"] if importlib.util.find_spec("numba") is None else []
    if left_out:
        print(f"\nNot installed, so left out: {', '.join(left_out)}.")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(machine("numpy", "numba", "torch") + "\n")
    print("| points | counted by | points per CPU second | beside |\n| --- | --- | ---: | ---: |")
    ways = grid_ways(GRID)
    check(ways)
    grid = rates(ways, rounds)
    show("grid", grid, list(grid)[1])
    ways = point_ways(2**22)
    check(ways)
    found = rates(ways, rounds)
    show("scattered", found, next((n for n in found if n.startswith("C ")), list(found)[1]))
    show_tasks(rounds)
    show_counters(analyze(SPEC, convention="torch"), next(iter(grid.values())))
    show_once_for_all()


if __name__ == "__main__":
    main()

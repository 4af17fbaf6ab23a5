"""MACs and params of MobileNetV2 over width × resolution: points per CPU second, as Markdown.

Everything runs on one core in one process, in turn; the CPU seconds of the best round count:

    archcost    the rows of a sweep, until int64 columns are there; reading the spec, its closed
                forms and what is compiled of them are in the rate
    by hand     the same numbers by a person who knows the network: NumPy, C, numba
    counters    what counts a PyTorch module, which is built anew for every point

A grid has 42,001 widths and 8,192 resolutions. Scattered points have widths in millionths and
resolutions up to 65,567, so that no value returns; drawing them is in archcost's rate. Every count
is compared with every other. Then the grid is reduced to a few rows, and a million rows are written
into files.

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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import machine
from costmodel import Analysis, analyze
from costmodel.analysis.columns import read_column
from costmodel.analysis.loading import Setup
from costmodel.cli.app import app
from costmodel.sweep.query import Request
from costmodel.sweep.study import Sweep, sweep

SPEC = Path(__file__).parent.parent / "specs" / "mobilenetv2.yaml"

Array = Any
Counts = tuple[Array, Array]
"""MACs and params."""

THIN = 2**13
"""Points of a chunk that stays in the first caches."""


class Points(NamedTuple):
    """Widths over a denominator, and resolutions: of a grid its axes."""

    widths: Array
    under: int
    sizes: Array


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


# By hand, in NumPy.

CHANNELS = (16, 24, 32, 64, 96, 160, 320)
HEAD = 1280


def rounded(channels: int, widths: Array, under: int) -> Array:
    """``round_to(channels*width, 8)`` in integers."""
    wide = channels * widths
    steps = np.maximum((2 * wide + 8 * under) // (16 * under) * 8, 8)
    return steps + 8 * (10 * under * steps < 9 * wide)


def all_rounded(widths: Array, under: int) -> list[Array]:
    """The stages' channels, then the head's, which is no narrower than 1280."""
    stages = [rounded(channels, widths, under) for channels in CHANNELS]
    return [*stages, rounded(HEAD, np.maximum(widths, under), under)]


def by_width(c: list[Array]) -> list[Array]:
    """The MACs for each output position, at halved sizes down to a 32nd, and without positions."""
    c16, c24, c32, c64, c96, c160, c320, head = c
    return [
        c32 * (36 + c16) + 6 * c16 * c16,
        c16 * (6 * c24 + 54) + c24 * (18 * c24 + 54),
        c24 * (6 * c32 + 54) + c32 * (30 * c32 + 108),
        c32 * (6 * c64 + 54) + c64 * (42 * c64 + 6 * c96 + 216) + c96 * (30 * c96 + 108),
        c96 * (6 * c160 + 54) + c160 * (30 * c160 + 6 * c320 + 162) + c320 * head,
        1000 * head,
    ]


def by_size(sizes: Array) -> list[Array]:
    """Output positions: the halved sizes, squared, and 1."""
    halved = [-(-sizes // 2**k) for k in range(1, 6)]
    return [*(size * size for size in halved), np.ones_like(sizes)]


def params_of(c: list[Array]) -> Array:
    c16, c24, c32, c64, c96, c160, c320, head = c
    narrow = c16 * (6 * c16 + 6 * c24 + c32 + 80) + c24 * (18 * c24 + 6 * c32 + 160)
    middle = c32 * (30 * c32 + 6 * c64 + 280) + c64 * (42 * c64 + 6 * c96 + 320)
    wide = c96 * (30 * c96 + 6 * c160 + 240) + c160 * (30 * c160 + 6 * c320 + 240)
    return narrow + middle + wide + c320 * (head + 2) + 1002 * head + 1000


def grid_by_hand(grid: Points) -> Iterator[Counts]:
    """A matrix product of 6 columns in float64, some rows at a time; params repeated."""
    channels = all_rounded(grid.widths, grid.under)
    left = np.column_stack(by_width(channels)).astype(np.float64)
    right = np.stack(by_size(grid.sizes)).astype(np.float64)
    params = params_of(channels)
    macs, same = np.empty((8, len(grid.sizes))), np.empty((8, len(grid.sizes)), np.int64)
    for first in range(0, len(left), 8):
        rows = left[first : first + 8]
        np.matmul(rows, right, out=macs[: len(rows)])
        same[: len(rows)] = params[first : first + 8, None]
        yield macs[: len(rows)], same[: len(rows)]


def points_by_hand(points: Points) -> Iterator[Counts]:
    """The formula in int64, in chunks that stay in the cache."""
    for first in range(0, len(points.widths), THIN):
        part = slice(first, first + THIN)
        channels = all_rounded(points.widths[part], points.under)
        pairs = zip(by_width(channels), by_size(points.sizes[part]), strict=True)
        yield sum(a * b for a, b in pairs), params_of(channels)


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


REDUCED = {
    "the best two": Request(("macs", "params"), top=2, by="macs"),
    "the best two of those that keep conditions": Request(
        ("macs", "params"), where=("macs <= 3e8 and params >= 3e6",), top=2, by="macs"
    ),
}


def show_reduced(rounds: int) -> None:
    """Rows of the table: a grid of which few rows are kept, from the texts on."""
    for name, request in REDUCED.items():
        best = 0.0
        for _ in range(rounds):
            begin = time.process_time()
            study = sweep([str(SPEC)], GRID.vary, request, setup=Setup("torch"))
            kept = sum(rows.count for rows in study.rows())
            assert kept == request.top
            best = max(best, study.size / (time.process_time() - begin))
        print(f"| reduced | {name} | {float(f'{best:.3g}'):,.0f} | |", flush=True)


ENDS = (".csv", ".jsonl", ".parquet")


def show_written(rounds: int) -> None:
    """Rows of the table: a million rows into files, by the whole command."""
    vary = ["width=0.35:1.399:0.001", "h=32:984", "w=h"]
    with tempfile.TemporaryDirectory(prefix="archcost-") as folder:
        for end in ENDS if importlib.util.find_spec("pyarrow") else ENDS[:2]:
            command = ["sweep", str(SPEC), "--vary", *vary, "--metric", "macs", "params", "-o"]
            best = 0.0
            for _ in range(rounds):
                begin = time.process_time()
                app([*command, f"{folder}/sweep{end}"], result_action="return_value")
                best = max(best, 1050 * 953 / (time.process_time() - begin))
            print(f"| written | a file {end} | {float(f'{best:.3g}'):,.0f} | |", flush=True)


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
    show_reduced(rounds)
    show_written(rounds)
    show_counters(analyze(SPEC, convention="torch"), next(iter(grid.values())))


if __name__ == "__main__":
    main()

"""MobileNetV2 swept by hand: the script of NumPy and pyarrow that sweeps are compared with.

A task as a program: ``python -m benchmarks.by_hand csv grid.csv``.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

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


# Layer by layer: what no matrix product gives.


class Block(NamedTuple):
    """An inverted bottleneck, and how often it stands there."""

    into: Array
    inner: Array
    out: Array
    before: int  # how often the size was halved
    after: int
    is_residual: bool
    times: int


STAGES = ((6, 1, 2), (6, 2, 2), (6, 3, 2), (6, 2, 1), (6, 2, 2), (6, 0, 1))
"""The stages of MobileNetV2: expansion factor, number of residual blocks, stride of the first."""


def blocks(c: list[Array]) -> Iterator[Block]:
    """Yield the bottlenecks, equal neighbours once."""
    yield Block(c[2], c[2], c[0], 1, 1, False, 1)
    level = 1
    for i, (expand, more, stride) in enumerate(STAGES):
        into, out, after = c[i], c[i + 1], level + stride - 1
        yield Block(into, expand * into, out, level, after, False, 1)
        if more:
            yield Block(out, expand * out, out, after, after, True, more)
        level = after


PEAK, BANDWIDTH = 8.1e12, 320e9
"""Operations and bytes a second of a T4 in fp32."""


def latency_of(c: list[Array], area: list[Array]) -> Array:
    """The sum of every layer's max(operations/peak, bytes/bandwidth), in seconds."""
    head, last = c[7], area[5]

    def layer(weights: Array, read: Array, made: Array, macs: Array) -> Array:
        return np.maximum(macs * (2 / PEAK), (weights + read + made) * (4 / BANDWIDTH))

    total = layer(27 * c[2], 3 * area[0], c[2] * area[1], 27 * c[2] * area[1])
    norms = 2 * c[2]
    for into, inner, out, before, after, is_residual, times in blocks(c):
        small = inner * area[after]
        one = layer(9 * inner, inner * area[before], small, 9 * small)
        one += layer(inner * out, small, out * area[after], inner * out * area[after])
        norms = norms + times * 2 * (inner + out)
        if inner is not into:
            large = inner * area[before]
            one += layer(into * inner, into * area[before], large, into * large)
            norms = norms + times * 2 * inner
        if is_residual:
            one += out * area[after] * (4 / BANDWIDTH)  # written where the body's result is
        total += times * one if times > 1 else one
    total += layer(c[6] * head, c[6] * last, head * last, c[6] * head * last)
    total += (norms + 2 * head + head * last + head) * (4 / BANDWIDTH)
    return total + layer(1000 * head + 1000, head, 1000, 1000 * head)


def memory_of(c: list[Array], area: list[Array]) -> Array:
    """The most bytes that are in memory at once: what a layer reads and makes, and a shortcut."""
    peak = 3 * area[0] + c[2] * area[1]
    for into, inner, out, before, after, is_residual, _ in blocks(c):
        beside = into * area[before] if is_residual else 0
        peak = np.maximum(peak, inner * (area[before] + area[after]) + beside)
        peak = np.maximum(peak, (inner + out) * area[after] + beside)
        if inner is not into:
            peak = np.maximum(peak, (into + inner) * area[before])
    peak = np.maximum(peak, (c[6] + c[7]) * area[5])
    peak = np.maximum(peak, c[7] * (area[5] + 1))
    return 4 * np.maximum(peak, c[7] + 1000)


def areas(sizes: Array) -> list[Array]:
    """The sizes squared, halved 0 to 5 times."""
    return [sizes * sizes, *by_size(sizes)[:5]]


# Ten million points to what is asked for.

GRID = Points(np.arange(350, 1350), 1000, np.arange(32, 10032))
ROWS = 8
"""Widths of a chunk."""


def chunks(*names: str) -> Iterator[dict[str, Array]]:
    """Yield columns of the grid, some widths at a time."""
    float_area, area = areas(GRID.sizes.astype(np.float64)), areas(GRID.sizes)
    for i, (macs, params) in enumerate(grid_by_hand(GRID)):
        widths = GRID.widths[i * ROWS : (i + 1) * ROWS, None]
        found: dict[str, Array] = {"macs": macs, "params": params, "width": widths / GRID.under}
        found |= {"h": GRID.sizes, "w": GRID.sizes}
        channels = all_rounded(widths, GRID.under)
        if "latency" in names:
            found["latency"] = latency_of([c.astype(np.float64) for c in channels], float_area)
        if "memory_peak" in names:
            found["memory_peak"] = memory_of(channels, area)
        yield {name: np.broadcast_to(found[name], macs.shape).reshape(-1) for name in names}


def best(by: str, count: int = 20, *, largest: bool = False) -> Array:
    """The best few, as values and their places in the grid."""
    values, places, start = np.empty(0), np.empty(0, np.int64), 0
    for chunk in chunks(by):
        column = -chunk[by] if largest else chunk[by]
        if len(values) == count:
            some = np.flatnonzero(column < values[-1])
        else:
            some = np.argpartition(column, count)[:count]
        if len(some):
            values = np.concatenate([values, column[some]])
            places = np.concatenate([places, start + some])
            order = np.argsort(values, kind="stable")[:count]
            values, places = values[order], places[order]
        start += len(column)
    return -values if largest else values


def front(most_macs: float, most_params: float) -> Array:
    """The MACs of the front of least MACs and most params, where both are bounded."""
    macs, params = np.empty(0), np.empty(0, np.int64)
    for chunk in chunks("macs", "params"):
        fits = (chunk["macs"] <= most_macs) & (chunk["params"] <= most_params)
        macs = np.concatenate([macs, chunk["macs"][fits]])
        params = np.concatenate([params, chunk["params"][fits]])
        order = np.lexsort((-params, macs))
        macs, params = macs[order], params[order]
        before = np.concatenate([[-1], np.maximum.accumulate(params)[:-1]])
        macs, params = macs[params > before], params[params > before]
    return macs


def tables() -> Iterator[Any]:
    """Yield the grid with its counts as tables of Arrow."""
    import pyarrow as arrow

    for chunk in chunks("width", "h", "w", "macs", "params"):
        own = {"macs": chunk["macs"].astype(np.int64), "params": chunk["params"].copy()}
        yield arrow.table({**chunk, **own})


def to_csv(path: str) -> str:
    """The path of a file of the grid."""
    import pyarrow.csv

    found = tables()
    first = next(found)
    with pyarrow.csv.CSVWriter(path, first.schema) as writer:
        for table in chain((first,), found):
            writer.write_table(table)
    return path


def to_parquet(path: str) -> str:
    """The path of a file of the grid, in row groups of a million."""
    import pyarrow as arrow
    import pyarrow.parquet

    found = tables()
    first = next(found)
    with pyarrow.parquet.ParquetWriter(path, first.schema) as writer:
        held = [first]
        while held:
            held += islice(found, 12 - len(held))
            writer.write_table(arrow.concat_tables(held))
            held = list(islice(found, 1))
    return path


TASKS: Mapping[str, Callable[[str], Any]] = {
    "top": lambda _: best("macs", largest=True),
    "front": lambda _: front(600e6, 3e6),
    "latency": lambda _: best("latency"),
    "memory_peak": lambda _: best("memory_peak", largest=True),
    "csv": to_csv,
    "parquet": to_parquet,
}
"""The numbers that each finds, or the file that it writes."""

if __name__ == "__main__":
    print(TASKS[sys.argv[1]](sys.argv[2]))

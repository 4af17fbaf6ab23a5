"""Sweeps: every row is the single analysis at its point, whatever way it was computed."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec import SpecError, arithmetic
from benchmarks import sweep as benchmark
from costmodel import Analysis, analyze
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import (
    Log2,
    Maximum,
    Minimum,
    RoundTo,
    exact,
    floor_div,
)
from costmodel.algebra.symbols import symbol
from costmodel.scenario.scenario import scenario
from costmodel.scenario.settings import to_rational
from costmodel.sweep import fused
from costmodel.sweep import points as scattered
from costmodel.sweep.chunk import EVERY, Chunk
from costmodel.sweep.columns import Column, read_column
from costmodel.sweep.compiled import MAX_INT64, OPERATIONS, Mode, Tape, whole
from costmodel.sweep.engine import Engine
from costmodel.sweep.exact import equal, less, order
from costmodel.sweep.factors import Factors
from costmodel.sweep.grid import Grid
from costmodel.sweep.lowering import Program
from costmodel.sweep.memory import Pool
from costmodel.sweep.rows import wanted
from tests.conftest import ROOT, crossed, examples

METRICS = (
    "params",
    "model_size",
    "macs",
    "flops",
    "activations",
    "activations_peak",
    "memory_peak",
)

COLUMNS = {name: name for name in METRICS}

x, y, z = symbol("x"), symbol("y"), symbol("z")


def spec(name: str) -> str:
    return str(ROOT / "specs" / f"{name}.yaml")


def whole_table(chunks: Iterable[Chunk]) -> dict[str, Any]:
    """All rows together."""
    made = [dict(chunk) for chunk in chunks]
    return {name: np.concatenate([chunk[name] for chunk in made]) for name in made[0]}


# Every row is a single analysis.

NETWORKS: Mapping[str, Mapping[str, list[Any]]] = {
    "alexnet": {"h": [224, 63, 227], "w": [224, 227], "g": [1, 2, 3]},
    "mobilenetv2": {"width": ["0.35", "1", "1.4"], "h": [96, 97, 224], "w": [32, 224]},
    "efficientnet": {"depth": ["1", "1.1", "3.1"], "width": ["1", "1.2"], "h": [224, 225]},
    "resnet": {"h": [224, 97], "width": ["0.25", "1"], "classes": [10, 1000]},
    "unet": {"h": [64, 65, 128], "w": [64, 96], "base": [16, 64]},
    "swin": {"d": [32, 33, 96], "h": [224, 230], "w": [224]},
    "maxvit": {"h": [224, 225, 448], "w": [224, 448]},
    "bert": {"L": [1, 12], "t": [128, 512], "d": [768, 700]},
    "gpt2": {"t": [1, 1024], "heads": [12, 7], "L": [12]},
    "gemma": {"L": [2, 4, 26], "t": [128, 8192], "kv_heads": [1, 4]},
    "mixtral": {"experts": [1, 8], "top_k": [1, 2], "t": [5, 4096]},
    "lstm": {"t": [1, 35], "d": [100, 650]},
}


def at_point(network: str, free: Analysis, given: Mapping[str, Any]) -> Analysis:
    """The network with numbers for these symbols from the start."""
    return analyze(network, settings={**free.graph.values, **given}, scenario=free.scenario)


@pytest.mark.parametrize(("name", "dtype"), crossed(NETWORKS, ["fp32", "int4"]))
def test_every_row_of_a_grid_is_an_analysis_of_its_own(name: str, dtype: str) -> None:
    axes, free = NETWORKS[name], analyze(spec(name), scenario=scenario(dtype=dtype))
    engine = Engine(free, COLUMNS)
    table = whole_table(engine.grid(axes))
    assert list(table) == [*axes, *COLUMNS, "valid"]
    numbers = np.random.default_rng(6).permutation(len(table["valid"]))[:4]
    for row in numbers:
        given = {n: to_rational(n, table[n][row]) for n in axes}
        try:
            single = at_point(spec(name), free, given)
        except SpecError:
            assert not table["valid"][row], given
            continue
        assert table["valid"][row], given
        for metric in METRICS:
            assert table[metric][row] == single.value(metric), (metric, given)


@pytest.mark.parametrize("name", NETWORKS)
def test_points_are_the_rows_of_the_grid(name: str) -> None:
    axes = NETWORKS[name]
    engine = Engine(analyze(spec(name)), {**COLUMNS, "each": "macs/params"}, ["macs <= 3e9"])
    grid = whole_table(engine.grid(axes))
    mixed = np.random.default_rng(1).integers(0, len(grid["valid"]), 500)
    table = whole_table(engine.points({n: grid[n][mixed] for n in axes}))
    assert list(table) == list(grid)
    for column in set(table) - set(axes) - {"valid"}:
        both = table["valid"] & grid["valid"][mixed]
        assert np.array_equal(table[column][both], grid[column][mixed][both]), column
    assert np.array_equal(table["valid"], grid["valid"][mixed])


def test_the_order_is_that_of_the_grid() -> None:
    axes: dict[str, list[Any]] = {"h": [224, 96], "width": ["1", "0.35"], "w": [64, 32, 33]}
    table = whole_table(Engine(analyze(spec("mobilenetv2")), {"macs": "macs"}).grid(axes))
    rows = [(h, w, v) for h in (224, 96) for v in (1, Fraction(7, 20)) for w in (64, 32, 33)]
    assert list(zip(table["h"], table["w"], table["width"], strict=True)) == rows


def test_a_grid_of_one_point_and_of_none() -> None:
    engine = Engine(analyze(spec("alexnet")), {"macs": "macs", "params": "params"})
    assert whole_table(engine.grid({}))["macs"].tolist() == [724_406_816]
    assert whole_table(engine.grid({"h": [224]}))["macs"].tolist() == [724_406_816]
    assert list(engine.grid({"h": []})) == []
    assert list(engine.points({"h": []})) == []


# Published tables, row by row.

SLIM = """
1.4 224 582 6.06 | 1.3 224 509 5.34 | 1.0 224 300 3.47 | 1.0 192 221 3.47 | 1.0 160 154 3.47
1.0 128 99 3.47 | 1.0 96 56 3.47 | 0.75 224 209 2.61 | 0.75 192 153 2.61 | 0.75 160 107 2.61
0.75 128 69 2.61 | 0.75 96 39 2.61 | 0.5 224 97 1.95 | 0.5 192 71 1.95 | 0.5 160 50 1.95
0.5 128 32 1.95 | 0.5 96 18 1.95 | 0.35 224 59 1.66 | 0.35 192 43 1.66 | 0.35 160 30 1.66
0.35 128 20 1.66 | 0.35 96 11 1.66
"""
"""TF-slim, research/slim/nets/mobilenet/README.md: width, resolution, MACs in millions, cut off,
and parameters in millions without those of normalisation; 1001 classes."""


def test_the_table_of_tf_slim_is_one_sweep() -> None:
    rows = [row.split() for line in SLIM.split("\n") for row in line.split("|") if row.strip()]
    assert len(rows) == 22
    engine = Engine(
        analyze(spec("mobilenetv2"), settings={"classes": 1001}),
        {"macs": "macs", "params": "params"},
    )
    widths = ["1.4", "1.3", "1.0", "0.75", "0.5", "0.35"]
    axes: dict[str, list[Any]] = {"width": widths, "h": [224, 192, 160, 128, 96]}
    table = whole_table(engine.grid(axes, {"w": "h"}))
    found = {
        (w, h): (macs // 10**6, round(int(params) / 1e6, 2))
        for w, h, macs, params in zip(
            *(table[n] for n in ("width", "h", "macs", "params")), strict=True
        )
    }
    assert np.array_equal(table["w"], table["h"])
    for width, resolution, macs, params in rows:
        ours = found[Fraction(width), int(resolution)]
        assert ours == (int(macs), float(params)), (width, resolution)


RESNETS = {
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "resnet152": (60_192_808, 11.514),
}
"""torchvision 0.29.2, models/resnet.py: parameters, and multiply-accumulates in thousand millions
to three decimals."""


def resnet(said: Mapping[str, Any]) -> Analysis:
    return analyze(f"{spec('resnet')}@{said['variant']}", convention="torch")


def test_the_table_of_the_resnets_is_one_sweep_over_variants() -> None:
    engine = Engine(resnet, {"params": "params", "macs": "macs"})
    table = whole_table(engine.grid({"variant": list(RESNETS), "h": [224]}, {"w": "h"}))
    assert table["variant"].tolist() == list(RESNETS)
    assert table["params"].tolist() == [params for params, _ in RESNETS.values()]
    assert [round(int(m) / 1e9, 3) for m in table["macs"]] == [m for _, m in RESNETS.values()]


def test_structure_may_change_with_an_inner_axis() -> None:
    engine = Engine(resnet, {"params": "params", "macs": "macs"})
    names = ["resnet18", "resnet50"]
    outer = whole_table(engine.grid({"variant": names, "h": [224, 96]}))
    inner = whole_table(engine.grid({"h": [224, 96], "variant": names}))
    turned = [0, 2, 1, 3]
    assert list(inner) == ["h", "variant", "params", "macs", "valid"]
    for column in inner:
        assert inner[column].tolist() == outer[column][turned].tolist(), column
    some = whole_table(engine.points({"variant": names * 2, "h": [224, 96, 96, 224]}))
    assert some["macs"].tolist() == outer["macs"][[0, 3, 1, 2]].tolist()


# Ways to compute are told apart by size; all give the same.


class Law:
    """An expression of x, y and z on a grid, and at points, as the engine computes it."""

    def __init__(self, law: Any, axes: Mapping[str, list[Any]]) -> None:
        self.law = law
        self.columns = {name: read_column(name, values) for name, values in axes.items()}
        symbols = {name: symbol(name) for name in axes}
        self.program = Program({symbols[n]: c.under for n, c in self.columns.items()})
        self.inputs = {n: self.program.lower(s).over for n, s in symbols.items()}
        self.part = self.program.lower(law)

    def grid(self, rows: int = 2**16) -> list[int]:
        grid = Grid(self, self.columns, [self.part.over], rows)  # type: ignore[arg-type]
        blocks = [block.node(self.part.over, EVERY) for block in grid.blocks()]
        self.product = grid.products.get(self.part.over)
        return [int(value) for value in np.concatenate(blocks)]

    def by_hand(self) -> list[int]:
        """Python's integers, point by point."""
        axes = [[int(v) for v in column.overs] for column in self.columns.values()]
        names = [symbol(name) for name in self.columns]
        return [
            int(Evaluator(dict(zip(names, values, strict=True)))(self.law))
            for values in product(*axes)
        ]


BOUNDARIES = [
    2**51 - 1,
    2**51,
    2**51 + 1,
    2**52 - 1,
    2**52,
    2**52 + 1,
    2**53 - 1,
    2**53,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**63 + 1,
    2**64 + 1,
    2**106 + 1,
]


@pytest.mark.parametrize("edge", BOUNDARIES)
def test_a_matrix_product_is_exact_at_the_edges_of_its_numbers(edge: int) -> None:
    """``x·y + z`` reaches exactly the edge: ``1·(edge − 1) + 1``, and passes it at ``x = 3``."""
    for sign in (1, -1):
        axes = {"x": [1, 3], "z": [1, 2], "y": [edge - 1, edge // 2, 1]}
        law = Law(sign * (x * y + z), axes)
        assert law.grid(1) == law.by_hand()
        assert law.product is not None
        assert law.grid() == law.by_hand()
        assert max(map(abs, law.by_hand())) == 3 * (edge - 1) + 2


@pytest.mark.parametrize("edge", BOUNDARIES)
def test_scattered_points_are_exact_at_the_edges(edge: int) -> None:
    law = Law(Maximum(x * y + z, floor_div(y + 1, 3 * x)), {"x": [1], "y": [edge - 1], "z": [1]})
    tape = Tape(law.program, [law.part.over])
    given = {law.inputs[n]: column for n, column in law.columns.items()}
    mode = tape.mode({p: column.bounds for p, column in given.items()})
    (found,) = tape.run({p: column.overs for p, column in given.items()}, mode).values()
    assert int(whole(found)[0]) == edge


@pytest.mark.parametrize(
    ("edge", "mode"),
    [
        (2**52, Mode.FLOAT),
        (2**53, Mode.FLOAT),
        (2**53 + 1, Mode.INT),
        (2**63 - 1, Mode.INT),
        (2**63, Mode.OBJECT),
    ],
)
def test_the_mode_is_the_fastest_that_is_proved(edge: int, mode: Mode) -> None:
    program = Program({x: 1})
    tape = Tape(program, [program.lower(x + 1).over])
    (place,) = tape.given
    assert tape.mode({place: (1, edge - 1)}) is mode
    assert tape.mode({place: None}) is Mode.OBJECT


def test_products_leave_their_ways_exactly_at_the_bounds() -> None:
    """The largest sums of ``x·y``, and whether BLAS computes them as one product or as two."""
    ways = {}
    for largest in (
        2**51 - 1,
        2**51,
        2**52 - 1,
        2**52,
        2**53,
        2**53 + 1,
        2**62,
        MAX_INT64,
        MAX_INT64 + 1,
    ):
        law = Law(x * y, {"x": [1], "y": [largest]})
        assert law.grid(1) == [largest]
        assert law.product is not None
        ways[largest] = law.product.largest
    assert list(ways) == list(ways.values())


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_grids_of_any_sizes_of_numbers_are_exact(data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 70))
    numbers = st.lists(st.integers(1, 2**bits), min_size=1, max_size=4)
    axes = {name: data.draw(numbers) for name in ("x", "y", "z")}
    laws = [
        x * y + 3 * z * x**2 - y,
        (x + y) * (y + z) * (floor_div(z, 3) - 5),
        Maximum(x * y, y * z, exact(7)) - Minimum(x, z + 2) * y,
        floor_div(x * y + z, 5) + RoundTo(x * 3 / 7, exact(8)) * y,
        (x**2 + x) / 2 * y + (z**2 - z) / 2,
    ]
    law = Law(data.draw(st.sampled_from(laws)), axes)
    rows = data.draw(st.sampled_from([1, 2, 5, 2**16]))
    under = law.program.number(law.part.under)
    assert under is not None
    assert [value // under for value in law.grid(rows)] == law.by_hand()


def test_integers_between_the_edges_take_two_products() -> None:
    """Sums between 2⁵³ and 2⁶³ are two BLAS products where the factors allow it."""
    axes = {"x": [2**40 + 1, 2**40 - 1], "y": [2**20 + 1, 1], "z": [1, 2**22 - 1]}
    law = Law(x * y + z * x, {"x": axes["x"], "z": [1], "y": axes["y"]})
    assert law.grid(1) == law.by_hand()
    assert law.product is not None
    assert law.product.low_bits > 0


def test_a_law_is_a_sum_of_products_of_one_symbol_factors() -> None:
    program = Program({x: 1, y: 1, z: 1})
    factors = Factors(program)
    place = program.lower((x + 1) * (floor_div(y, 2) + z) + 3 * floor_div(x, 2) * y).over
    products = factors.products(place)
    assert products is not None
    assert sorted(tuple(s for s, _ in p) for p in products) == [("x", "y")] * 2 + [("x", "z")]
    assert len(factors.pairs(place, frozenset("x")) or []) == 2
    joint = program.lower(Maximum(x, y) + x * z).over
    assert factors.products(joint) is None


def test_linked_symbols_are_one() -> None:
    """With ``w = h`` the product of two ceilings is one factor of h."""
    engine = Engine(analyze(spec("mobilenetv2")), {"macs": "macs"})
    linked = whole_table(engine.grid({"width": ["1", "0.5"], "h": [32, 97]}, {"w": "2*h"}))
    assert linked["w"].tolist() == [64, 194, 64, 194]
    plain = whole_table(engine.grid({"width": ["1", "0.5"], "h": [32, 97], "w": [64, 194]}))
    same = plain["w"] == 2 * plain["h"]
    assert linked["macs"].tolist() == plain["macs"][same].tolist()


def test_a_link_may_break_what_its_symbol_is() -> None:
    engine = Engine(analyze(spec("mobilenetv2")), {"macs": "macs"})
    table = whole_table(engine.grid({"h": [96, 97]}, {"w": "h/2"}))
    assert table["valid"].tolist() == [True, False]
    assert table["w"].tolist() == [48, Fraction(97, 2)]


def test_links_are_read_in_order() -> None:
    engine = Engine(analyze(spec("mobilenetv2")), {"macs": "macs"})
    table = whole_table(engine.grid({"n": [1, 2]}, {"h": "32*n", "w": "h + 1"}))
    assert table["w"].tolist() == [33, 65]
    with pytest.raises(SpecError, match="h is linked to w, which is linked itself"):
        list(engine.grid({"n": [1]}, {"h": "w", "w": "n"}))
    with pytest.raises(SpecError, match="link of 'w'"):
        list(engine.grid({"n": [1]}, {"w": "32*nn"}))


# Scattered points.


def many_points() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    count = 20_000
    return {
        "width": Column(generator.integers(350, 1401, count), 1000),
        "h": generator.integers(32, 300, count),
    }


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops are compiled for any number of points."""
    for module in (scattered, fused):
        monkeypatch.setattr(module, "WORTH", 1)
        monkeypatch.setattr(module, "WORTH_LOADING", 1)


WAYS = ["lattice", "tables", "plain", "loop"]


@pytest.mark.parametrize("way", WAYS)
def test_scattered_points_are_the_same_every_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "loop":
        pytest.importorskip("numba")
        at_once(monkeypatch)
    expected = {"lattice": 10**9, "tables": 20_000, "plain": 1, "loop": 20_000}[way]
    metrics = ("macs", "params", "activations_peak")
    columns = {**dict(zip(metrics, metrics, strict=True)), "each": "macs/params"}
    analysis = analyze(spec("mobilenetv2"))
    engine = Engine(analysis, columns, ["macs <= 300e6"], loops=way == "loop")
    points = many_points()
    table = whole_table(engine.points(points, {"w": "h"}, expected))
    kinds = {"lattice": scattered.Lattice, "loop": scattered.Fused}
    (scatter,) = engine._scatters.values()
    batch = scatter.batch({n: read_column(n, p) for n, p in points.items()}, expected)
    assert type(batch.way) is kinds.get(way, scattered.Plain)
    for row in range(0, 20_000, 1_999):
        given = {n: table[n][row] for n in ("width", "h", "w")}
        single = analysis.at(**given)
        for metric in metrics:
            assert table[metric][row] == getattr(single, metric), (metric, given)
        assert table["each"][row] == float(Fraction(single.macs, single.params))
        assert table["met"][row] == (single.macs <= 300_000_000)


@pytest.mark.parametrize("largest", [2**20, 2**29, 2**40])
def test_compiled_loops_are_exact_in_float64_and_in_int64(
    largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNet's conditions, and counts of up to 2⁶², that is of too many images; else no loop."""
    pytest.importorskip("numba")
    at_once(monkeypatch)
    analysis = analyze(spec("unet"))
    columns = {"macs": "macs", "size": "model_size", "peak": "activations_peak"}
    engine = Engine(analysis, columns, ["macs/params <= 10**6"])
    generator = np.random.default_rng(largest)
    count = 5_000
    points = {
        "n": generator.integers(largest // 2, largest, count),
        "h": generator.integers(16, 128, count),
        "base": generator.integers(1, 9, count),
    }
    fast = whole_table(engine.points(points))
    (scatter,) = engine._scatters.values()
    batch = scatter.batch({n: read_column(n, p) for n, p in points.items()}, count)
    loop = batch.way.loop if isinstance(batch.way, scattered.Fused) else None
    expected = {2**20: Mode.FLOAT, 2**29: Mode.INT, 2**40: None}[largest]
    assert (loop and loop.mode) is expected
    slow = whole_table(Engine(analysis, columns, engine.where, loops=False).points(points))
    for name, column in fast.items():
        assert np.array_equal(column, slow[name]), name
    for row in range(0, count, 499):
        given = {name: int(points[name][row]) for name in points}
        assert fast["valid"][row] == analysis.is_valid_at(given)
        assert fast["macs"][row] == analysis.laws_at(given)(analysis.total("macs"))


def test_points_in_batches_keep_what_is_compiled() -> None:
    engine = Engine(analyze(spec("mobilenetv2")), {"macs": "macs"})
    points = many_points()
    together = whole_table(engine.points(points, {"w": "h"}))
    parts = [
        {name: column[start : start + 5_000] for name, column in points.items()}
        for start in range(0, 20_000, 5_000)
    ]
    apart = [whole_table(engine.points(part, {"w": "h"}, 20_000)) for part in parts]
    assert np.array_equal(np.concatenate([part["macs"] for part in apart]), together["macs"])
    assert len(engine._scatters) == 1


@example(Fraction(17, 5), 8, 8)  # 27.2 is nearest to 24, which is less than 0.9 of it
@example(Fraction(112, 25), 8, 8)  # as is 32 of 35.84
@given(
    st.fractions(Fraction(1, 50), 60, max_denominator=200),
    st.sampled_from([8, 16, 24, 32, 320, 1280]),
    st.integers(1, 16),
)
def test_rounding_in_integers_is_that_of_the_language(
    width: Fraction, channels: int, step: int
) -> None:
    real = symbol("width", "real")
    program = Program({real: width.denominator})
    node = program.lower(RoundTo(channels * real, exact(step))).over
    tape = Tape(program, [node])
    for mode in Mode:
        overs = np.array([width.numerator] * 2, mode.dtype)
        found = tape.run(dict.fromkeys(tape.given, overs), mode)[node]
        assert int(found[1]) == arithmetic.round_to(channels * width, step), mode


edges = st.integers(0, 2**12).map(lambda less: 2**53 - less) | st.integers(0, 2**53)


@given(edges, edges.filter(bool), st.integers(0, 53))
def test_the_floor_of_a_rounded_quotient_is_exact_below_the_bound(
    a: int, b: int, shift: int
) -> None:
    """At ``a = k·b − 1``, where the rounded quotient is nearest to being wrong."""
    program = Program({x: 1, y: 1})
    tape = Tape(program, [program.lower(floor_div(x, y)).over])
    by = max(b >> shift, 1)
    for over in (a, -a, a // by * by - 1, 1 - a // by * by, a // by * by):
        given = dict(zip(tape.given, (over, by), strict=True))
        assert tape.mode({p: (v, v) for p, v in given.items()}) is Mode.FLOAT
        arrays = {p: np.array([v], np.int64) for p, v in given.items()}
        (found,) = tape.run(arrays, Mode.FLOAT).values()
        assert int(found[0]) == over // by


intervals = st.tuples(st.integers(-9, 9), st.integers(0, 4)).map(lambda p: (p[0], p[0] + p[1]))


@pytest.mark.parametrize("name", OPERATIONS)
@given(data=st.data())
def test_bounds_hold_all_values(name: str, data: st.DataObject) -> None:
    operation = OPERATIONS[name]
    ends = [data.draw(intervals) for _ in range(2)]
    ends = [ends[0], (3, 3), (8, 8)] if name == "round" else ends
    values = [list(range(low, high + 1)) for low, high in ends]
    divisor = {"floor": 1, "divides": 0}.get(name)
    if divisor is not None:
        values[divisor] = [value for value in values[divisor] if value]
    found = [operation.number(*each) for each in product(*values)]
    low, high = operation.bounds(*ends)
    assert all(low <= value <= high for value in found)


def test_what_has_no_value_is_not_valid() -> None:
    program = Program({x: 1})
    place = program.lower(Log2(x) + x)
    assert place.under != program.one
    tape = Tape(program, [*place, *program.defined])
    found = tape.run({p: np.array([4, 5, 8]) for p in tape.given}, Mode.OBJECT)
    assert found[tape.outputs[-1]].tolist() == [True, False, True]
    values = [int(a) // int(b) for a, b in zip(*(found[p] for p in place), strict=True)]
    assert values[::2] == [6, 11]


# What is asked, and what is exact.


def test_where_is_decided_in_integers() -> None:
    """5·10⁹ ≤ macs at exactly 724,406,816·7 = 5,070,847,712, and not one more."""
    engine = Engine(
        analyze(spec("alexnet")),
        {"macs": "macs"},
        ["macs <= 5070847712", "macs/params < 100"],
    )
    table = whole_table(engine.grid({"n": [1, 7, 8]}))
    params = 60_954_656
    assert table["met"].tolist() == [True, 100 * params > 724_406_816 * 7, False]


def test_an_expression_of_counts_is_a_count_and_a_ratio_is_the_nearest_float() -> None:
    columns = {"twice": "2*macs + n", "each": "macs/params", "half": "macs/2"}
    (chunk,) = Engine(analyze(spec("alexnet")), columns).grid({"n": [1, 2]})
    assert chunk["twice"].dtype == np.int64
    assert chunk["twice"].tolist() == [2 * 724_406_816 + 1, 4 * 724_406_816 + 2]
    over, under = chunk.parts("each")
    assert [Fraction(int(a), int(b)) for a, b in zip(over, under, strict=True)] == [
        Fraction(724_406_816 * n, 60_954_656) for n in (1, 2)
    ]
    assert chunk["each"][0] == 724_406_816 / 60_954_656
    assert chunk["half"].tolist() == [362_203_408.0, 724_406_816.0]


def test_counts_beyond_64_bits_are_python_integers() -> None:
    engine = Engine(analyze(spec("alexnet")), {"macs": "macs", "each": "macs/params"})
    (chunk,) = engine.grid({"n": [1, 10**12]})
    assert chunk["macs"].tolist() == [724_406_816, 724_406_816 * 10**12]
    assert chunk["each"][1] == (724_406_816 * 10**12) / 60_954_656
    table = whole_table(engine.points({"n": [1, 10**12, 3]}))
    assert table["macs"].tolist() == [724_406_816, 724_406_816 * 10**12, 724_406_816 * 3]


def test_rows_are_taken_without_making_the_others() -> None:
    engine = Engine(analyze(spec("mobilenetv2")), COLUMNS, ["macs <= 1e8"])
    (chunk,) = engine.grid({"width": ["0.35", "1"], "h": [96, 224]}, {"w": "h"})
    assert chunk.rows == 4
    taken = chunk.take(chunk.met)
    assert taken["width"].tolist() == [Fraction(7, 20), Fraction(7, 20), 1]
    assert taken["macs"].tolist() == chunk["macs"][chunk.met].tolist()
    assert chunk.take(np.array([3]))["h"].tolist() == [224]


quotients = st.tuples(st.integers(-(2**70), 2**70), st.integers(1, 2**70))


@given(st.lists(quotients, min_size=1, max_size=6))
def test_quotients_are_compared_exactly(pairs: list[tuple[int, int]]) -> None:
    pairs += [(a * 3, b * 3) for a, b in pairs] + [(a * b + 1, b * b) for a, b in pairs]
    over, under = (np.array(part, object) for part in zip(*pairs, strict=True))
    values = [Fraction(a, b) for a, b in pairs]
    first = (over[:1], under[:1])
    assert less((over, under), first).tolist() == [v < values[0] for v in values]
    assert equal((over, under), first).tolist() == [v == values[0] for v in values]
    assert order((over, under)).tolist() == sorted(range(len(values)), key=values.__getitem__)


# Refusals.


def test_what_cannot_vary_is_refused() -> None:
    engine = Engine(analyze(spec("mobilenetv2"), settings={"n": 1}), {"macs": "macs"})
    with pytest.raises(SpecError, match="'n' is set"):
        list(engine.grid({"n": [1, 2]}))
    with pytest.raises(SpecError, match="no symbol 'widht'"):
        list(engine.grid({"widht": [1, 2]}))
    with pytest.raises(SpecError, match=r"h = 0 must be positive"):
        list(engine.grid({"h": [1, 0]}))
    with pytest.raises(SpecError, match=r"h = 3/2 must be an integer"):
        list(engine.grid({"h": ["1", "1.5", "2"]}))
    with pytest.raises(SpecError, match=r"differ in length \(h: 2, w: 1\)"):
        list(engine.points({"h": [1, 2], "w": [1]}))
    with pytest.raises(SpecError, match="macz"):
        list(Engine(analyze(spec("alexnet")), {"a": "macz + 1"}).grid({}))


def test_floats_stand_for_the_decimals_that_print_them() -> None:
    assert read_column("width", np.array([0.35, 1.4])).shown().tolist() == [
        Fraction(7, 20),
        Fraction(7, 5),
    ]
    assert read_column("width", np.array([1 / 3])).shown().tolist() == [to_rational("width", 1 / 3)]
    assert read_column("width", [0.1, "1/3"]).shown().tolist() == [Fraction(1, 10), Fraction(1, 3)]


def test_real_quantities_are_the_nearest_floats_of_exact_ones() -> None:
    """A roofline: the longer of computing at 312·10¹² a second and of moving at 1555·10⁹ bytes."""
    text = "max(2*macs/(312*10**12), model_size/(1555*10**9)) + 7/10**6"
    analysis = analyze(spec("mobilenetv2"), scenario=scenario(dtype="fp16"))
    engine = Engine(analysis, {"seconds": text}, [f"{text} <= 1/2**15"])
    table = whole_table(engine.grid({"width": ["0.35", "1", "1.4"], "h": [32, 224, 1024]}))
    for row in range(9):
        single = analysis.at(width=table["width"][row], h=table["h"][row])
        computing = Fraction(2 * single.macs, 312 * 10**12)
        moving = Fraction(single.model_size, 1555 * 10**9)
        exact_seconds = max(computing, moving) + Fraction(7, 10**6)
        assert table["seconds"][row] == float(exact_seconds)
        assert table["met"][row] == (exact_seconds <= Fraction(1, 2**15))
    assert table["seconds"].dtype == np.float64


def test_axes_are_parted_in_two_whatever_their_lengths() -> None:
    """Rows of a block are bounded, whether the last axis is longer than a block or shorter."""
    analysis = analyze(spec("mobilenetv2"))
    engine = Engine(analysis, {"macs": "macs", "activations_peak": "activations_peak"})
    axes: dict[str, list[Any]] = {"n": [1, 2], "width": ["0.5", "1"], "h": [32, 40], "w": [32, 33]}
    plain = whole_table(engine.grid(axes))
    low = engine._lowered({}, {n: read_column(n, v) for n, v in axes.items()}, {})
    columns = {n: read_column(n, v) for n, v in axes.items()}
    for rows in (1, 2, 3, 5, 32, 64):
        blocks = list(Grid(low, columns, list(wanted(low)), rows).blocks())
        for name, part in low.columns.items():
            found = np.concatenate([block.node(part.over, EVERY) for block in blocks])
            assert found.tolist() == plain[name].tolist(), (rows, name)
        heights = np.concatenate([block.symbol("h", EVERY) for block in blocks])
        assert heights.tolist() == plain["h"].tolist()
        some = blocks[-1].node(low.columns["macs"].over, np.array([0]))
        assert some.tolist() == [plain["macs"][-blocks[-1].rows]]


def test_memory_is_used_again_only_when_nobody_holds_it() -> None:
    pool = Pool()
    first = pool.take(1_000, np.int64)
    part = first.reshape(10, 100)[3:5].view(np.float64)
    address = first.ctypes.data
    del first
    assert pool.take(1_000, np.float64).ctypes.data != address
    del part
    again = pool.take(1_000, np.float64)
    assert again.ctypes.data == address
    assert pool.take(1_000, np.int64).ctypes.data != address


def test_chunks_that_are_kept_do_not_change() -> None:
    engine = Engine(analyze(spec("mobilenetv2")), {"macs": "macs", "peak": "activations_peak"})
    axes: dict[str, Any] = {"width": Column(np.arange(350, 1401), 1000), "h": np.arange(32, 500)}
    chunks = [chunk for chunk in engine.grid(axes, {"w": "h"}) if len(chunk["macs"])]
    kept = [(chunk["macs"].copy(), chunk["peak"].copy()) for chunk in chunks]
    for _ in engine.grid(axes, {"w": "h"}):
        pass
    assert len(chunks) > 3
    for chunk, (macs, peak) in zip(chunks, kept, strict=True):
        assert np.array_equal(chunk["macs"], macs)
        assert np.array_equal(chunk["peak"], peak)


def test_the_benchmark_counts_the_same_by_hand() -> None:
    """Its formulas, written by hand, against the engine; and its network against the laws."""
    analysis = analyze(spec("mobilenetv2"), convention="torch")
    engine = Engine(analysis, {"macs": "macs", "params": "params"})
    benchmark.check(benchmark.point_ways(engine, benchmark.sample(20_000, 1_000, 500), "few"))
    grid = benchmark.Points(np.arange(350, 380), 1000, np.arange(32, 400))
    ways = {"here": lambda: benchmark.grid_here(engine, grid)}
    benchmark.check({**ways, "by hand": lambda: benchmark.grid_by_hand(grid)})
    if not benchmark.missing("torch"):
        assert benchmark.by_flop_counter(0.35, 96) == tuple(
            getattr(analysis.at(width="0.35", h=96, w=96), name) for name in ("macs", "params")
        )

"""Sweeps: every row is the single analysis at its point; compiled programs are exact."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec import SpecError, arithmetic
from benchmarks import sweep as benchmark
from costmodel import analyze
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.evaluation import MAX_INT64, Tape
from costmodel.algebra.functions import Log2, Maximum, Minimum, RoundTo, exact, floor_div
from costmodel.algebra.operations import OPERATIONS
from costmodel.algebra.program import IntegerProgram
from costmodel.algebra.symbols import symbol
from costmodel.analysis.columns import read_column
from costmodel.analysis.loading import Setup
from costmodel.scenario.scenario import scenario
from costmodel.scenario.settings import to_rational
from costmodel.sweep import grid
from costmodel.sweep.products import MAX_SHIFTED, SumOfProducts, multiplied
from costmodel.sweep.query import Request
from costmodel.sweep.study import Sweep, sweep
from tests.conftest import ROOT, crossed, examples, thinned

METRICS = (
    "params",
    "model_size",
    "macs",
    "flops",
    "activations",
    "activations_peak",
    "memory_peak",
)

x, y, z = symbol("x"), symbol("y"), symbol("z")

Row = dict[str, Any]


def spec(name: str) -> str:
    return str(ROOT / "specs" / f"{name}.yaml")


def swept(name: str, vary: Sequence[str], *metrics: str, **options: Any) -> Sweep:
    """A sweep of one spec."""
    setup = options.pop("setup", Setup())
    sample = options.pop("sample", None)
    request = Request(metrics=metrics, **options)
    return sweep([spec(name)], vary, request, setup=setup, sample=sample)


def rows(study: Sweep) -> Iterator[Row]:
    for chunk in study.rows():
        columns = [chunk[name].tolist() for name in chunk]
        yield from (dict(zip(chunk, values, strict=True)) for values in zip(*columns, strict=True))


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


def varied(axes: Mapping[str, list[Any]]) -> list[str]:
    return [f"{name}={','.join(map(str, values))}" for name, values in axes.items()]


@pytest.mark.parametrize(("name", "dtype"), crossed(NETWORKS, ["fp32", "int4"]))
def test_every_row_of_a_grid_is_an_analysis_of_its_own(name: str, dtype: str) -> None:
    axes, said = NETWORKS[name], {"dtype": dtype}
    study = swept(name, varied(axes), *METRICS, setup=Setup(scenario=scenario(**said)))
    table = {tuple(row[n] for n in axes): row for row in rows(study)}
    points = [tuple(map(to_rational, axes, point)) for point in product(*axes.values())]
    assert [point for point in points if point in table] == list(table)
    for number in np.random.default_rng(6).permutation(len(points))[:4]:
        given = dict(zip(axes, points[number], strict=True))
        try:
            numbers = {**study.cases[0].fixed, **given}
            single = analyze(spec(name), settings=numbers, scenario=scenario(**said))
        except SpecError:
            assert points[number] not in table, given
            continue
        for metric in METRICS:
            assert table[points[number]][metric] == single.value(metric), (metric, given)


@pytest.mark.parametrize("name", thinned(NETWORKS))
def test_points_are_the_rows_of_the_grid(name: str) -> None:
    axes = NETWORKS[name]
    asked = ("macs <= 3e9",)
    table = list(rows(swept(name, varied(axes), *METRICS, "macs/params", where=asked)))
    drawn = swept(name, varied(axes), *METRICS, "macs/params", where=asked, sample=300)
    found = list(rows(drawn))
    assert all(row in table for row in found)
    assert drawn.tally.points == 300


def test_axes_are_parted_in_two_whatever_their_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a block are bounded, whether the last axis is longer than a block or shorter."""
    vary = ["n=1,2", "width=0.5,1", "h=32,40", "w=32,33,34"]
    plain = list(rows(swept("mobilenetv2", vary, "macs", "activations_peak")))
    assert [tuple(row[n] for n in ("n", "width", "h", "w")) for row in plain] == list(
        product((1, 2), (Fraction(1, 2), 1), (32, 40), (32, 33, 34))
    )
    for size in (1, 5, 32):
        monkeypatch.setattr(grid, "ROWS", size)
        monkeypatch.setattr(grid, "MAX_SIDE", size)
        for long in (1, 256):
            monkeypatch.setattr(grid, "LONG_ROW", long)
            assert list(rows(swept("mobilenetv2", vary, "macs", "activations_peak"))) == plain


def test_chunks_that_are_kept_do_not_change() -> None:
    def study() -> Sweep:
        return swept("mobilenetv2", ["width=0.35:1.4:0.001", "h=32:499", "w=h"], "macs", "params")

    chunks = list(study().rows())
    kept = [(chunk["macs"].copy(), chunk["params"].copy()) for chunk in chunks]
    for chunk in study().rows():
        assert chunk["macs"].size
    assert len(chunks) > 3
    for chunk, (macs, params) in zip(chunks, kept, strict=True):
        assert np.array_equal(chunk["macs"], macs)
        assert np.array_equal(chunk["params"], params)


# Programs are exact at every size of number.


def computed(law: Any, axes: Mapping[str, Sequence[Any]]) -> list[Fraction]:
    """An expression of x, y and z on a grid, by arrays that broadcast."""
    columns = {name: read_column(name, values) for name, values in axes.items()}
    program = IntegerProgram({symbol(name): column.denominator for name, column in columns.items()})
    part = program.lower(law)
    given = {}
    for i, (name, column) in enumerate(columns.items()):
        shape = [1] * i + [-1] + [1] * (len(columns) - i - 1)
        given[program.lower(symbol(name)).numerator] = column.numerators.reshape(shape)
    found = Tape(program, part).run(given)
    values = np.broadcast_arrays(*(found[place] for place in part), *given.values())[:2]
    pairs = zip(*(array.reshape(-1).tolist() for array in values), strict=True)
    return [Fraction(over, under) for over, under in pairs]


def by_hand(law: Any, axes: Mapping[str, Sequence[Any]]) -> list[Fraction]:
    """Python's numbers, point by point."""
    names = [symbol(name) for name in axes]
    points = product(*([to_rational(n, v) for v in values] for n, values in axes.items()))
    return [Fraction(Evaluator(dict(zip(names, point, strict=True)))(law)) for point in points]


BOUNDARIES = [2**k + d for k in (51, 52, 53, 63, 64, 106) for d in (-1, 0, 1)]


@pytest.mark.parametrize("edge", BOUNDARIES)
def test_programs_are_exact_at_the_edges_of_numbers(edge: int) -> None:
    """``x·y + z`` reaches exactly the edge: ``1·(edge − 1) + 1``, and passes it at ``x = 3``."""
    axes = {"x": [1, 3], "z": [1, 2], "y": [edge - 1, edge // 2, 1]}
    for law in (
        x * y + z,
        -(x * y) - z,
        Maximum(x * y + z, floor_div(y + 1, 3 * x)),
        floor_div(x * y - z, 7) * x - y,
    ):
        assert computed(law, axes) == by_hand(law, axes)
    assert max(by_hand(x * y + z, axes)) == 3 * (edge - 1) + 2


@pytest.mark.parametrize(
    ("edge", "fits"), [(2**53 + 1, True), (2**63 - 1, True), (2**63, False), (2**64, False)]
)
def test_int64_is_for_what_is_proved_to_fit(edge: int, fits: bool) -> None:
    program = IntegerProgram({x: 1})
    node = program.lower(x + 1).numerator
    tape = Tape(program, [node])
    (place,) = tape.inputs
    assert (node in tape.fits({place: (1, edge - 1)})) is fits
    assert (node in tape.fits({place: (-edge, 1)})) is (edge <= MAX_INT64)
    assert node not in tape.fits({place: None})


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_programs_of_any_sizes_of_numbers_are_exact(data: st.DataObject) -> None:
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
    law = data.draw(st.sampled_from(laws))
    assert computed(law, axes) == by_hand(law, axes)


@example(Fraction(17, 5), 8, 8)  # 27.2 is nearest to 24, which is less than 0.9 of it
@example(Fraction(112, 25), 8, 8)  # as is 32 of 35.84
@example(Fraction(2**62 + 1, 4), 8, 8)
@given(
    st.fractions(Fraction(1, 50), 60, max_denominator=200),
    st.sampled_from([8, 16, 24, 32, 320, 1280]),
    st.integers(1, 16),
)
def test_rounding_in_integers_is_that_of_the_language(
    width: Fraction, channels: int, step: int
) -> None:
    real = symbol("width", "real")
    program = IntegerProgram({real: width.denominator})
    node = program.lower(RoundTo(channels * real, exact(step))).numerator
    tape = Tape(program, [node])
    found = tape.run(dict.fromkeys(tape.inputs, np.array([width.numerator] * 2, object)))[node]
    assert int(found[1]) == arithmetic.round_to(channels * width, step)


intervals = st.tuples(st.integers(-9, 9), st.integers(0, 4)).map(lambda p: (p[0], p[0] + p[1]))


@pytest.mark.parametrize("name", OPERATIONS)
@given(data=st.data())
def test_bounds_hold_all_values(name: str, data: st.DataObject) -> None:
    operation = OPERATIONS[name]
    ends = [data.draw(intervals) for _ in range(1 if name == "not" else 2)]
    values = [list(range(low, high + 1)) for low, high in ends]
    divisor = {"floor": 1, "divides": 0}.get(name)
    if divisor is not None:
        values[divisor] = [value for value in values[divisor] if value]
    points = list(product(*values))
    found = [operation.number(*each) for each in points]
    low, high = operation.bounds(*ends)
    if name not in ("and", "or"):  # of truth values
        assert all(low <= value <= high for value in found)
    for each, value in zip(points, found, strict=True):
        arrays = [np.array([number]) for number in each]
        assert bool(operation.array(*arrays)[0] == value) or operation.is_truth
        assert not operation.is_truth or bool(operation.array(*arrays)[0]) == bool(value)


def test_what_has_no_value_is_not_valid() -> None:
    program = IntegerProgram({x: 1})
    place = program.lower(Log2(x) + x)
    assert place.denominator != program.one
    tape = Tape(program, [*place, *program.defined])
    found = tape.run({p: np.array([4, 5, 8]) for p in tape.inputs})
    assert found[tape.outputs[-1]].tolist() == [True, False, True]
    values = [int(a) // int(b) for a, b in zip(*(found[p] for p in place), strict=True)]
    assert values[::2] == [6, 11]


# What is asked, and what is exact.


def test_where_is_decided_in_integers() -> None:
    """5·10⁹ ≤ macs at exactly 724,406,816·7 = 5,070,847,712, and not one more."""
    for bound, kept in ((5070847712, [1, 7]), (5070847711, [1])):
        study = swept("alexnet", ["n=1,7,8"], "macs", where=(f"macs <= {bound}",))
        assert [row["n"] for row in rows(study)] == kept
    (row,) = rows(swept("alexnet", ["n=1,7,8"], "macs", where=("macs/params < 12",)))
    assert (row["n"], 724_406_816 < 12 * 60_954_656) == (1, True)


def test_an_expression_of_counts_is_a_count_and_a_ratio_is_the_nearest_float() -> None:
    from costmodel.sweep.fields import fields_of

    study = swept("alexnet", ["n=1,2"], "2*macs + n", "macs/params", "macs/2")
    (chunk,) = study.rows()
    twice, each, half = (field.values(chunk) for field in fields_of(study)[1:])
    assert [column.dtype.name for column in (twice, each)] == ["int64", "float64"]
    assert twice.tolist() == [2 * 724_406_816 + 1, 4 * 724_406_816 + 2]
    assert each[0] == 724_406_816 / 60_954_656
    assert half.tolist() == [362_203_408.0, 724_406_816.0]


def test_counts_beyond_64_bits_are_python_integers() -> None:
    found = list(rows(swept("alexnet", ["n=1,1000000000000,3"], "macs")))
    assert [row["macs"] for row in found] == [724_406_816 * n for n in (1, 10**12, 3)]


def test_floats_stand_for_the_decimals_that_print_them() -> None:
    assert read_column("width", np.array([0.35, 1.4])).shown().tolist() == [
        Fraction(7, 20),
        Fraction(7, 5),
    ]
    assert read_column("width", np.array([1 / 3])).shown().tolist() == [to_rational("width", 1 / 3)]
    assert read_column("width", [0.1, "1/3"]).shown().tolist() == [Fraction(1, 10), Fraction(1, 3)]


def test_real_quantities_are_the_nearest_floats_of_exact_ones() -> None:
    """A roofline: the longer of computing at 312·10¹² a second and of moving at 1555·10⁹ bytes."""
    from costmodel.sweep.fields import fields_of

    text = "max(2*macs/(312*10**12), model_size/(1555*10**9)) + 7/10**6"
    setup = Setup(scenario=scenario(dtype="fp16"))
    vary = ["width=0.35,1,1.4", "h=32,224,1024"]
    study = swept("mobilenetv2", vary, text, "macs", "model_size", setup=setup)
    (chunk,) = study.rows()
    seconds = next(field for field in fields_of(study) if field.name == text).values(chunk)
    assert seconds.dtype == np.float64
    wanted = [
        max(Fraction(2 * macs, 312 * 10**12), Fraction(size, 1555 * 10**9)) + Fraction(7, 10**6)
        for macs, size in zip(chunk["macs"].tolist(), chunk["model_size"].tolist(), strict=True)
    ]
    assert seconds.tolist() == list(map(float, wanted))
    kept = rows(swept("mobilenetv2", vary, text, where=(f"{text} <= 1/2**15",), setup=setup))
    assert len(list(kept)) == sum(each <= Fraction(1, 2**15) for each in wanted)


def test_the_benchmark_counts_the_same_by_hand() -> None:
    """Its formulas, written by hand, against the sweep; and its network against the laws."""
    benchmark.check(benchmark.point_ways(20_000))
    benchmark.check(benchmark.grid_ways(benchmark.Swept("0.35:0.379:0.001", "32:399")))
    if not benchmark.missing("torch"):
        analysis = analyze(spec("mobilenetv2"), convention="torch")
        assert benchmark.by_flop_counter(0.35, 96) == tuple(
            getattr(analysis.at(width="0.35", h=96, w=96), name) for name in ("macs", "params")
        )


def test_a_product_of_matrices_is_exact_up_to_its_largest_sum() -> None:
    lefts = [np.array([2**30 - 1, 1 - 2**30, 1]), np.array([-1, 1, 2**20 + 1])]
    rights = [np.array([2**21 - 1, 1 - 2**21, 0]), np.array([2**30, 7, 1])]
    terms = SumOfProducts(((0, 1), (2, 3)), (-MAX_SHIFTED, MAX_SHIFTED))
    nodes = dict(enumerate([*lefts, *rights]))
    exact = np.outer(lefts[0], rights[0]) + np.outer(lefts[1], rights[1])
    assert np.abs(exact).max() <= MAX_SHIFTED
    assert multiplied(terms.left(nodes), terms.right(nodes)).tolist() == exact.tolist()

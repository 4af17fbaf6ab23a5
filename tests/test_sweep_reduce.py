"""Filters, fronts, the best few and joins, against brute force; in constant memory."""

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec.expressions import parse
from archspec.scope import Scope, resolve
from archspec.trees import Name
from costmodel import SpecError
from costmodel.analysis.loading import Setup
from costmodel.sweep import order, reduce
from costmodel.sweep.expressions import ColumnExpression
from costmodel.sweep.join import read_join
from costmodel.sweep.query import Query, Request, reduced
from costmodel.sweep.reduce import Front, Objective, Tally, Thinned, where
from costmodel.sweep.rows import DENOMINATORS, NUMERATORS, Rows, column_of, rows_of
from costmodel.sweep.study import sweep
from tests.conftest import ROOT, examples

MOBILENET = str(ROOT / "specs" / "mobilenetv2.yaml")

Row = tuple[int, int, int]


def expression(text: str, names: Sequence[str] = "abci") -> ColumnExpression:
    return ColumnExpression(text, resolve(parse(text), Scope({name: Name(name) for name in names})))


def parts_of(table: Sequence[Row], cuts: Iterable[int]) -> Iterator[Rows]:
    """The rows a, b, c with their numbers i, in several chunks."""
    ends = [0, *sorted(cut % (len(table) + 1) for cut in cuts), len(table)]
    for start, stop in pairwise(ends):
        if stop > start:
            columns = zip(*table[start:stop], strict=True)
            chunk = {n: column_of(c) for n, c in zip("abc", columns, strict=True)}
            yield rows_of({"i": np.arange(start, stop), **chunk})


def numbers(chunks: Iterable[Any]) -> list[int]:
    return [i for chunk in chunks for i in chunk["i"].tolist()]


TEXTS = ("a", "b", "a/b", "c", "a*b - c", "c/a")


def exact(text: str, row: Row, largest: bool) -> Fraction:
    value = eval(text, {}, dict(zip("abc", map(Fraction, row), strict=True)))
    return Fraction(-value if largest else value)


def best(points: Sequence[tuple[Fraction, ...]]) -> list[int]:
    """What no other point beats; of equal ones the first."""

    def beats(i: int, j: int) -> bool:
        as_good = all(a <= b for a, b in zip(points[i], points[j], strict=True))
        return as_good and (points[i] != points[j] or i < j)

    places = range(len(points))
    return [j for j in places if not any(beats(i, j) for i in places if i != j)]


small = st.integers(1, 9)
large = st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**63 - 2, 2**63 + 2)
tables = st.lists(st.tuples(*[small | large] * 3), min_size=1, max_size=60)
goals = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda goal: goal[0],
)
cuttings = st.lists(st.integers(0, 60), max_size=4)


@settings(max_examples=examples(150), deadline=None)
@given(tables, goals, cuttings)
def test_fronts_are_those_of_brute_force(
    table: list[Row], said: list[tuple[str, bool]], cuts: list[int]
) -> None:
    objectives = [Objective(expression(text), largest) for text, largest in said]
    points = [tuple(exact(text, row, largest) for text, largest in said) for row in table]
    tally = Tally()
    found = numbers(reduce.front(parts_of(table, cuts), objectives, tally))
    assert sorted(found) == best(points)
    assert [points[i] for i in found] == sorted(points[i] for i in found)
    assert tally.front == len(found)


def test_fronts_are_those_of_brute_force_in_small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many slices, the champions, the stairs and the exact comparison all have a part."""
    monkeypatch.setattr(reduce, "FIRST_SLICE", 16)
    monkeypatch.setattr(reduce, "SLICE", 64)
    generator = np.random.default_rng(1)
    for said in ((("a", False), ("b", True)), (("a/b", True), ("c", False)),
                 (("a", False), ("b", False), ("c/a", True))):  # fmt: skip
        table = [tuple(row) for row in generator.integers(1, 400, (700, 3)).tolist()]
        objectives = [Objective(expression(text), largest) for text, largest in said]
        points = [tuple(exact(text, row, largest) for text, largest in said) for row in table]
        found = numbers(reduce.front(parts_of(table, [100, 300]), objectives, Tally()))
        assert sorted(found) == best(points)


@settings(max_examples=examples(100), deadline=None)
@given(tables, st.sampled_from(TEXTS), st.booleans(), cuttings, st.integers(1, 70))
def test_the_best_and_the_order_are_those_of_sorting(
    table: list[Row], text: str, largest: bool, cuts: list[int], count: int
) -> None:
    by = Objective(expression(text), largest)
    wanted = sorted(range(len(table)), key=lambda i: exact(text, table[i], largest))
    assert numbers(reduce.top(parts_of(table, cuts), count, by)) == wanted[:count]
    assert numbers(order.ordered(parts_of(table, cuts), [by])) == wanted


CONDITIONS = (
    "a <= b and b < c", "a/b >= 3/2", "a/b == c/a", "not a > b or c == 9", "a*b*c > 10**30",
    "1 < a/b <= 2", "a % 3 == b // 2", "max(a, b) != min(b, c)", "(a - b)/c < -1/3",
    "floor(a/b) == ceil(b/a)", "round_to(a/2, 8) > b",
)  # fmt: skip


@settings(max_examples=examples(150), deadline=None)
@given(tables, st.sampled_from(CONDITIONS), cuttings)
def test_conditions_are_exact(table: list[Row], text: str, cuts: list[int]) -> None:
    from math import ceil, floor

    from archspec.arithmetic import round_to

    known = {"floor": floor, "ceil": ceil, "round_to": round_to}
    said = text.replace("3/2", "Fraction(3, 2)").replace("1/3", "Fraction(1, 3)")
    wanted = [
        i
        for i, row in enumerate(table)
        if eval(
            said, {**known, "Fraction": Fraction}, dict(zip("abc", map(Fraction, row), strict=True))
        )
    ]
    tally = Tally()
    kept = numbers(reduce.where(parts_of(table, cuts), [expression(text)], tally))
    assert kept == wanted
    assert tally.refused == len(table) - len(wanted)


def test_a_ratio_is_compared_where_floats_are_equal() -> None:
    """2**53/(2**53 − 1) and (2**53 − 1)/(2**53 − 2) are one float and two numbers."""
    n = 2**53
    table = [(n, n - 1, 1), (n - 1, n - 2, 1)]
    assert n / (n - 1) == (n - 1) / (n - 2)
    by = Objective(expression("a/b"), largest=True)
    assert numbers(reduce.top(parts_of(table, [1]), 1, by)) == [1]


def test_a_ratio_of_equal_numbers_is_met() -> None:
    study = sweep([MOBILENET], ["h=96,128,160"], Request(metrics=("macs", "params")))
    (row,) = study.rows()
    macs, params = int(row["macs"][1]), int(row["params"][1])
    for relation, kept in (("<=", [96, 128]), ("<", [96]), ("==", [128]), (">", [160])):
        said = Request(where=(f"macs/params {relation} {macs}/{params}",))
        found = [h for c in sweep([MOBILENET], ["h=96,128,160"], said).rows() for h in c["h"]]
        assert found == kept


def test_real_metrics_are_compared_by_their_exact_parts() -> None:
    """Seconds are floats to be shown, and exact to be compared."""
    third = {NUMERATORS + "latency": np.array([1, 2]), DENOMINATORS + "latency": np.array([3, 6])}
    rows = rows_of({"latency": np.array([0.3, 0.4]), **third})
    assert expression("latency", ["latency"]).keys(rows).exact().tolist() == [Fraction(1, 3)] * 2
    assert expression("latency == 1/3", ["latency"]).holds(rows).tolist() == [True, True]


def test_floats_are_the_nearest() -> None:
    big = np.array([2**62 + 1, 7], np.int64)
    rows = rows_of({"a": big, "b": np.array([3, 2**60], np.int64)})
    found = expression("a/b").floats(rows)
    assert found.tolist() == [(2**62 + 1) / 3, 7 / 2**60]


def test_evenly_spaced_rows() -> None:
    thinned = Thinned(100)
    chunks = [rows_of({"i": np.arange(start, start + 73)}) for start in range(0, 7300, 73)]
    assert len(list(thinned.passing(chunks))) == 100
    seen = numbers(thinned.rows)
    assert 50 <= len(seen) <= 100
    assert set(np.diff(seen)) == {thinned.stride}


def test_a_front_needs_constant_memory() -> None:
    """Twenty times the points, the same memory; and never more rows than a front and a slice."""

    def peak(count: int) -> int:
        study = sweep(
            [MOBILENET],
            [f"h=32:{31 + count}", "width=0.25:2.25:0.002"],
            Request(pareto=("macs:min", "params:max")),
            setup=Setup(settings={"w": 224}),
        )
        tracemalloc.start()
        for _ in study.rows():
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert study.tally.points == count * 1001
        return most

    peak(10)
    assert peak(2000) < 1.5 * peak(100) + 2**23


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce, "MAX_KEPT", 5)
    table = [(i, 9 - i, 1) for i in range(8)]
    objectives = [Objective(expression("a")), Objective(expression("b"))]
    with pytest.raises(SpecError, match="the front has more than 5 rows"):
        list(reduce.front(parts_of(table, []), objectives, Tally()))


def test_ties_are_broken_by_the_next() -> None:
    """As Python sorts pairs: by b downwards, by a where that is equal, else as they come."""
    table = [(3, 1, 1), (1, 2, 1), (2, 1, 2), (2, 1, 1), (1, 1, 5)]
    by = [Objective(expression("b"), largest=True), Objective(expression("a"))]
    wanted = sorted(range(5), key=lambda i: (-table[i][1], table[i][0]))
    assert numbers(order.ordered(parts_of(table, [2, 3]), by)) == wanted


def test_front_size_is_watched() -> None:
    kept = Front([Objective(expression("a")), Objective(expression("b"))])
    for chunk in parts_of([(5, 5, 1), (4, 6, 1), (3, 3, 1)], [1, 2]):
        kept.take(chunk)
    assert (kept.most, numbers([kept.found])) == (2, [2])


def test_fronts_with_a_joined_column(tmp_path: Path) -> None:
    """By hand: more MACs are worth it only where they are more accurate than all before."""
    file = tmp_path / "accuracy.csv"
    file.write_text(
        "h, width, accuracy\n96, 0.5, 60.3\n128, 0.50, 63.1\n160, 1/2, 63.1\n96, 1, 62.0\n"
        "224, 9, 1\n"
    )
    study = sweep([MOBILENET], ["width=0.5,1", "h=96,128,160", "w=h"],
                  Request(pareto=("macs", "accuracy:max")), join=str(file))  # fmt: skip
    (found,) = study.rows()
    assert found["h"].tolist() == [96, 128]
    assert found["accuracy"].tolist() == [Fraction(603, 10), Fraction(631, 10)]
    assert (study.tally.unmatched, study.tally.front) == (2, 2)
    assert study.join is not None
    assert study.join.unused == 1


def test_joins_by_variants_and_by_what_is_fixed(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "variant,n,top1,source\n"
        'resnet18,1,69.758,"IMAGENET1K, V1"\nresnet50,1,80.858,V2\nresnet50,2,0,no\n'
    )
    spec = str(ROOT / "specs" / "resnet.yaml@*")
    study = sweep([spec], [], Request(metrics=("macs",), sort=("top1:max",)), join=str(file))
    (found,) = study.rows()
    assert found["variant"].tolist() == ["resnet50", "resnet18"]
    assert found["source"].tolist() == ["V2", "IMAGENET1K, V1"]
    with pytest.raises(SpecError, match="'source': this column is text"):
        list(sweep([spec], [], Request(sort=("source",)), join=str(file)).rows())


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("h,accuracy\n96,1\n96.0,2\n", "lines 2 and 3 are both of h = 96"),
        ("h,accuracy\n96,1,2\n", r"mine.csv:2: 3 cells below 2 columns \(h, accuracy\)"),
        ("h,accuracy\n96,1\n128\n", "mine.csv:3: 1 cell below 2 columns"),
        ("h\n96,1\n", r"mine.csv:2: 2 cells below 1 column \(h\)"),
        ("h,accuracy\n96,\n", "mine.csv:2: accuracy is empty"),
        ("h,accuracy\nbig,1\n", "mine.csv:2: h = big is no number"),
        ("size,accuracy\n96,1\n", "has no column to join by, only size, accuracy"),
        ("h,w\n96,96\n", "has nothing to join, only h, w"),
        ("h,accuracy\n", "has no lines below its head"),
        ("h,a,a\n1,2,3\n", "not 'a' twice"),
        ("h,macs\n96,1\n", "'macs' is a metric of ours"),
    ],
)
def test_bad_files(text: str, cause: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(text)
    with pytest.raises(SpecError, match=cause):
        sweep([MOBILENET], ["h=96"], join=str(file))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*: No such file or directory"):
        read_join(str(tmp_path / "none.csv"), ["h"], [])
    (tmp_path / "zip.csv").write_bytes(b"PK\xff\xfe\x00")
    with pytest.raises(SpecError, match="holds no comma-separated values"):
        read_join(str(tmp_path / "zip.csv"), ["h"], [])


LESS = [("a", False), ("b", False), ("c", False)]


@settings(max_examples=examples(60), deadline=None)
@given(tables, cuttings, cuttings, goals, goals, st.integers(0, 5), st.sampled_from(["", "a <= 5"]))
@example([(5, 1, 3), (1, 3, 1), (9, 2, 1)], [2], [], LESS, LESS[:1], 1, "")
def test_parts_are_reduced_to_what_is_left_of_all(
    table: list[Row],
    cuts: list[int],
    groups: list[int],
    front: list[tuple[str, bool]],
    order: list[tuple[str, bool]],
    count: int,
    condition: str,
) -> None:
    """Merging is associative: parts, parts of parts, and all at once leave the same rows, counted.

    An empty front or order is one that nobody asks for.
    """
    pareto, sort = (
        tuple(Objective(expression(text), largest) for text, largest in each[1:])
        for each in (front, order)
    )
    best = Objective(expression(front[0][0]), front[0][1])
    conditions = (expression(condition),) if condition else ()
    query = Query((), conditions, pareto, count or None, best if count else None, sort)

    def kept(chunks: Iterable[Rows], asked: Query, tally: Tally) -> list[Rows]:
        return list(reduced(where(chunks, asked.conditions, tally), asked, tally))

    whole, shards = Tally(), Tally()
    parts = list(parts_of(table, cuts))
    one = numbers(kept(parts, query, whole))
    ends = [0, *sorted(cut % (len(parts) + 1) for cut in groups), len(parts)]
    merged = [
        rows
        for start, stop in pairwise(ends)
        for rows in kept(
            [rows for part in parts[start:stop] for rows in kept([part], query.of_part, shards)],
            query.of_part,
            Tally(),
        )
    ]
    last = Tally()
    assert numbers(kept(merged, query, last)) == one
    assert (shards.refused, last.front) == (whole.refused, whole.front)
    assert last.refused == 0

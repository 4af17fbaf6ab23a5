"""Rows in order, on disk as in memory: exact keys, ties, columns of every type; nothing is left."""

import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.arithmetic import tidy
from archspec.trees import Name
from costmodel import SpecError
from costmodel.sweep import order
from costmodel.sweep.expressions import ColumnExpression
from costmodel.sweep.order import ordered, sort_key
from costmodel.sweep.reduce import Objective
from costmodel.sweep.rows import Rows, column_of, rows_of
from tests.conftest import Run, examples, thinned

MOBILENET = "specs/mobilenetv2.yaml"

numbers = (
    st.integers(-3, 3)
    | st.integers(2**63 - 3, 2**63 + 3)
    | st.integers(-(2**63) - 3, -(2**63) + 3)
    | st.fractions(max_denominator=9)
    | st.fractions()
).map(lambda value: tidy(Fraction(value)))


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(numbers, min_size=2, max_size=30, unique=True))
def test_keys_are_in_the_order_of_numbers(values: list[Any]) -> None:
    assert sorted(values, key=sort_key) == sorted(values)


def objectives(names: str, largest: Sequence[bool]) -> list[Objective]:
    return [
        Objective(ColumnExpression(name, Name(name)), more)
        for name, more in zip(names, largest, strict=True)
    ]


def listed(chunks: Iterator[Rows]) -> list[tuple[Any, ...]]:
    return [
        row for rows in chunks for row in zip(*(rows[n].tolist() for n in "abfti"), strict=True)
    ]


texts = st.sampled_from([None, "", "a,b", "ü\n", "\udc80"])


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(numbers, st.integers(0, 2), st.floats(0, 9), texts), min_size=2, max_size=40
    ),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(1, 20),
)
def test_the_order_on_disk_is_that_in_memory(
    table: list[Any], largest: tuple[bool, bool], size: int
) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")

    def chunks() -> Iterator[Rows]:
        for start in range(0, len(table), size):
            a, b, f, t = zip(*table[start : start + size], strict=True)
            columns = {"a": column_of(a), "b": column_of(b), "f": np.array(f), "t": column_of(t)}
            yield rows_of({**columns, "i": np.arange(start, start + len(a))})

    by = objectives("ba", largest)
    inside = listed(ordered(chunks(), by))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "MAX_IN_MEMORY", 1)
        assert listed(ordered(chunks(), by)) == inside


GRID = (MOBILENET, "--vary", "width=0.35:1.4:0.05", "h=32:224:8", "w=h", "dtype=fp16,int8")


@pytest.mark.parametrize(
    "said",
    thinned(
        [
            (("--sort", "macs/params", "--metric", "macs"),),
            (("--sort", "latency:max", "--hardware", "t4"),),
            (("--sort", "width", "activations:max", "--where", "h > 40", "--metric", "flops"),),
        ]
    ),
)
def test_the_same_bytes(
    said: tuple[str, ...], archcost: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one = archcost("sweep", *GRID, *said, "--format", "csv")
    monkeypatch.setattr(order, "MAX_IN_MEMORY", 300)
    other = archcost("sweep", *GRID, *said, "--format", "csv")
    assert (other.returncode, other.stdout) == (0, one.stdout)
    assert f"more than 300 rows are sorted on disk, by DuckDB in {tmp_path}" in other.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said_before_the_first_point(
    archcost: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "MAX_IN_MEMORY", 3)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    done = archcost("sweep", MOBILENET, "--vary", "h=96:128", "--sort", "macs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "33 rows are sorted on disk, which needs DuckDB" in done.stderr
    some = ("--sort", "macs", "--where", "h < 98", "--format", "csv")
    done = archcost("sweep", MOBILENET, "--vary", "h=96:128", *some)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
    done = archcost("sweep", MOBILENET, "--vary", "h=96:128", *some[:3], "h < 110")
    assert (done.returncode, done.stdout) == (2, "")
    assert "more than 3 rows are sorted on disk, which needs DuckDB" in done.stderr


def test_a_disk_that_is_full_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(order, "MAX_IN_MEMORY", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(order, "_write", full)
    rows = rows_of({"a": np.arange(5)})
    with pytest.raises(SpecError, match=r"cannot sort on disk, in .*No space left"):
        list(ordered(iter([rows]), objectives("a", [False])))
    assert not list(tmp_path.iterdir())

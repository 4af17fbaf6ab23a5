"""Roots and logarithms in sweeps: nearest floats, exact comparisons, against `decimal`, mpmath."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from math import isqrt
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.expressions import parse
from archspec.scope import Scope, resolve
from archspec.trees import Name
from costmodel import SpecError
from costmodel.sweep.expressions import ColumnExpression
from costmodel.sweep.fields import fields_of
from costmodel.sweep.query import Request
from costmodel.sweep.rows import Rows, column_of, rows_of
from costmodel.sweep.study import sweep
from tests.conftest import ROOT

MOBILENET = str(ROOT / "specs" / "mobilenetv2.yaml")

counts = st.integers(1, 10**30) | st.integers(2**53 - 9, 2**53 + 9) | st.integers(1, 99)
fractions = st.fractions(min_value=Fraction(1, 10**9), max_value=10**12)


def expression(text: str) -> ColumnExpression:
    names = {name: Name(name) for name in "xy"}
    return ColumnExpression(text, resolve(parse(text), Scope(names, inexact=True)))


def table(**columns: Sequence[Any]) -> Rows:
    return rows_of({name: column_of(list(values)) for name, values in columns.items()})


def nearest_root(x: Fraction) -> float:
    """With 120 digits; no root of so few digits is that near to where rounding changes."""
    with localcontext() as context:
        context.prec = 120
        return float((Decimal(x.numerator) / x.denominator).sqrt())


def nearest_logarithm(x: Fraction) -> float:
    with mpmath.workprec(500):
        return float(mpmath.log(mpmath.mpf(x.numerator) / x.denominator, 2))


@given(st.lists(counts | fractions, min_size=1, max_size=4))
def test_floats_are_the_nearest(values: list[Any]) -> None:
    rows = table(x=values)
    wanted = [nearest_root(Fraction(x)) for x in values]
    assert expression("sqrt(x)").floats(rows).tolist() == wanted
    assert expression("-sqrt(x)").floats(rows).tolist() == [-root for root in wanted]
    wanted = [nearest_logarithm(Fraction(x)) for x in values]
    assert expression("log2(x)").floats(rows).tolist() == wanted


@given(counts, counts)
def test_products_and_quotients_of_roots_are_the_nearest(a: int, b: int) -> None:
    rows = table(x=[a], y=[b])
    assert expression("sqrt(x)/sqrt(y)").floats(rows).item() == nearest_root(Fraction(a, b))
    assert expression("sqrt(x)/y").floats(rows).item() == nearest_root(Fraction(a, b * b))
    assert expression("sqrt(x)*sqrt(x)").floats(rows).item() == float(a)
    assert expression("sqrt(x)**2 == x").holds(rows).all()
    assert expression("sqrt(x)/sqrt(y) == sqrt(x/y)").holds(rows).all()


RELATIONS = ("<", "<=", "==", "!=", ">=", ">")


@given(counts | fractions, fractions | fractions.map(lambda y: -y) | st.just(0))
def test_comparisons_with_fractions_are_those_of_squares(x: Any, y: Any) -> None:
    rows = table(x=[x], y=[y])
    of_square = [expression(f"x {relation} y*y") for relation in RELATIONS]
    for relation, squares in zip(RELATIONS, of_square, strict=True):
        wanted = bool(squares.holds(rows)[0]) if y >= 0 else relation in ("!=", ">=", ">")
        assert bool(expression(f"sqrt(x) {relation} y").holds(rows)[0]) is wanted
        mirrored = relation.translate(str.maketrans("<>", "><"))
        assert bool(expression(f"y {mirrored} sqrt(x)").holds(rows)[0]) is wanted
        assert bool(expression(f"-sqrt(x) {mirrored} -y").holds(rows)[0]) is wanted


@given(st.integers(2**100, 2**110))
def test_neighbours_whose_floats_are_the_same_are_told_apart(x: int) -> None:
    rows = table(x=[x], y=[x + 1])
    assert expression("sqrt(x)").floats(rows) == expression("sqrt(y)").floats(rows)
    for text in ("sqrt(x) < sqrt(y)", "log2(x) < log2(y)", "sqrt(x*x) == x", "sqrt(x*x - 1) < x",
                 "x < sqrt(x*x + 1)", "max(sqrt(x), sqrt(y)) == sqrt(y)",
                 "min(log2(x), log2(y)) == log2(x)"):  # fmt: skip
        assert expression(text).holds(rows).all(), text


@given(st.integers(1, 2**70), st.integers(-80, 80), st.integers(1, 9))
def test_logarithms_are_compared_with_numbers_as_powers_are(x: int, p: int, q: int) -> None:
    """``log2(x) <= p/q`` is ``x**q <= 2**p``."""
    rows = table(x=[x])
    wanted = x**q <= Fraction(2) ** p
    assert bool(expression(f"log2(x) <= {p}/{q}").holds(rows)[0]) is wanted
    assert bool(expression(f"{p}/{q} < log2(x)").holds(rows)[0]) is not wanted
    assert bool(expression(f"-log2(x) < -({p}/{q})").holds(rows)[0]) is not wanted


@pytest.mark.parametrize(
    "text",
    [
        "sqrt(macs) + sqrt(params) <= 1e4",
        "sqrt(macs) - 1e4 <= 0",
        "log2(macs) + log2(h) > 3",
        "log2(macs)*2 > 3",
        "sqrt(macs) > log2(macs)",
        "sqrt(sqrt(macs)) > 3",
        "floor(sqrt(macs)) > 3",
        "max(sqrt(macs), log2(macs)) > 3",
    ],
)
def test_mixtures_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match="has no exact value here: it is shown, compared") as caught:
        swept(where=(text,))
    assert str(caught.value).startswith(f"--where {text}: ")
    assert "compare what it is of" in str(caught.value.hint)


def test_logarithms_are_compared_with_short_numbers() -> None:
    with pytest.raises(SpecError, match="a logarithm is compared with a number of few digits"):
        swept(where=("log2(macs) <= 28.12345678",))
    with pytest.raises(SpecError, match="a logarithm is compared with a number of few digits"):
        swept(where=("log2(macs) <= h",))


def swept(**asked: Any) -> list[dict[str, Any]]:
    study = sweep([MOBILENET], ["h=32:512:32", "w=h"], Request(**asked))
    found: list[dict[str, Any]] = []
    for chunk in study.rows():
        columns = [column.tolist() for column in chunk.values()]
        found += [dict(zip(chunk, row, strict=True)) for row in zip(*columns, strict=True)]
    return found


def test_they_are_asked_for_wherever_metrics_are() -> None:
    """By the order of the squares, which are integers."""
    rows = swept(metrics=("macs",))
    macs = [row["macs"] for row in rows]
    near = isqrt(macs[5])
    kept = swept(metrics=("macs",), where=(f"sqrt(macs) <= {near} + 1/2",))
    assert [r["macs"] for r in kept] == [m for m in macs if 4 * m <= (2 * near + 1) ** 2]
    assert [r["macs"] for r in swept(metrics=("macs",), where=("sqrt(macs)**2 == macs",))] == macs
    assert [r["macs"] for r in swept(metrics=("macs",), sort=("sqrt(macs):max",))] == macs[::-1]
    best = swept(metrics=("macs",), top=3, by="sqrt(macs)*sqrt(2):max")
    assert [row["macs"] for row in best] == macs[:-4:-1]
    front = swept(metrics=("macs",), pareto=("sqrt(macs)", "log2(1/h):max"))
    assert [row["macs"] for row in front] == macs[:1]


def test_their_columns_are_floats() -> None:
    asked = Request(metrics=("sqrt(macs)/params", "log2(macs)"))
    study = sweep([MOBILENET], ["h=224", "w=h"], asked)
    (chunk,) = study.rows()
    shown = [field.values(chunk) for field in fields_of(study)[2:]]
    macs, params = 300_774_272, 3_504_872
    assert all(column.dtype == np.float64 for column in shown)
    with mpmath.workprec(500):
        wanted = [float(mpmath.sqrt(macs) / params), float(mpmath.log(macs, 2))]
    assert [column.item() for column in shown] == wanted


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("sqrt(h - 64) >= 1", "a root of a negative number"),
        ("log2(h - 32) >= 1", "a logarithm of a number that is not positive"),
        ("macs <= sqrt(0 - 2)", "a root of a negative number"),
        ("macs/sqrt(h - 32) > 1", "a division by zero"),
        ("round_to(macs, sqrt(macs)) > 1", "round_to needs a positive integer divisor"),
        ("round_to(macs, h - 32) > 1", "round_to needs a positive integer divisor"),
    ],
)
def test_what_has_no_value(text: str, cause: str) -> None:
    with pytest.raises(SpecError, match=cause):
        swept(where=(text,))

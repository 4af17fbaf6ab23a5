"""Roots and logarithms in sweeps: nearest floats, exact comparisons, against `decimal`, mpmath."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor, isqrt
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import SpecError
from costmodel.sweep.query import Said
from costmodel.sweep.reals import Real, binary_logarithm, divide, square_root
from costmodel.sweep.study import sweep
from tests.conftest import ROOT

MOBILENET = str(ROOT / "specs" / "mobilenetv2.yaml")

counts = st.integers(1, 10**30) | st.integers(2**53 - 9, 2**53 + 9) | st.integers(1, 99)
fractions = st.fractions(min_value=Fraction(1, 10**9), max_value=10**12)


def nearest_root(x: Fraction) -> float:
    """With 120 digits; no root of so few digits is that near to where rounding changes."""
    with localcontext() as context:
        context.prec = 120
        return float((Decimal(x.numerator) / x.denominator).sqrt())


def nearest_logarithm(x: Fraction) -> float:
    with mpmath.workprec(500):
        return float(mpmath.log(mpmath.mpf(x.numerator) / x.denominator, 2))


@given(counts | fractions)
def test_floats_are_the_nearest(x: Any) -> None:
    assert float(square_root(x)) == nearest_root(Fraction(x))
    assert float(binary_logarithm(x)) == nearest_logarithm(Fraction(x))


@given(counts, counts)
def test_what_is_made_of_them_is_the_nearest(a: int, b: int) -> None:
    """The root of a quotient by one root, and by the quotient of two."""
    quotient = divide(square_root(a), square_root(b))
    assert float(quotient) == nearest_root(Fraction(a, b))
    assert quotient == square_root(Fraction(a, b))
    with mpmath.workprec(500):
        total = mpmath.sqrt(a) + mpmath.sqrt(b) - mpmath.log(b, 2)
        assert float(square_root(a) + square_root(b) - binary_logarithm(b)) == float(total)


@given(counts, fractions)
def test_comparisons_with_fractions_are_those_of_squares(x: int, y: Fraction) -> None:
    root = square_root(x)
    assert (root < y, root == y, root > y) == (x < y * y, x == y * y, x > y * y)
    assert (y < root, y == root, y > root) == (x > y * y, x == y * y, x < y * y)
    assert floor(root) == isqrt(x)


@given(st.integers(2**100, 2**110))
def test_neighbours_whose_floats_are_the_same_are_told_apart(x: int) -> None:
    assert float(square_root(x)) == float(square_root(x + 1))
    assert square_root(x) < square_root(x + 1)
    assert square_root(x * x) == x
    assert square_root(x * x - 1) < x < square_root(x * x + 1)
    assert binary_logarithm(x) < binary_logarithm(x + 1)


def test_equal_values_made_otherwise_are_equal() -> None:
    """(√2 + √3)² = 5 + 2√6, and √2·√3 = √6."""
    two, three, six = map(square_root, (2, 3, 6))
    assert (two + three) * (two + three) == 2 * six + 5
    assert square_root(2 * six + 5) == two + three
    assert two * three - six == 0
    assert float(two * three - six) == 0.0
    assert floor(two * two) == 2
    assert -two < 0 < two
    assert 1 / two == two / 2
    assert len({two, square_root(2), two / 1}) == 1


def test_a_value_half_way_between_two_floats_is_rounded_to_the_even_one() -> None:
    """2⁵³ + 1 lies between 2⁵³ and 2⁵³ + 2, of which the first has the even last digit."""
    two = square_root(2)
    for whole, rounded in ((2**53 + 1, 2.0**53), (2**53 + 3, 2.0**53 + 4)):
        value = two * two + (whole - 2)
        assert isinstance(value, Real)
        assert float(value) == rounded


def test_what_logarithms_leave_open_is_an_error() -> None:
    """log2 3 + log2 5 is log2 15, but no number of digits shows it."""
    total = binary_logarithm(3) + binary_logarithm(5)
    with pytest.raises(SpecError, match="whether they are equal is not decided"):
        assert total == binary_logarithm(15)
    assert total < binary_logarithm(16)
    assert binary_logarithm(3) == binary_logarithm(3)


def swept(**said: Any) -> list[dict[str, Any]]:
    study = sweep([MOBILENET], ["h=32:512:32", "w=h"], Said(**said))
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
    best = swept(metrics=("macs",), top=3, by="log2(macs)*sqrt(2):max")
    assert [row["macs"] for row in best] == macs[:-4:-1]
    front = swept(metrics=("macs",), pareto=("sqrt(macs)", "log2(1/h):max"))
    assert [row["macs"] for row in front] == macs[:1]


def test_their_columns_are_floats() -> None:
    from costmodel.sweep.fields import fields_of

    study = sweep([MOBILENET], ["h=224", "w=h"], Said(metrics=("sqrt(macs)/params", "log2(macs)")))
    (chunk,) = study.rows()
    shown = [field.values(chunk) for field in fields_of(study)[2:]]
    macs, params = 300_774_272, 3_469_760
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
        ("macs/(sqrt(macs) - sqrt(macs)) > 1", "a division by zero"),
        ("round_to(macs, sqrt(macs)) > 1", "round_to needs a positive integer divisor"),
    ],
)
def test_what_has_no_value(text: str, cause: str) -> None:
    with pytest.raises(SpecError, match=cause):
        swept(where=(text,))

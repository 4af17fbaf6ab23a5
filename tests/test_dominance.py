"""What is dropped from a maximum never changes it: random counts under random conditions."""

import random
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Add, Expr, Integer, Mul

from archspec.arithmetic import Rational
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.dominance import Counts, Region, SizeTables, maximum
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import (
    Maximum,
    Minimum,
    RoundTo,
    ceil_div,
    floor_div,
    terms_of,
)
from costmodel.algebra.normal_form import factored, tight
from costmodel.algebra.symbols import symbol
from costmodel.algebra.waves import StepTable, SymbolRange, wave_of
from tests.conftest import examples

H, W, T, S, D = (symbol(name) for name in ("h", "w", "t", "s", "d"))
A = symbol("a", "real")
ONE = Integer(1)


def lengths(of: Expr) -> st.SearchStrategy[Expr]:
    """Sizes of one axis: as it is, under floors, rounded up, and what may happen or not."""
    strides = st.sampled_from([1, 2, 3, 4, 7, 8])
    floors = st.tuples(strides, st.integers(-5, 9)).map(
        lambda pair: floor_div(of + pair[1], pair[0])
    )
    ceilings = strides.map(lambda stride: ceil_div(of, stride))
    steps = st.integers(0, 3).map(lambda k: Minimum(ONE, floor_div(of, 2) - k))
    return st.one_of(st.just(of), floors, ceilings, steps)


def channels() -> st.SearchStrategy[Expr]:
    """Channels of a width multiplier."""
    multiples = st.sampled_from([3, 16, 24, 40, 320])
    rounded = multiples.map(lambda k: RoundTo(k * A, Integer(8)))
    floors = multiples.map(lambda k: floor_div(k * A, 1))
    turns = st.integers(1, 4).map(lambda k: ceil_div(k * A, 1))
    steps = turns.map(lambda ceiling: Minimum(ONE, ceiling - 1))
    return st.one_of(rounded, floors, turns, steps, st.just(ONE))


SIZES = st.one_of(lengths(H), lengths(W), lengths(T), channels())
PRODUCTS = st.tuples(st.integers(-2, 12), st.lists(SIZES, min_size=1, max_size=3)).map(
    lambda pair: pair[0] * Mul(*pair[1])
)
SUMS = st.lists(PRODUCTS, min_size=1, max_size=3).map(lambda terms: Add(*terms))
STEPS = st.sampled_from([ONE, *(Minimum(ONE, ceil_div(k * A, 1) - 1) for k in (1, 2, 3))])
COUNTS = st.tuples(STEPS, SUMS).map(lambda pair: Mul(*pair))

CONDITIONS = st.lists(
    st.sampled_from(
        [
            Divides(Integer(4), H),
            Divides(Integer(32), W),
            Divides(Integer(3), floor_div(H, 2)),
            Divides(T, Integer(24)),
            AtLeast(H, 9),
            AtLeast(W - T, 2),
            AtLeast(-T, -50),
            AtLeast(W - 2 * H + T, 0),
        ]
    ),
    max_size=4,
)


def inside(conditions: list[Condition], draw: random.Random) -> list[dict[Expr, Rational]]:
    """Points where conditions hold, near 1 and far from it."""
    found: list[dict[Expr, Rational]] = []
    for _ in range(examples(300)):
        h, w, t = (int(2 ** (draw.random() * draw.choice((3, 6, 12)))) for _ in range(3))
        h *= draw.choice((1, 4, 12))
        w *= draw.choice((1, 32))
        point: dict[Expr, Rational] = {
            H: h,
            W: w,
            T: t,
            A: Fraction(draw.randint(1, 400), draw.choice((7, 40, 100))),
        }
        if all(condition.holds(Evaluator(point)) for condition in conditions):
            found.append(point)
    return found


@settings(deadline=None, max_examples=examples(200))
@given(
    counts=st.lists(COUNTS, min_size=2, max_size=6),
    conditions=CONDITIONS,
    seed=st.integers(0, 10**6),
)
def test_dropping_never_changes_a_maximum(
    counts: list[Expr], conditions: list[Condition], seed: int
) -> None:
    region = Region({H: 1, W: 1, T: 1}, {}, conditions)
    usual = Evaluator({H: 224, W: 224, T: 12, A: 1})
    largest = maximum(counts, SizeTables(region), usual)
    for point in inside(conditions, random.Random(seed)):
        evaluate = Evaluator(point)
        assert evaluate(largest) == max(map(evaluate, counts)), (point, conditions)


def test_a_turn_that_may_not_happen_is_never_more() -> None:
    """``min(1, r)·x`` is not more than an x that is never negative; of another x it may be."""
    turns = ceil_div(4 * A, 1)
    once = Minimum(ONE, turns - 1)
    usual, sizes = Evaluator({A: 1}), SizeTables(Region({}))
    field = 68 * turns + 40 * ceil_div(2 * A, 1) - 97
    fields = [Integer(7), field, once * field, once * (2 * turns + 3)]
    assert terms_of(maximum(fields, sizes, usual)) == (field,)
    less = field - 97
    assert set(terms_of(maximum([less, once * less], sizes, usual))) == {less, once * less}


@settings(deadline=None, max_examples=examples(200))
@given(counts=st.lists(COUNTS, min_size=1, max_size=4), seed=st.integers(0, 10**6))
def test_what_is_drawn_together_is_the_same(counts: list[Expr], seed: int) -> None:
    shown = [factored(Maximum(*counts)), *map(tight, counts)]
    for point in inside([], random.Random(seed))[:20]:
        evaluate = Evaluator(point)
        assert [evaluate(law) for law in shown] == [
            max(map(evaluate, counts)),
            *map(evaluate, counts),
        ]


@settings(deadline=None, max_examples=examples(200))
@given(size=st.one_of(lengths(H), channels().filter(lambda size: size.has(A))))
def test_what_repeats_repeats(size: Expr) -> None:
    """``f(x + P) == f(x) + R`` from the start on, and the slope leaves no more than the offsets."""
    wave = wave_of(size)
    assert wave is not None
    (free,) = size.free_symbols
    begin = wave.start if free == A else Fraction(int(wave.start) + 1)
    for i in range(1, 60):
        x = begin + (Fraction(i, 7) if free == A else i)
        now, later = (Evaluator({free: y})(size) for y in (x, x + wave.period))
        assert later == now + wave.rise
        assert wave.low <= now - wave.slope * x <= wave.high


RATIOS = [
    ((ceil_div(H, 4),), (ceil_div(H, 2),), SymbolRange(H, 1), Fraction(1, 2)),
    ((ceil_div(H, 2),), (ceil_div(H, 4),), SymbolRange(H, 1), 1),
    ((ceil_div(H, 2),), (ceil_div(H, 4),), SymbolRange(H, 1, None, (Divides(Integer(4), H),)), 2),
    ((H,), (ceil_div(H, 4),), SymbolRange(H, 9), 3),
    ((H,), (H, H), SymbolRange(H, 1), 0),
    ((H,), (H, H), SymbolRange(H, 1, 5), Fraction(1, 5)),
    ((RoundTo(32 * A, Integer(8)),), (RoundTo(16 * A, Integer(8)),), SymbolRange(A), 1),
    # 26.6 is rounded to 24, and 53.2 to 56.
    (
        (RoundTo(16 * A, Integer(8)),),
        (RoundTo(32 * A, Integer(8)),),
        SymbolRange(A),
        Fraction(24, 56),
    ),
    ((floor_div(H - 7, 4),), (H,), SymbolRange(H, 7), 0),
]


@pytest.mark.parametrize(("over", "under", "reach", "least"), RATIOS, ids=str)
def test_the_least_ratio(
    over: tuple[Expr, ...], under: tuple[Expr, ...], reach: SymbolRange, least: Rational
) -> None:
    axis = StepTable(reach, {*over, *under})
    powers = (
        tuple((each, side.count(each)) for each in dict.fromkeys(side)) for side in (over, under)
    )
    assert axis.ratio(*powers) == least


def exceeds(large: Expr, small: Expr, region: Region) -> bool:
    return Counts([large, small], SizeTables(region)).exceeds(0, 1)


def test_conditions_are_used() -> None:
    """``h % 32 == 0``, ``h >= 64``, ``s >= t``, ``d % t == 0``: what is false without is proved."""
    four = 4 * ceil_div(H, 2) * W
    assert exceeds(four, 2 * H * W, Region({H: 1, W: 1}))
    assert exceeds(64 * ceil_div(H, 64), H, Region({H: 1}))
    cases: list[tuple[Expr, Expr, Condition]] = [
        (H, 32 * ceil_div(H, 32), Divides(Integer(32), H)),
        (H, Integer(64), AtLeast(H, 64)),
        (S * W, T * W, AtLeast(S - T, 0)),
        (D * W, T * W, Divides(T, D)),
        (24 * W, T * W, Divides(T, Integer(24))),
        (50 * W, T * W, AtLeast(-T, -50)),
    ]
    for large, small, condition in cases:
        assert not exceeds(large, small, Region({}))
        assert exceeds(large, small, Region({}, {}, [condition]))


def test_what_may_be_negative_is_never_the_largest() -> None:
    """``min(1, ceil(a) - 2)`` is -1 at small a: there the term is less than nothing."""
    happens = Minimum(ONE, ceil_div(A, 1) - 2)
    kept = maximum(
        [5 * happens * W, 4 * W, 3 * happens * W], SizeTables(Region({})), Evaluator({A: 1, W: 2})
    )
    assert set(terms_of(kept)) == {5 * happens * W, 4 * W}
    widths: tuple[Rational, ...] = (Fraction(1, 3), 1, 2, 3)
    for a, w in product(widths, (1, 5)):
        evaluate = Evaluator({A: a, W: w})
        assert evaluate(kept) == max(5 * evaluate(happens) * w, 4 * w)


def test_a_sum_is_covered_by_several_products() -> None:
    """``h`` is at least ``ceil(h/2)``, and ``2·ceil(h/4)`` is, too: together they cover four."""
    assert exceeds(2 * H + 4 * ceil_div(H, 4), 4 * ceil_div(H, 2), Region({H: 1}))
    assert not exceeds(H, 2 * ceil_div(H, 2), Region({H: 1}))

"""Bounds: what is proved never to fall below a number never does, as integers show."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer

from costmodel.algebra.bounds import is_at_least, lower_bound
from costmodel.algebra.dominance import Region, SizeTables, maximum
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, RoundTo, absorbed, floor_div
from costmodel.algebra.symbols import symbol
from tests.conftest import examples

H, W, A = symbol("h"), symbol("w"), symbol("a", "real")


SMALL = st.integers(1, 5)


def terms() -> st.SearchStrategy[Expr]:
    leaves = st.sampled_from([H, W]) | st.integers(-4, 4).map(Integer)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
            st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
            st.tuples(inner, st.integers(1, 5)).map(lambda pair: floor_div(*pair)),
            st.tuples(inner, st.integers(1, 5)).map(
                lambda pair: RoundTo(pair[0], Integer(pair[1]))
            ),
            st.tuples(inner, inner).map(lambda pair: Maximum(*pair)),
            st.tuples(inner, inner).map(lambda pair: Minimum(*pair)),
        ),
        max_leaves=5,
    )


@settings(deadline=None, max_examples=examples(400))
@given(expression=terms(), height=st.integers(1, 4), width=st.integers(1, 4))
def test_no_value_is_below_a_bound(expression: Expr, height: int, width: int) -> None:
    least = {H: height, W: width}
    values = [
        Evaluator({H: h, W: w})(expression)
        for h, w in product(range(height, height + 9), range(width, width + 9))
    ]
    bound = lower_bound(expression, least)
    assert bound is None or bound <= min(values)
    for claim in range(-3, 4):
        assert not is_at_least(expression, claim, least) or min(values) >= claim


@pytest.mark.parametrize(
    ("expression", "bound"),
    [
        (7 * floor_div(H + 6, 7) - H, 0),
        (7 * floor_div(H + 108, 112) - floor_div(H + 12, 16), 0),
        (floor_div(H, W) * floor_div(H, W), 0),
        ((2 * W - 1) ** 2, 1),
        (W * floor_div(H - 1, W) + W, 1),
        (Maximum(Integer(1), H - W), 1),
    ],
    ids=str,
)
def test_what_is_always_so_is_proved(expression: Expr, bound: int) -> None:
    assert is_at_least(expression, bound, {H: 4, W: 1})


@settings(deadline=None)
@given(
    rest=st.integers(-9, 9),
    factor=st.integers(-3, 3),
    q=st.integers(1, 4),
    shift=st.integers(-5, 5),
)
def test_a_size_becomes_one_floor(rest: int, factor: int, q: int, shift: int) -> None:
    size = factor * H + rest - factor * floor_div(H + shift, q)
    for h in range(20):
        assert Evaluator({H: h})(absorbed(size)) == factor * h + rest - factor * ((h + shift) // q)


def feature_maps() -> st.SearchStrategy[Expr]:
    """Channels of a width multiplier times a resolution: ``k·round_to(m·width, 8)·(h//s)``."""
    channels = st.tuples(st.integers(1, 6), st.sampled_from([3, 16, 24, 96, 320]), st.booleans())
    sizes = st.tuples(channels, st.integers(0, 5), st.integers(0, 31))
    return st.lists(sizes, min_size=1, max_size=2).map(lambda parts: sum(map(feature_map, parts)))


def feature_map(part: tuple[tuple[int, int, bool], int, int]) -> Expr:
    (factor, multiple, capped), power, shift = part
    multiplier = Maximum(Integer(1), A) if capped else A
    return factor * RoundTo(multiple * multiplier, Integer(8)) * floor_div(H + shift, 2**power)


@settings(deadline=None, max_examples=examples(300))
@given(
    laws=st.lists(feature_maps(), min_size=2, max_size=6),
    height=st.integers(1, 40),
    widths=st.lists(st.fractions(0, 4, max_denominator=40).filter(bool), min_size=3, max_size=3),
)
def test_a_maximum_of_feature_maps(laws: list[Expr], height: int, widths: list[Fraction]) -> None:
    largest = maximum(laws, SizeTables(Region({H: height})), Evaluator({H: 224, A: 1}))
    for h, width in product((height, height + 1, height + 50), widths):
        evaluate = Evaluator({H: h, A: width})
        assert evaluate(largest) == max(map(evaluate, laws))


def test_halves_make_a_whole() -> None:
    assert absorbed(H - floor_div(H + 1, 2)) == floor_div(H, 2)
    assert absorbed(H + H - 2 * floor_div(H, 2)) == 2 * floor_div(H + 1, 2)


@pytest.mark.parametrize("first", [0, 1])
def test_what_may_not_happen_is_never_more(first: int) -> None:
    """``min(1, h − 1)·w`` is w or, at h = 1, nothing."""
    terms = [Minimum(Integer(1), H - 1) * W, W]
    terms = [terms[first], terms[1 - first]]
    assert maximum(terms, SizeTables(Region({H: 1, W: 1})), Evaluator({H: 12, W: 3})) == W

"""Sums, maxima and conditions over turns against the turns, one by one."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Add, Expr, Integer, S, Symbol

from archspec import SpecError
from archspec.expressions import ExpressionError
from costmodel import analyze
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, floor_div
from costmodel.algebra.printing import text
from costmodel.algebra.sums import (
    Iterations,
    closed_sum,
    in_all_iterations,
    largest_of_iterations,
    power_sum,
    sum_of_steps,
    where_it_runs,
)
from costmodel.algebra.symbols import symbol
from tests.conftest import examples

T, U = (Symbol(name, integer=True, nonnegative=True) for name in "tu")
A, B, L, M = map(symbol, "abLM")
NUMBERS = st.integers(-9, 9)
COUNTS = st.integers(0, 7)


def polynomial(index: Expr, parts: Iterable[Expr]) -> Expr:
    return Add(*(part * index**power for power, part in enumerate(parts)))


@given(st.integers(0, 12), st.integers(0, 40))
def test_power_sums_are_the_sums_of_powers(power: int, count: int) -> None:
    closed = sum(part * count**k for k, part in enumerate(power_sum(power)))
    assert closed == sum(i**power for i in range(count))


@given(st.lists(NUMBERS, min_size=1, max_size=5), COUNTS, st.integers(1, 50), st.integers(1, 50))
def test_a_closed_sum_is_the_sum_over_all_turns(
    parts: list[int], count: int, a: int, b: int
) -> None:
    """Coefficients with symbols and floors in them, which stay as they are."""
    weights = [part * (A + k * floor_div(B + k, 3)) for k, part in enumerate(parts)]
    expression = polynomial(T, weights)
    closed = closed_sum(expression, Iterations(T, L))
    summed = sum(
        part * (a + k * ((b + k) // 3)) * i**k for i in range(count) for k, part in enumerate(parts)
    )
    assert Evaluator({A: a, B: b, L: count})(closed) == summed


@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=3), COUNTS, COUNTS)
def test_a_sum_of_sums(parts: list[list[int]], outer: int, inner: int) -> None:
    """``Σ_i Σ_j p(i, j)``, the inner number of turns open as well."""
    expression = Add(
        *(polynomial(U, map(Integer, row)) * (T + A) ** k for k, row in enumerate(parts))
    )
    closed = closed_sum(closed_sum(expression, Iterations(U, M)), Iterations(T, L))
    summed = sum(
        number * j**power * (i + 2) ** k
        for i in range(outer)
        for j in range(inner)
        for k, row in enumerate(parts)
        for power, number in enumerate(row)
    )
    assert Evaluator({A: 2, L: outer, M: inner})(closed) == summed


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.integers(1, 7), st.integers(1, 9))
def test_the_largest_turn(parts: tuple[int, int, int, int], count: int, a: int) -> None:
    """At one of the ends, or in between, where the growth does not show which it is."""
    expression = Maximum(polynomial(T, (A, *parts[:3])), polynomial(T, (0, parts[3] * A)))
    largest = largest_of_iterations(expression, Iterations(T, L))
    values = [
        max(sum(part * i**k for k, part in enumerate((a, *parts[:3]))), parts[3] * a * i)
        for i in range(count)
    ]
    assert Evaluator({A: a, L: count})(largest) == max(values)
    assert eval(text(largest), {"a": a, "L": count}) == max(values)


def test_what_is_largest_in_between_is_looked_for() -> None:
    largest = largest_of_iterations(10 * T - T**2, Iterations(T, L))
    assert text(largest) == "max(10*turn - turn**2 for turn in range(L))"
    assert largest.free_symbols == {L}
    with pytest.raises(ExpressionError, match="more than 100,000 turns to compare"):
        Evaluator({L: 10**6})(largest)


def bounds(divisor: int, a: int, b: int) -> Condition:
    return AtLeast(floor_div(a * T + b, divisor), 2)


def multiples(divisor: int, a: int, b: int, c: int) -> Condition:
    return Divides(Integer(divisor), a * T**2 + b * T + c)


def equalities(a: int, b: int, c: int) -> Condition:
    return Equal(a * T * A + b, c * T)


CONDITIONS = st.one_of(
    st.builds(bounds, st.integers(1, 4), NUMBERS, NUMBERS),
    st.builds(multiples, st.integers(1, 6), NUMBERS, NUMBERS, NUMBERS),
    st.builds(equalities, NUMBERS, NUMBERS, NUMBERS),
)


@settings(max_examples=examples(400))
@given(CONDITIONS, st.integers(1, 7), st.integers(1, 4), st.booleans())
def test_a_condition_of_all_turns(condition: Condition, count: int, a: int, known: bool) -> None:
    """With and without the knowledge that there is a turn."""
    least = {L: 1} if known else {L: 0}
    found = [each for each, _ in in_all_iterations(condition, Iterations(T, L), least)]
    turns = [condition.holds(Evaluator({A: a, T: i})) for i in range(count)]
    at_once = [each.holds(Evaluator({A: a, L: count})) for each in found]
    assert all(at_once) == all(turns)


@settings(max_examples=examples(300))
@given(CONDITIONS, st.integers(0, 2), st.integers(1, 4), st.integers(0, 3))
def test_what_does_not_run_asks_for_nothing(
    condition: Condition, runs: int, a: int, turn: int
) -> None:
    holds = where_it_runs(condition, L - 1).holds(Evaluator({A: a, T: turn, L: runs + 1}))
    assert holds == (runs == 0 or condition.holds(Evaluator({A: a, T: turn})))


HEAD = "archspec: 1\nname: net\n"
DENSE = (
    "{repeat: {times: L, layers: [{parallel: {merge: concat, axis: 1, branches: [[], "
    "[{conv2d: {out_channels: 4*k, kernel_size: 1}}, relu, {conv2d: {out_channels: k, "
    "kernel_size: 3, padding: 1}}]]}}]}}"
)
METRICS = ("params", "macs", "activations", "activations_peak", "receptive_field")


def points(tmp_path: Path, text: str, times: Iterable[int], **fixed: int) -> None:
    """The law in L has the values of the network worked out turn by turn."""
    file = tmp_path / "net.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    for convention in ("lecture", "pycls"):
        law = analyze(file, convention=convention)
        for count in times:
            counted = analyze(file, convention=convention, settings={"L": count, **fixed})
            at = law.at(L=count, **fixed)
            for metric in METRICS:
                assert getattr(at, metric) == counted.value(metric), (metric, count)


def test_dense_layers_have_laws_in_their_number(tmp_path: Path) -> None:
    text = (
        "symbols: {L: 6, k: 32, c: 64, h: 14}\ninput: [2, c, h, h]\n"
        f"layers: [{DENSE}, {{conv2d: {{out_channels: in_channels//2, kernel_size: 1}}}}]"
    )
    points(tmp_path, text, (1, 2, 5, 24), k=12, c=7, h=9)


def test_growth_within_growth(tmp_path: Path) -> None:
    """Each outer turn adds L·k channels in its inner turns, and k by a merge of its own."""
    inner = DENSE.replace("times: L", "times: M")
    text = (
        "symbols: {L: 3, M: 4, k: 2, c: 5}\ninput: [1, c, 6, 6]\n"
        f"layers: [{{repeat: {{times: L, layers: [{inner}, {DENSE.replace('times: L', 'times: 1')}"
        "]}}]"
    )
    points(tmp_path, text, (1, 2, 5), M=3, k=3, c=4)


def test_maps_that_shrink_by_the_same_each_turn(tmp_path: Path) -> None:
    """A 3×3 convolution without padding takes 2 off each turn: ``h >= 2·L + 1``."""
    text = (
        "symbols: {L: 3, h: 30}\ninput: [1, 4, h, h]\n"
        "layers: [{repeat: {times: L, layers: [{conv2d: {out_channels: 4, kernel_size: 3}}]}}]"
    )
    points(tmp_path, text, (1, 2, 9), h=20)
    law = analyze(tmp_path / "net.yaml")
    assert law.at(L=9, h=19).macs
    with pytest.raises(SpecError, match="must fit the padded height"):
        law.at(L=10, h=20)


def test_what_every_turn_asks_for(tmp_path: Path) -> None:
    """Groups of 4 divide c and, from the second turn on, k as well."""
    text = (
        "symbols: {L: 3, k: 8, c: 16}\ninput: [1, c, 6, 6]\nlayers: [{repeat: {times: L, layers: "
        "[{groupnorm: {num_groups: 4}}, {parallel: {merge: concat, axis: 1, branches: [[], "
        "[{conv2d: {out_channels: k, kernel_size: 1}}]]}}]}}]"
    )
    points(tmp_path, text, (1, 2, 7), k=4, c=8)
    law = analyze(tmp_path / "net.yaml")
    assert law.at(L=1, k=6, c=8).params == 6 * 9 + 2 * 8
    for k, c in ((6, 8), (8, 6)):
        with pytest.raises(SpecError, match=r"in_channels \(\d+\) must be divisible by num_groups"):
            law.at(L=2, k=k, c=c)


def test_sizes_that_are_no_polynomial_in_the_turn_are_named(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        f"{HEAD}symbols: {{L: 3, c: 16}}\ninput: [1, c, 6, 6]\nlayers: [{{repeat: {{times: L, "
        "layers: [{parallel: {merge: concat, axis: 1, branches: [[], [{conv2d: {out_channels: "
        "in_channels//3, kernel_size: 1}}, {conv2d: {out_channels: 4, kernel_size: 1}}]]}}]}}]",
        encoding="utf-8",
    )
    with pytest.raises(SpecError, match=r"axis 1 from c to c \+ 4.*conv2d_1.*no polynomial"):
        analyze(file)
    assert analyze(file, settings={"L": 3}).macs


def test_more_turns_than_are_worked_out_one_by_one(tmp_path: Path) -> None:
    """A million dense layers: ``Σ_{i<L} (4k·(c + i·k) + 36·k²)`` weights."""
    text = f"symbols: {{L: 1000000, k: 2}}\ninput: [1, 3, 8, 8]\nlayers: [{DENSE}]"
    file = tmp_path / "net.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    turns = 10**6
    expected = 8 * 3 * turns + 16 * (turns * (turns - 1) // 2) + 36 * 4 * turns
    weights = analyze(file, convention="lecture", settings={"L": turns})
    assert weights.value("params") == expected
    assert analyze(file, convention="lecture").at().params == expected


def test_a_body_whose_largest_turn_is_not_shown_by_its_growth(tmp_path: Path) -> None:
    """Channels grow while the map shrinks: the peak is at some turn, which is looked for."""
    text = (
        "symbols: {L: 4, k: 12, c: 4, h: 64}\ninput: [1, c, h, h]\n"
        "layers: [{repeat: {times: L, layers: [{parallel: {merge: concat, branches: "
        "[[{crop: {size: 'in_shape[2] - 2'}}], [{conv2d: {out_channels: k, kernel_size: 3}}]]}}]}}]"
    )
    points(tmp_path, text, (1, 2, 5, 9), h=21)


def test_a_body_that_may_not_run(tmp_path: Path) -> None:
    """Of no turn nothing is asked, and nothing is seen."""
    text = (
        "symbols: {L: 3, h: 20}\ninput: [1, 4, h, h]\nlayers: [{conv2d: {out_channels: 4, "
        "kernel_size: 1}}, {repeat: {times: L - 1, layers: [{maxpool2d: {kernel_size: 2, "
        "stride: 1}}, {conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}]}}]"
    )
    points(tmp_path, text, (1, 2, 5, 9), h=21)
    points(tmp_path, text, (1,), h=1)
    points(tmp_path, text.replace("times: L - 1", "times: 'max(L - 2, 0)'"), (1, 2, 3, 7))
    with pytest.raises(SpecError, match="must fit"):
        analyze(tmp_path / "net.yaml").at(L=3, h=1)


def test_sums_of_steps_that_rise() -> None:
    """``Σ (t² + 3)·[a·t + b ≥ 17] + t`` term by term, where some turns, none or all have it."""
    step = Minimum(S.One, floor_div(A * T + B, 17))
    law = sum_of_steps((T**2 + 3) * step + T, Iterations(T, L))
    for rise, start, count in product((1, 2, 5, 40), (1, 3, 16, 17, 30), (1, 2, 7, 20)):
        expected = sum((t * t + 3) * (rise * t + start >= 17) + t for t in range(count))
        assert Evaluator({A: rise, B: start, L: count})(law) == expected

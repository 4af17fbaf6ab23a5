"""The ends that `solve` finds on a line of real values, against trying every step of the laws.

The laws are random monotone step functions, with budgets at their steps and beside them. The truth
is worked out here in plain fractions: between two multiples of ``1/GRID`` no law of these steps.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from operator import ge, gt, le, lt
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archspec import SpecError
from costmodel.studies.search import Answer, End, Verdict
from tests.conftest import ask, examples

GRID = 12 * 18
"""Slopes are a half to 4 thirds, starts halves, and ``round_to`` steps at halves and ninths."""

MOST = 5
"""The largest value up to which every step is tried."""

FAR = 10**7
"""A value at which all that grows without end is above all budgets."""

Law = Callable[[Fraction], int]


class Function(NamedTuple):
    """A function of ``w`` that never falls, as a text and as plain Python."""

    text: str
    law: Law


def rounded(x: Fraction, d: int) -> int:
    """MobileNet's ``make_divisible``, as its authors wrote it, in fractions."""
    new = max(d, int(x + Fraction(d, 2)) // d * d)
    return new + d if new < Fraction(9, 10) * x else new


SLOPES = st.sampled_from([Fraction(1), Fraction(2), Fraction(4), Fraction(1, 2), Fraction(4, 3)])
STARTS = st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(3)])
SMALL = st.integers(1, 6)


def line(slope: Fraction, start: Fraction) -> str:
    return f"({slope.numerator}*w/{slope.denominator} + {start.numerator}/{start.denominator})"


ATOMS = st.one_of(
    st.builds(
        lambda a, b: Function(f"floor{line(a, b)}", lambda w: floor(a * w + b)), SLOPES, STARTS
    ),
    st.builds(
        lambda a, b: Function(f"ceil{line(a, b)}", lambda w: ceil(a * w + b)), SLOPES, STARTS
    ),
    st.builds(
        lambda a, d: Function(
            f"round_to({line(a, Fraction(0))}, {d})", lambda w: rounded(a * w, d)
        ),
        SLOPES,
        st.sampled_from([1, 2, 4]),
    ),
    st.builds(lambda k: Function(f"{k}", lambda w: k), SMALL),  # noqa: ARG005
)


def extended(inner: st.SearchStrategy[Function]) -> st.SearchStrategy[Function]:
    return st.one_of(
        st.builds(
            lambda f, g: Function(f"({f.text} + {g.text})", lambda w: f.law(w) + g.law(w)),
            inner,
            inner,
        ),
        st.builds(
            lambda f, g: Function(f"({f.text} * {g.text})", lambda w: f.law(w) * g.law(w)),
            inner,
            inner,
        ),
        st.builds(lambda f, q: Function(f"({f.text}//{q})", lambda w: f.law(w) // q), inner, SMALL),
        st.builds(
            lambda f, k: Function(f"ceil({f.text}/{k})", lambda w: -(-f.law(w) // k)), inner, SMALL
        ),
        st.builds(
            lambda f, k: Function(f"min({f.text}, {k})", lambda w: min(f.law(w), k)), inner, SMALL
        ),
        st.builds(
            lambda f, g: Function(f"max({f.text}, {g.text})", lambda w: max(f.law(w), g.law(w))),
            inner,
            inner,
        ),
    )


FUNCTIONS = st.recursive(ATOMS, extended, max_leaves=4)


class Case(NamedTuple):
    """A network of linear layers whose sizes are functions of ``w``, and of a list's entries."""

    sizes: tuple[Function, ...]
    entries: tuple[int, ...]
    default: Fraction
    least: Fraction | None
    most: Fraction | None

    def text(self) -> str:
        rules = f"default: {float(self.default)}, domain: real"
        rules += f", min: {float(self.least)}" if self.least is not None else ""
        rules += f", max: {float(self.most)}" if self.most is not None else ""
        layers = [
            f"  - linear:\n      out_features: {size.text}\n      bias: false"
            for size in self.sizes
        ]
        rows = ", ".join(f"{{c: {entry}}}" for entry in self.entries)
        each = "[{linear: {out_features: 'ceil(c*w)', bias: false}}]"
        layers += [f"  - foreach: {{rows: [{rows}], layers: {each}}}"] if self.entries else []
        head = f"archspec: 1\nname: net\nsymbols: {{w: {{{rules}}}}}\ninput: [1, 1]\nlayers:\n"
        return head + "\n".join(layers) + "\n"

    def widths(self, w: Fraction) -> list[int]:
        return [size.law(w) for size in self.sizes] + [ceil(c * w) for c in self.entries]

    def params(self, w: Fraction) -> int:
        widths = [1, *self.widths(w)]
        return sum(a * b for a, b in pairwise(widths))

    def is_valid(self, w: Fraction) -> bool:
        inside = (self.least is None or w >= self.least) and (self.most is None or w <= self.most)
        return inside and min(self.widths(w)) >= 1


PLACES = st.integers(1, 3 * GRID).map(lambda k: Fraction(k, GRID))
CASES = st.builds(
    Case,
    st.lists(FUNCTIONS, min_size=1, max_size=2).map(tuple),
    st.lists(SMALL.map(lambda k: min(k, 4)), max_size=2).map(tuple),
    st.sampled_from([Fraction(1, 4), Fraction(1), Fraction(2), Fraction(10), Fraction(10**9)]),
    st.one_of(st.none(), st.sampled_from([Fraction(1, 4), Fraction(1), Fraction(3, 2)])),
    st.one_of(st.none(), st.sampled_from([Fraction(2), Fraction(3)])),
)
SIGNS = st.sampled_from([("<=", le), ("<", lt), (">=", ge), (">", gt)])


class Interval(NamedTuple):
    """What is left of the line: its ends, each with whether it belongs to it; None for no end."""

    low: tuple[Fraction, bool]
    high: tuple[Fraction, bool] | None


def samples(most: Fraction) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
    """Every piece up to a value: its ends, and a value inside."""
    for k in range(int(most * GRID)):
        low, high = Fraction(k, GRID), Fraction(k + 1, GRID)
        yield low, high, (low + high) / 2
        yield high, high, high


def left(case: Case, holds: Callable[[int], bool]) -> Interval | None:
    """All values at which the network is valid and the constraint holds."""
    good = [
        (low, high)
        for low, high, inside in samples(Fraction(MOST))
        if case.is_valid(inside) and holds(case.params(inside))
    ]
    far = case.most is None and case.is_valid(Fraction(FAR)) and holds(case.params(Fraction(FAR)))
    if not good:
        assume(not far)
        return None
    (low, after), (before, high) = good[0], good[-1]
    ends_there = (before, high) != (Fraction(MOST), Fraction(MOST))
    assume(ends_there or far)
    return Interval((low, low == after), (high, before == high) if ends_there else None)


def answered(answer: Answer) -> tuple[object, bool] | None:
    return None if answer.value is None else (answer.value, answer.attained)


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(CASES, SIGNS, PLACES, st.sampled_from([-1, 0, 0, 1]))
def test_the_end_is_that_of_trying_every_step(
    tmp_path: Path, case: Case, sign: tuple[str, Callable[[int, int], bool]], at: Fraction, by: int
) -> None:
    assume(case.is_valid(case.default))
    budget = case.params(at) + by
    symbol, compare = sign
    truth = left(case, lambda params: compare(params, budget))
    file = tmp_path / "net.yaml"
    file.write_text(case.text(), encoding="utf-8")
    ends: tuple[End, End] = ("largest", "smallest")
    for end in ends:
        answer = ask(file, "w", [f"params {symbol} {budget}"], end=end)[1]
        if truth is None:
            assert answer.verdict is Verdict.INFEASIBLE
            continue
        expected = truth.high if end == "largest" else truth.low
        if expected is None or expected[0] == 0:
            assert answer.verdict is Verdict.UNBOUNDED
            continue
        assert (answer.verdict, answered(answer)) == (Verdict.FOUND, expected)


ONE = """archspec: 1
name: net
symbols: {w: {default: 0.25, domain: real}, k: 3}
let: {c: LAW}
input: [1, 4, 8]
layers:
  - linear: {out_features: c, bias: false}
"""


def asked(tmp_path: Path, law: str, *where: str, name: str = "w", end: End | None = None) -> Answer:
    path = tmp_path / "net.yaml"
    path.write_text(ONE.replace("LAW", f'"{law}"'), encoding="utf-8")
    return ask(path, name, where, end=end)[1]


@pytest.mark.parametrize("channels", [15, 31, 63, 127, 255, 7, 32, 33])
def test_a_step_at_a_power_of_two_is_no_proof_of_more(tmp_path: Path, channels: int) -> None:
    """``floor(32·w)`` stays at so many channels up to the next 32nd: 8 weights for each channel."""
    answer = asked(tmp_path, "floor(32*w)", f"params <= {8 * channels}")
    assert (answer.verdict, answer.value, answer.attained) == (
        Verdict.FOUND,
        Fraction(channels + 1, 32),
        False,
    )


def test_squares_of_what_is_rounded_up_rise(tmp_path: Path) -> None:
    """Two 3×3 convolutions on 32×32: ``9·1024·(3·c + c²)`` MACs, at most 10e6 for c = 31."""
    path = tmp_path / "net.yaml"
    conv = "conv2d: {out_channels: 'ceil(32*width)', kernel_size: 3, padding: 1}"
    path.write_text(
        "archspec: 1\nname: net\nsymbols: {width: {default: 0.25, domain: real}}\n"
        f"input: [1, 3, 32, 32]\nlayers:\n  - {conv}\n  - {conv}\n",
        encoding="utf-8",
    )
    most = max(c for c in range(1, 99) if 9 * 1024 * (3 * c + c * c) <= 10e6)
    answer = ask(path, "width", ["macs <= 10e6"])[1]
    assert (answer.value, answer.attained) == (Fraction(most, 32), True)


def test_no_end_is_claimed_only_where_it_is_proved(tmp_path: Path) -> None:
    """``min(floor(w), 50)`` has at most 400 weights, whatever w; a thousand has no such bound."""
    capped = "min(floor(8*w), 50)"
    assert asked(tmp_path, capped, "params <= 400").verdict is Verdict.UNBOUNDED
    assert asked(tmp_path, capped, "params < 400").value == Fraction(50, 8)
    assert asked(tmp_path, capped, "params > 400").verdict is Verdict.INFEASIBLE
    assert asked(tmp_path, capped, "params >= 400").value == Fraction(50, 8)
    assert asked(tmp_path, capped, "params == 400", end="largest").verdict is Verdict.UNBOUNDED
    assert asked(tmp_path, "min(k, 50)", "params > 400", name="k").verdict is Verdict.INFEASIBLE
    assert asked(tmp_path, "min(k, 50)", "params <= 400", name="k").verdict is Verdict.UNBOUNDED
    huge = asked(tmp_path, "k", "params >= 10**300", name="k")
    assert huge.value == -(-(10**300) // 8)


def test_what_is_not_found_as_far_as_numbers_go_is_not_denied(tmp_path: Path) -> None:
    """``k**48/2**200`` reaches ``10**616`` where the power has more bits than are computed."""
    answer = asked(tmp_path, "k**12", "params*params >= 10**600", name="k")
    assert isinstance(answer.value, int)
    assert 64 * (answer.value - 1) ** 24 < 10**600 <= 64 * answer.value**24
    with pytest.raises(SpecError, match=r"no k was found with .*, but it is not proved to be none"):
        asked(tmp_path, "k**12", "params**4/2**200 >= 10**616", name="k")
    answer = asked(tmp_path, "k**12", "params**4/2**200 <= 10**616", name="k")
    assert answer.verdict is Verdict.OPEN
    assert any("no k was found that breaks" in note for note in answer.notes)


def test_conditions_end_the_line_like_constraints(tmp_path: Path) -> None:
    """No more than 100 positions for ``floor(4·w)`` tokens: w below 25.25, whatever is asked."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "archspec: 1\nname: net\nsymbols: {w: {default: 1, domain: real}}\n"
        "input: [1, 'floor(4*w)', 8]\nlayers:\n  - positional_embedding: {max_length: 100}\n"
        "  - linear: {out_features: 8, bias: false}\n",
        encoding="utf-8",
    )
    for where in ("params <= 1e30", "macs <= 1e30", "macs >= 1"):
        answer = ask(path, "w", [where], end="largest")[1]
        assert (answer.value, answer.attained) == (Fraction(101, 4), False)
    none = ask(path, "w", ["macs >= 6401"])[1]
    assert none.verdict is Verdict.INFEASIBLE
    assert none.at is not None
    assert none.at.numbers["macs"] == 6400


def test_a_single_value_and_none(tmp_path: Path) -> None:
    law = "floor(32*w)"
    assert asked(tmp_path, law, "w == 2").value == 2
    assert asked(tmp_path, law, "w > 2", "w <= 2").verdict is Verdict.INFEASIBLE
    assert asked(tmp_path, law, "w >= 2", "w <= 2").value == 2
    only = asked(tmp_path, "floor(w) + ceil(w)", "params == 32")
    assert (only.value, only.attained) == (2, True)


def test_the_next_value_is_shown_where_no_metric_is_asked_about(tmp_path: Path) -> None:
    answer = asked(tmp_path, "k", "k <= 5", name="k")
    assert answer.beyond is not None
    assert (answer.value, answer.beyond.value, answer.beyond.broken) == (5, 6, ("k <= 5",))


def test_a_quotient_by_the_symbol_is_no_step_function(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="give a step"):
        asked(tmp_path, "max(1, 32//w)", "params <= 80")


def test_a_default_far_beyond_is_no_work(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = ONE.replace("LAW", '"floor(32*w)"').replace("0.25", "1e12")
    path.write_text(text, encoding="utf-8")
    assert ask(path, "w", ["params <= 80"])[1].value == Fraction(11, 32)


def test_values_at_which_a_law_divides_by_zero_are_none(tmp_path: Path) -> None:
    """``(k + 4)//(k % 5)`` has no value at every fifth k; the others are tried."""
    law = "(k + 4)//(k % 5)"

    def weights(k: int) -> int:
        return 8 * ((k + 4) // (k % 5))

    tried = [k for k in range(1, 200) if k % 5]
    least = min(k for k in tried if weights(k) >= 160)
    most = max(k for k in tried if weights(k) <= 160)
    assert asked(tmp_path, law, "params >= 160", name="k", end="smallest").value == least
    assert asked(tmp_path, law, "params <= 160", name="k", end="largest").value == most


def test_the_first_value_is_tried_as_well(tmp_path: Path) -> None:
    """``40//k + k % 2`` is 41 at k = 1 alone, and is not proved to fall."""
    answer = asked(tmp_path, "40//k + k % 2", "params == 328", name="k", end="largest")
    assert answer.value == 1


def test_a_condition_that_rises_between_its_steps_is_searched(tmp_path: Path) -> None:
    """``floor(4*w) + floor(4*w + 1/2) = floor(8*w)`` is at least 1, said as ``4*w + ... >= 1``."""
    law = "floor(4*w) + floor(4*w + 1/2)"
    ends = ("smallest", Fraction(1, 8), True), ("largest", Fraction(6, 8), False)
    for end, value, attained in ends:
        answer = asked(tmp_path, law, "params <= 40", end=end)  # type: ignore[arg-type]
        assert (answer.value, answer.attained) == (value, attained)
    assert asked(tmp_path, law, "params <= 7").verdict is Verdict.INFEASIBLE

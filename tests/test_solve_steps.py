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

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from costmodel.questions import Answer, Verdict
from costmodel.solve import ask

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
    max_examples=150,
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
    for end in ("largest", "smallest"):
        answer = ask(file, "w", [f"params {symbol} {budget}"], end=end)[1]
        if truth is None:
            assert answer.verdict is Verdict.INFEASIBLE
            continue
        expected = truth.high if end == "largest" else truth.low
        if expected is None or expected[0] == 0:
            assert answer.verdict is Verdict.UNBOUNDED
            continue
        assert (answer.verdict, answered(answer)) == (Verdict.FOUND, expected)

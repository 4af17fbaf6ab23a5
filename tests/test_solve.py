"""Laws asked backwards, against every value one by one."""

import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer

from archspec import SpecError
from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, RoundTo, floor_div
from costmodel.algebra.monotonicity import Steps, trend
from costmodel.algebra.symbols import symbol
from costmodel.analysis.loading import analyze
from costmodel.studies.search import Answer, Verdict
from tests.commands import Done, run_here
from tests.conftest import ask, examples

ROOT = Path(__file__).parent.parent
X, R = symbol("x"), symbol("r", "real")
SMALL = st.integers(-5, 12)
POSITIVE = st.integers(1, 9)


def extended(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(lambda a, k: k * a, inner, SMALL),
        st.builds(lambda a, k: a / (k + a**2), inner, POSITIVE),
        st.builds(floor_div, inner, POSITIVE),
        st.builds(lambda a, k: RoundTo(a, Integer(k)), inner, POSITIVE),
        st.builds(Maximum, inner, inner),
        st.builds(Minimum, inner, inner),
    )


INTEGER_LAWS = st.recursive(st.one_of(st.just(X), SMALL.map(Integer)), extended, max_leaves=6)


@settings(max_examples=examples(500), suppress_health_check=[HealthCheck.filter_too_much])
@given(INTEGER_LAWS, POSITIVE)
def test_a_trend_that_is_claimed_is_true(law: Expr, least: int) -> None:
    way = trend(law, X, least)
    assume(way is not None)
    values = [Evaluator({X: x})(law) for x in range(least, least + 40)]
    for before, after in pairwise(values):
        assert {0: after == before, 1: after >= before, -1: after <= before}[way or 0]


@pytest.mark.parametrize(
    ("law", "way"),
    [
        (X**2 - 3 * X, 1),
        (5 - X, -1),
        (7 / X + 2, -1),
        ((3 * X + 1) / (X + 2), 1),
        ((X + 9) / (X + 2), -1),
        (floor_div(X - 63, 32) * 5, 1),
        (-floor_div(-R, 1) * RoundTo(3 * R, Integer(8)), 1),
        (Maximum(X, Integer(7)) + Minimum(X, Integer(3)), 1),
        (X * (X - 4), 1),
        (floor_div(-R, 3) ** 2, 1),
        (floor_div(-R, 3) ** 3, -1),
        (-(floor_div(-R, 3) ** 3) * floor_div(5 - 2 * R, 2), -1),
        (1 / floor_div(-R, 3) ** 2, -1),
        (floor_div(6 * X, floor_div(X + 9, 2) + X), None),
        (floor_div(Integer(64), floor_div(-X, 2) ** 2), -1),
        (Integer(12), 0),
    ],
)
def test_trends_that_are_proved_from_4_on(law: Expr, way: int | None) -> None:
    (free,) = law.free_symbols or {X}
    assert trend(law, free, 4) == way


@given(
    st.lists(st.tuples(POSITIVE, SMALL, POSITIVE, st.booleans()), min_size=1, max_size=4),
    st.fractions(0, 3, max_denominator=50),
    st.fractions(0, 3, max_denominator=50),
)
def test_nothing_changes_between_two_steps(
    parts: list[tuple[int, int, int, bool]], a: Fraction, b: Fraction
) -> None:
    law: Expr = Integer(1)
    for slope, start, unit, rounds in parts:
        inner = Maximum(slope * R + start, Integer(2))
        law += (RoundTo(inner, Integer(unit)) if rounds else floor_div(inner, unit)) ** 2
    steps = Steps([law], R)
    assert steps.are_all
    assume(a != b)
    low, high = sorted((a + 1, b + 1))
    places = sorted({low, *steps.within(low, high), high})
    assert len(places) - 2 <= steps.count(low, high)
    for before, after in pairwise(places):
        inside = [before + (after - before) * k / 7 for k in range(1, 7)]
        assert len({Evaluator({R: x})(law) for x in inside}) == 1


NET = """archspec: 1
name: net
symbols:
  n: 1
  h: {{default: 12, max: 40}}
  c: {{default: 8, max: 40}}
  g: {{default: 2, max: 40}}
input: [n, c, h, h]
layers:
  - conv2d: {{out_channels: 24, kernel_size: 3, stride: 2, groups: g}}
  - maxpool2d: {{kernel_size: {kernel}, stride: 2}}
  - conv2d: {{out_channels: 2*c, kernel_size: 1}}
  - flatten
  - linear: {{out_features: 10}}
"""
METRIC = st.sampled_from(["macs", "params", "activations", "activations_peak", "macs/params"])
BOUND = st.tuples(METRIC, st.sampled_from(["<=", "<", ">=", ">"]), st.floats(0.05, 5))


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from("hcg"),
    st.lists(BOUND, min_size=1, max_size=3),
    st.sampled_from(["largest", "smallest"]),
    st.integers(1, 3),
    st.sampled_from([1, 2, 4]),
)
def test_the_answer_is_that_of_trying_every_value(
    tmp_path: Path, name: str, bounds: list[tuple[str, str, float]], end: str, kernel: int, g: int
) -> None:
    """Random systems of constraints, near the numbers at the defaults, on all 40 values."""
    file = tmp_path / "net.yaml"
    file.write_text(NET.format(kernel=kernel), encoding="utf-8")
    usual = {"macs": 60_000, "params": 3_000, "activations": 2_500, "activations_peak": 2_000}
    where = [f"{m} {sign} {int(usual.get(m, 20) * much)}" for m, sign, much in bounds]
    fixed = {} if name == "g" else {"g": g}
    problem, answer = ask(file, name, where, end=end, settings=fixed)  # type: ignore[arg-type]
    feasible = [x for x in range(1, 41) if not problem.sample(x).broken]
    assert answer.value == (max if end == "largest" else min)(feasible, default=None)
    assert (answer.verdict is Verdict.INFEASIBLE) == (not feasible)


def asked(spec: str, name: str, *where: str, **options: object) -> Answer:
    return ask(ROOT / "specs" / spec, name, where, **options)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize("bound", [60e6, 97_131_840, 200e6, 300e6, 300_774_272, 5e8])
def test_the_largest_width_of_mobilenet_v2(bound: float) -> None:
    """Everywhere on a fine grid the constraint holds below the answer and not beyond it."""
    problem, answer = ask(ROOT / "specs/mobilenetv2.yaml", "width", [f"macs <= {int(bound)}"])
    (constraint,) = problem.constraints
    assert answer.value is not None
    for k in range(1, 3 * 480):
        width = Fraction(k, 480)
        inside = width <= answer.value if answer.attained else width < answer.value
        assert problem.holds(constraint, width) == inside
    assert problem.holds(constraint, answer.value) == answer.attained


def test_the_certificate_is_the_numbers_there_and_beyond() -> None:
    answer = asked("resnet.yaml@resnet50", "h", "macs <= 10e9", assume=["w == h"])
    assert answer.at is not None
    assert answer.beyond is not None
    assert (answer.value, answer.beyond.value) == (344, 345)
    assert answer.at.numbers["macs"] <= 10**10 < answer.beyond.numbers["macs"]
    assert answer.beyond.broken == ("macs <= 10e9",)


def test_values_are_the_multiples_that_the_network_asks_for() -> None:
    answer = asked(
        "unet.yaml", "h", "activations_peak >= 1e8", assume=["w == h"], convention="lecture"
    )
    assert (answer.end, answer.value, answer.step) == ("smallest", 640, 16)
    answer = asked("gpt2.yaml", "d", "params <= 1e9", convention="torch")
    assert (answer.value, answer.step) == (2460, 12)


def test_bounds_that_conditions_set() -> None:
    """AlexNet's groups divide 32; GPT-2 has 1,024 positions."""
    assert asked("alexnet.yaml", "g", "macs >= 1").value == 32
    assert asked("gpt2.yaml", "t", "macs <= 1e15").value == 1024


def test_infeasible_and_unbounded_are_answers() -> None:
    none = asked("alexnet.yaml", "h", "macs <= 1e6")
    assert none.verdict is Verdict.INFEASIBLE
    assert none.at is not None
    assert none.at.broken == ("macs <= 1e6",)
    every = asked("gpt2.yaml", "n", "params <= 1e15")
    assert (every.verdict, every.value) == (Verdict.UNBOUNDED, None)


def test_unbounded_is_shown_as_far_as_numbers_are_computed(tmp_path: Path) -> None:
    """``k**11`` channels have 2,817 bits at 2**256, more than are computed, and 1,409 at 2**128."""
    spec = tmp_path / "steep.yaml"
    layer = "conv2d: {out_channels: k**11, kernel_size: 1}"
    head = "archspec: 1\nname: steep\nsymbols: {k: 2}\ninput: [1, 3, 8, 8]\n"
    spec.write_text(f"{head}layers: [{layer}, {layer}]\n", encoding="utf-8")
    answer = ask(spec, "k", ["macs >= 1e9"], end="largest")[1]
    assert (answer.verdict, answer.at and answer.at.value) == (Verdict.UNBOUNDED, 2**128)


def test_the_best_order_of_one_value_decides_no_other(tmp_path: Path) -> None:
    """With a = 1 the other branch goes first: 52 would fit 11,000 bytes, where 101 does, by hand.

    Of int8, with the wide branch last: the narrow one's second layer holds 800 + 100·a + 100 bytes.
    """
    spec = tmp_path / "order.yaml"
    conv = "{{conv2d: {{out_channels: {}, kernel_size: 1}}}}"
    wide, narrow = ([conv.format(size) for size in sizes] for sizes in ((50, 20), ("a", 1)))
    branches = ", ".join(f"[{', '.join(branch)}]" for branch in (wide, narrow))
    head = "archspec: 1\nname: order\nsymbols: {a: 1}\ninput: [1, 8, 10, 10]\n"
    parallel = f"{{parallel: {{branches: [{branches}], merge: concat}}}}"
    spec.write_text(f"{head}layers: [{parallel}]\n", encoding="utf-8")
    with pytest.raises(SpecError, match="searched for at numbers"):
        ask(spec, "a", ["memory_peak_best <= 11000"], end="largest")
    for a, peak in ((53, 7100), (101, 11000), (102, 11100)):
        found = analyze(spec, settings={"a": a}, scenario={"dtype": "int8"})
        assert found.at().memory_peak_best == peak


def test_the_first_value_is_tried(tmp_path: Path) -> None:
    """One turn needs 25 floats for 8 and 9 beside a side of 8, two need 33: only one fits 30."""
    body = "[linear: {out_features: 8}, side: [relu: ], sigmoid: , linear: {out_features: 9}]"
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\nsymbols: {L: 3}\ninput: [1, 4]\n"
        f"layers: [repeat: {{times: L, layers: {body}}}, linear: {{out_features: 5}}]\n"
    )
    answer = asked(str(spec), "L", "memory_peak <= 120")
    assert answer.value == 1


def test_what_was_not_tried_is_said() -> None:
    answer = asked("mobilenetv2.yaml", "width", "macs/params >= 100", step="0.5")
    assert answer.verdict is Verdict.OPEN
    assert any("no value above" in note for note in answer.notes)


HOLES = """archspec: 1
name: net
symbols: {n: 1, h: 32, width: {default: 1, domain: real}}
let: {c: "floor(64*width)"}
input: [n, 3, h, h]
layers:
  - conv2d: {out_channels: c, kernel_size: 3, padding: 1}
  - conv2d: {out_channels: c, kernel_size: 3, padding: 1, groups: 4}
"""


@pytest.mark.parametrize("end", ["largest", "smallest"])
@pytest.mark.parametrize(
    "where",
    [
        ["params <= 3000"],
        ["params >= 3000"],
        ["macs >= 6e6", "macs <= 10e6"],
        ["width <= 0.7", "params >= 100"],
        ["params <= 3"],
        ["macs >= 5e6 and width < 0.7"],
    ],
)
def test_real_values_with_holes(tmp_path: Path, where: list[str], end: str) -> None:
    """Groups of 4 divide ``floor(64*width)``: every 64th up to 3 is tried, and between them."""
    file = tmp_path / "net.yaml"
    file.write_text(HOLES, encoding="utf-8")
    problem, answer = ask(file, "width", where, end=end)  # type: ignore[arg-type]
    grid = [Fraction(k, 128) for k in range(1, 3 * 128)]
    feasible = [x for x in grid if not problem.sample(x).broken]
    if answer.verdict is Verdict.INFEASIBLE:
        assert not feasible
        return
    assert answer.at is not None
    assert not problem.sample(answer.at.value).broken
    if answer.verdict is Verdict.UNBOUNDED:
        assert any(value in feasible for value in grid[-8:])
        return
    assert answer.value is not None
    most = max(feasible) if end == "largest" else min(feasible)
    step = Fraction(1, 128)
    assert abs(answer.value - most) <= step
    assert (answer.value >= most) if end == "largest" else (answer.value <= most)
    assert answer.attained == (not problem.sample(answer.value).broken)


def test_values_of_any_size() -> None:
    answer = asked("unet.yaml", "n", "macs <= 10**50")
    assert answer.value is not None
    assert answer.value * 48_171_581_440 <= 10**50 < (answer.value + 1) * 48_171_581_440


def test_small_values_of_a_real_symbol() -> None:
    answer = asked("resnet.yaml@resnet50", "width", "width <= 0.01")
    assert (answer.value, answer.attained) == (Fraction(1, 100), True)


def test_two_comparisons_in_one_are_told_apart() -> None:
    answer = asked("resnet.yaml@resnet50", "h", "1e9 <= macs < 2e9", assume=["w == h"])
    assert [note.partition(" holds")[0] for note in answer.notes] == ["1e9 <= macs", "macs < 2e9"]


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("wide", ["macs <= 1"], "there is no symbol 'wide'.*did you mean 'width'"),
        ("width", ["mac <= 1"], "unknown name 'mac'.*did you mean 'macs'"),
        ("width", ["macs"], "no comparison"),
        ("width", ["macs <="], "expected a"),
        ("width", ["n <= 3"], "speaks of no metric and of no open symbol"),
        ("width", ["macs != 3"], "no comparison with <="),
        ("width", ["macs <= 3 or params <= 3"], "no comparison with <="),
        ("width", [], "nothing is asked for"),
        ("width", ["macs/params >= 100"], "not proved to rise or fall.*--step"),
    ],
)
def test_bad_questions(name: str, where: list[str], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        asked("mobilenetv2.yaml", name, *where)
    assert re.search(words, str(caught.value), re.DOTALL), caught.value


def test_bad_options() -> None:
    with pytest.raises(SpecError, match="'width' is set"):
        asked("mobilenetv2.yaml", "width", "macs <= 1e9", settings={"width": 1})
    with pytest.raises(SpecError, match="assumed to equal another"):
        asked("mobilenetv2.yaml", "w", "macs <= 1e9", assume=["w == h"])
    with pytest.raises(SpecError, match="step = -1 must be positive"):
        asked("mobilenetv2.yaml", "width", "macs <= 1e9", step=-1)


def run(*arguments: str) -> Done:
    return run_here("solve", *arguments)


def test_the_command() -> None:
    spec = "specs/mobilenetv2.yaml"
    found = run(spec, "--for", "width", "--where", "macs <= 300e6", "params <= 3e6")
    assert found.returncode == 0
    assert "breaks macs <= 300e6" in found.stdout or "breaks params <= 3e6" in found.stdout
    none = run(spec, "--for", "width", "--where", "macs <= 3", "--format", "json")
    assert none.returncode == 1
    assert json.loads(none.stdout)["verdict"] == "infeasible"
    bad = run(spec, "--for", "width", "--where", "macs <= 3", "--largest", "--smallest")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 2)


def test_a_line_in_the_symbol_itself() -> None:
    answer = asked("mobilenetv2.yaml", "width", "width < 1.5")
    value: Rational | None = answer.value
    assert (value, answer.attained) == (Fraction(3, 2), False)

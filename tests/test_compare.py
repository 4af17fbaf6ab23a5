"""Networks side by side, and where their order changes: by hand, and against all values."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer

from archspec import SpecError
from archspec.arithmetic import Rational
from costmodel.algebra import sign_chart as chart_module
from costmodel.algebra.domains import Domain
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, RoundTo, floor_div
from costmodel.algebra.sign_chart import Order, Ranking, leaders, order_of, rank, sign_chart
from costmodel.algebra.symbols import symbol
from costmodel.analysis.loading import analyze
from costmodel.studies.compare import ComparedNetwork, NetworkComparison, labels
from costmodel.studies.revisions import SpecSource
from tests.conftest import ROOT, Run, examples, thinned
from tests.test_solve import INTEGER_LAWS, X

Golden = Callable[[str, str], None]
R = symbol("r", "real")


def always(value: Rational) -> bool:
    return value > 0


def orders_at(ranking: Ranking, value: Rational) -> list[Order]:
    """The orders of the stretches that a value is in."""
    return [
        each.order
        for each in ranking.stretches
        if (each.first < value if each.after else each.first <= value)
        and (each.last is None or (value < each.last if each.before else value <= each.last))
    ]


@settings(
    max_examples=examples(300), suppress_health_check=[HealthCheck.filter_too_much], deadline=None
)
@given(st.lists(INTEGER_LAWS, min_size=2, max_size=3), st.integers(1, 9), st.booleans())
def test_the_order_is_that_of_trying_every_value(
    laws: list[Expr], first: int, has_end: bool
) -> None:
    """Every value up to 60 is in one stretch, with its own order."""
    assume(any(law.has(X) for law in laws))
    domain = Domain(first, 60 if has_end else None, 1)
    found = rank(laws, X, domain, first, always)
    for value in range(first, 61):
        if found.limit is None or value <= found.limit:
            order = order_of([Evaluator({X: value})(law) for law in laws])
            assert orders_at(found, value) == [order]


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3),
        min_size=2,
        max_size=3,
    )
)
def test_the_order_of_steps_over_all_real_values(parts: list[list[tuple[int, int]]]) -> None:
    """Laws of floors and roundings, at 200 values up to the limit and at every place itself."""
    laws = [
        sum((RoundTo(a * R, Integer(b)) * floor_div(b * R, a) for a, b in each), Integer(0))
        for each in parts
    ]
    found = rank(laws, R, Domain(0, None, None), 1, always)
    limit = Fraction(4 if found.limit is None else found.limit)
    places = {Fraction(each.first) for each in found.stretches if each.first > 0}
    for value in {*places, *(limit * k / 200 for k in range(1, 200))}:
        order = order_of([Evaluator({R: value})(law) for law in laws])
        assert orders_at(found, value) == [order]


def test_a_crossing_by_hand() -> None:
    """``x² < 100·x`` below 100, equal there, and more from 101 on."""
    found = rank([X**2, 100 * X], X, Domain(1, None, 1), 1, always)
    assert [(s.order, s.first, s.last) for s in found.stretches] == [
        (((0,), (1,)), 1, 99),
        (((0, 1),), 100, 100),
        (((1,), (0,)), 101, None),
    ]
    assert (found.changes_at, found.limit) == (100, None)


def test_maxima_are_equal_where_they_share_their_largest_term() -> None:
    """``max(20, x)`` and ``max(30, x)``: less up to 29, the same x from 30 on."""
    found = rank(
        [Maximum(Integer(20), X), Maximum(Integer(30), X)], X, Domain(1, None, 1), 1, always
    )
    assert [(s.first, s.last, len(s.order)) for s in found.stretches] == [(1, 29, 2), (30, None, 1)]


def test_a_line_crosses_at_a_fraction() -> None:
    """``3·r`` and ``r + 1`` meet at 1/2."""
    found = rank([3 * R, R + 1], R, Domain(0, None, None), 1, always)
    assert [(s.first, s.last, s.after, s.before) for s in found.stretches] == [
        (0, Fraction(1, 2), True, True),
        (Fraction(1, 2), Fraction(1, 2), False, False),
        (Fraction(1, 2), None, True, False),
    ]


def test_a_line_crosses_steps_between_their_places() -> None:
    """``2·r`` and ``floor(r) + 1``: equal at 1/2, which is no step, and at 1, which is one."""
    found = rank([2 * R, floor_div(R, 1) + 1], R, Domain(0, 2, None), 1, always)
    half, less, equal, more = Fraction(1, 2), ((0,), (1,)), ((0, 1),), ((1,), (0,))
    assert [(s.order, s.first, s.last) for s in found.stretches] == [
        (less, 0, half),
        (equal, half, half),
        (more, half, 1),
        (equal, 1, 1),
        (more, 1, 2),
    ]
    assert found.limit is None


def test_the_sign_of_an_expression_by_hand() -> None:
    """``x² - 10·x + 9`` is 0 at 1 and 9; multiples of 2 pass it by."""
    found = sign_chart(X**2 - 10 * X + 9, X, Domain(1, None, 1))
    assert [(s.sign, s.first, s.last) for s in found.stretches] == [
        (0, 1, 1),
        (-1, 2, 8),
        (0, 9, 9),
        (1, 10, None),
    ]
    even = sign_chart(X**2 - 10 * X + 9, X, Domain(1, None, 2))
    assert [(s.sign, s.first, s.last) for s in even.stretches] == [(-1, 2, 8), (1, 10, None)]
    assert found.is_decided


@settings(
    max_examples=examples(100), suppress_health_check=[HealthCheck.filter_too_much], deadline=None
)
@given(st.lists(INTEGER_LAWS, min_size=2, max_size=4), st.integers(1, 9), st.booleans())
def test_the_leader_is_that_of_trying_every_value(
    laws: list[Expr], first: int, has_end: bool
) -> None:
    """Every value up to 60 has one leader, which is one of the largest there."""
    assume(any(law.has(X) for law in laws))
    found = leaders(laws, X, Domain(first, 60 if has_end else None, 1), always)
    for value in range(first, 61):
        if found.limit is None or value <= found.limit:
            numbers = [Evaluator({X: value})(law) for law in laws]
            (order,) = orders_at(found, value)
            assert numbers[order[-1][0]] == max(numbers)


def test_what_is_not_decided_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two waves of floors, of which none is proved to exceed the other: the limit is told."""
    monkeypatch.setattr(chart_module, "MAX_VALUES", 50)
    laws = [floor_div(X, 7) * 7, floor_div(X, 5) * 5]
    found = rank(laws, X, Domain(1, None, 1), 1, always)
    assert found.limit is not None
    assert 40 <= found.limit <= 60
    for value in range(1, int(found.limit) + 1):
        assert orders_at(found, value) == [order_of([value // 7 * 7, value // 5 * 5])]


def test_laws_are_compared_as_far_as_their_numbers_are_computed() -> None:
    """``x**40`` has more bits than are computed long before the last value that is looked at."""
    found = rank([X**40, 9 * X**41], X, Domain(1, None, 1), 1, always)
    assert found.stretches == ((((0,), (1,)), 1, None, False, False),)
    divided = [X / (X**2 + 2), X**2 / ((X**2 + 2) ** 2 * (X**4 / (X**2 + 2) ** 4 + 8)), X]
    found = rank(divided, X, Domain(7, None, 1), 7, always)
    assert found.stretches == ((((1,), (0,), (2,)), 7, None, False, False),)


def test_values_that_are_not_valid_are_left_out() -> None:
    found = rank([X, 2 * X], X, Domain(1, None, 1), 1, lambda value: value % 4 == 0)
    assert found.stretches[0].first == 4


SMALL = """archspec: 1
name: small
symbols: {{n: 1, h: 16, k: 3}}
input: [n, 3, h, h]
layers:
{layers}
"""


def network(folder: Path, name: str, *layers: str, **settings: int) -> ComparedNetwork:
    file = folder / f"{name}.yaml"
    file.write_text(SMALL.format(layers="\n".join(layers)), encoding="utf-8")
    return ComparedNetwork(name, analyze(file, settings=settings), frozenset(settings))


def test_two_networks_by_hand(tmp_path: Path) -> None:
    """A 1×1 convolution to 8 channels, pooled by 4, linear to 4: 24·h² + 32·(h//4)² <= 26·h² MACs.

    A linear layer to 10 of the input itself: 30·h², so more wherever the pooling fits, from 4 on.
    """
    conv = "  - conv2d: {out_channels: 8, kernel_size: 1}"
    a = network(tmp_path, "a", conv, "  - maxpool2d: {kernel_size: 4, stride: 4}", "  - flatten",
                "  - linear: {out_features: 4}")  # fmt: skip
    b = network(tmp_path, "b", "  - flatten", "  - linear: {out_features: 10}")
    found = NetworkComparison((a, b), ("macs",))
    assert [analysis.value("macs") for analysis in found.analyses] == [6144 + 512, 7680]
    (by_n, by_h) = found.orders
    assert [along.name for along in (by_n, by_h)] == ["n", "h"]
    (crossing,) = by_h.crossings
    assert crossing.ranking is not None
    assert [(s.order, s.first, s.last) for s in crossing.ranking.stretches] == [
        (((0,), (1,)), 4, None)
    ]


def test_params_that_cross_by_hand(tmp_path: Path) -> None:
    """A 3×3 convolution to 8 has 216 params at any h; a linear layer to 1 has 3·h²: more from 9."""
    a = network(tmp_path, "a", "  - conv2d: {out_channels: 8, kernel_size: 3, padding: 1}")
    b = network(tmp_path, "b", "  - flatten", "  - linear: {out_features: 1}")
    (along,) = NetworkComparison((a, b), ("params",), along="h").orders
    ranking = along.crossings[0].ranking
    assert ranking is not None
    assert [(s.order, s.first, s.last) for s in ranking.stretches] == [
        (((1,), (0,)), 1, 8),
        (((0,), (1,)), 9, None),
    ]


def test_a_symbol_that_is_set_is_not_varied(tmp_path: Path) -> None:
    nets = tuple(network(tmp_path, name, "  - relu", h=8) for name in "ab")
    assert NetworkComparison(nets).shared == ("n", "k")
    with pytest.raises(SpecError, match="share no open symbol 'h'"):
        _ = NetworkComparison(nets, along="h").orders


@pytest.fixture(scope="module")
def three() -> tuple[ComparedNetwork, ...]:
    specs = ("resnet.yaml@resnet50", "vgg.yaml@vgg16", "mobilenetv2.yaml")
    return tuple(ComparedNetwork(spec, analyze(ROOT / "specs" / spec)) for spec in specs)


@pytest.mark.parametrize("name", thinned(["n", "h", "c", "w", "classes"]))
def test_the_zoo_against_all_values(name: str, three: tuple[ComparedNetwork, ...]) -> None:
    """ResNet-50, VGG-16 and MobileNetV2 by all metrics, each at values up to 300."""
    metrics = ("params", "macs", "activations", "activations_peak", "memory_peak")
    (along,) = NetworkComparison(three, metrics, along=name).orders
    for crossing in along.crossings:
        for value in range(1, 301, 13):
            if crossing.ranking is None or not all(
                net.analysis.is_valid_at({name: value}) for net in three
            ):
                continue
            points = [net.analysis.at(**{name: value}) for net in three]
            order = order_of([getattr(point, crossing.metric.name) for point in points])
            assert orders_at(crossing.ranking, value) == [order]


def test_where_vgg_has_fewer_weights_than_resnet() -> None:
    """By channels c: VGG-16 has 576·c + 138,342,400, ResNet-50 3,136·c + 25,493,504 weights.

    They meet at 112,848,896/2,560 = 44,081.6.
    """
    specs = ("resnet.yaml@resnet50", "vgg.yaml@vgg16")
    found = (analyze(ROOT / "specs" / spec, convention="lecture") for spec in specs)
    nets = tuple(map(ComparedNetwork, specs, found))
    (along,) = NetworkComparison(nets, ("params",), along="c").orders
    ranking = along.crossings[0].ranking
    assert ranking is not None
    assert (ranking.changes_at, ranking.limit) == (44_082, None)


def test_labels_are_as_short_as_they_can_be() -> None:
    assert labels([SpecSource("a/x.yaml", None, "v"), SpecSource("a/y.yaml")]) == ("v", "y")
    assert labels([SpecSource("x.yaml", None, "v"), SpecSource("y.yaml", None, "v")]) == (
        "x@v",
        "y@v",
    )
    assert labels([SpecSource("a/x.yaml"), SpecSource("b/x.yaml")]) == ("a/x.yaml", "b/x.yaml")
    assert labels([SpecSource("x.yaml"), SpecSource("x.yaml", "main")]) == ("x.yaml", "main:x.yaml")
    assert labels([SpecSource("x.yaml")] * 2) == ("x.yaml (1)", "x.yaml (2)")


VIEWS: dict[str, tuple[str, ...]] = {
    "compare-80.txt": ("specs/resnet.yaml@resnet50", "specs/vgg.yaml@vgg16"),
    "compare-200.txt": ("specs/vgg.yaml@*", "--metric", "params", "macs"),
    "compare-width.txt": (
        *("specs/mobilenetv2.yaml", "specs/mobilenet.yaml", "--for", "width"),
        *("--step", "0.05", "--metric", "params", "macs"),
    ),
    "compare.md": ("specs/resnet.yaml@resnet50", "specs/vgg.yaml@vgg16", "--for", "c"),
    "compare.json": (
        *("specs/resnet.yaml@resnet50", "specs/vgg.yaml@vgg16", "--for", "c"),
        *("--metric", "params", "macs"),
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, archcost: Run, golden: Golden) -> None:
    formats = {".md": "markdown", ".json": "json"}
    shown = formats.get(Path(name).suffix, "table")
    columns = 200 if "200" in name else 80
    done = archcost("compare", *VIEWS[name], "--format", shown, columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    golden(name, done.stdout)


def test_numbers_where_there_is_no_law(tmp_path: Path, archcost: Run) -> None:
    """Iterations that grow by g channels have no law in half bytes while their number is open.

    By hand, of the last merge of two turns at h = 9: 81·(c + g) enter, 81·g are added, 81·(c + 2g)
    leave, in half bytes.
    """
    text = """
archspec: 1
name: net
symbols: {{n: 1, L: 2, h: 9}}
input: [n, {c}, h, h]
layers:
  - repeat:
      times: L
      layers:
        - parallel:
            branches: [[], [conv2d: {{out_channels: {g}, kernel_size: 3, padding: 1}}]]
            merge: concat
"""
    specs = []
    for c, g in ((5, 3), (7, 5)):
        specs.append(str(tmp_path / f"net{c}.yaml"))
        Path(specs[-1]).write_text(text.format(c=c, g=g))
    asked = ("compare", *specs, "--metric", "memory_peak", "macs", "--dtype", "int4")
    found = json.loads(archcost(*asked, "--format", "json").stdout)
    for network, (c, g) in zip(found["networks"], ((5, 3), (7, 5)), strict=True):
        peak = network["metrics"]["memory_peak"]
        assert peak["value"] == sum(-(-81 * each // 2) for each in (c + g, g, c + 2 * g))
        assert peak["expr"] is None
        assert network["metrics"]["macs"]["expr"] is not None
    orders = {along["symbol"]: along for along in found["orders"]}
    assert orders["L"]["lawless"] == {"memory_peak": ["net5", "net7"]}
    assert "memory_peak" not in orders["L"]["metrics"]
    assert orders["h"]["lawless"] == {}
    (stretch,) = orders["h"]["metrics"]["memory_peak"]["stretches"]
    assert stretch["order"] == [["net5"], ["net7"]]
    shown = " ".join(archcost(*asked).stdout.split())
    assert "not compared: no law in L of net5, net7 peak memory" in shown


def test_ratios(archcost: Run) -> None:
    """VGG-16 has 138,357,544/25,557,032 times the parameters of ResNet-50."""
    done = archcost("compare", *VIEWS["compare.json"], "--format", "json")
    shown: dict[str, Any] = json.loads(done.stdout)
    first, second = (net["metrics"]["params"] for net in shown["networks"])
    assert (first["ratio"], second["ratio"]) == (1, 138_357_544 / 25_557_032)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("specs/vgg.yaml",), "one network alone is not compared"),
        (("specs/vgg.yaml", "specs/resnet.yaml", "--for", "width"), "share no open symbol 'width'"),
        (("specs/vgg.yaml", "specs/resnet.yaml", "--step", "0"), "step = 0 must be positive"),
        (("specs/vgg.yaml", "specs/resnet.yaml", "--format", "xml"), "unknown format 'xml'"),
        (("specs/vgg.yaml", "nope:specs/vgg.yaml"), "cannot read nope:specs/vgg.yaml"),
    ],
)
def test_bad_questions(archcost: Run, arguments: tuple[str, ...], message: str) -> None:
    done = archcost("compare", *arguments)
    assert done.returncode == 2
    assert message in done.stderr

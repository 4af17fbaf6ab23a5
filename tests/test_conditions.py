"""The conditions of a result: true ones, all of them, and none that the others imply.

The truth is the network itself, analysed in numbers at each point, or plain integers.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from math import ceil, floor
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import SpecError, load
from archspec.arithmetic import round_to
from costmodel import Analysis, analyze
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, condition_text
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import floor_div
from costmodel.algebra.reduction import (
    decided_extrema,
    is_at_least_where,
    reached_branches,
    reduced,
    with_exact_floors,
)
from costmodel.algebra.residues import U, about, growth, shortest
from costmodel.algebra.symbols import symbol
from costmodel.analysis.loading import Setup, unchecked
from costmodel.scenario.conventions import find_convention
from tests.conditioned import BOX, Spec, draw_conditioned
from tests.conftest import examples, share
from tests.test_algebra import condition_of, heights, law, least_of, points, statements

SPECS = Path(__file__).parent.parent / "specs"
PYTHON = {"ceil": ceil, "floor": floor, "min": min, "max": max, "round_to": round_to}
quick = settings(deadline=None, max_examples=examples(100))

Point = Mapping[str, Any]


def holds(text: str, point: Point) -> bool:
    """Whether a printed condition is true, as Python reads it."""
    return bool(eval(text, {"__builtins__": {}, **PYTHON}, dict(point)))


# What is printed.

HEAD = (
    "archspec: 1\nname: net\nsymbols: {n: 1, a: 2, b: 4, d: 8, h: 128, t: 4, k: 1, L: 4, E: 8,"
    " top: 2, width: {default: 1, domain: real}}\n"
)

PRINTED: dict[str, tuple[str, str, list[str], list[str]]] = {
    "an exact quotient": (
        "[n, 8, h]",
        "[{conv1d: {out_channels: 64/b, kernel_size: 3, stride: 64/b}}]",
        [],
        ["64 % b == 0", "h >= 3"],
    ),
    "a strided convolution of a multiple, added": (
        "{x: [n, 3, a*t], y: [n, 3, t]}",
        "[{conv1d: {out_channels: 3, kernel_size: 5, stride: a, padding: 2}, from: x, name: c},"
        " {add: , from: [c, y]}]",
        [],
        [],
    ),
    "what a rounded-up size is at least": (
        "[n, 3]",
        "[{linear: {out_features: 4*ceil(8*width) - 1}}]",
        [],
        [],
    ),
    "halves of halves": (
        "[n, 4, h]",
        "[{conv1d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1}},"
        " {reshape: {shape: [n, 4, ceil(h/2)/4, 4]}},"
        " {reshape: {shape: [n, 4, ceil(h/4)/2, 4]}}]",
        [],
        ["ceil(h/2) % 4 == 0"],
    ),
    "multiples of a floor": (
        "[n, 4, h]",
        "[{reshape: {shape: [n, 4, h/64, 64]}}, {reshape: {shape: [n, 4, ((h + 32)//64)/2, 128]}}]",
        [],
        ["h % 128 == 0"],
    ),
    "experts of turns that may not happen": (
        "[n, 5, d]",
        "[{repeat: {times: L - k, layers: [{moe: {experts: E, top_k: top, layers:"
        " [{linear: {out_features: d}}]}}]}}]",
        [],
        ["(k >= L or E >= top)", "L >= k"],
    ),
    "experts of turns that happen": (
        "[n, 5, d]",
        "[{repeat: {times: L - k, layers: [{moe: {experts: E, top_k: top, layers:"
        " [{linear: {out_features: d}}]}}]}}]",
        ["L > k"],
        ["E >= top"],
    ),
    "heads of turns that may not happen": (
        "[n, 5, d]",
        "[{repeat: {times: L//2, layers: [{self_attention: {heads: 8}}]}}]",
        [],
        ["(d % 8 == 0 or 1 >= L)"],
    ),
    "heads of turns that happen": (
        "[n, 5, d]",
        "[{repeat: {times: L//2, layers: [{self_attention: {heads: 8}}]}}]",
        ["L % 2 == 0"],
        ["d % 8 == 0"],
    ),
    "the quotient of what is assumed": (
        "[n, 5, h]",
        "[{linear: {out_features: (h/32)/2}}]",
        ["h % 32 == 0"],
        ["h % 64 == 0"],
    ),
    "a stride that grows": (
        "[n, 3, h]",
        "[{conv1d: {out_channels: 4, kernel_size: 3, stride: h//64 + 1, padding: 1}},"
        " {maxpool1d: {kernel_size: 3, stride: h//64 + 1, padding: 1}}]",
        [],
        [],
    ),
    "a stride that is never less than 1": (
        "[n, 3, h]",
        "[{conv1d: {out_channels: 4, kernel_size: 3, stride: 2*k - 1, padding: 1}},"
        " {maxpool1d: {kernel_size: 3, stride: 'max(1, h//40)', padding: 1}}]",
        [],
        [],
    ),
    "a multiple that is at least 1": (
        "[n, 4, h]",
        "[{conv_transpose1d: {out_channels: 4, kernel_size: k, stride: 3, padding: k//2}},"
        " {upsample: {scale_factor: k}}]",
        [],
        ["3*h + k >= 2*(k//2) + 4"],
    ),
    "what a third of a size leaves": (
        "[n, 3, h]",
        "[{conv_transpose1d: {out_channels: 4, kernel_size: 7, stride: 2}},"
        " {reshape: {shape: [n, 4, '(2*h + 5)/3', -1]}}]",
        [],
        ["(h + 1) % 3 == 0"],
    ),
    "what a part of a size leaves": (
        "[n, 3, h]",
        "[{conv_transpose1d: {out_channels: 4, kernel_size: 7, stride: 2}},"
        " {reshape: {shape: [n, 4, '(2*h + 5)/(h//16 + 1)', -1]}}]",
        [],
        ["(2*h + 5) % (h//16 + 1) == 0"],
    ),
    "a divisor that is a symbol": (
        "[n, 4, 2*h]",
        "[{reshape: {shape: [n, 4, (2*h)//a, a]}}, {reshape: {shape: [n, 4, (2*h)//a*a]}},"
        " {conv1d: {out_channels: 4, kernel_size: 7}}]",
        [],
        ["(2*h) % a == 0", "h >= 4"],
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_conditions(name: str, tmp_path: Path) -> None:
    shape, layers, assumed, expected = PRINTED[name]
    file = tmp_path / "net.yaml"
    file.write_text(f"{HEAD}input: {shape}\nlayers: {layers}\n", encoding="utf-8")
    analysis = analyze(file, assume=assumed)
    assert [condition_text(c) for c in analysis.conditions] == expected


def test_a_strided_convolution_of_a_multiple_costs_what_it_does(tmp_path: Path) -> None:
    shape, layers, *_ = PRINTED["a strided convolution of a multiple, added"]
    file = tmp_path / "net.yaml"
    file.write_text(f"{HEAD}input: {shape}\nlayers: {layers}\n", encoding="utf-8")
    assert str(analyze(file).macs) == "45*n*t"


SHORTER = [
    (["ceil(h/16) % 2", "ceil(h/32) % 2", "ceil(h/8) % 2", "h >= 33"], ["ceil(h/8) % 8 == 0"]),
    (["ceil(h/4) % 7", "ceil(h/8) % 7", "h >= 99"], ["ceil(h/4) % 14 == 0", "h >= 99"]),
    (["h % 64", "((h + 32)//64) % 2"], ["h % 128 == 0"]),
    (["ceil(h/4) % 2", "ceil(h/2) % 4"], ["ceil(h/2) % 4 == 0"]),
    (["((h + w)//3) % 4", "h + w >= 5"], ["((h + w)//3) % 4 == 0", "h + w >= 5"]),
    (["(h + w) % 4", "((h + w)//4) % 2"], ["(h + w) % 8 == 0"]),
    (["2//g >= 0", "g >= 1"], []),
    (["64 % g", "h >= 3", "-g >= -64"], ["64 % g == 0", "h >= 3"]),
    (["h % 8", "8*ceil(h/8) - 3*g >= -4"], ["h % 8 == 0", "h >= 3*g - 4"]),
    (["h % (2*g)", "h % 2"], ["h % (2*g) == 0"]),
    (["min(h, w) - g >= 0"], ["h >= g", "w >= g"]),
    (["t + (0 - 3)//a >= 0"], ["a*t >= 3"]),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "printed"), SHORTER)
def test_shorter(conditions: list[str], printed: list[str]) -> None:
    least = least_of(dict.fromkeys("hwgat", 1))
    shorter = reduced(map(condition_of, conditions), least)
    assert list(map(condition_text, shorter)) == printed


def test_conditions_of_other_kinds_are_never_equal() -> None:
    """``8 % h == 0`` is not ``h == 8``, although both are made of h and 8."""
    h, eight = law("h"), law("8")
    kinds: list[Condition] = [Divides(h, eight), Equal(h, eight), AtLeast(h, 8)]
    for i, one in enumerate(kinds):
        assert [one == other for other in kinds] == [i == j for j in range(3)]
        assert [one != other for other in kinds] == [i != j for j in range(3)]
    assert len(set(kinds)) == 3


# One quantity, against plain integers.

lines = st.sampled_from(["h", "2*h", "3*h - 2", "h + 5", "h//2", "ceil(h/4)", "(3*h + 1)//2"])
of_h = (
    st.builds("({})//{}".format, lines, st.integers(1, 6))
    | st.builds("{} + {}".format, lines, lines)
    | st.builds("max({}, {})".format, lines, lines)
    | st.builds("min({}, {})".format, lines, lines)
    | st.builds("round_to({}, {})".format, lines, st.sampled_from([4, 8]))
    | st.builds("{}//(h + 1)".format, st.integers(1, 9))
    | lines
)
about_h = (
    st.builds(Divides, st.integers(1, 9).map(str).map(law), of_h.map(law))
    | st.builds(Divides, st.just(law("h")), st.sampled_from(["24", "36"]).map(law))
    | st.builds(AtLeast, of_h.map(law), st.integers(-3, 30))
    | st.builds(Equal, of_h.map(law), of_h.map(law))
)
MANY = range(1, 700)


@quick
@given(source=of_h)
def test_a_wave_grows_evenly(source: str) -> None:
    expression, h = law(source), symbol("h")
    found = growth(expression)
    if found is None:
        return
    values = [Evaluator({h: u})(expression) for u in range(1, 400)]
    for u in range(max(found.start, 1), 400 - found.period):
        assert values[u - 1 + found.period] - values[u - 1] == found.step, (found, u)


@quick
@given(conditions=st.lists(about_h, min_size=1, max_size=4), first=st.integers(1, 9),
       known=st.none() | st.sampled_from([2, 4, 6]))  # fmt: skip
def test_the_shortest_conditions_say_the_same(
    conditions: list[Condition], first: int, known: int | None
) -> None:
    h = symbol("h")
    given_ones = () if known is None else (Divides(law(str(known)), h),)
    changed = [c.mapped(lambda side: side.xreplace({h: U})) for c in conditions]
    over = tuple(c.mapped(lambda side: side.xreplace({h: U})) for c in given_ones)
    shorter = shortest(tuple(changed), over, first)
    assert sum(len(condition_text(c)) for c in shorter) <= sum(
        len(condition_text(c)) for c in changed
    )
    for u in MANY:
        if u >= first and u % (known or 1) == 0:
            at_u, at_h = Evaluator({U: u}), Evaluator({h: u})
            truth = all(c.holds(at_h) for c in conditions)
            assert all(c.holds(at_u) for c in shorter) == truth, (u, shorter)


@quick
@given(condition=statements)
def test_a_condition_about_a_quantity_is_the_same(condition: Condition) -> None:
    found = about(condition)
    if found is not None:
        for values in points({"h": 1, "g": 1}):
            at = Evaluator({symbol(name): value for name, value in values.items()})
            quantity = Evaluator({U: at(found.quantity)})
            assert found.condition.holds(quantity) == condition.holds(at), values


# What follows from conditions, against plain integers.


def where(conditions: Iterable[Condition]) -> list[Evaluator]:
    """Every point at which conditions hold."""
    tried = (
        Evaluator({symbol(name): value for name, value in values.items()})
        for values in points({"h": 1, "g": 1})
    )
    return [at for at in tried if all(c.holds(at) for c in conditions)]


LEAST = {symbol("h"): 1, symbol("g"): 1}
sizes = st.sampled_from(["h", "g - h", "h - 2*g", "h//2 - g", "2*h - g//3", "h - 3", "g + h - 9"])


@quick
@given(size=sizes, bound=st.integers(-9, 9), known=st.lists(statements, max_size=2))
def test_what_follows_is_true(size: str, bound: int, known: list[Condition]) -> None:
    if is_at_least_where(law(size), bound, LEAST, known):
        assert all(at(law(size)) >= bound for at in where(known))


@quick
@given(kind=st.sampled_from(["min", "max"]), size=sizes, other=sizes, bound=st.integers(-3, 3),
       known=st.lists(statements, max_size=2))  # fmt: skip
def test_decided_extrema(
    kind: str, size: str, other: str, bound: int, known: list[Condition]
) -> None:
    expression = law(f"{kind}({size}, {other}, 1)")
    condition = AtLeast(expression, bound)
    kept = decided_extrema(expression, LEAST, known)
    branches = reached_branches(condition, LEAST, known)
    for at in where(known):
        assert at(kept) == at(expression)
        assert branches.holds(at) == condition.holds(at)


@quick
@given(condition=statements, divisor=st.integers(2, 6),
       dividend=st.sampled_from(["h", "h + 1", "h + g", "2*h", "h*g"]))  # fmt: skip
def test_with_exact_floors(condition: Condition, divisor: int, dividend: str) -> None:
    known = Divides(law(str(divisor)), law(dividend))
    fewer = with_exact_floors(condition, known)
    for at in where([known]):
        assert fewer.holds(at) == condition.holds(at)


@pytest.mark.parametrize("a", range(1, 7))
def test_floors_of_an_open_divisor(a: int) -> None:
    known = Divides(law("g"), law("h"))
    condition = Equal(law(f"(h + {a})//g"), law("h"))
    fewer = with_exact_floors(condition, known)
    for at in where([known]):
        assert fewer.holds(at) == condition.holds(at)
    assert all(floor_div(-a, law("g")) == -1 - floor_div(a - 1, law("g")) for _ in heights)


# Whole networks.

TORCH = find_convention("torch")


def opened(spec: Spec, folder: Path) -> tuple[Path, Analysis | None]:
    """A spec as a file, and its analysis; None where a rule is broken whatever the symbols are."""
    file = folder / "net.yaml"
    file.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    try:
        return file, unchecked(load(str(file)), Setup(TORCH))
    except SpecError:
        return file, None


def box(symbols: Iterable[str], random: Random, count: int) -> list[Point]:
    """Points of the symbols' box, small values as often as any."""
    names = list(symbols)
    everything = list(product(*(BOX[name] for name in names)))
    small = list(product(*(BOX[name][:8] for name in names)))
    chosen = [p for of in (everything, small) for p in random.sample(of, min(count, len(of)))]
    return [dict(zip(names, point, strict=True)) for point in chosen]


def is_valid(file: Path, point: Point) -> bool:
    """Whether a network is valid in numbers."""
    try:
        unchecked(load(str(file)), Setup(TORCH, point)).checked()
    except SpecError:
        return False
    return True


def keeps_requirements(analysis: Analysis, point: Point) -> bool:
    """Whether what every layer asks for holds, none of it reduced."""
    evaluate = analysis.evaluator_at(point)
    return all(asked.condition.holds(evaluate) for asked in analysis.propagation.requirements)


@pytest.mark.parametrize("seed", range(examples(150)))
def test_conditions_of_random_networks(seed: int, tmp_path: Path) -> None:
    """They hold where the network is valid, and nowhere else; of those about one quantity each
    none is implied by the others.
    """
    file, analysis = opened(draw_conditioned(seed), tmp_path)
    if analysis is None:
        return
    texts = [condition_text(c) for c in analysis.conditions]
    random = Random(seed)
    chosen = box(analysis.symbols, random, 400)
    truth = {i: keeps_requirements(analysis, point) for i, point in enumerate(chosen)}
    for i, point in enumerate(chosen):
        assert all(holds(text, point) for text in texts) == truth[i], (point, texts)
    for i in random.sample(sorted(truth), 6):
        assert is_valid(file, chosen[i]) == truth[i], (chosen[i], texts)
    if any(truth.values()) and all(about(c) for c in analysis.conditions):
        alone = {tuple(t for t in texts if not holds(t, point)) for point in chosen}
        assert {(text,) for text in texts} <= alone, texts


def distinct() -> dict[tuple[str, ...], tuple[str, Analysis]]:
    """A network for every set of conditions that the first and last variants of the zoo print."""
    found: dict[tuple[str, ...], tuple[str, Analysis]] = {}
    for path in share(sorted(SPECS.glob("*.yaml")), turn=0, of=6):
        variants = list(load(str(path)).header.variants or [None])
        for variant in dict.fromkeys((variants[0], variants[-1])):
            spec = f"{path}@{variant}" if variant else str(path)
            analysis = analyze(spec)
            texts = tuple(map(condition_text, analysis.conditions))
            found.setdefault(texts, (spec, analysis))
    return found


def values_of(analysis: Analysis, name: str) -> list[Any]:
    """Values of a symbol: small ones, and more around its default."""
    declared = analysis.graph.symbols[name]
    default = declared.default
    if declared.domain == "real":
        tried: list[Any] = [default * Fraction(i, 8) for i in range(1, 25)]
    else:
        tried = sorted({*range(1, 350), *range(int(default), int(default) + 80)})
    return [value for value in tried if not declared.broken_rule(value)]


def test_conditions_of_the_zoo() -> None:
    """Every set that is printed: each symbol in turn through its values, the others at theirs.

    What the layers ask for tells whether the network is valid where the conditions change, and at
    some values between; the network in numbers tells it at one value of each kind.
    """
    for texts, (spec, analysis) in distinct().items():
        usual = {name: analysis.graph.values[name] for name in analysis.symbols}
        alone: set[tuple[str, ...]] = set()
        for name in (name for name in analysis.symbols if any(name in text for text in texts)):
            told: dict[bool, Point] = {}
            before: tuple[str, ...] | None = None
            for i, value in enumerate(values_of(analysis, name)):
                point: Point = {**usual, name: value}
                failing = tuple(text for text in texts if not holds(text, point))
                if failing != before or i % 16 == 0:
                    assert keeps_requirements(analysis, point) == (not failing), (spec, point)
                alone.add(failing)
                told[not failing] = point
                before = failing
            for valid, point in told.items():
                assert is_valid_in_numbers(spec, point) == valid, (spec, point)
        for text in texts:
            assert (text,) in alone or fails_alone(text, texts, analysis), (spec, text)


def fails_alone(text: str, texts: Sequence[str], analysis: Analysis) -> bool:
    """Return True where values of two symbols break this condition and no other one.

    The network itself must be invalid there. Beside ``d % heads == 0``, with 6 heads, such a pair
    is needed for ``d % 2 == 0``: d = heads = 3.
    """
    usual = {name: analysis.graph.values[name] for name in analysis.symbols}
    for pair in combinations((name for name in usual if any(name in text for text in texts)), 2):
        for values in product(range(1, 8), repeat=2):
            point = usual | dict(zip(pair, values, strict=True))
            if [other for other in texts if not holds(other, point)] == [text]:
                return not keeps_requirements(analysis, point)
    return False


def is_valid_in_numbers(spec: str, point: Point) -> bool:
    """Whether a network of the zoo is valid in numbers."""
    try:
        analyze(spec, settings=point)
    except SpecError:
        return False
    return True

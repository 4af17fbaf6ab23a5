"""The order with the least peak memory, against exhaustive search and by hand."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings

from costmodel import Analysis, analyze
from costmodel.metrics import schedule
from costmodel.metrics.iterations import IterationKind
from costmodel.metrics.liveness import Execution, memory
from costmodel.metrics.memory_peak import run
from costmodel.metrics.schedule import best_order
from costmodel.metrics.trace import Event
from tests.conftest import Run as Ran
from tests.conftest import examples
from tests.test_liveness import Memory, Step, at_work, programs, read, simulated, spec_of

ROOT = Path(__file__).parent.parent


def least(steps: list[Step]) -> int:
    """The least peak over all orders, each simulated with sets; a peak that is reached only rises.

    What is no better than the best order so far is not gone on with.
    """
    best = simulated(steps)

    def search(memories: Sequence[Memory], left: frozenset[int], peak: int) -> None:
        nonlocal best
        if not left:
            best = min(best, peak)
        for now in left:
            if left.isdisjoint(steps[now].reads):
                rest = left - {now}
                after, size = at_work(steps, memories, now, rest)
                if max(peak, size) < best:
                    search(after, rest, max(peak, size))

    search([Memory(frozenset({0}), steps[0].channels)], frozenset(range(1, len(steps))), 0)
    return best


def found_order(net: Analysis) -> list[int]:
    """The numbers of the steps in the best order."""
    return [int(path.removeprefix("s")) for path in net.best_order.layers]


@settings(max_examples=examples(400), deadline=None)
@given(programs())
def test_no_order_has_a_smaller_peak(steps: list[Step]) -> None:
    """Nor does the order that is found, simulated or written out as a spec, have a larger one."""
    net = read(spec_of(steps))
    found, order = net.value("memory_peak_best"), found_order(net)
    assert net.best_order.is_best
    assert found == least(steps) == simulated(steps, order)
    assert read(spec_of(steps, order)).value("memory_peak") == found


def by_channels(*steps: tuple[str, tuple[int, ...], int]) -> Analysis:
    """A network of layers, each with its kind, what it reads and its channels, on 3·3 places."""
    return read(spec_of([Step("input", (), 1), *(Step(*step) for step in steps)]))


def test_the_big_branch_first() -> None:
    """A fork of a small and a big branch, in units of 9 elements.

    The stem makes 8. In the given order s2 makes 2 of it, then s3 10 of it, 8 + 2 + 10 = 20, and s4
    1 of the 10. With the big branch first it is 8 + 10 = 18 for s3, 8 + 10 + 1 = 19 for s4, then
    8 + 1 + 2 = 11 for s2. With s2 between s3 and s4 it is 8 + 10 + 2 = 20 again.
    """
    net = by_channels(
        ("conv", (0,), 8),
        ("conv", (1,), 2),
        ("conv", (1,), 10),
        ("conv", (3,), 1),
        ("concat", (2, 4), 3),
    )
    assert [int(size) // 9 for size in net.memory.values()] == [9, 10, 20, 13, 6]
    assert found_order(net) == [1, 3, 4, 2, 5]
    assert [int(size) // 9 for size in net.best_order.memory.values()] == [9, 11, 18, 19, 6]
    assert net.value("memory_peak_best") == 19 * 9
    assert not net.best_order.unsearched


def test_an_inception_block() -> None:
    """Four branches of a map of 6 to a concatenation, in units of 9 elements.

    The last branch makes 9 of the 6 and 2 of the 9. Done last, as written, its 9 is there beside
    the 6 and the other branches' 2 + 2 + 1: 20. Done first it is 6 + 9 = 15, then 6 + 9 + 2 = 17;
    the others need less: 6 + 2 + 3 + 2 = 13 for the second layer of the first branch. With the
    branch of 1 before it, it is 18.
    """
    net = by_channels(
        ("conv", (0,), 6),
        ("conv", (1,), 3),
        ("conv", (2,), 2),
        ("conv", (1,), 2),
        ("conv", (1,), 1),
        ("conv", (1,), 9),
        ("conv", (6,), 2),
        ("concat", (3, 4, 5, 7), 7),
    )
    assert net.value("memory_peak") == 20 * 9
    assert net.value("memory_peak_best") == 17 * 9
    assert found_order(net)[:3] == [1, 6, 7]


def test_a_residual_has_but_one_order() -> None:
    """The body is a chain and the shortcut no layer."""
    net = read(
        "input: [1, 4, 3, 3]\nlayers: [{residual: [{conv2d: {out_channels: 8, kernel_size: 1}}, "
        "relu, {conv2d: {out_channels: 4, kernel_size: 1}}]}]"
    )
    assert net.best_order.memory == net.memory
    assert net.value("memory_peak_best") == 144


def test_the_given_order_is_kept_where_none_is_better() -> None:
    """Two branches alike: all orders need 4 + 2 + 2 at the second branch."""
    steps = [("conv", (0,), 4), ("conv", (1,), 2), ("conv", (1,), 2), ("concat", (3, 2), 4)]
    net = by_channels(*steps)
    assert found_order(net) == [1, 2, 3, 4]
    assert net.best_order.memory == net.memory
    assert net.best_order.is_best


def test_side_heads_and_what_is_learned() -> None:
    """A head of 6 of the stem's 8, whose output stays; the trunk makes 12 of the 8, then 1.

    With the head first, as written, the trunk's 12 is made beside 8 + 6. With the head last it is
    8 + 12, then 8 + 12 + 1 = 21, and 8 + 1 + 6 for the head. The parameter takes no memory.
    """
    trunk = (
        "{conv2d: {out_channels: 8, kernel_size: 1}, name: stem}, "
        "{side: [{conv2d: {out_channels: 6, kernel_size: 1}, name: head}]}, "
        "{conv2d: {out_channels: 12, kernel_size: 1}, name: wide}, "
        "{conv2d: {out_channels: 1, kernel_size: 1}, name: thin}, "
        "{parameter: {shape: [1, 1, 3, 3]}, name: bias}, {add: , from: [thin, bias]}"
    )
    net = read(f"input: [1, 1, 3, 3]\nlayers: [{trunk}]")
    assert net.value("memory_peak") == (8 + 6 + 12) * 9
    assert net.value("memory_peak_best") == (8 + 12 + 1) * 9
    assert net.best_order.layers.index("thin") < net.best_order.layers.index("side_1/head")


def written_out(body: str, order: Sequence[str]) -> str:
    """The entries of a body in another order."""
    entries = dict(line.split(": ", 1) for line in body.splitlines())
    return ", ".join(entries[name] for name in order)


BODY = """a: {conv2d: {out_channels: 3, kernel_size: 1}, name: a, from: x}
b: {conv2d: {out_channels: 8, kernel_size: 1}, name: b, from: x}
c: {conv2d: {out_channels: 1, kernel_size: 1}, name: c, from: b}
d: {concat: {axis: 1}, name: d, from: [a, c]}"""
"""A fork of a map x of 4 channels: 3 of it, and 1 of 8 of it."""


@pytest.mark.parametrize("height", [1, 3, 10])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_repeat_is_reordered(times: int, height: int) -> None:
    """The law in L and h is that of the body written in the order that is found.

    In the given order b works beside x and a: 4 + 3 + 8. With a last, c works beside x: 4 + 8 + 1.
    """
    head = "symbols: {L: 3, h: 6}\ninput: [1, 2, h, h]\nlayers: "
    net = (
        "[{{conv2d: {{out_channels: 4, kernel_size: 1}}}}, {{repeat: {{times: L, layers: [{}]}}}}]"
    )
    start = "{identity: , name: x}, "
    given, best = (
        read(head + net.format(start + written_out(BODY, order)))
        for order in (["a", "b", "c", "d"], ["b", "c", "a", "d"])
    )
    assert [path.split("/")[-1] for path in given.best_order.layers[1:]] == list("xbcad") * 2
    assert given.best_order.is_best
    at = {"L": times, "h": height}
    assert given.at(**at).memory_peak_best == best.at(**at).memory_peak
    assert given.at(**at).memory_peak_best < given.at(**at).memory_peak
    assert given.at(**at).memory_peak_best == (4 + 8 + 1) * height**2


def orders(run: Execution) -> Iterator[tuple[Event, ...]]:
    """All orders in which what is read is made before, and repeats are worked turn by turn."""
    places = {event.number: i for i, event in enumerate(run.events)}
    read = [[case.maker for cases in event.reads for case in cases] for event in run.events]
    before = [{places[maker] for maker in makers if maker in places} for makers in read]

    def search(order: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(order) == len(before):
            yield order
        for i, needed in enumerate(before):
            if i not in order and needed <= {*order}:
                yield from search((*order, i))

    for order in search(()):
        events = tuple(run.events[i] for i in order)
        if is_whole(events) and is_handed_on(run, order):
            yield events


def is_whole(events: Sequence[Event]) -> bool:
    """Whether nothing comes between the turns of a repeat, the first being the first."""
    found: dict[object, list[tuple[int, bool]]] = {}
    for place, event in enumerate(events):
        for depth, turn in enumerate(event.within):
            group = found.setdefault((event.within[:depth], turn.repeat), [])
            group.append((place, turn.which is not IterationKind.FIRST))
    return all(
        marks == sorted(marks, key=lambda mark: mark[1]) and marks[-1][0] - marks[0][0] < len(marks)
        for marks in found.values()
    )


def is_handed_on(run: Execution, order: Sequence[int]) -> bool:
    """Whether a turn's map is handed on before or after the turn's layers, as it was."""
    for i, event in enumerate(run.events):
        turn = [j for j in order if run.events[j].within == event.within]
        if event.layer is None and turn.index(i) != sorted(turn).index(i):
            return False
    return True


STEM = "{conv2d: {out_channels: 3, kernel_size: 1}, name: stem}"
REPEATS: Mapping[str, str] = {
    "beside a layer": "{parallel: {merge: concat, branches: [[{conv2d: {out_channels: 2, "
    "kernel_size: 1}}], [{repeat: {times: L, layers: [{conv2d: {out_channels: 9, kernel_size: 1}}, "
    "{conv2d: {out_channels: 3, kernel_size: 1}}]}}]]}}",
    "in place in what is read beside it": "{parallel: {merge: concat, branches: "
    "[[{repeat: {times: L, layers: [relu]}}], [{conv2d: {out_channels: 1, kernel_size: 1}}], "
    "[{repeat: {times: L, layers: [relu]}}]]}}",
    "reading the stem": "{repeat: {times: L, layers: [{conv2d: {out_channels: 5, kernel_size: 1}, "
    "name: z}, {conv2d: {out_channels: 8, kernel_size: 1}, name: u, from: stem}, "
    "{conv2d: {out_channels: 1, kernel_size: 1}, name: v}, {concat: {axis: 1}, from: [z, v]}, "
    "{conv2d: {out_channels: 3, kernel_size: 1}}]}}",
    "growing": "{repeat: {times: L, layers: [{parallel: {merge: concat, branches: [[], "
    "[{conv2d: {out_channels: 2, kernel_size: 1}}]]}}]}}",
}


@pytest.mark.parametrize("name", REPEATS)
def test_repeats_against_all_orders(name: str) -> None:
    """Every order of the layers in which the turns of a repeat follow each other."""
    net = read(f"symbols: {{L: 3}}\ninput: [1, 2, 3, 3]\nlayers: [{STEM}, {REPEATS[name]}]")
    first = net.context.derived(run)
    peaks = {
        max(net.evaluator(size) for _, size in memory(first._replace(events=events)))
        for events in orders(first)
    }
    assert net.value("memory_peak") in peaks
    assert net.value("memory_peak_best") == min(peaks)
    assert net.best_order.is_best


def chain(layers: int) -> str:
    convolutions = ", ".join(["{conv2d: {out_channels: 4, kernel_size: 1}}"] * layers)
    return f"input: [1, 4, 3, 3]\nlayers: [{convolutions}]"


def test_a_chain_is_not_searched() -> None:
    """Every layer is a cut."""
    net = read(chain(2000))
    order = best_order(net.context.derived(run), net.evaluator)
    assert order.states == 0
    assert order.run.events == net.context.derived(run).events
    assert net.best_order.is_best


def comb(teeth: int) -> list[Step]:
    """A stem that so many pairs of layers read, each larger than the one before, and their sum."""
    steps = [Step("input", (), 1), Step("conv", (0,), 4)]
    for tooth in range(teeth):
        steps += [Step("conv", (1,), 3 + tooth), Step("conv", (len(steps),), 2)]
    for tooth in range(1, teeth):
        last = 3 if tooth == 1 else len(steps) - 1
        steps.append(Step("add", (last, 3 + 2 * tooth), 2))
    return steps


def test_what_is_not_searched_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the given order stays, and its layers are named."""
    text = spec_of(comb(8))
    searched = read(text)
    assert searched.value("memory_peak_best") < searched.value("memory_peak")
    monkeypatch.setattr(schedule, "MAX_STATES", 3)
    net = read(text)
    assert net.best_order.unsearched == tuple(f"s{i}" for i in range(2, 24))
    assert not net.best_order.is_best
    assert net.best_order.memory == net.memory
    assert net.value("memory_peak_best") == net.value("memory_peak")


def test_what_is_not_searched_may_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger peak elsewhere, which no order avoids, makes the whole the best."""
    head = "{conv2d: {out_channels: 500, kernel_size: 1}, name: wide}, "
    text = spec_of(comb(8)).replace("layers:\n", f"layers:\n  - {head.rstrip(', ')}\n", 1)
    text = text.replace("from: [input]", "from: [wide]")
    monkeypatch.setattr(schedule, "MAX_STATES", 3)
    net = read(text)
    assert net.best_order.unsearched
    assert net.best_order.is_best


ZOO = {
    "googlenet": 1.0,
    "inceptionv3": 1.0,
    "densenet": 1.0,
    "unet": 1.0,
    "maxvit": 0.875,
    "shufflenetv2": 1.0,
}


@pytest.mark.parametrize("name", ZOO)
def test_real_networks(name: str) -> None:
    """The order is proved best, looking at few sets of layers."""
    net = analyze(ROOT / "specs" / f"{name}.yaml")
    assert net.value("memory_peak_best") == ZOO[name] * net.value("memory_peak")
    assert net.best_order.is_best
    assert not net.best_order.unsearched
    assert best_order(net.context.derived(run), net.evaluator).states < 5_000
    assert sorted(set(net.best_order.layers)) == sorted({x.node.path for x in net.layers})


def test_it_is_shown_where_it_is_asked_for(archcost: Ran) -> None:
    shown = archcost("specs/maxvit.yaml", "--metric", "memory_peak_best", columns=200)
    assert f"{4 * 4_214_784:,}" in shown.stdout
    assert "the least of all orders of execution" in shown.stdout
    asked = archcost("specs/alexnet.yaml", "--metric", "memory_peak_best", "--format", "json")
    order = json.loads(asked.stdout)["best_order"]
    assert order["layers"][:2] == ["conv2d_1", "relu_1"]
    assert (order["unsearched"], order["is_best"]) == ([], True)
    assert "best" not in archcost("specs/alexnet.yaml", "--format", "json").stdout

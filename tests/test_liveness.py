"""What is in memory, against a simulation that keeps sets of tensors, and repeats written out."""

from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.architecture import read_architecture
from archspec.document import parse_document
from costmodel import Analysis, analyze
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.scenario.conventions import find_convention
from costmodel.scenario.scenario import scenario
from tests.conftest import examples

ROOT = Path(__file__).parent.parent
SIDE = 3


class Step(NamedTuple):
    """A layer by hand: its kind, the numbers of the steps that it reads (0 the input), channels."""

    kind: str
    reads: tuple[int, ...]
    channels: int


@st.composite
def programs(draw: st.DrawFn) -> list[Step]:
    """Up to nine layers, each reading any that came before."""
    steps = [Step("input", (), draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["conv", "relu", "identity", "concat", "add", "dropout"]))
        one = draw(st.integers(0, len(steps) - 1))
        alike = [i for i, step in enumerate(steps) if step.channels == steps[one].channels]
        other = draw(st.sampled_from(alike)) if kind == "add" else draw(st.integers(0, one))
        reads = (one, other) if kind in ("concat", "add") else (one,)
        channels = {
            "conv": draw(st.integers(1, 6)),
            "concat": sum(steps[i].channels for i in reads),
        }.get(kind, steps[one].channels)
        steps.append(Step(kind, reads, channels))
    return steps


def spec_of(steps: list[Step], order: Sequence[int] = ()) -> str:
    """The steps as entries in an order; the last step's is what leaves the network."""
    fields = {
        "conv": "conv2d: {{out_channels: {}, kernel_size: 1}}",
        "concat": "concat: {{axis: 1}}",
    }
    lines = []
    for i in order or range(1, len(steps)):
        kind, reads, channels = steps[i]
        entry = fields.get(kind, f"{kind}: {{{{}}}}").format(channels)
        names = ", ".join("input" if r == 0 else f"s{r}" for r in reads)
        lines.append(f"  - {entry}\n    name: s{i}\n    from: [{names}]\n")
    if order:
        lines.append(f"  - identity: {{}}\n    from: [s{len(steps) - 1}]\n")
    return f"input: [1, {steps[0].channels}, {SIDE}, {SIDE}]\nlayers:\n{''.join(lines)}"


class Memory(NamedTuple):
    """A piece of memory: the steps whose outputs lie in it, and its channels."""

    tensors: frozenset[int]
    channels: int


def at_work(
    steps: list[Step], memories: Sequence[Memory], now: int, rest: Set[int]
) -> tuple[list[Memory], int]:
    """A step works, others being left: what is in memory after it, and how much while it works."""

    def is_needed(memory: Memory, left: Set[int]) -> bool:
        leaves = len(steps) - 1 in memory.tensors
        return leaves or any(memory.tensors & {*steps[t].reads} for t in left)

    kind, reads, channels = steps[now]
    home = None
    for read in reads:
        memory = next(m for m in memories if read in m.tensors)
        fits = kind in ("relu", "dropout", "add") and memory.channels == channels
        if home is None and (kind == "identity" or (fits and not is_needed(memory, rest))):
            home = memory
    others = [memory for memory in memories if memory is not home]
    here = home or Memory(frozenset(), channels)
    now_there = [*others, here._replace(tensors=here.tensors | {now})]
    size = sum(memory.channels for memory in now_there) * SIDE * SIDE
    return [memory for memory in now_there if is_needed(memory, rest)], size


def simulated(steps: list[Step], order: Sequence[int] = ()) -> int:
    """Step by step with sets: which tensors lie in which memory, and who still needs it."""
    memories, peak = [Memory(frozenset({0}), steps[0].channels)], 0
    left = list(order or range(1, len(steps)))
    while left:
        now = left.pop(0)
        memories, size = at_work(steps, memories, now, set(left))
        peak = max(peak, size)
    return peak


def read(text: str, **values: int) -> Analysis:
    """A network of a byte per element."""
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    convention, bytewise = find_convention("lecture"), scenario(dtype="int8")
    return analyze_architecture(architecture, Setup(convention, values, scenario=bytewise))


@settings(max_examples=examples(300), deadline=None)
@given(programs())
def test_memory_is_that_of_the_simulation(steps: list[Step]) -> None:
    assert read(spec_of(steps)).value("memory_peak") == simulated(steps)


def test_by_hand() -> None:
    """A residual of two convolutions: input, 4·9 each.

    conv_1 reads 36 and makes 72, the input is kept for the sum: 108. The relu works in place.
    conv_2 reads 72 and makes 36 beside the input: 144. The sum lies in one of its inputs.
    """
    net = read(
        "input: [1, 4, 3, 3]\nlayers: [{residual: [{conv2d: {out_channels: 8, kernel_size: 1}}, "
        "relu, {conv2d: {out_channels: 4, kernel_size: 1}}]}]"
    )
    assert net.value("memory_peak") == 36 + 72 + 36
    assert [int(size) for size in net.memory.values()] == [108, 108, 144, 72]


BODIES = {
    "a chain": "{conv2d: {out_channels: 4, kernel_size: 1}}, relu",
    "a wide chain": "{conv2d: {out_channels: 9, kernel_size: 1}}, {conv2d: {out_channels: 4, "
    "kernel_size: 1}}",
    "a residual": "{residual: [{conv2d: {out_channels: 7, kernel_size: 1}}, relu, {conv2d: "
    "{out_channels: 4, kernel_size: 1}}]}",
    "what came before": "{conv2d: {out_channels: 4, kernel_size: 1}, name: z}, {add: , "
    "from: [z, stem]}",
    "dense": "{parallel: {merge: concat, branches: [[], [{conv2d: {out_channels: 3, "
    "kernel_size: 1}}]]}}",
    "growing beside what came before": "{identity: , name: z}, {conv2d: {out_channels: 4, "
    "kernel_size: 3, padding: 1}, from: wide, name: z1}, {concat: , from: [z, z1], name: z2}, gelu",
    "in place": "relu",
    "a changing start": "{conv2d: {out_channels: 6, kernel_size: 1}}",
    "shrinking": "{maxpool2d: {kernel_size: 2, stride: 1}}, {conv2d: {out_channels: 4, "
    "kernel_size: 1}}",
}
AFTER = {
    "nothing after": "{identity: , name: last}",
    "the source after": "{conv2d: {out_channels: 4, kernel_size: 1}, name: z9}, {global_avgpool: , "
    "name: p}, {global_avgpool: , name: q, from: stem}, {concat: {axis: 1}, from: [p, q]}",
}


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("body", BODIES)
def test_repeats_are_as_written_out(body: str, after: str) -> None:
    """The law in L, the repeat of a number, and the body so many times: the same peak."""
    stem = "{conv2d: {out_channels: 16, kernel_size: 1}, name: wide}, "
    stem += "{conv2d: {out_channels: 4, kernel_size: 1}, name: stem}"
    head = "symbols: {L: 2}\ninput: [1, 3, 9, 9]\nlayers: "
    loop = f"[{stem}, {{repeat: {{times: TIMES, layers: [{BODIES[body]}]}}}}, {AFTER[after]}]"
    law = read(head + loop.replace("TIMES", "L"))
    for times in (1, 2, 3, 5):
        copies = ", ".join(BODIES[body].replace(" z", f" z{i}").replace("[z", f"[z{i}")
                           for i in range(times))  # fmt: skip
        written = read(f"{head}[{stem}, {copies}, {AFTER[after]}]").value("memory_peak")
        assert read(head + loop.replace("TIMES", str(times))).value("memory_peak") == written
        if times == 1 and "wide" in BODIES[body]:  # it is kept for a second turn
            assert law.at(L=times).memory_peak >= written
        else:
            assert law.at(L=times).memory_peak == written


def test_experts_take_turns() -> None:
    """The second reads the same 36 and makes 72, beside the first's 36 and the router's 27."""
    experts = "[{linear: {out_features: 8}}, {linear: {out_features: 4}}]"
    net = read(f"input: [9, 4]\nlayers: [{{moe: {{experts: 3, top_k: 2, layers: {experts}}}}}]")
    assert net.value("memory_peak") == 36 + 72 + 36 + 27


def test_nothing_is_written_over_what_is_learned() -> None:
    """A relu of a parameter of 12 makes 12 beside the input's 12; the sum lies in one of them."""
    net = read(
        "input: [3, 4]\nlayers: [{parameter: {shape: [3, 4]}, name: p}, relu, "
        "{add: , from: [input, relu_1]}]"
    )
    assert [int(size) for size in net.memory.values()] == [12, 24, 24]


def test_views_and_outputs_stay() -> None:
    """A side head's output stays to the end; a flattened map is the map."""
    net = read(
        "input: [1, 4, 3, 3]\nlayers: [{side: [{conv2d: {out_channels: 5, kernel_size: 1}}]}, "
        "flatten, {linear: {out_features: 10}}, {linear: {out_features: 2}}]"
    )
    assert [int(size) for size in net.memory.values()] == [
        36 + 45,
        36 + 45,
        36 + 45 + 10,
        45 + 10 + 2,
    ]


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(1, 30))
def test_a_law_in_every_symbol(channels: int, times: int, height: int) -> None:
    text = (
        "symbols: {c: 3, L: 2, h: 8}\ninput: [1, c, h, h]\nlayers: [{repeat: {times: L, layers: "
        "[{parallel: {merge: concat, branches: [[], [{conv2d: {out_channels: 2, kernel_size: 3, "
        "padding: 1}}]]}}]}}, {conv2d: {out_channels: c, kernel_size: 3, stride: 2, padding: 1}}]"
    )
    values = {"c": channels, "L": times, "h": height}
    assert read(text).at(**values).memory_peak == read(text, **values).value("memory_peak")


def test_real_networks() -> None:
    """ResNet-50: 64·56² kept for the shortcut while it makes 256·56² beside the body's 256·56²."""
    resnet = analyze(ROOT / "specs" / "resnet.yaml")
    assert resnet.value("memory_peak") == 4 * 56 * 56 * (64 + 256 + 256)
    alexnet = analyze(ROOT / "specs" / "alexnet.yaml")
    assert alexnet.value("memory_peak") == 4 * alexnet.value("activations_peak") == 4 * 440_928

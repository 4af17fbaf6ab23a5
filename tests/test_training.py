"""What training keeps and works out: kinds by hand, random graphs, repeats written out."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Add, Expr, Integer

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.layers import KINDS
from costmodel import Analysis
from costmodel.algebra.evaluate import Evaluator
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.metrics.kept import KeptTensor, KeptTensors, kept
from costmodel.metrics.step import TrainingStep, work
from costmodel.metrics.trace import Event
from costmodel.rules.base import backward_rule, keeps
from costmodel.scenario.scenario import scenario
from costmodel.scenario.training import Checkpoint
from tests.conftest import examples

ROOT = Path(__file__).parent.parent
SIDE = 3
FP16 = 16


def read(text: str, attention: str = "unfused", **values: int) -> Analysis:
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    said = scenario(attention=attention)
    return analyze_architecture(architecture, Setup("torch", values, scenario=said))


def events_of(net: Analysis) -> list[Event]:
    return TrainingStep(net.context).events


def kept_of(net: Analysis, checkpoint: Checkpoint = Checkpoint.NONE) -> KeptTensors:
    return kept(events_of(net), checkpoint)


def bits(held: KeptTensor) -> Expr:
    return held.size * Integer(FP16 if held.bits is None else held.bits)


def listed(net: Analysis) -> dict[str, int]:
    """What is kept of each layer, by path and what it is, in elements of one turn."""
    return {f"{h.path} {h.what}": int(net.evaluator(h.size)) for h in kept_of(net).held}


def macs(net: Analysis, checkpoint: Checkpoint = Checkpoint.NONE) -> tuple[int, int, int]:
    """Forward, backward and again."""
    done = list(work(events_of(net), checkpoint))
    counts = (
        Add(*(each.over_iterations(getattr(each, name)) for each in done))
        for name in ("forward", "backward", "again")
    )
    forward, backward, again = (int(net.evaluator(count)) for count in counts)
    return forward, backward, again


# Kinds.


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_says_what_it_keeps(name: str) -> None:
    rule = backward_rule.find(KINDS[name])
    own = f"costmodel.rules.{KINDS[name].__module__.rpartition('.')[2]}"
    assert rule.__module__ in (own, keeps.__module__)  # where it always keeps the same
    assert rule.__doc__


FIRST = "{linear: {out_features: 8}, name: a}"
"""Something learned, so that the gradient of its output is wanted: 4 rows of 8."""

KEPT = {
    # what stands after `a`, of 4 × 8 → what is kept beside the input of 32, which `a` keeps
    "identity": {},
    "linear: {out_features: 2}": {"a output": 32},
    "gelu": {"a output": 32},
    "silu": {"a output": 32},
    "elu": {"a output": 32},
    "prelu": {"a output": 32},
    "logsigmoid": {"a output": 32},
    "sigmoid": {"z output": 32},
    "tanh": {"z output": 32},
    "softmax": {"z output": 32},
    "log_softmax": {"z output": 32},
    "relu": {"z mask": 32},
    "hardtanh": {"z mask": 32},
    "leaky_relu": {"z mask": 32},
    "threshold: {threshold: 1, value: 2}": {"z mask": 32},
    "rrelu": {"z slopes": 32},
    "glu": {"a output": 32},
    "layernorm": {"a output": 32},
    "rmsnorm": {"a output": 32},
    "batchnorm": {"a output": 32},
    "dropout": {"z mask": 32},
    "dropout: {p: 0}": {},
    "drop_path": {"z mask": 4},
    "mean: {dim: [1]}": {},
    "amax: {dim: [1]}": {"z places": 4},
    "flatten: {start_dim: 0}": {},
    "pad: {pad: [1, 1]}": {},
    "einsum: {equation: n c -> n}": {},
    'einsum: {equation: "n c, c d -> n d", sizes: {d: 3}}': {"a output": 32},
}


@pytest.mark.parametrize("entry", KEPT)
def test_what_a_kind_keeps(entry: str) -> None:
    """Of the derivative of each, from its definition; see docs/training.md."""
    second = f"{{{entry if ':' in entry else entry + ': '}, name: z}}"
    net = read(f"input: [4, 8]\nlayers: [{FIRST}, {second}]")
    assert listed(net) == {"input input": 32} | KEPT[entry]


TWO = {
    # what stands after `a` and `b`, of 4 × 8, and the input of 4 × 8 → what is kept
    "add: , from: [a, b]": {},
    "sub: , from: [a, b]": {},
    "concat: , from: [a, b]": {},
    "maximum: , from: [a, b]": {"z mask": 32},
    "maximum: , from: [a, b, input]": {"z mask": 64},
    "mul: , from: [a, b]": {"a output": 32, "b output": 32},
    "mul: , from: [a, a]": {"a output": 32},
    "mul: , from: [a, input]": {},
    "div: , from: [a, b]": {"a output": 32, "b output": 32},
    "div: , from: [a, input]": {},
    "div: , from: [input, a]": {"a output": 32},
    'einsum: {equation: "n c, m c -> n m"}, from: [a, b]': {"a output": 32, "b output": 32},
    "bilinear: {out_features: 3}, from: [a, input]": {"a output": 32},
    "bilinear: {out_features: 3}, from: [input, b]": {"b output": 32, "z xᵀW": 4 * 3 * 8},
}


@pytest.mark.parametrize("entry", TWO)
def test_what_a_kind_of_several_inputs_keeps(entry: str) -> None:
    """The other factor for each gradient that is wanted; the input's is not."""
    other = "{linear: {out_features: 8}, name: b, from: input}"
    net = read(f"input: [4, 8]\nlayers: [{FIRST}, {other}, {{{entry}, name: z}}]")
    assert listed(net) == {"input input": 32} | TWO[entry]


def test_a_pool_keeps_places_and_a_mean_nothing() -> None:
    """A 3×3 map of 2 channels: 18; pooled by windows of 2 with step 1: 8."""
    head = "input: [1, 2, 3, 3]\nlayers: [{conv2d: {out_channels: 2, kernel_size: 1}}, "
    largest = read(head + "{maxpool2d: {kernel_size: 2, stride: 1}}]")
    assert listed(largest) == {"input input": 18, "maxpool2d_1 places": 8}
    assert {h.bits for h in kept_of(largest).held} == {None, 8}
    assert listed(read(head + "{avgpool2d: {kernel_size: 2, stride: 1}}]")) == {"input input": 18}
    everywhere = read(head + "global_maxpool]")
    assert [(h.size, h.bits) for h in kept_of(everywhere).held][1:] == [(2, 32)]


WINDOWS = {(16, 16): 1, (17, 17): 2, (257, 1): 2, (256, 256): 2, (257, 256): 4}
"""Windows of 256, 289, 257, 65,536 and 65,792 places → bytes that tell them apart."""


@pytest.mark.parametrize("open_window", [True, False])
@pytest.mark.parametrize("window", WINDOWS)
def test_the_bytes_of_a_place(window: tuple[int, int], open_window: bool) -> None:
    """Of one output; a law in an open window has the same value as the number."""
    height, width = ("a", "b") if open_window else window
    net = read(
        f"symbols: {{a: {window[0]}, b: {window[1]}}}\ninput: [1, 1, 257, 257]\nlayers:\n"
        "  - conv2d: {out_channels: 1, kernel_size: 1}\n"
        f"  - maxpool2d: {{kernel_size: [{height}, {width}], stride: 257}}"
    )
    net = replace(net, scenario=scenario(optimizer="sgd"))
    input_bytes = 4 * 257 * 257
    assert net.value("activations_kept") == input_bytes + WINDOWS[window]
    law = net.evaluator(net.total("activations_kept"))
    assert law == input_bytes + WINDOWS[window]


def test_what_is_kept_says_the_mask() -> None:
    """The output of the first is kept by linear and says its own mask; the second needs one."""
    net = read(
        "input: [4, 8]\nlayers: [{linear: {out_features: 8}}, relu, {linear: {out_features: 6}}, "
        "relu, {linear: {out_features: 5}, from: linear_1}]"
    )
    assert listed(net) == {
        "input input": 32,
        "relu_1 output": 32,
        "linear_1 output": 32,
        "relu_2 mask": 24,
    }


def test_a_view_is_what_it_is_a_view_of() -> None:
    """Both halves are parts of one tensor of 4 × 8, which is kept once."""
    net = read(
        "input: [4, 8]\nlayers: [{linear: {out_features: 8}, name: a}, {chunk: {chunks: 2}}, "
        "{mul: , from: [chunk_1.0, chunk_1.1]}]"
    )
    assert listed(net) == {"input input": 32, "a output": 32}


def test_nothing_is_kept_before_anything_learned() -> None:
    net = read("input: [4, 8]\nlayers: [gelu, relu, {linear: {out_features: 2}, name: a}]")
    assert listed(net) == {"relu_1 output": 32}
    assert macs(net) == (64, 64, 0)


def test_attention_keeps_what_its_products_need() -> None:
    """2 samples, 3 tokens, d = 8, H = 4: maps of 48, scores of 2·4·3·3 = 72."""
    net = read("input: [2, 3, 8]\nlayers: [{self_attention: {heads: 4, dropout: 0.1}, name: a}]")
    maps = {"q": 48, "k": 48, "v": 48, "sum": 48}
    scores = {"scores": 72, "mask": 72, "dropped scores": 72}
    assert listed(net) == {"input input": 48} | {f"a {k}": v for k, v in (maps | scores).items()}
    selective = kept_of(net, Checkpoint.ATTENTION)
    assert {h.what for h in selective.held} == {"input", *maps}
    assert selective.most_again(bits) == [72 * 16 + 72 * 8 + 72 * 16]


def test_recurrent_layers_keep_their_steps() -> None:
    """2 × 3 steps, h = 5, D = 2 and two layers: 60 per number of each step's cells and features."""
    net = read(
        "input: [2, 3, 4]\nlayers: [{lstm: {hidden_size: 5, num_layers: 2, bidirectional: true, "
        "dropout: 0.5}, name: a}]"
    )
    assert listed(net) == {
        "input input": 24,
        "a output": 60,
        "a gates": 4 * 120,
        "a cells": 120,
        "a tanh of the cells": 120,
        "a states between": 60,
        "a mask": 60,
        "a dropped states": 60,
    }
    gru = read("input: [2, 3, 4]\nlayers: [{gru: {hidden_size: 5}, name: a}]")
    assert sum(listed(gru).values()) == 24 + 30 + 4 * 30


# Random graphs.


class Step(NamedTuple):
    """A layer by hand: its kind, the numbers of the steps that it reads (0 the input), channels."""

    kind: str
    reads: tuple[int, ...]
    channels: int


KINDS_DRAWN = ("conv", "relu", "gelu", "sigmoid", "identity", "concat", "add", "mul", "dropout")


@st.composite
def programs(draw: st.DrawFn) -> list[Step]:
    """Up to ten layers, each reading any that came before."""
    steps = [Step("input", (), draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(KINDS_DRAWN))
        one = draw(st.integers(0, len(steps) - 1))
        alike = [i for i, step in enumerate(steps) if step.channels == steps[one].channels]
        pool = alike if kind in ("add", "mul") else range(len(steps))
        other = draw(st.sampled_from(list(pool)))
        reads = (one, other) if kind in ("concat", "add", "mul") else (one,)
        channels = {
            "conv": draw(st.integers(1, 4)),
            "concat": sum(steps[i].channels for i in reads),
        }.get(kind, steps[one].channels)
        steps.append(Step(kind, reads, channels))
    return steps


def entry_of(step: Step) -> str:
    fields = {
        "conv": "conv2d: {{out_channels: {}, kernel_size: 1, bias: false}}",
        "concat": "concat: {{axis: 1}}",
    }
    return fields.get(step.kind, f"{step.kind}: {{{{}}}}").format(step.channels)


def entries_of(steps: list[Step], indent: str, first: str) -> str:
    """The steps after the first, which is called so."""
    lines = []
    for i, step in enumerate(steps[1:], 1):
        names = [first if r == 0 else f"s{r}" for r in step.reads]
        lines.append(
            f"{indent}- {entry_of(step)}\n{indent}  name: s{i}\n"
            f"{indent}  from: [{', '.join(names)}]\n"
        )
    return "".join(lines)


def spec_of(steps: list[Step]) -> str:
    head = f"input: [1, {steps[0].channels}, {SIDE}, {SIDE}]\nlayers:\n"
    return head + entries_of(steps, "  ", "input")


def learned_in(steps: list[Step]) -> list[bool]:
    """Whether a path of readers leads from a convolution to each step, itself included."""
    found: list[bool] = []
    for kind, reads, _ in steps:
        found.append(kind == "conv" or any(found[i] for i in reads))
    return found


def homes_of(steps: list[Step]) -> list[int]:
    """The step that each shows, itself where it is no view."""
    home = list(range(len(steps)))
    for i, step in enumerate(steps):
        if step.kind == "identity":
            home[i] = home[step.reads[0]]
    return home


def whole_of(steps: list[Step], chosen: Iterable[int]) -> set[int]:
    """The steps whose results some steps keep, from the derivatives of their functions."""
    learned, home = learned_in(steps), homes_of(steps)
    found: set[int] = set()
    for i in chosen:
        kind, reads, _ = steps[i]
        if kind == "conv" or (kind == "gelu" and learned[i]):
            found.add(home[reads[0]])
        if kind == "sigmoid" and learned[i]:
            found.add(i)
        if kind == "mul":
            found |= {home[reads[1 - k]] for k in (0, 1) if learned[reads[k]]}
    return found


def masks_of(steps: list[Step], chosen: Iterable[int], whole: set[int]) -> int:
    """The bits of the masks of some steps."""
    learned = learned_in(steps)
    total = 0
    for i in chosen:
        total += 8 * steps[i].channels * (steps[i].kind == "dropout" and learned[i])
        total += steps[i].channels * (steps[i].kind == "relu" and learned[i] and i not in whole)
    return total * SIDE * SIDE


def size_of(steps: list[Step], whole: Iterable[int]) -> int:
    return FP16 * SIDE * SIDE * sum(steps[i].channels for i in whole)


def worked(steps: list[Step], chosen: Iterable[int]) -> tuple[int, int]:
    """The multiplications of both passes: a convolution's once per gradient that is wanted."""
    learned = learned_in(steps)
    forward = backward = 0
    for kind, reads, channels in (steps[i] for i in chosen):
        if kind == "conv":
            product = steps[reads[0]].channels * channels * SIDE * SIDE
            forward += product
            backward += product * (1 + learned[reads[0]])
    return forward, backward


@settings(max_examples=examples(300), deadline=None)
@given(programs())
def test_random_graphs(steps: list[Step]) -> None:
    every = range(len(steps))
    whole = whole_of(steps, every)
    net = read(spec_of(steps))
    assert kept_of(net).total(bits) == size_of(steps, whole) + masks_of(steps, every, whole)
    assert macs(net) == (*worked(steps, every), 0)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[list[Step], bool]]:
    """Some programs, each fed by the one before, each a block or not."""
    chain: list[tuple[list[Step], bool]] = []
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(programs())
        if chain:  # what enters is what leaves the one before, by a convolution that fits
            entering = Step("input", (), chain[-1][0][-1].channels)
            steps = [entering, Step("conv", (0,), steps[0].channels), *map(_moved, steps[1:])]
        chain.append((steps, draw(st.booleans())))
    return chain


def _moved(step: Step) -> Step:
    """A step of a program that begins with a convolution more."""
    return step._replace(reads=tuple(i + 1 for i in step.reads))


def written(chain: list[tuple[list[Step], bool]]) -> str:
    """Blocks of the spec's own, and layers; a view called ``in`` leads into each."""
    blocks, layers = "", ""
    for k, (steps, is_block) in enumerate(chain):
        start = Step("identity", (), 0)
        indent = "      " if is_block else "  "
        body = f"{indent}- {start.kind}: {{}}\n{indent}  name: in{k}\n"
        body += entries_of(steps, indent, f"in{k}").replace(": s", f": p{k}s")
        body = body.replace("[s", f"[p{k}s").replace(", s", f", p{k}s")
        if is_block:
            blocks += f"  b{k}:\n    layers:\n{body}"
            layers += f"  - b{k}\n"
        else:
            layers += body
    head = f"blocks:\n{blocks}" if blocks else ""
    return f"input: [1, {chain[0][0][0].channels}, {SIDE}, {SIDE}]\n{head}layers:\n{layers}"


@settings(max_examples=examples(200), deadline=None)
@given(chains())
def test_random_chains_of_blocks(chain: list[tuple[list[Step], bool]]) -> None:
    """What enters a block is kept if it keeps anything; of its own the most of one block is added.

    All its convolutions are worked out once more.
    """
    steps, parts = [chain[0][0][0]], []
    for program, is_block in chain:
        start = len(steps)
        steps.append(Step("identity", (start - 1,), steps[-1].channels))
        for step in program[1:]:
            steps.append(step._replace(reads=tuple(r + start for r in step.reads)))
        parts.append((range(start, len(steps)), is_block))
    home = homes_of(steps)
    outside = [i for part, is_block in parts if not is_block for i in part]
    whole = whole_of(steps, outside)
    blocks = [
        part
        for part, is_block in parts
        if is_block and (whole_of(steps, part) or masks_of(steps, part, set()))
    ]
    for part in blocks:
        read_by = {home[r] for i in part for r in steps[i].reads}
        whole |= {value for value in read_by if value not in part}
    again = [0]
    for part in blocks:
        own = whole_of(steps, part) - whole
        again.append(size_of(steps, own) + masks_of(steps, part, own | whole))
    net = read(written(chain))
    found = kept_of(net, Checkpoint.BLOCKS)
    assert found.total(bits) == size_of(steps, whole) + masks_of(steps, outside, whole)
    assert max(map(int, found.most_again(bits)), default=0) == max(again)
    repeated = sum(worked(steps, part)[0] for part in blocks)
    assert macs(net, Checkpoint.BLOCKS) == (*worked(steps, range(len(steps))), repeated)


# Repeats.

CONV = "{conv2d: {out_channels: 4, kernel_size: 1}}"
BODIES = {
    "a chain": f"{CONV}, relu",
    "kept by the next turn": f"relu, {CONV}",
    "nothing learned": "relu",
    "a curve": f"{CONV}, gelu",
    "a value": f"{CONV}, sigmoid",
    "a residual": f"{{residual: [{{conv2d: {{out_channels: 7, kernel_size: 1}}}}, relu, {CONV}]}}",
    "after its sum": f"{{residual: [{CONV}, gelu, {CONV}]}}, relu",
    "what came before": f"{CONV}, {{mul: , from: [previous, stem]}}",
    "a view": "identity",
    "dropped": f"{CONV}, dropout",
    "dense": "{parallel: {merge: concat, branches: [[], [batchnorm, relu, {conv2d: "
    "{out_channels: 3, kernel_size: 1}}]]}}",
    "dense and bent": "{parallel: {merge: concat, branches: [[], [{conv2d: {out_channels: 3, "
    "kernel_size: 1}}, gelu]]}}",
    "a changing start": "{conv2d: {out_channels: 6, kernel_size: 1}}, relu",
    "turns in turns": f"{{repeat: {{times: 3, layers: [{CONV}, relu]}}}}, gelu",
}
STEMS = {
    "learned": "{conv2d: {out_channels: 4, kernel_size: 1}, name: stem}",
    "not learned": "{identity: , name: stem}",
}
AFTER = {
    "nothing after": "{identity: , name: last}",
    "a linear map": "{conv2d: {out_channels: 4, kernel_size: 1}, name: z9}",
    "a mean": "{global_avgpool: , name: p}",
    "the source after": "{global_avgpool: , name: p}, {global_avgpool: , name: q, from: [stem]}, "
    "{concat: {axis: 1}, from: [p, q]}, {conv2d: {out_channels: 2, kernel_size: 1}, name: r}",
}


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("body", BODIES)
def test_repeats_are_as_written_out(body: str, after: str, stem: str) -> None:
    """The law in L, the repeat of a number, and the body so many times: as much is kept."""
    head = "symbols: {L: 2}\ninput: [1, 4, 9, 9]\nlayers: "
    loop = (
        f"[{STEMS[stem]}, {{repeat: {{times: TIMES, layers: [{BODIES[body]}]}}}}, {AFTER[after]}]"
    )
    law = read(head + loop.replace("TIMES", "L"))
    for times in (1, 2, 3, 4, 6):
        copies = ", ".join([BODIES[body]] * times)
        flat = read(f"{head}[{STEMS[stem]}, {copies}, {AFTER[after]}]")
        some = read(head + loop.replace("TIMES", str(times)))
        at = law.evaluator_at({"L": times})
        expected = kept_of(flat).total(bits)
        assert kept_of(some).total(bits) == expected
        assert at(kept_of(law).total(bits)) == expected
        for count in range(3):
            assert macs(some)[count] == macs(flat)[count]
        forward = sum(
            each.over_iterations(each.forward + each.backward) for each in work(events_of(law))
        )
        assert at(forward) == sum(macs(flat))


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("body", sorted(set(BODIES) - {"turns in turns", "a view"}))
def test_turns_are_blocks(body: str, stem: str) -> None:
    """The law in L, the repeat of a number, and blocks of the body: as much is kept."""
    head = "symbols: {L: 2}\ninput: [1, 4, 9, 9]\n"
    own = BODIES[body].replace("[previous, stem]", "[previous, previous]")
    loop = f"layers: [{STEMS[stem]}, {{repeat: {{times: TIMES, layers: [{own}]}}}}, gelu]"
    law = read(head + loop.replace("TIMES", "L"))
    for times in (1, 2, 3, 5):
        block = f"blocks: {{body: {{layers: [{own}]}}}}\n"
        copies = ", ".join(["body"] * times)
        flat = read(f"{head}{block}layers: [{STEMS[stem]}, {copies}, gelu]")
        some = read(head + loop.replace("TIMES", str(times)))
        at = law.evaluator_at({"L": times})
        expected = [_in_memory(each, each.evaluator) for each in (flat, some)]
        assert expected[0] == expected[1] == _in_memory(law, at)
        assert macs(some, Checkpoint.BLOCKS) == macs(flat, Checkpoint.BLOCKS)


def _in_memory(net: Analysis, at: Evaluator) -> tuple[int, int]:
    """Bits that are kept, and the most that is made again."""
    found = kept_of(net, Checkpoint.BLOCKS)
    return int(at(found.total(bits))), max(map(int, map(at, found.most_again(bits))), default=0)


def test_experts_keep_each_their_own() -> None:
    """Two of three experts work on 9 × 4: each keeps 9 × 8, and what it makes, for the router.

    The input of 36 is kept once, the router's 9 × 3 for the gradients of what they make.
    """
    experts = "[{linear: {out_features: 8}}, {linear: {out_features: 4}}]"
    net = read(f"input: [9, 4]\nlayers: [{{moe: {{experts: 3, top_k: 2, layers: {experts}}}}}]")
    found = kept_of(net)
    assert found.total() == 36 + 27 + 2 * (72 + 36)
    forward = 9 * 4 * 3 + 2 * (9 * 4 * 8 + 9 * 8 * 4)
    assert macs(net) == (forward, 9 * 4 * 3 + 2 * (9 * 4 * 8 + 2 * 9 * 8 * 4), 0)


# Published.

LAYER = """
symbols: {s: 2048, b: 4, h: 1024, a: 16, L: 24}
input: [b, s, h]
layers:
  - linear: {out_features: h}
  - repeat:
      times: L
      layers:
        - residual: [layernorm, {self_attention: {heads: a, dropout: 0.1}}, {dropout: {p: 0.1}}]
        - residual:
            - layernorm
            - linear: {out_features: 4*h}
            - gelu
            - linear: {out_features: h}
            - dropout: {p: 0.1}
"""


def test_korthikanti() -> None:
    """Of one layer more: s·b·h·(34 + 5·a·s/h) bytes in fp16; 34·s·b·h without the scores; 2·s·b·h.

    Source: Korthikanti et al., 2022, equations 1 and 2, and section 5. While a layer is made
    again, all of its own but what enters it is in memory.
    """
    net = read(LAYER)
    s, b, h, a, layers = (net.symbols[name] for name in "sbhaL")

    def of_a_layer(checkpoint: Checkpoint) -> Expr:
        total = kept_of(net, checkpoint).total(bits) / 8
        return (total.subs(layers, layers + 1) - total).expand()

    whole = s * b * h * (34 + 5 * a * s / h)
    assert of_a_layer(Checkpoint.NONE) == whole.expand()
    assert of_a_layer(Checkpoint.ATTENTION) == 34 * s * b * h
    assert of_a_layer(Checkpoint.BLOCKS) == 2 * s * b * h
    (again,) = kept_of(net, Checkpoint.BLOCKS).most_again(bits)
    assert (again / 8).expand() == (whole - 2 * s * b * h).expand()
    (scores,) = kept_of(net, Checkpoint.ATTENTION).most_again(bits)
    assert scores / 8 == 5 * a * s**2 * b


def test_a_step_is_three_passes_and_four_with_blocks() -> None:
    """Narayanan et al., SC 2021: the backward pass is twice the forward one, and once more."""
    net = read(LAYER)
    forward, backward, again = macs(net, Checkpoint.BLOCKS)
    first = 2048 * 4 * 1024 * 1024
    assert backward == 2 * forward - first  # no gradient of the input is wanted
    assert again == forward - first  # all but the layer outside of the blocks


def test_fused_attention_keeps_no_scores_and_makes_them_again() -> None:
    """No bytes of ``5·a·s²·b`` in a layer; ``b·s²·h`` MACs more in each, whatever is made again.

    Source: Dao et al., NeurIPS 2022, algorithm 4: scores, and the gradients of two products.
    """
    net, unfused = read(LAYER, "fused"), read(LAYER)
    s, b, h, layers = (net.symbols[name] for name in "sbhL")
    for checkpoint in (Checkpoint.NONE, Checkpoint.ATTENTION):
        total = kept_of(net, checkpoint).total(bits) / 8
        assert (total.subs(layers, layers + 1) - total).expand() == 34 * s * b * h
        assert not kept_of(net, checkpoint).again
    (again,) = kept_of(net, Checkpoint.BLOCKS).most_again(bits)
    assert (again / 8).expand() == 32 * s * b * h
    scores = 24 * 4 * 2048**2 * 1024
    for checkpoint in (Checkpoint.NONE, Checkpoint.BLOCKS):
        (*passes, least), (*others, most) = macs(unfused, checkpoint), macs(net, checkpoint)
        assert passes == others
        assert most == least + scores
    assert macs(net, Checkpoint.ATTENTION) == macs(net)
    assert macs(unfused, Checkpoint.ATTENTION)[2] == 2 * scores

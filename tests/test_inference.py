"""Transformers at inference: cache, prefill, decode, roof; by hand, by loops, by simulation."""

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import ceil
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Symbol

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum
from costmodel.algebra.sums import summed
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.scenario.scenario import ATTENTIONS, Scenario, scenario
from costmodel.studies.inference import Inference, Plan, infer
from costmodel.studies.ridge_batch import (
    ExpertChoice,
    RidgeBatch,
    RoundedRoof,
    linear_roofs,
    longest,
    roofs,
)
from tests.conftest import ROOT, Run, examples

SPECS = ROOT / "specs"
LLAMA2, LLAMA3 = f"{SPECS}/llama.yaml@llama2-7b", f"{SPECS}/llama.yaml@llama3-8b"
MIXTRAL = f"{SPECS}/mixtral.yaml"
H100 = scenario(dtype="fp16", hardware="h100-sxm")
A100 = scenario(dtype="fp16", hardware="a100-80gb")

SMALL = """\
archspec: 1
name: small
symbols: {n: 2, t: 5, d: 6, H: 3, G: 1, d_h: 2, V: 7}
input: {tokens: [n, t]}
layers:
  - embedding: {num_embeddings: V, embedding_dim: d}
  - repeat:
      times: 2
      layers:
        - residual:
            - self_attention: {heads: H, kv_heads: G, head_dim: d_h, bias: false, causal: true}
        - residual:
            - linear: {out_features: 4*d, bias: false}
            - gelu
            - linear: {out_features: d, bias: false}
  - linear: {out_features: V, bias: false}
"""
WINDOW = SMALL.replace("causal: true", "causal: true, window: 3")


def read(text: str, use: Scenario, **values: int) -> Analysis:
    architecture = read_architecture(parse_document(text))
    numbers = {n: v for n, v in architecture.header.defaults.items() if n != "past"} | values
    return analyze_architecture(architecture, Setup("lecture", numbers, scenario=use))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """Writes a spec into a file."""

    def write(text: str) -> str:
        path = tmp_path / "spec.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


# What one run multiplies.


def linear_loops(rows: int, c_i: int, c_o: int) -> int:
    return sum(1 for _ in product(range(rows), range(c_i), range(c_o)))


def counted_by_loops(n: int, t: int, past: int, window: int | None = None) -> int:
    """Every product of `SMALL`, one by one: d = 6, H = 3, G = 1, d_h = 2, V = 7, two layers."""
    count = 0
    for _layer in range(2):
        count += (
            linear_loops(n * t, 6, 6) + 2 * linear_loops(n * t, 6, 2) + linear_loops(n * t, 6, 6)
        )
        for _row, _head, _query in product(range(n), range(3), range(t)):
            keys = list(range(t + past))
            for _key in keys if window is None else keys[-window:]:
                count += sum(1 for _feature in range(2)) * 2  # the score, then the weighted value
        count += linear_loops(n * t, 6, 24) + linear_loops(n * t, 24, 6)
    return count + linear_loops(n * t, 6, 7)


@pytest.mark.parametrize(("text", "window"), [(SMALL, None), (WINDOW, 3)])
@pytest.mark.parametrize(
    ("n", "t", "past"), [(1, 1, 0), (2, 1, 3), (1, 4, 2), (2, 3, 0), (1, 2, 9)]
)
def test_macs_are_what_loops_count(
    text: str, window: int | None, n: int, t: int, past: int
) -> None:
    analysis = read(text, scenario(past=past), n=n, t=t)
    assert analysis.value("macs") == counted_by_loops(n, t, past, window)


def test_a_window_as_large_as_the_tokens_is_none() -> None:
    wide = SMALL.replace("causal: true", "causal: true, window: 9")
    for past in range(9):
        assert read(wide, scenario(past=past), t=1).value("macs") == counted_by_loops(2, 1, past)


def test_decoding_step_by_step() -> None:
    """From nothing, one token at a time: the sum of what loops count for past = 0 … T − 1."""
    steps = [read(SMALL, scenario(past=past), n=1, t=1).value("macs") for past in range(7)]
    assert sum(steps) == sum(counted_by_loops(1, 1, past) for past in range(7))
    assert steps == sorted(steps)


def test_an_open_past_is_the_same_law() -> None:
    law = read(SMALL, scenario(past="past"), t=1)
    for past in range(1, 12):
        number = read(SMALL, scenario(past=past), t=1)
        for metric in ("macs", "kv_cache", "bytes_moved", "activations", "memory_peak"):
            assert getattr(law.at(past=past), metric) == number.value(metric)


# What is cached.


class Simulated:
    """A cache as an implementation keeps it: tokens are appended, old ones dropped."""

    def __init__(self, n: int, heads: int, size: int, window: int | None) -> None:
        self.n, self.heads, self.size, self.window = n, heads, size, window
        self.positions: list[int] = []

    def run(self, tokens: int) -> tuple[int, int]:
        """The elements of keys and values that a run reads and writes."""
        first = len(self.positions) and self.positions[-1] + 1
        new = list(range(first, first + tokens))
        met = {
            key
            for query in new
            for key in [*self.positions, *new]
            if key <= query and (self.window is None or key > query - self.window)
        }
        read = len(met & set(self.positions))
        kept = [*self.positions, *new]
        self.positions = kept if self.window is None else kept[-self.window :]
        written = len(set(new) & set(self.positions))
        return self.elements(read), self.elements(written)

    def elements(self, tokens: int) -> int:
        return 2 * self.n * self.heads * tokens * self.size

    @property
    def held(self) -> int:
        return self.elements(len(self.positions))


@pytest.mark.parametrize(("text", "window"), [(SMALL, None), (WINDOW, 3)])
@pytest.mark.parametrize("prompt", [1, 2, 3, 4, 8])
def test_the_cache_is_what_a_simulation_holds(text: str, window: int | None, prompt: int) -> None:
    """Prefill, six steps: bytes held, read and written in int8, two layers of G = 1 and d_h = 2."""
    cache, past = Simulated(2, 1, 2, window), 0
    for tokens in (prompt, 1, 1, 1, 1, 1, 1):
        read_now, written_now = cache.run(tokens)
        use = scenario(dtype="int8", past=past)
        analysis, without = read(text, use, t=tokens), read(text, use._replace(past=None), t=tokens)
        assert analysis.value("kv_cache") == 2 * cache.held
        moved = analysis.value("bytes_moved") - without.value("bytes_moved")
        assert moved == 2 * (read_now + written_now)
        past += tokens


def test_the_cache_by_hand() -> None:
    """2 layers · 2 sequences · 5 tokens · 1 head · (2 + 2) elements; a token adds 2·4 of them.

    In int4 with the keys' 2·5·2 elements apart from the values': the same, halved. With d_h = 3, a
    token's 3 keys are 2 bytes of int4, and so are its values: 2·(2 + 2).
    """
    net = read(SMALL, scenario(cache="int8"))
    assert (net.value("kv_cache"), net.value("kv_cache_per_token")) == (2 * 2 * 5 * 4, 2 * 4)
    half = read(SMALL, scenario(cache="int4"))
    assert (half.value("kv_cache"), half.value("kv_cache_per_token")) == (2 * 2 * 5 * 2, 2 * 2)
    odd = read(SMALL, scenario(cache="int4"), d_h=3)
    assert odd.value("kv_cache_per_token") == 2 * (2 + 2)


def test_values_of_another_size() -> None:
    """G·(d_h + d_v) = 1·(2 + 5) elements a token and layer."""
    other = SMALL.replace("head_dim: d_h", "head_dim: d_h, value_dim: 5")
    assert read(other, scenario(cache="int8")).value("kv_cache_per_token") == 2 * 7


def test_a_cache_that_the_spec_states() -> None:
    """kv_length: 9 for t = 2 are 7 tokens of before: 7·4 read, 2·4 written, 9·4 held; int8."""
    text = (
        "archspec: 1\nname: net\ninput: [1, 2, 8]\nlayers: [{self_attention: {heads: 4, "
        "head_dim: 2, kv_heads: 1, kv_length: 9, bias: false}}]"
    )
    net = read(text, scenario(dtype="int8"))
    plain = read(text.replace(", kv_length: 9", ""), scenario(dtype="int8"))
    assert net.value("bytes_moved") - plain.value("bytes_moved") == 7 * 4 + 2 * 4
    assert (net.value("kv_cache"), plain.value("kv_cache")) == (9 * 4, 0)


def test_an_encoder_and_a_decoder() -> None:
    """T5: 12 decoder layers of 12 heads of 64 keep t targets, and the s sources for all of them.

    2·12·768·(512 + 512) elements of two bytes; a further target adds 2·12·768 of them.
    """
    t5 = analyze(f"{SPECS}/t5.yaml@t5-base", scenario=scenario(dtype="fp16"))
    assert t5.value("kv_cache") == 2 * 12 * 768 * (512 + 512) * 2
    assert t5.value("kv_cache_per_token") == 2 * 12 * 768 * 2


def test_without_tokens_before_nothing_changes() -> None:
    """No cache: no traffic of one. An empty cache: no other product, keys and values written."""
    plain, empty = (read(SMALL, scenario(dtype="int8", past=past)) for past in (None, 0))
    for metric in ("macs", "params", "activations", "activations_peak", "memory_peak", "kv_cache"):
        assert plain.value(metric) == empty.value(metric)
    assert empty.value("bytes_moved") - plain.value("bytes_moved") == 2 * 2 * 5 * 4


def test_attention_that_is_not_causal_has_no_tokens_before() -> None:
    """What it makes of a token changes with every further one: it is decoded by no cache."""
    text = (
        "archspec: 1\nname: net\nsymbols: {t: 3}\ninput: [1, t, 8]\nlayers: "
        "[{self_attention: {heads: 4, causal: true}}, {self_attention: {heads: 4}}]"
    )
    assert read(text, scenario(past=0)).value("macs") == read(text, scenario()).value("macs")
    with pytest.raises(SpecError, match="self_attention_2: self_attention does not keep"):
        read(text, scenario(past=10))


def test_mistral_caches_an_eighth_at_32k() -> None:
    """Jiang et al., 2023, section 2: a window of 4,096 takes an eighth at 32k tokens."""
    fp16 = scenario(dtype="fp16")
    windowed, full = (
        analyze(f"{SPECS}/mistral.yaml@mistral-7b-v0.{v}", settings={"t": 32768}, scenario=fp16)
        for v in (1, 2)
    )
    assert full.value("kv_cache") == 8 * windowed.value("kv_cache") == 32768 * 131072


# Sums over all steps.

INDEX = Symbol("i", integer=True, positive=True)
lines = st.builds(lambda a, b: a * INDEX + b, st.integers(-4, 4), st.integers(-30, 30))


@st.composite
def bent(draw: st.DrawFn) -> Expr:
    """Polynomials of lines, their minima and maxima, one within another."""
    kinds = st.sampled_from([Minimum, Maximum])
    inner = draw(kinds)(draw(lines), draw(lines))
    outer = draw(kinds)(inner, draw(lines), draw(lines))
    return draw(lines) * draw(lines) + draw(st.integers(-3, 3)) * outer + inner * draw(lines)


@settings(deadline=None, max_examples=examples(200))
@given(bent(), st.integers(1, 12), st.integers(1, 40))
def test_a_sum_by_pieces_is_the_sum_one_by_one(law: Expr, first: int, count: int) -> None:
    one_by_one = sum(Evaluator({INDEX: first + i})(law) for i in range(count))
    assert summed(law, INDEX, first, count) == one_by_one


@pytest.mark.parametrize("spec", [LLAMA3, f"{SPECS}/mistral.yaml", f"{SPECS}/mixtral.yaml"])
def test_all_steps_are_the_steps_one_by_one(spec: str) -> None:
    """The window of Mistral is full in the middle: 4,090 … 4,099 tokens before."""
    found = infer(spec, Plan(4090, 10, 3), scenario=A100)
    (*_, steps), step = found.figures, found.works[1]
    at = [found.decode.evaluator_at({"n": 3, "past": 4090 + i}) for i in range(10)]
    for name, law in step.items():
        if name != "cache":
            assert steps.work[name] == sum(evaluate(law) for evaluate in at)
    assert steps.latency == sum(max(e(step["compute"]), e(step["memory"])) for e in at)


def test_where_compute_and_memory_change_places() -> None:
    """A sum of maxima is no maximum of sums: Llama 3 at n = 600 goes under the roof on the way."""
    found = infer(LLAMA3, Plan(500, 100, 600), scenario=A100)
    first, last, steps = found.figures[1:]
    assert (first.bound, last.bound) == ("compute", "memory")
    assert steps.latency is not None
    assert steps.latency > max(steps.work["compute"], steps.work["memory"])


def test_the_sum_in_symbols_is_the_sum_in_numbers(written: Callable[[str], str]) -> None:
    laws, path = infer(written(SMALL), None), written(SMALL)
    for prompt, generate, batch in ((1, 1, 1), (5, 4, 2), (9, 30, 7)):
        numbers = infer(path, Plan(prompt, generate, batch)).figures[-1]
        values = laws.prefill.evaluator_at({"n": batch, "t": prompt}).known
        evaluate = Evaluator({**values, Symbol("generate", integer=True, positive=True): generate})
        for name, law in laws.works[1].items():
            if name != "cache":
                total = laws.sum_of_steps(law)
                assert total is not None
                assert evaluate(total) == numbers.work[name]


def test_laws_are_numbers_at_points(written: Callable[[str], str]) -> None:
    path = written(WINDOW)
    laws = infer(path, None)
    for prompt, generate, batch in ((2, 1, 1), (6, 5, 3)):
        prefill, first, last, _ = infer(path, Plan(prompt, generate, batch)).figures
        for figures, of, work in (
            (prefill, laws.prefill, laws.works[0]),
            (first, laws.decode, laws.works[1]),
            (last, laws.decode, laws.works[1]),
        ):
            at = {"n": batch} | ({"past": figures.past} if figures.past else {"t": prompt})
            evaluate = of.evaluator_at(at)
            assert {name: evaluate(law) for name, law in work.items()} == figures.work


# Published figures, and what follows from them.


def test_llama_2_on_an_a100() -> None:
    """A step reads every weight but the embedding, of which it reads a row: 6,607,343,616 + 4,096.

    Blocks 32·(4·4096² + 3·4096·11008 + 2·4096), the norm 4096, the head 32000·4096. In fp16 that is
    13.215 GB, 6.481 ms at 2,039 GB/s; with the 512·524,288 bytes that are cached, what is written
    (524,288) and the activations (4.7 MB) 6.615 ms, or 151.2 tokens per second at most.
    """
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096) + 4096 + 32000 * 4096 + 4096
    found = infer(LLAMA2, convention="torch", scenario=A100)
    step = found.figures[1]
    assert step.work["weights"] == 2 * weights
    assert step.work["cache_reads"] == 512 * 524_288
    assert step.work["cache_writes"] == 524_288
    moved = 2 * weights + 513 * 524_288 + step.work["activations"]
    assert step.latency == Fraction(moved, 2039 * 10**9)
    assert round(float(step.rate or 0), 1) == 151.2
    assert found.decode.value("model_size") == 2 * 6_738_415_616


def test_what_a_step_moves_beside_weights_and_cache() -> None:
    """A block of Llama takes ``7·d + 4·ff`` elements of a token, in and out.

    Attention d + d, its sum d; gate d + ff, up d + ff, their product the other ff, down ff + d, its
    sum d. The embedding reads an index and writes d, the head reads d and writes V.
    """
    step = infer(LLAMA2, scenario=A100).figures[1]
    block = 7 * 4096 + 4 * 11008
    assert step.work["activations"] == 2 * (32 * block + 4096 + 1 + 4096 + 32000)


def test_the_roof_of_linear_layers() -> None:
    """312 TFLOP/s · 2 bytes/(2 · 2,039 GB/s) = 153.02; in int4 a quarter of it."""
    assert linear_roofs(infer(LLAMA2, scenario=A100))[0].batch == Fraction(312_000, 2039)
    int4 = scenario(dtype="fp16", weights="int4", hardware="a100-80gb")
    (roof,) = linear_roofs(infer(LLAMA2, scenario=int4))
    assert (roof.operations, roof.weights) == ("fp16", "int4")
    assert roof.batch == Fraction(312_000, 4 * 2039)


def test_the_roof_of_llama_3_by_hand() -> None:
    """After 512 tokens a sequence adds 7,639,138,304 MACs and 512·131,072 cached bytes, and more.

    Of all: W = 2·(32·(2·4096·(4096 + 1024) + 3·4096·14336) + 128256·4096) bytes of weights and
    2·(2·32 + 1)·4096 of normalisations, 7.362 ms. Of each:
    2·MACs/312e12 = 48.97 µs; 513·131,072 bytes of cache, 2·(32·(7·4096 + 4·14336) + 2·4096 + 1 +
    128256) of activations, 2·4096 of the embedding's row, 35.81 µs. 7.361 ms/13.16 µs = 559.6.
    """
    multiplied = 32 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336) + 128256 * 4096
    weights = 2 * (multiplied + (2 * 32 + 1) * 4096)
    block = 7 * 4096 + 4 * 14336
    moved = 513 * 131_072 + 2 * (32 * block + 3 * 4096 + 1 + 128256)
    macs = multiplied + 32 * 513 * 2 * 4096
    roof = roofs(infer(LLAMA3, scenario=A100))[0]
    assert isinstance(roof, RidgeBatch)
    speed, rate = 2039 * 10**9, 312 * 10**12
    assert roof.shared == Fraction(weights, speed)
    assert (roof.moved, roof.computed) == (Fraction(moved, speed), Fraction(2 * macs, rate))
    gain = Fraction(2 * macs, rate) - Fraction(moved, speed)
    assert roof.batch == ceil(Fraction(weights, speed) / gain) == 560


@pytest.mark.parametrize("spec", [LLAMA2, LLAMA3, f"{SPECS}/gpt2.yaml", f"{SPECS}/mixtral.yaml"])
def test_a_roof_is_left_there_and_not_before(spec: str) -> None:
    for prompt in (1, 100, 700):
        found = infer(spec, Plan(prompt, 1), scenario=A100)
        for roof in roofs(found):
            assert isinstance(roof, RidgeBatch)
            _check_where_it_is_left(found, roof)


def _check_where_it_is_left(found: Inference, roof: RidgeBatch | RoundedRoof) -> None:
    if roof.batch is None:
        assert not any(_is_left(found, roof, n) for n in (1, 10, 10**4, 10**9))
    else:
        assert _is_left(found, roof, roof.batch)
        assert roof.batch == 1 or not _is_left(found, roof, roof.batch - 1)


def _is_left(found: Inference, roof: RidgeBatch | RoundedRoof, n: int) -> bool:
    laws = found.works[1]
    compute = laws["compute"]
    memory = laws["memory_most" if roof.experts is ExpertChoice.SPREAD else "memory"]
    evaluate = found.decode.evaluator_at({"n": n, "past": roof.past})
    return evaluate(compute) >= evaluate(memory)


class Sizes(NamedTuple):
    """A decoder as its paper has it: layers, width, cached width, feed-forward width, words."""

    L: int
    d: int
    cached: int
    ff: int
    V: int


def llama_adds(net: Sizes, past: int) -> tuple[int, int]:
    """MACs and bytes of fp16 that a further sequence adds to a step of a Llama.

    A layer multiplies by q and o, d·d each, by k and v, d·g each (g = G·d_h), and three times d·ff;
    scores and their weighted sum are (past + 1)·d each. It moves 7·d + 4·ff elements (see
    `test_what_a_step_moves_beside_weights_and_cache`) and 2·g of the cache for every token, the new
    one included. Outside of it: the row of the embedding, d read and d written, one index, the last
    layer's d in and V out.
    """
    layer = 2 * net.d**2 + 2 * net.d * net.cached + 3 * net.d * net.ff + 2 * (past + 1) * net.d
    moved = 7 * net.d + 4 * net.ff + (past + 1) * 2 * net.cached
    return net.L * layer + net.V * net.d, 2 * (net.L * moved + 3 * net.d + 1 + net.V)


def gpt2_adds(net: Sizes, past: int) -> tuple[int, int]:
    """The same of GPT-2, whose layer multiplies by 12·d² weights and moves 14·d elements.

    Attention d in and d out, its sum d; d and 4·d, GELU in place, 4·d and d, its sum d. The row of
    the position is read once for all sequences, and added in place.
    """
    layer = 12 * net.d**2 + 2 * (past + 1) * net.d
    moved = 14 * net.d + (past + 1) * 2 * net.d
    return net.L * layer + net.V * net.d, 2 * (net.L * moved + 3 * net.d + 1 + net.V)


@pytest.mark.parametrize(
    ("spec", "adds", "net"),
    [
        (LLAMA2, llama_adds, Sizes(32, 4096, 4096, 11008, 32000)),
        (LLAMA3, llama_adds, Sizes(32, 4096, 1024, 14336, 128256)),
        (f"{SPECS}/mistral.yaml", llama_adds, Sizes(32, 4096, 1024, 14336, 32000)),
        (f"{SPECS}/gpt2.yaml", gpt2_adds, Sizes(12, 768, 768, 3072, 50257)),
    ],
)
def test_the_longest_past_of_a_batch(
    spec: str, adds: Callable[[Sizes, int], tuple[int, int]], net: Sizes
) -> None:
    """The last past of a loop, at which a sequence adds more of 312e12 FLOP/s than of 2,039 GB/s.

    While it does, enough of them outweigh the weights; from there on none do. The window of
    Mistral, 4,096, is far beyond.
    """
    bound = [
        past
        for past in range(1, 1023)
        for macs, moved in [adds(net, past)]
        if Fraction(2 * macs, 312 * 10**12) > Fraction(moved, 2039 * 10**9)
    ]
    assert bound == list(range(1, bound[-1] + 1))
    assert longest(infer(spec, scenario=A100)) == bound[-1]
    at, beyond = (
        roofs(infer(spec, Plan(past, 1), scenario=A100))[0] for past in (bound[-1], bound[-1] + 1)
    )
    assert isinstance(at, RidgeBatch)
    assert isinstance(beyond, RidgeBatch)
    assert at.batch is not None
    assert beyond.batch is None


def test_a_small_window_has_no_longest_past() -> None:
    """A window of 100 tokens is read in less time than a token is computed, however many pass."""
    found = infer(f"{SPECS}/mistral.yaml", settings={"window": 100}, scenario=A100)
    assert longest(found) is None
    assert all(isinstance(roof, RidgeBatch) and roof.batch for roof in roofs(found))


# Experts, of which a token visits some.


EXPERT = 32 * 3 * 4096 * 14336
"""The weights of one expert of Mixtral, in all 32 layers."""

BESIDE = 32 * (2 * 4096 * (4096 + 1024) + 8 * 4096 + 2 * 4096) + 4096 + 32000 * 4096
"""Its other weights that a step reads for all: q, k, v, o, the router, norms, the last layer."""


@pytest.mark.parametrize(("batch", "experts"), [(1, 2), (2, 4), (3, 6), (4, 8), (5, 8), (600, 8)])
def test_experts_are_read_by_few_or_by_all(batch: int, experts: int) -> None:
    """Of 8 experts, 2 for each of n tokens: 2 where all choose the same, at most min(8, 2·n).

    In fp16, with a row of the embedding for each. At n = 1 both ends are one.
    """
    step = infer(MIXTRAL, Plan(64, 10, batch), scenario=H100).figures[1]
    rows = batch * 4096
    assert step.work["weights"] == 2 * (BESIDE + 2 * EXPERT + rows)
    assert step.work["weights_most"] == 2 * (BESIDE + experts * EXPERT + rows)
    more = Fraction(2 * (experts - 2) * EXPERT, 3350 * 10**9)
    assert step.work["memory_most"] - step.work["memory"] == more
    assert step.weights_per_token_most == Fraction(2 * (BESIDE + experts * EXPERT + rows), batch)


def test_prefill_reads_all_experts_at_most() -> None:
    """64 tokens of 2 each reach all 8."""
    prefill = infer(MIXTRAL, Plan(64, 10), scenario=H100).figures[0]
    assert prefill.work["weights_most"] == 2 * (BESIDE + 8 * EXPERT + 64 * 4096)


def test_both_roofs_of_mixtral_by_hand() -> None:
    """A sequence computes 2·MACs/989e12 and moves its 65 tokens of cache, maps and a row.

    MACs: what multiplies beside the experts, those of two, and 65 scores and sums of 4096 in 32
    layers; 25.82 µs. Moved: 131,072 a token of cache; a layer's 10·d + 2·8 bytes and 2·(6·d + 8·ff)
    of two experts, as MACs above 2·V + 4·d + 2, and the row, 2·d; 5.622 µs. The weights that all
    share take 7.611 ms or 27.80 ms, so that n = 377 or, far beyond the 4 sequences that may read
    all experts, 1,377: nearly 8/2 times as many.
    """
    speed, rate, norms = 3350 * 10**9, 989 * 10**12, (2 * 32 + 1) * 4096
    macs = BESIDE - norms + 2 * EXPERT + 32 * 2 * 65 * 4096
    maps = 32 * (2 * (6 * 4096 + 8 * 14336) + 10 * 4096 + 2 * 8) + 2 * 32000 + 4 * 4096 + 2
    gain = Fraction(2 * macs, rate) - Fraction(65 * 131_072 + maps + 2 * 4096, speed)
    same, spread = roofs(infer(MIXTRAL, Plan(64, 1), scenario=H100))
    for roof, experts, batch in ((same, 2, 377), (spread, 8, 1377)):
        assert isinstance(roof, RidgeBatch)
        assert roof.shared == Fraction(2 * (BESIDE + experts * EXPERT), speed)
        assert roof.computed - roof.moved == gain
        assert roof.batch == ceil(roof.shared / gain) == batch


def test_linear_layers_of_experts_wait_for_their_share() -> None:
    """989·2/(2·3.35) = 295.22 tokens of an expert; of 8/2 times as many each sees so many."""
    others, experts = linear_roofs(infer(MIXTRAL, scenario=H100))
    assert (others.batch, others.spread) == (Fraction(98_900, 335), None)
    assert (experts.batch, experts.spread) == (Fraction(98_900, 335), Fraction(4 * 98_900, 335))


FEW = """\
archspec: 1
name: few
symbols: {n: 1, t: 8, d: 64, E: 64}
input: {tokens: [n, t, d]}
layers:
  - self_attention: {heads: 1, head_dim: 1, bias: false, causal: true}
  - moe: {experts: E, top_k: 1, layers: [{linear: {out_features: d, bias: false}}]}
"""


DEVICE = """\
archspec: 1
name: a device
operations: {{fp16: {{value: {rate} GFLOP/s, source: chosen, read: vendor}}}}
memory:
  ram:
    kind: dram
    capacity: {{value: 1 GiB, source: chosen, read: vendor}}
    bandwidth: {{value: 100 GB/s, source: chosen, read: vendor}}
"""


@pytest.fixture
def device(tmp_path: Path) -> Callable[[int], str]:
    """Writes the profile of a device of so many GFLOP/s and 100 GB/s."""

    def write(rate: int) -> str:
        path = tmp_path / "device.yaml"
        path.write_text(DEVICE.format(rate=rate), encoding="utf-8")
        return str(path)

    return write


def _check_by_loop(found: Inference) -> list[int | None]:
    """Of batches up to 1,000 those are bound by their products that a roof leaves."""
    batches = []
    for roof in roofs(found):
        assert isinstance(roof, RidgeBatch | RoundedRoof)
        memory_bound = [n for n in range(1, 1000) if not _is_left(found, roof, n)]
        last = max(memory_bound, default=0)
        assert (roof.batch or 1000) == last + 1
        batches.append(roof.batch)
    return batches


@pytest.mark.parametrize("rate", [20, 60, 90, 110, 120, 130, 140, 150, 500])
def test_a_roof_where_experts_are_still_added(
    written: Callable[[str], str], device: Callable[[int], str], rate: int
) -> None:
    """64 experts, 1 for each token: up to 64 sequences each bring one more.

    On devices of about one operation a byte some leave the roof there; a loop finds the same.
    """
    use = scenario(dtype="fp16", hardware=device(rate))
    same, spread = _check_by_loop(infer(written(FEW), Plan(4, 1), scenario=use))
    assert same is not None
    assert spread is None or same <= spread
    assert 1 < (spread or 0) < 64 or rate not in (110, 120)


@pytest.mark.parametrize("size", [1, 3, 15])
@pytest.mark.parametrize("rate", [20, 60, 110, 150, 300, 500, 2000])
def test_a_roof_where_bytes_are_rounded_up(
    written: Callable[[str], str], device: Callable[[int], str], size: int, rate: int
) -> None:
    """A cache of int4 whose tokens have an odd number of elements: a loop finds the same."""
    use = scenario(dtype="fp16", cache="int4", hardware=device(rate))
    found = infer(written(SMALL), Plan(5, 4), settings={"d_h": size}, scenario=use)
    assert any(isinstance(roof, RoundedRoof) for roof in roofs(found))
    _check_by_loop(found)


def test_weights_per_token_are_a_number(archcost: Run) -> None:
    """An integer or, of 3 sequences whose bytes 3 does not divide, a fraction that is rounded."""
    done = archcost("inference", "specs/mixtral.yaml", "--batch", "3", "--format", "json")
    for run in json.loads(done.stdout)["runs"]:
        for name in ("weights", "weights_most"):
            shown = run[name.replace("weights", "weights_per_token")]
            assert isinstance(shown, int | float)
            assert shown == pytest.approx(run[name] / run["tokens"], rel=1e-15)


@pytest.mark.parametrize("rule", ["multiple_of: 64", "min: 2"])
def test_a_step_takes_one_token(written: Callable[[str], str], rule: str) -> None:
    path = written(SMALL.replace("t: 5", f"t: {{default: 64, {rule}}}"))
    with pytest.raises(SpecError, match="every step of decode takes one token at a time"):
        infer(path)


def test_what_is_stored_is_every_parameter(archcost: Run) -> None:
    """Inference and fit decide by the same bytes: GPT-2's 124,439,808 parameters, two each."""
    done = archcost("inference", "specs/gpt2.yaml", "--dtype", "fp16", "--format", "json")
    memory = json.loads(done.stdout)["memory"]
    assert [each["weights"] for each in memory] == [2 * 124_439_808] * 2
    args = ("specs/gpt2.yaml", "--dtype", "fp16", "--hardware", "a100-80gb")
    assert "convention          torch" in archcost("inference", *args).stdout
    assert "convention          torch" in archcost("fit", *args).stdout


def test_efficiency_takes_longer_and_leaves_the_roof() -> None:
    half = scenario(dtype="fp16", hardware="a100-80gb", efficiency="0.5")
    full, slow = infer(LLAMA3, scenario=A100), infer(LLAMA3, scenario=half)
    assert slow.figures[1].latency == 2 * (full.figures[1].latency or 0)
    pairs = zip(roofs(full), roofs(slow), strict=True)
    assert all(
        a.batch == b.batch
        for a, b in pairs
        if isinstance(a, RidgeBatch) and isinstance(b, RidgeBatch)
    )


@pytest.mark.parametrize(("plan", "device"), [(Plan(), "a100-80gb"), (Plan(4000, 90), "l40s")])
def test_the_largest_batch_fits_and_one_more_does_not(plan: Plan, device: str) -> None:
    use = scenario(dtype="fp16", hardware=device)
    found = infer(LLAMA3, plan, scenario=use)
    batch, capacity = found.largest_batch, found.capacity
    assert batch
    assert capacity is not None
    for n, fits in ((batch, True), (batch + 1, False)):
        memories = infer(LLAMA3, plan._replace(batch=n), scenario=use).memories
        assert (max(memory.total for memory in memories) <= capacity) is fits


def test_where_nothing_fits() -> None:
    assert infer(f"{SPECS}/mixtral.yaml", scenario=A100).largest_batch == 0


class Works(NamedTuple):
    """A layer at work: what it reads, what it makes, and how many elements are inside it."""

    reads: str
    makes: str
    size: int
    inside: int = 0


def peak_by_simulation(network: list[Works], first: str) -> int:
    """The most elements at a time, each map alive from who makes it to who reads it last."""
    sizes = {first: 1} | {work.makes: work.size for work in network}
    alive, peak = {first}, 0
    for i, work in enumerate(network):
        alive.add(work.makes)
        peak = max(peak, sum(sizes[name] for name in alive) + work.inside)
        later = {name for after in network[i + 1 :] for name in after.reads.split()}
        alive = {name for name in alive if name in later}
    return peak


@pytest.mark.parametrize(("attention", "scores"), [("fused", 0), ("unfused", 32 * 640)])
def test_memory_by_hand(attention: str, scores: int) -> None:
    """All 6,738,415,616 parameters in two bytes, and 640 tokens of 524,288 bytes.

    The last step, of one token, is simulated for one block, as all are alike: what is read again is
    kept, and sums, the activation and the product of the gate work in place. The attention has q,
    k, v and the weighted sum inside, 4·4096, and unfused scores of 32·640; with its input, its
    output and the residual that makes 7·4096 + 20480 elements, more than 2·4096 + 2·11008 of the
    gate and 4096 + 32000 of the end; fused it makes 7·4096, less than the end.
    """
    d, ff = 4096, 11008
    block = [
        Works("x", "normed", d),
        Works("x normed", "attended", d, 4 * d + scores),
        Works("x attended", "normed_2", d),  # the sum lies where x did
        Works("x normed_2", "gate", ff),
        Works("x normed_2 gate", "up", ff),
        Works("x gate up", "down", d),
        Works("x down", "x", d),
    ]
    network = [Works("token", "x", d), *block, Works("x", "words", 32000)]
    elements = peak_by_simulation(network, "token")
    assert elements == max(7 * d + scores, d + 32000)
    said = A100._replace(attention=ATTENTIONS[attention])
    last = infer(LLAMA2, scenario=said).memories[-1]
    assert (last.weights, last.cache) == (2 * 6_738_415_616, 640 * 524_288)
    assert last.activations == 2 * elements


def test_types_of_weights_activations_and_cache() -> None:
    """int4 weights, fp16 activations, int8 cache: W/2, 1 byte an element of the cache.

    W is every weight and the (2·32 + 1)·4096 of normalisations, of the embedding one row.
    """
    use = scenario(weights="int4", activations="fp16", cache="int8", hardware="a100-80gb")
    found = infer(LLAMA2, scenario=use)
    blocks = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096 + 4096
    blocks += (2 * 32 + 1) * 4096
    assert found.figures[1].work["weights"] == blocks // 2
    assert found.cache_per_token == 524_288 // 2


# The command, and bad input.


def test_weights_are_read_once_for_a_batch() -> None:
    one, many = (infer(LLAMA2, Plan(batch=n)).figures[1] for n in (1, 8))
    row = 4096 * 4
    assert many.weights_per_token == (one.weights_per_token + 7 * row) / 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["specs/alexnet.yaml"], "no layer here meets tokens that came before"),
        (["specs/bert.yaml"], "no layer here meets tokens that came before"),
        (["specs/gpt2.yaml", "--prompt", "0"], "prompt = 0 is too few"),
        (["specs/gpt2.yaml", "--prompt", "-3"], "prompt = -3 is too few"),
        (["specs/gpt2.yaml", "--batch", "0"], "batch = 0 is too few"),
        (["specs/gpt2.yaml", "--generate", "0"], "generate = 0 is too few"),
        (["specs/gpt2.yaml", "--prompt", "2000"], "2000 tokens, but there are only 1024 positions"),
        (["specs/gpt2.yaml", "--prompt", "1000"], "1 tokens after 1127"),
        (["specs/gpt2.yaml", "--set", "t=5"], "say --prompt 5"),
        (["specs/gpt2.yaml", "--set", "n=5"], "say --batch 5"),
        (["specs/gpt2.yaml", "--past", "5"], "leave --past out"),
        (["specs/gpt2.yaml", "--optimizer", "adam"], "nothing is trained at inference"),
        (["specs/gpt2.yaml", "--assume", "t == n"], "what 't' equals, but prefill and decode set"),
        (["specs/gpt2.yaml", "--assume", "n == 4"], "what 'n' equals, but prefill and decode set"),
        (["specs/gpt2.yaml", "--assume", "d == t"], "what 'd' equals, but prefill and decode set"),
        (["specs/gpt2.yaml", "--hardware", "a100"], "unknown device 'a100'"),
        (["specs/gpt2.yaml", "--hardware", "v100", "--dtype", "bf16"], "v100 has no peak for bf16"),
        (["specs/gpt2.yaml", "--symbolic", "--batch", "4"], "--symbolic leaves it open"),
        (["specs/gpt2.yaml", "--format", "yaml"], "unknown format 'yaml'"),
    ],
)
def test_one_clear_error(archcost: Run, arguments: list[str], words: str) -> None:
    done = archcost("inference", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_error_names_the_condition(archcost: Run) -> None:
    done = archcost("inference", "specs/gpt2.yaml", "--prompt", "1000")
    assert "positional_embedding_1" in done.stderr
    assert "decode is valid when 1023 >= past" in done.stderr


@pytest.mark.parametrize("shape", ["[1, t]", "[n, 128]", "[n, n]", "[n, 2*t]", "[n]"])
def test_batch_and_tokens_are_symbols(written: Callable[[str], str], shape: str) -> None:
    with pytest.raises(SpecError, match="the first two axes are batch and tokens"):
        infer(written(SMALL.replace("[n, t]", shape)))


@pytest.mark.parametrize(
    ("past", "words"),
    [("-1", "past = -1"), ("1/2", "past = 1/2"), ("many", "past = many is no number")],
)
def test_past_is_a_number_of_tokens(past: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        scenario(past=past)


def test_a_spec_with_a_past_of_its_own(written: Callable[[str], str]) -> None:
    own = SMALL.replace("{n: 2", "{past: 4, n: 2").replace("causal: true", "kv_length: t + past")
    path = written(own)
    assert analyze(path).at(past=9).kv_cache == 2 * 2 * 2 * 14 * 2 * 4
    for past in ("past", 3):
        with pytest.raises(SpecError, match="the spec says itself what 'past' is"):
            analyze(path, scenario=scenario(past=past))


def test_a_spec_with_a_number_of_steps_of_its_own(written: Callable[[str], str]) -> None:
    path = written(SMALL.replace("{n: 2", "{generate: 4, n: 2").replace("4*d", "generate*d"))
    assert infer(path).figures[0].tokens == 512
    with pytest.raises(SpecError, match="the spec says itself what 'generate' is"):
        infer(path, None)


def test_past_without_a_layer_that_takes_it() -> None:
    with pytest.raises(SpecError, match="no layer here meets tokens that came before"):
        analyze(SPECS / "bert.yaml", scenario=scenario(past=3))


def test_an_open_past_is_known_everywhere(archcost: Run) -> None:
    """Set, solved for, shown with its conditions; and lint does not call it unused."""
    shown = archcost("specs/gpt2.yaml", "--past", "past", "--set", "t=1", "--symbolic")
    assert "context >= past + 1" in shown.stdout
    assert shown.stderr == ""
    fixed = archcost("specs/gpt2.yaml", "--past", "past", "--set", "t=1", "past=1023")
    assert "past = 1023" in fixed.stdout
    solved = archcost(
        *("solve", "specs/gpt2.yaml", "--for", "past", "--where", "kv_cache <= 1e9"),
        *("--past", "past", "--set", "t=1", "--cache", "fp16"),
    )
    assert solved.stdout.splitlines()[2].split() == ["past", "1023"]
    for command in (["--past", "7", "--set", "t=1"], ["--past", "past", "--set", "t=1", "past=7"]):
        done = archcost("specs/llama.yaml", *command, "--metric", "macs", "--format", "json")
        assert json.loads(done.stdout)["symbols"]["past"] == 7


def test_assumptions_hold_of_a_batch() -> None:
    """A sequence takes 512 tokens of 131,072 bytes, and as many gates of 2·4096 + 2·14336 elements.

    Of the logits prefill makes those of the last token alone.
    """
    beside, each = 80 * 2**30 - 2 * 8_030_261_248, 512 * (131_072 + 2 * (2 * 4096 + 2 * 14_336))
    found = infer(LLAMA3, Plan(batch=8), assume=("n % 8 == 0",), scenario=A100)
    plain = infer(LLAMA3, Plan(batch=8), scenario=A100)
    assert found.figures == plain.figures
    assert roofs(found) == roofs(plain)
    assert found.largest_batch == beside // each // 8 * 8 == 664


@pytest.mark.parametrize("path", ["specs/llama.yaml", "specs/gpt2.yaml"])
def test_prefill_makes_the_logits_of_the_last_token(path: str) -> None:
    """All else is what the network is with as many tokens: d·V MACs less for each but the last."""
    found = infer(path, Plan(100, 1, 3))
    assert found.narrows
    whole = analyze(path, settings={"t": 100, "n": 3}, convention="torch", scenario={"past": 0})
    logits = whole.evaluator(whole.layers[-1].cost.macs)
    (prefill, *_) = found.figures
    for metric in ("macs", "macs_least"):
        assert prefill.work[metric] == whole.value(metric) - logits * 99 // 100


def test_prefill_makes_all_logits_where_all_are_used(tmp_path: Path) -> None:
    """A sum over what came before the last attention takes the outputs of all tokens."""
    spec = tmp_path / "net.yaml"
    body = "[{linear: {out_features: 8}, name: a}, {self_attention: {heads: 2, causal: true}}, "
    spec.write_text(
        "archspec: 1\nname: net\nsymbols: {n: 1, t: 4}\ninput: [n, t, 8]\n"
        f"layers: {body}{{add: , from: [a, self_attention_1]}}, {{linear: {{out_features: 9}}}}]\n"
    )
    found = infer(str(spec), Plan(100, 1, 1))
    assert not found.narrows
    assert found.prefill.value("macs") == 100 * 8 * (8 + 4 * 8 + 9) + 2 * 100 * 100 * 8


GOLDEN = ("--hardware", "a100-80gb", "--dtype", "fp16", "--batch", "16")


@pytest.mark.parametrize(
    ("name", "arguments", "columns"),
    [
        ("inference.txt", ("specs/llama.yaml@llama3-8b", *GOLDEN), 80),
        ("inference-200.txt", ("specs/mixtral.yaml", *GOLDEN), 200),
        ("inference.md", ("specs/llama.yaml@llama2-7b", *GOLDEN, "--format", "markdown"), 80),
        ("inference.json", ("specs/mistral.yaml", *GOLDEN, "--format", "json"), 80),
        ("inference-symbolic.txt", ("specs/gpt2.yaml", "--symbolic", "--dtype", "fp16"), 80),
        ("inference-bare.txt", ("specs/gemma.yaml@gemma2-2b",), 80),
    ],
)
def test_golden(
    archcost: Run,
    golden: Callable[[str, str], None],
    name: str,
    arguments: tuple[str, ...],
    columns: int,
) -> None:
    done = archcost("inference", *arguments, columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    golden(name, done.stdout)


def test_laws_in_json_are_python(archcost: Run) -> None:
    """Evaluated at the symbols, the laws are the numbers of the command without --symbolic."""
    shown = json.loads(
        archcost("inference", "specs/mistral.yaml", "--symbolic", "--format", "json").stdout
    )
    numbers = json.loads(archcost("inference", "specs/mistral.yaml", "--format", "json").stdout)
    names = numbers["symbols"] | {"n": 1, "t": 512, "past": 512, "min": min}
    for key, run_of in (("prefill", numbers["runs"][0]), ("step", numbers["runs"][1])):
        for name, law in shown["laws"][key].items():
            if name in run_of:
                assert eval(law, {}, names) == run_of[name]
    assert shown["laws"]["steps"]["macs"] is None

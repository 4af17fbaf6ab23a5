"""Transformers at inference: cache, prefill, decode, roof; by hand, by loops, by simulation."""

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import ceil
from pathlib import Path

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
from costmodel.algebra.pieces import summed
from costmodel.conventions import find_convention
from costmodel.inference import Inference, Plan, infer
from costmodel.loading import analyze_architecture
from costmodel.roofs import Roof, linear_roofs, longest, roofs
from costmodel.scenario import Scenario, scenario
from tests.conftest import ROOT, Run

SPECS = ROOT / "specs"
LLAMA2, LLAMA3 = f"{SPECS}/llama.yaml@llama2-7b", f"{SPECS}/llama.yaml@llama3-8b"
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
    return analyze_architecture(architecture, find_convention("lecture"), numbers, (), use)


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


def test_attention_that_is_not_causal_meets_its_own_tokens() -> None:
    """Of two attentions, past is of the causal one: H·2·d_h more products per token before."""
    text = (
        "archspec: 1\nname: net\nsymbols: {t: 3}\ninput: [1, t, 8]\nlayers: "
        "[{self_attention: {heads: 4, causal: true}}, {self_attention: {heads: 4}}]"
    )
    with_past, plain = read(text, scenario(past=10)), read(text, scenario())
    assert with_past.value("macs") - plain.value("macs") == 3 * 10 * 2 * 8


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


@settings(deadline=None, max_examples=200)
@given(bent(), st.integers(1, 12), st.integers(1, 40))
def test_a_sum_by_pieces_is_the_sum_one_by_one(law: Expr, first: int, count: int) -> None:
    one_by_one = sum(Evaluator({INDEX: first + i})(law) for i in range(count))
    assert summed(law, INDEX, first, count) == one_by_one


@pytest.mark.parametrize("spec", [LLAMA3, f"{SPECS}/mistral.yaml", f"{SPECS}/mixtral.yaml"])
def test_all_steps_are_the_steps_one_by_one(spec: str) -> None:
    """The window of Mistral is full in the middle: 4,090 … 4,099 tokens before."""
    found = infer(spec, Plan(4090, 10, 3), scenario=A100)
    (*_, steps), step = found.figures, found.works[1]
    at = [found.decode.laws_at({"n": 3, "past": 4090 + i}) for i in range(10)]
    for name, law in step.known:
        if name != "cache":
            assert steps.work[name] == sum(evaluate(law) for evaluate in at)
    assert steps.latency == sum(max(e(step.compute), e(step.memory)) for e in at)


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
        values = laws.prefill.laws_at({"n": batch, "t": prompt}).known
        evaluate = Evaluator({**values, Symbol("generate", integer=True, positive=True): generate})
        for name, law in laws.works[1].known:
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
            evaluate = of.laws_at(at)
            assert {name: evaluate(law) for name, law in work.known} == figures.work


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

    Of all: W = 2·(32·(2·4096·(4096 + 1024) + 3·4096·14336) + 128256·4096) bytes, 7.361 ms. Of each:
    2·MACs/312e12 = 48.97 µs; 513·131,072 bytes of cache, 2·(32·(7·4096 + 4·14336) + 2·4096 + 1 +
    128256) of activations, 2·4096 of the embedding's row, 35.81 µs. 7.361 ms/13.16 µs = 559.6.
    """
    weights = 2 * (32 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336) + 128256 * 4096)
    block = 7 * 4096 + 4 * 14336
    moved = 513 * 131_072 + 2 * (32 * block + 3 * 4096 + 1 + 128256)
    macs = weights // 2 + 32 * 513 * 2 * 4096
    roof = roofs(infer(LLAMA3, scenario=A100))[0]
    assert isinstance(roof, Roof)
    speed, rate = 2039 * 10**9, 312 * 10**12
    assert roof.shared == Fraction(weights, speed)
    assert (roof.moved, roof.computed) == (Fraction(moved, speed), Fraction(2 * macs, rate))
    gain = Fraction(2 * macs, rate) - Fraction(moved, speed)
    assert roof.batch == ceil(Fraction(weights, speed) / gain) == 560


@pytest.mark.parametrize("spec", [LLAMA2, LLAMA3, f"{SPECS}/gpt2.yaml", f"{SPECS}/mixtral.yaml"])
def test_a_roof_is_left_there_and_not_before(spec: str) -> None:
    for prompt in (1, 100, 700):
        found = infer(spec, Plan(prompt, 1), scenario=A100)
        (roof,) = roofs(found)
        assert isinstance(roof, Roof)
        if roof.batch is None:
            assert not any(_is_left(found, prompt, n) for n in (1, 10, 10**4, 10**9))
        else:
            assert _is_left(found, prompt, roof.batch)
            assert not _is_left(found, prompt, roof.batch - 1)


def _is_left(found: Inference, past: int, n: int) -> bool:
    compute, memory = (law for name, law in found.works[1].known if name in ("compute", "memory"))
    evaluate = found.decode.laws_at({"n": n, "past": past})
    return evaluate(compute) >= evaluate(memory)


@pytest.mark.parametrize(
    ("spec", "tokens"),
    [(LLAMA2, 155), (LLAMA3, 722), (f"{SPECS}/mistral.yaml", 683), (f"{SPECS}/gpt2.yaml", 33)],
)
def test_the_longest_past_of_a_batch(spec: str, tokens: int) -> None:
    """At it there is a batch, and at one token more there is none."""
    assert longest(infer(spec, scenario=A100)) == tokens
    at, beyond = (
        roofs(infer(spec, Plan(past, 1), scenario=A100))[0] for past in (tokens, tokens + 1)
    )
    assert isinstance(at, Roof)
    assert isinstance(beyond, Roof)
    assert at.batch is not None
    assert beyond.batch is None


def test_a_small_window_has_no_longest_past() -> None:
    """A window of 100 tokens is read in less time than a token is computed, however many pass."""
    found = infer(f"{SPECS}/mistral.yaml", settings={"window": 100}, scenario=A100)
    assert longest(found) is None
    assert all(isinstance(roof, Roof) and roof.batch for roof in roofs(found))


def test_efficiency_takes_longer_and_leaves_the_roof() -> None:
    half = scenario(dtype="fp16", hardware="a100-80gb", efficiency="0.5")
    full, slow = infer(LLAMA3, scenario=A100), infer(LLAMA3, scenario=half)
    assert slow.figures[1].latency == 2 * (full.figures[1].latency or 0)
    pairs = zip(roofs(full), roofs(slow), strict=True)
    assert all(a.batch == b.batch for a, b in pairs if isinstance(a, Roof) and isinstance(b, Roof))


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


def test_memory_by_hand() -> None:
    """Weights without normalisation in two bytes, and 640 tokens of 524,288 bytes.

    At the peak an attention holds its input and the copy that is added, q, k and v, the weighted
    sum and the output, 7·4096 elements, and scores of 32·640; the last layer holds 4096 + 32000.
    """
    last = infer(LLAMA2, scenario=A100).memories[-1]
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 2 * 32000 * 4096
    assert (last.weights, last.cache) == (2 * weights, 640 * 524_288)
    assert last.activations == 2 * (7 * 4096 + 32 * 640)


def test_types_of_weights_activations_and_cache() -> None:
    """int4 weights, fp16 activations, int8 cache: W/2, 1 byte an element of the cache."""
    use = scenario(weights="int4", activations="fp16", cache="int8", hardware="a100-80gb")
    found = infer(LLAMA2, scenario=use)
    blocks = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096 + 4096
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
        (["specs/t5.yaml"], "2 inputs, source and target"),
        (["specs/gpt2.yaml", "--prompt", "0"], "prompt = 0 is too few"),
        (["specs/gpt2.yaml", "--prompt", "-3"], "prompt = -3 is too few"),
        (["specs/gpt2.yaml", "--batch", "0"], "batch = 0 is too few"),
        (["specs/gpt2.yaml", "--generate", "0"], "generate = 0 is too few"),
        (["specs/gpt2.yaml", "--prompt", "2000"], "2000 tokens, but there are only 1024 positions"),
        (["specs/gpt2.yaml", "--prompt", "1000"], "1 tokens after 1127"),
        (["specs/gpt2.yaml", "--set", "t=5"], "say --prompt 5"),
        (["specs/gpt2.yaml", "--set", "n=5"], "say --batch 5"),
        (["specs/gpt2.yaml", "--past", "5"], "leave --past out"),
        (["specs/gpt2.yaml", "--hardware", "a100"], "unknown device 'a100'"),
        (["specs/gpt2.yaml", "--hardware", "v100", "--dtype", "bf16"], "v100 has no peak for bf16"),
        (["specs/gpt2.yaml", "--symbolic", "--batch", "4"], "--symbolic leaves it open"),
        (["specs/gpt2.yaml", "--format", "csv"], "unknown format 'csv'"),
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
    found = infer(LLAMA3, Plan(batch=8), assume=("n % 8 == 0",), scenario=A100)
    plain = infer(LLAMA3, Plan(batch=8), scenario=A100)
    assert found.figures == plain.figures
    assert roofs(found) == roofs(plain)
    assert found.largest_batch == 344


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

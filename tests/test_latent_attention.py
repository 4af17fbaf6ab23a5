"""Attention over latents against loops over steps and heads, whose caches are dictionaries."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from math import exp, sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.scenario.scenario import scenario
from costmodel.studies.inference import Plan, expected_experts, infer
from tests.conftest import examples

Vector = Sequence[float]
D, HEADS, Q_RANK, RANK, SIZE, ROTATED, VALUE = 5, 2, 3, 4, 3, 2, 2
FIELDS = (
    f"heads: {HEADS}, q_rank: {Q_RANK}, kv_rank: {RANK}, head_dim: {SIZE}, rope_dim: {ROTATED}, "
    f"value_dim: {VALUE}, causal: true"
)


class Decoder:
    """The layer token by token: it keeps a latent and a rotated key of each token, no more."""

    def __init__(self, seed: int, *, absorbed: bool, window: int | None = None) -> None:
        random = Random(seed)
        self.absorbed, self.window, self.products = absorbed, window, 0
        self.latents: dict[int, Vector] = {}
        self.keys: dict[int, Vector] = {}

        def matrix(rows: int, columns: int) -> list[list[float]]:
            return [[random.uniform(-1, 1) for _ in range(columns)] for _ in range(rows)]

        self.q_a, self.q_b = matrix(Q_RANK, D), matrix(HEADS * (SIZE + ROTATED), Q_RANK)
        self.kv_a, self.out = matrix(RANK + ROTATED, D), matrix(D, HEADS * VALUE)
        self.k_b = [matrix(SIZE, RANK) for _ in range(HEADS)]
        self.v_b = [matrix(VALUE, RANK) for _ in range(HEADS)]

    def dot(self, a: Vector, b: Vector) -> float:
        """A sum of products, which are counted."""
        self.products += len(a)
        return sum(x * y for x, y in zip(a, b, strict=True))

    def times(self, matrix: Sequence[Vector], vector: Vector) -> list[float]:
        return [self.dot(row, vector) for row in matrix]

    def step(self, place: int, token: Vector) -> list[float]:
        """What the layer makes of a token after those before it."""
        queries = self.times(self.q_b, normed(self.times(self.q_a, token)))
        both = self.times(self.kv_a, token)
        self.latents[place], self.keys[place] = normed(both[:RANK]), both[RANK:]
        first = 0 if self.window is None else max(0, place - self.window + 1)
        seen = range(first, place + 1)
        joined: list[float] = []
        for head in range(HEADS):
            own = queries[head * (SIZE + ROTATED) :][: SIZE + ROTATED]
            joined += self.head(head, own[:SIZE], own[SIZE:], seen)
        return self.times(self.out, joined)

    def head(self, head: int, own: Vector, rotated: Vector, seen: range) -> list[float]:
        """The values of a head, in the one form or the other."""
        if self.absorbed:
            own = self.times(list(zip(*self.k_b[head], strict=True)), own)
            keys, values = self.latents, self.latents
        else:
            keys = {s: self.times(self.k_b[head], self.latents[s]) for s in seen}
            values = {s: self.times(self.v_b[head], self.latents[s]) for s in seen}
        scores = [self.dot([*own, *rotated], [*keys[s], *self.keys[s]]) for s in seen]
        whole = [exp(score / sqrt(SIZE + ROTATED)) for score in scores]
        shares = [each / sum(whole) for each in whole]
        summed = [
            self.dot(shares, column) for column in zip(*(values[s] for s in seen), strict=True)
        ]
        return self.times(self.v_b[head], summed) if self.absorbed else summed


def normed(x: Vector) -> list[float]:
    return [each / sqrt(sum(y * y for y in x) / len(x) + 1e-6) for each in x]


def read(fields: str = FIELDS, **said: object) -> Analysis:
    text = (
        f"archspec: 1\nname: net\nsymbols: {{n: 1, t: 1}}\ninput: [n, t, {D}]\n"
        f"layers: [{{latent_attention: {{{fields}}}}}]"
    )
    architecture = read_architecture(parse_document(text))
    given = scenario(**said)  # type: ignore[arg-type]
    return analyze_architecture(architecture, Setup("torch", scenario=given))


def tokens(seed: int, count: int) -> Iterator[list[float]]:
    random = Random(-seed - 1)
    for _ in range(count):
        yield [random.uniform(-1, 1) for _ in range(D)]


@pytest.mark.parametrize("window", [None, 3])
def test_steps_in_the_absorbed_form(window: int | None) -> None:
    """Both forms make the same of every token; products and what is kept are those of the loops."""
    steps, plain = (Decoder(7, absorbed=form, window=window) for form in (True, False))
    fields = FIELDS + ("" if window is None else f", window: {window}")
    for place, token in enumerate(tokens(7, 8)):
        before = steps.products
        made = steps.step(place, token)
        assert made == pytest.approx(plain.step(place, token))
        if place == 0:
            continue  # without a past, keys and values are made
        step = read(fields, past=place)
        assert step.value("macs") == steps.products - before
        held = {s for s in steps.latents if window is None or s > place - window}
        kept = sum(len(steps.latents[s]) + len(steps.keys[s]) for s in held)
        assert step.value("kv_cache") == 4 * kept


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(1, 9), st.booleans(), st.none() | st.integers(1, 5))
def test_a_prompt_by_loops(count: int, absorbed: bool, window: int | None) -> None:
    """Keys and values of each token are made once; pairs that the mask hides are not counted."""
    made = Decoder(1, absorbed=True, window=window)
    for place, token in enumerate(tokens(1, count)):
        made.step(place, token)
    expected = made.products
    if not absorbed:
        seen = (min(place + 1, window or count) for place in range(count))
        pairs, heads = sum(seen), HEADS
        expected -= count * heads * (SIZE * RANK + RANK * VALUE) + pairs * heads * (
            2 * RANK + ROTATED
        )
        expected += count * heads * RANK * (SIZE + VALUE)
        expected += pairs * heads * (SIZE + ROTATED + VALUE)
    fields = FIELDS + f", absorbed: {str(absorbed).lower()}"
    fields += "" if window is None else f", window: {window}"
    assert read(fields, past=0).at(t=count).macs_least == expected


def test_deepseek_v3_as_published() -> None:
    """70,272 bytes per token in bf16: 61 layers of 512 + 64; a step meets latents alone."""
    net = infer("specs/deepseek_v3.yaml", Plan(1000, 10, 4), scenario=scenario(dtype="bf16"))
    assert net.cache_per_token == 70_272 == 61 * 576 * 2
    first, steps = net.figures[1], net.figures[-1]
    assert first.work["cache_reads"] == 4 * 1000 * 70_272
    assert steps.work["cache_reads"] == 4 * 70_272 * sum(range(1000, 1010))
    heads, rank, rotated, size = 128, 512, 64, 128
    queries = 7168 * 1536 + 1536 * heads * (size + rotated)
    attention = queries + 7168 * (rank + rotated) + 2 * heads * size * rank + heads * size * 7168
    core = heads * 1001 * (2 * rank + rotated)
    dense, experts = 3 * 3 * 7168 * 18432, 58 * (9 * 3 * 7168 * 2048 + 256 * 7168)
    one = 61 * (attention + core) + dense + experts + 129_280 * 7168
    assert first.work["macs"] == 4 * one


@pytest.mark.parametrize(
    ("experts", "top_k", "count"), [(4, 1, 3), (4, 2, 3), (5, 3, 2), (3, 3, 2)]
)
def test_expected_experts_by_all_choices(experts: int, top_k: int, count: int) -> None:
    choices = list(combinations(range(experts), top_k))
    visited = [len(set().union(*each)) for each in product(choices, repeat=count)]
    assert float(expected_experts(experts, top_k, count)) == pytest.approx(
        sum(visited) / len(visited)
    )


def test_expected_weights_lie_between_their_bounds() -> None:
    """One token visits top_k of them; many visit all."""
    for batch in (1, 32):
        for run in infer("specs/mixtral.yaml", Plan(2000, 3, batch)).figures:
            expected = run.work["weights_expected"]
            assert run.work["weights"] <= expected <= run.work["weights_most"]
            assert (expected == run.work["weights"]) == (
                run.tokens == 1 or (batch, run.past) == (1, None)
            )


@pytest.mark.parametrize("layer", ["q_rank: 0", "rope_dim: -1", "kv_rank: none"])
def test_sizes_are_positive(layer: str) -> None:
    name = layer.partition(":")[0]
    fields = {"heads": "2", "kv_rank": "4", "head_dim": "3", "rope_dim": "2"} | {
        name: layer.partition(": ")[2]
    }
    with pytest.raises(SpecError, match=name if "none" not in layer else "none"):
        read(", ".join(f"{key}: {value}" for key, value in fields.items()))


def test_names_of_hugging_face() -> None:
    """The fields may have their names in DeepSeek's config.json."""
    theirs = FIELDS
    for ours, name in {
        "heads": "num_heads",
        "q_rank": "q_lora_rank",
        "kv_rank": "kv_lora_rank",
        "head_dim": "qk_nope_head_dim",
        "rope_dim": "qk_rope_head_dim",
        "value_dim": "v_head_dim",
    }.items():
        theirs = theirs.replace(f"{ours}:", f"{name}:")
    assert read(theirs).value("params") == read().value("params")


def test_the_zoo_has_deepseek_v3() -> None:
    assert analyze("specs/deepseek_v3.yaml", convention="torch").value("params") == 671_026_404_352

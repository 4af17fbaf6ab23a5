"""Networks of an encoder and a decoder, step by step: what the source gives is made once."""

from typing import Any

import pytest

from archspec.errors import SpecError
from costmodel import analyze
from costmodel.scenario.scenario import scenario
from costmodel.studies.inference import Plan, infer

BYTES = 4
S, D, HEADS, FF, V, L = 7, 8, 2, 16, 11, 3
SPEC = f"""
archspec: 1
name: net
symbols: {{n: 1, s: {S}, t: 5}}
input: {{source: [n, s], target: [n, t]}}
blocks:
  half:
    layers:
      - residual:
          - layernorm
          - linear: {{out_features: {FF}, bias: false}}
          - linear: {{out_features: {D}, bias: false}}
layers:
  - embedding: {{num_embeddings: {V}, embedding_dim: {D}}}
    from: source
    name: words
  - repeat:
      times: {L}
      layers:
        - residual: [layernorm, {{self_attention: {{heads: {HEADS}, bias: false}}}}]
        - half
  - layernorm:
    name: encoded
  - embedding: {{num_embeddings: {V}, embedding_dim: {D}, weight: words}}
    from: target
  - repeat:
      times: {L}
      layers:
        - residual: [layernorm, {{self_attention: {{heads: {HEADS}, bias: false, causal: true}}}}]
        - residual:
            - layernorm
            - cross_attention: {{heads: {HEADS}, kv_heads: 1, bias: false}}
              from: [previous, encoded]
        - half
  - layernorm
  - linear: {{out_features: {V}, bias: false, weight: words}}
"""
SIZE = D // HEADS


class Decoder:
    """The decoder token by token; its caches are dictionaries: (layer, place) → elements."""

    def __init__(self, sequences: int) -> None:
        self.n = sequences
        self.own: dict[tuple[int, int], int] = {}
        self.source: dict[tuple[int, int], int] = {}
        self.read = self.products = 0

    def encode(self) -> None:
        for _layer in range(L):
            for _token in range(S):
                self.products += self.n * (4 * D * D + 2 * D * FF)
                self.products += self.n * HEADS * S * 2 * SIZE
        for layer in range(L):
            for place in range(S):
                self.products += self.n * D * 2 * SIZE
                self.source[layer, place] = self.n * 2 * SIZE

    def step(self, place: int) -> None:
        """A token after those before it."""
        for layer in range(L):
            self.read += sum(size for (of, _), size in self.own.items() if of == layer)
            self.products += self.n * 3 * D * D
            self.own[layer, place] = self.n * 2 * D
            keys = [p for of, p in self.own if of == layer]
            for _head in range(HEADS):
                self.products += self.n * 2 * SIZE * len(keys)
            self.products += self.n * (D * D + 2 * D * D)  # out; the queries for the source, out
            self.read += sum(size for (of, _), size in self.source.items() if of == layer)
            for _head in range(HEADS):
                self.products += self.n * 2 * SIZE * S
            self.products += self.n * 2 * D * FF
        self.products += self.n * D * V

    @property
    def kept(self) -> int:
        return BYTES * (sum(self.own.values()) + sum(self.source.values()))


@pytest.mark.parametrize("batch", [1, 3])
def test_steps_by_loops(batch: int) -> None:
    prompt, generate = 4, 5
    net = infer(SPEC, Plan(prompt, generate, batch))
    decoder = Decoder(batch)
    decoder.encode()
    for place in range(prompt):
        decoder.step(place)
    prefill, first, last, steps = net.figures
    assert prefill.work["cache"] == decoder.kept
    beyond = (prompt - 1) * batch * D * V if net.narrows else 0
    assert prefill.work["macs_least"] == decoder.products - beyond
    found = []
    for place in range(prompt, prompt + generate):
        decoder.products = decoder.read = 0
        decoder.step(place)
        found.append((decoder.products, decoder.read))
    assert (first.work["macs"], first.work["cache_reads"]) == (found[0][0], BYTES * found[0][1])
    assert (last.work["macs"], last.work["cache_reads"]) == (found[-1][0], BYTES * found[-1][1])
    assert steps.work["macs"] == sum(products for products, _ in found)
    assert steps.work["cache_reads"] == BYTES * sum(read for _, read in found)
    assert last.work["cache"] == decoder.kept
    assert net.cache_per_token == BYTES * L * 2 * D


def test_a_step_reads_no_weight_of_the_encoder() -> None:
    """Of the weights a step reads those of the decoder without keys and values of the source."""
    net = infer(SPEC, Plan(4, 2, 1))
    norms = L * 3 * 2 * D + 2 * D
    layers = L * (4 * D * D + 2 * D * D + 2 * D * FF)
    assert net.figures[1].work["weights"] == BYTES * (D + layers + norms + D * V)
    parts = net.memories
    assert parts[0].weights == parts[1].weights == analyze(SPEC).value("model_size")


def test_laws_have_a_closed_form() -> None:
    found = infer(SPEC, None)
    for name, law in found.works[1].items():
        assert found.sum_of_steps(law) is not None, name


def test_a_source_that_grows_with_the_tokens_is_refused() -> None:
    spec = SPEC.replace("from: [previous, encoded]", "from: [previous, previous]")
    with pytest.raises(SpecError, match="cross_attention_1: cross_attention does not keep"):
        infer(spec)


def test_two_inputs_that_grow_are_refused() -> None:
    spec = SPEC.replace(f"self_attention: {{heads: {HEADS}, bias: false}}", "identity: ")
    spec = spec.replace("from: [previous, encoded]", "from: [previous, previous]")
    spec = spec.replace(
        "identity: ", f"self_attention: {{heads: {HEADS}, bias: false, causal: true}}"
    )
    with pytest.raises(SpecError, match="2 inputs, source and target: which of them grows"):
        infer(spec)


def test_whisper_and_t5() -> None:
    """Keys and values of 1500 and 512 places of the source, in each of the decoder's layers."""
    cases: list[tuple[str, int, int, int]] = [
        ("specs/whisper.yaml@whisper-tiny", 4, 1500, 384),
        ("specs/t5.yaml@t5-base", 12, 512, 768),
    ]
    for spec, layers, source, width in cases:
        net = infer(spec, Plan(8, 4, 2), scenario=scenario(dtype="fp16"))
        kept: Any = 2 * 2 * layers * 2 * width
        assert net.figures[0].work["cache"] == kept * (source + 8)
        assert net.figures[-1].work["cache_reads"] == kept * (4 * source + 8 + 9 + 10 + 11)


POSITIONS = f"""
archspec: 1
name: net
symbols: {{n: 1, s: {S}, t: 5}}
input: {{source: [n, s, {D}], target: [n, t]}}
layers:
  - {{positional_embedding: {{max_length: s}}, from: source, name: encoded}}
  - {{embedding: {{num_embeddings: {V}, embedding_dim: {D}}}, from: target}}
  - positional_embedding: {{max_length: 9}}
  - self_attention: {{heads: {HEADS}, causal: true}}
  - {{cross_attention: {{heads: {HEADS}}}, from: [previous, encoded]}}
"""


def test_positions_of_a_source_do_not_grow() -> None:
    """Learned positions of an encoder are as many as at first, whatever came before."""
    steps = infer(POSITIONS, Plan(5, 4, 1)).figures
    query, four, pair = D * D, 4 * D * D, 2 * D
    made = 2 * S * query
    assert steps[0].work["macs"] == 5 * (four + pair * 5 + 2 * query + pair * S) + made
    assert steps[-1].work["macs"] == sum(
        four + pair * n + 2 * query + pair * S for n in range(6, 10)
    )
    with pytest.raises(
        SpecError, match="1 tokens after 9, but there are only 9 positions"
    ) as error:
        _ = infer(POSITIONS, Plan(5, 5, 1)).figures
    assert "--prompt and --generate say how many" in str(error.value)

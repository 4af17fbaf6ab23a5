"""The fields of attention as networks of today have them: parameters by hand, masks by loops."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.scenario.scenario import scenario
from costmodel.studies.inference import Plan, infer
from tests.conftest import examples

HEADER = "archspec: 1\nname: net\nsymbols: {n: 2, t: 6, d: 8}\ninput: [n, t, d]\n"
PLAIN = 8 * 12 + 2 * 8 * 6 + 12 * 8
"""Four heads of 3 for queries, two for keys and values, of 8 features: q, k, v, out."""


def read(fields: str, **said: Any) -> Analysis:
    text = f"{HEADER}layers: [{{self_attention: {{heads: 4, head_dim: 3, kv_heads: 2, {fields}}}}}]"
    architecture = read_architecture(parse_document(text))
    return analyze_architecture(architecture, Setup("torch", scenario=scenario(**said)))


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ("", 12 + 6 + 6 + 8),
        ("bias: false", 0),
        ("bias: false, q_bias: true", 12),
        ("k_bias: false", 12 + 6 + 8),
        ("bias: false, v_bias: true, k_bias: true", 6 + 6),
        ("bias: false, qk_norm: head", 3 + 3),
        ("bias: false, qk_norm: all", 12 + 6),
        ("bias: false, sinks: true", 4),
        ("bias: false, softcap: 50, alibi: true", 0),
    ],
)
def test_parameters(fields: str, more: int) -> None:
    net = read(fields)
    assert net.value("params") == PLAIN + more
    assert net.value("macs") == read("bias: false").value("macs")


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 9), st.integers(0, 12), st.integers(1, 7))
def test_chunks_by_loops(tokens: int, past: int, chunk: int) -> None:
    """A token sees those of its chunk up to itself; the cache lends those of the first one's."""
    net = read(f"bias: false, causal: true, chunk: {chunk}", past=past).at(n=2, t=tokens)
    queries = range(past, past + tokens)
    pairs = [
        (query, key)
        for query, key in product(queries, range(past + tokens))
        if key <= query and key // chunk == query // chunk
    ]
    projections = 2 * tokens * PLAIN
    assert net.macs_least == projections + 2 * 4 * (3 + 3) * len(pairs)
    assert net.macs == projections + 2 * 4 * 6 * tokens * min(past + tokens, chunk)
    assert net.kv_cache == 4 * 2 * 2 * 6 * min(past + tokens, chunk)
    last = past + tokens - 1
    read_again = {key for _, key in pairs if key < past}
    kept = {key for query, key in pairs if query == last and key >= past}
    moved = 4 * 2 * 2 * 6 * (len(read_again) + len(kept))
    whole = 4 * (PLAIN + 2 * 2 * tokens * 8)
    assert net.bytes_moved == whole + moved


def test_steps_of_chunks_are_summed() -> None:
    """All steps together read ``Σ p % chunk`` cached tokens."""
    text = (
        "archspec: 1\nname: net\nsymbols: {n: 1, t: 6}\ninput: [n, t]\nlayers:\n"
        "  - embedding: {num_embeddings: 9, embedding_dim: 8}\n"
        "  - self_attention: {heads: 2, causal: true, chunk: 5, bias: false}\n"
    )
    net = infer(text, Plan(7, 20, 3))
    steps = net.figures[-1].work
    assert steps["cache_reads"] == sum(4 * 3 * 2 * 8 * (p % 5) for p in range(7, 27))
    assert steps["cache_writes"] == 20 * 4 * 3 * 2 * 8


def test_a_window_and_a_chunk() -> None:
    with pytest.raises(SpecError, match="a token sees either a window or a chunk"):
        read("window: 3, chunk: 4")


def test_a_cap_is_above_zero() -> None:
    with pytest.raises(SpecError, match="softcap"):
        read("softcap: 0")


@pytest.mark.parametrize("cap", [60, 59.5, 1])
def test_a_cap_of_symbols_is_above_zero(cap: float) -> None:
    text = (
        "archspec: 1\nname: net\nsymbols: {cap: {default: 61, domain: real}}\ninput: [2, 5, 8]\n"
        "layers:\n  - self_attention: {heads: 2, softcap: cap - 60}\n"
    )
    assert analyze(text).macs == analyze(text, settings={"cap": "60.5"}).macs
    with pytest.raises(SpecError, match=r"softcap \(.*\) must be more than 0"):
        analyze(text, settings={"cap": str(cap)})


def test_an_unknown_norm_is_told() -> None:
    with pytest.raises(SpecError, match="qk_norm"):
        read("qk_norm: layer")


def test_what_a_soft_cap_and_norms_keep_for_gradients() -> None:
    """The tanh of every score where scores are in memory; q and k before their norms."""
    rows, scores = 2 * 6, 2 * 4 * 6 * 6
    said = {"optimizer": "sgd", "attention": "unfused"}

    def kept(fields: str) -> Any:
        return read(f"bias: false, {fields}", **said).value("activations_kept")

    assert kept("softcap: 30") - kept("") == 4 * scores
    assert kept("qk_norm: head") - kept("") == 4 * rows * (12 + 6)


def test_windows_of_gpt_oss_and_gemma_3() -> None:
    """Of 1000 tokens every other layer keeps 128, five of six layers 512."""
    held = analyze("specs/gpt_oss.yaml@gpt-oss-20b", settings={"t": 1000}, scenario={"past": 0})
    assert held.value("kv_cache") == 4 * 2 * 8 * 64 * (12 * 1000 + 12 * 128)
    held = analyze("specs/gemma3.yaml@gemma3-1b", settings={"t": 1000}, scenario={"past": 0})
    assert held.value("kv_cache") == 4 * 2 * 256 * (4 * 1000 + 22 * 512)

"""What attention takes at least: pairs that a causal mask leaves, no scores in memory; by loops."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.rules.attention import seen_pairs
from costmodel.scenario.scenario import as_scenario, scenario
from costmodel.studies.fit import fit
from tests.conftest import Run, examples

HEADER = "archspec: 1\nname: net\nsymbols: {n: 2, t: 6, d: 8}\ninput: [n, t, d]\n"


def read(fields: str, convention: str = "torch", **said: Any) -> Analysis:
    """One attention of four heads."""
    text = f"{HEADER}layers: [{{self_attention: {{heads: 4, {fields}}}}}]"
    architecture = read_architecture(parse_document(text))
    return analyze_architecture(architecture, Setup(convention, scenario=scenario(**said)))


@given(st.integers(2, 40), st.integers(0, 40), st.none() | st.integers(1, 60))
def test_pairs_that_a_mask_leaves(tokens: int, before: int, window: int | None) -> None:
    """A query at a place sees itself and those before it, of which a window has the last."""
    pairs = 0
    for query in range(before, before + tokens):
        for key in range(before + tokens):
            pairs += key <= query and (window is None or query - key < window)
    width = None if window is None else Integer(window)
    assert seen_pairs(Integer(tokens), Integer(before), width, {}) == pairs


def test_one_token_sees_all_of_its_keys() -> None:
    assert seen_pairs(Integer(1), Integer(7), None, {}) is None
    net = read("causal: true", past=7)
    assert net.at(t=1).macs_least == net.at(t=1).macs


@settings(max_examples=examples(60), deadline=None)
@given(
    *(st.integers(1, 3), st.integers(1, 7), st.integers(0, 5)),
    *(st.none() | st.integers(1, 9), st.sampled_from([1, 2, 4]), st.booleans()),
)
def test_least_products_by_loops(
    n: int, t: int, past: int, window: int | None, kv_heads: int, is_cached: bool
) -> None:
    """Every pair of a query and a key that is not hidden is multiplied d_h and d_v times."""
    fields = f"causal: true, kv_heads: {kv_heads}, value_dim: 3"
    fields += f", window: {window}" if window is not None else ""
    net = read(fields, past=past) if is_cached else read(f"{fields}, kv_length: t + {past}")
    point = net.at(n=n, t=t)
    width, size, value = 8, 2, 3
    made = n * t * width * (4 * size + kv_heads * (size + value)) + n * t * 4 * value * width
    for query, key in product(range(past, past + t), range(past + t)):
        is_seen = key <= query and (window is None or query - key < window)
        made += n * 4 * (size + value) * is_seen
    assert point.macs_least == made <= point.macs


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 30))
def test_a_window_moves_over_all_keys(tokens: int, before: int, window: int) -> None:
    """Each query meets few keys, all of them together the keys of every token that one meets."""
    met = {
        key
        for query in range(before, before + tokens)
        for key in range(before + tokens)
        if query - window < key <= query
    }
    spec = f"causal: true, window: {window}"
    analysis = read(spec, "lecture", past=before, attention="unfused").at(n=2, t=tokens)
    scores = 2 * 4 * tokens * min(before + tokens, window)
    products = 2 * 8 * (tokens + len(met)) + scores
    assert analysis.activations_peak == max(products, 2 * 2 * 8 * tokens)


@pytest.mark.parametrize("fields", ["causal: false", "window: 3", "causal: false, kv_length: t"])
def test_what_no_mask_hides_is_all_made(fields: str) -> None:
    """Without a causal mask all products are made; a window alone says not which keys it hides."""
    net = read(fields)
    assert net.macs_least == net.macs


def test_a_causal_mask_saves_time_on_a_device() -> None:
    """65,536 tokens of 4096 in bf16 at 989 TFLOP/s: 44.5 ms, of all products 80.05 ms."""
    text = (
        "archspec: 1\nname: net\nsymbols: {n: 1, t: 65536, d: 4096}\ninput: [n, t, d]\n"
        "layers: [{self_attention: {heads: 32, causal: true}}]"
    )
    architecture = read_architecture(parse_document(text))
    t, d = 65536, 4096
    counted = 4 * t * d**2 + 2 * t**2 * d
    for attention, made in (("fused", 4 * t * d**2 + t * (t + 1) * d), ("unfused", counted)):
        said = scenario(hardware="h100-sxm", dtype="bf16", attention=attention)
        net = analyze_architecture(architecture, Setup("lecture", scenario=said))
        assert net.value("macs") == counted
        assert net.value("macs_least") == made
        for metric in ("latency", "compute_time", "latency_network"):
            assert net.value(metric) * 989 * 10**12 == 2 * made
    assert 2 * (4 * t * d**2 + t * (t + 1) * d) / 989e12 == pytest.approx(44.5e-3, rel=1e-3)


def test_counts_of_conventions_stay() -> None:
    """Macs, FLOPs and activations are the convention's, whatever bounds take."""
    for convention in ("lecture", "torch", "pycls"):
        fused, unfused = (
            read("causal: true", convention, attention=a) for a in ("fused", "unfused")
        )
        for metric in ("params", "macs", "flops", "activations", "activations_peak", "bytes_moved"):
            assert fused.total(metric) == unfused.total(metric)


def test_memory_by_hand() -> None:
    """Input, q, k, v, weighted sum and output, of n·t·d in 4 bytes; n·H·t·s scores beside them."""
    n, t, d, heads = 2, 6, 8, 4
    fused, unfused = (read("causal: true", attention=a) for a in ("fused", "unfused"))
    assert fused.value("memory_peak") == 4 * 6 * n * t * d
    assert unfused.value("memory_peak") == 4 * (6 * n * t * d + n * heads * t * t)
    for metric in ("memory_peak", "memory_peak_best"):
        assert getattr(fused.at(t=1000), metric) == 4 * 6 * n * 1000 * d
    assert fused.value("in_out_peak") == 4 * 4 * n * t * d
    assert unfused.at(t=100).in_out_peak == 4 * (n * heads * 100**2 + 2 * n * 100 * d)


def test_long_prompts_fit() -> None:
    """Llama-3-8B of 65,536 tokens in bf16: its weights, all logits and what they are made of."""
    net = analyze(
        "specs/llama.yaml@llama3-8b",
        settings={"t": 65536},
        scenario={"hardware": "h100-sxm", "dtype": "bf16"},
        convention="torch",
    )
    weights, tokens = 2 * 8_030_261_248, 65_536
    (need,) = fit(net).needs
    assert need.needed == weights + 2 * tokens * (128_256 + 4096)
    assert fit(net).fits
    unfused = net.scenario._replace(attention=as_scenario({"attention": "unfused"}).attention)
    whole = analyze("specs/llama.yaml@llama3-8b", settings={"t": 65536}, scenario=unfused,
                    convention="torch")  # fmt: skip
    assert not fit(whole).fits
    assert whole.value("memory_peak") > 2 * 32 * tokens**2


@pytest.mark.parametrize("words", [(), ("--format", "markdown"), ("--format", "json")])
@pytest.mark.parametrize("command", ["report", "latency", "memory", "training", "fit"])
def test_reports_say_which(archcost: Run, command: str, words: tuple[str, ...]) -> None:
    """Every report of a network with attention says what its bounds are of."""
    network = ("specs/gpt2.yaml", "--set", "t=64", "L=1")
    start = network if command == "report" else (command, *network)
    beside = {"training": (), "report": (), "memory": ()}.get(command, ("--hardware", "h100-sxm"))
    for attention in ("fused", "unfused"):
        done = archcost(*start, *beside, *words, "--attention", attention)
        assert done.returncode == 0, done.stderr
        if "json" in words:
            assert json.loads(done.stdout)["attention"] == attention
        else:
            assert f"{attention}:" in done.stdout.replace("**", "")


def test_networks_without_attention_say_nothing(archcost: Run) -> None:
    assert "attention" not in archcost("specs/alexnet.yaml").stdout


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(SpecError, match="unknown attention 'flash'"):
        scenario(attention="flash")
    with pytest.raises(SpecError, match="did you mean 'unfused'"):
        scenario(attention="unfuse")


def test_what_pytorch_saves() -> None:
    """The math kernel saves the scores; the flash kernel q, k, v, the sum and statistics."""
    torch = pytest.importorskip("torch")
    from torch.nn.attention import SDPBackend, sdpa_kernel

    n, heads, t, size = 1, 2, 32, 8
    saved = {}
    for attention, kernel in (("fused", SDPBackend.FLASH_ATTENTION), ("unfused", SDPBackend.MATH)):
        q, k, v = (torch.randn(n, heads, t, size, requires_grad=True) for _ in range(3))
        seen: dict[int, int] = {}

        def pack(tensor: Any, seen: dict[int, int] = seen) -> Any:
            seen[tensor.untyped_storage().data_ptr()] = tensor.numel()
            return tensor

        with sdpa_kernel(kernel), torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            torch.nn.functional.scaled_dot_product_attention(q, k, v)
        saved[attention] = list(seen.values())
    scores, each = n * heads * t * t, n * heads * t * size
    assert scores in saved["unfused"]
    assert scores not in saved["fused"]
    assert sum(saved["fused"]) - 4 * each < 2 * n * heads * t  # beside them a number per query

"""What is kept between steps: `cache`, `state` and kinds of others, against loops over steps."""

from collections.abc import Iterator

import pytest
from sympy import Integer

from archspec.errors import SpecError
from archspec.layers import KINDS, Layer
from costmodel import analyze
from costmodel.rules import Both, Site, rule
from costmodel.rules.cost import Cache, Cost, Output
from costmodel.rules.memory import kept_state
from costmodel.scenario.scenario import scenario
from costmodel.studies.inference import Plan, infer

HEAD = (
    "archspec: 1\nname: net\nsymbols: {n: 2, t: 6, d: 8}\ninput: [n, t]\nlayers:\n"
    "  - embedding: {num_embeddings: 9, embedding_dim: d}\n    name: x\n"
)
BYTES = 4


def heads(name: str, count: int, size: int, source: str) -> str:
    """A projection to some heads, ``(n, heads, t, size)``."""
    return (
        f"  - linear: {{out_features: {count * size}, bias: false}}\n    from: {source}\n"
        f"  - reshape: {{shape: [n, t, {count}, {size}]}}\n"
        f"  - transpose: {{dim0: 1, dim1: 2}}\n    name: {name}\n"
    )


def attention(layer: int, source: str, keys: int, window: str = "", *, core: bool = True) -> str:
    """Four heads over the cached keys and values of a layer, its own or another's."""
    own = ""
    if keys == layer:
        for name in "kv":
            own += heads(f"{name}{layer}_new", 2, 2, source)
            own += f"  - cache: {{dim: 2{window}}}\n    name: {name}{layer}\n"
    products = (
        f"  - scaled_dot_product_attention: {{causal: true{window}}}\n"
        f"    from: [q{layer}, k{keys}, v{keys}]\n"
    )
    if not core:
        products = (
            f"  - repeat_interleave: {{dim: 1, repeats: 2}}\n    from: k{keys}\n    name: K\n"
        )
    return (
        heads(f"q{layer}", 4, 2, source)
        + own
        + products
        + "  - transpose: {dim0: 1, dim1: 2}\n  - flatten: {start_dim: 2}\n"
        + f"  - linear: {{out_features: 8, bias: false}}\n    name: x{layer}\n"
    )


BUILT_IN = "  - self_attention: {heads: 4, kv_heads: 2, causal: true, bias: false"


@pytest.mark.parametrize("window", ["", ", window: 4"])
def test_attention_of_a_cache_is_the_kind_of_attention(window: str) -> None:
    """Products, cache and what is read of it, at the prompt, at each step and over all steps."""
    plan = Plan(7, 5, 3)
    made = infer(HEAD + attention(1, "x", 1, window), plan)
    whole = infer(f"{HEAD}{BUILT_IN}{window}}}\n", plan)
    for ours, theirs in zip(made.figures, whole.figures, strict=True):
        for name in ("macs", "macs_least", "weights", "cache_reads", "cache_writes"):
            last_only = name.startswith("macs") and ours.name == "prefill"
            left_out = 3 * 6 * 8 * 8 if last_only else 0  # what follows takes the last of 7 tokens
            assert ours.work[name] + left_out == theirs.work[name], (ours.name, name)
        assert ours.work.get("cache") == theirs.work.get("cache")
    assert made.cache_per_token == whole.cache_per_token == BYTES * 8


def test_layers_that_share_keys() -> None:
    """Three layers, the last two on the keys of the first: steps with one dictionary of keys."""
    spec = HEAD + attention(1, "x", 1) + attention(2, "x1", 1) + attention(3, "x2", 1)
    net = infer(spec, Plan(5, 4, 1))
    kept: dict[int, int] = {}  # place → elements
    products = read = 0
    for place in range(9):
        products, read = 0, sum(kept.values())
        kept[place] = 2 * (2 * 2)  # of keys and values, two heads of two
        for layer in range(3):
            products += 8 * 8 * 2 + (8 * 4 * 2 if layer == 0 else 0)
            products += 4 * sum(2 + 2 for _ in kept)
        if place == 4:
            assert net.figures[0].work["cache"] == BYTES * sum(kept.values())
    last = net.figures[2]
    assert last.work["macs"] == products
    assert last.work["cache"] == BYTES * sum(kept.values())
    assert last.work["cache_reads"] == BYTES * read
    assert net.cache_per_token == BYTES * 8


def test_products_of_ones_own() -> None:
    """Scores by matmul and softmax: every step multiplies one query with all keys so far."""
    spec = (
        HEAD
        + heads("q", 2, 4, "x")
        + heads("new", 2, 4, "x")
        + "  - cache: {dim: 2}\n    name: k\n  - transpose: {dim0: 2, dim1: 3}\n    name: kt\n"
        "  - matmul:\n    from: [q, kt]\n  - softmax\n    name: p\n".replace("softmax", "softmax:")
        + "  - matmul:\n    from: [p, k]\n  - transpose: {dim0: 1, dim1: 2}\n"
        "  - flatten: {start_dim: 2}\n  - linear: {out_features: 8, bias: false}\n"
    )
    net = infer(spec, Plan(3, 4, 1))
    steps = net.figures[-1]
    products = sum(3 * 8 * 8 + 2 * 8 * (place + 1) for place in range(3, 7))
    assert steps.work["macs"] == products
    assert steps.work["cache_reads"] == BYTES * sum(8 * place for place in range(3, 7))


def test_prefill_takes_the_last_token_behind_the_attention() -> None:
    """Heads are merged, and all that follows is worked out, of one token; keys are of all 16."""
    spec = HEAD + attention(1, "x", 1) + "  - linear: {out_features: 9, bias: false}\n"
    prefill = infer(spec, Plan(16, 4, 1)).figures[0]
    assert prefill.work["macs"] == 16 * (8 * 8 + 2 * 8 * 4) + 2 * 16 * 16 * 8 + 8 * 8 + 8 * 9


def test_steps_have_a_closed_form() -> None:
    spec = HEAD + attention(1, "x", 1) + "  - state: {shape: [8, 16]}\n"
    found = infer(spec, None)
    for name, law in found.works[1].items():
        assert found.sum_of_steps(law) is not None, name


def test_a_state_by_hand() -> None:
    """Mamba's: a convolution's tail of 3 places and 16 numbers of each of 8 channels."""
    spec = (
        f"{HEAD}  - transpose: {{dim0: 1, dim1: 2}}\n"
        "  - conv1d: {out_channels: d, kernel_size: 4, padding: [[3, 0]], groups: d}\n"
        "  - transpose: {dim0: 1, dim1: 2}\n    name: u\n"
        "  - linear: {out_features: 16, bias: false}\n    name: B\n"
        "  - state: {shape: [d, 16]}\n    from: [u, B]\n"
    )
    net = infer(spec, Plan(5, 4, 3))
    each = BYTES * (8 * 3 + 8 * 16)
    prefill, first, last, steps = net.figures
    assert [run.work["cache"] for run in (prefill, first, last)] == [3 * each] * 3
    assert prefill.work["cache_reads"] == 0
    assert prefill.work["cache_writes"] == 3 * each
    assert steps.work["cache_reads"] == steps.work["cache_writes"] == 4 * 3 * each
    assert net.cache_per_token == 0
    path = analyze(spec, scenario=scenario(past=9))
    assert path.value("state") == 2 * each
    assert path.value("kv_cache") == 0


STEERED = (
    HEAD + "  - {linear: {out_features: 8}, name: step}\n"
    "  - {parameter: {shape: [d]}, name: decay}\n"
    "  - {unsqueeze: {dim: 3}, from: x, name: column}\n"
    "  - {state: {shape: [d, 1]}, from: [column, step, decay]}\n"
)


def test_what_steers_a_state_may_lack_its_last_axes() -> None:
    """A step size per token and channel, a decay per channel, of a state of 8 numbers."""
    found = infer(STEERED, Plan(5, 4, 3))
    assert [run.work["cache"] for run in found.figures[:3]] == [3 * 8 * BYTES] * 3
    swapped = STEERED.replace("from: [column, step", "from: [column, turned").replace(
        "  - {parameter", "  - {transpose: {dim0: 1, dim1: 2}, name: turned}\n  - {parameter"
    )
    with pytest.raises(SpecError, match="state does not keep the tokens apart"):
        infer(swapped, Plan(5, 4, 3))


def errors() -> Iterator[tuple[str, str]]:
    yield "  - cache: {dim: 2}\n", r"cache_1: axis 2, on which it is to grow, is not the tokens'"
    yield "  - cache: {dim: 0}\n", r"axis 0 of \[2, 6, 8\] is that of sequences"
    yield "  - state: {dim: 0, shape: 4}\n", r"axis 0 of \[2, 6, 8\] is that of sequences"
    yield "  - state: {dim: 2, shape: 4}\n", r"the axis that state .* is not the tokens'"
    yield (
        "  - cache\n    name: c\n  - add:\n    from: [c, x]\n".replace("cache\n", "cache:\n"),
        r"add_1: .*",
    )
    yield (
        "  - scaled_dot_product_attention: {causal: true}\n    from: [h, h, h]\n",
        r"scaled_dot_product_attention does not keep the tokens apart",
    )


@pytest.mark.parametrize(("layers", "words"), list(errors()))
def test_what_is_no_cache_of_the_tokens(layers: str, words: str) -> None:
    start = "  - self_attention: {heads: 2, causal: true}\n    name: y\n"
    start += heads("h", 2, 4, "y") if "[h, h, h]" in layers else ""
    if "from: [c, x]" in layers:
        layers = layers.replace("[c, x]", "[c, y]")
    with pytest.raises(SpecError, match=words):
        infer(HEAD + start + layers)


def test_too_few_keys() -> None:
    spec = (
        HEAD
        + heads("q", 2, 4, "x")
        + "  - slice: {dim: 2, end: 3}\n    name: k\n"
        + "  - scaled_dot_product_attention: {causal: true}\n    from: [q, k, k]\n"
    )
    with pytest.raises(SpecError, match=r"at least as many keys \(3\) as queries \(6\)"):
        analyze(spec)


def test_a_kind_of_others_declares_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of every token and a matrix, said once on the cost."""

    class Retention(Layer):
        """A kind of another distribution. Source: this test."""

    monkeypatch.setitem(KINDS, "test_retention", Retention)
    Retention.kind = "test_retention"

    @rule(Retention)
    def retention(_: Retention, site: Site) -> Both:
        """The input's shape. Source: this test."""
        n, t, d = site.input
        past = Integer(0) if site.past is None else site.past
        cache = Cache(n, (Integer(1),), past + t, past, t)
        kept = kept_state(site, (d * d,), 1, n)
        return site.input, Cost(Output.IN_PLACE, ends=(1,), cache=cache, state=kept)

    net = infer(f"{HEAD}  - test_retention\n  - linear: {{out_features: 3}}\n", Plan(5, 3, 2))
    assert net.figures[2].work["cache"] == BYTES * 2 * (8 * 8 + 5 + 3)
    assert net.figures[-1].work["cache_reads"] == BYTES * 2 * (3 * 64 + 5 + 6 + 7)
    assert net.cache_per_token == BYTES


@pytest.mark.parametrize("page", [1, 4, 16])
def test_a_cache_takes_whole_pages(page: int) -> None:
    """Every sequence of every layer takes pages one by one, as its tokens come."""
    spec = HEAD + f"{BUILT_IN}}}\n" + f"{BUILT_IN}, window: 5}}\n"
    net = infer(spec, Plan(6, 5, 3), scenario=scenario(page=page))
    for run, tokens in zip(net.figures[:3], (6, 7, 11), strict=True):
        pages = 0
        for _sequence in range(3):
            for held in (tokens, min(tokens, 5)):
                free = 0
                for _token in range(held):
                    pages, free = (pages + 1, page - 1) if free == 0 else (pages, free - 1)
        assert run.work["cache"] == BYTES * 8 * page * pages
    assert net.cache_per_token == 2 * BYTES * 8


@pytest.mark.parametrize("page", [0, -1, 1.5])
def test_a_page_has_tokens(page: float) -> None:
    with pytest.raises(SpecError, match=f"page = {page} is no number of tokens"):
        scenario(page=page)

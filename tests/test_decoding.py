"""The networks that can be decoded token by token: those whose steps are the whole network's.

The truth is a decoder in PyTorch that keeps keys and values of causal attention and nothing else. A
network is decodable where its steps leave what the whole network leaves at the last token.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from torch import Tensor, nn

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import analyze
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.scenario.scenario import scenario
from costmodel.studies.inference import Plan, infer
from tests.conftest import examples

N, D, HEADS, LONGEST = 2, 4, 2, 7


class Attention(nn.Module):  # type: ignore[misc]
    """Self-attention without projections' biases; of a causal one keys and values are kept."""

    def __init__(self, *, causal: bool, window: int | None = None, groups: int = HEADS) -> None:
        super().__init__()
        self.causal, self.window, self.groups = causal, window, groups
        self.q, self.out = (nn.Linear(D, D, bias=False) for _ in range(2))
        self.k, self.v = (nn.Linear(D, groups * D // HEADS, bias=False) for _ in range(2))
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        keys, values, before = self.k(x), self.v(x), 0
        if self.causal and self.kept:
            before = self.kept[0].shape[1]
            keys, values = (torch.cat(p, 1) for p in zip(self.kept, (keys, values), strict=True))
        if self.causal:
            self.kept = [keys, values]
        q, k, v = (
            y.unflatten(-1, (heads, D // HEADS)).transpose(1, 2)
            for y, heads in ((self.q(x), HEADS), (keys, self.groups), (values, self.groups))
        )
        k, v = (y.repeat_interleave(HEADS // self.groups, 1) for y in (k, v))
        distance = (before + torch.arange(q.shape[2]))[:, None] - torch.arange(k.shape[2])
        hidden = (distance < 0) if self.causal else torch.zeros_like(distance, dtype=torch.bool)
        if self.window is not None:
            hidden |= distance >= self.window
        scores = (q @ k.mT / (D // HEADS) ** 0.5).masked_fill(hidden, -torch.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

    def elements(self) -> int:
        """How many elements are kept."""
        last = -self.window if self.window is not None else 0
        return sum(each[:, last:].numel() for each in self.kept)


class Function(nn.Module):  # type: ignore[misc]
    """A function of whatever tokens it is given, which keeps nothing."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class OverTokens(nn.Module):  # type: ignore[misc]
    """A layer of PyTorch that takes the tokens as the last axis, as convolutions do."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.mT).mT


class Recurrent(nn.Module):  # type: ignore[misc]
    """Two layers, of one direction, that keep their states; of two directions they cannot."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM, *, both: bool = False) -> None:
        super().__init__()
        self.layer = kind(
            D, D // 2 if both else D, num_layers=2, batch_first=True, bidirectional=both
        )
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        before = (tuple(self.kept) if len(self.kept) > 1 else self.kept[0]) if self.kept else None
        made, state = self.layer(x, before)
        if not self.layer.bidirectional:
            self.kept = [state] if isinstance(state, Tensor) else list(state)
        return made

    def elements(self) -> int:
        """How many elements are kept."""
        return sum(each.numel() for each in self.kept)


class CausalConvolution(nn.Module):  # type: ignore[misc]
    """A convolution that keeps the inputs that its next window begins with."""

    def __init__(self, dilation: int = 1) -> None:
        super().__init__()
        self.layer, self.tail = nn.Conv1d(D, D, 3, dilation=dilation), 2 * dilation
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        first = self.kept[0] if self.kept else x.new_zeros(x.shape[0], self.tail, D)
        joined = torch.cat([first, x], 1)
        self.kept = [joined[:, -self.tail :]]
        return self.layer(joined.mT).mT

    def elements(self) -> int:
        """How many elements are kept."""
        return sum(each.numel() for each in self.kept)


class Scan(nn.Module):  # type: ignore[misc]
    """A linear attention: a matrix per sequence is what all tokens so far left."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        memory = self.kept[0] if self.kept else x.new_zeros(x.shape[0], D, D)
        made = []
        for step in x.unbind(1):
            memory = memory / 2 + step[:, :, None] * step[:, None, :]
            made.append((step[:, None, :] @ memory)[:, 0])
        self.kept = [memory]
        return torch.stack(made, 1)

    def elements(self) -> int:
        """How many elements are kept."""
        return sum(each.numel() for each in self.kept)


KEEPING = Attention, Recurrent, CausalConvolution, Scan


def rolled(x: Tensor) -> Tensor:
    return x.roll(1, 1)


class ByPosition(nn.Module):  # type: ignore[misc]
    """A weight over the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(LONGEST, LONGEST))

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        return torch.einsum("ntd,tu->nud", x, self.table[:length, :length])


def heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, D // HEADS)).softmax(-2).flatten(2)


MASKED = f"self_attention: {{heads: {HEADS}, bias: false, causal: true"
SWAP = "transpose: {dim0: 1, dim1: 2}"
KINDS: dict[str, tuple[Sequence[str], Callable[[], nn.Module]]] = {
    "causal": ([f"{MASKED}}}"], lambda: Attention(causal=True)),
    "grouped": ([f"{MASKED}, kv_heads: 1}}"], lambda: Attention(causal=True, groups=1)),
    "window": ([f"{MASKED}, window: 3}}"], lambda: Attention(causal=True, window=3)),
    "attention": (
        [f"self_attention: {{heads: {HEADS}, bias: false}}"],
        lambda: Attention(causal=False),
    ),
    "linear": ([f"linear: {{out_features: {D}}}"], lambda: nn.Linear(D, D)),
    "gelu": (["gelu"], nn.GELU),
    "layernorm": (["layernorm"], lambda: nn.LayerNorm(D)),
    "layernorm of all": (
        ["layernorm: {axes: 2, elementwise_affine: false}"],
        lambda: Function(lambda x: nn.functional.layer_norm(x, x.shape[1:])),
    ),
    "softmax": (["softmax"], lambda: nn.Softmax(-1)),
    "softmax over tokens": (["softmax: {dim: 1}"], lambda: nn.Softmax(1)),
    "mean": (
        ["residual: [mean: {dim: [1], keepdim: true}]"],
        lambda: Function(lambda x: x + x.mean(1, keepdim=True)),
    ),
    "mean of features": (
        ["residual: [mean: {dim: [2], keepdim: true}]"],
        lambda: Function(lambda x: x + x.mean(2, keepdim=True)),
    ),
    "convolution": (
        [SWAP, f"conv1d: {{out_channels: {D}, kernel_size: 3, padding: 1}}", SWAP],
        lambda: OverTokens(nn.Conv1d(D, D, 3, padding=1)),
    ),
    "causal convolution": (
        [SWAP, "pad: {pad: [2, 0]}", f"conv1d: {{out_channels: {D}, kernel_size: 3}}", SWAP],
        lambda: OverTokens(nn.Sequential(nn.ConstantPad1d((2, 0), 0), nn.Conv1d(D, D, 3))),
    ),
    "convolution of one": (
        [SWAP, f"conv1d: {{out_channels: {D}, kernel_size: 1}}", SWAP],
        lambda: OverTokens(nn.Conv1d(D, D, 1)),
    ),
    "nothing moved": (
        [
            *("pad: {pad: [0, 0, 0, 0]}", SWAP),
            *(f"conv_transpose1d: {{out_channels: {D}, kernel_size: 1}}", SWAP),
        ],
        lambda: OverTokens(nn.ConvTranspose1d(D, D, 1)),
    ),
    "pooling": (
        [SWAP, "avgpool1d: {kernel_size: 3, stride: 1, padding: 1}", SWAP],
        lambda: OverTokens(nn.AvgPool1d(3, 1, 1)),
    ),
    "global pooling": (
        [f"residual: [{{{SWAP}}}, global_avgpool, {{{SWAP}}}]"],
        lambda: Function(lambda x: x + x.mean(1, keepdim=True)),
    ),
    "lstm": ([f"lstm: {{hidden_size: {D}, num_layers: 2}}"], Recurrent),
    "gru": ([f"gru: {{hidden_size: {D}, num_layers: 2}}"], lambda: Recurrent(nn.GRU)),
    "lstm both ways": (
        [f"lstm: {{hidden_size: {D // 2}, num_layers: 2, bidirectional: true}}"],
        lambda: Recurrent(both=True),
    ),
    "tail": (
        [SWAP, f"conv1d: {{out_channels: {D}, kernel_size: 3, padding: [[2, 0]]}}", SWAP],
        CausalConvolution,
    ),
    "long tail": (
        [
            SWAP,
            f"conv1d: {{out_channels: {D}, kernel_size: 3, dilation: 2, padding: [[4, 0]]}}",
            SWAP,
        ],
        lambda: CausalConvolution(2),
    ),
    "scan": ([f"state: {{shape: [{D}, {D}]}}"], Scan),
    "roll": (["roll: {shifts: [1], dims: [1]}"], lambda: Function(rolled)),
    "last added to all": (
        ["residual: [slice: {dim: 1, start: -1}]"],
        lambda: Function(lambda x: x + x[:, -1:]),
    ),
    "positions": (
        ["einsum: {equation: 'n t d, t u -> n u d', sizes: {u: t}}"],
        ByPosition,
    ),
    "features": (
        [f"einsum: {{equation: 'n t d, d e -> n t e', sizes: {{e: {D}}}}}"],
        lambda: nn.Linear(D, D, bias=False),
    ),
    "heads": (
        [
            f"reshape: {{shape: [n, t, {HEADS}, {D // HEADS}]}}",
            "softmax: {dim: 2}",
            f"reshape: {{shape: [n, t, {D}]}}",
        ],
        lambda: Function(heads),
    ),
}


def spec_of(names: Sequence[str]) -> str:
    entries = "".join(f"  - {entry}\n" for name in names for entry in KINDS[name][0])
    head = "archspec: 1\nname: net\nsymbols: {n: 2, t: 5}\ninput: [n, t]\nlayers:\n"
    return f"{head}  - embedding: {{num_embeddings: 9, embedding_dim: {D}}}\n{entries}"


def steps_agree(net: nn.Sequential, tokens: Tensor, prompt: int) -> bool:
    """Whether each step leaves what the whole network leaves at its last token."""
    caches = [layer for layer in net if isinstance(layer, KEEPING)]

    def forget() -> None:
        for layer in caches:
            layer.kept = []

    wanted = []
    for length in range(prompt, tokens.shape[1] + 1):
        forget()
        wanted.append(net(tokens[:, :length])[:, -1])
    forget()
    found = [net(tokens[:, :prompt])[:, -1]]
    found += [net(tokens[:, i : i + 1])[:, -1] for i in range(prompt, tokens.shape[1])]
    return all(
        torch.allclose(a, b, rtol=1e-10, atol=1e-13) for a, b in zip(wanted, found, strict=True)
    )


CAUSAL = st.sampled_from(
    ["causal", "grouped", "window", "lstm", "gru", "tail", "long tail", "scan"]
)
OTHERS = st.lists(st.sampled_from(list(KINDS)), max_size=3)


@settings(
    deadline=None,
    max_examples=examples(80),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(OTHERS, CAUSAL, OTHERS, st.integers(2, 4))
def test_a_network_is_refused_where_its_steps_are_not_the_whole_networks(
    tmp_path: Path, before: list[str], causal: str, after: list[str], prompt: int
) -> None:
    names = [*before, causal, *after]
    torch.manual_seed(len(names))
    with torch.no_grad():
        modules = [nn.Embedding(9, D), *(KINDS[name][1]() for name in names)]
        net = nn.Sequential(*modules).double().eval()
        tokens = torch.randint(9, (N, LONGEST))
        is_decodable = steps_agree(net, tokens, prompt)
    path = tmp_path / "spec.yaml"
    path.write_text(spec_of(names), encoding="utf-8")
    if not is_decodable:
        for ask in (lambda: infer(path), lambda: analyze(path).value("kv_cache")):
            with pytest.raises(SpecError, match="cannot be decoded token by token"):
                ask()
        return
    found = infer(path, Plan(prompt, LONGEST - prompt, N))
    kept = sum(layer.elements() for layer in net if isinstance(layer, KEEPING))
    assert found.figures[2].work["cache"] == 4 * kept
    growing = [KINDS[name][1]() for name in names if name in ("causal", "grouped", "window")]
    each = sum(2 * layer.groups * D // HEADS for layer in growing if isinstance(layer, Attention))
    assert found.cache_per_token == 4 * each


HEAD = "archspec: 1\nname: net\nsymbols: {n: 1, t: 6, d: 8}\ninput: [n, t]\nlayers:\n"
START = "  - embedding: {num_embeddings: 9, embedding_dim: d}\n"
ATTEND = "  - self_attention: {heads: 2, causal: true}\n"


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (f"{ATTEND}  - layernorm: {{axes: 2}}\n", r"8:5: layernorm_1: layernorm does not keep"),
        (f"  - glu: {{dim: 1}}\n{ATTEND}", r"7:5: glu_1: glu does not keep"),
        (f"{ATTEND}  - flatten\n", r"8:5: flatten_1: flatten does not keep"),
        (f"{ATTEND}  - select: {{dim: 1, index: 0}}\n", r"8:5: select_1: select does not keep"),
        (f"{ATTEND}  - slice: {{dim: 1, start: t - 2}}\n", r"slice_1: slice does not keep"),
        (f"{ATTEND}  - batchnorm\n", r"batchnorm_1: batchnorm does not keep"),
        (f"  - class_token\n{ATTEND}", r"class_token_1: class_token does not keep"),
        (
            f"{ATTEND}  - linear: {{out_features: t}}\n",
            r"axis 2 of what linear makes has the size t",
        ),
        (f"{ATTEND}  - parameter: {{shape: [t, d]}}\n", r"parameter makes has the size t"),
        ("  - self_attention: {heads: 2, causal: true, window: t}\n", r"window hangs on t"),
        (f"  - repeat: {{times: t, layers: [gelu]}}\n{ATTEND}", r"repeat_1: how often it works"),
        (
            f"  - unsqueeze: {{dim: 1}}\n  - transpose: {{dim0: 1, dim1: 2}}\n{ATTEND}",
            r"the axis that self_attention is causal on is not the tokens'",
        ),
        (
            f"{ATTEND}    name: x\n  - einsum: {{equation: 'n t d, n u d -> n t u'}}\n"
            "    from: [x, x]\n",
            r"einsum_1: einsum meets tokens of one input with those of another",
        ),
        (
            f"{ATTEND}    name: x\n  - cross_attention: {{heads: 2}}\n    from: [x, x]\n",
            r"cross_attention_1: cross_attention does not keep",
        ),
        (
            f"{ATTEND}    name: x\n  - slice: {{dim: 1, start: -1}}\n    name: last\n"
            f"  - cross_attention: {{heads: 2}}\n    from: [x, last]\n{ATTEND}",
            r"self_attention_1: self_attention keeps tokens that have met the last one",
        ),
        (
            f"  - repeat: {{times: 2, layers: [{ATTEND.strip()[2:]}, "
            "residual: [slice: {dim: 1, start: -1}]]}\n",
            r"repeat_1/self_attention_1: self_attention keeps tokens that have met the last one",
        ),
        (
            f"{ATTEND}  - self_attention: {{heads: 2, kv_length: 64}}\n",
            r"self_attention_2: kv_length says how many keys self_attention meets",
        ),
        (
            "  - repeat: {times: 2, layers: [residual: "
            f"[lstm: {{hidden_size: d/2, bidirectional: true}}]]}}\n{ATTEND}",
            r"lstm_1: lstm does not keep",
        ),
    ],
)
def test_the_entry_that_cannot_be_decoded_is_named(tmp_path: Path, layers: str, words: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + START + layers, encoding="utf-8")
    with pytest.raises(SpecError, match=words):
        infer(path)


@pytest.mark.parametrize(
    "layers",
    [
        f"{ATTEND}  - select: {{dim: 1, index: -1}}\n  - layernorm: {{axes: 2}}\n  - flatten\n",
        f"{ATTEND}  - select: {{dim: 1, index: t - 1}}\n  - linear: {{out_features: 9}}\n",
        f"{ATTEND}  - slice: {{dim: 1, start: -1}}\n  - mean: {{dim: [1]}}\n",
        f"  - positional_embedding: {{max_length: 1024}}\n  - rotary_embedding\n{ATTEND}",
        f"{ATTEND}    name: x\n  - parameter: {{shape: [n, 3, d]}}\n    name: still\n"
        "  - cross_attention: {heads: 2}\n    from: [x, still]\n",
        f"  - repeat: {{times: 3, layers: [{{residual: [rmsnorm, {ATTEND.strip()[2:]}]}}]}}\n",
        f"  - moe: {{experts: 4, top_k: 2, layers: [linear: {{out_features: d}}]}}\n{ATTEND}",
    ],
)
def test_what_can_be_decoded(tmp_path: Path, layers: str) -> None:
    """Prompt and generated tokens together: 2·8 elements of 4 bytes for each and each attention."""
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + START + layers, encoding="utf-8")
    found = infer(path, Plan(6, 4, 1))
    times = 3 if "repeat" in layers else 1
    still = 2 * 8 * 4 * 3 if "cross" in layers else 0
    assert found.figures[2].work["cache"] == 2 * 8 * 4 * 10 * times + still


def test_tokens_before_are_met_by_all_or_refused() -> None:
    """A mean over the tokens that enter is none over those before; of no token before it is."""
    text = HEAD + START + ATTEND + "  - mean: {dim: [1]}\n"
    architecture = read_architecture(parse_document(text))
    values = {"n": 1, "t": 6, "d": 8}
    for past in (0, None):
        setup = Setup("torch", values, scenario=scenario(past=past))
        assert analyze_architecture(architecture, setup).value("macs")
    with pytest.raises(SpecError, match="mean_1: mean does not keep the tokens apart"):
        analyze_architecture(architecture, Setup("torch", values, scenario=scenario(past=3)))


def test_a_table_as_long_as_the_tokens_does_not_grow_with_them(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    table = "  - parameter: {shape: [6, d]}\n    name: table\n"
    add = "  - add:\n    from: [x, table]\n"
    path.write_text(f"{HEAD}{START}{ATTEND}    name: x\n{table}{add}", encoding="utf-8")
    with pytest.raises(SpecError, match="add_1: add meets the tokens with places that are there"):
        analyze(path, settings={"t": 6}).value("kv_cache")


def test_tokens_beside_others_that_are_cut_off_again(tmp_path: Path) -> None:
    """One embedding for the s of a source and the t of a target: 2·8·t elements are cached."""
    text = (
        "archspec: 1\nname: net\nsymbols: {n: 1, s: 3, t: 6, d: 8}\n"
        "input: {source: [n, s], target: [n, t]}\nlayers:\n"
        "  - concat:\n    from: [source, target]\n"
        "  - embedding: {num_embeddings: 9, embedding_dim: d}\n"
        "  - split: {sizes: [SIZES]}\n    name: both\n"
        "  - self_attention: {heads: 2, causal: true}\n    from: both.1\n"
        "  - cross_attention: {heads: 2}\n    from: [previous, both.0]\n"
    )
    path = tmp_path / "spec.yaml"
    path.write_text(text.replace("SIZES", "s, t"), encoding="utf-8")
    assert analyze(path).value("kv_cache") == 2 * 8 * (6 + 3) * 4
    path.write_text(text.replace("SIZES", "s + 1, t - 1"), encoding="utf-8")
    with pytest.raises(SpecError, match="cannot be decoded"):
        analyze(path).value("kv_cache")


def test_a_network_without_a_cache_has_none(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + START + "  - lstm: {hidden_size: d}\n", encoding="utf-8")
    assert analyze(path).value("kv_cache") == 0

"""``trainable: false``: inherited inwards and undone inside; tied weights; LoRA; bad input."""

from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from costmodel import Analysis
from costmodel.analysis.loading import analyze
from costmodel.scenario.scenario import scenario
from tests.conftest import Run
from tests.test_training import kept_of, read


def trained(text: str, **said: str) -> Analysis:
    head = {"archspec": 1, "name": "net"}
    spec = head | yaml.safe_load(text)
    return analyze(spec, convention="torch", scenario=scenario(**{"optimizer": "adam", **said}))


NETS = {
    # spec → trainable parameters: linear 3→4 with bias 16, layernorm of 4 8, linear 4→4 20
    "[{linear: {out_features: 4}, trainable: false}, layernorm]": 8,
    "[{residual: [{linear: {out_features: 3}}], trainable: false}, "
    "{linear: {out_features: 4}}]": 16,
    "[{repeat: {times: 2, layers: [{linear: {out_features: 3}, trainable: true}, layernorm]}, "
    "trainable: false}]": 2 * 12,
    "[{mine: , trainable: false}, {mine: }]": 12,
    "[{foreach: {rows: [{i: 0}, {i: 1}], layers: [{linear: {out_features: 3}, "
    "trainable: i > 0}]}}]": 12,
    "[{moe: {experts: 4, top_k: 2, layers: [{linear: {out_features: 3}, trainable: false}]}}]": 12,
}


@pytest.mark.parametrize("layers", NETS)
def test_what_is_trained(layers: str) -> None:
    mine = "{mine: {layers: [{linear: {out_features: 3}}]}}"
    net = trained(f"input: [5, 3]\nblocks: {mine}\nlayers: {layers}")
    assert net.value("trainable_params") == NETS[layers]
    assert net.value("gradients") == 4 * NETS[layers]
    assert net.value("optimizer_state") == 8 * NETS[layers]


def test_a_tied_weight_is_as_trained_as_its_owner() -> None:
    """The gradient of the head's weight is the table's, which is frozen: its input is not kept."""
    body = (
        "{linear: {out_features: 4, bias: false}}, "
        "{linear: {out_features: 9, bias: false, weight: e}}"
    )
    for said, kept in (("false", 2 * 4), ("true", 2 * 4 * 2)):
        net = trained(
            "input: {x: [2]}\nlayers: [{embedding: {num_embeddings: 9, embedding_dim: 4}, name: e, "
            f"trainable: {said}}}, {body}]"
        )
        indices = 0 if said == "false" else 2
        assert net.value("activations_kept") == 4 * (kept + indices)
        first, head = 2 * 4 * 4, 2 * 4 * 9
        dx_of_first = 0 if said == "false" else first
        dw_of_head = 0 if said == "false" else head
        assert net.value("training_macs") == 2 * first + dx_of_first + 2 * head + dw_of_head


def test_weights_in_int4_may_be_frozen() -> None:
    """As QLoRA has them: the adapters alone have gradients."""
    net = trained(
        "input: [2, 8]\nlayers: [{linear: {out_features: 8, bias: false}, trainable: false, "
        "precision: {weights: int4}}, {linear: {out_features: 2, bias: false}}]",
        dtype="bf16",
    )
    assert net.value("model_size") == 8 * 8 // 2 + 2 * 16
    assert net.value("gradients") == 2 * 16


def adapted(width: int, rank: int) -> tuple[Any, list[Any]]:
    """Return ``W·x + B·A·x`` of a frozen W, and its parameters."""
    frozen = torch.nn.Linear(width, width, bias=False).requires_grad_(False)
    down = torch.nn.Linear(width, rank, bias=False)
    up = torch.nn.Linear(rank, width, bias=False)
    learned = [parameter for module in (frozen, down, up) for parameter in module.parameters()]
    return lambda x: frozen(x) + up(down(x)), learned


def test_lora_keeps_what_pytorch_saves() -> None:
    """Attention of two heads written out, of 5 tokens, with adapters as specs/llama2_lora.yaml."""
    t, d, rank = 5, 8, 2
    linear = [torch.nn.Linear(d, d, bias=False).requires_grad_(False) for _ in range(3)]
    (queries, of_queries), (values, of_values) = adapted(d, rank), adapted(d, rank)
    learned = [*of_queries, *of_values, *(p for module in linear for p in module.parameters())]
    saved: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        if all(tensor.data_ptr() != p.data_ptr() for p in learned):
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    x = torch.randn(1, t, d)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        h = linear[0](x)
        q, k, v = queries(h), linear[1](h), values(h)
        scores = torch.softmax(q @ k.transpose(1, 2), -1)
        out = linear[2](scores @ v)
    found = trained(LORA)
    assert found.value("trainable_params") == sum(p.numel() for p in learned if p.requires_grad)
    assert found.value("activations_kept") == sum(saved.values())
    out.sum().backward()
    assert found.value("gradients") == sum(p.grad.nbytes for p in learned if p.grad is not None)


LORA = """\
input: [1, 5, 8]
blocks:
  adapted:
    layers:
      - parallel:
          merge: add
          branches:
            - [{linear: {out_features: 8, bias: false}}]
            - - {linear: {out_features: 2, bias: false}, trainable: true}
              - {linear: {out_features: 8, bias: false}, trainable: true}
layers:
  - {linear: {out_features: 8, bias: false}, trainable: false, name: h}
  - {adapted: , trainable: false, name: q}
  - {linear: {out_features: 8, bias: false}, from: h, trainable: false, name: k}
  - {adapted: , from: h, trainable: false, name: v}
  - {einsum: {equation: "n t e, n s e -> n t s"}, from: [q, k]}
  - softmax
  - {matmul: , from: [previous, v]}
  - {linear: {out_features: 8, bias: false}, trainable: false}
"""


def test_a_frozen_attention_keeps_what_its_gradients_need() -> None:
    """Queries, keys, values and the scores, or fused the sum; not what projections multiply."""
    head = "input: [1, 4, 6]\nlayers: [{linear: {out_features: 6}}, {self_attention: {heads: 2}, "
    for attention, left in (("unfused", "scores"), ("fused", "sum")):
        net = read(head + "trainable: false}]", attention)
        kept = {f"{held.path} {held.what}" for held in kept_of(net).held}
        inside = {f"self_attention_1 {what}" for what in ("q", "k", "v", left)}
        assert kept == {"input input", *inside}


BAD = {
    "{relu: {trainable: false}}": "write trainable beside the kind, not among its fields",
    "{relu: , trainable: no}": "write false",
    "{relu: , trainable: 3}": "trainable: 3 is no truth value",
    "{relu: , trainable: in_channels > 2}": "relu.trainable",
}


@pytest.mark.parametrize("entry", BAD)
def test_bad_input(entry: str, tmp_path: Path, archcost: Run) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(f"archspec: 1\nname: net\ninput: [1, 4]\nlayers: [{entry}]\n")
    done = archcost("training", str(spec))
    assert done.returncode == 2
    assert BAD[entry] in done.stderr
    assert f"{spec}:4:" in done.stderr

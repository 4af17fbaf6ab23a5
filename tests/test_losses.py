"""Losses, checkpoints by name and sparse gradients, beside what PyTorch saves and makes."""

from typing import Any

import pytest

from costmodel import Analysis
from costmodel.analysis.loading import analyze
from costmodel.scenario.scenario import scenario
from tests.conftest import Run

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")
checkpoint = pytest.importorskip("torch.utils.checkpoint").checkpoint


def net(given: list[int], *layers: object, **said: str) -> Analysis:
    spec = {"archspec": 1, "name": "net", "input": given, "layers": list(layers)}
    spec["blocks"] = {"mlp": {"layers": MLP}}
    return analyze(spec, convention="torch", scenario=scenario(**{"optimizer": "adam", **said}))


MLP = [{"linear": {"out_features": 24}}, "gelu", {"linear": {"out_features": 8}}]


class Saved:
    """The bytes of the storages that PyTorch saves, but for parameters."""

    def __init__(self, *modules: Any) -> None:
        self.learned = {p.data_ptr() for module in modules for p in module.parameters()}
        self.bytes: dict[int, int] = {}

    def pack(self, tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if tensor.data_ptr() not in self.learned and tensor.dim():
            self.bytes[storage.data_ptr()] = storage.nbytes()
        return tensor

    def hooks(self) -> Any:
        return torch.autograd.graph.saved_tensors_hooks(self.pack, lambda tensor: tensor)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_cross_entropy(dtype: str) -> None:
    """Of 5 rows of 7 classes, the logits in fp32 where the network is in bf16."""
    of_torch = {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]
    model = torch.nn.Linear(8, 7).to(of_torch)
    saved = Saved(model)
    with saved.hooks():
        logits = model(torch.randn(5, 8, dtype=of_torch)).float()
        torch.nn.functional.cross_entropy(logits, torch.zeros(5, dtype=torch.long))
    found = net([5, 8], {"linear": {"out_features": 7}}, dtype=dtype, loss="cross_entropy")
    assert found.value("activations_kept") == sum(saved.bytes.values())
    law = found.evaluator(found.total("activations_kept"))
    assert law == found.value("activations_kept")


def test_a_loss_of_images_and_of_side_branches() -> None:
    """Classes on axis 1 of a map of 4·4: 16 targets; a side branch has a loss of its own."""
    conv = {"conv2d": {"out_channels": 3, "kernel_size": 1}}
    plain = net([1, 2, 4, 4], conv)
    found = net([1, 2, 4, 4], conv, loss="cross_entropy")
    more = found.value("activations_kept") - plain.value("activations_kept")
    assert more == 4 * 3 * 16 + 8 * 16
    head = {"side": ["flatten", {"linear": {"out_features": 5}}]}
    both = [net([1, 2, 4, 4], conv, head, conv, **said) for said in ({}, {"loss": "cross_entropy"})]
    more = both[1].value("activations_kept") - both[0].value("activations_kept")
    assert more == 4 * 3 * 16 + 8 * 16 + 4 * 5 + 8


def test_a_frozen_network_has_no_loss_to_keep() -> None:
    frozen = {"linear": {"out_features": 7}, "trainable": False}
    assert net([5, 8], frozen, loss="cross_entropy").value("activations_kept") == 0


@pytest.mark.parametrize("unit", ["mlp", "residual", "none"])
def test_blocks_by_name_keep_what_checkpoints_of_pytorch_save(unit: str) -> None:
    """Two turns of a residual MLP between layers of their own."""
    nn = torch.nn
    ends = [nn.Linear(8, 8) for _ in range(2)]
    turns = [nn.Sequential(nn.Linear(8, 24), nn.GELU(), nn.Linear(24, 8)) for _ in range(2)]
    saved = Saved(*ends, *turns)

    def again(body: Any, x: Any, name: str) -> Any:
        return checkpoint(body, x, use_reentrant=True) if name == unit else body(x)

    def residual(mlp: Any, x: Any) -> Any:
        return again(mlp, x, "mlp") + x

    with saved.hooks():
        x = ends[0](torch.randn(4, 8))
        for mlp in turns:
            x = again(lambda x, mlp=mlp: residual(mlp, x), x, "residual")
        ends[1](torch.relu(x))
    turn = {"repeat": {"times": 2, "layers": [{"residual": [{"mlp": None}]}]}}
    first, last = ({"linear": {"out_features": 8}} for _ in range(2))
    found = net([4, 8], first, turn, "relu", last, checkpoint=unit)
    again_bytes = 0 if unit == "none" else 4 * 4 * 24 * 2  # of one turn: before and after gelu
    assert found.value("activations_kept") == sum(saved.bytes.values()) + again_bytes
    forward = 4 * 8 * 24 * 2 * 2
    again_macs = 0 if unit == "none" else forward
    ends_macs = 4 * 64 * 2 + 4 * 64 * 3
    assert found.value("training_macs") == 3 * forward + again_macs + ends_macs


def test_a_kind_made_again(archcost: Run) -> None:
    """Of every dropout what enters is kept; a mask of a byte per element is made again."""
    layers = [{"linear": {"out_features": 8}}, "dropout"] * 2
    plain, found = (net([4, 8], *layers, checkpoint=name) for name in ("none", "dropout"))
    assert plain.value("activations_kept") == 4 * 32 + 4 * 32 + 32 * 2
    entering = 4 * 32  # of the last dropout; of the first one the mask alone is left out
    again = 32
    assert found.value("activations_kept") == 4 * 32 + 4 * 32 + 2 * entering + again
    done = archcost("training", "gpt2", "--checkpoint", "residul")
    assert done.returncode == 2
    assert "unknown checkpoint 'residul'" in done.stderr
    assert "did you mean 'residual'?" in done.stderr


@pytest.mark.parametrize("rows", [1, 12])
def test_sparse_gradients_are_pytorchs(rows: int) -> None:
    table = torch.nn.Embedding(9, 4, sparse=True)
    table(torch.zeros(rows, 3, dtype=torch.long)).sum().backward()
    gradient = table.weight.grad
    entry = {"embedding": {"num_embeddings": 9, "embedding_dim": 4, "sparse": True}, "name": "e"}
    found = net([rows, 3], entry)
    assert found.value("gradients") == gradient._values().nbytes + gradient._indices().nbytes
    assert found.value("optimizer_state") == 2 * 4 * 36


def test_a_shared_table_has_a_dense_gradient() -> None:
    entry = {"embedding": {"num_embeddings": 9, "embedding_dim": 4, "sparse": True}, "name": "e"}
    head = {"linear": {"out_features": 9, "bias": False, "weight": "e"}}
    assert net([2, 3], entry, head).value("gradients") == 4 * 36

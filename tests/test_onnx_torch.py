"""Networks that PyTorch's exporter writes: shapes of PyTorch itself, parameters of the module."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.utils.flop_counter")
pytest.importorskip("onnx")

from archspec.importers.onnx.counts import measure
from archspec.importers.onnx.source import network_of, open_model
from archspec.importers.source import Options
from costmodel import analyze
from tests.flat import flat_spec

nn = torch.nn
FlopCounterMode = torch.utils.flop_counter.FlopCounterMode


def convolutional() -> Any:
    """Strides, a bottleneck with a shortcut, gates, global pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False),
        nn.GroupNorm(4, 16),
        nn.SiLU(),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.Conv2d(16, 16, 3, padding="same", groups=16),
        nn.GELU(),
        nn.PReLU(16),
        nn.AvgPool2d(2, 2, count_include_pad=False),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    )


class Segmenter(nn.Module):  # type: ignore[misc, name-defined]
    """Up again to the size of the input, a pad, windows of computed extent."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 8, 2, 2)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Any) -> Any:
        y = nn.functional.interpolate(self.up(self.down(x)), size=x.shape[2:], mode="bilinear")
        y = nn.functional.pad(y, (1, 2, 3, 0))
        tokens = self.norm(y.flatten(2).transpose(1, 2))
        first, second = tokens.chunk(2, -1)
        return torch.softmax(first @ second.transpose(1, 2), -1).mean(1)


class Reader(nn.Module):  # type: ignore[misc, name-defined]
    """Tokens, two directions, the last of them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 12)
        self.cells = nn.LSTM(12, 10, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(20, 4, bias=False)

    def forward(self, ids: Any) -> Any:
        return self.head(self.cells(self.table(ids))[0][:, -1])


class Attending(nn.Module):  # type: ignore[misc, name-defined]
    """Tokens that attend to those before them, in heads; rotary halves are turned."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm = nn.Embedding(50, 16), nn.LayerNorm(16)
        self.queries, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, ids: Any) -> Any:
        x = self.table(ids)
        n, t, _ = x.shape
        parts = self.queries(self.norm(x)).view(n, t, 3, 4, 4).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        q = torch.cat([-q[..., 2:], q[..., :2]], -1)
        heads = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(heads.transpose(1, 2).reshape(n, t, 16))


IMAGE, TOKENS = {0: "n", 2: "h", 3: "w"}, {0: "n", 1: "t"}

NETWORKS: Mapping[str, tuple[Any, Mapping[int, str], int]] = {
    "convolutional": (convolutional, IMAGE, 13),
    "segmenter": (Segmenter, IMAGE, 17),
    "reader": (Reader, TOKENS, 14),
    "attending": (Attending, TOKENS, 17),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_pytorch_exports(name: str, tmp_path: Path) -> None:
    make, axes, opset = NETWORKS[name]
    module = make().eval()

    def entering(n: int, *sizes: int) -> Any:
        if axes is TOKENS:
            return torch.zeros(n, sizes[0], dtype=torch.long)
        return torch.zeros(n, 3, *sizes)

    path = str(tmp_path / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (entering(2, 64, 64),),
            path,
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": dict(axes)},
            opset_version=opset,
        )
    model = open_model(path)
    network = network_of(model, path, Options())
    params, bare = sum(p.numel() for p in module.parameters()), module.to("meta")
    for sizes in ((1, 33, 70), (3, 96, 47)):
        settings = dict(zip(network.symbols, sizes, strict=False))
        analysis = analyze(flat_spec(network), settings=settings)
        shape = tuple(int(analysis.evaluator(size)) for size in analysis.layers[-1].output)
        with FlopCounterMode(display=False) as counter:
            assert shape == tuple(bare(entering(*sizes).to("meta")).shape)
        if name != "reader":  # torch does not count what an LSTM does
            assert analysis.value("flops") == counter.get_total_flops()
        assert analysis.value("params") == params == measure(model, network, settings).params
    assert [call for call in network.calls if not (call.modules or call.kind == "parameter")] == []

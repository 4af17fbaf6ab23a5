"""Networks that both of PyTorch's exporters write, imported: are parameters those of the module?

Run with ``python -m benchmarks.onnx_networks [NAME …]``; needs torch, torchvision and transformers,
and onnxscript for the exporter of graphs. Names are torchvision's, or a `model_type`.
"""

import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from archspec.errors import SpecError
from archspec.importers import read_source
from costmodel import analyze

VISION = (
    *("resnet50", "mobilenet_v3_small", "densenet121", "vit_b_32", "swin_t", "convnext_tiny"),
    *("efficientnet_b0", "shufflenet_v2_x1_0", "squeezenet1_1", "mnasnet0_5"),
    *("regnet_y_400mf", "lraspp_mobilenet_v3_large"),
)

TOKENS = ("bert", "gpt2", "llama", "t5")

SIZES = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 99}


class Tokens(torch.nn.Module):  # type: ignore[misc]
    """A model of transformers that takes tokens alone and gives one tensor."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        transformers: Any = import_module("transformers")
        sizes = {"num_hidden_layers": 3, **SIZES}
        configuration = transformers.AutoConfig.for_model(kind, **sizes)
        configuration.use_cache = False
        model = transformers.T5EncoderModel if kind == "t5" else transformers.AutoModel
        self.model = model(configuration) if kind == "t5" else model.from_config(configuration)

    def forward(self, ids: Any) -> Any:
        """Return the first of its outputs."""
        return self.model(input_ids=ids)[0]


def networks(names: list[str]) -> Iterator[tuple[str, Any, Any, dict[int, str]]]:
    """Yield name, module, input, and the names of the axes that may change."""
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):  # torchvision's wheel looks for these, which need its own code
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torchvision: Any = import_module("torchvision")
    for name in names:
        if name in TOKENS:
            ids = torch.ones(2, 10, dtype=torch.long)
            yield name, Tokens(name).eval(), ids, {0: "n", 1: "t"}
        else:
            given = {"weights_backbone": None} if "lraspp" in name else {}
            module = torchvision.models.get_model(name, weights=None, **given).eval()
            yield name, module, torch.zeros(2, 3, 224, 224), {0: "n", 2: "h", 3: "w"}


def exported(module: Any, tensor: Any, axes: dict[int, str], path: Path, *, graphs: bool) -> None:
    """Write a module, with the axes that may change, or with the first alone where all fail."""
    tried = [axes, {0: "n"}] if graphs else [axes]
    for some in tried:
        try:
            if graphs:
                shapes = (dict.fromkeys(some, torch.export.Dim.DYNAMIC),)
                more: dict[str, Any] = {"dynamic_shapes": shapes, "external_data": False}
            else:
                more = {"dynamic_axes": {"x": some}, "input_names": ["x"], "opset_version": 17}
            torch.onnx.export(module, (tensor,), str(path), dynamo=graphs, verbose=False, **more)
        except Exception:
            if some == tried[-1]:
                raise
        else:
            return


def outcome(module: Any, path: Path) -> str:
    """Import a file and return what was found."""
    began = time.perf_counter()
    try:
        text = read_source(str(path)).text
        found = analyze(text, convention="torch", numbers_suffice=True).value("params")
    except SpecError as error:
        return f"refused: {error.cause}"
    took = f"{len(text.splitlines())} lines, {time.perf_counter() - began:.1f} s"
    params = sum(p.numel() for p in module.parameters())
    return f"{took}, {found:,} parameters" + ("" if found == params else f", not {params:,}")


def main() -> None:
    """Print a row for each network and exporter."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name, module, tensor, axes in networks(sys.argv[1:] or [*VISION, *TOKENS]):
            for parameter in module.parameters():  # the exporters drop biases that are still 0
                torch.nn.init.uniform_(parameter, 0.01, 1)
            for graphs in (False, True):
                path = Path(folder, f"{name}.onnx")
                exporter = "graphs" if graphs else "TorchScript"
                try:
                    exported(module, tensor, axes, path, graphs=graphs)
                except Exception as error:  # an exporter's own failure is a row of the table
                    print(f"{name:28} {exporter:12} torch: {str(error).splitlines()[0][:90]}")
                    continue
                print(f"{name:28} {exporter:12} {outcome(module, path)}", flush=True)


if __name__ == "__main__":
    main()

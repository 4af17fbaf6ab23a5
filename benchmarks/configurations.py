"""Parameters and MACs of Hugging Face configurations, beside transformers' own classes.

Each configuration of tests/golden/configurations.yaml is built by transformers on the meta device,
its parameters are summed, and `FlopCounterMode` counts a small batch. The same is asked of the spec
that is written from the fields that the file names, and from a file with every field of the class.

Usage: python -m benchmarks.configurations [--overwrite] [model_type ...]
       python -m benchmarks.configurations --table
"""

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from archspec.arithmetic import Rational
from archspec.document import read_document
from archspec.importers import read_source
from archspec.importers.config.source import mapping_of
from archspec.zoo import types_of_configurations
from costmodel import Analysis, analyze

GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "configurations.yaml"

SIZES: Mapping[str, int] = {"n": 2, "m": 3, "s": 12, "t": 16, "patches": 24 * 24}
"""The sizes at which MACs are counted, where a network has such symbols."""

DIFFERS = {
    "mamba": "places that the convolution drops",
    "mamba2": "products of a scan in chunks",
    "llama4_text": "transformers runs all experts on all tokens",
    "qwen2": "transformers counts what a window hides",
    "gpt_neo": "transformers counts what a window hides",
    "phimoe": "transformers counts what a window hides",
}
"""The types of which MACs differ, and why; one of their configurations at least."""


class Case(NamedTuple):
    """A configuration and what transformers counts.

    Attributes:
        kind: its ``model_type``.
        name: its class.
        fields: the fields that are not the family's.
        params: elements of its parameters.
        macs: multiply-accumulates at `SIZES`; None where transformers cannot say.
    """

    kind: str
    name: str
    fields: Mapping[str, Any]
    params: int
    macs: int | None = None

    @property
    def text(self) -> str:
        """Return its config.json."""
        said = {"model_type": self.kind, "architectures": [self.name], **self.fields}
        return json.dumps(said)

    @property
    def fits(self) -> bool:
        """Return whether its MACs must be those of transformers."""
        return self.macs is not None and not (self.kind in DIFFERS and self.is_windowed)

    @property
    def is_windowed(self) -> bool:
        """Return whether a layer sees less than transformers counts."""
        return self.kind in ("mamba", "mamba2", "llama4_text") or any(
            "window" in name for name in self.fields
        )


def cases() -> list[Case]:
    """Return every configuration of the golden file."""
    kinds = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    return [Case(kind, *row) for kind, rows in kinds.items() for row in rows]


def spec_of(text: str, folder: str | Path) -> str:
    """Return the spec that is written from a config.json."""
    file = Path(folder) / f"{abs(hash(text))}.json"
    file.write_text(text, encoding="utf-8")
    return read_source(str(file)).text


def analysed(spec: str) -> Analysis:
    """Return the analysis of a spec at `SIZES`."""
    there = yaml.safe_load(spec)["symbols"].keys()
    sizes = {name: size for name, size in SIZES.items() if name in there}
    return analyze(spec, convention="torch", numbers_suffice=True, settings=sizes)


def counted(spec: str) -> tuple[Rational, Rational]:
    """Return the parameters of a spec, and its MACs at `SIZES`."""
    analysis = analysed(spec)
    return analysis.value("params"), analysis.value("macs")


@cache
def transformers() -> Any:
    """Return the module, imported beside a torchvision of another build, too."""
    import torch

    register = torch.library.register_fake
    torch.library.register_fake = lambda name, *rest, **said: (
        (lambda function: function)
        if str(name).startswith("torchvision::")
        else register(name, *rest, **said)
    )
    warnings.filterwarnings("ignore")
    module: Any = import_module("transformers")

    module.logging.set_verbosity_error()
    return module


def model_of(case: Case, device: str = "meta") -> Any:
    """Return the class of transformers on a device."""
    import torch

    module = transformers()
    config = module.AutoConfig.for_model(case.kind, **json.loads(json.dumps(case.fields)))
    for part in (config, *(getattr(config, f"{each}_config", None) for each in ("text", "vision"))):
        if part is not None:
            part._attn_implementation, part._experts_implementation = "eager", "batched_mm"
    with torch.device(device):
        return getattr(module, case.name)(config).eval()


def params_of(model: Any) -> int:
    """Return the elements of a module's parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


MOST_WITH_DATA = 10_000_000
"""The most parameters of a module that is run with data where it does not run without."""


def macs_of(case: Case, model: Any, spec: str) -> int | None:
    """Return what FlopCounterMode counts of a module, half of it; None where it does not run."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    is_small = params_of(model) <= MOST_WITH_DATA
    for device in ("meta", "cpu") if is_small else ("meta",):
        runs = (model if device == "meta" else model_of(case, device)).requires_grad_(False)
        try:
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                _run(runs, analysed(spec), device)
        except RuntimeError:
            continue
        return int(counter.get_total_flops()) // 2
    return None


def _run(model: Any, analysis: Analysis, device: str) -> None:
    """Run a model; one in which images become tokens sees these beside those of the text."""
    import torch

    given = _tensors(analysis, device)
    if not hasattr(model.config, "image_token_id"):
        model(**given)
        return
    image, tokens = given["pixel_values"], given["input_ids"]
    if image.dim() == 3:  # patches, of images of any size
        side = int(image.shape[1] ** 0.5)
        grid = torch.tensor([[1, side, side]] * len(image), device=device)
        model.get_image_features(image.flatten(0, 1), image_grid_thw=grid)
    else:
        model.get_image_features(image)
    joined = next(each for each in analysis.layers if each.node.kind == "concat")
    length = int(analysis.evaluator(joined.output[1]))
    model(input_ids=tokens.new_zeros(len(tokens), length))


NAMES = {
    "tokens": "input_ids",
    "source": "input_ids",
    "target": "decoder_input_ids",
    "image": "pixel_values",
    "points": "input_points",
    "input": "pixel_values",
    "audio": "input_features",
    "sound": "input_values",
}
"""Input of a spec → parameter of the class."""


def _tensors(analysis: Analysis, device: str) -> dict[str, Any]:
    """Return a tensor for each input that the class takes."""
    import torch

    inputs = analysis.propagation.inputs
    names = {**NAMES, "text": "decoder_input_ids" if "audio" in inputs else "input_ids"}
    found = {}
    for name, shape in inputs.items():
        extents = [int(analysis.evaluator(size)) for size in shape]
        dtype = torch.long if names.get(name, "").endswith("ids") else torch.float32
        if name in names:
            found[names[name]] = torch.zeros(extents, dtype=dtype, device=device)
    return found


def compared(case: Case, folder: str) -> tuple[Case, str]:
    """Return a configuration with what transformers counts, and what differs from it here."""
    model = model_of(case)
    every = json.loads(model.config.to_json_string(use_diff=False))
    spec = spec_of(case.text, folder)
    truth = case._replace(params=params_of(model), macs=macs_of(case, model, spec))
    whole = spec_of(json.dumps({**every, "architectures": [case.name]}), folder)
    ours, all_said = counted(spec), counted(whole)
    differs = [
        *(["params"] if {ours[0], all_said[0]} != {truth.params} else []),
        *(["macs"] if truth.fits and ours[1] != truth.macs else []),
        *(["a file with every field"] if ours != all_said else []),
    ]
    return truth, ", ".join(differs)


def written(found: list[Case]) -> str:
    """Return the golden file of some configurations."""
    head = (
        "# By `python -m benchmarks.configurations --overwrite`: model_type → its configurations"
        "\n# (the class of transformers, the fields that are not the family's, parameters,"
        "\n# MACs at 2 sequences of 16 tokens, sources of 12, 2 images and 3 texts).\n"
    )
    kinds = dict.fromkeys(case.kind for case in found)
    rows = {kind: [list(case[1:]) for case in found if case.kind == kind] for kind in kinds}
    lines = []
    for kind, each in rows.items():
        lines += [f"{kind}:", *(f"  - {json.dumps(row)}" for row in each)]
    return head + "\n".join(lines) + "\n"


def table() -> Iterator[str]:
    """Yield the lines of a Markdown table of the types that can be read."""
    yield "| `model_type` | spec | architectures | parameters of the default |"
    yield "| --- | --- | --- | ---: |"
    first = {case.kind: case for case in reversed(cases())}
    for kind, path in types_of_configurations().items():
        values = mapping_of(read_document(path), kind).fields["architectures"].values or ()
        heads = ", ".join(f"`{name}`" for name in values)
        name = Path(path).stem
        yield f"| `{kind}` | [{name}](../specs/{name}.yaml) | {heads} | {first[kind].params:,} |"


def main(words: list[str]) -> Iterator[str]:
    """Yield a line for each configuration that differs, then how many there are."""
    wanted = [word for word in words if not word.startswith("-")]
    found = []
    with TemporaryDirectory() as folder:
        for case in cases():
            truth, differs = case, ""
            if not wanted or case.kind in wanted:
                truth, differs = compared(case, folder)
            if differs:
                yield f"{case.kind} {case.name} {dict(case.fields)}: {differs}"
            found.append(truth)
    if "--overwrite" in words:
        GOLDEN.write_text(written(found), encoding="utf-8")
    kinds = len({case.kind for case in found})
    yield f"{len(found)} configurations of {kinds} types"


if __name__ == "__main__":
    for line in table() if "--table" in sys.argv else main(sys.argv[1:]):
        print(line, flush=True)

"""How many of the models people have are imported, and whether both count the same.

python -m benchmarks.importing torchvision
python -m benchmarks.importing timm --sample 200
python -m benchmarks.importing torch:torchvision.models:resnet50
"""

import argparse
import random
import sys
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from archspec.errors import SpecError
from archspec.importers import read_source
from costmodel.studies.imports import compared

IMAGE, VIDEO = "n, 3, h, w", "n, 3, d, h, w"

SEED = 0


class Outcome(NamedTuple):
    source: str
    verdict: str
    seconds: float
    lines: int
    reason: str


def torchvision_sources() -> Iterator[str]:
    """The classification models, then segmentation, video and optical flow."""
    from archspec.importers.torch_source import _linked

    models = _linked("torchvision.models")
    for name in models.list_models():
        builder = models.get_model_builder(name)
        module = builder.__module__
        sizes = VIDEO if ".video" in module else IMAGE
        if "swin3d" in name or "mvit" in name:
            sizes = "n, 3, 16, 224, 224"
        extra = ";n, 3, h, w" if "optical_flow" in module else ""
        weights = ";vary weights_backbone=None" if "segmentation" in module else ""
        if ".detection" not in module and "quantization" not in module:
            yield f"torch:{module}:{builder.__name__}#{sizes}{extra}{weights}"


def timm_sources(sample: int) -> Iterator[str]:
    """One model of each family of timm's registry, the smallest name, and a seeded sample."""
    from archspec.importers.torch_source import _linked

    _linked("torchvision")
    timm = _linked("timm")
    modules = timm.list_modules()
    first = [timm.list_models(module=module)[0] for module in modules]
    others = sorted({*timm.list_models()} - {*first})
    for name in (*first, *random.Random(SEED).sample(others, sample)):
        yield f"torch:timm:create_model#{IMAGE};vary model_name={name}"


def outcome(source: str) -> Outcome:
    began = time.perf_counter()
    lines, verdict, reason = 0, "failed", ""
    try:
        imported = read_source(source)
        lines = imported.text.count("\n")
        verdict = "imported"
        document = compared(source, imported)
        verdict = "equal" if document.holds else "differs"
        notes = document.data()["notes"]
        reason = "; ".join(notes if document.holds else notes[-1:])
    except SpecError as error:
        reason = str(error).replace("\n", " ")
    except Exception as error:  # the benchmark names every failure
        reason = f"CRASH {type(error).__name__}: {error}".replace("\n", " ")
    return Outcome(source, verdict, time.perf_counter() - began, lines, reason[:300])


def main(arguments: Iterable[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--part", default="0/1", help="as 1/2: every second, from the second")
    given = parser.parse_args([*arguments])
    sources = {"torchvision": torchvision_sources, "timm": lambda: timm_sources(given.sample)}
    found = list(sources[given.what]()) if given.what in sources else [given.what]
    part, of = map(int, given.part.split("/"))
    for source in found[part::of]:
        done = outcome(source)
        print(f"{done.verdict:8} {done.seconds:6.1f} s {done.lines:5} lines  {source}  {done.reason}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

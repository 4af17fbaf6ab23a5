"""Imports public models, and compares the counts of each with those of PyTorch.

python -m benchmarks.importing torchvision
python -m benchmarks.importing timm --sample 200 --limit 120 --results timm.jsonl
python -m benchmarks.importing transformers --only "bert|gpt2"
python -m benchmarks.importing torch:torchvision.models:resnet50#n,3,h,w

Every model is imported and its parameters, products and output shapes are compared with PyTorch's
own counts at three sizes. The last lines are a table for the page on imports, with every failure.
A file of results keeps what is equal: another run tries the others alone, the smallest first.
"""

import argparse
import json
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from archspec.errors import SpecError
from archspec.importers import read_source
from archspec.importers.torch.source import linked
from costmodel.studies.imports import compared

IMAGE, VIDEO = "n, 3, h, w", "n, 3, d, h, w"
TOKENS, PICTURE = "input_ids: n, t", "pixel_values: n, 3, {0}, {0}"
BOTH = f"{TOKENS};decoder_input_ids: n, s"

SEED = 0


class Outcome(NamedTuple):
    """The result of importing one model."""

    group: str
    source: str
    verdict: str
    seconds: float
    lines: int
    reason: str


SIZES = (
    r"atto|femto|pico|nano|xxxs|xxs",
    r"tiny|mini|micro|small|lite|t|x?s",
    r"",
    r"test|base|b|m|medium|large|x*l|\w*plus",
    r"huge|giant|gigantic|xlarge|enormous|so\d+m|h|g",
)
"""Words in the names of models, by their sizes; those of tests of a library stand late."""


def size_of(name: str) -> tuple[int, int, str]:
    """Return how large a model is by its name, to try the smallest first."""
    ranks = [i for i in (4, 0, 1, 3) if re.search(rf"(?<![a-z])({SIZES[i]})\d*(?![a-z])", name)]
    return (ranks or [2])[0], sum(map(int, re.findall(r"\d+", name))), name


def torchvision_sources() -> Iterator[tuple[str, str]]:
    """The classification models, then segmentation, video and optical flow."""
    models = linked("torchvision.models")
    for name in models.list_models():
        builder = models.get_model_builder(name)
        module = builder.__module__
        group = module.split(".")[2] if module.count(".") > 2 else "classification"
        sizes = VIDEO if ".video" in module else IMAGE
        if "swin3d" in name or "mvit" in name:
            sizes = "n, 3, 16, 224, 224"
        extra = ";n, 3, h, w" if "optical_flow" in module else ""
        weights = ";vary weights_backbone=None" if "segmentation" in module else ""
        if group not in ("detection", "quantization"):
            yield group, f"torch:{module}:{builder.__name__}#{sizes}{extra}{weights}"


def timm_sources(sample: int) -> Iterator[tuple[str, str]]:
    """One model of each family of timm's registry, the smallest name, and a seeded sample."""
    linked("torchvision")
    timm = linked("timm")
    families = [timm.list_models(module=module) for module in timm.list_modules()]
    first = [min(names, key=size_of) for names in families]
    others = sorted({*timm.list_models()} - {*first})
    drawn = random.Random(SEED).sample(others, sample)
    for group, names in (("families", first), ("drawn", drawn)):
        for name in sorted(names, key=size_of):
            yield group, f"torch:timm:create_model#{IMAGE};vary model_name={name}"


TRANSFORMERS = {
    TOKENS: "llama mistral qwen2 qwen3 gemma gemma2 gemma3_text phi phi3 gpt2 gpt_neox gptj opt"
    " bloom falcon olmo olmo2 granite starcoder2 cohere stablelm mixtral qwen3_moe mamba bert"
    " roberta distilbert electra albert deberta-v2 mpnet xlm-roberta camembert modernbert",
    BOTH: "t5 bart mbart pegasus",
    PICTURE.format(224): "vit deit dinov2 convnext swin segformer resnet",
    "input_features: n, 80, 3000;decoder_input_ids: n, s": "whisper",
    "input_values: n, 16000": "wav2vec2 hubert",
}
"""The inputs → types of models that take them."""


def transformers_sources() -> Iterator[tuple[str, str]]:
    """Types of models of transformers, of two layers each."""
    for inputs, names in TRANSFORMERS.items():
        for name in names.split():
            yield "types", f"torch:{__spec__.name}:transformer#{inputs};vary model_type={name}"


def transformer(model_type: str) -> Any:
    """Return a model of two layers of a type; one that predicts tokens where there is one."""
    linked("torchvision")
    transformers = import_module("transformers")
    config = transformers.AutoConfig.for_model(model_type)
    for name in ("num_hidden_layers", "encoder_layers", "decoder_layers", "num_decoder_layers"):
        if isinstance(getattr(config, name, None), int):
            setattr(config, name, 2)
    for name in ("use_cache", "output_hidden_states", "output_attentions"):
        setattr(config, name, False)
    if isinstance(getattr(config, "layer_types", None), list):
        with suppress(AttributeError):
            config.layer_types = config.layer_types[:2]
    known = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING
    decodes = type(config) in known and not getattr(config, "is_encoder_decoder", False)
    auto = transformers.AutoModelForCausalLM if decodes else transformers.AutoModel
    return auto.from_config(config)


class OutOfTime(BaseException):
    """A model took longer than it may; no ``except Exception`` of anyone's catches it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OutOfTime where what is done takes more seconds of the processor; 0 for no limit."""

    def stop(*_: object) -> None:
        raise OutOfTime

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def outcome(group: str, source: str, limit: float) -> Outcome:
    """Import one model, and compare the counts."""
    began, lines, verdict, reason = time.process_time(), 0, "failed", ""
    try:
        with limited(limit):
            imported = read_source(source)
            lines, verdict = imported.text.count("\n"), "imported"
            document = compared(source, imported)
        verdict = "equal" if document.holds else "differs"
        notes = document.data()["notes"]
        reason = "; ".join(notes if document.holds else notes[-1:])
    except OutOfTime:
        verdict, reason = "not tried", f"it takes more than {limit:.0f} s ({verdict} so far)"
    except SpecError as error:
        reason = str(error)
    except Exception as error:  # the benchmark names every failure
        reason = f"CRASH {type(error).__name__}: {error}"
    seconds = time.process_time() - began
    return Outcome(group, source, verdict, seconds, lines, " ".join(reason.split())[:400])


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield the lines of a table of the groups, and of the failures."""
    found = list(outcomes)
    yield "| models | equal | of | median seconds | median lines |"
    yield "| --- | --- | --- | --- | --- |"
    for group in dict.fromkeys(each.group for each in found):
        own = [each for each in found if each.group == group]
        seconds = sorted(each.seconds for each in own)[len(own) // 2]
        lines = sorted(each.lines for each in own)[len(own) // 2]
        equal = sum(each.verdict == "equal" for each in own)
        yield f"| {group} | {equal} | {len(own)} | {seconds:.0f} | {lines} |"
    yield ""
    for each in found:
        if each.verdict != "equal":
            yield f"* {each.source}: {each.verdict}: {each.reason}"


def main(arguments: Iterable[str]) -> None:
    """Import what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--only", default="", help="a pattern of what a source holds")
    parser.add_argument("--limit", type=float, default=0, help="seconds that a model may take")
    parser.add_argument("--results", type=Path, help="a file that keeps what is equal")
    given = parser.parse_args([*arguments])
    sources: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
        "torchvision": torchvision_sources,
        "timm": lambda: timm_sources(given.sample),
        "transformers": transformers_sources,
    }
    found = list(sources[given.what]()) if given.what in sources else [("one", given.what)]
    wanted = re.compile(rf"\b({given.only})\b" if given.only else "")
    known = {each.source: each for each in kept(given.results) if each.verdict == "equal"}
    outcomes = []
    for group, source in [each for each in found if wanted.search(each[1])]:
        outcomes.append(done := known.get(source) or outcome(group, source, given.limit))
        if source not in known and given.results:
            with given.results.open("a") as file:
                print(json.dumps(done), file=file)
        shown = f"{done.verdict:8} {done.seconds:6.1f} s {done.lines:5} lines"
        print(f"{shown}  {source}  {done.reason}", flush=True)
    print(*table(outcomes), sep="\n")


def kept(results: Path | None) -> Iterator[Outcome]:
    """Yield the outcomes that a file has of runs before."""
    if results and results.exists():
        for line in results.read_text().splitlines():
            yield Outcome(*json.loads(line))


if __name__ == "__main__":
    main(sys.argv[1:])

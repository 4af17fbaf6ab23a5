"""Specs from config.json: counts as transformers has them, and one clear error for each mistake."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from archspec.errors import SpecError
from archspec.importers import read_source
from archspec.zoo import types_of_configurations
from benchmarks.configurations import Case, cases, counted, model_of, params_of, spec_of
from tests.commands import run_here
from tests.conftest import ROOT, thinned

CASES = cases()
KINDS = sorted({case.kind for case in CASES})

WANTED = (
    *("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "gemma", "gemma2"),
    *("gemma3_text", "phi", "phi3", "gpt2", "gpt_neox", "gptj", "opt", "bloom", "falcon"),
    *(
        "gpt_oss",
        "deepseek_v2",
        "deepseek_v3",
        "olmo",
        "granite",
        "starcoder2",
        "cohere",
        "mamba",
        "bert",
    ),
    *("roberta", "distilbert", "electra", "albert", "deberta-v2", "t5", "bart", "whisper"),
    *("wav2vec2", "vit", "deit", "swin", "convnext", "clip", "siglip", "dinov2"),
)
"""The types that must be there."""


def config(folder: Path, text: str) -> Path:
    """Write a config.json."""
    file = folder / "config.json"
    file.write_text(text, encoding="utf-8")
    return file


def of_kind(kind: str) -> list[Case]:
    return [case for case in CASES if case.kind == kind]


def test_every_type_has_three_configurations() -> None:
    assert set(WANTED) <= types_of_configurations().keys()
    assert types_of_configurations().keys() == set(KINDS)
    assert all(len(of_kind(kind)) >= 3 for kind in KINDS)


@pytest.mark.parametrize("kind", thinned(KINDS, 4))
def test_counts_are_those_of_transformers(kind: str, tmp_path: Path) -> None:
    for case in of_kind(kind):
        params, macs = counted(spec_of(case.text, tmp_path))
        assert params == case.params, case
        assert macs == case.macs or not case.fits, case


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_the_figures_are_those_of_the_classes(kind: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    for case in of_kind(kind):
        assert params_of(model_of(case)) == case.params, case


def llama(**fields: Any) -> str:
    return json.dumps({"model_type": "llama", **fields})


WRONG = {
    "no_type": ("{}", ["model_type", "has no model_type", '"model_type": "llama"']),
    "unknown_type": (
        '{"model_type": "lama"}',
        ["1:2", "no spec", "'lama'", "did you mean 'llama'"],
    ),
    "a_number_as_type": ('{"model_type": 3}', ["has no model_type"]),
    "unknown_field": (llama(router_depth=3), ["router_depth", "does not know", "--partial"]),
    "unknown_value": (llama(hidden_act="snake"), ['hidden_act is "snake"', "silu", "gelu*"]),
    "unknown_head": (
        llama(architectures=["LlamaForDreaming"]),
        ["architectures", "LlamaForDreaming", "*ForCausalLM"],
    ),
    "no_head": (llama(architectures=[]), ["architectures", "index 0 is outside a list of 0"]),
    "text_for_a_number": (llama(hidden_size="wide"), ['hidden_size is "wide"', "4096"]),
    "truth_for_a_number": (llama(num_hidden_layers=True), ["num_hidden_layers is true", "32"]),
    "list_for_a_number": (llama(vocab_size=[1]), ["vocab_size is [1]"]),
    "negative": (llama(hidden_size=-4096), ["hidden_size: d = -4096", "positive"]),
    "zero": (llama(vocab_size=0), ["vocab_size: V = 0", "positive"]),
    "fraction": (llama(intermediate_size=10.5), ["intermediate_size: ff = 21/2", "integer"]),
    "no_heads": (llama(num_attention_heads=0), ["head_dim", "division by zero"]),
    "too_many_layers": (llama(num_hidden_layers=10**9), ["1000000000 layers", "10,000"]),
    "infinite": ('{"model_type": "llama", "hidden_size": Infinity}', ['"Infinity"']),
    "huge": (f'{{"model_type": "llama", "hidden_size": 1{"0" * 500}}}', ["too many digits"]),
    "twice": ('{"model_type": "llama", "model_type": "opt"}', ['"model_type" stands twice']),
    "truncated": (llama(hidden_size=4096)[:-6], ["1:", "not JSON"]),
    "empty": ("", ["1:1", "not JSON"]),
    "no_object": ("[1, 2]", ["a configuration is a JSON object"]),
    "deep": ("[" * 100_000, ["nested too deep"]),
    "no_object_inside": (
        '{"model_type": "clip", "text_config": 3}',
        ["text_config is 3", "an object"],
    ),
    "text_of_no_family": (
        '{"model_type": "llava", "text_config": {"model_type": "lama"}}',
        ["text_config.model_type", '"lama"', "did you mean 'llama'"],
    ),
    "unknown_inside": (
        '{"model_type": "llava", "text_config": {"sparse_every": 2}}',
        ["text_config.sparse_every", "does not know"],
    ),
    "value_inside": (
        '{"model_type": "gemma3", "text_config": {"hidden_size": "wide"}}',
        ["text_config.hidden_size", "wide"],
    ),
    "lengths": (
        json.dumps({"model_type": "qwen3", "layer_types": ["full_attention"]}),
        ["does not express these values together", "num_hidden_layers = 32"],
    ),
    "experts_unknown": ('{"model_type": "deepseek_v2"}', ["num_experts_per_tok", "null"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_clear_error(name: str, tmp_path: Path) -> None:
    text, words = WRONG[name]
    done = run_here("import", config(tmp_path, text))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("archcost: ") == 1
    assert "config.json" in done.stderr
    for word in words:
        assert word in done.stderr.replace("\n", " "), done.stderr


def test_no_bytes_but_text(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b'{"model_type": "\xff"}')
    assert "UTF-8" in run_here("import", file).stderr


def test_a_field_that_is_not_known_is_a_note(tmp_path: Path) -> None:
    done = run_here("import", config(tmp_path, llama(router_depth=3)), "--partial")
    assert done.returncode == 0
    assert "router_depth is not looked at" in done.stderr


def test_import_writes_a_spec(tmp_path: Path) -> None:
    net = tmp_path / "net.yaml"
    file = config(tmp_path, llama(num_hidden_layers=4))
    done = run_here("import", file, "-o", net)
    assert done.returncode == 0
    assert "counts nothing itself" in done.stdout
    ours, theirs = (run_here(path, "--format", "json").stdout for path in (net, file))
    assert json.loads(ours) == json.loads(theirs)


def test_a_folder_is_its_config(tmp_path: Path) -> None:
    config(tmp_path, llama(num_hidden_layers=4))
    assert "layers:" in run_here("import", tmp_path).stdout
    assert run_here(tmp_path).returncode == 0


def test_the_architecture_chooses_the_head(tmp_path: Path) -> None:
    whole = counted(spec_of(llama(), tmp_path))[0]
    bare = counted(spec_of(llama(architectures=["LlamaModel"]), tmp_path))[0]
    assert whole - bare == 32000 * 4096


def test_a_spec_is_what_a_person_would_write(tmp_path: Path) -> None:
    text = spec_of(llama(), tmp_path)
    spec = yaml.safe_load(text)
    assert list(spec) == ["archspec", "name", "source", "symbols", "input", "layers"]
    assert spec["input"] == {"tokens": ["n", "t"]}
    assert len(text.splitlines()) < 45
    gemma = yaml.safe_load(spec_of('{"model_type": "gemma3_text"}', tmp_path))
    assert gemma["layers"][1]["repeat"] == {
        "times": "L",
        "layers": [
            {"repeat": {"times": 5, "layers": [{"layer": {"kind": 1}}]}},
            {"layer": {"kind": 0}},
        ],
    }


@pytest.mark.parametrize("kind", thinned(KINDS, 6))
def test_nothing_is_left_that_is_decided(kind: str, tmp_path: Path) -> None:
    for case in of_kind(kind):
        text = spec_of(case.text, tmp_path)
        assert "not true" not in text
        assert "not false" not in text
        assert len(text.splitlines()) < (400 if kind == "sam" else 170)


def test_a_spec_that_maps_is_read_no_further_than_its_type(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no spec has a mapping"):
        read_source(str(config(tmp_path, '{"model_type": "../../llama"}')))


def test_the_page_names_every_type() -> None:
    page = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    kinds = types_of_configurations()
    assert f"{len(kinds)} values of `model_type`" in page
    for kind, spec in kinds.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| [{Path(spec).stem}]"))
        assert f"`{kind}`" in row

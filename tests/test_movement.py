"""How bytes and seconds come to be, as ``explain`` shows it: every step by hand."""

from costmodel import analyze
from costmodel.rules.formula import ExplanationStep
from costmodel.scenario.scenario import scenario
from costmodel.studies.explain import explain
from tests.conftest import ROOT, Run


def steps(spec: str, layer: str, t: int | None = None, **said: str) -> dict[str, ExplanationStep]:
    fixed = {} if t is None else {"t": t}
    analysis = analyze(ROOT / "specs" / spec, settings=fixed, scenario=scenario(**said))
    (found,) = explain(analysis, layer)
    return {step.name: step for step in found.steps}


def test_alexnet_on_an_a100() -> None:
    """307,200 weights of 2 bytes; 96·27² in and 256·27² out; 312 Top/s, 2039 GB/s, half reached.

    2·223,948,800/156e12 s = 2.871 µs; 1,127,616/1.0195e12 s = 1.106 µs.
    """
    found = steps("alexnet.yaml", "conv2d_2", dtype="fp16", hardware="a100-80gb", efficiency="0.5")
    assert found["model size"].numbers == "307,200·16/8"
    assert found["model size"].value == "614,400 bytes"
    assert found["bytes moved"].numbers == "614,400 + 139,968 + 373,248"
    assert found["bytes moved"].value == f"{614_400 + 139_968 + 373_248:,} bytes"
    assert found["T computation"].numbers == "2 × 223,948,800/(312 Top/s × 1/2)"
    assert found["T computation"].value == "2.871 µs"
    assert found["T memory"].value == "1.106 µs"
    assert found["latency ≥"].value == "2.871 µs"


def test_half_bytes_and_a_cache() -> None:
    """GPT-2 decoding its 101st token in int4: four matrices of 768², four biases, the cache."""
    found = steps("gpt2.yaml", "self_attention", t=1, dtype="int4", past="100")
    assert found["model size"].numbers == " + ".join(["⌈589,824·4/8⌉"] * 4 + ["⌈768·4/8⌉"] * 4)
    moved = found["bytes moved"]
    assert moved.rule == "weights + input + output + cache read + cache written"
    by_hand = [4 * (589_824 + 768) // 2, 768 // 2, 768 // 2, 100 * 768, 768]
    assert moved.numbers == " + ".join(f"{size:,}" for size in by_hand)
    assert "T memory" not in found


def test_nothing_is_said_where_nothing_is_asked(archcost: Run) -> None:
    plain = archcost("explain", "specs/alexnet.yaml", "conv2d_2").stdout
    assert "bytes moved" not in plain
    told = archcost("explain", "specs/alexnet.yaml", "relu_1", "--dtype", "int8").stdout
    assert "types               weights int8, activations int8, accumulators int32" in told
    assert "bytes moved" not in told

"""Energy: arithmetic by type, and bytes from the memory that what fits decides; all by hand."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from sympy import Integer, Symbol

from archspec.architecture import read_architecture
from archspec.arithmetic import Rational
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.metrics.data_movement import data_movement
from costmodel.metrics.memory_peak import at_work
from costmodel.scenario.memory_hierarchy import SymbolBounds, exceeds
from costmodel.scenario.scenario import scenario
from tests.conftest import ROOT, Run, share

Golden = Callable[[str, str], None]

PICO = Fraction(1, 10**12)

CHIP = """\
archspec: 1
name: A chip of a test
memory:
  near: {kind: sram, capacity: {value: 1000 B, source: the test itself, read: vendor}}
  far: {kind: dram, capacity: {value: 100 kB, source: the test itself, read: vendor}}
energy:
  add: {int32: {value: 3 pJ, source: the test itself, read: vendor}}
  multiply: {int8: {value: 5 pJ, source: the test itself, read: vendor}}
  access:
    near: {kind: sram, bits: 16, value: 8 pJ, source: the test itself, read: vendor}
    far: {kind: dram, bits: 32, value: 320 pJ, source: the test itself, read: vendor}
"""
"""A multiply-accumulate of int8 is 8 pJ; a byte 4 pJ from near and 80 pJ from far."""

FLASH = "  flash: {kind: flash, capacity: {value: 1 MB, source: the test itself, read: vendor}}\n"
FLASH_ACCESS = (
    "    flash: {kind: flash, bits: 8, value: 30 pJ, source: the test itself, read: vendor}\n"
)


@pytest.fixture
def chip(tmp_path: Path) -> str:
    return profile(tmp_path, CHIP)


def profile(folder: Path, text: str) -> str:
    path = folder / "chip.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(
    text: str, hardware: str, *, numbers: bool = True, past: int | str | None = None, **said: str
) -> Analysis:
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    values = architecture.header.defaults if numbers else {}
    given = scenario(hardware=hardware, past=past, **said)
    return analyze_architecture(architecture, Setup("lecture", values, scenario=given))


def linear(inputs: int, outputs: int) -> str:
    return f"input: [1, {inputs}]\nlayers: [{{linear: {{out_features: {outputs}, bias: false}}}}]"


def parts(analysis: Analysis) -> tuple[Rational, ...]:
    """Arithmetic, weights, activations and the whole, in picojoules."""
    names = ("energy_arithmetic", "energy_weights", "energy_activations", "energy")
    return tuple(Fraction(analysis.value(name)) / PICO for name in names)


def test_one_linear_layer_with_horowitz() -> None:
    """64 → 32 in int8: 2,048·(0.2 + 0.1) pJ; all of 2,048 + 96 bytes fit the SRAM of 8 KiB.

    That takes 10 pJ for 64 bits, so that a byte is 1.25 pJ: 614.4 + 2,560 + 120.
    """
    taken = parts(read(linear(64, 32), "horowitz-45nm", dtype="int8"))
    assert taken == (Fraction("614.4"), 2560, 120, Fraction("3294.4"))


def test_types_of_products_and_sums() -> None:
    """fp16 products summed in fp32: 6·(1.1 + 0.9); int8 by fp32 is multiplied in fp32."""
    net = read(linear(3, 2), "horowitz-45nm", dtype="fp16")
    assert parts(net)[0] == 6 * 2
    net = read(linear(3, 2), "horowitz-45nm", weights="int8", activations="fp32")
    assert parts(net)[0] == 6 * (Fraction("3.7") + Fraction("0.9"))
    net = read(linear(3, 2), "horowitz-45nm", dtype="fp16", accumulators="fp16")
    assert parts(net)[0] == 6 * Fraction("1.5")


def test_weights_at_the_capacity_and_one_byte_over(chip: str) -> None:
    """76·12 + 76 + 12 = 1,000 bytes stay near; 5·166 + 5 + 166 = 1,001 do not.

    The activations are 88 and 171 bytes, and near in both.
    """
    assert parts(read(linear(76, 12), chip, dtype="int8")) == (7296, 912 * 4, 88 * 4, 11296)
    assert parts(read(linear(5, 166), chip, dtype="int8"))[:3] == (6640, 830 * 80, 171 * 4)


def test_activations_at_the_capacity_and_one_byte_over(chip: str) -> None:
    """999 + 1 and 999 + 2 bytes; the weights beside them are far in both."""
    assert parts(read(linear(999, 1), chip, dtype="int8"))[1:3] == (999 * 80, 1000 * 4)
    assert parts(read(linear(999, 2), chip, dtype="int8"))[1:3] == (1998 * 80, 1001 * 80)


def test_a_branch_that_waits_takes_its_place(chip: str) -> None:
    """300 wait while 300 → 500 → 300 works: 1,100 bytes are in memory, though 800 move.

    In the second layer 300 + 500 + 300, as many; the sum works in place and reads the 300.
    """
    text = (
        "input: [1, 300]\nlayers: [{residual: [{linear: {out_features: 500, bias: false}}, "
        "{linear: {out_features: 300, bias: false}}]}]"
    )
    net = read(text, chip, dtype="int8")
    (first, second, total) = (net.evaluator(net.memory[layer.node.path]) for layer in net.layers)
    assert (first, second, total) == (800, 1100, 600)
    taken = [net.evaluator(net.of_layer("energy_activations", x)) / PICO for x in net.layers]
    assert taken == [800 * 4, 800 * 80, 300 * 4]


def test_flash_holds_what_does_not_stay_in_memory(tmp_path: Path) -> None:
    """5·166 weights come from flash at 30 pJ a byte; 76·12 stay in SRAM."""
    text = CHIP.replace("energy:\n", f"{FLASH}energy:\n") + FLASH_ACCESS
    text = text.replace(
        "  far: {kind: dram, capacity: {value: 100 kB, source: the test itself, read: vendor}}\n",
        "",
    )
    path = profile(tmp_path, text)
    assert parts(read(linear(5, 166), path, dtype="int8"))[1] == 830 * 30
    assert parts(read(linear(76, 12), path, dtype="int8"))[1] == 912 * 4


def test_what_fits_dram_does_not_come_from_flash(tmp_path: Path) -> None:
    path = profile(tmp_path, CHIP.replace("energy:\n", f"{FLASH}energy:\n") + FLASH_ACCESS)
    assert parts(read(linear(5, 166), path, dtype="int8"))[1] == 830 * 80


def test_flash_without_a_figure(tmp_path: Path) -> None:
    """An error only where weights come from it."""
    text = CHIP.replace("energy:\n", f"{FLASH}energy:\n").replace("value: 100 kB", "value: 1000 B")
    path = profile(tmp_path, text)
    assert parts(read(linear(76, 12), path, dtype="int8"))[1] == 912 * 4
    with pytest.raises(
        SpecError, match="no energy per access of flash, where the weights lie"
    ) as e:
        read(linear(5, 166), path, dtype="int8").value("energy")
    assert e.value.entry == "linear_1"
    assert "it has sram, dram; write energy.access with kind: flash" in str(e.value.hint)


def test_a_memory_without_a_figure_is_passed_over(tmp_path: Path) -> None:
    """Without one for SRAM all bytes come from DRAM, whose figure there is."""
    near = "    near: {kind: sram, bits: 16, value: 8 pJ, source: the test itself, read: vendor}\n"
    path = profile(tmp_path, CHIP.replace(near, ""))
    assert parts(read(linear(76, 12), path, dtype="int8"))[1:3] == (912 * 80, 88 * 80)


def test_more_than_the_furthest_comes_from_there(chip: str) -> None:
    assert parts(read(linear(1000, 200), chip, dtype="int8"))[1] == 200_000 * 80


@pytest.mark.parametrize("capacity", [1, 7, 999, 327_680])
def test_the_step_is_exact(capacity: int) -> None:
    """``min(1, x//(C + 1))`` is 1 where x is more than C."""
    x = Symbol("x", integer=True, positive=True)
    known = SymbolBounds({x: 1}, Evaluator({x: 1}))
    step = exceeds(Maximum(3 * x, x + 5), capacity, known)
    for value in (
        *range(1, 12),
        capacity // 3,
        capacity // 3 + 1,
        capacity - 5,
        capacity - 4,
        10**9,
    ):
        if value > 0:
            assert Evaluator({x: value})(step) == (max(3 * value, value + 5) > capacity)


def test_where_bounds_decide_there_is_no_step() -> None:
    x = Symbol("x", integer=True, positive=True)
    known = SymbolBounds({x: 10}, Evaluator({x: 12}))
    assert exceeds(8 * x, 79, known) == 1
    assert exceeds(8 * x, 80, known) not in (0, 1)
    assert exceeds(Integer(80), 80, known) == 0
    assert exceeds(Integer(81), 80, known) == 1


HOROWITZ = {8192: Fraction(10, 64), 32768: Fraction(20, 64), 2**20: Fraction(100, 64)}
"""Capacity → picojoules of a bit; DRAM: 640/32."""

BYTES = {"int8": 1, "fp16": 2, "fp32": 4}

OPERATION = {"int8": Fraction("0.3"), "fp16": Fraction(2), "fp32": Fraction("4.6")}


def by_hand(net: Analysis, dtype: str) -> Fraction:
    """The whole of a network of numbers, with plain comparisons, in picojoules."""

    def per_byte(size: int) -> Fraction:
        return 8 * next((e for c, e in HOROWITZ.items() if size <= c), Fraction(20))

    def of(metric: str, layer: object) -> int:
        return int(net.evaluator(net.of_layer(metric, layer)))  # type: ignore[arg-type]

    total = Fraction(0)
    stored = sum(
        Fraction(BYTES[dtype] * net.evaluator(counted.often.copies * parameter.size))
        for counted in net.counted
        for parameter in counted.layer.cost.parameters
    )
    weights = per_byte(int(stored + net.value("memory_peak")))
    for counted in net.counted:
        layer, runs = counted.layer, int(net.evaluator(counted.often.runs))
        lies = int(net.evaluator(data_movement(layer, net.context).weights))
        total += runs * (of("macs_least", layer) * OPERATION[dtype] + lies * weights)
    for turn in at_work(net.context):
        works = int(net.evaluator(data_movement(turn.layer, net.context).activations))
        times = int(net.evaluator(turn.over_iterations(Integer(1))))
        total += times * works * per_byte(int(net.evaluator(turn.alive)))
    return total


@pytest.mark.parametrize(
    ("spec", "dtype", "ranges"),
    [
        ("mlp", "int8", {"n": (1, 400), "d": (16, 2000)}),
        ("alexnet", "fp32", {"n": (1, 3), "h": (63, 300), "w": (63, 300)}),
        ("mobilenetv2", "int8", {"h": (16, 260), "w": (16, 260)}),
        ("mcunet", "int8", {"h": (16, 260), "n": (1, 3)}),
        ("resnet", "fp16", {"h": (32, 260)}),
        ("gpt2", "fp16", {"t": (1, 600), "L": (1, 15)}),
    ],
)
def test_laws_agree_with_plain_comparisons(
    spec: str, dtype: str, ranges: dict[str, tuple[int, int]]
) -> None:
    path, given = ROOT / "specs" / f"{spec}.yaml", scenario(hardware="horowitz-45nm", dtype=dtype)
    law, random = analyze(path, scenario=given), Random(spec)
    for _ in share(range(5), 0, 3):
        point = {name: random.randint(*ends) for name, ends in ranges.items()}
        values = {**law.graph.values, **point}
        numeric = analyze(path, scenario=given, settings=values)
        assert law.at(**point).energy / PICO == by_hand(numeric, dtype), point


def test_on_both_sides_of_a_step() -> None:
    """n rows of 64 → 32 in int8: 96·n bytes work, and 2,048 + 96·n lie in memory.

    85·96 = 8,160 and 86·96 = 8,256 straddle 8,192; with the weights 64·96 = 6,144 and 65·96 = 6,240
    do.
    """
    text = "symbols: {n: 1}\n" + linear(64, 32).replace("[1, 64]", "[n, 64]")
    law = read(text, "horowitz-45nm", numbers=False, dtype="int8")
    for n, weights, activations in ((64, 10, 10), (65, 20, 10), (85, 20, 10), (86, 20, 20)):
        by_rows = n * 2048 * Fraction("0.3")
        bits = 2048 * Fraction(weights, 8) + 96 * n * Fraction(activations, 8)
        assert law.at(n=n).energy / PICO == by_rows + bits


BLOCK = (
    "{symbols}input: [1, 4]\nlayers: [{{repeat: {{times: {times}, layers: [{{parallel: {{branches: "
    "[[], [{{linear: {{out_features: 4, bias: false}}}}]], merge: concat, axis: -1}}}}]}}}}]"
)
"""Turn i adds 4 channels to 4·(i + 1): reads them, writes 4, then reads and writes 4·(i + 2)."""


def block_by_hand(turns: int, capacity: int, near: int, far: int) -> int:
    """Picojoules of the block's activations in int8.

    While the linear layer works, what enters and what leaves it are there; while the concatenation
    works, these and as much again.
    """
    total = 0
    for i in range(turns):
        enters, leaves = 4 * (i + 1), 4 * (i + 2)
        for moved, alive in ((enters + 4, enters + 4), (2 * leaves, 2 * leaves)):
            total += moved * (near if alive <= capacity else far)
    return total


TURNS = (1, 2, 3, 50, 123, 124, 125, 126, 150)


@pytest.mark.parametrize("turns", TURNS)
def test_growing_turns(turns: int, chip: str) -> None:
    """Every turn's bytes come from where they fit: 1,000 bytes are full after turn 124."""
    net = read(BLOCK.format(symbols="", times=turns), chip, dtype="int8")
    assert parts(net)[2] == block_by_hand(turns, 1000, 4, 80)


def test_growing_turns_of_an_open_number(chip: str) -> None:
    """The law has the turn in which a memory no longer does; also where the batch is open."""
    text = BLOCK.format(symbols="symbols: {L: 130}\n", times="L")
    law = read(text, chip, numbers=False, dtype="int8")
    for turns in TURNS:
        joules = block_by_hand(turns, 1000, 4, 80)
        assert law.at(L=turns).energy_activations / PICO == joules
        numbers = law.function("energy_activations")
        assert float(numbers(L=turns)) == pytest.approx(joules * 1e-12)
    origins = law.energies.origins["repeat_1/parallel_1/concat"]
    assert [storage.name for storage in origins.activations] == ["near", "far"]
    batch = text.replace("{L: 130}", "{L: 130, n: 1}").replace("[1, 4]", "[n, 4]")
    law = read(batch, chip, numbers=False, dtype="int8")
    for turns, n in ((1, 1), (3, 40), (3, 41), (3, 42), (9, 12), (9, 13), (2, 999)):
        numeric = read(batch.replace("130, n: 1", f"{turns}, n: {n}"), chip, dtype="int8")
        assert law.at(L=turns, n=n).energy == numeric.value("energy")


def test_growing_turns_without_a_law(chip: str) -> None:
    """Types of half a byte are rounded up in every turn: numbers have to be given."""
    text = BLOCK.format(symbols="symbols: {L: 2}\n", times="L")
    text = text.replace("[1, 4]", "[1, 3]").replace("out_features: 4", "out_features: 3")
    law = read(text, chip, numbers=False, activations="int4", weights="int8")
    with pytest.raises(SpecError, match="no closed form in an open number of turns") as e:
        law.total("energy_activations")
    assert "fix the symbols in times with --set" in str(e.value.hint)
    assert str(e.value.entry).startswith("repeat_1/")


def repeated(times: object, symbols: str = "") -> str:
    """A branch that waits for the sum while 4,000 features go through so many linear layers."""
    linear = "{linear: {out_features: 4000, bias: false}}"
    body = f"{{repeat: {{times: {times}, layers: [{linear}]}}}}"
    return f"{symbols}input: [1, 4000]\nlayers: [{{residual: [{body}]}}]\n"


def test_the_first_turn_holds_less() -> None:
    """What enters waits for the sum: 8,000 bytes in turn 1, 12,000 in later ones.

    8,000 at 1.25 pJ, 2·8,000 at 2.5 pJ; the sum reads 4,000 with 8,000 in memory: 55,000 pJ. The
    law is 10,000 + (L − 1)·20,000 + 5,000.
    """
    net = read(repeated(3), "horowitz-45nm", dtype="int8")
    assert parts(net)[2] == 55_000
    assert [s.name for s in net.energies.origins["residual_1/repeat_1/linear_1"].activations] == [
        "sram_8k",
        "sram_32k",
    ]
    text = repeated("L", "symbols: {L: 3}\n")
    law = read(text, "horowitz-45nm", numbers=False, dtype="int8")
    at = law.function("energy_activations")
    for turns in (1, 2, 3, 7):
        joules = 15_000 + (turns - 1) * 20_000
        assert law.at(L=turns).energy_activations / PICO == joules
        assert float(at(L=turns)) == pytest.approx(joules * 1e-12)


def test_a_body_of_no_turn_takes_nothing() -> None:
    """What enters the repeat is read once more after it: 8,000 bytes in turn 1, then 12,000."""
    linear = "{linear: {out_features: 4000, bias: false}, name: %s%s}"
    first, after, beside = (linear % x for x in (("a", ""), ("c", ""), ("d", ", from: a")))
    body = f"{{repeat: {{times: L - 1, layers: [{linear % ('b', '')}]}}}}"
    text = f"symbols: {{L: 1}}\ninput: [1, 4000]\nlayers: [{first}, {body}, {after}, {beside}]\n"
    law = read(text, "horowitz-45nm", numbers=False, dtype="int8")
    for turns, joules in ((0, 0), (1, 10_000), (2, 30_000), (5, 90_000)):
        point = law.at(L=turns + 1)
        (body_alone,) = (x for x in law.layers if x.node.name == "b")
        taken = law.energies.of_layer(body_alone).activations
        assert Fraction(point.evaluate(taken)) == joules * PICO
        numeric = read(text.replace("L: 1", f"L: {turns + 1}"), "horowitz-45nm", dtype="int8")
        assert turns == 0 or numeric.value("energy") == point.energy


@pytest.mark.parametrize(("outer", "inner"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 4)])
def test_nested_turns_multiply(outer: int, inner: int, chip: str) -> None:
    """As the body written out, and the law at the same numbers."""

    def net(text: str, *, numbers: bool = True) -> Analysis:
        return read(f"input: [1, 400]\n{text}", chip, numbers=numbers, dtype="int8")

    one = "{linear: {out_features: 400, bias: false}}"
    wide = "{linear: {out_features: 500, bias: false}}"
    inside = f"{{repeat: {{times: %s, layers: [{wide}, {one}]}}}}"
    turn = f"{{repeat: {{times: %s, layers: [{one}, {inside}, {wide}, {one}]}}}}"
    text = f"layers: [{{residual: [{turn}]}}]"
    body = ", ".join([one, *[wide, one] * inner, wide, one])
    written = f"layers: [{{residual: [{', '.join([body] * outer)}]}}]"
    expected = parts(net(written))
    assert parts(net(text % (outer, inner))) == expected
    law = net(f"symbols: {{A: 2, B: 2}}\n{text % ('A', 'B')}", numbers=False)
    point = law.at(A=outer, B=inner)
    assert point.energy / PICO == expected[3]
    assert point.energy_activations / PICO == expected[2]


@pytest.mark.parametrize("spec", ["gpt2", "mixtral", "t5", "mobilenetv2", "densenet", "swin"])
def test_turns_are_as_many_as_runs(spec: str) -> None:
    """What stands for several turns stands for all of them."""
    net = analyze(ROOT / "specs" / f"{spec}.yaml")
    found: dict[str, Rational] = {}
    for turn in at_work(net.context):
        path = turn.layer.node.path
        found[path] = found.get(path, 0) + net.evaluator(turn.over_iterations(Integer(1)))
    assert found == {c.layer.node.path: net.evaluator(c.often.works) for c in net.counted}


ATTENTION = "input: [1, 1, 8]\nlayers: [{self_attention: {heads: 2, causal: true, bias: false}}]"


def test_the_cache_is_read_and_written(chip: str) -> None:
    """8 features, 9 tokens before: 2·8·9 bytes of int8 read, 2·8 written; all 160 near at 4 pJ."""
    net = read(ATTENTION, chip, dtype="int8", past=9)
    assert Fraction(net.value("energy_cache")) / PICO == (144 + 16) * 4
    assert net.value("energy") == sum(
        net.value(f"energy_{part}") for part in ("arithmetic", "weights", "cache", "activations")
    )
    without = read(ATTENTION, chip, dtype="int8")
    assert without.value("energy_cache") == 0
    assert without.evaluator(without.energies.resident) == 256 + without.value("memory_peak")


def test_the_cache_lies_beside_the_model(chip: str) -> None:
    """4·64 weights, 16 bytes a token, the peak: the last token that fits, and one more.

    One token too many drives cache and weights out of near together. Unfused, scores add to the
    peak with every token before.
    """
    peak = int(
        read(ATTENTION, chip, dtype="int8", attention="unfused", past=20).value("memory_peak")
    )
    assert (
        read(ATTENTION, chip, dtype="int8", attention="unfused", past=40).value("memory_peak")
        > peak
    )
    law = read(ATTENTION, chip, numbers=False, dtype="int8", attention="unfused", past="past")
    seen = set()
    for past in range(1, 60):
        net = read(ATTENTION, chip, dtype="int8", attention="unfused", past=past)
        held = 256 + 16 * (past + 1) + int(net.value("memory_peak"))
        joules = 4 if held <= 1000 else 80
        assert Fraction(net.value("energy_cache")) / PICO == 16 * (past + 1) * joules
        assert Fraction(net.value("energy_weights")) / PICO == 256 * joules
        assert law.at(past=past).energy_cache == net.value("energy_cache")
        seen.add(joules)
    assert seen == {4, 80}


def test_the_cache_is_never_in_flash(tmp_path: Path) -> None:
    """Weights that do not fit come from flash; the cache from the last that can be written."""
    text = CHIP.replace("energy:\n", f"{FLASH}energy:\n") + FLASH_ACCESS
    text = text.replace("value: 100 kB", "value: 1000 B")
    net = read(ATTENTION, profile(tmp_path, text), dtype="int8", past=59)
    assert Fraction(net.value("energy_weights")) / PICO == 256 * 30
    assert Fraction(net.value("energy_cache")) / PICO == 960 * 80


def test_every_parameter_takes_room_under_any_convention(chip: str) -> None:
    """75·12 + 12 + 87 = 999 bytes with biases fit; 76·12 + 12 + 88 = 1,012 do not.

    Under the convention of the lecture, too, which counts no bias: 912 + 88 = 1,000.
    """
    biased = [linear(n, 12).replace("bias: false", "bias: true") for n in (75, 76)]
    near, far = (parts(read(text, chip, dtype="int8"))[1] for text in biased)
    assert (near, far) == (900 * 4, 912 * 80)


def test_llama_comes_from_dram_token_by_token() -> None:
    """At t = 1 Llama-2-7B reads 6,607,077,376 weights of products and 4,096 of its table in fp16.

    They come from DRAM at 20 pJ a bit: 32·(4·4096² + 3·4096·11008) + 32000·4096 + 4096 of 2 bytes.
    """
    given = scenario(hardware="horowitz-45nm", dtype="fp16")
    path, weights_alone = ROOT / "specs" / "llama.yaml", "lecture"
    net = analyze(path, convention=weights_alone, scenario=given, settings={"t": 1})
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096 + 4096
    assert net.value("energy_weights") / PICO == weights * 16 * 20


BAD = [
    ((), "energy depends on the device, and none is given"),
    (("--hardware", "a100-80gb"), "a100-80gb states no energies"),
    (("--hardware", "no-such"), "unknown device 'no-such'"),
    (("--hardware", "t4", "--energy", "t4"), "t4 states no energies"),
    (("--hardware", "horowitz-45nm", "--dtype", "int9"), "unknown type 'int9'"),
    (("--hardware", "horowitz-45nm", "--dtype", "bf16"), "no energy for multiply of bf16"),
    (("--hardware", "horowitz-45nm", "--dtype", "int4"), "it has int8, int32, fp16, fp32"),
    (("--hardware", "horowitz-45nm", "--dtype", "fp16", "--accumulators", "bf16"), "add of bf16"),
    (("--hardware", "horowitz-45nm", "--depth", "-1"), "--depth -1 opens less than nothing"),
    (("--hardware", "horowitz-45nm", "--format", "yaml"), "unknown format 'yaml'"),
    (("--hardware", "v100", "--energy", "horowitz-45nm"), "no energy per access of hbm"),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=lambda v: str(v)[:50])
def test_bad_input_is_one_clear_error(options: tuple[str, ...], words: str, archcost: Run) -> None:
    done = archcost("energy", "specs/mlp.yaml", *options)
    assert done.returncode == 2
    assert not done.stdout
    assert words in done.stderr
    assert done.stderr.count("archcost:") == 1
    assert "Traceback" not in done.stderr


def test_the_layer_of_an_unknown_type_is_named(archcost: Run) -> None:
    done = archcost("energy", "specs/mlp.yaml", "--hardware", "horowitz-45nm", "--dtype", "int4")
    assert (
        "foreach_1/row_1/linear_1: horowitz-45nm has no energy for multiply of int4" in done.stderr
    )


MCUNET = ("energy", "specs/mcunet.yaml", "--hardware", "horowitz-45nm", "--dtype", "int8")


@pytest.mark.parametrize("name", ["table", "markdown", "json"])
def test_formats(name: str, archcost: Run, golden: Golden) -> None:
    suffix = {"table": "txt", "markdown": "md", "json": "json"}[name]
    shown = archcost("energy", "specs/mlp.yaml", *MCUNET[2:], "--format", name)
    assert shown.returncode == 0
    golden(f"energy.{suffix}", shown.stdout)


def test_laws(archcost: Run, golden: Golden) -> None:
    pi = ("--hardware", "raspberry-pi-4", "--energy", "horowitz-45nm", "--symbolic")
    golden("energy-symbolic.txt", archcost("energy", "specs/mlp.yaml", *pi).stdout)
    shown = archcost("energy", "specs/mlp.yaml", *pi, "--format", "markdown").stdout
    golden("energy-symbolic.md", shown)


def test_a_device_of_ones_own(tmp_path: Path, archcost: Run) -> None:
    done = archcost(
        "energy", "specs/mlp.yaml", "--hardware", profile(tmp_path, CHIP), "--dtype", "int8"
    )
    assert done.returncode == 0
    assert (
        "more than the 1,000 of near, and more than its own 100,000, the last there is"
        in done.stdout
    )


def test_the_table_of_the_docs(tmp_path: Path, archcost: Run) -> None:
    """A token of Llama-2-7B reads 6,607,077,376 weights and a row of its table, at 3.9 pJ a bit."""
    page = (ROOT / "docs" / "energy.md").read_text(encoding="utf-8")
    table = profile(tmp_path, page.split("```yaml\n")[1].split("```")[0])
    given = ("--hardware", "a100-80gb", "--energy", table, "--dtype", "fp16", "--set", "t=1")
    weights_alone = ("--convention", "lecture")
    shown = archcost("energy", "specs/llama.yaml", *given, *weights_alone, "--format", "json")
    assert shown.returncode == 0, shown.stderr
    weights = json.loads(shown.stdout)["totals"]["energy_weights"]["value"]
    assert weights == pytest.approx((6_607_077_376 + 4096) * 16 * 3.9e-12)


def test_lines_add_up_and_laws_give_values(archcost: Run) -> None:
    shown = json.loads(archcost(*MCUNET, "--format", "json").stdout)
    for part in ("energy", "energy_arithmetic", "energy_weights", "energy_activations"):
        outermost = [x for x in shown["layers"] if "/" not in x["path"]]
        outermost += [x for x in shown["groups"] if "/" not in x["path"]]
        total = shown["totals"][part]
        assert sum(x[part]["value"] for x in outermost) == pytest.approx(total["value"])
        names = {**shown["symbols"], "ceil": lambda x: -(-x // 1), "min": min, "max": max}
        value = eval(total["expr"], {"__builtins__": {}}, names)
        assert value == pytest.approx(total["value"])


def test_the_point_of_the_lecture(archcost: Run) -> None:
    """An access to DRAM of 640 pJ is about 200 times a multiplication of 3.7 pJ."""
    shown = archcost("energy", "specs/alexnet.yaml", "--hardware", "horowitz-45nm").stdout
    assert "32 bits as much as 173 times multiply fp32" in shown


def test_no_line_is_broken(archcost: Run) -> None:
    narrow, wide = (archcost(*MCUNET, columns=width).stdout for width in (80, 200))
    assert narrow.split("layer", 1)[1] == wide.split("layer", 1)[1]


def test_energy_is_a_metric(archcost: Run) -> None:
    options = ("--hardware", "horowitz-45nm", "--dtype", "int8", "--metric", "energy")
    weights_alone = ("--convention", "lecture")
    assert "202.4 µJ" in archcost("specs/mcunet.yaml", *options, *weights_alone).stdout
    assert "energy" not in archcost("specs/mcunet.yaml", *options[:4]).stdout
    solved = archcost(
        "solve", "specs/mcunet.yaml", "--for", "h", "--where", "energy <= 1e-4", *options[:4]
    )
    assert solved.returncode == 0, solved.stderr


def test_one_layer_works(tmp_path: Path, archcost: Run) -> None:
    spec = tmp_path / "one.yaml"
    text = "archspec: 1\nname: one\ninput: [1, 4]\nlayers: [{linear: {out_features: 4}}]\n"
    spec.write_text(text, encoding="utf-8")
    pi = ("--hardware", "raspberry-pi-4", "--energy", "horowitz-45nm")
    assert "1 layer that works with 32 bytes" in archcost("energy", str(spec), *pi).stdout


def test_a_hint_names_a_table_that_has_the_memory(archcost: Run) -> None:
    """One has the energy of DRAM; of HBM none has it, and that is said."""
    hint = archcost("energy", "alexnet", "--hardware", "raspberry-pi-4").stderr
    assert "--energy horowitz-45nm" in hint
    hint = archcost("energy", "alexnet", "--hardware", "h100-sxm").stderr
    assert "no table of archcost has the energy of hbm" in hint

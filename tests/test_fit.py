"""What fits a device: flash, SRAM and one memory for all; at a capacity and one byte beyond it."""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest

from costmodel import Analysis, analyze
from costmodel.scenario.scenario import scenario
from costmodel.studies.fit import OverflowingLayer, fit, memories
from costmodel.studies.weight_placement import FullAt
from tests.conftest import ROOT, Run, share, thinned

Golden = Callable[[str, str], None]


def sourced(value: str) -> str:
    return f"capacity: {{value: {value}, source: the test itself, read: vendor}}"


@pytest.fixture
def device(tmp_path: Path) -> Callable[..., str]:
    """A profile with memories of so many bytes, by kind, from the nearest on."""

    def write(**capacities: int) -> str:
        levels = [f"  {k}: {{kind: {k}, {sourced(f'{v} B')}}}\n" for k, v in capacities.items()]
        path = tmp_path / "chip.yaml"
        path.write_text("archspec: 1\nname: A chip\nmemory:\n" + "".join(levels), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def spec(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "net.yaml"
        path.write_text(f"archspec: 1\nname: net\n{text}", encoding="utf-8")
        return str(path)

    return write


THREE = """\
symbols: {n: 1}
input: [n, 40]
layers:
  - linear: {out_features: 60}
  - linear: {out_features: 50}
  - linear: {out_features: 10}
"""
"""In int8: 40·60 + 60 + 60·50 + 50 + 50·10 + 10 = 6,020 bytes of weights; 100, 110 and 60 work."""


def read(path: str, hardware: str, **said: str) -> Analysis:
    given = scenario(hardware=hardware, dtype="int8", **said)
    return analyze(path, convention="torch", scenario=given, numbers_suffice=True)


@pytest.mark.parametrize(
    ("sram", "flash", "status", "words"),
    [
        (110, 6020, 0, ["fits", "100.0 %"]),
        (109, 6020, 1, ["does not fit", "1 byte over", "linear_2"]),
        (110, 6019, 1, ["does not fit", "is full", "at the weights of linear_3"]),
        (1, 1, 1, ["is full", "at the weights of linear_1", "linear_3"]),
    ],
)
def test_flash_and_sram(
    sram: int,
    flash: int,
    status: int,
    words: list[str],
    device: Callable[..., str],
    spec: Callable[[str], str],
    archcost: Run,
) -> None:
    chip = device(sram=min(sram, flash), flash=flash)
    done = archcost("fit", spec(THREE), "--hardware", chip, "--dtype", "int8")
    assert done.returncode == status, done.stderr
    assert all(word in done.stdout for word in words)


@pytest.mark.parametrize(("capacity", "fits"), [(6130, True), (6129, False)])
def test_one_memory_for_all(
    capacity: int, fits: bool, device: Callable[..., str], spec: Callable[[str], str]
) -> None:
    """6,020 of weights and 110 at the peak; caches before the main memory do not count."""
    found = fit(read(spec(THREE), device(sram=1, dram=capacity)))
    assert found.fits is fits
    (need,) = found.needs
    assert (need.memory.name, need.needed, need.over) == ("dram", 6130, 6130 - capacity)
    assert found.breaks == (() if fits else (OverflowingLayer("linear_2", 110, 1),))


def test_all_layers_that_break_in_order(
    device: Callable[..., str], spec: Callable[[str], str]
) -> None:
    found = fit(read(spec(THREE), device(sram=80, flash=9000)))
    assert found.breaks == (
        OverflowingLayer("linear_1", 100, 20),
        OverflowingLayer("linear_2", 110, 30),
    )


def test_where_weights_alone_are_too_much(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    path, chip = spec(THREE), device(dram=6000)
    assert fit(read(path, chip)).room == -20
    shown = archcost("fit", path, "--hardware", chip, "--dtype", "int8").stdout
    assert re.search(r"\w lacks +20 bytes for the weights alone: no layer works", shown)
    assert "breaks at" not in shown


def test_all_that_is_learned_is_stored(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    """The lecture leaves out 120 of bias, and is taken only where it is asked for."""
    options = ("fit", spec(THREE), "--hardware", device(sram=110, flash=5950), "--dtype", "int8")
    plain, lecture = archcost(*options), archcost(*options, "--convention", "lecture")
    assert (plain.returncode, lecture.returncode) == (1, 0)
    assert "convention          torch" in plain.stdout
    assert "5,900" in lecture.stdout


def brute(path: str, chip: str, name: str, values: range, **linked: str) -> int | None:
    """The largest value at which a network of numbers fits, all of them tried."""
    best = None
    for value in values:
        settings = {name: value, **dict.fromkeys(linked, value)}
        given = scenario(hardware=chip, dtype="int8")
        net = analyze(path, convention="torch", scenario=given, settings=settings)
        sizes = {"model_size": net.value("model_size"), "memory_peak": net.value("memory_peak")}
        held = memories(net)
        if all(sum(sizes[m] for m in memory.metrics) <= memory.capacity for memory in held):
            best = value
    return best


CONVOLVED = """\
symbols: {h: 16, w: 16, k: 8}
input: [1, 3, h, w]
layers:
  - conv2d: {out_channels: k, kernel_size: 3, padding: 1}
  - relu
  - residual:
      - conv2d: {out_channels: 2*k, kernel_size: 1}
      - conv2d: {out_channels: k, kernel_size: 3, padding: 1}
  - maxpool2d: {kernel_size: 2}
  - flatten
  - linear: {out_features: 10}
"""


@pytest.mark.parametrize(
    ("memory", "name", "options"),
    thinned(
        [
            ({"sram": 6000, "flash": 9000}, "h", ()),
            ({"sram": 20_000, "flash": 20_000}, "h", ("--assume", "w == h")),
            ({"sram": 20_000, "flash": 20_000}, "k", ()),
            ({"dram": 30_000}, "k", ()),
            ({"dram": 30_000}, "h", ("--assume", "w == h")),
        ]
    ),
)
def test_the_largest_is_that_of_trying_all(
    memory: dict[str, int],
    name: str,
    options: tuple[str, ...],
    device: Callable[..., str],
    spec: Callable[[str], str],
    archcost: Run,
) -> None:
    path, chip = spec(CONVOLVED), device(**memory)
    expected = brute(path, chip, name, range(2, 90), **({"w": ""} if options else {}))
    done = archcost(
        "fit",
        path,
        "--hardware",
        chip,
        "--dtype",
        "int8",
        "--for",
        name,
        *options,
        "--format",
        "json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["value"] == expected
    assert found["there"]["fits"]
    assert found["at"]["value"] == expected
    assert found["beyond"]["value"] == (expected or 0) + 1
    assert found["beyond"]["broken"]


def test_none_fits(device: Callable[..., str], spec: Callable[[str], str], archcost: Run) -> None:
    chip = device(sram=10, flash=9000)
    done = archcost("fit", spec(THREE), "--hardware", chip, "--dtype", "int8", "--for", "n")
    assert done.returncode == 1
    assert "none: no value will do" in done.stdout


MCU = ("--hardware", "stm32f746", "--dtype", "int8")


def test_mcunet_by_hand() -> None:
    """At 44·44 the residual of 16 channels waits while 80 channels are convolved into 80.

    16·44² + 2·80·44² = 340,736, more than 320 KiB. TinyEngine writes a depthwise convolution over
    its input, and so needs 293 kB by the README of mit-han-lab/mcunet.
    """
    given = scenario(hardware="stm32f746", dtype="int8")
    found = fit(analyze(ROOT / "specs" / "mcunet.yaml", convention="torch", scenario=given))
    assert [need.over for need in found.needs] == [0, 340_736 - 320 * 1024]
    assert {each.needed for each in found.breaks} == {(16 + 2 * 80) * 44**2}
    assert len(found.breaks) == 2


FLASH = {"in0": 889, "in1": 992, "in2": 878, "in3": 897, "in4": 1876}
"""Thousands of bytes of flash with TinyEngine on an STM32F746, README of mit-han-lab/mcunet."""


@pytest.mark.parametrize(("variant", "kilobytes"), FLASH.items())
def test_published_flash(variant: str, kilobytes: int) -> None:
    """Code and tables come to the weights: these are 0.7 to 0.95 of what is published."""
    path = f"{ROOT / 'specs' / 'mcunet.yaml'}@mcunet-{variant}"
    if variant == "in3":
        path = path.split("@")[0]
    (flash, _) = fit(read(path, "stm32f746")).needs
    assert 0.6 * kilobytes * 1000 < flash.needed < kilobytes * 1000
    assert (flash.over == 0) is (kilobytes * 1000 < 2**20)


def test_the_peak_of_mobilenetv2() -> None:
    """16·112² in and 96·112² out are 1,372 KiB in int8, as MCUNet's figures have it."""
    net = read(str(ROOT / "specs" / "mobilenetv2.yaml"), "stm32f746")
    layer = "foreach_1/row_2/inverted_bottleneck_1/conv_bn_1/conv2d_1"
    assert net.evaluator(net.memory[layer]) == 1372 * 1024


def test_llama_on_a_gpu() -> None:
    """6,738,415,616 parameters of 2 bytes beside the peak, in 80 GiB."""
    given = scenario(hardware="a100-80gb", dtype="fp16")
    found = fit(analyze(ROOT / "specs" / "llama.yaml", convention="torch", scenario=given))
    (need,) = found.needs
    assert found.fits
    assert need.memory.name == "hbm"
    assert found.room == 80 * 2**30 - 2 * 6_738_415_616


BAD = [
    ((), "what fits depends on the device, and none is given"),
    (("--hardware", "stm32f747", "--dtype", "int8"), "unknown device 'stm32f747'"),
    (("--hardware", "stm32f746", "--dtype", "int9"), "unknown type 'int9'"),
    (("--hardware", "horowitz-45nm"), "horowitz-45nm has no memory that can be written"),
    ((*MCU, "--for", "height"), "there is no symbol 'height'"),
    ((*MCU, "--for", "h", "--set", "h=96"), "'h' is set"),
    ((*MCU, "--for", "w", "--assume", "w == h"), "'w' is assumed to equal another"),
    ((*MCU, "--format", "latexx"), "unknown format 'latexx'"),
    ((*MCU, "--order", "any"), "unknown order 'any'"),
    (
        ("--hardware", "t4", "--optimizer", "adam", "--order", "best"),
        "training keeps what its backward pass needs, whatever the order of the layers",
    ),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=lambda v: str(v)[:50])
def test_bad_input_is_one_clear_error(options: tuple[str, ...], words: str, archcost: Run) -> None:
    done = archcost("fit", "specs/mcunet.yaml", *options)
    assert done.returncode == 2
    assert not done.stdout
    assert words in done.stderr
    assert done.stderr.count("archcost:") == 1


def test_a_symbol_that_decides_the_structure(spec: Callable[[str], str], archcost: Run) -> None:
    """One clear error where no closed form is left to search in."""
    text = (
        "symbols: {L: 3}\ninput: [1, 4]\nlayers: [{repeat: {times: L, layers: "
        "[{linear: {out_features: 2*in_features}}]}}]"
    )
    done = archcost("fit", spec(text), *MCU, "--for", "L")
    assert done.returncode == 2
    assert done.stderr.count("archcost:") == 1
    assert "Traceback" not in done.stderr
    assert archcost("fit", spec(text), *MCU).returncode == 0


SHOWN = {"table": "txt", "markdown": "md", "json": "json"}


@pytest.mark.parametrize("name", SHOWN)
def test_formats(name: str, archcost: Run, golden: Golden) -> None:
    verdict = archcost("fit", "specs/mcunet.yaml", *MCU, "--format", name)
    assert verdict.returncode == 1
    golden(f"fit.{SHOWN[name]}", verdict.stdout)
    linked = ("--for", "h", "--assume", "w == h", "--format", name)
    golden(f"fit-for.{SHOWN[name]}", archcost("fit", "specs/mcunet.yaml", *MCU, *linked).stdout)


def test_no_line_is_broken(archcost: Run) -> None:
    shown = [archcost("fit", "specs/mcunet.yaml", *MCU, columns=c).stdout for c in (80, 200)]
    assert shown[0].split("does not fit")[1] == shown[1].split("does not fit")[1]


CACHED = """\
input: [1, 1, 8]
layers:
  - self_attention: {heads: 2, causal: true, bias: false}
  - linear: {out_features: 4, bias: false}
"""
"""4·8·8 + 8·4 = 288 weights; a token's keys and values are 16 bytes in int8."""


@pytest.mark.parametrize(
    ("text", "past", "cache"),
    [
        (CACHED, None, None),
        (CACHED, "0", 16),
        (CACHED, "10", 16 * 11),
        (CACHED.replace("causal: true", "kv_length: 11"), None, 16 * 11),
    ],
)
def test_the_cache_lies_beside_the_activations(
    text: str,
    past: str | None,
    cache: int | None,
    device: Callable[..., str],
    spec: Callable[[str], str],
) -> None:
    """Where one is kept: with tokens before, or by the layer's own length."""
    said = {} if past is None else {"past": past}
    net = read(spec(text), device(sram=1000, flash=1000), **said)
    flash, sram = fit(net).needs
    assert flash.sizes == {"model_size": 288}
    assert sram.sizes.get("kv_cache") == cache
    peak = net.value("memory_peak")
    assert sram.needed == (cache or 0) + peak
    full = fit(read(spec(text), device(sram=(cache or 0) + peak - 1, flash=1000), **said))
    assert full.needs[1].over == 1
    assert full.room == peak - 1
    assert {each.needed for each in full.breaks} == {peak}


LLAMA = ("fit", "specs/llama.yaml@llama2-7b", "--hardware", "t4", "--dtype", "fp16")


def test_a_million_tokens_before(archcost: Run) -> None:
    """2·32·4096·2 bytes a token, of 8 sequences of 1,000,001 tokens: 4.19 TB."""
    done = archcost(*LLAMA, "--past", "1000000", "--set", "t=1", "n=8")
    assert done.returncode == 1
    assert "weights, cache and activations" in done.stdout
    assert "cache               4,194,308,194,304 bytes = 4.194 TB" in done.stdout
    assert 2 * 32 * 4096 * 2 * 8 * 1_000_001 == 4_194_308_194_304


def test_the_most_tokens_before(archcost: Run) -> None:
    """Weights 13,476,831,232; cache 524,288·(past + 1); scores 2·32·(past + 1) beside 57,344.

    The 57,344 are 7 vectors of 4,096 in fp16: what waits and enters, q, k, v, the sum and the
    output. (17,179,869,184 − 13,476,831,232 − 57,344 − 524,352)/524,352 = 7061.01….
    """
    left = 17_179_869_184 - 13_476_831_232 - 57_344
    most = (left - (524_288 + 64)) // (524_288 + 64)
    options = ("--past", "past", "--for", "past", "--set", "t=1", "n=1", "--format", "json")
    found = json.loads(archcost(*LLAMA, *options).stdout)
    assert found["value"] == most == 7061
    (memory,) = found["there"]["memories"]
    assert memory["holds"]["kv_cache"] == 524_288 * 7062


TRAINED = [
    # optimizer, bytes of state per parameter in fp32, what is left to one byte
    ("sgd", 0),
    ("adam", 8),
]


@pytest.mark.parametrize(("optimizer", "state"), TRAINED)
def test_a_step_of_training(
    optimizer: str,
    state: int,
    device: Callable[..., str],
    spec: Callable[[str], str],
    archcost: Run,
) -> None:
    """Weights, gradients and state of 6,020 parameters in fp32, and 40 + 60 + 50 inputs kept.

    What is trained is written, and so does not lie in flash.
    """
    needed = (4 + 4 + state) * 6020 + 4 * 150
    path = spec(THREE)
    for capacity, status in ((needed, 0), (needed - 1, 1)):
        chip = device(dram=capacity, flash=10**6)
        done = archcost("fit", path, "--hardware", chip, "--optimizer", optimizer)
        assert done.returncode == status, done.stderr
        said = "does not fit chip in training" if status else "fits chip in training"
        assert said in done.stdout
        assert "weights, gradients, optimizer state and activations kept" in done.stdout
        assert "flash " not in done.stdout


def test_the_largest_batch_in_training(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    """(100,000 − 16·6,020)/(4·150) = 6.13: so many inputs are kept beside weights and state."""
    options = ("--hardware", device(dram=100_000), "--optimizer", "adam", "--for", "n")
    found = json.loads(archcost("fit", spec(THREE), *options, "--format", "json").stdout)
    assert found["value"] == (100_000 - 16 * 6020) // 600 == 6
    assert found["there"]["order"] is None


def test_state_that_is_too_much(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    chip = device(dram=16 * 6020 - 1)
    shown = archcost("fit", spec(THREE), "--hardware", chip, "--optimizer", "adam").stdout
    beside = "weights, gradients and optimizer state"
    assert re.search(rf"\w lacks +1 byte for the {beside} alone: no step is made", shown)


def filled(text: str, capacity: int, device: Callable[..., str], path: str) -> FullAt | None:
    """Where flash of so many bytes is full."""
    Path(path).write_text(f"archspec: 1\nname: net\n{text}", encoding="utf-8")
    given = scenario(hardware=device(sram=1, flash=capacity), dtype="int8")
    return fit(analyze(path, convention="torch", scenario=given)).needs[0].passes


def test_llama_is_full_in_turn_50() -> None:
    """(85,899,345,920 − 524,288,000)/1,711,308,800 = 49.9 turns; of the last all but part of w2.

    A turn, in parameters: two norms of 8,192, attention 2·8192² + 2·8192·1024, three matrices of
    8192·28672. What is left, 1,520,926,720 bytes, is more than all before the third of these,
    1,241,546,752.
    """
    turn = 2 * (2 * 8192 + 2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28672)
    left = 80 * 2**30 - 2 * 32000 * 8192 - 49 * turn
    assert turn - 2 * 8192 * 28672 == 1_241_546_752 < left == 1_520_926_720 < turn
    given = scenario(hardware="a100-80gb", dtype="fp16")
    spec = f"{ROOT / 'specs' / 'llama.yaml'}@llama2-70b"
    (need,) = fit(analyze(spec, convention="torch", scenario=given)).needs
    assert str(need.passes) == "repeat_1/residual_2/linear_1, in turn 50 of 80"


NESTED = """\
symbols: {L: 3, M: 2}
input: [1, 4]
layers:
  - linear: {out_features: 4, bias: false}
  - repeat:
      times: L
      layers:
        - linear: {out_features: 4, bias: false}
        - repeat: {times: M, layers: [{linear: {out_features: 4, bias: false}}]}
  - linear: {out_features: 2, bias: false}
"""
GROWING = """\
symbols: {L: 5}
input: [1, 4]
layers:
  - repeat:
      times: L
      layers:
        - parallel: {merge: concat, axis: 1, branches: [[], [{linear: {out_features: 4}}]]}
  - linear: {out_features: 2, bias: false}
"""
EXPERTS = """\
symbols: {d: 4}
input: [1, 3, d]
layers:
  - moe: {experts: 3, top_k: 1, layers: [{linear: {out_features: d, bias: false}}]}
  - linear: {out_features: 2, bias: false}
"""

ORDERS: dict[str, list[tuple[int, tuple[int, ...]]]] = {
    # text → the weights in order: bytes, and the copies that they are of
    NESTED: [
        (16, ()),
        *((16, c) for i in (1, 2, 3) for c in ((i,), (i, 1), (i, 2))),
        (8, ()),
    ],
    GROWING: [*((4 * 4 * i + 4, (i,)) for i in (1, 2, 3, 4, 5)), (2 * 24, ())],
    EXPERTS: [(4 * 3, ()), *((16, (i,)) for i in (1, 2, 3)), (8, ())],
}


@pytest.mark.parametrize("text", ORDERS, ids=["nested", "growing", "experts"])
def test_where_flash_is_full(text: str, device: Callable[..., str], tmp_path: Path) -> None:
    """At every capacity the copies are those that are met when all turns are written out."""
    order = ORDERS[text]
    total = sum(size for size, _ in order)
    for capacity in share(range(1, total), 0, 4):
        stored = accumulate(size for size, _ in order)
        expected = next(c for n, (_, c) in zip(stored, order, strict=True) if n > capacity)
        found = filled(text, capacity, device, str(tmp_path / "net.yaml"))
        assert found is not None
        assert tuple(copy.number for copy in found.copies) == expected
    assert filled(text, total, device, str(tmp_path / "net.yaml")) is None


BRANCHES = """\
input: [1, 10]
layers:
  - parallel:
      merge: concat
      axis: 1
      branches:
        - [{linear: {out_features: 100}}]
        - [{linear: {out_features: 200}}, {linear: {out_features: 5}}]
"""
"""In int8: in the given order 10 + 100 + 200 are in memory, the other way round 10 + 200 + 5."""


@pytest.mark.parametrize(
    ("sram", "order", "status", "hint"),
    [
        (310, "given", 0, False),
        (309, "given", 1, True),
        (215, "given", 1, True),
        (214, "given", 1, False),
        (215, "best", 0, False),
        (214, "best", 1, False),
    ],
)
def test_another_order_may_fit(
    sram: int,
    order: str,
    status: int,
    hint: bool,
    device: Callable[..., str],
    spec: Callable[[str], str],
    archcost: Run,
) -> None:
    chip = device(sram=sram, flash=5000)
    options = ("--hardware", chip, "--dtype", "int8", "--order", order)
    done = archcost("fit", spec(BRANCHES), *options)
    assert done.returncode == status, done.stderr
    assert f"the layers work in the {order} order" in done.stdout
    assert ("in another order it fits, with 215 bytes: --order best" in done.stdout) is hint


def test_no_hint_where_another_memory_is_too_small(
    device: Callable[..., str], spec: Callable[[str], str]
) -> None:
    assert fit(read(spec(BRANCHES), device(sram=250, flash=1100))).best is None


def test_the_largest_in_an_order(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    """A batch of n has n·310 bytes in memory; which order is best may change with n."""
    path = spec("symbols: {n: 1}\n" + BRANCHES.replace("[1, 10]", "[n, 10]"))
    options = ("--hardware", device(sram=1000, flash=5000), "--dtype", "int8", "--for", "n")
    done = archcost("fit", path, *options, "--format", "json")
    assert json.loads(done.stdout)["value"] == 1000 // 310
    done = archcost("fit", path, *options, "--order", "best")
    assert (done.returncode, done.stdout) == (2, "")
    assert "memory_peak_best is searched for at numbers" in done.stderr


def test_the_worst_of_many_layers_that_break(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    """Layers 1 to 13 have 40 + k inputs and 41 + k outputs, 2·k + 79 numbers; none has room."""
    layers = "".join(f"  - linear: {{out_features: {40 + k}}}\n" for k in range(1, 14))
    path = spec("symbols: {n: 1}\ninput: [n, 40]\nlayers:\n" + layers)
    words = ("fit", path, "--hardware", device(sram=80, flash=10**6), "--dtype", "int8")
    shown = archcost(*words).stdout
    found = re.findall(r"^ ?(linear_\d+) +(\d+) +(\d+)$", shown, re.MULTILINE)
    assert found == [(f"linear_{k}", f"{2 * k + 79}", f"{2 * k - 1}") for k in range(13, 3, -1)]
    assert "… and 3 more; --format json lists all" in shown
    assert len(json.loads(archcost(*words, "--format", "json").stdout)["breaks"]) == 13


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("llama3-8b", "--dtype", "fp16"), True),
        (("llama3-8b", "--dtype", "fp16", "--past", "8"), False),
        (("vit-b16",), False),
        (("alexnet",), False),
    ],
)
def test_a_cache_that_is_not_counted_is_said(
    words: tuple[str, ...], told: bool, archcost: Run
) -> None:
    shown = archcost("fit", *words, "--hardware", "rtx-4090").stdout
    assert "not counted" in shown
    assert ("--past" in shown) is told

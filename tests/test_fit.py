"""What fits a device: flash, SRAM and one memory for all; at a capacity and one byte beyond it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from costmodel import Analysis, analyze
from costmodel.fit import Break, fit, memories
from costmodel.scenario import scenario
from tests.conftest import ROOT, Run

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
        (110, 6019, 1, ["does not fit", "its 6,019 bytes are full at the weights of linear_3"]),
        (1, 1, 1, ["its 1 byte is full at the weights of linear_1", "linear_3"]),
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
    assert found.breaks == (() if fits else (Break("linear_2", 110, 1),))


def test_all_layers_that_break_in_order(
    device: Callable[..., str], spec: Callable[[str], str]
) -> None:
    found = fit(read(spec(THREE), device(sram=80, flash=9000)))
    assert found.breaks == (Break("linear_1", 100, 20), Break("linear_2", 110, 30))


def test_where_weights_alone_are_too_much(
    device: Callable[..., str], spec: Callable[[str], str], archcost: Run
) -> None:
    path, chip = spec(THREE), device(dram=6000)
    assert fit(read(path, chip)).room == -20
    shown = archcost("fit", path, "--hardware", chip, "--dtype", "int8").stdout
    assert "lacks 20 bytes for the weights alone: no layer works" in shown
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
    [
        ({"sram": 6000, "flash": 9000}, "h", ()),
        ({"sram": 20_000, "flash": 20_000}, "h", ("--assume", "w == h")),
        ({"sram": 20_000, "flash": 20_000}, "k", ()),
        ({"dram": 30_000}, "k", ()),
        ({"dram": 30_000}, "h", ("--assume", "w == h")),
    ],
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
    ((*MCU, "--format", "latex"), "unknown format 'latex'"),
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

"""``archcost hardware``: the figures of the built-in profiles, and everything that can be wrong."""

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from archspec.errors import SpecError
from archspec.hardware import EnergyTable, MemoryLevel, Profile, ProfileFields, read_profile
from archspec.precision import TYPES
from archspec.quantities import (
    BANDWIDTH,
    CAPACITY,
    ENERGY,
    FREQUENCY,
    OPERATIONS_PER_SECOND,
    POWER,
)
from costmodel.scenario import devices
from costmodel.scenario.devices import built_in_files, built_in_profiles, find_profile, main_memory
from costmodel.studies.hardware import shown
from tests.conftest import ROOT, Run

PROFILES = {profile.key: profile for profile in built_in_profiles()}
DEVICES = [profile for profile in PROFILES.values() if profile.fields.memory]
PAGE = ROOT / "docs" / "hardware.md"

NAMED = """a100-40gb a100-80gb h100-sxm h100-pcie h200 b200 v100 t4 l40s rtx-3090 rtx-4090 mi300x
tpu-v3 tpu-v4 tpu-v5e tpu-v5p jetson-nano jetson-orin-nano jetson-agx-orin raspberry-pi-4 apple-m1
xeon-8280 stm32f412 stm32f746 stm32h743 horowitz-45nm esp32-s3 rp2040 coral-edge-tpu
snapdragon-8-gen-3 apple-a14 apple-a15 apple-a16 apple-a17-pro raspberry-pi-5 rtx-5090 gb200 mi325x
tpu-v6e"""


def test_every_device_is_there() -> None:
    assert set(NAMED.split()) <= set(PROFILES)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_figure_has_a_source(profile: Profile) -> None:
    figures = dict(profile.figures)
    assert figures
    for figure in figures.values():
        assert len(figure.source.strip()) > 5
        assert figure.read in ("vendor", "second-hand")
        assert figure.value > 0


class Published(NamedTuple):
    """A device's figures as a publication has them: TFLOP/s or TOP/s, GiB, GB/s, W.

    A cell that is None is not published there, or differs as the profile's ``doc`` says.
    """

    source: str
    peaks: dict[str, float]
    capacity: float | None = None
    bandwidth: float | None = None
    power: float | None = None


STAS = "stas00/ml-engineering, compute/accelerator/README.md, dense table"
NVIDIA = "a transcription of NVIDIA's data sheet"

PUBLISHED = {
    "a100-40gb": Published(
        NVIDIA,
        {"fp32": 19.5, "tf32": 156, "fp16": 312, "bf16": 312, "int8": 624},
        40,
        1555,
        400,
    ),
    "a100-80gb": Published(
        NVIDIA,
        {"fp32": 19.5, "tf32": 156, "fp16": 312, "bf16": 312, "int8": 624},
        80,
        2039,
        400,
    ),
    "a100-pcie-80gb": Published(STAS, {"fp16": 312, "int8": 624}, 80, 1935),
    "h100-sxm": Published(
        STAS,
        {"fp32": 67, "tf32": 494.5, "fp16": 989, "bf16": 989, "fp8": 1979, "int8": 1979},
        80,
        3350,
        700,
    ),
    "h100-pcie": Published(
        STAS,
        {"fp32": 51, "tf32": 378, "fp16": 756, "bf16": 756, "fp8": 1513, "int8": 1513},
        80,
        2000,
    ),
    "h200": Published(
        STAS,
        {"fp32": 67, "tf32": 494.5, "fp16": 989, "bf16": 989, "fp8": 1979, "int8": 1979},
        141,
        4800,
    ),
    "b200": Published(STAS, {"fp32": 80, "fp16": 2250, "fp8": 4500, "fp4": 9000}, 180, 8000),
    "v100": Published(NVIDIA, {"fp32": 15.7, "fp16": 125}, 32, 900, 300),
    "t4": Published(
        "networkoutlet.com, geektopia.es", {"fp32": 8.1, "fp16": 65, "int8": 130}, 16, 320, 70
    ),
    "l40s": Published(STAS, {"fp32": 91.6, "fp16": 362, "fp8": 733, "int8": 733}, 48, 864),
    "rtx-3090": Published("NVIDIA, GA102 white paper", {"fp32": 35.6, "fp16": 71}, 24, 936, 350),
    "rtx-4090": Published(
        "NVIDIA, Ada white paper", {"fp32": 82.6, "fp16": 165.2, "fp8": 330.3}, 24, 1008, 450
    ),
    "mi300x": Published(STAS, {"fp32": 163.4, "fp16": 1300, "fp8": 2610}, 192, 5300),
    "tpu-v3": Published("Patterson et al., 2021; Google", {"bf16": 123}, 32, 900, 450),
    "tpu-v4": Published("PaLM, appendix B; Google", {"bf16": 275, "int8": 275}, 32, 1200),
    "tpu-v5e": Published(STAS, {"bf16": 197, "int8": 394}, 16, 819),
    "tpu-v5p": Published(STAS, {"bf16": 459, "int8": 918}, 95, 2765),
    "jetson-nano": Published("cpu-gpu.alldbin.com", {"fp16": 0.472}, 4, 25.6, 10),
    "jetson-orin-nano": Published("NVIDIA: 40 sparse TOPS", {"int8": 40 / 2}, 8, 68),
    "jetson-agx-orin": Published("NVIDIA: 275 sparse TOPS", {"int8": 275 / 2}, 64, 204.8, 60),
    "raspberry-pi-4": Published("4 × 1.5 GHz × 8; LPDDR4-3200", {"fp32": 0.048}, 4, 12.8),
    "apple-m1": Published("Apple", {"fp32": 2.6}, 16, 68.25),
    # AI TOPS of NVIDIA's page: fp4 with sparsity; its fp16 with sums in fp16 and sparsity: 838
    "rtx-5090": Published(
        "NVIDIA, GeForce RTX 50 series; Linux Format, 2025-05",
        {"fp32": 104.8, "fp16": 838 / 4, "fp8": 838 / 2, "int8": 3352 / 4, "fp4": 3352 / 2},
        32,
        1792,
        575,
    ),
    # of two GPUs with sparsity NVIDIA states 40 PFLOPS of fp4, 20 of fp8, 10 of fp16
    "gb200": Published(
        "NVIDIA, GB200 superchip, halved twice",
        {"fp4": 40_000 / 4, "fp8": 20_000 / 4, "fp16": 10_000 / 4, "fp32": 180 / 2},
        372 / 2,
        16_000 / 2,
        1200,
    ),
    "mi325x": Published(
        "Vultr, inference cookbook, after AMD's page; AMD ROCm documentation",
        {"fp16": 1307, "bf16": 1307, "fp8": 2615},
        256,
        6000,
        1000,
    ),
    "tpu-v6e": Published("Google", {"bf16": 918, "int8": 1836}, 32, 1640),
    "raspberry-pi-5": Published(
        "4 × 2.4 GHz × 16, 32, 64; LPDDR4X-4267 of 32 bits",
        {"fp32": 0.1536, "fp16": 0.3072, "int8": 0.6144},
        8,
        4.267 * 32 / 8,
    ),
    "apple-a14": Published("topcpu.net", {"fp32": 0.6543}, 4, 34.1),
    "apple-a15": Published("5 × 128 × 2 × 1338 MHz", {"fp32": 1.7126}, 6, 2.133 * 16),
    "apple-a16": Published("topcpu.net", {"fp32": 1.7894}, 6, 51.2),
    "apple-a17-pro": Published("hmc-tech.com", {"fp32": 2.15}, 8, 3.2 * 16),
    "snapdragon-8-gen-3": Published("runlocalai.co", {"int8": 45}, 12, 76.8),
    "xeon-8280": Published("28 × 2.7 GHz × 64; DDR4-2933", {"fp32": 4.8}, None, 140.8),
}


def near(value: Fraction | int, published: float) -> bool:
    """Whether they are the same but for the rounding of two or three digits."""
    return float(value) == pytest.approx(published, rel=0.009)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_profile_has_the_published_figures(name: str) -> None:
    profile, published = PROFILES[name], PUBLISHED[name]
    for dtype, peak in published.peaks.items():
        assert near(devices.operations_per_second(profile, dtype), peak * 1e12), dtype
    level = devices.main_memory(profile)
    if published.capacity:
        assert level.capacity.value == published.capacity * 2**30
    if published.bandwidth:
        assert near(devices.bandwidth(profile), published.bandwidth * 1e9)
    if published.power:
        assert profile.fields.power is not None
        assert profile.fields.power.value == published.power


MICROCONTROLLERS = {  # KiB of SRAM, KiB of flash, MHz: ST RM0402, MCUNet, STM32H743VI
    "stm32f412": (256, 1024, 100),
    "stm32f746": (320, 1024, 216),
    "stm32h743": (1024, 2048, 480),
}


@pytest.mark.parametrize("name", MICROCONTROLLERS)
def test_a_microcontroller_has_the_published_figures(name: str) -> None:
    profile = PROFILES[name]
    sram, flash, clock = MICROCONTROLLERS[name]
    assert devices.memory(profile, "sram").capacity.value == sram * 1024
    assert devices.memory(profile, "flash").capacity.value == flash * 1024
    assert devices.main_memory(profile).kind == "sram"
    assert profile.fields.clock is not None
    assert profile.fields.clock.value == clock * 10**6
    # SMLAD: two multiply-accumulates, and so four operations, per cycle
    assert devices.operations_per_second(profile, "int8") == 4 * clock * 10**6


SMALL = {  # KiB of SRAM, KiB of flash, operations of int8 per second: cores × MACs × clock × 2
    "esp32-s3": (512, 8192, 2 * 16 * 240 * 10**6 * 2),
    "rp2040": (264, 2048, 2 * 133 * 10**6),  # a MAC takes two instructions
    "coral-edge-tpu": (8192, None, 4 * 10**12),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_device_has_the_published_figures_and_no_bandwidth(name: str) -> None:
    profile = PROFILES[name]
    sram, flash, operations = SMALL[name]
    assert devices.main_memory(profile).capacity.value == sram * 1024
    if flash:
        assert devices.memory(profile, "flash").capacity.value == flash * 1024
    assert devices.operations_per_second(profile, "int8") == operations
    assert devices.no_bandwidth(profile) == f"{name} states no bandwidth of its main memory"
    assert devices.shown_ridge(profile) is None


HOROWITZ = {  # pJ; Horowitz, ISSCC 2014
    ("add", "int8"): 0.03,
    ("add", "int32"): 0.1,
    ("add", "fp16"): 0.4,
    ("add", "fp32"): 0.9,
    ("multiply", "int8"): 0.2,
    ("multiply", "int32"): 3.1,
    ("multiply", "fp16"): 1.1,
    ("multiply", "fp32"): 3.7,
}


@pytest.mark.parametrize(("operation", "dtype"), HOROWITZ)
def test_horowitz_s_operations(operation: Any, dtype: str) -> None:
    energy = devices.operation_energy(PROFILES["horowitz-45nm"], operation, dtype)
    assert float(energy) == pytest.approx(HOROWITZ[operation, dtype] * 1e-12)


def test_horowitz_s_memories() -> None:
    """64 bits from 8 KB, 32 KB, 1 MB: 10, 20, 100 pJ; 32 bits from DRAM: 640 pJ (EIE, table 1)."""
    table = PROFILES["horowitz-45nm"]
    found = [devices.access(table, "sram", kib * 1024) for kib in (4, 8, 9, 32, 320, 4096)]
    assert [float(figure.value) * 1e12 for figure in found] == pytest.approx(
        [10, 10, 20, 20, 100, 100]
    )
    assert devices.access(table, "sram") == found[0]
    dram, product = devices.access(table, "dram"), devices.operation_energy
    assert float(dram.value) / dram.bits == pytest.approx(20e-12)
    # the lecture: one access to DRAM costs 200 multiplications of 32 bits (integers)
    assert 150 < dram.value / product(table, "multiply", "int32") < 220


def test_energy_is_taken_from_another_profile() -> None:
    device = devices.with_energy_of(PROFILES["stm32f746"], PROFILES["horowitz-45nm"])
    assert device.key == "stm32f746"
    assert devices.operation_energy(device, "multiply", "int8") == Fraction(2, 10**13)
    with pytest.raises(SpecError, match=r"stm32f746 states no energies\n.*horowitz-45nm"):
        devices.with_energy_of(PROFILES["t4"], PROFILES["stm32f746"])
    with pytest.raises(SpecError, match=r"no energy per access of hbm\n.*sram, dram"):
        devices.access(device, "hbm")
    with pytest.raises(SpecError, match=r"no energy for add of fp8\n.*int8, int32, fp16, fp32"):
        devices.operation_energy(device, "add", "fp8")


@pytest.mark.parametrize("profile", DEVICES, ids=lambda profile: profile.key)
def test_figures_are_sane(profile: Profile) -> None:
    peaks = {dtype: figure.value for dtype, figure in profile.fields.operations.items()}
    for slow, fast in (
        ("fp64", "fp32"),
        ("fp32", "tf32"),
        ("fp32", "fp16"),
        ("fp16", "fp8"),
        ("fp16", "int8"),
        ("bf16", "int8"),
        ("int16", "int8"),
        ("int8", "int4"),
        ("fp8", "fp4"),
    ):
        if slow in peaks and fast in peaks:
            assert peaks[slow] <= peaks[fast], (slow, fast)
    if {"fp16", "bf16"} <= set(peaks):
        assert peaks["fp16"] == peaks["bf16"]
    if any(level.bandwidth for level in profile.fields.memory.values()):
        assert 1 < devices.ridge_point(profile, next(iter(peaks))) < 5000


def test_generations_are_in_order() -> None:
    def speed(name: str) -> float:
        return float(devices.bandwidth(PROFILES[name]))

    assert speed("h200") > speed("h100-sxm") > speed("h100-pcie") > speed("a100-pcie-80gb")
    assert speed("b200") > speed("h200")
    assert speed("a100-80gb") > speed("a100-40gb") > speed("v100") > speed("t4")
    hbm = [speed(p.key) for p in DEVICES if devices.main_memory(p).kind == "hbm"]
    small = [speed(name) for name in ("jetson-nano", "raspberry-pi-4", "apple-m1", "xeon-8280")]
    assert min(hbm) > max(small)


def test_a_ridge_point_is_operations_per_byte() -> None:
    """312 TFLOP/s over 2039 GB/s."""
    assert devices.ridge_point(PROFILES["a100-80gb"], "fp16") == Fraction(312_000, 2039)
    assert devices.ridge_type(PROFILES["tpu-v5e"]) == "bf16"
    assert devices.ridge_type(PROFILES["jetson-agx-orin"]) == "int8"
    assert devices.ridge_type(PROFILES["horowitz-45nm"]) is None
    with pytest.raises(SpecError, match="stm32f412 states no bandwidth of its main memory"):
        devices.ridge_point(PROFILES["stm32f412"], "int8")
    with pytest.raises(SpecError, match="horowitz-45nm has no memory that can be written"):
        devices.main_memory(PROFILES["horowitz-45nm"])


def test_no_figure_stands_in_for_another() -> None:
    a100 = PROFILES["a100-80gb"]
    with pytest.raises(SpecError, match=r"a100-80gb has no peak for fp8\n.*fp64, fp32, tf32"):
        devices.operations_per_second(a100, "fp8")
    with pytest.raises(SpecError, match=r"unknown type 'fp61'\n.*did you mean 'fp6"):
        devices.operations_per_second(a100, "fp61")
    with pytest.raises(SpecError, match=r"no memory of kind flash\n.*it has hbm"):
        devices.memory(a100, "flash")
    with pytest.raises(SpecError, match=r"unknown kind of memory 'hmb'\n.*'hbm'"):
        devices.memory(a100, "hmb")
    with pytest.raises(SpecError, match=r"horowitz-45nm has no peak for int8\n.*it has none"):
        devices.peak(PROFILES["horowitz-45nm"], "int8")


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (OPERATIONS_PER_SECOND, "312 TFLOP/s", 312 * 10**12),
        (OPERATIONS_PER_SECOND, "19.5 TFLOP/s", 195 * 10**11),
        (OPERATIONS_PER_SECOND, "4 TOP/s", 4 * 10**12),
        (OPERATIONS_PER_SECOND, "200 MMAC/s", 400 * 10**6),
        (OPERATIONS_PER_SECOND, 312 * 10**12, 312 * 10**12),
        (CAPACITY, "80 GiB", 80 * 2**30),
        (CAPACITY, "80 GB", 80 * 10**9),
        (CAPACITY, "80GB", 80 * 10**9),
        (CAPACITY, "320 KiB", 327_680),
        (CAPACITY, "320 kB", 320_000),
        (BANDWIDTH, "2039 GB/s", 2039 * 10**9),
        (BANDWIDTH, "800 GiB/s", 800 * 2**30),
        (BANDWIDTH, "1e3 GB/s", 10**12),
        (ENERGY, "640 pJ", Fraction(64, 10**11)),
        (ENERGY, Fraction(1, 2), Fraction(1, 2)),
        (POWER, "400 W", 400),
        (POWER, "250 mW", Fraction(1, 4)),
        (FREQUENCY, "1.5 GHz", 15 * 10**8),
    ],
)
def test_a_quantity_is_exact(dimension: Any, text: Any, value: Any) -> None:
    assert dimension.read(text) == value


GOOD = """\
archspec: 1
name: My chip
operations:
  int8: {value: 4 TOP/s, source: my data sheet, read: vendor}
memory:
  sram:
    kind: sram
    capacity: {value: 8 MiB, source: my data sheet, read: vendor}
  dram:
    kind: dram
    capacity: {value: 1e9, source: my data sheet, read: vendor}
    bandwidth: {value: 8 GB/s, source: a test, read: second-hand}
energy:
  add:
    int8: {value: 0.03 pJ, source: a paper, read: second-hand}
  access:
    dram: {kind: dram, bits: 32, value: 640 pJ, source: a paper, read: second-hand}
power: {value: 2 W, source: my data sheet, read: vendor}
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the good profile with one text in place of another."""

    def write(before: str = "", after: str = "") -> Path:
        assert before in GOOD
        file = tmp_path / "my-chip.yaml"
        file.write_text(GOOD.replace(before, after, 1), encoding="utf-8")
        return file

    return write


def test_a_file_of_one_s_own_works_the_same_way(write: Write) -> None:
    profile = find_profile(str(write("", "")))
    assert profile.key == "my-chip"
    assert devices.operations_per_second(profile, "int8") == 4 * 10**12
    assert devices.main_memory(profile).capacity.value == 10**9
    assert devices.ridge_point(profile, "int8") == 500
    assert shown(devices.main_memory(profile).capacity, "") == "1 GB"


BAD = {
    "field": ("power:", "powr:", r":18:1: unknown field 'powr'\n.*did you mean 'power'"),
    "inner field": ("bits:", "bit:", r"unknown field 'bit'\n.*did you mean 'bits'"),
    "figure field": ("source: a test", "sauce: x", r"dram\.bandwidth: unknown field 'sauce'"),
    "no source": (", source: a test", "", "memory.dram.bandwidth: the field 'source' is required"),
    "empty source": ("source: a test", 'source: ""', "source: .*at least 1 character"),
    "no read": (", read: second-hand}\nenergy", "}\nenergy", "the field 'read' is required"),
    "read": (
        "read: second-hand",
        "read: maybe",
        "read: maybe is none of 'vendor' or 'second-hand'",
    ),
    "negative": ("8 GB/s", "-8 GB/s", "-8 GB/s is no bandwidth: it must be positive"),
    "zero": ("4 TOP/s", "0", "operations.int8.value: 0 is no rate of .* must be positive"),
    "unit": ("8 GB/s", "8 GiB", r"'GiB' is no unit of it\n.*did you mean 'GiB/s'"),
    "no unit": ("2 W", "2 horses", r"2 horses is no power: .*\n.*write it as 400 W"),
    "TOPS": ("4 TOP/s", "4 TOPS", r"'TOPS' is no unit of it\n.*did you mean 'TOP/s'"),
    "KB": ("8 MiB", "8 KB", r"'KB' is no unit of it\n.*did you mean 'kB'"),
    "other unit": ("640 pJ", "640 pW", r"no energy: 'pW' is no unit"),
    "no number": ("4 TOP/s", "many", r"many is no rate of operations\n.*or 312 TFLOP/s"),
    "huge": ("8 GB/s", "1e999", r"10+… is no bandwidth of anything there is"),
    "tiny": ("640 pJ", "1e-90 J", "1e-90 J is no energy of anything there is"),
    "truth": ("4 TOP/s", "true", "true is no rate of operations"),
    "null": ("4 TOP/s", "null", r"nothing \(null\) is no rate of operations"),
    "list": ("4 TOP/s", "[4]", r"\[4\] is no rate of operations"),
    "bare figure": (
        "{value: 2 W, source: my data sheet, read: vendor}",
        "2 W",
        "2 W is no mapping",
    ),
    "type": (
        "  int8: {value: 4",
        "  in8: {value: 4",
        r":4:3: operations: unknown type 'in8'\n.*int8",
    ),
    "energy type": (
        "int8: {value: 0.03",
        "float: {value: 0.03",
        "energy.add: unknown type 'float'",
    ),
    "kind": ("kind: sram", "kind: sarm", "memory.sram.kind: sarm is none of 'register', 'sram'"),
    "bits": ("bits: 32", "bits: 0", "bits: 0 is wrong: input should be greater than 0"),
    "no bits": ("bits: 32", "bits: 0.5", "bits: .* is no integer"),
    "order": ("8 MiB", "8 GiB", r":9:3: memory: 'dram' holds less than 'sram'.*\n.*nearest"),
    "level": ("  sram:\n", "  s-ram:\n", "'s-ram' is no name"),
    "no capacity": (
        "\n    capacity: {value: 8 MiB, source: my data sheet, read: vendor}",
        "",
        "memory.sram: the field 'capacity' is required",
    ),
    "no name": ("name: My chip\n", "", "the field 'name' is required"),
    "version": ("archspec: 1", "archspec: 2", "version 2 of the language"),
    "duplicate": ("power:", "name: x\npower:", "duplicate key 'name'"),
    "spec": ("operations:", "layers: []\noperations:", r"this is a spec; a hardware .*\n.*SPEC"),
    "no figures": (GOOD, "archspec: 1\nname: x\n", "a profile without figures"),
    "no mapping": (GOOD, "- 1\n", "a hardware profile is a mapping"),
    "empty": (GOOD, "", "the file is empty; a hardware profile is"),
    "yaml": ("operations:", "operations: [", "not YAML"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error(name: str, write: Write) -> None:
    before, after, message = BAD[name]
    with pytest.raises(SpecError) as caught:
        read_profile(write(before, after))
    caught.match(rf"(?s){message}")
    assert caught.value.origin is not None
    assert caught.value.origin.file.endswith("my-chip.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a100",), "unknown device 'a100'\n  hint: did you mean 'a100-40gb' or 'a100-80gb' or"),
        (("a100-80bg",), "did you mean 'a100-80gb'?"),
        (("T4x",), "did you mean 't4'?"),
        (("abacus",), "hint: archcost hardware lists them; the path of a profile of your own"),
        (("",), "unknown device ''"),
        (("nope.yaml",), "no such file: nope.yaml"),
        (("specs/alexnet.yaml",), "this is a spec; a hardware profile is"),
        (("--format", "tabel"), "did you mean 'table'?"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], message: str, archcost: Run) -> None:
    done = archcost("hardware", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


SHOWN = ("a100-80gb", "stm32f746", "horowitz-45nm")
EXTENSION = {"table": "txt", "markdown": "md"}


@pytest.mark.parametrize("name", ["table", "markdown", "json"])
@pytest.mark.parametrize("devices", [(), SHOWN], ids=["overview", "figures"])
def test_golden(
    name: str, devices: tuple[str, ...], archcost: Run, golden: Callable[[str, str], None]
) -> None:
    done = archcost("hardware", *devices, "--format", name)
    assert (done.returncode, done.stderr) == (0, "")
    view = "hardware-figures" if devices else "hardware"
    golden(f"{view}.{EXTENSION.get(name, name)}", done.stdout)


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("devices", [(), tuple(PROFILES)], ids=["overview", "figures"])
def test_no_line_is_wider_than_the_terminal(
    columns: int, devices: tuple[str, ...], archcost: Run
) -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "dumb", "NO_COLOR": "1"}
    lines = archcost("hardware", *devices, columns=columns, **terminal).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert not any(line != line.rstrip() or "…" in line for line in lines)


def test_every_device_has_a_row(archcost: Run) -> None:
    first = [line.split()[0] for line in archcost("hardware").stdout.splitlines() if line]
    assert [name for name in first if name in PROFILES] == [profile.key for profile in DEVICES]


def test_json_has_base_units(archcost: Run) -> None:
    document = json.loads(archcost("hardware", "a100-80gb", "--format", "json").stdout)
    (device,) = document["hardware"]
    assert device["operations"]["fp16"]["value"] == 312 * 10**12
    assert device["memory"]["hbm"]["capacity"]["value"] == 80 * 2**30
    assert device["memory"]["hbm"]["bandwidth"]["value"] == 2039 * 10**9
    assert device["ridge"] == {"type": "fp16", "value": pytest.approx(312_000 / 2039)}


def test_names_on_the_command_line_are_the_files() -> None:
    assert list(built_in_files()) == sorted(PROFILES)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in PROFILES)


def test_the_page_s_example_is_a_profile(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "my-chip.yaml"
    file.write_text(example, encoding="utf-8")
    assert read_profile(file).fields.energy is not None


def test_the_page_names_every_field_type_and_unit() -> None:
    text = PAGE.read_text(encoding="utf-8")
    fields = [*ProfileFields.model_fields, *MemoryLevel.model_fields, *EnergyTable.model_fields]
    dimensions = (OPERATIONS_PER_SECOND, CAPACITY, BANDWIDTH, ENERGY, POWER, FREQUENCY)
    units = [unit for dimension in dimensions for unit in dimension.units if unit[:1] in "GTm"]
    for word in (*fields, *TYPES, *filter(None, units)):
        assert re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text), word


def test_flash_may_be_smaller_than_what_stands_before_it(write: Write) -> None:
    """It is no step of the way to the main memory, which stays the furthest that is written."""
    small = "{value: 1 MiB, source: my data sheet, read: vendor}"
    profile = read_profile(
        write("energy:\n", f"  rom: {{kind: flash, capacity: {small}}}\nenergy:\n")
    )
    assert list(profile.fields.memory) == ["sram", "dram", "rom"]
    assert main_memory(profile).capacity.value == 10**9

"""Latency and roofline: formulas by hand, crossovers against every value, plots by their boxes."""

import json
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from sympy import Add, S, Symbol

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.functions import Maximum
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.render.fitting import shortened
from costmodel.render.roofline import draw, paint, view_of
from costmodel.scenario.scenario import Scenario, scenario
from costmodel.studies.crossover import Crossover, Crossovers, Regime
from costmodel.studies.latency import Roof, Roofline
from costmodel.studies.solve import opened
from tests.conftest import ROOT, Run, ask, thinned

A100 = scenario(dtype="fp16", hardware="a100-80gb")
PEAK, BANDWIDTH = 312 * 10**12, 2039 * 10**9


def zoo(name: str, said: Scenario = A100, **settings: Any) -> Analysis:
    return analyze(ROOT / "specs" / name, scenario=said, settings=settings)


def read(text: str, said: Scenario, values: dict[str, Any] | None = None) -> Analysis:
    architecture = read_architecture(parse_document(f"archspec: 1\nname: net\n{text}"))
    return analyze_architecture(architecture, Setup("lecture", values or {}, scenario=said))


def of_layer(analysis: Analysis, metric: str, path: str) -> Fraction:
    (layer,) = (layer for layer in analysis.layers if layer.node.path == path)
    return Fraction(analysis.evaluator(analysis.of_layer(metric, layer)))


CHIP = """archspec: 1
name: My chip
operations:
  fp32: {value: 1 GFLOP/s, source: by hand, read: vendor}
  int8: {value: 4 GOP/s, source: by hand, read: vendor}
memory:
  dram:
    kind: dram
    capacity: {value: 1 MiB, source: by hand, read: vendor}
    bandwidth: {value: 1 GB/s, source: by hand, read: vendor}
"""


@pytest.fixture
def chip(tmp_path: Path) -> str:
    file = tmp_path / "my-chip.yaml"
    file.write_text(CHIP, encoding="utf-8")
    return str(file)


ALEXNET = zoo("alexnet.yaml")


def test_a_layer_by_hand() -> None:
    """The second convolution of the slides, in fp16 on an A100.

    T_computation = 2·223,948,800/312e12 s; T_memory = 2·(307,200 weights + 96·27² = 69,984 in +
    256·27² = 186,624 out)/2039e9 s; the first is the larger, 1.436 µs against 0.553 µs.
    """
    computation = Fraction(2 * 223_948_800, PEAK)
    memory = Fraction(2 * (307_200 + 69_984 + 186_624), BANDWIDTH)
    assert of_layer(ALEXNET, "compute_time", "conv2d_2") == computation
    assert of_layer(ALEXNET, "memory_time", "conv2d_2") == memory
    assert of_layer(ALEXNET, "latency", "conv2d_2") == computation > memory
    assert of_layer(ALEXNET, "latency_network", "conv2d_2") == computation


WEIGHTS = 60_954_656
MAPS = [150_528 + 290_400, 290_400 + 69_984, 69_984 + 186_624, 186_624 + 43_264, 43_264 + 64_896]
MAPS += [
    64_896 + 64_896,
    64_896 + 43_264,
    43_264 + 9_216,
    9_216 + 4_096,
    4_096 + 4_096,
    4_096 + 1_000,
]


def test_the_network_by_hand() -> None:
    """The lecture's maximum of sums: all MACs of the slides, all weights, each map in and out."""
    computation = Fraction(2 * 724_406_816, PEAK)
    memory = Fraction(2 * (WEIGHTS + sum(MAPS)), BANDWIDTH)
    assert ALEXNET.value("compute_time") == computation
    assert ALEXNET.value("memory_time") == memory
    assert ALEXNET.value("latency_network") == max(computation, memory) == memory


LAYERS = {
    "conv2d_1": (105_415_200, 34_848, 0),
    "maxpool2d_1": (0, 0, 1),
    "conv2d_2": (223_948_800, 307_200, 2),
    "maxpool2d_2": (0, 0, 3),
    "conv2d_3": (149_520_384, 884_736, 4),
    "conv2d_4": (112_140_288, 663_552, 5),
    "conv2d_5": (74_760_192, 442_368, 6),
    "maxpool2d_3": (0, 0, 7),
    "linear_1": (37_748_736, 37_748_736, 8),
    "linear_2": (16_777_216, 16_777_216, 9),
    "linear_3": (4_096_000, 4_096_000, 10),
}
"""The slides' MACs and weights of each layer, and which of the maps it moves."""


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_sum_of_the_maxima_by_hand(batch: int) -> None:
    """Σ max(2·n·MACs/peak, 2·(weights + n·maps)/bandwidth); what works in place takes no time."""
    expected = sum(
        max(
            Fraction(2 * batch * macs, PEAK),
            Fraction(2 * (weights + batch * MAPS[place]), BANDWIDTH),
        )
        for macs, weights, place in LAYERS.values()
    )
    assert ALEXNET.at(n=batch).latency == expected
    assert zoo("alexnet.yaml", n=batch).value("latency") == expected
    assert of_layer(ALEXNET, "latency", "relu_1") == of_layer(ALEXNET, "latency", "flatten_1") == 0


def test_efficiency_divides() -> None:
    """At half of peak and bandwidth all takes twice as long, and the ridge stays."""
    half = zoo("alexnet.yaml", scenario(dtype="fp16", hardware="a100-80gb", efficiency="0.5"))
    for name in ("latency", "latency_network", "compute_time", "memory_time"):
        assert half.value(name) == 2 * Fraction(ALEXNET.value(name))
    assert Roofline(ALEXNET).roofs == (Roof(("fp16",), PEAK, Fraction(312_000, 2039)),)
    assert Roofline(half).roofs == (Roof(("fp16",), PEAK // 2, Fraction(312_000, 2039)),)
    assert Roofline(half).bandwidth == Fraction(BANDWIDTH, 2)


def test_lines_of_the_roofline() -> None:
    """Intensity of conv2d_2: 2·223,948,800 operations over 2·563,808 bytes, above the ridge 153."""
    lines = {line.row.path: line for line in Roofline(ALEXNET).lines}
    assert lines["conv2d_2"].intensity == Fraction(223_948_800, 563_808) > Fraction(312_000, 2039)
    assert lines["conv2d_2"].performance == PEAK
    assert lines["linear_1"].performance == BANDWIDTH * Fraction(lines["linear_1"].intensity or 0)
    bounds = {path: line.bound for path, line in lines.items()}
    assert bounds["conv2d_1"] == bounds["conv2d_2"] == "compute"
    assert bounds["linear_1"] == bounds["maxpool2d_1"] == "memory"
    assert bounds["relu_1"] is bounds["flatten_1"] is None
    assert sum(line.share for line in lines.values()) == 1


def test_types_have_peaks_of_their_own(chip: str) -> None:
    """An int8 product at 4 G and an fp32 one at 1 G operations per second.

    Both have 16 weights, 4 in and 4 out: 16·2 operations; 24 bytes, then 4·24.
    """
    net = read(
        "precision: {activations: int8}\ninput: [1, 4]\n"
        "layers: [{linear: {out_features: 4}, precision: int8}, {linear: {out_features: 4}, "
        "precision: fp32}]",
        scenario(hardware=chip),
    )
    assert of_layer(net, "compute_time", "linear_1") == Fraction(32, 4 * 10**9)
    assert of_layer(net, "compute_time", "linear_2") == Fraction(32, 10**9)
    assert of_layer(net, "memory_time", "linear_1") == Fraction(24, 10**9)
    assert of_layer(net, "memory_time", "linear_2") == Fraction(4 * 16 + 4 + 4 * 4, 10**9)
    assert [(roof.types, roof.ridge) for roof in Roofline(net).roofs] == [
        (("int8",), 4),
        (("fp32",), 1),
    ]


def test_what_makes_no_products_needs_no_peak(chip: str) -> None:
    """A pooling in fp16, of which the chip has no peak: 2·(16 + 4) bytes at 1 GB/s."""
    net = read(
        "input: [1, 1, 4, 4]\nlayers: [{maxpool2d: 2}]".replace("2}", "{kernel_size: 2}}"),
        scenario(dtype="fp16", hardware=chip),
    )
    assert net.value("latency") == net.value("latency_network") == Fraction(40, 10**9)
    assert net.value("compute_time") == 0
    assert Roofline(net).types == ()


def test_the_convention_s_macs_count(chip: str) -> None:
    """pycls counts one more per output element of a layer that has a bias: 4·3 + 3."""
    text = "archspec: 1\nname: net\ninput: [1, 4]\nlayers: [{linear: {out_features: 3}}]"
    architecture = read_architecture(parse_document(text))
    said = scenario(hardware=chip)
    for convention, macs in (("lecture", 12), ("torch", 12), ("pycls", 15)):
        net = analyze_architecture(architecture, Setup(convention, scenario=said))
        assert net.value("compute_time") == Fraction(2 * macs, 10**9)


def test_equal_sides_are_decided(chip: str) -> None:
    """Of 2·n·64·64 operations and 4·(64² + 128·n) bytes neither is always larger; of a row of one
    channel the bytes are, 4·(n + n + 1) against 2·n, so that its law is no maximum."""
    net = read(
        "symbols: {n: 1}\ninput: [n, 1]\nlayers: [{linear: {out_features: 1}}]",
        scenario(hardware=chip),
    )
    n = net.symbols["n"]
    assert net.latency == (8 * n + 4) / S(10**9)
    assert net.latency_network == (8 * n + 4) / S(10**9)


NETWORKS = {
    "alexnet.yaml": {"n": (1, 200), "h": (64, 300), "w": (64, 300)},
    "gpt2.yaml": {"n": (1, 9), "t": (1, 1024), "L": (1, 50)},
    "llama.yaml@llama3-8b": {"n": (1, 9), "t": (1, 9000), "L": (1, 90)},
    "mixtral.yaml": {"n": (1, 9), "t": (1, 9000), "L": (1, 90)},
    "densenet.yaml": {"n": (1, 99), "k": (1, 64)},
    "mobilenetv2.yaml": {"n": (1, 99), "h": (64, 300)},
    "unet.yaml": {"n": (1, 9), "base": (1, 99)},
    "lstm.yaml": {"n": (1, 99), "t": (1, 99)},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_laws_are_the_numbers(name: str) -> None:
    """The law at random points: layer by layer from least MACs and bytes, by brute force."""
    analysis, chance = zoo(name), random.Random(name)
    functions = {m: analysis.function(m) for m in ("latency", "latency_network")}
    for _ in range(4):
        values = {s: chance.randint(*ends) for s, ends in NETWORKS[name].items()}
        point = analysis.at(**values)
        works = [point.evaluate(often.works) for _, often in analysis.counted]
        computation = [
            w * Fraction(2 * point.evaluate(analysis.of_layer("macs_least", layer)), PEAK)
            for w, layer in zip(works, analysis.layers, strict=True)
        ]
        memory = [
            w * Fraction(point.evaluate(analysis.of_layer("bytes_moved", layer)), BANDWIDTH)
            for w, layer in zip(works, analysis.layers, strict=True)
        ]
        assert point.latency == sum(map(max, computation, memory))
        assert point.latency_network == max(sum(computation), sum(memory))
        assert functions["latency"](**values) == float(point.latency)
        assert functions["latency_network"](**values) == float(point.latency_network)


def test_functions_give_arrays_of_floats() -> None:
    batches = np.arange(1, 40)
    times = ALEXNET.function("latency")(n=batches)
    assert times.dtype == np.float64
    assert times.tolist() == [float(ALEXNET.at(n=int(n)).latency) for n in batches]
    assert ALEXNET.function("latency")(n=10**30) == float(ALEXNET.at(n=10**30).latency)
    assert type(ALEXNET.function("latency")()) is float
    assert ALEXNET.function("macs")(n=batches).dtype == np.int64


def test_printed_laws_are_the_numbers() -> None:
    """The text, evaluated as Python with true division, is the value to fifteen digits."""
    from costmodel.studies.report import Report

    report = Report(ALEXNET, ("latency", "latency_network"), symbolic=True)
    values = dict(ALEXNET.graph.values)
    for name in report.metrics:
        shown = report.show(report.total(name))
        number = eval(shown, {"max": max, "__builtins__": {}}, values)  # our own text
        assert number == pytest.approx(float(ALEXNET.value(name)), rel=1e-14)


def test_what_is_never_the_larger_is_dropped() -> None:
    """In fp32 on a Raspberry Pi pooling only moves; the first convolution only multiplies."""
    pi = zoo("alexnet.yaml", scenario(hardware="raspberry-pi-4"))
    both = ALEXNET.latency.atoms(Maximum)
    assert all(len(each.args) == 2 for each in both)
    assert len(pi.latency.atoms(Maximum)) < len(both) <= 8


# Crossovers


def along(name: str, symbol: str, said: Scenario, assume: tuple[str, ...] = ()) -> Crossovers:
    spec = ROOT / "specs" / name
    return Crossovers(opened(spec, symbol, Setup(assume=assume, scenario=said)), symbol)


def test_a_crossover_by_hand(chip: str) -> None:
    """A linear layer from k to k channels over n rows in fp32, at P operations and B bytes per s.

    2·n·k²/P = 4·(k² + 2·n·k)/B at n = 2·k·P/(k·B − 4·P); for P = B = 1e9 and k = 8 that is 4:
    there it is compute-bound, for its intensity is the ridge point, and before it is not.
    """
    net = read(
        "symbols: {n: 1}\ninput: [n, 8]\nlayers: [{linear: {out_features: 8}}]",
        scenario(hardware=chip),
    )
    found = Crossovers(net, "n")
    parts = (Regime("memory", 1, 3), Regime("compute", 4, None))
    assert found.layers["linear_1"] == found.network == Crossover(parts)
    assert found.network.summary("n") == "memory-bound up to n = 3, compute-bound from n = 4"
    assert net.at(n=4).compute_time == net.at(n=4).memory_time


def test_always_and_never(chip: str) -> None:
    """From 2 to 2 channels ``2·n·4`` never reaches ``4·(4 + 4·n)``; a view takes no time."""
    net = read(
        "symbols: {n: 1}\ninput: [n, 2]\n"
        "layers: [{linear: {out_features: 2}}, {unsqueeze: {dim: 0}}]",
        scenario(hardware=chip),
    )
    found = Crossovers(net, "n")
    assert found.layers["linear_1"].summary("n") == "always memory-bound"
    assert found.layers["unsqueeze_1"].summary("n") == "takes no time"


CASES = [
    ("alexnet.yaml", "n", A100, (), range(1, 260)),
    ("alexnet.yaml", "h", A100, ("w == h",), range(63, 400)),
    ("alexnet.yaml", "g", A100, (), (1, 2, 4, 8, 16, 32)),
    ("gpt2.yaml", "t", A100, (), range(1, 1025)),
    ("gpt2.yaml", "n", scenario(dtype="int8", hardware="a100-80gb"), (), range(1, 30)),
    ("mobilenetv2.yaml", "n", scenario(hardware="raspberry-pi-4"), (), range(1, 60)),
    ("mixtral.yaml", "t", A100, (), range(1, 300)),
    ("unet.yaml", "base", scenario(hardware="v100"), (), range(1, 120)),
]


@pytest.mark.parametrize(("name", "symbol", "said", "assume", "values"), CASES)
def test_crossovers_against_every_value(
    name: str, symbol: str, said: Scenario, assume: tuple[str, ...], values: Any
) -> None:
    found = along(name, symbol, said, assume)
    analysis = found.analysis
    sides = {
        layer.node.path: [analysis.of_layer(m, layer) for m in ("compute_time", "memory_time")]
        for layer in analysis.layers
    }
    sides["the network"] = [analysis.compute_time, analysis.memory_time]
    crossovers = {**found.layers, "the network": found.network}
    for value in values:
        if not analysis.is_valid_at({symbol: value}):
            continue
        evaluate = analysis.evaluator_at({symbol: value})
        for path, (computation, memory) in sides.items():
            parts = crossovers[path].parts
            if evaluate(computation) == evaluate(memory) == 0:
                assert parts == ()
                continue
            (bound,) = (
                part.bound
                for part in parts
                if part.first <= value and (part.last is None or value <= part.last)
            )
            expected = "compute" if evaluate(computation) >= evaluate(memory) else "memory"
            assert bound == expected, (path, value)


def test_a_real_symbol_takes_a_step() -> None:
    analysis = opened(ROOT / "specs" / "mobilenetv2.yaml", "width", Setup(scenario=A100))
    found = Crossovers(analysis, "width")
    with pytest.raises(SpecError, match="width may be any real number"):
        assert found.network
    stepped = Crossovers(analysis, "width", Fraction(1, 4))
    (conv,) = (x for x in analysis.layers if x.node.path == "conv_bn_2/conv2d_1")
    sides = [analysis.of_layer(m, conv) for m in ("compute_time", "memory_time")]
    for part in stepped.layers["conv_bn_2/conv2d_1"].parts:
        for value in (part.first, part.first if part.last is None else part.last):
            computation, memory = map(analysis.evaluator_at({"width": value}), sides)
            assert part.bound == ("compute" if computation >= memory else "memory")


def test_undecided_ends_are_said() -> None:
    found = Crossover((Regime("memory", 1, 5), Regime("compute", 6, 512)), is_decided=False)
    assert found.summary("h") == (
        "memory-bound up to h = 5, compute-bound from h = 6 to 512, not compared beyond h = 512"
    )
    middle = Crossover((Regime("memory", 1, 5), Regime("compute", 6, 6), Regime("memory", 7, None)))
    assert middle.summary("h") == (
        "memory-bound up to h = 5, compute-bound at h = 6, memory-bound from h = 7"
    )


def test_solving_for_a_latency() -> None:
    """The largest batch within a millisecond, by trying all."""
    spec = str(ROOT / "specs" / "alexnet.yaml")
    _, answer = ask(spec, "n", ["latency <= 0.001"], scenario=A100)
    fitting = [n for n in range(1, 400) if ALEXNET.at(n=n).latency <= Fraction(1, 1000)]
    assert answer.value == max(fitting) == len(fitting)
    _, answer = ask(spec, "n", ["latency_network >= 0.0005"], scenario=A100)
    assert answer.value == min(
        n for n in range(1, 400) if ALEXNET.at(n=n).latency_network >= Fraction(5, 10000)
    )


# What is missing, and what is wrong

GROWING = """archspec: 1
name: growing
symbols: {n: 1, L: 3}
input: [n, 4, 8, 8]
layers:
  - repeat:
      times: L
      layers:
        - parallel:
            branches: [[], [{conv2d: {out_channels: 2, kernel_size: 3, padding: 1}}]]
            merge: concat
"""


def test_turns_that_each_differ(tmp_path: Path, archcost: Run) -> None:
    """No closed sum of maxima: numbers still, else one error that says what to set."""
    spec = tmp_path / "growing.yaml"
    spec.write_text(GROWING, encoding="utf-8")
    analysis = analyze(spec, scenario=scenario(hardware="a100-80gb"))
    with pytest.raises(SpecError, match="latency has no closed form in an open number of turns"):
        analysis.value("latency")
    whole = analyze(spec, scenario=scenario(hardware="a100-80gb"), settings={"L": 3})
    assert whole.value("latency_network") == analysis.value("latency_network")
    assert archcost("latency", str(spec), "--hardware", "a100-80gb").returncode == 0
    plain = archcost(str(spec), "--hardware", "a100-80gb")
    assert plain.returncode == 0
    assert "no latency" in plain.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "latency depends on the device, and none is given\n  hint: name one with --hardware"),
        (("--hardware", "a100"), "unknown device 'a100'"),
        (("--hardware", "a100-80gb", "--dtype", "int9"), "unknown type 'int9'"),
        (
            ("--hardware", "v100", "--dtype", "int8"),
            "conv2d_1: v100 has no peak for int8\n  hint: it has fp64, fp32, fp16; none stands in",
        ),
        (
            ("--hardware", "stm32f746", "--for", "n"),
            "stm32f746 states no bandwidth of its main memory\n  hint: write bandwidth beside",
        ),
        (
            ("--hardware", "stm32f746", "--plot", "x.svg"),
            "stm32f746 states no bandwidth of its main memory\n  hint: write bandwidth beside",
        ),
        (("--hardware", "stm32f746", "--dtype", "fp16"), "stm32f746 has no peak for fp16"),
        (
            ("--hardware", "horowitz-45nm"),
            "horowitz-45nm has no peak for fp32\n  hint: it has none",
        ),
        (("--hardware", "t4", "--efficiency", "0"), "efficiency = 0 is no part"),
        (("--hardware", "t4", "--efficiency", "2"), "efficiency = 2 is no part"),
        (("--hardware", "t4", "--efficiency", "abc"), "efficiency = abc is no number"),
        (("--hardware", "t4", "--for", "z"), "there is no symbol 'z'"),
        (("--hardware", "t4", "--for", "n", "--set", "n=2"), "'n' is set"),
        (("--hardware", "t4", "--for", "n", "--symbolic"), "--for and --symbolic are two views"),
        (("--hardware", "t4", "--step", "2"), "--step is of a symbol"),
        (("--hardware", "t4", "--for", "n", "--step", "0"), "step = 0 must be positive"),
        (("--hardware", "t4", "--depth", "-1"), "--depth -1 opens less than nothing"),
        (("--hardware", "t4", "--plot", "x.gif"), "a plot is no 'x.gif'"),
        (("--hardware", "t4", "--plot", "nowhere/x.svg"), "cannot write nowhere/x.svg"),
        (("--hardware", "t4", "--format", "tabel"), "did you mean 'table'?"),
    ],
)
def test_bad_input_is_one_clear_error(
    arguments: tuple[str, ...], message: str, archcost: Run
) -> None:
    done = archcost("latency", "specs/alexnet.yaml", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("language", ["c", "python", "javascript"])
def test_functions_of_integers_refuse_seconds(language: str, archcost: Run) -> None:
    given = ("specs/alexnet.yaml", "--hardware", "t4", "--format", language)
    done = archcost(*given, "--metric", "latency")
    assert (done.returncode, done.stdout) == (2, "")
    assert "latency is in seconds" in done.stderr
    assert "latency" not in archcost(*given).stdout


def test_a_plain_report_says_what_a_device_lacks(archcost: Run) -> None:
    shown = archcost("specs/alexnet.yaml", "--hardware", "stm32f746", "--dtype", "fp16").stdout
    assert "no latency          conv2d_1: stm32f746 has no peak for fp16" in shown
    assert "compute alone" not in shown
    shown = archcost("specs/alexnet.yaml", "--hardware", "v100").stdout
    assert "at least" in shown
    assert "compute alone" not in shown


# A device without a bandwidth

MCU = scenario(dtype="int8", hardware="stm32f746")
ALONE = "stm32f746 states no bandwidth of its main memory, so what moves is not bounded"


def test_without_a_bandwidth_operations_alone_bound_a_layer() -> None:
    """Two MACs a cycle at 216 MHz: 2·223,948,800 operations at 864e6 per second; pooling none."""
    net = zoo("alexnet.yaml", MCU)
    assert of_layer(net, "latency", "conv2d_2") == Fraction(223_948_800, 2 * 216 * 10**6)
    assert of_layer(net, "latency", "maxpool2d_1") == 0
    with pytest.raises(SpecError, match="stm32f746 states no bandwidth of its main memory"):
        net.value("memory_time")


@pytest.mark.parametrize("batch", [1, 5])
def test_without_a_bandwidth_the_network_s_bounds_are_the_same(batch: int) -> None:
    """The slides' MACs of all layers: without memory no layer hides behind another's bytes."""
    expected = Fraction(batch * sum(macs for macs, _, _ in LAYERS.values()), 432 * 10**6)
    point = zoo("alexnet.yaml", MCU).at(n=batch)
    assert point.latency == point.latency_network == point.compute_time == expected


def test_a_bandwidth_only_adds_to_the_bound(tmp_path: Path) -> None:
    """The same chip with and without one: what is known without is still no more than the time."""
    alone, whole = tmp_path / "alone.yaml", tmp_path / "whole.yaml"
    whole.write_text(CHIP, encoding="utf-8")
    alone.write_text(CHIP[: CHIP.index("    bandwidth")], encoding="utf-8")
    text = "input: [1, 8]\nlayers: [{linear: {out_features: 8}}]"
    less, more = (read(text, scenario(hardware=str(file))) for file in (alone, whole))
    # 2·64 operations and 4·(64 + 8 + 8) bytes, each at 1e9 per second
    assert (less.value("latency"), more.value("latency")) == (
        Fraction(128, 10**9),
        Fraction(320, 10**9),
    )


def test_a_roofline_without_a_bandwidth_bounds_nothing_by_memory() -> None:
    roofline = Roofline(zoo("alexnet.yaml", MCU))
    assert {line.bound for line in roofline.all_lines} == {None}
    assert roofline.sides[1] is None
    assert [label for label, _, _ in roofline.used] == ["peak int8"]
    assert roofline.roofs == ()
    assert sum(line.share for line in roofline.layers) == 1
    with pytest.raises(SpecError, match="states no bandwidth"):
        roofline.require_points()


REPORTS = {
    "latency": ("latency", "specs/alexnet.yaml"),
    "laws": ("latency", "specs/alexnet.yaml", "--symbolic"),
    "report": ("specs/alexnet.yaml",),
    "metric": ("specs/alexnet.yaml", "--metric", "latency_network"),
    "explain": ("explain", "specs/alexnet.yaml", "conv2d_2"),
    "solve": ("solve", "specs/alexnet.yaml", "--for", "n", "--where", "latency <= 9"),
    "sweep": ("sweep", "specs/alexnet.yaml", "--vary", "n=1,2", "--metric", "latency"),
    "compare": ("compare", "specs/alexnet.yaml", "specs/mlp.yaml", "--metric", "latency"),
}
DEVICE = ("--hardware", "stm32f746", "--dtype", "int8")


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_says_that_its_bound_is_of_operations_alone(name: str, archcost: Run) -> None:
    done = archcost(*REPORTS[name], *DEVICE, columns=200)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("compute alone")]
    assert [line.removeprefix("compute alone").strip() for line in lines] == [ALONE]


@pytest.mark.parametrize("name", ["latency", "report", "metric", "solve"])
def test_json_says_that_its_bound_is_of_operations_alone(name: str, archcost: Run) -> None:
    shown = json.loads(archcost(*REPORTS[name], *DEVICE, "--format", "json").stdout)
    assert shown["compute_alone"] == ALONE


def test_json_of_a_latency_without_a_bandwidth_has_nothing_of_memory(archcost: Run) -> None:
    shown = json.loads(archcost(*REPORTS["latency"], *DEVICE, "--format", "json").stdout)
    assert shown["totals"]["memory_time"] is shown["bound"] is None
    assert shown["ridge"] == {}
    assert {layer["bound"] for layer in shown["layers"]} == {None}
    assert {layer["memory_time"] for layer in shown["layers"]} == {None}
    assert shown["totals"]["latency"]["value"] == 724_406_816 / (432 * 10**6)


def test_a_report_without_a_bound_of_time_says_nothing_of_it(archcost: Run) -> None:
    for command in ((), ("fit",)):
        shown = archcost(*command, "specs/alexnet.yaml", *DEVICE, "--metric", "macs")
        assert "compute alone" not in shown.stdout


def test_a_symbol_that_decides_structure(tmp_path: Path, archcost: Run) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\nsymbols: {k: 3}\ninput: [1, 8]\n"
        "layers: [{linear: {out_features: 8}, when: k > 2}]\n"
    )
    done = archcost("latency", str(spec), "--hardware", "t4", "--for", "k")
    assert done.returncode == 2
    assert "undecidable while k is free" in done.stderr


def test_a_symbol_without_effect_is_said(tmp_path: Path, archcost: Run) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\nsymbols: {n: 1, k: 3}\ninput: [n, 8]\n"
        "layers: [{linear: {out_features: 8}}, {dropout: {p: 1/k}}]\n"
    )
    shown = archcost("latency", str(spec), "--hardware", "t4", "--for", "k").stdout
    assert "linear_1    always memory-bound" in shown
    assert "no time depends on k" in shown


@pytest.mark.parametrize("metric", ["latency", "latency_network", "compute_time", "memory_time"])
def test_values_of_csv_and_json_are_seconds(metric: str, archcost: Run) -> None:
    given = ("specs/alexnet.yaml", "--hardware", "a100-80gb", "--dtype", "fp16", "--metric", metric)
    expected = float(ALEXNET.value(metric))
    total = json.loads(archcost(*given, "--format", "json").stdout)["totals"][metric]
    assert total["value"] == expected
    last = archcost(*given, "--format", "csv").stdout.splitlines()[-1]
    assert last == f"total,,,{expected!r},lecture"


VIEWS = {
    "latency.txt": (),
    "latency-200.txt": ("--efficiency", "0.5"),
    "latency.md": ("--format", "markdown"),
    "latency.json": ("--format", "json"),
    "latency-symbolic.txt": ("--symbolic",),
    "latency-symbolic.md": ("--symbolic", "--format", "markdown"),
    "latency-for.txt": ("--for", "n"),
    "latency-for.md": ("--for", "n", "--format", "markdown"),
    "latency-for.json": ("--for", "n", "--format", "json"),
    "latency-alone.txt": ("--hardware", "stm32f746", "--dtype", "int8"),
    "latency-alone.json": ("--hardware", "stm32f746", "--dtype", "int8", "--format", "json"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, archcost: Run, golden: Callable[[str, str], None]) -> None:
    device = () if "alone" in name else ("--hardware", "a100-80gb", "--dtype", "fp16")
    given = ("specs/alexnet.yaml", *device, *VIEWS[name])
    done = archcost("latency", *given, columns=200 if "200" in name else 80)
    assert (done.returncode, done.stderr) == (0, "")
    golden(name, done.stdout)


def test_groups_add_up_and_are_closed_by_depth(archcost: Run) -> None:
    given = ("specs/gpt2.yaml", "--hardware", "a100-80gb", "--dtype", "fp16", "--format", "json")
    shown = json.loads(archcost("latency", *given, "--depth", "0").stdout)
    assert [group["path"] for group in shown["groups"]] == ["repeat_1"]
    assert shown["groups"][0]["bound"] == "mixed"
    parts = [*shown["groups"], *shown["layers"]]
    total = shown["totals"]["latency"]["value"]
    assert sum(part["latency"]["value"] for part in parts) == pytest.approx(total)
    assert sum(part["share"] for part in parts) == pytest.approx(1)


# Plots

PLOTS = [
    ("alexnet.yaml", {"n": 1}, A100),
    ("alexnet.yaml", {"n": 64}, A100),
    ("resnet.yaml@resnet50", {}, scenario(hardware="h100-sxm")),
    ("mobilenetv2.yaml", {}, scenario(hardware="raspberry-pi-4")),
    ("llama.yaml@llama2-7b", {}, A100),
    (
        "resnet.yaml@resnet152",
        {"n": 8},
        scenario(dtype="bf16", hardware="tpu-v4", efficiency="0.6"),
    ),
]


def painted(analysis: Analysis) -> Axes:
    axes = Figure(figsize=(10, 5), layout="constrained", dpi=150).subplots()
    paint(view_of(Roofline(analysis)), axes)
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    return axes


@pytest.mark.parametrize(("name", "settings", "said"), thinned(PLOTS))
def test_no_word_lies_on_another_or_outside(
    name: str, settings: dict[str, int], said: Scenario
) -> None:
    axes = painted(zoo(name, said, **settings))
    legend = axes.get_legend()
    assert legend is not None
    boxes = [Text.get_window_extent(word) for word in axes.texts]
    assert len(boxes) >= 4
    for one, other in combinations(boxes, 2):  # or two numbers would read as one
        assert not one.padded(axes.figure.dpi / 72 * 4, 0).overlaps(other)
    inside, page = axes.get_window_extent(), axes.figure.bbox
    for box in boxes:
        assert inside.x0 <= box.x0 <= box.x1 <= inside.x1
        assert inside.y0 <= box.y0 <= box.y1 <= inside.y1
    times = axes.figure.axes[1]
    drawn = [*times.texts, axes.title, times.title, *times.patches]
    boxes += [legend.get_window_extent(), *(each.get_window_extent() for each in drawn)]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    assert all(inside.x1 <= word.get_window_extent().x0 for word in times.texts)
    assert all(word.get_window_extent().x1 <= page.x1 for word in times.texts)


@pytest.mark.parametrize(("name", "settings", "said"), thinned(PLOTS))
def test_bars_add_up_to_the_time(name: str, settings: dict[str, int], said: Scenario) -> None:
    shares = [bar.share for bar in view_of(Roofline(zoo(name, said, **settings))).times]
    assert sum(shares) == pytest.approx(100)


def test_the_axes_say_what_they_are() -> None:
    axes = painted(ALEXNET)
    assert axes.get_xlabel() == "arithmetic intensity (operations per byte moved)"
    assert axes.get_ylabel() == "attainable performance (operations per second)"
    assert axes.get_xscale() == axes.get_yscale() == "log"
    title = axes.get_title()
    for word in ("AlexNet", "NVIDIA A100 80 GB", "fp16", "upper bound", "at least 62.56 µs"):
        assert word in title
    words = [word.get_text() for word in axes.texts]
    assert {"312 Top/s fp16", "ridge 153", "2.039 TB/s"} <= set(words)
    assert [str(i) for i in range(1, 9)] == sorted(set(words) - {w for w in words if " " in w})
    told = [text.get_text() for text in axes.figure.axes[1].texts]
    assert told[:2] == ["1  linear_1", "59.2 %  37.04 µs"]


def test_points_are_on_the_roof() -> None:
    """At min(peak, intensity·bandwidth), where the longest layer is largest."""
    axes = painted(ALEXNET)
    offsets = [tuple(at) for dots in axes.collections for at in np.asarray(dots.get_offsets())]
    assert len(offsets) == 8
    for x, y in offsets:
        assert y == pytest.approx(min(PEAK, x * BANDWIDTH))


def test_one_roof_per_type(tmp_path: Path) -> None:
    net = read(
        "input: [1, 64]\nlayers: [{linear: {out_features: 64}, precision: int8}, "
        "{linear: {out_features: 64}, precision: fp16}]",
        scenario(activations="int8", hardware="a100-80gb"),
    )
    roofline = Roofline(net)
    assert [(r.types, r.peak) for r in roofline.roofs] == [
        (("int8",), 624 * 10**12),
        (("fp16",), PEAK),
    ]
    axes = painted(net)
    assert len(axes.lines) == 4
    words = [word.get_text() for word in axes.texts]
    assert {"312 Top/s fp16", "624 Top/s int8", "ridge 306", "ridge 153"} <= set(words)
    draw(roofline, str(tmp_path / "two.svg"))


@pytest.mark.parametrize(
    ("suffix", "start"), thinned([("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
)
def test_the_same_plot_is_the_same_file(suffix: str, start: bytes, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for file in files:
        draw(Roofline(ALEXNET), str(file))
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first.startswith(start)


def test_a_plot_of_nothing_is_refused(chip: str) -> None:
    net = read(
        "input: [1, 1, 4, 4]\nlayers: [{maxpool2d: {kernel_size: 2}}]", scenario(hardware=chip)
    )
    with pytest.raises(SpecError, match="no layer makes products"):
        draw(Roofline(net), "x.svg")


def test_names_keep_the_end_that_no_other_has() -> None:
    assert shortened(["a/b/conv", "a/c/conv", "d/pool"], 7) == ["…b/conv", "…c/conv", "d/pool"]
    long = "row_4/repeat_1/residual_1/inverted_bottleneck_1/conv_bn_1/conv2d_1"
    other = long.replace("row_4", "row_3")
    assert shortened([long, other], 40)[0] == "row_4/repeat_1/…/conv_bn_1/conv2d_1"
    assert shortened(["layer4.2.conv3", "layer4.1.conv3"], 9) == ["…2.conv3", "…1.conv3"]
    assert shortened(["x" * 50], 40) == ["…" + "x" * 39]


def test_sums_of_maxima_have_trends() -> None:
    """A sum of maxima of what rises with n rises with n."""
    from costmodel.algebra.monotonicity import trend

    n = ALEXNET.symbols["n"]
    fixed = zoo("alexnet.yaml", c=3, h=224, w=224, g=2)
    assert isinstance(fixed.latency, Add)
    assert trend(fixed.latency, n, 1) == 1
    assert trend(fixed.latency, Symbol("x"), 1) == 0


def test_a_law_in_seconds_prints_true_divisions() -> None:
    """``str`` of what `analyze` gives is Python over fractions, as what the command prints is."""
    analysis = analyze("specs/mlp.yaml", scenario={"hardware": "raspberry-pi-4"})
    numbers = {name: Fraction(value) for name, value in analysis.graph.values.items()}
    for metric in ("latency", "latency_network", "compute_time"):
        printed = eval(str(analysis.total(metric)), {"max": max}, numbers)
        assert printed == getattr(analysis.at(), metric)


def test_a_symbol_that_follows_the_one_asked_for_has_no_value(archcost: Run) -> None:
    device = ["--hardware", "a100-80gb", "--dtype", "fp16"]
    done = archcost("latency", "specs/alexnet.yaml", *device, "--for", "w", "--assume", "h == w")
    assert "\nat                  n = 1, c = 3, g = 2\nassuming            h == w\n" in done.stdout

"""The memory profile: its numbers by hand, its bars, its figure."""

import json
from itertools import combinations, pairwise, product
from math import radians, sin
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from costmodel import SpecError, analyze
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import terms_of
from costmodel.algebra.symbols import symbol
from costmodel.render import memory_plot
from costmodel.render.plots import plot
from costmodel.scenario.scenario import scenario
from costmodel.studies.memory import IN_OUT, MemoryProfile
from costmodel.studies.report import Report
from tests.conftest import ROOT, Run

ALEXNET = "specs/alexnet.yaml"


def profile(spec: str, **said: str) -> MemoryProfile:
    return MemoryProfile(analyze(ROOT / "specs" / spec, scenario=scenario(**said)))


def test_alexnet_by_hand() -> None:
    """In fp16: 3·224² + 96·55² at conv1; 96·55² + 96·27² at the first pooling; two bytes each."""
    shown = profile("alexnet.yaml", dtype="fp16")
    sizes = {
        row.path: (shown.number(row, IN_OUT), shown.number(row, shown.alive)) for row in shown.rows
    }
    assert sizes["conv2d_1"] == (2 * (3 * 224**2 + 96 * 55**2),) * 2
    assert sizes["maxpool2d_1"] == (2 * (96 * 55**2 + 96 * 27**2),) * 2
    assert "relu_1" not in sizes  # in place: it adds nothing


def test_a_residual_keeps_its_input_beside() -> None:
    """MobileNetV2's row 2, second block, int8: the depthwise 144·56² in and out, 24·56² beside."""
    shown = profile("mobilenetv2.yaml", dtype="int8")
    path = "foreach_1/row_2/repeat_1/residual_1/inverted_bottleneck_1/conv_bn_2/conv2d_1"
    (row,) = (row for row in shown.rows if row.path == path)
    assert shown.number(row, IN_OUT) == 2 * 144 * 56**2
    assert shown.number(row, shown.alive) == 2 * 144 * 56**2 + 24 * 56**2


def test_lines_add_up_to_the_peaks() -> None:
    for spec in ("googlenet.yaml", "gpt2.yaml", "densenet.yaml"):
        shown = profile(spec)
        for metric in (IN_OUT, shown.alive):
            most = max(shown.number(row, metric) for row in shown.layers)
            assert most == shown.analysis.value(metric)


def test_bars_are_as_long_as_what_they_show(archcost: Run) -> None:
    lines = archcost("memory", ALEXNET, "--format", "table", columns=120).stdout.splitlines()
    bars = {line.split()[0]: line.count("█") for line in lines if "█" in line and "MB" in line}
    assert max(bars, key=bars.__getitem__) == "conv2d_1"
    longest = bars["conv2d_1"]
    assert bars["maxpool2d_1"] == int(
        longest * (96 * 55**2 + 96 * 27**2) / (3 * 224**2 + 96 * 55**2)
    )


@pytest.mark.parametrize("columns", [80, 200])
def test_golden(columns: int, archcost: Run, golden: object) -> None:
    done = archcost("memory", "specs/gpt2.yaml", "--dtype", "int8", "--hardware", "stm32f746",
                    columns=columns)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    golden(f"memory-{columns}.txt", done.stdout)  # type: ignore[operator]
    table = done.stdout.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= columns


def test_json_and_laws(archcost: Run) -> None:
    report = json.loads(archcost("memory", ALEXNET, "--format", "json", "--dtype", "int8").stdout)
    assert report["totals"]["memory_peak"]["value"] == 440_928
    assert report["totals"]["in_out_peak"]["value"] == 440_928
    law = archcost("memory", ALEXNET, "--symbolic", "--dtype", "int8").stdout
    assert "of conv2d_1     n*(c*h*w + 96*r4)" in law
    assert "r4 = ((h - 7)//4 + 1)*((w - 7)//4 + 1)" in law


def test_the_best_order_says_what_moves() -> None:
    """MaxViT halves the shortcut's map before the wide branch is worked out beside it."""
    analysis = analyze(ROOT / "specs" / "maxvit.yaml")
    best = MemoryProfile(analysis, order="best")
    assert best.most < MemoryProfile(analysis).most
    stage = "foreach_1/row_1/residual_1"
    layers, before = best.moves[0]
    assert layers == (f"{stage}/shortcut/avgpool2d_1", f"{stage}/shortcut/conv2d_1")
    assert before == f"{stage}/mbconv_1/conv_bn_gelu_1/conv2d_1"
    assert MemoryProfile(analyze(ROOT / "specs" / "alexnet.yaml"), order="best").moves == ()
    with pytest.raises(SpecError, match="unknown order 'bst'"):
        MemoryProfile(analysis, order="bst")


def texts(figure: Figure) -> list[Text]:
    """What stands in a figure: title, labels, names of ticks, notes."""
    (axes,) = figure.axes
    shown = [tick for tick in axes.get_yticks() if tick <= axes.get_ylim()[1]]
    ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()[: len(shown)]]
    others = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    legend = axes.get_legend()
    inside = legend.get_texts() if legend else []
    return [text for text in (*ticks, *others, *inside) if text.get_text()]


SPECS = ["alexnet", "mobilenetv2", "gpt2", "mcunet", "inceptionv3", "densenet", "swin", "googlenet"]


@pytest.mark.parametrize("spec", SPECS)
def test_names_below_bars_have_room(
    spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Names of 7 points, turned by 60°, stand 7/72/sin(60°) inches apart or more."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    memory_plot.draw(profile(f"{spec}.yaml", dtype="int8"), str(tmp_path / "figure.png"))
    figures[0].draw_without_rendering()
    (axes,) = figures[0].axes
    places = [axes.transData.transform((tick, 0))[0] for tick in axes.get_xticks()]
    apart = [after - before for before, after in pairwise(places)]
    assert min(apart, default=99) >= 7 / 72 / sin(radians(60)) * figures[0].dpi


@pytest.mark.parametrize("spec", SPECS)
def test_no_label_lies_on_another(
    spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    memory_plot.draw(
        profile(f"{spec}.yaml", dtype="int8", hardware="stm32f746"), str(tmp_path / "figure.png")
    )
    figures[0].draw_without_rendering()
    boxes = [
        (t.get_text(), t.get_window_extent()) for t in texts(figures[0]) if not t.get_rotation()
    ]
    for (one, left), (other, right) in combinations(boxes, 2):
        assert not left.overlaps(right), f"{one!r} lies on {other!r}"
    width, height = figures[0].canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text


def test_the_axes_say_what_they_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    memory_plot.draw(profile("alexnet.yaml", dtype="int8"), str(tmp_path / "figure.png"))
    (axes,) = figures[0].axes
    assert axes.get_ylabel() == "memory of activations (kB)"
    assert axes.get_title().startswith("AlexNet: what is in memory while each layer works")
    tops = [bar.get_extents().y1 for bar in axes.patches]
    top = axes.transData.inverted().transform((0, max(tops)))[1]
    assert top == pytest.approx(440.928)


def test_a_figure_is_written_the_same_each_time(tmp_path: Path, archcost: Run) -> None:
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        assert archcost("memory", ALEXNET, "--plot", str(file)).returncode == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_text(encoding="utf-8").startswith("<?xml")


def test_bad_plots(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"a plot is no 'memory\.txt'"):
        plot("memory.txt", "x", 1, lambda *_: None)
    with pytest.raises(SpecError, match=r"cannot write .*: No such file or directory"):
        plot(str(tmp_path / "missing" / "memory.svg"), "x", 1, lambda *_: None)


@pytest.mark.parametrize(("attention", "terms"), [("fused", 1), ("unfused", 2)])
def test_rows_show_no_term_that_loses(attention: str, terms: int) -> None:
    """In a block of GPT-2 attention beats all but the two large products, whatever the sizes.

    Fused it moves 4·d·t, less than they do. The law of every row is what it was before terms were
    dropped, also of one block alone.
    """
    analysis = analyze("specs/gpt2.yaml", scenario={"attention": attention})
    metrics = ("in_out_peak", "memory_peak")
    decided = {row.path: row for row in Report(analysis, metrics, symbolic=True).rows}
    fixed = {"n": 1, "heads": 2, "V": 50, "context": 1024}
    sizes = product((1, 2, 12), (1, 8, 300), (2, 64))
    points = [Evaluator({symbol(name): value for name, value in {**fixed, **point}.items()})
              for point in (dict(zip("Ltd", size, strict=True)) for size in sizes)]  # fmt: skip
    for row, metric in product(Report(analysis, metrics).rows, metrics):
        law = decided[row.path].counts[metric]
        assert all(at(law) == at(row.counts[metric]) for at in points)
    blocks = decided["repeat_1"].counts
    assert {metric: len(terms_of(blocks[metric])) for metric in metrics} == {
        "in_out_peak": terms, "memory_peak": 1,
    }  # fmt: skip

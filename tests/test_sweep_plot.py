"""Figures of sweeps: labels, units, what is drawn, and no text upon another."""

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from costmodel import SpecError
from costmodel.analysis.loading import Setup
from costmodel.render import sweep_plot
from costmodel.render.plot_labels import spaced
from costmodel.scenario.scenario import as_scenario
from costmodel.sweep import figures
from costmodel.sweep.figures import nice_levels
from costmodel.sweep.query import Request
from costmodel.sweep.study import sweep
from tests.conftest import ROOT, Run, thinned

Draw = Callable[..., Figure]


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Draw:
    """The figure of a sweep, instead of a file."""
    sheets: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: sheets.append(self))

    def drawn(specs: Sequence[str], vary: Sequence[str], **said: Any) -> Figure:
        given = {"join", "sample"} & said.keys()
        options: dict[str, Any] = {name: said.pop(name) for name in given}
        names = {name: said.pop(name) for name in ("label", "colour") if name in said}
        options["setup"] = Setup(scenario=as_scenario(said.pop("scenario", {})))
        study = sweep([str(ROOT / "specs" / s) for s in specs], vary, Request(**said), **options)
        drawing = figures.SweepFigure(study, **names)
        for _ in drawing.passing(study.rows()):
            pass
        sweep_plot.draw(drawing, str(tmp_path / "figure.png"))
        sheets[-1].draw_without_rendering()
        return sheets[-1]

    return drawn


WIDTHS = "width=0.35:1.4:0.05"

FIGURES: dict[str, tuple[list[str], list[str], dict[str, Any]]] = {
    "lines": (["mobilenetv2.yaml"], [WIDTHS], {"metrics": ("macs", "params", "memory_peak")}),
    "one line": (["gpt2.yaml"], ["d=64:4096:*2", "heads=d/64"], {"metrics": ("macs/params",)}),
    "many lines": (["resnet.yaml@resnet18", "resnet.yaml@resnet50", "alexnet.yaml"],
                   ["h=64:512:64", "w=h"], {"metrics": ("macs", "memory_peak")}),
    "sixteen lines": (["resnet.yaml@*"], ["h=96:224:32", "w=h"], {"metrics": ("macs", "params")}),
    "most lines": (["resnet.yaml@*", "vgg.yaml@*"], ["n=1:8"], {"metrics": ("memory_peak",)}),
    "bars": (["resnet.yaml@*"], [], {"metrics": ("macs", "params")}),
    "maps": (["mobilenetv2.yaml"], [WIDTHS, "h=96:224:16", "w=h"], {"metrics": ("macs", "params")}),
    "map by factors": (["gpt2.yaml"], ["d=128:4096:*2", "L=2:64:*2", "heads=d/64"],
                       {"metrics": ("macs",)}),
    "blank map": (["mobilenetv2.yaml"], [WIDTHS, "h=96:224:16", "w=h"],
                  {"metrics": ("macs",), "where": ("macs <= 200e6",)}),
    "map with a gap": (["alexnet.yaml"], ["g=1:4", "h=63:70", "w=h"], {"metrics": ("macs",)}),
    "sample": (["mobilenetv2.yaml"], ["width=0.35:1.4", "h=96:224", "w=h"],
               {"metrics": ("macs",), "sample": 400}),
    "front": (["mobilenetv2.yaml"], [WIDTHS, "h=96:224:16", "w=h"],
              {"pareto": ("macs", "activations:max")}),
    "front of three": (["mobilenetv2.yaml"], [WIDTHS, "h=96:224:16", "w=h"],
                       {"pareto": ("macs", "params:max", "h:max")}),
    "front of variants": (["resnet.yaml@*"], ["h=96:256:32", "w=h"],
                          {"pareto": ("macs", "params:max")}),
    "coloured lines": (["resnet.yaml@resnet18", "resnet.yaml@resnet50", "alexnet.yaml"],
                       ["h=64:256:32", "w=h"],
                       {"metrics": ("macs", "params"), "colour": "spec", "label": ("variant",)}),
    "named points": (["mobilenetv2.yaml"], ["h=96:224:32", "w=h"],
                     {"metrics": ("macs", "latency"), "join": "docs/data/mobilenetv2.csv",
                      "scenario": {"hardware": "t4"}, "colour": "top1", "label": ("published",)}),
    "coloured bars": (["resnet.yaml@*"], [],
                      {"metrics": ("macs", "params"), "colour": "params", "label": ("params",)}),
    "named sample": (["mobilenetv2.yaml"], ["width=0.35:1.4", "h=96:224", "w=h"],
                     {"metrics": ("macs",), "sample": 40, "label": ("h",)}),
    "depths": (["resnet.yaml"], ["depths=[1,1,1,1],[2,2,2,2],[3,4,6,3]", "width=0.5:2:0.5"],
               {"metrics": ("macs",)}),
}  # fmt: skip


def figure_of(draw: Draw, name: str) -> Figure:
    specs, vary, said = FIGURES[name]
    return draw(specs, vary, **said)


def panels(figure: Figure) -> list[Axes]:
    """The panels, colour bars left out."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def texts(figure: Figure) -> list[Text]:
    """What stands in a figure: title, labels, ticks in sight, names of points and lines."""
    found: list[Text] = [figure._suptitle] if figure._suptitle else []  # type: ignore[attr-defined]
    for axes in figure.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            low, high = sorted((low, high))
            found += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            found += [t.label2 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
    found += [text for legend in figure.legends for text in legend.get_texts()]
    return [text for text in found if text.get_text().strip() and text.get_visible()]


@pytest.mark.parametrize("name", thinned(FIGURES))
def test_no_text_lies_on_another(name: str, draw: Draw) -> None:
    figure = figure_of(draw, name)
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts(figure)]
    assert len(boxes) > 5
    for (one, left), (other, right) in combinations(boxes, 2):
        assert not left.overlaps(right), f"{one!r} lies on {other!r}"
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text


def labels(figure: Figure) -> list[tuple[str, str]]:
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in panels(figure)]


def test_lines_have_a_panel_for_each_metric(draw: Draw) -> None:
    figure = figure_of(draw, "lines")
    assert [y for _, y in labels(figure)] == ["MACs (millions)", "#params (millions)",
                                              "peak memory (MB)"]  # fmt: skip
    assert labels(figure)[-1][0] == "width (width multiplier)"
    title = figure.get_suptitle()
    assert title.splitlines()[0] == "MobileNetV2"
    assert "h = 224" in title.replace("\u00a0", " ")
    (line,) = panels(figure)[0].lines
    points = line.get_xydata()
    assert points is not None
    assert np.asarray(points)[13].tolist() == pytest.approx([1, 300.774272])


def test_points_have_the_names_and_colours_that_are_asked_for(draw: Draw, tmp_path: Path) -> None:
    join = tmp_path / "mine.csv"
    join.write_text("h,model,score\n96,small,1\n128,middle,2\n160,large,3\n", encoding="utf-8")
    figure = draw(
        ["mobilenetv2.yaml"], ["h=96,128,160", "w=h"], join=str(join),
        pareto=("latency", "score:max"), metrics=("memory_peak",), label=("model", "h"),
        colour="memory_peak", scenario={"hardware": "t4", "dtype": "fp16"},
    )  # fmt: skip
    (axes,) = panels(figure)
    names = [text.get_text() for text in axes.texts]
    assert names
    assert {*names} <= {"small, 96", "middle, 128", "large, 160"}
    assert figure.axes[1].get_ylabel() == "peak memory (MB)"
    assert figure.get_suptitle().endswith("t4; fp16")


def test_lines_have_the_colours_of_texts_and_numbers(draw: Draw) -> None:
    figure = figure_of(draw, "coloured lines")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["resnet", "alexnet"]
    first, second, third = (line.get_color() for line in panels(figure)[0].lines)
    assert first == second != third
    assert [text.get_text() for text in panels(figure)[0].texts] == ["resnet18", "resnet50", ""]


def test_points_of_a_line_have_names(draw: Draw) -> None:
    for axes in panels(figure_of(draw, "named points")):
        names = {text.get_text() for text in axes.texts}
        assert names >= {"56", "300"}
        assert names <= {"56", "99", "154", "221", "300"}


def test_a_map_has_no_colours_and_no_names_but_its_own(draw: Draw) -> None:
    said: dict[str, Any] = {"metrics": ("macs",)}
    for names, message in ({"colour": "h"}, "coloured by the column"), ({"label": ["h"]}, "named"):
        with pytest.raises(SpecError, match=message):
            draw(["mobilenetv2.yaml"], [WIDTHS, "h=96,128"], **said, **names)


def test_what_has_no_value_or_too_many_texts_gives_no_colour(draw: Draw) -> None:
    two, said = ["mobilenetv2.yaml", "alexnet.yaml"], {"pareto": ("macs", "params:max")}
    with pytest.raises(SpecError, match="not all that is drawn has a 'width'"):
        draw(two, ["h=96,128", "w=h", "width=0.5,1"], colour="width", **said)
    with pytest.raises(SpecError, match="16 texts; at most 8"):
        draw(["resnet.yaml@*"], [], metrics=("macs",), colour="variant")


def test_what_varies_of_the_scenario_is_not_in_the_title(draw: Draw) -> None:
    vary, said = ["dtype=fp16,int8", "h=96:160:32", "w=h"], {"hardware": "t4"}
    title = draw(["mobilenetv2.yaml"], vary, metrics=("latency",), scenario=said).get_suptitle()
    assert title.endswith("; t4")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"label": ["mac"]}, "no column 'mac'"),
        ({"colour": "width"}, "no column 'width'"),
        ({"colour": "mac", "pareto": ()}, "no column 'mac'"),
        ({"colour": "latency", "pareto": ()}, "no column 'latency'.*\n.*--metric latency"),
    ],
)
def test_bad_names_and_colours(names: dict[str, Any], message: str, draw: Draw) -> None:
    said = {"pareto": ("macs", "params:max"), **names}
    with pytest.raises(SpecError, match=message):
        draw(["mobilenetv2.yaml", "alexnet.yaml"], ["h=96,128", "w=h"], **said)


def test_a_ratio_has_no_unit_and_factors_have_a_scale(draw: Draw) -> None:
    figure = figure_of(draw, "one line")
    assert labels(figure) == [("d (model width), log scale", "macs/params")]
    (axes,) = panels(figure)
    assert axes.get_xscale() == "log"
    assert axes.get_xticklabels()[0].get_text() == "64"


def names_at(axes: Axes) -> dict[str, tuple[float, float]]:
    """The names of points or lines, with where in data their strokes begin."""
    notes = [text for text in axes.texts if isinstance(text, Annotation)]
    return {note.get_text(): (float(note.xy[0]), float(note.xy[1])) for note in notes}


def test_lines_of_several_networks_have_names_at_their_ends(draw: Draw) -> None:
    figure = figure_of(draw, "many lines")
    assert not figure.legends
    for axes in panels(figure):
        ends = {line.get_label(): tuple(np.asarray(line.get_xydata())[-1]) for line in axes.lines}
        assert names_at(axes) == ends
        assert set(ends) == {"resnet resnet18", "resnet resnet50", "alexnet"}
    widths = [line.get_linewidth() for line in panels(figure)[0].lines]
    assert widths == sorted(widths, reverse=True)


def test_lines_are_told_apart_up_to_24(draw: Draw) -> None:
    """ResNet has 16 variants, VGG 8; names stand in the order of the ends of their lines."""
    (axes,) = panels(figure_of(draw, "most lines"))
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == len(axes.lines) == 24
    ends = names_at(axes)
    found = [(ends[t.get_text()][1], Text.get_window_extent(t).y0) for t in axes.texts]
    assert all((a[0] < b[0]) <= (a[1] < b[1]) for a, b in permutations(found, 2))
    with pytest.raises(SpecError, match=r"25 lines are more than can be told apart; at most 24"):
        draw(["resnet.yaml@*", "vgg.yaml@*", "alexnet.yaml"], ["n=1:3"], metrics=("macs",))


@pytest.mark.parametrize(
    ("wanted", "low", "high", "found"),
    [
        ([5, 1, 3], 0, 10, [5, 1, 3]),  # apart as they are
        ([4, 4], 0, 10, [3, 5]),  # their mean stays
        ([0, 0, 0], 0, 10, [0, 2, 4]),  # no lower than the low end
        ([9, 10, 9.5], 0, 10, [6, 10, 8]),  # no higher than the high one, in their order
        ([1, 1, 1], 0, 2, [-1, 1, 3]),  # room for one gap, and two are needed
        ([], 0, 1, []),
    ],
)
def test_names_are_spaced(wanted: list[float], low: float, high: float, found: list[float]) -> None:
    """Gaps of 2, by hand."""
    assert spaced(wanted, 2, low, high) == pytest.approx(found)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=4))
def test_no_other_spacing_is_nearer(wanted: list[int]) -> None:
    """Of all heights in halves from 0 to 8 that keep the order and a gap of 2; 6 fit three gaps."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    halves = [i / 2 for i in range(17)]

    def cost(places: Sequence[float]) -> float:
        return sum((places[rank] - wanted[i]) ** 2 for rank, i in enumerate(order))

    rising = product(halves, repeat=len(wanted))
    allowed = (c for c in rising if all(b - a >= 2 for a, b in pairwise(c)))
    mine = spaced(wanted, 2, 0, 8)
    ranked = [mine[i] for i in order]
    assert all(b - a >= 2 - 1e-9 for a, b in pairwise(ranked))
    assert -1e-9 <= ranked[0] <= ranked[-1] <= 8 + 1e-9
    assert cost(ranked) <= min(map(cost, allowed)) + 1e-9


@pytest.mark.parametrize(
    ("columns", "by"),
    [
        (([1, 2, 3], [10, 20, 30]), (False, False)),  # a factor of 3: by steps
        (([64, 128, 256], [1, 2, 4]), (True, True)),  # the first rises by factors
        (([64, 128, 256], [7, 7, 8]), (True, False)),  # the second hardly differs
        (([64, 128, 256], [0, 2, 4]), (True, False)),  # 0 has no logarithm
        (([1, 2, 3], [1, 16, 32]), (True, True)),  # a factor of 32 is above 10**1.5
        (([1, 2, 3], [1, 16, 31]), (False, False)),  # and 31 below
    ],
)
def test_what_goes_by_factors(columns: tuple[list[float], ...], by: tuple[bool, ...]) -> None:
    assert figures.by_factors(*map(np.array, columns)) == by


@pytest.mark.parametrize(
    ("name", "scales"),
    thinned(
        [
            ("lines", ("linear", "linear")),  # MACs from 59 to 582 millions
            ("one line", ("log", "linear")),  # heads and d: MACs per parameter hardly change
            ("many lines", ("log", "log")),  # 64 times the MACs at 8 times the height
            ("maps", ("linear", "linear")),
            ("map by factors", ("log", "log")),
            ("front", ("log", "log")),  # MACs from 12 to 582 millions
        ]
    ),
)
def test_scales_are_of_one_kind_and_said(name: str, scales: tuple[str, str], draw: Draw) -> None:
    axes = panels(figure_of(draw, name))[-1]
    assert (axes.get_xscale(), axes.get_yscale()) == scales
    said = [axes.get_xlabel().endswith("log scale"), axes.get_ylabel().endswith("log scale")]
    assert said == [scale == "log" for scale in scales]


def test_maps_have_lines_of_equal_cost(draw: Draw) -> None:
    figure = figure_of(draw, "maps")
    first, _ = panels(figure)
    assert labels(figure) == [("width (width multiplier)", "h")] * 2
    bars = [axes.get_ylabel() for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert bars == ["MACs (millions)\nlog scale", "#params (millions)"]
    names = {text.get_text() for text in first.texts}
    assert names <= {f"{m}" for m in (10, 20, 50, 100, 200, 500)}
    assert len(names) > 2


def test_left_out_points_are_blank(draw: Draw) -> None:
    (axes,) = panels(figure_of(draw, "blank map"))
    values = axes.collections[0].get_array()
    assert values is not None
    assert np.ma.getmaskarray(values).any()
    assert values.max() <= 200


def test_a_value_without_any_network_is_a_gap(draw: Draw) -> None:
    """AlexNet's g divides 32, so that 3 has no network; the axis has it all the same."""
    (axes,) = panels(figure_of(draw, "map with a gap"))
    values = axes.collections[0].get_array()
    assert values is not None
    blank = np.ma.getmaskarray(values)
    assert blank.shape == (8, 4)
    assert blank.all(axis=0).tolist() == [False, False, True, False]


def test_a_front_is_marked_and_named(draw: Draw) -> None:
    (axes,) = panels(figure_of(draw, "front"))
    assert axes.get_xlabel() == "MACs (millions): less is better, log scale"
    assert axes.get_ylabel() == "#activations (millions): more is better\nlog scale"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["points", "front (42)"]
    names = [text.get_text() for text in axes.texts]
    assert "width=0.35, h=96" in names
    assert "width=1.4, h=224" in names
    assert len(np.asarray(axes.collections[0].get_offsets())) == 22 * 9


def test_names_of_a_sampled_front_lead_to_their_points(draw: Draw) -> None:
    """Every name has a stroke to its own point, and covers no point of the front."""
    figure = draw(["mobilenetv2.yaml"], ["width=0.35:1.4", "h=96:224", "w=h"], sample=400,
                  pareto=("macs", "activations:max"))  # fmt: skip
    (axes,) = panels(figure)
    points = np.asarray(axes.lines[0].get_xydata())
    spots = axes.transData.transform(points)
    assert len(axes.texts) > 8
    for text in axes.texts:
        assert isinstance(text, Annotation)
        assert text.arrow_patch is not None
        assert (points == text.xy).all(axis=1).any()
        assert Text.get_window_extent(text).count_contains(spots) == 0


@pytest.mark.parametrize(
    ("least", "largest", "levels"),
    [(12, 590, [20, 50, 100, 200, 500]), (1.6, 6.1, [2, 3, 4, 5, 6]), (5, 5, [])],
)
def test_levels_are_round(least: float, largest: float, levels: list[float]) -> None:
    assert nice_levels(least, largest) == pytest.approx(levels)


@pytest.mark.parametrize(
    ("vary", "said", "cause"),
    [
        (["h=96,128", "w=96,128", "n=1,2"], {}, "a plot shows one symbol, two, or a front"),
        (["h=96"], {"where": ("macs <= 1",)}, "no row is left to draw"),
    ],
)
def test_what_cannot_be_drawn(vary: list[str], said: Any, cause: str, draw: Draw) -> None:
    with pytest.raises(SpecError, match=cause):
        draw(["mobilenetv2.yaml"], vary, **said)


def test_a_figure_is_the_same_each_time(tmp_path: Path, archcost: Run) -> None:
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        done = archcost("sweep", "specs/mobilenetv2.yaml", "--vary", WIDTHS, "h=96:224:32", "w=h",
                        "--pareto", "macs", "activations:max", "--plot", str(file))  # fmt: skip
        assert done.returncode == 0
    assert files[0].read_bytes() == files[1].read_bytes()

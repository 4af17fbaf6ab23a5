"""Sweeps: every row against an analysis of its own, published tables, what varies, samples."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from archspec import load
from archspec.arithmetic import Rational
from costmodel import SpecError, analyze
from costmodel.algebra.operations import Array
from costmodel.analysis.columns import SymbolColumn
from costmodel.analysis.loading import Setup
from costmodel.scenario.scenario import scenario
from costmodel.sweep.fields import fields_of
from costmodel.sweep.query import Request
from costmodel.sweep.space import Space, read_space
from costmodel.sweep.study import Sweep, sweep
from costmodel.sweep.vary import read_varied, show_value
from tests.conftest import ROOT, Run

SPECS = ROOT / "specs"


def rows(study: Sweep) -> list[dict[str, Any]]:
    """All rows that are kept, as plain values."""
    found: list[dict[str, Any]] = []
    for chunk in study.rows():
        columns = [column.tolist() for column in chunk.values()]
        found += [dict(zip(chunk, row, strict=True)) for row in zip(*columns, strict=True)]
    return found


def swept(spec: str, vary: Sequence[str], *metrics: str, **said: Any) -> list[dict[str, Any]]:
    return rows(sweep([str(SPECS / spec)], vary, Request(metrics=metrics, **said)))


EVERY = ("params", "macs", "flops", "activations", "activations_peak", "memory_peak", "model_size")


@pytest.mark.parametrize(
    ("spec", "vary"),
    [
        ("mobilenetv2.yaml", ["width=0.35:1.4:0.05", "h=96:224:32", "w=h", "n=1,8"]),
        ("alexnet.yaml", ["h=32:512:48", "w=64:300:59", "g=1,2,3"]),
        ("gpt2.yaml", ["L=1:64:*2", "d=64:1024:192", "heads=d/64", "t=128,1000"]),
        ("resnet.yaml@resnet18", ["width=1/3,0.5,2", "h=33:300:41", "w=2*h"]),
        ("unet.yaml", ["h=100:260:20", "w=h"]),
        ("densenet.yaml", ["h=64:224:80", "w=h"]),
    ],
)
def test_every_row_is_a_single_analysis(spec: str, vary: list[str]) -> None:
    """A random sample of the points that are kept; of those left out none makes a network."""
    analysis = analyze(SPECS / spec)
    study = sweep([str(SPECS / spec)], vary, Request(metrics=EVERY))
    found = rows(study)
    names = [one.name for one in study.varied]
    for row in Random(0).sample(found, min(12, len(found))):
        point = analysis.at(**{name: row[name] for name in names})
        assert {m: row[m] for m in EVERY} == {m: getattr(point, m) for m in EVERY}
    assert study.tally.points == study.size == study.tally.invalid + len(found)
    assert study.tally.invalid == sum(not is_network(analysis, p) for p in grid(study))


def grid(study: Sweep) -> Iterator[dict[str, Rational]]:
    """The points of a grid, links by Python."""
    links = {one.name: one.text.partition("=")[2] for one in study.varied if one.link is not None}
    axes = study.cases[0].space.axes
    for values in product(*(axis.values for axis in axes)):
        point: dict[str, Any] = dict(zip((axis.name for axis in axes), values, strict=True))
        exact = {name: Fraction(value) for name, value in point.items()}
        yield point | {name: eval(text, {}, exact) for name, text in links.items()}


def is_network(analysis: Any, point: dict[str, Rational]) -> bool:
    try:
        analysis.at(**point)
    except SpecError:
        return False
    return True


def test_scenarios_are_the_analysis_s_too() -> None:
    said = scenario(dtype="int8")
    setup = Setup("torch", {"classes": 10}, ("n >= 1",), said)
    study = sweep([str(SPECS / "mobilenetv2.yaml")], ["h=64,128"],
                  Request(metrics=("params", "memory_peak")), setup=setup)  # fmt: skip
    single = analyze(SPECS / "mobilenetv2.yaml", convention="torch", settings={"classes": 10},
                     scenario=said)  # fmt: skip
    for row in rows(study):
        assert row["memory_peak"] == single.at(h=row["h"]).memory_peak
        assert row["params"] == single.at(h=row["h"]).params


def test_tf_slims_table_by_one_sweep(tmp_path: Path) -> None:
    """All 22 rows of TF-slim's nets/mobilenet/README: MACs cut off to whole millions."""
    published = {
        "1.4": [582], "1.3": [509], "1.0": [300, 221, 154, 99, 56], "0.75": [209, 153, 107, 69, 39],
        "0.5": [97, 71, 50, 32, 18], "0.35": [59, 43, 30, 20, 11],
    }  # fmt: skip
    sizes = (224, 192, 160, 128, 96)
    lines = [
        f"{width},{size},{macs}"
        for width, column in published.items()
        for size, macs in zip(sizes, column, strict=False)
    ]
    file = tmp_path / "slim.csv"
    file.write_text("width,h,published\n" + "\n".join(lines))
    study = sweep([str(SPECS / "mobilenetv2.yaml")],
                  ["width=1.4,1.3,1,0.75,0.5,0.35", "h=96:224:32", "w=h"],
                  Request(metrics=("macs",), where=("macs // 1e6 == published",)),
                  join=str(file), setup=Setup(settings={"classes": 1001}))  # fmt: skip
    assert len(rows(study)) == 22
    assert study.join is not None
    assert (study.tally.refused, study.tally.unmatched, study.join.unused) == (0, 8, 0)


def test_the_resnet_family_by_one_sweep() -> None:
    """Parameters as torchvision's ResNet*_Weights state them."""
    published = {
        "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032,
        "resnet101": 44_549_160, "resnet152": 60_192_808, "resnext50_32x4d": 25_028_904,
        "resnext101_32x8d": 88_791_336, "wide_resnet50_2": 68_883_240,
    }  # fmt: skip
    study = sweep([str(SPECS / "resnet.yaml@*")], [], Request(metrics=("params", "macs")),
                  setup=Setup("torch"))  # fmt: skip
    found = {row["variant"]: row["params"] for row in rows(study)}
    assert found.keys() == load(str(SPECS / "resnet.yaml")).header.variants.keys()
    assert published.items() <= found.items()


def test_several_specs_have_their_names() -> None:
    specs = [str(SPECS / "alexnet.yaml"), str(SPECS / "vgg.yaml@vgg16")]
    study = sweep(specs, ["h=224,256", "w=h"], Request(metrics=("macs",)))
    found = [(row["spec"], row["variant"], row["h"]) for row in rows(study)]
    assert found == [(s, v, h) for s, v in (("alexnet", ""), ("vgg", "vgg16")) for h in (224, 256)]


def test_structure_is_swept() -> None:
    """ResNet-18's and ResNet-34's depths in basic blocks are the variants of these names."""
    found = swept(
        "resnet.yaml", ["depths=[2,2,2,2],[3,4,6,3]", "expansion=1", "h=96,224", "w=h"], "macs"
    )
    for row in found:
        variant = {"[2,2,2,2]": "resnet18", "[3,4,6,3]": "resnet34"}[row["depths"]]
        single = analyze(f"{SPECS}/resnet.yaml@{variant}")
        assert row["macs"] == single.at(h=row["h"], w=row["h"]).macs


def test_the_best_order_is_searched_at_every_point() -> None:
    for row in swept("maxvit.yaml", ["h=224,448", "w=h"], "memory_peak_best"):
        settings = {"h": row["h"], "w": row["w"]}
        single = analyze(SPECS / "maxvit.yaml", settings=settings)
        assert row["memory_peak_best"] == single.value("memory_peak_best")


def test_structures_that_make_no_network_are_counted() -> None:
    study = sweep([str(SPECS / "resnet.yaml")], ["depths=[3,4,6,3],[2,2]", "h=64,96"])
    assert {row["depths"] for row in rows(study)} == {"[3,4,6,3]"}
    assert (study.tally.points, study.tally.invalid) == (4, 2)
    assert "outside a list of 2" in str(study.tally.refusal)
    study = sweep([str(SPECS / "gpt2.yaml")], ["d=96,128", "heads=5,2,1"],
                  Request(metrics=("memory_peak_best",)))  # fmt: skip
    assert [(row["d"], row["heads"]) for row in rows(study)] == [
        (d, heads) for d in (96, 128) for heads in (2, 1)
    ]
    assert study.tally.invalid == 2
    with pytest.raises(SpecError, match="outside a list of 2"):
        rows(sweep([str(SPECS / "resnet.yaml")], ["depths=[2,2]"]))


def test_counts_beyond_64_bits_are_exact() -> None:
    """V·d + context·d + L·(12·d² + 13·d) + 2·d, all learned parameters of GPT-2."""
    spec = str(SPECS / "gpt2.yaml")
    setup = Setup("torch", {"heads": 1})
    found = rows(sweep([spec], ["d=2**31,2**32,2**33"], Request(metrics=("params",)), setup=setup))
    for row in found:
        d = row["d"]
        assert row["params"] == 50257 * d + 1024 * d + 12 * (12 * d**2 + 13 * d) + 2 * d
    assert found[-1]["params"] > 2**63


def values(text: str) -> list[str]:
    (one,) = read_varied([text])
    return [show_value(value) for value in one.values]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("width=0.35:1.4:0.35", ["0.35", "0.7", "1.05", "1.4"]),
        ("width=0.35:1.39:0.35", ["0.35", "0.7", "1.05"]),
        ("width=0:1:1/3", ["0", "1/3", "2/3", "1"]),
        ("h=96,128:192:32,7*32", ["96", "128", "160", "192", "224"]),
        ("d=32:512:*2", ["32", "64", "128", "256", "512"]),
        ("d=1:4:*1.5", ["1", "1.5", "2.25", "3.375"]),
        ("h=1e3", ["1000"]),
        ("depths=[2,2],[3, 4]", ["[2,2]", "[3, 4]"]),
    ],
)
def test_values(text: str, shown: list[str]) -> None:
    assert values(text) == shown


def test_a_range_has_no_rounding_errors() -> None:
    (one,) = read_varied(["width=0.35:1.4:0.05"])
    assert one.values == tuple(Fraction(35 + 5 * i, 100) for i in range(22))


def space(vary: Sequence[str], sample: int | None = None, seed: int = 0, **fixed: int) -> Space:
    header = load(str(SPECS / "mobilenetv2.yaml")).header
    return read_space(read_varied(vary), header, fixed, sample, seed)


def plain(values: SymbolColumn | Array) -> list[Any]:
    found: list[Any] = (values.shown() if isinstance(values, SymbolColumn) else values).tolist()
    return found


def test_a_sample_is_the_same_however_it_is_read() -> None:
    drawn = space(["h=32:512", "width=0.5,0.75,1", "n=1:10**6:log", "c=1,3"], 200_000, seed=7)
    whole = {name: plain(column) for name, column in drawn.drawn(0, 200_000).items()}
    cuts = [0, 1, 65_535, 65_536, 70_001, 140_000, 200_000]
    for start, stop in pairwise(cuts):
        part = drawn.drawn(start, stop)
        assert {n: plain(c) for n, c in part.items()} == {
            name: column[start:stop] for name, column in whole.items()
        }
    other = space(["h=32:512"], 200_000, seed=8).drawn(0, 100)
    assert plain(other["h"]) != whole["h"][:100]


def test_what_is_added_does_not_change_what_is_drawn() -> None:
    one = space(["h=32:512"], 1000).drawn(0, 1000)["h"]
    two = space(["h=32:512", "c=1,3"], 1000).drawn(0, 1000)["h"]
    assert plain(one) == plain(two)


def test_samples_fill_their_ranges() -> None:
    drawn = space(["h=32:35", "width=0.5:0.6", "n=1:1023:log", "c=1,3"], 60_000).drawn(0, 60_000)
    height, images = drawn["h"], drawn["n"]
    assert isinstance(height, SymbolColumn)
    assert isinstance(images, SymbolColumn)
    counts = np.bincount(height.numerators)
    assert np.flatnonzero(counts).tolist() == [32, 33, 34, 35]
    assert abs(counts[32:] / 15_000 - 1).max() < 0.05
    powers = np.bincount(np.log2(images.numerators).astype(int))
    assert abs(powers / 6_000 - 1).max() < 0.08  # 2**k to 2**(k+1) are as likely for each k
    width = drawn["width"]
    assert isinstance(width, SymbolColumn)
    assert width.denominator == 10**6
    assert 500_000 <= width.numerators.min() <= width.numerators.max() <= 600_000


def test_a_network_of_which_nothing_varies_is_one_point_of_a_sample() -> None:
    specs = [str(SPECS / "alexnet.yaml"), str(SPECS / "mobilenetv2.yaml")]
    study = sweep(specs, ["width=0.5:1"], Request(metrics=("macs",)), sample=7, seed=3)
    found = rows(study)
    assert [row["spec"] for row in found] == ["alexnet"] + 7 * ["mobilenetv2"]
    assert (found[0]["macs"], study.seed) == (724_406_816, 3)


def test_no_point_of_a_sample_is_twice_among_the_best() -> None:
    """Of 60 draws from 13 points, some are the same."""
    spec, vary = [str(SPECS / "mobilenetv2.yaml")], ["h=128:224:8"]
    drawn = rows(sweep(spec, vary, Request(metrics=("macs",)), sample=60))
    different = {row["h"]: row["macs"] for row in drawn}
    assert len(drawn) == 60 > len(different) > 5
    for count in (5, 60):
        best = rows(sweep(spec, vary, Request(top=count, by="macs:max"), sample=60))
        assert [row["macs"] for row in best] == sorted(different.values(), reverse=True)[:count]
        assert len({row["h"] for row in best}) == len(best)
    front = rows(sweep(spec, vary, Request(pareto=("macs", "h:max")), sample=60))
    assert [row["h"] for row in front] == sorted(
        h for h, macs in different.items()
        if not any(m <= macs and other >= h and (m, other) != (macs, h)
                   for other, m in different.items())
    )  # fmt: skip


def test_a_sampled_row_is_a_single_analysis() -> None:
    analysis = analyze(SPECS / "mobilenetv2.yaml")
    study = sweep([str(SPECS / "mobilenetv2.yaml")], ["width=0.25:2", "h=32:512", "w=h"],
                  Request(metrics=("macs", "params")), sample=300, seed=3)  # fmt: skip
    found = rows(study)
    assert len(found) == 300
    for row in found[:25]:
        point = analysis.at(width=row["width"], h=row["h"], w=row["w"])
        assert (row["macs"], row["params"]) == (point.macs, point.params)


def test_a_sampled_structure_is_a_single_analysis() -> None:
    study = sweep([str(SPECS / "maxvit.yaml")], ["h=224,448,100", "w=h", "n=1:3"],
                  Request(metrics=("memory_peak_best",)), sample=6, seed=1)  # fmt: skip
    found = rows(study)
    assert len(found) + study.tally.invalid == 6
    for row in found[:2]:
        settings = {name: row[name] for name in ("h", "w", "n")}
        single = analyze(SPECS / "maxvit.yaml", settings=settings)
        assert row["memory_peak_best"] == single.value("memory_peak_best")


def test_links_hang_on_links() -> None:
    found = swept("mobilenetv2.yaml", ["w=2*n", "n=h/32", "h=64,96"], "macs")
    assert [(row["h"], row["n"], row["w"]) for row in found] == [(64, 2, 4), (96, 3, 6)]


@pytest.mark.parametrize(
    ("vary", "cause"),
    [
        (["hh=1,2"], "the spec has no symbol 'hh'"),
        (["h=1,2", "h=3"], "'h' is varied twice"),
        (["h"], "--vary takes name=values, not 'h'"),
        (["h=64:32:8"], "an empty range: 64 is more than 32"),
        (["h=32:64:0"], "the step is 0; it must be more than 0"),
        (["h=32:64:-8"], "the step is -8; it must be more than 0"),
        (["h=32:64:*1"], "the factor is 1; it must be more than 1"),
        (["width=0:4:*2"], "a range by factors begins above 0, not at 0"),
        (["h=32:64:8:2"], "'32:64:8:2' is no range first:last:step"),
        (["h=0.5,1"], "h = 0.5 must be an integer"),
        (["h=-3"], "h = -3 must be positive"),
        (["h=32,32"], "the value 32 stands there twice"),
        (["h=w", "w=h"], "the links of h, w go in a circle"),
        (["h=w,3"], "'w' is no number; a link to other symbols is one expression alone"),
        (["h=2*q"], "--vary h: unknown name 'q'"),
        (["h=[1,2]"], r"\[1,2\] is a list; a symbol is a number"),
        (["h=1:10**9:1"], "1,000,000,000 values of one symbol; at most 1,000,000 are swept"),
        (["h=1:10**9"], "1,000,000,000 values; at most 1,000,000 are swept"),
        (
            ["h=1:10**6", "w=1:10**6", "n=1,2"],
            "2,000,000,000,000 points; at most 1,000,000,000,000",
        ),
        (["width=0.5:1"], "has no step, and width is real"),
        (["h=32:64:log"], "is what a sample draws from"),
        (
            ["head=640:1280:log"],
            "--vary head: of a name that is no symbol, a few numbers are swept",
        ),
        (["h=32:64:x"], "the step = x is no number"),
        (["h=3+"], "--vary h=3"),
        ([], "nothing varies"),
    ],
)
def test_bad_variations(vary: list[str], cause: str) -> None:
    with pytest.raises(SpecError, match=cause):
        swept("mobilenetv2.yaml", vary)


def test_a_billion_points_are_no_error() -> None:
    assert space(["h=1:10**5", "w=1:10**4"]).size == 10**9


def test_set_and_varied() -> None:
    with pytest.raises(SpecError, match="'h' is varied and set to 64"):
        space(["h=1,2"], h=64)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (Request(metrics=("mac",)), "unknown name 'mac'"),
        (Request(metrics=("macs,params",)), "expected an operator before ','"),
        (Request(metrics=("3",)), "speaks of no metric and of no symbol"),
        (Request(where=("macs",)), "--where macs: a number stands where a condition must stand"),
        (Request(where=("macs <= 3 +",)), "expected a number or a name at the end"),
        (Request(pareto=("macs:low",)), "'low' is no direction"),
        (Request(pareto=("macs", "macs:max")), "--pareto names 'macs' twice"),
        (Request(top=3), "--top needs --by"),
        (Request(by="macs"), "--by is of --top"),
        (Request(top=0, by="macs"), "--top 0 keeps nothing"),
        (Request(metrics=("macs/(h - 96)",)), r"'macs/\(h - 96\)': a division by zero"),
        (Request(metrics=("macs**h",)), "an exponent is an integer of at most 16"),
    ],
)
def test_bad_questions(said: Request, cause: str) -> None:
    def asked() -> None:
        study = sweep([str(SPECS / "mobilenetv2.yaml")], ["h=96,128"], said)
        for chunk in study.rows():
            for field in fields_of(study):
                field.values(chunk)

    with pytest.raises(SpecError, match=cause):
        asked()


@pytest.mark.parametrize(
    ("specs", "cause"),
    [
        (["alexnet.yaml@*"], "has no variants"),
        (["resnet.yaml@*", "resnet.yaml@resnet50"], "is swept twice"),
        (["resnet.yaml@resnet51"], "there is no variant 'resnet51'"),
    ],
)
def test_bad_specs(specs: list[str], cause: str) -> None:
    with pytest.raises(SpecError, match=cause):
        sweep([str(SPECS / spec) for spec in specs], ["h=64"])


def test_a_symbol_that_one_spec_lacks() -> None:
    """AlexNet has no width: one row for each of the other values, with nothing for it."""
    specs = [str(SPECS / "alexnet.yaml"), str(SPECS / "mobilenetv2.yaml")]
    study = sweep(specs, ["width=0.5,1", "h=128,224", "w=h"], Request(metrics=("macs",)))
    found = rows(study)
    analyses = {"alexnet": analyze(specs[0]), "mobilenetv2": analyze(specs[1])}
    points: list[tuple[str, Rational | None, int]] = [("alexnet", None, h) for h in (128, 224)]
    points += [("mobilenetv2", w, h) for w in (Fraction(1, 2), 1) for h in (128, 224)]
    assert [(row["spec"], row["width"], row["h"]) for row in found] == points
    for name, width, h in points:
        own: dict[str, Rational] = {} if width is None else {"width": width}
        row = found[points.index((name, width, h))]
        assert row["macs"] == analyses[name].at(h=h, w=h, **own).macs
    assert study.tally.points == study.size == 6
    for said in (
        Request(where=("width <= 1",)),
        Request(sort=("width",)),
        Request(pareto=("width*h",)),
    ):
        with pytest.raises(SpecError, match="some networks have no such symbol"):
            rows(sweep(specs, ["width=0.5,1", "h=128"], said))
    with pytest.raises(SpecError, match=r"no spec has a symbol 'widht'\n  hint: did you mean 'wid"):
        sweep(specs, ["widht=1,2"])
    with pytest.raises(SpecError, match=r"alexnet.yaml has no symbol 'width'"):
        rows(sweep(specs, ["h=224"], Request(where=("width <= 1",))))


def test_what_and_joins_is_asked_of_what_is_left(archcost: Run) -> None:
    """At h = 96 the second part has no value; the first has left that point out by then."""
    vary = ["sweep", "specs/mobilenetv2.yaml", "--vary", "h=96,128", "w=h", "--metric", "macs"]
    done = archcost(*vary, "--where", "h > 96 and macs/(h - 96) > 1")
    assert done.returncode == 0, done.stderr
    assert "99,074,048" in done.stdout
    refused = archcost(*vary, "--where", "macs/(h - 96) > 1")
    assert (refused.returncode, "division by zero" in refused.stderr) == (2, True)

"""Tables of networks: which rows, which columns, in which units and order."""

import csv
import json
from collections.abc import Callable
from fractions import Fraction
from io import StringIO
from pathlib import Path

import pytest

from archspec import SpecError
from costmodel.metrics.registry import METRICS
from costmodel.network.networks import names_several, networks
from costmodel.studies.units import ShownUnit, in_unit, units_of
from tests.conftest import ROOT, Run

Golden = Callable[[str, str], None]

LECTURE = ("specs/alexnet.yaml", "specs/vgg.yaml", "specs/resnet.yaml@resnet50")
"""The networks of MIT 6.5940, lecture 2."""

STYLED = (
    "table",
    *LECTURE,
    *("--metric", "params", "macs", "memory_peak"),
    *("--columns", "name", "variant", "h"),
    *("--unit", "params=M", "macs=G", "memory_peak=MiB"),
    *("--digits", "1", "--sort", "macs:desc", "--caption", "The lecture's networks_"),
    *("--convention", "lecture"),
)


@pytest.mark.parametrize("shape", ["table", "markdown", "latex", "rst", "csv", "json"])
def test_golden(shape: str, archcost: Run, golden: Golden) -> None:
    done = archcost(*STYLED, "--format", shape)
    assert (done.returncode, done.stderr) == (0, "")
    golden(f"tabulation.{shape}", done.stdout)


def test_golden_laws(archcost: Run, golden: Golden) -> None:
    done = archcost("specs/mlp.yaml", "specs/vgg.yaml", "--symbolic", "--format", "markdown")
    golden("tabulation-symbolic.md", done.stdout)


def test_long_laws_stand_below_each_other(archcost: Run) -> None:
    """A terminal has no room for them beside each other, and what it leaves out is all there is."""
    shown = archcost("table", "mlp", "resnet50", "--symbolic", "--metric", "macs", "params").stdout
    assert shown.startswith("MLP\n  macs              d*n*(c*h*w + classes + d)\n  params ")
    assert "\nResNet              resnet50\n  macs " in shown
    assert "\n  where             c64 = round_to(64*width, 8)\n" in shown


@pytest.mark.parametrize(
    "words", [("diff", "specs/mlp.yaml", "specs/mlp.yaml"), ("sensitivity", "mlp")]
)
def test_what_takes_no_expression_says_so(words: tuple[str, ...], archcost: Run) -> None:
    done = archcost(*words, "--metric", "macs/params")
    assert done.returncode == 2
    assert "'macs/params' is an expression, and this takes metrics" in done.stderr


def rows(archcost: Run, *arguments: str) -> list[dict[str, str]]:
    """The rows of a table, by the heads of its columns."""
    done = archcost(*arguments, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(StringIO(done.stdout)))


def test_several_specs_have_a_row_each(archcost: Run) -> None:
    """The lecture's params and MACs of AlexNet; VGG-16's: Simonyan and Zisserman, 138 M."""
    found = rows(archcost, *LECTURE[:2], "--metric", "params", "macs", "--convention", "lecture")
    assert [row["name"] for row in found] == ["AlexNet", "VGG"]
    assert [row["params"] for row in found] == ["60954656", "138344128"]
    assert found[0]["macs"] == "724406816"
    assert {row["convention"] for row in found} == {"lecture"}


def test_a_pattern_is_expanded_in_order_and_a_star_is_all_variants(archcost: Run) -> None:
    found = rows(archcost, "specs/*net*.yaml", "--columns", "spec", "--metric", "params")
    specs = [row["spec"] for row in found]
    assert specs == sorted(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("specs/*net*.yaml")
    )
    varied = rows(archcost, "specs/vgg.yaml@*", "--metric", "params")
    assert [row["variant"] for row in varied][:2] == ["vgg11", "vgg13"]


def test_settings_and_conventions_are_of_all(archcost: Run) -> None:
    one = json.loads(
        archcost(LECTURE[1], "--set", "h=192", "--convention", "torch", "--format", "json").stdout
    )
    both = rows(archcost, *LECTURE[:2], "--set", "h=192", "--convention", "torch", "--columns", "h")
    assert both[1]["macs"] == str(one["totals"]["macs"]["value"])
    assert [row["h"] for row in both] == ["192", "192"]
    assert both[0]["convention"] == "torch"


@pytest.mark.parametrize("sort", [("macs",), ("macs:desc",), ("name",), ("classes", "macs:desc")])
def test_rows_are_sorted(sort: tuple[str, ...], archcost: Run) -> None:
    """Numbers as numbers; a network without such a symbol comes first; the first key first."""
    found = rows(archcost, *LECTURE, "--columns", "name", "classes", "--sort", *sort)
    keys = [
        [
            row[key].casefold() if key == "name" else int(row[key] or -1) * (-1 if down else 1)
            for key, _, down in (text.partition(":") for text in sort)
        ]
        for row in found
    ]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (724_406_816, 2, "724.41"),
        (724_405_000, 2, "724.41"),
        (724_404_999, 2, "724.40"),
        (724_406_816, 0, "724"),
        (999_995_000_000, 2, "999,995.00"),
        (999_999_999_999, 2, "1,000,000.00"),
        (1, 2, "0.00"),
        (2**200, 3, f"{round(2**200, -3) // 10**6:,}.{round(2**200, -3) // 1000 % 1000}"),
        (Fraction(12_345_678, 10), 2, "1.23"),
    ],
)
def test_numbers_in_a_unit_are_rounded_exactly(
    value: int | Fraction, digits: int, shown: str
) -> None:
    """Also where a float would not hold them: 2**200 is rounded as a whole number."""
    assert in_unit(value, ShownUnit("M", 10**6), digits, grouped=True) == shown


def test_units_are_those_of_the_metric() -> None:
    assert units_of(METRICS["macs"])["M"] == 10**6
    assert units_of(METRICS["macs"])["Ki"] == 1024
    assert units_of(METRICS["memory_peak"])["MiB"] == 2**20
    assert "M" not in units_of(METRICS["memory_peak"])


def test_which_words_name_several() -> None:
    assert not names_several(["specs/alexnet.yaml"])
    assert not names_several(["specs/resnet.yaml@resnet50"])
    assert names_several(["specs/*.yaml"])
    assert names_several(["specs/alexnet.yaml@*"])
    assert names_several(["specs/alexnet.yaml", "specs/vgg.yaml"])


def test_a_spec_without_variants_is_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert [found.variant for found in networks(["specs/alexnet.yaml@*"])] == [None]
    with pytest.raises(SpecError, match=r"no spec matches 'specs/x\*'"):
        list(networks(["specs/x*"]))


def test_the_file_is_named_where_a_setting_is_of_no_symbol(archcost: Run) -> None:
    done = archcost("specs/alexnet.yaml", "specs/bert.yaml", "--set", "h=192")
    assert done.returncode == 2
    assert "specs/bert.yaml" in done.stderr
    assert "'h'" in done.stderr


def test_types_that_differ_are_told_of_how_many_networks(archcost: Run, tmp_path: Path) -> None:
    spec = tmp_path / "small.yaml"
    spec.write_text(
        "archspec: 1\nname: small\ninput: [1, 8]\nprecision: int8\n"
        "layers: [{linear: {out_features: 8}}]\n"
    )
    told = archcost(str(spec), *LECTURE, "--metric", "params").stdout.splitlines()[-4:]
    assert [line.split(None, 1)[1] for line in told if line.startswith("types")] == [
        "weights int8, activations int8, accumulators int32 (1 network)",
        "weights fp32, activations fp32, accumulators fp32 (3 networks)",
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["check", "specs/mobilenetv[23].yaml"], ("mobilenetv2.yaml", "mobilenetv3.yaml")),
        (
            ["compare", "specs/mobilenetv[23].yaml", "--metric", "macs"],
            ("mobilenetv2", "mobilenetv3"),
        ),
        (["sweep", "specs/vgg*.yaml@*", "--metric", "macs"], ("vgg11", "vgg19")),
    ],
)
def test_patterns_are_expanded_by_every_command_of_several(
    words: list[str], names: tuple[str, ...], archcost: Run
) -> None:
    """No shell stands before a marker of a page."""
    done = archcost(*words)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in names)
    missing = archcost(words[0], "specs/nothing*.yaml", *words[2:])
    assert missing.returncode == 2
    assert "no spec matches 'specs/nothing*.yaml'" in missing.stderr


TWO = ("resnet18", "mobilenet_v2")


def test_expressions_of_metrics_are_columns(archcost: Run) -> None:
    """ResNet-18: 1,814,073,344 MACs of 11,689,512 parameters (torchvision's own counts)."""
    found = rows(archcost, "table", *TWO, "--metric", "macs", "params", "macs/params")
    ratio = Fraction(1_814_073_344, 11_689_512)
    assert found[0]["macs/params"] == f"{float(ratio):.2f}"
    shown = archcost("table", *TWO, "--metric", "macs/params", "--digits", "macs/params=3").stdout
    assert f"{float(ratio):.3f}" in shown
    done = archcost("table", "mlp", "--metric", "macs/(params - params)", "--format", "json")
    assert json.loads(done.stdout)["networks"][0]["macs/(params - params)"] is None


def test_expressions_have_closed_forms(archcost: Run) -> None:
    done = archcost("table", "mlp", "--metric", "params", "macs/params", "--symbolic")
    assert "d*n*(c*h*w + classes + d)/(c*d*h*w + classes*d + classes + 2*d + d**2)" in done.stdout


def test_a_last_row_has_sums_or_means(archcost: Run) -> None:
    """An expression's is that of the sums; what is a largest has no sum."""
    words = ("table", *TWO, "--metric", "params", "macs", "macs/params", "memory_peak")
    data = json.loads(archcost(*words, "--total", "--format", "json").stdout)
    networks = data["networks"]
    params, macs = (sum(each[name] for each in networks) for name in ("params", "macs"))
    assert (data["total"]["params"], data["total"]["macs"]) == (params, macs)
    assert Fraction(data["total"]["macs/params"]) == Fraction(macs, params)
    assert "memory_peak" not in data["total"]
    means = json.loads(archcost(*words, "--mean", "--format", "json").stdout)["mean"]
    assert means["params"] == params / 2
    assert means["memory_peak"] == sum(each["memory_peak"] for each in networks) / 2


def test_networks_as_columns(archcost: Run) -> None:
    words = ("table", *TWO, "--metric", "params", "macs", "--transpose")
    found = list(csv.reader(StringIO(archcost(*words, "--format", "csv").stdout)))
    straight = list(csv.reader(StringIO(archcost(*words[:-1], "--format", "csv").stdout)))
    assert found == [list(column) for column in zip(*straight, strict=True)]
    shown = archcost(*words).stdout.splitlines()
    assert shown[0].split() == ["network", "ResNet", "MobileNetV2"]
    assert ["#params", "11,689,512", "3,504,872"] in [line.split() for line in shown]


def test_a_symbol_of_one_network(archcost: Run) -> None:
    words = ("table", *TWO, "--metric", "params", "--set", "mobilenet_v2:width=0.5")
    alone = rows(archcost, "table", "mobilenet_v2", "--metric", "params", "--set", "width=0.5")
    found = rows(archcost, *words)
    assert [row["params"] for row in found] == ["11689512", alone[0]["params"]]


def test_inputs_are_shown_where_they_differ(archcost: Run) -> None:
    shown = archcost("table", "alexnet", "mlp", "--metric", "params").stdout
    assert shown.splitlines()[0].split() == ["network", "input", "#params"]
    assert "1×1×28×28" in shown
    shown = archcost("table", "alexnet", "vgg16", "--metric", "params").stdout
    assert "1×3×224×224" not in shown


@pytest.mark.parametrize(
    ("shape", "link"),
    [
        ("markdown", "[AlexNet](docs/AlexNet%20a.md)"),
        ("latex", r"\href{docs/AlexNet\%20a.md}{AlexNet}"),
        ("rst", "`AlexNet <docs/AlexNet%20a.md>`__"),
        ("html", '<a href="docs/AlexNet%20a.md">AlexNet</a>'),
        ("table", " AlexNet "),
    ],
)
def test_names_lead_somewhere(shape: str, link: str, archcost: Run) -> None:
    done = archcost("table", "alexnet", "--links", "docs/{name} a.md", "--format", shape)
    assert link in done.stdout


def test_columns_by_pattern(archcost: Run) -> None:
    found = rows(archcost, "table", *TWO, "--columns", "[nv]a*", "[hw]", "--metric", "params")
    assert list(found[0]) == ["name", "variant", "h", "w", "params", "convention"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--metric", "macs/(params"), "--metric macs/(params: expected ')' at the end"),
        (("--metric", "macs/parms"), "unknown metric 'parms'"),
        (("--metric", "1 + 1"), "--metric 1 + 1 is of no metric"),
        (("--metric", "macs > params"), "macs > params is no number"),
        (("--digits", "macs=3"), "--digits macs: counts are shown whole"),
        (("--digits", "3", "4"), "--digits 3 4: one is of all columns"),
        (("--digits", "macs=x"), "--digits takes a number, or column=number"),
        (("--total", "--symbolic"), "--total is of numbers"),
        (("--links", "{x}"), "--links {x} is no address"),
        (("--set", "vgg17:h=3"), "there is no network 'vgg17' here"),
    ],
)
def test_what_is_no_table(words: tuple[str, ...], said: str, archcost: Run) -> None:
    done = archcost("table", "alexnet", "vgg16", *words)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr


def test_rows_and_columns_by_pattern(archcost: Run) -> None:
    shown = archcost("table", "resnet@resnet1*", "--metric", "mem*", "macs*1").stdout
    assert [line.split()[1] for line in shown.splitlines()[2:5]] == [
        "resnet18",
        "resnet101",
        "resnet152",
    ]
    assert "peak memory, best order" in shown
    assert "macs*1" in shown
    assert "description " in archcost("mlp", "--columns", "lay*", "desc*").stdout
    assert archcost("value", "mlp", "--metric", "acc*").stderr.startswith("archcost: no metric is")
    assert "name one with --hardware" in archcost("mlp", "--metric", "lat*").stderr


def test_expressions_of_one_network(archcost: Run) -> None:
    shown = archcost("mlp", "--metric", "macs/params", "macs", "--unit", "macs=k").stdout
    assert "macs/params   MACs (k)" in shown
    assert "262.14" in shown
    assert archcost("value", "mlp", "--metric", "params/macs", "--digits", "4").stdout == "1.0015\n"
    data = json.loads(archcost("mlp", "--metric", "params/macs", "--format", "json").stdout)
    assert data["totals"]["params/macs"]["value"] == pytest.approx(669_706 / 668_672)
    assert data["layers"][0]["params/macs"] is None
    law = archcost("mlp", "--metric", "macs/n", "--symbolic")
    assert law.returncode == 2  # n is no metric
    csv = archcost("mlp", "--metric", "macs/params", "macs", "--unit", "macs=k", "--format", "csv")
    assert csv.stdout.splitlines()[-1] == "total,,,1.00,668.67,torch"
    shown = archcost("compare", "alexnet", "mlp", "--metric", "macs/params").stdout
    assert shown.splitlines()[2].split() == ["macs/params", "11.88", "1.00", "0.084"]


def test_total_and_mean(archcost: Run) -> None:
    for form in ("table", "markdown", "latex", "rst", "html"):
        words = ("--metric", "params", "--total", "--mean", "--format", form)
        shown = archcost("table", "alexnet", "mlp", *words).stdout
        assert shown.index("61,634,930") < shown.index("30,817,465")


def test_a_setting_of_one_network(archcost: Run) -> None:
    for spec in ("specs/mobilenetv2.yaml", "mobilenet_v2", "mobilenetv2@mobilenet_v2"):
        words = ("--metric", "params", "--set", "mobilenet_v2:width=0.75")
        assert "2,636,424" in archcost("table", spec, "alexnet", *words).stdout
        assert "2,636,424" in archcost("compare", spec, "alexnet", *words).stdout

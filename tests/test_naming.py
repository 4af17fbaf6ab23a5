"""Names for what laws share, and the spec's own: what they are, and where they stand."""

from math import ceil
from pathlib import Path
from typing import Any

import pytest

from archspec.arithmetic import round_to
from costmodel import Analysis, analyze
from costmodel.algebra.printing import Latex, PythonText
from costmodel.render import find_renderer
from costmodel.studies.report import Report
from costmodel.studies.report_document import document

NET = """archspec: 1
name: net
symbols: {{n: 1, h: 64, w: 64, {real}: {{default: 1, domain: real}}{more}}}
let:
  c1: round_to(32*{real}, 8)
  wide: [2*c1, "round_to(48*{real}, 8)"]
  doubled: 2*c1
input: [n, 3, h, w]
layers:
  - conv2d: {{out_channels: c1, kernel_size: 3, stride: 2, padding: 1}}
  - conv2d: {{out_channels: "wide[1]", kernel_size: 3, padding: 1}}
  - conv2d: {{out_channels: "round_to(24*{real}, 8)", kernel_size: 3, padding: 1}}
  - conv2d: {{out_channels: 8, kernel_size: 3, stride: 2, padding: 1}}
  - conv2d: {{out_channels: 64, kernel_size: 3, padding: 1}}
"""


def network(tmp_path: Path, real: str = "width", more: str = "") -> Analysis:
    file = tmp_path / "net.yaml"
    file.write_text(NET.format(real=real, more=more), encoding="utf-8")
    return analyze(file)


def defined(report: Report) -> dict[str, str]:
    return dict(report.naming(report.totals).definitions())


def test_names_tell_what_they_are(tmp_path: Path) -> None:
    assert defined(Report(network(tmp_path), symbolic=True)) == {
        "c1": "round_to(32*width, 8)",
        "c24": "round_to(24*width, 8)",
        "r2": "ceil(h/2)*ceil(w/2)",
        "r4": "ceil(h/4)*ceil(w/4)",
        "wide_1": "round_to(48*width, 8)",
    }


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    """A symbol r2, and a symbol whose name is the one that the channels would have."""
    more = ", r2: 1, c24: 2"
    report = Report(network(tmp_path, more=more), symbolic=True)
    names = defined(report)
    assert names["r2_2"] == "ceil(h/2)*ceil(w/2)"
    assert names["c24_2"] == "round_to(24*width, 8)"
    assert not {"r2", "c24"} & names.keys()


def test_a_name_that_stands_nowhere_is_not_given(tmp_path: Path) -> None:
    """Channels that are a quotient: their product with a map that has a name gets none."""
    conv = "{{conv2d: {{out_channels: {}, kernel_size: 3, stride: {}, padding: 1}}}}"
    steps = [(64, 2), (64, 1), ("ceil(c/3)", 1), ("ceil(c/3)", 1), (64, 1)]
    file = tmp_path / "net.yaml"
    file.write_text(
        "archspec: 1\nname: net\nsymbols: {c: 64, h: 64, w: 64}\ninput: [1, c, h, w]\n"
        f"layers: [{', '.join(conv.format(*step) for step in steps)}]\n",
        encoding="utf-8",
    )
    assert defined(Report(analyze(file), symbolic=True)) == {"r2": "ceil(h/2)*ceil(w/2)"}


def test_numbers_have_no_names(tmp_path: Path) -> None:
    assert defined(Report(network(tmp_path))) == {}


def test_layers_keep_the_own_names_of_the_spec(tmp_path: Path) -> None:
    """A layer's law stands for itself, but for what the spec calls by a name."""
    shown = find_renderer("table")(document(Report(network(tmp_path), symbolic=True)))
    assert "params            28*c1\n" in shown
    assert "macs              9*n*c1*wide_1*ceil(h/2)*ceil(w/2)" in shown
    assert "where             c1 = round_to(32*width, 8)\n" in shown


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("markdown", "- where: `c1 = round_to(32*width, 8)`\n"),
        (
            "latex",
            r"\raggedright $c_{1} = {\mathrm{round\_to}(32\,\mathrm{width}, 8)}$",
        ),
    ],
)
def test_other_formats_say_it_too(format: str, line: str, tmp_path: Path) -> None:  # noqa: A002
    assert line in find_renderer(format)(document(Report(network(tmp_path), symbolic=True)))


@pytest.mark.parametrize("format", ["json", "csv"])
def test_data_has_every_law_written_out(format: str, tmp_path: Path) -> None:  # noqa: A002
    shown = find_renderer(format)(document(Report(network(tmp_path), symbolic=True)))
    assert "c1" not in shown
    assert "r2" not in shown


def test_definitions_come_before_their_use() -> None:
    """``m1 = min(1, k1 - 1)`` after ``k1 = ceil(depth)``: run in their order, all have a value."""
    report = Report(
        analyze(Path(__file__).parent.parent / "specs/efficientnet.yaml"), symbolic=True
    )
    naming = report.naming(report.totals)
    known: dict[str, Any] = {"ceil": ceil, "min": min, "round_to": round_to}
    known |= {"h": 224, "w": 224, "width": 1, "depth": 2}
    for name, text in naming.definitions():
        known[name] = eval(text, {"__builtins__": {}}, known)
    assert (known["k1"], known["m1"], known["c16"], known["r32"]) == (2, 1, 16, 49)
    assert [name for name, _ in naming.definitions()][:3] == ["c16", "c24", "c32"]


def test_a_product_is_named_within_a_larger_one() -> None:
    analysis = analyze(Path(__file__).parent.parent / "specs/vgg.yaml")
    h, w = (analysis.symbols[name] for name in "hw")
    named = {h * w: "r"}
    assert PythonText(named)(3 * h * w**2) == "3*h*w**2"
    assert PythonText(named)(3 * h * w + h) == "3*r + h"
    assert Latex(named)(3 * h * w) == r"3 \cdot r"

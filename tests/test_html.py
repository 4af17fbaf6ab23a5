"""HTML: well formed, nothing of a spec's text is an element, and the formulas mean the numbers."""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor, log2, sqrt
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from archspec.arithmetic import round_to
from costmodel import analyze
from costmodel.render.html import render
from costmodel.studies.report import Report
from costmodel.studies.report_document import document
from tests.commands import run_here

FUNCTIONS = {
    "max": max,
    "min": min,
    "round_to": round_to,
    "floor": floor,
    "ceil": ceil,
    "sqrt": sqrt,
    "log2": log2,
    "Fraction": Fraction,
}

SIGNS = {"·": "*", "−": "-", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")"}


def page(text: str) -> Element:
    """Return a part of a page as a tree, read as XML: every element ends where it has to."""
    named = {"&emsp;": " "}
    for entity, sign in named.items():
        text = text.replace(entity, sign)
    return ElementTree.fromstring(text.partition("\n")[2])


def in_python(element: Element) -> str:
    """Return MathML as Python, by its own reading of the elements."""
    inner = [in_python(each) for each in element]
    match element.tag, inner:
        case "mfrac", [over, under]:
            return f"(Fraction(1)*({over})/({under}))"
        case "msup", [base, exponent]:
            return f"(({base})**({exponent}))"
        case "msqrt", _:
            return f"sqrt({''.join(inner)})"
        case "msub", [name, index]:
            return f"{name}_{index}"
        case (("mi" | "mn"), _):
            return element.text or ""
        case "mo", _:
            return SIGNS.get(element.text or "", element.text or "")
    return "".join(inner)


def values_of(spec: str) -> dict[str, Fraction]:
    analysis = analyze(spec)
    return {n: Fraction(v) for n, v in analysis.graph.values.items()}


SPECS = ("alexnet", "unet", "mobilenetv2@mobilenet_v2", "gpt2", "densenet@densenet121")


def totals(tree: Element) -> Iterator[str]:
    for math in tree.iterfind(".//tfoot//math"):
        yield in_python(math)


@pytest.mark.parametrize("spec", SPECS)
def test_totals_and_names_have_their_values(spec: str) -> None:
    """The names below the table are worked out first, then the totals are the numbers."""
    family, at, variant = spec.partition("@")
    path = f"specs/{family}.yaml{at}{variant}"
    analysis = analyze(path)
    report = Report(analysis, ("params", "macs", "activations"), symbolic=True)
    tree = page(render(document(report)))
    known = {**FUNCTIONS, **values_of(path)}
    definitions = [in_python(math).split("=", 1) for math in tree.iterfind(".//dl//math")]
    waiting = [each for each in definitions if len(each) == 2]
    while waiting:  # a name may stand for what has names in it
        name, formula = waiting.pop(0)
        try:
            known[name.replace("_", "")] = known[name] = eval(formula, dict(known))
        except NameError:
            waiting.append([name, formula])
    found = [eval(each, dict(known)) for each in totals(tree)]
    assert found == [analysis.value(metric) for metric in ("params", "macs", "activations")]


@pytest.mark.parametrize("command", ["explain", "memory", "check", "report"])
def test_pages_are_well_formed(command: str) -> None:
    words = ("specs/alexnet.yaml",) if command == "report" else (command, "specs/alexnet.yaml")
    done = run_here(*words, "--format", "html")
    tree = page(done.stdout)
    assert tree.tag == "section"
    assert len(tree.findall(".//dd")) + len(tree.findall(".//td")) > 4


def test_a_specs_text_is_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>&amp;<b>"
    (tmp_path / "net.yaml").write_text(
        f"archspec: 1\nname: '{hostile}'\nsource: '{hostile}'\ninput: [1, 3, 8, 8]\n"
        f"layers: [{{conv2d: {{out_channels: 4, kernel_size: 3}}, name: a}}]\n"
    )
    shown = run_here(tmp_path / "net.yaml", "--format", "html").stdout
    tree = page(shown)
    assert not [each for each in tree.iter() if each.tag in ("script", "b")]
    assert hostile in "".join(tree.itertext())

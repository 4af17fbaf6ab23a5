"""The functions of Python: the commands' answers, for every kind of source, shown in notebooks."""

import json
import subprocess
import sys
from inspect import signature
from typing import Any
from xml.etree import ElementTree

import pytest

import costmodel
from archspec import SpecError
from costmodel import analyze, compare, fit, latency, solve, sweep_points, training, zoo
from costmodel.studies import QUESTIONS
from tests.commands import ROOT, run_here

SPEC: dict[str, Any] = {
    "archspec": 1,
    "name": "net",
    "symbols": {"h": 8, "width": {"default": 1, "domain": "real"}},
    "input": [1, 3, "h", 8],
    "layers": [
        {"conv2d": {"out_channels": "round_to(8*width, 8)", "kernel_size": 3}, "name": "first"},
        "relu",
    ],
}


def test_every_question_is_a_function_with_help() -> None:
    assert {*costmodel.QUESTIONS} == {name.replace("-", "_") for name in QUESTIONS}
    for name in costmodel.QUESTIONS:
        function = getattr(costmodel, name)
        assert function.__doc__
        assert function.__name__ == name
        assert "self" not in signature(function).parameters


@pytest.mark.parametrize("source", [SPEC, json.dumps(SPEC, indent=1)])
def test_a_mapping_and_a_text_are_specs(source: Any) -> None:
    analysis = analyze(source)
    assert str(analysis.params) == "28*round_to(8*width, 8)"
    assert analysis.at(width=2).params == 28 * 16


def test_a_name_a_path_and_an_analysis_are_one_network() -> None:
    path = ROOT / "specs" / "resnet.yaml"
    found = [analyze("resnet50"), analyze(f"{path}@resnet50"), analyze("resnet@resnet50")]
    assert {each.value("params") for each in found} == {25_557_032}
    by_name, by_analysis = solve("alexnet", for_="h", where="macs <= 1G"), analyze("alexnet")
    most = by_name.data()["value"]
    assert by_analysis.at(h=most).macs <= 10**9 < by_analysis.at(h=most + 1).macs
    with pytest.raises(SpecError, match="'h' alone must be open"):
        solve(analyze("alexnet", settings={"h": 224}), for_="h", where="macs <= 1G")
    assert costmodel.explain(by_analysis).data() == costmodel.explain("alexnet").data()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"archspec": 1, "name": "x"}, "<mapping>:1:1: the field 'input' is required"),
        ({**SPEC, "layers": ["rleu"]}, "kind 'rleu'"),
        ({**SPEC, "layers": [object()]}, "the mapping has what is no plain value"),
        ("archspec: 1\nname: x\n", "<text>:1:1:"),
    ],
)
def test_what_is_no_spec(source: Any, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        analyze(source)
    assert message in "\n".join(refused.value.messages)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            lambda: latency("resnet50", scenario={"hardware": "t4", "dtype": "fp16"}),
            ("latency", "resnet50", "--hardware", "t4", "--dtype", "fp16"),
        ),
        (lambda: training("gpt2", settings={"n": 2}), ("training", "gpt2", "--set", "n=2")),
        (
            lambda: compare(["resnet18", "vgg11"], metric="macs", convention="lecture"),
            ("compare", "resnet18", "vgg11", "--metric", "macs", "--convention", "lecture"),
        ),
        (lambda: zoo("vgg1"), ("zoo", "vgg1")),
        (
            lambda: fit("mcunet", scenario={"hardware": "stm32f746", "dtype": "int8"}),
            ("fit", "mcunet", "--hardware", "stm32f746", "--dtype", "int8"),
        ),
    ],
)
def test_a_function_answers_as_its_command(document: Any, words: tuple[str, ...]) -> None:
    done = run_here(*words, "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    shown = json.loads(done.stdout)
    assert _values(json.loads(json.dumps(document().data(), default=float))) == _values(shown)


def _values(data: Any) -> Any:
    """Return data without closed forms, which a command works out in open symbols."""
    if isinstance(data, dict):
        return {key: _values(value) for key, value in data.items() if key != "expr"}
    return [_values(each) for each in data] if isinstance(data, list) else data


def test_a_sweep_is_columns_of_exact_numbers() -> None:
    points = sweep_points(
        "mobilenet_v2", ["h=96:224:32", "w=h"], metric="macs", where="macs <= 200M"
    )
    assert repr(points) == "<sweep of 5 points>"
    pytest.importorskip("pyarrow")
    rows = points.to_arrow().to_pylist()
    net = analyze("mobilenet_v2")
    expected = [{"h": h, "w": h, "macs": net.at(h=h, w=h).macs} for h in range(96, 225, 32)]
    assert rows == [row for row in expected if row["macs"] <= 200_000_000]


def test_notebooks_show_networks_and_answers() -> None:
    answers: tuple[Any, ...] = (
        analyze("alexnet"),
        analyze("alexnet").at(h=128),
        solve("alexnet", for_="h", where="macs <= 1G"),
        sweep_points("alexnet", "h=128,224"),
    )
    for shown in answers:
        page = shown._repr_html_()
        tree = ElementTree.fromstring(f"<div>{page.replace('&emsp;', ' ')}</div>")
        assert tree.find(".//td") is not None or tree.find(".//dd") is not None
    page = answers[0]._repr_html_().replace("&emsp;", " ")
    formulas = ElementTree.fromstring(f"<div>{page}</div>")
    assert len(formulas.findall(".//dl//math")) >= 3


def test_only_notebooks_need_what_they_show() -> None:
    """Analysing a network imports neither numpy nor what renders it."""
    code = (
        "import sys; from costmodel import analyze; analyze('alexnet').macs; "
        "assert not {'numpy', 'costmodel.render.html', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_a_network_is_a_table_of_its_layers() -> None:
    table = analyze("alexnet").table("macs", "params")
    assert table.table().rows[1].cells["macs"] == 105_415_200
    pytest.importorskip("pyarrow")
    assert sum(row["macs"] for row in table.to_arrow().to_pylist()) == 724_406_816
    symbolic = analyze("alexnet").table("macs", symbolic=True).to_arrow().to_pylist()
    assert symbolic[1]["macs"] == "11616*c*n*((h - 7)//4 + 1)*((w - 7)//4 + 1)"


def test_one_text_stands_for_a_list_of_one() -> None:
    assert costmodel.hardware("t4").data() == costmodel.hardware(["t4"]).data()
    with pytest.raises(SpecError, match="one network alone"):
        compare("resnet18")
    square = solve("resnet18", for_="h", where="macs <= 1G", assume="w == h")
    assert (
        square.data()["value"]
        == solve("resnet18", for_="h", where=["macs <= 1G"], assume=["w == h"]).data()["value"]
    )
    points = sweep_points("alexnet", {"h": [128, 224]}, metric="macs")
    assert repr(points) == "<sweep of 2 points>"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: compare([analyze("alexnet"), "vgg16"]), "specs takes names, paths and texts"),
        (lambda: compare([SPEC, "vgg16"]), "specs takes names, paths and texts"),
        (lambda: analyze(b"alexnet"), "bytes is no spec"),  # type: ignore[arg-type]
        (lambda: analyze(["alexnet"]), "list is no spec"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_network(ask: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ask()


def test_wrong_arguments_are_named_as_python_does() -> None:
    with pytest.raises(TypeError, match="solve: got an unexpected keyword argument 'most'"):
        solve("alexnet", for_="h", where="macs <= 1G", most=True)
    with pytest.raises(TypeError, match="solve: missing a required"):
        solve("alexnet")


def test_help_is_of_python() -> None:
    text = solve.__doc__ or ""
    assert "archcost solve" not in text
    assert "convention: what counts" in text
    assert "Raises:" in text
    assert "convention" not in (zoo.__doc__ or "")


def test_an_answer_without_a_table_is_labels_and_values() -> None:
    pytest.importorskip("pyarrow")
    rows = solve("alexnet", for_="h", where="macs <= 1G").to_arrow().to_pylist()
    assert rows[0]["label"] == "h"
    assert rows[0]["value"].isdecimal()

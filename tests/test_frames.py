"""Answers as columns of other libraries: exact, or said not to be."""

from fractions import Fraction
from typing import Any

import pytest

import costmodel
from archspec.errors import SpecError
from costmodel import analyze
from costmodel.analysis import frames
from costmodel.analysis.frames import arrow_table
from costmodel.studies.report import Report
from costmodel.studies.report_document import document

arrow = pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def alexnet() -> Any:
    return document(Report(analyze("specs/alexnet.yaml"), ("params", "macs")))


def test_a_report_is_a_table(alexnet: Any) -> None:
    columns = alexnet.to_arrow().to_pydict()
    assert columns["layer"][1] == "conv2d_1"
    assert sum(columns["macs"]) == 724_406_816
    assert "total" not in columns["layer"]


def test_pandas_keeps_integers(alexnet: Any) -> None:
    pytest.importorskip("pandas")
    frame = alexnet.to_pandas()
    assert frame["macs"].sum() == 724_406_816
    assert str(frame["macs"].dtype) == "int64[pyarrow]"


def test_polars_keeps_integers(alexnet: Any) -> None:
    polars = pytest.importorskip("polars")
    assert alexnet.to_polars()["macs"].sum() == 724_406_816
    assert alexnet.to_polars()["macs"].dtype == polars.Int64


@pytest.mark.parametrize(
    ("values", "kind", "held"),
    [
        ([1, None, -(2**62)], "int64", [1, None, -(2**62)]),
        ([2**63, 1], "decimal128(38, 0)", [2**63, 1]),
        ([Fraction(7, 20), 1], "double", [0.35, 1.0]),
        (["a", None, 3], "string", ["a", None, "3"]),
    ],
)
def test_types_hold_the_values(values: list[Any], kind: str, held: list[Any]) -> None:
    column = arrow_table([("x", values)]).column("x")
    assert str(column.type) == kind
    assert column.to_pylist() == held


def test_what_is_rounded_is_said() -> None:
    with pytest.warns(UserWarning, match="column x: numbers are rounded to doubles"):
        arrow_table([("x", [Fraction(1, 3)])])
    with pytest.warns(UserWarning, match="column x: integers of over 38 digits are text"):
        assert arrow_table([("x", [10**40])]).column("x").to_pylist() == [str(10**40)]


def test_a_library_that_is_missing_is_named() -> None:
    with pytest.raises(SpecError, match="this needs no_such_library"):
        frames.require("no_such_library")


def test_differences_and_devices_are_exact_numbers() -> None:
    rows = costmodel.diff("vgg16", "vgg19", metric="params").to_arrow().to_pylist()
    expected = {"old": 138_357_544, "new": 143_667_240, "gain": 5_309_696}
    assert rows == [{"network": "vgg19", "metric": "params", **expected}]
    figures = costmodel.hardware("t4").to_arrow().to_pylist()
    assert {row["figure"]: row["value"] for row in figures}["operations.fp16"] == 65 * 10**12


def test_a_large_integer_beside_fractions_is_said_to_be_rounded() -> None:
    with pytest.warns(UserWarning, match="rounded to doubles"):
        arrow_table([("x", [2**53 + 1, Fraction(1, 2)])])

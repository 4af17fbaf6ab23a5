"""The public types: metrics are properties that a type checker knows; texts fit a line."""

import subprocess
import sys
from pathlib import Path

import pytest

import costmodel
from costmodel import analyze
from costmodel.metrics.registry import METRICS, Metric
from tests.conftest import ROOT

TYPES = ROOT / "costmodel" / "analysis" / "metric_types.py"

HEAD = '''\
"""The metrics that come with the package, as a type checker and an editor see them.

``pytest tests/test_typing.py --overwrite`` writes this file from the registry; the values come from
``__getattr__``, which knows the metrics of other distributions, too.
"""

from sympy import Expr

from archspec.arithmetic import Rational
'''


def _may_be_none(metric: Metric) -> bool:
    """Return whether there are networks without it: its file says what it requires."""
    return metric.require.__name__ != "<lambda>"


def _class(name: str, doc: str, kind: str) -> str:
    fields = (f"    {m.name}: {kind}{' | None' * _may_be_none(m)}" for m in METRICS.values())
    return "\n".join(["", "", f"class {name}:", f'    """{doc}"""', "", *fields, ""])


def generated() -> str:
    laws = _class("MetricForms", "Metrics as closed forms.", "Expr")
    return HEAD + laws + _class("MetricNumbers", "Metrics as numbers.", "Rational")


def test_the_types_are_those_of_the_registry(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--overwrite"):
        TYPES.write_text(generated(), encoding="utf-8")
    assert TYPES.read_text(encoding="utf-8") == generated()


USE = """\
from costmodel import analyze

a = analyze("alexnet")
law = a.macs
wrong = a.mcas
number: int | float = a.at(h=224).paramz
"""


@pytest.mark.exhaustive
def test_a_misspelt_metric_fails_the_type_check(tmp_path: Path) -> None:
    file = tmp_path / "use.py"
    file.write_text(USE, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--no-incremental", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert '"Analysis" has no attribute "mcas"' in done.stdout
    assert '"Point" has no attribute "paramz"' in done.stdout
    assert ":4:" not in done.stdout


def test_a_misspelt_metric_is_corrected() -> None:
    with pytest.raises(AttributeError, match="an analysis has no 'mcas'; did you mean 'macs'"):
        getattr(analyze("alexnet"), "mcas")  # noqa: B009 - which a type checker refuses
    with pytest.raises(AttributeError, match="a point has no 'paramz'; did you mean 'params'"):
        getattr(analyze("alexnet").at(), "paramz")  # noqa: B009


def test_completion_lists_metrics() -> None:
    assert METRICS.keys() <= {*dir(analyze("alexnet"))}
    assert METRICS.keys() <= {*dir(analyze("alexnet").at())}
    assert {*costmodel.__all__} <= {*dir(costmodel)}


def test_what_is_public_is_shown_in_a_line() -> None:
    analysis = analyze("alexnet")
    shown = (
        *(analysis, analysis.at(), analysis.function("macs"), costmodel.explain(analysis)),
        *(analysis.convention, analysis.layers[0], analysis.graph, analysis.architecture),
    )
    for each in shown:
        assert "\n" not in repr(each)
        assert len(repr(each)) <= 100, repr(each)

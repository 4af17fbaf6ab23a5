"""Laws as NumPy functions: exact at every size of number, refusing what is not valid."""

from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.symbols import symbol
from costmodel.metrics.registry import METRICS
from costmodel.scenario.scenario import scenario
from tests.conftest import ROOT, examples

SPEC = ROOT / "specs" / "alexnet.yaml"


ALEXNET = analyze(SPEC, scenario=scenario(optimizer="adam"))


@pytest.fixture
def alexnet() -> Analysis:
    return ALEXNET


def test_a_metric_is_a_sympy_expression_of_the_symbols(alexnet: Analysis) -> None:
    assert isinstance(alexnet.macs, sympy.Expr)
    assert {s.name for s in alexnet.macs.free_symbols} == {"n", "c", "h", "w", "g"}
    substituted = alexnet.macs.subs({symbol(k): v for k, v in alexnet.graph.values.items()})
    assert substituted == 724_406_816


def test_a_point_gives_numbers(alexnet: Analysis) -> None:
    assert alexnet.at().macs == 724_406_816
    assert alexnet.at(n=8).macs == 8 * 724_406_816
    assert alexnet.at(h=192, w=192).params == alexnet.at().params - 4096 * 256 * (36 - 25)
    assert alexnet.at(g=1).params == 62_367_776  # one tower: 2·(307,200 + 663,552 + 442,368) more


def test_functions_broadcast(alexnet: Analysis) -> None:
    macs = alexnet.function("macs")
    heights, widths = np.arange(63, 300)[:, None], np.arange(63, 80)[None, :]
    values = macs(h=heights, w=widths)
    assert values.shape == (237, 17)
    assert values.dtype == np.int64
    assert values[100, 5] == alexnet.at(h=163, w=68).macs


def test_scalars_give_integers(alexnet: Analysis) -> None:
    assert alexnet.function("macs")() == 724_406_816
    assert type(alexnet.function("macs")(1, 3, 224, 224, 2)) is int


@settings(max_examples=examples(30), deadline=None)
@given(
    metric=st.sampled_from(sorted(m.name for m in METRICS.values() if not m.of_device)),
    n=st.sampled_from([1, 7, 10**6, 10**12, 10**20]),
    h=st.integers(63, 5000),
    w=st.integers(63, 10**7),
    g=st.sampled_from([1, 2, 4, 8, 16, 32]),
)
def test_functions_agree_with_points(metric: str, n: int, h: int, w: int, g: int) -> None:
    point = getattr(ALEXNET.at(n=n, h=h, w=w, g=g), metric)
    assert ALEXNET.function(metric)(n=n, h=h, w=w, g=g) == point


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.uint64, object])
def test_narrow_and_unsigned_arrays_do_not_wrap(alexnet: Analysis, dtype: Any) -> None:
    heights = np.array([100, 120], dtype=dtype)
    expected = [alexnet.at(h=100).macs, alexnet.at(h=120).macs]
    assert alexnet.function("macs")(h=heights).tolist() == expected


def test_counts_beyond_64_bits_stay_exact(alexnet: Analysis) -> None:
    batches = np.array([10**9, 10**11], dtype=np.int64)
    values = alexnet.function("macs")(n=batches)
    assert values.tolist() == [724_406_816 * 10**9, 724_406_816 * 10**11]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"h": [64, 62]}, r"invalid where not h >= 63, as at \(1, 3, 62, 224, 2\)"),
    ({"g": [1, 3]}, r"invalid where not 32 % g == 0"),
    ({"height": 3}, "there is no free symbol 'height'"),
    ({"h": 0}, "h = 0 must be positive"),
    ({"h": -5}, "h = -5 must be positive"),
    ({"h": 64.5}, "h = 129/2 must be an integer"),
    ({"h": True}, "is no number"),
    ({"h": "many"}, "is no number"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_what_is_not_valid_is_refused(
    alexnet: Analysis, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        alexnet.function("macs")(**arguments)


def test_points_refuse_what_is_not_valid(alexnet: Analysis) -> None:
    with pytest.raises(SpecError, match=r"maxpool2d_3: the window \(3\) must fit"):
        alexnet.at(h=62)
    with pytest.raises(SpecError, match="there is no free symbol 'hh'"):
        alexnet.at(hh=62)


def test_real_symbols_are_exact(tmp_path: Any) -> None:
    """0.15·80 + 4 is 16 exactly, a half that rounds up; in floating point it need not be."""
    spec = tmp_path / "wide.yaml"
    spec.write_text(
        "archspec: 1\nname: wide\nsymbols: {width: {default: 1, domain: real}}\n"
        "input: [1, 3, 8, 8]\nlayers:\n"
        "  - conv2d: {out_channels: 'round_to(80*width, 8)', kernel_size: 1}\n"
    )
    params = analyze(spec).function("params")
    assert params(width=np.array([0.15, 0.35, 1.4])).tolist() == [4 * 16, 4 * 32, 4 * 112]


def test_numpy_scalars_are_numbers(alexnet: Analysis) -> None:
    expected = alexnet.at(h=192).macs
    values: list[Any] = [np.int64(192), np.uint8(192), np.float64(192), np.array(192)]
    for value in values:
        assert alexnet.at(h=value).macs == expected


def test_conditions_over_a_symbolic_stride_are_reduced(tmp_path: Any) -> None:
    """A window of 3 after one of k with stride s: the first bound implies the second."""
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\nsymbols: {h: 32, k: 3, s: 2}\ninput: [1, 3, h, h]\nlayers:\n"
        "  - conv2d: {out_channels: 4, kernel_size: k, stride: s, padding: 1}\n"
        "  - maxpool2d: {kernel_size: 1, stride: 2}\n"
    )
    texts = [condition_text(condition) for condition in analyze(spec).conditions]
    assert texts == ["h >= k - 2"]

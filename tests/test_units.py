"""Units behind numbers on the command line, as the output prints them."""

import re
from fractions import Fraction

import pytest

from archspec.errors import SpecError
from archspec.expressions import ExpressionError, parse
from archspec.scope import Scope, resolve
from archspec.trees import Name
from costmodel.analysis.constraints import parse_measured
from costmodel.metrics.registry import METRICS
from costmodel.scenario.settings import to_rational
from costmodel.studies.budgets import read_budget
from tests.commands import run_here


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("macs < 20M", "macs < 20000000"),
        ("macs < 1.5G and params < 30M", "macs < 1500000000 and params < 30000000"),
        ("memory_peak <= 256 KiB", "memory_peak <= 262144"),
        ("model_size <= 5 MB", "model_size <= 5000000"),
        ("latency <= 10 ms", "latency <= 1/100"),
        ("latency <= 2.5 µs", "latency <= 1/400000"),
        ("latency <= 2.5μs", "latency <= 1/400000"),
        ("energy <= 3 mJ", "energy <= 3/1000"),
        ("macs/params >= 2k", "macs/params >= 2000"),
        ("200k < macs <= 2G", "200000 < macs <= 2000000000"),
        ("memory_peak <= 0.5 MiB + 1 kB", "memory_peak <= 524288 + 1000"),
    ],
)
def test_a_unit_multiplies(text: str, plain: str) -> None:
    known = {name: Name(name) for name in METRICS}
    measured, counted = (
        re.sub(r", (unit='\w*'|position=\d+)", "", repr(resolve(tree, Scope(known))))
        for tree in (parse_measured(text), parse(plain))
    )
    assert measured == counted


def test_a_sweep_keeps_the_rows_within_units() -> None:
    sweep = (
        "sweep",
        "specs/mcunet.yaml",
        "--vary",
        "h=96:224:32",
        "w=h",
        "--metric",
        "memory_peak",
    )
    kept = run_here(*sweep, "--where", "memory_peak <= 512 KiB", "--format", "csv").stdout
    assert kept == run_here(*sweep, "--where", "memory_peak <= 524288", "--format", "csv").stdout
    assert 1 < len(kept.splitlines()) < 6


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("macs < 2 ms", "ms"),
        ("latency < 5 MB", "MB"),
        ("memory_peak < 3 mJ and macs < 3", "mJ"),
        ("2 s > params", "s"),
    ],
)
def test_a_unit_of_another_dimension_is_refused(text: str, unit: str) -> None:
    with pytest.raises(ExpressionError, match=f"'{unit}' is no unit of"):
        parse_measured(text)


@pytest.mark.parametrize("question", ["solve mcunet --for h", "sweep mcunet --vary h=96:160:32"])
def test_a_symbol_is_a_count(question: str) -> None:
    done = run_here(*question.split(), "--where", "h <= 10 ms")
    assert done.returncode == 2
    assert "'ms' is no unit of h" in done.stderr


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("memory_peak <= 256KB", "write 256 kB"),
        ("memory_peak <= 1 Mb", "write 1 MB"),
        ("memory_peak <= 256 kib", "write 256 KiB"),
        ("memory_peak <= 5 Mbytes", "write 5 MB"),
        ("macs <= 2 GMACs", "write 2 G"),
        ("flops <= 4 GFLOPs", "write 4 G"),
        ("macs <= 4 MACs", "write 4"),
        ("macs <= 1_000_000", "write 1000000"),
        ("macs <= 5 million", "write 5 M"),
        ("macs <= 5 h", "write 5*h for a product"),
    ],
)
def test_a_word_that_is_no_unit_is_told_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse_measured(text)
    assert raised.value.hint == hint


@pytest.mark.parametrize("written", ["128K", "128 thousand"])
def test_a_setting_is_told_what_to_write(written: str) -> None:
    with pytest.raises(SpecError) as raised:
        to_rational("t", written)
    assert raised.value.hint == "write 128 k"


def test_numbers_of_options_have_units_as_settings_have() -> None:
    plain, short = (run_here("inference", "gpt2", "--prompt", each) for each in ("500", "0.5k"))
    assert plain.stdout == short.stdout
    assert "is no integer; write 1 k" in run_here("inference", "gpt2", "--prompt", "1K").stderr


def test_a_column_of_ones_own_takes_any_unit() -> None:
    parse_measured("size_on_disk <= 5 MB")


def test_a_spec_has_pure_numbers() -> None:
    with pytest.raises(ExpressionError, match="expected an operator before 'M'"):
        parse("20M")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("128k", 128_000),
        ("128Ki", 131_072),
        ("0.5M", 500_000),
        ("2*1k", 2_000),
        ("1/2", Fraction(1, 2)),
    ],
)
def test_settings_take_prefixes(text: str, value: Fraction) -> None:
    assert to_rational("t", text) == value


def test_a_setting_has_no_seconds() -> None:
    with pytest.raises(SpecError, match="t = 1ms is no number") as refused:
        to_rational("t", "1ms")
    assert refused.value.hint == "its units are k, M, G, T, Ki, Mi, Gi, Ti"


@pytest.mark.parametrize(
    ("text", "amount", "is_part"),
    [
        ("memory_peak +16 KiB", 16 * 1024, False),
        ("macs +20M", 20_000_000, False),
        ("macs -1.5k", -1500, False),
        ("latency +1 ms", Fraction(1, 1000), False),
        ("macs +2%", Fraction(2, 100), True),
    ],
)
def test_budgets_take_the_units_of_their_metric(
    text: str, amount: Fraction, *, is_part: bool
) -> None:
    budget = read_budget(text)
    assert (budget.amount, budget.is_part) == (amount, is_part)


def test_a_budget_in_another_unit_is_refused() -> None:
    with pytest.raises(SpecError, match="gain = 2 ms is no number"):
        read_budget("macs +2 ms")

"""Budgets of work: what explodes ends in one error that names the entry, on every machine alike."""

import re
from pathlib import Path

import pytest
from sympy import Integer, Mul, Symbol

from archspec import SpecError
from archspec.errors import FinalError
from costmodel import analyze
from costmodel.algebra import dominance, naming, work
from costmodel.algebra.bounds import is_at_least
from costmodel.algebra.functions import terms_of
from costmodel.algebra.work import afforded, budget, charge
from tests.fuzz import outcome

HEAD = "archspec: 1\nname: net\n"


class Named:
    """An entry of a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, cause: str, hint: str | None = None) -> SpecError:
        return SpecError(cause, hint=hint, entry=self.name)


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MAX_STEPS", 2_000)


def _nested(depth: int) -> str:
    """A layer in so many repeats, each with a symbol for its turns."""
    symbols = ", ".join(f"L{i}: 3" for i in range(depth))
    lines = [f"symbols: {{{symbols}}}", "input: [1, 8]", "layers:"]
    for i in range(depth):
        lines += [f"{' ' * 6 * i}  - repeat:", f"{' ' * 6 * i}      times: L{i}"]
        lines += [f"{' ' * 6 * i}      layers:"]
    lines.append(f"{' ' * 6 * depth}  - linear: {{out_features: 8}}")
    return HEAD + "\n".join(lines) + "\n"


def _slid(depth: int) -> str:
    """Windows whose size, stride and padding are symbols, all others."""
    names = [
        f"{name}{i}: {size}"
        for i in range(depth)
        for name, size in zip("ksp", (3, 2, 1), strict=True)
    ]
    layers = (
        f"  - conv1d: {{out_channels: 8, kernel_size: k{i}, stride: s{i}, padding: p{i}}}\n"
        for i in range(depth)
    )
    symbols = f"symbols: {{h: 224, {', '.join(names)}}}\ninput: [1, 3, h]\nlayers:\n"
    return HEAD + symbols + "".join(layers)


def test_a_budget_names_the_entry_that_is_worked_on() -> None:
    with (
        pytest.raises(FinalError, match="the turns take more than 200,000 steps") as raised,
        budget("the turns", lambda: Named("other")),
    ):
        charge(work.MAX_STEPS + 1, Named("conv_2"))
    assert raised.value.entry == "conv_2"


def test_a_budget_names_whom_the_question_blames_where_the_work_knows_none() -> None:
    with (
        pytest.raises(FinalError, match="the turns take more than") as raised,
        budget("the turns", lambda: Named("conv_3")),
    ):
        charge(work.MAX_STEPS + 1)
    assert raised.value.entry == "conv_3"


def test_what_may_be_given_up_ends_in_no_error() -> None:
    assert afforded(work.MAX_STEPS + 1)
    with budget("the turns", lambda: Named("conv")):
        assert afforded(work.MAX_STEPS)
        assert not afforded(1)


def test_work_outside_of_a_budget_and_after_one_is_free() -> None:
    with budget("the turns", lambda: Named("conv")):
        charge(work.MAX_STEPS)
    charge(work.MAX_STEPS)


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize(
    ("text", "words", "question"),
    [
        (_nested(9), ("SPEC",), "the turns of the repeats"),
        (_nested(6), ("training", "SPEC", "--dtype", "bf16"), "the turns of training"),
        (_slid(4), ("SPEC", "--symbolic"), "the conditions"),
    ],
)
def test_what_explodes_ends_in_one_error(
    tmp_path: Path, text: str, words: tuple[str, ...], question: str
) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(text, encoding="utf-8")
    found = outcome(tuple(str(spec) if word == "SPEC" else word for word in words))
    assert found.status == 2
    assert re.search(
        rf"net.yaml:\d+:\d+: .*(linear|conv1d)_\d: {question} take more than", found.err
    )
    assert found.err.count("archcost: ") == 1


def test_a_proof_multiplies_out_no_product_of_many_sums() -> None:
    symbols = [Symbol(f"a{i}", integer=True, positive=True) for i in range(40)]
    product = Mul(*(each + 1 for each in symbols)) - Mul(*symbols)
    least = dict.fromkeys(symbols, 1)
    assert not is_at_least(product, 1, least)  # true, and given up
    assert is_at_least(product.xreplace(dict.fromkeys(symbols[3:], Integer(1))), 1, least)


def _wide(branches: int) -> str:
    """Branches of layers of all sizes, which an order may interleave in many ways."""
    sizes = [[10 + (37 * i + 911 * j * j) % 1990 for j in range(5)] for i in range(branches)]
    rows = (", ".join(f"linear: {{out_features: {size}}}" for size in row) for row in sizes)
    lines = "".join(f"        - [{row}]\n" for row in rows)
    head = f"{HEAD}input: [1, 8]\nlayers:\n  - parallel:\n      merge: concat\n      branches:\n"
    return head + lines


UNEVEN = f"""{HEAD}symbols: {{h: 100}}
let: {{c: "1 + h % 64 + {"+".join(f"h//{i}" for i in range(2, 40))}"}}
input: [1, 3, h]
layers:
  - conv1d: {{out_channels: c, kernel_size: 3, padding: 1}}
"""


def _rows(count: int) -> str:
    """So many widths that no two laws of which are alike."""
    rows = ", ".join(f"{{c: {16 + 8 * i % 301 + i}}}" for i in range(count))
    symbols = "{h: 32, width: {default: 1, domain: real, min: 0.25}}"
    return f"""{HEAD}symbols: {symbols}
input: [1, 3, h, h]
layers:
  - foreach:
      rows: [{rows}]
      layers:
        - conv2d: {{out_channels: "round_to(c*width, 8)", kernel_size: 3, padding: 1}}
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("solve", "SPEC", "--for", "h", "--where", "params <= 0"),
            "the values of h take more than 200 steps.*\n.*--step",
        ),
        (
            ("sweep", "SPEC", "--vary", "h=1:9"),
            "the operations of the sweep take more than 200 steps.*\n.*fewer columns",
        ),
    ],
)
def test_what_is_asked_for_ends_in_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.setattr(work, "MAX_STEPS", 200)
    spec = tmp_path / "net.yaml"
    spec.write_text(UNEVEN, encoding="utf-8")
    found = outcome(tuple(str(spec) if word == "SPEC" else word for word in words))
    assert found.status == 2
    assert re.search(f"net.yaml:7:5: conv1d_1: {told}", found.err)


@pytest.mark.usefixtures("_few")
def test_an_order_that_is_not_found_is_the_given_one(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(_wide(9), encoding="utf-8")
    found = outcome(("memory", str(spec), "--order", "best"))
    assert found.status == 0
    assert re.search(r"45 layers between .*linear_1 and .*linear_5 were not searched", found.out)


def test_laws_too_long_to_be_named_are_shown_without_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(_rows(12), encoding="utf-8")
    named = outcome((str(spec), "--symbolic"))
    assert "where" in named.out
    assert "what these laws share" not in named.out
    monkeypatch.setattr(naming, "PARTS_OF_STEP", 1e-6)
    plain = outcome((str(spec), "--symbolic"))
    assert plain.status == 0
    assert "  where" not in plain.out
    assert "what these laws share has none: they are too long" in plain.out


def test_a_maximum_that_is_not_compared_keeps_its_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(_rows(30), encoding="utf-8")
    proved, kept = analyze(spec), analyze(spec)
    proved.total("activations_peak")
    monkeypatch.setattr(dominance, "MAX_COVERED", 40)
    terms = [len(terms_of(each.total("activations_peak"))) for each in (proved, kept)]
    assert terms[0] < terms[1]
    for settings in ({}, {"h": 7, "width": "3/2"}, {"h": 100, "width": 4}):
        peaks = [each.at(**settings).activations_peak for each in (proved, kept)]
        assert peaks[0] == peaks[1]

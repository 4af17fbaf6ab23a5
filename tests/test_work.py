"""Budgets of work: what explodes ends in one error that names the entry, on every machine alike."""

import re
from pathlib import Path

import pytest
from sympy import Integer, Mul, Symbol

from archspec import SpecError
from archspec.errors import FinalError
from costmodel.algebra import work
from costmodel.algebra.bounds import is_at_least
from costmodel.algebra.work import budget, charge
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

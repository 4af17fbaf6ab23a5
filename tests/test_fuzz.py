"""The fuzzer finds nothing in 300 cases; ``python -m tests.fuzz 3000`` tries more."""

import pytest

from archspec.composites import COMPOSITES
from costmodel.cli.app import known_commands
from tests import fuzz
from tests.conftest import examples
from tests.fuzz import Outcome, case, fault, fault_of

CASES = examples(300)


@pytest.mark.parametrize("first", range(0, CASES, 10))
def test_a_mutated_spec_gives_an_answer_or_one_message(first: int) -> None:
    for seed in range(first, first + 10):
        tried = case(seed)
        wrong = fault(tried)
        assert not wrong, f"{tried}\n{wrong}"


def test_a_seed_is_one_case_for_good() -> None:
    assert case(7) == case(7)
    assert len({case(seed).text for seed in range(20)}) == 20


def test_every_command_and_every_composite_is_tried() -> None:
    assert {words[0] for words in fuzz.COMMANDS} == {*known_commands(), "SPEC"}
    put = {key for entry in fuzz.ENTRIES if isinstance(entry, dict) for key in entry}
    assert set(COMPOSITES) <= put


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (Outcome(3, "", ""), "exit status 3"),
        (Outcome(0, "", "Traceback (most recent call last)"), "a traceback"),
        (Outcome(2, "", "oh"), "without a message"),
        (Outcome(2, "half a table", "archcost: no"), "on stdout"),
        (
            Outcome(
                0, '{"symbols": {"h": 3}, "totals": {"macs": {"expr": "2*h", "value": 7}}}', ""
            ),
            "macs = 2*h is 6, not 7",
        ),
    ],
)
def test_the_fuzzer_sees_what_is_wrong(found: Outcome, wrong: str) -> None:
    assert wrong in fault_of(found, is_json=found.out.startswith("{"))

"""What the tests share: the command line as a function, golden files, and how much is tried."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.commands import ROOT, Run, run_here, run_process

gc.enable()  # the script that `tests.commands` imports has it off, for a run is short
gc.freeze()

settings.register_profile("repeatable", derandomize=True, max_examples=10)
settings.register_profile("exhaustive", derandomize=True)
settings.load_profile("repeatable")  # a failure is the change's; --hypothesis-profile=default looks
# for new examples, --hypothesis-profile=exhaustive for ten times as many

GOLDEN = Path(__file__).parent / "golden"

__all__ = ["GOLDEN", "ROOT", "Run", "examples"]


def examples(count: int) -> int:
    """Return how many of so many examples are tried: a tenth, or all with the exhaustive profile.

    At least ten, where there are as many.
    """
    return min(count, max(10, count * settings().max_examples // 100))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--overwrite", action="store_true", help="write what is printed into the golden files"
    )


@pytest.fixture(scope="session")
def archcost() -> Run:
    """Runs a command line within this process, from the project's folder, 80 columns wide."""
    return run_here


@pytest.fixture(scope="session")
def process() -> Run:
    """Runs a command line in a process of its own; for what only that shows."""
    return run_process


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with a golden file, or writes it there with ``--overwrite``."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--overwrite"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare

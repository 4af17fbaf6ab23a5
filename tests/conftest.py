"""What the tests share: the command line as a function, golden files, and how much is tried."""

import gc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from costmodel.analysis.loading import Setup
from costmodel.scenario.settings import Number
from costmodel.studies.search import Answer, End, Problem
from costmodel.studies.solve import opened, solve
from tests.commands import ROOT, Run, run_here, run_process

gc.enable()  # the script that `tests.commands` imports has it off, for a run is short
gc.freeze()

settings.register_profile("repeatable", derandomize=True, max_examples=10)
settings.register_profile("exhaustive", derandomize=True)
settings.load_profile("repeatable")  # a failure is the change's; --hypothesis-profile=default looks
# for new examples, --hypothesis-profile=exhaustive for ten times as many

GOLDEN = Path(__file__).parent / "golden"

__all__ = ["GOLDEN", "ROOT", "Run", "ask", "crossed", "examples", "share", "thinned"]

T = TypeVar("T")


MOST = 100
"""The examples of a property with the exhaustive profile, where it asks for no more."""


def examples(count: int) -> int:
    """Return how many of so many examples are tried: a tenth, or all with the exhaustive profile.

    At least ten, where there are as many.
    """
    return min(count, max(10, count * settings().max_examples // MOST))


def share(items: Iterable[T], turn: int, of: int) -> list[T]:
    """Return each ``of``-th of some items, by turns others; with the exhaustive profile all."""
    found = list(items)
    return found if settings().max_examples >= MOST else found[turn % of :: of]


def thinned(items: Iterable[Any], of: int = 3) -> list[Any]:
    """Return some items as a test's parameters: every third of them; the others exhaustive."""
    return [parameters_of(item, exhaustive=bool(i % of)) for i, item in enumerate(items)]


def parameters_of(item: Any, *, exhaustive: bool) -> Any:
    """Return an item, or a tuple of several parameters, as a test's."""
    values = item if isinstance(item, tuple) else (item,)
    return pytest.param(*values, marks=pytest.mark.exhaustive if exhaustive else ())


def crossed(rows: Iterable[Any], columns: Iterable[Any]) -> list[Any]:
    """Return all pairs as a test's parameters: one of each row, by turns; the others exhaustive."""
    all_columns = list(columns)
    return [
        pytest.param(row, column, marks=() if i % len(all_columns) == j else pytest.mark.exhaustive)
        for i, row in enumerate(rows)
        for j, column in enumerate(all_columns)
    ]


def ask(
    spec: str | Path,
    symbol: str,
    constraints: Iterable[str],
    *,
    end: End | None = None,
    step: Number | None = None,
    **said: Any,
) -> tuple[Problem, Answer]:
    """Return the value of a symbol of a spec at which constraints hold (see `opened`)."""
    return solve(opened(spec, symbol, Setup(**said)), symbol, constraints, end=end, step=step)


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

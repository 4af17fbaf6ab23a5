"""What the tests share: the command line as a function, and golden files with one switch."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")  # a failure is the change's; --hypothesis-profile=default looks
# for new examples

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--overwrite", action="store_true", help="write what is printed into the golden files"
    )


@pytest.fixture(scope="session")
def archcost() -> Run:
    """Runs the real command in a process of its own, from the project's folder, 80 columns wide."""

    def run(
        *arguments: str, columns: int = 80, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        settings = {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"} | environment
        return subprocess.run(
            [sys.executable, "-m", "costmodel", *arguments],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with a golden file, or writes it there with ``--overwrite``."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--overwrite"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare

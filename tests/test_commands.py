"""A command line within the tests' process gives what one in a process of its own gives."""

import pytest

from tests.conftest import Run

SAID = {
    "a table": ("specs/alexnet.yaml",),
    "laws": ("specs/mobilenetv2.yaml", "--symbolic", "--format", "markdown"),
    "a warning": ("specs/resnet.yaml@resnet50", "--format", "json"),
    "several": ("specs/mlp.yaml", "specs/vgg.yaml", "--format", "csv"),
    "a sweep": ("sweep", "specs/mlp.yaml", "--vary", "n=1:4", "--format", "csv"),
    "help": ("solve", "--help"),
    "no command": ("slove", "specs/mlp.yaml"),
    "no option": ("specs/mlp.yaml", "--symbolik"),
    "no file": ("specs/none.yaml",),
    "a folder": ("specs",),
    "a file below a file": ("sweep", "specs/mlp.yaml", "--vary", "n=1", "-o", "README.md/x.csv"),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_run_within_this_process_is_as_one_of_its_own(
    said: tuple[str, ...], archcost: Run, process: Run
) -> None:
    here, there = archcost(*said), process(*said)
    assert (here.returncode, here.stdout, here.stderr) == (
        there.returncode,
        there.stdout,
        there.stderr,
    )

"""What contributors are told holds: the same versions everywhere, a task for each command."""

import ast
import shlex
import tomllib

import yaml

from tests.conftest import ROOT


def test_the_hooks_have_the_versions_of_the_project() -> None:
    """A hook installs what pyproject.toml says, by the same version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    stated = {*project["dependencies"], *(each for extra in extras.values() for each in extra)}
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "mypy"]
    for hook in hooks:
        assert hook["additional_dependencies"][0].startswith(f"{hook['id'].split('-')[0]}==")
        assert stated.issuperset(hook["additional_dependencies"]), hook["id"]


def test_ci_runs_the_commands_of_the_hooks() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("ruff check .", "ruff format --check .", "mypy"):
        assert f".venv/bin/{command}\n" in ci
    tasks = (ROOT / ".ci" / "noxfile.py").read_text(encoding="utf-8")
    tested = next(line for line in ci.splitlines() if line.startswith(".venv/bin/pytest"))
    assert [word for word in shlex.split(tested)[1:] if f'"{word}"' not in tasks] == []


def test_the_page_names_every_task() -> None:
    tree = ast.parse((ROOT / ".ci" / "noxfile.py").read_text(encoding="utf-8"))
    tasks = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list
    ]
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    assert len(tasks) == 7
    assert [task for task in tasks if f"| `{task}` |" not in page] == []

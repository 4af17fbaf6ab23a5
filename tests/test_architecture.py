"""What docs/architecture.md and docs/contributing.md name is there."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "docs" / name for name in ("architecture.md", "contributing.md")]
FILE = re.compile(r"`(?:pytest )?((?:archspec|costmodel|tests|specs|docs|\.ci)/[^`]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {word for match in FILE.finditer(text) for word in match[1].split() if word[0] != "-"}
    assert len(named) > 5
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


def names_in(path: str) -> set[str]:
    """The functions and classes of a file, and the methods of its classes with theirs."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}.{each.name}" for each in methods}
    return found


def test_the_functions_are_there() -> None:
    """Those of the ten steps, and every ``name`` of ``file.py``."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\| +\d+ \| `(.*?)` \| `(.*?)` \| (.*)", text, re.MULTILINE)
    assert len(steps) == 10
    pairs = [(name, path) for path, name, _ in steps]
    pairs += re.findall(r"`([\w.]+)` (?:of|in)\s`([\w/]+\.py)`", text)
    pairs += [
        (method, path) for path, _, told in steps for method in re.findall(r"`(\w+\.\w+)`", told)
    ]
    assert len(pairs) > 17
    assert [(name, path) for name, path in pairs if name not in names_in(path)] == []


def test_the_drawing_has_every_package() -> None:
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    packages = {file.parent.name for file in (ROOT / "costmodel").glob("*/__init__.py")}
    words = re.findall(r"^ +│? ?(\w+)  |│ (sweep)", drawn, re.MULTILINE)
    assert {word for pair in words for word in pair if word} >= packages

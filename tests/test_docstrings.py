"""What docstrings name exists: arguments, fields, and what is referred to by its module."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = [
    file
    for package in ("archspec", "costmodel", "tests", "benchmarks")
    for file in sorted((ROOT / package).rglob("*.py"))
]
REFERENCE = re.compile(r"`((?:archspec|costmodel)(?:\.\w+)+)`")

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def named(docstring: str, section: str) -> list[str]:
    """The names that a section of a docstring describes; nothing where there is no section."""
    found = re.search(rf"^{section}:\n((?:    .*\n|\n)*)", cleandoc(docstring) + "\n", re.MULTILINE)
    return re.findall(r"^    (\w+):", found.group(1), re.MULTILINE) if found else []


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The names of a function's parameters."""
    given = function.args
    stars = [star for star in (given.vararg, given.kwarg) if star]
    every = (*given.posonlyargs, *given.args, *given.kwonlyargs, *stars)
    return {argument.arg for argument in every} - {"self", "cls"}


def attributes(body: ast.ClassDef) -> set[str]:
    """The public fields of a class: those it declares, and those its methods set on ``self``."""
    declared = {
        node.target.id
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    given = {
        node.attr
        for node in ast.walk(body)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return {name for name in declared | given if not name.startswith("_")}


def mistakes(source: str) -> Iterator[str]:
    """What the sections of all docstrings of a module miss, or name without need."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, Documented):
            continue
        is_class = isinstance(node, ast.ClassDef)
        section = "Attributes" if is_class else "Args"
        said = named(ast.get_docstring(node) or "", section)
        if not said:
            continue
        there = attributes(node) if isinstance(node, ast.ClassDef) else parameters(node)
        if set(said) - there:
            yield f"{node.name}: {section} names {sorted(set(said) - there)}, which is not there"
        if there - set(said):
            yield f"{node.name}: {section} lacks {sorted(there - set(said))}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_sections_name_what_is_there(file: Path) -> None:
    assert list(mistakes(file.read_text(encoding="utf-8"))) == []


F = 'def f({}):\n    """F.\n\n    Args:\n        {}: of it.\n    """'
C = 'class C:\n    """C.\n\n    Attributes:\n        a: it.\n{}    """\n{}'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (F.format("a", "b"), "names ['b']"),
        (F.format("a, *b", "a"), "lacks ['b']"),
        (C.format("", "    b: int"), "lacks ['b']"),
        (C.format("    b: it.\n", "    a: int\n    b: int"), "lacks ['b']"),
        (C.format("", "    b: int"), "names ['a']"),
    ],
)
def test_a_mistake_is_found(source: str, said: str) -> None:
    assert any(said in mistake for mistake in mistakes(source))


def resolves(name: str) -> bool:
    """Whether a dotted name leads to a module or to something in one."""
    module, _, last = name.rpartition(".")
    try:
        return hasattr(import_module(module), last) or bool(import_module(name))
    except ImportError:
        return bool(module.count(".")) and _within(module, last)


def _within(module: str, last: str) -> bool:
    """Whether a class in a module has a member."""
    parent, _, owner = module.rpartition(".")
    return hasattr(getattr(import_module(parent), owner, None), last)


def test_what_is_referred_to_exists() -> None:
    for file in FILES:
        for name in REFERENCE.findall(file.read_text(encoding="utf-8")):
            assert resolves(name), f"{file.relative_to(ROOT)}: `{name}` is nowhere"

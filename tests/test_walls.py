"""The rooms: who may import whom, what a start may load, what a kind must have."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.layers import KINDS, Layer, kind
from costmodel.rules.base import cost_rule, find_cost_rule, find_shape_rule, shape_rule
from tests.conftest import ROOT


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def importers(package: str, *forbidden: str) -> list[str]:
    """The files of a package that import something forbidden."""
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for name in imports(file)
        if name.split(".")[0] in forbidden
    ]


def test_the_language_knows_no_costs() -> None:
    assert importers("archspec", "costmodel", "sympy", "rich", "cyclopts", "numpy") == []


def test_the_costs_know_no_yaml() -> None:
    assert importers("costmodel", "yaml") == []


def test_types_are_for_users_too() -> None:
    assert all((ROOT / package / "py.typed").exists() for package in ("archspec", "costmodel"))


def test_renderers_compute_nothing() -> None:
    assert importers("costmodel/render", "yaml", "numpy", "pydantic", "cyclopts") == []


def test_nothing_is_evaluated_from_a_spec() -> None:
    """The one ``exec`` compiles our own printer's text, whose names are our own too."""
    found = {
        str(file.relative_to(ROOT))
        for package in ("archspec", "costmodel")
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "sympify", "parse_expr", "__import__")
    }
    assert found <= {"costmodel/algebra/functions.py"}


def test_a_table_loads_nothing_that_only_others_need() -> None:
    script = (
        "import sys; sys.argv = ['archcost', 'specs/alexnet.yaml']\n"
        "from costmodel.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'matplotlib', 'torch', 'costmodel.analysis.function',"
        " 'costmodel.render.csv', 'costmodel.render.latex', 'costmodel.cli.comparisons',"
        " 'costmodel.cli.sweeps', 'costmodel.cli.training'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stderr) == []


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_complete(name: str) -> None:
    layer = KINDS[name]
    assert find_shape_rule(layer).__doc__
    assert find_cost_rule(layer).__doc__
    assert layer.model_validate(layer.example)
    assert any("Source:" in (ancestor.__doc__ or "") for ancestor in layer.__mro__)
    assert layer.__doc__
    for field_name, field in layer.model_fields.items():
        assert field.description, f"{name}.{field_name} has no description"


def test_a_kind_without_a_rule_names_the_missing_file() -> None:
    lonely = type("Lonely", (Layer,), {"__module__": "archspec.layers.lonely", "kind": "lonely"})
    with pytest.raises(LookupError, match=r"belongs in costmodel/rules/lonely\.py"):
        find_cost_rule(lonely)


def test_registering_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="kind 'relu' is registered twice"):
        kind("relu")(Layer)
    find_shape_rule(KINDS["relu"])
    find_cost_rule(KINDS["relu"])
    activation = KINDS["relu"].__mro__[1]
    with pytest.raises(ValueError, match="has a rule already"):
        shape_rule(activation)(len)
    with pytest.raises(ValueError, match="has a rule already"):
        cost_rule(activation)(len)

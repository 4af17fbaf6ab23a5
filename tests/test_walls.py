"""The rooms: who may import whom, what a start may load, what a kind must have."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from archspec import layers
from archspec.layers import ALIASES, KINDS, Layer, kind
from archspec.layers.names import NAMES, OF_KINDS, OF_TORCH
from costmodel.rules.base import cost_rule, shape_rule
from tests.conftest import ROOT

ROOMS = (
    *("archspec", "algebra", "rules", "scenario", "network", "metrics", "analysis"),
    *("studies", "render", "docs", "cli"),
)
"""The rooms, each of which may import those before it."""

RANK = {room: i for i, room in enumerate(ROOMS)} | {"sweep": ROOMS.index("studies")}

FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for package in ("archspec", "costmodel")
    for file in sorted((ROOT / package).rglob("*.py"))
}
"""Module → its file."""


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(file: Path) -> frozenset[str]:
    """The modules that a file imports, wherever in it: lazily and for types, too."""
    found: set[str] = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file} imports by a relative name"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & FILES.keys()
            found |= set() if inner <= FILES.keys() else {node.module}
    return frozenset(found)


def importers(package: str, *forbidden: str) -> list[str]:
    """The files of a package that import something forbidden."""
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for name in sorted(imports(file))
        if name.split(".")[0] in forbidden
    ]


def room_of(module: str) -> str:
    """The room of a module; of the doors costmodel/__init__ and __main__ the last."""
    package, _, rest = module.partition(".")
    inner = rest.partition(".")[0]
    return "archspec" if package == "archspec" else inner if inner in RANK else "cli"


def circles(edges: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """The sets of modules that lead to each other: where each is reached from each."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        seen, ahead = set[str](), list(edges[start])
        while ahead:
            module = ahead.pop()
            if module not in seen:
                seen.add(module)
                ahead += edges[module]
        reached[start] = seen
    found = {
        frozenset(each for each in seen if module in reached[each])
        for module, seen in reached.items()
        if module in seen
    }
    return sorted(map(set, found), key=sorted)


def test_imports_run_downwards() -> None:
    """In one room any module may import another; studies and sweep do not know each other."""
    found = {
        f"{module} → {target}"
        for module, file in FILES.items()
        for target in imports(file) & FILES.keys()
        if (room := room_of(module)) != (other := room_of(target)) and RANK[other] >= RANK[room]
    }
    assert found == set()


def test_no_imports_go_round() -> None:
    edges = {m: imports(file) & FILES.keys() - {m} for m, file in FILES.items()}
    assert circles(edges) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": "b", "b": "cd", "c": "a", "d": ""}) == [{"a", "b", "c"}]


def test_nothing_is_loose() -> None:
    names = {path.name for path in (ROOT / "costmodel").iterdir()} - {"__pycache__"}
    assert names == {"__init__.py", "__main__.py", "py.typed", "sweep", *ROOMS[1:]}


def test_concrete_kinds_are_named_in_rules_alone() -> None:
    """What others ask of a kind its cost declares, so that somebody else's kind can say it."""
    kinds = {layer.__module__ for layer in KINDS.values()}
    found = {
        f"{module} → {target}"
        for module, file in FILES.items()
        if room_of(module) not in ("archspec", "rules")
        for target in imports(file) & kinds
    }
    assert found == set()


def test_rich_is_known_to_renderers_and_commands_alone() -> None:
    rooms = [room for room in (*ROOMS[1:], "sweep") if room not in ("render", "cli")]
    assert [found for room in rooms for found in importers(f"costmodel/{room}", "rich")] == []


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
        for node in ast.walk(tree_of(file))
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
        " 'costmodel.metrics.energy', 'costmodel.metrics.state', 'costmodel.metrics.step',"
        " 'costmodel.render.csv', 'costmodel.render.latex', 'costmodel.studies.compare',"
        " 'costmodel.cli.sweeps', 'costmodel.studies.training', 'cyclopts',"
        " 'archspec.layers.merge', 'archspec.layers.recurrent'}"
        " & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stderr) == []


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_complete(name: str) -> None:
    layer = KINDS[name]
    assert shape_rule.find(layer).__doc__
    assert cost_rule.find(layer).__doc__
    assert layer.model_validate(layer.example)
    assert any("Source:" in (ancestor.__doc__ or "") for ancestor in layer.__mro__)
    assert layer.__doc__
    for field_name, field in layer.model_fields.items():
        assert field.description, f"{name}.{field_name} has no description"


def test_the_names_of_kinds_are_listed_with_their_modules() -> None:
    """Else a kind would be found only after another one of its module."""
    for module in NAMES:
        import_module(f"{layers.__name__}.{module}")
    places = {name: kind.__module__.rpartition(".") for name, kind in KINDS.items()}
    own = {
        name: module for name, (package, _, module) in places.items() if package == layers.__name__
    }
    assert own == OF_KINDS
    assert {name: places[alias.kind][2] for name, alias in ALIASES.items()} == OF_TORCH


def test_a_kind_without_a_rule_names_the_missing_file() -> None:
    lonely = type("Lonely", (Layer,), {"__module__": "archspec.layers.lonely", "kind": "lonely"})
    with pytest.raises(LookupError, match=r"belongs in costmodel/rules/lonely\.py"):
        cost_rule.find(lonely)


def test_registering_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="kind 'relu' is registered twice"):
        kind("relu")(Layer)
    shape_rule.find(KINDS["relu"])
    cost_rule.find(KINDS["relu"])
    activation = KINDS["relu"].__mro__[1]
    with pytest.raises(ValueError, match="has a rule already"):
        shape_rule(activation)(len)
    with pytest.raises(ValueError, match="has a rule already"):
        cost_rule(activation)(len)

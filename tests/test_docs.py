"""What the docs show is run: every command in a console block prints what stands below it."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from runpy import run_path
from textwrap import dedent, indent
from types import SimpleNamespace

import pytest
import yaml

from archspec.composites import COMPOSITES
from archspec.errors import SpecError
from archspec.layers import KINDS
from archspec.reference import language_reference
from costmodel import analyze
from costmodel.docs.reference import metrics_reference
from tests.conftest import ROOT, Run

BLOCK = re.compile(r"(?<=```console\n)(\$ .*?\n)(.*?)(?=```)", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [
    (page, match.group(1))
    for page in PAGES
    for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
    if "archcost" in match.group(1)
]


def arguments(line: str) -> list[str]:
    """The words behind ``archcost`` in the last command of a line."""
    words = shlex.split(line.removeprefix("$ ").split("&&")[-1])
    command = next(i for i, word in enumerate(words) if Path(word).name == "archcost")
    return words[command + 1 :]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: str(value)[-60:])
def test_a_shown_command_prints_what_is_shown(
    page: Path, line: str, archcost: Run, request: pytest.FixtureRequest
) -> None:
    for needed in re.findall(r" torch:(\w+)", line):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    done = archcost(*arguments(line))
    printed = done.stdout + done.stderr
    text = page.read_text(encoding="utf-8")
    if request.config.getoption("--overwrite"):
        start = text.index(line) + len(line)
        text = text[:start] + printed + text[text.index("```", start) :]
        page.write_text(text, encoding="utf-8")
    assert printed == text.split(line, 1)[1].split("```")[0]


def printed_by(source: str) -> str:
    """Run a program of a page and return what it prints; in a process, where it registers."""
    if re.search(r"^@(kind|metric|question)\(", source, re.MULTILINE):
        words = [sys.executable, "-c", source]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
    with chdir(ROOT), redirect_stdout(StringIO()) as printed:
        exec(compile(source, "page", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


FRAMES = re.compile(r"\.to_(arrow|pandas|polars)\(")
"""What needs the extra frames; where that is not installed, it does not run."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_python_runs(page: Path) -> None:
    """The asserts and the values in comments of a page's Python hold."""
    for block in PYTHON.findall(page.read_text(encoding="utf-8")):
        source = dedent(block)
        if FRAMES.search(source) and not all(map(find_spec, ("pandas", "polars", "pyarrow"))):
            continue
        shown = re.findall(r"^print\(.*\)  # (.*)$", source, re.MULTILINE)
        assert printed_by(source).splitlines()[: len(shown)] == shown


FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

HEAD = "archspec: 1\nname: shown\nsymbols: {n: 2, heads: 2, head_dim: 4}\n"
SHAPES = ("[n, 4, 4]", "[n, 1, 8]", "[n, 4, 8, 8]", "[n, 4, 8, 8, 8]")
PAIRS = (
    *((shape, shape) for shape in SHAPES),
    ("[n, 4, 8, 8]", "[n, 8, 8, 2]"),
    (SHAPES[0], "[3]"),
)


def specs_of(block: str) -> list[str]:
    """A shown spec; for a piece of one, specs that it is a piece of; nothing for another file."""
    inputs = [f"{HEAD}input: {{a: {a}, b: {b}}}\n" for a, b in PAIRS]
    if block.startswith("- "):
        layers = f"- {{identity: , from: a}}\n{block}- {{identity: , from: a}}\n"
        return [f"{head}layers:\n{layers}" for head in inputs]
    if "\nlayers:\n" in block:
        return (
            [block] if block.startswith("archspec: ") else [f"{HEAD}input: [n, 3, 32, 32]\n{block}"]
        )
    return []


def is_quoted(block: str) -> bool:
    """Whether it stands in one of our own specs, at the margin or within its ``layers``."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "specs").glob("*.yaml")]
    return any(block in text or indent(block, "  ") in text for text in texts)


def refusal(text: str, file: Path) -> str:
    """What is said of a spec that is refused; nothing where it is analyzed."""
    file.write_text(text, encoding="utf-8")
    try:
        return "" if analyze(file).at() else "no numbers"
    except SpecError as error:
        return str(error)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_specs_are_analyzed(page: Path, tmp_path: Path) -> None:
    """What is no spec, a device's profile or a file of laws, the tests of its page read."""
    for block in YAML.findall(page.read_text(encoding="utf-8")):
        texts = [] if is_quoted(block) else specs_of(block)
        refusals = [refusal(text, tmp_path / "shown.yaml") for text in texts]
        assert not refusals or "" in refusals, f"{block}\n{refusals}"


def test_every_kind_is_shown() -> None:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    shown = {key for block in YAML.findall(text) for key in re.findall(r"^- (\w+)", block, re.M)}
    assert shown >= {layer.kind for layer in KINDS.values()} | set(COMPOSITES)


def test_the_tutorial_quotes_our_specs() -> None:
    blocks = YAML.findall((ROOT / "docs" / "first-spec.md").read_text(encoding="utf-8"))
    assert sum(map(is_quoted, blocks)) == 2


REFERENCES = [("language.md", language_reference), ("metrics.md", metrics_reference)]


@pytest.mark.parametrize(("name", "reference"), REFERENCES)
def test_a_reference_is_up_to_date(
    name: str, reference: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    page = ROOT / "docs" / name
    if request.config.getoption("--overwrite"):
        page.write_text(reference(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == reference()


def test_the_readme_is_short_and_begins_with_the_first_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert len(text.split("&& .venv/bin/archcost specs/alexnet.yaml")[0].splitlines()) < 22


LINK = re.compile(r"\]\((?!https?:)([^)#]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    """Anchors, and the pages that only the site has, are for ``mkdocs build --strict``."""
    text = re.sub(r"^```.*?^```$|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / ".ci" / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f" {page.name}\n" not in nav] == []


def test_an_index_shows_no_link_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build imports its tool, which the tests have no need of."""
    stub = SimpleNamespace(MetadataHookInterface=object)
    monkeypatch.setitem(sys.modules, "hatchling.metadata.plugin.interface", stub)
    shown = run_path(str(ROOT / ".ci" / "readme.py"))["on_an_index"]
    text = shown((ROOT / "README.md").read_text(encoding="utf-8"))
    assert LINK.findall(text) == []
    assert shown("![b](c.svg)\n\n[a](docs/a.md) [d](https://e)") == "a [d](https://e)"


def test_no_machine_paths_and_no_registry_hosts() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    forbidden = re.compile(r"/(?:home|root|work|Users)/\w|py" + r"pi\.org|npm" + r"js\.")
    for name in tracked:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not forbidden.search(text), name


def test_the_readme_counts_the_zoo() -> None:
    specs = sorted((ROOT / "specs").glob("*.yaml"))
    documents = [yaml.load(path.read_text(encoding="utf-8"), FAST) for path in specs]
    networks = sum(len(document.get("variants") or [None]) for document in documents)
    facts = sum(len(document.get("expect", ())) for document in documents)
    stated = f"{networks} networks of {len(specs)} families, and {facts} published facts"
    assert stated in (ROOT / "README.md").read_text(encoding="utf-8")

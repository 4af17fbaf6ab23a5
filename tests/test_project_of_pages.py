"""A project with pages of every kind: filled, checked, edited by hand, checked, and compiled."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT, run_here
from tests.test_papers import PAPER, typeset

TABLE = "table specs/mlp.yaml specs/alexnet.yaml --metric params macs/params"
NUMBER = "value specs/mlp.yaml --metric params --unit M --digits 2"
MARKDOWN = f"""# Networks

Ours has <!-- archcost: {NUMBER} --><!-- /archcost --> M parameters.

- An item with a table:

  <!-- archcost: {TABLE} --format markdown -->
  <!-- /archcost -->

> <!-- archcost: fit specs/alexnet.yaml --hardware stm32f746 --dtype int8 -->
> <!-- /archcost -->

!!! note

    <!-- archcost: explain specs/mlp.yaml linear_1 --symbolic --format markdown -->
    <!-- /archcost -->
"""
MYST = f"""# Networks

```{{note}}
% archcost: {TABLE} --format markdown
% /archcost
```

````{{admonition}} Two

```{{tip}}
% archcost: explain specs/mlp.yaml linear_1
% /archcost
```
% archcost: fit specs/mlp.yaml --hardware stm32f746
% /archcost
````
"""
RST = f"""Networks
========

Ours has |params| M parameters.

.. archcost: |params| {NUMBER}
.. /archcost

.. note::

   .. archcost: {TABLE} --format rst --caption Two --label tab-two
   .. /archcost

.. archcost: explain specs/mlp.yaml linear_1
.. /archcost
"""
LATEX = (
    PAPER.replace("%s", "\\newcommand{\\archcost}[2]{#2}\n%s")
    % f"""Ours has \\archcost{{{NUMBER}}}{{}}~M parameters.
% archcost: {TABLE} --symbolic --format latex --caption Two --label tab:two
% /archcost
% archcost: explain specs/mlp.yaml --format latex
% /archcost
% archcost: memory specs/mlp.yaml
% /archcost
"""
)
CELL = {"cell_type": "markdown", "metadata": {}, "source": MARKDOWN.splitlines(keepends=True)}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
PAGES = {
    "docs/index.md": MARKDOWN,
    "docs/book.ipynb": NOTEBOOK + "\n",
    "sphinx/index.rst": RST,
    "sphinx/myst.md": MYST,
    "paper.tex": LATEX,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with specs and a page of every kind, which are filled."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "specs").mkdir()
    for name in ("mlp", "alexnet"):
        shutil.copy(ROOT / "specs" / f"{name}.yaml", tmp_path / "specs")
    for name, text in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = run_here("docs", *PAGES, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return tmp_path


def test_filled_edited_and_checked(project: Path) -> None:
    """A number that is typed over makes that page stale, and a run puts it right."""
    assert run_here("docs", "--check", *PAGES, folder=project).returncode == 0
    for name in PAGES:
        page = project / name
        text = page.read_text("utf-8")
        assert "669,706" in text or "0.67" in text or "669706" in text
        page.write_text(text.replace("0.67", "0.68").replace("669,706", "669,707"), "utf-8")
        if page.read_text("utf-8") != text:
            done = run_here("docs", "--check", *PAGES, folder=project)
            assert done.returncode == 1
            assert done.stderr.startswith(f"archcost: {name}: ")
            assert run_here("docs", *PAGES, folder=project).returncode == 0
            assert page.read_text("utf-8") == text


def test_code_does_not_end_the_directive_around_it(project: Path) -> None:
    text = (project / "sphinx" / "myst.md").read_text("utf-8")
    inside = text.partition("```{tip}")[2].partition("\n```\n")[0]
    assert "\n~~~text\nMLP\n" in inside
    assert inside.endswith("% /archcost")
    assert "\n```text\nMLP\n" in text.partition(inside)[2]


def test_no_fence_is_left(tmp_path: Path) -> None:
    marker = "% archcost: hardware\n% /archcost"
    page = f"```{{note}}\n~~~{{tip}}\n{marker}\n~~~\n```\n"
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    done = run_here("docs", "page.md", folder=tmp_path)
    assert done.returncode == 2
    assert "page.md:3:" in done.stderr
    assert "a fence here would end the directives around it" in done.stderr


def test_latex_compiles_the_project_s_paper(project: Path) -> None:
    assert "undefined" not in typeset(project)


def test_docutils_reads_the_project_s_page(project: Path) -> None:
    docutils = pytest.importorskip("docutils.core")
    settings = {"report_level": 2, "halt_level": 2}
    text = (project / "sphinx" / "index.rst").read_text("utf-8")
    shown = docutils.publish_doctree(text, settings_overrides=settings).pformat()
    assert 'names="tab-two"' in shown
    assert "<substitution_definition" in shown
    assert "<literal_block" in shown


@pytest.mark.exhaustive
def test_mkdocs_builds_the_project(project: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not there")
    (project / "mkdocs.yml").write_text(
        "site_name: x\nmarkdown_extensions: [admonition, tables]\n", encoding="utf-8"
    )
    words = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (project / "site" / "index.html").read_text("utf-8")
    assert page.count("<table>") == 1
    assert 'class="admonition note"' in page


@pytest.mark.exhaustive
def test_sphinx_builds_the_project(project: Path) -> None:
    for name in ("sphinx", "myst_parser"):
        pytest.importorskip(name)
    (project / "sphinx" / "conf.py").write_text(
        "extensions = ['myst_parser']\nexclude_patterns = []\n", encoding="utf-8"
    )
    words = [sys.executable, "-m", "sphinx", "-q", "sphinx", "built"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "<table" in (project / "built" / "myst.html").read_text("utf-8")

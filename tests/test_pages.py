"""Pages as people write them: numbers in sentences, markers in lists, quotes, boxes, notebooks."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import ROOT, Done, run_here

NUMBER = "value mlp.yaml --metric params --unit M --digits 2"
"""785·512 + 513·512 + 513·10 = 669,706 parameters: 0.67 M."""

TABLE = "table mlp.yaml --metric params --format markdown"
ROW = "| MLP     | 669,706 |"
BEGIN, END = f"<!-- archcost: {TABLE} -->", "<!-- /archcost -->"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one spec."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "specs" / "mlp.yaml", tmp_path)
    return tmp_path


def filled(folder: Path, text: str, name: str = "page.md") -> str:
    """Return a page with its markers filled; filled again it stays as it is."""
    page = folder / name
    page.write_text(text, encoding="utf-8")
    done = run_here("docs", name, folder=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    after = page.read_text(encoding="utf-8")
    again = run_here("docs", "--check", name, folder=folder)
    assert (again.returncode, again.stdout) == (0, ""), again.stdout
    return after


def told(folder: Path, text: str, name: str = "page.md") -> Done:
    """Return what is told of a page."""
    (folder / name).write_text(text, encoding="utf-8")
    return run_here("docs", name, folder=folder)


INLINE = {
    "page.md": (
        f"It has <!-- archcost: {NUMBER} -->1<!-- /archcost --> M, and again "
        f"**<!--archcost: {NUMBER}--><!--/archcost-->** M.\n",
        f"It has <!-- archcost: {NUMBER} -->0.67<!-- /archcost --> M, and again "
        f"**<!--archcost: {NUMBER}-->0.67<!--/archcost-->** M.\n",
    ),
    "table.md": (
        f"| a | b |\n| --- | --- |\n| MLP | <!-- archcost: {NUMBER} --><!-- /archcost --> |\n",
        f"| a | b |\n| --- | --- |\n| MLP | <!-- archcost: {NUMBER} -->0.67<!-- /archcost --> |\n",
    ),
    "page.html": (
        f"<p>It has <!-- archcost: {NUMBER} --><!-- /archcost --> M.</p>\n",
        f"<p>It has <!-- archcost: {NUMBER} -->0.67<!-- /archcost --> M.</p>\n",
    ),
    "page.tex": (
        "\\newcommand{\\archcost}[2]{#2}\n"
        f"It has \\archcost{{{NUMBER}}}{{}}~M, \\archcost{{{NUMBER}}}{{0.1}}~M.\n",
        "\\newcommand{\\archcost}[2]{#2}\n"
        f"It has \\archcost{{{NUMBER}}}{{0.67}}~M, \\archcost{{{NUMBER}}}{{0.67}}~M.\n",
    ),
    "page.rst": (
        f"It has |params| M.\n\n.. archcost: |params| {NUMBER}\n.. /archcost\n",
        f"It has |params| M.\n\n.. archcost: |params| {NUMBER}\n\n"
        ".. |params| replace:: 0.67\n\n.. /archcost\n",
    ),
}


@pytest.mark.parametrize("name", INLINE)
def test_a_number_within_a_sentence(name: str, folder: Path) -> None:
    text, wanted = INLINE[name]
    assert filled(folder, text, name) == wanted


def test_a_number_in_the_first_line_behind_a_byte_order_mark(folder: Path) -> None:
    text = f"\ufeffIt has <!-- archcost: {NUMBER} --><!-- /archcost --> M.\r\n"
    page = folder / "page.md"
    page.write_bytes(text.encode())
    assert run_here("docs", "page.md", folder=folder).returncode == 0
    assert page.read_bytes().decode() == text.replace("--><!--", "-->0.67<!--")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--metric", "params"), "669,706\n"),
        (("--metric", "params", "--unit", "Ki"), "654.01\n"),
        (("--metric", "model_size", "--unit", "MB", "--digits", "1"), "2.7\n"),
        (("--metric", "params", "--format", "json"), None),
    ],
)
def test_the_value_of_a_metric(words: tuple[str, ...], shown: str | None) -> None:
    done = run_here("value", "mlp", *words)
    assert (done.returncode, done.stderr) == (0, "")
    if shown is None:
        assert json.loads(done.stdout)["value"] == 669_706
    else:
        assert done.stdout == shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a value is of one metric"),
        (("--metric", "params", "macs"), "a value is of one metric"),
        (("--metric", "params", "--digits", "2"), "--digits 2 is of a number in a unit"),
        (("--metric", "params", "--unit", "MiB"), "unknown unit 'MiB'"),
    ],
)
def test_what_is_no_value(words: tuple[str, ...], said: str) -> None:
    done = run_here("value", "mlp", *words)
    assert done.returncode == 2
    assert said in done.stderr


NESTED = {
    "an item": (f"- A table:\n\n  {BEGIN}\n  {END}\n\n- B\n", f"\n  {ROW}\n"),
    "a numbered item": (f"10. A table:\n\n    {BEGIN}\n    {END}\n", f"\n    {ROW}\n"),
    "behind the sign of an item": (f"- {BEGIN}\n  {END}\n", f"\n  {ROW}\n"),
    "an item in an item": (f"- A\n  - B\n\n    {BEGIN}\n    {END}\n", f"\n    {ROW}\n"),
    "an item of mkdocs": (f"1. A\n\n    {BEGIN}\n    {END}\n", f"\n    {ROW}\n"),
    "a quote": (f"> A\n>\n> {BEGIN}\n> {END}\n", "-->\n>\n> | network | #params |\n"),
    "a quote in an item": (f"- > {BEGIN}\n  > {END}\n", f"\n  > {ROW}\n"),
    "a box of MyST": (f"```{{note}}\n{BEGIN}\n{END}\n```\n", f"\n{ROW}\n"),
    "a box with colons": (f":::{{note}}\n{BEGIN}\n{END}\n:::\n", f"\n{ROW}\n"),
    "boxes in boxes": (
        f"````{{grid}}\n```{{note}} A title\n% archcost: {TABLE}\n% /archcost\n```\n````\n",
        f"\n{ROW}\n",
    ),
    "a box of mkdocs": (f'!!! note "A"\n\n    {BEGIN}\n    {END}\n', f"\n    {ROW}\n"),
    "a tab of mkdocs": (f'=== "A"\n\n    {BEGIN}\n    {END}\n\nend\n', f"\n    {ROW}\n"),
    "an element": (f"<details>\n\n{BEGIN}\n{END}\n\n</details>\n", f"\n{ROW}\n"),
}


@pytest.mark.parametrize("case", NESTED)
def test_markers_within_others(case: str, folder: Path) -> None:
    text, part = NESTED[case]
    after = filled(folder, text)
    assert part in after
    assert [line for line in text.split("\n") if line not in after.split("\n")] == []


def test_markers_within_directives_of_restructuredtext(folder: Path) -> None:
    inside = "   .. archcost: table mlp.yaml --metric params --format rst\n   .. /archcost\n"
    after = filled(folder, f".. note::\n\n{inside}\nEnd.\n", "page.rst")
    assert "\n   | MLP     | 669,706 |\n" in after
    docutils = pytest.importorskip("docutils.core")
    shown = docutils.publish_string(after, writer="pseudoxml").decode()
    assert "System Message" not in shown
    assert shown.index("<note>") < shown.index("669,706") < shown.index("End.")
    literal = f".. code-block:: rst\n\n{inside}"
    assert filled(folder, literal, "page.rst") == literal


@pytest.mark.parametrize("indent", [1, 2])
@pytest.mark.parametrize("is_list", [True, False])
def test_cells_of_a_notebook(indent: int, is_list: bool, folder: Path) -> None:
    source = f"# Größe\n{BEGIN}\n{END}\nIt has <!-- archcost: {NUMBER} -->1<!-- /archcost --> M."
    written = source.splitlines(keepends=True) if is_list else source
    cells = [
        {"cell_type": "code", "source": [f"# {BEGIN}\n"], "metadata": {}, "outputs": []},
        {"cell_type": "markdown", "metadata": {}, "source": written},
    ]
    data = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(data, indent=indent, ensure_ascii=False) + "\n"
    after = filled(folder, text, "page.ipynb")
    source_after = "".join(json.loads(after)["cells"][1]["source"])
    assert f"\n{ROW}\n" in source_after
    assert "-->0.67<!--" in source_after
    kept = json.loads(after)
    kept["cells"][1]["source"] = written
    assert json.dumps(kept, indent=indent, ensure_ascii=False) + "\n" == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "page.ipynb:1:2: this is no notebook"),
        ("[1]", "page.ipynb:1:1: this is no notebook with cells"),
        (
            json.dumps({"cells": [{"cell_type": "markdown", "source": ["# A\n", BEGIN]}]}),
            "page.ipynb[cell 1]:2:16: a marker without an end",
        ),
    ],
)
def test_what_is_wrong_with_a_notebook(text: str, said: str, folder: Path) -> None:
    done = told(folder, text, "page.ipynb")
    assert done.returncode == 2
    assert said in done.stderr


LEFT = {
    "other-letters.md": "text\n\n<!-- ArchCost: mlp.yaml -->\n",
    "indented.md": f"text\n\n    {BEGIN}\n    {END}\n",
    "of-latex.tex": f"text\n\n{BEGIN}\n{END}\n",
    "of-rst.md": "text\n\n.. archcost: mlp.yaml\n.. /archcost\n",
    "of-html.rst": f"text\n\n{BEGIN}\n{END}\n",
    "behind-text.tex": "text\n\nbehind % archcost: mlp.yaml\n",
    "over-two-lines.md": f"text\n\n<!--\narchcost: {TABLE} -->\n",
}


@pytest.mark.parametrize("name", LEFT)
def test_a_marker_that_is_none_is_told_with_its_line(name: str, folder: Path) -> None:
    done = told(folder, LEFT[name], name)
    assert done.returncode == 0
    first, *others = done.stderr.splitlines()
    assert first.startswith(f"archcost: warning: {name}:3:1: this looks like a marker")
    assert others == ["archcost: 0 markers up to date"]
    checked = run_here("docs", "--check", name, folder=folder, GITHUB_ACTIONS="true")
    assert checked.returncode == 1
    assert f"::error file={name},line=3," in checked.stderr


def test_a_marker_in_a_raw_cell_is_told(folder: Path) -> None:
    cell = {"cell_type": "raw", "source": ["x\n", BEGIN]}
    told(folder, json.dumps({"cells": [cell]}), "page.ipynb")
    checked = run_here("docs", "--check", "page.ipynb", folder=folder)
    assert checked.returncode == 1
    assert checked.stderr.startswith("archcost: page.ipynb[cell 1]:2:1: this looks like a marker")


def test_a_marker_in_a_definition(folder: Path) -> None:
    after = filled(folder, f"Term\n:   {BEGIN}\n    {END}\n\nTerm\n: {BEGIN}\n  {END}\n")
    assert f"\n    {ROW}\n" in after
    assert f"\n  {ROW}\n" in after


def test_a_marker_in_a_list_of_rows(folder: Path) -> None:
    docutils = pytest.importorskip("docutils.core")
    rst = TABLE.replace("markdown", "rst")
    text = f".. list-table::\n\n   * - a\n     - .. archcost: {rst}\n       .. /archcost\n"
    after = filled(folder, text, "page.rst")
    shown = docutils.publish_doctree(after, settings_overrides={"halt_level": 2}).pformat()
    assert shown.count("<table") == 2


@pytest.mark.parametrize("text", [f"```\n{BEGIN}\n{END}\n```\n", f"text `{BEGIN}` text\n"])
def test_what_is_shown_on_purpose_is_not_told(text: str, folder: Path) -> None:
    assert told(folder, text).stderr == "archcost: 0 markers up to date\n"


def test_figures_data_and_folders_are_no_pages(folder: Path) -> None:
    """A shell's ``docs/*`` names a figure before the page that draws it."""
    (folder / "docs" / "data").mkdir()
    command = "sweep mlp.yaml --vary d=1:3 --metric params -o docs/b.csv --plot docs/a.svg"
    (folder / "docs" / "page.md").write_text(f"<!-- archcost: {command} -->\n{END}\n")
    assert run_here("docs", "docs/page.md", folder=folder).returncode == 0
    names = sorted(f"docs/{file.name}" for file in (folder / "docs").iterdir())
    assert names == ["docs/a.svg", "docs/b.csv", "docs/data", "docs/page.md"]
    for words in (names, ["docs/*"]):
        done = run_here("docs", "--check", *words, folder=folder)
        assert (done.returncode, done.stderr) == (0, "archcost: 1 markers up to date\n")


FINDINGS = {
    "fit": ("fit mlp.yaml --hardware stm32f746", "does not fit"),
    "solve": ("solve mlp.yaml --for d --where 'params < 100'", "none: no value will do"),
    "diff": ("diff mlp.yaml mlp.yaml --max 'params -1'", "broken"),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_a_result_that_is_not_zero_is_what_a_page_says(case: str, folder: Path) -> None:
    command, part = FINDINGS[case]
    assert part in filled(folder, f"<!-- archcost: {command} -->\n{END}\n")


def test_a_figure_has_no_caption_of_a_table(folder: Path) -> None:
    text = "<!-- archcost: memory mlp.yaml --plot m.svg --caption X -->\n<!-- /archcost -->\n"
    done = told(folder, text)
    assert done.returncode == 2
    assert "--caption is of a table, and this is a figure" in done.stderr


def test_a_sweep_as_a_table_of_a_page() -> None:
    words = ("sweep", "mlp", "--vary", "d=1:3", "--metric", "params", "--caption", "A b")
    shown = run_here(*words, "--format", "rst", "--label", "tab-x").stdout
    assert shown.startswith(".. table:: A b\n   :name: tab-x\n\n   +---+---------+\n")
    shown = run_here(*words, "--format", "latex", "--label", "tab:x").stdout
    assert "\\caption{A b}\\label{tab:x}" in shown
    assert run_here(*words, "--format", "markdown").stdout.startswith("**A b**\n\n|")
    done = run_here(*words, "--format", "rst", "-o", "x.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "rst is printed, for a page" in done.stderr

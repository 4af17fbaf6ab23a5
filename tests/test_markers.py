"""Pages with markers: what is found, what is written, what is refused, and that nothing else is."""

import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt

from archspec.errors import SpecError
from costmodel.cli.app import app, find_command, known_commands
from costmodel.cli.documents import run_marker
from costmodel.docs.commands import WRITTEN
from costmodel.docs.markers import find_markers, lines_of
from costmodel.docs.pages import FileChange, project_of, write
from costmodel.docs.pages import refreshed as refreshed_with
from costmodel.docs.styles import styles_of
from costmodel.render import memory_plot
from costmodel.render.plots import digest_of
from tests.conftest import ROOT, Run, examples, thinned

TABLE = "table mlp.yaml --metric params --format markdown"
BEGIN, END = f"<!-- archcost: {TABLE} -->", "<!-- /archcost -->"
FILLED = """\

| network | #params |
| ------- | ------: |
| MLP     | 669,706 |

- types: weights fp32, activations fp32, accumulators fp32
- convention: torch

"""
"""LeNet-300's wider kin: 785·512 + 513·512 + 513·10 = 669,706 parameters."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one spec, from which commands are run."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "specs" / "mlp.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refreshed(paths: Iterable[str]) -> list[FileChange]:
    """Pages with their markers filled by the real command line."""
    return refreshed_with(paths, run_marker)


def page(folder: Path, text: str | bytes, name: str = "page.md") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refresh(path: Path) -> str:
    """The text of a page after its markers were filled."""
    write(refreshed([str(path)]))
    return path.read_bytes().decode()


def refused(path: Path) -> str:
    """What is said of a page that is refused; it and its folder stay as they are."""
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    with pytest.raises(SpecError, match=r".") as caught:
        write(refreshed([str(path)]))
    after = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    assert before == after
    return str(caught.value)


# What is filled


def test_a_table_is_filled_in(folder: Path) -> None:
    text = refresh(page(folder, f"# A\n{BEGIN}\n{END}\nrest\n"))
    assert text == f"# A\n{BEGIN}\n{FILLED}{END}\nrest\n"


def test_what_stood_between_is_replaced(folder: Path) -> None:
    text = refresh(page(folder, f"{BEGIN}\nby hand\n```\n| 1 |\n{END}\n"))
    assert text == f"{BEGIN}\n{FILLED}{END}\n"


def test_twice_changes_nothing_not_even_the_time(folder: Path) -> None:
    path = page(folder, f"{BEGIN}\n{END}")
    first = refresh(path)
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    assert refresh(path) == first
    assert (path.stat().st_mtime, path.stat().st_ino) == (1, inode)


def test_several_markers_are_filled_each_by_its_own(folder: Path) -> None:
    other = TABLE.replace("params", "macs")
    text = refresh(
        page(
            folder,
            f"{BEGIN}\n{END}\nbetween\n<!--archcost:{other}-->\n<!--/archcost-->\n{BEGIN}\n{END}",
        )
    )
    assert text.count(FILLED) == 2
    assert re.search(r"between\n<!--archcost:.*-->\n\n\| network \|    MACs \|", text)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n", " tail"])
def test_line_ends_stay_as_they_are(newline: str, last: str, folder: Path) -> None:
    written = f"# A\n\n{BEGIN}\n{END}{last}" if last != " tail" else f"{BEGIN}\n{END}\n tail"
    text = refresh(page(folder, written.replace("\n", newline)))
    assert text == written.replace(f"{BEGIN}\n", f"{BEGIN}\n{FILLED}").replace("\n", newline)


def test_each_marker_ends_its_lines_as_the_line_that_begins_it(folder: Path) -> None:
    text = refresh(page(folder, f"{BEGIN}\r\n{END}\n{BEGIN}\n{END}\r\n"))
    first = FILLED.replace("\n", "\r\n")
    assert text == f"{BEGIN}\r\n{first}{END}\n{BEGIN}\n{FILLED}{END}\r\n"


def test_a_byte_order_mark_is_kept_and_hides_no_marker(folder: Path) -> None:
    text = refresh(page(folder, f"\ufeff{BEGIN}\n{END}\n"))
    assert text == f"\ufeff{BEGIN}\n{FILLED}{END}\n"


def test_signs_that_end_lines_elsewhere_end_none_here(folder: Path) -> None:
    odd = "a\x0bb\x0cc\x85d\u2028e\rf\n"
    assert lines_of(odd) == [odd]
    text = refresh(page(folder, f"{odd}{BEGIN}\n{END}\n{odd}"))
    assert text == f"{odd}{BEGIN}\n{FILLED}{END}\n{odd}"


@pytest.mark.parametrize("text", ["", "\n", "no end", "# A\n\ntext\n", "<!-- archcost -->\n"])
def test_a_page_without_markers_stays_as_it_is(text: str, folder: Path) -> None:
    assert refresh(page(folder, text)) == text


# Styles

STYLES = {
    "page.md": (BEGIN, END, "| MLP     | 669,706 |"),
    "myst.md": (f"% archcost: {TABLE}", "% /archcost", "| MLP     | 669,706 |"),
    "page.tex": (
        "  % archcost: table mlp.yaml --metric params --format latex",
        "% /archcost",
        r"MLP & 669,706 \\",
    ),
    "page.rst": (
        ".. archcost: table mlp.yaml --metric params --format rst",
        ".. /archcost",
        "| MLP     | 669,706 |",
    ),
    "page.html": (BEGIN, END, '<pre><code class="language-markdown">| network'),
    "notes.txt": (
        ".. archcost: table mlp.yaml --format rst",
        ".. /archcost",
        "| MLP     | 669,706",
    ),
    "notes": (f"% archcost: {TABLE}", "% /archcost", "\\begin{verbatim}\n| network"),
}


@pytest.mark.parametrize("name", STYLES)
def test_every_style_of_comment(name: str, folder: Path) -> None:
    begin, end, part = STYLES[name]
    path = page(folder, f"x\n\n{begin}\n{end}\n\ny\n", name)
    text = refresh(path)
    assert part in text
    assert text.startswith(f"x\n\n{begin}\n")
    assert text.endswith(f"{end}\n\ny\n")
    assert refresh(path) == text


CODE = {
    "page.md": "```text\nMLP\n\nforeach_1",
    "page.tex": "\\begin{verbatim}\nMLP\n\nforeach_1",
    "page.rst": ".. code-block:: text\n\n   MLP\n\n   foreach_1",
    "page.html": '<pre><code class="language-text">MLP\n\nforeach_1',
}


@pytest.mark.parametrize("name", CODE)
def test_what_is_not_in_the_page_s_own_format_is_code(name: str, folder: Path) -> None:
    begin, end, _ = STYLES[name]
    explained = re.sub(r"table.*?(?= -->|$)", "explain mlp.yaml linear_1", begin)
    assert CODE[name] in refresh(page(folder, f"{explained}\n{end}\n", name))


def test_code_says_its_language(folder: Path) -> None:
    marker = "<!-- archcost: table mlp.yaml --format csv -->"
    assert "```csv\nname,params" in refresh(page(folder, f"{marker}\n{END}\n"))
    marker = "<!-- archcost: mlp.yaml --format python -->"
    assert "```python\n" in refresh(page(folder, f"{marker}\n{END}\n"))


# What is code, and no marker

MARKED = f"{BEGIN}\n{END}"
NO_MARKERS = {
    "a fence": f"```\n{MARKED}\n```",
    "a fence with a language": f"```html\n{MARKED}\n```",
    "tildes": f"~~~\n{MARKED}\n~~~",
    "tildes with backticks": f"~~~ a`b`\n{MARKED}\n~~~",
    "a fence in a longer one": f"````md\n```\n{MARKED}\n```\n{MARKED}\n````",
    "a fence in tildes": f"~~~\n```\n{MARKED}\n~~~",
    "an end that is shorter": f"````\n```\n{MARKED}\n````",
    "an end with a language": f"```\n``` text\n{MARKED}\n```",
    "an end that is indented too far": f"```\n    ```\n{MARKED}\n```",
    "a fence without an end": f"```\n{MARKED}",
    "an indented fence": f"   ```\n{MARKED}\n   ```",
    "indented code": f"text\n\n    {BEGIN}\n    {END}\n",
    "indented by a tab": f"text\n\n\t{BEGIN}\n\t{END}\n",
    "in code in a line": f"`{BEGIN}` and `{END}`",
    "escaped": f"text \\{BEGIN} and \\{END}",
    "in code over two lines": f"text `code\n{BEGIN[1:]} and {END}` text",
    "a fence in a quote": f"> ```\n> {BEGIN}\n> {END}\n> ```",
    "a fence in an item": f"- ```\n  {BEGIN}\n  {END}\n  ```",
    "a fence in a numbered item": f"1. ```\n   {BEGIN}\n   {END}\n   ```",
    "another word": "<!-- archcosts: x -->\n<!-- /archcosts -->",
    "MyST in a fence": f"```\n% archcost: {TABLE}\n% /archcost\n```",
}


@pytest.mark.parametrize("case", NO_MARKERS)
def test_no_marker(case: str, folder: Path) -> None:
    text = NO_MARKERS[case]
    assert refresh(page(folder, text)) == text


@pytest.mark.parametrize("case", [case for case in NO_MARKERS if "without an end" not in case])
def test_code_ends_where_it_ends(case: str, folder: Path) -> None:
    text = refresh(page(folder, f"{NO_MARKERS[case]}\n\n{MARKED}\n"))
    assert text == f"{NO_MARKERS[case]}\n\n{BEGIN}\n{FILLED}{END}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.rst", "text::\n\n   .. archcost: nope\n   .. /archcost\n"),
        ("page.tex", "\\begin{verbatim}\n% archcost: nope\n\\end{verbatim}\n"),
        ("page.tex", "\\begin{lstlisting}[x]\n% archcost: nope\n\\end{lstlisting}\n"),
        ("page.tex", "``` is a quotation mark\n% is a comment\n"),
    ],
)
def test_code_of_other_styles(name: str, text: str, folder: Path) -> None:
    assert refresh(page(folder, text, name)) == text


PIECES = (
    *("```", "````", "~~~", "~~~~", "  ```", "    ```", "```md", "``` a`b", "> ```", "- ```"),
    *("> text", "text", "", "", "  text", "    text", "<!-- archcost: x -->"),
    *("  <!-- archcost: x -->", "> <!-- archcost: x -->", "- ~~~", "1. ```", "> - ```"),
)


def comments(text: str, *, nested: bool) -> set[int]:
    """The lines that a reader of CommonMark takes for a comment, those in containers or not."""
    return {
        number
        for token in MarkdownIt().parse(text)
        if token.type == "html_block" and token.map and (nested or token.level == 0)
        for number in range(*token.map)
        if "archcost" in text.split("\n")[number]
    }


def markers_in(text: str) -> set[int]:
    """The lines of a text that begin a marker, where every one that looks so is ended at once."""
    lines = text.split("\n")
    begins = [number for number, line in enumerate(lines) if line.lstrip(" >").startswith("<!--")]
    ended = list(lines)
    for number in begins:
        indent = lines[number].partition("<")[0]
        ended[number] += f"\n{indent}{END}"
    found = find_markers(lines_of("\n".join(ended)), styles_of(Path("a.md")), "a.md")
    starts = [marker.first for marker in found]
    return {number for i, number in enumerate(begins) if number + i + 1 in starts}


def test_fences_are_those_of_commonmark() -> None:
    """Random pages, against markdown-it: where a line is a marker, a reader reads a comment."""
    for seed in range(examples(4000)):
        text = "\n".join(Random(seed).choices(PIECES, k=10))
        found = markers_in(text)
        assert found <= comments(text, nested=True), text
        assert found >= comments(text, nested=False), text


# What is broken

BROKEN = {
    "no end": (f"\n{BEGIN}\ntext\n", "page.md:2:16: a marker without an end"),
    "no beginning": (f"text\n  {END}\n", "page.md:2:3: the end of a marker that does not begin"),
    "one within another": (
        f"{BEGIN}\n{BEGIN}\n{END}\n",
        "page.md:2:1: a marker within that of line 1",
    ),
    "two ends": (f"{BEGIN}\n{END}\n{END}\n", "page.md:3:1: the end of a marker"),
    "another style's end": (f"{BEGIN}\n% /archcost\n{END}\n", "page.md:2:1: this does not end"),
    "no command": (f"<!-- archcost: -->\n{END}\n", "page.md:1:1: a marker without a command"),
    "text behind it": (
        f"{BEGIN} text\n{END}\n",
        "page.md:1:1: this is no marker; one stands alone",
    ),
    "a table in a line": (
        f"x {BEGIN} {END}\n",
        "within a line takes a command that prints one line",
    ),
    "no end in a line": (f"x {BEGIN} y\n", "page.md:1:3: this is no marker"),
    "no beginning in a line": (f"x {END} y\n", "page.md:1:3: this is no marker"),
    "several lines": ("<!-- archcost: table\nx -->\n", "page.md:1:1: this is no marker"),
    "an odd quote": (f"<!-- archcost: 'a -->\n{END}\n", "page.md:1:16: the command cannot be read"),
    "an unknown command": (f"<!-- archcost: tabel mlp.yaml -->\n{END}\n", "did you mean 'table'?"),
    "no such file": (
        f"<!-- archcost: mpl.yaml -->\n{END}\n",
        "page.md:1:16: archcost mpl.yaml: no such file",
    ),
    "an unknown option": (f"<!-- archcost: mlp.yaml --metrik x -->\n{END}\n", "--metrik"),
    "an unknown metric": (
        f"<!-- archcost: mlp.yaml --metric mac -->\n{END}\n",
        "did you mean 'macs'?",
    ),
    "a failing check": (f"<!-- archcost: check bad.yaml -->\n{END}\n", "fails, with exit status 1"),
    "a bad spec": (f"<!-- archcost: worse.yaml -->\n{END}\n", "worse.yaml:1:1"),
    "the shell": (f"<!-- archcost: mlp.yaml; touch x -->\n{END}\n", "no such file: mlp.yaml;"),
    "a pipe": (f"<!-- archcost: mlp.yaml | tee x.csv -->\n{END}\n", "no such file: |"),
    "itself": (f"<!-- archcost: docs page.md -->\n{END}\n", "docs cannot stand in a marker"),
    "a user's code": (
        f"<!-- archcost: sweep alexnet --vary h=96,128 --predict=mine:accuracy -->\n{END}\n",
        "a marker runs nobody's code",
    ),
    "a program": (f"<!-- archcost: touch x -->\n{END}\n", "'touch' is no command"),
}

BAD = """\
archspec: 1
name: bad
input: [1, 8]
layers: [{linear: {out_features: 8}}]
expect: [{metric: params, value: 65, source: none}]
"""


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_said_in_one_place_and_nothing_changes(case: str, folder: Path) -> None:
    text, said = BROKEN[case]
    (folder / "bad.yaml").write_text(BAD)
    (folder / "worse.yaml").write_text("archspec: 2\n")
    message = refused(page(folder, f"{text}"))
    assert said in message
    assert re.match(r"page\.md:\d+:\d+: ", message.replace(f"{folder}/", ""))
    assert message.count("\n  hint: ") <= 1


def test_one_broken_page_keeps_all_from_being_written(folder: Path) -> None:
    good, bad = page(folder, MARKED, "a.md"), page(folder, BEGIN, "b.md")
    with pytest.raises(SpecError, match=r"b\.md:1:16: a marker without an end"):
        write(refreshed([str(good), str(bad)]))
    assert good.read_text() == MARKED


def test_a_page_that_is_not_utf_8_is_refused(folder: Path) -> None:
    message = refused(page(folder, b"ok\nna\xc3\xafve \xff" + MARKED.encode()))
    assert "page.md:2:7: byte 0xff is not UTF-8" in message


def test_what_is_printed_can_hold_no_marker(folder: Path) -> None:
    spec = BAD.replace("name: bad", f'name: "{END}"')
    (folder / "bad.yaml").write_text(spec)
    message = refused(page(folder, f"<!-- archcost: bad.yaml -->\n{END}\n"))
    assert "the command prints a line that looks like a marker" in message


# What is written


def test_the_mode_is_kept_and_no_other_file_is_left(folder: Path) -> None:
    path = page(folder, MARKED)
    path.chmod(0o640)
    refresh(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(file.name for file in folder.iterdir()) == [".git", "docs", "mlp.yaml", "page.md"]


def test_a_link_stays_a_link(folder: Path) -> None:
    real = page(folder, MARKED, "docs/real.md")
    link = folder / "link.md"
    link.symlink_to(real)
    assert FILLED in refresh(link)
    assert link.is_symlink()
    assert FILLED in real.read_text()


def test_a_page_named_twice_is_one(folder: Path) -> None:
    path = page(folder, MARKED)
    assert len(refreshed([str(path), "page.md", "docs/../page.md"])) == 1


def test_where_one_file_cannot_be_replaced_none_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [page(folder, MARKED, name) for name in ("a.md", "b.md", "c.md")]
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if target.name == "c.md":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(
        SpecError, match=r"cannot write .*c\.md: No space left .*nothing is changed"
    ):
        write(refreshed(map(str, paths)))
    assert [path.read_text() for path in paths] == [MARKED] * 3
    assert len(list(folder.iterdir())) == 6


def test_a_page_that_may_only_be_read_is_not_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(folder, MARKED)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SpecError, match=r"cannot write .*page\.md: it may only be read"):
        write(refreshed([str(path)]))
    assert path.read_text() == MARKED


def test_where_there_is_no_room_no_file_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(folder, MARKED)
    changes = refreshed([str(path)])

    def failing(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(SpecError, match="No space left on device; nothing is changed"):
        write(changes)
    assert path.read_text() == MARKED
    assert sorted(file.name for file in folder.iterdir()) == [".git", "docs", "mlp.yaml", "page.md"]


def test_a_page_that_is_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    path = page(folder, MARKED)
    changes = refreshed([str(path)])
    path.write_text("by another hand")
    with pytest.raises(SpecError, match="it was changed meanwhile; nothing is changed"):
        write(changes)
    assert path.read_text() == "by another hand"


# Files that a marker writes

PLOT = "<!-- archcost: memory mlp.yaml --plot docs/memory.svg -->"
SEAL = r"<!-- numbers [0-9a-f]{12}, file [0-9a-f]{12} -->"


def marked(command: str) -> str:
    """A page with one marker."""
    return f"<!-- archcost: {command} -->\n{END}\n"


def stale(path: Path) -> list[str]:
    """The names of the files that are not as they should be."""
    return [change.path.name for change in refreshed([str(path)]) if change.is_stale]


def test_a_figure_stands_in_place_of_the_text(folder: Path) -> None:
    text = refresh(page(folder, f"{PLOT}\n{END}\n", "docs/page.md"))
    shown = "MLP: memory of activations, layer by layer"
    assert re.fullmatch(rf"{PLOT}\n\n!\[{shown}\]\(memory\.svg\)\n{SEAL}\n\n{END}\n", text)
    assert (folder / "docs" / "memory.svg").read_text().startswith("<?xml")


def test_a_figure_is_stale_where_its_numbers_are(folder: Path) -> None:
    path = page(folder, f"{PLOT}\n{END}\n")
    refresh(path)
    assert stale(path) == []
    spec = folder / "mlp.yaml"
    spec.write_text(spec.read_text().replace("default: 512", "default: 256"))
    assert stale(path) == ["page.md", "memory.svg"]
    (folder / "docs" / "memory.svg").unlink()
    assert stale(path) == ["page.md", "memory.svg"]
    refresh(path)
    assert stale(path) == []


WIDE = """\
archspec: 1
name: Wide
symbols: {n: 1, d: 4, k: {default: 1}}
input: [n, 16]
layers:
  - linear: {out_features: "8 + d + max(0, d - LATE) + GREY*(k - 1)"}
"""

MANY = f"""\
archspec: 1
name: Many
symbols: {{n: 1, d: 4}}
input: [n, 16]
layers: [{{linear: {{out_features: d}}}}]
variants: {{{", ".join(f"v{i}: {{symbols: {{d: {i}}}}}" for i in range(1, 60))},
  last: {{symbols: {{d: LAST}}}}}}
"""

DEEP = """\
archspec: 1
name: Deep
input: [1, 16]
layers:
  - linear: {out_features: 2000000}
  - linear: {out_features: 8}
  - linear: {out_features: INNER}
  - linear: {out_features: 1}
"""

SIDES = """\
archspec: 1
name: Sides
input: [1, 64]
layers:
  - parallel:
      branches: [[{linear: {out_features: LEFT}}], [{linear: {out_features: RIGHT}}]]
      merge: concat
      axis: 1
"""


class Kind(NamedTuple):
    """A kind of figure: its spec, the command, what it is called, and a change in the spec.

    The change is of what the figure shows and the command does not print.
    """

    spec: str
    command: str
    shown: str
    before: dict[str, str]
    after: dict[str, str]


LATE = {"LATE": "60", "GREY": "0"}, {"LATE": "61", "GREY": "0"}
"""Rows from d = 61 on differ, and the first 50 are printed."""

KINDS = {
    "lines": Kind(
        WIDE,
        "sweep x.yaml --vary d=1:70 --metric macs params",
        "Wide: MACs, #params over d",
        *LATE,
    ),
    "maps": Kind(
        WIDE, "sweep x.yaml --vary d=1:70 k=1,2 --metric macs", "Wide: MACs over d and k", *LATE
    ),
    "points of a sample": Kind(
        WIDE,
        "sweep x.yaml --vary d=1:400 k=1:9 --sample 400 --metric macs",
        "Wide: MACs over d and k",
        {"LATE": "397", "GREY": "0"},
        {"LATE": "398", "GREY": "0"},
    ),
    "bars": Kind(
        MANY, "sweep x.yaml@* --metric macs", "Many: MACs", {"LAST": "70"}, {"LAST": "71"}
    ),
    "grey points": Kind(
        WIDE,
        "sweep x.yaml --vary d=1:9 k=1,2 --pareto macs d:max",
        "Wide: the front of MACs and d",
        {"LATE": "60", "GREY": "5"},
        {"LATE": "60", "GREY": "6"},
    ),
    "a long front": Kind(
        WIDE,
        "sweep x.yaml --vary d=1:70 --pareto macs d:max",
        "Wide: the front of MACs and d",
        *LATE,
    ),
    "rows in a file": Kind(
        WIDE,
        "sweep x.yaml --vary d=1:3 --metric macs -o docs/x.csv",
        "Wide: MACs over d",
        {"LATE": "1", "GREY": "0"},
        {"LATE": "2", "GREY": "0"},
    ),
    "memory": Kind(
        DEEP,
        "memory x.yaml",
        "Deep: memory of activations, layer by layer",
        {"INNER": "250001"},
        {"INNER": "250002"},
    ),
    "roofline": Kind(
        SIDES,
        "latency x.yaml --depth 0 --hardware t4",
        "Sides on NVIDIA T4 16 GB: roofline, layer by layer",
        {"LEFT": "8", "RIGHT": "24"},
        {"LEFT": "12", "RIGHT": "20"},
    ),
}


def spelled(spec: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        spec = spec.replace(name, value)
    return spec


DRAWN = [*(f"{kind}.svg" for kind in KINDS), "roofline.png", "maps.pdf"]


@pytest.mark.parametrize("figure", thinned(DRAWN, 5))
def test_a_figure_is_stale_where_only_what_is_not_printed_changes(
    figure: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, end = figure.split(".")
    spec, command, shown, before, after = KINDS[kind]
    path = page(folder, marked(f"{command} --plot docs/x.{end}"))
    (folder / "x.yaml").write_text(spelled(spec, before))
    app(shlex.split(command))
    printed = capsys.readouterr().out
    assert f"![{shown}](docs/x.{end})" in refresh(path)
    assert stale(path) == []
    (folder / "x.yaml").write_text(spelled(spec, after))
    app(shlex.split(command))
    assert capsys.readouterr().out == printed
    assert {"page.md", f"x.{end}"} <= set(stale(path))
    refresh(path)
    assert stale(path) == []


def test_every_command_with_a_figure_is_of_some_kind() -> None:
    commands = {name: app[name].assemble_argument_collection() for name in known_commands()}
    drawing = {
        name
        for name, arguments in commands.items()
        if any(each.field_info.name == "plot" for each in arguments)
    }
    assert drawing == {kind.command.split()[0] for kind in KINDS.values()}


def test_what_a_figure_shows_makes_its_digest() -> None:
    """Numbers to 12 digits, texts, records and arrays; what only looks alike is told apart."""
    same = [
        (0.1 + 0.2, 0.3),
        ([1, 2], (1, 2)),
        (np.array([1.5, 2]), [1.5, 2.0]),
        (np.ma.masked_invalid([1.0, np.nan]), [1.0, None]),
    ]
    for one, other in same:
        assert digest_of(one) == digest_of(other)
    different = [1, "1", 1.00000000001, [1], [[1]], [1, 2], ["1,2"], ["1", "2"], "(1,2)", None, ""]
    assert len({digest_of(each) for each in different}) == len(different)


def test_a_figure_that_is_edited_is_found_and_drawn_again(folder: Path, archcost: Run) -> None:
    path = page(folder, f"{PLOT}\n{END}\n")
    text = refresh(path)
    figure = folder / "docs" / "memory.svg"
    drawn = figure.read_text()
    figure.write_text(drawn.replace("kB", "MB"))
    done = archcost("docs", "--check", str(path))
    assert (done.returncode, done.stdout) == (1, f"{figure} is not as it was drawn\n")
    assert done.stderr == f"archcost: {figure}: stale\n"
    done = archcost("docs", str(path))
    assert done.stderr == f"archcost: {figure}: written\n"
    assert (figure.read_text(), path.read_text()) == (drawn, text)
    figure.unlink()
    done = archcost("docs", "--check", str(path))
    assert (done.returncode, done.stdout) == (1, f"{figure} is missing\n")


def test_a_figure_is_drawn_again_only_where_it_has_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of what draws would draw other bytes: here, another colour."""
    path = page(folder, f"{PLOT}\n{END}\n{MARKED}")
    refresh(path)
    figure = folder / "docs" / "memory.svg"
    drawn = figure.read_bytes()
    monkeypatch.setattr(memory_plot, "BLUE", "#123456")
    assert stale(path) == []
    path.write_text(path.read_text().replace("669,706", "669,707"))
    assert stale(path) == ["page.md"]
    refresh(path)
    assert figure.read_bytes() == drawn
    figure.write_bytes(drawn.replace(b"\n", b"\r\n"))
    assert stale(path) == []
    figure.write_bytes(drawn.replace(b" \n", b"\n").rstrip())
    assert stale(path) == []
    figure.unlink()
    assert stale(path) == ["page.md", "memory.svg"]
    refresh(path)
    assert b"#123456" in figure.read_bytes()
    assert stale(path) == []


def test_a_page_without_digests_has_its_figure_drawn(folder: Path, archcost: Run) -> None:
    path = page(folder, f"{PLOT}\n{END}\n")
    figure = folder / "docs" / "memory.svg"
    figure.write_text("from elsewhere")
    done = archcost("docs", "--check", str(path))
    assert f"{figure} has no digest on its page\n" in done.stdout
    done = archcost("docs", str(path))
    assert done.stderr == (
        f"archcost: {path}: 1 of 1 markers refreshed\narchcost: {figure}: written\n"
    )
    assert archcost("docs", "--check", str(path)).stderr == "archcost: 1 markers up to date\n"


ROWS = "sweep mlp.yaml --vary d=1:3 --metric params -o docs/rows"


@pytest.mark.parametrize("end", [".csv", ".jsonl", ".ndjson", ".parquet"])
def test_data_is_stale_where_its_rows_are(end: str, folder: Path) -> None:
    if end == ".parquet":
        pytest.importorskip("pyarrow.parquet")
    path = page(folder, marked(f"{ROWS}{end}"))
    refresh(path)
    data = folder / "docs" / f"rows{end}"
    written = data.read_bytes()
    assert stale(path) == []
    data.write_bytes(written[:-9])
    assert stale(path) == [data.name]
    data.unlink()
    assert stale(path) == [data.name]
    refresh(path)
    assert data.read_bytes() == written
    spec = folder / "mlp.yaml"
    spec.write_text(spec.read_text().replace("classes: 10", "classes: 11"))
    assert stale(path) == [data.name]
    refresh(path)
    assert stale(path) == []


def test_how_lines_end_does_not_make_data_stale(folder: Path, archcost: Run) -> None:
    """Three rows below a head: 785·d + (d + 1)·d + (d + 1)·10 parameters."""
    path = page(folder, marked(f"{ROWS}.csv"))
    refresh(path)
    data = folder / "docs" / "rows.csv"
    rows = [f"{d},{d * (796 + d) + 10}" for d in (1, 2, 3)]
    assert data.read_text().splitlines() == ["d,params", *rows]
    data.write_bytes(data.read_bytes().replace(b"\n", b"\r\n"))
    assert stale(path) == []
    data.write_text(data.read_text().replace("1606", "1607"))
    done = archcost("docs", "--check", str(path))
    assert (done.returncode, done.stdout) == (1, f"{data} differs from line 3 on\n")


def test_parquet_is_compared_by_rows(folder: Path) -> None:
    """Other row groups and another compression are the same rows; another type is none."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = page(folder, marked(f"{ROWS}.parquet"))
    refresh(path)
    data = folder / "docs" / "rows.parquet"
    written, table = data.read_bytes(), parquet.read_table(data)
    parquet.write_table(table, data, row_group_size=1, compression="none")
    kept = data.read_bytes()
    assert kept != written
    assert stale(path) == []
    refresh(path)
    assert data.read_bytes() == kept
    parquet.write_table(table.cast(arrow.schema([("d", "int32"), ("params", "int64")])), data)
    assert stale(path) == [data.name]
    parquet.write_table(table.slice(1), data)
    assert stale(path) == [data.name]


def test_files_are_written_before_the_pages_that_tell_of_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[str] = []
    replace = os.replace

    def noted(source: Path, target: Path) -> None:
        replaced.append(target.name)
        replace(source, target)

    paths = [
        page(folder, f"{PLOT}\n{END}\n", "a.md"),
        page(folder, marked(f"{ROWS}.csv --plot docs/b.svg"), "b.md"),
    ]
    changes = refreshed(map(str, paths))
    monkeypatch.setattr(os, "replace", noted)
    write(changes)
    assert sorted(replaced[:3]) == ["b.svg", "memory.svg", "rows.csv"]
    assert replaced[3:] == ["a.md", "b.md"]


def test_a_marker_that_fails_leaves_all_files_as_they_are(folder: Path) -> None:
    path = page(folder, f"{PLOT}\n{END}\n{marked(f'{ROWS}.csv')}")
    refresh(path)
    (folder / "mlp.yaml").write_text((folder / "mlp.yaml").read_text().replace("512", "256"))
    path.write_text(path.read_text() + marked("mlp.yaml --metric mac"))
    assert "did you mean 'macs'?" in refused(path)


def test_an_interrupt_leaves_all_files_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(folder, f"{PLOT}\n{END}\n")
    changes = refreshed([str(path)])

    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(changes)
    assert path.read_text() == f"{PLOT}\n{END}\n"
    assert list((folder / "docs").iterdir()) == []


def test_no_path_of_a_folder_in_between_is_shown(
    folder: Path, archcost: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(folder, marked(f"{ROWS}.csv --plot docs/x.svg"))
    done = archcost("docs", str(path))
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"archcost: {path}: 1 of 1 markers refreshed",
        f"archcost: {folder}/docs/rows.csv: written",
        f"archcost: {folder}/docs/x.svg: written",
    ]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("costmodel.render.sweep_files.write_text", full)
    said = refused(path)
    assert said.endswith(": cannot write docs/rows.csv: No space left on device")


def test_warnings_of_specs_are_told(folder: Path, archcost: Run) -> None:
    spec = folder / "mlp.yaml"
    spec.write_text(spec.read_text().replace("classes: 10}", "classes: 10, unused: 3}"))
    done = archcost("docs", str(page(folder, marked("memory mlp.yaml"))))
    assert re.search(r"archcost: warning: mlp\.yaml:\d+:\d+: .*unused", done.stderr)


def test_a_spec_that_is_not_there_is_one_error(folder: Path, archcost: Run) -> None:
    path = page(folder, marked("check nosuch.yaml"))
    done = archcost("docs", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"archcost: {path}:1:16: archcost check nosuch.yaml: no such file: nosuch.yaml\n"
        "  hint: known here: mlp.yaml\n"
    )


def test_an_option_that_names_a_figure_writes_no_data(folder: Path) -> None:
    path = page(folder, marked("sweep mlp.yaml --vary d=1:3 --format csv -o docs/x.svg"))
    assert "it ends in .csv, .json, .jsonl, .ndjson, .parquet" in refused(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("AWAY/x.svg", "below"),
        ("../x.svg", "below"),
        ("docs/../../x.svg", "below"),
        ("out/x.svg", "below"),
        (".git/x.svg", "no hidden file"),
        ("docs/.x.svg", "no hidden file"),
        ("docs/x.sh", "figures and data only"),
        ("page.md", "figures and data only"),
        ("nowhere/x.svg", "no folder nowhere/"),
    ],
)
@pytest.mark.parametrize("option", ["--plot {}", "--plot={}", "'--plot={}'"])
def test_a_marker_writes_nowhere_else(
    path: str, said: str, option: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    away = tmp_path_factory.mktemp("out")
    (folder / "out").symlink_to(away)
    written = option.format(path.replace("AWAY", str(away)))
    marker = f"<!-- archcost: memory mlp.yaml {written} -->"
    assert said in refused(page(folder, f"{marker}\n{END}\n"))
    assert list(away.iterdir()) == []


def test_every_option_that_names_a_file_to_write_is_known() -> None:
    """A command whose parameter writes a file has it under a name that markers watch."""
    commands = [app, *(app[name] for name in known_commands())]
    parameters = [each for command in commands for each in command.assemble_argument_collection()]
    assert len(parameters) > 50
    for each in parameters:
        text = f"{each.parameter.help} {' '.join(each.names)}"
        if re.search(r"(?i)into a file|write|-o\b|--out|--plot", text):
            assert each.field_info.name in WRITTEN, each.names


# The project and the command


def test_paths_start_from_the_project_s_folder(folder: Path) -> None:
    assert project_of(folder / "docs" / "page.md") == folder
    assert FILLED in refresh(page(folder, MARKED, "docs/page.md"))
    (folder / "docs" / "pyproject.toml").write_text("")
    assert project_of(folder / "docs" / "page.md") == folder / "docs"


def test_the_folder_can_be_given(folder: Path, archcost: Run) -> None:
    path = page(folder, MARKED, "docs/page.md")
    (folder / "docs" / "pyproject.toml").write_text("")
    assert archcost("docs", str(path)).returncode == 2
    assert archcost("docs", str(path), "--root", str(folder)).returncode == 0
    assert archcost("docs", str(path), "--root", str(folder / "x")).returncode == 2


def test_check_changes_nothing_and_shows_the_difference(folder: Path, archcost: Run) -> None:
    path = page(folder, f"{BEGIN}\nold\n{END}\n{PLOT}\n{END}")
    done = archcost("docs", "--check", str(path))
    assert done.returncode == 1
    assert done.stdout.startswith(f"--- {path}\n+++ {path} (generated)\n@@ -1,5 +1,")
    assert "\n-old\n" in done.stdout
    assert "\n+| MLP     | 669,706 |\n" in done.stdout
    assert "\\ No newline at end of file\n" in done.stdout
    assert f"{folder}/docs/memory.svg is missing" in done.stdout
    assert f"{path}: 2 of 2 markers stale" in done.stderr
    assert path.read_text() == f"{BEGIN}\nold\n{END}\n{PLOT}\n{END}"
    assert not (folder / "docs" / "memory.svg").exists()
    assert archcost("docs", str(path)).returncode == 0
    again = archcost("docs", "--check", str(path))
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == "archcost: 2 markers up to date\n"


def test_an_edit_by_hand_is_found(folder: Path, archcost: Run) -> None:
    path = page(folder, MARKED)
    path.write_text(refresh(path).replace("669,706", "669,707"))
    done = archcost("docs", "--check", str(path))
    assert done.returncode == 1
    assert "-| MLP     | 669,707 |\n+| MLP     | 669,706 |\n" in done.stdout


def test_a_broken_marker_is_bad_input(folder: Path, archcost: Run) -> None:
    done = archcost("docs", str(page(folder, BEGIN)))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"archcost: {folder}/page.md:1:16: a marker without an end\n")


def test_the_terminal_of_a_marker_is_the_same_everywhere(folder: Path, archcost: Run) -> None:
    path = page(folder, f"<!-- archcost: memory mlp.yaml -->\n{END}\n")
    assert archcost("docs", str(path), columns=200, FORCE_COLOR="1").returncode == 0
    assert "\x1b" not in path.read_text()
    assert archcost("docs", "--check", str(path), columns=60).returncode == 0


def test_pages_are_named_by_patterns_too(folder: Path, archcost: Run) -> None:
    for name in ("a.md", "docs/b.md", "docs/c.rst"):
        page(folder, MARKED, name)
    done = archcost("docs", "--check", f"{folder}/**/*.md")
    assert done.returncode == 1
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        f"{folder}/a.md",
        f"{folder}/docs/b.md",
    ]
    assert "no page matches" in archcost("docs", f"{folder}/*.tex").stderr


@pytest.mark.parametrize("option", ["--help", "--version", "memory --help"])
def test_help_can_be_shown(option: str, folder: Path) -> None:
    text = refresh(page(folder, f"<!-- archcost: {option} -->\n{END}\n"))
    assert "```text\n" in text
    assert "nothing was printed" not in text
    assert option != "--help" or "explain    Show how every number" in text


def test_no_page_brings_anything_but_an_error() -> None:
    """Random lines of markers, fences and signs: markers, or one error with a place."""
    pieces = (
        *(BEGIN, END, "```", "~~~", "> ```", "- x", "", "% archcost: x", "% /archcost", "\ufeff"),
        *("<!-- archcost:", "<!-- /archcost", f"{BEGIN} x", ".. archcost:: x", "\r", "\x00"),
    )
    random = Random(6)
    for _ in range(examples(5000)):
        text = "\n".join(random.choices(pieces, k=8))
        assert found_or_refused(text), text


def found_or_refused(text: str) -> bool:
    """Whether a page has markers whose ends follow their beginnings, or an error with a place."""
    try:
        markers = find_markers(lines_of(text), styles_of(Path("a.md")), "a.md")
    except SpecError as error:
        return error.origin is not None
    return all(marker.first <= marker.last for marker in markers)


# The ready files


def test_the_hooks_are_what_pre_commit_takes() -> None:
    hooks = yaml.safe_load((ROOT / "docs" / "pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == [
        "archcost-docs",
        "archcost-docs-check",
        "archcost-check",
    ]
    for hook in hooks:
        assert hook.keys() >= {"id", "name", "entry", "language", "files", "description"}
        assert re.compile(hook["files"]).search("specs/a.yaml")
        words = [*hook["entry"].split()[1:], *hook.get("args", ["specs/alexnet.yaml"])]
        assert find_command(words[0])
        app.parse_args(words)


def test_the_workflow_runs_commands_that_there_are() -> None:
    workflow = yaml.safe_load((ROOT / "docs" / "workflow.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    lines = [line.strip() for step in steps for line in step.get("run", "").splitlines()]
    commands = [line for line in lines if line.startswith("archcost ")]
    assert [command.split()[1] for command in commands] == ["check", "docs", "diff"]
    for command in commands:
        assert find_command(command.split()[1])
        app.parse_args(command.partition(" >>")[0].split()[1:])


def test_the_zoo_is_made_by_markers() -> None:
    """All families and all variants by pattern, so that a new one cannot be left out."""
    text = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert "<!-- archcost: specs/*.yaml --" in text
    assert "<!-- archcost: specs/*.yaml@* --" in text
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    specs = [yaml.safe_load(file.read_text()) for file in sorted(ROOT.glob("specs/*.yaml"))]
    networks = sum(len(spec.get("variants") or [None]) for spec in specs)
    assert [table.count("\n") - 2 for table in tables[:2]] == [len(specs), networks]

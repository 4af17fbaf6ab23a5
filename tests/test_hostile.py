"""Texts that would be more than text where they are shown: in every place, in every language.

What is made of each is read by the language's own tool, and has the structure of what is made of a
harmless name: no markup, no statement, no cell and no line more.
"""

import ast
import csv
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from unicodedata import category
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from cyclopts import CycloptsError
from markdown_it import MarkdownIt

from archspec.errors import SpecError, visible
from costmodel.cli.app import run
from costmodel.cli.documents import run_marker
from costmodel.docs.pages import refreshed, write
from costmodel.docs.styles import LATEX
from costmodel.render import rst
from costmodel.render.markdown import escaped as escaped_markdown
from costmodel.render.rst import escaped as escaped_rst
from tests.conftest import crossed, share, thinned

HARMLESS = "plain"

HOSTILE = (
    'x"""; PWNED = 1; """',
    "x\\",
    "x*/ int pwned = 1; /*",
    "x ??/",
    "x\u2028PWNED = 1",
    "x\nPWNED = 1",
    "$\\notacommand{$",
    "$x^2$ and $y",
    "\\input{/etc/passwd} % } \\end{table}",
    "\\end{verbatim}\\input{x}",
    "~#&_{}^",
    "[1em] *x",
    "</script><script>alert(1)</script>",
    "--><b>x</b><!--",
    "[a](javascript:alert(1)) ![b](c)",
    "**b** `c` _d_ ~~e~~ &lt; <http://f>",
    "|cell|``",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-1+1",
    "@SUM(A1)",
    "\u202eevil \u2066x\u2069",
    "[red]x[/red] :smile:",
    "x_ `y`_ |z| x::",
    ".. raw:: html",
    "1. item",
    "===",
    "- item",
    "网络 e\u0301 \u200d",
    "  - हिन्दी ⚡",
    "(a) item\u3164",
)
"""Some of them are refused where a language has no place for them; none is obeyed."""

SPEC = """\
archspec: 1
name: {text}
source: {text}
symbols: {{n: 1, h: {{default: 8, doc: {text}}}}}
input: [n, 3, h, h]
layers:
  - conv2d: {{out_channels: 4, kernel_size: 3}}
  - relu
  - flatten
  - linear: {{out_features: 2}}
variants:
  {text}: {{symbols: {{h: 9}}}}
  other: {{symbols: {{h: 10}}}}
expect:
  - {{metric: macs, value: 1, source: {text}}}
"""

DEVICE = """\
archspec: 1
name: {text}
doc: {text}
operations: {{fp32: {{value: 1 TFLOP/s, source: {text}, read: vendor}}}}
memory:
  dram:
    kind: dram
    capacity: {{value: 1 GB, source: {text}, read: vendor}}
    bandwidth: {{value: 100 GB/s, source: {text}, read: vendor}}
energy:
  add: {{fp32: {{value: 1 pJ, source: {text}, read: vendor}}}}
  multiply: {{fp32: {{value: 1 pJ, source: {text}, read: vendor}}}}
  access:
    {text}: {{kind: dram, bits: 32, value: 1 pJ, source: {text}, read: vendor}}
"""

NETWORKS = ["net.yaml", "net.yaml@*"]
DEVICE_OF = ["--hardware", "dev.yaml"]
SWEEP = ["sweep", "net.yaml@*", "--vary", "h=8,9", "--join", "own.csv"]


def commands(text: str) -> dict[str, list[str]]:
    """Every command that shows texts of a person's, by its name, without a format."""
    return {
        "report": ["net.yaml"],
        "symbolic": ["net.yaml", "--symbolic"],
        "table": [
            "table",
            "net.yaml@*",
            "--caption",
            f"of {text}",
            "--columns",
            "name",
            "variant",
            "source",
        ],
        "explain": ["explain", "net.yaml"],
        "memory": ["memory", "net.yaml"],
        "sensitivity": ["sensitivity", "net.yaml"],
        "solve": ["solve", "net.yaml", "--for", "h", "--where", "macs <= 1e6"],
        "compare": ["compare", "net.yaml@*"],
        "diff": ["diff", "net.yaml", "net.yaml@other"],
        "training": ["training", "net.yaml"],
        "check": ["check", "net.yaml"],
        "latency": ["latency", "net.yaml", *DEVICE_OF],
        "energy": ["energy", "net.yaml", *DEVICE_OF],
        "fit": ["fit", "net.yaml", *DEVICE_OF],
        "hardware": ["hardware", "dev.yaml"],
        "sweep": SWEEP,
    }


def written(folder: Path, text: str) -> None:
    """The files of a person who writes a text wherever a text may stand."""
    quoted = json.dumps(text)
    (folder / "net.yaml").write_text(SPEC.format(text=quoted), encoding="utf-8")
    (folder / "dev.yaml").write_text(DEVICE.format(text=quoted), encoding="utf-8")
    with (folder / "own.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["h", text, "score"], [8, text, -1], [9, text, "2"]])


def made(text: str, command: str, form: str | None = None) -> str:
    """What a command prints; what it tells beside it is safe for a terminal, too."""
    words = [*commands(text)[command], *(["--format", form] if form else [])]
    with redirect_stdout(StringIO()) as shown, redirect_stderr(StringIO()) as told:
        run(words)
    assert_safe(told.getvalue())
    return shown.getvalue()


def assert_safe(shown: str) -> None:
    """No sign moves a cursor, hides, or turns the direction of writing; lines end."""
    bad = {s for s in shown if s != "\n" and not s.isprintable() and category(s) != "Zs"}
    assert bad == set()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Text → the folder with its files."""
    found = {}
    for text in (HARMLESS, *HOSTILE):
        found[text] = tmp_path_factory.mktemp("texts")
        written(found[text], text)
    return found


@pytest.fixture(scope="module")
def harmless() -> dict[tuple[str | None, ...], str]:
    """A command, a format and whether there are colours → what is printed of the harmless text."""
    return {}


@pytest.fixture
def both(
    folders: dict[str, Path],
    harmless: dict[tuple[str | None, ...], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, str, str | None], tuple[str, str]]:
    """What a command prints of a harmless text, and of another one."""

    def pair(text: str, command: str, form: str | None = None) -> tuple[str, str]:
        monkeypatch.setenv("COLUMNS", "200")
        of_harmless = command, form, os.environ.get("FORCE_COLOR", "")
        if of_harmless not in harmless:
            monkeypatch.chdir(folders[HARMLESS])
            harmless[of_harmless] = made(HARMLESS, command, form)
        monkeypatch.chdir(folders[text])
        return harmless[of_harmless], made(text, command, form)

    return pair


Both = Callable[..., tuple[str, str]]

TABLES = list(commands(""))
CONVERTED = (
    *("report", "symbolic", "fit", "hardware", "check"),
    *("memory", "training", "latency", "energy"),
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_gets_no_command(text: str, both: Both) -> None:
    for command in share(commands(text), HOSTILE.index(text), 6):
        plain, shown = both(text, command)
        assert_safe(shown)
        assert shown.count("\n") == plain.count("\n"), command


SGR = re.compile(r"\x1b\[[0-9;]*m")
"""Colour, which is ours."""


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_with_colours_gets_colours_alone(
    text: str, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    for command in share(("report", "compare", "hardware", "sweep"), HOSTILE.index(text), 4):
        plain, shown = both(text, command)
        assert SGR.search(plain)
        assert_safe(SGR.sub("", shown))
        assert len(SGR.findall(shown)) == len(SGR.findall(plain))


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_has_no_markup_more(text: str, both: Both) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def structure(page: str) -> list[str]:
        flat = [each for token in reader.parse(page) for each in (token, *(token.children or ()))]
        return [token.type for token in flat if token.type != "text"]

    for command in share(TABLES, HOSTILE.index(text), 6):
        plain, shown = both(text, command, "markdown")
        assert_safe(shown)
        assert structure(shown) == structure(plain), command


@pytest.mark.parametrize("text", HOSTILE)
def test_json_holds_the_text_and_nothing_unseen(text: str, both: Both) -> None:
    for command in share(TABLES, HOSTILE.index(text), 6):
        if command != "sweep":
            _, shown = both(text, command, "json")
            assert_safe(shown)
            json.loads(shown)
    _, lines = both(text, "sweep", "jsonl")
    assert_safe(lines)
    assert all(text.strip() in json.loads(line) for line in lines.splitlines())


@pytest.mark.parametrize("text", thinned(HOSTILE))
def test_no_cell_of_csv_is_a_formula(text: str, both: Both) -> None:
    for command in (*CONVERTED, "table", "sweep"):
        plain, shown = both(text, command, "csv")
        assert_safe(shown)
        old, new = (list(csv.reader(StringIO(each))) for each in (plain, shown))
        assert [len(row) for row in new] == [len(row) for row in old]
        for cell in (cell for row in new for cell in row):
            assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or re.fullmatch(r"-\d+", cell)
    assert "-1" in {cell for row in new for cell in row}, "a number is no formula"


COMMANDS_OF_LATEX = (
    "begin end centering caption toprule midrule bottomrule hspace par times cdot left right mu "
    "textbackslash textasciitilde textasciicircum textless textgreater lfloor rfloor frac max min "
    "operatorname raggedright footnotesize scriptsize tiny small smallskip setlength "
    "tabcolsep linewidth "
    "allowbreak tabularnewline mathrm rightarrow ldots partial surd approx le ge "
    "medskip textbf parindent Sigma"
)


def latex_structure(page: str) -> list[str]:
    """The commands and groups of a page, each of which is known and ends."""
    assert not re.search(r"\\\\\s*[\[*]", page), "an option of the end of a row"
    page = re.sub(r"^%.*\n", "", page, flags=re.MULTILINE)
    tokens = re.findall(r"\\(?:[a-zA-Z]+|.)|[{}%#~$&^]", page.replace("\n", " "))
    known = (token[1:] for token in tokens if token[0] == "\\" and token[1:].isalpha())
    assert set(known) <= set(COMMANDS_OF_LATEX.split())
    assert not {"%", "#", "~"} & set(tokens)
    assert tokens.count("{") == tokens.count("}")
    assert tokens.count("$") % 2 == 0
    return [t for t in tokens if t in ("\\begin", "\\end", "\\caption", "\\\\", "\\par", "&")]


@pytest.mark.parametrize("text", thinned(HOSTILE))
def test_latex_has_no_command_more(text: str, both: Both) -> None:
    for command in (*CONVERTED, "explain", "solve", "table", "sweep"):
        plain, shown = both(text, command, "latex")
        assert_safe(shown)
        assert latex_structure(shown) == latex_structure(plain)


@pytest.mark.parametrize("text", thinned(HOSTILE))
def test_restructured_text_has_no_markup_more(text: str, both: Both) -> None:
    core = pytest.importorskip("docutils.core")

    def structure(page: str) -> list[str]:
        overrides = {"halt_level": 2, "report_level": 2, "file_insertion_enabled": False}
        tree = core.publish_doctree(page, settings_overrides=overrides)
        found = (type(n).__name__ for n in tree.findall())
        return [name for name in found if name not in ("Text", "literal")]  # with ` it is text

    for command in (*CONVERTED, "explain", "solve", "table"):
        plain, shown = both(text, command, "rst")
        assert_safe(shown)
        assert structure(shown) == structure(plain), command


BEGINNINGS = (
    *("  - item", " 1. item", "   # h", "  ===", " > q", "    code", "\u00a0\u00a0x", " ~~~", "x "),
    *("(1) item", "(a) item", "(#) item", "iv) item", "A. item", "\\", "\\\\", "\\\\\\\\", " \\\\"),
    *("हिन्दी", "⚡ two", "\u3164", "ก็", "a\u0300\u0301", "\u302a", "-a opt", "/V opt", ">>> 1"),
)
"""What would begin an item, a title, a block or an indent, and signs of odd widths."""


@pytest.mark.parametrize("text", BEGINNINGS)
def test_no_text_begins_a_block_of_markdown(text: str) -> None:
    for line in (escaped_markdown(text), f"**{escaped_markdown(text)}**"):
        tokens = MarkdownIt("commonmark").enable("table").parse(f"{line}\n")
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        inside = tokens[1].children or []
        assert "".join(token.content for token in inside) == visible(text)
        assert {token.type for token in inside} - {"text"} == (
            {"strong_open", "strong_close"} if line.startswith("**") else set()
        )


@pytest.mark.parametrize("text", BEGINNINGS)
def test_no_text_begins_a_block_of_restructured_text(text: str) -> None:
    core = pytest.importorskip("docutils.core")
    page = "\n".join(rst.grid([["head"], [escaped_rst(text)]], [False]))
    tree = core.publish_doctree(page, settings_overrides={"halt_level": 2, "report_level": 2})
    [_, cell] = [n for n in tree.findall() if type(n).__name__ == "entry"]
    assert [type(child).__name__ for child in cell.children] == ["paragraph"]
    assert " ".join(cell.astext().split()) == " ".join(visible(text).split())


ENDS = ("\\end{verbatim}", "\\end {verbatim}", "\\end\t{verbatim}", "\\end{ verbatim }")


@pytest.mark.parametrize("end", ENDS)
def test_no_text_ends_what_is_verbatim(end: str, tmp_path: Path) -> None:
    """Nor where a document loads the package that takes spaces before the brace."""
    shown = LATEX.code(f"x{end}\\undefinedcommand\n", "text")
    assert len(re.findall(r"\\end\s*\{", shown)) == 1
    if shutil.which("pdflatex") is None:
        return
    for package in ("", "\\usepackage{verbatim}"):
        page = f"\\documentclass{{article}}{package}\n\\begin{{document}}\n{shown}\\end{{document}}"
        (tmp_path / "x.tex").write_text(page, encoding="utf-8")
        words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize("folder", ["a}\\input{x", "a%b", "l\nine", "a b", "n\u202e"])
@pytest.mark.parametrize("page", ["page.tex", "page.rst", "page.md", "page.html"])
def test_a_folder_whose_name_is_markup_stands_in_no_page(
    page: str, folder: str, tmp_path: Path
) -> None:
    """A page beside the project, whose folder's name is in the path to the figure."""
    written(tmp_path, HARMLESS)
    (tmp_path / folder).mkdir()
    (tmp_path / "net.yaml").rename(tmp_path / folder / "net.yaml")
    (tmp_path / "pages").mkdir()
    begin, end = PAGES[page]
    command = begin.format(
        "memory net.yaml --plot x.pdf" if page == "page.tex" else "memory net.yaml --plot x.svg"
    )
    (tmp_path / "pages" / page).write_text(f"{command}\n{end}\n", encoding="utf-8")
    path = str(tmp_path / "pages" / page)
    if page in ("page.tex", "page.rst"):
        with pytest.raises(SpecError, match=rf"{page}:1:\d+: archcost memory .*cannot be written"):
            refreshed([path], run_marker, tmp_path / folder)
        return
    page_change, _ = refreshed([path], run_marker, tmp_path / folder)
    assert_safe(page_change.after.decode())
    assert quote(folder) in page_change.after.decode()


@pytest.mark.parametrize("text", thinned(HOSTILE))
def test_a_module_of_python_defines_the_functions_alone(text: str, both: Both) -> None:
    plain, shown = both(text, "report", "python")
    assert_safe(shown)
    first, *others = ast.parse(shown).body
    assert ast.dump(ast.Module(others, [])) == ast.dump(ast.Module(ast.parse(plain).body[1:], []))
    assert isinstance(first, ast.Expr)
    shape = ast.literal_eval(first.value)
    assert shape.startswith(f"{visible(' '.join(text.split()))}; types weights fp32")
    names: dict[str, object] = {}
    exec(compile(shown, "made", "exec"), names)
    assert "PWNED" not in names


@pytest.mark.skipif(shutil.which("gcc") is None, reason="C is read by gcc")
@pytest.mark.parametrize("text", thinned(HOSTILE))
def test_c_without_comments_is_the_same(text: str, both: Both, tmp_path: Path) -> None:
    def code(name: str, source: str) -> str:
        (tmp_path / name).write_text(source, encoding="utf-8")
        strict = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wbidi-chars=any", "-Werror", "-c", name]
        subprocess.run([*strict, "-o", f"{name}.o"], cwd=tmp_path, check=True, capture_output=True)
        bare = ["gcc", "-std=c11", "-fpreprocessed", "-dD", "-E", "-P", name]
        done = subprocess.run(bare, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    plain, shown = both(text, "report", "c")
    assert_safe(shown)
    assert code("shown.c", shown) == code("plain.c", plain)


@pytest.mark.skipif(shutil.which("node") is None, reason="JavaScript is read by node")
def test_a_module_of_javascript_exports_the_functions_alone(both: Both, tmp_path: Path) -> None:
    shown = [both(text, "report", "javascript") for text in share(HOSTILE, 0, 3)]
    for number, (plain, module) in enumerate(shown):
        assert_safe(module)
        assert "</script" not in module
        assert module.count("\n") == plain.count("\n")
        (tmp_path / f"{number}.mjs").write_text(module, encoding="utf-8")
    names = "".join(
        f"console.log(Object.keys(await import('./{number}.mjs')).join(), typeof PWNED);\n"
        for number in range(len(shown))
    )
    (tmp_path / "all.mjs").write_text(names, encoding="utf-8")
    done = subprocess.run(["node", "all.mjs"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    [only] = set(done.stdout.splitlines())
    assert only.endswith(" undefined")


FIGURES = {
    "memory": ["memory", "net.yaml"],
    "latency": ["latency", "net.yaml", *DEVICE_OF],
    "sweep": SWEEP,
}


@pytest.mark.parametrize("text", thinned(HOSTILE, 8))
@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_shows_the_text_as_it_is(
    figure: str, text: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders[text])
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        run([*FIGURES[figure], "--plot", "x.svg"])
    tree = ElementTree.parse(folders[text] / "x.svg")
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert not tags & {"script", "a", "image", "foreignObject"}
    words = " ".join("".join(tree.getroot().itertext()).split())
    assert_safe(words)
    assert " ".join(visible(" ".join(text.split())).split()) in words


PAGES = {
    "page.md": ("<!-- archcost: {} -->", "<!-- /archcost -->"),
    "page.html": ("<!-- archcost: {} -->", "<!-- /archcost -->"),
    "page.tex": ("% archcost: {}", "% /archcost"),
    "page.rst": (".. archcost: {}", ".. /archcost"),
}


class Tags(HTMLParser):
    """Counts tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.found[tag] += 1


MARKED = (*HOSTILE, "<!-- /archcost -->", "% /archcost", ".. /archcost")


@pytest.mark.parametrize(("text", "page"), crossed(MARKED, PAGES))
def test_no_text_leaves_its_marker(
    page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays between the comments, or is refused; the next run finds the same markers."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, text)
    begin, end = PAGES[page]
    markers = [f"{begin.format(command)}\n{end}\n" for command in ("net.yaml", "memory net.yaml")]
    (tmp_path / page).write_text("\n".join(["above", *markers, "below\n"]), encoding="utf-8")
    try:
        write(refreshed([page], run_marker, tmp_path))
    except SpecError as error:
        assert "looks like a marker" in str(error)  # noqa: PT017 - refused is as good
        assert text.endswith(("/archcost", "/archcost -->"))
        return
    shown = (tmp_path / page).read_text(encoding="utf-8")
    assert_safe(shown)
    [change] = refreshed([page], run_marker, tmp_path)
    assert (change.markers, change.is_stale) == (2, False)
    if page.endswith(".html"):
        tags = Tags()
        tags.feed(shown)
        assert tags.found == {"pre": 2, "code": 2}
    if page.endswith(".tex"):
        assert shown.count("\\end{verbatim}") == 2


CONTROLS = ("x\x85y", "\x1b[31mred", "\x9b31m", "\x07", "\x7f", "a\rb")


@pytest.mark.parametrize("text", CONTROLS)
def test_a_control_in_a_spec_is_refused_and_not_obeyed(text: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.format(text=json.dumps(text)), encoding="utf-8")
    with pytest.raises(SpecError, match="has a control character in it") as refused:
        run([str(tmp_path / "net.yaml")])
    assert_safe(str(refused.value))


@pytest.mark.parametrize("text", thinned([*HOSTILE, *CONTROLS, "\udc80"]))
def test_arguments_and_names_of_files_are_shown_and_not_obeyed(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = re.sub(r"[/\n]", " ", text)[:60]
    monkeypatch.chdir(tmp_path)
    for words in (
        [f"{name}.yaml"],
        ["hardware", f"{name}.yaml"],
        ["net.yaml", "--set", f"{name}=1"],
        ["sweep", "net.yaml", "--vary", f"{name}=1,2"],
        ["docs", f"{name}.md"],
        ["prove", f"{name}.yaml"],
        ["net.yaml", "--metric", name],
        [f"net.yaml@{name}"],
    ):
        written(tmp_path, HARMLESS)
        with pytest.raises((SpecError, CycloptsError), match=r".") as refused:
            run(words)
        assert_safe(str(refused.value))
    source = (tmp_path / "net.yaml").read_text(encoding="utf-8")
    (tmp_path / f"{name}.yaml").write_text(source, encoding="utf-8")
    for form in share(("table", "csv", "json", "markdown", "latex", "rst"), len(name), 6):
        with redirect_stdout(StringIO()) as shown:
            run(["table", f"./{name}.yaml@other", "--format", form, "--columns", "spec"])
        assert_safe(shown.getvalue())


@pytest.mark.parametrize("place", ["symbols", "let", "blocks", "input", "entry"])
@pytest.mark.parametrize("text", thinned(text for text in HOSTILE if text != "x::"))
def test_what_is_a_name_of_the_language_is_no_such_text(
    place: str, text: str, tmp_path: Path
) -> None:
    """Names of symbols, values, blocks, inputs and layers are letters, digits, _ and -."""
    quoted = json.dumps(text)
    parts = {
        "symbols": f"symbols: {{{quoted}: 1}}",
        "let": f"let: {{{quoted}: 1}}",
        "blocks": f"blocks: {{{quoted}: {{layers: [relu]}}}}",
        "input": f"input: {{{quoted}: [1, 3]}}",
        "entry": f"layers: [{{relu: , name: {quoted}}}]",
    }
    lines = ["archspec: 1", "name: x", parts[place]]
    lines += [] if place == "input" else ["input: [1, 3]"]
    lines += [] if place == "entry" else ["layers: [relu]"]
    (tmp_path / "net.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"net\.yaml:\d+:\d+: ") as refused:
        run([str(tmp_path / "net.yaml")])
    assert_safe(str(refused.value))


KEPT = (
    "int", "main", "linux", "unix", "INT64_MAX", "INT64_C", "int64_t", "uint8_t", "bool", "ok",
    "value", "result", "_Bool", "__LINE__", "asm", "typeof", "NULL", "constexpr", "add",
    "floor_div", "roundTo", "floorDiv", "lambda", "class", "def", "None", "ValueError", "max_",
    "__debug__", "match", "print", "self", "default", "function", "let", "await", "arguments",
    "eval", "undefined", "BigInt", "NaN", "RangeError", "async", "of", "static", "yield", "new",
    "macs", "params", "int_", "x_int", "int__",
)  # fmt: skip
"""Names that a language keeps for itself, and what they could be taken for instead."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with a symbol of each of these names; each is one factor of its size."""
    folder = tmp_path_factory.mktemp("kept")
    symbols = ", ".join(f"{json.dumps(name)}: {2 + i % 3}" for i, name in enumerate(KEPT))
    total = " + ".join(f"{i + 1}*{name}" for i, name in enumerate(KEPT))
    real = "width: {default: 0.5, domain: real}, width_over: 3, width_under: 5"
    layers = f'[linear: {{out_features: "{total} + floor(8*width) + width_over*width_under"}}]'
    spec = f"archspec: 1\nname: x\nsymbols: {{{symbols}, {real}}}\ninput: [1, 7]\nlayers: {layers}"
    (folder / "net.yaml").write_text(spec + "\n", encoding="utf-8")
    return folder


MACS_OF_KEPT = 7 * (sum((i + 1) * (2 + i % 3) for i in range(len(KEPT))) + 4 + 15)


def exported(folder: Path, form: str) -> str:
    with redirect_stdout(StringIO()) as shown:
        run([str(folder / "net.yaml"), "--format", form, "--metric", "macs"])
    return shown.getvalue()


def test_python_takes_symbols_of_every_name(kept: Path) -> None:
    names: dict[str, Callable[..., int]] = {}
    exec(compile(exported(kept, "python"), "made", "exec"), names)
    values = [2 + i % 3 for i in range(len(KEPT))]
    assert names["macs"](*values, 1, 2, 3, 5) == MACS_OF_KEPT
    with pytest.raises(ValueError, match="every argument is positive"):
        names["macs"](*values, 0, 2, 3, 5)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="C is read by gcc")
@pytest.mark.parametrize("standard", ["c11", "gnu17", "gnu2x"])
def test_c_takes_symbols_of_every_name(standard: str, kept: Path, tmp_path: Path) -> None:
    values = ", ".join(str(2 + i % 3) for i in range(len(KEPT)))
    main = f"int main(void) {{ int64_t r; if (!macs({values}, 1, 2, 3, 5, &r)) return 1;\n"
    source = f'{exported(kept, "c")}\n#include <stdio.h>\n{main}printf("%lld", (long long)r); }}\n'
    (tmp_path / "made.c").write_text(source, encoding="utf-8")
    strict = ["gcc", f"-std={standard}", "-Wall", "-Wextra", "-Werror", "made.c", "-o", "made"]
    built = subprocess.run(strict, cwd=tmp_path, capture_output=True, text=True)
    assert built.stderr == ""
    done = subprocess.run(["./made"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == str(MACS_OF_KEPT)


@pytest.mark.skipif(shutil.which("node") is None, reason="JavaScript is read by node")
def test_javascript_takes_symbols_of_every_name(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "made.mjs").write_text(exported(kept, "javascript"), encoding="utf-8")
    values = ", ".join(str(2 + i % 3) for i in range(len(KEPT)))
    script = (
        f"import {{ macs }} from './made.mjs';\nconsole.log(`${{macs({values}, 1, 2, 3, 5)}}`);"
    )
    (tmp_path / "ask.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run(["node", "ask.mjs"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stderr, done.stdout.strip()) == ("", str(MACS_OF_KEPT))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("a\u202eb\u2028\n\t", "a\\u202eb\\u2028\\n\\t"),
        ("\udc80", "\\udc80"),
        ("網\u3000\u00a0é", "網\u3000\u00a0é"),
        ("a\u3164\u034fb", "a\\u3164\\u034fb"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown

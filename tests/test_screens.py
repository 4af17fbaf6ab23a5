"""Screens: what a terminal of four widths shows, whatever its colours, and what a pipe takes."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from costmodel.analysis.document import COUNT, TEXT, Cell, Column, Row, Table
from costmodel.render.fitting import SHORTEST_PATH, fitted, shortened
from costmodel.render.latex import escaped
from costmodel.render.terminal import MARKUP
from costmodel.render.wrapping import HANG, wrapped
from tests.commands import ROOT, run_in_terminal
from tests.conftest import Run, examples, thinned

RESNET, ALEXNET, GPT2 = "specs/resnet.yaml@resnet50", "specs/alexnet.yaml", "specs/gpt2.yaml"
WIDTHS = (60, 80, 120, 200)

SCREENS = (
    (RESNET,),
    (RESNET, "--top", "5", "--by", "macs"),
    (ALEXNET, "--symbolic"),
    ("memory", "specs/mobilenetv2.yaml"),
    ("latency", GPT2, "--hardware", "a100-80gb", "--dtype", "fp16"),
    ("fit", "specs/mcunet.yaml", "--hardware", "stm32f746", "--dtype", "int8"),
    ("table", ALEXNET, RESNET, "specs/vgg.yaml"),
)
"""Command lines whose screens are kept."""

OTHERS = (
    ("compare", ALEXNET, "specs/mlp.yaml"),
    ("diff", ALEXNET, "specs/alexnet_torchvision.yaml"),
    ("energy", "specs/mlp.yaml", "--hardware", "horowitz-45nm"),
    ("explain", ALEXNET, "conv2d_2"),
    ("hardware",),
    ("inference", GPT2),
    ("prove", "--law", "kaplan_forward", "mobilenet_multipliers"),
    ("sensitivity", "specs/mobilenetv2.yaml"),
    ("training", "specs/mlp.yaml", "--symbolic"),
    ("check", ALEXNET),
)
"""Command lines of which it is only looked at whether they fit."""

SGR = re.compile(r"\x1b\[([0-9;]*)m")

READABLE = {"", "0", "1", "2", "31", "32", "36", "1;31", "1;32", "1;36"}
"""Bold, dim, red, green, cyan: seen on white and on black."""


def plain(shown: str) -> str:
    return SGR.sub("", shown)


@pytest.mark.parametrize("width", WIDTHS)
def test_screens(width: int, golden: Callable[[str, str], None]) -> None:
    screens = []
    for words in SCREENS:
        shown = run_in_terminal(*words, columns=width)
        assert {code[1] for code in SGR.finditer(shown)} <= READABLE
        lines = plain(shown).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not any(line != line.rstrip() for line in lines)
        screens.append(f"$ archcost {' '.join(words)}\n{plain(shown)}")
    golden(f"screen-{width}.txt", "\n".join(screens))


@pytest.mark.parametrize("words", thinned([(words,) for words in OTHERS]))
def test_no_line_is_wider_than_the_terminal(words: tuple[str, ...]) -> None:
    for width in (60, 80):
        lines = plain(run_in_terminal(*words, columns=width)).splitlines()
        assert max(map(cell_len, lines)) <= width


def test_light_and_dark_have_the_same_screen() -> None:
    light, dark = (
        run_in_terminal(ALEXNET, columns=120, COLORFGBG=sides) for sides in ("0;15", "15;0")
    )
    assert light == dark
    assert "█" in light


NUMBER = re.compile(r"(?<![\w.,])[0-9][0-9,.]*[0-9]")


@pytest.mark.parametrize("words", thinned([(words,) for words in SCREENS]))
def test_a_narrow_terminal_cuts_no_number(words: tuple[str, ...], archcost: Run) -> None:
    whole = archcost(*words, columns=200).stdout
    narrow = plain(run_in_terminal(*words, columns=60))
    rows = [line for line in narrow.splitlines() if not line.startswith("left out")]
    known = {*NUMBER.findall(whole), "60"}
    assert {*NUMBER.findall("\n".join(rows))} <= known


def test_a_pipe_takes_everything_in_full(archcost: Run) -> None:
    for words in SCREENS:
        shown = archcost(*words, columns=40).stdout
        assert "left out" not in shown
        assert "…" not in shown


def test_columns_are_left_out_by_their_worth_and_named() -> None:
    def heads(columns: int) -> tuple[str, str]:
        lines = plain(run_in_terminal(RESNET, columns=columns)).splitlines()
        head = next(line for line in lines if line.startswith(" layer"))
        told = [line for line in lines if line.startswith("left out")]
        return head, told[0] if told else ""

    assert "output shape" in heads(90)[0]
    assert heads(90)[1] == ""
    assert heads(80)[1] == ""  # names become shorter before a column is left out
    assert heads(79)[1].startswith("left out: output shape (90 columns")
    assert heads(60)[1].startswith("left out: output shape; #activations (90")
    head, told = heads(48)
    assert head.split() == ["layer", "MACs", "%", "MACs"]
    assert "#params" in told


# How many lines there are


def test_a_long_tree_is_opened_once_unless_all_is_asked_for(archcost: Run) -> None:
    shown = archcost(RESNET).stdout
    assert "depth               1, with 88 layers inside; --depth all shows them\n" in shown
    assert "  row_3 " in shown
    assert "bottleneck_1" not in shown.split("total")[0]
    whole = archcost(RESNET, "--depth", "all").stdout
    assert "bottleneck_1" in whole.split("total")[0]
    assert "--depth all" not in whole
    assert shown == archcost(RESNET, LINES="20").stdout


def test_markdown_shows_what_the_terminal_shows_and_data_has_all(archcost: Run) -> None:
    page = archcost(RESNET, "--format", "markdown").stdout
    assert page.count("\n|") == 17  # head, rule, 14 rows and the total
    assert "- depth: 1, with 88 layers inside; --depth all shows them\n" in page
    layers = json.loads(archcost(RESNET, "--format", "json").stdout)["layers"]
    assert len(layers) > 88
    assert len(archcost(RESNET, "--format", "csv").stdout.splitlines()) > 88


def test_a_short_tree_is_whole(archcost: Run) -> None:
    assert archcost(GPT2).stdout == archcost(GPT2, "--depth", "all").stdout


# The layers that dominate


def test_the_largest_layers_and_all_others_are_the_network(archcost: Run) -> None:
    """GPT-2, a batch of 1, 1024 tokens: 12 times 4·d² per token and 2·t·d for the scores; V·d."""
    attention = 12 * (4 * 768**2 * 1024 + 2 * 1024**2 * 768)
    lines = archcost(GPT2, "--top", "2", "--by", "macs").stdout.splitlines()
    first, second, others = lines[5:8]
    assert first.split()[0] == "repeat_1/residual_1/self_attention_1"
    assert f" {attention:,} " in first
    assert second.startswith(" linear_1 ")
    assert f" {50257 * 768 * 1024:,} " in second
    assert others.startswith(" 11 others ")
    rows = json.loads(archcost(GPT2, "--top", "2", "--format", "json").stdout)
    counts = [*rows["layers"], rows["others"]]
    for metric in ("params", "macs", "activations"):
        assert sum(row[metric]["value"] for row in counts) == rows["totals"][metric]["value"]


def test_layers_are_ranked_by_a_metric_that_is_no_column_yet(archcost: Run) -> None:
    lines = archcost(ALEXNET, "--top", "1", "--by", "memory_peak").stdout.splitlines()
    assert lines[3].split("  ")[-1].strip() == "peak memory (bytes)"
    assert lines[5].startswith(" conv2d_1 ")
    assert not any(line.endswith("%") for line in lines)


def test_laws_are_ranked_by_their_numbers(archcost: Run) -> None:
    shown = archcost(ALEXNET, "--top", "1", "--by", "params", "--symbolic").stdout
    assert shown.index("linear_1 ") < shown.index("19 others") < shown.index("total")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--top", "0"), "--top 0 shows no layer"),
        (("--by", "macs"), "as in --top 5 --by macs"),
        (("--top", "1", "--by", "mac"), "unknown metric 'mac'"),
        (("specs/vgg.yaml", "--top", "1"), "--top is of one network"),
        (("--depth", "every"), "'every' is no integer"),
    ],
)
def test_refused(words: tuple[str, ...], told: str, archcost: Run) -> None:
    done = archcost(ALEXNET, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


# Tables and laws of any kind

NAMES = st.text("abcdef_12./", min_size=1, max_size=60)


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 10**12)), min_size=1), st.integers(30, 120))
def test_what_is_shown_of_a_table_fits(rows: list[tuple[str, str, int]], room: int) -> None:
    columns = (Column("a", "a"), Column("b", "some text"), Column("n", "number", COUNT, keep=1))
    made: list[dict[str, Cell]] = [dict(zip("abn", row, strict=True)) for row in rows]
    table = Table(columns, tuple(Row(cells) for cells in made))
    lines = [["a", "some text", "number"], *(MARKUP.cells(table, row) for row in table.rows)]
    fit = fitted(table, lines, room)
    assert fit.width <= room
    assert {0, 2} <= {*fit.columns} or room < SHORTEST_PATH + 20
    for i, width in zip(fit.columns, fit.widths, strict=True):
        cells = [line[i] for line in lines[1:]]
        short = shortened(cells, width)
        assert all(cell_len(part) <= width for cell in short for part in cell.split("\n"))
        assert columns[i].kind is TEXT or short == cells


LAWS = st.recursive(
    st.sampled_from(["n", "h", "width", "12", "884736"]),
    lambda laws: st.one_of(
        st.lists(laws, min_size=2, max_size=4).map(" + ".join).map("({})".format),
        st.lists(laws, min_size=2, max_size=4).map("*".join),
        st.lists(laws, min_size=2, max_size=3).map(", ".join).map("max({})".format),
        laws.map("ceil({}/2)".format),
        laws.map("({} - 7)//4".format),
    ),
    max_leaves=30,
)


@settings(max_examples=examples(300))
@given(LAWS, st.integers(10, 60))
def test_laws_break_between_terms_and_never_in_a_call(law: str, room: int) -> None:
    """Unless one piece alone is longer than a line, which is then full."""
    first, *others = wrapped(law, room, is_form=True)
    place, before = len(first), first
    for line in others:
        words = words_around(law[:place])
        assert line.startswith(HANG)
        assert words <= {"", "max"} or len(before) == room
        place += len(line) - len(HANG) + (law[place] == " ")
        before = line
    assert place == len(law)
    assert all(len(line) <= room for line in (first, *others))


def words_around(text: str) -> set[str]:
    """Return the words before the brackets that are open at the end of a text."""
    words: list[str] = []
    for bracket in re.finditer(r"(\w*)\(|\)", text):
        words = words[:-1] if bracket[0] == ")" else [*words, bracket[1]]
    return set(words)


def test_a_law_on_lines() -> None:
    law = "n*(11616*c*r4 + 614400*r8//g + (2211840//g + 884736)*r16 + 1048576*r32 + 20873216)"
    assert wrapped(law, 30, is_form=True) == [
        "n*(11616*c*r4 + 614400*r8//g",
        "  + (2211840//g + 884736)*r16",
        "  + 1048576*r32 + 20873216)",
    ]
    call = "4*n*max(96*r4, ceil((h + 3*w)/2)*round_to(32*width + 4, 8))"
    assert wrapped(call, 30, is_form=True) == [
        "4*n*max(96*r4,",
        "  ceil((h + 3*w)/2)",
        "  *round_to(32*width + 4, 8))",
    ]


def test_numbers_stay_with_their_units_and_paths_break_at_their_parts() -> None:
    told = "7,225,344 bytes = 7.225 MB = 6.891 MiB (at foreach_1/row_1/residual_1/shortcut/conv_1)"
    assert wrapped(told, 40) == [
        "7,225,344 bytes = 7.225 MB = 6.891 MiB",
        "(at foreach_1/row_1/residual_1/shortcut/",
        "conv_1)",
    ]
    assert wrapped("for h <= 191 and w == 12", 14) == ["for h <= 191", "and w == 12"]


@pytest.mark.parametrize("columns", [min(WIDTHS), max(WIDTHS)])
def test_a_comparison_loses_no_network(columns: int) -> None:
    """A column for each of four, a row for each of five."""
    four = ("vgg16", "resnet50", "mobilenet_v2", "llama3-8b")
    shown = run_in_terminal("compare", *four, "--for", "n", columns=columns)
    heads = [line for line in shown.splitlines() if "metric" in line and "order" not in line]
    assert all(any(f" {name}" in plain(head) for head in heads) for name in four)
    assert "left out" not in shown
    assert "left out" not in run_in_terminal("compare", *four, "resnet18", columns=columns)


# Papers

TEX = ("pdflatex", "kpsewhich")

PAPER = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs}
\hfuzz=1pt
\begin{document}
%s
\end{document}
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["alexnet", "resnet", "gpt2", "mobilenetv2", "unet", "swin"])
def test_laws_fit_a_column_of_a_paper(name: str, archcost: Run, tmp_path: Path) -> None:
    booktabs = ["kpsewhich", "booktabs.sty"]
    if not all(map(shutil.which, TEX)) or subprocess.run(booktabs, check=False).returncode:
        pytest.skip("TeX is not there")
    table = archcost(f"specs/{name}.yaml", "--symbolic", "--format", "latex").stdout
    (tmp_path / "paper.tex").write_text(PAPER % table, encoding="utf-8")
    said = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(said, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout


TYPESET = (
    ("explain", "alexnet"),
    ("explain", "mobilenet_v2"),
    ("sensitivity", "resnet18"),
    ("memory", "mobilenet_v2"),
    ("latency", "alexnet", "--hardware", "h100-sxm"),
    ("latency", "gpt2", "--hardware", "h100-sxm", "--symbolic"),
    ("energy", "alexnet", "--hardware", "horowitz-45nm"),
    ("training", "alexnet"),
    ("inference", "llama3-8b", "--hardware", "h100-sxm"),
    ("fit", "alexnet", "--hardware", "h100-sxm"),
    ("compare", "resnet18", "resnet34"),
    ("diff", ALEXNET, "specs/alexnet_torchvision.yaml"),
    ("conventions",),
    ("hardware", "h100-sxm"),
    ("zoo",),
)
"""Command lines whose LaTeX is compiled."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("words", TYPESET, ids=" ".join)
def test_latex_compiles(words: tuple[str, ...], archcost: Run, tmp_path: Path) -> None:
    booktabs = ["kpsewhich", "booktabs.sty"]
    if not all(map(shutil.which, TEX)) or subprocess.run(booktabs, check=False).returncode:
        pytest.skip("TeX is not there")
    done = archcost(*words, "--format", "latex")
    assert done.stdout, done.stderr
    (tmp_path / "paper.tex").write_text(PAPER % done.stdout, encoding="utf-8")
    said = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    compiled = subprocess.run(said, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stdout[-2_000:]


NOT_IN_LATEX = set("█▉▊▋▌▍▎▏░") | set("＋－＝＠") | set("‣⁃")
"""Signs of ours that are drawn on a terminal alone, or stand in CSV or reStructuredText."""


def test_every_sign_of_ours_is_a_command_in_latex() -> None:
    files = (f for name in ("archspec", "costmodel") for f in (ROOT / name).rglob("*.py"))
    signs = {sign for file in files for sign in file.read_text("utf-8") if not sign.isascii()}
    for sign in signs - NOT_IN_LATEX:
        assert escaped(sign).isascii(), sign

"""Papers: what LaTeX makes of every kind of output, and how a page asks for its form."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from costmodel.render.latex import in_ascii
from tests.commands import ROOT, Run, run_here
from tests.test_screens import NOT_IN_LATEX

PAPER = r"""\documentclass{article}
\usepackage{booktabs,longtable,graphicx}
\begin{document}
%s
\end{document}
"""

ASKED = (
    ("alexnet", "--symbolic"),
    ("explain", "alexnet"),
    ("explain", "gpt2"),
    ("memory", "mobilenet_v2", "--dtype", "int8"),
    ("prove", "--law", "convolution_macs", "grouped_to_standard"),
    ("latency", "alexnet", "--hardware", "t4"),
    ("solve", "alexnet", "--for", "h", "--where", "macs <= 1G"),
    ("training", "alexnet"),
    ("inference", "gpt2", "--symbolic"),
    ("compare", "vgg16", "resnet50", "--for", "h"),
    ("diff", "specs/alexnet.yaml", "specs/alexnet_torchvision.yaml"),
    ("check", "specs/alexnet.yaml"),
    ("hardware", "h100-sxm"),
    ("table", "alexnet", "vgg16", "--symbolic"),
    ("sweep", "alexnet", "--vary", "h=128:256:32"),
    ("value", "alexnet", "--metric", "macs"),
    ("explain", "alexnet", "--as-table"),
    ("fit", "mcunet", "--hardware", "stm32f746", "--dtype", "int8"),
    ("energy", "alexnet", "--hardware", "horowitz-45nm"),
    ("sensitivity", "alexnet"),
    ("hardware",),
)
"""Command lines, one of every kind of output."""

IN_LATEX = (
    ("zoo", "--longtable"),
    ("resnet50", "--depth", "all", "--longtable", "--caption", "A_b & c", "--label", "tab:r50"),
    ("table", "alexnet", "vgg16", "--symbolic", "--longtable", "--caption", "Two"),
    ("alexnet", "--symbolic", "--tabular"),
    ("alexnet", "--notes", "short", "--label", "tab:alexnet"),
    ("explain", "alexnet", "--as-table", "--symbolic", "--label", "tab:forms"),
    ("table", "alexnet", "mobilenet_v2", "--symbolic"),
)


def typeset(folder: Path, name: str = "paper.tex") -> str:
    """Return what pdflatex says of a paper, which compiles."""
    booktabs = ["kpsewhich", "booktabs.sty"]
    tools = map(shutil.which, ("pdflatex", "kpsewhich"))
    if not all(tools) or subprocess.run(booktabs, check=False, capture_output=True).returncode:
        pytest.skip("TeX is not there")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[-2_000:]
    return said


@pytest.mark.exhaustive
def test_every_kind_of_output_compiles(tmp_path: Path, archcost: Run) -> None:
    """A float that says that it is higher than a page is set as it says."""
    parts = []
    for words in (*ASKED, *IN_LATEX):
        part = archcost(*words, "--format", "latex").stdout
        is_high = part.startswith("% higher than a page")
        parts += [archcost(*words, "--format", "latex", "--longtable").stdout if is_high else part]
    assert all(parts)
    (tmp_path / "paper.tex").write_text(PAPER % "\n\n\\noindent ".join(parts), encoding="utf-8")
    for _ in range(3):  # a table over pages has its widths by then
        said = typeset(tmp_path)
    assert "Float too large" not in said
    beyond = re.findall(r"Overfull \\hbox \(([\d.]+)pt", said)
    assert [points for points in beyond if float(points) > 2] == []


@pytest.mark.exhaustive
def test_every_kind_of_output_compiles_as_code(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    markers = (f"% archcost: {subprocess.list2cmdline(words)}\n% /archcost\n" for words in ASKED)
    (tmp_path / "paper.tex").write_text(PAPER % "".join(markers), encoding="utf-8")
    done = run_here("docs", "paper.tex", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    typeset(tmp_path)


def test_every_sign_of_ours_has_a_spelling() -> None:
    files = (f for name in ("archspec", "costmodel") for f in (ROOT / name).rglob("*.py"))
    signs = {sign for file in files for sign in file.read_text("utf-8") if not sign.isascii()}
    for sign in signs - (NOT_IN_LATEX - set("█▉▊▋▌▍▎▏░")):
        assert in_ascii(sign).isascii(), sign


FIGURE = "memory mlp.yaml --plot figures/memory.pdf"
MARKER = f"% archcost: {FIGURE}\n% /archcost\n"


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A paper of several files, with a spec."""
    shutil.copy(ROOT / "specs" / "mlp.yaml", tmp_path)
    for name in (".git", "paper/chapters", "figures"):
        (tmp_path / name).mkdir(parents=True)
    text = PAPER % "\\input{chapters/memory}\n"
    (tmp_path / "paper" / "main.tex").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (MARKER, "../figures/memory.pdf"),
        (f"% !TeX root = ../main.tex\n{MARKER}", "../figures/memory.pdf"),
        (f"\\documentclass[../main]{{subfiles}}\n{MARKER}", "../../figures/memory.pdf"),
    ],
)
def test_a_figure_is_found_from_the_document(text: str, path: str, paper: Path) -> None:
    """A part is read by ``\\input``, which changes no folder: paths start where the document is."""
    pytest.importorskip("matplotlib")
    page = paper / "paper" / "chapters" / "memory.tex"
    page.write_text(text, encoding="utf-8")
    done = run_here("docs", "paper/chapters/memory.tex", folder=paper)
    assert done.returncode == 0, done.stderr
    assert f"{{{path}}}" in page.read_text("utf-8")
    if "documentclass" not in text:
        typeset(paper / "paper", "main.tex")


def test_latex_prints_no_svg(paper: Path) -> None:
    pytest.importorskip("matplotlib")
    text = MARKER.replace(".pdf", ".svg")
    (paper / "page.tex").write_text(text, encoding="utf-8")
    done = run_here("docs", "page.tex", folder=paper)
    assert done.returncode == 2
    assert "LaTeX prints no SVG" in done.stderr
    assert "--plot into a .pdf" in done.stderr


ALEXNET = ("alexnet", "--metric", "params", "macs", "--format", "latex")


def test_a_table_has_a_caption_and_a_label() -> None:
    shown = run_here(*ALEXNET, "--caption", "Costs & shapes", "--label", "tab:a").stdout
    assert r"\caption{Costs \& shapes}\label{tab:a}" in shown
    shown = run_here(*ALEXNET, "--label", "tab:a", "--longtable").stdout
    assert shown.startswith("\\begin{longtable}{llrrr}\n\\caption{AlexNet}\\label{tab:a}\\\\\n")
    assert r"\begin{table}" not in shown


def test_a_bare_tabular() -> None:
    shown = run_here(*ALEXNET, "--tabular").stdout
    assert shown.startswith("\\begin{tabular}{llrrr}\n\\toprule\n")
    assert shown.endswith("\\bottomrule\n\\end{tabular}\n")


def test_a_label_in_restructuredtext() -> None:
    shown = run_here("alexnet", "--format", "rst", "--label", "tab-a").stdout
    assert shown.startswith(".. table:: AlexNet\n   :name: tab-a\n\n   +")


def test_closed_forms_of_several_networks_stand_below_each_other() -> None:
    shown = run_here("table", "alexnet", "vgg16", "--symbolic", "--format", "latex").stdout
    assert r"\begin{tabular}{@{}p{0.27\linewidth}p{0.69\linewidth}@{}}" in shown
    assert r"\raggedright MACs & \raggedright $n\,(11616" in shown


@pytest.mark.parametrize(
    ("asked", "has", "lacks"),
    [
        ("full", ("types  ", "convention  ", "model size  "), ()),
        ("short", ("convention  ", "valid when  ", "model size  "), ("types  ", "at  ")),
        ("none", ("conv2d_1",), ("types  ", "convention  ", "model size  ")),
    ],
)
def test_notes(asked: str, has: tuple[str, ...], lacks: tuple[str, ...]) -> None:
    shown = run_here("alexnet", "--notes", asked).stdout
    assert all(text in shown for text in has)
    assert not any(text in shown for text in lacks)


def test_an_explanation_stays_without_notes() -> None:
    shown = run_here("explain", "alexnet", "conv2d_1", "--notes", "none").stdout
    assert "MACs" in shown
    assert "convention" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--longtable",), "--longtable is of LaTeX"),
        (("--tabular",), "--tabular is of LaTeX"),
        (("--label", "a"), "--label a is of LaTeX and reStructuredText"),
        (("--format", "latex", "--label", "a}b"), "--label a}b is no label"),
        (("--format", "latex", "--label", "a", "--tabular"), "is of a table with a caption"),
        (("--format", "latex", "--longtable", "--tabular"), "are two forms"),
        (("--notes", "some"), "unknown notes 'some'"),
    ],
)
def test_what_is_no_form(words: tuple[str, ...], said: str) -> None:
    done = run_here("alexnet", *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_sizes_of_an_explanation_are_set_as_formulas() -> None:
    shown = run_here("explain", "alexnet", "conv2d_2", "--format", "latex").stdout
    assert r"$h_o$ = $\lfloor$($h_i$ + 2$\cdot$p $-$ $k_h$)/\allowbreak{}s$\rfloor$ + 1" in shown
    assert r"conv2d\_2" in shown


def test_a_symbolic_explanation_is_set_as_formulas() -> None:
    shown = run_here("explain", "alexnet", "conv2d_2", "--symbolic", "--format", "latex").stdout
    assert r"$k_w$ = $\frac{614400}{g}$\par" in shown


def test_a_heading_is_set_as_formulas() -> None:
    words = ("explain", "mlp", "linear_1", "--symbolic", "--format", "latex")
    assert (
        r"linear\_1  $n \times d$ $\rightarrow$ $n \times \mathrm{classes}$"
        in run_here(*words).stdout
    )


def test_a_slide_of_closed_forms_is_set_as_formulas() -> None:
    words = ("explain", "alexnet", "--as-table", "--symbolic")
    shown = run_here(*words, "--format", "latex").stdout
    shape = r"$n \times 96 \times ({\lfloor\frac{h - 7}{4}\rfloor} + 1)"
    assert rf"\raggedright output shape & \raggedright {shape}" in shown
    assert "{*}" not in shown
    assert "//" not in shown
    lines = run_here(*words).stdout.splitlines()
    assert "  params                        11616*c" in lines
    assert max(map(len, lines[:20])) < 80


def test_names_serve_all_networks() -> None:
    words = ("table", "alexnet", "resnet50", "--symbolic", "--format", "latex")
    shown = run_here(*words).stdout
    assert shown.count(r"\mathrm{round\_to}(64\,\mathrm{width}, 8)") == 1
    assert r"\raggedright where & \raggedright $c_{64} = " in shown


def test_a_table_that_is_higher_than_a_page_says_so() -> None:
    """LaTeX cuts off a float of that height."""
    shown = run_here("resnet50", "--depth", "all", "--format", "latex").stdout
    assert shown.startswith("% higher than a page of an article: --longtable")
    assert not run_here("alexnet", "--format", "latex").stdout.startswith("%")


def test_a_shape_is_not_broken() -> None:
    shown = run_here("explain", "alexnet", "--as-table", "--format", "latex").stdout
    assert r"1$\times$96$\times$55$\times$55" in shown


@pytest.mark.parametrize("shape", ["latex", "rst"])
def test_a_text_has_no_label(shape: str) -> None:
    done = run_here("explain", "mlp", "--label", "tab-a", "--format", shape)
    assert done.returncode == 2
    assert "--label tab-a is of a table, and this answer is a text" in done.stderr

"""What a sweep looks like: tables and files, exact numbers, atomic writing, the command."""

import csv
import json
import signal
import sys
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from costmodel import SpecError
from costmodel.analysis.loading import Setup
from costmodel.cli.app import app
from costmodel.render import sweep_files
from costmodel.render.sweep_files import find_format, shown, write_file, write_text
from costmodel.sweep.fields import Field, Kind, fields_of
from costmodel.sweep.query import Request
from costmodel.sweep.rows import Rows, column_of, rows_of
from costmodel.sweep.study import sweep
from tests.conftest import ROOT, Run

MOBILENET = "specs/mobilenetv2.yaml"
SMALL = ("sweep", MOBILENET, "--vary", "width=0.35,1/3,1.4", "h=96,224", "w=h",
         "--metric", "macs", "params", "macs/params")  # fmt: skip

GOLDEN = {
    "table": "sweep.txt", "csv": "sweep.csv", "jsonl": "sweep.jsonl", "markdown": "sweep.md",
    "latex": "sweep.tex",
}  # fmt: skip


@pytest.mark.parametrize("form", GOLDEN)
def test_golden(form: str, archcost: Run, golden: object) -> None:
    done = archcost(*SMALL, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    golden(GOLDEN[form], done.stdout)  # type: ignore[operator]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_front_as_a_table(columns: int, archcost: Run, golden: object) -> None:
    done = archcost("sweep", "specs/resnet.yaml@resnet18", "specs/resnet.yaml@resnet50",
                    "--vary", "h=32:224:32", "w=h", "width=0.5,1", "--dtype", "int8",
                    "--where", "params <= 20e6 and h >= 64", "--pareto", "macs", "h:max",
                    "--hardware", "stm32f746", columns=columns)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    golden(f"sweep-front-{columns}.txt", done.stdout)  # type: ignore[operator]


def test_all_formats_say_the_same(archcost: Run) -> None:
    comma = list(csv.reader(StringIO(archcost(*SMALL, "--format", "csv").stdout)))
    lines = archcost(*SMALL, "--format", "jsonl").stdout.splitlines()
    objects = [json.loads(line, parse_float=Decimal) for line in lines]
    assert comma[0] == list(objects[0])
    assert comma[1:] == [[str(value) for value in each.values()] for each in objects]
    markdown = archcost(*SMALL, "--format", "markdown").stdout.splitlines()
    assert len([line for line in markdown if line.startswith("|")]) == 2 + len(objects)


def test_long_tables_say_how_many_more(archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=32:512", "--metric", "macs")
    assert " … 431 more" in done.stdout.splitlines()
    assert sum(line.startswith(" ") and "," in line for line in done.stdout.splitlines()) == 50
    top = archcost("sweep", MOBILENET, "--vary", "h=32:512", "--top", "70", "--by", "macs:max")
    assert " more" not in top.stdout
    assert "481; the 70 with the largest macs are kept" in top.stdout


def test_invalid_points_are_told(archcost: Run, tmp_path: Path) -> None:
    said = ("sweep", "specs/alexnet.yaml", "--vary", "h=32,64,96", "--metric", "macs")
    assert "points              3; 1 makes no valid network" in archcost(*said).stdout
    assert "valid when          h >= 63" in archcost(*said).stdout
    done = archcost(*said, "--format", "csv")
    assert done.stdout.splitlines()[0] == "h,macs"
    assert done.stderr == "archcost: points: 3; 1 makes no valid network\n"
    file = tmp_path / "out.csv"
    done = archcost(*said, "-o", str(file))
    assert (done.stdout, len(file.read_text().splitlines())) == ("", 3)
    assert done.stderr.splitlines()[0] == f"archcost: 2 rows in {file}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "exel"), "unknown format 'exel'"),
        (("--format", "parquet"), "Parquet is no text"),
        (("-o", "sweep.xlsx"), "'sweep.xlsx' does not say which format it has"),
        (("-o", "sweep"), "'sweep' does not say which format it has"),
        (("-o", "x.csv", "--format", "table"), "a table is for the terminal"),
        (
            ("-o", "x.csv", "--format", "markdown"),
            "--format markdown into 'x.csv', whose end says csv\n"
            "  hint: leave out --format, or end the path in .md",
        ),
        (("-o", "X.CSV", "--format", "jsonl"), "or end the path in .jsonl"),
        (("-o", "x.md", "--format", "csv"), "or end the path in .csv"),
        (("-o", "none/x.csv"), "cannot write none/x.csv: No such file or directory"),
        (("--plot", "sweep.gif"), "a plot is no 'sweep.gif'"),
        (("--plot", "none/x.svg"), "cannot write none/x.svg: No such file or directory"),
        (
            ("--metric", "macs**16*macs**16*macs**16/params"),
            "is beyond 1.8e+308, the largest float64",
        ),
        (("--metric", "macs^2"), "write ** for a power, as in h**2"),
        (("--metric", "macs**0.5"), "hint: a root is sqrt(x)"),
        (("--sample", "1.5"), "--sample 1.5: a sample has from 1 to 1,000,000,000,000 points"),
        (("--sample", "0"), "--sample 0: a sample has from 1"),
        (("--sample", "10", "--seed", "-1"), "--seed -1: a seed is 0 or more"),
        (("--seed", "0"), "--seed 0 is of a sample or a search, and all points are looked at"),
        (("--sort",), "--sort needs a value"),
        (("--sort", "macs", "macs:max"), "--sort names 'macs' twice"),
        (("--metric",), "--metric needs a value"),
        (("--where",), "--where needs a value"),
        (("--set", "h=3"), "'h' is varied and set to 3"),
        (("--set", "hh=3"), "hh"),
        (("--join", "none.csv"), "cannot read none.csv: No such file or directory"),
        (("--where", "latencyy <= 3"), "unknown name 'latencyy'"),
    ],
)
def test_bad_options(arguments: tuple[str, ...], message: str, archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["csv", "markdown", "latex", "jsonl"])
def test_nothing_is_printed_before_the_first_rows_are_there(form: str, archcost: Run) -> None:
    """The first chunk has no value for what is asked; later ones may fail behind what is there."""
    done = archcost("sweep", MOBILENET, "--vary", "h=96,97", "--metric", "macs/(h - 97)",
                    "--format", form)  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "a division by zero" in done.stderr


def test_several_columns_to_sort_by(archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96,128", "width=0.5,1", "--sort", "width:max",
                    "macs:max", "--format", "csv", "--metric", "macs")  # fmt: skip
    assert [line.split(",")[:2] for line in done.stdout.splitlines()[1:]] == [
        ["128", "1"], ["96", "1"], ["128", "0.5"], ["96", "0.5"]
    ]  # fmt: skip


def study(*vary: str, **said: Any) -> Any:
    return sweep([str(ROOT / MOBILENET)], vary, Request(**said))


def notes() -> list[tuple[str, str]]:
    return []


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "sweep.csv"
    file.write_text("old")
    broken = study("h=96,97", metrics=("macs/(h - 97)",))
    with pytest.raises(SpecError, match="a division by zero"):
        write_file(str(file), fields_of(broken), broken.rows(), "csv", notes())
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.csv"]
    assert file.read_text() == "old"
    whole = study("h=96,97", metrics=("macs",))
    write_file(str(file), fields_of(whole), whole.rows(), "csv", notes())
    assert file.read_text().startswith("h,macs\n96,")
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.csv"]


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def stopped() -> Any:
        yield from study("h=96").rows()
        raise KeyboardInterrupt

    fields = fields_of(study("h=96"))
    with pytest.raises(KeyboardInterrupt):
        write_file(str(tmp_path / "x.csv"), fields, stopped(), "csv", notes())
    assert list(tmp_path.iterdir()) == []


def _heeds_interrupts() -> None:
    """A shell's background jobs inherit that interrupts are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_behind(number: int, status: int, tmp_path: Path) -> None:
    """A sweep of 8 million points is stopped as soon as its draft is there."""
    many = ["--vary", "h=32:2031", "w=32:2031", "n=1,2", "-o", str(tmp_path / "x.csv")]
    command = [sys.executable, "-m", "costmodel", "sweep", MOBILENET, *many]
    running = Popen(command, cwd=ROOT, stderr=PIPE, preexec_fn=_heeds_interrupts)
    deadline = monotonic() + 50
    while not list(tmp_path.iterdir()) and monotonic() < deadline:
        sleep(0.01)
    assert [path.name.startswith(".archcost-") for path in tmp_path.iterdir()] == [True]
    running.send_signal(number)
    _, said = running.communicate(timeout=50)
    assert (running.returncode, said) == (status, b"")
    assert list(tmp_path.iterdir()) == []


BIG = (Field("n", "n", "whole"), Field("x", "x", "fraction"), Field("t", "t", "text"))


def big_chunks() -> list[Rows]:
    tables: list[dict[str, list[Any]]] = [
        {"n": [1, 2], "x": [Fraction(1, 3), 2], "t": ['a,"b', "c"]},
        {"n": [2**70, -(2**70)], "x": [1, 1], "t": ["", "d"]},
    ]
    return [rows_of({n: column_of(values) for n, values in table.items()}) for table in tables]


def test_big_counts_and_odd_texts_are_written_exactly() -> None:
    stream = StringIO()
    write_text(BIG, big_chunks(), "csv", stream, notes())
    lines = list(csv.reader(StringIO(stream.getvalue())))
    assert lines[1:] == [["1", "1/3", 'a,"b'], ["2", "2", "c"], [str(2**70), "1", ""],
                         [str(-(2**70)), "1", "d"]]  # fmt: skip
    stream = StringIO()
    write_text(BIG, big_chunks(), "jsonl", stream, notes())
    objects = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["n"] for each in objects] == [1, 2, 2**70, -(2**70)]
    assert [each["x"] for each in objects] == ["1/3", 2, 1, 1]
    assert objects[0]["t"] == 'a,"b'


def test_parquet_keeps_every_number(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "sweep.parquet"
    swept = study("width=0.35:1.4:0.35", "h=96,224", "w=h", metrics=("macs", "macs/params"))
    write_file(str(file), fields_of(swept), swept.rows(), "parquet", notes())
    table = parquet.read_table(file)
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {"width": "decimal128(38, 2)", "h": "int64", "w": "int64", "macs": "int64",
                     "macs/params": "double"}  # fmt: skip
    (chunk,) = study("width=0.35:1.4:0.35", "h=96,224", "w=h", metrics=("macs", "params")).rows()
    assert [Fraction(value) for value in table["width"].to_pylist()] == chunk["width"].tolist()
    assert table["macs"].to_pylist() == chunk["macs"].tolist()
    ratios = [a / b for a, b in zip(chunk["macs"].tolist(), chunk["params"].tolist(), strict=True)]
    assert table["macs/params"].to_pylist() == ratios


def test_what_a_network_has_not_is_empty(tmp_path: Path, archcost: Run) -> None:
    said = ("sweep", "specs/alexnet.yaml", MOBILENET, "--vary", "width=0.5,1", "h=224", "--metric",
            "macs")  # fmt: skip
    lines = archcost(*said, "--format", "csv").stdout.splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["alexnet", "", "224"], ["mobilenetv2", "0.5", "224"], ["mobilenetv2", "1", "224"]
    ]  # fmt: skip
    objects = [
        json.loads(line) for line in archcost(*said, "--format", "jsonl").stdout.splitlines()
    ]
    assert [each["width"] for each in objects] == [None, 0.5, 1]
    assert "| alexnet |  | 224 |" in archcost(*said, "--format", "markdown").stdout
    done = archcost(*said, "--plot", str(tmp_path / "x.svg"))
    assert (done.returncode, "not all have 'width'" in done.stderr) == (2, True)
    parquet = pytest.importorskip("pyarrow.parquet")
    archcost(*said, "-o", str(tmp_path / "x.parquet"))
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table["width"].to_pylist() == [None, Decimal("0.5"), Decimal(1)]


def test_a_parquet_column_becomes_text_where_a_count_leaves_64_bits(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "big.parquet"
    write_file(str(file), BIG, big_chunks(), "parquet", notes())
    table = parquet.read_table(file)
    assert table["n"].to_pylist() == ["1", "2", str(2**70), str(-(2**70))]
    assert table["x"].to_pylist() == ["1/3", "2", "1", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["big.parquet"]


def test_where_a_wider_column_cannot_be_written_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet, "ParquetFile", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_file(str(tmp_path / "big.parquet"), BIG, big_chunks(), "parquet", notes())
    assert list(tmp_path.iterdir()) == []


def test_parquet_without_pyarrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "costmodel.render.sweep_parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SpecError, match="Parquet needs pyarrow"):
        write_file(str(tmp_path / "x.parquet"), BIG, big_chunks(), "parquet", notes())


def test_the_format_is_the_path_s_end() -> None:
    ends = {"a.csv": "csv", "a.jsonl": "jsonl", "a.ndjson": "jsonl", "a.parquet": "parquet",
            "a.md": "markdown", "a.tex": "latex"}  # fmt: skip
    assert {path: find_format(None, path) for path in ends} == ends
    assert find_format("csv", "data.txt") == "csv"
    assert find_format("jsonl", "a.ndjson") == "jsonl"
    assert find_format(None, "A.CSV") == "csv"
    assert find_format(None, None) == "table"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (Field("latency", "latency", "float", unit="s"), 0.00123456, "1.235 ms"),
        (Field("r", "r", "float"), 1234.5678, "1,234.57"),
        (Field("h", "h", "whole"), 1024, "1024"),
        (Field("V", "V", "whole"), 50257, "50,257"),
        (Field("macs", "MACs", "whole", counted="multiply-accumulates"), 1024, "1,024"),
        (Field("w", "w", "decimal", 2), Fraction(7, 20), "0.35"),
        (Field("w", "w", "fraction"), Fraction(1, 3), "1/3"),
    ],
)
def test_numbers_for_people(field: Field, value: Any, text: str) -> None:
    assert shown(field, value) == text


def test_the_columns_of_a_sweep(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("h,top1,who\n96,60.25,me\n128,61,you\n")
    said = Request(metrics=("macs", "2*macs", "macs/h"), sort=("top1:max",))
    swept = sweep([str(ROOT / MOBILENET)], ["h=96,128", "width=1/3,0.5"], said, join=str(file))
    fields = [(f.name, f.kind, f.places) for f in fields_of(swept)]
    assert fields == [("h", "whole", 0), ("width", "fraction", 0), ("macs", "whole", 0),
                      ("2*macs", "whole", 0), ("macs/h", "float", 0), ("top1", "decimal", 2),
                      ("who", "text", 0)]  # fmt: skip


def test_columns_stand_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("h,acc,who\n96,60.25,me\n128,61,you\n")
    for asked, names in (
        (("acc", "macs"), ["h", "acc", "macs", "who"]),
        (("macs", "who", "params"), ["h", "macs", "who", "params", "acc"]),
        (("h", "macs"), ["h", "macs", "acc", "who"]),
    ):
        swept = sweep([str(ROOT / MOBILENET)], ["h=96,128"], Request(metrics=asked), join=str(file))
        assert [field.name for field in fields_of(swept)] == names
        (chunk,) = swept.rows()
        (accuracy,) = (field for field in fields_of(swept) if field.name == "acc")
        assert accuracy.values(chunk).tolist() == [Fraction(241, 4), 61]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_for_terminals(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stream = Terminal() if is_terminal else StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    file = tmp_path / "x.csv"
    app(["sweep", str(ROOT / MOBILENET), "--vary", "h=32:100", "-o", str(file)])
    assert ("points/s" in stream.getvalue()) == is_terminal
    assert stream.getvalue().endswith(f"archcost: 69 rows in {file}\narchcost: points: 69\n")


def test_setups_are_those_of_the_command(archcost: Run) -> None:
    done = archcost("sweep", MOBILENET, "--vary", "h=96", "--set", "classes=10", "--convention",
                    "torch", "--dtype", "fp16", "--metric", "params", "model_size",
                    "--format", "csv")  # fmt: skip
    swept = sweep([str(ROOT / MOBILENET)], ["h=96"], Request(metrics=("params",)),
                  setup=Setup("torch", {"classes": 10}))  # fmt: skip
    (chunk,) = swept.rows()
    params = int(chunk["params"][0])
    assert done.stdout == f"h,params,model_size\n96,{params},{2 * params}\n"


def test_names_that_are_written() -> None:
    assert set(sweep_files.SUFFIXES.values()) | {"table"} == set(sweep_files.FORMATS)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "said",
    [
        ("mobilenet_v2", "--vary", "width=0.35:1.4:0.35", "h=96,128", "w=h", "--metric", "macs",
         "macs/params", "sqrt(macs)"),
        ("specs/mobilenetv2.yaml", "specs/alexnet.yaml", "--vary", "width=0.5,1/3,1", "h=96,128",
         "w=h", "--metric", "macs", "receptive_field"),
        ("gpt2", "--vary", "n=1:4", "t=1e3,1e20", "context=1e20", "--metric", "macs"),
        ("specs/resnet.yaml@resnet18", "--vary", "depths=[1,1,1,1],[1,2,1,1]", "--metric", "macs"),
    ],
)  # fmt: skip
def test_lines_are_the_same_whatever_puts_them_together(
    form: str, said: tuple[str, ...], archcost: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    plain = archcost("sweep", *said, "--format", form, "--jobs", "1")
    assert plain.returncode == 0, plain.stderr
    monkeypatch.setattr(sweep_files, "MANY_ROWS", 1)
    assert archcost("sweep", *said, "--format", form, "--jobs", "1").stdout == plain.stdout


VALUES: dict[str, list[Any]] = {
    "counts": [0, -3, 7, 2**63 - 1, -(2**63)],
    "small": [3, 4, 5, 6, 7],
    "large": [2**70, -(2**65), 5, None],
    "decimals": [Fraction(7, 20), 1, Fraction(-1, 8), Fraction(1, 3), None],
    "floats": [0.5, 1.0, -0.0, 0.0, 1e-5, 2.28026e-05, 1.234e-7, 1e16, 1.5e15, 1e22, -1e-4, 5e-324],
    "texts": ["a", 'b"c', "=d", "é,", "", None],
}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("name", VALUES)
def test_few_and_many_values_are_the_same_text(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    random = Random(f"{name} {form}")
    kinds: dict[str, Kind] = {"decimals": "fraction", "floats": "float", "texts": "text"}
    field = Field("x", "x", kinds.get(name, "whole"))
    how, same = sweep_files.TEXT_FORMATS[form], VALUES[name]
    several = [random.choice(same) for _ in range(500)]
    runs = [value for value in same for _ in range(40)]
    for listed in (several, runs, [same[0]], [same[-1]] * 9):
        rows = rows_of({"x": column_of(listed), "y": np.arange(len(listed))})
        fields = (field, Field("y", "y", "whole"), field)
        plain = sweep_files._lines(how, fields, rows)
        with monkeypatch.context() as patch:
            patch.setattr(sweep_files, "MANY_ROWS", 1)
            block = sweep_files._lines(how, fields, rows)
            assert isinstance(block, memoryview)
            assert str(block, "utf-8") == plain

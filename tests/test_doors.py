"""What the system refuses, and expressions without a value: one error that says where, no trace."""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from errno import ENOSPC
from io import StringIO
from pathlib import Path

import pytest

from archspec.arithmetic import FUNCTIONS
from archspec.errors import SpecError
from archspec.expressions import ExpressionError
from archspec.files import read_bytes, require_writable, written
from costmodel import analyze
from costmodel.cli.app import run
from tests.conftest import ROOT, Run, crossed, thinned

ALEXNET = str(ROOT / "specs" / "alexnet.yaml")
LONG = "x" * 300
ZERO = "/dev/zero"

SPEC = """\
archspec: 1
name: x
symbols: {{n: 1, h: 8}}
let: {{a: "{let}"}}
input: [n, "{input}"]
blocks: {{b: {{parameters: {{c: }}, layers: [{{linear: {{out_features: c}}}}]}}}}
layers:
  - repeat: {{times: "{times}", layers: [{{linear: {{out_features: 8}}}}]}}
  - linear: {{out_features: "{field}"}}
  - b: {{c: "{parameter}"}}
  - linear: {{out_features: a}}
"""

PLACES = {"let": 4, "input": 5, "times": 8, "field": 9, "parameter": 10}
"""Place → its line."""

NO_VALUE = {
    "sqrt(8)": "sqrt(8) is no rational number",
    "log2(3)": "log2(3) is no rational number",
    "1/0": "division by zero",
    "2**5000": "a power of more than 2,048 bits",
    "round_to(h, 0)": "round_to needs a positive integer divisor, not 0",
    "round_to(h, h - 8)": "",
    "max(1, 5//(h - 8))": "",
    "h % (h - 8) + 1": "",
}
"""Expression → what its error says, as far as it is the same in every place."""

COMMANDS = (
    ["SPEC"],
    ["SPEC", "--symbolic"],
    ["SPEC", "--format", "python"],
    ["memory", "SPEC"],
    ["explain", "SPEC"],
    ["solve", "SPEC", "--for", "n", "--where", "macs <= 1e6"],
    ["compare", "SPEC", "SPEC"],
    ["sweep", "SPEC", "--vary", "n=1,2"],
    ["training", "SPEC"],
    ["latency", "SPEC", "--hardware", "t4"],
)


def spec_with(folder: Path, **expressions: str) -> str:
    said = dict.fromkeys(PLACES, "4 + 4") | expressions
    (folder / "net.yaml").write_text(SPEC.format(**said), encoding="utf-8")
    return str(folder / "net.yaml")


def printed(*words: str) -> str:
    with redirect_stdout(StringIO()) as shown, redirect_stderr(StringIO()):
        run(list(words))
    return shown.getvalue()


@pytest.mark.parametrize(("expression", "place"), crossed(NO_VALUE, PLACES))
def test_an_expression_without_a_value_has_its_place(
    expression: str, place: str, tmp_path: Path
) -> None:
    spec = spec_with(tmp_path, **{place: expression})
    for command in COMMANDS if place == "let" else COMMANDS[:4]:
        words = [spec if word == "SPEC" else word for word in command]
        with pytest.raises(SpecError, match=rf"net\.yaml:{PLACES[place]}:\d+: |:11:\d+: ") as error:
            printed(*words)
        assert NO_VALUE[expression] in error.value.cause


def test_what_is_divided_by_must_be_positive_and_is_printed(tmp_path: Path) -> None:
    spec = spec_with(tmp_path, field="round_to(h, h - 4)")
    assert "h >= 5" in printed(spec)
    assert analyze(spec).at(h=12).params == analyze(spec, settings={"h": 12}).at().params
    negative = spec_with(tmp_path, field="8 + h//(-2)")
    assert "valid when" not in printed(negative) or "-2 >= 1" not in printed(negative)


@pytest.mark.parametrize(
    ("expression", "value"), [("min(3)", 3), ("max(h)", 8), ("max(3)", 3), ("min(h, 3)", 3)]
)
@pytest.mark.parametrize("place", ["let", "field", "parameter", "input", "times"])
def test_the_least_of_one_number_is_it(
    place: str, expression: str, value: int, tmp_path: Path
) -> None:
    there = spec_with(tmp_path, **{place: expression})
    found = analyze(there).at().macs
    assert found == analyze(spec_with(tmp_path, **{place: f"{value} + 0"})).at().macs


def test_a_condition_and_a_query_take_the_least_of_one_number() -> None:
    assert (FUNCTIONS["min"](3), FUNCTIONS["max"](3, 5)) == (3, 5)
    shown = printed("sweep", ALEXNET, "--vary", "h=max(224),256", "--where", "min(3) <= macs")
    assert "points              2" in shown


def test_a_sweep_past_a_root_without_a_value_breaks_no_other_point(tmp_path: Path) -> None:
    text = "archspec: 1\nname: x\nsymbols: {h: 9}\ninput: [1, 8, 99, 99]\nlayers:\n"
    text += '  - conv2d: {out_channels: 4, kernel_size: 3, stride: "sqrt(h)"}\n'
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    vary = ["--vary", "h=8,9,10,16", "--format", "csv", "--metric", "macs"]
    rows = list(csv.reader(StringIO(printed("sweep", str(tmp_path / "net.yaml"), *vary))))
    assert [row[0] for row in rows] == ["h", "9", "16"]
    assert [int(row[1]) for row in rows[1:]] == [4 * 8 * 9 * 33 * 33, 4 * 8 * 9 * 25 * 25]


UNWRITABLE = {
    "": "the path of the file to write is empty",
    "/proc/x": r"cannot write /proc/x\.\w+: No such file or directory",
    f"{LONG}": "cannot write x+.*: File name too long",
    "nofolder/x": "No such file or directory",
    "file/x": "Not a directory",
    "folder": "it is a folder",
    "fifo": "it is no regular file",
}
"""A path without its end → why nothing can be written there."""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file, folders and pipes of some names, from which commands are run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for end in ("csv", "svg", "parquet"):
        (tmp_path / f"folder.{end}").mkdir()
        os.mkfifo(tmp_path / f"fifo.{end}")
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("path", UNWRITABLE)
def test_where_nothing_can_be_written_nothing_is_worked_out(path: str, inside: Path) -> None:
    before = names(inside)
    vary = ["sweep", ALEXNET, "--vary", "h=224:100000", "w=224:100000"]
    with pytest.raises(SpecError, match=UNWRITABLE[path]):
        run([*vary, "-o", f"{path}.csv" if path else ""])
    figure = UNWRITABLE[path] if path else "a plot is no ''"
    for words in (
        [*vary],
        ["memory", ALEXNET],
        ["latency", ALEXNET, "--hardware", "t4"],
    ):
        with pytest.raises(SpecError, match=figure):
            run([*words, "--plot", f"{path}.svg" if path else ""])
    assert names(inside) == before


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
def test_a_device_is_not_replaced_by_a_file(device: str) -> None:
    with pytest.raises(SpecError, match=f"cannot write {device}: it is no regular file"):
        run(["sweep", ALEXNET, "--vary", "h=224", "--format", "csv", "-o", device])
    assert not Path(device).is_file()


LINKS = {"links to a file": "real.csv", "leads nowhere": "new.csv", "links to a link": "link.csv"}


@pytest.mark.parametrize("target", LINKS.values(), ids=LINKS)
def test_a_link_stays_one_and_a_file_keeps_its_mode(target: str, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old", encoding="utf-8")
    (tmp_path / "real.csv").chmod(0o600)
    (tmp_path / "link.csv").symlink_to("real.csv")
    (tmp_path / "x.csv").symlink_to(target)
    require_writable(tmp_path / "x.csv")
    with written(tmp_path / "x.csv") as draft:
        assert draft.stat().st_mode & 0o777 == (0o644 if target == "new.csv" else 0o600)
        draft.unlink()  # as a writer of Parquet does that widens a column
        draft.write_text("whole", encoding="utf-8")
    assert (tmp_path / "x.csv").is_symlink()
    assert (tmp_path / target).is_symlink() == (target == "link.csv")
    assert (tmp_path / target).read_text(encoding="utf-8") == "whole"
    if target != "new.csv":
        assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o600


def test_a_link_to_the_output_is_not_replaced(tmp_path: Path) -> None:
    """As /dev/stdout is one."""
    link = tmp_path / "out.csv"
    link.symlink_to("/proc/self/fd/1")
    sweep = f'"$PY" -m costmodel sweep specs/mlp.yaml --vary n=1,2 -o {link}'
    assert shell(f"{sweep} > {tmp_path}/real.csv")[0] == 0
    assert (tmp_path / "real.csv").read_text(encoding="utf-8").startswith("n,params,")
    assert (link.is_symlink(), names(tmp_path)) == (True, {"out.csv", "real.csv"})
    status, told = shell(f"{sweep} | cat")
    assert (status, told) == (2, f"archcost: cannot write {link}: it is no regular file\n")


def test_links_in_a_circle_are_one_error(inside: Path) -> None:
    for end in ("md", "yaml", "csv", "svg"):
        (inside / f"loop.{end}").symlink_to(f"loop.{end}")
    vary = ["sweep", ALEXNET, "--vary", "h=224"]
    for words in (
        ["docs", "loop.md"],
        ["docs", "--check", "loop.md"],
        ["loop.yaml"],
        [*vary, "--join", "loop.csv"],
        [*vary, "-o", "loop.csv"],
        ["memory", ALEXNET, "--plot", "loop.svg"],
    ):
        with pytest.raises(SpecError, match="Too many levels of symbolic links"):
            printed(*words)


def test_a_link_that_leads_nowhere_is_not_said_to_be_meant(inside: Path) -> None:
    (inside / "net.yaml").symlink_to("nowhere")
    with pytest.raises(SpecError, match=r"no such file: net\.yaml") as error:
        printed("net.yaml")
    assert error.value.hint is None


def test_a_disc_that_is_full_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("old", encoding="utf-8")

    def fill() -> None:
        with written(tmp_path / "x.csv") as draft:
            draft.write_text("half", encoding="utf-8")
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    with pytest.raises(SpecError, match=r"cannot write .*x\.csv: No space left on device"):
        fill()
    assert names(tmp_path) == {"x.csv"}
    assert (tmp_path / "x.csv").read_text(encoding="utf-8") == "old"


def test_the_name_of_a_file_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 251}.csv"
    require_writable(path)
    with written(path) as draft:
        draft.write_text("whole", encoding="utf-8")
    assert names(tmp_path) == {path.name}


def test_a_file_that_may_only_be_read_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.csv").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # as to all but the superuser
    with pytest.raises(SpecError, match=r"cannot write .*x\.csv: it may only be read"):
        require_writable(tmp_path / "x.csv")


READERS = {
    "spec": ["{}"],
    "check": ["check", "{}"],
    "compare": ["compare", "{}", ALEXNET],
    "diff": ["diff", "{}", ALEXNET],
    "table": ["table", "{}"],
    "prove": ["prove", "{}"],
    "docs": ["docs", "{}"],
    "join": ["sweep", ALEXNET, "--vary", "h=224,256", "--join", "{}"],
}
UNREADABLE = {
    ZERO: "is larger than|a line of more than 100,000 characters",
    "/proc/self/mem": "cannot read /proc/self/mem: Input/output error",
    "/dev/null": "the file is empty|has no lines below its head",
    LONG: "File name too long|is no command, no network of the zoo and no file here",
    "nul\0x": "cannot read|no comma-separated values|embedded null",
    "folder.csv": "Is a directory|no spec",
    "file/x": "Not a directory|no such file|No such file",
}


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("path", UNREADABLE)
@pytest.mark.parametrize("reader", READERS)
def test_what_cannot_be_read_is_one_error(reader: str, path: str) -> None:
    if reader == "docs" and path in ("/dev/null", "nul\0x"):
        return  # a page without markers, and a name that no command line can hold
    words = [word.format(path) for word in READERS[reader]]
    with pytest.raises(SpecError, match=UNREADABLE[path]):
        printed(*words)


@pytest.mark.usefixtures("inside")
def test_a_profile_and_a_root_that_cannot_be_read_are_one_error() -> None:
    with pytest.raises(SpecError, match="File name too long"):
        printed("hardware", f"{LONG}.yaml")
    with pytest.raises(SpecError, match=f"--root {LONG} is no folder"):
        printed("docs", "x.md", "--root", LONG)
    with pytest.raises(SpecError, match=r"File name too long|no such file|cannot read"):
        printed("diff", f"HEAD:{LONG}", ALEXNET)


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_bytes(tmp_path / "x", 5, "page") == b"12345"
    with pytest.raises(SpecError, match=r"x is larger than 4 bytes, the most a page may have"):
        read_bytes(tmp_path / "x", 4, "page")


@pytest.mark.parametrize("lines", ["h,a\n224,1\n" + "x" * 100_001, "h,a\n" * 5_000_002])
def test_lines_that_are_joined_are_bounded(
    lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costmodel.sweep.join.MAX_LINES", 1_000)
    (tmp_path / "own.csv").write_text(lines[:2_000_000], encoding="utf-8")
    with pytest.raises(SpecError, match=r"own\.csv(:3: a line of more than| has more than 1,000)"):
        printed("sweep", ALEXNET, "--vary", "h=224", "--join", str(tmp_path / "own.csv"))


def shell(script: str) -> tuple[int, str]:
    """The status and what stands on stderr of a shell's command line."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=ROOT,
        env=os.environ | {"PY": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("script", "status", "told"),
    thinned(
        [
            ('"$PY" -m costmodel specs/alexnet.yaml > /dev/full', 2, "No space left on device"),
            ('"$PY" -m costmodel --help > /dev/full', 2, "No space left on device"),
            ('"$PY" -m costmodel schema > /dev/full', 2, "No space left on device"),
            ('"$PY" -m costmodel specs/alexnet.yaml >&-', 2, "Bad file descriptor"),
        ]
    ),
)
def test_an_output_that_is_full_or_closed_is_one_error(script: str, status: int, told: str) -> None:
    assert shell(script) == (status, f"archcost: cannot write the output: {told}\n")


@pytest.mark.parametrize(
    ("script", "status"),
    thinned(
        [
            ('"$PY" -m costmodel schema | head -c 1 > /dev/null', 0),
            ('"$PY" -m costmodel --help | head -c 1 > /dev/null', 0),
            ('"$PY" -m costmodel nosuch.yaml 2>&-', 2),
            ('"$PY" -m costmodel nosuch.yaml 2> /dev/full', 2),
            ('"$PY" -m costmodel specs/alexnet.yaml 2>&- > /dev/null', 0),
        ]
    ),
)
def test_who_does_not_listen_is_told_nothing(script: str, status: int) -> None:
    assert shell(script) == (status, "")


LISTENING = """\
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A program that runs another which hears signals, also where this one was told not to."""


def is_begun(folder: Path) -> bool:
    """Return whether something stands in a file of a folder."""
    try:
        return any(path.stat().st_size for path in folder.iterdir())
    except FileNotFoundError:  # the draft by which it is tried whether one can be made
        return False


@pytest.mark.parametrize("name", thinned(["SIGTERM", "SIGINT", "SIGHUP"]))
def test_a_run_that_is_stopped_leaves_nothing_half_written(name: str, tmp_path: Path) -> None:
    number = signal.Signals[name]
    sweep = ["sweep", ALEXNET, "--vary", "n=1:200000", "h=224:400", "-o", str(tmp_path / "x.csv")]
    words = [sys.executable, "-c", LISTENING, sys.executable, "-m", "costmodel", *sweep]
    process = subprocess.Popen(words, cwd=ROOT)
    while process.poll() is None and not is_begun(tmp_path):
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert names(tmp_path) == set()


@pytest.mark.parametrize("columns", ["-5", "0", "1", "x", "1000000000", "9" * 20])
def test_help_is_laid_out_for_every_width(columns: str, archcost: Run) -> None:
    done = archcost("--help", COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("words", thinned(["docs x.md", "'a*.yaml'"]))
def test_a_folder_that_is_gone_is_one_error(words: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'cd {gone} && rmdir {gone} && PYTHONPATH={ROOT} "$PY" -m costmodel {words}'
    told = "archcost: the folder that this is run from is not there any more\n"
    assert shell(script) == (2, told)


def test_a_text_that_is_no_expression_says_so() -> None:
    with pytest.raises(ExpressionError, match="no rational number"):
        FUNCTIONS["sqrt"](8)

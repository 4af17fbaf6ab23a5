"""The command line as tests run it: within this process, or in a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from types import FrameType

from costmodel.__main__ import run_words

ROOT = Path(__file__).parent.parent

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

SECONDS = 60
"""How long a command line may take; within this process, of the processor's time."""


class Hang(BaseException):
    """A command line takes longer than it may; no error, so that nothing catches it."""


def run_here(*words: str | Path, folder: Path = ROOT, columns: int = 80, **settings: str) -> Done:
    """Run a command line within this process; what it gives is what a process would give.

    What only a process shows (its streams, its signals, what it imports, an error of the system)
    is for ``run_process``; an error of the system is, therefore, handed to one.
    """
    spoken = [str(word) for word in words]
    out, err = _stream(), _stream()
    with (
        _environment(columns, settings),
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
        limit(),
    ):
        try:
            status = run_words(spoken)
        except OSError:
            return run_process(*words, folder=folder, columns=columns, **settings)
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else 1
    return Done(spoken, status, _text(out), _text(err))


def run_process(
    *words: str | Path, folder: Path = ROOT, columns: int = 80, **settings: str
) -> Done:
    """Run a command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "costmodel", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **_settings(columns, settings)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


TOGETHER = """\
import json, sys
from tests.commands import run_here
done = [run_here(*words) for words in json.loads(sys.argv[1])]
print(json.dumps([(each.args, each.returncode, each.stdout, each.stderr) for each in done]))
"""


def run_together(*lines: Sequence[str | Path], **settings: str) -> list[Done]:
    """Run command lines one after the other in a process of their own, which finds what it is told.

    Args:
        lines: the words of each.
        settings: the environment of the process; other packages are found by its ``PYTHONPATH``.
    """
    words = json.dumps([list(map(str, line)) for line in lines])
    path = os.pathsep.join((settings["PYTHONPATH"], str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER, words],
        cwd=ROOT,
        env={**os.environ, **_settings(80, settings), "PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [Done(*each) for each in json.loads(done.stdout)]


def run_in_terminal(*words: str | Path, columns: int, rows: int = 40, **settings: str) -> str:
    """Return what a command line prints in a pseudo-terminal, with its colours.

    It runs in a fork of this process, which has imported all that it needs.
    """
    process, screen = pty.fork()
    if not process:
        termios.tcsetwinsize(1, (rows, columns))
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm-256color", **settings})
        os.chdir(ROOT)
        with open(1, "w", encoding="utf-8") as out, open(2, "w", encoding="utf-8") as err:
            sys.stdout, sys.stderr = out, err
            status = run_words([str(word) for word in words])
            out.flush()
            os._exit(status)
    shown = b"".join(iter(lambda: _read(screen), b""))
    os.close(screen)
    os.waitpid(process, 0)
    return shown.decode("utf-8").replace("\r\n", "\n")


def _read(screen: int) -> bytes:
    """Return what a terminal shows next; nothing where it is closed, which Linux calls an error."""
    try:
        return os.read(screen, 1 << 16)
    except OSError:
        return b""


@contextmanager
def limit() -> Iterator[None]:
    """Hold what is run in this process to the time it may take.

    Raises:
        Hang: it takes longer.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"no end after {SECONDS} s of the processor's time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _settings(columns: int, settings: dict[str, str]) -> dict[str, str]:
    return {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8", **settings}


@contextmanager
def _environment(columns: int, settings: dict[str, str]) -> Iterator[None]:
    """Set what a process would find in its environment; what a command changes is undone."""
    kept = dict(os.environ)
    os.environ.update(_settings(columns, settings))
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _stream() -> TextIOWrapper:
    """Return a stream as a process has it: bytes below, and no sign that cannot be written."""
    return TextIOWrapper(BytesIO(), encoding="utf-8", errors="replace", write_through=True)


def _text(stream: TextIOWrapper) -> str:
    """Return what was written, with the ends of lines that ``text=True`` of a process makes."""
    stream.flush()
    bytes_below = stream.buffer
    assert isinstance(bytes_below, BytesIO)
    return bytes_below.getvalue().decode("utf-8").replace("\r\n", "\n")

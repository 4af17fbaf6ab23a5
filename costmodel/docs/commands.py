"""Runs the command of a marker; nothing else can stand in a marker."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from archspec.errors import SpecError
from archspec.expressions import ExpressionError
from archspec.files import target_of
from archspec.importers import TORCH
from archspec.zoo import STDIN, find_spec
from costmodel.docs.files import DATA
from costmodel.docs.markers import Marker
from costmodel.docs.styles import PLAIN
from costmodel.render.plots import SUFFIXES, Drawing

FIGURE = "plot"
"""The parameter of a command that names the figure which it draws."""

WRITTEN = {FIGURE: SUFFIXES, "output": DATA}
"""The parameters of commands that name a file which they write → the ends that it may have."""

WARNING = "archcost: warning: "
"""The beginning of a line on stderr that is passed on: a warning about a spec."""

FORBIDDEN = ("completion", "docs", "import", "init")
"""The commands that cannot stand in a marker."""

ELSEWHERE = ("--predict", "--on")
"""The options that run code which is not ours, or run ours on other machines."""

PROVING = ("check", "prove")
"""The commands that fail in a marker where what they look at does not hold.

What others find, as a network that does not fit, is what a page may say.
"""

COLUMNS = "80"
"""The width of the terminal that commands find."""

Place = Callable[[str, str], str]
"""The name of a parameter and the path that it names → the path at which to write the file."""


Runner = Callable[[tuple[str, ...], Place], tuple[object, str]]
"""Runs the words of a command line, whose files are written where `Place` says.

It returns the command's result (an exit status, a drawing, or nothing) and the format of its text.
"""


class CommandOutput(NamedTuple):
    """The output of a marker's command.

    Attributes:
        text: the text that it printed.
        format: the format of the text, where one was chosen.
        files: path below the project's folder → the bytes that it wrote there.
        figure: the path of the figure among them, or ''.
        drawing: the content of that figure.
    """

    text: str
    format: str
    files: dict[str, bytes]
    figure: str
    drawing: Drawing | None


def answer(marker: Marker, root: Path, run: Runner) -> CommandOutput:
    """Run a marker's command in the project's folder and return its output.

    Raises:
        SpecError: it is no command of ours, writes where it may not, or fails.
    """
    with chdir(root), _terminal(), TemporaryDirectory() as folder:
        scratch = Scratch(root, Path(folder))
        try:
            return _answer(marker, scratch, run)
        except (SpecError, ExpressionError) as error:
            cause = " ".join(scratch.as_named(str(error).split("\n")[0]).split())
            origin, entry = marker.origin, marker.command
            raise SpecError(cause, hint=error.hint, origin=origin, entry=entry) from None


def _answer(marker: Marker, scratch: "Scratch", run: Runner) -> CommandOutput:
    if marker.words[0] in FORBIDDEN:
        raise SpecError(f"{marker.words[0]} cannot stand in a marker")
    if any(find_spec(word)[0] == STDIN for word in marker.words):
        raise SpecError("a marker reads no standard input")
    if any(w.startswith(TORCH) or w.partition("=")[0] in ELSEWHERE for w in marker.words):
        cause = "a marker runs nobody's code, as that of a factory of modules, and on no cluster"
        raise SpecError(cause)
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as messages:
        made, form = run(marker.words, scratch.place)
    if isinstance(made, int) and made and marker.words[0] in PROVING:
        hint = f"{marker.command} says why"
        raise SpecError(f"the command fails, with exit status {made}", hint=hint)
    for line in messages.getvalue().splitlines():
        if line.startswith(WARNING):
            print(line, file=sys.stderr)
    files = {path: file.read_bytes() for path, file in scratch.files.items()}
    drawing = made if isinstance(made, Drawing) else None
    return CommandOutput(_tidied(printed.getvalue()), form, files, scratch.figure, drawing)


class Scratch:
    """The files of a command, written first in a folder of their own.

    Attributes:
        root: the project's folder.
        folder: the folder of their own.
        files: path below the project's folder → where it is written first.
        figure: the path of the figure among them.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.files: dict[str, Path] = {}
        self.figure = ""

    def place(self, parameter: str, path: str) -> str:
        """Return the path at which a command writes the file that it names.

        Raises:
            SpecError: a marker may not write such a file.
        """
        check_place(path, self.root, WRITTEN[parameter])
        name = Path(path).as_posix()
        if parameter == FIGURE:
            self.figure = name
        self.files[name] = self.folder / f"{len(self.files)}{Path(path).suffix}"
        return str(self.files[name])

    def as_named(self, text: str) -> str:
        """Return a text with the files as the marker names them."""
        for name, file in self.files.items():
            text = text.replace(str(file), name)
        return text


def check_place(path: str, root: Path, ends: tuple[str, ...]) -> None:
    """Make sure that a marker may write a file.

    Raises:
        SpecError: it would stand elsewhere than below the project's folder, be hidden, or be
            neither a figure nor data.
    """
    parts = Path(path).parts
    outside = Path(path).is_absolute() or ".." in parts
    if outside or not target_of(root / path).is_relative_to(root):
        raise SpecError(f"a marker writes below {root.name}/ only, not '{path}'")
    if any(part.startswith(".") for part in parts):
        raise SpecError(f"a marker writes no hidden file, as '{path}'")
    if not PLAIN.fullmatch(path):
        cause = f"a marker writes no file of this name: '{path}'"
        raise SpecError(cause, hint="letters, digits and . _ - / + @ , = make one")
    if Path(path).suffix not in ends:
        cause = f"a marker writes figures and data only, not '{path}'"
        raise SpecError(cause, hint=f"it ends in {', '.join(ends)}")
    if not os.path.isdir((root / path).parent):
        raise SpecError(f"there is no folder {Path(path).parent}/", hint="make it first")


@contextmanager
def _terminal() -> Iterator[None]:
    """Make the terminal the same everywhere: no colour, and of one width."""
    kept = dict(os.environ)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"):
        os.environ.pop(name, None)
    os.environ["COLUMNS"] = COLUMNS
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _tidied(text: str) -> str:
    """Return a text without empty lines around it, and without spaces at the ends of lines."""
    lines = [line.rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n") + "\n" if text.strip() else ""

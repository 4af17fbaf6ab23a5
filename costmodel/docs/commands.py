"""What the command of a marker prints and writes; nothing else can stand in a marker."""

import os
import re
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import is_dataclass, replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cyclopts import CycloptsError

from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.files import target_of
from costmodel.cli.app import app
from costmodel.cli.misuse import misuse
from costmodel.cli.tell import TOLD, tell
from costmodel.docs.files import DATA
from costmodel.docs.markers import Marker
from costmodel.docs.styles import PLAIN
from costmodel.render.plots import SUFFIXES, Drawing

FIGURE = "plot"
"""The parameter of a command that names the figure which it draws."""

WRITTEN = {FIGURE: SUFFIXES, "output": DATA}
"""The parameters of commands that name a file which they write → the ends that it may have."""

WARNING = f"{TOLD}warning: "
"""What a line on stderr begins with that says of a spec what has no effect."""

FORBIDDEN = ("docs",)
"""The commands that cannot stand in a marker."""

COLUMNS = "80"
"""The width of the terminal that commands find."""


class Drawn(NamedTuple):
    """A figure below the project's folder: where, and what it shows."""

    path: str
    drawing: Drawing


class Answer(NamedTuple):
    """What a command gave.

    Attributes:
        text: what it printed.
        shape: the format of that, where one was chosen.
        files: path below the project's folder → what it wrote there.
        drawn: which of them is the figure that it drew.
    """

    text: str
    shape: str
    files: dict[str, bytes]
    drawn: Drawn | None


def answer(marker: Marker, root: Path) -> Answer:
    """Run a marker's command in the project's folder.

    Raises:
        SpecError: it is no command of ours, writes where it may not, or fails.
    """
    with chdir(root), _terminal(), TemporaryDirectory() as folder:
        scratch = Scratch(root, Path(folder))
        try:
            return _run(marker, scratch)
        except (SpecError, ExpressionError, CycloptsError) as error:
            told = misuse(error, marker.words) if isinstance(error, CycloptsError) else error
            cause = scratch.as_named(str(told).split("\n")[0])
            raise _failed(marker, cause, told.hint) from None


def _run(marker: Marker, scratch: "Scratch") -> Answer:
    _check_name(marker.words[0])
    command, bound, _ = app.parse_args(marker.words)
    bound.arguments.update(scratch.redirected(dict(bound.arguments)))
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as told:
        made = command(*bound.args, **bound.kwargs)
    if isinstance(made, int) and made:
        hint = f"{marker.command} says why"
        raise SpecError(f"the command fails, with exit status {made}", hint=hint)
    warnings = (line for line in told.getvalue().splitlines() if line.startswith(WARNING))
    for line in warnings:
        tell(line.removeprefix(TOLD))
    return Answer(
        _tidied(printed.getvalue()),
        str(bound.arguments.get("format", "")),
        {path: file.read_bytes() for path, file in scratch.files.items()},
        Drawn(scratch.figure, made) if isinstance(made, Drawing) else None,
    )


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

    def redirected(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The same arguments, with other files in place of those that are written."""
        changed: dict[str, Any] = {}
        for name, value in arguments.items():
            if name in WRITTEN and value is not None:
                changed[name] = type(value)(self._redirected(name, str(value)))
            elif is_dataclass(value) and not isinstance(value, type):
                changed[name] = replace(value, **self.redirected(vars(value)))
        return changed

    def _redirected(self, parameter: str, path: str) -> Path:
        check_place(path, self.root, WRITTEN[parameter])
        name = Path(path).as_posix()
        if parameter == FIGURE:
            self.figure = name
        self.files[name] = self.folder / f"{len(self.files)}{Path(path).suffix}"
        return self.files[name]

    def as_named(self, text: str) -> str:
        """A text with the files as the marker names them."""
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


def _check_name(name: str) -> None:
    """Make sure that a command line begins with a command of ours, an option or a spec.

    Raises:
        SpecError: it begins with another word, or with a command that no marker may hold.
    """
    if name in FORBIDDEN:
        raise SpecError(f"{name} cannot stand in a marker")
    known = [command for command in app if not command.startswith("-")]
    is_word = re.fullmatch(r"\w[\w-]*", name) is not None
    if is_word and name not in known and not os.path.exists(name):
        raise SpecError(f"unknown command '{name}'", hint=did_you_mean(name, known))


@contextmanager
def _terminal() -> Iterator[None]:
    """A terminal that is the same everywhere: no colour, and of one width."""
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
    """No empty lines around a text, no spaces at the ends of lines, and a line feed at its end."""
    lines = [line.rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n") + "\n" if text.strip() else ""


def _failed(marker: Marker, cause: str, hint: str | None) -> SpecError:
    """An error of a command, said of the marker."""
    cause = " ".join(cause.split())
    return SpecError(cause, hint=hint, origin=marker.origin, entry=marker.command)

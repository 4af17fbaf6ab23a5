"""What the command of a marker prints and writes; nothing else can stand in a marker."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import is_dataclass, replace
from functools import partial
from hashlib import sha256
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cyclopts import CycloptsError

from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError
from costmodel.cli.app import app
from costmodel.docs.markers import Marker

FIGURE = "plot"
"""The parameter of a command that names the figure which it draws."""

WRITTEN = (FIGURE, "output")
"""The parameters of commands that name a file which they write."""

FIGURES = (".svg", ".png", ".pdf")
DATA = (".csv", ".json", ".jsonl", ".parquet")
"""The ends of files that a marker may write."""

FORBIDDEN = ("docs",)
"""The commands that cannot stand in a marker."""

COLUMNS = "80"
"""The width of the terminal that commands find."""


class Answer(NamedTuple):
    """What a command gave.

    Attributes:
        text: what it printed.
        shape: the format of that, where one was chosen.
        figure: the figure that it drew, below the project's folder.
        files: path below the project's folder → what it wrote there.
    """

    text: str
    shape: str
    figure: str | None
    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        """What changes with the numbers that were printed."""
        return sha256(self.text.encode()).hexdigest()[:12]


def answer(marker: Marker, root: Path) -> Answer:
    """Run a marker's command in the project's folder.

    Raises:
        SpecError: it is no command of ours, writes where it may not, or fails.
    """
    try:
        with chdir(root), _terminal(), TemporaryDirectory() as scratch:
            return _run(marker, root, Path(scratch))
    except (SpecError, ExpressionError) as error:
        raise _placed(marker, error) from None
    except CycloptsError as error:
        raise SpecError(_one_line(str(error)), origin=marker.origin, entry=marker.command) from None


def _run(marker: Marker, root: Path, scratch: Path) -> Answer:
    _check_name(marker.words[0])
    command, bound, _ = app.parse_args(marker.words)
    files: dict[str, Path] = {}
    arguments = _redirected(dict(bound.arguments), partial(_allowed, root, scratch, files))
    bound.arguments.update(arguments)
    with redirect_stdout(StringIO()) as printed:
        status = command(*bound.args, **bound.kwargs)
    if status:
        raise SpecError(f"the command fails, with exit status {status}")
    figures = [path for path in files if path.endswith(FIGURES)]
    return Answer(
        _tidied(printed.getvalue()),
        str(bound.arguments.get("format", "")),
        figures[0] if figures else None,
        {path: file.read_bytes() for path, file in files.items()},
    )


def _check_name(name: str) -> None:
    """Make sure that a command line begins with a command of ours, an option or a spec.

    Raises:
        SpecError: it begins with another word, or with a command that no marker may hold.
    """
    if name in FORBIDDEN:
        raise SpecError(f"{name} cannot stand in a marker")
    known = [command for command in app if not command.startswith("-")]
    is_word = re.fullmatch(r"\w[\w-]*", name) is not None
    if is_word and name not in known and not Path(name).exists():
        raise SpecError(f"unknown command '{name}'", hint=did_you_mean(name, known))


def _redirected(arguments: dict[str, Any], allowed: Callable[[str], Path]) -> dict[str, Any]:
    """The same arguments, with other files in place of those that are written."""
    changed: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in WRITTEN and value is not None:
            changed[name] = type(value)(allowed(str(value)))
        elif is_dataclass(value) and not isinstance(value, type):
            changed[name] = replace(value, **_redirected(vars(value), allowed))
    return changed


def _allowed(root: Path, scratch: Path, files: dict[str, Path], path: str) -> Path:
    """Where a file is written first that is to stand at a path below the project's folder.

    Raises:
        SpecError: it would stand elsewhere, be hidden, or be neither a figure nor data.
    """
    parts = Path(path).parts
    outside = Path(path).is_absolute() or ".." in parts
    if outside or not (root / path).resolve().is_relative_to(root):
        raise SpecError(f"a marker writes below {root.name}/ only, not '{path}'")
    if any(part.startswith(".") for part in parts):
        raise SpecError(f"a marker writes no hidden file, as '{path}'")
    if Path(path).suffix not in FIGURES + DATA:
        ends = ", ".join(FIGURES + DATA)
        raise SpecError(
            f"a marker writes figures and data only, not '{path}'", hint=f"it ends in {ends}"
        )
    if not (root / path).parent.is_dir():
        raise SpecError(f"there is no folder {Path(path).parent}/", hint="make it first")
    name = Path(path).as_posix()
    files[name] = scratch / f"{len(files)}{Path(path).suffix}"
    return files[name]


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


def _placed(marker: Marker, error: SpecError | ExpressionError) -> SpecError:
    """An error of a command, said of the marker."""
    cause = str(error).split("\n  hint: ")[0]
    hint = getattr(error, "hint", None)
    return SpecError(_one_line(cause), hint=hint, origin=marker.origin, entry=marker.command)


def _one_line(text: str) -> str:
    return " ".join(text.split())

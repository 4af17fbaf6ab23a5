"""Reading and writing of files: reads have a limit, and a file is written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE, S_ISDIR, S_ISREG

from archspec.errors import SpecError


def read_bytes(path: str | Path, most: int, what: str) -> bytes:
    """Return a file's bytes; a device without an end is not read to it.

    Args:
        path: the file.
        most: the most bytes that it may have.
        what: what it is, for the error.

    Raises:
        SpecError: it cannot be read, or has more bytes.
    """
    try:
        with open(path, "rb") as stream:
            raw = stream.read(most + 1)
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot read {path}: {cause_of(error)}") from None
    if len(raw) > most:
        raise SpecError(f"{path} is larger than {most:,} bytes, the most a {what} may have")
    return raw


def cause_of(error: OSError | ValueError) -> str:
    """Return in words why a file cannot be read or written."""
    number = getattr(error, "errno", None)  # the words beside it may be those of a library
    return os.strerror(number) if number else getattr(error, "strerror", None) or str(error)


def target_of(path: str | Path) -> Path:
    """Return the file that a path leads to once all links are followed; it need not exist."""
    return Path(os.path.realpath(path))  # Path.resolve ends in an error where links go in a circle


def require_writable(path: str | Path) -> None:
    """Make sure that a file can be made or replaced at a path, before anything is worked out.

    Raises:
        SpecError: it cannot: there is no such folder, a folder or a device is there, or the
            system refuses.
    """
    with _drafted(path):
        pass


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """Give a draft beside a file; it takes its place if all goes well, and is deleted otherwise.

    The file keeps its mode, and a link that leads to it stays a link.

    Raises:
        SpecError: the file cannot be written (see `require_writable`).
    """
    with _drafted(path) as draft:
        mode = S_IMODE(draft.stat().st_mode)
        yield draft
        draft.chmod(mode)  # whoever wrote it may have made it anew
        draft.replace(target_of(path))


@contextmanager
def _drafted(path: str | Path) -> Iterator[Path]:
    """Give an empty file of the same mode and in the same folder, and delete it at the end."""
    with _explaining(path):
        mode = _known_mode(path)
        draft = target_of(path).with_name(f".archcost-{token_hex(6)}")  # short, whatever its name
        try:  # begun before there is a file, so that no signal comes between
            draft.open("xb").close()
            if mode is not None:
                draft.chmod(mode)
            yield draft
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def _explaining(path: str | Path) -> Iterator[None]:
    """Turn an error of the operating system into a `SpecError` that names the path."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SpecError(f"cannot write {path}: {cause_of(error)}") from None


def _known_mode(path: str | Path) -> int | None:
    """Return the mode of the file that a path names, if it is there and may be replaced."""
    if not str(path):
        raise SpecError("the path of the file to write is empty", hint="name one, as out.csv")
    with suppress(FileNotFoundError):
        mode = os.stat(path).st_mode  # asks, too, whether the name is too long
        if S_ISDIR(mode):
            raise SpecError(f"cannot write {path}: it is a folder")
        if not S_ISREG(mode):
            raise SpecError(f"cannot write {path}: it is no regular file")
        if not os.access(path, os.W_OK):
            raise SpecError(f"cannot write {path}: it may only be read")
        return S_IMODE(mode)
    return None

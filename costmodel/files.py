"""Files at the door: what is read is bounded, and what is written is there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_ISDIR, S_ISREG

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
    return getattr(error, "strerror", None) or str(error)


def require_writable(path: str | Path) -> None:
    """Make sure that a file can be made or replaced at a path, before anything is worked out.

    Raises:
        SpecError: it cannot: there is no such folder, a folder or a device is there, or the
            system refuses.
    """
    with _told(path):
        _draft_beside(path).unlink()


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """Give a draft beside a path; it takes that place if all goes well, and is deleted otherwise.

    Raises:
        SpecError: the file cannot be written (see `require_writable`).
    """
    with _told(path):
        draft = _draft_beside(path)
        try:
            yield draft
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def _told(path: str | Path) -> Iterator[None]:
    """Turn what the system refuses into one error that names the path."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SpecError(f"cannot write {path}: {cause_of(error)}") from None


def _draft_beside(path: str | Path) -> Path:
    """Make an empty file in the same folder; its name is short, whatever the path's is."""
    if not str(path):
        raise SpecError("the path of the file to write is empty", hint="name one, as out.csv")
    with suppress(FileNotFoundError):
        _require_replaceable(path, os.stat(path).st_mode)  # asks, too, whether the name is too long
    draft = Path(path).with_name(f".archcost-{token_hex(6)}")
    draft.open("xb").close()
    return draft


def _require_replaceable(path: str | Path, mode: int) -> None:
    if S_ISDIR(mode):
        raise SpecError(f"cannot write {path}: it is a folder")
    if not S_ISREG(mode):
        raise SpecError(f"cannot write {path}: it is no regular file")
    if not os.access(path, os.W_OK):
        raise SpecError(f"cannot write {path}: it may only be read")

"""Files that markers write beside a page, and why one of them is stale."""

import re
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

DATA = (".csv", ".json", ".jsonl", ".ndjson", ".parquet")
"""The ends of files of data that a marker may write."""

TEXTS = (".csv", ".json", ".jsonl", ".ndjson")
"""Those of them that are text."""

MISSING = "is missing"


class Seal(NamedTuple):
    """The digests of a figure on its page: of the numbers it shows, and of its file."""

    numbers: str
    file: str

    def __str__(self) -> str:
        return f"numbers {self.numbers}, file {self.file}"


_SEAL = re.compile(r"\bnumbers ([0-9a-f]{12}), file ([0-9a-f]{12})\b")


def seal_in(text: str) -> Seal | None:
    """Return the seal in a text, if it has one."""
    found = _SEAL.search(text)
    return Seal(*found.groups()) if found else None


def seal_of(numbers: str, path: Path, data: bytes) -> Seal:
    """Return the seal of a figure that is drawn now."""
    return Seal(numbers, sha256(_content(path, data)).hexdigest()[:12])


def fault_of_figure(path: Path, there: bytes | None, numbers: str, seal: Seal | None) -> str:
    """Return why a figure is stale, or ''; other versions of what draws may draw other bytes.

    Args:
        path: the figure.
        there: its bytes, if it is there.
        numbers: the digest of what it should show.
        seal: what its page says of it.
    """
    if there is None:
        return MISSING
    if seal is None:
        return "has no digest on its page"
    if seal.numbers != numbers:
        return "shows other numbers than its marker now"
    return "" if seal_of(numbers, path, there) == seal else "is not as it was drawn"


def fault_of_data(path: Path, there: bytes | None, wanted: bytes) -> str:
    """Return why a file of data is stale, or ''; Parquet is compared by rows, text by lines."""
    if there is None:
        return MISSING
    if path.suffix == ".parquet":
        return "" if there == wanted or _same_rows(there, wanted) else "has other rows"
    lines = zip_longest(*(_content(path, data).split(b"\n") for data in (there, wanted)))
    changed = (number for number, (old, new) in enumerate(lines, 1) if old != new)
    first = next(changed, None)
    return "" if first is None else f"differs from line {first} on"


def _content(path: Path, data: bytes) -> bytes:
    """Return the bytes of a file that are compared: not those that editors change at line ends."""
    if path.suffix == ".svg":
        return b"\n".join(map(bytes.rstrip, data.rstrip().split(b"\n")))
    return data.replace(b"\r\n", b"\n") if path.suffix in TEXTS else data


def _same_rows(there: bytes, wanted: bytes) -> bool:
    """Return whether two Parquet files have the same columns, types and rows."""
    from pyarrow import ArrowInvalid, BufferReader
    from pyarrow.parquet import read_table

    try:
        return bool(read_table(BufferReader(there)).equals(read_table(BufferReader(wanted))))
    except (ArrowInvalid, OSError):
        return False

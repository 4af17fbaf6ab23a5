"""Pages on disk: read as they are, refreshed as a whole, written all or not at all."""

import os
import stat
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from pathlib import Path
from tempfile import mkstemp
from typing import NamedTuple

from archspec.errors import Origin, SpecError
from archspec.files import cause_of, read_bytes, target_of
from costmodel.docs.commands import Answer, answer
from costmodel.docs.files import Seal, fault_of_data, fault_of_figure, seal_in, seal_of
from costmodel.docs.markers import Marker, bare, find_markers, lines_of, looks_like_marker
from costmodel.docs.styles import Style, styles_of
from costmodel.scenario.patterns import matches

MAX_BYTES = 20_000_000
"""The largest page."""

MAX_WRITTEN = 1_000_000_000
"""The largest file that a marker writes."""

NEW = 0o644
"""The mode of a new file."""

ROOTS = (".git", "pyproject.toml")
"""What the folder of a project holds."""


class Change(NamedTuple):
    """A file as it is and as it should be.

    Attributes:
        path: the file, as it was named.
        before: its bytes, or None where there is no such file.
        after: what its bytes should be; as before where only what drew or wrote it differs.
        markers: how many markers it has; none if a marker writes it.
        stale: how many of them are not up to date.
        fault: what is wrong with a file that a marker writes.
    """

    path: Path
    before: bytes | None
    after: bytes
    markers: int = 0
    stale: int = 0
    fault: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether the file is not as it should be."""
        return self.before != self.after

    def diff(self) -> str:
        """What would change: of a page a unified diff, of another file what is wrong."""
        if self.fault:
            return f"{self.path} {self.fault}\n"
        old, new = (lines_of((data or b"").decode()) for data in (self.before, self.after))
        changes = unified_diff(old, new, str(self.path), f"{self.path} (generated)")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in changes
        )


class Filled(NamedTuple):
    """A marker that is worked out.

    Attributes:
        text: what stands between its comments.
        files: what it writes.
        is_stale: whether another text stands there.
    """

    text: str
    files: list[Change]
    is_stale: bool


def refreshed(paths: Iterable[str], root: Path | None = None) -> list[Change]:
    """Every page with its markers filled, and every file that its markers write.

    Args:
        paths: the pages, or patterns of them.
        root: the folder that paths in markers start from; else that of the project of each page.

    Raises:
        SpecError: a page cannot be read, or a marker is broken or fails.
    """
    changes: dict[Path, Change] = {}
    for page in (Path(file) for path in paths for file in matches(path, "page")):
        if target_of(page) in changes:
            continue
        for change in _refreshed(page, target_of(root or project_of(page))):
            if target_of(change.path) in changes:
                raise SpecError(f"two markers write {change.path}")
            changes[target_of(change.path)] = change
    return list(changes.values())


def project_of(page: Path) -> Path:
    """The nearest folder around a page that holds a project, else the page's own folder."""
    around = target_of(page).parents
    return next((f for f in around if any((f / name).exists() for name in ROOTS)), around[0])


def _refreshed(page: Path, root: Path) -> Iterator[Change]:
    raw = read_bytes(page, MAX_BYTES, "page")
    styles = styles_of(page)
    lines = lines_of(_decoded(raw, page))
    markers = find_markers(lines, styles, str(page))
    filled = [_filled(marker, lines, styles, page, root) for marker in markers]
    for marker, each in zip(reversed(markers), reversed(filled), strict=True):
        lines[marker.first : marker.last] = [each.text]
    stale = sum(each.is_stale for each in filled)
    yield Change(page, raw, "".join(lines).encode(), len(markers), stale)
    for each in filled:
        yield from each.files


def _filled(
    marker: Marker, lines: list[str], styles: tuple[Style, ...], page: Path, root: Path
) -> Filled:
    found = answer(marker, root)
    before = "".join(lines[marker.first : marker.last])
    seal = seal_in(before)
    files: list[Change] = []
    for name, data in found.files.items():
        path = root / name
        there = _there(path)
        if found.drawn and name == found.drawn.path:
            numbers = found.drawn.drawing.digest
            fault = fault_of_figure(path, there, numbers, seal)
            seal = seal_of(numbers, path, data) if fault else seal
        else:
            fault = fault_of_data(path, there, data)
        after = data if fault or there is None else there
        files.append(Change(_shown(path), there, after, fault=fault))
    text = _between(marker, found, seal, styles, page, root)
    return Filled(text, files, text != before)


def _there(path: Path) -> bytes | None:
    """What a file that a marker writes holds now; None where there is none."""
    return read_bytes(path, MAX_WRITTEN, "file beside a page") if os.path.isfile(path) else None


def _decoded(raw: bytes, page: Path) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        column = len(before) - before.rfind("\n")
        origin = Origin(str(page), before.count("\n") + 1, column)
        cause = f"byte 0x{raw[error.start]:02x} is not UTF-8; pages are UTF-8 text"
        raise SpecError(cause, origin=origin) from None


def _between(
    marker: Marker,
    found: Answer,
    seal: Seal | None,
    styles: tuple[Style, ...],
    page: Path,
    root: Path,
) -> str:
    """What stands between the comments of a marker.

    Raises:
        SpecError: a line of it would be read as a marker, or it cannot stand in such a page.
    """
    style = marker.style
    try:
        text = _shape(style, found, seal, page, root) or style.comment("nothing was printed")
    except SpecError as error:
        raise error.placed(marker.origin, marker.command) from None
    for line in lines_of(text):
        if looks_like_marker(bare(line), styles):
            cause = f"the command prints a line that looks like a marker: {line.strip()}"
            raise SpecError(cause, origin=marker.origin, entry=marker.command)
    space = "\n" * style.is_spaced
    return f"{space}{text}{space}".replace("\n", marker.newline)


def _shape(style: Style, found: Answer, seal: Seal | None, page: Path, root: Path) -> str:
    """The figure, the text in the page's own format, or the text as code."""
    if found.drawn is not None:
        path = os.path.relpath(root / found.drawn.path, target_of(page).parent)
        figure = style.figure(Path(path).as_posix(), found.drawn.drawing.about)
        return f"{figure}{style.comment(str(seal))}"
    if found.shape == style.own or not found.text:
        return found.text
    return style.code(found.text, found.shape if found.shape not in ("", "table") else "text")


def _shown(file: Path) -> Path:
    """A path from here, where it is below."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def write(changes: Iterable[Change]) -> None:
    """Write what has changed: all of it, or, where one file cannot be written, nothing.

    A file is replaced as a whole and keeps its mode; a link stays one, and leads to the new text.
    Pages come last: one that is written says of no figure what this is not yet.

    Raises:
        SpecError: a file cannot be written, or was changed since it was read.
    """
    staged: list[tuple[Change, Path]] = []
    done: list[Change] = []
    try:
        for change in sorted(changes, key=lambda change: change.markers > 0):
            if change.is_stale:
                staged.append((change, _staged(change.path, change.after)))
        for change, temporary in staged:
            _put(change, temporary)
            done.append(change)
    except BaseException:
        for change in done:
            _restore(change)
        raise
    finally:
        for _, temporary in staged:
            temporary.unlink(missing_ok=True)


def _staged(path: Path, data: bytes) -> Path:
    """A file beside another, with its mode, that is to take its place."""
    target = target_of(path)
    if target.exists() and not os.access(target, os.W_OK):
        raise _unwritable(path, "it may only be read")
    name = ""
    try:
        handle, name = mkstemp(prefix=".archcost-", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, stat.S_IMODE(target.stat().st_mode) if target.exists() else NEW)
    except BaseException as error:
        if name:
            os.unlink(name)
        if isinstance(error, OSError):
            raise _unwritable(path, cause_of(error)) from None
        raise
    return Path(name)


def _put(change: Change, temporary: Path) -> None:
    """Replace a file, if it is still what was read."""
    if _there(change.path) != change.before:
        raise _unwritable(change.path, "it was changed meanwhile")
    try:
        os.replace(temporary, target_of(change.path))
    except OSError as error:
        raise _unwritable(change.path, cause_of(error)) from None


def _unwritable(path: Path, cause: str) -> SpecError:
    return SpecError(f"cannot write {path}: {cause}; nothing is changed")


def _restore(change: Change) -> None:
    """Put back what was there."""
    if change.before is None:
        change.path.unlink()
    else:
        os.replace(_staged(change.path, change.before), target_of(change.path))

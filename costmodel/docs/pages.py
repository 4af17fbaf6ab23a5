"""Pages on disk: read as they are, refreshed as a whole, written all or not at all."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from archspec.errors import Origin, SpecError
from archspec.files import read_bytes, target_of, written
from costmodel.docs.commands import CommandOutput, Runner, answer
from costmodel.docs.files import DATA, Seal, fault_of_data, fault_of_figure, seal_in, seal_of
from costmodel.docs.markers import (
    Marker,
    bare,
    find_markers,
    left_over,
    lines_of,
    looks_like_marker,
)
from costmodel.docs.notebooks import Cell, cells_of, is_notebook, with_cells
from costmodel.docs.styles import LATEX, Style, fenced, styles_of
from costmodel.render.plots import SUFFIXES
from costmodel.scenario.patterns import matches

MAX_BYTES = 20_000_000
"""The largest page."""

MAX_WRITTEN = 1_000_000_000
"""The largest file that a marker writes."""

NO_PAGES = (*SUFFIXES, *DATA)
"""The ends of the files that markers write, in which none stands."""

ROOTS = (".git", "pyproject.toml")
"""The files that mark the folder of a project."""


class FileChange(NamedTuple):
    """A file as it is and as it should be.

    Attributes:
        path: the file, as it was named.
        before: its bytes, or None where there is no such file.
        after: what its bytes should be; as before where only what drew or wrote it differs.
        markers: how many markers it has; none if a marker writes it.
        stale: where the commands of those stand that are not up to date.
        fault: what is wrong with a file that a marker writes.
        left_over: where what looks like a marker stands, and is none.
    """

    path: Path
    before: bytes | None
    after: bytes
    markers: int = 0
    stale: tuple[Origin, ...] = ()
    fault: str = ""
    left_over: tuple[Origin, ...] = ()

    @property
    def is_stale(self) -> bool:
        """Return True where the file is not as it should be."""
        return self.before != self.after

    def diff(self) -> str:
        """Return a page's change as a unified diff, another file's as what is wrong with it."""
        if self.fault:
            return f"{self.path} {self.fault}\n"
        old, new = (lines_of((data or b"").decode()) for data in (self.before, self.after))
        changes = unified_diff(old, new, str(self.path), f"{self.path} (generated)")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in changes
        )


def refreshed(paths: Iterable[str], run: Runner, root: Path | None = None) -> list[FileChange]:
    """Return every page with its markers filled, and every file that its markers write.

    Figures, data and folders beside pages are passed over: a shell's ``docs/*`` names them, too.

    Args:
        paths: the pages, or patterns of them.
        run: runs the command of a marker.
        root: the folder that paths in markers start from; else that of the project of each page.

    Raises:
        SpecError: a page cannot be read, or a marker is broken or fails.
    """
    changes: dict[Path, FileChange] = {}
    named = [Path(file) for path in paths for file in matches(path, "page")]
    for page in [path for path in named if not _is_no_page(path)] or named[:1]:
        if target_of(page) in changes:
            continue
        for change in _refreshed(page, target_of(root or project_of(page)), run):
            if target_of(change.path) in changes:
                raise SpecError(f"two markers write {change.path}")
            changes[target_of(change.path)] = change
    return list(changes.values())


def _is_no_page(path: Path) -> bool:
    """Return whether a path is of a folder, or of what a marker writes."""
    return os.path.isdir(path) or path.suffix.lower() in NO_PAGES


def project_of(page: Path) -> Path:
    """Return the nearest folder around a page that holds a project, else the page's own folder."""
    around = target_of(page).parents
    return next((f for f in around if any((f / name).exists() for name in ROOTS)), around[0])


def _refreshed(page: Path, root: Path, run: Runner) -> Iterator[FileChange]:
    raw = read_bytes(page, MAX_BYTES, "page")
    text = _decoded(raw, page)
    cells = cells_of(text, page) if is_notebook(page) else [Cell(str(page), text)]
    filled = [_of_cell(cell, page, root, run) for cell in cells]
    texts = [each.text for each in filled]
    after = with_cells(text, texts) if is_notebook(page) else texts[0]
    faults = tuple(fault for each in filled for fault in each.left_over)
    if is_notebook(page):
        faults += tuple(
            place for raw in cells_of(text, page, "raw") for place in _left(raw, [], ())
        )
    stale = tuple(place for each in filled for place in each.stale)
    markers = sum(each.markers for each in filled)
    yield FileChange(page, raw, after.encode(), markers, stale=stale, left_over=faults)
    for each in filled:
        yield from each.files


class _FilledText(NamedTuple):
    """A page, or a cell of one, with its markers filled.

    Attributes:
        text: the text.
        markers: how many there are.
        stale: where the commands of those stand that were not up to date.
        left_over: where what looks like a marker stands, and is none.
        files: what they write.
    """

    text: str
    markers: int
    stale: tuple[Origin, ...]
    left_over: tuple[Origin, ...]
    files: tuple[FileChange, ...]


def _of_cell(cell: Cell, page: Path, root: Path, run: Runner) -> _FilledText:
    """Return the text of a page, or of a cell of one, with its markers filled."""
    lines, styles = lines_of(cell.text), styles_of(page)
    markers = find_markers(lines, styles, cell.name)
    before = [marker.text_in(lines) for marker in markers]
    left = _left(cell, markers, styles)
    filled = [_filled(*each, page, root, run) for each in zip(markers, before, strict=True)]
    texts = [text for text, _ in filled]
    for marker, text in zip(reversed(markers), reversed(texts), strict=True):
        marker.fill(lines, text)
    pairs = zip(markers, before, texts, strict=True)
    stale = tuple(marker.origin for marker, old, new in pairs if old != new)
    files = tuple(file for _, files in filled for file in files)
    return _FilledText("".join(lines), len(markers), stale, left, files)


def _left(cell: Cell, markers: list[Marker], styles: tuple[Style, ...]) -> tuple[Origin, ...]:
    """Return where a text has what looks like a marker, and is none of some."""
    numbers = left_over(lines_of(cell.text), markers, styles)
    return tuple(Origin(cell.name, number + 1, 1) for number in numbers)


def _filled(
    marker: Marker, before: str, page: Path, root: Path, run: Runner
) -> tuple[str, list[FileChange]]:
    """Return the text of a marker and the files that it writes.

    Args:
        marker: the marker.
        before: the text between its comments now.
        page: the page that it stands in.
        root: the folder that its paths start from.
        run: runs its command.
    """
    found, seal, files = answer(marker, root, run), seal_in(before), list[FileChange]()
    for name, data in found.files.items():
        path = root / name
        there = _there(path)
        if found.drawing and name == found.figure:
            fault = fault_of_figure(path, there, found.drawing.digest, seal)
            seal = seal_of(found.drawing.digest, path, data) if fault else seal
        else:
            fault = fault_of_data(path, there, data)
        after = data if fault or there is None else there
        files.append(FileChange(_shown(path), there, after, fault=fault))
    return _between(marker, found, seal, page, root), files


def _there(path: Path) -> bytes | None:
    """Return the bytes of a file that a marker writes; None where there is no such file."""
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
    marker: Marker, found: CommandOutput, seal: Seal | None, page: Path, root: Path
) -> str:
    """Return the text between the comments of a marker.

    Raises:
        SpecError: a line of it would be read as a marker, or it cannot stand in such a page.
    """
    style = marker.style
    try:
        if marker.within or marker.name:
            return _in_line(marker, found)
        text = _shape(marker, found, seal, page, root) or style.comment("nothing was printed")
    except SpecError as error:
        raise error.placed(marker.origin, marker.command) from None
    space = "\n" * style.is_spaced
    lines = [f"{marker.around}{line}" for line in lines_of(f"{space}{text}{space}")]
    for line in lines:
        if looks_like_marker(bare(line), styles_of(page)):
            cause = f"the command prints a line that looks like a marker: {line.strip()}"
            raise SpecError(cause, origin=marker.origin, entry=marker.command)
    return _EMPTY.sub("\n", "".join(lines)).replace("\n", marker.newline)


_EMPTY = re.compile(r"[ \t]+\n")
"""The end of a line with spaces before it, as an empty line in an item would have."""


def _in_line(marker: Marker, found: CommandOutput) -> str:
    """Return the text of a marker within a line, or of a substitution.

    Raises:
        SpecError: its command prints more than one line.
    """
    printed = found.text.strip()
    if not printed or "\n" in printed or found.files:
        raise SpecError(
            "a marker within a line takes a command that prints one line",
            hint="as in value SPEC --metric params; any other stands alone on its line",
        )
    text = marker.style.text(printed)
    if not marker.name:
        return text
    return f"\n{marker.around}.. |{marker.name}| replace:: {text}\n\n".replace("\n", marker.newline)


def _shape(marker: Marker, found: CommandOutput, seal: Seal | None, page: Path, root: Path) -> str:
    """Return the figure, the text in the page's own format, or the text as code."""
    style = marker.style
    if found.drawing:
        _require_no_frame(marker)
        start = compiled_from(page, root) if style is LATEX else target_of(page).parent
        path = os.path.relpath(root / found.figure, start)
        figure = style.figure(Path(path).as_posix(), found.drawing.about)
        return f"{figure}{style.comment(str(seal))}"
    if found.format == style.own or not found.text:
        return found.text
    language = found.format if found.format not in ("", "table") else "text"
    if marker.fences:
        return fenced(found.text, language, marker.fences)
    return style.code(found.text, language)


def _require_no_frame(marker: Marker) -> None:
    """Make sure that nothing is asked of a figure that a table alone has.

    Raises:
        SpecError: it has a caption or a label.
    """
    asked = {word.partition("=")[0] for word in marker.words} & {"--caption", "--label"}
    if asked and marker.words[0] != "sweep":  # whose labels stand at points
        hint = "write both around the marker, in a figure of your own"
        raise SpecError(f"{min(asked)} is of a table, and this is a figure", hint=hint)


_ROOT_OF_TEX = re.compile(r"^%+\s*!\s*TeX\s+root\s*=\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
"""The comment by which editors know the document that a part belongs to."""


def compiled_from(page: Path, root: Path) -> Path:
    r"""Return the folder that the paths in a page of LaTeX start from: that of its document.

    The page says it (``% !TeX root = ../main.tex``), or is one; else it is the nearest folder from
    its own up to the project's that has one, since ``\input`` changes no folder.
    """
    path = target_of(page)
    text = path.read_text(encoding="utf-8", errors="replace")
    if said := _ROOT_OF_TEX.search(text):
        return (path.parent / said[1]).resolve().parent
    if not _is_document(text):
        for folder in path.parents:
            others = (p for p in sorted(folder.glob("*.tex")) if p != path and p.is_file())
            if any(_is_document(p.read_text("utf-8", "replace")) for p in others):
                return folder
            if folder == root:
                break
    return path.parent


def _is_document(text: str) -> bool:
    return "\n\\documentclass" in f"\n{text}"


def _shown(file: Path) -> Path:
    """Return a path from here, where it is below."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def write(changes: Iterable[FileChange]) -> None:
    """Write the files that have changed: all of them, or, where one cannot be written, none.

    A file is replaced as a whole and keeps its mode; a link stays one, and leads to the new text.
    Pages come last, so that none tells of a figure that is not there yet.

    Raises:
        SpecError: a file cannot be written, or was changed since it was read.
    """
    ordered = sorted(changes, key=lambda change: change.markers > 0)
    done: list[FileChange] = []
    try:
        with ExitStack() as drafts:
            for change in reversed(ordered):  # the last draft is the first to take its place
                if change.is_stale:
                    drafts.enter_context(_drafted(change, done))
    except BaseException as error:
        for change in done:
            _restore(change)
        if isinstance(error, SpecError):
            raise SpecError(f"{error.cause}; nothing is changed", hint=error.hint) from None
        raise


@contextmanager
def _drafted(change: FileChange, done: list[FileChange]) -> Iterator[None]:
    """Write a file's new text beside it; at the end it takes the place of what was read."""
    with written(change.path) as draft:
        with draft.open("wb") as stream:
            stream.write(change.after)
            stream.flush()
            os.fsync(stream.fileno())
        yield
        if _there(change.path) != change.before:
            raise SpecError(f"cannot write {change.path}: it was changed meanwhile")
    done.append(change)


def _restore(change: FileChange) -> None:
    """Write the text back that a file had before."""
    if change.before is None:
        change.path.unlink()
        return
    with written(change.path) as draft:
        draft.write_bytes(change.before)

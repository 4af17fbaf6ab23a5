"""Specs as they stand in a file or in git: ``PATH``, ``REVISION:PATH``, each with ``@VARIANT``.

Git is only read, by ``git cat-file blob`` without a shell; nothing is checked out.
"""

import os
import subprocess
from collections.abc import Callable, Collection
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

from archspec import Architecture, SpecError
from archspec.architecture import document_at, read_architecture
from archspec.document import MAX_BYTES, YamlDocument, decode, parse_document
from archspec.importers import find_source
from archspec.zoo import find_spec, shown_path, split_variant
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze_loaded

ALL = "*"
"""The variant that stands for all of them."""


class SpecSource(NamedTuple):
    """A spec's place: a file on disk or in git, and a variant.

    Attributes:
        path: the file; in a revision as git reads it, from the repository's root.
        revision: the revision, ``""`` for what is staged; None for the file on disk.
        variant: the variant's name, ``*`` for all of them, None for the spec as it is.
        folder: where git is asked.
    """

    path: str
    revision: str | None = None
    variant: str | None = None
    folder: str = "."

    @property
    def name(self) -> str:
        """``main:specs/net.yaml``: the file as errors and titles show it."""
        if self.revision is None:
            return shown_path(self.path)
        if not self.path:
            return f"revision {self.revision}"
        folder = Path(self.folder)
        if folder == Path():
            return f"{self.revision}:{self.path}"
        start = "" if folder.is_absolute() else "./"
        return f"{self.revision}:{start}{folder / self.path}"

    def beside(self, other: "SpecSource") -> "SpecSource":
        """Return this source, with the file and variant of another where it names no file."""
        if self.path:
            return self
        variant = self.variant or other.variant
        if other.revision is not None:
            return other._replace(revision=self.revision, variant=variant)
        path = Path(other.path)
        return SpecSource(f"./{path.name}", self.revision, variant, str(path.parent))


def read_source(text: str) -> SpecSource:
    """Return the source that a text names; a file of that very name goes before a revision.

    Raises:
        SpecError: a revision that git would take for an option.
    """
    path, variant = find_spec(text)
    revision, colon, inside = text.partition(":")
    if not colon or os.path.exists(path) or find_source(text):
        return SpecSource(path, None, variant)
    if revision.startswith("-"):
        cause = f"'{revision}' is no revision: git would take it for an option"
        raise SpecError(cause, hint="write REVISION:PATH, as main:specs/net.yaml")
    path, variant = split_variant(inside)
    return SpecSource(path, revision, variant)


def read_sources(old: str, new: str) -> tuple[SpecSource, SpecSource]:
    """Return two versions of a spec; ``REVISION:`` alone means the other's file there.

    Raises:
        SpecError: neither names a file, or only one asks for all variants.
    """
    sources = read_source(old), read_source(new)
    if not any(source.path for source in sources):
        raise SpecError("neither names a file", hint="as in archcost diff main: specs/net.yaml")
    first, second = sources[0].beside(sources[1]), sources[1].beside(sources[0])
    if has_magic(first.variant or "") != has_magic(second.variant or ""):
        pattern = next(v for v in (first.variant, second.variant) if has_magic(v or ""))
        cause = f"@{pattern} asks for several variants of one side only"
        raise SpecError(cause, hint="write it at both")
    return first, second


def analyser(setup: Setup, specs: Collection[Architecture]) -> Callable[[Architecture], Analysis]:
    """Return the function that analyses some specs; a symbol is set where a spec has it."""
    agreed = setup.agreed(*specs)

    def analyse(spec: Architecture) -> Analysis:
        return analyze_loaded(spec, agreed.at(setup.given_to(spec)), numbers_suffice=True)

    return analyse


def load_source(source: SpecSource) -> tuple[Architecture, ...]:
    """Return the network of a source, or all variants; a spec without variants is its only one.

    Raises:
        SpecError: the spec cannot be read, or breaks a rule.
    """
    spec = read_architecture(_document(source))
    try:
        return spec.all_varied(source.variant)
    except SpecError as error:
        raise error.placed(None, source.name) from None


def _document(source: SpecSource) -> YamlDocument:
    if source.revision is None:
        return document_at(source.path)
    if not source.path:
        cause = f"'{source.revision}:' names no file"
        raise SpecError(cause, hint="write REVISION:PATH, as main:specs/net.yaml")
    document = parse_document(decode(_blob(source), source.name), source.name)
    return document._replace(beside=partial(_beside, source))


def _beside(source: SpecSource, path: str) -> tuple[str, Callable[[], YamlDocument]]:
    """Return the name of a file of the same revision, below a spec's folder, and what reads it."""
    other = source._replace(path=source.path[: source.path.rfind("/") + 1] + path)
    return other.name, partial(_document, other)


def _blob(source: SpecSource) -> bytes:
    """Return the bytes of a file in git, at most one more than a spec may have."""
    command = ["git", "-C", source.folder, "cat-file", "blob", f"{source.revision}:{source.path}"]
    pipe = subprocess.PIPE
    settings = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}  # we read its English
    try:
        git = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, env=settings
        )
    except OSError as error:
        raise SpecError(f"cannot run git to read {source.name}: {error.strerror}") from None
    assert git.stdout is not None
    with git:
        raw = git.stdout.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            git.kill()
            return raw
        _, complaint = git.communicate()
    if git.returncode:
        raise _refused(source, complaint.decode("utf-8", "replace"))
    return raw


def files_at(revision: str) -> list[str]:
    """Return the files of a revision below this folder, as paths from it; "" is what is staged.

    Raises:
        SpecError: there is no such revision.
    """
    listing = ["ls-tree", "-r", "-z", "--name-only", revision] if revision else ["ls-files", "-z"]
    done = _git(listing)
    if done.returncode:
        raise _refused(SpecSource("", revision), done.stderr.decode("utf-8", "replace"))
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def renames_since(revision: str) -> dict[str, str]:
    """Return the files below this folder that git calls renamed since a revision → their old path.

    Of what is staged git tells none.
    """
    words = ["diff", "--name-status", "-M", "-z", "--relative", "--diff-filter=R", revision, "--"]
    done = _git(words)
    if done.returncode or not revision:
        return {}
    _, *parts = [os.fsdecode(each) for each in done.stdout.split(b"\0")] or [""]
    return {new: old for old, new in zip(parts[0::3], parts[1::3], strict=False)}


def is_at(source: SpecSource) -> bool:
    """Return whether a revision has a file."""
    return not _git(
        ["cat-file", "-e", f"{source.revision}:{source.path}"], source.folder
    ).returncode


def _git(words: list[str], folder: str = ".") -> "subprocess.CompletedProcess[bytes]":
    settings = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", folder, *words]
    try:
        return subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, env=settings, check=False
        )
    except OSError as error:
        raise SpecError(f"cannot run git: {error.strerror}") from None


def _is_shallow(folder: str) -> bool:
    """Return whether git has only a part of the history there."""
    command = ["git", "-C", folder, "rev-parse", "--is-shallow-repository"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return done.stdout.strip() == b"true"


_UNKNOWN = ("invalid object name", "Not a valid object name", "not a tree object")
"""The words of git for a revision that is not there."""


def _refused(source: SpecSource, complaint: str) -> SpecError:
    """Return git's complaint as an error of one line, with its hint."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    first = lines[0].removeprefix("fatal: ") if lines else "git gave no reason"
    if first.endswith("bad file"):
        first = "it is no file there"
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    hint = " ".join(hints)
    if "does not exist" in first:
        hint = hint or "a path behind a revision begins at the repository's root"
    elif any(words in first for words in _UNKNOWN) and _is_shallow(source.folder):
        hint = (
            "this clone has not all revisions; in a workflow give actions/checkout "
            "fetch-depth: 0, elsewhere run git fetch --unshallow"
        )
    return SpecError(f"cannot read {source.name}: {first}", hint=hint)

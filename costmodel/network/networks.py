"""Expand patterns to networks: ``specs/*.yaml`` is every spec, ``PATH@*`` every variant."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from archspec import Architecture
from archspec.architecture import document_at, read_architecture
from archspec.zoo import find_spec, folded
from costmodel.scenario.patterns import is_pattern, matches


def names_several(specs: Iterable[str]) -> bool:
    """Return whether the given words may stand for more than one network."""
    texts = list(specs)
    return len(texts) > 1 or any(
        has_magic(variant or "") or is_pattern(path) for path, variant in map(find_spec, texts)
    )


def is_called(spec: Architecture, name: str) -> bool:
    """Return whether a network has a name, or one like it by a pattern.

    It is called by its own name, its file's path or name, its variant's, and ``FILE@VARIANT``.
    """
    file = spec.document.file
    names = [file, Path(file).stem, spec.header.name]
    if spec.variant:
        names += [spec.variant, *(f"{each}@{spec.variant}" for each in names)]
    return any(fnmatchcase(_compared(each), _compared(name)) for each in names)


def _compared(name: str) -> str:
    return folded(name).replace("_", "")


def networks(specs: Iterable[str]) -> Iterator[Architecture]:
    """The networks that some words stand for, each with its variant; patterns in sorted order.

    Args:
        specs: each a name of the zoo or a path, and ``@VARIANT``; in both, ``*``, ``?`` and ``[…]``
            stand for what they stand for in a shell.

    Raises:
        SpecError: nothing has such a path, or a spec breaks a rule.
    """
    for text in expanded(specs):
        path, variant = find_spec(text)
        yield from read_architecture(document_at(path)).all_varied(variant)


def expanded(specs: Iterable[str]) -> Iterator[str]:
    """The same words without patterns: one for every file that a pattern matches, sorted.

    Raises:
        SpecError: nothing matches a pattern.
    """
    for text in specs:
        path, variant = find_spec(text)
        yield from (f"{file}@{variant}" if variant else file for file in matches(path, "spec"))

"""Expand patterns to networks: ``specs/*.yaml`` is every spec, ``PATH@*`` every variant."""

from collections.abc import Iterable, Iterator

from archspec import Architecture
from archspec.architecture import document_at, read_architecture
from archspec.zoo import find_spec
from costmodel.scenario.patterns import is_pattern, matches

EVERY = "@*"
"""What stands behind a path for all of its variants."""


def names_several(specs: Iterable[str]) -> bool:
    """Return whether the given words may stand for more than one network."""
    texts = list(specs)
    return len(texts) > 1 or any(
        text.endswith(EVERY) or is_pattern(find_spec(text)[0]) for text in texts
    )


def networks(specs: Iterable[str]) -> Iterator[Architecture]:
    """The networks that some words stand for, each with its variant; patterns in sorted order.

    Args:
        specs: each a name of the zoo or a path, and ``@VARIANT`` or ``@*``; in a path, ``*``, ``?``
            and ``[…]`` stand for what they stand for in a shell.

    Raises:
        SpecError: nothing has such a path, or a spec breaks a rule.
    """
    for text in expanded(specs):
        path, variant = find_spec(text)
        architecture = read_architecture(document_at(path))
        every = architecture.header.variants or (None,) if variant == "*" else (variant,)
        yield from map(architecture.varied, every)


def expanded(specs: Iterable[str]) -> Iterator[str]:
    """The same words without patterns: one for every file that a pattern matches, sorted.

    Raises:
        SpecError: nothing matches a pattern.
    """
    for text in specs:
        path, variant = find_spec(text)
        yield from (f"{file}@{variant}" if variant else file for file in matches(path, "spec"))

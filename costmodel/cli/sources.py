"""The options that say something beside what a spec is written from, in every command."""

from collections.abc import Iterator, Sequence

from archspec.importers import TORCH, form_by_name, read_options, with_options

_VALUED, _PARTIAL = ("--input", "--vary"), "--partial"

_OWN = ("import", "sweep")
"""The commands with options of these names."""


def with_sources(words: Sequence[str]) -> list[str]:
    """Return a command line in which the options of a source have moved into the source's own text.

    Args:
        words: the command line, without ``archcost``.

    Raises:
        SpecError: a value of ``--vary`` is none.
    """
    if words[:1] == ["import"] or not any(_takes_options(word) for word in words):
        return [*words]
    given: dict[str, list[str]] = {option: [] for option in (*_VALUED, _PARTIAL)}
    left = [*_left(words, given, _VALUED[:1] if words[0] in _OWN else _VALUED)]
    partial = bool(given[_PARTIAL])
    options = read_options(given["--input"], given["--vary"], partial=partial)
    return [with_options(word, options) if _takes_options(word) else word for word in left]


def _takes_options(word: str) -> bool:
    return form_by_name(word) in (TORCH, ".onnx")


def _left(
    words: Sequence[str], given: dict[str, list[str]], valued: Sequence[str]
) -> Iterator[str]:
    """Yield the words that are no options of sources; these are put into ``given``."""
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word == _PARTIAL:
            given[word].append(word)
        elif option not in valued:
            yield word
        elif equals:
            given[option].append(value)
        elif (following := next(rest, None)) is not None:
            given[option].append(following)

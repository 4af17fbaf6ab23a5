"""Command lines that no command takes: what is wrong with them, and what to write."""

from collections.abc import Iterable, Sequence
from os.path import exists, isfile

from cyclopts import CycloptsError
from cyclopts.exceptions import (
    MissingArgumentError,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from archspec.errors import SpecError, nearest
from archspec.importers import find_source
from archspec.zoo import STDIN, SUFFIXES, find_name, split_variant


def misuse(error: CycloptsError, words: Sequence[str]) -> SpecError:
    """Return the error of a command line that no command takes.

    Args:
        error: what the parser of command lines raised.
        words: the command line, without ``archcost``.
    """
    command = " ".join(("archcost", *(error.command_chain or ())))
    match error:
        case MissingArgumentError():
            return _missing(error, command, words)
        case UnusedCliTokensError():
            return _unused(error.unused_tokens or [], command)
        case UnknownOptionError():
            return _unknown(error, command)
        case RepeatArgumentError():
            return SpecError(f"{error.token.keyword} is given twice", hint="leave one of them out")
    return SpecError(str(error))


def is_like_a_spec(word: str) -> bool:
    """Return whether a word looks like a spec: a name of the zoo, a file, or a source of one.

    Args:
        word: a word of a command line.
    """
    path = split_variant(word)[0]
    known = path.endswith(SUFFIXES) or path == STDIN or bool(find_name(path))
    return known or find_source(word) is not None or ("=" not in word and isfile(path))


def _missing(error: MissingArgumentError, command: str, words: Sequence[str]) -> SpecError:
    name = error.argument.name if error.argument else "an argument"
    if name.startswith("-"):
        return SpecError(f"{name} needs a value", hint=f"{command} --help says which")
    for option, specs in _swallowed(words):
        shown = " ".join(specs)
        cause = f"{option} takes all words up to the next option, {shown} too, so that no {name}"
        return SpecError(
            f"{cause} is left", hint=f"put {name} before {option}: {command} {shown} {option} …"
        )
    hint = f"write it first, as in {command} resnet50"
    if not name.startswith("SPEC"):
        hint = f"{command} --help says in which order its words stand"
    return SpecError(f"{command} needs {name}, and none is given", hint=hint)


def _swallowed(words: Sequence[str]) -> Iterable[tuple[str, list[str]]]:
    """Yield every option that has specs among its values, with these."""
    option, specs = "", list[str]()
    for word in (*words, "--"):
        if not word.startswith("-"):
            specs += [word] if option and is_like_a_spec(word) else []
            continue
        if specs:
            yield option, specs
        option, specs = word.partition("=")[0], []


def _unused(unused: Sequence[str], command: str) -> SpecError:
    word = unused[0]
    cause = f"{command} has no use for '{word}'; it stands where no more words are taken"
    return SpecError(cause, hint=_as_option(word) or f"{command} --help says what it takes")


def _as_option(word: str) -> str | None:
    """Return the hint for a word that is meant for an option."""
    from costmodel.metrics.registry import METRICS

    if "=" in word:
        return f"write --set {word} to give a symbol a value"
    return f"write --metric {word} to show that metric" if word in METRICS else None


def require_files(specs: Iterable[str]) -> None:
    """Make sure that no word that is meant for an option stands where specs stand.

    Args:
        specs: paths and patterns of specs.

    Raises:
        SpecError: one is no file, and reads like a setting or a metric.
    """
    for spec in specs:
        hint = None if exists(spec) or is_like_a_spec(spec) else _as_option(spec)
        if hint:
            raise SpecError(f"no such file: {spec}", hint=hint)


def _unknown(error: UnknownOptionError, command: str) -> SpecError:
    written = error.token.keyword or error.token.value or ""
    option = written.partition("=")[0]
    names = (name for argument in error.argument_collection for name in argument.names)
    known = {name.lstrip("-"): name for name in names if name.startswith("--")}
    near = nearest(option.lstrip("-"), known)
    hint = f"did you mean {known[near]}?" if near else f"{command} --help lists its options"
    if option in ("--top", "--by"):
        hint = _ranked(command.rpartition(" ")[2])
    return SpecError(f"{command} has no option {option}", hint=hint)


def _ranked(question: str) -> str:
    """Return the hint for layers ranked in a command that ranks none: the report does."""
    from costmodel.metrics.registry import METRICS

    of = question if question in METRICS else "macs"
    device = " --hardware DEVICE" * bool(METRICS[of].of_device)
    return f"write archcost SPEC{device} --metric {of} --top 5 --by {of}"

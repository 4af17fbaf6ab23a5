"""Completion with TAB: the words that may end a command line, and the scripts that ask for them."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from glob import escape, glob
from importlib import import_module
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from archspec import SpecError, load
from archspec.document import read_document
from archspec.errors import find_named
from archspec.importers import TORCH
from archspec.zoo import SUFFIXES, find_spec, zoo
from costmodel import studies
from costmodel.cli import COMMANDS

if TYPE_CHECKING:
    from cyclopts.argument import Argument

ASK = "__complete"
"""The word before a command line whose last word is to be completed."""

SCRIPTS = {
    "bash": f"""\
_archcost() {{  # bash replaces what follows the last word break, or begins with the last @
  local each line=${{COMP_LINE:0:COMP_POINT}}
  local word=${{line##*[[:space:]]}}
  local kept=${{word%"${{word##*[$COMP_WORDBREAKS]}}"}}
  kept=${{kept%@}} COMPREPLY=()
  while IFS= read -r each; do
    COMPREPLY+=("${{each#"$kept"}}")
  done < <("$1" {ASK} "$line" 2>/dev/null)
  [[ ${{COMPREPLY[0]}} == *[=/@] ]] && compopt -o nospace
}}
complete -o bashdefault -o default -F _archcost archcost
""",
    "zsh": f"""\
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}
_archcost() {{
  local line="${{(j: :)words[1,CURRENT-1]}} $PREFIX"
  local -a found=(${{(f)"$("${{words[1]}}" {ASK} "$line" 2>/dev/null)"}})
  compadd -S '' -- ${{(M)found:#*[=/@]}}
  compadd -- ${{found:#*[=/@]}}
  (( $#found )) || _files
}}
compdef _archcost archcost
""",
    "fish": f"complete -c archcost -a '(archcost {ASK} (commandline -cp))'\n",
}
"""Shell → the script that asks for the words."""

_QUESTION = re.compile(r"^@question\((.*?)\)\ndef (\w+)", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r'\bname="([^"]+)"')


def completion(shell: str | None = None, /) -> None:
    """Install completion with TAB for a shell.

    Args:
        shell: bash, zsh or fish; else the one in use.

    Examples:
        archcost completion
        archcost completion zsh

    Raises:
        SpecError: the shell is none of these, or its files cannot be written.
    """
    from cyclopts.completion.detect import ShellDetectionError, detect_shell
    from cyclopts.completion.install import get_default_completion_path

    with suppress(ShellDetectionError):
        shell = shell or detect_shell()
    script = find_named("shell", shell or "", SCRIPTS)
    path = get_default_completion_path(cast(Any, shell), "archcost")
    path.write_text(script, encoding="utf-8")
    if shell != "fish":  # which looks into its folder by itself
        _read_at_start(path, Path.home() / f".{shell}rc")
    print(f"{path} completes archcost in every {shell} that begins from now on")


def _read_at_start(script: Path, rc: Path) -> None:
    """Add the line that reads a script to the file that a shell begins with, if it has none."""
    line = f'[ -f "{script}" ] && . "{script}"  # archcost\n'
    with rc.open("a+", encoding="utf-8") as file:
        file.seek(0)
        before = file.read()
        if line not in before:
            file.write("\n" * (not before.endswith("\n")) + line)


def candidates(line: str) -> list[str]:
    """Return the words that complete the last word of a command line."""
    try:
        words = shlex.split(line)[1:]
    except ValueError:  # a quotation mark is open
        return []
    word = "" if line[-1:].isspace() or not words else words.pop()
    return sorted({each for each in _candidates(words, word) if each.startswith(word)})


def _candidates(before: Sequence[str], word: str) -> Iterable[str]:
    """Return what may stand behind some words, whatever it begins with.

    Args:
        before: the words before, without ``archcost``.
        word: the beginning of the word.
    """
    names = command_names()
    command = before[0] if before and before[0] in names else ""
    if word.startswith("-") or any(each.startswith("-") for each in before):
        option = _option(command, before, word)
        if option is not None:
            return option
    if command in WORDS:
        return WORDS[command](before)
    return (*sources(word), *(() if before else names))


def command_names() -> set[str]:
    """Return the names of all commands; those of questions are read off the files, unimported."""
    files = Path(*studies.__path__).glob("*.py")
    found = (each for file in files for each in _QUESTION.findall(file.read_text("utf-8")))
    named = ((_NAME.search(options), function) for options, function in found)
    return {*COMMANDS, *(n[1] if n else function.replace("_", "-") for n, function in named)}


def sources(word: str) -> Iterator[str]:
    """Yield specs for the beginning of one: names of the zoo, of files and folders, or variants.

    Of the zoo the families alone where nothing is typed yet.
    """
    path, at, _ = word.rpartition("@")
    if at:
        with suppress(SpecError):
            variants = read_document(find_spec(f"{path}@*")[0]).data.get("variants") or ()
            yield from (f"{path}@{name}" for name in (*variants, "*") if variants)
        return
    yield from (each.name if word else each.family for each in zoo().values())
    for found in glob(f"{escape(word)}*"):
        if isdir(found) or found.endswith(SUFFIXES):
            yield f"{found}/" if isdir(found) else found


def symbols(before: Sequence[str]) -> Iterator[str]:
    """Yield the symbols of the specs in a command line."""
    for word in before:
        with suppress(SpecError):
            yield from () if word.startswith(TORCH) else load(word).header.symbols


def _option(command: str, before: Sequence[str], word: str) -> Iterable[str] | None:
    """Return options, or the values of the one that a word belongs to; None if to none.

    Of an option that there is not, no value is known.
    """
    from costmodel.cli.app import app, find_command

    if command:
        find_command(command)
    arguments = (app[command] if command else app).assemble_argument_collection()
    if word.startswith("-"):
        names = [name for each in arguments for name in each.names]
        return [name for name in (*names, *app.help_flags) if name.startswith("--")]
    place = max(i for i, each in enumerate(before) if each.startswith("-"))
    option, equals, _ = before[place].partition("=")
    found = next((argument for argument in arguments if option in argument.names), None)
    if found is None:
        return ()
    if equals or not _takes(found, len(before) - place - 1):
        return None
    values = VALUES.get(found.field_info.name)
    return values(before) if values else ()


def _takes(argument: "Argument", values: int) -> bool:
    """Return whether an option that has so many values takes one more."""
    most, takes_all = argument.token_count()
    return bool(takes_all or values < most)


Values = Callable[[Sequence[str]], Iterable[str]]
"""The words before → what may follow them."""


def _names(module: str, name: str) -> Values:
    """Return the function that gives the names in a registry, or those that a function returns."""

    def names(_: Sequence[str]) -> Iterable[str]:
        found = getattr(import_module(module), name)
        return cast(Iterable[str], found() if callable(found) else found)

    return names


_TRAINING = "costmodel.scenario.training"
_METRICS = _names("costmodel.metrics.registry", "METRICS")
_DEVICES = _names("costmodel.scenario.devices", "built_in_files")
_TYPES = _names("archspec.precision", "TYPES")


def _settings(before: Sequence[str]) -> Iterable[str]:
    return (f"{name}=" for name in symbols(before))


WORDS: Mapping[str, Values] = {"hardware": _DEVICES, "completion": lambda _: SCRIPTS}
"""Command whose words are no specs → what they are."""

VALUES: Mapping[str, Values] = {
    **dict.fromkeys(("metric", "by", "sort", "pareto", "where"), _METRICS),
    **dict.fromkeys(("set_", "vary"), _settings),
    **dict.fromkeys(("hardware", "energy"), _DEVICES),
    **dict.fromkeys(
        ("dtype", "weights", "activations", "accumulators", "cache", "gradients"), _TYPES
    ),
    "convention": _names("costmodel.scenario.conventions", "convention_names"),
    "attention": _names("costmodel.scenario.scenario", "ATTENTIONS"),
    "optimizer": _names(_TRAINING, "OPTIMIZERS"),
    "checkpoint": _names(_TRAINING, "CHECKPOINTS"),
    "master": _names(_TRAINING, "MASTERS"),
    "order": _names("costmodel.studies.memory", "ALIVE"),
    "format": _names("costmodel.render", "formats"),
    "for_": symbols,
}
"""Parameter of an option → its values."""

"""The application: its commands, each with the module that is imported when it is run."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from os.path import exists
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Group, Parameter

from archspec.errors import SpecError, nearest
from archspec.zoo import STDIN, SUFFIXES, find_name, split_variant, zoo, zoo_hint
from costmodel.cli import COMMANDS, GROUPS
from costmodel.cli.commands import command_of
from costmodel.cli.misuse import misuse
from costmodel.cli.networks import report
from costmodel.cli.sources import with_sources
from costmodel.cli.tell import tell
from costmodel.studies import QUESTIONS

if TYPE_CHECKING:
    from rich.console import Console

LEAST_WIDTH, MOST_WIDTH = 40, 400
"""The fewest and the most columns that the help is laid out for, whatever the terminal says."""


LAST = 100
"""The place in help behind all groups of commands."""

START = """\
archcost: what a neural network costs, in closed form, before anyone builds it

  archcost resnet50                        what each layer of a network costs
  archcost resnet50 --symbolic             the same as formulas in its symbols
  archcost mobilenet_v2 --set h=160 w=160  at another size
  archcost explain alexnet                 each number: formula, numbers, value
  archcost compare vgg16 resnet50          networks side by side
  archcost zoo                             all networks that come with archcost
  archcost init                            write a first spec of your own

archcost --help lists the commands, archcost COMMAND --help what each takes;
archcost completion installs completion with TAB for your shell.
"""
"""The screen of a command line without words."""


def _version() -> str:
    try:
        return version("archcost")
    except PackageNotFoundError:
        return "unknown, for archcost is run from its folder and not installed"


app = App(
    name="archcost",
    help="What a neural network costs, in closed form: shapes, parameters, MACs, activations.",
    version=_version,
    version_flags=["--version"],
    help_format="plaintext",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    default_parameter=Parameter(negative=(), consume_multiple=True),
    group_commands=Group("Help", sort_key=LAST),
    group_arguments=Group("Arguments", sort_key=LAST + 1),
    group_parameters=Group("Parameters", sort_key=LAST + 2),
)
app.default(report)
_GROUPS = {name: Group(name, sort_key=i) for i, name in enumerate(GROUPS)}
"""The groups of commands; those that have no place behind these."""

for name, (module, group, function) in COMMANDS.items():
    app.command(f"{__package__}.{module}:{function or name}", name=name, group=_GROUPS[group])


def find_command(name: str) -> bool:
    """Return whether there is a command of a name; that of a question is made only now."""
    if name in app:
        return True
    question = QUESTIONS.get(name)
    if question is not None:
        own = Group(question.group, sort_key=len(_GROUPS))
        group = _GROUPS.setdefault(question.group, own)
        app.command(command_of(question), name=name, group=group)
    return question is not None


def known_commands() -> list[str]:
    """Return the names of all commands; those of questions are made now."""
    names = [name for name in sorted({*COMMANDS, *QUESTIONS}) if find_command(name)]
    for failed in QUESTIONS.failed:
        tell(f"warning: {failed}")
    return names


def run(words: list[str]) -> Any:
    """Return the result of a command line; show what to try where it is empty.

    Raises:
        SpecError: a word is no command, option or value, or a command finds a rule broken.
    """
    if not words:
        print(START, end="")
        return 0
    if words[0] == "help":
        words = [*words[1:], "--help"]
    console = _help_console() if asks_for_help(words) else None
    words = with_sources(list(map(_with_input, words)))
    require_command(words)
    try:
        return app(words, console=console)
    except CycloptsError as error:
        raise misuse(error, words) from None


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether a command line asks for help; if so, all that help lists is imported now."""
    asks = not set(words).isdisjoint(app.help_flags)
    if asks:
        known_commands()
        for command in app.resolved_commands().values():
            _part_examples(command)
    return asks


def _part_examples(command: App) -> None:
    """Let the examples of a command, a section of its function's docstring, end its help."""
    function = command.default_command
    about, heading, examples = (getattr(function, "__doc__", None) or "").partition("Examples:\n")
    if heading:
        lines = examples.partition("\n\n")[0]
        function.__doc__ = about  # what it raises is for its caller
        command.help_epilogue = "Examples:\n" + indent(dedent(lines).strip(), "  ")


def _with_input(word: str) -> str:
    """Return a word, with a name for standard input, since ``-`` is an option to the parser."""
    return word.replace("-", STDIN, 1) if split_variant(word)[0] == "-" else word


def require_command(words: Sequence[str]) -> None:
    """Make sure that the first word of a command line is a command, or may be a spec.

    Raises:
        SpecError: it is neither.
    """
    word = words[0]
    plain = word.replace("_", "").replace("-", "").replace(".", "").isalnum()
    if not plain or word.startswith("-") or word.endswith(SUFFIXES) or find_name(word):
        return
    if not find_command(word) and not exists(word):
        cause = f"'{word}' is no command, no network of the zoo and no file here"
        raise SpecError(cause, hint=_meant(word, words[1:]))


def _meant(word: str, others: Sequence[str]) -> str:
    """Return the hint for a word that is neither a command nor a spec."""
    names = known_commands(), [each.name for each in zoo().values()]
    near = [repr(name) for name in (nearest(word, known) for known in names) if name]
    if nearest(word, names[0]) is None and (hint := zoo_hint(word)):
        return hint
    if near:
        return f"did you mean {' or '.join(near)}?"
    lists = "archcost --help lists the commands, archcost zoo the networks"
    spec = next((each for each in others if find_name(each) or exists(each)), None)
    if spec is None:
        return lists
    return f"write archcost {spec} to see what that network costs; {lists}"


def _help_console() -> "Console":
    """Return a console for the help: of a width at which its panels end, and in time.

    Where nobody reads on, it says so as every other output does, and ends nothing by itself.
    """
    from rich.console import Console

    class HelpConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    console = HelpConsole()
    console.width = min(max(console.width, LEAST_WIDTH), MOST_WIDTH)
    return console
